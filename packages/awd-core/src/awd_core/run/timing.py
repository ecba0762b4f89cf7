"""How long a call takes, for what a run says about its models; `benchmarks/timing.py` compares contenders instead."""

import time
from collections.abc import Callable

from awd_core.checks.real_numbers import real_number

SECONDS = 0.03
"""Time that a call is repeated for, if nothing else is said: some slices of what a busy machine gives at a time."""


def shortest_seconds(call: Callable[[], object], seconds: float = SECONDS) -> float:
    """Seconds that a call takes: the shortest of repeated calls, since what else the machine does only ever adds.

    Parameters
    ----------
    call : callable
        What is timed, without arguments; what it returns is dropped. It is called once before the clock runs, so that
        caches are filled and kernels compiled, and then once at least. With how many threads is the caller's affair:
        figures per core are of calls that use one.
    seconds : float
        Time to repeat it for, above 0. The last call may take longer.

    Returns
    -------
    float
        In seconds.

    Raises
    ------
    ValueError
        If `seconds` is not above 0.

    Examples
    --------
    >>> shortest_seconds(lambda: time.sleep(0.002), seconds=0.01) > 0.001
    True
    """
    real_number("seconds", seconds, "a time to repeat the call for", above=0)
    call()
    shortest, until = float("inf"), time.perf_counter() + seconds
    while True:
        began = time.perf_counter()
        call()
        ended = time.perf_counter()
        shortest = min(shortest, ended - began)
        if ended >= until:
            return shortest
