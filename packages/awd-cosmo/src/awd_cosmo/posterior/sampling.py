"""Samples of a posterior with a flat prior in a box, of any number of parameters, for many maps at once.

Walkers of an ensemble move along the lines between them (Goodman and Weare 2010, "Ensemble samplers with affine
invariance"; the move of emcee): the sampler needs no step size, and narrow or tilted posteriors cost the same. They
begin where a set of points that fills the box says that the posterior is, so that what is left to find is its shape.
Every map has random numbers of its own: its samples do not depend on which maps are asked for beside it.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from awd_core.checks import warn, whole_number
from awd_core.typing import Array
from awd_cosmo.posterior.samples import PosteriorSamples

WALKERS = 64
"""Walkers of a map, in two halves."""
BURNED = 100
"""Moves that are dropped at the beginning."""
THINNED = 10
"""Moves from one step that is kept to the next."""
POINTS = 4096
"""Points that fill the box, where walkers begin."""
TOGETHER = 64
"""Maps that are sampled at a time."""
STRETCH = 2.0
"""a of the stretch move: its factors lie between 1/a and a."""
SETTLED = 0.75
"""Drift beyond which samples are told to be bad: walkers begin where the posterior is, and need not go far."""


class Likelihood(Protocol):
    """What is sampled: `awd_cosmo.inference.EmulatorPosterior`, `awd_cosmo.posterior.NeuralPosterior`."""

    def box(self) -> tuple[Array, Array]:
        """Ends of the prior, both (p,)."""

    def log_likelihood(self, X: npt.ArrayLike, parameters: npt.ArrayLike) -> Array:
        """Of maps (n, F) at points (G, p) or (n, w, p): (n, G) or (n, w)."""

    def log_likelihood_together(
        self, X: npt.ArrayLike, parameters: npt.ArrayLike, effective: float | None = None
    ) -> Array:
        """Of maps (n, F) of one cosmology, at points (G, p): (G,)."""


Density = Callable[[Array], Array]
"""From points (m, w, p), or (G, p) for all, to the logarithm of the posterior (m, w) or (m, G)."""


class Walk(NamedTuple):
    """Where walkers were: points (m, steps, walkers, p) and the logarithm of the density there (m, steps, walkers)."""

    points: Array
    log_density: Array


def sample_posterior(
    likelihood: Likelihood,
    X: npt.ArrayLike,
    names: Sequence[str],
    *,
    together: bool = False,
    effective: float | None = None,
    widening: float = 1.0,
    samples: int = 1000,
    seed: int = 0,
) -> list[PosteriorSamples]:
    """Sample the posteriors of maps, or the one of all of them together.

    Parameters
    ----------
    likelihood : EmulatorPosterior or NeuralPosterior
        Fitted. The prior is flat in its box.
    X : array_like, shape (n, F)
        Features of maps.
    names : sequence of str
        Of its parameters: the targets, then what is marginalised over.
    together : bool
        Whether the maps are of one cosmology, and make one posterior: the product of their likelihoods, with the prior
        once. They must be independent (`awd_cosmo.posterior.check_independent`).
    effective : float, optional
        How many independent maps they are worth together; n if not given.
    widening : float
        By how much errors were found to be too small on maps of known truth; the likelihood is taken to the power
        1/widening².
    samples : int
        Samples of each posterior, about as many: a multiple of the walkers.
    seed : int
        Of the walkers.

    Returns
    -------
    list of PosteriorSamples
        One a map, or one alone.

    Raises
    ------
    ValueError
        If it is not fitted, names are not as many as its parameters, or a number will not do.

    Warns
    -----
    UserWarning
        If walkers are still on their way.

    Examples
    --------
    >>> from awd_cosmo.inference import EmulatorPosterior
    >>> rng = np.random.default_rng(0)
    >>> omega = np.repeat(np.linspace(0.2, 0.4, 12), 40)
    >>> counts = rng.poisson(1000 * omega[:, None] * [1.0, 0.5, 0.2])
    >>> emulator = EmulatorPosterior("quadratic").fit(counts, omega)
    >>> (one,) = sample_posterior(emulator, [[312, 155, 61]], ["Omega_m"])
    >>> print(f"{one.mean[0]:.2f} ± {one.covariance[0, 0] ** 0.5:.2f}")
    0.31 ± 0.01
    """
    low, high = likelihood.box()
    features, count = np.asarray(X, dtype=np.float64), whole_number("samples", samples)
    whole_number("seed", seed, 0)
    if len(names) != len(low):
        raise ValueError(f"{len(names)} names are given for {len(low)} parameters; name each, nuisances too")
    if not widening > 0:
        raise ValueError(f"widening is {widening!r}; give a number above 0, 1 for errors that are right")
    found = []
    blocks = [features] if together else [features[k : k + TOGETHER] for k in range(0, len(features), TOGETHER)]
    for number, block in enumerate(blocks):

        def log_density(points: Array, block: Array = block) -> Array:
            inside = ((points >= low) & (points <= high)).all(axis=-1)
            kept = np.clip(points, low, high)
            if together:
                flat = likelihood.log_likelihood_together(block, kept.reshape(-1, len(low)), effective)
                log = flat.reshape(1, -1)
            else:
                log = likelihood.log_likelihood(block, kept)
            return np.where(inside, log / widening**2, -np.inf)

        maps = 1 if together else len(block)
        rngs = [np.random.default_rng([seed, 0xC4A1, number * TOGETHER + m]) for m in range(maps)]
        walk = walked(log_density, low, high, rngs, max(2, -(-count // WALKERS)))
        for m in range(maps):
            values = walk.points[m].reshape(-1, len(low))
            found.append(
                PosteriorSamples(
                    tuple(names), values, walk.log_density[m].reshape(-1), low, high,
                    maps=len(block) if together else 1, drift=_drift(walk.points[m]),
                )
            )  # fmt: skip
    if bad := sum(one.drift > SETTLED for one in found):
        warn(f"the walkers of {bad} of {len(found)} posteriors have not settled; take more samples")
    return found


def walked(log_density: Density, low: Array, high: Array, rngs: Sequence[np.random.Generator], kept: int) -> Walk:
    """Walk in a box: `kept` steps, of which each is `THINNED` moves of all walkers, after `BURNED` that are dropped."""
    m, p, half = len(rngs), len(low), WALKERS // 2
    fill = low + (high - low) * spread_points(POINTS, p)
    log = log_density(fill)
    weights = np.exp(log - log.max(axis=1, keepdims=True))
    at = np.empty((m, WALKERS, p))
    for i, rng in enumerate(rngs):
        drawn = rng.choice(POINTS, WALKERS, p=weights[i] / weights[i].sum())
        # Points that are drawn twice must not stay in one place: they are spread as far as neighbours are apart.
        spread = (high - low) * POINTS ** (-1 / p) * (rng.random((WALKERS, p)) - 0.5)
        at[i] = np.clip(fill[drawn] + spread, low, high)
    here = log_density(at)
    points, densities = np.empty((m, kept, WALKERS, p)), np.empty((m, kept, WALKERS))
    halves = (slice(0, half), slice(half, WALKERS))
    for step in range(BURNED + kept * THINNED):
        draws = np.stack([rng.random((2, 3, half)) for rng in rngs])
        for side, (mine, others) in enumerate((halves, halves[::-1])):
            u = draws[:, side]
            z = (1 + (STRETCH - 1) * u[:, 0]) ** 2 / STRETCH
            partners = np.take_along_axis(at[:, others], (u[:, 1] * half).astype(int)[..., None], axis=1)
            tried = partners + z[..., None] * (at[:, mine] - partners)
            there = log_density(tried)
            with np.errstate(invalid="ignore"):  # from one point outside to another
                gain = (p - 1) * np.log(z) + there - here[:, mine]
            better = np.log(u[:, 2]) < gain
            at[:, mine] = np.where(better[..., None], tried, at[:, mine])
            here[:, mine] = np.where(better, there, here[:, mine])
        done, rest = divmod(step - BURNED, THINNED)
        if done >= 0 and rest == THINNED - 1:
            points[:, done], densities[:, done] = at, here
    return Walk(points, densities)


def spread_points(count: int, p: int) -> Array:
    """Points that fill the unit cube evenly, (count, p): multiples of powers of a generalised golden ratio, mod 1.

    Examples
    --------
    >>> bool(np.abs(spread_points(1000, 3).mean(axis=0) - 0.5).max() < 0.01)
    True
    """
    ratio = 2.0
    for _ in range(64):
        ratio = (1 + ratio) ** (1 / (p + 1))
    points: Array = (0.5 + np.outer(np.arange(1, count + 1), ratio ** -np.arange(1.0, p + 1))) % 1
    return points


def _drift(points: Array) -> float:
    """Distance of the means of both halves of the way of all walkers (steps, w, p), in deviations; of the worst."""
    half = len(points) // 2
    means = np.stack([part.mean(axis=(0, 1)) for part in (points[:half], points[half:])])
    return float((np.abs(means[0] - means[1]) / np.maximum(points.std(axis=(0, 1)), 1e-300)).max())
