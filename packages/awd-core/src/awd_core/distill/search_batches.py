"""What the searches of a path are run on: batches of the inputs, held in this process or filed for others.

Other processes do not get the batches through whatever connects them. They open the files, once each, and share the
memory of those that are on one machine.
"""

import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import numpy as np
import torch

from awd_core.distill.descent import Objective
from awd_core.distill.objective import DistillationObjective
from awd_core.files.arrays import SampleArray
from awd_core.typing import AnyArray

Batch = tuple[AnyArray, AnyArray]
"""Inputs and their gradients."""

STREAMS = {"": 1, "medium": 2, "refined": 0}
"""Batches from the smallest on, each with the stream of random numbers that draws it."""


class Objectives(Protocol):
    """The objective of each batch, by the batch's name."""

    def __getitem__(self, batch: str, /) -> Objective:
        """Opened when it is first asked for, perhaps."""
        ...


def batch_size(shape: tuple[int, ...], values: int) -> int:
    """How many of so many samples make a batch of about so many values."""
    return min(shape[0], max(1, values // int(np.prod(shape[1:]))))


def draw_batch(X: SampleArray, gradients: SampleArray, size: int, seed: int, batch: str) -> Batch:
    """Inputs drawn without replacement, in their order, and their gradients; all of them if there are no more."""
    if size >= X.shape[0]:
        return np.asarray(X[:]), np.asarray(gradients[:])
    rng = np.random.default_rng([seed, STREAMS[batch]])
    rows = np.sort(rng.choice(X.shape[0], size, replace=False)).tolist()
    x, g = (np.concatenate([np.asarray(array[i : i + 1]) for i in rows]) for array in (X, gradients))
    return x, g


@dataclass(frozen=True)
class BatchFiles:
    """Batches in files, opened by whichever process needs one.

    Attributes
    ----------
    folder : str
        Where they lie.
    token : str
        Tells them from others that lay there before.
    options : tuple of (str, object)
        Of `DistillationObjective`, but for the baseline, which is a file too.
    """

    folder: str
    token: str
    options: tuple[tuple[str, Any], ...]

    def __getitem__(self, batch: str) -> DistillationObjective:
        return _opened(self, batch)


@contextmanager
def batch_files(
    names: tuple[str, ...], batch: Callable[[str], Batch], options: Mapping[str, Any], place: Path | None
) -> Iterator[BatchFiles]:
    """Write batches for other processes; they are deleted in the end.

    Parameters
    ----------
    names : tuple of str
        Which.
    batch : callable
        Gives the batch of a name.
    options : mapping
        Of `DistillationObjective`.
    place : Path, optional
        A folder, deleted if it is there; one in the system's folder for temporary files if not given.
    """
    with TemporaryDirectory() as nowhere:
        folder = place or Path(nowhere)
        try:
            if place:
                shutil.rmtree(place, ignore_errors=True)  # left by a run that was killed
                place.mkdir(parents=True)
            for name in names:
                for file, values in zip(_files(folder, name), batch(name), strict=True):
                    np.save(file, values)
            np.save(folder / "baseline.npy", np.asarray(options["baseline"]))
            # What is summed, and in which order, depends on the number of threads: it is this process's everywhere.
            plain = {key: value for key, value in options.items() if key != "baseline"}
            plain |= {"threads": torch.get_num_threads()}
            yield BatchFiles(str(folder.resolve()), uuid.uuid4().hex, tuple(plain.items()))
        finally:
            if place:
                shutil.rmtree(place, ignore_errors=True)


@lru_cache(maxsize=len(STREAMS))
def _opened(filed: BatchFiles, batch: str) -> DistillationObjective:
    folder = Path(filed.folder)
    if not folder.is_dir():
        raise FileNotFoundError(
            f"this worker sees no folder {folder}: workers need the same files at the same paths; give a checkpoint on "
            "a disk that all machines share, the batches are put beside it"
        )
    # Copy-on-write, since torch does not take memory that cannot be written to.
    x, g = (np.load(file, mmap_mode="c", allow_pickle=False) for file in _files(folder, batch))
    baseline = np.load(folder / "baseline.npy", allow_pickle=False)
    return DistillationObjective(x, g, baseline=baseline, **dict(filed.options))


def _files(folder: Path, batch: str) -> tuple[Path, Path]:
    return folder / f"{batch or 'small'}-X.npy", folder / f"{batch or 'small'}-gradients.npy"
