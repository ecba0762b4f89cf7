"""`awd-cme simulate`, `tracks`, `extract` and `predict`: single steps on files. Nothing heavy is imported here."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

from awd_cme.app.run import note_channels
from awd_cme.run.job import RunJob
from awd_core.run import ARGUMENTS, Fields, Scheduler, Typed, Workers, echo, resumable

if TYPE_CHECKING:
    import pandas as pd

    from awd_cme.readers.source import Source
    from awd_cme.tracks.losses import LossReport
    from awd_core.workers import Workers as Crew

Table = Annotated[Path, Typed("FILE"), "Table, .parquet or .csv, or a graph, .geff."]


def simulate(
    out: Annotated[Path, ARGUMENTS, "Folder for movies and truth."],
    given: Annotated[Mapping[str, Any], Fields("preset cells seed quiet", of=RunJob)],
    workers: Workers = 1,
    scheduler: Scheduler = None,
) -> None:
    """Simulate two-channel movies of pits, as TIFF files with a table of what is true.

    The same command goes on with a simulation that was interrupted.
    """
    from awd_cme.simulate.simulation import simulate_dataset
    from awd_core.run import Screen
    from awd_core.workers import open_workers

    job = RunJob("simulated", str(out), **given)
    with resumable(out), Screen(quiet=job.quiet).task("Simulation") as show, open_workers(workers, scheduler) as crew:
        movies = simulate_dataset(out, job.preset, seed=job.seed, workers=crew, progress=show, cells=job.cells)
    if not job.quiet:
        echo(f"Written to {out}: {len(movies)} movies, {movies[0].name} …, and their truth.")


def tracks(
    data: Annotated[str, ARGUMENTS, Typed("MOVIES|FILE"), "Movies to track in, or tracks to convert."],
    given: Annotated[
        Mapping[str, Any],
        Fields(
            "channels seconds_per_frame micrometres_per_pixel axes z series sigma gain format columns position_unit "
            "master on_error compound threads quiet",
            of=RunJob,
            others={"on_error": "raise"},
        ),
    ],
    out: Table,
    workers: Workers = 1,
    scheduler: Scheduler = None,
) -> None:
    """Tracks of movies, by detection and linking, with their intensities; or tracks of another format, converted."""
    from awd_cme.readers.source import recognise_source
    from awd_cme.run.data import read_tracks_file
    from awd_core.workers import open_workers

    job = RunJob(data, str(out), **given)
    write = _writer(job)
    source = recognise_source(data)
    if source.kind == "simulated":
        raise ValueError("the simulation is no file yet; make it with awd-cme simulate OUT, then give OUT")
    with open_workers(workers, scheduler) as crew:
        if source.kind == "tracks":
            write(*read_tracks_file(job, source.path, crew))
        else:
            write(*_tracked(job, source, None, crew))


def extract(
    movie: Annotated[str, ARGUMENTS, Typed("MOVIES"), "A movie, or a folder of movies."],
    tracks: Annotated[str, Typed("FILE"), "Tracks of any format."],
    given: Annotated[
        Mapping[str, Any],
        Fields(
            "channels seconds_per_frame micrometres_per_pixel axes z series sigma gain format columns position_unit "
            "master on_error compound threads quiet",
            of=RunJob,
            others={"on_error": "raise"},
        ),
    ],
    out: Table,
    workers: Workers = 1,
    scheduler: Scheduler = None,
) -> None:
    """Intensities of both channels at the positions of tracks."""
    from awd_cme.readers.source import recognise_source
    from awd_core.workers import open_workers

    job = RunJob(movie, str(out), **given)
    write = _writer(job)
    source = recognise_source(movie)
    if source.kind != "movies":
        raise ValueError(f"{movie} is no movie and no folder of movies; intensities are measured in movies")
    with open_workers(workers, scheduler) as crew:
        write(*_tracked(job, source, tracks, crew))


def _tracked(job: RunJob, source: "Source", positions: str | None, crew: "Crew") -> tuple["pd.DataFrame", Any]:
    """Tracks with intensities of all movies, by way of a folder beside the table, which workers reach."""
    from awd_cme.run.data import read_positions, tracking_settings
    from awd_cme.tracking.cells import Cells, track_cells
    from awd_cme.tracks.losses import LossReport
    from awd_cme.tracks.writers import write_parquet
    from awd_core.run import Screen

    note_channels(job)
    out = Path(job.out)
    with TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as beside:
        given, losses = None, LossReport()
        if positions is not None:
            table, losses = read_positions(positions, job, source.cells)
            given = Path(beside) / "given/positions.parquet"
            given.parent.mkdir()
            write_parquet(table, given)
        with Screen(quiet=job.quiet).task("Tracks and intensities") as show:
            cells = Cells(Path(beside), tracking_settings(job), given)
            table, lost, _ = track_cells(cells, source.cells, crew, show)
    losses.merge(lost)
    return table, losses


def predict(
    card: Annotated[Path, ARGUMENTS, "card.json or student_card.json, a run's folder, or the name of a shipped card."],
    data: Annotated[
        str, ARGUMENTS, Typed("TRACKS"), "Tracks with intensities, or movies: a file or a folder of cells."
    ],
    given: Annotated[
        Mapping[str, Any],
        Fields(
            "channels seconds_per_frame micrometres_per_pixel format columns position_unit master on_error compound",
            of=RunJob,
        ),
    ],
    resample: Annotated[bool, "Bring tracks of another frame interval to the card's."] = False,
    out: Annotated[Path | None, Typed("FILE"), "Write all predictions, .csv; else some are printed."] = None,
) -> None:
    """Predict the partner of every track from what is seen, by a model card.

    Movies are tracked first, as awd-cme tracks does it. Cards that are shipped: simulated-success, simulated-strength.
    Tracks unlike those that the card was fitted to are predicted too, and marked: the column outside says why.
    """
    from awd_cme.model.predict import load_card, predict_tracks, predictions_text
    from awd_cme.readers.source import recognise_source
    from awd_cme.run.data import read_tracks_file
    from awd_cme.tracks.losses import counted
    from awd_core.files import write_atomically
    from awd_core.workers import open_workers

    job = RunJob(data, str(out), **given)
    model = load_card(card / "card.json" if card.is_dir() else card)
    source = recognise_source(data)
    if source.kind == "movies":
        with open_workers(1) as crew:
            table, losses = _tracked(replace(job, quiet=True), source, None, crew)
    else:
        table, losses = read_tracks_file(job, Path(data))
    predictions, lost = predict_tracks(model, table, resample=resample)
    losses.merge(lost)
    echo(str(losses))
    if out is None:
        echo(f"\n{predictions_text(predictions)}")
        return
    write_atomically(out, predictions.to_csv(index=False, lineterminator="\n").encode(errors="backslashreplace"))
    echo(f"Written to {out}: predictions for {counted(len(predictions), 'tracks')}.")


def transfer(
    data: Annotated[
        str, ARGUMENTS, Typed("TRACKS"), "A folder of track files, one a strain, or tracks of several cells."
    ],
    given: Annotated[
        Mapping[str, Any],
        Fields(
            "channels seconds_per_frame micrometres_per_pixel format columns position_unit master on_error compound "
            "resample target settings scale_inputs features starts levels seed",
            of=RunJob,
        ),
    ],
    out: Annotated[Path | None, Typed("FILE"), "Write the table, .csv."] = None,
) -> None:
    """Fit on some strains and score on another: a table of all pairs, and of all others together.

    The model is the readable one, with the first wavelet of --starts; no network is trained.
    """
    from awd_cme.run.data import Tracked, at_one_interval, read_tracks_file
    from awd_cme.run.series import series_of
    from awd_cme.run.transfer import transfer_table
    from awd_core.files import write_atomically

    job = RunJob(data, str(out), **given)
    table, losses = read_tracks_file(job, Path(data))
    yeast = any("goodTrackData" in said for said in losses.recognised)
    series = series_of(job, at_one_interval(job, Tracked(table, losses, {}, "", yeast)))
    echo(str(series.losses))
    found = transfer_table(job, series)
    echo(f"\n{found.to_string(index=False, float_format='{:.3f}'.format)}")
    if out is not None:
        write_atomically(out, found.to_csv(index=False, lineterminator="\n").encode(errors="backslashreplace"))
        echo(f"Written to {out}: {len(found)} pairs.")


def _writer(job: RunJob) -> Callable[["pd.DataFrame", "LossReport"], None]:
    """What writes a table to a file of this ending, and says what was lost."""
    out = Path(job.out)
    kind = out.suffix.lower()
    if kind not in (".parquet", ".csv", ".geff"):
        raise ValueError(f"{out} ends in {kind or 'nothing'}; tables are written as .parquet, .csv or .geff")

    def write(table: "pd.DataFrame", losses: "LossReport") -> None:
        from awd_cme.tracks.geff import write_geff
        from awd_cme.tracks.writers import write_csv, write_parquet

        {".csv": write_csv, ".parquet": write_parquet, ".geff": write_geff}[kind](table, out)
        for doubt in losses.doubts if job.quiet else ():
            echo(f"Warning: {doubt}.", aside=True)
        if not job.quiet:
            echo(str(losses))
            echo(f"Written to {out}: {len(table)} rows.")

    return write
