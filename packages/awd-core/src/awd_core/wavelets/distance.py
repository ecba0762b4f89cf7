"""Distances between wavelets that a shift or a reversal in time does not change.

Which of two filters that differ by a shift or a reversal comes out of a fit is chance, so a distance between what was
learnt and what was meant has to leave both out.
"""

import math

import numpy as np
import numpy.typing as npt

from awd_core.typing import Array


def taps_distance(taps: npt.ArrayLike, other: npt.ArrayLike) -> float:
    """Least ‖h₁ − h₂‖ over integer shifts, zeros around, and reversal.

    Parameters
    ----------
    taps, other : array_like, shapes (L₁,) and (L₂,)
        Filters; they may differ in length.

    Returns
    -------
    float
        A metric between filters up to shift and reversal; from 0 to √2 where both have norm 1.

    Examples
    --------
    >>> taps_distance([0.6, 0.8], [0.0, 0.8, 0.6, 0.0])
    0.0
    """
    a, b = np.asarray(taps, dtype=np.float64), np.asarray(other, dtype=np.float64)
    # With so many zeros the circular shifts are the shifts on an unbounded line.
    total = len(a) + len(b)
    return _least_distance(_padded(a, total), _padded(b, total), either_sign=False)


def function_distance(psi: npt.ArrayLike, other: npt.ArrayLike, spacing: float) -> float:
    """Least L2 norm of ψ₁ − ψ₂ over circular shifts, reversal and sign.

    The measure of the paper's simulations (Ha et al. 2021, section 4). The paper's code samples the functions at level
    5, does not try the other sign and sums the samples without their spacing: its numbers are 2^2.5 times as large.

    Parameters
    ----------
    psi, other : array_like, shapes (n₁,) and (n₂,)
        Samples of the wavelet functions; the shorter one is continued by zeros.
    spacing : float
        Distance of the samples, in the unit of time in which the functions have norm 1.

    Returns
    -------
    float
        A metric between functions of one length; from 0 to √2 where both have norm 1.

    Examples
    --------
    >>> function_distance([1.0, 1.0, -1.0, -1.0], [-1.0, -1.0, 1.0, 1.0], 0.25)
    0.0
    """
    a, b = np.asarray(psi, dtype=np.float64), np.asarray(other, dtype=np.float64)
    total = max(len(a), len(b))
    return _least_distance(_padded(a, total), _padded(b, total), either_sign=True) * math.sqrt(spacing)


def _padded(values: Array, length: int) -> Array:
    return np.append(values, np.zeros(length - len(values)))


def _least_distance(a: Array, b: Array, *, either_sign: bool) -> float:
    """Least ‖a − b′‖ over the circular shifts b′ of b and of b reversed."""
    best = math.inf
    for candidate in (b, b[::-1]):
        # ‖a − b′‖² = ‖a‖² + ‖b‖² − 2⟨a, b′⟩, so the shift with the largest product is the nearest. The norm is then
        # taken anew: the difference of squares would turn an exact zero into 1e-8.
        products = np.fft.irfft(np.fft.rfft(a) * np.fft.rfft(candidate).conj(), len(a))
        shift = int(np.argmax(np.abs(products) if either_sign else products))
        sign = -1.0 if products[shift] < 0 and either_sign else 1.0
        best = min(best, float(np.linalg.norm(a - sign * np.roll(candidate, shift))))
    return best
