"""The model that is kept: a student's card with where its numbers lie, how sure each is, and where it holds.

Its file is the student's (`awd_core.student.card`), which `StudentCard.load` reads as well, with these beside:

     "readable": {"axis": {"name", "low", "high"} or null, "channels": "first" or "last", "features": […],
                  "intervals": [[[low, high] of T targets] of the intercept and each number], "level": 0.95,
                  "usual": {"mean": […], "deviation": […]} of each number, "domain": {…}, "told": {…}}

`told` is what is known of how it was made, for people. NumPy alone is needed to load a model and to predict; where its
numbers are values at places, PyWavelets as well.
"""

import html
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np

from awd_core.checks.real_numbers import real_array
from awd_core.files.atomic import write_json
from awd_core.files.record import reading
from awd_core.readable.axis import Axis
from awd_core.readable.domain import Domain
from awd_core.readable.rules import rules
from awd_core.student.card import StudentCard
from awd_core.student.reading import Column, read_number
from awd_core.typing import AnyArray, Array

SENSED = 4096
"""Samples of an input up to which the place of a value is found by what it responds to."""
HELD = 0.9
"""Share of the response's squares that the width of a value holds."""


class Told(NamedTuple):
    """A number of a model, as a table has it; `model.table()` gives all.

    Parameters
    ----------
    target : str
        What is predicted: "y", or a class.
    name, meaning : str
        Of the number; of the intercept "intercept".
    scale : str
        How wide what it sees is, with the unit of the axis; empty of an intercept.
    position : str
        Where it lies, if it is of a place; else the band.
    weight, low, high : float
        Change of the prediction (of log odds, where classes are predicted) per unit of the number, and its interval.
    per_deviation : float
        Change per standard deviation of the number over the training inputs: by it numbers compare.
    unit : str
        Of the number: "x" is the input's.
    """

    target: str
    name: str
    meaning: str
    scale: str
    position: str
    weight: float
    low: float
    high: float
    per_deviation: float
    unit: str


@dataclass(frozen=True, eq=False, repr=False)
class ReadableModel:
    """Few numbers of a wavelet that predict, with NumPy alone; made by `readable_model` and `awd distill --y`.

    Attributes
    ----------
    card : StudentCard
        The wavelet, the numbers and the linear head.
    intervals : ndarray, shape (K + 1, T, 2)
        Of the intercept and the weights, 95 %.
    mean, deviation : ndarray, shape (K,)
        Of each number over the training inputs.
    domain : Domain
        Where the model holds.
    axis : Axis or None
        What the samples stand for.
    channels_last : bool
        Whether inputs have their channels on the last axis.
    features : tuple of str
        Names of the kinds of numbers that were chosen among.
    told : dict
        How it was made and what it scored, as JSON values.

    Examples
    --------
    >>> from awd_core.readable import readable_model
    >>> X = np.random.default_rng(0).standard_normal((120, 32))
    >>> y = np.abs(np.diff(X)).mean(axis=1)
    >>> model = readable_model(X, y, wavelet="haar", levels=1, numbers=2, features="scale-means").model
    >>> model.predict(X[:3]).shape, model.unlike(100 * X[:1]).tolist()
    ((3,), [True])
    """

    card: StudentCard
    intervals: Array
    mean: Array
    deviation: Array
    domain: Domain
    axis: Axis | None = None
    channels_last: bool = False
    features: tuple[str, ...] = ()
    told: dict[str, Any] = field(default_factory=dict)

    @property
    def task(self) -> str:
        """What it does: "regression" or "classification"."""
        return "regression" if self.card.classes is None else "classification"

    @property
    def shape(self) -> tuple[int, ...]:
        """Of an input, as it is given."""
        first, *rest = self.card.shape
        return (*rest, first) if self.channels_last else self.card.shape

    def predict(self, X: Any) -> AnyArray:
        """Predict numbers or classes, shape (n,), or (n, T) of several targets, from inputs (n, *shape).

        Raises
        ------
        TypeError, ValueError
            If inputs have another shape, or hold what is no finite number; `score_rows` tells of such rows instead.
        """
        return self.card.predict(self._inputs(X))

    def predict_proba(self, X: Any) -> Array:
        """Predict probabilities of the classes, shape (n, C)."""
        return self.card.predict_proba(self._inputs(X))

    def transform(self, X: Any) -> Array:
        """The numbers of inputs, shape (n, K)."""
        return self.card.transform(self._inputs(X))

    def distance(self, X: Any) -> Array:
        """How far inputs are from the training data, shape (n,): 1 is usual, above `domain.limit` they are unlike."""
        return self.domain.distance(signatures(self.card, self._inputs(X)))

    def unlike(self, X: Any) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Whether inputs are unlike those that the model was fitted to, shape (n,)."""
        return np.asarray(self.distance(X) > self.domain.limit)

    def score_rows(self, X: Any) -> dict[str, list[Any]]:
        """Predictions as columns of a table, with what is unlike the training data marked.

        Parameters
        ----------
        X : array_like, shape (n, *shape)
            Inputs; rows that hold NaN or infinity get no prediction.

        Returns
        -------
        dict of str to list
            "row"; "prediction", or one column for each of several targets; of classes the probabilities too; "distance"
            to the training data over the limit; "unlike", yes or no; "why", the entry that is strangest of such rows.
        """
        x = self._inputs(X)
        n = len(x)
        good: AnyArray = np.asarray(np.isfinite(x).reshape(n, -1).all(axis=1))
        columns: dict[str, list[Any]] = {"row": list(range(n))}
        seen = x[good]
        classes, values = self.card.classes, np.empty((0, len(self.card.targets)))
        if len(seen):
            values = self.card.head(self.card.transform(seen))
        told = self.card.told(values) if len(seen) else np.empty(0)
        if classes is not None or len(self.card.targets) == 1:
            columns["prediction"] = _spread(told, good)
        else:
            columns |= {name: _spread(told[:, t], good) for t, name in enumerate(self.card.targets)}
        if classes is not None and self.card.head.kind == "logistic":
            shares = self.card.predict_proba(seen) if len(seen) else np.empty((0, len(classes)))
            columns |= {f"probability of {one}": _spread(shares[:, c], good) for c, one in enumerate(classes)}
        marks = signatures(self.card, seen) if len(seen) else np.empty((0, len(self.domain.names)))
        far = self.domain.distance(marks) / self.domain.limit
        why = [name if d > 1 else "" for name, d in zip(self.domain.strangest(marks), far, strict=True)]
        columns["distance"] = _spread(np.sqrt(far), good)
        columns["unlike"] = ["yes" if one is None or one > 1 else "no" for one in columns["distance"]]
        reasons = iter(why)
        columns["why"] = [next(reasons) if ok else "not finite" for ok in good]
        return columns

    def table(self) -> list[Told]:
        """All numbers with their weights, target by target, the intercept first; `pandas.DataFrame` shows it."""
        card, found = self.card, []
        scales = [("", ""), *(self.place_of(one) for one in card.numbers)]
        spread = [1.0, *self.deviation.tolist()]
        for number, one in enumerate(card.coefficients):
            t, row = divmod(number, len(card.numbers) + 1)
            low, high = self.intervals[row, t].tolist()
            found.append(
                Told(one.target, one.name, one.meaning, *scales[row], one.estimate, low, high, one.estimate *
                spread[row], one.unit)
            )  # fmt: skip
        return found

    def place_of(self, number: Column) -> tuple[str, str]:
        """How wide what a number sees is, and where it lies, in the unit of the axis."""
        level = int("".join(sign for sign in number.place.rpartition(".")[2] if sign.isdigit()) or 0)
        ndim = len(self.card.shape) - bool(self.card.channels)
        size = self.card.shape[-1]
        width = float(2**level)
        if not number.number.startswith(("value", "relative value")):
            return self._wide(width, size), f"anywhere{self._whose(number)}"
        if ndim == 1:
            place, width = self._sensed(number, size, width)
            where = self.axis.at(place, size) if self.axis else f"sample {place:.4g}"
            return self._wide(width, size), where + self._whose(number)
        rows, columns = self.card.shape[-2:]
        across = self._band_width(number)
        row, column = divmod(number.part, across)
        high = max(1, self._band_size(number) // across)
        at = f"row {(row + 0.5) / high * rows - 0.5:.3g}, column {(column + 0.5) / across * columns - 0.5:.3g}"
        return f"{width:g} pixels", at + self._whose(number)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to a JSON file, whole or not at all."""
        write_json(path, self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """As JSON values, in the form that the module describes."""
        return self.card.to_dict() | {
            "readable": {
                "axis": None if self.axis is None else asdict(self.axis),
                "channels": "last" if self.channels_last else "first",
                "features": list(self.features),
                "intervals": self.intervals.tolist(),
                "level": 0.95,
                "usual": {"mean": self.mean.tolist(), "deviation": self.deviation.tolist()},
                "domain": self.domain.to_dict(),
                "numbers": [one._asdict() for one in self.table()],
                "told": self.told,
            }
        }

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a file that `save` wrote, or the model of a run's folder; nothing that the file names is run.

        Parameters
        ----------
        path : path
            model.json, or the folder of a run that holds it.

        Raises
        ------
        FileNotFoundError
            If there is no such file, or the run has no model.
        ValueError
            If it is no such file, lacks something, or was written by a later version.
        """
        place = Path(path)
        if place.is_dir():
            place = place / "model.json"
            if not place.exists():
                raise FileNotFoundError(f"{path} holds no model.json; awd distill with --y makes it")
        with reading(place, "a readable model") as values:
            card = StudentCard.from_dict(values)
            if "readable" not in values:
                raise ValueError("it is a student without a domain; StudentCard.load reads it")
            held = values["readable"]
            made = cls(
                card,
                np.array(held["intervals"], dtype=np.float64).reshape(len(card.numbers) + 1, len(card.targets), 2),
                np.array(held["usual"]["mean"], dtype=np.float64),
                np.array(held["usual"]["deviation"], dtype=np.float64),
                Domain.from_dict(held["domain"]),
                None if held["axis"] is None else Axis(**held["axis"]),
                held["channels"] == "last",
                tuple(held["features"]),
                dict(held["told"]),
            )
            made.table()  # which asks for all that its numbers name
            return made

    def __str__(self) -> str:
        return rules(self)

    def __repr__(self) -> str:
        what = "classes" if self.card.classes is not None else ", ".join(self.card.targets)
        count = len(self.card.numbers)
        return (
            f"<ReadableModel of {what}: {count} number{'s' * (count != 1)} of inputs {self.shape}; print it to read it>"
        )

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"

    def _inputs(self, X: Any) -> Array:
        x = real_array(X.detach().cpu().numpy() if hasattr(X, "detach") else X).astype(np.float64)
        if x.shape[1:] != self.shape or len(x) == 0:
            one = " one input alone is X[None]," if x.shape == self.shape else ""
            raise ValueError(f"X has shape {x.shape};{one} give inputs (n, {', '.join(map(str, self.shape))})")
        return np.moveaxis(x, -1, 1) if self.channels_last else x

    def _wide(self, width: float, size: int) -> str:
        if len(self.card.shape) - bool(self.card.channels) == 2:
            return f"{width:g} pixels"
        return self.axis.width(width, size) if self.axis else f"{width:.3g} samples"

    def _whose(self, number: Column) -> str:
        channel = number.place.rpartition(".")[0]
        return f" of channel {channel.removeprefix('ch')}" if channel else ""

    def _sensed(self, number: Column, size: int, width: float) -> tuple[float, float]:
        """Middle and width, in samples, of what a value of a series responds to."""
        if size > SENSED:
            return (number.part + 0.5) / self._band_size(number) * size - 0.5, width
        channels = max(1, self.card.channels)
        channel = int(number.place.rpartition(".")[0].removeprefix("ch") or 1) - 1
        units = np.zeros((size, channels, size))
        units[np.arange(size), channel, np.arange(size)] = 1.0
        bands = self.card.bands(units if self.card.channels else units[:, 0])
        response = bands[number.place].reshape(size, -1)[:, number.part] ** 2
        share = np.cumsum(response) / response.sum()
        low, high = (float(np.searchsorted(share, end)) for end in ((1 - HELD) / 2, (1 + HELD) / 2))
        return float(response @ np.arange(size) / response.sum()), max(high - low + 1, 1.0)

    def _band_size(self, number: Column) -> int:
        shape = (1, *self.card.shape)
        return int(np.prod(self.card.bands(np.zeros(shape))[number.place].shape[1:]))

    def _band_width(self, number: Column) -> int:
        return int(self.card.bands(np.zeros((1, *self.card.shape)))[number.place].shape[-1])


def signatures(card: StudentCard, x: Array) -> Array:
    """What the domain knows inputs by, shape (n, S), of inputs (n, *shape) that are finite."""
    bands = card.bands(x)
    energies = [read_number(Column(name, "", "", "log energy", name), bands) for name in signature_bands(card)]
    means = x.reshape(len(x), max(1, card.channels), -1).mean(axis=2)
    return np.column_stack([card.transform(x), means, *energies])


def signature_names(card: StudentCard) -> list[str]:
    """Names of the entries of a signature."""
    channels = [f"mean of channel {place + 1}" for place in range(card.channels)] or ["mean of the input"]
    return [*(one.name for one in card.numbers), *channels, *(f"energy of {name}" for name in signature_bands(card))]


def signature_bands(card: StudentCard) -> list[str]:
    """Bands whose energies belong to a signature: all details, and the approximation of the last level."""
    letters = "D" if len(card.shape) - bool(card.channels) == 1 else "HVD"
    one = [f"A{card.levels}", *(f"{letter}{level}" for level in range(card.levels, 0, -1) for letter in letters)]
    prefixes = [f"ch{place + 1}." for place in range(card.channels)] or [""]
    return [f"{prefix}{name}" for prefix in prefixes for name in one]


def _spread(values: Sequence[Any] | AnyArray, good: AnyArray) -> list[Any]:
    """Values of the good rows at their places, None at the others."""
    found: Iterator[Any] = iter(np.asarray(values).tolist())
    return [next(found) if one else None for one in good]
