"""Random convolutions: what their numbers are, that they learn, come back from files, and have no gradients."""

import numpy as np
import pytest
import torch
from sklearn.ensemble import VotingRegressor
from sklearn.linear_model import Ridge

from awd_cme.series.scaling import fit_z_scores
from awd_cme.series.series_set import example_set
from awd_cme.teacher.convolutions import ConvolutionTeacher, ConvolutionTeacherClassifier, drawn
from awd_cme.teacher.networks import PooledConvolutions, stack_inputs
from awd_cme.teacher.teacher import SeriesTeacher
from awd_core.attribution import input_gradients


@pytest.fixture(scope="module")
def series():
    raw = example_set(n=240, cells=2)
    return fit_z_scores(raw, centre=False).apply(raw)


@pytest.fixture(scope="module")
def teacher(series):
    return ConvolutionTeacher(60).fit(series.X[:180], series.y[:180])


def test_kernels_have_no_mean_and_are_no_longer_than_a_series():
    for samples in (3, 8, 40, 300):
        weights, shapes = drawn(np.random.default_rng(0), 200, samples)
        lengths, dilations, padding = shapes.numpy().T
        reach = (lengths - 1) * dilations
        assert (reach <= max(samples - 1, 0)).all()
        assert ((padding == 0) | (padding == reach // 2)).all()
        np.testing.assert_allclose(weights.sum(dim=1), 0, atol=1e-12)
        for row, length in zip(weights, lengths, strict=True):
            assert not row[length:].any()
    assert len(set(dilations)) > 5


def test_numbers_are_those_of_the_definition(series, teacher):
    """By NumPy's convolution, kernel by kernel."""
    X = series.X[180:200]
    found = teacher._numbers(torch.from_numpy(X), np.empty((20, 0))).reshape(20, 3, 60)
    for k in range(60):
        length, dilation, padding = teacher._shapes[k].tolist()
        spread = np.zeros((length - 1) * dilation + 1)
        spread[::dilation] = teacher._weights[k, :length]
        given = np.array([np.correlate(np.pad(x, padding), spread, "valid") for x in X])
        above = given - float(teacher._thresholds[k])
        expected = np.stack([given.max(1), (above > 0).mean(1), np.maximum(above, 0).mean(1)], axis=1)
        # sums of eleven terms; a share may differ where a sample lies on the threshold to rounding
        np.testing.assert_allclose(found[:, [0, 2], k], expected[:, [0, 2]], atol=1e-12)
        assert np.abs(found[:, 1, k] - expected[:, 1]).max() <= 1 / given.shape[1] + 1e-12


def test_it_learns_in_any_unit(series, teacher):
    assert teacher.score(series.X[180:], series.y[180:]) > 0.8
    counts = ConvolutionTeacher(60).fit(1000 * series.X[:180], series.y[:180])
    np.testing.assert_allclose(counts.predict(1000 * series.X), teacher.predict(series.X), atol=1e-3)
    assert teacher.predict(100 * series.X).max() <= series.y[:180].max()


def test_what_is_left_out_is_predicted_without_it(series):
    """By refits, the kernels and the scale of their numbers held: exact."""
    X, y = series.X[:60], series.y[:60]
    teacher = ConvolutionTeacher(10, alphas=(30.0,)).fit(X, y)
    F = teacher._numbers(torch.from_numpy(X), np.empty((60, 0)))
    Z = (F - F.mean(axis=0)) / teacher.scale_
    for k in (0, 17, 59):
        rest = np.arange(60) != k
        refit = Ridge(30.0).fit(Z[rest], y[rest]).predict(Z[k : k + 1])[0]
        assert teacher.left_out_[k] == pytest.approx(np.clip(refit, y.min(), y.max()), abs=1e-9)


def test_the_seed_decides(series, teacher):
    again = ConvolutionTeacher(60).fit(series.X[:180], series.y[:180])
    np.testing.assert_array_equal(again.predict(series.X), teacher.predict(series.X))
    other = ConvolutionTeacher(60, random_state=1).fit(series.X[:180], series.y[:180])
    assert not np.array_equal(other.predict(series.X), teacher.predict(series.X))


def test_saved_and_loaded_it_predicts_the_same(tmp_path, series, teacher):
    teacher.save(tmp_path / "t.safetensors")
    loaded = ConvolutionTeacher.load(tmp_path / "t.safetensors")
    np.testing.assert_array_equal(loaded.predict(series.X), teacher.predict(series.X))
    assert loaded.get_params() == teacher.get_params()
    assert loaded.alpha_ == teacher.alpha_
    rated = ConvolutionTeacherClassifier(20).fit(series.X, np.where(series.y > 0, "comes", "stays away"))
    rated.save(tmp_path / "c.safetensors")
    again = ConvolutionTeacherClassifier.load(tmp_path / "c.safetensors")
    np.testing.assert_array_equal(again.predict(series.X), rated.predict(series.X))
    assert rated.score(series.X, np.where(series.y > 0, "comes", "stays away")) > 0.8
    with pytest.raises(ValueError, match=r"load it with ConvolutionTeacherClassifier\.load"):
        ConvolutionTeacher.load(tmp_path / "c.safetensors")


def test_further_channels_are_columns(series):
    rng = np.random.default_rng(0)
    beside = rng.standard_normal((len(series), 2))
    X = stack_inputs(series.X, mask=series.mask, covariates=beside)
    known = ConvolutionTeacher(20).fit(X[:180], beside[:180, 1])
    assert known.score(X[180:], beside[180:, 1]) > 0.9
    with pytest.raises(ValueError, match=r"40 samples and 0 further channels; .* fitted to 40 samples and 3 further"):
        known.predict(series.X)


def test_what_cannot_be_asked(series, teacher):
    with pytest.raises(TypeError, match=r"ConvolutionTeacher has no gradients.*Ask a network"):
        teacher.as_torch()
    with pytest.raises(ValueError, match="y has 3: "):
        ConvolutionTeacherClassifier(5).fit(series.X[:9], np.arange(9) % 3)
    with pytest.raises(ValueError, match="alphas are one or more positive penalties"):
        ConvolutionTeacher(5, alphas=(0.0,)).fit(series.X, series.y)
    with pytest.raises(ValueError, match=r"series have the shape \(n, N\)"):
        ConvolutionTeacher(5).fit(series.X[:, None, None], series.y)
    with pytest.raises(ValueError, match="kernels is 0; give a positive whole number"):
        ConvolutionTeacher(0).fit(series.X, series.y)


def test_pooled_convolutions_learn_and_hand_on_gradients(series):
    network = SeriesTeacher("awd_cme.teacher.networks:PooledConvolutions", max_epochs=20)
    network.fit(series.X[:180], series.y[:180])
    assert network.score(series.X[180:], series.y[180:]) > 0.6  # other seeds come to 0.8 to 0.9
    gradients = input_gradients(network.as_torch(), series.X[:20].astype(np.float32), target=0)
    assert (np.abs(gradients[:]).max(axis=1) > 0).all()


def test_pooled_convolutions_take_a_burst_wherever_it_comes():
    torch.manual_seed(0)
    network = PooledConvolutions().double().eval()
    x = torch.zeros(2, 60, dtype=torch.float64)
    x[0, 20:25] = x[1, 31:36] = 2.0
    torch.testing.assert_close(network(x)[0], network(x)[1])
    flat = torch.zeros(1, 40, dtype=torch.float64, requires_grad=True)
    network(flat).sum().backward()
    assert torch.isfinite(flat.grad).all()
    with pytest.raises(ValueError, match="channels and hidden and n_out are 1 or more"):
        PooledConvolutions(channels=0)
    with pytest.raises(ValueError, match=r"\(n, 3, N\): series, mask, 1 covariates"):
        PooledConvolutions(mask=True, covariates=1)(torch.zeros(2, 40))


def test_teachers_of_several_kinds_are_one_by_their_mean(series, teacher):
    pooled = SeriesTeacher("awd_cme.teacher.networks:PooledConvolutions", max_epochs=2)
    both = VotingRegressor([("convolutions", ConvolutionTeacher(60)), ("network", pooled)])
    both.fit(series.X[:180], series.y[:180])
    expected = (teacher.predict(series.X) + both.named_estimators_["network"].predict(series.X)) / 2
    np.testing.assert_allclose(both.predict(series.X), expected, rtol=1e-6)
