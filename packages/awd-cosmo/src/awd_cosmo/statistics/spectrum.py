"""Angular power spectrum of maps in bins of multipole ℓ: the Gaussian baseline.

In the flat-sky limit, with κ̃ the discrete Fourier transform of a map of N pixels of solid angle Ω each, a mode with
frequency f cycles per radian belongs to ℓ = 2π|f|, and its power is C_ℓ = Ω |κ̃|² / N. A window w(y, x), from a mask
or an apodisation, multiplies the map after its weighted mean was taken off, and C_ℓ is divided by the mean of w²: right
for a spectrum that is smooth over the width of the window's own transform; the coupling of modes is not undone.
"""

import math
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from awd_core.checks import real_number, whole_number
from awd_core.typing import Array
from awd_cosmo.formats.pixel_scale import arcmin_per_pixel
from awd_cosmo.statistics.peaks import (
    BLOCK,
    Floats,
    Mask,
    checked_maps,
    checked_mask,
    for_each_block,
    refuse_not_finite,
    rows_of,
)
from awd_cosmo.statistics.statistic import Statistic

LEAST_OBSERVED = 0.2
"""Mean of w² below which a map is refused: most of its modes are then the window's."""


class PowerSpectrum(Statistic):
    """Mean power of a map's modes in bins of ℓ.

    Parameters
    ----------
    pixel_scale : float or astropy Quantity
        Arcmin per pixel, or an angle with its unit.
    bins : int
        Bins of equal width in log ℓ. A bin that holds no mode is joined to the one before.
    ell_range : (float, float), optional
        From the longest wave that fits a map's longer side to the shortest that the pixels resolve in both directions,
        by default.
    log : bool
        Whether the features are log10 C_ℓ rather than C_ℓ.
    apodise : float
        Width [arcmin] over which the window rises, as sin², from the mask's edges and the map's border; 0: no
        apodisation, and a mask cuts sharply.
    mask : array_like of bool, shape (ny, nx), optional
        True where the maps were observed. Values elsewhere are not looked at, and may be NaN.
    workers : int, optional
        Threads, over maps; as many as there are cores by default. The result does not depend on it.

    Attributes
    ----------
    edges_ : ndarray, shape (features + 1,)
        Of the bins, in ℓ.
    ell_ : ndarray, shape (features,)
        Mean ℓ of the modes in each bin.
    modes_ : ndarray, shape (features,)
        Number of modes in each bin, a pair of opposite ones counted as two.
    shape_ : ndarray, shape (2,)
        ny, nx of the maps.

    Examples
    --------
    >>> maps = np.random.default_rng(0).normal(0, 0.02, (4, 64, 64))
    >>> spectrum = PowerSpectrum(0.4, bins=8, log=False).fit(maps)
    >>> noise = 0.02**2 * math.radians(0.4 / 60) ** 2
    >>> bool(abs(spectrum.transform(maps)[:, -1].mean() / noise - 1) < 0.1)
    True
    """

    edges_: Array
    ell_: Array
    modes_: Array
    shape_: Array
    _learnt = ("edges_", "ell_", "modes_", "shape_")

    def __init__(
        self,
        pixel_scale: Any,
        *,
        bins: int = 20,
        ell_range: tuple[float, float] | None = None,
        log: bool = True,
        apodise: float = 0.0,
        mask: Any = None,
        workers: int | None = None,
    ) -> None:
        self.pixel_scale = pixel_scale
        self.bins = bins
        self.ell_range = ell_range
        self.log = log
        self.apodise = apodise
        self.mask = mask
        self.workers = workers

    def fit(self, X: Any, y: Any = None) -> Self:
        """Settle the bins from the shape of the maps; their values are not looked at.

        Raises
        ------
        ValueError
            If a parameter is not among those allowed, or no mode lies in the range.
        """
        shape = checked_maps(X).shape[1:]
        bins = whole_number("bins", self.bins)
        real_number("apodise", self.apodise, "a width in arcmin", least=0)
        ell = _multipoles(shape, self.pixel_scale)
        if self.ell_range is None:
            pixel = math.radians(arcmin_per_pixel(self.pixel_scale) / 60)
            # Widened by rounding's worth: the fundamental mode is in.
            low, high = 2 * math.pi / (max(shape) * pixel) * (1 - 1e-9), math.pi / pixel * (1 + 1e-9)
        else:
            low, high = map(float, self.ell_range)
            if not 0 < low < high < math.inf:
                raise ValueError(f"ell_range must be (low, high) with 0 < low < high, got {self.ell_range}")
        edges = np.geomspace(low, high, bins + 1)
        weights = _pairs(shape)
        modes, _ = np.histogram(ell, edges, weights=weights)
        if not modes.any():
            raise ValueError(
                f"no mode of maps of {shape[0]} × {shape[1]} pixels lies in ℓ from {low:.0f} to {high:.0f}; theirs go "
                f"from {ell[ell > 0].min():.0f} to {ell.max():.0f}"
            )
        keep = np.flatnonzero(modes)
        self.edges_ = np.append(edges[keep], edges[keep[-1] + 1])
        self.modes_ = modes[keep]
        self.ell_ = np.histogram(ell, edges, weights=weights * ell)[0][keep] / self.modes_
        self.shape_ = np.array(shape, dtype=np.float64)
        return self

    def transform(self, X: Any, mask: Any = None) -> Array:
        """Power spectra.

        Parameters
        ----------
        X : array_like, shape (n, ny, nx)
            Maps of the shape that `fit` saw.
        mask : array_like of bool, shape (ny, nx) or (n, ny, nx), optional
            In place of the parameter `mask`.

        Returns
        -------
        ndarray, shape (n, features)
            log10 C_ℓ, or C_ℓ [steradian].

        Raises
        ------
        ValueError
            If `fit` was not called, the shape is another one, an observed value is NaN or infinite, the window leaves
            too little of a map (mean of w² below 0.2), or a map has no power of which to take the logarithm.
        """
        self._check_fitted()
        maps = checked_maps(X)
        shape = maps.shape[1:]
        if tuple(shape) != tuple(self.shape_.astype(int)):
            raise ValueError(
                f"the maps have {shape[0]} × {shape[1]} pixels, those of fit had {self.shape_[0]:g} × "
                f"{self.shape_[1]:g}: their modes differ. Cut them to one size, or fit again"
            )
        observed = checked_mask(self.mask if mask is None else mask, maps.shape)
        arcmin = arcmin_per_pixel(self.pixel_scale)
        solid_angle = math.radians(arcmin / 60) ** 2
        window = self._window(observed, shape, arcmin)
        factor = _factor(window)

        ell = _multipoles(shape, self.pixel_scale)
        number = np.searchsorted(self.edges_, ell, side="right") - 1
        number[ell == self.edges_[-1]] -= 1
        inside = np.flatnonzero((number >= 0) & (number < len(self.ell_)))
        order = inside[np.argsort(number[inside], kind="stable")]
        starts = np.searchsorted(number[order], np.arange(len(self.ell_)))
        weights = _pairs(shape)[order]
        spectra = np.empty((maps.shape[0], len(self.ell_)))

        def measure(start: int, block: Floats) -> None:
            here = None if observed is None else rows_of(observed, start, len(block))
            refuse_not_finite(block, here, start)
            part = window if window is None or window.ndim == 2 else window[start : start + len(block)]
            waves = np.fft.rfft2(_windowed(block, part))
            power = (waves.real**2 + waves.imag**2).reshape(len(block), -1)[:, order] * weights
            scale = (
                solid_angle
                / math.prod(shape)
                / (factor if np.ndim(factor) == 0 else factor[start : start + len(block), None])
            )
            spectra[start : start + len(block)] = np.add.reduceat(power, starts, axis=1) / self.modes_ * scale

        for_each_block(maps, measure, self.workers, BLOCK // 2)
        if not self.log:
            return spectra
        if not (spectra > 0).all():
            raise ValueError(f"map {int(np.argwhere(spectra <= 0)[0, 0])} has no power in a bin of ℓ; take log=False")
        return np.log10(spectra)

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[np.object_]:
        """Names of the features: ranges of ℓ."""
        self._check_fitted()
        what = "log10 C" if self.log else "C"
        pairs = zip(self.edges_[:-1], self.edges_[1:], strict=True)
        return np.array([f"{what} ℓ {low:.0f}…{high:.0f}" for low, high in pairs], dtype=object)

    def _window(self, observed: Mask | None, shape: tuple[int, ...], arcmin: float) -> Array | None:
        steps = round(self.apodise / arcmin)
        if steps == 0:
            return None if observed is None else observed.astype(np.float64)
        return apodised(np.ones(shape, np.bool_) if observed is None else observed, steps)


def apodised(observed: Mask, steps: int) -> Array:
    """Window that rises from 0 outside to 1 inside, over some pixels, as sin².

    Parameters
    ----------
    observed : ndarray of bool, shape (…, ny, nx)
        True where observed; beyond the border nothing is.
    steps : int
        Pixels over which it rises.

    Returns
    -------
    ndarray, of that shape
        sin²(π/2 · d / (steps + 1)) at distance d from what was not observed, d ≤ steps + 1. Distances are counted in
        king's and rook's moves in turn, which makes octagons of circles (8 % off at most, for many steps).

    Examples
    --------
    >>> apodised(np.ones((5, 5), bool), 1)[2].round(2)
    array([0.5, 1. , 1. , 1. , 0.5])
    """
    left = np.pad(observed, [(0, 0)] * (observed.ndim - 2) + [(1, 1), (1, 1)])
    depth = np.zeros(observed.shape)
    inner = (..., slice(1, -1), slice(1, -1))
    for step in range(steps + 1):
        depth += left[inner]
        rows = left[..., :-2, :] & left[..., 1:-1, :] & left[..., 2:, :]
        if step % 2:
            kept = rows[..., :-2] & rows[..., 1:-1] & rows[..., 2:]
        else:
            kept = rows[..., 1:-1] & left[..., 1:-1, :-2] & left[..., 1:-1, 2:]
        left = np.zeros_like(left)
        left[inner] = kept
    window: Array = np.sin(np.pi / 2 * depth / (steps + 1)) ** 2
    return window


def _windowed(block: Floats, window: Array | None) -> Array:
    if window is None:
        centred: Array = block - block.mean(axis=(1, 2), keepdims=True, dtype=np.float64)
        return centred
    seen = np.where(window > 0, block, 0.0)
    mean = (seen * window).sum(axis=(1, 2)) / np.broadcast_to(window, block.shape).sum(axis=(1, 2))
    return np.where(window > 0, seen - mean[:, None, None], 0.0) * window


def _factor(window: Array | None) -> Any:
    """Mean of w², of each map or for all."""
    if window is None:
        return 1.0
    factor = np.mean(window**2, axis=(-2, -1))
    least = np.min(factor)
    if least < LEAST_OBSERVED:
        raise ValueError(
            f"mask and apodisation leave a mean w² of {least:.2g}, below {LEAST_OBSERVED}: too little for a spectrum "
            "without undoing the coupling of modes; apodise less, or leave such maps out"
        )
    return factor


def _multipoles(shape: tuple[int, ...], pixel_scale: Any) -> Array:
    """ℓ of the modes of a real transform, flat, shape (ny · (nx // 2 + 1),)."""
    pixel = math.radians(arcmin_per_pixel(pixel_scale) / 60)
    ny, nx = shape
    cycles: Array = np.hypot(np.fft.fftfreq(ny, pixel)[:, None], np.fft.rfftfreq(nx, pixel))
    return 2 * math.pi * cycles.ravel()


def _pairs(shape: tuple[int, ...]) -> Array:
    """How many modes each one of a real transform stands for, itself and its opposite, flat."""
    ny, nx = shape
    twice = np.full((ny, nx // 2 + 1), 2.0)
    twice[:, 0] = 1.0
    if nx % 2 == 0:
        twice[:, -1] = 1.0
    return twice.ravel()
