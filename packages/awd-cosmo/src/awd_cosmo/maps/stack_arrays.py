"""Arrays of NumPy files, HDF5 and Zarr that hold many maps, and the source that reads single maps of one."""

import hashlib
import os
import re
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from awd_core.files import StoredArray, in_words, load_npy, load_npz, named_damage
from awd_core.typing import Rows
from awd_cosmo.formats.archives import BadMap
from awd_cosmo.maps.sources import LARGEST, NOT_OBSERVED, Maps, Mask, Report, Selected, room_for

ENDINGS = (".npy", ".npz", ".h5", ".hdf5", ".zarr")
"""How the names of stacks end."""
LABELS = re.compile(r"label|param|target|theta|cosmolog", re.IGNORECASE)
"""In the names of arrays of labels beside maps, or inside."""


@dataclass(frozen=True)
class Stacked:
    """Maps in an array of a file: a source.

    Parameters
    ----------
    file : Path
    key : str
        Name of the array in the file; empty where it has but one.
    leading : tuple of int
        Sides of the axes in front of the pixels, without that of redshift bins.
    shape : tuple of int
        (ny, nx) of a map.
    flat : bool
        Whether the array has the pixels inside the mask alone.
    mask : ndarray of bool, shape (ny, nx), optional
        True where observed.
    invalid : {"raise", "mask", "zero"}
        What to do with pixels inside the mask that hold no convergence.
    bin : tuple of int, optional
        The axis of redshift bins among those in front of the pixels, and the number of the bin whose maps these are.
    constant : bool
        Whether a map of which all pixels are equal is a map.
    """

    file: Path
    key: str
    leading: tuple[int, ...]
    shape: tuple[int, int]
    flat: bool
    mask: Mask | None
    invalid: str
    bin: tuple[int, int] | None = None
    constant: bool = True

    def __call__(self, rows: Rows, threads: int, report: Report | None, out: Maps | None = None) -> Maps:
        """Read map by map; all bad ones are named in one error."""
        out = room_for(len(rows), self.shape, out)
        array, bad = arrays_of(self.file)[self.key], []
        for i, row in enumerate(rows):
            place = self.place(int(row))
            with np.errstate(over="ignore"), damage_in(self.file):
                pixels = np.asarray(array[place]).astype(np.float32)
            wrong = ~(np.abs(pixels) < LARGEST)
            if not self.flat and self.mask is not None:
                wrong &= self.mask
            if self.invalid == "raise" and wrong.any():
                said = f"{int(wrong.sum())} of {pixels.size} pixels hold no convergence; {NOT_OBSERVED}"
                bad.append((self.name(int(row)), said))
            pixels[wrong] = 0.0 if self.invalid == "zero" else np.nan
            if self.flat:
                out[i] = np.nan
                out[i][self.mask] = pixels
            else:
                out[i] = pixels if self.mask is None else np.where(self.mask, pixels, np.nan)
            if not self.constant:
                seen = out[i][np.isfinite(out[i])]
                if not seen.size or seen.min() == seen.max():
                    said = f"all its pixels are {seen[0]:g}" if seen.size else "no pixel of it was observed"
                    bad.append((self.name(int(row)), f"{said}: there is nothing in it to learn from; leave it out"))
            if report is not None:
                report(i + 1, len(rows))
        if bad:
            raise BadMap(bad)
        return out

    def part(self, rows: Rows) -> Selected:
        """These maps alone."""
        return Selected(replace(self, file=Path.cwd() / self.file), rows)

    def place(self, row: int) -> tuple[int, ...]:
        """Where a map lies on the axes in front of the pixels."""
        place = [int(k) for k in np.unravel_index(row, self.leading)]
        if self.bin is not None:
            place.insert(*self.bin)
        return tuple(place)

    def name(self, row: int) -> str:
        """What a map is called: "kappa.npy[3,0]"."""
        return f"{self.file.name}[{','.join(map(str, self.place(row)))}]"

    def digest(self) -> bytes:
        """Digest of the bytes of the file, or of all files of a folder."""
        found = hashlib.blake2b(digest_size=16)
        places = sorted(p for p in self.file.rglob("*") if p.is_file()) if self.file.is_dir() else [self.file]
        for place in places:
            found.update(os.fsencode(place.name))
            with place.open("rb") as file:
                while part := file.read(1 << 22):
                    found.update(part)
        return found.digest()


def damage_in(file: Path) -> AbstractContextManager[None]:
    """For what is read of an open file: its chunks may be damaged."""
    return named_damage(file, "a stack of maps", make=lambda told: BadMap([(str(file), told)]))


@lru_cache(maxsize=4)
def _opened(file: Path, mtime_ns: int) -> Mapping[str, Any]:
    ending = file.suffix.lower()
    try:
        if ending == ".npy":
            return {"": load_npy(file, mmap_mode="r")}
        if ending == ".npz":
            return load_npz(file)
        if ending == ".zarr":
            import zarr

            opened: Any = zarr.open(file, mode="r")
            arrays = {"": opened} if isinstance(opened, zarr.Array) else dict(opened.arrays())
            return {name: StoredArray.of(array, str(file), empty=True) for name, array in arrays.items()}
        return _of_hdf5(file)
    except ImportError:
        raise
    except Exception as error:  # h5py and Zarr raise nearly anything over a damaged file
        reason = f"no arrays of numbers can be read of it ({in_words(error)}); save them again"
        raise BadMap([(str(file), reason)]) from error


def arrays_of(file: Path) -> Mapping[str, Any]:
    """Arrays of a file by name, opened and not read (those of .npz are read); "" is the name of the only one."""
    if not file.exists():
        raise FileNotFoundError(f"there is no stack {file}")
    return _opened(file.absolute(), file.stat().st_mtime_ns)


def _of_hdf5(file: Path) -> Mapping[str, Any]:
    try:
        import h5py
    except ImportError:
        raise ImportError(f"{file} is HDF5, which needs h5py: pip install h5py") from None
    found: dict[str, Any] = {}

    def keep(name: str, node: Any) -> None:
        if isinstance(node, h5py.Dataset):
            found[name] = node

    h5py.File(file, "r").visititems(keep)
    return found
