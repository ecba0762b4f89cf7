"""Tracks from the files of other programs: what a file is, is seen from its content, and what is lost is told."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Literal

from awd_cme.readers.intake import Compound, Options, PositionUnit, Result, bare_name
from awd_core.checks import check_choice
from awd_core.files import named_damage
from awd_core.workers import Workers

__all__ = ["FORMATS", "read_tracks", "recognise"]

FORMATS = {
    "cmeanalysis": "ProcessedTracks.mat of cmeAnalysis, MATLAB 5 or 7.3",
    "experiment": "a folder with such files",
    "files": "a folder of track files of one ending, a cell each",
    "cmeanalysis-csv": "cmeAnalysis' tracks as CSV",
    "trackmate": "TrackMate's table of spots, CSV",
    "trackmate-xml": "TrackMate's full XML file",
    "trackpy": "trackpy's linked features, CSV or Parquet",
    "napari": "napari's tracks, CSV",
    "table": "any table whose columns have names, CSV, Parquet or Excel",
    "links": "spots and the links between them, CSV",
    "geff": "a graph of tracks, geff (Zarr)",
    "yeast": "goodTrackData of two-channel yeast tracks, MATLAB",
    "awd": "a canonical table, CSV or Parquet",
}
"""What can be read, by the names that `format` takes."""

_MOVIE, _IMAGE = "a movie or an image", "an image"
FOREIGN = {
    b"II*\0": _MOVIE,
    b"MM\0*": _MOVIE,
    b"II+\0": _MOVIE,
    b"MM\0+": _MOVIE,
    b"\xda\xce\xbe\n": "a movie of Nikon (ND2)",
    b"ZISRAWFILE": "a movie of Zeiss (CZI)",
    b"\x70\0\0\0": "a movie of Leica (LIF)",
    b"%PDF": "a PDF",
    b"\x89PNG": _IMAGE,
    b"\xff\xd8\xff": _IMAGE,
    b"\xd0\xcf\x11\xe0": "an old file of Excel (.xls) or the like; save it as .xlsx or CSV",
    b"\x93NUMPY": "an array of NumPy",
}
"""How files begin that hold no tracks, and what they are."""


def read_tracks(
    path: str | os.PathLike[str],
    *,
    format: str = "auto",  # noqa: A002 - pandas' and matplotlib's name for it
    channels: Sequence[str] | None = None,
    seconds_per_frame: float | None = None,
    micrometres_per_pixel: float | None = None,
    position_unit: PositionUnit = "auto",
    frames: int | None = None,
    on_error: Literal["raise", "skip"] = "raise",
    compound: Compound = "join",
    cell: str | None = None,
    master: str | None = None,
    columns: Mapping[str, str] | None = None,
    workers: int | Workers = 1,
    folder: str | os.PathLike[str] | None = None,
) -> Result:
    r"""Read tracks of any known format into the canonical table.

    Parameters
    ----------
    path : str or path
        A file; the folder of an experiment of cmeAnalysis; or a folder of track files of one ending (`.csv`, `.xml`,
        `.mat`, …), a cell each, which its file's name without the ending names.
    format : str
        One of `FORMATS`; "auto" sees it from the content. For a folder of files, that of each.
    channels : sequence of str, optional
        Names of the channels in the file's order, the master first. Default: as the file's name tells them (yeast), or
        "clathrin", "auxilin", which the report says.
    seconds_per_frame, micrometres_per_pixel : float, optional
        Frame interval and size of a pixel. Default: as the file tells them, or unknown.
    position_unit : {"auto", "pixel", "micrometre", "nanometre"}
        Unit of positions in the file, which is needed where it does not tell. "auto": as it tells, else pixels.
    frames : int, optional
        How many frames the movie has; tracks with later ones are wrong.
    on_error : {"raise", "skip"}
        Whether tracks with wrong rows (no frame, no position, two rows for a frame, a frame beyond the movie) are an
        error, or are dropped and listed. Files that cannot be read are an error in either case, unless they are one
        of an experiment or of a folder of files.
    compound : {"join", "split", "drop"}
        What becomes of compound tracks, which split or merge. "join": one track, the segment that starts first (of
        those the longest) keeps the frames that several have. "split": each segment becomes a track, the first keeps
        the number. "drop": they are left out.
    cell : str, optional
        Name of the cell. Default: the file's or its folder's name.
    master : str, optional
        For an experiment, the folder of the master channel, where cells were tracked in more than one.
    columns : mapping of str to str, optional
        Of a table: names of columns by what they are, where their names do not say it: `track`, `frame`, `time`, `x`,
        `y`, `cell`, `amplitude`, `NAME_amplitude` of a channel and so on (`awd_cme.readers.column_names`). Of a table
        without names, the numbers of columns from 1.
    workers, folder : int or Workers, path, optional
        For an experiment: processes, each of which reads a cell at a time, and where they put its table until all are
        there, which they must all reach. A temporary folder if not given.

    Returns
    -------
    table : DataFrame
        Canonical table, as `awd_cme.tracks.table` describes it.
    report : LossReport
        What the file was taken for, how many tracks came, what was dropped and why, what was assumed.

    Raises
    ------
    FileNotFoundError
        If there is nothing at the path.
    ValueError
        If the format is not known, the file is foreign, empty or broken, or tracks are wrong and shall not be skipped.

    Examples
    --------
    >>> import tempfile
    >>> place = Path(tempfile.mkdtemp()) / "cell1.csv"
    >>> _ = place.write_text("frame,particle,y,x\n0,7,1.0,2.0\n2,7,1.5,2.5\n")
    >>> table, report = read_tracks(place, seconds_per_frame=2.0)
    >>> table[["track", "frame", "t", "y", "part"]].values.tolist()
    [[7, 0, 0.0, 1.0, 'track'], [7, 1, 2.0, nan, 'gap'], [7, 2, 4.0, 1.5, 'track']]
    >>> report.came, report.kept
    (1, 1)
    """
    place = Path(path)
    check_choice("format", format, ["auto", *FORMATS], required=True)
    if not place.exists():
        raise FileNotFoundError(f"there is no file or folder {place}")
    options = Options(
        channels,
        seconds_per_frame,
        micrometres_per_pixel,
        position_unit,
        frames,
        on_error,
        compound,
        cell,
        columns,
    )
    with named_damage(place, "tracks"):
        kind = _told_or_seen(place, format, columns is not None)
        if kind == "experiment":
            from awd_cme.readers.experiment import read_experiment

            if cell is not None:
                raise ValueError(
                    f"{place} is a whole experiment, whose cells have their names; cell={cell!r} is for a file"
                )
            return read_experiment(place, options, master=master, workers=workers, store=folder)
        if place.is_dir() and kind != "geff":
            return _read_files(place, kind, options)
        if columns is not None and kind not in ("table", "trackpy", "napari", "links", "trackmate", "cmeanalysis-csv"):
            raise ValueError(f"{place} is {FORMATS[kind]}, which has no columns to be told (columns)")
        if columns is not None:
            kind = "table"
        return _reader(kind)(place, options)


def _told_or_seen(place: Path, told: str, columns: bool) -> str:
    """The format; where columns are told, that of a table whose columns nothing else tells."""
    if told != "auto":
        return told
    try:
        return recognise(place)
    except UnknownColumnsError:
        if columns:
            return "table"
        raise


def recognise(path: str | os.PathLike[str]) -> str:
    """Which of `FORMATS` a file or folder is, seen from its content.

    Raises
    ------
    ValueError
        If it is empty or none of them; the message says what is known.
    """
    place = Path(path)
    if place.is_dir():
        from awd_cme.readers.experiment import tracking_files
        from awd_cme.readers.folder import track_files
        from awd_cme.tracks.geff import geff_metadata

        if geff_metadata(place) is not None:
            return "geff"
        return "files" if not tracking_files(place) and track_files(place) else "experiment"
    with place.open("rb") as file:
        head = file.read(4096)
    if not head.strip():
        raise ValueError(f"{place} is empty")
    for start, what in FOREIGN.items():
        if head.startswith(start):
            raise ValueError(f"{place} is neither a MATLAB or Parquet file nor text, but {what}. {_known()}")
    from awd_cme.readers.matlab import is_matlab, variables

    if is_matlab(head):
        names = variables(place)
        known = {"tracks": "cmeanalysis", "goodTrackData": "yeast"}
        if found := [kind for name, kind in known.items() if name in names]:
            return found[0]
        raise ValueError(f"{place} is a MATLAB file with the variables {names}; known are {list(known)}. {_known()}")
    if head.lstrip(b"\xef\xbb\xbf \r\n\t").startswith((b"<?xml", b"<TrackMate", b"<Tracks")):
        return "trackmate-xml"
    from awd_cme.readers.text_tables import GZIP, PARQUET, head_of

    if head.startswith(PARQUET):
        import pyarrow.parquet

        try:
            with place.open("rb") as file:  # pyarrow takes no name that is not UTF-8
                names = pyarrow.parquet.read_schema(file).names
        except pyarrow.ArrowInvalid as error:
            raise ValueError(f"{place} is a damaged Parquet file ({error}); copy or export it again") from error
        return _by_columns(place, list(names), 0)
    if head.startswith(GZIP) and place.suffix.lower() != ".gz":
        raise ValueError(f"{place} is compressed by gzip and named otherwise; call it {place.name}.gz, or unpack it")
    try:
        layout = head_of(place)
    except ValueError as error:
        raise ValueError(f"{error}. {_known()}" if "nor text" in str(error) else str(error)) from error
    return _by_columns(place, list(layout.names), layout.width)


def _read_files(place: Path, kind: str, options: Options) -> Result:
    """Read a folder of files, all of a kind, or each of that which its content tells."""
    from awd_cme.readers.folder import read_folder, track_files

    if kind != "files" and not track_files(place):
        raise ValueError(f"{place} is a folder; the format {kind!r} is read from a file")
    if options.cell is not None:
        raise ValueError(f"{place} is a folder of files, which name their cells; cell={options.cell!r} is for a file")

    def read(path: Path, cell: str) -> Result:
        return read_tracks(path, format="auto" if kind == "files" else kind, **asdict(replace(options, cell=cell)))

    return read_folder(place, options, read)


class UnknownColumnsError(ValueError):
    """A table of which nothing says which column is what."""


def _by_columns(place: Path, names: list[str], width: int) -> str:
    from awd_cme.readers.canonical import IDENTIFYING
    from awd_cme.readers.column_names import roles_of, squeezed, squeezed_key
    from awd_cme.readers.tables import COLUMNS

    if not names:
        if width in (4, 5):
            return "napari"
        raise UnknownColumnsError(
            f"{place} has {width} columns without names, and napari's tracks have 4 or 5; tell their numbers, "
            f"--columns track=1,frame=2,y=3,x=4 (columns). {_known()}"
        )
    if set(IDENTIFYING) <= set(names):
        return "awd"
    keys = squeezed(names)
    required = {"trackmate": ("TRACK_ID", "FRAME", "POSITION_X", "POSITION_Y")} | COLUMNS
    if {"TRACK_ID", "FRAME"} <= set(names) and any(name.startswith("POSITION_") for name in names):
        return "trackmate"
    for kind, needed in required.items():
        if {squeezed_key(name) for name in needed} <= set(keys) and not _is_half_of_trackmate(kind, names):
            return kind
    if {"SPOTSOURCEID", "NUMBERSPOTS"} & {k.upper() for k in keys} and _has_spots(place):
        return "trackmate"
    if "frame" not in keys and ({"spotsourceid", "spottargetid"} <= set(keys) or "numberspots" in keys):
        what = "links between spots (edges)" if "spotsourceid" in keys else "whole tracks"
        raise ValueError(
            f"{place} is TrackMate's table of {what}, which does not say where the spots are; export the table of "
            "spots (Tracks, Spots, Export to CSV), or save TrackMate's XML file"
        )
    if {"id", "frame", "positionx", "positiony"} <= set(keys) and bare_name(place).endswith("_spots"):
        return "links"
    if set(keys) - {"z"} in ({"trackid", "t", "y", "x"}, {"id", "t", "y", "x"}):
        return "napari"
    # Nearly cmeAnalysis' table, which counts from 1, is none that counts from 0; nearly a canonical one is cut.
    nearly = {"trackid", "f"} <= set(keys) or len(set(IDENTIFYING) - set(names)) <= 2
    if not nearly and not roles_of(names).missing:
        return "table"
    # The nearest one, by its columns, tells what is missing.
    required = {"awd": IDENTIFYING} | required
    lacking = {kind: [n for n in needed if squeezed_key(n) not in keys] for kind, needed in required.items()}
    kind = min(required, key=lambda kind: len(lacking[kind]) / len(required[kind]))
    tell = "--columns track=NAME,frame=NAME,x=NAME,y=NAME (columns) tells which is which"
    if len(lacking[kind]) * 2 <= len(required[kind]):
        raise UnknownColumnsError(
            f"{place}: the columns {lacking[kind]} are missing for {FORMATS[kind]}; it has {_shown(names)}; {tell}"
        )
    raise UnknownColumnsError(
        f"{place} is a table with the columns {_shown(names)}, which is no known one. {_known()}. Of others, {tell}"
    )


def _shown(names: list[str], most: int = 40, longest: int = 60) -> list[str]:
    """Names of columns for a message: what cannot be shown is left out, and what is endless."""
    told = [name if name.isprintable() else "…" for name in names[:most]]
    return [name if len(name) <= longest else f"{name[:longest]}…" for name in told] + ["…"] * (len(names) > most)


def _has_spots(place: Path) -> bool:
    """Whether TrackMate's table of spots lies beside a table of edges or tracks."""
    from awd_cme.readers.folder import table_beside

    return "spots" not in place.name.casefold() and table_beside(place, "spots") is not None


def _is_half_of_trackmate(kind: str, names: list[str]) -> bool:
    """Whether these are TrackMate's own links, in its capitals, whose spots lie in a table beside them, or nowhere."""
    return kind == "links" and "SPOT_SOURCE_ID" in names


def _known() -> str:
    return "Known are: " + "; ".join(f"{what} ({name})" for name, what in FORMATS.items())


def _reader(kind: str) -> Callable[[Path, Options], Result]:
    from awd_cme.readers import branches, canonical, cmeanalysis, tables, trackmate, yeast

    return {
        "cmeanalysis": cmeanalysis.read_cmeanalysis,
        "cmeanalysis-csv": tables.read_cmeanalysis_csv,
        "trackmate": trackmate.read_trackmate_csv,
        "trackmate-xml": trackmate.read_trackmate_xml,
        "trackpy": tables.read_trackpy,
        "napari": tables.read_napari,
        "table": tables.read_named,
        "links": branches.read_links,
        "geff": branches.read_geff,
        "yeast": yeast.read_yeast,
        "awd": canonical.read_canonical,
        "files": _no_folder,
    }[kind]


def _no_folder(place: str | os.PathLike[str], options: Options | None = None) -> Result:
    del options
    raise ValueError(f"{place} is a file; the format 'files' is a folder of them")
