"""The emulator and its posterior against closed forms of linear models with normal noise."""

import json
import math

import numpy as np
import pytest

from awd_cosmo.inference.covariance import hartlap_factor, shrunk_covariance
from awd_cosmo.inference.emulator import CountEmulator, fit_emulator, log_density
from awd_cosmo.inference.posterior import EmulatorPosterior
from awd_cosmo.inference.scores import coverage, rmse


class Linear:
    """x = 5 + A θ + noise of covariance S; the posterior of θ under a wide flat prior is known."""

    def __init__(self, features=12, parameters=2, strength=1.0, seed=0):
        rng = np.random.default_rng(seed)
        self.A = strength * rng.normal(size=(features, parameters))
        self.root = np.tril(rng.normal(size=(features, features))) * 0.3 + np.eye(features)
        self.S = self.root @ self.root.T

    def maps(self, theta, seed):
        noise = np.random.default_rng(seed).standard_normal((len(theta), len(self.A)))
        return 5 + theta @ self.A.T + noise @ self.root.T

    def posterior(self, x, cofactor=0.0):
        """Mean (n, p) and covariance (p, p) of generalised least squares."""
        precision = np.linalg.inv(self.S + cofactor)
        covariance = np.linalg.inv(self.A.T @ precision @ self.A)
        return (x - 5) @ precision @ self.A @ covariance, covariance


@pytest.fixture(scope="module")
def linear():
    """A problem whose error bars are small against the box −1…1: (problem, maps, θ of maps, cosmologies, tests)."""
    problem = Linear(strength=4.0)
    theta = np.random.default_rng(1).uniform(-1, 1, (40, 2))
    ids = np.repeat(np.arange(40), 100)
    tests = np.random.default_rng(2).uniform(-0.6, 0.6, (1500, 2))
    return problem, problem.maps(theta[ids], 3), theta[ids], ids, tests


@pytest.mark.parametrize("kind", ["linear", "quadratic", "gp"])
def test_the_posterior_is_the_analytic_one(linear, kind):
    problem, X, theta, ids, tests = linear
    x = problem.maps(tests, 4)
    mean, covariance = problem.posterior(x)
    model = EmulatorPosterior(kind, transform="none", points=120).fit(X, theta, cosmology=ids)
    estimate, std = model.predict(x, return_std=True)
    exact = np.sqrt(np.diag(covariance))
    # The means of 100 maps in 40 cosmologies know A to about 1/√(40 · 100/3) = 3 %; the grid's cells are 0.14 σ.
    for k in range(2):
        assert rmse(mean[:, k], estimate[:, k]) < 0.08 * exact[k]
        assert std[:, k].mean() == pytest.approx(exact[k], rel=0.04)
        found = coverage(tests[:, k], estimate[:, k], std[:, k])
        for level in (0.68, 0.95):
            # Four standard deviations of the binomial distribution.
            assert abs(found[f"{level:g}"] - level) < 4 * math.sqrt(level * (1 - level) / len(tests))


def test_a_parameter_is_marginalised_over(linear):
    problem, X, theta, ids, tests = linear
    x = problem.maps(tests, 4)
    both = EmulatorPosterior("linear", transform="none", points=150).fit(X, theta, cosmology=ids)
    one = EmulatorPosterior("linear", transform="none", points=150).fit(X, theta[:, 1], parameters=theta, cosmology=ids)
    estimates, stds = both.predict(x, return_std=True)
    estimate, std = one.predict(x, return_std=True)
    assert estimate.shape == (1500,)
    # Same emulator, same box, axes in another order: the same sums in another order.
    np.testing.assert_allclose(estimate, estimates[:, 1], atol=1e-6)
    np.testing.assert_allclose(std, stds[:, 1], atol=1e-6)


@pytest.mark.parametrize("kind", ["linear", "gp"])
def test_scatter_by_a_parameter_that_is_not_given_counts_as_noise(linear, kind):
    """θ₂ is unknown and normal: its effect is noise of covariance σ² a₂a₂ᵀ, and the posterior of θ₁ is known again."""
    problem = Linear(strength=2.0)
    problem.A[:, 1] = 0.8 * problem.A[:, 0] + 0.6 * problem.A[:, 1]
    rng = np.random.default_rng(8)
    theta = np.column_stack([rng.uniform(-2, 2, 150), rng.normal(0, 0.3, 150)])
    ids = np.repeat(np.arange(150), 40)
    model = EmulatorPosterior(kind, transform="none").fit(problem.maps(theta[ids], 9), theta[ids, 0], cosmology=ids)
    tests = np.column_stack([rng.uniform(-1, 1, 1000), rng.normal(0, 0.3, 1000)])
    x = problem.maps(tests, 10)
    a, b = problem.A.T
    precision = np.linalg.inv(problem.S + 0.09 * np.outer(b, b))
    width = 1 / math.sqrt(a @ precision @ a)
    exact = (x - 5) @ precision @ a * width**2
    assert width > 1.4 / math.sqrt(a @ np.linalg.inv(problem.S) @ a)  # it matters
    estimate, std = model.predict(x, return_std=True)
    # 0.3² is known from 150 draws to 12 %, so the weight given to what θ₂ spoils is a little off.
    assert rmse(exact, estimate) < 0.25 * width
    assert rmse(tests[:, 0], estimate) < 1.05 * rmse(tests[:, 0], exact)
    assert std.mean() == pytest.approx(width, rel=0.08)


def test_more_maps_bring_the_estimate_nearer_to_the_exact_one():
    problem = Linear(strength=4.0, parameters=1)
    tests = np.random.default_rng(2).uniform(-0.6, 0.6, (400, 1))
    exact, _ = problem.posterior(problem.maps(tests, 4))
    errors = []
    for maps in (5, 50, 500):
        ids = np.repeat(np.arange(20), maps)
        theta = np.linspace(-1, 1, 20)[ids]
        model = EmulatorPosterior("linear", transform="none").fit(problem.maps(theta[:, None], 3), theta)
        errors.append(rmse(exact[:, 0], model.predict(problem.maps(tests, 4))))
    assert errors[0] > 2 * errors[1] > 4 * errors[2]


def test_the_density_is_normalised_and_has_the_moments_that_predict_gives(linear):
    problem, X, theta, ids, tests = linear
    model = EmulatorPosterior("quadratic", transform="none").fit(X, theta, cosmology=ids)
    x = problem.maps(tests[:20], 4)
    estimate, std = model.predict(x, return_std=True)
    for k in range(2):
        values, density = model.posterior(x, target=k)
        cell = values[1] - values[0]
        # The cells fill the box of the training parameters, and the values are their middles.
        np.testing.assert_allclose(values[0] - cell / 2, theta[:, k].min(), atol=1e-12)
        np.testing.assert_allclose(values[-1] + cell / 2, theta[:, k].max(), atol=1e-12)
        np.testing.assert_allclose(density.sum(axis=1) * cell, 1, rtol=1e-9)
        mean = density @ values * cell
        np.testing.assert_allclose(mean, estimate[:, k], atol=1e-9)
        variance = density @ values**2 * cell - mean**2
        np.testing.assert_allclose(np.sqrt(variance + cell**2 / 12), std[:, k], rtol=1e-6)


def test_log_density_is_the_sum_of_normal_densities(linear):
    from scipy.stats import norm

    _, X, theta, ids, _ = linear
    emulator = EmulatorPosterior("gp", transform="none").fit(X, theta, cosmology=ids).emulator_
    points = np.random.default_rng(0).uniform(-1, 1, (5, 2))
    t = emulator.compress(X[:7])
    mean, variance = emulator.predict(points)
    expected = norm.logpdf(t[:, None], mean, np.sqrt(1 + variance)).sum(axis=2)
    np.testing.assert_allclose(log_density(t, mean, variance), expected, rtol=1e-9, atol=1e-9)


def test_compressed_features_scatter_by_one(linear):
    _, X, theta, ids, _ = linear
    emulator = EmulatorPosterior("linear", transform="none", hartlap=False).fit(X, theta, cosmology=ids).emulator_
    t = emulator.compress(X)
    residuals = t - emulator.predict(theta)[0]
    # 4000 maps: variances to 2.2 %, correlations to 1.6 %.
    np.testing.assert_allclose(np.cov(residuals, rowvar=False), np.eye(len(t.T)), atol=0.08)


def test_a_gaussian_process_equals_scikit_learns():
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, DotProduct

    rng = np.random.default_rng(0)
    theta = rng.uniform([0.1, 0.5], [0.5, 1.1], (30, 2))
    means = np.column_stack([np.sin(9 * theta[:, 0]), theta[:, 1] ** 2, np.cos(4 * theta.sum(axis=1))])
    emulator = fit_emulator(theta, means, np.full(30, 50.0), 0.01 * np.eye(3), kind="gp")
    curve, low, high = emulator.curves[0], emulator.low, emulator.high
    kernel = ConstantKernel(100.0, "fixed") * DotProduct(1.0, "fixed") + ConstantKernel(
        float(curve["amplitude"]), "fixed"
    ) * RBF(curve["lengths"], "fixed")
    process = GaussianProcessRegressor(kernel, alpha=curve["noise"] / curve["scale"] ** 2, optimizer=None)
    process.fit(curve["nodes"], curve["values"] / curve["scale"])
    points = rng.uniform(low, high, (40, 2))
    mean, std = process.predict((2 * points - low - high) / (high - low), return_std=True)
    found, variance = emulator.predict(points)
    np.testing.assert_allclose(found[:, 0], mean * curve["scale"], rtol=1e-6, atol=1e-6 * curve["scale"])
    np.testing.assert_allclose(np.sqrt(variance[:, 0]), std * curve["scale"], rtol=1e-4)


def test_curves_follow_what_they_can():
    """Noise-free means of a quadratic: the polynomial gives them back exactly, the Gaussian process nearly."""
    rng = np.random.default_rng(0)
    theta = rng.uniform(0, 1, (40, 2))

    def truth(p):
        return np.column_stack([1 + p[:, 0] + 2 * p[:, 1] ** 2, p[:, 0] * p[:, 1], p[:, 0] ** 2 - p[:, 1]])

    maps = np.full(40, 1e8)
    points = rng.uniform(0.1, 0.9, (50, 2))
    for kind, tolerance in (("quadratic", 1e-7), ("gp", 2e-3)):
        emulator = fit_emulator(theta, truth(theta), maps, np.eye(3), kind=kind, components=3)
        mean, variance = emulator.predict(points)
        np.testing.assert_allclose(mean, emulator.compress(truth(points)), atol=tolerance)
        assert variance.max() < 1e-4


def test_shrunk_covariance_is_scikit_learns_for_unit_variances():
    from sklearn.covariance import ledoit_wolf, oas

    x = np.random.default_rng(0).standard_normal((50, 8))
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    for name, function in (("ledoit-wolf", ledoit_wolf), ("oas", oas)):
        expected, share = function(x, assume_centered=True)
        # With n in place of n − 1 degrees of freedom the variances are 1, and the target the unit matrix.
        found, shrinkage = shrunk_covariance(x, 50, name)
        assert shrinkage == pytest.approx(share)
        np.testing.assert_allclose(found, expected, atol=1e-12)
    plain, none = shrunk_covariance(x, 49, "none")
    assert none == 0
    np.testing.assert_allclose(plain, np.cov(x, rowvar=False), rtol=1e-12, atol=1e-12)


def test_shrinkage_does_not_depend_on_units():
    x = np.random.default_rng(0).standard_normal((50, 4))
    units = np.array([1e-6, 1.0, 1e3, 10.0])
    base, share = shrunk_covariance(x, 49)
    scaled, other = shrunk_covariance(x * units, 49)
    assert share == pytest.approx(other)
    np.testing.assert_allclose(scaled / np.outer(units, units), base, rtol=1e-10)


def test_hartlaps_factor_makes_the_mean_precision_right():
    rng = np.random.default_rng(0)
    degrees, features = 30, 8
    precisions = []
    for _ in range(2000):
        x = rng.standard_normal((degrees, features))
        precisions.append(np.diag(np.linalg.inv(x.T @ x / degrees)).mean())
    # The mean of 2000 precisions has an error of some 0.5 %; without the factor it is 43 % too large.
    assert hartlap_factor(degrees, features) * np.mean(precisions) == pytest.approx(1, rel=0.02)


def test_json_and_back(linear):
    _, X, theta, ids, _ = linear
    for kind in ("gp", "quadratic"):
        emulator = EmulatorPosterior(kind, transform="none").fit(X, theta, cosmology=ids).emulator_
        back = CountEmulator.from_dict(json.loads(json.dumps(emulator.to_dict(), allow_nan=False)))
        for first, second in zip(emulator.predict(theta[::500]), back.predict(theta[::500]), strict=True):
            np.testing.assert_array_equal(first, second)
    with pytest.raises(ValueError, match="it lacks low, high, centre, projection, curves"):
        CountEmulator.from_dict({"kind": "gp"})


def test_bad_input():
    theta, means, maps = np.linspace(0, 1, 6)[:, None], np.random.default_rng(0).normal(size=(6, 3)), np.full(6, 9)
    with pytest.raises(ValueError, match=r"emulator is 'cubic'.*; choose one of gp, linear, quadratic"):
        fit_emulator(theta, means, maps, np.eye(3), kind="cubic")
    with pytest.raises(ValueError, match="4 cosmologies are too few for a quadratic emulator of 1 parameters"):
        fit_emulator(theta[:4], means[:4], maps[:4], np.eye(3), kind="quadratic")
    with pytest.raises(ValueError, match="parameter 0 is the same in all 6 cosmologies"):
        fit_emulator(0 * theta, means, maps, np.eye(3))
    with pytest.raises(ValueError, match="components is 0; give a positive whole number"):
        fit_emulator(theta, means, maps, np.eye(3), components=0)
    with pytest.raises(ValueError, match=r"parameters must have the shape \(n, 1\)"):
        fit_emulator(theta, means, maps, np.eye(3), kind="linear").predict(np.zeros((2, 2)))
    with pytest.raises(ValueError, match="22 features need more than 23 degrees of freedom"):
        hartlap_factor(20, 22)
    with pytest.raises(ValueError, match="feature 1 does not vary"):
        shrunk_covariance(np.column_stack([means[:, 0], 0 * means[:, 0]]), 5)
    with pytest.raises(ValueError, match="leave no degrees of freedom"):
        shrunk_covariance(means, 0)
    with pytest.raises(ValueError, match=r"shrinkage is 'mcd'.*; choose one of ledoit-wolf, oas, none"):
        shrunk_covariance(means, 5, "mcd")
