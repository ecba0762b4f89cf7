"""Which files of a folder are looked at, by their names, and in which order."""

import re
from collections.abc import Iterator
from pathlib import Path

ENDINGS = (".tif", ".tiff", ".stk", ".btf", ".tf8", ".tf2")
"""How the names of movies and images end that are looked at in folders, in small or capital letters."""


def natural(name: str) -> list[tuple[int, str]]:
    """Key that sorts numbers in names by their value, and before letters.

    Examples
    --------
    >>> sorted(["frame10", "frame2", "TagRFP", "488nm"], key=natural)
    ['488nm', 'TagRFP', 'frame2', 'frame10']
    """
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]


def printable(name: str) -> str:
    r"""A name for tables and pages: bytes that are no UTF-8, which Python keeps aside, are spelled out.

    Examples
    --------
    >>> print(printable("Zelle\udce4"), printable("Zelle ä"))
    Zelle\udce4 Zelle ä
    """
    return name.encode(errors="backslashreplace").decode()


def is_image(path: Path) -> bool:
    """Whether a file is a TIFF file by its name.

    Examples
    --------
    >>> is_image(Path("Cell1_1s/Movie.TIF")), is_image(Path("Cell1_1s/._Movie.TIF"))
    (True, False)
    """
    return path.suffix.lower() in ENDINGS and not is_hidden(path.name)


def is_hidden(name: str) -> bool:
    """Whether a name begins with a dot: macOS keeps `._movie.tif` beside movie.tif on disks that are not its own."""
    return name.startswith(".")


def images_in(folder: Path) -> list[Path]:
    """TIFF files right in a folder, in natural order; hidden ones are left out."""
    found = (item for item in folder.iterdir() if is_image(item) and not item.is_dir())
    return sorted(found, key=lambda path: natural(path.name))


def folders_in(folder: Path) -> list[Path]:
    """Folders right in a folder, in natural order; hidden ones are left out."""
    found = (item for item in folder.iterdir() if item.is_dir() and not is_hidden(item.name))
    return sorted(found, key=lambda path: natural(path.name))


def below(folder: Path, pattern: str) -> Iterator[Path]:
    """What fits a pattern of `Path.rglob` below a folder; nothing that is hidden, or lies in a hidden folder there."""
    return (item for item in folder.rglob(pattern) if not any(map(is_hidden, item.relative_to(folder).parts)))
