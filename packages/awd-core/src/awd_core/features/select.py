"""Which point of a path to take: a cross-validated score of a predictor on each wavelet's coefficients.

The weights of the published objective were chosen like this, by the score of the small model that the wavelet is for.
"""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any, Protocol, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, is_classifier
from sklearn.model_selection import (
    KFold,
    StratifiedKFold,
    check_cv,
    cross_val_score,
)
from sklearn.preprocessing import StandardScaler

from awd_core.checks.real_numbers import plain_array
from awd_core.checks.spread import varying
from awd_core.checks.whole_numbers import whole_number
from awd_core.features.distiller import WaveletTransformer
from awd_core.features.folds import group_folds
from awd_core.transforms.boundary import without_boundary_warnings
from awd_core.typing import AnyArray, Array, Indices
from awd_core.wavelets.wavelet import Wavelet
from awd_core.workers.mapping import Progress
from awd_core.workers.progress import reported


class Candidate(Protocol):
    """What has a wavelet: a point of a path, or a penalised fit."""

    @property
    def wavelet(self) -> Wavelet:
        """The wavelet to be scored."""
        ...


@dataclass(frozen=True, repr=False)
class Selection:
    """Scores of the points of a path, and which to take.

    Attributes
    ----------
    index : int
        The point with the highest mean score; the first of several.
    one_standard_error_index : int
        The last point, so of a `DistillationPath` that with the largest share of the interpretation term, whose mean
        is within one standard error (its own) of the best: what leans most on the teacher at no loss that the folds
        could show. Never before `index`.
    mean, standard_error : tuple of float
        For each point: over the folds; the error is their standard deviation over √folds. Training sets overlap, so
        it is somewhat too small.
    scores : ndarray, shape (points, folds), read-only
        Score of each point on each fold. Higher is better, as scikit-learn has it.
    shares : tuple of float
        Share of each point; NaN for what has none.
    """

    index: int
    one_standard_error_index: int
    mean: tuple[float, ...]
    standard_error: tuple[float, ...]
    scores: Array
    shares: tuple[float, ...]

    def __repr__(self) -> str:
        return f"<Selection of point {self.index} of {len(self.mean)}: {self.mean[self.index]:.4g}>"

    def rows(self) -> list[dict[str, Any]]:
        """The table: one row per point with its share, mean, standard error and whether it was chosen."""
        return [
            {
                "point": point,
                "share": share,
                "mean": mean,
                "standard_error": error,
                "best": point == self.index,
                "one_standard_error": point == self.one_standard_error_index,
            }
            for point, (share, mean, error) in enumerate(zip(self.shares, self.mean, self.standard_error, strict=True))
        ]


def select_point(
    path: Sequence[Candidate],
    X: Any,
    y: Any,
    estimator: BaseEstimator,
    *,
    groups: Any = None,
    cv: Any = 5,
    scoring: Any = None,
    seed: int = 0,
    n_jobs: int | None = None,
    levels: int | None = None,
    mode: str | None = None,
    ndim: int | None = None,
    progress: Progress | bool | None = None,
) -> Selection:
    """Score an estimator on each point's coefficients by cross-validation, on the same folds for every point.

    Parameters
    ----------
    path : DistillationPath or sequence
        A path, or fits of `awd_core.published.distill_grid`, or anything else with a `wavelet`.
    X : array_like, shape (n, …, N) or (n, …, H, W)
        Samples to train on, and no others: what the chosen model is tested on later may not be among them.
    y : array_like, shape (n,) or (n, k)
        What is to be predicted: the truth of these samples, not the teacher's word.
    estimator : scikit-learn estimator or pipeline
        Fitted anew on each fold, to a row of coefficients per sample in the order of `WaveletTransformer`. Give it a
        random_state if it has one, or points differ by chance.
    groups : array_like, shape (n,), optional
        Samples of one group (a cell, a cosmology) are kept on one side of every split.
    cv : int, splitter or iterable of (train, test)
        Folds. A number stands for so many, shuffled with the seed: stratified for a classifier, whole groups if there
        are groups.
    scoring : str or callable, optional
        As for `sklearn.model_selection.cross_val_score`.
    seed : int
        Of the folds, if cv is a number.
    n_jobs : int, optional
        Folds that are run at once.
    levels, mode, ndim : optional
        Of the transform; those of the path by default.
    progress : callable or bool, optional
        True: a line on standard error every ten seconds. A function: called with
        (folds done, folds in all, what is next), where `n_jobs` is not given.

    Returns
    -------
    Selection

    Raises
    ------
    ValueError
        If the path is empty or does not say its levels and mode, lengths disagree, there are fewer than two folds, a
        split has samples of one group on both sides, or a score is not finite.

    Notes
    -----
    The score protects from a predictor that is fitted too closely: no fold's truth was seen by the predictor that is
    scored on it. It does not protect from two things. The wavelets have seen all of X, and y through the teacher as
    far as the teacher was trained on these samples, so scores are somewhat too good, for all points alike. And the
    best of many is chosen by the score that is reported, which makes the best one's too good. For a number to
    publish, use samples that neither teacher, path nor selection has seen.

    Give it an estimator that gains by few coefficients (the lasso, a pipeline that keeps the largest). All wavelets
    span the same signals, so linear regression on all coefficients cannot tell them apart, nor can ridge regression
    but for the boundary.

    A wavelet that appears at several points is scored once.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from awd_core.distill import distill_path
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((40, 16))
    >>> path = distill_path(X, np.ones_like(X), wavelet="db2", levels=2, shares=(0, 1))
    >>> select_point(path, X, X[:, 3], Ridge()).scores.shape
    (2, 5)
    """
    if isinstance(estimator, type) or not hasattr(estimator, "fit"):
        raise TypeError(f"estimator is {estimator!r}; give one to be fitted, such as Ridge()")
    settings, seed = _settings(path), whole_number("seed", seed, 0)
    chosen = {"levels": levels, "mode": mode, "ndim": ndim}
    transform: dict[str, Any] = {name: settings.get(name) if value is None else value for name, value in chosen.items()}
    missing = [name for name in ("levels", "mode") if transform[name] is None]
    if missing:
        raise ValueError(f"the path does not say its {' and '.join(missing)}; give them, such as levels=4, mode='zero'")
    if y is None:
        raise ValueError("y is None; give what is to be predicted, one entry for each sample")
    y = plain_array(y, "y")
    groups = None if groups is None else plain_array(groups, "groups")
    for name, values in (("y", y), ("groups", groups)):
        if values is not None and len(values) != len(X):
            raise ValueError(f"{name} has {len(values)} entries for {len(X)} samples; give one for each")
    splits = _splits(len(X), y, groups, cv, seed, classify=is_classifier(estimator))

    progress = reported(progress, "Selection")
    by_wavelet: dict[Wavelet, Array] = {}
    different = list(dict.fromkeys(point.wavelet for point in path))
    for number, wavelet in enumerate(different):
        with without_boundary_warnings():
            features = WaveletTransformer(wavelet, **transform).fit_transform(X)
        parts = [splits] if n_jobs is not None else [[split] for split in splits]
        scored: list[Array] = []
        for part in parts:
            if progress:
                progress(number * len(parts) + len(scored), len(different) * len(parts), f"point {number + 1}")
            scored.append(
                cross_val_score(
                    estimator, features, y, cv=part, scoring=scoring, n_jobs=n_jobs, error_score="raise"
                )
            )  # fmt: skip
        by_wavelet[wavelet] = np.concatenate(scored)
    scores = np.array([by_wavelet[point.wavelet] for point in path], dtype=np.float64)
    if not np.isfinite(scores).all():
        point, fold = np.argwhere(~np.isfinite(scores))[0]
        raise ValueError(f"the score of point {point} on fold {fold} is {scores[point, fold]}; take another scoring")
    mean = scores.mean(axis=1)
    error = scores.std(axis=1, ddof=1) / math.sqrt(scores.shape[1])
    best = int(mean.argmax())
    close = np.flatnonzero(mean >= mean[best] - error[best])
    scores.setflags(write=False)
    shares = tuple(float(getattr(point, "share", math.nan)) for point in path)
    return Selection(best, int(close[-1]), tuple(mean.tolist()), tuple(error.tolist()), scores, shares)


class Standardised(StandardScaler):  # type: ignore[misc] # scikit-learn has no types
    """scikit-learn's `StandardScaler`, but columns that do not vary, up to rounding, become 0."""

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Find mean and deviation of each column; the deviation of one that does not vary is infinite."""
        super().fit(X, y, sample_weight)
        self.scale_: Array = np.where(varying(np.asarray(X)), self.scale_, np.inf)
        return self


class Screened(TransformerMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """Of many columns those that correlate most with what is to be predicted; all, where they are not more.

    Parameters
    ----------
    count : int
        Columns that are kept.
    """

    def __init__(self, count: int = 512) -> None:
        self.count = count

    def fit(self, X: Any, y: Any) -> Self:
        """See which columns of X (n, K), of which each has the mean zero, go with y (n,) or (n, T), or with classes."""
        columns, truths = np.asarray(X, dtype=np.float64), np.asarray(y)
        if truths.dtype.kind in "iub":
            truths = truths.reshape(len(truths), 1) == np.unique(truths)
        centred = truths.reshape(len(truths), -1) - truths.reshape(len(truths), -1).mean(axis=0)
        scale = np.sqrt((columns**2).sum(axis=0))
        worth = np.abs(columns.T @ centred).max(axis=1) / np.where(scale > 0, scale, np.inf)
        self.kept_: Indices = np.sort(np.argsort(-worth, kind="stable")[: self.count])
        return self

    def transform(self, X: Any) -> Array:
        """The columns that were kept."""
        found: Array = np.asarray(X)[:, self.kept_]
        return found


def _settings(path: Sequence[Candidate]) -> dict[str, Any]:
    if path is None or not len(path):
        raise ValueError("the path is empty; there is nothing to choose from")
    for point in path:
        if not hasattr(point, "wavelet"):
            raise TypeError(f"a point of the path is {point!r}; give a DistillationPath or fits, which have a wavelet")
    settings: dict[str, Any] = getattr(path, "settings", None) or getattr(path[0], "settings", None) or {}
    for point in path:
        own = getattr(point, "settings", settings)
        if any(own.get(name) != settings.get(name) for name in ("levels", "mode", "ndim")):
            raise ValueError("the points have different levels, modes or axes; score those of one kind at a time")
    return settings


def _splits(
    n: int, y: AnyArray, groups: AnyArray | None, cv: Any, seed: int, *, classify: bool
) -> list[tuple[Indices, Indices]]:
    """The folds, made once; whole groups on one side of each."""
    if isinstance(cv, Integral):
        cv = int(cv)
        if cv < 2:
            raise ValueError(f"cv is {cv}; cross-validation needs two folds or more")
        if groups is None:
            cv = (StratifiedKFold if classify else KFold)(cv, shuffle=True, random_state=seed)
        else:
            cv = group_folds(groups, cv, np.random.default_rng([seed, 0]), y if classify else None)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The groups parameter is ignored", UserWarning)  # it is looked at below
        splits = list(check_cv(cv, y, classifier=classify).split(np.zeros((n, 1)), y, groups))
    if len(splits) < 2:
        raise ValueError(f"cv makes {len(splits)} split(s); the error of the mean needs two or more")
    if groups is not None:
        for train, test in splits:
            both = np.intersect1d(groups[train], groups[test])
            if len(both):
                raise ValueError(
                    f"cv puts samples of the group {both[0]} both into training and into testing; give a splitter that "
                    "keeps groups together, such as sklearn.model_selection.GroupKFold, or a number"
                )
    return splits
