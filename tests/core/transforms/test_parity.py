"""Parity with PyWavelets: every orthogonal wavelet, mode and short length; values, shapes, and reading each other."""

import warnings

import numpy as np
import pytest
import pywt
import torch

from awd_core import MODES, DWT1d, DWT2d, Wavelet
from tolerances import relative

ORTHOGONAL = [name for name in pywt.wavelist(kind="discrete") if pywt.Wavelet(name).orthogonal]
LEVELS = 4  # the details of every level below are part of the comparison
LENGTHS = range(1, 71)
SHORT, STEP = 12, 4
"""All lengths to `SHORT`; beyond it each is compared for every wavelet in a quarter of the modes, and for every mode
with a quarter of the wavelets: nothing in the transform knows a length with a wavelet and a mode."""

pytestmark = pytest.mark.filterwarnings("ignore:.*all coefficients will experience boundary effects:UserWarning")


def too_short(shape: tuple[int, ...], taps: int, mode: str, levels: int) -> bool:
    """Whether PyWavelets refuses: reflection needs two samples at every level."""
    if "reflect" not in mode:
        return False
    for _ in range(levels):
        if min(shape) < 2:
            return True
        shape = tuple((size + taps - 1) // 2 for size in shape)
    return False


def flat(coefficients: list) -> list[np.ndarray]:
    return [band for entry in coefficients for band in (entry if isinstance(entry, tuple) else (entry,))]


def largest(coefficients: list) -> float:
    """Largest coefficient: what rounding is relative to, and with smooth extension far larger than the signal."""
    return max(np.abs(band).max() for band in flat(coefficients))


def reachable(own_error: np.ndarray, scale: float, dtype: torch.dtype) -> float:
    """Bound on the error of the inverse: rounding, or what PyWavelets' own inverse reaches with a rounded table."""
    return max(relative(dtype) * scale, 2 * np.abs(own_error).max())


def bound(name: str, mode: str, dtype: torch.dtype) -> float:
    """Bound on the relative error of coefficients.

    Smooth extension carries the rounding of two samples over L of them, and the next level does so again: in float32
    that is L² units of rounding, more than 1e-5 (PyWavelets' own error reaches 8e-5 with the 40 taps of db20).
    """
    if mode == "smooth" and dtype == torch.float32:
        return max(relative(dtype), pywt.Wavelet(name).dec_len ** 2 * torch.finfo(dtype).eps)
    return relative(dtype)


def largest_error(ours: list, theirs: list) -> float:
    """Largest difference of any coefficient, relative to the largest coefficient."""
    ours, theirs = flat(ours), flat(theirs)
    assert [band.shape for band in ours] == [band.shape for band in theirs]
    return max(np.abs(a - b).max() for a, b in zip(ours, theirs, strict=True)) / largest(theirs)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ORTHOGONAL)
def test_1d_every_short_length(name, mode):
    rng = np.random.default_rng(len(name))
    wavelet = pywt.Wavelet(name)
    dwt = DWT1d(Wavelet.from_name(name), LEVELS, mode)
    compared = 0
    turn = (ORTHOGONAL.index(name) + MODES.index(mode)) % STEP
    lengths = [length for length in LENGTHS if length <= SHORT or length % STEP == turn]
    for k, length in enumerate(lengths):
        x = rng.standard_normal((2, length))
        if too_short((length,), wavelet.dec_len, mode, LEVELS):
            with pytest.raises(ValueError, match="needs two samples or more"):
                dwt(torch.from_numpy(x))
            continue
        theirs = pywt.wavedec(x, wavelet, mode, LEVELS)
        ours = dwt(torch.from_numpy(x))
        assert largest_error(ours.numpy(), theirs) < relative(torch.float64)

        compared += 1
        even = pywt.waverec(theirs, wavelet, mode)
        scale = largest(theirs)
        assert np.abs(dwt.inverse(ours).numpy() - x).max() < reachable(even[:, :length] - x, scale, torch.float64)
        # Each reads the other's: the same coefficients, so that a third of the lengths, odd and even, will do.
        if k % 3 == 0:
            read = dwt.inverse([torch.from_numpy(band) for band in theirs])
            assert read.shape == even.shape
            assert np.abs(read.numpy() - even).max() < relative(torch.float64) * scale
            again = pywt.waverec(list(ours.numpy()), wavelet, mode)
            assert np.abs(again - even).max() < relative(torch.float64) * scale
    assert compared >= len(lengths) - 2**LEVELS


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("length", [1000, 4097, 65536])
@pytest.mark.parametrize("name", ["haar", "db5", "sym8", "coif5", "db38"])
def test_1d_long(name, length, mode, dtype):
    x = torch.from_numpy(np.random.default_rng(0).standard_normal((2, length))).to(dtype)
    dwt = DWT1d(name, 5, mode)
    coefficients = dwt(x)
    theirs = pywt.wavedec(x.double().numpy(), name, mode, 5)
    assert largest_error(coefficients.numpy(), theirs) < bound(name, mode, dtype)
    assert coefficients[0].dtype == dtype
    own_error = pywt.waverec(theirs, name, mode)[:, :length] - x.numpy()
    assert (dwt.inverse(coefficients) - x).abs().max() < reachable(own_error, largest(theirs), dtype)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shape", [(1, 1), (2, 5), (7, 64), (31, 30), (40, 41), (129, 65), (128, 200), (301, 90)])
@pytest.mark.parametrize("name", ["haar", "db2", "db5", "sym7", "coif3", "db20"])
def test_2d(name, shape, mode, dtype):
    levels = 3
    x = torch.from_numpy(np.random.default_rng(1).standard_normal((2, 3, *shape))).to(dtype)
    dwt = DWT2d(name, levels, mode)
    if too_short(shape, pywt.Wavelet(name).dec_len, mode, levels):
        with pytest.raises(ValueError, match="needs two samples or more"):
            dwt(x)
        return
    ours = dwt(x)
    theirs = pywt.wavedec2(x.double().numpy(), name, mode, levels)
    assert largest_error(ours.numpy(), theirs) < bound(name, mode, dtype)
    even = pywt.waverec2(theirs, name, mode)
    scale = largest(theirs)
    own_error = even[..., : shape[0], : shape[1]] - x.numpy()
    assert (dwt.inverse(ours) - x).abs().max() < reachable(own_error, scale, dtype)
    assert np.abs(pywt.waverec2(list(ours.numpy()), name, mode) - even).max() < 2 * relative(dtype) * scale


def test_2d_a_wavelet_for_each_axis():
    x = torch.from_numpy(np.random.default_rng(2).standard_normal((3, 50, 77)))
    dwt = DWT2d(("db2", "sym5"), 2, "reflect")
    ours = dwt(x)
    assert largest_error(ours.numpy(), pywt.wavedec2(x.numpy(), ("db2", "sym5"), "reflect", 2)) < relative(x.dtype)
    assert (dwt.inverse(ours) - x).abs().max() < 10 * relative(x.dtype)


@pytest.mark.parametrize("name", ["haar", "db5", "coif2"])
@pytest.mark.parametrize("size", [1, 3, 9, 10, 18, 36, 100])
def test_automatic_level(name, size):
    x = np.random.default_rng(3).standard_normal((size, size + 5))
    assert largest_error(DWT1d(name)(torch.from_numpy(x[:1])).numpy(), pywt.wavedec(x[:1], name)) < 1e-12
    assert largest_error(DWT2d(name)(torch.from_numpy(x)).numpy(), pywt.wavedec2(x, name)) < 1e-12


def test_warns_like_pywavelets():
    x = torch.zeros(2, 40)
    with pytest.warns(UserWarning, match="all coefficients will experience boundary effects"):
        pywt.wavedec(x.numpy(), "db5", "zero", 4)
    with pytest.warns(UserWarning, match="levels is 4, more than the 2 that fit .*boundary effects"):
        DWT1d("db5", 4, "zero")(x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        DWT1d("db5", 2, "zero")(x)
