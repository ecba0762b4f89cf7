"""Few counts of peaks: against counting by hand, and against the histograms that they are sums of."""

import numpy as np
import pytest
from scipy.ndimage import correlate

from awd_cosmo.statistics import PeakCounts, PeaksAbove, Statistic, find_peaks, wavelet_kernels

MAPS = np.random.default_rng(0).gamma(2.0, 0.02, (6, 24, 20))


def test_counts_equal_counting_by_hand():
    statistic = PeaksAbove("db2", heights=5).fit(MAPS)
    found = statistic.transform(MAPS)
    peaks, kernels = find_peaks(MAPS), wavelet_kernels("db2")
    usable = 22 * 18
    for m, one in enumerate(MAPS):
        for k, kernel in enumerate(kernels):
            values = correlate(one, kernel)[peaks[m]]
            for h, height in enumerate(statistic.edges_[k, :-1]):
                assert found[m, 5 * k + h] == pytest.approx((values >= height).sum() / usable, abs=1e-12)


def test_differences_are_the_histogram():
    above = PeaksAbove("haar", heights=7).fit_transform(MAPS).reshape(len(MAPS), 4, 7)
    bins = PeakCounts("haar", bins=7, range="normal", per="pixel").fit_transform(MAPS).reshape(len(MAPS), 4, 7)
    np.testing.assert_allclose(above - np.pad(above, ((0, 0), (0, 0), (0, 1)))[:, :, 1:], bins, atol=1e-14)


def test_picks_are_those_columns_by_name_and_after_saving():
    everything = PeaksAbove("db3", heights=6).fit(MAPS)
    few = PeaksAbove("db3", [23, 0, 8], heights=6).fit(MAPS)
    np.testing.assert_array_equal(few.transform(MAPS), everything.transform(MAPS)[:, [23, 0, 8]])
    assert few.get_feature_names_out().tolist() == everything.get_feature_names_out()[[23, 0, 8]].tolist()
    assert few.get_feature_names_out()[1] == "all peaks"
    again = Statistic.from_dict(few.to_dict())
    assert isinstance(again, PeaksAbove)
    np.testing.assert_array_equal(again.transform(MAPS), few.transform(MAPS))


def test_shares_are_of_pixels_that_were_observed():
    mask = np.ones(MAPS.shape[1:], bool)
    mask[:, 10:] = False
    hidden = np.where(mask, MAPS, np.nan)
    found = PeaksAbove("haar", [0], mask=mask).fit(hidden).transform(hidden)
    expected = find_peaks(hidden, mask=mask).sum(axis=(1, 2)) / (22 * 8)
    np.testing.assert_allclose(found[:, 0], expected)


@pytest.mark.parametrize("picks", [[], [48], [-1], [2.5], [True], [[1]]])
def test_refuses_picks_that_are_not_there(picks):
    with pytest.raises(ValueError, match="give whole numbers from 0 to 47, or None for all"):
        PeaksAbove("haar", picks).fit(MAPS)


def test_takes_parameters_like_all_statistics():
    statistic = PeaksAbove("haar").set_params(heights=3)
    assert statistic.fit(MAPS).transform(MAPS).shape == (6, 12)
    assert statistic.get_params() == {"wavelet": "haar", "picks": None, "heights": 3, "mask": None, "workers": None}
