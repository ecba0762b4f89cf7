"""What is written of the models: results.json, predictions.csv, card.json, examples.npz, timings.json."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from awd_cme.model.card import ModelCard
from awd_cme.model.intervals import coefficient_intervals
from awd_cme.model.results import Difference, ModelRow, Results
from awd_cme.model.scores import Metric, auc, r2, score_difference, score_interval
from awd_cme.run.compare import Fitted
from awd_cme.run.readable import grouping_of
from awd_cme.run.series import Problem
from awd_core.run import shortest_seconds
from awd_core.workers import torch_threads

PAIRS = (
    ("student", "teacher"),
    ("student", "awd"),
    ("student", "db5"),
    ("awd", "teacher"),
    ("awd", "db5"),
    ("awd", "awd_no_interpretation"),
    ("awd", "raw_ridge"),
    ("awd", "boosting"),
    ("awd", "published_awd"),
    ("published_awd", "published_db5"),
)
"""Differences that are asked for."""

FEW = 10
"""Test tracks of a cell below which it gets no score of its own."""


def results_of(problem: Problem, fitted: Sequence[Fitted]) -> Results:
    """Content of results.json, of all models, the headline first."""
    truth, held = problem.truth(), problem.held_out
    metric: Metric = "auc" if problem.classification else "r2"
    clusters, of_key = held.groups(), {row.key: row for row in fitted}

    def scored(row: Fitted) -> ModelRow:
        found = score_interval(truth, row.prediction, clusters, metric=metric)
        return ModelRow(
            row.key, row.name, row.kind, row.features, row.estimator, found.value, found.low, found.high,
            found.standard_error, row.cv_score, row.parameters, None if row.candidate is None else row.candidate.name,
        )  # fmt: skip

    def difference(of: str, to: str) -> Difference:
        one, other = of_key[of].prediction, of_key[to].prediction
        found = score_difference(truth, one, other, clusters, metric=metric)
        return Difference(of, to, found.value, found.low, found.high, found.p_value)

    return Results(
        metric="AUC" if problem.classification else "R2",
        rows=[scored(row) for row in fitted],
        per_cell=per_cell(problem, of_key),
        differences=[difference(*pair) for pair in PAIRS if of_key.keys() >= set(pair)],
        train=len(problem.train),
        test=len(problem.test),
        cells_train=len(np.unique(problem.training.cell)),
        cells_test=len(np.unique(held.cell)),
        intervals={
            "method": "jackknife", "over": grouping_of(held), "units": len(np.unique(clusters)), "level": 0.95,
        },
        folds_keep_together=grouping_of(problem.known),
    )  # fmt: skip


def per_cell(problem: Problem, rows: dict[str, Fitted]) -> list[dict[str, Any]]:
    """Scores of the test cells one by one; None where there are too few tracks, or one class."""
    truth, cell = problem.truth(), problem.held_out.cell
    score = auc if problem.classification else r2
    found = []
    for name in np.unique(cell):
        own = cell == name
        known = own.sum() >= FEW and len(np.unique(truth[own])) > 1
        scores: dict[str, Any] = {
            key: score(truth[own], rows[key].prediction[own]) if known else None
            for key in ("student", "awd", "teacher", "db5")
            if key in rows
        }
        found.append({"cell": str(name), "n": int(own.sum()), **scores})
    return found


def predictions_of(problem: Problem, rows: Sequence[Fitted]) -> bytes:
    """Content of predictions.csv."""
    held = problem.held_out
    table = pd.DataFrame({"cell": held.cell, "track": held.track, "lifetime": held.lifetime})
    table["truth"] = problem.truth()
    for row in rows:
        table[row.key] = row.prediction
    return str(table.to_csv(index=False, lineterminator="\n")).encode(errors="backslashreplace")


def card_of(problem: Problem, row: Fitted, results: Results) -> ModelCard:
    """The card of the chosen model, with intervals of its coefficients."""
    if row.transformer is None or row.predictor is None or row.candidate is None:
        raise ValueError(f"the row {row.key!r} is no model on wavelet coefficients, so it has no card")
    own = next(known for known in results.rows if known.key == row.key)
    training = problem.training
    intervals = coefficient_intervals(row.predictor, row.transformer.transform(training.X), training.y, problem.groups)
    notes = {
        "wavelet": row.candidate.name,
        "start": row.candidate.start,
        "share": row.candidate.share,
        "metric": results.metric,
        "test": {"score": own.score, "low": _known(own.low), "high": _known(own.high)},
        "cv_score": row.cv_score,
        "coefficients_over": grouping_of(training),
        "train_tracks": results.train,
        "test_tracks": results.test,
        "series": problem.raw.settings.to_dict(),
        "seconds_per_frame": problem.known.seconds_per_frame(),
    }
    return ModelCard.of(
        row.transformer, row.predictor, problem.training, problem.z_scores, intervals=intervals, notes=notes
    )


def timings_of(problem: Problem, card: ModelCard, network: Any | None) -> dict[str, Any]:
    """Content of timings.json: microseconds a track on one core, of the card and of the network."""
    X = problem.raw.X[problem.test].astype(np.float32)
    one = X[0]
    # Inputs standardised by "own" need the whole cell.
    single = card.inputs.rule != "own"
    found = {"awd": [_micro(lambda: card.predict(one), 1) if single else None, _micro(lambda: card.predict(X), len(X))]}
    if network is not None:
        import torch

        tensor = torch.from_numpy(problem.held_out.X.astype(np.float32))
        with torch_threads(1), torch.inference_mode():
            first = _micro(lambda: network(tensor[:1]), 1)
            found["teacher"] = [first, _micro(lambda: network(tensor), len(X))]
    return {"microseconds_per_track": found, "tracks": len(X)}


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _micro(call: Callable[[], object], tracks: int) -> float:
    return round(1e6 * shortest_seconds(call) / tracks, 4)
