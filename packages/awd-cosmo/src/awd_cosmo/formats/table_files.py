"""Tables as people keep them: CSV with commas, semicolons or tabs, remarks and byte-order marks; ECSV; FITS."""

import codecs
import re
import warnings
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Column, Table

NOTE = "awd_note"
"""Where a table keeps what is to be said of its text."""
LABELS = ("file", "filename", "file_name", "path", "fits", "map", "name")
"""What the column of files may be called; where several are there, the first of these."""

_MAP = re.compile(r"\.(fits?(\.gz|\.fz)?|npy)$", re.IGNORECASE)
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,?\d+([eE][+-]?\d+)?")
_LOOK = 20
"""Rows that are looked at for names of files."""


def read_table(path: Path) -> Table:
    """A table of which every column has a name, as it lies in a file.

    Raises
    ------
    ValueError
        If it cannot be read; the message names it.
    """
    status = path.stat()
    return _read(path, status.st_mtime_ns, status.st_size)


def find_columns(table: Table, folder: Path, told: str | None) -> str | None:
    """The column of files: the one that is told; or the one that holds names of maps, or is called as if it did."""
    if told is not None:
        return told if told in table.colnames else None
    texts = [name for name in table.colnames if table[name].dtype.kind in "USO"]
    called: list[str] = sorted((n for n in texts if n.lower() in LABELS), key=lambda n: LABELS.index(n.lower()))
    holding: list[str] = [name for name in texts if _holds_files(table[name], folder)]
    for name in called:
        if name in holding:
            return name
    if len(holding) == 1:
        return holding[0]
    return called[0] if called else None


def _holds_files(column: Any, folder: Path) -> bool:
    some = [str(one).strip() for one in column[:_LOOK]]
    return any(_MAP.search(one) or (one and (folder / one).is_file()) for one in some)


@lru_cache(maxsize=8)
def _read(path: Path, mtime_ns: int, size: int) -> Table:
    ending = path.suffix.lower()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # unknown units and the like: what counts is checked column by column
        try:
            if ending not in (".csv", ".tsv", ".ecsv"):
                if size % 2880:
                    raise ValueError(f"its {size} bytes are no whole blocks of FITS: it was cut or damaged")
                return Table.read(path, format="fits")
            text, note = text_of(path)
            table = Table.read(text.splitlines(), format="ascii.ecsv") if ending == ".ecsv" else _from_text(text)
            table.meta[NOTE] = note
            return table
        except Exception as error:  # astropy's readers raise nearly everything; here it is one fault of one file
            raise ValueError(f"{path} cannot be read as a table: {' '.join(str(error).split())}") from error


def text_of(path: Path) -> tuple[str, str]:
    """The text of a table in whatever encoding it is, and what is to be said of that: "" if nothing."""
    content = path.read_bytes()
    text, note = _decoded(content, path)
    if re.search(r"[\x00-\x08\x0e-\x1f]", text):
        raise ValueError(f"{path} is damaged, or no text: it holds characters that cannot be shown; write it again")
    return text, note


def _decoded(content: bytes, path: Path) -> tuple[str, str]:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            return content.decode("utf-16"), ""
        except UnicodeDecodeError as error:
            raise ValueError(f"{path} is damaged: it is no whole text in UTF-16 ({error}); write it again") from error
    try:
        return content.decode("utf-8-sig"), ""
    except UnicodeDecodeError:
        # As spreadsheets in older Windows write it.
        return content.decode("latin-1"), f"the text of {path.name} is no UTF-8, and is taken for that of older Windows"


def _from_text(text: str) -> Table:
    lines = [line for line in text.splitlines() if line.strip()]
    separator = ""
    if lines and (found := re.fullmatch(r"\"?sep=(.)\"?", lines[0].strip(), re.IGNORECASE)):  # Excel's own remark
        separator, lines = found[1], lines[1:]
    remarks = [line.lstrip("# ") for line in lines if line.lstrip().startswith("#")]
    rows = [line for line in lines if not line.lstrip().startswith("#")]
    if not rows:
        raise ValueError("it has no row")
    head = rows[0]
    separator = separator or max(",;\t", key=head.count)
    if (
        remarks
        and remarks[-1].count(separator) == head.count(separator)
        and any(map(_MAP.search, _cells(head, separator)))
    ):
        rows = [remarks[-1], *rows]  # the header is the last remark
    table = Table.read(rows, format="ascii.csv", delimiter=separator)
    for name in list(table.colnames):
        if name != name.strip():
            table.rename_column(name, name.strip())
    if separator != ",":
        for name in table.colnames:
            if (numbers := _decimal_commas(table[name])) is not None:
                table[name] = numbers
    return table


def _cells(line: str, separator: str) -> list[str]:
    return [cell.strip(" \"'") for cell in line.split(separator)]


def _decimal_commas(column: Any) -> Column | None:
    """Numbers with a comma in place of the point, as half of Europe writes them."""
    if column.dtype.kind != "U":
        return None
    cells = ["" if cell is np.ma.masked else str(cell).strip() for cell in column]
    if not any("," in cell for cell in cells) or not all(_DECIMAL_COMMA.fullmatch(cell) for cell in cells if cell):
        return None
    return Column([float(cell.replace(",", ".")) if cell else np.nan for cell in cells])
