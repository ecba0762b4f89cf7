"""Kernels as the paper and its code describe them, written out here once more."""

import os
from pathlib import Path

import numpy as np
import pytest
import pywt
import torch
from scipy.ndimage import correlate

from awd_core.wavelets.wavelet import Wavelet
from awd_cosmo.statistics import kernels as module
from awd_cosmo.statistics.kernels import (
    LAPLACE_V1,
    LAPLACE_V2,
    LINEAR,
    RAW,
    checked_kernels,
    correlation_pair,
    filter_values,
    low_pass_taps,
    neighbourhoods,
    wavelet_kernels,
)

AWAVE = os.environ.get("AWD_AWAVE")


def kernels_by_hand(name, windows_left_out):
    """After the description: taps as the published transform stores them, then the strongest three of each filter."""
    h = np.array(pywt.Wavelet(name).dec_lo)[::-1]
    g = np.array([(-1) ** n * h[len(h) - 1 - n] for n in range(len(h))])
    small = []
    for taps in (h, g):
        squares = [((taps[i : i + 3] - taps.mean()) ** 2).sum() for i in range(len(taps) - 2 - windows_left_out)]
        start = squares.index(max(squares))
        small.append(taps[start : start + 3])
    (h, g), made = small, []
    for along_x, along_y in ((h, h), (h, g), (g, h), (g, g)):
        made.append(np.array([[along_y[i] * along_x[j] for j in range(3)] for i in range(3)]))
    return made[:1] + [kernel - kernel.mean() for kernel in made[1:]]


@pytest.mark.parametrize("name", ["db2", "db3", "db5", "sym5", "coif2", "db10"])
@pytest.mark.parametrize(("windows", "left_out"), [("published", 1), ("all", 0)])
def test_kernels_of_wavelets(name, windows, left_out):
    np.testing.assert_allclose(
        wavelet_kernels(name, windows=windows), kernels_by_hand(name, left_out), rtol=0, atol=1e-15
    )


def test_what_the_last_window_decides_for_db5():
    assert np.abs(wavelet_kernels("db5") - wavelet_kernels("db5", windows="all"))[1:].max() > 0.1
    np.testing.assert_array_equal(wavelet_kernels("db5")[0], wavelet_kernels("db5", windows="all")[0])


def test_details_do_not_see_a_constant_unless_asked():
    assert np.abs(wavelet_kernels("db5")[1:].sum(axis=(1, 2))).max() < 1e-15
    raw = wavelet_kernels("db5", centred=False)
    assert np.abs(raw[1:].sum(axis=(1, 2))).max() > 1e-3
    assert np.linalg.matrix_rank(raw[1]) == 1


def test_every_way_to_name_a_wavelet():
    expected = wavelet_kernels("db3")
    for wavelet in (Wavelet.from_name("db3"), pywt.Wavelet("db3"), pywt.Wavelet("db3").dec_lo):
        np.testing.assert_array_equal(wavelet_kernels(wavelet), expected)
    assert wavelet_kernels("haar").shape == (4, 3, 3)


def test_the_pair_is_that_of_pywavelets():
    low, high = correlation_pair("db5")
    np.testing.assert_array_equal(low, pywt.Wavelet("db5").rec_lo)
    np.testing.assert_array_equal(high, pywt.Wavelet("db5").rec_hi)


@pytest.mark.parametrize("taps", [[1.0, 0.0, 0.0], [[1.0, 1.0]], [], [np.nan, 1.0]])
def test_taps_of_the_wrong_form(taps):
    with pytest.raises(ValueError, match="even number of finite values"):
        low_pass_taps(taps)


def test_other_bad_input():
    with pytest.raises(ValueError, match="add up to √2"):
        low_pass_taps([0.5, 0.5])
    with pytest.raises(ValueError, match="windows is 'last'; choose one of published, all"):
        wavelet_kernels("db5", windows="last")
    with pytest.raises(ValueError, match="db55"):
        wavelet_kernels("db55")
    with pytest.raises(ValueError, match=r"\(k, 3, 3\) or \(3, 3\), got \(5, 5\)"):
        checked_kernels(np.ones((5, 5)))
    with pytest.raises(ValueError, match="finite"):
        checked_kernels(np.full((3, 3), np.inf))


def test_the_classical_filters():
    np.testing.assert_allclose(
        LAPLACE_V1, [[-1 / 6, -2 / 3, -1 / 6], [-2 / 3, 10 / 3, -2 / 3], [-1 / 6, -2 / 3, -1 / 6]]
    )
    np.testing.assert_array_equal(LAPLACE_V2, [[0, -1, 0], [-1, 4, -1], [0, -1, 0]])
    for kernel in (LAPLACE_V1, LAPLACE_V2):
        assert abs(kernel.sum()) < 1e-15
    assert RAW.sum() == RAW[1, 1] == 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_equal_those_of_the_filtered_map(dtype):
    kappa = np.random.default_rng(0).normal(size=(9, 11)).astype(dtype)
    y, x = np.divmod(np.arange(99), 11)
    positions = np.flatnonzero((y > 0) & (y < 8) & (x > 0) & (x < 10))
    kernels = np.stack([*LINEAR.values(), *wavelet_kernels("db5"), np.zeros((3, 3))])
    values = filter_values(kernels, neighbourhoods(kappa.ravel(), positions, 11, kernels))
    assert values.dtype == dtype
    for kernel, row in zip(kernels, values, strict=True):
        expected = correlate(kappa.astype(float), kernel).ravel()[positions]
        # nine products of numbers up to 10
        np.testing.assert_allclose(row, expected, rtol=0, atol=100 * np.finfo(dtype).eps)


def test_values_of_each_filter_alone():
    """Only the taps of the filter are fetched; the others must not matter."""
    kappa = np.random.default_rng(0).normal(size=(6, 7))
    positions = np.array([8, 17, 24])
    for kernel in LINEAR.values():
        values = filter_values(kernel[None], neighbourhoods(kappa.ravel(), positions, 7, kernel[None]))
        np.testing.assert_allclose(values[0], correlate(kappa, kernel).ravel()[positions], rtol=0, atol=1e-13)


def test_roberts_cross():
    kappa = np.random.default_rng(0).normal(size=(5, 6))
    y, x = 2, 3
    expected = 0.0
    for top in (y - 1, y):
        for left in (x - 1, x):
            (a, b), (c, d) = kappa[top : top + 2, left : left + 2]
            expected += np.sqrt((a - d) ** 2 + (b - c) ** 2)
    around = neighbourhoods(kappa.ravel(), np.array([y * 6 + x]), 6)
    np.testing.assert_allclose(filter_values("roberts_cross", around), [[expected]], rtol=1e-15)


@pytest.mark.parametrize("kernels", ["roberts_cross", wavelet_kernels("db5")], ids=["roberts", "db5"])
def test_tensors_have_the_same_values(kernels):
    around = np.random.default_rng(1).normal(size=(9, 50)).astype(np.float32)
    tensor = filter_values(kernels, torch.from_numpy(around))
    np.testing.assert_allclose(tensor.numpy(), filter_values(kernels, around), rtol=1e-6, atol=1e-6)
    assert module.FILTERS == ("raw", "laplace_v1", "laplace_v2", "roberts_cross")


@pytest.mark.skipif(AWAVE is None, reason="name a checkout of Yu-Group/adaptive-wavelets by AWD_AWAVE")
@pytest.mark.parametrize("name", ["db5", "db3", "sym5"])
def test_they_are_those_of_the_published_code(name, monkeypatch):
    monkeypatch.syspath_prepend(AWAVE)
    monkeypatch.syspath_prepend(str(Path(AWAVE) / "notebooks" / "cosmology"))
    theirs = pytest.importorskip("eval_cosmology")
    misc = pytest.importorskip("awave.utils.misc")
    transform = theirs.awave.DWT2d(wave=name, mode="zero", J=4)
    published = theirs.extract_patches(*misc.get_2dfilts(transform)[0])
    np.testing.assert_allclose(wavelet_kernels(name), np.stack(published), rtol=0, atol=1e-6)  # float32
