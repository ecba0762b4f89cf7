"""The third part of a run: the teacher, its gradients, and the distillation paths from starts of several lengths."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from awd_cme.model.folds import ScaledFold
from awd_cme.model.scores import auc, r2
from awd_cme.run.job import RunJob
from awd_cme.run.series import Problem
from awd_cme.series.series_file import write_arrays
from awd_cme.teacher.teacher import SeriesTeacher, SeriesTeacherClassifier
from awd_core.attribution import check_gradients, input_gradients
from awd_core.distill import DistillationPath, SearchSettings, distill_path, load_path, save_path
from awd_core.files import make_atomically, read_json
from awd_core.run import RunFolder
from awd_core.transforms import without_boundary_warnings
from awd_core.wavelets import Wavelet
from awd_core.workers import Workers, torch_threads

Array = npt.NDArray[Any]
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
    """A trained teacher.

    Attributes
    ----------
    teacher : SeriesTeacher or SeriesTeacherClassifier
        Trained on all training tracks.
    cv_score : float or None
        Cross-validated score on training tracks.
    parameters : int
        Weights of the network.
    """

    teacher: Teacher
    cv_score: float | None
    parameters: int

    def predict(self, X: Array) -> npt.NDArray[np.float64]:
        """Standardised targets, or probabilities of success."""
        return predicted(self.teacher, X)


def predicted(teacher: Teacher, X: Array) -> npt.NDArray[np.float64]:
    """What a teacher says of standardised series: targets, or probabilities of success."""
    series = X.astype(np.float32)
    if isinstance(teacher, SeriesTeacherClassifier):
        return np.asarray(teacher.predict_proba(series)[:, 1], dtype=np.float64)
    return np.asarray(teacher.predict(series), dtype=np.float64)


def teach(run: RunFolder, job: RunJob, problem: Problem) -> Taught:
    """Train the teacher, or read the one that is in the folder."""
    kind = SeriesTeacherClassifier if problem.classification else SeriesTeacher
    training = problem.training
    X, y = training.X.astype(np.float32), training.y
    options: dict[str, Any] = {"max_epochs": job.epochs, "seed": job.seed}
    if job.network is not None:
        options["factory"] = job.network
    file = run / "teacher.safetensors"
    if not file.exists():
        with run.step("Teacher"):
            teacher = kind(**options).fit(X, y)
            # What depends on the clock stays out of artefacts.
            for epoch in teacher.history_:
                epoch.pop("seconds", None)
            make_atomically(file, teacher.save)
    teacher = kind.load(file, factory=job.network)
    parameters = sum(weights.numel() for weights in teacher.module_.parameters())
    if not (run / "teacher.json").exists():
        score = None
        if job.teacher_folds > 1:
            with run.step("Teacher, cross-validated") as progress:
                done, answers = count(), np.empty(len(y))

                def ask(fold: ScaledFold) -> Array:
                    progress(next(done), job.teacher_folds)
                    own = fold.training
                    network = kind(**options).fit(own.X.astype(np.float32), own.y)
                    answers[fold.rest] = predicted(network, fold.held_out.X)
                    return answers[fold.rest]

                score = problem.score_of_training(problem.held_out_of_folds(job.teacher_folds, job.seed, ask))
            write_arrays(run / "answers.npz", {"network": answers})
        run.write_json(
            "teacher.json",
            {
                "network": str(teacher.factory), "parameters": parameters, "cv_score": score,
                "cv_folds": job.teacher_folds, "metric": "AUC" if problem.classification else "R2",
                "epochs": job.epochs, "best_epoch": teacher.best_epoch_, "history": teacher.history_,
            },
        )  # fmt: skip
    values = read_json(run / "teacher.json")
    return Taught(teacher, values["cv_score"], parameters)


def gradients_of_test(job: RunJob, problem: Problem, taught: Taught | None) -> Array:
    """Gradients for the test tracks, on which compression is measured, as the published work does."""
    if taught is None:
        return _given(job.gradients or "", problem)[problem.test]
    return np.asarray(input_gradients(taught.teacher.as_torch(), problem.held_out.X.astype(np.float32))[:])


def gradients_of(run: RunFolder, job: RunJob, problem: Problem, taught: Taught | None) -> Array:
    """Gradients for the training tracks, asked of the teacher or taken from the given file."""
    X = problem.training.X.astype(np.float32)
    if taught is None:
        return given_gradients(job.gradients or "", problem)
    with run.step("Input gradients") as progress:
        found = input_gradients(
            taught.teacher.as_torch(), X, out=run / "gradients.zarr", progress=lambda done, total: progress(done, total)
        )
    return np.asarray(found[:])


def given_gradients(file: str | os.PathLike[str], problem: Problem) -> Array:
    """Gradients of one's own, for all series of series.npz in their order.

    Raises
    ------
    ValueError
        If their shape is another, or they will not do.
    """
    chosen = _given(file, problem)[problem.train]
    check_gradients(problem.training.X.astype(np.float32), chosen)
    return chosen


def _given(file: str | os.PathLike[str], problem: Problem) -> Array:
    from awd_core.files import read_array

    values = np.asarray(read_array(file)[:], dtype=np.float32)
    if values.shape != problem.raw.X.shape:
        raise ValueError(
            f"{Path(file).name} has the shape {values.shape}; give one gradient for each sample of series.npz, "
            f"{problem.raw.X.shape}, tracks in its order"
        )
    return values


def paths_of(
    run: RunFolder, job: RunJob, problem: Problem, gradients: Array, workers: int | Workers = 1
) -> dict[str, DistillationPath]:
    """The distillation path from each start, and its wavelets."""
    X = problem.training.X.astype(np.float32)
    found: dict[str, DistillationPath] = {}
    (run / "paths").mkdir(exist_ok=True)
    (run / "wavelets").mkdir(exist_ok=True)
    for start in job.starts:
        file = run / f"paths/{start}.json"
        if not file.exists():
            # The published levels are more than fit series of 40 samples, and are meant.
            with run.step(f"Searches from {start}") as progress, without_boundary_warnings():
                path = distill_path(
                    X, gradients, wavelet=start, levels=job.levels, mode=job.mode, shares=job.shares, seed=job.seed,
                    search=SearchSettings(random_starts=job.random_starts), workers=workers,
                    checkpoint=run / f"paths/{start}.checkpoint.json", progress=progress,
                )  # fmt: skip
            for point in path:
                point.wavelet.save(run / f"wavelets/{start}-share-{point.share:.2f}.json")
            save_path(path, file)
        # Read back even when it was just made: an interrupted run and an uninterrupted one go on from the same bits.
        found[start] = load_path(file)
    return found


def quality_of(run: RunFolder, job: RunJob, problem: Problem, taught: Taught, gradients: Array) -> None:
    """Check the attributions in the chosen wavelet, with a second teacher of another seed.

    Writes quality.json, and teacher_seeds.json: what both teachers reach on the test tracks.
    """
    if (run / "quality.json").exists():
        return
    from awd_core.evidence import attribution_quality

    X = problem.training.X.astype(np.float32)
    with run.step("Teacher of another seed"):
        other = type(taught.teacher)(**taught.teacher.get_params(deep=False)).set_params(seed=job.seed + 1)
        other.fit(X, problem.training.y)
        truth, metric = problem.truth(), auc if problem.classification else r2
        held = {
            seed: metric(truth, problem.restored(predicted(teacher, problem.held_out.X)))
            for seed, teacher in ((job.seed, taught.teacher), (job.seed + 1, other))
        }
        run.write_json("teacher_seeds.json", {"scores": {str(seed): score for seed, score in held.items()}})
    with run.step("Checks of the attributions") as progress:
        attribution_quality(
            taught.teacher.as_torch(), X, gradients, Wavelet.load(run / "wavelet.json"), levels=job.levels,
            mode=job.mode, seed=job.seed, others=[other.as_torch()], store=run / "quality.json", progress=progress,
        )  # fmt: skip
