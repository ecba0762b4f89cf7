"""Truths: numbers or classes, by what they look like, with a word where it could be otherwise."""

import numpy as np
import pytest

from awd_core.readable import truths_of

MANY = 40


@pytest.mark.parametrize(
    ("y", "task", "guessed"),
    [
        (np.arange(MANY) % 3, "classification", True),
        ((np.arange(MANY) % 3).astype(float), "classification", True),
        (np.arange(MANY) % 2 == 0, "classification", False),
        (np.array(["left", "right"] * 20), "classification", False),
        (["left", "right"] * 20, "classification", False),
        (np.array(["left", "right"] * 20, dtype=object), "classification", False),
        (np.arange(MANY), "regression", False),
        (np.arange(MANY) % 3 + 0.5, "regression", False),
        (np.column_stack([np.arange(MANY) % 2, np.arange(MANY) % 3]), "regression", False),
    ],
)
def test_the_task_goes_by_the_truths(y, task, guessed):
    found = truths_of(y)
    assert found.task == task
    assert bool(found.word) == guessed
    assert ("--task regression" in found.word) == guessed


def test_what_is_said_is_done():
    y = np.arange(MANY) % 3
    assert truths_of(y, "regression").values[:, 0].tolist() == y.tolist()
    assert truths_of(y.astype(float), "classification").classes.tolist() == [0, 1, 2]


def test_further_truths_are_of_the_same_classes():
    known = truths_of(["a", "b", "c"] * 5)
    assert known.like(["c", "a"]).places.tolist() == [2, 0]
    with pytest.raises(ValueError, match="test y has the classes d, which y has not"):
        known.like(["a", "d"])
    with pytest.raises(ValueError, match="test y has 2 columns and y has 1"):
        truths_of([0.5, 1.5]).like(np.ones((3, 2)) * np.arange(3)[:, None])


@pytest.mark.parametrize(
    ("y", "task", "message"),
    [
        ([1.0, np.nan, 2.0], "auto", "y contains NaN or infinity, in row 1"),
        ([1.5, 1.5, 1.5], "auto", "y is 1.5 in all rows"),
        (["a", "a"], "auto", "y has one class, 'a'"),
        (["a", "b", "b"], "auto", "one sample of 1 of its 2 classes, such as 'a'"),
        (["a", "b"], "regression", "y holds texts and the task is regression"),
        (np.ones((4, 2)) * [[0], [1], [0], [1]], "classification", "give one class for each input"),
        (np.float64(3), "auto", r"y has shape \(\)"),
        ([1, 2], "clustering", "task is 'clustering'.*choose one of auto, regression, classification"),
    ],
)
def test_other_truths_are_refused(y, task, message):
    with pytest.raises(ValueError, match=message):
        truths_of(y, task)
