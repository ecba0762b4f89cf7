"""Samples of a posterior, and what is read off them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from awd_core.checks import check_choice, real_number
from awd_core.typing import Array


@dataclass(frozen=True, eq=False)
class PosteriorSamples:
    """Samples of the posterior of a map, or of several together; all of the same weight.

    Attributes
    ----------
    names : tuple of str
        Of the parameters.
    values : ndarray, shape (n, k)
        One row a sample, in the parameters' units.
    log_density : ndarray, shape (n,)
        Logarithm of the posterior at each, up to a constant.
    low, high : ndarray, shape (k,)
        Ends of the prior; infinite for parameters that follow from others.
    derived : tuple of str
        Parameters that follow from others.
    maps : int
        How many maps the posterior is of.
    drift : float
        How far the mean moved from the first to the second half of the samples, in deviations: small, or more are
        needed.

    Examples
    --------
    >>> values = np.random.default_rng(0).normal([0.3, 0.8], [0.02, 0.05], (4000, 2))
    >>> samples = PosteriorSamples(("Omega_m", "S8"), values, np.zeros(4000), np.zeros(2), np.ones(2))
    >>> round(samples.figure_of_merit("Omega_m", "S8"), -2)  # 1 / (0.02 · 0.05)
    1000.0
    """

    names: tuple[str, ...]
    values: Array
    log_density: Array
    low: Array
    high: Array
    derived: tuple[str, ...] = ()
    maps: int = 1
    drift: float = math.nan

    def __post_init__(self) -> None:
        count, k = self.values.shape
        if len(self.names) != k or {len(self.low), len(self.high)} != {k} or self.log_density.shape != (count,):
            raise ValueError(
                f"{len(self.names)} names, ends of {len(self.low)} and {len(self.high)} parameters and "
                f"{self.log_density.shape} densities do not fit samples of the shape {self.values.shape}"
            )

    def of(self, *names: str) -> Array:
        """Samples of some parameters, (n, number of names).

        Raises
        ------
        ValueError
            If there is no parameter of a name.
        """
        for name in names:
            check_choice("a parameter", name, self.names, required=True)
        return self.values[:, [self.names.index(name) for name in names]]

    @property
    def mean(self) -> Array:
        """Posterior mean (k,)."""
        return np.asarray(self.values.mean(axis=0))

    @property
    def covariance(self) -> Array:
        """Posterior covariance (k, k)."""
        return np.atleast_2d(np.cov(self.values, rowvar=False))

    def interval(self, name: str, level: float = 0.68) -> tuple[float, float]:
        """The central interval of a parameter that holds that share of the samples."""
        half = real_number("level", level, "a share", above=0, below=1) / 2
        low, high = np.quantile(self.of(name)[:, 0], [0.5 - half, 0.5 + half]).tolist()
        return low, high

    def figure_of_merit(self, *names: str) -> float:
        """1/√det of the covariance of some parameters: of two, the larger, the smaller their contour."""
        return figure_of_merit(self.of(*names))

    def correlation(self, one: str, other: str) -> float:
        """Correlation of two parameters."""
        return float(np.corrcoef(*self.of(one, other).T).flat[1])


def figure_of_merit(values: Array) -> float:
    """1/√det of the covariance of samples (n, k)."""
    return float(1 / np.sqrt(np.linalg.det(np.atleast_2d(np.cov(values, rowvar=False)))))


def stacked_values(samples: Sequence[PosteriorSamples], *names: str) -> Array:
    """Samples of several posteriors, (maps, n, number of names); as many of each as the fewest have."""
    count = min(len(one.values) for one in samples)
    return np.stack([one.of(*names)[:count] for one in samples])
