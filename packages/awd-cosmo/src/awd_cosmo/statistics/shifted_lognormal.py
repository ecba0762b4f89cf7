"""Few numbers of a map that is nearly a shifted lognormal field: how strongly its details grow with the local level.

Convergence is nearly κ = s (e^x − 1) with a Gaussian field x (Hilbert, Hartlap and Schneider 2011, "Cosmic shear
covariance: the log-normal approximation"), in which a difference of neighbouring values is as large as the local level:

    d ~ N(0, σ² (a + s)²),

d a detail of the wavelet along a line of pixels, a the mean of κ at the same pixels with the detail's own weights, and
s the shift. So the shift of one map can be read off its finest details, by maximum likelihood. It is an effective one:
noise in the pixels and haloes move it, and that is information too. With s the map is made Gaussian, x = ln(1 + κ/s),
and what is left to be said of x are its mean, its variance, and how the variance is divided between scales.
"""

from typing import Any, Self

import numpy as np
import numpy.typing as npt

from awd_core.checks import whole_number
from awd_core.typing import Array
from awd_cosmo.statistics.histograms import learnt_edges, some_of
from awd_cosmo.statistics.kernels import low_pass_taps
from awd_cosmo.statistics.peaks import (
    BLOCK,
    Floats,
    Mask,
    checked_maps,
    checked_mask,
    floating,
    for_each_block,
    refuse_not_finite,
    rows_of,
)
from awd_cosmo.statistics.statistic import Statistic

BINS = 16
"""Bins of the local level, within which (a + s)² is taken at the mean level: enough that more change nothing."""
SHIFTS = 140
"""Shifts among which the most likely is found; between them it is interpolated by a parabola."""
LEAST_SHIFT, GREATEST_SHIFT = 0.2, 15.0
"""Ends of the shifts, in standard deviations of the training maps. A map whose details do not grow with the local level
has the greatest."""
LEAST_LEVEL = 0.03
"""1 + κ/s below it counts as it: the shift is that of the details, and a single pixel may lie below −s."""
LEAST_OBSERVED = 0.75
"""A block with a lesser share of observed pixels is left out: the mean of few pixels varies more."""
FLOOR = 1e-30
"""A variance below it counts as it: a constant map has a logarithm too."""


class ShiftedLognormal(Statistic):
    """The shift of a map, the relative size of its details, and the variance of ln(1 + κ/s) by scale.

    The features are 4 + `block_sizes` numbers, all pure but for κ's own unit: ln s; ln σ², the mean of d²/(a + s)²; the
    mean and the logarithm of the standard deviation of x = ln(1 + κ/s); and for blocks of 2, 4, … pixels a side the
    logarithm of the variance of the difference between neighbouring blocks' means of x.

    Parameters
    ----------
    wavelet : Wavelet, str, pywt.Wavelet or array_like of shape (L,)
        Orthogonal wavelet, or its low-pass taps: of the finest details, along rows and along columns. Only details all
        of whose pixels lie within the map, and were observed, are looked at.
    block_sizes : int
        Number of block sizes; two blocks of 2^block_sizes pixels must fit into a map.
    mask : array_like of bool, shape (ny, nx), optional
        True where the maps were observed. Values elsewhere are not looked at, and may be NaN.
    workers : int, optional
        Threads, over maps; as many as there are cores by default. The result does not depend on it.

    Attributes
    ----------
    taps_ : ndarray, shape (L,)
        Low-pass taps of the wavelet.
    shifts_ : ndarray, shape (SHIFTS,)
        Shifts that are tried, in units of κ.
    edges_ : ndarray, shape (BINS + 1,)
        Bins of the local level, in units of κ.
    names_ : list of str
        Of the features.

    Examples
    --------
    >>> maps = 0.05 * np.expm1(np.random.default_rng(0).normal(0, 0.2, (40, 32, 32)))
    >>> statistic = ShiftedLognormal("haar", 2).fit(maps)
    >>> statistic.transform(maps).shape
    (40, 6)
    >>> statistic.names_[:2]
    ['ln shift', 'ln variance of relative details']
    """

    wavelet: Any
    block_sizes: int
    mask: Any
    workers: int | None
    taps_: Array
    shifts_: Array
    edges_: Array
    names_: list[str]
    _learnt = ("taps_", "shifts_", "edges_", "names_")

    def __init__(
        self, wavelet: Any = "haar", block_sizes: int = 3, *, mask: Any = None, workers: int | None = None
    ) -> None:
        self._keep(locals())

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the range of shifts, and the bins of the local level.

        Parameters
        ----------
        X : array_like, shape (n, ny, nx)
            Training maps, of which `awd_cosmo.statistics.histograms.FIT_MAPS` are used at most.
        y : object
            Ignored.

        Raises
        ------
        ValueError
            If a parameter is not among those allowed, the maps are too small, or do not vary.
        """
        maps = floating(some_of(checked_maps(X)))
        taps = low_pass_taps(self.wavelet)
        block_sizes = self._checked_sizes(maps.shape, len(taps))
        observed = checked_mask(self.mask, maps.shape)
        refuse_not_finite(maps, observed, 0)
        deviation = float(
            np.std(maps if observed is None else maps[np.broadcast_to(observed, maps.shape)], dtype=float)
        )
        if not deviation > 0:
            raise ValueError("the training maps do not vary, so they have no scale; give other maps")
        self.taps_ = taps
        self.shifts_ = deviation * np.geomspace(LEAST_SHIFT, GREATEST_SHIFT, SHIFTS)
        levels, seen = _levels(maps, observed, taps)
        self.edges_ = learnt_edges(levels.ravel() if seen is None else levels[seen], BINS, "normal", what="details")
        self.names_ = [
            "ln shift", "ln variance of relative details", "mean of ln(1 + κ/s)", "ln deviation of ln(1 + κ/s)",
            *(f"ln variance between means of {2**k} × {2**k} pixels" for k in range(1, block_sizes + 1)),
        ]  # fmt: skip
        return self

    def transform(self, X: Any, mask: Any = None) -> Array:
        """The numbers of maps.

        Parameters
        ----------
        X : array_like, shape (n, ny, nx)
            Maps.
        mask : array_like of bool, shape (ny, nx) or (n, ny, nx), optional
            In place of the parameter `mask`.

        Returns
        -------
        ndarray, shape (n, 4 + block_sizes)
            In the order of `names_`.

        Raises
        ------
        ValueError
            If `fit` was not called, an observed value is NaN or infinite, or the mask leaves no detail, or no two
            neighbouring blocks, of a map.
        """
        self._check_fitted()
        maps = checked_maps(X)
        self._checked_sizes(maps.shape, len(self.taps_))
        observed = checked_mask(self.mask if mask is None else mask, maps.shape)
        found = np.empty((maps.shape[0], len(self.names_)))

        def look(start: int, block: Floats) -> None:
            here = None if observed is None else np.broadcast_to(rows_of(observed, start, len(block)), block.shape)
            refuse_not_finite(block, here, start)
            found[start : start + len(block)] = self._numbers(block, here)

        for_each_block(maps, look, self.workers, BLOCK)
        return found

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[np.object_]:
        """Names of the features."""
        self._check_fitted()
        return np.array(self.names_, dtype=object)

    def _checked_sizes(self, shape: tuple[int, ...], length: int) -> int:
        sizes, side = whole_number("block_sizes", self.block_sizes), min(shape[-2:])
        if side < max(2 << sizes, length):
            raise ValueError(
                f"maps of {shape[-2]} × {shape[-1]} pixels are too small for block_sizes={sizes} and {length} taps: a "
                f"side of {max(2 << sizes, length)} is needed; take fewer block sizes, or a shorter wavelet"
            )
        return sizes

    def _numbers(self, block: Floats, observed: Mask | None) -> Array:
        """Numbers (m, 4 + block_sizes) of maps (m, ny, nx), whose unobserved values are not looked at."""
        if observed is not None:
            block = np.where(observed, block, block.dtype.type(0))
        details, levels, seen = _pairs(block, observed, self.taps_)
        counts, means, squares = _binned(levels, details, seen, self.edges_[1:-1])
        if not counts.any(axis=1).all():
            raise ValueError("the mask leaves no detail of a map: no run of observed pixels is as long as the wavelet")
        least = (block if observed is None else np.where(observed, block, np.inf)).min(axis=(1, 2))
        shift = _most_likely(counts, means, squares, least.astype(np.float64), self.shifts_)
        relative = (squares / _level(means, shift[:, None], self.shifts_) ** 2).sum(axis=1) / counts.sum(axis=1)
        x = np.log(np.maximum(1 + block / shift[:, None, None], LEAST_LEVEL))
        some: dict[str, Any] = {} if observed is None else {"where": observed}  # even where=True takes longer
        mean, variance = x.mean(axis=(1, 2), **some), x.var(axis=(1, 2), **some)
        by_scale = [_between_blocks(x, observed, 2**k) for k in range(1, self.block_sizes + 1)]
        columns = [np.log(shift), _log(relative), mean, _log(variance) / 2, *(_log(one) for one in by_scale)]
        return np.column_stack(columns)


def _log(variance: Array) -> Array:
    return np.log(np.maximum(variance, FLOOR))


def _pairs(maps: Floats, observed: Mask | None, taps: Array) -> tuple[Floats, Floats, Mask | None]:
    """Details and the local levels at the same pixels, (n, P) each, along rows and columns; which were observed."""
    details = _along_both(maps, taps * (-1.0) ** np.arange(len(taps)))
    return details, *_levels(maps, observed, taps)


def _levels(maps: Floats, observed: Mask | None, taps: Array) -> tuple[Floats, Mask | None]:
    """The local levels, (n, P), and which were observed."""
    if observed is None:
        return _along_both(maps, taps), None
    # Whether one pixel was not observed is told by whether a sum over their windows is above nothing.
    gaps = _along_both((~np.broadcast_to(observed, maps.shape)).astype(np.float32), np.ones(len(taps)))
    return _along_both(maps, taps), gaps == 0


def _along_both(maps: Floats, taps: Array) -> Floats:
    """Sums of neighbouring pixels with taps, divided by √2, along rows and along columns, (n, P)."""
    weights = (taps / np.sqrt(2)).astype(maps.dtype)
    found = []
    for axis in (2, 1):
        places = maps.shape[axis] - len(weights) + 1
        total = np.zeros_like(maps, shape=(*maps.shape[:axis], places, *maps.shape[axis + 1 :]))
        for k, weight in enumerate(weights):
            total += maps[(slice(None),) * axis + (slice(k, k + places),)] * weight
        found.append(total.reshape(len(maps), -1))
    return np.hstack(found)


def _binned(levels: Floats, details: Floats, seen: Mask | None, inner: Array) -> tuple[Array, Array, Array]:
    """Number of details, mean level and sum of squared details in each bin of the level, (m, bins) each."""
    m, bins = len(levels), len(inner) + 1
    # Few limits are compared with faster than looked up.
    place = np.zeros(levels.shape, np.uint8)
    for limit in inner.astype(levels.dtype):
        place += levels > limit
    flat = (place + bins * np.arange(m)[:, None]).ravel()
    weights = None if seen is None else seen.ravel().astype(np.float64)

    def total(values: Floats | None) -> Array:
        given = weights if values is None else values.ravel() if weights is None else values.ravel() * weights
        return np.bincount(flat, weights=given, minlength=m * bins).reshape(m, bins).astype(np.float64)

    counts = total(None)
    return counts, total(levels) / np.maximum(counts, 1), total(details.astype(np.float64) ** 2)


def _level(means: Array, shift: float | Array, shifts: Array) -> Array:
    """The local level above the shift, kept above zero."""
    return np.asarray(np.maximum(means + shift, shifts[0] / 4))


def _most_likely(counts: Array, means: Array, squares: Array, least: Array, shifts: Array) -> Array:
    """Shift (m,) of the greatest likelihood, σ² at its own best, among those above minus the least value of the map."""
    number = counts.sum(axis=1)
    # Maps, shifts, bins: one large array is faster than as many small ones as there are shifts.
    level = _level(means[:, None], shifts[:, None], shifts)
    variance = np.maximum((squares[:, None] / level**2).sum(axis=2) / number[:, None], FLOOR)
    minus_log = np.log(variance) + 2 * (counts[:, None] * np.log(level)).sum(axis=2) / number[:, None]
    allowed = shifts > -least[:, None]
    allowed[:, -1] = True
    minus_log[~allowed] = np.inf
    best = minus_log.argmin(axis=1)
    inner = np.clip(best, 1, len(shifts) - 2)
    before, here, after = (minus_log[np.arange(len(best)), inner + step] for step in (-1, 0, 1))
    within = (best == inner) & np.isfinite(before)
    before, here, after = (np.where(within, value, 0.0) for value in (before, here, after))
    curvature = before - 2 * here + after
    offset = np.where(curvature > 0, 0.5 * (before - after) / np.where(curvature > 0, curvature, 1.0), 0.0)
    found: Array = shifts[best] * (shifts[1] / shifts[0]) ** offset
    return found


def _between_blocks(x: Floats, observed: Mask | None, side: int) -> Array:
    """Variance (m,) of the difference between means of neighbouring blocks, as far as they were observed."""
    m, ny, nx = len(x), x.shape[1] // side, x.shape[2] // side
    shape = (m, ny, side, nx, side)
    blocks = x[:, : ny * side, : nx * side].reshape(shape)
    if observed is None:
        share = np.ones((m, ny, nx))
        means = blocks.mean(axis=(2, 4), dtype=np.float64)
    else:
        there = observed[:, : ny * side, : nx * side].reshape(shape)
        share = there.mean(axis=(2, 4))
        total = blocks.sum(axis=(2, 4), dtype=np.float64, where=there)
        means = total / np.maximum(share * side**2, 1)
    pairs = [(slice(None), slice(1, None), slice(None)), (slice(None), slice(None), slice(1, None))]
    before = [(slice(None), slice(-1), slice(None)), (slice(None), slice(None), slice(-1))]
    differences = np.hstack([(means[a] - means[b]).reshape(m, -1) for a, b in zip(pairs, before, strict=True)])
    least = np.hstack([np.minimum(share[a], share[b]).reshape(m, -1) for a, b in zip(pairs, before, strict=True)])
    if observed is None:
        return np.asarray(np.var(differences, axis=1))
    seen = least >= LEAST_OBSERVED
    if not seen.any(axis=1).all():
        raise ValueError(
            f"the mask leaves no two neighbouring blocks of {side} × {side} pixels of a map with {LEAST_OBSERVED:.0%} "
            "of their pixels; take fewer block sizes, or leave the map out"
        )
    return np.asarray(np.var(differences, axis=1, where=seen))
