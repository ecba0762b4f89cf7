"""Workers that are processes on this machine."""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import current_process, get_context, parent_process
from threading import Thread
from typing import Any
from weakref import WeakKeyDictionary

from awd_core.workers.mapping import IN_FLIGHT, Item, Result, WorkerDied, Workers
from awd_core.workers.threads import available_cores, brief_waits

CANNOT_START = (
    "worker processes cannot start: each runs the script that asks for it from its beginning, up to where it asks for "
    'workers again. Put what the script does under  if __name__ == "__main__":  (in a file; what comes from standard '
    "input cannot be run again), or give workers=1"
)
"""What is wrong where a process ends before it has begun to work."""

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
"""What NumPy's and torch's libraries read, once, when they are loaded."""


class LocalWorkers(Workers):
    """Processes of their own, which are replaced when they die.

    Parameters
    ----------
    count : int
        How many, 2 or more.
    """

    worth = 0.1  # a millisecond is spent on whatever is handed out

    def __init__(self, count: int) -> None:
        self.count = count
        self.where = f"{count} processes"
        self._pool: ProcessPoolExecutor | None = None
        self._context = get_context("spawn")  # not forked: a caller may hold threads, of torch or of a notebook
        # Shared with the processes, without a lock, which a process that is killed might hold: whether any has begun.
        self._begun = self._context.RawValue("b", 0)
        # Which processes have an item: they may have been replaced by the time that its result is asked for.
        self._pools: WeakKeyDictionary[Future[Any], ProcessPoolExecutor] = WeakKeyDictionary()

    @property
    def window(self) -> int:
        """Two for each process."""
        return IN_FLIGHT * self.count

    def submit(self, function: Callable[[Item], Result], item: Item) -> "Future[Result]":
        """Hand out an item.

        Raises
        ------
        RuntimeError
            If processes cannot start, as where a script that asks for them has no guard for its main part.
        """
        if getattr(current_process(), "_inheriting", False):
            raise RuntimeError(CANNOT_START)
        for _ in range(2):
            if self._pool is None:
                self._pool = ProcessPoolExecutor(
                    self.count, mp_context=self._context, initializer=_begin, initargs=(self._begun,)
                )
            try:
                with shared_threads(self.count):
                    future = self._pool.submit(function, item)
                self._pools[future] = self._pool
                return future
            except BrokenProcessPool:  # it broke since the last result was taken
                self._drop(self._pool)
                self._check_begun()
        raise WorkerDied

    def result(self, waiting: "Future[Any]") -> Any:
        """What an item has given."""
        try:
            return waiting.result()
        except BrokenProcessPool:
            self._drop(self._pools.get(waiting))
            self._check_begun()
            raise WorkerDied from None

    def forget(self, waiting: "Iterable[Future[Any]]") -> None:
        """Cancel what has not begun."""
        for future in waiting:
            future.cancel()

    def close(self, at_once: bool = False) -> None:
        """Let the processes end; at once: without waiting for what they are doing."""
        if self._pool is None:
            return
        processes = list((getattr(self._pool, "_processes", None) or {}).values()) if at_once else []
        self._pool.shutdown(wait=not at_once, cancel_futures=True)
        for process in processes:
            process.terminate()
        self._pool = None

    def _check_begun(self) -> None:
        """Refuse to go on if no process has ever come so far as to work: the next would not either."""
        if not self._begun.value:
            raise RuntimeError(CANNOT_START) from None

    def _drop(self, broken: ProcessPoolExecutor | None) -> None:
        """Let broken processes go, unless others have taken their place already: those are at work."""
        if broken is not None and broken is self._pool:
            broken.shutdown(wait=False, cancel_futures=True)
            self._pool = None


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
def shared_threads(count: int) -> Iterator[None]:
    """While processes are started: each gets its share of the cores, and waits briefly, unless the user said else."""
    mine = {name: str(max(1, available_cores() // count)) for name in THREADS if name not in os.environ} | brief_waits()
    os.environ.update(mine)
    try:
        yield
    finally:
        for name in mine:
            os.environ.pop(name, None)
