"""The look of a report: one HTML file that needs nothing beside itself, for a screen, a telephone and paper.

`render` fills a template that extends `awd_core.report/base.html.j2`; `save_report` writes what comes of it into a
run's folder. A package brings its own templates in a folder `templates` and names them with its import name before:
`awd_cosmo.report/run.html.j2`. They are given `Picture` and `awd_core.report.Table`, and print them with the macros of
`awd_core.report/parts.html.j2`. Nothing is loaded from anywhere: pictures are in the file, and a content security
policy in its head forbids the rest.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2

from awd_core.report.table import ON_PAPER
from awd_core.report.table import Column as Column
from awd_core.report.table import Table as Table
from awd_core.report.table import number as number

if TYPE_CHECKING:
    from awd_core.run.folder import RunFolder

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


def render(template: str, *, title: str, packages: Sequence[str] = (), **context: Any) -> str:
    """Fill a template.

    Parameters
    ----------
    template : str
        Its name with its package before, such as "awd_core.report/distill.html.j2".
    title : str
        The report's title.
    packages : sequence of str, optional
        Import names of packages whose folder `templates` is searched too.
    **context
        What the template asks for. Those that extend `awd_core.report/base.html.j2`: `summary`, one or two sentences;
        `facts`, a sequence of (name, value, remark); `versions`, a mapping; `sections`, a sequence of (id, title); and
        the rest for themselves. `None` for `made`, the date, stands for now.

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
    >>> html = render("awd_core.report/base.html.j2", title="Nothing", summary="Nothing to see.", facts=[], versions={})
    >>> html.startswith("<!doctype html>")
    True
    """
    html = _filled(template, packages, {"title": title, **context})
    if (size := len(html.encode(errors="backslashreplace"))) > LARGEST:
        raise ValueError(f"the report has {size / 1e6:.1f} MB, more than {LARGEST / 1e6:.0f}; leave pictures out")
    return html


def save_report(
    run: "RunFolder", template: str, /, *, made_with: Sequence[str], packages: Sequence[str] = (), **context: Any
) -> Path:
    """Fill a template, and write it to report.html in a run's folder.

    A report that comes out larger than `LARGEST` loses the pictures for narrow pages, where the wide ones are shown
    then; the reader of the log is told, and once more if that is not enough. No run should fail at its report.

    Parameters
    ----------
    run : RunFolder
        The run.
    template, packages, **context
        As for `render`; `versions` is made here.
    made_with : sequence of str
        Names of the distributions whose versions stand in the head of the page.

    Returns
    -------
    Path
        The file.
    """
    versions = run.config["versions"]
    context["versions"] = {name: versions[name] for name in made_with if name in versions}
    html = _filled(template, packages, context)
    if (size := len(html.encode(errors="backslashreplace"))) > LARGEST:
        html = _filled(template, packages, context, lean=True)
        run.say(
            f"Warning: the report had {size / 1e6:.1f} MB, more than the {LARGEST / 1e6:.0f} that mail takes. It was "
            "written without the pictures for telephones."
        )
        if (size := len(html.encode(errors="backslashreplace"))) > LARGEST:
            run.say(f"Warning: it still has {size / 1e6:.1f} MB. Send figures/ apart, or a shorter run.")
    run.write_bytes("report.html", html.encode(errors="backslashreplace"))
    return run / "report.html"


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


def _filled(template: str, packages: Sequence[str], context: Mapping[str, Any], *, lean: bool = False) -> str:
    loaders: Mapping[str, jinja2.BaseLoader] = {
        package: jinja2.PackageLoader(package) for package in dict.fromkeys(["awd_core.report", *packages])
    }
    environment = jinja2.Environment(
        loader=jinja2.PrefixLoader(loaders),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"uri": data_uri, "number": number}
    environment.globals |= {"lean": lean, "rows_on_paper": ON_PAPER}
    made = context.get("made") or datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    try:
        return environment.get_template(template).render({**context, "made": made})
    except jinja2.UndefinedError as error:
        raise ValueError(f"the template {template} asks for something that was not given: {error}") from error
