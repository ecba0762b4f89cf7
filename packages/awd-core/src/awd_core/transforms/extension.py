"""How a finite signal goes on past its ends where its samples are only repeated, or left out: as numbers of samples.

NumPy alone is imported here: models that predict with it alone extend their inputs with this.
"""

import numpy as np

from awd_core.typing import Rows


def extension(size: int, before: int, after: int, mode: str) -> Rows:
    """Number of the sample that stands at each place from −before to size − 1 + after; `size` for a zero.

    Examples
    --------
    >>> extension(3, 2, 4, "symmetric").tolist(), extension(3, 1, 1, "zero").tolist()
    ([1, 0, 0, 1, 2, 2, 1, 0, 0], [3, 0, 1, 2, 3])
    """
    places = np.arange(-before, size + after)
    if mode == "periodic":
        return places % size
    if mode == "constant":
        return places.clip(0, size - 1)
    if mode == "symmetric":
        places %= 2 * size
        return np.minimum(places, 2 * size - 1 - places)
    if mode == "reflect":
        places %= max(2 * size - 2, 1)
        return np.minimum(places, 2 * size - 2 - places)
    return np.where((places >= 0) & (places < size), places, size)
