"""The L1 norm's gradient: zero, and not a rounding error's sign, where a coefficient is zero in exact arithmetic."""

import numpy as np
import pytest
import torch

from awd_core import DWT1d, DWT2d, FreeFilter, Wavelet
from awd_core.attribution.coefficients import l1_norm
from awd_core.published.losses import sparsity_loss
from awd_core.transforms.l1_norm import ROUNDING, l1_norm_and_gradient, magnitudes

SMOOTH = {
    # Inputs whose details vanish in exact arithmetic, and what makes them do so.
    "line, smooth": ("db5", "smooth", torch.arange(64, dtype=torch.float64) * 0.37 + 0.11),
    "constant, constant": ("db10", "constant", torch.full((64,), 0.7312)),
    "constant, odd length": ("haar", "symmetric", torch.full((37,), 0.7312)),
    "line, antireflect": ("db4", "antireflect", torch.arange(50, dtype=torch.float64) * 0.37 + 0.11),
    "constant, periodization": ("sym5", "periodization", torch.full((64,), 0.7312)),
    "half zero": ("db3", "zero", torch.cat([torch.zeros(40), torch.linspace(1, 2, 24)])),
}


def gradient(taps, x, mode, ndim=1, levels=2):
    return l1_norm_and_gradient(x, torch.from_numpy(taps).to(x.dtype), ndim, levels, mode)[1]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", SMOOTH)
def test_a_change_of_the_taps_in_their_last_digit_hardly_moves_the_gradient(name, dtype):
    wavelet, mode, x = SMOOTH[name]
    # Angles, whose taps are orthonormal to the last digit as PyWavelets' are not.
    taps = Wavelet.from_angles(Wavelet.from_name(wavelet).angles).dec_lo.copy()
    random = np.random.default_rng(0)
    for x_ in (x[None].to(dtype), (x[:, None] * torch.ones(1, 16, dtype=x.dtype))[None].to(dtype)):
        first = gradient(taps, x_, mode, x_.ndim - 1)
        for _ in range(5):
            moved = taps * (1 + 3e-16 * random.choice([-1, 1], len(taps)))
            change = (gradient(moved, x_, mode, x_.ndim - 1) - first).abs().max() / first.abs().max()
            assert float(change) < 100 * torch.finfo(dtype).eps


@pytest.mark.parametrize("ndim", [1, 2])
def test_the_pass_without_a_graph_and_autograd_agree(ndim):
    x = torch.from_numpy(np.random.default_rng(0).standard_normal((3, *[24] * ndim)))
    x[0] = 0.7312  # one input without details
    filter_ = FreeFilter(Wavelet.from_angles(Wavelet.from_name("db3").angles), dtype=torch.float64)
    dwt = (DWT1d if ndim == 1 else DWT2d)(filter_, levels=1, mode="constant")
    for loss, per_sample in ((l1_norm, 1), (sparsity_loss, 3 * 2)):
        (autograd,) = torch.autograd.grad(loss(dwt(x)), filter_.taps)
        ours = l1_norm_and_gradient(x, filter_.taps.detach(), ndim, 1, "constant")[1]
        torch.testing.assert_close(autograd * per_sample, ours)


def test_what_counts_as_zero_is_told_by_each_sample():
    # A faint input beside a bright one, by 20 orders of magnitude, keeps all its coefficients.
    bands = [torch.tensor([[1.0, 0.0, 1e-17], [1e-20, 3e-21, -1e-37]], dtype=torch.float64)]
    (found,) = magnitudes(bands)
    assert found.tolist() == [[1.0, 0.0, 0.0], [1e-20, 3e-21, 0.0]]
    eps = torch.finfo(torch.float64).eps
    edge = [torch.tensor([[1.0, ROUNDING * eps, 2 * ROUNDING * eps]], dtype=torch.float64)]
    assert (magnitudes(edge)[0] > 0).tolist() == [[True, False, True]]


def test_all_zeros_and_what_is_not_a_number():
    assert (
        gradient(Wavelet.from_name("db2").dec_lo.copy(), torch.zeros(2, 32, dtype=torch.float64), "zero").abs().max()
        == 0
    )
    (found,) = magnitudes([torch.tensor([[1.0, torch.nan], [torch.inf, 1.0]])])
    torch.testing.assert_close(found, torch.tensor([[1.0, torch.nan], [torch.inf, 1.0]]), equal_nan=True)
    norm, _ = l1_norm_and_gradient(torch.tensor([[1.0, torch.nan] * 8]), torch.tensor([0.5, 0.5]), 1, 1, "zero")
    assert np.isnan(norm)
