"""Statistics of the whole field against what is known: Gaussian fields, definitions, turns and shifts, masks, noise."""

import json

import numpy as np
import pytest
from scipy.ndimage import correlate
from scipy.special import ellipe
from scipy.stats import norm
from sklearn.base import clone

from awd_cosmo.field_statistics import (
    JointStatistic,
    MinkowskiFunctionals,
    PixelDistribution,
    ScatteringCoefficients,
    StarletNorm,
)
from awd_cosmo.field_statistics.minkowski import gaussian_functionals
from awd_cosmo.field_statistics.scattering import morlet
from awd_cosmo.statistics import PeakCounts, Statistic
from awd_cosmo.statistics.starlet import starlet

ALL = {
    "pdf": PixelDistribution(8),
    "l1": StarletNorm(2, bins=8),
    "minkowski": MinkowskiFunctionals(6),
    "scattering": ScatteringCoefficients(3),
    "joint": JointStatistic([PixelDistribution(4), MinkowskiFunctionals(3)]),
}


def power(side):
    """Power of the waves of a periodic field that is smooth over some pixels."""
    k = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side))
    return np.exp(-((k / 0.12) ** 2))


def gaussian(n, side=64, seed=0, scale=0.02):
    """Periodic Gaussian fields, and their true variance."""
    p = power(side)
    noise = np.fft.fft2(np.random.default_rng(seed).standard_normal((n, side, side)))
    return scale * np.fft.ifft2(noise * np.sqrt(p)).real, scale**2 * p.mean()


# --- against Gaussian fields ------------------------------------------------------------------------------------------


def test_functionals_of_a_gaussian_field_are_those_expected_on_its_grid():
    """Exact for the differences as they are: what is left is the scatter of 96 maps, told by their own."""
    side, width = 64, 0.4
    maps, variance = gaussian(96, side)
    sigma = np.sqrt(variance)
    p, ω = 0.02**2 * power(side), 2 * np.pi * np.fft.fftfreq(side)
    gradient = (p * np.sin(ω) ** 2).mean()
    curvature = (p * (2 - 2 * np.cos(ω))).mean()
    statistic = MinkowskiFunctionals(13, limits=(-6 * width * sigma, 6 * width * sigma))
    found = statistic.fit_transform(maps).reshape(96, 3, 13)
    assert statistic.thresholds_[1] - statistic.thresholds_[0] == pytest.approx(width * sigma)
    expected = gaussian_functionals(statistic.thresholds_, 0.0, variance, gradient, curvature, width * sigma)
    error = found.std(axis=0, ddof=1) / np.sqrt(96)
    pull = (found.mean(axis=0) - expected) / error
    assert np.abs(pull).max() < 4.5  # of 39, correlated
    assert np.sqrt((pull**2).mean()) < 1.6
    assert (np.abs(found.mean(axis=0)[1] / expected[1] - 1)[1:-1] < 0.05).all()


def test_the_distribution_of_a_gaussian_field_is_normal():
    maps, variance = gaussian(64)
    statistic = PixelDistribution(7, limits=(-2, 2), noise=np.sqrt(variance))
    found = statistic.fit_transform(maps)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_allclose(found.mean(axis=0), np.diff(norm.cdf(statistic.edges_)), atol=4 * 0.0035)


def test_the_norm_of_noise_is_that_of_a_normal_variable_at_every_scale():
    """⟨|w|⟩ = √(2/π) in units of the noise of each coefficient, whatever the noise is like."""
    noise = np.linspace(0.01, 0.05, 64)[:, None] * np.linspace(1, 2, 64)
    maps = np.random.default_rng(1).standard_normal((64, 64, 64)) * noise
    sizes = StarletNorm(3, bins=6, noise=noise, boundary="periodic").fit(maps)
    means = sizes.transform(maps).reshape(64, 4, 6).sum(axis=2).mean(axis=0)
    np.testing.assert_allclose(means, np.sqrt(2 / np.pi), rtol=0.03)  # few independent coefficients at the coarsest


def test_scattering_of_a_gaussian_field_is_the_mean_size_of_its_filtered_waves():
    """A filtered field is a Gaussian (x, y) with variances a ≥ b along its axes: E√(x² + y²) = √(2a/π) E(1 − b/a)."""
    side, scales, directions = 64, 3, 4
    maps, _ = gaussian(128, side, seed=2)
    statistic = ScatteringCoefficients(scales, directions, boundary="periodic")
    found = np.exp(statistic.fit_transform(maps)[:, :scales])
    p = 0.02**2 * power(side)
    for j in range(scales):
        sizes = []
        for turn in range(directions):
            ψ = morlet((side, side), j, np.pi * turn / directions, directions)
            opposite = np.roll(ψ[::-1, ::-1], (1, 1), (0, 1))
            whole, pseudo = (p * ψ**2).mean(), abs((p * ψ * opposite).mean())
            a, b = (whole + pseudo) / 2, (whole - pseudo) / 2
            sizes.append(np.sqrt(2 * a / np.pi) * ellipe(1 - b / a))
        error = found[:, j].std(ddof=1) / np.sqrt(len(maps))
        assert found[:, j].mean() == pytest.approx(np.mean(sizes), abs=4 * error)


# --- against definitions ----------------------------------------------------------------------------------------------


def test_the_norm_follows_its_definition():
    maps = gaussian(3)[0].astype(np.float32)
    sizes = StarletNorm(2, bins=5, per="map").fit(maps)
    expected = [
        np.histogram(w, edges, weights=np.abs(w.astype(float)))[0]
        for m in range(3)
        for w, edges in zip((band[m].ravel() for band in starlet(maps, 2).values()), sizes.edges_, strict=True)
    ]
    np.testing.assert_allclose(sizes.transform(maps), np.reshape(expected, (3, -1)), rtol=1e-6)


def test_scattering_follows_its_definition():
    """By convolutions in space, without a Fourier transform of the maps."""
    side, scales = 16, 2
    kappa = gaussian(1, side)[0]
    ψ = {
        (j, turn): np.fft.fftshift(np.fft.ifft2(morlet((side, side), j, np.pi * turn / 2, 2)))
        for j in range(2)
        for turn in (0, 1)
    }

    def size(field, wave):
        # Of a filter on a grid of even sides the middle is one off: no mean over a period depends on it.
        parts = (correlate(field, part[::-1, ::-1], mode="wrap") for part in (wave.real, wave.imag))
        return np.hypot(*parts)

    s1 = [np.mean([size(kappa[0], ψ[j, turn]) for turn in (0, 1)]) for j in range(scales)]
    s2 = np.mean([size(size(kappa[0], ψ[0, turn]), ψ[1, other]) for turn in (0, 1) for other in (0, 1)])
    found = ScatteringCoefficients(scales, 2, boundary="periodic").fit_transform(kappa)[0]
    np.testing.assert_allclose(found, np.log([*s1, s2 / s1[0]]), rtol=1e-9, atol=1e-9)


def test_functionals_count_parts_and_holes():
    """Of disks with smooth edges, above half their height: as many parts as there are, and so many holes less."""
    y, x = np.mgrid[:64, :64]
    disk = [1 / (1 + np.exp(np.hypot(y - cy, x - cx) - r)) for cy, cx, r in ((16, 16, 8), (40, 44, 14))]
    hole = 1 / (1 + np.exp(np.hypot(y - 40, x - 44) - 5))
    for maps, parts in ((disk[0] + disk[1], 2), (disk[0] + disk[1] - hole, 1)):
        statistic = MinkowskiFunctionals(5, limits=(0.1, 0.9)).fit(maps[None])
        _, edge, euler = statistic.transform(maps[None]).reshape(3, 5)
        assert euler[2] * 62**2 == pytest.approx(parts, abs=0.25)  # a disk of few pixels is no circle
        assert edge[2] * 4 * 62**2 == pytest.approx(2 * np.pi * (22 + 5 * (parts == 1)), rel=0.05)


# --- turns, shifts, units ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALL)
def test_turned_and_mirrored_maps_have_the_same_numbers(name):
    maps = np.exp(gaussian(6, 32)[0] * 40)
    statistic = clone(ALL[name]).fit(maps)
    found = statistic.transform(maps)
    for turned in (np.rot90(maps, axes=(1, 2)), maps[:, ::-1], maps.swapaxes(1, 2)):
        np.testing.assert_allclose(statistic.transform(turned), found, rtol=1e-7, atol=1e-9)


def test_a_periodic_map_may_be_shifted():
    maps = np.exp(gaussian(4, 32)[0] * 40)
    shifted = np.roll(maps, (5, 11), (1, 2))
    for statistic in (ScatteringCoefficients(3, boundary="periodic"), StarletNorm(2, bins=6, boundary="periodic")):
        statistic.fit(maps)
        np.testing.assert_allclose(statistic.transform(shifted), statistic.transform(maps), rtol=1e-7, atol=1e-12)


def test_the_amplitude_is_in_the_first_order_alone():
    maps = np.exp(gaussian(4, 32)[0] * 40)
    statistic = ScatteringCoefficients(3).fit(maps)
    change = statistic.transform(3 * maps) - statistic.transform(maps)
    np.testing.assert_allclose(change, np.tile([np.log(3)] * 3 + [0] * 3, (4, 1)), atol=1e-9)


@pytest.mark.parametrize("name", ["pdf", "l1", "minkowski", "scattering"])
def test_maps_and_noise_in_other_units_make_no_difference(name):
    maps = gaussian(5, 32)[0]
    noise = np.random.default_rng(3).uniform(0.01, 0.03, (32, 32))
    one = clone(ALL[name]).set_params(noise=noise).fit(maps)
    ten = clone(ALL[name]).set_params(noise=10 * noise).fit(10 * maps)
    np.testing.assert_allclose(ten.transform(10 * maps), one.transform(maps), rtol=1e-7, atol=1e-9)
    if name != "l1":
        plain = clone(ALL[name]).fit(maps / noise)
        np.testing.assert_allclose(plain.transform(maps / noise), one.transform(maps), rtol=1e-7, atol=1e-9)


# --- masks ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALL)
def test_what_was_not_observed_makes_no_difference(name):
    maps = gaussian(6, 48)[0]
    mask = np.ones((48, 48), bool)
    mask[10:18, 20:30] = False
    statistic = clone(ALL[name]).fit(maps)
    found = statistic.transform(maps, mask=mask)
    for value in (np.nan, 1e3, -np.inf):
        np.testing.assert_array_equal(statistic.transform(np.where(mask, maps, value), mask=mask), found)
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(statistic.transform(maps, mask=np.ones_like(maps, bool)), statistic.transform(maps))
    each = np.stack([mask, *[np.ones((48, 48), bool)] * 5])
    np.testing.assert_array_equal(statistic.transform(maps, mask=each)[0], found[0])
    # A fifth of the map is hidden at most: numbers scatter a little more, and are not biased.
    whole = statistic.transform(maps)
    assert np.abs(found.mean(axis=0) - whole.mean(axis=0)).max() < 0.2 * np.abs(whole).max()


def test_bins_are_learnt_of_what_was_observed():
    maps, mask = gaussian(4, 32)[0], np.ones((32, 32), bool)
    mask[:8] = False
    wild = np.where(mask, maps, np.nan)
    for name in ("pdf", "minkowski"):
        learnt = clone(ALL[name]).set_params(mask=mask).fit(wild)
        again = clone(ALL[name]).fit(maps[:, 8:])
        assert learnt.names_ == again.names_


# --- saved, used, refused ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALL)
def test_saved_form(name):
    maps = gaussian(5, 32)[0].astype(np.float32)
    noise = {} if name == "joint" else {"noise": np.full((32, 32), 0.01)}
    statistic = clone(ALL[name]).set_params(**noise).fit(maps)
    record = json.loads(json.dumps(statistic.to_dict(), allow_nan=False))
    back = Statistic.from_dict(record)
    assert type(back) is type(statistic)
    np.testing.assert_array_equal(back.transform(maps), statistic.transform(maps))
    np.testing.assert_array_equal(clone(back).fit_transform(maps), statistic.transform(maps))
    assert len(statistic.get_feature_names_out()) == statistic.transform(maps).shape[1]
    assert len(set(statistic.get_feature_names_out())) == statistic.transform(maps).shape[1]


def test_a_joint_vector_is_its_parts_side_by_side_and_leaves_them_as_they_were():
    maps = gaussian(5, 32)[0]
    parts = [PeakCounts("raw", range="even", bins=5, sqrt=True), ScatteringCoefficients(2)]
    joint = JointStatistic(parts).fit(maps)
    np.testing.assert_array_equal(joint.transform(maps), np.hstack([clone(part).fit_transform(maps) for part in parts]))
    assert not hasattr(parts[1], "shape_")
    assert joint.get_feature_names_out()[-1] == "ScatteringCoefficients: ln s2/s1 (0, 1)"


@pytest.mark.parametrize(
    ("statistic", "message"),
    [
        (PixelDistribution(2), "bins is 2; give a whole number, 3 or more"),
        (PixelDistribution(limits=(1, 0)), r"limits must be \(low, high\) with low < high"),
        (PixelDistribution(noise=0.0), "noise must be finite and above 0"),
        (PixelDistribution(noise=np.ones((3, 3))), r"each, \(32, 32\); got the shape \(3, 3\)"),
        (MinkowskiFunctionals(1), "thresholds is 1; give a whole number, 2 or more"),
        (MinkowskiFunctionals(limits=(0, np.inf)), r"limits must be \(low, high\)"),
        (ScatteringCoefficients(6), "6 scales are too many for maps of 32 × 32: 5 at most"),
        (ScatteringCoefficients(boundary="zero"), "boundary is 'zero'; choose one of symmetric, periodic"),
        (ScatteringCoefficients(directions=0), "directions is 0; give a positive whole number"),
        (StarletNorm(6), "6 levels are too many"),
        (StarletNorm(2, bands=["w3"]), "there is no band 'w3'"),
        (JointStatistic(), r"one or more statistics of maps, got \(\)"),
        (JointStatistic(PixelDistribution()), "a list of one or more statistics of maps, got PixelDistribution"),
    ],
)
def test_what_will_not_do_is_refused(statistic, message):
    with pytest.raises(ValueError, match=message):
        statistic.fit_transform(gaussian(3, 32)[0])


def test_maps_that_cannot_be_measured_are_refused():
    maps = gaussian(3, 32)[0]
    for name in ("pdf", "minkowski"):
        with pytest.raises(ValueError, match="do not vary"):
            clone(ALL[name]).fit(np.zeros((3, 32, 32)))
    mask = np.zeros((32, 32), bool)
    mask[::3, ::3] = True
    with pytest.raises(ValueError, match="no pixel of a map its eight neighbours"):
        clone(ALL["minkowski"]).fit(maps).transform(maps, mask=mask)
    with pytest.raises(ValueError, match="the mask leaves nothing of scale 0"):
        clone(ALL["scattering"]).fit(maps).transform(maps, mask=mask)
    with pytest.raises(ValueError, match=r"those of fit had 32 × 32"):
        clone(ALL["scattering"]).fit(maps).transform(maps[:, :16, :16])
    with pytest.raises(ValueError, match="map 1 holds nan"):
        clone(ALL["pdf"]).fit(maps).transform(np.where(np.arange(3)[:, None, None] == 1, np.nan, maps))
