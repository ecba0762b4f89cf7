"""A map brought to another pixel scale: each new pixel is the mean of the old ones by the area that they share.

The kernel is the new pixel itself, a square. It keeps the mean of κ, whatever the ratio of the scales, and with a whole
ratio it is a mean over blocks. With another, neighbours share pixels, so that noise is correlated between them.
"""

import numpy as np

from awd_core.typing import Array

FINER = 1.25
"""New pixels may be finer than the old ones by this factor: beyond, the scales that a model counts are not there."""
SEEN = 0.5
"""Share of a new pixel that must have been observed."""


def regrid(image: Array, ratio: float) -> Array:
    """A map with pixels `ratio` times as wide, about the same centre; what fills no pixel is left at all edges alike.

    Parameters
    ----------
    image : ndarray of float, shape (ny, nx)
        NaN where not observed.
    ratio : float
        New over old pixel scale.

    Returns
    -------
    ndarray, shape (⌊ny / ratio⌋, ⌊nx / ratio⌋)

    Raises
    ------
    ValueError
        If new pixels would be much finer, or the map is smaller than one.

    Examples
    --------
    >>> regrid(np.arange(9.0).reshape(3, 3), 1.5)
    array([[1.33..., 2.66...],
           [5.33..., 6.66...]])
    """
    if not ratio * FINER >= 1:
        raise ValueError(
            f"its pixels would be made {1 / ratio:.3g} times finer, and no more than {FINER:g} times tells anything; "
            "train a model at the map's scale"
        )
    if min(image.shape) < ratio:
        ny, nx = image.shape
        raise ValueError(f"the map has {ny} × {nx} pixels, less than one of {ratio:.3g} × {ratio:.3g}")
    missing = ~np.isfinite(image)
    total = _sums(_sums(np.where(missing, 0.0, image), ratio).T, ratio).T
    if not missing.any():
        return total / ratio**2
    seen = _sums(_sums((~missing).astype(np.float64), ratio).T, ratio).T
    enough = seen >= SEEN * ratio**2 - 1e-9
    mean: Array = np.divide(total, seen, out=np.full(total.shape, np.nan), where=enough)
    return mean


def _sums(values: Array, ratio: float) -> Array:
    """Integrals over new pixels along the first axis, old ones being constant and 1 wide."""
    n = int(len(values) / ratio + 1e-9)
    edges = np.clip((len(values) - n * ratio) / 2 + ratio * np.arange(n + 1), 0, len(values))
    first = np.minimum(edges.astype(np.int64), len(values) - 1)
    below = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0, dtype=np.float64)])
    return np.diff(below[first] + (edges - first)[:, None] * values[first], axis=0)
