"""What a run shows on the screen: a bar for each step on a terminal, a line for each step elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


class Report(Protocol):
    """How a step reports: how much is done, of how much, and what is next."""

    def __call__(self, done: int, total: int, what: str = "", /) -> None:
        """Report."""


SECONDS_BETWEEN_LINES = 10.0
"""Where there is no terminal."""
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

    def _lines(self, name: str) -> Show:
        """A line now and then, for who reads what a pipe or a notebook of lines shows."""
        began = told = time.perf_counter()

        def show(done: int, total: int, what: str) -> None:
            nonlocal told
            now = time.perf_counter()
            if now - told < SECONDS_BETWEEN_LINES or done >= total:
                return
            told = now
            left = f", about {clock((now - began) * (total - done) / done)} left" if 0 < done <= total else ""
            self.say(f"{name}: {done} of {total} after {clock(now - began)}{left}{', ' if what else ''}{what}")

        return show

    @contextmanager
    def task(self, name: str) -> Iterator[Show]:
        """Show the progress of a step; yields a callable that is given (done, in all, what is next)."""
        if not self._console.is_terminal:
            self.say(f"{name} …")
            yield self._lines(name)
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


def clock(seconds: float) -> str:
    """A time as people read it off.

    Examples
    --------
    >>> clock(9.4), clock(75), clock(4000)
    ('9 s', '1 min 15 s', '1 h 07 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    return (
        f"{whole // 60} min {whole % 60:02d} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    )
