"""The first part of a run: movies or files to one table of tracks, with an account of what became of them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, cast

import pandas as pd

from awd_cme.movies.units import without_interval
from awd_cme.readers.source import SIMULATED, Source, recognise_source
from awd_cme.run.job import RunJob
from awd_cme.tracking.cells import Cells, TrackingSettings, track_cells
from awd_cme.tracks.intervals import at_interval, different, frame_intervals
from awd_cme.tracks.losses import LossReport
from awd_cme.tracks.table import in_order
from awd_cme.tracks.writers import write_parquet
from awd_core.run import RunFolder
from awd_core.workers import Workers, open_workers


@dataclass(frozen=True)
class Tracked:
    """Tracks with their intensities."""

    table: pd.DataFrame  # canonical
    losses: LossReport  # what was read, lost and assumed
    origin: Mapping[str, str]  # where axes, channels, frame interval and size of a pixel were found
    account: str  # one sentence on what the data are
    yeast: bool = False  # whether the file is of the yeast kind, whose learning problem is another


def tracks_of(run: RunFolder, job: RunJob, source: Source, workers: int | Workers = 1) -> Tracked:
    """Read, or track and extract; what is in the run's folder already is not done again.

    Of movies it gets `tracks.parquet`. The tracks do not depend on the workers.

    Raises
    ------
    ValueError
        If frame intervals of cells differ, and the job does not say which one all are to be brought to.
    """
    return at_one_interval(job, _tracks_of(run, job, source, workers))


def at_one_interval(job: RunJob, tracked: Tracked) -> Tracked:
    """Tracks whose frame intervals are alike, or are brought to that of the job; raises as `tracks_of`."""
    if job.resample is not None:
        return replace(tracked, table=at_interval(tracked.table, job.resample, tracked.losses))
    intervals = frame_intervals(tracked.table)
    unknown = [cell for cell, seconds in intervals.items() if seconds is None]
    if 0 < len(unknown) < len(intervals):
        tracked.losses.doubt(
            f"the frame interval of {', '.join(unknown[:3])} is unknown ({len(unknown)} of {len(intervals)} cells), "
            "and is taken to be that of the others; --seconds-per-frame tells it"
        )
    if len(found := different(intervals)) > 1:
        said = "; ".join(f"{seconds:g} s ({', '.join(cells[:3])})" for seconds, cells in found.items())
        raise ValueError(
            f"the cells have different frame intervals, {said}, and a series counts frames: --resample {max(found):g} "
            "(resample) brings all to one, or run those of one interval at a time. Where a file is wrong, "
            "--seconds-per-frame tells the interval of all"
        )
    return tracked


def _tracks_of(run: RunFolder, job: RunJob, source: Source, workers: int | Workers = 1) -> Tracked:
    """Read, or track and extract."""
    with open_workers(workers) as crew:
        if source.kind == "tracks":
            with run.step("Reading tracks"):
                return _read(run, job, source.path, crew)
        if source.kind == SIMULATED:
            from awd_cme.simulate.simulation import simulate_dataset

            with run.step("Simulation") as progress:
                simulate_dataset(
                    run / "movies", job.preset, seed=job.seed, workers=crew, progress=progress, **_simulation(job)
                )
            source = recognise_source(run / "movies")
        positions, losses = None, LossReport()
        if job.tracks is not None:
            given, losses = read_positions(job.tracks, job, source.cells)
            positions = run / "tracks/given/positions.parquet"
            positions.parent.mkdir(parents=True, exist_ok=True)
            if not positions.exists():
                write_parquet(given, positions)
        with run.step("Tracks and intensities") as progress:
            progress(0, len(source.cells))
            cells = Cells(run / "tracks", tracking_settings(job), positions)
            table, lost, origin = track_cells(cells, source.cells, crew, progress)
    losses.merge(lost)
    if not (run / "tracks.parquet").exists():
        write_parquet(table, run / "tracks.parquet")
    how = "simulated and written as TIFF files, read back, " if job.data == SIMULATED else ""
    found = "spots detected and linked" if positions is None else f"positions from {Path(job.tracks or '').name}"
    account = f"{table['cell'].nunique()} two-channel movies, {how}{found}, intensities fitted at every position."
    return Tracked(table, losses, origin, account)


def tracking_settings(job: RunJob) -> TrackingSettings:
    """What a job says of movies and their tracking."""
    return TrackingSettings(**{item.name: getattr(job, item.name) for item in fields(TrackingSettings)})


def read_positions(
    file: str, job: RunJob, movies: Mapping[str, Path | tuple[Path, ...]]
) -> tuple[pd.DataFrame, LossReport]:
    """Tracks for movies, by the names of their cells; those of a file without names belong to the only movie.

    A table in micrometres becomes one in pixels by the size that the movies tell, if no option does.

    Raises
    ------
    ValueError
        If a movie has no tracks, or names fit several; if positions need a size that the movies do not share.
    """
    from awd_cme.readers.read import read_tracks

    size, sizes_said = job.micrometres_per_pixel, ""
    if size is None:
        sizes = _sizes_of_pixels(movies, job)
        size = next(iter(sizes)) if len(sizes) == 1 else None
        sizes_said = (
            ", ".join(f"{cells[0]}: {value:g} µm" for value, cells in sizes.items()) or "none of the movies says it"
        )
    try:
        table, losses = read_tracks(
            file, channels=None, seconds_per_frame=job.seconds_per_frame, micrometres_per_pixel=size, **_options(job)
        )
    except ValueError as error:
        if size is None and "micrometres_per_pixel" in str(error):
            raise ValueError(f"{error}. Of a pixel's size: {sizes_said}") from error
        raise
    # Intensities, and times that are unknown, are those of the movies.
    about = ("the file holds no intensities", "the channels, in the file's order", "the frame interval is unknown")
    losses.assumed = [said for said in losses.assumed if not said.startswith(about)]
    if job.micrometres_per_pixel is None and size is not None:
        losses.assume(f"a pixel is {size:g} µm, as the movies tell")
    names = sorted(str(name) for name in table["cell"].unique())
    known = matched(names, list(movies))
    if len(movies) == 1 and len(names) == 1 and not known:
        known = {names[0]: next(iter(movies))}
    if lacking := sorted(set(movies) - set(known.values())):
        raise ValueError(
            f"{file} has no tracks of the cells {lacking}, but of {names}; name the cells as the movies are named"
        )
    for name, cell in known.items():
        if name != cell:
            losses.assume(f"the tracks of {name!r} in {Path(file).name} belong to the movie {cell!r}.")
    if foreign := [name for name in names if name not in known]:
        tracks = table[table["cell"].isin(foreign)].groupby("cell", observed=True)["track"].nunique()
        losses.add("tracks", int(tracks.sum()), f"of {', '.join(foreign[:3])}, for which there is no movie")
        losses.kept -= int(tracks.sum())
    attrs = dict(table.attrs)
    table = table[table["cell"].isin(list(known))].reset_index(drop=True)
    table["cell"] = table["cell"].cat.remove_unused_categories().cat.rename_categories(known)
    table.attrs = attrs
    return in_order(table), losses


def matched(names: Sequence[str], cells: Sequence[str]) -> dict[str, str]:
    """Cells by the names that tracks give them: the same, or but for a frame interval, or for words about tracks.

    Raises
    ------
    ValueError
        If a name fits several cells, or a cell several names, equally well.

    Examples
    --------
    >>> matched(["cell1_1s", "Cell2_tracks", "cell4"], ["cell1", "cell2", "cell3"])
    {'cell1_1s': 'cell1', 'Cell2_tracks': 'cell2'}
    """
    found: dict[str, str] = {}
    for same in (str, without_interval, _bare):
        left = [name for name in names if name not in found]
        free = [cell for cell in cells if cell not in found.values()]
        for cell in free:
            fits = [name for name in left if same(name) == same(cell)]
            also = [other for other in free if same(other) == same(cell)]
            if len(fits) > 1 or (fits and len(also) > 1):
                raise ValueError(
                    f"tracks of {', '.join(fits)} all fit the movie of {cell!r}, or it and {', '.join(also)} the same "
                    "tracks; name each as its movie"
                )
            found |= dict.fromkeys(fits, cell)
    return found


def _bare(name: str) -> str:
    """A cell's name without its folder, its frame interval, and words of tracking programs, in small letters."""
    word = re.sub(r"\.ome$", "", name.rpartition("/")[2], flags=re.IGNORECASE).casefold()
    about = r"(all|my|merged|filtered|linked|exported?)?[_\-. ]?(tracks?|spots?|trackmate|trajector(y|ies)|positions?)"
    before = None
    while before != word:
        before = word
        word = without_interval(re.sub(rf"([_\-. ]+{about}([_\-. ]?(statistics|table|export))?)$", "", word))
        word = re.sub(rf"^({about}[_\-. ]+)", "", word)
    return word


def _sizes_of_pixels(movies: Mapping[str, Path | tuple[Path, ...]], job: RunJob) -> dict[float, list[str]]:
    """Sizes of a pixel that the movies tell, and of which cells; what cannot be opened says nothing here."""
    from awd_cme.movies.open import open_movie

    found: dict[float, list[str]] = {}
    for cell, path in movies.items():
        try:
            size = open_movie(path, axes=job.axes, channels=job.channels, z=cast(Any, job.z), series=job.series)
        except (ValueError, OSError):
            continue
        if (value := size.micrometres_per_pixel) is not None:
            found.setdefault(next((one for one in found if abs(one / value - 1) < 1e-3), value), []).append(cell)
    return found


def _options(job: RunJob) -> dict[str, Any]:
    """What a job says of tracks."""
    names = ("format", "on_error", "compound", "columns", "position_unit", "master")
    return {name: getattr(job, name) for name in names}


def read_tracks_file(
    job: RunJob, path: Path, workers: int | Workers = 1, folder: Path | None = None
) -> tuple[pd.DataFrame, LossReport]:
    """Tracks of a file or an experiment, with the job's options."""
    from awd_cme.readers.read import read_tracks

    return read_tracks(
        path, channels=job.channels, seconds_per_frame=job.seconds_per_frame,
        micrometres_per_pixel=job.micrometres_per_pixel, workers=workers, folder=folder, **_options(job),
    )  # fmt: skip


def _read(run: RunFolder, job: RunJob, path: Path, crew: Workers) -> Tracked:
    from awd_cme.readers.read import recognise

    path = path.absolute()  # workers may be at work in another folder
    kind = recognise(path) if job.format == "auto" else job.format
    if kind == "files":
        from awd_cme.readers.folder import track_files

        kind = _kind_of_files(track_files(path))
    table, losses = read_tracks_file(job, path, crew, run / "tracks")
    given = {"seconds_per_frame": job.seconds_per_frame, "micrometres_per_pixel": job.micrometres_per_pixel}
    origin = {name: "given as an option" if value is not None else "the tracks' file" for name, value in given.items()}
    origin["channels"] = "given as an option" if job.channels else "the tracks' file, or the default names"
    account = losses.recognised[0] if losses.recognised else f"tracks read from {path.name}"
    return Tracked(table, losses, origin, account.replace(f"{path}: ", f"{path.name}: "), kind == "yeast")


def _kind_of_files(files: list[Path]) -> str:
    """The format of the first file of a folder that is one of tracks; "files" if none is."""
    from awd_cme.readers.read import recognise

    for file in files:
        try:
            return recognise(file)
        except (ValueError, OSError):
            continue
    return "files"


def _simulation(job: RunJob) -> dict[str, Any]:
    changes = {name: tuple(value) if isinstance(value, list) else value for name, value in job.simulation.items()}
    return {"cells": job.cells} | changes
