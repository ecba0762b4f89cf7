"""The published terms: their values by their definitions, zero for a wavelet, right gradients, clear refusals."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck

from awd_core import DWT1d, DWT2d, FreeFilter, LossWeights, OrthonormalFilter, distillation_loss
from awd_core.published.losses import (
    conjugate_mirror_loss,
    high_pass_sum_loss,
    low_pass_sum_loss,
    norm_loss,
    reconstruction_loss,
    shift_orthogonality_loss,
    sparsity_loss,
)

VALIDITY = [low_pass_sum_loss, high_pass_sum_loss, norm_loss, conjugate_mirror_loss, shift_orthogonality_loss]


def taps(seed: int = 0, length: int = 6) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(length))


@pytest.mark.parametrize("loss", VALIDITY)
def test_zero_for_a_wavelet_and_positive_off_it(loss):
    assert float(loss(OrthonormalFilter("db5", noise=0.5, seed=1, dtype=torch.float64)().detach())) < 1e-28
    assert float(loss(taps())) > 1e-3


@pytest.mark.parametrize("loss", VALIDITY)
def test_gradients(loss):
    assert gradcheck(loss, taps().requires_grad_())


def test_values_by_definition():
    h = taps(seed=2)
    n = np.arange(6)
    g = (-1.0) ** n * h.numpy()[::-1]
    assert float(low_pass_sum_loss(h)) == pytest.approx(0.5 * (h.sum().item() - math.sqrt(2)) ** 2)
    assert float(high_pass_sum_loss(h)) == pytest.approx(0.5 * g.sum() ** 2)
    assert float(norm_loss(h)) == pytest.approx(0.5 * ((h.numpy() ** 2).sum() - 1) ** 2)

    def power(omega: float) -> float:
        return abs((h.numpy() * np.exp(-1j * omega * n)).sum()) ** 2

    mirror = sum((power(2 * math.pi * k / 6) + power(2 * math.pi * k / 6 + math.pi) - 2) ** 2 for k in range(3))
    assert float(conjugate_mirror_loss(h)) == pytest.approx(0.5 * mirror)
    lags = [sum(h[i].item() * h[i + lag].item() for i in range(6) if 0 <= i + lag < 6) for lag in (-4, -2, 0, 2, 4)]
    assert float(shift_orthogonality_loss(h)) == pytest.approx(
        0.5 * sum((r - (i == 2)) ** 2 for i, r in enumerate(lags))
    )


def test_reconstruction_is_a_mean_over_the_batch():
    x, back = torch.zeros(4, 3, 5), torch.ones(4, 3, 5)
    assert float(reconstruction_loss(x, back)) == 15.0


def test_sparsity_counts_a_level_as_one_band():
    x = torch.from_numpy(np.random.default_rng(3).standard_normal((5, 32)))
    coefficients = DWT1d("db2", 2)(x)
    expected = sum(float(band.abs().sum()) for band in coefficients) / 3 / 5
    assert float(sparsity_loss(coefficients)) == pytest.approx(expected)
    image = DWT2d("db2", 2)(x.view(5, 1, 4, 8).repeat(1, 1, 4, 4))
    expected = sum(float(band.abs().sum()) for band in image.tensors()) / 3 / 5
    assert float(sparsity_loss(image)) == pytest.approx(expected)


def test_the_weighted_sum_names_its_terms():
    filter_ = FreeFilter("db3", noise=0.1, seed=4, dtype=torch.float64)
    dwt = DWT1d(filter_, 2, "zero")
    x = torch.from_numpy(np.random.default_rng(5).standard_normal((7, 20)))
    coefficients = dwt(x)
    attributions = coefficients.map(lambda band: band**2)
    weights = LossWeights(sparsity=0.3, interpretation=0.7, norm=2.0, high_pass_sum=0.0)
    total, terms = distillation_loss(filter_(), x, dwt.inverse(coefficients), coefficients, attributions, weights)
    unwanted = {"high_pass_sum"}
    assert set(terms) == {field.name for field in dataclasses.fields(LossWeights)} - unwanted
    expected = sum(getattr(weights, name) * term.item() for name, term in terms.items())
    assert total.item() == pytest.approx(expected)
    assert terms["interpretation"].item() == pytest.approx(sparsity_loss(attributions).item())
    total.backward()
    assert filter_.taps.grad is not None
    assert float(filter_.taps.grad.abs().min()) > 0


def test_an_unwanted_interpretation_term_needs_no_attributions():
    filter_ = FreeFilter("db2", dtype=torch.float64)
    dwt = DWT1d(filter_, 1, "zero")
    x = torch.ones(2, 8, dtype=torch.float64)
    coefficients = dwt(x)
    back = dwt.inverse(coefficients)
    _, terms = distillation_loss(filter_(), x, back, coefficients, None, LossWeights(interpretation=0.0))
    assert "interpretation" not in terms
    with pytest.raises(
        ValueError, match=r"interpretation term has weight 1.0 but no attributions .*set the weight to zero"
    ):
        distillation_loss(filter_(), x, back, coefficients, None, LossWeights())
    nothing = LossWeights(*[0.0] * 8)
    total, terms = distillation_loss(filter_(), x, back, coefficients, None, nothing)
    assert float(total) == 0.0
    assert terms == {}


def test_refusals():
    with pytest.raises(ValueError, match=r"norm is -1\.0; give a weight from 0 on"):
        LossWeights(norm=-1.0)
    with pytest.raises(ValueError, match="sparsity is nan; give a weight"):
        LossWeights(sparsity=math.nan)
    with pytest.raises(ValueError, match=r"the signal has shape \(2, 3\) and its reconstruction \(2, 4\)"):
        reconstruction_loss(torch.zeros(2, 3), torch.zeros(2, 4))
    with pytest.raises(ValueError, match="no coefficients are given"):
        sparsity_loss([])
