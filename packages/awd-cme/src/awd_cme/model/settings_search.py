"""Which wavelet and features the readable predictor reads, chosen by cross-validation on training tracks alone."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin, clone

from awd_cme.model.bootstrap import auc, r2
from awd_cme.model.features import MaxCoefficients
from awd_cme.model.folds import grouped_folds
from awd_cme.model.regression import fit_predictor
from awd_core.checks import check_kind, plain_array, real_array, whole_number

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SettingsSearch:
    """Scores of candidate settings, and which to take.

    Attributes
    ----------
    candidates : tuple of MaxCoefficients
        What was tried.
    scores : ndarray, shape (candidates, folds)
        R², or AUC for a classification, on each fold; all repeats side by side.
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
    X: npt.ArrayLike,
    y: npt.ArrayLike,
    predictor: BaseEstimator,
    *,
    groups: npt.ArrayLike | None = None,
    folds: int = 5,
    repeats: int = 1,
    seed: int = 0,
) -> SettingsSearch:
    """Score wavelets and features by cross-validation that keeps groups together, all on the same folds.

    The predictor chooses its own penalty within each training part, by groups too.

    Parameters
    ----------
    candidates : sequence of MaxCoefficients
        Such as one for each point of a distillation path, and for each way of choosing features.
    X : array_like, shape (n, N)
        Standardised series of training tracks.
    y : array_like, shape (n,)
        Their targets.
    predictor : SeriesRidge, SeriesLogistic or any scikit-learn estimator
        If its `fit` takes `groups` it is given them.
    groups : array_like, shape (n,), optional
        As `SeriesSet.groups` gives them; every track for itself by default.
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
        If there are no candidates or fewer groups than two.

    Notes
    -----
    The best of many looks better than it is. Publish its score on tracks that took no part.

    Examples
    --------
    >>> from awd_cme.model import SeriesRidge
    >>> from awd_cme.series.series_set import example_set
    >>> series = example_set()
    >>> tried = [MaxCoefficients(name, most=2) for name in ("haar", "db5")]
    >>> search_settings(tried, series.X / 100, series.y, SeriesRidge(), groups=series.groups(), folds=3).scores.shape
    (2, 3)
    """
    if not len(candidates):
        raise ValueError("there are no candidates to choose from")
    for candidate in candidates:
        check_kind("a candidate", candidate, MaxCoefficients)
    repeats, seed = whole_number("repeats", repeats), whole_number("seed", seed, 0)
    series, targets = real_array(X).astype(np.float64), plain_array(y, "y")
    if len(targets) != len(series):
        raise ValueError(f"y has {len(targets)} entries for {len(series)} series; give one for each")
    labels = np.arange(len(series)) if groups is None else np.asarray(groups)
    classify = isinstance(predictor, ClassifierMixin)
    metric = auc if classify else r2
    draws = [grouped_folds(labels, folds, seed + draw, targets if classify else None) for draw in range(repeats)]
    scores, pooled = [], []
    for candidate in candidates:
        F = clone(candidate).fit_transform(series)
        by_fold, by_draw = [], []
        for splits in draws:
            held = np.zeros(len(series))
            for train, test in splits:
                model = fit_predictor(clone(predictor), F[train], targets[train], labels[train])
                held[test] = model.predict_proba(F[test])[:, 1] if classify else model.predict(F[test])
                by_fold.append(metric(targets[test], held[test]))
            by_draw.append(metric(targets, held))
        scores.append(by_fold)
        pooled.append(np.mean(by_draw))
    return SettingsSearch(tuple(candidates), np.array(scores), np.array(pooled), int(np.argmax(pooled)))
