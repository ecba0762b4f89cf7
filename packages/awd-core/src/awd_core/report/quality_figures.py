"""The figure of a report on attribution quality: what the predictions lose when coefficients are removed."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from awd_core.evidence.quality import DEVIATIONS, PerturbationCurves
from awd_core.plotting.layout import label, panels
from awd_core.plotting.palette import BEFORE, HIGH, LOW

LOWEST = -0.5
"""Curves that fall further are cut off: they would press all others together."""


def curves_figure(curves: PerturbationCurves, random: PerturbationCurves, *, narrow: bool = False) -> Figure:
    """Draw the insertion and the deletion curve, and random orders as a band of grey."""
    figure, (added, removed) = panels(2, narrow, height=3.3, width=4.2)
    _draw(added, curves, random, "insertion", LOW, "-o")
    _draw(removed, curves, random, "deletion", HIGH, "-s")
    _label(added, "Put back, the largest first", "coefficients put back, % of all")
    _label(removed, "Removed, the largest first", "coefficients removed, % of all")
    added.sharey(removed)
    added.legend(frameon=False, fontsize=8, loc="lower right")
    removed.legend(frameon=False, fontsize=8, loc="upper right")
    lowest = min(*curves.insertion, *curves.deletion, *random.insertion, *random.deletion)
    for axes in (added, removed):
        axes.set_ylim(100 * max(LOWEST, min(0.0, lowest)) - 3.0, 103.0)
    return figure


def _draw(
    axes: Axes, curves: PerturbationCurves, random: PerturbationCurves, which: str, colour: str, style: str
) -> None:
    percent = [100 * fraction for fraction in random.fractions]
    mean = [100 * value for value in getattr(random, which)]
    spread = [100 * DEVIATIONS * value for value in getattr(random, f"{which}_error")]
    low, high = ([m + sign * s for m, s in zip(mean, spread, strict=True)] for sign in (-1, 1))
    axes.fill_between(percent, low, high, color=BEFORE, alpha=0.45, linewidth=0, zorder=0)
    axes.plot(
        percent, mean, "--", color="#5A5A5A", linewidth=1.2, label=f"random order, ± {DEVIATIONS:g} s.d.", zorder=1
    )
    axes.plot(
        [100 * fraction for fraction in curves.fractions],
        [100 * value for value in getattr(curves, which)],
        style,
        color=colour,
        markersize=4,
        linewidth=1.6,
        label="by |attribution|",
        zorder=2,
    )


def _label(axes: Axes, title: str, x: str) -> None:
    label(axes, title, x, "predictions explained, %")
    axes.axhline(0.0, color=BEFORE, linewidth=0.6, zorder=0)
