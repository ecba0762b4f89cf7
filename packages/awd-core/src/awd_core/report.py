"""The look of a report: one HTML file that needs nothing beside itself, for a screen, a telephone and paper.

`render` fills a template that extends `awd_core/base.html.j2`. A package brings its own templates in a folder
`templates` and names them with its import name before: `awd_cosmo/run.html.j2`. They are given `Picture` and `Table`,
and print them with the macros of `awd_core/parts.html.j2`. Nothing is loaded from anywhere: pictures are in the file,
and a content security policy in its head forbids the rest.
"""

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import jinja2

LARGEST = 5_000_000
"""Bytes of a report, at most: what an e-mail takes without complaint."""


@dataclass(frozen=True)
class Picture:
    """A figure of a report; its caption, which says what to see, stands in the template.

    Attributes
    ----------
    key : str
        Its place in the page, such as "path".
    alt : str
        What is drawn, for who does not see it.
    image : bytes
        PNG or GIF.
    narrow : bytes, optional
        PNG in place of it where the page is narrower than 600 pixels.
    still : bytes, optional
        PNG in place of it on paper and where the reader asked for less motion.
    """

    key: str
    alt: str
    image: bytes = field(repr=False)
    narrow: bytes | None = field(default=None, repr=False)
    still: bytes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not self.alt.strip():
            raise ValueError(f"the picture {self.key!r} needs an alternative text, for who does not see it")


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

    @property
    def numeric(self) -> list[bool]:
        """Whether each column holds numbers, but for what is missing."""
        held = [[row[place] for row in self.rows if row[place] is not None] for place in range(len(self.columns))]
        return [bool(values) and all(map(_is_number, values)) for values in held]

    def cells(self, row: Sequence[Any]) -> list[tuple[str, str]]:
        """What is shown, and what is sorted by and downloaded, for each value of a row."""
        return [_cell(value, column.style) for value, column in zip(row, self.columns, strict=True)]


def render(template: str, *, title: str, packages: Sequence[str] = (), **context: Any) -> str:
    """Fill a template.

    Parameters
    ----------
    template : str
        Its name with its package before, such as "awd_core/distill.html.j2".
    title : str
        The report's title.
    packages : sequence of str, optional
        Import names of packages whose folder `templates` is searched too.
    **context
        What the template asks for. Those that extend `awd_core/base.html.j2`: `summary`, one or two sentences; `facts`,
        a sequence of (name, value, remark); `versions`, a mapping; `sections`, a sequence of (id, title); and the rest
        for themselves. `None` for `made`, the date, stands for now.

    Returns
    -------
    str
        HTML.

    Raises
    ------
    ValueError
        If the template asks for something that was not given, or the report is larger than `LARGEST`.

    Examples
    --------
    >>> html = render("awd_core/base.html.j2", title="Nothing", summary="Nothing to see.", facts=[], versions={})
    >>> html.startswith("<!doctype html>")
    True
    """
    loaders: Mapping[str, jinja2.BaseLoader] = {
        package: jinja2.PackageLoader(package) for package in dict.fromkeys(["awd_core", *packages])
    }
    environment = jinja2.Environment(
        loader=jinja2.PrefixLoader(loaders),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"uri": data_uri, "number": number}
    made = context.pop("made", None) or datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    try:
        html = environment.get_template(template).render(title=title, made=made, **context)
    except jinja2.UndefinedError as error:
        raise ValueError(f"the template {template} asks for something that was not given: {error}") from error
    size = len(html.encode())
    if size > LARGEST:
        raise ValueError(f"the report has {size / 1e6:.1f} MB, more than {LARGEST / 1e6:.0f}; leave pictures out")
    return html


def data_uri(image: bytes) -> str:
    """A picture as text that stands in the page itself.

    Raises
    ------
    ValueError
        If it is neither PNG nor GIF.
    """
    kinds = {b"\x89PNG": "png", b"GIF8": "gif"}
    if (kind := kinds.get(image[:4])) is None:
        raise ValueError(f"a picture must be PNG or GIF, this one begins with {image[:4]!r}")
    return f"data:image/{kind};base64,{base64.b64encode(image).decode()}"


def number(value: float | None, style: str = ".4g") -> str:
    """A number as people write it: a proper minus, ∞, and – for what is missing.

    Examples
    --------
    >>> number(-0.12345), number(math.inf), number(None), number(1.5e-9)
    ('−0.1235', '∞', '–', '1.5·10⁻⁹')
    """
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    mantissa, e, exponent = format(value, style).partition("e")
    if e and value == 0:
        return "0"
    if e:
        superscripts = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
        mantissa += f"·10{str(int(exponent)).translate(superscripts)}"
    return mantissa.replace("-", "−")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _cell(value: Any, style: str) -> tuple[str, str]:
    if value is None:
        return "–", ""
    if _is_number(value):
        return number(value, "d" if isinstance(value, int) else style), repr(value)
    text = {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
    return text, text
