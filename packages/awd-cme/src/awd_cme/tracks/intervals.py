"""Frame intervals of the cells of a table, and tracks brought to another one."""

from itertools import pairwise

import numpy as np
import pandas as pd

from awd_cme.tracks.losses import LossReport, counted
from awd_cme.tracks.rules import channels, in_order, spans, starts
from awd_core.checks import real_number
from awd_core.typing import Array

ALIKE = 0.02
"""Relative difference up to which frame intervals count as the same."""


def frame_intervals(table: pd.DataFrame) -> dict[str, float | None]:
    """Seconds per frame of each cell, from its times and frames; None where they do not tell.

    Parameters
    ----------
    table : DataFrame
        Canonical table.

    Examples
    --------
    >>> from awd_cme.tracks import make_table
    >>> frame_intervals(make_table(track=[1, 1], frame=[0, 2], y=[1, 1], x=[1, 1], cell="a", seconds_per_frame=1.5))
    {'a': 1.5}
    """
    known = table[["cell", "frame", "t"]].dropna()
    ends = known.groupby("cell", observed=True).agg(first=("frame", "min"), last=("frame", "max"), low=("t", "min"),
                                                    high=("t", "max"))  # fmt: skip
    told = table.attrs.get("seconds_per_frame")
    found: dict[str, float | None] = {}
    for cell in table["cell"].unique():
        found[str(cell)] = None if told is None or not np.isfinite(told) else float(told)
        if cell in ends.index and (frames := ends.loc[cell, "last"] - ends.loc[cell, "first"]) > 0:
            found[str(cell)] = float((ends.loc[cell, "high"] - ends.loc[cell, "low"]) / frames)
    return found


def are_alike(one: float, other: float) -> bool:
    """Whether two frame intervals are the same but for rounding."""
    return bool(abs(one / other - 1) <= ALIKE)


def different(intervals: dict[str, float | None]) -> dict[float, list[str]]:
    """Cells by frame intervals that are not alike, the shortest first; cells of unknown ones left out."""
    found: dict[float, list[str]] = {}
    for cell, seconds in sorted(intervals.items(), key=lambda item: (item[1] or 0.0, item[0])):
        if seconds is not None:
            found.setdefault(next((known for known in found if are_alike(seconds, known)), seconds), []).append(cell)
    return found


def with_interval(table: pd.DataFrame, seconds: float) -> pd.DataFrame:
    """The table with this frame interval: its times and lifetimes follow from its frames.

    Examples
    --------
    >>> from awd_cme.tracks import make_table
    >>> table = make_table(track=[1, 1], frame=[3, 4], y=[1, 1], x=[1, 1])
    >>> with_interval(table, 2.0)[["t", "lifetime"]].values.tolist()
    [[6.0, 4.0], [8.0, 4.0]]
    """
    first, last = spans(table)
    counts = np.diff(np.append(starts(table), len(table)))
    made = table.assign(t=table["frame"] * seconds, lifetime=np.repeat((last - first + 1) * seconds, counts))
    made.attrs = dict(table.attrs) | {"seconds_per_frame": seconds}
    return made


def at_interval(table: pd.DataFrame, seconds: float, losses: LossReport) -> pd.DataFrame:
    """Tracks at another frame interval, frame k being at k times that interval.

    Where a new frame falls on an old one, its row is taken as it is. Between two frames, positions, amplitudes and
    backgrounds are those of the straight line, and the rest is that of the nearer one. Lifetimes stay.

    Parameters
    ----------
    table : DataFrame
        Canonical table. Cells that have the interval already stay as they are.
    seconds : float
        The new interval.
    losses : LossReport
        Gets what became of which cells, and tracks without a new frame.

    Raises
    ------
    ValueError
        If the interval of a cell is unknown.

    Examples
    --------
    >>> from awd_cme.tracks import make_table
    >>> table = make_table(track=[1] * 5, frame=range(5), y=[1.0] * 5, x=[1.0] * 5, channels=["a"],
    ...                    signals={"a_amplitude": [0.0, 1, 2, 3, 4]}, seconds_per_frame=1.0)
    >>> at_interval(table, 2.0, LossReport())[["frame", "t", "a_amplitude"]].values.tolist()
    [[0.0, 0.0, 0.0], [1.0, 2.0, 2.0], [2.0, 4.0, 4.0]]
    """
    seconds = real_number("seconds", seconds, "a frame interval in seconds", above=0)
    intervals = frame_intervals(table)
    if unknown := [cell for cell, known in intervals.items() if known is None]:
        raise ValueError(
            f"the frame interval of {counted(len(unknown), 'cells')} is unknown ({', '.join(unknown[:3])}), so their "
            "tracks cannot be brought to another; give --seconds-per-frame S (seconds_per_frame)"
        )
    known = {cell: step for cell, step in intervals.items() if step is not None}
    if all(are_alike(step, seconds) for step in known.values()):
        return table
    lines = [f"{name}_{measure}" for name in channels(table) for measure in ("amplitude", "background")]
    bounds, cell = np.append(starts(table), len(table)), table["cell"].astype(str).to_numpy()
    frame = table["frame"].to_numpy()
    low, high, share, new = [], [], [], []
    lost = 0
    for begin, end in pairwise(bounds.tolist()):
        step = known[cell[begin]]
        ratio = 1.0 if are_alike(step, seconds) else seconds / step
        first, last = frame[begin] / ratio, frame[end - 1] / ratio
        frames = np.arange(np.ceil(first - 1e-6), np.floor(last + 1e-6) + 1)
        lost += not len(frames)
        at = np.interp(frames * ratio, frame[begin:end], np.arange(begin, end))
        at = np.where(np.abs(at - np.round(at)) < 1e-6, np.round(at), at)
        low.append(np.floor(at).astype(np.intp))
        high.append(np.ceil(at).astype(np.intp))
        share.append(at - np.floor(at))
        new.append(frames.astype(np.int64))
    a, b, w, frames = (np.concatenate(part) for part in (low, high, share, new))
    made = table.take(np.where(w < 0.5, a, b)).reset_index(drop=True)
    for name in ("y", "x", *lines):
        values: Array = table[name].to_numpy(dtype=np.float64)
        # A neighbour that is unknown leaves what is known of the nearer one.
        line = np.where(a == b, values[a], values[a] * (1 - w) + values[b] * w)
        made[name] = np.where(np.isnan(line), made[name].to_numpy(dtype=np.float64), line)
    made["frame"] = frames
    made["t"] = frames * seconds
    made.attrs = dict(table.attrs) | {"seconds_per_frame": seconds}
    others = {step: cells for step, cells in different(intervals).items() if not are_alike(step, seconds)}
    what = "; ".join(f"{counted(len(cells), 'cells')} of {step:g} s" for step, cells in others.items())
    losses.assume(f"tracks were brought to {seconds:g} s per frame, by the straight line between frames: {what}")
    losses.add("tracks", lost, f"no frame at an interval of {seconds:g} s")
    return in_order(made)
