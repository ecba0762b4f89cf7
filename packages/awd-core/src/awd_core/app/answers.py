"""What a model of a run is made of: truths, the network's answers, and inputs to test on, read and checked first."""

import os
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from awd_core.app.job import DistillJob, PathLike
from awd_core.attribution.outputs import teacher_outputs
from awd_core.files.arrays import as_samples, identity, read_array
from awd_core.readable.task import Truths, truths_of
from awd_core.run.screen import Report
from awd_core.typing import AnyArray

STORE = "outputs.zarr"


class ChannelsLast(nn.Module):
    """A network whose inputs have their channels last, asked with the channels first."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Any:
        """Answers to inputs with the channels on axis 1."""
        return self.network(x.movedim(1, -1))


def channels_first(X: Any, channels: str | None, name: str) -> Any:
    """An array with its channels on axis 1; as it is where they are there, or there are none."""
    if channels is None:
        return X
    if len(X.shape) not in (3, 4):
        raise ValueError(f"{name} has shape {tuple(X.shape)}, without an axis of channels; leave --channels out")
    return X if channels == "first" else np.moveaxis(np.asarray(X[:]), -1, 1)


class Answers:
    """Everything that `readable_model` is given beside X.

    Parameters
    ----------
    job : DistillJob
        With truths.
    X : SampleArray, shape (n, …)
        The inputs, the channels first.
    model : Module, optional
        The network that is asked for its answers.

    Raises
    ------
    ValueError
        If files do not fit each other.
    """

    def __init__(self, job: DistillJob, X: Any, model: nn.Module | None) -> None:
        self.job, self.X, self.model = job, X, model
        n = X.shape[0]
        self.y = labels(job.y or "")
        if self.y.ndim not in (1, 2) or len(self.y) != n:
            raise ValueError(
                f"y has shape {self.y.shape}; give one finite number, or row of numbers, or class, for each "
                f"of the {n} inputs"
            )
        self.truths: Truths = truths_of(self.y, job.task)
        self.groups = None if job.groups is None else _groups(job.groups, n, "groups")
        self.given = None if job.outputs is None else _answers(job.outputs, n, "outputs")
        self.test: tuple[Any, AnyArray] | None = None
        self.test_given = self.test_groups = None
        if job.test_X is not None:
            values = channels_first(as_samples(read_array(job.test_X), os.fspath(job.test_X)), job.channels, "test X")
            if tuple(values.shape[1:]) != tuple(X.shape[1:]):
                raise ValueError(
                    f"test X has inputs of shape {tuple(values.shape[1:])}, X of shape "
                    f"{tuple(X.shape[1:])}; give such as X"
                )
            self.test = values, labels(job.test_y or "")
            self.truths.like(self.test[1])
            count = values.shape[0]
            if len(self.test[1]) != count:
                raise ValueError(f"test y has {len(self.test[1])} entries for {count} test inputs; give one for each")
            self.test_given = None if job.test_outputs is None else _answers(job.test_outputs, count, "test outputs")
            self.test_groups = None if job.test_groups is None else _groups(job.test_groups, count, "test groups")

    @cached_property
    def asked(self) -> dict[str, Any]:
        """What determines the model beside the run's settings: JSON values, digests of all that was read."""
        job = self.job
        arrays = {
            "y": self.y, "groups": self.groups, "outputs": self.given, "test_groups": self.test_groups,
            "test_outputs": self.test_given, **({} if self.test is None else {"test_X": self.test[0], "test_y":
            self.test[1]}),
        }  # fmt: skip
        held = {name: _named(array) for name, array in arrays.items() if array is not None}
        axis = None if job.axis is None else [job.axis.name, job.axis.low, job.axis.high]
        return held | {
            "task": job.task, "numbers": job.numbers, "features": job.features, "axis": axis, "channels": job.channels,
            "per_channel": job.per_channel, "random_starts": job.search.random_starts,
        }  # fmt: skip

    def ask(self, store: Any, report: Report) -> None:
        """Ask the network for its answers to X, once."""
        teacher = self.job.teacher
        if self.model is not None and teacher is not None:
            teacher_outputs(
                self.model, self.X, batch_size=teacher.batch_size, device=self.job.device, out=store, progress=report
            )

    def outputs(self, store: Any) -> tuple[AnyArray | None, AnyArray | None]:
        """Answers to X and to the test inputs, (n, A), as far as there are some."""
        if self.model is None:
            return self.given, self.test_given
        seen = self._wanted(np.asarray(read_array(f"{store}:outputs")[:]))
        if self.test is None:
            return seen, None
        if self.test_given is not None:
            return seen, self.test_given
        with torch.no_grad():
            found = teacher_outputs(self.model, self.test[0], device=self.job.device)
        return seen, self._wanted(np.asarray(found))

    def _wanted(self, outputs: AnyArray) -> AnyArray:
        """All answers of a classifier; of a regression as many as there are targets, else the one that is explained."""
        target = None if self.job.teacher is None else self.job.teacher.target
        flat = outputs.reshape(len(outputs), -1)
        if target is None or (self.truths.classes is not None and flat.shape[1] > 1 and outputs.ndim == 2):
            return flat
        if self.truths.classes is None and flat.shape[1] == self.truths.values.shape[1]:
            return flat
        index = target if isinstance(target, tuple) else (target,)
        chosen: tuple[Any, ...] = (slice(None), *index)
        return np.asarray(outputs[chosen]).reshape(len(outputs), -1)


def labels(file: PathLike) -> AnyArray:
    """Numbers or texts of a file."""
    return np.asarray(read_array(file, texts=True)[:])


def _answers(file: PathLike, n: int, name: str) -> AnyArray:
    found = np.asarray(read_array(file)[:], dtype=np.float64)
    if len(found) != n:
        raise ValueError(
            f"{name} has shape {found.shape}; give the network's answers to each of {n} inputs, (n,) or (n, A)"
        )
    if not np.isfinite(found).all():
        raise ValueError(f"{name} contain NaN or infinity; give finite answers")
    return found.reshape(n, -1)


def _groups(file: PathLike, n: int, name: str) -> AnyArray:
    groups = labels(file)
    groups = groups[:, 0] if groups.ndim == 2 and groups.shape[1] == 1 else groups
    if groups.shape != (n,):
        raise ValueError(f"{name} have shape {groups.shape}; give one number for each of {n} inputs")
    if len(np.unique(groups)) < 2:
        raise ValueError(f"all inputs are of one group, and none can be held out; leave {name} out")
    return groups


def _named(array: Any) -> dict[str, Any]:
    """What tells an array from another; texts by their places among all."""
    if np.asarray(array[:1]).dtype.kind in "fiub":
        return identity(array)
    kinds, places = np.unique(array, return_inverse=True)
    return identity(places.reshape(-1)) | {"kinds": [str(one) for one in kinds.tolist()]}
