"""The student as an estimator of scikit-learn: few readable numbers of a wavelet, and a ridge from them to the labels.

The wavelet is chosen by a teacher's outputs, where there are some; the ridge is fitted to the labels.
"""

import math
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import BaseEstimator, RegressorMixin, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted, column_or_1d
from torch import Tensor

from awd_core.checks.columns import Columns
from awd_core.checks.real_numbers import plain_array, real_array
from awd_core.files.atomic import write_json
from awd_core.files.record import from_json, reading, to_json
from awd_core.student.card import Head, StudentCard
from awd_core.student.data import LEAST_ROWS, StudentSet, sets_of
from awd_core.student.distill import StudentOptions, as_given, found_by
from awd_core.student.numbers import NUMBERS
from awd_core.student.objective import StudentWeights, column_table, number_table
from awd_core.student.reading import beside, own_name
from awd_core.student.result import StudentDistillation
from awd_core.student.ridge import fit_ridge
from awd_core.student.search import StudentSearch
from awd_core.typing import AnyArray, Array
from awd_core.wavelets.wavelet import Wavelet


@dataclass(eq=False, repr=False)
class Student(TransformerMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """What regressor and classifier share, which is all but how labels are coded."""

    wavelet: Any = "db5"
    numbers: Sequence[Any] = ("maximum",)
    levels: int = 4
    mode: str = "symmetric"
    ndim: int | None = None
    _: KW_ONLY
    undecimated: bool = True
    lengths: int | Sequence[int] | None = None
    per_level: bool = False
    per_channel: bool = False
    most: int | None = None
    weights: StudentWeights | None = None
    leave_out: str = "input"
    learn: bool = True
    search: StudentSearch | None = None
    seed: int = 0

    _task: ClassVar[str]
    _own_parameters: ClassVar[tuple[str, ...]]

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

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted student to a JSON file, whole or not at all: all of the model, and how it was found.

        `load` gives it back; `awd_core.StudentCard.load` reads the file with NumPy alone, and predicts. Functions of
        one's own stand in it by their names.

        Raises
        ------
        TypeError
            If classes are of a type that JSON has no word for.
        """
        check_is_fitted(self)
        layout = self._options.layout
        card = StudentCard(
            head=self.head_, numbers=tuple(self._columns), targets=tuple(self._targets()), shape=self.sample_shape_,
            features=Columns.kept_by(self).names, extra=tuple(self._extra),
            wavelets=tuple(one.name for one in self.wavelets_), taps=tuple(one.taps for one in self.wavelets_),
            levels=layout.levels, mode=layout.mode, undecimated=layout.undecimated, negated=self.negated_,
            channels=layout.channels, per_channel=layout.per_channel,
            classes=getattr(self, "classes_", None), limits=getattr(self, "limits_", (-math.inf, math.inf)),
        )  # fmt: skip
        taken = isinstance(self.wavelet, StudentDistillation)
        parameters = {name: value for name, value in self._options.to_dict().items() if name != "start"} | {
            "wavelet": None if taken else [to_json(one) for one in self._options.named],
            "leave_out": self.leave_out,
            "learn": bool(self.learn),
            **{name: getattr(self, name) for name in self._own_parameters},
        }
        told = {"estimator": parameters, "kept": self._kept, "distillation": self.distillation_.to_dict()}
        write_json(path, card.to_dict() | told)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, functions: Sequence[Callable[..., Any]] = ()) -> Self:
        """Read a student that `save` wrote; nothing that the file names is run.

        Parameters
        ----------
        path : path
            The file.
        functions : sequence of callable
            Functions of one's own among its `numbers`, the same as when it was fitted.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If it is no such file, lacks something, was written by a later version, or is of the other task.
        """
        with reading(path, "a student") as values:
            return cls._of(values, {own_name(one): one for one in functions})

    @classmethod
    def _of(cls, values: dict[str, Any], functions: dict[str, Callable[..., Any]]) -> Self:
        card = StudentCard.from_dict(values)
        if values["task"] != cls._task:
            other = {"regression": "WaveletStudent", "classification": "WaveletStudentClassifier"}[values["task"]]
            raise ValueError(f"it is a student for {values['task']}; load it with {other}.load")
        parameters, found = dict(values["estimator"]), StudentDistillation.from_dict(values["distillation"])
        for name in parameters["numbers"]:
            if name not in functions and name not in NUMBERS and not re.fullmatch(r"largest \d+", name):
                raise ValueError(
                    f"it reads the number {name} by a function of its maker's own; give it in functions=[…]"
                )
        parameters["numbers"] = [functions.get(name, name) for name in parameters["numbers"]]
        given = parameters["wavelet"]
        parameters["wavelet"] = found if given is None else [from_json(Wavelet, one) for one in given]
        parameters["weights"] = StudentWeights(**parameters["weights"])
        parameters["search"] = StudentSearch(**parameters["search"])
        student = cls(**parameters)
        student._options = student._checked_options((1, *card.shape))
        student.distillation_, student.wavelets_, student.negated_ = found, list(found.wavelets), found.negated
        student.head_, student.coefficients_ = card.head, card.coefficients
        student._columns, student._kept, student._extra = list(card.numbers), list(values["kept"]), list(card.extra)
        student.sample_shape_ = card.shape
        Columns(card.features, card.shape[0]).keep(student)
        if card.classes is None:
            student.limits_ = card.limits
        else:
            student.classes_ = card.classes
        return student

    def _fit(
        self, x: Tensor, labels: Array, *, outputs: Any, groups: Any, extra: Any, unlabelled: Any, gradients: Any
    ) -> None:
        """Choose the wavelet by the outputs, the numbers with it, and fit the head to the labels (n, T)."""
        if len(labels) != len(x):
            raise ValueError(f"Found input variables with inconsistent numbers of samples: {[len(x), len(labels)]}")
        chosen_by = labels if outputs is None else outputs
        (labelled,), self._extra = sets_of(
            x, chosen_by, self.ndim, extra=extra, groups=groups, gradients=gradients, leave_out=self.leave_out
        )
        one = labelled
        if unlabelled is not None:
            one = self._with_unlabelled(one, unlabelled, taught=outputs is not None)
        given = self.wavelet if isinstance(self.wavelet, StudentDistillation) else None
        self._options = self._checked_options(tuple(x.shape))
        if self.learn and given is None:
            self.distillation_ = found_by([one], self._extra, self._options)
        else:
            self.distillation_ = as_given(one, self._extra, self._options, given)
        self.wavelets_, self.negated_ = list(self.distillation_.wavelets), self.distillation_.negated
        columns = column_table(x, self._options.layout, self._options.numbers, self.wavelets_, self._extra)
        places = {column.name: place for place, column in enumerate(columns)}
        self._kept = [places[name] for name in self.distillation_.columns]
        self._columns = [columns[place] for place in self._kept]
        self.head_: Head = self._fitted_head(self._numbers(x, labelled.extra.numpy()), labels, labelled)
        self.coefficients_ = self.head_.table(self._columns, self._targets())

    def _checked_options(self, shape: tuple[int, ...]) -> StudentOptions:
        given = list(self.wavelet.wavelets) if isinstance(self.wavelet, StudentDistillation) else self.wavelet
        return StudentOptions.of(
            wavelet=given, lengths=self.lengths, numbers=self.numbers, levels=self.levels,
            undecimated=self.undecimated, mode=self.mode, shape=shape, ndim=self.ndim, per_level=self.per_level,
            per_channel=self.per_channel, most=self.most, weights=self.weights, search=self.search, seed=self.seed,
        )  # fmt: skip

    def _fitted_head(self, F: Array, labels: Array, one: StudentSet) -> Head:
        return fit_ridge(F, labels, groups=one.left_out)

    def _numbers(self, x: Tensor, beside: Array) -> Array:
        """Kept numbers of inputs that are checked, with the columns beside them."""
        table = number_table(x, self._options.layout, self._options.numbers, self.wavelets_, self.negated_)
        rows: Array = np.hstack([table, beside])[:, self._kept]
        return rows

    def _table(self, X: Any, extra: Any) -> Array:
        """As `transform`, an array whatever `set_output` says."""
        x = self._checked(X, reset=False)
        return self._numbers(x, beside(extra, len(x), self._extra, type(self).__name__))

    def _targets(self) -> list[str]:
        return ["y"]

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
            np.concatenate([labelled.groups, further.groups + labelled.groups.max() + 1]), by_group=labelled.by_group,
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


@dataclass(eq=False, repr=False, kw_only=True)
class WaveletStudent(RegressorMixin, Student):  # type: ignore[misc] # scikit-learn has no types
    """Few readable numbers of a wavelet that was chosen for them, and a ridge from these to the labels.

    Parameters
    ----------
    wavelet : Wavelet, str or pywt.Wavelet, a list of them, or StudentDistillation
        Where the search starts. A distillation, of several data sets perhaps, is taken as it is, nothing is searched.
    numbers, levels, mode, ndim, undecimated, lengths, per_level, per_channel, most, weights, leave_out, search, seed
        As for `awd_core.student.distill_student`; `leave_out` says the same of the head's penalty.
    learn : bool
        Whether the wavelet is searched; otherwise it stays as given, one for all levels or a list with one for each.
    clip : bool
        Whether predictions stay within the range of the labels.

    Attributes
    ----------
    distillation_ : StudentDistillation
        The wavelet, the numbers that were kept, and the search.
    wavelets_ : list of Wavelet
        One for all levels, or one for each, the finest first, or one for each channel.
    negated_ : bool
        Whether details are read with the other sign.
    head_ : Head
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

    clip: bool = True

    _task: ClassVar[str] = "regression"
    _own_parameters: ClassVar[tuple[str, ...]] = ("clip",)

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
            What is held out together when the search's winner is chosen, and left out together with
            `leave_out="group"`.
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


def one_column(y: Any) -> AnyArray:
    """Labels (n,) of whatever type."""
    if y is None:
        raise ValueError(
            "this estimator requires y to be passed, but the target y is None: give a label for each input"
        )
    values = y.detach().cpu().numpy() if isinstance(y, Tensor) else y
    labels: AnyArray = column_or_1d(plain_array(values, "y"), warn=True)
    return np.asarray(check_array(labels, ensure_2d=False, dtype=None, input_name="y"))
