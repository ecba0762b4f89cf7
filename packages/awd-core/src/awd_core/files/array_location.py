"""Where an array lies, so that another process can open it and read what it needs."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from awd_core.files.arrays import SampleArray, digest, read_block

ROWS = 256
"""Samples that are copied at a time."""


@dataclass(frozen=True)
class ArrayLocation:
    """Where an array lies.

    Attributes
    ----------
    store : str
        Path of an .npy file, or path or URL of a Zarr store.
    name : str, optional
        Of the array in the Zarr store; None for an .npy file.
    """

    store: str
    name: str | None = None

    def open(self) -> SampleArray:
        """The array, to read from.

        Raises
        ------
        FileNotFoundError
            If it is not there, as on another machine that does not share the disk.
        """
        if "://" not in self.store and not Path(self.store).exists():
            raise FileNotFoundError(
                f"this process sees no {self.store}: workers need the same files at the same paths, on a disk that all "
                "machines share"
            )
        if self.name is None:
            array: SampleArray = np.load(self.store, mmap_mode="c", allow_pickle=False)
            return array
        import zarr

        store = zarr.storage.ZipStore(self.store, mode="r") if self.store.endswith(".zip") else self.store
        return cast(SampleArray, zarr.open_array(store=store, path=self.name, mode="r"))


def location_of(array: SampleArray) -> ArrayLocation | None:
    """Where an array lies; None if it is in this process's memory, or was changed there.

    Parameters
    ----------
    array : SampleArray
        An array, memory map or Zarr array.
    """
    if isinstance(array, np.memmap):
        return _of_map(array)
    if not any(kind.__module__.partition(".")[0] == "zarr" for kind in type(array).__mro__):
        return None
    source, name = cast(Any, array), cast(Any, array).path
    kind = type(source.store).__name__
    if kind == "LocalStore":
        return ArrayLocation(os.fspath(Path(source.store.root).resolve()), name)
    if kind == "ZipStore":
        return ArrayLocation(os.fspath(Path(source.store.path).resolve()), name)
    if kind == "FsspecStore":
        files = getattr(source.store.fs, "sync_fs", source.store.fs)
        url: str = files.unstrip_protocol(source.store.path)
        return None if url.startswith("memory://") else ArrayLocation(url, name)
    return None


def shared_location(array: SampleArray, file: Path) -> ArrayLocation:
    """Where an array lies, after it was written to an .npy file if it was in memory alone."""
    place = location_of(array)
    if place is not None:
        return place
    copy = np.lib.format.open_memmap(file, mode="w+", dtype=np.dtype(array.dtype), shape=tuple(array.shape))
    for start in range(0, array.shape[0], ROWS):
        copy[start : start + ROWS] = read_block(array, start, start + ROWS)
    copy.flush()
    return ArrayLocation(os.fspath(file.resolve()))


def _of_map(array: "np.memmap[Any, Any]") -> ArrayLocation | None:
    if array.filename is None or not str(array.filename).endswith(".npy") or not array.flags.c_contiguous:
        return None
    there = np.load(array.filename, mmap_mode="r", allow_pickle=False)
    if (there.shape, there.dtype) != (array.shape, array.dtype):
        return None
    # What was written to a copy-on-write map is not in the file.
    changed = array.mode == "c" and digest(array) != digest(there)
    return None if changed else ArrayLocation(os.fspath(Path(array.filename).resolve()))
