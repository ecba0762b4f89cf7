"""The figures of a report on a distillation. The picture of one wavelet is `awd_core.wavelets.plot_wavelet`.

Each function draws for a page as wide as a book's; `narrow=True` draws the same for a telephone, panels below each
other.
"""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from awd_core.distill.distill import DistillationPath, PathPoint
from awd_core.distill.minima import Minimum
from awd_core.evidence.score_records import CoefficientScores
from awd_core.plotting.layout import NARROW, label, panels
from awd_core.plotting.palette import BEFORE, HIGH, LOW
from awd_core.wavelets.wavelet import Wavelet

EXCESSES = (0.0, 0.001, 0.01, 0.1, 1.0, 10.0)
"""Ticks of the axis on which minima are told from the best."""


def wavelet_figure(wavelet: Wavelet, before: Wavelet, *, narrow: bool = False) -> Figure:
    """Draw a wavelet and the one before; see `awd_core.wavelets.plot_wavelet`."""
    figure = wavelet.plot(before=before)
    if narrow:
        figure.set_size_inches(NARROW, 10.0)
        grid = GridSpec(len(figure.axes), 1, figure=figure)
        for number, axes in enumerate(figure.axes):
            axes.set_subplotspec(grid[number])
        legend = figure.legends[0]
        handles = [handle for handle in legend.legend_handles if handle is not None]
        legend.remove()
        figure.legend(handles=handles, loc="outside lower center", frameon=False, fontsize=9)
    return figure


def path_figure(path: DistillationPath, chosen: PathPoint, *, narrow: bool = False) -> Figure:
    """Draw the path: both terms and the objective, the trade between the terms, and the distance to the start.

    Parameters
    ----------
    path : DistillationPath
        The path.
    chosen : PathPoint
        The point to mark.
    narrow : bool
        Panels below each other.
    """
    figure, (terms, trade, distance) = panels(3, narrow, height=3.2)
    shares = [point.share for point in path]
    sparsity = [point.sparsity / path.start_sparsity for point in path]
    interpretation = [point.interpretation / path.start_interpretation for point in path]

    terms.plot(shares, sparsity, "-o", color=LOW, label="inputs, S/S₀", markersize=4)
    terms.plot(shares, interpretation, "-s", color=HIGH, label="attributions, A/A₀", markersize=4)
    terms.plot(shares, [point.objective for point in path], "--", color="black", label="objective", linewidth=1.2)
    _mark_chosen(terms, chosen)
    terms.axhline(1.0, color=BEFORE, linewidth=0.8, zorder=0)
    label(terms, "L1 norms", "share α of the attributions", f"relative to {path.start.name}")
    _legend_above(terms)

    trade.plot(sparsity, interpretation, "-", color=BEFORE, linewidth=1.0, zorder=1)
    trade.plot(sparsity, interpretation, "o", color=LOW, markersize=4)
    trade.plot([1.0], [1.0], "x", color="black", markersize=6)
    trade.annotate(path.start.name, (1.0, 1.0), xytext=(0, -12), textcoords="offset points", ha="center", fontsize=8)
    here = sparsity[shares.index(chosen.share)], interpretation[shares.index(chosen.share)]
    trade.plot(*here, "o", markersize=10, markerfacecolor="none", markeredgecolor=HIGH, markeredgewidth=1.6)
    _name_some(trade, shares.index(chosen.share), shares, sparsity, interpretation)
    label(trade, "The trade", "inputs, S/S₀", "attributions, A/A₀")
    trade.margins(0.14)
    trade.xaxis.set_major_locator(MaxNLocator(4))

    taps = [point.wavelet.distance(path.start) for point in path]
    functions = [point.wavelet.distance(path.start, of="function") for point in path]
    distance.plot(shares, functions, "-s", color=HIGH, label="wavelet functions ψ", markersize=4)
    distance.plot(shares, taps, "-o", color=LOW, label="taps h", markersize=4)
    _mark_chosen(distance, chosen)
    distance.set_ylim(0.0, max(0.05, *taps, *functions))
    label(distance, "Distance to the start", "share α of the attributions", f"L2 distance to {path.start.name}")
    _legend_above(distance)
    return figure


def minima_figure(minima: Sequence[Sequence[Minimum]], chosen: PathPoint, *, narrow: bool = False) -> Figure:
    """Draw where the searches at each share ended: how far above the best, and how many ended there."""
    # On a narrow page the shares lie below each other.
    figure = Figure(figsize=(NARROW, 0.45 * len(minima) + 1.6) if narrow else (8.0, 3.8), layout="constrained")
    axes = figure.subplots()
    shares = [group[0].share for group in minima]
    # Both ends have many minima, since they are searched from all starts, and so more room.
    places = [index + 0.6 * (index > 0) + 0.6 * (index == len(minima) - 1 > 0) for index in range(len(minima))]
    for place, group in zip(places, minima, strict=True):
        heights = [_height(minimum.excess) for minimum in group]
        for minimum, height, shift in zip(group, heights, _dodged(heights, width=0.34 if narrow else 0.2), strict=True):
            best, count = minimum is group[0], len(minimum.starts)
            at = (height, place + shift) if narrow else (place + shift, height)
            face, edge = (LOW, LOW) if best else ("white", BEFORE)
            axes.scatter(*at, s=70 if count < 10 else 120, facecolor=face, edgecolor=edge, linewidth=1.2, zorder=2)
            if count > 1:
                ink = "white" if best else "black"
                axes.annotate(str(count), at, ha="center", va="center_baseline", fontsize=7.5, color=ink)
    here = places[shares.index(chosen.share)]
    (axes.axhline if narrow else axes.axvline)(here, color=HIGH, linewidth=1.0, linestyle=":", zorder=0)
    across, along = (axes.yaxis, axes.xaxis) if narrow else (axes.xaxis, axes.yaxis)
    across.set_ticks(places, [f"{share:g}" for share in shares])
    along.set_ticks([_height(tick) for tick in EXCESSES], ["best", "0.1 %", "1 %", "10 %", "100 %", "1000 %"])
    top = max(_height(minimum.excess) for group in minima for minimum in group)
    of_shares, of_heights = (-1.0, places[-1] + 1.0), (-0.35, max(1.3, top + 0.35))
    axes.set_xlim(of_heights if narrow else of_shares)
    axes.set_ylim(of_shares[::-1] if narrow else of_heights)
    names = ("share α of the attributions", "objective above the best")
    label(axes, "Where the searches ended", *(names[::-1] if narrow else names))
    return figure


def functions_figure(path: DistillationPath, chosen: PathPoint, *, most: int = 6, narrow: bool = False) -> Figure:
    """Draw the wavelet function ψ at several shares, with the start behind in grey."""
    indices = _spread(len(path), [point.share for point in path].index(chosen.share), most)
    columns = min(2 if narrow else 3, len(indices))
    rows = -(-len(indices) // columns)
    figure = Figure(figsize=(NARROW if narrow else 8.0, 1.7 * rows + 0.3), layout="constrained")
    grid = list(figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).flat)
    start = path.start.functions(8)
    for axes, index in zip(grid, indices, strict=False):
        point = path[index]
        axes.plot(start.x, start.psi, color=BEFORE, linewidth=1.0)
        x, _, psi = point.wavelet.functions(8)
        axes.plot(x, psi, color=HIGH, linewidth=1.4)
        label(axes, f"α = {point.share:g}{' (chosen)' if point is chosen else ''}", "", "")
        # The lowest of a column has numbers, though others have a panel below them.
        place = grid.index(axes)
        axes.tick_params(labelbottom=place + columns >= len(indices), labelleft=place % columns == 0)
    for axes in grid[len(indices) :]:
        axes.set_visible(False)
    figure.supxlabel("t (samples)", fontsize=9)
    figure.supylabel("ψ(t)", fontsize=9)
    return figure


def scores_figure(start: CoefficientScores, distilled: CoefficientScores, *, narrow: bool = False) -> Figure:
    """Draw how few coefficients hold the attribution, and at which scales it lies."""
    figure, (curve, scales) = panels(2, narrow, height=3.2, width=4.2)
    for scores, colour, style in ((start, BEFORE, "--"), (distilled, HIGH, "-")):
        percent = [100 * k / scores.total.coefficients for k in scores.curve_k]
        curve.plot(percent, [100 * kept for kept in scores.curve_kept], style, color=colour, label=scores.wavelet)
    curve.set_xscale("log")
    curve.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    curve.set_ylim(0.0, 102.0)
    label(curve, "What the largest hold", "largest coefficients, % of all", "of Σ|attribution|, %")
    curve.legend(frameon=False, fontsize=8, loc="lower right")

    names = [short_name(scale.name) for scale in distilled.scales]
    for scores, colour, shift in ((start, BEFORE, -0.2), (distilled, HIGH, 0.2)):
        heights = [scale.attribution_l1 for scale in scores.scales]
        scales.bar(
            [place + shift for place in range(len(names))], heights, width=0.38, color=colour, label=scores.wavelet
        )
    scales.set_xticks(range(len(names)), names)
    label(scales, "By scale", "scale, coarse to fine", "Σ|attribution| per input")
    _legend_above(scales)
    return figure


def short_name(scale: str) -> str:
    """Name of a scale where there is little room.

    Examples
    --------
    >>> short_name("approximation 4"), short_name("details 1")
    ('A4', 'D1')
    """
    return scale.replace("approximation ", "A").replace("details ", "D")


def _legend_above(axes: Axes) -> None:
    """Make room above the curves, and put the legend there."""
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.13 * len(axes.get_legend_handles_labels()[0]) * (high - low))
    axes.legend(frameon=False, fontsize=8, loc="upper left", borderaxespad=0.0)


def _mark_chosen(axes: Axes, chosen: PathPoint) -> None:
    axes.axvline(chosen.share, color=HIGH, linewidth=1.0, linestyle=":", zorder=0)


def _name_some(axes: Axes, chosen: int, shares: Sequence[float], x: Sequence[float], y: Sequence[float]) -> None:
    """Write the shares beside the chosen point and both ends, but for what would be written over another."""
    width, height = max(1.0, *x) - min(x), max(1.0, *y) - min(y)
    named: list[int] = []
    for index in dict.fromkeys((chosen, 0, len(shares) - 1)):
        if any(abs(x[index] - x[i]) < 0.25 * width and abs(y[index] - y[i]) < 0.12 * height for i in named):
            continue
        named.append(index)
        left = x[index] > min(x) + width / 2
        axes.annotate(
            f"α = {shares[index]:g}",
            (x[index], y[index]),
            xytext=(-9 if left else 9, 6),
            textcoords="offset points",
            fontsize=8,
            ha="right" if left else "left",
        )


def _height(excess: float) -> float:
    """Place on an axis that is linear below a tenth of a percent and logarithmic above."""
    return math.log10(1.0 + 9.0 * excess / 0.001)


def _dodged(heights: Sequence[float], near: float = 0.2, width: float = 0.2) -> list[float]:
    """Shifts to the sides by which marks at these heights do not hide each other, as far as there is room."""
    shifts: list[float] = []
    for height in heights:
        beside = [shift for other, shift in zip(heights, shifts, strict=False) if abs(height - other) < near]
        steps = (side * step for step in range(5) for side in (1, -1))
        free = (step * width for step in steps if step * width not in beside)
        shifts.append(next(free, 0.0))
    return shifts


def _spread(length: int, chosen: int, most: int) -> list[int]:
    """Indices of a sequence: both ends, the chosen one, and others at even distances; `most` at most."""
    if length <= most:
        return list(range(length))
    even = {round(place) for place in np.linspace(0, length - 1, most)}
    if chosen not in even:
        inner = sorted(even - {0, length - 1}, key=lambda index: abs(index - chosen))
        even = even - {inner[0]} | {chosen}
    return sorted(even)
