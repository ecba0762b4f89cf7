"""A dataclass as JSON: one way there, one way back, and one set of errors.

What a field may hold follows from its type. A tuple is a list, an array is lists of numbers, a named tuple and a
dataclass are objects. A number that is not finite is null; null is NaN where the type is `float`, and None where it is
`float | None`. What is typed `Any` stays as it is. A class of another kind says by `_to_json` and `_from_json` what it
is in JSON.
"""

import json
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import is_dataclass
from functools import cache
from pathlib import Path
from types import GenericAlias, UnionType
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar, get_args, get_origin

import numpy as np

from awd_core.checks.choices import check_file
from awd_core.files.atomic import write_json
from awd_core.files.damage import in_words, parse_json

Kind = TypeVar("Kind")
MOST = 3
"""Problems of a file that a message tells, at most."""
_PLAIN: dict[Any, tuple[Any, str]] = {
    float: (int | float, "a number"),
    int: (int, "a whole number"),
    str: (str, "a text"),
    bool: (bool, "true or false"),
}
"""What Python makes of JSON's values, and what they are called."""


class Record:
    """A dataclass that goes to JSON and comes back; with a format, it has files of its own.

    Parameters
    ----------
    format : str
        "format" in JSON. Without one there is no such entry, and no version.
    version : int
        The version of the format that is written and read.
    what : str
        What a file is read as, with its article, for messages.
    writer : str
        What writes such files, for messages.
    ignored : sequence of str
        Entries that are there for people, or once were there, and are not read.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass
    ... class Score(Record, format="score"):
    ...     value: float
    ...     ends: tuple[float, float]
    >>> Score(0.5, (0.4, math.nan)).to_dict()
    {'format': 'score', 'version': 1, 'value': 0.5, 'ends': [0.4, None]}
    >>> Score.from_dict({"format": "score", "version": 1, "ends": [0.4, "0.6"]})
    Traceback (most recent call last):
    ...
    ValueError: it lacks value; ends[1] is "0.6"; give a number
    """

    _head: ClassVar[dict[str, Any]] = {}
    _what: ClassVar[str]
    _writer: ClassVar[str]
    _ignored: ClassVar[Sequence[str]]

    def __init_subclass__(
        cls,
        format: str = "",  # noqa: A002 the word of the files themselves
        version: int = 1,
        what: str = "",
        writer: str = "",
        ignored: Sequence[str] = (),
    ) -> None:
        cls._head = {"format": format, "version": version} if format else {}
        cls._what, cls._writer, cls._ignored = what, writer, ignored

    def to_dict(self) -> dict[str, Any]:
        """JSON values, from which `from_dict` makes an equal record."""
        values: dict[str, Any] = to_json(self)
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Record from what `to_dict` gave.

        Raises
        ------
        ValueError
            If it is something else, of a later version, or lacks something; the message says what and where.
        """
        return from_json(cls, values)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it to a JSON file, whole or not at all."""
        write_json(path, self.to_dict())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a file that `save` wrote.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If it is no such file, lacks something, or was written by a later version.
        """
        with reading(path, cls._what) as values:
            return cls.from_dict(values)


@contextmanager
def reading(path: str | os.PathLike[str], what: str, advice: str = "") -> Iterator[Any]:
    """JSON values of a file, for something to be made of them.

    Parameters
    ----------
    path : str or path
        The file.
    what : str
        What it is read as, with its article, for messages.
    advice : str
        What to do if it is something else, for messages.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not JSON, or what is made of it raises ValueError, TypeError, or KeyError for what it lacks; the
        message names the file.
    """
    check_file(Path(path))
    try:
        try:
            values = parse_json(Path(path).read_bytes())
        except ValueError as error:
            raise ValueError(f"it is not JSON, or was cut short ({error})") from error
        yield values
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError, RecursionError) as error:
        plain = isinstance(error, (ValueError, TypeError))
        reason = f"it lacks {error}" if isinstance(error, KeyError) else error if plain else in_words(error)
        told = f"{reason}; {advice}" if advice else reason
        raise ValueError(f"{os.fspath(path)} cannot be read as {what}: {told}") from error


def to_json(value: Any) -> Any:
    """JSON values of a dataclass."""
    return _converter().unstructure(value)


def from_json(kind: type[Kind], values: Any) -> Kind:
    """A dataclass from what `to_json` gave; errors as of `Record.from_dict`."""
    converter = _converter()
    from cattrs import BaseValidationError

    try:
        made: Kind = converter.structure(values, kind)
    except (BaseValidationError, _OtherKindError) as error:
        told = list(_problems(error, values, "", kind))
        more = [f"and {len(told) - MOST} more"] if len(told) > MOST else []
        raise ValueError("; ".join(told[:MOST] + more)) from error
    return made


class _OtherKindError(Exception):
    """A value is not of the type that it should have: `_problems` tells which it is, and where."""


@cache
def _converter() -> Any:
    """What converts; made when it is first asked for, since cattrs takes a while to import."""
    from cattrs import Converter, cols
    from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn

    made = Converter(forbid_extra_keys=True, unstruct_collection_overrides={Sequence: list})

    def to_dataclass(kind: Any) -> Any:
        values_of, head = make_dict_unstructure_fn(kind, made), getattr(kind, "_head", {})
        return lambda one: head | values_of(one)

    def of_dataclass(kind: Any) -> Any:
        fill = make_dict_structure_fn(kind, made)
        return (lambda value, kind: fill(_body(value, kind), kind)) if issubclass(kind, Record) else _guarded(fill)

    def of_sequence(kind: Any) -> Any:
        types = get_args(kind)
        size = len(types) if get_origin(kind) is tuple and types[-1] is not Ellipsis else None
        listed: Any = GenericAlias(list, types[:1])
        fill, kept = cols.list_structure_factory(listed, made), list if get_origin(kind) is list else tuple

        def hook(value: Any, kind: Any) -> Any:
            if not isinstance(value, list | tuple) or size not in (None, len(value)):
                raise _OtherKindError
            return kept(fill(value, kind))

        return hook

    made.register_unstructure_hook(float, lambda value: value if math.isfinite(value) else None)
    for kind in _PLAIN:
        made.register_structure_hook(kind, _plain)
    hooks: list[tuple[Callable[[Any], bool], Any, Any]] = [
        (is_dataclass, to_dataclass, of_dataclass),
        # Lists, and tuples of one type.
        (lambda kind: _is_list(kind) and len({*get_args(kind)} - {Ellipsis}) == 1, None, of_sequence),
        (cols.is_mapping, None, lambda kind: _guarded(cols.mapping_structure_factory(kind, made))),
        (
            cols.is_namedtuple,
            lambda kind: cols.namedtuple_dict_unstructure_factory(kind, made),
            lambda kind: _guarded(cols.namedtuple_dict_structure_factory(kind, made, True, True)),
        ),
        (lambda kind: kind is Any, lambda kind: lambda value: value, None),
        (_is_choice, None, lambda kind: _either),
        (lambda kind: get_origin(kind) is np.ndarray, lambda kind: _numbers, lambda kind: _array),
        (lambda kind: hasattr(kind, "_to_json"), lambda kind: kind._to_json, lambda kind: _own),
    ]
    for is_kind, to_hook, of_hook in hooks:
        if to_hook is not None:
            made.register_unstructure_hook_factory(is_kind, to_hook)
        if of_hook is not None:
            made.register_structure_hook_factory(is_kind, of_hook)
    return made


def _guarded(hook: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """A hook for objects, which refuses what is none."""

    def guard(value: Any, kind: Any) -> Any:
        if not isinstance(value, Mapping):
            raise _OtherKindError
        return hook(value, kind)

    return guard


def _body(values: Any, kind: type[Record]) -> dict[str, Any]:
    """What is to be read of a record's JSON values, whose format and version must be right."""
    held: Mapping[str, Any] = values if isinstance(values, Mapping) else {}
    name, version = held.get("format"), held.get("version")
    if kind._head and name != kind._head["format"]:
        other = "" if name is None else f", but {_shown(name)}"
        made = f"; files like this are written by {kind._writer}" if kind._writer else ""
        raise ValueError(f'it has no "format": "{kind._head["format"]}"{other}{made}')
    if kind._head and version != kind._head["version"]:
        program = _program(kind)
        raise ValueError(
            f"its version is {_shown(version)} and this {program} reads version {kind._head['version']}; a later "
            f"{program} may have written it: update"
        )
    if held is not values:
        raise _OtherKindError
    return {key: value for key, value in held.items() if key not in kind._head and key not in kind._ignored}


def _is_list(kind: Any) -> bool:
    return get_origin(kind) in (list, tuple, Sequence)


def _plain(value: Any, kind: Any) -> Any:
    if value is None and kind is float:
        return math.nan
    # To Python True is a whole number.
    if not isinstance(value, _PLAIN[kind][0]) or isinstance(value, bool) != (kind is bool):
        raise _OtherKindError
    if kind is float and isinstance(value, int):
        try:
            float(value)
        except OverflowError as error:
            raise _OtherKindError from error
    return value


def _is_choice(kind: Any) -> bool:
    """Whether it is one of several plain types, such as str | int, or none."""
    types = {*get_args(kind)} - {type(None)}
    return isinstance(kind, UnionType) and len(types) > 1 and types <= _PLAIN.keys()


def _either(value: Any, kind: Any) -> Any:
    if value is None and type(None) in get_args(kind):
        return None
    for one in get_args(kind):
        if one in _PLAIN and isinstance(value, _PLAIN[one][0]) and isinstance(value, bool) == (one is bool):
            return value
    raise _OtherKindError


def _numbers(array: Any) -> Any:
    values = np.asarray(array)
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        values = values.astype(object)
        values[~np.isfinite(np.asarray(array))] = None
    return values.tolist()


def _array(value: Any, kind: Any) -> Any:
    dtype = np.dtype(get_args(get_args(kind)[1])[0])
    allowed = (int,) if dtype.kind == "i" else (int, float, type(None))
    try:
        given = np.array(value, dtype=object)
        # To NumPy True is a number, and 1.5 an integer.
        if all(type(one) in allowed for one in given.ravel()):
            return given.astype(dtype)
    except (ValueError, OverflowError):
        pass
    raise _OtherKindError


def _own(value: Any, kind: Any) -> Any:
    return kind._from_json(value)


def _problems(error: BaseException, value: Any, at: str, kind: Any) -> Iterator[str]:
    """What is wrong with a value, and where."""
    from cattrs import BaseValidationError, ForbiddenExtraKeysError

    if not isinstance(error, BaseValidationError):
        if isinstance(error, ValueError):
            yield f"{at}: {error}"
        else:
            yield f"{at or 'it'} is {_shown(value)}; give {_allowed(kind)}"
        return
    noted, others = error.group_exceptions()  # type: ignore[attr-defined]
    places = {getattr(note, "name", None) or note.index: (inner, note.type) for inner, note in noted}
    lacking = [place for place in places if isinstance(value, Mapping) and place not in value]
    if lacking:
        yield f"{at or 'it'} lacks {', '.join(lacking)}"
    for place, (inner, inner_kind) in places.items():
        if place not in lacking:
            name = f"[{place}]" if isinstance(place, int) else f".{place}" if at else str(place)
            yield from _problems(inner, value[place], f"{at}{name}", inner_kind)
    for other in others:
        if isinstance(other, ForbiddenExtraKeysError):
            names = ", ".join(sorted(_shown(name).strip('"') for name in other.extra_fields)[:MOST])
            yield f"{at or 'it'} has {names}, which this {_program(other.cl)} does not know: update"
        else:
            yield f"{at}: {other}" if at else str(other)


def _program(kind: Any) -> str:
    return str(kind.__module__).partition(".")[0].replace("_", "-")


def _shown(value: Any) -> str:
    told = json.dumps(value, ensure_ascii=False, default=repr)
    return told if len(told) <= 60 else f"{told[:59]}…"


def _allowed(kind: Any) -> str:
    """What a value of a type is in JSON."""
    origin, types = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _allowed(types[0])
    if (alias := getattr(origin, "__value__", None)) is not None:  # as NDArray is, from NumPy 2.5 on
        return _allowed(alias[types])
    if type(None) in types or _is_choice(kind):
        return " or ".join("null" if one is type(None) else _allowed(one) for one in types)
    if _is_list(kind):
        return f"a list of {len(types)}" if origin is tuple and types[-1] is not Ellipsis else "a list"
    words = {Literal: f"one of {', '.join(map(str, types))}", np.ndarray: "a list of numbers"}
    return words.get(origin) or _PLAIN.get(kind, (None, "an object"))[1]
