"""Gradients held against differences of the function that they should be of, along random directions."""

from typing import Any

import numpy as np

from awd_core.attribution.asking import of_target
from awd_core.files.arrays import SampleArray
from awd_core.typing import AnyArray, Array

INPUTS = 24
"""Inputs that are looked at, spread over all."""
DIRECTIONS = 8
"""Directions in which each is moved."""
STEPS = (1e-4, 1e-3, 1e-2)
"""Lengths of the steps, in standard deviations of X: what differs is held to the step that agrees best."""
ALLOWED = 0.25
"""Root mean square of slope less difference over that of the differences: kinks make some, another gradient about 1."""
SURE = 0.97
"""Correlation from which on a gradient is called that of another input, or one on another scale."""


def compare_with_differences(x: SampleArray, g: SampleArray, predict: Any, target: Any, seed: int) -> None:
    """Refuse gradients that do not tell how predictions change.

    Raises
    ------
    ValueError
        If they do not; the message says whether rows, sign or scale explain it.
    """
    function = of_target(predict, target, x.shape[0])
    rows = np.unique(np.linspace(0, x.shape[0] - 1, INPUTS).round().astype(int))
    inputs = np.stack([np.asarray(x[row : row + 1])[0] for row in rows.tolist()])
    slopes = np.stack([np.asarray(g[row : row + 1], dtype=np.float64)[0].ravel() for row in rows.tolist()])
    rng = np.random.default_rng(seed)
    along = rng.standard_normal((DIRECTIONS, slopes.shape[1]))
    spread = float(inputs.std()) or 1.0
    told = slopes @ along.T
    best: tuple[float, Array] | None = None
    for part in STEPS:
        found = _differences(function, inputs, rows, along, part * spread)
        scale = float(np.sqrt((found**2).mean()))
        error = float(np.sqrt(((told - found) ** 2).mean())) / scale if scale > 0 else float("inf")
        if best is None or error < best[0]:
            best = error, found
    if best is None or not np.isfinite(best[0]):
        raise ValueError("predict does not change along random directions; is it made of steps, as a tree is?")
    if best[0] <= ALLOWED and not _strange(best[1], told):
        return
    raise ValueError(
        f"gradients are not those of predict: along {DIRECTIONS} directions for {len(rows)} inputs they differ by "
        f"{best[0]:.0%} of the differences, {ALLOWED:.0%} allowed. {_why(best[1], told, rows)}"
    )


def _differences(function: Any, inputs: AnyArray, rows: AnyArray, along: Array, size: float) -> Array:
    """(f(x + su) − f(x − su))/2s for inputs and directions u, shape (inputs, directions)."""
    found = np.empty((len(inputs), len(along)))
    for place, direction in enumerate(along):
        step = (size * direction.reshape(inputs.shape[1:])).astype(inputs.dtype)
        found[:, place] = (function(inputs + step, rows) - function(inputs - step, rows)) / (2 * size)
    return found


def _strange(found: Array, told: Array) -> bool:
    """Whether single rows are of something else, though most are right."""
    sizes = np.linalg.norm(found, axis=1)
    alike = (found * told).sum(axis=1) / np.maximum(sizes * np.linalg.norm(told, axis=1), 1e-300)
    return int(((alike < 0.5) & (sizes > 0.3 * np.median(sizes))).sum()) > 1


def _why(found: Array, told: Array, rows: AnyArray) -> str:
    """What explains that slopes are others."""
    norms = np.linalg.norm(found, axis=1)[:, None] * np.linalg.norm(told, axis=1)[None]
    alike = found @ told.T / np.where(norms > 0, norms, np.inf)
    own = np.diag(alike)
    if np.median(own) > SURE or np.median(own) < -SURE:
        factor = float((found * told).sum() / (found**2).sum())
        return (
            f"They are {factor:.3g} times the gradient: multiply them by {1 / factor:.3g}, or see what they are "
            "averages of."
        )
    better = np.flatnonzero((alike.max(axis=1) > SURE) & (own < SURE))
    if len(better):
        one = int(better[0])
        other = int(alike[one].argmax())
        return f"Row {rows[other]} holds the gradient of input {rows[one]}: rows are in another order than X."
    return (
        "Are rows in the order of X, and are they of this prediction, at these inputs, on the scale of X as "
        "predict takes it?"
    )
