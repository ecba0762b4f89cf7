"""The canonical table of tracks: one row per track and frame, whatever program tracked.

Rows are sorted by (source, cell, track, frame), text as Python sorts it, and unique in (cell, track, frame).

| column | type | meaning |
|---|---|---|
| `cell` | category of str | the cell, that is the movie |
| `track` | int64 | number of the track, unique within the cell |
| `frame` | int64 | frame of the movie, from 0 |
| `t` | float64 | time in seconds; NaN where the frame interval is unknown |
| `y`, `x` | float64 | position in pixels, pixel centres at integers from 0; NaN in gaps only |
| `segment` | int64 | segment of a compound track, from 0; 0 for simple tracks |
| `part` | category | "before", "track", "gap" or "after": "before" and "after" are the frames around the track |
| `<channel>_amplitude`, `<channel>_background` | float64 | height of the spot, and of what it stands on |
| `<channel>_amplitude_error`, `<channel>_background_error` | float64 | their standard errors |
| `<channel>_p` | float64 | p-value of the amplitude against the background's noise |
| `category` | Int64 | cmeAnalysis' `catIdx`, 1 to 8; the same in all rows of a track |
| `lifetime` | float64 | seconds from the first frame of the track to the end of its last; the same in all rows |
| `source` | category of str | where the track came from |

What is unknown is NaN (`<NA>` in `category`), never zero. `table.attrs` holds `channels` (names in order, the master
first), `seconds_per_frame` and `micrometres_per_pixel` (None where unknown). A lifetime counts "track" and "gap" alone.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from awd_cme.movies.file_names import printable
from awd_cme.movies.movie import DEFAULT_CHANNELS as DEFAULT_CHANNELS
from awd_cme.tracks.losses import LossReport as LossReport
from awd_cme.tracks.rules import LEADING, TRAILING, in_order, spans, starts, validate
from awd_cme.tracks.rules import MEASURES as MEASURES
from awd_cme.tracks.rules import PARTS as PARTS
from awd_cme.tracks.rules import channels as channels
from awd_cme.tracks.rules import columns as columns
from awd_core.checks import check_kind, plain_array, real_array
from awd_core.typing import AnyArray, Rows

__all__ = [
    "DEFAULT_CHANNELS",
    "LEADING",
    "MEASURES",
    "PARTS",
    "TRAILING",
    "LossReport",
    "channels",
    "columns",
    "concat",
    "empty_table",
    "in_order",
    "labels",
    "make_table",
    "spans",
    "starts",
    "summary",
    "validate",
]


def make_table(
    *,
    track: npt.ArrayLike,
    frame: npt.ArrayLike,
    y: npt.ArrayLike,
    x: npt.ArrayLike,
    cell: Any = "cell",
    source: Any = "",
    t: npt.ArrayLike | None = None,
    segment: npt.ArrayLike = 0,
    part: Any = None,
    category: Any = None,
    lifetime: npt.ArrayLike | None = None,
    signals: Mapping[str, npt.ArrayLike] | None = None,
    channels: Sequence[str] = DEFAULT_CHANNELS,
    seconds_per_frame: float | None = None,
    micrometres_per_pixel: float | None = None,
) -> pd.DataFrame:
    """Canonical table of what is known, in any order of rows; all the rest is unknown.

    Parameters
    ----------
    track, frame : array_like of int, shape (rows,)
        Number of the track within its cell, and frame from 0.
    y, x : array_like, shape (rows,)
        Position in pixels, from 0; NaN in gaps.
    cell, source : str or array_like of str, shape (rows,)
        One for all rows, or one a row.
    t : array_like, shape (rows,), optional
        Time in seconds. Default: frame × `seconds_per_frame`, NaN where that is None.
    segment : int or array_like of int, shape (rows,)
        Segment of a compound track.
    part : array_like of str, shape (rows,), optional
        One of `PARTS` a row. Default: "gap" where y or x is NaN, else "track".
    category : array_like of int, shape (rows,), optional
        Category 1 to 8, or missing.
    lifetime : array_like, shape (rows,), optional
        Seconds. Default: (last − first + 1) × `seconds_per_frame` of the track's rows without "before" and "after".
    signals : mapping of str to array_like, shape (rows,), optional
        Columns of channels by their names, such as "clathrin_amplitude"; those that lack are NaN.
    channels : sequence of str
        Names of the channels, the master first.
    seconds_per_frame, micrometres_per_pixel : float, optional
        Frame interval and size of a pixel; None is unknown.

    Returns
    -------
    DataFrame
        The table, sorted and validated.

    Raises
    ------
    ValueError
        If columns differ in length or signals belong to no channel, and as `validate`.

    Examples
    --------
    >>> table = make_table(track=[1, 1], frame=[5, 4], y=[2.0, 2.5], x=[7.0, 7.5], channels=["a"],
    ...                    signals={"a_amplitude": [30.0, 20.0]}, seconds_per_frame=2.0)
    >>> table[["track", "frame", "t", "lifetime", "a_amplitude"]].values.tolist()
    [[1.0, 4.0, 8.0, 4.0, 20.0], [1.0, 5.0, 10.0, 4.0, 30.0]]
    """
    number = np.atleast_1d(plain_array(track, "track"))
    rows = len(number)
    signals = dict(check_kind("signals", {} if signals is None else signals, Mapping))
    if isinstance(channels, str):
        raise TypeError(f"channels are {channels!r}; give a list of names, [{channels!r}]")
    facts = {"seconds_per_frame": seconds_per_frame, "micrometres_per_pixel": micrometres_per_pixel}
    for name, value in facts.items():
        if isinstance(value, str):
            raise TypeError(f"{name} is {value!r}; give a positive number, or None where unknown")
    names = columns(channels)
    if foreign := [name for name in signals if name not in names[len(LEADING) : -len(TRAILING)]]:
        raise ValueError(f"the columns {foreign} belong to none of the channels {list(channels)}: {MEASURES} of each")
    y, x = (real_array(given, name).astype(np.float64, copy=False) for name, given in (("y", y), ("x", x)))
    frame = _integers(frame, "frame")
    if part is None:
        part = pd.Categorical.from_codes(np.where(np.isnan(y) | np.isnan(x), PARTS.index("gap"), 1), list(PARTS))
    elif isinstance(part, str):
        part = pd.Categorical.from_codes(np.full(rows, PARTS.index(part)), list(PARTS))
    interval = np.nan if seconds_per_frame is None else float(seconds_per_frame)
    unknown = np.full(rows, np.nan)
    values: dict[str, Any] = {
        "cell": labels(cell, rows),
        "track": _integers(number, "track"),
        "frame": frame,
        "t": frame * interval if t is None else np.asarray(t, dtype=np.float64),
        "y": y,
        "x": x,
        "segment": np.full(rows, segment) if np.ndim(segment) == 0 else _integers(segment, "segment"),
        "part": pd.Categorical(part, categories=list(PARTS)),
        **{
            name: real_array(signals.get(name, unknown), name).astype(np.float64, copy=False)
            for name in names[len(LEADING) : -len(TRAILING)]
        },
        "category": _categories(category, rows),
        "lifetime": unknown if lifetime is None else np.asarray(lifetime, dtype=np.float64),
        "source": labels(source, rows),
    }
    if wrong := {name: len(column) for name, column in values.items() if len(column) != rows}:
        raise ValueError(f"all columns must have the {rows} rows of `track`; lengths that differ: {wrong}")
    # Columns are taken without a copy: a table of a million rows is built once, not twice.
    table = pd.DataFrame(values, columns=names, copy=False)
    table.attrs = {
        "channels": list(channels),
        "seconds_per_frame": None if seconds_per_frame is None else float(seconds_per_frame),
        "micrometres_per_pixel": None if micrometres_per_pixel is None else float(micrometres_per_pixel),
    }
    table = in_order(table)
    if lifetime is None and rows:
        first, last = spans(table)
        table["lifetime"] = np.repeat((last - first + 1) * interval, np.diff(np.append(starts(table), rows)))
    return validate(table)


def empty_table(
    channels: Sequence[str] = DEFAULT_CHANNELS,
    *,
    seconds_per_frame: float | None = None,
    micrometres_per_pixel: float | None = None,
) -> pd.DataFrame:
    """Canonical table without a row.

    Examples
    --------
    >>> len(empty_table()), empty_table().attrs["channels"]
    (0, ['clathrin', 'auxilin'])
    """
    none: list[float] = []
    return make_table(
        track=none,
        frame=none,
        y=none,
        x=none,
        segment=none,
        channels=channels,
        seconds_per_frame=seconds_per_frame,
        micrometres_per_pixel=micrometres_per_pixel,
    )


def concat(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """One table of several, such as those of the cells of an experiment.

    Parameters
    ----------
    tables : sequence of DataFrame
        Canonical tables. Channels that a table lacks are NaN there.

    Returns
    -------
    DataFrame
        Sorted and validated. `attrs` keeps a frame interval or size of a pixel that all tables share, else None.

    Raises
    ------
    ValueError
        If there is no table, or as `validate`: above all, where two tables have the same tracks of the same cell.
    """
    if not tables:
        raise ValueError("there is no table to join; use empty_table for one without tracks")
    names = list(dict.fromkeys(name for table in tables for name in channels(table)))
    whole = {name: pd.concat([_column(table, name) for table in tables], ignore_index=True) for name in columns(names)}
    for name in ("cell", "source"):
        parts = [table[name].cat for table in tables]
        union = sorted({label for part in parts for label in part.categories})
        codes = [np.asarray([*(union.index(label) for label in part.categories), -1])[part.codes] for part in parts]
        whole[name] = pd.Categorical.from_codes(np.concatenate(codes), pd.Index(union, dtype="str"))
    joined = pd.DataFrame(whole, copy=False)
    joined["part"] = pd.Categorical(joined["part"], categories=list(PARTS))
    joined.attrs = {"channels": names}
    for key in ("seconds_per_frame", "micrometres_per_pixel"):
        shared = {table.attrs.get(key) for table in tables}
        joined.attrs[key] = shared.pop() if len(shared) == 1 else None
    return validate(in_order(joined))


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """One row a track.

    Parameters
    ----------
    table : DataFrame
        Canonical table.

    Returns
    -------
    DataFrame
        `cell`, `track`, `source`, `category`, `lifetime` as in the table; `first` and `last`, frames of the track
        without those around it; `frames`, how many rows these are, of which `gaps` are gaps; `segments`; `before` and
        `after`, rows around the track; `y`, `x`, mean position in pixels; and of each channel, over the track's own
        frames, `<channel>_mean` and `<channel>_max` of the amplitude, and `<channel>_significant`, the number of frames
        with p < 0.05 (NA where no p-value is known).

    Examples
    --------
    >>> table = make_table(track=[1, 1, 1], frame=[3, 4, 5], y=[2, float("nan"), 3], x=[7, float("nan"), 7])
    >>> summary(table)[["first", "last", "frames", "gaps", "y"]].values.tolist()
    [[3.0, 5.0, 3.0, 1.0, 2.5]]
    """
    validate(table)
    first = starts(table)
    rows = table.iloc[first]
    part = table["part"].cat.codes.to_numpy()
    own = np.isin(part, [PARTS.index("track"), PARTS.index("gap")])

    def total(values: AnyArray) -> AnyArray:
        return np.add.reduceat(values, first) if len(first) else values[:0]

    def mean(values: AnyArray) -> AnyArray:
        known = own & ~np.isnan(values)
        count = total(known.astype(np.float64))
        return total(np.where(known, values, 0.0)) / np.where(count == 0, np.nan, count)

    begin, end = spans(table)
    counts = {name: total((part == PARTS.index(name)).astype(np.int64)) for name in ("gap", "before", "after")}
    segment = table["segment"].to_numpy()
    values = {name: rows[name].array for name in ("cell", "track", "source", "category", "lifetime")}
    values |= {"first": begin, "last": end, "frames": total(own.astype(np.int64)), "gaps": counts["gap"]}
    values["segments"] = (np.maximum.reduceat(segment, first) if len(first) else segment[:0]) + 1
    values |= {"before": counts["before"], "after": counts["after"]}
    values |= {name: mean(table[name].to_numpy()) for name in ("y", "x")}
    for name in channels(table):
        amplitude, p = table[f"{name}_amplitude"].to_numpy(), table[f"{name}_p"].to_numpy()
        highest = np.where(own & ~np.isnan(amplitude), amplitude, -np.inf)
        highest = np.maximum.reduceat(highest, first) if len(first) else highest[:0]
        values[f"{name}_mean"] = mean(amplitude)
        values[f"{name}_max"] = np.where(np.isinf(highest), np.nan, highest)
        unknown = total((own & ~np.isnan(p)).astype(np.int64)) == 0
        values[f"{name}_significant"] = pd.arrays.IntegerArray(total((own & (p < 0.05)).astype(np.int64)), unknown)
    result = pd.DataFrame(values)
    result.attrs = dict(table.attrs)
    return result


def _column(table: pd.DataFrame, name: str) -> pd.Series:
    if name in table.columns:
        return table[name]
    return pd.Series(np.full(len(table), np.nan), name=name)


def labels(value: Any, rows: int) -> pd.Categorical:
    """Column of text, one for all rows or one a row, as `cell` and `source` have it."""
    if isinstance(value, str):
        only = pd.Index([printable(value)][: min(rows, 1)], dtype="str")
        return pd.Categorical.from_codes(np.zeros(rows, dtype=np.int8), only)
    if isinstance(value, pd.Series):
        value = value.array
    if isinstance(value, pd.Categorical):
        return value.rename_categories(value.categories.astype("str"))
    codes, names = pd.factorize(np.atleast_1d(np.asarray(value, dtype=object)), sort=True)
    told = [printable(name) if isinstance(name, str) else name for name in names]
    return pd.Categorical.from_codes(codes, pd.Index(told, dtype="str"))


def _categories(values: Any, rows: int) -> Any:
    try:
        return pd.array(np.full(rows, pd.NA) if values is None else values, dtype="Int64")
    except (TypeError, ValueError) as error:
        raise ValueError(f"category must be whole numbers, 1 to 8, or missing: {error}") from error


def _integers(values: npt.ArrayLike, name: str) -> Rows:
    numbers = np.asarray(values)
    if numbers.dtype.kind in "iu":
        return numbers.astype(np.int64, copy=False)
    if not np.issubdtype(numbers.dtype, np.floating):
        raise ValueError(f"{name} must be whole numbers, got values of the type {numbers.dtype}")
    if len(odd := numbers[~np.isfinite(numbers) | (numbers != np.round(numbers))]):
        raise ValueError(f"{name} must be whole numbers, got {odd[0]} among them ({len(odd)} such values)")
    return numbers.astype(np.int64)
