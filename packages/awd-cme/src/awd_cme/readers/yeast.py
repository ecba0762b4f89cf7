"""Two-channel tracks of endocytic sites in budding yeast (`goodTrackData`; Pedersen et al. 2020, J. Cell Biol.).

What becomes of what, for the protein of interest (`ref_`) and Abp1 (`cor_`): the amplitude is the intensity corrected
for the local background, and the background is what was taken off, raw minus corrected. Both are in counts of the file,
an aperture's and not a fitted peak's, without errors or p-values. Frames run from `tp_prev_all` to `tp_post_all`, which
count from 1; those outside `ref_tp_first` to `ref_tp_last`, where the protein of interest was tracked, are the parts
"before" and "after". Positions are `ref_coord_extrapol`, its first column taken as x.

The positions reach tens of thousands, so they are nanometres and not pixels. Without `micrometres_per_pixel` they stay
what they are, in a table of which a "pixel" is one nanometre (`micrometres_per_pixel` = 0.001). The files hold no frame
interval either, and no categories.
"""

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from awd_cme.movies.units import MICROMETRES
from awd_cme.readers.intake import Options, Result, channel_names, interval, take_in
from awd_cme.readers.matlab import struct_array
from awd_cme.tracks.losses import LossReport
from awd_cme.tracks.table import PARTS
from awd_core.typing import Array

_SERIES = ("ref_intensity", "cor_intensity", "ref_intensity_bg_corrected", "cor_intensity_bg_corrected")
_ENDS = ("tp_prev_all", "tp_post_all", "ref_tp_first", "ref_tp_last")
NEEDED = (*_SERIES, *_ENDS, "ref_coord_extrapol")
LARGEST_SENSOR = 8192
"""Positions above so many pixels are none."""


def read_yeast(path: str | os.PathLike[str], options: Options | None = None) -> Result:
    """Read one file of the struct array `goodTrackData`.

    Parameters
    ----------
    path : str or path
        The file, MATLAB 5 or 7.3. Channels are named after it where it is called as "Sla1-GFP_Abp1-RFP.mat".
    options : Options, optional
        As `read_tracks` describes them.

    Returns
    -------
    table, report
        Canonical table, tracks numbered from 1 as in the file, and what was lost.

    Raises
    ------
    ValueError
        If the file is no such file, broken, or wrong in a way that the options do not say to skip.
    """
    options, report = options or Options(), LossReport()
    path = Path(path)
    with struct_array(path, "goodTrackData") as tracks:
        if len(tracks) and (missing := [name for name in NEEDED if name not in tracks.fields]):
            raise ValueError(f"{path}: goodTrackData lacks the fields {missing}; it has {list(tracks.fields)}")
        values = {name: tracks.column(name) for name in NEEDED} if len(tracks) else {}
        tracked = tracks.column("ref_coord") if "ref_coord" in tracks.fields else []
    found = re.match(r"(\w+)-[^_]+_(\w+)-", path.name)
    names = channel_names(2, options, report, [found[1], found[2]] if found else None)
    report.recognised.append(f"{path}: two-channel tracks of yeast (goodTrackData), {names[0]} and {names[1]}")
    rows = _rows(values, names, path, tracked, report) if values else pd.DataFrame({"track": [0]})[:0]
    rows, size = _in_pixels(rows, options, report)
    return take_in(
        rows,
        str(path),
        options,
        report,
        channels=names,
        cell=path.stem,
        seconds_per_frame=interval(None, "", options, report),
        micrometres_per_pixel=size,
    )


def _rows(values: dict[str, Any], names: list[str], path: Path, tracked: list[Any], report: LossReport) -> pd.DataFrame:
    ends = {}
    for name in _ENDS:
        if wrong := [k for k, value in enumerate(values[name]) if value.size != 1]:
            raise ValueError(
                f"{path}: {name} of track {wrong[0] + 1} holds {values[name][wrong[0]].size} numbers, not one"
            )
        ends[name] = np.concatenate([value.ravel() for value in values[name]]).astype(np.int64)
    lengths = ends["tp_post_all"] - ends["tp_prev_all"] + 1
    for name in (*_SERIES, "ref_coord_extrapol"):
        each = 2 if name == "ref_coord_extrapol" else 1
        sizes = np.array([value.size for value in values[name]])
        if len(bad := np.flatnonzero(sizes != each * lengths)):
            k = bad[0]
            raise ValueError(
                f"{path}: {name} of track {k + 1} holds {sizes[k]} numbers, its frames {ends['tp_prev_all'][k]} to "
                f"{ends['tp_post_all'][k]} need {each * lengths[k]} ({len(bad)} such tracks)"
            )
    number = np.repeat(np.arange(len(lengths)), lengths)
    nth = np.arange(len(number)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    frame = ends["tp_prev_all"][number] + nth
    part = np.full(len(number), PARTS.index("track"))
    part[frame < ends["ref_tp_first"][number]] = PARTS.index("before")
    part[frame > ends["ref_tp_last"][number]] = PARTS.index("after")
    position = np.concatenate([value.reshape(-1, 2) for value in values["ref_coord_extrapol"]])
    series: dict[str, Array] = {
        name: np.concatenate([value.ravel() for value in values[name]]).astype(np.float64) for name in _SERIES
    }
    rows = {"track": number + 1, "frame": frame - 1, "y": position[:, 1], "x": position[:, 0], "part": part}
    for name, prefix in zip(names, ("ref", "cor"), strict=True):
        corrected = series[f"{prefix}_intensity_bg_corrected"]
        rows |= {f"{name}_amplitude": corrected, f"{name}_background": series[f"{prefix}_intensity"] - corrected}
    report.assume("frames count from 1 in the file; the first column of a position is x")
    wanted = ends["ref_tp_last"] - ends["ref_tp_first"] + 1
    short = sum(value.size // 2 < length for value, length in zip(tracked, wanted.tolist(), strict=False))
    if short:
        report.assume(
            f"{short} tracks were tracked in fewer frames than they last; the file extrapolates their positions"
        )
    return pd.DataFrame(rows, copy=False)


def _in_pixels(rows: pd.DataFrame, options: Options, report: LossReport) -> tuple[pd.DataFrame, float | None]:
    size, unit = options.micrometres_per_pixel, options.position_unit
    highest = float(np.nanmax(rows[["y", "x"]].to_numpy(), initial=0.0)) if len(rows) else 0.0
    if unit == "auto":
        unit = "nanometre" if highest > LARGEST_SENSOR else "pixel"
        if unit == "nanometre":
            report.assume(f"positions, which reach {highest:.0f}, are nanometres")
    if unit == "pixel":
        return rows, size
    if size is None:
        report.assume(f"the size of a pixel is unknown: in the table it is one {unit}; micrometres_per_pixel gives it")
        return rows, MICROMETRES[unit]
    scale = MICROMETRES[unit] / size
    return rows.assign(y=rows["y"] * scale, x=rows["x"] * scale), size
