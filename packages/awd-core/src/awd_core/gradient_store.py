"""Gradients in a Zarr store, batch by batch, so that an interrupted run can go on where it stopped.

The store is a Zarr group with two arrays: ``gradients``, one chunk per batch, and ``completed``, one mark per batch.
A batch's chunk is written before its mark, so a mark never stands for a chunk that is not there, whenever the process
is killed. The group's attribute ``awd_input_gradients`` describes the job; a run continues a store only if its own job
is the same, item by item.
"""

import hashlib
import os
import shutil
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

if TYPE_CHECKING:
    import zarr

ATTRIBUTE = "awd_input_gradients"
FORMAT = 1

Job = dict[str, Any]


class GradientStore:
    """An open store of gradients.

    Parameters
    ----------
    path : str or path-like
        Folder of the store; made if it is not there.
    job : dict
        What identifies the job, as JSON values.
    shape : tuple of int
        Shape of the gradients, samples first.
    dtype : dtype
        Their type.
    batch_size : int
        Samples per chunk.

    Raises
    ------
    ValueError
        If something else lies at `path`, or the gradients of another job.
    """

    def __init__(
        self, path: str | os.PathLike[str], job: Job, shape: tuple[int, ...], dtype: np.dtype[Any], batch_size: int
    ) -> None:
        import zarr

        folder = Path(path)
        job = {"format": FORMAT, **job}
        if not folder.exists():
            _create(folder, job, shape, dtype, batch_size)
        group = zarr.open_group(folder, mode="r+") if _is_group(folder) else None
        stored = None if group is None else group.attrs.get(ATTRIBUTE)
        if group is None or not isinstance(stored, dict):
            raise ValueError(f"{folder} exists and holds no gradients of input_gradients; give another path as out.")
        _check_same(folder, cast(Job, stored), job)
        self.gradients = cast("zarr.Array[Any]", group["gradients"])
        self._completed = cast("zarr.Array[Any]", group["completed"])

    def is_done(self, batch: int) -> bool:
        """Whether the chunk of a batch is written."""
        try:
            return bool(np.asarray(self._completed[batch : batch + 1])[0])
        except ValueError:
            # A mark whose file was made but not filled: versions of Zarr before atomic writes, killed in between.
            return False

    def write(self, batch: int, start: int, gradients: npt.NDArray[Any]) -> None:
        """Write the chunk of a batch that starts at the sample `start`, then its mark."""
        self.gradients[start : start + len(gradients)] = gradients
        self._completed[batch : batch + 1] = np.ones(1, dtype=np.uint8)


def model_digest(model: nn.Module) -> str:
    """SHA-256 of a model's state (names, types, shapes and values) and of the class names of its modules."""
    sha = hashlib.sha256()
    for name, module in model.named_modules():
        sha.update(f"{name}:{type(module).__qualname__};".encode())
    for name, value in sorted(model.state_dict().items()):
        if isinstance(value, torch.Tensor):
            sha.update(f"{name}={value.dtype}{tuple(value.shape)};".encode())
            sha.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
        else:
            sha.update(f"{name}={value!r};".encode())
    return sha.hexdigest()


def _create(folder: Path, job: Job, shape: tuple[int, ...], dtype: np.dtype[Any], batch_size: int) -> None:
    import zarr

    batches = -(-shape[0] // batch_size)
    chunks = (min(batch_size, shape[0]), *shape[1:])
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Made beside and moved into place, so that a store is there as a whole or not at all.
    made = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}.partial")
    try:
        group = zarr.create_group(made, attributes={ATTRIBUTE: job})
        group.create_array("gradients", shape=shape, dtype=dtype, chunks=chunks, fill_value=0)
        group.create_array("completed", shape=(batches,), dtype="uint8", chunks=(1,), compressors=None, fill_value=0)
        made.rename(folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _is_group(folder: Path) -> bool:
    return (folder / "zarr.json").is_file() and (folder / "gradients").is_dir() and (folder / "completed").is_dir()


def _check_same(folder: Path, stored: Job, job: Job) -> None:
    different = [key for key in sorted({*stored, *job}) if stored.get(key) != job.get(key)]
    if different:
        items = "; ".join(f"{key} (there {stored.get(key)!r}, now {job.get(key)!r})" for key in different)
        raise ValueError(
            f"{folder} holds the gradients of another job. These differ: {items}. Give another path as out, or delete"
            " that folder."
        )
