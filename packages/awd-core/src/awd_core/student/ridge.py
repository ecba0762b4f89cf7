"""Ridge regression in closed form with its exact leave-one-out error, as a function that torch can differentiate.

Numbers F (n, K) are standardised to Z, zero mean and unit deviation over all n rows. With the penalty α, the intercept
free, and outputs Y (n, T) centred,

    b = (ZᵀZ + αI)⁻¹ ZᵀY,    H = Z (ZᵀZ + αI)⁻¹ Zᵀ + 1/n,    Y_i − Ŷ_(−i) = (Y_i − Ŷ_i)/(1 − H_ii),

the last exactly: it is what a refit of intercept and slopes without row i would be off by, Z as it is (Golub, Heath and
Wahba 1979, "Generalized cross-validation as a method for choosing a good ridge parameter"). Only the scale of Z has
seen the row. The error is relative, Σ_i (Y_i − Ŷ_(−i))²/Σ_i (Y_i − Ȳ)², mean over the outputs: 1 − error is a
cross-validated R².

Where rows of a group resemble each other, all of group g are left out at once. With X the numbers behind a column of
ones, X_g the rows of the group, and D the unit matrix with a zero for the intercept, the refit without it is as exact,

    b_(−g) = (XᵀX − X_gᵀX_g + αD)⁻¹ (XᵀY − X_gᵀY_g).

The penalty is the one of a grid with the least error. As it lies on a grid, the derivative of the least error is that
of the error at this penalty; no derivative of the choice is missing. Where few numbers are allowed, the same error
chooses them one by one.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from awd_core.student.card import Head
from awd_core.typing import Array, Rows

PENALTIES = tuple(np.logspace(-3, 5, 25).tolist())
"""Penalties α that are tried, in units of rows: a number that is worth nothing is shrunk by n/(n + α)."""
LEAST_DEVIATION = 1e-3
"""Numbers that hardly vary are divided by no less than so many times the median deviation, not blown up to 1."""
WIDE = 256
"""Numbers up to which all are tried one by one."""
TRIED = 32
"""Of more, how many are tried each time."""
BETTER = 1e-9
"""Relative decrease of the error below which two numbers count as equally good: then the first of them is taken."""


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


def leave_one_out(Z: Tensor, Y: Tensor, penalty: float, groups: Rows | None = None) -> Tensor:
    """Residuals without each row, or each group of rows, of centred outputs and standardised numbers.

    Parameters
    ----------
    Z : Tensor, shape (n, K)
        Numbers.
    Y : Tensor, shape (n, T)
        Outputs.
    penalty : float
        α.
    groups : ndarray of int, shape (n,), optional
        Whole numbers from 0, each of which some rows have: what is left out together. Every row for itself by default.

    Returns
    -------
    Tensor, shape (n, T)
        Y_i less the prediction of the refit.
    """
    if groups is not None:
        return next(_without_groups(Z, Y, (penalty,), groups))
    inverse = torch.linalg.inv(Z.T @ Z + penalty * torch.eye(Z.shape[1]).to(Z))
    half = Z @ inverse
    leverage = (half * Z).sum(dim=1, keepdim=True) + 1 / len(Z)
    residuals: Tensor = (Y - half @ (Z.T @ Y)) / (1 - leverage)
    return residuals


def _without_groups(Z: Tensor, Y: Tensor, penalties: Sequence[float], groups: Rows) -> Iterator[Tensor]:
    """Residuals (n, T) without each group, for one penalty after the other."""
    # Groups side by side, (G, m, …), the shorter ones filled up with rows of zeros.
    order, sizes = np.argsort(groups, kind="stable"), np.bincount(groups)
    place = np.arange(len(groups)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    table = np.full((len(sizes), int(sizes.max())), len(groups))
    table[groups[order], place] = order
    where = np.empty(len(groups), dtype=np.int64)
    where[order] = groups[order] * table.shape[1] + place
    X = torch.cat([torch.ones_like(Z[:, :1]), Z], dim=1)
    rows = torch.from_numpy(table)
    own, answers = (torch.cat([values, torch.zeros_like(values[:1])])[rows] for values in (X, Y))
    left, right = X.T @ X - own.mT @ own, X.T @ Y - own.mT @ answers
    free = torch.eye(X.shape[1]).to(X)
    free[0, 0] = 0
    for penalty in penalties:
        residuals = answers - own @ torch.linalg.solve(left + penalty * free, right)
        yield residuals.flatten(0, 1)[torch.from_numpy(where)]


@torch.no_grad()
def best_penalty(Z: Tensor, Y: Tensor, penalties: tuple[float, ...] = PENALTIES, groups: Rows | None = None) -> float:
    """The penalty with the least error without each row or group; of equals the largest. As for `leave_one_out`."""
    total = Y.square().sum(dim=0)
    if groups is not None:
        left = _without_groups(Z, Y, penalties, groups)
        return _largest_of_least(penalties, [float((one.square().sum(dim=0) / total).sum()) for one in left])
    values, vectors = torch.linalg.eigh(Z.T @ Z)
    turned = Z @ vectors
    shrunk = 1 / (values.clamp_min(0)[:, None] + torch.tensor(penalties).to(Z))
    remaining = 1 - turned.square() @ shrunk - 1 / len(Z)
    errors = torch.zeros(len(penalties)).to(Z)
    for y in Y.T:
        residual = (y[:, None] - turned @ (shrunk * (turned.T @ y)[:, None])) / remaining
        errors += residual.square().sum(dim=0) / y.square().sum()
    return _largest_of_least(penalties, errors.tolist())


def _largest_of_least(penalties: Sequence[float], errors: Sequence[float]) -> float:
    # Where all numbers are worthless the errors differ in their last digits alone.
    close = [k for k, error in enumerate(errors) if error <= min(errors) * (1 + 1e-12)]
    return penalties[max(close, key=lambda k: penalties[k])]


def relative_error(
    F: Tensor, Y: Tensor, penalties: tuple[float, ...] = PENALTIES, groups: Rows | None = None
) -> Tensor:
    """Leave-one-out error of the ridge from numbers to outputs, relative to the outputs' variance, a scalar.

    Parameters
    ----------
    F : Tensor, shape (n, K)
        Numbers; the result is differentiable with respect to them.
    Y : Tensor, shape (n, T)
        Outputs; each has some variance.
    penalties : tuple of float
        The grid.
    groups : ndarray of int, shape (n,), optional
        What is left out together, as for `leave_one_out`.

    Examples
    --------
    >>> F = torch.randn(50, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    >>> float(relative_error(F, F[:, :1] - 2 * F[:, 1:2])) < 1e-6
    True
    """
    Z, _, _ = standardised(F)
    centred = Y - Y.mean(dim=0)
    residual = leave_one_out(Z, centred, best_penalty(Z.detach(), centred, penalties, groups), groups)
    return (residual.square().sum(dim=0) / centred.square().sum(dim=0)).mean()


def fit_ridge(F: Array, Y: Array, penalties: tuple[float, ...] = PENALTIES, groups: Rows | None = None) -> Head:
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
    groups : ndarray of int, shape (n,), optional
        What is left out together, as for `leave_one_out`.
    """
    numbers, outputs = torch.from_numpy(F), torch.from_numpy(Y)
    Z, mean, scale = standardised(numbers)
    centred = outputs - outputs.mean(dim=0)
    # Labels that are all alike are told by the intercept.
    varied = centred.square().sum(dim=0) > 0
    penalty = best_penalty(Z, centred[:, varied], penalties, groups) if bool(varied.any()) else penalties[-1]
    inverse = torch.linalg.inv(Z.T @ Z + penalty * torch.eye(Z.shape[1], dtype=Z.dtype))
    slopes = inverse @ (Z.T @ centred)
    freedom = max(len(Z) - 1 - float((inverse * (Z.T @ Z)).sum()), 1.0)
    variance = (centred - Z @ slopes).square().sum(dim=0) / freedom
    spread = inverse @ (Z.T @ Z) @ inverse
    coefficients = slopes / scale[:, None]
    at_zero = -mean / scale
    of_intercept = 1 / len(Z) + at_zero @ spread @ at_zero
    errors = torch.cat([of_intercept.reshape(1), spread.diagonal().clamp_min(0) / scale.square()])
    left = leave_one_out(Z, centred, penalty, groups).square().sum(dim=0)[varied] / centred.square().sum(dim=0)[varied]
    return Head(
        "ridge",
        coefficients.numpy(),
        (outputs.mean(dim=0) - mean @ coefficients).numpy(),
        (errors[:, None] * variance).sqrt().numpy(),
        penalty,
        float(left.mean()) if len(left) else float("nan"),
    )


def _worth_trying(
    columns: list[int], sets: Sequence[tuple[Tensor, Tensor, Rows | None]], chosen: Sequence[int]
) -> list[int]:
    """Of many columns those that correlate most with what the chosen ones leave, in their order."""
    if len(columns) + len(chosen) <= WIDE:
        return columns
    score = torch.zeros(len(columns), dtype=torch.float64)
    for F, Y, _ in sets:
        left = Y - Y.mean(dim=0)
        if chosen:
            Z, _, _ = standardised(F[:, list(chosen)])
            left = left - Z @ torch.linalg.lstsq(Z, left, driver="gelsd").solution
        Z, _, _ = standardised(F[:, columns])
        score += ((Z.T @ left).square() / left.square().sum(dim=0).clamp_min(1e-300)).sum(dim=1)
    best = torch.topk(score, TRIED).indices.tolist()
    return [columns[place] for place in sorted(best)]


@torch.no_grad()
def forward_selection(
    tables: Sequence[Tensor],
    outputs: Sequence[Tensor],
    most: int,
    penalties: tuple[float, ...] = PENALTIES,
    groups: Sequence[Rows | None] | None = None,
) -> tuple[int, ...]:
    """Take one number after the other, each time the one that lowers the error most, until `most` or none lowers it.

    Of more than `WIDE` numbers, the `TRIED` that correlate most with what is left are tried each time.

    Parameters
    ----------
    tables : sequence of Tensor, shape (n, K)
        Numbers of each set; the same columns are taken from all, and the error is the mean over sets.
    outputs : sequence of Tensor, shape (n, T)
        Outputs of each set.
    most : int
        Numbers that are taken at most.
    penalties : tuple of float
        The grid of the ridge.
    groups : sequence of ndarray or None, optional
        Of each set, what is left out together (`awd_core.student.ridge.leave_one_out`).

    Returns
    -------
    tuple of int
        Columns in the order in which they were taken; at least one.

    Examples
    --------
    >>> F = torch.randn(60, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    >>> forward_selection([F], [3 * F[:, 2:3] + F[:, :1]], 3)[:2]
    (2, 0)
    """
    sets = list(zip(tables, outputs, groups or [None] * len(tables), strict=True))
    chosen: tuple[int, ...] = ()
    least = float("inf")
    while len(chosen) < min(most, tables[0].shape[1]):
        best, added = least, None
        rest = [column for column in range(tables[0].shape[1]) if column not in chosen]
        for column in _worth_trying(rest, sets, chosen):
            picked = [*chosen, column]
            errors = [relative_error(F[:, picked], Y, penalties, left_out) for F, Y, left_out in sets]
            error = float(torch.stack(errors).mean())
            if error < best * (1 - BETTER):
                best, added = error, column
        if added is None:
            break
        chosen, least = (*chosen, added), best
    return chosen
