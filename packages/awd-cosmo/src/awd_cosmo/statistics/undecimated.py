"""The undecimated (stationary, à trous) transform of a wavelet: every level at every pixel of the map.

Level j filters the approximation of level j − 1 with the wavelet's taps spread 2^(j−1) pixels apart (Shensa 1992, "The
discrete wavelet transform: wedding the à trous and Mallat algorithms"; Nason and Silverman 1995). Bands are named as in
PyWavelets: approximation `a`, details horizontal `h` (high-pass along y), vertical `v` (along x), diagonal `d`, then
the level. Both filters are divided by √2 in each direction, so that an approximation is a weighted mean of κ, and

    Σ κ² = Σ_j (Σ h_j² + Σ v_j² + Σ d_j²) + Σ a_J²

for orthonormal taps and periodic boundaries: a tight frame (`pywt.swt2` with `norm=True`, and its alignment of bands).

Why it is fast. Maps are filtered along their rows' axis alone, where a shift is an offset into contiguous memory, and
turned over in between; what comes out of a level stays turned over, and the next level begins with the other axis.
"""

import math
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import numpy as np

from awd_core.checks import check_choice, whole_number
from awd_core.typing import Array
from awd_cosmo.formats.pixel_scale import arcmin_per_pixel
from awd_cosmo.statistics.kernels import correlation_pair
from awd_cosmo.statistics.peaks import Floats, checked_maps

Boundary = Literal["symmetric", "periodic"]
BOUNDARIES = ("symmetric", "periodic")

RESOLUTION = 256
"""Frequencies between 0 and one half per pixel, in each direction, at which the scales of bands are found."""


class Band(NamedTuple):
    """One band of some maps.

    Parameters
    ----------
    name : str
        Such as "h2".
    values : ndarray, shape (m, ny, nx), or (m, nx, ny) if turned
        The band, contiguous.
    turned : bool
        Whether its axes are exchanged.
    """

    name: str
    values: Floats
    turned: bool


class BandScale(NamedTuple):
    """Wavelengths that a band passes, weighted by what it passes of white noise.

    Parameters
    ----------
    band : str
        Its name.
    arcmin : float
        Median wavelength [arcmin].
    shortest, longest : float
        Between them lie the central 68 % [arcmin].
    ell : float
        Multipole of the median wavelength, ℓ = 2π/λ (λ in radians).
    """

    band: str
    arcmin: float
    shortest: float
    longest: float
    ell: float


def undecimated(maps: Any, wavelet: Any, levels: int, *, boundary: Boundary = "symmetric") -> dict[str, Floats]:
    """Transform maps.

    Parameters
    ----------
    maps : array_like, shape (n, ny, nx)
        Convergence κ.
    wavelet : Wavelet, str, pywt.Wavelet or array_like of shape (L,)
        Orthogonal wavelet, or its low-pass taps.
    levels : int
        Number of levels J.
    boundary : {"symmetric", "periodic"}
        How maps go on beyond their border: mirrored at it, or from the other side.

    Returns
    -------
    dict of str to ndarray, shape (n, ny, nx)
        "a1", "h1", "v1", "d1", "a2", …: float32 for float32 maps, else float64. A level's approximation is what the
        next level was made of: only the last one belongs to the frame.

    Raises
    ------
    ValueError
        If the levels are too many for the maps (2^J pixels must fit), or an argument is not among those allowed.

    Examples
    --------
    >>> kappa = np.random.default_rng(0).normal(size=(1, 8, 8))
    >>> bands = undecimated(kappa, "db2", 1, boundary="periodic")
    >>> bool(np.isclose(sum((band**2).sum() for band in bands.values()), (kappa**2).sum()))
    True
    """
    stack = np.asarray(checked_maps(maps))
    check_choice("boundary", boundary, BOUNDARIES, required=True)
    check_levels(levels, stack.shape)
    block: Floats = np.ascontiguousarray(stack, dtype=np.float32 if stack.dtype == np.float32 else np.float64)
    low, high = frame_filters(wavelet)
    return {
        band.name: band.values.swapaxes(1, 2) if band.turned else band.values
        for band in wavelet_bands(block, low, high, levels, boundary)
    }


def wavelet_bands(block: Floats, low: Array, high: Array, levels: int, boundary: Boundary) -> Iterator[Band]:
    """Bands of a block of maps, one after the other, in the order of `undecimated`.

    Parameters
    ----------
    block : ndarray, shape (m, ny, nx)
        Contiguous.
    low, high : ndarray, shape (L,)
        From `frame_filters`.
    levels, boundary
        As for `undecimated`.
    """
    current, turned = block, False
    before = len(low) // 2 - 1
    for level in range(1, levels + 1):
        step = 1 << (level - 1)
        one = filtered(current, (low, high), step, before, boundary)
        smooth, across = (np.ascontiguousarray(part.swapaxes(1, 2)) for part in one)
        aa, ad = filtered(smooth, (low, high), step, before, boundary)
        da, dd = filtered(across, (low, high), step, before, boundary)
        # `da` is high-pass along the axis that came first: y where the level began with maps as they are.
        horizontal, vertical = (ad, da) if turned else (da, ad)
        turned = not turned
        for letter, values in zip("ahvd", (aa, horizontal, vertical, dd), strict=True):
            yield Band(f"{letter}{level}", values, turned)
        current = aa


def filtered(
    block: Floats, filters: tuple[Array, ...], step: int, before: int, boundary: Boundary
) -> tuple[Floats, ...]:
    """Correlate maps with filters along axis 1, taps `step` pixels apart.

    Parameters
    ----------
    block : ndarray, shape (m, rows, columns)
        Maps.
    filters : tuple of ndarray, shape (L,)
        Taps.
    step : int
        Distance of neighbouring taps, in pixels.
    before : int
        Taps before the one that stands on the pixel itself.
    boundary : {"symmetric", "periodic"}
        As for `undecimated`.

    Returns
    -------
    tuple of ndarray, of the maps' shape
        Σ_k taps[k] block[:, y + step · (k − before)], one for each filter. The sum goes tap after tap: a map's values
        do not depend on the maps beside it.
    """
    rows, length = block.shape[1], len(filters[0])
    places = np.arange(-before * step, rows + (length - 1 - before) * step)
    if boundary == "periodic":
        places %= rows
    else:
        places %= 2 * rows
        places = np.minimum(places, 2 * rows - 1 - places)
    extended = np.take(block, places, axis=1)
    term = np.empty_like(block)
    results = []
    for taps in filters:
        weights = taps.tolist()
        total = extended[:, :rows] * weights[0]
        for k in range(1, length):
            np.multiply(extended[:, k * step : k * step + rows], weights[k], out=term)
            total += term
        results.append(total)
    return tuple(results)


def frame_filters(wavelet: Any) -> tuple[Array, Array]:
    """Low- and high-pass filter over √2, in the order of a correlation."""
    low, high = correlation_pair(wavelet)
    return low / math.sqrt(2), high / math.sqrt(2)


def check_levels(levels: object, shape: tuple[int, ...]) -> None:
    """Raise if the levels are no number of levels, or too many for maps (n, ny, nx)."""
    most = int(math.log2(max(1, min(shape[-2:]))))
    if whole_number("levels", levels) > most:
        raise ValueError(f"{levels} levels are too many for maps of {shape[-2]} × {shape[-1]}: {most} at most")


def equivalent_filters(low: Array, high: Array, levels: int) -> list[tuple[Array, Array]]:
    """For each level, the one low-pass and the one high-pass filter that do in one step what the levels do in turn.

    Returns
    -------
    list of (ndarray, ndarray), shape ((L − 1)(2^j − 1) + 1,) at level j
        With (2^j − 1) times as many taps before the pixel itself as the wavelet's filters have.
    """
    found, smooth = [], np.ones(1)
    for level in range(levels):
        spread = np.zeros((2, (len(low) - 1) * (1 << level) + 1))
        spread[0, :: 1 << level], spread[1, :: 1 << level] = low, high
        found.append((np.convolve(smooth, spread[0]), np.convolve(smooth, spread[1])))
        smooth = found[-1][0]
    return found


def wavelet_scales(wavelet: Any, levels: int, pixel_scale: Any) -> list[BandScale]:
    """Scales of the raw map and of all bands, on the sky.

    Parameters
    ----------
    wavelet, levels
        As for `undecimated`.
    pixel_scale : float or astropy Quantity
        Arcmin per pixel, or an angle with its unit.

    Returns
    -------
    list of BandScale
        First "raw", then the bands in the order of `undecimated`.

    Examples
    --------
    >>> scale = wavelet_scales("db5", 2, 0.4)[5]
    >>> scale.band, round(scale.arcmin, 2)
    ('a2', 3.96)
    """
    check_levels(levels, (1 << 30, 1 << 30))
    arcmin = arcmin_per_pixel(pixel_scale)
    low, high = frame_filters(wavelet)
    scales = [_scale("raw", np.ones(RESOLUTION), np.ones(RESOLUTION), arcmin)]
    for level, (smooth, detail) in enumerate(equivalent_filters(low, high, levels), start=1):
        a, d = power_passed(smooth), power_passed(detail)
        for letter, along_y, along_x in (("a", a, a), ("h", d, a), ("v", a, d), ("d", d, d)):
            scales.append(_scale(f"{letter}{level}", along_y, along_x, arcmin))
    return scales


def power_passed(taps: Array) -> Array:
    """|Σ_k taps[k] exp(−iωk)|² at `RESOLUTION` frequencies between 0 and π."""
    omega = np.pi * (np.arange(RESOLUTION) + 0.5) / RESOLUTION
    response = np.exp(-1j * np.outer(omega, np.arange(len(taps)))) @ taps
    power: Array = response.real**2 + response.imag**2
    return power


def scale_of(name: str, power: Array, arcmin: float) -> BandScale:
    """Scale of a band from the power that it passes, (`RESOLUTION`, `RESOLUTION`) over the frequencies in y and x."""
    cycles = (np.arange(RESOLUTION) + 0.5) / (2 * RESOLUTION * arcmin)  # per arcmin
    frequency = np.hypot(cycles[:, None], cycles[None, :]).ravel()
    order = np.argsort(frequency)
    share = np.cumsum(power.ravel()[order])
    low, middle, high = frequency[order][np.searchsorted(share, share[-1] * np.array([0.16, 0.5, 0.84]))]
    ell = 2 * math.pi * float(middle) / math.radians(1 / 60)
    return BandScale(name, float(1 / middle), float(1 / high), float(1 / low), ell)


def _scale(name: str, along_y: Array, along_x: Array, arcmin: float) -> BandScale:
    return scale_of(name, np.outer(along_y, along_x), arcmin)
