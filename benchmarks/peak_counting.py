"""Peaks of maps, and their counts by height: ours, the published code, and scikit-image for the peaks alone.

A call takes a stack of maps through everything: peaks, values of four 3 × 3 kernels there, histograms with 22 bins. The
kernels are those of db5. Maps are white noise, the case with the most peaks (one pixel in nine), and the same smoothed
to a width of two pixels, as mass maps are.
"""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from awd_cosmo.statistics import PeakCounts, find_peaks, wavelet_kernels
from benchmarks.contenders import OURS, SEED
from benchmarks.report import Goal, Row, Section, measures
from benchmarks.timing import Settings, take_turns

AWAVE, SKIMAGE = "awave", "scikit-image"
BOUND, BINS = 0.03, 22
GOAL = 12.0
"""How many times as fast as the published code the counts should be."""

SIZES = ((500, 256), (2000, 64))
WIDTH = 2.0
"""Pixels (σ) over which the smooth maps are smoothed."""


def run(settings: Settings, log: Callable[[str], None]) -> Section:
    """Measure counts, and peaks alone: two rows for each size and kind of maps."""
    title = f"Peak counts (four 3 × 3 kernels of db5, {BINS} bins, float32)"
    section = Section("peak_counting", title, ("maps", "kind", "task"), (OURS, AWAVE, SKIMAGE), (AWAVE, SKIMAGE))
    differing, compared = 0.0, 0.0
    for count, size in SIZES[: 1 if settings.quick else None]:
        number = count // 25 if settings.quick else count
        for kind in ("noise", "smooth"):
            name = f"{number} × {size}²"
            log(f"{name}, {kind}")
            maps = random_maps(number, size, kind)
            calls: dict[str, Callable[[], object]] = {OURS: our_counts(maps)}
            if settings.awave is not None:
                calls[AWAVE] = theirs = published_counts(settings.awave, maps)
                counted = np.asarray(theirs())
                differing += float(np.abs(np.asarray(calls[OURS]()) - counted).sum())
                compared += float(counted.sum())
            found = measures(take_turns(calls, settings.seconds, settings.rounds), OURS, frozenset())
            peer = found.get(AWAVE)
            goal = Goal("≥", GOAL, AWAVE, peer.ratio if peer else None)
            section.rows.append(Row((name, kind, "counts"), found, goal=goal))
            alone, same = _alone(maps)
            section.sound &= same
            section.rows.append(
                Row(
                    (name, kind, "peaks alone"),
                    measures(take_turns(alone, settings.seconds, settings.rounds), OURS, frozenset()),
                )
            )
    section.notes = [
        f"Ours and {AWAVE} use the same cores (ours over maps, torch inside its operations); scikit-image uses one.",
        "Peaks alone: `find_peaks` against `peak_local_max(min_distance=1, exclude_border=1)`, map by map; "
        f"the same peaks in all maps: {'yes' if section.sound else 'NO'}.",
    ]
    if compared:
        section.notes.append(f"Of {compared:.0f} values that {AWAVE} counts, {differing:.0f} are counted elsewhere.")
        # Sums in another order: a value within rounding of an edge falls to its other side.
        section.sound &= differing <= 2 + 1e-4 * compared
    return section


def random_maps(count: int, size: int, kind: str) -> npt.NDArray[np.float32]:
    """Maps of κ with a standard deviation of 0.02: "noise", white, or "smooth"."""
    rng = np.random.default_rng([SEED, size])
    maps = rng.standard_normal((count, size, size), dtype=np.float32)
    if kind == "smooth":
        frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size))
        window = np.exp(-0.5 * (2 * np.pi * WIDTH * frequency) ** 2)
        for k in range(count):
            maps[k] = np.fft.irfft2(np.fft.rfft2(maps[k]) * window, s=(size, size))
    return maps * np.float32(0.02 / maps.std())


def our_counts(maps: npt.NDArray[np.float32]) -> Callable[[], npt.NDArray[np.float64]]:
    """Counts of maps, fitted."""
    counts = PeakCounts("db5", bins=BINS, range=(0, BOUND)).fit(maps)
    return lambda: counts.transform(maps)


def published_counts(folder: str, maps: npt.NDArray[np.float32]) -> Callable[[], npt.NDArray[Any]]:
    """The published notebooks' `PeakCount`, in batches as its loaders give them."""
    place = str((Path(folder) / "notebooks" / "cosmology").resolve())
    sys.path.insert(0, place)
    try:
        module: Any = importlib.import_module("peak_counting")
    finally:
        sys.path.remove(place)
    kernels = [torch.from_numpy(kernel).float() for kernel in wavelet_kernels("db5")]
    counter = module.PeakCount("custom", bins=np.linspace(0, BOUND, BINS + 1), kernels=kernels)
    batches = [torch.from_numpy(maps[start : start + 100])[:, None] for start in range(0, len(maps), 100)]
    return lambda: np.concatenate([counter.peak_count(batch) for batch in batches])


def _alone(maps: npt.NDArray[np.float32]) -> tuple[dict[str, Callable[[], object]], bool]:
    # Fewer maps: the peer takes a second for some hundred of the larger.
    some = maps[: max(20, len(maps) // 10)]
    calls: dict[str, Callable[[], object]] = {OURS: lambda: find_peaks(some)}
    try:
        feature: Any = importlib.import_module("skimage.feature")
    except ImportError:
        return calls, True

    def theirs() -> list[Any]:
        return [feature.peak_local_max(kappa, min_distance=1, exclude_border=1) for kappa in some]

    calls[SKIMAGE] = theirs
    same = True
    for marked, places, kappa in zip(find_peaks(some), theirs(), some, strict=True):
        # float32 values of neighbours tie now and then, and a plateau has no peak of ours.
        rows, columns = places.T
        around = np.stack([kappa[rows + dy, columns + dx] for dy in (-1, 0, 1) for dx in (-1, 0, 1)])
        strict = (around == kappa[rows, columns]).sum(axis=0) == 1
        there = np.zeros_like(marked)
        there[rows[strict], columns[strict]] = True
        same &= bool(np.array_equal(there, marked))
    return calls, same
