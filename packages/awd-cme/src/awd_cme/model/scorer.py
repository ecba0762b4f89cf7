"""Scoring series in a handful of NumPy calls: the transform, the choice of coefficients and the sum, compiled.

The coefficients of all scales are one matrix product. For many series they lie in rows, a coefficient of all series in
each, and the largest of every scale come out of minima and maxima of two rows at a time (`awd_cme.model.extremes`). For
one series, scales lie side by side, filled up with what sorts behind everything; one sort puts the r-th lowest of a
scale at place r and the r-th largest at the scale's size − 1 − r. Either way one product with the weights gives the
prediction. Where times are features, each coefficient carries its number in its last bits. Scales without a coefficient
other than zero are left out.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from awd_cme.model.coefficients import Array, Selection, number_bits, pack, unpack
from awd_cme.model.extremes import LARGER, SMALLER, extremes

BYTES = 1 << 20
"""Of the coefficients that are worked on at a time: about what the second cache of a core holds."""


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
        self.selection, self.intercept, self.limits = selection, float(intercept), limits
        self.limited = math.isfinite(limits[0]) or math.isfinite(limits[1])
        self.mean = float(mean)
        self.matrix = np.concatenate([matrix for matrix, *_ in used])
        self.time = np.concatenate([np.asarray(time, dtype=np.float64) for _, time, _ in used])
        self.sizes = [len(matrix) for matrix, *_ in used]
        self.largest = max(self.sizes)
        self.signed = selection.which == "signed"
        self.packed = self.signed or selection.positions
        self.bits = number_bits(self.largest, self.signed)
        self.number = np.concatenate([np.arange(size) for size in self.sizes])[:, None] << int(self.signed)
        values: list[float] = []
        of_times: list[float] = []
        energies = np.zeros((len(used), len(self.matrix)))
        for band, (matrix, _, weight) in enumerate(used):
            listed = len(selection.kinds()) * min(selection.most, len(matrix))
            values += weight[:listed].tolist()
            of_times += weight[listed : 2 * listed].tolist() if selection.positions else []
            begin = sum(self.sizes[:band])
            energies[band, begin : begin + len(matrix)] = 1.0
        self.values, self.time_weights = np.array(values), np.array(of_times)
        self.energies, self.energy_weights = energies, np.array([part[2][-1] for part in used])
        # Where the features of each band begin among all of its kind, and its rows among all rows.
        kinds = [len(selection.kinds()) * min(selection.most, size) for size in self.sizes]
        self.begins = np.repeat(np.cumsum([0, *self.sizes[:-1]]), kinds)
        self._compile()
        self._lay_out()
        self._typed: dict[Any, tuple[Array, ...]] = {}

    def _compile(self) -> None:
        """For many series: the steps of all scales, which share the rows that they need beside their own."""
        kinds = tuple(SMALLER if kind == "negative" else LARGER for kind in self.selection.kinds())
        calls = (np.maximum, np.minimum)
        self.steps: list[tuple[Any, int, int, int]] = []
        places: list[int] = []
        self.rows = further = len(self.matrix)
        start = 0
        for size in self.sizes:
            found = extremes(size, min(self.selection.most, size), kinds)
            row = [*range(start, start + size), *range(further, further + found.rows - size)]
            self.steps += [(calls[which], row[a], row[b], row[to]) for which, a, b, to in found.steps]
            places += [row[place] for place in found.places]
            self.rows, start = max(self.rows, max(row) + 1), start + size
            # A row that holds a result is not for the next scale.
            further = max(further, max(places) + 1)
        self.places = np.array(places, dtype=np.intp)

    def _lay_out(self) -> None:
        """For one series: scales side by side, and the place of each feature after sorting."""
        shape = (len(self.sizes), self.largest)
        ranks = [
            range(count) if kind == "negative" else range(size - 1, size - 1 - count, -1)
            for size in self.sizes
            for count in [min(self.selection.most, size)]
            for kind in self.selection.kinds()
        ]
        kinds = len(self.selection.kinds())
        self.sorted_places = np.array(
            [(index // kinds) * self.largest + rank for index, own in enumerate(ranks) for rank in own], dtype=np.intp
        )
        self.valid = np.arange(self.largest) < np.array(self.sizes)[:, None]
        self.wide = np.zeros((math.prod(shape), self.matrix.shape[1]))
        self.wide[self.valid.ravel()] = self.matrix
        self.wide_number = np.tile(np.arange(self.largest), len(self.sizes)).reshape(shape) << int(self.signed)
        self.wide_energies = np.zeros((len(self.sizes), math.prod(shape)))
        self.wide_energies[:, self.valid.ravel()] = self.energies
        self.shape = shape

    def one(self, x: Array) -> float:
        """Prediction for one series, shape (N,)."""
        rows, offset, padding, values = self._arrays(x.dtype)[:4]
        c = rows.dot(x)
        total = self.intercept
        if self.packed or self.selection.energies or self.selection.which == "absolute":
            c += offset
            if self.selection.energies:
                total += float(np.sqrt(self.wide_energies.dot(c * c)).dot(self.energy_weights))
            if self.selection.which == "absolute":
                np.abs(c, out=c)
            if self.packed:
                pack(c.reshape(self.shape), self.wide_number, self.bits, self.signed)
            c += padding
        else:
            c += padding  # with the offset
        c.reshape(self.shape).sort()
        if self.packed:
            chosen, number = unpack(c.take(self.sorted_places), self.bits, self.signed)
            total += float(chosen.dot(self.values))
            if self.selection.positions:
                total += float(self.time.take(number + self.begins).dot(self.time_weights))
        else:
            total += float(c.dot(values))
        # NaN, which compares with nothing, stays NaN.
        return self.limits[0] if total < self.limits[0] else self.limits[1] if total > self.limits[1] else total

    def many(self, X: Array) -> Array:
        """Predictions for series (n, N), in their type: float32 is scored in float32, at twice the speed.

        Where a coefficient carries its number or sign in its last bits, it is float64 whatever the type.
        """
        dtype = np.dtype(np.float64) if self.packed else X.dtype
        found = np.empty(len(X), dtype=dtype)
        size = max(64, min(BYTES // (self.rows * dtype.itemsize), len(X)))
        room = np.empty((self.rows, size), dtype=dtype)
        series = np.empty((size, X.shape[1]), dtype=dtype)
        for start in range(0, len(X), size):
            part = X[start : start + size]
            count = len(part)
            np.subtract(part, dtype.type(self.mean), out=series[:count], dtype=dtype)
            found[start : start + count] = self._chunk(series[:count], room[:, :count])
        found += found.dtype.type(self.intercept)
        if self.limited:
            np.clip(found, *self.limits, out=found)
        return found.astype(X.dtype, copy=False)

    def _chunk(self, x: Array, room: Array) -> Array:
        """Without the intercept; `room` is for the coefficients in rows, so that every step is one over all series."""
        matrix, energies, energy_weights, values, times = self._arrays(x.dtype)[4:]
        c = room[: len(matrix)]
        np.matmul(matrix, x.T, out=c)
        total: Array | float = 0.0
        if self.selection.energies:
            total = energy_weights @ np.sqrt(energies @ (c * c))
        if self.selection.which == "absolute":
            np.abs(c, out=c)
        if self.packed:
            pack(c, self.number, self.bits, self.signed)
        rows = list(room)
        for call, a, b, to in self.steps:
            call(rows[a], rows[b], out=rows[to])
        chosen = room[self.places]
        if not self.packed:
            return np.asarray(values @ chosen + total)
        chosen, number = unpack(chosen, self.bits, self.signed)
        total = values @ chosen + total
        if self.selection.positions:
            number += self.begins[:, None]
            total = times @ self.time.take(number) + total
        return np.asarray(total)

    def _arrays(self, dtype: Any) -> tuple[Array, ...]:
        """What is multiplied and added, in the type of the series; coefficients that carry numbers are float64."""
        if dtype not in self._typed:
            own = np.dtype(np.float64) if self.packed else dtype
            valid = self.valid.ravel()
            offset = -self.wide.sum(axis=1) * self.mean
            padding = np.where(valid, 0.0, np.finfo(own).max)
            if not (self.packed or self.selection.energies or self.selection.which == "absolute"):
                padding = np.where(valid, offset, padding)
            values = np.zeros(len(valid))
            np.add.at(values, self.sorted_places, self.values)  # a coefficient may be among the largest and the lowest
            listed = (
                self.wide, offset, padding, values,
                self.matrix, self.energies, self.energy_weights, self.values, self.time_weights,
            )  # fmt: skip
            self._typed[dtype] = tuple(np.ascontiguousarray(array, dtype=own) for array in listed)
        return self._typed[dtype]
