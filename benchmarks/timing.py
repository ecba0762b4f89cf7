"""The one way of measuring time: contenders take turns, so that whatever drifts, drifts for all of them.

Every contender is warmed up. Then come rounds, in each of which every contender has one turn, always in the same order
(A B C A B C …), with the garbage collector off and as many threads as there are cores. A turn is one call, or several
where one call is too short to be timed. Ratios are taken within a round, and the median of the ratios is what is
reported: it is blind to slow drifts of the machine and to single disturbances. What a call returns is released
within its turn.
"""

import gc
import math
import os
import statistics
import time
import warnings
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch

Name = TypeVar("Name", bound=Hashable)

SHORTEST_TURN = 5e-3
"""Seconds below which a turn is made of several calls."""

MOST_ROUNDS = 100

FEWEST_ROUNDS = 3
"""Rounds that there are even where time has run out."""

PATIENCE = 3
"""How many times its seconds a comparison may take to reach its least number of rounds."""


@dataclass(frozen=True)
class Settings:
    """What the command line decided.

    Parameters
    ----------
    quick : bool
        Whether to measure just enough to see that everything runs.
    awave : str, optional
        Folder that holds the package `awave` (a checkout of Yu-Group/adaptive-wavelets).
    """

    quick: bool = False
    awave: str | None = None

    @property
    def seconds(self) -> float:
        """Time to spend on the rounds of one comparison."""
        return 0.3 if self.quick else 4.0

    @property
    def rounds(self) -> int:
        """Number of rounds of a comparison at least, however slow its contenders."""
        return 3 if self.quick else 7


@dataclass(frozen=True)
class Rounds:
    """What was measured of one contender.

    Parameters
    ----------
    values : tuple of float
        One for each round: seconds per call (the duration of the turn over the number of its calls), or another figure.
    calls : int
        Number of calls in a turn.
    """

    values: tuple[float, ...]
    calls: int = 1

    @property
    def median(self) -> float:
        """Median over the rounds."""
        return statistics.median(self.values)

    @property
    def spread(self) -> float:
        """Interquartile range over median: what share of the figure is noise."""
        if len(self.values) < 2:
            return 0.0
        low, _, high = statistics.quantiles(self.values, n=4, method="inclusive")
        return (high - low) / self.median

    def ratio_to(self, other: "Rounds") -> float:
        """Median over the rounds of this contender's figure over the other's in the same round."""
        return statistics.median(mine / its for mine, its in zip(self.values, other.values, strict=True))


def take_turns(
    contenders: Mapping[Name, Callable[[], object]], seconds: float, least_rounds: int
) -> dict[Name, Rounds]:
    """Time contenders in turns.

    Parameters
    ----------
    contenders : mapping to callable
        What each one does in a call, without arguments. What it returns is dropped.
    seconds : float
        Time to spend on the rounds, roughly; the warm-up comes on top.
    least_rounds : int
        Number of rounds to have even where that takes longer, up to `PATIENCE` times as long.

    Returns
    -------
    dict to Rounds
        All with the same number of rounds.
    """
    with without_garbage_collector(), quiet():
        calls = {name: _calls_per_turn(call) for name, call in contenders.items()}
        rounds: dict[Name, list[float]] = {name: [] for name in contenders}
        start = time.perf_counter()
        for done in range(MOST_ROUNDS):
            spent = time.perf_counter() - start
            if done >= FEWEST_ROUNDS and spent > seconds * (1 if done >= least_rounds else PATIENCE):
                break
            for name, call in contenders.items():
                rounds[name].append(_turn(call, calls[name]))
    return {name: Rounds(tuple(durations), calls[name]) for name, durations in rounds.items()}


@contextmanager
def without_garbage_collector() -> Iterator[None]:
    """Keep the collector from running, after it has run once."""
    was_enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the warning of more levels than fit, which the problem of 40 samples and 4 levels means to have."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*boundary effects", category=UserWarning)
        yield


def available_cores() -> int:
    """Number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def use_all_cores() -> None:
    """Give torch as many threads as there are cores, whatever the environment says."""
    torch.set_num_threads(available_cores())


def _calls_per_turn(call: Callable[[], object]) -> int:
    call()  # compiles kernels, fills caches and starts threads
    return max(1, math.ceil(SHORTEST_TURN / _turn(call, 1)))


def _turn(call: Callable[[], object], calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - start) / calls
