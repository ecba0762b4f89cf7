"""Folds keep groups together, test every sample once, and are those of their seed."""

import numpy as np
import pytest

from awd_core.features.folds import group_folds

GROUPS = np.random.default_rng(0).integers(0, 30, 400)
LABELS = np.random.default_rng(1).random(400) < 0.3


def held_out(groups, count, seed, labels=None):
    return [test.tolist() for _, test in group_folds(groups, count, np.random.default_rng(seed), labels)]


@pytest.mark.parametrize("labels", [None, LABELS])
def test_groups_stay_together_and_the_seed_decides(labels):
    assert held_out(GROUPS, 5, 1, labels) == held_out(GROUPS, 5, 1, labels)
    assert held_out(GROUPS, 5, 1, labels) != held_out(GROUPS, 5, [1, 7], labels) != held_out(GROUPS, 5, 2, labels)
    folds = group_folds(GROUPS, 5, np.random.default_rng(1), labels)
    assert len(folds) == 5
    for train, test in folds:
        assert not set(GROUPS[train]) & set(GROUPS[test])
        assert len(train) + len(test) == 400
    assert sorted(np.concatenate([test for _, test in folds])) == list(range(400))


def test_folds_are_even_in_samples():
    groups = np.repeat(np.arange(8), [40, 1, 1, 1, 1, 1, 1, 34])
    assert sorted(map(len, held_out(groups, 2, 0))) == [40, 40]


def test_names_of_groups_may_be_anything():
    names = np.array(["a", "b", "c", "d", "e", "f"])
    assert held_out(names[[0, 1, 1, 2, 3, 4, 5]], 3, 4) == held_out([0, 1, 1, 2, 3, 4, 5], 3, 4)


def test_classes_are_shared_out():
    for _, test in group_folds(GROUPS, 5, np.random.default_rng(0), LABELS):
        assert abs(LABELS[test].mean() - LABELS.mean()) < 0.08


def test_a_class_may_have_fewer_samples_than_there_are_folds():
    labels = np.arange(20) < 2
    folds = group_folds(np.arange(20), 5, np.random.default_rng(0), labels)
    assert sorted(int(labels[test].sum()) for _, test in folds) == [0, 0, 0, 1, 1]


@pytest.mark.parametrize("seed", range(20))
def test_no_fold_is_empty(seed):
    # Few groups, each of one class or nearly.
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(6), rng.integers(1, 9, 6))
    labels = (groups % 2 == 0) ^ (rng.random(len(groups)) < 0.1)
    for given in (None, labels):
        folds = group_folds(groups, min(5, np.bincount(labels).max()), np.random.default_rng(seed), given)
        assert all(len(train) and len(test) for train, test in folds)


def test_folds_need_groups():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="3 cells cannot be dealt to 4 folds; ask for fewer folds"):
        group_folds([1, 2, 3, 3], 4, rng, what="cells")
    for count in (1, 0, -2):
        with pytest.raises(ValueError, match=f"cross-validation needs two folds or more, got {count}"):
            group_folds([1, 2, 3], count, rng)
