"""The picture of a wavelet: its two functions, its two filters and their frequency responses.

What `awd_core.wavelets.Wavelet.plot` draws. Apart from it, so that a wavelet needs no matplotlib.
"""

import math
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from awd_core.plotting.layout import label
from awd_core.plotting.palette import BEFORE, HIGH, LOW

if TYPE_CHECKING:
    from awd_core.wavelets.wavelet import Wavelet


def draw_wavelet(shown: "Wavelet", start: "Wavelet | None", level: int) -> Figure:
    """Draw φ and ψ above, taps and frequency responses below; see `awd_core.wavelets.plot_wavelet`.

    Parameters
    ----------
    shown : Wavelet
        The wavelet.
    start : Wavelet or None
        A second one, drawn behind it in grey, unshifted.
    level : int
        Refinements of the two functions; see `Wavelet.functions`.

    Examples
    --------
    >>> from awd_core.wavelets import Wavelet
    >>> [axes.get_ylabel() for axes in draw_wavelet(Wavelet.from_name("db2"), None, 6).axes]
    ['φ(t)', 'ψ(t)', 'h(n), g(n)', '|H(ω)|, |G(ω)|']
    """
    figure = Figure(figsize=(8.0, 5.6), layout="constrained")
    scaling, function, filters, response = figure.subplots(2, 2).flat
    if start is not None:
        _draw_functions(scaling, function, start, level, behind=True)
        _draw_filters(filters, start, behind=True)
        _draw_response(response, start, behind=True)
    _draw_functions(scaling, function, shown, level)
    _draw_filters(filters, shown)
    _draw_response(response, shown)
    _label(scaling, "Scaling function", "t (samples)", "φ(t)")
    _label(function, "Wavelet function", "t (samples)", "ψ(t)")
    _label(filters, "Analysis filters", "n (samples)", "h(n), g(n)")
    _label(response, "Frequency response", "ω (rad/sample)", "|H(ω)|, |G(ω)|")
    _name_frequencies(response)
    _head(figure, shown, start)
    return figure


def _draw_functions(scaling: Axes, function: Axes, wavelet: "Wavelet", level: int, *, behind: bool = False) -> None:
    x, phi, psi = wavelet.functions(level)
    for axes, values, colour in ((scaling, phi, LOW), (function, psi, HIGH)):
        axes.plot(x, values, color=BEFORE if behind else colour, linewidth=1.2 if behind else 1.6)


def _draw_filters(axes: Axes, wavelet: "Wavelet", *, behind: bool = False) -> None:
    n = np.arange(wavelet.length)
    # Side by side, so that neither hides the other; closer where there are many.
    size = min(5.0, 110 / wavelet.length)
    for taps, offset, marker, own in (
        (wavelet.dec_lo, -0.15, "o", LOW),
        (wavelet.dec_hi, 0.15, "s", HIGH),
    ):
        colour = BEFORE if behind else own
        axes.vlines(n + offset, 0.0, taps, color=colour, linewidth=min(1.4, 40 / wavelet.length))
        axes.plot(
            n + offset,
            taps,
            linestyle="none",
            marker=marker,
            markersize=size + 2.5 if behind else size,
            markerfacecolor="none" if behind else colour,
            markeredgecolor=colour,
        )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _draw_response(axes: Axes, wavelet: "Wavelet", *, behind: bool = False) -> None:
    omega, lowpass, highpass = wavelet.frequency_response(512)
    for values, style, colour in ((lowpass, "-", LOW), (highpass, "--", HIGH)):
        axes.plot(omega, values, style, color=BEFORE if behind else colour, linewidth=1.2 if behind else 1.6)


def _label(axes: Axes, title: str, x: str, y: str) -> None:
    label(axes, title, x, y)
    axes.axhline(0.0, color="black", linewidth=0.6, zorder=0)


def _name_frequencies(axes: Axes) -> None:
    axes.set_xlim(0.0, math.pi)
    axes.set_xticks([0.0, math.pi / 4, math.pi / 2, 3 * math.pi / 4, math.pi], ["0", "π/4", "π/2", "3π/4", "π"])
    axes.set_ylim(0.0, 1.08 * max(math.sqrt(2), axes.dataLim.y1))
    axes.set_yticks([0.0, 0.5, 1.0, math.sqrt(2)], ["0", "0.5", "1", "√2"])


def _head(figure: Figure, shown: "Wavelet", start: "Wavelet | None") -> None:
    moments = shown.vanishing_moments
    title = f"{shown.name}: {shown.length} taps, {moments} vanishing moment{'' if moments == 1 else 's'}"
    figure.suptitle(title, fontsize=11)
    # One legend below all four: inside the axes it would lie on a curve for one wavelet or another.
    handles = [
        Line2D([], [], color=LOW, linestyle="-", marker="o", markersize=5, label="low-pass: φ, h, |H|"),
        Line2D([], [], color=HIGH, linestyle="--", marker="s", markersize=5, label="high-pass: ψ, g, |G|"),
    ]
    if start is not None:
        handles.append(Line2D([], [], color=BEFORE, label=f"before: {start.name}"))
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False, fontsize=9)
