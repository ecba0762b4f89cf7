"""Scoring series in a handful of NumPy calls: the transform, the choice of coefficients and the sum, compiled.

Standardising, transforming and the boundary are one affine map, so the coefficients of all scales are one product
`A @ x + b`. Its rows are laid out as (scales, k), shorter scales filled up with +inf, which sorts behind everything;
one sort puts the r-th lowest of a scale at place r and the r-th largest at the scale's size − 1 − r, whence a fixed
list of places and one dot product give the prediction. Where times are features, each coefficient carries its number
in its last bits through the sort. Scales without a coefficient other than zero are left out.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from awd_cme.coefficients import Array, Selection, number_bits, pack, unpack

CHUNK = 500
"""Series that are scored at a time: their coefficients stay in the cache of one core."""

FEW = 3
"""Up to so many of each kind, running maxima are faster than a sort."""


class Scorer:
    """A linear predictor on selected coefficients, ready to score.

    Parameters
    ----------
    matrices : sequence of ndarray, shapes (k, N)
        The transform, band by band.
    times : sequence of ndarray, shapes (k,)
        When each coefficient is.
    selection : Selection
        Which coefficients are features.
    weights : ndarray, shape (features,)
        Their coefficients in the predictor, in the order of the selection.
    intercept : float
        What is added.
    mean, sd : float
        Of the inputs: (x − mean)/sd is transformed.
    limits : (float, float)
        Least and largest prediction; what is beyond is set to them.
    """

    def __init__(
        self,
        matrices: Sequence[Array],
        times: Sequence[Array],
        selection: Selection,
        weights: npt.NDArray[np.float64],
        intercept: float,
        mean: float = 0.0,
        sd: float = 1.0,
        limits: tuple[float, float] = (-math.inf, math.inf),
    ) -> None:
        parts, start = [], 0
        for matrix, time in zip(matrices, times, strict=True):
            columns = selection.columns(len(matrix))
            parts.append((matrix / sd, time, weights[start : start + columns]))
            start += columns
        used = [part for part in parts if part[2].any()] or parts[:1]
        size, width = max(len(matrix) for matrix, *_ in used), used[0][0].shape[1]
        self.selection, self.intercept, self.limits = selection, float(intercept), limits
        self.limited = math.isfinite(limits[0]) or math.isfinite(limits[1])
        self.shape = (len(used), size)
        self.rows = np.zeros((*self.shape, width))
        self.offset = np.full(self.shape, np.inf)
        self.time = np.zeros(self.shape)
        self.energy_weights = np.zeros(len(used))
        places: list[int] = []
        value_weights: list[float] = []
        time_weights: list[float] = []
        for band, (matrix, time, weight) in enumerate(used):
            k, count = len(matrix), min(selection.most, len(matrix))
            self.rows[band, :k] = matrix
            self.offset[band, :k] = -matrix.sum(axis=1) * mean
            self.time[band, :k] = time
            if selection.energies:
                self.energy_weights[band] = weight[-1]
            listed = len(selection.kinds()) * count
            value_weights += weight[:listed].tolist()
            time_weights += weight[listed : 2 * listed].tolist() if selection.positions else []
            for kind in selection.kinds():
                ranks = range(count) if kind == "negative" else range(k - 1, k - 1 - count, -1)
                places += [band * size + rank for rank in ranks]
        self.sizes = [len(matrix) for matrix, *_ in used]
        self.bands = np.repeat(
            np.arange(len(used)), [len(selection.kinds()) * min(selection.most, k) for k in self.sizes]
        )
        self.places = np.array(places, dtype=np.intp)
        self.value_weights, self.time_weights = np.array(value_weights), np.array(time_weights)
        self.flat_rows = np.ascontiguousarray(self.rows.reshape(-1, width))
        self.valid = np.isfinite(self.offset).ravel()
        self.flat_offset = np.where(self.valid, self.offset.ravel(), 0.0)
        self.padding = np.where(self.valid, 0.0, np.inf).reshape(self.shape)
        self.signed = selection.which == "signed"
        self.packed = self.signed or selection.positions
        self.number = np.tile(np.arange(size), len(used)).reshape(self.shape) << self.signed
        self.bits = number_bits(size, self.signed)
        self._typed: dict[Any, tuple[Array, ...]] = {}

    def one(self, x: Array) -> float:
        """Prediction for one series, shape (N,)."""
        c = self.flat_rows.dot(x)
        c += self.flat_offset
        c.shape = self.shape
        total = self.intercept
        if self.selection.energies:
            total += float(np.sqrt(np.einsum("ij,ij->i", c, c)).dot(self.energy_weights))
        if self.selection.which == "absolute":
            np.abs(c, out=c)
        if self.packed:
            pack(c, self.number, self.bits, self.signed)
        c += self.padding
        c.sort()
        chosen = c.take(self.places)
        if self.packed:
            chosen, number = unpack(chosen, self.bits, self.signed)
            if self.selection.positions:
                total += float(self.time[self.bands, number].dot(self.time_weights))
        total += float(chosen.dot(self.value_weights))
        # NaN, which compares with nothing, stays NaN.
        return self.limits[0] if total < self.limits[0] else self.limits[1] if total > self.limits[1] else total

    def many(self, X: Array) -> Array:
        """Predictions for series (n, N), in their type: float32 is scored in float32, at twice the speed.

        Where a coefficient carries its number or sign in its last bits, it is float64 whatever the type.
        """
        work = X.astype(np.float64) if self.packed else X
        found = np.empty(len(X), dtype=work.dtype)
        for start in range(0, len(X), CHUNK):
            found[start : start + CHUNK] = self._chunk(work[start : start + CHUNK])
        found += found.dtype.type(self.intercept)
        if self.limited:
            np.clip(found, *self.limits, out=found)
        return found.astype(X.dtype, copy=False)

    def _chunk(self, x: Array) -> Array:
        """Without the intercept; coefficients in rows, so that every step is one over all series."""
        rows, offset, values, times = self._arrays(x.dtype)
        c = rows @ x.T
        c += offset
        total = np.zeros(len(x), dtype=x.dtype)
        place = start = 0
        for band, size in enumerate(self.sizes):
            part = c[start : start + size]
            start += size
            if self.selection.energies:
                total += self.energy_weights[band].astype(x.dtype) * np.sqrt(np.einsum("ij,ij->j", part, part))
            if self.selection.which == "absolute":
                np.abs(part, out=part)
            if self.packed:
                pack(part, self.number[band, :size, None], self.bits, self.signed)
            for chosen in _chosen(part, self.selection):
                value, number = unpack(chosen, self.bits, self.signed) if self.packed else (chosen, None)
                total += values[place] * value
                if self.selection.positions:
                    total += times[place] * self.time[band].take(number)
                place += 1
        return total

    def _arrays(self, dtype: Any) -> tuple[Array, ...]:
        if dtype not in self._typed:
            own = (self.flat_rows[self.valid], self.flat_offset[self.valid][:, None])
            self._typed[dtype] = tuple(a.astype(dtype) for a in (*own, self.value_weights, self.time_weights))
        return self._typed[dtype]


def _chosen(rows: Array, selection: Selection) -> Iterator[Array]:
    """The most extreme of the rows, element by element, in the order of the selection's features."""
    count = min(selection.most, len(rows))
    if count <= FEW:
        for kind in selection.kinds():
            more, less = (np.minimum, np.maximum) if kind == "negative" else (np.maximum, np.minimum)
            yield from _extremes(rows, count, more, less)
        return
    # Behind each other in memory, each series' coefficients are sorted fastest.
    ranked = np.sort(rows.T, axis=1).T
    for kind in selection.kinds():
        yield from ranked[:count] if kind == "negative" else ranked[::-1][:count]


def _extremes(rows: Array, count: int, more: Any, less: Any) -> list[Array]:
    """The `count` largest (by `more`) of the rows, element by element, the largest first: an insertion sort."""
    top: list[Array] = []
    for row in rows:
        rest = row
        for rank, held in enumerate(top):
            if rank < count - 1 or len(top) < count:
                top[rank], rest = more(held, rest), less(held, rest)
            else:
                more(held, rest, out=held)
        if len(top) < count:
            # A copy where nothing was made yet: what is held is written over later.
            top.append(rest.copy() if rest is row else rest)
    return top
