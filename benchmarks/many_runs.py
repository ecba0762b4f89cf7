"""What the tables over many runs share: making the runs that are missing, and words for what came of them."""

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import Any


def make_runs(one_run: Callable[..., str], tasks: Sequence[tuple[Any, ...]], processes: int) -> None:
    """Do runs, some at a time, each in a process and with one thread, and print the line that each returns.

    Runs are expected to keep what is done: those that are finished cost nothing, those that were interrupted go on.

    Parameters
    ----------
    one_run : callable
        A function of a module; gets a task's elements.
    tasks : sequence of tuple
        What to do.
    processes : int
        How many at a time.
    """
    began = time.perf_counter()
    # Set before torch is imported there: two threads for small networks are slower than one.
    os.environ["OMP_NUM_THREADS"] = "1"
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(one_run, *task) for task in tasks]
        for done, future in enumerate(as_completed(futures), 1):
            print(f"[{done:2}/{len(tasks)}, {time.perf_counter() - began:5.0f} s] {future.result()}", flush=True)


def met_or_missed(met: bool) -> str:
    """The word for a goal."""
    return "met" if met else "missed"
