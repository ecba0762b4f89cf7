"""Folds for cross-validation, in which every cosmology is tested by models that never saw it."""

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from awd_core.checks import is_whole_number, warn, whole_number
from awd_core.features import Rows, dealt_folds
from awd_cosmo.inference.partition import checked_columns


class CosmologyFolds:
    """Cross-validation over cosmologies, as scikit-learn's `cv`. Made by `cross_validation_folds`."""

    def __init__(
        self, cosmology_fold: Rows, number_fold: Rows | None, n_folds: int, number_folds: int | None = None
    ) -> None:
        self._fold, self._number_fold, self.n_folds = cosmology_fold, number_fold, n_folds
        self._number_folds = number_folds

    def split(self, X: Any = None, y: Any = None, groups: Any = None) -> Iterator[tuple[Rows, Rows]]:
        """Rows to train on and rows to test on, for every fold; the arguments are there for scikit-learn.

        Raises
        ------
        ValueError
            If X has another number of maps than the folds were made for.
        """
        if X is not None and len(X) != len(self._fold):
            raise ValueError(f"the folds were made for {len(self._fold)} maps, X has {len(X)}; make them for these")
        for fold, number in self._pairs():
            test = self._fold == fold
            train = ~test
            if self._number_fold is not None:
                test, train = test & (self._number_fold == number), train & (self._number_fold != number)
            yield np.flatnonzero(train), np.flatnonzero(test)

    def _pairs(self) -> list[tuple[int, int]]:
        """Which fold of cosmologies is tested with which of the numbers."""
        if self._number_folds is None:
            return [(fold, fold) for fold in range(self.n_folds)]
        return list(product(range(self.n_folds), range(self._number_folds)))

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of folds; the arguments are there for scikit-learn."""
        return len(self._pairs())


def cross_validation_folds(
    cosmology: npt.ArrayLike,
    realisation: npt.ArrayLike | None = None,
    *,
    n_folds: int = 5,
    seed: int,
) -> CosmologyFolds:
    """Folds for cross-validation in which every cosmology is tested by models that never saw it.

    Parameters
    ----------
    cosmology : array_like of int, shape (n,)
        Number of each map's cosmology.
    realisation : array_like of int, optional, shape (n,)
        Give it to hold out phases as well: realisation numbers are dealt to the folds too, a fold tests only maps with
        its own numbers and trains only on maps with others. The folds then no longer test every map, and
        scikit-learn's `cross_val_predict` refuses them.
    n_folds : int
        Number of folds, from 2 to the number of cosmologies.
    seed : int
        Seed of the dealing.

    Returns
    -------
    CosmologyFolds

    Raises
    ------
    ValueError
        If there are fewer cosmologies, or numbers, than folds.

    Examples
    --------
    >>> folds = cross_validation_folds([0, 0, 1, 1, 2, 2], n_folds=3, seed=0)
    >>> [test.tolist() for _, test in folds.split()]
    [[2, 3], [0, 1], [4, 5]]
    """
    cosmologies, numbers = checked_columns(cosmology, cosmology if realisation is None else realisation)
    if not is_whole_number(n_folds) or n_folds < 2:
        raise ValueError(f"n_folds must be 2 or more, got {n_folds}")
    rng = np.random.default_rng([whole_number("seed", seed, 0), 0xF01D5])
    fold = dealt_folds(cosmologies, n_folds, rng, what="cosmologies")
    if realisation is None:
        return CosmologyFolds(fold, None, n_folds)
    if (numbers < 0).any():
        raise ValueError("the realisation of some maps is unknown (−1); number them, or leave realisation out")
    return CosmologyFolds(fold, dealt_folds(numbers, n_folds, rng, what="realisation numbers"), n_folds)


def phase_folds(cosmology: Rows, phases: npt.NDArray[Any] | None, *, n_folds: int, seed: int) -> CosmologyFolds:
    """Folds over cosmologies; with phases each map is tested once, by a model that saw neither its cosmology nor them.

    Every fold of cosmologies meets every fold of phases, so there are as many fits as pairs. Where some pair would
    leave nothing to train on or to test, as with maps of a single number, phases cannot be held out.

    Parameters
    ----------
    cosmology : ndarray of int, shape (n,)
    phases : ndarray, shape (n,), or None
        What maps of different cosmologies share.
    n_folds : int
        Folds of cosmologies; of phases as many, or as there are.
    seed : int
        Of the dealing.
    """
    rng = np.random.default_rng([seed, 0xF01D5])
    fold = dealt_folds(cosmology, n_folds, rng, what="cosmologies")
    numbers = 0 if phases is None else len(np.unique(phases))
    if phases is not None and numbers > 1:
        number_folds = min(n_folds, numbers)
        made = CosmologyFolds(fold, dealt_folds(phases, number_folds, rng, what="phases"), n_folds, number_folds)
        if all(len(train) > 1 and len(test) for train, test in made.split()):
            return made
        warn("phases that cosmologies share cannot be held out in these folds: too few maps have them in common")
    return CosmologyFolds(fold, None, n_folds)
