"""Movies of microscopes' own formats: ND2 of Nikon, CZI of Zeiss, LIF of Leica, a plane at a time.

Each is read by one library, an extra of the package: `nd2`, the one that is kept up for ND2; `pylibCZIrw`, Zeiss' own,
for CZI; `liffile` for LIF. None of them needs Java or Dask, all have wheels and licences that let anybody use them.
"""

import importlib
import struct
import threading
import weakref
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from awd_cme.movies.metadata import NOTHING, Metadata, interval_of_times
from awd_cme.movies.planes import Planes
from awd_cme.movies.units import Fact
from awd_core.files import refuse_entities
from awd_core.typing import AnyArray

LIBRARIES = {".nd2": "nd2", ".czi": "pylibCZIrw", ".lif": "liffile"}
"""Which library reads files of an ending."""


def is_vendors(path: Path) -> bool:
    """Whether a file is a movie of such a format, by its name."""
    return path.suffix.lower() in LIBRARIES and not path.name.startswith(".")


def open_vendors(path: Path, series: int | None) -> Planes:
    """Find the planes of a movie; no pixel is read.

    Parameters
    ----------
    path : Path
        The file.
    series : int, optional
        Which position or image, where there are several.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ImportError
        If the library is not installed.
    ValueError
        If the file is damaged, or holds several movies and none is named.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    ending = path.suffix.lower()
    name = LIBRARIES[ending]
    try:
        library = importlib.import_module("pylibCZIrw.czi" if name == "pylibCZIrw" else name)
    except ImportError as error:
        raise ImportError(
            f"{path} is read by {name}, which is not installed: pip install 'awd-cme[{ending[1:]}]', or export it "
            "as OME-TIFF"
        ) from error
    how: Callable[[Any, Path, int | None], Planes] = {".nd2": _nd2, ".czi": _czi, ".lif": _lif}[ending]
    file = None
    try:
        file = _opened(library, path)
        planes = how(file, path, series)
        weakref.finalize(planes.read, file.close)
        return planes
    except (ValueError, OSError, RuntimeError, KeyError, IndexError, struct.error, ET.ParseError) as error:
        if file is not None:
            file.close()
        if file is not None and str(path) in str(error):
            raise
        raise ValueError(f"{path} is truncated or damaged ({error}); copy it again, or export it anew") from error


def _opened(library: Any, path: Path) -> Any:
    """The file as its library has it."""
    if path.suffix.lower() == ".nd2":
        return library.ND2File(path)
    return library.CziReader(str(path)) if path.suffix.lower() == ".czi" else library.LifFile(path, squeeze=False)


def _one_of(path: Path, series: int | None, count: int, what: str) -> int:
    if series is None and count > 1:
        raise ValueError(f"{path} holds {count} {what}; say which by series=0 and so on (--series 0)")
    if not 0 <= (series or 0) < count:
        raise ValueError(f"series is {series}, but {path} holds {count} {what}, counted from 0")
    return series or 0


def _planes(
    path: Path, axes: str, sizes: Sequence[int], image: AnyArray, read: Callable[[int], AnyArray], metadata: Metadata
) -> Planes:
    """Planes that look like the first one."""
    dtype = image.dtype.newbyteorder("=")
    if image.ndim != 2 or dtype.kind not in "iuf":
        raise ValueError(
            f"the images of {path} have the shape {image.shape} and the type {dtype}; a movie needs grey values"
        )
    kind = path.suffix[1:].upper()
    return Planes(
        path, axes, tuple(sizes), image.shape[0], image.shape[1], dtype, _Locked(read, dtype), metadata, kind,
        (str(path.absolute()),),
    )  # fmt: skip


class _Locked:
    """Planes read one at a time, since the libraries share a file among threads."""

    def __init__(self, read: Callable[[int], AnyArray], dtype: np.dtype[Any]) -> None:
        self._read, self._dtype, self._lock = read, dtype, threading.Lock()

    def __call__(self, plane: int) -> AnyArray:
        with self._lock:
            return np.ascontiguousarray(self._read(plane), dtype=self._dtype)


def _names(names: Sequence[str], count: int, where: str) -> Fact:
    known = len(names) == count and all(names) and len(set(names)) == count
    return Fact(tuple(names), f"names of the channels in the {where} metadata") if known else NOTHING.channels


def _size(micrometres: float, where: str) -> Fact:
    return (
        Fact(micrometres, f"size of a pixel in the {where} metadata")
        if micrometres > 0
        else NOTHING.micrometres_per_pixel
    )


def _nd2(file: Any, path: Path, series: int | None) -> Planes:
    sizes = {str(axis): int(size) for axis, size in file.sizes.items()}
    if "S" in sizes or set(sizes) - set("TPZCYX"):
        raise ValueError(f"{path} has the axes {sizes}; a movie needs T, C, Z, Y and X")
    position = _one_of(path, series, sizes.get("P", 1), "positions of the stage")
    places = {(k.get("T", 0), k.get("Z", 0)): n for n, k in enumerate(file.loop_indices) if k.get("P", 0) == position}
    times, depths, channels = (sizes.get(axis, 1) for axis in "TZC")
    numbers = [places[t, z] for t in range(times) for z in range(depths)]

    def read(plane: int) -> AnyArray:
        frame = np.asarray(file.read_frame(numbers[plane // channels]))
        return frame[plane % channels] if frame.ndim == 3 else frame

    seconds = [float(file.frame_metadata(places[t, 0]).channels[0].time.relativeTimeMs) / 1000 for t in range(times)]
    metadata = Metadata(
        interval_of_times(seconds, "times of the frames in the ND2 metadata"),
        _size(float(file.voxel_size().x), "ND2"),
        _names([str(one.channel.name) for one in file.metadata.channels or []], channels, "ND2"),
    )
    return _planes(path, "TZC", (times, depths, channels), read(0), read, metadata)


def _czi(file: Any, path: Path, series: int | None) -> Planes:
    box = file.total_bounding_box
    scenes = sorted(file.scenes_bounding_rectangle)
    scene = scenes[_one_of(path, series, len(scenes), "scenes")] if scenes else None
    first = {axis: int(box[axis][0]) for axis in "TZC" if axis in box}
    sizes = tuple(int(box[axis][1] - box[axis][0]) if axis in box else 1 for axis in "TZC")

    def read(plane: int) -> AnyArray:
        place = dict(zip("TZC", map(int, np.unravel_index(plane, sizes)), strict=True))
        image = np.asarray(file.read(plane={axis: place[axis] + first[axis] for axis in first}, scene=scene))
        return image[..., 0] if image.shape[-1] == 1 else image

    refuse_entities(file.raw_metadata, path)
    told = ET.fromstring(file.raw_metadata)  # noqa: S314 - expat fetches nothing
    distance = told.find(".//Scaling/Items/Distance[@Id='X']/Value")
    size = float(distance.text or "nan") * 1e6 if distance is not None else float("nan")
    names = [one.attrib.get("Name", "") for one in told.findall(".//Information/Image/Dimensions/Channels/Channel")]
    seconds = interval_of_times(_stamps(path)[: sizes[0]], "time stamps in the CZI file")
    step = told.find(".//Information/Image/Dimensions/T/Positions/Interval/Increment")
    if seconds.value is None and step is not None and float(step.text or 0) > 0:
        seconds = Fact(float(step.text or 0), "interval in the CZI metadata")
    return _planes(
        path, "TZC", sizes, read(0), read, Metadata(seconds, _size(size, "CZI"), _names(names, sizes[2], "CZI"))
    )


def _stamps(path: Path) -> AnyArray:
    """Seconds of the frames, which a CZI file attaches by themselves; none where it does not."""
    with path.open("rb") as file:

        def segment(at: int, size: int) -> bytes:
            file.seek(at + 32)  # behind its name and lengths
            return file.read(size)

        directory = struct.unpack_from("<q", segment(0, 80), 72)[0]
        if directory <= 0:
            return np.empty(0)
        count = struct.unpack_from("<i", segment(directory, 4))[0]
        entries = segment(directory, 256 + 128 * count)[256:]
        for entry in (entries[128 * k : 128 * (k + 1)] for k in range(count)):
            if entry[48:128].rstrip(b"\0") == b"TimeStamps":
                held = segment(struct.unpack_from("<q", entry, 12)[0], 264)[256:]
                number = struct.unpack_from("<i", held, 4)[0]
                return np.frombuffer(file.read(8 * number), "<f8")
    return np.empty(0)


def _lif(file: Any, path: Path, series: int | None) -> Planes:
    images = [image for image in file.images if "Y" in image.sizes]
    moving = [image for image in images if image.sizes.get("T", 1) > 1] or images
    chosen = images if series is not None else moving
    image = chosen[_one_of(path, series, len(chosen), f"images ({', '.join(one.name for one in chosen[:5])})")]
    sizes = {str(axis): int(size) for axis, size in image.sizes.items()}
    axes = "".join(axis for axis in sizes if axis not in "YX" and (sizes[axis] > 1 or axis in "TCZ"))
    if set(axes) - set("TCZ"):
        raise ValueError(f"{path} has the axes {sizes}; a movie needs T, C, Z, Y and X")
    lengths = tuple(sizes[axis] for axis in axes)

    def read(plane: int) -> AnyArray:
        place = dict(zip(axes, map(int, np.unravel_index(plane, lengths)), strict=True)) if axes else {}
        return np.asarray(image.frame(**place)).squeeze()

    coords, stamps, frames = image.coords, image.timestamps, sizes.get("T", 1)
    seconds = NOTHING.seconds_per_frame
    if stamps is not None and len(stamps) and len(stamps) % frames == 0:
        each = np.asarray(stamps).reshape(frames, -1)[:, 0] if axes[:1] == "T" else np.asarray(stamps)[:frames]
        seconds = interval_of_times(
            (each - each[0]) / np.timedelta64(1, "ms") / 1000, "time stamps in the LIF metadata"
        )
    if seconds.value is None and "T" in coords:
        seconds = interval_of_times(coords["T"], "times of the frames in the LIF metadata")
    x = coords.get("X", np.empty(0))
    size = float(x[1] - x[0]) * 1e6 if len(x) > 1 else float("nan")
    return _planes(path, axes, lengths, read(0), read, Metadata(seconds, _size(size, "LIF"), NOTHING.channels))
