"""Values that a command was given, refused before any work is begun. Nothing heavy is imported here."""

import difflib
import errno
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

Kind = TypeVar("Kind")


def check_choice(name: str, value: object, allowed: Iterable[str], *, required: bool = False) -> None:
    """Refuse a value that is none of those that there are.

    Parameters
    ----------
    name : str
        Of the option or parameter, such as "--preset".
    value : str, optional
        What was given.
    allowed : iterable of str
        What there is.
    required : bool
        Whether None is refused too; otherwise it stands for a default.

    Raises
    ------
    ValueError
        If the value is another one.

    Examples
    --------
    >>> check_choice("--preset", "qick", ["quick", "full"])
    Traceback (most recent call last):
    ...
    ValueError: --preset is 'qick' (did you mean quick?); choose one of quick, full
    """
    known = list(allowed)
    if value in known or (value is None and not required):
        return
    close = difflib.get_close_matches(value, known, n=1) if isinstance(value, str) else []
    meant = f" (did you mean {close[0]}?)" if close else ""
    raise ValueError(f"{name} is {value!r}{meant}; choose one of {', '.join(known)}")


def check_kind(name: str, value: Kind, kind: Any) -> Kind:
    """Refuse what is no object of a class, such as a dict in place of settings; return it otherwise.

    Parameters
    ----------
    name : str
        Of the parameter.
    value : object
        What was given.
    kind : type
        What it must be.

    Raises
    ------
    TypeError
        If it is something else.

    Examples
    --------
    >>> check_kind("weights", {"sparsity": 1.0}, Path)
    Traceback (most recent call last):
    ...
    TypeError: weights is a dict, {'sparsity': 1.0}; give a Path
    """
    if isinstance(value, kind):
        return value
    told = " ".join(repr(value).split())
    raise TypeError(
        f"{name} is a {type(value).__name__}, {told if len(told) < 80 else told[:79] + '…'}; give a {kind.__name__}"
    )


def check_ending(path: str | os.PathLike[str], endings: Sequence[str], what: str) -> None:
    """Refuse the name of a file to be written whose ending says that it is something else; a folder is let through.

    Parameters
    ----------
    path : str or path
        The file.
    endings : sequence of str
        What its name may end in, in small or capital letters.
    what : str
        What is to be written, for the message.

    Raises
    ------
    ValueError
        If it ends otherwise.

    Examples
    --------
    >>> check_ending("tracks.xlsx", [".csv", ".csv.gz"], "a table of tracks as CSV")
    Traceback (most recent call last):
    ...
    ValueError: tracks.xlsx: a table of tracks as CSV ends in .csv or .csv.gz; name the file so
    """
    file = Path(path)
    if not file.is_dir() and not file.name.lower().endswith(tuple(endings)):
        *most, last = endings
        known = f"{', '.join(most)} or {last}" if most else last
        raise ValueError(f"{file}: {what} ends in {known}; name the file so")


def check_file(file: Path) -> None:
    """Refuse what is no file: nothing, or a folder.

    Raises
    ------
    FileNotFoundError
        If it is not there, or a folder.

    Examples
    --------
    >>> check_file(Path("wavelets/none.json"))
    Traceback (most recent call last):
    ...
    FileNotFoundError: [Errno 2] there is no file wavelets/none.json; check the name: 'wavelets/none.json'
    """
    if file.is_dir():
        raise FileNotFoundError(f"there is no file {file}, but a folder; check the name")
    if not file.is_file():
        # With its number and name, as the system has it: commands have one line for all such errors.
        raise FileNotFoundError(errno.ENOENT, f"there is no file {file}; check the name", str(file))


def check_files(files: Iterable[Path | None]) -> None:
    """Refuse files and folders that are not there; None stands for one that was not asked for.

    Raises
    ------
    FileNotFoundError
        If one is missing.

    Examples
    --------
    >>> check_files([None, Path("maps/mask.fits")])
    Traceback (most recent call last):
    ...
    FileNotFoundError: there is no file or folder maps/mask.fits; check the name
    """
    for file in files:
        if file is not None and not file.exists():
            raise FileNotFoundError(f"there is no file or folder {file}; check the name")
