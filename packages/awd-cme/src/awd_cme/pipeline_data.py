"""The first part of a run: movies or files to one table of tracks, with an account of what became of them."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from awd_cme.losses import LossReport
from awd_cme.run_job import RunJob
from awd_cme.series_file import losses_from
from awd_cme.sources import SIMULATED, Source, recognise_source
from awd_cme.tracks import concat, spans, starts
from awd_cme.writers import write_parquet
from awd_core.run_folder import RunFolder

Progress = Callable[[int, int, str], object]
WHOLE, CUT, THROUGHOUT = 1, 3, 4


@dataclass(frozen=True)
class Tracked:
    """Tracks with their intensities.

    Attributes
    ----------
    table : DataFrame
        Canonical.
    losses : LossReport
        What was read, lost and assumed.
    origin : mapping of str to str
        Where axes, channels, frame interval and size of a pixel were found.
    account : str
        One sentence on what the data are.
    yeast : bool
        Whether the file is of the yeast kind, whose learning problem is another.
    """

    table: pd.DataFrame
    losses: LossReport
    origin: Mapping[str, str]
    account: str
    yeast: bool = False


def tracks_of(run: RunFolder, job: RunJob, source: Source) -> Tracked:
    """Read, or track and extract; what is in the run's folder already is not done again.

    Parameters
    ----------
    run : RunFolder
        The run; of movies it gets `tracks.parquet`.
    job : RunJob
        What is asked.
    source : Source
        What the data are.
    """
    if source.kind == "tracks":
        with run.step("Reading tracks"):
            return _read(job, source.path)
    if source.kind == SIMULATED:
        from awd_cme.simulate import simulate_dataset

        with run.step("Simulation") as progress:
            simulate_dataset(
                run / "movies", job.preset, seed=job.seed, workers=1, progress=progress, **_simulation(job)
            )
        source = recognise_source(run / "movies")
    (run / "tracks").mkdir(exist_ok=True)
    given = None
    if job.tracks is not None:
        given = read_positions(job.tracks, job, only=list(source.cells))
    tables, losses = [], LossReport()
    origin: dict[str, str] = {}
    widths: list[float] = []
    if given is not None:
        losses.merge(given[1])
    with run.step("Tracks and intensities") as progress:
        for number, (cell, path) in enumerate(source.cells.items()):
            progress(number, len(source.cells), cell)
            table, lost, origin = _cell(run, job, cell, path, None if given is None else given[0])
            tables.append(table)
            losses.merge(lost)
            if "sigma" in origin:
                widths.append(float(origin.pop("sigma")))
        progress(len(source.cells), len(source.cells))
    if widths:
        losses.assume(
            f"Spots are {min(widths):.2f} to {max(widths):.2f} pixels wide (sigma), measured in the first channel of "
            f"{len(widths)} movies; this holds for all channels."
        )
    table = concat(tables)
    if not (run / "tracks.parquet").exists():
        write_parquet(table, run / "tracks.parquet")
    how = "simulated and written as TIFF files, read back, " if job.data == SIMULATED else ""
    found = "spots detected and linked" if given is None else f"positions from {Path(job.tracks or '').name}"
    account = f"{len(source.cells)} two-channel movies, {how}{found}, intensities fitted at every position."
    return Tracked(table, losses, origin, account)


def read_positions(file: str, job: RunJob, only: list[str]) -> tuple[pd.DataFrame, LossReport]:
    """Tracks for movies, by the names of their cells; those of a file without names belong to the only movie."""
    from awd_cme.readers import read_tracks

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


def track_cell(
    path: Path, cell: str, job: RunJob, positions: pd.DataFrame | None
) -> tuple[pd.DataFrame, LossReport, dict[str, str]]:
    """Tracks with intensities of one movie.

    Parameters
    ----------
    path : Path
        The movie.
    cell : str
        What the table calls it.
    job : RunJob
        For options of movie, width and threads.
    positions : DataFrame, optional
        Canonical table with the positions to measure at; spots are detected and linked if not given.

    Returns
    -------
    table, losses, origin : DataFrame, LossReport, dict
        Canonical table, p-values by cmeAnalysis' test against the noise of the background; what was lost; where the
        facts about the movie were found.
    """
    from awd_cme.detect import estimate_sigma
    from awd_cme.link import track_movie
    from awd_cme.movies import open_movie
    from awd_cme.series import extract

    movie = open_movie(
        path, axes=job.axes, channels=job.channels, seconds_per_frame=job.seconds_per_frame,
        micrometres_per_pixel=job.micrometres_per_pixel,
    )  # fmt: skip
    losses, origin = LossReport(), dict(movie.origin)
    sigma = job.sigma
    if sigma is None:
        frames = np.unique(np.linspace(0, movie.shape[0] - 1, 10).round().astype(int))
        width = estimate_sigma(np.stack([movie.frame(int(t), 0) for t in frames]))
        sigma = width.sigma
        origin["sigma"] = f"{sigma:.4f}"
    if positions is None:
        table = track_movie(
            movie,
            sigma=sigma,
            cell=cell,
            source=path.name,
            channels=movie.channels[:1],
            threads=job.threads,
            losses=losses,
        )
    else:
        table = positions[positions["cell"] == cell].reset_index(drop=True)
        table["cell"] = table["cell"].cat.set_categories([cell])
        table.attrs = dict(positions.attrs)
        losses.came = losses.kept = 0
    extracted = LossReport()
    table = extract(movie, table, sigma=sigma, test="noise", threads=job.threads, losses=extracted)
    extracted.came = extracted.kept = 0
    losses.merge(extracted)
    return categorised(table, movie.shape[0]), losses, origin


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


def _cell(
    run: RunFolder, job: RunJob, cell: str, path: Path, positions: pd.DataFrame | None
) -> tuple[pd.DataFrame, LossReport, dict[str, str]]:
    """One cell, kept in the folder `tracks` of the run: the table first, then its account, which says it is whole."""
    name = f"tracks/{cell.replace('/', '_')}"
    said = run / f"{name}.json"
    if not said.exists():
        table, losses, origin = track_cell(path, cell, job, positions)
        write_parquet(table, run / f"{name}.parquet")
        run.write_json(f"{name}.json", {"losses": losses.to_dict(), "origin": origin})
    values = json.loads(said.read_bytes())
    return pd.read_parquet(run / f"{name}.parquet"), losses_from(values["losses"]), values["origin"]


def read_tracks_file(job: RunJob, path: Path) -> tuple[pd.DataFrame, LossReport]:
    """Tracks of a file or an experiment, with the job's options."""
    from awd_cme.readers import read_tracks

    options: dict[str, Any] = {"on_error": job.on_error, "compound": job.compound, "format": job.format}
    return read_tracks(
        path, channels=job.channels, seconds_per_frame=job.seconds_per_frame,
        micrometres_per_pixel=job.micrometres_per_pixel, **options,
    )  # fmt: skip


def _read(job: RunJob, path: Path) -> Tracked:
    from awd_cme.readers import recognise

    kind = recognise(path) if job.format == "auto" else job.format
    table, losses = read_tracks_file(job, path)
    given = {"seconds_per_frame": job.seconds_per_frame, "micrometres_per_pixel": job.micrometres_per_pixel}
    origin = {name: "given as an option" if value is not None else "the tracks' file" for name, value in given.items()}
    origin["channels"] = "given as an option" if job.channels else "the tracks' file, or the default names"
    account = losses.recognised[0] if losses.recognised else f"tracks read from {path.name}"
    return Tracked(table, losses, origin, account.replace(f"{path}: ", f"{path.name}: "), kind == "yeast")


def _simulation(job: RunJob) -> dict[str, Any]:
    changes = {name: tuple(value) if isinstance(value, list) else value for name, value in job.simulation.items()}
    return {"cells": job.cells} | changes
