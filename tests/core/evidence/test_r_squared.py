"""R² of data and of sums, against scikit-learn."""

import math

import numpy as np
import pytest
from sklearn.metrics import r2_score

from awd_core.evidence.r_squared import r_squared, r_squared_of_sums


def test_r_squared_is_that_of_scikit_learn_in_every_replicate():
    rng = np.random.default_rng(1)
    y, estimate = rng.normal(5, 1, 40), rng.normal(5, 1, 40)
    assert r_squared(y, estimate) == pytest.approx(r2_score(y, estimate), rel=1e-12)
    drawn = rng.integers(0, 40, (7, 40))
    weights = np.stack([np.bincount(rows, minlength=40) for rows in drawn])
    centred = y - y.mean()
    sums = (weights @ np.stack([np.ones(40), centred, centred**2, (y - estimate) ** 2], axis=1)).T
    expected = [r2_score(y[rows], estimate[rows]) for rows in drawn]
    np.testing.assert_allclose(r_squared_of_sums(*sums), expected, rtol=1e-10)


def test_r_squared_of_equal_truths_is_unknown():
    assert math.isnan(r_squared(np.ones(3), np.arange(3.0)))
    y = 0.1 + np.zeros(7)
    assert np.isnan(r_squared_of_sums(7, y.sum(), (y**2).sum(), 1.0))
    assert np.isnan(r_squared_of_sums(7, 0.0, 0.0, 1.0))
