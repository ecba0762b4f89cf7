"""A folder of track files, a cell each: files of one ending, read one after the other."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from awd_cme.movies.file_names import is_hidden, natural
from awd_cme.readers.intake import Options, Result, bare_name
from awd_cme.tracks.losses import Dropped, LossReport, counted
from awd_cme.tracks.table import channels as channels_of
from awd_cme.tracks.table import concat

ENDINGS = (".csv", ".csv.gz", ".mat", ".parquet", ".tsv", ".tsv.gz", ".txt", ".txt.gz", ".xlsx", ".xml")
"""How the names of track files end that are looked at in folders, in small or capital letters."""


def track_files(folder: str | os.PathLike[str]) -> list[Path]:
    """Files right in a folder that may hold tracks, in natural order; hidden ones are left out.

    A table of spots (`…_spots.csv`) beside the links between them (`…_edges.csv`) is a part of these, and no cell of
    its own, as is TrackMate's table of whole tracks (`…_tracks.csv`) beside both.

    Raises
    ------
    ValueError
        If there are several endings: whether the same cells are there twice cannot be told.
    """
    items = [(item, end) for item in Path(folder).iterdir() for end in ENDINGS if item.name.lower().endswith(end)]
    found = {item: end for item, end in items if item.is_file() and not is_hidden(item.name)}
    files = sorted(found, key=lambda path: natural(path.name))
    endings = sorted(set(found.values()))
    if len(endings) > 1:
        raise ValueError(
            f"the folder {folder} holds files of several endings ({', '.join(endings)}); give a folder of track files "
            "of one ending, a cell each, or name one file"
        )
    kept = []
    for path in files:
        group = beside_spots(path)
        # Of spots and edges, edges stand for both: they name the spots.
        spots, edges = (next((item for item in group if word in item.name.casefold()), None) for word in TABLES[:2])
        if path == edges or spots is None or edges is None:
            kept.append(path)
    return kept


TABLES = ("spots", "edges", "tracks")
"""Words of the names of tables that belong together: TrackMate's, and those of spots and links."""


def beside_spots(path: Path) -> list[Path]:
    """Of a table of spots, edges or tracks the files of all three that are there, that itself among them.

    They are called alike but for that word: `cell1_spots.csv`, `cell1_edges.csv`, `cell1_tracks.csv`.
    """
    name = path.name
    found = [match for word in TABLES for match in re.finditer(rf"(?<![a-z]){word}(?![a-z])", name, re.IGNORECASE)]
    if not found:
        return [path]
    last = max(found, key=lambda match: match.start())
    own = last[0]

    def cased(word: str) -> str:
        return word.upper() if own.isupper() else word.capitalize() if own[0].isupper() else word

    names = [name[: last.start()] + cased(word) + name[last.end() :] for word in TABLES]
    return [item for item in map(path.with_name, names) if item == path or item.is_file()]


def table_beside(path: Path, word: str) -> Path | None:
    """The table of spots, edges or tracks that belongs to a file; None where there is none."""
    return next((item for item in beside_spots(path) if word in item.name.casefold() and item != path), None)


def read_folder(
    folder: str | os.PathLike[str], options: Options, read: Callable[[Path, str], tuple[pd.DataFrame, LossReport]]
) -> Result:
    """Read all files of a folder.

    Parameters
    ----------
    folder : str or path
        The folder. A cell is named by its file's name without the ending; a canonical table names its cells itself.
    options : Options
        As `read_tracks` describes them.
    read : callable
        Given a file and the name of its cell, its table and what was lost.

    Returns
    -------
    table, report
        Canonical table of all cells, and what was lost, with the file's name; with on_error='skip', files that cannot
        be read, too.

    Raises
    ------
    ValueError
        If there is no file, files have different endings or channels, one cannot be read and errors are not to be
        skipped, or none can.
    """
    files, report = track_files(folder), LossReport()
    if not files:
        raise ValueError(f"the folder {folder} holds no file that ends in {', '.join(ENDINGS)}; give track files")
    tables: dict[str, pd.DataFrame] = {}
    for path in files:
        try:
            table, lost = read(path, bare_name(path))
        except (ValueError, OSError) as error:
            if options.on_error == "raise":
                raise
            report.add("files", 1, " ".join(f"{error}".replace(f"{path.parent}{os.sep}", "").split()))
            continue
        tables[path.name] = table
        lost.dropped = [Dropped(what, count, f"{path.name}: {why}") for what, count, why in lost.dropped]
        report.merge(lost)
    if not tables:
        raise ValueError(f"no file of the folder {folder} holds tracks that can be read.\n{report}")
    _refuse_other_channels(folder, tables)
    report.recognised.insert(0, f"{folder}: {counted(len(tables), 'files')} of tracks, a cell each")
    return concat(list(tables.values())), report


def _refuse_other_channels(folder: str | os.PathLike[str], tables: dict[str, pd.DataFrame]) -> None:
    """Channels that only some files have would be NaN in the others, and no common learning problem."""
    first, *others = tables
    names = channels_of(tables[first])
    for other in others:
        if (found := channels_of(tables[other])) != names:
            raise ValueError(
                f"the files of {folder} hold different channels, {first} {', '.join(names)} and {other} "
                f"{', '.join(found)}; give a folder of files with the same ones, or call all of them "
                f"alike: --channels {','.join(names)}"
            )
