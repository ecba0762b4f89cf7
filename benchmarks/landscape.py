"""A picture of the objective over two lattice angles, with the minima in which searches ended."""

import math

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from awd_core.distill import DistillationPath, local_minima
from awd_core.distill.objective import DistillationObjective
from awd_core.evidence import KnownTruth
from awd_core.plotting import HIGH, LOW
from awd_core.wavelets import Wavelet

Array = npt.NDArray[np.float64]

QUARTERS = (-0.5, -0.25, 0.0, 0.25, 0.5)
"""Where the axes of the landscape have ticks, in units of π."""


def landscape(objective: DistillationObjective, grid: Array) -> Array:
    """The interpretation term A over the two free angles of a filter of 6 taps.

    Parameters
    ----------
    objective : DistillationObjective
        Of length 6.
    grid : ndarray, shape (k,)
        Values of each angle in radians. The taps have the period π in either.

    Returns
    -------
    ndarray, shape (k, k)
        A at (grid[j], grid[i]) in row i and column j: the second free angle upwards, the first to the right.
    """
    if objective.dimension != 2:
        raise ValueError(f"filters of {objective.length} taps have {objective.dimension} free angles; a plane shows 2")
    return np.array([[objective(np.array([first, second]), 0.0, 1.0)[0] for first in grid] for second in grid])


def draw_landscape(truth: KnownTruth, gradients: Array, path: DistillationPath, points: int) -> Figure:
    """The landscape with the hidden truth and all local minima that the search found at share 1."""
    size = 2048 if truth.slope.ndim == 1 else 512
    objective = DistillationObjective(
        truth.X[:size],
        gradients[:size],
        length=path.start.length,
        levels=truth.levels,
        mode=truth.mode,
        ndim=truth.slope.ndim,
    )
    grid = np.linspace(-0.5, 0.5, points)
    values = landscape(objective, math.pi * grid)
    values /= values.min()
    figure = Figure(figsize=(6.4, 5.2), layout="constrained")
    axes = figure.subplots()
    filled = axes.contourf(grid, grid, values, levels=24, cmap="Greys_r")
    axes.contour(grid, grid, values, levels=filled.levels, colors="black", linewidths=0.25)
    ticks = np.arange(1.0, values.max(), 0.1)
    figure.colorbar(filled, label="A, relative to its least value on the grid", ticks=ticks)
    minima = local_minima(path[1])
    best, *others = [_on_the_torus(minimum.wavelet) for minimum in minima]
    hidden = _on_the_torus(truth.wavelet)
    axes.plot(*hidden, "*", color=HIGH, markersize=18, label=f"hidden: {truth.wavelet.name}")
    axes.plot(*best, "o", color="white", markeredgecolor=LOW, markersize=7, label="found")
    if others:
        x, y = zip(*others, strict=True)
        axes.plot(x, y, "s", color="white", markeredgecolor=LOW, markersize=4, label="other local minima")
    axes.plot(*_on_the_torus(path.start), "x", color=LOW, markersize=8, label=f"start: {path.start.name}")
    axes.set(xlabel="θ₂ / π", ylabel="θ₃ / π", xticks=QUARTERS, yticks=QUARTERS)
    axes.set_aspect("equal")
    figure.legend(loc="outside upper center", ncols=4, frameon=False, fontsize=9)
    return figure


def _on_the_torus(wavelet: Wavelet) -> tuple[float, float]:
    """Free angles in units of π, from −½ to ½."""
    first, second = wavelet.angles[1:] / math.pi
    return float(first), float(second)
