"""`ProcessedTracks.mat` of cmeAnalysis (Aguet et al. 2013): one file, MATLAB 5 or 7.3, one channel or more.

What becomes of what: `f`, `x`, `y` lose one, since MATLAB counts from 1; positions are those of the
first channel, the master.
`A`, `c`, `A_pstd`, `c_pstd`, `pval_Ar` are amplitude, background, their errors and p of each channel. `gapVect` makes a
row a gap; it keeps the position and the amplitude that cmeAnalysis measured between its neighbours. `startBuffer` and
`endBuffer` are the parts "before" and "after"; NaN in `f` separates the segments of a compound track. Tracks are
numbered from 1 as in the file.
"""

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from awd_cme.movies.units import interval_in_path
from awd_cme.readers.intake import Options, Result, channel_names, interval, take_in
from awd_cme.readers.matlab import StructArray, struct_array
from awd_cme.tracks.losses import LossReport
from awd_cme.tracks.table import PARTS
from awd_core.typing import AnyArray

NEEDED = ("f", "x", "y", "A")
FIELDS = {
    "A": "amplitude",
    "c": "background",
    "A_pstd": "amplitude_error",
    "c_pstd": "background_error",
    "pval_Ar": "p",
}
_TRACK, _GAP = PARTS.index("track"), PARTS.index("gap")
_BUFFERS = {"startBuffer": PARTS.index("before"), "endBuffer": PARTS.index("after")}


def read_cmeanalysis(path: str | os.PathLike[str], options: Options | None = None) -> Result:
    """Read one `ProcessedTracks.mat`.

    Parameters
    ----------
    path : str or path
        The file.
    options : Options, optional
        As `read_tracks` describes them.

    Returns
    -------
    table, report
        Canonical table, and what was lost.

    Raises
    ------
    ValueError
        If the file is no such file, broken, or wrong in a way that the options do not say to skip.
    """
    options, report = options or Options(), LossReport()
    path = Path(path)
    with struct_array(path, "tracks") as tracks:
        if len(tracks) and (missing := [name for name in NEEDED if name not in tracks.fields]):
            raise ValueError(
                f"{path}: the struct array 'tracks' lacks the fields {missing}; it has {list(tracks.fields)}. "
                "cmeAnalysis' runTrackProcessing writes them"
            )
        rows, count = _rows(tracks, path, report) if len(tracks) else (pd.DataFrame({"track": [0]})[:0], 2)
        seconds = _interval(tracks) if len(tracks) else None
    report.recognised.append(f"{path}: tracks of cmeAnalysis, {count} channels")
    names = channel_names(count, options, report)
    signals = {f"{k}_{measure}": f"{name}_{measure}" for k, name in enumerate(names) for measure in FIELDS.values()}
    named, told = interval_in_path(path.resolve().parent).value, "its times"
    if seconds is None:
        seconds, told = named, "the name of its folder"
    elif named is not None and not np.isclose(named, seconds, rtol=1e-3) and options.seconds_per_frame is None:
        report.assume(
            f"the frame interval is {seconds:g} s, as the times in {path} say; its folder's name says {named:g} s"
        )
    return take_in(
        rows.rename(columns=signals),
        str(path),
        options,
        report,
        channels=names,
        cell=cell_folder(path).name or path.stem,
        seconds_per_frame=interval(seconds, told, options, report),
        micrometres_per_pixel=options.micrometres_per_pixel,
    )


def cell_folder(path: Path) -> Path:
    """Folder of the cell of a `ProcessedTracks.mat`: the nearest with "cell" in its name, or the file's."""
    parents = list(path.absolute().parents)
    for parent in parents[:4]:
        if re.search(r"cell", parent.name, re.IGNORECASE):
            return parent
    inside = len(parents) > 2 and parents[0].name == "Tracking"
    return parents[2] if inside else parents[0]


def _rows(tracks: StructArray, path: Path, report: LossReport) -> tuple[pd.DataFrame, int]:
    """Rows with positions from 0, columns of channels by their numbers; and how many channels there are."""
    frames = [value.ravel() for value in tracks.column("f")]
    lengths = np.array([len(value) for value in frames])
    number = np.repeat(np.arange(len(frames)), lengths)
    frame = np.concatenate(frames).astype(np.float64)
    positions = tracks.column("x")
    first = int(np.argmax(lengths > 0))
    count = positions[first].size // max(int(lengths[first]), 1)
    if count == 0:
        raise ValueError(f"{path}: track {first + 1} has {lengths[first]} frames, but no positions in the field 'x'")

    def flat(name: str, values: list[AnyArray]) -> AnyArray:
        return _joined(values, lengths, count, f"{path}: field {name!r}")

    # A segment begins behind each separator, of which the frame is NaN.
    separator = np.isnan(frame)
    passed = np.cumsum(separator)
    segment = passed - np.repeat((passed - separator)[np.cumsum(lengths) - lengths], lengths) if len(frame) else passed
    x, y = flat("x", positions)[0], flat("y", tracks.column("y"))[0]
    gap = np.isnan(x) | np.isnan(y)
    if "gapVect" in tracks.fields:
        gap |= _joined(tracks.column("gapVect"), lengths, 1, f"{path}: field 'gapVect'")[0] == 1
    columns = {"track": number, "frame": frame - 1, "y": y - 1, "x": x - 1, "segment": segment}
    columns["part"] = np.where(gap, _GAP, _TRACK)
    for field, measure in FIELDS.items():
        if field in tracks.fields:
            columns |= {f"{k}_{measure}": row for k, row in enumerate(flat(field, tracks.column(field)))}
        else:
            report.assume(f"{path} has no field {field!r}: {measure} is NaN")
    core = pd.DataFrame(columns, copy=False)[~separator]
    report.add("rows", int(separator.sum()), "separators between the segments of compound tracks")
    rows = pd.concat(
        [core, *(_buffer(tracks, name, core, count, path, report) for name in _BUFFERS)], ignore_index=True
    )
    rows["category"] = _categories(tracks, path, report)[rows["track"].to_numpy()]
    rows["track"] += 1
    if (empty := int((lengths == 0).sum())) > 0:
        report.came += empty
        report.add("tracks", empty, "without a frame")
    return rows, count


def _joined(values: list[AnyArray], lengths: AnyArray, count: int, what: str) -> AnyArray:
    """Arrays of all tracks side by side, shape (count, rows); NaN for those that are empty."""
    if any(value.shape != (count, length) for value, length in zip(values, lengths.tolist(), strict=True)):
        values = list(values)
        for k, length in enumerate(lengths.tolist()):
            shape = values[k].shape
            if 0 in shape:
                values[k] = np.full((count, length), np.nan)
            elif shape == (length, count):
                values[k] = values[k].T
            elif shape != (count, length):
                wanted = f"{count} channels × {length} frames"
                raise ValueError(f"{what} of track {k + 1} has the shape {shape}, and not {wanted}; is the file whole?")
    return np.concatenate(values, axis=1, dtype=np.float64)


def _buffer(
    tracks: StructArray, name: str, core: pd.DataFrame, count: int, path: Path, report: LossReport
) -> pd.DataFrame:
    if name not in tracks.fields:
        return core[:0]
    found = [(k, fields) for k, fields in tracks.nested(name, ["f", "x", "y", *FIELDS]) if fields["x"].size]
    if not found:
        return core[:0]
    owner = np.array([k for k, _ in found])
    lengths = np.array([fields["x"].size // count for _, fields in found])
    number = np.repeat(owner, lengths)
    nth = np.arange(len(number)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    # The frames follow from the track's: older versions do not hold them, and none leaves any out.
    grouped = core.groupby("track")
    if name == "startBuffer":
        edge = grouped["frame"].min().reindex(number).to_numpy()
        frame, segment = edge - np.repeat(lengths, lengths) + nth, np.zeros(len(number), dtype=np.int64)
    else:
        frame = grouped["frame"].max().reindex(number).to_numpy() + 1 + nth
        segment = grouped["segment"].max().reindex(number).to_numpy()
    empty = np.empty((0, 0))

    def flat(field: str) -> AnyArray:
        return _joined([fields.get(field, empty) for _, fields in found], lengths, count, f"{path}: {name}.{field}")

    columns = {"track": number, "frame": frame, "y": flat("y")[0] - 1, "x": flat("x")[0] - 1, "segment": segment}
    columns["part"] = np.full(len(number), _BUFFERS[name])
    for field, measure in FIELDS.items():
        columns |= {f"{k}_{measure}": row for k, row in enumerate(flat(field))}
    rows = pd.DataFrame(columns, copy=False)
    unknown = rows[["y", "x", "frame"]].isna().any(axis=1)
    report.add("rows", int(unknown.sum()), f"without a position, in {name}")
    return rows[~unknown]


def _categories(tracks: StructArray, path: Path, report: LossReport) -> Any:
    if "catIdx" not in tracks.fields:
        report.assume(f"{path} has no field 'catIdx': the categories of its tracks are unknown")
        return pd.array(np.full(len(tracks), pd.NA), dtype="Int64")
    values = [value.item() if value.size == 1 else np.nan for value in tracks.column("catIdx")]
    known = np.array(values, dtype=np.float64)
    known[(known < 1) | (known > 8)] = np.nan
    if (unknown := int(np.isnan(known).sum())) > 0:
        report.assume(f"{unknown} tracks of {path} have no category from 1 to 8: theirs is unknown")
    return pd.array(known, dtype="Int64")


def _interval(tracks: StructArray) -> float | None:
    """Lifetime per frame, which cmeAnalysis made of its own frame interval: the median of the first tracks."""
    if not {"lifetime_s", "start", "end"} <= set(tracks.fields):
        return None
    some = [
        [v.item() if v.size == 1 else np.nan for v in tracks.column(n, 100)] for n in ("lifetime_s", "start", "end")
    ]
    lifetime, start, end = np.array(some, dtype=np.float64)
    each = lifetime / (end - start + 1)
    each = each[np.isfinite(each)]
    return float(np.median(each)) if len(each) else None
