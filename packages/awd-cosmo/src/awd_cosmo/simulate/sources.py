"""Where the sources are: one plane, or a distribution of redshifts, as planes that share the weight."""

import math
from dataclasses import dataclass

import numpy as np

from awd_core.checks import real_number

FARTHEST = 3.5
"""Redshift up to which there is power."""


@dataclass(frozen=True)
class Sources:
    """Redshifts of the sources, at equal distances, and their shares.

    Parameters
    ----------
    redshifts : tuple of float
        Of planes, rising.
    weights : tuple of float
        Of each; their sum is 1.
    """

    redshifts: tuple[float, ...]
    weights: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Mean redshift."""
        return math.fsum(z * w for z, w in zip(self.redshifts, self.weights, strict=True))

    @property
    def farthest(self) -> float:
        """Redshift of the last plane."""
        return self.redshifts[-1]


@dataclass(frozen=True)
class Smail:
    """Shape of a survey's distribution of redshifts (Smail, Ellis and Fitchett 1994, MNRAS 270, 245).

        n(z) ∝ z^α exp(−(z/z₀)^β)

    Parameters
    ----------
    alpha, beta : float
        Above 0; 2 and 1.5 are usual for one deep sample.

    Examples
    --------
    >>> sources = Smail().sources(1.0)
    >>> round(sources.mean, 2), len(sources.redshifts)
    (1.0, 50)
    """

    alpha: float = 2.0
    beta: float = 1.5

    def __post_init__(self) -> None:
        real_number("alpha", self.alpha, above=0, most=10)
        real_number("beta", self.beta, least=0.5, most=10)

    @classmethod
    def typed(cls, text: str) -> "Smail":
        """From two numbers with a comma between them; ValueError if it is something else."""
        try:
            alpha, beta = map(float, text.split(","))
        except ValueError:
            raise ValueError(f"smail is {text!r}; give two numbers A,B, such as 2,1.5") from None
        return cls(alpha, beta)

    def sources(self, mean: float, shift: float = 0.0, planes: int = 50) -> Sources:
        """Planes of a mean redshift.

        Parameters
        ----------
        mean : float
            Which follows z₀.
        shift : float
            By which all are moved then; those that come before 0 are none.
        planes : int
            Equally far apart; sources beyond `FARTHEST` are left out.
        """
        scale = mean * math.gamma((self.alpha + 1) / self.beta) / math.gamma((self.alpha + 2) / self.beta)
        # Where the distribution has fallen by exp(−9) and more.
        last = min(scale * 9 ** (1 / self.beta) * 1.3 + shift, FARTHEST)
        z = last * (np.arange(planes) + 0.5) / planes
        unshifted = np.maximum(z - shift, 0.0)
        weight = unshifted**self.alpha * np.exp(-((unshifted / scale) ** self.beta))
        weight /= weight.sum()
        return Sources(tuple(z.tolist()), tuple(weight.tolist()))


def one_plane(redshift: float) -> Sources:
    """All sources at one redshift."""
    return Sources((redshift,), (1.0,))
