"""`awd-cme run`, and the same run step by step: teach, distill, evaluate, report. Nothing heavy is imported here."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from awd_cme.run.job import RunJob, job_of
from awd_core.run import (
    RUN,
    NoQualityOption,
    OverwriteOption,
    QuietOption,
    SchedulerOption,
    WorkersOption,
    goes_on,
    parse_names,
    parse_shares,
)

DATA, LEARNING, SEARCH = "Data", "Learning problem", "Model"
STARTS, SHARES = ",".join(RunJob.starts), ",".join(f"{number:g}" for number in RunJob.shares)

DataArgument = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        help="A movie, a folder of movies, tracks of any format, a folder of track files (a cell each), an experiment "
        'of cmeAnalysis, or "simulated".',
    ),
]
OutOption = Annotated[Path, typer.Option("--out", metavar="RUN", help="Folder of the run.", rich_help_panel=RUN)]
TracksOption = Annotated[
    str | None,
    typer.Option("--tracks", metavar="FILE", help="Tracks for the movies: nothing is detected.", rich_help_panel=DATA),
]
ChannelsOption = Annotated[
    str | None,
    typer.Option(
        metavar="A,B",
        help="Which channels, what is seen first; other names than the files' rename them in order.",
        rich_help_panel=DATA,
    ),
]
IntervalOption = Annotated[
    float | None, typer.Option(metavar="S", help="Frame interval, in place of the files'.", rich_help_panel=DATA)
]
PixelOption = Annotated[
    float | None, typer.Option(metavar="UM", help="Size of a pixel, in place of the files'.", rich_help_panel=DATA)
]
AxesOption = Annotated[
    str | None, typer.Option(metavar="TCYX", help="Axes of movies that do not say them.", rich_help_panel=DATA)
]
SigmaOption = Annotated[
    float | None, typer.Option(metavar="PX", help="Width of the spots; measured if not given.", rich_help_panel=DATA)
]
FormatOption = Annotated[str, typer.Option("--format", help="Format of tracks.", rich_help_panel=DATA)]
OnErrorOption = Annotated[
    str, typer.Option(help="raise or skip: what becomes of tracks with wrong rows.", rich_help_panel=DATA)
]
PresetOption = Annotated[str, typer.Option(help="quick or realistic: what is simulated.", rich_help_panel=DATA)]
CellsOption = Annotated[int, typer.Option(min=1, help="How many cells are simulated.", rich_help_panel=DATA)]
TargetOption = Annotated[
    str | None,
    typer.Option(
        help="success, mean_significant, max or consecutive; the settings' if not given.", rich_help_panel=LEARNING
    ),
]
SettingsOption = Annotated[
    str | None,
    typer.Option(help="published, published-lstm, published-success, cmeanalysis, yeast.", rich_help_panel=LEARNING),
]
ScaleOption = Annotated[
    str,
    typer.Option(help="auto, training or own: whose tracks standardise a cell's series.", rich_help_panel=LEARNING),
]
ShareOption = Annotated[float, typer.Option(help="Part of the cells to train on.", rich_help_panel=LEARNING)]
TestOption = Annotated[
    str | None, typer.Option(metavar="C1,C2", help="Cells to test on, not drawn.", rich_help_panel=LEARNING)
]
NetworkOption = Annotated[
    str | None,
    typer.Option(metavar="PKG.MODULE:FACTORY", help="A network of your own as teacher.", rich_help_panel=SEARCH),
]
GradientsOption = Annotated[
    str | None,
    typer.Option(metavar="G", help="Or: ready gradients, one for each sample of series.npz.", rich_help_panel=SEARCH),
]
EpochsOption = Annotated[int, typer.Option(min=1, help="Of the teacher.", rich_help_panel=SEARCH)]
TeacherFoldsOption = Annotated[
    int, typer.Option(min=0, help="Folds of the teacher's own score; 0 for none.", rich_help_panel=SEARCH)
]
FeaturesOption = Annotated[str, typer.Option(help="timed, both or published.", rich_help_panel=SEARCH)]
StartsOption = Annotated[
    str, typer.Option(metavar="LIST", help="Where searches start, the simplest first.", rich_help_panel=SEARCH)
]
SharesOption = Annotated[
    str, typer.Option(metavar="LIST|COUNT", help="Shares of the attributions, from 0 on.", rich_help_panel=SEARCH)
]
LevelsOption = Annotated[int, typer.Option(min=1, help="Levels of the transform.", rich_help_panel=SEARCH)]
RandomOption = Annotated[int, typer.Option(min=0, help="Random filters of each search.", rich_help_panel=SEARCH)]
RepeatsOption = Annotated[int, typer.Option(min=1, help="Drawings of the folds that select.", rich_help_panel=SEARCH)]
SeedOption = Annotated[int, typer.Option(min=0, help="Of all that is random.", rich_help_panel=RUN)]
SplitsOption = Annotated[
    int,
    typer.Option(min=1, help="Runs with this seed and those that follow, each with its split.", rich_help_panel=RUN),
]
UntilOption = Annotated[
    str, typer.Option(help="The last step: series, teacher, distill, results or report.", rich_help_panel=RUN)
]
ThreadsOption = Annotated[
    int, typer.Option(min=1, help="Images that one process works on at a time.", rich_help_panel=RUN)
]
FolderArgument = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of the run.")]


def run(
    data: DataArgument,
    *,
    tracks: TracksOption = None,
    channels: ChannelsOption = None,
    seconds_per_frame: IntervalOption = None,
    micrometres_per_pixel: PixelOption = None,
    axes: AxesOption = None,
    sigma: SigmaOption = None,
    track_format: FormatOption = RunJob.format,
    on_error: OnErrorOption = RunJob.on_error,
    preset: PresetOption = RunJob.preset,
    cells: CellsOption = RunJob.cells,
    target: TargetOption = None,
    settings: SettingsOption = None,
    scale_inputs: ScaleOption = RunJob.scale_inputs,
    share: ShareOption = RunJob.share,
    test_cells: TestOption = None,
    network: NetworkOption = None,
    gradients: GradientsOption = None,
    epochs: EpochsOption = RunJob.epochs,
    teacher_folds: TeacherFoldsOption = RunJob.teacher_folds,
    features: FeaturesOption = RunJob.features,
    starts: StartsOption = STARTS,
    shares: SharesOption = SHARES,
    levels: LevelsOption = RunJob.levels,
    random_starts: RandomOption = RunJob.random_starts,
    repeats: RepeatsOption = RunJob.repeats,
    seed: SeedOption = RunJob.seed,
    splits: SplitsOption = 1,
    until: UntilOption = RunJob.until,
    no_quality: NoQualityOption = False,
    out: OutOption,
    threads: ThreadsOption = RunJob.threads,
    workers: WorkersOption = 1,
    scheduler: SchedulerOption = None,
    overwrite: OverwriteOption = False,
    quiet: QuietOption = False,
) -> None:
    """From movies or tracks to a report: teacher, distilled wavelet, predictions, and how good they are.

    A run is a folder. The same command goes on with a run that was interrupted.
    """
    options: dict[str, Any] = {name: value for name, value in locals().items() if name in RunJob.__dataclass_fields__}
    options |= {
        "out": str(out),
        "format": track_format,
        "channels": parse_names(channels),
        "test_cells": parse_names(test_cells) or (),
        "starts": parse_names(starts),
        "shares": parse_shares(shares),
        "quality": not no_quality,
    }
    job = RunJob(**options)
    if splits == 1:
        _do(job, workers, scheduler)
        return
    from awd_cme.run.job_checks import check_job
    from awd_cme.run.splits import run_splits

    check_job(job)
    note_channels(job, job.quiet)
    lines = _told(out, lambda: run_splits(job, splits, workers=workers, scheduler=scheduler))
    if not quiet:
        typer.echo(lines)
        typer.echo(f"Written to {out}: splits.json, and a run for each split.")


def teach(
    data: DataArgument,
    *,
    target: TargetOption = None,
    settings: SettingsOption = None,
    tracks: TracksOption = None,
    network: NetworkOption = None,
    epochs: EpochsOption = RunJob.epochs,
    seed: SeedOption = RunJob.seed,
    preset: PresetOption = RunJob.preset,
    cells: CellsOption = RunJob.cells,
    out: OutOption,
    workers: WorkersOption = 1,
    scheduler: SchedulerOption = None,
    overwrite: OverwriteOption = False,
    quiet: QuietOption = False,
) -> None:
    """Begin a run: data, learning problem and split, and the teacher. `awd-cme distill RUN` goes on.

    For further options, `awd-cme run DATA --out RUN --until teacher` does the same.
    """
    _do(
        RunJob(
            data, str(out), target=target, settings=settings, tracks=tracks, network=network, epochs=epochs, seed=seed,
            preset=preset, cells=cells, until="teacher", overwrite=overwrite, quiet=quiet,
        ),
        workers,
        scheduler,
    )  # fmt: skip


def distill(
    folder: FolderArgument, *, workers: WorkersOption = 1, scheduler: SchedulerOption = None, quiet: QuietOption = False
) -> None:
    """Go on with a run: the teacher's gradients, and wavelets from every start."""
    _continue(folder, "distill", quiet, workers, scheduler)


def evaluate(
    folder: FolderArgument, *, workers: WorkersOption = 1, scheduler: SchedulerOption = None, quiet: QuietOption = False
) -> None:
    """Go on with a run: the wavelet chosen on training tracks, all rows of the table, the card."""
    _continue(folder, "results", quiet, workers, scheduler)


def report(
    folder: FolderArgument, *, workers: WorkersOption = 1, scheduler: SchedulerOption = None, quiet: QuietOption = False
) -> None:
    """Finish a run: whatever is not done yet, and the report."""
    _continue(folder, "report", quiet, workers, scheduler)


def _continue(folder: Path, until: str, quiet: bool, workers: int, scheduler: str | None) -> None:
    _do(job_of(str(folder), until=until, quiet=quiet), workers, scheduler)


def _do(job: RunJob, workers: int, scheduler: str | None) -> None:
    from awd_cme.run.job_checks import check_job
    from awd_cme.run.pipeline import run_pipeline

    check_job(job)
    note_channels(job, job.quiet)
    folder = Path(job.out)
    _told(folder, lambda: run_pipeline(job, workers=workers, scheduler=scheduler))
    if job.quiet:
        return
    if job.reaches("results"):
        from awd_cme.report.result_lines import result_lines
        from awd_cme.run.pipeline import read_results

        typer.echo(result_lines(read_results(folder)))
    written = {
        "series": "series.npz",
        "teacher": "teacher.safetensors",
        "distill": "wavelets",
        "results": "results.json",
    }
    typer.echo(f"Written to {folder}: {written.get(job.until, 'report.html, card.json, results.json')} and more.")


def note_channels(job: RunJob, quiet: bool) -> None:
    """Say, before any work, that channels of movies get other names than the files'."""
    if job.channels is None:
        return
    from awd_cme.movies.open import renamed_channels
    from awd_cme.readers.source import recognise_source

    cells = recognise_source(job.data).cells
    if cells and (note := renamed_channels(next(iter(cells.values())), job.channels)) and not quiet:
        typer.echo(f"Note: {note}.", err=True)


def _told(folder: Path, work: Callable[[], Any]) -> Any:
    with goes_on(folder):
        return work()
