"""Folds of a cross-validation that keep groups together."""

from typing import Any

import numpy as np
import numpy.typing as npt

from awd_core.checks import whole_number
from awd_core.features import Folds, balanced_folds, train_and_test


def grouped_folds(groups: npt.ArrayLike, folds: int, seed: int, labels: npt.NDArray[Any] | None = None) -> Folds:
    """Folds of about equal size that keep groups together.

    Parameters
    ----------
    groups : array_like, shape (n,)
        Group of each track.
    folds : int
        Number of folds; fewer where there are fewer groups.
    seed : int
        Of the order in which groups of one size are dealt.
    labels : ndarray of bool, shape (n,), optional
        Classes: groups are dealt so that each fold has about its share of both, since a fold with one has no AUC.

    Returns
    -------
    list of (training indices, test indices)

    Raises
    ------
    ValueError
        If there are fewer than two folds or groups.
    """
    names = np.asarray(groups)
    number = len(np.unique(names))
    count = min(whole_number("folds", folds), number)
    if count < 2:
        raise ValueError(
            f"{number} group(s) and {folds} folds: cross-validation needs two or more of both; group by track "
            "where there is one cell"
        )
    fold = balanced_folds(names, count, np.random.default_rng([whole_number("seed", seed, 0), 0]), labels)
    return train_and_test(fold, count)
