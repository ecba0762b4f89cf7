"""An array in a Zarr store that is filled block by block, so that work that was interrupted goes on where it stopped.

The store is a Zarr group with two arrays: the values, one chunk per block, and ``completed``, one mark per block. A
block's chunk is written before its mark, so a mark never stands for a chunk that is not there, whenever the process is
killed. A disk may lose a chunk all the same: it reads as NaN, and its block counts as missing, as does one whose chunk
cannot be read. An attribute of the group describes the job; a store is gone on with only if the job is the same, item
by item.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self, cast

import numpy as np
import numpy.typing as npt

from awd_core.files.atomic import make_atomically
from awd_core.files.damage import in_words
from awd_core.files.urls import local_path
from awd_core.typing import AnyArray

if TYPE_CHECKING:
    import zarr

FORMAT = 1
UNFINISHED = "unfinished"
"""In place of a job while a store is made."""

Job = dict[str, Any]


class Kind(NamedTuple):
    """What a store is of.

    Attributes
    ----------
    array, attribute : str
        Names of the array of values, and of the group's attribute that holds the job.
    maker : str
        The function that fills it, for errors.
    mark : tuple of int
        Shape of a mark, in bytes: (), a flag, or as many as what is known of a block takes.
    compressors : optional
        As `zarr.create_array` takes them; "summed" compresses with a sum over each chunk, so that damage is noticed.
    """

    array: str
    attribute: str
    maker: str
    mark: tuple[int, ...] = ()
    compressors: Any = "summed"


class BlockStore:
    """An open store.

    Parameters
    ----------
    path : path or URL
        Folder of the store; made if it is not there.
    kind : Kind
        What it is of.
    job : dict
        What identifies the job, as JSON values.
    shape : tuple of int
        Shape of the array; blocks divide the first axis.
    dtype : dtype
        Its type.
    block : int
        Rows per block.
    attributes : mapping, optional
        Of the array, as JSON values, for those who open it elsewhere.

    Attributes
    ----------
    array : zarr.Array
        The values.

    Raises
    ------
    ValueError
        If something else lies at `path`, the array of another job, or a damaged one.
    """

    def __init__(
        self, path: str | os.PathLike[str], kind: Kind, job: Job, shape: tuple[int, ...], dtype: np.dtype[Any],
        block: int, attributes: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        job, folder = {"format": FORMAT, **job}, local_path(path)

        def make(place: str | Path) -> None:
            import zarr
            from zarr.codecs import ZstdCodec

            group = zarr.create_group(place, attributes={kind.attribute: UNFINISHED}, overwrite=True)
            chunks, blocks, flag = (min(block, shape[0]), *shape[1:]), -(-shape[0] // block), (1, *kind.mark)
            summed = ZstdCodec(level=0, checksum=True)
            group.create_array(
                kind.array, shape=shape, dtype=dtype, chunks=chunks, fill_value=np.nan,
                compressors=summed if kind.compressors == "summed" else kind.compressors,
                attributes=dict(attributes or {}),
            )  # fmt: skip
            group.create_array(
                "completed", shape=(blocks, *kind.mark), dtype="uint8", chunks=flag, compressors=None, fill_value=0
            )
            group.attrs[kind.attribute] = job

        if folder is None:
            group = _group(path, kind)
            if group is None or group.attrs.get(kind.attribute) == UNFINISHED:
                make(str(path))  # nothing can be moved there, so the job is named when all else is made
        elif not folder.exists():
            folder.parent.mkdir(parents=True, exist_ok=True)
            make_atomically(folder, make)
        else:
            # What Zarr was writing when it was killed, beside its place.
            for item in folder.rglob("*.partial"):
                item.unlink(missing_ok=True)
        group = _group(path, kind)
        stored = None if group is None else group.attrs.get(kind.attribute)
        if group is None or not isinstance(stored, dict):
            raise ValueError(f"{path} exists and holds no {kind.array} of {kind.maker}; give another path as out.")
        different = [key for key in sorted({*stored, *job}) if stored.get(key) != job.get(key)]
        if different:
            items = "; ".join(f"{key} (there {stored.get(key)!r}, now {job.get(key)!r})" for key in different)
            raise ValueError(
                f"{path} holds the {kind.array} of another job. These differ: {items}. Give another path as out, or "
                "delete that folder."
            )
        self._take(group, kind)
        rows, blocks = min(block, shape[0]), -(-shape[0] // block)
        found = self.array.shape, self.array.chunks, self.array.dtype, self._completed.shape
        if found != (tuple(shape), (rows, *shape[1:]), np.dtype(dtype), (blocks, *kind.mark)):
            raise ValueError(
                f"{path} is damaged (its arrays have other shapes or types than its job): delete it, and the "
                f"{kind.array} are made again"
            )

    @classmethod
    def opened(cls, path: str | os.PathLike[str], kind: Kind) -> Self:
        """A store that is there, whatever its job."""
        store, group = cls.__new__(cls), _group(path, kind)
        if group is None:
            raise FileNotFoundError(
                f"this process sees no store {path}: workers need the same files at the same paths, on a disk that all "
                "machines share"
            )
        store._take(group, kind)
        return store

    def _take(self, group: "zarr.Group", kind: Kind) -> None:
        import zarr

        # Else Zarr leaves out a chunk that holds nothing but NaN, and then it is not there.
        with zarr.config.set({"array.write_empty_chunks": True}):
            self.array, self._completed = (cast("zarr.Array[Any]", group[name]) for name in (kind.array, "completed"))

    def mark(self, block: int) -> npt.NDArray[np.uint8]:
        """The mark of a block; zeros if it is not done, or the mark is lost."""
        try:
            found: npt.NDArray[np.uint8] = np.asarray(self._completed[block : block + 1])[0]
        except (ValueError, RuntimeError, OSError, TypeError):
            # Files that were made and not filled, or lost their end: what they hold cannot be decoded.
            return np.zeros(self._completed.shape[1:], np.uint8)
        return found

    def is_done(self, block: int) -> bool:
        """Whether a block is marked, and its chunk whole, which is read, and finite."""
        size = self.array.chunks[0]
        if not self.mark(block).any():
            return False
        try:
            found = np.asarray(self.array[block * size : (block + 1) * size])
        except (ValueError, RuntimeError, OSError):
            return False
        # In a store of before, a chunk that is not there reads as zeros.
        return bool(np.isfinite(found).all() and (found.any() or np.isnan(self.array.fill_value)))

    def put(self, block: int, values: AnyArray) -> None:
        """Write the chunk of a block, without its mark."""
        start = block * self.array.chunks[0]
        self.array[start : start + len(values)] = values

    def set_mark(self, block: int, mark: Any = 1) -> None:
        """Mark a block as done, or, by zeros, as missing."""
        self._completed[block : block + 1] = np.full((1, *self._completed.shape[1:]), mark, np.uint8)

    def write(self, block: int, values: AnyArray) -> None:
        """Write the chunk of a block, then its mark."""
        self.put(block, values)
        self.set_mark(block)


class InMemory:
    """As an empty `BlockStore`, but in memory; parameters likewise."""

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any], block: int) -> None:
        self.array, self.block = np.empty(shape, dtype), block

    def is_done(self, block: int) -> bool:
        """Never."""
        return False

    def write(self, block: int, values: AnyArray) -> None:
        """Keep the values of a block."""
        self.array[block * self.block :][: len(values)] = values


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
    except OSError:
        raise
    except Exception as error:  # whatever Zarr raises of metadata that are damaged
        why = f"{path} is damaged ({in_words(error)}): delete it, and the {kind.array} are made again"
        raise ValueError(why) from error
    return group
