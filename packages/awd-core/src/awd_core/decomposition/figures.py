"""Pictures of hierarchies and of attribution curves."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from awd_core.checks.whole_numbers import whole_number
from awd_core.plotting.layout import label, panels
from awd_core.plotting.palette import BEFORE, HIGH

if TYPE_CHECKING:
    from awd_core.decomposition.forest import AttributionCurve
    from awd_core.decomposition.hierarchy import Hierarchy


def draw_hierarchy(hierarchy: "Hierarchy", shape: tuple[int, ...] | None, levels: int) -> Figure:
    """Draw the scores of groups at levels, as `Hierarchy.plot` does."""
    limit = max(abs(group.score) for group in hierarchy.groups) or 1.0
    if shape is None:
        rows = np.stack([hierarchy.scores(level) for level in range(len(hierarchy.levels))])
        figure, (axes,) = panels(1, False, height=3.2, width=6.4)
        image = axes.imshow(rows, origin="lower", aspect="auto", cmap="PuOr_r", vmin=-limit, vmax=limit)
        for level in range(len(hierarchy.levels)):
            edges = np.flatnonzero(np.diff(hierarchy.labels(level))) + 0.5
            axes.vlines(edges, level - 0.5, level + 0.5, color="white", linewidth=1)
        label(axes, "Scores of groups", "unit", "level")
        if len(hierarchy.names) <= 40:
            axes.set_xticks(range(len(hierarchy.names)), hierarchy.names, rotation=90)
        figure.colorbar(image, label="score")
        return figure
    if int(np.prod(shape)) != len(hierarchy.names) or len(shape) != 2:
        raise ValueError(f"shape is {shape}; give rows and columns of the {len(hierarchy.names)} units")
    shown = np.unique(np.linspace(0, len(hierarchy.levels) - 1, whole_number("levels", levels)).round().astype(int))
    figure, all_axes = panels(len(shown), False, height=2.4, width=2.2)
    for axes, level in zip(all_axes, shown, strict=True):
        values = hierarchy.scores(int(level)).reshape(shape)
        image = axes.imshow(values, cmap="PuOr_r", vmin=-limit, vmax=limit)
        label(axes, f"level {level}")
        axes.set(xticks=[], yticks=[])
    figure.colorbar(image, ax=all_axes, label="score")
    return figure


def draw_curve(curve: "AttributionCurve") -> Figure:
    """Draw a curve over one feature, or coloured points over two, as `AttributionCurve.plot` does."""
    figure, (axes,) = panels(1, False, height=3.2, width=4.4)
    if len(curve.names) == 1:
        order = np.argsort(curve.at[:, 0], kind="stable")
        axes.axhline(curve.mean, color=BEFORE, linewidth=1, linestyle="--", label="mean")
        axes.plot(curve.at[order, 0], curve.values[order], color=HIGH, label="attribution")
        axes.legend(frameon=False, fontsize=8)
        label(axes, "Attribution curve", curve.names[0], "target")
        return figure
    known = np.isfinite(curve.values)
    reach = float(np.abs(curve.values[known] - curve.mean).max()) if known.any() else 1.0
    points = axes.scatter(
        curve.at[known, 0],
        curve.at[known, 1],
        c=curve.values[known],
        cmap="PuOr_r",
        vmin=curve.mean - reach,
        vmax=curve.mean + reach,
        s=18,
    )
    label(axes, "Attribution of two features", *curve.names)
    figure.colorbar(points, label="target")
    return figure
