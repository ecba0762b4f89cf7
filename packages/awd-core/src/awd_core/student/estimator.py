"""The student as an estimator of scikit-learn: few readable numbers of a wavelet, and a ridge from them to the labels.

The wavelet is chosen by a teacher's outputs, where there are some; the ridge is fitted to the labels.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import BaseEstimator, RegressorMixin, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted, column_or_1d
from torch import Tensor

from awd_core.checks.columns import Columns
from awd_core.checks.real_numbers import plain_array, real_array
from awd_core.student.data import LEAST_ROWS, StudentSet, extra_columns, sets_of
from awd_core.student.distill import StudentOptions, as_given, found_by
from awd_core.student.numbers import Column
from awd_core.student.objective import StudentWeights, column_table, number_table
from awd_core.student.result import StudentDistillation
from awd_core.student.ridge import Ridge, fit_ridge
from awd_core.student.search import StudentSearch

Array = npt.NDArray[np.float64]


class Coefficient(NamedTuple):
    """One row of a student's table; `pandas.DataFrame(student.coefficients_)` shows all.

    Parameters
    ----------
    target : str
        What is predicted: "y", or a class.
    name, meaning, unit : str
        Of the number; the unit "x" is that of the input.
    estimate : float
        Change of the prediction per unit of the number; for the intercept the prediction where all are zero.
    standard_error : float
        As in `awd_core.student.ridge.fit_ridge`: for this wavelet and these numbers.
    """

    target: str
    name: str
    meaning: str
    unit: str
    estimate: float
    standard_error: float


class Student(TransformerMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """What regressor and classifier share, which is all but how labels are coded."""

    def __init__(
        self,
        wavelet: Any = "db5",
        numbers: Sequence[Any] = ("maximum",),
        levels: int = 4,
        mode: str = "symmetric",
        ndim: int | None = None,
        *,
        undecimated: bool = True,
        lengths: int | Sequence[int] | None = None,
        per_level: bool = False,
        most: int | None = None,
        weights: StudentWeights | None = None,
        learn: bool = True,
        search: StudentSearch | None = None,
        seed: int = 0,
    ) -> None:
        self.wavelet = wavelet
        self.numbers = numbers
        self.levels = levels
        self.mode = mode
        self.ndim = ndim
        self.undecimated = undecimated
        self.lengths = lengths
        self.per_level = per_level
        self.most = most
        self.weights = weights
        self.learn = learn
        self.search = search
        self.seed = seed

    def transform(self, X: Any, extra: Any = None) -> Array:
        """The numbers that were kept.

        Parameters
        ----------
        X : array_like, shape (n, *sample_shape_)
            Inputs.
        extra : array_like, shape (n, E), optional
            The columns that `fit` was given beside them.

        Returns
        -------
        ndarray, shape (n, K), float64
            See `get_feature_names_out` for their names, `coefficients_` for what they are.
        """
        check_is_fitted(self)
        return self._table(X, extra)

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[np.object_]:
        """Names of the numbers that were kept, such as "D3 maximum".

        Parameters
        ----------
        input_features : array_like of str, optional
            Not looked at: the numbers are of the whole input.
        """
        check_is_fitted(self)
        return np.array(self.distillation_.columns, dtype=object)

    def _fit(
        self, x: Tensor, labels: Array, *, outputs: Any, groups: Any, extra: Any, unlabelled: Any, gradients: Any
    ) -> None:
        """Choose the wavelet by the outputs, the numbers with it, and fit the head to the labels (n, T)."""
        if len(labels) != len(x):
            raise ValueError(f"Found input variables with inconsistent numbers of samples: {[len(x), len(labels)]}")
        chosen_by = labels if outputs is None else outputs
        (one,), self._extra = sets_of(x, chosen_by, self.ndim, extra=extra, groups=groups, gradients=gradients)
        beside = one.extra.numpy()
        if unlabelled is not None:
            one = self._with_unlabelled(one, unlabelled, taught=outputs is not None)
        given = self.wavelet if isinstance(self.wavelet, StudentDistillation) else None
        self._options = StudentOptions.of(
            wavelet=self.wavelet if given is None else list(given.wavelets), lengths=self.lengths, numbers=self.numbers,
            levels=self.levels, undecimated=self.undecimated, mode=self.mode, ndim=x.ndim - 1,
            per_level=self.per_level, most=self.most, weights=self.weights, search=self.search, seed=self.seed,
        )  # fmt: skip
        if self.learn and given is None:
            self.distillation_ = found_by([one], self._extra, self._options)
        else:
            self.distillation_ = as_given(one, self._extra, self._options, given)
        self.wavelets_, self.negated_ = list(self.distillation_.wavelets), self.distillation_.negated
        columns = {c.name: (k, c) for k, c in enumerate(self._columns(x))}
        kept = [columns[name] for name in self.distillation_.columns]
        self._kept = [place for place, _ in kept]
        self.head_: Ridge = fit_ridge(self._numbers(x, beside), labels)
        named = [
            ("intercept", "prediction where all numbers are zero", ""),
            *((c.name, c.meaning, c.unit) for _, c in kept),
        ]
        estimates = np.vstack([self.head_.intercept, self.head_.coefficients])
        self.coefficients_ = [
            Coefficient(target, *told, float(estimates[row, t]), float(self.head_.standard_errors[row, t]))
            for t, target in enumerate(self._targets(labels.shape[1]))
            for row, told in enumerate(named)
        ]

    def _columns(self, x: Tensor) -> list[Column]:
        return column_table(x, self._options.layout, self._options.numbers, self._extra)

    def _numbers(self, x: Tensor, beside: Array) -> Array:
        """Kept numbers of inputs that are checked, with the columns beside them."""
        table = number_table(x, self._options.layout, self._options.numbers, self.wavelets_, self.negated_)
        rows: Array = np.hstack([table, beside])[:, self._kept]
        return rows

    def _table(self, X: Any, extra: Any) -> Array:
        """As `transform`, an array whatever `set_output` says."""
        x = self._checked(X, reset=False)
        beside, names = extra_columns(extra)
        if names != self._extra:
            raise ValueError(f"extra has the columns {names}; {type(self).__name__} was fitted to {self._extra}")
        if beside is not None and len(beside) != len(x):
            raise ValueError(f"extra has {len(beside)} rows for {len(x)} inputs; give one for each")
        return self._numbers(x, np.empty((len(x), 0)) if beside is None else beside)

    def _targets(self, count: int) -> list[str]:
        return ["y"] * count

    def _with_unlabelled(self, labelled: StudentSet, unlabelled: Any, *, taught: bool) -> StudentSet:
        """Labelled inputs and those that have outputs alone, as one set."""
        if not taught:
            raise ValueError("unlabelled inputs tell something by the teacher's outputs; give outputs= for X as well")
        if not isinstance(unlabelled, tuple | list) or len(unlabelled) not in (2, 3):
            raise ValueError("unlabelled is a pair (X, outputs), or with extra columns (X, outputs, extra)")
        X, outputs, *extra = unlabelled
        values = self._checked(X, reset=False)
        (further,), names = sets_of(values, outputs, self.ndim, extra=extra[0] if extra else None)
        if names != self._extra or further.outputs.shape[1] != labelled.outputs.shape[1]:
            raise ValueError(
                f"unlabelled has the extra columns {names} and {further.outputs.shape[1]} outputs; the labelled inputs "
                f"have {self._extra} and {labelled.outputs.shape[1]}"
            )
        if labelled.gradients is not None:
            raise ValueError(
                "unlabelled inputs come without gradients; leave out gradients and the interpretation term"
            )
        return StudentSet(
            torch.cat([labelled.X, further.X]), torch.cat([labelled.outputs, further.outputs]),
            torch.cat([labelled.extra, further.extra]),
            np.concatenate([labelled.groups, further.groups + labelled.groups.max() + 1]),
        )  # fmt: skip

    def _checked(self, X: Any, *, reset: bool) -> Tensor:
        values = X.detach().cpu().numpy() if isinstance(X, Tensor) else X
        array = check_array(
            real_array(values), dtype=np.float64, allow_nd=True, input_name="X", estimator=self,
            ensure_min_samples=LEAST_ROWS if reset else 1,
        )  # fmt: skip
        if reset:
            self.sample_shape_: tuple[int, ...] = tuple(array.shape[1:])
            Columns.of(X, array.shape).keep(self)
        else:
            if array.ndim == len(self.sample_shape_) + 1:
                Columns.kept_by(self).check(X, array.shape, self)
            if array.shape[1:] != self.sample_shape_:
                raise ValueError(f"samples of X have shape {array.shape[1:]}; fit saw {self.sample_shape_}")
        return torch.from_numpy(np.array(array))


class WaveletStudent(RegressorMixin, Student):  # type: ignore[misc] # scikit-learn has no types
    """Few readable numbers of a wavelet that was chosen for them, and a ridge from these to the labels.

    Parameters
    ----------
    wavelet : Wavelet, str or pywt.Wavelet, a list of them, or StudentDistillation
        Where the search starts. A distillation, of several data sets perhaps, is taken as it is, nothing is searched.
    numbers, levels, mode, ndim, undecimated, lengths, per_level, most, weights, search, seed
        As for `awd_core.student.distill_student`.
    learn : bool
        Whether the wavelet is searched; otherwise it stays as given, one for all levels or a list with one for each.
    clip : bool
        Whether predictions stay within the range of the labels.

    Attributes
    ----------
    distillation_ : StudentDistillation
        The wavelet, the numbers that were kept, and the search.
    wavelets_ : list of Wavelet
        One for all levels, or one for each, the finest first.
    negated_ : bool
        Whether details are read with the other sign.
    head_ : Ridge
        From the numbers to the labels; `head_.error` is its relative leave-one-out error.
    coefficients_ : list of Coefficient
        The model in full: name, meaning, unit, estimate and standard error of every number.
    limits_ : (float, float)
        Least and largest prediction; infinite without `clip`.
    sample_shape_, n_features_in_, feature_names_in_
        As for `WaveletTransformer`.

    Examples
    --------
    >>> X = np.random.default_rng(0).standard_normal((80, 32))
    >>> y = np.diff(X).max(axis=1)
    >>> student = WaveletStudent("haar", levels=1).fit(X, y)
    >>> list(student.get_feature_names_out()), round(student.score(X, y), 2)
    (['A1 maximum', 'D1 maximum'], 1.0)
    """

    def __init__(
        self,
        wavelet: Any = "db5",
        numbers: Sequence[Any] = ("maximum",),
        levels: int = 4,
        mode: str = "symmetric",
        ndim: int | None = None,
        *,
        undecimated: bool = True,
        lengths: int | Sequence[int] | None = None,
        per_level: bool = False,
        most: int | None = None,
        weights: StudentWeights | None = None,
        learn: bool = True,
        search: StudentSearch | None = None,
        clip: bool = True,
        seed: int = 0,
    ) -> None:
        super().__init__(
            wavelet, numbers, levels, mode, ndim, undecimated=undecimated, lengths=lengths, per_level=per_level,
            most=most, weights=weights, learn=learn, search=search, seed=seed,
        )  # fmt: skip
        self.clip = clip

    def fit(
        self, X: Any, y: Any, outputs: Any = None, groups: Any = None, extra: Any = None, unlabelled: Any = None,
        gradients: Any = None,
    ) -> Self:  # fmt: skip
        """Choose the wavelet and the numbers, and fit the ridge.

        Parameters
        ----------
        X : array_like, shape (n, N) or (n, H, W)
            Inputs.
        y : array_like, shape (n,)
            Labels, which the ridge is fitted to.
        outputs : array_like, shape (n,) or (n, T), optional
            A teacher's outputs, which the wavelet and the numbers are chosen by; the labels by default. Where the
            teacher was fitted to these inputs, its outputs out of fold, or with the input left out.
        groups : array_like, shape (n,), optional
            What is held out together when the search's winner is chosen.
        extra : array_like, shape (n, E), optional
            Columns beside the numbers, such as a log lifetime; `predict` then needs them too.
        unlabelled : pair of array_like, optional
            Further inputs with outputs and without labels: (X, outputs), or (X, outputs, extra).
        gradients : array_like, of X's shape, optional
            Input gradients of the teacher, for the interpretation term.

        Raises
        ------
        TypeError, ValueError
            If something will not do, as for `distill_student`.
        """
        x = self._checked(X, reset=True)
        labels = real_array(one_column(y), "y").astype(np.float64)
        self._fit(
            x, labels[:, None], outputs=outputs, groups=groups, extra=extra, unlabelled=unlabelled, gradients=gradients
        )
        self.limits_ = (float(labels.min()), float(labels.max())) if self.clip else (-math.inf, math.inf)
        return self

    def predict(self, X: Any, extra: Any = None) -> Array:
        """Predict labels, shape (n,); parameters as for `transform`."""
        check_is_fitted(self)
        predictions: Array = np.clip(self.head_(self._table(X, extra))[:, 0], *self.limits_)
        return predictions

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        # The columns of a table are no series: its largest details tell little of a target that is linear in them.
        tags.regressor_tags.poor_score = True
        return tags


def one_column(y: Any) -> npt.NDArray[Any]:
    """Labels (n,) of whatever type."""
    if y is None:
        raise ValueError(
            "this estimator requires y to be passed, but the target y is None: give a label for each input"
        )
    values = y.detach().cpu().numpy() if isinstance(y, Tensor) else y
    labels: npt.NDArray[Any] = column_or_1d(plain_array(values, "y"), warn=True)
    return np.asarray(check_array(labels, ensure_2d=False, dtype=None, input_name="y"))
