"""Ridge regression in closed form with its exact leave-one-out error, as a function that torch can differentiate.

Numbers F (n, K) are standardised to Z, zero mean and unit deviation over all n rows. With the penalty α, the intercept
free, and outputs Y (n, T) centred,

    b = (ZᵀZ + αI)⁻¹ ZᵀY,    H = Z (ZᵀZ + αI)⁻¹ Zᵀ + 1/n,    Y_i − Ŷ_(−i) = (Y_i − Ŷ_i)/(1 − H_ii),

the last exactly: it is what a refit of intercept and slopes without row i would be off by, Z as it is (Golub, Heath and
Wahba 1979, "Generalized cross-validation as a method for choosing a good ridge parameter"). Only the scale of Z has
seen the row. The error is relative, Σ_i (Y_i − Ŷ_(−i))²/Σ_i (Y_i − Ȳ)², mean over the outputs: 1 − error is a
cross-validated R².

The penalty is the one of a grid with the least error. As it lies on a grid, the derivative of the least error is that
of the error at this penalty; no derivative of the choice is missing.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Array = npt.NDArray[np.float64]

PENALTIES = tuple(np.logspace(-3, 5, 25).tolist())
"""Penalties α that are tried, in units of rows: a number that is worth nothing is shrunk by n/(n + α)."""
LEAST_DEVIATION = 1e-3
"""Numbers that hardly vary are divided by no less than so many times the median deviation, not blown up to 1."""


def standardised(F: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Numbers with zero mean and unit deviation, and what was subtracted and divided by.

    Parameters
    ----------
    F : Tensor, shape (n, K)
        Numbers.

    Returns
    -------
    Z : Tensor, shape (n, K)
    mean, scale : Tensor, shape (K,)
    """
    mean = F.mean(dim=0)
    centred = F - mean
    variance = centred.square().mean(dim=0)
    with torch.no_grad():
        least = LEAST_DEVIATION * float(variance.sqrt().median())
        least = least if least > 0 else float(torch.finfo(F.dtype).tiny) ** 0.5
        flat = variance.sqrt() <= least
    # The root has no finite slope at zero: where a number does not vary, it is not taken.
    scale = torch.where(flat, least**2, variance).sqrt()
    return centred / scale, mean, scale


def leave_one_out(Z: Tensor, Y: Tensor, penalty: float) -> Tensor:
    """Residuals Y_i − Ŷ_(−i), shape (n, T), of centred outputs and standardised numbers."""
    inverse = torch.linalg.inv(Z.T @ Z + penalty * torch.eye(Z.shape[1]).to(Z))
    half = Z @ inverse
    leverage = (half * Z).sum(dim=1, keepdim=True) + 1 / len(Z)
    residuals: Tensor = (Y - half @ (Z.T @ Y)) / (1 - leverage)
    return residuals


@torch.no_grad()
def best_penalty(Z: Tensor, Y: Tensor, penalties: tuple[float, ...] = PENALTIES) -> float:
    """The penalty with the least leave-one-out error; of equals the largest."""
    values, vectors = torch.linalg.eigh(Z.T @ Z)
    turned = Z @ vectors
    shrunk = 1 / (values.clamp_min(0)[:, None] + torch.tensor(penalties).to(Z))
    remaining = 1 - turned.square() @ shrunk - 1 / len(Z)
    errors = torch.zeros(len(penalties)).to(Z)
    for y in Y.T:
        residual = (y[:, None] - turned @ (shrunk * (turned.T @ y)[:, None])) / remaining
        errors += residual.square().sum(dim=0) / y.square().sum()
    listed = errors.tolist()
    # Where all numbers are worthless the errors differ in their last digits alone.
    close = [k for k, error in enumerate(listed) if error <= min(listed) * (1 + 1e-12)]
    return penalties[max(close, key=lambda k: penalties[k])]


def relative_error(F: Tensor, Y: Tensor, penalties: tuple[float, ...] = PENALTIES) -> Tensor:
    """Leave-one-out error of the ridge from numbers to outputs, relative to the outputs' variance, a scalar.

    Parameters
    ----------
    F : Tensor, shape (n, K)
        Numbers; the result is differentiable with respect to them.
    Y : Tensor, shape (n, T)
        Outputs; each has some variance.
    penalties : tuple of float
        The grid.

    Examples
    --------
    >>> F = torch.randn(50, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    >>> float(relative_error(F, F[:, :1] - 2 * F[:, 1:2])) < 1e-6
    True
    """
    Z, _, _ = standardised(F)
    centred = Y - Y.mean(dim=0)
    residual = leave_one_out(Z, centred, best_penalty(Z.detach(), centred, penalties))
    return (residual.square().sum(dim=0) / centred.square().sum(dim=0)).mean()


@dataclass(frozen=True)
class Ridge:
    """A ridge that was fitted: the student's head.

    Attributes
    ----------
    coefficients : ndarray, shape (K, T)
        Per unit of each number.
    intercept : ndarray, shape (T,)
    standard_errors : ndarray, shape (K + 1, T)
        Of the intercept, then of the coefficients. See `fit_ridge`.
    penalty : float
        α.
    error : float
        Relative leave-one-out error.
    """

    coefficients: Array
    intercept: Array
    standard_errors: Array
    penalty: float
    error: float

    def __call__(self, F: Array) -> Array:
        """Predictions, shape (n, T)."""
        predictions: Array = F @ self.coefficients + self.intercept
        return predictions


def fit_ridge(F: Array, Y: Array, penalties: tuple[float, ...] = PENALTIES) -> Ridge:
    """Fit a ridge; its penalty has the least leave-one-out error.

    Standard errors are those of the estimator at this penalty, σ²(ZᵀZ + αI)⁻¹ ZᵀZ (ZᵀZ + αI)⁻¹, with σ² from the
    residuals and n − tr H degrees of freedom. They take the wavelet, the choice of the numbers and the penalty as
    given, and leave out the ridge's bias towards zero.

    Parameters
    ----------
    F : ndarray, shape (n, K)
        Numbers.
    Y : ndarray, shape (n, T)
        Outputs or labels.
    penalties : tuple of float
        The grid.
    """
    numbers, outputs = torch.from_numpy(F), torch.from_numpy(Y)
    Z, mean, scale = standardised(numbers)
    centred = outputs - outputs.mean(dim=0)
    # Labels that are all alike are told by the intercept.
    varied = centred.square().sum(dim=0) > 0
    penalty = best_penalty(Z, centred[:, varied], penalties) if bool(varied.any()) else penalties[-1]
    inverse = torch.linalg.inv(Z.T @ Z + penalty * torch.eye(Z.shape[1], dtype=Z.dtype))
    slopes = inverse @ (Z.T @ centred)
    freedom = max(len(Z) - 1 - float((inverse * (Z.T @ Z)).sum()), 1.0)
    variance = (centred - Z @ slopes).square().sum(dim=0) / freedom
    spread = inverse @ (Z.T @ Z) @ inverse
    coefficients = slopes / scale[:, None]
    at_zero = -mean / scale
    of_intercept = 1 / len(Z) + at_zero @ spread @ at_zero
    errors = torch.cat([of_intercept.reshape(1), spread.diagonal().clamp_min(0) / scale.square()])
    left = leave_one_out(Z, centred, penalty).square().sum(dim=0)[varied] / centred.square().sum(dim=0)[varied]
    return Ridge(
        coefficients.numpy(),
        (outputs.mean(dim=0) - mean @ coefficients).numpy(),
        (errors[:, None] * variance).sqrt().numpy(),
        penalty,
        float(left.mean()) if len(left) else float("nan"),
    )
