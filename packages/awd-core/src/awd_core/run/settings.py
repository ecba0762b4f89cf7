"""Settings, said once: a frozen dataclass from which a command's options, their help and their checks come.

A field's type says what it may be, its marks what the type cannot, and the docstring what it means (a mark that is a
text does so on a command line where its words have to differ):

    epochs: Annotated[int, Panel("Teacher"), AtLeast(0)] = 6

`check_settings` in `__post_init__` refuses everything else, in Python and on a command line alike. Nothing heavy is
imported here, nor should it be by a module of settings, since `--help` reads it.
"""

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from importlib import import_module
from itertools import pairwise
from numbers import Real
from typing import Annotated, Any, Literal, get_args, get_origin

from awd_core.checks.choices import check_choice
from awd_core.checks.whole_numbers import is_whole_number

# --- what settings refuse ---------------------------------------------------------------------------------------------


class SettingError(ValueError):
    """Values that settings refuse. Fields are called by their names, on a command line by those of their options.

    Parameters
    ----------
    told : str
        The message, as for `str.format`: fields stand in braces.
    **values
        Whatever else stands in braces.

    Examples
    --------
    >>> error = SettingError("{small_batch} is {value}; it must be 1 or more", value=0)
    >>> str(error)
    'small_batch is 0; it must be 1 or more'
    >>> error.called = {"small_batch": "--small-batch"}
    >>> str(error)
    '--small-batch is 0; it must be 1 or more'
    """

    def __init__(self, told: str, /, **values: object) -> None:
        super().__init__(told)
        self.values = values
        self.called: Mapping[str, str] = {}  # what fields are called, where it is not their name

    def __str__(self) -> str:
        return str(self.args[0]).format_map(_Names({**self.called, **self.values}))


class _Names(dict[str, object]):
    """What is not called otherwise is called by its name."""

    def __missing__(self, name: str) -> str:
        return name


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
class AtLeast:
    """Numbers from one on, or between two."""

    least: float
    most: float | None = None

    def __str__(self) -> str:
        return f"{self.least:g} or more" if self.most is None else f"{self.least:g} to {self.most:g}"

    def check(self, name: str, value: Any, *, whole: bool) -> None:
        """Refuse others, and what is no whole number, if it shall be one."""
        number = is_whole_number(value) if whole else isinstance(value, Real) and math.isfinite(value)
        if not number or value < self.least or (self.most is not None and value > self.most):
            kind = "whole number" if whole else "number"
            raise SettingError(f"{{{name}}} is {{value!r}}; it must be {self}, a {kind}", value=value)


@dataclass(frozen=True)
class OneOf:
    """Names of a table that grows elsewhere, "package.module:TABLE"; it is not loaded for `--help`.

    What there is for good is a `Literal`.
    """

    table: str
    besides: tuple[str, ...] = ()

    def check(self, name: str, value: Any) -> None:
        """Refuse others."""
        module, _, table = self.table.partition(":")
        _check_name(name, value, (*self.besides, *getattr(import_module(module), table)))


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


# --- checks -----------------------------------------------------------------------------------------------------------


def check_settings(settings: Any) -> None:
    """Refuse values that the types and marks of the fields do not allow.

    Parameters
    ----------
    settings : dataclass
        Whose defaults are taken for right.

    Raises
    ------
    SettingError
        If a value is another one.

    Examples
    --------
    >>> @dataclass(frozen=True)
    ... class Teaching:
    ...     epochs: Annotated[int, AtLeast(0)] = 6
    ...     precision: Literal["single", "double"] = "single"
    ...
    ...     def __post_init__(self):
    ...         check_settings(self)
    >>> Teaching(precision="dobule")
    Traceback (most recent call last):
    ...
    awd_core.run.settings.SettingError: precision is 'dobule' (did you mean double?); choose one of single, double
    """
    for one in fields(settings):
        value = getattr(settings, one.name)
        if value is not one.default:
            check_value(one.name, one.type, value)
        if is_whole_number(value) and type(value) is not int:  # NumPy's, which JSON has no word for
            object.__setattr__(settings, one.name, int(value))


def check_value(name: str, annotation: Any, value: Any) -> None:
    """Refuse a value that a type and its marks do not allow; of a tuple or list, each item."""
    kind, marks = marked(annotation)
    if value is None and type(None) in get_args(kind):
        return
    allowed = choices_of(kind)
    for one in value if isinstance(value, (tuple, list)) else (value,):
        if allowed:
            _check_name(name, one, allowed)
        for mark in marks:
            if isinstance(mark, AtLeast):
                mark.check(name, one, whole=float not in (kind, *get_args(kind)))
            elif isinstance(mark, OneOf):
                mark.check(name, one)


def _check_name(name: str, value: Any, allowed: Iterable[str]) -> None:
    try:
        check_choice("", value, allowed, required=True)
    except ValueError as error:
        raise SettingError(f"{{{name}}}{{told}}", told=error) from None


def marked(annotation: Any) -> tuple[Any, tuple[Any, ...]]:
    """A type and its marks."""
    marks = getattr(annotation, "__metadata__", ())
    return (annotation.__origin__ if marks else annotation), marks


def choices_of(kind: Any) -> tuple[str, ...]:
    """Names of a `Literal`, wherever in a type it stands."""
    if get_origin(kind) is Literal:
        return get_args(kind)
    return next((found for part in get_args(kind) if (found := choices_of(part))), ())


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
