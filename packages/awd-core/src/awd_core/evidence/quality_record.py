"""What the checks of attributions may cost, and what they have found, as it is kept: quality.json.

Whoever only reads a finished run needs this and not `awd_core.evidence.assessment`, which makes the checks: nothing
here needs torch.
"""

import os
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from awd_core.checks.choices import check_kind
from awd_core.checks.real_numbers import real_number
from awd_core.checks.whole_numbers import whole_number
from awd_core.distill.settings import SearchSettings
from awd_core.evidence.quality import AttributionQuality
from awd_core.files.record import reading


def _quick_search() -> SearchSettings:
    return SearchSettings(random_starts=4, small_batch=1 << 14, large_batch=1 << 16, finalists=1)


@dataclass(frozen=True)
class QualitySettings:
    """What the checks may cost.

    The teacher is asked for 2 (steps + 1)(repeats + 5) predictions of each input, and for its gradient without training
    twice; each further teacher for its gradient.

    Attributes
    ----------
    inputs : int
        Inputs that are looked at, at most; drawn at random.
    values : int
        Inputs times their size, at most. Where it allows fewer inputs than `least`, these are looked at all the same.
    least : int
        See there.
    steps : int
        Points of the insertion and deletion curves, besides the first.
    repeats : int
        Random orders to compare with, 2 or more.
    top : float
        Share of the coefficients that count as the largest where teachers are compared.
    search : SearchSettings
        How hard to search for the wavelets of the teacher and of the network without training.
    """

    inputs: int = 256
    values: int = 1 << 20
    least: int = 8
    steps: int = 10
    repeats: int = 5
    top: float = 0.1
    search: SearchSettings = field(default_factory=_quick_search)

    def __post_init__(self) -> None:
        for name, least in (("inputs", 1), ("values", 1), ("least", 1), ("steps", 1), ("repeats", 2)):
            object.__setattr__(self, name, whole_number(name, getattr(self, name), least))
        check_kind("search", self.search, SearchSettings)
        real_number("top", self.top, "a share of the coefficients", above=0, most=1)

    def count(self, shape: tuple[int, ...]) -> int:
        """How many of the inputs are looked at, of an array of this shape.

        Examples
        --------
        >>> QualitySettings().count((50_000, 64)), QualitySettings().count((2_000, 256, 256))
        (256, 16)
        """
        size = int(np.prod(shape[1:]))
        return min(shape[0], self.inputs, max(self.least, self.values // size))


@dataclass(frozen=True)
class CheckedQuality:
    """What was found, and what was asked.

    Attributes
    ----------
    quality : AttributionQuality
        The checks.
    asked : dict
        JSON values that determine them: digests of networks and data, taps, settings; "inputs" of "of" were looked at.
    """

    quality: AttributionQuality
    asked: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return self.quality.to_dict() | {"asked": self.asked}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "CheckedQuality":
        """What `to_dict` returned.

        Raises
        ------
        ValueError
            If it is something else.
        """
        quality = AttributionQuality.from_dict(values)
        if not isinstance(values.get("asked"), dict):
            raise ValueError("it lacks asked")
        return cls(quality, values["asked"])


def stored_quality(store: str | os.PathLike[str] | None, question: dict[str, Any]) -> CheckedQuality | None:
    """What was found before, if it answers the same question.

    Parameters
    ----------
    store : path, optional
        The JSON file that `CheckedQuality.to_dict` was written to.
    question : dict
        What is asked now, as in `CheckedQuality.asked`.

    Returns
    -------
    CheckedQuality or None
        None if there is no such file, it is damaged, or it answers another question: the checks are made anew then.
    """
    if store is None:
        return None
    with suppress(ValueError, FileNotFoundError), reading(store, "the quality of attributions") as values:
        found = CheckedQuality.from_dict(values)
        return found if found.asked == question else None
    return None
