"""`awd-cme run`, and the same run step by step: teach, distill, evaluate, report. Nothing heavy is imported here."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from awd_cme.run.job import RunJob, Step, job_of
from awd_core.run import (
    ARGUMENTS,
    RUN,
    AtLeast,
    Fields,
    Question,
    Quiet,
    Scheduler,
    Typed,
    Workers,
    check_parts,
    echo,
    echo_sentences,
    resumable,
)

Folder = Annotated[Path, ARGUMENTS, Typed("RUN"), "Folder of a run."]


def run(
    job: RunJob,
    splits: Annotated[int, RUN, AtLeast(1), "Runs with this seed and those that follow, each with its split."] = 1,
    workers: Workers = 1,
    scheduler: Scheduler = None,
) -> None:
    """From movies or tracks to a report: teacher, distilled wavelet, predictions, and how good they are.

    A run is a folder. The same command goes on with a run that was interrupted.
    """
    if splits == 1:
        _do(job, workers, scheduler)
        return
    from awd_cme.run.splits import run_splits

    check_parts(job.starts, job.network, [job.tracks, job.gradients])
    note_channels(job)
    out = Path(job.out)
    with resumable(out):
        lines = run_splits(job, splits, workers=workers, scheduler=scheduler)
    if not job.quiet:
        echo(lines)
        echo(f"Written to {out}: splits.json, and a run for each split.")


def teach(
    job: Annotated[RunJob, Fields("data out target settings tracks network epochs seed preset cells overwrite quiet")],
    workers: Workers = 1,
    scheduler: Scheduler = None,
) -> None:
    """Begin a run: data, learning problem and split, and the teacher. `awd-cme distill RUN` goes on.

    For further options, `awd-cme run DATA --out RUN --until teacher` does the same.
    """
    _do(replace(job, until="teacher"), workers, scheduler)


def distill(folder: Folder, workers: Workers = 1, scheduler: Scheduler = None, quiet: Quiet = False) -> None:
    """Go on with a run: the teacher's gradients, and wavelets from every start."""
    _continue(folder, "distill", quiet, workers, scheduler)


def evaluate(folder: Folder, workers: Workers = 1, scheduler: Scheduler = None, quiet: Quiet = False) -> None:
    """Go on with a run: the wavelet chosen on training tracks, all rows of the table, the card."""
    _continue(folder, "results", quiet, workers, scheduler)


def report(
    folder: Folder,
    question: Question = None,
    workers: Workers = 1,
    scheduler: Scheduler = None,
    quiet: Quiet = False,
) -> None:
    """Finish a run: whatever is not done yet, and the report."""
    _continue(folder, "report", quiet, workers, scheduler, **({} if question is None else {"question": question}))


def _continue(folder: Path, until: Step, quiet: bool, workers: int, scheduler: str | None, **changes: Any) -> None:
    _do(job_of(str(folder), until=until, quiet=quiet, **changes), workers, scheduler)


def _do(job: RunJob, workers: int, scheduler: str | None) -> None:
    from awd_cme.run.pipeline import run_pipeline

    check_parts(job.starts, job.network, [job.tracks, job.gradients])
    note_channels(job)
    folder = Path(job.out)
    with resumable(folder):
        run_pipeline(job, workers=workers, scheduler=scheduler)
    if job.quiet:
        return
    if job.reaches("results"):
        from awd_cme.run.pipeline import read_results

        echo(read_results(folder).text())
    if job.reaches("report"):
        from awd_cme.report.artefacts import read_artefacts
        from awd_cme.report.page import headline
        from awd_cme.report.summary import notes

        found = read_artefacts(folder)
        echo_sentences([headline(found), *notes(found)])
    written = {
        "series": "series.npz",
        "teacher": "teacher.safetensors",
        "distill": "wavelets",
        "results": "results.json",
    }
    echo(f"Written to {folder}: {written.get(job.until, 'report.html, card.json, results.json')} and more.")


def note_channels(job: RunJob) -> None:
    """Say, before any work, that channels of movies get other names than the files'."""
    if job.channels is None:
        return
    from awd_cme.movies.open import renamed_channels
    from awd_cme.readers.source import recognise_source

    cells = recognise_source(job.data).cells
    if cells and (note := renamed_channels(next(iter(cells.values())), job.channels)) and not job.quiet:
        echo(f"Note: {note}.", aside=True)
