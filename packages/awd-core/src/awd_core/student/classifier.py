"""The student for classes: as the regressor, with the classes coded as numbers."""

from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from awd_core.student.estimator import Array, Student, one_column


class WaveletStudentClassifier(ClassifierMixin, Student):  # type: ignore[misc] # scikit-learn has no types
    """Few readable numbers of a wavelet that was chosen for them, and a least-squares classifier.

    Classes are coded as 1 and −1, so that the ridge and its leave-one-out error are the regressor's, exact and in
    closed form; the class with the largest value wins. The values are no probabilities.

    Parameters
    ----------
    wavelet, numbers, levels, mode, ndim, undecimated, lengths, per_level, most, weights, learn, search, seed
        As for `WaveletStudent`.

    Attributes
    ----------
    classes_ : ndarray
        The classes.
    distillation_, wavelets_, negated_, head_, coefficients_, sample_shape_, n_features_in_, feature_names_in_
        As for `WaveletStudent`.

    Examples
    --------
    >>> X = np.random.default_rng(0).standard_normal((80, 32))
    >>> y = np.where(np.diff(X).max(axis=1) > 3, "steep", "flat")
    >>> WaveletStudentClassifier("haar", levels=1).fit(X, y).score(X, y) > 0.9
    True
    """

    def fit(
        self, X: Any, y: Any, outputs: Any = None, groups: Any = None, extra: Any = None, unlabelled: Any = None,
        gradients: Any = None,
    ) -> Self:  # fmt: skip
        """Choose the wavelet and the numbers, and fit the ridge.

        Parameters
        ----------
        X, groups, extra, unlabelled, gradients
            As for `WaveletStudent.fit`.
        y : array_like, shape (n,)
            Classes.
        outputs : array_like, shape (n,) or (n, C), optional
            A teacher's logits or probabilities, out of fold; the coded classes by default.
        """
        x = self._checked(X, reset=True)
        values = one_column(y)
        check_classification_targets(values)
        self.classes_, places = np.unique(values, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"y has one class, {self.classes_[0]!r}; give samples of two classes or more")
        coded = np.where(places[:, None] == np.arange(len(self.classes_)), 1.0, -1.0)
        self._fit(
            x, coded[:, 1:] if len(self.classes_) == 2 else coded,
            outputs=outputs, groups=groups, extra=extra, unlabelled=unlabelled, gradients=gradients,
        )  # fmt: skip
        return self

    def decision_function(self, X: Any, extra: Any = None) -> Array:
        """Values of the classes, shape (n, C); of two classes that of the second, shape (n,)."""
        check_is_fitted(self)
        values = self.head_(self._table(X, extra))
        return values[:, 0] if len(self.classes_) == 2 else values

    def predict(self, X: Any, extra: Any = None) -> npt.NDArray[Any]:
        """Predict classes, shape (n,); parameters as for `transform`."""
        values = self.decision_function(X, extra)
        chosen = (values > 0).astype(int) if values.ndim == 1 else values.argmax(axis=1)
        classes: npt.NDArray[Any] = self.classes_[chosen]
        return classes

    def _targets(self, count: int) -> list[str]:
        return [str(one) for one in self.classes_[-count:]]
