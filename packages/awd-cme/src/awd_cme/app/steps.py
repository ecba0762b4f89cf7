"""`awd-cme simulate`, `tracks`, `extract` and `predict`: single steps on files. Nothing heavy is imported here."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from awd_cme.app.run import (
    AxesOption,
    CellsOption,
    ChannelsOption,
    FormatOption,
    IntervalOption,
    OnErrorOption,
    PixelOption,
    PresetOption,
    SeedOption,
    SigmaOption,
    ThreadsOption,
    note_channels,
)
from awd_cme.run.job import RunJob
from awd_core.checks import check_choice
from awd_core.run import QuietOption, SchedulerOption, WorkersOption, goes_on, parse_names

if TYPE_CHECKING:
    import pandas as pd

    from awd_cme.readers.source import Source
    from awd_cme.tracks.losses import LossReport
    from awd_core.workers import Workers

TableOption = Annotated[Path, typer.Option("--out", metavar="FILE", help="Table, .parquet or .csv.")]


def simulate(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder for movies and truth.")],
    *,
    preset: PresetOption = RunJob.preset,
    cells: CellsOption = RunJob.cells,
    seed: SeedOption = RunJob.seed,
    workers: WorkersOption = 1,
    scheduler: SchedulerOption = None,
    quiet: QuietOption = False,
) -> None:
    """Simulate two-channel movies of pits, as TIFF files with a table of what is true.

    The same command goes on with a simulation that was interrupted.
    """
    from awd_cme.simulate.simulation import PRESETS, simulate_dataset
    from awd_core.run import Screen
    from awd_core.workers import open_workers

    check_choice("--preset", preset, PRESETS)
    with goes_on(out), Screen(quiet=quiet).task("Simulation") as show, open_workers(workers, scheduler) as crew:
        movies = simulate_dataset(out, preset, seed=seed, workers=crew, progress=show, cells=cells)
    if not quiet:
        typer.echo(f"Written to {out}: {len(movies)} movies, {movies[0].name} …, and their truth.")


def tracks(
    data: Annotated[str, typer.Argument(metavar="MOVIES|FILE", help="Movies to track in, or tracks to convert.")],
    *,
    channels: ChannelsOption = None,
    seconds_per_frame: IntervalOption = None,
    micrometres_per_pixel: PixelOption = None,
    axes: AxesOption = None,
    sigma: SigmaOption = None,
    track_format: FormatOption = RunJob.format,
    on_error: OnErrorOption = "raise",
    compound: Annotated[str, typer.Option(help="join, split or drop compound tracks.")] = "join",
    threads: ThreadsOption = RunJob.threads,
    workers: WorkersOption = 1,
    scheduler: SchedulerOption = None,
    quiet: QuietOption = False,
    out: TableOption,
) -> None:
    """Tracks of movies, by detection and linking, with their intensities; or tracks of another format, converted."""
    from awd_cme.readers.source import recognise_source
    from awd_cme.run.data import read_tracks_file
    from awd_core.workers import open_workers

    write = _writer(out, quiet)
    job = RunJob(
        data, str(out), channels=parse_names(channels), seconds_per_frame=seconds_per_frame,
        micrometres_per_pixel=micrometres_per_pixel, axes=axes, sigma=sigma, format=track_format, on_error=on_error,
        compound=compound, threads=threads,
    )  # fmt: skip
    source = recognise_source(data)
    if source.kind == "simulated":
        raise ValueError("the simulation is no file yet; make it with awd-cme simulate OUT, then give OUT")
    with open_workers(workers, scheduler) as crew:
        if source.kind == "tracks":
            write(*read_tracks_file(job, source.path, crew))
        else:
            write(*_tracked(job, source, None, crew, quiet))


def extract(
    movie: Annotated[str, typer.Argument(metavar="MOVIES", help="A movie, or a folder of movies.")],
    *,
    positions: Annotated[str, typer.Option("--tracks", metavar="FILE", help="Tracks of any format.")],
    channels: ChannelsOption = None,
    seconds_per_frame: IntervalOption = None,
    axes: AxesOption = None,
    sigma: SigmaOption = None,
    track_format: FormatOption = RunJob.format,
    on_error: OnErrorOption = "raise",
    threads: ThreadsOption = RunJob.threads,
    workers: WorkersOption = 1,
    scheduler: SchedulerOption = None,
    quiet: QuietOption = False,
    out: TableOption,
) -> None:
    """Intensities of both channels at the positions of tracks."""
    from awd_cme.readers.source import recognise_source
    from awd_core.workers import open_workers

    write = _writer(out, quiet)
    job = RunJob(
        movie, str(out), channels=parse_names(channels), seconds_per_frame=seconds_per_frame,
        axes=axes, sigma=sigma, format=track_format, on_error=on_error, threads=threads,
    )  # fmt: skip
    source = recognise_source(movie)
    if source.kind != "movies":
        raise ValueError(f"{movie} is no movie and no folder of movies; intensities are measured in movies")
    with open_workers(workers, scheduler) as crew:
        write(*_tracked(job, source, positions, crew, quiet))


def _tracked(
    job: RunJob, source: "Source", positions: str | None, crew: "Workers", quiet: bool
) -> tuple["pd.DataFrame", Any]:
    """Tracks with intensities of all movies, by way of a folder beside the table, which workers reach."""
    from awd_cme.run.data import read_positions, tracking_settings
    from awd_cme.tracking.cells import Cells, track_cells
    from awd_cme.tracks.losses import LossReport
    from awd_cme.tracks.writers import write_parquet
    from awd_core.run import Screen

    note_channels(job, quiet)
    out = Path(job.out)
    with TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as beside:
        given, losses = None, LossReport()
        if positions is not None:
            table, losses = read_positions(positions, job, list(source.cells))
            given = Path(beside) / "given/positions.parquet"
            given.parent.mkdir()
            write_parquet(table, given)
        with Screen(quiet=quiet).task("Tracks and intensities") as show:
            cells = Cells(Path(beside), tracking_settings(job), given)
            table, lost, _ = track_cells(cells, source.cells, crew, show)
    losses.merge(lost)
    return table, losses


def predict(
    card: Annotated[
        Path, typer.Argument(metavar="CARD", help="A model card, card.json of a run, or the run's folder.")
    ],
    data: Annotated[str, typer.Argument(metavar="TRACKS", help="Tracks with intensities, of any format.")],
    *,
    channels: ChannelsOption = None,
    seconds_per_frame: IntervalOption = None,
    track_format: FormatOption = RunJob.format,
    on_error: OnErrorOption = "skip",
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write all predictions, .csv; else some are printed.")
    ] = None,
) -> None:
    """Predict the partner of every track from what is seen, by a model card.

    Tracks unlike those that the card was fitted to are predicted too, and marked: the column outside says why.
    """
    from awd_cme.model.card import ModelCard
    from awd_cme.model.predict import predict_tracks, predictions_text
    from awd_cme.readers.read import read_tracks
    from awd_cme.tracks.losses import counted
    from awd_core.files import write_atomically

    options: dict[str, Any] = {"on_error": on_error, "format": track_format}
    names = parse_names(channels)
    model = ModelCard.load(card / "card.json" if card.is_dir() else card)
    table, losses = read_tracks(data, channels=names, seconds_per_frame=seconds_per_frame, **options)
    predictions, lost = predict_tracks(model, table)
    losses.merge(lost)
    typer.echo(str(losses))
    if out is None:
        typer.echo(f"\n{predictions_text(predictions)}")
        return
    write_atomically(out, predictions.to_csv(index=False, lineterminator="\n").encode(errors="backslashreplace"))
    typer.echo(f"Written to {out}: predictions for {counted(len(predictions), 'tracks')}.")


def _writer(out: Path, quiet: bool) -> Callable[["pd.DataFrame", "LossReport"], None]:
    """What writes a table to a file of this ending, and says what was lost."""
    kind = out.suffix.lower()
    if kind not in (".parquet", ".csv"):
        raise ValueError(f"{out} ends in {kind or 'nothing'}; tables are written as .parquet or .csv")

    def write(table: "pd.DataFrame", losses: "LossReport") -> None:
        from awd_cme.tracks.writers import write_csv, write_parquet

        (write_csv if kind == ".csv" else write_parquet)(table, out)
        if not quiet:
            typer.echo(str(losses))
            typer.echo(f"Written to {out}: {len(table)} rows.")

    return write
