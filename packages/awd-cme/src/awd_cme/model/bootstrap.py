"""Scores with error bars: R² and AUC, and their bootstrap over whole cells.

Tracks of one cell are no independent evidence, so cells are drawn with replacement, all their tracks together
(Davison and Hinkley 1997, section 3.8). Where there is one cell, tracks are drawn, and the interval says nothing of
other cells. Replicates are weights of clusters, so that all are computed at once.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from awd_core.checks import whole_number
from awd_core.evidence import percentile_interval, r_squared, r_squared_of_sums

Array = npt.NDArray[np.float64]
Metric = Literal["r2", "auc"]


@dataclass(frozen=True)
class Interval:
    """A score with the percentiles of its bootstrap.

    Attributes
    ----------
    value : float
        Of the data as they are.
    low, high : float
        2.5th and 97.5th percentile of the replicates, or as `level` was asked for.
    standard_error : float
        Standard deviation of the replicates.
    clusters : int
        How many clusters were drawn from; below ten or so an interval is too short.
    replicates : int
        How many replicates could be scored: one without spread, or of one class, cannot.
    """

    value: float
    low: float
    high: float
    standard_error: float
    clusters: int
    replicates: int

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


def r2(y: npt.ArrayLike, prediction: npt.ArrayLike) -> float:
    """Coefficient of determination, 1 − Σ(y − p)²/Σ(y − ȳ)².

    Examples
    --------
    >>> r2([1, 2, 3], [1, 2, 4])
    0.5
    """
    true, guess = _checked(y, prediction)
    value = r_squared(true, guess)
    if math.isnan(value):
        raise ValueError("R² needs targets that differ; all are the same")
    return value


def auc(y: npt.ArrayLike, prediction: npt.ArrayLike) -> float:
    """Area under the ROC curve: how probable a success is rated above a failure, ties counted half.

    Examples
    --------
    >>> auc([False, True, True], [0.2, 0.2, 0.9])
    0.75
    """
    true, guess = _checked(y, prediction)
    if len(np.unique(true)) != 2:
        raise ValueError("AUC needs tracks of two classes; all are of one")
    return float(_weighted_auc(true > true.min(), guess, np.ones((1, len(true))))[0])


def clustered_bootstrap(
    y: npt.ArrayLike,
    prediction: npt.ArrayLike,
    groups: npt.ArrayLike | None = None,
    *,
    metric: Metric = "r2",
    replicates: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Score of predictions with an interval from the bootstrap over clusters.

    Parameters
    ----------
    y : array_like, shape (n,)
        Targets, or classes as booleans.
    prediction : array_like, shape (n,)
        Predictions; for "auc" any number that rises with the probability of success.
    groups : array_like, shape (n,), optional
        Clusters, as `SeriesSet.groups` gives them (cells; tracks where there is one cell); tracks by default.
    metric : {"r2", "auc"}
        The score.
    replicates : int
        Number of draws.
    level : float
        Of the interval.
    seed : int
        Of the draws.

    Raises
    ------
    ValueError
        If lengths disagree, values are not finite, there is one cluster only, or the score is not defined.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = rng.standard_normal(300)
    >>> found = clustered_bootstrap(y, y + rng.standard_normal(300), np.arange(300) // 10)
    >>> found.low < found.value < found.high, found.clusters
    (True, 30)
    """
    value, draws, clusters = _scored(y, prediction, groups, metric, replicates, seed)
    return _interval(value, draws, clusters, level)


def bootstrap_difference(
    y: npt.ArrayLike,
    prediction: npt.ArrayLike,
    other: npt.ArrayLike,
    groups: npt.ArrayLike | None = None,
    *,
    metric: Metric = "r2",
    replicates: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """How much better one prediction is than another of the same tracks: the difference, on the same draws.

    Parameters and errors are those of `clustered_bootstrap`.

    Examples
    --------
    >>> y = np.arange(20.0)
    >>> bootstrap_difference(y, y, y + 1).value > 0
    True
    """
    value, draws, clusters = _scored(y, prediction, groups, metric, replicates, seed)
    second, others, _ = _scored(y, other, groups, metric, replicates, seed)
    return _interval(value - second, draws - others, clusters, level)


def cluster_weights(groups: npt.ArrayLike, replicates: int, seed: int) -> tuple[Array, npt.NDArray[np.intp]]:
    """How often each cluster is drawn in each replicate, shape (replicates, clusters), and the cluster of each track.

    Raises
    ------
    ValueError
        If there is one cluster only.
    """
    names, places = np.unique(np.asarray(groups), return_inverse=True)
    if len(names) < 2:
        raise ValueError("a bootstrap needs two clusters or more; where there is one cell, draw tracks")
    rng = np.random.default_rng([whole_number("seed", seed, 0), 0])
    replicates = whole_number("replicates", replicates)
    share = np.full(len(names), 1 / len(names))
    return rng.multinomial(len(names), share, size=replicates).astype(np.float64), places


def _scored(
    y: npt.ArrayLike, prediction: npt.ArrayLike, groups: npt.ArrayLike | None, metric: str, replicates: int, seed: int
) -> tuple[float, Array, int]:
    """The score, the scores of the replicates (NaN where undefined), and the number of clusters."""
    if metric not in ("r2", "auc"):
        raise ValueError(f"metric is 'r2' or 'auc'; got {metric!r}")
    true, guess = _checked(y, prediction)
    labels = np.arange(len(true)) if groups is None else np.asarray(groups)
    if len(labels) != len(true):
        raise ValueError(f"groups has {len(labels)} entries for {len(true)} tracks; give one for each")
    weights, places = cluster_weights(labels, replicates, seed)
    clusters = weights.shape[1]
    if metric == "auc":
        chunks = np.array_split(weights, max(1, len(weights) * len(true) // 2**22))
        value = auc(true, guess)
        return value, np.concatenate([_weighted_auc(true > true.min(), guess, w[:, places]) for w in chunks]), clusters
    value = r2(true, guess)
    centred = true - true.mean()
    columns = [np.ones(len(true)), centred, centred**2, (true - guess) ** 2]
    sums = (weights @ np.bincount(places, column, clusters) for column in columns)
    return value, r_squared_of_sums(*sums), clusters


def _weighted_auc(positive: npt.NDArray[np.bool_], guess: Array, weights: Array) -> Array:
    """AUC for each row of weights (replicates, n); NaN where a class has no weight."""
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


def _interval(value: float, draws: Array, clusters: int, level: float) -> Interval:
    found = percentile_interval(draws, level)
    if found.replicates < 2:
        raise ValueError("hardly any replicate could be scored; there are too few tracks or clusters")
    return Interval(value, found.low, found.high, found.standard_error, clusters, found.replicates)


def _checked(y: npt.ArrayLike, prediction: npt.ArrayLike) -> tuple[Array, Array]:
    true, guess = np.asarray(y, dtype=np.float64), np.asarray(prediction, dtype=np.float64)
    if true.ndim != 1 or true.shape != guess.shape or not len(true):
        raise ValueError(f"y and the prediction have one shape (n,); got {true.shape} and {guess.shape}")
    if not (np.isfinite(true).all() and np.isfinite(guess).all()):
        raise ValueError("y or the prediction has a NaN or an infinity; leave such tracks out")
    return true, guess
