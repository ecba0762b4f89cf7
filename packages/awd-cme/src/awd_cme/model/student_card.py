"""The small model as a card: at most ten numbers of undecimated bands, each with a meaning, and NumPy alone to score.

    {"format": "awd-cme-student", "version": 1, "task", "channels", "target",
     "series": {length, resampling}, "inputs": z-scores of the series, "targets": z-scores of the target,
     "wavelet": {taps of each level from the finest on, negated, mode},
     "numbers": [{number, meaning, unit, value, low, high, p, sd}], "intercept", "limits": [low, high],
     "notes": {anything}}

The module imports neither torch nor scikit-learn nor PyWavelets.
"""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from awd_cme.model.coefficients import MODES, checked_taps
from awd_cme.series.resample import to_one_length
from awd_cme.series.scaling import Statistics
from awd_core.checks import check_choice
from awd_core.files import Record, reading, write_json
from awd_core.student import Column, bands_of, read_number
from awd_core.typing import Array, Rows

FORMAT = "awd-cme-student"
LOG_FRAMES = "log frames"
"""The column beside the numbers of bands: ln of how many frames the track has."""

OF_BAND = ("maximum", "minimum", "mean absolute", "log energy")
"""Numbers of a band that a card can hold, by the names of `awd_core.student.NUMBERS`."""


class SmallNumber(NamedTuple):
    """A row of a card's table; `pandas.DataFrame(card.numbers)` shows all.

    Parameters
    ----------
    number : str
        Its name, such as "D3 maximum", or "log frames".
    meaning : str
        What it is, in words.
    unit : str
        Of the number: deviations of the seen channel, or "" for a logarithm.
    value : float
        What the model multiplies it by: deviations of the target (log odds of success) per unit.
    low, high : float
        95 % interval of the coefficient without the penalty, by the jackknife over cells; NaN where there is none.
    p : float
        Of no effect, after Holm's correction; NaN where it is not known.
    sd : float
        Deviation of the number over the training tracks: value × sd is what a usual difference does.
    """

    number: str
    meaning: str
    unit: str
    value: float
    low: float
    high: float
    p: float
    sd: float


class _Series(NamedTuple):
    length: int
    resampling: str


class _Wavelet(NamedTuple):
    taps: tuple[Array, ...]
    negated: bool
    mode: str


@dataclass(frozen=True, eq=False)
class _File(Record, format=FORMAT, writer="StudentCard.save"):
    """A card as it lies on the disk; a limit that does not limit is null."""

    task: str
    channels: tuple[str, str]
    target: str
    series: _Series
    inputs: Statistics
    targets: Statistics
    wavelet: _Wavelet
    numbers: tuple[SmallNumber, ...]
    intercept: float
    limits: tuple[float, float]
    notes: dict[str, Any]


@dataclass(frozen=True, eq=False)
class StudentCard:
    """A linear (or logistic) model on at most a few numbers; made by `awd_cme.model.SeriesStudent.card`.

    Attributes
    ----------
    task : {"regression", "classification"}
        Whether `predict` gives the target, or the probability of success.
    channels : tuple of str
        What is seen, and what is predicted.
    target : str
        Name of the target.
    length, resampling : int, str
        How series were brought to one length.
    inputs, targets : Statistics
        Z-scores, fitted on training tracks.
    taps : tuple of ndarray, shape (L,)
        Low-pass filter of each level, the finest first.
    negated : bool
        Whether details are read with the other sign.
    mode : str
        Boundary mode.
    numbers : tuple of SmallNumber
        The model.
    intercept : float
        Prediction where all numbers are zero.
    limits : (float, float)
        What a prediction is clipped to, in units of the standardised target; infinite for none.
    notes : dict
        Scores and whatever else the maker wrote down, as JSON values.
    """

    task: str
    channels: tuple[str, str]
    target: str
    length: int
    resampling: str
    inputs: Statistics
    targets: Statistics
    taps: tuple[Array, ...]
    negated: bool
    mode: str
    numbers: tuple[SmallNumber, ...]
    intercept: float
    limits: tuple[float, float]
    notes: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.task not in ("regression", "classification"):
            raise ValueError(f"the task is 'regression' or 'classification'; got {self.task!r}")
        check_choice("mode", self.mode, MODES, required=True)
        for taps in self.taps:
            checked_taps(taps)
        for one in self.numbers:
            band, _, kind = one.number.partition(" ")
            if one.number != LOG_FRAMES and (band not in self.bands or kind not in OF_BAND):
                raise ValueError(
                    f"the number {one.number!r} is no {', '.join(OF_BAND)} of the bands {', '.join(self.bands)}, nor "
                    f"{LOG_FRAMES}"
                )
        if not all(map(math.isfinite, (self.intercept, *(one.value for one in self.numbers)))):
            raise ValueError("a coefficient or the intercept is not finite")

    @property
    def bands(self) -> list[str]:
        """Names of the bands, from coarse to fine: A_J, D_J, …, D_1."""
        levels = len(self.taps)
        return [f"A{levels}", *(f"D{level}" for level in range(levels, 0, -1))]

    def predict(self, series: Any, *, cell: Any = None, frames: Any = None) -> Array:
        """Predict from series in the channel's own unit.

        Parameters
        ----------
        series : array_like, shape (n, N), or list of arrays of any lengths
            One value a frame, gaps filled; brought to the card's length as the training series were.
        cell : str or array_like of str, shape (n,), optional
            Cells, for their z-scores; those of the training tracks pooled where unknown or not given. By the rule `own`
            the given series of each cell are its statistics.
        frames : array_like of int, shape (n,), optional
            Frames of the tracks, where series were brought to the card's length before; otherwise as many as values.

        Returns
        -------
        ndarray, shape (n,)
            The target in the partner's unit (standardised where targets were by `own`), or the probability of success.

        Raises
        ------
        ValueError
            If a value is not finite, or lengths disagree.
        """
        listed = list(series)
        if not listed or np.ndim(listed[0]) != 1:
            raise ValueError("series are a table (n, N) or a list of series; put a single one into a list")
        lengths = np.array([len(one) for one in listed]) if frames is None else np.asarray(frames, dtype=np.int64)
        cells = np.full(len(listed), "") if cell is None else np.broadcast_to(np.asarray(cell).astype(str), len(listed))
        if lengths.shape != (len(listed),):
            raise ValueError(f"frames has {lengths.size} entries for {len(listed)} series; give one for each")
        X, mask = to_one_length(listed, self.length, self.resampling)
        if not np.isfinite(X).all():
            bad = int(np.argmin(np.isfinite(X).all(axis=1)))
            raise ValueError(
                f"series {bad} has a NaN or an infinity; fill gaps first (awd_cme.series.resample.fill_gaps)"
            )
        table = self.table(self.inputs.standardised(X, cells, mask), lengths)
        found = np.clip(table @ [one.value for one in self.numbers] + self.intercept, *self.limits)
        if self.task == "classification":
            return np.asarray(0.5 * (1 + np.tanh(found / 2)))
        if self.targets.rule != "training":
            return np.asarray(found)
        mean, sd = self.targets.of(cells)
        return np.asarray(found * sd + mean)

    def table(self, X: Array, frames: Rows) -> Array:
        """The card's numbers of standardised series (n, N) of tracks of so many frames (n,), shape (n, numbers)."""
        bands = bands_of(
            X, self.taps, levels=len(self.taps), mode=self.mode, undecimated=True, negated=self.negated
        )  # fmt: skip
        columns = []
        for one in self.numbers:
            band, _, kind = one.number.partition(" ")
            read = Column(one.number, one.meaning, one.unit, number=kind, place=band)
            columns.append(np.log(frames) if one.number == LOG_FRAMES else read_number(read, bands))
        return np.stack(columns, axis=1)

    def to_dict(self) -> dict[str, Any]:
        """As JSON values, in the form that the module describes."""
        return _File(
            self.task, self.channels, self.target, _Series(self.length, self.resampling), self.inputs, self.targets,
            _Wavelet(self.taps, self.negated, self.mode), self.numbers, self.intercept, self.limits, self.notes,
        ).to_dict()  # fmt: skip

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the card to a JSON file, whole or not at all."""
        write_json(path, self.to_dict())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "StudentCard":
        """Read a card that `save` wrote.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If it is no card, was written by a later version, or contradicts itself.
        """
        with reading(path, "a student's card") as values:
            return cls.from_dict(values)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "StudentCard":
        """Card of what `to_dict` gave.

        Raises
        ------
        ValueError
            If it is not a card, or something is missing.
        """
        held = _File.from_dict(values)
        low, high = held.limits
        return cls(
            held.task, held.channels, held.target, *held.series, held.inputs, held.targets,
            held.wavelet.taps, held.wavelet.negated, held.wavelet.mode, held.numbers,
            held.intercept, (-math.inf if math.isnan(low) else low, math.inf if math.isnan(high) else high), held.notes,
        )  # fmt: skip
