"""Lifetime distributions, and the mean course of both channels in cohorts of like lifetimes."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import numpy as np
import pandas as pd

from awd_cme.tracks.rules import channels, starts
from awd_core.checks import check_choice
from awd_core.typing import Array

EDGES = (5.0, 10.0, 20.0, 40.0, 60.0, 80.0, 100.0)
"""Bounds of cohorts of lifetimes, in the unit of the lifetimes."""


def lifetime_distribution(tracks: pd.DataFrame, *, width: float = 5.0, longest: float | None = None) -> pd.DataFrame:
    """Density of the lifetimes of complete tracks, cell by cell and their mean.

    A track of n frames is complete in a movie of N frames only where it begins in one of N − n − 1 frames, so it counts
    the inverse of that (Aguet et al., Dev. Cell 26, 279, 2013).

    Parameters
    ----------
    tracks : DataFrame
        As `measure_tracks` makes it.
    width : float
        Of the bins, in the unit of the lifetimes.
    longest : float, optional
        Where the bins end; at the 99 % quantile of all lifetimes if not given.

    Returns
    -------
    DataFrame
        A row a bin: `lifetime` (its middle), `mean` and `error` (standard error over cells, NaN of one cell), and a
        column for each cell.
    """
    whole = tracks[tracks["complete"].astype(bool)]
    top = longest or (float(np.quantile(whole["lifetime"], 0.99)) if len(whole) else width)
    edges = np.arange(0, max(top, width) + width, width)
    found: dict[str, Array] = {}
    for cell, own in whole.groupby("cell", sort=True):
        every = tracks[tracks["cell"] == cell]
        movie = int(every["last"].max() - every["first"].min()) + 1
        weight = 1 / np.maximum(movie - own["frames"].to_numpy() - 1, 1)
        found[str(cell)] = np.histogram(own["lifetime"], edges, weights=weight)[0] / (weight.sum() * width)
    values = np.array(list(found.values())).reshape(len(found), len(edges) - 1)
    head = {"lifetime": edges[:-1] + width / 2, "mean": values.mean(axis=0) if len(found) else np.nan * edges[:-1]}
    return pd.DataFrame(head | {"error": standard_error(values)} | found)


def cohort_means(
    table: pd.DataFrame,
    tracks: pd.DataFrame,
    *,
    edges: Sequence[float] = EDGES,
    align: Literal["start", "end"] = "start",
) -> pd.DataFrame:
    """Mean course of every channel in cohorts of lifetimes, over cells.

    Every track of a cohort is aligned at its start or its end and averaged within its cell; the mean and its standard
    error are over cells. Where there is one cell, they are over its tracks, and the column `over` says so. Only
    complete tracks are used; a frame counts where at least half of the cohort's tracks have it.

    Parameters
    ----------
    table, tracks : DataFrame
        Canonical table, and what `measure_tracks` made of it.
    edges : sequence of float
        Bounds of the cohorts, in the unit of the lifetimes.
    align : {"start", "end"}
        Where time is 0.

    Returns
    -------
    DataFrame
        `cohort` ("20–40 s"), `channel`, `time` from the start, or from the end (below 0), in the unit of the lifetimes,
        `mean`, `error`, `units` (cells or tracks) and `tracks`, and `over`.
    """
    check_choice("align", align, ("start", "end"), required=True)
    first = np.append(starts(table), len(table))
    whole, unit = tracks["complete"].astype(bool).to_numpy(), "s"
    if len(tracks):
        unit = str(tracks["unit"].iloc[0])
    lifetime, cell = tracks["lifetime"].to_numpy(), tracks["cell"].to_numpy()
    step = np.divide(lifetime, tracks["frames"].to_numpy(), out=np.ones(len(tracks)), where=lifetime > 0)
    own = np.isin(table["part"].to_numpy(), ["track", "gap"])
    frame = table["frame"].to_numpy()
    rows = []
    for low, high in pairwise(edges):
        chosen = np.flatnonzero(whole & (lifetime >= low) & (lifetime < high))
        if not len(chosen):
            continue
        length = int(tracks["frames"].to_numpy()[chosen].max())
        seconds = float(np.median(step[chosen]))
        for name in channels(table):
            values = table[f"{name}_amplitude"].to_numpy(dtype=np.float64)
            courses = np.full((len(chosen), length), np.nan)
            for place, k in enumerate(chosen.tolist()):
                at = np.flatnonzero(own[first[k] : first[k + 1]]) + first[k]
                begin, end = frame[at[0]], frame[at[-1]]
                courses[place, frame[at] - begin + (length - 1 - (end - begin) if align == "end" else 0)] = values[at]
            known = np.isfinite(courses).sum(axis=0)
            if not known.any():
                continue
            cells = np.unique(cell[chosen])
            each = [_mean(courses[cell[chosen] == one]) for one in cells] if len(cells) > 1 else list(courses)
            units = np.array(each)
            time = (np.arange(length) - (length - 1 if align == "end" else 0)) * seconds
            for at_time, mean, error, count, held in zip(
                time, _mean(units), standard_error(units), np.isfinite(units).sum(axis=0), known, strict=True
            ):
                if held * 2 >= len(chosen):
                    rows.append({
                        "cohort": f"{low:g}–{high:g} {unit}", "channel": name, "time": at_time, "mean": mean,
                        "error": error, "units": int(count), "tracks": len(chosen),
                        "over": "cells" if len(cells) > 1 else "tracks",
                    })  # fmt: skip
    names = ["cohort", "channel", "time", "mean", "error", "units", "tracks", "over"]
    return pd.DataFrame(rows, columns=names)


def standard_error(values: Array) -> Array:
    """Standard error of the mean over the first axis, what is NaN left out; NaN of fewer than two."""
    known = np.isfinite(values)
    count = known.sum(axis=0)
    mean = np.where(known, values, 0).sum(axis=0) / np.maximum(count, 1)
    squares = np.where(known, (values - mean) ** 2, 0).sum(axis=0)
    return np.asarray(np.where(count > 1, np.sqrt(squares / np.maximum(count - 1, 1) / np.maximum(count, 1)), np.nan))


def _mean(values: Array) -> Array:
    known = np.isfinite(values)
    count = known.sum(axis=0)
    return np.asarray(np.where(count, np.where(known, values, 0).sum(axis=0) / np.maximum(count, 1), np.nan))
