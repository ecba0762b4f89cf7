"""From a function to a command: its parameters, and the fields of settings among them, are options.

Nothing heavy is imported here, the parser neither: `awd_core.run.program` gives it these options.
"""

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_origin

from awd_core.checks.settings import AtLeast, SettingError, check_value, choices_of, marked
from awd_core.run.settings import ARGUMENTS, Fields, Panel, Typed, parse_arguments, parse_names, typed

OPTIONS = Panel("Options")
"""Of a function's parameters that stand in no other."""
Place = tuple[str, ...]
"""Where a value goes: a parameter of the function, or the field of settings that it takes, or of settings in these."""


@dataclass(frozen=True)
class Option:
    """An option, or an argument, which is given by its place on the command line.

    `name` is typed, "--levels", or shown, "DATA"; `kind` is what the parser makes of a value, and `read` what then
    becomes of it; `help`, `value` (which stands for the value) and `default` are what `--help` says.
    """

    place: Place
    annotation: Any
    name: str
    kind: Any
    read: Callable[[Any], Any] | None
    panel: Panel
    help: str
    value: str
    default: str
    required: bool
    hidden: bool

    @property
    def is_repeated(self) -> bool:
        """Whether it may be given more than once."""
        return get_origin(self.kind) is list

    @property
    def range(self) -> AtLeast | None:
        """Which numbers it takes."""
        found: AtLeast | None = _first(marked(self.annotation)[1], AtLeast)
        return found

    @property
    def takes(self) -> str:
        """Which names, or numbers, it takes, where that is settled."""
        return ", ".join(choices_of(marked(self.annotation)[0])) or str(self.range or "")


class Command:
    """A function that can be given what was typed.

    Parameters
    ----------
    function : callable
        Its parameters are options. A parameter that is a dataclass of settings, or marked by `Fields`, stands for
        its fields.

    Attributes
    ----------
    prose : str
        What the function's docstring says before its sections.
    options : list of Option
        By panels, arguments first.

    Examples
    --------
    >>> def double(number: int, times: int = 1) -> None:
    ...     '''Double a number.
    ...
    ...     Parameters
    ...     ----------
    ...     number
    ...         Any.
    ...     times
    ...         How often.
    ...     '''
    ...     print(number * 2**times)
    >>> command = Command(double)
    >>> [(option.name, option.help, option.default) for option in command.options]
    [('--number', 'Any.', ''), ('--times', 'How often.', '1')]
    >>> command({("number",): 3})
    6
    """

    def __init__(self, function: Callable[..., object]) -> None:
        self.function = function
        prose = re.split(r"\n\w+\n-+\n", inspect.getdoc(function) or "", maxsplit=1)[0].strip()
        self.prose = "\n\n".join(" ".join(part.split()) for part in prose.split("\n\n"))
        self._groups: dict[Place, tuple[Any, Mapping[str, Any]]] = {}
        found = self._options(function, (), OPTIONS, Fields(" ".join(inspect.signature(function).parameters)))
        self.options = sorted(found, key=lambda option: option.panel.rank)

    def _options(self, source: Any, inside: Place, around: Panel, group: Fields) -> Iterator[Option]:
        texts, only = field_descriptions(source), group.only.split()
        for name, parameter in inspect.signature(source).parameters.items():
            kind, marks = marked(parameter.annotation)
            inner, panel, place = _first(marks, Fields), _first(marks, Panel), (*inside, name)
            settings: Any = next((one for one in (kind, *get_args(kind)) if is_dataclass(one)), None)
            if only and name not in only:
                continue
            if inner or (settings and not inside):
                inner = inner or Fields()
                self._groups[place] = (None if inner.of else settings), inner.others
                yield from self._options(inner.of or settings, place, panel or around, inner)
            elif only or panel:
                default = group.others.get(name, parameter.default)
                told = group.default(name) if group.default else None
                yield _option(place, parameter.annotation, panel or around, texts.get(name, ""), default, told)

    def __call__(self, values: Mapping[Place, Any]) -> None:
        """Run the function with what was given; what the settings refuse is told with the names of the options."""
        try:
            self.function(**self._built(dict(values)))
        except SettingError as error:
            # Settings within settings are called by their first option.
            within = {option.place[-2]: option.name for option in reversed(self.options) if len(option.place) > 2}
            error.called = within | {option.place[-1]: option.name for option in self.options}
            raise

    def _built(self, values: dict[Place, Any]) -> dict[str, Any]:
        for option in self.options:
            if option.place in values:
                if option.read is not None:
                    values[option.place] = option.read(values[option.place])
                check_value(option.place[-1], option.annotation, values[option.place])
        for place in sorted(self._groups, key=len, reverse=True):
            settings, others = self._groups[place]
            inner = {one[-1]: values.pop(one) for one in list(values) if one[:-1] == place}
            if inner or len(place) == 1:
                values[place] = {**others, **inner} if settings is None else _filled(settings, {**others, **inner})
        return {place[0]: value for place, value in values.items()}


def _filled(settings: Any, values: dict[str, Any]) -> Any:
    """Settings with these values; if they need another one, that is told."""
    for one in fields(settings):
        if one.name not in values and one.default is MISSING and one.default_factory is MISSING:
            raise SettingError(f"{{{next(iter(values))}}} needs {{{one.name}}}, which is not given")
    return settings(**values)


def _option(place: Place, annotation: Any, panel: Panel, text: str, default: Any, told: str | None) -> Option:
    kind, marks = marked(annotation)
    how = _first(marks, Typed) or Typed()
    name = how.value or place[-1].upper() if panel is ARGUMENTS else how.name or f"--{place[-1].replace('_', '-')}"
    read = how.read or _reader(kind)
    plain = _plain(kind) if read is None else str
    shown = how.default if told is None else told
    if plain is bool:
        if default is True:
            name, read = f"--no-{name[2:]}", _is_not
    elif not shown and default is not inspect.Parameter.empty and repr(default) != "<factory>":
        shown = typed(default)
    # Settings within settings may be left out as a whole.
    required = default is inspect.Parameter.empty and len(place) < 3
    says = _first(marks, str) or text
    return Option(place, annotation, name, plain, read, panel, says, how.value, shown, required, how.hidden)


def _is_not(flag: bool) -> bool:
    return not flag


def _plain(kind: Any) -> Any:
    """What of a type the parser is to know."""
    kinds = (kind, *get_args(kind))
    items = next((get_args(one)[0] for one in kinds if get_origin(one) in (list, Sequence)), None)
    if items is not None:
        return list[_plain(items)]  # type: ignore[misc]
    return next((one for one in (bool, int, float, Path) if one in kinds), str)


def _reader(kind: Any) -> Callable[[str], Any] | None:
    """How lists of names and mappings are read from a text."""
    origins = [get_origin(one) for one in (kind, *get_args(kind))]
    return parse_names if tuple in origins else parse_arguments if Mapping in origins else None


def _first(marks: Sequence[Any], kind: type) -> Any:
    return next((mark for mark in marks if isinstance(mark, kind)), None)


def field_descriptions(source: Any) -> dict[str, str]:
    """What the docstring of a function or class says of a parameter alone, on one line; of a class, its parents' too.

    Examples
    --------
    >>> field_descriptions(Command)["function"][:30]
    'Its parameters are options. A '
    """
    sources = [one for one in reversed(source.__mro__) if one.__doc__] if inspect.isclass(source) else [source]
    found: dict[str, str] = {}
    for part in (part for one in sources for part in re.split(r"^(?=\w+\n-+$)", inspect.getdoc(one) or "", flags=re.M)):
        if part.startswith(("Parameters\n-", "Attributes\n-")):
            entries = re.findall(r"^(\w+)(?: :.*)?\n((?:(?: .*)?(?:\n|$))+)", part.split("\n", 2)[2], re.MULTILINE)
            found |= {name: " ".join(text.split()) for name, text in entries}
    return found
