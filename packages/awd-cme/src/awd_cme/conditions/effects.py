"""Conditions against each other, cells as units: effect, interval, and a test by permutation of cells."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import t

from awd_core.checks import whole_number
from awd_core.typing import Array

QUANTITIES = {
    "lifetime": "median lifetime, s",
    "partner": "share of tracks with a significant partner",
    "partner_max": "median of the partner's largest amplitude",
    "onset": "median onset of the partner, s",
    "initiations": "initiations per µm² and minute",
}
"""What is compared, columns of `awd_cme.conditions.cell_values`, in words."""
EXACT = 20_000
"""Divisions of the cells among two conditions up to which all are looked at."""
DRAWN = 9_999


@dataclass(frozen=True)
class ConditionEffect:
    """One quantity of a condition against the first one's.

    Attributes
    ----------
    quantity, condition, reference : str
        What is compared: a column of `cell_values`, and two conditions.
    cells, reference_cells : int
        Cells in which it is known.
    value, reference_value : float
        Means over cells.
    difference, low, high : float
        Of the means, and its 95 % interval (Welch's; NaN with fewer than two cells on a side).
    p : float
        Of no difference, by permutation of cells between the two conditions; two-sided.
    p_holm : float
        The same, corrected for all quantities and conditions that were compared (Holm 1979).
    least_p : float
        The least p that so few cells can give.
    exact : bool
        Whether all divisions of the cells were looked at.
    """

    quantity: str
    condition: str
    reference: str
    cells: int
    reference_cells: int
    value: float
    reference_value: float
    difference: float
    low: float
    high: float
    p: float
    p_holm: float
    least_p: float
    exact: bool


def compare_conditions(
    conditions: Mapping[str, pd.DataFrame], *, quantities: Sequence[str] = tuple(QUANTITIES), seed: int = 0
) -> list[ConditionEffect]:
    """Every condition against the first one.

    Parameters
    ----------
    conditions : mapping of str to DataFrame
        What `cell_values` says of the cells of each condition, the reference first.
    quantities : sequence of str
        Columns to compare.
    seed : int
        Of the permutations, where they are too many to look at all.

    Returns
    -------
    list of ConditionEffect
        Quantities that are not known in a cell of either condition are left out.

    Raises
    ------
    ValueError
        If there are fewer than two conditions, or an unknown quantity.

    Examples
    --------
    >>> cells = {name: pd.DataFrame({"lifetime": times}) for name, times in
    ...          {"control": [30.0, 32.0, 31.0, 33.0], "siRNA": [40.0, 43.0, 41.0, 44.0]}.items()}
    >>> (effect,) = compare_conditions(cells, quantities=["lifetime"])
    >>> effect.difference, round(effect.p, 3), effect.exact
    (10.5, 0.029, True)
    """
    if len(conditions) < 2:
        raise ValueError(f"there is one condition, {', '.join(conditions)}; give two or more, the reference first")
    seed = whole_number("seed", seed, 0)
    reference, *others = conditions
    for name in quantities:
        for condition, cells in conditions.items():
            if name not in cells.columns:
                raise ValueError(f"{condition} has no column {name!r}; cell_values has {', '.join(QUANTITIES)}")
    found = []
    for condition in others:
        for name in quantities:
            mine, theirs = (conditions[one][name].dropna().to_numpy(np.float64) for one in (condition, reference))
            if len(mine) and len(theirs):
                found.append(_effect(name, condition, reference, mine, theirs, seed))
    return _corrected(found)


def _effect(quantity: str, condition: str, reference: str, mine: Array, theirs: Array, seed: int) -> ConditionEffect:
    difference = float(mine.mean() - theirs.mean())
    low = high = math.nan
    if min(len(mine), len(theirs)) > 1:
        parts = [values.var(ddof=1) / len(values) for values in (mine, theirs)]
        error = math.sqrt(sum(parts))
        freedom = sum(parts) ** 2 / sum(
            part**2 / (len(values) - 1) for part, values in zip(parts, (mine, theirs), strict=True)
        ) if error else math.inf  # fmt: skip
        reach = float(t.ppf(0.975, freedom)) * error if error else 0.0
        low, high = difference - reach, difference + reach
    p, least, exact = permutation_p(mine, theirs, seed)
    return ConditionEffect(
        quantity, condition, reference, len(mine), len(theirs), float(mine.mean()), float(theirs.mean()), difference,
        low, high, p, p, least, exact,
    )  # fmt: skip


def permutation_p(one: Array, other: Array, seed: int = 0) -> tuple[float, float, bool]:
    """Two-sided p of no difference of means, the least that there can be, and whether all divisions were looked at.

    Examples
    --------
    >>> permutation_p(np.array([1.0, 2.0, 3.0]), np.array([11.0, 12.0, 13.0]))
    (0.1, 0.1, True)
    """
    pooled, count = np.concatenate([one, other]), len(one)
    total = math.comb(len(pooled), count)
    observed = abs(one.mean() - other.mean()) * (1 - 1e-12)
    exact = total <= EXACT
    if exact:
        sums = np.array([pooled[list(rows)].sum() for rows in itertools.combinations(range(len(pooled)), count)])
    else:
        rng = np.random.default_rng([seed, 0x9E2])
        sums = np.array([rng.permutation(pooled)[:count].sum() for _ in range(DRAWN)])
    differences = np.abs(sums / count - (pooled.sum() - sums) / (len(pooled) - count))
    larger = int((differences >= observed).sum())
    least = (2 if count * 2 == len(pooled) else 1) / total
    return (larger / total, least, True) if exact else ((larger + 1) / (DRAWN + 1), max(least, 1 / (DRAWN + 1)), False)


def _corrected(found: Sequence[ConditionEffect]) -> list[ConditionEffect]:
    """Holm's correction of the p-values."""
    from dataclasses import replace

    order = sorted(range(len(found)), key=lambda k: found[k].p)
    corrected, running = [1.0] * len(found), 0.0
    for rank, k in enumerate(order):
        running = max(running, min(1.0, (len(found) - rank) * found[k].p))
        corrected[k] = running
    return [replace(effect, p_holm=p) for effect, p in zip(found, corrected, strict=True)]
