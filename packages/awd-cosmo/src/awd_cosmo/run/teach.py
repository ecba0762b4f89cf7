"""Teachers within a run: one for each protocol, trained once, or a network of the user's own."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
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
from awd_cosmo.maps.map_set import MapSet
from awd_cosmo.maps.sources import HANDED, maps_at_a_time
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

    def predict(self, maps: MapSet, rows: Rows) -> Array:
        """Estimates of the target, (n,)."""
        size = min(BLOCK, HANDED * maps_at_a_time(maps.sample_shape))
        return self.predict_stacks(maps.read(rows[start : start + size]) for start in range(0, len(rows), size))

    def target(self, maps: npt.NDArray[np.float32]) -> int | None:
        """Which prediction for maps (n, channels, ny, nx) is the target; None if there is but one."""
        with torch.no_grad():
            answer = self.module(torch.from_numpy(maps[:1]))
        return None if answer.ndim == 1 else self.output

    def predict_stacks(self, stacks: Any) -> Array:
        """Estimates of the target for stacks (m, ny, nx), or (m, bins, ny, nx), one after the other."""
        return np.concatenate([answer[:, self.output] for answer in self._answers(stacks)])

    def answers(self, maps: MapSet, rows: Rows) -> Array:
        """All predictions, (n, k)."""
        size = min(BLOCK, HANDED * maps_at_a_time(maps.sample_shape))
        blocks = (maps.read(rows[start : start + size]) for start in range(0, len(rows), size))
        return np.concatenate(list(self._answers(blocks)))

    def _answers(self, stacks: Any) -> Iterator[Array]:
        with torch.no_grad():
            for stack in stacks:
                seen = network_input(np.asarray(stack, np.float32), self.fill, self.unit)
                answer = self.module(torch.from_numpy(np.ascontiguousarray(seen))).double().numpy()
                yield answer.reshape(len(answer), -1)


def teach(run: RunFolder, job: Job, prepared: Prepared, weights: Path | None) -> dict[str, Taught]:
    """Teachers by protocol, trained if they are not in the run's folder yet; empty where there is none.

    A training that was killed goes on from its last epoch. Weights are of a teacher of the user's own, which answers in
    every protocol; else teacher/<protocol>.safetensors, teacher/<protocol>.history.json and teacher.json are written.
    """
    if job.teacher is not None:
        return dict.fromkeys(prepared.splits, _own(job, weights, prepared))
    if job.epochs == 0:
        return {}
    from awd_cosmo.teacher.teacher import MapTeacher

    taught: dict[str, Taught] = {}
    told: dict[str, dict[str, Any]] = {}
    (run / "teacher").mkdir(exist_ok=True)
    for protocol, split in prepared.splits.items():
        place = run / "teacher" / f"{protocol}.safetensors"
        if not place.exists():
            rows = trained_rows(job, split)
            with run.step(f"Teacher ({protocol.replace('_', ' ')})") as progress:
                teacher = _teacher(job, progress, prepared.inputs(rows[:1]).shape[1])
                teacher.fit(
                    prepared.inputs(rows), _columns(prepared.targets[rows]),
                    validation=(prepared.inputs(split.validation), _columns(prepared.targets[split.validation])),
                    checkpoint_dir=run / "teacher" / f"{protocol}.checkpoint",
                )  # fmt: skip
                # How long epochs took is no part of what was learnt.
                history = [{k: v for k, v in epoch.items() if k != "seconds"} for epoch in teacher.history_]
                teacher.history_ = history
                run.write_json(f"teacher/{protocol}.history.json", history)
                teacher.save(place)
        teacher = MapTeacher.load(place)
        taught[protocol] = _taught(job, teacher, prepared.unit)
        history = read_json(run / "teacher" / f"{protocol}.history.json")
        told[protocol] = {
            "best_epoch": int(teacher.best_epoch_),
            "epochs": len(history),
            "training_maps": int(min(len(split.train), job.teacher_maps)),
        }
    if not (run / "teacher.json").exists():
        with run.step("Teacher asked") as progress:
            for done, protocol in enumerate(prepared.splits):
                progress(done, len(prepared.splits), protocol.replace("_", " "))
                rows, found = teacher_estimates(run, taught[protocol], prepared, protocol, "validation", seed=job.seed)
                told[protocol]["validation_rmse"] = rmse(prepared.target[rows], found)
        one = taught["held_out"]
        summary: Mapping[str, Any] = {
            "architecture": one.name,
            "parameters": one.parameters,
            "targets": list(job.targets),
            "settings": _settings(job),
            # The figures of the protocol that counts stand on top.
            **told["held_out"],
            "protocols": told,
        }
        run.write_json("teacher.json", summary)
    return taught


def trained_rows(job: Job, split: Split) -> Rows:
    """Training maps that the run's own teacher of a protocol is trained on, drawn at random."""
    drawn = np.random.default_rng([job.seed, 0x7EAC]).permutation(split.train)[: job.teacher_maps]
    return np.sort(drawn)


def teacher_estimates(
    run: RunFolder, taught: Taught, prepared: Prepared, protocol: str, part: str, *, seed: int
) -> tuple[Rows, Array]:
    """Rows of the validation or test maps of a protocol, and what a teacher says of them: asked once, and kept.

    Of validation maps there are `ASKED` at most, drawn at random, for they are asked in eight orientations.
    """
    rows = getattr(prepared.splits[protocol], part)
    if part == "validation" and len(rows) > ASKED:
        rows = np.sort(np.random.default_rng([seed, 0xA5CD]).permutation(rows)[:ASKED])
    place = run / "teacher" / f"{protocol}.{part}.npy"
    found = cached_array(place)
    if found is None or len(found) != len(rows):
        found = taught.predict(prepared.maps, rows)
        place.parent.mkdir(exist_ok=True)
        make_atomically(place, lambda path: np.save(path, found))
    return rows, found


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
