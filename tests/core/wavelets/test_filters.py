"""Learnable filters: orthonormal whatever the optimiser does, right gradients, moments held, clear refusals."""

import math

import numpy as np
import pytest
import pywt
import torch
from torch.autograd import gradcheck, gradgradcheck

from awd_core import DWT1d, FixedFilter, FreeFilter, OrthonormalFilter, Wavelet
from awd_core.wavelets.filters import high_pass, lattice_taps
from awd_core.wavelets.lattice import taps_from_angles

DOUBLE = torch.float64


def orthonormality_error(taps: torch.Tensor) -> float:
    h = taps.detach().double().numpy()
    correlation = np.correlate(h, h, "full")[len(h) - 1 :: 2]
    correlation[0] -= 1
    return float(max(np.abs(correlation).max(), abs(h.sum() - math.sqrt(2))))


@pytest.mark.parametrize("name", ["haar", "db2", "db5", "sym8", "coif3", "db20"])
def test_starts_from_a_wavelet(name):
    low = torch.tensor(pywt.Wavelet(name).dec_lo, dtype=DOUBLE)
    # The angles describe the nearest exactly orthonormal filter; PyWavelets' own rounding of sym8 is 2e-13.
    torch.testing.assert_close(OrthonormalFilter(name, dtype=DOUBLE)(), low, rtol=0, atol=1e-12)
    torch.testing.assert_close(FreeFilter(name, dtype=DOUBLE)(), low, rtol=0, atol=0)
    torch.testing.assert_close(FixedFilter(name)(), low, rtol=0, atol=0)


@pytest.mark.parametrize("name", ["haar", "db5", "dmey", "coif17"])
def test_high_pass_is_pywavelets_bit_for_bit(name):
    wavelet = pywt.Wavelet(name)
    assert high_pass(torch.tensor(wavelet.dec_lo, dtype=DOUBLE)).tolist() == wavelet.dec_hi


def test_lattice_in_torch_equals_the_one_in_numpy():
    rng = np.random.default_rng(0)
    for pairs in (1, 2, 3, 7, 20):
        angles = rng.uniform(-math.pi, math.pi, pairs)
        expected = torch.from_numpy(taps_from_angles(angles))
        # Two libraries' sines and cosines, each rounded in its own way, in products of up to twenty.
        torch.testing.assert_close(lattice_taps(torch.from_numpy(angles)), expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("pairs", [1, 2, 5])
def test_gradients_through_the_angles(pairs):
    angles = torch.from_numpy(np.random.default_rng(1).uniform(-3, 3, pairs)).requires_grad_()
    assert gradcheck(lattice_taps, angles)
    assert gradgradcheck(lattice_taps, angles)


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 1e-12), (torch.float32, 1e-6)])
def test_ten_thousand_random_steps_leave_a_wavelet(dtype, bound):
    filter_ = OrthonormalFilter("db5", dtype=dtype)
    generator = torch.Generator().manual_seed(2)
    optimiser = torch.optim.SGD(filter_.parameters(), lr=1.0, momentum=0.5)
    worst = 0.0
    for step in range(10_000):
        filter_.free_angles.grad = 0.3 * torch.randn(4, generator=generator, dtype=dtype)
        optimiser.step()
        if step % 100 == 99:
            worst = max(worst, orthonormality_error(filter_()))
    assert worst < bound
    assert float(filter_.free_angles.detach().abs().max()) > 10  # it did wander

    x = torch.randn(8, 57, generator=generator, dtype=dtype)
    dwt = DWT1d(filter_, 2, "reflect")
    assert float((dwt.inverse(dwt(x)) - x).detach().abs().max()) < 4 * bound * float(x.abs().max())


@pytest.mark.parametrize(("name", "moments"), [("db2", 2), ("db5", 2), ("db5", 3), ("sym8", 4), ("db5", 5)])
def test_vanishing_moments_are_held(name, moments):
    filter_ = OrthonormalFilter(name, vanishing_moments=moments, dtype=DOUBLE)
    generator = torch.Generator().manual_seed(3)
    optimiser = torch.optim.SGD(filter_.parameters(), lr=0.05)
    start = filter_().detach().clone()
    for _ in range(30):
        filter_.zero_grad()
        (filter_() @ torch.randn(filter_.length, generator=generator, dtype=DOUBLE)).backward()
        optimiser.step()
    taps = filter_().detach()
    assert orthonormality_error(taps) < 1e-12
    position = torch.arange(filter_.length, dtype=DOUBLE)
    sign = (-1.0) ** position
    for moment in range(moments):
        assert abs(float((sign * position**moment) @ taps)) < 1e-9 * filter_.length**moment
    moved = float((taps - start).abs().max())
    free_directions = len(filter_.free_angles) - (moments - 1)
    assert (moved > 1e-2) == (free_directions > 0)


def test_gradients_with_moments_held():
    # Off the admissible set, so that the projection's own derivative is tested and not only the identity on the set.
    filter_ = OrthonormalFilter("db4", vanishing_moments=2, noise=0.1, seed=4, dtype=DOUBLE)
    weights = torch.from_numpy(np.random.default_rng(5).standard_normal(8))

    def response(free: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(filter_, {"free_angles": free}, ()) @ weights

    free = filter_.free_angles.detach().clone().requires_grad_()
    assert gradcheck(response, free)
    assert gradgradcheck(response, free, atol=1e-4)


def test_held_moments_that_cannot_be_met():
    filter_ = OrthonormalFilter("db2", vanishing_moments=2, dtype=DOUBLE)
    with torch.no_grad():
        filter_.free_angles.fill_(math.nan)  # as after a step that diverged
    with pytest.raises(RuntimeError, match=r"no filter of 4 taps with 2 vanishing moments .*hold fewer"):
        filter_()


@pytest.mark.parametrize("kind", [OrthonormalFilter, FreeFilter])
def test_noise_is_seeded(kind):
    start = kind("db3")().detach()
    first, again, other = (kind("db3", noise=0.1, seed=seed)().detach() for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert 1e-3 < float((first - start).abs().max()) < 1


@pytest.mark.parametrize("kind", [OrthonormalFilter, FreeFilter])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dtype_and_state(kind, dtype):
    filter_ = kind("db3", dtype=dtype)
    assert filter_().dtype == dtype
    assert filter_.to(torch.float64)().dtype == torch.float64
    other = kind("sym3", dtype=dtype)
    other.load_state_dict(filter_.state_dict())
    torch.testing.assert_close(other(), filter_().to(dtype))


def test_the_wavelet_as_it_stands():
    moved = OrthonormalFilter("db4", noise=0.3, seed=6, dtype=DOUBLE)
    np.testing.assert_allclose(moved.wavelet().dec_lo, moved().detach().numpy(), atol=1e-14)
    np.testing.assert_allclose(moved.wavelet().angles.sum(), math.pi / 4, atol=1e-15)
    free = FreeFilter("db4", noise=0.3, seed=6, dtype=DOUBLE)
    assert free.wavelet().dec_lo.tolist() == free().tolist()
    assert FixedFilter(Wavelet.from_name("sym4")).wavelet().name == "sym4"


def test_a_fixed_filter_follows_the_signal():
    filter_ = FixedFilter("db2")
    assert filter_.bank(torch.zeros(3, dtype=torch.float32)).dtype == torch.float32
    assert filter_.bank(torch.zeros(3, dtype=DOUBLE)).tolist() == [
        pywt.Wavelet("db2").dec_lo,
        pywt.Wavelet("db2").dec_hi,
    ]
    assert list(filter_.parameters()) == []


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: OrthonormalFilter("bior2.2"), "bior2.2.*orthogonal"),
        (lambda: OrthonormalFilter("dmey"), "dmey.*orthonormal"),
        (lambda: OrthonormalFilter("db3", vanishing_moments=0), "vanishing_moments is 0; 6 taps can hold 1 to 3"),
        (lambda: OrthonormalFilter("db3", vanishing_moments=4), "vanishing_moments is 4; 6 taps can hold 1 to 3"),
        (lambda: OrthonormalFilter("db3", noise=0.1), "noise is 0.1 but no seed is given"),
        (lambda: FreeFilter("db3", noise=-1.0, seed=0), "noise is -1.0; give a standard deviation from 0 on"),
    ],
)
def test_refusals(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_refuses_other_dtypes():
    with pytest.raises(TypeError, match=r"dtype is torch\.float16; a filter is float32 or float64"):
        FreeFilter("db3", dtype=torch.float16)


@pytest.mark.parametrize(
    "filter_", [OrthonormalFilter("db3", vanishing_moments=2), FreeFilter("db3"), FixedFilter("db3")]
)
def test_representation_tells_what_it_is(filter_):
    assert type(filter_).__name__ in repr(filter_)
    assert "6 taps" in repr(filter_) or "db3" in repr(filter_)
