"""Options that commands of all packages have, and how their texts are read. Nothing heavy is imported here."""

import json
from itertools import pairwise
from typing import Annotated, Any, overload

import typer

RUN = "Run"
"""Panel of the help that options of a run stand in."""

WorkersOption = Annotated[int, typer.Option(min=1, metavar="N", help="Processes on this machine.", rich_help_panel=RUN)]
SchedulerOption = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Scheduler of Dask, tcp://host:port or its file: its workers do it.",
        rich_help_panel=RUN,
    ),
]
NoQualityOption = Annotated[
    bool, typer.Option("--no-quality", help="Do not check the attributions.", rich_help_panel=RUN)
]
OverwriteOption = Annotated[
    bool, typer.Option("--overwrite", help="Delete an earlier run in that folder.", rich_help_panel=RUN)
]
QuietOption = Annotated[bool, typer.Option("--quiet", help="Show errors only.", rich_help_panel=RUN)]


@overload
def parse_names(text: str) -> tuple[str, ...]: ...


@overload
def parse_names(text: str | None) -> tuple[str, ...] | None: ...


def parse_names(text: str | None) -> tuple[str, ...] | None:
    """Names with commas between them; None where the option was not given.

    Examples
    --------
    >>> parse_names("db2, db5"), parse_names(None)
    (('db2', 'db5'), None)
    """
    return None if text is None else tuple(part.strip() for part in text.split(",") if part.strip())


def parse_shares(text: str) -> tuple[float, ...]:
    """Shares of a path: numbers with commas between them, or a count from 2 on of evenly spaced ones.

    Raises
    ------
    ValueError
        If it is neither, or they do not increase from 0 or more to 1 or less.

    Examples
    --------
    >>> parse_shares("0,0.25,1"), parse_shares("3"), parse_shares("1")
    ((0.0, 0.25, 1.0), (0.0, 0.5, 1.0), (1.0,))
    """
    if text.strip().isdecimal() and (count := int(text)) > 1:
        if count > 1001:
            raise ValueError(f"shares is {count}; a path has at most 1001 points, and 11 are plenty")
        return tuple(index / (count - 1) for index in range(count))
    try:
        shares = tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise ValueError(f"shares is {text!r}; give numbers such as 0,0.5,1, or how many, such as 11") from error
    if not all(0 <= share <= 1 for share in shares) or any(b <= a for a, b in pairwise(shares)):
        raise ValueError(f"shares is {text!r}; they must lie between 0 and 1 and increase")
    return shares


def parse_arguments(text: str) -> dict[str, Any]:
    """Arguments of a factory, from a JSON object.

    Raises
    ------
    ValueError
        If it is something else.
    """
    try:
        arguments = json.loads(text)
    except ValueError as error:
        raise ValueError(f"--factory-args is no JSON ({error}); give an object such as '{{\"n_in\": 64}}'") from error
    if not isinstance(arguments, dict):
        raise ValueError(f"--factory-args must be a JSON object such as '{{\"n_in\": 64}}', got {text}")
    return arguments
