"""Where independent pieces of work are done: in this process, in processes beside it, or on the workers of a scheduler.

The same function is mapped over the same items whichever it is, and results come in the order of the items. An item
says what is to be done in a few hundred bytes: a path, a range of rows, a number. Data are read and written where the
work is done, as files and Zarr chunks, and do not travel. A function draws its random numbers from a seed and its item,
so that nothing depends on how many workers there are. Nothing else in these packages knows what stands behind them.

A worker may die at any time: its items are given to others. An item with which workers die again and again, for
instance a file that a library does not survive, is tried by itself, named, and set aside.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from awd_core.checks.whole_numbers import is_whole_number
from awd_core.workers.local import Processes
from awd_core.workers.mapping import Lost as Lost
from awd_core.workers.mapping import LostItemError as LostItemError
from awd_core.workers.mapping import Progress as Progress
from awd_core.workers.mapping import Serial
from awd_core.workers.mapping import Workers as Workers
from awd_core.workers.threads import available_cores as available_cores


@contextmanager
def open_workers(workers: int | Workers = 1, scheduler: str | os.PathLike[str] | None = None) -> Iterator[Workers]:
    """Workers for as long as they are needed.

    Parameters
    ----------
    workers : int or Workers
        Processes on this machine; 1: this one. Workers that are open already are passed on, and stay open.
    scheduler : str, optional
        Address of a scheduler of Dask, as "tcp://host:8786", or its scheduler file (.json): then its workers do it,
        however many there are, and `workers` is not asked. They need the same files at the same paths, and one thread
        each (``dask worker ADDRESS --nthreads 1``).

    Yields
    ------
    Workers
        On which `map`, `map_or_lose` and `map_blocks` are called.

    Raises
    ------
    ValueError
        If there is to be less than one process.
    ImportError
        If a scheduler is named and Dask is not installed.
    OSError
        If it does not answer.

    Notes
    -----
    A script that asks for processes needs the usual ``if __name__ == "__main__":``, since each of them imports it.

    Examples
    --------
    >>> with open_workers() as workers:
    ...     print(workers.where, *workers.map(abs, range(-2, 1)))
    in this process 2 1 0
    """
    if isinstance(workers, Workers):
        yield workers
        return
    if scheduler is not None:
        from awd_core.workers.dask import OnScheduler

        with OnScheduler(os.fspath(scheduler)) as there:
            where = f"on the workers of {there.address}"
            yield Workers(there, where, count=there.count, deaths=there.deaths, look=there.look)
        return
    if not is_whole_number(workers) or workers < 1:
        raise ValueError(
            f"workers is {workers!r}; at least one process is needed: give a whole number, or open workers"
        )
    if workers == 1:
        yield Serial()
        return
    processes = Processes(workers)
    try:
        yield Workers(processes, f"{workers} processes", count=lambda: processes.count)
    except BaseException:
        processes.shutdown(wait=False)
        raise
    processes.shutdown()
