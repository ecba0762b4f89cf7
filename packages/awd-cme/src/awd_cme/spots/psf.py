"""The image of a point: a Gaussian sampled at the centres of pixels.

The one convention of this package, for drawing and for fitting: a spot of amplitude A at (y₀, x₀) adds

    A · exp(−((y − y₀)² + (x − x₀)²) / 2σ²)

to the pixel whose centre is (y, x). A is the height of the peak above the background, in counts, and σ the standard
deviation in pixels. It is the model of cmeAnalysis (Aguet, Antonescu, Mettlen, Schmid, Danuser 2013, "Advances in
analysis of low signal-to-noise images link dynamin and AP2 to the functions of an endocytic checkpoint", Dev. Cell 26;
`fitGaussians2D`). A real camera integrates over the pixel: that is the same to first order with σ² larger by 1/12.
The sum over all pixels is 2πσ²A, wherever in its pixel the spot lies: to 2e-5 for σ ≥ 0.8 px, and as drawn here, cut
off at 4σ, to 2e-4.
"""

import math

import numpy as np
import numpy.typing as npt

from awd_core.checks import real_number
from awd_core.typing import Array, Rows

REACH = 4.0
"""How far a spot is drawn, in σ: beyond, it is below A · exp(−8) = 0.00034 A."""

_CHUNK = 4096


def reach_in_pixels(sigma: float) -> int:
    """Half width of a spot's window, ⌈4σ⌉ pixels around the pixel that the spot is in."""
    return math.ceil(REACH * _checked(sigma))


def spot_sum(amplitude: npt.ArrayLike, sigma: float) -> Array:
    """Counts of a whole spot above the background, 2πσ²A.

    Parameters
    ----------
    amplitude : array_like
        Height of the peak in counts.
    sigma : float
        Standard deviation in pixels.

    Returns
    -------
    ndarray, shape of `amplitude`
        Counts.

    Examples
    --------
    >>> float(spot_sum(100.0, 1.4).round())
    1232.0
    """
    return np.asarray(2 * math.pi * _checked(sigma) ** 2 * np.asarray(amplitude, dtype=np.float64))


def add_spots(image: Array, y: npt.ArrayLike, x: npt.ArrayLike, amplitude: npt.ArrayLike, sigma: float) -> None:
    """Draw spots into an image, in place.

    Parameters
    ----------
    image : ndarray, shape (h, w), float64, C order
        What the spots are added to.
    y, x : array_like, shape (n,)
        Positions in pixels, pixel centres at integers from 0; any finite numbers. What lies outside the image is
        cut off.
    amplitude : array_like, shape (n,)
        Heights of the peaks.
    sigma : float
        Standard deviation in pixels.

    Raises
    ------
    ValueError
        If the image is of another kind, positions or amplitudes are not finite, or their numbers differ.

    Examples
    --------
    >>> image = np.zeros((9, 9))
    >>> add_spots(image, [4.0], [3.0], [10.0], sigma=1.0)
    >>> float(image[4, 3]), float(image[4, 4].round(3))
    (10.0, 6.065)
    """
    if image.ndim != 2 or image.dtype != np.float64 or not image.flags.c_contiguous:
        raise ValueError(
            f"the image must be a float64 array (h, w) in C order to be drawn into, got {image.dtype} of the shape "
            f"{image.shape}; make one with numpy.zeros((h, w))"
        )
    places = [np.atleast_1d(np.asarray(values, dtype=np.float64)) for values in (y, x, amplitude)]
    if len({len(values) for values in places}) > 1 or any(values.ndim != 1 for values in places):
        raise ValueError(f"y, x and amplitude must be of one length, got the shapes {[v.shape for v in places]}")
    for name, values in zip(("y", "x", "amplitude"), places, strict=True):
        if not np.isfinite(values).all():
            raise ValueError(f"{name} must be finite, got {values[~np.isfinite(values)][0]}; leave such spots out")
    half = reach_in_pixels(sigma)
    for start in range(0, len(places[0]), _CHUNK):
        part = slice(start, start + _CHUNK)
        _add(image, places[0][part], places[1][part], places[2][part], sigma, half)


def _add(image: Array, y: Array, x: Array, amplitude: Array, sigma: float, half: int) -> None:
    height, width = image.shape
    near = (amplitude != 0) & (y > -half - 1) & (y < height + half) & (x > -half - 1) & (x < width + half)
    if not near.any():
        return
    rows, along_y = _profile(y[near], height, sigma, half)
    columns, along_x = _profile(x[near], width, sigma, half)
    values = (along_y * amplitude[near, None])[:, :, None] * along_x[:, None, :]
    places = rows[:, :, None] * width + columns[:, None, :]
    image += np.bincount(places.ravel(), values.ravel(), minlength=image.size).reshape(image.shape)


def _profile(centre: Array, size: int, sigma: float, half: int) -> tuple[Rows, Array]:
    """Pixels of the windows along one axis, and the Gaussian there; what is outside adds zero to the edge."""
    pixels = np.rint(centre).astype(np.int64)[:, None] + np.arange(-half, half + 1)
    values = np.exp(-0.5 * ((pixels - centre[:, None]) / sigma) ** 2)
    values[(pixels < 0) | (pixels >= size)] = 0.0
    return np.clip(pixels, 0, size - 1), values


def _checked(sigma: float) -> float:
    return real_number("sigma", sigma, "the standard deviation of the spots in pixels", above=0)
