"""Figures of the report that have a time axis: example tracks with the coefficients that decided, and the wavelet."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from awd_cme.model.card import ModelCard
from awd_cme.report.examples import Examples
from awd_cme.report.sentences import bands
from awd_core.plotting import BEFORE, FAINT, GREEN, HIGH, LOW, NARROW, PURPLE
from awd_core.typing import Array
from awd_core.wavelets import Wavelet

SEEN, PARTNER = GREEN, PURPLE
"""Green and reddish purple: the two channels, apart for every kind of colour vision, and not the colours of weights."""


def examples_figure(
    examples: Examples, channels: Sequence[str], unit: str, *, clock: str = "s", most: int = 6, narrow: bool = False
) -> Figure:
    """Draw example tracks: both channels over time and, aligned beneath, the coefficients that decided.

    A coefficient is a bar as long as its scale, around the time where it is; its marker points up if it raised the
    prediction and down if it lowered it, and the larger it is, the more it moved it.

    `clock` is the unit of times. A narrow page has one column, and half as many tracks as `most`.
    """
    count = min(len(examples.cell), -(-most // 2) if narrow else most)
    columns = 1 if narrow else 2
    rows = -(-count // columns)
    figure = Figure(figsize=(NARROW if narrow else 8.6, 3.6 * rows + 0.5), layout="constrained")
    scales = _coarse_first(examples)
    largest = float(np.abs(examples.term).max(initial=0.0)) or 1.0
    grids = figure.subfigures(rows, columns, squeeze=False)
    for number, grid in enumerate(grids.flat):
        if number >= count:
            continue
        signal, piano = grid.subplots(2, 1, sharex=True, height_ratios=[3, 2])
        _draw_channels(signal, examples, number, channels, unit)
        _draw_coefficients(piano, examples, number, scales, largest, clock)
        for axes in (signal, piano):
            axes.tick_params(labelsize=8)
    handles = [
        Line2D([], [], color=SEEN, marker="o", markersize=3, label=f"{channels[0]} (seen)"),
        Line2D([], [], color=PARTNER, linestyle="--", marker="s", markersize=3, label=f"{channels[1]} (not seen)"),
        Line2D([], [], color=HIGH, marker="^", markersize=7, label="raised the prediction"),
        Line2D([], [], color=LOW, marker="v", markersize=7, label="lowered it"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2 if narrow else 4, frameon=False, fontsize=8)
    return figure


def wavelet_scales_figure(wavelet: Wavelet, start: Wavelet, card: ModelCard, *, narrow: bool = False) -> Figure:
    """Draw the wavelet function at every scale on one time axis, the start behind in grey.

    0 is the centre of the distilled wavelet's square. The start is shifted, and turned upside down, to where it is most
    alike: where in time a wavelet sits is of no importance, and a sign can be had by a weight's.
    """
    figure = Figure(figsize=(NARROW if narrow else 8.0, 1.15 * card.levels + 0.9), layout="constrained")
    panels = figure.subplots(card.levels, 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    step = card.seconds_per_sample or 1.0
    for axes, level, band in zip(panels, range(card.levels, 0, -1), bands(card)[1:], strict=True):
        curves = [(_matched(start, wavelet), start.name, BEFORE, 1.2), (_centred(wavelet), wavelet.name, HIGH, 1.7)]
        for (x, psi), name, colour, width in curves[start == wavelet :]:
            axes.plot(x * 2**level * step, psi, color=colour, linewidth=width, label=name)
        axes.axhline(0.0, color="black", linewidth=0.5, zorder=0)
        axes.set_title(f"detail, changes over {band}", loc="left", fontsize=8.5, pad=2)
        axes.set_yticks([])
        axes.tick_params(labelsize=8)
        axes.spines[["top", "right", "left"]].set_visible(False)
    # The tails of a wavelet are almost nothing; what matters of the coarsest fills the panel.
    reach = 1.1 * _reach(wavelet) * 2**card.levels * step
    panels[-1].set_xlim(-reach, reach)
    panels[-1].set_xlabel(f"time ({card.unit})", fontsize=9)
    handles, _ = panels[0].get_legend_handles_labels()
    figure.legend(handles=handles[::-1], loc="outside lower center", ncols=2, frameon=False, fontsize=8)
    return figure


def _draw_channels(axes: Axes, examples: Examples, number: int, channels: Sequence[str], unit: str) -> None:
    time = examples.time[number]
    axes.plot(time, examples.x[number], "-o", color=SEEN, markersize=2.5, linewidth=1.3)
    axes.set_ylabel(f"{channels[0]} ({unit})", fontsize=8, color=SEEN)
    partner = axes.twinx()
    partner.plot(time, examples.y[number], "--s", color=PARTNER, markersize=2.2, linewidth=1.1)
    partner.set_ylabel(f"{channels[1]} ({unit})", fontsize=8, color=PARTNER)
    partner.tick_params(labelsize=8)
    for shown in (axes, partner):
        shown.spines["top"].set_visible(False)
    measured, predicted = float(examples.truth[number]), float(examples.prediction[number])
    name = f"{examples.cell[number]}, track {examples.track[number]}"
    axes.set_title(f"{name}\nmeasured {_amount(measured)}, predicted {_amount(predicted)}", loc="left", fontsize=8.5)


def _draw_coefficients(
    axes: Axes, examples: Examples, number: int, scales: Sequence[str], largest: float, clock: str
) -> None:
    rows = np.flatnonzero(examples.example == number)
    for row in rows:
        moved = float(examples.term[row])
        place = len(scales) - 1 - scales.index(str(examples.scale[row]))
        colour, marker = (HIGH, "^") if moved > 0 else (LOW, "v")
        half, centre = 0.5 * float(examples.width[row]), float(examples.position[row])
        part = abs(moved) / largest
        axes.plot([centre - half, centre + half], [place, place], color=colour, linewidth=1 + 3 * part, alpha=0.45)
        axes.plot(centre, place, marker, color=colour, markersize=3 + 8 * part**0.5, alpha=0.9, markeredgecolor="white")
    axes.set_yticks(range(len(scales)), [_name(examples, scale, clock) for scale in scales[::-1]], fontsize=7)
    axes.set_ylim(-0.7, len(scales) - 0.3)
    axes.hlines(range(len(scales)), 0, 1, transform=axes.get_yaxis_transform(), color=FAINT, linewidth=0.6, zorder=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel(f"time from the first frame ({clock})", fontsize=8)
    # Coefficients may lie behind the last frame, where a short series was padded.
    end = max(float(np.nanmax(examples.time[number])), float(examples.position[rows].max(initial=0.0)))
    axes.set_xlim(-0.04 * end, 1.04 * end)


def _coarse_first(examples: Examples) -> list[str]:
    """The scales from coarse to fine; the approximation before the coarsest detail, which is as wide."""
    width = dict(zip(examples.scale.tolist(), examples.width.tolist(), strict=True))
    return sorted(width, key=lambda scale: (-width[scale], not scale.startswith("approximation"), scale))


def _name(examples: Examples, scale: str, clock: str) -> str:
    """A band as the times over which it sees changes."""
    width = float(examples.width[examples.scale == scale][0])
    twice = f"{2 * width:.3g} {clock}"
    return f"> {twice}" if scale.startswith("approximation") else f"{width:.3g}–{twice}"


def _amount(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _centred(wavelet: Wavelet) -> tuple[Array, Array]:
    """ψ on an axis whose 0 is the centre of its square, in samples of the finest scale."""
    x, _, psi = wavelet.functions(8)
    return x - float(np.sum(x * psi**2) / np.sum(psi**2)), psi


def _matched(start: Wavelet, wavelet: Wavelet) -> tuple[Array, Array]:
    """ψ of the start with the shift and the sign at which it is most like the other's, on the axis of `_centred`."""
    x, psi = _centred(wavelet)
    own = start.functions(8).psi
    likeness = np.correlate(psi, own, mode="full")
    best = int(np.argmax(np.abs(likeness)))
    # Entry k of the full correlation has the start's first point at point k − (its points − 1) of the other.
    first = x[0] + (best - len(own) + 1) * (x[1] - x[0])
    return first + (x[1] - x[0]) * np.arange(len(own)), np.sign(likeness[best]) * own


def _reach(wavelet: Wavelet, part: float = 0.999) -> float:
    """Half the width, in samples of the finest scale, that holds this part of the square of ψ."""
    x, psi = _centred(wavelet)
    order = np.argsort(np.abs(x))
    held = np.cumsum(psi[order] ** 2) / np.sum(psi**2)
    return float(np.abs(x)[order][np.searchsorted(held, part)])
