"""All of Captum's methods that make sense for coefficients take the residual as ``(residual,)``, each input its own."""

import captum.attr as captum
import numpy as np
import pytest
import torch
from captum.attr import (
    DeepLift,
    DeepLiftShap,
    FeatureAblation,
    GradientShap,
    InputXGradient,
    IntegratedGradients,
    KernelShap,
    Lime,
    NoiseTunnel,
    Occlusion,
    Saliency,
    ShapleyValues,
    ShapleyValueSampling,
)
from torch import Tensor, nn

from awd_core import LinearDictionary, TrimModel

CLOSE = {"rtol": 1e-6, "atol": 1e-9}
"""Captum 0.9 keeps some weights and results in float32."""

SOLVED = {"rtol": 1e-3, "atol": 1e-3}
"""A regression whose constraints are weights of 10⁶."""


pytestmark = [
    pytest.mark.filterwarnings("ignore:Setting forward, backward hooks and attributes on non-linear:UserWarning"),
    pytest.mark.filterwarnings("ignore:You are providing multiple inputs for Lime:UserWarning"),
]


class Cubic(nn.Module):
    """Σx³: its attributions depend on the residual, so that one input's is not another's. (Those of ‖x‖² do not.)"""

    def forward(self, x: Tensor) -> Tensor:
        return x.pow(3).sum(-1)


class Kinked(nn.Module):
    """Layers that DeepLift knows."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 1)).double()

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x).squeeze(-1)


def point(model: nn.Module):
    """Three inputs in four atoms of six samples, so that much is left over."""
    random = np.random.default_rng(0)
    atoms = LinearDictionary(random.normal(size=(4, 6)))
    return TrimModel.at(model, atoms, torch.from_numpy(random.normal(size=(3, 6))))


def complete(s: Tensor, trim: TrimModel, residual: Tensor) -> Tensor:
    """What attributions add up to, with zero as the baseline."""
    with torch.no_grad():
        return trim(s, residual) - trim(torch.zeros_like(s), residual)


ALONE = {
    "Saliency": (Saliency, {"abs": False}),
    "InputXGradient": (InputXGradient, {}),
    "IntegratedGradients": (IntegratedGradients, {"n_steps": 5}),
    "IntegratedGradients in parts": (IntegratedGradients, {"n_steps": 5, "internal_batch_size": 4}),
    "DeepLift": (DeepLift, {}),
    "DeepLiftShap": (DeepLiftShap, {"baselines": torch.eye(2, 4, dtype=torch.float64)}),
    "FeatureAblation": (FeatureAblation, {}),
    "FeatureAblation of several at a time": (FeatureAblation, {"perturbations_per_eval": 3}),
    "Occlusion": (Occlusion, {"sliding_window_shapes": (2,)}),
    "ShapleyValues": (ShapleyValues, {}),
    "ShapleyValues of several at a time": (ShapleyValues, {"perturbations_per_eval": 3}),
}


@pytest.mark.parametrize("name", ALONE)
def test_every_input_is_attributed_with_its_own_residual(name):
    method, settings = ALONE[name]
    trim, (s,), residual = point(Kinked() if name.startswith("DeepLift") else Cubic())
    together = method(trim).attribute(s, additional_forward_args=(residual,), **settings).detach()
    for k in range(len(s)):
        one = s[k : k + 1].detach().requires_grad_()
        alone = method(trim).attribute(one, additional_forward_args=(residual[k : k + 1],), **settings)
        torch.testing.assert_close(together[k : k + 1], alone.detach(), **CLOSE)
        another = method(trim).attribute(one, additional_forward_args=(residual[k - 1 : k or None],), **settings)
        assert float((another - alone).detach().abs().max()) > 1e-3  # whose residual it is can be seen


ADDS_UP = {
    "ShapleyValueSampling": (lambda trim: ShapleyValueSampling(trim), {"n_samples": 4}, CLOSE),
    "KernelShap": (lambda trim: KernelShap(trim), {"n_samples": 200}, SOLVED),
}


@pytest.mark.parametrize("name", ADDS_UP)
def test_drawn_attributions_add_up(name):
    make, settings, tolerance = ADDS_UP[name]
    trim, (s,), residual = point(Cubic())
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002 (Captum's own source of random numbers)
    shares = make(trim).attribute(s, additional_forward_args=(residual,), **settings).detach()
    torch.testing.assert_close(shares.sum(1).double(), complete(s.detach(), trim, residual), **tolerance)


def test_gradient_shap_adds_up_as_far_as_its_draws_allow():
    trim, (s,), residual = point(Cubic())
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002 (Captum's own source of random numbers)
    draws = 4000
    settings = {"baselines": torch.zeros(1, 4, dtype=torch.float64), "n_samples": draws}
    shares = GradientShap(trim).attribute(s, additional_forward_args=(residual,), **settings).detach().sum(1)
    # What is drawn is the slope along the line from the baseline to the coefficients.
    places = torch.linspace(0, 1, 201, dtype=torch.float64, requires_grad=True)
    for k, expected in enumerate(complete(s.detach(), trim, residual)):
        values = trim(places[:, None] * s[k].detach(), residual[k : k + 1])
        (slopes,) = torch.autograd.grad(values.sum(), places)
        assert float((shares[k] - expected).abs()) < 5 * float(slopes.std()) / draws**0.5


def test_lime_is_the_weighted_regression_on_what_is_left_in():
    # Without a penalty on a model that is linear, the regression is exact and every coefficient gives what it brings.
    pytest.importorskip("sklearn")
    from captum._utils.models.linear_model import SkLearnLinearRegression

    trim, (s,), residual = point(nn.Linear(6, 1, bias=False).double())
    torch.manual_seed(0)
    lime = Lime(trim, interpretable_model=SkLearnLinearRegression())
    shares = lime.attribute(s, target=0, additional_forward_args=(residual,), n_samples=60)
    slopes = Saliency(trim).attribute(s, target=0, additional_forward_args=(residual,), abs=False)
    torch.testing.assert_close(shares.double(), (s * slopes).detach(), rtol=1e-3, atol=1e-4)


def test_noise_tunnel_draws_about_every_input_with_its_own_residual():
    trim, (s,), residual = point(Cubic())
    torch.manual_seed(0)
    settings = {"additional_forward_args": (residual,), "abs": False}
    still = NoiseTunnel(Saliency(trim)).attribute(s, nt_samples=3, stdevs=0.0, **settings)
    torch.testing.assert_close(still, Saliency(trim).attribute(s, **settings), **CLOSE)


@pytest.mark.parametrize("method", ["DeepLiftShap", "KernelShap", "Lime"])
def test_a_bare_residual_is_refused_with_a_word_on_the_tuple(method):
    trim, (s,), residual = point(Kinked())
    settings = {"baselines": torch.zeros(2, 4, dtype=torch.float64)} if method == "DeepLiftShap" else {"n_samples": 5}
    with pytest.raises(
        (TypeError, ValueError), match=r"takes the residual as a tuple: additional_forward_args=\(residual,\)"
    ):
        getattr(captum, method)(trim).attribute(s, additional_forward_args=residual, **settings)


def test_the_model_of_a_point_knows_its_residuals():
    trim, (s,), residual = point(Cubic())
    assert torch.equal(trim(s), trim(s, residual))
    assert float((trim(s) - TrimModel(Cubic(), trim.transform)(s)).detach().abs().max()) > 0.1
    with pytest.raises(ValueError, match="residual is for a batch of 3, the coefficients are a batch of 2"):
        trim(s[:2])
