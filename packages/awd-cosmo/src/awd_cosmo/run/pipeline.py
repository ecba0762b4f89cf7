"""From a folder of maps to a report: read, split, teacher, gradients, paths, selection, comparison, report.

What `awd-cosmo run` does, for Python: `run_pipeline("maps", "run")`. `RUN` is the list of its steps; each leaves files
in the run's folder, and one whose files are there is not done again: an interrupted run goes on, and every part of it
can be asked for.
"""

# What the shared steps ask for is a property here, read when it is first needed:
# mypy: disable-error-code="override"

import hashlib
import json
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from awd_core.attribution import input_gradients
from awd_core.checks import check_device, check_kind
from awd_core.distill import SearchSettings
from awd_core.evidence import CheckedQuality, attribution_quality
from awd_core.files import identity, json_bytes, read_array, read_json
from awd_core.run import (
    CONFIG,
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
    stored_run,
)
from awd_core.student import StudentDistillation
from awd_core.typing import Rows
from awd_core.workers import Workers, open_workers
from awd_cosmo.inference.predict import predict_files, to_csv
from awd_cosmo.maps.bins import as_channels
from awd_cosmo.maps.map_set import MapSet
from awd_cosmo.run.attribute import MODE, QUALITY, levels_for, write_attributions
from awd_cosmo.run.choose import select
from awd_cosmo.run.compare import Comparison
from awd_cosmo.run.evaluate import evaluate
from awd_cosmo.run.features import Features
from awd_cosmo.run.job import SIMULATED, Job
from awd_cosmo.run.posteriors import write_posteriors
from awd_cosmo.run.prepare import Prepared, data_identity, keep, open_data, prepare, say_account, simulate_first
from awd_cosmo.run.student import find_wavelets
from awd_cosmo.run.teach import Taught, teach
from awd_cosmo.teacher.augmentation import WithMask

PathLike = str | os.PathLike[str]

PROGRAM = "awd-cosmo run"
SCORED = 256
"""Test maps on which sparsity is told, at most: a teacher in eight orientations takes its time."""
UNTOLD = ("cache", "maps", "features")
"""What a report tells nothing of, though it is made of it."""
PACKAGES = ("awd-cosmo", "astropy", "scikit-learn", "lightning", "pyccl")


class Work(Distilling):
    """What the steps share: what was asked, and what they have left, read when it is first needed."""

    def __init__(
        self, run: RunFolder, job: Job, options: Mapping[str, Any], device: str | None, quality: bool, crew: Workers,
        redraw: bool,
    ) -> None:  # fmt: skip
        self.run, self.job, self.options, self.quality, self.crew = run, job, options, quality, crew
        self.redraw = redraw  # the report, whatever is there
        self.data = run / "maps" if options["data"] == SIMULATED else Path(options["data"])
        self.ready, self.starts = options["gradients"], job.wavelets
        search = SearchSettings(
            random_starts=job.random_starts, small_batch=job.small_batch, medium_batch=max(job.small_batch, 1 << 19),
            large_batch=job.large_batch,
        )  # fmt: skip
        self.searched = {"shares": job.shares, "seed": job.seed, "search": search, "device": device}

    @cached_property
    def maps(self) -> MapSet:
        """As they lie there."""
        return open_data(self.job, self.data, self.crew, self.options["training_mask"])

    @cached_property
    def prepared(self) -> Prepared:
        """Ready to be learnt from. They are looked at whenever a run goes on: they might be others."""
        say_account(self.run, self.maps, self.data)
        return prepare(self.run, self.job, self.data, self.maps, self.crew)

    @cached_property
    def taught(self) -> dict[str, Taught]:
        """The teacher of each protocol; none with ready gradients alone."""
        weights = self.options["weights"]
        return teach(self.run, self.job, self.prepared, None if weights is None else Path(weights))

    @property
    def teacher(self) -> Taught:
        """The one of the protocol that counts."""
        if not self.taught:
            raise ValueError(
                "there is neither a teacher nor gradients to distil from; give --gradients, or train a teacher"
            )
        return self.taught["held_out"]

    @cached_property
    def has_teacher(self) -> bool:
        """Whether there is one."""
        return bool(self.taught)

    @cached_property
    def model(self) -> nn.Module:
        """Its network."""
        return self.teacher.module

    @cached_property
    def rows(self) -> Rows:
        """The training maps that are distilled from, drawn among those that train in every protocol."""
        rows = np.random.default_rng([self.job.seed, 0xD157]).permutation(self.prepared.both_train())
        return np.sort(rows[: self.job.distill_maps]).astype(np.int64)

    @cached_property
    def X(self) -> Any:  # noqa: N802 - as in the theory
        """These maps, (m, channels, ny, nx): redshift bins are channels."""
        return as_channels(self.prepared.filled(self.rows))

    @cached_property
    def asked_of(self) -> Any:
        """What the teacher is asked for: these maps, and which of their pixels were observed if it is to see that."""
        return self.prepared.inputs(self.rows)

    @cached_property
    def gradients(self) -> Any:
        """Of the teacher with respect to the maps."""
        return super().gradients[:, : self.X.shape[1]]

    def ask(self, report: Report) -> None:
        """Ask the teacher for those gradients that are not in the folder yet."""
        store = self.run / "gradients.zarr"
        input_gradients(self.model, self.asked_of, out=store, progress=report, **self.asked)

    def check(self, report: Report) -> CheckedQuality:
        """Look whether attributions deserve trust: of a teacher that sees masks, on maps that share the commonest."""
        if self.prepared.unit is None:
            return super().check(report)
        masks = self.asked_of[:, self.X.shape[1] :]
        kinds, which = np.unique(masks.reshape(len(masks), -1), axis=0, return_inverse=True)
        which = which.reshape(-1)
        common = int(np.bincount(which).argmax())
        mine = np.flatnonzero(which == common)
        seen = WithMask(self.model, torch.from_numpy(kinds[common].reshape(masks.shape[1:])))
        return attribution_quality(
            seen.eval(), self.X[mine], self.gradients[mine], self.wavelet, store=self.run / "quality.json",
            progress=report, **self.how, **self.checked,
        )  # fmt: skip

    @cached_property
    def count(self) -> int:
        """Of the prepared maps."""
        return len(self.prepared.maps)

    @cached_property
    def each(self) -> str:
        """What there is a gradient for."""
        return f"of the {self.count} prepared maps, in the order of the table (awd-cosmo prepare writes maps.ecsv)"

    @cached_property
    def asked(self) -> dict[str, Any]:
        """How the teacher is asked."""
        return {"target": self.teacher.target(self.asked_of), "batch_size": 64, "workers": self.crew}

    @cached_property
    def checked(self) -> dict[str, Any]:
        """How its attributions are checked: one teacher a protocol, whose agreement with other seeds stays open."""
        return {"target": self.teacher.target(self.asked_of), "seed": self.job.seed, "settings": QUALITY}

    @cached_property
    def how(self) -> dict[str, Any]:
        """The transform in which inputs and attributions shall be sparse."""
        return {"levels": levels_for(self.X.shape, self.job.path_levels), "mode": MODE, "ndim": 2}

    @cached_property
    def scale(self) -> Any:
        """Standard deviation of the maps that are distilled from, (channels, 1, 1).

        In units of it the thresholds of scores mean what they meant in the paper, and redshift bins count alike.
        """
        seen = np.broadcast_to(self.seen(self.rows), self.X.shape)
        deviations = [self.X[:, b].std(dtype=np.float64, where=seen[:, b]) for b in range(self.X.shape[1])]
        return np.array(deviations, np.float32)[:, None, None]

    def seen(self, rows: Rows) -> Any:
        """Which pixels of maps were observed, (m, channels, ny, nx) or as much of it as is needed."""
        if not self.prepared.masked:
            return np.ones((1, 1, 1, 1), np.bool_)
        return np.isfinite(as_channels(self.prepared.maps.read(rows)))

    def standardised(self, X: Any, gradients: Any, rows: Rows) -> tuple[Any, Any]:
        """Maps and gradients in units of the scale. What was not observed is nothing, and no attribution is its.

        Every redshift bin is a map of its own here: all share a wavelet.
        """
        seen, shape = self.seen(rows), (-1, *X.shape[2:])
        return (
            (np.where(seen, X, 0) / self.scale).reshape(shape),
            (np.where(seen, gradients, 0) * self.scale).reshape(shape),
        )

    @property
    def distilled(self) -> tuple[Any, Any]:
        """The maps and gradients that are distilled from."""
        return self.standardised(self.X, self.gradients, self.rows)

    @property
    def scored(self) -> tuple[Any, Any]:
        """Test maps, as published, `SCORED` at most; without gradients of them the distilled maps."""
        rows = np.random.default_rng([self.job.seed, 0x5C0E]).permutation(self.prepared.splits["held_out"].test)
        rows = np.sort(rows[:SCORED]).astype(np.int64)
        X = as_channels(self.prepared.filled(rows))
        if self.ready is None:
            gradients = input_gradients(self.model, self.prepared.inputs(rows), **self.asked)[:, : X.shape[1]]
        else:
            try:
                gradients = self.given(X, rows)
            except ValueError as error:
                self.run.say(f"Note: sparsity is told on the maps that are distilled from; of test maps: {error}")
                return self.distilled
        return self.standardised(X, gradients, rows)

    @cached_property
    def comparison(self) -> Comparison:
        """Of statistics on these maps."""
        features = Features(self.run, self.prepared.maps, self.prepared.both_train(), self.job.seed, self.crew)
        return Comparison(self.job, self.prepared, features)

    @cached_property
    def chosen(self) -> dict[str, Any]:
        """What validation chose."""
        return dict(read_json(self.run / "choice.json"))

    def simulate(self, report: Report) -> None:
        """Make the embedded suite, or what is missing of it."""
        simulate_first(self.job, self.data, workers=self.crew, progress=report)

    def write_gradient_rows(self, report: Report) -> None:
        """Say of which maps there are gradients."""
        told = {"rows": self.rows.tolist(), "method": "saliency", "target": self.job.target}
        self.run.write_json("gradients.json", told)

    @cached_property
    def student(self) -> StudentDistillation:
        """The wavelet of the few numbers."""
        return StudentDistillation.load(self.run / "student.json")

    @cached_property
    def peaks(self) -> StudentDistillation:
        """The wavelet of the few counts of peaks, and which they are."""
        return StudentDistillation.load(self.run / "peaks.json")

    def distill_student_wavelets(self, report: Report) -> None:
        """Find the wavelets of which few numbers, and few counts, tell most of the teacher's answers."""
        find_wavelets(self.run, self.comparison, self.taught, report)

    def select(self, report: Report) -> None:
        """Choose statistic, estimator and wavelet by cross-validation."""
        select(self.run, self.comparison, self.student, self.peaks, self.paths, report)

    def write_chosen(self, report: Report) -> None:
        """Write the wavelet that was chosen, its path, and the wavelets on it."""
        start, index = self.chosen["awd_counts"]
        self.save_points(self.paths[start], "wavelets/share-{share:.3f}.json")
        self.take(self.paths[start], self.paths[start][index].wavelet)

    def attribute(self, report: Report) -> None:
        """Look at single maps."""
        write_attributions(self.run, self.job, self.prepared, self.teacher, self.wavelet)

    def compare(self, report: Report) -> None:
        """Ask all models for the test maps, once."""
        students = {"awd": self.student, "awd_peaks": self.peaks}
        evaluate(self.run, self.comparison, students, self.paths, self.chosen, self.taught, report)

    @property
    def has_posterior(self) -> bool:
        """Whether posteriors of several parameters are asked for."""
        return len(self.job.targets) > 1 and self.job.posterior != "none"

    def write_posteriors(self, report: Report) -> None:
        """Sample the posteriors of all targets at once."""
        write_posteriors(self.run, self.comparison, self.student, self.chosen, self.taught, report)

    def observe(self, report: Report) -> None:
        """Ask the model for observed maps."""
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always", UserWarning)
            files, mask = self.options["observed"], self.options["mask"]
            bad: list[tuple[str, str]] = []
            found = predict_files(self.run / "model.json", files, mask=mask, bad=bad, workers=self.crew)
        for warning in said:
            self.run.say(f"Note: {warning.message}")
        for file, reason in bad:
            self.run.say(f"Note: the observed map {file} is left out: {reason}.")
        keep(self.run, "observed.json", json_bytes([asdict(one) for one in found]))
        keep(self.run, "observed.csv", to_csv(found))

    def drawn(self) -> bool:
        """Whether the report is there, and younger than all that it tells of, by the same versions."""
        page = self.run / "report.html"
        if self.redraw or not (page.exists() and (self.run / "figures").exists()):
            return False
        told = [self.run / name for name in (CONFIG, *ARTEFACTS) if name not in PAGE and name not in UNTOLD]
        files = [file for place in told for file in (place.rglob("*") if place.is_dir() else [place])]
        newest = max((file.stat().st_mtime_ns for file in files if file.is_file()), default=0)
        *before, now = self.run.sessions
        same = any(session["finished"] and session["versions"] == now["versions"] for session in before)
        return same and page.stat().st_mtime_ns > newest

    def write_page(self, report: Report) -> None:
        """Write the report."""
        from awd_cosmo.report.page import write_report

        write_report(self.run, progress=report)


RUN: tuple[Step[Work], ...] = (
    Step("prepare", "Simulation", Work.simulate, {
        "maps": "the simulated maps, where they were asked for",
    }, done=lambda w: w.options["data"] != SIMULATED or files_exist("maps.json", "maps")(w)),
    Step("prepare", "", lambda w, report: w.prepared, {
        "maps.json": "what the maps are and what was done to them",
        "maps.ecsv": "the table of the prepared maps, one row a map",
        "split.json": "which maps train, validate and test, in both protocols",
        "cache": "the prepared maps",
    }, done=never_done),
    Step("teach", "", lambda w, report: w.taught, {
        "teacher.json": "what the teacher is, and how well it does on validation maps",
        "teacher": "the teacher's weights, history and answers",
    }, done=never_done),
    GRADIENTS,
    Step("distill", "", Work.write_gradient_rows, {"gradients.json": "of which maps"}),
    PATHS,
    Step("distill", "Student", Work.distill_student_wavelets, {
        "student.json": "the wavelet of which few numbers tell most of the teacher's answers, and how it was found",
        "peaks.json": "the same of few counts of peaks, and which they are",
    }),
    Step("distill", "Selection", Work.select, {
        "selection.json": "every candidate that validation has compared",
        "choice.json": "what it chose",
    }),
    Step("distill", "", Work.write_chosen, {**TAKEN, "wavelets": "the wavelet of each share of its path"}),
    SCORES,
    Step("distill", "Attributions", Work.attribute, {
        "attributions.npz": "attributions of some test maps, in pixels and in the wavelet's bands",
    }, lambda w: w.has_teacher),
    TRUST,
    Step("evaluate", "Comparison", Work.compare, {
        "results.json": "the comparison of all models on test maps, in both protocols",
        "model.json": "the readable model; `awd-cosmo predict` and awd_cosmo.inference.Model.load read it",
        "predictions.csv": "what the main models say of each test map",
        "timings.json": "seconds of each step, milliseconds per map of each model",
        "features": "features of all maps, by statistic",
    }, done=files_exist("results.json", "model.json", "predictions.csv")),
    Step("evaluate", "Posteriors", Work.write_posteriors, {
        "posteriors.json": "posteriors of all targets at once, by statistic: errors, figure of merit, coverage",
        "posterior.json": "the readable model with a likelihood; `awd-cosmo predict --chains` draws from its posterior",
        "chains": "samples for some test maps, as GetDist reads them",
    }, lambda w: w.has_posterior, files_exist("posteriors.json", "posterior.json")),
    Step("evaluate", "Observed maps", Work.observe, {
        "observed.json": "what the model says of observed maps",
        "observed.csv": "the same as a table",
    }, lambda w: w.options["observed"], never_done),
    Step("report", "Report", Work.write_page, PAGE, done=Work.drawn),
)  # fmt: skip
STEPS = tuple(dict.fromkeys(step.name for step in RUN))
"""The parts of a run, each of which needs those before it."""
ARTEFACTS = files_of(RUN)


def run_pipeline(
    data: PathLike | None,
    out: PathLike,
    job: Job | None = None,
    *,
    until: str = "report",
    weights: PathLike | None = None,
    gradients: PathLike | None = None,
    observed: Sequence[PathLike] = (),
    mask: PathLike | None = None,
    training_mask: PathLike | None = None,
    workers: int | Workers = 1,
    scheduler: str | None = None,
    device: str | None = None,
    quality: bool = True,
    question: str | None = None,
    overwrite: bool = False,
    quiet: bool = False,
) -> Path:
    """Do a run, or go on with it where it was interrupted.

    Parameters
    ----------
    data : path or None
        Folder of maps as for `awd_cosmo.maps.open_maps`, or "simulated". None: go on with the run that is there, with
        its own data and job.
    out : path
        The run's folder; `ARTEFACTS` says what lies in it.
    job : Job, optional
        What the run is; needed with `data`.
    until : str
        The last step, one of `STEPS`.
    weights : path, optional
        Of the teacher that the job names.
    gradients : path, optional
        Ready gradients, one for each prepared map; no teacher is asked.
    observed : sequence of path
        Files or folders of observed maps, which the model is asked for at the end.
    mask : path, optional
        Of the observed maps.
    training_mask : path, optional
        Of the training maps, read or simulated: 1 where observed.
    workers : int or Workers
        Processes, or open `awd_core.workers.open`, that simulate, read and cache maps, count, and search along paths.
        The results do not depend on them. Each holds at a time one simulated map, 16 MiB of maps to cache or to count
        in, 64 maps to ask the teacher for, or the batches of a path, which those on one machine share.
    scheduler : str, optional
        Address or file of a scheduler of Dask, whose workers do it instead; they need the same files at the same
        paths.
    device : str, optional
        Where wavelets are distilled, as torch names it.
    quality : bool
        Whether to check the attributions (quality.json), if there is a teacher.
    question : str, optional
        What the user wants to know of the model, for the report; without data, that of the run if none is given.
    overwrite, quiet : bool
        Delete an earlier run in that folder; show no progress.

    Returns
    -------
    Path
        The run's folder.

    Raises
    ------
    ValueError
        If maps, job or folder will not do; the message says why.
    FileNotFoundError
        If something is not there.
    """
    check_device(device)
    if job is not None:
        check_kind("job", job, Job)
    steps = steps_until(RUN, until)
    place, redraw = Path(out), data is None
    if data is None:
        if overwrite:
            raise ValueError("to begin a run anew its data are needed; give them")
        job, options = saved_job(place)
        data, weights = options["data"], weights or options.get("weights")
        gradients = gradients or options.get("gradients")
        training_mask = training_mask or options.get("training_mask")
        question = question or options.get("question")
        observed, mask = observed or options.get("observed") or (), mask or options.get("mask")
    job = _with_digests(job or Job(), weights, gradients, training_mask)
    simulated = os.fspath(data) == SIMULATED
    options = {
        "data": SIMULATED if simulated else _absolute(data),
        "weights": _absolute(weights),
        "gradients": _absolute(gradients),
        "observed": [_absolute(name) for name in observed],
        "mask": _absolute(mask),
        "training_mask": _absolute(training_mask),
        "question": question,
    }
    with open_workers(workers, scheduler) as crew:
        maps = None if simulated else open_data(job, os.fspath(data), crew, training_mask)
        settings = {"job": job.to_dict(), "data": {"suite": job.suite} if maps is None else data_identity(maps)}
        with RunFolder.open(
            place, program=PROGRAM, settings=settings, options=options, artefacts=ARTEFACTS, packages=PACKAGES,
            defaults={"job": Job().to_dict()},
            overwrite=overwrite, quiet=quiet,
        ) as run:  # fmt: skip
            run.log(f"Workers: {crew.where}")
            work = Work(run, job, options, device, quality, crew, redraw)
            if maps is not None:
                work.maps = maps
            follow(steps, work)
            run.finish()
    return place


def saved_job(out: Path) -> tuple[Job, Mapping[str, Any]]:
    """The job and the options of the run in a folder.

    Raises
    ------
    FileNotFoundError
        If it holds no run.
    ValueError
        If it holds another program's run.
    """
    values = stored_run(out, PROGRAM, f"awd-cosmo run DATA --out {out}, or awd-cosmo prepare")
    return Job.from_dict(values["settings"]["job"]), values["options"]


def _absolute(path: PathLike | None) -> str | None:
    """So that single steps find it from wherever they are started."""
    return None if path is None else str(Path(path).absolute())


def _with_digests(
    job: Job, weights: PathLike | None, gradients: PathLike | None, training_mask: PathLike | None
) -> Job:
    """The job with what identifies a teacher, gradients and a mask of the user's own."""
    if (job.teacher is None) != (weights is None):
        raise ValueError("a teacher of your own is its factory (--teacher) and its weights (--weights); give both")
    if training_mask is not None:
        job = job.changed(mask_digest=hashlib.sha256(Path(training_mask).read_bytes()).hexdigest())
    if weights is not None:
        job = job.changed(teacher_digest=hashlib.sha256(Path(weights).read_bytes()).hexdigest())
    if gradients is not None:
        told = json.dumps(identity(read_array(gradients)), sort_keys=True)
        job = job.changed(gradients_digest=hashlib.sha256(told.encode()).hexdigest())
    return job
