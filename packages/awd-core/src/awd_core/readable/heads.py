"""Linear heads on few numbers of a wavelet, or on anything else: fitted, and asked what they predict."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.model_selection import GroupKFold

from awd_core.readable.task import Truths
from awd_core.student.bands import Layout
from awd_core.student.card import Head
from awd_core.student.data import StudentSet
from awd_core.student.distill import kept_columns
from awd_core.student.logistic import fit_logistic
from awd_core.student.numbers import Numbers
from awd_core.student.objective import StudentObjective, StudentWeights, column_table, number_table
from awd_core.student.reading import Column
from awd_core.student.result import StudentDistillation
from awd_core.student.ridge import fit_ridge
from awd_core.student.search import as_it_is
from awd_core.typing import Array, Rows
from awd_core.wavelets.wavelet import Wavelet

FOLDS = 5
"""Parts of the groups that are held out in turn, where two wavelets are held against each other."""
TOLD = 2.0
"""Standard errors by which the best of many plain wavelets must be better than the one that was found."""


@dataclass(frozen=True, eq=False)
class Samples:
    """Inputs with truths, and a network's answers where there are some.

    Attributes
    ----------
    X : ndarray, shape (n, …)
        Inputs, the channels first.
    truths : Truths
        What is to be predicted.
    answers : ndarray, shape (n, A), or None
        The network's.
    groups : ndarray of int, shape (n,), or None
        What belongs together.
    """

    X: Array
    truths: Truths
    answers: Array | None = None
    groups: Rows | None = None

    def __len__(self) -> int:
        return len(self.X)

    def take(self, rows: Rows) -> "Samples":
        """Some of them."""
        answers = None if self.answers is None else self.answers[rows]
        groups = None if self.groups is None else self.groups[rows]
        return Samples(self.X[rows], self.truths.take(rows), answers, groups)

    def as_set(self, outputs: Array) -> StudentSet:
        """As a student takes them, with what its numbers are to tell."""
        groups = np.arange(len(self)) if self.groups is None else np.unique(self.groups, return_inverse=True)[1]
        return StudentSet(
            torch.from_numpy(self.X), torch.from_numpy(np.ascontiguousarray(outputs)), torch.empty((len(self), 0),
            dtype=torch.float64), groups.astype(np.int64), None, self.groups is not None and len(np.unique(groups)) > 1,
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Few:
    """A wavelet with the numbers that are best for it, and a head from these to truths.

    Attributes
    ----------
    wavelets : tuple of Wavelet
        One for all levels, or one for each channel.
    negated : bool
        Whether details have the other sign.
    places : tuple of int
        Which of all numbers are read.
    columns : tuple of Column
        What they are.
    head : Head
        From the numbers to the truths.
    error : float
        Leave-one-out error by which the numbers were chosen.
    """

    wavelets: tuple[Wavelet, ...]
    negated: bool
    places: tuple[int, ...]
    columns: tuple[Column, ...]
    head: Head
    error: float


@dataclass(frozen=True, eq=False)
class Reader:
    """How numbers are read and chosen: what all wavelets of a comparison share.

    Attributes
    ----------
    layout, numbers : Layout, Numbers
        The bands, and what is read off them.
    most : int
        Numbers at most.
    """

    layout: Layout
    numbers: Numbers
    most: int

    def table(self, X: Array, wavelets: Sequence[Wavelet], negated: bool, places: Sequence[int]) -> Array:
        """Some of the numbers of inputs, shape (n, K)."""
        found: Array = number_table(torch.from_numpy(X), self.layout, self.numbers, wavelets, negated)
        return found[:, list(places)]

    def few(self, samples: Samples, outputs: Array, wavelets: Sequence[Wavelet], negated: bool = False) -> Few:
        """The few numbers of a wavelet that tell most of `outputs`, and the head from them to the truths."""
        one = samples.as_set(outputs)
        objective = StudentObjective([one], self.layout, self.numbers, StudentWeights())
        free = np.array([wavelet.angles[1:] for wavelet in wavelets]).reshape(len(wavelets), -1)
        if self.layout.per_channel and len(wavelets) == 1:
            free, wavelets = np.tile(free, (self.layout.channels, 1)), [wavelets[0]] * self.layout.channels
        start = as_it_is(wavelets[0].name, negated, 0.0, free)
        places = kept_columns(objective, start, self.most)
        error = objective.with_columns(places).error(free, negated)
        return self.fitted(samples, tuple(wavelets), negated, places, error)

    def of(self, samples: Samples, found: StudentDistillation) -> Few:
        """What a distillation found, with a head to the truths."""
        table = column_table(torch.from_numpy(samples.X), self.layout, self.numbers, found.wavelets, [])
        places = {column.name: place for place, column in enumerate(table)}
        kept = tuple(places[name] for name in found.columns)
        return self.fitted(samples, tuple(found.wavelets), found.negated, kept, found.error)

    def fitted(
        self, samples: Samples, wavelets: tuple[Wavelet, ...], negated: bool, places: tuple[int, ...], error: float
    ) -> Few:
        """A head to the truths on numbers that are chosen."""
        table = column_table(torch.from_numpy(samples.X), self.layout, self.numbers, wavelets, [])
        columns = tuple(table[place] for place in places)
        F = self.table(samples.X, wavelets, negated, places)
        return Few(wavelets, negated, places, columns, head_of(F, samples), error)

    def told_better(self, one: Few, other: Few, samples: Samples, outputs: Array) -> bool:
        """Whether outputs held out are told better by `one`, by more than `TOLD` standard errors over groups."""
        less = self._held_out_errors(other, samples, outputs) - self._held_out_errors(one, samples, outputs)
        return bool(less.sum() > TOLD * np.sqrt(len(less) * less.var(ddof=1)))

    def _held_out_errors(self, few: Few, samples: Samples, outputs: Array) -> Array:
        """Squared error of each group, outputs at unit deviation, where a ridge on its numbers is fitted without it."""
        F, scaled = self.table(samples.X, few.wavelets, few.negated, few.places), outputs / outputs.std(axis=0)
        groups = samples.as_set(outputs).groups
        wrong = np.zeros(len(F))
        for train, test in GroupKFold(min(FOLDS, len(np.unique(groups)))).split(F, groups=groups):
            ridge = fit_ridge(F[train], scaled[train], groups=None if samples.groups is None else groups[train])
            wrong[test] = ((scaled[test] - ridge(F[test])) ** 2).mean(axis=1)
        return np.bincount(groups, weights=wrong).astype(np.float64)

    def values(self, few: Few, X: Array) -> Array:
        """What the head gives, shape (n, T)."""
        return few.head(self.table(X, few.wavelets, few.negated, few.places))


def head_of(F: Array, samples: Samples, penalty: float | None = None) -> Head:
    """A ridge to numbers, a logistic head to classes; with a penalty that is given, or the best one."""
    groups = np.arange(len(samples)) if samples.groups is None else samples.groups
    labels = np.unique(groups, return_inverse=True)[1].astype(np.int64)
    several = samples.groups is not None and len(np.unique(groups)) > 1
    chosen: dict[str, Any] = {} if penalty is None else {"penalties": (penalty,)}
    if samples.truths.places is not None:
        return fit_logistic(F, samples.truths.places, labels, **chosen)
    return fit_ridge(F, samples.truths.values, groups=labels if several else None, **chosen)
