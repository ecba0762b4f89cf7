"""The trilinear form: adjoints, derivatives of first and second order, and that every way of running it agrees."""

import numpy as np
import pytest
import pywt
import torch
from torch.autograd import gradcheck, gradgradcheck

from awd_core import MODES
from awd_core.transforms.boundary import PERIODIZATION_WITH_ZERO, level_tensor, output_length, synthesis_mode
from awd_core.transforms.filterbank import analyse, correlate, synthesise

EXTENSIONS = [*MODES, PERIODIZATION_WITH_ZERO]
DOUBLE = torch.float64

# Short signals are one dense matrix, longer ones blocks and ends: 4 taps change over at 64 samples.
SHORT, LONG = 7, 71


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape))


def dense(x: torch.Tensor, filters: torch.Tensor, mode: str) -> torch.Tensor:
    """Both bands by the definition: the whole level as one tensor."""
    extended = x
    if mode == "smooth" and x.shape[1] > 1:
        extended = torch.cat([x, x[:, 1:2] - x[:, :1], x[:, -1:] - x[:, -2:-1]], 1)
    constant = torch.from_numpy(np.array(level_tensor(x.shape[1], filters.shape[1], mode)))
    return torch.einsum("ck,kij,pjq->cpiq", filters, constant, extended)


@pytest.mark.parametrize("mode", EXTENSIONS)
@pytest.mark.parametrize("taps", [2, 4, 6, 10, 34])
@pytest.mark.parametrize("lanes", [1, 3])
def test_blocks_and_ends_equal_the_dense_level(mode, taps, lanes):
    filters = random(2, taps)
    for size in (64, 65, 66, 67, 4 * taps + 2, 4 * taps + 3, 4 * taps + 4, 4 * taps + 5, 199, 200, 257):
        x = random(2, size, lanes, seed=size)
        expected = dense(x, filters, mode)
        low, high = analyse(x, filters, mode)
        torch.testing.assert_close(torch.stack([low, high]), expected, rtol=0, atol=1e-12 * float(expected.abs().max()))


@pytest.mark.parametrize("mode", EXTENSIONS)
@pytest.mark.parametrize("size", [1, 2, 5, SHORT, 40, LONG, 72, 300])
@pytest.mark.parametrize("lanes", [1, 4])
def test_all_three_are_derivatives_of_one_form(mode, size, lanes):
    if size == 1 and "reflect" in mode:
        pytest.skip("reflection needs two samples")
    taps = 10
    filters, x = random(2, taps), random(3, size, lanes, seed=1)
    outputs = output_length(size, taps, mode)
    low, high = random(3, outputs, lanes, seed=2), random(3, outputs, lanes, seed=3)
    bands = analyse(x, filters, mode)
    form = (low * bands[0]).sum() + (high * bands[1]).sum()
    torch.testing.assert_close((synthesise(low, high, filters, size, mode) * x).sum(), form, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close((correlate(x, low, high, taps, mode) * filters).sum(), form, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", [2, SHORT, 16, LONG, 128, 129])
def test_synthesis_inverts(mode, size):
    wavelet = pywt.Wavelet("db3")
    filters = torch.tensor([wavelet.dec_lo, wavelet.dec_hi], dtype=DOUBLE)
    x = random(2, size, 3)
    back = synthesise(*analyse(x, filters, mode), filters, size, synthesis_mode(mode))
    torch.testing.assert_close(back, x, rtol=0, atol=2e-11)  # PyWavelets' table of db3 is orthonormal to 1e-12


@pytest.mark.parametrize("mode", EXTENSIONS)
@pytest.mark.parametrize(("size", "lanes"), [(SHORT, 1), (SHORT, 2), (LONG, 1), (LONG, 2)])
def test_gradients_of_first_and_second_order(mode, size, lanes):
    taps = 4
    outputs = output_length(size, taps, mode)
    x = random(1, size, lanes).requires_grad_()
    filters = random(2, taps, seed=1).requires_grad_()
    low = random(1, outputs, lanes, seed=2).requires_grad_()
    high = random(1, outputs, lanes, seed=3).requires_grad_()

    # fast_mode compares random projections of the Jacobian in place of its every element.
    for function, inputs in [
        (lambda x, f: analyse(x, f, mode), (x, filters)),
        (lambda low, high, f: synthesise(low, high, f, size, mode), (low, high, filters)),
        (lambda x, low, high: correlate(x, low, high, taps, mode), (x, low, high)),
    ]:
        assert gradcheck(function, inputs, fast_mode=size == LONG)
        assert gradgradcheck(function, inputs, fast_mode=size == LONG)


def test_unneeded_gradients_are_not_computed():
    filters, x = random(2, 4), random(1, LONG, 1).requires_grad_()
    low, _ = analyse(x, filters, "zero")
    (gradient,) = torch.autograd.grad(low.sum(), x)
    expected = synthesise(torch.ones_like(low), torch.zeros_like(low), filters, LONG, "zero")
    torch.testing.assert_close(gradient, expected, rtol=0, atol=0)


@pytest.mark.parametrize("batch", [0, 1])
@pytest.mark.parametrize("size", [SHORT, LONG])
def test_empty_batches(batch, size):
    low, high = analyse(torch.zeros(batch, size, 1), torch.zeros(2, 4), "zero")
    assert low.shape == high.shape == (batch, output_length(size, 4, "zero"), 1)
    assert synthesise(low, high, torch.zeros(2, 4), size, "zero").shape == (batch, size, 1)
    assert correlate(torch.zeros(batch, size, 1), low, high, 4, "zero").shape == (2, 4)


@pytest.mark.parametrize("size", [SHORT, LONG])
def test_operators_are_well_formed(size):
    """PyTorch's own check of a custom operator: schema, fake tensors, autograd registration, AOT dispatch."""
    x, filters = random(2, size, 3).requires_grad_(), random(2, 4, seed=1).requires_grad_()
    low, high = (band.detach() for band in analyse(x, filters, "symmetric"))
    operators, opcheck = torch.ops.awd_core, torch.library.opcheck
    opcheck(operators.analyse.default, (x, filters, "symmetric"))
    opcheck(operators.synthesise.default, (low.requires_grad_(), high.requires_grad_(), filters, size, "symmetric"))
    opcheck(operators.correlate.default, (x, low, high, 4, "symmetric"))


def test_autocast_does_not_reach_the_products():
    x, filters = random(2, LONG, 3).float(), random(2, 4, seed=1).float()
    expected = analyse(x, filters, "zero")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        bands = analyse(x, filters, "zero")
    for band, reference in zip(bands, expected, strict=True):
        torch.testing.assert_close(band, reference, rtol=0, atol=0)


def test_long_thin_signals_equal_wide_ones():
    """One long signal is gathered into many windows a call; a wide batch is not: the same numbers must come out."""
    filters, x = random(2, 10), random(1, 5000, 1, seed=4)
    wide = x.expand(300, 5000, 1)
    for mode in ("zero", "periodization", "smooth"):
        for one, many in zip(analyse(x, filters, mode), analyse(wide, filters, mode), strict=True):
            torch.testing.assert_close(many, one.expand_as(many), rtol=0, atol=1e-12 * float(one.abs().max()))
        low, high = analyse(x, filters, mode)
        one = synthesise(low, high, filters, 5000, mode)
        many = synthesise(low.expand(300, -1, 1), high.expand(300, -1, 1), filters, 5000, mode)
        torch.testing.assert_close(many, one.expand_as(many), rtol=0, atol=1e-12 * float(one.abs().max()))
        one, many = (
            correlate(x, low, high, 10, mode),
            correlate(wide, low.expand(300, -1, 1), high.expand(300, -1, 1), 10, mode),
        )
        torch.testing.assert_close(many / 300, one, rtol=1e-12, atol=0)
