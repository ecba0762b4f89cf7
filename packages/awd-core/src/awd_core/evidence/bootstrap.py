"""What the bootstrap makes of replicates: intervals and standard errors; and R², of data and of replicates.

A replicate is how often each independent unit (a cell, a cosmology, a track) was drawn. Scores are functions of sums
over samples, so that those of all replicates come from the weighted sums at once. The drawing itself is done by the
packages that use it, each with the random numbers that its published figures were made with.
"""

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


class Percentiles(NamedTuple):
    """What the replicates of a score say.

    Attributes
    ----------
    low, high : float
        Ends of the percentile interval.
    standard_error : float
        Standard deviation of the replicates (n − 1 in the denominator).
    replicates : int
        How many could be scored.
    """

    low: float
    high: float
    standard_error: float
    replicates: int


def percentile_interval(draws: npt.ArrayLike, level: float = 0.95) -> Percentiles:
    """Percentile interval and standard error of a score (Davison and Hinkley 1997, section 5.3).

    Parameters
    ----------
    draws : array_like, shape (n,)
        The score of each replicate; those that are not finite could not be scored and are left out.
    level : float
        Probability of the interval, above 0 and below 1.

    Returns
    -------
    Percentiles
        NaN where fewer than two replicates could be scored.

    Raises
    ------
    ValueError
        If the level is out of range.

    Examples
    --------
    >>> percentile_interval([1.0, 2.0, 3.0, float("nan")], level=0.5)
    Percentiles(low=1.5, high=2.5, standard_error=1.0, replicates=3)
    """
    if not 0 < level < 1:
        raise ValueError(f"the level of an interval lies between 0 and 1; got {level}")
    scored = np.asarray(draws, dtype=np.float64)
    scored = scored[np.isfinite(scored)]
    if len(scored) < 2:
        return Percentiles(math.nan, math.nan, math.nan, len(scored))
    low, high = np.quantile(scored, [(1 - level) / 2, (1 + level) / 2])
    return Percentiles(float(low), float(high), float(scored.std(ddof=1)), len(scored))


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
