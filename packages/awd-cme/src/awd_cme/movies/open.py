"""Movies: opening them, whatever TIFF files they lie in, and writing them.

A movie is (t, c, y, x) whatever the file's order of axes. Opening one finds out where the frames lie; a frame is read
when it is asked for, so that a movie of any size needs the memory of one. What is known of a movie comes with a
sentence that says where it was found (`Movie.origin`).
"""

import difflib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from awd_cme.movies.file_names import folders_in, images_in
from awd_cme.movies.metadata import NOTHING
from awd_cme.movies.movie import DEFAULT_CHANNELS as DEFAULT_CHANNELS
from awd_cme.movies.movie import Movie, default_names
from awd_cme.movies.stacks import Stack, open_stack
from awd_cme.movies.units import Fact, interval_in_path
from awd_cme.movies.writer import write_movie
from awd_core.checks import is_whole_number, whole_number
from awd_core.typing import AnyArray

_UNKNOWN = NOTHING.seconds_per_frame

__all__ = ["DEFAULT_CHANNELS", "Movie", "MovieFile", "open_movie", "write_movie"]


@dataclass(frozen=True)
class MovieFile:
    """How a movie was opened: what travels to another process in place of the movie.

    Attributes
    ----------
    paths : tuple of str
        Files and folders, absolute.
    listed : bool
        Whether they were given as a list.
    options : tuple of (str, object)
        The other arguments of `open_movie`.
    others : tuple of str
        Files that frames come from though they are neither among the paths nor images in such a folder.
    """

    paths: tuple[str, ...]
    listed: bool
    options: tuple[tuple[str, Any], ...]
    others: tuple[str, ...] = ()

    def open(self) -> Movie:
        """The movie; a process opens it once, as long as its files stay as they are."""
        return _opened(self, self.identity())

    def identity(self) -> tuple[tuple[int, int], ...]:
        """Size, and time of the last change, of every path and every file that frames come from."""
        files = (file for path in (*self.paths, *self.others) for file in [Path(path), *_images(Path(path))])
        found = (file.stat() for file in files)
        return tuple((one.st_size, one.st_mtime_ns) for one in found)


def _images(path: Path) -> list[Path]:
    """The images in a folder, and in the folders of its channels."""
    return [image for folder in [path, *folders_in(path)] for image in images_in(folder)] if path.is_dir() else []


@lru_cache(maxsize=2)
def _opened(file: MovieFile, identity: tuple[tuple[int, int], ...]) -> Movie:
    del identity  # part of the cache's key alone
    return open_movie(list(file.paths) if file.listed else file.paths[0], **dict(file.options))


def open_movie(
    path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
    axes: str | None = None,
    channels: Sequence[str] | None = None,
    seconds_per_frame: float | None = None,
    micrometres_per_pixel: float | None = None,
    z: Literal["max", "mean", "sum"] | int | None = None,
    series: int | None = None,
    join: Literal["C", "T"] | None = None,
) -> Movie:
    """Open a movie; no frame is read.

    Parameters
    ----------
    path : str, path or sequence of them
        - A file: TIFF, BigTIFF, OME-TIFF (of several files, too), ImageJ hyperstack, MetaMorph STK, or MetaMorph's
          list of such files (.nd).
        - An OME-Zarr store, a folder whose name ends in .zarr.
        - A folder of single images: the frames and channels that their names tell (`t001_c2`, `img_000000003_GFP_000`)
          or Micro-Manager's metadata.txt, else one channel in the natural order of the names (2 before 10).
        - A folder with one movie file in it, or the files of one OME-TIFF set: that movie.
        - A folder of folders of one of these kinds: the channels, in the order of the folders' names. Folders
          without TIFF files, such as cmeAnalysis' Detection and Tracking, are left out.
          Of all folders, what begins with a dot is left out.
        - A list of any of these: joined as `join` says.
    axes : str, optional
        The order in which the planes lie in the file, slowest first, ending in YX: T time, C channel, Z depth. For
        files that do not say it or say it wrong, such as "TCYX" for a plain file of alternating channels (with
        `channels`, so that their number is known). Axes of length 1 may be left out.
    channels : sequence of str, optional
        If these names are among those that files or folders give: which channels, and in which order. If they are
        not: new names for all of them. If one is among them and another is almost one of them, they are refused as
        misspelt.
    seconds_per_frame : float, optional
        Frame interval, in place of that in the metadata or in the path (`_1.5s`, `_100ms`).
    micrometres_per_pixel : float, optional
        Size of a pixel, in place of that in the metadata.
    z : {"max", "mean", "sum"} or int, optional
        What to make of a stack in depth: the projection, or one plane. Without it, such files are refused.
    series : int, optional
        Which series of a file with several, such as positions of the stage.
    join : {"C", "T"}, optional
        Whether the items of a list are channels or parts of time. Default: time if all are single images,
        else channels.

    Returns
    -------
    Movie

    Raises
    ------
    FileNotFoundError
        If there is nothing at a path, or no TIFF file in a folder.
    ValueError
        If a file is no TIFF file, is damaged or names a file outside its folder, frames or channels do not fit each
        other, or the order of the axes cannot be told.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> folder = tempfile.mkdtemp()
    >>> write_movie(f"{folder}/cell_2s.tif", np.zeros((5, 2, 8, 8), np.uint16), kind="plain")
    >>> movie = open_movie(f"{folder}/cell_2s.tif", axes="TCYX", channels=("clathrin", "auxilin"))
    >>> movie.shape, movie.seconds_per_frame, movie.origin["seconds_per_frame"]
    ((5, 2, 8, 8), 2.0, "the name 'cell_2s.tif' in the path")
    """
    if z is not None and z not in ("max", "mean", "sum") and not is_whole_number(z):
        raise ValueError(f"z is {z!r}; choose 'max', 'mean', 'sum' to project planes in depth, or the number of one")
    if series is not None:
        whole_number("series", series, 0, none="the largest")
    names = None if channels is None else tuple(channels)
    given: dict[str, Any] = {
        "axes": axes, "channels": names, "seconds_per_frame": seconds_per_frame,
        "micrometres_per_pixel": micrometres_per_pixel, "z": z, "series": series, "join": join,
    }  # fmt: skip
    listed = not isinstance(path, (str, os.PathLike))
    paths = list(path) if not isinstance(path, (str, os.PathLike)) else [path]
    found = open_stack(paths if listed else path, axes=axes, channels=names, z=z, series=series, join=join)
    chosen, picked, source = _named(found, names)
    seconds = _fact("seconds_per_frame", seconds_per_frame, found.seconds_per_frame)
    if seconds.value is None and (
        (named := interval_in_path(os.path.realpath(found.path))).value or seconds == _UNKNOWN
    ):
        seconds = named
    absolute = tuple(str(Path(item).absolute()) for item in paths)
    known = {*absolute, *(str(image) for item in absolute for image in _images(Path(item)))}
    others = tuple(file for file in found.files if file not in known)
    pixel = _fact("micrometres_per_pixel", micrometres_per_pixel, found.micrometres_per_pixel)
    return Movie(
        shape=(found.shape[0], len(picked), *found.shape[2:]),
        dtype=found.dtype,
        channels=chosen,
        seconds_per_frame=seconds.value,
        micrometres_per_pixel=pixel.value,
        origin={
            "axes": found.origin,
            "channels": source,
            "seconds_per_frame": seconds.origin,
            "micrometres_per_pixel": pixel.origin,
        },
        read=found.read if picked == list(range(found.shape[1])) else _Picked(found, picked),
        file=MovieFile(absolute, listed, tuple(given.items()), others),
    )


class _Picked:
    """Some channels of a stack, in an order of their own."""

    def __init__(self, stack: Stack, picked: list[int]) -> None:
        self._read, self._picked = stack.read, picked

    def __call__(self, t: int, c: int) -> AnyArray:
        return self._read(t, self._picked[c])


def _fact(name: str, given: float | None, found: Fact) -> Fact:
    if given is not None:
        also = "" if found.value is None else f", in place of {found.value:g} from {found.origin}"
        return Fact(float(given), f"given as an option{also}")
    return found


def _named(stack: Stack, wanted: tuple[str, ...] | None) -> tuple[tuple[str, ...], list[int], str]:
    """Names of the channels, which of the stack they are, and where they came from."""
    count = stack.shape[1]
    every = list(range(count))
    there = stack.channels.value
    if wanted is None:
        if there is not None:
            return there, every, stack.channels.origin
        return default_names(count), every, "the default names, since nothing says what the channels are"
    if there is not None and set(wanted) <= set(there):
        return wanted, [there.index(name) for name in wanted], f"{stack.channels.origin}, chosen by an option"
    _refuse_misspelt(wanted, there or ())
    if len(wanted) != count:
        has = f" ({', '.join(there)})" if there else ""
        raise ValueError(
            f"channels are {wanted}, but the movie has {count}{has}; give names that are among them to choose, or "
            "one new name for each"
        )
    instead = f", in place of {', '.join(there)}" if there else ""
    return wanted, every, f"given as an option{instead}"


def renamed_channels(
    path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], channels: Sequence[str]
) -> str | None:
    """Say which of a movie's own names new names take the place of; None where they choose, or it has none.

    Parameters
    ----------
    path : str, path or sequence of them
        The movie.
    channels : sequence of str
        As for `open_movie`.

    Raises
    ------
    ValueError
        If one is the movie's and another is misspelt.
    """
    try:
        movie = open_movie(path)
    except (ValueError, OSError):
        return None  # what is wrong with it, or what else has to be told of it, is said when it is read
    if "default names" in movie.origin["channels"] or set(channels) <= set(movie.channels):
        return None
    _refuse_misspelt(tuple(channels), movie.channels)
    if len(channels) != len(movie.channels):
        return None
    return (
        f"the files call the channels {', '.join(movie.channels)}; they are taken in that order as "
        f"{', '.join(channels)}"
    )


def _refuse_misspelt(wanted: tuple[str, ...], there: tuple[str, ...]) -> None:
    """Names of which one is the file's are no new names: then what is almost another of the file's is misspelt."""
    if not set(wanted) & set(there):
        return
    left = [name for name in there if name not in wanted]
    for name in (name for name in wanted if name not in there):
        if close := difflib.get_close_matches(name, left, n=1):
            raise ValueError(
                f"there is no channel {name!r}, did you mean {close[0]}? The file has {', '.join(there)}; give names "
                "that are among them to choose, or one new name for each"
            )
