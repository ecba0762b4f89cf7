"""Units of time and length as files write them, and the frame interval that names of files and folders give."""

import os
import re
from pathlib import Path
from typing import Any, NamedTuple

SECONDS = {"s": 1.0, "sec": 1.0, "second": 1.0, "sek": 1.0, "sekunde": 1.0, "ms": 1e-3, "msec": 1e-3}
SECONDS |= {"millisecond": 1e-3, "us": 1e-6, "usec": 1e-6, "microsecond": 1e-6, "ns": 1e-9, "nsec": 1e-9}
SECONDS |= {"nanosecond": 1e-9, "min": 60.0, "minute": 60.0, "h": 3600.0, "hr": 3600.0, "hour": 3600.0}
SECONDS |= {"d": 86400.0, "day": 86400.0}
"""Length of each unit of time, in seconds, by the word that `spelled` makes of it."""

MICROMETRES = {"um": 1.0, "micron": 1.0, "micrometer": 1.0, "micrometre": 1.0, "mikrometer": 1.0, "mikron": 1.0}
MICROMETRES |= {"nm": 1e-3, "nanometer": 1e-3, "nanometre": 1e-3, "pm": 1e-6, "picometer": 1e-6, "picometre": 1e-6}
MICROMETRES |= {"å": 1e-4, "angstrom": 1e-4, "ångström": 1e-4, "mm": 1e3, "millimeter": 1e3, "millimetre": 1e3}
MICROMETRES |= {"cm": 1e4, "centimeter": 1e4, "centimetre": 1e4, "m": 1e6, "meter": 1e6, "metre": 1e6}
MICROMETRES |= {"inch": 25400.0, "inche": 25400.0}
"""Each unit of length, in micrometres, likewise."""

PIXELS = ("pixel", "px", "pix", "pxl")
"""What a pixel is called, likewise."""

# The letter µ: two characters that look alike, both as `casefold` gives them; as ImageJ escapes it; as UTF-8 that was
# read as something else, and the other way round.
_MICRO = ("\\u00b5", "âμ", "î¼", "\N{GREEK SMALL LETTER MU}", "\ufffd\ufffd", "\ufffd")

# `_1.5s` and `_100ms`, as cmeAnalysis expects them in the name of a cell's folder.
_INTERVAL = r"_(\d+(?:\.\d+)?|\.\d+)(ms|s)"


class Fact(NamedTuple):
    """A value, None where it is unknown, and a sentence that says where it came from."""

    value: Any
    origin: str


def spelled(unit: str) -> str:
    r"""A unit as the tables here have it: no brackets, small letters, in the singular, and u for the letter µ.

    Examples
    --------
    >>> [spelled(unit) for unit in ("(\N{GREEK SMALL LETTER MU}m)", r"\u00B5m", "Microns", "[Sec.]", "PIXELS")]
    ['um', 'um', 'micron', 'sec', 'pixel']
    """
    word = " ".join(unit.split()).strip("()[]{}<>. ").casefold()
    for letter in _MICRO:
        word = word.replace(letter, "u")
    single = word.removesuffix("s")
    known = {*SECONDS, *MICROMETRES, *PIXELS}
    return single if word not in known and single in known else word


def known_lengths() -> str:
    """The units of length that are known, for messages."""
    return "pixel, µm (um, micron, micrometer), nm, mm, cm, m, Å, inch, in any usual spelling"


def interval_in_path(path: str | os.PathLike[str]) -> Fact:
    """Frame interval in seconds that the name of a file or of a folder above it gives.

    The nearest name that gives any is taken: cmeAnalysis puts the interval into the name of the cell's folder, and a
    condition above it may tell a time of its own, as in "drug_300s/Cell1_1s". Within one name nothing tells which of
    several times is the interval, so different ones there mean that it is unknown.

    Parameters
    ----------
    path : str or path
        File or folder; it need not exist.

    Returns
    -------
    Fact
        Seconds, or None where no name gives an interval, or the nearest that does gives different ones.

    Examples
    --------
    >>> interval_in_path("/data/control/Cell3_1.5s/Ch1").value, interval_in_path("Cell1_100ms.tif").value
    (1.5, 0.1)
    >>> interval_in_path("/data/488nm/movie.tif").origin
    'unknown: neither the file nor its path says; give seconds_per_frame'
    """
    for name in reversed(Path(path).parts):
        found = {float(number) * SECONDS[unit] for number, unit in re.findall(_INTERVAL + r"(?![A-Za-z0-9])", name)}
        found -= {0.0}
        if len(found) > 1:
            return Fact(None, f"unknown: the name {name!r} gives several numbers of seconds; give seconds_per_frame")
        if found:
            return Fact(found.pop(), f"the name {name!r} in the path")
    return Fact(None, "unknown: neither the file nor its path says; give seconds_per_frame")


def without_interval(name: str) -> str:
    """A name without the frame interval at its end.

    Examples
    --------
    >>> without_interval("Cell3_1.5s")
    'Cell3'
    """
    return re.sub(_INTERVAL + "$", "", name)
