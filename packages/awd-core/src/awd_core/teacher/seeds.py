"""Seeds that are functions of what they are for, and the caller's generators left alone."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

ORDER, MODULE, AUGMENT, INITIAL, SPLIT = range(5)
"""What random numbers of a training are for; each purpose has streams of its own."""


def seed_for(seed: int, purpose: int, *parts: int) -> int:
    """A seed for one stream of random numbers, a function of its arguments alone.

    Examples
    --------
    >>> seed_for(0, ORDER, 1) == seed_for(0, ORDER, 1) != seed_for(0, ORDER, 2)
    True
    """
    return int(np.random.SeedSequence([seed, purpose, *parts]).generate_state(1, np.uint64)[0] >> np.uint64(1))


@contextmanager
def isolated_random_state() -> Iterator[None]:
    """Leave torch's global generators as they were; those of GPUs too if they are in use already."""
    in_use = torch.cuda.is_available() and torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    with torch.random.fork_rng(devices=range(torch.cuda.device_count()) if in_use else []):
        yield
