"""From movies or tracks to a report: `run_pipeline(RunJob("movies", "run"))`, what `awd-cme run` does.

A run is a folder (`awd_core.run.folder`), and `RUN` the list of its steps. Every step writes what it made, whole or not
at all, and what follows reads it: a run that was killed goes on where it was and ends with the same bits, but for
`timings.json`, which, like `sessions.json` and `log.txt`, is about the clock.
"""

# What the shared steps ask for is a property here, read when it is first needed:
# mypy: disable-error-code="override"

import os
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from awd_cme.model.card import ModelCard
from awd_cme.model.results import Results, TriedCandidate
from awd_cme.readers.source import Source, recognise_source
from awd_cme.run.candidates import candidates_of, choose
from awd_cme.run.compare import Fitted, convolutions_row, fit_all, headline_row
from awd_cme.run.data import Tracked, tracks_of
from awd_cme.run.examples import examples_of
from awd_cme.run.job import PROGRAM, RunJob
from awd_cme.run.results import card_of, predictions_of, results_of, timings_of
from awd_cme.run.series import Problem, choose_z_scores, make_problem, read_problem
from awd_cme.run.student import cross_validate_convolutions, distill_headline
from awd_cme.run.teach import Taught, Teacher, cross_validate, one_thread, read_teacher, train, train_another_seed
from awd_cme.series.series_file import write_arrays
from awd_core.attribution import input_gradients
from awd_core.distill import SearchSettings
from awd_core.evidence import read_selection
from awd_core.files import read_json, to_json
from awd_core.run import (
    GRADIENTS,
    PAGE,
    PATHS,
    SCORES,
    TAKEN,
    TRUST,
    Distilling,
    Report,
    RunFolder,
    Step,
    files_exist,
    files_of,
    follow,
    never_done,
    steps_until,
)
from awd_core.workers import Workers, open_workers

PACKAGES = ("awd-cme", "scikit-learn", "pandas", "pyarrow", "tifffile", "laptrack", "scikit-image", "lightning")


class Work(Distilling):
    """What the steps share: what was asked, and what they have left, read when it is first needed."""

    each = "sample of series.npz, tracks in its order"
    points = "wavelets/{start}-share-{share:.2f}.json"

    def __init__(self, run: RunFolder, job: RunJob, source: Source, crew: Workers) -> None:
        self.run, self.job, self.source, self.crew = run, job, source, crew
        self.ready, self.has_teacher, self.quality = job.gradients, job.gradients is None, job.quality
        self.starts, self.asked, self.how = job.starts, {}, {"levels": job.levels, "mode": job.mode}
        search = SearchSettings(random_starts=job.random_starts)
        self.searched = {"shares": job.shares, "seed": job.seed, "search": search}

    @cached_property
    def tracked(self) -> Tracked:
        """The tracks. What is in the folder already is not tracked again."""
        return tracks_of(self.run, self.job, self.source, self.crew)

    @cached_property
    def problem(self) -> Problem:
        """What is learnt from what."""
        return read_problem(self.run, self.job)

    @cached_property
    def X(self) -> Any:  # noqa: N802 - as in the theory
        """Standardised training series, as the network takes them."""
        return self.problem.training.X.astype(np.float32)

    @cached_property
    def rows(self) -> Any:
        """The training tracks."""
        return self.problem.train

    @cached_property
    def count(self) -> int:
        """Of all series."""
        return len(self.problem.raw)

    @property
    def scored(self) -> tuple[Any, Any]:
        """The test tracks, as in the published work."""
        X = self.problem.held_out.X.astype(np.float32)
        return X, input_gradients(self.model, X) if self.has_teacher else self.given(X, self.problem.test)

    @cached_property
    def teacher(self) -> Teacher:
        """Trained on all training tracks."""
        return read_teacher(self.run, self.job, self.problem)

    @cached_property
    def model(self) -> nn.Module:
        """Its network."""
        return self.teacher.as_torch()

    @cached_property
    def reseeded(self) -> Teacher:
        """A teacher of another seed."""
        return train_another_seed(self.run, self.job, self.problem, self.teacher)

    @cached_property
    def checked(self) -> dict[str, Any]:
        """How attributions are checked."""
        return {"seed": self.job.seed, "others": [self.reseeded.as_torch()]}

    @cached_property
    def taught(self) -> Taught | None:
        """The teacher with its score, where there is one."""
        if not self.has_teacher:
            return None
        return Taught(self.teacher, read_json(self.run / "teacher.json")["cv_score"])

    @cached_property
    def models(self) -> list[Fitted]:
        """All rows of the table: the few numbers, then the wavelet that was chosen."""
        tried = zip(candidates_of(self.paths), read_selection(self.run / "selection.json", TriedCandidate), strict=True)
        chosen, row = next((candidate, row) for candidate, row in tried if row.chosen)
        rich = fit_all(self.job, self.problem, self.paths, chosen, row.pooled, self.taught)
        return [headline_row(self.run, self.problem), *rich, convolutions_row(self.run, self.problem)]

    def select(self, report: Report) -> None:
        """Choose a wavelet on training tracks."""
        choice = choose(self.job, self.problem, candidates_of(self.paths))
        regression = "logistic" if self.problem.classification else "ridge"
        self.run.write_json("selection.json", to_json(choice.rows(self.job.features, regression)))
        self.take(self.paths[choice.chosen.start], choice.chosen.wavelet)

    def predict(self, report: Report) -> None:
        """Fit all models, and ask them about the test tracks."""
        self.run.write_bytes("predictions.csv", predictions_of(self.problem, self.models))
        write_arrays(self.run / "examples.npz", examples_of(self.problem, self.models[1], self.tracked.table))

    def compare(self, report: Report) -> None:
        """Tell how good they are; the second, the rich form, becomes the card."""
        results = results_of(self.problem, self.models)
        card_of(self.problem, self.models[1], results).save(self.run / "card.json")
        self.run.write_json("results.json", results.to_dict())

    def time(self, report: Report) -> None:
        """Take the time of the card and of the network."""
        card, network = ModelCard.load(self.run / "card.json"), self.model if self.has_teacher else None
        self.run.write_json("timings.json", timings_of(self.problem, card, network) | {"seconds": self.run.seconds()})

    def write_page(self, report: Report) -> None:
        """Write the report."""
        from awd_cme.report.page import write_report

        write_report(self.run, progress=report)


RUN: tuple[Step[Work], ...] = (
    Step("series", "", lambda w, report: w.tracked, {
        "movies": "the simulated movies, with their truth",
        "tracks": "tracks of each movie with what was lost on the way",
        "tracks.parquet": "all tracks with their intensities",
    }, done=never_done),
    Step("series", "Learning problem", lambda w, report: make_problem(w.run, w.job, w.tracked), {
        "data.json": "what was read, what was lost, what was assumed",
        "series.npz": "series of one length, and targets",
        "series.json": "how they were made, and what was dropped",
        "split.json": "which series are for training and which for the test",
    }),
    Step("series", "Scaling of the series", lambda w, report: choose_z_scores(w.run, w.job), {
        "scaling.json": "z-scores, fitted on training tracks, and how their rule was chosen",
    }),
    Step("teacher", "Teacher", lambda w, report: train(w.run, w.job, w.problem), {
        "teacher.safetensors": "weights of the teacher",
    }, lambda w: w.has_teacher),
    Step("teacher", "Teacher, cross-validated", lambda w, report: cross_validate(
        w.run, w.job, w.problem, w.teacher, report
    ), {
        "teacher.json": "how the teacher was trained",
        "answers.npz": "what others like it say of training tracks that they have not seen",
    }, lambda w: w.has_teacher, files_exist("teacher.json")),
    Step("teacher", "Random convolutions", lambda w, report: cross_validate_convolutions(w.run, w.job, w.problem), {
        "convolutions.npz": "what random convolutions say of tracks that they have not seen",
    }),
    GRADIENTS,
    replace(PATHS, files={**PATHS.files, "wavelets": "the wavelets of all shares"}),
    Step("results", "Selection by cross-validation", Work.select, {
        **TAKEN, "selection.json": "cross-validated scores of all candidates",
    }),
    Step("results", "Few numbers", lambda w, report: distill_headline(w.run, w.job, w.problem, w.taught), {
        "student_card.json": "the headline, a model of at most ten numbers, which NumPy alone can score",
        "student.json": "the wavelet that the teachers' answers chose for it, and all that was tried",
        "curve.json": "what each further number is worth, for its wavelet and others",
    }),
    Step("results", "Models", Work.predict, {
        "predictions.csv": "measured and predicted, test track by test track",
        "examples.npz": "the tracks that are shown as examples",
    }),
    Step("results", "Results", Work.compare, {
        "results.json": "scores on test tracks, with intervals",
        "card.json": "the rich model: one JSON file that NumPy alone can score",
    }),
    replace(SCORES, name="results"),
    Step("results", "Timing", Work.time, {"timings.json": "time per track"}),
    Step("results", "Teacher of another seed", lambda w, report: w.reseeded, {
        "teacher_seeds.json": "what teachers of two seeds reach on the test tracks",
    }, lambda w: w.has_teacher, lambda w: not w.quality or files_exist("teacher_seeds.json")(w)),
    replace(TRUST, name="results"),
    Step("report", "Report", Work.write_page, PAGE, done=never_done),
)  # fmt: skip
ARTEFACTS = files_of(RUN)


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
        The run folder; `ARTEFACTS` says what lies in it.

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
        job.out, program=PROGRAM, settings=settings, options=job.options_of_run(), artefacts=ARTEFACTS,
        packages=PACKAGES, defaults=RunJob(data="", out="").settings_of_run(), overwrite=job.overwrite,
        quiet=job.quiet,
    ) as run, open_workers(workers, scheduler) as crew:  # fmt: skip
        tracking, *learning = steps_until(RUN, job.until)
        work = Work(run, job, source, crew)
        follow([tracking], work)
        with one_thread():
            follow(learning, work)
        run.finish()
    return Path(job.out)


def _digest(file: str) -> str:
    return str(Source("tracks", Path(file)).identity()["sha256"])


def read_results(folder: str | Path) -> Results:
    """The results of a run.

    Raises
    ------
    FileNotFoundError
        If the run has none yet.
    """
    file = Path(folder) / "results.json"
    if not file.exists():
        raise FileNotFoundError(f"{folder} has no results.json; finish the run first (awd-cme evaluate {folder})")
    return Results.load(file)
