"""Explanations name what is there: no zero, and nothing that lies behind the end of a track."""

from dataclasses import replace

import numpy as np
import pytest

from awd_cme.model.features import MaxCoefficients
from awd_cme.model.regression import SeriesRidge
from awd_cme.run.compare import Fitted
from awd_cme.run.examples import NEGLIGIBLE, _deciding, _present
from awd_cme.run.series import Problem
from awd_cme.series.scaling import fit_z_scores
from awd_cme.series.series_set import example_set


def problem_with_short_tracks(resampling, centre, seconds):
    """Of every second track the samples behind the 12th are padding."""
    raw = example_set(n=160, cells=2, seed=1)
    mask = np.arange(40) < np.where(np.arange(160) % 2, 12, 40)[:, None]
    settings = replace(raw.settings, resampling=resampling)
    raw = replace(
        raw, X=np.where(mask, raw.X, 0.0), mask=mask, settings=settings, seconds_per_sample=np.full(160, seconds)
    )
    train, test = np.arange(100), np.arange(100, 160)
    return Problem(raw, train, test, "tracks", fit_z_scores(raw.take(train), centre=centre))


def fitted(problem, which, most):
    training, step = problem.training, float(problem.raw.seconds_per_sample[0])
    features = MaxCoefficients(
        "db3", 4, which=which, most=most, seconds_per_sample=step if np.isfinite(step) else None
    ).fit(training.X)
    model = SeriesRidge().fit(features.transform(training.X), training.y)
    prediction = model.predict(features.transform(problem.held_out.X))
    return Fitted("awd", "AWD", "awd", which, "ridge", prediction, None, 1, None, features, model)


@pytest.mark.parametrize("seconds", [2.0, np.nan])
@pytest.mark.parametrize("centre", [True, False])
@pytest.mark.parametrize("resampling", ["pad", "published"])
@pytest.mark.parametrize("which", ["both", "signed", "absolute"])
def test_nothing_behind_the_end_and_nothing_that_is_zero_is_named(which, resampling, centre, seconds):
    problem = problem_with_short_tracks(resampling, centre, seconds)
    row, clock = fitted(problem, which, 3), seconds if np.isfinite(seconds) else 1.0
    left_out = 0
    for k in range(len(problem.test)):
        named, absent = _deciding(problem, row, k)
        end = (problem.held_out.mask[k].sum() - 1) * clock
        largest = max((abs(term) for *_, term in named), default=0.0)
        for _, width, position, value, weight, _ in named:
            assert position - width / 2 <= end
            assert position + width / 2 >= 0
            assert abs(value * weight) > NEGLIGIBLE * largest * (1 - 1e-9)
        assert [abs(term) for *_, term in named] == sorted((abs(term) for *_, term in named), reverse=True)
        left_out += absent
    # Half of the tracks end early, and their scales have fewer coefficients than the model looks for.
    assert left_out > 0


def test_what_is_left_out_is_counted_where_it_would_have_been_named():
    def told(term):
        return ("detail 2 s", 2.0, 1.0, 1.0, term, term)

    found = [(told(term), own) for term, own in ((9.0, 0.0), (-8.0, 1.0), (7.0, 0.01), (6.0, -2.0), (0.05, 0.0))]
    named, absent = _present(found)
    assert [item[-1] for item in named] == [-8.0, 6.0]
    assert absent == 2  # the last one is nothing beside the largest
    more = [*found, (told(5.0), 1.0), (told(4.0), 1.0), (told(3.0), 0.0), (told(2.0), 1.0)]
    named, absent = _present(more)
    assert [item[-1] for item in named] == [-8.0, 6.0, 5.0, 4.0]
    assert absent == 2  # the one at 3 would not have been named
    assert _present([(told(0.0), 0.0)]) == ([], 0)
