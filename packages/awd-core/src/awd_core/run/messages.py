"""What a command says. Nothing heavy is imported here."""

import sys


def echo(message: object, *, aside: bool = False) -> None:
    """Say something: what was asked for on standard output; aside, notes and errors on standard error.

    Examples
    --------
    >>> echo("Written to run.")
    Written to run.
    """
    print(message, file=sys.stderr if aside else sys.stdout)
