"""An array of a Zarr store that says which store it is, where a chunk is damaged or is not there."""

import math
import os
import zipfile
from pathlib import Path
from typing import Any, Self

import zarr

from awd_core.checks.warning import warn
from awd_core.files.damage import named_damage
from awd_core.files.urls import local_path

ALL_BUT = 0.001
"""Share of its chunks that an array of many must have."""
MANY = 1000
"""Chunks of an array of many."""


class StoredArray(zarr.Array[Any]):
    """A `zarr.Array` of a store that a user named."""

    __slots__ = ()

    @classmethod
    def of(cls, array: "zarr.Array[Any]", place: str) -> Self:
        """The same array, of which every chunk that is missing is told.

        Raises
        ------
        ValueError
            If its metadata promise far more chunks than there are.

        Warns
        -----
        UserWarning
            If chunks are not there. Zarr gives the fill value in their place, since writers may leave out such chunks.
        """
        made = cls(array._async_array)
        if local_path(place) is None:  # elsewhere, each look at a store costs a request
            return made
        with named_damage(place, "a Zarr array"):
            pieces = zip(made.shape, made.shards or made.chunks, strict=True)
            chunks = math.prod(-(-side // piece) for side, piece in pieces)
            missing = chunks - _held(made)
        if missing > MANY and missing > (1 - ALL_BUT) * chunks:
            raise ValueError(
                f"{place} is damaged: its metadata promise {chunks} chunks, and {missing} of them are not there; copy "
                "it again, or write it anew"
            )
        if missing > 0:
            warn(
                f"{missing} of the {chunks} chunks of {place} are not there, and read as {made.fill_value}: whoever "
                "wrote it left them out, or a disk has lost them"
            )
        return made

    def __getitem__(self, selection: Any) -> Any:
        place = getattr(self.store, "root", None) or getattr(self.store, "path", None) or self.store
        with named_damage(str(place), "a Zarr array"):
            return super().__getitem__(selection)


def _held(array: "zarr.Array[Any]") -> int:
    """Chunks that there are, counted by their files: Zarr itself asks for each that there might be."""
    store: Any = array.store
    if isinstance(store, zarr.storage.ZipStore):
        with zipfile.ZipFile(store.path) as archive:
            names = [name for name in archive.namelist() if name.startswith(array.path)]
    elif isinstance(store, zarr.storage.LocalStore):
        names = [name for _, _, files in os.walk(Path(store.root) / array.path) for name in files]
    else:
        return array.nchunks
    return sum(not name.rpartition("/")[2].startswith((".", "zarr.json")) for name in names)
