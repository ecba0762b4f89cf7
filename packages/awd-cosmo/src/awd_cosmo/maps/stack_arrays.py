"""Arrays of NumPy files, HDF5 and Zarr that hold many maps: which these are, what is told of them, single ones read."""

import hashlib
import math
import os
import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from awd_core.files import StoredArray, in_words, load_npy, load_npz, named_damage
from awd_core.typing import Array, Rows
from awd_cosmo.formats.archives import BadMap
from awd_cosmo.formats.redshifts import REDSHIFT_TOLERANCE
from awd_cosmo.maps.sources import LARGEST, NOT_OBSERVED, Maps, Mask, Report, Selected, room_for

ENDINGS = (".npy", ".npz", ".h5", ".hdf5", ".zarr")
"""How the names of stacks end."""
LABELS = re.compile(r"label|param|target|theta|cosmolog", re.IGNORECASE)
"""In the names of arrays of labels beside maps, or inside."""
_SCALE = re.compile(r"(\d+(?:\.\d+)?)_?arcmin", re.IGNORECASE)
SCALE_NAMES = ("pixel_scale", "arcmin_per_pixel", "pixel_scale_arcmin", "pixel_arcmin")
REDSHIFT_NAMES = ("z_s", "zs", "z_source", "source_redshift")


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


def stack_keys(arrays: Mapping[str, Any], file: Path, told: str | None) -> list[str]:
    """Names of the arrays of maps: the largest; several as large are redshift bins if they are numbered."""
    sized = {name: math.prod(array.shape) for name, array in arrays.items() if getattr(array, "ndim", 0) >= 2}
    shown = ", ".join(f"{name or file.name} {tuple(array.shape)}" for name, array in arrays.items()) or "nothing"
    if told is not None and told not in sized:
        raise ValueError(f"{file} has no array {told!r} (--hdu, hdu=); it holds {shown}")
    if not sized:
        raise ValueError(f"{file} holds no stack of maps, but {shown}; a stack is (maps, ny, nx)")
    if told is not None:
        return [told]
    largest = [name for name in sized if sized[name] == max(sized.values())]
    if len(largest) == 1:
        return largest
    numbers = {name: re.sub(r"\d+(?=\D*$)", "#", name) for name in largest}
    named = all(re.search(r"bin|tomo|z(?=[_\d])", name, re.IGNORECASE) for name in largest)
    if named and len(set(numbers.values())) == 1 and len({arrays[name].shape for name in largest}) == 1:
        return sorted(largest, key=lambda name: int(re.findall(r"\d+", name)[-1]))
    raise ValueError(
        f"{file} holds several arrays that may be the maps: {', '.join(largest)}; say which with --hdu NAME (hdu=), or "
        "number redshift bins as kappa_bin1, kappa_bin2"
    )


def told_redshifts(arrays: Mapping[str, Any], array: Any) -> Array | None:
    """What the file tells of source redshifts: an attribute of the stack, or an array."""
    for place in (getattr(array, "attrs", {}), arrays):
        for name in (name for name in REDSHIFT_NAMES if name in place):
            return np.asarray(place[name][()] if hasattr(place[name], "shape") else place[name], np.float64)
    return None


def settled_redshifts(
    told: Array | None, count: int, bins: Sequence[float], wanted: float | None, relabel: float | None, file: Path
) -> list[float]:
    """Of the sources of each bin: as the file tells, which must not be other than was asked for, or as was said."""
    if relabel is not None:
        return [relabel] * count
    asked = [float(z) for z in bins] or ([] if wanted is None else [wanted] * count)
    if told is None or not told.size:
        return asked or [math.nan] * count
    if count > 1 and told.shape == (count,):
        found = [float(z) for z in told]
    elif np.ptp(told) <= REDSHIFT_TOLERANCE:
        found = [float(told.flat[0])] * count
    else:
        raise ValueError(
            f"{file.name} tells source redshifts from {told.min():g} to {told.max():g} of its maps, and a stack is of "
            "one, or of one for each bin; save those of one redshift alone, or give --relabel-redshift "
            "(relabel_redshift=)"
        )
    if asked and max(abs(a - b) for a, b in zip(asked, found, strict=True)) > REDSHIFT_TOLERANCE:
        raise ValueError(
            f"{file.name} tells the source redshifts {', '.join(f'{z:g}' for z in found)}, and "
            f"{', '.join(f'{z:g}' for z in asked)} are asked for (--source-redshift, --bins); leave the option out, or "
            "say what they are whatever the file says with --relabel-redshift (relabel_redshift=)"
        )
    return found


def _single(arrays: Mapping[str, Any], array: Any, names: Sequence[str]) -> float:
    """One number that an attribute of the stack, or an array of its file, tells; NaN if none does."""
    for place in (getattr(array, "attrs", {}), arrays):
        for name in names:
            if (
                name in place
                and np.asarray(place[name][()] if hasattr(place[name], "shape") else place[name]).size == 1
            ):
                return float(np.asarray(place[name][()] if hasattr(place[name], "shape") else place[name]).reshape(()))
    return math.nan


def told_scale(arrays: Mapping[str, Any], array: Any, names: Sequence[str]) -> tuple[float, str]:
    """Arcmin per pixel, and what tells it: a number in the file, or names of files; NaN where nothing does."""
    scale = _single(arrays, array, SCALE_NAMES)
    if scale > 0:
        return scale, "by the file"
    told = {float(found[1]) for name in names if (found := _SCALE.search(name))}
    return (told.pop(), "by names of files") if len(told) == 1 else (math.nan, "")
