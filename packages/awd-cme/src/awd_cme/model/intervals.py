"""How sure the coefficients of the readable model are: the jackknife over whole cells, and Holm's correction.

The penalty draws the model's coefficients towards 0, and those of features that resemble each other towards each other:
around them no interval holds the truth as often as it says, and a feature without effect may seem to have one. So
intervals and p-values are of the same model without the penalty, fitted to the same features, which is not drawn
anywhere. A coefficient of the model may lie outside its interval, on the side of 0 then.
"""

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from awd_cme.model.regression import SeriesLogistic, SeriesRidge
from awd_core.checks import real_number
from awd_core.evidence import interval_from_left_out
from awd_core.typing import Array, Flags, Indices

OPEN = 1e-9
"""Smallest eigenvalue of the features' correlations, to the largest, of a direction that the tracks determine."""

WEAK = 1e-2
"""Penalty of the logistic regression in place of none: there is a maximum where classes can be parted without error."""

STEPS, SETTLED = 50, 1e-9
"""Newton's steps of the logistic regression, and the change of the coefficients after which there are no more."""

CHUNK = 2**21
"""Elements of the matrices that are inverted at a time."""


def coefficient_intervals(
    predictor: SeriesRidge | SeriesLogistic,
    features: npt.ArrayLike,
    y: npt.ArrayLike,
    groups: npt.ArrayLike | None = None,
    *,
    level: float = 0.95,
) -> Array:
    """Intervals of intercept and coefficients, and p-values of no effect, without the penalty.

    Wavelet and features are held as they are, so the intervals do not say how sure that choice is.

    Parameters
    ----------
    predictor : SeriesRidge or SeriesLogistic
        Fitted to these features.
    features : array_like, shape (n, features)
        Of the training tracks.
    y : array_like, shape (n,)
        Their targets.
    groups : array_like, shape (n,), optional
        What was drawn independently: cells, where there are two; tracks by default.
    level : float
        Of each interval.

    Returns
    -------
    ndarray, shape (1 + features, 3)
        Lower and upper end, and the p-value after Holm's correction for the number of features: if those below 0.05 are
        called sure, the chance that any of them has no effect is at most 0.05. The intercept comes first, without a
        p-value. NaN where the tracks, or those without one of the cells, do not tell a coefficient from others.

    Raises
    ------
    ValueError
        If there is one cluster only, or lengths disagree.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> F = rng.standard_normal((200, 2))
    >>> y = F @ [1.0, 0.0] + 0.1 * rng.standard_normal(200)
    >>> found = coefficient_intervals(SeriesRidge().fit(F, y), F, y)
    >>> bool(found[1, 0] < 1 < found[1, 1]), (found[1:, 2] < 0.05).tolist()
    (True, [True, False])
    """
    check_is_fitted(predictor)
    level = real_number("level", level, "a probability", above=0, below=1)
    F, targets = np.asarray(features, dtype=np.float64), np.asarray(y)
    if len(F) != len(targets):
        raise ValueError(f"there are features of {len(F)} tracks and {len(targets)} targets")
    labels = np.arange(len(F)) if groups is None else np.asarray(groups)
    if len(labels) != len(F):
        raise ValueError(f"groups has {len(labels)} entries for {len(F)} tracks; give one for each")
    names, places = np.unique(labels, return_inverse=True)
    if len(names) < 2:
        raise ValueError("an interval needs two clusters or more; where there is one cell, leave out tracks")
    design = np.column_stack([np.ones(len(F)), (F - predictor.feature_mean_) / predictor.feature_sd_])
    if isinstance(predictor, SeriesLogistic):
        found, left_out = _logistic(design, (targets == predictor.classes_[1]).astype(np.float64), places)
    else:
        found, left_out = _least_squares(design, targets.astype(np.float64), places)
    rows = [
        interval_from_left_out(float(value), without, level=level, null=0.0)
        for value, without in zip(
            _raw(found, predictor), _raw(left_out, predictor).reshape(len(names), -1).T, strict=True
        )
    ]
    p = np.array([row.p_value for row in rows], dtype=np.float64)
    return np.column_stack([[row.low for row in rows], [row.high for row in rows], [np.nan, *holm(p[1:])]])


def holm(p: npt.ArrayLike) -> Array:
    """p-values after Holm's correction (1979, Scand. J. Stat. 6); NaN stays, and counts as no test.

    Examples
    --------
    >>> holm([0.01, 0.04, float("nan"), 0.03]).round(4).tolist()
    [0.03, 0.06, nan, 0.06]
    """
    values = np.asarray(p, dtype=np.float64)
    order = np.argsort(values)
    known = int(np.isfinite(values).sum())
    left = np.where(np.arange(len(values)) < known, known - np.arange(len(values)), 1)
    found = np.empty(len(values))
    found[order] = np.minimum(np.maximum.accumulate(values[order] * left), 1.0)
    return found


def _raw(found: Array, predictor: SeriesRidge | SeriesLogistic) -> Array:
    """Intercept and coefficients per unit of each feature, from those of standardised features."""
    slopes = found[..., 1:] / predictor.feature_sd_
    return np.concatenate([found[..., :1] - (slopes @ predictor.feature_mean_)[..., None], slopes], axis=-1)


def _least_squares(D: Array, y: Array, places: Indices) -> tuple[Array, Array]:
    inverse, is_open = _inverse(D.T @ D)
    found = inverse @ (D.T @ y)
    left_out = _without(found, D, np.ones(len(D)), y - D @ found, places)
    return np.where(is_open, np.nan, found), left_out


def _logistic(D: Array, y: Array, places: Indices) -> tuple[Array, Array]:
    found = np.zeros(D.shape[1])
    for _ in range(STEPS):
        chance = _chance(D @ found)
        weight = chance * (1 - chance)
        inverse, is_open = _inverse((D * weight[:, None]).T @ D, WEAK)
        step = inverse @ (D.T @ (y - chance) - WEAK * found)
        # A step is cut so that no track's log odds are thrown to where both classes look sure.
        found = found + step * min(1.0, 4 / max(float(np.abs(D @ step).max()), 1e-300))
        if float(np.abs(step).max()) < SETTLED:
            break
    left_out = _without(found, D, weight, y - chance, places, WEAK)
    return np.where(is_open, np.nan, found), left_out


def _without(found: Array, D: Array, weight: Array, residual: Array, places: Indices, penalty: float = 0.0) -> Array:
    """Coefficients without each cluster, shape (clusters, coefficients).

    One of Newton's steps from the coefficients of all, which is exact for least squares.
    """
    clusters, k = int(places.max()) + 1, D.shape[1]
    order = np.argsort(places, kind="stable")
    bounds = np.searchsorted(places[order], np.arange(clusters + 1))
    total = (D * weight[:, None]).T @ D
    left_out = np.empty((clusters, k))
    size = max(1, CHUNK // k**2)
    for first in range(0, clusters, size):
        some = range(first, min(first + size, clusters))
        parts = [order[bounds[c] : bounds[c + 1]] for c in some]
        hessians = np.stack([total - (D[rows] * weight[rows, None]).T @ D[rows] for rows in parts])
        gradients = np.stack([D[rows].T @ residual[rows] for rows in parts])
        inverse, is_open = _inverse(hessians, penalty)
        step = np.einsum("cij,cj->ci", inverse, gradients)
        left_out[some.start : some.stop] = np.where(is_open, np.nan, found - step)
    return left_out


def _inverse(matrices: Array, penalty: float = 0.0) -> tuple[Array, Flags]:
    """Inverses of symmetric matrices (..., k, k) + penalty, and which coefficients (..., k) are not determined."""
    sizes, axes = np.linalg.eigh(matrices)
    large = sizes > OPEN * sizes[..., -1:]
    turned = axes * np.where(large, 1 / np.where(large, sizes + penalty, 1.0), 0.0)[..., None, :]
    is_open = np.einsum("...ij,...j->...i", axes**2, (~large).astype(np.float64)) > 1e-6
    return turned @ np.swapaxes(axes, -1, -2), is_open


def _chance(odds: Array) -> Array:
    return 0.5 * (1 + np.tanh(odds / 2))
