"""The readable predictor: least squares, ridge, logistic.

Tracks of one cell resemble each other, so the penalty is chosen by cross-validation that keeps groups together.
"""

import math
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.linear_model import LogisticRegression
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_array, check_is_fitted, check_X_y

from awd_cme.model.folds import PENALTY, grouped_folds
from awd_core.checks import Columns, plain_array, real_array, real_list, varying, whole_number
from awd_core.typing import AnyArray, Array

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
        Of the training tracks; the deviation no less than a thousandth of the median one of those that vary, and
        infinite where a feature does not vary: it has no slope.
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
        features, targets = check_X_y(
            real_array(X), plain_array(y, "y"), dtype=np.float64, y_numeric=True, ensure_min_samples=2, estimator=self
        )
        seed = whole_number("seed", self.seed, 0)
        alphas = np.array(real_list("alphas", self.alphas)) if np.ndim(self.alphas) else np.empty(0)
        if not len(alphas) or not (np.isfinite(alphas) & (alphas >= 0)).all():
            raise ValueError(f"alphas are one or more penalties from 0 on; got {self.alphas}")
        self.feature_mean_ = features.mean(axis=0)
        self.feature_sd_ = _scale(features)
        Z = (features - self.feature_mean_) / self.feature_sd_
        self.alpha_ = float(alphas[0])
        if len(alphas) > 1:
            splits = grouped_folds(np.arange(len(Z)) if groups is None else groups, self.folds, seed, stream=PENALTY)
            errors = np.zeros(len(alphas))
            for train, test in splits:
                errors += (
                    (targets[test, None] - _ridge_predictions(Z[train], targets[train], Z[test], alphas)) ** 2
                ).sum(0)
            self.alpha_ = float(alphas[int(errors.argmin())])
        Columns.of(X, features.shape).keep(self)
        self.limits_ = (float(targets.min()), float(targets.max())) if self.clip else (-math.inf, math.inf)
        slope = _ridge_slopes(Z, targets - targets.mean(), np.array([self.alpha_]))[:, 0]
        self.coef_ = slope / self.feature_sd_
        self.intercept_ = float(targets.mean() - self.feature_mean_ @ self.coef_)
        return self

    def predict(self, X: Any) -> Array:
        """Predict targets, shape (n,)."""
        features = _checked(self, X)
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
        features, labels = check_X_y(real_array(X), plain_array(y, "y"), dtype=np.float64, estimator=self)
        seed = whole_number("seed", self.seed, 0)
        self.classes_ = np.unique(labels)
        if len(self.classes_) != 2:
            kind = type_of_target(labels) if len(self.classes_) > 2 else "one class"
            raise ValueError(
                f"Only binary classification is supported. The type of the target is {kind}: success has two classes; "
                f"y has {len(self.classes_)}: {self.classes_[:5].tolist()}"
            )
        alphas = real_list("alphas", self.alphas)
        if not alphas or not all(0 < alpha < math.inf for alpha in alphas):
            raise ValueError(f"alphas are one or more positive penalties; got {self.alphas}")
        self.feature_mean_ = features.mean(axis=0)
        self.feature_sd_ = _scale(features)
        Z = (features - self.feature_mean_) / self.feature_sd_
        Columns.of(X, features.shape).keep(self)
        positive = labels == self.classes_[1]
        self.alpha_ = alphas[0]
        if len(alphas) > 1:
            labelled = np.arange(len(Z)) if groups is None else groups
            splits = grouped_folds(labelled, self.folds, seed, positive, stream=PENALTY)
            losses = [sum(_log_loss(Z, positive, train, test, alpha) for train, test in splits) for alpha in alphas]
            self.alpha_ = alphas[int(np.argmin(losses))]
        model = LogisticRegression(C=1 / self.alpha_, max_iter=2000).fit(Z, positive)
        self.coef_ = model.coef_[0] / self.feature_sd_
        self.intercept_ = float(model.intercept_[0] - self.feature_mean_ @ self.coef_)
        return self

    def decision_function(self, X: Any) -> Array:
        """Log odds of the second class, shape (n,)."""
        odds: Array = _checked(self, X) @ self.coef_ + self.intercept_
        return odds

    def predict_proba(self, X: Any) -> Array:
        """Probabilities of both classes, shape (n, 2)."""
        success = 0.5 * (1 + np.tanh(self.decision_function(X) / 2))
        return np.stack([1 - success, success], axis=1)

    def predict(self, X: Any) -> AnyArray:
        """The more probable class, shape (n,)."""
        success = self.decision_function(X) > 0
        labels: AnyArray = self.classes_[success.astype(int)]
        return labels

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags


def least_squares() -> SeriesRidge:
    """Ordinary least squares, the published regression: a `SeriesRidge` without penalty and limits."""
    return SeriesRidge(alphas=(0.0,), clip=False)


def fit_predictor(predictor: Any, F: Array, y: AnyArray, groups: AnyArray) -> Any:
    """Fit a predictor, with groups if it is one of this module's; of one group alone, tracks choose the penalty."""
    if isinstance(predictor, SeriesRidge | SeriesLogistic):
        return predictor.fit(F, y, groups=groups if len(np.unique(groups)) > 1 else None)
    return predictor.fit(F, y)


def _checked(model: SeriesRidge | SeriesLogistic, X: Any) -> Array:
    """Features (n, features) with the columns that the model was fitted to."""
    check_is_fitted(model)
    features: Array = check_array(real_array(X), dtype=np.float64, estimator=model, input_name="X")
    Columns.kept_by(model).check(X, features.shape, model)
    return features


def _scale(features: Array) -> Array:
    """Deviations to divide by. A coefficient that reads little but padding hardly varies: it is not blown up to 1."""
    sd, varies = features.std(axis=0), varying(features)
    least = 1e-3 * float(np.median(sd[varies])) if varies.any() else 0.0
    scale: Array = np.where(varies, np.maximum(sd, least), np.inf)
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
