"""Tracks in plain tables: trackpy, napari, cmeAnalysis' CSV export, links between spots, and any with named columns.

| format | columns | counts from |
|---|---|---|
| `trackpy` | frame, particle, y, x; `signal` (else `mass`) is the amplitude | 0 |
| `napari` | track_id, t, (z), y, x by their names; by their order where there are none; t is the frame | 0 |
| `table` | any whose names say what they are (`awd_cme.readers.column_names`), or that are told | 0 |
| `cmeanalysis-csv` | trackId, length, t, f, x, y, A, c, the master channel's | 1 |
| `links` | spots (id, frame, position_x, position_y) and edges (spot_source_id, spot_target_id, track_id) | 0 |
"""

import os

import numpy as np
import pandas as pd

from awd_cme.movies.units import PIXELS, SECONDS, spelled
from awd_cme.readers.column_names import Roles, roles_of, squeezed, squeezed_key
from awd_cme.readers.intake import (
    Options,
    Result,
    bare_name,
    channel_names,
    interval,
    pixel_scale,
    say_depth,
    step_of_times,
    take_in,
)
from awd_cme.readers.text_tables import Table, read_table
from awd_cme.tracks.losses import LossReport, counted
from awd_cme.tracks.table import PARTS
from awd_core.typing import Array, Rows

COLUMNS = {
    "trackpy": ("frame", "particle", "y", "x"),
    "cmeanalysis-csv": ("trackId", "t", "f", "x", "y", "A", "c"),
    "links": ("spot_source_id", "spot_target_id", "track_id"),
}
"""Columns by which a table with a header is recognised, in any case, and which it must have."""

_PLAIN_CELLS = ("cell", "cell_name", "cell_id", "cell_number", "movie", "movie_name", "video", "file_name", "filename")


def read_named(path: str | os.PathLike[str], options: Options | None = None) -> Result:
    """Read a table whose columns are told by their names, or by `columns`; one of several cells, too.

    Raises
    ------
    ValueError
        If a column that is needed is not found, a unit is unknown, or rows are wrong.
    """
    options, report = options or Options(), LossReport()
    table = read_table(path, report)
    if not table.names:
        if options.columns is None:
            raise ValueError(
                f"{path} has no names of columns; tell their numbers, --columns track=1,frame=2,y=3,x=4 (columns)"
            )
        table.frame.columns = pd.Index([str(k + 1) for k in range(table.frame.shape[1])])
        roles = roles_of([str(name) for name in table.frame.columns], options.columns)
    else:
        roles = roles_of(table.names, options.columns)
    if roles.missing:
        raise ValueError(
            f"{path}: no column is known to be the {', '.join(roles.missing)}; it has "
            f"{', '.join(map(repr, table.frame.columns))}. Say which is: --columns track=NAME,frame=NAME,x=NAME,y=NAME "
            "(columns={'track': …}), as far as needed"
        )
    report.recognised.append(f"{path}: a table of tracks, by the names of its columns: {roles}")
    if roles.others:
        report.assume(f"the columns {', '.join(roles.others)} would do as well, and are not taken")
    return _of_roles(table, roles, path, options, report)


def read_trackpy(path: str | os.PathLike[str], options: Options | None = None) -> Result:
    """Read trackpy's table of linked features (CSV, or Parquet); raises ValueError where it is none or wrong."""
    options, report = options or Options(), LossReport()
    table = read_table(path, report)
    track, frame, y, x = columns_of(table, "trackpy")[1], *(columns_of(table, "trackpy")[k] for k in (0, 2, 3))
    report.recognised.append(f"{path}: linked features of trackpy")
    roles = Roles({"track": track, "x": x, "y": y, "frame": frame})
    known = squeezed(table.names)
    if measure := next((known[name] for name in ("signal", "mass") if name in known), None):
        roles.channels[""] = {"amplitude": measure}
    if "z" in known:
        roles.columns["z"] = known["z"]
    return _of_roles(table, roles, path, options, report, whose="trackpy's ")


def read_napari(path: str | os.PathLike[str], options: Options | None = None) -> Result:
    """Read napari's tracks, four or five columns of numbers; raises ValueError where they are none or wrong."""
    options, report = options or Options(), LossReport()
    table = read_table(path, report)
    if table.names:
        return read_named(path, options)
    width = table.frame.shape[1]
    if width not in (4, 5) or not all(np.issubdtype(kind, np.number) for kind in table.frame.dtypes):
        raise ValueError(
            f"{path} is no table of napari's tracks: it must hold 4 columns of numbers (track_id, t, y, x) or 5 "
            f"(track_id, t, z, y, x), it has {width} of the types {[str(kind) for kind in table.frame.dtypes]}"
        )
    order = ("track_id", "t", "y", "x") if width == 4 else ("track_id", "t", "z", "y", "x")
    report.recognised.append(f"{path}: tracks of napari, {width} columns")
    report.assume(f"the columns, which have no names, are napari's in their order: {', '.join(order)}")
    if (odd := int(table.frame[0].isna().sum())) > 0:
        raise ValueError(f"{path}: {odd} rows have no track_id; fill in the first column")
    table.frame.columns = pd.Index(order)
    roles = Roles({"track": "track_id", "frame": "t", "y": "y", "x": "x"} | ({"z": "z"} if width == 5 else {}))
    return _of_roles(table, roles, path, options, report)


def read_cmeanalysis_csv(path: str | os.PathLike[str], options: Options | None = None) -> Result:
    """Read cmeAnalysis' tracks as CSV; raises ValueError where it is none or wrong.

    A row without `f` separates two segments of a compound track, a row without position is a gap.
    """
    options, report = options or Options(), LossReport()
    table = read_table(path, report)
    raw = pd.DataFrame(
        {name: table.numbers(own) for name, own in zip(COLUMNS["cmeanalysis-csv"], columns_of(table, "cmeanalysis-csv"),
                                                      strict=True)}
    )  # fmt: skip
    report.recognised.append(f"{path}: tracks of cmeAnalysis as CSV")
    if (odd := int(raw["trackId"].isna().sum())) > 0:
        raise ValueError(f"{path}: {odd} rows have no trackId that is a number; fill in that column")
    separator = raw["f"].isna()
    segment = separator.groupby(raw["trackId"]).cumsum()
    raw, segment = raw[~separator], segment[~separator]
    report.add("rows", int(separator.sum()), "separators between the segments of compound tracks")
    names = channel_names(1, options, report)
    rows = pd.DataFrame({"track": _whole(raw["trackId"].to_numpy(), path), "frame": raw["f"] - 1, "segment": segment})
    rows["y"], rows["x"] = raw["y"] - 1, raw["x"] - 1
    gap = rows[["y", "x"]].isna().any(axis=1)
    if (half := int((rows["y"].isna() != rows["x"].isna()).sum())) > 0:
        report.doubt(f"{counted(half, 'rows')} with one of two coordinates, taken for gaps: is the file damaged?")
    rows["part"] = np.where(gap, PARTS.index("gap"), PARTS.index("track"))
    rows[f"{names[0]}_amplitude"], rows[f"{names[0]}_background"] = raw["A"], raw["c"]
    report.assume("frames and positions count from 1 in the file; categories are unknown")
    later = raw["f"] > 1
    steps = (raw["t"][later] / (raw["f"][later] - 1)).dropna().to_numpy()
    found = float(steps[0]) if len(steps) and np.allclose(steps, steps[0], rtol=1e-3) else None
    return plain_result(rows, path, options, report, names, found, options.micrometres_per_pixel)


def columns_of(table: Table, kind: str) -> list[str]:
    """The file's names of the columns of a kind, in the order of `COLUMNS`."""
    known = squeezed(table.names)
    if missing := [name for name in COLUMNS[kind] if squeezed_key(name) not in known]:
        raise ValueError(
            f"{table.path}: the columns {missing} are missing; it has {table.names}. {kind} needs {COLUMNS[kind]}"
        )
    return [known[squeezed_key(name)] for name in COLUMNS[kind]]


def _of_roles(
    table: Table, roles: Roles, path: str | os.PathLike[str], options: Options, report: LossReport, whose: str = ""
) -> Result:
    """Canonical table of a table of which it is known which column is what."""
    column = roles.columns
    track = _numbers_of_tracks(table, roles, path, report)
    alone = np.isnan(track)
    report.add("spots", int(alone.sum()), "in no track")
    rows = pd.DataFrame({"track": _whole(np.where(alone, -1, track), path)})
    rows["frame"], seconds = _frames(table, roles, path, options, report)
    unit = roles.unit or table.unit(column["x"]) or _unit_in_rows(table)
    scale, size = pixel_scale(unit, f"{path}", options, report)
    rows["y"], rows["x"] = table.numbers(column["y"]) * scale, table.numbers(column["x"]) * scale
    for role in ("segment", "category"):
        if role in column:
            values = table.numbers(column[role])
            rows[role] = values.astype(np.int64) if role == "segment" else pd.array(values, dtype="Int64")
    if "z" in column:
        say_depth(table.numbers(column["z"]), report)
    names = _signals(table, roles, rows, options, report, whose)
    if (cells := cells_of(table, roles, options)) is not None:
        rows["cell"] = cells
    rows = rows[~alone]
    _refuse_spots(rows, roles, path, report)
    return plain_result(rows, path, options, report, names, seconds, size)


def _unit_in_rows(table: Table) -> str:
    """Unit of positions that a column of its own tells, the same in all rows; "" if there is none."""
    name = next((own for key, own in squeezed(table.names).items() if key in ("unit", "units", "positionunit")), None)
    words = [] if name is None else table.frame[name].dropna().astype("str").unique()
    return str(words[0]) if len(words) == 1 else ""


def _numbers_of_tracks(table: Table, roles: Roles, path: str | os.PathLike[str], report: LossReport) -> Array:
    """Numbers of tracks; names of tracks are numbered in the order in which they come."""
    name = roles.columns["track"]
    column = table.frame[name]
    if not pd.api.types.is_numeric_dtype(column.dtype):
        text = column.astype("str").str.strip().where(column.notna(), "")
        wordy = ~text.isin(["", "nan", "NaN", "NAN", "None"]) & pd.to_numeric(text, errors="coerce").isna()
        if wordy.any() and wordy.sum() == (~text.isin(["", "nan", "NaN", "NAN", "None"])).sum():
            codes, names = pd.factorize(text.where(wordy), sort=False)
            report.assume(f"{path} names tracks, as {names[0]!r}: they are numbered from 1 in the order of their rows")
            return np.where(codes < 0, np.nan, codes + 1.0)
    return table.numbers(name)


def _refuse_spots(rows: pd.DataFrame, roles: Roles, path: str | os.PathLike[str], report: LossReport) -> None:
    """A number that no two rows share is one of a spot."""
    if len(rows) < 2 or rows["track"].duplicated().any() or rows["frame"].nunique() < 2:
        return
    name = roles.columns["track"]
    if roles.weak:
        raise ValueError(
            f"{path}: each of its {len(rows)} rows has a number of its own in the column {name!r}, which numbers "
            "spots, and not tracks; say which column does, --columns track=NAME, or put the table of links "
            "beside it (…_edges beside …_spots)"
        )
    report.assume(f"each of the {len(rows)} tracks has a single spot: does the column {name!r} number tracks?")


def _frames(
    table: Table, roles: Roles, path: str | os.PathLike[str], options: Options, report: LossReport
) -> tuple[Array, float | None]:
    """Number of the frame of each row, and seconds per frame as far as the table tells."""
    column, clock = roles.columns, roles.clock or table.unit(roles.columns.get("time", ""))
    length = SECONDS.get(spelled(clock)) if clock else 1.0
    if clock and length is None and spelled(clock) not in ("frame", *PIXELS):
        report.assume(f"times have the unit {clock!r}, which is not known: they are not looked at")
    if "frame" in column:
        frames = table.numbers(column["frame"])
        if "time" in column and length is not None:
            return frames, step_of_times(frames, table.numbers(column["time"]), clock)
        if column["frame"].strip().casefold() not in ("t", "time", "position_t", "pos_t") or not _are_times(frames):
            return frames, None
        times, length = frames, 1.0
    else:
        times = table.numbers(column["time"])
    if length is None:
        raise ValueError(
            f"{path}: times have the unit {clock!r}, which is not known; give s, ms, min or another usual one, or name "
            "a column of frames: --columns frame=NAME"
        )
    times = times * length
    known = times[np.isfinite(times)]
    step = options.seconds_per_frame or _step(known)
    if step is None or not np.allclose(known / step, np.round(known / step), atol=0.05):
        raise ValueError(
            f"{path}: the times in the column {column.get('time') or column['frame']!r} are no multiples of a frame "
            f"interval{f' of {step:g} s' if step else ''}, and no column has frames; give --seconds-per-frame S "
            "(seconds_per_frame), or name one: --columns frame=NAME"
        )
    report.assume(f"frames are the times divided by {step:g} s")
    return np.round(times / step), step


def _are_times(values: Array) -> bool:
    """Whether a column that is called t holds times: no whole numbers, or all some steps apart."""
    known = values[np.isfinite(values)]
    if not len(known):
        return False
    return bool((known != np.round(known)).any() or ((step := _step(known)) is not None and step > 1))


def _step(times: Array) -> float | None:
    """The smallest step between times, None of a single one."""
    steps = np.diff(np.unique(np.round(times, 9)))
    return float(steps.min()) if len(steps) else None


def _signals(
    table: Table, roles: Roles, rows: pd.DataFrame, options: Options, report: LossReport, whose: str
) -> list[str]:
    """Names of the channels; their columns are put into the rows."""
    keys = list(roles.channels)
    words = [key for key in keys if key and not key.isdigit()]
    if options.channels is not None and words == keys and set(options.channels) <= set(words):
        names = keys = list(options.channels)
    else:
        names = channel_names(max(len(keys), 1), options, report, words if keys and words == keys else None)
    for name, key in zip(names, keys, strict=False):
        for measure, column in roles.channels[key].items():
            rows[f"{name}_{measure}"] = table.numbers(column)
        what = f"the amplitude is {whose}{roles.channels[key].get('amplitude')!r}"
        lacks = "" if "background" in roles.channels[key] else "; nothing tells the background"
        report.assume(f"{what}{lacks}" if len(keys) == 1 else f"{name}: {what}{lacks}")
    if not keys:
        report.assume("the file holds no intensities: amplitudes are NaN")
    return names


def cells_of(table: Table, roles: Roles, options: Options) -> pd.Series | None:
    """Name of the cell of each row, where there are several; its condition before it, where a column has that."""
    name = roles.columns.get("cell")
    if name is None:
        return None
    column = table.frame[name]
    told = options.columns is not None and "cell" in options.columns
    if pd.api.types.is_numeric_dtype(column.dtype) and not told and squeezed_key(name) not in squeezed(_PLAIN_CELLS):
        return None
    words = column.astype("str").where(column.notna(), "")
    if words.nunique() < 2:
        return None
    if condition := squeezed(table.names).get("condition"):
        words = table.frame[condition].astype("str") + "/" + words
    if options.cell is not None:
        words = options.cell + "/" + words
    return words.str.replace("\\", "/", regex=False)


def _whole(values: Array, path: str | os.PathLike[str]) -> Rows:
    if (odd := values[np.isfinite(values) & (values != np.round(values))]).size:
        raise ValueError(
            f"{path}: {odd.size} numbers of tracks are no whole ones, such as {odd[0]:g}; is it the right column? "
            "--columns track=NAME names another"
        )
    return values.astype(np.int64)


def plain_result(
    rows: pd.DataFrame,
    path: str | os.PathLike[str],
    options: Options,
    report: LossReport,
    names: list[str],
    seconds: float | None,
    size: float | None,
) -> Result:
    """Rows of a plain table taken in."""
    return take_in(
        rows,
        str(path),
        options,
        report,
        channels=names,
        cell=bare_name(path),
        seconds_per_frame=interval(seconds, "the column of times", options, report),
        micrometres_per_pixel=size,
    )
