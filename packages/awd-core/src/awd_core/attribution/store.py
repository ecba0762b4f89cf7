"""What a teacher said in a Zarr store, batch by batch, so that an interrupted run can go on where it stopped.

The store is a Zarr group with two arrays: ``gradients`` (or ``outputs``), one chunk per batch, and ``completed``, one
mark per batch. A batch's chunk is written before its mark, so a mark never stands for a chunk that is not there,
whenever the process is killed. A disk may lose a chunk all the same: it reads as NaN, and its batch counts as missing,
as does one whose chunk cannot be read. The group's attribute ``awd_input_gradients`` (``awd_teacher_outputs``)
describes the job; a run continues a store only if its own job is the same, item by item.
"""

import hashlib
import os
import shutil
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from awd_core.files.urls import local_path

if TYPE_CHECKING:
    import zarr

FORMAT = 1
UNFINISHED = "unfinished"
"""In place of a job while a store is made."""

Job = dict[str, Any]


class Kind(NamedTuple):
    """What a store is of: the name of its array, its attribute, and the function that fills it."""

    array: str
    attribute: str
    maker: str


class GradientStore:
    """An open store of gradients.

    Parameters
    ----------
    path : path or URL
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

    kind: ClassVar[Kind] = Kind("gradients", "awd_input_gradients", "input_gradients")

    def __init__(
        self, path: str | os.PathLike[str], job: Job, shape: tuple[int, ...], dtype: np.dtype[Any], batch_size: int
    ) -> None:
        job = {"format": FORMAT, **job}
        folder = local_path(path)
        if folder is None:
            _create_elsewhere(str(path), job, shape, dtype, batch_size, self.kind)
        elif not folder.exists():
            _create(folder, job, shape, dtype, batch_size, self.kind)
        else:
            # What Zarr was writing when it was killed, beside its place.
            for item in folder.rglob("*.partial"):
                item.unlink(missing_ok=True)
        group = _group(path, self.kind)
        stored = None if group is None else group.attrs.get(self.kind.attribute)
        if group is None or not isinstance(stored, dict):
            held = f"{self.kind.array} of {self.kind.maker}"
            raise ValueError(f"{path} exists and holds no {held}; give another path as out.")
        _check_same(path, cast(Job, stored), job, self.kind)
        self._take(group)

    @classmethod
    def opened(cls, path: str | os.PathLike[str]) -> Self:
        """A store that is there, whatever its job."""
        store, group = cls.__new__(cls), _group(path, cls.kind)
        if group is None:
            raise FileNotFoundError(
                f"this process sees no store {path}: workers need the same files at the same paths, on a disk that all "
                "machines share"
            )
        store._take(group)
        return store

    def _take(self, group: "zarr.Group") -> None:
        self.array = cast("zarr.Array[Any]", group[self.kind.array])
        self._completed = cast("zarr.Array[Any]", group["completed"])

    @property
    def gradients(self) -> "zarr.Array[Any]":
        """The array that is filled."""
        return self.array

    def is_done(self, batch: int) -> bool:
        """Whether the chunk of a batch is written, and whole: it is read."""
        size = self.array.chunks[0]
        try:
            if not np.asarray(self._completed[batch : batch + 1])[0]:
                return False
            found = np.asarray(self.array[batch * size : (batch + 1) * size])
        except (ValueError, RuntimeError, OSError):
            # Files that were made and not filled, or lost their end: what they hold cannot be decoded.
            return False
        # In a store of before, a chunk that is not there reads as zeros.
        return bool(np.isfinite(found).all() and (found.any() or np.isnan(self.array.fill_value)))

    def write(self, batch: int, start: int, values: npt.NDArray[Any]) -> None:
        """Write the chunk of a batch that starts at the sample `start`, then its mark."""
        self.array[start : start + len(values)] = values
        self._completed[batch : batch + 1] = np.ones(1, dtype=np.uint8)


class OutputStore(GradientStore):
    """An open store of outputs; parameters as for gradients."""

    kind = Kind("outputs", "awd_teacher_outputs", "teacher_outputs")


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


def _create(folder: Path, job: Job, shape: tuple[int, ...], dtype: np.dtype[Any], batch_size: int, kind: Kind) -> None:
    """A store in a folder; made beside and moved into place, so that it is there as a whole or not at all."""
    import zarr

    folder.parent.mkdir(parents=True, exist_ok=True)
    made = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}.partial")
    try:
        _add_arrays(zarr.create_group(made, attributes={kind.attribute: job}), shape, dtype, batch_size, kind)
        made.rename(folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _create_elsewhere(
    url: str, job: Job, shape: tuple[int, ...], dtype: np.dtype[Any], batch_size: int, kind: Kind
) -> None:
    """A store at a URL, if there is none: nothing can be moved there, so the job is named when all else is made."""
    import zarr

    group = _group(url, kind)
    if group is not None and group.attrs.get(kind.attribute) != UNFINISHED:
        return
    group = zarr.create_group(url, attributes={kind.attribute: UNFINISHED}, overwrite=True)
    _add_arrays(group, shape, dtype, batch_size, kind)
    group.attrs[kind.attribute] = job


def _add_arrays(group: "zarr.Group", shape: tuple[int, ...], dtype: np.dtype[Any], batch_size: int, kind: Kind) -> None:
    chunks, batches = (min(batch_size, shape[0]), *shape[1:]), -(-shape[0] // batch_size)
    group.create_array(kind.array, shape=shape, dtype=dtype, chunks=chunks, fill_value=np.nan)
    group.create_array("completed", shape=(batches,), dtype="uint8", chunks=(1,), compressors=None, fill_value=0)


def _group(path: str | os.PathLike[str], kind: Kind) -> "zarr.Group | None":
    """The group at a place, to write into; None if there is none, or a folder without its arrays."""
    import zarr

    folder = local_path(path)
    if folder is not None and not all((folder / name).exists() for name in ("zarr.json", kind.array, "completed")):
        return None
    try:
        group = zarr.open_group(str(path) if folder is None else folder, mode="r+")
        if group.attrs.get(kind.attribute) not in (None, UNFINISHED):
            _ = [group[name] for name in (kind.array, "completed")]
    except FileNotFoundError:
        return None
    except (ValueError, KeyError) as error:
        raise ValueError(f"{path} is damaged ({error}): delete it, and the {kind.array} are asked for again") from error
    return group


def _check_same(place: str | os.PathLike[str], stored: Job, job: Job, kind: Kind) -> None:
    different = [key for key in sorted({*stored, *job}) if stored.get(key) != job.get(key)]
    if different:
        items = "; ".join(f"{key} (there {stored.get(key)!r}, now {job.get(key)!r})" for key in different)
        raise ValueError(
            f"{place} holds the {kind.array} of another job. These differ: {items}. Give another path as out, or delete"
            " that folder."
        )
