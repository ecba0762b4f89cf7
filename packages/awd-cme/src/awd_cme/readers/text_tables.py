"""Tables as programs and spreadsheets write them, in columns of numbers: CSV and its kin, Parquet, Excel.

Encoding, separator, decimal sign, and the rows before the first number are found out from the file. What is unusual is
said, and a value that is no number is counted, never passed over.
"""

import codecs
import csv
import io
import os
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd

from awd_cme.readers.workbook import sheet_as_text
from awd_cme.tracks.losses import LossReport, counted
from awd_cme.tracks.writers import read_parquet
from awd_core.files import Unpacked, in_words
from awd_core.typing import Array

EXACT: dict[str, Any] = (
    {"float_precision": "round_trip"} if tuple(map(int, pd.__version__.split(".")[:2])) < (3, 1) else {}
)
"""Has `pd.read_csv` give the very numbers that were written, as it does by itself from pandas 3.1 on."""

GZIP, ZIP, PARQUET = b"\x1f\x8b", b"PK\x03\x04", b"PAR1"
BLANK = ["", "nan", "NaN", "NAN", "None"]
"""What stands for a value that was not measured; all other words are values that cannot be read."""
HEAD = 1 << 16
"""Bytes that a table is known by."""

_SEPARATORS = ("\t", ";", "|", ",")
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?|[+-]?(inf|infinity|nan)", re.IGNORECASE)
_POINT = re.compile(r"[+-]?\d*\.\d+([eE][+-]?\d+)?")
_COMMA = r"[+-]?(\d*|\d{1,3}(\.\d{3})+),\d+([eE][+-]?\d+)?"
_THOUSANDS = r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?"


@dataclass(frozen=True)
class Layout:
    """How a table of text is written.

    Attributes
    ----------
    encoding, separator : str
        As `pandas.read_csv` takes them.
    names : tuple of str
        Of the columns, as the file has them; empty where it has none.
    before : int
        Lines before the first row of numbers.
    heads : int
        How many of them are of names and units.
    units : mapping of str to str
        Text of the last of several such rows, by column.
    width : int
        Number of columns.
    points : bool
        Whether there are decimal points.
    """

    encoding: str
    separator: str
    names: tuple[str, ...]
    before: int
    heads: int
    units: dict[str, str]
    width: int
    points: bool


@dataclass
class Table:
    """A table in memory, columns in the file's order; `frame` has text where a column holds other than numbers."""

    path: str
    frame: pd.DataFrame
    layout: Layout | None
    report: LossReport
    counted: set[str] = field(default_factory=set)

    @property
    def names(self) -> list[str]:
        """Of the columns; empty where the file has none."""
        return [str(name) for name in self.frame.columns] if self.layout is None or self.layout.names else []

    def unit(self, name: str) -> str:
        """What a row of units says of a column, "" if there is none."""
        return "" if self.layout is None else self.layout.units.get(name, "")

    def numbers(self, name: Any) -> Array:
        """A column as numbers, NaN where it is blank or no number; the latter is counted.

        Raises
        ------
        ValueError
            If it has decimal commas and the file decimal points.
        """
        column = self.frame[name]
        if pd.api.types.is_numeric_dtype(column.dtype):
            return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan))
        text = column.astype("str").str.strip().where(column.notna(), "")
        values = pd.to_numeric(self._with_points(text, name), errors="coerce")
        bad = values.isna() & ~text.isin(BLANK)
        if bad.any() and str(name) not in self.counted:
            self.counted.add(str(name))
            some = ", ".join(repr(word) for word in text[bad].unique()[:3])
            self.report.add("values", int(bad.sum()), f"no numbers in the column {str(name)!r}, such as {some}")
        return np.asarray(values.to_numpy(dtype=np.float64, na_value=np.nan))

    def _with_points(self, text: pd.Series, name: Any) -> pd.Series:
        commas = text.str.fullmatch(_COMMA)
        if not commas.any():
            return text
        if self.layout is not None and self.layout.points:
            if text[text.str.contains(",")].str.fullmatch(_THOUSANDS).all():
                self.report.assume("commas stand between thousands, since there are decimal points, too")
                return text.str.replace(",", "")
            raise ValueError(
                f"{self.path} has decimal commas in the column {str(name)!r} ({text[commas].iloc[0]}) and decimal "
                "points elsewhere; write all numbers alike"
            )
        self.report.assume("numbers have decimal commas")
        return text.where(~commas, text.str.replace(".", "", regex=False).str.replace(",", ".", regex=False))


def read_table(path: str | os.PathLike[str], report: LossReport, texts: Sequence[str] = ()) -> Table:
    """Read a table.

    Parameters
    ----------
    path : str or path
        Text of any usual encoding and separator, compressed by gzip or not; Parquet; Excel (.xlsx).
    report : LossReport
        What is unusual and what cannot be read is said there.
    texts : sequence of str
        Columns that hold words, even where these look like numbers.

    Raises
    ------
    ValueError
        If it is no table, is damaged, or rows have more columns than names.
    """
    if _start(path) == PARQUET:
        return Table(str(path), read_parquet(path), None, report)
    with _opened(path, report) as opened:
        layout = layout_of(opened, path)
        opened.seek(0)
        names = list(layout.names) if layout.names else list(range(layout.width))
        with _rows_in_words(path):
            frame = pd.read_csv(
                opened, sep=r"\s+" if layout.separator == " " else layout.separator, encoding=layout.encoding,
                skiprows=layout.before, header=None, names=names, index_col=False, skipinitialspace=True,
                keep_default_na=False, na_values=BLANK, low_memory=False, dtype=dict.fromkeys(texts, str), **EXACT,
            )  # fmt: skip
        opened.seek(0)
        if (short := _short_rows(opened, layout)) > 0:
            report.doubt(f"{counted(short, 'rows')} of {path} with fewer values than columns: was it cut or damaged?")
    if layout.encoding in ("cp1252", "latin-1"):
        report.assume("the text is no UTF-8, and is taken for that of Windows (cp1252)")
    return Table(str(path), frame, layout, report)


@contextmanager
def _rows_in_words(path: str | os.PathLike[str]) -> Iterator[None]:
    """What pandas says of rows that do not fit each other, with the name of the file."""
    try:
        yield
    except pd.errors.ParserError as error:
        why = "all rows must have as many values; it may be damaged"
        raise ValueError(f"{path} cannot be read: {in_words(error)}; {why}") from error


def _short_rows(file: BinaryIO, layout: Layout) -> int:
    """Rows with fewer values than there are columns, of which those that lack would be blank."""
    if layout.separator == " " or layout.encoding.startswith("utf-16"):
        return 0
    sign, wanted = layout.separator.encode(), layout.width - 1
    rows = (line for k, line in enumerate(file) if k >= layout.before)
    return sum(line.count(sign) < wanted and bool(line.strip()) and b'"' not in line for line in rows)


def head_of(path: str | os.PathLike[str]) -> Layout:
    """How a table of text, or in Excel, is written, from its first lines; errors as for `read_table`."""
    try:
        with _opened(path, None) as opened:
            return layout_of(opened, path)
    except (EOFError, zlib.error) as error:
        raise ValueError(f"{path} is a damaged file of gzip ({error}); copy or write it again") from error


def _start(path: str | os.PathLike[str]) -> bytes:
    with Path(path).open("rb") as file:
        return file.read(4)


@contextmanager
def _opened(path: str | os.PathLike[str], report: LossReport | None) -> Iterator[BinaryIO]:
    """The text of a table, unpacked."""
    start = _start(path)
    if start == ZIP:
        yield io.BytesIO(sheet_as_text(path, report))
    elif start.startswith(GZIP):
        content = Path(path).read_bytes()
        yield io.BytesIO(Unpacked(content, str(path)).whole())
    else:
        with Path(path).open("rb") as plain:
            yield plain


def layout_of(file: BinaryIO, path: str | os.PathLike[str]) -> Layout:
    """Find out how an open table is written.

    Raises
    ------
    ValueError
        If it is empty or no text, or the first rows have more columns than names.
    """
    encoding = _encoding(file, path)
    file.seek(0)
    raw = file.read(HEAD)
    text = raw.decode(encoding, errors="ignore")
    lines = re.split(r"\r\n|\r|\n", text)
    if len(raw) == HEAD and len(lines) > 1:
        lines = lines[:-1]  # it may be cut
    said = [k for k, line in enumerate(lines) if line.strip() and not _is_remark(line)]
    if not said:
        raise ValueError(f"{path} is empty")
    first = said[0]
    # A title, as Imaris writes it, has none of the signs that part the columns below it.
    signs = [sign for sign in _SEPARATORS if sign in lines[said[-1]]]
    while (
        signs and len(said) > 1 and not any(sign in lines[said[0]] for sign in signs) and "sep=" not in lines[said[0]]
    ):
        said = said[1:]
    first = said[0]
    told = re.fullmatch(r"\s*sep=(.)\s*", lines[first])
    if told:
        said = said[1:]
        first = said[0] if said else first
    sample = [lines[k] for k in said[:40]]
    separator = told[1] if told else _separator(sample)
    rows = [_fields(line, separator) for line in sample]
    # NumPy writes the names behind a #.
    remarks = [_fields(line.lstrip("#% "), separator) for line in lines[:first] if _is_remark(line)]
    if _is_data(rows[0]):
        heads, names = 0, next((row for row in remarks[::-1] if len(row) == len(rows[0]) and not _is_data(row)), [])
        before = first
    else:
        names = rows[0]
        heads = next((k for k, row in enumerate(rows) if _is_data(row)), len(rows))
        before = said[heads - 1] + 1
    names = _different(names)
    if names:
        for number, row in zip(said[heads:], rows[heads:], strict=False):
            if any(row[len(names) :]):
                raise ValueError(
                    f"{path}: line {number + 1} has {len(row)} columns, and there are {len(names)} names; where "
                    "numbers have decimal commas, another sign, such as a semicolon, must stand between columns"
                )
    wide = len(names) or len(rows[0])
    fields = [word for row in rows[heads:] for word in row]
    units = dict(zip(names, rows[heads - 1], strict=False)) if heads > 1 else {}
    points = any(_POINT.fullmatch(word) for word in fields)
    return Layout(encoding, separator, tuple(names), before, max(heads, bool(names)), units, wide, points)


def _encoding(file: BinaryIO, path: str | os.PathLike[str]) -> str:
    """Name of the encoding that all of an open file is in."""
    start = file.read(HEAD)
    if start.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    for name, high in (("utf-16-le", start[1::2]), ("utf-16-be", start[::2])):
        if len(start) > 3 and high.count(0) > 0.8 * len(high):
            return name
    if re.search(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]", start):
        raise ValueError(f"{path} is neither a MATLAB or Parquet file nor text")
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        part = start
        while part:
            decoder.decode(part)
            part = file.read(1 << 22)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        # Five bytes mean nothing there; where one of them is found, all bytes are taken for letters.
        return "latin-1" if re.search(rb"[\x81\x8d\x8f\x90\x9d]", start) else "cp1252"
    return "utf-8"


def _separator(lines: Sequence[str]) -> str:
    """The sign that parts all lines into as many columns, or else the first line into several."""
    found = {}
    for sign in (*_SEPARATORS, " "):
        counts = [len(_fields(line, sign)) for line in lines]
        if counts[0] > 1:
            found[sign] = len(set(counts)) == 1
    return next((sign for sign, even in found.items() if even), next(iter(found), ","))


def _fields(line: str, separator: str) -> list[str]:
    if separator == " ":
        return line.split()
    return [word.strip() for word in next(csv.reader([line], delimiter=separator, skipinitialspace=True))]


def _is_remark(line: str) -> bool:
    return line.lstrip().startswith(("#", "%"))


def _is_data(row: Sequence[str]) -> bool:
    """Whether a row holds a number: rows of names and units hold none."""
    return any(_NUMBER.fullmatch(word) for word in row)


def _different(names: Sequence[str]) -> list[str]:
    """Names of columns, those that are there twice numbered on."""
    found: list[str] = []
    for name in names:
        again, number = name, 1
        while again in found:
            again, number = f"{name}.{number}", number + 1
        found.append(again)
    return found
