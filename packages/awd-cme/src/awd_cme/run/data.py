"""The first part of a run: movies or files to one table of tracks, with an account of what became of them."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pandas as pd

from awd_cme.readers.source import SIMULATED, Source, recognise_source
from awd_cme.run.job import RunJob
from awd_cme.tracking.cells import Cells, TrackingSettings, track_cells
from awd_cme.tracks.losses import LossReport
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
    """
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
            given, losses = read_positions(job.tracks, job, only=list(source.cells))
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


def read_positions(file: str, job: RunJob, only: list[str]) -> tuple[pd.DataFrame, LossReport]:
    """Tracks for movies, by the names of their cells; those of a file without names belong to the only movie."""
    from awd_cme.readers.read import read_tracks

    options: dict[str, Any] = {"format": job.format, "on_error": job.on_error, "compound": job.compound}
    alone = len(only) == 1
    table, losses = read_tracks(file, **options)
    names = sorted(str(name) for name in table["cell"].unique())
    if alone and len(names) == 1 and names != only:
        table["cell"] = table["cell"].cat.remove_unused_categories().cat.rename_categories(only)
        losses.assume(f"the tracks of {names[0]!r} in {Path(file).name} belong to the movie {only[0]!r}.")
    elif lacking := sorted(set(only) - set(names)):
        raise ValueError(
            f"{file} has no tracks of the cells {lacking}, but of {names}; name the cells as the movies are named"
        )
    return table, losses


def read_tracks_file(
    job: RunJob, path: Path, workers: int | Workers = 1, folder: Path | None = None
) -> tuple[pd.DataFrame, LossReport]:
    """Tracks of a file or an experiment, with the job's options."""
    from awd_cme.readers.read import read_tracks

    options: dict[str, Any] = {"on_error": job.on_error, "compound": job.compound, "format": job.format}
    return read_tracks(
        path, channels=job.channels, seconds_per_frame=job.seconds_per_frame,
        micrometres_per_pixel=job.micrometres_per_pixel, workers=workers, folder=folder, **options,
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
