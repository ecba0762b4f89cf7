"""Where a model holds: how far an input lies from those that it was fitted to, in what it shows and in its bands.

An input's signature is its numbers, its mean, and the logarithm of the energy of each of its bands: the latter see what
the few numbers do not, such as noise, another scale, or zeros. The distance is Mahalanobis', over the number of
entries, and its limit is what inputs of the training data themselves reach, each measured against all others: with a_i
= (s_i − m)ᵀ S⁻¹ (s_i − m), S the scatter, the distance of i to the rest follows exactly (Sherman and Morrison 1950).

NumPy alone is imported here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from awd_core.typing import Array

ALLOWED = 0.999
"""Share of the training inputs that lie within the limit."""
ROOM = 1.1
"""The limit over what they reach, in distance: of few inputs the farthest new one lies a little beyond the old ones."""
FLOOR = 1e-9
"""Variance that is added to each standardised entry, so that entries may follow from each other."""


@dataclass(frozen=True, eq=False)
class Domain:
    """Signatures of the training inputs, in short.

    Attributes
    ----------
    names : tuple of str
        What the entries of a signature are.
    mean, deviation : ndarray, shape (S,)
        Of each entry.
    inverse : ndarray, shape (S, S)
        Inverse of the covariance of the standardised entries.
    limit : float
        Largest distance within the domain.
    rows : int
        How many inputs it comes from.
    """

    names: tuple[str, ...]
    mean: Array
    deviation: Array
    inverse: Array
    limit: float
    rows: int

    @classmethod
    def of(cls, signatures: Array, names: Sequence[str]) -> Self:
        """Domain of the signatures (n, S) of training inputs.

        Examples
        --------
        >>> rng = np.random.default_rng(0)
        >>> domain = Domain.of(rng.standard_normal((200, 3)), ["a", "b", "c"])
        >>> far = domain.distance(np.array([[0.0, 0, 0], [0, 9, 0]])) > domain.limit
        >>> far.tolist(), domain.strangest(np.array([[0.0, 9, 0]]))
        ([False, True], ['b'])
        """
        n, entries = signatures.shape
        mean = signatures.mean(axis=0)
        # An entry that does not vary is strange wherever it is another one, up to rounding.
        least = 1e-9 * np.abs(signatures).max(axis=0) + np.finfo(np.float64).tiny
        deviation = np.maximum(signatures.std(axis=0), least)
        z = (signatures - mean) / deviation
        scatter = z.T @ z + n * FLOOR * np.eye(entries)
        to_all = np.einsum("ij,jk,ik->i", z, np.linalg.inv(scatter), z)
        share = n / (n - 1)
        left = np.maximum(1 - share * to_all, 1e-12)
        to_others = (n - 2) * share**2 * to_all / left / entries
        reached = float(np.quantile(to_others, ALLOWED))
        return cls(tuple(names), mean, deviation, np.linalg.inv(scatter / (n - 1)), ROOM**2 * reached, n)

    def distance(self, signatures: Array) -> Array:
        """Squared distance of signatures (n, S) over S, shape (n,); 1 is usual, above `limit` it is unlike."""
        z = (signatures - self.mean) / self.deviation
        found: Array = np.einsum("ij,jk,ik->i", z, self.inverse, z) / len(self.names)
        return found

    def strangest(self, signatures: Array) -> list[str]:
        """The entry of each signature that lies most deviations from the mean."""
        z = np.abs((signatures - self.mean) / self.deviation)
        return [self.names[place] for place in z.argmax(axis=1)]

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        arrays = {name: getattr(self, name).tolist() for name in ("mean", "deviation", "inverse")}
        return {"names": list(self.names), **arrays, "limit": self.limit, "rows": self.rows}

    @classmethod
    def from_dict(cls, values: Any) -> Self:
        """From what `to_dict` gave."""
        arrays = {name: np.array(values[name], dtype=np.float64) for name in ("mean", "deviation", "inverse")}
        return cls(tuple(values["names"]), **arrays, limit=float(values["limit"]), rows=int(values["rows"]))
