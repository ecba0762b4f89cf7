"""Columns that vary, told from constants of which a calculation has left rounding. NumPy alone is imported here."""

import numpy as np

from awd_core.typing import AnyArray, Flags


def varying(features: AnyArray, of: AnyArray | None = None) -> Flags:
    """Which columns vary by more than rounding: what is divided by the deviation of another is blown up without bound.

    A column is constant if its standard deviation is below 10⁻⁹ of its largest absolute value, or below 10⁻¹² of the
    largest of all columns, as where differences of these leave nothing.

    Parameters
    ----------
    features : ndarray, shape (n, F)
        Finite numbers.
    of : ndarray, shape (m, F), optional
        The numbers that they are what is left of, such as residuals of features; themselves if not given.

    Returns
    -------
    ndarray of bool, shape (F,)

    Examples
    --------
    >>> varying(np.array([[1.0, 0.1, 0.0, 1e-17], [2.0, 0.1 + 1e-17, 0.0, -1e-17]])).tolist()
    [True, False, False, False]
    """
    size = np.abs(features if of is None else of).max(axis=0, initial=0.0)
    least = np.maximum(1e-9 * size, 1e-12 * size.max(initial=0.0))
    found: Flags = np.std(features, axis=0, dtype=np.float64) > least
    return found
