"""The results of a run, as results.json holds them: a row for each model, differences of two, cells one by one."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from awd_core.evidence import Contrast, Row, contrast_of, row_of
from awd_core.files import Record

METRICS = {"R2": "R²", "AUC": "AUC"}
"""Metrics, as files and as people write them."""


@dataclass(frozen=True)
class ModelRow(Row):
    """How one model did.

    Attributes
    ----------
    features, estimator : str or None
        What it sees, and how that becomes a prediction.
    score, low, high, error : float
        R² or AUC on test tracks, its 95 % interval and standard error; NaN where they are not defined.
    cv_score : float or None
        Cross-validated on training tracks, by which choices were made.
    parameters : int or None
        Numbers that were fitted.
    wavelet : str or None
        Of models on wavelet coefficients.
    """

    features: str | None
    estimator: str | None
    score: float
    low: float = math.nan
    high: float = math.nan
    error: float = math.nan
    cv_score: float | None = None
    parameters: int | None = None
    wavelet: str | None = None


@dataclass(frozen=True)
class Difference(Contrast):
    """The score of one model less that of another, and the p-value of no difference."""

    p: float | None = None


@dataclass(frozen=True)
class TriedCandidate(Record):
    """A row of selection.json: a candidate with its cross-validated scores on training tracks.

    Attributes
    ----------
    wavelet, start : str
        What it is called, and where its path began.
    share : float or None
        Of the attributions; None for a start itself.
    features, regression : str
        What is compared on it.
    mean, standard_error, pooled : float
        Of the scores of the folds; of all predictions together.
    best, chosen : bool
        Whether it has the highest score, and whether it was taken.
    """

    wavelet: str
    start: str
    share: float | None
    features: str
    regression: str
    mean: float
    standard_error: float = math.nan
    pooled: float = math.nan
    best: bool = False
    chosen: bool = False


@dataclass(frozen=True)
class Results(Record, what="the results of a run"):
    """What results.json holds.

    Attributes
    ----------
    metric : str
        "R2" or "AUC".
    rows : sequence of ModelRow
        The headline first.
    per_cell : sequence of mapping
        Of each test cell its name, "cell", its number of tracks, "n", and scores by the models' keys, None where there
        are too few tracks, or one class.
    differences : sequence of Difference
        Of models on the same test tracks.
    train, test, cells_train, cells_test : int or None
        How many tracks and cells.
    intervals : mapping
        What they were made by ("method"), what is left out in turn ("over": cells or tracks), how many ("units").
    folds_keep_together : str or None
        cells or tracks.
    """

    metric: str
    rows: Sequence[ModelRow]
    per_cell: Sequence[Mapping[str, Any]] = ()
    differences: Sequence[Difference] = ()
    train: int | None = None
    test: int | None = None
    cells_train: int | None = None
    cells_test: int | None = None
    intervals: Mapping[str, Any] | None = None
    folds_keep_together: str | None = None

    @property
    def score_name(self) -> str:
        """The metric, as people write it."""
        return METRICS.get(self.metric, self.metric)

    @property
    def baseline_score(self) -> float:
        """The score of knowing nothing."""
        return 0.5 if self.metric == "AUC" else 0.0

    @property
    def names(self) -> dict[str, str]:
        """What the models are called, by their keys."""
        return {row.key: row.name for row in self.rows}

    @property
    def over(self) -> str | None:
        """What the intervals leave out one at a time."""
        return None if self.intervals is None else self.intervals["over"]

    def row(self, key: str) -> ModelRow | None:
        """The row of a model that has a score."""
        row = row_of(self.rows, key)
        return None if row is None or math.isnan(row.score) else row

    def difference(self, of: str, to: str) -> Difference:
        """The difference of two models, whichever way round the file has it; without an interval if it has none."""
        if (found := contrast_of(self.differences, of, to)) is not None:
            return found
        if (found := contrast_of(self.differences, to, of)) is not None:
            return Difference(of, to, -found.value, -found.high, -found.low, found.p)
        one, other = self.row(of), self.row(to)
        return Difference(of, to, math.nan if one is None or other is None else one.score - other.score)

    def text(self) -> str:
        """One line a row for a terminal: name, score on test tracks with its interval.

        Examples
        --------
        >>> row = ModelRow("awd", "AWD", "awd", "timed", "ridge", 0.5, 0.4, 0.6)
        >>> print(Results("R2", [row], train=70, test=30).text())
        R² on 30 test tracks (70 to train on), 95 % interval
          AWD   0.500   0.400 to 0.600
        """
        width = max((len(row.name) for row in self.rows), default=0)
        head = f"{self.score_name} on {self.test} test tracks ({self.train} to train on), 95 % interval"
        if self.intervals is not None:
            head += f" over {self.intervals['units']} {self.intervals['over']}"
        ends = ["" if math.isnan(row.low) else f"{row.low:7.3f} to {row.high:.3f}" for row in self.rows]
        lines = [
            f"  {row.name:{width}} {row.score:7.3f} {known}".rstrip()
            for row, known in zip(self.rows, ends, strict=True)
        ]
        return "\n".join([head, *lines])
