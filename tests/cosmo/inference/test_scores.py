"""Scores against closed forms and plain loops."""

import json
import math

import numpy as np
import pytest

from awd_cosmo.inference.scores import bias, calibration_factor, coverage, fair_score, r_squared, rmse
from awd_cosmo.inference.uncertainty import paired_ratio, regression_scores


@pytest.fixture
def normal():
    """Truth, estimates with normal errors, and the right error bars."""
    rng = np.random.default_rng(0)
    truth = rng.uniform(0.1, 0.5, 4000)
    std = rng.uniform(0.01, 0.03, 4000)
    return truth, truth + rng.normal(0, std), std


def test_plain_scores_equal_scikit_learns(normal):
    from sklearn.metrics import r2_score, root_mean_squared_error

    truth, estimate, _ = normal
    assert rmse(truth, estimate) == pytest.approx(root_mean_squared_error(truth, estimate), rel=1e-12)
    assert r_squared(truth, estimate) == pytest.approx(r2_score(truth, estimate), rel=1e-12)
    assert bias(truth, truth + 0.25) == pytest.approx(0.25, rel=1e-12)
    assert math.isnan(r_squared([0.3, 0.3], [0.3, 0.4]))


def test_fair_score_is_the_formula():
    rng = np.random.default_rng(1)
    truth, estimate, std = rng.normal(size=(3, 20, 2))
    std = np.abs(std) + 0.1
    total = 0.0
    for i in range(20):
        for k in range(2):
            squared = (estimate[i, k] - truth[i, k]) ** 2
            total -= squared / std[i, k] ** 2 + math.log(std[i, k] ** 2) + 1000 * squared
    assert fair_score(truth, estimate, std) == pytest.approx(total / 20, rel=1e-12)
    assert fair_score(truth, estimate, std, weight=0) > fair_score(truth, estimate, std)


def test_coverage_of_right_error_bars_is_the_level(normal):
    found = coverage(*normal)
    for level in (0.68, 0.95):
        # Four standard deviations of the binomial distribution.
        assert abs(found[f"{level:g}"] - level) < 4 * math.sqrt(level * (1 - level) / 4000)
    truth, estimate, std = normal
    assert coverage(truth, estimate, std / 2, (0.68,))["0.68"] < 0.45  # P(|z| < 0.497) = 0.38


def test_calibration_undoes_a_wrong_width(normal):
    truth, estimate, std = normal
    # The relative error of a width from n normal errors is 1/√(2n) = 0.011; of a quantile at 68 % some 1.3 times that.
    assert calibration_factor(truth, estimate, std / 3) == pytest.approx(3, rel=0.045)
    assert calibration_factor(truth, estimate, std / 3, method="coverage") == pytest.approx(3, rel=0.06)
    fixed = std / 3 * calibration_factor(truth, estimate, std / 3, method="coverage", level=0.68)
    assert coverage(truth, estimate, fixed, (0.68,))["0.68"] == pytest.approx(0.68, abs=1 / 4000)


def test_bootstrap_over_maps_gives_the_known_error_of_an_rmse(normal):
    truth, _, _ = normal
    rng = np.random.default_rng(5)
    errors = rng.normal(0, 0.02, len(truth))
    scores = regression_scores(truth, truth + errors, resamples=4000, seed=0)
    # For normal errors the standard deviation of an RMSE is σ/√(2n); the bootstrap's own error is 1/√(2·4000) = 1 %.
    assert scores.rmse.error == pytest.approx(0.02 / math.sqrt(2 * len(truth)), rel=0.06)
    assert scores.bias.error == pytest.approx(0.02 / math.sqrt(len(truth)), rel=0.06)
    assert scores.rmse.low < scores.rmse.value < scores.rmse.high
    assert scores.rmse.value == pytest.approx(rmse(truth, truth + errors), rel=1e-12)
    assert scores.r2.value == pytest.approx(r_squared(truth, truth + errors), rel=1e-12)
    assert scores.bias.value == pytest.approx(errors.mean(), rel=1e-12)
    assert scores.resampled == "maps"


def test_bootstrap_equals_a_plain_loop():
    rng = np.random.default_rng(2)
    truth, estimate = rng.normal(size=(2, 30))
    cosmology = np.repeat(np.arange(6), 5)
    loop, clustered = [], []
    draws = np.random.default_rng([7, 0xB007]).integers(0, 30, (200, 30))
    for rows in draws:
        loop.append(rmse(truth[rows], estimate[rows]))
    draws = np.random.default_rng([7, 0xB007]).integers(0, 6, (200, 6))
    for groups in draws:
        rows = np.concatenate([np.flatnonzero(cosmology == c) for c in groups])
        clustered.append(r_squared(truth[rows], estimate[rows]))
    scores = regression_scores(truth, estimate, resamples=200, seed=7)
    assert scores.rmse.error == pytest.approx(np.std(loop, ddof=1), rel=1e-10)
    assert scores.rmse.low == pytest.approx(np.quantile(loop, 0.025), rel=1e-10)
    scores = regression_scores(truth, estimate, cosmology=cosmology, resamples=200, seed=7)
    assert scores.r2.error == pytest.approx(np.std(clustered, ddof=1), rel=1e-10)


def test_the_draws_of_a_seed_stay_as_they_are():
    # Published error bars rest on them.
    rng = np.random.default_rng(3)
    y = rng.normal(size=60)
    p = y + rng.normal(size=60)
    scores = regression_scores(y, p, cosmology=rng.integers(0, 7, 60), resamples=500, seed=5)
    assert scores.r2.value == pytest.approx(-0.051803421871194466, rel=1e-12)
    assert (scores.r2.low, scores.r2.high) == pytest.approx((-1.242544838203512, 0.4390702559240145), rel=1e-12)
    assert scores.r2.error == pytest.approx(0.43355547396887123 * math.sqrt(500 / 499), rel=1e-12)
    assert (scores.rmse.low, scores.rmse.high) == pytest.approx((0.9636283995241105, 1.215196598175494), rel=1e-12)


def test_errors_that_maps_of_a_cosmology_share_need_the_clustered_bootstrap():
    rng = np.random.default_rng(3)
    cosmology = np.repeat(np.arange(60), 50)
    truth = rng.uniform(0.1, 0.5, 60)[cosmology]
    shared = rng.normal(0, 0.02, 60)
    estimate = truth + shared[cosmology] + rng.normal(0, 0.002, len(truth))
    maps = regression_scores(truth, estimate, resamples=2000, seed=0)
    whole = regression_scores(truth, estimate, cosmology=cosmology, resamples=2000, seed=0)
    assert whole.rmse.value == pytest.approx(maps.rmse.value, rel=1e-12)
    assert (whole.resampled, whole.n_cosmologies) == ("cosmologies", 60)
    # 60 independent errors, not 3000: the mean's error is 0.02/√60; 60 draws know it to 1/√120 = 9 %.
    assert whole.bias.error == pytest.approx(np.std(shared) / math.sqrt(60), rel=0.06)
    assert maps.bias.error < 0.2 * whole.bias.error


def test_scores_with_error_bars(normal):
    truth, estimate, std = normal
    scores = regression_scores(truth, estimate, std, resamples=500, seed=0)
    assert {level: score.value for level, score in scores.coverage.items()} == pytest.approx(coverage(*normal))
    assert scores.fair.value == pytest.approx(fair_score(*normal), rel=1e-12)
    assert scores.coverage["0.68"].error == pytest.approx(math.sqrt(0.68 * 0.32 / 4000), rel=0.15)
    assert scores.mean_std == pytest.approx(std.mean())
    assert scores.calibration == pytest.approx(1, abs=0.045)
    text = json.dumps(scores.to_dict(), allow_nan=False)
    assert json.loads(text)["rmse"]["value"] == scores.rmse.value


def test_r2_of_draws_with_one_cosmology_is_left_out_of_its_error():
    truth = np.repeat([0.2, 0.4], 10)
    estimate = truth + np.tile([0.01, -0.01], 10)
    scores = regression_scores(truth, estimate, cosmology=np.repeat([0, 1], 10), resamples=200, seed=0)
    assert scores.r2.value == pytest.approx(1 - 1e-4 / 1e-2)
    assert scores.r2.error < 1e-12  # the only draw that counts is the one with both


def test_paired_ratio_is_surer_than_its_parts(normal):
    truth, estimate, _ = normal
    rng = np.random.default_rng(9)
    errors = estimate - truth
    better = truth + 0.85 * errors + rng.normal(0, 0.002, len(truth))
    ratio = paired_ratio(truth, better, estimate, resamples=2000, seed=0)
    assert ratio.value == pytest.approx(rmse(truth, better) / rmse(truth, estimate), rel=1e-12)
    apart = regression_scores(truth, better, resamples=2000, seed=0).rmse
    assert ratio.high < 0.87
    assert ratio.error < 0.2 * ratio.value * math.sqrt(2) * apart.error / apart.value
    clustered = paired_ratio(truth, better, estimate, cosmology=np.arange(len(truth)) // 40, resamples=500, seed=0)
    assert clustered.value == pytest.approx(ratio.value, rel=1e-12)


def test_bad_input():
    with pytest.raises(ValueError, match=r"the truth has the shape \(2,\) and the estimates \(3,\)"):
        rmse([0.1, 0.2], [0.1, 0.2, 0.3])
    with pytest.raises(ValueError, match="one parameter at a time"):
        rmse(np.zeros((3, 2)), np.zeros((3, 2)))
    with pytest.raises(ValueError, match="the estimates are not finite for 1 maps, the first is map 1"):
        bias([0.1, 0.2], [0.1, math.nan])
    with pytest.raises(ValueError, match="there are no maps to score"):
        rmse([], [])
    with pytest.raises(ValueError, match="error bars must be finite and above 0; the smallest is 0"):
        fair_score([0.1, 0.2], [0.1, 0.2], [0.1, 0.0])
    with pytest.raises(ValueError, match="error bars have the shape"):
        coverage([0.1, 0.2], [0.1, 0.2], [0.1])
    with pytest.raises(ValueError, match=r"a probability between 0 and 1, got 1\.5"):
        coverage([0.1], [0.1], [0.1], (1.5,))
    with pytest.raises(ValueError, match="the estimates equal the truth"):
        calibration_factor([0.1], [0.1], [0.1])
    with pytest.raises(ValueError, match="method must be 'likelihood' or 'coverage'"):
        calibration_factor([0.1], [0.2], [0.1], method="median")
    with pytest.raises(ValueError, match="one cosmology alone has no bootstrap error"):
        regression_scores([0.1, 0.1], [0.1, 0.2], cosmology=[0, 0], seed=0)
    with pytest.raises(ValueError, match="one map alone"):
        regression_scores([0.1], [0.2], seed=0)
    with pytest.raises(ValueError, match="resamples must be 100 or more"):
        regression_scores([0.1, 0.2], [0.1, 0.3], resamples=10, seed=0)
    with pytest.raises(ValueError, match="cosmology must name one for each of 2 maps"):
        regression_scores([0.1, 0.2], [0.1, 0.3], cosmology=[0], seed=0)
    with pytest.raises(ValueError, match="the second estimator makes no errors"):
        paired_ratio([0.1, 0.2], [0.1, 0.3], [0.1, 0.2], seed=0)
