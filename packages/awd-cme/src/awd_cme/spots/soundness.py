"""Whether an image can be measured in: empty frames, pixels that are not known, and those that are saturated."""

import numpy as np

from awd_core.typing import AnyArray, Array, Flags

TOPS = tuple(2**bits - 1 for bits in (8, 10, 11, 12, 14, 16))
"""Largest values of cameras, of which files of 16 bits hold any."""
FEWEST = 2
"""Pixels of the largest value that are needed where the type could hold larger ones."""


def is_empty(image: AnyArray) -> bool:
    """Whether an image is all of one value, such as a frame that was dropped, or holds no number at all.

    Examples
    --------
    >>> is_empty(np.zeros((4, 4))), is_empty(np.full((4, 4), np.nan)), is_empty(np.eye(4))
    (True, True, False)
    """
    flat = image.ravel()
    if flat[0] != flat[-1]:
        return bool(image.dtype.kind == "f" and not np.isfinite(image).any())
    if image.dtype.kind == "f":
        known = image[np.isfinite(image)]
        return not known.size or bool(known.min() == known.max())
    return bool(image.min() == image.max())


def without_holes(image: AnyArray) -> AnyArray:
    """An image whose unknown pixels, if there are any, have the median of all: no spot is found in them.

    Examples
    --------
    >>> without_holes(np.array([[1.0, np.nan], [2.0, 3.0]])).tolist()
    [[1.0, 2.0], [2.0, 3.0]]
    """
    if image.dtype.kind != "f" or (known := np.isfinite(image)).all():
        return image
    return np.where(known, image, np.median(image[known]) if known.any() else 0).astype(image.dtype)


def at_top(image: AnyArray, y: Array, x: Array, sigma: float) -> Flags:
    """Whether pixels within σ of each place have the largest value that the camera gives, shape (n,).

    Parameters
    ----------
    image : ndarray, shape (height, width)
        Counts; of floats nothing is known.
    y, x : ndarray, shape (n,)
        Places in pixels.
    sigma : float
        Width of the spots in pixels.

    Examples
    --------
    >>> image = np.full((9, 9), 100, np.uint16)
    >>> image[3:5, 4] = 4095
    >>> at_top(image, np.array([3.2, 8.0]), np.array([4.1, 8.0]), 1.4).tolist()
    [True, False]
    """
    found = np.zeros(len(y), dtype=bool)
    if image.dtype.kind not in "iu" or not len(y):
        return found
    top = int(image.max())
    if top not in (*TOPS, np.iinfo(image.dtype).max):
        return found
    full = image == top
    if top < np.iinfo(image.dtype).max and np.count_nonzero(full) < FEWEST:
        return found
    reach = int(np.ceil(sigma))
    inside = np.isfinite(y) & np.isfinite(x)
    iy, ix = (np.rint(np.where(inside, places, -9 - reach)).astype(int) for places in (y, x))
    for dy in range(-reach, reach + 1):
        for dx in range(-reach, reach + 1):
            at, beside = iy + dy, ix + dx
            there = (at >= 0) & (at < image.shape[0]) & (beside >= 0) & (beside < image.shape[1])
            found[there] |= full[at[there], beside[there]]
    return found
