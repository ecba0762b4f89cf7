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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from awd_core.checks import check_choice, warn, whole_number
from awd_core.files import Record
from awd_core.typing import Rows
from awd_cosmo.inference.partition import (
    PARTS,
    agreeing,
    by_cosmology,
    by_realisation,
    checked_columns,
    checked_fractions,
    count_parts,
    interleaved,
    shared_numbers,
)

Protocol = Literal["cosmology", "realisation", "both", "published"]
Phases = Literal["avoid", "allow", "independent"]

PUBLISHED_FRACTIONS = (0.80, 0.12, 0.08)
"""20,000, 3,000 and 2,000 of 25,000 maps."""


@dataclass(frozen=True)
class Split(Record):
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

    def __post_init__(self) -> None:
        together = np.concatenate([getattr(self, part) for part in PARTS])
        if len(np.unique(together)) != len(together):
            raise ValueError("this is no split: a row is named twice")


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
    cosmologies, numbers = checked_columns(cosmology, realisation)
    check_choice("by", by, get_args(Protocol), required=True)
    check_choice("shared_phases", shared_phases, get_args(Phases), required=True)
    if phase_fractions is not None and by not in ("both", "cosmology"):
        raise ValueError(f"phase_fractions are for by='both' only, got them with by={by!r}; leave them out")
    if inside_hull_of is not None and by not in ("both", "cosmology"):
        raise ValueError(f"inside_hull_of is for held-out cosmologies, got it with by={by!r}; leave it out")
    default = PUBLISHED_FRACTIONS if by == "published" else (0.8, 0.1, 0.1)
    shares = checked_fractions(default if fractions is None else fractions, "fractions")
    unknown = int((numbers < 0).sum())
    if unknown and by != "cosmology":
        raise ValueError(
            f"the realisation of {unknown} of {len(numbers)} maps is unknown (−1), so by={by!r} cannot keep tiles of "
            "a map together; number the realisations, or use by='cosmology'"
        )
    said: list[str] = []
    shared = shared_numbers(cosmologies, numbers)
    if unknown and by == "cosmology" and shared_phases == "avoid":
        said.append(
            f"the realisation of {unknown} maps is unknown, so phases that cosmologies share cannot be avoided; if "
            "there are none, say --phases independent (shared_phases='independent')"
        )
    if len(shared) and shared_phases == "avoid" and by in ("cosmology", "realisation"):
        what = "the same number goes to the same part in all of them"
        if by == "cosmology":
            by, what = "both", "maps with the cosmology of one part and the number of another are left out (by='both')"
        said.append(
            f"{len(shared)} realisation numbers occur in several cosmologies and may be the same phases: {what}. If "
            "they are not, say --phases independent (shared_phases='independent')"
        )

    rng = np.random.default_rng([whole_number("seed", seed, 0), 0x5B117])
    if by == "published":
        part = interleaved(cosmologies, numbers, shares)
    elif by == "realisation":
        part = by_realisation(cosmologies, numbers, shares, rng, jointly=shared_phases == "avoid" and len(shared) > 0)
    else:
        part = by_cosmology(cosmologies, shares, rng, inside_hull_of)
        if by == "both":
            phase_shares = shares if phase_fractions is None else checked_fractions(phase_fractions, "phase_fractions")
            part = agreeing(part, numbers, phase_shares, rng)
    counts = count_parts(cosmologies, numbers, part)
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
        warn(message)
    train, validation, test = (np.flatnonzero(part == k).astype(np.int64) for k in range(3))
    return Split(train, validation, test, protocol=by, counts=counts, warnings=tuple(said))
