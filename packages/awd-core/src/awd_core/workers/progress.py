"""Progress as lines, where there is no terminal that a bar could move on: a pipe, a notebook, a scheduler's log."""

import sys
import time
from collections.abc import Callable
from functools import partial

SECONDS_BETWEEN_LINES = 10.0


class Lines:
    """Say now and then how far something is, and how long it will still take.

    Parameters
    ----------
    name : str
        What is done.
    say : callable
        Takes a line.

    Examples
    --------
    >>> report = Lines("Count", print)
    >>> report(1, 2, "two")  # nothing in the first ten seconds
    """

    def __init__(self, name: str, say: Callable[[str], object]) -> None:
        self._name, self._say = name, say
        self._began = self._told = time.perf_counter()

    def __call__(self, done: int, total: int, what: str = "") -> None:
        """Report what is done of how much, and what is next."""
        now = time.perf_counter()
        if now - self._told < SECONDS_BETWEEN_LINES or done >= total:
            return
        self._told = now
        passed = now - self._began
        left = f", about {clock(passed * (total - done) / done)} left" if done > 0 else ""
        self._say(f"{self._name}: {done} of {total} after {clock(passed)}{left}{', ' if what else ''}{what}")


def reported(
    progress: "bool | Callable[[int, int, str], object] | None", name: str
) -> "Callable[[int, int, str], object] | None":
    """Whom to tell of progress: the user's function, standard error by lines for True, nobody for None or False.

    Raises
    ------
    TypeError
        If it is something else.
    """
    if progress is True:
        say = partial(print, file=sys.stderr)
        say(f"{name} …")
        return Lines(name, say)
    if progress and not callable(progress):
        raise TypeError(f"progress is {progress!r}; give True, or a function of (done, in all, what is next)")
    return progress or None


def clock(seconds: float) -> str:
    """A time as people read it off.

    Examples
    --------
    >>> clock(9.4), clock(75), clock(4000)
    ('9 s', '1 min 15 s', '1 h 06 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    return (
        f"{whole // 60} min {whole % 60:02d} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    )
