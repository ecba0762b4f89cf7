"""A movie in parts: ranges of frames that are worked on anywhere, each a file until all are there.

What a part gives does not depend on where others begin, so the parts together are what the whole gives. Their files
carry in their names what they are of, and a part whose file is there is not done again.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from awd_cme.movies.movie import Movie
from awd_cme.movies.open import MovieFile
from awd_core.files import cached_array, make_atomically
from awd_core.typing import AnyArray
from awd_core.workers import Progress, Workers

Part = tuple[int, int]

FRAMES = 50
"""Frames of a part: some seconds of work, beside which the few that are read twice are nothing."""


def parts_of(count: int) -> list[Part]:
    """The parts of a movie of so many frames: begin and end of each.

    Examples
    --------
    >>> parts_of(120)
    [(0, 50), (50, 100), (100, 120)]
    """
    return [(start, min(start + FRAMES, count)) for start in range(0, count, FRAMES)]


def file_of(movie: Movie) -> MovieFile:
    """How workers open the movie.

    Raises
    ------
    ValueError
        If it lies in no file.
    """
    if movie.file is None:
        raise ValueError(
            "several workers need a movie that lies in files, since each opens it for itself, and this one was made in "
            "memory; write it (write_movie) and open that, or give workers=1"
        )
    return movie.file


def key_of(*facts: Any) -> str:
    """Short name for what determines a part: numbers, names, arrays.

    Examples
    --------
    >>> key_of("spots", 1.4) == key_of("spots", 1.4), key_of("spots", 1.4) == key_of("spots", 1.5)
    (True, False)
    """
    found = hashlib.sha256()
    for fact in facts:
        found.update(np.ascontiguousarray(fact).data if isinstance(fact, np.ndarray) else repr(fact).encode())
    return found.hexdigest()[:12]


@contextmanager
def place_for_parts(folder: str | os.PathLike[str] | None) -> Iterator[Path]:
    """The folder for the files of parts: that which was given, or one that is removed again."""
    if folder is not None:
        Path(folder).mkdir(parents=True, exist_ok=True)
        yield Path(folder).absolute()
        return
    with tempfile.TemporaryDirectory(prefix="awd-cme-") as made:
        yield Path(made)


def in_parts(
    crew: Workers,
    work: Callable[[Part], AnyArray],
    parts: Sequence[Part],
    folder: Path,
    key: str,
    *,
    what: str = "",
    progress: Progress | None = None,
) -> Iterator[AnyArray]:
    """Do all parts on workers, then hand them out one by one.

    Parameters
    ----------
    crew : Workers
        Who does it.
    work : callable
        Of a part; a `functools.partial` of a module's function.
    parts : sequence of (int, int)
        Begin and end of each.
    folder : Path
        For the files; all workers must reach it.
    key : str
        As `key_of` gives it.
    what : str
        What the movie is called.
    progress : callable, optional
        Called with (parts done, parts in all, what).

    Yields
    ------
    ndarray
        Of each part, in their order.

    Raises
    ------
    LostItemError
        If a part has killed its workers.
    """
    missing = [part for part in parts if cached_array(_place(folder, key, part)) is None]
    make = partial(_written, work, str(folder), key)
    for _ in crew.map(make, missing, names=partial(_name, what), progress=progress):
        pass
    for part in parts:
        yield np.load(_place(folder, key, part), allow_pickle=False)


def _written(work: Callable[[Part], AnyArray], folder: str, key: str, part: Part) -> None:
    found = work(part)
    make_atomically(_place(Path(folder), key, part), lambda beside: np.save(beside, found))


def _place(folder: Path, key: str, part: Part) -> Path:
    return folder / f"{key}-{part[0]:07d}.npy"


def _name(what: str, part: Part) -> str:
    return f"{what}{', ' if what else ''}frames {part[0]} to {part[1] - 1}"
