"""What the commands of all packages are made of: a command-line program whose errors are one line.

Nothing heavy is imported here: a command imports what it needs when it runs, so that `--help` answers at once. A
further command is a function with a docstring in a module of its own that keeps to the same rule, and one line in that
of its program: `app.command("name")(function)`.
"""

import errno
import os
import sys
from importlib.metadata import version as installed_version
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from awd_core.run.interruption import CODE
from awd_core.workers.threads import wait_briefly

# Before a command imports torch.
wait_briefly()

SYSTEM = {
    errno.ENOENT: ("there is no such file or folder", "check the name"),
    errno.EACCES: ("no permission", "take another place, or ask who owns this one"),
    errno.EPERM: ("no permission", "take another place, or ask who owns this one"),
    errno.EROFS: ("nothing can be written there", "take another place"),
    errno.ENOTDIR: ("a part of this path is a file, not a folder", "take another place"),
    errno.EEXIST: ("this is there already, and no folder", "take another name"),
    errno.EISDIR: ("this is a folder", "name a file"),
    errno.ENOSPC: ("no space is left there", "make some, then give the same command again"),
}
"""What the system's own errors mean, and what to do: their words are for programmers."""


class OneLineErrors(TyperGroup):
    """Commands whose exceptions end in one line on standard error and exit code 2; `--debug` shows the traceback."""

    def main(self, *args: Any, **options: Any) -> Any:
        """Run, whatever characters the terminal, or the file that stands for it, can show."""
        for stream in (sys.stdout, sys.stderr):
            # A Greek letter in a table is no reason to lose the table: where it cannot be written there is a "?".
            if getattr(stream, "errors", "") == "strict" and hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="replace")
        return super().main(*args, **options)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Let `--debug` stand anywhere before a `--`, since it is added to a command line that has just failed."""
        end = args.index("--") if "--" in args else len(args)
        if "--debug" in args[:end]:
            args = ["--debug", *(arg for arg in args[:end] if arg != "--debug"), *args[end:]]
        try:
            return super().parse_args(ctx, args)
        except Exception as error:
            if _is_wrong_usage(error):
                _say_usage(error, ctx)
            raise

    def invoke(self, ctx: Any) -> Any:
        """Run the command; report what it raises."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            if ctx.params.get("debug"):
                raise
            typer.echo(f"{ctx.info_name}: interrupted", err=True)
            raise typer.Exit(CODE) from error
        except Exception as error:
            if ctx.params.get("debug"):
                raise
            if _is_wrong_usage(error):
                _say_usage(error, ctx)
            if _belongs_to_the_parser(error):
                raise
            typer.echo(f"{ctx.info_name}: {_one_line(error)} (add --debug for the traceback)", err=True)
            raise typer.Exit(2) from error


def make_app(name: str, distribution: str, summary: str) -> typer.Typer:
    """Command-line program with `--version`, `--debug` and one-line errors.

    Parameters
    ----------
    name : str
        The command, such as "awd".
    distribution : str
        The installed package whose version `--version` prints, such as "awd-core".
    summary : str
        What `--help` says first.

    Returns
    -------
    typer.Typer
        To which commands are added with `app.command()`.

    Examples
    --------
    >>> app = make_app("awd-demo", "awd-core", "Show how a command is added.")
    >>> @app.command()
    ... def count(path: str) -> None:
    ...     "Count something."
    """
    app = typer.Typer(
        name=name,
        help=summary,
        cls=OneLineErrors,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )

    def print_version(wanted: bool) -> None:
        if wanted:
            typer.echo(f"{distribution} {installed_version(distribution)}")
            raise typer.Exit

    @app.callback()
    def options(
        version: Annotated[
            bool, typer.Option("--version", help="Print the version.", callback=print_version, is_eager=True)
        ] = False,
        debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    ) -> None:
        # Without a callback, typer would make a program of one command into that command.
        del version, debug

    return app


def _belongs_to_the_parser(error: Exception) -> bool:
    """Whether typer handles it: wrong usage and Exit carry their exit code, Abort and the end of a pipe do not."""
    piped = isinstance(error, OSError) and error.errno == errno.EPIPE
    return hasattr(error, "exit_code") or isinstance(error, (typer.Abort, EOFError)) or piped


def _is_wrong_usage(error: Exception) -> bool:
    """Whether it is a wrong command line; that nothing was given, which shows the help, is not."""
    return hasattr(error, "format_message") and hasattr(error, "ctx") and type(error).__name__ != "NoArgsIsHelpError"


def _say_usage(error: Any, ctx: Any) -> NoReturn:
    """One line on a wrong command line, and where to read what is right."""
    told = " ".join(error.format_message().split()).rstrip(".")
    command = (error.ctx or ctx).command_path
    joined = f"{told} See" if told.endswith("?") else f"{told}; see"
    typer.echo(f"{ctx.info_name}: {joined} {command} --help", err=True)
    raise typer.Exit(2) from error


def _one_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno in SYSTEM and error.filename is not None:
        what, hint = SYSTEM[error.errno]
        return f"{os.fsdecode(error.filename)}: {what}; {hint}"
    first, *others = [" ".join(line.split()) for line in str(error).splitlines() if line.strip()] or [""]
    # After a colon, lines are items of a list.
    message = f"{first} {'; '.join(others)}" if first.endswith(":") else " ".join([first, *others])
    if message and (isinstance(error, (ValueError, TypeError, OSError, ImportError)) or _is_ours(error)):
        return message
    # Not an error that anyone foresaw: its name says more than its text.
    return f"unexpected {type(error).__name__}{': ' if message else ''}{message}"


def _is_ours(error: Exception) -> bool:
    """Whether one of these packages raised it: a RuntimeError then, which says what is wrong."""
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    where = "" if at is None else str(at.tb_frame.f_globals.get("__name__"))
    return isinstance(error, RuntimeError) and where.startswith("awd_")
