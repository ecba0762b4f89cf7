"""Measuring a movie at a list of places: frame after frame in threads, or part after part on workers.

Each pair of frame and channel is read once, when its turn comes, and let go.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Literal

import numpy as np

from awd_cme.movies.frame_ranges import Part, file_of, in_parts, key_of, parts_of, place_for_parts
from awd_cme.movies.movie import Movie
from awd_cme.movies.open import MovieFile
from awd_cme.spots.apertures import aperture_sums
from awd_cme.spots.fit import Neighbours, fit_spots
from awd_cme.spots.soundness import at_top, is_empty
from awd_cme.tracks.table import MEASURES
from awd_core.files import cached_array, make_atomically
from awd_core.typing import Array
from awd_core.workers import Progress, Workers

Method = Literal["fit", "aperture"]
Test = Literal["amplitude", "noise"]
FLAGS = ("crowded", "edge", "empty", "saturated")
"""What is said of a place in all channels together."""
RADII = (2.0, 3.0, 5.0)
"""Radii of disc and ring for `method="aperture"`, in units of σ."""


@dataclass(frozen=True)
class Measurement:
    """What is measured at the places of c channels.

    Attributes
    ----------
    channels : tuple of int
        Their numbers in the movie.
    sigma, gain : tuple of float
        Of each of them.
    method, test, neighbours : str
        As `awd_cme.tracking.extract`.
    """

    channels: tuple[int, ...]
    sigma: tuple[float, ...]
    gain: tuple[float, ...]
    method: Method
    test: Test
    neighbours: Neighbours


def measured(
    movie: Movie, places: Array, how: Measurement, *, threads: int = 2, progress: bool | Progress = False
) -> Array:
    """Measure in this process.

    Parameters
    ----------
    movie : Movie
        The movie.
    places : ndarray, shape (n, 1 + 2c)
        Number of the frame, by which they are sorted; then y and x in each channel, in pixels.
    how : Measurement
        What is measured.
    threads : int
        Images that are worked on at a time. Reading is one at a time.
    progress : bool or callable
        Whether to show a bar; or called with (images done, images in all, what).

    Returns
    -------
    ndarray, shape (5c + 4, n)
        Of each channel the `awd_cme.tracks.table.MEASURES`; then 1 where, in any of them, another place is near, the
        border cuts a window, the image is empty (all of one value, or none known: nothing is measured there), or
        pixels of the spot are saturated.
    """
    count = len(MEASURES)
    found = np.full((count * len(how.channels) + len(FLAGS), len(places)), np.nan)
    flags = np.zeros((len(FLAGS), len(places)), dtype=bool)
    lock = Lock()

    def measure(task: tuple[int, slice, int]) -> None:
        frame, here, number = task
        with lock:
            image = movie.frame(frame, how.channels[number])
        y, x = places[here, 1 + 2 * number], places[here, 2 + 2 * number]
        s, gain, rows = how.sigma[number], how.gain[number], slice(count * number, count * (number + 1))
        if is_empty(image):
            with lock:
                flags[2, here] = True
            return
        saturated = at_top(image, y, x, s)
        with lock:
            flags[3, here] |= saturated
        if how.method == "aperture":
            radius, inner, outer = (max(0.5, r * s) for r in RADII)
            sums = aperture_sums(image, y, x, radius=radius, inner=inner, outer=outer, gain=gain)
            found[rows, here] = (sums.net, sums.background, sums.net_error, sums.background_error, sums.p)
            return
        fits = fit_spots(image, y, x, s, neighbours=how.neighbours, gain=gain)
        p = fits.p if how.test == "amplitude" else fits.p_noise
        found[rows, here] = (fits.amplitude, fits.background, fits.amplitude_error, fits.background_error, p)
        with lock:
            flags[:2, here] |= (fits.crowded, fits.edge)

    tasks = [(f, here, number) for f, here in _by_frame(places[:, 0]) for number in range(len(how.channels))]
    with ThreadPoolExecutor(threads) as pool:
        for _ in _shown(pool.map(measure, tasks), len(tasks), progress):
            pass
    found[-len(FLAGS) :] = flags
    return found


def measured_in_parts(
    movie: Movie,
    places: Array,
    how: Measurement,
    crew: Workers,
    *,
    folder: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Array:
    """The same by workers, which find the places in a file in `folder` and put there what they measured."""
    file = file_of(movie)
    key = key_of("places", file, file.identity(), how, places)
    found = np.empty((len(MEASURES) * len(how.channels) + len(FLAGS), len(places)))
    parts = [part for part in parts_of(movie.shape[0]) if len(range(*_rows(places, part).indices(len(places))))]
    with place_for_parts(folder) as place:
        table = place / f"{key}-places.npy"
        if cached_array(table) is None:
            make_atomically(table, lambda beside: np.save(beside, places))
        work = partial(_part_of_file, file, how, str(table))
        results = in_parts(crew, work, parts, place, key, what=Path(file.paths[0]).name, progress=progress)
        for part, values in zip(parts, results, strict=True):
            found[:, _rows(places, part)] = values
    return found


def _part_of_file(file: MovieFile, how: Measurement, table: str, part: Part) -> Array:
    # A worker looks at its own rows: the table of a long movie does not come into its memory.
    places = np.load(table, mmap_mode="r", allow_pickle=False)
    return measured(file.open(), np.array(places[_rows(places, part)]), how, threads=1)


def _rows(places: Array, part: Part) -> slice:
    return slice(*np.searchsorted(places[:, 0], part).tolist())


def _by_frame(frame: Array) -> Iterator[tuple[int, slice]]:
    frames, first = np.unique(frame, return_index=True)
    for number, start, stop in zip(frames, first, [*first, len(frame)][1:], strict=True):
        yield int(number), slice(int(start), int(stop))


def _shown(results: Iterator[None], count: int, progress: bool | Progress) -> Iterator[None]:
    if callable(progress):
        return _told(results, count, progress)
    if not progress:
        return results
    from rich.progress import track

    return iter(track(results, "Series", total=count))


def _told(results: Iterator[None], count: int, progress: Progress) -> Iterator[None]:
    for number, result in enumerate(results, 1):
        progress(number, count, "intensities")
        yield result
