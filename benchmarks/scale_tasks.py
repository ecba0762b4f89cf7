"""Work on large data that `benchmarks.scale` watches, one task a process: `python -m benchmarks.scale_tasks TASK …`.

It prints one line of JSON: how many items, seconds of each step, and a digest of the results. The seconds do not
contain the start of the process and of its workers.
"""

import argparse
import hashlib
import importlib
import json
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from awd_core.workers import Workers, open_workers

SIGMA, WINDOW = 1.4, 5
"""Width of the simulated spots in pixels, and frames over whose mean they are looked for."""
ROWS = 4096
"""Of a table that are digested at a time."""


def peak_counts() -> Any:
    """Counts under the four kernels of db5, as published, in one thread."""
    from awd_cosmo.statistics import PeakCounts

    return PeakCounts("db5", range=(0.0, 0.03), workers=1)


def statistic_of_peaks() -> Any:
    """The same, ready to count."""
    return peak_counts().fit(np.zeros((1, 8, 8)))


def count_maps(folder: Path, crew: Workers) -> tuple[int, Mapping[str, float], Iterable[npt.NDArray[Any]]]:
    """Read a folder of FITS maps into a cache, and count the peaks of all, as a run does."""
    from awd_core.run import RunFolder
    from awd_cosmo.maps import open_maps
    from awd_cosmo.run.features import Features

    steps = Steps()
    maps = open_maps(folder, threads=1, workers=crew)
    steps.done("open")
    maps = maps.cached(folder.with_name(f"{folder.name}-cache"), workers=crew)
    steps.done("read and cache")
    with RunFolder.open(folder.with_name(f"{folder.name}-run"), program="scale", settings={}, quiet=True) as run:
        found = Features(run, maps, np.arange(len(maps)), 0, crew).of(peak_counts())
    steps.done("count")
    return len(maps), steps.seconds, [found]


def track(path: Path, crew: Workers) -> tuple[int, Mapping[str, float], Iterable[npt.NDArray[Any]]]:
    """Detect, link and fit spots of a movie."""
    from awd_cme.movies import open_movie
    from awd_cme.tracking import track_movie

    steps = Steps()
    movie = open_movie(path)
    table = track_movie(movie, sigma=SIGMA, average=WINDOW, threads=1, workers=crew)
    steps.done("detect, link and fit")
    numbers = table.select_dtypes("number")
    parts = (numbers[start : start + ROWS].to_numpy(dtype=np.float64) for start in range(0, len(numbers), ROWS))
    return len(movie), steps.seconds, parts


TASKS = {"maps": count_maps, "movie": track}


class Steps:
    """Seconds of what is done one after the other."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._since = time.perf_counter()

    def done(self, name: str) -> None:
        """What was begun last is done."""
        now = time.perf_counter()
        self.seconds[name], self._since = now - self._since, now


def main(arguments: Sequence[str] | None = None) -> int:
    """Do one task and print what came of it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale_tasks", description=__doc__)
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("data", type=Path)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args(arguments)
    with open_workers(options.workers) as crew:
        wake(crew, options.workers)
        count, seconds, found = TASKS[options.task](options.data, crew)
    digest = hashlib.sha256()
    for part in found:  # and not of all at once: a copy of the results would be watched with the work
        digest.update(np.ascontiguousarray(part).data)
    print(json.dumps({"items": count, "seconds": seconds, "digest": digest.hexdigest()[:16]}))
    return 0


def wake(crew: Workers, count: int) -> None:
    """Have workers started, and what all tasks need imported there, before anything is measured."""
    for _ in crew.map(_imported, range(2 * count)):
        pass


def _imported(number: int) -> int:
    for name in ("awd_cme.tracking.link", "awd_cosmo.statistics.counts", "awd_cosmo.maps.open"):
        importlib.import_module(name)
    time.sleep(0.2)  # so that each gets one
    return number


if __name__ == "__main__":
    sys.exit(main())
