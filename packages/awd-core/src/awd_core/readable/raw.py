"""What a linear model of the raw samples predicts, and what one predicts who knows the truths' mean alone."""

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from awd_core.readable.heads import Samples
from awd_core.typing import Array

Told = tuple[str, str, int | None, Array]
"""Method, detail, how many samples it reads, and what it says of the test inputs, (n, T): numbers or log odds."""

SCREENED = 512
"""Samples of an input that the lasso reads at most: those that correlate most with the truths of training inputs."""
PENALTIES = np.geomspace(1e-4, 1e6, 21)
STRENGTHS = np.geomspace(1e-4, 1e2, 7)
FOLDS = 5


def mean_of(train: Samples, count: int) -> Told:
    """The mean of the truths, or the classes' frequencies, for every test input."""
    truths = train.truths
    if truths.places is None:
        return "mean of the truths", "", 0, np.tile(truths.values.mean(axis=0), (count, 1))
    frequencies = np.log(np.bincount(truths.places) / len(truths))
    values = frequencies[1:] - frequencies[:1] if len(frequencies) == 2 else frequencies
    return "frequencies of the classes", "", 0, np.tile(values, (count, 1))


def raw_samples(train: Samples, X_test: Array, seed: int) -> Iterator[Told]:
    """Ridge and lasso on the standardised samples; of classes, logistic regression. Penalties by cross-validation."""
    from sklearn.exceptions import ConvergenceWarning

    seen, unseen = train.X.reshape(len(train), -1), X_test.reshape(len(X_test), -1)
    mean, spread = seen.mean(axis=0), seen.std(axis=0)
    varied = spread > 1e-12 * np.abs(seen).max()
    if not varied.any():
        return
    seen, unseen = ((x[:, varied] - mean[varied]) / spread[varied] for x in (seen, unseen))
    folds = list(_folds(train, seen, seed))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # at the weakest penalties, which are not chosen then
        if train.truths.places is not None:
            yield _logistic(train, seen, unseen, folds)
        else:
            yield from _linear(train, seen, unseen, folds)


def _folds(train: Samples, seen: Array, seed: int) -> Iterator[tuple[Any, Any]]:
    from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold

    if train.groups is not None and (kinds := len(np.unique(train.groups))) > 1:
        yield from GroupKFold(min(FOLDS, kinds)).split(seen, groups=train.groups)
    elif train.truths.places is not None and np.bincount(train.truths.places).min() >= 2:
        count = min(FOLDS, int(np.bincount(train.truths.places).min()))
        yield from StratifiedKFold(count, shuffle=True, random_state=seed).split(seen, train.truths.places)
    else:
        yield from KFold(min(FOLDS, len(seen)), shuffle=True, random_state=seed).split(seen)


def _linear(train: Samples, seen: Array, unseen: Array, folds: list[tuple[Any, Any]]) -> Iterator[Told]:
    from sklearn.linear_model import LassoCV, MultiTaskLassoCV, RidgeCV

    y = train.truths.values
    ridge = RidgeCV(PENALTIES, cv=folds).fit(seen, y)
    yield "raw samples, ridge", "", seen.shape[1], ridge.predict(unseen).reshape(len(unseen), -1)
    centred = y - y.mean(axis=0)
    worth = np.abs(seen.T @ centred).max(axis=1)
    kept = np.sort(np.argsort(-worth, kind="stable")[:SCREENED])
    one = y.shape[1] == 1
    lasso = (LassoCV if one else MultiTaskLassoCV)(cv=folds).fit(seen[:, kept], y[:, 0] if one else y)
    read = int((np.atleast_2d(lasso.coef_) != 0).any(axis=0).sum())
    told = f"the {SCREENED} that correlate most were looked at" if len(worth) > SCREENED else ""
    yield "raw samples, lasso", told, read, lasso.predict(unseen[:, kept]).reshape(len(unseen), -1)


def _logistic(train: Samples, seen: Array, unseen: Array, folds: list[tuple[Any, Any]]) -> Told:
    from sklearn.linear_model import LogisticRegression

    places = np.asarray(train.truths.places)
    losses = np.zeros(len(STRENGTHS))
    for rows, rest in folds:
        if len(np.unique(places[rows])) < 2:
            continue
        for place, strength in enumerate(STRENGTHS):
            model = LogisticRegression(C=strength, max_iter=200).fit(seen[rows], places[rows])
            shares = np.full((len(rest), int(places.max()) + 1), 1e-6)
            shares[:, model.classes_] = np.maximum(model.predict_proba(seen[rest]), 1e-6)
            losses[place] -= np.log(shares[np.arange(len(rest)), places[rest]]).sum()
    best = LogisticRegression(C=STRENGTHS[int(losses.argmin())], max_iter=500).fit(seen, places)
    return "raw samples, logistic ridge", "", seen.shape[1], best.decision_function(unseen).reshape(len(unseen), -1)
