"""Movies whose frames lie in several files, each of which says so: OME-TIFF, and Micro-Manager's stacks.

A file may name others that its pixels come from. They lie beside it, or in folders there: a name that leads elsewhere
is refused before anything there is opened, since a file that was sent by somebody is no reason to read another.
"""

import os
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from xml.etree import ElementTree

import tifffile

from awd_core.files import refuse_entities

UNREADABLE = (
    struct.error, KeyError, IndexError, TypeError, AttributeError, ArithmeticError, AssertionError, MemoryError,
    RecursionError, NotImplementedError, ElementTree.ParseError,
)  # fmt: skip
"""What tifffile raises of files that are damaged, beside its own error."""


class OutsideError(ValueError):
    """A file names one that lies elsewhere, or declares entities, which may."""


@dataclass(frozen=True)
class FileSet:
    """The files that a movie's pixels come from, as one of them tells.

    Attributes
    ----------
    files : tuple of Path
        This file first, as it was given; others as links lead to them.
    begins : bool
        Whether the movie can be opened here; otherwise the second file is where.
    """

    files: tuple[Path, ...]
    begins: bool = True


def file_set(path: Path) -> FileSet:
    """The set that a TIFF file belongs to; the file alone, if it cannot be read.

    Raises
    ------
    ValueError
        If it names a file that lies elsewhere.
    """
    try:
        with tifffile.TiffFile(path) as tif:
            return named_files(tif, path)
    except OutsideError:
        raise
    except (*UNREADABLE, OSError, ValueError, tifffile.TiffFileError):
        return FileSet((path,))  # what is wrong with it is said when it is opened as a movie


def named_files(tif: tifffile.TiffFile, path: Path) -> FileSet:
    """The set of an open file.

    Raises
    ------
    ValueError
        If it names a file that lies elsewhere.
    """
    others: dict[Path, None] = {}
    if tif.is_ome and (root := _parsed(tif.ome_metadata, path)) is not None:
        for element in root:
            if element.tag.endswith("BinaryOnly"):
                main = _inside(element.attrib.get("MetadataFile") or path.name, path)
                return FileSet((path, main), begins=False)
        own = root.attrib.get("UUID")
        for element in (uuid for data in root.iter() if data.tag.endswith("TiffData") for uuid in data):
            name = element.attrib.get("FileName", "")
            if element.tag.endswith("UUID") and own is None and name.lower() == path.name.lower():
                own = element.text
            elif element.tag.endswith("UUID") and name and element.text != own:
                others[_inside(name, path)] = None
    if getattr(tif, "is_mmstack", False) or getattr(tif, "is_ndtiff", False):
        pages = (page for series in tif.series for page in series.pages if page is not None)
        others |= dict.fromkeys(files_of_pages(pages, path))
    return FileSet((path, *(item for item in others if item != path)))


def files_of_pages(pages: Iterable[tifffile.TiffPage | tifffile.TiffFrame], path: Path) -> list[Path]:
    """The files that pages of a file lie in.

    Raises
    ------
    ValueError
        If one lies elsewhere than this file.
    """
    found = dict.fromkeys(str(page.parent.filehandle.path) for page in pages)
    here = Path(os.path.realpath(path))
    return [path if name == str(here) else _inside(os.path.relpath(name, here.parent), path) for name in found]


def movies_in(files: Sequence[Path]) -> list[Path]:
    """One file for each movie that some files hold: of a set that lies in several, the one to open.

    Raises
    ------
    ValueError
        If none of the files of a set names all others, or a file names one that lies elsewhere.
    """
    told = {file: file_set(file) for file in files}
    joined = {file: file for file in told}
    real = {Path(os.path.realpath(file)): file for file in told}

    def first_of(file: Path) -> Path:
        while joined[file] != file:
            file = joined[file]
        return file

    for file, known in told.items():
        for other in known.files[1:]:
            if other in real:
                joined[first_of(real[other])] = first_of(file)
    sets: dict[Path, list[Path]] = {}
    for file in told:
        sets.setdefault(first_of(file), []).append(file)
    movies = []
    for members in sets.values():
        main = max(members, key=lambda file: (told[file].begins, len(told[file].files)))
        named = {main, *(real.get(file) for file in told[main].files[1:])}
        if missing := [file.name for file in members if file not in named]:
            raise ValueError(
                f"{main} and {missing[0]} name each other's files as parts of a movie, but neither names all: put each "
                "movie into a folder of its own, or export it anew"
            )
        movies.append(main)
    return movies


def _parsed(text: str | None, path: Path) -> ElementTree.Element | None:
    try:
        refuse_entities(text or "", path)
    except ValueError as error:
        raise OutsideError(str(error)) from error
    try:
        return ElementTree.fromstring(text or "")  # noqa: S314 — tifffile parses the same text to find the pages
    except ElementTree.ParseError:
        return None


def _inside(name: str, path: Path) -> Path:
    """The file of a name that a file tells, if it lies beside it or in a folder there, links followed."""
    folder = Path(os.path.realpath(path)).parent  # tifffile takes names from there
    found = Path(os.path.realpath(folder / name))
    told = PureWindowsPath(name)  # it takes both kinds of slashes
    if ".." in told.parts or told.anchor or not found.is_relative_to(folder):
        raise OutsideError(
            f"{path} says that its images lie in {name!r}, outside its own folder, which is not followed: put all "
            "files of the movie into one folder, as they are and not as links, and open it there"
        )
    return found
