"""OME-Zarr: the finest level of an image, its planes read one at a time with zarr.

Metadata are those of OME-NGFF 0.1 to 0.5: axes with units, the scale of the finest level, and labels of channels. A
store that bioformats2raw has written holds images as series.
"""

import math
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from awd_cme.movies.metadata import NOTHING, Metadata, in_micrometres, in_seconds
from awd_cme.movies.planes import Planes
from awd_cme.movies.units import Fact
from awd_core.files import parse_json
from awd_core.typing import AnyArray

_FILES = ("zarr.json", ".zattrs", ".zgroup")


def is_zarr(path: Path) -> bool:
    """Whether a folder is a Zarr store of images, by its name and what lies in it."""
    return path.suffix.lower() == ".zarr" and any((path / name).is_file() for name in _FILES)


def open_ome_zarr(path: Path, series: int | None) -> Planes:
    """Find the planes of an image; no pixel is read.

    Raises
    ------
    ValueError
        If it holds no OME-Zarr image, several and none is named, or axes that a movie has not.
    """
    from awd_core.files import read_array  # which knows tensors, and takes a second to load

    attributes = _attributes(path)
    inside = ""
    if "bioformats2raw.layout" in attributes or "multiscales" not in attributes:
        images = sorted(
            (p.name for p in path.iterdir() if p.name.isdigit() and "multiscales" in _attributes(p)), key=int
        )
        if not images:
            raise ValueError(f"{path} is a Zarr store without an image of OME-Zarr (multiscales)")
        if series is None and len(images) > 1:
            raise ValueError(
                f"{path} holds {len(images)} series of images; say which by series=0 and so on (--series 0)"
            )
        if not 0 <= (series or 0) < len(images):
            raise ValueError(f"series is {series}, but {path} holds {len(images)}, counted from 0")
        inside = f"{images[series or 0]}/"
        attributes = _attributes(path / inside)
    elif series not in (None, 0):
        raise ValueError(f"series is {series}, but {path} holds one image")
    image = attributes["multiscales"][0]
    level = image["datasets"][0]
    place = PurePosixPath(str(level["path"]))
    if place.is_absolute() or ".." in place.parts:
        raise ValueError(
            f"{path} says that its pixels lie in {level['path']!r}, outside the store, which is not followed"
        )
    array: Any = read_array(f"{path}:{inside}{place}")
    axes = [
        axis if isinstance(axis, dict) else {"name": axis}
        for axis in image.get("axes", list("tczyx")[-len(array.shape) :])
    ]
    letters = "".join(str(axis["name"]).upper() for axis in axes)
    if len(letters) != len(array.shape) or not letters.endswith("YX") or set(letters) - set("TCZYX"):
        raise ValueError(
            f"{path} has the axes {letters} of the shape {tuple(array.shape)}; a movie needs T, C, Z and YX"
        )
    sizes = tuple(int(size) for size in array.shape[:-2])
    height, width = (int(size) for size in array.shape[-2:])
    scale = next(
        (one["scale"] for one in level.get("coordinateTransformations", []) if one.get("type") == "scale"), None
    )
    metadata = Metadata(
        _scaled(axes, scale, letters, "T"), _scaled(axes, scale, letters, "X"), _labels(attributes, letters, sizes)
    )
    dtype = np.dtype(array.dtype).newbyteorder("=")
    if dtype.kind not in "iuf":
        raise ValueError(f"the pixels of {path} have the type {dtype}; a movie needs integers or floats")
    return Planes(
        path, letters[:-2], sizes, height, width, dtype, _ZarrPlanes(array, sizes, dtype), metadata, "OME-Zarr",
        (str(path.absolute()),),
    )  # fmt: skip


def _attributes(path: Path) -> dict[str, Any]:
    """What a group says of itself, in Zarr 2 or 3."""
    for name in ("zarr.json", ".zattrs"):
        if (path / name).is_file():
            held = parse_json((path / name).read_bytes())
            held = held.get("attributes", {}) if name == "zarr.json" else held
            return dict(held.get("ome", held))
    return {}


def _scaled(axes: Sequence[Mapping[str, Any]], scale: list[float] | None, letters: str, axis: str) -> Fact:
    unknown = NOTHING.seconds_per_frame if axis == "T" else NOTHING.micrometres_per_pixel
    if axis not in letters or scale is None:
        return unknown
    place = letters.index(axis)
    unit, value = axes[place].get("unit"), float(scale[place])
    # Without a unit, 1 is what is written where nothing is known.
    if (unit is None and value == 1) or not (math.isfinite(value) and value > 0):
        return unknown
    where = f"scale of the axis {axis.lower()} in the OME-Zarr metadata"
    return in_seconds(value, unit or "s", where) if axis == "T" else in_micrometres(value, unit or "µm", where)


def _labels(attributes: Mapping[str, Any], letters: str, sizes: tuple[int, ...]) -> Fact:
    names = tuple(str(one.get("label", "")) for one in (attributes.get("omero") or {}).get("channels", []))
    count = sizes[letters.index("C")] if "C" in letters else 1
    if len(names) == count and all(names) and len(set(names)) == count:
        return Fact(names, "labels of the channels in the OME-Zarr metadata")
    return NOTHING.channels


class _ZarrPlanes:
    """Planes of a Zarr array, by their numbers; a plane brings in the chunks that it lies in."""

    def __init__(self, array: Any, sizes: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self._array, self._sizes, self._dtype = array, sizes, dtype
        self._lock = threading.Lock()

    def __call__(self, plane: int) -> AnyArray:
        place = tuple(int(k) for k in np.unravel_index(plane, self._sizes)) if self._sizes else ()
        with self._lock:
            return np.ascontiguousarray(self._array[place], dtype=self._dtype)
