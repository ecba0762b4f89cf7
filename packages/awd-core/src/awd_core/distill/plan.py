"""Which searches make a path, in which order, and what is kept of them.

Both ends are searched from many starts; the path is followed from either end; at each point the minima of both ends are
tried too; and the best of all that is found is refined on larger batches. Whatever does not wait for another search is
asked for at once, and done by as many workers as there are.
"""

import json
import math
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from awd_core.distill.descent import Descent, curvature_at, descend, distinct, starts
from awd_core.distill.objective import Terms
from awd_core.distill.path import PathPoint
from awd_core.distill.search_batches import Objectives
from awd_core.distill.settings import SearchSettings
from awd_core.files.atomic import write_atomically
from awd_core.files.record import Record, reading
from awd_core.typing import Array
from awd_core.wavelets.wavelet import Wavelet
from awd_core.workers.mapping import Progress
from awd_core.workers.open import Workers

COARSE, FINE = 1e-6, 1e-7
"""Relative tolerances of searches: on all batches but the last, whose minima are a little beside that of all data, and
on the last."""
CLOSE = {"medium": 5e-3, "refined": 1e-3}
"""A minimum that is worse by so much, relative to the best, on the batch before will not be the best on the next."""


@dataclass(frozen=True)
class Search:
    """One local search, as it is handed out.

    Attributes
    ----------
    share : float
        α.
    name : str
        What it starts from.
    free : tuple of float
        Free angles that it starts from.
    batch, before : str or None
        The batch that it is run on, and the one that its curvature is estimated on, if any.
    weights : tuple of float
        Of both terms.
    iterations, tolerance
        As for `descend`.
    """

    share: float
    name: str
    free: tuple[float, ...]
    batch: str
    before: str | None
    weights: tuple[float, float]
    iterations: int
    tolerance: float

    @property
    def key(self) -> str:
        """Where it starts, bit for bit: what was found from there does not change."""
        return f"{self.share!r} {self.batch or 'small'} {np.array(self.free, dtype=np.float64).tobytes().hex()}"

    @property
    def title(self) -> str:
        """In words."""
        return f"share {self.share:g}, {self.name}"


def run_search(objectives: Objectives, search: Search) -> Descent:
    """Do one search."""
    free, curvature = np.array(search.free, dtype=np.float64), None
    if search.before is not None:
        curvature = curvature_at(objectives[search.before], free, *search.weights)
    return descend(
        objectives[search.batch], free, search.name, *search.weights,
        iterations=search.iterations, tolerance=search.tolerance, curvature=curvature,
    )  # fmt: skip


def terms_at(objectives: Objectives, free: tuple[float, ...]) -> Terms:
    """Both terms over the large batch."""
    return objectives["refined"](np.array(free, dtype=np.float64), 1.0, 1.0)[2]


@dataclass
class PathSearch:
    """All searches of one path.

    Attributes
    ----------
    objectives : Objectives
        What is minimised; for workers that are other processes, something that travels.
    batches : tuple of str
        Names of the batches, the smallest first.
    crew : Workers
        Who does it.
    scale : Terms
        S₀ and A₀.
    start, shares, seed, search : optional
        As for `awd_core.distill.distill_path`.
    record : Checkpoint
        Finished searches.
    progress : callable, optional
        Called with (searches done, searches in all, what is next).
    """

    objectives: Objectives
    batches: tuple[str, ...]
    crew: Workers
    scale: Terms
    start: Wavelet
    shares: tuple[float, ...]
    seed: int
    search: SearchSettings
    record: "Checkpoint"
    progress: Progress | None
    done: int = 0
    expected: int = 0

    def points(self) -> list[PathPoint]:
        """The points of the path, in the order of the shares."""
        begin = list(starts(self.start, self.search.random_starts, self.seed))
        last = len(self.shares) - 1
        self.expected = len(begin) * min(2, last + 1) + 2 * last + len(self.shares) * 3 * self.search.finalists
        found = self._along_the_path(last, begin)
        best = self._refined(found)
        at_ends = [index for index, share in enumerate(self.shares) if share in (0, 1)]
        places = [tuple(best[index].free_angles.tolist()) for index in at_ends]
        # There one of the terms has no weight, and was not computed.
        known = dict(zip(at_ends, self.crew.map(partial(terms_at, self.objectives), places), strict=True))
        return [self._point(index, found[index], best[index], known.get(index)) for index in range(last + 1)]

    def _along_the_path(self, last: int, begin: Sequence[tuple[str, Array]]) -> list[list[Descent]]:
        """Descents on the small batch, for each share."""
        ends = sorted({0, last})
        from_all = self._all([self._search(end, name, free) for end in ends for name, free in begin])
        found: list[list[Descent]] = [[] for _ in self.shares]
        for number, end in enumerate(ends):
            found[end] = from_all[number * len(begin) : (number + 1) * len(begin)]
        ahead, back = ({end: distinct(found[end], most=1)[0]} for end in (0, last))
        for step in range(1, last + 1):
            ahead[step], back[last - step] = self._all(
                [
                    self._search(step, f"path from {self.shares[0]}", ahead[step - 1].free_angles),
                    self._search(last - step, f"path from {self.shares[last]}", back[last - step + 1].free_angles),
                ]
            )
        for index in range(last + 1):
            found[index] += [ahead[index]] if index > 0 else []
            found[index] += [back[index]] if index < last else []
        minima = [(end, descent) for end in ends for descent in distinct(found[end], most=self.search.finalists)]
        tried = iter(
            self._all(
                [
                    self._search(index, f"minimum at {self.shares[end]}", descent.free_angles)
                    for index in range(1, last)
                    for end, descent in minima
                ]
            )
        )
        for index in range(1, last):
            found[index] += [next(tried) for _ in minima]
        return found

    def _refined(self, found: list[list[Descent]]) -> list[Descent]:
        """The best of each share on the last batch; all searches on the way are added to those that are known."""
        current = [list(descents) for descents in found]
        for batch in self.batches[1:]:
            searches = []
            for index, descents in enumerate(current):
                finalists = distinct(descents, most=self.search.finalists)
                close = [d for d in finalists if d.objective < finalists[0].objective * (1 + CLOSE[batch])]
                searches.append([self._search(index, f"{batch} {d.start}", d.free_angles, batch) for d in close])
            done = iter(self._all([search for those in searches for search in those]))
            current = [[next(done) for _ in those] for those in searches]
            for known, more in zip(found, current, strict=True):
                known += more
        return [min(descents, key=lambda d: d.objective) for descents in current]

    def _point(self, index: int, found: list[Descent], best: Descent, known: Terms | None) -> PathPoint:
        share = self.shares[index]
        terms = best.steps[-1]
        if known is not None:
            terms = replace(terms, sparsity=known.sparsity, interpretation=known.interpretation)
        ratio = share / (1 - share) * self.scale.sparsity / self.scale.interpretation if share < 1 else math.inf
        wavelet = Wavelet.from_angles(best.angles, name=f"{self.start.name} distilled")
        wavelet = wavelet.with_metadata({"share": share, "start": self.start.name, "settings": self.record.settings})
        return PathPoint(share, ratio, wavelet, terms.sparsity, terms.interpretation, best.objective, tuple(found))

    def _search(self, index: int, name: str, free: Array, batch: str = "") -> Search:
        share, place = self.shares[index], self.batches.index(batch)
        weights = (1 - share) / self.scale.sparsity, share / self.scale.interpretation
        tolerance = FINE if place == len(self.batches) - 1 else COARSE
        before = self.batches[place - 1] if place else None
        return Search(share, name, tuple(free.tolist()), batch, before, weights, self.search.iterations, tolerance)

    def _all(self, searches: list[Search]) -> list[Descent]:
        """What they have found, in their order; each place is searched from once."""
        new: dict[str, Search] = {}
        for search in searches:
            if search.key not in self.record.finished:
                new.setdefault(search.key, search)
        waiting = self.crew.map(partial(run_search, self.objectives), list(new.values()), names=lambda s: s.title)
        with closing(waiting) as results:
            for search in searches:
                if self.progress:
                    self.progress(self.done, max(self.expected, self.done), search.title)
                self.done += 1
                if search.key not in self.record.finished:
                    self.record.add(search.key, next(results))
        return [self.record.finished[search.key] for search in searches]


@dataclass(frozen=True)
class _Content(Record):
    settings: dict[str, Any]
    searches: dict[str, Descent]


class Checkpoint:
    """Finished searches, in memory and, if wanted, in a file that is replaced whole after each of them.

    Parameters
    ----------
    path : Path, optional
        The file.
    settings : dict
        What determines the result.

    Raises
    ------
    ValueError
        If the file is of another problem.
    """

    def __init__(self, path: Path | None, settings: dict[str, Any]) -> None:
        self.path, self.settings = path, settings
        self.finished: dict[str, Descent] = {}
        if path and path.exists():
            advice = "give another path, or delete it to start anew"
            with reading(path, "a checkpoint of distill_path", advice) as values:
                stored = _Content.from_dict(values)
            differing = [key for key in settings if stored.settings.get(key) != settings[key]]
            if differing:
                raise ValueError(
                    f"the checkpoint {path} belongs to another problem: {', '.join(differing)} differ(s); delete it to "
                    "start anew, or give another path"
                )
            self.finished = stored.searches

    def add(self, key: str, descent: Descent) -> None:
        """Keep what a search has found."""
        self.finished[key] = descent
        if self.path:
            text = json.dumps(_Content(self.settings, self.finished).to_dict())
            write_atomically(self.path, text.encode())
