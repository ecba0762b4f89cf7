"""Intervals of scores by the jackknife that leaves out one independent unit at a time: a cell, a cosmology, a track.

Units are what was drawn at random: samples of one unit are no independent evidence. The score is computed anew without
each unit, on a scale on which it is about normal (the logarithm of an error, of 1 − R², the logit of an AUC), and the
spread of these values gives a standard error with the t distribution of as many degrees of freedom as there are units
but one. The percentile bootstrap, which it replaces, is too short where units are few.

Sources: Efron and Tibshirani 1993, chapter 11; Bell and McCaffrey 2002 (few clusters); Cameron, Gelbach and Miller
2011, eq. 2.7 (two ways of clustering).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from awd_core.checks import check_choice, real_number
from awd_core.files.record import Record
from awd_core.typing import Array, Indices

Scale = Literal["identity", "log", "log of 1 - x", "logit"]
Score = Callable[[Array], Any]


@dataclass(frozen=True)
class Interval(Record):
    """A score and how sure it is.

    Attributes
    ----------
    value : float
        The score of all samples.
    low, high : float
        Ends of the interval; NaN where the jackknife is not defined, as where the score is undefined without one unit.
    standard_error : float
        In the unit of the score.
    units : int
        How many independent units there were; of two kinds of units, the fewer.
    p_value : float or None
        Two-sided, of the null value that was asked about.
    """

    value: float
    low: float
    high: float
    standard_error: float
    units: int
    p_value: float | None = None


def jackknife(
    score: Score,
    columns: npt.ArrayLike,
    *units: npt.ArrayLike,
    scale: Scale = "identity",
    level: float = 0.95,
    null: float | None = None,
) -> Interval:
    """Interval of a score that is a function of sums over samples.

    Parameters
    ----------
    score : callable
        From the sums of the columns, shape (k, ...), to the score, shape (...).
    columns : array_like, shape (n, k)
        What is summed.
    *units : array_like, shape (n,)
        The unit of each sample; every sample for itself if none are given. Two where samples share two things, such
        as a cosmology and the phases of the initial conditions: the score must hold for others of both.
    scale, level, null
        As for `interval_from_left_out`.

    Returns
    -------
    Interval

    Raises
    ------
    ValueError
        If shapes disagree, there are fewer than two units, or more than two kinds of units.

    Examples
    --------
    >>> errors = np.random.default_rng(0).normal(0, 1, 400)
    >>> rmse = jackknife(lambda s: np.sqrt(s[1] / s[0]), np.column_stack([np.ones(400), errors**2]), scale="log")
    >>> f"{rmse.value:.2f} ({rmse.low:.2f} to {rmse.high:.2f}), {rmse.units} units"
    '1.00 (0.92 to 1.07), 400 units'
    """
    table = np.asarray(columns, dtype=np.float64)
    if table.ndim != 2:
        raise ValueError(f"columns have the shape (n, k), one row a sample; got {table.shape}")
    kinds = [_numbered(labels, len(table)) for labels in units] or [np.arange(len(table))]
    if len(kinds) > 2:
        raise ValueError(f"samples share at most two kinds of units here; {len(kinds)} were given")
    if len(kinds) == 2:
        kinds.append(np.unique(np.column_stack(kinds), axis=0, return_inverse=True)[1].reshape(-1))
    total = table.sum(axis=0)
    left_out = []
    for labels in kinds:
        sums = np.column_stack([np.bincount(labels, column) for column in table.T])
        with np.errstate(divide="ignore", invalid="ignore"):
            left_out.append(np.asarray(score((total - sums).T), dtype=np.float64))
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(score(total))
    return interval_from_left_out(value, *left_out, scale=scale, level=level, null=null)


def interval_from_left_out(
    value: float,
    *left_out: npt.ArrayLike,
    scale: Scale = "identity",
    level: float = 0.95,
    null: float | None = None,
) -> Interval:
    """Interval of a score from what it is without each unit.

    Parameters
    ----------
    value : float
        The score of all samples.
    *left_out : array_like, shape (units,)
        The score without each unit. For two kinds of units three of them: without each of the first kind, each of the
        second, and each pair of both that occurs.
    scale : {"identity", "log", "log of 1 - x", "logit"}
        Where the score is about normal.
    level : float
        Probability of the interval, above 0 and below 1.
    null : float, optional
        Ask about this value of the score: its two-sided p-value.

    Returns
    -------
    Interval
        Of an infinite or undefined score on that scale the ends are NaN.

    Raises
    ------
    ValueError
        If the level or the scale is not allowed, or there are fewer than two units.

    Notes
    -----
    The variance is (C − 1)/C Σ (θ₍ᵢ₎ − θ)². That of two kinds is the sum of both less that of the pairs, at least the
    larger of the two, times C/(C − 1) with C units of the kind that has fewer, which also has the degrees of freedom.
    Without this factor equal models differ in up to 8 % of cases where 5 % are allowed, with degrees after
    Satterthwaite in up to 9 %.

    Examples
    --------
    >>> found = interval_from_left_out(2.0, [1.9, 2.0, 2.1])
    >>> round(found.low, 3), round(found.high, 3)
    (1.503, 2.497)
    """
    level = real_number("level", level, "a probability", above=0, below=1)
    check_choice("scale", scale, get_args(Scale), required=True)
    if len(left_out) not in (1, 3):
        raise ValueError(f"give one array of scores, or three for two kinds of units; got {len(left_out)}")
    counts = [len(np.asarray(scores)) for scores in left_out]
    units = min(counts[:2])
    if units < 2:
        raise ValueError(f"an interval needs two independent units or more; there is {units}")
    with np.errstate(divide="ignore", invalid="ignore"):
        centre = float(_to(scale, value))
        variances = [
            (count - 1) / count * float(np.sum((_to(scale, scores) - centre) ** 2))
            for count, scores in zip(counts, left_out, strict=True)
        ]
    variance = _two_ways(variances) * units / (units - 1) if len(variances) == 3 else variances[0]
    if not (math.isfinite(centre) and math.isfinite(variance)):
        return Interval(value, math.nan, math.nan, math.nan, units, None if null is None else math.nan)
    from scipy.stats import t

    error = math.sqrt(variance)
    half = float(t.ppf((1 + level) / 2, units - 1)) * error
    ends = sorted(float(_from(scale, end)) for end in (centre - half, centre + half))
    p_value = None
    if null is not None:
        away = abs(centre - float(_to(scale, null)))
        p_value = float(2 * t.sf(away / error, units - 1)) if error > 0 else float(away == 0)
    return Interval(value, ends[0], ends[1], error * _slope(scale, value), units, p_value)


def _two_ways(variances: Sequence[float]) -> float:
    first, second, pairs = variances
    return max(first + second - pairs, first, second)


def _numbered(labels: npt.ArrayLike, samples: int) -> Indices:
    names = np.asarray(labels)
    if names.shape != (samples,):
        raise ValueError(f"units must name one for each of {samples} samples; got the shape {names.shape}")
    numbers: Indices = np.unique(names, return_inverse=True)[1].reshape(-1)
    return numbers


def _to(scale: Scale, score: npt.ArrayLike) -> Array:
    x = np.asarray(score, dtype=np.float64)
    if scale == "log":
        return np.asarray(np.log(x))
    if scale == "log of 1 - x":
        return np.asarray(np.log1p(-x))
    if scale == "logit":
        return np.asarray(np.log(x) - np.log1p(-x))
    return x


def _from(scale: Scale, value: float) -> float:
    if scale == "log":
        return math.exp(value)
    if scale == "log of 1 - x":
        return -math.expm1(value)
    if scale == "logit":
        return 0.5 * (1 + math.tanh(value / 2))
    return value


def _slope(scale: Scale, score: float) -> float:
    """Change of the score over that of its value on the scale, without the sign."""
    return {"log": score, "log of 1 - x": 1 - score, "logit": score * (1 - score)}.get(scale, 1.0)
