"""How much faster two workers are, and four, and what the seam costs where there is one.

Contenders take turns as in all benchmarks: the same work in this process, by local processes, by the workers of a
scheduler of Dask, processes of their own that are started here, and by two programs side by side that share nothing:
what these gain is what the machine has to give.
"""

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from awd_cme.movies import open_movie
from awd_cme.movies.open import MovieFile
from awd_cme.tracking.movie_spots import Detection, movie_spots
from awd_core.workers import Workers, open_workers
from awd_cosmo.maps import MapSet, open_maps
from awd_cosmo.run.features import MapBlock, features_of, map_blocks
from benchmarks.fits_reading import write_files
from benchmarks.scale_growth import movie_file
from benchmarks.scale_tasks import SIGMA, WINDOW, statistic_of_peaks, wake
from benchmarks.timing import Settings, take_turns

COUNTS = (1, 2, 4)
HERE, APART = "this process", "programs apart"
DASK, AS_IT_COMES = "Dask", "Dask as it comes"
PROGRAMS = 2
"""Programs that share nothing, side by side: no two workers can do better."""
LOOP, BLOCKS = "plain loop", "maps of 256² in blocks of 64 MiB"
MAPS = "maps-256"
"""The folder of maps."""
TIMES = 12
"""How often all maps are counted in one turn."""
QUIET = {"DASK_DISTRIBUTED__ADMIN__TICK__INTERVAL": "1s", "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False"}
"""Settings of Dask, as the page gives them: by its own, a worker without work takes 4 % of a core."""
PATIENCE = 60.0
"""Seconds that workers of a scheduler may take to appear."""
TRIVIAL = 20_000
"""Items of no work, by which the price of an item is measured."""


@dataclass(frozen=True)
class Rate:
    """Throughput of some workers.

    Attributes
    ----------
    job, where : str
        What is done, and by whom: "this process", "processes", "Dask", "Dask as it comes", which is without `QUIET`,
        or "programs apart", which share nothing.
    workers : int
        How many.
    rate : float
        Items a second, median of the rounds.
    gain, low, high : float
        Times the throughput of one process: median, least and largest of the rounds.
    """

    job: str
    where: str
    workers: int
    rate: float
    gain: float
    low: float
    high: float


@dataclass(frozen=True)
class Overhead:
    """What the seam adds in one process: `share` of a plain loop over the same work, with its interquartile range.

    `usual` is work as runs hand it out, of which the goal is.
    """

    job: str
    share: float
    spread: float
    usual: bool


def measure(folder: Path, settings: Settings, log: Callable[[str], None]) -> tuple[list[Rate], list[Overhead], float]:
    """Rates, overheads, and microseconds that an item of no work takes more than in a loop.

    Parameters
    ----------
    folder : Path
        For data.
    settings : Settings
        Whether it is a quick run.
    log : callable
        Takes a line on what is going on.
    """
    maps, frames = (128, 20) if settings.quick else (2048, 400)
    log(f"writing {maps:,} maps of 256² and a movie of {frames} frames")
    jobs = {
        "maps of 256², counted": _maps(folder, maps),
        "maps of 256², files read into a cache": _caches(folder),
        "frames, spots found and fitted": _frames(folder, frames),
    }
    counts = COUNTS[:2] if settings.quick else COUNTS
    patience = (1 if settings.quick else 5) * settings.seconds
    rates: list[Rate] = []
    overheads = []

    def compare(crews: Mapping[tuple[str, int], Workers], pool: ProcessPoolExecutor | None) -> None:
        """Have crews, and programs that share nothing, take turns beside this process with each job."""
        for (_, n), crew in crews.items():
            wake(crew, n)
        for job, (items, work) in jobs.items():
            log(f"{job}: {', '.join(f'{n} {where}' for where, n in crews)}")
            with open_workers() as here:
                calls: dict[tuple[str, int], Callable[[], object]] = {(HERE, 1): partial(work, here)}
                calls |= {key: partial(work, crew) for key, crew in crews.items()}
                if pool is not None:
                    calls[APART, PROGRAMS] = partial(_side_by_side, pool, work)
                figures = take_turns(calls, patience, settings.rounds)
            alone = figures[HERE, 1]
            for (where, n), rounds in figures.items():
                if where == HERE and pool is None:
                    continue  # told of the first comparison, where there are programs apart
                # Programs side by side do the work once each.
                times = PROGRAMS if where == APART else 1
                gains = [times * base / time for base, time in zip(alone.values, rounds.values, strict=True)]
                rate = times * items / rounds.median
                rates.append(Rate(job, where, n, rate, float(np.median(gains)), min(gains), max(gains)))

    with threadpool_limits(1):
        with ExitStack() as stack:
            crews = {("processes", n): stack.enter_context(open_workers(n)) for n in counts if n > 1}
            pool = stack.enter_context(ProcessPoolExecutor(PROGRAMS, mp_context=get_context("spawn")))
            compare(crews, pool)
        # One cluster at a time: a scheduler and workers that wait take some of the cores from those that are at work.
        clusters = [*((DASK, n, QUIET) for n in counts), (AS_IT_COMES, 2, {})]
        for where, n, config in clusters:
            with dask_cluster(n, folder, config) as address, open_workers(scheduler=address) as crew:
                compare({(where, n): crew}, None)
    rates.sort(key=lambda rate: list(jobs).index(rate.job))
    for job, (items, function) in _short(folder).items():
        log(f"the seam in one process: {job}")
        with open_workers() as crew:
            both = take_turns(
                {LOOP: partial(_loop, function, items), "seam": partial(_mapped, crew, function, items)},
                patience,
                settings.rounds,
            )
        ratios = [mine / its for mine, its in zip(both["seam"].values, both[LOOP].values, strict=True)]
        low, high = np.quantile(ratios, (0.25, 0.75))
        overheads.append(Overhead(job, float(np.median(ratios)) - 1, float(high - low), job == BLOCKS))
    with open_workers() as crew:
        nothing = range(TRIVIAL)
        both = take_turns(
            {LOOP: partial(_loop, abs, nothing), "seam": partial(_mapped, crew, abs, nothing)}, settings.seconds, 5
        )
    return rates, overheads, 1e6 * (both["seam"].median - both[LOOP].median) / TRIVIAL


@contextmanager
def dask_cluster(workers: int, folder: Path, config: Mapping[str, str]) -> Iterator[str]:
    """A scheduler and workers of one thread each, all processes of their own; gives the scheduler's address file.

    Parameters
    ----------
    workers : int
        How many.
    folder : Path
        For that file, and for what they write.
    config : mapping
        Variables of the environment that set what is to be otherwise than Dask has it.
    """
    from distributed import Client

    place = folder / f"scheduler-{uuid.uuid4().hex}.json"
    run = [sys.executable, "-m"]
    common = ["--scheduler-file", str(place), "--no-dashboard"]
    alone = os.environ | {"OMP_NUM_THREADS": "1"} | config  # as the page says, and as a nanny would set it
    quiet: dict[str, Any] = {
        "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": Path.cwd(), "env": alone
    }  # fmt: skip
    started = []
    try:
        started.append(subprocess.Popen([*run, "distributed.cli.dask_scheduler", "--port", "0", *common], **quiet))
        _wait(place.exists, "the scheduler")
        for _ in range(workers):
            options = ["--nthreads", "1", "--no-nanny", "--local-directory", str(folder)]
            started.append(subprocess.Popen([*run, "distributed.cli.dask_worker", *common, *options], **quiet))
        client: Any = Client
        with client(scheduler_file=str(place), set_as_default=False) as asked:
            _wait(lambda: len(asked.nthreads()) == workers, f"{workers} workers")
        yield str(place)
    finally:
        for process in reversed(started):
            process.terminate()
        for process in started:
            # A worker whose scheduler has gone before it may wait for that for ever.
            try:
                process.wait(PATIENCE / 4)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(there: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + PATIENCE
    while not there():
        if time.monotonic() > until:
            raise TimeoutError(f"{what} did not appear within {PATIENCE:.0f} s; see whether `dask scheduler` runs here")
        time.sleep(0.1)


def _side_by_side(pool: ProcessPoolExecutor, work: Callable[[Workers], object]) -> None:
    """Programs that do all of the work each, at the same time, and share nothing: what the machine gives."""
    for done in [pool.submit(_alone, work) for _ in range(PROGRAMS)]:
        done.result()


def _alone(work: Callable[[Workers], object]) -> None:
    with threadpool_limits(1), open_workers() as here:
        work(here)


def _maps(folder: Path, number: int) -> tuple[int, Callable[[Workers], object]]:
    place = folder / MAPS
    place.mkdir()
    write_files(place, number, 256)
    pieces = _cached_pieces(folder)
    # Often enough that a turn of two workers takes some seconds, of which its beginning and its end are a small part.
    return TIMES * number, partial(_count_all, TIMES * pieces)


def _cached_pieces(folder: Path) -> list[MapBlock]:
    maps = open_maps(folder / MAPS, threads=1).cached(folder / f"{MAPS}-cache")
    return map_blocks(maps, np.arange(len(maps)))


def _count_all(pieces: Sequence[MapBlock], crew: Workers) -> int:
    return _mapped(crew, partial(features_of, statistic_of_peaks()), pieces)


def _caches(folder: Path) -> tuple[int, Callable[[Workers], object]]:
    maps = open_maps(folder / MAPS, threads=1)
    return len(maps), partial(_cache_all, maps, folder)


def _cache_all(maps: MapSet, folder: Path, crew: Workers) -> None:
    with TemporaryDirectory(dir=folder) as place:
        maps.cached(place, workers=crew)


def _frames(folder: Path, number: int) -> tuple[int, Callable[[Workers], object]]:
    return number, partial(_find_all, open_movie(movie_file(folder / "spots.tif", number)))


def _find_all(movie: MovieFile, crew: Workers) -> None:
    movie_spots(movie, Detection(0, SIGMA, window=WINDOW), threads=1, workers=crew)


def _short(folder: Path) -> dict[str, tuple[Sequence[Any], Callable[[Any], object]]]:
    """Blocks of maps as runs count them, and single maps, for which the seam is not meant."""
    pieces = _cached_pieces(folder)[:8]
    single = [MapBlock(piece.source.part(np.arange(1)), 1, 1) for piece in pieces for _ in range(8)]
    function = partial(features_of, statistic_of_peaks())
    return {BLOCKS: (pieces, function), "single maps of 256²": (single, function)}


def _mapped(crew: Workers, function: Callable[[Any], object], items: Sequence[Any]) -> int:
    return sum(1 for _ in crew.map(function, items))


def _loop(function: Callable[[Any], object], items: Sequence[Any]) -> int:
    return sum(1 for _ in map(function, items))
