"""Canonical tables of tracks as files: CSV and Parquet, which come back the same, and napari's tracks.

Files are there whole or not at all. `awd_cme.readers.read_tracks` reads all three.
"""

import os
from pathlib import Path
from typing import Any

import pandas as pd

from awd_cme.tracks.table import validate
from awd_core.checks import check_ending
from awd_core.files import make_atomically

CONSTANTS = ("seconds_per_frame", "micrometres_per_pixel")
"""Facts about the whole table that CSV, which has no place for them, repeats in two last columns."""


def write_csv(table: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    """Write a canonical table as CSV: its columns by name, unknown values empty, numbers with all their digits.

    Parameters
    ----------
    table : DataFrame
        Canonical table.
    path : str or path
        The file, .csv or, compressed, .csv.gz; its folder must exist.

    Raises
    ------
    ValueError
        If the table is not canonical, or the name ends otherwise.
    FileNotFoundError
        If the folder does not exist.

    Examples
    --------
    >>> import tempfile
    >>> from awd_cme.tracks import make_table
    >>> place = Path(tempfile.mkdtemp()) / "tracks.csv"
    >>> write_csv(make_table(track=[1], frame=[0], y=[2.0], x=[3.0], channels=["a"]), place)
    >>> place.read_text().splitlines()[1][:20]
    'cell,1,0,,2.0,3.0,0,'
    """
    known = validate(table).assign(**{name: table.attrs.get(name) for name in CONSTANTS})
    check_ending(path, (".csv", ".csv.gz"), "a table of tracks as CSV")
    make_atomically(path, lambda beside: known.to_csv(beside, index=False))


def write_parquet(table: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    """Write a canonical table as Parquet, types and `attrs` with it.

    Parameters
    ----------
    table : DataFrame
        Canonical table.
    path : str or path
        The file; its folder must exist.

    Raises
    ------
    ValueError
        If the table is not canonical.
    FileNotFoundError
        If the folder does not exist.
    """
    validate(table)
    make_atomically(path, lambda beside: to_parquet(table, beside))


def to_parquet(table: pd.DataFrame, path: Path) -> None:
    """Write any table to a new file; opened here, since pyarrow takes no name that is not UTF-8."""
    with path.open("xb") as file:
        table.to_parquet(file, engine="pyarrow", index=False, write_page_checksum=True)


def read_parquet(path: str | os.PathLike[str], **options: Any) -> pd.DataFrame:
    """The table in a file, with the options of `pandas.read_parquet`."""
    with Path(path).open("rb") as file:
        return pd.read_parquet(file, **{"page_checksum_verification": True, **options})


def write_napari(table: pd.DataFrame, path: str | os.PathLike[str], *, cell: str | None = None) -> None:
    """Write the tracks of one cell as napari's tracks: track_id, t (the frame), y, x, no header.

    Gaps, which have no position, and the frames around tracks are left out; so are all intensities.

    Parameters
    ----------
    table : DataFrame
        Canonical table.
    path : str or path
        The file; its folder must exist.
    cell : str, optional
        The cell, where the table has several: napari shows one movie at a time.

    Raises
    ------
    ValueError
        If the table is not canonical, has several cells and none is named, or has no such cell.

    Examples
    --------
    >>> import tempfile
    >>> from awd_cme.tracks import make_table
    >>> place = Path(tempfile.mkdtemp()) / "tracks.csv"
    >>> write_napari(make_table(track=[1, 1], frame=[0, 1], y=[2.0, 2.5], x=[3.0, 3.5]), place)
    >>> place.read_text().split()
    ['1,0,2.0,3.0', '1,1,2.5,3.5']
    """
    cells = sorted(str(name) for name in validate(table)["cell"].unique())
    if cell is None and len(cells) > 1:
        raise ValueError(f"the table has the cells {cells}; napari shows one movie, so name one by cell")
    if cell is not None and cell not in cells:
        raise ValueError(f"the table has no cell {cell!r}, but {cells}")
    shown = (table["part"] == "track") & (table["cell"] == (cell if cell is not None else cells[0] if cells else ""))
    check_ending(path, (".csv",), "napari's table of tracks")
    rows = table.loc[shown, ["track", "frame", "y", "x"]]
    make_atomically(path, lambda beside: rows.to_csv(Path(beside), index=False, header=False))
