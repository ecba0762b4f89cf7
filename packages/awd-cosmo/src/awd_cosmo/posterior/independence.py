"""Whether maps may be put together as independent witnesses of one cosmology."""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from awd_core.checks import warn
from awd_core.typing import Array

CORRELATED = 0.3
"""Correlation of the pixels of two maps beyond which they are of one sky. The largest structures of a map are few, so
that those of two skies may have a correlation of a tenth by chance."""
RARE = 1e-4
"""Probability of a scatter, or of a larger or smaller one, below which it is told."""


def check_independent(maps: Sequence[npt.ArrayLike], names: Sequence[str] | None = None) -> None:
    """Raise if two maps show the same sky: the same pixels, shifted by no more than nothing, or turned.

    Parameters
    ----------
    maps : sequence of array_like, shape (ny, nx)
        NaN where not observed. Only maps of one shape are compared.
    names : sequence of str, optional
        For the message.

    Raises
    ------
    ValueError
        If the pixels of two maps are correlated: one file twice, one field at two source redshifts, one simulation with
        two kinds of noise. Overlapping fields are found where their maps have the same corner only: keep them apart.

    Examples
    --------
    >>> one, other = np.random.default_rng(0).normal(size=(2, 32, 32))
    >>> check_independent([one, other])
    >>> check_independent([one, one + 0.5 * other], ["a.fits", "b.fits"])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    ValueError: a.fits and b.fits show the same sky (their pixels have a correlation of 0.88): they cannot be put ...
    """
    told = [f"map {k}" for k in range(len(maps))] if names is None else list(names)
    stacks = [np.asarray(one, dtype=np.float64) for one in maps]
    for i, j in combinations(range(len(stacks)), 2):
        found = max((_correlation(stacks[i], turned) for turned in _turns(stacks[j], stacks[i].shape)), default=0.0)
        if found > CORRELATED:
            raise ValueError(
                f"{told[i]} and {told[j]} show the same sky (their pixels have a correlation of {found:.2f}): they "
                "cannot be put together as independent maps; take one of them"
            )


def check_scatter(likelihood: Any, X: npt.ArrayLike) -> None:
    """Warn if maps scatter about their mean less, or more, than independent ones of one cosmology do.

    Parameters
    ----------
    likelihood : EmulatorPosterior or NeuralPosterior
        Fitted; it knows how maps of one cosmology scatter.
    X : array_like, shape (n, F)
        Features of the maps.
    """
    from scipy.stats import chi2

    if len(np.asarray(X)) < 2:
        return
    found, degrees = likelihood.scatter(X)
    less, more = float(chi2.cdf(found, degrees)), float(chi2.sf(found, degrees))
    if min(less, more) < RARE:
        why = (
            "they are of one sky, or of noise alone" if less < more else "they are of several cosmologies, or not alike"
        )
        warn(
            f"the maps that are put together scatter {'less' if less < more else 'more'} than independent maps of one "
            f"cosmology do (χ² {found:.3g} for {degrees} degrees of freedom): perhaps {why}"
        )


def _turns(kappa: Array, shape: tuple[int, ...]) -> list[Array]:
    """The map in its eight orientations, as far as they have that shape."""
    turned = [np.rot90(one, k) for one in (kappa, kappa[::-1]) for k in range(4)] if kappa.ndim == 2 else []
    return [one for one in turned if one.shape == shape]


def _correlation(one: Array, other: Array) -> float:
    """Correlation of the pixels that both have; 0 where they have few."""
    seen = np.isfinite(one) & np.isfinite(other)
    if seen.sum() < 9:
        return 0.0
    a, b = one[seen] - one[seen].mean(), other[seen] - other[seen].mean()
    norm = float(np.sqrt((a**2).sum() * (b**2).sum()))
    return float((a * b).sum()) / norm if norm > 0 else 0.0
