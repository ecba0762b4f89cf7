"""The numbers of a shifted lognormal field: a known shift, brute force, and the identities they have."""

import json

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.optimize import minimize_scalar
from sklearn.base import clone

from awd_cosmo.statistics import ShiftedLognormal, Statistic
from awd_cosmo.statistics.kernels import correlation_pair
from awd_cosmo.statistics.shifted_lognormal import BINS, SHIFTS

SHIFT = 0.04


def field(n=60, shape=(32, 48), seed=0):
    """Maps whose logarithm is smooth but for small white noise, so that a detail is as large as the local level."""
    white, smooth = np.random.default_rng(seed).normal(0, 1, (2, n, *shape))
    smooth = gaussian_filter(smooth, 4, axes=(1, 2), mode="wrap")
    x = 0.5 * smooth / smooth.std() + 0.1 * white
    return SHIFT * (np.exp(x - x.var() / 2) - 1)


def pairs(image, wavelet):
    """Details and levels along rows and columns, by NumPy's correlation."""
    _, high = correlation_pair(wavelet)
    level = high * (-1.0) ** np.arange(len(high))
    lines = [*image, *image.T]
    return [np.concatenate([np.correlate(line, f, "valid") for line in lines]) / np.sqrt(2) for f in (high, level)]


@pytest.mark.parametrize("wavelet", ["haar", "db2", "db3"])
def test_the_shift_is_the_most_likely_one(wavelet):
    maps = field(n=6, shape=(64, 64))
    statistic = ShiftedLognormal(wavelet, workers=1).fit(maps)
    for image, numbers in zip(maps, statistic.transform(maps), strict=True):
        details, levels = pairs(image, wavelet)

        def minus_log(log_shift, d=details, a=levels):
            level = a + np.exp(log_shift)
            return np.log((d**2 / level**2).mean()) + 2 * np.log(level).mean()

        least = np.log(-image.min())
        best = minimize_scalar(minus_log, bounds=(least + 1e-6, least + 3), method="bounded", options={"xatol": 1e-9})
        # The level is taken at its mean in each of 16 bins, and the shift between 140 by a parabola.
        assert numbers[0] == pytest.approx(best.x, abs=0.03)
        relative = np.log((details**2 / (levels + np.exp(best.x)) ** 2).mean())
        assert numbers[1] == pytest.approx(relative, abs=0.06)


def test_a_known_shift_comes_back():
    maps = field()
    numbers = ShiftedLognormal().fit_transform(maps)
    assert np.exp(numbers[:, 0]).mean() == pytest.approx(SHIFT, rel=0.05)
    x = np.log(1 + maps / SHIFT)
    steps = np.concatenate([np.diff(x, axis=axis).reshape(len(x), -1) for axis in (1, 2)], axis=1)
    assert np.exp(numbers[:, 1]).mean() == pytest.approx((steps**2).mean() / 4, rel=0.05)  # haar: half a difference


def test_the_other_numbers_are_those_of_the_logarithm():
    maps = field(n=5)
    numbers = ShiftedLognormal().fit_transform(maps)
    for image, (log_shift, _, mean, log_deviation, *by_scale) in zip(maps, numbers, strict=True):
        x = np.log(np.maximum(1 + image / np.exp(log_shift), 0.03))
        assert (mean, np.exp(log_deviation)) == pytest.approx((x.mean(), x.std()))
        for k, found in enumerate(by_scale, start=1):
            side = 2**k
            means = np.array(
                [[x[i : i + side, j : j + side].mean() for j in range(0, 48, side)] for i in range(0, 32, side)]
            )
            differences = np.concatenate([np.diff(means, axis=0).ravel(), np.diff(means, axis=1).ravel()])
            assert found == pytest.approx(np.log(differences.var()))


def test_a_field_without_the_law_has_the_greatest_shift():
    maps = np.random.default_rng(0).normal(0, 1, (8, 64, 64))
    statistic = ShiftedLognormal().fit(maps)
    assert (statistic.transform(maps)[:, 0] > np.log(3.0)).all()


def test_units_and_directions_do_not_matter():
    maps = field(n=8)
    numbers = ShiftedLognormal("db2").fit_transform(maps)
    scaled = ShiftedLognormal("db2").fit_transform(1000 * maps)
    scaled[:, 0] -= np.log(1000)
    np.testing.assert_allclose(scaled, numbers, rtol=0, atol=1e-9)
    turned = ShiftedLognormal("db2").fit_transform(maps.swapaxes(1, 2))
    np.testing.assert_allclose(turned, numbers, rtol=0, atol=1e-9)


def test_whole_numbers_are_as_good_as_others():
    counts = np.round(1000 * field(n=8))
    whole = ShiftedLognormal().fit(counts.astype(np.int32))
    np.testing.assert_array_equal(whole.transform(counts.astype(np.int32)), ShiftedLognormal().fit_transform(counts))


def test_a_map_does_not_depend_on_those_beside_it_nor_on_threads():
    maps = field(n=40, shape=(64, 64)).astype(np.float32)
    statistic = ShiftedLognormal(workers=1).fit(maps)
    together = statistic.transform(maps)
    np.testing.assert_array_equal(np.vstack([statistic.transform(one[None]) for one in maps]), together)
    np.testing.assert_array_equal(statistic.set_params(workers=2).transform(maps), together)


def test_what_was_not_observed_is_not_looked_at():
    maps = field(n=4, shape=(32, 32))
    statistic = ShiftedLognormal("db2", 2).fit(maps)
    mask = np.zeros((32, 32), np.bool_)
    mask[:24, :16] = True
    hidden = np.where(mask, maps, np.nan)
    cropped = statistic.transform(maps[:, :24, :16])
    np.testing.assert_allclose(statistic.transform(hidden, mask), cropped, rtol=0, atol=1e-12)
    each = np.broadcast_to(mask, maps.shape)
    np.testing.assert_array_equal(statistic.transform(hidden, each), statistic.transform(hidden, mask))
    own = ShiftedLognormal("db2", 2, mask=mask).fit(hidden)
    assert np.isfinite(own.transform(hidden)).all()


def test_scattered_holes_move_the_numbers_little():
    maps = field(n=20, shape=(64, 64))
    statistic = ShiftedLognormal().fit(maps)
    seen = np.random.default_rng(1).random(maps.shape) > 0.05
    whole, holed = statistic.transform(maps), statistic.transform(np.where(seen, maps, np.nan), seen)
    np.testing.assert_allclose(holed.mean(axis=0), whole.mean(axis=0), atol=0.1)


def test_saved_and_loaded():
    maps = field(n=8)
    statistic = ShiftedLognormal("db2").fit(maps)
    loaded = Statistic.from_dict(json.loads(json.dumps(statistic.to_dict())))
    np.testing.assert_array_equal(loaded.transform(maps), statistic.transform(maps))
    assert list(loaded.get_feature_names_out()) == statistic.names_
    assert (len(statistic.names_), statistic.edges_.shape, statistic.shifts_.shape) == (7, (BINS + 1,), (SHIFTS,))
    assert clone(statistic).get_params()["block_sizes"] == 3


def test_a_constant_map_has_finite_numbers():
    maps = field(n=4)
    statistic = ShiftedLognormal().fit(maps)
    assert np.isfinite(statistic.transform(np.zeros((1, 32, 48)))).all()
    assert np.isfinite(statistic.transform(np.full((1, 32, 48), -100.0))).all()


def test_bad_input():
    maps = field(n=4)
    with pytest.raises(ValueError, match=r"32 × 48 pixels are too small for block_sizes=5.*a side of 64 is needed"):
        ShiftedLognormal(block_sizes=5).fit(maps)
    with pytest.raises(ValueError, match="do not vary"):
        ShiftedLognormal().fit(np.zeros((2, 32, 32)))
    with pytest.raises(ValueError, match="not fitted"):
        ShiftedLognormal().transform(maps)
    statistic = ShiftedLognormal().fit(maps)
    broken = maps.copy()
    broken[2, 3, 4] = np.nan
    with pytest.raises(ValueError, match="map 2"):
        statistic.transform(broken)
    stripes = np.zeros((32, 48), np.bool_)
    stripes[::2, ::2] = True
    with pytest.raises(ValueError, match="leaves no detail of a map"):
        statistic.transform(maps, stripes)
    stripes[0] = True
    with pytest.raises(ValueError, match="no two neighbouring blocks of 2 × 2 pixels of a map with 75%"):
        statistic.transform(maps, stripes)
    with pytest.raises(ValueError, match="too small"):
        statistic.transform(maps[:, :8, :8])
