"""Figures of the report that show results: scores, cells, candidates, weights.

Each function draws for a page as wide as a book's; `narrow=True` draws the same for a telephone. Colours are Okabe and
Ito's; markers say the same once more.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import Bbox

from awd_cme.model.results import ModelRow, Results, TriedCandidate
from awd_cme.report.sentences import Effect
from awd_core.plotting import BEFORE, FAINT, GREEN, HIGH, LOW, NARROW, ORANGE, PURPLE, SKY, label, style_of
from awd_core.report import Method, Score, comparison_figure, crop

BEFORE_PATH = -0.12
"""Where on the axis of shares the start of a path is drawn."""

REACH = 4.0
"""How far the axis of effects goes at most, in units of the strongest."""

NEAR = 12
BESIDE = [(9, 0, "left"), (-9, 0, "right"), (0, 10, "center"), (0, -10, "center")]
BESIDE += [(12, way * far, "left") for far in (10, 20, 30, 40, 50) for way in (1, -1)]
BESIDE += [(-12, way * far, "right") for far in (10, 20, 30, 40, 50) for way in (1, -1)]
"""Where the name of a mark may stand, the best place first: across and up, in points, and where the text begins.
Farther than `NEAR` up or down, a line leads to it."""


def results_figure(results: Results, *, narrow: bool = False) -> Figure:
    """Draw the score of each method with its interval, the best at the top."""
    shown = sorted(_scored(results), key=lambda row: -row.score)
    methods = [
        Method(row.name, _kind_of(row), [Score(row.score, row.low, row.high)], row.key == "awd") for row in shown
    ]
    quantity = f"{results.score_name} on test tracks (95 % interval)"
    return comparison_figure(methods, quantity, zero=results.baseline_score, narrow=narrow)


def economy_figure(results: Results, *, narrow: bool = False) -> Figure:
    """Draw the score of each method against how many numbers were fitted; AWD, the teacher and DB5 have names."""
    shown = [row for row in _scored(results) if row.parameters and row.kind != "trivial"]
    figure = Figure(figsize=(NARROW, 3.4) if narrow else (6.4, 3.4), layout="constrained")
    axes = figure.subplots()
    for row in shown:
        _, colour, marker = style_of(_kind_of(row))
        size, order = (9, 4) if row.key == "awd" else (6, 3)
        axes.plot(row.parameters or 0, row.score, marker, color=colour, markersize=size, zorder=order)
    axes.set_xscale("log")
    axes.margins(0.22, 0.18)
    crop(axes, [row.score for row in shown], None, along="y")
    label(axes, "", "fitted numbers (parameters)", f"{results.score_name} on test tracks")
    figure.draw_without_rendering()  # places of marks are known when the axes are laid out
    _write_names(axes, shown, ("awd", "teacher", "db5", "raw_ridge", "boosting"))
    return figure


def cells_figure(results: Results, methods: Mapping[str, str], *, narrow: bool = False) -> Figure:
    """Draw scores cell by cell, the cell with most tracks at the top; the marker's size grows with the tracks."""
    shown = sorted(results.per_cell, key=lambda row: row["n"])
    figure = Figure(figsize=(NARROW if narrow else 7.0, 0.3 * len(shown) + 1.4), layout="constrained")
    axes = figure.subplots()
    styles = {key: style_of(kind)[1:] for key, kind in (("awd", "awd"), ("teacher", "network"), ("db5", "wavelet"))}
    others = iter(((GREEN, "s"), (ORANGE, "d"), (SKY, "v")))
    values: list[float] = []
    for key, name in methods.items():
        colour, marker = styles.get(key) or next(others, ("black", "x"))
        held = [(place, row[key]) for place, row in enumerate(shown) if row.get(key) is not None]
        if not held:
            continue
        values += [value for _, value in held]
        axes.plot(
            [v for _, v in held], [p for p, _ in held], marker, color=colour, label=name, markersize=6,
            zorder=4 if key == "awd" else 3,
        )  # fmt: skip
    axes.hlines(range(len(shown)), 0, 1, transform=axes.get_yaxis_transform(), color=FAINT, linewidth=0.6, zorder=0)
    axes.set_yticks(range(len(shown)), [f"{row['cell']} ({row['n']})" for row in shown], fontsize=8)
    axes.set_ylim(-0.7, len(shown) - 0.3)
    crop(axes, values, results.baseline_score)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    label(axes, "", f"{results.score_name} within the cell", "cell (test tracks)")
    figure.legend(loc="outside lower center", ncols=2 if narrow else 3, frameon=False, fontsize=8)
    return figure


def effects_figure(
    found: Sequence[Effect], scale_sd: Sequence[float], bands: Sequence[str], quantity: str, unit: str, *,
    odds: bool = False, narrow: bool = False,
) -> Figure:  # fmt: skip
    """Draw the strongest effects with their intervals, and how far each scale moves the prediction.

    Effects come strongest first; `scale_sd` are the standard deviations of all contributions of a scale together,
    `bands` what scales are called, `quantity` and `unit` what is predicted, and in what. With `odds`, effects are
    factors, on a logarithmic axis.
    """
    height = 0.28 * len(found) + 1.2
    if narrow:
        figure = Figure(figsize=(NARROW, height + 2.6), layout="constrained")
        effects, scales = figure.subplots(2, 1, height_ratios=[height, 2.6])
    else:
        figure = Figure(figsize=(8.6, max(3.2, height)), layout="constrained")
        effects, scales = figure.subplots(1, 2, width_ratios=[3, 2])
    places = range(len(found))[::-1]
    # Of few cells some intervals are so wide that nothing else could be seen.
    reach = REACH * max((abs(math.log(e.value)) if odds else abs(e.value) for e in found), default=1.0)
    least, most = (math.exp(-reach), math.exp(reach)) if odds else (-reach, reach)
    for place, effect in zip(places, found, strict=True):
        colour, marker = (HIGH, "^") if effect.weight[0] > 0 else (LOW, "v")
        if np.isfinite(effect.low):
            ends = np.clip([effect.low, effect.high], least, most)
            effects.plot(ends, [place, place], color=colour, linewidth=1.6)
        effects.plot(
            effect.value, place, marker, color=colour, markersize=7, markerfacecolor=colour if effect.sure else "white"
        )
    effects.axvline(1.0 if odds else 0.0, color="black", linewidth=0.8, zorder=0)
    if odds:
        effects.set_xscale("log")
    effects.set_yticks(places, [effect.short for effect in found], fontsize=7 if narrow else 8)
    effects.set_ylim(-0.7, len(found) - 0.3)
    label(effects, "Per standard deviation more", f"{quantity} ({unit})", "")
    rows = range(len(bands))[::-1]
    scales.barh(rows, scale_sd, color=BEFORE, height=0.6)
    scales.set_yticks(rows, list(bands), fontsize=8)
    label(scales, "Each scale", f"s.d. of its part ({unit})", "")
    return figure


def selection_figure(rows: Sequence[TriedCandidate], metric: str, *, narrow: bool = False) -> Figure:
    """Draw cross-validated scores along each path, its start beside it, and a ring around the chosen candidate."""
    figure = Figure(figsize=(NARROW, 3.8) if narrow else (7.0, 3.8), layout="constrained")
    axes = figure.subplots()
    chosen = next((row for row in rows if row.chosen), None)
    # The kind that was chosen comes first, in the colour of AWD.
    own = None if chosen is None else _kind(chosen)
    kinds = sorted({_kind(row) for row in rows if row.share is not None}, key=lambda kind: (kind != own, kind))
    several = len({kind[1:] for kind in kinds}) > 1
    styles = (("-o", HIGH), ("--s", LOW), (":^", GREEN), ("-.d", ORANGE), ("-v", PURPLE))
    for kind, (style, colour) in zip(kinds, styles, strict=False):
        own_rows = [row for row in rows if _kind(row) == kind]
        line = [(row.share, row.mean, np.nan_to_num(row.standard_error)) for row in own_rows if row.share is not None]
        shares, means, errors = np.transpose(sorted(line))
        axes.errorbar(
            shares, means, errors, fmt=style, color=colour,
            markersize=4, elinewidth=0.8, label=", ".join(filter(None, kind)) if several else f"path from {kind[0]}",
        )  # fmt: skip
        for row in (row for row in own_rows if row.share is None):
            error = float(np.nan_to_num(row.standard_error))
            axes.errorbar(BEFORE_PATH, row.mean, error, fmt=style[-1], color=colour, markersize=5, elinewidth=0.8,
                          markerfacecolor="white")  # fmt: skip
    if chosen is not None:
        share = BEFORE_PATH if chosen.share is None else chosen.share
        axes.plot(
            share, chosen.mean, "o", markersize=13, markerfacecolor="none", markeredgecolor="black",
            markeredgewidth=1.5, label="chosen", linestyle="none", zorder=5,
        )  # fmt: skip
    ticks = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    axes.set_xticks([BEFORE_PATH, *ticks], ["start", *(f"{tick:g}" for tick in ticks)])
    axes.set_xlim(BEFORE_PATH - 0.06, 1.06)
    label(axes, "", "share α of the attributions", f"{metric}, cross-validated on training tracks")
    figure.legend(loc="outside lower center", ncols=2 if narrow else 4, frameon=False, fontsize=8)
    return figure


def _write_names(axes: Axes, rows: Sequence[ModelRow], keys: Sequence[str]) -> None:
    """Write the names of some rows beside their marks, where they meet neither a mark nor another name nor the edge."""
    point = axes.figure.dpi / 72
    marks = axes.transData.transform([(row.parameters or 0, row.score) for row in rows])
    radii = (point * (6 if row.key == "awd" else 4) for row in rows)
    taken = [Bbox.from_extents(x - r, y - r, x + r, y + r) for (x, y), r in zip(marks, radii, strict=True)]
    for row in sorted((row for row in rows if row.key in keys), key=lambda row: keys.index(row.key)):
        place = float(row.parameters or 0), row.score
        name = axes.annotate(
            row.name, place, xytext=(0, 0), textcoords="offset points", fontsize=8, va="center", in_layout=False,
            fontweight="bold" if row.key == "awd" else "normal",
        )  # fmt: skip
        tried: list[tuple[int, int, Bbox]] = []
        for number, (x, y, side) in enumerate(BESIDE):
            name.set(position=(x, y), horizontalalignment=side)
            box = name.get_window_extent()
            inside = axes.bbox.contains(box.x0, box.y0) and axes.bbox.contains(box.x1, box.y1)
            tried.append((box.count_overlaps(taken) + (0 if inside else 2), number, box))
            if tried[-1][0] == 0:
                break
        _, number, box = min(tried, key=lambda item: item[:2])
        x, y, side = BESIDE[number]
        name.set(position=(x, y), horizontalalignment=side)
        if abs(y) > NEAR:
            line = {"arrowstyle": "-", "color": BEFORE, "linewidth": 0.6, "shrinkA": 0, "shrinkB": 3}
            axes.annotate("", place, xytext=(x, y), textcoords="offset points", arrowprops=line, in_layout=False)
        taken.append(box)


def _kind(row: TriedCandidate) -> tuple[str, str, str]:
    """What the candidates of a line have in common."""
    return row.start, row.features, row.regression


def _scored(results: Results) -> list[ModelRow]:
    return [row for row in results.rows if not math.isnan(row.score)]


def _kind_of(row: ModelRow) -> str:
    """Kind of a method; AWD as published is one of AWD's variants."""
    return "ablation" if row.kind == "awd" and row.key != "awd" else row.kind
