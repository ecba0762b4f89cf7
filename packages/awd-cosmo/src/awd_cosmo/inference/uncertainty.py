"""How sure one may be of how good estimates are: scores with bootstrap errors, and ratios of two estimators' errors.

Error bars come from resampling. Maps of one cosmology are no independent witnesses of how a model does on a cosmology
that it never saw: whole cosmologies have to be drawn then (the clustered bootstrap), and the error bars grow. The paper
draws maps, which answers another question: what other maps of the same cosmologies would have given.

Every score here is a function of sums over maps, so a resample is a weighting of rows of sums: one row a map, or one a
cosmology.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from awd_core.checks import whole_number
from awd_core.evidence import percentile_interval, r_squared_of_sums
from awd_cosmo.inference.scores import LEVELS, calibration_factor, checked_bars, checked_pair, fair_terms, within

Array = npt.NDArray[np.float64]

RESAMPLES = 10_000
"""Bootstrap samples of the paper."""
_BLOCK = 2_000_000  # weights held at a time: 16 MB


@dataclass(frozen=True)
class Uncertain:
    """A number with its bootstrap error.

    Attributes
    ----------
    value : float
        The score of the data themselves.
    error : float
        Standard deviation over the resamples.
    low, high : float
        The central 95 % of the resamples.
    """

    value: float
    error: float
    low: float
    high: float


@dataclass(frozen=True)
class RegressionScores:
    """Scores of one estimator of one parameter. Made by `regression_scores`.

    Attributes
    ----------
    n_maps, n_cosmologies : int
        How many maps, and of how many cosmologies (None where that was not told).
    resampled : str
        What the bootstrap draws: "maps" or "cosmologies".
    rmse, r2, bias : Uncertain
        Root mean square error and mean error (estimate − truth), in the parameter's unit; R² against the mean of the
        truth.
    coverage : mapping or None
        Level ("0.68", "0.95") → the share of maps within the central interval of a normal posterior, `Uncertain`.
    fair : Uncertain or None
        The FAIR score, see `fair_score`.
    mean_std : float or None
        Mean error bar, in the parameter's unit.
    calibration : float or None
        By how much the error bars would have to be multiplied, see `calibration_factor`. For the record: never apply
        what was found on test maps.
    """

    n_maps: int
    n_cosmologies: int | None
    resampled: str
    rmse: Uncertain
    r2: Uncertain
    bias: Uncertain
    coverage: Mapping[str, Uncertain] | None = None
    fair: Uncertain | None = None
    mean_std: float | None = None
    calibration: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self)


def regression_scores(
    truth: npt.ArrayLike,
    estimate: npt.ArrayLike,
    std: npt.ArrayLike | None = None,
    *,
    cosmology: npt.ArrayLike | None = None,
    resamples: int = RESAMPLES,
    seed: int,
) -> RegressionScores:
    """RMSE, R², bias, and with error bars coverage and the FAIR score, all with bootstrap errors.

    Parameters
    ----------
    truth, estimate : array_like, shape (n,)
        True values and estimates of one parameter.
    std : array_like, optional, shape (n,)
        Error bars of the estimates.
    cosmology : array_like of int, optional, shape (n,)
        Give it to draw whole cosmologies: right where test cosmologies were held out. Without it maps are drawn, as
        in the paper.
    resamples : int
        Number of bootstrap samples.
    seed : int
        Seed of the draws.

    Returns
    -------
    RegressionScores

    Raises
    ------
    ValueError
        If shapes differ, something is not finite, or there is nothing to draw from (one map, or one cosmology).

    Examples
    --------
    >>> truth = np.repeat([0.2, 0.3, 0.4], 50)
    >>> estimate = truth + np.random.default_rng(0).normal(0, 0.01, 150)
    >>> scores = regression_scores(truth, estimate, np.full(150, 0.01), resamples=1000, seed=0)
    >>> print(f"{scores.rmse.value:.4f} ± {scores.rmse.error:.4f}")
    0.0096 ± 0.0005
    """
    y, e = checked_pair(truth, estimate)
    d = e - y
    centred = y - y.mean()  # R² does not depend on the origin, and its sums lose no digits there
    columns = [np.ones_like(y), d, d**2, centred, centred**2]
    scores: dict[str, Callable[[Array], Array]] = {
        "rmse": lambda s: np.sqrt(s[2] / s[0]),
        "bias": lambda s: s[1] / s[0],
        "r2": lambda s: r_squared_of_sums(*s[[0, 3, 4, 2]]),
    }
    if std is not None:
        sigma = checked_bars(std, y.shape)
        columns += [fair_terms(y, e, sigma, 1000.0), *(within(y, e, sigma, level) for level in LEVELS)]
        scores["fair"] = lambda s: -s[5] / s[0]
        for k, level in enumerate(LEVELS):
            scores[f"{level:g}"] = lambda s, k=k: s[6 + k] / s[0]  # type: ignore[misc]
    found = _bootstrap(np.column_stack(columns), scores, cosmology, resamples, seed)
    return RegressionScores(
        n_maps=len(y),
        n_cosmologies=None if cosmology is None else len(np.unique(np.asarray(cosmology))),
        resampled="maps" if cosmology is None else "cosmologies",
        rmse=found["rmse"],
        r2=found["r2"],
        bias=found["bias"],
        coverage=None if std is None else {f"{level:g}": found[f"{level:g}"] for level in LEVELS},
        fair=found.get("fair"),
        mean_std=None if std is None else float(np.mean(sigma)),
        calibration=None if std is None else calibration_factor(y, e, sigma) if d.any() else None,
    )


def paired_ratio(
    truth: npt.ArrayLike,
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    *,
    cosmology: npt.ArrayLike | None = None,
    resamples: int = RESAMPLES,
    seed: int,
) -> Uncertain:
    """RMSE of one estimator over that of another, with both scored on the same resamples.

    What both find hard cancels, so the ratio is known better than the two errors apart suggest.

    Parameters
    ----------
    truth, first, second : array_like, shape (n,)
        True values and the two estimates of the same maps.
    cosmology, resamples, seed
        As for `regression_scores`.

    Returns
    -------
    Uncertain
        Below 1 the first is better; surely so, at 95 %, if `high` is below 1.

    Raises
    ------
    ValueError
        As for `regression_scores`, and if the second estimator makes no errors at all.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> truth, errors = rng.uniform(0.2, 0.4, 300), rng.normal(0, 0.01, 300)
    >>> ratio = paired_ratio(truth, truth + 0.8 * errors, truth + errors, resamples=500, seed=0)
    >>> round(ratio.value, 12), ratio.error < 1e-12
    (0.8, True)
    """
    y, a = checked_pair(truth, first)
    _, b = checked_pair(truth, second)
    if not (b - y).any():
        raise ValueError("the second estimator makes no errors, so nothing can be divided by its RMSE")
    columns = np.column_stack([(a - y) ** 2, (b - y) ** 2])

    def ratio(sums: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.sqrt(sums[0] / sums[1]))

    return _bootstrap(columns, {"ratio": ratio}, cosmology, resamples, seed)["ratio"]


def _bootstrap(
    columns: Array,
    scores: Mapping[str, Callable[[Array], Array]],
    cosmology: npt.ArrayLike | None,
    resamples: int,
    seed: int,
) -> dict[str, Uncertain]:
    """Scores, functions of the sums of columns (n, k), over draws of rows, or of groups of rows, with replacement."""
    if resamples < 100:
        raise ValueError(f"resamples must be 100 or more for an error bar to mean something, got {resamples}")
    units = columns
    if cosmology is not None:
        groups = np.asarray(cosmology)
        if groups.shape != (len(columns),):
            raise ValueError(f"cosmology must name one for each of {len(columns)} maps, got the shape {groups.shape}")
        names, place = np.unique(groups, return_inverse=True)
        units = np.zeros((len(names), columns.shape[1]))
        np.add.at(units, place, columns)
    count = len(units)
    if count < 2:
        what = "map" if cosmology is None else "cosmology"
        raise ValueError(f"one {what} alone has no bootstrap error; give more, or draw something else")
    rng = np.random.default_rng([whole_number("seed", seed, 0), 0xB007])
    block = max(1, _BLOCK // count)
    sums = []
    for start in range(0, resamples, block):
        rows = min(block, resamples - start)
        # A resample is how often each unit was drawn; its sums are one product of matrices.
        drawn = rng.integers(0, count, (rows, count)) + count * np.arange(rows)[:, None]
        weights = np.bincount(drawn.ravel(), minlength=rows * count).reshape(rows, count)
        sums.append(weights.astype(np.float64) @ units)
    with np.errstate(divide="ignore", invalid="ignore"):
        resampled, observed = np.concatenate(sums).T, units.sum(axis=0)
        return {name: _uncertain(score(observed), score(resampled)) for name, score in scores.items()}


def _uncertain(value: Any, resampled: Array) -> Uncertain:
    found = percentile_interval(resampled)
    return Uncertain(float(value), found.standard_error, found.low, found.high)
