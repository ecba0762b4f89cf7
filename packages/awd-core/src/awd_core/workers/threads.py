"""Threads of computations on a machine that may be shared with other programs.

A thread that waits for another one spins for a while. That is quick where both have a core, and ruinous where they wait
for one: beside four programs on two cores, transforms took 11 times as long. To sleep at once is no answer, since to be
woken takes as long as a small computation: it costs a factor of up to 1.8 where nobody else is there. So in commands
and worker processes threads spin briefly and then sleep, which is as quick as either in its place, and a run takes no
more threads than there are cores free when it begins. The compiled kernel's threads never spin: of these a run has one
for each core, free or not, so as to get its share of a machine. `benchmarks.busy` measures it.
"""

import os
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

BRIEFLY = {"GOMP_SPINCOUNT": "1000", "KMP_BLOCKTIME": "1", "OPENBLAS_THREAD_TIMEOUT": "14"}
"""What three libraries of threads read, once, when they are loaded: how long a waiting thread spins. GNU's OpenMP,
which torch brings on Linux, counts turns, LLVM's milliseconds; OpenBLAS takes the logarithm of a number of cycles."""
POLICY = "OMP_WAIT_POLICY"
"""What OpenMP itself has for it; a user who sets this is not overruled."""

LOOKED_AT = 0.25
"""Seconds over which the load is measured."""


@dataclass(frozen=True)
class Threads:
    """How many threads a run computes with, why, for its log, and what ends that."""

    count: int
    why: str
    restore: Callable[[], object] = int
    """Puts the numbers of before back."""


def brief_waits() -> dict[str, str]:
    """What is to be set so that waiting threads spin briefly: all that the user has not decided."""
    return {} if POLICY in os.environ else {name: value for name, value in BRIEFLY.items() if name not in os.environ}


def wait_briefly() -> None:
    """Let waiting threads spin briefly and then sleep; to be called before torch and NumPy are loaded."""
    os.environ.update(brief_waits())


def available_cores() -> int:
    """Number of cores that this process may use, and may use threads for: no more than OMP_NUM_THREADS if that is set.

    Affinity and limits of a container count.

    Examples
    --------
    >>> available_cores() >= 1
    True
    """
    from joblib import cpu_count

    cores = int(cpu_count())
    return min(cores, _told() or cores)


def use_threads(begun_with: int | None = None) -> Threads:
    """Choose the number of threads for a run, and have torch, NumPy and SciPy compute with as many.

    The number matters to the last bits of results. So the user's word counts, which is OMP_NUM_THREADS; then the number
    that the run was begun with, when it goes on; and only then the cores that are free now.

    Parameters
    ----------
    begun_with : int, optional
        Number of threads of an earlier session of the run.
    """
    from threadpoolctl import threadpool_limits

    chosen, limits = _choice(begun_with), ExitStack()
    limits.enter_context(_one_for_each_core())
    limits.enter_context(torch_threads(chosen.count))
    limits.enter_context(threadpool_limits(chosen.count))
    return replace(chosen, restore=limits.close)


_sleepers: int | None = None


def sleeping_threads() -> int:
    """Threads for work whose threads sleep while they wait: one for each core during a run, else as many as torch has.

    Their number must not matter to results.
    """
    import torch

    return torch.get_num_threads() if _sleepers is None else _sleepers


@contextmanager
def _one_for_each_core() -> Iterator[None]:
    global _sleepers
    before, _sleepers = _sleepers, available_cores()
    try:
        yield
    finally:
        _sleepers = before


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Let torch compute in so many threads for a while."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _choice(begun_with: int | None) -> Threads:
    told = _told()
    if told:
        return Threads(told, "OMP_NUM_THREADS says so")
    if begun_with:
        return Threads(begun_with, "the run was begun with as many")
    cores = available_cores()
    idle = idle_cores()
    count = max(1, min(cores, round(idle)))
    if count == cores:
        return Threads(cores, f"one for each core that may be used, of which {idle:.1f} were idle")
    return Threads(count, f"of {cores} cores that may be used {idle:.1f} were idle, other programs held the rest")


def idle_cores(seconds: float = LOOKED_AT) -> float:
    """How many of the cores that this process may use are idle, on average over so many seconds.

    Where the system does not tell it core by core, the load of the last minute is taken; without that, all are idle.
    """
    mine = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(available_cores()))
    before = _ticks(mine)
    if before is None:
        load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
        return max(0.0, len(mine) - load)
    time.sleep(seconds)
    idle, total = (b - a for a, b in zip(before, _ticks(mine) or before, strict=True))
    return len(mine) * idle / total if total > 0 else float(len(mine))


def _ticks(cores: Collection[int]) -> tuple[int, int] | None:
    """Idle and all ticks of these cores since the system started, as Linux counts them."""
    try:
        lines = Path("/proc/stat").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    rows = [line.split() for line in lines if line.startswith("cpu") and line[3:4].isdigit()]
    # user, nice, system, idle, waiting for the disk, interrupts, soft interrupts, stolen
    counts = [list(map(int, row[1:9])) for row in rows if int(row[0][3:]) in cores]
    return (sum(count[3] + count[4] for count in counts), sum(map(sum, counts))) if counts else None


def _told() -> int | None:
    told = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    return int(told) if told.isdigit() and int(told) else None
