"""Posterior samples as GetDist has them (Lewis 2019): what GetDist, CosmoMC, Cobaya and MontePython read.

Three text files of one root: `root.txt`, a row a sample: weight, minus the logarithm of the posterior, parameters;
`root.paramnames`, a row a parameter: its name, with an asterisk if it follows from others, and its label in TeX; and
`root.ranges`, the ends of the prior, N for none.
"""

import io
import os
import re
from pathlib import Path

import numpy as np

from awd_core.checks import check_file
from awd_core.files import write_atomically
from awd_cosmo.posterior.samples import PosteriorSamples

LABELS = {
    "Omega_m": r"\Omega_\mathrm{m}", "sigma8": r"\sigma_8", "S8": "S_8", "M_nu": r"M_\nu", "A_s": r"10^9 A_\mathrm{s}",
    "n_s": r"n_\mathrm{s}", "h": "h", "w": "w",
}  # fmt: skip
"""Parameters in TeX."""


def write_chains(root: str | os.PathLike[str], samples: PosteriorSamples) -> list[Path]:
    """Write samples as a chain of GetDist, each file whole or not at all.

    Parameters
    ----------
    root : path
        Path of the files without their endings; its folder is made.
    samples : PosteriorSamples
        What to write; their weights are 1.

    Returns
    -------
    list of Path
        The chain, the names, the ranges.

    Raises
    ------
    ValueError
        If a name could not be read again: it has spaces, or an asterisk.

    Examples
    --------
    >>> values = np.random.default_rng(0).normal(0.3, 0.02, (10, 1))
    >>> samples = PosteriorSamples(("Omega_m",), values, np.zeros(10), np.array([0.1]), np.array([0.5]))
    >>> [path.name for path in write_chains("chains/map", samples)]
    ['map.txt', 'map.paramnames', 'map.ranges']
    >>> print(Path("chains/map.ranges").read_text().strip())
    Omega_m 0.1 0.5
    """
    if bad := [name for name in samples.names if re.search(r"[\s*]", name) or not name]:
        raise ValueError(f"GetDist reads no parameter named {bad[0]!r}: a name has neither spaces nor asterisks")
    text = io.StringIO()
    columns = [np.ones(len(samples.values)), -samples.log_density, *samples.values.T]
    np.savetxt(text, np.column_stack(columns), fmt="%.10g")
    told = [
        f"{name}{'*' if name in samples.derived else ''}\t{LABELS.get(name, _plain(name))}\n" for name in samples.names
    ]
    ends = [
        f"{name} {_end(low)} {_end(high)}\n"
        for name, low, high in zip(samples.names, samples.low, samples.high, strict=True)
    ]
    files = {".txt": text.getvalue(), ".paramnames": "".join(told), ".ranges": "".join(ends)}
    places = []
    for ending, content in files.items():
        place = Path(f"{os.fspath(root)}{ending}")
        place.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(place, content.encode())
        places.append(place)
    return places


def read_chains(root: str | os.PathLike[str]) -> PosteriorSamples:
    """Read what `write_chains` wrote, or another program, if all its weights are 1.

    Raises
    ------
    FileNotFoundError
        If one of the three files is missing.
    ValueError
        If one is damaged, or samples have weights.
    """
    chain, names, ranges = (Path(f"{os.fspath(root)}{ending}") for ending in (".txt", ".paramnames", ".ranges"))
    for place in (chain, names, ranges):
        check_file(place)
    told = [line.split()[0] for line in names.read_text(encoding="utf-8").splitlines() if line.strip()]
    try:
        table = np.loadtxt(chain, ndmin=2)
        ends = {name: (low, high) for name, low, high in map(str.split, ranges.read_text("utf-8").splitlines())}
        plain = [name.rstrip("*") for name in told]
        low, high = np.array([[_number(end) for end in ends.get(name, ("N", "N"))] for name in plain]).T
    except ValueError as error:
        raise ValueError(f"{os.fspath(root)} is no chain of GetDist, or was cut short: {error}") from error
    if table.shape[1] != len(told) + 2:
        raise ValueError(
            f"{chain} has {table.shape[1]} columns; {len(told) + 2} are needed: weight, −ln posterior, names"
        )
    if not (table[:, 0] == 1).all():
        raise ValueError(f"{chain} has samples of different weights; thin it with GetDist first")
    derived = tuple(name.rstrip("*") for name in told if name.endswith("*"))
    low, high = np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), np.inf, high)
    return PosteriorSamples(tuple(plain), table[:, 2:], -table[:, 1], low, high, derived)


def _end(value: float) -> str:
    return f"{value:.10g}" if np.isfinite(value) else "N"


def _number(text: str) -> float:
    return np.nan if text == "N" else float(text)


def _plain(name: str) -> str:
    r"""A name of one's own in TeX: `my_name` is no subscript."""
    return rf"\mathrm{{{name.replace('_', ' ')}}}".replace(" ", r"\ ")
