"""Folds keep groups together, test every sample once, and are those of their generator."""

import numpy as np
import pytest

from awd_core.features.folds import balanced_folds, dealt_folds, train_and_test

GROUPS = np.random.default_rng(0).integers(0, 30, 400)


@pytest.mark.parametrize("make", [dealt_folds, balanced_folds])
def test_groups_stay_together_and_the_generator_decides(make):
    first, again, other = (make(GROUPS, 5, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert set(first) == set(range(5))
    assert all(len(set(first[group == GROUPS])) == 1 for group in np.unique(GROUPS))
    tested = []
    for train, test in train_and_test(first, 5):
        assert not set(GROUPS[train]) & set(GROUPS[test])
        assert len(train) + len(test) == 400
        tested += test.tolist()
    assert sorted(tested) == list(range(400))


def test_cards_are_even_in_groups_and_the_other_in_samples():
    groups = np.repeat(np.arange(8), [40, 1, 1, 1, 1, 1, 1, 34])
    dealt = dealt_folds(groups, 2, np.random.default_rng(0))
    assert [len(set(groups[dealt == k])) for k in range(2)] == [4, 4]
    balanced = balanced_folds(groups, 2, np.random.default_rng(0))
    assert np.bincount(balanced).tolist() == [40, 40]


def test_of_groups_of_one_size_both_are_the_same():
    groups = np.repeat(np.arange(11), 3)
    both = (make(groups, 4, np.random.default_rng(5)) for make in (dealt_folds, balanced_folds))
    np.testing.assert_array_equal(*both)


def test_classes_are_shared_out():
    labels = np.random.default_rng(1).random(400) < 0.3
    fold = balanced_folds(GROUPS, 5, np.random.default_rng(0), labels)
    assert all(abs(labels[fold == k].mean() - labels.mean()) < 0.08 for k in range(5))


@pytest.mark.parametrize("make", [dealt_folds, balanced_folds])
def test_folds_need_groups(make):
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="3 cells cannot be dealt to 4 folds; ask for fewer folds"):
        make([1, 2, 3, 3], 4, rng, what="cells")
    for count in (1, 0, -2):
        with pytest.raises(ValueError, match=f"cross-validation needs two folds or more, got {count}"):
            make([1, 2, 3], count, rng)
