"""Attribution curves of forests: what an ensemble of trees says at values of one or two features, all else left open.

After Devlin, Singh, Murdoch, Yu 2019, "Disentangled attribution curves for interpreting random forests and boosted
trees" (arXiv:1905.07631). On a tree's path to a leaf the conditions on the chosen features are kept, and the others
dropped; what the path says is the mean target of the training samples that meet those that are kept.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from awd_core.checks.real_numbers import real_array
from awd_core.checks.whole_numbers import is_whole_number
from awd_core.typing import AnyArray, Array, Flags

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class AttributionCurve:
    """What a forest says at values of one or two features.

    Attributes
    ----------
    at : ndarray, shape (m, features)
        Values of the features.
    values : ndarray, shape (m,)
        In units of the target, for classes probabilities; NaN where no tree asks for any of the features.
    trees : ndarray, shape (m,)
        The share of the trees, by their weight, that ask for any of the features there; the others are left out.
    names : tuple of str
        Names of the features.
    mean : float
        The mean target of the training samples, which a curve is read against.
    """

    at: Array
    values: Array
    trees: Array
    names: tuple[str, ...]
    mean: float

    def plot(self) -> "Figure":
        """Draw it: a curve over one feature, coloured points over two.

        Returns
        -------
        matplotlib.figure.Figure
        """
        from awd_core.decomposition.figures import draw_curve

        return draw_curve(self)


@dataclass(frozen=True)
class _Box:
    """Conditions on the features along a path: below and up to `high`, above `low`."""

    low: Array
    high: Array
    asked: Flags


def attribution_curve(
    forest: Any, X: Any, y: Any, features: int | Sequence[int], at: Any, *, target: Any = None
) -> AttributionCurve:
    """What a forest says at values of one or two features, all other features left open.

    Parameters
    ----------
    forest : estimator
        A fitted random forest, extra trees, gradient boosting or AdaBoost of scikit-learn, or a single tree, for a
        regression or a classification. AdaBoost's trees count by their weights, all others alike.
    X : array_like, shape (n, n_features)
        The samples that it was fitted to; coefficients of a wavelet will do, as of any features.
    y : array_like, shape (n,)
        Their targets.
    features : int or sequence of one or two int
        Columns of X.
    at : array_like, shape (m,), (m, features) or (m, n_features)
        Values of the features, on which all leaves count whose paths are open to them, by the number of samples that
        meet their conditions (the published curves). Or whole samples: of each tree the one path that the sample
        takes, of which the conditions on the features are kept (the published scores of samples). Where all of the
        columns are features both are the same.
    target : optional
        The class whose probability is meant; by default the second of two.

    Returns
    -------
    AttributionCurve
        A path without a condition on any of the features is left out, and so are trees that have no other; they do not
        count as zero.

    Raises
    ------
    sklearn.exceptions.NotFittedError
        The forest is not fitted (a ValueError).
    TypeError
        It is no ensemble of trees with thresholds.
    ValueError
        Shapes disagree, values are not finite, features are no columns, or there is no such class.

    Examples
    --------
    >>> from sklearn.ensemble import RandomForestRegressor
    >>> x = np.random.default_rng(0).uniform(size=(200, 3))
    >>> forest = RandomForestRegressor(20, random_state=0).fit(x, x[:, 0] > 0.5)
    >>> attribution_curve(forest, x, x[:, 0] > 0.5, 0, [0.1, 0.9]).values.round(2).tolist()
    [0.0, 1.0]
    """
    check_is_fitted(forest)
    trees, weights, kind = _trees(forest, target)
    samples = _table(X, "X")
    if samples.shape[1] != forest.n_features_in_:
        raise ValueError(f"X has {samples.shape[1]} columns; the forest was fitted to {forest.n_features_in_}")
    told = _targets(y, kind, forest, target)
    if told.shape != (len(samples),):
        raise ValueError(f"y has shape {told.shape}; give one target for each of the {len(samples)} samples of X")
    columns = _columns(features, samples.shape[1])
    points = _points(at, len(columns), samples.shape[1])
    whole = points.shape[1] == samples.shape[1] and len(columns) != samples.shape[1]
    sums, counts = np.zeros(len(points)), np.zeros(len(points))
    for tree, weight in zip(trees, weights, strict=True):
        values = _of_one_tree(tree.tree_, samples, told, columns, points, whole)
        known = np.isfinite(values)
        sums[known] += weight * values[known]
        counts[known] += weight
    found = np.divide(sums, counts, out=np.full(len(points), np.nan), where=counts > 0)
    names = getattr(forest, "feature_names_in_", [f"feature {k}" for k in range(samples.shape[1])])
    shown = points[:, columns] if whole else points
    return AttributionCurve(
        shown, found, counts / sum(weights), tuple(str(names[k]) for k in columns), float(told.mean())
    )


def _of_one_tree(tree: Any, samples: AnyArray, told: Array, columns: list[int], points: AnyArray, whole: bool) -> Array:
    """What a tree says at each point; NaN where it does not ask."""
    sums, counts = np.zeros(len(points)), np.zeros(len(points))
    mine = samples[:, columns]
    seen = points[:, columns] if whole else points
    leaves = tree.apply(np.ascontiguousarray(points)) if whole else None
    for leaf, box in _leaves(tree, columns):
        if not box.asked.any():
            continue
        open_to = leaves == leaf if leaves is not None else _within(seen, box)
        if not open_to.any():
            continue
        meet = _within(mine, box)
        count = int(meet.sum())
        if count == 0:
            continue
        weight = 1.0 if whole else float(count)
        sums[open_to] += weight * told[meet].mean()
        counts[open_to] += weight
    found: Array = np.divide(sums, counts, out=np.full(len(points), np.nan), where=counts > 0)
    return found


def _leaves(tree: Any, columns: list[int]) -> Iterator[tuple[int, _Box]]:
    """All leaves, each with its path's conditions on the features."""
    place = {column: k for k, column in enumerate(columns)}
    size = len(columns)
    start = _Box(np.full(size, -np.inf), np.full(size, np.inf), np.zeros(size, dtype=bool))
    waiting = [(0, start)]
    while waiting:
        node, box = waiting.pop()
        left, right = int(tree.children_left[node]), int(tree.children_right[node])
        if left == right:
            yield node, box
            continue
        k = place.get(int(tree.feature[node]))
        if k is None:
            waiting += [(left, box), (right, box)]
            continue
        threshold, asked = float(tree.threshold[node]), box.asked.copy()
        asked[k] = True
        low, high = box.low.copy(), box.high.copy()
        low[k], high[k] = max(low[k], threshold), min(high[k], threshold)
        waiting += [(left, _Box(box.low, high, asked)), (right, _Box(low, box.high, asked))]


def _within(values: AnyArray, box: _Box) -> Flags:
    # A value at the threshold goes left, as in scikit-learn, which compares in single precision.
    inside = (values > box.low) & (values <= box.high)
    return np.asarray(inside.all(axis=1))


def _trees(forest: Any, target: Any) -> tuple[list[Any], list[float], str]:
    """The trees of a forest, their weights, and whether it is a "classifier" or a "regressor"."""
    from sklearn.base import is_classifier

    kind = "classifier" if is_classifier(forest) else "regressor"
    held: Any = getattr(forest, "estimators_", [forest] if hasattr(forest, "tree_") else None)
    named = type(forest).__name__
    if held is None or len(held) == 0 or hasattr(forest, "estimators_features_"):
        raise TypeError(
            f"{named} has no trees with thresholds on the columns of X; give a fitted RandomForest, ExtraTrees, "
            "GradientBoosting or AdaBoost estimator of scikit-learn, or a decision tree"
        )
    trees = np.asarray(held, dtype=object)
    if trees.ndim == 2:  # boosting has a column for each class, or one
        trees = trees[:, _place(forest, target) if trees.shape[1] > 1 else 0]
    listed = list(trees)
    if not all(hasattr(tree, "tree_") for tree in listed):
        raise TypeError(
            f"the estimators of this {named} are {type(listed[0]).__name__}; give an ensemble of scikit-learn's "
            "decision trees"
        )
    weights = getattr(forest, "estimator_weights_", None)
    shares = [1.0] * len(listed) if weights is None else [float(w) for w in weights[: len(listed)]]
    return listed, shares if sum(shares) > 0 else [1.0] * len(listed), kind


def _place(forest: Any, target: Any) -> int:
    classes = list(forest.classes_)
    if target is None:
        if len(classes) != 2:
            raise ValueError(f"the forest tells {len(classes)} classes apart; give target=, one of {classes}")
        return 1
    if target not in classes:
        raise ValueError(f"target is {target!r}; give one of the forest's classes, {classes}")
    return classes.index(target)


def _targets(y: Any, kind: str, forest: Any, target: Any) -> Array:
    """Targets of a regression, or 1 for the class that is meant."""
    if kind == "classifier":
        chosen = forest.classes_[_place(forest, target)]
        return np.asarray(np.asarray(y) == chosen, dtype=np.float64)
    if target is not None:
        raise ValueError(f"target is {target!r}, a class, and the forest a regression; leave it out")
    values = real_array(y, "y").astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError("y has a NaN or an infinity; leave such samples out, or fill them in")
    return values


def _table(values: Any, name: str) -> AnyArray:
    """Columns in the single precision in which scikit-learn's trees compare."""
    array = real_array(values, name).astype(np.float32)
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(f"{name} has shape {array.shape}; give a table of samples by columns")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} has a NaN or an infinity; leave such samples out, or fill them in")
    return array


def _columns(features: Any, number: int) -> list[int]:
    columns = [features] if is_whole_number(features) else list(features)
    good = all(is_whole_number(k) and 0 <= k < number for k in columns)
    if not good or len(columns) not in (1, 2) or len(set(columns)) != len(columns):
        raise ValueError(f"features is {features!r}; give one or two different columns of X, from 0 to {number - 1}")
    return [int(k) for k in columns]


def _points(at: Any, chosen: int, number: int) -> AnyArray:
    array = real_array(at, "at")
    array = array[:, None] if array.ndim == 1 and chosen == 1 else array
    if array.ndim != 2 or array.shape[1] not in (chosen, number):
        raise ValueError(
            f"at has shape {np.shape(at)}; give values of the {chosen} feature(s), shape (m, {chosen}), or whole "
            f"samples, (m, {number})"
        )
    return _table(array, "at")
