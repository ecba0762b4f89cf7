"""The figure of a student: what each further number is worth, beside other wavelets and the teacher."""

import itertools

from matplotlib.figure import Figure

from awd_core.plotting.layout import label, panels
from awd_core.plotting.palette import BEFORE, HIGH, LOW, ORANGE, PURPLE
from awd_core.student.curve import BEST, LABELS, STUDENT, TEACHER, ErrorCurve

STYLES = {STUDENT: (HIGH, "-o"), BEST: (LOW, "-s"), LABELS: (ORANGE, "-^"), TEACHER: (PURPLE, "--")}
MARKERS = ("v", "D", "P", "X", "*", "<", ">", "h")


def error_curve_figure(curve: ErrorCurve, *, narrow: bool = False) -> Figure:
    """Draw test R² against the number of numbers, and the paired differences to the student.

    Parameters
    ----------
    curve : ErrorCurve
        Of one split, or the mean of several.
    narrow : bool
        Panels below each other.

    Returns
    -------
    Figure
        Bars of the differences are one standard error long to either side.
    """
    figure, (scores, differences) = panels(2, narrow, height=3.4, width=4.4)
    markers = itertools.cycle(MARKERS)
    others = [method for method in curve.methods if method not in (STUDENT, TEACHER)]
    ticks = [point.numbers for point in curve.of(STUDENT)]
    for method in curve.methods:
        points = curve.of(method)
        colour, style = STYLES.get(method, (BEFORE, f":{next(markers)}"))
        if method == TEACHER:
            scores.axhline(points[0].r2, color=colour, linestyle=style, linewidth=1.2, label=method)
            continue
        scores.plot(range(len(ticks)), [p.r2 for p in points], style, color=colour, label=method, markersize=4)
        if method == STUDENT:
            differences.axhline(0.0, color=colour, linewidth=1.2)
            continue
        # Side by side, so that no bar hides another.
        shift = 0.5 * ((others.index(method) + 0.5) / len(others) - 0.5)
        differences.errorbar(
            [place + shift for place in range(len(ticks))], [p.difference for p in points],
            yerr=[p.standard_error for p in points], fmt=style[-1], color=colour, markersize=4, linewidth=1.0,
        )  # fmt: skip
    for axes in (scores, differences):
        axes.set_xticks(range(len(ticks)), [str(tick) for tick in ticks])
    label(scores, "What the numbers tell", "numbers that are kept", "test R²")
    label(differences, "Beside the student", "numbers that are kept", "R² less the student's")
    figure.legend(loc="outside lower center", ncols=2 if narrow else 4, frameon=False, fontsize=8)
    return figure
