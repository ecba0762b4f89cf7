"""Files that are there whole or not at all.

Whatever is written lies beside its place, under a hidden name of its own, until it is complete; then it is renamed.
Who is killed in between leaves what was there before, and at most that hidden file. Two processes that write the same
place do not mix: the later one wins.
"""

import errno
import json
import math
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from awd_core.files.damage import parse_json


def write_atomically(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file of which nobody ever sees a part.

    Parameters
    ----------
    path : str or path
        The file; its folder must exist. A link is followed.
    content : bytes
        All that the file shall hold.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist.
    TypeError
        If the content is not bytes.

    Examples
    --------
    >>> import tempfile
    >>> place = Path(tempfile.mkdtemp()) / "taps.txt"
    >>> write_atomically(place, b"0.7071 0.7071")
    >>> place.read_bytes()
    b'0.7071 0.7071'
    """
    if not isinstance(content, bytes):
        raise TypeError(f"the content of a file must be bytes, got {type(content).__name__}; encode text first")

    def write(beside: Path) -> None:
        with beside.open("xb") as file:
            file.write(content)

    make_atomically(path, write)


def write_json(path: str | os.PathLike[str], value: Any, *, indent: int | None = 2) -> None:
    """Write JSON values to a file for people and programs alike: indented, UTF-8, whole or not at all.

    Parameters
    ----------
    path : str or path
        The file; its folder must exist.
    value : any
        Of what JSON has a word for; NaN and infinity are refused, since it has none for them.
    indent : int or None
        Spaces of each level; None for one line.

    Raises
    ------
    TypeError, ValueError
        If JSON has no word for the value.
    FileNotFoundError
        If the folder does not exist.

    Examples
    --------
    >>> import tempfile
    >>> place = Path(tempfile.mkdtemp()) / "count.json"
    >>> write_json(place, {"count": 1})
    >>> print(place.read_text(), end="")
    {
      "count": 1
    }
    """
    write_atomically(path, json_bytes(value, indent=indent))


def json_bytes(value: Any, *, indent: int | None = 2) -> bytes:
    """What `write_json` writes."""
    text = json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False)
    # Of a file's name that is no UTF-8, Python keeps the bytes as lone surrogates, which JSON spells as Python does.
    return f"{text}\n".encode(errors="backslashreplace")


def read_json(path: str | os.PathLike[str], advice: str = "delete it and start the run again") -> Any:
    """JSON values of a file.

    Parameters
    ----------
    path : str or path
        The file.
    advice : str
        What to do if it is damaged, for the message.

    Raises
    ------
    FileNotFoundError
        If it is not there.
    ValueError
        If it is damaged; the message names it.
    """
    file = Path(path)
    try:
        return parse_json(file.read_bytes())
    except ValueError as error:
        raise ValueError(f"{file} is damaged: {file.name} cannot be read as JSON ({error}); {advice}") from error


def json_values(value: Any) -> Any:
    """Records and rows as JSON has them: None for what is not finite, lists for tuples.

    Examples
    --------
    >>> json_values({"scores": (0.5, math.nan)})
    {'scores': [0.5, None]}
    """
    if isinstance(value, dict):
        return {key: json_values(element) for key, element in value.items()}
    if isinstance(value, list | tuple):
        return [json_values(element) for element in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@contextmanager
def _named(target: Path) -> Iterator[None]:
    """Give an error of the system, such as a full disk, the name of what was to be written, which it lacks."""
    try:
        yield
    except OSError as error:
        if error.errno is None and "requested and" in str(error):  # NumPy says so of a full disk
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), os.fspath(target)) from error
        if error.errno is not None and error.filename is None:
            error.filename = os.fspath(target)
        raise


def make_atomically(path: str | os.PathLike[str], make: Callable[[Path], object]) -> None:
    """Have a file or a folder made beside its place, and move it there when it is whole.

    For what is written by somebody else's code, which takes a path.

    Parameters
    ----------
    path : str or path
        The file, or the folder; the folder that it lies in must exist. A link is followed. A file takes the place of
        an earlier one; a folder does not.
    make : callable
        Called with a path at which nothing lies yet, in the same folder and with the same ending, to make the file
        or the folder there. What it returns is ignored. If it raises, what it has made is removed. A file that takes
        the place of another gets its permissions.

    Raises
    ------
    FileNotFoundError
        If the folder that it lies in does not exist, or `make` has made nothing.
    OSError
        If a folder was made and `path` is a folder with something in it, or a file; or a file was made and `path` is
        a folder.

    Notes
    -----
    A file is brought to the disk before it is renamed, so that a power cut does not leave an empty one. The files in
    a folder are left to whoever wrote them.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> place = Path(tempfile.mkdtemp()) / "taps.npy"
    >>> make_atomically(place, lambda beside: np.save(beside, [0.6, 0.8]))
    >>> np.load(place)
    array([0.6, 0.8])
    """
    target = Path(os.path.realpath(path))
    if not target.parent.is_dir():
        raise FileNotFoundError(f"cannot write {target}: the folder {target.parent} does not exist")
    # The ending stays: some writers go by it, and some add it where it lacks.
    beside = target.with_name(f".{target.stem}.{secrets.token_hex(4)}.tmp{target.suffix}")
    try:
        with _named(target):
            make(beside)
            if not beside.exists():
                raise FileNotFoundError(f"cannot write {target}: nothing was made at the path {beside} that was given")
            if beside.is_file():
                if target.is_dir():
                    raise IsADirectoryError(f"cannot write {target}: it is a folder; give the name of a file")
                with beside.open("rb+") as file:
                    os.fsync(file.fileno())
                with suppress(OSError):  # nothing is there yet, or the file system knows no permissions
                    beside.chmod(stat.S_IMODE(target.stat().st_mode))
            beside.replace(target)
    finally:
        if beside.is_dir():
            shutil.rmtree(beside, ignore_errors=True)
        else:
            beside.unlink(missing_ok=True)
