"""Shifts of a lognormal convergence, the largest drop below its mean, by name. Nothing heavy is imported here."""

import math
from numbers import Real

from awd_core.checks import check_choice

SHIFTS = ("empty-beam", "hilbert")
"""Shifts by name."""


def checked_shift(shift: object, name: str = "shift") -> str | float:
    """A shift that may be one: a name, or a number above 0.

    Raises
    ------
    ValueError
        If it is neither.

    Examples
    --------
    >>> checked_shift("hilbert"), checked_shift("0.03"), checked_shift(0.03)
    ('hilbert', 0.03, 0.03)
    """
    if isinstance(shift, str):
        try:
            shift = float(shift)
        except ValueError:
            check_choice(name, shift, (*SHIFTS, "a number"), required=True)
            if shift in SHIFTS:
                return shift
            raise ValueError(f"{name} is {shift!r}; give the number itself") from None
    if isinstance(shift, bool) or not isinstance(shift, Real) or not 0 < float(shift) < math.inf:
        raise ValueError(f"{name} is {shift!r}; give a number above 0, or {' or '.join(SHIFTS)}")
    return float(shift)


def hilbert_shift(source_redshift: float) -> float:
    """Shift of a lognormal convergence as fitted to ray tracing through the Millennium simulation.

        s = 0.008 z + 0.029 z² − 0.0079 z³ + 0.00065 z⁴

    Hilbert, Hartlap and Schneider 2011 (A&A 536, A85), in the form that GLASS takes (Tessore et al. 2023): of sources
    at one redshift, in one cosmology (Ω_m 0.25, σ8 0.9), which it does not know from others.

    Parameters
    ----------
    source_redshift : float
        Redshift of the source plane.

    Examples
    --------
    >>> round(hilbert_shift(1.0), 5)
    0.02975
    """
    from awd_core.checks import real_number

    z = real_number("source_redshift", source_redshift, above=0, most=3.5)
    return z * (0.008 + z * (0.029 + z * (-0.0079 + z * 0.00065)))
