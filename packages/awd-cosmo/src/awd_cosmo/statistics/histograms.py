"""Histograms that equal NumPy's and cost less, and bins that are learnt from training values."""

import itertools
import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from awd_core.checks import check_choice, whole_number
from awd_core.typing import AnyArray, Array, Indices
from awd_cosmo.statistics.peaks import Floats, Mask

SPACINGS = ("even", "quantiles", "normal")
"""Ways to learn bins: of equal width between the quantiles `TAIL` and 1 − `TAIL`; of equal counts; and as a normal
variable's bins of equal width would be filled, which is fine in the tails. The outermost bins are open."""

TAIL = 1e-3
"""Share of the training values beyond either end of the "even" and "normal" bins, and so in the outermost ones."""

FIT_MAPS = 256
"""Training maps, evenly spaced in the stack, from which bins are learnt."""

FIT_VALUES = 1 << 20
"""Values from which one histogram's bins are learnt, at most (evenly spaced among those of the maps)."""


FEW, MANY, FEW_LIMITS, MANY_LIMITS = 3000, 8192, 24, 64
"""Values in all, up to which they are sorted; values of a row and limits, from and up to which those below each limit
are counted; limits from which all is sorted: each of three ways to count is the cheapest somewhere."""
AT_ONCE = 1 << 15
"""Values whose bins are found at once, so that they stay in the cache."""


def histogram_rows(rows: Sequence[Floats], limits: Floats) -> Indices:
    """Counts of each row's values between limits: `numpy.histogram`, if the limits are its `thresholds`.

    Parameters
    ----------
    rows : sequence of m ndarray, shape (k,) each
        Finite values; rows may differ in length.
    limits : ndarray, shape (bins + 1,)
        Of the same type; value v is in bin i if limits[i] ≤ v < limits[i + 1].

    Returns
    -------
    ndarray of int, shape (m, bins)

    Examples
    --------
    >>> rows = [np.array([0.5, 0.1, 1.0, 3.0]), np.array([0.7])]
    >>> histogram_rows(rows, thresholds(np.array([0.0, 0.5, 1.0]), np.dtype(float))).tolist()
    [[1, 2], [0, 1]]
    """
    total = sum(map(len, rows))
    if total <= FEW or len(limits) > MANY_LIMITS:
        below = [np.searchsorted(np.sort(row), limits) for row in rows]
    elif total >= MANY * len(rows) and len(limits) <= FEW_LIMITS:
        below = [np.array([np.count_nonzero(row < limit) for limit in limits]) for row in rows]
    else:
        return _binned(rows, limits)
    return np.diff(np.array(below).reshape(len(rows), -1), axis=1)


def _binned(rows: Sequence[Floats], limits: Floats) -> Indices:
    """Counts (m, bins) by way of each value's bin: how many limits it reaches, found for many values at once."""
    values = np.concatenate(rows)
    first = np.repeat((len(limits) + 1) * np.arange(len(rows)), [len(row) for row in rows])
    counts = np.zeros(len(rows) * (len(limits) + 1), np.intp)
    for start in range(0, len(values), AT_ONCE):
        some = values[start : start + AT_ONCE]
        reached, reaches = np.zeros(len(some), np.uint8), np.empty(len(some), np.bool_)
        for limit in limits:
            np.greater_equal(some, limit, out=reaches)
            np.add(reached, reaches.view(np.uint8), out=reached)
        counts += np.bincount(reached + first[start : start + AT_ONCE], minlength=len(counts))
    return counts.reshape(len(rows), -1)[:, 1:-1]


def thresholds(edges: Array, dtype: np.dtype[Any]) -> Floats:
    """Limits in another precision that divide its numbers as the edges do, the last bin with its upper end.

    Parameters
    ----------
    edges : ndarray, shape (bins + 1,)
        Rising; the ends may be infinite.
    dtype : dtype
        float32 or float64.

    Returns
    -------
    ndarray of that type, shape (bins + 1,)
        For every number v of the type: v < limits[i] if and only if v < edges[i], and v < limits[−1] if and only if
        v ≤ edges[−1].
    """
    limits: Floats = edges.astype(dtype)
    low = limits.astype(np.float64) < edges
    limits[low] = np.nextafter(limits[low], np.array(np.inf, dtype))
    if edges[-1] == limits[-1]:
        limits[-1] = np.nextafter(limits[-1], np.array(np.inf, dtype))
    return limits


def learnt_edges(values: Floats, bins: int, spacing: str, *, what: str = "values") -> Array:
    """Edges of bins from training values, the outermost bins open to infinity.

    Parameters
    ----------
    values : ndarray, shape (k,)
        Finite values; of more than `FIT_VALUES`, evenly spaced ones are used.
    bins : int
        Number of bins, 3 or more.
    spacing : {"even", "quantiles", "normal"}
        As described at `PeakCounts`.
    what : str
        What the values are of, for the message.

    Returns
    -------
    ndarray, shape (bins + 1,)
        From −∞ to ∞. Where many values are equal, bins may be empty.

    Examples
    --------
    >>> learnt_edges(np.arange(101.0), 4, "quantiles")
    array([-inf,  25.,  50.,  75.,  inf])
    """
    check_choice("the spacing of bins", spacing, SPACINGS, required=True)
    whole_number("bins", bins, 3)
    if len(values) == 0:
        raise ValueError(f"there are no {what} in the training maps to learn bins from; give more maps, or the range")
    sample = np.asarray(values[:: math.ceil(len(values) / FIT_VALUES)], dtype=np.float64)
    if spacing == "even":
        low, high = np.quantile(sample, [TAIL, 1 - TAIL]).tolist()
        inner = np.linspace(low, high, bins - 1)
    elif spacing == "quantiles":
        inner = np.quantile(sample, np.arange(1, bins) / bins)
    else:
        normal = NormalDist()
        deviates = np.linspace(normal.inv_cdf(TAIL), normal.inv_cdf(1 - TAIL), bins - 1)
        inner = np.quantile(sample, [normal.cdf(deviate) for deviate in deviates])
    return np.concatenate([[-np.inf], inner, [np.inf]])


def some_of(maps: Any) -> AnyArray:
    """`FIT_MAPS` maps at most, evenly spaced in the stack."""
    count = len(maps) if hasattr(maps, "__len__") else maps.shape[0]
    if count == 0:
        raise ValueError("there are no training maps to learn bins from; give at least one")
    if count <= FIT_MAPS:
        return np.asarray(maps[:])
    chosen = np.linspace(0, count - 1, FIT_MAPS).astype(int)
    return maps[chosen] if isinstance(maps, np.ndarray) else np.stack([np.asarray(maps[int(i)]) for i in chosen])


def finished(counts: Array, usable: Mask, per: str, sqrt: bool) -> Array:
    """Counts (n, features) per map or per usable pixel, and their square roots if wanted."""
    if per == "pixel":
        pixels = np.atleast_1d(usable.sum(axis=(-2, -1)))
        if not pixels.all():
            raise ValueError(
                "no pixel of a map can be counted: its mask, or the border, leaves none; leave the map out"
            )
        counts = counts / pixels[:, None]
    return np.sqrt(counts) if sqrt else counts


def feature_names(names: Sequence[str], edges: Array) -> npt.NDArray[np.object_]:
    """Names of the bins of several histograms side by side."""
    told = [f"{name} {low:.4g}…{high:.4g}" for name, row in zip(names, edges, strict=True)
            for low, high in itertools.pairwise(row)]  # fmt: skip
    return np.array(told, dtype=object)
