"""Power spectra of maps whose spectrum is known, and of the sums that they are made of."""

import json
import math

import numpy as np
import pytest
from astropy import units as u
from sklearn.base import clone

from awd_cosmo.statistics.spectrum import PowerSpectrum, apodised
from awd_cosmo.statistics.statistic import Statistic

PIXEL = 0.5  # arcmin
RADIANS = math.radians(PIXEL / 60)


def noise(shape=(5, 48, 64), seed=0):
    return np.random.default_rng(seed).normal(0, 0.02, shape)


def coloured(count, size, slope=-1.0, seed=0):
    """Periodic Gaussian maps with C_ℓ = 10⁻⁹ (ℓ/2000)^slope."""
    frequency = np.hypot(np.fft.fftfreq(size, RADIANS)[:, None], np.fft.rfftfreq(size, RADIANS))
    power = np.zeros_like(frequency)
    power.ravel()[1:] = 1e-9 * (2 * np.pi * frequency.ravel()[1:] / 2000) ** slope
    white = np.fft.rfft2(np.random.default_rng(seed).normal(size=(count, size, size)))
    return np.fft.irfft2(white * np.sqrt(power) / RADIANS, s=(size, size))


@pytest.mark.parametrize("shape", [(3, 48, 64), (2, 31, 45)])
def test_it_is_the_mean_over_modes(shape):
    maps = noise(shape)
    statistic = PowerSpectrum(PIXEL, bins=7, log=False).fit(maps)
    ell = 2 * np.pi * np.hypot(np.fft.fftfreq(shape[1], RADIANS)[:, None], np.fft.fftfreq(shape[2], RADIANS))
    for kappa, spectrum in zip(maps, statistic.transform(maps), strict=True):
        power = np.abs(np.fft.fft2(kappa)) ** 2 * RADIANS**2 / kappa.size
        for low, high, value, mean, modes in zip(
            statistic.edges_[:-1], statistic.edges_[1:], spectrum, statistic.ell_, statistic.modes_, strict=True
        ):
            inside = (ell >= low) & (ell < high)
            assert modes == inside.sum()
            assert value == pytest.approx(power[inside].mean(), rel=1e-12)
            assert mean == pytest.approx(ell[inside].mean(), rel=1e-12)


def test_all_modes_together_are_the_variance():
    maps = noise()
    statistic = PowerSpectrum(PIXEL, bins=9, ell_range=(1, 1e6), log=False).fit(maps)
    total = (statistic.transform(maps) * statistic.modes_).sum(axis=1) / (RADIANS**2 * 48 * 64)
    np.testing.assert_allclose(total, maps.var(axis=(1, 2)), rtol=1e-12)


def test_a_known_spectrum_comes_back():
    maps = coloured(200, 64)
    statistic = PowerSpectrum(PIXEL * u.arcmin, bins=10).fit(maps)
    mean = (10 ** statistic.transform(maps)).mean(axis=0)
    expected = 1e-9 * (statistic.ell_ / 2000) ** -1.0
    # Scatter of a mean over maps and modes: 1/√(200 · modes/2); a steep spectrum's mean in a wide bin, 2 %.
    np.testing.assert_array_less(np.abs(mean / expected - 1), 4 / np.sqrt(100 * statistic.modes_) + 0.02)


@pytest.mark.parametrize("apodise", [0.0, 3.0])
def test_a_mask_does_not_lower_the_power(apodise):
    maps, mask = coloured(100, 64, slope=0.0), np.ones((64, 64), bool)
    mask[10:25, 30:50] = False
    whole = PowerSpectrum(PIXEL, bins=6, log=False).fit(maps).transform(maps).mean(axis=0)
    holes = np.where(mask, maps + 3.0, np.nan)  # an offset makes no edges either
    seen = PowerSpectrum(PIXEL, bins=6, log=False, apodise=apodise, mask=mask).fit(maps).transform(holes)
    np.testing.assert_allclose(seen.mean(axis=0)[1:], whole[1:], rtol=0.06)
    # one mask for each map
    masks = np.repeat(mask[None], 100, axis=0)
    again = PowerSpectrum(PIXEL, bins=6, log=False, apodise=apodise).fit(maps).transform(holes, masks)
    np.testing.assert_allclose(again, seen, rtol=1e-12)


def test_apodisation_takes_the_border_s_leakage_away():
    """A steep spectrum on maps that are no period of themselves: without a window, power leaks to small scales."""
    maps = coloured(40, 256, slope=-4.0)[:, 60:188, 60:188]
    expected = None
    for apodise, close in ((0.0, False), (12.0, True)):
        statistic = PowerSpectrum(PIXEL, bins=8, log=False, apodise=apodise).fit(maps)
        mean = statistic.transform(maps).mean(axis=0)
        expected = 1e-9 * (statistic.ell_ / 2000) ** -4.0
        assert (abs(mean[-1] / expected[-1] - 1) < 0.3) == close


def test_the_window():
    window = apodised(np.ones((21, 30), bool), 4)
    np.testing.assert_allclose(window[10, :6], np.sin(np.pi / 2 * np.minimum(np.arange(1, 7), 5) / 5) ** 2)
    np.testing.assert_array_equal(window, window[::-1, ::-1])
    hole = np.ones((41, 41), bool)
    hole[20, 20] = False
    around = apodised(hole, 8)
    y, x = np.mgrid[-12:13, -12:13]
    distance = np.minimum(np.hypot(y, x), 9)
    expected = np.sin(np.pi / 2 * distance / 9) ** 2
    # Octagons for circles: a distance is 8 % off, and less than one pixel, which the window's slope turns into this.
    assert np.abs(around[8:33, 8:33] - expected).max() < 0.2
    assert around[20, 20] == 0
    np.testing.assert_array_equal(around, around.T)


def test_threads_change_nothing():
    maps = noise((60, 48, 64)).astype(np.float32)
    one, three = (PowerSpectrum(PIXEL, workers=w).fit(maps).transform(maps) for w in (1, 3))
    np.testing.assert_array_equal(one, three)


def test_saved_form():
    maps, mask = noise(), np.ones((48, 64), bool)
    mask[:5] = False
    statistic = PowerSpectrum(30 * u.arcsec, bins=7, apodise=1.0, mask=mask).fit(maps)
    record = json.loads(json.dumps(statistic.to_dict(), allow_nan=False))
    back = Statistic.from_dict(record)
    np.testing.assert_array_equal(back.transform(maps), statistic.transform(maps))
    np.testing.assert_array_equal(clone(back).fit_transform(maps), statistic.transform(maps))
    names = statistic.get_feature_names_out()
    assert len(names) == len(statistic.ell_) == statistic.transform(maps).shape[1]
    assert names[0].startswith("log10 C ℓ 675…")


def test_bad_input():
    maps = noise()
    for parameters, words in (
        ({"bins": 0}, "bins is 0; give a positive whole number"),
        ({"apodise": -1.0}, "apodise is -1.0; give a width in arcmin from 0 on"),
        ({"ell_range": (5, 2)}, r"ell_range must be \(low, high\)"),
        ({"ell_range": (1e6, 2e6)}, "no mode of maps of 48 × 64 pixels lies in ℓ from 1000000"),
        ({"pixel_scale": 0}, "pixel_scale must be a positive angle"),
    ):
        with pytest.raises(ValueError, match=words):
            PowerSpectrum(**{"pixel_scale": PIXEL, **parameters}).fit(maps)
    statistic = PowerSpectrum(PIXEL).fit(maps)
    with pytest.raises(ValueError, match="not fitted yet"):
        PowerSpectrum(PIXEL).transform(maps)
    with pytest.raises(ValueError, match="the maps have 64 × 48 pixels, those of fit had 48 × 64"):
        statistic.transform(maps.swapaxes(1, 2))
    with pytest.raises(ValueError, match="map 3 holds nan"):
        statistic.transform(np.where(np.arange(5)[:, None, None] == 3, np.nan, maps))
    with pytest.raises(ValueError, match="map 0 has no power"):
        statistic.transform(np.zeros((1, 48, 64)))
    mask = np.zeros((48, 64), bool)
    mask[:8] = True
    with pytest.raises(ValueError, match=r"leave a mean w² of 0\.17, below 0\.2"):
        statistic.transform(maps, mask)
