"""Which numbers are kept where few are allowed: forward selection by the leave-one-out error."""

from collections.abc import Sequence

import torch
from torch import Tensor

from awd_core.student.ridge import PENALTIES, relative_error

BETTER = 1e-9
"""Relative decrease of the error below which two numbers count as equally good: then the first of them is taken."""


@torch.no_grad()
def forward_selection(
    tables: Sequence[Tensor], outputs: Sequence[Tensor], most: int, penalties: tuple[float, ...] = PENALTIES
) -> tuple[int, ...]:
    """Take one number after the other, each time the one that lowers the error most, until `most` or none lowers it.

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
    chosen: tuple[int, ...] = ()
    least = float("inf")
    while len(chosen) < min(most, tables[0].shape[1]):
        best, added = least, None
        for column in range(tables[0].shape[1]):
            if column in chosen:
                continue
            picked = [*chosen, column]
            errors = [relative_error(F[:, picked], Y, penalties) for F, Y in zip(tables, outputs, strict=True)]
            error = float(torch.stack(errors).mean())
            if error < best * (1 - BETTER):
                best, added = error, column
        if added is None:
            break
        chosen, least = (*chosen, added), best
    return chosen
