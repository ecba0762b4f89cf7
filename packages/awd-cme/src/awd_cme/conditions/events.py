"""Tracks as events, one row each, and what is told of a cell: lifetimes, the partner's share and onset, initiations."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from awd_cme.tracks.rules import PARTS
from awd_cme.tracks.table import channels, starts, summary, validate
from awd_core.checks import real_number, whole_number
from awd_core.typing import Array, Flags

SIGNIFICANT = 0.05
"""p-value below which the partner is significant in a frame."""
SMOOTHED = 3
"""Frames of the running mean in which the partner's rise is looked for."""


def events(table: pd.DataFrame, *, partner: str | None = None, in_a_row: int = 2) -> pd.DataFrame:
    """One row a track: how long it lived, whether it was seen whole, and when the partner came.

    Parameters
    ----------
    table : DataFrame
        Canonical table of tracks.
    partner : str, optional
        Channel of the partner; the second one if not given.
    in_a_row : int
        So many frames in a row with p < 0.05 make a significant partner.

    Returns
    -------
    DataFrame
        `cell`, `track`, `source`; `lifetime` in seconds; `first`, `last`, frames; `complete`, whether the track neither
        begins in the first frame of its cell nor ends in the last; `partner`, whether it is significant (NA where no
        p-value is known); `partner_max`, the largest amplitude; and `onset`, seconds from the track's begin at which
        the partner, in a running mean of three frames, has risen to half of its largest value (NaN without a
        significant partner).

    Raises
    ------
    ValueError
        If there is no such channel, or the frame interval is not known.
    """
    validate(table)
    names = channels(table)
    if partner is None:
        if len(names) < 2:
            raise ValueError(f"the tracks have one channel, {', '.join(names)}; events need a partner's, a second one")
        partner = names[1]
    if partner not in names:
        raise ValueError(f"there is no channel {partner!r}; choose one of {', '.join(names)}")
    in_a_row = whole_number("in_a_row", in_a_row)
    told = summary(table)
    if len(told) and told["lifetime"].isna().all():
        raise ValueError("the frame interval of the tracks is not known, so no lifetime is; give seconds_per_frame")
    found = told[["cell", "track", "source", "lifetime", "first", "last"]].copy()
    by_cell = table.groupby(["source", "cell"], observed=True)["frame"].agg(["min", "max"])
    keys = pd.MultiIndex.from_arrays([found["source"], found["cell"]])
    begin, end = (by_cell[name].reindex(keys).to_numpy() for name in ("min", "max"))
    found["complete"] = (found["first"].to_numpy() > begin) & (found["last"].to_numpy() < end)
    amplitude, p = table[f"{partner}_amplitude"].to_numpy(), table[f"{partner}_p"].to_numpy()
    own = np.isin(table["part"].cat.codes.to_numpy(), [PARTS.index("track"), PARTS.index("gap")])
    frame, bounds = table["frame"].to_numpy(), np.append(starts(table), len(table))
    seconds = _seconds_per_frame(told)
    significant, highest, onset = [], np.full(len(found), np.nan), np.full(len(found), np.nan)
    for k, (row, stop) in enumerate(pairwise(bounds.tolist())):
        inside = slice(row, stop)
        seen = own[inside]
        if not np.isfinite(p[inside][seen]).any():
            significant.append(pd.NA)
        else:
            significant.append(longest_run(p[inside][seen] < SIGNIFICANT) >= in_a_row)
        known = np.isfinite(amplitude[inside]) & seen
        if not known.any():
            continue
        highest[k] = amplitude[inside][known].max()
        if significant[-1] is not pd.NA and significant[-1]:
            rise = half_rise(frame[inside], amplitude[inside])
            onset[k] = (rise - found["first"].to_numpy()[k]) * seconds[k]
    found["partner"] = pd.array(significant, dtype="boolean")
    found["partner_max"], found["onset"] = highest, onset
    return found


def longest_run(flags: Flags) -> int:
    """Length of the longest run of True.

    Examples
    --------
    >>> longest_run(np.array([True, False, True, True]))
    2
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return int((edges[1::2] - edges[::2]).max()) if len(edges) else 0


def half_rise(frame: Array, amplitude: Array) -> float:
    """Frame, with a fraction, at which an amplitude has risen to half of its largest value; NaN where nothing is known.

    In a running mean of `SMOOTHED` frames, on the last way up to its maximum. One that begins above half its maximum
    has risen at its first frame.

    Examples
    --------
    >>> half_rise(np.arange(9.0), np.array([0, 0, 0, 0, 6, 6, 6, 0, 0.0]))
    3.5
    """
    known = np.isfinite(amplitude)
    if not known.any():
        return float("nan")
    at, values = np.asarray(frame, np.float64)[known], amplitude[known]
    if len(values) >= SMOOTHED:
        padded = np.pad(values, SMOOTHED // 2, mode="edge")
        values = np.convolve(padded, np.full(SMOOTHED, 1 / SMOOTHED), mode="valid")
    top = int(np.argmax(values))
    below = np.flatnonzero(values[:top] < values[top] / 2)
    if not len(below):
        return float(at[0])
    low = int(below[-1])
    share = (values[top] / 2 - values[low]) / (values[low + 1] - values[low])
    return float(at[low] + share * (at[low + 1] - at[low]))


def lifetime_histogram(found: pd.DataFrame, edges: Sequence[float]) -> pd.DataFrame:
    """Lifetime distribution of the complete tracks of each cell, corrected for the length of the movie.

    A track of n frames is seen whole only if it begins in one of the T − n − 1 frames that leave it room, so that long
    ones are missed more often; each counts T / (T − n − 1) (Loerke et al. 2009, PLoS Biol. 7, e57).

    Parameters
    ----------
    found : DataFrame
        As from `events`.
    edges : sequence of float
        Edges of the bins in seconds.

    Returns
    -------
    DataFrame
        One row a bin: `low`, `high` in seconds, `density` per second, the mean over cells, and `error`, its standard
        error (NaN for one cell); `cells`, `tracks` that were counted.

    Raises
    ------
    ValueError
        If no track is complete, or there are fewer than two edges.
    """
    bins = np.asarray(edges, np.float64)
    if bins.ndim != 1 or len(bins) < 2 or (np.diff(bins) <= 0).any():
        raise ValueError(f"edges are {list(edges)}; give two or more that rise, in seconds")
    whole = found[found["complete"] & found["lifetime"].notna()]
    if whole.empty:
        raise ValueError("no track is complete, so there is no lifetime to count; longer movies have some")
    weights, rows = window_weights(found), []
    for _, cell in whole.groupby(["source", "cell"], observed=True):
        counts = np.histogram(cell["lifetime"], bins, weights=weights[cell.index])[0]
        total = weights[cell.index].sum()
        rows.append(counts / total / np.diff(bins))
    density = np.array(rows)
    error = density.std(axis=0, ddof=1) / np.sqrt(len(rows)) if len(rows) > 1 else np.full(len(bins) - 1, np.nan)
    return pd.DataFrame(
        {
            "low": bins[:-1],
            "high": bins[1:],
            "density": density.mean(axis=0),
            "error": error,
            "cells": len(rows),
            "tracks": len(whole),
        }
    )


def window_weights(found: pd.DataFrame) -> Array:
    """How many tracks each complete one stands for, since a movie of T frames shows long ones less often."""
    frames = (found["last"] - found["first"] + 1).to_numpy(np.float64)
    groups = found.groupby(["source", "cell"], observed=True)
    span = (groups["last"].transform("max") - groups["first"].transform("min") + 1).to_numpy(np.float64)
    return np.asarray(span / np.maximum(span - frames - 1, 1.0))


def cell_values(table: pd.DataFrame, found: pd.DataFrame | None = None, *, area: float | None = None) -> pd.DataFrame:
    """What is told of each cell: the numbers by which conditions are compared.

    Parameters
    ----------
    table : DataFrame
        Canonical table of tracks.
    found : DataFrame, optional
        What `events` says of it.
    area : float, optional
        Square micrometres of a cell that were seen; the convex hull of its tracks if not given.

    Returns
    -------
    DataFrame
        One row a cell: `cell`, `tracks`; `lifetime`, the median of complete tracks in seconds, corrected as in
        `lifetime_histogram`; `partner`, the share of complete tracks with a significant partner; `partner_max`, the
        median of its largest amplitude and `onset`, the median in seconds, among these; and `initiations`, tracks that
        begin in the movie per square micrometre and minute (NaN where the size of a pixel or the interval is unknown).
    """
    found = events(table) if found is None else found
    if area is not None:
        real_number("area", area, "an area in square micrometres", above=0)
    told, weights, rows = summary(table), window_weights(found), []
    for (_, cell), here in found.groupby(["source", "cell"], observed=True):
        whole = here[here["complete"]]
        with_partner = whole[whole["partner"].fillna(False).astype(bool)]
        known = whole["partner"].dropna()
        rows.append(
            {
                "cell": str(cell),
                "tracks": len(here),
                "lifetime": _weighted_median(whole["lifetime"].to_numpy(), weights[whole.index]),
                "partner": float(known.astype(float).mean()) if len(known) else np.nan,
                "partner_max": float(with_partner["partner_max"].median()) if len(with_partner) else np.nan,
                "onset": float(with_partner["onset"].median()) if len(with_partner) else np.nan,
                "initiations": _initiations(told.loc[here.index], here, table, area),
            }
        )
    return pd.DataFrame(rows)


def _seconds_per_frame(told: pd.DataFrame) -> Array:
    first, last = spans_of(told)
    return np.asarray(told["lifetime"].to_numpy() / np.maximum(last - first + 1, 1))


def spans_of(told: pd.DataFrame) -> tuple[Array, Array]:
    """First and last frames of a summary."""
    return told["first"].to_numpy(np.float64), told["last"].to_numpy(np.float64)


def _weighted_median(values: Array, weights: Array) -> float:
    good = np.isfinite(values)
    if not good.any():
        return float("nan")
    order = np.argsort(values[good])
    total = np.cumsum(weights[good][order])
    return float(values[good][order][np.searchsorted(total, total[-1] / 2)])


def _initiations(told: pd.DataFrame, here: pd.DataFrame, table: pd.DataFrame, area: float | None) -> float:
    """Begins of tracks per square micrometre and minute."""
    pixel = table.attrs.get("micrometres_per_pixel")
    seconds = float(np.nanmedian(_seconds_per_frame(told))) if len(told) else float("nan")
    if area is None:
        if pixel is None or len(told) < 3:
            return float("nan")
        from scipy.spatial import ConvexHull, QhullError

        try:
            area = float(ConvexHull(told[["y", "x"]].dropna().to_numpy()).volume) * pixel**2
        except QhullError:  # all on a line
            return float("nan")
    begin, end = here["first"].min(), here["last"].max()
    minutes = (end - begin + 1) * seconds / 60
    return float((here["first"] > begin).sum() / area / minutes) if area * minutes > 0 else float("nan")
