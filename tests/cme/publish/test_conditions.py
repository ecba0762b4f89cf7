from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import permutation_test, ttest_ind

from awd_cme.publish import compare_cells, compare_conditions


def test_the_interval_is_welchs_and_the_test_that_of_all_divisions():
    rng = np.random.default_rng(3)
    a, b = rng.normal(10, 1, 5), rng.normal(11, 2, 4)
    found = compare_cells(a, b)
    interval = ttest_ind(b, a, equal_var=False).confidence_interval()
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))

    def difference(x, y, axis):
        return np.mean(x, axis=axis) - np.mean(y, axis=axis)

    whole = np.concatenate([a, b])
    far = [
        abs(p[:5].mean() - p[5:].mean()) >= abs(found.effect) - 1e-12
        for p in {tuple(sorted(q[:5])) + tuple(sorted(q[5:])): whole[list(q)] for q in permutations(range(9))}.values()
    ]
    assert found.exact
    assert found.p == pytest.approx(np.mean(far))
    theirs = permutation_test((b, a), difference, n_resamples=np.inf, vectorized=True).pvalue
    # SciPy doubles the smaller tail where sizes differ; both are two-sided tests of the same divisions.
    assert found.p == pytest.approx(theirs, abs=0.1)


def test_many_cells_are_divided_at_random_and_the_same_seed_gives_the_same():
    rng = np.random.default_rng(0)
    a, b = rng.normal(0, 1, 15), rng.normal(0, 1, 15)
    found = compare_cells(a, b, seed=4)
    assert not found.exact
    assert found.p == compare_cells(a, b, seed=4).p
    assert found.p == pytest.approx(ttest_ind(a, b).pvalue, abs=0.05)


def test_three_cells_each_cannot_be_below_a_tenth():
    found = compare_cells([1, 2, 3], [101, 102, 103])
    assert (found.p, found.least_p) == (0.1, 0.1)


def test_cells_without_a_value_are_left_out_and_one_is_not_enough():
    assert compare_cells([1.0, 2.0, np.nan], [1.0, 3.0]).cells_control == 2
    with pytest.raises(ValueError, match=r"mutant has 1 cells with a value of lifetime.*two or more"):
        compare_cells([1.0, 2.0], [1.0, np.nan], quantity="lifetime", names=("control", "mutant"))


def test_each_condition_is_held_against_the_first_and_p_is_corrected_for_the_quantities():
    cells = pd.DataFrame({
        "condition": np.repeat(["control", "a", "b"], 4), "cell": range(12), "tracks": 5, "complete": 4,
        "lifetime": [1, 2, 3, 4, 11, 12, 13, 14, 1, 2, 3, 4], "partner": [0.1, 0.2, 0.3, 0.4] * 3,
    })  # fmt: skip
    found = {(one.other, one.quantity): one for one in compare_conditions(cells)}
    assert list(found) == [("a", "lifetime"), ("a", "partner"), ("b", "lifetime"), ("b", "partner")]
    assert found["a", "lifetime"].effect == 10
    assert found["a", "lifetime"].p == pytest.approx(2 / 70)
    assert found["a", "lifetime"].p_holm == pytest.approx(4 / 70)
    assert found["b", "partner"].p == found["b", "partner"].p_holm == 1


def test_initiation_in_two_units_is_not_compared():
    cells = pd.DataFrame({
        "condition": np.repeat(["control", "mutant"], 2), "cell": range(4), "initiation": [1.0, 2.0, 1.0, 2.0],
        "initiation_unit": np.repeat(["per 1,000 µm² and min", "per 1,000 px² and min"], 2),
    })  # fmt: skip
    with pytest.raises(ValueError, match=r"per 1,000 µm² and min of some cells and per 1,000 px² and min of others"):
        compare_conditions(cells)
    alike = cells.assign(initiation_unit="per 1,000 px² and min")
    assert [one.quantity for one in compare_conditions(alike)] == ["initiation"]


def test_intervals_hold_the_truth_of_simulated_cells(monkeypatch):
    """benchmarks/coverage_conditions, in short; in full it takes 200 simulations."""
    from pathlib import Path

    monkeypatch.syspath_prepend(Path(__file__).parents[3])
    from benchmarks.coverage_conditions import simulations, true_differences

    truth = true_differences(0, cells=40)
    held = [
        one.low <= truth[one.quantity] <= one.high
        for pair in simulations(6, 4, 0)
        for one in pair
        if one.quantity in truth
    ]
    # 18 intervals, of three quantities; with 95 % each, fewer than 13 happen once in 5,000 such tests.
    assert sum(held) >= 13
