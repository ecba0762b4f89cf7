"""Where the student's wavelet is searched from, one search, and the choice of a winner by data that were held out.

The leave-one-out error of few numbers has many local minima over the angles and, where numbers are maxima, kinks. So it
is looked at from many starts; from the best of them a quasi-Newton method goes down, or a simplex where numbers have no
derivatives; and of the minima that are best on all training data, the winner is the one that does best on groups held
out, its angles and its ridge fitted anew without them. Plain wavelets are candidates too, as they are.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.optimize import minimize
from sklearn.model_selection import GroupKFold

from awd_core.checks.real_numbers import real_number
from awd_core.checks.whole_numbers import whole_number
from awd_core.distill.descent import all_angles, starts
from awd_core.files.record import Record
from awd_core.student.data import LEAST_ROWS, StudentSet
from awd_core.student.objective import StudentObjective
from awd_core.student.ridge import fit_ridge
from awd_core.typing import Array
from awd_core.wavelets.wavelet import Wavelet
from awd_core.workers.mapping import Progress

STRIDE = 0.15
"""Length in radians of a search's first trial: a filter has changed its shape after a radian."""
CLOSER = 1e-9
"""Relative difference of errors below which two candidates count as equally good: then the shorter is taken."""
SAME_TAPS = 1e-3
"""L2 distance of taps up to which two searches have ended in one place."""


@dataclass(frozen=True)
class StudentSearch(Record):
    """How hard to search.

    Attributes
    ----------
    random_starts : int
        Random filters of each length, beside PyWavelets' of that length and all of these reversed; all also negated
        where a number tells a band from its negative.
    descents : int
        How many of the starts of each length are searched from, the best first.
    iterations : int
        Iterations of each search, at most.
    finalists : int
        Local minima of each length that are tried on groups held out.
    folds : int
        Folds of groups, at most as many as there are groups; with 0 the minimum that is best on all data wins.
    share : float
        Share of the groups, drawn by the seed, on which wavelets are searched; with less than 1 the others choose among
        them, with each wavelet as it is. To choose takes more data than to search: wavelets differ by a few percent.
    standard_errors : float
        A longer wavelet wins only if it is better than the shorter ones by more than so many standard errors of the
        difference, over groups held out.
    """

    random_starts: int = 64
    descents: int = 12
    iterations: int = 100
    finalists: int = 3
    folds: int = 5
    share: float = 1.0
    standard_errors: float = 0.0

    def __post_init__(self) -> None:
        for name, least in (("random_starts", 0), ("descents", 1), ("iterations", 1), ("finalists", 1), ("folds", 0)):
            object.__setattr__(self, name, whole_number(name, getattr(self, name), least))
        if self.folds == 1:
            raise ValueError("folds is 1; give 2 or more, or 0 to choose by the error on all data")
        share = real_number("share", self.share, "a share of the groups", above=0, most=1)
        error = real_number("standard_errors", self.standard_errors, "a number of standard errors", least=0)
        object.__setattr__(self, "share", share)
        object.__setattr__(self, "standard_errors", error)
        if not self.folds and (share < 1 or error):
            raise ValueError(
                "folds is 0, so that nothing is held out to choose by; give folds, or share=1 and standard_errors=0"
            )


@dataclass(frozen=True)
class StudentStart:
    """One place that was searched from, and what came of it.

    Attributes
    ----------
    name : str
        Such as "db5 reversed" or "random 3".
    length : int
        Number of taps.
    negated : bool
        Whether details are read with the other sign.
    initial : float
        Objective at the start.
    objective : float
        Objective where the search ended.
    evaluations : int
        Evaluations of the objective.
    free_angles : tuple of tuple of float
        Free lattice angles where it ended, one row for all levels or one for each.
    searched : bool
        Whether it was searched from; otherwise this is a plain wavelet as it is.
    held_out : float or None
        Objective with the error on groups held out in place of the leave-one-out error; None where that was not tried.
    """

    name: str
    length: int
    negated: bool
    initial: float
    objective: float
    evaluations: int
    free_angles: tuple[tuple[float, ...], ...]
    searched: bool
    held_out: float | None = None

    @property
    def key(self) -> tuple[str, int, bool, bool]:
        """What tells it from the others of a history."""
        return self.name, self.length, self.negated, self.searched

    @property
    def free(self) -> Array:
        """Free angles, shape (1 or J, L/2 − 1)."""
        return np.array(self.free_angles, dtype=np.float64).reshape(len(self.free_angles), self.length // 2 - 1)

    @property
    def wavelets(self) -> list[Wavelet]:
        """The wavelet of all levels, or of each, the finest first."""
        return [Wavelet.from_angles(all_angles(row)) for row in self.free]


def all_starts(
    named: Sequence[Wavelet], lengths: Sequence[int], rows: int, search: StudentSearch, seed: int
) -> Iterator[tuple[str, Array]]:
    """Names and free angles to start from, for all lengths in turn.

    Parameters
    ----------
    named : sequence of Wavelet
        Wavelets that the user starts from, each for its length.
    lengths : sequence of int
        Numbers of taps.
    rows : int
        1 for one wavelet, or the number of levels.
    search : StudentSearch
        How many random ones.
    seed : int
        Of the random ones.
    """
    for length in lengths:
        daubechies = "haar" if length == 2 else f"db{length // 2}"
        own = [wavelet for wavelet in named if wavelet.length == length] or [Wavelet.from_name(daubechies)]
        known: dict[str, Array] = {}
        for wavelet in own:
            for name, free in starts(wavelet, search.random_starts if length > 2 else 0, seed):
                # Wavelets of one's own may share a name, such as "custom".
                told = next(t for t in _numbered(name) if t not in known or np.array_equal(known[t], free))
                known[told] = free
        for name, free in known.items():
            if length > 2 or not name.endswith("reversed"):  # Haar reversed is Haar
                yield name, np.tile(free, (rows, 1))


def searched(
    objective: StudentObjective, begin: Sequence[tuple[str, Array]], search: StudentSearch, progress: Progress | None
) -> list[StudentStart]:
    """All searches from the starts of one length, each start as it is among them, best first."""
    signs = (False, True) if objective.numbers.signed else (False,)
    as_they_are = []
    for name, free in begin:
        for negated in signs:
            value, _ = objective(free, negated)
            as_they_are.append(as_it_is(name, negated, value, free))
    as_they_are.sort(key=lambda start: start.objective)
    found = [start for start in as_they_are if not start.name.startswith("random")]
    if begin[0][1].size:
        for done, start in enumerate(chosen := as_they_are[: search.descents]):
            if progress:
                progress(done, len(chosen), f"{start.length} taps, from {start.name}{' negated' * start.negated}")
            found.append(descend(objective, start, search.iterations))
    return sorted(found, key=lambda start: start.objective)


def descend(objective: StudentObjective, start: StudentStart, iterations: int) -> StudentStart:
    """Go down from a start: by L-BFGS, or by the simplex of Nelder and Mead where there is no gradient."""
    before, origin = objective.evaluations, start.free
    value, gradient = objective(origin, start.negated)
    if not origin.size or (gradient is not None and not np.abs(gradient).max() > 0):
        return replace(start, initial=value, objective=value, evaluations=1, searched=True)

    def at(u: Array) -> Array:
        return origin + STRIDE * u.reshape(origin.shape)

    def with_slope(u: Array) -> tuple[float, Array]:
        found, slope = objective(at(u), start.negated)
        return found, STRIDE * np.asarray(slope).ravel()

    zero = np.zeros(origin.size)
    if gradient is not None:
        options = {"maxiter": iterations, "ftol": 1e-10, "gtol": 1e-9}
        found = minimize(with_slope, zero, jac=True, method="L-BFGS-B", options=options)
    else:
        simplex = np.vstack([zero, np.eye(origin.size)])
        found = minimize(
            lambda u: objective(at(u), start.negated)[0], zero, method="Nelder-Mead",
            options={
                "maxiter": iterations * (origin.size + 1), "xatol": 1e-3, "fatol": 1e-7, "adaptive": True,
                "initial_simplex": simplex,
            },
        )  # fmt: skip
    better = float(found.fun) < value
    end = at(found.x) if better else origin
    value_there = float(found.fun) if better else value
    return _record(start.name, start.negated, value, value_there, objective.evaluations - before, end, searched=True)


def held_out(
    objective: StudentObjective, candidates: Sequence[StudentStart], search: StudentSearch, *, anew: bool = True
) -> tuple[list[StudentStart], list[Array]]:
    """The candidates with the objective in which the error is that on groups held out, and what each group adds to it.

    For every fold the ridges are fitted without it. Where the data have been searched on (`anew`), the angles are
    searched anew without it, too, from where they are; a plain wavelet stays as it is. Where there are not two groups,
    or the answer has no weight, nothing is held out, and the candidates come back as they are.
    """
    splits = [_splits(one, search.folds) if search.folds else [] for one in objective.sets]
    if not objective.weights.outputs or not all(splits):
        return list(candidates), []
    parts: list[list[Array]] = [[] for _ in candidates]
    # Angles that stay need their numbers but once.
    numbers = [[] if anew else objective.tables(candidate.free, candidate.negated) for candidate in candidates]
    for fold in range(search.folds):
        here = [k for k, split in enumerate(splits) if fold < len(split)]
        if not here:  # fewer groups than folds
            break
        rows = [splits[k][fold] for k in here]
        training = objective.on([objective.sets[k].take(train) for k, (train, _) in zip(here, rows, strict=True)])
        testing = objective.on([objective.sets[k].take(test) for k, (_, test) in zip(here, rows, strict=True)])
        whole = [objective.sets[k].outputs for k in here]
        totals = [(outputs - outputs.mean(dim=0)).square().sum(dim=0).numpy() for outputs in whole]
        for added, candidate, known in zip(parts, candidates, numbers, strict=True):
            if anew:
                moved = candidate.searched
                free = descend(training, candidate, search.iterations).free if moved else candidate.free
                both = [part.tables(free, candidate.negated) for part in (training, testing)]
            else:
                both = [[known[k][pair[part]] for k, pair in zip(here, rows, strict=True)] for part in (0, 1)]
            for (seen, unseen), train, test, total in zip(
                zip(*both, strict=True), training.sets, testing.sets, totals, strict=True
            ):
                predicted = fit_ridge(seen.numpy(), train.outputs.numpy(), groups=train.left_out)(unseen.numpy())
                left = ((test.outputs.numpy() - predicted) ** 2 / total).mean(axis=1) / len(objective.sets)
                units = np.unique(test.groups, return_inverse=True)[1]
                added.append(np.bincount(units, weights=left).astype(np.float64))
    by_group = [np.concatenate(added) for added in parts]
    told = [
        replace(start, held_out=objective.weights.outputs * float(added.sum()) + objective.l1(start.free)[0])
        for start, added in zip(candidates, by_group, strict=True)
    ]
    return told, by_group


def finalists(found: Sequence[StudentStart], search: StudentSearch, plain: int = 1) -> list[StudentStart]:
    """The best minima of one length that differ, and the best plain wavelets as they are."""
    kept: list[tuple[StudentStart, Array]] = []
    for start in (start for start in found if start.searched):
        taps = np.concatenate([wavelet.taps for wavelet in start.wavelets])
        if all(start.negated != other.negated or np.linalg.norm(taps - there) > SAME_TAPS for other, there in kept):
            kept.append((start, taps))
        if len(kept) == search.finalists:
            break
    return [start for start, _ in kept] + [start for start in found if not start.searched][:plain]


def winner(
    candidates: Sequence[StudentStart], by_group: Sequence[Array] = (), standard_errors: float = 0.0
) -> StudentStart:
    """The candidate with the least error; of those that are not told from it the shortest.

    Not told from it are equals, of which the first is taken, and those that are worse by at most so many standard
    errors of the difference over groups, of which the best is taken.
    """
    errors = [start.objective if start.held_out is None else start.held_out for start in candidates]
    best = min(range(len(errors)), key=errors.__getitem__)
    close = [k for k, error in enumerate(errors) if error <= errors[best] * (1 + CLOSER)]
    if not standard_errors or not by_group:
        return candidates[min(close, key=lambda k: (candidates[k].length, k))]
    for k, added in enumerate(by_group):
        difference = added - by_group[best]
        # The standard error of a sum over groups, which are drawn at random.
        error = float(np.sqrt(len(difference) * difference.var(ddof=1))) if len(difference) > 1 else 0.0
        if k not in close and difference.sum() <= standard_errors * error:
            close.append(k)
    return candidates[min(close, key=lambda k: (candidates[k].length, errors[k], k))]


def _numbered(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name} ({number})" for number in itertools.count(2))


def _splits(one: StudentSet, folds: int) -> list[tuple[Any, Any]]:
    """Rows to train and to test on, of folds of whole groups, each with enough rows to train on."""
    count = min(folds, len(np.unique(one.groups)))
    if count < 2:
        return []
    found = GroupKFold(count).split(np.zeros((len(one.X), 1)), groups=one.groups)
    return [(train, test) for train, test in found if enough(one, train)]


def enough(one: StudentSet, train: Any) -> bool:
    """Whether some rows are enough to fit a ridge to."""
    groups = len(np.unique(one.groups[train])) if one.by_group else 2
    return len(train) >= LEAST_ROWS and groups >= 2 and bool((one.outputs[train].std(dim=0) > 0).all())


def as_it_is(name: str, negated: bool, value: float, free: Array) -> StudentStart:
    """A start that was not searched from, and the objective there."""
    return _record(name, negated, value, value, 1, free, searched=False)


def _record(
    name: str, negated: bool, initial: float, objective: float, evaluations: int, free: Array, *, searched: bool
) -> StudentStart:
    rows = tuple(tuple(row) for row in free.tolist())
    return StudentStart(name, 2 * (free.shape[1] + 1), negated, initial, objective, evaluations, rows, searched)
