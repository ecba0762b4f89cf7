"""A student as a card: the whole model in one JSON file, from which NumPy alone predicts.

    {"format": "awd-student-model", "version": 1, "task": "regression" or "classification",
     "shape": [of an input], "features": [names of its columns] or null, "extra": [columns beside the input],
     "wavelets": [{"name", "taps"}, …], "levels": …, "mode": …, "undecimated": …, "negated": …,
     "numbers": [{"name", "meaning", "unit", "number", "place", "part"}, …],
     "head": {"kind", "intercept": [T], "coefficients": [[T], …], "standard_errors": [[T], …], "penalty", "error"},
     "targets": [T names], "classes": {"values", "dtype"} or null, "limits": [least or null, largest or null],
     "channels": {"count", "per_channel"} where inputs have an axis of channels,
     "estimator": {…}, "distillation": {…}}

The last two are what `WaveletStudent.load` needs beside. Of wavelets there is one for all levels, or one for each, the
finest first, or with "per_channel" one for each channel. The module imports neither torch nor scikit-learn; where bands
are decimated, PyWavelets reads them.
"""

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import numpy as np

from awd_core.checks.columns import Columns
from awd_core.checks.real_numbers import real_array
from awd_core.files.record import reading
from awd_core.student.reading import (
    Bands,
    Column,
    bands_of,
    bands_of_channels,
    beside,
    own_name,
    read_number,
    refuse_not_finite,
)
from awd_core.typing import AnyArray, Array, Rows

FORMAT, VERSION = "awd-student-model", 1
NAMES = "format version task shape features extra wavelets levels mode undecimated negated numbers head targets classes"


class Coefficient(NamedTuple):
    """One row of a student's table; `pandas.DataFrame(student.coefficients_)` shows all.

    Parameters
    ----------
    target : str
        What is predicted: "y", or a class.
    name, meaning, unit : str
        Of the number; the unit "x" is that of the input.
    estimate : float
        Change of the prediction (of a logistic head the log odds) per unit of the number; for the intercept the
        prediction where all are zero.
    standard_error : float
        As in `awd_core.student.ridge.fit_ridge`: for this wavelet and these numbers.
    """

    target: str
    name: str
    meaning: str
    unit: str
    estimate: float
    standard_error: float


@dataclass(frozen=True)
class Head:
    """From the numbers to what is predicted: a linear model that was fitted.

    Attributes
    ----------
    kind : {"ridge", "logistic"}
        Whether it gives predictions, or log odds.
    coefficients : ndarray, shape (K, T)
        Per unit of each number.
    intercept : ndarray, shape (T,)
    standard_errors : ndarray, shape (K + 1, T)
        Of the intercept, then of the coefficients. See `fit_ridge` and `fit_logistic`.
    penalty : float
        α.
    error : float
        Of a ridge the relative leave-one-out error; of a logistic head the cross-validated log loss over that of the
        classes' frequencies.
    """

    kind: str
    coefficients: Array
    intercept: Array
    standard_errors: Array
    penalty: float
    error: float

    def __call__(self, F: Array) -> Array:
        """Predictions or log odds, shape (n, T), of numbers (n, K)."""
        predictions: Array = F @ self.coefficients + self.intercept
        return predictions

    def table(self, columns: Sequence[Column], targets: Sequence[str]) -> list[Coefficient]:
        """All rows, target by target, the intercept first."""
        rows = [
            ("intercept", "prediction where all numbers are zero", ""),
            *((c.name, c.meaning, c.unit) for c in columns),
        ]
        estimates = np.vstack([self.intercept, self.coefficients])
        return [
            Coefficient(target, *told, float(estimates[row, t]), float(self.standard_errors[row, t]))
            for t, target in enumerate(targets)
            for row, told in enumerate(rows)
        ]


def probabilities(log_odds: Array) -> Array:
    """Of classes, (n, C), from the log odds of each, or (n, 2) from those of the second of two, (n, 1)."""
    values = np.hstack([np.zeros_like(log_odds), log_odds]) if log_odds.shape[1] == 1 else log_odds
    shares = np.exp(values - values.max(axis=1, keepdims=True))
    found: Array = shares / shares.sum(axis=1, keepdims=True)
    return found


def chosen(values: Array) -> Rows:
    """Which class has the largest value, (n,); of two classes (n, 1) is the second's."""
    return (values[:, 0] > 0).astype(np.int64) if values.shape[1] == 1 else values.argmax(axis=1)


@dataclass(frozen=True, eq=False, repr=False)
class StudentCard:
    """A student that predicts with NumPy alone: `WaveletStudent.save` writes its file, `load` reads it.

    Attributes
    ----------
    head : Head
        From the numbers to what is predicted.
    numbers : tuple of Column
        What is read off the bands, or given beside the input.
    targets : tuple of str
        What is predicted: "y", or classes.
    shape : tuple of int
        Of an input.
    features : tuple of str or None
        Names of its columns.
    extra : tuple of str
        Columns that are given beside the input, whether they are read or not.
    wavelets : tuple of str
        Their names.
    taps : tuple of ndarray, shape (L,)
        Low-pass filter of all levels, or of each, the finest first.
    levels, mode, undecimated, negated, per_channel
        As for `awd_core.WaveletStudent`.
    channels : int
        How many channels an input has on an axis of its own; 0 where there is none.
    classes : ndarray or None
        The classes; None for a regression.
    limits : (float, float)
        Least and largest prediction.
    functions : mapping of str to callable
        Numbers of the maker's own, by their names, from a dict of bands as NumPy arrays.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from awd_core import WaveletStudent
    >>> X = np.random.default_rng(0).standard_normal((80, 32))
    >>> student = WaveletStudent("haar", levels=1).fit(X, np.diff(X).max(axis=1))
    >>> file = Path(tempfile.mkdtemp()) / "student.json"
    >>> student.save(file)
    >>> card = StudentCard.load(file)
    >>> bool(np.allclose(card.predict(X), student.predict(X))), card.coefficients[1].name
    (True, 'A1 maximum')
    """

    head: Head
    numbers: tuple[Column, ...]
    targets: tuple[str, ...]
    shape: tuple[int, ...]
    features: tuple[str, ...] | None
    extra: tuple[str, ...]
    wavelets: tuple[str, ...]
    taps: tuple[Array, ...]
    levels: int
    mode: str
    undecimated: bool
    negated: bool
    classes: AnyArray | None = None
    limits: tuple[float, float] = (-math.inf, math.inf)
    functions: Mapping[str, Callable[[Bands], Any]] = field(default_factory=dict)
    channels: int = 0
    per_channel: bool = False

    def __repr__(self) -> str:
        return f"<StudentCard of {', '.join(self.targets)}: {len(self.numbers)} numbers of inputs {self.shape}>"

    @property
    def coefficients(self) -> list[Coefficient]:
        """The model in full, as `WaveletStudent.coefficients_`."""
        return self.head.table(self.numbers, self.targets)

    def transform(self, X: Any, extra: Any = None) -> Array:
        """The numbers.

        Parameters
        ----------
        X : array_like, shape (n, *shape)
            Inputs.
        extra : array_like, shape (n, E), optional
            The columns beside them that the student was fitted with.

        Returns
        -------
        ndarray, shape (n, K)

        Raises
        ------
        TypeError, ValueError
            If the inputs, or the columns beside them, are not such as the student was fitted to.
        """
        x = real_array(X).astype(np.float64)
        if x.shape[1:] != self.shape or len(x) == 0:
            raise ValueError(
                f"X has shape {x.shape}; give inputs (n, {', '.join(map(str, self.shape))}), X[None] of one"
            )
        refuse_not_finite(x, "X")
        Columns(self.features, self.shape[0]).check(X, x.shape, self)
        columns = beside(extra, len(x), self.extra, "the student")
        bands = self.bands(x)
        found = [
            read_number(one, bands, self.functions) if one.number else columns[:, self.extra.index(one.name)]
            for one in self.numbers
        ]
        return np.column_stack(found)

    def bands(self, x: Array) -> Bands:
        """Bands of inputs (n, *shape) that are checked."""
        how: dict[str, Any] = {name: getattr(self, name) for name in ("levels", "mode", "undecimated", "negated")}
        if self.channels:
            return bands_of_channels(x, self.taps, per_channel=self.per_channel, **how)
        return bands_of(x, self.taps, **how)

    def predict(self, X: Any, extra: Any = None) -> AnyArray:
        """Predict labels or classes, shape (n,), or (n, T) of several targets; parameters as for `transform`."""
        return self.told(self.head(self.transform(X, extra)))

    def told(self, values: Array) -> AnyArray:
        """What is predicted where the head gives `values`, shape (n, T)."""
        if self.classes is not None:
            return np.asarray(self.classes[chosen(values)])
        return np.clip(values[:, 0] if values.shape[1] == 1 else values, *self.limits)

    def predict_proba(self, X: Any, extra: Any = None) -> Array:
        """Predict probabilities of the classes, shape (n, C); parameters as for `transform`.

        Raises
        ------
        ValueError
            If the head is no logistic one, whose values alone are log odds.
        """
        if self.head.kind != "logistic":
            raise ValueError(
                f"the head is a {self.head.kind}, whose values are no log odds; fit one with head='logistic'"
            )
        return probabilities(self.head(self.transform(X, extra)))

    def to_dict(self) -> dict[str, Any]:
        """As JSON values, in the form that the module describes."""
        head = {name: getattr(self.head, name) for name in ("kind", "penalty")}
        head["error"] = self.head.error if math.isfinite(self.head.error) else None
        head |= {name: getattr(self.head, name).tolist() for name in ("intercept", "coefficients", "standard_errors")}
        pairs = zip(self.wavelets, self.taps, strict=True)
        classes = self.classes
        return {
            "format": FORMAT,
            "version": VERSION,
            "task": "regression" if classes is None else "classification",
            "shape": list(self.shape),
            "features": None if self.features is None else list(self.features),
            "extra": list(self.extra),
            "wavelets": [{"name": name, "taps": taps.tolist()} for name, taps in pairs],
            "levels": self.levels,
            "mode": self.mode,
            "undecimated": self.undecimated,
            "negated": self.negated,
            "numbers": [asdict(one) for one in self.numbers],
            "head": head,
            "targets": list(self.targets),
            "classes": None if classes is None else {"values": classes.tolist(), "dtype": classes.dtype.str},
            "limits": [end if math.isfinite(end) else None for end in self.limits],
            **({"channels": {"count": self.channels, "per_channel": self.per_channel}} if self.channels else {}),
        }

    @classmethod
    def from_dict(cls, values: Any, functions: Sequence[Callable[[Bands], Any]] = ()) -> "StudentCard":
        """Card of what `to_dict` gave; `functions` as for `load`.

        Raises
        ------
        ValueError, TypeError, KeyError
            If it is no card, or something in it is missing or of another kind.
        """
        if not isinstance(values, Mapping) or values.get("format") != FORMAT:
            raise ValueError(f'it has no "format": "{FORMAT}"; files like this are written by WaveletStudent.save')
        if values.get("version") != VERSION:
            raise ValueError(
                f"its version is {values.get('version')!r} and this awd-core reads version {VERSION}: update"
            )
        if missing := [name for name in [*NAMES.split(), "limits"] if name not in values]:
            raise ValueError(f"it lacks {', '.join(missing)}")
        head, classes = values["head"], values["classes"]
        numbers = tuple(Column(**one) for one in values["numbers"])
        arrays = {
            name: np.array(head[name], dtype=np.float64) for name in ("intercept", "coefficients", "standard_errors")
        }
        targets = tuple(values["targets"])
        shapes = {"intercept": (len(targets),), "coefficients": (len(numbers), len(targets))}
        shapes["standard_errors"] = (len(numbers) + 1, len(targets))
        if wrong := [name for name, shape in shapes.items() if arrays[name].shape != shape]:
            raise ValueError(f"its {wrong[0]} have shape {arrays[wrong[0]].shape}, not {shapes[wrong[0]]}")
        error = math.nan if head["error"] is None else head["error"]
        low, high = values["limits"]
        return cls(
            head=Head(head["kind"], **arrays, penalty=head["penalty"], error=error),
            numbers=numbers,
            targets=targets,
            shape=tuple(values["shape"]),
            features=None if values["features"] is None else tuple(values["features"]),
            extra=tuple(values["extra"]),
            wavelets=tuple(one["name"] for one in values["wavelets"]),
            taps=tuple(np.array(one["taps"], dtype=np.float64) for one in values["wavelets"]),
            levels=values["levels"],
            mode=values["mode"],
            undecimated=values["undecimated"],
            negated=values["negated"],
            classes=None if classes is None else np.array(classes["values"], dtype=classes["dtype"]),
            limits=(-math.inf if low is None else low, math.inf if high is None else high),
            functions={own_name(one): one for one in functions},
            channels=values.get("channels", {}).get("count", 0),
            per_channel=values.get("channels", {}).get("per_channel", False),
        )

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, functions: Sequence[Callable[[Bands], Any]] = ()) -> "StudentCard":
        """Read the file that a student's `save` wrote; nothing that it names is run.

        Parameters
        ----------
        path : path
            The file.
        functions : sequence of callable
            Numbers of the maker's own, where the student reads some, from a dict of bands as NumPy arrays.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If it is no such file, lacks something, or was written by a later version.
        """
        with reading(path, "a student") as values:
            return cls.from_dict(values, functions)
