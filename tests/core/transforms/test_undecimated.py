"""The undecimated transform: against PyWavelets, by its identities, and its derivatives."""

import numpy as np
import pytest
import pywt
import torch

from awd_core.transforms import UNDECIMATED_MODES, undecimated
from awd_core.transforms.extension import extension
from awd_core.transforms.undecimated import undecimated_levels
from awd_core.wavelets import Wavelet, lattice_taps
from awd_core.wavelets.filters import high_pass
from tolerances import relative

WAVELETS = ["haar", "db2", "db5", "coif1", Wavelet.from_angles([0.3, -0.7, 1.1, np.pi / 4 - 0.7])]
WITHIN = relative(torch.float64)


def signal(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape))


@pytest.mark.parametrize("wavelet", WAVELETS, ids=str)
def test_series_as_pywavelets(wavelet):
    x = signal(3, 32)
    theirs = pywt.swt(x.numpy(), Wavelet.of(wavelet).to_pywt(), 3, norm=True)
    for level, (a, d) in zip(undecimated(x, wavelet, 3, "periodic"), theirs[::-1], strict=True):
        torch.testing.assert_close(level.approximation, torch.from_numpy(a), rtol=0, atol=WITHIN)
        torch.testing.assert_close(level.details[0], torch.from_numpy(d), rtol=0, atol=WITHIN)


@pytest.mark.parametrize("wavelet", WAVELETS, ids=str)
def test_images_as_pywavelets(wavelet):
    x = signal(2, 16, 24)
    theirs = pywt.swt2(x.numpy(), Wavelet.of(wavelet).to_pywt(), 3, norm=True)
    for level, (a, details) in zip(undecimated(x, wavelet, 3, "periodic", ndim=2), theirs[::-1], strict=True):
        for ours, band in zip((level.approximation, *level.details), (a, *details), strict=True):
            torch.testing.assert_close(ours, torch.from_numpy(band), rtol=0, atol=WITHIN)


@pytest.mark.parametrize("mode", UNDECIMATED_MODES)
@pytest.mark.parametrize("size", [7, 12])
def test_boundaries_are_those_of_numpy(mode, size):
    numpy_name = {"zero": "constant", "constant": "edge", "symmetric": "symmetric", "periodic": "wrap"}.get(mode, mode)
    x = signal(size).numpy()
    places = extension(size, 4, 5, mode)
    np.testing.assert_array_equal(np.append(x, 0.0)[places], np.pad(x, (4, 5), numpy_name))


@pytest.mark.parametrize("ndim", [1, 2])
@pytest.mark.parametrize("wavelet", WAVELETS[1:], ids=str)
def test_energy_is_kept(ndim, wavelet):
    x = signal(2, 19, 33)
    wavelet = Wavelet.from_angles(Wavelet.of(wavelet).angles)  # some tables have eleven digits
    levels = undecimated(x, wavelet, 4, "periodic", ndim=ndim)
    energy = sum((band**2).sum() for level in levels for band in level.details)
    torch.testing.assert_close(energy + (levels[-1].approximation ** 2).sum(), (x**2).sum(), rtol=1e-12, atol=0)


def test_a_coefficient_belongs_to_its_sample():
    """A pulse is seen by the samples that the module's description names, and no others."""
    x = torch.zeros(96, dtype=torch.float64)
    x[48] = 1.0
    half = Wavelet.from_name("db5").length // 2
    for level, bands in enumerate(undecimated(x, "db5", 3, "zero"), start=1):
        # The sample i sees from i − before to i + behind: the pulse is seen from 48 − behind to 48 + before.
        before, behind = (2**level - 1) * (half - 1), (2**level - 1) * half
        for band in (bands.approximation, *bands.details):
            seen = torch.nonzero(band.abs() > 1e-15).ravel()
            assert (int(seen[0]), int(seen[-1])) == (48 - behind, 48 + before)


def test_zeros_around_the_signal_keep_what_lies_beyond_its_ends():
    """With the zeros that the module's description names, a band is one convolution of the signal on the line."""
    x, levels, wavelet = signal(20), 3, Wavelet.from_name("db3")
    width = (2**levels - 1) * wavelet.length // 2
    padded = torch.nn.functional.pad(x, (width, width))
    equivalent = np.ones(1)
    for level, bands in enumerate(undecimated(padded, wavelet, levels, "zero")):
        low, high = np.zeros((2, (wavelet.length - 1) * 2**level + 1))
        low[:: 2**level], high[:: 2**level] = wavelet.rec_lo / np.sqrt(2), wavelet.rec_hi / np.sqrt(2)
        detail, equivalent = np.convolve(equivalent, high), np.convolve(equivalent, low)
        before = (2 ** (level + 1) - 1) * (wavelet.length // 2 - 1)
        around = np.pad(x.numpy(), (before, len(detail)))
        expected = np.correlate(around, detail, "valid")[:20]
        np.testing.assert_allclose(bands.details[0][width:-width].numpy(), expected, atol=1e-12)


def test_a_filter_for_each_level():
    x = signal(2, 30)
    both = undecimated(x, ["db3", "haar"], 2)
    torch.testing.assert_close(both[0], undecimated(x, "db3", 1)[0], rtol=0, atol=0)
    coarse = both[0].approximation
    step_two = torch.stack([undecimated(coarse[:, k::2], "haar", 1, "periodic")[0].details[0] for k in range(2)], -1)
    torch.testing.assert_close(
        undecimated(x, ["db3", "haar"], 2)[1].details[0][:, :28], step_two.reshape(2, 30)[:, :28]
    )


@pytest.mark.parametrize("mode", UNDECIMATED_MODES)
@pytest.mark.parametrize("ndim", [1, 2])
def test_derivatives_into_signal_and_angles(mode, ndim):
    x = signal(*(1, 5, 6)[2 - ndim :]).requires_grad_()
    angles = torch.tensor(Wavelet.from_name("db2").angles, requires_grad=True)

    def bands(values, angles):
        low = lattice_taps(angles)
        bank = torch.stack([low, high_pass(low)])
        levels = undecimated_levels(values, [bank, bank], mode, ndim)
        return tuple(band for level in levels for band in (level.approximation, *level.details))

    assert torch.autograd.gradcheck(bands, (x, angles))
    assert torch.autograd.gradgradcheck(bands, (x, angles))


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"mode": "smooth"}, ValueError, "mode is 'smooth'; choose one of zero, constant, symmetric"),
        ({"levels": 0}, ValueError, "levels is 0; give a positive whole number"),
        ({"ndim": 3}, ValueError, "ndim is 3; give 1 for signals or 2 for images"),
        ({"wavelet": ["haar"]}, ValueError, "1 filters for 2 levels; give one, or one for each"),
        ({"x": torch.arange(4)}, TypeError, "the signal is torch.int64; give float32 or float64"),
        ({"x": np.zeros(4)}, TypeError, "the signal is ndarray; give a torch tensor"),
    ],
)
def test_what_is_refused(options, error, match):
    given = {"x": signal(2, 8), "wavelet": "db2", "levels": 2} | options
    with pytest.raises(error, match=match):
        undecimated(**given)
