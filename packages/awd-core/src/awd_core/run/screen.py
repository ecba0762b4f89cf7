"""What a run shows on the screen: a bar for each step on a terminal, a line for each step elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from awd_core.workers.progress import Lines


class Report(Protocol):
    """How a step reports: how much is done, of how much, and what is next."""

    def __call__(self, done: int, total: int, what: str = "", /) -> None:
        """Report."""


Show = Callable[[int, int, str], None]


class Screen:
    """Standard error as seen by a run.

    Parameters
    ----------
    quiet : bool
        Show nothing.

    Examples
    --------
    >>> with Screen(quiet=True).task("Count") as show:
    ...     show(1, 2, "two")
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._console = Console(stderr=True, quiet=quiet, highlight=False)

    def say(self, message: str) -> None:
        """Show a line."""
        self._console.print(message, markup=False)

    @contextmanager
    def task(self, name: str) -> Iterator[Show]:
        """Show the progress of a step; yields a callable that is given (done, in all, what is next)."""
        if not self._console.is_terminal:
            self.say(f"{name} …")
            yield Lines(name, self.say)
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[what]}", style="dim"),
        )
        with Progress(*columns, console=self._console) as bar:
            task = bar.add_task(f"{name:<16}", total=None, what="")

            def show(done: int, total: int, what: str) -> None:
                bar.update(task, completed=done, total=total, what=what)

            yield show
            # What was expected may be more than was needed.
            done = bar.tasks[0].completed or 1
            bar.update(task, completed=done, total=done, what="")
