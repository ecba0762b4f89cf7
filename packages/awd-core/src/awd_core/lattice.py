"""The lattice of rotations: orthonormal filters of L taps and L/2 angles, each from the other.

An orthonormal low-pass filter h of L = 2K taps has a polyphase row (h_even(z), h_odd(z)) that is the first row of a
2 × 2 paraunitary matrix, and every such row is a product of K rotations with a one-sample delay of the second
component between them (Vaidyanathan and Hoang 1988, "Lattice structures for optimal design and robust implementation
of two-channel perfect-reconstruction QMF banks", eq. 6 and section III):

    (h_even, h_odd) = (1, 0) · R(θ₁) · Λ(z) · R(θ₂) · … · Λ(z) · R(θ_K),
    R(θ) = [[cos θ, sin θ], [−sin θ, cos θ]],   Λ(z) = diag(1, z⁻¹).

At z = 1 the delays vanish and the row is (cos Σθ, sin Σθ), so Σh = √2 holds if and only if Σθ = π/4 (mod 2π).

Equivalences. R(θ + π) = −R(θ) commutes with everything, so adding π to an even number of angles leaves the taps
as they are. `angles_from_taps` returns the representative with every angle but the first in (−π/2, π/2] and the first
chosen so that the sum is π/4 itself. Where outer taps are zero (a shorter filter that was padded), one angle of the
representation is free, and the one that is 0 is returned.
"""

import math

import numpy as np
import numpy.typing as npt
from scipy.optimize import least_squares

Array = npt.NDArray[np.float64]

QUARTER_PI = math.pi / 4
"""The sum of the angles of every low-pass filter, in radians."""


def taps_from_angles(angles: npt.ArrayLike) -> Array:
    """Taps of the filter with the given lattice angles.

    Parameters
    ----------
    angles : array_like, shape (K,)
        Rotation angles in radians, in the order of the product in the module's description. Any sum is accepted
        here; the taps are a low-pass filter with Σh = √2 when the sum is π/4.

    Returns
    -------
    ndarray, shape (2K,)
        Taps h, orthonormal under even shifts to rounding, whatever the angles.

    Examples
    --------
    >>> import math
    >>> taps_from_angles([math.pi / 4]).round(4)
    array([0.7071, 0.7071])
    """
    theta = np.asarray(angles, dtype=np.float64)
    even, odd = _rotate(np.ones(1), np.zeros(1), theta[0])
    for angle in theta[1:]:
        even, odd = _rotate(np.append(even, 0.0), np.insert(odd, 0, 0.0), angle)
    return np.column_stack([even, odd]).ravel()


def angles_from_taps(taps: npt.ArrayLike) -> Array:
    """Lattice angles of an orthonormal filter: the inverse of `taps_from_angles`.

    The factors are peeled off from the right: the first pair of taps is orthogonal to the last pair (that is
    orthogonality under the longest even shift), so one rotation annihilates the leading coefficient of the one
    component and the constant of the other. A few Gauss-Newton steps on the taps then remove what the peeling lost to
    cancellation in long filters.

    Parameters
    ----------
    taps : array_like, shape (2K,)
        Orthonormal taps with Σh = √2. They are not checked here; angles of anything else describe a nearby filter.

    Returns
    -------
    ndarray, shape (K,)
        Angles in radians with sum π/4; the representative named in the module's description.
    """
    h = np.asarray(taps, dtype=np.float64)
    peeled = _polished(_peel(h[0::2], h[1::2]), h)
    peeled[1:] = _wrapped(peeled[1:])
    peeled[0] = QUARTER_PI - peeled[1:].sum()
    return peeled


def taps_jacobian(angles: npt.ArrayLike) -> Array:
    """Derivatives of the taps with respect to the angles.

    The derivative of a rotation is that rotation a quarter turn further, and so is that of the whole product.

    Parameters
    ----------
    angles : array_like, shape (K,)
        Rotation angles in radians.

    Returns
    -------
    ndarray, shape (2K, K)
        Element (n, k) is ∂h(n)/∂θ_k, all angles taken as free.
    """
    theta = np.asarray(angles, dtype=np.float64)
    quarter_turns = np.eye(len(theta)) * (math.pi / 2)
    return np.column_stack([taps_from_angles(theta + turn) for turn in quarter_turns])


def _rotate(even: Array, odd: Array, angle: float) -> tuple[Array, Array]:
    c, s = math.cos(angle), math.sin(angle)
    return c * even - s * odd, s * even + c * odd


def _peel(even: Array, odd: Array) -> Array:
    angles = np.empty(len(even))
    for k in range(len(even) - 1, 0, -1):
        first, last = (even[0], odd[0]), (even[-1], odd[-1])
        # The first row of the rotation is parallel to the first pair, the second to the last pair. The larger of the
        # two is known to the better relative accuracy.
        if math.hypot(*first) >= math.hypot(*last):
            angle = math.atan2(first[1], first[0])
        else:
            angle = math.atan2(-last[0], last[1])
        angles[k] = angle
        even, odd = _rotate(even, odd, -angle)
        even, odd = even[:-1], odd[1:]
    angles[0] = math.atan2(odd[0], even[0])
    return angles


def _polished(angles: Array, taps: Array) -> Array:
    """Angles moved to the least-squares fit of the taps, the sum held at π/4 by the first angle."""

    def with_sum(free: Array) -> Array:
        return np.concatenate([[QUARTER_PI - free.sum()], free])

    def residual(free: Array) -> Array:
        return taps_from_angles(with_sum(free)) - taps

    def jacobian(free: Array) -> Array:
        columns = taps_jacobian(with_sum(free))
        return columns[:, 1:] - columns[:, :1]

    free = angles[1:]
    if len(free) == 0 or np.abs(residual(free)).max() < 4 * np.finfo(np.float64).eps:
        return with_sum(free)
    fit = least_squares(residual, free, jacobian, method="lm", xtol=1e-15, ftol=1e-15, gtol=1e-15, max_nfev=200)
    return with_sum(fit.x)


def _wrapped(angles: Array) -> Array:
    """Angles modulo π in (−π/2, π/2]."""
    return math.pi / 2 - np.mod(math.pi / 2 - angles, math.pi)
