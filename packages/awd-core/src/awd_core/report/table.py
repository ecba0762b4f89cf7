"""Tables of a report, to be sorted and downloaded as CSV, and numbers as people write them."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Self

WRAPPED, LONG = 24, 90
"""A text with more letters than that is broken into lines, and into long ones."""
ON_PAPER = 40
"""Rows that are printed, at most; all of them are in the file."""


@dataclass(frozen=True)
class Column:
    """A column of a table: its head, what the head means, and how numbers are written (as in `format`)."""

    head: str
    meaning: str = ""
    style: str = "#.4g"


@dataclass(frozen=True)
class Table:
    """A table of a report, to be sorted and downloaded as CSV; its caption stands in the template.

    Attributes
    ----------
    key : str
        Its place in the page, and the name of the CSV file.
    columns : sequence of Column
        From left to right.
    rows : sequence of sequences
        Values: numbers, texts, None for what is missing. The CSV file has numbers in full.
    marked : int, optional
        A row to emphasise.
    """

    key: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]
    marked: int | None = None

    def __post_init__(self) -> None:
        for number, row in enumerate(self.rows):
            if len(row) != len(self.columns):
                raise ValueError(
                    f"row {number} of the table {self.key!r} has {len(row)} values for {len(self.columns)} columns"
                )

    @classmethod
    def of(
        cls, key: str, items: Iterable[Any], columns: Sequence[tuple[Column, str | Callable[[Any], Any]]],
        marked: int | None = None,
    ) -> Self:  # fmt: skip
        """A row for each item; beside each column stands where its values come from, an attribute or a function.

        Examples
        --------
        >>> table = Table.of("t", [1 + 2j], [(Column("real"), "real"), (Column("size"), abs)])
        >>> [list(row) for row in table.rows]
        [[1.0, 2.23606797749979]]
        """
        reads = [attrgetter(read) if isinstance(read, str) else read for _, read in columns]
        return cls(key, [column for column, _ in columns], [[read(item) for read in reads] for item in items], marked)

    def known(self) -> Self:
        """The same without the columns in which nothing is known.

        Examples
        --------
        >>> table = Table("t", [Column("model"), Column("bias")], [["AWD", None], ["db5", None]])
        >>> [column.head for column in table.known().columns]
        ['model']
        """
        held = [[row[place] for row in self.rows] for place in range(len(self.columns))]
        kept = [place for place, values in enumerate(held) if not all(v == "–" or _is_missing(v) for v in values)]
        columns = [self.columns[place] for place in kept]
        return type(self)(self.key, columns, [[row[place] for place in kept] for row in self.rows], self.marked)

    @property
    def numeric(self) -> list[bool]:
        """Whether each column holds numbers, but for what is missing."""
        held = [[row[k] for row in self.rows if not _is_missing(row[k])] for k in range(len(self.columns))]
        return [bool(values) and all(map(_is_number, map(_plain, values))) for values in held]

    @property
    def classes(self) -> list[str]:
        """How each column is set: "number" to the right, "words" or "words long" in lines, or "" in one line."""
        shown = [[text for text, _ in self.cells(row)] for row in self.rows]
        longest = [max((len(row[place]) for row in shown), default=0) for place in range(len(self.columns))]
        return [
            "number" if numeric else f"words{' long' * (letters > LONG)}" if letters > WRAPPED else ""
            for numeric, letters in zip(self.numeric, longest, strict=True)
        ]

    @property
    def meanings(self) -> list[tuple[str, str]]:
        """Heads that are explained, with what they mean."""
        return [(column.head, column.meaning) for column in self.columns if column.head and column.meaning]

    @property
    def unprinted(self) -> int:
        """How many rows paper leaves out."""
        return max(0, len(self.rows) - ON_PAPER)

    def cells(self, row: Sequence[Any]) -> list[tuple[str, str]]:
        """What is shown, and what is sorted by and downloaded, for each value of a row."""
        return [_cell(value, column.style) for value, column in zip(row, self.columns, strict=True)]


def number(value: float | None, style: str = ".4g") -> str:
    """A number as people write it: a proper minus, ∞, and – for what is missing.

    Examples
    --------
    >>> number(-0.12345), number(math.inf), number(None), number(1.5e-9), number(1081.2, "#.4g")
    ('−0.1235', '∞', '–', '1.5·10⁻⁹', '1081')
    """
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    mantissa, e, exponent = format(value, style).partition("e")
    if e and value == 0:
        return "0"
    mantissa = mantissa.removesuffix(".")
    if e:
        superscripts = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
        mantissa += f"·10{str(int(exponent)).translate(superscripts)}"
    return mantissa.replace("-", "−")


def _plain(value: Any) -> Any:
    """A scalar of NumPy as Python's own, whose text is the number alone."""
    return value.item() if hasattr(value, "item") else value


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _cell(value: Any, style: str) -> tuple[str, str]:
    value = _plain(value)
    if _is_missing(value):
        return "–", ""
    if _is_number(value):
        whole = ",d" if abs(value) >= 10_000 else "d"
        return number(value, whole if isinstance(value, int) else style), repr(value)
    text = {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
    return text, text
