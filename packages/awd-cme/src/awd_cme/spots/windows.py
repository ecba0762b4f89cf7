"""Square windows of pixels around spots, many at a time, and who else lies in them."""

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from awd_core.checks import plain_array, real_array, real_number
from awd_core.typing import AnyArray, Array, Flags, Indices

SMALLEST_SIGMA, LARGEST_SIGMA = 0.5, 20.0
"""Widths that are taken, in pixels: a narrower spot has no shape between pixels, a wider one is no diffraction spot."""

BATCH = 512
"""Windows that are worked on at a time: 512 × 13² float64 stay in a second-level cache."""


def checked_image(image: npt.ArrayLike) -> AnyArray:
    """Return the image as an array, if it is one: two axes, at least one pixel, real numbers.

    Raises
    ------
    TypeError
        If its values are no real numbers.
    ValueError
        If it has not two axes, or no pixel.
    """
    pixels = plain_array(image, "an image")
    if pixels.dtype.kind not in "iuf":
        raise TypeError(f"an image must hold integers or floats, got values of the type {pixels.dtype}")
    if pixels.ndim != 2 or pixels.size == 0:
        raise ValueError(
            f"an image must have two axes (y, x) and a pixel at least, got the shape {pixels.shape}; "
            "take one frame of one channel of a movie"
        )
    return pixels


def checked_positions(y: npt.ArrayLike, x: npt.ArrayLike) -> tuple[Array, Array]:
    """Return the coordinates as float64, if they are two lists of the same length.

    Raises
    ------
    ValueError
        If they are not.
    """
    rows, columns = (real_array(given, name).astype(np.float64) for name, given in (("y", y), ("x", x)))
    if rows.ndim != 1 or rows.shape != columns.shape:
        raise ValueError(f"y and x must be lists of the same length, got the shapes {rows.shape} and {columns.shape}")
    return rows, columns


def checked_sigma(sigma: float) -> float:
    """Return the width of the spots, if it is one that pixels can show.

    Raises
    ------
    ValueError
        If it is not within 0.5 to 20 pixels.
    """
    what = "the standard deviation of a spot's Gaussian, which awd_cme.spots.estimate_sigma measures, in pixels"
    return real_number("sigma", sigma, what, least=SMALLEST_SIGMA, most=LARGEST_SIGMA)


def half_width(sigma: float) -> int:
    """Pixels from the middle of a spot's window to its border: 4σ, rounded up.

    Examples
    --------
    >>> half_width(1.5)
    6
    """
    return math.ceil(4 * sigma)


def inside(y: Array, x: Array, shape: tuple[int, ...]) -> Flags:
    """Which positions lie on a pixel of the image; NaN does not."""
    return (y >= -0.5) & (y < shape[0] - 0.5) & (x >= -0.5) & (x < shape[1] - 0.5)


def batches(spots: Indices, size: int = BATCH) -> Iterator[Indices]:
    """Parts of a list, in order."""
    for start in range(0, len(spots), size):
        yield spots[start : start + size]


def whole_windows(image: AnyArray, iy: Indices, ix: Indices, half: int) -> Array:
    """Windows that lie in the image altogether, shape (spots, side, side)."""
    side = 2 * half + 1
    return sliding_window_view(image, (side, side))[iy - half, ix - half].astype(np.float64)


def cut_windows(image: AnyArray, iy: Indices, ix: Indices, half: int) -> tuple[Array, Array]:
    """Windows that the image's border may cut, and 1 where a pixel is known, 0 where not; unknown pixels are 0."""
    steps = np.arange(-half, half + 1)
    rows, columns = iy[:, None] + steps, ix[:, None] + steps
    values = image[
        rows.clip(0, image.shape[0] - 1)[:, :, None], columns.clip(0, image.shape[1] - 1)[:, None, :]
    ].astype(np.float64)
    known = ((rows >= 0) & (rows < image.shape[0]))[:, :, None] & ((columns >= 0) & (columns < image.shape[1]))[:, None]
    known &= np.isfinite(values)
    return np.where(known, values, 0.0), known.astype(np.float64)


def profile(offset: Array, half: int, sigma: float) -> Array:
    """Gaussian of height 1 along one axis of a window, shape (…, side).

    Parameters
    ----------
    offset : ndarray, shape (…)
        Of the Gaussian's centre from the window's middle pixel.
    half : int
        As `half_width`.
    sigma : float
        Standard deviation in pixels.
    """
    steps = np.arange(-half, half + 1, dtype=np.float64)
    return np.asarray(np.exp((steps - offset[..., None]) ** 2 * (-0.5 / sigma**2)))


def close_pairs(y: Array, x: Array, distance: float, *, square: bool = False) -> Indices:
    """Pairs of spots nearer to each other than a distance, both ways round, sorted, shape (pairs, 2).

    Parameters
    ----------
    y, x : ndarray, shape (spots,)
        Finite positions in pixels.
    distance : float
        In pixels.
    square : bool
        Whether the larger of |Δy| and |Δx| counts, instead of the length.
    """
    from scipy.spatial import cKDTree

    if len(y) < 2:
        return np.empty((0, 2), dtype=np.intp)
    # Trees that are neither balanced nor compact are made in a fraction of the time, and asked once.
    tree = cKDTree(np.column_stack([y, x]), balanced_tree=False, compact_nodes=False)
    pairs = tree.query_pairs(distance, p=np.inf if square else 2.0, output_type="ndarray")
    both = np.concatenate([pairs, pairs[:, ::-1]])
    return np.asarray(both[np.lexsort(both.T[::-1])], dtype=np.intp)


def by_count(pairs: Indices, spots: Indices) -> Iterator[tuple[Indices, Indices]]:
    """Spots with equally many neighbours together, and these: shapes (spots,) and (spots, neighbours).

    Parameters
    ----------
    pairs : ndarray, shape (pairs, 2)
        As `close_pairs` returns them.
    spots : ndarray
        Which spots are asked for.
    """
    first = np.searchsorted(pairs[:, 0], spots)
    count = np.searchsorted(pairs[:, 0], spots, side="right") - first
    for number in np.unique(count):
        chosen = count == number
        yield spots[chosen], pairs[first[chosen][:, None] + np.arange(number), 1]
