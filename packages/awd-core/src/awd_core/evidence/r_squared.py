"""R², of data and of sums over samples, from which that of data without some of them follows at once."""

import math
from typing import Any

import numpy as np

from awd_core.typing import Array


def r_squared(truth: Array, estimate: Array) -> float:
    """Coefficient of determination R² = 1 − Σ(y − ŷ)² / Σ(y − ȳ)².

    Parameters
    ----------
    truth, estimate : ndarray of float, shape (n,)
        True values y and estimates ŷ.

    Returns
    -------
    float
        NaN where all true values are the same.

    Examples
    --------
    >>> r_squared(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 4.0]))
    0.5
    """
    scatter = float(np.sum((truth - truth.mean()) ** 2))
    return 1 - float(np.sum((truth - estimate) ** 2)) / scatter if scatter > 0 else math.nan


def r_squared_of_sums(number: Any, total: Any, squares: Any, errors: Any) -> Array:
    """R² of replicates from their sums over samples.

    Parameters
    ----------
    number, total, squares, errors : array_like, shape (replicates,), or float
        Σ1, Σy, Σy² and Σ(y − ŷ)², each sample as often as it was drawn. R² does not depend on the origin of y and ŷ:
        take the mean of y for it, and the sums lose no digits.

    Returns
    -------
    ndarray, shape (replicates,)
        NaN where the scatter of the true values is rounding alone, as in a replicate that is one cluster.

    Examples
    --------
    >>> r_squared_of_sums([3, 3], [0, 3], [2, 3], [1, 1])  # y = (−1, 0, 1), and three times y = 1
    array([0.5, nan])
    """
    n, first, second, wrong = (np.asarray(sums, dtype=np.float64) for sums in (number, total, squares, errors))
    scatter = second - first**2 / n
    defined = scatter > 1e-12 * second
    return np.asarray(np.where(defined, 1 - wrong / np.where(defined, scatter, 1.0), np.nan))
