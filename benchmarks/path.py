"""A whole path of eleven ratios: ours measured, beside the published training at a step measured in the same run.

The published form fits every ratio with 50 epochs of mini-batches through the teacher (Adam, each fit starting from the
last). A run of that would take days on maps, so one step is measured and multiplied: a product, and called so. Ours is
measured from beginning to end, all searches included; the gradient pass is apart, as it is done once and kept.
"""

import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from awd_core.attribution import input_gradients
from awd_core.distill import distill_path
from awd_core.distill.distill import SHARES
from benchmarks.contenders import OURS, SEED
from benchmarks.distillation import AWAVE, CASES, LEVELS, ONCE, START, THROUGH, frozen, random_inputs, step_contenders
from benchmarks.report import Goal, Measure, Row, Section
from benchmarks.timing import Settings, quiet, take_turns

EPOCHS = 50
"""Passes over the inputs for each ratio, as published."""

MANY = (2000, 256, 256)
GOAL = 300.0
"""Seconds that the path over MANY should not exceed."""


def run(settings: Settings, log: Callable[[str], None]) -> Section:
    """Measure the table of paths: a row for each teacher and set of inputs."""
    ratios = len(SHARES)
    title = f"A whole path of {ratios} ratios ({START}, {LEVELS} levels, zero, float32)"
    section = Section(
        "path", title, ("teacher, inputs", "task", "mode"), (OURS, THROUGH, AWAVE, ONCE), (THROUGH, AWAVE)
    )
    step: dict[str, float] = {}
    for name, (build, shape, ndim) in list(CASES.items())[: 1 if settings.quick else None]:
        log(name)
        calls, _ = step_contenders(build, shape, ndim, settings)
        figures = {key: rounds.median for key, rounds in take_turns(calls, settings.seconds, settings.rounds).items()}
        X = random_inputs(shape)
        gradients = input_gradients(frozen(build), X, target=0, batch_size=shape[0])
        ours, _ = _path(X, gradients, ndim)
        # One batch holds all of them: a pass is a step.
        passes = {key: ratios * EPOCHS * figures[key] for key in (THROUGH, AWAVE) if key in figures}
        step = {key: figures[key] / shape[0] for key in figures}
        found = {OURS: _measure(ours), ONCE: _measure(figures[ONCE], ours)}
        found |= {key: _measure(seconds, ours) for key, seconds in passes.items()}
        section.rows.append(Row((name, "path", "zero"), found))
    if not settings.quick:
        count = MANY[0]
        log(f"{count} × {MANY[1]}²")
        maps, slopes = _fields(MANY, SEED)
        ours, evaluations = _path(maps, slopes, 2)
        found = {OURS: _measure(ours), ONCE: _measure(count * step[ONCE], ours)}
        found |= {key: _measure(ratios * EPOCHS * count * step[key], ours) for key in (THROUGH, AWAVE) if key in step}
        goal = Goal("≤", GOAL, "", ours, " s")
        section.rows.append(Row((f"ResNet-18, {count:,} × {MANY[1]}²", "path", "zero"), found, goal=goal))
        section.notes.append(
            f"{count:,} maps of {MANY[1]}²: {evaluations} evaluations of the objective on batches of growing size, the "
            "largest of 2²³ values, so 128 of the maps."
        )
    section.notes += [
        f"Ours: both ends from all starts, the path from either end, every point refined; measured once. The other "
        f"two: {ratios} ratios × {EPOCHS} epochs × batches × the step measured in this run, a product and not a run.",
        "The teacher's gradient is what ours needs before; for the last row it is the step's, times the maps.",
    ]
    return section


def _path(X: npt.NDArray[np.float32], gradients: npt.NDArray[np.float32], ndim: int) -> tuple[float, int]:
    """Seconds of a path, and evaluations."""
    start = time.perf_counter()
    with quiet():
        path = distill_path(X, gradients, wavelet=START, levels=LEVELS, ndim=ndim)
    seconds = time.perf_counter() - start
    return seconds, sum(descent.evaluations for point in path for descent in point.descents)


def _measure(seconds: float, ours: float | None = None) -> Measure:
    return Measure(seconds, seconds, 0.0, (seconds,), None if ours is None else seconds / ours)


def _fields(shape: tuple[int, int, int], seed: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Log-normal fields with much power on large scales, and rougher ones that stand for gradients."""
    rng = np.random.default_rng(seed)
    count, size, _ = shape
    wave = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None])
    wave[0, 0] = 1.0
    maps, slopes = np.empty((2, *shape), dtype=np.float32)

    def field(power: float) -> npt.NDArray[np.float64]:
        noise = np.fft.rfft2(rng.standard_normal((size, size)))
        return np.fft.irfft2(noise * wave**power, s=(size, size))

    for number in range(count):
        maps[number] = np.exp(field(-0.9) / 6) - 1
        slopes[number] = field(-0.3) * (1 + maps[number])
    return maps, slopes
