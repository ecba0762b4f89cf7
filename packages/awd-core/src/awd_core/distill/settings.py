"""How hard to search, and how finely to follow a path. Nothing heavy is imported here."""

from dataclasses import dataclass
from typing import Annotated

from awd_core.checks.settings import AtLeast, check_settings

SHARES = tuple(i / 10 for i in range(11))
"""The default path: eleven shares α of the interpretation term, from none to all."""


@dataclass(frozen=True)
class SearchSettings:
    """How hard to search.

    In simulations with a hidden wavelet of ten taps, 2 to 24 % of the random starts led to the global minimum; more
    starts, or another seed, are the way to check.

    Attributes
    ----------
    random_starts
        Random filters to start from too, beside PyWavelets' of that length.
    small_batch
        Values of X (samples × size) to search on.
    medium_batch
        Values in the medium batch, on which the best minima of the small one are compared. Left out if the large batch
        has not four times as many.
    large_batch
        Values of X to refine the very best on; all of X if it has fewer.
    finalists
        How many local minima are taken from one batch to the next at each point, at most.
    iterations
        Iterations of each search, at most.
    """

    random_starts: Annotated[int, AtLeast(0)] = 64
    small_batch: Annotated[int, AtLeast(1)] = 1 << 17
    medium_batch: Annotated[int, AtLeast(1)] = 1 << 21
    large_batch: Annotated[int, AtLeast(1)] = 1 << 23
    finalists: Annotated[int, AtLeast(1)] = 3
    iterations: Annotated[int, AtLeast(1)] = 200

    def __post_init__(self) -> None:
        check_settings(self)
