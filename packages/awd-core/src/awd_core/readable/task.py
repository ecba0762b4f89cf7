"""Truths: numbers to be predicted, or classes; which of both, unless it is said, goes by what they look like."""

from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from awd_core.checks.choices import check_choice
from awd_core.checks.real_numbers import plain_array
from awd_core.typing import AnyArray, Array, Rows

Task = Literal["auto", "regression", "classification"]
FEW = 20
"""Whole numbers that differ, up to which they are taken for classes."""
EACH = 3
"""Samples that each of them must have on the average."""


@dataclass(frozen=True, eq=False)
class Truths:
    """What is to be predicted, checked.

    Attributes
    ----------
    task : {"regression", "classification"}
        Which.
    values : ndarray, shape (n, T)
        Numbers; of classes 1 for the one that it is and −1 for others, of two classes that of the second alone.
    classes : ndarray, shape (C,), or None
        The classes, sorted.
    places : ndarray of int, shape (n,), or None
        Which class each is.
    names : tuple of str
        Of what is predicted.
    word : str
        Why it was taken for classes, or numbers, if that was guessed and could be otherwise; else empty.
    """

    task: str
    values: Array
    classes: AnyArray | None
    places: Rows | None
    names: tuple[str, ...]
    word: str = ""

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: Rows) -> "Truths":
        """Some of them."""
        places = None if self.places is None else self.places[rows]
        return Truths(self.task, self.values[rows], self.classes, places, self.names, self.word)

    def like(self, y: Any, name: str = "test y") -> "Truths":
        """Further truths of the same kind.

        Raises
        ------
        ValueError
            If they are of another kind, or of a class that these have not.
        """
        if self.classes is None:
            found = truths_of(y, "regression", name=name)
            if found.values.shape[1] != self.values.shape[1]:
                raise ValueError(
                    f"{name} has {found.values.shape[1]} columns and y has {self.values.shape[1]}; give as many"
                )
            return found
        given = _column(plain_array(y, name), name)
        known = set(self.classes.tolist())
        if strange := sorted({str(one) for one in given.tolist() if one not in known}):
            raise ValueError(
                f"{name} has the classes {', '.join(strange)}, which y has not; give samples of its classes"
            )
        places = np.searchsorted(self.classes, given.astype(self.classes.dtype)).astype(np.int64)
        return Truths(self.task, coded(places, len(self.classes)), self.classes, places, self.names, self.word)


def coded(places: Rows, count: int) -> Array:
    """Classes as 1 and −1, (n, C), or of two (n, 1)."""
    found = np.where(places[:, None] == np.arange(count), 1.0, -1.0)
    return found[:, 1:] if count == 2 else found


def truths_of(y: Any, task: Task = "auto", *, name: str = "y") -> Truths:
    """Truths as the caller gave them.

    Parameters
    ----------
    y : array_like, shape (n,) or (n, T)
        Numbers, or classes: texts, booleans, whole numbers.
    task : {"auto", "regression", "classification"}
        With "auto", texts, booleans and whole numbers of at most 20 kinds are classes, all else is numbers.
    name : str
        What messages call them.

    Raises
    ------
    ValueError, TypeError
        If they are neither, not finite, all alike, or a class has one sample.

    Examples
    --------
    >>> truths_of(["a", "b", "a", "b"]).task, truths_of([0.5, 1.0, 2.0]).task
    ('classification', 'regression')
    >>> truths_of([0, 1, 2] * 4).word
    'y has 3 kinds of whole numbers, taken for classes; --task regression predicts them as numbers'
    """
    check_choice("task", task, ("auto", "regression", "classification"), required=True)
    given = plain_array(y, name)
    if given.dtype.kind == "O":
        given = np.array([str(one) for one in given]) if any(isinstance(one, str) for one in given.ravel()) else given
    if given.ndim not in (1, 2) or len(given) < 2 or 0 in given.shape:
        raise ValueError(
            f"{name} has shape {given.shape}; give one number or class for each input, (n,), or (n, targets)"
        )
    word = ""
    if task == "auto":
        task, word = _guessed(given, name)
    if task == "classification":
        return _classes(given, name, word)
    if given.dtype.kind not in "fiub" and given.dtype.kind != "O":
        raise ValueError(f"{name} holds texts and the task is regression; give numbers, or --task classification")
    try:
        values = given.astype(np.float64).reshape(len(given), -1)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} holds no numbers ({error}); give numbers, or --task classification") from error
    if not np.isfinite(values).all():
        row = int(np.argwhere(~np.isfinite(values))[0][0])
        raise ValueError(f"{name} contains NaN or infinity, in row {row}; leave such rows out or fill them in")
    if (alike := np.flatnonzero(np.ptp(values, axis=0) == 0)).size:
        raise ValueError(f"{name} is {values[0, alike[0]]:g} in all rows, and there is nothing to predict; give truths")
    names = ("y",) if values.shape[1] == 1 else tuple(f"y{place}" for place in range(values.shape[1]))
    return Truths("regression", values, None, None, names, word)


def _guessed(given: AnyArray, name: str) -> tuple[Literal["regression", "classification"], str]:
    if given.ndim == 2 and given.shape[1] > 1:
        return "regression", ""
    if given.dtype.kind in "USb":
        return "classification", ""
    values = given.ravel().astype(np.float64)
    kinds = len(np.unique(values))
    if (
        np.isfinite(values).all()
        and (values == np.round(values)).all()
        and kinds <= FEW
        and kinds * EACH <= len(values)
    ):
        return "classification", (
            f"{name} has {kinds} kinds of whole numbers, taken for classes; --task regression predicts them as numbers"
        )
    return "regression", ""


def _column(given: AnyArray, name: str) -> AnyArray:
    if given.ndim == 2 and given.shape[1] > 1:
        raise ValueError(
            f"{name} has shape {given.shape} and the task is classification; give one class for each input"
        )
    return given.ravel()


def _classes(given: AnyArray, name: str, word: str) -> Truths:
    values = _column(given, name)
    if values.dtype.kind == "f":
        if not np.isfinite(values).all():
            raise ValueError(f"{name} contains NaN or infinity; leave such rows out")
        if (values == np.round(values)).all():
            values = values.astype(np.int64)
    counts = Counter(values.tolist())
    if len(counts) < 2:
        raise ValueError(f"{name} has one class, {values.tolist()[0]!r}; give samples of two classes or more")
    if few := [one for one, count in counts.items() if count < 2]:
        raise ValueError(
            f"{name} has one sample of {len(few)} of its {len(counts)} classes, such as {few[0]!r}; give "
            "two or more of "
            "each, or --task regression where they are numbers"
        )
    classes, places = np.unique(values, return_inverse=True)
    names = tuple(str(one) for one in (classes[1:] if len(classes) == 2 else classes))
    where = places.reshape(-1).astype(np.int64)
    return Truths("classification", coded(where, len(classes)), classes, where, names, word)
