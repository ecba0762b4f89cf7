"""One block of a cache of maps: what it is made of, how it is written, and the line that says that it is there.

A block is written by whoever is given it, in this process or in another: the files are read and digested, and the
block's own chunk is written. What comes back is the state and the digest of each file.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from awd_core.files import make_atomically
from awd_core.workers import available_cores
from awd_cosmo.formats.archives import MEMBER, read_bytes
from awd_cosmo.maps.sources import Source

State = tuple[int, int, int]
"""Size of a file, and the times of its content and of its inode."""
Contents = dict[str, tuple[State, str]]
"""{file: (state, digest)} of the files of a block."""


@dataclass(frozen=True)
class Block:
    """A block that is to be written.

    Attributes
    ----------
    number : int
        Of the block.
    first, count : int
        Its rows of the array.
    source : Source
        Gives their maps, rows 0 to count − 1.
    files : mapping of str to str
        Path of each file that they come from, by the name that the table has.
    """

    number: int
    first: int
    count: int
    source: Source
    files: Mapping[str, str]


@dataclass
class Record:
    """The finished blocks of a cache with the contents of their files: a line each, of which the place is kept."""

    path: Path
    places: dict[int, tuple[int, int]] = field(default_factory=dict)
    """{block: (where its line begins, its length)}, in bytes."""

    @classmethod
    def read(cls, folder: Path) -> "Record":
        """What a cache has."""
        record = cls(folder / "blocks.jsonl")
        if not record.path.is_file():
            return record
        place = 0
        with record.path.open("rb") as lines:
            for line in lines:
                with suppress(ValueError, KeyError, TypeError, IndexError):  # the line that a kill broke off
                    record.places[_entry(line)[0]] = (place, len(line))
                place += len(line)
        return record

    def contents(self, block: int) -> Contents:
        """The files of a block."""
        start, length = self.places[block]
        with self.path.open("rb") as file:
            file.seek(start)
            return _entry(file.read(length))[1]

    def add(self, block: int, files: Contents) -> None:
        """Add a block, which is on the disk."""
        line = block_line(block, files)
        with self.path.open("ab") as file:
            # a line that was broken off before must not swallow this one
            file.write(b"\n")
            place = (file.tell(), len(line))
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
        self.places[block] = place

    def rewrite(self, newer: Mapping[int, bytes] | None = None) -> None:
        """Write all lines anew, in order; some of them, by block, as they are given."""
        lines = newer or {}

        def write(beside: Path) -> None:
            with self.path.open("rb") as old, beside.open("xb") as new:
                for block, (start, length) in sorted(self.places.items()):
                    old.seek(start)
                    new.write(lines[block] if block in lines else old.read(length))

        make_atomically(self.path, write)
        self.places = Record.read(self.path.parent).places


class States:
    """States of files; a tar, which holds the maps of many rows, is looked at once."""

    def __init__(self) -> None:
        self._known: dict[str, State] = {}

    def of(self, files: Mapping[str, str]) -> dict[str, State]:
        """State of each file, by its name."""
        return {name: self._state(path) for name, path in files.items()}

    def _state(self, path: str) -> State:
        archive, found, _ = path.partition(".tar" + MEMBER)
        if not found:
            return file_state(path)
        if archive not in self._known:
            self._known[archive] = file_state(archive + ".tar")
        return self._known[archive]


def file_state(path: str) -> State:
    """State of a file; (−1, −1, −1) if it is gone."""
    try:
        status = Path(path).stat()
    except OSError:
        return (-1, -1, -1)
    return (status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def write_blocks(folder: str, threads: int | None, blocks: list[Block]) -> list[Contents]:
    """Write some blocks, one after the other, as `write_block` does."""
    return [write_block(folder, threads, block) for block in blocks]


def write_block(folder: str, threads: int | None, block: Block) -> Contents:
    """Read a block's maps and put them into its chunk of the array in a folder.

    Parameters
    ----------
    folder : str
        The cache.
    threads : int, optional
        That read; as many as this process has cores if not given.
    block : Block
        What to write. Its maps are what this needs memory for.

    Raises
    ------
    RuntimeError
        If a file changes meanwhile.
    BadMap, OSError
        If a map is bad; if the disk is full.
    """
    threads = available_cores() if threads is None else threads
    before = States().of(block.files)
    pixels = block.source(np.arange(block.count), threads, None)
    with ThreadPoolExecutor(max(1, threads)) as pool:
        digests = dict(zip(block.files, pool.map(file_digest, block.files.values()), strict=True))
    for name, state in States().of(block.files).items():
        if state != before[name]:
            raise RuntimeError(f"{block.files[name]} changed while it was read; start again when it is whole")
    place = chunk_path(Path(folder), block.number)
    place.unlink(missing_ok=True)  # it may share its bytes with the earlier cache
    description = Path(folder) / "maps.zarr" / "zarr.json"
    array = _array(str(description.parent), file_state(str(description)))
    array[block.first : block.first + block.count] = pixels
    with place.open("rb+") as file:
        os.fsync(file.fileno())
    return {name: (before[name], digests[name]) for name in block.files}


def file_digest(path: str) -> str:
    """Digest of the bytes of a file, or of a member of a tar."""
    return hashlib.blake2b(read_bytes(path), digest_size=16).hexdigest()


def chunk_path(folder: Path, number: int) -> Path:
    """Where the maps of a block lie."""
    return folder / "maps.zarr" / "c" / str(number) / "0" / "0"


@lru_cache(maxsize=4)  # one is opened for many blocks; another at the same place has another state
def _array(place: str, state: State) -> Any:
    import zarr

    # Without it, zarr leaves out a block in which nothing was observed, and then it is not there.
    with zarr.config.set({"array.write_empty_chunks": True}):
        return zarr.open_array(place, mode="r+")


def block_line(block: int, files: Contents) -> bytes:
    """The line of a block."""
    return json.dumps({"block": block, "files": files}, ensure_ascii=False).encode(errors="backslashreplace") + b"\n"


def _entry(line: bytes) -> tuple[int, Contents]:
    entry = json.loads(line)
    files = {name: ((s[0], s[1], s[2]), digest) for name, (s, digest) in entry["files"].items()}
    return int(entry["block"]), files
