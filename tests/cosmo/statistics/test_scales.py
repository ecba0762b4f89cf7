"""The undecimated transform against PyWavelets, its identities, and the counts of its bands against NumPy's."""

import json
import subprocess
import sys

import numpy as np
import pytest
import pywt
import torch
from astropy.io import fits
from scipy.ndimage import correlate1d
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

import awd_core.transforms
from awd_core.wavelets.wavelet import Wavelet
from awd_cosmo.statistics.bands import COUNTED
from awd_cosmo.statistics.peaks import find_peaks, usable_pixels
from awd_cosmo.statistics.scales import ScaleCounts
from awd_cosmo.statistics.statistic import Statistic
from awd_cosmo.statistics.undecimated import equivalent_filters, frame_filters, undecimated, wavelet_scales

WAVELETS = ["haar", "db2", "db5", "sym5", "coif1"]
EPS = 1e-14
"""A few dozen products and sums of numbers near 1 in float64."""


def noise(shape=(6, 32, 48), seed=0, dtype=np.float64):
    return np.random.default_rng(seed).normal(0, 1, shape).astype(dtype)


@pytest.mark.parametrize("name", WAVELETS)
def test_it_is_the_stationary_transform_of_pywavelets(name):
    maps, levels = noise(), 3
    bands = undecimated(maps, name, levels, boundary="periodic")
    assert list(bands) == [f"{letter}{level}" for level in (1, 2, 3) for letter in "ahvd"]
    theirs = pywt.swt2(maps, name, levels, norm=True)  # from coarse to fine
    for level, (a, details) in zip((3, 2, 1), theirs, strict=True):
        for letter, band in zip("ahvd", (a, *details), strict=True):
            np.testing.assert_allclose(bands[f"{letter}{level}"], band, rtol=0, atol=EPS)


@pytest.mark.parametrize("shape", [(2, 32, 32), (3, 19, 33)])
@pytest.mark.parametrize("name", [*WAVELETS, Wavelet.from_angles([0.3, -0.7, 1.1, np.pi / 4 - 0.7])])
def test_energy_is_kept(name, shape):
    maps, levels = noise(shape), 4
    bands = undecimated(maps, name, levels, boundary="periodic")
    coarse = maps
    for level in range(1, levels + 1):
        energy = sum((bands[f"{letter}{level}"] ** 2).sum(axis=(1, 2)) for letter in "ahvd")
        np.testing.assert_allclose(energy, (coarse**2).sum(axis=(1, 2)), rtol=1e-10)  # PyWavelets' sym5 has 11 digits
        coarse = bands[f"a{level}"]


@pytest.mark.parametrize("shift", [(1, 0), (0, 1), (3, 5), (17, 30)])
def test_a_shifted_map_has_shifted_bands(shift):
    maps = noise(dtype=np.float32)
    moved = undecimated(np.roll(maps, shift, (1, 2)), "db5", 3, boundary="periodic")
    for name, band in undecimated(maps, "db5", 3, boundary="periodic").items():
        # The same sums in the same order: bit for bit.
        np.testing.assert_array_equal(moved[name], np.roll(band, shift, (1, 2)))


def test_turning_the_axes_exchanges_horizontal_and_vertical():
    maps = noise()
    turned = undecimated(maps.swapaxes(1, 2), "db3", 3)
    for name, band in undecimated(maps, "db3", 3).items():
        other = {"h": "v", "v": "h"}.get(name[0], name[0]) + name[1]
        np.testing.assert_allclose(turned[other], band.swapaxes(1, 2), rtol=0, atol=EPS)


@pytest.mark.parametrize(("boundary", "mode"), [("symmetric", "reflect"), ("periodic", "wrap")])
@pytest.mark.parametrize("name", ["db2", "db5"])
def test_boundaries(boundary, mode, name):
    """SciPy's "reflect" is what everybody else calls symmetric."""
    maps = noise((2, 16, 21))
    bands = undecimated(maps, name, 2, boundary=boundary)
    low, high = frame_filters(name)

    def along(block, taps, step, axis):
        spread = np.zeros((len(taps) - 1) * step + 1)
        spread[::step] = taps
        before = (len(taps) // 2 - 1) * step
        return correlate1d(block, spread, axis, mode=mode, origin=before - len(spread) // 2)

    coarse = maps
    for level, step in ((1, 1), (2, 2)):
        for letter, (y, x) in {"h": (high, low), "v": (low, high), "d": (high, high), "a": (low, low)}.items():
            expected = along(along(coarse, y, step, 1), x, step, 2)
            np.testing.assert_allclose(bands[f"{letter}{level}"], expected, rtol=0, atol=EPS)
        coarse = expected


def test_details_of_a_constant_vanish_and_its_approximation_is_itself():
    bands = undecimated(np.full((1, 20, 24), 0.3), "db5", 3)
    for name, band in bands.items():
        np.testing.assert_allclose(band, 0.3 if name[0] == "a" else 0.0, rtol=0, atol=1e-12)  # PyWavelets' digits


def test_equivalent_filters_do_in_one_step_what_levels_do():
    maps = noise((1, 40, 64))
    low, high = frame_filters("db3")
    bands = undecimated(maps, "db3", 3, boundary="periodic")
    for level, (smooth, detail) in enumerate(equivalent_filters(low, high, 3), start=1):
        before = (len(low) // 2 - 1) * (2**level - 1)
        places = np.arange(len(smooth)) - before
        rows = sum(tap * np.roll(maps, -place, 1) for tap, place in zip(detail, places, strict=True))
        both = sum(tap * np.roll(rows, -place, 2) for tap, place in zip(smooth, places, strict=True))
        np.testing.assert_allclose(bands[f"h{level}"], both, rtol=0, atol=EPS)
        assert (smooth**2).sum() == pytest.approx(2.0**-level, rel=1e-12)


def by_hand(maps, statistic, wavelet, kinds, mask=None):
    """Histograms of the bands, by NumPy."""
    bands = {"raw": maps, **undecimated(maps, wavelet, statistic.levels, boundary=statistic.boundary)}
    columns = []
    for name, edges in zip(statistic.names_, statistic.edges_, strict=True):
        group, kind = name.split()
        total = 0
        for band in group.split("+"):
            values = bands[band]
            at = np.ones(values.shape, bool) if kind == "all" else find_peaks(values, kind=kind)
            total = total + np.array([np.histogram(v[w], edges)[0] for v, w in zip(values, at, strict=True)])
        columns.append(total)
    assert {name.split()[1] for name in statistic.names_} == set(kinds)
    return np.concatenate(columns, axis=1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("boundary", ["symmetric", "periodic"])
@pytest.mark.parametrize(("pixels", "kinds"), COUNTED.items())
def test_counts(pixels, kinds, boundary, dtype):
    maps = noise(dtype=dtype)
    statistic = ScaleCounts("db5", 3, pixels=pixels, bins=12, boundary=boundary).fit(maps)
    counts = statistic.transform(maps)
    assert counts.shape == (6, 13 * len(kinds) * 12)
    assert statistic.names_[0] == f"raw {kinds[0]}"
    np.testing.assert_array_equal(counts, by_hand(maps, statistic, "db5", kinds))
    if pixels == "all":
        assert (counts.reshape(6, 13, 12).sum(axis=2) == 32 * 48).all()


def test_the_features_of_the_trial():
    """Square roots of the counts of all pixel values in three undecimated levels of db5 and the raw map."""
    maps = noise((60, 64, 64), dtype=np.float32)
    statistic = ScaleCounts("db5", 3, pixels="all", bins=16, spacing="quantiles", sqrt=True)
    features = statistic.fit_transform(maps)
    assert features.shape == (60, 13 * 16)
    np.testing.assert_allclose((features**2).mean(axis=0), 64 * 64 / 16, rtol=0.01)
    np.testing.assert_allclose(features**2, by_hand(maps, statistic, "db5", ["all"]), rtol=1e-12)
    model = make_pipeline(ScaleCounts("haar", 2, sqrt=True), Ridge()).fit(maps, np.arange(60.0))
    assert model.predict(maps).shape == (60,)


def test_bands_may_be_chosen_and_pooled():
    maps = noise()
    statistic = ScaleCounts("db2", 2, bands=["h1+v1", "raw", "d2"], bins=6, pixels="both").fit(maps)
    assert statistic.names_ == ["h1+v1 peaks", "h1+v1 minima", "raw peaks", "raw minima", "d2 peaks", "d2 minima"]
    expected = by_hand(maps, statistic, "db2", ["peaks", "minima"])
    np.testing.assert_array_equal(statistic.transform(maps), expected)
    names = statistic.get_feature_names_out()
    assert len(set(names)) == 36
    assert names[0].startswith("h1+v1 peaks -inf…")


@pytest.mark.parametrize("pixels", ["all", "both"])
def test_threads_company_and_chunks_change_nothing(pixels):
    maps = noise((41, 30, 40), dtype=np.float32)
    one = ScaleCounts("db5", 3, pixels=pixels, workers=1).fit(maps)
    three = ScaleCounts("db5", 3, pixels=pixels, workers=3).fit(maps)
    np.testing.assert_array_equal(one.edges_, three.edges_)
    np.testing.assert_array_equal(one.transform(maps), three.transform(maps))
    np.testing.assert_array_equal(one.transform(maps)[7:8], one.transform(maps[7:8]))


@pytest.mark.parametrize("pixels", ["all", "peaks"])
def test_a_mask_leaves_what_is_far_from_it_as_it_was(pixels):
    maps, mask = noise((3, 64, 64)), np.ones((64, 64), bool)
    mask[20:23, 40:42] = False
    strict = ScaleCounts("db2", 2, pixels=pixels, bins=8, masked_share=0.0, per="pixel").fit(maps)
    holes = np.where(mask, maps, np.nan)
    counts = strict.transform(holes, mask).reshape(3, 9, 8)
    other = np.where(mask, maps, 7.0)  # what lies under the mask must not matter where nothing sees it
    seen = strict._seen(mask, {"raw", "d2", "a1"})
    bands = {"raw": other, **undecimated(other, "db2", 2)}
    for band in seen:
        k = strict.names_.index(f"{band} {pixels}")
        where = seen[band] if pixels == "all" else find_peaks(bands[band], mask=seen[band])
        looked_at = seen[band].sum() if pixels == "all" else usable_pixels((64, 64), seen[band]).sum()
        values = bands[band][np.broadcast_to(where, other.shape)]
        expected = np.histogram(values, strict.edges_[k])[0] / looked_at
        np.testing.assert_allclose(counts[:, k].sum(axis=0), expected, rtol=1e-12)
    # db2 over two levels reaches 3 · 3 + 1 = 10 pixels, of which 3 lie before the pixel and 6 behind.
    hidden = np.argwhere(~seen["d2"])
    np.testing.assert_array_equal(hidden.min(axis=0), [20 - 6, 40 - 6])
    np.testing.assert_array_equal(hidden.max(axis=0), [22 + 3, 41 + 3])
    np.testing.assert_array_equal(seen["raw"], mask)


def test_a_mask_for_each_map_and_as_a_parameter():
    maps = noise((3, 40, 40))
    masks = np.ones((3, 40, 40), bool)
    masks[1, :10], masks[2, :, 33:] = False, False
    statistic = ScaleCounts("db2", 2, bins=5, per="pixel", masked_share=0.2).fit(maps)
    together = statistic.transform(maps, masks)
    for m in range(3):
        alone = statistic.set_params(mask=masks[m]).transform(maps[m : m + 1])
        np.testing.assert_array_equal(together[m : m + 1], alone)
    np.testing.assert_allclose(together.reshape(3, 9, 5).sum(axis=2), 1.0, rtol=1e-12)
    moved = statistic.transform(maps + 5.0, masks).reshape(3, 9, 5)
    for band in ("h1", "d2"):  # the mean stands under the mask: an offset makes no edges
        k = statistic.names_.index(f"{band} all")
        np.testing.assert_allclose(moved[:, k], together.reshape(3, 9, 5)[:, k], atol=0.002)


def test_a_mask_that_leaves_nothing_of_a_band():
    mask = np.zeros((32, 32), bool)
    mask[:6, :6] = True
    statistic = ScaleCounts("db5", 3, bins=5).fit(noise((3, 32, 32)))
    with pytest.raises(ValueError, match=r"leaves nothing of band h2: more than 0.1 of its filter"):
        statistic.transform(noise((3, 32, 32)), mask)


def test_a_real_map(real_data):
    kappa = fits.getdata(real_data / "cosmo" / "unmasked.fit")
    mask = fits.getdata(real_data / "cosmo" / "mask.fit") > 0
    statistic = ScaleCounts("db5", 3, pixels="peaks", per="pixel", pixel_scale=3.4641 * 60 / 512).fit(kappa[None])
    whole, holes = statistic.transform(kappa[None]), statistic.transform(np.where(mask, kappa, np.nan)[None], mask)
    whole, holes = whole.reshape(13, 20).sum(axis=1), holes.reshape(13, 20).sum(axis=1)
    np.testing.assert_allclose(holes, whole, rtol=0.15)  # the density of peaks hardly depends on the mask


def test_scales_on_the_sky():
    scales = {scale.band: scale for scale in wavelet_scales("db5", 4, 0.41)}
    assert list(scales)[:5] == ["raw", "a1", "h1", "v1", "d1"]
    for level in range(2, 5):  # each level's waves are twice as long
        for letter in "hvd":
            ratio = scales[f"{letter}{level}"].arcmin / scales[f"{letter}{level - 1}"].arcmin
            assert ratio == pytest.approx(2, rel=0.1)
    for scale in scales.values():
        assert scale.shortest < scale.arcmin < scale.longest
        assert scale.ell == pytest.approx(360 * 60 / scale.arcmin, rel=1e-12)
    # Octave j of an ideal filter passes wavelengths of 2^j to 2^(j+1) pixels along its axis.
    assert 2**2 * 0.41 < scales["d2"].arcmin * np.sqrt(2) < 2**3 * 0.41
    assert scales["h2"] == scales["v2"]._replace(band="h2")
    doubled = wavelet_scales("db5", 4, 0.82)
    assert doubled[7].arcmin == pytest.approx(2 * list(scales.values())[7].arcmin, rel=1e-12)
    statistic = ScaleCounts("db5", 4, pixel_scale=0.41)
    assert [scale.band for scale in statistic.scales()] == statistic._all_bands()
    with pytest.raises(ValueError, match="need pixel_scale"):
        ScaleCounts("db5", 4).scales()


def test_a_wave_shows_in_the_band_of_its_scale():
    y = np.arange(128)
    scales = wavelet_scales("db5", 4, 1.0)
    for scale in scales[1:]:
        if scale.band[0] == "h":
            wave = np.sin(2 * np.pi * y / scale.arcmin)[None, :, None] * np.ones((1, 1, 128))
            power = {name: (band**2).mean() for name, band in undecimated(wave, "db5", 4).items() if name[0] != "a"}
            assert max(power, key=power.get) == scale.band


@pytest.mark.parametrize("wavelet", ["db5", Wavelet.from_name("sym4")])
def test_saved_form(wavelet, tmp_path):
    maps, mask = noise(dtype=np.float32), np.random.default_rng(0).random((32, 48)) > 0.002
    statistic = ScaleCounts(
        wavelet, 2, bins=6, bands=["raw", "h1+v1", "a2"], mask=mask, masked_share=0.3, sqrt=True, pixel_scale=0.41
    ).fit(maps)
    (tmp_path / "model.json").write_text(json.dumps(statistic.to_dict(), allow_nan=False))
    np.save(tmp_path / "maps.npy", maps)
    script = (
        "import sys\n"
        "for name in ('torch', 'sklearn', 'scipy', 'astropy', *(['pywt'] if len(sys.argv) > 1 else [])):\n"
        "    sys.modules[name] = None\n"
        "import json, numpy as np\n"
        "from awd_cosmo.statistics.statistic import Statistic\n"
        "back = Statistic.from_dict(json.load(open('model.json')))\n"
        "np.save('counts.npy', back.transform(np.load('maps.npy')))\n"
    )
    command = [sys.executable, "-c", script, "nothing else"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(np.load(tmp_path / "counts.npy"), statistic.transform(maps))
    record = json.loads((tmp_path / "model.json").read_text())
    back = Statistic.from_dict(record)
    assert back.to_dict() == record
    assert back.scales() == statistic.scales()
    np.testing.assert_array_equal(clone(back).fit(maps).edges_, statistic.edges_)


def test_bad_input():
    maps = noise()
    for parameters, words in (
        ({"levels": 0}, "levels is 0; give a positive whole number"),
        ({"levels": 6}, "6 levels are too many for maps of 32 × 48: 5 at most"),
        ({"pixels": "some"}, "pixels is 'some'; choose one of peaks"),
        ({"boundary": "zero"}, "boundary is 'zero'; choose one of symmetric, periodic"),
        ({"spacing": "log"}, "spacing of bins is 'log'; choose one of"),
        ({"bands": ["h4"]}, "there is no band 'h4'; there are raw, a1"),
        ({"bands": "h1"}, "bands must be a list of different bands"),
        ({"bands": []}, "bands must be a list of different bands"),
        ({"bands": ["h1", "h1"]}, "bands must be a list of different bands"),
        ({"masked_share": 1.0}, "masked_share is 1.0; give a share from 0 to below 1"),
        ({"per": "sky"}, "per is 'sky'; choose one of"),
        ({"wavelet": "bior2.2"}, "bior2.2"),
    ):
        with pytest.raises(ValueError, match=words):
            ScaleCounts(**parameters).fit(maps)
    with pytest.raises(ValueError, match="not fitted yet"):
        ScaleCounts().transform(maps)
    statistic = ScaleCounts("db2", 2).fit(maps)
    bad = maps.copy()
    bad[4, 3, 2] = np.nan
    with pytest.raises(ValueError, match="map 4 holds nan at row 3, column 2"):
        statistic.transform(bad)
    with pytest.raises(ValueError, match="too many for maps of 3 × 3"):
        statistic.transform(noise((1, 3, 3)))
    with pytest.raises(ValueError, match="boundary is 'zero'; choose one of symmetric, periodic"):
        undecimated(maps, "db5", 1, boundary="zero")
    with pytest.raises(ValueError, match=r"no values \(raw peaks\) in the training maps"):
        ScaleCounts("haar", 1, pixels="peaks").fit(np.zeros((2, 8, 8)))


@pytest.mark.parametrize("boundary", ["symmetric", "periodic"])
@pytest.mark.parametrize("name", WAVELETS)
def test_it_is_the_transform_of_the_core(name, boundary):
    maps = noise((2, 19, 33))
    bands = undecimated(maps, name, 4, boundary=boundary)
    levels = awd_core.transforms.undecimated(torch.from_numpy(maps), name, 4, boundary, ndim=2)
    for number, level in enumerate(levels, start=1):
        for letter, band in zip("ahvd", (level.approximation, *level.details), strict=True):
            np.testing.assert_allclose(bands[f"{letter}{number}"], band.numpy(), rtol=0, atol=1e-12)
