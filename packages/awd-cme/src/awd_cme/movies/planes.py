"""The planes of one TIFF file, read one at a time.

Where the pixels of a plane lie in the file as they are (no compression), only their offsets are kept, and a plane is
read by itself from there; the file is not open in between. So are ImageJ's files above 4 GB and MetaMorph's stacks,
which have one page for all planes. Other files are decoded page by page with tifffile.
"""

import logging
import math
import os
import re
import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from awd_cme.movies.file_sets import UNREADABLE, files_of_pages, named_files
from awd_cme.movies.metadata import Metadata, read_metadata
from awd_core.checks import warn
from awd_core.files import in_words
from awd_core.typing import AnyArray, Rows

# What tifffile logs where it goes on with the part of a file that it can read.
_DAMAGE = re.compile(
    "corrupted|raised TiffFileError|invalid page offset|suspicious number of tags|[Mm]issing data|missing .* frames"
)


MOST_MESSAGES = 50
"""Of one file: no sound one has so many that tifffile wonders about."""


@dataclass(frozen=True)
class Planes:
    """The planes of a file.

    Attributes
    ----------
    path : Path
        The file.
    axes : str
        A letter for each axis of the planes, as the file says: T time, C channel, Z depth, S sample of a pixel; others,
        such as I and Q, where the file does not say what they are. Y and X are left out.
    sizes : tuple of int
        Length of each of these axes.
    height, width : int
        Pixels of a plane.
    dtype : dtype
        Type of a pixel, in the machine's byte order.
    read : callable
        Given the number of a plane, in C order of `sizes`, the array (height, width).
    metadata : Metadata
        What the file says about itself.
    kind : str
        Name of the format, such as "ome", "imagej", "stk".
    files : tuple of str
        All files that the pixels come from, this one first.
    """

    path: Path
    axes: str
    sizes: tuple[int, ...]
    height: int
    width: int
    dtype: np.dtype[Any]
    read: Callable[[int], AnyArray]
    metadata: Metadata
    kind: str
    files: tuple[str, ...]

    @property
    def count(self) -> int:
        """Number of planes."""
        return math.prod(self.sizes)


def open_planes(path: str | os.PathLike[str], *, series: int | None = None) -> Planes:
    """Find the planes of a TIFF file; no pixel is read.

    Parameters
    ----------
    path : str or path
        A TIFF file of any kind that tifffile knows.
    series : int, optional
        Which one, where the file holds several series of images, such as positions of the stage.

    Returns
    -------
    Planes

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no TIFF file, is truncated or damaged, holds images of several shapes, or pixels that are no numbers;
        if it names files outside its folder.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    said: list[str] = []
    _check_chain(path)
    try:
        with _listening(said), tifffile.TiffFile(path) as tif:
            planes, left = _found(tif, path, series)
    except tifffile.TiffFileError as error:
        if "not a TIFF file" in str(error):
            with path.open("rb") as file:
                raise ValueError(f"{path} is not a TIFF file: it begins with {file.read(8)!r}") from error
        raise _damaged(path, str(error)) from error
    except (ValueError, OSError) as error:
        if path.name in str(error):
            raise
        raise _damaged(path, in_words(error)) from error
    except UNREADABLE as error:
        raise _damaged(path, in_words(error)) from error
    if damage := [message for message in said if _DAMAGE.search(message)]:
        raise _damaged(path, re.sub(r"^<[^>]*>\s*", "", damage[0]))
    if left > 0:
        warn(
            f"{path} has room for {left} more images than its pages tell of: it may be damaged, and what it says of "
            "itself lost"
        )
    return planes


def _check_chain(path: Path) -> None:
    """Refuse a file whose directories lead back to an earlier one: tifffile would follow them for ever."""
    with path.open("rb") as file:
        head = file.read(16)
        order = {b"II": "<", b"MM": ">"}.get(head[:2], "")
        kind = struct.unpack(f"{order}H", head[2:4])[0] if order and len(head) == 16 else 0
        if kind not in (42, 43):
            return
        count, entry, word = ("H", 12, "I") if kind == 42 else ("Q", 20, "Q")
        at, seen = struct.unpack_from(f"{order}{word}", head, 4 if kind == 42 else 8)[0], set[int]()
        while at:
            if at in seen:
                raise _damaged(path, f"its directory at byte {at} comes again behind {len(seen)} others")
            seen.add(at)
            file.seek(at)
            tags = file.read(struct.calcsize(count))
            if len(tags) < struct.calcsize(count):
                return  # what is wrong with the last one is told when it is read
            file.seek(entry * struct.unpack(f"{order}{count}", tags)[0], os.SEEK_CUR)
            following = file.read(struct.calcsize(word))
            if len(following) < struct.calcsize(word):
                return
            at = struct.unpack(f"{order}{word}", following)[0]


def _damaged(path: Path, what: str) -> ValueError:
    return ValueError(f"{path} is truncated or damaged ({what}); copy it again, or export it anew")


@contextmanager
def _listening(said: list[str]) -> Iterator[None]:
    """Collect what tifffile logs in this thread; it would be lost on the screen of a long run."""
    here = threading.get_ident()

    def heard(record: logging.LogRecord) -> bool:
        if record.thread == here:
            said.append(record.getMessage())
            if len(said) > MOST_MESSAGES:  # it would follow a chain of what is no page to its end
                raise ValueError(said[0])
            return False
        return True

    logger = logging.getLogger("tifffile")
    logger.addFilter(heard)
    try:
        yield
    finally:
        logger.removeFilter(heard)


def _found(tif: tifffile.TiffFile, path: Path, series: int | None) -> tuple[Planes, int]:
    named = named_files(tif, path).files  # before tifffile opens them
    found = list(tif.series)
    if not found:
        raise _damaged(path, "it holds no image")
    if series is None and len(found) > 1:
        shapes = ", ".join(f"{k}: {one.axes} {one.shape}" for k, one in enumerate(found[:8]))
        raise ValueError(
            f"{path} holds {len(found)} series of images ({shapes}), a movie is one with frames of one shape; "
            "say which by series=0 and so on (--series 0)"
        )
    number = series or 0
    if not 0 <= number < len(found):
        raise ValueError(f"series is {series}, but {path} holds {len(found)}, counted from 0")
    one = found[number]
    axes, shape = one.get_axes(squeeze=False), one.get_shape(squeeze=False)
    # tifffile falls back to the bare pages where the metadata do not fit them; other kinds may lie in OME files, too.
    if (tif.is_imagej or tif.is_ome) and one.kind in ("generic", "uniform"):
        if other := re.search(r'BinaryOnly[^>]*MetadataFile="([^"]+)"', tif.ome_metadata or ""):
            raise ValueError(f"the metadata of {path} lie in {other[1]}, which the movie begins with; open that file")
        kind = "ImageJ" if tif.is_imagej else "OME"
        raise _damaged(path, f"its {kind} metadata do not fit the images that it holds")
    if "Y" not in axes or axes.index("X") != axes.index("Y") + 1 or axes[axes.index("X") + 1 :] not in ("", "S"):
        raise ValueError(
            f"{path} has the axes {axes} of the shape {shape}; a movie needs planes of Y rows and X columns"
        )
    at = axes.index("Y")
    height, width, samples = shape[at], shape[at + 1], math.prod(shape[at + 2 :])
    dtype = np.dtype(one.dtype)
    if dtype.kind not in "iuf":
        raise ValueError(f"the pixels of {path} have the type {dtype}; a movie needs integers or floats")
    sizes = (*shape[:at], *shape[at + 2 :])
    count = math.prod(sizes)
    images = (tif.imagej_metadata or {}).get("images", count) if one.kind == "imagej" else count
    if images != count * samples and images != count:
        raise _damaged(path, f"its ImageJ metadata tell of {images} images and of {count} in their axes")
    offsets = None if samples > 1 else _offsets(one, count, height * width * dtype.itemsize)
    read: Callable[[int], AnyArray]
    if offsets is not None:
        _check_whole(offsets, height * width * dtype.itemsize)
        for file, places in offsets:
            _check_apart(Path(file), places, np.full(len(places), height * width * dtype.itemsize))
        read = _RawPlanes(offsets, (height, width), dtype.newbyteorder("<" if tif.byteorder == "<" else ">"))
    else:
        pages = [page for page in one.pages if page is not None]
        if not pages or count % len(pages) or len(pages) != len(one.pages):
            raise _damaged(path, f"it holds {len(pages)} pages for {count} images")
        _check_decodable(pages[0], path)
        segments = [pair for p in pages for pair in zip(p.dataoffsets, p.databytecounts, strict=True)]
        if segments and not one.is_multifile:
            _check_apart(path, *np.array(segments, dtype=np.int64).T)
        ends = [max(map(sum, zip(p.dataoffsets, p.databytecounts, strict=True)), default=0) for p in pages]
        if max(ends) > (size := pages[0].parent.filehandle.size) and not one.is_multifile:
            raise _damaged(path, f"its pixels would end at byte {max(ends)}, but it has {size}")
        read = _Pages(path, number, count // len(pages), (height, width, samples), count == 1)
    left = _left(tif, one, height * width * samples * dtype.itemsize)
    rest = axes[:at] + axes[at + 2 :]
    held = [*named, *files_of_pages((page for page in one.pages if page is not None), path)]
    files = tuple(dict.fromkeys(str(file.absolute()) for file in held))
    planes = Planes(path, rest, sizes, height, width, dtype, read, read_metadata(tif, number), one.kind, files)
    return planes, left


def _offsets(series: tifffile.TiffPageSeries, count: int, size: int) -> list[tuple[str, Rows]] | None:
    """Where the pixels of the planes lie, in runs of planes of one file; None where they must be decoded."""
    if not series.keyframe.is_final:
        return None
    if series.dataoffset is not None:
        path = str(series.keyframe.parent.filehandle.path)
        return [(path, series.dataoffset + size * np.arange(count, dtype=np.int64))]
    if series.is_truncated:
        return None
    runs: list[tuple[str, list[int]]] = []
    for page in series.pages:
        if page is None or not page.is_contiguous or not page.dataoffsets:
            return None
        path = str(page.parent.filehandle.path)
        if not runs or runs[-1][0] != path:
            runs.append((path, []))
        runs[-1][1].append(page.dataoffsets[0])
    if sum(len(offsets) for _, offsets in runs) != count:
        return None
    return [(path, np.array(offsets, dtype=np.int64)) for path, offsets in runs]


def _check_whole(runs: list[tuple[str, Rows]], size: int) -> None:
    for path, offsets in runs:
        held = Path(path).stat().st_size
        if (missing := int((offsets + size > held).sum())) > 0:
            raise _damaged(
                Path(path), f"the last {missing} of {len(offsets)} images lie beyond its end, at byte {held}"
            )


def _check_apart(path: Path, starts: Rows, sizes: Rows) -> None:
    """Refuse pixels that begin within others: of the same place, two images may be."""
    order = np.lexsort((sizes, starts))
    starts, sizes = starts[order], sizes[order]
    within = (starts[1:] > starts[:-1]) & (starts[1:] < starts[:-1] + sizes[:-1])
    if within.any():
        raise _damaged(path, f"its pixels at byte {starts[1:][within][0]} begin within others")


def _check_decodable(page: Any, path: Path) -> None:
    try:
        _ = tifffile.TIFF.DECOMPRESSORS[page.compression]
    except KeyError as error:
        raise ValueError(
            f"the pixels of {path} are compressed with {page.compression.name}, which cannot be decoded here; install "
            "imagecodecs, or save the movie without compression"
        ) from error


def _left(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries, size: int) -> int:
    """Images for which a file has room beyond those that it tells of, where nothing but its pages tells of them."""
    if series.kind not in ("generic", "uniform") or series.keyframe.compression != 1:
        return 0
    pages = [page for page in tif.pages if page is not None]
    # What a page says of itself: 20 bytes for each tag, and the values that have no room there.
    said = sum(20 + tag.valuebytecount for tag in tif.pages.first.tags.values()) + 24
    known = sum(sum(page.databytecounts) for page in pages) + len(pages) * said
    return int((tif.filehandle.size - known) // size)


class _RawPlanes:
    """Planes read from their places in uncompressed files. It can be sent to other processes and shared by threads."""

    def __init__(self, runs: list[tuple[str, Rows]], shape: tuple[int, int], dtype: Any) -> None:
        self._runs = runs
        self._ends = np.cumsum([len(offsets) for _, offsets in runs])
        self._shape = shape
        self._dtype = dtype

    def __call__(self, plane: int) -> AnyArray:
        run = int(np.searchsorted(self._ends, plane, side="right"))
        path, offsets = self._runs[run]
        pixels = math.prod(self._shape)
        offset = int(offsets[plane - (int(self._ends[run - 1]) if run else 0)])
        values = np.fromfile(path, self._dtype, pixels, offset=offset)
        if len(values) != pixels:
            raise OSError(f"{path} has become shorter since it was opened: plane {plane} cannot be read any more")
        return values.reshape(self._shape).astype(self._dtype.newbyteorder("="), copy=False)


class _Pages:
    """Planes decoded from the pages of a file, which are found once and read under a lock."""

    def __init__(self, path: Path, series: int, per_page: int, shape: tuple[int, int, int], single: bool) -> None:
        self._arguments = (path, series, per_page, shape, single)
        self._tif: tifffile.TiffFile | None = None
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[type["_Pages"], tuple[Any, ...]]:
        return type(self), self._arguments

    def __call__(self, plane: int) -> AnyArray:
        path, _, per_page, (height, width, samples), single = self._arguments
        page, rest = divmod(plane, per_page)
        with self._lock:
            try:
                values = self._decoded(page).reshape(per_page // samples, height, width, samples)
            except MemoryError as error:
                raise ValueError(f"{path}: page {page} needs more memory than there is ({error})") from error
            except (ValueError, RuntimeError, zlib.error, *UNREADABLE) as error:
                raise _damaged(path, f"page {page} cannot be decoded: {in_words(error)}") from error
            if single and self._tif is not None:
                # A movie of one file a frame would keep thousands of them.
                self._tif = None
        image = values[rest // samples, :, :, rest % samples]
        return np.ascontiguousarray(image, dtype=image.dtype.newbyteorder("="))

    def _decoded(self, page: int) -> AnyArray:
        path, series = self._arguments[:2]
        if self._tif is None:
            with tifffile.TiffFile(path) as tif:
                named_files(tif, path)  # it may be another file by now
                _ = tif.series[series].keyframe
            self._tif = tif
        self._tif.filehandle.open()
        try:
            found: Any = self._tif.series[series].pages[page]
            if (handle := found.parent.filehandle) is self._tif.filehandle:
                return np.asarray(found.asarray())
            handle.open()  # OME-TIFF of several files
            try:
                return np.asarray(found.asarray())
            finally:
                handle.close()
        finally:
            self._tif.filehandle.close()
