"""Values that a command was given, refused before any work is begun. Nothing heavy is imported here."""

import difflib
from collections.abc import Iterable
from pathlib import Path


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
