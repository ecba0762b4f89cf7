"""Regressors on counts: against plain loops, scikit-learn, and the truth of simulated counts."""

import json
import math

import numpy as np
import pytest

from awd_cosmo.inference.estimators import (
    CountRidge,
    EmulatorPosterior,
    NearestCosmology,
    PeakCountRegressor,
    regressor_from_dict,
)
from awd_cosmo.inference.folds import cross_validation_folds
from awd_cosmo.inference.regressor import transformed
from awd_cosmo.inference.scores import coverage, rmse

HEIGHTS = np.linspace(-1, 4, 22)


def expected_counts(parameters):
    """Mean peak counts: more matter makes a wider histogram, σ8 a longer tail. Shape (n, 22)."""
    omega, sigma8 = parameters.T
    width = 0.6 + 2 * omega * sigma8
    return 400 * np.exp(-0.5 * ((HEIGHTS - omega[:, None]) / width[:, None]) ** 2) + 0.2


def simulate(parameters, seed):
    """Poisson counts with 3 % of scatter that all bins of a map share."""
    rng = np.random.default_rng(seed)
    return rng.poisson(expected_counts(parameters) * np.exp(rng.normal(0, 0.03, (len(parameters), 1))))


class Suite:
    """Maps of 40 cosmologies to train on, others to validate and to test on."""

    def __init__(self):
        rng = np.random.default_rng(0)
        low, high = np.array([0.1, 0.6]), np.array([0.5, 1.0])
        design = low + (high - low) * rng.random((40, 2))
        self.cosmology = np.repeat(np.arange(40), 50)
        self.parameters = design[self.cosmology]
        self.X = simulate(self.parameters, 1)
        self.y = self.parameters[:, 0]
        self.validation = 0.15 + 0.3 * rng.random((800, 2)) + [0, 0.5]
        self.test = 0.15 + 0.3 * rng.random((1500, 2)) + [0, 0.5]
        self.X_validation, self.X_test = simulate(self.validation, 2), simulate(self.test, 3)


@pytest.fixture(scope="module")
def suite():
    return Suite()


ALL = [NearestCosmology(), EmulatorPosterior("quadratic"), CountRidge()]


def test_nearest_cosmology_is_the_published_rule(suite):
    model = NearestCosmology().fit(suite.X, suite.y, cosmology=suite.cosmology)
    chi2 = np.empty((30, 40))
    for i in range(30):
        for c in range(40):
            maps = suite.X[suite.cosmology == c]
            inverse = np.linalg.pinv(np.cov(maps.T))
            d = suite.X_test[i] - maps.mean(axis=0)
            chi2[i, c] = d @ inverse @ d
    np.testing.assert_allclose(model.chi_squared(suite.X_test[:30]), chi2, rtol=1e-8)
    expected = suite.y[::50][chi2.argmin(axis=1)]
    np.testing.assert_array_equal(model.predict(suite.X_test[:30]), expected)


def test_nearest_cosmology_answers_only_with_what_it_has_seen(suite):
    model = NearestCosmology().fit(suite.X, suite.parameters, cosmology=suite.cosmology)
    seen = {tuple(row) for row in suite.parameters}
    assert {tuple(row) for row in model.predict(suite.X_test)} <= seen


def test_bins_that_are_always_empty_are_no_trouble(suite):
    empty = np.hstack([suite.X, np.zeros((len(suite.X), 2)), np.full((len(suite.X), 1), 7)])
    X_test = suite.X_test[:200]
    tests = np.hstack([X_test, np.zeros((200, 2)), np.full((200, 1), 7)])
    for model in ALL:
        plain = type(model)(**model.get_params()).fit(suite.X, suite.y, cosmology=suite.cosmology)
        padded = type(model)(**model.get_params()).fit(empty, suite.y, cosmology=suite.cosmology)
        np.testing.assert_allclose(padded.predict(tests), plain.predict(X_test), rtol=1e-6)
        tests_with_a_surprise = tests.copy()
        tests_with_a_surprise[:, -1] = 9
        np.testing.assert_allclose(padded.predict(tests_with_a_surprise), plain.predict(X_test), rtol=1e-6)


def test_ridge_is_scikit_learns_with_the_penalty_that_a_plain_search_finds(suite):
    from sklearn.linear_model import Ridge

    alphas = np.logspace(-1, 4, 11)
    model = CountRidge(alphas=alphas, n_folds=5, seed=3).fit(suite.X, suite.y, cosmology=suite.cosmology)
    x = np.sqrt(suite.X)
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    folds = list(cross_validation_folds(suite.cosmology, n_folds=5, seed=3).split())
    errors = []
    for alpha in alphas:
        squared = 0.0
        for train, test in folds:
            fitted = Ridge(alpha=alpha, solver="cholesky").fit(z[train], suite.y[train])
            squared += ((fitted.predict(z[test]) - suite.y[test]) ** 2).sum()
        errors.append(math.sqrt(squared / len(z)))
    np.testing.assert_allclose(model.cv_rmse_[0], errors, rtol=1e-8)
    assert model.alpha_[0] == alphas[np.argmin(errors)]
    fitted = Ridge(alpha=model.alpha_[0], solver="cholesky").fit(z, suite.y)
    t = (np.sqrt(suite.X_test) - x.mean(axis=0)) / x.std(axis=0)
    np.testing.assert_allclose(model.predict(suite.X_test), fitted.predict(t), rtol=1e-8)
    _, std = model.predict(suite.X_test, return_std=True)
    np.testing.assert_allclose(std, min(errors), rtol=1e-8)


def test_grouping_chooses_a_heavier_penalty_than_mixing_would():
    """Few cosmologies, each with a mark of its own in the features: only held-out cosmologies unmask it."""
    rng = np.random.default_rng(0)
    cosmology = np.repeat(np.arange(12), 60)
    omega = np.linspace(0.1, 0.5, 12)[cosmology]
    marks = rng.normal(0, 1, (12, 30))[cosmology]
    X = np.column_stack([omega + rng.normal(0, 0.1, 720), marks + rng.normal(0, 0.01, (720, 30))])
    grouped = CountRidge(transform="none").fit(X, omega, cosmology=cosmology)
    mixed = CountRidge(transform="none").fit(X, omega + 1e-9 * np.arange(720), cosmology=np.arange(720))
    assert grouped.alpha_[0] > 100 * mixed.alpha_[0]
    assert grouped.predict(X, return_std=True)[1][0] > 3 * mixed.predict(X, return_std=True)[1][0]


def test_features_that_are_constant_up_to_rounding_have_no_part(suite):
    """Of a constant a calculation leaves noise of the last bits, about itself or about zero."""
    rng = np.random.default_rng(5)
    kept = transformed(suite.X.astype(float), "sqrt")
    noise = [0.1 + 1e-17 * rng.standard_normal(len(kept)), 1e-16 * rng.standard_normal(len(kept)), np.zeros(len(kept))]
    more = np.column_stack([kept, *noise])
    for model in (CountRidge(transform="none"), EmulatorPosterior("quadratic", transform="none")):
        model.fit(kept, suite.y, cosmology=suite.cosmology, parameters=suite.parameters)
        expected = model.predict(kept[::50])
        model.fit(more, suite.y, cosmology=suite.cosmology, parameters=suite.parameters)
        far = more[::50] + np.concatenate([np.zeros(kept.shape[1]), [1e-15, 1e-15, 0]])
        for asked in (more[::50], far):
            np.testing.assert_allclose(model.predict(asked), expected, rtol=1e-7)
    with pytest.raises(ValueError, match="parameter 0 is the same in all 40 cosmologies; leave it out"):
        EmulatorPosterior("quadratic").fit(suite.X, 0.3 + 1e-16 * suite.y, cosmology=suite.cosmology)


def test_true_regression_beats_the_nearest_cosmology_on_unseen_ones(suite):
    errors = {}
    for model in (NearestCosmology(), CountRidge(), EmulatorPosterior("quadratic"), EmulatorPosterior("gp")):
        model.fit(suite.X, suite.y, cosmology=suite.cosmology, parameters=suite.parameters)
        errors[repr(model)] = rmse(suite.test[:, 0], model.predict(suite.X_test))
    nearest, ridge, quadratic, gp = errors.values()
    assert max(ridge, quadratic, gp) < 0.7 * nearest
    assert gp < 1.05 * ridge


@pytest.mark.parametrize(
    "model", [EmulatorPosterior("gp"), EmulatorPosterior("quadratic"), CountRidge(), NearestCosmology()]
)
def test_calibrated_error_bars_cover(suite, model):
    model.fit(suite.X, suite.y, cosmology=suite.cosmology, parameters=suite.parameters)
    before = model.predict(suite.X_test)
    model.calibrate(suite.X_validation, suite.validation[:, 0])
    estimate, std = model.predict(suite.X_test, return_std=True)
    np.testing.assert_array_equal(estimate, before)
    pulls = (estimate - suite.test[:, 0]) / std
    # The factor is known to 1/√(2·800) = 2.5 % of normal errors, the pulls' width to 1.8 %; three times both together.
    assert np.sqrt(np.mean(pulls**2)) == pytest.approx(1, abs=0.1)
    if isinstance(model, EmulatorPosterior):
        found = coverage(suite.test[:, 0], estimate, std)
        # Four standard deviations of the binomial distribution, and 3 % of the width, which moves 1.4 % at 68 %.
        assert abs(found["0.68"] - 0.68) < 4 * math.sqrt(0.68 * 0.32 / 1500) + 0.014
        assert abs(found["0.95"] - 0.95) < 4 * math.sqrt(0.95 * 0.05 / 1500) + 0.007


def test_the_emulators_own_error_bars_are_nearly_right(suite):
    model = EmulatorPosterior("gp").fit(suite.X, suite.y, cosmology=suite.cosmology, parameters=suite.parameters)
    estimate, std = model.predict(suite.X_test, return_std=True)
    pulls = (estimate - suite.test[:, 0]) / std
    assert 0.8 < np.sqrt(np.mean(pulls**2)) < 1.15


def test_calibration_is_by_validation_maps_alone(suite):
    model = NearestCosmology().fit(suite.X, suite.y, cosmology=suite.cosmology)
    with pytest.raises(ValueError, match="no error bars of its own: call calibrate with validation maps first"):
        model.predict(suite.X_test, return_std=True)
    model.calibrate(suite.X_validation, suite.validation[:, 0])
    _, std = model.predict(suite.X_test, return_std=True)
    error = rmse(suite.validation[:, 0], model.predict(suite.X_validation))
    np.testing.assert_allclose(std, error, rtol=1e-12)
    # Fitting anew forgets it.
    with pytest.raises(ValueError, match="call calibrate"):
        model.fit(suite.X, suite.y, cosmology=suite.cosmology).predict(suite.X_test, return_std=True)


def test_several_targets_at_once(suite):
    for model in ALL:
        both = type(model)(**model.get_params()).fit(suite.X, suite.parameters, cosmology=suite.cosmology)
        both.calibrate(suite.X_validation, suite.validation)
        estimate, std = both.predict(suite.X_test, return_std=True)
        assert estimate.shape == std.shape == (1500, 2)
        assert 0 < both.score(suite.X_test, suite.test) < 1
        alone = type(model)(**model.get_params())
        alone.fit(suite.X, suite.y, cosmology=suite.cosmology, parameters=suite.parameters)
        np.testing.assert_allclose(alone.predict(suite.X_test), estimate[:, 0], rtol=1e-9)


def test_cosmologies_are_told_apart_by_their_parameters_if_not_named(suite):
    for model in ALL:
        named = type(model)(**model.get_params())
        named.fit(suite.X, suite.y, cosmology=suite.cosmology, parameters=suite.parameters)
        unnamed = type(model)(**model.get_params()).fit(suite.X, suite.y, parameters=suite.parameters)
        # The numbers differ, and with them the folds of the ridge; its penalty may be a neighbour. Its errors are 0.02.
        tolerance = 5e-3 if isinstance(model, CountRidge) else 1e-9
        np.testing.assert_allclose(unnamed.predict(suite.X_test), named.predict(suite.X_test), atol=tolerance)


@pytest.mark.parametrize("method", ["nearest", "emulator", "ridge"])
def test_the_front_is_the_class_behind_it_and_both_survive_json(suite, method):
    front = PeakCountRegressor(method, {"emulator": "quadratic"} if method == "emulator" else None)
    front.fit(suite.X, suite.y, cosmology=suite.cosmology).calibrate(suite.X_validation, suite.validation[:, 0])
    kinds = {"nearest": NearestCosmology, "emulator": EmulatorPosterior, "ridge": CountRidge}
    assert type(front.regressor_) is kinds[method]
    for model in (front, front.regressor_):
        back = regressor_from_dict(json.loads(json.dumps(model.to_dict(), allow_nan=False)))
        assert type(back) is type(model)
        assert back.get_params() == model.get_params()
        for found, expected in zip(back.predict(suite.X_test, True), front.predict(suite.X_test, True), strict=True):
            np.testing.assert_array_equal(found, expected)


def test_scikit_learn_takes_them_as_its_own(suite):
    from sklearn.base import clone, is_regressor
    from sklearn.model_selection import GridSearchCV, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    for model in [*ALL, PeakCountRegressor("ridge")]:
        assert is_regressor(model)
        copy = clone(model)
        assert copy is not model
        assert copy.get_params() == model.get_params()
        assert not hasattr(copy, "n_features_in_")
    folds = cross_validation_folds(suite.cosmology, n_folds=4, seed=0)
    scores = cross_val_score(CountRidge(), suite.X, suite.y, cv=folds)
    assert scores.min() > 0.5
    search = GridSearchCV(EmulatorPosterior("linear"), {"emulator": ["linear", "quadratic"]}, cv=folds)
    search.fit(suite.X, suite.y, cosmology=suite.cosmology)
    assert search.best_params_ == {"emulator": "quadratic"}
    pipeline = make_pipeline(FunctionTransformer(np.sqrt), CountRidge(transform="none"))
    pipeline.fit(suite.X, suite.y, countridge__cosmology=suite.cosmology)
    plain = CountRidge().fit(suite.X, suite.y, cosmology=suite.cosmology)
    np.testing.assert_allclose(pipeline.predict(suite.X_test), plain.predict(suite.X_test), rtol=1e-12)


def test_the_covariance_is_corrected_as_asked(suite):
    few = np.concatenate([np.flatnonzero(suite.cosmology == c)[:3] for c in range(40)])
    X, y, cosmology = suite.X[few], suite.y[few], suite.cosmology[few]
    model = EmulatorPosterior("linear").fit(X, y, cosmology=cosmology)
    assert model.hartlap_ == 1.0  # the factor is for a covariance that is not shrunk
    assert 0 < model.shrinkage_ < 1
    sample = EmulatorPosterior("linear", shrinkage="none").fit(X, y, cosmology=cosmology)
    assert (sample.hartlap_, sample.shrinkage_) == ((80 - 22 - 1) / 80, 0.0)
    plain = EmulatorPosterior("linear", hartlap=False, shrinkage="none").fit(X, y, cosmology=cosmology)
    assert (plain.hartlap_, plain.shrinkage_) == (1.0, 0.0)
    # Less precision, wider error bars: by 1/√0.71 = 1.19 where noise is all that counts; here curves miss much more.
    widths = [fitted.predict(suite.X_test[:200], True)[1] for fitted in (sample, plain)]
    assert 1.01 < widths[0].mean() / widths[1].mean() < 1.25
    with pytest.raises(ValueError, match="for a sample covariance and this one is shrunk"):
        EmulatorPosterior("linear", hartlap=True).fit(X, y, cosmology=cosmology)
    tiny = np.concatenate([np.flatnonzero(suite.cosmology == c)[:2] for c in range(20)])
    with pytest.raises(ValueError, match=r"22 features need more than 23 degrees of freedom.*there are 20"):
        EmulatorPosterior("linear", shrinkage="none").fit(suite.X[tiny], suite.y[tiny], cosmology=suite.cosmology[tiny])


def test_a_penalty_is_chosen_on_phases_that_were_not_trained_on():
    # Maps of one number have their noise in common: who sees it in other cosmologies can subtract it.
    rng = np.random.default_rng(8)
    cosmology, phases = np.repeat(np.arange(20), 5), np.tile(np.arange(5), 20)
    omega = rng.uniform(0.1, 0.5, 20)[cosmology]
    noise = rng.normal(0, 1, (5, 60))
    slope = 0.5 * rng.normal(0, 1, 60)

    def measured(parameter, noise):
        return parameter[:, None] * slope + 0.3 * noise + 0.01 * rng.normal(0, 1, noise.shape)

    X = measured(omega, noise[phases])
    new = measured(omega, rng.normal(0, 1, (len(omega), 60)))
    told = CountRidge(transform="none").fit(X, omega, cosmology=cosmology, realisation=phases)
    untold = CountRidge(transform="none").fit(X, omega, cosmology=cosmology)
    errors = [np.sqrt(np.mean((model.predict(new) - omega) ** 2)) for model in (told, untold)]
    assert untold.cv_rmse_.min() < 0.5 * errors[1]  # too good to be true
    assert told.cv_rmse_.min() > 0.5 * errors[0]
    assert errors[0] < errors[1]
    with pytest.raises(ValueError, match="realisation must name one for each of 100 maps"):
        CountRidge().fit(np.abs(X), omega, realisation=[1])


def test_transforms():
    x = np.array([[1.0, 4.0]])
    np.testing.assert_array_equal(transformed(x, "sqrt"), [[1.0, 2.0]])
    np.testing.assert_array_equal(transformed(x, "log"), np.log(x))
    np.testing.assert_array_equal(transformed(x, "none"), x)
    with pytest.raises(ValueError, match="square roots need counts and the least feature is -1"):
        transformed(-x[:, :1], "sqrt")
    with pytest.raises(ValueError, match="logarithms need features above 0 and the least is 0"):
        transformed(0 * x, "log")
    with pytest.raises(ValueError, match=r"transform is 'cube'.*; choose one of sqrt, log, none"):
        transformed(x, "cube")


def test_bad_input(suite):
    X, y, cosmology = suite.X, suite.y, suite.cosmology
    with pytest.raises(ValueError, match="this CountRidge is not fitted yet; call fit first"):
        CountRidge().predict(X)
    with pytest.raises(ValueError, match=r"X must have the shape \(maps, features\), got \(22,\)"):
        CountRidge().fit(X[0], y)
    with pytest.raises(ValueError, match=r"y must have one row for each of 2000 maps; it has the shape \(3,\)"):
        CountRidge().fit(X, y[:3])
    with pytest.raises(ValueError, match="parameters must have one row for each of 2000 maps"):
        CountRidge().fit(X, y, parameters=suite.parameters[:3])
    broken = X.astype(float)
    broken[5, 3] = math.nan
    with pytest.raises(ValueError, match="the features of 1 maps are not finite, the first is map 5"):
        CountRidge().fit(broken, y)
    with pytest.raises(ValueError, match="y and parameters must be finite"):
        CountRidge().fit(X, np.where(cosmology == 3, math.nan, y))
    with pytest.raises(ValueError, match="cosmology 0 has maps of different parameters"):
        NearestCosmology().fit(X, y, cosmology=np.zeros(2000, int))
    with pytest.raises(ValueError, match="cosmology must name one for each of 2000 maps"):
        NearestCosmology().fit(X, y, cosmology=[0])
    with pytest.raises(ValueError, match="a cosmology with one map has no covariance"):
        NearestCosmology().fit(X[::50], y[::50])
    with pytest.raises(ValueError, match="X has 3 features, but CountRidge is expecting 22 features"):
        CountRidge().fit(X, y).predict(X[:, :3])
    with pytest.raises(ValueError, match="alphas must be numbers above 0"):
        CountRidge(alphas=[0.0]).fit(X, y)
    with pytest.warns(UserWarning, match="the first or last of alphas; give a wider range"):
        CountRidge(alphas=[1e5, 1e6]).fit(X, y)
    with pytest.raises(ValueError, match=r"method is 'forest'.*; choose one of emulator, nearest, ridge"):
        PeakCountRegressor("forest").fit(X, y)
    with pytest.raises(ValueError, match="has no parameter 'depth'; it has rcond"):
        NearestCosmology().set_params(depth=3)
    assert repr(CountRidge(n_folds=3)) == "CountRidge(n_folds=3)"
    with pytest.raises(ValueError, match="a grid over 5 parameters is too large"):
        EmulatorPosterior("linear").fit(X, y, parameters=np.random.default_rng(0).random((40, 4))[cosmology])
    with pytest.raises(ValueError, match="no feature varies within a cosmology"):
        EmulatorPosterior("linear").fit(X[::50].repeat(2, 0), y[::50].repeat(2))
    with pytest.raises(ValueError, match="points is 1; give a whole number, 2 or more"):
        EmulatorPosterior("linear", points=1).fit(X, y)
    with pytest.raises(ValueError, match="y must have the shape of the estimates"):
        CountRidge().fit(X, y).calibrate(X[:3], y[:2])


def test_broken_json(suite):
    values = CountRidge().fit(suite.X, suite.y).to_dict()
    with pytest.raises(ValueError, match="the regressor is 'Forest'; known are EmulatorPosterior, NearestCosmology"):
        regressor_from_dict(values | {"kind": "Forest"})
    with pytest.raises(ValueError, match="these are the values of 'CountRidge', not of NearestCosmology"):
        NearestCosmology.from_dict(values)
    del values["state"]["weights_"]
    with pytest.raises(ValueError, match="the values of CountRidge lack weights_"):
        regressor_from_dict(values)
    front = PeakCountRegressor("ridge").fit(suite.X, suite.y).to_dict()
    del front["regressor"]
    with pytest.raises(ValueError, match="lack a known method or its regressor"):
        regressor_from_dict(front)


def test_a_ridge_of_degree_two_fits_products():
    rng = np.random.default_rng(0)
    X = rng.normal(0, 1, (300, 3)) * [1.0, 10.0, 0.1]
    y = 0.3 + X[:, 0] - 0.2 * X[:, 1] * X[:, 2] + 0.1 * X[:, 0] ** 2
    fitted = CountRidge(transform="none", degree=2).fit(X[:200], y[:200], cosmology=np.arange(200))
    np.testing.assert_allclose(fitted.predict(X[200:]), y[200:], atol=1e-3)
    assert fitted.weights_.shape == (9, 1)
    again = CountRidge.from_dict(fitted.to_dict())
    np.testing.assert_array_equal(again.predict(X), fitted.predict(X))
    old = fitted.to_dict()
    del old["options"]["degree"]  # a file from before there was one
    old["state"]["weights_"] = old["state"]["weights_"][:3]
    assert CountRidge.from_dict(old).degree == 1
    with pytest.raises(ValueError, match="degree must be 1 or 2, got 3"):
        CountRidge(degree=3).fit(np.abs(X), y, cosmology=np.arange(300))
