"""The student for classes: the wavelet is chosen as the regressor's, with the classes coded as numbers."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from awd_core.checks.choices import check_choice
from awd_core.student.card import Head, chosen, probabilities
from awd_core.student.data import StudentSet
from awd_core.student.estimator import Student, one_column
from awd_core.student.logistic import fit_logistic
from awd_core.typing import AnyArray, Array


@dataclass(eq=False, repr=False, kw_only=True)
class WaveletStudentClassifier(ClassifierMixin, Student):  # type: ignore[misc] # scikit-learn has no types
    """Few readable numbers of a wavelet that was chosen for them, and a linear head from these to classes.

    The wavelet and the numbers are chosen by the ridge to a teacher's outputs, or to the classes coded as 1 and −1,
    with its exact leave-one-out error. The head is fitted to the labels.

    Parameters
    ----------
    wavelet, numbers, levels, mode, ndim, undecimated, lengths, per_level, per_channel, most, weights, leave_out, learn,
    search, seed
        As for `WaveletStudent`.
    head : {"logistic", "ridge"}
        Logistic regression, the softmax of several classes, whose values are log odds and give probabilities; or least
        squares to the coded classes, in closed form. The class with the largest value wins.

    Attributes
    ----------
    classes_ : ndarray
        The classes.
    distillation_, wavelets_, negated_, head_, coefficients_, sample_shape_, n_features_in_, feature_names_in_
        As for `WaveletStudent`; a logistic head's coefficients are log odds per unit of a number.

    Examples
    --------
    >>> X = np.random.default_rng(0).standard_normal((80, 32))
    >>> y = np.where(np.diff(X).max(axis=1) > 3, "steep", "flat")
    >>> student = WaveletStudentClassifier("haar", levels=1).fit(X, y)
    >>> student.score(X, y) > 0.9, student.predict_proba(X).shape
    (True, (80, 2))
    """

    head: str = "logistic"

    _task: ClassVar[str] = "classification"
    _own_parameters: ClassVar[tuple[str, ...]] = ("head",)

    def fit(
        self, X: Any, y: Any, outputs: Any = None, groups: Any = None, extra: Any = None, unlabelled: Any = None,
        gradients: Any = None,
    ) -> Self:  # fmt: skip
        """Choose the wavelet and the numbers, and fit the head.

        Parameters
        ----------
        X, groups, extra, unlabelled, gradients
            As for `WaveletStudent.fit`; a logistic head's penalty is chosen on whole groups that are held out.
        y : array_like, shape (n,)
            Classes.
        outputs : array_like, shape (n,) or (n, C), optional
            A teacher's logits or probabilities, out of fold; the coded classes by default.
        """
        check_choice("head", self.head, ("logistic", "ridge"), required=True)
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
        values = self._values(X, extra)
        return values[:, 0] if len(self.classes_) == 2 else values

    def predict(self, X: Any, extra: Any = None) -> AnyArray:
        """Predict classes, shape (n,); parameters as for `transform`."""
        places = chosen(self._values(X, extra))  # before `classes_`, which only a fit brings
        classes: AnyArray = self.classes_[places]
        return classes

    @available_if(lambda self: self.head == "logistic")  # type: ignore[untyped-decorator] # scikit-learn has no types
    def predict_proba(self, X: Any, extra: Any = None) -> Array:
        """Predict probabilities, shape (n, C), in the order of `classes_`; with `head="logistic"`."""
        return probabilities(self._values(X, extra))

    def _values(self, X: Any, extra: Any) -> Array:
        check_is_fitted(self)
        return self.head_(self._table(X, extra))

    def _fitted_head(self, F: Array, labels: Array, one: StudentSet) -> Head:
        if self.head == "ridge":
            return super()._fitted_head(F, labels, one)
        return fit_logistic(F, chosen(labels), one.groups)

    def _targets(self) -> list[str]:
        return [str(one) for one in (self.classes_[1:] if len(self.classes_) == 2 else self.classes_)]
