"""Types and defaults in the reference as a reader needs them.

Marks of settings are left out, which docstrings and the commands' pages put in words. Parameters that a docstring
describes together, `levels, mode, ndim : optional`, become one row each, with its own type and default: the table would
have the first one's for all. Of choices, `{"first", "last"}`, the table would take the first for the default: they are
written with "or". A default that is the name of a constant is shown by its value.
"""

import re
from typing import Any

from griffe import Attribute, Class, ExprSubscript, ExprTuple, Extension, Function, Module, Object

TOGETHER = re.compile(
    r"^(?P<names>\w+(?:, \w+)+)(?P<kind> : [^\n]*)?\n(?P<text>(?:[ \t]+[^\n]*\n?|\n(?=[ \t]))+)", re.MULTILINE
)
CHOICES = re.compile(r"^(\w+ : )\{([^}\n]+)\}", re.MULTILINE)
SECTION = re.compile(r"^(?:Parameters|Attributes)\n-+\n", re.MULTILINE)


class PlainTypes(Extension):
    """`Annotated[int, AtLeast(1)]` is shown as `int`, `SHARES` as what it is."""

    def on_attribute_instance(self, *, attr: Attribute, **_: Any) -> None:
        """Drop the marks of a field."""
        shown = attr.annotation
        if isinstance(shown, ExprSubscript) and str(shown.left) == "Annotated" and isinstance(shown.slice, ExprTuple):
            attr.annotation = shown.slice.elements[0]

    def on_function_instance(self, *, func: Function, **_: Any) -> None:
        """Take parameters apart."""
        apart(func)

    def on_class_instance(self, *, cls: Class, **_: Any) -> None:
        """Take fields apart."""
        apart(cls)

    def on_package(self, *, pkg: Module, **_: Any) -> None:
        """Show constants among the defaults by their values."""
        with_values(pkg, pkg)


def apart(described: Object) -> None:
    """Give each parameter that is described together with others a row of its own."""
    docstring = described.docstring
    if docstring is None or not (head := SECTION.search(docstring.value)):
        return
    begin = head.end()
    end = next(
        (m.start() for m in re.finditer(r"^\w[\w ]*\n-{3,}$", docstring.value, re.MULTILINE) if m.start() > begin), None
    )
    part = docstring.value[begin:end]
    told = CHOICES.sub(lambda found: found[1] + found[2].replace(", ", " or "), TOGETHER.sub(_rows, part))
    docstring.value = docstring.value[:begin] + told + ("" if end is None else docstring.value[end:])


def _rows(found: "re.Match[str]") -> str:
    # "optional" alone is no type: what stands there would be shown in the type's place.
    kind = "" if (found["kind"] or "").strip(" :") == "optional" else found["kind"] or ""
    return "".join(f"{name}{kind}\n{found['text'].rstrip()}\n" for name in found["names"].split(", ")) + "\n" * found[
        "text"
    ].endswith("\n\n")


def with_values(place: Object, package: Module) -> None:
    """Put the value of a constant in the place of its name, in all functions below a module or class."""
    for member in list(place.members.values()):
        if member.is_alias:
            continue
        if member.is_function:
            for parameter in member.parameters:
                if re.fullmatch(r"[A-Z][A-Z_]+", str(parameter.default or "")):
                    parameter.default = value_of(member.module, str(parameter.default), package) or parameter.default
        elif member.is_module or member.is_class:
            with_values(member, package)


def value_of(module: Module, name: str, package: Module, depth: int = 4) -> str | None:
    """The value of a constant as it is written, wherever it was imported from."""
    found = module.members.get(name)
    if found is None or depth == 0:
        return None
    if not found.is_alias:
        return None if found.value is None else str(found.value)
    home, _, there = found.target_path.rpartition(".")
    try:
        return value_of(package[home.removeprefix(f"{package.path}.")], there, package, depth - 1)
    except KeyError:
        return None
