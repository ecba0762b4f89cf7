"""Attribution curves: equal to masks over the training samples, XOR is told, trees without the feature are left out."""

import numpy as np
import pytest
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingRegressor,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.tree import DecisionTreeRegressor

from awd_core.decomposition import attribution_curve

RNG = np.random.default_rng(3)
X = RNG.integers(0, 8, size=(150, 4)).astype(float)  # many values at thresholds
Y = X[:, 0] + X[:, 1] * (X[:, 2] > 3) + RNG.normal(size=150)
LABEL = np.median(Y) < Y
FORESTS = {
    "random forest": (RandomForestRegressor(5, max_depth=4, max_features=1, random_state=0), Y),
    "extra trees": (ExtraTreesRegressor(5, max_depth=4, max_features=1, random_state=0), Y),
    "gradient boosting": (GradientBoostingRegressor(n_estimators=5, random_state=0), Y),
    "ada boost": (AdaBoostRegressor(DecisionTreeRegressor(max_depth=3), n_estimators=5, random_state=0), Y),
    "tree": (DecisionTreeRegressor(max_depth=4, random_state=0), Y),
    "classes": (RandomForestClassifier(5, max_depth=4, max_features=1, random_state=0), LABEL),
    "boosted classes": (GradientBoostingClassifier(n_estimators=5, random_state=0), LABEL),
    "ada boosted classes": (AdaBoostClassifier(n_estimators=5, random_state=0), LABEL),
}
each_forest = pytest.mark.parametrize("name", FORESTS)


def parts(name):
    forest, y = FORESTS[name]
    forest.fit(X, y)
    held = np.ravel(getattr(forest, "estimators_", [forest]))
    weights = getattr(forest, "estimator_weights_", np.ones(len(held)))[: len(held)]
    return forest, y.astype(float), held, weights


@each_forest
@pytest.mark.parametrize("features", [[0], [0, 2]])
def test_scores_of_samples_are_means_over_masks(name, features):
    forest, y, trees, weights = parts(name)
    found = attribution_curve(forest, X, FORESTS[name][1], features, X[:20])
    for point, value, share in zip(X[:20], found.values, found.trees, strict=True):
        sums = total = 0.0
        for tree, weight in zip(trees, weights, strict=True):
            mask, asked = np.ones(len(X), dtype=bool), False
            for node in tree.decision_path(point[None].astype(np.float32)).indices:
                k, threshold = tree.tree_.feature[node], tree.tree_.threshold[node]
                if k in features:
                    asked = True
                    mask &= (X[:, k] <= threshold) == (point[k] <= threshold)
            if asked:
                sums, total = sums + weight * y[mask].mean(), total + weight
        assert share == pytest.approx(total / sum(weights))
        assert np.isnan(value) if total == 0 else value == pytest.approx(sums / total)


@each_forest
def test_curves_are_means_over_all_open_paths(name):
    forest, y, trees, weights = parts(name)
    grid = np.arange(-0.25, 8, 0.5)
    found = attribution_curve(forest, X, FORESTS[name][1], 1, grid)
    values = [[] for _ in grid]
    for tree, weight in zip(trees, weights, strict=True):
        sums, counts = np.zeros(len(grid)), np.zeros(len(grid))
        nodes = tree.decision_path(X.astype(np.float32))
        for leaf in np.flatnonzero(tree.tree_.children_left < 0):
            # The path of a leaf, from whichever sample comes to it.
            sample = np.flatnonzero(nodes[:, [leaf]].toarray()[:, 0])
            if not len(sample):
                continue
            path = [n for n in nodes[sample[0]].indices if tree.tree_.feature[n] == 1]
            if not path:
                continue
            sides = [X[sample[0], 1] <= tree.tree_.threshold[n] for n in path]
            here, mask = (
                np.all([(v <= tree.tree_.threshold[n]) == s for n, s in zip(path, sides, strict=True)], axis=0)
                for v in (grid, X[:, 1])
            )
            sums[here] += y[mask].sum()
            counts[here] += mask.sum()
        for k in np.flatnonzero(counts):
            values[k].append((weight, sums[k] / counts[k]))
    for value, known in zip(found.values, values, strict=True):
        if not known:
            assert np.isnan(value)
            continue
        shares, means = zip(*known, strict=True)
        assert value == pytest.approx(np.average(means, weights=shares))


def test_xor_shows_in_two_features_and_in_neither_alone():
    x = RNG.uniform(-1, 1, size=(600, 3))
    y = ((x[:, 0] > 0) ^ (x[:, 1] > 0)).astype(float)
    forest = RandomForestClassifier(50, random_state=0).fit(x, y)
    corners = np.array([[-0.5, -0.5], [-0.5, 0.5], [0.5, -0.5], [0.5, 0.5]])
    pair = attribution_curve(forest, x, y, [0, 1], corners)
    assert np.all((pair.values > 0.5) == [False, True, True, False])
    assert np.abs(pair.values - 0.5).min() > 0.15
    alone = attribution_curve(forest, x, y, 0, [-0.5, 0.5])
    assert np.abs(alone.values - 0.5).max() < 0.15


def test_trees_without_the_feature_are_left_out():
    x = RNG.uniform(size=(300, 2))
    y = (x[:, 0] > 0.5).astype(float)
    forest = ExtraTreesRegressor(30, max_depth=1, max_features=1, random_state=0).fit(x, y)
    found = attribution_curve(forest, x, y, 0, [0.999])
    assert found.trees[0] == pytest.approx(np.mean([tree.tree_.feature[0] == 0 for tree in forest.estimators_]))
    assert 0 < found.trees[0] < 1
    assert found.values[0] > 0.5  # above the mean, however few trees ask
    constant = RandomForestRegressor(3, random_state=0).fit(np.c_[x[:, :1], 0 * x[:, :1]], y)
    unused = attribution_curve(constant, np.c_[x[:, :1], 0 * x[:, :1]], y, 1, [0.0])
    assert np.isnan(unused.values).all()
    assert unused.trees.tolist() == [0]


def test_a_single_tree_is_its_own_prediction():
    tree = DecisionTreeRegressor(max_depth=4, random_state=0).fit(X[:, :2], Y)
    found = attribution_curve(tree, X[:, :2], Y, [0, 1], X[:, :2])
    assert np.allclose(found.values, tree.predict(X[:, :2]))


def test_classes_and_names():
    import pandas as pd

    label = np.array(["a", "b", "c"])[RNG.integers(3, size=150)]
    table = pd.DataFrame(X, columns=list("pqrs"))
    for kind in (RandomForestClassifier, GradientBoostingClassifier):
        forest = kind(n_estimators=4, random_state=0).fit(table, label)
        found = [attribution_curve(forest, table, label, [0], X[:5], target=one) for one in "abc"]
        assert found[0].names == ("p",)
        assert found[0].mean == pytest.approx((label == "a").mean())
        if kind is RandomForestClassifier:
            assert np.allclose(sum(one.values for one in found), 1)
    with pytest.raises(ValueError, match="tells 3 classes apart; give target="):
        attribution_curve(forest, table, label, 0, [1.0])
    with pytest.raises(ValueError, match="target is 'd'; give one of"):
        attribution_curve(forest, table, label, 0, [1.0], target="d")


def test_pictures():
    forest, *_ = parts("random forest")
    curve = attribution_curve(forest, X, Y, 0, np.arange(8))
    assert curve.plot().axes[0].get_xlabel() == "feature 0"
    pair = attribution_curve(forest, X, Y, [0, 1], X[:30])
    assert pair.plot().axes[0].get_ylabel() == "feature 1"


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"forest": RandomForestRegressor()}, NotFittedError, "not fitted yet"),
        ({"forest": HistGradientBoostingRegressor(max_iter=2).fit(X, Y)}, TypeError, "has no trees with thresholds"),
        ({"forest": LinearRegression().fit(X, Y)}, TypeError, "LinearRegression has no trees"),
        ({"forest": BaggingRegressor(n_estimators=2).fit(X, Y)}, TypeError, "BaggingRegressor has no trees"),
        (
            {"forest": AdaBoostRegressor(LinearRegression(), n_estimators=2).fit(X, Y)},
            TypeError,
            "are LinearRegression",
        ),
        ({"X": X[:, :3]}, ValueError, "X has 3 columns; the forest was fitted to 4"),
        ({"X": X[:, 0]}, ValueError, "give a table"),
        ({"X": np.where(X > 6, np.nan, X)}, ValueError, "X has a NaN"),
        ({"y": Y[:5]}, ValueError, r"y has shape \(5,\)"),
        ({"y": np.where(Y > 0, np.inf, Y)}, ValueError, "y has a NaN or an infinity"),
        ({"features": 4}, ValueError, "features is 4; give one or two"),
        ({"features": [0, 1, 2]}, ValueError, "give one or two different columns"),
        ({"features": [1, 1]}, ValueError, "give one or two different columns"),
        ({"at": [[1.0, 2.0]]}, ValueError, r"at has shape \(1, 2\); give values of the 1"),
        ({"at": [np.nan]}, ValueError, "at has a NaN"),
        ({"target": 1}, ValueError, "the forest a regression; leave it out"),
    ],
)
def test_bad_forests(change, error, match):
    forest, *_ = parts("random forest")
    given = {"forest": forest, "X": X, "y": Y, "features": 0, "at": [1.0], "target": None} | change
    target = given.pop("target")
    with pytest.raises(error, match=match):
        attribution_curve(*given.values(), target=target)
