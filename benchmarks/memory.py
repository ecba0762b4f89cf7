"""Peak memory of a call, measured in a process of its own.

The high-water mark of a process's resident memory is the one figure that counts every library's allocations alike
(torch's, oneDNN's scratchpads, NumPy's), and it never falls. So every measurement has a fresh process, forked from a
server that has imported the libraries and computed nothing. There, a sixteenth of the input goes through the call
first (code is loaded, kernels are compiled, threads started), what that left is given back to the system, the input
is made, and the mark is read before and after the call: where the system lets us, it is set back in between, so that
what making the input took does not hide anything. The difference counts what the call needs beyond its input, with
what it returns; a copy of the input reads 1.0, which every run measures as a check of the gauge.
"""

import ctypes
import gc
import multiprocessing
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks.timing import quiet, use_all_cores

PRELOADED = ["torch", "pywt", "ptwt", "awd_core.transforms.dwt"]

Build = Callable[..., tuple[int, Callable[[], object]]]
"""Makes an input; returns its size in bytes, and the call that uses it. A function of a module, so that it travels."""


def peak_memory(build: Build, arguments: tuple[Any, ...], smaller: tuple[Any, ...], repeats: int) -> tuple[float, ...]:
    """Peak memory of a call as a multiple of its input's size.

    Parameters
    ----------
    build : callable
        `build(*arguments)` makes the input and the call; both happen in the other process.
    arguments : tuple
        Of the call to measure. Inputs below some ten megabytes drown in what an allocator keeps in stock.
    smaller : tuple
        Of the call that goes before it, on a small part of the input.
    repeats : int
        Number of processes.

    Returns
    -------
    tuple of float
        One multiple for each process.

    Raises
    ------
    RuntimeError
        If the system has no such means: see `is_measurable`.
    """
    if not is_measurable():
        raise RuntimeError(f"peak memory cannot be measured on {sys.platform}")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    with ProcessPoolExecutor(1, mp_context=context, max_tasks_per_child=1) as pool:
        return tuple(pool.submit(_measure, build, arguments, smaller).result() for _ in range(repeats))


def is_measurable() -> bool:
    """Whether the system forks processes and tells their resident sizes: Windows does not."""
    return "forkserver" in multiprocessing.get_all_start_methods()


def _measure(build: Build, arguments: tuple[Any, ...], smaller: tuple[Any, ...]) -> float:
    use_all_cores()
    with quiet():
        build(*smaller)[1]()
        _give_back()
        size, call = build(*arguments)
        _give_back()
        _set_back_mark()
        before = _high_water_mark()
        result = call()
        after = _high_water_mark()
    del result
    return (after - before) / size


def _high_water_mark() -> int:
    """Largest resident size so far, in bytes."""
    import resource  # Unix only

    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _set_back_mark() -> None:
    """Let the high-water mark begin at the present size, on Linux; elsewhere it stays."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _give_back() -> None:
    """Return freed memory to the system, lest the measured call draw on it unseen."""
    gc.collect()
    if sys.platform == "linux":
        library = ctypes.CDLL(None)
        if hasattr(library, "malloc_trim"):
            library.malloc_trim(0)
