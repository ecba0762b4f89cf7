"""The readable model as a job asks for it: its features, its predictor, and the scaling of its series.

How series are standardised is chosen before anything else is fitted, the teacher included: by the rule "training" a new
cell takes the statistics of the training cells, which is ruinous where cells differ in brightness; by "own" it takes
its own, which needs all its tracks at once, and where cells do differ in what matters takes it out. Cross-validation
over cells, with the first of the job's wavelets, tells which of them new cells bear better.
"""

from typing import Any

import numpy as np

from awd_cme.model.features import FEATURES, MaxCoefficients
from awd_cme.model.regression import SeriesLogistic, SeriesRidge, least_squares
from awd_cme.model.settings_search import search_settings
from awd_cme.run.job import RunJob
from awd_cme.series.scaling import Rule
from awd_cme.series.series_set import SeriesSet
from awd_core.wavelets import Wavelet

Predictor = SeriesRidge | SeriesLogistic

PENALTIES = (0.1, 1.0, 10.0, 100.0, 1000.0)
"""Penalties of the logistic regression: each is some thousands of fits in the selection, so there are few of them."""

TRIED: tuple[Rule, Rule] = ("training", "own")


def median_step(series: SeriesSet) -> float | None:
    """Median seconds from sample to sample, None where unknown."""
    known = series.seconds_per_sample[np.isfinite(series.seconds_per_sample)]
    return float(np.median(known)) if len(known) else None


def transformer(job: RunJob, series: SeriesSet, wavelet: Wavelet | str, features: str) -> MaxCoefficients:
    """Features by name, of a wavelet, in the time units of a set."""
    if features not in FEATURES:
        raise ValueError(f"features are one of {', '.join(FEATURES)}; got {features!r}")
    return MaxCoefficients(
        wavelet, levels=job.levels, mode=job.mode, seconds_per_sample=median_step(series), **FEATURES[features]
    )


def predictor_of(series: SeriesSet, seed: int, *, published: bool = False) -> Predictor:
    """Ridge or, for success, logistic regression; least squares in the published form of a regression."""
    if series.classification:
        return SeriesLogistic(alphas=PENALTIES, folds=3, seed=seed)
    return least_squares() if published else SeriesRidge(seed=seed)


def choose_scaling(job: RunJob, training: SeriesSet) -> dict[str, Any]:
    """Rule of the inputs' z-scores, and why: what scaling.json holds of it.

    Training tracks are in the units of the channels. "asked" is the job's rule, "rule" what it comes to; where there
    was a choice ("auto"), "scores" are by rule, cross-validated over cells.
    """
    if job.scale_inputs != "auto":
        return {"asked": job.scale_inputs, "rule": job.scale_inputs}
    if grouping_of(training) == "tracks":
        # What new cells bear cannot be asked of one, and test tracks of the same are no different by either rule.
        return {"asked": "auto", "rule": TRIED[0]}
    tried = [transformer(job, training, job.starts[0], job.features)]
    scores = {}
    for rule in TRIED:
        search = search_settings(
            tried, training, predictor_of(training, job.seed), inputs=rule, folds=job.folds, repeats=job.repeats,
            seed=job.seed,
        )  # fmt: skip
        scores[rule] = float(search.pooled[0])
    # The first of two that are level.
    return {"asked": "auto", "rule": max(TRIED, key=lambda rule: scores[rule]), "scores": scores}


def grouping_of(training: SeriesSet) -> str:
    """What folds keep together, in a word: cells, or tracks where there is one cell."""
    return "cells" if len(np.unique(training.cell)) > 1 else "tracks"
