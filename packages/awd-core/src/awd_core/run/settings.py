"""Settings, said once: a frozen dataclass from which a command's options, their help and their checks come.

A field's type says what it may be, its marks what the type cannot, and the docstring what it means (a mark that is a
text does so on a command line where its words have to differ):

    epochs: Annotated[int, Panel("Teacher"), AtLeast(0)] = 6

`check_settings` in `__post_init__` refuses everything else, in Python and on a command line alike
(`awd_core.checks.settings`). Nothing heavy is imported here, nor should it be by a module of settings, since `--help`
reads it.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

from awd_core.checks.choices import check_files
from awd_core.checks.settings import AtLeast as AtLeast
from awd_core.checks.settings import OneOf as OneOf
from awd_core.checks.settings import SettingError as SettingError
from awd_core.checks.settings import check_settings as check_settings

# --- marks of a field -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Panel:
    """Part of `--help` that an option stands in; a field without one is no option, unless a command asks for it.

    Attributes
    ----------
    name : str
        Its title.
    rank : int
        Panels of a lower rank come first.
    """

    name: str
    rank: int = 0


ARGUMENTS = Panel("Arguments", -1)
"""Of what is given by its place, without a name."""
RUN = Panel("Run", 9)
"""Of what is about the run itself."""


@dataclass(frozen=True)
class Typed:
    """How a value is typed on a command line, where the field's name and type do not say it.

    Attributes
    ----------
    value : str
        What `--help` shows in its place, such as "LIST|COUNT".
    read : callable, optional
        From the text to the value.
    name : str
        Of the option, such as "--also".
    default : str
        The default as it is typed, where it is not a plain value.
    hidden : bool
        Whether `--help` passes over it.
    """

    value: str = ""
    read: Callable[[str], Any] | None = None
    name: str = ""
    default: str = ""
    hidden: bool = False


@dataclass(frozen=True)
class Fields:
    """Marks a parameter, or a field, as settings whose fields are options each by itself.

    Attributes
    ----------
    only : str
        Names of those that are; all that stand in a panel, if not given.
    of : type, optional
        The settings, where the parameter is a mapping: it gets the values that were given, by field.
    default : callable, optional
        From a field's name to its default as it is typed.
    others : mapping
        Other defaults than the fields'.
    """

    only: str = ""
    of: type | None = None
    default: Callable[[str], str] | None = None
    others: Mapping[str, Any] = field(default_factory=dict)


Workers = Annotated[int, RUN, AtLeast(1), Typed("N"), "Processes on this machine."]
Scheduler = Annotated[
    str | None, RUN, Typed("ADDRESS"), "Scheduler of Dask, tcp://host:port or its file: its workers do it."
]
Quality = Annotated[bool, RUN, "Do not check the attributions."]
Overwrite = Annotated[bool, RUN, "Delete an earlier run in that folder."]
Quiet = Annotated[bool, RUN, "Show errors only."]
Question = Annotated[
    str | None, RUN, Typed("TEXT"), "What you want to know of the model: the report puts it beside what was found."
]


# --- what else is checked before any work -----------------------------------------------------------------------------


def check_parts(wavelets: Iterable[str], network: str | None, files: Iterable[str | Path | None] = ()) -> None:
    """Refuse, before the folder of a run is made, what only a later step would find missing.

    Parameters
    ----------
    wavelets : iterable of str
        Names that searches start from.
    network : str, optional
        Whose factory is to be found, "package.module:FACTORY".
    files : iterable of path, optional
        Files and folders; None stands for one that is not given.

    Raises
    ------
    ValueError
        If there is no such wavelet, or no such network.
    FileNotFoundError
        If a file is not there.
    """
    from awd_core.teacher.weights import resolve_factory
    from awd_core.wavelets.wavelet import Wavelet

    for name in wavelets:
        Wavelet.from_name(name)
    if network is not None:
        resolve_factory(network)
    check_files(None if file is None else Path(file) for file in files)


# --- texts of a command line ------------------------------------------------------------------------------------------


def typed(value: Any) -> str:
    """A value as it is typed.

    Examples
    --------
    >>> typed((0.0, 0.25, 1.0)), typed(None), typed(1e-3)
    ('0,0.25,1', '', '0.001')
    """
    if isinstance(value, tuple):
        return ",".join(map(typed, value))
    return f"{value:g}" if isinstance(value, float) else "" if value is None else str(value)


def parse_names(text: str) -> tuple[str, ...]:
    """Names with commas between them.

    Examples
    --------
    >>> parse_names("db2, db5")
    ('db2', 'db5')
    """
    return tuple(part.strip() for part in text.split(",") if part.strip())


def parse_shares(text: str) -> tuple[float, ...]:
    """Shares of a path: numbers with commas between them, or a count from 2 on of evenly spaced ones.

    Raises
    ------
    SettingError
        If it is neither, or they do not increase from 0 or more to 1 or less.

    Examples
    --------
    >>> parse_shares("0,0.25,1"), parse_shares("3"), parse_shares("1")
    ((0.0, 0.25, 1.0), (0.0, 0.5, 1.0), (1.0,))
    """
    if text.strip().isdecimal() and (count := int(text)) > 1:
        if count > 1001:
            raise SettingError("{shares} is {count}; a path has at most 1001 points, and 11 are plenty", count=count)
        return tuple(index / (count - 1) for index in range(count))
    try:
        shares = tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise SettingError(
            "{shares} is {text!r}; give numbers such as 0,0.5,1, or how many, such as 11", text=text
        ) from error
    if not all(0 <= share <= 1 for share in shares) or any(b <= a for a, b in pairwise(shares)):
        raise SettingError("{shares} is {text!r}; they must lie between 0 and 1 and increase", text=text)
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
