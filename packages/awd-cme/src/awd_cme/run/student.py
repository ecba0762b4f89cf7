"""The headline of a run: at most ten numbers of a wavelet that teachers' answers chose, and what each number is worth.

Series are divided by their deviations and keep their mean, whatever the other rows of the run read: on yeast that was
worth more than any wavelet. The answers are the mean of those of the run's network, where it has one and was
cross-validated, and of random convolutions, both of folds that have not seen the cell.
"""

from functools import cached_property

import numpy as np

from awd_cme.model.folds import ScaledFold, scaled_folds
from awd_cme.model.student import MOST, SEARCH, SeriesStudent, log_frames
from awd_cme.run.job import RunJob
from awd_cme.run.series import Problem
from awd_cme.run.teach import Taught
from awd_cme.series.scaling import ZScores, fit_z_scores
from awd_cme.series.series_file import write_arrays
from awd_cme.series.series_set import SeriesSet
from awd_cme.teacher.convolutions import ConvolutionTeacher, ConvolutionTeacherClassifier
from awd_cme.teacher.networks import stack_inputs
from awd_core.files import load_npz
from awd_core.run import RunFolder
from awd_core.student import error_curve
from awd_core.typing import Array

NUMBERS = ("maximum", "minimum")
COUNTS = (2, 4, 7, MOST)


class ScaledProblem:
    """The learning problem with the mean left in its series."""

    def __init__(self, job: RunJob, problem: Problem) -> None:
        self.job, self.problem, self.rule = job, problem, problem.z_scores.inputs.rule

    @cached_property
    def z_scores(self) -> ZScores:
        """Fitted on the training tracks."""
        return fit_z_scores(self.problem.known, inputs=self.rule, centre=False)

    @cached_property
    def training(self) -> SeriesSet:
        """Standardised training tracks."""
        return self.z_scores.apply(self.problem.known)

    @cached_property
    def held_out(self) -> SeriesSet:
        """Standardised test tracks."""
        return self.z_scores.apply(self.problem.raw.take(self.problem.test))

    @cached_property
    def folds(self) -> list[ScaledFold]:
        """Folds of the training tracks, each with its z-scores."""
        job = self.job
        return list(scaled_folds(self.problem.known, job.folds, job.seed, inputs=self.rule, centre=False))


def cross_validate_convolutions(run: RunFolder, job: RunJob, problem: Problem) -> None:
    """Ask random convolutions of tracks that they have not seen: convolutions.npz.

    `answers` are of training tracks, out of fold, and `test` of test tracks: standardised targets, or probabilities of
    success. `score` is that of the former.
    """
    divided, (answers, restored) = ScaledProblem(job, problem), np.empty((2, len(problem.train)))
    for fold in divided.folds:
        answers[fold.rest] = _convolutions(fold.training, fold.held_out, job.seed)
        restored[fold.rest] = fold.restored(answers[fold.rest])
    score = problem.score_of_training(restored)
    test = _convolutions(divided.training, divided.held_out, job.seed)
    write_arrays(run / "convolutions.npz", {"answers": answers, "test": test, "score": score})


def distill_headline(run: RunFolder, job: RunJob, problem: Problem, taught: Taught | None) -> None:
    """Choose the wavelet by the teachers' answers and fit the head to the labels.

    Writes student.json, curve.json and student_card.json, whose notes have the cross-validated score: numbers and head
    chosen anew in each fold, the wavelet held.
    """
    divided = ScaledProblem(job, problem)
    training, held = divided.training, divided.held_out
    said = read_arrays(run, "convolutions.npz")
    answers, test = said["answers"], said["test"]
    if taught is not None and (run / "answers.npz").exists():
        answers = (answers + read_arrays(run, "answers.npz")["answers"]) / 2
        test = (test + taught.predict(problem.held_out.X)) / 2
    curve = error_curve(
        training.X, training.y.astype(np.float64), test=(held.X, held.y.astype(np.float64), log_frames(held)),
        outputs=answers, teacher=test, extra=log_frames(training), groups=training.groups(), counts=COUNTS,
        numbers=NUMBERS, levels=job.levels, mode=job.mode, search=SEARCH, seed=job.seed,
    )  # fmt: skip
    found = curve.student
    if found is None:
        raise RuntimeError("the curve of one split has a student")

    def student() -> SeriesStudent:
        return SeriesStudent(found, NUMBERS, levels=job.levels, mode=job.mode, seed=job.seed)

    fitted, unseen = student().fit(training, answers), np.empty(len(training))
    for fold in divided.folds:
        own = student().fit(fold.training, answers[fold.rows], fold.groups)
        unseen[fold.rest] = fold.restored(own.predict(fold.held_out))
    notes = {
        "wavelet": found.wavelet.name, "cv_score": problem.score_of_training(unseen),
        "free": found.wavelet.free_angle_count if found.wavelet.name == "student" else 0,
        "train_tracks": len(training), "series": problem.raw.settings.to_dict(),
        "seconds_per_frame": problem.known.seconds_per_frame(),
    }  # fmt: skip
    found.save(run / "student.json")
    run.write_json("curve.json", {"points": [list(point) for point in curve.points]})
    fitted.card(training, divided.z_scores, notes).save(run / "student_card.json")


def read_arrays(run: RunFolder, name: str) -> dict[str, Array]:
    """All arrays of an .npz file."""
    return load_npz(run / name)


def _convolutions(training: SeriesSet, asked: SeriesSet, seed: int) -> Array:
    """What random convolutions of some tracks say of others."""
    X, others = (stack_inputs(one.X, covariates=log_frames(one).to_numpy()) for one in (training, asked))
    if training.classification:
        return ConvolutionTeacherClassifier(random_state=seed).fit(X, training.y).predict_proba(others)[:, 1]
    return ConvolutionTeacher(random_state=seed).fit(X, training.y).predict(others)
