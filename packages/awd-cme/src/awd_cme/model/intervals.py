"""Bootstrap intervals of the readable model's coefficients: the model fitted anew to cells drawn with replacement."""

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.utils.validation import check_is_fitted

from awd_cme.model.bootstrap import cluster_weights
from awd_cme.model.regression import SeriesLogistic, SeriesRidge
from awd_core.checks import is_real_number

Array = npt.NDArray[np.float64]


def coefficient_intervals(
    predictor: SeriesRidge | SeriesLogistic,
    features: npt.ArrayLike,
    y: npt.ArrayLike,
    groups: npt.ArrayLike | None = None,
    *,
    replicates: int = 500,
    level: float = 0.95,
    seed: int = 0,
) -> Array:
    """Percentile intervals of intercept and coefficients, the penalty and the features' scale held as they are.

    Wavelet and features are held too, so the intervals do not say how sure that choice is.

    Parameters
    ----------
    predictor : SeriesRidge or SeriesLogistic
        Fitted to these features.
    features : array_like, shape (n, features)
        Of the training tracks.
    y : array_like, shape (n,)
        Their targets.
    groups : array_like, shape (n,), optional
        Clusters; tracks by default.
    replicates, level, seed : int, float, int
        As for `awd_cme.model.clustered_bootstrap`.

    Returns
    -------
    ndarray, shape (1 + features, 2)
        Lower and upper ends, the intercept first.

    Raises
    ------
    ValueError
        If there is one cluster only, or lengths disagree.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> F = rng.standard_normal((200, 2))
    >>> y = F @ [1.0, 0.0] + 0.1 * rng.standard_normal(200)
    >>> ends = coefficient_intervals(SeriesRidge().fit(F, y), F, y, replicates=100)
    >>> bool(ends[1, 0] < 1 < ends[1, 1]), bool(ends[2, 0] < 0.05 and ends[2, 1] > -0.05)
    (True, True)
    """
    check_is_fitted(predictor)
    if not is_real_number(level) or not 0 < level < 1:
        raise ValueError(f"the level of an interval lies between 0 and 1; got {level!r}")
    F, targets = np.asarray(features, dtype=np.float64), np.asarray(y)
    if len(F) != len(targets):
        raise ValueError(f"there are features of {len(F)} tracks and {len(targets)} targets")
    counts, places = cluster_weights(np.arange(len(F)) if groups is None else groups, replicates, seed)
    if len(places) != len(F):
        raise ValueError(f"groups has {len(places)} entries for {len(F)} tracks; give one for each")
    Z = (F - predictor.feature_mean_) / predictor.feature_sd_
    fit: Any = _logistic if isinstance(predictor, SeriesLogistic) else _ridge
    values = targets == predictor.classes_[1] if isinstance(predictor, SeriesLogistic) else targets.astype(np.float64)
    drawn = []
    for count in counts:
        weight = count[places]
        if isinstance(predictor, SeriesLogistic) and len(np.unique(values[weight > 0])) < 2:
            continue
        slope, intercept = fit(Z, values, weight, predictor.alpha_)
        raw = slope / predictor.feature_sd_
        drawn.append([intercept - predictor.feature_mean_ @ raw, *raw])
    ends: Array = np.quantile(np.array(drawn), [(1 - level) / 2, (1 + level) / 2], axis=0).T
    return ends


def _ridge(Z: Array, y: Array, weight: Array, alpha: float) -> tuple[Array, float]:
    total = weight.sum()
    centre, level = weight @ Z / total, float(weight @ y / total)
    root = np.sqrt(weight)[:, None]
    A, b = root * (Z - centre), root[:, 0] * (y - level)
    if alpha > 0:
        slope = np.linalg.solve(A.T @ A + alpha * np.eye(A.shape[1]), A.T @ b)
    else:
        slope = np.linalg.lstsq(A, b, rcond=None)[0]
    return slope, level - float(centre @ slope)


def _logistic(Z: Array, y: Array, weight: Array, alpha: float) -> tuple[Array, float]:
    model = LogisticRegression(C=1 / alpha, max_iter=2000).fit(Z, y, sample_weight=weight)
    return model.coef_[0], float(model.intercept_[0])
