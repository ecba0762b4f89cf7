"""Intervals and verdicts of awd-cme on cells with a known truth: simulations of benchmarks/coverage_cme, in short."""

import importlib

import numpy as np
import pytest


@pytest.fixture(scope="module")
def coverage():
    return importlib.import_module("benchmarks.coverage_cme")


@pytest.mark.parametrize(("metric", "brightness"), [("r2", 0.0), ("auc", 0.4)])
@pytest.mark.parametrize("cells", [3, 8])
def test_intervals_of_scores_hold_the_truth(coverage, metric, brightness, cells):
    truth = coverage.expected_score(metric, brightness, np.random.default_rng(0))
    held, _ = coverage.coverage_of_scores(metric, brightness, cells, 200, truth, seed=1)
    # 0.91 and more in the long run (docs/statistics.md); of 200 the share scatters by 0.02.
    assert held > 0.85


@pytest.mark.parametrize("metric", ["r2", "auc"])
@pytest.mark.parametrize("cells", [4, 20])
def test_equal_models_are_called_different_as_seldom_as_is_said(coverage, metric, cells):
    # At most 0.05 in the long run; 21 of 200 and more come once in a thousand then.
    assert coverage.rate_of_differences(metric, cells, 200, 1.0, seed=1) < 21 / 200


def test_models_that_differ_are_told_apart(coverage):
    # 0.94 in the long run.
    assert coverage.rate_of_differences("r2", 20, 50, 0.5, seed=1) > 0.7


@pytest.mark.parametrize("logistic", [False, True])
def test_weights_without_effect_are_not_called_sure(coverage, logistic):
    found = coverage.weights(8, 15, 1, logistic=logistic)
    # Of 15 · 45 intervals, which hang together in each run.
    assert found.coverage > 0.88
    assert found.null_rate < 0.11
    # 0.05 of 15 are 0.75; 5 and more come once in a thousand.
    assert found.any_null < 5 / 15


def test_cross_validation_says_what_new_cells_give(coverage):
    rng = np.random.default_rng(1)
    found = np.array([[coverage.validated(10, rule, rng) for _ in range(8)] for rule in ("training", "own")])
    validated, new, once = np.median(found, axis=1).T
    np.testing.assert_allclose(validated, new, atol=0.2)
    assert validated[1] > validated[0] + 0.1
    # Z-scores that know the held-out cells tell neither rule from the other, nor either from what it gives.
    assert (once > new + 0.2).all()
