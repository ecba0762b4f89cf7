"""Tracks in plain tables: trackpy, napari, cmeAnalysis' CSV export, links between spots, and the canonical table.

| format | columns | counts from |
|---|---|---|
| `trackpy` | frame, particle, y, x; `signal` (else `mass`) is the amplitude | 0 |
| `napari` | track_id, t, (z), y, x, no header or one; t is the frame | 0 |
| `cmeanalysis-csv` | trackId, length, t, f, x, y, A, c, the master channel's | 1 |
| `links` | spots (id, frame, position_x, position_y) and edges (spot_source_id, spot_target_id, track_id) | 0 |
| `awd` | all of the canonical table, as `awd_cme.tracks.writers` writes it | 0 |
"""

import os
from pathlib import Path

import numpy as np
import pandas as pd

from awd_cme.movies.units import MICROMETRES
from awd_cme.readers.branches import track_rows
from awd_cme.readers.intake import EXACT, Options, Result, bare_name, channel_names, interval, take_in
from awd_cme.tracks.losses import LossReport
from awd_cme.tracks.table import PARTS
from awd_cme.tracks.writers import read_parquet

COLUMNS = {
    "trackpy": ("frame", "particle", "y", "x"),
    "cmeanalysis-csv": ("trackId", "t", "f", "x", "y", "A", "c"),
    "links": ("spot_source_id", "spot_target_id", "track_id"),
}
"""Columns by which a table with a header is recognised, and which it must have."""


def read_trackpy(path: str | os.PathLike[str], options: Options | None = None) -> Result:
    """Read trackpy's table of linked features (CSV, or Parquet); raises ValueError where it is none or wrong."""
    options, report = options or Options(), LossReport()
    raw = _table(path, "trackpy")
    report.recognised.append(f"{path}: linked features of trackpy")
    alone = raw["particle"].isna()
    report.add("spots", int(alone.sum()), "in no track")
    raw = raw[~alone]
    rows = pd.DataFrame({"track": raw["particle"].astype(np.int64), "frame": raw["frame"].astype(np.float64)})
    names = channel_names(1, options, report)
    scale, size = _scale(options, report)
    rows["y"], rows["x"] = raw["y"].astype(np.float64) * scale, raw["x"].astype(np.float64) * scale
    measure = next((name for name in ("signal", "mass") if name in raw.columns), None)
    if measure is not None:
        rows[f"{names[0]}_amplitude"] = raw[measure].astype(np.float64)
        report.assume(f"the amplitude is trackpy's {measure!r}; nothing tells the background")
    return _plain(rows, path, options, report, names, None, size)


def read_napari(path: str | os.PathLike[str], options: Options | None = None) -> Result:
    """Read napari's tracks, four or five columns of numbers; raises ValueError where they are none or wrong."""
    options, report = options or Options(), LossReport()
    raw = pd.read_csv(path, header=None, skipinitialspace=True, **EXACT)
    if pd.to_numeric(raw.iloc[0], errors="coerce").isna().all():
        raw = raw.iloc[1:].apply(pd.to_numeric, errors="coerce")
    if raw.shape[1] not in (4, 5) or not all(np.issubdtype(kind, np.number) for kind in raw.dtypes):
        raise ValueError(
            f"{path} is no table of napari's tracks: it must hold 4 columns of numbers (track_id, t, y, x) or 5 "
            f"(track_id, t, z, y, x), it has {raw.shape[1]} of the types {[str(kind) for kind in raw.dtypes]}"
        )
    report.recognised.append(f"{path}: tracks of napari, {raw.shape[1]} columns")
    if raw.shape[1] == 5:
        report.assume(f"z, from {raw[2].min():g} to {raw[2].max():g}, is left out: positions are those of a projection")
    if (odd := int(raw[0].isna().sum())) > 0:
        raise ValueError(f"{path}: {odd} rows have no track_id; fill in the first column")
    scale, size = _scale(options, report)
    rows = pd.DataFrame({"track": raw[0].astype(np.int64), "frame": raw[1].astype(np.float64)})
    rows["y"], rows["x"] = (raw[raw.shape[1] + k].astype(np.float64) * scale for k in (-2, -1))
    names = channel_names(1, options, report)
    report.assume("the file holds no intensities: amplitudes are NaN")
    return _plain(rows, path, options, report, names, None, size)


def read_cmeanalysis_csv(path: str | os.PathLike[str], options: Options | None = None) -> Result:
    """Read cmeAnalysis' tracks as CSV; raises ValueError where it is none or wrong.

    A row without `f` separates two segments of a compound track, a row without position is a gap.
    """
    options, report = options or Options(), LossReport()
    raw = _table(path, "cmeanalysis-csv").apply(pd.to_numeric, errors="coerce")
    report.recognised.append(f"{path}: tracks of cmeAnalysis as CSV")
    if (odd := int(raw["trackId"].isna().sum())) > 0:
        raise ValueError(f"{path}: {odd} rows have no trackId that is a number; fill in that column")
    separator = raw["f"].isna()
    segment = separator.groupby(raw["trackId"]).cumsum()
    raw, segment = raw[~separator], segment[~separator]
    report.add("rows", int(separator.sum()), "separators between the segments of compound tracks")
    names = channel_names(1, options, report)
    rows = pd.DataFrame({"track": raw["trackId"].astype(np.int64), "frame": raw["f"] - 1, "segment": segment})
    rows["y"], rows["x"] = raw["y"] - 1, raw["x"] - 1
    gap = rows[["y", "x"]].isna().any(axis=1)
    rows["part"] = np.where(gap, PARTS.index("gap"), PARTS.index("track"))
    rows[f"{names[0]}_amplitude"], rows[f"{names[0]}_background"] = raw["A"], raw["c"]
    report.assume("frames and positions count from 1 in the file; categories are unknown")
    later = raw["f"] > 1
    steps = (raw["t"][later] / (raw["f"][later] - 1)).dropna().to_numpy()
    found = float(steps[0]) if len(steps) and np.allclose(steps, steps[0], rtol=1e-3) else None
    return _plain(rows, path, options, report, names, found, options.micrometres_per_pixel)


def read_links(path: str | os.PathLike[str], options: Options | None = None) -> Result:
    """Read links between spots; the spots from the same table, or from the one beside it whose name ends in "_spots".

    Raises
    ------
    ValueError
        If there is no table of the spots, columns are missing, or the tables are wrong.
    """
    options, report = options or Options(), LossReport()
    path = Path(path)
    if bare_name(path).endswith("_spots"):
        path = path.with_name(path.name.replace("_spots", "_edges"))
    raw = _table(path, "links")
    beside = path.with_name(path.name.replace("_edges", "_spots"))
    columns = {"position_y": "y", "position_x": "x", "frame": "frame"}
    if all(f"{end}_{name}" in raw.columns for end in ("source", "target") for name in columns):
        ends = [
            raw.rename(columns={f"spot_{end}_id": "id"} | {f"{end}_{old}": new for old, new in columns.items()})
            for end in ("source", "target")
        ]
        spots = pd.concat([end[["id", "frame", "y", "x"]] for end in ends]).drop_duplicates("id", ignore_index=True)
        report.recognised.append(f"{path}: links between spots, with the spots at both ends")
    elif beside != path and beside.exists():
        spots = pd.read_csv(beside, **EXACT)
        if missing := [name for name in ("id", *columns) if name not in spots.columns]:
            raise ValueError(f"{beside}: the columns {missing} are missing; it has {list(spots.columns)}")
        spots = spots.rename(columns=columns)[["id", "frame", "y", "x"]]
        report.recognised.append(f"{path}: links between the spots in {beside.name}")
    else:
        raise ValueError(
            f"{path} holds links between spots (edges), but not where the spots are, and {beside} is not there; put "
            "the table of spots beside it under this name, or export TrackMate's table of spots or its XML file"
        )
    edges = raw.rename(columns={"spot_source_id": "source", "spot_target_id": "target", "track_id": "track"})
    scale, size = _scale(options, report)
    rows = track_rows(spots.assign(y=spots["y"] * scale, x=spots["x"] * scale), edges, str(path), report)
    names = channel_names(1, options, report)
    report.assume("the file holds no intensities: amplitudes are NaN")
    return _plain(rows, path, options, report, names, None, size)


def _table(path: str | os.PathLike[str], kind: str) -> pd.DataFrame:
    raw = read_parquet(path) if Path(path).suffix == ".parquet" else pd.read_csv(path, skipinitialspace=True, **EXACT)
    if missing := [name for name in COLUMNS[kind] if name not in raw.columns]:
        raise ValueError(
            f"{path}: the columns {missing} are missing; it has {list(raw.columns)}. {kind} needs {COLUMNS[kind]}"
        )
    return raw


def _scale(options: Options, report: LossReport) -> tuple[float, float | None]:
    """What positions are multiplied by to be pixels, and micrometres per pixel."""
    size, unit = options.micrometres_per_pixel, options.position_unit
    if unit == "auto":
        report.assume("positions are in pixels, from 0: the file does not name their unit; position_unit tells another")
    if unit not in MICROMETRES:
        return 1.0, size
    if size is None:
        raise ValueError(f"positions in {unit}s need the size of a pixel; give micrometres_per_pixel")
    return MICROMETRES[unit] / size, size


def _plain(
    rows: pd.DataFrame,
    path: str | os.PathLike[str],
    options: Options,
    report: LossReport,
    names: list[str],
    seconds: float | None,
    size: float | None,
) -> Result:
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
