"""The posteriors of a report: contours of some test maps, a table of all statistics, and what they say."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from awd_core.plotting import DARK, HIGH, LOW, label, panels
from awd_core.report import Column, Table
from awd_core.typing import Array
from awd_cosmo.posterior.results import Posteriors
from awd_cosmo.posterior.samples import PosteriorSamples
from awd_cosmo.report.result_figures import written

LEVELS = (0.68, 0.95)
CELLS = 64
"""Of the grid on which densities are smoothed, a side."""
COLOURS = {"awd": HIGH, "power_spectrum": LOW}
CURVES = {"awd": (HIGH, "-"), "power_spectrum": (LOW, "-"), "joint": (LOW, ":"), "teacher": (DARK, "--")}
Chains = Mapping[tuple[str, int], PosteriorSamples]
"""Samples by the key of the statistic and the row of the map."""


def density_on_grid(values: Array, low: Array, high: Array) -> tuple[Array, Array, Array]:
    """Smooth density of samples (n, 2) on a grid: its middles along both axes, and the density (y, x) there.

    Smoothed by a Gaussian as wide as Scott's rule has it; beyond the ends, mirrored.
    """
    from scipy.ndimage import gaussian_filter

    edges = [np.linspace(a, b, CELLS + 1) for a, b in zip(low, high, strict=True)]
    counts = np.histogram2d(values[:, 0], values[:, 1], bins=edges)[0]
    width = values.std(axis=0) * len(values) ** (-1 / 6) / ((high - low) / CELLS)
    density = gaussian_filter(counts, width, mode="reflect")
    x, y = ((one[1:] + one[:-1]) / 2 for one in edges)
    return x, y, np.asarray(density.T)


def credible_heights(density: Array, levels: Sequence[float] = LEVELS) -> list[float]:
    """Heights of a density above which lie those shares of it, rising.

    Examples
    --------
    >>> credible_heights(np.array([[4.0, 3.0], [2.0, 1.0]]), [0.5, 0.8])
    [2.0, 3.0]
    """
    ordered = np.sort(density.ravel())[::-1]
    share = np.cumsum(ordered) / ordered.sum()
    return [float(ordered[np.searchsorted(share, level)]) for level in sorted(levels, reverse=True)]


def contours_figure(found: Posteriors, chains: Chains, names: Mapping[str, str], *, narrow: bool = False) -> Figure:
    """Draw the 68 % and 95 % contours of the first two parameters for test maps, with their truth."""
    x, y = found.shown[:2]
    figure, drawn = panels(len(found.maps), narrow, height=3.4, width=2.9, shared=True)
    keys = [key for key in COLOURS if any((key, one.row) in chains for one in found.maps)]
    margin = 0.02 * (found.high - found.low)
    low, high = (found.low - margin)[:2], (found.high + margin)[:2]
    for axes, one in zip(drawn, found.maps, strict=True):
        for key in keys:
            values = chains[key, one.row].of(x, y)
            places_x, places_y, density = density_on_grid(values, low, high)
            heights = credible_heights(density)
            axes.contourf(
                places_x, places_y, density, [*heights, np.inf], colors=[COLOURS[key]] * 2, alpha=0.12, zorder=1
            )
            axes.contour(places_x, places_y, density, sorted(set(heights)), colors=COLOURS[key], linewidths=1.3)
        axes.plot(one.truth[x], one.truth[y], "*", color=DARK, markersize=9, zorder=4)
        label(axes, f"test map {one.row}", written(x), written(y))
        axes.set_xlim(low[0], high[0])
        axes.set_ylim(low[1], high[1])
        if not narrow:
            axes.label_outer()
    told = [Line2D([], [], color=COLOURS[key], label=names.get(key, key)) for key in keys]
    told.append(Line2D([], [], color=DARK, marker="*", linestyle="none", label="truth"))
    figure.legend(handles=told, loc="outside lower center", ncols=1 if narrow else 3, frameon=False, fontsize=8)
    return figure


def coverage_figure(found: Posteriors, *, narrow: bool = False) -> Figure:
    """Draw the coverage of random regions against their credibility, for AWD and its rivals."""
    figure, (axes,) = panels(1, narrow, height=3.6, width=4.6)
    axes.plot([0, 1], [0, 1], color="black", linewidth=0.9)
    for row in found.rows:
        if row.key in CURVES:
            colour, style = CURVES[row.key]
            axes.plot(row.tarp.level, row.tarp.coverage, color=colour, linestyle=style, label=row.name)
    label(axes, "Coverage (TARP)", "credibility of regions", "share that holds the truth")
    axes.set_aspect("equal")
    axes.legend(frameon=False, fontsize=8)
    return figure


def posteriors_table(found: Posteriors, symbols: Mapping[str, str]) -> Table:
    """Errors, figure of merit and coverage of all statistics, the largest figure of merit first."""
    rows = sorted(found.rows, key=lambda row: -row.figure_of_merit)
    marked = next((place for place, row in enumerate(rows) if row.key == "awd"), None)
    scored = any(math.isfinite(row.fair) for row in rows)
    of_each = [
        (
            Column(f"error of {symbols.get(name, name)}", "root mean square error of posterior means", ".4f"),
            lambda row, name=name: row.rmse[name],
        )
        for name in found.shown
    ]
    return Table.of("posteriors-table", rows, [
        (Column("statistic"), "name"),
        (Column("numbers", "of a map"), "features"),
        *of_each,
        (Column("figure of merit", "1/√det of the posterior covariance, median", ".0f"), "figure_of_merit"),
        *([(Column("FAIR score", fair_words(found), ".2f"), "fair")] if scored else []),
        (Column("68 %", "coverage by TARP", ".3f"), lambda row: row.tarp.at["0.68"].value),
        (Column("95 %", "coverage by TARP", ".3f"), lambda row: row.tarp.at["0.95"].value),
        (Column("deviation", "largest |coverage − level|", ".3f"), lambda row: row.tarp.deviation),
        (Column("widened by", "what validation maps say of the errors", ".2f"), "widening"),
    ], marked=marked)  # fmt: skip


def fair_words(found: Posteriors) -> str:
    """What the FAIR score is of: the challenge's own has two parameters."""
    formula = "−Σ[δ²/σ² + ln σ² + 1000 δ²], mean over test maps; higher is better"
    return formula if set(found.shown) == {"Omega_m", "S8"} else f"{formula}; not of the challenge's parameters"


def posteriors_sentence(found: Posteriors, symbols: Mapping[str, str]) -> str:
    """What is sampled, by what, and whether AWD's posteriors hold the truth."""
    told = " and ".join(symbols.get(name, name) for name in found.shown)
    sampled = ", ".join(symbols.get(name, name) for name in found.names)
    what = "an emulator of mean numbers" if found.likelihood == "emulator" else "a small neural likelihood"
    said = (
        f"The posterior of {told}, map by map, for {found.test} test maps of cosmologies that were held out. What is "
        f"sampled is {sampled}, with a prior that is flat in their box; the likelihood is {what}"
    )
    mine = next((row for row in found.rows if row.key == "awd"), None)
    if mine is None:
        return f"{said}."
    at = mine.tarp.at["0.68"]
    ends = f"{100 * max(at.low, 0):.0f} to {100 * min(at.high, 1):.0f} %"
    verdict = (
        "nothing speaks against them"
        if at.low <= 0.68 <= at.high
        else f"they are too {'narrow' if at.high < 0.68 else 'wide'}"
    )
    return f"{said}. AWD's 68 % regions hold {100 * at.value:.0f} % of the truths (95 %: {ends}): {verdict}."
