"""Raw sums of light around spots: the plain alternative to a fit, without a model of their shape.

The sum over a disc, less the disc's area times the background of a ring around it. Of a pixel that the disc's border
crosses, the share r + ½ − d counts, d being the distance of its centre: the area by which a straight border would cut
it. Otherwise a sum would jump as a spot moves between pixels.
"""

from dataclasses import dataclass, fields
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from awd_cme.spots.windows import batches, checked_image, checked_positions, cut_windows, inside
from awd_core.checks import check_choice, is_real_number, real_number
from awd_core.typing import Array, Flags, Rows

Background = Literal["median", "mean"]
FEWEST_PIXELS = 10
"""Pixels of the ring below which nothing is said of the background."""


@dataclass(frozen=True)
class ApertureSums:
    """What was found at each of n places; NaN where the disc is not in the image, or too little of the ring is.

    Attributes
    ----------
    total : ndarray, shape (n,)
        Sum over the disc, in counts.
    net, net_error : ndarray, shape (n,)
        The same less the background, and its standard error.
    background, background_error : ndarray, shape (n,)
        Counts a pixel in the ring, and its standard error.
    p : ndarray, shape (n,)
        One-sided p-value of net > 0: Student's t with as many degrees of freedom as the ring has pixels, less one.
    area : ndarray, shape (n,)
        Of the disc, in pixels.
    """

    total: Array
    net: Array
    net_error: Array
    background: Array
    background_error: Array
    p: Array
    area: Array


def aperture_sums(
    image: npt.ArrayLike,
    y: npt.ArrayLike,
    x: npt.ArrayLike,
    *,
    radius: float,
    inner: float,
    outer: float,
    background: Background = "median",
    gain: float = 0.0,
) -> ApertureSums:
    """Sum of the counts in a disc around each place, less the background of a ring.

    Parameters
    ----------
    image : array_like, shape (height, width)
        Counts, of any integer or float type. Pixels of the ring that are not finite are left out.
    y, x : array_like, shape (n,)
        Places in pixels, pixel centres at integers from 0.
    radius, inner, outer : float
        Of the disc and of the ring, in pixels: 0.5 ≤ radius ≤ inner < outer. Of a Gaussian spot a disc of 2σ holds
        86 %, one of 3σ 99 %.
    background : {"median", "mean"}
        What stands for the ring. The median bears neighbours in the ring; its variance is π/2 that of the mean.
    gain : float
        Counts for one detected photon: not 0, the shot noise of the net sum is added to its error. The p-value, which
        asks whether there is anything, leaves it out.

    Returns
    -------
    ApertureSums
        One sum for each place, in their order.

    Raises
    ------
    TypeError
        If the image holds no real numbers.
    ValueError
        If it is no image, if y and x differ in length, or the radii are not in order.

    Examples
    --------
    >>> image = np.full((15, 15), 100)
    >>> image[7, 7] = 150
    >>> sums = aperture_sums(image, [7.0], [7.0], radius=2, inner=3, outer=6)
    >>> sums.background.tolist(), sums.net.round(9).tolist()
    ([100.0], [50.0])
    """
    from scipy.special import stdtr

    pixels = checked_image(image)
    rows, columns = checked_positions(y, x)
    if not all(map(is_real_number, (radius, inner, outer))) or not 0.5 <= radius <= inner < outer:
        raise ValueError(f"radii must be 0.5 ≤ radius ≤ inner < outer, got {radius!r}, {inner!r} and {outer!r} pixels")
    gain = real_number("gain", gain, "counts per photon (0 leaves shot noise out)", least=0)
    check_choice("background", background, get_args(Background), required=True)
    result = ApertureSums(*np.full((len(fields(ApertureSums)), len(rows)), np.nan))
    half = int(np.ceil(outer))
    steps = np.arange(-half, half + 1)
    for places in batches(np.flatnonzero(inside(rows, columns, pixels.shape))):
        iy, ix = np.rint(rows[places]).astype(np.intp), np.rint(columns[places]).astype(np.intp)
        values, known = cut_windows(pixels, iy, ix, half)
        dy, dx = steps - (rows[places] - iy)[:, None], steps - (columns[places] - ix)[:, None]
        away = np.sqrt(dy[:, :, None] ** 2 + dx[:, None, :] ** 2)
        disc = np.clip(radius + 0.5 - away, 0.0, 1.0)
        ring = (away > inner) & (away <= outer) & (known > 0)
        level, variance, count = _of_ring(values, ring, background)
        area = disc.sum(axis=(1, 2))
        total = np.einsum("nyx,nyx->n", disc, values)
        net = total - area * level
        of_level = variance / np.maximum(count, 1) * (np.pi / 2 if background == "median" else 1.0)
        of_net = variance * np.einsum("nyx,nyx->n", disc, disc) + area**2 * of_level
        with np.errstate(divide="ignore", invalid="ignore"):
            p = stdtr(np.maximum(count - 1.0, 1.0), -net / np.sqrt(of_net))
        error = np.sqrt(of_net + gain * np.maximum(net, 0.0))
        sound = (count >= FEWEST_PIXELS) & ~((disc > 0) & (known == 0)).any(axis=(1, 2))
        found = (total, net, error, level, np.sqrt(of_level), p, area)
        for field, numbers in zip(fields(ApertureSums), found, strict=True):
            getattr(result, field.name)[places] = np.where(sound, numbers, np.nan)
    return result


def _of_ring(values: Array, ring: Flags, background: Background) -> tuple[Array, Array, Rows]:
    """Level and variance of the pixels in the ring, and how many they are."""
    spots = len(values)
    count = ring.sum(axis=(1, 2))
    some = np.maximum(count, 1)
    mean = np.where(ring, values, 0.0).sum(axis=(1, 2)) / some
    squares = (np.where(ring, values - mean[:, None, None], 0.0) ** 2).sum(axis=(1, 2))
    variance = squares / np.maximum(count - 1, 1)
    if background == "mean":
        return mean, variance, count
    ordered = np.sort(np.where(ring, values, np.inf).reshape(spots, -1), axis=1)
    every = np.arange(spots)
    level = (ordered[every, (some - 1) // 2] + ordered[every, some // 2]) / 2
    return np.where(count > 0, level, np.nan), variance, count
