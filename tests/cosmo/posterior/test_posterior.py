"""Posteriors against those that are known exactly, their chains, their coverage, and maps put together."""

import json

import numpy as np
import pytest

from awd_cosmo.inference import CountRidge, EmulatorPosterior, Model, TrainingDistribution
from awd_cosmo.inference.estimators import regressor_from_dict
from awd_cosmo.posterior import (
    MapPosterior,
    NeuralPosterior,
    PosteriorSamples,
    check_independent,
    rank_of_truth,
    read_chains,
    sample_posterior,
    tarp,
    write_chains,
)
from awd_cosmo.posterior.coverage import rank_deviation
from awd_cosmo.posterior.derived import fit_derived, with_derived
from awd_cosmo.posterior.independence import check_scatter
from awd_cosmo.posterior.map_posterior import joint_widening
from awd_cosmo.posterior.samples import stacked_values
from awd_cosmo.statistics import PowerSpectrum, ShiftedLognormal

LOW, HIGH = np.array([0.2, 0.6]), np.array([0.4, 1.0])
SLOPES = np.array([[90.0, 12.0], [-60.0, 36.0], [24.0, -18.0], [0.0, 0.0]])
NAMES = ("Omega_m", "S8")


def linear(cosmologies=120, maps=12, seed=0, spread=1.0):
    """Features that are linear in two parameters, with normal noise: the posterior is normal, cut off by the box."""
    rng = np.random.default_rng(seed)
    theta = np.repeat(rng.uniform(LOW, HIGH, (cosmologies, 2)), maps, axis=0)
    return theta @ SLOPES.T + spread * rng.standard_normal((len(theta), 4)), theta


def exact(x, maps=1):
    """Mean and covariance of the exact posterior of the mean of maps, where the box is far away."""
    covariance = np.linalg.inv(SLOPES.T @ SLOPES * maps)
    return covariance @ SLOPES.T @ x * maps, covariance


@pytest.fixture(scope="module")
def emulator():
    x, theta = linear()
    return EmulatorPosterior("linear", transform="none").fit(x, theta)


@pytest.fixture(scope="module")
def neural():
    x, theta = linear(80)
    return NeuralPosterior(members=2, components=2, width=16, epochs=50, patience=15).fit(x, theta)


def inner(n, seed=1):
    """Features of maps whose posteriors lie within the box, and their parameters."""
    rng = np.random.default_rng(seed)
    theta = rng.uniform([0.27, 0.75], [0.33, 0.85], (n, 2))
    return theta @ SLOPES.T + rng.standard_normal((n, 4)), theta


# --- against exact posteriors -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "tolerance"), [("emulator", 0.15), ("neural", 0.3)])
def test_samples_are_those_of_the_exact_posterior(kind, tolerance, request):
    """In units of the exact errors: of 1,600 samples a mean is known to 0.05 or so, a deviation to 5 %."""
    x, _ = inner(3)
    for row, found in zip(x, sample_posterior(request.getfixturevalue(kind), x, NAMES, samples=1600), strict=True):
        mean, covariance = exact(row)
        root = np.linalg.inv(np.linalg.cholesky(covariance))
        assert np.abs(root @ (found.mean - mean)).max() < 2 * tolerance
        np.testing.assert_allclose(root @ found.covariance @ root.T, np.eye(2), atol=2 * tolerance)
        fom = 1 / np.sqrt(np.linalg.det(covariance))
        assert found.figure_of_merit(*NAMES) == pytest.approx(fom, rel=1.5 * tolerance)
        assert found.drift < 0.75


@pytest.mark.parametrize(("kind", "tolerance"), [("emulator", 0.2), ("neural", 1.0)])
def test_maps_together_are_the_product_of_their_likelihoods(kind, tolerance, request):
    """The posterior of 16 maps: a quarter of the errors of one, with what the curves or networks do not know on top."""
    rng = np.random.default_rng(5)
    x = np.array([0.3, 0.8]) @ SLOPES.T + rng.standard_normal((16, 4))
    likelihood = request.getfixturevalue(kind)
    (found,) = sample_posterior(likelihood, x, NAMES, together=True, samples=2000)
    mean, covariance = exact(x.mean(axis=0), 16)
    root = np.linalg.inv(np.linalg.cholesky(covariance))
    assert found.maps == 16
    assert np.abs(root @ (found.mean - mean)).max() < 2 * tolerance
    scaled = np.linalg.eigvalsh(root @ found.covariance @ root.T)
    assert 1 - 2 * tolerance < scaled.min()
    assert scaled.max() < 1 + 2 * tolerance
    # The prior is there once: one map alone, and one that is asked for together, are the same.
    theta = np.array([[0.3, 0.8], [0.28, 0.9]])
    np.testing.assert_allclose(
        likelihood.log_likelihood_together(x[:1], theta), likelihood.log_likelihood(x[:1], theta)[0], rtol=1e-9
    )
    (wide,) = sample_posterior(likelihood, x, NAMES, together=True, effective=4, samples=2000)
    assert wide.figure_of_merit(*NAMES) == pytest.approx(found.figure_of_merit(*NAMES) / 4, rel=0.25)


def test_what_all_maps_have_in_common_does_not_average_out():
    """A parameter that nobody told moves all maps of a cosmology alike: 400 of them know no more than it allows."""
    rng = np.random.default_rng(0)
    omega, hidden = rng.uniform(0.2, 0.4, 80), rng.normal(0, 0.02, 80)
    each = np.repeat((omega + hidden)[:, None] * [50.0, 20.0], 12, axis=0)
    x = each + rng.standard_normal(each.shape)
    ids = np.repeat(range(80), 12)
    fitted = EmulatorPosterior("linear", transform="none").fit(x, np.repeat(omega, 12), cosmology=ids)
    survey = 0.3 * np.array([50.0, 20.0]) + rng.standard_normal((400, 2))
    (found,) = sample_posterior(fitted, survey, ["Omega_m"], together=True, samples=1000)
    assert 0.015 < found.covariance[0, 0] ** 0.5 < 0.026


def test_a_posterior_that_is_cut_off_by_the_box_stays_in_it(emulator):
    x = np.array([0.21, 0.61]) @ SLOPES.T
    (found,) = sample_posterior(emulator, x[None], NAMES, samples=1000)
    assert (found.values >= LOW - 0.01).all()
    assert (found.values <= HIGH + 0.01).all()
    low, high = emulator.box()
    weights = np.exp(emulator.log_likelihood(x[None], grid := _grid(low, high))[0])
    expected = weights @ grid / weights.sum()
    assert (np.abs(found.mean - expected) < 0.15 * np.sqrt(np.diag(found.covariance))).all()


def _grid(low, high, n=120):
    axes = [a + (b - a) * (np.arange(n) + 0.5) / n for a, b in zip(low, high, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(low))


def test_a_network_follows_what_is_not_normal():
    """The variance of eight normal numbers: the posterior of their deviation is lopsided."""
    rng = np.random.default_rng(0)
    theta = np.repeat(rng.uniform(0.5, 2.0, 150), 10)
    x = np.log(rng.chisquare(8, len(theta)) / 8 * theta**2)[:, None]
    fitted = NeuralPosterior(members=2, components=3, width=16, epochs=80, patience=20).fit(x, theta)
    grid = np.linspace(0.5, 2, 400)
    for seen in (-0.5, 0.0, 0.6):
        chi2 = 8 * np.exp(seen) / grid**2
        true = np.exp(-chi2 / 2 + 4 * np.log(chi2))
        mean = (true * grid).sum() / true.sum()
        deviation = np.sqrt((true * (grid - mean) ** 2).sum() / true.sum())
        estimate, std = fitted.predict([[seen]], return_std=True)
        assert estimate[0] == pytest.approx(mean, abs=0.3 * deviation)
        assert std[0] == pytest.approx(deviation, rel=0.25)


def field_power(theta, side=32):
    """Power of a Gaussian field with the amplitude and slope of a power law in the wave number: ln P = a − s ln k."""
    k = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side)) * side
    k[0, 0] = 1.0
    power = np.exp(theta[0]) * k ** -theta[1]
    power[0, 0] = 0.0
    return power


def test_contours_of_awd_and_of_the_emulator_beside_the_exact_ones_of_a_gaussian_field():
    """The exact likelihood is that of all waves, |κ_k|² ~ P(k) χ²₂/2.

    The emulator of binned powers must come within 15 % of the area of its contours; those of AWD's seven numbers, which
    do not tell all of such a field, must hold the exact ones and not be smaller by more than 5 %.
    """
    side, rng = 32, np.random.default_rng(0)
    low, high = np.array([-0.5, 1.0]), np.array([0.5, 2.0])
    theta = np.repeat(rng.uniform(low, high, (160, 2)), 8, axis=0)
    truth = rng.uniform(low + 0.3, high - 0.3, (24, 2))

    def draw(parameters):
        noise = np.fft.fft2(rng.standard_normal((side, side)))
        return 0.01 * np.fft.ifft2(noise * np.sqrt(field_power(parameters, side))).real

    maps, test = np.stack([draw(one) for one in theta]), np.stack([draw(one) for one in truth])
    grid = _grid(low, high, 60)
    k = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side)).ravel()[1:] * side
    waves = (np.abs(np.fft.fft2(test)) ** 2 / 0.01**2 / side**2).reshape(24, -1)[:, 1:]
    # Each wave and its opposite are one: half of the sum over all.
    power = np.exp(grid[:, :1] - grid[:, 1:] * np.log(k))
    log = -0.5 * (waves @ (1 / power).T + np.log(power).sum(axis=1))
    weights = np.exp(log - log.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    means = weights @ grid
    covariances = np.einsum("ng,ngi,ngj->nij", weights, *[grid - means[:, None]] * 2)

    pixel = np.radians(1 / 60)
    ends = (2 * np.pi / (side * pixel) * 0.999, np.sqrt(2) * np.pi / pixel * 1.001)  # all waves, corners too
    found = {}
    for name, statistic in (
        ("power", PowerSpectrum(1.0, bins=14, ell_range=ends)),
        ("awd", ShiftedLognormal("haar", 3)),
    ):
        features = statistic.fit_transform(maps)
        fitted = EmulatorPosterior("quadratic", transform="none").fit(features, theta)
        found[name] = sample_posterior(fitted, statistic.transform(test), ("a", "s"), samples=1000)
    fom = np.sqrt(1 / np.linalg.det(covariances))
    ratio = {name: np.median([o.figure_of_merit("a", "s") for o in one] / fom) for name, one in found.items()}
    assert 0.85 < ratio["power"] < 1.1
    assert 0.05 < ratio["awd"] < 1.05
    for name, one in found.items():
        off = np.array([m - o.mean for m, o in zip(means, one, strict=True)])
        own = np.array([o.covariance for o in one])
        distance = np.einsum("ni,nij,nj->n", off, np.linalg.inv(own), off)
        # Of two right posteriors of the same map the means differ by less than the wider one is wide.
        assert np.mean(distance < 2.3) > 0.65, name
        assert np.sqrt(np.median(distance)) < (0.6 if name == "power" else 1.4), name


# --- coverage ---------------------------------------------------------------------------------------------------------


def test_coverage_of_right_posteriors_and_of_wrong_ones(emulator):
    x, theta = linear(40, 8, seed=9)
    ids = np.repeat(range(40), 8)
    found = sample_posterior(emulator, x, NAMES, samples=320)
    samples = stacked_values(found, *NAMES)
    right = tarp(samples, theta, LOW, HIGH, cosmology=ids)
    assert right.deviation < 0.08  # 320 maps of 40 cosmologies
    assert right.at["0.68"].low < 0.68 < right.at["0.68"].high
    assert max(rank_deviation(column) for column in rank_of_truth(samples, theta).T) < 0.1
    middle = samples.mean(axis=1, keepdims=True)
    for factor in (0.5, 2.0):
        wrong = tarp(middle + factor * (samples - middle), theta, LOW, HIGH, cosmology=ids)
        assert (wrong.at["0.68"].value < 0.6) == (factor < 1)
        assert wrong.deviation > 0.1
    assert joint_widening(found, theta, NAMES) == pytest.approx(1, abs=0.12)
    narrow = sample_posterior(emulator, x[:64], NAMES, samples=320, widening=0.5)
    assert joint_widening(narrow, theta[:64], NAMES) == pytest.approx(2, abs=0.5)


# --- chains -----------------------------------------------------------------------------------------------------------


def a_chain(n=600):
    rng = np.random.default_rng(0)
    values = rng.multivariate_normal([0.3, 0.8], [[4e-4, -3e-4], [-3e-4, 9e-4]], n)
    samples = PosteriorSamples(("Omega_m", "sigma8"), values, -rng.random(n), LOW, HIGH)
    theta = rng.uniform(LOW, HIGH, (60, 2))
    return with_derived(samples, [fit_derived("S8", theta, theta[:, 1] * np.sqrt(theta[:, 0] / 0.3))])


def test_chains_come_back_as_they_were_written(tmp_path):
    chain = a_chain()
    files = write_chains(tmp_path / "new" / "map", chain)
    assert [file.name for file in files] == ["map.txt", "map.paramnames", "map.ranges"]
    back = read_chains(tmp_path / "new" / "map")
    assert back.names == ("Omega_m", "sigma8", "S8")
    assert back.derived == ("S8",)
    np.testing.assert_allclose(back.values, chain.values, rtol=1e-9)
    np.testing.assert_array_equal(back.low, [0.2, 0.6, -np.inf])
    assert "S8*\tS_8" in files[1].read_text()
    assert files[2].read_text().splitlines()[2] == "S8 N N"


@pytest.mark.filterwarnings("ignore:.*was deprecated in Matplotlib")  # of what GetDist uses
def test_getdist_reads_and_draws_them(tmp_path):
    getdist = pytest.importorskip("getdist")
    chain = a_chain(3000)
    write_chains(tmp_path / "map", chain)
    samples = getdist.loadMCSamples(str(tmp_path / "map"), no_cache=True)
    assert samples.getParamNames().list() == ["Omega_m", "sigma8", "S8"]
    np.testing.assert_allclose(samples.mean(["Omega_m", "S8"]), chain.mean[[0, 2]], rtol=1e-6)
    np.testing.assert_allclose(samples.cov(["Omega_m", "S8"]), chain.covariance[np.ix_([0, 2], [0, 2])], rtol=1e-3)
    assert samples.ranges.getLower("Omega_m") == 0.2
    from getdist import plots

    plotter = plots.get_single_plotter()
    plotter.plot_2d(samples, ["Omega_m", "S8"], filled=True)
    plotter.export(str(tmp_path / "contours.png"))
    assert (tmp_path / "contours.png").stat().st_size > 1000


def test_derived_parameters_follow_the_others():
    chain = a_chain()
    np.testing.assert_allclose(chain.of("S8")[:, 0], chain.values[:, 1] * np.sqrt(chain.values[:, 0] / 0.3), rtol=1e-3)
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="mine does not follow from the other parameters by a polynomial"):
        fit_derived("mine", rng.uniform(LOW, HIGH, (60, 2)), rng.random(60))


# --- saved, refused ---------------------------------------------------------------------------------------------------


def test_samples_depend_on_the_seed_and_not_on_the_maps_beside(emulator):
    x, _ = inner(70)
    every = sample_posterior(emulator, x, NAMES, samples=64)
    again = sample_posterior(emulator, x[:3], NAMES, samples=64)
    for one, other in zip(every, again, strict=False):
        np.testing.assert_allclose(one.values, other.values, rtol=1e-9)
    other = sample_posterior(emulator, x[:1], NAMES, samples=64, seed=1)[0]
    assert np.abs(other.values - every[0].values).max() > 1e-6


@pytest.mark.parametrize("kind", ["emulator", "neural"])
def test_saved_form(kind, request):
    fitted = request.getfixturevalue(kind)
    x, theta = inner(20)
    back = regressor_from_dict(json.loads(json.dumps(fitted.to_dict(), allow_nan=False)))
    assert type(back) is type(fitted)
    np.testing.assert_array_equal(back.predict(x), fitted.predict(x))
    np.testing.assert_array_equal(back.log_likelihood_together(x, theta), fitted.log_likelihood_together(x, theta))


def test_a_network_is_the_same_again():
    x, theta = linear(24, 6)
    made = [NeuralPosterior(members=1, width=8, epochs=3, seed=3).fit(x, theta) for _ in range(2)]
    assert made[0].to_dict() == made[1].to_dict()


def test_models_without_a_likelihood_are_refused(emulator, tmp_path):
    rng = np.random.default_rng(0)
    maps, omega = rng.normal(0, 0.02, (40, 16, 16)), np.repeat(np.linspace(0.2, 0.4, 8), 5)
    statistic = PowerSpectrum(1.0, bins=4).fit(maps)
    features = statistic.transform(maps)
    ridge = CountRidge(transform="none").fit(features, omega).calibrate(features, omega)
    made = Model(["Omega_m"], 1.0, (16, 16), [statistic], ridge, TrainingDistribution.from_features(features))
    made.save(tmp_path / "model.json")
    with pytest.raises(ValueError, match=r"model\.json: a CountRidge has .* no likelihood"):
        MapPosterior.load(tmp_path / "model.json")
    whole = EmulatorPosterior("linear", transform="none").fit(features, omega)
    model = Model(["Omega_m"], 1.0, (16, 16), [statistic], whole, TrainingDistribution.from_features(features))
    model.save(tmp_path / "model.json")
    (found,) = MapPosterior.load(tmp_path).sample(features[:1], samples=64)
    assert found.names == ("Omega_m",)


def test_maps_of_one_sky_are_no_two_witnesses(emulator):
    rng = np.random.default_rng(0)
    one, two = rng.standard_normal((2, 24, 24))
    check_independent([one, two, rng.standard_normal((8, 8)), rng.standard_normal((8, 8))])
    for same in (
        one,
        one + rng.standard_normal((24, 24)),
        np.rot90(one),
        one.T,
        np.where(one > 1, np.nan, 5 * one + 1),
    ):
        with pytest.raises(ValueError, match="map 0 and map 2 show the same sky"):
            check_independent([one, two, same])
    x, _ = inner(1)
    independent = x[0] + rng.standard_normal((12, 4))
    check_scatter(emulator, independent)
    with pytest.warns(UserWarning, match="scatter less than independent maps"):
        check_scatter(emulator, x[0] + 0.1 * rng.standard_normal((12, 4)))
    with pytest.warns(UserWarning, match="scatter more than independent maps"):
        check_scatter(emulator, x[0] + 3 * rng.standard_normal((12, 4)))


def test_what_will_not_do_is_refused(emulator, tmp_path):
    x, theta = inner(4)
    with pytest.raises(ValueError, match="1 names are given for 2 parameters"):
        sample_posterior(emulator, x, ["Omega_m"])
    with pytest.raises(ValueError, match="widening is 0; give a number above 0"):
        sample_posterior(emulator, x, NAMES, widening=0)
    with pytest.raises(ValueError, match="samples is 0; give a positive whole number"):
        sample_posterior(emulator, x, NAMES, samples=0)
    with pytest.raises(ValueError, match=r"samples must have the shape \(maps, samples, parameters\)"):
        tarp(np.zeros((3, 4)), np.zeros((3, 2)), LOW, HIGH)
    with pytest.raises(ValueError, match="samples and truth must be finite"):
        tarp(np.full((3, 4, 2), np.nan), np.zeros((3, 2)), LOW, HIGH)
    with pytest.raises(ValueError, match="low and high must be finite ends of 2 parameters"):
        tarp(np.zeros((3, 4, 2)), np.zeros((3, 2)), HIGH, LOW)
    with pytest.raises(ValueError, match="3 cosmologies are too few to learn a likelihood from"):
        NeuralPosterior().fit(*linear(3, 5))
    with pytest.raises(ValueError, match="parameter 1 is the same in all maps"):
        NeuralPosterior().fit(x, np.column_stack([theta[:, 0], np.ones(4)]))
    chain = a_chain()
    with pytest.raises(ValueError, match="a parameter is 'h'; choose one of Omega_m, sigma8, S8"):
        chain.of("h")
    spaced = PosteriorSamples(("my name",), chain.values[:, :1], chain.log_density, LOW[:1], HIGH[:1])
    with pytest.raises(ValueError, match="GetDist reads no parameter named 'my name'"):
        write_chains(tmp_path / "x", spaced)
    write_chains(tmp_path / "x", chain)
    (tmp_path / "x.txt").write_text("1 2\n")
    with pytest.raises(ValueError, match=r"x\.txt has 2 columns; 5 are needed"):
        read_chains(tmp_path / "x")
    (tmp_path / "x.txt").write_text("one two\n")
    with pytest.raises(ValueError, match="is no chain of GetDist, or was cut short"):
        read_chains(tmp_path / "x")
    (tmp_path / "x.ranges").unlink()
    with pytest.raises(FileNotFoundError, match=r"x\.ranges"):
        read_chains(tmp_path / "x")
