"""Intensity cohorts: mean courses of both channels for tracks of like lifetime, aligned at their begin or end."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
import pandas as pd

from awd_cme.tracks.rules import PARTS
from awd_cme.tracks.table import channels, starts
from awd_core.checks import check_choice
from awd_core.typing import Array

BOUNDS = (10.0, 20.0, 40.0, 60.0, 80.0, 120.0)
"""Lifetimes in seconds between which cohorts lie, as they are published."""
LEAST = 5
"""Tracks without which a time has no mean."""


@dataclass(frozen=True)
class Cohort:
    """The mean course of tracks of like lifetime.

    Attributes
    ----------
    low, high : float
        Lifetimes in seconds: low ≤ lifetime < high.
    tracks, cells : int
        How many.
    seconds : ndarray, shape (T,)
        From the begin of the tracks, or (negative) to their end.
    mean, error : dict of str to ndarray, shape (T,)
        Amplitude of each channel, and its standard error: over cells where there are two or more, else over tracks.
    over : str
        "cells" or "tracks".
    """

    low: float
    high: float
    tracks: int
    cells: int
    seconds: Array
    mean: dict[str, Array]
    error: dict[str, Array]
    over: str


def cohorts(
    table: pd.DataFrame,
    found: pd.DataFrame,
    *,
    bounds: Sequence[float] = BOUNDS,
    align: Literal["start", "end"] = "start",
) -> list[Cohort]:
    """Mean courses of the complete tracks, cohort by cohort; those without enough tracks are left out.

    Parameters
    ----------
    table, found : DataFrame
        Canonical table of tracks, and what `events` says of it.
    bounds : sequence of float
        Lifetimes in seconds between which cohorts lie.
    align : {"start", "end"}
        Where tracks are put one upon another. Frames around a track ("before", "after") are shown too.

    Raises
    ------
    ValueError
        If bounds do not rise, or `align` is something else.
    """
    check_choice("align", align, ("start", "end"), required=True)
    edges = np.asarray(bounds, np.float64)
    if len(edges) < 2 or (np.diff(edges) <= 0).any():
        raise ValueError(f"bounds are {list(bounds)}; give two or more lifetimes that rise, in seconds")
    first = np.append(starts(table), len(table))
    frames = (found["last"] - found["first"] + 1).to_numpy(np.float64)
    interval = float(np.nanmedian(found["lifetime"].to_numpy() / frames)) if len(found) else float("nan")
    names = channels(table)[:2]
    frame = table["frame"].to_numpy()
    usable = table["part"].cat.codes.to_numpy() != PARTS.index("gap")
    anchor = found["first" if align == "start" else "last"].to_numpy()
    cell = pd.factorize(pd.MultiIndex.from_arrays([found["source"], found["cell"]]))[0]
    made = []
    for low, high in pairwise(edges.tolist()):
        chosen = np.flatnonzero(found["complete"] & found["lifetime"].ge(low) & found["lifetime"].lt(high))
        if len(chosen) < LEAST:
            continue
        rows = np.concatenate([np.arange(first[k], first[k + 1]) for k in chosen])
        owner = np.repeat(chosen, np.diff(first)[chosen])
        offset = frame[rows] - anchor[owner]
        rows, owner, offset = (one[usable[rows]] for one in (rows, owner, offset))
        means: dict[str, Array] = {}
        errors: dict[str, Array] = {}
        cells = len(np.unique(cell[chosen]))
        keep = np.flatnonzero(np.bincount(offset - offset.min()) >= LEAST) + offset.min()
        for name in names:
            value = table[f"{name}_amplitude"].to_numpy()[rows]
            unit = cell[owner] if cells > 1 else owner
            course = pd.DataFrame({"at": offset, "unit": unit, "value": value}).dropna()
            by_unit = course.groupby(["at", "unit"])["value"].mean().groupby(level=0)
            means[name] = by_unit.mean().reindex(keep).to_numpy()
            errors[name] = by_unit.sem().reindex(keep).to_numpy()
        over = "cells" if cells > 1 else "tracks"
        made.append(Cohort(low, high, len(chosen), cells, keep * interval, means, errors, over))
    return made
