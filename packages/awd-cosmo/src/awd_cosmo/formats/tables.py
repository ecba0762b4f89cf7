"""Tables with a suite: of its maps, with files and parameters (CSV, ECSV or FITS), or of its models (plain text)."""

import math
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np
from astropy import units
from astropy.table import Table

from awd_core.typing import Array
from awd_cosmo.formats.headers import redshift_from_name
from awd_cosmo.formats.map_names import realisation_of
from awd_cosmo.formats.parameters import (
    RANGES,
    UNITS,
    Ranges,
    as_parameter,
    check_parameters,
    exchange,
    is_ambiguous,
    outside,
    parameter_name,
)
from awd_cosmo.formats.suite_models import Found, Model
from awd_cosmo.formats.table_files import NOTE, find_columns, read_table, text_of

COPY_COLUMNS = ("index", "M_nu", "Omega_m", "A_s", "sigma8")
"""The order that `cosmological_parameters.txt` most likely has. Never assumed: to be passed by who has looked."""
Columns = Sequence[str] | Mapping[str, str] | None
"""Names of columns in their order; or which column of a table is which of ours."""

_INDEX_LABELS = ("index", "idx", "model", "id", "number", "i")
_REALISATION = ("realisation", "realization", "seed", "real")
_REDSHIFT = ("z_s", "zs", "z", "z_source", "source_redshift", "redshift")
_LIKELY = re.compile(r"table|param|catalog|cosmolog|index|list", re.IGNORECASE)


def find_table(root: Path, names: Sequence[str], columns: Columns, unused: list[str]) -> str | None:
    """The one among some files that is a table with a column of files; None if there is none.

    Parameters
    ----------
    root : Path
        The folder that they lie in.
    names : sequence of str
    columns
        As for `read_map_table`.
    unused : list of str
        Text tables that are not used, with the reason; added to.

    Raises
    ------
    ValueError
        If there are several; the message names them.
    """
    texts = [name for name in names if name.lower().endswith((".csv", ".ecsv", ".tsv"))]
    # A folder of ten thousand maps is not opened one by one for the one table among them: its name has to hint at it.
    likely = [n for n in names if n.lower().endswith((".fits", ".fit")) and (_LIKELY.search(n) or len(names) == 1)]
    found = []
    for name in [*texts, *likely]:
        try:
            table = read_table(root / name)
            column = find_columns(table, root, file_label(columns))
        except ValueError as error:
            column, said = None, str(error)
        else:
            said = (
                f"none of its columns ({', '.join(table.colnames)}) names files; if one does, give --columns file=NAME "
                "(columns={'file': NAME})"
            )
        if column is not None:
            found.append(name)
        elif name in texts:
            unused.append(f"{name} was not used: {said}")
    if len(found) > 1:
        raise ValueError(f"{root} holds several tables that name files: {', '.join(found)}; pass the path of one")
    return found[0] if found else None


def named_columns(columns: Columns) -> Columns:
    """Names of columns, or, of "ours=theirs", a mapping.

    Raises
    ------
    ValueError
        If some are of the one kind and some of the other.

    Examples
    --------
    >>> named_columns(["file=kappa", "Omega_m=om"]), named_columns(["index", "Omega_m"])
    ({'file': 'kappa', 'Omega_m': 'om'}, ['index', 'Omega_m'])
    """
    if columns is None or isinstance(columns, Mapping) or not any("=" in name for name in columns):
        return columns or None
    if not all("=" in name for name in columns):
        raise ValueError(f"columns={tuple(columns)!r}: give names in their order, or all as OURS=THEIRS")
    return {ours.strip(): theirs.strip() for ours, _, theirs in (name.partition("=") for name in columns)}


def file_label(columns: Columns) -> str | None:
    """What the column of files is called, if that is told."""
    return columns.get("file") if isinstance(columns, Mapping) else None


def read_map_table(
    path: Path,
    notes: list[str],
    problems: list[tuple[str, str]],
    *,
    columns: Columns = None,
    ranges: Ranges | None = None,
    own: Sequence[str] = (),
) -> list[Model]:
    """Models and their files from a table with one row a map.

    Parameters
    ----------
    path : Path
        CSV, ECSV or FITS, with a column `file` (relative to the table's folder), columns of parameters (with units if
        they have any), and, if they are known, `realisation`, `hdu` and `z_s`.
    notes, problems
        The account, and the rows that cannot be used; both are added to.
    columns : mapping of str to str, optional
        From our name, "file", "realisation", "hdu", "z_s" or a parameter's, to the column's.
    ranges : mapping, optional
        As of `awd_cosmo.formats.parameters.check_parameters`.
    own : sequence of str
        Further columns of numbers that are parameters.

    Returns
    -------
    list of Model
        One a distinct set of parameters, in the order of the table.

    Raises
    ------
    ValueError
        If the table cannot be read, has no column of files or lacks one that is told, or two columns seem swapped.
    """
    table = read_table(path)
    if note := table.meta.get(NOTE):
        notes.append(note)
    told = _told(path, table, columns)
    column = find_columns(table, path.parent, told.get("file"))
    if column is None:
        raise ValueError(
            f"{path} has no column of files; name it 'file', or give --columns file=NAME (columns={{'file': NAME}}); "
            f"it has {', '.join(table.colnames)}"
        )
    values: dict[str, np.ndarray[Any, Any]] = {}
    left = []
    ours = {label: name for name, label in told.items()}
    for label in table.colnames:
        if label == column:
            continue
        asked = ours.get(label, label)
        found = _parameter(table, label, asked) if table[label].dtype.kind in "fiu" else None
        if found is None and label in own and table[label].dtype.kind in "fiu":
            found = label, np.asarray(np.ma.filled(np.ma.asarray(table[label], dtype=np.float64), np.nan))
        if found is None or (label not in ours and found[0] in told):
            left.append(label)
        elif found[0] in values:
            raise ValueError(
                f"{path}: the columns of {found[0]} come twice; {label!r} is the second. Give --columns "
                f"{found[0]}=NAME (columns=) to say which is right"
            )
        else:
            values[found[0]] = found[1]
    refuse_ambiguous(path, left, values)
    bad = _outside(path, values, ranges)
    hdu, realisation, z = (
        told.get(name) or _named(table, names)
        for name, names in (("hdu", ("hdu",)), ("realisation", _REALISATION), ("z_s", _REDSHIFT))
    )
    other = [label for label in left if label not in (hdu, realisation, z)]
    notes.append(
        f"files of {path.name} by its column {column!r}, parameters: {', '.join(values) or 'none'}"
        + (f"; left out: {', '.join(other)}" if other else "")
    )

    models: dict[tuple[str, ...], Model] = {}
    for i, file in enumerate(str(name).strip() for name in table[column]):
        if _leaves(file):
            problems.append(
                (file, f"row {i} of {path.name} names it outside the table's folder, which is not followed")
            )
            continue
        if not _exists(path.parent, file):
            problems.append((file, f"row {i} of {path.name} names it, but there is no such file"))
            continue
        parameters = {name: float(column_[i]) for name, column_ in values.items()}
        if any(map(math.isnan, parameters.values())):
            problems.append((file, f"row {i} of {path.name} lacks a parameter"))
            continue
        if i in bad:
            problems.append((file, f"{path.name}: {outside(parameters, ranges, row=f' (row {i})')}"))
            continue
        entry = Found(
            file,
            int(table[hdu][i]) if hdu else -1,
            int(table[realisation][i]) if realisation else realisation_of(file),
            float(table[z][i]) if z else redshift_from_name(file)[0],
            told=bool(realisation),
        )
        key = tuple(map(repr, parameters.values()))
        model = Model(f"row {i} of {path.name}", parameters, [], ask_all=not values)
        models.setdefault(key, model).files.append(entry)
    return list(models.values())


def refuse_ambiguous(path: Path, labels: Sequence[str], values: Mapping[str, object]) -> None:
    """Refuse a column of which nobody can say whether it is Ω_m or Ω_m h², where it would be the only one of Ω_m."""
    label = next((label for label in labels if is_ambiguous(label)), None)
    if label is not None and "Omega_m" not in values:
        raise ValueError(
            f"{path}: the column {label!r} is Ω_m h² for CLASS, and Ω_m for others. If it is Ω_m, call it Omega_m, or "
            f"give --columns Omega_m={label} (columns={{'Omega_m': {label!r}}})"
        )


def _told(path: Path, table: Table, columns: Columns) -> dict[str, str]:
    """Which columns of the table are which, as told."""
    if columns is None:
        return {}
    if not isinstance(columns, Mapping):
        raise ValueError(
            f"columns={tuple(columns)!r} are names for a table without a header, but {path} has one: say which is "
            "which, as --columns file=NAME,Omega_m=NAME (columns={'file': NAME})"
        )
    if missing := [label for label in columns.values() if label not in table.colnames]:
        raise ValueError(f"{path} has no column {missing[0]!r}; it has {', '.join(table.colnames)}")
    allowed = ("file", "hdu", "realisation", "z_s", *RANGES)
    if unknown := [name for name in columns if name not in allowed]:
        raise ValueError(f"columns: {unknown[0]!r} is none of ours; say which column is {', '.join(allowed)}")
    return dict(columns)


def _outside(path: Path, values: Mapping[str, np.ndarray[Any, Any]], ranges: Ranges | None) -> set[int]:
    """Rows with a parameter outside its range; an error where columns seem swapped, for then no row is right."""
    bad: set[int] = set()
    for name, column in values.items():
        low, high = {**RANGES, **(ranges or {})}.get(name, (-math.inf, math.inf))
        bad |= set(np.flatnonzero((column < low - 1e-9) | (column > high + 1e-9) | np.isinf(column)).tolist())
    if bad:
        whole = np.all([np.isfinite(column) for column in values.values()], axis=0)
        known = {name: column[whole] for name, column in values.items() if name in RANGES}
        if whole.any() and (hint := exchange(known, ranges)):
            row = min(bad)
            said = outside({name: float(column[row]) for name, column in values.items()}, ranges, row=f" (row {row})")
            raise ValueError(f"{path}: {said}; {hint}")
    return bad


def read_parameter_file(
    path: Path,
    columns: Columns = None,
    notes: list[str] | None = None,
    ranges: Ranges | None = None,
    *,
    every: bool = True,
) -> Table:
    r"""Read the parameters of the models from text, one row a model, as `cosmological_parameters.txt`.

    Parameters
    ----------
    path : Path
        Text that `numpy.loadtxt` reads: numbers parted by spaces or commas. A header, behind # or not, is used.
    columns : sequence of str, optional
        Names of the columns, when there is no header, or to overrule it: parameters, "index" for the number of the
        model, "-" for a column to leave out. For instance `COPY_COLUMNS`. Or a mapping from our names to those of the
        header.
    notes : list of str, optional
        The account, which is added to.
    ranges : mapping, optional
        As of `awd_cosmo.formats.parameters.check_parameters`.
    every : bool
        Whether every row must be in its ranges; else only columns that seem swapped are an error.

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
    header, numbers = _read_text(path, notes)
    if isinstance(columns, Mapping):
        header = _renamed(path, header, columns)
    if columns is not None and not isinstance(columns, Mapping):
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
            f"{path} has {numbers.shape[1]} columns and no header that names them: give --columns (columns=) in their "
            f"order, for instance --columns {','.join(COPY_COLUMNS)}; its first row is "
            f"{' '.join(f'{x:g}' for x in numbers[0])}"
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
    if header is not None:
        refuse_ambiguous(path, header, dict.fromkeys(known))
    values = {name: np.asarray(table[name]) for name in known}
    if every:
        check_parameters(values, str(path), ranges)
    else:
        _outside(path, values, ranges)
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


def _leaves(file: str) -> bool:
    """Whether a name leads out of the folder that it is looked for in: a table is no reason to read other places."""
    told = PureWindowsPath(file)  # which takes both kinds of slashes
    return bool(told.anchor) or ".." in told.parts


def _exists(folder: Path, file: str) -> bool:
    archive, found, _ = file.partition(".tar!")
    # not joined by a Path, which would keep every name among the interned strings
    return Path(os.path.join(folder, archive + ".tar" if found else file)).is_file()  # noqa: PTH118


def _named(table: Table, names: Sequence[str]) -> str | None:
    return next((label for label in table.colnames if label.lower() in names), None)


def _parameter(table: Table, label: str, asked: str) -> tuple[str, np.ndarray[Any, Any]] | None:
    column = table[label]
    numbers = np.asarray(np.ma.filled(np.ma.asarray(column, dtype=np.float64), np.nan))
    found = as_parameter(asked, numbers)
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


def _renamed(path: Path, header: list[str] | None, columns: Mapping[str, str]) -> list[str]:
    """A header with the names that are told in place of its own."""
    if missing := [label for label in columns.values() if label not in (header or ())]:
        raise ValueError(f"{path} has no column {missing[0]!r}; its header has {', '.join(header or ['no names'])}")
    ours = {label: name for name, label in columns.items()}
    return [ours.get(label, label) for label in header or ()]


def _read_text(path: Path, notes: list[str]) -> tuple[list[str] | None, Array]:
    labels: list[str] | None = None
    rows: list[list[float]] = []
    content, note = text_of(path)
    if note:
        notes.append(note)
    for number, line in enumerate(content.splitlines(), start=1):
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
