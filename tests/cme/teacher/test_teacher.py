"""The teachers for series learn, save, resume and hand on gradients."""

import numpy as np
import pytest
import torch
from sklearn.base import clone

from awd_cme.series.scaling import fit_z_scores
from awd_cme.series.series_set import example_set
from awd_cme.teacher.networks import SeriesLSTM, stack_inputs
from awd_cme.teacher.teacher import PUBLISHED, SeriesEnsemble, SeriesTeacher, SeriesTeacherClassifier
from awd_core.attribution.gradients import input_gradients


@pytest.fixture(scope="module")
def series():
    raw = example_set(n=240, cells=2)
    return fit_z_scores(raw).apply(raw)


@pytest.fixture(scope="module")
def teacher(series):
    return SeriesTeacher(max_epochs=12, learning_rate=0.01).fit(series.X[:180], series.y[:180])


def test_it_learns_and_hands_on_gradients(series, teacher):
    assert teacher.score(series.X[180:], series.y[180:]) > 0.7
    gradients = input_gradients(teacher.as_torch(), series.X.astype(np.float32), target=0)
    assert gradients.shape == series.X.shape
    assert np.abs(gradients).max() > 0


def test_saved_and_loaded_it_predicts_the_same(tmp_path, series, teacher):
    teacher.save(tmp_path / "t.safetensors")
    loaded = SeriesTeacher.load(tmp_path / "t.safetensors")
    assert isinstance(loaded, SeriesTeacher)
    np.testing.assert_array_equal(loaded.predict(series.X), teacher.predict(series.X))
    assert loaded.get_params()["max_epochs"] == 12


def test_clones_start_anew_and_the_seed_decides(series):
    short = SeriesTeacher(PUBLISHED, {"hidden": 4}, max_epochs=1)
    first = clone(short).fit(series.X, series.y)
    again = clone(short).fit(series.X, series.y)
    other = clone(short).set_params(seed=1).fit(series.X, series.y)
    np.testing.assert_array_equal(first.predict(series.X), again.predict(series.X))
    assert not np.array_equal(first.predict(series.X), other.predict(series.X))
    assert isinstance(first.as_torch().network, SeriesLSTM)


def test_mask_and_covariates(series, tmp_path):
    X = stack_inputs(series.X, mask=series.mask, covariates=np.zeros(len(series)))
    kwargs = {"hidden": 4, "mask": True, "covariates": 1}
    teacher = SeriesTeacher(factory_kwargs=kwargs, max_epochs=1).fit(X, series.y)
    teacher.save(tmp_path / "t.safetensors")
    np.testing.assert_array_equal(SeriesTeacher.load(tmp_path / "t.safetensors").predict(X), teacher.predict(X))
    with pytest.raises(ValueError, match="would rescale mask and covariates"):
        SeriesTeacher(factory_kwargs=kwargs, scale_inputs="global").fit(X, series.y)


def test_classifier(series, tmp_path):
    success = series.y > 0
    teacher = SeriesTeacherClassifier(max_epochs=8, learning_rate=0.01).fit(series.X, success)
    assert teacher.score(series.X, success) > 0.75  # other seeds come to 0.91 to 0.97
    teacher.save(tmp_path / "c.safetensors")
    loaded = SeriesTeacherClassifier.load(tmp_path / "c.safetensors")
    np.testing.assert_array_equal(loaded.predict_proba(series.X), teacher.predict_proba(series.X))
    with pytest.raises(ValueError, match=r"load it with TeacherClassifier\.load"):
        SeriesTeacher.load(tmp_path / "c.safetensors")


def test_counts_are_refused():
    raw = example_set()
    with pytest.raises(ValueError, match="they are in counts"):
        SeriesTeacher().fit(raw.X, raw.y)
    with pytest.raises(ValueError, match=r"series have the shape"):
        SeriesTeacher().fit(raw.X[0], raw.y)
    SeriesTeacher(scale_inputs="global", max_epochs=1).fit(raw.X, raw.y)


def test_an_ensemble_is_its_members(series, tmp_path):
    base = SeriesTeacher(PUBLISHED, {"hidden": 4}, max_epochs=1, seed=5)
    ensemble = SeriesEnsemble(base, members=2).fit(series.X, series.y, checkpoint_dir=tmp_path / "work")
    alone = clone(base).set_params(seed=6).fit(series.X, series.y)
    np.testing.assert_array_equal(ensemble.members_[1].predict(series.X), alone.predict(series.X))
    expected = (ensemble.members_[0].predict(series.X) + alone.predict(series.X)) / 2
    np.testing.assert_allclose(ensemble.predict(series.X), expected, rtol=1e-6)
    module = ensemble.as_torch()
    with torch.no_grad():
        out = module(torch.from_numpy(series.X))[:, 0].numpy()
    np.testing.assert_allclose(out, ensemble.predict(series.X), rtol=1e-5, atol=1e-6)
    ensemble.save(tmp_path / "saved")
    loaded = SeriesEnsemble.load(tmp_path / "saved")
    np.testing.assert_array_equal(loaded.predict(series.X), ensemble.predict(series.X))
    with pytest.raises(FileNotFoundError, match="no files member-0"):
        SeriesEnsemble.load(tmp_path)
    with pytest.raises(ValueError, match="members is 0; give a positive whole number"):
        SeriesEnsemble(base, members=0).fit(series.X, series.y)
