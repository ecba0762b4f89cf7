"""The transforms inside `torch.autocast`: the layers before them make bfloat16, and a reconstruction needs float32."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from awd_core import DWT1d, DWT2d, FixedFilter, FreeFilter, OrthonormalFilter

FILTERS = {"fixed": FixedFilter, "orthonormal": OrthonormalFilter, "free": FreeFilter}
of_every_kind = pytest.mark.parametrize("kind", list(FILTERS))


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape)).float()


@pytest.fixture(autouse=True)
def _seeded():
    with torch.random.fork_rng():
        torch.manual_seed(12)
        yield


@of_every_kind
@pytest.mark.parametrize("build", [DWT1d, DWT2d])
def test_computes_in_single_precision_behind_a_layer_in_half(kind, build):
    transform, linear, x = build(FILTERS[kind]("db3"), 2, "symmetric"), nn.Linear(70, 70), random(3, 70, 70)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = linear(x)
        assert half.dtype == torch.bfloat16
        coefficients, attributions = transform(half), transform.adjoint_forward(half)
        back = transform.inverse(coefficients)
        again = transform.inverse(coefficients.map(lambda band: band.bfloat16()))
    expected, wanted = transform(half.float()), transform.adjoint_forward(half.float())
    pairs = [*zip(coefficients.tensors(), expected.tensors(), strict=True)]
    pairs += [*zip(attributions.tensors(), wanted.tensors(), strict=True), (back, transform.inverse(expected))]
    pairs += [(again, transform.inverse(expected.map(lambda band: band.bfloat16().float())))]
    for found, reference in pairs:
        assert found.dtype == torch.float32
        torch.testing.assert_close(found, reference, rtol=0, atol=0)
    torch.testing.assert_close(back, half.float(), rtol=0, atol=1e-5)
    with pytest.raises(TypeError, match=r"the signal is torch\.bfloat16; give float32 or float64"):
        transform(half)


class WithTransform(nn.Module):
    """A network with a transform as one of its layers."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.first, self.transform = nn.Linear(40, 70), DWT1d(FILTERS[kind]("db3"), 2)
        self.last = nn.Linear(sum(band.numel() for band in self.transform(torch.zeros(70))), 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.cat(list(self.transform(self.first(x).tanh())), -1).tanh())


@of_every_kind
def test_a_network_with_a_transform_takes_a_step_in_mixed_precision(kind):
    network, x, y = WithTransform(kind), random(64, 40), random(64, 1, seed=1)
    optimiser = torch.optim.SGD(network.parameters(), lr=0.1)
    before = [parameter.detach().clone() for parameter in network.parameters()]
    expected = torch.autograd.grad((network(x) - y).square().mean(), list(network.parameters()))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = network(x)
    assert out.dtype == torch.bfloat16
    (out.float() - y).square().mean().backward()
    optimiser.step()
    for parameter, was, gradient in zip(network.parameters(), before, expected, strict=True):
        assert parameter.grad.dtype == torch.float32
        # Three digits of mantissa in the layers: the gradient's direction is what can be asked for.
        assert cosine_similarity(parameter.grad.flatten(), gradient.flatten(), dim=0) > 0.99
        assert not torch.equal(parameter, was)
