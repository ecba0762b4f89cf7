"""Fields of settings, checked by their types and by marks for what a type cannot say: the least number, the names.

    epochs: Annotated[int, AtLeast(0)] = 6

`check_settings` in `__post_init__` of a frozen dataclass refuses everything else. Nothing heavy is imported here.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from importlib import import_module
from numbers import Real
from typing import Any, Literal, get_args, get_origin

from awd_core.checks.choices import check_choice
from awd_core.checks.whole_numbers import is_whole_number


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
    awd_core.checks.settings.SettingError: precision is 'dobule' (did you mean double?); choose one of single, double
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
