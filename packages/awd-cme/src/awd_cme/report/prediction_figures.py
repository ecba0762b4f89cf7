"""Figures of the report that show single predictions: predicted against measured, and the ROC curve of classes."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from awd_core.plotting import BEFORE, DARK, GREEN, HIGH, LOW, label, panels
from awd_core.typing import AnyArray


def scatter_figure(
    truth: AnyArray, predictions: Mapping[str, AnyArray], partner: str, unit: str, *, narrow: bool = False
) -> Figure:
    """Draw predicted against measured, a panel for each method, on common axes."""
    count = len(predictions)
    figure, drawn = panels(count, narrow, height=3.7 if narrow else 3.9, width=4.0, shared=True)
    everything = np.concatenate([truth, *predictions.values()])
    # Some tracks are far brighter than all others: the axes hold all but the last 0.5 %, which lie at the edge.
    low, high = np.quantile(everything, [0.0025, 0.9975])
    margin = 0.04 * (high - low)
    limits = (low - margin, high + margin)
    for axes, (name, predicted), colour in zip(drawn, predictions.items(), (HIGH, LOW, GREEN), strict=False):
        axes.plot(limits, limits, color="black", linewidth=0.8, zorder=1)
        inside = np.clip(truth, low, high), np.clip(predicted, low, high)
        area = float(np.clip(6000 / len(truth), 3, 22))
        axes.scatter(*inside, s=area, color=colour, alpha=float(np.clip(150 / len(truth), 0.15, 0.7)), linewidth=0)
        centres, medians = _running_median(inside[0], inside[1])
        axes.plot(centres, medians, "-", color="white", linewidth=4, zorder=3)
        axes.plot(centres, medians, "-", color="black", linewidth=2, zorder=4)
        axes.set_xlim(limits)
        axes.set_ylim(limits)
        axes.set_aspect("equal")
        label(axes, name, f"measured {partner} ({unit})", f"predicted ({unit})")
        if not narrow:
            axes.label_outer()
    return figure


def roc_figure(truth: AnyArray, predictions: Mapping[str, AnyArray], partner: str, *, narrow: bool = False) -> Figure:
    """Draw the ROC curve of some methods, and how the first rates tracks of both classes."""
    figure, (curve, classes) = panels(2, narrow, height=3.5 if narrow else 3.8, width=4.0)
    success = truth > truth.min()
    curve.plot([0, 100], [0, 100], color=BEFORE, linewidth=0.8)
    styles = ((HIGH, "-"), (LOW, "--"), (DARK, ":"))
    for (name, predicted), (colour, style) in zip(predictions.items(), styles, strict=False):
        order = np.argsort(-predicted, kind="stable")
        hits = np.concatenate([[0], np.cumsum(success[order])]) / success.sum()
        alarms = np.concatenate([[0], np.cumsum(~success[order])]) / (~success).sum()
        curve.plot(100 * alarms, 100 * hits, style, color=colour, label=name, linewidth=1.6)
    curve.set_aspect("equal")
    curve.legend(frameon=False, fontsize=8, loc="lower right")
    label(curve, "ROC curve", "failures called successes, %", "successes found, %")
    first = next(iter(predictions.values()))
    edges = np.linspace(min(0.0, first.min()), max(1.0, first.max()), 21).tolist()
    for chosen, colour, hatch, name in ((success, HIGH, "", f"with {partner}"), (~success, LOW, "////", "without")):
        classes.hist(
            first[chosen], edges, histtype="stepfilled", facecolor=(colour, 0.3), edgecolor=colour, hatch=hatch,
            label=f"{name} ({int(chosen.sum())})",
        )  # fmt: skip
    classes.legend(frameon=False, fontsize=8)
    label(classes, f"{next(iter(predictions))}, both classes", "predicted probability of success", "test tracks")
    return figure


def _running_median(x: AnyArray, y: AnyArray, bins: int = 9) -> tuple[AnyArray, AnyArray]:
    """Medians of y in bins of x that hold equally many."""
    groups = np.array_split(np.argsort(x, kind="stable"), max(1, min(bins, len(x) // 8)))
    return np.array([np.median(x[g]) for g in groups]), np.array([np.median(y[g]) for g in groups])
