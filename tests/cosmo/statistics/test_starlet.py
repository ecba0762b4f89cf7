"""The starlet against its definition by SciPy, and the counts of its bands."""

import json

import numpy as np
import pytest
from scipy.ndimage import correlate1d
from sklearn.base import clone

from awd_cosmo.statistics.peaks import find_peaks
from awd_cosmo.statistics.starlet import StarletCounts, starlet
from awd_cosmo.statistics.statistic import Statistic


def noise(shape=(5, 40, 36), seed=0, dtype=np.float64):
    return np.random.default_rng(seed).normal(0, 0.02, shape).astype(dtype)


@pytest.mark.parametrize(("boundary", "mode"), [("symmetric", "reflect"), ("periodic", "wrap")])
def test_it_follows_its_definition(boundary, mode):
    """SciPy's "reflect" is what everybody else calls symmetric."""
    maps, levels = noise(), 4
    bands = starlet(maps, levels, boundary=boundary)
    assert list(bands) == ["w1", "w2", "w3", "w4", "c4"]
    rough = maps
    for level in range(1, levels + 1):
        spread = np.zeros(4 * 2 ** (level - 1) + 1)
        spread[:: 2 ** (level - 1)] = np.array([1, 4, 6, 4, 1]) / 16
        smooth = correlate1d(correlate1d(rough, spread, 1, mode=mode), spread, 2, mode=mode)
        np.testing.assert_allclose(bands[f"w{level}"], rough - smooth, rtol=0, atol=1e-15)
        rough = smooth
    np.testing.assert_allclose(bands["c4"], rough, rtol=0, atol=1e-15)


def test_bands_add_up_to_the_map():
    maps = noise(dtype=np.float32)
    bands = starlet(maps, 3)
    assert {band.dtype for band in bands.values()} == {np.dtype(np.float32)}
    np.testing.assert_allclose(sum(bands.values()), maps, rtol=0, atol=1e-7)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", ["peaks", "minima"])
def test_counts_of_peaks(kind, dtype):
    maps = noise(dtype=dtype)
    statistic = StarletCounts(3, pixels=kind, bins=8).fit(maps)
    assert statistic.names_ == [f"{band} {kind}" for band in ("w1", "w2", "w3", "c3")]
    expected = [
        np.histogram(band[m][find_peaks(band[m], kind=kind)], edges)[0]
        for m in range(5)
        for band, edges in zip(starlet(maps, 3).values(), statistic.edges_, strict=True)
    ]
    np.testing.assert_array_equal(statistic.transform(maps), np.reshape(expected, (5, -1)))


def test_the_raw_map_and_all_pixels_by_option():
    maps = noise()
    statistic = StarletCounts(2, pixels="all", bands=["raw", "w1+w2"], bins=5).fit(maps)
    assert statistic.names_ == ["raw all", "w1+w2 all"]
    np.testing.assert_array_equal(statistic.transform(maps).reshape(5, 2, 5).sum(axis=2), [[1440, 2880]] * 5)


def test_a_mask_hides_what_sees_it_and_no_more():
    maps, mask = noise((1, 64, 64)), np.ones((64, 64), bool)
    mask[30, 33] = False
    statistic = StarletCounts(2, pixels="all", masked_share=0.0).fit(maps)
    seen = statistic._seen(mask, {"w1", "w2", "c2"})
    for band, reach in {"w1": 2, "w2": 6, "c2": 6}.items():
        hidden = np.argwhere(~seen[band])
        np.testing.assert_array_equal(hidden.min(axis=0), [30 - reach, 33 - reach])
        np.testing.assert_array_equal(hidden.max(axis=0), [30 + reach, 33 + reach])
    # What a pixel sees of the hole is its filter's tap there, squared, over all of them.
    delta = np.zeros((1, 64, 64))
    delta[0, 30, 33] = 1.0
    share = {band: values[0] ** 2 / (values[0] ** 2).sum() for band, values in starlet(delta, 2).items()}
    loose = statistic.set_params(masked_share=0.05)._seen(mask, {"w1", "w2", "c2"})
    for band, where in loose.items():
        if band != "raw":
            np.testing.assert_array_equal(where, mask & (share[band] <= 0.05))


def test_scales_on_the_sky():
    scales = {scale.band: scale.arcmin for scale in StarletCounts(4, pixel_scale=0.4).scales()}
    assert list(scales) == ["raw", "w1", "w2", "w3", "w4", "c4"]
    assert scales["w1"] < scales["w2"] < scales["w3"] < scales["w4"] < scales["c4"]
    assert scales["w4"] / scales["w3"] == pytest.approx(2, rel=0.1)
    # The same from the transform itself: mean power at the frequencies that noise has left in a band.
    delta = np.zeros((1, 256, 256))
    delta[0, 128, 128] = 1.0
    power = np.abs(np.fft.fft2(starlet(delta, 4, boundary="periodic")["w3"][0])) ** 2
    frequency = np.hypot(np.fft.fftfreq(256)[:, None], np.fft.fftfreq(256)).ravel()
    order = np.argsort(frequency)
    share = np.cumsum(power.ravel()[order])
    median = frequency[order][np.searchsorted(share, share[-1] / 2)]
    assert scales["w3"] == pytest.approx(0.4 / median, rel=0.03)  # frequencies lie 1/256 apart
    with pytest.raises(ValueError, match="need pixel_scale"):
        StarletCounts().scales()


def test_saved_form():
    maps = noise(dtype=np.float32)
    statistic = StarletCounts(3, sqrt=True, per="pixel", pixel_scale=0.4).fit(maps)
    record = json.loads(json.dumps(statistic.to_dict(), allow_nan=False))
    back = Statistic.from_dict(record)
    assert type(back) is StarletCounts
    np.testing.assert_array_equal(back.transform(maps), statistic.transform(maps))
    np.testing.assert_array_equal(clone(back).fit_transform(maps), statistic.transform(maps))


def test_bad_input():
    with pytest.raises(ValueError, match="6 levels are too many"):
        starlet(noise(), 6)
    with pytest.raises(ValueError, match="boundary is 'zero'; choose one of symmetric, periodic"):
        starlet(noise(), 2, boundary="zero")
    with pytest.raises(ValueError, match="there is no band 'w3'; there are raw, w1, w2, c2"):
        StarletCounts(2, bands=["w3"]).fit(noise())
    with pytest.raises(ValueError, match=r"levels is 2\.5; give a positive whole number"):
        StarletCounts(2.5).fit(noise())
