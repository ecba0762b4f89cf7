"""What the tables of bad inputs share: a row, and what is asked of each."""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest


class Bad(NamedTuple):
    """A call that is refused: its name, the call, the error, and what its message says is given and is allowed."""

    name: str
    call: Callable[[], Any]
    error: type[Exception]
    match: str


class Legitimate(NamedTuple):
    """A call that looks odd and is right: its reason, the call, and the proper call that it equals."""

    reason: str
    call: Callable[[], Any]
    proper: Callable[[], Any]


def each(rows):
    """One test per row, by its name."""
    names = [row[0] for row in rows]
    assert len(set(names)) == len(names), "a name is there twice"
    return pytest.mark.parametrize("row", rows, ids=names)
