"""Types in the reference without the marks of settings, which their docstrings and the commands' pages put in words."""

from typing import Any

from griffe import Attribute, ExprSubscript, ExprTuple, Extension


class PlainTypes(Extension):
    """`Annotated[int, AtLeast(1)]` is shown as `int`."""

    def on_attribute_instance(self, *, attr: Attribute, **_: Any) -> None:
        """Drop the marks of a field."""
        shown = attr.annotation
        if isinstance(shown, ExprSubscript) and str(shown.left) == "Annotated" and isinstance(shown.slice, ExprTuple):
            attr.annotation = shown.slice.elements[0]
