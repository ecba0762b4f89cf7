"""Peak counts against NumPy's histograms of what a plain loop collects, and against their own saved form."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from astropy import units as u
from astropy.io import fits
from scipy.ndimage import correlate
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.utils.validation import check_is_fitted

from awd_core.wavelets.wavelet import Wavelet
from awd_cosmo.formats.pixel_scale import arcmin_per_pixel
from awd_cosmo.statistics import counts as module
from awd_cosmo.statistics import histograms
from awd_cosmo.statistics.counts import PUBLISHED_BOUNDS, PUBLISHED_RANGES, PeakCounts
from awd_cosmo.statistics.histograms import histogram_rows, learnt_edges, some_of, thresholds
from awd_cosmo.statistics.kernels import LAPLACE_V1, wavelet_kernels
from awd_cosmo.statistics.peaks import find_peaks
from awd_cosmo.statistics.statistic import STATISTICS, Statistic

AWAVE = os.environ.get("AWD_AWAVE")


def noise(shape=(6, 40, 50), seed=0, dtype=np.float64):
    return np.random.default_rng(seed).normal(0, 0.02, shape).astype(dtype)


def by_hand(maps, kernels, edges, mask=None):
    """Filter whole maps, take the values at peaks, and let NumPy count."""
    rows = []
    for kappa in maps:
        at = find_peaks(kappa, mask=mask)
        rows.append(np.concatenate([np.histogram(correlate(kappa, k)[at], edges)[0] for k in kernels]))
    return np.array(rows, dtype=float)


def roberts(kappa):
    square = np.hypot(kappa[:-1, :-1] - kappa[1:, 1:], kappa[:-1, 1:] - kappa[1:, :-1])
    total = np.zeros_like(kappa)
    total[1:-1, 1:-1] = square[:-1, :-1] + square[:-1, 1:] + square[1:, :-1] + square[1:, 1:]
    return total


@pytest.mark.parametrize("name", ["raw", "laplace_v1", "laplace_v2"])
def test_published_filters(name):
    counts = PeakCounts(name).fit_transform(noise())
    kernel = PeakCounts(name).fit(noise()).kernels_[0]
    np.testing.assert_array_equal(counts, by_hand(noise(), [kernel], np.linspace(*PUBLISHED_RANGES[name], 23)))
    assert counts.sum() > 500


def test_published_roberts_cross():
    maps = noise()
    expected = [np.histogram(roberts(kappa)[find_peaks(kappa)], np.linspace(0, 0.22, 23))[0] for kappa in maps]
    np.testing.assert_array_equal(PeakCounts("roberts_cross").fit_transform(maps), expected)


@pytest.mark.parametrize("wavelet", ["db5", Wavelet.from_name("sym4"), wavelet_kernels("db2")])
def test_kernels_of_wavelets(wavelet):
    statistic = PeakCounts(wavelet, range=(0, PUBLISHED_BOUNDS[2]))
    counts = statistic.fit_transform(noise())
    assert counts.shape == (6, 88)
    kernels = wavelet if isinstance(wavelet, np.ndarray) else wavelet_kernels(wavelet)
    np.testing.assert_array_equal(counts, by_hand(noise(), kernels, np.linspace(0, 0.025, 23)))
    names = statistic.get_feature_names_out()
    assert len(set(names)) == 88
    assert names[0] == ("kernel 0 0…0.001136" if isinstance(wavelet, np.ndarray) else "LL 0…0.001136")


def test_real_maps(real_data):
    kappa = fits.getdata(real_data / "cosmo" / "convergence_z103.fit")
    maps = kappa.reshape(2, 256, 2, 256).swapaxes(1, 2).reshape(4, 256, 256)
    counts = PeakCounts("raw").fit_transform(maps)
    edges = np.linspace(-0.03, 0.19, 23)
    np.testing.assert_array_equal(counts, by_hand(maps.astype(np.float32), [[[0, 0, 0], [0, 1, 0], [0, 0, 0]]], edges))
    # In float32 a value may fall on the other side of an edge: one of 10⁴ or so.
    db5 = PeakCounts("db5", range=(0, 0.03)).fit_transform(maps)
    exact = by_hand(maps.astype(float), wavelet_kernels("db5"), np.linspace(0, 0.03, 23))
    assert np.abs(db5 - exact).sum() <= 4
    assert exact.sum() > 2000


def test_a_real_mask(real_data):
    kappa = fits.getdata(real_data / "cosmo" / "unmasked.fit").astype(float)
    mask = fits.getdata(real_data / "cosmo" / "mask.fit") > 0
    statistic = PeakCounts("laplace_v1", range=(-0.5, 0.5)).fit(kappa[None])
    expected = by_hand(kappa[None], [LAPLACE_V1], np.linspace(-0.5, 0.5, 23), mask)
    np.testing.assert_array_equal(statistic.transform(kappa[None], mask), expected)
    np.testing.assert_array_equal(statistic.set_params(mask=mask).transform(kappa[None]), expected)
    holes = np.where(mask, kappa, np.nan)[None]
    np.testing.assert_array_equal(statistic.transform(holes), expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_histogram_is_numpys_ties_included(dtype):
    rng = np.random.default_rng(3)
    edges = np.linspace(-0.03, 0.19, 23)
    limits = thresholds(edges, np.dtype(dtype))
    many = np.linspace(-0.03, 0.19, 80)
    # Few values in all, many in some rows, many in all rows; and rows that are cut by what is done at once.
    for sizes in ((0,), (1, 0, 3), (5000, 0, 40, 17), (9000, 9000), (4096,) * 9):
        rows = [rng.choice(edges, size).astype(dtype) + rng.choice([0, 1e-9], size).astype(dtype) for size in sizes]
        expected = [np.histogram(row, edges)[0] for row in rows]
        np.testing.assert_array_equal(histogram_rows(rows, limits), expected)
        expected = [np.histogram(row, many)[0] for row in rows]
        np.testing.assert_array_equal(histogram_rows(rows, thresholds(many, np.dtype(dtype))), expected)
    limits = thresholds(np.array([-np.inf, 0.0, np.inf]), np.dtype(dtype))
    for copies in (1, 2000, 9000):
        counted = histogram_rows([np.array([-1, 0, 2.0] * copies, dtype)] * 2, limits)
        np.testing.assert_array_equal(counted, [[copies, 2 * copies]] * 2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_thresholds_divide_as_edges_do(dtype):
    edges = np.sort(np.random.default_rng(0).normal(size=30))
    limits = thresholds(edges, np.dtype(dtype))
    near = np.concatenate([np.nextafter(edges.astype(dtype), dtype(way)) for way in (-9, 9)] + [edges.astype(dtype)])
    for limit, edge in zip(limits[:-1], edges[:-1], strict=True):
        np.testing.assert_array_equal(near < limit, near.astype(float) < edge)
    np.testing.assert_array_equal(near < limits[-1], near.astype(float) <= edges[-1])


@pytest.mark.parametrize("spacing", histograms.SPACINGS)
def test_learnt_bins(spacing):
    maps = noise((40, 40, 50))
    statistic = PeakCounts("db5", bins=8, range=spacing).fit(maps)
    counts = statistic.transform(maps).reshape(40, 4, 8)
    number = find_peaks(maps).sum(axis=(1, 2))
    np.testing.assert_array_equal(counts.sum(axis=2), np.tile(number[:, None], 4))  # the ends are open
    share = counts.sum(axis=0) / number.sum()
    if spacing == "quantiles":
        np.testing.assert_allclose(share, 1 / 8, rtol=0.01)
    else:
        np.testing.assert_allclose(share[:, [0, -1]], histograms.TAIL, rtol=0.2)
    widths = np.diff(statistic.edges_[:, 1:-1])
    assert (np.ptp(widths, axis=1) < 1e-15).all() == (spacing == "even")
    # What was learnt on training maps does not move with others.
    assert (statistic.transform(2 * maps)[:, 0] != counts[:, 0, 0]).any()
    assert (PeakCounts("db5", bins=8, range=spacing).fit(2 * maps).edges_ != statistic.edges_).any()


def test_some_maps_are_enough_to_learn_bins(monkeypatch):
    monkeypatch.setattr(histograms, "FIT_MAPS", 5)
    maps = noise((21, 6, 6))
    np.testing.assert_array_equal(some_of(maps), maps[::5])
    monkeypatch.setattr(histograms, "FIT_VALUES", 50)
    edges = learnt_edges(np.arange(1000.0), 4, "quantiles")
    np.testing.assert_allclose(edges[1:-1], [245, 490, 735])


def test_given_edges_and_minima():
    maps, edges = noise(), np.array([-0.1, -0.05, 0.0, 0.2])
    counts = PeakCounts("raw", bins=3, range=edges, kind="minima").fit_transform(maps)
    expected = [np.histogram(kappa[find_peaks(-kappa)], edges)[0] for kappa in maps]
    np.testing.assert_array_equal(counts, expected)


def test_per_pixel_and_square_roots():
    maps, mask = noise(), np.ones((40, 50), bool)
    mask[:, 30:] = False
    counts = PeakCounts("raw", mask=mask).fit_transform(maps)
    usable = 38 * 28
    np.testing.assert_allclose(PeakCounts("raw", mask=mask, per="pixel").fit_transform(maps), counts / usable)
    np.testing.assert_allclose(
        PeakCounts("raw", mask=mask, per="pixel", sqrt=True).fit_transform(maps), np.sqrt(counts / usable)
    )
    speck = np.zeros((40, 50), bool)
    speck[3, 3] = True
    with pytest.raises(ValueError, match="no pixel of a map can be counted"):
        PeakCounts("raw", per="pixel").fit(maps).transform(maps, speck)
    assert not PeakCounts("raw").fit(maps).transform(maps, speck).any()


@pytest.mark.parametrize("shape", [(30, 20, 24), (3, 300, 260)])
def test_threads_change_nothing(shape):
    maps = noise(shape, dtype=np.float32)
    expected = PeakCounts("db5", range="normal", workers=1).fit(maps)
    other = PeakCounts("db5", range="normal", workers=3).fit(maps)
    np.testing.assert_array_equal(expected.edges_, other.edges_)
    np.testing.assert_array_equal(expected.transform(maps), other.transform(maps))
    np.testing.assert_array_equal(expected.transform(maps)[1:], expected.transform(maps[1:]))  # nor does the company


@pytest.mark.parametrize("filter", ["raw", "roberts_cross", "db5"])
@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(
    not torch.cuda.is_available(), reason="no CUDA device"))])  # fmt: skip
def test_tensors_are_counted_where_they_lie(filter, device):
    maps, mask = noise((5, 30, 33)), np.random.default_rng(5).random((30, 33)) > 0.01
    statistic = PeakCounts(filter, range=(-0.02, 0.1), per="pixel").fit(maps)
    tensor = torch.from_numpy(maps).to(device)
    expected = statistic.transform(maps, mask)
    np.testing.assert_array_equal(statistic.transform(tensor, mask), expected)
    np.testing.assert_array_equal(statistic._finished(*statistic._counted_on_device(tensor, mask)), expected)


@pytest.mark.parametrize("filter", ["raw", "roberts_cross", "db5", wavelet_kernels("db2")])
def test_saved_form(filter):
    maps, mask = noise(), np.random.default_rng(0).random((40, 50)) > 0.02
    statistic = PeakCounts(filter, range="normal", bins=9, mask=mask, sqrt=True).fit(maps)
    record = json.loads(json.dumps(statistic.to_dict(), allow_nan=False))
    for back in (PeakCounts.from_dict(record), Statistic.from_dict(record)):
        assert type(back) is PeakCounts
        np.testing.assert_array_equal(back.transform(maps), statistic.transform(maps))
        assert back.to_dict() == record
    np.testing.assert_array_equal(clone(back).fit(maps).transform(maps), statistic.transform(maps))


def test_a_saved_wavelet_comes_back_as_its_taps():
    statistic = PeakCounts(Wavelet.from_name("db5"), range=(0, 0.03)).fit(noise())
    back = PeakCounts.from_dict(json.loads(json.dumps(statistic.to_dict())))
    np.testing.assert_array_equal(back.filter, Wavelet.from_name("db5").taps)
    np.testing.assert_array_equal(back.fit(noise()).kernels_, statistic.kernels_)


def test_saved_statistics_need_numpy_only(tmp_path):
    maps = noise()
    statistic = PeakCounts("db5", range=(0, 0.03)).fit(maps)
    (tmp_path / "model.json").write_text(json.dumps(statistic.to_dict()))
    np.save(tmp_path / "maps.npy", maps)
    script = (
        "import sys\n"
        "for name in ('torch', 'sklearn', 'scipy', 'pywt', 'astropy'): sys.modules[name] = None\n"
        "import json, numpy as np\n"
        "from awd_cosmo.statistics.statistic import Statistic\n"
        "back = Statistic.from_dict(json.load(open('model.json')))\n"
        "np.save('counts.npy', back.transform(np.load('maps.npy')))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(np.load(tmp_path / "counts.npy"), statistic.transform(maps))


def test_records_of_something_else():
    record = PeakCounts().fit(noise()).to_dict()
    with pytest.raises(ValueError, match="that of 'Elephants'"):
        Statistic.from_dict({**record, "statistic": "Elephants"})
    with pytest.raises(ValueError, match="of 'ScaleCounts', not of PeakCounts"):
        PeakCounts.from_dict({**record, "statistic": "ScaleCounts"})
    with pytest.raises(ValueError, match="version 2, known is 1"):
        PeakCounts.from_dict({**record, "version": 2})
    assert set(STATISTICS) >= {"PeakCounts", "ScaleCounts"}


def test_scikit_learn_takes_it():
    maps, y = noise((30, 16, 16)), np.arange(30.0)
    pipeline = make_pipeline(PeakCounts("raw", sqrt=True), Ridge())
    assert pipeline.fit(maps, y).predict(maps).shape == (30,)
    check_is_fitted(pipeline)
    pipeline.set_params(peakcounts__bins=5)
    assert pipeline.fit(maps, y)[0].edges_.shape == (1, 6)
    assert repr(PeakCounts("db5", range=(0, 1))) == "PeakCounts(filter='db5', range=(0, 1))"


def test_bad_input():
    maps = noise()
    for parameters, words in (
        ({"filter": "sobel"}, "filter must be raw, .* an orthogonal wavelet or kernels.*sobel"),
        ({"filter": "db5"}, r"range is known for raw.*give range=\(0, b\)"),
        ({"range": "widest"}, "range is 'widest'; choose one of published"),
        ({"range": (1, 0)}, "low < high"),
        ({"range": [0, 1, 2], "bins": 3}, "4 rising edges for 3 bins"),
        ({"range": (0, 1), "bins": 0}, "bins is 0; give a positive whole number"),
        ({"range": "even", "bins": 2}, "bins is 2; give a whole number, 3 or more"),
        ({"per": "sky"}, "per is 'sky'; choose one of map, pixel"),
        ({"per": None}, "per is None; choose one of map, pixel"),
        ({"per": 3}, "per is 3; choose one of map, pixel"),
        ({"kind": "saddles"}, "kind is 'saddles'; choose one of peaks, minima"),
    ):
        with pytest.raises(ValueError, match=words):
            PeakCounts(**parameters).fit(maps)
    with pytest.raises(ValueError, match="not fitted yet"):
        PeakCounts().transform(maps)
    with pytest.raises(ValueError, match="not fitted yet"):
        PeakCounts().to_dict()
    with pytest.raises(ValueError, match="no peaks in the training maps"):
        PeakCounts(range="even").fit(np.zeros((3, 9, 9)))
    with pytest.raises(ValueError, match="no training maps"):
        PeakCounts(range="even").fit(np.zeros((0, 9, 9)))
    with pytest.raises(ValueError, match="no parameter 'colour'"):
        PeakCounts().set_params(colour=1)
    with pytest.raises(ValueError, match="spacing of bins is 'odd'; choose one of"):
        learnt_edges(np.arange(9.0), 4, "odd")


def test_pixel_scales():
    assert arcmin_per_pixel(0.5) == 0.5
    assert arcmin_per_pixel(30 * u.arcsec) == pytest.approx(0.5, rel=1e-14)
    assert arcmin_per_pixel(0.5 * u.arcmin / u.pix) == 0.5
    for bad in (0.0, -1, np.nan, True):
        with pytest.raises(ValueError, match="pixel_scale must be a positive angle"):
            arcmin_per_pixel(bad)
    with pytest.raises(u.UnitConversionError):
        arcmin_per_pixel(1 * u.Mpc)


@pytest.mark.skipif(AWAVE is None, reason="name a checkout of Yu-Group/adaptive-wavelets by AWD_AWAVE")
def test_it_counts_as_the_published_code_does(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(AWAVE) / "notebooks" / "cosmology"))
    theirs = pytest.importorskip("peak_counting")
    maps = noise((4, 60, 60), dtype=np.float32)
    tensor = torch.from_numpy(maps)[:, None]
    for name, method in (("raw", "original"), ("laplace_v1",) * 2, ("laplace_v2",) * 2, ("roberts_cross",) * 2):
        edges = np.linspace(*PUBLISHED_RANGES[name], 23)
        expected = theirs.PeakCount(method, bins=edges).peak_count(tensor)
        assert np.abs(PeakCounts(name).fit_transform(maps) - expected).sum() <= 2  # rounding at an edge
    kernels = [torch.from_numpy(kernel).float() for kernel in wavelet_kernels("db5")]
    expected = theirs.PeakCount("custom", bins=np.linspace(0, 0.03, 23), kernels=kernels).peak_count(tensor)
    ours = PeakCounts("db5", range=(0, 0.03)).fit_transform(maps)
    assert np.abs(ours - expected).sum() <= 2
    assert expected.sum() > 1000
    assert module.PUBLISHED_RANGES["raw"] == (-0.03, 0.19)
