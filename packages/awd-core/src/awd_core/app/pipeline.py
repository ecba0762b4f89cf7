"""From arrays in files to a run folder: gradients, path, the chosen wavelet, figures and report.

What `awd distill` does, for Python: `distill_files(DistillJob("X.npy", "run", gradients="G.npy"))`.
"""

import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from awd_core.app.job import DistillJob as DistillJob
from awd_core.app.job import PathLike
from awd_core.app.job import TeacherFile as TeacherFile
from awd_core.attribution.gradients import check_gradients, input_gradients
from awd_core.attribution.store import model_digest
from awd_core.distill.distill import DistillationPath, distill_path
from awd_core.distill.path_file import save_path
from awd_core.evidence.assessment import attribution_quality
from awd_core.evidence.quality_record import CheckedQuality
from awd_core.evidence.score_records import Scores, write_scores
from awd_core.files.arrays import SampleArray, as_samples, identity, read_array
from awd_core.run.folder import RunFolder
from awd_core.teacher.weights import build, load_module, resolve_factory
from awd_core.transforms.boundary import boundary_note, without_boundary_warnings
from awd_core.transforms.dwt import transformed_axes
from awd_core.wavelets.wavelet import Wavelet
from awd_core.workers.open import Workers, open_workers

if TYPE_CHECKING:
    from awd_core.features.select import Selection

PROGRAM = "awd distill"
ARTEFACTS = {
    "wavelet.json": "the wavelet that was taken; Wavelet.load reads it",
    "wavelets": "the wavelet of each share of the path",
    "path.json": "the path with all its searches; awd_core.distill.load_path reads it",
    "scores.json": "how sparse coefficients and attributions are, scale by scale, at the start and distilled",
    "selection.json": "cross-validated scores of the points",
    "quality.json": "whether the attributions deserve trust: what the checks found, and the verdict",
    "gradients.zarr": "input gradients of the teacher",
    "path.checkpoint.json": "finished searches, from which an interrupted run goes on",
    "figures": "the figures of the report, as PNG",
    "wavelet.gif": "the wavelet on its way to the minimum",
    "report.html": "the report",
}


def distill_files(job: DistillJob) -> Path:
    """Do a job, or go on with it where it was interrupted.

    Parameters
    ----------
    job : DistillJob
        The job.

    Returns
    -------
    Path
        The run folder; `ARTEFACTS` says what lies in it.

    Raises
    ------
    FileNotFoundError
        If a file is not there.
    ValueError
        If files do not fit each other or the job, or the folder holds another run.
    """
    X = as_samples(read_array(job.X), os.fspath(job.X))
    ndim = transformed_axes(tuple(X.shape), job.ndim)
    baseline = _baseline(job, X)
    truths = None if job.y is None else _truths(job.y, X)
    groups = None if job.groups is None else _groups(job.groups, X)
    gradients: _Given | _Asked = _Asked(job, baseline) if job.gradients is None else _Given(job.gradients, X)
    settings = {
        "X": identity(X),
        "gradients": gradients.identity,
        "method": job.method,
        "baseline": baseline if isinstance(baseline, float) else identity(baseline),
        "wavelet": {"name": job.wavelet.name, "taps": job.wavelet.taps.tolist()},
        "levels": job.levels,
        "mode": job.mode,
        "ndim": ndim,
        "shares": list(job.shares),
        "seed": job.seed,
        "search": vars(job.search),
        "device": job.device,
        "dtype": job.dtype,
    }
    options = {
        "X": os.fspath(job.X),
        "gradients": gradients.name,
        "share": job.share,
        "predictor": job.predictor,
        "quality": job.quality,
        "other_weights": [] if job.teacher is None else [os.fspath(name) for name in job.teacher.other_weights],
        "y": None if job.y is None or truths is None else {"file": os.fspath(job.y), **identity(truths)},
    }
    if groups is not None:
        options["groups"] = {"file": os.fspath(job.groups or ""), **identity(np.unique(groups, return_inverse=True)[1])}
    with open_workers(job.workers, job.scheduler) as crew, RunFolder.open(
        job.out, program=PROGRAM, settings=settings, options=options, artefacts=list(ARTEFACTS),
        overwrite=job.overwrite, quiet=job.quiet,
    ) as run:  # fmt: skip
        slopes = gradients.read(run, X, crew)
        note = boundary_note(job.levels, X.shape[-ndim:], [job.wavelet.length] * ndim)
        if note:
            run.say(f"Note: {note}.")
        with run.step("Searches") as progress, without_boundary_warnings():
            path = distill_path(
                X, slopes, wavelet=job.wavelet, levels=job.levels, mode=job.mode, ndim=ndim, shares=job.shares,
                method=job.method, baseline=baseline, seed=job.seed, search=job.search, device=job.device,
                dtype=getattr(torch, job.dtype), workers=crew, checkpoint=run / "path.checkpoint.json",
                progress=progress,
            )  # fmt: skip
        selection = None
        if truths is not None:
            with run.step("Cross-validation"):
                selection = _select(path, X, truths, groups, job.predictor, job.seed)
        index = job.index if selection is None else selection.index
        with run.step("Scores"):
            scores = _score(job, path, index, X, slopes)
        _write(run, path, index, selection)
        write_scores(run / "scores.json", scores)
        checked = gradients.checked(run, X, slopes, path[index].wavelet, ndim)
        if checked is None:
            (run / "quality.json").unlink(missing_ok=True)
        if job.report:
            from awd_core.app.page import write_page

            with run.step("Report") as progress:
                write_page(
                    run, path, path[index], selection, scores=scores, quality=checked, artefacts=ARTEFACTS,
                    progress=progress,
                )  # fmt: skip
        run.finish(searches=[{d.start: round(d.seconds, 4) for d in point.descents} for point in path])
    return Path(job.out)


class _Given:
    """Gradients that lie in a file."""

    def __init__(self, file: PathLike, X: SampleArray) -> None:
        self.name = os.fspath(file)
        self._array = as_samples(read_array(file), self.name)
        check_gradients(X, self._array)
        self.identity = identity(self._array)

    def read(self, run: RunFolder, X: SampleArray, crew: Workers) -> SampleArray:
        """Return the gradients."""
        del run, X, crew
        return self._array

    def checked(self, run: RunFolder, X: SampleArray, slopes: SampleArray, wavelet: Wavelet, ndim: int) -> None:
        """Nothing: without the network there is nobody to ask."""
        del run, X, slopes, wavelet, ndim


class _Asked:
    """Gradients that a teacher is asked for, which are kept in the run's folder."""

    def __init__(self, job: DistillJob, baseline: Any) -> None:
        if job.teacher is None:
            raise ValueError("give a teacher to ask for gradients")
        self._job, self._teacher, teacher = job, job.teacher, job.teacher
        self._baseline = baseline if job.method in ("integrated_gradients", "gradient_shap") else None
        self.name = os.fspath(teacher.weights)
        self._model, *self._others = (
            load_module(teacher.factory, weights=weights, **teacher.arguments)
            for weights in (teacher.weights, *teacher.other_weights)
        )
        self._check_others()
        self.identity = {
            "factory": teacher.factory,
            "arguments": dict(teacher.arguments),
            "sha256": model_digest(self._model),
            "target": list(teacher.target) if isinstance(teacher.target, tuple) else teacher.target,
            "batch_size": teacher.batch_size,
        }

    def read(self, run: RunFolder, X: SampleArray, crew: Workers) -> SampleArray:
        """Ask for those that are not in the folder yet."""
        job = self._job
        with run.step("Input gradients") as progress:
            return input_gradients(
                self._model, X, self._teacher.target, method=job.method, baseline=self._baseline,
                seed=job.seed if job.method == "gradient_shap" else None, batch_size=self._teacher.batch_size,
                device=job.device, out=run / "gradients.zarr", workers=crew, progress=progress,
            )  # fmt: skip

    def checked(
        self, run: RunFolder, X: SampleArray, slopes: SampleArray, wavelet: Wavelet, ndim: int
    ) -> CheckedQuality | None:
        """Look whether the attributions deserve trust, unless that was done before or is not wanted."""
        job, teacher = self._job, self._teacher
        if not job.quality:
            return None
        with run.step("Checks of trust") as progress:
            return attribution_quality(
                self._model, X, slopes, wavelet, levels=job.levels, mode=job.mode, ndim=ndim, target=teacher.target,
                method=job.method, baseline=0.0 if self._baseline is None else self._baseline, seed=job.seed,
                others=self._others, settings=job.checks, batch_size=teacher.batch_size, device=job.device,
                factory=lambda: build(resolve_factory(teacher.factory), teacher.arguments),
                store=run / "quality.json", progress=progress,
            )  # fmt: skip

    def _check_others(self) -> None:
        """Before hours of work, not after them."""
        names = [self._teacher.weights, *self._teacher.other_weights]
        seen: dict[str, PathLike] = {}
        for name, model in zip(names, (self._model, *self._others), strict=True):
            twin = seen.setdefault(model_digest(model), name)
            if twin is not name:
                raise ValueError(
                    f"{os.fspath(twin)} and {os.fspath(name)} hold the same weights; other weights are those of "
                    "networks that were trained with other seeds, each given once"
                )


def _baseline(job: DistillJob, X: SampleArray) -> Any:
    """A float, or an array with the shape of one input."""
    if job.baseline is None or isinstance(job.baseline, float):
        return job.baseline or 0.0
    values = np.asarray(read_array(job.baseline)[:])
    if values.shape != tuple(X.shape[1:]):
        raise ValueError(f"the baseline has shape {values.shape}; give one with an input's, {tuple(X.shape[1:])}")
    return values.astype(np.dtype(X.dtype).newbyteorder("="))


def _truths(file: PathLike, X: SampleArray) -> np.ndarray[Any, np.dtype[np.float64]]:
    y = np.asarray(read_array(file)[:], dtype=np.float64)
    if y.ndim not in (1, 2) or len(y) != X.shape[0] or not np.isfinite(y).all():
        raise ValueError(
            f"y has shape {y.shape}; give one finite number, or row of numbers, for each of the {X.shape[0]} inputs"
        )
    return y


def _groups(file: PathLike, X: SampleArray) -> np.ndarray[Any, Any]:
    groups = np.asarray(read_array(file)[:])
    if groups.shape != (X.shape[0],):
        raise ValueError(f"groups have shape {groups.shape}; give one number for each of {X.shape[0]} inputs")
    if len(np.unique(groups)) < 2:
        raise ValueError("all inputs are of one group, and none can be held out; leave groups out")
    return groups


def _select(path: DistillationPath, X: SampleArray, y: Any, groups: Any, predictor: str, seed: int) -> "Selection":
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LassoCV, MultiTaskLassoCV, RidgeCV
    from sklearn.model_selection import KFold
    from sklearn.pipeline import make_pipeline

    from awd_core.features.select import Standardised, select_point

    if predictor == "ridge":
        model = RidgeCV(alphas=np.geomspace(1e-2, 1e6, 25))
    else:
        model = (LassoCV if y.ndim == 1 else MultiTaskLassoCV)(cv=KFold(5, shuffle=True, random_state=seed))
    folds = 5 if groups is None else min(5, len(np.unique(groups)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # at the weakest penalties, which are not chosen then
        reader = make_pipeline(Standardised(), model)
        return select_point(path, np.asarray(X[:]), y, reader, groups=groups, cv=folds, seed=seed)


def _score(job: DistillJob, path: DistillationPath, index: int, X: SampleArray, slopes: SampleArray) -> Scores:
    """Scores of the start and of the chosen wavelet."""
    from awd_core.evidence.scores import score_pair

    settings = {key: path.settings[key] for key in ("levels", "mode", "ndim", "method")}
    return score_pair(
        path.start, path[index].wavelet, X, slopes, baseline=_baseline(job, X), device=job.device, **settings
    )


def _write(run: RunFolder, path: DistillationPath, index: int, selection: "Selection | None") -> None:
    (run / "wavelets").mkdir(exist_ok=True)
    for name, point in zip(_names(path), path, strict=True):
        point.wavelet.save(run / "wavelets" / f"share-{name}.json")
    if selection is None:
        (run / "selection.json").unlink(missing_ok=True)
    else:
        folds = selection.scores.tolist()
        rows = [row | {"scores": scores} for row, scores in zip(selection.rows(), folds, strict=True)]
        run.write_json("selection.json", {"points": rows})
    save_path(path, run / "path.json")
    path[index].wavelet.save(run / "wavelet.json")


def _names(path: DistillationPath) -> list[str]:
    """The shares with two decimals, or with as many as tell them apart."""
    shares = [point.share for point in path]
    decimals = next(d for d in range(2, 20) if len({f"{share:.{d}f}" for share in shares}) == len(shares) or d == 19)
    return [f"{share:.{decimals}f}" for share in shares]
