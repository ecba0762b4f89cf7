"""Hierarchies of explanations: units of an input joined step by step, each group with the score of its union.

After Singh, Murdoch, Yu 2019, "Hierarchical interpretations for neural network predictions" (arXiv:1806.05337, section
3.3, agglomerative contextual decomposition): groups grow towards the neighbour with which the union says most beyond
the group alone. The score may be any, of contextual decomposition or another.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from awd_core.checks.real_numbers import real_number
from awd_core.checks.whole_numbers import is_whole_number, whole_number
from awd_core.typing import Array, Flags, Indices

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Score = Callable[[Flags], Any]
"""From groups (k, units), True for members, to their k scores."""


@dataclass(frozen=True)
class Group:
    """Some units that belong together.

    Attributes
    ----------
    members : tuple of int
        Numbers of the units.
    score : float
        Of their union.
    interaction : float
        What the union says beyond the sum of what it was made of; 0 for a single unit.
    children : tuple of int
        Numbers of the groups that it was made of; empty for a single unit.
    level : int
        The round in which it was made; 0 for single units.
    """

    members: tuple[int, ...]
    score: float
    interaction: float
    children: tuple[int, ...]
    level: int


@dataclass(frozen=True)
class Hierarchy:
    """Groups of units, from single ones to all of them.

    Attributes
    ----------
    names : tuple of str
        Names of the units.
    groups : tuple of Group
        First the single units in their order, then groups as they were made.
    levels : tuple of tuple of int
        Numbers of the groups that there are after each round; the first level is all single units.
    """

    names: tuple[str, ...]
    groups: tuple[Group, ...]
    levels: tuple[tuple[int, ...], ...]

    def labels(self, level: int) -> Indices:
        """The number of each unit's group at a level, shape (units,); negative levels count from the last.

        Raises
        ------
        ValueError
            For a level that there is not.
        """
        made = np.zeros(len(self.names), dtype=np.intp)
        for number in self._level(level):
            made[list(self.groups[number].members)] = number
        return made

    def scores(self, level: int) -> Array:
        """The score of each unit's group at a level, shape (units,)."""
        values = np.array([group.score for group in self.groups])
        return values[self.labels(level)]

    def strongest(self, count: int = 5) -> list[Group]:
        """The joined groups with the largest absolute interaction."""
        joined = [group for group in self.groups if group.children]
        return sorted(joined, key=lambda group: -abs(group.interaction))[: whole_number("count", count)]

    def plot(self, shape: tuple[int, ...] | None = None, *, levels: int = 6) -> "Figure":
        """Draw the scores of groups, level by level.

        Parameters
        ----------
        shape : tuple of int, optional
            Rows and columns of an image whose pixels are the units, for a panel for each level; otherwise units lie
            beside each other, and levels above each other.
        levels : int
            How many levels are shown of an image.

        Returns
        -------
        matplotlib.figure.Figure
        """
        from awd_core.decomposition.figures import draw_hierarchy

        return draw_hierarchy(self, shape, levels)

    def _level(self, level: int) -> tuple[int, ...]:
        if not is_whole_number(level) or not -len(self.levels) <= level < len(self.levels):
            raise ValueError(f"level is {level!r}; this hierarchy has levels 0 to {len(self.levels) - 1}")
        return self.levels[level]


def agglomerate(
    score: Score, units: int | Sequence[str], adjacency: Any = None, *, share: float = 0.0, batch_size: int = 1024
) -> Hierarchy:
    """Join neighbouring units into groups, round by round, until none have a neighbour.

    In each round all pairs of neighbouring groups are candidates. A pair's gain is what its union says beyond either
    group alone, |score(A ∪ B) − score(A)| and |score(A ∪ B) − score(B)|, of which the smaller counts, so that a strong
    group does not take up every neighbour that says nothing.

    Parameters
    ----------
    score : callable
        score(groups) gives k numbers for groups (k, units), boolean: `union_score`, or any other, such as occlusion.
    units : int or sequence of str
        How many units there are, or their names.
    adjacency : array_like, optional
        Which units are neighbours: pairs of numbers, shape (pairs, 2), as `neighbours` and `wavelet_neighbours` give
        them, or a symmetric matrix, shape (units, units), of booleans. By default all are.
    share : float
        The share of the candidates that are joined in a round, from 0 to 1; at least one is.
    batch_size : int
        Groups that are scored at a time.

    Returns
    -------
    Hierarchy

    Raises
    ------
    ValueError
        Neighbours that there are not, or scores that are not finite or of another number than the groups.

    Examples
    --------
    Two units that say something together alone are joined first:

    >>> found = agglomerate(lambda groups: groups[:, 1] * groups[:, 2] + 0.1 * groups[:, 0], ["a", "b", "c"])
    >>> [found.groups[number].members for number in found.levels[1]]
    [(0,), (1, 2)]
    """
    names = tuple(f"{k}" for k in range(whole_number("units", units))) if is_whole_number(units) else tuple(units)  # type: ignore[arg-type]
    if not names:
        raise ValueError("units is empty; give their number, or a name for each")
    share = real_number("share", share, "a share of the candidates", least=0, most=1)
    return _Growth(score, names, _pairs(adjacency, len(names)), share, whole_number("batch_size", batch_size)).grown()


class _Growth:
    """Groups that there are, and what joining them would say."""

    def __init__(
        self, score: Score, names: tuple[str, ...], pairs: set[tuple[int, int]], share: float, batch_size: int
    ) -> None:
        self.score, self.names, self.share, self.batch_size = score, names, share, batch_size
        values = self.scored([(k,) for k in range(len(names))])
        self.groups = [Group((k,), value, 0.0, (), 0) for k, value in enumerate(values)]
        self.alive = set(range(len(names)))
        self.pairs = pairs
        self.unions: dict[tuple[int, int], float] = {}

    def grown(self) -> Hierarchy:
        levels = [tuple(sorted(self.alive))]
        while self.pairs:
            self.look()
            self.join(self.chosen(), len(levels))
            levels.append(tuple(sorted(self.alive)))
        return Hierarchy(self.names, tuple(self.groups), tuple(levels))

    def scored(self, groups: Sequence[tuple[int, ...]]) -> list[float]:
        found: list[float] = []
        for start in range(0, len(groups), self.batch_size):
            some = groups[start : start + self.batch_size]
            flags = np.zeros((len(some), len(self.names)), dtype=bool)
            for row, members in zip(flags, some, strict=True):
                row[list(members)] = True
            values = np.asarray(self.score(flags), dtype=np.float64)
            if values.shape != (len(some),) or not np.isfinite(values).all():
                raise ValueError(
                    f"score gave {'values that are not finite' if values.shape == (len(some),) else values.shape} for "
                    f"{len(some)} groups; it must give one finite number for each"
                )
            found += values.tolist()
        return found

    def look(self) -> None:
        """Score the unions that are not known."""
        new = sorted(self.pairs - self.unions.keys())
        members = [self.groups[a].members + self.groups[b].members for a, b in new]
        self.unions |= dict(zip(new, self.scored(members), strict=True))

    def chosen(self) -> list[tuple[int, int]]:
        """The pairs with the largest gains."""

        def gain(pair: tuple[int, int]) -> float:
            union = self.unions[pair]
            return min(abs(union - self.groups[one].score) for one in pair)

        ranked = sorted(self.pairs, key=lambda pair: (-gain(pair), pair))
        return ranked[: max(1, math.floor(self.share * len(ranked)))]

    def join(self, pairs: Iterable[tuple[int, int]], level: int) -> None:
        """Join the groups of the pairs; chains become one group."""
        root = {number: number for pair in pairs for number in pair}

        def find(number: int) -> int:
            while root[number] != number:
                number = root[number]
            return number

        for a, b in pairs:
            root[max(find(a), find(b))] = min(find(a), find(b))
        together: dict[int, list[int]] = {}
        for number in sorted(root):
            together.setdefault(find(number), []).append(number)
        made = list(together.values())
        members = [tuple(sorted(sum((self.groups[k].members for k in children), ()))) for children in made]
        known = [self.unions.get((one[0], one[1])) if len(one) == 2 else None for one in made]
        fresh = iter(self.scored([group for group, value in zip(members, known, strict=True) if value is None]))
        renamed: dict[int, int] = {}
        for children, group, value in zip(made, members, known, strict=True):
            whole = next(fresh) if value is None else value
            beyond = whole - sum(self.groups[k].score for k in children)
            renamed |= dict.fromkeys(children, len(self.groups))
            self.groups.append(Group(group, whole, beyond, tuple(children), level))
        self.alive = {renamed.get(number, number) for number in self.alive}
        moved = {tuple(sorted(renamed.get(k, k) for k in pair)) for pair in self.pairs}
        self.pairs = {(a, b) for a, b in moved if a != b}
        self.unions = {pair: value for pair, value in self.unions.items() if pair in self.pairs}


def neighbours(shape: int | Sequence[int], *, diagonal: bool = False) -> Indices:
    """Pairs of neighbouring samples of a series, or pixels of an image, numbered row by row.

    Parameters
    ----------
    shape : int or sequence of int
        Samples, or rows and columns (or more axes).
    diagonal : bool
        Whether pixels that touch at a corner are neighbours.

    Returns
    -------
    ndarray of int, shape (pairs, 2)

    Examples
    --------
    >>> neighbours(4).tolist(), len(neighbours((2, 2))), len(neighbours((2, 2), diagonal=True))
    ([[0, 1], [1, 2], [2, 3]], 4, 6)
    """
    sizes = [shape] if is_whole_number(shape) else list(shape)  # type: ignore[arg-type]
    sizes = [whole_number("shape", size) for size in sizes]
    numbers = np.arange(math.prod(sizes)).reshape(sizes)
    pairs = []
    for step in np.ndindex(*[3] * len(sizes)):
        move = [k - 1 for k in step]
        first = next((k for k in move if k), 0)
        if first != 1 or (not diagonal and sum(map(abs, move)) > 1):
            continue
        here = numbers[tuple(slice(max(-m, 0), size - max(m, 0)) for m, size in zip(move, sizes, strict=True))]
        there = numbers[tuple(slice(max(m, 0), size + min(m, 0)) for m, size in zip(move, sizes, strict=True))]
        pairs.append(np.stack([here.ravel(), there.ravel()], 1))
    return np.concatenate(pairs) if pairs else np.zeros((0, 2), dtype=np.intp)


def _pairs(adjacency: Any, count: int) -> set[tuple[int, int]]:
    if adjacency is None:
        return {(a, b) for a in range(count) for b in range(a + 1, count)}
    given = adjacency.toarray() if hasattr(adjacency, "toarray") else np.asarray(adjacency)
    if given.shape == (count, count) and given.dtype == bool:
        if not (given == given.T).all():
            raise ValueError("adjacency is a matrix that is not symmetric; units are neighbours of each other")
        given = np.argwhere(np.triu(given, 1))
    if given.ndim != 2 or given.shape[1] != 2 or given.dtype.kind not in "iu":
        raise ValueError(
            f"adjacency has shape {given.shape} and type {given.dtype}; give pairs of numbers of units, shape "
            f"(pairs, 2), or booleans of shape ({count}, {count})"
        )
    if given.size and (given.min() < 0 or given.max() >= count):
        raise ValueError(f"adjacency names unit {given.max()}; there are {count}, numbered from 0")
    return {(int(min(pair)), int(max(pair))) for pair in given if pair[0] != pair[1]}
