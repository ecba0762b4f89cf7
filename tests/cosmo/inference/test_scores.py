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


def test_the_jackknife_over_maps_gives_the_known_error_of_an_rmse(normal):
    truth, _, _ = normal
    rng = np.random.default_rng(5)
    errors = rng.normal(0, 0.02, len(truth))
    scores = regression_scores(truth, truth + errors)
    # For normal errors the standard deviation of an RMSE is σ/√(2n).
    assert scores.rmse.standard_error == pytest.approx(0.02 / math.sqrt(2 * len(truth)), rel=0.06)
    assert scores.bias.standard_error == pytest.approx(0.02 / math.sqrt(len(truth)), rel=0.06)
    assert scores.rmse.low < scores.rmse.value < scores.rmse.high
    assert scores.rmse.value == pytest.approx(rmse(truth, truth + errors), rel=1e-12)
    assert scores.r2.value == pytest.approx(r_squared(truth, truth + errors), rel=1e-12)
    assert scores.bias.value == pytest.approx(errors.mean(), rel=1e-12)
    assert (scores.units, scores.n_units) == ("maps", len(truth))


def test_what_the_bootstrap_asked_for_makes_no_difference():
    truth, estimate = np.random.default_rng(2).normal(size=(2, 30))
    assert regression_scores(truth, estimate, resamples=5, seed=7) == regression_scores(truth, estimate)


def test_intervals_for_other_cosmologies_hold_the_truth_also_where_phases_are_shared():
    rng = np.random.default_rng(11)
    cosmology, realisation = np.repeat(np.arange(14), 10), np.tile(np.arange(10), 14)
    truth = rng.uniform(0.2, 0.4, 14)[cosmology]
    right = math.sqrt(0.01**2 + 0.02**2 + 0.01**2)
    held = {"both": 0, "cosmologies": 0}
    for _ in range(200):
        shared = rng.normal(0, 0.01, 14)[cosmology] + rng.normal(0, 0.02, 10)[realisation]
        estimate = truth + shared + rng.normal(0, 0.01, len(truth))
        both = regression_scores(truth, estimate, cosmology=cosmology, realisation=realisation)
        assert (both.units, both.n_units) == ("cosmologies and realisations", 10)
        alone = regression_scores(truth, estimate, cosmology=cosmology)
        held["both"] += both.rmse.low < right < both.rmse.high
        held["cosmologies"] += alone.rmse.low < right < alone.rmse.high
    assert held["both"] > 0.85 * 200  # 0.95 is meant; four standard errors of 200 draws are 0.06
    assert held["cosmologies"] < 0.7 * 200


def test_errors_that_maps_of_a_cosmology_share_count_once():
    rng = np.random.default_rng(3)
    cosmology = np.repeat(np.arange(60), 50)
    truth = rng.uniform(0.1, 0.5, 60)[cosmology]
    shared = rng.normal(0, 0.02, 60)
    estimate = truth + shared[cosmology] + rng.normal(0, 0.002, len(truth))
    maps = regression_scores(truth, estimate)
    whole = regression_scores(truth, estimate, cosmology=cosmology)
    assert whole.rmse.value == pytest.approx(maps.rmse.value, rel=1e-12)
    assert (whole.units, whole.n_cosmologies) == ("cosmologies", 60)
    # 60 independent errors, not 3000: the mean's error is 0.02/√60; 60 draws know it to 1/√120 = 9 %.
    assert whole.bias.standard_error == pytest.approx(np.std(shared) / math.sqrt(60), rel=0.06)
    assert maps.bias.standard_error < 0.2 * whole.bias.standard_error


def test_scores_with_error_bars(normal):
    truth, estimate, std = normal
    scores = regression_scores(truth, estimate, std)
    assert {level: score.value for level, score in scores.coverage.items()} == pytest.approx(coverage(*normal))
    assert scores.coverage["0.68"].standard_error == pytest.approx(math.sqrt(0.68 * 0.32 / 4000), rel=0.15)
    assert scores.mean_std == pytest.approx(std.mean())
    assert scores.calibration == pytest.approx(1, abs=0.045)
    text = json.dumps(scores.to_dict(), allow_nan=False)
    assert json.loads(text)["rmse"]["value"] == scores.rmse.value


def test_r2_of_two_cosmologies_has_no_interval():
    truth = np.repeat([0.2, 0.4], 10)
    estimate = truth + np.tile([0.01, -0.01], 10)
    scores = regression_scores(truth, estimate, cosmology=np.repeat([0, 1], 10))
    assert scores.r2.value == pytest.approx(1 - 1e-4 / 1e-2)
    assert math.isnan(scores.r2.low)  # without one of them nothing is left to explain
    assert scores.rmse.low == pytest.approx(scores.rmse.value)


def test_paired_ratio_is_surer_than_its_parts(normal):
    truth, estimate, _ = normal
    rng = np.random.default_rng(9)
    errors = estimate - truth
    better = truth + 0.85 * errors + rng.normal(0, 0.002, len(truth))
    ratio = paired_ratio(truth, better, estimate)
    assert ratio.value == pytest.approx(rmse(truth, better) / rmse(truth, estimate), rel=1e-12)
    apart = regression_scores(truth, better).rmse
    assert ratio.high < 0.87
    assert ratio.standard_error < 0.2 * ratio.value * math.sqrt(2) * apart.standard_error / apart.value
    clustered = paired_ratio(truth, better, estimate, cosmology=np.arange(len(truth)) // 40)
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
    with pytest.raises(ValueError, match="; choose one of likelihood, coverage"):
        calibration_factor([0.1], [0.2], [0.1], method="median")
    with pytest.raises(
        ValueError, match="one cosmology alone tells nothing of others; give more, or leave cosmology out"
    ):
        regression_scores([0.1, 0.1], [0.1, 0.2], cosmology=[0, 0])
    with pytest.raises(ValueError, match="one map alone"):
        regression_scores([0.1], [0.2])
    with pytest.raises(ValueError, match="one realisation alone"):
        regression_scores([0.1, 0.2], [0.1, 0.3], cosmology=[0, 1], realisation=[3, 3])
    with pytest.raises(ValueError, match="cosmology must name one for each of 2 maps"):
        regression_scores([0.1, 0.2], [0.1, 0.3], cosmology=[0])
    with pytest.raises(ValueError, match="the second estimator makes no errors"):
        paired_ratio([0.1, 0.2], [0.1, 0.3], [0.1, 0.2])
