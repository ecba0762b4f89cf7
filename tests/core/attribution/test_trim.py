"""The composed model of TRIM: it sees its true input, and Captum's methods attribute to its coefficients."""

import copy

import numpy as np
import pytest
import torch
from captum.attr import DeepLift, FeatureAblation, GradientShap, InputXGradient, IntegratedGradients, Saliency
from scipy.special import roots_legendre
from sklearn.decomposition import NMF
from torch import Tensor, nn

from awd_core.attribution.gradients import input_gradients
from awd_core.attribution.trim import TrimModel
from awd_core.transforms.dictionary import LinearDictionary
from awd_core.transforms.dwt import DWT1d, DWT2d
from awd_core.transforms.fourier import FourierTransform, flatten_coefficients

EXACT = {"rtol": 0, "atol": 1e-12}
"""Float64 sums of up to some hundred terms of order one."""

CAPTUM_WEIGHTS = 1e-7
"""Captum 0.9 rounds the weights of its quadrature to float32, 2⁻²⁴ each: relative to the largest attribution."""


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape))


def smooth(n_in: int = 48, n_out: int = 2) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(n_in, 9), nn.Tanh(), nn.Linear(9, n_out)).double()


def nmf() -> LinearDictionary:
    data = np.random.default_rng(1).random((30, 48))
    return LinearDictionary.from_sklearn(NMF(3, random_state=0, max_iter=3000).fit(data), shape=(6, 8))


TRANSFORMS = {
    "fourier": lambda: FourierTransform((6, 8)),
    "fourier along the last axis": lambda: FourierTransform(8),
    "dictionary": lambda: LinearDictionary(normal(60, 6, 8, seed=2)),
    "few atoms": lambda: LinearDictionary(normal(5, 6, 8, seed=2)),
    "nmf": nmf,
    "wavelet in one dimension": lambda: DWT1d("db2", levels=1),
    "wavelet in two dimensions": lambda: DWT2d("db2", levels=1, mode="periodization"),
}


@pytest.fixture(params=TRANSFORMS)
def transform(request: pytest.FixtureRequest):
    return TRANSFORMS[request.param]()


@pytest.fixture
def x() -> Tensor:
    return torch.from_numpy(np.random.default_rng(3).random((4, 6, 8)))


def close(a: Tensor, b: Tensor, **tolerance: float) -> None:
    torch.testing.assert_close(a, b, **(tolerance or EXACT))


def adjoint(transform, g: Tensor) -> tuple[Tensor, ...]:
    return flatten_coefficients(transform.adjoint_forward(g))


def test_the_model_sees_its_true_input(transform, x):
    trim, s, residual = TrimModel.at(nn.Identity(), transform, x)
    close(trim(*s, residual), x)
    close(trim(trim.structured(s), residual=residual), x)
    assert all(leaf.is_leaf and leaf.requires_grad and len(leaf) == 4 for leaf in s)
    assert not residual.requires_grad


def test_what_is_left_over_is_the_residual(x):
    for name, small in {"few atoms": False, "nmf": False, "fourier": True}.items():
        residual = TrimModel.at(nn.Identity(), TRANSFORMS[name](), x).residual
        assert (float(residual.abs().max()) < 1e-13) == small


def test_saliency_is_the_adjoint_of_the_input_gradient(transform, x):
    model = smooth()
    trim, s, residual = TrimModel.at(model, transform, x)
    attributions = Saliency(trim).attribute(s, target=1, additional_forward_args=(residual,), abs=False)
    g = torch.from_numpy(input_gradients(model, x, 1))
    for ours, expected in zip(attributions, adjoint(transform, g), strict=True):
        close(ours, expected)


def test_input_x_gradient_is_the_product_with_the_adjoint(transform, x):
    model = smooth()
    trim, s, residual = TrimModel.at(model, transform, x)
    attributions = InputXGradient(trim).attribute(s, target=1, additional_forward_args=(residual,))
    g = torch.from_numpy(input_gradients(model, x, 1))
    for ours, leaf, expected in zip(attributions, s, adjoint(transform, g), strict=True):
        close(ours, leaf.detach() * expected)


@pytest.mark.parametrize("baseline", [0.0, 0.4])
@pytest.mark.parametrize("internal_batch_size", [None, 7])
def test_integrated_gradients_are_the_integral_by_hand(transform, x, baseline, internal_batch_size):
    model = smooth()
    trim, s, residual = TrimModel.at(model, transform, x)
    start = tuple(torch.full_like(leaf, baseline) for leaf in s)
    attributions = IntegratedGradients(trim).attribute(
        s,
        baselines=start,
        target=0,
        additional_forward_args=(residual,),
        n_steps=12,
        internal_batch_size=internal_batch_size,
    )
    # By hand, with each sample on its own: the path of x is straight, from inverse(b) + r to inverse(s) + r.
    by_hand = [torch.zeros_like(leaf) for leaf in s]
    nodes, weights = roots_legendre(12)
    with torch.no_grad():
        ends = [transform.inverse(trim.structured(leaves)) + residual for leaves in (start, s)]
    for node, weight in zip(nodes, weights, strict=True):
        for k in range(len(x)):
            point = (ends[0][k] + (1 + node) / 2 * (ends[1][k] - ends[0][k]))[None].clone().requires_grad_()
            (g,) = torch.autograd.grad(model(point)[0, 0], point)
            for total, leaf, b, part in zip(by_hand, s, start, adjoint(transform, g), strict=True):
                total[k] += weight / 2 * (leaf[k].detach() - b[k]) * part[0]
    scale = max(float(total.abs().max()) for total in by_hand)
    for ours, expected in zip(attributions, by_hand, strict=True):
        close(ours, expected, rtol=0, atol=CAPTUM_WEIGHTS * scale)
    # Completeness: they add up to the change of the prediction, to the accuracy of twelve points.
    change = (model(ends[1]) - model(ends[0]))[:, 0]
    close(sum(a.reshape(len(x), -1).sum(1) for a in attributions), change.detach(), rtol=0, atol=1e-4 * scale)


def test_path_averages_of_the_input_serve_integrated_gradients_of_coefficients(x):
    # Ψ(x − b) ⊙ Ψ₀ḡ, with nothing but the path-averaged input gradient.
    model, transform = smooth(), FourierTransform((6, 8))
    b = torch.full((1, 6, 8), 0.2, dtype=torch.float64)
    trim, s, residual = TrimModel.at(model, transform, x)
    attributions = IntegratedGradients(trim).attribute(
        s, baselines=(transform(b),), target=0, additional_forward_args=(residual,), n_steps=12
    )
    average = input_gradients(model, x, 0, method="integrated_gradients", baseline=b[0], n_steps=12)
    expected = transform(x - b) * transform.adjoint_forward(torch.from_numpy(average))
    close(attributions[0], expected, rtol=0, atol=CAPTUM_WEIGHTS * float(expected.abs().max()))


def few_atoms() -> LinearDictionary:
    return LinearDictionary(normal(5, 6, 8, seed=2))


def bound(model: nn.Module, transform, x: Tensor, expand: str | None) -> TrimModel:
    _, s, residual = TrimModel.at(model, transform, x)
    return TrimModel(model, transform, residual, structure=s[0], expand=expand)


def test_a_bound_residual_follows_the_order_of_integrated_gradients(x):
    model, transform = smooth(), few_atoms()
    trim, s, residual = TrimModel.at(model, transform, x)
    settings = {"target": 0, "n_steps": 6}
    expected = IntegratedGradients(trim).attribute(s, additional_forward_args=(residual,), **settings)[0]
    right = IntegratedGradients(bound(model, transform, x, "repeat")).attribute(s[0], **settings)
    assert torch.equal(right, expected)
    wrong = IntegratedGradients(bound(model, transform, x, "interleave")).attribute(s[0], **settings)
    assert bool(((wrong - expected).abs() > 1e-6).any())  # the order matters, far beyond rounding
    with pytest.raises(ValueError, match=r'batch of 4, the coefficients are a batch of 24\..*expand="repeat"'):
        IntegratedGradients(bound(model, transform, x, None)).attribute(s[0], **settings)


def test_a_bound_residual_follows_the_order_of_gradient_shap(x):
    model, transform = smooth(), few_atoms()
    trim, s, residual = TrimModel.at(model, transform, x)
    baselines = torch.zeros(1, 5, dtype=torch.float64)

    def shap(trim: TrimModel, **settings: Tensor) -> Tensor:
        torch.manual_seed(0)
        np.random.seed(0)  # noqa: NPY002
        return GradientShap(trim).attribute(s[0], baselines, n_samples=5, target=0, **settings)

    expected = shap(trim, additional_forward_args=(residual,))
    assert torch.equal(shap(bound(model, transform, x, "interleave")), expected)
    assert bool(((shap(bound(model, transform, x, "repeat")) - expected).abs() > 1e-6).any())


def test_gradient_shap_of_a_cubic_model_is_its_expectation(x):
    # f(x) = Σx³, so ∂f'/∂s = 3W(αu + r)² with u = Wᵀs at α of the way from baseline to s, on average over α
    # 3W(u²/3 + ur + r²): the residual of each sample must be its own. (Of ‖x‖² it would drop out, since Wr = 0.)
    # α² has the standard deviation √(4/45), 2α has 1/√3.
    transform, draws = few_atoms(), 4000
    trim, s, residual = TrimModel.at(lambda x: x.pow(3).sum((1, 2)), transform, x)
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002
    settings = {"n_samples": draws, "additional_forward_args": (residual,)}
    shap = GradientShap(trim).attribute(s, (torch.zeros_like(s[0]),), **settings)[0]

    def expected(r: Tensor) -> Tensor:
        return 3 * transform.adjoint_forward(u.square() / 3 + u * r + r.square()) * s[0]

    with torch.no_grad():
        u = transform.inverse(s[0])
        square, linear = (3 * transform.adjoint_forward(part) * s[0] for part in (u.square(), u * residual))
        standard_error = (square.abs() * np.sqrt(4 / 45) + linear.abs() / np.sqrt(3)) / np.sqrt(draws)
        assert bool(((shap - expected(residual)).abs() < 4 * standard_error).all())
        assert not bool(((shap - expected(residual.roll(1, 0))).abs() < 4 * standard_error).all())


@pytest.mark.filterwarnings("ignore:Setting forward, backward hooks and attributes on non-linear:UserWarning")
def test_deep_lift_pulls_its_multipliers_back(x):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(48, 9), nn.ReLU(), nn.Linear(9, 2)).double()
    transform = few_atoms()
    trim, s, residual = TrimModel.at(model, transform, x)
    deep = DeepLift(trim).attribute(s, target=1, additional_forward_args=(residual,))[0]
    with torch.no_grad():
        at_baseline = (transform.inverse(torch.zeros_like(s[0])) + residual).requires_grad_()
    multipliers = DeepLift(model, multiply_by_inputs=False).attribute(
        x.clone().requires_grad_(), baselines=at_baseline, target=1
    )
    close(deep, s[0].detach() * transform.adjoint_forward(multipliers.detach()))
    close(deep.sum(1), (model(x) - model(at_baseline))[:, 1].detach())


def test_ablation_of_a_coefficient_takes_its_part_of_the_input_away(x):
    model, transform = smooth(), few_atoms()
    trim, s, residual = TrimModel.at(model, transform, x)
    ablated = FeatureAblation(trim).attribute(
        s, target=0, additional_forward_args=(residual,), perturbations_per_eval=3
    )[0]
    for k in range(5):
        without = x - s[0].detach()[:, k, None, None] * transform.atoms[k].reshape(6, 8)
        close(ablated[:, k], (model(x) - model(without))[:, 0].detach())


def test_a_smooth_model_has_gradients_of_second_order(transform, x):
    model = smooth()
    trim, s, residual = TrimModel.at(model, transform, x[:1])
    leaves = tuple(leaf.detach().clone().requires_grad_() for leaf in s)
    assert torch.autograd.gradcheck(lambda *s: trim(*s, residual), leaves, fast_mode=True)
    assert torch.autograd.gradgradcheck(lambda *s: trim(*s, residual), leaves, fast_mode=True)


def test_the_filters_of_a_wavelet_have_gradients_through_an_attribution(x):
    # The published form: the gradient of a loss of the attribution, with the Hessian of the model.
    from awd_core.wavelets.filters import FreeFilter

    model, dwt = smooth(), DWT1d(FreeFilter("db2"), levels=1).double()
    coefficients = dwt(x)
    residual = x - dwt.inverse(coefficients)
    trim = TrimModel(model, dwt, structure=coefficients)
    assert {id(p) for p in dwt.parameters()} <= {id(p) for p in trim.parameters()}
    s = flatten_coefficients(coefficients)
    attributions = torch.autograd.grad(trim(*s, residual)[:, 0].sum(), s, create_graph=True)
    sum(a.abs().sum() for a in attributions).backward()
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in dwt.parameters())
    assert any(bool((p.grad != 0).any()) for p in dwt.parameters())


def test_the_residual_is_held_constant(x):
    residual = torch.zeros_like(x, requires_grad=True)
    fourier = FourierTransform((6, 8))
    s = fourier(x).requires_grad_()
    for trim in (TrimModel(smooth(), fourier), TrimModel(smooth(), fourier, residual)):
        trim(s, residual).sum().backward()
        assert residual.grad is None
    assert TrimModel(smooth(), fourier, residual).residual.requires_grad is False


class Nested(nn.Module):
    """Coefficients of several shapes in lists, tuples and mappings."""

    def forward(self, x: Tensor):
        return [x[:, :2], ({"low": x[:, 2:3], "high": x[:, 3]},), x[:, 4:]]

    def inverse(self, s) -> Tensor:
        return torch.cat([s[0], s[1][0]["low"], s[1][0]["high"][:, None], s[2]], dim=1)


def test_any_nesting_keeps_its_order(x):
    model = smooth()
    trim, s, residual = TrimModel.at(model, Nested(), x)
    assert [tuple(leaf.shape) for leaf in s] == [(4, 2, 8), (4, 1, 8), (4, 8), (4, 2, 8)]
    attributions = Saliency(trim).attribute(s, target=0, additional_forward_args=(residual,), abs=False)
    close(Nested().inverse(trim.structured(attributions)), torch.from_numpy(input_gradients(model, x, 0)))


def test_an_inverse_may_be_a_function_a_method_or_a_module(x):
    model, fourier = smooth(), FourierTransform((6, 8))
    s = fourier(x)
    expected = model(x)
    for inverse in (fourier, fourier.inverse, lambda s: fourier.inverse(s)):
        close(TrimModel(model, inverse)(s), expected)
    method = TrimModel(model, DWT2d("db2").double().inverse)
    assert isinstance(method.transform, DWT2d)
    again = copy.deepcopy(TrimModel(model, fourier.inverse, torch.zeros(1, 6, 8).double(), structure=s))
    close(again(s), expected)
    assert again.transform is not fourier


def test_a_bound_residual_moves_along_but_is_not_saved(x):
    trim = TrimModel(smooth(), FourierTransform((6, 8)), x[:1])
    assert not any("residual" in key for key in trim.state_dict())
    assert trim.float().residual.dtype == torch.float32


def test_a_single_residual_serves_any_batch(x):
    trim = TrimModel(nn.Identity(), few_atoms(), x[:1])
    zero = torch.zeros(3, 5, dtype=torch.float64)
    close(trim(zero), x[:1].expand(3, 6, 8))
    close(trim(zero, x[1:2]), x[1:2].expand(3, 6, 8))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda trim, s, r: trim(), TypeError, "TrimModel needs coefficients"),
        (
            lambda trim, s, r: trim(s, r, r),
            TypeError,
            "called with 3 arguments; it takes coefficients .no structure is",
        ),
        (lambda trim, s, r: trim(s, r, residual=r), TypeError, "at most one residual"),
        (lambda trim, s, r: trim(s, r[:, :3]), ValueError, r"shape \(4, 3, 8\), but the inverse gives \(4, 6, 8\)"),
        (
            lambda trim, s, r: trim(s, r[:3]),
            ValueError,
            "residual is for a batch of 3, the coefficients are a batch of 4",
        ),
        (lambda trim, s, r: trim.structured(s), ValueError, "knows no structure; give structure=coefficients"),
    ],
)
def test_calls_that_do_not_fit_are_refused(x, call, error, message):
    fourier = FourierTransform((6, 8))
    with pytest.raises(error, match=message):
        call(TrimModel(smooth(), fourier), fourier(x), torch.zeros_like(x))


def test_arguments_that_do_not_fit_are_refused(x):
    with pytest.raises(ValueError, match='expand must be "repeat", "interleave" or None, got \'tile\''):
        TrimModel(smooth(), FourierTransform(8), expand="tile")
    with pytest.raises(TypeError, match="inverse must be callable or have a method inverse, got <class 'int'>"):
        TrimModel(smooth(), 3)
    trim, s, residual = TrimModel.at(smooth(), Nested(), x)
    with pytest.raises(TypeError, match=r"called with 2 arguments; it takes coefficients \(4 here\)"):
        trim(s[0], residual)


def test_structure_does_not_keep_a_batch_alive(x):
    trim = TrimModel.at(smooth(), Nested(), x).model
    assert all(
        leaf.numel() == 0 and leaf.untyped_storage().nbytes() == 0 for leaf in flatten_coefficients(trim.structure)
    )
