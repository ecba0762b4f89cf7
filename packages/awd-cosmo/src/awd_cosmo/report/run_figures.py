"""The figures of a cosmological report about the run itself: cosmologies, scales, the teacher, observed maps."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, MaxNLocator, NullFormatter, StrMethodFormatter

from awd_core.plotting import BEFORE, HIGH, LOW, NARROW, label, panels
from awd_cosmo.report.artefacts import is_outlier
from awd_cosmo.report.bands import BandShare
from awd_cosmo.report.result_figures import written
from awd_cosmo.statistics.undecimated import BandScale

TRAINED = "#D5E5EF"
"""The range of the training maps, behind estimates."""


def cosmologies_figure(
    table: Sequence[Mapping[str, Any]], test: Sequence[int], x: str, y: str, *, narrow: bool = False
) -> Figure:
    """Draw where the cosmologies lie in the plane of two parameters, those of the held-out test apart.

    Rows of the table have the cosmology's number as "cosmology", and its parameters; `test` has such numbers.
    """
    figure = Figure(figsize=(NARROW, 3.6) if narrow else (5.6, 3.6), layout="constrained")
    axes = figure.subplots()
    held = set(test)
    for name, wanted, colour, mark in (
        ("training and validation", False, LOW, "o"),
        ("test: never seen in training", True, HIGH, "D"),
    ):
        rows = [row for row in table if (row["cosmology"] in held) == wanted and None not in (row[x], row[y])]
        if rows:
            axes.plot([row[x] for row in rows], [row[y] for row in rows], mark, color=colour, markersize=5,
                      markerfacecolor=colour if wanted else "white", label=f"{name} ({len(rows)})")  # fmt: skip
    label(axes, "Cosmologies", written(x), written(y))
    figure.legend(loc="outside lower center", ncols=1 if narrow else 2, frameon=False, fontsize=8)
    return figure


def bands_figure(scales: Sequence[BandScale], shares: Sequence[BandShare], *, narrow: bool = False) -> Figure:
    """Draw the wavelengths that bands pass, and beside them what they contribute to the estimate, if that is known."""
    known = {share.band: share for share in shares}
    both = bool(known)
    height = 0.24 * len(scales) + 1.6
    figure, drawn = panels(
        1 + both, narrow, height=(0.875 if narrow and both else 1.0) * height, width=4.0 if both else 6.0
    )
    places, letters = range(len(scales)), [scale.band for scale in scales]
    axes = drawn[0]
    for place, scale in zip(places, scales, strict=True):
        colour = LOW if scale.band.startswith(("a", "raw")) else HIGH
        axes.hlines(place, scale.shortest, scale.longest, color=colour, linewidth=3.5, alpha=0.45)
        axes.plot(scale.arcmin, place, "o" if colour == HIGH else "s", color=colour, markersize=5)
    axes.set_xscale("log")
    low, high = min(s.shortest for s in scales) / 1.2, max(s.longest for s in scales) * 1.2
    axes.set_xlim(low, high)
    _plain_log_ticks(axes.xaxis, low, high)
    axes.set_yticks(places, letters)
    axes.set_ylim(len(scales) - 0.4, -0.6)
    label(axes, "", "wavelength (arcmin)", "band")
    above = axes.secondary_xaxis("top", functions=(_reciprocal, _reciprocal))
    above.set_xlabel("multipole ℓ", fontsize=9)
    above.tick_params(labelsize=8)
    _plain_log_ticks(above.xaxis, 21600 / high, 21600 / low)
    if both:
        beside = drawn[1]
        beside.set_ylim(axes.get_ylim())
        percent = [100 * known[band].share if band in known else 0.0 for band in letters]
        beside.barh(list(places), percent, color=[LOW if b.startswith(("a", "raw")) else HIGH for b in letters])
        beside.axvline(0.0, color="black", linewidth=0.8)
        beside.set_yticks(places, letters)
        beside.tick_params(axis="y", labelleft=True)
        label(beside, "", "share of the estimate's variance (%)", "band" if narrow else "")
    return figure


def _reciprocal(x: Any) -> Any:
    """Between arcmin and ℓ: 360 · 60 / x, both ways."""
    return 21600.0 / np.maximum(x, 1e-9)


def _plain_log_ticks(axis: Any, low: float, high: float) -> None:
    """Ticks at 1, 2 and 5 times powers of ten, written as plain numbers."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [step * 10.0**power for power in powers for step in (1, 2, 5) if low <= step * 10.0**power <= high]
    if len(ticks) > 6:
        ticks = [tick for tick in ticks if round(tick / 10 ** math.floor(math.log10(tick) + 1e-9)) == 1]
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_minor_locator(FixedLocator([]))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(NullFormatter())


def history_figure(history: Sequence[Mapping[str, Any]], *, narrow: bool = False) -> Figure:
    """Draw the teacher's losses by epoch."""
    figure, (axes,) = panels(1, narrow, height=2.7, width=4.0)
    for key, word, colour, style in (
        ("train_loss", "training", BEFORE, "--"),
        ("valid_loss", "validation", LOW, "-"),
    ):
        points = [(record["epoch"], record[key]) for record in history if record.get(key) is not None]
        if points:
            axes.plot(*zip(*points, strict=True), style, color=colour, label=word, linewidth=1.5)
    losses = [value for line in axes.get_lines() for value in np.asarray(line.get_ydata(), float) if value > 0]
    if losses and max(losses) > 5 * min(losses):
        axes.set_yscale("log")
        _plain_log_ticks(axes.yaxis, min(losses) / 1.2, max(losses) * 1.2)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    label(axes, "", "epoch", "loss")
    axes.legend(frameon=False, fontsize=8)
    return figure


def observed_figure(
    observed: Sequence[Mapping[str, Any]], target: str, trained: tuple[float, float] | None, *, narrow: bool = False
) -> Figure:
    """Draw the estimates of observed maps with their error bars; hollow where a map is unlike those of training.

    `trained` is the range of the parameter in the training maps.
    """
    height = 0.32 * len(observed) + 1.5
    figure = Figure(figsize=(NARROW if narrow else 7.0, height), layout="constrained")
    axes = figure.subplots()
    if trained is not None:
        axes.axvspan(*trained, color=TRAINED, zorder=0, label="range in training")
    for place, row in enumerate(observed):
        far = is_outlier(row)
        axes.errorbar(
            float(row["estimate"]), place, xerr=float(row.get("std") or 0.0), fmt="o", color=BEFORE if far else HIGH,
            capsize=3, markersize=6, markerfacecolor="white" if far else HIGH,
        )  # fmt: skip
    axes.set_yticks(range(len(observed)), [str(row["file"]).split("/")[-1] for row in observed])
    axes.set_ylim(len(observed) - 0.4, -0.6)
    label(axes, "Observed maps", f"estimated {written(target)}, 1σ", "")
    handles = [
        Line2D([], [], color=HIGH, marker="o", label="like training maps"),
        Line2D([], [], color=BEFORE, marker="o", markerfacecolor="white", label="unlike them, or at the range's end"),
    ]
    if trained is not None:
        handles.append(Line2D([], [], color=TRAINED, linewidth=7, label="range in training"))
    figure.legend(handles=handles, loc="outside lower center", ncols=2 if narrow else 3, frameon=False, fontsize=8)
    return figure
