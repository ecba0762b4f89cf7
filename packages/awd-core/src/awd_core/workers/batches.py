"""How many items a worker is given at a time: as many as make the price of handing them out small.

A scheduler takes some milliseconds for what it hands out, however much work that is. Items that take less than it is
worth are handed out together, without whoever made them knowing: they are worked on one by one, and so are their
results. Towards the end parcels become smaller, so that all workers end at the same time.
"""

import time
from collections.abc import Callable, Iterable
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST = 32
"""Items in a parcel, at most."""
SHARES = 2
"""Parcels that are to come, at least, for each that may be handed out."""
LEAST = 0.1
"""Of what is worth handing out, at the very end."""


class Pace:
    """How many items make a parcel, as told by those that came back.

    Parameters
    ----------
    worth : float
        Seconds of work that are worth handing out.

    Examples
    --------
    >>> pace = Pace(worth=0.5)
    >>> for _ in range(4):
    ...     print(pace.size(left=1000, window=4))
    ...     pace.told(count=1, seconds=0.1)
    1
    2
    4
    5
    >>> pace.size(left=20, window=4), pace.size(left=1, window=4)
    (2, 1)
    >>> pace.told(count=5, seconds=10)
    >>> pace.size(left=1000, window=4)
    1
    """

    def __init__(self, worth: float) -> None:
        self.worth = worth
        self._mean = self._last = 0.0
        self._most = 1

    def told(self, count: int, seconds: float) -> None:
        """Of a parcel that came back: its items, and the seconds that they took."""
        if seconds <= 0 or not self.worth:  # none: nobody could work on it
            return
        self._last = seconds / count
        self._mean = (self._mean + self._last) / 2 if self._mean else self._last
        self._most = min(2 * self._most, MOST)

    def size(self, left: int, window: int) -> int:
        """Items of the next parcel.

        It grows by doubling, since the first items may have failed at once, and shrinks as soon as a parcel took long.
        Towards the end it shrinks too, while it is worth anything.

        Parameters
        ----------
        left : int
            Items that are not handed out.
        window : int
            Parcels that may be handed out at a time.
        """
        if self._most == 1:
            return 1
        worth = min(self._most, self.worth / max(self._mean, self._last))
        share = max(left // (SHARES * window), LEAST * worth)
        return max(1, min(int(worth), int(share), left))


def together(function: Callable[[Item], Result], items: Iterable[Item]) -> tuple[list[Result], float]:
    """Results of a parcel's items and the seconds that they took: those before the first that fails, if one does.

    Raises
    ------
    Exception
        What the function raises for the first item. Later ones are left to be asked for again, and fail there.

    Examples
    --------
    >>> together(len, ["abc", "", None, "d"])[0]
    [3, 0]
    """
    found: list[Result] = []
    began = time.perf_counter()
    for item in items:
        try:
            found.append(function(item))
        except Exception:
            if not found:
                raise
            break
    return found, time.perf_counter() - began
