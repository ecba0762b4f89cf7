"""The comparison of a run: rows of scores, ratios, predictions; written to and read from its folder."""

import csv
import io
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from awd_core.files import Record
from awd_core.typing import Array
from awd_cosmo.inference.uncertainty import paired_ratio, regression_scores

RECOGNISES = "nearest chi2"
"""The published estimator: it answers with a cosmology that it was trained on. Its rows stand beside regressions."""


@dataclass(frozen=True)
class Answer:
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


def score_row(answer: Answer, truth: Array, units: Mapping[str, Any]) -> dict[str, Any]:
    """One row of results.json.

    Parameters
    ----------
    answer : Answer
        The estimates.
    truth : ndarray, shape (test,)
        True values.
    units : mapping
        `cosmology` and `realisation` as for `awd_cosmo.inference.regression_scores`.

    Examples
    --------
    >>> truth = np.repeat([0.2, 0.3], 20)
    >>> answer = Answer("mean", "mean", "trivial", "none", "mean", np.full(40, 0.25), None, None, 1)
    >>> round(score_row(answer, truth, {})["rmse"], 12)
    0.05
    """
    scores = regression_scores(truth, answer.estimate, answer.std, **units)
    covered = None if scores.coverage is None else scores.coverage["0.68"]
    return {
        "key": answer.key,
        "name": answer.name,
        "kind": answer.kind,
        "statistic": answer.statistic,
        "estimator": answer.estimator,
        "rmse": scores.rmse.value,
        "low": scores.rmse.low,
        "high": scores.rmse.high,
        "error": scores.rmse.error,
        "r2": scores.r2.value,
        "bias": scores.bias.value,
        "coverage68": None if covered is None else covered.value,
        "coverage68_low": None if covered is None else covered.low,
        "coverage68_high": None if covered is None else covered.high,
        "validation_rmse": answer.validation_rmse,
        "parameters": answer.parameters,
    }


def ratio(protocol: str, first: Answer, second: Answer, truth: Array, units: Mapping[str, Any]) -> dict[str, Any]:
    """RMSE of one model over that of another on the same test maps, with its 95 % interval."""
    found = paired_ratio(truth, first.estimate, second.estimate, **units)
    told = {"value": found.value, "low": found.low, "high": found.high, "error": found.error}
    return {"protocol": protocol, "of": first.key, "to": second.key, **told}


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


@dataclass(frozen=True)
class Results(Record, what="the comparison of a run"):
    """What results.json holds.

    Attributes
    ----------
    target : str
        The parameter.
    protocols : mapping
        By protocol: `rows`, and how many maps there were.
    ratios : list of mapping
        Paired ratios of RMSE.
    """

    target: str
    protocols: Mapping[str, Mapping[str, Any]]
    ratios: list[Mapping[str, Any]]

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

    def row(self, protocol: str, key: str) -> Mapping[str, Any]:
        """The row of a model in a protocol, by regression; the published estimator's where there is no other.

        Raises
        ------
        KeyError
            If there is none.
        """
        rows = [row for row in self.protocols[protocol]["rows"] if row["key"] == key]
        if not rows:
            keys = dict.fromkeys(row["key"] for row in self.protocols[protocol]["rows"])
            raise KeyError(f"no row {key!r} in the protocol {protocol!r}; there are {', '.join(keys)}")
        return next((row for row in rows if row["estimator"] != RECOGNISES), rows[0])

    def text(self) -> str:
        """A table for a terminal."""
        lines = []
        for protocol, values in self.protocols.items():
            lines.append(
                f"{protocol.replace('_', ' ')}: {values['train']} maps to train, {values['validation']} to validate, "
                f"{values['test']} to test ({values['test_cosmologies']} cosmologies, spread {values['spread']:.4f})"
            )
            lines.append(f"  {'model':<34}{'estimator':<14}{'RMSE':>8} ±{'error':>7}{'bias':>9}{'cover':>7}")
            for row in sorted(values["rows"], key=lambda row: row["rmse"]):
                cover = "" if row["coverage68"] is None else f"{row['coverage68']:.2f}"
                lines.append(
                    f"  {row['name']:<34.34}{row['estimator']:<14}{row['rmse']:8.5f} ±{row['error']:7.5f}"
                    f"{row['bias']:9.5f}{cover:>7}"
                )
        for entry in self.ratios:
            low, high = entry["low"], entry["high"]
            lines.append(
                f"{entry['protocol']}: {entry['of']} / {entry['to']} = {entry['value']:.3f} ({low:.3f}–{high:.3f})"
            )
        return "\n".join(lines)
