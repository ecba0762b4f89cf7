"""Workers that are processes on this machine."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import current_process, get_context, parent_process
from threading import Thread
from typing import Any

from awd_core.workers.mapping import Arguments, Result
from awd_core.workers.threads import available_cores, brief_waits

CANNOT_START = (
    "worker processes cannot start: each runs the script that asks for it from its beginning, up to where it asks for "
    'workers again. Put what the script does under  if __name__ == "__main__":  (in a file; what comes from standard '
    "input cannot be run again), or give workers=1"
)
"""What is wrong where a process ends before it has begun to work."""

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
"""What NumPy's and torch's libraries read, once, when they are loaded."""


class Processes(Executor):
    """Processes of their own, which are replaced when they die: a `ProcessPoolExecutor` that does not stay broken.

    Raises
    ------
    RuntimeError
        If processes cannot start, as where a script that asks for them has no guard for its main part.
    """

    def __init__(self, count: int) -> None:
        if getattr(current_process(), "_inheriting", False):
            raise RuntimeError(CANNOT_START)
        self.count = count
        self._context = get_context("spawn")  # not forked: a caller may hold threads, of torch or of a notebook
        # Shared with the processes, without a lock, which a process that is killed might hold: whether any has begun.
        self._begun = self._context.RawValue("b", 0)
        self._pool = self._new()

    def submit(
        self, function: Callable[Arguments, Result], /, *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Future[Result]:
        """Hand out an item; its future raises `BrokenProcessPool` if a process dies meanwhile."""
        with _shared_threads(self.count):
            try:
                return self._pool.submit(function, *args, **kwargs)
            except BrokenProcessPool:
                if not self._begun.value:  # nor would the next come so far as to work
                    raise RuntimeError(CANNOT_START) from None
                self._pool = self._new()
                return self._pool.submit(function, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = True) -> None:
        """Let the processes end; without waiting: whatever they are doing."""
        processes = [] if wait else list((getattr(self._pool, "_processes", None) or {}).values())
        self._pool.shutdown(wait, cancel_futures=cancel_futures)
        for process in processes:
            process.terminate()

    def _new(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(self.count, self._context, _begin, (self._begun,))


def _begin(begun: Any) -> None:
    """In a process that begins: say so, and watch who started it, which does not say when it is killed itself."""
    begun.value = 1
    caller = parent_process()
    if caller is None:
        return

    def watch() -> None:
        caller.join()
        os._exit(1)

    Thread(target=watch, name="caller", daemon=True).start()


@contextmanager
def _shared_threads(count: int) -> Iterator[None]:
    """While processes are started: each gets its share of the cores, and waits briefly, unless the user said else."""
    mine = {name: str(max(1, available_cores() // count)) for name in THREADS if name not in os.environ} | brief_waits()
    os.environ.update(mine)
    try:
        yield
    finally:
        for name in mine:
            os.environ.pop(name, None)
