"""Sums over discs: known light, the mean and median of the ring, and what is not in the image."""

import numpy as np
import pytest
from scipy import stats

from awd_cme.spots.apertures import aperture_sums

RADII = {"radius": 4.5, "inner": 6.0, "outer": 9.0}


def spot(size, y, x, sigma=1.5):
    rows, columns = np.mgrid[:size, :size]
    return np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * sigma**2))


@pytest.mark.parametrize("background", ["mean", "median"])
def test_all_light_of_a_spot_and_its_background(background):
    rng = np.random.default_rng(0)
    for y, x in rng.uniform(14.5, 15.5, (20, 2)):
        sums = aperture_sums(300 + 50 * spot(31, y, x), [y], [x], background=background, **RADII)
        # A disc of 3σ holds 1 − exp(−4.5) = 98.9 % of 2πσ²A; the ring, 0.03 % of it.
        assert sums.net[0] == pytest.approx(0.989 * 2 * np.pi * 1.5**2 * 50, rel=0.006)
        assert sums.background[0] == pytest.approx(300, abs=0.02)
        assert sums.total[0] == pytest.approx(sums.net[0] + sums.area[0] * sums.background[0], rel=1e-12)


def test_the_area_is_that_of_the_disc():
    y, x = np.random.default_rng(1).uniform(19.5, 20.5, (2, 200))
    area = aperture_sums(np.zeros((41, 41)), y, x, **RADII).area
    # Straight borders for round ones: half a percent.
    assert area == pytest.approx(np.pi * 4.5**2, rel=0.01)


@pytest.mark.parametrize("background", ["mean", "median"])
def test_errors_and_p_values(background):
    rng = np.random.default_rng(2)
    places = 15.0 + 20 * np.arange(40)
    y, x = (v.ravel() + rng.uniform(-0.5, 0.5, 1600) for v in np.meshgrid(places, places))
    sums = aperture_sums(rng.normal(100, 7, (811, 811)), y, x, background=background, **RADII)
    # 1,600 discs: 1.8 %. The median of some 140 pixels has not quite the variance of its limit.
    assert (sums.net / sums.net_error).std() == pytest.approx(1.0, abs=0.06)
    assert ((sums.background - 100) / sums.background_error).std() == pytest.approx(1.0, abs=0.06)
    assert stats.kstest(sums.p, "uniform").pvalue > 0.01


def test_the_median_bears_a_neighbour():
    image = 100 + 200 * spot(41, 20, 27.5) + np.random.default_rng(3).normal(0, 2, (41, 41))
    mean, median = (aperture_sums(image, [20.0], [20.0], background=b, **RADII) for b in ("mean", "median"))
    assert abs(median.background[0] - 100) < 2 < mean.background[0] - 100


def test_the_gain_adds_shot_noise():
    image = 100 + 50 * spot(31, 15, 15) + np.random.default_rng(4).normal(0, 3, (31, 31))
    plain, shot = (aperture_sums(image, [15.0], [15.0], gain=g, **RADII) for g in (0.0, 2.0))
    assert shot.net_error[0] ** 2 == pytest.approx(plain.net_error[0] ** 2 + 2 * plain.net[0])
    assert shot.p == plain.p


def test_what_is_not_in_the_image_is_nan():
    image = np.random.default_rng(5).normal(100, 5, (60, 60))
    image[30, 30] = np.nan
    sums = aperture_sums(image, [4.1, 3.9, 30.0, 30.0, np.nan, 70.0], [20.0, 20.0, 33.0, 37.0, 5.0, 5.0], **RADII)
    assert np.isfinite(sums.net).tolist() == [True, False, False, True, False, False]
    assert np.isfinite(sums.total).tolist() == np.isfinite(sums.net).tolist()


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"radius": 0.2}, "radii must be"),
        ({"inner": 4.0}, "radii must be"),
        ({"outer": 6.0}, "radii must be"),
        ({"background": "mode"}, "background is .*; choose one of"),
        ({"y": [1.0]}, "same length"),
        ({"image": np.zeros(4)}, "two axes"),
    ],
)
def test_bad_input(change, match):
    with pytest.raises(ValueError, match=match):
        aperture_sums(**{"image": np.zeros((30, 30)), "y": [], "x": [], **RADII} | change)
