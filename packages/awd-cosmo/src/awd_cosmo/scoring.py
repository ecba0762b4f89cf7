"""How good estimates of a cosmological parameter are, and how sure one may be of that.

Error bars come from resampling. Maps of one cosmology are no independent witnesses of how a model does on a cosmology
that it never saw: whole cosmologies have to be drawn then (the clustered bootstrap), and the error bars grow. The paper
draws maps, which answers another question: what other maps of the same cosmologies would have given.

Every score here is a function of sums over maps, so a resample is a weighting of rows of sums: one row a map, or one a
cosmology.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

RESAMPLES = 10_000
"""Bootstrap samples of the paper."""
LEVELS = (0.68, 0.95)
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


def rmse(truth: npt.ArrayLike, estimate: npt.ArrayLike) -> float:
    """Root mean square error of estimates (n,), in the parameter's unit.

    Examples
    --------
    >>> rmse([0.3, 0.3], [0.3, 0.4])
    0.0707...
    """
    y, e = _pair(truth, estimate)
    return float(np.sqrt(np.mean((e - y) ** 2)))


def bias(truth: npt.ArrayLike, estimate: npt.ArrayLike) -> float:
    """Mean of estimate − truth, in the parameter's unit."""
    y, e = _pair(truth, estimate)
    return float(np.mean(e - y))


def r_squared(truth: npt.ArrayLike, estimate: npt.ArrayLike) -> float:
    """Share of the variance of the truth that is explained, 1 − Σ(ŷ − y)² / Σ(y − ȳ)²; NaN if the truth is constant."""
    y, e = _pair(truth, estimate)
    scatter = float(np.sum((y - y.mean()) ** 2))
    return 1 - float(np.sum((e - y) ** 2)) / scatter if scatter > 0 else math.nan


def fair_score(truth: npt.ArrayLike, estimate: npt.ArrayLike, std: npt.ArrayLike, *, weight: float = 1000.0) -> float:
    """Score of the FAIR Universe weak-lensing challenge, the mean over maps: the higher, the better.

    −Σ[δ²/σ² + ln σ² + weight · δ²] with δ = estimate − truth, the sum over the parameters.

    Parameters
    ----------
    truth, estimate, std : array_like, shape (n,) or (n, p)
        True values, estimates and error bars, in the parameters' units; error bars above 0.
    weight : float
        Weight of the plain squared error, 1000 in the challenge.

    Raises
    ------
    ValueError
        If shapes differ, or an error bar is not above 0.

    Examples
    --------
    >>> fair_score([0.3], [0.3], [math.exp(-2)])
    4.0
    """
    y, e = _pair(truth, estimate, columns=True)
    sigma = _bars(std, y.shape)
    per_map = _fair(y, e, sigma, weight)
    return -float(np.mean(per_map if per_map.ndim == 1 else per_map.sum(axis=1)))


def coverage(
    truth: npt.ArrayLike, estimate: npt.ArrayLike, std: npt.ArrayLike, levels: tuple[float, ...] = LEVELS
) -> dict[str, float]:
    """Share of maps whose truth lies in the central interval of a normal distribution, for each level.

    Parameters
    ----------
    truth, estimate, std : array_like, shape (n,)
        True values, estimates and error bars.
    levels : tuple of float
        Probabilities between 0 and 1.

    Returns
    -------
    dict
        The level as text → the share; right error bars give the level itself.

    Examples
    --------
    >>> coverage([0.0, 0.0, 0.0, 0.0], [0.1, 0.9, 1.5, -3.0], [1.0, 1.0, 1.0, 1.0])
    {'0.68': 0.5, '0.95': 0.75}
    """
    y, e = _pair(truth, estimate)
    sigma = _bars(std, y.shape)
    return {f"{level:g}": float(np.mean(_within(y, e, sigma, level))) for level in levels}


def calibration_factor(
    truth: npt.ArrayLike,
    estimate: npt.ArrayLike,
    std: npt.ArrayLike,
    *,
    method: Literal["likelihood", "coverage"] = "likelihood",
    level: float = 0.68,
) -> float:
    """By how much error bars have to be multiplied to be right. Fit it on validation maps, never on test maps.

    Parameters
    ----------
    truth, estimate, std : array_like, shape (n,)
        True values, estimates and error bars.
    method : {"likelihood", "coverage"}
        "likelihood": √mean(δ²/σ²), the most likely factor for normal errors, and the one that the FAIR score wants.
        "coverage": the factor with which the share `level` of the maps is covered; a few wild estimates matter less.
    level : float
        Of "coverage".

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If every estimate equals the truth, so that no factor would do.

    Examples
    --------
    >>> calibration_factor([0.0, 0.0], [2.0, -2.0], [1.0, 1.0])
    2.0
    """
    y, e = _pair(truth, estimate)
    pull = np.abs(e - y) / _bars(std, y.shape)
    if method == "likelihood":
        factor = float(np.sqrt(np.mean(pull**2)))
    elif method == "coverage":
        factor = float(np.quantile(pull, level)) / _half_width(level)
    else:
        raise ValueError(f"method must be 'likelihood' or 'coverage', got {method!r}")
    if factor == 0:
        raise ValueError("the estimates equal the truth, so error bars cannot be fitted to their errors")
    return factor


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
    y, e = _pair(truth, estimate)
    d = e - y
    centred = y - y.mean()  # R² does not depend on the origin, and its sums lose no digits there
    columns = [np.ones_like(y), d, d**2, centred, centred**2]
    scores: dict[str, Callable[[Array], Array]] = {
        "rmse": lambda s: np.sqrt(s[2] / s[0]),
        "bias": lambda s: s[1] / s[0],
        "r2": lambda s: 1 - s[2] / _scatter(*s[[0, 3, 4]]),
    }
    if std is not None:
        sigma = _bars(std, y.shape)
        columns += [_fair(y, e, sigma, 1000.0), *(_within(y, e, sigma, level) for level in LEVELS)]
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
    y, a = _pair(truth, first)
    _, b = _pair(truth, second)
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
    rng = np.random.default_rng([seed, 0xB007])
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


def _scatter(number: Array, total: Array, squares: Array) -> Array:
    """Σ(y − ȳ)² from sums, NaN where it is rounding alone: a draw of one cosmology only says nothing of R²."""
    scatter = squares - total**2 / number
    return np.where(scatter > 1e-12 * squares, scatter, np.nan)


def _uncertain(value: Any, resampled: Array) -> Uncertain:
    valid = resampled[np.isfinite(resampled)]
    if not len(valid):
        return Uncertain(float(value), math.nan, math.nan, math.nan)
    low, high = np.quantile(valid, [0.025, 0.975])
    return Uncertain(float(value), float(np.std(valid)), float(low), float(high))


def _fair(y: Array, e: Array, sigma: Array, weight: float) -> Array:
    squared = (e - y) ** 2
    terms: Array = squared / sigma**2 + 2 * np.log(sigma) + weight * squared
    return terms


def _half_width(level: float) -> float:
    if not 0 < level < 1:
        raise ValueError(f"a level must be a probability between 0 and 1, got {level}")
    return NormalDist().inv_cdf((1 + level) / 2)


def _within(y: Array, e: Array, sigma: Array, level: float) -> Array:
    inside = np.abs(e - y) <= _half_width(level) * sigma
    return np.asarray(inside, dtype=np.float64)


def _pair(truth: npt.ArrayLike, estimate: npt.ArrayLike, *, columns: bool = False) -> tuple[Array, Array]:
    y, e = np.asarray(truth, dtype=np.float64), np.asarray(estimate, dtype=np.float64)
    if y.shape != e.shape:
        raise ValueError(f"the truth has the shape {y.shape} and the estimates {e.shape}; they must be the same")
    if y.ndim != 1 and not (columns and y.ndim == 2):
        raise ValueError(f"one parameter at a time, shape (n,); got the shape {y.shape}. Score each column on its own")
    if y.size == 0:
        raise ValueError("there are no maps to score")
    for name, values in (("truth", y), ("estimates", e)):
        bad = np.flatnonzero(~np.isfinite(values).reshape(len(values), -1).all(axis=1))
        if len(bad):
            raise ValueError(
                f"the {name} are not finite for {len(bad)} maps, the first is map {bad[0]}; leave them out"
            )
    return y, e


def _bars(std: npt.ArrayLike, shape: tuple[int, ...]) -> Array:
    sigma = np.asarray(std, dtype=np.float64)
    if sigma.shape != shape:
        raise ValueError(
            f"the error bars have the shape {sigma.shape} and the estimates {shape}; they must be the same"
        )
    if not (np.isfinite(sigma).all() and (sigma > 0).all()):
        raise ValueError(f"error bars must be finite and above 0; the smallest is {np.min(sigma)}")
    return sigma
