"""Figures of the report that show results: scores, cells, candidates, weights.

Each function draws for a page as wide as a book's; `narrow=True` draws the same for a telephone. Colours are Okabe and
Ito's; markers say the same once more.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from awd_cme.report_words import Effect
from awd_core.figures import NARROW
from awd_core.wavelet_figure import BEFORE, HIGH, LOW, label

Rows = Sequence[Mapping[str, Any]]

KINDS = {
    "awd": ("AWD", HIGH, "D"),
    "ablation": ("AWD, variants", "#E69F00", "d"),
    "wavelet": ("other wavelets", BEFORE, "o"),
    "series": ("raw series", "#009E73", "s"),
    "network": ("networks", LOW, "^"),
    "trivial": ("no input", "black", "x"),
}
"""Name, colour and marker of each kind of method."""

BEFORE_PATH = -0.12
"""Where on the axis of shares the start of a path is drawn."""


def results_figure(rows: Rows, metric: str, *, narrow: bool = False) -> Figure:
    """Draw the score of each method with its interval, the best at the top.

    Parameters
    ----------
    rows : sequence of mapping
        Rows of results.json.
    metric : str
        "R²" or "AUC".
    narrow : bool
        For a narrow page.
    """
    shown = sorted((row for row in rows if row["score"] is not None), key=lambda row: row["score"])
    figure = Figure(figsize=(NARROW if narrow else 8.0, 0.3 * len(shown) + 1.5), layout="constrained")
    axes = figure.subplots()
    awd = next((row for row in shown if row["key"] == "awd"), None)
    if awd is not None:
        axes.axvline(awd["score"], color=HIGH, linewidth=0.9, linestyle=":", zorder=0)
    for place, row in enumerate(shown):
        _, colour, marker = _style(row)
        if row.get("low") is not None and row.get("high") is not None:
            axes.plot([row["low"], row["high"]], [place, place], color=colour, linewidth=1.6, solid_capstyle="butt")
        axes.plot(row["score"], place, marker, color=colour, markersize=8 if row is awd else 6)
    axes.set_yticks(range(len(shown)), [row["name"] for row in shown], fontsize=8)
    for text, row in zip(axes.get_yticklabels(), shown, strict=True):
        text.set_fontweight("bold" if row is awd else "normal")
    axes.set_ylim(-0.7, len(shown) - 0.3)
    _crop(axes, [row["score"] for row in shown], 0.5 if metric == "AUC" else 0.0)
    used = {_style(row) for row in shown}
    styles = [style for style in KINDS.values() if style in used]
    label(axes, "", f"{metric} on test tracks (95 % interval)", "")
    axes.grid(axis="x", color="#e4e4e4", linewidth=0.6)
    handles = [Line2D([], [], color=c, marker=m, label=name, linewidth=1.6) for name, c, m in styles]
    figure.legend(
        handles=handles, loc="outside lower center", ncols=2 if narrow else len(styles), frameon=False, fontsize=8
    )
    return figure


def economy_figure(rows: Rows, metric: str, *, narrow: bool = False) -> Figure:
    """Draw the score of each method against how many numbers were fitted; AWD, the teacher and DB5 have names."""
    shown = [row for row in rows if row["score"] is not None and row.get("parameters") and row["kind"] != "trivial"]
    figure = Figure(figsize=(NARROW, 3.4) if narrow else (6.4, 3.4), layout="constrained")
    axes = figure.subplots()
    for row in shown:
        _, colour, marker = _style(row)
        own = row["key"] == "awd"
        axes.plot(
            row["parameters"], row["score"], marker, color=colour, markersize=9 if own else 6, zorder=4 if own else 3
        )
    axes.set_xscale("log")
    axes.margins(0.22, 0.18)
    _crop(axes, [row["score"] for row in shown], None, along="y")
    # Beside or above the mark, so that names of marks at one height do not meet.
    beside = {"awd": -3, "db5": -12, "raw_ridge": -3}
    for row in shown:
        if row["key"] in ("teacher", "boosting", *beside):
            right = row["key"] in beside
            axes.annotate(
                row["name"], (row["parameters"], row["score"]), xytext=(8, beside[row["key"]]) if right else (0, 7),
                textcoords="offset points", ha="left" if right else "center", fontsize=8,
                fontweight="bold" if row["key"] == "awd" else "normal",
            )  # fmt: skip
    label(axes, "", "fitted numbers (parameters)", f"{metric} on test tracks")
    return figure


def cells_figure(rows: Rows, methods: Mapping[str, str], metric: str, *, narrow: bool = False) -> Figure:
    """Draw scores cell by cell, the cell with most tracks at the top; the marker's size grows with the tracks."""
    shown = sorted(rows, key=lambda row: row["n"])
    figure = Figure(figsize=(NARROW if narrow else 7.0, 0.3 * len(shown) + 1.4), layout="constrained")
    axes = figure.subplots()
    styles = {"awd": (HIGH, "D"), "teacher": (LOW, "^"), "db5": (BEFORE, "o")}
    others = iter((("#009E73", "s"), ("#E69F00", "d"), ("#CC79A7", "v")))
    values: list[float] = []
    for key, name in methods.items():
        colour, marker = styles.get(key) or next(others, ("black", "x"))
        held = [(place, row[key]) for place, row in enumerate(shown) if row.get(key) is not None]
        if not held:
            continue
        values += [value for _, value in held]
        axes.plot(
            [v for _, v in held],
            [p for p, _ in held],
            marker,
            color=colour,
            label=name,
            markersize=6,
            zorder=4 if key == "awd" else 3,
        )
    axes.hlines(range(len(shown)), 0, 1, transform=axes.get_yaxis_transform(), color="#e4e4e4", linewidth=0.6, zorder=0)
    axes.set_yticks(range(len(shown)), [f"{row['cell']} ({row['n']})" for row in shown], fontsize=8)
    axes.set_ylim(-0.7, len(shown) - 0.3)
    _crop(axes, values, 0.5 if metric == "AUC" else 0.0)
    label(axes, "", f"{metric} within the cell", "cell (test tracks)")
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    return figure


def effects_figure(
    found: Sequence[Effect], scale_sd: Sequence[float], bands: Sequence[str], words: str, unit: str, *,
    odds: bool = False, narrow: bool = False,
) -> Figure:  # fmt: skip
    """Draw the strongest effects with their intervals, and how far each scale moves the prediction.

    Parameters
    ----------
    found : sequence of Effect
        The strongest first.
    scale_sd : sequence of float
        By scale, standard deviation of all its contributions together.
    bands : sequence of str
        What the scales are called.
    words, unit : str
        What is predicted, and in what.
    odds : bool
        Whether effects are factors, drawn on a logarithmic axis.
    narrow : bool
        Panels below each other.
    """
    height = 0.28 * len(found) + 1.2
    if narrow:
        figure = Figure(figsize=(NARROW, height + 2.6), layout="constrained")
        effects, scales = figure.subplots(2, 1, height_ratios=[height, 2.6])
    else:
        figure = Figure(figsize=(8.6, max(3.2, height)), layout="constrained")
        effects, scales = figure.subplots(1, 2, width_ratios=[3, 2])
    places = range(len(found))[::-1]
    for place, effect in zip(places, found, strict=True):
        colour, marker = (HIGH, "^") if effect.weight[0] > 0 else (LOW, "v")
        if np.isfinite(effect.low):
            effects.plot([effect.low, effect.high], [place, place], color=colour, linewidth=1.6)
        effects.plot(
            effect.value, place, marker, color=colour, markersize=7, markerfacecolor=colour if effect.sure else "white"
        )
    effects.axvline(1.0 if odds else 0.0, color="black", linewidth=0.8, zorder=0)
    if odds:
        effects.set_xscale("log")
    effects.set_yticks(places, [effect.short for effect in found], fontsize=7 if narrow else 8)
    effects.set_ylim(-0.7, len(found) - 0.3)
    label(effects, "Per standard deviation more", f"{words} ({unit})", "")
    rows = range(len(bands))[::-1]
    scales.barh(rows, scale_sd, color=BEFORE, height=0.6)
    scales.set_yticks(rows, list(bands), fontsize=8)
    label(scales, "Each scale", f"s.d. of its part ({unit})", "")
    return figure


def selection_figure(rows: Rows, metric: str, *, narrow: bool = False) -> Figure:
    """Draw cross-validated scores along each path, its start beside it, and a ring around the chosen candidate."""
    figure = Figure(figsize=(NARROW, 3.8) if narrow else (7.0, 3.8), layout="constrained")
    axes = figure.subplots()
    chosen = next((row for row in rows if row.get("chosen")), None)
    # The kind that was chosen comes first, in the colour of AWD.
    own = None if chosen is None else _kind(chosen)
    kinds = sorted({_kind(row) for row in rows if row.get("share") is not None}, key=lambda kind: (kind != own, kind))
    several = len({kind[1:] for kind in kinds}) > 1
    styles = (("-o", HIGH), ("--s", LOW), (":^", "#009E73"), ("-.d", "#E69F00"), ("-v", "#CC79A7"))
    for kind, (style, colour) in zip(kinds, styles, strict=False):
        line = sorted(
            (row for row in rows if _kind(row) == kind and row.get("share") is not None), key=lambda row: row["share"]
        )
        errors = [row.get("standard_error") or 0.0 for row in line]
        axes.errorbar(
            [row["share"] for row in line], [row["mean"] for row in line], errors, fmt=style, color=colour,
            markersize=4, elinewidth=0.8, label=", ".join(filter(None, kind)) if several else f"path from {kind[0]}",
        )  # fmt: skip
        starts = [row for row in rows if _kind(row) == kind and row.get("share") is None]
        for row in starts:
            error = row.get("standard_error") or 0.0
            axes.errorbar(BEFORE_PATH, row["mean"], error, fmt=style[-1], color=colour, markersize=5, elinewidth=0.8,
                          markerfacecolor="white")  # fmt: skip
    if chosen is not None:
        share = BEFORE_PATH if chosen.get("share") is None else chosen["share"]
        axes.plot(
            share, chosen["mean"], "o", markersize=13, markerfacecolor="none", markeredgecolor="black",
            markeredgewidth=1.5, label="chosen", linestyle="none", zorder=5,
        )  # fmt: skip
    ticks = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    axes.set_xticks([BEFORE_PATH, *ticks], ["start", *(f"{tick:g}" for tick in ticks)])
    axes.set_xlim(BEFORE_PATH - 0.06, 1.06)
    label(axes, "", "share α of the attributions", f"{metric}, cross-validated on training tracks")
    figure.legend(loc="outside lower center", ncols=2 if narrow else 4, frameon=False, fontsize=8)
    return figure


def _kind(row: Mapping[str, Any]) -> tuple[str, str, str]:
    """What the candidates of a line have in common."""
    return str(row.get("start") or ""), str(row["features"]), str(row["regression"])


def _style(row: Mapping[str, Any]) -> tuple[str, str, str]:
    """Name, colour and marker of a method; AWD as published is one of AWD's variants."""
    kind = "ablation" if row["kind"] == "awd" and row["key"] != "awd" else row["kind"]
    return KINDS.get(kind, KINDS["wavelet"])


def _crop(axes: Axes, values: Sequence[float], zero: float | None, along: str = "x") -> None:
    """Keep one very bad score from squeezing all others: the axis begins little below the rest."""
    ordered = sorted(values)
    get, put = (axes.get_xlim, axes.set_xlim) if along == "x" else (axes.get_ylim, axes.set_ylim)
    low, high = get()
    span = ordered[-1] - ordered[len(ordered) // 4]
    floor = min(ordered[-1] - 6 * span, 0.0 if zero is None else zero - 0.02) if span > 0 else low
    if low < floor:
        put(floor, high)
    if zero is not None and (low, high)[0] < zero < high:
        axes.axvline(zero, color="black", linewidth=0.8, zorder=0)
