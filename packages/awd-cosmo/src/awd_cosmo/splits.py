"""Training, validation and test maps that share nothing they must not share.

Two things leak. A *cosmology*: a test map from a cosmology that was trained on asks a model to recognise, not to
predict. A *phase*: simulations that start from the same random field look alike whatever their cosmology; in MassiveNuS
the realisation of a number has the same phases in every model. And tiles of one map are one map: they share the pair
(cosmology, realisation), and no protocol here parts them.

| protocol      | a test map's cosmology | its phases        | left out  |
|---------------|------------------------|-------------------|-----------|
| "published"   | seen                   | new               | nothing   |
| "realisation" | seen                   | new               | nothing   |
| "cosmology"   | new                    | new (see below)   | see below |
| "both"        | new                    | new               | the mixed |

Realisation numbers that occur in several cosmologies are taken to be phases unless the caller knows better
(`shared_phases`). Then "realisation" sends a number to the same part in every cosmology, and "cosmology" becomes
"both".
"""

import math
import operator
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]
Protocol = Literal["cosmology", "realisation", "both", "published"]
Phases = Literal["avoid", "allow", "independent"]

PUBLISHED_FRACTIONS = (0.80, 0.12, 0.08)
"""20,000, 3,000 and 2,000 of 25,000 maps."""
PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Split:
    """Rows of a table of maps, in three parts.

    Attributes
    ----------
    train, validation, test : ndarray of int, shape (k,)
        Rows, rising.
    protocol : str
        What was done: "cosmology", "realisation", "both" or "published". It differs from what was asked for where
        shared phases made "both" of "cosmology"; `warnings` says so.
    counts : mapping
        For each part the numbers of `maps`, `cosmologies` and `realisations` (pairs of cosmology and number); and the
        numbers of maps `left_out`, of test maps `test_cosmology_seen` and `test_number_seen` in training.
    warnings : tuple of str
        What the user should know of it.
    """

    train: Rows
    validation: Rows
    test: Rows
    protocol: str
    counts: Mapping[str, Any]
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON values, from which `from_dict` makes an equal split."""
        rows = {part: getattr(self, part).tolist() for part in PARTS}
        return asdict(self) | rows | {"warnings": list(self.warnings)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Split":
        """Split from what `to_dict` gave.

        Raises
        ------
        ValueError
            If something is missing, or a row is in two parts.
        """
        missing = [key for key in (*PARTS, "protocol", "counts") if key not in values]
        if missing:
            raise ValueError(f"this is no split: it lacks {', '.join(missing)}")
        rows = {part: np.asarray(values[part], dtype=np.int64).reshape(-1) for part in PARTS}
        together = np.concatenate(list(rows.values()))
        if len(np.unique(together)) != len(together):
            raise ValueError("this is no split: a row is named twice")
        return cls(
            **rows,
            protocol=values["protocol"],
            counts=dict(values["counts"]),
            warnings=tuple(values.get("warnings", ())),
        )


def split_maps(
    cosmology: npt.ArrayLike,
    realisation: npt.ArrayLike,
    *,
    by: Protocol,
    seed: int,
    fractions: Sequence[float] | None = None,
    phase_fractions: Sequence[float] | None = None,
    shared_phases: Phases = "avoid",
    inside_hull_of: npt.ArrayLike | None = None,
) -> Split:
    """Split maps into training, validation and test.

    Parameters
    ----------
    cosmology : array_like of int, shape (n,)
        Number of each map's cosmology, 0 or larger.
    realisation : array_like of int, shape (n,)
        Number of the realisation that it is, or is a tile of; −1 where unknown, which only `by="cosmology"` can take.
    by : {"cosmology", "realisation", "both", "published"}
        What is held out. "published": the same cosmologies everywhere, their realisations in rising order, the first
        to train, the next to validate, the last to test; nothing is drawn.
    seed : int
        Seed of the draws.
    fractions : three floats, optional
        Shares of the held-out units (cosmologies for "cosmology" and "both", realisations for the others) that train,
        validate and test. They add up to 1; validation may be 0. (0.8, 0.1, 0.1) if not given, and
        `PUBLISHED_FRACTIONS` for "published".
    phase_fractions : three floats, optional
        For "both": the shares of the realisation numbers; `fractions` if not given. A map stays where its cosmology
        and its number belong to the same part, so of cosmologies (a, b, c) and numbers (a', b', c') the share
        aa' + bb' + cc' stays. More numbers to test make a larger test set of the same cosmologies.
    shared_phases : {"avoid", "allow", "independent"}
        "avoid": a number that occurs in several cosmologies is the same phases in all (so in MassiveNuS), and no
        phases of a test or validation map are trained on. "allow": let them leak, with a warning. "independent": the
        caller knows that equal numbers mean nothing (a seed of its own for every map).
    inside_hull_of : array_like, optional, shape (n,) or (n, p)
        Parameters of the maps' cosmologies. Validation and test cosmologies are then drawn from those that are no
        corner of the convex hull of all, so that the model never has to extrapolate.

    Returns
    -------
    Split

    Raises
    ------
    ValueError, TypeError
        Numbers that are none, an unknown protocol, fractions that do not add up to 1, or too few cosmologies or
        realisations for the parts.

    Warns
    -----
    UserWarning
        Where numbers are shared by cosmologies and it changes the split, and where something leaks.

    Examples
    --------
    >>> cosmology, realisation = np.divmod(np.arange(200), 20)  # 10 cosmologies, phases of their own
    >>> split = split_maps(cosmology, realisation, by="cosmology", shared_phases="independent", seed=0)
    >>> len(split.train), len(split.validation), len(split.test), split.counts["test_cosmology_seen"]
    (160, 20, 20, 0)
    """
    cosmologies, numbers = _checked(cosmology, realisation)
    if by not in get_args(Protocol):
        raise ValueError(f"by must be one of {', '.join(get_args(Protocol))}; got {by!r}")
    if shared_phases not in get_args(Phases):
        raise ValueError(f"shared_phases must be one of {', '.join(get_args(Phases))}; got {shared_phases!r}")
    if phase_fractions is not None and by not in ("both", "cosmology"):
        raise ValueError(f"phase_fractions are for by='both' only, got them with by={by!r}; leave them out")
    if inside_hull_of is not None and by not in ("both", "cosmology"):
        raise ValueError(f"inside_hull_of is for held-out cosmologies, got it with by={by!r}; leave it out")
    default = PUBLISHED_FRACTIONS if by == "published" else (0.8, 0.1, 0.1)
    shares = _fractions(default if fractions is None else fractions, "fractions")
    unknown = int((numbers < 0).sum())
    if unknown and by != "cosmology":
        raise ValueError(
            f"the realisation of {unknown} of {len(numbers)} maps is unknown (−1), so by={by!r} cannot keep tiles of "
            "a map together; number the realisations, or use by='cosmology'"
        )
    said: list[str] = []
    shared = _shared_numbers(cosmologies, numbers)
    if unknown and by == "cosmology" and shared_phases == "avoid":
        said.append(
            f"the realisation of {unknown} maps is unknown, so phases that cosmologies share cannot be avoided; if "
            "there are none, say shared_phases='independent'"
        )
    if len(shared) and shared_phases == "avoid" and by in ("cosmology", "realisation"):
        what = "the same number goes to the same part in all of them"
        if by == "cosmology":
            by, what = "both", "maps with the cosmology of one part and the number of another are left out (by='both')"
        said.append(
            f"{len(shared)} realisation numbers occur in several cosmologies and may be the same phases: {what}. If "
            "they are not, say shared_phases='independent'"
        )

    rng = np.random.default_rng([int(operator.index(seed)), 0x5B117])
    if by == "published":
        part = _interleaved(cosmologies, numbers, shares)
    elif by == "realisation":
        part = _by_realisation(cosmologies, numbers, shares, rng, jointly=shared_phases == "avoid" and len(shared) > 0)
    else:
        part = _by_cosmology(cosmologies, shares, rng, inside_hull_of)
        if by == "both":
            phase_shares = shares if phase_fractions is None else _fractions(phase_fractions, "phase_fractions")
            part = _agreeing(part, numbers, phase_shares, rng)
    counts = _count(cosmologies, numbers, part)
    empty = [name for k, name in enumerate(PARTS) if shares[k] > 0 and counts[name]["maps"] == 0]
    if empty:
        raise ValueError(
            f"no map is left to {' and '.join(empty)}: the cosmologies and numbers drawn for it do not meet; give "
            "more of them, another seed, or larger fractions"
        )
    if counts["test_number_seen"] and shared_phases != "independent":
        said.append(
            f"{counts['test_number_seen']} of {counts['test']['maps']} test maps have a realisation number that is "
            "also trained on: if equal numbers are equal phases, as in MassiveNuS, their scores are too good"
        )
    for message in said:
        warnings.warn(message, UserWarning, stacklevel=2)
    train, validation, test = (np.flatnonzero(part == k).astype(np.int64) for k in range(3))
    return Split(train, validation, test, protocol=by, counts=counts, warnings=tuple(said))


class CosmologyFolds:
    """Cross-validation over cosmologies, as scikit-learn's `cv`. Made by `cross_validation_folds`."""

    def __init__(self, cosmology_fold: Rows, number_fold: Rows | None, n_folds: int) -> None:
        self._fold, self._number_fold, self.n_folds = cosmology_fold, number_fold, n_folds

    def split(self, X: Any = None, y: Any = None, groups: Any = None) -> Iterator[tuple[Rows, Rows]]:
        """Rows to train on and rows to test on, for every fold; the arguments are there for scikit-learn.

        Raises
        ------
        ValueError
            If X has another number of maps than the folds were made for.
        """
        if X is not None and len(X) != len(self._fold):
            raise ValueError(f"the folds were made for {len(self._fold)} maps, X has {len(X)}; make them for these")
        for fold in range(self.n_folds):
            test = self._fold == fold
            train = ~test
            if self._number_fold is not None:
                test, train = test & (self._number_fold == fold), train & (self._number_fold != fold)
            yield np.flatnonzero(train), np.flatnonzero(test)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of folds; the arguments are there for scikit-learn."""
        return self.n_folds


def cross_validation_folds(
    cosmology: npt.ArrayLike,
    realisation: npt.ArrayLike | None = None,
    *,
    n_folds: int = 5,
    seed: int,
) -> CosmologyFolds:
    """Folds for cross-validation in which every cosmology is tested by models that never saw it.

    Parameters
    ----------
    cosmology : array_like of int, shape (n,)
        Number of each map's cosmology.
    realisation : array_like of int, optional, shape (n,)
        Give it to hold out phases as well: realisation numbers are dealt to the folds too, a fold tests only maps with
        its own numbers and trains only on maps with others. The folds then no longer test every map, and
        scikit-learn's `cross_val_predict` refuses them.
    n_folds : int
        Number of folds, from 2 to the number of cosmologies.
    seed : int
        Seed of the dealing.

    Returns
    -------
    CosmologyFolds

    Raises
    ------
    ValueError
        If there are fewer cosmologies, or numbers, than folds.

    Examples
    --------
    >>> folds = cross_validation_folds([0, 0, 1, 1, 2, 2], n_folds=3, seed=0)
    >>> [test.tolist() for _, test in folds.split()]
    [[2, 3], [0, 1], [4, 5]]
    """
    cosmologies, numbers = _checked(cosmology, cosmology if realisation is None else realisation)
    if operator.index(n_folds) < 2:
        raise ValueError(f"n_folds must be 2 or more, got {n_folds}")
    rng = np.random.default_rng([int(operator.index(seed)), 0xF01D5])
    fold = _dealt(cosmologies, n_folds, rng, "cosmologies")
    if realisation is None:
        return CosmologyFolds(fold, None, n_folds)
    if (numbers < 0).any():
        raise ValueError("the realisation of some maps is unknown (−1); number them, or leave realisation out")
    return CosmologyFolds(fold, _dealt(numbers, n_folds, rng, "realisation numbers"), n_folds)


def _checked(cosmology: npt.ArrayLike, realisation: npt.ArrayLike) -> tuple[Rows, Rows]:
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


def _fractions(values: Sequence[float], name: str) -> tuple[float, ...]:
    shares = tuple(float(value) for value in values)
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
            raise ValueError(f"{count} {what} cannot be split into {sum(s > 0 for s in shares)} parts; more are needed")
    for _ in range(count - sum(sizes)):
        sizes[int(np.argmax([size - has for size, has in zip(wanted, sizes, strict=True)]))] += 1
    return sizes


def _shared_numbers(cosmologies: Rows, numbers: Rows) -> Rows:
    """Realisation numbers that occur in more than one cosmology."""
    pairs = np.unique(np.column_stack([numbers, cosmologies]), axis=0)
    values, occurrences = np.unique(pairs[pairs[:, 0] >= 0, 0], return_counts=True)
    return values[occurrences > 1]


def _drawn(units: Rows, shares: Sequence[float], rng: np.random.Generator, what: str) -> dict[int, int]:
    """Part of each unit, drawn."""
    parts = np.repeat(np.arange(3), _sizes(len(units), shares, what))
    return dict(zip(rng.permutation(units).tolist(), parts.tolist(), strict=True))


def _interleaved(cosmologies: Rows, numbers: Rows, shares: Sequence[float]) -> Rows:
    part = np.empty(len(numbers), dtype=np.int64)
    for cosmology in np.unique(cosmologies):
        rows = np.flatnonzero(cosmologies == cosmology)
        own, rank = np.unique(numbers[rows], return_inverse=True)
        sizes = _sizes(len(own), shares, f"realisations of cosmology {cosmology}")
        part[rows] = np.repeat(np.arange(3), sizes)[rank]
    return part


def _by_realisation(
    cosmologies: Rows, numbers: Rows, shares: Sequence[float], rng: np.random.Generator, *, jointly: bool
) -> Rows:
    if jointly:
        of = _drawn(np.unique(numbers), shares, rng, "realisation numbers")
        return np.array([of[number] for number in numbers.tolist()], dtype=np.int64)
    part = np.empty(len(numbers), dtype=np.int64)
    for cosmology in np.unique(cosmologies):
        rows = np.flatnonzero(cosmologies == cosmology)
        of = _drawn(np.unique(numbers[rows]), shares, rng, f"realisations of cosmology {cosmology}")
        part[rows] = [of[number] for number in numbers[rows].tolist()]
    return part


def _by_cosmology(
    cosmologies: Rows, shares: Sequence[float], rng: np.random.Generator, parameters: npt.ArrayLike | None
) -> Rows:
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


def _is_corner(points: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
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


def _agreeing(part: Rows, numbers: Rows, shares: Sequence[float], rng: np.random.Generator) -> Rows:
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


def _count(cosmologies: Rows, numbers: Rows, part: Rows) -> dict[str, Any]:
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


def _dealt(units: Rows, n_folds: int, rng: np.random.Generator, what: str) -> Rows:
    """Fold of each map, the units dealt like cards."""
    values, place = np.unique(units, return_inverse=True)
    if len(values) < n_folds:
        raise ValueError(f"{len(values)} {what} cannot be dealt to {n_folds} folds; ask for fewer folds")
    fold = np.empty(len(values), dtype=np.int64)
    fold[rng.permutation(len(values))] = np.arange(len(values)) % n_folds
    return fold[place]
