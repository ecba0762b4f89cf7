"""The transforms under `torch.func`, against the definition of the transform in dense matrices.

The reference multiplies by the tensor of each level (`awd_core.transforms.boundary.level_tensor`, linear in the
filter); that this is PyWavelets' transform, the first test says. Its derivatives are those of
`torch.autograd.functional`.
"""

import copy
import math
from collections.abc import Callable
from functools import cache, partial
from typing import NamedTuple

import numpy as np
import pytest
import pywt
import torch
from torch import Tensor, nn
from torch.autograd import functional
from torch.func import functional_call, grad, hessian, jacfwd, jacrev, jvp, stack_module_state, vjp, vmap

from awd_core import (
    Coefficients,
    DWT1d,
    DWT2d,
    FixedFilter,
    FreeFilter,
    OrthonormalFilter,
    coefficient_attributions,
)  # fmt: skip
from awd_core.transforms import blocks
from awd_core.transforms.boundary import level_tensor, synthesis_mode
from awd_core.wavelets.filters import Filter, high_pass

DOUBLE = torch.float64
LEVELS = 2
SHORT = [((9,), "periodization"), ((10,), "smooth"), ((4, 5), "symmetric"), ((3, 5), "periodization")]
LONG = [((200,), "zero"), ((67,), "periodization"), ((66,), "smooth"), ((66, 2), "symmetric")]
"""Up to 64 samples a level is one dense matrix, beyond them it is blocks and ends; both with odd sizes, too."""

pytestmark = pytest.mark.filterwarnings("ignore:.*all coefficients will experience boundary effects:UserWarning")
everywhere = pytest.mark.parametrize(("shape", "mode"), SHORT + LONG, ids=str)
of_every_kind = pytest.mark.parametrize("kind", ["fixed", "orthonormal", "free"])
that_learns = pytest.mark.parametrize("kind", ["orthonormal", "free"])


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape))


def close(ours: object, theirs: object) -> None:
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


def filter_of(kind: str, seed: int = 0) -> Filter:
    if kind == "fixed":
        return FixedFilter("db2")
    if kind == "free":
        return FreeFilter("db2", noise=0.1, seed=seed, dtype=DOUBLE)
    return OrthonormalFilter("db3", noise=0.1, seed=seed, dtype=DOUBLE)


def transform_of(kind: str, ndim: int, mode: str, seed: int = 0) -> DWT1d | DWT2d:
    return (DWT1d if ndim == 1 else DWT2d)(filter_of(kind, seed), LEVELS, mode)


@cache
def level(size: int, taps: int, mode: str) -> Tensor:
    """Shape (L, outputs, N): of filter and signal; the slopes of smooth extension are part of it."""
    tensor = torch.from_numpy(np.array(level_tensor(size, taps, mode)))
    slopes = torch.zeros(tensor.shape[2] - size, size, dtype=DOUBLE)
    if len(slopes):
        slopes[[0, 0, 1, 1], [0, 1, -2, -1]] = torch.tensor([-1.0, 1.0, -1.0, 1.0], dtype=DOUBLE)
    return tensor[..., :size] + tensor[..., size:] @ slopes


class Dense(nn.Module):
    """The transform by its definition."""

    def __init__(self, filter_: Filter, ndim: int, mode: str) -> None:
        super().__init__()
        self.filter, self.axes, self.mode = filter_, range(-ndim, 0), mode

    def matrices(self, size: int, mode: str) -> Tensor:
        low = self.filter()
        return torch.einsum("ck,kij->cij", torch.stack([low, high_pass(low)]), level(size, len(low), mode))

    def forward(self, x: Tensor) -> Coefficients:
        shape, entries = tuple(x.shape[axis] for axis in self.axes), []
        for _ in range(LEVELS):
            bands = [x]
            for axis in self.axes:
                both = self.matrices(bands[0].shape[axis], self.mode)
                bands = [(band.movedim(axis, -1) @ one.t()).movedim(-1, axis) for band in bands for one in both]
            x, *details = bands
            entries.append(details[0] if len(details) == 1 else (details[1], details[0], details[2]))
        return Coefficients([x, *entries[::-1]], shape)

    def inverse(self, coefficients: Coefficients) -> Tensor:
        x, *entries = coefficients
        sizes = [coefficients.shape]
        for _ in entries:
            sizes.append(tuple(self.matrices(size, self.mode).shape[1] for size in sizes[-1]))
        for entry, shape in zip(entries, sizes[-2::-1], strict=True):
            bands = [x, entry] if isinstance(entry, Tensor) else [x, entry[1], entry[0], entry[2]]
            for axis, size in list(zip(self.axes, shape, strict=True))[::-1]:
                low, high = self.matrices(size, synthesis_mode(self.mode))
                pairs = zip(bands[0::2], bands[1::2], strict=True)
                bands = [(a.movedim(axis, -1) @ low + d.movedim(axis, -1) @ high).movedim(-1, axis) for a, d in pairs]
            (x,) = bands
        return x


class OfVectors(nn.Module):
    """A transform as a function of vectors: there, back, or both with a nonlinear function between."""

    def __init__(self, transform: nn.Module, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.transform, self.shape = transform, shape
        with torch.no_grad():
            self.like = transform(torch.zeros(shape, dtype=DOUBLE))
        self.sizes = [band.numel() for band in self.like.tensors()]

    def forward(self, values: Tensor, task: str) -> Tensor:
        if task == "inverse":
            parts = iter(values.split(self.sizes, -1))
            bands = self.like.map(lambda band: next(parts).unflatten(-1, band.shape))
            return self.transform.inverse(bands).flatten(-len(self.shape))
        bands = self.transform(values.unflatten(-1, self.shape)).tensors()
        flat = torch.cat([band.flatten(-len(self.shape)) for band in bands], -1)
        return flat if task == "forward" else self(flat.sin(), "inverse")


class Case(NamedTuple):
    """Ours and the reference, as functions of values and, if the filter learns, of its parameter."""

    ours: Callable[..., Tensor]
    dense: Callable[..., Tensor]
    inputs: tuple[Tensor, ...]

    @property
    def places(self) -> tuple[int, ...]:
        return tuple(range(len(self.inputs)))


def case_of(kind: str, shape: tuple[int, ...], mode: str, task: str) -> Case:
    modules = [
        OfVectors(transform, shape)
        for transform in (transform_of(kind, len(shape), mode), Dense(filter_of(kind), len(shape), mode))
    ]

    def function(module: nn.Module, values: Tensor, *parameters: Tensor) -> Tensor:
        names = [name for name, _ in module.named_parameters()]
        return functional_call(module, dict(zip(names, parameters, strict=True)), (values, task))

    values = random(sum(modules[0].sizes) if task == "inverse" else math.prod(shape), seed=7)
    parameters = (parameter.detach().clone() for parameter in modules[0].parameters())
    return Case(partial(function, modules[0]), partial(function, modules[1]), (values, *parameters))


def loss_of(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def loss(*inputs: Tensor) -> Tensor:
        found = function(*inputs)
        return (found.sin() * torch.linspace(1.0, 2.0, found.shape[-1], dtype=DOUBLE)).sum()

    return loss


def gradients_of(function: Callable[..., Tensor], inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Without `torch.func`."""
    leaves = tuple(value.detach().clone().requires_grad_() for value in inputs)
    return torch.autograd.grad(function(*leaves), leaves)


@everywhere
def test_the_reference_is_pywavelets(shape, mode):
    dense, x = Dense(FixedFilter("db2"), len(shape), mode), random(2, *shape)
    analyse, synthesise = [(pywt.wavedec, pywt.waverec), (pywt.wavedec2, pywt.waverec2)][len(shape) - 1]
    theirs = Coefficients(analyse(x.numpy(), "db2", mode, LEVELS), shape).map(torch.from_numpy)
    close(list(dense(x).tensors()), list(theirs.tensors()))
    other = theirs.map(lambda band: random(*band.shape, seed=band.numel()))
    back = torch.from_numpy(synthesise(list(other.numpy()), "db2", mode))
    close(dense.inverse(other), back[(..., *(slice(size) for size in shape))])


@of_every_kind
@everywhere
def test_gradients(kind, shape, mode):
    for task in ("forward", "inverse", "both"):
        case = case_of(kind, shape, mode, task)
        close(case.ours(*case.inputs), case.dense(*case.inputs))
        found = grad(loss_of(case.ours), case.places)(*case.inputs)
        close(found, gradients_of(loss_of(case.dense), case.inputs))


@of_every_kind
@everywhere
@pytest.mark.parametrize("jacobian", [jacrev, jacfwd])
def test_jacobians(kind, shape, mode, jacobian):
    for task in ("forward", "inverse"):
        case = case_of(kind, shape, mode, task)
        expected = functional.jacobian(case.dense, case.inputs, vectorize=True)
        close(jacobian(case.ours, case.places)(*case.inputs), expected)


@of_every_kind
@pytest.mark.parametrize(("shape", "mode"), SHORT, ids=str)
@pytest.mark.parametrize("outer", [jacrev, jacfwd])
@pytest.mark.parametrize("inner", [jacrev, jacfwd])
def test_hessians_in_any_nesting(kind, shape, mode, outer, inner):
    case = case_of(kind, shape, mode, "both")
    expected = functional.hessian(loss_of(case.dense), case.inputs, vectorize=True)
    close(outer(inner(loss_of(case.ours), case.places), case.places)(*case.inputs), expected)


@that_learns
@pytest.mark.parametrize(("shape", "mode"), LONG, ids=str)
def test_hessians_of_long_signals(kind, shape, mode):
    case = case_of(kind, shape, mode, "both")
    values, parameter = case.inputs
    expected = functional.hessian(loss_of(partial(case.dense, values)), parameter)
    close(hessian(loss_of(case.ours), 1)(values, parameter), expected)


@of_every_kind
@everywhere
def test_products_with_vectors(kind, shape, mode):
    for task in ("forward", "inverse"):
        case = case_of(kind, shape, mode, task)
        tangents = tuple(random(*value.shape, seed=8) for value in case.inputs)
        close(jvp(case.ours, case.inputs, tangents), functional.jvp(case.dense, case.inputs, tangents))
        value, pull = vjp(case.ours, *case.inputs)
        cotangent = random(*value.shape, seed=9)
        close((value, pull(cotangent)), functional.vjp(case.dense, case.inputs, cotangent))


@of_every_kind
@everywhere
def test_hessians_times_vectors(kind, shape, mode):
    """Forward over backward, and backward over forward."""
    case = case_of(kind, shape, mode, "both")
    tangents = tuple(random(*value.shape, seed=8) for value in case.inputs)
    _, expected = functional.hvp(loss_of(case.dense), case.inputs, tangents)
    close(jvp(grad(loss_of(case.ours), case.places), case.inputs, tangents)[1], expected)
    slope = grad(lambda *inputs: jvp(loss_of(case.ours), inputs, tangents)[1], case.places)
    close(slope(*case.inputs), expected)


@of_every_kind
@everywhere
def test_vmap_over_a_batch(kind, shape, mode):
    for task in ("forward", "inverse"):
        case = case_of(kind, shape, mode, task)
        values, *parameters = case.inputs
        fixed = (None,) * len(parameters)
        batch = random(2, 3, len(values), seed=10)
        expected = torch.stack([case.dense(one, *parameters) for one in batch.flatten(0, 1)]).unflatten(0, (2, 3))
        close(vmap(case.ours, (0, *fixed))(batch[0], *parameters), expected[0])
        close(vmap(case.ours, (1, *fixed), out_dims=1)(batch[0].t(), *parameters), expected[0].t())
        close(vmap(vmap(case.ours, (0, *fixed)), (0, *fixed))(batch, *parameters), expected)
        found = vmap(grad(loss_of(case.ours), case.places), (0, *fixed))(batch[0], *parameters)
        each = [gradients_of(loss_of(case.dense), (one, *parameters)) for one in batch[0]]
        close(found, tuple(map(torch.stack, zip(*each, strict=True))))


@that_learns
@everywhere
def test_vmap_over_parameters(kind, shape, mode):
    case = case_of(kind, shape, mode, "both")
    values, parameter = case.inputs
    some = torch.stack([parameter, parameter + 0.1])
    pairs = list(zip(random(2, len(values), seed=11), some, strict=True))
    batch = torch.stack([one for one, _ in pairs])
    close(vmap(case.ours, (None, 0))(values, some), torch.stack([case.dense(values, one) for one in some]))
    close(vmap(case.ours)(batch, some), torch.stack([case.dense(*pair) for pair in pairs]))
    found = vmap(grad(loss_of(case.ours), (0, 1)))(batch, some)
    each = [gradients_of(loss_of(case.dense), pair) for pair in pairs]
    close(found, tuple(map(torch.stack, zip(*each, strict=True))))
    expected = [functional.jacobian(partial(case.dense, values), one, vectorize=True) for one in some]
    close(vmap(jacfwd(case.ours, 1), (None, 0))(values, some), torch.stack(expected))


@that_learns
@pytest.mark.parametrize("ndim", [1, 2])
def test_an_ensemble_of_transforms(kind, ndim):
    transforms = [transform_of(kind, ndim, "symmetric", seed) for seed in range(3)]
    parameters, buffers = stack_module_state(transforms)
    base = copy.deepcopy(transforms[0])
    x = random(2, *(40, 9)[:ndim])

    class ThereAndBack(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.base = base

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            bands = self.base(x)
            total = torch.stack([band.abs().sum() for band in bands.tensors()]).sum()
            return total, self.base.inverse(bands.map(torch.sin))

    def energy(parameters: dict[str, Tensor], buffers: dict[str, Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
        named = {f"base.{name}": value for name, value in {**parameters, **buffers}.items()}
        return functional_call(ThereAndBack(), named, (x,))

    totals, signals = vmap(energy, (0, 0, None))(parameters, buffers, x)
    found = vmap(grad(lambda *inputs: energy(*inputs)[0]), (0, 0, None))(parameters, buffers, x)
    for k, transform in enumerate(transforms):
        dense = Dense(transform.filters[0], ndim, "symmetric")
        bands = dense(x)
        total = torch.stack([band.abs().sum() for band in bands.tensors()]).sum()
        close(totals[k], total.detach())
        close(signals[k], dense.inverse(bands.map(torch.sin)).detach())
        ((name, parameter),) = transform.named_parameters()
        close(found[name][k], torch.autograd.grad(total, parameter)[0])


@of_every_kind
@pytest.mark.parametrize("ndim", [1, 2])
def test_vmap_of_a_transform_returns_coefficients(kind, ndim):
    transform, x = transform_of(kind, ndim, "reflect"), random(3, *(41, 12)[:ndim])
    with torch.no_grad():
        coefficients = vmap(transform)(x)
        assert isinstance(coefficients, Coefficients)
        assert coefficients.shape == x.shape[1:]
        close(list(coefficients.tensors()), list(transform(x).tensors()))
        close(vmap(transform.inverse)(coefficients), transform.inverse(transform(x)))


@pytest.mark.parametrize("size", [23, 83])
@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
@pytest.mark.parametrize("within", [grad, jacfwd, lambda f: lambda value: vmap(f)(value[None])])
def test_what_is_made_within_a_transformation_is_of_use_behind_it(size, dtype, within):
    """The levels' constants are kept: they may not be wrapped for a derivative that was asked for first."""
    for member in vars(blocks).values():
        if hasattr(member, "cache_clear"):
            member.cache_clear()
    transform, x = DWT1d("db2", LEVELS, "smooth"), random(2, size).to(dtype)
    value = torch.tensor(1.5, dtype=dtype)
    within(lambda value: transform.inverse(transform(x))[:, 0].sum() * value)(value)
    expected = transform.inverse(transform(x))
    torch.testing.assert_close(expected, x)
    within(lambda value: transform.inverse(transform(value * x)).sum())(value)
    assert torch.equal(transform.inverse(transform(x)), expected)


def test_vmap_refuses_what_is_not_finite():
    x = random(3, 40)
    x[1, 5] = torch.nan
    with pytest.raises(ValueError, match=r"holds 1 NaN or infinite value"):
        vmap(transform_of("fixed", 1, "zero"))(x)


@pytest.mark.parametrize("method", ["saliency", "input_x_gradient", "integrated_gradients", "gradient_shap"])
@pytest.mark.parametrize("place", [None, 0])
def test_vmap_of_attributions(method, place):
    """Whether the baseline is shared or belongs to each input; one that is not finite is refused all the same."""
    transform = transform_of("orthonormal", 1, "zero")
    x, g, b = random(4, 40), random(4, 40, seed=1), random(*([4] if place == 0 else []), 40, seed=2)

    def attributed(x, g, b):
        return coefficient_attributions(transform, x, g, method, baseline=b)

    found = vmap(attributed, (0, 0, place))(x, g, b)
    expected = coefficient_attributions(transform, x, g, method, baseline=b)
    close(list(found.tensors()), list(expected.tensors()))
    slopes = vmap(grad(lambda *of: sum(band.square().sum() for band in attributed(*of).tensors()), 2), (0, 0, place))(
        x, g, b
    )
    assert slopes.shape == (4, 40)
    if method in ("integrated_gradients", "gradient_shap"):
        b[..., 3] = torch.inf
        with pytest.raises(ValueError, match="baseline holds NaN or infinite values; give finite numbers"):
            vmap(attributed, (0, 0, place))(x, g, b)


@that_learns
@pytest.mark.parametrize("build", [DWT1d, DWT2d, lambda *of: DWT2d((of[0], copy.deepcopy(of[0])), *of[1:])])
def test_functional_call_leaves_the_module_as_it_was(kind, build):
    transform, other = (build(filter_of(kind, seed), LEVELS, "symmetric") for seed in (0, 1))
    x = random(3, 40, 10)
    before = dict(transform.named_parameters())
    kept = {name: (parameter, parameter.detach().clone()) for name, parameter in before.items()}
    state, result = set(transform.state_dict()), list(transform(x).tensors())
    given = {name: parameter.detach().clone() for name, parameter in other.named_parameters()}

    def check_untouched() -> None:
        assert dict(transform.named_parameters()).keys() == kept.keys()
        for name, parameter in transform.named_parameters():
            same, value = kept[name]
            assert parameter is same
            assert type(parameter) is nn.Parameter
            assert parameter.requires_grad
            assert parameter.grad is None
            assert torch.equal(parameter, value)
        for filter_ in transform.filters:  # where it is used, not only where it is registered
            assert all(type(parameter) is nn.Parameter for parameter in filter_.parameters())
        assert set(transform.state_dict()) == state
        for band, was in zip(transform(x).tensors(), result, strict=True):
            assert torch.equal(band, was)

    called = functional_call(transform, given, (x,))
    for band, theirs in zip(called.tensors(), other(x).tensors(), strict=True):
        assert torch.equal(band, theirs)
    check_untouched()

    found = grad(lambda named: functional_call(transform, named, (x,))[0].square().sum())(given)
    expected = torch.autograd.grad(other(x)[0].square().sum(), list(other.parameters()))
    close(list(found.values()), list(expected))
    check_untouched()

    with pytest.raises(TypeError, match="give float32 or float64"):
        functional_call(transform, given, (x.half(),))
    check_untouched()
