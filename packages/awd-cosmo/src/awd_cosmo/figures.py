"""The figures of a cosmological report that hold results.

Those about the run itself are in `awd_cosmo.run_figures`, those that show maps in `awd_cosmo.map_figures`.

Each function draws for a page as wide as a book's; `narrow=True` draws the same for a telephone.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from awd_core.figures import NARROW
from awd_core.wavelet_figure import BEFORE, HIGH, LOW, label
from awd_cosmo.report_data import Predictions, Protocol, Row

GREEN = "#009E73"
COLOURS = {"awd": HIGH, "ablation": "#E69F00", "wavelet": "#CC79A7", "classical": GREEN, "network": LOW}
"""Okabe and Ito's colours by kind of model; whatever else is grey."""
KINDS = {"awd": "AWD", "ablation": "AWD, changed", "wavelet": "wavelet as it is", "classical": "classical",
         "network": "network", "trivial": "no model"}  # fmt: skip
MATH = {"Omega_m": r"$\Omega_\mathrm{m}$", "M_nu": r"$M_\nu$ (eV)", "A_s": r"$10^9 A_\mathrm{s}$",
        "sigma8": r"$\sigma_8$", "n_s": r"$n_\mathrm{s}$"}  # fmt: skip
MARKS = {"held_out": ("o", "full"), "published": ("s", "none")}


def written(target: str) -> str:
    """A parameter as figures write it."""
    return MATH.get(target, target)


def rmse_figure(
    protocols: Sequence[Protocol], names: Mapping[tuple[str, str, str], str], target: str, *, narrow: bool = False
) -> Figure:
    """Draw the RMSE of all models with error bars, the best on top.

    Parameters
    ----------
    protocols : sequence of Protocol
        The first one gives the order.
    names : mapping
        What to call each row, by `Row.identity`.
    target : str
        Name of the parameter.
    narrow : bool
        For a narrow page.
    """
    found: dict[tuple[str, str, str], list[tuple[Protocol, Row]]] = {}
    for protocol in protocols:
        for row in sorted(protocol.rows, key=lambda row: row.rmse):
            found.setdefault(row.identity, []).append((protocol, row))
    height = (0.5 if narrow else 0.36) * len(found) + 1.5
    figure = Figure(figsize=(NARROW if narrow else 8.0, height), layout="constrained")
    axes = figure.subplots()
    mine = protocols[0].of("awd")
    best = None if mine is None else mine.identity
    for place, rows in enumerate(found.values()):
        for protocol, row in rows:
            shift = 0.0 if len(protocols) == 1 else 0.16 * (-1 if protocol is protocols[0] else 1)
            mark, fill = MARKS.get(protocol.name, ("D", "full"))
            colour = COLOURS.get(row.kind, "#555555")
            low, high = row.low or row.rmse, row.high or row.rmse
            axes.errorbar(
                row.rmse, place + shift, xerr=[[max(row.rmse - low, 0.0)], [max(high - row.rmse, 0.0)]], marker=mark,
                color=colour, markersize=7 if row.identity == best else 5.5, capsize=2.5, elinewidth=1.4,
                markerfacecolor=colour if fill == "full" else "white",
            )  # fmt: skip
    if mine is not None:
        axes.axvline(mine.rmse, color=HIGH, linewidth=1.0, linestyle=":", zorder=0)
    axes.set_yticks(range(len(found)), [names[identity] for identity in found])
    for tick, identity in zip(axes.get_yticklabels(), found, strict=True):
        tick.set_fontweight("bold" if mine is not None and identity == mine.identity else "normal")
    axes.set_ylim(len(found) - 0.4, -0.6)
    axes.grid(axis="x", color="#E5E5E5", linewidth=0.7)
    axes.set_axisbelow(True)
    label(axes, "Error on test maps", f"RMSE of {written(target)}, bars of one standard deviation")
    axes.tick_params(axis="y", labelsize=7.5 if narrow else 8.5, length=0)
    figure.legend(handles=_legend(protocols), loc="outside lower center", ncols=2 if narrow else 4, frameon=False,
                  fontsize=8)  # fmt: skip
    return figure


def _legend(protocols: Sequence[Protocol]) -> list[Line2D]:
    kinds = list(dict.fromkeys(row.kind for protocol in protocols for row in protocol.rows))
    handles = [
        Line2D([], [], color=COLOURS.get(kind, "#555555"), linewidth=5, label=KINDS.get(kind, kind)) for kind in kinds
    ]
    words = {"held_out": "new cosmologies", "published": "known cosmologies"}
    for protocol in protocols if len(protocols) > 1 else ():
        mark, fill = MARKS.get(protocol.name, ("D", "full"))
        handles.append(
            Line2D(
                [],
                [],
                color="#333333",
                marker=mark,
                linestyle="none",
                label=words.get(protocol.name, protocol.name),
                markerfacecolor="#333333" if fill == "full" else "white",
            )
        )
    return handles


def predictions_figure(
    predictions: Predictions, shown: Sequence[Row], names: Mapping[str, str], target: str, *, narrow: bool = False
) -> Figure:
    """Draw estimates against truths: maps as faint dots, cosmologies as points with the scatter of their maps.

    Parameters
    ----------
    predictions : Predictions
        Of one protocol.
    shown : sequence of Row
        Which models; their keys must be among the predictions.
    names : mapping
        What to call them, by key.
    target : str
        Name of the parameter.
    narrow : bool
        Panels below each other.
    """
    count = len(shown)
    size = (NARROW, 3.5 * count) if narrow else (max(8.0 * min(count, 3) / 3, 3.4), 3.25)
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(*((count, 1) if narrow else (1, count)), squeeze=False, sharex=True, sharey=True).flat
    everything = np.concatenate([predictions.truth, *(predictions.estimates[row.key] for row in shown)])
    everything = everything[np.isfinite(everything)]
    margin = 0.04 * (np.ptp(everything) or 1.0)
    limits = (everything.min() - margin, everything.max() + margin)
    for axes, row in zip(panels, shown, strict=True):
        estimate, colour = predictions.estimates[row.key], COLOURS.get(row.kind, "#555555")
        axes.plot(limits, limits, color="black", linewidth=0.9, zorder=1)
        axes.plot(predictions.truth, estimate, ".", color=BEFORE, markersize=2.5, alpha=0.45, zorder=0)
        truth, mean, scatter = _by_cosmology(predictions, estimate)
        axes.errorbar(truth, mean, yerr=scatter, fmt="o", color=colour, markersize=4, elinewidth=1.0, zorder=2)
        label(axes, names[row.key], f"true {written(target)}", f"estimated {written(target)}")
        axes.set_xlim(limits)
        axes.set_ylim(limits)
        axes.set_aspect("equal")
        axes.annotate(
            f"RMSE {row.rmse:.4f}", (0.04, 0.96), xycoords="axes fraction", va="top", fontsize=8, color=colour,
            fontweight="bold",
        )  # fmt: skip
        if (bars := predictions.errors.get(row.key)) is not None and np.isfinite(bars).any():
            _draw_bar(axes, float(np.nanmean(bars)), limits)
        axes.label_outer()
    return figure


def _draw_bar(axes: Axes, width: float, limits: tuple[float, float]) -> None:
    """Draw how long the mean error bar is that the model itself gives."""
    span = limits[1] - limits[0]
    x, y = limits[0] + 0.9 * span, limits[0] + max(0.07 * span, 0.04 * span + width)
    axes.errorbar(x, y, yerr=width, color="#333333", capsize=3, elinewidth=1.2)
    axes.annotate(
        "mean error bar ", (x, y), ha="right", va="center", fontsize=7.5, xytext=(-4, 0), textcoords="offset points"
    )


def _by_cosmology(
    predictions: Predictions, estimate: npt.NDArray[np.float64]
) -> tuple[list[float], list[float], list[float]]:
    """Truth, mean and standard deviation of the estimates of each cosmology."""
    groups = [predictions.cosmology == number for number in np.unique(predictions.cosmology)]
    return (
        [float(predictions.truth[group].mean()) for group in groups],
        [float(estimate[group].mean()) for group in groups],
        [float(estimate[group].std(ddof=1)) if group.sum() > 1 else 0.0 for group in groups],
    )
