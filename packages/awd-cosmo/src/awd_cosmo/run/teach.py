"""The teacher within a run: trained once, for all protocols, or a network of the user's own."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from awd_core.files import cached_array, make_atomically, read_json
from awd_core.run import RunFolder
from awd_core.typing import Array, Rows
from awd_cosmo.inference.scores import rmse
from awd_cosmo.inference.splits import Split
from awd_cosmo.maps.sources import HANDED, Maps, maps_at_a_time
from awd_cosmo.run.inputs import network_input
from awd_cosmo.run.job import Job
from awd_cosmo.run.prepare import Prepared

if TYPE_CHECKING:
    from awd_cosmo.teacher.teacher import MapTeacher

BLOCK = 512
"""Maps that a teacher is asked for at a time, at most."""
ASKED = 500
"""Validation maps that a teacher is asked for, at most."""

ARCHITECTURES = {"resnet18": "awd_cosmo.teacher.resnet:ResNet18", "resnet34": "awd_cosmo.teacher.resnet:ResNet34"}


@dataclass(frozen=True)
class Taught:
    """A teacher that answers."""

    module: nn.Module  # from maps (n, channels, ny, nx) to predictions (n, k) or (n,), in evaluation mode
    output: int  # which prediction is the target
    name: str  # such as "ResNet-18, width 12"
    parameters: int  # number of its weights
    fill: float = 0.0  # what it sees where nothing was observed
    unit: float | None = None  # what it sees in the mask's channel where something was; None: it has no such channel

    def target(self, maps: npt.NDArray[np.float32]) -> int | None:
        """Which prediction for maps (n, channels, ny, nx) is the target; None if there is but one."""
        with torch.no_grad():
            answer = self.module(torch.from_numpy(maps[:1]))
        return None if answer.ndim == 1 else self.output

    def answers(self, stack: Maps) -> Array:
        """Predictions (m, k) for maps (m, ny, nx) or (m, bins, ny, nx), NaN where not observed."""
        seen = network_input(np.asarray(stack, np.float32), self.fill, self.unit)
        with torch.no_grad():
            found = self.module(torch.from_numpy(np.ascontiguousarray(seen))).double().numpy()
        return found.reshape(len(found), -1)  # type: ignore[no-any-return]


def teach(run: RunFolder, job: Job, prepared: Prepared, weights: Path | None) -> dict[str, Taught]:
    """The teacher by protocol, trained if it is not in the run's folder yet; empty where there is none.

    One answers in all protocols: it is trained on training maps of the protocol of held-out cosmologies, none of which
    is a test map of another, and the validation maps of that protocol say which epoch is its best. A training that was
    killed goes on from its last epoch. Weights are of a teacher of the user's own; else teacher/teacher.safetensors,
    teacher/history.json and teacher.json are written.
    """
    if job.teacher is not None:
        return dict.fromkeys(prepared.splits, _own(job, weights, prepared))
    if job.epochs == 0:
        return {}
    from awd_cosmo.teacher.teacher import MapTeacher

    (run / "teacher").mkdir(exist_ok=True)
    place, split = run / "teacher" / "teacher.safetensors", prepared.splits["held_out"]
    rows = trained_rows(job, split)
    if not place.exists():
        held = split.validation
        with run.step("Teacher") as progress:
            teacher = _teacher(job, progress, prepared.inputs(rows[:1]).shape[1])
            teacher.fit(
                prepared.inputs(rows), _columns(prepared.targets[rows]),
                validation=(prepared.inputs(held), _columns(prepared.targets[held])),
                checkpoint_dir=run / "teacher" / "checkpoint",
            )  # fmt: skip
            # How long epochs took is no part of what was learnt.
            history = [{k: v for k, v in epoch.items() if k != "seconds"} for epoch in teacher.history_]
            teacher.history_ = history
            run.write_json("teacher/history.json", history)
            teacher.save(place)
    teacher = MapTeacher.load(place)
    taught = _taught(job, teacher, prepared.unit)
    if not (run / "teacher.json").exists():
        with run.step("Teacher asked"):
            error = teacher_error(run, taught, prepared, seed=job.seed)
        summary: Mapping[str, Any] = {
            "architecture": taught.name,
            "parameters": taught.parameters,
            "targets": list(job.targets),
            "settings": _settings(job),
            "best_epoch": int(teacher.best_epoch_),
            "epochs": len(read_json(run / "teacher" / "history.json")),
            "training_maps": len(rows),
            "validation_rmse": error,
        }
        run.write_json("teacher.json", summary)
    return dict.fromkeys(prepared.splits, taught)


def trained_rows(job: Job, split: Split) -> Rows:
    """Training maps that the run's own teacher is trained on, drawn at random."""
    drawn = np.random.default_rng([job.seed, 0x7EAC]).permutation(split.train)[: job.teacher_maps]
    return np.sort(drawn)


def teacher_answers(run: RunFolder, taught: Taught, prepared: Prepared, rows: Rows) -> Array:
    """All that a teacher predicts for maps, (n, k): a map is asked once in a run, and kept in teacher/answers.npy."""
    place, maps = run / "teacher" / "answers.npy", prepared.maps
    kept = cached_array(place)
    known = np.full((len(maps), 1), np.nan) if kept is None or len(kept) != len(maps) else kept.astype(np.float64)
    todo = rows[np.isnan(known[rows]).all(axis=1)]
    size = min(BLOCK, HANDED * maps_at_a_time(maps.sample_shape))
    place.parent.mkdir(exist_ok=True)
    for start in range(0, len(todo), size):
        some = todo[start : start + size]
        found = taught.answers(maps.read(some))
        if found.shape[1] != known.shape[1]:
            known = np.full((len(maps), found.shape[1]), np.nan)
        known[some] = found
        # A run that is killed here asks for the same blocks when it goes on: no bit depends on it.
        make_atomically(place, partial(_save, known))
    return known[rows]


def _save(array: Array, path: Path) -> None:
    np.save(path, array)


def teacher_estimates(run: RunFolder, taught: Taught, prepared: Prepared, rows: Rows) -> Array:
    """What a teacher says of the target of maps, (n,)."""
    return teacher_answers(run, taught, prepared, rows)[:, taught.output]


def teacher_error(run: RunFolder, taught: Taught, prepared: Prepared, *, seed: int) -> float:
    """Root mean square error on validation maps of held-out cosmologies, `ASKED` at most: each has eight orientations.

    Those of other protocols do not serve, for a teacher that serves all of them may have been trained on them.
    """
    rows = prepared.splits["held_out"].validation
    if len(rows) > ASKED:
        rows = np.sort(np.random.default_rng([seed, 0xA5CD]).permutation(rows)[:ASKED])
    return rmse(prepared.target[rows], teacher_estimates(run, taught, prepared, rows))


def _settings(job: Job) -> dict[str, Any]:
    names = ("width", "small_input", "epochs", "patience", "batch_size", "learning_rate", "precision", "mask_channel")
    return {name: getattr(job, name) for name in names}


def _teacher(job: Job, progress: Callable[[int, int, str], object], channels: int) -> "MapTeacher":
    from awd_cosmo.teacher.teacher import MapTeacher

    return MapTeacher(
        job.targets, ARCHITECTURES[job.architecture], width=job.width, small_input=job.small_input,
        max_epochs=job.epochs, patience=job.patience, batch_size=job.batch_size, learning_rate=job.learning_rate,
        seed=job.seed, factory_kwargs={"in_channels": channels} if channels > 1 else None, progress=progress,
        accelerator=job.accelerator, precision=job.precision,
    )  # fmt: skip


def _taught(job: Job, teacher: "MapTeacher", unit: float | None) -> Taught:
    # The mean over all orientations is the better teacher, and its gradients know no preferred direction either.
    module = teacher.as_torch(average=True)
    name = job.architecture.replace("resnet", "ResNet-")
    return Taught(module, 0, f"{name}, width {job.width}", _count(module), job.fill, unit)


def _columns(targets: Array) -> Array:
    return targets[:, 0] if targets.shape[1] == 1 else targets


def _own(job: Job, weights: Path | None, prepared: Prepared) -> Taught:
    from awd_core.teacher import load_module

    if weights is None or job.teacher is None:
        raise ValueError("a teacher of your own needs its weights, a .safetensors file (--weights)")
    module = load_module(job.teacher, weights=weights, **job.teacher_arguments).requires_grad_(False)
    _check_answers(module, job, prepared)
    name = job.teacher.split(":")[-1]
    return Taught(module, job.teacher_output, name, _count(module), job.fill, prepared.unit)


def _check_answers(module: nn.Module, job: Job, prepared: Prepared) -> None:
    """Ask a network for two maps, so that one that takes others, or answers otherwise, is refused before any work."""
    stack = torch.from_numpy(prepared.inputs(np.arange(2) % len(prepared.maps)))
    shape = tuple(stack.shape)
    try:
        with torch.no_grad():
            answer = module(stack)
    except Exception as error:  # a network may raise anything
        said = " ".join(str(error).split())
        channels = f"{shape[1]} channel{'s' * (shape[1] > 1)}"
        raise ValueError(
            f"--teacher {job.teacher} takes no maps of the shape {shape}, (maps, {channels}, ny, nx): {said}. Give a "
            "factory whose network does; one of three channels, for instance, in a network whose forward is "
            "`return self.network(maps.expand(-1, 3, -1, -1))`"
        ) from error
    if not isinstance(answer, torch.Tensor) or answer.ndim not in (1, 2) or len(answer) != 2:
        got = tuple(answer.shape) if isinstance(answer, torch.Tensor) else type(answer).__name__
        raise ValueError(
            f"--teacher {job.teacher} answers {got} for two maps; it must be a tensor of the shape (2, outputs) or (2,)"
        )
    if answer.ndim == 2 and job.teacher_output >= answer.shape[1]:
        raise ValueError(
            f"--output is {job.teacher_output}, but the network of --teacher {job.teacher} has {answer.shape[1]}, "
            f"numbered from 0 to {answer.shape[1] - 1}"
        )
    if not torch.isfinite(answer).all():
        raise ValueError(f"--teacher {job.teacher} answers NaN or infinity for maps; check its --weights")


def _count(module: nn.Module) -> int:
    return sum(math.prod(p.shape) for p in module.parameters())
