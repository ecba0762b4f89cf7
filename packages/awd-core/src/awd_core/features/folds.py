"""Folds of a cross-validation that keep groups together: the tracks of a cell, the maps of a cosmology."""

from typing import Any

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]
Folds = list[tuple[Rows, Rows]]
"""Rows to train on and rows to test on, for every fold."""


def dealt_folds(groups: npt.ArrayLike, count: int, rng: np.random.Generator, *, what: str = "groups") -> Rows:
    """Fold of each sample, the groups dealt like cards: as many groups in each fold, or one more, whatever their sizes.

    Parameters
    ----------
    groups : array_like, shape (n,)
        Group of each sample.
    count : int
        Number of folds, from 2 to the number of groups.
    rng : numpy.random.Generator
        What shuffles the groups.
    what : str
        What the groups are, for the message.

    Returns
    -------
    ndarray of int, shape (n,)
        Number of the fold that tests each sample.

    Raises
    ------
    ValueError
        If there are fewer than two folds, or more than groups.

    Examples
    --------
    >>> dealt_folds(["a", "a", "b", "c"], 2, np.random.default_rng(0))
    array([1, 1, 0, 0])
    """
    names, places = _grouped(groups, count, what)
    fold = np.empty(len(names), dtype=np.int64)
    fold[rng.permutation(len(names))] = np.arange(len(names)) % count
    return fold[places]


def balanced_folds(
    groups: npt.ArrayLike,
    count: int,
    rng: np.random.Generator,
    labels: npt.NDArray[Any] | None = None,
    *,
    what: str = "groups",
) -> Rows:
    """Fold of each sample, folds of about equal size: the largest group first, each to the fold where it fits best.

    Parameters
    ----------
    groups : array_like, shape (n,)
        Group of each sample.
    count : int
        Number of folds, from 2 to the number of groups.
    rng : numpy.random.Generator
        What shuffles groups of one size.
    labels : ndarray, shape (n,), optional
        Classes: groups are dealt so that each fold has about its share of each.
    what : str
        What the groups are, for the message.

    Returns
    -------
    ndarray of int, shape (n,)
        Number of the fold that tests each sample.

    Raises
    ------
    ValueError
        If there are fewer than two folds, or more than groups.

    Examples
    --------
    >>> balanced_folds(["a", "b", "b", "b", "c", "c"], 2, np.random.default_rng(0))
    array([1, 0, 0, 0, 1, 1])
    """
    names, places = _grouped(groups, count, what)
    sizes = np.bincount(places).astype(np.float64)
    weights = [sizes] if labels is None else [np.bincount(places, labels == label) for label in np.unique(labels)]
    order = rng.permutation(len(names))
    order = order[np.argsort(-sizes[order], kind="stable")]
    if labels is not None and (sizes == 1).all():
        # Every sample for itself: dealing class after class is stratification.
        order = order[np.argsort(weights[0][order], kind="stable")]
    fold, load = np.empty(len(names), dtype=np.int64), np.zeros((count, len(weights)))
    totals = np.array([max(weight.sum(), 1.0) for weight in weights])
    held = [0] * count
    for group in order:
        here = np.array([weight[group] for weight in weights])
        cost = (((load + here) / totals) ** 2 - (load / totals) ** 2).sum(axis=1)
        # Of folds that cost the same the emptiest: no fold stays without a sample while there are groups.
        chosen = min(range(count), key=lambda k: (round(float(cost[k]), 12), held[k], k))
        held[chosen] += 1
        fold[group], load[chosen] = chosen, load[chosen] + here
    return fold[places]


def train_and_test(fold: Rows, count: int) -> Folds:
    """Rows to train on and rows to test on, for every fold.

    Parameters
    ----------
    fold : ndarray of int, shape (n,)
        Fold of each sample, from 0 on.
    count : int
        Number of folds.

    Examples
    --------
    >>> [(train.tolist(), test.tolist()) for train, test in train_and_test(np.array([0, 1, 0]), 2)]
    [([1], [0, 2]), ([0, 2], [1])]
    """
    return [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(count)]


def _grouped(groups: npt.ArrayLike, count: int, what: str) -> tuple[npt.NDArray[Any], Rows]:
    """Names of the groups, and the number of each sample's."""
    names, places = np.unique(np.asarray(groups), return_inverse=True)
    if count < 2:
        raise ValueError(f"cross-validation needs two folds or more, got {count}")
    if len(names) < count:
        raise ValueError(f"{len(names)} {what} cannot be dealt to {count} folds; ask for fewer folds")
    return names, places
