"""Which source redshift maps are read of: chosen among those that they say, or said where they say nothing."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from awd_cosmo.formats.headers import MapHeader
from awd_cosmo.formats.suite_models import Found, Model

REDSHIFT_TOLERANCE = 0.005
"""Difference of source redshifts that is taken for none: names have two decimals."""
DEFAULT_REDSHIFT = 1.0
"""Redshift of the sources that is read from a suite with several, unless told otherwise; the account says so."""


@dataclass(slots=True)
class Row:
    """A map on its way into the table: references, and what its header adds to what its name tells.

    Equal sets of parameters are one object: a set belongs to thousands of maps.
    """

    found: Found
    model: int
    parameters: dict[str, float]
    header: MapHeader | None
    hdu: int
    z_s: float
    realisation: int


def models_at_redshift(models: Sequence[Model], wanted: float | None, notes: list[str]) -> list[Model]:
    """Only the files of one source redshift, and those whose names do not tell theirs."""
    there = Counter(found.z_s for model in models for found in model.files if not math.isnan(found.z_s))
    if not there:
        return list(models)
    for model in models:
        there.update(dict.fromkeys(model.elsewhere, 0))
    chosen = choose_redshift(there, wanted, notes)
    return [model.at_redshift(chosen, REDSHIFT_TOLERANCE) for model in models]


def at_redshift(
    rows: list[Row], wanted: float | None, relabel: float | None, notes: list[str], problems: list[tuple[str, str]]
) -> list[Row]:
    """Only the maps of one source redshift; of maps without parameters, which nothing learns from, all.

    Parameters
    ----------
    rows : list of Row
        With what names, tables and headers say.
    wanted : float, optional
        To be chosen among several, or what it is where no map says anything.
    relabel : float, optional
        What it is whatever maps say.
    notes, problems
        The account, and the maps that are left out because they do not say theirs; both are added to.

    Raises
    ------
    ValueError
        If no map has the redshift that is wanted, or there are several and none is.
    """
    there = Counter(row.z_s for row in rows if not math.isnan(row.z_s))
    several = bool(there) and max(there) - min(there) > REDSHIFT_TOLERANCE
    if (there and wanted is not None) or (several and relabel is None and any(row.parameters for row in rows)):
        chosen = choose_redshift(there, wanted, notes if several else [])
        kept = []
        for row in rows:
            if math.isnan(row.z_s):
                problems.append((
                    row.found.file,
                    "it does not say its source redshift, and others do; mend it, leave it out, or give "
                    "--relabel-redshift (relabel_redshift=) for all",
                ))  # fmt: skip
            elif abs(row.z_s - chosen) <= REDSHIFT_TOLERANCE:
                kept.append(row)
        rows = kept
    elif not there and wanted is not None and rows:
        notes.append(f"source redshift {wanted:g}, as told: no map says its own")
        relabel = wanted if relabel is None else relabel
    elif there and (silent := sum(math.isnan(row.z_s) for row in rows)) and relabel is None:
        notes.append(f"{silent} of {len(rows)} maps do not say their source redshift")
    if relabel is not None:
        others = sorted(z for z in there if abs(z - relabel) > REDSHIFT_TOLERANCE)
        if others:
            notes.append(f"source redshift {relabel:g} for all maps, as told, though some say {_list(others)}")
        for row in rows:
            row.z_s = relabel
    return rows


def choose_redshift(there: Counter[float], wanted: float | None, notes: list[str]) -> float:
    """The one that is wanted, the only one, or the default where it is there; the account says which, of how many."""
    shown = _list(there)
    if wanted is not None:
        chosen = min(there, key=lambda z: abs(z - wanted))
        if abs(chosen - wanted) > REDSHIFT_TOLERANCE:
            raise ValueError(
                f"no maps of source redshift {wanted:g}; there are {shown}. Give one as --source-redshift "
                "(source_redshift=), or say what it is with --relabel-redshift (relabel_redshift=)"
            )
        how = ", as asked"
    elif max(there) - min(there) <= REDSHIFT_TOLERANCE:
        chosen, how = next(iter(there)), ", the only one"
    elif any(abs(z - DEFAULT_REDSHIFT) <= REDSHIFT_TOLERANCE for z in there):
        chosen, how = DEFAULT_REDSHIFT, f" taken of {shown}; give --source-redshift (source_redshift=) for another"
    else:
        raise ValueError(
            f"the maps have the source redshifts {shown}: give one as --source-redshift (source_redshift=)"
        )
    mine = sum(count for z, count in there.items() if abs(z - chosen) <= REDSHIFT_TOLERANCE)
    counted = f": {mine} of {total} maps" if (total := sum(there.values())) > mine else ""
    notes.append(f"source redshift {chosen:g}{how}{counted}")
    return chosen


def _list(redshifts: "Sequence[float] | Counter[float]", most: int = 12) -> str:
    shown = list(dict.fromkeys(f"{z:g}" for z in sorted(redshifts)))
    return ", ".join(shown[:most]) + (", …" if len(shown) > most else "")
