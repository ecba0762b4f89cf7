"""The lattice of rotations: orthonormal filters of L taps and L/2 angles, each from the other.

An orthonormal low-pass filter h of L = 2K taps has a polyphase row (h_even(z), h_odd(z)) that is the first row of a
2 × 2 paraunitary matrix, and every such row is a product of K rotations with a one-sample delay of the second
component between them (Vaidyanathan and Hoang 1988, "Lattice structures for optimal design and robust implementation
of two-channel perfect-reconstruction QMF banks", eq. 6 and section III):

    (h_even, h_odd) = (1, 0) · R(θ₁) · Λ(z) · R(θ₂) · … · Λ(z) · R(θ_K),
    R(θ) = [[cos θ, sin θ], [−sin θ, cos θ]],   Λ(z) = diag(1, z⁻¹).

At z = 1 the delays vanish and the row is (cos Σθ, sin Σθ), so Σh = √2 holds if and only if Σθ = π/4 (mod 2π).

Equivalences. R(θ + π) = −R(θ) commutes with everything, so adding π to an even number of angles leaves the taps
as they are. `canonical_angles` is the representative with every angle but the first in (−π/2, π/2] and the first
chosen so that the sum is π/4 itself. Where outer taps are zero at both ends (a shorter filter that was padded), one
angle of the representation is free, and `angles_from_taps` returns 0 for it.

Why long integers. The way back divides by the length ε of the outer taps, and taps that are small at both ends (most
products of many sines and cosines) make it lose half of the digits: an error η of the taps turns the last rotation by
η/ε, what is left over is as far from orthonormal, and the next rotation can make no more of it than √η. The angles
themselves are lost, since the taps hardly depend on them; their combinations are not, and they decide about the taps
in the middle. So the way back is computed with 160 bits, and what is left over is made orthonormal again at every
step, to 2⁻¹²⁰: half of the digits is more than a double has.
"""

import itertools
import math
import operator

import numpy as np
import numpy.typing as npt

from awd_core.checks.real_numbers import refuse_masked
from awd_core.typing import Array
from awd_core.wavelets.certificate import orthonormality_error

QUARTER_PI = math.pi / 4
"""The sum of the angles of every low-pass filter, in radians."""

TOLERANCE = 1e-8
"""How far taps may be from orthonormal, and the sum of angles from π/4, before they are refused."""

# Taps as whole numbers in units of 2⁻¹⁶⁰, even and odd ones in turn.
_Row = list[int]
_BITS = 160
_ONE = 1 << _BITS
_ORTHONORMAL = 1 << (_BITS - 120)
_NEGLIGIBLE = 1 << (_BITS - 100)


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

    Parameters
    ----------
    taps : array_like, shape (2K,)
        Orthonormal taps with Σh = √2. They are not checked here; angles of anything else describe a nearby filter.

    Returns
    -------
    ndarray, shape (K,)
        Angles in radians with sum π/4, in the representative named in the module's description.

    Notes
    -----
    The angles give the taps back to 1e-13 (one in a thousand contrived filters: to 1e-11), or to some ten times the
    error that the taps have themselves, their distance from orthonormal. The angles are as exact as the taps tell
    them: the first and the last pair of taps, the longer of length ε, fix the last angle to about 1e-16/ε.

    Examples
    --------
    >>> import math
    >>> angles_from_taps([math.sqrt(0.5), math.sqrt(0.5), 0.0, 0.0]) / math.pi
    array([0.  , 0.25])
    """
    h = np.asarray(taps, dtype=np.float64)
    enough = max(_size(_gaps(_row(h), lowpass=True)), 16 * np.finfo(np.float64).eps)
    best, least = h, math.inf
    for attempt in range(4):
        # Where the steps towards orthonormal taps end in a corner (both outer pairs zero), they start from taps that
        # differ by less than their rounding. A fixed pattern: the same taps always have the same angles.
        elsewhere = 1e-16 * np.sin(attempt * np.arange(1.0, len(h) + 1) ** 2)
        angles = canonical_angles(_peeled(_row(h + elsewhere)))
        error = float(np.abs(taps_from_angles(angles) - h).max())
        if error < least:
            best, least = angles, error
        if least <= enough:
            break
    return best


def recovered_angles(taps: Array, name: str) -> Array:
    """Lattice angles of a wavelet's taps, or an error that says why it has none.

    Raises
    ------
    ValueError
        If the taps are not orthonormal to `TOLERANCE`, since the lattice can make no others.
    """
    error = max(orthonormality_error(taps), abs(float(taps.sum()) - math.sqrt(2)))
    if error > TOLERANCE:
        raise ValueError(
            f"{name!r} has no lattice angles: its taps are orthonormal to {error:.1e} only, above "
            f"{TOLERANCE:.0e}, and angles make filters that are orthonormal to rounding. Start from another "
            "wavelet, such as 'db5', or use the taps as they are"
        )
    angles = angles_from_taps(taps)
    residual = np.abs(taps_from_angles(angles) - taps).max()
    if residual > TOLERANCE:
        raise ValueError(
            f"the lattice angles of {name!r} could not be recovered: the taps that they give are "
            f"{residual:.1e} off ({TOLERANCE:.0e} is allowed). Build it with Wavelet.from_angles to keep the angles"
        )
    return angles


def canonical_angles(angles: npt.ArrayLike) -> Array:
    """Representative of lattice angles: all but the first in (−π/2, π/2], the sum π/4.

    Parameters
    ----------
    angles : array_like, shape (K,)
        Angles in radians, of which the sum is taken to be π/4 (mod 2π): the first makes up for what it lacks.

    Returns
    -------
    ndarray, shape (K,)
        Angles of the same taps; those after the first that are in the range already keep every bit.

    Examples
    --------
    >>> import math
    >>> canonical_angles([0.75 * math.pi, -0.5 * math.pi]) / math.pi
    array([-0.25,  0.5 ])
    """
    theta = np.array(angles, dtype=np.float64)
    rest = theta[1:]  # a view: theta changes with it
    outside = (rest <= -math.pi / 2) | (rest > math.pi / 2)
    rest[outside] -= math.pi * np.round(rest[outside] / math.pi)
    # Rounding can leave a value on the wrong side of the half-open range by one place.
    rest[rest <= -math.pi / 2] += math.pi
    rest[rest > math.pi / 2] -= math.pi
    theta[0] = QUARTER_PI - rest.sum()
    return theta


def checked_angles(angles: npt.ArrayLike) -> Array:
    """Angles in the representative of `canonical_angles`, if they are those of a low-pass filter.

    Raises
    ------
    ValueError
        If they are not finite numbers in one dimension with the sum π/4 (mod 2π), to `TOLERANCE`.
    """
    refuse_masked(angles, "angles")
    try:
        theta = np.array(angles, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"angles must be one list of real numbers: {error}") from error
    if theta.ndim != 1 or len(theta) == 0:
        raise ValueError(f"angles must have one dimension and at least one entry, got the shape {theta.shape}")
    if not np.isfinite(theta).all():
        raise ValueError(f"angles must be finite, got {theta[~np.isfinite(theta)][0]} among them")
    excess = math.remainder(math.fsum(theta) - QUARTER_PI, 2 * math.pi)
    if abs(excess) > TOLERANCE:
        raise ValueError(
            f"the angles must add up to π/4 (mod 2π) for Σh = √2; their sum is {excess:.3g} rad off. "
            "Take π/4 minus the sum of the others as the first"
        )
    return canonical_angles(theta)


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


def taps_and_jacobian(angles: npt.ArrayLike) -> tuple[Array, Array]:
    """Taps and their derivatives with respect to the angles, all in one pass.

    Parameters
    ----------
    angles : array_like, shape (K,)
        Rotation angles in radians.

    Returns
    -------
    taps : ndarray, shape (2K,)
        As `taps_from_angles`.
    jacobian : ndarray, shape (2K, K)
        As `taps_jacobian`.
    """
    theta = np.asarray(angles, dtype=np.float64)
    count = len(theta)
    # Row 0 is the filter itself; in row k + 1 the angle k has turned on by a quarter, which is its derivative.
    many = np.vstack([theta, theta + (math.pi / 2) * np.eye(count)])
    cosine, sine = np.cos(many), np.sin(many)
    even, odd = np.zeros((2, count + 1, count))
    even[:, 0], odd[:, 0] = cosine[:, 0], sine[:, 0]
    for k in range(1, count):
        odd[:, 1:] = odd[:, :-1].copy()
        odd[:, 0] = 0.0
        c, s = cosine[:, k, None], sine[:, k, None]
        even, odd = c * even - s * odd, s * even + c * odd
    taps = np.stack([even, odd], axis=-1).reshape(count + 1, 2 * count)
    return taps[0], taps[1:].T


def _rotate(even: Array, odd: Array, angle: float) -> tuple[Array, Array]:
    c, s = math.cos(angle), math.sin(angle)
    return c * even - s * odd, s * even + c * odd


def _row(taps: Array) -> _Row:
    return [int(math.ldexp(tap, _BITS)) for tap in taps.tolist()]


def _size(gaps: list[int]) -> float:
    return max(map(abs, gaps)) / _ONE


def _peeled(row: _Row) -> Array:
    """Angles of a row, the factors of the product taken off from the right.

    The first pair of taps is orthogonal to the last pair (that is orthogonality under the longest even shift), so one
    rotation annihilates the constant of the odd component and the leading coefficient of the even one.
    """
    angles = np.zeros(len(row) // 2)
    reach = 0.0
    for k in range(len(angles) - 1, 0, -1):
        if max(map(abs, row[:2] + row[-2:])) <= _NEGLIGIBLE:
            row = [tap for pair in zip(row[0:-2:2], row[3::2], strict=True) for tap in pair]
            continue
        if reach == 0.0:
            # The taps as they were given: how far they are from orthonormal says how far it may be to taps that are.
            reach = 8 * max(_size(_gaps(row, lowpass=True)), 1e-16)
            row = _made_orthonormal(row, reach, lowpass=True)
        else:
            row = _made_orthonormal(row, reach)
        even, odd = row[0::2], row[1::2]
        first, last = even[0] ** 2 + odd[0] ** 2, even[-1] ** 2 + odd[-1] ** 2
        # The rotation's first row is parallel to the first pair, its second to the last. The larger pair tells more.
        x, y = (even[0], odd[0]) if first >= last else (odd[-1], -even[-1])
        length = math.isqrt(max(first, last, 1))
        c, s = (x << _BITS) // length, (y << _BITS) // length
        angles[k] = math.atan2(s / _ONE, c / _ONE)
        rotated = [((c * e + s * o) >> _BITS, (c * o - s * e) >> _BITS) for e, o in zip(even, odd, strict=True)]
        row = [tap for (e, _), (_, o) in itertools.pairwise(rotated) for tap in (e, o)]
    return angles


def _made_orthonormal(row: _Row, reach: float, *, lowpass: bool = False) -> _Row:
    """Orthonormal row near another: Newton's method, the shortest step each time, computed in double precision.

    A constraint is as small as the taps that it is made of, in its value and its gradient alike, so each is scaled
    by the latter. No component of a step is longer than `reach`: further away there are other filters.
    """
    best, least = row, None
    for _ in range(12):
        gaps = _gaps(row, lowpass=lowpass)
        worst = max(map(abs, gaps))
        if least is None or worst < least:
            best, least = row, worst
        if worst <= _ORTHONORMAL:
            break
        gradients = _gradients(np.array([tap / _ONE for tap in row]))[: len(gaps)]
        scale = np.abs(gradients).max(axis=1)
        scale[scale == 0.0] = 1.0
        left, sizes, right = np.linalg.svd(gradients / scale[:, None], full_matrices=False)
        wanted = left.T @ (np.array([gap / _ONE for gap in gaps]) / scale) / np.maximum(sizes, 1e-100)
        step = np.clip(wanted, -reach, reach) @ right
        row = [tap - int(math.ldexp(d, _BITS)) for tap, d in zip(row, step.tolist(), strict=True)]
    return best


def _gaps(row: _Row, *, lowpass: bool = False) -> list[int]:
    """What orthonormality lacks: Σ h(n) h(n + 2k) − δ(k) for each k, and Σ (−1)ⁿ h(n) for a low-pass filter."""
    lags = [sum(map(operator.mul, row[: len(row) - lag], row[lag:])) >> _BITS for lag in range(0, len(row), 2)]
    lags[0] -= _ONE
    return [*lags, sum(row[0::2]) - sum(row[1::2])] if lowpass else lags


def _gradients(taps: Array) -> Array:
    """Gradients of the `_gaps` in their rows, shape (K + 1, 2K)."""
    length = len(taps)
    gradients = np.zeros((length // 2 + 1, length))
    for k, gradient in enumerate(gradients[:-1]):
        gradient[: length - 2 * k] += taps[2 * k :]
        gradient[2 * k :] += taps[: length - 2 * k]
    gradients[-1, 0::2], gradients[-1, 1::2] = 1.0, -1.0
    return gradients
