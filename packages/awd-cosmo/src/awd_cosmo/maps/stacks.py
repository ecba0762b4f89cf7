"""Stacks: many maps in one array of a file, whole or without the pixels outside a mask, with labels beside or inside.

The file is NumPy's .npy or .npz, HDF5 or Zarr. A map is found by its place on the leading axes, (map,) or (cosmology,
realisation). Labels are columns of that many rows. One axis more, behind these or in front, is one of redshift bins;
arrays kappa_bin1, kappa_bin2, … of one file are bins as well. What the FAIR Universe challenge hands out is such a
stack: pixels inside a survey's mask as float16, a cube of labels (cosmology, realisation, parameter), and the mask.
"""

import fnmatch
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from astropy import units
from astropy.table import QTable

from awd_core.typing import AnyArray, Array
from awd_cosmo.formats.listing import COLUMNS
from awd_cosmo.formats.parameters import RANGES, UNITS, Ranges, as_parameter, exchange, outside
from awd_cosmo.maps.sources import Mask
from awd_cosmo.maps.stack_arrays import (
    ENDINGS,
    LABELS,
    REDSHIFT_NAMES,
    SCALE_NAMES,
    Stacked,
    arrays_of,
    damage_in,
    settled_redshifts,
    stack_keys,
    told_redshifts,
    told_scale,
)

FAIR_LABELS = ("Omega_m", "S8", "T_AGN", "f0", "dz")
"""What the labels of the FAIR Universe challenge are, of which three are nuisances."""
FAIR_RANGES = {"Omega_m": (0.05, 0.7)}
"""Its cosmologies reach to 0.619: a range that its own labels leave would refuse it as it is handed out."""

FAIR = "labels of the FAIR Universe challenge"

_MASK = re.compile(r"mask", re.IGNORECASE)


@dataclass(frozen=True)
class Stack:
    """A stack that was recognised: what headers of other maps would tell, and an account.

    Its sources are one for each redshift bin, of the same maps row by row, each with its table and its mask.
    """

    sources: list[Stacked]
    tables: list[QTable]
    arcmin_per_pixel: float
    notes: list[str]
    problems: dict[int, str]


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
    relabel_redshift: float | None = None,
    columns: Sequence[str] | Mapping[str, str] | None = None,
    ranges: Ranges | None = None,
    invalid: str = "raise",
    bins: Sequence[float] = (),
    key: str | None = None,
    pattern: str | None = None,
    constant: bool = True,
) -> Stack:
    """Recognise a stack and its labels.

    Parameters
    ----------
    path : Path
        The file, or the folder that holds it, its labels and its mask: files whose names say so.
    mask : ndarray of bool, shape (ny, nx), or (bins, ny, nx) for whole maps, optional
        In place of the one that lies there.
    pixel_scale, source_redshift, relabel_redshift
        Where nothing tells them; the last, whatever the file tells.
    columns : sequence of str, or mapping of str to str, optional
        Names of the labels in their order, "-" for one to be left out; or, of labels with names, which are ours.
    ranges, invalid
        As for `open_maps`.
    bins : sequence of float
        Source redshifts of the bins. Without them an axis is one of bins if there are labels of all the others, and
        the file has a redshift for each of it.
    key, pattern
        Name of the array, where a file has several; of the file, where a folder has.
    constant : bool
        Whether maps of which all pixels are equal are maps; else they are bad.

    Raises
    ------
    ValueError
        If there are several stacks, shapes do not fit, or labels have no names.
    """
    with damage_in(path):
        folder = path if path.is_dir() and path.suffix.lower() not in ENDINGS else path.parent
        file, beside = _roles(path, folder, pattern)
        arrays, notes = dict(arrays_of(file)), []
        if mask is None:
            mask, said = _mask_there(arrays, beside)
            notes += said
        keys = stack_keys(arrays, file, key)
        array = arrays[keys[0]]
        arrays = {name: one for name, one in arrays.items() if name not in keys}
        shape = tuple(int(n) for n in array.shape)
        flat = mask is not None and mask.ndim == 2 and shape[-2:] != mask.shape and shape[-1] == int(mask.sum())
        ny, nx = mask.shape if flat and mask is not None else shape[-2:]
        leading = shape[: -1 if flat else -2]
        if mask is not None and mask.shape[-2:] != (ny, nx):
            raise ValueError(
                f"the mask has the shape {mask.shape} with {int(mask.sum())} pixels inside, but {file.name} has "
                f"{shape}: its last axes must be those of the mask, or its last axis the pixels inside"
            )
        if not leading or math.prod(leading) == 0:
            raise ValueError(_no_stack(file, shape, mask is not None))
        here = file, arrays, array, beside
        maps, axis, values, said = _bins_and_labels(*here, leading, columns, bins, len(keys))
        if maps is None:
            raise ValueError(_no_stack(file, shape, mask is not None))
        notes += said
        count = len(keys) if axis is None else leading[axis]
        if bins and count != len(bins):
            raise ValueError(
                f"{len(bins)} redshifts are given for bins (--bins, bins=), and {file.name} has {shape}, with {count} "
                f"bins; give one for each"
            )
        if mask is not None and mask.ndim == 3 and len(mask) != count:
            raise ValueError(f"there are {len(mask)} masks for {count} bins; give one mask (ny, nx), or one for each")
        scale = _pixel_scale(arrays, array, [file.name, *(one.name for one in beside)], pixel_scale, notes)
        known_z = told_redshifts(arrays, array)
        redshifts = settled_redshifts(known_z, count, bins, source_redshift, relabel_redshift, file)
        one = Stacked(file, keys[0], maps, (int(ny), int(nx)), flat, mask, invalid, None, constant)
        sources = [
            replace(
                one, key=keys[b if axis is None else 0], bin=None if axis is None else (axis, b),
                mask=mask[b] if mask is not None and mask.ndim == 3 else mask,
            )
            for b in range(count)
        ]  # fmt: skip
        known = {**FAIR_RANGES, **(ranges or {})} if any(FAIR in note for note in notes) else ranges
        told = [_table(one, values, z, known) for one, z in zip(sources, redshifts, strict=True)]
        what = f"{'pixels inside a mask' if flat else 'whole maps'}, {array.dtype}"
        size = f"{' × '.join(map(str, maps))} maps of {ny} × {nx} pixels"
        in_bins = "" if count == 1 else f" in {count} redshift bins"
        if count > 1:
            at = ", ".join("unknown" if math.isnan(z) else f"{z:g}" for z in redshifts)
            by = "arrays of their own" if axis is None else f"axis {axis} of {shape}"
            notes.insert(0, f"redshift bins by {by}, sources at z = {at}")
        notes.insert(0, f"layout stack: {size}{in_bins} in {file.name}, {what}")
        return Stack(sources, [table for table, _ in told], scale, notes, told[0][1])


def _no_stack(file: Path, shape: tuple[int, ...], masked: bool) -> str:
    hint = "" if masked else "; if its last axis is the pixels inside a mask, give --training-mask (mask=)"
    return (
        f"{file.name} has the shape {shape}; a stack is (maps, ny, nx) or (cosmologies, realisations, ny, nx), with "
        "one axis more for redshift bins if there are labels for the others, or their redshifts are given as --bins "
        f"(bins=), or with one axis of pixels inside a mask{hint}"
    )


def _bins_and_labels(
    file: Path, arrays: Mapping[str, Any], array: Any, beside: Sequence[Path], leading: tuple[int, ...], columns: Any,
    bins: Sequence[float], keys: int,
) -> tuple[tuple[int, ...] | None, int | None, dict[str, Array], list[str]]:  # fmt: skip
    """Axes of maps, the axis of bins if there is one, and the labels: as these have it, else as was told.

    No axes where it cannot be: there are neither labels nor redshifts of bins for so many of them.
    """
    last = len(leading) - 1
    ways: list[tuple[tuple[int, ...], int | None]] = []
    if len(leading) <= 2 and (keys > 1 or not bins):
        ways.append((leading, None))
    if len(leading) >= 2 and keys == 1:
        told = [axis for axis in (last, 0) if not bins or leading[axis] == len(bins)] or [last]
        ways += [((*leading[:axis], *leading[axis + 1 :]), axis) for axis in told if len(leading) <= 3]
    notes: list[str] = []
    redshifts = told_redshifts(arrays, array)
    for maps, axis in ways:
        values, notes = _labels(arrays, beside, maps, columns, file)
        if values:
            if axis is not None and not bins and (redshifts is None or redshifts.shape != (leading[axis],)):
                raise ValueError(
                    f"{file.name} has the shape {tuple(array.shape)}, and labels for all axes in front of the pixels "
                    f"but axis {axis}, of {leading[axis]}. If these are redshift bins, give their redshifts as --bins "
                    "(bins=), or as an array z_s beside the maps; if they are realisations, give every map its labels, "
                    f"as numpy.repeat(labels[:, None], {leading[axis]}, axis=1) makes them"
                )
            return maps, axis, values, notes
    if isinstance(columns, Mapping) and ways:
        raise ValueError(f"{file} has no column {next(iter(columns.values()))!r}; it has none")
    if not ways or (ways[0][1] is not None and not bins):
        return None, None, {}, notes
    return (*ways[0], {}, notes)


def _roles(path: Path, folder: Path, pattern: str | None) -> tuple[Path, list[Path]]:
    """The stack, and what else lies beside it: arrays and tables of labels, masks."""
    there = sorted(item for item in folder.iterdir() if not item.name.startswith("."))
    others = [item for item in there if item.name.lower().endswith((*ENDINGS, ".csv"))]
    helping = [item for item in others if LABELS.search(item.name) or _MASK.search(item.name) or item.suffix == ".csv"]
    if path != folder:
        return path, [item for item in helping if item != path]
    stacks = [item for item in others if item not in helping and fnmatch.fnmatch(item.name, pattern or "*")]
    if len(stacks) != 1:
        names = ", ".join(item.name for item in stacks) or "none"
        matching = "" if pattern is None else f" that match {pattern!r} (--pattern)"
        raise ValueError(
            f"{folder} must hold one stack of maps beside labels and mask, but these are stacks{matching}: {names}; "
            "pass the path of one"
        )
    return stacks[0], helping


def _mask_there(arrays: dict[str, Any], beside: Sequence[Path]) -> tuple[Mask | None, list[str]]:
    for name in [name for name in arrays if _MASK.search(name)]:
        return _checked_mask(np.asarray(arrays.pop(name)), name), [f"mask by its array {name!r}"]
    for place in (place for place in beside if _MASK.search(place.name) and place.suffix.lower() in (".npy", ".npz")):
        values = np.asarray(next(iter(arrays_of(place).values())))
        if values.ndim in (2, 3) and np.isin(values, (0, 1)).all():
            seen = values.astype(np.bool_)
            return seen, [f"mask {place.name}: {int(seen.sum())} of {seen.size} pixels observed"]
    return None, []


def _checked_mask(values: AnyArray, name: str) -> Mask:
    if values.ndim not in (2, 3) or not np.isin(values, (0, 1)).all():
        raise ValueError(
            f"the mask {name!r} has the shape {values.shape}, or holds something else than 0 and 1; give (ny, nx), 1 "
            "where observed, or call it otherwise"
        )
    return values.astype(np.bool_)


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
        if (
            name not in (*REDSHIFT_NAMES, *SCALE_NAMES)
            and tuple(array.shape) == leading
            and getattr(array, "dtype", np.dtype("O")).kind in "fiu"
        ):
            found[name.rpartition("/")[2]] = np.asarray(array, np.float64).reshape(count)
    if found:
        where.append(f"arrays of {file.name}")
    cubes: list[tuple[str, Any]] = [(name, array) for name, array in arrays.items() if LABELS.search(name)]
    for place in beside:
        if place.suffix.lower() in (".npy", ".npz") and LABELS.search(place.name):
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
    if isinstance(columns, Mapping) and found:
        if missing := [label for label in columns.values() if label not in found]:
            raise ValueError(f"{file} has no column {missing[0]!r}; it has {', '.join(found)}")
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
        notes.append(f"{FAIR}: {', '.join(FAIR_LABELS)}")
        return list(FAIR_LABELS)
    raise ValueError(
        f"{name} has {width} columns of labels without names: give them in their order, as --columns "
        f"{','.join([*list(RANGES)[:2], '-'])} (columns=), - for one to be left out; the first row is "
        f"{' '.join(f'{x:g}' for x in rows[0])}"
    )


def _pixel_scale(
    arrays: Mapping[str, Any], array: Any, names: Sequence[str], given: float | None, notes: list[str]
) -> float:
    if given is not None:
        return given
    scale, how = told_scale(arrays, array, names)
    if scale > 0:
        notes.append(f"{scale:g} arcmin per pixel, {how}")
        return scale
    raise ValueError(f"nothing tells the pixel scale of {names[0]}: give --pixel-scale (pixel_scale=), in arcmin")


def _table(
    source: Stacked, values: Mapping[str, Array], z: float, ranges: Ranges | None
) -> tuple[QTable, dict[int, str]]:
    """The table of the maps, and the rows of those that have a label outside its range, or none."""
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
    return table, problems


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
