"""Conditions compared with cells as units: effect, interval, and a test by permutation of cells.

Tracks of one cell share its dish, its focus and its brightness, so thousands of them are no thousands of observations.
"""

from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import t as students_t

from awd_core.checks import real_array, whole_number
from awd_core.typing import Array

EXACT = 20_000
"""Divisions of the cells up to which all are tried; of more, as many are drawn."""
LEAST_CELLS = 2


@dataclass(frozen=True)
class Comparison:
    """One quantity in two conditions, cells being units.

    Attributes
    ----------
    quantity : str
        What is compared.
    control, other : str
        Names of the conditions.
    mean_control, mean_other : float
        Means over cells.
    effect : float
        The other's mean less the control's.
    low, high : float
        95 % interval of the effect (Welch's, with cells as observations).
    p : float
        Of no difference, two-sided, by permutation of cells between the conditions.
    exact : bool
        Whether all divisions of the cells were tried.
    least_p : float
        The smallest p-value that so many cells allow.
    cells_control, cells_other : int
        Cells with a value.
    p_holm : float
        p corrected for all quantities of this comparison (Holm).
    """

    quantity: str
    control: str
    other: str
    mean_control: float
    mean_other: float
    effect: float
    low: float
    high: float
    p: float
    exact: bool
    least_p: float
    cells_control: int
    cells_other: int
    p_holm: float = float("nan")


def compare_cells(
    control: npt.ArrayLike, other: npt.ArrayLike, *, quantity: str = "", names: tuple[str, str] = ("control", "other"),
    seed: int = 0,
) -> Comparison:  # fmt: skip
    """Compare one value a cell between two conditions.

    Parameters
    ----------
    control, other : array_like, shape (cells,)
        Values; NaN is left out.
    quantity, names : str, pair of str
        What they are, and what the conditions are called.
    seed : int
        Of the divisions, where these are drawn.

    Raises
    ------
    ValueError
        If a condition has fewer than two cells with a value.

    Examples
    --------
    >>> found = compare_cells([1.0, 1.1, 0.9, 1.0], [2.0, 2.1, 1.9, 2.0])
    >>> round(found.effect, 3), round(found.p, 4), found.exact
    (1.0, 0.0286, True)
    """
    first, second = (real_array(values, name).astype(np.float64) for values, name in
                     ((control, names[0]), (other, names[1])))  # fmt: skip
    a, b = (values[np.isfinite(values)] for values in (first, second))
    for values, name in ((a, names[0]), (b, names[1])):
        if len(values) < LEAST_CELLS:
            raise ValueError(
                f"{name} has {len(values)} cells with a value{f' of {quantity}' if quantity else ''}; a comparison "
                "with cells as units needs two or more in each condition"
            )
    effect = float(b.mean() - a.mean())
    parts = np.array([a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)])
    width = 0.0
    if (error := float(np.sqrt(parts.sum()))) > 0:
        degrees = parts.sum() ** 2 / (parts**2 / (np.array([len(a), len(b)]) - 1)).sum()
        width = float(students_t.ppf(0.975, degrees)) * error
    p, exact, least = _permuted(a, b, seed)
    return Comparison(
        quantity, *names, float(a.mean()), float(b.mean()), effect, effect - width, effect + width, p, exact, least,
        len(a), len(b),
    )  # fmt: skip


def compare_conditions(cells: pd.DataFrame, *, seed: int = 0) -> list[Comparison]:
    """Compare every condition with the first one, quantity by quantity.

    Parameters
    ----------
    cells : DataFrame
        A row a cell, as `measure_cells` makes it, with a column `condition`; the first row's is the control.
    seed : int
        Of the divisions, where these are drawn.

    Returns
    -------
    list of Comparison
        Of the quantities for which both conditions have two cells or more; p-values are corrected (Holm) within a pair
        of conditions.

    Raises
    ------
    ValueError
        If initiation is in more than one unit.
    """
    if "initiation_unit" in cells and len(units := cells["initiation_unit"].unique()) > 1:
        raise ValueError(
            f"initiation is {' of some cells and '.join(map(str, units))} of others, which cannot be compared: the "
            "size of a pixel, or the frame interval, is known of some only; tell it by --micrometres-per-pixel UM "
            "(micrometres_per_pixel) or --seconds-per-frame S (seconds_per_frame)"
        )
    names = list(dict.fromkeys(cells["condition"]))
    known = ("cell", "condition", "tracks", "complete")
    quantities = [name for name in cells.columns if name not in known and pd.api.types.is_numeric_dtype(cells[name])]
    found: list[Comparison] = []
    for other in names[1:]:
        pair = []
        for quantity in quantities:
            values = [cells.loc[cells["condition"] == name, quantity].dropna().to_numpy() for name in (names[0], other)]
            if min(map(len, values)) >= LEAST_CELLS:
                pair.append(compare_cells(*values, quantity=quantity, names=(names[0], other), seed=seed))
        corrected = _holm([one.p for one in pair])
        found += [Comparison(**{**vars(one), "p_holm": p}) for one, p in zip(pair, corrected, strict=True)]
    return found


def _permuted(a: Array, b: Array, seed: int) -> tuple[float, bool, float]:
    """p-value of the difference of means, whether all divisions were tried, and the least p-value there can be."""
    whole_number("seed", seed, 0)
    both = np.concatenate([a, b])
    count, size = len(both), len(a)
    ways = comb(count, size)
    seen = abs(a.mean() - b.mean())
    if ways <= EXACT:
        chosen = np.array(list(combinations(range(count), size)))
    else:
        rng = np.random.default_rng(seed)
        chosen = np.argsort(rng.random((EXACT, count)), axis=1)[:, :size]
    low = both[chosen].sum(axis=1)
    differences = np.abs(low / size - (both.sum() - low) / (count - size))
    # Sums in another order differ by rounding, and ties count.
    as_large = int((differences >= seen - 1e-9 * (np.abs(both).max() + 1e-300)).sum())
    if ways <= EXACT:
        return as_large / ways, True, (2 if size * 2 == count else 1) / ways
    return (as_large + 1) / (EXACT + 1), False, 1 / (EXACT + 1)


def _holm(p: list[float]) -> list[float]:
    """p-values corrected for their number."""
    order = np.argsort(p)
    corrected, largest = np.empty(len(p)), 0.0
    for rank, place in enumerate(order):
        largest = max(largest, min(1.0, (len(p) - rank) * p[place]))
        corrected[place] = largest
    return [float(value) for value in corrected]
