"""What a command says. Nothing heavy is imported here."""

import sys
import textwrap
from collections.abc import Iterable


def echo(message: object, *, aside: bool = False) -> None:
    """Say something: what was asked for on standard output; aside, notes and errors on standard error.

    Examples
    --------
    >>> echo("Written to run.")
    Written to run.
    """
    print(message, file=sys.stderr if aside else sys.stdout)


def echo_sentences(sentences: Iterable[str], width: int = 100) -> None:
    """Say what came of something, on standard output: a paragraph each, between blank lines.

    Examples
    --------
    >>> echo_sentences(["It works.", "Not everywhere."])
    <BLANKLINE>
    It works.
    Not everywhere.
    <BLANKLINE>
    """
    echo("\n".join(["", *(textwrap.fill(sentence, width) for sentence in sentences), ""]))
