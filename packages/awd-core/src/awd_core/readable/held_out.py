"""Inputs that are held out before anything is chosen, where none are given to test on."""

import numpy as np

from awd_core.readable.heads import Samples
from awd_core.typing import Rows

SHARE = 0.25
"""Share of the inputs."""
LEAST = 16
"""Inputs without which none are held out."""
TRIES = 50
"""Draws of whole groups until both sides have all classes."""


def held_out(samples: Samples, seed: int) -> tuple[Rows, Rows] | None:
    """Rows to fit on and rows to test on, whole groups on either side, classes in both as far as that is possible.

    Returns
    -------
    (ndarray, ndarray) or None
        None where there are too few inputs or groups.
    """
    rng = np.random.default_rng([seed, 1])
    n, places = len(samples), samples.truths.places
    units = np.arange(n) if samples.groups is None else samples.groups
    kinds = np.unique(units)
    if n < LEAST or len(kinds) < 4:
        return None
    if samples.groups is None and places is not None:
        test = np.concatenate([_some(np.flatnonzero(places == one), rng) for one in range(int(places.max()) + 1)])
        return np.setdiff1d(np.arange(n), test), np.sort(test)
    for _ in range(TRIES):
        chosen = rng.permutation(kinds)[: max(2 if samples.groups is not None else 1, round(SHARE * len(kinds)))]
        away = np.isin(units, chosen)
        train, test = np.flatnonzero(~away), np.flatnonzero(away)
        if (
            places is None
            and samples.truths.values[test].std(axis=0).min() > 0
            and samples.truths.values[train].std(axis=0).min() > 0
        ):
            return train, test
        if places is not None and len(np.unique(places[train])) == len(np.unique(places)):
            return train, test
    return None


def _some(rows: Rows, rng: np.random.Generator) -> Rows:
    """A quarter of the rows of a class, one at least where there are two."""
    count = min(len(rows) - 1, max(1, round(SHARE * len(rows))))
    return rng.permutation(rows)[:count]
