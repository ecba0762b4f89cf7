"""Parameters that follow from those that are sampled, as S8 from Ω_m, A_s and M_ν: polynomials through training values.

So the prior stays flat in what a suite was designed in, and S8 has the prior that follows from it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from awd_core.files import Record
from awd_core.typing import Array
from awd_cosmo.inference.emulator import in_box, polynomial_basis
from awd_cosmo.posterior.samples import PosteriorSamples

DEGREES = (4, 3, 2, 1)
EXACT = 0.05
"""Error on cosmologies left out, over the parameter's spread, beyond which it does not follow from the others."""


@dataclass(frozen=True)
class Derived(Record):
    """A parameter as a polynomial of others. Made by `fit_derived`.

    Attributes
    ----------
    name : str
        Its name.
    low, high : ndarray, shape (p,)
        Box of the others.
    degree : int
        Of the polynomial.
    weights : ndarray, shape (q,)
        Of its terms, in the order of `awd_cosmo.inference.emulator.polynomial_basis`.
    scatter : float
        Root mean square error on training cosmologies left out.
    """

    name: str
    low: Array
    high: Array
    degree: int
    weights: Array
    scatter: float

    def __call__(self, parameters: npt.ArrayLike) -> Array:
        """Its values (n,) at parameters (n, p)."""
        x = in_box(np.asarray(parameters, dtype=np.float64), self.low, self.high)
        return np.asarray(polynomial_basis(x, self.degree) @ self.weights)


def fit_derived(name: str, parameters: npt.ArrayLike, values: npt.ArrayLike) -> Derived:
    """Fit the polynomial that errs least on training cosmologies left out, one by one.

    Parameters
    ----------
    name : str
        What is derived.
    parameters : array_like, shape (C, p)
        Of training cosmologies.
    values : array_like, shape (C,)
        Its values there.

    Raises
    ------
    ValueError
        If it does not follow from the parameters.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> theta = rng.uniform([0.2, 0.7], [0.4, 0.9], (60, 2))
    >>> S8 = fit_derived("S8", theta, theta[:, 1] * np.sqrt(theta[:, 0] / 0.3))
    >>> S8([[0.3, 0.8]]).round(4)
    array([0.8])
    """
    theta, y = np.asarray(parameters, dtype=np.float64), np.asarray(values, dtype=np.float64)
    low, high = theta.min(axis=0), theta.max(axis=0)
    x = in_box(theta, low, high)
    tried = [_fitted(polynomial_basis(x, degree), y, degree) for degree in DEGREES]
    scatter, degree, weights = min((one for one in tried if one is not None), default=(np.inf, 1, y[:0]))
    if scatter > EXACT * float(y.std()):
        raise ValueError(
            f"{name} does not follow from the other parameters by a polynomial ({scatter:.2g} is left of a spread of "
            f"{y.std():.2g}); name it as a parameter of its own"
        )
    return Derived(name, low, high, degree, weights, scatter)


def _fitted(basis: Array, y: Array, degree: int) -> tuple[float, int, Array] | None:
    """Error on values left out, degree, weights; None if there are too few values."""
    if len(y) < basis.shape[1] + 2:
        return None
    q, r = np.linalg.qr(basis)
    if np.abs(np.diag(r)).min() < 1e-9 * np.abs(np.diag(r)).max():
        return None
    rest = (y - q @ (q.T @ y)) / np.maximum(1 - (q**2).sum(axis=1), 1e-9)
    return float(np.sqrt((rest**2).mean())), degree, np.linalg.solve(r, q.T @ y)


def with_derived(samples: PosteriorSamples, derived: list[Derived]) -> PosteriorSamples:
    """Samples with further parameters that follow from theirs, last."""
    if not derived:
        return samples
    more: Any = [one(samples.values)[:, None] for one in derived]
    names = tuple(one.name for one in derived)
    none = np.full(len(derived), np.inf)
    return PosteriorSamples(
        (*samples.names, *names), np.hstack([samples.values, *more]), samples.log_density,
        np.concatenate([samples.low, -none]), np.concatenate([samples.high, none]), (*samples.derived, *names),
        samples.maps, samples.drift,
    )  # fmt: skip
