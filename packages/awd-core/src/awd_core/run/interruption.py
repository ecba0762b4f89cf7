"""What a command says when it is interrupted, for all commands whose work goes on. Nothing heavy is imported here."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from awd_core.run.messages import echo

CODE = 130
"""Exit code of a process that SIGINT has ended, as shells know it."""


@contextmanager
def resumable(folder: str | os.PathLike[str]) -> Iterator[None]:
    """Turn Ctrl-C into one line that says how to go on, and exit code 130.

    Parameters
    ----------
    folder : path
        What holds the work that is done.

    Examples
    --------
    >>> with resumable("runs/first"):
    ...     work = "anything that resumes"
    """
    try:
        yield
    except KeyboardInterrupt as error:
        place = os.fspath(folder)
        echo(f"Interrupted. The same command goes on from here; {place} holds what is done.", aside=True)
        raise SystemExit(CODE) from error
