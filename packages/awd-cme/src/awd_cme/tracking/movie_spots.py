"""Spots of every frame of a movie: detection frame after frame, in threads, or part after part on workers."""

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from awd_cme.movies.frame_ranges import Part, file_of, in_parts, key_of, parts_of, place_for_parts
from awd_cme.movies.movie import Movie
from awd_cme.movies.open import MovieFile
from awd_cme.spots.detect import Control, Width, detect_spots, estimate_sigma
from awd_cme.spots.fit import fit_spots
from awd_cme.spots.gain import FEWEST, PIXELS, Gain, estimate_gain
from awd_cme.spots.soundness import is_empty, without_holes
from awd_cme.tracks.losses import LossReport
from awd_core.typing import AnyArray, Array
from awd_core.workers import Progress, Workers, open_workers

FRAMES_FOR_SIGMA = 10
"""Frames that the width of the spots is measured in, spread over the movie."""

THREES_FOR_GAIN = 10
"""How many times three frames the gain is measured in, spread over the movie."""

SECONDS_OF_MEAN = 5.0
FOUND = ("frame", "y", "x", "p")


@dataclass(frozen=True)
class Detection:
    """How spots of a movie are looked for.

    Attributes
    ----------
    channel : int
        Number of the channel.
    sigma : float
        Width of the spots in pixels.
    level, control : float, str
        As `awd_cme.spots.detect_spots`.
    window : int
        Frames over whose mean they are looked for; see `mean_of`.
    """

    channel: int
    sigma: float
    level: float = 0.05
    control: Control = "fdr"
    window: int = 1


def measured_width(movie: Movie, channel: int = 0, *, workers: int | Workers = 1) -> Width:
    """Width of the spots of a movie, measured in ten frames.

    Parameters
    ----------
    movie : Movie
        The movie.
    channel : int
        Number of the channel.
    workers : int or Workers
        Where it is done; what a worker reads cannot kill this process.

    Raises
    ------
    ValueError
        As `awd_cme.spots.estimate_sigma`.
    """
    with open_workers(workers) as crew:
        if crew.here:
            return _width(movie, channel)
        return next(crew.map(partial(_width_of_file, channel), [file_of(movie)], names=_named))


def measured_gain(movie: Movie, channel: int, *, workers: int | Workers = 1) -> Gain:
    """Counts for a photon in a channel of a movie, measured in ten times three frames; not known of two frames.

    Parameters and where it is done: as for `measured_width`.
    """
    with open_workers(workers) as crew:
        if crew.here:
            return _gain(movie, channel)
        return next(crew.map(partial(_gain_of_file, channel), [file_of(movie)], names=_named))


def movie_spots(
    movie: Movie,
    how: Detection,
    *,
    threads: int = 2,
    progress: bool | Progress = False,
    workers: int | Workers = 1,
    folder: str | os.PathLike[str] | None = None,
    losses: LossReport | None = None,
) -> pd.DataFrame:
    """Spots of all frames.

    Parameters
    ----------
    movie : Movie
        The movie.
    how : Detection
        What is looked for.
    threads : int
        Images that are worked on at a time, where one process does it.
    progress : bool or callable
        Whether to show a bar; or called with (done, in all, what).
    workers : int or Workers
        Processes, each of which takes ranges of frames.
    folder : path, optional
        For what they find until all is there, so that it is not asked for again; they must all reach it. A temporary
        one if not given.
    losses : LossReport, optional
        Gets the frames that are empty: all of one value, or of none that is known.

    Returns
    -------
    DataFrame
        `frame`, `y`, `x` and `p`, as `detect_spots` gives them. Amplitudes are for `awd_cme.tracking.extract`, which
        measures at every place of a track.
    """
    count = movie.shape[0]
    with open_workers(workers) as crew:
        if crew.here:
            found = [_spots(movie, how, (0, count), threads, progress)]
        else:
            file, told = file_of(movie), progress if callable(progress) else None
            with place_for_parts(folder) as place:
                key = key_of("spots", file, file.identity(), how)
                work = partial(_spots_of_file, file, how)
                found = list(in_parts(crew, work, parts_of(count), place, key, what=_named(file), progress=told))
    columns = {name: np.concatenate([part[:, place] for part in found]) for place, name in enumerate(FOUND)}
    del found  # of a long movie there should not be two
    if (empty := np.isnan(columns["y"])).any():
        if losses is not None:
            frames = columns["frame"][empty].astype(int)
            losses.doubt(
                f"frames of {movie.channels[how.channel]} that are empty, of one value alone or of none: {len(frames)} "
                f"({', '.join(map(str, frames[:5]))}, from 0); no spots are there"
            )
        columns = {name: values[~empty] for name, values in columns.items()}
    return pd.DataFrame(columns | {"frame": columns["frame"].astype(np.int64)}, copy=False)


def mean_of(frames: int | None, seconds_per_frame: float | None) -> int:
    """Number of frames to take the mean of, where it is not given: as many as 5 s hold, at most 5; 3 if unknown.

    Raises
    ------
    ValueError
        If the number is even or below 1.
    """
    if frames is None:
        if seconds_per_frame is None:
            return 3
        return 1 + 2 * int(min(max((SECONDS_OF_MEAN / seconds_per_frame - 1) // 2, 0), 2))
    if frames < 1 or frames % 2 == 0:
        raise ValueError(f"average must be an odd number of frames, got {frames}; 1 takes each by itself")
    return frames


def _width(movie: Movie, channel: int) -> Width:
    some = np.unique(np.linspace(0, movie.shape[0] - 1, FRAMES_FOR_SIGMA).round().astype(int))
    frames = [movie.frame(int(t), channel) for t in some]
    sound = [without_holes(frame) for frame in frames if not is_empty(frame)]
    return estimate_sigma(np.stack(sound or frames))


def _width_of_file(channel: int, file: MovieFile) -> Width:
    return _width(file.open(), channel)


def _gain(movie: Movie, channel: int) -> Gain:
    frames, _, height, width = movie.shape
    starts = np.unique(np.linspace(0, frames - 3, THREES_FOR_GAIN).round().astype(int))
    if frames < 3 or len(starts) * height * width < FEWEST:
        return Gain(0.0, np.inf)
    rows = slice(None, None, 1 + height * width // PIXELS)  # of large frames not all are held
    return estimate_gain(np.stack([movie.frame(int(t) + after, channel)[rows] for t in starts for after in range(3)]))


def _gain_of_file(channel: int, file: MovieFile) -> Gain:
    return _gain(file.open(), channel)


def _named(file: MovieFile) -> str:
    return Path(file.paths[0]).name


def _spots_of_file(file: MovieFile, how: Detection, part: Part) -> Array:
    return _spots(file.open(), how, part, 1, False)


def _spots(movie: Movie, how: Detection, part: Part, threads: int, progress: bool | Progress) -> Array:
    """Columns `FOUND` of the frames of a part."""

    def detect(frame: int, image: AnyArray, mean: AnyArray) -> Array:
        if is_empty(image) or is_empty(mean):
            return np.array([[float(frame), np.nan, np.nan, np.nan]])
        spots = detect_spots(mean, sigma=how.sigma, level=how.level, control=how.control)
        y, x, p = (spots[name].to_numpy() for name in FOUND[1:])
        if how.window > 1:
            p = fit_spots(image, y, x, how.sigma).p
        return np.column_stack([np.full(len(spots), float(frame)), y, x, p])

    found = _in_turn(detect, _means(movie, how, part), part[1] - part[0], threads, progress)
    return np.concatenate(found)


def _means(movie: Movie, how: Detection, part: Part) -> Iterator[tuple[int, AnyArray, AnyArray]]:
    """Every frame of a part with the mean of those around it, as far as there are; each is read once."""
    last, half = movie.shape[0] - 1, how.window // 2
    held: dict[int, AnyArray] = {}
    for frame in range(*part):
        for ahead in range(max(held, default=max(frame - half, 0) - 1) + 1, min(frame + half, last) + 1):
            held[ahead] = without_holes(movie.frame(ahead, how.channel))
        held.pop(frame - half - 1, None)
        # An empty frame has no part in the mean of those around it.
        sound = [image for image in held.values() if not is_empty(image)] or [held[frame]]
        mean = np.asarray(np.mean(sound, axis=0, dtype=np.float64)) if how.window > 1 else held[frame]
        yield frame, held[frame], mean


def _in_turn(
    work: Callable[[int, AnyArray, AnyArray], Array],
    tasks: Iterator[tuple[int, AnyArray, AnyArray]],
    count: int,
    threads: int,
    progress: bool | Progress,
) -> list[Array]:
    """Results of all tasks, in order; few of them wait at a time, since each holds images."""
    from rich.progress import track

    results: list[Array] = []
    waiting: deque[Future[Array]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for number, task in enumerate(track(tasks, "Spots", total=count, disable=progress is not True)):
            if callable(progress):
                progress(number, count, "spots")
            if len(waiting) > threads:
                results.append(waiting.popleft().result())
            waiting.append(pool.submit(work, *task))
        results += [one.result() for one in waiting]
    return results
