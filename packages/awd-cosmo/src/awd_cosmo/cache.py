"""A zarr cache of maps: built once, block by block, and used as long as the files behind it hold what they held.

What is it a cache of? Its folder is named by a digest of the rows (file, HDU, tile) and of what was done to them. The
contents of the files are kept beside it: for every file its size, its times and the digest (BLAKE2b) of its bytes. When
the cache is opened, a file whose size and times (of its content and of its inode, which no ordinary program can set
back) are unchanged is trusted; any other is digested again. A file that was copied or touched costs one reading; a file
that holds something else costs its block. With `verify=True` every file is digested, whatever its times say.

What if it is interrupted? A cache grows in a folder with the ending ".part". A block counts when its line is in
`blocks.jsonl`, which is written after the block is on the disk; the next attempt goes on from there. The folder gets
its name when it is whole; one that is to be replaced stays until then. So a full disk or a kill leaves an earlier cache
as it was.

The array is plain zarr (format 3, no compression: noise does not compress), one block a chunk.
"""

import errno
import hashlib
import io
import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from awd_core.files import write_atomically
from awd_cosmo.archives import MEMBER, read_bytes
from awd_cosmo.sources import InMemory, Mapped, Maps, Report, Rows, Selected, Tiled, room_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from awd_cosmo.map_set import MapSet

FORMAT = 1
"""Part of every key: a cache of another format is another cache."""

BLOCK_BYTES = 4 * 2**20
"""About how large a block is; one is lost when a build is interrupted."""

_State = tuple[int, int, int]


@dataclass(frozen=True)
class Cached:
    """Maps in the chunks of a cache: a source.

    A chunk is the bytes of its maps, one after the other, so that single maps are read without the rest of theirs.
    """

    folder: Path
    block: int
    shape: tuple[int, int]

    def __call__(self, rows: Rows, workers: int, report: Report | None, out: Maps | None = None) -> Maps:
        """Read runs of neighbouring rows at once."""
        out = room_for(len(rows), self.shape, out)
        row_bytes = 4 * self.shape[0] * self.shape[1]
        same_run = (np.diff(rows) == 1) & (rows[1:] % self.block != 0)
        starts = np.flatnonzero(np.concatenate([[True], ~same_run]))[: len(rows)]
        for start, stop in zip(starts, [*starts[1:], len(rows)][: len(starts)], strict=True):
            number, place = divmod(int(rows[start]), self.block)
            with io.FileIO(_chunk(self.folder, number)) as file:
                file.seek(place * row_bytes)
                content = file.read((int(stop) - int(start)) * row_bytes)
                if len(content or b"") != (stop - start) * row_bytes:
                    raise OSError(f"the cache {self.folder} is damaged: block {number} is too short; delete the folder")
            out[start:stop] = np.frombuffer(content, "<f4").reshape(-1, *self.shape)
            if report is not None:
                report(int(stop), len(rows))
        return out


@dataclass
class _Record:
    """The finished blocks of a cache: {block: {file: (state, digest)}}."""

    path: Path
    blocks: dict[int, dict[str, tuple[_State, str]]] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> "_Record":
        record = cls(folder / "blocks.jsonl")
        lines = record.path.read_bytes().split(b"\n") if record.path.is_file() else []
        for line in lines:
            try:
                entry = json.loads(line)
                files = {name: ((s[0], s[1], s[2]), digest) for name, (s, digest) in entry["files"].items()}
                record.blocks[int(entry["block"])] = files
            except (ValueError, KeyError, TypeError, IndexError):
                continue  # the line that a kill broke off
        return record

    def add(self, block: int, files: dict[str, tuple[_State, str]]) -> None:
        self.blocks[block] = files
        with self.path.open("ab") as file:
            # a line that was broken off before must not swallow this one
            file.write(b"\n" + _line(block, files))
            file.flush()
            os.fsync(file.fileno())

    def rewrite(self) -> None:
        write_atomically(self.path, b"\n".join(_line(block, files) for block, files in sorted(self.blocks.items())))


def cached(
    maps: "MapSet",
    folder: str | os.PathLike[str],
    *,
    verify: bool = False,
    block: int | None = None,
    progress: Report | None = None,
) -> Cached:
    """The source that reads a set's maps out of its cache, which is built or brought up to date first.

    Parameters
    ----------
    maps : MapSet
        Whatever it is made of: files, tiles, noisy maps.
    folder : str or path
        Holds caches, each in a folder of its own; made if it is not there.
    verify : bool
        Digest every file again, even if its size and times say that it is as it was.
    block : int, optional
        Maps in a block; otherwise as many as make about 4 MiB.
    progress : callable, optional
        Told (maps done, of how many) while the cache is built.

    Returns
    -------
    Cached
        A source for a `MapSet`; `MapSet.cached` does that.

    Raises
    ------
    BadMap
        If a map is bad; the blocks before it are kept.
    OSError
        If the disk is full; an earlier cache is as it was, and what is done is kept for the next attempt.
    RuntimeError
        If a file changes while it is read, or another process is building the same cache.
    """
    if len(maps) == 0:
        raise ValueError("there is no map to be cached: the set is empty")
    per_block = block or min(len(maps), max(1, BLOCK_BYTES // (4 * maps.shape[0] * maps.shape[1])))
    if per_block < 1:
        raise ValueError(f"a block must hold at least one map, got block = {block}")
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    builder = _Builder(maps, place / _key(maps, per_block), per_block, verify)
    with _locked(place / f".{builder.final.name}.lock"):
        if not builder.is_current():
            try:
                builder.build(progress)
            except OSError as error:
                if error.errno in (errno.ENOSPC, errno.EDQUOT):
                    size = 4 * len(maps) * maps.shape[0] * maps.shape[1] / 2**20
                    raise OSError(
                        error.errno,
                        f"the disk is full: the cache needs {size:.0f} MiB in all. What is done is kept in "
                        f"{builder.part}, an earlier cache is as it was; make room and start again",
                    ) from error
                raise
    return Cached(builder.final, per_block, maps.shape)


class _Builder:
    def __init__(self, maps: "MapSet", final: Path, block: int, verify: bool) -> None:
        self.maps, self.final, self.block, self.verify = maps, final, block, verify
        self.part = final.with_name(final.name + ".part")
        self.count = -(-len(maps) // block)
        self.names = [str(name) for name in maps.table["file"]]
        self.paths = maps.files if maps.table.meta.get("root") else []
        self._states: dict[str, _State] = {}

    def is_current(self) -> bool:
        """Whether the finished cache can be used as it is."""
        if not self.final.is_dir():
            return False
        record = _Record.read(self.final)
        before = json.dumps(sorted(record.blocks.items()))
        if len(self._valid(self.final, record)) < self.count:
            return False
        if json.dumps(sorted(record.blocks.items())) != before:
            with suppress(OSError):  # without it, files that were touched are only digested again next time
                record.rewrite()
        return True

    def build(self, progress: Report | None) -> None:
        self.part.mkdir(exist_ok=True)
        record = _Record.read(self.part)
        done = self._valid(self.part, record)
        earlier = _Record.read(self.final)
        reusable = self._valid(self.final, earlier) if self.final.is_dir() else set()
        array = self._array()
        for number in range(self.count):
            if number not in done:
                if number in reusable:
                    _copy(_chunk(self.final, number), _chunk(self.part, number))
                    files = earlier.blocks[number]
                else:
                    files = self._fill(array, number)
                record.add(number, files)
            if progress is not None:
                progress(min((number + 1) * self.block, len(self.maps)), len(self.maps))
        record.rewrite()
        old = self.final.with_name(self.final.name + ".old")
        shutil.rmtree(old, ignore_errors=True)
        if self.final.exists():
            self.final.rename(old)
        self.part.rename(self.final)
        shutil.rmtree(old, ignore_errors=True)

    def _fill(self, array: Any, number: int) -> dict[str, tuple[_State, str]]:
        rows = self._rows(number)
        self._states.clear()
        before = self._current(number)
        pixels = self.maps.read(rows)
        with ThreadPoolExecutor(max(1, self.maps.workers)) as pool:
            paths = dict(self._files(number))
            digests = dict(zip(paths, pool.map(_digest, paths.values()), strict=True))
        self._states.clear()
        for name, state in self._current(number).items():
            if state != before[name]:
                raise RuntimeError(f"{paths[name]} changed while it was read; start again when it is whole")
        _chunk(self.part, number).unlink(missing_ok=True)  # it may share its bytes with the earlier cache
        array[rows[0] : rows[-1] + 1] = pixels
        with _chunk(self.part, number).open("rb+") as file:
            os.fsync(file.fileno())
        return {name: (before[name], digests[name]) for name in paths}

    def _array(self) -> Any:
        import zarr

        n, (ny, nx) = len(self.maps), self.maps.shape
        place = self.part / "maps.zarr"
        if (place / "zarr.json").is_file():
            return zarr.open_array(place, mode="r+")
        chunks = (self.block, ny, nx)
        array = zarr.create_array(
            place, shape=(n, ny, nx), chunks=chunks, dtype="float32", fill_value=np.nan, compressors=None, zarr_format=3
        )
        array.attrs["quantity"] = "convergence kappa, dimensionless; NaN where not observed"
        array.attrs["arcmin_per_pixel"] = self.maps.arcmin_per_pixel
        array.attrs["processing"] = list(self.maps.processing)
        return array

    def _valid(self, folder: Path, record: _Record) -> set[int]:
        """Blocks that are on the disk and whose files hold what they held."""
        size = 4 * self.block * self.maps.shape[0] * self.maps.shape[1]
        good = set()
        for number, files in record.blocks.items():
            chunk = _chunk(folder, number)
            if number >= self.count or not chunk.is_file() or chunk.stat().st_size != size:
                continue
            paths = dict(self._files(number))
            if paths.keys() != files.keys():
                continue
            current = self._current(number)
            fine = True
            for name, (state, digest) in files.items():
                if self.verify or current[name] != state:
                    fine = fine and _holds(paths[name], digest)
                    files[name] = (current[name], digest)
            if fine:
                good.add(number)
        return good

    def _rows(self, number: int) -> Rows:
        return np.arange(number * self.block, min((number + 1) * self.block, len(self.maps)))

    def _files(self, number: int) -> "Iterator[tuple[str, str]]":
        if self.paths:
            seen = dict.fromkeys(self._rows(number).tolist())
            yield from {self.names[row]: self.paths[row] for row in seen}.items()

    def _current(self, number: int) -> dict[str, _State]:
        return {name: self._state(path) for name, path in self._files(number)}

    def _state(self, path: str) -> _State:
        archive, found, _ = path.partition(".tar" + MEMBER)
        file = archive + ".tar" if found else path
        if file not in self._states:
            try:
                status = Path(file).stat()
                self._states[file] = (status.st_size, status.st_mtime_ns, status.st_ctime_ns)
            except OSError:
                self._states[file] = (-1, -1, -1)
        return self._states[file]


def _key(maps: "MapSet", block: int) -> str:
    """Name of a cache: what the rows are, and what was done to them."""
    digest = hashlib.sha256(json.dumps([FORMAT, block, maps.shape, maps.arcmin_per_pixel, maps.processing]).encode())
    columns = ("file", "hdu", "tile", "tile_y", "tile_x", "z_s")
    for row in zip(*(maps.table[name].tolist() for name in columns), strict=True):
        digest.update(repr(row).encode())
    if not maps.table.meta.get("root"):
        source: Any = maps.source
        while isinstance(source, Selected | Mapped | Tiled):
            source = source.parent
        # maps in memory have no file: their own bytes are their identity
        if isinstance(source, InMemory):
            digest.update(np.ascontiguousarray(source.maps).view(np.uint8).data)
    return digest.hexdigest()[:24]


def _digest(path: str) -> str:
    return hashlib.blake2b(read_bytes(path), digest_size=16).hexdigest()


def _holds(path: str, digest: str) -> bool:
    try:
        return _digest(path) == digest
    except (OSError, ValueError):
        return False  # it is gone, or its tar is damaged


def _line(block: int, files: dict[str, tuple[_State, str]]) -> bytes:
    return json.dumps({"block": block, "files": files}, ensure_ascii=False).encode() + b"\n"


def _chunk(folder: Path, number: int) -> Path:
    return folder / "maps.zarr" / "c" / str(number) / "0" / "0"


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)  # a chunk is replaced, never written into: the two can share their bytes
    except OSError:
        shutil.copyfile(source, target)


@contextmanager
def _locked(path: Path) -> "Iterator[None]":
    """Keep another process from building the same cache; the system lets go of the lock when a process dies."""
    with ExitStack() as stack:
        try:
            import fcntl
        except ImportError:  # no such locks on Windows: there two builders at once are not told of each other
            yield
            return
        file = stack.enter_context(path.open("w"))
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise RuntimeError(f"another process is building the cache {path.parent}; wait until it is done") from None
        yield
