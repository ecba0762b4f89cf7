"""The third part of a run: the network that is distilled."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from awd_cme.model.folds import ScaledFold
from awd_cme.model.scores import auc, r2
from awd_cme.run.job import RunJob
from awd_cme.run.series import Problem
from awd_cme.series.series_file import write_arrays
from awd_cme.teacher.teacher import SeriesTeacher, SeriesTeacherClassifier
from awd_core.files import make_atomically
from awd_core.run import Report, RunFolder
from awd_core.typing import AnyArray, Array
from awd_core.workers import torch_threads

Teacher = SeriesTeacher | SeriesTeacherClassifier


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch, and the linear algebra of NumPy and SciPy, use one thread.

    Networks and transforms of series of 40 samples are too small to be shared out: two threads wait for each other
    more than they work, and the order of sums, hence the last bits, would depend on their number.
    """
    with torch_threads(1), threadpool_limits(1, user_api="blas"):
        yield


@dataclass(frozen=True)
class Taught:
    """A teacher, trained on all training tracks, and its cross-validated score on them."""

    teacher: Teacher
    cv_score: float | None

    @property
    def parameters(self) -> int:
        """Weights of the network."""
        return sum(weights.numel() for weights in self.teacher.module_.parameters())

    def predict(self, X: AnyArray) -> Array:
        """Standardised targets, or probabilities of success."""
        return predicted(self.teacher, X)


def predicted(teacher: Teacher, X: AnyArray) -> Array:
    """What a teacher says of standardised series: targets, or probabilities of success."""
    series = X.astype(np.float32)
    if isinstance(teacher, SeriesTeacherClassifier):
        return np.asarray(teacher.predict_proba(series)[:, 1], dtype=np.float64)
    return np.asarray(teacher.predict(series), dtype=np.float64)


def train(run: RunFolder, job: RunJob, problem: Problem) -> None:
    """Train the teacher on all training tracks: teacher.safetensors."""
    training = problem.training
    teacher = _untrained(job, problem).fit(training.X.astype(np.float32), training.y)
    # What depends on the clock stays out of artefacts.
    for epoch in teacher.history_:
        epoch.pop("seconds", None)
    make_atomically(run / "teacher.safetensors", teacher.save)


def read_teacher(run: RunFolder, job: RunJob, problem: Problem) -> Teacher:
    """What `train` has left."""
    teacher: Teacher = _kind(problem).load(run / "teacher.safetensors", factory=job.network)
    return teacher


def cross_validate(run: RunFolder, job: RunJob, problem: Problem, teacher: Teacher, report: Report) -> None:
    """Tell of the teacher, and what others like it say of training tracks that they have not seen.

    Writes answers.npz, standardised targets or probabilities of success, and teacher.json, which comes last.
    """
    score = None
    if job.teacher_folds > 1:
        done, answers = count(), np.empty(len(problem.train))

        def ask(fold: ScaledFold) -> AnyArray:
            report(next(done), job.teacher_folds)
            own = fold.training
            network = _untrained(job, problem).fit(own.X.astype(np.float32), own.y)
            answers[fold.rest] = predicted(network, fold.held_out.X)
            return answers[fold.rest]

        score = problem.score_of_training(problem.held_out_of_folds(job.teacher_folds, job.seed, ask))
        write_arrays(run / "answers.npz", {"answers": answers})
    run.write_json(
        "teacher.json",
        {
            "network": str(teacher.factory), "parameters": Taught(teacher, score).parameters, "cv_score": score,
            "cv_folds": job.teacher_folds, "metric": "AUC" if problem.classification else "R2",
            "epochs": job.epochs, "best_epoch": teacher.best_epoch_, "history": teacher.history_,
        },
    )  # fmt: skip


def train_another_seed(run: RunFolder, job: RunJob, problem: Problem, teacher: Teacher) -> Teacher:
    """Train one that differs in its seed alone; teacher_seeds.json says what both reach on the test tracks."""
    other: Teacher = type(teacher)(**teacher.get_params(deep=False)).set_params(seed=job.seed + 1)
    other.fit(problem.training.X.astype(np.float32), problem.training.y)
    truth, metric = problem.truth(), auc if problem.classification else r2
    held = {
        str(seed): metric(truth, problem.restored(predicted(one, problem.held_out.X)))
        for seed, one in ((job.seed, teacher), (job.seed + 1, other))
    }
    run.write_json("teacher_seeds.json", {"scores": held})
    return other


def _kind(problem: Problem) -> Any:
    return SeriesTeacherClassifier if problem.classification else SeriesTeacher


def _untrained(job: RunJob, problem: Problem) -> Teacher:
    options: dict[str, Any] = {"max_epochs": job.epochs, "seed": job.seed}
    if job.network is not None:
        options["factory"] = job.network
    untrained: Teacher = _kind(problem)(**options)
    return untrained
