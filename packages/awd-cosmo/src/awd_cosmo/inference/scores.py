"""How good estimates of a cosmological parameter are: errors, coverage of their error bars, the FAIR score."""

from statistics import NormalDist
from typing import Literal

import numpy as np
import numpy.typing as npt

from awd_core.checks import check_choice
from awd_core.evidence import r_squared as r_squared_of
from awd_core.typing import Array

LEVELS = (0.68, 0.95)


def rmse(truth: npt.ArrayLike, estimate: npt.ArrayLike) -> float:
    """Root mean square error of estimates (n,), in the parameter's unit.

    Examples
    --------
    >>> rmse([0.3, 0.3], [0.3, 0.4])
    0.0707...
    """
    y, e = checked_pair(truth, estimate)
    return float(np.sqrt(np.mean((e - y) ** 2)))


def bias(truth: npt.ArrayLike, estimate: npt.ArrayLike) -> float:
    """Mean of estimate − truth, in the parameter's unit."""
    y, e = checked_pair(truth, estimate)
    return float(np.mean(e - y))


def r_squared(truth: npt.ArrayLike, estimate: npt.ArrayLike) -> float:
    """Share of the variance of the truth that is explained, 1 − Σ(ŷ − y)² / Σ(y − ȳ)²; NaN if the truth is constant."""
    y, e = checked_pair(truth, estimate)
    return r_squared_of(y, e)


def fair_score(truth: npt.ArrayLike, estimate: npt.ArrayLike, std: npt.ArrayLike, *, weight: float = 1000.0) -> float:
    """Score of the FAIR Universe weak-lensing challenge, the mean over maps: the higher, the better.

    −Σ[δ²/σ² + ln σ² + weight · δ²] with δ = estimate − truth, the sum over the parameters. The challenge's own has two,
    Ω_m and S8; of one parameter, or of others, it is the same formula, to be compared with no score of the challenge.

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
    >>> round(fair_score([0.3], [0.3], [np.exp(-2)]), 12)
    4.0
    """
    y, e = checked_pair(truth, estimate, columns=True)
    sigma = checked_bars(std, y.shape)
    per_map = fair_terms(y, e, sigma, weight)
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
    y, e = checked_pair(truth, estimate)
    sigma = checked_bars(std, y.shape)
    return {f"{level:g}": float(np.mean(within(y, e, sigma, level))) for level in levels}


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
    y, e = checked_pair(truth, estimate)
    pull = np.abs(e - y) / checked_bars(std, y.shape)
    check_choice("method", method, ("likelihood", "coverage"), required=True)
    if method == "likelihood":
        factor = float(np.sqrt(np.mean(pull**2)))
    else:
        factor = float(np.quantile(pull, level)) / _half_width(level)
    if factor == 0:
        raise ValueError("the estimates equal the truth, so error bars cannot be fitted to their errors")
    return factor


def fair_terms(y: Array, e: Array, sigma: Array, weight: float) -> Array:
    """Terms of the FAIR score, map by map and parameter by parameter."""
    squared = (e - y) ** 2
    terms: Array = squared / sigma**2 + 2 * np.log(sigma) + weight * squared
    return terms


def _half_width(level: float) -> float:
    if not 0 < level < 1:
        raise ValueError(f"a level must be a probability between 0 and 1, got {level}")
    return NormalDist().inv_cdf((1 + level) / 2)


def within(y: Array, e: Array, sigma: Array, level: float) -> Array:
    """1 where the truth lies in the central interval of a normal distribution, else 0."""
    inside = np.abs(e - y) <= _half_width(level) * sigma
    return np.asarray(inside, dtype=np.float64)


def checked_pair(truth: npt.ArrayLike, estimate: npt.ArrayLike, *, columns: bool = False) -> tuple[Array, Array]:
    """Truth and estimates as arrays of the same shape, finite."""
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


def checked_bars(std: npt.ArrayLike, shape: tuple[int, ...]) -> Array:
    """Error bars as an array of that shape, above 0."""
    sigma = np.asarray(std, dtype=np.float64)
    if sigma.shape != shape:
        raise ValueError(
            f"the error bars have the shape {sigma.shape} and the estimates {shape}; they must be the same"
        )
    if not (np.isfinite(sigma).all() and (sigma > 0).all()):
        raise ValueError(f"error bars must be finite and above 0; the smallest is {np.min(sigma)}")
    return sigma
