"""What is told of each track and each cell: lifetime, partner, onset, initiation."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.spatial import ConvexHull, QhullError
from scipy.stats import binom

from awd_cme.publish.onset import partner_onsets
from awd_cme.tracks.intervals import frame_intervals
from awd_cme.tracks.losses import LossReport
from awd_cme.tracks.rules import channels, spans, starts
from awd_core.typing import Array

CHANCE = 0.05
"""Share of frames that a partner which is not there makes significant."""
CUT = (3, 4, 7, 8)
"""Categories of tracks that the movie cuts off, or that are there throughout."""


def measure_tracks(table: pd.DataFrame, losses: LossReport | None = None, *, onsets: bool = True) -> pd.DataFrame:
    """One row a track, in the table's order.

    A partner is significant in a track if it is in more frames than chance makes of as many at 5 % (the 95 % quantile
    of the binomial distribution, as cmeAnalysis has it: Aguet et al., Dev. Cell 26, 279, 2013).

    Parameters
    ----------
    table : DataFrame
        Canonical table.
    losses : LossReport, optional
        Gets what is unknown and was taken as given.
    onsets : bool
        Whether onsets are found, which takes most of the time.

    Returns
    -------
    DataFrame
        `cell`, `track`; `first`, `last` (frames) and `frames`; `lifetime` in `unit` ("s", or "frames" where a frame
        interval is unknown); `complete`, whether begin and end are in the movie (by category, else by the frames);
        `begins`, whether the begin is; `peak` of the master; of the partner `significant` (share of frames with p below
        0.05), `partner` (1 or 0, NaN where no p-value is known) and `partner_peak`; `onset` from the begin and
        `onset_to_end`, in `unit`, NaN where the partner is not significant, and `onset_error`.
    """
    losses = losses if losses is not None else LossReport()
    names = channels(table)
    first = starts(table)
    begin, end = spans(table)
    cell = table["cell"].astype(str).to_numpy()[first]
    intervals = frame_intervals(table)
    known = all(intervals[name] is not None for name in set(cell.tolist()))
    if not known:
        losses.assume("the frame interval of some cells is unknown: lifetimes are in frames")
    step = np.array([intervals[name] if known else 1.0 for name in cell.tolist()], dtype=np.float64)
    part = table["part"].to_numpy()
    own = np.isin(part, ["track", "gap"])

    def total(values: Array) -> Array:
        return np.asarray(np.add.reduceat(values, first) if len(first) else values[:0])

    def largest(name: str) -> Array:
        values = table[f"{name}_amplitude"].to_numpy(dtype=np.float64)
        high = np.maximum.reduceat(np.where(own & np.isfinite(values), values, -np.inf), first)
        return np.asarray(np.where(np.isfinite(high), high, np.nan))

    category = table["category"].to_numpy(dtype=np.float64, na_value=np.nan)[first]
    ends = pd.DataFrame({"cell": cell, "begin": begin, "end": end}).groupby("cell")
    earliest, latest = ends["begin"].transform("min").to_numpy(), ends["end"].transform("max").to_numpy()
    inside = (begin > earliest) & (end < latest)
    if np.isnan(category).any():
        losses.assume("tracks without a category count as complete if they neither begin in the first frame of their "
                      "cell that has a track nor end in the last one")  # fmt: skip
    found = pd.DataFrame({
        "cell": cell, "track": table["track"].to_numpy()[first], "first": begin, "last": end, "frames": end - begin + 1,
        "lifetime": (end - begin + 1) * step, "unit": "s" if known else "frames",
        "complete": np.where(np.isnan(category), inside, ~np.isin(category, CUT)), "begins": begin > earliest,
        "peak": largest(names[0]),
    })  # fmt: skip
    if len(names) < 2:
        return found
    p = table[f"{names[1]}_p"].to_numpy(dtype=np.float64)
    asked, hits = total((own & np.isfinite(p)).astype(np.float64)), total((own & (p < CHANCE)).astype(np.float64))
    with np.errstate(invalid="ignore", divide="ignore"):
        found["significant"] = hits / np.where(asked > 0, asked, np.nan)
    found["partner"] = np.where(asked > 0, hits > binom.ppf(0.95, np.maximum(asked, 1), CHANCE), np.nan)
    found["partner_peak"] = largest(names[1])
    if (asked == 0).all():
        losses.assume(f"{names[1]} has no p-values, so nothing tells in which tracks it is significant")
    if onsets:
        onset = partner_onsets(table, names[1])
        shown = (found["partner"] == 1) if (asked > 0).any() else onset.evidence > 20
        found["onset"] = np.where(shown, (onset.frame - begin) * step, np.nan)
        found["onset_to_end"] = np.where(shown, (end - onset.frame) * step, np.nan)
        found["onset_error"] = np.where(shown, onset.error * step, np.nan)
    return found


def measure_cells(
    table: pd.DataFrame,
    tracks: pd.DataFrame,
    losses: LossReport | None = None,
    *,
    areas: Mapping[str, float] | float | None = None,
    classes: pd.Series | None = None,
) -> pd.DataFrame:
    """One row a cell: the units that conditions are compared by.

    Parameters
    ----------
    table, tracks : DataFrame
        Canonical table, and what `measure_tracks` made of it.
    losses : LossReport, optional
        Gets what was taken as given.
    areas : float or mapping, optional
        Area of the cells in square micrometres, of all or by name. Else that of the convex hull of all positions.
    classes : Series, optional
        Of each row of `tracks`, its class by `disassembly_scores`.

    Returns
    -------
    DataFrame
        `cell`, `tracks`, `complete`; `lifetime`, the median of complete tracks; `partner`, share of complete tracks
        with a significant partner; `initiation`, tracks that begin, in `initiation_unit` (per 1,000 µm² and minute;
        square pixels where neither areas nor the size of a pixel are known, 100 frames where the frame interval is
        not); `onset` and `onset_to_end`, medians over complete tracks with a partner; `productive`, share of complete
        tracks of the class "CCP" among those of a class.

    Raises
    ------
    ValueError
        If an area is missing or not positive.
    """
    losses = losses if losses is not None else LossReport()
    size = table.attrs.get("micrometres_per_pixel")
    seconds = len(tracks) > 0 and tracks["unit"].iloc[0] == "s"
    positions = dict(iter(table[["y", "x"]].groupby(table["cell"].astype(str), observed=True)))
    intervals = frame_intervals(table)
    if areas is None:
        losses.assume("the area of a cell is that of the convex hull of its tracks: give --area where it is known")
    if size is None and areas is None:
        losses.assume("the size of a pixel is unknown: initiation is per 1,000 square pixels")
    rows = []
    frames = table["frame"].groupby(table["cell"].astype(str), observed=True).agg(["min", "max"])
    length, time_unit = "px" if size is None and areas is None else "µm", "min" if seconds else "100 frames"
    density = f"per 1,000 {length}² and {time_unit}"
    for cell, own in tracks.groupby("cell", sort=True):
        whole = own[own["complete"].astype(bool)]
        if areas is None:
            area = _hull(positions[cell]) * (size or 1.0) ** 2
        else:
            area = areas if isinstance(areas, int | float) else areas.get(str(cell), np.nan)
            if not area > 0:
                raise ValueError(f"the area of {cell} is {area}; give square micrometres of every cell, above 0")
        count = float(frames.loc[cell, "max"] - frames.loc[cell, "min"])
        time = count * (intervals[str(cell)] or 1.0) / 60 if seconds else count / 100
        row = {"cell": cell, "tracks": len(own), "complete": len(whole), "lifetime": whole["lifetime"].median()}
        row["initiation"] = 1000 * own["begins"].sum() / (area * time) if area * time > 0 else np.nan
        row["initiation_unit"] = density
        for name, how in (("partner", "mean"), ("onset", "median"), ("onset_to_end", "median")):
            if name in whole and whole[name].notna().any():
                row[name] = float(getattr(whole[name].astype(float), how)())
        if classes is not None:
            kinds = classes.reindex(whole.index).dropna()
            row["productive"] = float((kinds == "CCP").mean()) if len(kinds) else np.nan
        rows.append(row)
    found = pd.DataFrame(rows)
    order = "cell tracks complete lifetime partner initiation initiation_unit onset onset_to_end productive"
    return found[[name for name in order.split() if name in found]]


def _hull(positions: pd.DataFrame) -> float:
    """Area of the convex hull, square pixels; NaN of positions on a line."""
    points = positions.dropna().to_numpy()
    try:
        return float(ConvexHull(points).volume)
    except (QhullError, ValueError, IndexError):
        return float("nan")
