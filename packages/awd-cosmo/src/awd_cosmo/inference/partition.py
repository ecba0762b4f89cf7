"""How maps are dealt to training, validation and test: numbers of the part, 0 to 2, of each map; −1 is left out.

`awd_cosmo.inference.splits` says which of these is called for.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from awd_core.checks import real_list
from awd_core.typing import Array, Flags, Rows

PARTS = ("train", "validation", "test")


def checked_columns(cosmology: npt.ArrayLike, realisation: npt.ArrayLike) -> tuple[Rows, Rows]:
    """Cosmologies and realisations as columns of whole numbers, if they are some."""
    columns = []
    for name, values in (("cosmology", cosmology), ("realisation", realisation)):
        column = np.asarray(values)
        if column.ndim != 1 or len(column) == 0 or column.dtype.kind not in "iu":
            raise TypeError(
                f"{name} must be one column of whole numbers, one a map; got shape {column.shape} of {column.dtype}"
            )
        columns.append(column.astype(np.int64))
    if len(columns[0]) != len(columns[1]):
        raise ValueError(f"{len(columns[0])} cosmologies and {len(columns[1])} realisations were given: one a map each")
    if columns[0].min() < 0:
        raise ValueError(
            "cosmology has negative numbers; maps without known parameters cannot be split, leave them out"
        )
    return columns[0], columns[1]


def checked_fractions(values: Sequence[float], name: str) -> tuple[float, ...]:
    """Three shares that add up to 1."""
    shares = tuple(real_list(name, values))
    if len(shares) != 3 or any(not 0 <= share < 1 for share in shares) or abs(sum(shares) - 1) > 1e-9:
        raise ValueError(f"{name} must be three shares (train, validation, test) that add up to 1, got {tuple(values)}")
    if shares[0] == 0 or shares[2] == 0:
        raise ValueError(f"{name} must leave something to train and to test, got {tuple(values)}")
    return shares


def _sizes(count: int, shares: Sequence[float], what: str) -> list[int]:
    """How many of `count` units go to each part: the nearest whole numbers, at least one for a share above 0."""
    wanted = [count * share for share in shares]
    sizes = [max(1, math.floor(size + 1e-9)) if size > 0 else 0 for size in wanted]
    if sum(sizes) > count:
        sizes[0] -= sum(sizes) - count
        if sizes[0] < 1:
            parts = sum(share > 0 for share in shares)
            raise ValueError(f"{count} {what} cannot be split into {parts} parts; {parts} or more are needed")
    for _ in range(count - sum(sizes)):
        sizes[int(np.argmax([size - has for size, has in zip(wanted, sizes, strict=True)]))] += 1
    return sizes


def shared_numbers(cosmologies: Rows, numbers: Rows) -> Rows:
    """Realisation numbers that occur in more than one cosmology."""
    pairs = np.unique(np.column_stack([numbers, cosmologies]), axis=0)
    values, occurrences = np.unique(pairs[pairs[:, 0] >= 0, 0], return_counts=True)
    return values[occurrences > 1]


def _drawn(units: Rows, shares: Sequence[float], rng: np.random.Generator, what: str) -> dict[int, int]:
    """Part of each unit, drawn."""
    parts = np.repeat(np.arange(3), _sizes(len(units), shares, what))
    return dict(zip(rng.permutation(units).tolist(), parts.tolist(), strict=True))


def interleaved(cosmologies: Rows, numbers: Rows, shares: Sequence[float]) -> Rows:
    """Parts of maps: of each cosmology the first realisations, the next and the last."""
    part = np.empty(len(numbers), dtype=np.int64)
    for cosmology in np.unique(cosmologies):
        rows = np.flatnonzero(cosmologies == cosmology)
        own, rank = np.unique(numbers[rows], return_inverse=True)
        sizes = _sizes(len(own), shares, f"realisations of cosmology {cosmology}")
        part[rows] = np.repeat(np.arange(3), sizes)[rank]
    return part


def by_realisation(
    cosmologies: Rows, numbers: Rows, shares: Sequence[float], rng: np.random.Generator, *, jointly: bool
) -> Rows:
    """Parts of maps, drawn by realisation, in all cosmologies alike or in each for itself."""
    if jointly:
        of = _drawn(np.unique(numbers), shares, rng, "realisation numbers")
        return np.array([of[number] for number in numbers.tolist()], dtype=np.int64)
    part = np.empty(len(numbers), dtype=np.int64)
    for cosmology in np.unique(cosmologies):
        rows = np.flatnonzero(cosmologies == cosmology)
        of = _drawn(np.unique(numbers[rows]), shares, rng, f"realisations of cosmology {cosmology}")
        part[rows] = [of[number] for number in numbers[rows].tolist()]
    return part


def by_cosmology(
    cosmologies: Rows, shares: Sequence[float], rng: np.random.Generator, parameters: npt.ArrayLike | None
) -> Rows:
    """Parts of maps, drawn by cosmology."""
    units, first = np.unique(cosmologies, return_index=True)
    sizes = _sizes(len(units), shares, "cosmologies")
    inside = units
    if parameters is not None:
        table = np.asarray(parameters, dtype=np.float64)
        table = table[:, None] if table.ndim == 1 else table
        if table.ndim != 2 or len(table) != len(cosmologies) or not np.isfinite(table).all():
            raise ValueError(
                f"inside_hull_of must hold finite parameters, one row for each of {len(cosmologies)} maps; got the "
                f"shape {np.shape(parameters)}"
            )
        inside = units[~_is_corner(table[first])]
        if len(inside) < sizes[1] + sizes[2]:
            raise ValueError(
                f"only {len(inside)} of {len(units)} cosmologies lie inside the hull of the others and "
                f"{sizes[1] + sizes[2]} are to be held out; hold out fewer, or give fewer parameters"
            )
    held_out = rng.permutation(inside)[: sizes[1] + sizes[2]].tolist()
    of = dict.fromkeys(units.tolist(), 0) | dict.fromkeys(held_out[: sizes[1]], 1)
    of |= dict.fromkeys(held_out[sizes[1] :], 2)
    return np.array([of[cosmology] for cosmology in cosmologies.tolist()], dtype=np.int64)


def _is_corner(points: Array) -> Flags:
    """Which points, (C, p), are corners of their convex hull, in the dimensions in which they spread."""
    from scipy.spatial import ConvexHull

    centred = points - points.mean(axis=0)
    scale = np.abs(centred).max(axis=0)
    varies = scale > 1e-9 * np.abs(points).max(axis=0)
    scaled = centred[:, varies] / scale[varies]
    _, size, axes = np.linalg.svd(scaled, full_matrices=False)
    flat = scaled @ axes[size > 1e-9 * size.max(initial=0)].T
    corner = np.zeros(len(points), dtype=bool)
    if flat.shape[1] == 0:
        raise ValueError("the parameters of inside_hull_of are the same in all cosmologies; give some that vary")
    if flat.shape[1] == 1:
        corner[[int(flat.argmin()), int(flat.argmax())]] = True
    elif len(points) <= flat.shape[1] + 1:
        corner[:] = True
    else:
        corner[ConvexHull(flat).vertices] = True
    return corner


def agreeing(part: Rows, numbers: Rows, shares: Sequence[float], rng: np.random.Generator) -> Rows:
    """Parts of maps by cosmology, −1 where the map's number belongs to another part.

    A number whose cosmologies all lie in one part goes with them; only the others have to be drawn. Maps whose number
    is unknown stay: `split_maps` has warned of them.
    """
    found = np.unique(np.column_stack([numbers, part]), axis=0)
    values, occurrences = np.unique(found[:, 0], return_counts=True)
    of = dict(found.tolist())
    contested = values[(occurrences > 1) & (values >= 0)]
    if len(contested) < 3:
        of |= {number: int(rng.choice(3, p=shares)) for number in contested.tolist()}
    else:
        of |= _drawn(contested, shares, rng, "realisation numbers")
    wanted = np.array([of[number] for number in numbers.tolist()], dtype=np.int64)
    return np.where((wanted == part) | (numbers < 0), part, -1)


def count_parts(cosmologies: Rows, numbers: Rows, part: Rows) -> dict[str, Any]:
    """What `Split.counts` holds."""
    pairs = np.column_stack([cosmologies, numbers])
    counts: dict[str, Any] = {
        name: {
            "maps": int((part == k).sum()),
            "cosmologies": len(np.unique(cosmologies[part == k])),
            "realisations": len(np.unique(pairs[part == k], axis=0)),
        }
        for k, name in enumerate(PARTS)
    }
    train, test = part == 0, part == 2
    counts["left_out"] = int((part < 0).sum())
    counts["test_cosmology_seen"] = int(np.isin(cosmologies[test], cosmologies[train]).sum())
    seen = np.isin(numbers[test], numbers[train]) & (numbers[test] >= 0)
    counts["test_number_seen"] = int(seen.sum())
    return counts
