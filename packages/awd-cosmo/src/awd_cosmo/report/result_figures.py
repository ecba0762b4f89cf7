"""The figures of a cosmological report that hold results.

Those about the run itself are in `awd_cosmo.report.run_figures`, those that show maps in
`awd_cosmo.report.map_figures`.

Each function draws for a page as wide as a book's; `narrow=True` draws the same for a telephone.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from awd_core.plotting import BEFORE, DARK, label, panels, style_of
from awd_core.report import Method, Score, comparison_figure
from awd_core.typing import Array
from awd_cosmo.inference.results import ModelRow, Protocol
from awd_cosmo.report.artefacts import Predictions

SERIES = {"held_out": "new cosmologies", "published": "known cosmologies"}
MATH = {"Omega_m": r"$\Omega_\mathrm{m}$", "M_nu": r"$M_\nu$ (eV)", "A_s": r"$10^9 A_\mathrm{s}$",
        "sigma8": r"$\sigma_8$", "S8": "$S_8$", "n_s": r"$n_\mathrm{s}$"}  # fmt: skip


def written(target: str) -> str:
    """A parameter as figures write it."""
    return MATH.get(target, target)


def rmse_figure(
    protocols: Sequence[Protocol], names: Mapping[tuple[str, str, str], str], target: str, *, narrow: bool = False
) -> Figure:
    """Draw the RMSE of all models with error bars, the best on top; the first protocol gives the order."""
    scores: dict[tuple[str, str, str], list[Score | None]] = {}
    rows = {}
    for number, protocol in enumerate(protocols):
        for row in sorted(protocol.rows, key=lambda row: row.rmse):
            rows[row.identity] = row
            scores.setdefault(row.identity, [None] * len(protocols))[number] = _score(row)
    mine = protocols[0].of("awd")
    own = None if mine is None else mine.identity
    methods = [
        Method(names[identity], rows[identity].kind, found, own=identity == own) for identity, found in scores.items()
    ]
    quantity = f"RMSE of {written(target)}, bars of one standard error"
    return comparison_figure(methods, quantity, series=[SERIES.get(p.name, p.name) for p in protocols], narrow=narrow)


def _score(row: ModelRow) -> Score:
    """A row's RMSE with a bar of one standard deviation."""
    return Score(row.rmse, row.rmse - row.error, row.rmse + row.error)


def predictions_figure(
    predictions: Predictions, shown: Sequence[ModelRow], names: Mapping[str, str], target: str, *, narrow: bool = False
) -> Figure:
    """Draw estimates against truths: maps as faint dots, cosmologies as points with the scatter of their maps."""
    count = len(shown)
    figure, drawn = panels(
        count, narrow, height=3.5 if narrow else 3.25, width=max(8.0 / min(count, 3), 3.4 / count), shared=True
    )
    everything = np.concatenate([predictions.truth, *(predictions.estimates[row.key] for row in shown)])
    everything = everything[np.isfinite(everything)]
    margin = 0.04 * (np.ptp(everything) or 1.0)
    limits = (everything.min() - margin, everything.max() + margin)
    for axes, row in zip(drawn, shown, strict=True):
        estimate, colour = predictions.estimates[row.key], style_of(row.kind).colour
        axes.plot(limits, limits, color="black", linewidth=0.9, zorder=1)
        axes.plot(predictions.truth, estimate, ".", color=BEFORE, markersize=2.5, alpha=0.45, zorder=0)
        truth, mean, scatter = _by_cosmology(predictions, estimate)
        size = 4 if len(truth) < 80 else 2.5
        axes.errorbar(truth, mean, yerr=scatter, fmt="o", color=colour, markersize=size, elinewidth=0.9, zorder=2)
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
        if not narrow:
            axes.label_outer()
    return figure


def _draw_bar(axes: Axes, width: float, limits: tuple[float, float]) -> None:
    """Draw how long the mean error bar is that the model itself gives."""
    span = limits[1] - limits[0]
    x, y = limits[0] + 0.9 * span, limits[0] + max(0.07 * span, 0.04 * span + width)
    axes.errorbar(x, y, yerr=width, color=DARK, capsize=3, elinewidth=1.2)
    axes.annotate(
        "mean error bar ", (x, y), ha="right", va="center", fontsize=7.5, xytext=(-4, 0), textcoords="offset points"
    )


def _by_cosmology(predictions: Predictions, estimate: Array) -> tuple[list[float], list[float], list[float]]:
    """Truth, mean and standard deviation of the estimates of each cosmology."""
    groups = [predictions.cosmology == number for number in np.unique(predictions.cosmology)]
    return (
        [float(predictions.truth[group].mean()) for group in groups],
        [float(estimate[group].mean()) for group in groups],
        [float(estimate[group].std(ddof=1)) if group.sum() > 1 else 0.0 for group in groups],
    )
