"""The chart of the benchmarks: how many times as long as ours the fastest peer takes, and where the goals lie."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from awd_core.plotting import BEFORE, HIGH, LOW
from benchmarks.report import Row, Section

AXIS = "time of the fastest peer, or of the peer that a goal names, over ours\n(to the right of 1× ours is faster)"
ROW_INCHES, WIDTH_INCHES = 0.22, 8.0
MARKS = {True: ("o", LOW, "goal met"), False: ("X", HIGH, "goal missed"), None: ("s", BEFORE, "no goal")}
"""Shape, colour (both tell) and meaning of a point."""


@dataclass(frozen=True)
class _Point:
    ratio: float
    met: bool | None
    goal: float | None


def draw_chart(sections: Sequence[Section]) -> Figure:
    """Draw one line for each comparison; rows that differ by the mode alone share one.

    A point is the ratio of the fastest peer's time to ours, or, where a goal names one peer, of that peer's. To the
    right of 1 ours is faster. A goal is a bar.

    Parameters
    ----------
    sections : sequence of Section
        Those with peers and times are drawn.
    """
    groups = [(section, lines) for section in sections if (lines := _lines(section))]
    count = sum(len(lines) + 1.6 for _, lines in groups)
    figure = Figure(figsize=(WIDTH_INCHES, 1.8 + ROW_INCHES * count), layout="constrained")
    axes = figure.subplots()
    places: list[float] = []
    names: list[str] = []
    at = 0.0
    for section, lines in groups:
        # From the left edge of the figure, and left out of its layout: a long title must not squeeze the axes.
        title = axes.annotate(
            section.title, (0.01, at), xycoords=("figure fraction", "data"), annotation_clip=False, weight="bold",
            va="center", fontsize=8,
        )  # fmt: skip
        title.set_in_layout(False)
        for name, points in lines.items():
            at += 1.0
            places.append(at)
            names.append(name)
            for point in points:
                shape, colour, _ = MARKS[point.met]
                axes.plot(point.ratio, at, shape, color=colour, markersize=5, alpha=0.85)
            for goal in {point.goal for point in points if point.goal is not None}:
                axes.plot([goal, goal], [at - 0.4, at + 0.4], "-", color="black", linewidth=1.5)
        at += 1.6
    axes.axvline(1.0, color="black", linewidth=0.8, linestyle=":")
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}×"))
    axes.set_yticks(places, names, fontsize=8)
    axes.set_ylim(at - 0.6, -1.0)
    axes.grid(axis="x", color="0.9")
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(AXIS, fontsize=9)
    handles = [Line2D([], [], marker=s, color=c, linestyle="", label=meaning) for s, c, meaning in MARKS.values()]
    handles.append(
        Line2D([], [], color="black", label="goal", marker="|", linestyle="", markersize=9, markeredgewidth=1.5)
    )
    figure.legend(handles=handles, loc="outside upper center", ncols=4, frameon=False, fontsize=9)
    return figure


def _lines(section: Section) -> dict[str, list[_Point]]:
    """Points by the labels of their rows, the mode left out."""
    lines: dict[str, list[_Point]] = {}
    for row in section.rows:
        point = _point(row, section)
        if point is not None:
            labels = [label for h, label in zip(section.headings, row.labels, strict=True) if h != "mode"]
            lines.setdefault(", ".join(labels), []).append(point)
    return lines


def _point(row: Row, section: Section) -> _Point | None:
    if row.unit != "time":
        return None
    if row.goal is not None and row.goal.unit == "×" and row.goal.reached is not None:
        return _Point(row.goal.reached, row.goal.met, row.goal.limit)
    name = row.best(section.peers)
    ratio = None if name is None else row.measures[name].ratio
    return None if ratio is None else _Point(ratio, None, None)
