"""Peaks and minima against a plain loop, scikit-image and the definition."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage.feature import peak_local_max

from awd_cosmo.statistics import peaks as module
from awd_cosmo.statistics.peaks import find_peaks, for_each_block, in_threads, peak_positions, usable_pixels


def plain_loop(kappa, mask=None, sign=1):
    """The definition, pixel by pixel, for one map."""
    ny, nx = kappa.shape
    found = np.zeros((ny, nx), bool)
    for y in range(1, ny - 1):
        for x in range(1, nx - 1):
            if mask is not None and not mask[y - 1 : y + 2, x - 1 : x + 2].all():
                continue
            others = [sign * kappa[y + i, x + j] for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0)]
            found[y, x] = all(sign * kappa[y, x] > other for other in others)
    return found


def noise(shape, seed=0, dtype=np.float32):
    return np.random.default_rng(seed).normal(0, 0.02, shape).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, ">f4", ">f8", np.float16, np.int16])
@pytest.mark.parametrize("shape", [(3, 17, 23), (1, 3, 3), (2, 2, 9), (1, 1, 1), (0, 8, 8)])
def test_random_maps(shape, dtype):
    maps = (1000 * noise(shape)).astype(dtype)  # as integers and in half precision they tie here and there
    expected = np.array([plain_loop(kappa) for kappa in maps]).reshape(shape)
    np.testing.assert_array_equal(find_peaks(maps), expected)
    lower = np.array([plain_loop(kappa.astype(float), sign=-1) for kappa in maps]).reshape(shape)
    np.testing.assert_array_equal(find_peaks(maps, kind="minima"), lower)


@settings(max_examples=150, deadline=None)
@given(
    hnp.arrays(np.int8, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9), elements=st.integers(0, 3))
)
def test_tied_maps(kappa):
    np.testing.assert_array_equal(find_peaks(kappa), plain_loop(kappa))


@settings(max_examples=100, deadline=None)
@given(
    hnp.arrays(np.bool_, (7, 8), elements=st.booleans() | st.just(True)),
    st.integers(0, 2**32 - 1),
    st.sampled_from(["peaks", "minima"]),
)
def test_masked_maps(mask, seed, kind):
    kappa = noise((7, 8), seed)
    kappa[~mask] = np.nan  # nobody may look there
    if not mask.any():
        with pytest.raises(ValueError, match="leaves nothing"):
            find_peaks(kappa, mask=mask)
        return
    found = find_peaks(kappa, mask=mask, kind=kind)
    np.testing.assert_array_equal(found, plain_loop(kappa, mask, 1 if kind == "peaks" else -1))


def test_a_mask_for_each_map():
    maps, masks = noise((5, 12, 11)), np.random.default_rng(1).random((5, 12, 11)) > 0.05
    expected = [plain_loop(kappa, mask) for kappa, mask in zip(maps, masks, strict=True)]
    np.testing.assert_array_equal(find_peaks(maps, mask=masks.astype(int)), expected)


@pytest.mark.parametrize("seed", range(5))
def test_it_agrees_with_scikit_image_where_nothing_ties(seed):
    kappa = noise((60, 70), seed, np.float64)
    theirs = peak_local_max(kappa, min_distance=1, exclude_border=1)
    assert set(map(tuple, theirs)) == set(map(tuple, np.argwhere(find_peaks(kappa))))


def test_a_plateau_has_no_peak_here_and_has_one_there():
    kappa = np.zeros((6, 7))
    kappa[2, 2:4] = 1.0
    assert not find_peaks(kappa).any()
    assert len(peak_local_max(kappa, min_distance=1, exclude_border=1)) > 0


def test_real_maps(real_data):
    for name in ("convergence_z15.fit", "convergence_z103.fit"):
        kappa = fits.getdata(real_data / "cosmo" / name)
        assert kappa.dtype.byteorder == ">"
        marked = find_peaks(kappa)
        np.testing.assert_array_equal(marked[:100, :90][1:-1, 1:-1], plain_loop(kappa[:100, :90])[1:-1, 1:-1])
        theirs = peak_local_max(kappa.astype(float), min_distance=1, exclude_border=1)
        alone = [(y, x) for y, x in theirs if (kappa[y - 1 : y + 2, x - 1 : x + 2] == kappa[y, x]).sum() == 1]
        assert set(map(tuple, np.argwhere(marked))) == set(alone)
        assert len(alone) > 1000


def test_a_real_mask(real_data):
    kappa = fits.getdata(real_data / "cosmo" / "unmasked.fit")
    mask = fits.getdata(real_data / "cosmo" / "mask.fit")
    found = find_peaks(kappa, mask=mask)
    window = np.s_[200:300, 150:260]
    np.testing.assert_array_equal(found[window][1:-1, 1:-1], plain_loop(kappa[window], mask[window] > 0)[1:-1, 1:-1])
    assert 0 < found.sum() < find_peaks(kappa).sum()


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_neither_threads_nor_blocks_change_anything(workers, monkeypatch):
    maps = noise((23, 19, 31))
    expected = [plain_loop(kappa) for kappa in maps]
    np.testing.assert_array_equal(find_peaks(maps, workers=workers), expected)
    usable = usable_pixels(maps.shape)
    np.testing.assert_array_equal(peak_positions(maps, usable), np.flatnonzero(expected))


def test_tensors():
    maps = noise((4, 20, 21))
    found = find_peaks(torch.from_numpy(maps).requires_grad_())
    assert found.dtype == torch.bool
    np.testing.assert_array_equal(found.numpy(), find_peaks(maps))


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(
    not torch.cuda.is_available(), reason="no CUDA device"))])  # fmt: skip
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_tensors_on_a_device(device, dtype):
    maps = torch.from_numpy(noise((3, 20, 21))).to(device, dtype)  # in bfloat16 many values tie
    mask = np.random.default_rng(2).random((20, 21)) > 0.02
    for kind in module.KINDS:
        found = module._on_device(maps, mask, kind)
        assert found.device.type == device
        expected = find_peaks(maps.double().cpu().numpy(), mask=mask, kind=kind)
        np.testing.assert_array_equal(found.cpu().numpy(), expected)
        single = module._on_device(maps[0], mask, kind)
        np.testing.assert_array_equal(single.cpu().numpy(), expected[0])
    maps[1, 2, 3] = torch.nan
    with pytest.raises(ValueError, match="map 1 holds NaN"):
        module._on_device(maps, None, "peaks")
    with pytest.raises(ValueError, match=r"shape \(ny, nx\)"):
        module._on_device(maps[0, 0], None, "peaks")
    with pytest.raises(TypeError, match=r"maps\.float"):
        module._on_device(maps.int(), None, "peaks")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused_with_its_place(value):
    maps = noise((40, 16, 16))
    maps[31, 5, 7] = value
    with pytest.raises(ValueError, match=r"map 31 holds .* at row 5, column 7 \(1 such"):
        find_peaks(maps, workers=2)
    mask = np.ones((16, 16), bool)
    mask[5, 7] = False
    assert not find_peaks(maps, mask=mask)[:, 4:7, 6:9].any()


def test_values_whose_sum_overflows_are_no_infinities():
    maps = np.full((1, 5, 5), 3e38, np.float32)
    assert not find_peaks(maps).any()


def test_bad_input():
    kappa = noise((6, 6))
    for bad, error, words in (
        (kappa[0], ValueError, r"shape \(n, ny, nx\)"),
        (kappa.astype(complex), TypeError, "real numbers"),
        (np.array([["a"]]), TypeError, "real numbers"),
        (np.zeros((2, 0, 4)), ValueError, r"shape \(n, ny, nx\)"),
    ):
        with pytest.raises(error, match=words):
            find_peaks(bad)
    with pytest.raises(ValueError, match=r"a mask must have .* got \(5, 6\)"):
        find_peaks(kappa, mask=np.ones((5, 6)))
    with pytest.raises(ValueError, match="other values"):
        find_peaks(kappa, mask=np.full((6, 6), 0.5))
    with pytest.raises(ValueError, match=r"kind is 'maxima'.*choose one of peaks, minima"):
        find_peaks(kappa, kind="maxima")
    with pytest.raises(ValueError, match="workers is 0; give a positive whole number, or None"):
        find_peaks(kappa, workers=0)


class Shelf:
    """A stack that is read by slices and is no array."""

    def __init__(self, maps):
        self.maps, self.shape, self.dtype, self.read = maps, maps.shape, maps.dtype, []

    def __getitem__(self, rows):
        self.read.append(rows)
        return self.maps[rows]


def test_a_stack_is_read_in_chunks(monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 8 * 64)
    shelf, seen = Shelf(noise((21, 8, 8))), {}
    for_each_block(shelf, lambda start, block: seen.update({start: block}), pixels=128)
    assert len(shelf.read) == 3
    assert all(start % 2 == 0 and len(block) <= 2 for start, block in seen.items())
    np.testing.assert_array_equal(np.concatenate([seen[start] for start in sorted(seen)]), shelf.maps)


def test_what_a_thread_raises_comes_out():
    def work(item):
        if item == 3:
            raise RuntimeError("in item 3")

    with pytest.raises(RuntimeError, match="in item 3"):
        in_threads(work, range(8), workers=3)


def test_no_heavy_imports():
    script = (
        "import sys\n"
        "for name in ('torch', 'sklearn', 'scipy', 'pywt', 'astropy', 'matplotlib'): sys.modules[name] = None\n"
        "from awd_cosmo.statistics import counts, scales, starlet, spectrum\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
