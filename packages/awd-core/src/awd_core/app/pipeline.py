"""From arrays in files to a run folder: gradients, path, the chosen wavelet, figures and report.

What `awd distill` does, for Python: `distill_files(DistillJob("X.npy", "run", gradients="G.npy"))`.
"""

import json
import os
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from awd_core.app.answers import STORE, Answers, ChannelsLast, channels_first
from awd_core.app.choice import choice, stored_selection
from awd_core.app.job import DistillJob as DistillJob
from awd_core.app.job import PathLike
from awd_core.app.job import TeacherFile as TeacherFile
from awd_core.attribution.gradients import check_gradients
from awd_core.attribution.store import model_digest
from awd_core.distill.distill import DistillationPath, distill_path
from awd_core.evidence.quality_record import CheckedQuality
from awd_core.evidence.score_records import Scores
from awd_core.files.arrays import SampleArray, as_samples, identity, read_array
from awd_core.readable.fit import SEARCH, readable_model
from awd_core.readable.worth import Worth
from awd_core.run.distilling import GRADIENTS, PAGE, SCORES, TAKEN, TRUST, Distilling
from awd_core.run.folder import CONFIG, RunFolder
from awd_core.run.screen import Report
from awd_core.run.steps import Step, files_of, follow, never_done
from awd_core.teacher.weights import build, load_module, resolve_factory
from awd_core.transforms.boundary import boundary_note, without_boundary_warnings
from awd_core.transforms.dwt import transformed_axes
from awd_core.workers.open import open_workers

if TYPE_CHECKING:
    from awd_core.features.select import Selection
    from awd_core.readable.model import ReadableModel

PROGRAM = "awd distill"


class Work(Distilling):
    """A job at work: what its files hold, read and checked before there is a folder, and what comes of it."""

    path: DistillationPath
    scores: Scores
    selection: "Selection | None" = None
    trust: CheckedQuality | None = None
    answers: Answers | None = None
    readable: "tuple[ReadableModel, Worth] | None" = None
    same_truths = False

    def __init__(self, job: DistillJob) -> None:
        self.job = job
        self.X = channels_first(as_samples(read_array(job.X), os.fspath(job.X)), job.channels, "X")
        self.ready, self.has_teacher, self.quality = job.gradients, job.teacher is not None, job.quality
        axes = None if job.channels is None or job.ndim is not None else len(self.X.shape) - 2
        ndim = transformed_axes(tuple(self.X.shape), job.ndim or axes)
        self.how = {
            "levels": job.levels, "mode": job.mode, "ndim": ndim, "method": job.method, "device": job.device,
            "baseline": _baseline(job, self.X),
        }  # fmt: skip
        if job.gradients is not None:
            given = as_samples(read_array(job.gradients), os.fspath(job.gradients), whole=False)
            self.file = channels_first(given, job.channels, "gradients")
            check_gradients(self.X, self.file)
            self.origin = identity(self.file)
        if (teacher := job.teacher) is not None:
            self.model, *others = _networks(teacher)
            if job.channels == "last":
                self.model, others = ChannelsLast(self.model), [ChannelsLast(one) for one in others]
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
                "factory": lambda: _built(teacher, job.channels),
            }  # fmt: skip
        if job.y is not None:
            self.answers = Answers(job, self.X, None if job.teacher is None else self.model)

    @property
    def index(self) -> int:
        """Which point of the path is taken."""
        return self.job.index if self.selection is None or self.job.share is not None else self.selection.index

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

    def recall_choice(self) -> bool:
        """Whether cross-validation by these truths, or by any where none are given now, was done before; it counts."""
        if (self.run / "selection.json").exists() and (self.answers is None or self.same_truths):
            self.selection = stored_selection(self.run / "selection.json", [point.share for point in self.path])
        return self.answers is None or self.selection is not None

    def choose(self, report: Report) -> None:
        """See which point's coefficients tell most of truths, by cross-validation."""
        if self.answers is None:
            raise RuntimeError("there are no truths to choose by")
        found = choice(self.path, np.asarray(self.X[:]), self.answers, self.job.predictor, self.job.seed, report)
        rows = [row | {"scores": scores} for row, scores in zip(found.rows(), found.scores.tolist(), strict=True)]
        self.run.write_json("selection.json", {"points": rows})
        self.selection = found

    def recall_model(self) -> bool:
        """Whether the model was made before, of the same."""
        if (self.run / "worth.json").exists() and (self.run / "model.json").exists():
            from awd_core.readable.model import ReadableModel

            stored = json.loads((self.run / "worth.json").read_text(encoding="utf-8"))
            if self.answers is None or stored["asked"] == self.asked_for_model:
                self.readable = ReadableModel.load(self.run / "model.json"), Worth.from_dict(stored)
        return self.answers is None or self.readable is not None

    @property
    def asked_for_model(self) -> Any:
        """What determines the model beside the run's settings, as JSON gives it back."""
        return None if self.answers is None else json.loads(json.dumps(self.answers.asked))

    def ask_answers(self, report: Report) -> None:
        """Ask the network for its answers, once."""
        if self.answers is not None:
            self.answers.ask(self.run / STORE, report)

    def read(self, report: Report) -> None:
        """Make the model that one can read, and see whether it was worth it."""
        job, answers = self.job, self.answers
        if answers is None:
            raise RuntimeError("there are no truths to predict")
        seen, tested = answers.outputs(self.run / STORE)
        found = readable_model(
            np.asarray(self.X[:]), answers.y, seen, test=answers.test, test_outputs=tested, groups=answers.groups,
            test_groups=answers.test_groups, task=job.task, features=job.features, numbers=job.numbers,
            wavelet=job.wavelet, levels=job.levels, mode=job.mode, ndim=self.how["ndim"],
            channels=None if job.channels is None else "first", per_channel=job.per_channel, axis=job.axis,
            path=self.path,
            search=replace(SEARCH, random_starts=min(SEARCH.random_starts, job.search.random_starts)), seed=job.seed,
            progress=report,
        )  # fmt: skip
        model = replace(found.model, channels_last=job.channels == "last")
        model.save(self.run / "model.json")
        self.run.write_json("worth.json", {"asked": self.asked_for_model, **found.worth.to_dict()})
        self.readable = model, found.worth

    def take_and_score(self, report: Report) -> None:
        """Take the point, and tell how sparse its wavelet makes things."""
        self.take(self.path, self.path[self.index].wavelet)
        self.scores = self.score(report)

    def see_trust(self, report: Report) -> None:
        """Look whether attributions deserve trust, unless that was done before."""
        self.trust = self.check(report)

    def conclude(self) -> None:
        """Say what it came to, as the report's headline does: what a model is worth, whether to trust attributions."""
        for note in [] if self.readable is None else [*self.readable[1].notes, *self.readable[1].verdict]:
            self.run.say(note)
        if self.trust is not None:
            self.run.say(f"Do the attributions deserve trust? {self.trust.quality.headline}")

    def tell(self, report: Report) -> None:
        """Write the report."""
        from awd_core.app.page import write_page

        point = self.path[self.index]
        write_page(
            self.run, self.path, point, self.selection, scores=self.scores, quality=self.trust, readable=self.readable,
            progress=report,
        )  # fmt: skip


# All is gone through at every start: a finished run may be asked for another point of its path, or other checks.
RUN: tuple[Step[Work], ...] = (
    GRADIENTS,
    Step("distill", "Searches", Work.search, {
        "wavelets": "the wavelet of each share of the path",
        "path.checkpoint.json": "finished searches, from which an interrupted run goes on",
    }, done=never_done),
    Step("distill", "Cross-validation", Work.choose, {
        "selection.json": "cross-validated scores of the points",
    }, done=Work.recall_choice),
    Step("distill", SCORES.title, Work.take_and_score, {**TAKEN, **SCORES.files}, done=never_done),
    Step("distill", "Answers", Work.ask_answers, {
        STORE: "the network's answers to its inputs",
    }, done=lambda work: work.answers is None or not work.has_teacher),
    Step("distill", "Readable model", Work.read, {
        "model.json": "the model: awd predict and awd_core.ReadableModel.load read it",
        "worth.json": "the model beside plainer ones, on inputs that were held out",
    }, done=Work.recall_model),
    Step("distill", "Checks of trust", Work.see_trust, TRUST.files, lambda w: w.has_teacher and w.quality, never_done),
    Step("report", "Report", Work.tell, {
        **PAGE, "card.html": "the model on a page",
    }, done=lambda work: not work.job.report),
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
    options: dict[str, Any] = {
        "X": os.fspath(job.X),
        "gradients": os.fspath(job.gradients or "" if job.teacher is None else job.teacher.weights),
        "share": job.share,
        "predictor": job.predictor,
        "quality": job.quality,
        "question": job.question,
        "other_weights": [] if job.teacher is None else [os.fspath(name) for name in job.teacher.other_weights],
        "y": None,
    }
    if (answers := work.answers) is not None:
        task = {} if answers.truths.classes is None else {"task": "classification"}
        numbers = np.asarray(answers.truths.places) if task else answers.y.astype(np.float64)
        options["y"] = {"file": os.fspath(job.y or ""), **identity(numbers), **task}
        if answers.groups is not None:
            places = np.unique(answers.groups, return_inverse=True)[1]
            options["groups"] = {"file": os.fspath(job.groups or ""), **identity(places)}
    earlier = {} if job.overwrite else earlier_options(Path(job.out) / CONFIG)
    work.same_truths = bool(earlier.get("y")) and all(
        told(earlier.get(name)) == told(options.get(name)) for name in ("y", "groups", "predictor")
    )
    if answers is None and earlier.get("y"):
        # What was chosen by truths stays in the folder, and so does what it was chosen by.
        options |= {name: earlier[name] for name in ("y", "groups", "predictor") if name in earlier}
    with open_workers(job.workers, job.scheduler) as work.crew, RunFolder.open(
        job.out, program=PROGRAM, settings=settings, options=options, artefacts=ARTEFACTS,
        overwrite=job.overwrite, quiet=job.quiet,
    ) as work.run:  # fmt: skip
        note = boundary_note(job.levels, work.X.shape[-ndim:], [job.wavelet.length] * ndim)
        if note:
            work.run.say(f"Note: {note}.")
        follow(RUN, work)
        work.conclude()
        work.run.finish(searches=[{d.start: round(d.seconds, 4) for d in point.descents} for point in work.path])
    return Path(job.out)


def _built(teacher: TeacherFile, channels: str | None) -> nn.Module:
    """The network without training."""
    network = build(resolve_factory(teacher.factory), teacher.arguments)
    return ChannelsLast(network) if channels == "last" else network


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


def earlier_options(config: Path) -> dict[str, Any]:
    """Options of the run that is there, if there is one."""
    try:
        found = json.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    options = found.get("options") if isinstance(found, dict) else None
    return dict(options) if isinstance(options, dict) else {}


def told(value: Any) -> Any:
    """What tells an option from another: of a file its values, wherever it lies."""
    return {name: held for name, held in value.items() if name != "file"} if isinstance(value, dict) else value
