"""One block of a cache of maps: what it is made of, how it is written, and the mark that says that it is there.

A block is written by whoever is given it, in this process or in another: the files are read and digested, and the
block's own chunk is written, then its mark, which holds three digests: of the states of its
files, of their contents, and of the chunk itself.
"""

import hashlib
import io
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from awd_core.files import BlockStore, Kind
from awd_core.workers import available_cores
from awd_cosmo.formats.archives import MEMBER, read_bytes
from awd_cosmo.maps.sources import Maps, Source

DIGEST = 16
"""Bytes of a digest."""
MAPS = Kind("maps", "awd_cache", "MapSet.cached", mark=(3 * DIGEST,), compressors=None)

State = tuple[int, int, int]
"""Size of a file, and the times of its content and of its inode."""
Mark = npt.NDArray[np.uint8]


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


def write_blocks(folder: str, threads: int | None, blocks: list[Block]) -> list[None]:
    """Write some blocks, one after the other, as `write_block` does."""
    for block in blocks:
        write_block(folder, threads, block)
    return [None] * len(blocks)


def write_block(folder: str, threads: int | None, block: Block) -> None:
    """Read a block's maps, and put them into the cache in a folder.

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
    before = file_states(block.files)
    pixels = block.source(np.arange(block.count), threads, None)
    contents = digest_of_contents(block.files, threads)
    now = file_states(block.files)
    for name, path in block.files.items():
        if now[name] != before[name]:
            raise RuntimeError(f"{path} changed while it was read; start again when it is whole")
    place = Path(folder)
    store = _opened(folder, file_state(str(place / "zarr.json")))
    if store.mark(block.number).any():  # of what the files held before
        store.set_mark(block.number, 0)
    store.put(block.number, pixels)
    with chunk_path(place, block.number).open("rb+") as file:
        os.fsync(file.fileno())
    store.set_mark(block.number, mark_of(digest_of_states(before), contents, digest_of_pixels(pixels)))


def mark_of(states: bytes, contents: bytes, pixels: bytes) -> Mark:
    """The mark of a block whose files and chunk have these digests."""
    return np.frombuffer(states + contents + pixels, np.uint8)


def digest_of_pixels(pixels: Maps) -> bytes:
    """Digest of maps as they lie in a chunk."""
    return hashlib.blake2b(np.ascontiguousarray(pixels, "<f4").data, digest_size=DIGEST).digest()


def digest_of_chunk(folder: Path, number: int, size: int) -> bytes:
    """Digest of the first bytes of a chunk, which are those of its maps."""
    with io.FileIO(chunk_path(folder, number)) as file:
        return hashlib.blake2b(file.read(size) or b"", digest_size=DIGEST).digest()


def digest_of_states(states: Mapping[str, State]) -> bytes:
    """Digest of the states of a block's files."""
    return _digest(sorted(states.items()))


def digest_of_contents(files: Mapping[str, str], threads: int = 1) -> bytes:
    """Digest of what a block's files hold; raises OSError or ValueError where one is gone or damaged."""
    with ThreadPoolExecutor(max(1, threads)) as pool:
        return _digest(sorted(zip(files, pool.map(file_digest, files.values()), strict=True)))


def file_states(files: Mapping[str, str]) -> dict[str, State]:
    """State of each file, by its name; a tar, which holds many maps, is looked at once."""
    state, found = cache(file_state), {}
    for name, path in files.items():
        archive, member, _ = path.partition(".tar" + MEMBER)
        found[name] = state(f"{archive}.tar") if member else state(path)
    return found


def file_state(path: str) -> State:
    """State of a file; (−1, −1, −1) if it is gone."""
    try:
        status = Path(path).stat()
    except OSError:
        return (-1, -1, -1)
    return (status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def file_digest(path: str) -> str:
    """Digest of the bytes of a file, or of a member of a tar."""
    return hashlib.blake2b(read_bytes(path), digest_size=DIGEST).hexdigest()


def chunk_path(folder: Path, number: int) -> Path:
    """Where the maps of a block lie."""
    return folder / MAPS.array / "c" / str(number) / "0" / "0"


def _digest(told: object) -> bytes:
    return hashlib.blake2b(repr(told).encode(), digest_size=DIGEST).digest()


@lru_cache(maxsize=4)  # one is opened for many blocks; another at the same place has another state
def _opened(folder: str, state: State) -> BlockStore:
    return BlockStore.opened(folder, MAPS)
