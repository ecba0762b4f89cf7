"""The few largest, or lowest, of several rows of numbers, element by element: a list of minima and maxima of two rows.

A sorting network compares fixed pairs, whatever the numbers, so that each comparison is one call over thousands of
columns at once. Batcher's odd-even merge (Knuth, The Art of Computer Programming, vol. 3, section 5.3.4, algorithm M)
joins sorted lists; of each list only the first `most` are kept, results that nobody reads are not computed, and a row
that nobody reads any more is written over.
"""

from dataclasses import dataclass
from functools import lru_cache

Step = tuple[int, int, int, int]
LARGER, SMALLER = 0, 1


@dataclass(frozen=True)
class Extremes:
    """What to do with k rows, in the order of the steps.

    Attributes
    ----------
    steps : tuple of (which, row, row, row)
        Which is `LARGER` or `SMALLER`, of the first two rows; the third gets it.
    places : tuple of int
        Where the results are in the end: for each kind the most extreme first.
    rows : int
        Rows that are needed, the k among them.
    """

    steps: tuple[Step, ...]
    places: tuple[int, ...]
    rows: int


@lru_cache(maxsize=256)
def extremes(size: int, most: int, kinds: tuple[int, ...]) -> Extremes:
    """The shortest that was found.

    Parameters
    ----------
    size : int
        Number of rows.
    most : int
        How many are wanted of each kind, at most `size`.
    kinds : tuple of int
        `LARGER` for the largest, `SMALLER` for the lowest.

    Examples
    --------
    >>> extremes(3, 1, (LARGER,))
    Extremes(steps=((0, 1, 2, 2), (0, 0, 2, 2)), places=(2,), rows=3)
    """
    found = [_Network(size, most, kinds, first) for first in (0, most, 2 * most)]
    return min(found, key=lambda one: len(one.used)).placed()


class _Network:
    """Comparisons of a network: result number i is that of `steps[i − size]`, or row i itself."""

    def __init__(self, size: int, most: int, kinds: tuple[int, ...], first: int) -> None:
        self.size, self.most, self.first = size, most, first
        self.steps: list[tuple[int, int, int]] = []
        self.known: dict[tuple[int, int, int], int] = {}
        self.results = [one for kind in kinds for one in self._sorted(list(range(size)), kind)]
        self.used = self._used()

    def placed(self) -> Extremes:
        """Rows for all results: a result takes the row of one that is read for the last time."""
        last = {one: number for number, step in enumerate(self.used) for one in self.steps[step - self.size][1:]}
        last |= dict.fromkeys(self.results, len(self.used))
        row = {one: one for one in range(self.size)}
        free = [one for one in range(self.size) if one not in last]
        rows, steps = self.size, []
        for number, result in enumerate(self.used):
            kind, a, b = self.steps[result - self.size]
            free += [row[one] for one in (a, b) if last[one] == number]
            if not free:
                free.append(rows)
                rows += 1
            row[result] = free.pop()
            steps.append((kind, row[a], row[b], row[result]))
        return Extremes(tuple(steps), tuple(row[one] for one in self.results), rows)

    def _used(self) -> list[int]:
        wanted, found = set(self.results), []
        for result in range(self.size + len(self.steps) - 1, self.size - 1, -1):
            if result in wanted:
                found.append(result)
                wanted.update(self.steps[result - self.size][1:])
        return found[::-1]

    def _sorted(self, rows: list[int], kind: int) -> list[int]:
        """The `most` first of rows, sorted, the most extreme first."""
        if len(rows) < 2:
            return rows
        half = self.first if 0 < self.first < len(rows) else len(rows) // 2
        return self._merged(self._sorted(rows[:half], kind), self._sorted(rows[half:], kind), kind)[: self.most]

    def _merged(self, one: list[int], other: list[int], kind: int) -> list[int]:
        if not one or not other:
            return one or other
        if len(one) == len(other) == 1:
            return [self._of(kind, one[0], other[0]), self._of(1 - kind, one[0], other[0])]
        ahead, behind = self._merged(one[::2], other[::2], kind), self._merged(one[1::2], other[1::2], kind)
        found = ahead[:1]
        for place in range(max(len(ahead) - 1, len(behind))):
            pair = [*ahead[place + 1 : place + 2], *behind[place : place + 1]]
            found += [self._of(which, *pair) for which in (kind, 1 - kind)] if len(pair) == 2 else pair
        return found

    def _of(self, kind: int, a: int, b: int) -> int:
        step = (kind, min(a, b), max(a, b))
        if step not in self.known:
            self.known[step] = self.size + len(self.steps)
            self.steps.append(step)
        return self.known[step]
