"""Which wavelet and features the readable predictor reads, chosen by cross-validation on training tracks alone."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin, clone

from awd_cme.model.features import MaxCoefficients
from awd_cme.model.folds import scaled_folds
from awd_cme.model.regression import fit_predictor
from awd_cme.model.scores import auc, r2
from awd_cme.series.scaling import Rule
from awd_cme.series.series_set import SeriesSet
from awd_core.checks import check_kind, whole_number
from awd_core.typing import Array


@dataclass(frozen=True)
class SettingsSearch:
    """Scores of candidate settings, and which to take.

    Attributes
    ----------
    candidates : tuple of MaxCoefficients
        What was tried.
    scores : ndarray, shape (candidates, folds)
        R², or AUC for a classification, on each fold that has one; all repeats side by side.
    pooled : ndarray, shape (candidates,)
        The score of all predictions for held-out tracks together, averaged over the repeats.
    index : int
        The candidate with the highest pooled score; the first of several.
    """

    candidates: tuple[MaxCoefficients, ...]
    scores: Array
    pooled: Array
    index: int

    @property
    def best(self) -> MaxCoefficients:
        """The chosen candidate, not fitted."""
        return self.candidates[self.index]

    def standard_error(self) -> Array:
        """Standard deviation of a candidate's scores over all folds of all repeats, by √(folds · repeats).

        Returns
        -------
        ndarray, shape (candidates,)

        Notes
        -----
        It would be the standard error of the mean if the scores were independent; they are not, and it is too small.
        The training sets of the folds overlap, and each repeat deals the same tracks anew: more repeats bring no new
        tracks, but the figure shrinks with their number all the same. With a single repeat it is the usual one over
        the folds, the standard deviation by √folds.
        """
        error: Array = self.scores.std(axis=1, ddof=1) / math.sqrt(self.scores.shape[1])
        return error

    def first_within(self, errors: float = 1.0) -> int:
        """The first candidate that the folds cannot tell from the best, for candidates in order of preference.

        Parameters
        ----------
        errors : float
            How many standard errors, of the mean difference from the best on the same folds, it may lie below. They
            are taken as in `standard_error`: the standard deviation of the differences by √(folds · repeats).

        Notes
        -----
        The best of many candidates is best by chance too. With the start of a distillation in the first place, this
        stays with it unless the gain is larger than the folds' disagreement about it.

        The repeats share their tracks, so the error is too small, the more so the more repeats there are, and the
        candidates that count as close are fewer: the first one is left sooner than by Breiman's rule of one standard
        error, which divides by √folds.
        """
        differences = self.scores[self.index] - self.scores
        error = differences.std(axis=1, ddof=1) / math.sqrt(self.scores.shape[1])
        close = differences.mean(axis=1) <= errors * error
        close[self.index] = True
        return int(np.flatnonzero(close)[0])


def search_settings(
    candidates: Sequence[MaxCoefficients],
    series: SeriesSet,
    predictor: BaseEstimator,
    *,
    inputs: Rule = "training",
    groups: npt.ArrayLike | None = None,
    folds: int = 5,
    repeats: int = 1,
    seed: int = 0,
) -> SettingsSearch:
    """Score wavelets and features by cross-validation that keeps groups together, all on the same folds.

    In each fold all is fitted anew to its training part: the z-scores of series and targets, the features, the
    predictor and its penalty. Predictions are scored in the partner's unit, for cells that none of these has seen.

    Parameters
    ----------
    candidates : sequence of MaxCoefficients
        Such as one for each point of a distillation path, and for each way of choosing features.
    series : SeriesSet
        Training tracks, in the units of the channels as `make_series` gives them.
    predictor : SeriesRidge, SeriesLogistic or any scikit-learn estimator
        If its `fit` takes `groups` it is given them.
    inputs : {"training", "own", "none"}
        Rule of the series' z-scores, as for `fit_z_scores`. To choose among rules, compare `pooled` of several calls.
    groups : array_like, shape (n,), optional
        What is kept together; cells, or tracks where there is one cell, if not given.
    folds, repeats : int
        Folds, and how many times they are drawn anew: the mean of several draws is a steadier judge.
    seed : int
        Of the folds.

    Returns
    -------
    SettingsSearch

    Raises
    ------
    ValueError
        If there are no candidates or fewer groups than two, the set is standardised already, or fewer than two folds
        can be scored.

    Notes
    -----
    The best of many looks better than it is, and a wavelet that was distilled from a teacher of all these tracks knows
    them. Publish the score on tracks that took no part.

    Examples
    --------
    >>> from awd_cme.model import SeriesRidge
    >>> from awd_cme.series.series_set import example_set
    >>> tried = [MaxCoefficients(name, most=2) for name in ("haar", "db5")]
    >>> search_settings(tried, example_set(), SeriesRidge(), folds=3).scores.shape
    (2, 3)
    """
    if not len(candidates):
        raise ValueError("there are no candidates to choose from")
    for candidate in candidates:
        check_kind("a candidate", candidate, MaxCoefficients)
    check_kind("series", series, SeriesSet)
    repeats, seed = whole_number("repeats", repeats), whole_number("seed", seed, 0)
    classify = isinstance(predictor, ClassifierMixin)
    if classify != series.classification:
        raise ValueError(
            f"the predictor is a {type(predictor).__name__}, and the targets are "
            f"{'classes' if series.classification else 'numbers'}; take "
            f"{'SeriesLogistic' if series.classification else 'SeriesRidge'}"
        )
    metric = auc if classify else r2
    scores, pooled = [], []
    for draw in range(repeats):
        held = np.zeros((len(candidates), len(series)))
        for fold in scaled_folds(series, folds, seed, inputs=inputs, groups=groups, draw=draw):
            for number, candidate in enumerate(candidates):
                features = clone(candidate).fit(fold.training.X)
                model = fit_predictor(
                    clone(predictor), features.transform(fold.training.X), fold.training.y, fold.groups
                )
                F = features.transform(fold.held_out.X)
                found = model.predict_proba(F)[:, 1] if classify else model.predict(F)
                held[number, fold.rest] = fold.restored(found)
            truth = series.y[fold.rest]
            # One class, or one target, alone has no score.
            if len(np.unique(truth)) > 1:
                scores.append([metric(truth, row) for row in held[:, fold.rest]])
        pooled.append([metric(series.y, row) for row in held])
    if len(scores) < 2:
        raise ValueError(f"{len(scores)} fold(s) can be scored, and two or more are needed: the others have one target")
    means = np.mean(pooled, axis=0)
    return SettingsSearch(tuple(candidates), np.array(scores).T, means, int(np.argmax(means)))
