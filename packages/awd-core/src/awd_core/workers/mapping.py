"""Mapping a function over items with whatever workers there are: order, losses, and what becomes of items that kill.

`awd_core.workers.open` tells the whole; here stands what is the same for all kinds of workers.
"""

import abc
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar, overload

from awd_core.workers.batches import Pace, together

Item = TypeVar("Item")
Item_co = TypeVar("Item_co", covariant=True)
Result = TypeVar("Result")
Progress = Callable[[int, int, str], object]

TRIES = 2
"""How often an item may kill a worker that does nothing else before it is set aside."""
IN_FLIGHT = 2
"""Parcels for each worker that are handed out at a time: one that is worked on, and one that waits for it."""


@dataclass(frozen=True)
class Lost:
    """What stands in place of a result where an item has killed its workers.

    Attributes
    ----------
    name : str
        Of the item.
    reason : str
        What happened, for a loss report.
    """

    name: str
    reason: str

    def error(self, advice: str = "leave it out, or give the worker more memory") -> "LostItemError":
        """The error to raise where nothing may be lost: item, reason, and what to do about it.

        Examples
        --------
        >>> Lost("map 7", "its worker died").error()
        LostItemError('map 7: its worker died; leave it out, or give the worker more memory')
        """
        return LostItemError(f"{self.name}: {self.reason}; {advice}")


class LostItemError(RuntimeError):
    """An item has killed its workers; the message names it."""


class OnDemand(Sequence[Item_co], Generic[Item_co]):
    """Items that are made when they are handed out, so that no more of them are held than are worked on.

    Parameters
    ----------
    make : callable
        Makes the item of a number; the same one whenever it is asked.
    numbers : sequence of int
        Of the items.

    Examples
    --------
    >>> items = OnDemand("map {}".format, range(1_000_000))
    >>> len(items), items[7], list(items[-2:])
    (1000000, 'map 7', ['map 999998', 'map 999999'])
    """

    def __init__(self, make: Callable[[int], Item_co], numbers: Sequence[int]) -> None:
        self.make, self.numbers = make, numbers

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, place: int) -> Item_co: ...

    @overload
    def __getitem__(self, place: slice) -> "OnDemand[Item_co]": ...

    def __getitem__(self, place: int | slice) -> "Item_co | OnDemand[Item_co]":
        if isinstance(place, slice):
            return OnDemand(self.make, self.numbers[place])
        return self.make(self.numbers[place])


class WorkerDied(Exception):  # noqa: N818 an event that the map deals with, not an error that anybody sees
    """The process that worked on an item is gone."""


class Workers(abc.ABC):
    """Workers with which a function is mapped over items; `awd_core.workers.open_workers` makes them.

    Attributes
    ----------
    where : str
        In words, for logs.
    here : bool
        Whether items are done in this process, one at a time. Then there are cores for threads, and what an item needs
        does not travel: it need not be small, nor lie in a file.
    worth : float
        Seconds of work that are worth handing out: items that take less go together, as `awd_core.workers.batches`
        says.
    """

    where: str
    here: bool = False
    worth: float = 0.0

    @property
    @abc.abstractmethod
    def window(self) -> int:
        """Parcels that may be handed out at a time, at the moment."""

    @abc.abstractmethod
    def submit(self, function: Callable[[Item], Result], item: Item) -> Any:
        """Have a function called somewhere; what is returned goes to `result`."""

    @abc.abstractmethod
    def result(self, waiting: Any) -> Any:
        """What it has given; raises what the function has raised, or `WorkerDied`."""

    def forget(self, waiting: Iterable[Any]) -> None:  # noqa: B027 not every kind has something to do
        """Take back what was handed out, as far as it is not begun."""

    def map(
        self,
        function: Callable[[Item], Result],
        items: Iterable[Item],
        *,
        names: Callable[[Item], str] = str,
        progress: Progress | None = None,
    ) -> Generator[Result, None, None]:
        """Results of a function, in the order of the items.

        Parameters
        ----------
        function : callable
            Of one item. Both travel to other processes: a function of a module, or a `functools.partial` of one with
            small arguments.
        items : iterable
            What there is to do.
        names : callable
            What an item is called in errors and progress.
        progress : callable, optional
            Called with (items done, items in all, name of the last).

        Yields
        ------
        object
            Results. Those of no more than `window` parcels wait to be taken.

        Raises
        ------
        LostItemError
            If an item has killed its workers.
        Exception
            What the function has raised; items that are not begun are left.

        Examples
        --------
        >>> from awd_core.workers import open_workers
        >>> with open_workers() as workers:
        ...     list(workers.map(abs, [-2, 1]))
        [2, 1]
        """
        for result in self.map_or_lose(function, items, names=names, progress=progress):
            if isinstance(result, Lost):
                raise result.error()
            yield result

    def map_or_lose(
        self,
        function: Callable[[Item], Result],
        items: Iterable[Item],
        *,
        names: Callable[[Item], str] = str,
        progress: Progress | None = None,
    ) -> Generator[Result | Lost, None, None]:
        """As `map`, but an item that kills its workers gives a `Lost` in its place, and the rest goes on."""
        todo = items if isinstance(items, Sequence) else list(items)
        flying: deque[tuple[range, Any]] = deque()
        pace = Pace(self.worth)
        begun = done = 0

        def hand_out(numbers: range) -> tuple[range, Any]:
            return numbers, self.submit(partial(together, function), [todo[number] for number in numbers])

        try:
            while done < len(todo):
                while begun < len(todo) and len(flying) < self.window:
                    size = pace.size(len(todo) - begun, self.window)
                    flying.append(hand_out(range(begun, begun + size)))
                    begun += size
                numbers, waiting = flying.popleft()
                found: list[Result | Lost]
                try:
                    found, seconds = self.result(waiting)
                except WorkerDied:
                    # An item of these has killed it, or one that was beside them: nothing else may be in flight while
                    # each of them is tried by itself.
                    suspects = [(numbers, None), *((others, self._outcome(future)) for others, future in flying)]
                    flying.clear()
                    for others, outcome in suspects:
                        if outcome is not None:
                            flying.append((others, outcome))
                            continue
                        flying.extend(
                            (range(other, other + 1), self._outcome_alone(function, todo[other], names))
                            for other in others
                        )
                    continue
                pace.told(len(found), seconds)
                if len(found) < len(numbers):
                    # The next one has failed there. Asked for again it fails as the first of its parcel, and here.
                    flying.appendleft(hand_out(numbers[len(found) :]))
                for number, result in zip(numbers, found, strict=False):
                    done += 1
                    if progress is not None:
                        progress(done, len(todo), names(todo[number]))
                    yield result
        finally:
            self.forget(waiting for _, waiting in flying)

    def map_blocks(
        self,
        function: Callable[[list[Item]], Sequence[Result]],
        items: Sequence[Item],
        size: int,
        *,
        names: Callable[[Item], str] = str,
        progress: Progress | None = None,
    ) -> Generator[Result | Lost, None, None]:
        """As `map_or_lose`, for many small items of which a worker is given `size` at a time.

        Parameters
        ----------
        function : callable
            Of a list of items; gives a list of as many results.
        items : sequence
            The items.
        size : int
            How many make a block. If a block kills its worker, its items are tried one by one.
        names, progress : callable
            As in `map`, of single items.

        Yields
        ------
        object or Lost
            Results, one for each item.

        Raises
        ------
        ValueError
            If a block is to hold nothing.
        """
        if size < 1:
            raise ValueError(f"a block must hold at least one item, got size = {size}")
        blocks = OnDemand(lambda start: list(items[start : start + size]), range(0, len(items), size))
        done = 0
        for block, found in zip(blocks, self.map_or_lose(function, blocks, names=_of_blocks(names)), strict=True):
            results: list[Result | Lost]
            if isinstance(found, Lost):
                singly = self.map_or_lose(function, [[item] for item in block], names=_of_blocks(names))
                results = [one if isinstance(one, Lost) else one[0] for one in singly]
            else:
                results = list(found)
            for item, result in zip(block, results, strict=True):
                done += 1
                if progress is not None:
                    progress(done, len(items), names(item))
                yield result

    def _outcome(self, waiting: Any) -> "Future[Any] | None":
        """What has become of a parcel that was handed out, waited for; None if its worker died."""
        settled: Future[Any] = Future()
        try:
            settled.set_result(self.result(waiting))
        except WorkerDied:
            return None
        except Exception as error:
            settled.set_exception(error)
        return settled

    def _outcome_alone(
        self, function: Callable[[Item], Result], item: Item, names: Callable[[Item], str]
    ) -> "Future[Any]":
        """The same of an item by itself, while nothing else is worked on."""
        for _ in range(TRIES):
            try:
                outcome = self._outcome(self.submit(partial(together, function), [item]))
            except WorkerDied:  # before it had begun
                continue
            if outcome is not None:
                return outcome
        lost: Future[Any] = Future()
        lost.set_result(([Lost(names(item), f"its worker died {TRIES} times while it worked on this alone")], 0.0))
        return lost


class Serial(Workers):
    """No workers: items are done where they are asked for, one when its result is wanted."""

    where = "in this process"
    here = True
    window = 1

    def submit(self, function: Callable[[Item], Result], item: Item) -> Any:
        """Do it."""
        done: Future[Result] = Future()
        done.set_result(function(item))
        return done

    def result(self, waiting: Any) -> Any:
        """What it has given."""
        return waiting.result()


def _of_blocks(names: Callable[[Item], str]) -> Callable[[list[Item]], str]:
    def of_block(block: list[Item]) -> str:
        return names(block[0]) if len(block) == 1 else f"{names(block[0])} to {names(block[-1])}"

    return of_block
