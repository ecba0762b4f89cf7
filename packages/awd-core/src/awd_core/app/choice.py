"""Which point of a path truths choose, by cross-validation of a small model on its coefficients."""

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from awd_core.app.answers import Answers
from awd_core.distill.distill import DistillationPath
from awd_core.features.select import Screened, Selection, Standardised, select_point
from awd_core.run.screen import Report
from awd_core.typing import AnyArray

LEAST_SHARE = 1e-6
"""Probability that a class has at least, for the log loss: a fold may not have seen it."""
KEPT = 16
"""Coefficients of which a classifier is made, those that differ most between the classes."""


def choice(
    path: DistillationPath, X: AnyArray, answers: Answers, predictor: str, seed: int, report: Report
) -> Selection:
    """Score every point of a path by how well its coefficients predict truths."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.feature_selection import SelectKBest, f_classif
    from sklearn.linear_model import LassoCV, LogisticRegression, MultiTaskLassoCV, RidgeCV
    from sklearn.model_selection import KFold
    from sklearn.pipeline import make_pipeline

    truths, groups = answers.truths, answers.groups
    folds = 5 if groups is None else min(5, len(np.unique(groups)))
    y: AnyArray = truths.values[:, 0] if truths.values.shape[1] == 1 else truths.values
    scoring: Any = None
    steps: list[Any]
    if truths.places is not None:
        y, scoring = truths.places, minus_log_loss
        if groups is None:
            folds = max(2, min(folds, int(np.bincount(truths.places).min())))
        few = Screened() if predictor == "ridge" else SelectKBest(f_classif, k=min(KEPT, int(np.prod(X.shape[1:]))))
        steps = [few, LogisticRegression(max_iter=200)]
    elif predictor == "ridge":
        steps = [RidgeCV(alphas=np.geomspace(1e-2, 1e6, 25))]
    else:
        own = KFold(5, shuffle=True, random_state=seed)
        steps = [Screened(), (LassoCV if y.ndim == 1 else MultiTaskLassoCV)(cv=own)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # at the weakest penalties, which are not chosen then
        warnings.filterwarnings("ignore", "(?s)Features .* are constant|invalid value encountered|divide by zero")
        reader = make_pipeline(Standardised(), *steps)
        return select_point(
            path, X, y, reader, groups=groups, cv=folds, scoring=scoring, seed=seed, progress=report
        )  # fmt: skip


def minus_log_loss(model: Any, X: AnyArray, y: AnyArray) -> float:
    """Mean logarithm of the probability of the class that it is; a fold may lack a class on either side."""
    shares = np.full((len(y), max(int(y.max()), int(model.classes_.max())) + 1), LEAST_SHARE)
    shares[:, model.classes_] = np.maximum(model.predict_proba(X), LEAST_SHARE)
    return float(np.log(shares[np.arange(len(y)), y]).mean())


def stored_selection(file: Path, shares: Sequence[float]) -> Selection | None:
    """The scores that an earlier start left, if they are of this path."""
    try:
        rows = json.loads(file.read_text(encoding="utf-8"))["points"]
        if [row["share"] for row in rows] != list(shares):
            return None
        scores = np.array([row["scores"] for row in rows], dtype=np.float64)
        marks = {name: next(row["point"] for row in rows if row[name]) for name in ("best", "one_standard_error")}
        means = [tuple(float(row[name]) for row in rows) for name in ("mean", "standard_error")]
    except (OSError, ValueError, KeyError, TypeError, StopIteration):
        return None
    scores.setflags(write=False)
    return Selection(marks["best"], marks["one_standard_error"], means[0], means[1], scores, tuple(shares))
