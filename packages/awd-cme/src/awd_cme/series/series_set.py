"""The learning problem as a value: series of one length, what is to be predicted, and whose tracks they are."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from awd_cme.tracks.losses import LossReport
from awd_core.checks import is_real_number, whole_number
from awd_core.files import Record
from awd_core.typing import AnyArray, Array, Flags, Rows


@dataclass(frozen=True)
class SeriesSettings(Record):
    """The steps from tracks to series and targets, each by its name.

    Attributes
    ----------
    x, y : str or None
        Channels: what is seen, and its partner that is to be predicted. None: the first and the second of the table.
    parts : tuple of str
        Which rows of a track count: "track" and "gap", and on request "before" and "after".
    categories : tuple of int or None
        Which cmeAnalysis categories are kept: (1, 2) as published, (1,) as cmeAnalysis does by default, None for all.
        Tracks of unknown category are kept.
    longer_than : float or None
        Seconds; tracks whose lifetime is this or less are dropped. Tracks of unknown lifetime are kept.
    at_most : float or None
        Seconds; tracks that live longer are dropped.
    least_frames : int
        Tracks with fewer frames are dropped.
    hot_spots : {"keep", "published", "bursts"}
        Rule for hot spots in `awd_cme.series.targets`; where it is true the track is dropped.
    length : int
        Samples N of a series.
    resampling : {"published", "pad", "interpolate"}
        Rule of `awd_cme.series.resample`.
    target : str
        A name of `awd_cme.series.targets.TARGETS`, or what a custom function is called.
    """

    x: str | None = None
    y: str | None = None
    parts: tuple[str, ...] = ("track", "gap")
    categories: tuple[int, ...] | None = (1, 2)
    longer_than: float | None = 15.0
    at_most: float | None = None
    least_frames: int = 1
    hot_spots: str = "keep"
    length: int = 40
    resampling: str = "published"
    target: str = "mean_significant"

    def __post_init__(self) -> None:
        for name, least in (("length", 1), ("least_frames", 1)):
            whole_number(name, getattr(self, name), least)
        for name in ("longer_than", "at_most"):
            seconds = getattr(self, name)
            if seconds is not None and not (is_real_number(seconds) and seconds >= 0):
                raise ValueError(f"{name} is {seconds!r}; give seconds from 0 on, or None for any lifetime")
        if self.categories is not None and not (
            isinstance(self.categories, Iterable) and set(self.categories) <= set(range(1, 9))
        ):
            raise ValueError(f"categories is {self.categories!r}; give some of 1 to 8, as (1, 2), or None for all")


SETTINGS: dict[str, SeriesSettings] = {
    "published": SeriesSettings(),
    "published-lstm": SeriesSettings(at_most=25.0, hot_spots="published"),
    "published-success": SeriesSettings(target="consecutive"),
    "cmeanalysis": SeriesSettings(categories=(1,), longer_than=None, least_frames=5),
    "yeast": SeriesSettings(parts=("before", "track", "gap", "after"), categories=None, longer_than=None, target="max"),
}
"""Settings by name; change one step with `dataclasses.replace(SETTINGS["published"], resampling="pad")`."""


@dataclass(frozen=True)
class SeriesSet:
    """Series of one length with targets.

    Attributes
    ----------
    X : ndarray, shape (n, N)
        Series in the unit of the channel, or standardised (`scaled`). Never NaN.
    mask : ndarray of bool, shape (n, N)
        Whether a sample was measured; False for padding.
    y : ndarray, shape (n,)
        Targets in the partner's unit or standardised; booleans for a classification.
    cell : ndarray of str, shape (n,)
        Cell of each track.
    track : ndarray of int, shape (n,)
        Number of the track within its cell.
    day : ndarray of str, shape (n,)
        Day, or whatever else cells belong to; "" where unknown.
    lifetime : ndarray, shape (n,)
        Seconds; NaN where unknown.
    frames : ndarray of int, shape (n,)
        Frames T of each track before it was brought to N samples.
    seconds_per_sample : ndarray, shape (n,)
        Time from one sample to the next, longer than a frame where a series was subsampled; NaN where unknown.
    channels : tuple of str
        What is seen, and what is to be predicted.
    settings : SeriesSettings
        How the set was made.
    classification : bool
        Whether y is booleans.
    scaled : bool
        Whether z-scores were applied.
    losses : LossReport
        How many tracks came, which were dropped and why, what was assumed.
    """

    X: Array
    mask: Flags
    y: AnyArray
    cell: AnyArray
    track: Rows
    day: AnyArray
    lifetime: Array
    frames: Rows
    seconds_per_sample: Array
    channels: tuple[str, str] = ("clathrin", "auxilin")
    settings: SeriesSettings = field(default_factory=SeriesSettings)
    classification: bool = False
    scaled: bool = False
    losses: LossReport = field(default_factory=LossReport)

    def __post_init__(self) -> None:
        if self.X.ndim != 2 or self.mask.shape != self.X.shape:
            raise ValueError(f"X and mask have one shape (n, N); got {self.X.shape} and {self.mask.shape}")
        for name in PER_TRACK:
            if len(getattr(self, name)) != len(self.X):
                raise ValueError(f"{name} has {len(getattr(self, name))} entries for {len(self.X)} tracks")
        if not np.isfinite(self.X).all():
            raise ValueError("X has a NaN or an infinity; fill gaps or drop such tracks, as make_series does")

    def __len__(self) -> int:
        return len(self.X)

    def take(self, rows: npt.ArrayLike) -> "SeriesSet":
        """Some of the tracks, by index or by a boolean mask."""
        chosen = np.asarray(rows)
        return replace(self, **{name: getattr(self, name)[chosen] for name in ("X", "mask", *PER_TRACK)})

    def seconds_per_frame(self) -> float | None:
        """Frame interval of the tracks, the median of those that are known; None where none is."""
        samples = np.maximum(self.X.shape[1] - 1, 1)
        subsampled = self.frames > self.X.shape[1] if self.settings.resampling != "interpolate" else True
        frames = np.where(subsampled, np.maximum(self.frames - 1, 1) / samples, 1.0)
        known = (self.seconds_per_sample / frames)[np.isfinite(self.seconds_per_sample)]
        return float(np.median(known)) if len(known) else None

    def groups(self, by: str = "auto") -> AnyArray:
        """What may not be torn apart by a split, one entry a track.

        Parameters
        ----------
        by : {"auto", "cell", "day", "track"}
            "auto": cells, or tracks where there is one cell only.

        Raises
        ------
        ValueError
            For another word, or if days are asked for and unknown.
        """
        if by == "auto":
            by = "cell" if len(np.unique(self.cell)) > 1 else "track"
        if by == "track":
            return np.arange(len(self))
        if by not in ("cell", "day"):
            raise ValueError(f"groups are made by 'auto', 'cell', 'day' or 'track'; got {by!r}")
        if by == "day" and (self.day == "").any():
            raise ValueError(
                "the day of some tracks is unknown; give make_series the day of each cell, or group by cell"
            )
        groups: AnyArray = getattr(self, by)
        return groups

    def report(self) -> dict[str, Any]:
        """Numbers for a report, as JSON values: tracks by cell, targets or classes, lengths, padding, losses."""
        names, counts = np.unique(self.cell, return_counts=True)
        found: dict[str, Any] = {
            "tracks": len(self),
            "cells": {str(name): int(count) for name, count in zip(names, counts, strict=True)},
            "days": len(np.unique(self.day)),
            "length": self.X.shape[1],
            "padded_fraction": float(1 - self.mask.mean()) if len(self) else 0.0,
            "subsampled_fraction": float((self.frames > self.X.shape[1]).mean()) if len(self) else 0.0,
            "settings": self.settings.to_dict(),
            "losses": self.losses.to_dict(),
        }
        if self.classification:
            by_cell = {str(name): float(self.y[self.cell == name].mean()) for name in names}
            found["classes"] = {"success": int(self.y.sum()), "other": int(len(self) - self.y.sum())}
            found["success_fraction"] = float(self.y.mean()) if len(self) else 0.0
            found["success_fraction_by_cell"] = by_cell
        elif len(self):
            found["target"] = {
                "mean": float(self.y.mean()),
                "sd": float(self.y.std()),
                "smallest": float(self.y.min()),
                "largest": float(self.y.max()),
                "zero_fraction": float((self.y == 0).mean()),
            }
        return found


PER_TRACK = ("y", "cell", "track", "day", "lifetime", "frames", "seconds_per_sample")
"""Fields of a `SeriesSet` with one entry a track."""


def example_set(n: int = 60, cells: int = 3, seed: int = 0, length: int = 40) -> SeriesSet:
    """A small made-up set for examples and tests: humps whose height and width decide about the target.

    Examples
    --------
    >>> example_set(6).X.shape
    (6, 40)
    """
    rng = np.random.default_rng([whole_number("seed", seed, 0), 0])
    height, width, centre = rng.uniform(50, 200, n), rng.uniform(3, 9, n), rng.uniform(12, 28, n)
    time = np.arange(length)
    X = height[:, None] * np.exp(-0.5 * ((time - centre[:, None]) / width[:, None]) ** 2)
    cell = np.array([f"cell{i % cells + 1}" for i in range(n)])
    return SeriesSet(
        X=X + rng.normal(0, 5, X.shape),
        mask=np.ones(X.shape, dtype=bool),
        y=height * width + rng.normal(0, 20, n),
        cell=cell,
        track=np.arange(n),
        day=np.full(n, ""),
        lifetime=np.full(n, float(length)),
        frames=np.full(n, length),
        seconds_per_sample=np.ones(n),
        losses=LossReport(came=n, kept=n),
    )


DayOf = Callable[[str], str]
"""Gives the day of a cell by the cell's name."""
