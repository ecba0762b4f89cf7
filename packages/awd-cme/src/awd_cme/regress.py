"""The readable predictor, and which wavelet and features it reads: least squares, ridge, logistic; grouped search.

Tracks of one cell resemble each other, so every choice (the ridge's penalty, the wavelet, the features) is made by
cross-validation that keeps groups together, on training tracks alone.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone
from sklearn.linear_model import LogisticRegression
from sklearn.utils.validation import check_array, check_is_fitted, check_X_y

from awd_cme.bootstrap import auc, r2
from awd_cme.features import MaxCoefficients

Array = npt.NDArray[np.float64]
Folds = list[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]]

ALPHAS = tuple(np.logspace(-2, 4, 19).tolist())
"""Penalties α that are tried: Σ(y − p)² + α Σb², b per standard deviation of each feature."""


class SeriesRidge(RegressorMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """Ridge regression on standardised features, its penalty chosen by cross-validation that keeps groups together.

    Parameters
    ----------
    alphas : sequence of float
        Penalties to choose from; one is taken as it is. 0 alone is ordinary least squares, of least norm where
        features are collinear.
    folds : int
        Folds of the choice, at most as many as there are groups.
    seed : int
        Of the folds.
    clip : bool
        Whether predictions stay within the range of the training targets: a track brighter than any before is no
        reason to believe in a target larger than any before.

    Attributes
    ----------
    coef_ : ndarray, shape (features,)
        Per unit of each feature.
    intercept_ : float
    alpha_ : float
        The chosen penalty.
    feature_mean_, feature_sd_ : ndarray, shape (features,)
        Of the training tracks; the deviation no less than a thousandth of the features' median one.
    limits_ : (float, float)
        Least and largest prediction; infinite without `clip`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> F = rng.standard_normal((80, 3))
    >>> model = SeriesRidge().fit(F, F @ [1.0, 0.0, -2.0], groups=np.arange(80) // 10)
    >>> model.coef_.round(2) + 0
    array([ 1.,  0., -2.])
    """

    def __init__(self, alphas: Sequence[float] = ALPHAS, folds: int = 5, seed: int = 0, clip: bool = True) -> None:
        self.alphas = alphas
        self.folds = folds
        self.seed = seed
        self.clip = clip

    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:
        """Choose the penalty and fit.

        Parameters
        ----------
        X : array_like, shape (n, features)
            Features.
        y : array_like, shape (n,)
            Targets.
        groups : array_like, shape (n,), optional
            What is kept together; every track for itself by default.

        Raises
        ------
        ValueError
            If the penalties are none, negative or not finite, or there is a choice and fewer than two groups.
        """
        features, targets = check_X_y(X, y, dtype=np.float64, y_numeric=True)
        alphas = np.asarray(self.alphas, dtype=np.float64)
        if alphas.ndim != 1 or not len(alphas) or not (np.isfinite(alphas) & (alphas >= 0)).all():
            raise ValueError(f"alphas are one or more penalties from 0 on; got {self.alphas}")
        self.n_features_in_: int = features.shape[1]
        self.feature_mean_ = features.mean(axis=0)
        self.feature_sd_ = _scale(features)
        Z = (features - self.feature_mean_) / self.feature_sd_
        self.alpha_ = float(alphas[0])
        if len(alphas) > 1:
            splits = grouped_folds(np.arange(len(Z)) if groups is None else groups, self.folds, self.seed)
            errors = np.zeros(len(alphas))
            for train, test in splits:
                errors += (
                    (targets[test, None] - _ridge_predictions(Z[train], targets[train], Z[test], alphas)) ** 2
                ).sum(0)
            self.alpha_ = float(alphas[int(errors.argmin())])
        self.limits_ = (float(targets.min()), float(targets.max())) if self.clip else (-math.inf, math.inf)
        slope = _ridge_slopes(Z, targets - targets.mean(), np.array([self.alpha_]))[:, 0]
        self.coef_ = slope / self.feature_sd_
        self.intercept_ = float(targets.mean() - self.feature_mean_ @ self.coef_)
        return self

    def predict(self, X: Any) -> Array:
        """Predict targets, shape (n,)."""
        check_is_fitted(self)
        features = check_array(X, dtype=np.float64)
        prediction: Array = np.clip(features @ self.coef_ + self.intercept_, *self.limits_)
        return prediction


class SeriesLogistic(ClassifierMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """Logistic regression for success on standardised features, its penalty chosen by grouped cross-validation.

    Parameters
    ----------
    alphas : sequence of float
        L2 penalties to choose from (scikit-learn's 1/C) by the log-likelihood of held-out tracks.
    folds, seed : int
        As for `SeriesRidge`.

    Attributes
    ----------
    coef_ : ndarray, shape (features,)
        Log odds of the second class per unit of each feature.
    intercept_, alpha_, classes_, feature_mean_, feature_sd_
        As for `SeriesRidge` and as usual.
    """

    def __init__(self, alphas: Sequence[float] = ALPHAS[::3], folds: int = 5, seed: int = 0) -> None:
        self.alphas = alphas
        self.folds = folds
        self.seed = seed

    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:
        """Choose the penalty and fit; y has two classes.

        Raises
        ------
        ValueError
            If there are not two classes, or penalties are not positive.
        """
        features, labels = check_X_y(X, y, dtype=np.float64)
        self.classes_ = np.unique(labels)
        if len(self.classes_) != 2:
            raise ValueError(f"success has two classes; y has {len(self.classes_)}: {self.classes_[:5].tolist()}")
        alphas = [float(alpha) for alpha in self.alphas]
        if not alphas or not all(0 < alpha < math.inf for alpha in alphas):
            raise ValueError(f"alphas are one or more positive penalties; got {self.alphas}")
        self.n_features_in_: int = features.shape[1]
        self.feature_mean_ = features.mean(axis=0)
        self.feature_sd_ = _scale(features)
        Z = (features - self.feature_mean_) / self.feature_sd_
        positive = labels == self.classes_[1]
        self.alpha_ = alphas[0]
        if len(alphas) > 1:
            splits = grouped_folds(np.arange(len(Z)) if groups is None else groups, self.folds, self.seed, positive)
            losses = [sum(_log_loss(Z, positive, train, test, alpha) for train, test in splits) for alpha in alphas]
            self.alpha_ = alphas[int(np.argmin(losses))]
        model = LogisticRegression(C=1 / self.alpha_, max_iter=2000).fit(Z, positive)
        self.coef_ = model.coef_[0] / self.feature_sd_
        self.intercept_ = float(model.intercept_[0] - self.feature_mean_ @ self.coef_)
        return self

    def decision_function(self, X: Any) -> Array:
        """Log odds of the second class, shape (n,)."""
        check_is_fitted(self)
        odds: Array = check_array(X, dtype=np.float64) @ self.coef_ + self.intercept_
        return odds

    def predict_proba(self, X: Any) -> Array:
        """Probabilities of both classes, shape (n, 2)."""
        success = 0.5 * (1 + np.tanh(self.decision_function(X) / 2))
        return np.stack([1 - success, success], axis=1)

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """The more probable class, shape (n,)."""
        labels: npt.NDArray[Any] = self.classes_[(self.decision_function(X) > 0).astype(int)]
        return labels


def least_squares() -> SeriesRidge:
    """Ordinary least squares, the published regression: a `SeriesRidge` without penalty and limits."""
    return SeriesRidge(alphas=(0.0,), clip=False)


PREDICTORS = {"ols": least_squares, "ridge": SeriesRidge, "logistic": SeriesLogistic}
"""Predictors by name."""


@dataclass(frozen=True)
class SettingsSearch:
    """Scores of candidate settings, and which to take.

    Attributes
    ----------
    candidates : tuple of MaxCoefficients
        What was tried.
    scores : ndarray, shape (candidates, folds)
        R², or AUC for a classification, on each fold; all repeats side by side.
    pooled : ndarray, shape (candidates,)
        The score of all predictions for held-out tracks together, averaged over the repeats.
    index : int
        The candidate with the highest pooled score; the first of several.
    """

    candidates: tuple[MaxCoefficients, ...]
    scores: Array
    pooled: Array
    index: int

    @property
    def best(self) -> MaxCoefficients:
        """The chosen candidate, not fitted."""
        return self.candidates[self.index]

    def standard_error(self) -> Array:
        """Standard error of the mean over the folds, for each candidate; too small, as training sets overlap."""
        error: Array = self.scores.std(axis=1, ddof=1) / math.sqrt(self.scores.shape[1])
        return error

    def first_within(self, errors: float = 1.0) -> int:
        """The first candidate that the folds cannot tell from the best, for candidates in order of preference.

        Parameters
        ----------
        errors : float
            How many standard errors, of the mean difference from the best on the same folds, it may lie below.

        Notes
        -----
        The best of many candidates is best by chance too. With the start of a distillation in the first place, this
        stays with it unless the gain is larger than the folds' disagreement about it.
        """
        differences = self.scores[self.index] - self.scores
        error = differences.std(axis=1, ddof=1) / math.sqrt(self.scores.shape[1])
        close = differences.mean(axis=1) <= errors * error
        close[self.index] = True
        return int(np.flatnonzero(close)[0])


def search_settings(
    candidates: Sequence[MaxCoefficients],
    X: npt.ArrayLike,
    y: npt.ArrayLike,
    predictor: BaseEstimator,
    *,
    groups: npt.ArrayLike | None = None,
    folds: int = 5,
    repeats: int = 1,
    seed: int = 0,
) -> SettingsSearch:
    """Score wavelets and features by cross-validation that keeps groups together, all on the same folds.

    The predictor chooses its own penalty within each training part, by groups too.

    Parameters
    ----------
    candidates : sequence of MaxCoefficients
        Such as one for each point of a distillation path, and for each way of choosing features.
    X : array_like, shape (n, N)
        Standardised series of training tracks.
    y : array_like, shape (n,)
        Their targets.
    predictor : SeriesRidge, SeriesLogistic or any scikit-learn estimator
        If its `fit` takes `groups` it is given them.
    groups : array_like, shape (n,), optional
        As `SeriesSet.groups` gives them; every track for itself by default.
    folds, repeats : int
        Folds, and how many times they are drawn anew: the mean of several draws is a steadier judge.
    seed : int
        Of the folds.

    Returns
    -------
    SettingsSearch

    Raises
    ------
    ValueError
        If there are no candidates or fewer groups than two.

    Notes
    -----
    The best of many looks better than it is. Publish its score on tracks that took no part.

    Examples
    --------
    >>> from awd_cme.series_set import example_set
    >>> series = example_set()
    >>> tried = [MaxCoefficients(name, most=2) for name in ("haar", "db5")]
    >>> search_settings(tried, series.X / 100, series.y, SeriesRidge(), groups=series.groups(), folds=3).scores.shape
    (2, 3)
    """
    if not len(candidates):
        raise ValueError("there are no candidates to choose from")
    series, targets = np.asarray(X, dtype=np.float64), np.asarray(y)
    labels = np.arange(len(series)) if groups is None else np.asarray(groups)
    classify = isinstance(predictor, ClassifierMixin)
    metric = auc if classify else r2
    draws = [
        grouped_folds(labels, folds, seed + draw, targets if classify else None) for draw in range(max(1, repeats))
    ]
    scores, pooled = [], []
    for candidate in candidates:
        F = clone(candidate).fit_transform(series)
        by_fold, by_draw = [], []
        for splits in draws:
            held = np.zeros(len(series))
            for train, test in splits:
                model = fit_predictor(clone(predictor), F[train], targets[train], labels[train])
                held[test] = model.predict_proba(F[test])[:, 1] if classify else model.predict(F[test])
                by_fold.append(metric(targets[test], held[test]))
            by_draw.append(metric(targets, held))
        scores.append(by_fold)
        pooled.append(np.mean(by_draw))
    return SettingsSearch(tuple(candidates), np.array(scores), np.array(pooled), int(np.argmax(pooled)))


def fit_predictor(predictor: Any, F: Array, y: npt.NDArray[Any], groups: npt.NDArray[Any]) -> Any:
    """Fit a predictor, with groups if it is one of this module's."""
    if isinstance(predictor, SeriesRidge | SeriesLogistic):
        return predictor.fit(F, y, groups=groups)
    return predictor.fit(F, y)


def grouped_folds(groups: npt.ArrayLike, folds: int, seed: int, labels: npt.NDArray[Any] | None = None) -> Folds:
    """Folds of about equal size that keep groups together.

    Parameters
    ----------
    groups : array_like, shape (n,)
        Group of each track.
    folds : int
        Number of folds; fewer where there are fewer groups.
    seed : int
        Of the order in which groups of one size are dealt.
    labels : ndarray of bool, shape (n,), optional
        Classes: groups are dealt so that each fold has about its share of both, since a fold with one has no AUC.

    Returns
    -------
    list of (training indices, test indices)

    Raises
    ------
    ValueError
        If there are fewer than two folds or groups.
    """
    names, places = np.unique(np.asarray(groups), return_inverse=True)
    count = min(int(folds), len(names))
    if count < 2:
        raise ValueError(
            f"{len(names)} group(s) and {folds} folds: cross-validation needs two or more of both; group by track "
            "where there is one cell"
        )
    sizes = np.bincount(places).astype(np.float64)
    weights = [sizes] if labels is None else [np.bincount(places, labels == label) for label in np.unique(labels)]
    order = np.random.default_rng([seed, 0]).permutation(len(names))
    order = order[np.argsort(-sizes[order], kind="stable")]
    if labels is not None and (sizes == 1).all():
        # Every track for itself: dealing class after class is stratification.
        order = order[np.argsort(weights[0][order], kind="stable")]
    fold, load = np.empty(len(names), dtype=np.intp), np.zeros((count, len(weights)))
    totals = np.array([max(weight.sum(), 1.0) for weight in weights])
    held = [0] * count
    for group in order:
        here = np.array([weight[group] for weight in weights])
        cost = (((load + here) / totals) ** 2 - (load / totals) ** 2).sum(axis=1)
        # Of folds that cost the same the emptiest: no fold stays without a track while there are groups.
        chosen = min(range(count), key=lambda k: (round(float(cost[k]), 12), held[k], k))
        held[chosen] += 1
        fold[group], load[chosen] = chosen, load[chosen] + here
    of_track = fold[places]
    return [(np.flatnonzero(of_track != k), np.flatnonzero(of_track == k)) for k in range(count)]


def _scale(features: Array) -> Array:
    """Deviations to divide by. A coefficient that reads little but padding hardly varies: it is not blown up to 1."""
    sd = features.std(axis=0)
    least = 1e-3 * float(np.median(sd))
    scale: Array = np.where(sd > least, sd, least if least > 0 else 1.0)
    return scale


def _ridge_slopes(Z: Array, centred: Array, alphas: Array) -> Array:
    """Slopes (features, alphas) for centred targets, by the singular values of Z."""
    left, sizes, right = np.linalg.svd(Z, full_matrices=False)
    large = sizes > sizes.max(initial=0.0) * max(Z.shape) * np.finfo(np.float64).eps
    shrunk = np.where(large[:, None], sizes[:, None] / (np.where(large, sizes, 1.0)[:, None] ** 2 + alphas), 0.0)
    slopes: Array = right.T @ (shrunk * (left.T @ centred)[:, None])
    return slopes


def _ridge_predictions(Z: Array, y: Array, other: Array, alphas: Array) -> Array:
    centre = Z.mean(axis=0)
    slopes = _ridge_slopes(Z - centre, y - y.mean(), alphas)
    predictions: Array = (other - centre) @ slopes + y.mean()
    return predictions


def _log_loss(Z: Array, y: Array, train: Any, test: Any, alpha: float) -> float:
    model = LogisticRegression(C=1 / alpha, max_iter=2000).fit(Z[train], y[train])
    odds = model.decision_function(Z[test])
    return float(np.logaddexp(0, np.where(y[test], -odds, odds)).sum())
