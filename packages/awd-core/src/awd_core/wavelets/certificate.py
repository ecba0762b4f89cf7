"""The certificate of a filter: how far its taps are from an orthonormal wavelet, in numbers that anyone can check.

Every function takes the low-pass analysis taps h (PyWavelets' `dec_lo`, Σh = √2). The high-pass filter g is always
their mirror, so nothing else is needed. All of it is NumPy in float64.
"""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from awd_core.checks.real_numbers import refuse_masked
from awd_core.files.record import Record
from awd_core.typing import Array

MOMENT_TOLERANCE = 5e-12
"""Size below which a moment of a filter of unit norm counts as zero. It lies between the largest rounding in
PyWavelets' tables (2.3e-12, sym3) and their smallest moment that is not meant to vanish (1.5e-11, coif17)."""


@dataclass(frozen=True)
class Certificate(Record, format="awd-certificate", ignored=("orthonormal",)):
    """What was measured on one wavelet. Made by `certify`; errors are absolute and dimensionless.

    Attributes
    ----------
    name : str
        The wavelet's name.
    length : int
        Number L of taps.
    orthonormality_error : float
        max over k of |Σ h(n) h(n + 2k) − δ(k)|.
    sum_error : float
        |Σ h − √2|.
    highpass_sum_error : float
        |Σ g|. It can be as large as the square root of the other errors, since |H(π)|² = 2 − |H(0)|².
    reconstruction_error : float
        max |Ψ⁻¹Ψx − x| over all unit impulses x and all samples, one level, far from any boundary.
    power_complementarity_error : float
        max over ω of | |H(ω)|² + |H(ω + π)|² − 2 |, on a grid of 1024 frequencies.
    vanishing_moments : int
        Number of leading `moments` that are zero to `MOMENT_TOLERANCE`.
    moments : tuple of float
        Components of g along the normalised discrete polynomials of degree 0, 1, …, L/2 (`polynomial_components`).
    omega : ndarray, shape (257,)
        Frequencies in radians per sample, 0 to π.
    lowpass_response, highpass_response : ndarray, shape (257,)
        |H(ω)| and |G(ω)|; between 0 and √2 for an orthonormal filter.
    """

    name: str
    length: int
    orthonormality_error: float
    sum_error: float
    highpass_sum_error: float
    reconstruction_error: float
    power_complementarity_error: float
    vanishing_moments: int
    moments: tuple[float, ...]
    omega: Array = field(repr=False, compare=False)
    lowpass_response: Array = field(repr=False, compare=False)
    highpass_response: Array = field(repr=False, compare=False)

    def is_orthonormal(self, tolerance: float = 1e-8) -> bool:
        """Whether h is orthonormal under even shifts and sums to √2, both within `tolerance`.

        Σg is left out: it follows from the two, but only as the square root of their error.
        """
        return max(self.orthonormality_error, self.sum_error) <= tolerance

    def rows(self) -> list[tuple[str, str, str]]:
        """Lines of a table: (quantity, definition, value)."""
        return [
            ("taps", "L", str(self.length)),
            ("orthonormality error", "max |Σ h(n) h(n+2k) − δ(k)|", f"{self.orthonormality_error:.1e}"),
            ("low-pass sum error", "|Σ h − √2|", f"{self.sum_error:.1e}"),
            ("high-pass sum error", "|Σ g|", f"{self.highpass_sum_error:.1e}"),
            ("reconstruction error", "max |Ψ⁻¹Ψx − x|, unit impulses", f"{self.reconstruction_error:.1e}"),
            ("power error", "max ||H(ω)|² + |H(ω+π)|² − 2|", f"{self.power_complementarity_error:.1e}"),
            ("vanishing moments", f"to {MOMENT_TOLERANCE:.0e}", str(self.vanishing_moments)),
            ("orthonormal", "to 1e-08", "yes" if self.is_orthonormal() else "no"),
        ]

    def to_dict(self) -> dict[str, Any]:
        """Every field as JSON values, arrays as lists, and whether it is orthonormal."""
        values = super().to_dict()
        first = {name: values[name] for name in ("format", "version", "name", "length")}
        return first | {"orthonormal": self.is_orthonormal()} | values

    def __str__(self) -> str:
        rows = self.rows()
        quantity, definition, value = (max(len(row[i]) for row in rows) for i in range(3))
        lines = [f"{row[0]:<{quantity}}  {row[1]:<{definition}}  {row[2]:>{value}}" for row in rows]
        return "\n".join([f"Certificate of the wavelet {self.name!r}", *lines])


def certify(taps: npt.ArrayLike, name: str = "custom") -> Certificate:
    """Measure a low-pass filter.

    Parameters
    ----------
    taps : array_like, shape (L,)
        Low-pass analysis taps, L even. They need not be orthonormal.
    name : str
        Name to put on the certificate.

    Returns
    -------
    Certificate

    Examples
    --------
    >>> import math
    >>> certify([math.sqrt(0.5), math.sqrt(0.5)], "haar").vanishing_moments
    1
    """
    h = np.asarray(taps, dtype=np.float64)
    g = mirror(h)
    omega, lowpass, highpass = frequency_response(h, 257)
    for array in (omega, lowpass, highpass):
        array.flags.writeable = False
    moments = polynomial_components(g, min(len(h) // 2, len(h) - 1))
    return Certificate(
        name=name,
        length=len(h),
        orthonormality_error=orthonormality_error(h),
        sum_error=float(abs(h.sum() - math.sqrt(2))),
        highpass_sum_error=float(abs(g.sum())),
        reconstruction_error=reconstruction_error(h),
        power_complementarity_error=power_complementarity_error(h),
        vanishing_moments=vanishing_moments(h),
        moments=tuple(moments.tolist()),
        omega=omega,
        lowpass_response=lowpass,
        highpass_response=highpass,
    )


def mirror(taps: Array) -> Array:
    """High-pass analysis taps g(n) = (−1)ⁿ⁺¹ h(L − 1 − n), which is PyWavelets' `dec_hi` bit for bit."""
    signs = np.where(np.arange(len(taps)) % 2 == 0, -1.0, 1.0)
    return signs * taps[::-1]


def orthonormality_error(taps: Array) -> float:
    """Maximum over k of |Σ h(n) h(n + 2k) − δ(k)|, the distance from orthonormality under even shifts."""
    even_lags = np.correlate(taps, taps, mode="full")[len(taps) - 1 :: 2]
    even_lags[0] -= 1.0
    return float(np.abs(even_lags).max())


def reconstruction_error(taps: Array) -> float:
    """Maximum of |Ψ⁻¹Ψx − x| over all unit impulses x: both the distortion and the alias term of the two-channel bank.

    The bank commutes with shifts by two samples, so an impulse at an even and one at an odd place stand for all. One
    level, on an unbounded line; J levels add up to about J times as much.
    """
    g = mirror(taps)
    worst = 0.0
    for place in (0, 1):
        impulse = np.zeros(place + 1)
        impulse[place] = 1.0
        returned = np.zeros(place + 2 * len(taps) - 1)
        for analysis in (taps, g):
            subband = np.convolve(impulse, analysis)
            subband[1::2] = 0.0  # decimated, then filled with zeros again
            returned += np.convolve(subband, analysis[::-1])
        returned[place + len(taps) - 1] -= 1.0  # the bank delays by L − 1 samples
        worst = max(worst, float(np.abs(returned).max()))
    return worst


def power_complementarity_error(taps: Array, n: int = 1024) -> float:
    """Maximum of | |H(ω)|² + |H(ω + π)|² − 2 | over `n` frequencies from 0 to π, ends included."""
    _, lowpass, _ = frequency_response(taps, n)
    # h is real, so |H(ω + π)| = |H(π − ω)|: the same grid backwards.
    return float(np.abs(lowpass**2 + lowpass[::-1] ** 2 - 2.0).max())


def frequency_response(taps: Array, n: int) -> tuple[Array, Array, Array]:
    """Frequencies ω (radians per sample, `n` from 0 to π with both ends), |H(ω)| and |G(ω)|, each of shape (n,)."""
    omega = np.linspace(0.0, math.pi, n)
    waves = np.exp(-1j * np.outer(omega, np.arange(len(taps))))
    return omega, np.abs(waves @ taps), np.abs(waves @ mirror(taps))


def polynomial_components(highpass: Array, degree: int) -> Array:
    """Components of a filter along the polynomials of degree 0 … `degree` that are orthonormal on its L samples.

    The first p are zero if and only if the first p moments Σ nᵏ g(n) are. Unlike those, whose rounding error swamps
    them from p ≈ 15 on, the components are all of the size of g, so that one tolerance serves for every degree. The
    basis is built by Arnoldi's iteration (Brubeck, Nakatsukasa and Trefethen 2021, "Vandermonde with Arnoldi").

    Parameters
    ----------
    highpass : ndarray, shape (L,)
        High-pass taps g.
    degree : int
        Largest degree, below L.

    Returns
    -------
    ndarray, shape (degree + 1,)
        Components, signed.
    """
    length = len(highpass)
    samples = np.linspace(-1.0, 1.0, length)
    basis = np.full((1, length), 1 / math.sqrt(length))
    for _ in range(degree):
        new = samples * basis[-1]
        for _ in range(2):  # twice is enough for orthogonality to rounding
            new = new - basis.T @ (basis @ new)
        basis = np.vstack([basis, new / np.linalg.norm(new)])
    return basis @ highpass


def vanishing_moments(taps: Array, tolerance: float = MOMENT_TOLERANCE) -> int:
    """Count the leading moments Σ nᵏ g(n), k = 0 … p − 1, that are zero.

    A moment counts as zero when the component of g along the normalised polynomial of its degree is below
    `tolerance`. All of PyWavelets' db, sym and coif wavelets come out with their nominal number.
    """
    components = np.abs(polynomial_components(mirror(taps), len(taps) - 1)) < tolerance
    return len(components) if components.all() else int(np.argmin(components))


def checked_taps(taps: npt.ArrayLike, tolerance: float) -> Array:
    """Taps as float64, if they are an orthonormal low-pass filter to the tolerance.

    Raises
    ------
    TypeError
        If they are not real numbers.
    ValueError
        If they are not an even number of finite values in one dimension, orthonormal with Σh = √2. The message says
        how far off they are and what to do.
    """
    try:
        refuse_masked(taps, "taps")
        # A filter's taps may still be part of a graph.
        given = np.asarray(getattr(taps, "detach", lambda: taps)())
    except ValueError as reason:
        raise ValueError(f"taps must be one list of numbers: {reason}") from reason
    if given.dtype.kind not in "fiu":
        raise TypeError(f"taps must be real numbers, got the type {given.dtype}")
    if given.ndim != 1:
        raise ValueError(f"taps must have one dimension, got the shape {given.shape}")
    if len(given) < 2 or len(given) % 2:
        raise ValueError(f"the number of taps must be even and at least 2, got {len(given)}; add a zero at an end")
    h = given.astype(np.float64)
    if not np.isfinite(h).all():
        raise ValueError(f"taps must be finite, got {h[~np.isfinite(h)][0]} among them")
    error, sum_error = orthonormality_error(h), abs(float(h.sum()) - math.sqrt(2))
    if max(error, sum_error) > tolerance:
        raise ValueError(
            f"the taps are not an orthonormal low-pass filter to the tolerance {tolerance:.1e}: orthonormality under "
            f"even shifts is off by {error:.1e}, the sum is {h.sum():.9g} instead of √2 = 1.414213562. "
            + _advice(h, given.dtype, error)
        )
    return h


def _advice(h: Array, dtype: np.dtype[Any], error: float) -> str:
    total = float(h.sum())
    for wrong, cure in (
        (-math.sqrt(2), "change their sign"),
        (1.0, "multiply them by √2"),
        (2.0, "divide them by √2"),
        (0.0, "this is a high-pass filter: give the low-pass analysis filter, dec_lo"),
    ):
        if abs(total - wrong) < 1e-3:
            return cure[0].upper() + cure[1:]
    if dtype.itemsize < 8 and error < 1e-2:
        return f"They are {dtype}: compute them in float64, or pass tolerance=1e-5"
    return "Learn the angles (Wavelet.from_angles) to have them orthonormal, or accept them with a larger tolerance="
