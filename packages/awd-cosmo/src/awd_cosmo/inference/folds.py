"""Folds for cross-validation, in which every cosmology is tested by models that never saw it."""

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from awd_core.checks import is_whole_number, warn, whole_number
from awd_core.features import Folds, group_folds
from awd_core.typing import Rows
from awd_cosmo.inference.partition import checked_columns


class CosmologyFolds:
    """Cross-validation over cosmologies, as scikit-learn's `cv`. Made by `cross_validation_folds`."""

    def __init__(self, folds: Folds, maps: int) -> None:
        self._folds, self._maps = folds, maps

    def split(self, X: Any = None, y: Any = None, groups: Any = None) -> Iterator[tuple[Rows, Rows]]:
        """Rows to train on and rows to test on, for every fold; the arguments are there for scikit-learn.

        Raises
        ------
        ValueError
            If X has another number of maps than the folds were made for.
        """
        if X is not None and len(X) != self._maps:
            raise ValueError(f"the folds were made for {self._maps} maps, X has {len(X)}; make them for these")
        yield from self._folds

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of folds; the arguments are there for scikit-learn."""
        return len(self._folds)


def cross_validation_folds(
    cosmology: npt.ArrayLike,
    realisation: npt.ArrayLike | None = None,
    *,
    n_folds: int = 5,
    seed: int,
    crossed: bool = False,
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
    crossed : bool
        Whether every fold of cosmologies meets every fold of numbers (as many, or as there are numbers), so that each
        map is tested once after all, with as many fits as pairs. −1, unknown, is then a number like others. Where some
        pair would leave nothing to train on or to test, as with maps of a single number, phases are not held out.

    Returns
    -------
    CosmologyFolds

    Raises
    ------
    ValueError
        If there are fewer cosmologies, or numbers, than folds.

    Warns
    -----
    UserWarning
        If phases cannot be held out in crossed folds.

    Examples
    --------
    >>> folds = cross_validation_folds([0, 0, 1, 1, 2, 2], n_folds=3, seed=0)
    >>> sorted(test.tolist() for _, test in folds.split())
    [[0, 1], [2, 3], [4, 5]]
    """
    cosmologies, numbers = checked_columns(cosmology, cosmology if realisation is None else realisation)
    if not is_whole_number(n_folds) or n_folds < 2:
        raise ValueError(f"n_folds must be 2 or more, got {n_folds}")
    rng = np.random.default_rng([whole_number("seed", seed, 0), 0xF01D5])
    folds = group_folds(cosmologies, n_folds, rng, what="cosmologies")
    count = min(n_folds, len(np.unique(numbers))) if crossed else n_folds
    if realisation is None or count < 2:
        return CosmologyFolds(folds, len(cosmologies))
    if not crossed and (numbers < 0).any():
        raise ValueError("the realisation of some maps is unknown (−1); number them, or leave realisation out")
    others = group_folds(numbers, count, rng, what="realisation numbers")
    pairs = product(folds, others) if crossed else zip(folds, others, strict=True)
    both = [(np.intersect1d(a, b), np.intersect1d(c, d)) for (a, c), (b, d) in pairs]
    if crossed and not all(len(train) > 1 and len(test) for train, test in both):
        warn("phases that cosmologies share cannot be held out in these folds: too few maps have them in common")
        both = folds
    return CosmologyFolds(both, len(cosmologies))
