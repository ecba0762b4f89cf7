"""Tables of samples in CSV and Parquet files: a row for each sample, a column for each of its values, or for a label.

A CSV file may begin with a row of names; commas, semicolons or tabs stand between values. Columns are named behind the
file: `data.csv:fat` is one, `data.csv:850..1048` are those from one to another, `data.csv` are all.
"""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from awd_core.files.damage import in_words
from awd_core.typing import AnyArray

DELIMITERS = ",;\t"


def read_csv(path: Path, name: str | None) -> AnyArray:
    """Columns of a CSV file, shape (n, columns), or (n,) of one that is named; numbers, or else texts.

    Raises
    ------
    ValueError
        If rows differ in length, there is no such column, or there are no rows.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no text in UTF-8 ({error}); save it as such") from error
    first = text.lstrip().partition("\n")[0]
    delimiter = max(DELIMITERS, key=first.count)
    rows = [row for row in csv.reader(io.StringIO(text), delimiter=delimiter) if any(cell.strip() for cell in row)]
    if not rows:
        raise ValueError(f"{path} is empty; give a row for each sample")
    width = len(rows[0])
    if wrong := next((k for k, row in enumerate(rows) if len(row) != width), None):
        raise ValueError(
            f"{path} has {len(rows[wrong])} values in line {wrong + 1} and {width} in the first; give as many"
        )
    names = [cell.strip() for cell in rows[0]] if _is_head(rows) else None
    body = rows if names is None else rows[1:]
    if not body:
        raise ValueError(f"{path} has names and no rows; give a row for each sample")
    columns = [_values([row[place].strip() for row in body]) for place in range(width)]
    return _chosen(path, name, names, columns)


def read_parquet(path: Path, name: str | None) -> AnyArray:
    """As `read_csv`, of a Parquet file.

    Raises
    ------
    ImportError
        If pyarrow is not installed.
    ValueError
        If the file is damaged, or there is no such column.
    """
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise ImportError(
            f"{path}: Parquet files are read by pyarrow, which is not installed; pip install pyarrow"
        ) from error
    try:
        table = pyarrow.parquet.read_table(path, page_checksum_verification=True)
    except Exception as error:  # pyarrow raises of what is damaged errors of many kinds
        raise ValueError(f"{path} cannot be read as a Parquet file: {in_words(error)}") from error
    columns = [column.to_numpy(zero_copy_only=False) for column in table.columns]
    told = [np.array([str(one) for one in c.tolist()]) if c.dtype.kind == "O" else np.asarray(c) for c in columns]
    return _chosen(path, name, list(table.column_names), told)


def _is_head(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row has names: it holds what is no number where the second has one, or occurs only there."""
    first = [cell.strip() for cell in rows[0]]
    if len(rows) < 2:
        return False
    if any(not _is_number(a) and _is_number(b.strip()) for a, b in zip(first, rows[1], strict=True)):
        return True
    if any(map(_is_number, first)):
        return False
    return all(cell not in {row[place].strip() for row in rows[1:]} for place, cell in enumerate(first))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return cell == ""
    return True


def _values(cells: Sequence[str]) -> AnyArray:
    """Whole numbers, or numbers with NaN for what is missing, or texts."""
    if not all(map(_is_number, cells)):
        return np.array(cells)
    numbers = np.array([float(cell) if cell else np.nan for cell in cells])
    try:
        return np.array([int(cell) for cell in cells])
    except (ValueError, OverflowError):
        return numbers


def _chosen(path: Path, name: str | None, names: Sequence[str] | None, columns: Sequence[AnyArray]) -> AnyArray:
    if name is None:
        return columns[0] if len(columns) == 1 else _together(path, columns, names)
    if names is None:
        raise ValueError(
            f"{path} has no names of columns in its first row, and {name!r} is asked for; leave the name out"
        )
    low, dots, high = name.partition("..")
    if name in names:
        return columns[list(names).index(name)]
    if dots and low in names and high in names:
        begin, end = list(names).index(low), list(names).index(high)
        return _together(path, columns[begin : end + 1], names[begin : end + 1])
    listed = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    raise ValueError(f"there is no column {name!r} in {path}: it holds {listed}; give one, or FIRST..LAST")


def _together(path: Path, columns: Sequence[AnyArray], names: Sequence[str] | None) -> AnyArray:
    if not columns:
        raise ValueError(f"{path}: the last column that is named comes before the first; give FIRST..LAST")
    texts = [place for place, column in enumerate(columns) if column.dtype.kind not in "fiub"]
    if texts and len(texts) < len(columns):
        column = names[texts[0]] if names is not None else str(texts[0] + 1)
        raise ValueError(
            f"{path} holds texts in the column {column}; name the columns that are meant, as {path}:FIRST..LAST"
        )
    found: Any = np.column_stack(columns)
    return np.asarray(found)
