"""What is learnt on some strains, or cells, asked of another: the readable model with a plain wavelet, all pairs.

Series are standardised by the cell that they are of, or by the training cells, as the job says ("auto": by their own);
targets by the training cells. R² of another strain is low, too, where its partner is brighter; the rank correlation
does not ask for that.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from awd_cme.model.scores import Metric, score_interval
from awd_cme.run.job import RunJob
from awd_cme.run.readable import predictor_of, transformer
from awd_cme.series.scaling import Rule, fit_z_scores
from awd_cme.series.series_set import SeriesSet
from awd_core.typing import Array, Flags

OTHERS = "all others"
"""What stands for all strains but the one that is scored."""


def transfer_table(job: RunJob, raw: SeriesSet) -> pd.DataFrame:
    """Scores of every strain by models that were fitted on each other one, and on all others together.

    Parameters
    ----------
    job : RunJob
        Features, wavelet (the first of `starts`), scaling and seed.
    raw : SeriesSet
        Series of all strains, each a `cell`, in the channels' units.

    Returns
    -------
    DataFrame
        One row a pair: `fitted_on`, `scored_on`, `tracks` that were scored, `score` (R², or AUC of a classification),
        `low` and `high` of its interval over tracks, and `correlation`, Spearman's, of prediction and truth.

    Raises
    ------
    ValueError
        If there is one strain only.
    """
    strains = [str(name) for name in np.unique(raw.cell)]
    if len(strains) < 2:
        raise ValueError(
            f"there is one strain, {strains[0]}, and transfer needs two or more: give a folder of track files, one "
            "each, or a table of several cells"
        )
    rows = [row for name in strains for row in _of_one(job, raw, raw.cell == name, name, strains)]
    for name in strains:
        rows.append(_row(job, raw, raw.cell != name, name, OTHERS))
    table = pd.DataFrame(rows)
    order = [*strains, OTHERS]
    keys = [table["scored_on"].map(strains.index), table["fitted_on"].map(order.index)]
    return table.iloc[np.lexsort([keys[1], keys[0]])].reset_index(drop=True)


def _of_one(job: RunJob, raw: SeriesSet, train: Flags, name: str, strains: list[str]) -> Iterator[dict[str, object]]:
    for other in strains:
        if other != name:
            yield _row(job, raw, train, other, name)


def _row(job: RunJob, raw: SeriesSet, train: Flags, scored: str, fitted: str) -> dict[str, object]:
    held = raw.take(raw.cell == scored)
    prediction = _predicted(job, raw.take(train), held)
    metric: Metric = "auc" if raw.classification else "r2"
    found = score_interval(held.y, prediction, metric=metric)
    ranks = [pd.Series(np.asarray(values, dtype=np.float64)).rank() for values in (held.y, prediction)]
    return {
        "fitted_on": fitted, "scored_on": scored, "tracks": len(held), "score": found.value, "low": found.low,
        "high": found.high, "correlation": float(ranks[0].corr(ranks[1])),
    }  # fmt: skip


def _predicted(job: RunJob, training: SeriesSet, held: SeriesSet) -> Array:
    """What the readable model of a training set says of other tracks, in the partner's unit."""
    inputs: Rule = "training" if job.scale_inputs == "training" else "own"
    scores = fit_z_scores(training, inputs=inputs)
    known, asked = scores.apply(training), scores.apply(held)
    features = transformer(job, known, job.starts[0], job.features).fit(known.X)
    model = predictor_of(known, job.seed).fit(features.transform(known.X), known.y, groups=training.groups())
    F = features.transform(asked.X)
    if known.classification:
        return np.asarray(model.predict_proba(F)[:, 1])
    return scores.restore_targets(model.predict(F), asked.cell)
