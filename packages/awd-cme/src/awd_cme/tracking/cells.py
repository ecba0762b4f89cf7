"""From the movies of cells to one table of tracks: each cell by itself, on as many workers as there are.

A cell is two files in a folder: its table, and then an account that says that the table is whole. Where there are cells
enough, a worker takes a cell at a time; where there are few, and long ones perhaps, the workers share the frames of one
cell after the other. A movie that cannot be tracked, or kills whoever reads it, is named and set aside.
"""

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from awd_cme.tracks.intervals import are_alike, frame_intervals, with_interval
from awd_cme.tracks.losses import LossReport, counted
from awd_cme.tracks.table import concat, spans, starts
from awd_cme.tracks.writers import read_parquet, write_parquet
from awd_core.files import read_json, write_json
from awd_core.workers import Lost, LostItemError, Progress, Workers

if TYPE_CHECKING:
    from awd_cme.movies.movie import Movie

WHOLE, CUT, THROUGHOUT = 1, 3, 4
FAILURES = (ValueError, OSError, IndexError, MemoryError)
"""What a movie that is damaged, or too large, raises."""


@dataclass(frozen=True)
class TrackingSettings:
    """How movies are opened, tracked and measured.

    Attributes
    ----------
    axes, channels, seconds_per_frame, micrometres_per_pixel : optional
        As for `awd_cme.movies.open_movie`.
    z, series : optional
        As for `awd_cme.movies.open_movie`, too.
    sigma : float, optional
        Width of the spots, pixels; measured if not given.
    gain : float, optional
        Counts for one photon; measured if not given.
    on_error : {"skip", "raise"}
        What becomes of a movie that cannot be tracked, where there are others.
    threads : int
        For each movie.
    """

    axes: str | None = None
    channels: tuple[str, ...] | None = None
    seconds_per_frame: float | None = None
    micrometres_per_pixel: float | None = None
    z: Any = None
    series: int | None = None
    sigma: float | None = None
    gain: float | None = None
    on_error: str = "skip"
    threads: int = 2


@dataclass(frozen=True)
class Cells:
    """Where cells are tracked and how; it travels to the workers.

    Attributes
    ----------
    folder : Path
        For the files of the cells; all workers must reach it.
    settings : TrackingSettings
        Of movies, width, threads and errors.
    positions : Path, optional
        Parquet file with the positions to measure at; spots are detected and linked if not given.
    """

    folder: Path
    settings: TrackingSettings
    positions: Path | None = None

    def place(self, cell: str, ending: str) -> Path:
        """A file of a cell."""
        return self.folder / f"{cell.replace('/', '_')}.{ending}"

    def holds(self, cell: str) -> bool:
        """Whether a cell is done; an account that is damaged counts as none."""
        try:
            return isinstance(read_json(self.place(cell, "json")), dict)
        except (FileNotFoundError, ValueError):
            return False


def track_cells(
    cells: Cells, movies: Mapping[str, Path | tuple[Path, ...]], crew: Workers, progress: Progress | None = None
) -> tuple[pd.DataFrame, LossReport, dict[str, str]]:
    """Tracks with intensities of all cells; what is in the folder already is not done again.

    Parameters
    ----------
    cells : Cells
        Where and how.
    movies : mapping of str to Path or tuple of Path
        The movie of each cell, or the files of its channels.
    crew : Workers
        Who does it.
    progress : callable, optional
        Called with (done, in all, what).

    Returns
    -------
    table, losses, origin : DataFrame, LossReport, dict
        Canonical table; what was lost; where the facts about the movies were found.

    Raises
    ------
    ValueError
        If a movie cannot be tracked, unless there are others and errors are to be skipped; if none can.
    LostItemError
        If a movie has killed its workers, likewise.
    """
    cells.folder.mkdir(parents=True, exist_ok=True)
    positions = None if cells.positions is None else cells.positions.absolute()
    cells = replace(cells, folder=cells.folder.absolute(), positions=positions)  # workers may be elsewhere
    skip = cells.settings.on_error == "skip" and len(movies) > 1
    todo = [(name, _texts(path)) for name, path in movies.items() if not cells.holds(name)]
    # A single movie is worked on in ranges of frames in any case: they show how far it is.
    one_by_one = len(todo) >= max(crew.window, 2)
    if one_by_one:
        work = partial(_tried, cells if crew.here else _alone(cells), skip)
        outcomes = crew.map_or_lose(work, todo, names=lambda item: item[0], progress=progress)
    else:
        outcomes = (_shared(cells, skip, item, crew, progress) for item in todo)
    for (name, texts), outcome in zip(todo, outcomes, strict=True):
        path = texts[0]
        if isinstance(outcome, Lost) and not skip:
            raise Lost(path, outcome.reason).error()
        reason = f"{path}: {outcome.reason}" if isinstance(outcome, Lost) else outcome
        if reason is None:
            continue
        # A run is the same wherever it lies.
        said = " ".join(reason.replace(f"{Path(path).parent}{os.sep}", "").split())
        write_json(cells.place(name, "json"), {"lost": said})
    return _together(cells, movies)


def track_cell(
    path: Path | Sequence[Path],
    cell: str,
    settings: TrackingSettings,
    positions: Path | None = None,
    *,
    workers: int | Workers = 1,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> tuple[pd.DataFrame, LossReport, dict[str, str]]:
    """Tracks with intensities of one movie.

    Parameters
    ----------
    path : Path or sequence of Path
        The movie, or the files of its channels.
    cell : str
        What the table calls it.
    settings : TrackingSettings
        Of the movie, width and threads.
    positions : Path, optional
        Parquet file, as for `Cells`.
    workers, folder, progress : optional
        As for `awd_cme.tracking.track_movie`.

    Returns
    -------
    table, losses, origin : DataFrame, LossReport, dict
        Canonical table, p-values by cmeAnalysis' test against the noise of the background; what was lost; where the
        facts about the movie were found, the width of its spots where it was measured, and the counts for a photon.
    """
    from awd_cme.movies.open import open_movie
    from awd_cme.tracking.intensities import extract
    from awd_cme.tracking.link import track_movie
    from awd_cme.tracking.movie_spots import measured_gain, measured_width

    movie = open_movie(
        path, axes=settings.axes, channels=settings.channels, seconds_per_frame=settings.seconds_per_frame,
        micrometres_per_pixel=settings.micrometres_per_pixel, z=settings.z, series=settings.series,
    )  # fmt: skip
    losses, origin = LossReport(), dict(movie.origin)
    file = path if isinstance(path, Path) else path[0]
    sigma = settings.sigma
    if sigma is None:
        sigma = measured_width(movie, workers=workers).sigma
        origin["sigma"] = f"{sigma:.4f}"
    if settings.gain is None:
        gains = {name: measured_gain(movie, c, workers=workers) for c, name in enumerate(movie.channels)}
        known = {name: found.gain if found.known else 0.0 for name, found in gains.items()}
        origin["gain"] = json.dumps(known)
    else:
        known = dict.fromkeys(movie.channels, settings.gain)
        losses.assume(f"Errors of amplitudes have the shot noise of {settings.gain:g} counts for a photon, as told.")
    options: dict[str, Any] = {
        "sigma": sigma, "gain": known, "test": "noise", "threads": settings.threads, "workers": workers,
        "folder": folder, "progress": progress or False,
    }  # fmt: skip
    if positions is None:
        table = track_movie(movie, cell=cell, source=file.name, losses=losses, **options)
    else:
        own = read_parquet(positions, filters=[("cell", "==", cell)])
        own["cell"] = own["cell"].astype("category").cat.set_categories([cell])
        own = _with_times(own, movie, cell, losses)
        table = extract(movie, own, losses=losses, **options)
        losses.came = losses.kept = 0
    return categorised(table, movie.shape[0]), losses, origin


def _with_times(own: pd.DataFrame, movie: "Movie", cell: str, losses: LossReport) -> pd.DataFrame:
    """Tracks with the times of their movie, if they have none; where both have, and others, that is told."""
    told = frame_intervals(own).get(cell)
    if told is None and movie.seconds_per_frame is not None:
        return with_interval(own, movie.seconds_per_frame)
    if told is not None and movie.seconds_per_frame is not None and not are_alike(told, movie.seconds_per_frame):
        losses.doubt(
            f"the tracks of {cell} have {told:g} s per frame, and its movie {movie.seconds_per_frame:g} s "
            f"({movie.origin['seconds_per_frame']}): the times are those of the tracks; --seconds-per-frame decides"
        )
    return own


def categorised(table: pd.DataFrame, frames: int) -> pd.DataFrame:
    """Fill in cmeAnalysis' categories where a table has none.

    1 for tracks that begin and end within the movie, 3 for those that its first or last frame cuts, 4 for those that
    are there throughout.
    """
    if not len(table) or table["category"].notna().any():
        return table
    first, last = spans(table)
    cut = (first <= 0).astype(int) + (last >= frames - 1)
    category = np.select([cut == 0, cut == 1], [WHOLE, CUT], THROUGHOUT)
    counts = np.diff(np.append(starts(table), len(table)))
    known = table.assign(category=pd.array(np.repeat(category, counts), dtype="Int64"))
    known.attrs = dict(table.attrs)
    return known


def _alone(cells: Cells) -> Cells:
    """The same for a worker beside others, which does not take their cores."""
    return replace(cells, settings=replace(cells.settings, threads=1))


def _texts(path: Path | tuple[Path, ...]) -> tuple[str, ...]:
    """The paths of a movie, as they travel to workers."""
    return tuple(str(one.absolute()) for one in (path if isinstance(path, tuple) else (path,)))


def _tried(cells: Cells, skip: bool, item: tuple[str, tuple[str, ...]]) -> str | None:
    """Track a cell and write its files; if it cannot be, and that may be, why."""
    return _outcome(cells, skip, item, lambda name, path: track_cell(path, name, cells.settings, cells.positions))


def _shared(
    cells: Cells, skip: bool, item: tuple[str, tuple[str, ...]], crew: Workers, progress: Progress | None
) -> Any:
    """The same, its frames shared out among workers; a `Lost` where some of them kill."""
    parts = cells.place(item[0], "parts")

    def told(done: int, total: int, what: str) -> None:
        if progress is not None:
            progress(done, total, what)

    def work(name: str, path: Path | Sequence[Path]) -> Any:
        return track_cell(path, name, cells.settings, cells.positions, workers=crew, folder=parts, progress=told)

    try:
        outcome = _outcome(cells, skip, item, work)
    except LostItemError as error:
        if not skip:
            raise
        outcome = f"{item[1][0]}: {error}"
    shutil.rmtree(parts, ignore_errors=True)
    return outcome


def _lacks_memory(error: BaseException | None) -> bool:
    """Whether an error, or one that it came of, is that of memory that there is not."""
    while error is not None and not isinstance(error, MemoryError):
        error = error.__cause__ or error.__context__
    return error is not None


def _outcome(
    cells: Cells, skip: bool, item: tuple[str, tuple[str, ...]], work: Callable[[str, Any], Any]
) -> str | None:
    name, (path, *others) = item
    try:
        table, losses, origin = work(name, [Path(path), *map(Path, others)] if others else Path(path))
    except FAILURES as error:
        said = "it needs more memory than its process has" if _lacks_memory(error) else str(error)
        reason = said if path in said else f"{path} cannot be tracked: {said}"
        if not skip:
            raise ValueError(reason) from error
        return reason
    write_parquet(table, cells.place(name, "parquet"))
    write_json(cells.place(name, "json"), {"losses": losses.to_dict(), "origin": origin})
    return None


def _together(cells: Cells, movies: Mapping[str, Any]) -> tuple[pd.DataFrame, LossReport, dict[str, str]]:
    """All cells from their files."""
    tables, losses, widths = [], LossReport(), []
    origins: dict[str, dict[str, int]] = {}
    gains: dict[str, list[float]] = {}
    for name in movies:
        said = read_json(cells.place(name, "json"))
        if "lost" in said:
            losses.add("movies", 1, said["lost"])
            continue
        tables.append(read_parquet(cells.place(name, "parquet")))
        losses.merge(LossReport.from_dict(said["losses"]))
        origin = said["origin"]
        if "sigma" in origin:
            widths.append(float(origin.pop("sigma")))
        for channel, gain in json.loads(origin.pop("gain", "{}")).items():
            gains.setdefault(channel, []).append(gain)
        for fact, said_of_it in origin.items():
            counts = origins.setdefault(fact, {})
            counts[said_of_it] = counts.get(said_of_it, 0) + 1
    if not tables:
        raise ValueError(f"none of the {len(movies)} movies could be tracked; the first: {losses.dropped[0][2]}")
    if widths:
        losses.assume(
            f"Spots are {min(widths):.2f} to {max(widths):.2f} pixels wide (sigma), measured in the first channel of "
            f"{len(widths)} movies; this holds for all channels."
        )
    for channel, found in gains.items():
        losses.assume(_about_gain(channel, found))
    return concat(tables), losses, {fact: _of_cells(counts) for fact, counts in origins.items()}


def _of_cells(counts: dict[str, int]) -> str:
    """What is said of the cells, each thing once, with how many it is said of where they differ."""
    if len(counts) == 1:
        return next(iter(counts))
    shown = [f"{text} ({counted(count, 'cells')})" for text, count in list(counts.items())[:3]]
    return "; ".join([*shown, f"and others ({len(counts) - 3} more)"] if len(counts) > 3 else shown)


def _about_gain(channel: str, found: list[float]) -> str:
    """Where the gain of a channel was measured, in words."""
    known, unknown = [gain for gain in found if gain > 0], sum(gain == 0 for gain in found)
    said = []
    if known:
        said.append(
            f"Errors of amplitudes have the shot noise of {min(known):.3g} to {max(known):.3g} counts for a photon of "
            f"{channel}, measured in {counted(len(known), 'movies')} by how noise grows with brightness."
        )
    if unknown:
        said.append(
            f"{counted(unknown, 'movies')} did not show the counts for a photon of {channel}: there the errors of "
            "bright spots leave out their shot noise, and are too small."
        )
    return " ".join(said)
