"""The headline of a run: at most ten numbers of a wavelet that teachers' answers chose, and what each number is worth.

Series are divided by their deviations and keep their mean, whatever the other rows of the run read: on yeast that was
worth more than any wavelet. The answers are the mean of those of the run's network, where it has one and was
cross-validated, and of random convolutions, both of folds that have not seen the cell.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from awd_cme.model.folds import scaled_folds
from awd_cme.model.student import MOST, SEARCH, SeriesStudent, log_frames
from awd_cme.model.student_card import StudentCard
from awd_cme.run.job import RunJob
from awd_cme.run.series import Problem
from awd_cme.run.teach import Taught
from awd_cme.series.scaling import fit_z_scores
from awd_cme.series.series_set import SeriesSet
from awd_cme.teacher.convolutions import ConvolutionTeacher, ConvolutionTeacherClassifier
from awd_cme.teacher.networks import stack_inputs
from awd_core.run import RunFolder
from awd_core.student import ErrorCurve, error_curve

Array = npt.NDArray[np.float64]
NUMBERS = ("maximum", "minimum")
COUNTS = (2, 4, 7, MOST)


@dataclass(frozen=True)
class Headline:
    """The small model of a run.

    Attributes
    ----------
    curve : ErrorCurve
        Test R² against the number of numbers, of its wavelet and others; of classes, R² of 0 and 1 (the Brier skill).
    card : StudentCard
        The model.
    prediction : ndarray, shape (test tracks,)
        In the partner's unit, or the probability of success.
    cv_score : float
        Cross-validated on training tracks: numbers and head chosen anew in each fold, the wavelet held.
    convolutions : ndarray, shape (test tracks,)
        What random convolutions alone predict, in the same unit.
    convolutions_score : float
        Cross-validated on training tracks.
    free : int
        Free angles of the wavelet; 0 where a plain one won.
    """

    curve: ErrorCurve
    card: StudentCard
    prediction: Array
    cv_score: float
    convolutions: Array
    convolutions_score: float
    free: int


def headline_of(job: RunJob, problem: Problem, taught: Taught | None, network: Array | None) -> Headline:
    """Choose the wavelet by the teachers' answers, fit the head to the labels, and draw up the curve.

    Parameters
    ----------
    job, problem : RunJob, Problem
        What is asked and of what.
    taught : Taught, optional
        The run's network, for its predictions of test tracks in the curve.
    network : ndarray, shape (training tracks,), optional
        The network's answers to training tracks, out of fold: standardised targets, or probabilities of success.
    """
    rule = problem.z_scores.inputs.rule
    z_scores = fit_z_scores(problem.known, inputs=rule, centre=False)
    training, held = z_scores.apply(problem.known), z_scores.apply(problem.raw.take(problem.test))
    folds = list(scaled_folds(problem.known, job.folds, job.seed, inputs=rule, centre=False))
    answers, restored, found = np.empty((3, len(training)))
    for fold in folds:
        answers[fold.rest] = convolutions(fold.training, fold.held_out, job.seed)
        restored[fold.rest] = fold.restored(answers[fold.rest])
    alone = said = convolutions(training, held, job.seed)
    if network is not None and taught is not None:
        answers = (answers + network) / 2
        said = (said + taught.predict(problem.held_out.X)) / 2
    curve = error_curve(
        training.X, training.y.astype(np.float64), test=(held.X, held.y.astype(np.float64), log_frames(held)),
        outputs=answers, teacher=said, extra=log_frames(training), groups=training.groups(), counts=COUNTS,
        numbers=NUMBERS, levels=job.levels, mode=job.mode, search=SEARCH, seed=job.seed,
    )  # fmt: skip
    options = {"levels": job.levels, "mode": job.mode, "seed": job.seed}
    student = SeriesStudent(curve.student, NUMBERS, **options).fit(training, answers)
    for fold in folds:
        own = SeriesStudent(curve.student, NUMBERS, **options).fit(fold.training, answers[fold.rows], fold.groups)
        found[fold.rest] = fold.restored(own.predict(fold.held_out))
    predictions = [student.predict(held), alone]
    if not problem.classification:
        predictions = [z_scores.restore_targets(one, held.cell) for one in predictions]
    wavelet = student.student_.wavelets_[0]
    notes = {"wavelet": wavelet.name, "train_tracks": len(training), "series": problem.raw.settings.to_dict()}
    return Headline(
        curve, student.card(training, z_scores, notes), predictions[0], problem.score_of_training(found),
        predictions[1], problem.score_of_training(restored),
        wavelet.free_angle_count if wavelet.name == "student" else 0,
    )  # fmt: skip


def convolutions(training: SeriesSet, asked: SeriesSet, seed: int) -> Array:
    """What random convolutions of some standardised tracks say of others: targets, or probabilities of success."""
    X, others = (stack_inputs(one.X, covariates=log_frames(one).to_numpy()) for one in (training, asked))
    if training.classification:
        return ConvolutionTeacherClassifier(random_state=seed).fit(X, training.y).predict_proba(others)[:, 1]
    return ConvolutionTeacher(random_state=seed).fit(X, training.y).predict(others)


def network_answers(run: RunFolder, taught: Taught | None) -> Array | None:
    """The network's answers to training tracks, out of fold; None where there are none."""
    file = run / "answers.npz"
    if taught is None or not file.exists():
        return None
    with np.load(file, allow_pickle=False) as arrays:
        return np.asarray(arrays["network"])


def save_headline(run: RunFolder, headline: Headline) -> None:
    """Write student.json, student_card.json and curve.json."""
    if headline.curve.student is not None:
        headline.curve.student.save(run / "student.json")
    headline.card.save(run / "student_card.json")
    run.write_json("curve.json", {"points": [list(point) for point in headline.curve.points]})
