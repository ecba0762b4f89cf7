"""Where to look: the frames of every track, gaps and surroundings included, each with a position."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd

from awd_cme.tracks.table import PARTS, LossReport, in_order, starts
from awd_core.typing import Array, Rows

BEFORE, TRACK, GAP, AFTER = range(len(PARTS))


def frames_of_tracks(
    table: pd.DataFrame, count: int, before: int, after: int, seconds_per_frame: float | None, losses: LossReport
) -> pd.DataFrame:
    """Rows for every frame of every track, with positions.

    Parameters
    ----------
    table : DataFrame
        Canonical table of one cell.
    count : int
        Number of frames of the movie: rows beyond are dropped.
    before, after : int
        Frames to have before and after each track; more that the table has stay.
    seconds_per_frame : float, optional
        For the times of new rows, where the table does not say.
    losses : LossReport
        Gets tracks that came and are kept, and rows that were dropped.

    Returns
    -------
    DataFrame
        The leading and trailing columns of the canonical table. Frames without a position are gaps, on the straight
        line between the positions around them in the same segment; positions before and after the track are those of
        its ends, unless the table has others.

    Raises
    ------
    ValueError
        If the table holds more than one cell or source, or a track has no position at all.
    """
    cells = table[["source", "cell"]].drop_duplicates()
    if len(cells) > 1:
        raise ValueError(
            f"a movie is of one cell, and the table holds {len(cells)}: {', '.join(map(str, cells['cell'][:5]))}; "
            "take the rows of one, table[table['cell'] == name]"
        )
    plain = table[["cell", "track", "frame", "t", "y", "x", "segment", "part", "category", "lifetime", "source"]]
    came = plain["track"].nunique()
    beyond = plain["frame"].to_numpy() >= count
    losses.add("rows", int(beyond.sum()), f"after the movie's last frame, {count - 1}")
    plain = plain[~beyond].reset_index(drop=True)
    own = plain["part"].cat.codes.isin([TRACK, GAP]).groupby(plain["track"]).transform("any").to_numpy()
    placed = plain[own].reset_index(drop=True)
    kept = placed["track"].nunique()
    losses.add("tracks", came - kept, "no frame in the movie")
    losses.came += came
    losses.kept += kept
    if not len(placed):
        placed.attrs = dict(table.attrs)
        return placed
    if not (has := np.isfinite(placed["y"]).groupby(placed["track"]).any()).all():
        raise ValueError(f"tracks have no position at all: {list(has.index[~has][:5])}; leave them out")
    rows = _every_frame(placed, count, before, after, losses)
    interval = table.attrs.get("seconds_per_frame") or seconds_per_frame
    if interval is not None:
        new = np.isnan(rows["t"].to_numpy())
        # A table's times may start elsewhere than at frame 0: the first time that is known tells.
        known = placed[placed["t"].notna()]
        origin = float(known["t"].iloc[0] - known["frame"].iloc[0] * interval) if len(known) else 0.0
        rows.loc[new, "t"] = origin + rows.loc[new, "frame"].to_numpy() * interval
    rows.attrs = dict(table.attrs)
    return in_order(rows)


def _every_frame(placed: pd.DataFrame, count: int, before: int, after: int, losses: LossReport) -> pd.DataFrame:
    track, frame = placed["track"].to_numpy(), placed["frame"].to_numpy()
    part = placed["part"].cat.codes.to_numpy()
    bounds = np.append(starts(placed), len(placed))
    pieces: list[tuple[Rows, Array, Array, Rows, Rows]] = []
    lost = 0
    y, x, segment = (placed[name].to_numpy() for name in ("y", "x", "segment"))
    for start, stop in pairwise(bounds.tolist()):
        rows = slice(start, stop)
        core = frame[rows][(part[rows] == TRACK) | (part[rows] == GAP)]
        first, last = int(core[0]), int(core[-1])
        low, high = min(first - before, int(frame[start])), max(last + after, int(frame[stop - 1]))
        lost += max(-low, 0) + max(high - count + 1, 0)
        frames = np.arange(max(low, 0), min(high, count - 1) + 1)
        numbers, kind = _between(frames, frame[rows], segment[rows], part[rows])
        kind = np.where(frames < first, BEFORE, np.where(frames > last, AFTER, kind))
        pieces.append(
            (frames, *_positions(frames, frame[rows], y[rows], x[rows], segment[rows], numbers), numbers, kind)
        )
    losses.add("frames around tracks", lost, "outside the movie")
    frames, ys, xs, segments, kinds = (np.concatenate(column) for column in zip(*pieces, strict=True))
    lengths = [len(piece[0]) for piece in pieces]
    head = placed.iloc[bounds[:-1]].take(np.repeat(np.arange(len(lengths)), lengths)).reset_index(drop=True)
    # Times of rows that were there stay; the others are made from the interval.
    times = pd.MultiIndex.from_arrays([track, frame])
    at = times.get_indexer(pd.MultiIndex.from_arrays([head["track"], frames]))
    t = np.where(at >= 0, placed["t"].to_numpy()[at], np.nan)
    return head.assign(
        frame=frames, t=t, y=ys, x=xs, segment=segments, part=pd.Categorical.from_codes(kinds, list(PARTS))
    )


def _between(
    frames: Rows,
    known: Rows,
    segment: Rows,
    part: npt.NDArray[np.int8],
) -> tuple[Rows, Rows]:
    """Segment and part of each frame; a frame without a row is a gap of the segment before it."""
    before = np.clip(np.searchsorted(known, frames, side="right") - 1, 0, None)
    return segment[before], np.where(known[before] == frames, part[before], GAP)


def _positions(
    frames: Rows,
    known: Rows,
    y: Array,
    x: Array,
    segment: Rows,
    of: Rows,
) -> tuple[Array, Array]:
    """Positions at all frames; `of` is the segment of each."""
    sound = np.isfinite(y) & np.isfinite(x)
    if sound.all() and len(frames) == len(known):
        return y, x
    at = (np.interp(frames, known[sound], values[sound]) for values in (y, x))
    ys, xs = at
    for number in np.unique(segment[sound]) if segment.any() else ():
        # Positions of another segment are another place: within one, its own alone count.
        mine, here = sound & (segment == number), of == number
        ys[here], xs[here] = (np.interp(frames[here], known[mine], values[mine]) for values in (y, x))
    return ys, xs


def shifts_of_channels(
    shifts: Mapping[str, npt.ArrayLike] | None, channels: Sequence[str], count: int
) -> dict[str, Array]:
    """Shift (Δy, Δx) of each channel in each frame, shape (frames, 2).

    Raises
    ------
    ValueError
        If shifts are given for a channel that is not there, or are not of the shape (2,) or (frames, 2), or not finite.
    """
    given = dict(shifts or {})
    if unknown := [name for name in given if name not in channels]:
        raise ValueError(f"the movie has the channels {list(channels)}, not {unknown}; shifts are given by those names")
    result = {}
    for name in channels:
        values = np.asarray(given.get(name, (0.0, 0.0)), dtype=np.float64)
        if values.shape not in ((2,), (count, 2)) or not np.isfinite(values).all():
            raise ValueError(
                f"the shift of {name!r} must be finite, (Δy, Δx) or one such pair for each of the {count} frames, "
                f"got the shape {values.shape}"
            )
        result[name] = np.broadcast_to(values, (count, 2))
    return result
