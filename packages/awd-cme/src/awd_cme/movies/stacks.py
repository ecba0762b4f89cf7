"""Which planes make up which frame of which channel: files, folders and lists of them brought to (t, c, y, x)."""

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from awd_cme.movies.channel_files import files_of_nd, is_nd, labels_of
from awd_cme.movies.file_names import ENDINGS, folders_in, images_in
from awd_cme.movies.file_sets import movies_in
from awd_cme.movies.metadata import NOTHING
from awd_cme.movies.ome_zarr import is_zarr, open_ome_zarr
from awd_cme.movies.plane_names import grid_of
from awd_cme.movies.planes import Planes, open_planes
from awd_cme.movies.units import Fact
from awd_cme.movies.vendors import is_vendors, open_vendors
from awd_core.checks import is_whole_number
from awd_core.files import named_damage
from awd_core.typing import AnyArray, Rows

Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
Depth = Literal["max", "mean", "sum"] | int | None


@dataclass(frozen=True)
class Stack:
    """Frames of all channels of a file, a folder or a list, as `Movie`, with what is known of them.

    Attributes
    ----------
    path : Path
        The file or folder, the first of a list.
    shape : tuple of int
        (t, c, y, x).
    dtype : dtype
        Of a frame.
    read : callable
        Given t and c, the frame (y, x).
    origin : str
        Where the order of axes came from.
    seconds_per_frame, micrometres_per_pixel, channels : Fact
        Value and origin.
    files : tuple of str
        All files that the frames come from, absolute.
    """

    path: Path
    shape: tuple[int, int, int, int]
    dtype: np.dtype[Any]
    read: Callable[[int, int], AnyArray]
    origin: str
    seconds_per_frame: Fact
    micrometres_per_pixel: Fact
    channels: Fact
    files: tuple[str, ...]


def open_stack(
    path: Paths,
    *,
    axes: str | None,
    channels: tuple[str, ...] | None,
    z: Depth,
    series: int | None,
    join: Literal["C", "T"] | None,
) -> Stack:
    """Frames of a file, a folder or a list; the arguments are those of `awd_cme.movies.open_movie`."""
    if join not in (None, "C", "T"):
        raise ValueError(f"join is {join!r}; a list is joined along 'C', channels, or 'T', time")

    how = _How(axes, z, series)

    if not isinstance(path, (str, os.PathLike)):
        items = [Path(item) for item in path]
        if not items:
            raise ValueError("the list of paths is empty; give at least one file or folder")
        items = _each_set_once(items)
        whole = _joined([_at(item, how, None if len(items) > 1 else channels) for item in items], join)
        labels = labels_of(items)
        if labels is not None and len(labels) == whole.shape[1]:
            return replace(whole, channels=Fact(labels, "the names of the files"))
        return whole
    return _at(Path(path), how, channels)


@dataclass(frozen=True)
class _How:
    """How a file is to be opened."""

    axes: str | None
    z: Depth
    series: int | None

    def file(self, path: Path, channels: tuple[str, ...] | None) -> Stack:
        if is_nd(path):
            return self.listed(path)
        other = open_ome_zarr if is_zarr(path) else open_vendors if is_vendors(path) else None
        with named_damage(path, "a movie"):
            planes = open_planes(path, series=self.series) if other is None else other(path, self.series)
            return _of_file(planes, self.axes, channels, self.z)

    def listed(self, path: Path) -> Stack:
        """The channels of a .nd file of MetaMorph, each in one file or in one for each time."""
        files, origin = files_of_nd(path, self.series)
        own = replace(self, series=None)
        parts = [_in_time([own.file(file, None) for file in times]) for times in files.values()]
        whole = parts[0] if len(parts) == 1 else _side_by_side(parts)
        names = Fact(tuple(files), f"names of the channels in {path.name}")
        known = names if len(files) == whole.shape[1] else whole.channels
        return replace(whole, path=path, origin=origin, channels=known, files=(str(path.absolute()), *whole.files))


def _at(path: Path, how: _How, channels: tuple[str, ...] | None) -> Stack:
    if not path.is_dir() or is_zarr(path):
        return how.file(path, channels)
    files = movies_in(images_in(path))
    if len(files) == 1:
        return how.file(files[0], channels)
    if files:
        # Axes are told of all files together where each is one image.
        alone = how.axes is not None and open_planes(files[0], series=how.series).count == 1
        each = replace(how, axes=None) if alone else how
        images = [each.file(file, None if alone else channels) for file in files]
        if long := [image.path.name for image in images if image.shape[0] > 1]:
            raise ValueError(
                f"{path} holds {len(files)} files, and {len(long)} of them have more than one frame "
                f"({', '.join(long[:3])}): it cannot be told whether they are channels, parts or movies. Give one of "
                "them, call channels so that names tell (cell_w1, cell_w2), or give a list of them with join='C' for "
                "channels or join='T' for parts of time"
            )
        return replace(_of_images(files, images, how if alone else each, channels, alone), path=path)
    folders = [folder for folder in folders_in(path) if images_in(folder)]
    if not folders:
        raise FileNotFoundError(
            f"{path} is a folder without a TIFF file ({', '.join(ENDINGS)}), and so are the folders in it"
        )
    there = [folder.name for folder in folders]
    if channels is not None and set(channels) <= set(there):
        folders = [folders[there.index(name)] for name in channels]
    parts = [_at(folder, how, None) for folder in folders]
    if len(parts) == 1:
        return replace(parts[0], path=path)
    names = Fact(tuple(folder.name for folder in folders), "names of the folders of the channels")
    return replace(_side_by_side(parts), path=path, channels=names)


def _of_images(
    files: list[Path], images: list[Stack], how: _How, channels: tuple[str, ...] | None, told: bool
) -> Stack:
    """Single images in their places; those that hold several channels by themselves are in time."""
    grid = None
    if all(image.shape[1] == 1 for image in images):
        grid = grid_of(files, how.axes if told else None, None if channels is None else len(channels))
    if grid is None:
        return replace(_in_time(images), origin=f"{len(files)} files of one frame each in the order of their names")
    _check_alike(images, slice(1, 4), "(channels, rows, columns)")
    first = images[0]
    frame, dtype, origin = _chosen(
        grid.order, _Images([image.read for image in images]), how.z, first.dtype, files[0].parent
    )
    return replace(
        first,
        shape=(*grid.order.shape[:2], *first.shape[2:]),
        dtype=dtype,
        read=frame,
        origin=f"{grid.origin}{origin}",
        seconds_per_frame=grid.seconds_per_frame if grid.seconds_per_frame.value else first.seconds_per_frame,
        micrometres_per_pixel=grid.micrometres_per_pixel
        if grid.micrometres_per_pixel.value
        else first.micrometres_per_pixel,
        channels=grid.channels,
        files=_files(images),
    )


def _each_set_once(items: list[Path]) -> list[Path]:
    """A list without the files that are parts of a set of which another is there; a file that is there twice stays."""
    files = list(dict.fromkeys(item for item in items if item.is_file()))
    movies = movies_in(files) if len(files) > 1 else files
    return [item for item in items if item not in files or item in movies]


def _of_file(planes: Planes, axes: str | None, channels: tuple[str, ...] | None, z: Depth) -> Stack:
    letters, sizes, origin = _letters(planes, axes, None if channels is None else len(channels))
    order = np.arange(planes.count).reshape(sizes)
    for missing in set("TCZ") - set(letters):
        order, letters = order[None], missing + letters
    order = order.transpose([letters.index(letter) for letter in "TCZ"])
    frame, dtype, projected = _chosen(order, planes.read, z, planes.dtype, planes.path)
    origin += projected
    names = planes.metadata.channels
    if names.value is not None and len(names.value) != order.shape[1]:
        names = NOTHING.channels
    return Stack(
        planes.path,
        (order.shape[0], order.shape[1], planes.height, planes.width),
        dtype,
        frame,
        origin,
        planes.metadata.seconds_per_frame,
        planes.metadata.micrometres_per_pixel,
        names,
        planes.files,
    )


def _letters(planes: Planes, axes: str | None, count: int | None) -> tuple[str, tuple[int, ...], str]:
    """Meaning of the axes of the planes in T, C, Z; their sizes; and where that came from."""
    long = [(letter, size) for letter, size in zip(planes.axes, planes.sizes, strict=True) if size > 1]
    found = "".join(letter for letter, _ in long)
    sizes = tuple(size for _, size in long)
    what = ", ".join(f"{letter} of {size}" for letter, size in long) or "a single plane"
    if axes is not None:
        return _as_told(planes.path, axes, sizes, what, count)
    origin = f"the {planes.kind.upper() if planes.kind in ('ome', 'stk') else planes.kind} metadata"
    origin = f"{origin.replace('imagej', 'ImageJ')} ({what})"
    if planes.kind in ("uniform", "generic", "shaped"):
        origin = f"the file's pages ({what})"
    if "S" in found and "C" not in found:
        found, origin = found.replace("S", "C"), f"{origin}; the samples of a pixel are taken as channels"
    unknown = [letter for letter in found if letter not in "TCZ"]
    if len(unknown) == 1 and "T" not in found:
        found, origin = found.replace(unknown[0], "T"), f"{origin}; the axis {unknown[0]} is taken as time"
    elif unknown:
        raise ValueError(
            f"{planes.path} does not say what its axes are ({what}, before rows and columns); say it by axes, such as "
            "axes='TCYX'"
        )
    return found, sizes, origin


def _as_told(
    path: Path, axes: str, sizes: tuple[int, ...], what: str, count: int | None
) -> tuple[str, tuple[int, ...], str]:
    letters = axes.upper()
    if not letters.endswith("YX") or len(set(letters)) < len(letters) or set(letters) - set("TCZYX"):
        raise ValueError(
            f"axes is {axes!r}; give T, C and Z in the file's order, slowest first, and YX: such as 'TCYX'"
        )
    letters, origin = letters[:-2], f"axes={axes!r}, given as an option"
    total = math.prod(sizes)
    if len(letters) == len(sizes):
        return letters, sizes, origin
    if len(letters) > len(sizes) and "C" in letters:
        # A single long axis that holds time and channels in turn, or an axis of length 1 that was named.
        if count is None:
            raise ValueError(
                f"axes is {axes!r}, but {path} has {what} before rows and columns; name the channels too, so that "
                "their number is known: channels=('clathrin', 'auxilin')"
            )
        if total % count:
            raise ValueError(f"the {total} planes of {path} ({what}) cannot be shared among {count} channels")
        if count == 1 and len(letters) == len(sizes) + 1:
            return letters.replace("C", ""), sizes, origin
        if set(letters) == {"T", "C"} and len(sizes) <= 1:
            return letters, tuple(count if letter == "C" else total // count for letter in letters), origin
    if letters == "T" and not sizes:
        return "", (), origin
    raise ValueError(f"axes is {axes!r}, but {path} has {what} before rows and columns; give one letter for each")


def _chosen(
    order: Rows, read: Callable[[int], AnyArray], z: Depth, dtype: np.dtype[Any], path: Path
) -> tuple[Callable[[int, int], AnyArray], np.dtype[Any], str]:
    """Frames of planes (t, c, z) by what is to be made of depth; their type; and what was made, in words."""
    depth = order.shape[2]
    if depth == 1:
        return _Frames(order[:, :, 0], read), dtype, ""
    if z is None:
        hint = ""
        if order.shape[0] == 1:
            hint = " If these are frames in time that were saved as depth, say axes='TYX', or 'TCYX' with channels."
        raise ValueError(
            f"{path} is a stack of {depth} planes in depth (Z); choose z='max', 'mean' or 'sum' to "
            f"project them, or the number of a plane (--z max and so on).{hint}"
        )
    if is_whole_number(z):
        if not 0 <= z < depth:
            raise ValueError(f"z is {z}, but {path} has {depth} planes in depth, counted from 0")
        return _Frames(order[:, :, z], read), dtype, f"; plane {z} in depth of {depth}"
    if z not in ("max", "mean", "sum"):
        raise ValueError(f"z is {z!r}; choose 'max', 'mean', 'sum', the number of a plane, or None")
    made = dtype if z == "max" else np.dtype(np.float32 if dtype.itemsize < 4 else np.float64)
    return _Projected(order, read, z, made), made, f"; {z} of {depth} planes in depth"


class _Images:
    """Planes that are files of a single image each."""

    def __init__(self, reads: list[Callable[[int, int], AnyArray]]) -> None:
        self._reads = reads

    def __call__(self, plane: int) -> AnyArray:
        return self._reads[plane](0, 0)


class _Frames:
    """Frames that are planes."""

    def __init__(self, order: Rows, read: Callable[[int], AnyArray]) -> None:
        self._order, self._read = order, read

    def __call__(self, t: int, c: int) -> AnyArray:
        return self._read(int(self._order[t, c]))


class _Projected:
    """Frames that are projections of planes along z; one plane at a time is in memory."""

    def __init__(self, order: Rows, read: Callable[[int], AnyArray], how: str, dtype: np.dtype[Any]) -> None:
        self._order, self._read, self._how, self._dtype = order, read, how, dtype

    def __call__(self, t: int, c: int) -> AnyArray:
        planes = self._order[t, c]
        total = self._read(int(planes[0])).astype(self._dtype if self._how == "max" else np.float64)
        for plane in planes[1:]:
            (np.maximum if self._how == "max" else np.add)(total, self._read(int(plane)), out=total)
        return (total / len(planes) if self._how == "mean" else total).astype(self._dtype, copy=False)


def _joined(stacks: list[Stack], join: Literal["C", "T"] | None) -> Stack:
    if len(stacks) == 1:
        return stacks[0]
    if join is None:
        join = "T" if all(stack.shape[0] == 1 for stack in stacks) else "C"
    return _in_time(stacks) if join == "T" else _side_by_side(stacks)


def _in_time(stacks: list[Stack]) -> Stack:
    _check_alike(stacks, slice(1, 4), "(channels, rows, columns)")
    lengths = np.cumsum([stack.shape[0] for stack in stacks])
    origin = f"a list of {len(stacks)} files, one after the other in time"
    whole = replace(stacks[0], shape=(int(lengths[-1]), *stacks[0].shape[1:]), origin=origin)
    return replace(whole, read=_Consecutive([stack.read for stack in stacks], lengths), files=_files(stacks))


def _side_by_side(stacks: list[Stack]) -> Stack:
    lengths = {str(stack.path): stack.shape[0] for stack in stacks}
    if len(set(lengths.values())) > 1:
        raise ValueError(
            "the channels have different numbers of frames: "
            + ", ".join(f"{path} has {length}" for path, length in lengths.items())
            + "; export them anew, or remove the frames that one has too many"
        )
    _check_alike(stacks, slice(2, 4), "(rows, columns)")
    first = stacks[0]
    places = [(stack.read, c) for stack in stacks for c in range(stack.shape[1])]
    names = [name for stack in stacks for name in (stack.channels.value or [None] * stack.shape[1])]
    known = None not in names and len(set(names)) == len(names)
    return replace(
        first,
        shape=(first.shape[0], len(places), *first.shape[2:]),
        origin=f"{len(stacks)} files or folders, one a channel; in each, {first.origin}",
        channels=Fact(tuple(names), first.channels.origin) if known else NOTHING.channels,
        seconds_per_frame=_shared([stack.seconds_per_frame for stack in stacks], "seconds_per_frame"),
        micrometres_per_pixel=_shared([stack.micrometres_per_pixel for stack in stacks], "micrometres_per_pixel"),
        read=_Channels(places),
        files=_files(stacks),
    )


def _files(stacks: list[Stack]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(file for stack in stacks for file in stack.files))


def _shared(facts: list[Fact], name: str) -> Fact:
    """What the channels' files say of one number, if they do not contradict each other."""
    said = [fact for fact in facts if fact.value is not None]
    if said and max(abs(fact.value / said[0].value - 1) for fact in said) > 1e-3:
        numbers = ", ".join(f"{fact.value:g}" for fact in said)
        return Fact(None, f"unknown: the channels' files say different numbers, {numbers}; give {name}")
    return said[0] if said else facts[0]


def _check_alike(stacks: list[Stack], part: slice, what: str) -> None:
    first = stacks[0]
    for stack in stacks[1:]:
        if stack.shape[part] != first.shape[part] or stack.dtype != first.dtype:
            raise ValueError(
                f"the images of {stack.path} have {what} {stack.shape[part]} and the type {stack.dtype}, those of "
                f"{first.path} {first.shape[part]} and {first.dtype}; all of a movie must be alike"
            )


class _Consecutive:
    def __init__(self, reads: list[Callable[[int, int], AnyArray]], ends: Rows) -> None:
        self._reads, self._ends = reads, ends

    def __call__(self, t: int, c: int) -> AnyArray:
        part = int(np.searchsorted(self._ends, t, side="right"))
        return self._reads[part](t - (int(self._ends[part - 1]) if part else 0), c)


class _Channels:
    def __init__(self, places: list[tuple[Callable[[int, int], AnyArray], int]]) -> None:
        self._places = places

    def __call__(self, t: int, c: int) -> AnyArray:
        read, channel = self._places[c]
        return read(t, channel)
