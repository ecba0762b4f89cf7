"""The gradients of one block of samples, asked here or by a worker that writes them to the store itself."""

import os
import shutil
import uuid
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from awd_core.attribution.model_gradients import Model, evaluation_mode, gradients_at
from awd_core.attribution.points import Points, points_of
from awd_core.attribution.store import GRADIENTS
from awd_core.files.array_location import ArrayLocation, shared_location
from awd_core.files.arrays import SampleArray, read_block
from awd_core.files.store import BlockStore
from awd_core.files.urls import local_path
from awd_core.teacher.network_transfer import with_weights, without_weights
from awd_core.typing import AnyArray
from awd_core.workers.mapping import Workers


@dataclass(frozen=True)
class GradientQuery:
    """What is asked of a teacher about each block of samples.

    Attributes
    ----------
    samples : SampleArray, shape (n, *shape)
        Inputs.
    points : callable
        Where the gradient is wanted for a block.
    targets : list of int, or ndarray of int, shape (n,)
        Flat indices of the predictions; or of each sample its own.
    batch_size : int
        Samples of a block.
    """

    samples: SampleArray
    points: Points
    targets: list[int] | AnyArray
    batch_size: int

    def gradients_of(self, teacher: Model, where: torch.device, batch: int) -> AnyArray:
        """Gradients of one block, shape (batch, n_targets, *shape)."""
        start = batch * self.batch_size
        block = read_block(self.samples, start, min(start + self.batch_size, self.samples.shape[0]))
        dtype = torch.float64 if block.dtype == np.float64 else torch.float32
        targets, count = self.targets, len(self.targets)
        if isinstance(targets, np.ndarray):
            targets, count = targets[start : start + len(block)], 1
        gradients = torch.zeros(len(block), count, *block.shape[1:], device=where, dtype=dtype)
        for point, weight in self.points(start, block):
            _check_points(point, block, start)
            gradients += weight * gradients_at(teacher, point, targets, where)
        return _finite(gradients.cpu().numpy(), start)


@dataclass(frozen=True)
class BlockTask:
    """What a worker needs for any block: where things lie. Compared by its token, for what is opened once."""

    token: str
    structure: nn.Module = field(compare=False)
    weights: str = field(compare=False)
    X: ArrayLocation = field(compare=False)
    baseline: Any = field(compare=False)
    method: Mapping[str, Any] = field(compare=False)
    targets: list[int] | AnyArray = field(compare=False)
    batch_size: int = field(compare=False)
    device: str = field(compare=False)
    out: str = field(compare=False)


@contextmanager
def block_task(
    model: nn.Module, query: GradientQuery, method: Mapping[str, Any], baseline: Any, device: torch.device,
    out: str | os.PathLike[str], temporary: Path,
) -> Iterator[BlockTask]:  # fmt: skip
    """Put what workers need where they find it; it is deleted in the end.

    Parameters
    ----------
    model : Module
        The teacher.
    query : GradientQuery
        What is asked.
    method, baseline
        Arguments of `points_of`.
    device : torch.device
        Where to compute.
    out : path or URL
        The store, which is there.
    temporary : Path
        A folder for it where the store is no folder.

    Raises
    ------
    TypeError
        If the teacher cannot go to other processes.
    ValueError
        If they could not see the store.
    """
    local = local_path(out)
    if local is None and str(out).startswith("memory://"):
        raise ValueError(f"{out} is in the memory of this process, where workers cannot write; give another out.")
    folder = local.with_name(f".{local.name}.workers") if local else temporary / "workers"
    shutil.rmtree(folder, ignore_errors=True)  # left by a run that was killed
    folder.mkdir(parents=True)
    try:
        weights = folder / "weights.safetensors"
        structure = without_weights(model, weights)
        baseline = baseline.detach().cpu().numpy() if isinstance(baseline, Tensor) else baseline
        if len(getattr(baseline, "shape", ())):
            baseline = shared_location(baseline, folder / "baseline.npy")
        yield BlockTask(
            uuid.uuid4().hex, structure, os.fspath(weights.resolve()),
            shared_location(query.samples, folder / "X.npy"), baseline, method, query.targets,
            query.batch_size, str(device), os.fspath(local.resolve() if local else out),
        )  # fmt: skip
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def stops(n: int, batch_size: int) -> Iterator[int]:
    """Where each block of n samples ends."""
    return (min(start + batch_size, n) for start in range(0, n, batch_size))


def fill(store: BlockStore, task: BlockTask, crew: Workers) -> Generator[int, None, None]:
    """Have workers write what is missing in a store; yields where each block ends that is there."""
    ends = list(stops(store.array.shape[0], task.batch_size))
    missing = [batch for batch in range(len(ends)) if not store.is_done(batch)]
    asked_for = set(missing)
    names = [f"samples {batch * task.batch_size} to {stop - 1}" for batch, stop in enumerate(ends)]
    with closing(crew.map(partial(write_block, task), missing, names=names.__getitem__)) as written:
        for batch, stop in enumerate(ends):
            if batch in asked_for:
                next(written)
            yield stop


def write_block(task: BlockTask, batch: int) -> None:
    """Ask for the gradients of one block, and write them to the store."""
    model, query, store = _opened(task)
    with evaluation_mode(model, task.device) as (teacher, where):
        gradients = query.gradients_of(teacher, where, batch)
    store.write(batch, gradients.reshape(len(gradients), *store.array.shape[1:]))


@lru_cache(maxsize=1)
def _opened(task: BlockTask) -> tuple[nn.Module, GradientQuery, BlockStore]:
    samples = task.X.open()
    baseline = task.baseline.open() if isinstance(task.baseline, ArrayLocation) else task.baseline
    points, _ = points_of(samples, baseline=baseline, **task.method)
    model = with_weights(task.structure, task.weights, torch.device(task.device))
    return model, GradientQuery(samples, points, task.targets, task.batch_size), BlockStore.opened(task.out, GRADIENTS)


def first_bad(block: AnyArray) -> int | None:
    """Number of the first sample of a block that is not finite."""
    bad = np.flatnonzero(~np.isfinite(block).reshape(len(block), -1).all(axis=1))
    return int(bad[0]) if len(bad) else None


def _check_points(points: AnyArray, block: AnyArray, start: int) -> None:
    # Not left to the gradients: a rectifier turns NaN into a gradient of zero.
    bad = first_bad(points)
    if bad is not None:
        whose = "X must be finite, but" if first_bad(block[bad : bad + 1]) is not None else "The baseline of"
        raise ValueError(f"{whose} sample {start + bad} holds NaN or infinite values.")


def _finite(gradients: AnyArray, start: int) -> AnyArray:
    bad = first_bad(gradients)
    if bad is not None:
        raise ValueError(
            f"The gradient of sample {start + bad} holds NaN or infinite values, though its input does not."
        )
    return gradients
