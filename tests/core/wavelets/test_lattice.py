"""The lattice: angles to taps and back, its derivatives, and the equivalences that its description promises."""

import math

import numpy as np
import pytest
import pywt
from hypothesis import given, settings
from hypothesis import strategies as st

from awd_core.wavelets.lattice import QUARTER_PI, angles_from_taps, canonical_angles, taps_from_angles, taps_jacobian

ORTHOGONAL = [name for name in pywt.wavelist(kind="discrete") if pywt.Wavelet(name).orthogonal]

any_angles = st.lists(st.floats(-10.0, 10.0), min_size=1, max_size=8).map(np.array)
# Multiples of π/16, the degenerate ones included: 0 and π/2 make outer taps that are exactly zero up to rounding.
angles_on_a_grid = st.lists(st.integers(-16, 16), max_size=7).map(lambda steps: np.array(steps) * (math.pi / 16))


def orthonormality_error(taps):
    length = len(taps)
    lags = [taps[: length - lag] @ taps[lag:] - (lag == 0) for lag in range(0, length, 2)]
    return np.abs(lags).max()


def with_sum(rest):
    return np.concatenate([[QUARTER_PI - np.sum(rest)], rest])


def in_range(angles):
    return ((angles[1:] > -math.pi / 2) & (angles[1:] <= math.pi / 2)).all()


def hard_angles(rng, kind):
    """Angles of a filter that is hard to take apart: many sines and cosines leave tiny taps at both ends."""
    count = rng.integers(2, 21) - 1
    edges = rng.integers(-2, 3, count) * math.pi / 2
    if kind == "random":
        rest = rng.uniform(-math.pi / 2, math.pi / 2, count)
    elif kind == "near multiples of π/2, by all orders of magnitude":
        rest = edges + rng.normal(size=count) * 10 ** rng.uniform(-12, 0, count)
    elif kind == "near multiples of π/2, by one order of magnitude":
        rest = edges + rng.normal(size=count) * 10 ** rng.uniform(-12, 0)
    elif kind == "nearly Haar between zeros":
        before = np.arange(count) < rng.integers(0, count + 1)
        rest = np.where(before, math.pi / 2, 0.0) + rng.normal(size=count) * 10 ** rng.uniform(-16, -2, count)
    else:
        near = edges + rng.normal(size=count) * 10 ** rng.uniform(-9, -7, count)
        rest = np.where(rng.random(count) < 0.5, near, rng.uniform(-2, 2, count))
    return with_sum(rest)


HARD = [
    "random",
    "near multiples of π/2, by all orders of magnitude",
    "near multiples of π/2, by one order of magnitude",
    "nearly Haar between zeros",
    "mixed",
]


@pytest.mark.parametrize("kind", HARD)
def test_filters_with_tiny_outer_taps_come_back(kind):
    rng = np.random.default_rng(20)
    errors = []
    for _ in range(400):
        taps = taps_from_angles(hard_angles(rng, kind))
        angles = angles_from_taps(taps)
        errors.append(np.abs(taps_from_angles(angles) - taps).max())
        assert in_range(angles)
        assert angles.sum() == pytest.approx(math.pi / 4, abs=1e-13)
    # What angles_from_taps promises. Peeling in double precision loses up to 1e-3 here.
    assert np.quantile(errors, 0.99) < 1e-13
    assert max(errors) < 1e-11


@pytest.mark.parametrize("noise", [1e-15, 1e-12, 1e-9])
def test_an_error_of_the_taps_is_not_magnified(noise):
    rng = np.random.default_rng(21)
    for kind in HARD * 20:
        taps = taps_from_angles(hard_angles(rng, kind))
        given = taps + noise * rng.uniform(-1, 1, len(taps))
        # The lattice makes orthonormal filters only; the nearest that is found is some ten times as far as can be.
        assert np.abs(taps_from_angles(angles_from_taps(given)) - given).max() < 60 * noise


def test_the_same_taps_have_the_same_angles():
    rng = np.random.default_rng(22)
    for kind in HARD:
        taps = taps_from_angles(hard_angles(rng, kind))
        np.testing.assert_array_equal(angles_from_taps(taps), angles_from_taps(taps.copy()))


def test_taps_that_are_not_orthonormal_have_angles_of_a_filter_near_them():
    taps = np.array(pywt.Wavelet("dmey").dec_lo)
    # Their own error is 2e-3, and that of their 31 lags adds up.
    assert np.abs(taps_from_angles(angles_from_taps(taps)) - taps).max() < 0.03


@pytest.mark.parametrize("name", [name for name in ORTHOGONAL if name != "dmey"])
def test_every_orthogonal_wavelet_comes_back_from_its_angles(name):
    taps = np.array(pywt.Wavelet(name).dec_lo)
    angles = angles_from_taps(taps)
    # The lattice makes taps that are orthonormal to rounding, so it can come no nearer than the table's own error.
    assert np.abs(taps_from_angles(angles) - taps).max() < max(1e-13, 3 * orthonormality_error(taps))
    assert angles.shape == (len(taps) // 2,)
    assert angles.sum() == pytest.approx(math.pi / 4, abs=1e-14)
    assert in_range(angles)


def test_all_but_one_of_pywavelets_orthogonal_wavelets_are_tested():
    assert len(ORTHOGONAL) == 76


def test_haar_is_one_rotation_by_a_quarter_of_pi():
    np.testing.assert_array_equal(angles_from_taps(pywt.Wavelet("haar").dec_lo), [math.pi / 4])
    np.testing.assert_allclose(taps_from_angles([math.pi / 4]), [math.sqrt(0.5)] * 2, rtol=0, atol=1e-15)


def test_db2_has_the_angles_of_its_closed_form():
    # cos θ₁ cos θ₂ = h(0) and tan θ₂ = h(1)/h(0) = (3 + √3)/(1 + √3) = √3 with the taps in the order of rec_lo.
    angles = angles_from_taps(pywt.Wavelet("db2").rec_lo)
    np.testing.assert_allclose(angles, [-math.pi / 12, math.pi / 3], rtol=0, atol=1e-14)


@given(any_angles)
def test_any_angles_make_orthonormal_taps_with_the_sum_that_they_say(angles):
    taps = taps_from_angles(angles)
    total = angles.sum()
    assert taps.shape == (2 * len(angles),)
    assert orthonormality_error(taps) < 1e-14
    # The row at z = 1 is (cos Σθ, sin Σθ).
    np.testing.assert_allclose([taps[0::2].sum(), taps[1::2].sum()], [math.cos(total), math.sin(total)], atol=3e-14)


@settings(deadline=None)
@given(angles_on_a_grid)
def test_taps_come_back_from_recovered_angles(rest):
    taps = taps_from_angles(with_sum(rest))
    angles = angles_from_taps(taps)
    assert np.abs(taps_from_angles(angles) - taps).max() < 1e-13
    assert angles.sum() == pytest.approx(math.pi / 4, abs=1e-13)
    assert in_range(angles)


def test_angles_in_the_range_keep_every_bit():
    rng = np.random.default_rng(23)
    rest = np.concatenate([rng.uniform(-math.pi / 2, math.pi / 2, 500), [math.pi / 2, 0.0, -1e-300]])
    np.testing.assert_array_equal(canonical_angles(with_sum(rest))[1:], rest)


@pytest.mark.parametrize("quarters", [-795, -5, -3, -1, 1, 3, 5])
@pytest.mark.parametrize("toward", [-99, 0, 99])
def test_the_lower_end_of_the_range_does_not_belong_to_it(quarters, toward):
    # Odd multiples of π/2 and the doubles before and after them; at −795 the rounding ends above the range.
    edge = quarters * math.pi / 2
    edge = np.nextafter(edge, toward) if toward else edge
    given = with_sum([edge, 0.5])
    angles = canonical_angles(given)
    assert in_range(angles)
    assert angles.sum() == pytest.approx(math.pi / 4, abs=1e-15)
    again = canonical_angles(angles)
    np.testing.assert_array_equal(again[1:], angles[1:])
    # sin and cos of 795π/2 are off by the rounding of that number, 1e-13.
    sign = (-1) ** round((given[0] - angles[0]) / math.pi + (given[1] - angles[1]) / math.pi)
    np.testing.assert_allclose(taps_from_angles(angles), sign * taps_from_angles(given), rtol=0, atol=1e-12)


@pytest.mark.parametrize("count", range(1, 9))
def test_generic_angles_are_recovered_themselves(count):
    rng = np.random.default_rng(count)
    for _ in range(20):
        # Away from the degenerate places, where the outer taps vanish and the angle is lost.
        rest = rng.uniform(0.3, 1.2, count - 1) * rng.choice([-1, 1], count - 1)
        angles = with_sum(rest)
        # The angle loses what the outer taps, products of all the cosines, are smaller than 1.
        np.testing.assert_allclose(angles_from_taps(taps_from_angles(angles)), angles, rtol=0, atol=1e-10)


@given(any_angles.filter(lambda angles: len(angles) > 1), st.data())
def test_adding_pi_to_two_angles_changes_nothing(angles, data):
    i, j = data.draw(st.lists(st.integers(0, len(angles) - 1), min_size=2, max_size=2, unique=True))
    turned = angles.copy()
    turned[[i, j]] += math.pi
    np.testing.assert_allclose(taps_from_angles(turned), taps_from_angles(angles), rtol=0, atol=1e-14)


def test_adding_pi_to_one_angle_changes_the_sign():
    angles = np.array([0.3, -0.7, 1.1])
    turned = angles + np.array([0.0, math.pi, 0.0])
    np.testing.assert_allclose(taps_from_angles(turned), -taps_from_angles(angles), rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", ["db2", "db5", "db20", "sym8", "coif3"])
def test_the_representative_is_stable(name):
    angles = angles_from_taps(pywt.Wavelet(name).dec_lo)
    turned = angles.copy()
    turned[[0, -1]] += math.pi, -math.pi
    again = angles_from_taps(taps_from_angles(turned))
    # The long filters' outer taps are small, and with them the digits that their angles have; their taps keep all.
    np.testing.assert_allclose(again, angles, rtol=0, atol=1e-8)
    np.testing.assert_allclose(taps_from_angles(again), taps_from_angles(angles), rtol=0, atol=1e-13)


@pytest.mark.parametrize(("before", "after"), [(0, 2), (2, 0), (2, 2), (1, 1), (4, 2), (3, 1), (0, 6)])
def test_haar_between_zeros_has_angles_too(before, after):
    taps = np.concatenate([np.zeros(before), np.full(2, math.sqrt(0.5)), np.zeros(after)])
    angles = angles_from_taps(taps)
    assert np.abs(taps_from_angles(angles) - taps).max() < 1e-14
    assert np.isfinite(angles).all()


def test_the_free_angle_of_a_padded_filter_is_zero():
    taps = np.concatenate([pywt.Wavelet("haar").dec_lo, np.zeros(4)])
    np.testing.assert_allclose(angles_from_taps(taps), [0.0, 0.0, math.pi / 4], rtol=0, atol=1e-14)


@settings(deadline=None)
@given(any_angles)
def test_the_jacobian_is_that_of_finite_differences(angles):
    step = 1e-5
    differences = np.column_stack(
        [
            (taps_from_angles(angles + step * unit) - taps_from_angles(angles - step * unit)) / (2 * step)
            for unit in np.eye(len(angles))
        ]
    )
    jacobian = taps_jacobian(angles)
    assert jacobian.shape == (2 * len(angles), len(angles))
    # Central differences are off by step²/6 times a third derivative, which is at most 1.
    np.testing.assert_allclose(jacobian, differences, rtol=0, atol=1e-10)


@given(any_angles)
def test_the_jacobian_keeps_the_norm(angles):
    # ‖h‖ = 1 for all angles, so h is orthogonal to each of its derivatives.
    np.testing.assert_allclose(taps_jacobian(angles).T @ taps_from_angles(angles), 0.0, atol=1e-14)
