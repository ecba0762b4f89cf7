"""Scores and how sure they are: R² and AUC, their differences, and intervals by the jackknife over whole cells.

Tracks of one cell are no independent evidence, so cells are left out one at a time, all their tracks together, and
Student's t has as many degrees of freedom as there are cells but one (`awd_core.evidence.jackknife`). Where there is
one cell, tracks are left out, and the interval says nothing of other cells.
"""

from typing import Literal

import numpy as np
import numpy.typing as npt

from awd_core.evidence import (
    Interval,
    interval_from_left_out,
    r_squared,
    r_squared_difference,
    r_squared_interval,
)
from awd_core.typing import Array, Flags, Indices

Metric = Literal["r2", "auc"]
CHUNK = 2**22
"""Weights of tracks, one for each track and each cell that is left out, that an AUC holds at a time."""


def r2(y: npt.ArrayLike, prediction: npt.ArrayLike) -> float:
    """Coefficient of determination, 1 − Σ(y − p)²/Σ(y − ȳ)².

    Examples
    --------
    >>> r2([1, 2, 3], [1, 2, 4])
    0.5
    """
    true, guess = _checked(y, prediction)
    return _known_r2(true, guess)


def auc(y: npt.ArrayLike, prediction: npt.ArrayLike) -> float:
    """Area under the ROC curve: how probable a success is rated above a failure, ties counted half.

    Examples
    --------
    >>> auc([False, True, True], [0.2, 0.2, 0.9])
    0.75
    """
    true, guess = _checked(y, prediction)
    return _known_auc(true, guess)


def score_interval(
    y: npt.ArrayLike,
    prediction: npt.ArrayLike,
    groups: npt.ArrayLike | None = None,
    *,
    metric: Metric = "r2",
    level: float = 0.95,
) -> Interval:
    """Score of predictions, and what other cells would give.

    Parameters
    ----------
    y : array_like, shape (n,)
        Targets, or classes as booleans.
    prediction : array_like, shape (n,)
        Predictions; for "auc" any number that rises with the probability of success.
    groups : array_like, shape (n,), optional
        What was drawn independently, as `SeriesSet.groups` gives it (cells; tracks where there is one cell); tracks by
        default.
    metric : {"r2", "auc"}
        The score. Its interval is symmetric in log(1 − R²), or in the logit of AUC.
    level : float
        Of the interval.

    Returns
    -------
    Interval
        The ends are NaN where the score is undefined without one of the cells, or perfect.

    Raises
    ------
    ValueError
        If lengths disagree, values are not finite, there is one cluster only, or the score is not defined.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = rng.standard_normal(300)
    >>> found = score_interval(y, y + rng.standard_normal(300), np.arange(300) // 10)
    >>> found.low < found.value < found.high, found.units
    (True, 30)
    """
    true, guess, labels = _clustered(y, prediction, groups, metric)
    if metric == "auc":
        return interval_from_left_out(
            _known_auc(true, guess), _left_out_auc(true, guess, labels), scale="logit", level=level
        )
    _known_r2(true, guess)
    return r_squared_interval(true, guess, labels, level=level)


def score_difference(
    y: npt.ArrayLike,
    prediction: npt.ArrayLike,
    other: npt.ArrayLike,
    groups: npt.ArrayLike | None = None,
    *,
    metric: Metric = "r2",
    level: float = 0.95,
) -> Interval:
    """How much better one prediction is than another of the same tracks, and whether other cells would say so.

    Parameters and errors are those of `score_interval`; the p-value is that of no difference.

    That of R² is `awd_core.evidence.r_squared_difference`, the variance of y held.

    Examples
    --------
    >>> y = np.arange(20.0)
    >>> found = score_difference(y, y, y + 1)
    >>> found.value > 0, found.p_value < 0.05
    (True, True)
    """
    true, guess, labels = _clustered(y, prediction, groups, metric)
    second = _checked(y, other)[1]
    if metric == "auc":
        value = _known_auc(true, guess) - _known_auc(true, second)
        left_out = _left_out_auc(true, guess, labels) - _left_out_auc(true, second, labels)
        return interval_from_left_out(value, left_out, level=level, null=0.0)
    _known_r2(true, guess)
    return r_squared_difference(true, guess, second, labels, level=level)


def _clustered(
    y: npt.ArrayLike, prediction: npt.ArrayLike, groups: npt.ArrayLike | None, metric: str
) -> tuple[Array, Array, Indices]:
    if metric not in ("r2", "auc"):
        raise ValueError(f"metric is 'r2' or 'auc'; got {metric!r}")
    true, guess = _checked(y, prediction)
    labels = np.arange(len(true)) if groups is None else np.asarray(groups)
    if len(labels) != len(true):
        raise ValueError(f"groups has {len(labels)} entries for {len(true)} tracks; give one for each")
    names, places = np.unique(labels, return_inverse=True)
    if len(names) < 2:
        raise ValueError("an interval needs two clusters or more; where there is one cell, leave out tracks")
    return true, guess, places


def _known_r2(true: Array, guess: Array) -> float:
    value = r_squared(true, guess)
    if np.isnan(value):
        raise ValueError("R² needs targets that differ; all are the same")
    return value


def _known_auc(true: Array, guess: Array) -> float:
    if len(np.unique(true)) != 2:
        raise ValueError("AUC needs tracks of two classes; all are of one")
    return float(_weighted_auc(true > true.min(), guess, np.ones((1, len(true))))[0])


def _left_out_auc(true: Array, guess: Array, labels: Indices) -> Array:
    """AUC without each cluster."""
    clusters = np.arange(labels.max() + 1)
    parts = np.array_split(clusters, max(1, len(clusters) * len(true) // CHUNK))
    return np.concatenate([_weighted_auc(true > true.min(), guess, (labels != c[:, None]) * 1.0) for c in parts])


def _weighted_auc(positive: Flags, guess: Array, weights: Array) -> Array:
    """AUC for each row of weights (rows, n); NaN where a class has no weight."""
    _, level = np.unique(guess, return_inverse=True)
    order = np.argsort(level, kind="stable")
    first = np.flatnonzero(np.diff(level[order], prepend=-1))
    sorted_weights = weights[:, order]
    ups = np.add.reduceat(sorted_weights * positive[order], first, axis=1)
    downs = np.add.reduceat(sorted_weights * ~positive[order], first, axis=1)
    below = np.cumsum(downs, axis=1) - downs / 2
    pairs = ups.sum(axis=1) * downs.sum(axis=1)
    area: Array = np.where(pairs > 0, (ups * below).sum(axis=1) / np.where(pairs > 0, pairs, 1.0), np.nan)
    return area


def _checked(y: npt.ArrayLike, prediction: npt.ArrayLike) -> tuple[Array, Array]:
    true, guess = np.asarray(y, dtype=np.float64), np.asarray(prediction, dtype=np.float64)
    if true.ndim != 1 or true.shape != guess.shape or not len(true):
        raise ValueError(f"y and the prediction have one shape (n,); got {true.shape} and {guess.shape}")
    if not (np.isfinite(true).all() and np.isfinite(guess).all()):
        raise ValueError("y or the prediction has a NaN or an infinity; leave such tracks out")
    return true, guess
