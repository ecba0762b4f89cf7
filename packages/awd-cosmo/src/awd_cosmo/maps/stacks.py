"""Stacks: many maps in one array of a file, whole or without the pixels outside a mask, with labels beside or inside.

The file is NumPy's .npy or .npz, HDF5 or Zarr. A map is found by its place on the leading axes, (map,) or (cosmology,
realisation). Labels are columns of that many rows. What the FAIR Universe challenge hands out is such a stack: pixels
inside a survey's mask as float16, a cube of labels (cosmology, realisation, parameter), and the mask.
"""

import hashlib
import math
import os
import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from astropy import units
from astropy.table import QTable

from awd_core.files import StoredArray, in_words, load_npy, load_npz, named_damage
from awd_core.typing import AnyArray, Array, Rows
from awd_cosmo.formats.archives import BadMap
from awd_cosmo.formats.listing import COLUMNS
from awd_cosmo.formats.parameters import RANGES, UNITS, Ranges, as_parameter, exchange, outside
from awd_cosmo.maps.sources import LARGEST, NOT_OBSERVED, Maps, Mask, Report, Selected, room_for

ENDINGS = (".npy", ".npz", ".h5", ".hdf5", ".zarr")
"""How the names of stacks end."""
FAIR_LABELS = ("Omega_m", "S8", "T_AGN", "f0", "dz")
"""What the labels of the FAIR Universe challenge are, of which three are nuisances."""

_LABELS = re.compile(r"label|param|target|theta|cosmolog", re.IGNORECASE)
_MASK = re.compile(r"mask", re.IGNORECASE)
_SCALE = re.compile(r"(\d+(?:\.\d+)?)_?arcmin", re.IGNORECASE)
_SCALE_NAMES = ("pixel_scale", "arcmin_per_pixel", "pixel_scale_arcmin", "pixel_arcmin")
_REDSHIFT_NAMES = ("z_s", "zs", "z_source", "source_redshift")


@dataclass(frozen=True)
class Stacked:
    """Maps in an array of a file: a source.

    Parameters
    ----------
    file : Path
    key : str
        Name of the array in the file; empty where it has but one.
    leading : tuple of int
        Sides of the axes in front of the pixels.
    shape : tuple of int
        (ny, nx) of a map.
    flat : bool
        Whether the array has the pixels inside the mask alone.
    mask : ndarray of bool, shape (ny, nx), optional
        True where observed.
    invalid : {"raise", "mask", "zero"}
        What to do with pixels inside the mask that hold no convergence.
    """

    file: Path
    key: str
    leading: tuple[int, ...]
    shape: tuple[int, int]
    flat: bool
    mask: Mask | None
    invalid: str

    def __call__(self, rows: Rows, threads: int, report: Report | None, out: Maps | None = None) -> Maps:
        """Read map by map; all bad ones are named in one error."""
        out = room_for(len(rows), self.shape, out)
        array, bad = arrays_of(self.file)[self.key], []
        for i, row in enumerate(rows):
            place = tuple(int(k) for k in np.unravel_index(int(row), self.leading))
            with np.errstate(over="ignore"), _damage_in(self.file):
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
            if report is not None:
                report(i + 1, len(rows))
        if bad:
            raise BadMap(bad)
        return out

    def part(self, rows: Rows) -> Selected:
        """These maps alone."""
        file = Path.cwd() / self.file
        whole = Stacked(file, self.key, self.leading, self.shape, self.flat, self.mask, self.invalid)
        return Selected(whole, rows)

    def name(self, row: int) -> str:
        """What a map is called: "kappa.npy[3,0]"."""
        return f"{self.file.name}[{','.join(str(int(k)) for k in np.unravel_index(row, self.leading))}]"

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


@dataclass(frozen=True)
class Stack:
    """A stack that was recognised: its source, its table, what headers of other maps would tell, and an account."""

    source: Stacked
    table: QTable
    arcmin_per_pixel: float
    mask: Mask | None
    notes: list[str]
    problems: list[tuple[str, str]]


def is_stack(path: Path) -> bool:
    """Whether a path is a stack, or a folder with one and no FITS files."""
    if path.name.lower().endswith(ENDINGS):
        return path.exists()
    if not path.is_dir():
        return False
    names = [entry.name.lower() for entry in os.scandir(path) if not entry.name.startswith(".")]
    fits = any(re.search(r"\.fits?(\.gz|\.fz)?$", name) or name.endswith(".tar") for name in names)
    return not fits and any(name.endswith(ENDINGS) for name in names)


def open_stack(
    path: Path,
    *,
    mask: Mask | None = None,
    pixel_scale: float | None = None,
    source_redshift: float | None = None,
    columns: Sequence[str] | Mapping[str, str] | None = None,
    ranges: Ranges | None = None,
    invalid: str = "raise",
) -> Stack:
    """Recognise a stack and its labels.

    Parameters
    ----------
    path : Path
        The file, or the folder that holds it, its labels and its mask: files whose names say so.
    mask : ndarray of bool, optional
        In place of the one that lies there.
    pixel_scale, source_redshift
        Where nothing tells them.
    columns : sequence of str, or mapping of str to str, optional
        Names of the labels in their order, "-" for one to be left out; or, of labels with names, which are ours.
    ranges, invalid
        As for `open_maps`.

    Raises
    ------
    ValueError
        If there are several stacks, shapes do not fit, or labels have no names.
    """
    with _damage_in(path):
        return _open_stack(path, mask, pixel_scale, source_redshift, columns, ranges, invalid)


def _damage_in(file: Path) -> AbstractContextManager[None]:
    """For what is read of an open file: its chunks may be damaged."""
    return named_damage(file, "a stack of maps", make=lambda told: BadMap([(str(file), told)]))


def _open_stack(
    path: Path, mask: Mask | None, pixel_scale: float | None, source_redshift: float | None,
    columns: Sequence[str] | Mapping[str, str] | None, ranges: Ranges | None, invalid: str,
) -> Stack:  # fmt: skip
    folder = path if path.is_dir() and path.suffix.lower() not in ENDINGS else path.parent
    file, beside = _roles(path, folder)
    arrays, notes = dict(arrays_of(file)), []
    if mask is None:
        mask, said = _mask_there(arrays, beside)
        notes += said
    key = _stack_key(arrays, file)
    array = arrays.pop(key)
    shape = tuple(int(n) for n in array.shape)
    flat = mask is not None and shape[-2:] != mask.shape and shape[-1] == int(mask.sum())
    ny, nx = mask.shape if flat and mask is not None else shape[-2:]
    leading = shape[: -1 if flat else -2]
    if mask is not None and mask.shape != (ny, nx):
        raise ValueError(
            f"the mask has the shape {mask.shape} with {int(mask.sum())} pixels inside, but {file.name} has {shape}: "
            "its last axes must be those of the mask, or its last axis the pixels inside"
        )
    if not 1 <= len(leading) <= 2 or math.prod(leading) == 0:
        hint = (
            "" if mask is not None else "; if its last axis is the pixels inside a mask, give --training-mask (mask=)"
        )
        raise ValueError(
            f"{file.name} has the shape {shape}; a stack is (maps, ny, nx) or (cosmologies, realisations, ny, nx), or "
            f"with one axis of pixels inside a mask{hint}"
        )
    values, said = _labels(arrays, beside, leading, columns, file)
    notes += said
    scale = _pixel_scale(arrays, array, [file.name, *(one.name for one in beside)], pixel_scale, notes)
    z = source_redshift if source_redshift is not None else _single(arrays, array, _REDSHIFT_NAMES)
    source = Stacked(file, key, leading, (int(ny), int(nx)), flat, mask, invalid)
    table, problems = _table(source, values, z, arrays, ranges)
    what = f"{'pixels inside a mask' if flat else 'whole maps'}, {array.dtype}"
    notes.insert(0, f"layout stack: {' × '.join(map(str, leading))} maps of {ny} × {nx} pixels in {file.name}, {what}")
    return Stack(source, table, scale, mask, notes, problems)


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


def _roles(path: Path, folder: Path) -> tuple[Path, list[Path]]:
    """The stack, and what else lies beside it: arrays and tables of labels, masks."""
    there = sorted(item for item in folder.iterdir() if not item.name.startswith("."))
    others = [item for item in there if item.name.lower().endswith((*ENDINGS, ".csv"))]
    helping = [item for item in others if _LABELS.search(item.name) or _MASK.search(item.name) or item.suffix == ".csv"]
    if path != folder:
        return path, [item for item in helping if item != path]
    stacks = [item for item in others if item not in helping]
    if len(stacks) != 1:
        names = ", ".join(item.name for item in stacks) or "none"
        raise ValueError(
            f"{folder} must hold one stack of maps beside labels and mask, but these are stacks: {names}; pass the "
            "path of one"
        )
    return stacks[0], helping


def _stack_key(arrays: Mapping[str, Any], file: Path) -> str:
    """The name of the array of maps: the largest."""
    sized = {name: math.prod(array.shape) for name, array in arrays.items() if getattr(array, "ndim", 0) >= 2}
    if not sized:
        shown = ", ".join(f"{name or file.name} {tuple(array.shape)}" for name, array in arrays.items()) or "nothing"
        raise ValueError(f"{file} holds no stack of maps, but {shown}; a stack is (maps, ny, nx)")
    return max(sized, key=lambda name: sized[name])


def _mask_there(arrays: dict[str, Any], beside: Sequence[Path]) -> tuple[Mask | None, list[str]]:
    for name in [name for name in arrays if _MASK.search(name)]:
        return np.asarray(arrays.pop(name)).astype(np.bool_), [f"mask by its array {name!r}"]
    for place in (place for place in beside if _MASK.search(place.name) and place.suffix.lower() in (".npy", ".npz")):
        values = np.asarray(next(iter(arrays_of(place).values())))
        if values.ndim == 2 and np.isin(values, (0, 1)).all():
            seen = values.astype(np.bool_)
            return seen, [f"mask {place.name}: {int(seen.sum())} of {seen.size} pixels observed"]
    return None, []


def _labels(
    arrays: Mapping[str, Any],
    beside: Sequence[Path],
    leading: tuple[int, ...],
    columns: Sequence[str] | Mapping[str, str] | None,
    file: Path,
) -> tuple[dict[str, Array], list[str]]:
    """Columns of labels, one number a map, by our names where they are ours."""
    count, found, where = math.prod(leading), {}, []
    for name, array in arrays.items():
        if tuple(array.shape) == leading and getattr(array, "dtype", np.dtype("O")).kind in "fiu":
            found[name.rpartition("/")[2]] = np.asarray(array, np.float64).reshape(count)
    if found:
        where.append(f"arrays of {file.name}")
    cubes: list[tuple[str, Any]] = [(name, array) for name, array in arrays.items() if _LABELS.search(name)]
    for place in beside:
        if place.suffix.lower() in (".npy", ".npz") and _LABELS.search(place.name):
            cubes += [(f"{place.name}{':' * bool(name)}{name}", array) for name, array in arrays_of(place).items()]
    notes: list[str] = []
    for name, array in cubes:
        if tuple(array.shape[:-1]) != leading:
            continue
        rows = np.asarray(array, np.float64).reshape(count, -1)
        told = _names_of(array, arrays, columns, rows, name, [file.name, *(place.name for place in beside)], notes)
        found |= {label: rows[:, k] for k, label in enumerate(told) if label != "-"}
        where.append(name)
        break
    else:
        for place in (place for place in beside if place.suffix.lower() == ".csv"):
            from awd_cosmo.formats.table_files import read_table

            table = read_table(place)
            if len(table) == count:
                numbers = [label for label in table.colnames if table[label].dtype.kind in "fiu"]
                found |= {label: np.asarray(table[label], np.float64) for label in numbers}
                where.append(place.name)
                break
            notes.append(f"{place.name} was not used: it has {len(table)} rows for {count} maps")
    if isinstance(columns, Mapping):
        if missing := [label for label in columns.values() if label not in found]:
            raise ValueError(f"{file} has no column {missing[0]!r}; it has {', '.join(found) or 'none'}")
        found |= {ours: found.pop(label) for ours, label in columns.items()}
    values: dict[str, Array] = {}
    for label, column in found.items():
        known = as_parameter(label, column)
        values[label if known is None else known[0]] = column if known is None else np.asarray(known[1], np.float64)
    if where:
        notes.insert(0, f"labels {', '.join(values)} of {', '.join(where)}")
    else:
        notes.append("no labels: nothing beside or inside has a row for each map")
    return values, notes


def _names_of(
    array: Any, arrays: Mapping[str, Any], columns: Any, rows: Array, name: str, files: Sequence[str], notes: list[str]
) -> list[str]:
    """What the columns of an array of labels are called: as told, as an attribute or an array of names says."""
    width = rows.shape[1]
    inside = [str(one) for key in ("names", "columns") for one in np.asarray(getattr(array, "attrs", {}).get(key, ()))]
    inside = inside or [str(one) for key in arrays if re.search(r"names?$|columns$", key) for one in arrays[key][:]]
    if columns is not None and not isinstance(columns, Mapping):
        if len(columns) != width:
            raise ValueError(f"{name} has {width} columns, but {len(columns)} names were given: {tuple(columns)!r}")
        return [str(label) for label in columns]
    if len(inside) == width:
        return inside
    if width == len(FAIR_LABELS) and any("WIDE12H" in one for one in files):
        notes.append(f"labels of the FAIR Universe challenge: {', '.join(FAIR_LABELS)}")
        return list(FAIR_LABELS)
    raise ValueError(
        f"{name} has {width} columns of labels without names: give them in their order, as --columns "
        f"{','.join([*list(RANGES)[:2], '-'])} (columns=), - for one to be left out; the first row is "
        f"{' '.join(f'{x:g}' for x in rows[0])}"
    )


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


def _pixel_scale(
    arrays: Mapping[str, Any], array: Any, names: Sequence[str], given: float | None, notes: list[str]
) -> float:
    if given is not None:
        return given
    scale = _single(arrays, array, _SCALE_NAMES)
    if scale > 0:
        notes.append(f"{scale:g} arcmin per pixel, by the file")
        return scale
    told = {float(found[1]) for name in names if (found := _SCALE.search(name))}
    if len(told) == 1:
        scale = told.pop()
        notes.append(f"{scale:g} arcmin per pixel, by names of files")
        return scale
    raise ValueError(f"nothing tells the pixel scale of {names[0]}: give --pixel-scale (pixel_scale=), in arcmin")


def _table(
    source: Stacked, values: Mapping[str, Array], z: float, arrays: Mapping[str, Any], ranges: Ranges | None
) -> tuple[QTable, list[tuple[str, str]]]:
    """The table of the maps, and the maps that have a label outside its range, or none."""
    count, known = math.prod(source.leading), {name: column for name, column in values.items() if name in RANGES}
    problems: dict[int, str] = {}
    for row in range(count):
        mine = {name: float(column[row]) for name, column in known.items()}
        if any(not math.isfinite(float(column[row])) for column in values.values()):
            problems[row] = "it lacks a label"
        elif reason := outside(mine, ranges):
            problems[row] = reason
    if problems and known and (hint := exchange(known, ranges)):
        row = min(problems)
        raise ValueError(f"{source.name(row)}: {problems[row]}; {hint}")
    table = QTable()
    table["file"] = [source.name(row) for row in range(count)]
    table["hdu"] = np.full(count, -1)
    cosmology, realisation = _cosmologies(source.leading, values, known)
    table["cosmology"], table["realisation"] = cosmology, realisation
    for name in COLUMNS[4:-1]:
        table[name] = np.full(count, -1 if name == "tile" else 0)
    table["z_s"] = np.full(count, z)
    for name, column in values.items():
        if name not in table.colnames:
            table[name] = column * units.Unit(UNITS[name]) if UNITS.get(name) else np.array(column)
    table.meta["root"] = ""
    return table, [(source.name(row), reason) for row, reason in problems.items()]


def _cosmologies(
    leading: tuple[int, ...], values: Mapping[str, Array], known: Mapping[str, Array]
) -> tuple[npt.NDArray[np.int64], AnyArray]:
    """Numbers of cosmologies and of realisations: the axes, or, of one axis, maps with equal parameters."""
    count = math.prod(leading)
    if len(leading) == 2:
        places = np.unravel_index(np.arange(count), leading)
        return places[0].astype(np.int64), places[1].astype(np.int64)
    columns = [column for name, column in (known or values).items() if name not in ("realisation", "cosmology")]
    ids = np.unique(np.array([*columns, np.zeros(count)]), axis=1, return_inverse=True)[1].reshape(-1)
    realisation = values.get("realisation", np.full(count, -1.0))
    return ids.astype(np.int64), realisation.astype(np.int64)
