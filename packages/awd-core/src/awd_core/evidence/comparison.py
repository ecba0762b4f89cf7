"""Models that were compared on the same test samples: a row for each, and what lies between two of them.

The packages for a field of science add their scores, and keep both in results.json.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, TypeVar

from awd_core.files.record import Record, from_json, reading

Candidate = TypeVar("Candidate")


def read_selection(file: Path, kind: type[Candidate]) -> list[Candidate]:
    """Read selection.json of a run, its rows as a dataclass; ValueError if it holds something else."""
    with reading(file, "the selection of a run", "delete it and start the run again") as values:
        return from_json(list[kind], values)  # type: ignore[valid-type]


@dataclass(frozen=True)
class Row(Record):
    """How one model did on test samples.

    Attributes
    ----------
    key, name : str
        Which model, and what tables call it.
    kind : str
        awd, ablation, wavelet, classical, series, network or trivial.
    """

    key: str
    name: str
    kind: str


@dataclass(frozen=True)
class Contrast(Record):
    """One model against another on the same test samples: what both find hard cancels.

    Attributes
    ----------
    of, to : str
        Keys of the two.
    value : float
        Difference of their scores, or ratio of their errors.
    low, high : float
        95 % interval; NaN where there is none.
    """

    of: str
    to: str
    value: float
    low: float = math.nan
    high: float = math.nan
    equal: ClassVar[float] = 0.0  # the value of models that are equally good

    @property
    def verdict(self) -> Literal["above", "below", "open", "unknown"]:
        """On which side of equality the interval lies; "open" if it reaches across, "unknown" if there is none.

        Examples
        --------
        >>> Contrast("awd", "db5", 0.1, 0.05, 0.15).verdict, Contrast("awd", "db5", 0.1).verdict
        ('above', 'unknown')
        """
        if not (math.isfinite(self.low) and math.isfinite(self.high)):
            return "unknown"
        return "above" if self.low > self.equal else "below" if self.high < self.equal else "open"


AnyRow = TypeVar("AnyRow", bound=Row)
AnyContrast = TypeVar("AnyContrast", bound=Contrast)


def row_of(rows: Iterable[AnyRow], key: str) -> AnyRow | None:
    """The first row of a model."""
    return next((row for row in rows if row.key == key), None)


def contrast_of(contrasts: Iterable[AnyContrast], of: str, to: str) -> AnyContrast | None:
    """The contrast of two models, in this order."""
    return next((one for one in contrasts if (one.of, one.to) == (of, to)), None)
