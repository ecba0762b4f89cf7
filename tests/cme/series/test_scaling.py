"""Z-scores with the mean left in, and of cells without spread; one length for series of any."""

from dataclasses import replace

import numpy as np
import pytest

from awd_cme.model.card import ModelCard
from awd_cme.model.features import MaxCoefficients
from awd_cme.model.regression import SeriesRidge
from awd_cme.series.resample import to_one_length
from awd_cme.series.scaling import RULES, Statistics, fit_z_scores
from awd_cme.series.series_set import example_set

RAW = example_set(n=120, cells=4)


def padded(raw=RAW):
    """The same tracks, of which every third ends after 25 frames; cells of different brightness."""
    mask = np.arange(40) < np.where(np.arange(len(raw)) % 3 == 0, 25, 40)[:, None]
    bright = 100.0 * np.unique(raw.cell, return_inverse=True)[1][:, None]
    X = np.where(mask, raw.X + bright, 0.0)
    return replace(raw, X=X, mask=mask, settings=replace(raw.settings, resampling="pad"))


@pytest.mark.parametrize("make", [lambda: RAW, padded])
@pytest.mark.parametrize("rule", ["training", "own"])
def test_without_centring_series_are_divided_by_the_deviation_alone(rule, make):
    raw = make()
    counted = raw.mask if raw.settings.resampling == "pad" else np.ones_like(raw.mask)
    scaled = fit_z_scores(raw, inputs=rule, centre=False).apply(raw)
    for cell in np.unique(raw.cell):
        own = raw.cell == cell
        np.testing.assert_allclose(scaled.X[own], raw.X[own] / raw.X[own][counted[own]].std(), rtol=1e-12)
    assert not scaled.X[raw.X == 0].any()
    # Targets are as they were.
    np.testing.assert_array_equal(scaled.y, fit_z_scores(raw, inputs=rule).apply(raw).y)


def test_a_new_cell_is_divided_by_the_pooled_deviation():
    scores = fit_z_scores(RAW.take(RAW.cell != "cell4"), centre=False)
    new = RAW.take(RAW.cell == "cell4")
    np.testing.assert_array_equal(scores.apply(new).X, new.X / scores.inputs.sd)
    with_means = fit_z_scores(RAW.take(RAW.cell != "cell4")).inputs
    assert scores.inputs.sd == with_means.sd
    assert scores.inputs.mean == 0 != with_means.mean


def test_statistics_come_back_from_json_and_older_ones_are_centred():
    found = fit_z_scores(RAW, centre=False).inputs
    assert Statistics.from_dict(found.to_dict()) == found
    old = {name: value for name, value in fit_z_scores(RAW).inputs.to_dict().items() if name != "centre"}
    assert Statistics.from_dict(old) == fit_z_scores(RAW).inputs


@pytest.mark.parametrize("centre", [True, False])
@pytest.mark.parametrize("make", [lambda: RAW, padded])
@pytest.mark.parametrize("rule", RULES)
def test_a_cell_without_spread_is_predicted_as_it_is_standardised(rule, make, centre):
    """Alone and among others: by `own` its deviation is the pooled one, for the set and for the card."""
    raw = make()
    scores = fit_z_scores(raw, inputs=rule, centre=centre)
    training = scores.apply(raw)
    features = MaxCoefficients("db2", levels=3, most=2).fit(training.X)
    model = SeriesRidge().fit(features.transform(training.X), training.y)
    card = ModelCard.of(features, model, raw, scores)
    flat = np.where((raw.cell == "cell2")[:, None], 130.0 * raw.mask, raw.X)
    for rows in (np.arange(len(raw)), np.flatnonzero(raw.cell == "cell2")):
        asked = replace(raw, X=flat).take(rows)
        standardised = scores.apply(asked)
        expected = scores.restore_targets(model.predict(features.transform(standardised.X)), asked.cell)
        series = [x[valid] for x, valid in zip(asked.X, asked.mask, strict=True)]
        # sums of some hundred terms in another order
        np.testing.assert_allclose(card.predict(series, cell=asked.cell), expected, rtol=1e-9)
    if rule == "own":
        lone = scores.inputs.own(flat[raw.cell == "cell2"], raw.cell[raw.cell == "cell2"])
        assert lone.sd == scores.inputs.sd


def test_series_of_one_length_are_taken_as_they_are():
    table, mask = to_one_length([np.arange(4.0), np.ones(4)], 4, "pad")
    assert table.tolist() == [[0, 1, 2, 3], [1, 1, 1, 1]]
    assert mask is None
    table, mask = to_one_length([np.arange(3.0), np.ones(4)], 4, "pad")
    assert table[0].tolist() == [0, 1, 2, 0]
    assert mask.tolist() == [[True, True, True, False], [True] * 4]
    assert to_one_length([np.arange(3.0)], 5, "interpolate")[0].tolist() == [[0, 0.5, 1, 1.5, 2]]
