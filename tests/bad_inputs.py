"""What the tables of bad inputs share: a row, and what is asked of each."""

import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest


def folder_to_come() -> Path:
    """A path for a table to name, at which nothing lies yet: a file that is only imported leaves nothing behind."""
    return Path(tempfile.gettempdir()) / f"awd-bad-inputs-{secrets.token_hex(8)}"


@contextmanager
def there(folder: Path) -> Iterator[Path]:
    """The folder, as long as tests need it."""
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


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
