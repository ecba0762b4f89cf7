"""From rows as a file holds them to the canonical table: what is wrong is refused, or dropped and listed."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import pandas as pd

from awd_cme.movies.movie import default_names
from awd_cme.movies.units import MICROMETRES, PIXELS, SECONDS, known_lengths, spelled
from awd_cme.tracks.losses import LossReport, counted
from awd_cme.tracks.table import PARTS, concat, empty_table, make_table
from awd_core.checks import check_choice, real_number
from awd_core.typing import AnyArray, Array, Flags

Result = tuple[pd.DataFrame, LossReport]
Compound = Literal["join", "split", "drop"]
PositionUnit = Literal["auto", "pixel", "micrometre", "nanometre"]


@dataclass(frozen=True)
class Options:
    """What `read_tracks` was told; its description says what each means."""

    channels: Sequence[str] | None = None
    seconds_per_frame: float | None = None
    micrometres_per_pixel: float | None = None
    position_unit: PositionUnit = "auto"
    frames: int | None = None
    on_error: Literal["raise", "skip"] = "raise"
    compound: Compound = "join"
    cell: str | None = None
    columns: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        allowed = {
            "on_error": ("raise", "skip"),
            "compound": ("join", "split", "drop"),
            "position_unit": get_args(PositionUnit),
        }
        for name, choices in allowed.items():
            check_choice(name, getattr(self, name), choices, required=True)
        for name in ("seconds_per_frame", "micrometres_per_pixel", "frames"):
            if getattr(self, name) is not None:
                real_number(name, getattr(self, name), above=0, none="what is unknown")
        if isinstance(self.channels, str):
            raise TypeError(f"channels must be a sequence of names, got the text {self.channels!r}; put it into a list")
        if self.channels is not None and len(set(self.channels)) != len(self.channels):
            raise ValueError(f"channels must have different names, got {list(self.channels)}")


def bare_name(path: str | os.PathLike[str]) -> str:
    """The name of a file without its ending, be it compressed or not.

    Examples
    --------
    >>> bare_name("day 1/Cell1.csv.gz"), bare_name("Cell1.5.csv")
    ('Cell1', 'Cell1.5')
    """
    path = Path(path)
    return Path(path.stem).stem if path.suffix.lower() == ".gz" else path.stem


def channel_names(count: int, options: Options, report: LossReport, found: Sequence[str] | None = None) -> list[str]:
    """Names of the channels of a file: as told, as found in it or its name, or else the default ones."""
    if options.channels is not None:
        if len(options.channels) != count:
            raise ValueError(
                f"the file has {count} channels, the option names {len(options.channels)}: {options.channels}"
            )
        return list(options.channels)
    if found is not None:
        return list(found)
    names = list(default_names(count))
    report.assume(f"the channels, in the file's order, are {', '.join(names)} (the master first)")
    return names


def interval(found: float | None, where: str, options: Options, report: LossReport) -> float | None:
    """Seconds per frame as told, or else as found; what is unknown or contradicts is reported."""
    told = options.seconds_per_frame
    if found is not None and not 0 < found < np.inf:
        found = None
    if told is None:
        if found is None:
            report.assume("the frame interval is unknown: times and lifetimes are NaN; seconds_per_frame gives it")
        return found
    if found is not None and not np.isclose(told, found, rtol=1e-3):
        report.assume(f"the frame interval is {told:g} s as told; {where} says {found:g} s")
    return float(told)


def step_of_times(frame: Array, t: Array, unit: str) -> float | None:
    """Seconds per frame from the times of rows; without a unit only where these do not just count frames."""
    known = np.isfinite(frame) & np.isfinite(t)
    frame, t = frame[known], t[known]
    length = SECONDS.get(spelled(unit)) if unit else 1.0
    if length is None or not len(frame):
        return None
    later = frame != frame[0]
    steps = (t[later] - t[0]) / (frame[later] - frame[0])
    if (
        not len(steps)
        or not np.allclose(steps, np.median(steps), rtol=1e-3)
        or (not unit and np.isclose(steps[0], 1.0))
    ):
        return None
    return float(np.median(steps)) * length


def say_depth(z: Array, report: LossReport) -> None:
    """Say that positions in depth are left out, where they are not all the same."""
    known = z[np.isfinite(z)]
    if len(known) and known.min() < known.max():
        report.assume(f"z, from {known.min():g} to {known.max():g}, is left out: positions are those of a projection")


def pixel_scale(
    unit: str, what: str, options: Options, report: LossReport, origin: str = ", from 0"
) -> tuple[float, float | None]:
    """What positions are multiplied by to be pixels, and micrometres per pixel.

    Parameters
    ----------
    unit : str
        As the file writes it; "" where it does not.
    what : str
        The file, for messages.
    options, report
        As for the readers.
    origin : str
        What is said of the origin where pixels are assumed.

    Raises
    ------
    ValueError
        If the unit is unknown, or one of length and nothing tells the size of a pixel.
    """
    size, unit = options.micrometres_per_pixel, unit.strip("()[] ")
    word = spelled(unit)
    if options.position_unit != "auto":
        word = options.position_unit
    elif not word:
        report.assume(
            f"positions are in pixels{origin}: the file does not name their unit; position_unit tells another"
        )
    elif word not in PIXELS and word not in MICROMETRES:
        raise ValueError(
            f"{what}: positions have the unit {unit!r}, which is not known; known are {known_lengths()}. Tell it: "
            "--position-unit pixel, micrometre or nanometre (position_unit)"
        )
    if word not in MICROMETRES:
        return 1.0, size
    if size is None:
        told = options.position_unit != "auto"
        other = f"{what}: positions have the unit {unit}, and nothing tells a pixel's size"
        why = f"positions in {word}s need the size of a pixel" if told else other
        raise ValueError(f"{why}; give --micrometres-per-pixel UM (micrometres_per_pixel)")
    return MICROMETRES[word] / size, size


def take_in(
    rows: pd.DataFrame,
    what: str,
    options: Options,
    report: LossReport,
    *,
    channels: Sequence[str],
    cell: str,
    seconds_per_frame: float | None,
    micrometres_per_pixel: float | None,
) -> Result:
    """Canonical table of rows as read.

    Parameters
    ----------
    rows : DataFrame
        Columns `track`, `frame` (from 0), `y`, `x` (pixels from 0); where known `segment`, `part`, `category` and
        columns of channels; `cell` where there are several. Without `part`, a row without position is an error, not a
        gap.
    what : str
        The file, for messages and as `source`.
    options, report
        As told, and the account so far: `came` and `kept` are filled in here.
    channels, cell, seconds_per_frame, micrometres_per_pixel
        As `make_table` takes them; the cell is overridden by the options.

    Returns
    -------
    table, report
        The table, with a row of NaN and part "gap" for each frame that a track skips; and the account.

    Raises
    ------
    ValueError
        If anything is wrong and the options do not say to skip it.
    """
    if "cell" in rows:
        return _in_cells(
            rows, what, options, report, channels=channels, known=(seconds_per_frame, micrometres_per_pixel)
        )
    report.came += int(rows["track"].nunique())
    known = {"seconds_per_frame": seconds_per_frame, "micrometres_per_pixel": micrometres_per_pixel}
    if rows.empty:
        if options.on_error == "raise":
            raise ValueError(f"{what} holds no track; --on-error skip (on_error='skip') takes it as an empty table")
        return empty_table(channels, **known), report
    if "part" not in rows:
        rows = rows.assign(part=PARTS.index("track"))
    if "segment" not in rows:
        rows = rows.assign(segment=0)
    for why, bad in _CHECKS.items():
        rows = _without(rows, bad(rows, options), why, what, options, report)
    if rows.empty:
        return empty_table(channels, **known), report
    _count_unknown(rows, channels, report)
    rows = _simplified(rows.astype({"frame": np.int64}), options.compound, report)
    rows = _with_gaps(rows, what)
    table = make_table(
        track=rows["track"],
        frame=rows["frame"].to_numpy(),
        y=rows["y"].to_numpy(),
        x=rows["x"].to_numpy(),
        cell=options.cell or cell,
        source=what,
        segment=rows["segment"].to_numpy(dtype=np.int64),
        part=pd.Categorical.from_codes(rows["part"].to_numpy(), list(PARTS)),
        category=rows["category"].array if "category" in rows else None,
        signals={name: rows[name].to_numpy() for name in rows.columns if _is_signal(name, channels)},
        channels=channels,
        **known,
    )
    report.kept += int(rows["track"].nunique())
    return table, report


def _in_cells(
    rows: pd.DataFrame,
    what: str,
    options: Options,
    report: LossReport,
    *,
    channels: Sequence[str],
    known: tuple[float | None, float | None],
) -> Result:
    """The same of the rows of several cells, whose tracks may have the same numbers."""
    tables = []
    for cell, own in rows.groupby("cell", sort=True):
        lost = LossReport()
        table, _ = take_in(
            own.drop(columns="cell"), what, replace(options, cell=None), lost, channels=channels, cell=str(cell),
            seconds_per_frame=known[0], micrometres_per_pixel=known[1],
        )  # fmt: skip
        tables.append(table)
        report.merge(lost)
    report.recognised.append(f"{what}: {counted(len(tables), 'cells')}")
    return concat(tables), report


def _count_unknown(rows: pd.DataFrame, channels: Sequence[str], report: LossReport) -> None:
    """Say how many amplitudes are unknown where others are known; in gaps nothing was measured."""
    measured = rows["part"].to_numpy() != PARTS.index("gap")
    for name in channels:
        if (column := f"{name}_amplitude") in rows:
            unknown = np.isnan(rows[column].to_numpy(dtype=np.float64)[measured])
            if 0 < (count := int(unknown.sum())) < len(unknown):
                report.assume(f"{count} of {len(unknown)} amplitudes of {name} are unknown (NaN)")


def _is_signal(name: str, channels: Sequence[str]) -> bool:
    return any(name.startswith(f"{channel}_") for channel in channels)


def _no_frame(rows: pd.DataFrame, _options: Options) -> Flags:
    frame = rows["frame"].to_numpy(dtype=np.float64)
    return np.asarray(~np.isfinite(frame) | (frame != np.round(frame)) | (frame < 0))


def _beyond(rows: pd.DataFrame, options: Options) -> Flags:
    return np.asarray(rows["frame"].to_numpy() >= (np.inf if options.frames is None else options.frames))


def _no_position(rows: pd.DataFrame, _options: Options) -> Flags:
    unknown = ~np.isfinite(rows[["y", "x"]].to_numpy()).all(axis=1)
    return np.asarray(unknown & (rows["part"].to_numpy() != PARTS.index("gap")))


def _infinite(rows: pd.DataFrame, _options: Options) -> Flags:
    numbers = rows.select_dtypes("float").drop(columns=["frame", "y", "x"], errors="ignore")
    return np.asarray(np.isinf(numbers.to_numpy()).any(axis=1))


def _twice(rows: pd.DataFrame, _options: Options) -> Flags:
    return np.asarray(rows.duplicated(["track", "segment", "frame"]))


_CHECKS: Mapping[str, Callable[[pd.DataFrame, Options], Flags]] = {
    "a frame that is missing, negative or no whole number": _no_frame,
    "a frame beyond the movie's last": _beyond,
    "a position that is NaN or infinite": _no_position,
    "an infinite intensity": _infinite,
    "two rows for the same frame": _twice,
}


def _without(rows: pd.DataFrame, bad: Flags, why: str, what: str, options: Options, report: LossReport) -> pd.DataFrame:
    """Rows without the tracks that have bad ones: half a track would be a series that nobody measured."""
    if not bad.any():
        return rows
    lost = rows["track"].to_numpy()[bad]
    tracks = np.unique(lost)
    if options.on_error == "raise":
        here = rows["frame"].to_numpy()[bad][0]
        movie = f" (the movie has {options.frames} frames)" if why.startswith("a frame beyond") else ""
        count = f"{counted(len(lost), 'rows')} of {counted(len(tracks), 'tracks')} {_have(len(lost))}"
        raise ValueError(
            f"{what}: {count} {why}{movie}; "
            f"the first is track {lost[0]}, frame {here:g} counted from 0. Mend the file, or --on-error skip "
            "(on_error='skip') leaves these tracks out and lists them"
        )
    report.add("tracks", len(tracks), f"{why} in {counted(len(lost), 'rows')}")
    return rows[~rows["track"].isin(tracks)]


def _have(count: int) -> str:
    return "has" if count == 1 else "have"


def _simplified(rows: pd.DataFrame, compound: Compound, report: LossReport) -> pd.DataFrame:
    """Compound tracks joined, split or dropped: afterwards a track has one row a frame."""
    several = rows.groupby("track")["segment"].transform("nunique").to_numpy() > 1
    if not several.any():
        return rows
    count = int(rows["track"][several].nunique())
    simple, rows = rows[~several], rows[several]
    if compound == "drop":
        report.add("tracks", count, "compound, of several segments")
        return simple
    around = rows["part"].isin([PARTS.index("before"), PARTS.index("after")])
    core = rows[~around]
    spans = core.groupby(["track", "segment"])["frame"].agg(["min", "max", "size"])
    if compound == "split":
        # Frames around the whole track are frames around a segment only where they adjoin it.
        segment = pd.MultiIndex.from_frame(rows[["track", "segment"]])
        first, last = (spans[name].reindex(segment).to_numpy() for name in ("min", "max"))
        far = around.to_numpy() & ~_adjoining(rows, first, last)
        report.add("rows", int(far.sum()), "frames around a compound track that adjoin none of its segments")
        number = spans.groupby(level="track").cumcount().to_numpy()
        new = np.where(number == 0, spans.index.get_level_values("track"), 0)
        top = max(int(rows["track"].max()), int(simple["track"].max()) if len(simple) else 0)
        new[number > 0] = top + 1 + np.arange((number > 0).sum())
        renumbered = pd.Series(new, index=spans.index).reindex(segment).to_numpy()
        rows = rows.assign(track=renumbered, segment=0)[~far]
        report.assume(f"{count} compound tracks were split into the {len(spans)} tracks of their segments")
        return pd.concat([simple, rows], ignore_index=True)
    # The segment that starts first, of those the longest, keeps the frames that several have.
    rank = spans.assign(size=-spans["size"]).sort_values(["track", "min", "size"]).groupby(level="track").cumcount()
    order = rank.reindex(pd.MultiIndex.from_frame(rows[["track", "segment"]])).fillna(0).to_numpy()
    rows = rows.iloc[np.lexsort([order, rows["frame"], rows["track"]])]
    again = rows.duplicated(["track", "frame"])
    why = f"frames that an earlier segment of the same compound track has ({count} such tracks were joined)"
    report.add("rows", int(again.sum()), why)
    return pd.concat([simple, rows[~again]], ignore_index=True)


def _adjoining(rows: pd.DataFrame, first: AnyArray, last: AnyArray) -> Flags:
    """Rows around a track whose nearest one is next to the segment that they are counted to."""
    keys = [rows["track"], rows["segment"], rows["part"]]
    highest = rows.groupby(keys)["frame"].transform("max").to_numpy()
    lowest = rows.groupby(keys)["frame"].transform("min").to_numpy()
    before = rows["part"].to_numpy() == PARTS.index("before")
    return np.asarray(np.where(before, highest == first - 1, lowest == last + 1))


def _with_gaps(rows: pd.DataFrame, what: str) -> pd.DataFrame:
    """Rows in order, and one more for each frame that a track skips."""
    track, frame = rows["track"].to_numpy(), rows["frame"].to_numpy()
    order = np.lexsort([frame, track])
    if not (order[1:] > order[:-1]).all():
        rows = rows.take(order)
        track, frame = track[order], frame[order]
    own = ~np.isin(rows["part"].to_numpy(), [PARTS.index("before"), PARTS.index("after")])
    skipped = np.where((track[1:] == track[:-1]) & own[1:] & own[:-1], np.diff(frame) - 1, 0)
    total = int(skipped.sum())
    if total == 0:
        return rows
    if total > 10 * len(rows) + 100_000:
        raise ValueError(
            f"{what}: its {len(rows)} rows skip {total} frames, which is more than gaps would; the column of frames "
            f"may hold times (it goes to {frame.max()}). Give frame numbers"
        )
    place = np.repeat(np.arange(len(skipped)), skipped)
    nth = np.arange(total) - np.repeat(np.cumsum(skipped) - skipped, skipped) + 1
    gaps = pd.DataFrame({"track": track[place], "frame": frame[place] + nth, "part": PARTS.index("gap")})
    for name in ("segment", "category"):
        if name in rows:
            gaps[name] = rows[name].array[place]
    filled = pd.concat([rows, gaps], ignore_index=True)
    return filled.take(np.lexsort([filled["frame"], filled["track"]]))
