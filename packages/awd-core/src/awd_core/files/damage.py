"""Files that are damaged: whatever a library makes of them becomes one error, with the file's name and a reason.

Libraries raise nearly anything over a file that is cut short or altered, and seldom name it. Here, too, is what they do
not look at: whether an .npy file is as long as its header says, whether what is packed unpacks to more than it can be
worth, and whether a name stands twice in a JSON object.
"""

import json
import os
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np

from awd_core.typing import AnyArray

ADVICE = "copy it again, or write it anew"
PICKLED = "Pickled objects are never loaded"
MOST_TIMES, FREE = 200, 1 << 24
"""Times its size that a packed file may unpack to, beyond so many bytes: deflate reaches 1000 with zeros alone, and a
survey map of which a hundredth was observed some 100."""
LONGEST = 300
"""Letters of another's message that are repeated."""
_HEADER = 1 << 16
"""Bytes of the header of an .npy file, at most."""

_PLAIN = (Warning, FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError, ImportError)


@contextmanager
def named_damage(
    place: str | os.PathLike[str], what: str, advice: str = ADVICE, make: Callable[[str], Exception] = ValueError
) -> Iterator[None]:
    """Have whatever goes wrong with a file say which file it is.

    Parameters
    ----------
    place : str or path
        The file.
    what : str
        What it is read as, with its article, for messages.
    advice : str
        What to do.
    make : callable
        Makes the error of its text.

    Raises
    ------
    ValueError
        Or what `make` makes, in place of any error of a library. Those that name the file, that are ours, or that the
        system has of a place or a disk stay as they are.

    Examples
    --------
    >>> with named_damage("X.npy", "an array"):
    ...     raise IndexError("list index out of range")
    Traceback (most recent call last):
    ...
    ValueError: X.npy cannot be read as an array; it may be damaged or cut short: IndexError: list index ...
    """
    try:
        yield
    except _PLAIN:
        raise
    except Exception as error:
        if _is_plain(error, place):
            raise
        reason = "it asks for more memory than there is" if isinstance(error, MemoryError) else in_words(error)
        told = f"{os.fspath(place)} cannot be read as {what}; it may be damaged or cut short: {reason}; {advice}"
        raise make(told) from error


def _is_plain(error: Exception, place: str | os.PathLike[str]) -> bool:
    """Whether an error says by itself what is to be known."""
    if type(error).__module__.startswith("awd_"):
        return True
    if isinstance(error, OSError) and error.errno is not None and error.filename is not None:
        return True
    return isinstance(error, (ValueError, OSError)) and Path(place).name in str(error)


def in_words(error: BaseException) -> str:
    """What another's error says, in a line that can be shown: its kind where it is no ValueError, and its text."""
    text = "".join(c if c.isprintable() else "?" for c in " ".join(str(error).split()))
    text = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
    kind = "" if type(error) is ValueError else type(error).__name__
    return ": ".join(part for part in (kind, text.rstrip(".")) if part)


# --- Arrays of NumPy --------------------------------------------------------------------------------------------------


def load_npy(path: str | os.PathLike[str], *, mmap_mode: Literal["r", "c"] | None = None) -> AnyArray:
    """The array of an .npy file, of which every byte is accounted for; pickled objects are never loaded.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is none, holds objects, or is longer or shorter than its header says.

    Examples
    --------
    >>> import tempfile
    >>> place = Path(tempfile.mkdtemp()) / "taps.npy"
    >>> np.save(place, [0.6, 0.8])
    >>> _ = place.write_bytes(place.read_bytes() + b"0")
    >>> load_npy(place)
    Traceback (most recent call last):
    ...
    ValueError: ...taps.npy cannot be read as an array of numbers; it may be damaged or cut short: it holds 145 ...
    """
    place = Path(path)
    with named_damage(place, "an array of numbers", f"save it with numpy.save. {PICKLED}"):
        with place.open("rb") as file:
            if file.read(6) != np.lib.format.MAGIC_PREFIX:
                raise ValueError(f"{place} is no .npy file, whatever its name says; write it with numpy.save")
            file.seek(0)
            _check_size(file, place.stat().st_size)
            file.seek(0)
            if mmap_mode is None:
                array: AnyArray = np.lib.format.read_array(file, allow_pickle=False)
                return array
        mapped: AnyArray = np.lib.format.open_memmap(place, mode=mmap_mode)
        return mapped


def load_npz(path: str | os.PathLike[str], *names: str) -> dict[str, AnyArray]:
    """Arrays of an .npz file by name, all of them or those that are named, in this order.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is damaged, lacks one of the names, holds objects, or arrays that are longer or shorter than they say.
    """
    place = Path(path)
    with (
        named_damage(place, "an array", f"save it with numpy.savez. {PICKLED}"),
        place.open("rb") as file,  # opened here, since NumPy leaves a damaged archive open
        zipfile.ZipFile(file) as archive,
    ):
        if any(member.compress_size > place.stat().st_size for member in archive.infolist()):
            raise ValueError("a member of it is larger than all of it")
        there = {name.removesuffix(".npy"): name for name in archive.namelist()}
        if missing := [name for name in names if name not in there]:
            held = ", ".join(there) or "nothing"
            raise ValueError(f"{place} lacks the arrays {', '.join(missing)}; it holds {held}")
        return {name: _member(archive, there[name], place) for name in names or there}


def _member(archive: zipfile.ZipFile, name: str, place: Path) -> AnyArray:
    size = archive.getinfo(name).file_size
    with archive.open(name) as file, named_damage(place, "an array", f"save {name} again. {PICKLED}"):
        _check_size(file, size)
        file.seek(0)
        array: AnyArray = np.lib.format.read_array(file, allow_pickle=False)
        if file.read(1):  # which has the sum over all of it compared, too
            raise ValueError("it is longer than it says")
        return array


def _check_size(file: IO[bytes], size: int) -> None:
    """Refuse an array whose header promises more or less than there is, before room is made for it."""
    version = np.lib.format.read_magic(file)
    header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(version)
    if header is None:
        raise ValueError(f"its version is {version}")
    shape, _, dtype = header(file, max_header_size=_HEADER)
    if dtype.hasobject:
        raise ValueError("it holds pickled objects")
    promised = file.tell() + dtype.itemsize * int(np.prod([int(side) for side in shape], dtype=object))
    if promised != size or any(side < 0 for side in shape):
        raise ValueError(f"it holds {size} bytes, and its header promises {promised}")


# --- What is packed ---------------------------------------------------------------------------------------------------


def check_unpacked(place: str | os.PathLike[str], packed: int, unpacked: int) -> None:
    """Refuse what unpacks to far more than its size: a file that was made to fill the memory.

    Raises
    ------
    ValueError
        If it does.

    Examples
    --------
    >>> check_unpacked("bomb.gz", 1 << 20, 1 << 30)
    Traceback (most recent call last):
    ...
    ValueError: bomb.gz holds 1.0 MiB that unpack to 1024 MiB or more, ...; if you trust it, unpack it first
    """
    if unpacked > max(FREE, MOST_TIMES * packed):
        raise ValueError(
            f"{os.fspath(place)} holds {packed / 2**20:.1f} MiB that unpack to {unpacked / 2**20:.0f} MiB or more, "
            "which is no sound file's share; if you trust it, unpack it first"
        )


def check_archive(place: str | os.PathLike[str], archive: zipfile.ZipFile) -> None:
    """Refuse a zip file of which a member unpacks to far more than its size, or is larger than the file."""
    whole = Path(place).stat().st_size
    for member in archive.infolist():
        if member.compress_size > whole:
            raise ValueError(f"{os.fspath(place)} is damaged: it has {whole} bytes, {member.filename} in it more")
        check_unpacked(f"{os.fspath(place)}:{member.filename}", member.compress_size, member.file_size)


class Unpacked:
    """The content of a gzip file, unpacked as far as it is asked for.

    Parameters
    ----------
    packed : bytes
        The file.
    place : str
        Its name, for messages.
    zlib_only : bool
        Whether it is packed as zlib does by itself, as a part of a file, and not as gzip does.
    """

    def __init__(self, packed: bytes, place: str, *, zlib_only: bool = False) -> None:
        self._packed, self._place, self._left = packed, place, packed
        self._bits = 15 if zlib_only else 31
        self._unpacker = zlib.decompressobj(self._bits)
        self._parts: list[bytes] = []
        self._size = 0

    def up_to(self, size: int) -> bytes:
        """So many of its bytes; fewer, if it ends before.

        Raises
        ------
        ValueError, zlib.error, EOFError
            If it is damaged, cut short, or made to fill the memory.
        """
        while self._size < size:
            part = self._unpacker.decompress(self._left, min(size - self._size, 1 << 20))
            self._left = self._unpacker.unconsumed_tail
            self._parts.append(part)
            self._size += len(part)
            check_unpacked(self._place, len(self._packed), self._size)
            if self._unpacker.eof:
                self._left = self._unpacker.unused_data.lstrip(b"\0")
                if not self._left:
                    break
                self._unpacker = zlib.decompressobj(self._bits)  # gzip files may stand one behind the other
            elif not part and not self._left:
                raise EOFError("it ends before its end mark")
        self._parts = [b"".join(self._parts)]
        return self._parts[0] if size >= self._size else self._parts[0][:size]

    def whole(self) -> bytes:
        """All of it."""
        return self.up_to(1 << 62)


# --- XML --------------------------------------------------------------------------------------------------------------


def refuse_entities(content: bytes | str, place: str | os.PathLike[str]) -> None:
    """Refuse XML that declares what it is to be replaced by: entities fill the memory, or name files of this machine.

    Parameters
    ----------
    content : bytes or str
        The document, or its first megabyte: declarations stand in front of the first element.
    place : str or path
        The file, for the message.

    Raises
    ------
    ValueError
        If it has a document type declaration.

    Examples
    --------
    >>> refuse_entities('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "some.xml")
    Traceback (most recent call last):
    ...
    ValueError: some.xml declares a document type or entities, which are not read; export it without
    """
    text = content if isinstance(content, bytes) else content.encode(errors="replace")
    if re.search(rb"<!\s*(DOCTYPE|ENTITY)", text.replace(b"\0", b"")):  # UTF-16 has zeros between the letters
        raise ValueError(
            f"{os.fspath(place)} declares a document type or entities, which are not read; export it without"
        )


# --- JSON -------------------------------------------------------------------------------------------------------------


def parse_json(content: bytes | str) -> Any:
    """JSON values; ValueError where the content is none, is too deep, or has a name twice in an object.

    Examples
    --------
    >>> parse_json('{"seed": 0, "seed": 1}')
    Traceback (most recent call last):
    ...
    ValueError: it has "seed" twice in one object
    """
    try:
        return json.loads(content, object_pairs_hook=_once)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"it has {json.dumps(twice, ensure_ascii=False)} twice in one object")
    return found
