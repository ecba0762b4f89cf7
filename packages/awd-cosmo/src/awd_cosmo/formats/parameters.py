"""Cosmological parameters: their names, the ranges that are plausible, and where files write them.

One name each, everywhere: `M_nu` (sum of the neutrino masses, eV), `Omega_m`, `A_s` (this is 10⁹ A_s, as MassiveNuS
writes it), `sigma8`, `S8`, `h`, `n_s`, `w`. Every value that is read from a name, a header or a table is held against
its range, because the commonest mistake with such files is two columns that were swapped, and that mistake is silent.
"""

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from awd_core.checks import check_kind, is_real_number, real_array
from awd_core.typing import Array, Flags


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter: what it means, its unit, its plausible range, how others write it, its card in a FITS header."""

    meaning: str
    unit: str
    low: float
    high: float
    labels: tuple[str, ...]
    card: str


PARAMETERS: dict[str, Parameter] = {
    "M_nu": Parameter(
        "sum of the neutrino masses", "eV", 0.0, 1.0, ("mnu", "mnv", "summnu", "mnutot", "mν", "σmν"), "M_NU"
    ),
    "Omega_m": Parameter("matter density", "", 0.05, 0.6, ("omegam", "om", "om0", "omegam0", "ωm"), "OMEGA_M"),
    "A_s": Parameter("10⁹ × primordial amplitude", "", 1.0, 4.0, ("as", "as9", "109as", "1e9as", "10as9"), "A_S"),
    "sigma8": Parameter("amplitude at 8 Mpc/h", "", 0.3, 1.3, ("sigma8", "si", "si8", "sig8", "σ8"), "SIGMA8"),
    "S8": Parameter("σ8 √(Ω_m / 0.3)", "", 0.2, 1.5, ("s8",), "S8"),
    "h": Parameter("Hubble constant / (100 km/s/Mpc)", "", 0.4, 1.0, ("h", "hubble", "littleh"), "H"),
    "n_s": Parameter("slope of the primordial spectrum", "", 0.7, 1.3, ("ns", "spectralindex"), "N_S"),
    "w": Parameter("equation of state of dark energy", "", -3.0, 0.0, ("w", "w0"), "W0"),
}
"""Every parameter that is known, by name."""

Ranges = Mapping[str, tuple[float, float]]

RANGES: dict[str, tuple[float, float]] = {name: (p.low, p.high) for name, p in PARAMETERS.items()}
"""Plausible range of each parameter, both ends included."""

UNITS: dict[str, str] = {name: p.unit for name, p in PARAMETERS.items()}
"""Unit of each parameter; empty where it has none."""

MASSIVENUS_FIDUCIAL: dict[str, float] = {"h": 0.7, "n_s": 0.97, "w": -1.0}
"""What all MassiveNuS models share (Liu et al. 2018, JCAP 03, 049)."""

_LABELS = {label: name for name, p in PARAMETERS.items() for label in (name.lower().replace("_", ""), *p.labels)}
_TOKEN = re.compile(r"(?:^|_)(mnv|om|As|Om|Ol|w|ns|si|h)(-?\d+\.\d+|-?\d+)(?=_|$|\.)")
_MASSIVENUS = re.compile(r"^convergence_[A-Za-z0-9]+_mnv\d+(\.\d+)?_om\d+(\.\d+)?_As\d+(\.\d+)?(\.tar)?$")


def massivenus_name(M_nu: float, Omega_m: float, A_s: float) -> str:
    """Name of a model's folder, or of its tar without the ending, in MassiveNuS as released.

    Parameters
    ----------
    M_nu : float
        Sum of the neutrino masses in eV.
    Omega_m : float
        Matter density.
    A_s : float
        10⁹ times the primordial amplitude.

    Raises
    ------
    ValueError
        If a value is outside its plausible range.

    Examples
    --------
    >>> massivenus_name(0.0, 0.3, 2.1)
    'convergence_gal_mnv0.00000_om0.30000_As2.1000'
    """
    check_parameters({"M_nu": M_nu, "Omega_m": Omega_m, "A_s": A_s}, "a MassiveNuS name")
    return f"convergence_gal_mnv{M_nu:.5f}_om{Omega_m:.5f}_As{A_s:.4f}"


def is_massivenus_name(name: str) -> bool:
    """Whether a folder or a tar is named as MassiveNuS was released."""
    return _MASSIVENUS.match(name) is not None


def parse_name(name: str) -> dict[str, float]:
    """Parameters that the name of a folder or a tar tells.

    Parameters
    ----------
    name : str
        For instance `convergence_gal_mnv0.10000_om0.30000_As2.1000.tar` (MassiveNuS), `Om0.260_si0.800`, or
        `Om0.260_Ol0.740_w-1.000_ns0.960_si0.800` (older Columbia suites).

    Returns
    -------
    dict
        By name; empty if the name does not tell Ω_m. Ranges are not checked here.

    Examples
    --------
    >>> parse_name("Om0.260_si0.800")
    {'Omega_m': 0.26, 'sigma8': 0.8}
    >>> parse_name("thumbnails")
    {}
    """
    found = {}
    for label, number in _TOKEN.findall(name):
        if label != "Ol":  # Ω_Λ = 1 − Ω_m in these suites: not a parameter of its own
            found[_LABELS[label.lower()]] = float(number)
    return found if "Omega_m" in found else {}


def parameter_name(label: str) -> str | None:
    """The name of the parameter that a column or a header card is called by, or None.

    Units in brackets, case, underscores and spaces do not matter. S8 is not σ8, and is not taken for it; nor is
    `omega_m`, which is Ω_m h² for CLASS, for Ω_m.

    Examples
    --------
    >>> parameter_name("OMEGA_M"), parameter_name("Mnu [eV]"), parameter_name("S_8")
    ('Omega_m', 'M_nu', 'S8')
    """
    if is_ambiguous(label):
        return None
    bare = re.sub(r"\[.*?\]|\(.*?\)", "", label)
    return _LABELS.get(re.sub(r"[^a-z0-9σων]", "", bare.lower()))


def is_ambiguous(label: str) -> bool:
    """Whether a label is Ω_m for some and Ω_m h² for others: small letters are physical densities for CLASS.

    Examples
    --------
    >>> is_ambiguous("omega_m"), is_ambiguous("Omega_m"), is_ambiguous("OMEGA_M")
    (True, False, False)
    """
    return re.sub(r"\[.*?\]|\(.*?\)|[\s_]", "", label) == "omegam"


def as_parameter(label: str, values: npt.ArrayLike) -> tuple[str, Array] | None:
    """A labelled value, or column of values, as one of our parameters: H0 becomes h, and A_s becomes 10⁹ A_s.

    Parameters
    ----------
    label : str
        What the column or card is called.
    values : array_like
        Its values.

    Returns
    -------
    tuple of str and ndarray, or None
        Our name and the values in our units; None if the label is no parameter.

    Examples
    --------
    >>> as_parameter("A_s", 2.1e-9)
    ('A_s', array(2.1))
    >>> as_parameter("H0", [70.0, 72.0])
    ('h', array([0.7 , 0.72]))
    """
    numbers = np.asarray(values, dtype=np.float64)
    if re.sub(r"[^a-z0-9]", "", label.lower()) in ("h0", "hubbleconstant"):
        return "h", numbers / 100.0
    name = parameter_name(label)
    if name is None:
        return None
    # No suite is between 1e-7 and 1: a value of about 2e-9 is A_s itself.
    if name == "A_s" and numbers.size and np.all(np.abs(numbers) < 1e-7):
        numbers = np.asarray(np.round(numbers * 1e9, 12))
    return name, numbers


def check_redshift(source_redshift: float | None) -> None:
    """Refuse what is no redshift of sources; None stands for one that is not known.

    Raises
    ------
    ValueError
        If it is not a positive number.

    Examples
    --------
    >>> check_redshift(-1.0)
    Traceback (most recent call last):
    ...
    ValueError: source_redshift = -1.0 must be positive and finite, or None where it is not known
    """
    if source_redshift is not None and not (is_real_number(source_redshift) and source_redshift > 0):
        raise ValueError(
            f"source_redshift = {source_redshift!r} must be positive and finite, or None where it is not known"
        )


def check_parameters(values: Mapping[str, npt.ArrayLike], where: str, ranges: Ranges | None = None) -> None:
    """Hold parameters against their plausible ranges.

    Parameters
    ----------
    values : mapping of str to float or array_like
        By our names; columns of equal length, or single values.
    where : str
        What they were read from, for the message.
    ranges : mapping of str to (low, high), optional
        In place of those of `RANGES`.

    Raises
    ------
    ValueError
        If a value is not finite or is outside its range; it names the value and the range and, if an exchange of
        columns puts every one of them in its range, that exchange.

    Examples
    --------
    >>> check_parameters({"Omega_m": 0.26, "sigma8": 0.8}, "a header")
    """
    check_kind("parameters", values, Mapping)
    columns = _columns(values, where)
    known = RANGES | dict(ranges or {})
    for name in columns:
        if name not in known:
            raise ValueError(f"unknown parameter {name!r} in {where}; known are {', '.join(RANGES)}")
    for name, column in columns.items():
        bad = np.flatnonzero(~_fits(name, column, known))
        if len(bad):
            row = f" (row {bad[0]})" if len(column) > 1 else ""
            hint = (
                exchange(columns, ranges) or "check which column is which, and the units (M_nu in eV, A_s as 10⁹ A_s)"
            )
            raise ValueError(
                f"{where}: {_outside(name, column[bad[0]], known, row)}; {hint}{_wider(name, column[bad[0]])}"
            )


def outside(values: Mapping[str, float], ranges: Ranges | None = None, *, row: str = "") -> str:
    """Which parameter of a map is outside its range, in words; empty if none is.

    Examples
    --------
    >>> outside({"Omega_m": 0.26}), outside({"Omega_m": 0.26, "sigma8": 1.5}, {"sigma8": (0.3, 2.0)})
    ('', '')
    """
    known = RANGES | dict(ranges or {})
    for name, value in values.items():
        if name in known and not _fits(name, np.array([value]), known)[0]:
            return f"{_outside(name, value, known, row)}{_wider(name, value)}"
    return ""


def exchange(values: Mapping[str, npt.ArrayLike], ranges: Ranges | None = None) -> str:
    """Which exchange of columns puts every value into its range, in words; empty if none does."""
    columns, known = _columns(values, "the parameters"), RANGES | dict(ranges or {})
    names = list(columns)
    for one, other in itertools.combinations(names, 2):
        swapped = columns | {one: columns[other], other: columns[one]}
        if all(_fits(name, column, known).all() for name, column in swapped.items()):
            return f"with {one} and {other} exchanged every value fits: are these two swapped?"
    orders = itertools.permutations(names) if len(names) <= 5 else iter(())
    for order in orders:
        if all(_fits(name, columns[source], known).all() for name, source in zip(names, order, strict=True)):
            right = {source: name for name, source in zip(names, order, strict=True)}
            return f"every value fits if the columns are in fact {', '.join(right[name] for name in names)}"
    return ""


def check_ranges(ranges: Mapping[str, tuple[float, float]]) -> None:
    """Refuse ranges that are none.

    Raises
    ------
    ValueError
        If an end is no finite number, or the lower is not below the upper.

    Examples
    --------
    >>> check_ranges({"sigma8": (0.2, 1.6)})
    """
    for name, ends in check_kind("ranges", ranges, Mapping).items():
        if len(ends) != 2 or not all(map(is_real_number, ends)) or not ends[0] < ends[1]:
            raise ValueError(f"the range of {name} is {ends!r}; give its two ends, the lower first, as (0.2, 1.6)")


def _columns(values: Mapping[str, npt.ArrayLike], where: str) -> dict[str, Array]:
    return {
        name: np.atleast_1d(real_array(column, f"{where}: {name}").astype(np.float64))
        for name, column in values.items()
    }


def _outside(name: str, value: float, known: Ranges, row: str = "") -> str:
    low, high = known[name]
    return f"{name} = {value:g}{row} is outside its plausible range, {low:g} to {high:g}"


def _wider(name: str, value: float) -> str:
    if not np.isfinite(value):
        return ""
    return f"; if it is right, give --ranges {name}=LOW:HIGH (ranges={{{name!r}: (low, high)}})"


def _fits(name: str, column: Array, known: Ranges) -> Flags:
    low, high = known[name]
    # NaN compares false; written decimals may lie a rounding outside.
    inside: Flags = (column >= low - 1e-9) & (column <= high + 1e-9)
    return inside
