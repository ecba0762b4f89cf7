"""Whether posteriors hold the truth as often as they say: TARP of all parameters at once, and ranks of each.

Lemos et al. 2023, "Sampling-based accuracy testing of posterior estimators for general inference" (TARP). A point is
drawn at random, and samples are ordered by their distance from it: of right posteriors the truth is at each place of
that order as often as at any other, whatever the dimension. Points that know nothing of the maps test calibration.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from awd_core.checks import whole_number
from awd_core.evidence import Interval, jackknife
from awd_core.files import Record
from awd_core.typing import Array

LEVELS = (0.68, 0.95)


@dataclass(frozen=True)
class Tarp(Record):
    """Expected coverage of posteriors. Made by `tarp`.

    Attributes
    ----------
    level : ndarray, shape (q,)
        Credibility, from 0 to 1.
    coverage : ndarray, shape (q,)
        Share of maps whose truth lies within regions of that credibility.
    deviation : float
        The largest |coverage − level|.
    at : mapping
        "0.68", "0.95" → the coverage there, with its interval.
    n_maps : int
        How many there are.
    """

    level: Array
    coverage: Array
    deviation: float
    at: dict[str, Interval]
    n_maps: int


def tarp(
    samples: npt.ArrayLike,
    truth: npt.ArrayLike,
    low: npt.ArrayLike,
    high: npt.ArrayLike,
    *,
    cosmology: npt.ArrayLike | None = None,
    seed: int = 0,
    points: int = 8,
) -> Tarp:
    """Test posteriors of many maps by random points.

    Parameters
    ----------
    samples : array_like, shape (n, S, k)
        S samples of the posterior of each map.
    truth : array_like, shape (n, k)
        True parameters, drawn from the prior.
    low, high : array_like, shape (k,)
        Ends of the box in which points are drawn; distances are in units of its sides.
    cosmology : array_like of int, optional, shape (n,)
        Of each map: intervals are for other cosmologies then, else for other maps.
    seed : int
        Of the points.
    points : int
        Points for each map: more of them only take out the luck of the draw.

    Returns
    -------
    Tarp

    Raises
    ------
    ValueError
        If shapes do not fit, something is not finite, or there are fewer than two maps or cosmologies.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> truth = rng.normal(0, 1, (400, 2))  # the prior, and what is seen with an error of a half
    >>> seen = truth + rng.normal(0, 0.5, truth.shape)
    >>> right = 0.8 * seen[:, None] + rng.normal(0, 0.2**0.5, (400, 300, 2))
    >>> bool(tarp(right, truth, [-3, -3], [3, 3]).deviation < 0.05)
    True
    >>> narrow = 0.8 * seen[:, None] + 0.5 * (right - 0.8 * seen[:, None])
    >>> bool(tarp(narrow, truth, [-3, -3], [3, 3]).at["0.68"].high < 0.6)
    True
    """
    s, y = _checked(samples, truth)
    ends = np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)
    if not (ends[0].shape == ends[1].shape == (y.shape[1],) and np.isfinite(ends).all() and (ends[0] < ends[1]).all()):
        raise ValueError(
            f"low and high must be finite ends of {y.shape[1]} parameters, low < high; got {ends[0]}, {ends[1]}"
        )
    side = ends[1] - ends[0]
    rng = np.random.default_rng([whole_number("seed", seed, 0), 0x7A29])
    places = []
    for _ in range(whole_number("points", points)):
        point = ends[0] + side * rng.random(y.shape)
        own = np.linalg.norm((y - point) / side, axis=1)
        others = np.linalg.norm((s - point[:, None]) / side, axis=2)
        places.append((others < own[:, None]).mean(axis=1))
    # A region that holds a share of the samples is centred on the point.
    place = np.stack(places, axis=1)
    level = np.linspace(0, 1, 101)
    each = (place[:, :, None] <= level).mean(axis=1)
    coverage = each.mean(axis=0)
    units = [np.arange(len(y)) if cosmology is None else np.asarray(cosmology)]
    if units[0].shape != (len(y),):
        raise ValueError(f"cosmology must name one for each of {len(y)} maps, got the shape {units[0].shape}")
    at = {}
    for one in LEVELS:
        inside = (place <= one).mean(axis=1)
        at[f"{one:g}"] = jackknife(lambda t: t[1] / t[0], np.column_stack([np.ones(len(y)), inside]), *units)
    return Tarp(level, coverage, float(np.abs(coverage - level).max()), at, len(y))


def rank_of_truth(samples: npt.ArrayLike, truth: npt.ArrayLike) -> Array:
    """Share of the samples of each map that lie below the truth, (n, k): evenly spread if posteriors are right.

    Parameters
    ----------
    samples, truth
        As for `tarp`.

    Examples
    --------
    >>> rank_of_truth([[[1.0], [2.0], [3.0], [4.0]]], [[2.5]])
    array([[0.5]])
    """
    s, y = _checked(samples, truth)
    return np.asarray((s < y[:, None]).mean(axis=1))


def rank_deviation(ranks: Array) -> float:
    """Largest distance of the distribution of ranks (n,) from the even one: Kolmogorov and Smirnov's.

    Examples
    --------
    >>> rank_deviation(np.array([0.25, 0.75])), rank_deviation(np.array([1.0, 1.0]))
    (0.25, 1.0)
    """
    ordered = np.sort(ranks)
    steps = np.arange(len(ordered) + 1) / len(ordered)
    return float(max((steps[1:] - ordered).max(), (ordered - steps[:-1]).max()))


def _checked(samples: npt.ArrayLike, truth: npt.ArrayLike) -> tuple[Array, Array]:
    s, y = np.asarray(samples, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    if s.ndim != 3 or y.shape != (s.shape[0], s.shape[2]) or 0 in s.shape:
        raise ValueError(
            f"samples must have the shape (maps, samples, parameters) and the truth (maps, parameters); got {s.shape} "
            f"and {y.shape}"
        )
    if not (np.isfinite(s).all() and np.isfinite(y).all()):
        raise ValueError("samples and truth must be finite; leave out maps whose parameters are unknown")
    return s, y
