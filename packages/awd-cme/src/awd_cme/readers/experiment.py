"""A whole experiment of cmeAnalysis: `<condition>/…Cell<N>_1s/<master channel>/Tracking/ProcessedTracks.mat`."""

import os
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from operator import itemgetter
from pathlib import Path

import pandas as pd

from awd_cme.movies.file_names import below, natural
from awd_cme.readers.cmeanalysis import cell_folder, read_cmeanalysis
from awd_cme.readers.intake import Options, Result
from awd_cme.tracks.losses import LossReport
from awd_cme.tracks.table import concat, empty_table
from awd_cme.tracks.writers import read_parquet, write_parquet
from awd_core.workers import Lost, Workers, open_workers

FILE = "ProcessedTracks.mat"


def tracking_files(folder: str | os.PathLike[str]) -> list[Path]:
    """All files of processed tracks below a folder, cells in the order of their numbers; hidden folders left out."""
    return sorted(
        below(Path(folder), f"Tracking/{FILE}"), key=lambda path: natural(path.relative_to(folder).as_posix())
    )


def read_experiment(
    folder: str | os.PathLike[str],
    options: Options | None = None,
    *,
    master: str | None = None,
    workers: int | Workers = 1,
    store: str | os.PathLike[str] | None = None,
) -> Result:
    """Read all cells below a folder: of a condition, of several, or a single one.

    Parameters
    ----------
    folder : str or path
        The folder. A cell is named by the path from here to its folder, as "control/Cell3_1s": what comes before the
        last slash is its condition.
    options : Options, optional
        As `read_tracks` describes them. A frame interval is taken from the file, else from the cell's name.
    master : str, optional
        Folder of the master channel, as "TagRFP", where cells were tracked in more than one.
    workers : int or Workers
        Processes, each of which reads a cell at a time.
    store : path, optional
        Where they put its table, as Parquet; they must all reach it. A temporary folder if not given.

    Returns
    -------
    table, report
        Canonical table of all cells, and what was lost; with on_error='skip', cells that cannot be read, too.

    Raises
    ------
    ValueError
        If there is no file of tracks, a cell has several and no master is named, or a cell cannot be read.
    """
    options, report = options or Options(), LossReport()
    folder = Path(folder)
    files = tracking_files(folder)
    if not files:
        raise ValueError(
            f"the folder {folder} holds no Tracking/{FILE}: for cmeAnalysis, give the folder of the experiment, of a "
            "condition or of a cell; for others, give the file"
        )
    cells = {cell: _of_master(cell, found, master) for cell, found in _by_cell(files, folder).items()}
    tables = []
    with open_workers(workers) as crew, _place(crew, store) as place:
        work = partial(_cell, options, place)
        for found in crew.map_or_lose(work, [(cell, str(path)) for cell, path in cells.items()], names=itemgetter(1)):
            if isinstance(found, Lost) and options.on_error == "raise":
                raise found.error()
            reason = f"{found.name}: {found.reason}" if isinstance(found, Lost) else found
            if isinstance(reason, str):
                report.add("cells", 1, reason)
                continue
            table, lost = reason
            tables.append(read_parquet(table) if isinstance(table, str) else table)
            report.merge(lost)
    conditions = sorted({cell.rpartition("/")[0] for cell in cells})
    channels = sorted({path.parents[1].name for path in cells.values()})
    report.recognised.insert(
        0,
        f"{folder}: an experiment of cmeAnalysis, {len(cells)} cells, {len(conditions)} conditions "
        f"({', '.join(name or folder.name for name in conditions)}), tracked in {', '.join(channels)}",
    )
    return (concat(tables) if tables else empty_table(*([options.channels] if options.channels else []))), report


def _place(crew: Workers, store: str | os.PathLike[str] | None) -> AbstractContextManager[Path | None]:
    """Where workers put tables; nowhere if there are none but this process."""
    if crew.here:
        return nullcontext()
    from awd_cme.movies.frame_ranges import place_for_parts

    return place_for_parts(store)


def _cell(options: Options, place: Path | None, item: tuple[str, str]) -> tuple[pd.DataFrame | str, LossReport] | str:
    """A cell's table, or the file where it is now, and what was lost; if it cannot be read, and that may be, why."""
    cell, path = item
    try:
        table, lost = read_cmeanalysis(path, replace(options, cell=cell))
    except ValueError as error:
        if options.on_error == "raise":
            raise
        return str(error)
    if place is None:
        return table, lost
    file = place / f"{cell.replace('/', '_')}.parquet"
    write_parquet(table, file)
    return str(file), lost


def _by_cell(files: list[Path], folder: Path) -> dict[str, list[Path]]:
    cells: dict[str, list[Path]] = {}
    base = folder.absolute()
    for path in files:
        place = cell_folder(path)
        inside = place != base and base in place.parents
        cells.setdefault(place.relative_to(base).as_posix() if inside else place.name, []).append(path)
    return cells


def _of_master(cell: str, found: list[Path], master: str | None) -> Path:
    if master is not None:
        found = [path for path in found if path.parents[1].name == master] or found
    if len(found) > 1 or (master is not None and found[0].parents[1].name != master):
        names = [path.parents[1].name for path in found]
        raise ValueError(
            f"cell {cell} was tracked in the channels {names}; name the one to take by master (--master NAME), got "
            f"{master!r}"
        )
    return found[0]
