"""Folds of a cross-validation that keep groups together."""

from typing import Any

import numpy as np
import numpy.typing as npt

Folds = list[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]]


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
    names, places = np.unique(np.asarray(groups), return_inverse=True)
    count = min(int(folds), len(names))
    if count < 2:
        raise ValueError(
            f"{len(names)} group(s) and {folds} folds: cross-validation needs two or more of both; group by track "
            "where there is one cell"
        )
    sizes = np.bincount(places).astype(np.float64)
    weights = [sizes] if labels is None else [np.bincount(places, labels == label) for label in np.unique(labels)]
    order = np.random.default_rng([seed, 0]).permutation(len(names))
    order = order[np.argsort(-sizes[order], kind="stable")]
    if labels is not None and (sizes == 1).all():
        # Every track for itself: dealing class after class is stratification.
        order = order[np.argsort(weights[0][order], kind="stable")]
    fold, load = np.empty(len(names), dtype=np.intp), np.zeros((count, len(weights)))
    totals = np.array([max(weight.sum(), 1.0) for weight in weights])
    held = [0] * count
    for group in order:
        here = np.array([weight[group] for weight in weights])
        cost = (((load + here) / totals) ** 2 - (load / totals) ** 2).sum(axis=1)
        # Of folds that cost the same the emptiest: no fold stays without a track while there are groups.
        chosen = min(range(count), key=lambda k: (round(float(cost[k]), 12), held[k], k))
        held[chosen] += 1
        fold[group], load[chosen] = chosen, load[chosen] + here
    of_track = fold[places]
    return [(np.flatnonzero(of_track != k), np.flatnonzero(of_track == k)) for k in range(count)]
