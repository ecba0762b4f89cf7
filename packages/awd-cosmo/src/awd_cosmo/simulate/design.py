"""Which cosmologies to simulate: space-filling designs over named ranges of parameters."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from astropy import units
from astropy.table import QTable

from awd_core.checks import check_kind, real_array, whole_number
from awd_core.typing import Array
from awd_cosmo.formats.parameters import UNITS, check_parameters

Ranges = Mapping[str, tuple[float, float]]

MASSIVENUS_RANGES: dict[str, tuple[float, float]] = {"M_nu": (0.0, 0.62), "Omega_m": (0.18, 0.42), "A_s": (1.29, 2.91)}
"""Ranges of the MassiveNuS models (Liu et al. 2018, JCAP 03, 049); M_ν in eV, and 10⁹ A_s."""

DECIMALS = {"M_nu": 5, "Omega_m": 5, "A_s": 4}
"""Digits behind the point in the names of MassiveNuS' folders. Other parameters have 5."""


def latin_hypercube(ranges: Ranges, n: int, *, seed: int, rounded: bool = True) -> QTable:
    """Points of which each parameter's n equal strata hold one each (McKay, Beckman and Conover 1979).

    Parameters
    ----------
    ranges : mapping
        Parameter to (low, high).
    n : int
        Number of cosmologies.
    seed : int
        The same seed gives the same design.
    rounded : bool
        To the digits of `DECIMALS`, so that the name of a folder tells the parameters exactly.

    Returns
    -------
    QTable
        `cosmology` (int, from 0) and a column for each parameter, M_nu in eV.

    Raises
    ------
    ValueError
        An unknown parameter, a range that is empty or not plausible, fewer than one cosmology, or two cosmologies
        that are the same after rounding.

    Examples
    --------
    >>> table = latin_hypercube({"Omega_m": (0.2, 0.4), "A_s": (1.5, 2.5)}, 4, seed=0)
    >>> sorted((table["Omega_m"] // 0.05).astype(int).tolist())
    [4, 5, 6, 7]
    """
    from scipy.stats import qmc

    low, high = _limits(ranges, n)
    sampler = qmc.LatinHypercube(len(ranges), seed=np.random.default_rng(whole_number("seed", seed, 0)))
    return _table(ranges, qmc.scale(sampler.random(n), low, high), rounded)


def sobol(ranges: Ranges, n: int, *, seed: int, rounded: bool = True) -> QTable:
    """The first n points of a scrambled Sobol sequence; best balanced where n is a power of two.

    A longer design of the same seed starts with the shorter one, so that a suite can grow.

    Parameters
    ----------
    ranges, n, seed, rounded
        As in `latin_hypercube`.

    Returns
    -------
    QTable
        As of `latin_hypercube`.

    Raises
    ------
    ValueError
        As in `latin_hypercube`.

    Examples
    --------
    >>> sobol({"Omega_m": (0.2, 0.4)}, 3, seed=1)["cosmology"].tolist()
    [0, 1, 2]
    """
    from scipy.stats import qmc

    low, high = _limits(ranges, n)
    sampler = qmc.Sobol(len(ranges), seed=np.random.default_rng(whole_number("seed", seed, 0)))
    # In whole powers of two, of which scipy approves; what is too much is left.
    points = sampler.random_base2((int(n) - 1).bit_length())[:n]
    return _table(ranges, qmc.scale(points, low, high), rounded)


def design_table(columns: Mapping[str, npt.ArrayLike]) -> QTable:
    """A design from values of one's own.

    Parameters
    ----------
    columns : mapping
        Parameter to its values, one a cosmology; M_nu in eV.

    Returns
    -------
    QTable
        As of `latin_hypercube`.

    Raises
    ------
    ValueError
        An unknown parameter, a value that is not plausible, columns of unequal length, or a cosmology that is there
        twice.

    Examples
    --------
    >>> design_table({"M_nu": [0.0, 0.1], "Omega_m": [0.3, 0.3], "A_s": [2.1, 2.1]})["M_nu"]
    <Quantity [0. , 0.1] eV>
    """
    values = {name: np.atleast_1d(np.asarray(column, dtype=np.float64)) for name, column in columns.items()}
    if len({column.shape for column in values.values()}) != 1 or next(iter(values.values())).ndim != 1:
        raise ValueError(f"columns must be of one length; got { ({k: v.shape for k, v in values.items()}) }")
    check_parameters(values, "the design")
    points = np.column_stack(list(values.values()))
    unique, count = np.unique(points, axis=0, return_counts=True)
    if len(unique) < len(points):
        twice = ", ".join(f"{name} = {x:g}" for name, x in zip(values, unique[count > 1][0], strict=True))
        raise ValueError(f"the cosmology {twice} is {count.max()} times in the design; leave it in once")
    table = QTable({"cosmology": np.arange(len(points))})
    for name, column in values.items():
        table[name] = column * units.Unit(UNITS[name]) if UNITS[name] else column
    return table


def _limits(ranges: Ranges, n: int) -> tuple[Array, Array]:
    whole_number("n", n)
    check_kind("ranges", ranges, Mapping)
    if not ranges:
        raise ValueError("a design needs the range of at least one parameter, as {'Omega_m': (0.2, 0.4)}")
    limits = [real_array(pair, f"the range of {name}").astype(np.float64) for name, pair in ranges.items()]
    for name, pair in zip(ranges, limits, strict=True):
        if pair.shape != (2,):
            raise ValueError(f"the range of {name} must be (low, high), got {ranges[name]!r}")
    low, high = np.array(limits).T
    check_parameters(dict(zip(ranges, np.column_stack([low, high]), strict=True)), "the ranges of a design")
    for name, a, b in zip(ranges, low, high, strict=True):
        if not a < b:
            raise ValueError(f"the range of {name} must rise, got ({a:g}, {b:g})")
    return low, high


def _table(ranges: Ranges, points: Array, rounded: bool) -> QTable:
    columns = {}
    for name, column in zip(ranges, points.T, strict=True):
        low, high = ranges[name]
        # Rounding must not lead out of the range.
        columns[name] = np.clip(np.round(column, DECIMALS.get(name, 5)), low, high) if rounded else column
    return design_table(columns)
