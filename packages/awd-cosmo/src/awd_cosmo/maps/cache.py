"""A zarr cache of maps: built once, block by block, and used as long as the files behind it hold what they held.

What is it a cache of? Its folder is named by a digest of the rows (file, HDU, tile) and of what was done to them. The
contents of the files are kept beside it: of every block a digest (BLAKE2b) of the sizes and times of its files, one of
their bytes, and one of its own. When the cache is opened, a block whose files have unchanged sizes and times (of the
content and of the inode, which no ordinary program can set back) is trusted; the files of any other are digested again.
A file that was copied or touched costs one reading of its block; a file that holds something else has the block made
anew. With `verify=True` every file is digested, whatever its times say, and every chunk, which a disk may have damaged:
what is not what it was is said, and read again from the maps.

What if it is interrupted? A block counts when it is marked, which is done after the block is on the disk; the next
attempt goes on from there, also where some blocks of an earlier cache have changed.

The array is plain zarr (format 3, no compression: noise does not compress), one block a chunk.
"""

import errno
import hashlib
import io
import json
import math
import os
import shutil
import sys
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from awd_core.checks import warn
from awd_core.files import BlockStore, lock_file
from awd_core.typing import Rows
from awd_core.workers import Lost, OnDemand, Workers, open_workers
from awd_cosmo.formats.archives import BadMap
from awd_cosmo.formats.listing import BIN
from awd_cosmo.maps.cache_blocks import (
    DIGEST,
    MAPS,
    Block,
    chunk_path,
    digest_of_chunk,
    digest_of_contents,
    digest_of_states,
    file_states,
    mark_of,
    write_blocks,
)
from awd_cosmo.maps.sources import (
    BLOCK,
    HANDED,
    InMemory,
    Mapped,
    Maps,
    Report,
    Selected,
    Source,
    Tiled,
    maps_at_a_time,
    room_for,
)
from awd_cosmo.maps.stack_arrays import Stacked

if TYPE_CHECKING:
    from awd_cosmo.maps.map_set import MapSet

FORMAT = 3
"""Part of every key: a cache of another format is another cache."""


@dataclass(frozen=True)
class Cached:
    """Maps in the chunks of a cache: a source.

    A chunk is the bytes of its maps, one after the other, so that single maps are read without the rest of theirs.
    """

    folder: Path
    block: int
    shape: tuple[int, int]

    def __call__(self, rows: Rows, threads: int, report: Report | None, out: Maps | None = None) -> Maps:
        """Read runs of neighbouring rows at once."""
        out = room_for(len(rows), self.shape, out)
        row_bytes = 4 * self.shape[0] * self.shape[1]
        same_run = (np.diff(rows) == 1) & (rows[1:] % self.block != 0)
        starts = np.flatnonzero(np.concatenate([[True], ~same_run]))[: len(rows)]
        for start, stop in zip(starts, [*starts[1:], len(rows)][: len(starts)], strict=True):
            number, place = divmod(int(rows[start]), self.block)
            try:
                with io.FileIO(chunk_path(self.folder, number)) as file:
                    file.seek(place * row_bytes)
                    held = file.readinto(out[start:stop].data.cast("B"))
            except FileNotFoundError:
                held = 0
            if held != (stop - start) * row_bytes:
                raise OSError(f"the cache {self.folder} is damaged: block {number} is too short; delete the folder")
            if sys.byteorder == "big":  # as chunks are not
                out[start:stop].byteswap(inplace=True)
            if report is not None:
                report(int(stop), len(rows))
        return out

    def part(self, rows: Rows) -> Selected:
        """These rows of the same cache."""
        return Selected(Cached(self.folder.absolute(), self.block, self.shape), rows)


def cached(
    maps: "MapSet",
    folder: str | os.PathLike[str],
    *,
    verify: bool = False,
    intact: bool = False,
    block: int | None = None,
    progress: Report | None = None,
    workers: int | Workers = 1,
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
    intact : bool
        Digest every block of the cache itself, as `verify` does too.
    block : int, optional
        Maps in a block, which is what a worker needs memory for; otherwise as many as
        `awd_cosmo.maps.sources.maps_at_a_time` says.
    progress : callable, optional
        Told (maps done, of how many) while the cache is built.
    workers : int or Workers, optional
        Processes, or open `awd_core.workers.open`, that read files and write blocks; each holds a block at a time. Maps
        in memory are not sent to them.

    Returns
    -------
    Cached
        A source for a `MapSet`; `MapSet.cached` does that.

    Raises
    ------
    BadMap
        If a map is bad, or kills whoever reads it; the blocks before it are kept.
    LostItemError
        If a block kills its workers, and no single map of it does.
    OSError
        If the disk is full; what is done is kept for the next attempt.
    RuntimeError
        If a file changes while it is read, or another process is building the same cache.

    Warns
    -----
    UserWarning
        If the cache was damaged, and what of it is read again.
    """
    if len(maps) == 0:
        raise ValueError("there is no map to be cached: the set is empty")
    per_block = block or min(len(maps), maps_at_a_time(maps.shape))
    if per_block < 1:
        raise ValueError(f"a block must hold at least one map, got block = {block}")
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    final = place / _key(maps, per_block)
    with _locked(place / f".{final.name}.lock"):
        try:
            builder = _builder(maps, final, per_block)
            todo = builder.missing(verify, intact or verify)
            if builder.damaged:
                warn(
                    f"the cache {final} was damaged: {len(builder.damaged)} of {builder.blocks} blocks are read again "
                    "from the maps"
                )
            if todo:
                with open_workers(workers if builder.root else 1) as crew:
                    builder.build(todo, progress, crew)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                size = 4 * len(maps) * maps.shape[0] * maps.shape[1] / 2**20
                raise OSError(
                    error.errno,
                    f"the disk is full: the cache needs {size:.0f} MiB in all. What is done is kept in {final}; make "
                    "room and start again",
                ) from error
            raise
    return Cached(final, per_block, maps.shape)


class _Builder:
    def __init__(self, maps: "MapSet", folder: Path, block: int) -> None:
        self.maps, self.folder, self.block = maps, folder, block
        self.names = np.asarray(maps.table["file"])
        root = maps.table.meta.get("root")
        self.root = Path.cwd() / root if root else None
        about = {
            "quantity": "convergence kappa, dimensionless; NaN where not observed",
            "arcmin_per_pixel": maps.arcmin_per_pixel,
            "processing": list(maps.processing),
        }
        shape = (len(maps), *maps.shape)
        self.damaged: list[int] = []
        self.blocks = -(-len(maps) // block)
        self.store = BlockStore(folder, MAPS, {"key": folder.name}, shape, np.dtype(np.float32), block, about)

    def missing(self, verify: bool, intact: bool) -> list[int]:
        """Blocks that are not on the disk, or whose files hold something else by now."""
        return [number for number in range(self.blocks) if not self._holds(number, verify, intact)]

    def _holds(self, number: int, verify: bool, intact: bool) -> bool:
        mark, chunk = self.store.mark(number), chunk_path(self.folder, number)
        if not mark.any():
            return False
        size = 4 * len(self._rows(number)) * math.prod(self.maps.shape)
        whole = chunk.is_file() and chunk.stat().st_size == 4 * math.prod(self.store.array.chunks)
        pixels = mark[2 * DIGEST :].tobytes()
        if not whole or (intact and digest_of_chunk(self.folder, number, size) != pixels):
            self.damaged.append(number)
            return False
        files = self._files(number)
        contents = mark[DIGEST : 2 * DIGEST].tobytes()
        now = mark_of(digest_of_states(file_states(files)), contents, pixels)
        if verify or (now != mark).any():
            try:
                if digest_of_contents(files, self.maps.threads) != contents:
                    return False
            except (OSError, ValueError):
                return False  # a file is gone, or its tar is damaged
        if (now != mark).any():
            with suppress(OSError):  # without it, files that were touched are only digested again next time
                self.store.set_mark(number, now)
        return True

    def build(self, todo: list[int], progress: Report | None, crew: Workers) -> None:
        write = partial(write_blocks, str(self.folder.absolute()), self.maps.threads if crew.here else None)
        blocks = OnDemand(self.block_of, todo)  # together their paths are as many as there are maps
        written = len(self.maps) - sum(len(self._rows(number)) for number in todo)
        at_a_time = 1 if crew.here else HANDED
        for k, found in enumerate(crew.map_blocks(write, blocks, at_a_time, names=self._name)):
            if isinstance(found, Lost):
                raise self._guilty(blocks[k], found, crew)
            written += len(self._rows(todo[k]))
            if progress is not None:
                progress(written, len(self.maps))

    def block_of(self, number: int) -> Block:
        """What whoever writes a block needs to know."""
        rows = self._rows(number)
        return Block(number, int(rows[0]), len(rows), self.maps.source.part(rows), self._files(number))

    def _guilty(self, block: Block, lost: Lost, crew: Workers) -> Exception:
        """Which maps of a block kill whoever reads them."""
        alone = [block.source.part(np.array([i])) for i in range(block.count)]
        bad = [
            (str(self.names[block.first + i]), found.reason)
            for i, found in enumerate(crew.map_or_lose(_read_one, alone))
            if isinstance(found, Lost)
        ]
        return BadMap(bad) if bad else lost.error("give the workers more memory")

    def _name(self, block: Block) -> str:
        return f"maps {block.first} to {block.first + block.count - 1}"

    def _rows(self, number: int) -> Rows:
        return np.arange(number * self.block, min((number + 1) * self.block, len(self.maps)))

    def _files(self, number: int) -> dict[str, str]:
        if self.root is None:
            return {}
        return {name: str(self.root / name) for name in self.names[self._rows(number)].tolist()}


def _builder(maps: "MapSet", folder: Path, block: int) -> _Builder:
    """Of a cache that is made anew if it cannot be opened: its folder is named by what it is of, and nobody else's."""
    try:
        return _Builder(maps, folder, block)
    except (ValueError, KeyError, TypeError) as error:
        warn(f"the cache {folder} was damaged ({' '.join(str(error).split())}), and is made anew from the maps")
        shutil.rmtree(folder, ignore_errors=True)
        return _Builder(maps, folder, block)


def _read_one(source: Source) -> None:
    source(np.array([0]), 1, None)


def _key(maps: "MapSet", block: int) -> str:
    """Name of a cache: what the rows are, and what was done to them."""
    digest = hashlib.sha256(json.dumps([FORMAT, block, maps.shape, maps.arcmin_per_pixel, maps.processing]).encode())
    columns = ("file", "hdu", "tile", "tile_y", "tile_x", "z_s", *([BIN] if BIN in maps.table.colnames else []))
    for start in range(0, len(maps), BLOCK):
        part = (np.asarray(maps.table[name][start : start + BLOCK]).tolist() for name in columns)
        for row in zip(*part, strict=True):
            digest.update(repr(row).encode())
    if not maps.table.meta.get("root"):
        # maps in memory have no file: their own bytes are their identity
        stacks = {}
        for source in _ends(maps.source):
            if isinstance(source, Stacked):
                stacks[source.file] = source
            elif isinstance(source, InMemory):
                digest.update(np.ascontiguousarray(source.maps).view(np.uint8).data)
        for stack in stacks.values():
            digest.update(stack.digest())
    return digest.hexdigest()[:24]


def _ends(source: Any) -> list[Any]:
    """What a source is made of in the end."""
    while isinstance(source, Selected | Mapped | Tiled):
        source = source.parent
    several = getattr(source, "parents", None)  # of redshift bins
    return [source] if several is None else [end for parent in several for end in _ends(parent)]


def _locked(path: Path) -> AbstractContextManager[object]:
    """Keep another process from building the same cache; the system lets go of the lock when a process dies."""
    try:
        return lock_file(path)
    except BlockingIOError:
        raise RuntimeError(f"another process is building the cache {path.parent}; wait until it is done") from None
