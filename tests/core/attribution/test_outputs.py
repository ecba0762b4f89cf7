"""A teacher's outputs: asked once, in batches, into a store that goes on where it stopped."""

import numpy as np
import pytest
import torch
from torch import nn

from awd_core.attribution.outputs import teacher_outputs
from awd_core.files.store import BlockStore


@pytest.fixture(name="model")
def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Tanh(), nn.Linear(4, 3)).double()


@pytest.fixture(name="X")
def inputs():
    return np.random.default_rng(0).standard_normal((11, 6))


def test_they_are_the_predictions_in_evaluation_mode(model, X):
    model.train()
    found = teacher_outputs(model, X, batch_size=4)
    assert model.training
    assert model[1].num_batches_tracked == 0
    with torch.no_grad():
        np.testing.assert_allclose(found, model.eval()(torch.from_numpy(X)).numpy(), rtol=1e-12)
    assert teacher_outputs(lambda x: x.sum(1), X).shape == (11,)


def test_a_store_goes_on_where_it_stopped(model, X, tmp_path, monkeypatch):
    whole = np.asarray(teacher_outputs(model, X, batch_size=4, out=tmp_path / "whole")[:])
    np.testing.assert_array_equal(whole, teacher_outputs(model, X, batch_size=4))

    def interrupted(self, batch, values):
        if batch == 2:
            raise KeyboardInterrupt
        write(self, batch, values)

    write = BlockStore.write
    monkeypatch.setattr(BlockStore, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        teacher_outputs(model, X, batch_size=4, out=tmp_path / "parts")
    written = []
    monkeypatch.setattr(BlockStore, "write", lambda self, *given: (written.append(given[0]), write(self, *given)))
    np.testing.assert_array_equal(teacher_outputs(model, X, batch_size=4, out=tmp_path / "parts")[:], whole)
    assert written == [2]
    with pytest.raises(ValueError, match=r"holds the outputs of another job. These differ: X values"):
        teacher_outputs(model, 2 * X, batch_size=4, out=tmp_path / "parts")


def mixed(x):
    return x[:, 0] - x.mean()


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda model, X, out: teacher_outputs(model, X[:, :5]), ValueError, r"fails on samples of shape \(5,\)"),
        (lambda model, X, out: teacher_outputs(model, X.astype("f2")), TypeError, "X must hold float32 or float64"),
        (lambda model, X, out: teacher_outputs(model, X.astype("f4")), ValueError, "X is torch.float32 but the"),
        (lambda model, X, out: teacher_outputs(model, np.where(X > 1, np.nan, X)), ValueError, "X must be finite"),
        (lambda model, X, out: teacher_outputs(lambda x: x.log(), X), ValueError, "output of sample 0 holds NaN"),
        (lambda model, X, out: teacher_outputs(mixed, X), ValueError, "depends on the other samples of its batch"),
        (lambda model, X, out: teacher_outputs(lambda x: 0 * x, X), ValueError, "does not change with X"),
        (lambda model, X, out: teacher_outputs(lambda x: (x, x), X), TypeError, "must return one tensor"),
        (lambda model, X, out: teacher_outputs(lambda x: x.argmax(1), X), TypeError, "real floating point numbers"),
        (lambda model, X, out: teacher_outputs(lambda x: x, X, out=out / "a"), TypeError, "must be a torch Module"),
        (lambda model, X, out: teacher_outputs(model, X, out=out), ValueError, "holds no outputs of teacher_outputs"),
        (lambda model, X, out: teacher_outputs(model, X, batch_size=0), ValueError, "batch_size"),
        (lambda model, X, out: teacher_outputs(3, X), TypeError, "must be a torch Module or callable"),
    ],
)  # fmt: skip
def test_what_is_refused(model, X, tmp_path, call, error, match):
    with pytest.raises(error, match=match):
        call(model, X, tmp_path)
