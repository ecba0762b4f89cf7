"""Cosmological parameters: their names, the ranges that are plausible, and where files write them.

One name each, everywhere: `M_nu` (sum of the neutrino masses, eV), `Omega_m`, `A_s` (this is 10⁹ A_s, as MassiveNuS
writes it), `sigma8`, `h`, `n_s`, `w`. Every value that is read from a name, a header or a table is held against its
range, because the commonest mistake with such files is two columns that were swapped, and that mistake is silent.
"""

import itertools
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


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
    "h": Parameter("Hubble constant / (100 km/s/Mpc)", "", 0.4, 1.0, ("h", "hubble", "littleh"), "H"),
    "n_s": Parameter("slope of the primordial spectrum", "", 0.7, 1.3, ("ns", "spectralindex"), "N_S"),
    "w": Parameter("equation of state of dark energy", "", -3.0, 0.0, ("w", "w0"), "W0"),
}
"""Every parameter that is known, by name."""

RANGES: dict[str, tuple[float, float]] = {name: (p.low, p.high) for name, p in PARAMETERS.items()}
"""Plausible range of each parameter, both ends included."""

UNITS: dict[str, str] = {name: p.unit for name, p in PARAMETERS.items()}
"""Unit of each parameter; empty where it has none."""

MASSIVENUS_FIDUCIAL: dict[str, float] = {"h": 0.7, "n_s": 0.97, "w": -1.0}
"""What all MassiveNuS models share (Liu et al. 2018, JCAP 03, 049)."""

COPY_COLUMNS = ("index", "M_nu", "Omega_m", "A_s", "sigma8")
"""The order that `cosmological_parameters.txt` most likely has. Never assumed: to be passed by who has looked."""

_LABELS = {label: name for name, p in PARAMETERS.items() for label in (name.lower().replace("_", ""), *p.labels)}
_INDEX_LABELS = ("index", "idx", "model", "id", "number", "i")
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

    Units in brackets, case, underscores and spaces do not matter. S8 is not σ8, and is not taken for it.

    Examples
    --------
    >>> parameter_name("OMEGA_M"), parameter_name("Mnu [eV]"), parameter_name("S8")
    ('Omega_m', 'M_nu', None)
    """
    bare = re.sub(r"\[.*?\]|\(.*?\)", "", label)
    return _LABELS.get(re.sub(r"[^a-z0-9σων]", "", bare.lower()))


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


def check_parameters(values: Mapping[str, npt.ArrayLike], where: str) -> None:
    """Hold parameters against their plausible ranges.

    Parameters
    ----------
    values : mapping of str to float or array_like
        By our names; columns of equal length, or single values.
    where : str
        What they were read from, for the message.

    Raises
    ------
    ValueError
        If a value is not finite or is outside its range; it names the value and the range and, if an exchange of
        columns puts every one of them in its range, that exchange.

    Examples
    --------
    >>> check_parameters({"Omega_m": 0.26, "sigma8": 0.8}, "a header")
    """
    columns = {name: np.atleast_1d(np.asarray(column, dtype=np.float64)) for name, column in values.items()}
    for name in columns:
        if name not in RANGES:
            raise ValueError(f"unknown parameter {name!r} in {where}; known are {', '.join(RANGES)}")
    for name, column in columns.items():
        bad = np.flatnonzero(~_fits(name, column))
        if len(bad):
            low, high = RANGES[name]
            row = f" (row {bad[0]})" if len(column) > 1 else ""
            raise ValueError(
                f"{where}: {name} = {column[bad[0]]:g}{row} is outside its plausible range, {low:g} to {high:g}"
                f"{_exchange(columns)}"
            )


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


def write_parameter_file(
    path: str | os.PathLike[str], index: Sequence[int], values: Mapping[str, npt.ArrayLike]
) -> None:
    r"""Write the parameters of models as text with a header that `numpy.loadtxt` takes for a comment.

    Parameters
    ----------
    path : str or path
        The file; one that is there is replaced in one step.
    index : sequence of int
        The number of each model.
    values : mapping of str to array_like
        Columns by our names.

    Raises
    ------
    ValueError
        If a value is outside its range.

    Examples
    --------
    >>> import tempfile
    >>> place = Path(tempfile.mkdtemp()) / "cosmological_parameters.txt"
    >>> write_parameter_file(place, [1], {"M_nu": [0.1], "Omega_m": [0.3]})
    >>> place.read_text()
    '# index M_nu Omega_m\n1 0.1 0.3\n'
    """
    from awd_core.files import write_atomically

    check_parameters(values, str(path))
    columns = [np.asarray(column, dtype=np.float64).tolist() for column in values.values()]
    lines = [f"# {' '.join(['index', *values])}"]
    lines += [" ".join([str(int(i)), *map(repr, row)]) for i, *row in zip(index, *columns, strict=True)]
    write_atomically(path, ("\n".join(lines) + "\n").encode())


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


def _fits(name: str, column: Array) -> npt.NDArray[np.bool_]:
    low, high = RANGES[name]
    # NaN compares false; written decimals may lie a rounding outside.
    inside: npt.NDArray[np.bool_] = (column >= low - 1e-9) & (column <= high + 1e-9)
    return inside


def _exchange(columns: dict[str, Array]) -> str:
    names = list(columns)
    for one, other in itertools.combinations(names, 2):
        swapped = columns | {one: columns[other], other: columns[one]}
        if all(_fits(name, column).all() for name, column in swapped.items()):
            return f"; with {one} and {other} exchanged every value fits: are these two swapped?"
    orders = itertools.permutations(names) if len(names) <= 5 else iter(())
    for order in orders:
        if all(_fits(name, columns[source]).all() for name, source in zip(names, order, strict=True)):
            right = {source: name for name, source in zip(names, order, strict=True)}
            return f"; every value fits if the columns are in fact {', '.join(right[name] for name in names)}"
    return "; check which column is which, and the units (M_nu in eV, A_s as 10⁹ A_s)"
