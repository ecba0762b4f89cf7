"""An array of a Zarr store that says which store it is, where a chunk is damaged or is not there."""

import math
import os
import re
import zipfile
from pathlib import Path
from typing import Any, Self

import zarr

from awd_core.checks.warning import warn
from awd_core.files.damage import named_damage
from awd_core.files.urls import local_path

ALL_BUT = 0.001
"""Share of its chunks that an array of many must have."""
_CHUNK = re.compile(r"c|(c[./])?\d+([./]\d+)*")
"""Names of chunks, in Zarr 2 and 3."""
MANY = 1000
"""Chunks of an array of many."""


class StoredArray(zarr.Array[Any]):
    """A `zarr.Array` of a store that a user named."""

    __slots__ = ()

    @classmethod
    def of(cls, array: "zarr.Array[Any]", place: str, *, empty: bool = False) -> Self:
        """The same array, of which every chunk that is missing is told.

        Parameters
        ----------
        array : zarr.Array
            The array.
        place : str
            Its store, for messages.
        empty : bool
            Whether it is told, too, that there is no chunk at all, as of an array of zeros alone.

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
        if missing > 0 and (empty or missing < chunks):
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
            start = f"{array.path}/".lstrip("/")
            names = [name.removeprefix(start) for name in archive.namelist() if name.startswith(start)]
    elif isinstance(store, zarr.storage.LocalStore):
        root = Path(store.root) / array.path
        places = (Path(folder, name) for folder, _, files in os.walk(root) for name in files)
        names = [place.relative_to(root).as_posix() for place in places]
    else:
        return array.nchunks
    return sum(_CHUNK.fullmatch(name) is not None for name in names)
