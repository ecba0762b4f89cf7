"""Work that is shared out to threads which sleep while they wait, and never spin.

OpenMP's threads spin, which beside other programs is ruinous (`awd_core.workers.threads`). Here the caller computes
too, pieces are handed out one by one, so that a thread that does not get a core delays nobody, and who computes a piece
changes nothing in what comes of it.
"""

import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

PIECES = 4
"""Pieces for each thread."""
WORTH = 1 << 16
"""Values that are worth a thread: to wake one takes as long as to transform some thousands."""
MOST = 256


class _Scratch(threading.local):
    """Memory of each thread, kept from one call to the next."""

    memory = np.empty(0, np.uint8)

    def take(self, size: int) -> int:
        """The address of as many bytes."""
        if self.memory.size < size:
            self.memory = np.empty(size, np.uint8)
            self.address = self.memory.ctypes.data
        return self.address


_scratch = _Scratch()
_pool: ThreadPoolExecutor | None = None
_making = threading.Lock()


def _forget() -> None:
    """A child that was forked has none of its parent's threads."""
    global _pool, _making, _scratch
    _pool, _making, _scratch = None, threading.Lock(), _Scratch()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def _threads() -> ThreadPoolExecutor:
    global _pool
    with _making:
        if _pool is None:
            _pool = ThreadPoolExecutor(MOST, thread_name_prefix="awd-kernel")
        return _pool


def share(act: Callable[[int, int, int], object], count: int, each: int, scratch: int, threads: int) -> None:
    """Call ``act(first, last, memory)`` until all of `count` items are done.

    Parameters
    ----------
    act : callable
        Computes items `first` to `last`; `memory` is the address of scratch memory.
    count : int
        Number of items.
    each : int
        Values of an item, for the decision how many threads the work is worth.
    scratch : int
        Bytes of scratch memory.
    threads : int
        Threads at most.
    """
    threads = min(threads, count, max(1, count * each // WORTH), MOST)
    if threads < 2:
        act(0, count, _scratch.take(scratch))
        return
    step = -(-count // (PIECES * threads))
    if step > 1:
        step = -(-step // 16) * 16 if step > 16 else step
    pieces = deque(range(0, count, step))

    def work() -> None:
        memory = _scratch.take(scratch)
        while True:
            try:
                first = pieces.popleft()
            except IndexError:
                return
            act(first, min(first + step, count), memory)

    helpers = [_threads().submit(work) for _ in range(threads - 1)]
    work()
    for helper in helpers:
        # One that has not begun would find nothing left to do.
        if not helper.cancel():
            helper.result()
