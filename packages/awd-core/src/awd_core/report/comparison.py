"""The figure that every report with several methods has: the score of each of them, with its interval."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from awd_core.plotting.layout import NARROW, label
from awd_core.plotting.palette import DARK, FAINT, HIGH, style_of


@dataclass(frozen=True)
class Score:
    """A score; `low` and `high` are the ends of its interval, NaN where there is none."""

    value: float
    low: float = math.nan
    high: float = math.nan


@dataclass(frozen=True)
class Method:
    """One line of the figure.

    Attributes
    ----------
    name, kind : str
        What it is called; one of `awd_core.plotting.palette.KINDS`.
    scores : sequence of (Score or None)
        One for each series.
    own : bool
        Whether it is the method that the report is about: in bold, with a dotted line through its first score.
    """

    name: str
    kind: str
    scores: Sequence[Score | None]
    own: bool = False


def comparison_figure(
    methods: Sequence[Method],
    quantity: str,
    *,
    series: Sequence[str] = (),
    zero: float | None = None,
    narrow: bool = False,
) -> Figure:
    """Draw the score of each method with its interval, in the order given, from the top.

    Parameters
    ----------
    methods : sequence of Method
        The methods.
    quantity : str
        What the scores are, with their unit and what the bars are.
    series : sequence of str, optional
        What the scores of a method are scores on; two at most, the second is drawn hollow.
    zero : float, optional
        The score of knowing nothing, where higher is better: the axis begins little below the bulk of the scores or
        there, and what lies further left is written at the edge.
    narrow : bool
        For a narrow page.
    """
    several = len(series) > 1
    height = (0.42 if several else 0.34) if narrow else (0.36 if several else 0.3)
    figure = Figure(figsize=(NARROW if narrow else 8.0, height * len(methods) + 1.6), layout="constrained")
    axes = figure.subplots()
    own = next((method for method in methods if method.own), None)
    if own is not None and (first := own.scores[0]) is not None:
        axes.axvline(first.value, color=HIGH, linewidth=1.0, linestyle=":", zorder=0)
    for place, method in enumerate(methods):
        _, colour, marker = style_of(method.kind)
        for number, score in enumerate(method.scores):
            if score is None:
                continue
            shift = 0.16 * (2 * number - 1) if several else 0.0
            below, above = (0.0 if math.isnan(end) else abs(end - score.value) for end in (score.low, score.high))
            axes.errorbar(
                score.value, place + shift, xerr=[[below], [above]], marker=marker, color=colour,
                markersize=7.5 if method.own else 6, capsize=2.5, elinewidth=1.5,
                markerfacecolor="white" if number else colour,
            )  # fmt: skip
    axes.set_yticks(range(len(methods)), [method.name for method in methods])
    for tick, method in zip(axes.get_yticklabels(), methods, strict=True):
        tick.set_fontweight("bold" if method.own else "normal")
    axes.set_ylim(len(methods) - 0.4, -0.6)
    if zero is not None:
        crop(axes, [score.value for method in methods for score in method.scores if score is not None], zero)
        _write_at_the_edge(axes, methods)
    axes.grid(axis="x", color=FAINT, linewidth=0.7)
    axes.set_axisbelow(True)
    label(axes, "")
    # To the right, so that it has the room below the names as well.
    axes.set_xlabel(quantity, fontsize=8 if narrow else 9, loc="right" if narrow else "center")
    axes.tick_params(axis="y", labelsize=7.5 if narrow else 8.5, length=0)
    figure.legend(
        handles=_legend(methods, series), loc="outside lower center", ncols=2 if narrow else 4, frameon=False,
        fontsize=8,
    )  # fmt: skip
    return figure


def crop(axes: Axes, values: Sequence[float], zero: float | None, along: str = "x") -> None:
    """Keep one very bad score from squeezing all others: the axis begins little below the rest.

    Parameters
    ----------
    axes : Axes
        Where they are drawn.
    values : sequence of float
        All scores; higher is better.
    zero : float or None
        The score of knowing nothing, marked by a line; the axis reaches at least so far down.
    along : str
        "x" or "y".
    """
    ordered = sorted(values)
    get, put = (axes.get_xlim, axes.set_xlim) if along == "x" else (axes.get_ylim, axes.set_ylim)
    low, high = get()
    span = ordered[-1] - ordered[len(ordered) // 4]
    floor = min(ordered[-1] - 6 * span, 0.0 if zero is None else zero - 0.02) if span > 0 else low
    if low < floor:
        # The margin beyond the best is a part of what is left, not of what was cut.
        top, margin = axes.dataLim.max["xy".index(along)], (axes.margins() or (0.05, 0.05))["xy".index(along)]
        put(floor, top + margin * (top - floor))
    if zero is not None and low < zero < high:
        axes.axvline(zero, color="black", linewidth=0.8, zorder=0)


def _write_at_the_edge(axes: Axes, methods: Sequence[Method]) -> None:
    """Write down what the axis leaves out."""
    low, _ = axes.get_xlim()
    for place, method in enumerate(methods):
        left = [score.value for score in method.scores if score is not None and score.value < low]
        if left:
            axes.annotate(
                f"◂ {left[0]:.3g}".replace("-", "−"), (0.01, place), xycoords=axes.get_yaxis_transform(), fontsize=8,
                va="center", color=style_of(method.kind).colour,
            )  # fmt: skip


def _legend(methods: Sequence[Method], series: Sequence[str]) -> list[Line2D]:
    handles = [
        Line2D([], [], color=style.colour, marker=style.marker, label=style.name, linewidth=1.6)
        for style in dict.fromkeys(style_of(method.kind) for method in methods)
    ]
    if len(series) > 1:
        handles += [
            Line2D([], [], color=DARK, marker="o", linestyle="none", label=name, markerfacecolor=face)
            for name, face in zip(series, (DARK, "white"), strict=True)
        ]
    return handles
