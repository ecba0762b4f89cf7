"""R² with its interval, and the difference of two: of data, and of sums over samples for the jackknife."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from awd_core.evidence.jackknife import Interval, jackknife
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


def r_squared_interval(truth: Array, estimate: Array, *units: npt.ArrayLike, level: float = 0.95) -> Interval:
    """R² of estimates, and what other units would give; symmetric in log(1 − R²).

    Parameters
    ----------
    truth, estimate : ndarray of float, shape (n,)
        True values and estimates.
    *units, level
        As for `jackknife`.
    """
    centred = truth - truth.mean()  # the sums lose no digits there
    columns = np.column_stack([np.ones_like(truth), centred, centred**2, (truth - estimate) ** 2])
    return jackknife(lambda sums: r_squared_of_sums(*sums), columns, *units, scale="log of 1 - x", level=level)


def r_squared_difference(
    truth: Array, estimate: Array, other: Array, *units: npt.ArrayLike, level: float = 0.95
) -> Interval:
    """R² of estimates less that of others of the same samples, with the p-value of no difference.

    It is the difference of the mean squared errors in units of the variance of the truth, and its interval is theirs,
    that variance held. Where units differ in brightness, equal models come out different more often than they should
    by the ratio of the errors (in up to 8 % of cases where 5 % are allowed), by the difference they do not.

    Parameters
    ----------
    truth, estimate, other : ndarray of float, shape (n,)
        True values, estimates and those that they are compared with.
    *units, level
        As for `jackknife`.

    Examples
    --------
    >>> y = np.arange(20.0)
    >>> found = r_squared_difference(y, y, y + 1)
    >>> f"{found.value:.4f}", found.p_value < 0.05
    ('0.0301', True)
    """
    errors = np.column_stack([np.ones_like(truth), (truth - estimate) ** 2, (truth - other) ** 2])
    errors /= [1, *[truth.var()] * 2]
    return jackknife(lambda sums: (sums[2] - sums[1]) / sums[0], errors, *units, level=level, null=0.0)
