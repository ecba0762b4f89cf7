"""Observed maps as a saved model wants them: the files that hold some, their pixels and scale, and tiles of them."""

import fnmatch
import math
import os
import warnings
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from awd_core.files import load_npy
from awd_core.typing import AnyArray, Array, Flags
from awd_cosmo.inference.model import Model

LEAST_OBSERVED = 0.8
"""Share of a tile that must have been observed."""
TOGETHER = 256
"""Tiles that are measured, and rows that are looked at, at a time."""
STACKS = (".npy", ".npz", ".h5", ".hdf5", ".zarr")
ENDINGS = (".fits", ".fit", ".fits.gz", ".fit.gz", ".fits.fz", *STACKS)


def map_files(names: Collection[str | os.PathLike[str]], pattern: str | None = None) -> list[Path]:
    """Files of maps: those named, and those in folders that are named, by their endings.

    Files in folders whose names begin with a dot, such as ._map.fits of macOS, are left out, arrays of labels by their
    names, as in training, and those whose names do not match the pattern.

    Raises
    ------
    FileNotFoundError
        If a file or folder is not there, or a folder holds no maps.
    """
    found: list[Path] = []
    for name in names:
        path = Path(name)
        if path.is_dir() and path.suffix.lower() != ".zarr":
            inside = sorted(file for file in path.iterdir() if _is_map(file, pattern))
            if not inside:
                matching = "" if pattern is None else f" and match {pattern!r} (--pattern)"
                raise FileNotFoundError(f"{path} holds no maps; their names end in {', '.join(ENDINGS)}{matching}")
            found += inside
        elif path.exists():
            found.append(path)
        else:
            raise FileNotFoundError(f"there is no file or folder {path}")
    return found


def _is_map(file: Path, pattern: str | None) -> bool:
    name = file.name
    if name.startswith(".") or not name.lower().endswith(ENDINGS):
        return False
    if name.lower().endswith(STACKS):
        from awd_cosmo.maps.stack_arrays import LABELS  # which brings astropy, and maps in memory need none

        if LABELS.search(name):
            return False
    return pattern is None or fnmatch.fnmatch(name, pattern)


def listed_maps(
    names: Collection[str | os.PathLike[str]],
    pattern: str | None,
    seen: Flags | None,
    bins: int = 1,
    key: int | str | None = None,
) -> list[tuple[Path, str, int | None]]:
    """Maps of files and folders, stacks map by map: absolute path, name as it is told, and number within a stack."""
    found: list[tuple[Path, str, int | None]] = []
    for file in map_files(names, pattern):
        place = file.absolute()
        try:
            count = stacked(place, seen, bins, key)
        except ValueError:
            count = None  # it is said where it is read
        if count is None:
            found.append((place, str(file), None))
        else:
            found += [(place, f"{file}[{k}]", k) for k in range(count)]
    return found


def settled(
    name: str, told: tuple[float, float], pixel_scale: float | None, source_redshift: float | None
) -> tuple[float, float | None]:
    """Pixel scale and source redshift of a map: what is given, else what its file tells.

    Raises
    ------
    ValueError
        If nothing tells the scale.
    """
    scale = told[0] if pixel_scale is None else pixel_scale
    if not (math.isfinite(scale) and scale > 0):
        raise ValueError(
            f"{name}: nothing tells its pixel scale (ANGLE, or a WCS); give --pixel-scale (pixel_scale=), in arcmin"
        )
    z = source_redshift if source_redshift is not None else told[1] if math.isfinite(told[1]) else None
    return scale, z


def tiles_of(model: Model, image: Array, scale: float, file: str) -> tuple[list[Array], Array]:
    """Tiles of the sky area of a training map, preprocessed, and how much of each was observed.

    The whole map is preprocessed and then cut, as training maps are: only at the map's own border, and at holes, does
    the smoothing of a tile not see what lies beyond.

    Parameters
    ----------
    model : Model
    image : ndarray, shape (ny, nx)
        NaN where not observed.
    scale : float
        Its arcmin per pixel.
    file : str
        Its name, for messages.

    Returns
    -------
    tiles : list of ndarray, shape (my, mx)
        As `Model.measure` takes them, side by side.
    shares : ndarray, shape (k,)
        Share of the map's own pixels that were observed.

    Raises
    ------
    ValueError
        If the map is smaller than a tile, or has a pixel scale that the model's is no multiple of.
    """
    factor = model.coarser(scale, file)
    ny, nx = (side * factor for side in model.shape)
    if image.shape[0] < ny or image.shape[1] < nx:
        raise ValueError(
            f"{file or 'the map'} has {image.shape[0]} × {image.shape[1]} pixels of {scale:.3g} arcmin; the model was "
            f"trained on maps of {model.shape[0] * model.pixel_scale:.3g} × {model.shape[1] * model.pixel_scale:.3g} "
            f"arcmin, which are {ny} × {nx} such pixels"
        )
    block = factor * model.preprocessing.downsample
    if ny % block or nx % block:
        raise ValueError(
            f"blocks of {model.preprocessing.downsample} pixels do not fill the model's training maps of "
            f"{model.shape[0]} × {model.shape[1]}; train it again"
        )
    # What fills no tile is left at all edges alike.
    top, left = (image.shape[0] % ny) // 2, (image.shape[1] % nx) // 2
    corners = [
        (y, x) for y in range(top, image.shape[0] - ny + 1, ny) for x in range(left, image.shape[1] - nx + 1, nx)
    ]
    shares = np.array([np.isfinite(image[y : y + ny, x : x + nx]).mean() for y, x in corners])
    # Blocks begin where tiles do, so that less than a block is lost at an edge.
    within = image[top % block :, left % block :]
    height, width = (side // block * block for side in within.shape)
    ready = model.prepare(within[:height, :width], pixel_scale=scale)[0]
    return [ready[y // block :, x // block :][: ny // block, : nx // block] for y, x in corners], shares


def measured_tiles(model: Model, image: Array, scale: float, file: str) -> Array:
    """Features of the tiles that were observed well enough, shape (k, F).

    Some are measured at a time: a large map is not held twice.

    Raises
    ------
    ValueError
        As `tiles_of`; or if no tile was observed to `LEAST_OBSERVED`.
    """
    if model.bins > 1:
        tiles, shares = _tiles_of_bins(model, image, scale, file)
    else:
        tiles, shares = tiles_of(model, image, scale, file)
    chosen = np.flatnonzero(shares >= LEAST_OBSERVED)
    if not len(chosen):
        raise ValueError(
            f"{file or 'the map'}: no tile of the size of the training maps was observed to {LEAST_OBSERVED:.0%}; the "
            f"best has {shares.max():.0%}"
        )
    parts = [chosen[start : start + TOGETHER] for start in range(0, len(chosen), TOGETHER)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of missing pixels: the share is told
        return np.concatenate([model.measure(np.stack([tiles[k] for k in part])) for part in parts])


def _tiles_of_bins(model: Model, image: Array, scale: float, file: str) -> tuple[list[Array], Array]:
    """Tiles (bins, my, mx) of a map in several redshift bins, and how much was observed of the bin that has least."""
    found = [tiles_of(model, one, scale, file) for one in image]
    tiles = [np.stack(one) for one in zip(*(tiles for tiles, _ in found), strict=True)]
    return tiles, np.min([shares for _, shares in found], axis=0)


def as_image(kappa: npt.ArrayLike, mask: npt.ArrayLike | None = None, file: str = "", bins: int = 1) -> Array:
    """A map of one's own to work on: NaN where it was not observed, in single precision if it came so.

    Of several redshift bins (bins, ny, nx), whose mask may be one for all.

    Raises
    ------
    ValueError
        If it is no map, or the mask is of another shape.
    """
    image = np.array(_floats(kappa))
    if bins > 1 and image.shape[:-2] != (bins,):
        raise ValueError(
            f"{file or 'the map'} has the shape {image.shape}; the model looks at {bins} redshift bins of a map "
            f"together: give an array ({bins}, ny, nx), or a stack of them"
        )
    if bins == 1 and image.ndim != 2:
        raise ValueError(f"{file or 'the map'} has the shape {image.shape}; one map (ny, nx) is asked for")
    if mask is not None:
        observed = np.asarray(mask)
        if observed.shape not in (image.shape, image.shape[-2:]):
            raise ValueError(f"the mask has the shape {observed.shape} and {file or 'the map'} {image.shape}")
        image[..., ~observed.astype(np.bool_)] = np.nan
    if bins > 1:
        return np.stack([as_image(one) for one in image])
    # HEALPix' UNSEEN, −1.6375e30, is no convergence.
    for start in range(0, len(image), TOGETHER):
        rows = image[start : start + TOGETHER]
        rows[~(np.abs(rows) < 1e10)] = np.nan
    return image


def _floats(values: npt.ArrayLike) -> Array:
    """Floats in the machine's byte order, of single precision if they are, else of double."""
    array = np.asarray(values)
    single = array.dtype.kind == "f" and array.dtype.itemsize == 4
    return np.asarray(array, np.float32 if single else np.float64)


def stacked(file: Path, seen: Flags | None, bins: int = 1, key: int | str | None = None) -> int | None:
    """How many maps an array of a file holds, (n, ny, nx) or (n, pixels inside the mask); None for what is no stack.

    Of several redshift bins, (n, bins, ny, nx) or (n, bins, pixels inside the mask).

    Raises
    ------
    BadMap
        If the file cannot be read, or holds something else than maps.
    """
    if file.suffix.lower() not in STACKS:
        return None
    array = _array(file, seen, key)[0]
    pixels = 1 if _flat(array, seen) else 2
    return int(array.shape[0]) if array.ndim == pixels + 1 + (bins > 1) else None


def _flat(array: AnyArray, seen: Flags | None) -> bool:
    """Whether an array has the pixels inside a mask alone."""
    return seen is not None and array.shape[-2:] != seen.shape and array.shape[-1] == int(seen.sum())


def _array(file: Path, seen: Flags | None, key: int | str | None = None) -> tuple[AnyArray, float]:
    """The array of maps in a file, or of a name in it, and its arcmin per pixel, NaN where nothing tells it."""
    from awd_cosmo.formats.archives import BadMap
    from awd_cosmo.maps.stack_arrays import arrays_of, stack_keys, told_scale

    arrays: Mapping[str, Any] = {}
    if file.suffix.lower() == ".npy":
        try:
            array = load_npy(file, mmap_mode="r")
        except ValueError as error:
            reason = "it is no array of numbers that NumPy has saved, or not all of it; save it again with numpy.save"
            raise BadMap([(str(file), reason)]) from error
    else:
        arrays = {name: one for name, one in arrays_of(file).items() if "mask" not in name.lower()}
        keys = stack_keys(arrays, file, key if isinstance(key, str) else None)
        array = arrays[keys[0]]
        if len(keys) > 1:  # numbered redshift bins
            place = array.ndim - (1 if _flat(array, seen) else 2)
            array = np.stack([np.asarray(arrays[name][...]) for name in keys], axis=place)
        arrays = {name: one for name, one in arrays.items() if name not in keys}
    if not (
        hasattr(array, "ndim") and array.ndim in (2, 3, 4) and array.dtype.kind in "fiub" and math.prod(array.shape)
    ):
        held = f"{array.dtype} of the shape {array.shape}" if hasattr(array, "ndim") else "several arrays"
        reason = (
            f"it holds {held}; give maps of numbers, (ny, nx) or (n, ny, nx), or (n, pixels inside a mask) with --mask"
        )
        raise BadMap([(str(file), reason)])
    return array, told_scale(arrays, array, [file.name])[0]


def read_observed(
    file: Path,
    hdu: int | str | None = None,
    itype: str | None = None,
    number: int | None = None,
    seen: Flags | None = None,
    bins: int = 1,
) -> tuple[Array, float, float]:
    """Convergence, arcmin per pixel and redshift of the sources, NaN where the file does not tell.

    Of a stack the map of that number; its pixels fill those that were seen, where it has no others.

    Raises
    ------
    BadMap
        If the file holds no map; the message names it.
    """
    from awd_cosmo.formats.archives import BadMap

    if file.suffix.lower() in STACKS:
        array, scale = _array(file, seen, hdu)
        values = _floats(array if number is None else array[number])
        if seen is not None and _flat(values, seen):
            whole = np.full((*values.shape[:-1], *seen.shape), np.nan, values.dtype)
            whole[..., seen] = values
            values = whole
        wanted = (bins,) * (bins > 1)
        if values.shape[:-2] != wanted or values.ndim < 2:
            said = f"({bins}, ny, nx), a map in {bins} redshift bins," if wanted else "one map (ny, nx)"
            raise BadMap([(str(file), f"it holds an array of the shape {array.shape}; {said} is asked for")])
        return values, scale, math.nan
    if bins > 1:
        said = f"the model looks at {bins} redshift bins of a map together: give arrays ({bins}, ny, nx) in .npy files"
        raise BadMap([(str(file), said)])
    from awd_cosmo.formats.fits import read_map

    kappa, header = read_map(file, hdu, itype=itype)
    return _floats(kappa), float(header.arcmin_per_pixel), float(header.source_redshift)


def read_mask(file: Path) -> Flags:
    """A mask, True where observed."""
    values, _, _ = read_observed(file, itype="any")
    if not np.isin(values, (0, 1)).all():
        raise ValueError(
            f"{file} is no mask: it must hold 1 where observed and 0 elsewhere, and reaches from {np.min(values):g} to "
            f"{np.max(values):g}; weights become one by a least weight that you choose, as weights > 0.5"
        )
    return values > 0
