"""The saved model: the same numbers back, with NumPy alone, and clear words where something does not fit."""

import json
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from awd_core.wavelets.wavelet import Wavelet
from awd_cosmo.inference.estimators import CountRidge, EmulatorPosterior
from awd_cosmo.inference.model import Model
from awd_cosmo.inference.training_range import TrainingDistribution
from awd_cosmo.maps.observe import downsample, smooth
from awd_cosmo.maps.preprocessing import Preprocessing, block_means, smoothed
from awd_cosmo.statistics.counts import PeakCounts
from awd_cosmo.statistics.scales import ScaleCounts


def simulate(omega, seed, side=32):
    """White noise whose width is Ω_m/10, a little smoothed, float32."""
    rng = np.random.default_rng(seed)
    maps = rng.normal(0, 1, (len(omega), side, side)) * np.asarray(omega)[:, None, None] / 10
    return ((maps + np.roll(maps, 1, axis=1) + np.roll(maps, 1, axis=2)) / 2).astype(np.float32)


OMEGA = np.repeat(np.linspace(0.2, 0.4, 10), 12)
STEPS = Preprocessing(smoothing_arcmin=0.3, noise={"convention": "fair"})


def train(per="map", regressor=None, preprocessing=STEPS, **more):
    maps = simulate(OMEGA, 0)
    ready = preprocessing.apply(maps, pixel_scale=0.5)
    statistics = [
        PeakCounts("db2", range="normal", bins=6, per=per).fit(ready),
        ScaleCounts("db2", levels=2, bins=6, per=per).fit(ready),
    ]
    X = np.hstack([statistic.transform(ready) for statistic in statistics])
    regressor = (CountRidge() if regressor is None else regressor).fit(X, OMEGA)
    return Model(
        parameters=["Omega_m"],
        pixel_scale=0.5,
        shape=(32, 32),
        statistics=statistics,
        regressor=regressor,
        training=TrainingDistribution.from_features(X),
        preprocessing=preprocessing,
        wavelet=Wavelet.from_name("db2"),
        provenance={"split": "cosmology", "seed": 0},
        **more,
    )


@pytest.fixture(scope="module")
def model():
    return train()


@pytest.fixture(scope="module")
def saved(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model.json"
    model.save(path)
    return path


def test_it_estimates_unseen_maps(model):
    truth = np.linspace(0.22, 0.38, 60)
    found = model.predict(simulate(truth, 1))
    assert found.estimate.shape == found.std.shape == found.distance.shape == found.percentile.shape == (60,)
    # Some 100 independent pixels' width is known to 1/√(2·500) = 3 % of 0.3.
    assert np.sqrt(np.mean((found.estimate - truth) ** 2)) < 0.03
    assert found.percentile.mean() < 90


def test_a_saved_model_gives_the_same_numbers_bit_for_bit(model, saved):
    maps = simulate([0.25, 0.35], 2)
    back = Model.load(saved)
    for found, expected in zip(back.predict(maps), model.predict(maps), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert back.parameters == ("Omega_m",)
    assert back.wavelet == model.wavelet
    assert back.provenance == {"split": "cosmology", "seed": 0}
    assert back.preprocessing == STEPS
    assert json.loads(saved.read_text())["version"] == 1
    # What is saved again is the same document.
    assert back.to_dict() == model.to_dict()


@pytest.mark.parametrize("regressor", [CountRidge(), EmulatorPosterior("gp", hartlap=False)], ids=["ridge", "gp"])
def test_numpy_alone_predicts(regressor, tmp_path):
    model = train(regressor=regressor)
    model.save(tmp_path / "model.json")
    maps = simulate([0.25, 0.35], 2)
    np.save(tmp_path / "maps.npy", maps)
    code = """
        import sys
        class Refuse:
            def find_spec(self, name, path=None, target=None):
                if name.partition(".")[0] in ("torch", "sklearn", "scipy", "astropy", "matplotlib", "pandas"):
                    raise ImportError(name + " is refused")
        sys.meta_path.insert(0, Refuse())
        import numpy as np
        from awd_cosmo.inference.model import Model
        found = Model.load("model.json").predict(np.load("maps.npy"))
        np.save("found.npy", np.array(found))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(np.load(tmp_path / "found.npy"), np.array(model.predict(maps)))


def test_maps_unlike_the_training_maps_are_far_away(model):
    near, far = simulate(np.full(20, 0.3), 3), 5 * simulate(np.full(20, 0.3), 3)
    distance, percentile = model.distance_from_training(near)
    beyond, all_of_them = model.distance_from_training(far)
    assert beyond.min() > distance.max()
    np.testing.assert_array_equal(all_of_them, 100)
    assert percentile.mean() < 95


def test_the_distance_is_mahalanobis_and_its_percentiles_are_uniform():
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(4, 4))
    train, test = (rng.normal(size=(4000, 4)) @ mixing for _ in range(2))
    training = TrainingDistribution.from_features(train)
    distance, percentile = training.distance(test)
    exact = np.sqrt(np.einsum("ni,ij,nj->n", test, np.linalg.inv(mixing.T @ mixing), test))
    # 4000 maps know a covariance of 4 features to some 3 %.
    np.testing.assert_allclose(distance, exact, rtol=0.05, atol=0.06)
    for share in (10, 50, 90):
        # Four standard deviations of two samples of 4000.
        assert abs(np.mean(percentile < share) - share / 100) < 4 * np.sqrt(2 * 0.25 / 4000)
    # Units do not matter, nor does a feature that never varies.
    scaled = TrainingDistribution.from_features(np.column_stack([1e3 * train, np.full(4000, -2.0)]))
    found, _ = scaled.distance(np.column_stack([1e3 * test, np.full(4000, 5.0)]))
    np.testing.assert_allclose(found, distance, rtol=1e-9)


def test_percentiles_from_other_maps():
    rng = np.random.default_rng(0)
    train, validation = rng.normal(size=(60, 30)), rng.normal(size=(2000, 30))
    test = rng.normal(size=(2000, 30))
    own = TrainingDistribution.from_features(train).distance(test)[1]
    better = TrainingDistribution.from_features(train, reference=validation).distance(test)[1]
    assert abs(better.mean() - 50) < 3  # a uniform percentile's mean is known to 0.65, twice
    assert own.mean() > 60


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("edge", ["reflect", "wrap"])
@pytest.mark.parametrize("holes", [False, True])
def test_preprocessing_is_that_of_observe(dtype, edge, holes):
    maps = np.random.default_rng(0).normal(0, 0.02, (3, 24, 36)).astype(dtype)
    if holes:
        maps[0, 3:9, 5:8] = np.nan
        maps[1, 0] = np.nan
        maps[2, 10, 10:12] = maps[2, 11, 10] = np.nan  # three of a block's four
    steps = Preprocessing(downsample=2, smoothing_arcmin=1.3, edge=edge)
    expected = smooth(downsample(maps, 2), pixel_scale=0.8, sigma_arcmin=1.3, edge=edge)
    found = steps.apply(maps, pixel_scale=0.4)
    assert found.dtype == expected.dtype == dtype
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(block_means(maps, 2), downsample(maps, 2))


@pytest.mark.parametrize("width", [0.1, 0.7, 2.5, 6.0])
@pytest.mark.parametrize("edge", ["reflect", "wrap"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_gaussian_is_that_of_scipy(dtype, edge, width):
    maps = np.random.default_rng(0).normal(size=(2, 9, 16)).astype(dtype)
    found = smoothed(maps, width, edge)
    expected = gaussian_filter(maps, (0, width, width), mode=edge, truncate=4.0)
    assert found.dtype == dtype
    # The same sums in the same order; a processor that rounds a product and a sum at once may differ in the last bit.
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 if dtype == np.float32 else 1e-14)
    assert smoothed(maps, 0.0, edge) is maps


def test_the_gaussian_leaves_out_what_was_not_observed():
    maps = np.random.default_rng(0).normal(size=(1, 9, 16))
    maps[0, 2:5, 7:9] = np.nan
    seen = np.isfinite(maps)
    sums = [gaussian_filter(values, (0, 1.3, 1.3), mode="reflect") for values in (np.nan_to_num(maps), seen * 1.0)]
    np.testing.assert_allclose(smoothed(maps, 1.3)[seen], (sums[0] / sums[1])[seen], rtol=0, atol=1e-14)
    assert np.isnan(smoothed(maps, 1.3)[~seen]).all()


def test_finer_maps_are_brought_to_the_scale_of_the_model(model):
    maps = simulate([0.3, 0.3], 4, side=64)
    found = model.predict(maps, pixel_scale=0.25)
    expected = model.predict(downsample(maps, 2))
    np.testing.assert_array_equal(found.estimate, expected.estimate)
    with pytest.raises(ValueError, match=r"0\.3 arcmin per pixel and the model 0\.5, which is no multiple"):
        model.predict(maps, pixel_scale=0.3)
    with pytest.raises(ValueError, match="the maps have 1 arcmin per pixel and the model"):
        model.predict(maps, pixel_scale=1.0)


def test_one_map_and_big_endian_maps_as_fits_has_them(model):
    maps = simulate([0.3], 5)
    expected = model.predict(maps)
    for same in (maps[0], maps.astype(">f4")):
        np.testing.assert_array_equal(model.predict(same).estimate, expected.estimate)


def test_other_sizes_and_masks():
    per_pixel, per_map = train(per="pixel"), train(per="map")
    large = simulate(np.full(8, 0.3), 6, side=48)
    np.testing.assert_allclose(per_pixel.predict(large).estimate.mean(), 0.3, atol=0.02)
    with pytest.raises(
        ValueError, match="the maps have 48 × 48 pixels, the model was trained on 32 × 32, and PeakCounts"
    ):
        per_map.predict(large)
    maps = simulate(np.full(8, 0.3), 6)
    mask = np.ones((32, 32), bool)
    mask[:, :12] = False
    np.testing.assert_allclose(per_pixel.predict(maps, mask=mask).estimate.mean(), 0.3, atol=0.02)
    with pytest.warns(UserWarning, match=r"37\.5% of the pixels were not observed and PeakCounts counts per map"):
        masked = per_map.predict(maps, mask=mask)
    with_nan = np.where(mask, maps, np.float32(np.nan))
    with pytest.warns(UserWarning, match="not observed"):
        np.testing.assert_array_equal(per_map.predict(with_nan).estimate, masked.estimate)
    with pytest.raises(ValueError, match="a mask must be bool, True where observed"):
        per_pixel.predict(maps, mask=mask.astype(int))


class MeanOfSquares:
    """A user's own statistic."""

    def transform(self, X, mask=None):
        return np.mean(np.asarray(X, dtype=np.float64) ** 2, axis=(1, 2))

    def to_dict(self):
        return {"statistic": "MeanOfSquares"}

    @classmethod
    def from_dict(cls, record):
        return cls()


def test_a_statistic_of_ones_own_has_to_be_handed_over(tmp_path):
    maps = simulate(OMEGA, 0)
    X = MeanOfSquares().transform(maps)[:, None]
    model = Model(
        parameters=["Omega_m"],
        pixel_scale=0.5,
        shape=(32, 32),
        statistics=[MeanOfSquares()],
        regressor=CountRidge().fit(X, OMEGA),
        training=TrainingDistribution.from_features(X),
    )
    model.save(tmp_path / "own.json")
    with pytest.raises(ValueError, match=r"the statistic 'MeanOfSquares', which is none of PeakCounts.*hand its class"):
        Model.load(tmp_path / "own.json")
    back = Model.load(tmp_path / "own.json", statistics=[MeanOfSquares])
    np.testing.assert_array_equal(back.predict(maps).estimate, model.predict(maps).estimate)


def test_files_that_are_no_models(saved, tmp_path):
    place = tmp_path / "broken.json"

    def reading(content, match):
        place.write_text(content if isinstance(content, str) else json.dumps(content))
        with pytest.raises(ValueError, match=rf"broken\.json cannot be read as a model: .*{match}"):
            Model.load(place)

    values = json.loads(saved.read_text())
    reading(saved.read_text()[:-100], "it is not JSON, or was cut short")
    reading({"format": "awd-wavelet"}, 'it has no "format": "awd-cosmo-model"')
    reading([], 'it has no "format"')
    reading(values | {"version": 2}, "its version is 2 and this awd-cosmo reads version 1")
    reading(
        {key: value for key, value in values.items() if key not in ("regressor", "shape")}, "it lacks shape, regressor"
    )
    reading(values | {"statistics": [{"statistic": "os:system"}]}, "the statistic 'os:system', which is none of")
    reading(values | {"statistics": [3]}, r"statistics\[0\] is 3; give an object")
    reading(values | {"regressor": {"kind": "Forest"}}, "the regressor is 'Forest'")
    reading(values | {"training": {}}, "training lacks transform, mean, precision, quantiles")
    reading(values | {"preprocessing": {"sharpen": 3}}, "preprocessing has sharpen, which this awd-cosmo does not know")
    reading(values | {"parameters": ["Omega_m", "sigma8"]}, "2 parameters are named")
    reading(values | {"statistics": []}, "a model needs at least one statistic")
    with pytest.raises(FileNotFoundError):
        Model.load(tmp_path / "nothing.json")


def test_saving_is_all_or_nothing(model, tmp_path):
    place = tmp_path / "model.json"
    model.save(place)
    before = place.read_bytes()
    from dataclasses import replace

    with pytest.raises(ValueError, match="the model cannot be written as JSON; provenance and options must hold"):
        replace(model, provenance={"when": object()}).save(place)
    with pytest.raises(ValueError, match="the model cannot be written as JSON"):
        replace(model, provenance={"rmse": float("nan")}).save(place)
    assert place.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["model.json"]
    with pytest.raises(FileNotFoundError):
        model.save(tmp_path / "no folder" / "model.json")


def test_bad_input(model):
    from dataclasses import replace

    with pytest.raises(ValueError, match=r"2 parameters are named .* and the regressor estimates 1"):
        replace(model, parameters=["Omega_m", "sigma8"])
    with pytest.raises(ValueError, match="the training distribution has 2 features and the regressor takes"):
        replace(model, training=TrainingDistribution.from_features(np.random.default_rng(0).normal(size=(9, 2))))
    with pytest.raises(ValueError, match="this CountRidge is not fitted"):
        replace(model, regressor=CountRidge())
    with pytest.raises(ValueError, match="pixel_scale must be a positive angle"):
        replace(model, pixel_scale=-1.0)
    for maps in (np.zeros(3), np.zeros((2, 4, 4), complex), np.zeros((0, 4, 4))):
        with pytest.raises(ValueError, match="maps must be real, of the shape"):
            model.predict(maps)
    with pytest.raises(ValueError, match="downsample is 0; give a positive whole number"):
        Preprocessing(downsample=0)
    with pytest.raises(ValueError, match="downsample is True; give a positive whole number"):
        Preprocessing(downsample=True)
    assert type(Preprocessing(downsample=np.int64(2)).downsample) is int
    with pytest.raises(ValueError, match=r"smoothing_arcmin is -1.*; give a number from 0 on"):
        Preprocessing(smoothing_arcmin=-1.0)
    with pytest.raises(ValueError, match="edge is 'zero'; choose one of reflect, wrap"):
        Preprocessing(edge="zero")
    with pytest.raises(ValueError, match="blocks of 3 pixels do not fill maps of 32 × 32"):
        block_means(np.zeros((1, 32, 32)), 3)
    with pytest.raises(ValueError, match="features must be finite, three maps or more"):
        TrainingDistribution.from_features(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="no feature varies among the training maps"):
        TrainingDistribution.from_features(np.ones((5, 3)))
    with pytest.raises(ValueError, match=r"features must have the shape \(n, 3\)"):
        TrainingDistribution.from_features(np.random.default_rng(0).normal(size=(9, 3))).distance([[1.0]])


def test_what_sets_maps_apart_is_found_by_group():
    rng = np.random.default_rng(0)
    counts = rng.poisson(100, (400, 12)).astype(float)
    training = TrainingDistribution.from_features(counts)
    groups = ["one"] * 6 + ["two"] * 6
    usual = training.by_group(counts[:1], groups)
    assert set(usual) == {"one", "two"}
    assert all(0.3 < times < 2 and 0.7 < outer < 1.4 for times, outer in usual.values())
    odd = counts[:1].copy()
    odd[0, [6, 11]] += 150
    found = training.by_group(odd, groups)
    assert found["two"][0] > 3 > 2 > found["one"][0]
    # 2 × 250 of 4 × 100 + 2 × 250, where it was a third.
    assert found["two"][1] == pytest.approx(5 / 3, rel=0.2)
    assert 0.9 < training.times(training.quantiles[99]) <= 1
    never = np.hstack([counts, np.zeros((400, 1))])
    assert "never" not in TrainingDistribution.from_features(never).by_group(never[:1], [*groups, "never"])


def world(seed, parameters, features=40):
    """Draws maps' features, a nearly straight curve of the parameters with correlated scatter."""
    rng = np.random.default_rng(seed)
    slopes, bends = rng.normal(0, 2, (parameters, features)), rng.normal(0, 0.1, (parameters, features))
    level = rng.uniform(20, 60, features)
    mixing = np.linalg.cholesky(0.3 ** np.abs(np.subtract.outer(np.arange(features), np.arange(features))))

    def draw(theta):
        noise = 2 * rng.normal(0, 1, (len(theta), features)) @ mixing.T
        return np.maximum(level + theta @ slopes + theta**2 @ bends + noise, 0) ** 2

    return draw, rng


@pytest.mark.parametrize("parameters", [1, 2])
def test_cosmologies_beyond_the_training_box_are_told_and_false_alarms_are_rare(parameters):
    alarms, told, told_from_the_mean = [], [], []
    for seed in range(6):
        draw, rng = world(seed, parameters)
        train, other = (np.repeat(rng.uniform(-1, 1, (n, parameters)), 20, axis=0) for n in (16 * parameters, 8))
        X, V = draw(train), draw(other)
        training = TrainingDistribution.from_features(X, parameters=train, reference=V, reference_parameters=other)
        inside = rng.uniform(-0.95, 0.95, (300, parameters))
        beyond = rng.normal(0, 1, (300, parameters))
        beyond *= 2 / np.abs(beyond).max(axis=1, keepdims=True)
        x, far = draw(inside), draw(beyond)
        alarms.append((training.times(training.distance(x)[0]) > 1).mean())
        told.append((training.times(training.distance(far)[0]) > 1).mean())
        mean = TrainingDistribution.from_features(X, reference=V)
        told_from_the_mean.append((mean.times(mean.distance(far)[0]) > 1).mean())
        again = TrainingDistribution.from_dict(json.loads(json.dumps(training.to_dict())))
        np.testing.assert_array_equal(again.distance(far)[0], training.distance(far)[0])
    assert np.mean(alarms) < 0.02  # one in a hundred at most is promised; the slow table has more draws
    assert np.mean(told) > 0.7
    assert np.mean(told) > np.mean(told_from_the_mean) + 0.2


def test_the_nearest_point_of_the_curve_is_that_of_a_fine_grid():
    draw, rng = world(1, 2)
    train = np.repeat(rng.uniform(-1, 1, (40, 2)), 5, axis=0)
    training = TrainingDistribution.from_features(draw(train), parameters=train)
    x = draw(rng.uniform(-2, 2, (20, 2)))
    axis = np.linspace(-1, 1, 201)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    difference = np.sqrt(x)[:, None] - training.curve.at(grid)[None]
    brute = np.sqrt(np.einsum("ngi,ij,ngj->ng", difference, training.precision, difference, optimize=True).min(axis=1))
    found = training.distance(x)[0]
    np.testing.assert_allclose(found, brute, rtol=1e-3)  # a grid's cell is 0.01 wide
    assert (found <= brute * (1 + 1e-6)).all()


def test_a_distribution_of_before_there_were_curves_is_read_as_it_was():
    x = np.random.default_rng(0).normal(5, 1, (200, 4))
    values = TrainingDistribution.from_features(x).to_dict()
    old = {key: values[key] for key in ("transform", "mean", "precision", "quantiles")}
    made = TrainingDistribution.from_dict(old)
    assert made.times(made.quantiles[99]) == pytest.approx(1)
    np.testing.assert_array_equal(made.distance(x)[0], TrainingDistribution.from_features(x).distance(x)[0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"parameters": [1.0]}, "parameters must be finite, one row for each of 30 maps"),
        ({"parameters": np.full(30, np.nan)}, "parameters must be finite"),
        ({"parameters": np.ones(30)}, "the same in all training maps"),
        ({"reference_parameters": [1, 2]}, "reference_parameters must be finite, one row for each of 30 maps"),
        ({"parameters": np.arange(30), "reference_parameters": np.ones((30, 2))}, "has 2 columns and parameters 1"),
    ],
)
def test_parameters_that_do_not_fit(options, message):
    with pytest.raises(ValueError, match=message):
        TrainingDistribution.from_features(np.random.default_rng(0).normal(size=(30, 3)), **options)
