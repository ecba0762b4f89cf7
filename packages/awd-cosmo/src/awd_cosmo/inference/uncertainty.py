"""How sure one may be of how good estimates are: scores and ratios of two estimators' errors, with intervals.

Intervals come from the jackknife over what was drawn at random (`awd_core.evidence.jackknife`). Maps of one cosmology
are no independent witnesses of how a model does on a cosmology that it never saw: cosmologies are left out whole then,
and the intervals grow. Where simulations of several cosmologies share the phases of their initial conditions, a map is
a draw of both, and both are left out in turn. The paper draws maps, which answers another question: what other maps of
the same cosmologies would have given.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from awd_core.evidence import Interval, jackknife, r_squared_interval
from awd_core.files import Record
from awd_core.typing import AnyArray, Array
from awd_cosmo.inference.scores import LEVELS, calibration_factor, checked_bars, checked_pair, within


@dataclass(frozen=True)
class RegressionScores(Record):
    """Scores of one estimator of one parameter. Made by `regression_scores`.

    Attributes
    ----------
    n_maps, n_cosmologies : int
        How many maps, and of how many cosmologies (None where that was not told).
    units : str
        What is drawn at random: "maps", "cosmologies", "realisations", or "cosmologies and realisations".
    n_units : int
        How many of them there are; of two kinds, the fewer.
    rmse, r2, bias : Interval
        Root mean square error and mean error (estimate − truth), in the parameter's unit; R² against the mean of the
        truth.
    coverage : mapping or None
        Level ("0.68", "0.95") → the share of maps within the central interval of a normal posterior.
    mean_std : float or None
        Mean error bar, in the parameter's unit.
    calibration : float or None
        By how much the error bars would have to be multiplied, see `calibration_factor`. For the record: never apply
        what was found on test maps.
    """

    n_maps: int
    n_cosmologies: int | None
    units: str
    n_units: int
    rmse: Interval
    r2: Interval
    bias: Interval
    coverage: Mapping[str, Interval] | None = None
    mean_std: float | None = None
    calibration: float | None = None


def regression_scores(
    truth: npt.ArrayLike,
    estimate: npt.ArrayLike,
    std: npt.ArrayLike | None = None,
    *,
    cosmology: npt.ArrayLike | None = None,
    realisation: npt.ArrayLike | None = None,
    resamples: int | None = None,
    seed: int | None = None,
) -> RegressionScores:
    """RMSE, R², bias, and with error bars their coverage, all with intervals.

    Parameters
    ----------
    truth, estimate : array_like, shape (n,)
        True values and estimates of one parameter.
    std : array_like, optional, shape (n,)
        Error bars of the estimates.
    cosmology : array_like of int, optional, shape (n,)
        Give it where test cosmologies were held out: intervals are then for other cosmologies. Without it they are for
        other maps of the same ones, as in the paper.
    realisation : array_like of int, optional, shape (n,)
        Give it where maps of different cosmologies with the same number share the phases of their initial conditions:
        intervals are then for other phases, too.
    resamples, seed : int, optional
        Of the bootstrap that was here before. The jackknife draws nothing; whatever is given makes no difference.

    Returns
    -------
    RegressionScores

    Raises
    ------
    ValueError
        If shapes differ, something is not finite, or there is but one map, cosmology or realisation.

    Examples
    --------
    >>> truth = np.repeat([0.2, 0.3, 0.4], 50)
    >>> estimate = truth + np.random.default_rng(0).normal(0, 0.01, 150)
    >>> scores = regression_scores(truth, estimate, np.full(150, 0.01))
    >>> print(f"{scores.rmse.value:.4f} ± {scores.rmse.standard_error:.4f}")
    0.0096 ± 0.0005
    """
    y, e = checked_pair(truth, estimate)
    d = e - y
    columns = [np.ones_like(y), d, d**2]
    scores: dict[str, tuple[Callable[[Array], Any], Any]] = {
        "rmse": (lambda s: np.sqrt(s[2] / s[0]), "log"),
        "bias": (lambda s: s[1] / s[0], "identity"),
    }
    if std is not None:
        sigma = checked_bars(std, y.shape)
        columns += [within(y, e, sigma, level) for level in LEVELS]
        for k, level in enumerate(LEVELS):
            scores[f"{level:g}"] = (lambda s, k=k: s[3 + k] / s[0], "identity")  # type: ignore[misc]
    units, name = _units(len(y), cosmology, realisation)
    table = np.column_stack(columns)
    found = {key: jackknife(score, table, *units, scale=scale) for key, (score, scale) in scores.items()}
    return RegressionScores(
        n_maps=len(y),
        n_cosmologies=None if cosmology is None else len(np.unique(np.asarray(cosmology))),
        units=name,
        n_units=found["rmse"].units,
        rmse=found["rmse"],
        r2=r_squared_interval(y, e, *units),
        bias=found["bias"],
        coverage=None if std is None else {f"{level:g}": found[f"{level:g}"] for level in LEVELS},
        mean_std=None if std is None else float(np.mean(sigma)),
        calibration=None if std is None else calibration_factor(y, e, sigma) if d.any() else None,
    )


def paired_ratio(
    truth: npt.ArrayLike,
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    *,
    cosmology: npt.ArrayLike | None = None,
    realisation: npt.ArrayLike | None = None,
    resamples: int | None = None,
    seed: int | None = None,
) -> Interval:
    """RMSE of one estimator over that of another on the same maps.

    What both find hard cancels, so the ratio is known better than the two errors apart suggest.

    Parameters
    ----------
    truth, first, second : array_like, shape (n,)
        True values and the two estimates of the same maps.
    cosmology, realisation, resamples, seed
        As for `regression_scores`.

    Returns
    -------
    Interval
        Below 1 the first is better; surely so, at 95 %, if `high` is below 1.

    Raises
    ------
    ValueError
        As for `regression_scores`, and if the second estimator makes no errors at all.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> truth, errors = rng.uniform(0.2, 0.4, 300), rng.normal(0, 0.01, 300)
    >>> ratio = paired_ratio(truth, truth + 0.8 * errors, truth + errors)
    >>> round(ratio.value, 12), ratio.standard_error < 1e-12
    (0.8, True)
    """
    y, a = checked_pair(truth, first)
    _, b = checked_pair(truth, second)
    if not (b - y).any():
        raise ValueError("the second estimator makes no errors, so nothing can be divided by its RMSE")
    columns = np.column_stack([(a - y) ** 2, (b - y) ** 2])
    units, _ = _units(len(y), cosmology, realisation)
    return jackknife(lambda s: np.sqrt(s[0] / s[1]), columns, *units, scale="log")


def _units(maps: int, cosmology: npt.ArrayLike | None, realisation: npt.ArrayLike | None) -> tuple[list[AnyArray], str]:
    """What is left out in turn, and its name."""
    given = [
        (np.asarray(labels), name)
        for labels, name in ((cosmology, "cosmologies"), (realisation, "realisations"))
        if labels is not None
    ] or [(np.arange(maps), "maps")]
    for labels, name in given:
        if labels.shape != (maps,):
            what = {"cosmologies": "cosmology", "realisations": "realisation"}[name]
            raise ValueError(f"{what} must name one for each of {maps} maps, got the shape {labels.shape}")
        if len(np.unique(labels)) < 2:
            one = {"cosmologies": "cosmology", "realisations": "realisation", "maps": "map"}[name]
            raise ValueError(f"one {one} alone tells nothing of others; give more, or leave {one} out")
    return [labels for labels, _ in given], " and ".join(name for _, name in given)
