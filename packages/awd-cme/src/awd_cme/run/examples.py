"""Test tracks to look at: both channels, and the coefficients that decided about each."""

from typing import Any

import numpy as np
import pandas as pd

from awd_cme.model.coefficients import scales
from awd_cme.run.compare import Fitted
from awd_cme.run.series import Problem
from awd_core.typing import Array

Deciding = tuple[str, float, float, float, float, float]
"""Scale, width, position, value, weight and term of a coefficient."""
RANKS = (0.05, 0.25, 0.45, 0.65, 0.85, 0.97)
"""Which test tracks are shown, by the rank of their prediction: weak ones to strong ones, good or bad alike."""
DECIDING = 4
NEGLIGIBLE = 0.01
"""Part of the largest term of a track below which a coefficient's own share in the prediction is none."""


def examples_of(problem: Problem, row: Fitted, table: pd.DataFrame) -> dict[str, Any]:
    """Arrays of examples.npz, for some test tracks of a canonical table.

    `cell`, `track`, `truth`, `prediction`, shape (k,); `time` (seconds from the first frame; frames where the
    interval is unknown), `x`, `y`, shape (k, T), NaN behind a track's end; `left_out`, shape (k,), how many moved the
    prediction as much as those that are named, and are not there; and for each of the c coefficients that are named
    `example` (its track), `scale`, `width`, `position` (seconds from the first frame), `value`, `weight`, and `term`:
    weight times how far the value lies from its mean over the training tracks, which is what the coefficient moved the
    prediction, in units of the standardised target (log odds for classes).
    """
    held, prediction = problem.held_out, row.prediction
    order = np.argsort(prediction, kind="stable")
    at = np.unique([int(rank * (len(order) - 1)) for rank in RANKS])
    chosen = order[at]
    series = [_raw(table, problem, int(k)) for k in chosen]
    longest = max(len(times) for times, _, _ in series)
    grid = np.full((3, len(chosen), longest), np.nan)
    for k, parts in enumerate(series):
        for place, values in enumerate(parts):
            grid[place, k, : len(values)] = values
    found: dict[str, Any] = {
        "cell": held.cell[chosen].astype(str), "track": held.track[chosen],
        "truth": problem.truth()[chosen].astype(np.float64), "prediction": prediction[chosen],
        "time": grid[0], "x": grid[1], "y": grid[2],
    }  # fmt: skip
    decided = [_deciding(problem, row, int(one)) for one in chosen]
    rows = [(k, *item) for k, (named, _) in enumerate(decided) for item in named]
    found["left_out"] = np.array([absent for _, absent in decided], dtype=np.int64)
    names = ("example", "scale", "width", "position", "value", "weight", "term")
    return found | {name: np.array([item[place] for item in rows]) for place, name in enumerate(names)}


def _raw(table: pd.DataFrame, problem: Problem, k: int) -> tuple[Array, Array, Array]:
    """Times and both channels of a test track, over the frames that its series was made from."""
    held = problem.held_out
    own = (table["cell"] == held.cell[k]) & (table["track"] == held.track[k])
    rows = table[own & table["part"].isin(list(held.settings.parts))]
    frames = rows["frame"].to_numpy(dtype=np.float64)
    interval = table.attrs.get("seconds_per_frame")
    times = (frames - frames[0]) * (1.0 if interval is None else float(interval))
    x, y = (rows[f"{name}_amplitude"].to_numpy(dtype=np.float64) for name in held.channels)
    return times, x, y


def _deciding(problem: Problem, row: Fitted, k: int) -> tuple[list[Deciding], int]:
    """The selected coefficients whose term is furthest from its mean over training tracks, and how many are left out.

    A feature also moves a prediction by what is not there: where all details of a scale are positive, or the track has
    ended, its lowest coefficient is one of many zeros, and where that one lies explains nothing. So a coefficient is
    named if its scale, centred where it is, reaches the track, and if it has a share in the prediction itself.
    """
    made, model = row.transformer, row.predictor
    if made is None or model is None:
        raise ValueError(f"the row {row.key!r} has no coefficients")
    selection, x = made.selection, problem.held_out.X[k]
    step, usual = float(problem.held_out.seconds_per_sample[k]), made.seconds_per_sample
    stretch = step / usual if np.isfinite(step) and usual else 1.0
    end = (int(problem.held_out.mask[k].sum()) - 1) * (usual or 1.0)
    means = model.feature_mean_
    found: list[tuple[Deciding, float]] = []
    start = 0
    for (scale, width), matrix, times in zip(scales(made.levels, usual), made.matrices_, made.times_, strict=True):
        coefficients, count = matrix @ x, min(selection.most, len(matrix))
        for place, kind in enumerate(selection.kinds()):
            key = {"positive": -coefficients, "negative": coefficients}.get(kind, -np.abs(coefficients))
            for rank, index in enumerate(np.argsort(key, kind="stable")[:count]):
                column = start + place * count + rank
                value = abs(coefficients[index]) if kind == "absolute" else coefficients[index]
                weight, time = float(model.coef_[column]), float(times[index])
                term = weight * float(value - means[column])
                reaches = time + width / 2 >= 0 and time - width / 2 <= end
                told = (scale, width * stretch, time * stretch, float(value), weight, term)
                found.append((told, weight * float(value) if reaches else 0.0))
        start += len(selection.names(scale, len(matrix)))
    return _present(found)


def _present(found: list[tuple[Deciding, float]]) -> tuple[list[Deciding], int]:
    """The coefficients with a share of their own whose terms are largest, and how many others have terms as large."""
    least = NEGLIGIBLE * max(abs(told[-1]) for told, _ in found)
    ordered = sorted((told for told, own in found if abs(own) > least), key=lambda told: -abs(told[-1]))[:DECIDING]
    floor = abs(ordered[-1][-1]) if len(ordered) == DECIDING else least
    return ordered, sum(abs(own) <= least and abs(told[-1]) > floor for told, own in found)
