"""Input gradients: equal to autograd's and Captum's, whatever the batches, and the same bits after an interruption."""

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import zarr
from captum.attr import IntegratedGradients, Saliency
from scipy.special import roots_legendre
from torch import Tensor, nn

from awd_core.attribution import store
from awd_core.attribution.gradients import check_gradients, input_gradients
from awd_core.attribution.model_gradients import cudnn_for, evaluation_mode
from awd_core.files.store import BlockStore

ROUNDING = {"rtol": 1e-11, "atol": 1e-14}
"""Float64 sums of some hundred terms of order one, added up in another order."""


class LastState(nn.Module):
    """An LSTM's prediction after the last step."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(1, 6, batch_first=True)
        self.head = nn.Linear(6, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.lstm(x[..., None])[0][:, -1])[:, 0]


class Block(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(channels, channels, 3, padding=1), nn.BatchNorm2d(channels)
        self.conv2, self.norm2 = nn.Conv2d(channels, channels, 3, padding=1), nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.norm2(self.conv2(torch.relu(self.norm1(self.conv1(x))))))


def resnet() -> nn.Module:
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), Block(4), nn.AdaptiveAvgPool2d(2), nn.Flatten(),
        nn.Dropout(0.5), nn.Linear(16, 3),
    ).double()  # fmt: skip
    model(torch.randn(32, 1, 9, 9, dtype=torch.float64))  # gives batch normalisation statistics of its own
    return model


def mlp(n_out: int = 2) -> nn.Module:
    return nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, n_out)).double()


class Power(nn.Module):
    """f(x) = Σ x³ / 3, whose gradient is x², element by element."""

    def forward(self, x: Tensor) -> Tensor:
        return (x**3).flatten(1).sum(1) / 3


class Applied(nn.Module):
    """A model made of a function."""

    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor):
        return self.function(x)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def one_by_one(model: nn.Module, x: np.ndarray, target: int | None) -> np.ndarray:
    """Gradients by autograd, a sample at a time, in evaluation mode."""
    training = {module: module.training for module in model.modules()}
    model.eval()
    rows = []
    for row in torch.from_numpy(x):
        leaf = row[None].clone().requires_grad_()
        y = model(leaf * 1)
        rows.append(torch.autograd.grad(y.sum() if target is None else y[0, target], leaf)[0][0])
    for module, flag in training.items():
        module.training = flag
    return torch.stack(rows).numpy()


TEACHERS = {
    "lstm": (LastState().double, (11, 12), None),
    "resnet": (resnet, (11, 1, 9, 9), 1),
    "mlp": (mlp, (11, 5), 1),
}


@pytest.mark.parametrize("name", TEACHERS)
@pytest.mark.parametrize("batch_size", [1, 4, 64])
def test_saliency_is_autograds_gradient(name, batch_size):
    make, shape, target = TEACHERS[name]
    model, x = make(), normal(*shape)
    gradients = input_gradients(model, x, target, batch_size=batch_size)
    assert gradients.dtype == np.float64
    np.testing.assert_allclose(gradients, one_by_one(model, x, target), **ROUNDING)


@pytest.mark.parametrize("name", TEACHERS)
def test_a_single_batch_has_the_bits_of_captums_saliency(name):
    make, shape, target = TEACHERS[name]
    model, x = make().eval(), normal(*shape)
    leaf = torch.from_numpy(x).requires_grad_()
    expected = Saliency(Applied(lambda x: model(x.clone()))).attribute(leaf, target=target, abs=False)
    np.testing.assert_array_equal(input_gradients(model, x, target), expected.detach().numpy())
    np.testing.assert_array_equal(input_gradients(model, x, target, method="input_x_gradient"), expected.numpy())


@pytest.mark.parametrize("name", TEACHERS)
@pytest.mark.parametrize("kind", ["none", "number", "shared", "per sample"])
def test_path_average_times_difference_is_captums_integrated_gradients(name, kind):
    make, shape, target = TEACHERS[name]
    model, x = make().eval(), normal(*shape)
    b = {"none": None, "number": 0.3, "shared": normal(*shape[1:], seed=1), "per sample": normal(*shape, seed=2)}[kind]
    average = input_gradients(
        model, x, target, method="integrated_gradients", baseline=b, n_steps=20, batch_size=4
    )  # fmt: skip
    b_full = np.broadcast_to(0.0 if b is None else b, shape).copy()
    captums = IntegratedGradients(Applied(lambda x: model(x.clone()))).attribute(
        torch.from_numpy(x), torch.from_numpy(b_full), target=target, n_steps=20
    )
    # Captum rounds the weights of its quadrature to float32, here by up to 2⁻²⁴ each.
    attributions = (x - b_full) * average
    np.testing.assert_allclose(attributions, captums.numpy(), rtol=0, atol=1e-7 * np.abs(attributions).max())
    nodes, weights = roots_legendre(20)
    by_hand = sum(
        w / 2 * one_by_one(model, b_full + (1 + node) / 2 * (x - b_full), target)
        for node, w in zip(nodes, weights, strict=True)
    )
    np.testing.assert_allclose(average, by_hand, **ROUNDING)


def test_path_average_is_right_where_the_input_is_the_baseline():
    x = normal(6, 3)
    average = input_gradients(Power(), x, method="integrated_gradients", baseline=x, n_steps=3)
    np.testing.assert_allclose(average, x**2, rtol=1e-13)


def test_path_average_of_a_cubic_is_exact():
    # ∫₀¹ (b + α(x − b))² dα = (x² + xb + b²) / 3, and two Gauss-Legendre points integrate a cubic exactly.
    x, b = normal(6, 2, 3), normal(2, 3, seed=1)
    average = input_gradients(Power(), x, method="integrated_gradients", baseline=b, n_steps=2, batch_size=4)
    np.testing.assert_allclose(average, (x**2 + x * b + b**2) / 3, rtol=1e-12, atol=1e-14)


def test_baseline_broadcasts_over_the_axes_of_a_sample():
    x, per_channel = normal(4, 2, 3), np.array([[0.5], [-1.0]])
    average = input_gradients(Power(), x, method="integrated_gradients", baseline=per_channel, n_steps=2)
    np.testing.assert_allclose(average, (x**2 + x * per_channel + per_channel**2) / 3, rtol=1e-12, atol=1e-14)


def test_gradient_shap_is_an_unbiased_average_over_baselines_and_noise():
    # E (b + α(x + ε − b))² over α uniform, b one of two, ε normal: (x² + σ² + x b + b²) / 3 averaged over b.
    x, b, noise, draws = normal(5, 2), normal(2, 2, seed=1), 0.7, 4000
    average = input_gradients(
        Power(), x, method="gradient_shap", baseline=b, noise=noise, n_samples=draws, seed=3, batch_size=2
    )
    rng = np.random.default_rng(0)
    alpha, eps = rng.random((draws, 1, 1)), noise * rng.normal(size=(draws, 5, 2))
    spread = ((b[rng.integers(2, size=(draws, 5))] * (1 - alpha) + alpha * (x + eps)) ** 2).std(0) / np.sqrt(draws)
    expected = np.mean([(x**2 + noise**2 + x * row + row**2) / 3 for row in b], axis=0)
    assert (np.abs(average - expected) < 4 * spread).all()  # ten values: chance of one beyond 4σ is 6e-4, seed fixed
    without_noise = input_gradients(Power(), x, method="gradient_shap", baseline=b, n_samples=draws, seed=3)
    assert (np.abs(without_noise - expected) > 4 * spread).any()


def test_gradient_shap_depends_on_the_seed_but_not_on_the_batches():
    x, b = normal(7, 4), normal(3, 4, seed=1)
    settings = {"method": "gradient_shap", "baseline": b, "noise": 0.1, "n_samples": 5}
    first = input_gradients(Power(), x, seed=1, batch_size=7, **settings)
    # Power works element by element, so that batches change no rounding and the bits must agree.
    np.testing.assert_array_equal(input_gradients(Power(), x, seed=1, batch_size=2, **settings), first)
    np.testing.assert_array_equal(input_gradients(Power(), x[:4], seed=1, batch_size=3, **settings), first[:4])
    assert not np.allclose(input_gradients(Power(), x, seed=2, batch_size=7, **settings), first)


def test_random_state_of_the_caller_is_left_alone():
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002
    expected = torch.rand(1), np.random.rand()  # noqa: NPY002
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002
    input_gradients(Power(), normal(3, 2), method="gradient_shap", seed=1)
    assert (torch.rand(1), np.random.rand()) == expected  # noqa: NPY002


def test_all_targets_stand_before_the_axes_of_the_input():
    model = nn.Sequential(mlp(6), nn.Unflatten(1, (2, 3)))
    x = normal(9, 5)
    everything = input_gradients(model, x, "all", batch_size=4)
    assert everything.shape == (9, 2, 3, 5)
    for target in [(0, 0), (1, 2)]:
        np.testing.assert_allclose(everything[:, *target], input_gradients(model, x, target), **ROUNDING)
    averages = input_gradients(model, x, "all", method="integrated_gradients", n_steps=4)
    one = input_gradients(model, x, (1, 0), method="integrated_gradients", n_steps=4)
    np.testing.assert_allclose(averages[:, 1, 0], one, **ROUNDING)


def test_a_single_prediction_needs_no_target():
    x = normal(4, 5)
    model = mlp(1)
    expected = input_gradients(model, x, 0)
    np.testing.assert_array_equal(input_gradients(model, x), expected)
    np.testing.assert_array_equal(input_gradients(model, x, "all"), expected[:, None])
    assert input_gradients(Power(), x, "all").shape == x.shape


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (None, r"predicts 3 numbers per sample, with shape \(3,\): give target=an index, or target=\"all\""),
        (3, r"target=3 is no index from 0 into predictions of shape \(3,\)"),
        (-1, "target=-1 is no index from 0"),
        ((0, 1), r"target=\(0, 1\) is no index"),
        ("every", 'must be an index, a tuple of them, "all" or None'),
    ],
)
def test_targets_that_do_not_fit_are_refused(target, message):
    with pytest.raises(ValueError, match=message):
        input_gradients(mlp(3), normal(4, 5), target)


def test_target_of_a_scalar_prediction_is_refused():
    with pytest.raises(ValueError, match="one number per sample, with no axis to index; leave out target=0"):
        input_gradients(Power(), normal(4, 5), 0)


def test_several_axes_of_targets_ask_for_a_tuple():
    model = nn.Sequential(mlp(6), nn.Unflatten(1, (2, 3)))
    with pytest.raises(ValueError, match="give target=a tuple of 2 indices"):
        input_gradients(model, normal(4, 5))
    with pytest.raises(TypeError, match="cannot be interpreted as an integer"):
        input_gradients(model, normal(4, 5), (0, 1.5))


def test_the_model_is_left_as_it_was_found():
    model = resnet().train()
    model[1].eval()
    model[0].weight.requires_grad_(False)
    model[-1].weight.grad = torch.full_like(model[-1].weight, 2.0)
    state = {key: value.clone() for key, value in model.state_dict().items()}
    flags = [module.training for module in model.modules()]
    needs = [parameter.requires_grad for parameter in model.parameters()]

    def check() -> None:
        assert [module.training for module in model.modules()] == flags
        assert [parameter.requires_grad for parameter in model.parameters()] == needs
        assert all(bool((value == state[key]).all()) for key, value in model.state_dict().items())
        assert [parameter.grad is None for parameter in model.parameters()].count(False) == 1
        assert bool((model[-1].weight.grad == 2).all())

    input_gradients(model, normal(5, 1, 9, 9), 0)
    check()
    with pytest.raises(ValueError, match="X must be finite, but sample 1 holds NaN"):
        input_gradients(model, np.stack([normal(1, 9, 9), np.full((1, 9, 9), np.nan)]), 0)
    check()


def test_frozen_models_and_callers_without_gradients():
    model, x = mlp(), normal(4, 5)
    expected = input_gradients(model, x, 0)
    model.requires_grad_(False)
    np.testing.assert_array_equal(input_gradients(model, x, 0), expected)
    for context in (torch.no_grad(), torch.inference_mode()):
        with context:
            np.testing.assert_array_equal(input_gradients(model, x, 0), expected)
    np.testing.assert_array_equal(input_gradients(lambda x: model(x), x, 0), expected)


@pytest.mark.parametrize("dtype", ["float32", "float64", ">f4", ">f8"])
def test_precision_is_kept_and_byte_order_made_the_machines(dtype):
    x = normal(4, 5).astype(dtype)
    model = mlp().float() if x.dtype.itemsize == 4 else mlp()
    gradients = input_gradients(model, x, 0)
    assert gradients.dtype == np.dtype(dtype).newbyteorder("=")
    native = x.astype(gradients.dtype)
    np.testing.assert_array_equal(gradients, input_gradients(model, torch.from_numpy(native), 0))


def test_a_model_that_squeezes_its_batch_away_is_understood():
    squeezing = Applied(lambda x: (x**2).sum(1, keepdim=True).squeeze())
    x = normal(5, 3)
    np.testing.assert_allclose(input_gradients(squeezing, x, batch_size=2), 2 * x, rtol=1e-15)


def test_a_first_layer_in_place_may_overwrite_its_input():
    x = normal(5, 3)
    gradients = input_gradients(Applied(lambda x: torch.relu_(x).sum(1)), x)
    np.testing.assert_array_equal(gradients, (x > 0).astype(float))


DETACHED = "has no gradient: it is detached, computed under no_grad, or does not depend on X"


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        (lambda x: x.detach().sum(1), ValueError, DETACHED),
        (lambda x: torch.zeros(len(x), dtype=x.dtype), ValueError, DETACHED),
        (lambda x: torch.zeros(len(x), requires_grad=True) * 2, ValueError, "does not depend on X"),
        (lambda x: x.round().sum(1), ValueError, "does not change with X: every gradient is zero"),
        (lambda x: (x > 0).sum(1), TypeError, "real floating point numbers.*int64"),
        (lambda x: torch.complex(x, x).sum(1), TypeError, "real floating point numbers.*complex"),
        (lambda x: (x.sum(1), x), TypeError, "must return one tensor of predictions, it returned tuple"),
        (lambda x: {"y": x.sum(1)}, TypeError, "it returned dict"),
        (lambda x: x.sum(), ValueError, "The first axis of the prediction must be the batch"),
        (lambda x: x.sum(0), ValueError, r"the model gave shape \(3,\) for 2 samples"),
        (lambda x: (x - x.mean(0)).square().sum(1), ValueError, "depends on the other samples of its batch"),
        (lambda x: torch.softmax(x - x.mean(0), 1)[:, :1], ValueError, "With batch_size=1 each sample is a batch"),
    ],
)
def test_teachers_without_a_gradient_per_sample_are_refused(function, error, message):
    with pytest.raises(error, match=message):
        input_gradients(Applied(function), normal(5, 3))


def test_normalisation_over_the_batch_is_found_even_if_predictions_add_up_to_one():
    model = nn.Sequential(nn.BatchNorm1d(3, track_running_stats=False), nn.Softmax(1)).double()
    with pytest.raises(ValueError, match="Does the model normalise over the batch"):
        input_gradients(model, normal(5, 3), "all")


def test_gradients_that_are_not_finite_name_the_sample():
    x = np.abs(normal(7, 3)) + 0.1
    x[5, 1] = 0
    with pytest.raises(ValueError, match="The gradient of sample 5 holds NaN or infinite values, though its input"):
        input_gradients(Applied(lambda x: x.sqrt().sum(1)), x, batch_size=3)
    x[5, 1] = np.inf
    with pytest.raises(ValueError, match="X must be finite, but sample 5 holds NaN"):
        input_gradients(Power(), x, batch_size=3)


def test_nan_is_not_hidden_by_a_rectifier():
    # The derivative of relu at NaN is taken to be 0, so the gradients alone would not show it.
    x = normal(7, 3)
    x[5, 1] = np.nan
    rectified = Applied(lambda x: torch.relu(x).sum(1))
    with pytest.raises(ValueError, match="X must be finite, but sample 5"):
        input_gradients(rectified, x, batch_size=3)
    with pytest.raises(ValueError, match="The baseline of sample 5 holds NaN"):
        input_gradients(rectified, normal(7, 3), method="integrated_gradients", baseline=x, batch_size=3)


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        ("numbers", TypeError, "X must be a NumPy array, a torch tensor or a Zarr array, got <class 'str'>"),
        ([["one"]], TypeError, "X has to hold real numbers"),
        (np.ones((2, 3), dtype=complex), TypeError, "X must hold float32 or float64, got complex128"),
        (np.ones((2, 3), dtype=np.float16), TypeError, "X must hold float32 or float64, got float16"),
        (torch.ones(2, 3, dtype=torch.bfloat16), TypeError, "float32 or float64, got torch.bfloat16"),
        (np.ones((0, 3)), ValueError, r"at least one sample along its first axis, got shape \(0, 3\)"),
        (np.array(1.0), ValueError, "at least one sample"),
    ],
)
def test_inputs_that_are_no_samples_are_refused(x, error, message):
    with pytest.raises(error, match=message):
        input_gradients(Power(), x)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "deep_lift"}, "method is 'deep_lift'.*; choose one of saliency, .*gradient_shap"),
        ({"baseline": 0.0}, 'baseline is for "integrated_gradients" and "gradient_shap"; "saliency" has none'),
        ({"batch_size": 0}, "batch_size is 0; give a positive whole number"),
        ({"method": "integrated_gradients", "n_steps": 0}, "n_steps is 0; give a positive whole number"),
        ({"method": "integrated_gradients", "baseline": np.ones((2, 3))}, "baseline has 2 rows"),
        ({"method": "integrated_gradients", "baseline": np.ones(4)}, r"shape \(4,\) does not fit samples of shape"),
        ({"method": "integrated_gradients", "baseline": np.ones((5, 4))}, "give a number, or real numbers"),
        ({"method": "gradient_shap"}, "draws at random: give seed="),
        ({"method": "gradient_shap", "seed": 0, "n_samples": 0}, "n_samples is 0; give a positive whole number"),
        ({"method": "gradient_shap", "seed": 0, "noise": -1.0}, "noise is -1.0; give a standard deviation from 0 on"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        input_gradients(Power(), normal(5, 3), **settings)


def test_other_precision_than_the_weights_is_explained():
    with pytest.raises(ValueError, match=r"X is torch\.float32 but the model's weights are torch\.float64"):
        input_gradients(mlp(), normal(4, 5).astype(np.float32), 0)


def test_an_error_of_the_model_itself_comes_through():
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        input_gradients(mlp(), normal(4, 6), 0)
    told = r"fails on samples of shape \(6,\): .*Give X in the shape that the model takes"
    with pytest.raises(ValueError, match=told):
        input_gradients(mlp(), normal(4, 6), 0)
    with pytest.raises(TypeError, match="must be a torch Module or callable, got <class 'str'>"):
        input_gradients("model", normal(4, 6))


def test_progress_is_reported_after_each_batch(capsys):
    seen: list[tuple[int, int]] = []
    input_gradients(Power(), normal(5, 3), batch_size=2, progress=lambda *done: seen.append(done))
    assert seen == [(2, 5), (4, 5), (5, 5)]
    input_gradients(Power(), normal(5, 3), batch_size=2, progress=True)
    captured = capsys.readouterr()
    assert "Input gradients" in captured.err
    assert captured.out == ""


class Reader:
    """An array that notes how much of it is read at once."""

    def __init__(self, values: np.ndarray) -> None:
        self.values, self.shape, self.dtype, self.most = values, values.shape, values.dtype, 0

    def __getitem__(self, key: slice) -> np.ndarray:
        self.most = max(self.most, len(self.values[key]))
        return self.values[key]


def test_inputs_are_read_a_batch_at_a_time():
    x = normal(20, 3)
    reader = Reader(x)
    np.testing.assert_allclose(input_gradients(Power(), reader, batch_size=4), x**2, rtol=1e-15)
    assert reader.most == 4


def test_zarr_in_and_out(tmp_path):
    x = normal(10, 2, 3).astype(np.float32)
    stored = zarr.create_array(tmp_path / "x.zarr", shape=x.shape, dtype=x.dtype, chunks=(3, 2, 3))
    stored[:] = x
    result = input_gradients(Power(), stored, batch_size=4, out=tmp_path / "deep" / "g.zarr")
    assert isinstance(result, zarr.Array)
    assert result.dtype == np.float32
    assert result.chunks == (4, 2, 3)
    expected = input_gradients(Power(), x, batch_size=4)
    np.testing.assert_array_equal(result[:], expected)
    # However the same values come, the job is the same.
    again = input_gradients(Power(), torch.from_numpy(x), batch_size=np.int64(4), out=str(tmp_path / "deep" / "g.zarr"))
    np.testing.assert_array_equal(again[:], expected)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["g.zarr"]


class Interrupted(nn.Module):
    """A model that fails at one of its calls, and counts them."""

    def __init__(self, model: nn.Module, fails_at: int | None = None) -> None:
        super().__init__()
        self.model, self.fails_at, self.calls = model, fails_at, 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        if self.calls - 1 == self.fails_at:
            raise KeyboardInterrupt
        return self.model(x)


@pytest.mark.parametrize("batch", range(4))
@pytest.mark.parametrize(
    "settings",
    [{}, {"method": "gradient_shap", "seed": 1, "n_samples": 2, "noise": 0.2, "baseline": normal(3, 1, 9, 9, seed=4)}],
    ids=["saliency", "gradient_shap"],
)
def test_an_interrupted_run_goes_on_to_the_same_bits(tmp_path, batch, settings):
    model, x, out = resnet(), normal(7, 1, 9, 9), tmp_path / "g.zarr"
    settings = {"target": "all", "batch_size": 2, **settings}
    expected = input_gradients(model, x, **settings)
    per_batch = settings.get("n_samples", 1)
    with pytest.raises(KeyboardInterrupt):  # call 0 is the look at the first samples
        input_gradients(Interrupted(model, 1 + per_batch * batch), x, out=out, **settings)
    assert zarr.open_group(out, mode="r")["completed"][:].tolist() == [1] * batch + [0] * (4 - batch)
    resumed = Interrupted(model)
    np.testing.assert_array_equal(input_gradients(resumed, x, out=out, **settings)[:], expected)
    assert resumed.calls == 1 + per_batch * (4 - batch)
    input_gradients(resumed, x, out=out, **settings)
    assert resumed.calls == 2 + per_batch * (4 - batch)


KILLED = """
import os, signal, sys
import numpy as np
import torch
from torch import nn
from awd_core.attribution.gradients import input_gradients
from awd_core.files.store import BlockStore

torch.set_num_threads(1)
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 1)).double()
write = BlockStore.write

class Killer:
    "Stands for the array of marks, and kills the process when the third is about to be set."
    def __init__(self, marks):
        self.marks, self.shape = marks, marks.shape
    def __getitem__(self, key):
        return self.marks[key]
    def __setitem__(self, key, value):
        if key.start == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        self.marks[key] = value

def write_and_die(self, *arguments):
    if not isinstance(self._completed, Killer):
        self._completed = Killer(self._completed)
    write(self, *arguments)

BlockStore.write = write_and_die
input_gradients(model, np.random.default_rng(0).normal(size=(11, 5)), batch_size=2, out=sys.argv[1])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_a_killed_process_leaves_a_store_that_can_be_continued(tmp_path):
    out = tmp_path / "g.zarr"
    run = subprocess.run([sys.executable, "-c", KILLED, str(out)], capture_output=True, timeout=600, check=False)
    assert run.returncode == -signal.SIGKILL, run.stderr.decode()
    # Killed between a chunk and its mark: the worst moment, as the chunk is there but does not count.
    group = zarr.open_group(out, mode="r")
    assert group["completed"][:].tolist() == [1, 1, 0, 0, 0, 0]
    assert group["gradients"][4:6].any()
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 1)).double()
    expected = input_gradients(model, normal(11, 5), batch_size=2)
    np.testing.assert_array_equal(input_gradients(model, normal(11, 5), batch_size=2, out=out)[:], expected)


def test_a_mark_that_was_not_finished_does_not_count(tmp_path):
    model, x, out = mlp(1), normal(6, 5), tmp_path / "g.zarr"
    expected = input_gradients(model, x, batch_size=2, out=out)[:]
    (out / "completed" / "c" / "1").write_bytes(b"")
    (out / "gradients" / "c" / "1" / "0").unlink()
    np.testing.assert_array_equal(input_gradients(model, x, batch_size=2, out=out)[:], expected)


def other_model() -> nn.Module:
    model = mlp(2)
    with torch.no_grad():
        model[0].bias[3] += 1e-12
    return model


@pytest.mark.parametrize(
    ("change", "item"),
    [
        ({"model": other_model}, "model"),
        ({"X": normal(6, 5) + np.eye(6, 5) * 1e-12}, "X values"),
        ({"X": normal(5, 5)}, r"X shape \(there \[6, 5\], now \[5, 5\]\)"),
        ({"target": 1}, r"targets \(there \[0\], now \[1\]\)"),
        ({"batch_size": 3}, r"batch_size \(there 2, now 3\)"),
        ({"seed": 8}, r"seed \(there 7, now 8\)"),
        ({"n_samples": 3}, "n_samples"),
        ({"noise": 0.5}, "noise"),
        ({"baseline": 0.1}, r"baseline \(there '0.0', now '0.1'\)"),
        ({"baseline": normal(4, 5)}, "baseline"),
        ({"method": "integrated_gradients"}, "method"),
    ],
)
def test_the_gradients_of_another_job_are_not_continued(tmp_path, change, item):
    torch.manual_seed(0)
    job = {"X": normal(6, 5), "target": 0, "batch_size": 2, "method": "gradient_shap", "seed": 7, "n_samples": 2}
    input_gradients(mlp(2), out=tmp_path / "g", **job)
    torch.manual_seed(0)
    changed = {"model": mlp, **job, **change}
    make = changed.pop("model")
    with pytest.raises(ValueError, match=f"holds the gradients of another job. These differ: .*{item}"):
        input_gradients(make(), out=tmp_path / "g", **changed)


def test_a_target_axis_is_part_of_the_job(tmp_path):
    model, x = mlp(1), normal(6, 5)
    input_gradients(model, x, 0, out=tmp_path / "g")
    with pytest.raises(ValueError, match=r"shape \(there \[6, 5\], now \[6, 1, 5\]\)"):
        input_gradients(model, x, "all", out=tmp_path / "g")


def test_precision_is_part_of_the_job(tmp_path):
    input_gradients(Power(), normal(6, 5), out=tmp_path / "g")
    with pytest.raises(ValueError, match=r"X dtype \(there 'float64', now 'float32'\)"):
        input_gradients(Power(), normal(6, 5).astype(np.float32), out=tmp_path / "g")


@pytest.mark.parametrize("kind", ["empty", "file", "array", "group"])
def test_nothing_else_is_overwritten(tmp_path, kind):
    out = tmp_path / "g"
    if kind == "file":
        out.write_text("mine")
    elif kind == "empty":
        out.mkdir()
    elif kind == "array":
        zarr.create_array(out, shape=(3,), dtype="f4")
    else:
        zarr.create_group(out)
    before = sorted(str(path) for path in tmp_path.rglob("*"))
    with pytest.raises(ValueError, match="exists and holds no gradients of input_gradients; give another path"):
        input_gradients(Power(), normal(6, 5), out=out)
    assert sorted(str(path) for path in tmp_path.rglob("*")) == before


def test_a_store_needs_a_module(tmp_path):
    with pytest.raises(TypeError, match="must be a torch Module, so that its weights identify it"):
        input_gradients(lambda x: x.sum(1), normal(6, 5), out=tmp_path / "g")


def test_half_a_store_is_never_seen(tmp_path, monkeypatch):
    def fail(place, target, replace=Path.replace):
        if place.is_dir():
            raise KeyboardInterrupt
        return replace(place, target)

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(KeyboardInterrupt):
        BlockStore(tmp_path / "g", store.GRADIENTS, {}, (4, 2), np.dtype("f4"), 2)
    assert list(tmp_path.iterdir()) == []


def test_digest_of_a_model_sees_every_bit_of_its_state():
    model = resnet()
    before = store.model_digest(model)
    assert store.model_digest(model.eval()) == before
    model[1].num_batches_tracked += 1
    assert store.model_digest(model) != before
    assert store.model_digest(nn.Sequential(nn.ReLU())) != store.model_digest(nn.Sequential(nn.Tanh()))


def test_cudnn_is_off_for_recurrent_models_on_cuda_only():
    before = torch.backends.cudnn.enabled, torch.backends.cudnn.deterministic, torch.backends.cudnn.allow_tf32
    with cudnn_for(LastState(), torch.device("cuda")):
        assert not torch.backends.cudnn.enabled
    with cudnn_for(resnet(), torch.device("cuda")):
        assert torch.backends.cudnn.enabled == before[0]
        assert torch.backends.cudnn.deterministic
        assert not torch.backends.cudnn.allow_tf32
    with cudnn_for(LastState(), torch.device("cpu")):
        assert torch.backends.cudnn.enabled == before[0]
    after = torch.backends.cudnn.enabled, torch.backends.cudnn.deterministic, torch.backends.cudnn.allow_tf32
    assert after == before


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("name", TEACHERS)
def test_on_cuda_the_gradients_are_those_of_the_cpu(name):
    make, shape, target = TEACHERS[name]
    model, x = make(), normal(*shape)
    expected = input_gradients(model, x, target)
    np.testing.assert_allclose(input_gradients(model, x, target, device="cuda"), expected, **ROUNDING)
    assert all(parameter.device.type == "cpu" for parameter in model.parameters())
    np.testing.assert_allclose(input_gradients(model.cuda(), x, target), expected, **ROUNDING)


def test_another_device_gets_a_copy_of_the_model():
    # The meta device computes nothing, but every machine has it.
    model = mlp(1).train()
    with evaluation_mode(model, "meta") as (moved, where):
        assert where.type == "meta"
        assert {(parameter.device.type, parameter.dtype) for parameter in moved.parameters()} == {
            ("meta", torch.float64)
        }
        assert not moved.training
    assert model.training
    with evaluation_mode(model, "cpu") as (same, _):
        assert same is model
    assert all(parameter.device.type == "cpu" for parameter in model.parameters())


def test_good_gradients_pass_the_check(tmp_path):
    x = normal(7, 2, 3)
    check_gradients(x, x**2)
    check_gradients(torch.from_numpy(x), (x**2).astype(np.float32), batch_size=3)
    check_gradients(x, input_gradients(Power(), x, out=tmp_path / "g"), batch_size=2)
    sparse = np.zeros_like(x)
    sparse[-1, 0, 0] = 1e-30
    check_gradients(x, sparse, batch_size=2)


@pytest.mark.parametrize(
    ("gradients", "error", "message"),
    [
        (np.ones((7, 3)), ValueError, r"must have the shape \(7, 2, 3\) of X, got \(7, 3\)\.$"),
        (np.ones((7, 4, 2, 3)), ValueError, r"use those of one: gradients\[:, k\]"),
        (np.zeros((7, 2, 3)), ValueError, "There is nothing to distil: every gradient is zero"),
        (np.ones((7, 2, 3), dtype=int), TypeError, "gradients must hold float32 or float64, got int64"),
        ("gradients", TypeError, "gradients must be a NumPy array"),
        (np.where(np.arange(7)[:, None, None] == 5, np.nan, np.ones((7, 2, 3))), ValueError, "but sample 5 holds NaN"),
    ],
)
def test_bad_gradients_do_not(gradients, error, message):
    with pytest.raises(error, match=message):
        check_gradients(normal(7, 2, 3), gradients, batch_size=3)


def test_bad_inputs_do_not_pass_the_check():
    x = normal(7, 2)
    x[6, 0] = np.inf
    with pytest.raises(ValueError, match="X must be finite, but sample 6"):
        check_gradients(x, np.ones((7, 2)))
