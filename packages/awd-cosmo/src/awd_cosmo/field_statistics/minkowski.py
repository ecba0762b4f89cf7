r"""Minkowski functionals of the parts of a map above thresholds: their area, the length of their edge, their number.

Per unit of area, and with u the map (Schmalzing and Górski 1998; on convergence Kratochvil et al. 2012, "Probing
cosmology with weak lensing Minkowski functionals"):

    V0(ν) = ⟨Θ(u − ν)⟩
    V1(ν) = ¼ ⟨δ(u − ν) |∇u|⟩
    V2(ν) = 1/2π ⟨δ(u − ν) (2 u_x u_y u_xy − u_x² u_yy − u_y² u_xx) / |∇u|²⟩

V2 is the Euler characteristic, parts less holes. δ is a bin about ν over its width. Derivatives are central differences
on the pixel grid, in units of one over a pixel's side. For a Gaussian field that is alike in all pixels and in both
directions the expectations are exact with them, if the variances are those of the differences (`gaussian_functionals`).
"""

import math
from typing import Any, Self

import numpy as np

from awd_core.checks import whole_number
from awd_core.typing import Array
from awd_cosmo.field_statistics.field import FieldStatistic, limits_of
from awd_cosmo.statistics.histograms import FIT_VALUES
from awd_cosmo.statistics.peaks import Floats, Mask, usable_pixels

TAIL = 0.002
"""Share of the training values beyond either of the outermost thresholds."""


class MinkowskiFunctionals(FieldStatistic):
    """V0, V1 and V2 at thresholds, over all pixels whose eight neighbours were observed too.

    Parameters
    ----------
    thresholds : int
        Number of thresholds, evenly spaced.
    limits : (float, float), optional
        The first and the last threshold; the quantiles 0.002 and 0.998 of training maps by default. In units of the
        maps, or of their noise.
    noise, mask, workers
        As for `awd_cosmo.field_statistics.PixelDistribution`.

    Attributes
    ----------
    thresholds_ : ndarray, shape (thresholds,)
        ν, in units of the maps or of their noise.
    names_ : list of str
        Of the features: V0 at all thresholds, then V1, then V2.

    Examples
    --------
    >>> maps = np.random.default_rng(0).normal(0, 0.02, (4, 64, 64))
    >>> area, edge, euler = MinkowskiFunctionals(5).fit_transform(maps).mean(axis=0).reshape(3, 5)
    >>> bool(euler[0] < 0 < euler[-1])  # holes in what is above a low threshold, lone parts above a high one
    True
    """

    thresholds: int
    limits: Any
    thresholds_: Array
    _learnt = ("thresholds_", "names_")

    def __init__(
        self, thresholds: int = 12, *, limits: Any = None, noise: Any = None, mask: Any = None,
        workers: int | None = None,
    ) -> None:  # fmt: skip
        self._keep(locals())

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the thresholds from training maps (n, ny, nx).

        Raises
        ------
        ValueError
            If a parameter is not among those allowed, or the maps are too small or do not vary.
        """
        count = whole_number("thresholds", self.thresholds, 2)
        sample, observed = self._sample(X)
        self._check_shape(sample.shape)
        values = sample.ravel() if observed is None else sample[observed]
        low, high = limits_of(self.limits, values[:: 1 + len(values) // FIT_VALUES], TAIL)
        self.thresholds_ = np.linspace(low, high, count)
        self.names_ = [f"V{k} at {level:.4g}" for k in range(3) for level in self.thresholds_]
        return self

    def _check_shape(self, shape: tuple[int, ...]) -> None:
        if min(shape[-2:]) < 3:
            raise ValueError(
                f"maps of {shape[-2]} × {shape[-1]} pixels have none with eight neighbours; give 3 × 3 or more"
            )

    def _numbers(self, block: Floats, observed: Mask | None) -> Array:
        u = block.astype(np.float64)
        usable = np.broadcast_to(usable_pixels(u.shape, observed), u.shape)[:, 1:-1, 1:-1]
        pixels = usable.sum(axis=(1, 2))
        if not pixels.all():
            raise ValueError("the mask leaves no pixel of a map its eight neighbours; leave the map out")
        m, count = len(u), len(self.thresholds_)
        width = self.thresholds_[1] - self.thresholds_[0]
        level = u[:, 1:-1, 1:-1]
        slope, turning = _edge_and_curvature(u)
        bin_ = np.floor((level - self.thresholds_[0]) / width + 0.5)
        inside = usable & (bin_ >= 0) & (bin_ < count)
        flat = (np.where(inside, bin_, 0).astype(np.int64) + count * np.arange(m)[:, None, None])[inside]

        def by_level(values: Array) -> Array:
            sums = np.bincount(flat, values[inside], m * count).reshape(m, count)
            return np.asarray(sums / (width * pixels[:, None]))

        # Above a threshold lie the pixels of all bins between thresholds that follow it.
        step = np.clip(np.searchsorted(self.thresholds_, level, side="left"), 0, count)
        place = (step + (count + 1) * np.arange(m)[:, None, None])[usable]
        between = np.bincount(place, minlength=m * (count + 1)).reshape(m, count + 1)
        area = between[:, ::-1].cumsum(axis=1)[:, ::-1][:, 1:] / pixels[:, None]
        return np.hstack([area, by_level(slope) / 4, by_level(turning) / (2 * math.pi)])


def gaussian_functionals(
    thresholds: Array, mean: float, variance: float, gradient: float, curvature: float, width: float = 0.0
) -> Array:
    """Expectations of V0, V1 and V2 of a Gaussian field on a grid, shape (3, thresholds).

    Parameters
    ----------
    thresholds : ndarray, shape (T,)
        ν.
    mean, variance : float
        Of the field.
    gradient : float
        Variance of the central difference in one direction, the same in both.
    curvature : float
        Minus the covariance of the field and its second difference in one direction.
    width : float
        Of the bins that stand for δ; 0 for δ itself.

    Notes
    -----
    Differences of the first order are independent of the field and of those of the second, by symmetry. Hence
    E|∇u| = √(π/2) σ₁ with σ₁² the gradient's variance in one direction, and E[V2 | u] = (u − mean) c / (2π σ²) with c
    the curvature, for E[u_x²/|∇u|²] = ½.

    Examples
    --------
    >>> gaussian_functionals(np.array([0.0]), 0.0, 1.0, 1.0, 1.0).round(4).ravel()
    array([0.5  , 0.125, 0.   ])
    """
    sigma = math.sqrt(variance)
    x = (np.asarray(thresholds, dtype=np.float64) - mean) / sigma
    half = width / (2 * sigma)
    above = np.array([0.5 * math.erfc(one / math.sqrt(2)) for one in x])
    if half > 0:
        normal = [math.erf((one + half) / math.sqrt(2)) - math.erf((one - half) / math.sqrt(2)) for one in x]
        density = np.array(normal) / (2 * width)
        moment = (_normal(x - half) - _normal(x + half)) / width
    else:
        density, moment = _normal(x) / sigma, x * _normal(x) / sigma
    return np.array([
        above, math.sqrt(math.pi * gradient / 2) / 4 * density, curvature / (2 * math.pi * sigma) * moment,
    ])  # fmt: skip


def _normal(x: Array) -> Array:
    density: Array = np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
    return density


def _edge_and_curvature(u: Array) -> tuple[Array, Array]:
    """|∇u| and the curvature of its level lines times it, of all pixels (m, ny − 2, nx − 2) with eight neighbours."""
    middle = u[:, 1:-1, 1:-1]
    above, below, right, left = u[:, 2:, 1:-1], u[:, :-2, 1:-1], u[:, 1:-1, 2:], u[:, 1:-1, :-2]
    ux, uy = (right - left) / 2, (above - below) / 2
    uxx, uyy = right - 2 * middle + left, above - 2 * middle + below
    uxy = (u[:, 2:, 2:] - u[:, 2:, :-2] - u[:, :-2, 2:] + u[:, :-2, :-2]) / 4
    squared = ux**2 + uy**2
    turning = 2 * ux * uy * uxy - ux**2 * uyy - uy**2 * uxx
    return np.sqrt(squared), np.divide(turning, squared, out=np.zeros_like(squared), where=squared > 0)
