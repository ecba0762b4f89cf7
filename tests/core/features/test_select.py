"""Choosing a point of a path: scores by hand, folds that are the same for all and keep groups together."""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest
import pywt
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GroupKFold, KFold, ShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from awd_core.distill.distill import DistillationPath, PathPoint, SearchSettings, distill_path
from awd_core.features.select import Standardised, select_point
from awd_core.published.grid import distill_grid
from awd_core.wavelets.wavelet import Wavelet

LEVELS = 2


@pytest.fixture(name="X")
def inputs():
    return np.random.default_rng(0).standard_normal((60, 24))


def path_of(*names, settings=None):
    """A path of given wavelets, as if it had been searched."""
    points = [
        PathPoint(share, share, Wavelet.from_name(name), 1.0, 1.0, 1.0, ())
        for share, name in zip(np.linspace(0, 1, len(names)), names, strict=True)
    ]
    settings = {"levels": LEVELS, "mode": "symmetric", "ndim": 1} if settings is None else settings
    return DistillationPath(points, points[0].wavelet, 1.0, 1.0, settings)


def features(X, name):
    return np.concatenate(pywt.wavedec(X, name, "symmetric", LEVELS), axis=1)


def of_one_coefficient(X, name):
    """A response that one coefficient of that wavelet tells, and no other wavelet's first few do."""
    return pywt.wavedec(X, name, "symmetric", LEVELS)[1][:, 3]


class FirstDetails(Ridge):
    """Ridge regression on a few details alone: a model too small to undo the choice of a wavelet."""

    def fit(self, X, y):
        self.seen_ = X.shape
        return super().fit(X[:, 9:14], y)

    def predict(self, X):
        return super().predict(X[:, 9:14])


def test_scores_by_hand(X):
    names = ("db2", "db3", "haar")
    y = X @ np.random.default_rng(1).standard_normal(24)
    selection = select_point(path_of(*names), X, y, Ridge(), cv=4, seed=3)
    folds = list(KFold(4, shuffle=True, random_state=3).split(X))
    expected = np.array(
        [[Ridge().fit(F[a], y[a]).score(F[b], y[b]) for a, b in folds] for F in (features(X, name) for name in names)]
    )
    assert selection.scores == pytest.approx(expected, abs=1e-10)
    assert selection.mean == pytest.approx(expected.mean(1), abs=1e-10)
    assert selection.standard_error == pytest.approx(expected.std(1, ddof=1) / 2, abs=1e-10)
    assert selection.index == expected.mean(1).argmax()
    assert selection.shares == (0.0, 0.5, 1.0)
    assert [row["point"] for row in selection.rows() if row["best"]] == [selection.index]
    assert sum(row["one_standard_error"] for row in selection.rows()) == 1
    assert selection.rows()[1]["mean"] == selection.mean[1]


def test_finds_the_wavelet_of_the_response(X):
    selection = select_point(path_of("haar", "db3", "sym6"), X, of_one_coefficient(X, "haar"), FirstDetails(1e-6))
    assert selection.index == 0
    assert selection.mean[0] > 0.99 > max(selection.mean[1:]) + 0.3


def test_one_standard_error_takes_the_last_that_is_as_good(X):
    y = np.random.default_rng(2).standard_normal(60)
    mean_only = select_point(path_of("haar", "db2", "db3"), X, y, DummyRegressor())
    assert mean_only.index == 0  # all are equal: the first is best, the last is as good
    assert mean_only.one_standard_error_index == 2
    y = of_one_coefficient(X, "db2")
    clear = select_point(path_of("haar", "db2", "sym6"), X, y, FirstDetails(1e-6))
    assert (clear.index, clear.one_standard_error_index) == (1, 1)


class Counting(FirstDetails):
    """Counts fits, in this process."""

    fits = 0

    def fit(self, X, y):
        Counting.fits += 1
        return super().fit(X, y)


def test_equal_wavelets_are_scored_once(X):
    y = np.random.default_rng(3).standard_normal(60)
    Counting.fits = 0
    selection = select_point(path_of("db2", "db3", "db2"), X, y, Counting(), cv=3)
    assert Counting.fits == 6
    assert np.array_equal(selection.scores[0], selection.scores[2])
    assert not np.array_equal(selection.scores[0], selection.scores[1])


class Recording(DummyRegressor):
    """Takes note of the targets that it was fitted to."""

    seen = []  # noqa: RUF012 - shared by clones, as is meant

    def fit(self, X, y):
        Recording.seen.append(tuple(sorted(y.tolist())))
        return super().fit(X, y)


def test_the_seed_is_that_of_the_folds_of_groups_too(X):
    y = X[:, 0] - X[:, 7]
    groups = np.repeat(np.arange(20), 3)
    first, again, other = (select_point(path_of("db2"), X, y, Ridge(), groups=groups, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first.scores, again.scores)
    assert not np.array_equal(first.scores, other.scores)
    with pytest.raises(ValueError, match="3 groups cannot be dealt to 5 folds; ask for fewer folds"):
        select_point(path_of("db2"), X, y, Ridge(), groups=np.arange(60) // 20)


@pytest.mark.parametrize("cv", [4, GroupKFold(4)])
def test_groups_stay_together_and_folds_are_the_same_for_all(X, cv):
    groups = np.repeat(np.arange(12), 5)
    y = np.arange(60.0)
    Recording.seen = []
    select_point(path_of("db2", "db3"), X, y, Recording(), groups=groups, cv=cv)
    assert len(Recording.seen) == 8
    assert Recording.seen[:4] == Recording.seen[4:]
    for train in Recording.seen:
        inside = groups[np.array(train, dtype=int)]
        assert all((inside == group).sum() == 5 for group in np.unique(inside))


def test_random_splits_are_drawn_once(X):
    Recording.seen = []
    select_point(path_of("db2", "db3"), X, np.arange(60.0), Recording(), cv=ShuffleSplit(3))
    assert Recording.seen[:3] == Recording.seen[3:]
    given = [(np.arange(30), np.arange(30, 60)), (np.arange(30, 60), np.arange(30))]
    Recording.seen = []
    select_point(path_of("db2"), X, np.arange(60.0), Recording(), cv=iter(given))
    assert Recording.seen == [tuple(map(float, range(30))), tuple(map(float, range(30, 60)))]


def test_classifiers_are_stratified_and_pipelines_fit(X):
    y = np.where(np.arange(60) < 6, "rare", "common")
    pipe = make_pipeline(StandardScaler(), LogisticRegression())

    def rare(estimator, features, truth):
        assert estimator.predict(features).shape == truth.shape
        return float((truth == "rare").sum())

    assert select_point(path_of("db2"), X, y, pipe, cv=3, scoring=rare).scores.tolist() == [[2, 2, 2]]
    pairs = np.arange(60) // 2
    assert select_point(path_of("db2"), X, y, pipe, cv=3, scoring=rare, groups=pairs).scores.tolist() == [[2, 2, 2]]


def test_the_seed_is_that_of_the_folds(X):
    y = X[:, 0] - X[:, 7]
    first, again, other = (select_point(path_of("db2"), X, y, Ridge(), seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first.scores, again.scores)
    assert not np.array_equal(first.scores, other.scores)


def test_a_path_that_was_searched_and_a_grid(X):
    G = np.random.default_rng(1).standard_normal(X.shape)
    y = X[:, 4]
    search = SearchSettings(random_starts=0, iterations=3)
    path = distill_path(X, G, wavelet="db2", levels=2, shares=(0, 0.5, 1), search=search)
    selection = select_point(path, X, y, Ridge())
    assert selection.shares == (0, 0.5, 1)
    assert path[selection.index].wavelet.length == 4
    fits = distill_grid(X, None, sparsity=(0.01, 0.1), interpretation=(0,), wavelet="db2", levels=2, epochs=1)
    selection = select_point(fits, X, y, Ridge())
    assert len(selection.mean) == 2
    assert np.isnan(selection.shares).all()


def test_columns_of_rounding_are_not_blown_up():
    rng = np.random.default_rng(0)
    F = np.column_stack([rng.standard_normal((30, 2)) * [1, 1e-6], 1e-17 * rng.standard_normal(30), np.full(30, 0.1)])
    scaled = Standardised().fit(F)
    np.testing.assert_allclose(scaled.transform(F)[:, :2], StandardScaler().fit_transform(F)[:, :2], rtol=1e-12)
    assert (scaled.transform(F + np.array([0, 0, 1e-9, 1e-9]))[:, 2:] == 0).all()
    np.testing.assert_array_equal(Standardised().fit_transform(F), scaled.transform(F))


def test_maps():
    X = np.random.default_rng(0).standard_normal((20, 12, 12))
    path = path_of("db2", settings={"levels": 1, "mode": "zero", "ndim": 2})
    assert select_point(path, X, X[:, 2, 3], Ridge(), cv=2).scores.shape == (1, 2)


def test_is_frozen(X):
    selection = select_point(path_of("db2"), X, X[:, 0], Ridge(), cv=2)
    with pytest.raises(FrozenInstanceError):
        selection.index = 3
    with pytest.raises(ValueError, match="read-only"):
        selection.scores[0, 0] = 1


def test_errors(X):
    y, path = X[:, 0], path_of("db2")
    with pytest.raises(ValueError, match="the path is empty; there is nothing to choose from"):
        select_point([], X, y, Ridge())
    with pytest.raises(ValueError, match="the path does not say its levels and mode; give them"):
        select_point(path[:1], X, y, Ridge())
    assert select_point(path[:1], X, y, Ridge(), levels=1, mode="zero", ndim=1).index == 0
    with pytest.raises(ValueError, match="y has 59 entries for 60 samples"):
        select_point(path, X, y[1:], Ridge())
    with pytest.raises(ValueError, match="groups has 2 entries for 60 samples"):
        select_point(path, X, y, Ridge(), groups=[1, 2])
    with pytest.raises(ValueError, match="cv is 1; cross-validation needs two folds or more"):
        select_point(path, X, y, Ridge(), cv=1)
    with pytest.raises(ValueError, match=r"cv makes 1 split\(s\); the error of the mean needs two"):
        select_point(path, X, y, Ridge(), cv=ShuffleSplit(1))
    with pytest.raises(ValueError, match=r"puts samples of the group \d+ both into training and into testing"):
        select_point(path, X, y, Ridge(), groups=np.arange(60) // 2, cv=KFold(3, shuffle=True, random_state=0))
    with pytest.raises(ValueError, match="the score of point 0 on fold 0 is nan; take another scoring"):
        select_point(path, X, y, Ridge(), scoring=lambda *_: np.nan)
    with pytest.raises(ValueError, match="'nonsense'"):
        select_point(path, X, y, Ridge(), scoring="nonsense")
