"""Figures of conditions: lifetimes, cohorts, one dot a cell, onsets, disassembly scores."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from awd_cme.publish.conditions import Comparison
from awd_core.plotting import DARK, FAINT, GREEN, HIGH, LOW, NARROW, ORANGE, PURPLE, SKY, label, panels

STYLES = (
    (LOW, "-", "o"),
    (HIGH, "--", "s"),
    (GREEN, "-.", "^"),
    (ORANGE, ":", "D"),
    (SKY, "-", "v"),
    (DARK, "--", "X"),
)
"""Colour, dashes and mark of each condition in turn."""
NAMES = {
    "lifetime": "median lifetime",
    "partner": "fraction with significant partner",
    "initiation": "initiation density",
    "onset": "partner's onset after start",
    "onset_to_end": "partner's onset before end",
    "productive": "fraction of CCPs (DASC)",
}


def units_of(cells: pd.DataFrame, unit: str) -> dict[str, str]:
    """Units of the quantities of cells that have one; `unit` is that of time."""
    return {"initiation": str(cells["initiation_unit"].iloc[0]), "lifetime": unit, "onset": unit, "onset_to_end": unit}


def quantity_name(quantity: str, units: Mapping[str, str]) -> str:
    """A quantity with its unit, as axes have it."""
    name = NAMES.get(quantity, quantity)
    return f"{name}, {units[quantity]}" if quantity in units else name


def lifetimes_figure(distributions: Mapping[str, pd.DataFrame], unit: str, *, narrow: bool = False) -> Figure:
    """Draw the density of lifetimes of each condition, mean over cells with its standard error."""
    figure, (axes,) = panels(1, narrow, height=3.4, width=6.0)
    for (name, found), (colour, dashes, _) in zip(distributions.items(), _styles(distributions), strict=True):
        cells = found.shape[1] - 3
        axes.plot(found["lifetime"], found["mean"], dashes, color=colour, label=f"{name} ({cells} cells)")
        low, high = found["mean"] - found["error"], found["mean"] + found["error"]
        axes.fill_between(found["lifetime"], low, high, color=colour, alpha=0.25, linewidth=0)
    axes.set_ylim(bottom=0)
    label(axes, "", f"lifetime, {unit}", f"density, per {unit}")
    axes.legend(frameon=False, fontsize=8)
    return figure


def cohorts_figure(
    cohorts: Mapping[str, pd.DataFrame], channels: Sequence[str], align: str, unit: str, *, narrow: bool = False
) -> Figure:
    """Draw the mean course of both channels in each cohort, a column a condition, with standard errors."""
    rows = list(channels[:2])
    columns = 1 if narrow else len(cohorts)
    size = (NARROW if narrow else max(3.4 * columns, 4.2), 2.6 * len(rows) * (len(cohorts) if narrow else 1))
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(len(rows) * (len(cohorts) if narrow else 1), columns, squeeze=False, sharex=True)
    for place, (name, found) in enumerate(cohorts.items()):
        order = list(dict.fromkeys(found["cohort"]))
        for row, channel in enumerate(rows):
            axes: Axes = grid[place * len(rows) + row, 0] if narrow else grid[row, place]
            for k, cohort in enumerate(order):
                own = found[(found["cohort"] == cohort) & (found["channel"] == channel)]
                shade = 0.25 + 0.75 * (k + 1) / len(order)
                colour = (GREEN, PURPLE)[row]
                axes.plot(own["time"], own["mean"], color=colour, alpha=shade, label=cohort, linewidth=1.4)
                low, high = own["mean"] - own["error"], own["mean"] + own["error"]
                axes.fill_between(own["time"], low, high, color=colour, alpha=0.2 * shade, linewidth=0)
            at = f"time from {align}, {unit}" if row == len(rows) - 1 else ""
            label(axes, name if row == 0 else "", at, f"{channel}, counts")
            if row == 0 and order:
                axes.legend(frameon=False, fontsize=6.5)
    return figure


def cells_figure(cells: pd.DataFrame, comparisons: Sequence[Comparison], unit: str, *, narrow: bool = False) -> Figure:
    """Draw one dot a cell for each quantity, with means, and the p-value of each condition against the first."""
    units = units_of(cells, unit)
    shown = [name for name in NAMES if name in cells and cells[name].notna().any()]
    columns = 2 if narrow else min(3, max(len(shown), 1))
    rows = -(-max(len(shown), 1) // columns)
    figure = Figure(figsize=(NARROW if narrow else 3.0 * columns, 2.7 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    names = list(dict.fromkeys(cells["condition"]))
    for axes, quantity in zip(grid, shown, strict=False):
        told = {one.other: one for one in comparisons if one.quantity == quantity}
        for place, (name, (colour, _, mark)) in enumerate(zip(names, _styles(names), strict=True)):
            values = cells.loc[cells["condition"] == name, quantity].dropna().to_numpy()
            spread = place + 0.3 * ((np.arange(len(values)) + 0.5) / max(len(values), 1) - 0.5)
            axes.plot(spread, values, mark, color=colour, markersize=4.5, alpha=0.8)
            if len(values):
                axes.hlines(values.mean(), place - 0.25, place + 0.25, color=DARK, linewidth=1.6)
            if name in told:
                axes.annotate(f"p = {told[name].p:.2g}", (place, 1.0), xycoords=axes.get_xaxis_transform(),
                              ha="center", fontsize=7)  # fmt: skip
        axes.set_xticks(range(len(names)), names)
        axes.set_xlim(-0.6, len(names) - 0.4)
        axes.grid(axis="y", color=FAINT, linewidth=0.6)
        label(axes, "", "", quantity_name(quantity, units))
        axes.yaxis.label.set_size(7.5)
    for axes in grid[len(shown) :]:
        axes.set_visible(False)
    return figure


def onsets_figure(tracks: pd.DataFrame, unit: str, *, narrow: bool = False) -> Figure:
    """Draw when the partner comes, from the start of the track and from its end, of each condition."""
    figure, both = panels(2, narrow, height=3.0)
    names = list(dict.fromkeys(tracks["condition"]))
    for axes, column, what in zip(both, ("onset", "onset_to_end"), ("after the start", "before the end"), strict=True):
        known = tracks[tracks["complete"].astype(bool) & tracks[column].notna()]
        if len(known):
            low, high = np.quantile(known[column], [0.005, 0.995])
            edges = np.linspace(float(low), float(high), 31)
            for name, (colour, dashes, _) in zip(names, _styles(names), strict=True):
                values = known.loc[known["condition"] == name, column]
                density = np.histogram(values, edges, density=True)[0] if len(values) > 1 else np.zeros(30)
                axes.stairs(density, edges, color=colour, linestyle=dashes, label=f"{name} ({len(values)})")
            axes.legend(frameon=False, fontsize=7.5)
        label(axes, "", f"onset {what}, {unit}", "density")
    return figure


def scores_figure(tracks: pd.DataFrame, *, narrow: bool = False) -> Figure:
    """Draw the features d1 and d2 of tracks by class, a panel a condition."""
    names = list(dict.fromkeys(tracks["condition"]))
    figure, grid = panels(len(names), narrow, height=3.2, shared=True)
    for axes, name in zip(grid, names, strict=True):
        for kind, colour, mark in (("AC", HIGH, "v"), ("CCP", LOW, "o"), ("OT", ORANGE, "x")):
            own = tracks[(tracks["condition"] == name) & (tracks["class"] == kind)].head(1500)
            axes.plot(own["d1"], own["d2"], mark, color=colour, markersize=2.5, alpha=0.5, label=f"{kind}")
        label(axes, name, "d1", "d2")
        axes.legend(frameon=False, fontsize=7.5)
    return figure


def _styles(names: Sequence[str] | Mapping[str, object]) -> list[tuple[str, str, str]]:
    return [STYLES[place % len(STYLES)] for place in range(len(names))]
