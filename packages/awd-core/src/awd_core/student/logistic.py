"""Logistic regression from numbers to classes: the student's head where probabilities are wanted.

With numbers z, standardised to zero mean and unit deviation, every class c has an intercept a_c and slopes b_c,

    p_c(z) = exp(a_c + zᵀb_c)/Σ_k exp(a_k + zᵀb_k),

which minimise −Σ_i ln p_(y_i)(z_i) + (α/2) Σ_c |b_c|²: the softmax, or multinomial logistic regression, with a ridge
penalty, without which coefficients would be infinite where the numbers tell the classes apart. Newton's method finds
the one minimum. Of two classes the log odds of the second are told, a_2 − a_1 + zᵀ(b_2 − b_1).

A softmax has no exact leave-one-out error in closed form, so α is the one of a grid with the least log loss on folds of
whole groups, standardised anew without them.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from sklearn.model_selection import GroupKFold

from awd_core.student.card import Head, probabilities
from awd_core.student.ridge import PENALTIES, standardised
from awd_core.typing import Array, Rows

FOLDS = 5
"""Folds of groups that the penalty is chosen on, at most."""
GRID = PENALTIES[::-2]
"""Penalties that are tried, the largest first: each search begins where the one before has ended."""
DECREASE = 1e-13
"""Newton's method ends where one more step would lower the log loss of an input by less."""
OF_INTERCEPTS = 1e-8
"""Penalty of intercepts: as good as none, and that of a class which a fold lacks stays finite."""
STEPS = 100
"""Steps of a search, at most; a few are enough."""


def fit_logistic(F: Array, places: Rows, groups: Rows, penalties: Sequence[float] = GRID) -> Head:
    """Fit a logistic head; its penalty has the least log loss on groups held out.

    Standard errors are those of the estimator at this penalty, the inverse of the penalised log loss' second
    derivative times that of the log loss itself times the inverse again. They take the wavelet, the choice of the
    numbers and the penalty as given, and leave out the bias towards zero.

    Parameters
    ----------
    F : ndarray, shape (n, K)
        Numbers.
    places : ndarray of int, shape (n,)
        The class of each row, from 0; all of them occur.
    groups : ndarray of int, shape (n,)
        What is held out together.
    penalties : sequence of float
        α, from large to small.

    Returns
    -------
    Head
        Its `error` is the log loss on groups held out over that of the classes' frequencies: 1 − error is a
        cross-validated R² as McFadden has it. NaN where there is one group and nothing can be held out; the penalty is
        then the largest.

    Examples
    --------
    >>> F = np.random.default_rng(0).standard_normal((200, 2))
    >>> head = fit_logistic(F, (F[:, 0] > 0).astype(int), np.arange(200))
    >>> head.kind, head.coefficients.shape, bool(head.coefficients[0, 0] > 5 > abs(head.coefficients[1, 0]))
    ('logistic', (2, 1), True)
    """
    Y = np.eye(int(places.max()) + 1)[places]
    penalty, error = _chosen_penalty(F, Y, groups, penalties)
    Z, to_numbers = _standard(F)
    *_, B = _along(Z, Y, [one for one in penalties if one >= penalty])
    # Of two classes the second less the first; of several every one of them.
    told = np.array([[-1.0], [1.0]]) if Y.shape[1] == 2 else np.eye(Y.shape[1])
    *_, second = _derivatives(B, Z, Y, penalty)
    information = second - _fixed(B.shape, penalty)
    inverse = np.linalg.inv(second)
    spread = (inverse @ information @ inverse).reshape(*B.shape, *B.shape)
    variance = np.einsum("rk,ct,kcjd,rj,dt->rt", to_numbers, told, spread, to_numbers, told, optimize=True)
    found = to_numbers @ B @ told
    return Head("logistic", found[1:], found[0], np.sqrt(variance.clip(0)), penalty, error)


def _chosen_penalty(F: Array, Y: Array, groups: Rows, penalties: Sequence[float]) -> tuple[float, float]:
    """The penalty, and its log loss on groups held out over that of the classes' frequencies."""
    folds = min(FOLDS, len(np.unique(groups)))
    if folds < 2:
        return penalties[0], float("nan")
    losses = np.zeros(len(penalties))
    for train, test in GroupKFold(folds).split(F, groups=groups):
        Z, to_numbers = _standard(F[train])
        unseen = np.column_stack([np.ones(len(test)), F[test]])
        for place, B in enumerate(_along(Z, Y[train], penalties)):
            losses[place] += _loss(unseen @ to_numbers @ B, Y[test])
    frequencies = Y.mean(axis=0)
    # Where all numbers are worthless the losses differ in their last digits alone: of equals the largest penalty.
    best = int(np.flatnonzero(losses <= losses.min() * (1 + 1e-12))[0])
    return penalties[best], float(losses[best] / -(Y @ np.log(frequencies)).sum())


def _standard(F: Array) -> tuple[Array, Array]:
    """Standardised numbers behind a column of ones, (n, K + 1), and what makes their coefficients those of numbers."""
    Z, mean, scale = (values.numpy() for values in standardised(torch.from_numpy(np.ascontiguousarray(F))))
    to_numbers = np.diag(np.concatenate([[1.0], 1 / scale]))
    to_numbers[0, 1:] = -mean / scale
    return np.column_stack([np.ones(len(Z)), Z]), to_numbers


def _along(Z: Array, Y: Array, penalties: Sequence[float]) -> Iterator[Array]:
    """Coefficients (K + 1, C) of one penalty after the other."""
    B = np.zeros((Z.shape[1], Y.shape[1]))
    for penalty in penalties:
        value, slopes, second = _derivatives(B, Z, Y, penalty)
        for _ in range(STEPS):
            step = np.linalg.solve(second, slopes).reshape(B.shape)
            decrease, size = float(slopes @ step.ravel()), 1.0
            if decrease < DECREASE * len(Z):
                break
            # Far from the minimum a whole step may go too far.
            while _penalised(B - size * step, Z, Y, penalty) > value - 0.25 * size * decrease and size > 1e-6:
                size /= 2
            B = B - size * step
            value, slopes, second = _derivatives(B, Z, Y, penalty)
        yield B


def _derivatives(B: Array, Z: Array, Y: Array, penalty: float) -> tuple[float, Array, Array]:
    """Penalised log loss, its gradient, raveled, and its second derivative, with the free constant held."""
    P = probabilities(Z @ B)
    slopes = Z.T @ (P - Y)
    slopes += _penalties(len(B), penalty)[:, None] * B
    classes, numbers = Y.shape[1], Z.shape[1]
    weights = P[:, :, None] * (np.eye(classes) - P[:, None, :])
    pairs = (Z[:, :, None] * Z[:, None, :]).reshape(len(Z), -1)
    blocks = (weights.reshape(len(Z), -1).T @ pairs).reshape(classes, classes, numbers, numbers)
    second = blocks.transpose(2, 0, 3, 1).reshape(B.size, B.size) + _fixed(B.shape, penalty)
    return _penalised(B, Z, Y, penalty), slopes.ravel(), second


def _fixed(shape: tuple[int, ...], penalty: float) -> Array:
    """What the penalty adds to the second derivative, and ones that hold the sum of intercepts, which is free."""
    numbers, classes = shape
    found = np.kron(np.diag(_penalties(numbers, penalty)), np.eye(classes))
    found[:classes, :classes] += 1.0
    return np.asarray(found, dtype=np.float64)


def _penalties(numbers: int, penalty: float) -> Array:
    return np.concatenate([[OF_INTERCEPTS], np.full(numbers - 1, penalty)])


def _penalised(B: Array, Z: Array, Y: Array, penalty: float) -> float:
    return _loss(Z @ B, Y) + 0.5 * float((_penalties(len(B), penalty)[:, None] * B**2).sum())


def _loss(log_odds: Array, Y: Array) -> float:
    """−Σ ln p of the classes that are."""
    above = log_odds - log_odds.max(axis=1, keepdims=True)
    return float((np.log(np.exp(above).sum(axis=1)) - (above * Y).sum(axis=1)).sum())
