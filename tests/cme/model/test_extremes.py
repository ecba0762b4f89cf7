"""Networks of minima and maxima against sorting; by the 0-1 principle, all zeros and ones are enough."""

import itertools

import numpy as np
import pytest

from awd_cme.model.extremes import LARGER, SMALLER, extremes


def chosen(network, numbers):
    """The results of a network, for each column of numbers."""
    rows = np.full((network.rows, numbers.shape[1]), np.nan)
    rows[: len(numbers)] = numbers
    for which, a, b, to in network.steps:
        (np.maximum, np.minimum)[which](rows[a], rows[b], out=rows[to])
    return rows[list(network.places)]


@pytest.mark.parametrize("kinds", [(LARGER,), (SMALLER,), (LARGER, SMALLER)])
@pytest.mark.parametrize("size", range(1, 11))
def test_they_give_what_sorting_gives(size, kinds):
    numbers = np.array(list(itertools.product((0.0, 1.0), repeat=size))).T
    ranked = np.sort(numbers, axis=0)
    for most in range(1, size + 1):
        expected = np.concatenate([ranked[::-1][:most] if kind == LARGER else ranked[:most] for kind in kinds])
        np.testing.assert_array_equal(chosen(extremes(size, most, kinds), numbers), expected)


def test_long_ones_too():
    numbers = np.random.default_rng(0).standard_normal((61, 300))
    ranked = np.sort(numbers, axis=0)
    network = extremes(61, 4, (LARGER, SMALLER))
    np.testing.assert_array_equal(chosen(network, numbers), np.concatenate([ranked[::-1][:4], ranked[:4]]))


def test_a_few_need_fewer_comparisons_than_all():
    # An insertion sort of six out of 24 takes 228.
    assert len(extremes(24, 6, (LARGER,)).steps) < 170
    assert len(extremes(24, 1, (LARGER,)).steps) == 23


def test_a_number_that_is_unknown_spoils_its_column_alone():
    numbers = np.random.default_rng(1).standard_normal((5, 3))
    numbers[2, 1] = np.nan
    found = chosen(extremes(5, 5, (LARGER,)), numbers)
    assert np.isnan(found[:, 1]).any()
    assert np.isfinite(found[:, [0, 2]]).all()
