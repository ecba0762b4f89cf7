"""Penalised explanations: what the terms are, that the network is left as it was, and what they do to a training."""

import copy

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import nn

from awd_core.decomposition import ExplanationPenalty, Ramp, contextual_decomposition
from awd_core.teacher import MLP, Teacher, TeacherClassifier
from awd_core.transforms import DWT1d, DWT2d, FourierTransform

WAYS = ("decomposition", "gradients", "expected_gradients")


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(0.5), nn.Linear(8, 2)).double()


def test_the_terms_are_what_the_papers_say():
    model, x = network().eval(), torch.randn(5, 6).double()
    mask = np.array([1, 0, 0.5, 0, 0, 0])
    found = ExplanationPenalty(mask, weight=2.0)(model, x)
    relevant = contextual_decomposition(model, x, mask).relevant
    assert torch.allclose(found, 2 * relevant.abs().mean(1))
    found = ExplanationPenalty(mask, weight=2.0, by="gradients")(model, x)
    slopes = torch.autograd.functional.jacobian(lambda x: model(x).sum(0), x)
    assert torch.allclose(found, 2 * (slopes * torch.tensor(mask)).square().sum(2).mean(0))
    torch.manual_seed(7)
    found = ExplanationPenalty(mask, by="expected_gradients")(nn.Linear(6, 1).double(), x)
    torch.manual_seed(7)
    line = nn.Linear(6, 1).double()
    others = torch.randperm(5)
    assert torch.allclose(found, ((x - x[others]) * line.weight * torch.tensor(mask)).abs().sum(1))


@pytest.mark.parametrize("by", WAYS)
def test_the_network_keeps_its_mode_and_its_statistics(by):
    model, x = network(), torch.randn(5, 6).double()
    model[3].eval()
    modes, state = [one.training for one in model.modules()], copy.deepcopy(model.state_dict())
    penalty = ExplanationPenalty([1, 0, 0, 0, 0, 0], by=by)
    penalty(model, x).sum().backward()
    assert model[0].weight.grad.abs().sum() > 0
    assert [one.training for one in model.modules()] == modes
    assert all(torch.equal(one, state[name]) for name, one in model.state_dict().items())
    with torch.no_grad():
        assert penalty(model, x).shape == (5,)


@pytest.mark.parametrize("by", WAYS)
@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_a_penalty_can_be_differentiated_twice(by, kind):
    torch.manual_seed(0)
    layer = kind(1, 2, batch_first=True).double()
    x, penalty = torch.randn(2, 3).double(), ExplanationPenalty([0, 1, 0], by=by)

    def term(weight):
        torch.manual_seed(1)
        return penalty(
            lambda x: torch.func.functional_call(layer, {"weight_hh_l0": weight}, (x[..., None],))[0][:, -1], x
        )

    weight = layer.weight_hh_l0.detach().clone().requires_grad_()
    assert torch.autograd.gradcheck(term, (weight,), atol=1e-6)
    if by == "decomposition":
        assert torch.autograd.gradgradcheck(term, (weight,), atol=1e-6)


@pytest.mark.parametrize("by", WAYS)
def test_bands_of_transforms(by):
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Flatten(), nn.Linear(64, 1)).double(), torch.randn(3, 8, 8).double()
    dwt = DWT2d("haar", levels=2).double()
    coarse = dwt(x).map(lambda band: torch.zeros(()))
    coarse[0] = torch.ones(())
    named, masked = (ExplanationPenalty(what, transform=dwt, by=by, weight=3.0) for what in ("cA2", coarse))
    torch.manual_seed(1)
    one = named(model, x)
    torch.manual_seed(1)
    assert torch.allclose(one, masked(model, x))
    assert one.min() > 0
    # A network that looks at differences of neighbours alone uses no coarse band.
    with torch.no_grad():
        model[1].weight.zero_()
        model[1].weight[0, :2] = torch.tensor([1.0, -1.0]).double()
        model[1].bias.zero_()
    assert named(model, x).max() < 1e-12
    fourier = FourierTransform((8, 8)).double()
    high = (fourier.frequencies() > 0.3)[..., None]
    assert ExplanationPenalty(high, transform=fourier, by=by)(model, x).min() > 0


def test_masks_of_each_sample_follow_the_rows():
    model, x = nn.Linear(4, 1, bias=False).double(), torch.randn(3, 4).double()
    masks = np.eye(10, 4)
    penalty = ExplanationPenalty(masks)
    found = penalty(model, x, np.array([2, 0, 7]))
    want = (x * model.weight * torch.tensor(masks)[[2, 0, 7]]).sum(1).abs()
    assert torch.allclose(found, want)
    assert penalty(model, x).tolist() == [0, 0, 0]
    with pytest.raises(ValueError, match="forbidden has 10 masks, and there is a sample number 10"):
        penalty(model, x, np.array([10, 0, 1]))


def test_the_weight_may_follow_the_epochs():
    model, x = nn.Linear(4, 1), torch.randn(3, 4)
    penalty = ExplanationPenalty([1, 0, 0, 0], weight=Ramp(2.0, 4))
    whole = ExplanationPenalty([1, 0, 0, 0])(model, x)
    assert penalty(model, x, None, 0).tolist() == [0, 0, 0]
    assert torch.allclose(penalty(model, x, None, 2), whole)
    assert torch.allclose(penalty(model, x, None, 9), 2 * whole)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: ExplanationPenalty([0, 2]), ValueError, "forbidden holds 2; give shares"),
        (lambda: ExplanationPenalty([0, np.nan]), ValueError, "forbidden holds nan"),
        (lambda: ExplanationPenalty([0, 1], weight=-1), ValueError, "weight is -1; give the weight"),
        (lambda: ExplanationPenalty([0, 1], by="saliency"), ValueError, "by is 'saliency'.*choose one of"),
        (lambda: ExplanationPenalty("cA2"), ValueError, "give transform= too"),
        (lambda: Ramp(1.0, 0), ValueError, "epochs is 0"),
        (lambda: Ramp(-1.0, 2), ValueError, "weight is -1"),
        (
            lambda: ExplanationPenalty([0, 1])(nn.Linear(3, 1), torch.rand(2, 3)),
            ValueError, r"shape \(2,\), samples \(3,\)",
        ),
        (
            lambda: ExplanationPenalty(["cD9"], transform=DWT1d("haar", 1))(nn.Linear(4, 1), torch.rand(2, 4)),
            ValueError, "a band is 'cD9'.*choose one of cA1, cD1",
        ),
        (
            lambda: ExplanationPenalty([1.0, 0], transform=DWT1d("haar", 1))(nn.Linear(4, 1), torch.rand(2, 4)),
            ValueError, "forbidden has 1 masks, the transform 2 tensors",
        ),
        (
            lambda: ExplanationPenalty([1, 0], weight=lambda epoch: -1.0)(nn.Linear(2, 1), torch.rand(2, 2)),
            ValueError, "weight is -1.0; give the weight of epoch 0",
        ),
    ],
)  # fmt: skip
def test_bad_penalties(call, error, match):
    with pytest.raises(error, match=match):
        call()


RNG = np.random.default_rng(5)
X = RNG.normal(size=(120, 6))
Y = X[:, 0] + 0.2 * X[:, 1]


def teacher(**options):
    chosen = {"max_epochs": 12, "learning_rate": 0.02, "accelerator": "cpu", "precision": "64-true"} | options
    return Teacher(MLP, {"n_in": 6, "hidden": (8,)}, **chosen)


@pytest.mark.parametrize("by", WAYS)
def test_a_teacher_does_not_use_what_is_forbidden(by):
    mask = np.array([1, 0, 0, 0, 0, 0])
    free, bound = (teacher(penalty=penalty).fit(X, Y) for penalty in (None, ExplanationPenalty(mask, weight=30, by=by)))
    moved = X.copy()
    moved[:, 0] = RNG.permutation(X[:, 0])
    change = [np.abs(one.predict(moved) - one.predict(X)).mean() for one in (free, bound)]
    assert change[1] < 0.3 * change[0]
    assert "penalty" not in free.history_[0]
    assert set(bound.history_[0]) == set(free.history_[0]) | {"penalty", "valid_penalty"}
    judged = [row["valid_loss"] + row["valid_penalty"] for row in bound.history_]
    assert bound.best_epoch_ == 1 + int(np.argmin(judged))


def test_no_penalty_and_one_of_weight_zero_are_the_same_training():
    free, zero = (teacher(penalty=p, max_epochs=2).fit(X, Y) for p in (None, ExplanationPenalty([1] * 6, weight=0.0)))
    for name, tensor in free.module_.state_dict().items():
        assert torch.equal(tensor, zero.module_.state_dict()[name])


def test_the_network_learns_in_training_mode_throughout():
    modes = []

    class Watched(nn.Module):
        def __init__(self):
            super().__init__()
            self.line = nn.Linear(6, 1)

        def forward(self, x):
            modes.append((self.training, type(x).__name__))
            return self.line(x)

    penalty = ExplanationPenalty([1, 0, 0, 0, 0, 0])
    Teacher(Watched, penalty=penalty, max_epochs=2, batch_size=30, accelerator="cpu").fit(X, Y, validation=None)
    learnt = [training for training, kind in modes[1:] if kind == "Tensor"]
    assert len(learnt) == 8
    assert all(learnt)
    assert [training for training, kind in modes if kind == "Parts"] == [False] * 8


def test_rows_are_those_of_the_samples_that_were_given():
    seen = {}

    def penalty(network, x, rows, epoch):
        if rows is not None:
            assert np.allclose(X[rows], x.numpy())
        seen.setdefault(epoch, []).append(None if rows is None else len(rows))
        return torch.zeros(len(x), dtype=x.dtype)

    teacher(penalty=penalty, max_epochs=2).fit(X, Y)
    assert sum(seen[0]) == 108
    assert sum(seen[1]) == 108 + 2 * 12  # validation is with the weight of the last epoch
    seen.clear()
    teacher(penalty=penalty, max_epochs=1).fit(X[:100], Y[:100], validation=(X[100:], Y[100:]))
    assert None in seen[0]


def test_a_training_with_a_penalty_goes_on_and_is_told_from_others(tmp_path):
    made = teacher(
        penalty=ExplanationPenalty([1, 0, 0, 0, 0, 0], by="expected_gradients", weight=Ramp(1.0, 3)), max_epochs=4
    )
    whole = clone(made).fit(X, Y)
    stopped = []

    def stop(done, most, losses):
        stopped.append(done)
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        clone(made).set_params(progress=stop).fit(X, Y, checkpoint_dir=tmp_path)
    again = clone(made).fit(X, Y, checkpoint_dir=tmp_path)
    assert [row["penalty"] for row in again.history_] == [row["penalty"] for row in whole.history_]
    with pytest.raises(ValueError, match=r"penalty is 'masks .*by expected_gradients"):
        clone(made).set_params(penalty=None).fit(X, Y, checkpoint_dir=tmp_path)
    again.save(tmp_path / "t.safetensors")
    loaded = Teacher.load(tmp_path / "t.safetensors")
    assert loaded.penalty is None
    assert np.array_equal(loaded.predict(X), whole.predict(X))


def test_a_penalty_of_another_kind_is_refused():
    with pytest.raises(TypeError, match="penalty is 3; give a function"):
        teacher(penalty=3).fit(X, Y)
    with pytest.raises(ValueError, match=r"penalty returned \(\) for a batch of"):
        teacher(penalty=lambda network, x, rows, epoch: x.sum()).fit(X, Y)


def test_a_classifier_loses_its_decoy():
    rng = np.random.default_rng(0)
    label = rng.integers(2, size=300)
    x = rng.normal(size=(300, 6)) + np.outer(2.0 * label - 1, [0.7, 0.7, 0.7, 0, 0, 0])
    x[:, 5] = 2.0 * label - 1  # the decoy gives the answer away, and lies in the test
    test = x.copy()
    test[:, 5] = rng.choice([-1.0, 1.0], size=300)
    right = []
    for weight in (0.0, 1.0):
        penalty = ExplanationPenalty([0, 0, 0, 0, 0, 1], weight=weight)
        made = TeacherClassifier(
            MLP, {"n_in": 6, "hidden": (8,), "n_out": 2}, max_epochs=20, learning_rate=0.02, accelerator="cpu",
            penalty=penalty,
        ).fit(x, label)  # fmt: skip
        right.append((made.predict(test) == label).mean())
    assert right[1] > right[0] + 0.1
