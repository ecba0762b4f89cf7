"""Where the maps of a set come from: files, arrays, or another set of which they are made when they are asked for.

A source is called with row numbers and returns those maps. Sources are plain data, so that a set can be sent to another
process, or a part of it with what belongs to its rows alone; and they work in blocks, so that making small maps out of
large ones never holds all the large ones.
"""

import math
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from awd_core.typing import AnyArray, Flags, Rows
from awd_core.workers import available_cores
from awd_cosmo.formats.archives import BadMap, read_bytes
from awd_cosmo.formats.fits import image
from awd_cosmo.maps.claims import Claims

Maps = npt.NDArray[np.float32]
Mask = Flags
Item = tuple[str, int, Claims | None]
"""A file by the name that a table has, its HDU, and what its header must not contradict."""
Report = Callable[[int, int], object]
"""Told how many maps are done, of how many."""

BLOCK = 64
"""Maps that a derived set asks its parent for at a time."""
HELD_BYTES = 16 * 2**20
"""Maps that are read at a time to be cached or counted, in bytes: what that needs memory for."""
HANDED = 4
"""So many times as many are handed to a worker: enough work that it costs little to hand it out."""

LARGEST = 1e3
"""Convergence is far below, whatever its noise: a pixel beyond, UNSEEN (−1.6375e30) among them, holds none."""

_PART = 16


NOT_OBSERVED = (
    "give --training-mask (mask=), or --invalid mask (invalid='mask') to take them for not observed, or --invalid zero "
    "(invalid='zero')"
)
"""What to do about pixels that hold no convergence."""


class Source(Protocol):
    """Maps by row number, (k, ny, nx) float32, NaN where not observed; into `out`, if it is given."""

    def __call__(self, rows: Rows, threads: int, report: Report | None, out: Maps | None = None) -> Maps:
        """Read, in so many threads."""

    def part(self, rows: Rows) -> "Source":
        """The source of these rows alone, from 0 on: a small thing to send, that is read where it arrives."""


@dataclass(frozen=True)
class Files:
    """Maps in files.

    Parameters
    ----------
    root : str
        The folder that names are relative to.
    names : ndarray of str, shape (n,)
        The file of each row; a set has them once, in its table.
    hdus : ndarray, shape (n,)
        −1 for the first image.
    shape : tuple of int
        (ny, nx) that every one must have.
    mask : ndarray, shape (ny, nx), optional
        True where observed.
    invalid : {"raise", "mask", "zero"}
        What to do with NaN, infinite, UNSEEN and impossible pixels that the mask says were observed.
    claims : Claims, optional
        What headers must not contradict.
    constant : bool
        Whether a map of which all pixels are equal is a map.
    """

    root: str
    names: npt.NDArray[np.str_]
    hdus: Rows
    shape: tuple[int, int]
    mask: Mask | None
    invalid: str
    claims: Claims | None = None
    constant: bool = True

    def __call__(self, rows: Rows, threads: int, report: Report | None, out: Maps | None = None) -> Maps:
        """Read, in parallel if asked; all bad maps are named in one error."""
        out = room_for(len(rows), self.shape, out)
        bad: dict[int, tuple[str, str]] = {}

        def read(part: range) -> int:
            for i in part:
                if reason := self.fill(int(rows[i]), out[i]):
                    bad[i] = (self.path(int(rows[i])), reason)
            return len(part)

        done = 0
        for count in in_parallel(read, _parts(len(rows)), threads):
            done += count
            if report is not None:
                report(done, len(rows))
        if bad:
            raise BadMap([bad[i] for i in sorted(bad)])
        return out

    def part(self, rows: Rows) -> "Files":
        """These files alone, by paths that hold wherever a process was started."""
        claims = None if self.claims is None else self.claims.part(rows)
        root = str(Path.cwd() / self.root)
        return replace(self, root=root, names=self.names[rows], hdus=self.hdus[rows], claims=claims)

    def path(self, row: int) -> str:
        """Path of a row's file."""
        return str(Path(self.root) / str(self.names[row]))

    def item(self, row: int) -> "Item":
        """A row for `bad_files`: its file, by the name that it has here, its HDU, and what is claimed of it."""
        claims = None if self.claims is None else self.claims.of(row)
        return str(self.names[row]), int(self.hdus[row]), claims

    @property
    def paths(self) -> tuple[str, ...]:
        """Paths of all files."""
        return tuple(self.path(row) for row in range(len(self.names)))

    def reasons(self, threads: int) -> list[str]:
        """Read all files, one after the other, and keep none: why each is bad, or nothing."""
        found = [""] * len(self.names)

        def look(part: range) -> int:
            pixels = np.empty(self.shape, np.float32)
            for i in part:
                found[i] = self.fill(i, pixels)
            return len(part)

        for _ in in_parallel(look, _parts(len(found)), threads):
            pass
        return found

    def __reduce__(self) -> tuple[Any, ...]:
        # A mask is most of what would be sent, and most of it is alike; an array of names has four bytes a character.
        mask = None if self.mask is None else (zlib.compress(np.packbits(self.mask).tobytes()), self.mask.shape)
        more = (self.claims, self.constant)
        return _files, (self.root, self.names.tolist(), self.hdus, self.shape, mask, self.invalid, *more)

    def fill(self, row: int, out: Maps) -> str:
        """Read one map into `out`, shape (ny, nx); the reason why it is bad, or nothing."""
        path, hdu = self.path(row), int(self.hdus[row])
        try:
            pixels, cards, _ = image(read_bytes(path), path, None if hdu < 0 else hdu)
        except BadMap as error:
            return error.bad[0][1]
        except OSError as error:
            return f"unreadable: {error.strerror or error}"
        except MemoryError:
            return "too large for the memory that there is"
        if pixels.shape != self.shape:
            return f"wrong size: {pixels.shape[0]} × {pixels.shape[1]} where {self.shape[0]} × {self.shape[1]} is right"
        if self.claims is not None and (reason := self.claims.contradicted(row, cards, path, pixels.shape)):
            return reason
        with np.errstate(over="ignore", invalid="ignore"):
            np.copyto(out, pixels, casting="same_kind")
            # Least and largest are NaN if anything is: two cheap passes say that all is well, as it nearly always is.
            least, most = out.min(), out.max()
            fine = least > -LARGEST and most < LARGEST
        if not fine:
            wrong = ~(np.abs(out) < LARGEST)
            if self.mask is not None:
                wrong &= self.mask
            if self.invalid == "raise" and wrong.any():
                return f"{int(wrong.sum())} of {out.size} pixels are {_what(out[wrong])}; {NOT_OBSERVED}"
            out[wrong] = 0.0 if self.invalid == "zero" else np.nan
        if self.mask is not None:
            out[~self.mask] = 0.0 if self.invalid == "zero" else np.nan
        if not self.constant and (least == most or not fine or self.mask is not None):
            seen = out[np.isfinite(out)] if self.mask is None else out[self.mask & np.isfinite(out)]
            if not seen.size or seen.min() == seen.max():
                said = f"all its pixels are {seen[0]:g}" if seen.size else "no pixel of it was observed"
                return f"{said}: there is nothing in it to learn from; leave it out"
        return ""


@dataclass(frozen=True)
class InMemory:
    """Maps in an array (n, ny, nx), or in anything that is indexed as one, with one mask (ny, nx) for all."""

    maps: Any
    mask: Mask | None = None

    def __call__(self, rows: Rows, threads: int, report: Report | None, out: Maps | None = None) -> Maps:
        """Copy, NaN outside the mask; what is infinite or UNSEEN inside is an error, as it is in files."""
        out = room_for(len(rows), self.maps.shape[1:], out)
        with np.errstate(over="ignore"):
            out[...] = self.maps[rows]
        if self.mask is not None:
            out[:, ~self.mask] = np.nan
        least, most = np.fmin.reduce(out, None, initial=0.0), np.fmax.reduce(out, None, initial=0.0)
        if not (least > -LARGEST and most < LARGEST):
            wrong = (np.abs(out) >= LARGEST).sum(axis=(1, 2))
            said = "{} of {} pixels are infinite or UNSEEN; pass mask=, or NaN where nothing was observed"
            raise BadMap([(f"row {rows[i]}", said.format(wrong[i], out[i].size)) for i in np.flatnonzero(wrong)])
        return out

    def part(self, rows: Rows) -> "InMemory":
        """These maps alone; whoever sends them sends their pixels."""
        return InMemory(self.maps[rows], self.mask)


@dataclass(frozen=True)
class Selected:
    """Some rows of another source."""

    parent: Source
    rows: Rows

    def __call__(self, rows: Rows, threads: int, report: Report | None, out: Maps | None = None) -> Maps:
        """Read from the parent."""
        return self.parent(self.rows[rows], threads, report, out)

    def part(self, rows: Rows) -> Source:
        """Part of the parent."""
        return self.parent.part(self.rows[rows])


@dataclass(frozen=True)
class Mapped:
    """What a function makes of the maps of another source: (maps (k, …), their rows (k,)) to as many maps.

    A function that keeps something for each row has a method `part(rows)`, as a source has.
    """

    parent: Source
    function: Callable[[Maps, Rows], AnyArray]
    shape: tuple[int, int]

    def __call__(self, rows: Rows, threads: int, report: Report | None, out: Maps | None = None) -> Maps:
        """Read and apply, block by block."""
        out = room_for(len(rows), self.shape, out)
        for start in range(0, len(rows), BLOCK):
            block = rows[start : start + BLOCK]
            out[start : start + len(block)] = self.function(self.parent(block, threads, None), block)
            if report is not None:
                report(start + len(block), len(rows))
        return out

    def part(self, rows: Rows) -> "Mapped":
        """The same function of a part of the parent."""
        cut = getattr(self.function, "part", None)
        return Mapped(self.parent.part(rows), self.function if cut is None else cut(rows), self.shape)


@dataclass(frozen=True)
class Tiled:
    """Tiles cut out of the maps of another source: row = parent's row · tiles a map + tile."""

    parent: Source
    corners: tuple[tuple[int, int], ...]
    size: int

    def __call__(self, rows: Rows, threads: int, report: Report | None, out: Maps | None = None) -> Maps:
        """Read each parent once, block by block, and cut."""
        out = room_for(len(rows), (self.size, self.size), out)
        parents, which = np.unique(rows // len(self.corners), return_inverse=True)
        order = np.argsort(which, kind="stable")
        bounds = np.searchsorted(which[order], np.arange(0, len(parents) + BLOCK, BLOCK))
        for b, start in enumerate(range(0, len(parents), BLOCK)):
            maps = self.parent(parents[start : start + BLOCK], threads, None)
            for i in order[bounds[b] : bounds[b + 1]]:
                y, x = self.corners[int(rows[i]) % len(self.corners)]
                out[i] = maps[which[i] - start, y : y + self.size, x : x + self.size]
            if report is not None:
                report(int(bounds[b + 1]), len(rows))
        return out

    def part(self, rows: Rows) -> Selected:
        """The parents of these tiles, each once, and where the tiles lie in them."""
        parents, which = np.unique(rows // len(self.corners), return_inverse=True)
        tiles = Tiled(self.parent.part(parents), self.corners, self.size)
        return Selected(tiles, which * len(self.corners) + rows % len(self.corners))


def maps_at_a_time(shape: tuple[int, ...]) -> int:
    """Maps (ny, nx), or (bins, ny, nx), that make `HELD_BYTES` as float32; one, if it is larger.

    Examples
    --------
    >>> maps_at_a_time((256, 256)), maps_at_a_time((1024, 1024)), maps_at_a_time((10000, 10000))
    (64, 4, 1)
    """
    return max(1, HELD_BYTES // (4 * math.prod(shape)))


def room_for(n: int, shape: tuple[int, ...], out: Maps | None) -> Maps:
    """The array to be filled: the caller's, if it fits, or a new one."""
    wanted = (n, *shape)
    if out is None:
        return np.empty(wanted, np.float32)
    if out.shape != wanted or out.dtype != np.float32 or not (out.flags.writeable and out.flags.c_contiguous):
        raise ValueError(
            f"out must be a writeable, contiguous float32 array of shape {wanted}, got {out.dtype} {out.shape}"
        )
    return out


def in_parallel(function: Callable[[range], int], parts: list[range], threads: int) -> Iterator[int]:
    """Results in order. Threads, not processes: reading lets go of Python's lock, and all write into one array."""
    if threads <= 1 or len(parts) <= 2:
        yield from map(function, parts)
        return
    with ThreadPoolExecutor(threads) as pool:
        yield from pool.map(function, parts)


def bad_files(like: Files, threads: int | None, items: Sequence["Item"]) -> list[str]:
    """Read maps of some files and HDUs, all of them like others, and keep none: why each is bad, or nothing.

    Threads are those of whoever reads, as many as it has cores if their number is None.
    """
    names, hdus, claims = zip(*items, strict=True)
    told = None if claims[0] is None else Claims.together(claims)
    files = replace(like, names=np.array(names, np.str_), hdus=np.array(hdus, np.int64), claims=told)
    return files.reasons(available_cores() if threads is None else threads)


def _what(pixels: Maps) -> str:
    """What is wrong with pixels: not there, or there and impossible."""
    real = pixels[np.isfinite(pixels) & (np.abs(pixels) < 1e30)]
    return f"no convergence (one is {real[0]:.3g})" if real.size else "NaN, infinite or UNSEEN"


def _parts(count: int) -> list[range]:
    return [range(start, min(start + _PART, count)) for start in range(0, count, _PART)]


def _files(
    root: str,
    names: list[str],
    hdus: Rows,
    shape: tuple[int, int],
    mask: tuple[bytes, tuple[int, int]] | None,
    invalid: str,
    claims: Claims | None,
    constant: bool,
) -> Files:
    files = Files(root, np.array(names, np.str_), hdus, shape, None, invalid, claims, constant)
    if mask is None:
        return files
    packed, (ny, nx) = mask
    bits = np.unpackbits(np.frombuffer(zlib.decompress(packed), np.uint8), count=ny * nx)
    return replace(files, mask=bits.astype(np.bool_).reshape(ny, nx))
