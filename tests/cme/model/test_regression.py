"""Ridge, logistic, grouped folds and search, and intervals over cells against brute force."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit, logit
from scipy.stats import t
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import r2_score, roc_auc_score

from awd_cme.model.features import MaxCoefficients
from awd_cme.model.folds import PENALTY, grouped_folds, scaled_folds
from awd_cme.model.intervals import coefficient_intervals, holm
from awd_cme.model.regression import SeriesLogistic, SeriesRidge, least_squares
from awd_cme.model.scores import auc, r2, score_difference, score_interval
from awd_cme.model.settings_search import search_settings
from awd_cme.series.problem import split_groups
from awd_cme.series.scaling import fit_z_scores
from awd_cme.series.series_set import example_set


def problem(n=120, features=6, seed=0):
    rng = np.random.default_rng(seed)
    F = rng.standard_normal((n, features)) * 10.0 ** (np.arange(features) / 2) + 5
    groups = np.arange(n) % 8
    y = F[:, 0] - 0.1 * F[:, 1] + rng.standard_normal(n) + groups
    return F, y, groups


def test_ridge_agrees_with_scikit_learn_on_standardised_features():
    F, y, _ = problem()
    Z = (F - F.mean(0)) / F.std(0)
    for alpha in (0.3, 30.0):
        ours = SeriesRidge(alphas=(alpha,), clip=False).fit(F, y)
        np.testing.assert_allclose(ours.predict(F), Ridge(alpha=alpha).fit(Z, y).predict(Z), rtol=1e-10)
    np.testing.assert_allclose(least_squares().fit(F, y).predict(F), LinearRegression().fit(F, y).predict(F), rtol=1e-8)


def test_least_squares_of_collinear_features_is_finite():
    F, y, _ = problem()
    more = np.hstack([F, F, np.ones((len(F), 1))])
    expected = least_squares().fit(F, y).predict(F)
    np.testing.assert_allclose(least_squares().fit(more, y).predict(more), expected, rtol=1e-8)


def test_features_that_hardly_vary_are_not_blown_up():
    F, y, _ = problem()
    flat = np.hstack([F, 1e-9 * np.random.default_rng(1).standard_normal((len(F), 1))])
    model = SeriesRidge(alphas=(1.0,), clip=False).fit(flat, y)
    moved = flat.copy()
    moved[:, -1] = 1e-3
    # In units of its own deviation that is a million; in units of the floor it is a hundredth at most.
    np.testing.assert_allclose(model.predict(moved), model.predict(flat), atol=1e-3 * y.std())


def mostly_constant(n=60):
    """Features of which most are constants, exactly or up to the rounding of a calculation, and two vary."""
    rng = np.random.default_rng(3)
    F = np.zeros((n, 12))
    F[:, :2] = rng.standard_normal((n, 2))
    F[:, 2] = 0.1
    F[:, 3:6] = 0.1 + 1e-17 * rng.standard_normal((n, 3))
    F[:, 6:9] = 1e-17 * rng.standard_normal((n, 3))
    F[:, 9] = 1e3 * (1 + 2.2e-16 * rng.integers(0, 2, n))
    return F, F[:, 0] - 2 * F[:, 1] + 0.1 * rng.standard_normal(n)


@pytest.mark.parametrize("kind", ["ridge", "least squares", "logistic"])
def test_features_that_are_constant_up_to_rounding_get_no_slope(kind):
    F, y = mostly_constant()
    target = y > 0 if kind == "logistic" else y
    make = {"ridge": SeriesRidge, "least squares": least_squares, "logistic": SeriesLogistic}[kind]
    model, alone = make().fit(F, target), make().fit(F[:, :2], target)
    assert (model.coef_[2:] == 0).all()
    np.testing.assert_allclose(model.coef_[:2], alone.coef_, rtol=1e-3)
    # the last bits of what is constant say nothing
    other = np.nextafter(F, np.where(np.random.default_rng(0).random(F.shape) < 0.5, -np.inf, np.inf))
    answer = model.decision_function if kind == "logistic" else model.predict
    np.testing.assert_allclose(answer(other), answer(F), rtol=1e-9, atol=1e-9)
    again = make().fit(other, target)
    np.testing.assert_allclose(again.coef_, model.coef_, rtol=1e-4)
    if kind != "least squares":
        ends = coefficient_intervals(model, F, target)
        assert np.isnan(ends[3:]).all()  # nothing is known of what is constant
        assert (ends[1:3, 0] < ends[1:3, 1]).all()


def test_features_that_are_all_constant_give_the_mean():
    y = np.arange(10.0)
    for F in (
        np.full((10, 3), 0.1),
        0.1 + 1e-17 * np.random.default_rng(0).standard_normal((10, 3)),
        np.zeros((10, 2)),
    ):
        model = SeriesRidge().fit(F, y)
        assert (model.coef_ == 0).all()
        np.testing.assert_allclose(model.predict(F), 4.5, rtol=1e-15)


def test_predictions_stay_within_the_training_range():
    F, y, _ = problem()
    bounded, free = SeriesRidge(alphas=(1.0,)).fit(F, y), SeriesRidge(alphas=(1.0,), clip=False).fit(F, y)
    far = F * 100
    assert free.predict(far).max() > y.max()
    np.testing.assert_array_equal(bounded.predict(far), np.clip(free.predict(far), y.min(), y.max()))


def test_the_penalty_is_chosen_on_held_out_groups():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(40), 6)
    # Features that tell the group by chance, and a target that is the group's: tracks are predicted, new groups not.
    marks = rng.standard_normal((40, 30))[groups] + 0.01 * rng.standard_normal((240, 30))
    y = rng.standard_normal(40)[groups]
    free, grouped = SeriesRidge().fit(marks, y), SeriesRidge().fit(marks, y, groups=groups)
    assert grouped.alpha_ >= 10 * free.alpha_ * (1 - 1e-9)


def test_logistic_agrees_with_scikit_learn_and_needs_two_classes():
    F, y, groups = problem()
    success = y > np.median(y)
    Z = (F - F.mean(0)) / F.std(0)
    ours = SeriesLogistic(alphas=(2.0,)).fit(F, success)
    theirs = LogisticRegression(C=0.5, max_iter=2000).fit(Z, success)
    np.testing.assert_allclose(ours.predict_proba(F), theirs.predict_proba(Z), atol=1e-10)
    assert (ours.predict(F) == theirs.predict(Z)).all()
    chosen = SeriesLogistic().fit(F, success, groups=groups)
    assert chosen.alpha_ in chosen.alphas
    with pytest.raises(ValueError, match="success has two classes; y has 1"):
        SeriesLogistic().fit(F, np.ones(len(F), dtype=bool))
    with pytest.raises(ValueError, match="one or more positive penalties"):
        SeriesLogistic(alphas=(0.0,)).fit(F, success)
    with pytest.raises(ValueError, match="alphas are one or more penalties from 0 on"):
        SeriesRidge(alphas=(-1.0,)).fit(F, y)


@pytest.mark.parametrize("labelled", [False, True])
def test_folds_keep_groups_together_and_are_even(labelled):
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 30, 400)
    labels = rng.random(400) < 0.3
    folds = grouped_folds(groups, 5, 0, labels if labelled else None)
    assert sorted(np.concatenate([test for _, test in folds])) == list(range(400))
    for train, test in folds:
        assert not set(groups[train]) & set(groups[test])
        assert 60 <= len(test) <= 100
        if labelled:
            assert abs(labels[test].mean() - labels.mean()) < 0.08
    alone = grouped_folds(np.arange(50), 5, 1, np.arange(50) < 10)
    assert [int((test < 10).sum()) for _, test in alone] == [2] * 5
    assert not np.array_equal(alone[0][1], grouped_folds(np.arange(50), 5, 2, np.arange(50) < 10)[0][1])
    assert len(grouped_folds(np.arange(6), 5, 0, np.arange(6) % 2 == 0)) == 3  # as many as there are of a class
    with pytest.raises(ValueError, match="cross-validation needs two or more of both"):
        grouped_folds(np.zeros(10), 5, 0)


@pytest.mark.parametrize(
    ("groups", "count", "seed", "labelled", "expected"),
    [
        (np.repeat(list("cabfedg"), [3, 2, 3, 2, 4, 3, 1]), 3, 0, False, "111001112200002222"),
        (np.repeat(list("cabfedg"), [3, 2, 3, 2, 4, 3, 1]), 3, 7, True, "222001111100002221"),
        (np.arange(18), 4, 0, False, "011120120312032303"),
        (np.arange(18), 4, 0, True, "012230220133301121"),
        (np.arange(18), 4, 7, False, "021313301120221030"),
        (np.arange(18), 4, 7, True, "013301102323223010"),
    ],
)
def test_the_folds_of_a_seed_stay_as_they_are(groups, count, seed, labelled, expected):
    # Cross-validated scores rest on them.
    found = np.full(18, -1)
    for k, (_, test) in enumerate(grouped_folds(groups, count, seed, np.arange(18) % 3 == 0 if labelled else None)):
        found[test] = k
    assert "".join(map(str, found)) == expected


def test_split_folds_and_penalties_draw_from_streams_of_their_own():
    groups = np.arange(12)
    split = split_groups(groups.astype(str), share=0.5, seed=3)
    drawn = [split, grouped_folds(groups, 2, 3)[0], grouped_folds(groups, 2, 3, stream=PENALTY)[0]]
    drawn += [grouped_folds(groups, 2, 3, draw=1)[0], grouped_folds(groups, 2, 4)[0]]
    halves = {frozenset(map(int, half)) for pair in drawn for half in pair}
    assert len(halves) == 10


def test_the_search_finds_the_features_that_tell():
    raw = example_set(n=200, cells=5)
    success = replace(raw, y=raw.y > np.median(raw.y), classification=True)
    tried = [MaxCoefficients("db2", levels=1, most=1, which="negative"), MaxCoefficients("db2", most=3)]
    found = search_settings(tried, raw, SeriesRidge(), folds=5, repeats=2)
    assert found.best is tried[1]
    assert found.scores.shape == (2, 10)
    assert found.pooled[1] > found.pooled[0]
    assert found.standard_error().shape == (2,)
    twice = search_settings([tried[1], *tried], raw, SeriesRidge())
    assert twice.first_within() == 0
    assert found.first_within() == 1
    rated = search_settings(tried, success, SeriesLogistic())
    assert rated.index == 1
    assert rated.pooled[1] > 0.9
    other = search_settings(tried, raw, LinearRegression(), groups=raw.groups("track"))
    assert other.index == 1
    with pytest.raises(ValueError, match="no candidates"):
        search_settings([], raw, SeriesRidge())
    with pytest.raises(ValueError, match="standardised already"):
        search_settings(tried, fit_z_scores(raw).apply(raw), SeriesRidge())
    with pytest.raises(ValueError, match="the targets are classes; take SeriesLogistic"):
        search_settings(tried, success, SeriesRidge())


def test_a_fold_is_scored_as_new_cells_are():
    # By hand: z-scores, features, penalty and regression of the training part alone; scores in the partner's unit.
    raw = example_set(n=120, cells=4, seed=2)
    features = MaxCoefficients("db2", most=2)
    for rule in ("training", "own"):
        found = search_settings([features], raw, SeriesRidge(), inputs=rule, folds=4)
        expected = np.zeros(len(raw))
        for rows, rest in grouped_folds(raw.cell, 4, 0):
            part, new = raw.take(rows), raw.take(rest)
            z = fit_z_scores(part, inputs=rule)
            model = SeriesRidge().fit(features.fit_transform(z.apply(part).X), z.apply(part).y, groups=part.cell)
            expected[rest] = z.restore_targets(model.predict(features.transform(z.apply(new).X)), new.cell)
        assert found.pooled[0] == pytest.approx(r2(raw.y, expected), rel=1e-9)


def test_what_is_held_out_changes_nothing_that_is_fitted():
    raw = example_set(n=120, cells=6)
    changed = replace(raw, X=raw.X.copy(), y=raw.y.copy())
    _, rest = grouped_folds(raw.cell, 3, 0)[0]
    changed.X[rest] *= 5
    changed.y[rest] += 1000
    one, other = (next(scaled_folds(series, 3, 0)) for series in (raw, changed))
    np.testing.assert_array_equal(one.training.X, other.training.X)
    np.testing.assert_array_equal(one.training.y, other.training.y)
    assert one.z_scores == other.z_scores


def test_a_cell_of_one_track_has_no_score_of_its_own():
    raw = example_set(n=100, cells=5)
    alone = replace(raw, cell=np.where(np.arange(100) == 0, "alone", raw.cell))
    found = search_settings([MaxCoefficients("db2", most=2)], alone, SeriesRidge(), folds=6)
    assert found.scores.shape == (1, 5)
    assert np.isfinite(found.pooled).all()


def test_scores_agree_with_scikit_learn():
    rng = np.random.default_rng(0)
    y, p = rng.standard_normal(50), rng.standard_normal(50).round(1)
    assert r2(y, p) == pytest.approx(r2_score(y, p))
    assert auc(y > 0, p) == pytest.approx(roc_auc_score(y > 0, p))


@pytest.mark.parametrize("metric", ["r2", "auc"])
def test_intervals_are_those_of_scores_without_each_cell(metric):
    rng = np.random.default_rng(3)
    y = rng.standard_normal(60)
    p, other = ((y + rng.standard_normal(60)).round(1) for _ in range(2))
    groups = rng.integers(0, 7, 60)
    truth = y > 0 if metric == "auc" else y
    score = roc_auc_score if metric == "auc" else r2_score
    left_out = np.array([score(truth[groups != cell], p[groups != cell]) for cell in range(7)])
    turn, back = (logit, expit) if metric == "auc" else (lambda r: np.log(1 - r), lambda z: 1 - np.exp(z))
    centre = turn(score(truth, p))
    error = np.sqrt(6 / 7 * np.sum((turn(left_out) - centre) ** 2))
    found = score_interval(truth, p, groups, metric=metric)
    ends = sorted(back(centre + t.ppf([0.025, 0.975], 6) * error))
    np.testing.assert_allclose([found.low, found.high], ends, rtol=1e-9)
    assert found.value == pytest.approx(score(truth, p))
    assert found.units == 7
    gap = score_difference(truth, p, other, groups, metric=metric)
    assert gap.value == pytest.approx(score(truth, p) - score(truth, other))
    assert gap.low < gap.value < gap.high
    back_to_front = score_difference(truth, other, p, groups, metric=metric)
    assert (back_to_front.value, back_to_front.low) == pytest.approx((-gap.value, -gap.high))
    same = score_difference(truth, p, p, groups, metric=metric)
    assert (same.value, same.low, same.high, same.p_value) == (0, 0, 0, 1)


def test_the_difference_of_two_is_that_of_their_errors_without_each_cell():
    rng = np.random.default_rng(4)
    y, p, q = rng.standard_normal((3, 40))
    groups = np.arange(40) % 5
    gap = ((y - q) ** 2 - (y - p) ** 2) / y.var()
    left_out = np.array([gap[groups != cell].mean() for cell in range(5)])
    error = np.sqrt(4 / 5 * np.sum((left_out - gap.mean()) ** 2))
    found = score_difference(y, p, q, groups)
    assert found.standard_error == pytest.approx(error, rel=1e-9)
    assert found.p_value == pytest.approx(2 * t.sf(abs(gap.mean()) / error, 4), rel=1e-9)


def test_clusters_widen_the_interval():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(10), 40)
    y = rng.standard_normal(10)[groups] * 2 + rng.standard_normal(400)
    p = y + rng.standard_normal(10)[groups] * 2
    by_cell, by_track = (score_interval(y, p, g) for g in (groups, None))
    assert by_cell.high - by_cell.low > 2 * (by_track.high - by_track.low)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (([1.0, 2.0], [1.0]), {}, "one shape"),
        (([1.0, np.nan], [1.0, 2.0]), {}, "NaN or an infinity"),
        (([1.0, 1.0], [1.0, 2.0]), {}, "R² needs targets that differ"),
        (([True, True], [1.0, 2.0]), {"metric": "auc"}, "two classes"),
        (([1.0, 2.0], [1.0, 2.0], ["a", "a"]), {}, "two clusters or more"),
        (([1.0, 2.0], [1.0, 2.0]), {"metric": "mse"}, "metric is 'r2' or 'auc'"),
        (([1.0, 2.0, 4.0], [1.0, 2.0, 3.0]), {"level": 1.0}, "level is 1.0; give a probability above 0 and below 1"),
    ],
)
def test_scores_that_do_not_exist(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        score_interval(*arguments, **options)


@pytest.mark.parametrize("kind", [least_squares, SeriesRidge, SeriesLogistic])
def test_intervals_of_coefficients_hold_the_truth(kind):
    rng = np.random.default_rng(0)
    F = rng.standard_normal((600, 3))
    signal = F @ [1.5, 0.0, -1.0] + 0.5
    y = signal + rng.logistic(size=600) > 0 if kind is SeriesLogistic else signal + rng.standard_normal(600)
    predictor = kind().fit(F, y)
    found = coefficient_intervals(predictor, F, y, np.arange(600) // 5)
    assert found.shape == (4, 3)
    inside = (found[:, 0] < [0.5, 1.5, 0.0, -1.0]) & (found[:, 1] > [0.5, 1.5, 0.0, -1.0])
    assert inside.sum() >= 3
    # With 600 tracks the penalty hardly moves the values.
    values = np.concatenate([[predictor.intercept_], predictor.coef_])
    assert ((found[:, 0] < values) & (values < found[:, 1])).all()
    assert np.isnan(found[0, 2])
    assert (found[1:, 2] < 0.05).tolist() == [True, False, True]
    with pytest.raises(ValueError, match="features of 600 tracks and 5 targets"):
        coefficient_intervals(predictor, F, y[:5])
    with pytest.raises(ValueError, match="groups has 5 entries for 600 tracks"):
        coefficient_intervals(predictor, F, y, np.arange(5))
    with pytest.raises(ValueError, match="two clusters or more"):
        coefficient_intervals(predictor, F, y, np.zeros(600))


def test_intervals_of_coefficients_are_those_of_fits_without_each_cell():
    F, y, groups = problem()
    found = coefficient_intervals(SeriesRidge(alphas=(30.0,)).fit(F, y), F, y, groups)
    full, left_out = LinearRegression().fit(F, y).coef_, np.zeros((8, F.shape[1]))
    for cell in range(8):
        left_out[cell] = LinearRegression().fit(F[groups != cell], y[groups != cell]).coef_
    error = np.sqrt(7 / 8 * np.sum((left_out - full) ** 2, axis=0))
    np.testing.assert_allclose(found[1:, 0], full - t.ppf(0.975, 7) * error, rtol=1e-6)
    np.testing.assert_allclose(found[1:, 2], holm(2 * t.sf(np.abs(full) / error, 7)), rtol=1e-6)


def test_left_out_logistic_fits_are_near_one_step():
    rng = np.random.default_rng(1)
    F, groups = rng.standard_normal((400, 3)), np.arange(400) // 20
    y = F @ [1.0, 0.0, -0.5] + rng.logistic(size=400) > 0
    predictor = SeriesLogistic().fit(F, y, groups)
    found = coefficient_intervals(predictor, F, y, groups)
    Z = (F - F.mean(0)) / F.std(0)

    def weights(rows):
        return LogisticRegression(C=100.0, tol=1e-10, max_iter=5000).fit(Z[rows], y[rows]).coef_[0] / F.std(0)

    full = weights(groups >= 0)
    left_out = np.array([weights(groups != cell) for cell in range(20)])
    error = np.sqrt(19 / 20 * np.sum((left_out - full) ** 2, axis=0))
    # One of Newton's steps is not the whole way; a percent of the error is.
    np.testing.assert_allclose(found[1:, 1] - found[1:, 0], 2 * t.ppf(0.975, 19) * error, rtol=0.03)


@pytest.mark.parametrize("kind", [SeriesRidge, SeriesLogistic])
def test_what_the_tracks_do_not_determine_has_no_interval(kind):
    F, y, groups = problem()
    y = y > np.median(y) if kind is SeriesLogistic else y
    more = np.column_stack([F, F[:, 0], np.ones(len(F)), np.where(groups == 3, F[:, 1], 0.0)])
    found = coefficient_intervals(kind(alphas=(1.0,)).fit(more, y), more, y, groups)
    # A twin, a constant, and what one cell alone shows; the others are as sure as they are without these.
    assert np.isnan(found[1:, 2]).tolist() == [True, *[False] * 5, True, True, True]


def test_an_error_of_classes_that_can_be_parted_is_no_certainty():
    rng = np.random.default_rng(0)
    F = rng.standard_normal((60, 4))
    found = coefficient_intervals(SeriesLogistic().fit(F, F[:, 0] > 0), F, F[:, 0] > 0, np.arange(60) // 10)
    assert not (found[2:, 2] < 0.05).any()
