"""Does memory stay flat and time grow linearly? Maps by the thousand, and movies of thousands of frames.

Each number of items is done in a process of its own, alone and with two workers, and watched from outside.
"""

import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from awd_cme.movies import Movie, write_movie
from awd_cme.simulate import simulate_movie
from awd_cme.simulate.settings import PRESETS, settings_for
from benchmarks.fits_reading import write_files
from benchmarks.watch import watch

SIDE, FRAME_SIDE, SEGMENT, SEGMENTS = 128, 192, 100, 4
NUMBERS = {"maps": (1000, 2500, 5000, 10_000, 20_000), "movie": (100, 250, 500, 1000, 2000)}
QUICK = {"maps": (64, 128), "movie": (10, 20)}
TITLES = {
    "maps": f"FITS maps of {SIDE}²: read, cache, count peaks",
    "movie": f"frames of {FRAME_SIDE}², two channels: detect, link, fit",
}
CREWS = (1, 2)
FLAT = 1.2
"""Largest peak over smallest that counts as flat."""


@dataclass(frozen=True)
class Size:
    """One number of items, done once.

    Attributes
    ----------
    task, workers, items : str, int, int
        What was done.
    seconds : dict
        Of each step.
    first, largest, together : float
        Peak memory in MiB, see `benchmarks.watch.Watched`.
    digest : str
        Of the results.
    """

    task: str
    workers: int
    items: int
    seconds: dict[str, float]
    first: float
    largest: float
    together: float
    digest: str

    @property
    def total(self) -> float:
        """Seconds of all steps."""
        return sum(self.seconds.values())


def measure(folder: Path, quick: bool, log: Callable[[str], None]) -> list[Size]:
    """All sizes; the data are made in a folder, which needs some 5 GB."""
    numbers = QUICK if quick else NUMBERS
    log(f"writing {max(numbers['maps']):,} maps and a movie of {max(numbers['movie']):,} frames")
    data = {"maps": _maps(folder / "maps", numbers["maps"]), "movie": _movies(folder / "movies", numbers["movie"])}
    found = []
    for task, places in data.items():
        for workers in CREWS:
            for number, place in zip(numbers[task], places, strict=True):
                size = _measured(task, place(workers), workers)
                found.append(size)
                log(f"{task}, {workers} worker(s), {number:,}: {size.total:.1f} s, {size.together:.0f} MiB in all")
    return found


class Line(NamedTuple):
    """Time as a straight line: `start` seconds, and `each` for an item; the fit is off by the share `off` at most."""

    start: float
    each: float
    off: float

    def at(self, items: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Seconds for so many items."""
        return self.start + self.each * items


def line(sizes: Sequence[Size]) -> Line:
    """The straight line of time over items that is nearest to the sizes in relative terms."""
    items, seconds = np.array([size.items for size in sizes], float), np.array([size.total for size in sizes])
    each, start = np.polyfit(items, seconds, 1, w=1 / seconds)
    return Line(float(start), float(each), float(np.max(np.abs((start + each * items) / seconds - 1))))


def flatness(values: Sequence[float]) -> float:
    """Largest over smallest."""
    return max(values) / min(values)


def _measured(task: str, place: Path, workers: int) -> Size:
    seen = watch([sys.executable, "-m", "benchmarks.scale_tasks", task, str(place), "--workers", str(workers)])
    told: dict[str, Any] = json.loads(seen.output.splitlines()[-1])
    return Size(task, workers, told["items"], told["seconds"], seen.first, seen.largest, seen.together, told["digest"])


def _maps(folder: Path, numbers: Sequence[int]) -> list[Callable[[int], Path]]:
    """For each number a folder of as many maps: all are written once, and linked; one for each crew."""
    whole = folder / "all"
    whole.mkdir(parents=True)
    paths = write_files(whole, max(numbers), SIDE)

    def linked(number: int) -> Callable[[int], Path]:
        def place(workers: int) -> Path:
            # With a cache of its own beside it.
            made = folder / f"{number}-{workers}"
            made.mkdir()
            for path in paths[:number]:
                os.link(path, made / Path(path).name)
            return made

        return place

    return [linked(number) for number in numbers]


def _movies(folder: Path, numbers: Sequence[int]) -> list[Callable[[int], Path]]:
    """For each number a movie of as many frames, the same for all crews."""
    folder.mkdir(parents=True)
    return [partial(_same, movie_file(folder / f"{number}.tif", number)) for number in numbers]


def _same(path: Path, workers: int) -> Path:
    return path


def movie_file(path: Path, number: int) -> Path:
    """Write a movie of so many frames: simulated segments, one after the other, again and again."""
    segments = [_segment(seed) for seed in range(min(SEGMENTS, -(-number // SEGMENT)))]
    about = segments[0]
    frames = (
        np.stack([segments[t // SEGMENT % len(segments)].frame(t % SEGMENT, c) for c in (0, 1)]) for t in range(number)
    )
    write_movie(
        path, frames, axes="TCYX", count=number, seconds_per_frame=about.seconds_per_frame,
        micrometres_per_pixel=about.micrometres_per_pixel, channels=about.channels,
    )  # fmt: skip
    return path


@lru_cache(maxsize=SEGMENTS)
def _segment(seed: int) -> Movie:
    """A hundred simulated frames, with as many pits for a pixel and a frame as the realistic preset has."""
    whole = PRESETS["realistic"]
    share = SEGMENT * FRAME_SIDE**2 / (whole.frames * whole.size[0] * whole.size[1])
    settings = settings_for(whole, frames=SEGMENT, size=(FRAME_SIDE, FRAME_SIDE), pits=whole.pits * share)
    return simulate_movie(settings, seed=seed).movie.in_memory()
