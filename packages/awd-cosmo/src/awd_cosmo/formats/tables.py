"""A table that names the files of maps, and their parameters: CSV, ECSV or FITS."""

import math
import os
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units
from astropy.table import Table

from awd_cosmo.formats.map_names import realisation_of
from awd_cosmo.formats.parameters import UNITS, as_parameter, check_parameters
from awd_cosmo.formats.suite_models import Found, Model

_FILE = ("file", "filename", "path", "name", "map", "fits", "file_name")
_REALISATION = ("realisation", "realization", "seed", "real")
_REDSHIFT = ("z_s", "zs", "z", "z_source", "source_redshift", "redshift")
_LIKELY = re.compile(r"table|param|catalog|cosmolog|index|list", re.IGNORECASE)


def find_table(root: Path, names: Sequence[str]) -> str | None:
    """The one among some files that is a table with a column of files; None if there is none.

    Raises
    ------
    ValueError
        If there are several; the message names them.
    """
    likely = [name for name in names if name.lower().endswith((".csv", ".ecsv"))]
    # A folder of ten thousand maps is not opened one by one for the one table among them: its name has to hint at it.
    likely += [n for n in names if n.lower().endswith((".fits", ".fit")) and (_LIKELY.search(n) or len(names) == 1)]
    found = [name for name in likely if _file_column(_columns(root / name)) is not None]
    if len(found) > 1:
        raise ValueError(f"{root} holds several tables that name files: {', '.join(found)}; pass the path of one")
    return found[0] if found else None


def read_map_table(path: Path, notes: list[str], problems: list[tuple[str, str]]) -> list[Model]:
    """Models and their files from a table with one row a map.

    Parameters
    ----------
    path : Path
        CSV, ECSV or FITS, with a column `file` (relative to the table's folder), columns of parameters (with units if
        they have any), and, if they are known, `realisation`, `hdu` and `z_s`.
    notes, problems
        The account, and the rows that cannot be used; both are added to.

    Returns
    -------
    list of Model
        One a distinct set of parameters, in the order of the table.

    Raises
    ------
    ValueError
        If the table cannot be read or has no column of files, or a parameter is outside its range.
    """
    table = _read(path)
    column = _file_column(table.colnames)
    if column is None:
        raise ValueError(f"{path} has no column of files; name it 'file' (it has {', '.join(table.colnames)})")
    values: dict[str, np.ndarray[Any, Any]] = {}
    left = []
    for label in table.colnames:
        found = _parameter(table, label) if table[label].dtype.kind in "fiu" else None
        if found is None:
            left.append(label)
        elif found[0] in values:
            raise ValueError(f"{path}: the columns of {found[0]} come twice; {label!r} is the second")
        else:
            values[found[0]] = found[1]
    known = {name: column_[np.isfinite(column_)] for name, column_ in values.items()}
    check_parameters({name: column_ for name, column_ in known.items() if len(column_)}, str(path))
    hdu, realisation, z = (_named(table, names) for names in (("hdu",), _REALISATION, _REDSHIFT))
    other = [label for label in left if label not in (column, hdu, realisation, z)]
    notes.append(
        f"parameters of {path.name}: {', '.join(values) or 'none'}"
        + (f"; left out: {', '.join(other)}" if other else "")
    )

    models: dict[tuple[str, ...], Model] = {}
    for i, file in enumerate(str(name).strip() for name in table[column]):
        if not _exists(path.parent, file):
            problems.append((file, f"row {i} of {path.name} names it, but there is no such file"))
            continue
        parameters = {name: float(column_[i]) for name, column_ in values.items()}
        if any(map(math.isnan, parameters.values())):
            problems.append((file, f"row {i} of {path.name} lacks a parameter"))
            continue
        entry = Found(
            file,
            int(table[hdu][i]) if hdu else -1,
            int(table[realisation][i]) if realisation else realisation_of(file),
            float(table[z][i]) if z else math.nan,
        )
        key = tuple(map(repr, parameters.values()))
        models.setdefault(key, Model(f"row {i} of {path.name}", parameters, [])).files.append(entry)
    return list(models.values())


def _exists(folder: Path, file: str) -> bool:
    archive, found, _ = file.partition(".tar!")
    # not joined by a Path, which would keep every name among the interned strings
    return Path(os.path.join(folder, archive + ".tar" if found else file)).is_file()  # noqa: PTH118


def _columns(path: Path) -> list[str]:
    try:
        return list(_read(path).colnames)
    except ValueError:
        return []


def _read(path: Path) -> Table:
    formats = {".csv": "ascii.csv", ".ecsv": "ascii.ecsv"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # unknown units and the like: what counts is checked column by column
        try:
            return Table.read(path, format=formats.get(path.suffix.lower(), "fits"))
        except Exception as error:  # astropy's readers raise nearly everything; here it is one fault of one file
            raise ValueError(f"{path} cannot be read as a table: {error}") from error


def _file_column(names: Sequence[str]) -> str | None:
    return next((name for name in names if name.lower() in _FILE), None)


def _named(table: Table, names: Sequence[str]) -> str | None:
    return next((label for label in table.colnames if label.lower() in names), None)


def _parameter(table: Table, label: str) -> tuple[str, np.ndarray[Any, Any]] | None:
    column = table[label]
    numbers = np.asarray(np.ma.filled(np.ma.asarray(column, dtype=np.float64), np.nan))
    found = as_parameter(label, numbers)
    if found is None:
        return None
    name, values = found
    unit = getattr(column, "unit", None)
    if UNITS[name] and unit is not None:
        try:
            values = (values * units.Unit(unit)).to_value(UNITS[name])
        except (ValueError, TypeError, units.UnitConversionError):
            raise ValueError(f"the column {label!r} is in {unit}, which is no unit of {name} ({UNITS[name]})") from None
    return name, values
