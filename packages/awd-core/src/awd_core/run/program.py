"""What the commands of all packages are made of: a command-line program whose errors are one line.

Nothing heavy is imported here: a command imports what it needs when it runs, so that `--help` answers at once. A
further command is a function with a docstring in a module of its own that keeps to the same rule, and one line in that
of its program: `app.command("name")(function)`. Its options are described in `awd_core.run.settings`.
"""

import errno
import inspect
import io
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from awd_core.run.command import OPTIONS, Command
from awd_core.run.interruption import CODE
from awd_core.run.messages import echo
from awd_core.run.settings import ARGUMENTS, Panel
from awd_core.workers.threads import wait_briefly

if TYPE_CHECKING:
    from cyclopts import App

# Before a command imports torch.
wait_briefly()

Function = TypeVar("Function", bound=Callable[..., object])
HINT = "(add --debug for the traceback)"

SYSTEM = {
    errno.ENOENT: ("there is no such file or folder", "check the name"),
    errno.EACCES: ("no permission", "take another place, or ask who owns this one"),
    errno.EPERM: ("no permission", "take another place, or ask who owns this one"),
    errno.EROFS: ("nothing can be written there", "take another place"),
    errno.ENOTDIR: ("a part of this path is a file, not a folder", "take another place"),
    errno.EEXIST: ("this is there already, and no folder", "take another name"),
    errno.EISDIR: ("this is a folder", "name a file"),
    errno.EIO: ("the disk gave an error", "check the disk, or take another place, then give the same command again"),
    errno.EMFILE: ("too many files are open", "raise the limit (ulimit -n), then give the same command again"),
    errno.ENOSPC: ("no space is left there", "make some, then give the same command again"),
    errno.EDQUOT: ("your quota is used up there", "make space, then give the same command again"),
}
"""What the system's own errors mean, and what to do: their words are for programmers."""


class Program:
    """Commands with `--version`, whose exceptions end in one line and exit code 2; `--debug` shows the traceback.

    Parameters
    ----------
    name : str
        What is typed, such as "awd".
    distribution : str
        The installed package whose version `--version` prints, such as "awd-core".
    summary : str
        What `--help` says first.

    Attributes
    ----------
    commands : dict of Command
        By name, in the order in which they were added.

    Examples
    --------
    >>> app = Program("awd-demo", "awd-core", "Show how a command is added.")
    >>> @app.command()
    ... def count(path: str) -> None:
    ...     "Count something."
    ...     print(len(path))
    >>> app(["count", "--path", "abc"])
    3
    """

    def __init__(self, name: str, distribution: str, summary: str) -> None:
        self.name, self.summary, self._distribution = name, summary, distribution
        self.commands: dict[str, Command] = {}

    def command(self, name: str | None = None) -> Callable[[Function], Function]:
        """Add a function as a command, of its own name if no other is given."""

        def add(function: Function) -> Function:
            self.commands[name or function.__name__] = Command(function)
            return function

        return add

    def __call__(self, words: Sequence[str] | None = None) -> None:
        """Do what a command line asks for, by default that of this process."""
        for stream in (sys.stdout, sys.stderr):
            # A Greek letter in a table is no reason to lose the table: where it cannot be written there is a "?".
            if getattr(stream, "errors", "") == "strict" and hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="replace")
        if (here := str(Path.cwd())) not in sys.path and "" not in sys.path:
            sys.path.append(
                here
            )  # a network of the user's own lies in a module of this folder; what is installed is first
        words = list(sys.argv[1:] if words is None else words)
        # Anywhere before a `--`, since it is added to a command line that has just failed.
        end = words.index("--") if "--" in words else len(words)
        debug = "--debug" in words[:end]
        words = [word for place, word in enumerate(words) if word != "--debug" or place > end]
        try:
            self._parser()(words, exit_on_error=False, print_error=False, verbose=False, result_action="return_none")
            sys.stdout.flush()
        except KeyboardInterrupt as error:
            if debug:
                raise
            echo(f"{self.name}: interrupted", aside=True)
            raise SystemExit(CODE) from error
        except BrokenPipeError as error:
            # Whoever read has seen enough; what is still buffered has nowhere to go.
            with suppress(io.UnsupportedOperation):
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise SystemExit(1) from error
        except Exception as error:
            if debug:
                raise
            echo(f"{self.name}: {self._usage(error) or f'{_one_line(error)} {HINT}'}", aside=True)
            raise SystemExit(2) from error

    def _parser(self) -> "App":
        from cyclopts import App

        app = App(
            name=self.name, help=self.summary, help_flags="--help", version_flags="--version", help_format="plaintext",
            version=lambda: f"{self._distribution} {installed_version(self._distribution)}",
            help_epilogue="--debug, anywhere, shows the traceback of an error.", suppress_keyboard_interrupt=False,
            group_parameters="Options",
        )  # fmt: skip
        for name, command in self.commands.items():
            app.command(_callable(command), name=name)
        return app

    def _usage(self, error: Exception) -> str | None:
        """One line on a wrong command line, and where to read what is right; None of any other error."""
        from cyclopts import CycloptsError

        if not isinstance(error, CycloptsError):
            return None
        told = " ".join(str(error).split()).removesuffix(".")
        if type(error).__name__ == "RepeatArgumentError":
            told += ": give it once, since nothing says which is meant"
        command = " ".join([self.name, *(error.command_chain or ())])
        return f"{told} See {command} --help" if told.endswith("?") else f"{told}; see {command} --help"


def _callable(command: Command) -> Callable[..., None]:
    """The command as the parser reads it: a function whose signature has all options."""
    from cyclopts import Group, Parameter

    own = (ARGUMENTS, OPTIONS)  # panels that the parser has too
    groups: dict[Panel, str | Group] = {}
    for panel in dict.fromkeys(option.panel for option in command.options):
        groups[panel] = panel.name if panel in own else Group.create_ordered(panel.name)
    options = {f"option_{number}": option for number, option in enumerate(command.options)}
    parameters = []
    for name, option in options.items():
        how = Parameter(
            name=option.name, help=f"{option.help} [{option.takes}]" if option.takes else option.help, negative="",
            group=groups[option.panel], metavar=option.value or None, show_default=option.default or False,
            show=not option.hidden, allow_repeating=option.is_repeated,
        )  # fmt: skip
        kind = inspect.Parameter.POSITIONAL_ONLY if option.panel is ARGUMENTS else inspect.Parameter.KEYWORD_ONLY
        default = inspect.Parameter.empty if option.required else None
        parameters.append(inspect.Parameter(name, kind, default=default, annotation=Annotated[option.kind | None, how]))

    def call(*arguments: Any, **named: Any) -> None:
        given = dict(zip(options, arguments, strict=False)) | named
        command({options[name].place: value for name, value in given.items()})

    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    call.__doc__ = command.prose
    return call


def _one_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno in SYSTEM and error.filename is not None:
        what, hint = SYSTEM[error.errno]
        return f"{os.fsdecode(error.filename)}: {what}; {hint}"
    if isinstance(error, OSError) and error.errno is not None and error.filename is None and error.strerror:
        # The number that the system adds says nothing; nor do its words, where there are ours.
        if error.errno not in SYSTEM or error.strerror != os.strerror(error.errno):
            return " ".join(error.strerror.split())
        what, hint = SYSTEM[error.errno]
        return f"{what.removesuffix(' there')}; {hint}"
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
