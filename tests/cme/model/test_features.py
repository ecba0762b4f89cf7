"""The transform as a matrix agrees with PyWavelets; the features are the extreme coefficients that they are called."""

import warnings

import numpy as np
import pytest
import pywt
from sklearn.base import clone

from awd_cme.model.coefficients import MODES, Selection, analysis_matrices, centre_times, scales
from awd_cme.model.features import MaxCoefficients
from awd_core.wavelets.wavelet import Wavelet


def wavedec(X, name, mode, levels):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*boundary effects", UserWarning)
        return pywt.wavedec(X, name, mode=mode, level=levels, axis=-1)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ["haar", "db5", "sym7", "coif3"])
def test_the_matrices_are_pywavelets_transform(name, mode):
    rng = np.random.default_rng(0)
    for length in (7, 33, 40):
        if mode == "reflect" and name == "haar" and length == 7:
            continue  # PyWavelets refuses to reflect the one sample of the last level
        X = rng.standard_normal((3, length))
        bands = wavedec(X, name, mode, 4)
        matrices = analysis_matrices(pywt.Wavelet(name).dec_lo, length, 4, mode)
        for band, matrix in zip(bands, matrices, strict=True):
            np.testing.assert_allclose(X @ matrix.T, band, atol=1e-13 * np.abs(band).max() * 100)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0, 2.0, 3.0], 8), "even number"),
        (([0.7, 0.7], 8, 2, "smooth"), "mode is 'smooth'; choose one of zero, constant, symmetric, periodic, reflect"),
        (([0.7, 0.7], 8, 0), "levels is 0; give a positive whole number"),
    ],
)
def test_transforms_that_do_not_exist(arguments, message):
    with pytest.raises(ValueError, match=message):
        analysis_matrices(*arguments)


def brute(c, which, most):
    """The definition in words, one series at a time."""
    rows = []
    for row in c:
        ranked = sorted(row)
        lists = {
            "positive": ranked[::-1][:most],
            "negative": ranked[:most],
            "absolute": sorted(np.abs(row))[::-1][:most],
            "signed": sorted(row, key=lambda v: -abs(v))[:most],
            "both": ranked[::-1][:most] + ranked[:most],
        }
        rows.append(lists[which])
    return np.array(rows)


@pytest.mark.parametrize("which", ["positive", "negative", "absolute", "signed", "both"])
@pytest.mark.parametrize("most", [1, 6, 30])
def test_features_are_the_extreme_coefficients(which, most):
    X = np.random.default_rng(1).standard_normal((9, 40))
    expected = np.hstack([brute(band, which, most) for band in wavedec(X, "db5", "zero", 4)])
    found = MaxCoefficients("db5", most=most, which=which).fit_transform(X)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_positions_say_when_and_energies_how_much():
    X = np.zeros((2, 64))
    X[0, 20], X[1, 45] = 10.0, 10.0
    features = MaxCoefficients("haar", levels=2, most=1, which="absolute", positions=True, energies=True)
    found = dict(zip(features.fit(X).get_feature_names_out(), features.transform(X).T, strict=True))
    at = found["detail 2 samples, time of largest size 1"]
    np.testing.assert_allclose(at, [20.5, 44.5])  # the pairs 20–21 and 44–45
    np.testing.assert_allclose(found["detail 2 samples, energy"], 10 / np.sqrt(2))
    seconds = clone(features).set_params(seconds_per_sample=3.0).fit(X)
    np.testing.assert_allclose(seconds.transform(X)[:, -2], 3 * at)
    assert seconds.get_feature_names_out()[-2] == "detail 6 s, time of largest size 1"


def test_published_features_by_default():
    X = np.random.default_rng(0).standard_normal((4, 40))
    features = MaxCoefficients().fit(X)
    assert features.transform(X).shape == (4, 30)
    assert features.get_feature_names_out()[6] == "detail 16 samples, largest 1"
    assert scales(4, None)[0] == ("approximation 16 samples", 16.0)


def test_centre_times_are_the_centres_of_what_a_coefficient_reads():
    taps = Wavelet.from_name("db5").taps
    matrices, clocks = analysis_matrices(taps, 400), centre_times(taps, 400)
    for matrix, times in zip(matrices, clocks, strict=True):
        assert len(matrix) == len(times)
        assert len(set(np.diff(times).round(9))) == 1
        whole = (matrix**2).sum(1) > 1 - 1e-9  # rows that the ends do not cut
        centres = matrix**2 @ np.arange(400)
        assert whole.sum() > 8
        np.testing.assert_allclose(
            times[whole], centres[whole], atol=1e-5
        )  # what is cut weighs 1e-9, some hundred samples away


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"which": "largest"}, "which is 'largest'; choose one of positive, negative, absolute, signed, both"),
        ({"most": 0}, "most is 0; give a positive whole number"),
        ({"mode": "periodization"}, "mode is 'periodization'.*; choose one of zero, constant"),
        ({"wavelet": "bior2.2"}, "bior2.2"),
    ],
)
def test_options_that_will_not_do(options, message):
    with pytest.raises(ValueError, match=message):
        MaxCoefficients(**options).fit(np.zeros((2, 40)))


def test_series_of_another_length_are_refused():
    features = MaxCoefficients().fit(np.zeros((2, 40)))
    with pytest.raises(ValueError, match="X has 30 features, but MaxCoefficients is expecting 40 features"):
        features.transform(np.zeros((2, 30)))
    with pytest.raises(ValueError, match="NaN"):
        features.transform(np.full((2, 40), np.nan))


@pytest.mark.parametrize("which", ["positive", "negative", "absolute", "signed", "both"])
@pytest.mark.parametrize("positions", [False, True])
def test_scales_side_by_side_have_the_features_that_each_has_alone(which, positions):
    selection, sizes = Selection(which, 6, positions, energies=True), (11, 4, 7)
    rng = np.random.default_rng(0)
    scales = [rng.standard_normal((9, size)) for size in sizes]
    scales[2] *= rng.random((9, 7)) < 0.5  # ties
    clocks = [rng.standard_normal(size) for size in sizes]
    wide, times = np.full((9, 3, 11), np.nan), np.zeros((3, 11))
    for k, (size, c, clock) in enumerate(zip(sizes, scales, clocks, strict=True)):
        wide[:, k, :size], times[k, :size] = c, clock
    alone = [selection.select(c, clock) for c, clock in zip(scales, clocks, strict=True)]
    assert [len(selection.names("s", size)) for size in sizes] == [found.shape[1] for found in alone]
    together = selection.select(wide, times)[:, selection.present(sizes)]
    # The energy of a scale is a sum in another order.
    np.testing.assert_allclose(together, np.concatenate(alone, axis=1), rtol=1e-14, atol=0)
