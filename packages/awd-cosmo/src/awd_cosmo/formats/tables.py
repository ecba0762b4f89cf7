"""Tables with a suite: of its maps, with files and parameters (CSV, ECSV or FITS), or of its models (plain text)."""

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

from awd_core.typing import Array
from awd_cosmo.formats.map_names import realisation_of
from awd_cosmo.formats.parameters import RANGES, UNITS, as_parameter, check_parameters, parameter_name
from awd_cosmo.formats.suite_models import Found, Model

COPY_COLUMNS = ("index", "M_nu", "Omega_m", "A_s", "sigma8")
"""The order that `cosmological_parameters.txt` most likely has. Never assumed: to be passed by who has looked."""

_INDEX_LABELS = ("index", "idx", "model", "id", "number", "i")
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


def read_parameter_file(path: Path, columns: Sequence[str] | None = None, notes: list[str] | None = None) -> Table:
    r"""Read the parameters of the models from text, one row a model, as `cosmological_parameters.txt`.

    Parameters
    ----------
    path : Path
        Text that `numpy.loadtxt` reads: numbers parted by spaces or commas. A header, behind # or not, is used.
    columns : sequence of str, optional
        Names of the columns, when there is no header, or to overrule it: parameters, "index" for the number of the
        model, "-" for a column to leave out. For instance `COPY_COLUMNS`.
    notes : list of str, optional
        The account, which is added to.

    Returns
    -------
    Table
        The models in the order of the file: `index`, if there is one, and the parameters.

    Raises
    ------
    ValueError
        If there is neither a header nor `columns`, if rows are of unequal length or not numbers, if a column is
        outside its range (with the exchange of columns that would fit, if there is one), or if an index comes twice.
    FileNotFoundError
        If there is no such file.

    Examples
    --------
    >>> import tempfile
    >>> place = Path(tempfile.mkdtemp()) / "cosmological_parameters.txt"
    >>> _ = place.write_text("0 0.0 0.30 2.1 0.85\n1 0.1 0.28 2.3 0.83\n")
    >>> read_parameter_file(place, columns=COPY_COLUMNS)["Omega_m"].tolist()
    [0.3, 0.28]
    """
    notes = [] if notes is None else notes
    header, numbers = _read_text(path)
    if columns is not None:
        names = [_column(label) or label for label in columns]
        unknown = [name for name in names if name not in RANGES and name not in ("index", "-")]
        if unknown:
            allowed = ", ".join(["index", "-", *RANGES])
            raise ValueError(f"columns={tuple(columns)!r} has {unknown[0]!r}, which is no parameter; use {allowed}")
        notes.append(f"columns of {path.name} as given by option: {', '.join(names)}")
    elif header is not None:
        names = [_column(label) or "-" for label in header]
        left = [label for label, name in zip(header, names, strict=True) if name == "-"]
        notes.append(f"columns of {path.name} by its header: {', '.join(header)}")
        if left:
            notes.append(f"columns of {path.name} that are no parameter and were left out: {', '.join(left)}")
    else:
        raise ValueError(
            f"{path} has {numbers.shape[1]} columns and no header that names them: pass columns=, for instance "
            f"columns={COPY_COLUMNS!r}; its first row is {' '.join(f'{x:g}' for x in numbers[0])}"
        )
    if len(names) != numbers.shape[1]:
        raise ValueError(f"{path} has {numbers.shape[1]} columns, but {len(names)} names were given: {tuple(names)!r}")
    twice = [name for name in names if name != "-" and names.count(name) > 1]
    if twice:
        raise ValueError(f"{path}: the column {twice[0]!r} comes twice in {tuple(names)!r}; name each once")

    table = Table({name: numbers[:, i] for i, name in enumerate(names) if name != "-"})
    if not (known := [name for name in table.colnames if name in RANGES]):
        raise ValueError(f"{path} has no column that is a parameter; known are {', '.join(RANGES)}")
    if "A_s" in known:
        table["A_s"] = as_parameter("A_s", table["A_s"])[1]  # type: ignore[index]
    check_parameters({name: np.asarray(table[name]) for name in known}, str(path))
    if "index" in names:
        column = np.asarray(table["index"])
        if (odd := column != column.round()).any():
            raise ValueError(f"{path}: the column taken as index holds {column[odd][0]:g}: not a number of a model")
        seen, count = np.unique(column, return_counts=True)
        if count.max() > 1:
            raise ValueError(
                f"{path}: the index {seen[count > 1][0]:g} comes {count.max()} times; each model has one row"
            )
        table["index"] = column.astype(np.int64)
    return table


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


def _read_text(path: Path) -> tuple[list[str] | None, Array]:
    labels: list[str] | None = None
    rows: list[list[float]] = []
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), start=1):
        text = line.strip()
        comment = text.startswith("#")
        bare = re.sub(r"\[.*?\]|\(.*?\)", "", text.lstrip("# "))
        tokens = re.split(r"[,\s]+", bare.strip(", \t")) if bare.strip() else []
        if not tokens:
            continue
        if comment:
            # The last comment in front of the numbers that names a parameter is the header.
            if not rows and any(parameter_name(token) for token in tokens):
                labels = tokens
            continue
        try:
            row = [float(token) for token in tokens]
        except ValueError:
            if rows or not any(_column(token) for token in tokens):
                raise ValueError(f"{path}, line {number}: {text!r} is neither a row of numbers nor a header") from None
            labels = tokens
            continue
        if rows and len(row) != len(rows[0]):
            raise ValueError(f"{path}, line {number}: {len(row)} numbers where the lines above have {len(rows[0])}")
        if not all(map(math.isfinite, row)):
            raise ValueError(f"{path}, line {number}: {text!r} holds a value that is not finite; leave such a row out")
        rows.append(row)
    if not rows:
        raise ValueError(f"{path} holds no row of numbers")
    if labels is not None and len(labels) != len(rows[0]):
        labels = None  # a remark in words, or a header that lost a column: not to be guessed at
    return labels, np.array(rows)


def _column(label: str) -> str | None:
    return "index" if label.lower() in _INDEX_LABELS else parameter_name(label)
