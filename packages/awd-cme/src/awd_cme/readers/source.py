"""What DATA is: movies of cells, tracks in a file, a whole experiment, or a simulation to be made first."""

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from awd_cme.movies.channel_files import channels_of_cells, is_nd
from awd_cme.movies.file_names import ENDINGS, below, folders_in, images_in, is_image, natural, printable
from awd_cme.movies.file_sets import file_set, movies_in
from awd_cme.movies.ome_zarr import is_zarr
from awd_cme.movies.units import without_interval
from awd_cme.movies.vendors import LIBRARIES, is_vendors

Movie = Path | tuple[Path, ...]
SIMULATED = "simulated"
WHOLE = 1 << 26
"""Bytes up to which a file is known by its content; of larger ones, by its size and both ends."""
END = 1 << 20


@dataclass(frozen=True)
class Source:
    """Data, recognised.

    Attributes
    ----------
    kind : {"simulated", "movies", "tracks"}
        What is there.
    path : Path
        Where.
    cells : mapping of str to Path or tuple of Path
        Of movies: the movie of each cell, or the files of its channels.
    """

    kind: str
    path: Path
    cells: Mapping[str, Movie] = field(default_factory=dict)

    def identity(self) -> dict[str, Any]:
        """What tells these data from others, whatever they are called, as JSON values."""
        if self.kind == SIMULATED:
            return {"kind": self.kind}
        if self.kind == "movies":
            return {"kind": self.kind, "cells": {name: _digest_of_movie(path) for name, path in self.cells.items()}}
        return {"kind": self.kind, "sha256": _digest_of_tracks(self.path)}


def recognise_source(data: str | os.PathLike[str]) -> Source:
    """Tell what the user's data are.

    Parameters
    ----------
    data : str or path
        "simulated"; a TIFF file, an OME-Zarr store or a .nd file of MetaMorph (one cell); a folder of TIFF files, each
        a movie, or a part of an OME-TIFF set that is one (a cell each), or a channel of one (`C1-…`, `…_w1…`: a cell
        for each set), or a single frame (one cell); a folder of .nd files or OME-Zarr stores (a cell each); a folder of
        folders, each a cell or each a channel of one cell; a folder with files Tracking/ProcessedTracks.mat (an
        experiment of cmeAnalysis); a folder of track files, a cell each; any other file, which holds tracks. Files and
        folders in a folder whose names begin with a dot are left out.

    Raises
    ------
    FileNotFoundError
        If there is nothing.
    ValueError
        If a folder holds neither movies nor tracks, or two movies of one cell.

    Examples
    --------
    >>> recognise_source("simulated").kind
    'simulated'
    """
    path = Path(data)
    if str(data) == SIMULATED and not path.exists():
        return Source(SIMULATED, path)
    if not path.exists():
        raise FileNotFoundError(f'there is no file or folder {path}; "{SIMULATED}" makes the embedded simulation')
    if path.is_file():
        movie = path.suffix.lower() in ENDINGS or is_nd(path) or is_vendors(path)
        return Source("movies", path, {cell_name(path): path}) if movie else Source("tracks", path)
    if any(below(path, "Tracking/ProcessedTracks.mat")):
        return Source("tracks", path)
    from awd_cme.tracks.geff import geff_metadata

    if geff_metadata(path) is not None:
        return Source("tracks", path)
    if is_zarr(path):
        return Source("movies", path, {cell_name(path): path})
    if lists := sorted((item for item in path.iterdir() if is_nd(item)), key=lambda item: natural(item.name)):
        return Source("movies", path, _by_cell(lists))
    if own := sorted((item for item in path.iterdir() if is_vendors(item)), key=lambda item: natural(item.name)):
        return Source("movies", path, _by_cell(own))
    images = images_in(path)
    if images:
        from awd_cme.movies.open import open_movie

        movies = movies_in(images)
        if len(movies) == 1 or open_movie(movies[0]).shape[0] > 1:
            if len(movies) > 1 and (sets := channels_of_cells(movies)):
                return Source("movies", path, {cell_name(Path(name)): files for name, files in sets})
            return Source("movies", path, _by_cell(movies))
        return Source("movies", path, {cell_name(path): path})
    if stores := [folder for folder in folders_in(path) if is_zarr(folder)]:
        return Source("movies", path, _by_cell(stores))
    folders = [folder for folder in folders_in(path) if any(map(is_image, below(folder, "*")))]
    if not folders:
        from awd_cme.readers.folder import track_files

        if track_files(path):
            return Source("tracks", path)
        raise ValueError(
            f"the folder {path} holds no TIFF files, no Tracking/ProcessedTracks.mat and no files of tracks; give "
            "movies or tracks"
        )
    if _is_channel(folders):
        return Source("movies", path, {cell_name(path): path})
    return Source("movies", path, _by_cell(folders))


def cell_name(path: Path) -> str:
    """Name of the cell of a movie: that of its file or folder, without endings and frame interval.

    Examples
    --------
    >>> cell_name(Path("Cell3_1.5s.ome.tif")), cell_name(Path("day1.2/Cell 4"))
    ('Cell3', 'Cell 4')
    """
    name = path.name
    if Path(name).suffix.lower() in (*ENDINGS, *LIBRARIES, ".nd", ".zarr"):
        name = re.sub(r"\.ome$", "", Path(name).stem, flags=re.IGNORECASE)
    return printable(without_interval(name) or path.name)


_OF_CELLS = r"(pos|position|cell|movie|series|xy|fov|field|well|site|scene|stage|s|p)[-_ ]?\d+([-_ .].*)?"


def _is_channel(folders: list[Path]) -> bool:
    """Whether folders are channels of one cell, or cells, as Pos1 is: channels, if they have one each."""
    from awd_cme.movies.open import open_movie

    if len(folders) > 1 and all(re.fullmatch(_OF_CELLS, folder.name, re.IGNORECASE) for folder in folders):
        return False
    return open_movie(folders[0]).shape[1] == 1


def _by_cell(movies: list[Path]) -> dict[str, Path]:
    cells: dict[str, Path] = {}
    for movie in movies:
        other = cells.setdefault(cell_name(movie), movie)
        if other != movie:
            raise ValueError(
                f"{other.name} and {movie.name} in {movie.parent} are both named cell {cell_name(movie)!r}; rename one"
            )
    return cells


def _digest_of_movie(path: Movie) -> str:
    """Of all files that it lies in: of an OME-TIFF set, of every one."""
    if isinstance(path, tuple):
        return hashlib.sha256(" ".join(map(_digest_of_movie, path)).encode()).hexdigest()
    if is_nd(path):
        return _together([path, *images_in(path.parent)], Path(os.path.realpath(path)).parent)
    if path.is_dir():
        return _digest(path)
    first, *others = file_set(path).files
    return _together([first, *(item for item in others if item.is_file())], Path(os.path.realpath(path)).parent)


def _digest_of_tracks(path: Path) -> str:
    """Of a file, or of two, where spots and the links between them are files of their own."""
    from awd_cme.readers.folder import beside_spots

    beside = [item for item in beside_spots(path) if item != path]
    return _together([path, *beside], Path(os.path.realpath(path)).parent) if path.is_file() else _digest(path)


def _together(files: list[Path], folder: Path) -> str:
    if len(files) == 1:
        return _digest(files[0])
    parts = [f"{os.path.relpath(os.path.realpath(item), folder)} {_digest(item)}" for item in files]
    return hashlib.sha256("\n".join(sorted(parts)).encode(errors="surrogateescape")).hexdigest()


def _digest(path: Path) -> str:
    if path.is_dir():
        # Links to folders, which may be a movie's channels, are not gone through by themselves.
        linked = (folder for folder in folders_in(path) if folder.is_symlink())
        below_it = {*below(path, "*"), *(item for folder in linked for item in below(folder, "*"))}
        files = sorted(item for item in below_it if item.is_file())
        parts = [f"{item.relative_to(path).as_posix()} {_digest(item)}" for item in files]
        return hashlib.sha256("\n".join(parts).encode(errors="surrogateescape")).hexdigest()
    size, found = path.stat().st_size, hashlib.sha256()
    with path.open("rb") as file:
        if size <= WHOLE:
            found.update(file.read())
        else:
            found.update(f"{size}".encode() + file.read(END))
            file.seek(-END, os.SEEK_END)
            found.update(file.read())
    return found.hexdigest()
