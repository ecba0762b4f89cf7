"""A teacher without training: random convolutions of a series, and a ridge from what they give to the target.

Kernels have random lengths, weights and dilations, as ROCKET draws them (Dempster, Petitjean and Webb 2020, "ROCKET:
exceptionally fast and accurate time series classification using random convolutional kernels"), and a threshold that
is a value they give on some training series, as in MiniRocket (2021). Of what a kernel z gives
along a series, with its threshold b, three numbers are kept: max z, the share of samples where z > b, and the mean of
max(z − b, 0). The ridge from all of them has the penalty with the least leave-one-out error. A few hundred series of 40
samples take a second, and are told about as well as by a network.

What it has no way to give is gradients: it answers, and distillation by the answer (`awd_core.student`) asks no more.
"""

import os
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_array, check_consistent_length, check_is_fitted, column_or_1d
from torch import Tensor
from torch.nn.functional import conv1d

from awd_core.checks import Columns, plain_array, real_array, real_list, whole_number
from awd_core.teacher import in_memory, load_tensors, save_tensors
from awd_core.typing import AnyArray, Array, Rows

ALPHAS = tuple(np.logspace(-1, 5, 13).tolist())
"""Penalties of the ridge that are tried, for standardised numbers."""
LENGTHS = (7, 9, 11)
"""Lengths of kernels; shorter where a series is."""
CHUNK = 1 << 22
"""Values of all kernels of one shape that are held at a time."""
LEAST = 1e-6
"""A number whose deviation is below this part of its largest value tells series apart by rounding."""


class _ConvolutionTeacher(BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """What regressor and classifier share."""

    def __init__(self, kernels: int = 400, alphas: Sequence[float] = ALPHAS, random_state: int = 0) -> None:
        self.kernels = kernels
        self.alphas = alphas
        self.random_state = random_state

    def as_torch(self) -> NoReturn:
        """Raise TypeError: there is no module that has gradients."""
        check_is_fitted(self)
        raise TypeError(
            f"a {type(self).__name__} has no gradients: the shares of samples above a threshold are steps. Ask a "
            "network (SeriesTeacher) for attributions; distillation by the teacher's answer needs predictions alone"
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it to a safetensors file, whole or not at all."""
        check_is_fitted(self)
        arrays = {"kernels": self._weights, "shapes": self._shapes, "thresholds": self._thresholds}
        arrays |= {name: torch.from_numpy(np.atleast_1d(getattr(self, name))) for name in FITTED}
        columns = Columns.kept_by(self)
        document = {
            "class": type(self).__name__,
            "params": {
                "kernels": int(self.kernels), "alphas": list(map(float, self.alphas)),
                "random_state": int(self.random_state),
            },
            "samples": self.n_samples_, "further": self.n_further_, "columns": columns.names, "number": columns.number,
            "classes": self._classes(),
        }  # fmt: skip
        save_tensors(path, arrays, document, KIND)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read what `save` wrote.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If it is damaged, or holds something else.
        """
        tensors, document = load_tensors(path, KIND)
        if document["class"] != cls.__name__:
            raise ValueError(f"{path} holds a {document['class']}; load it with {document['class']}.load")
        found = cls(**{**document["params"], "alphas": tuple(document["params"]["alphas"])})
        found._weights, found._shapes, found._thresholds = (
            tensors[name] for name in ("kernels", "shapes", "thresholds")
        )
        for name in FITTED:
            value = tensors[name].numpy()
            setattr(found, name, value if name in ("coef_", "mean_", "scale_", "limits_") else float(value[0]))
        found.n_samples_, found.n_further_ = document["samples"], document["further"]
        names = document["columns"]
        Columns(None if names is None else tuple(names), document["number"]).keep(found)
        if document["classes"] is not None:
            found.classes_ = np.array(document["classes"])
        return found

    def _classes(self) -> list[Any] | None:
        return None

    def _fit(self, X: Any, y: Array) -> None:
        """Draw the kernels and fit the ridge to targets (n,)."""
        kernels, seed = whole_number("kernels", self.kernels), whole_number("random_state", self.random_state, 0)
        alphas = real_list("alphas", self.alphas)
        if not alphas or not all(0 < alpha < np.inf for alpha in alphas):
            raise ValueError(f"alphas are one or more positive penalties; got {self.alphas}")
        series, further = self._inputs(X, reset=True)
        check_consistent_length(series, y)
        rng = np.random.default_rng(seed)
        self._weights, self._shapes = drawn(rng, kernels, series.shape[1])
        self._thresholds = torch.zeros(kernels, dtype=torch.float64)
        at = rng.integers(len(series), size=kernels)
        places = rng.random(kernels)
        for rows, weights, dilation, padding in self._groups():
            given = conv1d(series[at[rows]][:, None], weights, padding=padding, dilation=dilation)
            own = torch.arange(len(rows))
            where = torch.from_numpy((places[rows] * given.shape[2]).astype(np.int64))
            self._thresholds[rows] = given[own, own, where]
        F = self._numbers(series, further)
        self.mean_ = F.mean(axis=0)
        sd = F.std(axis=0)
        self.scale_ = np.where(sd > LEAST * np.abs(F).max(axis=0, initial=0.0), sd, np.inf)
        self.intercept_, self.limits_ = float(y.mean()), np.array([y.min(), y.max()])
        slopes, left_out, self.alpha_ = _ridge((F - self.mean_) / self.scale_, y - self.intercept_, alphas)
        self.coef_, self.left_out_ = slopes / self.scale_, np.clip(left_out + self.intercept_, *self.limits_)

    def _predict(self, X: Any) -> Array:
        check_is_fitted(self)
        series, further = self._inputs(X, reset=False)
        found = (self._numbers(series, further) - self.mean_) @ self.coef_ + self.intercept_
        clipped: Array = np.clip(found, *self.limits_)
        return clipped

    def _inputs(self, X: Any, *, reset: bool) -> tuple[Tensor, Array]:
        """Series (n, N), and the means over time of further channels (n, c): a mask, or covariates."""
        values = check_array(
            real_array(in_memory(X, "X")), dtype=np.float64, allow_nd=True, estimator=self, input_name="X",
            ensure_min_samples=2 if reset else 1, ensure_min_features=1,
        )  # fmt: skip
        if values.ndim not in (2, 3):
            raise ValueError(f"series have the shape (n, N), or (n, channels, N) from stack_inputs; got {values.shape}")
        channels = values[:, None] if values.ndim == 2 else values
        shape = (channels.shape[2], channels.shape[1] - 1)
        if reset:
            Columns.of(X, values.shape).keep(self)
            self.n_samples_, self.n_further_ = shape
        else:
            if values.ndim == 2 and not self.n_further_:
                Columns.kept_by(self).check(X, values.shape, self)
            if shape != (self.n_samples_, self.n_further_):
                raise ValueError(
                    f"series have {shape[0]} samples and {shape[1]} further channels; {type(self).__name__} was fitted "
                    f"to {self.n_samples_} samples and {self.n_further_} further channels"
                )
        return torch.from_numpy(channels[:, 0].copy()), channels[:, 1:].mean(axis=2)

    def _numbers(self, series: Tensor, further: Array) -> Array:
        """All numbers of series, (n, 3 kernels + c)."""
        found = torch.empty(len(series), 3, len(self._shapes), dtype=torch.float64)
        for rows, weights, dilation, padding in self._groups():
            size = max(1, CHUNK // (len(rows) * series.shape[1]))
            parts = []
            for part in torch.split(series, size):
                given = conv1d(part[:, None], weights, padding=padding, dilation=dilation)
                above = given - self._thresholds[rows][:, None]
                shares, means = (above > 0).double().mean(2), above.clamp_min(0).mean(2)
                parts.append(torch.stack([given.amax(2), shares, means], dim=1))
            found[:, :, rows] = torch.cat(parts)
        table: Array = np.hstack([found.flatten(1).numpy(), further])
        return table

    def _groups(self) -> Iterator[tuple[Rows, Tensor, int, int]]:
        """Kernels of one length, dilation and padding: which they are, and their weights (kernels, 1, length)."""
        for shape in torch.unique(self._shapes, dim=0):
            rows = (self._shapes == shape).all(dim=1).nonzero()[:, 0].numpy()
            length, dilation, padding = shape.tolist()
            yield rows, self._weights[rows, None, :length], dilation, padding


FITTED = ("coef_", "intercept_", "mean_", "scale_", "limits_", "alpha_")
KIND = "teacher of random convolutions"


def _ridge(Z: Array, y: Array, alphas: Sequence[float]) -> tuple[Array, Array, float]:
    """Slopes, predictions without each row (exactly, as in `awd_core.student.ridge`), and penalty, for centred y."""
    left, sizes, right = np.linalg.svd(Z, full_matrices=False)
    turned = left.T @ y
    kept = sizes**2 / (sizes**2 + np.array(alphas)[:, None])
    residuals = (y - (kept * turned) @ left.T) / (1 - kept @ (left**2).T - 1 / len(y))
    best = int((residuals**2).sum(axis=1).argmin())
    residual, alpha = residuals[best], float(alphas[best])
    return right.T @ (sizes / (sizes**2 + alpha) * turned), y - residual, alpha


def drawn(rng: np.random.Generator, kernels: int, samples: int) -> tuple[Tensor, Tensor]:
    """Weights (kernels, longest length), zeros behind shorter ones; and length, dilation and padding (kernels, 3).

    Weights are normal, less their mean; dilations 2^u with u uniform up to where a kernel is as long as the series;
    half of the kernels go beyond the ends, over zeros.
    """
    lengths = np.minimum(rng.choice(LENGTHS, kernels), max(samples, 1))
    reach = np.log2(np.maximum((samples - 1) / np.maximum(lengths - 1, 1), 1))
    dilations = np.floor(2 ** rng.uniform(0, reach)).astype(np.int64)
    padding = (lengths - 1) * dilations // 2 * rng.integers(2, size=kernels)
    weights = rng.standard_normal((kernels, max(LENGTHS))) * (np.arange(max(LENGTHS)) < lengths[:, None])
    inside = np.arange(max(LENGTHS)) < lengths[:, None]
    weights -= inside * (weights.sum(axis=1) / lengths)[:, None]
    return torch.from_numpy(weights), torch.from_numpy(np.stack([lengths, dilations, padding], axis=1))


class ConvolutionTeacher(RegressorMixin, _ConvolutionTeacher):  # type: ignore[misc] # scikit-learn has no types
    """Random convolutions of a series and a ridge: predicts a number, fast, and strong on small sets.

    Parameters
    ----------
    kernels : int
        How many; each gives three numbers.
    alphas : sequence of float
        Penalties of the ridge, of which the one with the least leave-one-out error is taken.
    random_state : int
        Of the kernels.

    Attributes
    ----------
    alpha_ : float
        The chosen penalty.
    coef_ : ndarray, shape (3 kernels + further channels,)
        Per unit of each number: all largest values, all shares, all means, then the further channels.
    intercept_ : float
        The prediction where all numbers are the training series' mean.
    limits_ : ndarray, shape (2,)
        Least and largest prediction, those of the training targets.
    left_out_ : ndarray, shape (n,)
        Predictions for the training series, each by the ridge fitted without it: answers out of fold for nothing, where
        tracks of a cell are no more alike than others. A file does not keep them.
    n_samples_, n_further_ : int
        Samples of a series, and channels beside it.
    n_features_in_, feature_names_in_
        As for `awd_core.teacher.Teacher`.

    Notes
    -----
    `as_torch` says that there are no gradients.

    Examples
    --------
    >>> from awd_cme.series.series_set import example_set
    >>> series = example_set(200)
    >>> teacher = ConvolutionTeacher(100).fit(series.X[:150], series.y[:150])
    >>> teacher.score(series.X[150:], series.y[150:]) > 0.9
    True
    """

    def fit(self, X: Any, y: Any) -> Self:
        """Draw the kernels and fit the ridge.

        Parameters
        ----------
        X : array_like, shape (n, N) or (n, channels, N)
            Series in any unit; of further channels (`awd_cme.teacher.networks.stack_inputs`) the mean over time counts.
        y : array_like, shape (n,)
            Targets.

        Raises
        ------
        ValueError
            If there are fewer than two series, a value is not finite, or an argument is out of range.
        """
        targets = check_array(column_or_1d(plain_array(y, "y"), warn=True), ensure_2d=False, dtype=np.float64)
        self._fit(X, targets)
        return self

    def predict(self, X: Any) -> Array:
        """Predict targets, shape (n,)."""
        return self._predict(X)


class ConvolutionTeacherClassifier(ClassifierMixin, _ConvolutionTeacher):  # type: ignore[misc] # as above
    """Random convolutions of a series and a ridge to 0 and 1: rates success. Parameters as for `ConvolutionTeacher`.

    The ridge minimises the Brier score, a proper one, so its prediction is a probability, clipped to 0 and 1.

    Examples
    --------
    >>> from awd_cme.series.series_set import example_set
    >>> series = example_set(200)
    >>> ConvolutionTeacherClassifier(100).fit(series.X, series.y > 600).predict_proba(series.X).shape
    (200, 2)
    """

    def fit(self, X: Any, y: Any) -> Self:
        """Draw the kernels and fit the ridge; y has two classes."""
        labels = column_or_1d(plain_array(y, "y"), warn=True)
        self.classes_, places = np.unique(labels, return_inverse=True)
        if len(self.classes_) != 2:
            kind = type_of_target(labels) if len(self.classes_) > 2 else "one class"
            raise ValueError(
                f"Only binary classification is supported. The type of the target is {kind}: success has two classes; "
                f"y has {len(self.classes_)}: {self.classes_[:5].tolist()}"
            )
        self._fit(X, places.astype(np.float64))
        return self

    def predict_proba(self, X: Any) -> Array:
        """Probabilities of both classes, shape (n, 2)."""
        success = self._predict(X)
        return np.stack([1 - success, success], axis=1)

    def predict(self, X: Any) -> AnyArray:
        """The more probable class, shape (n,)."""
        success = self._predict(X) > 0.5
        classes: AnyArray = self.classes_[success.astype(int)]
        return classes

    def _classes(self) -> list[Any] | None:
        return list(self.classes_.tolist())

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags
