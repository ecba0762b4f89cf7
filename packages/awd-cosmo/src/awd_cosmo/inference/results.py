"""The comparison of a run: rows of scores, ratios, predictions; written to and read from its folder."""

import csv
import io
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from awd_core.evidence import Contrast, Row, contrast_of, row_of
from awd_core.files import Record
from awd_core.typing import Array
from awd_cosmo.inference.uncertainty import paired_ratio, regression_scores

RECOGNISES = "nearest chi2"
"""The published estimator: it answers with a cosmology that it was trained on. Its rows stand beside regressions."""


@dataclass(frozen=True)
class ModelEstimates:
    """What one model says of the test maps of a protocol.

    Attributes
    ----------
    key, name, kind : str
        Kinds: awd, ablation, wavelet, classical, network, trivial.
    statistic, estimator : str
        What it measures, and how that becomes an estimate.
    estimate : ndarray, shape (test,)
    std : ndarray, shape (test,), or None
        Error bars.
    validation_rmse : float or None
        Root mean square error on validation maps.
    parameters : int
        Numbers that were fitted to training maps.
    """

    key: str
    name: str
    kind: str
    statistic: str
    estimator: str
    estimate: Array
    std: Array | None
    validation_rmse: float | None
    parameters: int


@dataclass(frozen=True)
class ModelRow(Row, ignored=("ms_per_map",)):
    """How one model did in one protocol.

    Attributes
    ----------
    statistic, estimator : str
        As of `ModelEstimates`.
    rmse, low, high, error : float
        Root mean square error on test maps, its 95 % interval and standard error, in the parameter's unit.
    r2, bias, coverage68, coverage68_low, coverage68_high : float
        Other scores, NaN where there are none: R², mean error, share of test maps within the model's own error bars.
    validation_rmse : float or None
        Root mean square error on validation maps.
    parameters : int or None
        Numbers that were fitted.
    """

    statistic: str
    estimator: str
    rmse: float
    low: float = math.nan
    high: float = math.nan
    error: float = math.nan
    r2: float = math.nan
    bias: float = math.nan
    coverage68: float = math.nan
    coverage68_low: float = math.nan
    coverage68_high: float = math.nan
    validation_rmse: float | None = None
    parameters: int | None = None

    @classmethod
    def of(cls, answer: ModelEstimates, truth: Array, units: Mapping[str, Any]) -> "ModelRow":
        """Score estimates of true values (test,); `units` as for `awd_cosmo.inference.regression_scores`.

        Examples
        --------
        >>> answer = ModelEstimates("mean", "mean", "trivial", "none", "mean", np.full(40, 0.25), None, None, 1)
        >>> round(ModelRow.of(answer, np.repeat([0.2, 0.3], 20), {}).rmse, 12)
        0.05
        """
        scores = regression_scores(truth, answer.estimate, answer.std, **units)
        rmse, covered = scores.rmse, None if scores.coverage is None else scores.coverage["0.68"]
        ends = (math.nan,) * 3 if covered is None else (covered.value, covered.low, covered.high)
        return cls(
            answer.key, answer.name, answer.kind, answer.statistic, answer.estimator, rmse.value, rmse.low, rmse.high,
            rmse.standard_error, scores.r2.value, scores.bias.value, *ends, answer.validation_rmse, answer.parameters,
        )  # fmt: skip

    @property
    def identity(self) -> tuple[str, str, str]:
        """What tells it from other rows of a protocol."""
        return self.key, self.statistic, self.estimator


@dataclass(frozen=True)
class _Within(Record):
    protocol: str


@dataclass(frozen=True)
class Ratio(Contrast, _Within):  # in this order, the file's: protocol, of, to, …
    """RMSE of one model over that of another on the same test maps of a protocol."""

    error: float = math.nan
    equal: ClassVar[float] = 1.0

    @classmethod
    def of_answers(
        cls, protocol: str, first: ModelEstimates, second: ModelEstimates, truth: Array, units: Mapping[str, Any]
    ) -> "Ratio":
        """The ratio with its 95 % interval."""
        found = paired_ratio(truth, first.estimate, second.estimate, **units)
        return cls(protocol, first.key, second.key, found.value, found.low, found.high, found.standard_error)


@dataclass(frozen=True)
class Protocol(Record):
    """The rows of one protocol, and what they rest on.

    Attributes
    ----------
    rows : sequence of ModelRow
        All models.
    train, validation, test, test_cosmologies : int or None
        How many maps, and cosmologies.
    spread : float or None
        Standard deviation of the test maps' true values.
    best_classical : str or None
        Key of the classical statistic that validation chose.
    units : str or None
        What intervals are for: other "cosmologies", "realisations", "cosmologies and realisations" or "maps".
    curve : list of dict or None
        R² by the number of numbers, as rows of `awd_core.student.CurvePoint`.
    name : str
        What `Results.protocols` calls it.
    """

    rows: Sequence[ModelRow]
    train: int | None = None
    validation: int | None = None
    test: int | None = None
    test_cosmologies: int | None = None
    spread: float | None = None
    best_classical: str | None = None
    units: str | None = None
    curve: list[dict[str, Any]] | None = None
    name: str = ""

    @property
    def recognises(self) -> bool:
        """Whether the published estimator is among the rows."""
        return any(row.estimator == RECOGNISES for row in self.rows)

    def best(self, *kinds: str) -> ModelRow | None:
        """The row that validation would take among those of some kinds; by test error where validation is unknown."""
        rows = [row for row in self.rows if row.kind in kinds]
        known = [row for row in rows if row.validation_rmse is not None]
        return min(known or rows, key=lambda row: (row.validation_rmse or 0.0, row.rmse), default=None)

    def of(self, key: str) -> ModelRow | None:
        """The row of a model, by regression; the published estimator's where there is no other."""
        return row_of((row for row in self.rows if row.estimator != RECOGNISES), key) or row_of(self.rows, key)


@dataclass(frozen=True)
class TriedCandidate(Record):
    """A row of selection.json: a statistic and an estimator that were compared with others.

    Attributes
    ----------
    key : str
        What it was a candidate for.
    wavelet, share : str, float or None
        Its wavelet, and the share of the attributions on that one's path; None for what is on none.
    levels, statistic, regressor : int or None, mapping, str
        What is measured, and how that becomes an estimate.
    cv_rmse, validation_rmse : float
        Root mean square errors on cosmologies left out of training and validation, fold by fold, which decides, and on
        validation maps after a fit to training maps.
    chosen : bool
        Whether it was taken.
    """

    key: str
    wavelet: str
    share: float | None
    levels: int | None
    statistic: Mapping[str, Any]
    regressor: str
    cv_rmse: float
    validation_rmse: float
    chosen: bool = False


@dataclass(frozen=True)
class Results(Record, what="the comparison of a run"):
    """What results.json holds.

    Attributes
    ----------
    target : str
        The parameter.
    protocols : mapping of str to Protocol
        By their names.
    ratios : sequence of Ratio
        Paired ratios of RMSE.
    """

    target: str
    protocols: Mapping[str, Protocol]
    ratios: Sequence[Ratio] = ()

    def __post_init__(self) -> None:
        named = {name: replace(protocol, name=name) for name, protocol in self.protocols.items()}
        object.__setattr__(self, "protocols", named)

    @classmethod
    def read(cls, run: str | os.PathLike[str]) -> "Results":
        """Results of a run.

        Raises
        ------
        FileNotFoundError
            If the run has none yet.
        """
        place = Path(run) / "results.json"
        if not place.exists():
            raise FileNotFoundError(f"{place} is not there: the run has not come to its comparison yet")
        return cls.load(place)

    def row(self, protocol: str, key: str) -> ModelRow:
        """The row of a model in a protocol, as `Protocol.of` has it.

        Raises
        ------
        KeyError
            If there is none.
        """
        if (row := self.protocols[protocol].of(key)) is None:
            keys = dict.fromkeys(row.key for row in self.protocols[protocol].rows)
            raise KeyError(f"no row {key!r} in the protocol {protocol!r}; there are {', '.join(keys)}")
        return row

    def ratio(self, protocol: str, to: str, of: str = "awd") -> Ratio:
        """The RMSE of a model over another's; without an interval where the run has none, NaN without the first."""
        if (found := contrast_of((one for one in self.ratios if one.protocol == protocol), of, to)) is not None:
            return found
        first, second = self.protocols[protocol].of(of), self.protocols[protocol].of(to)
        return Ratio(protocol, of, to, math.nan if first is None or second is None else first.rmse / second.rmse)

    def text(self) -> str:
        """A table for a terminal."""
        lines = []
        for name, held in self.protocols.items():
            lines.append(
                f"{name.replace('_', ' ')}: {held.train} maps to train, {held.validation} to validate, "
                f"{held.test} to test ({held.test_cosmologies} cosmologies, spread {held.spread or math.nan:.4f})"
            )
            lines.append(f"  {'model':<34}{'estimator':<14}{'RMSE':>8} ±{'error':>7}{'bias':>9}{'cover':>7}")
            for row in sorted(held.rows, key=lambda row: row.rmse):
                cover = "" if math.isnan(row.coverage68) else f"{row.coverage68:.2f}"
                lines.append(
                    f"  {row.name:<34.34}{row.estimator:<14}{row.rmse:8.5f} ±{row.error:7.5f}{row.bias:9.5f}{cover:>7}"
                )
        for one in self.ratios:
            ends = "" if one.verdict == "unknown" else f" ({one.low:.3f}–{one.high:.3f})"
            lines.append(f"{one.protocol}: {one.of} / {one.to} = {one.value:.3f}{ends}")
        return "\n".join(lines)


def predictions_csv(tables: Mapping[str, Mapping[str, Any]]) -> bytes:
    """predictions.csv: for each protocol columns (n,); what a protocol lacks is empty.

    Examples
    --------
    >>> print(predictions_csv({"held_out": {"map": np.array([3]), "awd": np.array([0.25])}}).decode())
    protocol,map,awd
    held_out,3,0.25
    <BLANKLINE>
    """
    names: dict[str, None] = {}
    for columns in tables.values():
        names |= dict.fromkeys(columns)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["protocol", *names])
    for protocol, columns in tables.items():
        rows = len(next(iter(columns.values())))
        for i in range(rows):
            cells = [columns[name][i] if columns.get(name) is not None else "" for name in names]
            writer.writerow([protocol, *(repr(float(c)) if isinstance(c, np.floating) else c for c in cells)])
    return text.getvalue().encode(errors="backslashreplace")
