"""From movies or tracks to a report: `run_pipeline(RunJob("movies", "run"))`, what `awd-cme run` does.

A run is a folder (`awd_core.run.folder`). Every step writes what it made, whole or not at all, and reads it back before
it goes on; a run that was killed goes on where it was and ends with the same bits, but for `timings.json`, which, like
`sessions.json` and `log.txt`, is about the clock.
"""

import os
from pathlib import Path
from typing import Any

from awd_cme.readers.source import recognise_source
from awd_cme.report.run_files import ARTEFACTS
from awd_cme.run.data import Tracked, tracks_of
from awd_cme.run.job import PROGRAM, RunJob
from awd_cme.run.series import Problem, problem_of
from awd_cme.run.teach import Taught, gradients_of, gradients_of_test, one_thread, paths_of, quality_of, teach
from awd_cme.series.series_file import write_arrays
from awd_core.files import read_json
from awd_core.run import RunFolder
from awd_core.workers import Workers, open_workers

PACKAGES = ("awd-cme", "scikit-learn", "pandas", "pyarrow", "tifffile", "laptrack", "scikit-image", "lightning")


def run_pipeline(job: RunJob, *, workers: int | Workers = 1, scheduler: str | os.PathLike[str] | None = None) -> Path:
    """Do a job, or go on with it where it was interrupted or stopped.

    Parameters
    ----------
    job : RunJob
        The job.
    workers : int or Workers
        Processes that simulate, track, read and search; the results do not depend on them.
    scheduler : str, optional
        Address of a scheduler of Dask, or its scheduler file, whose workers do it instead; they need the same files at
        the same paths (`awd_core.workers.open_workers`).

    Returns
    -------
    Path
        The run folder; `awd_cme.report.run_files.ARTEFACTS` says what lies in it.

    Raises
    ------
    FileNotFoundError
        If the data are not there.
    ValueError
        If the data will not do, options contradict each other, or the folder holds another run.
    LostItemError
        If a movie, or a file of tracks, has killed its workers, and `job.on_error` is "raise" or there is no other.
    """
    source = recognise_source(job.data)
    settings = job.settings_of_run() | {"source": source.identity()}
    for name in ("tracks", "gradients"):
        given = getattr(job, name)
        settings[f"{name}_sha256"] = None if given is None else _digest(given)
    with RunFolder.open(
        job.out, program=PROGRAM, settings=settings, options=job.options_of_run(), artefacts=list(ARTEFACTS),
        packages=PACKAGES, overwrite=job.overwrite, quiet=job.quiet,
    ) as run, open_workers(workers, scheduler) as crew:  # fmt: skip
        tracked = tracks_of(run, job, source, crew)
        with one_thread():
            _learn(run, job, tracked, crew)
        run.finish()
    return Path(job.out)


def _learn(run: RunFolder, job: RunJob, tracked: Tracked, crew: Workers) -> None:
    """Everything after the tracks."""
    problem = problem_of(run, job, tracked)
    taught = None
    if job.reaches("teacher") and job.gradients is None:
        taught = teach(run, job, problem)
    if job.reaches("distill"):
        gradients = gradients_of(run, job, problem, taught)
        paths = paths_of(run, job, problem, gradients, crew)
    if job.reaches("results"):
        _results(run, job, tracked, problem, taught, paths)
        if job.quality and taught is not None:
            quality_of(run, job, problem, taught, gradients)
    if job.reaches("report"):
        _report(run)


def _results(
    run: RunFolder, job: RunJob, tracked: Tracked, problem: Problem, taught: Taught | None, paths: Any
) -> None:
    """Everything from the selection to the example tracks; results.json is written last."""
    from awd_cme.run.candidates import candidates_of, choose
    from awd_cme.run.compare import convolutions_row, fit_all, headline_row
    from awd_cme.run.examples import examples_of
    from awd_cme.run.results import card_of, predictions_of, results_of, timings_of
    from awd_cme.run.student import headline_of, network_answers, save_headline
    from awd_core.distill import save_path
    from awd_core.evidence import score_pair, write_scores

    network = None if taught is None else taught.teacher.as_torch()
    if not (run / "results.json").exists():
        with run.step("Selection by cross-validation"):
            choice = choose(job, problem, candidates_of(paths))
        with run.step("Few numbers"):
            headline = headline_of(job, problem, taught, network_answers(run, taught))
        with run.step("Models"):
            rich, *others = fit_all(job, problem, paths, choice, taught)
            rows = [headline_row(problem, headline), rich, *others, convolutions_row(headline)]
        with run.step("Results"):
            results = results_of(problem, rows)
            card = card_of(problem, rich, results)
        chosen = choice.chosen
        run.write_json("selection.json", choice.rows(job.features, rich.estimator))
        save_path(paths[chosen.start], run / "path.json")
        chosen.wavelet.save(run / "wavelet.json")
        card.save(run / "card.json")
        save_headline(run, headline)
        run.write_bytes("predictions.csv", predictions_of(problem, rows))
        write_arrays(run / "examples.npz", examples_of(problem, rich, tracked.table))
        with run.step("Compression"):
            X, held = problem.held_out.X.astype("float32"), gradients_of_test(job, problem, taught)
            start = paths[chosen.start].start
            scores = score_pair(start, chosen.wavelet, X, held, levels=job.levels, mode=job.mode)
            write_scores(run / "scores.json", scores)
        run.write_json("results.json", results)
    if not (run / "timings.json").exists():
        from awd_cme.model.card import ModelCard

        with run.step("Timing"):
            timings = timings_of(problem, ModelCard.load(run / "card.json"), network)
        run.write_json("timings.json", timings | {"seconds": run.seconds()})


def _report(run: RunFolder) -> None:
    """The page, by the module that only reads the folder."""
    from awd_cme.report.page import write_report

    with run.step("Report") as progress:
        write_report(run, progress=progress)


def _digest(file: str) -> str:
    from awd_cme.readers.source import Source

    return str(Source("tracks", Path(file)).identity()["sha256"])


def read_results(folder: str | Path) -> dict[str, Any]:
    """Content of a run's results.json.

    Raises
    ------
    FileNotFoundError
        If the run has none yet.
    """
    file = Path(folder) / "results.json"
    if not file.exists():
        raise FileNotFoundError(f"{folder} has no results.json; finish the run first (awd-cme evaluate {folder})")
    values: dict[str, Any] = read_json(file)
    return values
