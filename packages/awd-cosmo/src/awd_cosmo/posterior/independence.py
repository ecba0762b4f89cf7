"""Whether maps may be put together as independent witnesses of one cosmology."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from awd_core.checks import warn
from awd_core.typing import Array

CORRELATED = 0.3
"""Correlation of the pixels of two maps beyond which they are of one sky. The largest structures of a map are few, so
that those of two skies may have a correlation of a tenth by chance."""
UNLIKELY = 5.0
"""And so many times the correlation that pairs of maps have by chance: of smooth maps it is large."""
GRID = 64
"""Pixels of a map that are compared, a side, about as many."""
FEW = 9
"""Pixels in common below which maps are not compared."""
RARE = 1e-4
"""Probability of a scatter, or of a larger or smaller one, below which it is told."""


def check_independent(maps: Sequence[npt.ArrayLike], names: Sequence[str] | None = None) -> None:
    """Raise if two maps show the same sky, in any of eight orientations.

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
    thumbnails = [thumbnail(one) for one in maps]
    for shape in dict.fromkeys(one.shape for one in thumbnails):
        numbers = [k for k, one in enumerate(thumbnails) if one.shape == shape]
        stack = np.stack([thumbnails[k] for k in numbers])
        turned = [np.rot90(stack if turn < 4 else stack[:, ::-1], turn, axes=(1, 2)) for turn in range(8)]
        found = np.stack([np.triu(_correlations(stack, one), 1) for one in turned if one.shape == stack.shape])
        # Most pairs, and most turns of each, are of two skies: they say how large a correlation is by chance.
        chance = 1.4826 * float(np.median(np.abs(found[found != 0]))) if found.any() else 0.0
        if found.max(initial=0.0) > max(CORRELATED, UNLIKELY * chance):
            _, i, j = np.unravel_index(found.argmax(), found.shape)
            raise ValueError(
                f"{told[numbers[i]]} and {told[numbers[j]]} show the same sky (their pixels have a correlation of "
                f"{found.max():.2f}): they cannot be put together as independent maps; take one of them"
            )


def thumbnail(kappa: npt.ArrayLike) -> Array:
    """Some pixels of a map (ny, nx), on a grid that stays in place when the map is turned or mirrored.

    Examples
    --------
    >>> kappa = np.random.default_rng(0).normal(size=(512, 300))
    >>> small = thumbnail(kappa)
    >>> small.shape, bool((thumbnail(kappa[::-1]) == small[::-1]).all())
    ((56, 60), True)
    """
    image = np.asarray(kappa, dtype=np.float64)
    if image.ndim != 2:
        raise ValueError(f"a map has the shape {image.shape}; give maps (ny, nx)")
    return np.ascontiguousarray(image[_places(image.shape[0])][:, _places(image.shape[1])])


def _places(side: int) -> slice:
    """Every so many pixels, as far from the one end as from the other."""
    step = 2 * (side // (2 * GRID)) + 1
    steps = (side - 1) // step
    steps -= (side - 1 - steps) % 2
    start = (side - 1 - steps * step) // 2
    return slice(start, start + steps * step + 1, step)


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


def _correlations(maps: Array, others: Array) -> Array:
    """Correlations (n, n) of the pixels that both have; 0 where they have few."""
    parts = []
    for stack in (maps, others):
        flat = stack.reshape(len(stack), -1)
        seen = np.isfinite(flat)
        values = np.where(seen, flat, 0.0)
        mean = values.sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
        parts.append((np.where(seen, values - mean[:, None], 0.0), seen.astype(np.float64)))
    (a, seen_a), (b, seen_b) = parts
    norm = np.sqrt((a**2 @ seen_b.T) * (seen_a @ (b**2).T))
    usable = (seen_a @ seen_b.T >= FEW) & (norm > 0)
    return np.where(usable, (a @ b.T) / np.where(norm > 0, norm, 1.0), 0.0)
