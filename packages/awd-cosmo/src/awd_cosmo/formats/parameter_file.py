"""Parameters of models in a text file with one row a model, such as `cosmological_parameters.txt`."""

import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from awd_cosmo.formats.parameters import RANGES, as_parameter, check_parameters, parameter_name

Array = npt.NDArray[np.float64]

COPY_COLUMNS = ("index", "M_nu", "Omega_m", "A_s", "sigma8")
"""The order that `cosmological_parameters.txt` most likely has. Never assumed: to be passed by who has looked."""

_INDEX_LABELS = ("index", "idx", "model", "id", "number", "i")


@dataclass(frozen=True)
class ParameterFile:
    """What a file with one row a model says: `index` (n,) or None, `values` {name: (n,)}, `notes` for the account."""

    path: Path
    index: npt.NDArray[np.int64] | None
    values: dict[str, Array]
    notes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(next(iter(self.values.values())))


def read_parameter_file(path: str | os.PathLike[str], columns: Sequence[str] | None = None) -> ParameterFile:
    r"""Read the parameters of the models from text, one row a model, as `cosmological_parameters.txt`.

    Parameters
    ----------
    path : str or path
        Text that `numpy.loadtxt` reads: numbers parted by spaces or commas. A header, behind # or not, is used.
    columns : sequence of str, optional
        Names of the columns, when there is no header, or to overrule it: parameters, "index" for the number of the
        model, "-" for a column to leave out. For instance `COPY_COLUMNS`.

    Returns
    -------
    ParameterFile
        The models in the order of the file.

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
    >>> read_parameter_file(place, columns=COPY_COLUMNS).values["Omega_m"]
    array([0.3 , 0.28])
    """
    path = Path(path)
    header, numbers = _read_text(path)
    notes = []
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

    values = {name: numbers[:, i] for i, name in enumerate(names) if name in RANGES}
    if "A_s" in values:
        values["A_s"] = as_parameter("A_s", values["A_s"])[1]  # type: ignore[index]
    if not values:
        raise ValueError(f"{path} has no column that is a parameter; known are {', '.join(RANGES)}")
    check_parameters(values, str(path))
    index = None
    if "index" in names:
        column = numbers[:, names.index("index")]
        index = column.astype(np.int64)
        if not np.array_equal(index, column):
            raise ValueError(
                f"{path}: the column taken as index holds {column[index != column][0]:g}: not a number of a model"
            )
        if len(np.unique(index)) < len(index):
            seen, count = np.unique(index, return_counts=True)
            raise ValueError(
                f"{path}: the index {seen[count > 1][0]} comes {count.max()} times; each model has one row"
            )
    return ParameterFile(path, index, values, notes)


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
