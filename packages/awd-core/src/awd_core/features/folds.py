"""Folds of a cross-validation that keep groups together: the tracks of a cell, the maps of a cosmology."""

import warnings

import numpy as np
import numpy.typing as npt

from awd_core.typing import Rows

Folds = list[tuple[Rows, Rows]]
"""Rows to train on and rows to test on, for every fold."""


def group_folds(
    groups: npt.ArrayLike,
    count: int,
    rng: np.random.Generator,
    labels: npt.ArrayLike | None = None,
    *,
    what: str = "groups",
) -> Folds:
    """Folds of about equal size that keep groups together: scikit-learn's, groups of one size in a random order.

    Parameters
    ----------
    groups : array_like, shape (n,)
        Group of each sample.
    count : int
        Number of folds, from 2 to the number of groups.
    rng : numpy.random.Generator
        What shuffles the groups.
    labels : array_like, shape (n,), optional
        Classes: each fold gets about its share of each. One of them has as many samples as there are folds, or more.
    what : str
        What the groups are, for the message.

    Returns
    -------
    list of (ndarray of int, ndarray of int)
        Rows to train on and rows to test on, for every fold; each sample is tested once.

    Raises
    ------
    ValueError
        If there are fewer than two folds, or more than groups or than samples of each class.

    Examples
    --------
    >>> [test.tolist() for _, test in group_folds(["a", "b", "b", "b", "c", "c"], 2, np.random.default_rng(0))]
    [[1, 2, 3], [0, 4, 5]]
    """
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold  # heavy, and predictions need none of it

    names, places = np.unique(np.asarray(groups), return_inverse=True)
    if count < 2:
        raise ValueError(f"cross-validation needs two folds or more, got {count}")
    if len(names) < count:
        raise ValueError(f"{len(names)} {what} cannot be dealt to {count} folds; ask for fewer folds")
    # GroupKFold deals groups of one size from the last of their names to the first.
    named = np.empty(len(names), dtype=np.int64)
    named[rng.permutation(len(names))[::-1]] = np.arange(len(names))
    splitter = GroupKFold(count) if labels is None else StratifiedGroupKFold(count)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)  # it is where its groups are
        return [(train, test) for train, test in splitter.split(places, labels, named[places]) if len(test)]
