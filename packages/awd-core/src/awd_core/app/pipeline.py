"""From arrays in files to a run folder: gradients, path, the chosen wavelet, figures and report.

What `awd distill` does, for Python: `distill_files(DistillJob("X.npy", "run", gradients="G.npy"))`.
"""

import os
import warnings
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from awd_core.app.job import DistillJob as DistillJob
from awd_core.app.job import PathLike
from awd_core.app.job import TeacherFile as TeacherFile
from awd_core.attribution.gradients import check_gradients
from awd_core.attribution.store import model_digest
from awd_core.distill.distill import DistillationPath, distill_path
from awd_core.evidence.quality_record import CheckedQuality
from awd_core.evidence.score_records import Scores
from awd_core.files.arrays import SampleArray, as_samples, identity, read_array
from awd_core.run.distilling import GRADIENTS, PAGE, SCORES, TAKEN, TRUST, Distilling
from awd_core.run.folder import RunFolder
from awd_core.run.screen import Report
from awd_core.run.steps import Step, files_of, follow, never_done
from awd_core.teacher.weights import build, load_module, resolve_factory
from awd_core.transforms.boundary import boundary_note, without_boundary_warnings
from awd_core.transforms.dwt import transformed_axes
from awd_core.workers.open import open_workers

if TYPE_CHECKING:
    from awd_core.features.select import Selection

PROGRAM = "awd distill"


class Work(Distilling):
    """A job at work: what its files hold, read and checked before there is a folder, and what comes of it."""

    path: DistillationPath
    scores: Scores
    selection: "Selection | None" = None
    trust: CheckedQuality | None = None

    def __init__(self, job: DistillJob) -> None:
        self.job, self.X = job, as_samples(read_array(job.X), os.fspath(job.X))
        self.ready, self.has_teacher, self.quality = job.gradients, job.teacher is not None, job.quality
        ndim = transformed_axes(tuple(self.X.shape), job.ndim)
        self.how = {
            "levels": job.levels, "mode": job.mode, "ndim": ndim, "method": job.method, "device": job.device,
            "baseline": _baseline(job, self.X),
        }  # fmt: skip
        self.truths = None if job.y is None else _truths(job.y, self.X)
        self.groups = None if job.groups is None else _groups(job.groups, self.X)
        if job.gradients is not None:
            self.file = as_samples(read_array(job.gradients), os.fspath(job.gradients))
            check_gradients(self.X, self.file)
            self.origin = identity(self.file)
        if (teacher := job.teacher) is not None:
            self.model, *others = _networks(teacher)
            self.origin = {"factory": teacher.factory, "arguments": dict(teacher.arguments)}
            self.origin |= {"sha256": model_digest(self.model), "target": teacher.target}
            self.origin |= {"batch_size": teacher.batch_size}
            both = {"target": teacher.target, "batch_size": teacher.batch_size}
            averages = job.method in ("integrated_gradients", "gradient_shap")
            self.asked = both | {
                "method": job.method, "baseline": self.how["baseline"] if averages else None, "device": job.device,
                "seed": job.seed if job.method == "gradient_shap" else None,
            }  # fmt: skip
            self.checked = both | {
                "seed": job.seed, "others": others, "settings": job.checks,
                "factory": lambda: build(resolve_factory(teacher.factory), teacher.arguments),
            }  # fmt: skip

    @property
    def index(self) -> int:
        """Which point of the path is taken."""
        return self.job.index if self.selection is None else self.selection.index

    @cached_property
    def gradients(self) -> SampleArray:
        """As they lie in their file, or in the run's folder."""
        return read_array(f"{self.run / 'gradients.zarr'}:gradients") if self.ready is None else self.file

    def ask(self, report: Report) -> None:
        """Ask the teacher for those gradients that are not in the folder yet."""
        self.asked["workers"] = self.crew
        super().ask(report)

    def search(self, report: Report) -> None:
        """Follow the one path, or go on with it."""
        job = self.job
        with without_boundary_warnings():
            self.path = distill_path(
                self.X, self.gradients, wavelet=job.wavelet, shares=job.shares, seed=job.seed, search=job.search,
                dtype=getattr(torch, job.dtype), workers=self.crew, checkpoint=self.run / "path.checkpoint.json",
                progress=report, **self.how,
            )  # fmt: skip
        # Two decimals, or as many as tell the shares apart.
        counts = {d: len({f"{share:.{d}f}" for share in job.shares}) for d in range(2, 20)}
        decimals = next((d for d in counts if counts[d] == len(job.shares)), 19)
        self.save_points(self.path, f"wavelets/share-{{share:.{decimals}f}}.json")

    def choose(self, report: Report) -> None:
        """Take the point whose coefficients tell most of truths, by cross-validation."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LassoCV, MultiTaskLassoCV, RidgeCV
        from sklearn.model_selection import KFold
        from sklearn.pipeline import make_pipeline

        from awd_core.features.select import Standardised, select_point

        y, groups, seed = np.asarray(self.truths), self.groups, self.job.seed
        if self.job.predictor == "ridge":
            model = RidgeCV(alphas=np.geomspace(1e-2, 1e6, 25))
        else:
            model = (LassoCV if y.ndim == 1 else MultiTaskLassoCV)(cv=KFold(5, shuffle=True, random_state=seed))
        folds = 5 if groups is None else min(5, len(np.unique(groups)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # at the weakest penalties, which are not chosen then
            reader = make_pipeline(Standardised(), model)
            found = select_point(self.path, np.asarray(self.X[:]), y, reader, groups=groups, cv=folds, seed=seed)
        rows = [row | {"scores": scores} for row, scores in zip(found.rows(), found.scores.tolist(), strict=True)]
        self.run.write_json("selection.json", {"points": rows})
        self.selection = found

    def take_and_score(self, report: Report) -> None:
        """Take the point, and tell how sparse its wavelet makes things."""
        self.take(self.path, self.path[self.index].wavelet)
        self.scores = self.score(report)

    def see_trust(self, report: Report) -> None:
        """Look whether attributions deserve trust, unless that was done before."""
        self.trust = self.check(report)

    def tell(self, report: Report) -> None:
        """Write the report."""
        from awd_core.app.page import write_page

        point = self.path[self.index]
        write_page(self.run, self.path, point, self.selection, scores=self.scores, quality=self.trust, progress=report)


# All is gone through at every start: a finished run may be asked for another point of its path, or other checks.
RUN: tuple[Step[Work], ...] = (
    GRADIENTS,
    Step("distill", "Searches", Work.search, {
        "wavelets": "the wavelet of each share of the path",
        "path.checkpoint.json": "finished searches, from which an interrupted run goes on",
    }, done=never_done),
    Step("distill", "Cross-validation", Work.choose, {
        "selection.json": "cross-validated scores of the points",
    }, lambda work: work.truths is not None, never_done),
    Step("distill", SCORES.title, Work.take_and_score, {**TAKEN, **SCORES.files}, done=never_done),
    Step("distill", "Checks of trust", Work.see_trust, TRUST.files, lambda w: w.has_teacher and w.quality, never_done),
    Step("report", "Report", Work.tell, PAGE, done=lambda work: not work.job.report),
)  # fmt: skip
ARTEFACTS = files_of(RUN)


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
    work = Work(job)
    ndim, baseline = work.how["ndim"], work.how["baseline"]
    settings = {
        "X": identity(work.X),
        "gradients": work.origin,
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
        "gradients": os.fspath(job.gradients or "" if job.teacher is None else job.teacher.weights),
        "share": job.share,
        "predictor": job.predictor,
        "quality": job.quality,
        "other_weights": [] if job.teacher is None else [os.fspath(name) for name in job.teacher.other_weights],
        "y": None if job.y is None or work.truths is None else {"file": os.fspath(job.y), **identity(work.truths)},
    }
    if work.groups is not None:
        numbers = np.unique(work.groups, return_inverse=True)[1]
        options["groups"] = {"file": os.fspath(job.groups or ""), **identity(numbers)}
    with open_workers(job.workers, job.scheduler) as work.crew, RunFolder.open(
        job.out, program=PROGRAM, settings=settings, options=options, artefacts=ARTEFACTS,
        overwrite=job.overwrite, quiet=job.quiet,
    ) as work.run:  # fmt: skip
        note = boundary_note(job.levels, work.X.shape[-ndim:], [job.wavelet.length] * ndim)
        if note:
            work.run.say(f"Note: {note}.")
        follow(RUN, work)
        work.run.finish(searches=[{d.start: round(d.seconds, 4) for d in point.descents} for point in work.path])
    return Path(job.out)


def _networks(teacher: TeacherFile) -> list[nn.Module]:
    """The network that is asked, and those of other seeds: none of them twice, which is seen before hours of work."""
    names = [teacher.weights, *teacher.other_weights]
    networks = [load_module(teacher.factory, weights=name, **teacher.arguments) for name in names]
    seen: dict[str, PathLike] = {}
    for name, network in zip(names, networks, strict=True):
        twin = seen.setdefault(model_digest(network), name)
        if twin is not name:
            raise ValueError(
                f"{os.fspath(twin)} and {os.fspath(name)} hold the same weights; other weights are those of networks "
                "that were trained with other seeds, each given once"
            )
    return networks


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
