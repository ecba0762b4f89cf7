"""Mapping a function over items with whatever workers there are: order, losses, and what becomes of items that kill.

`awd_core.workers.open` tells the whole; here stands what is the same for all kinds of workers.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, wait
from dataclasses import dataclass
from typing import Any, Generic, ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Item = TypeVar("Item")
Item_co = TypeVar("Item_co", covariant=True)
Result = TypeVar("Result")
Progress = Callable[[int, int, str], object]

TRIES = 2
"""How often an item may kill a worker that does nothing else before it is set aside."""
IN_FLIGHT = 2
"""Items for each worker that are handed out at a time: one that is worked on, and one that waits for it."""
LOOK = 5.0
"""Seconds of waiting after which somebody looks whether there is anybody to wait for."""


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

    def __getitem__(self, place: Any) -> Any:
        numbers = self.numbers[place]
        return OnDemand(self.make, numbers) if isinstance(place, slice) else self.make(numbers)


class Workers:
    """Workers with which a function is mapped over items; `awd_core.workers.open_workers` makes them.

    Parameters
    ----------
    executor : Executor
        Has items done, and goes on where a worker dies.
    where : str
        In words, for logs.
    here : bool
        Whether items are done in this process, one at a time. Then there are cores for threads, and what an item needs
        does not travel: it need not be small, nor lie in a file.
    count : callable
        How many items can be worked on at a time, at the moment.
    deaths : tuple of exception types
        What an item's future raises when its worker has died.
    look : callable
        Called now and then while an item is waited for; raises what ends that.
    """

    def __init__(
        self,
        executor: Executor,
        where: str,
        *,
        here: bool = False,
        count: Callable[[], int] = lambda: 1,
        deaths: tuple[type[Exception], ...] = (BrokenExecutor,),
        look: Callable[[], object] = lambda: None,
    ) -> None:
        self.executor, self.where, self.here = executor, where, here
        self._count, self._deaths, self._look = count, deaths, look

    @property
    def window(self) -> int:
        """Items that may be handed out at a time, at the moment."""
        return 1 if self.here else IN_FLIGHT * self._count()

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
            What there is to do. To hand an item out costs a millisecond, or, with a scheduler, some eight: small ones
            are for `map_blocks`.
        names : callable
            What an item is called in errors and progress.
        progress : callable, optional
            Called with (items done, items in all, name of the last).

        Yields
        ------
        object
            Results. No more than `window` wait to be taken.

        Raises
        ------
        LostItemError
            If an item has killed its workers.
        ConnectionError
            If workers were closed, or have gone, before they were done.
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
        flying: deque[tuple[Item, Future[Any]]] = deque()
        begun = 0
        try:
            for done in range(1, len(todo) + 1):
                while begun < len(todo) and len(flying) < self.window:
                    item = todo[begun]
                    flying.append((item, self.executor.submit(function, item)))
                    begun += 1
                if self._died(flying[0][1]):
                    # One of those in flight has killed it, or something else: nothing may be in flight while each of
                    # them is tried by itself.
                    died = [self._died(waiting) for _, waiting in flying]
                    for place, (item, _) in enumerate(flying):
                        if died[place]:
                            flying[place] = item, self._alone(function, item, names)
                item, waiting = flying.popleft()
                result = waiting.result()
                if progress is not None:
                    progress(done, len(todo), names(item))
                yield result
        finally:
            for _, waiting in flying:
                waiting.cancel()

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

    def _died(self, waiting: Future[Any]) -> bool:
        """Whether an item's worker has died, when that is known."""
        while not waiting.done():
            if not wait([waiting], LOOK).done:
                self._look()
        if waiting.cancelled():
            raise ConnectionError(
                f"what was handed out was given up ({self.where}): the workers were closed, or their scheduler has "
                "gone; open them, and give the same command again"
            )
        return isinstance(waiting.exception(), self._deaths)

    def _alone(
        self, function: Callable[[Item], Result], item: Item, names: Callable[[Item], str]
    ) -> "Future[Result | Lost]":
        """What becomes of an item by itself."""
        for _ in range(TRIES):
            waiting: Future[Any] = self.executor.submit(function, item)
            if not self._died(waiting):
                return waiting
        lost: Future[Result | Lost] = Future()
        lost.set_result(Lost(names(item), f"its worker died {TRIES} times while it worked on this alone"))
        return lost


class Serial(Workers):
    """No workers: items are done where they are asked for, one when its result is wanted."""

    def __init__(self) -> None:
        super().__init__(_Here(), "in this process", here=True)


class _Here(Executor):
    """Does what it is given at once; what that raises is raised there."""

    def submit(
        self, function: Callable[Arguments, Result], /, *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Future[Result]:
        done: Future[Result] = Future()
        done.set_result(function(*args, **kwargs))
        return done


def _of_blocks(names: Callable[[Item], str]) -> Callable[[list[Item]], str]:
    def of_block(block: list[Item]) -> str:
        return names(block[0]) if len(block) == 1 else f"{names(block[0])} to {names(block[-1])}"

    return of_block
