"""From tracks to series and targets: steps by name, gaps, losses, splits, z-scores that do not see the test tracks."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from awd_cme.series.problem import make_series, split_groups, split_tracks, yeast_problem
from awd_cme.series.resample import fill_gaps, interpolate, resample, subsample
from awd_cme.series.scaling import fit_z_scores
from awd_cme.series.series_set import SETTINGS, SeriesSettings, example_set
from awd_cme.series.targets import (
    PartnerSeries,
    consecutive,
    largest,
    mean_significant,
    published_hot_spot,
    separate_bursts,
)
from awd_cme.tracks.table import make_table

ALL = SeriesSettings(categories=None, longer_than=None, target="max")


def table_of(lengths, *, cells=None, categories=None, p=0.5, seed=0, seconds_per_frame=1.0):
    """One track per entry of `lengths`, with random amplitudes; the partner's is twice the clathrin's."""
    rng = np.random.default_rng(seed)
    track = np.repeat(np.arange(len(lengths)), lengths)
    frame = np.concatenate([np.arange(n) for n in lengths])
    amplitude = rng.uniform(10, 20, len(track))
    return make_table(
        track=track,
        frame=frame,
        y=np.ones(len(track)),
        x=np.ones(len(track)),
        cell="a" if cells is None else np.repeat(cells, lengths),
        category=None if categories is None else np.repeat(categories, lengths),
        signals={
            "clathrin_amplitude": amplitude,
            "auxilin_amplitude": 2 * amplitude,
            "auxilin_p": np.full(len(track), p),
        },
        seconds_per_frame=seconds_per_frame,
    )


def test_long_series_keep_samples_by_index_and_short_ones_get_zeros():
    long = np.arange(79.0)
    assert subsample(long, 40).values.tolist() == long[::2].tolist()
    short = subsample(np.ones(30), 40)
    assert short.values.sum() == 30
    assert short.mask.sum() == 30
    assert short.mask[:30].all()
    exact = subsample(long[:40], 40)
    assert exact.values.tolist() == long[:40].tolist()
    assert exact.step == 1.0
    assert subsample(long, 40).step == 2.0
    assert subsample(np.arange(100.0), 40).values[[0, -1]].tolist() == [0, 99]


def test_interpolation_is_exact_for_straight_lines_of_any_length():
    for count in (2, 17, 40, 133):
        line = interpolate(3 + 2 * np.arange(count), 40)
        np.testing.assert_allclose(line.values, 3 + 2 * np.linspace(0, count - 1, 40), rtol=1e-13)
        assert line.mask.all()


def test_gaps_are_filled_by_straight_lines_and_counted():
    series, filled = fill_gaps([3, 4, 8, 9], [1.0, 2.0, np.nan, 7.0])
    assert series.tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert filled == 4
    series, _ = fill_gaps([0, 1, 2], [np.nan, 5.0, np.nan])
    assert series.tolist() == [5, 5, 5]
    assert np.isnan(fill_gaps([0, 1], [np.nan, np.nan])[0]).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: resample([1.0], 40, "spline"), "resampling is .*; choose one of published, pad, interpolate"),
        (lambda: resample([], 40), "at least one value"),
        (lambda: resample([[1.0]], 40), "one axis"),
        (lambda: resample([1.0], 1), "length is 1; give a whole number, 2 or more"),
    ],
)
def test_resampling_refuses(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def partner(frames, n=20, amplitude=None):
    p = np.ones(n)
    p[list(frames)] = 0.01
    return PartnerSeries(np.arange(n, dtype=float) if amplitude is None else amplitude, p)


def test_targets_are_those_published():
    assert mean_significant(partner([2, 4])) == 3
    assert mean_significant(partner([])) == 0
    assert largest(partner([])) == 19
    assert consecutive(partner([2, 3]))
    assert not consecutive(partner([2, 4]))
    assert consecutive(partner([], amplitude=np.full(20, 973.5)))
    assert not consecutive(partner([], amplitude=np.full(20, 973.0)))
    unknown = PartnerSeries(np.array([1.0, np.nan, 3.0]), np.array([np.nan, 0.01, 0.01]))
    assert mean_significant(unknown) == 3
    assert largest(unknown) == 3


def test_hot_spots_by_either_rule():
    # Two clean bursts: only our own rule sees them; with lone significant frames between, the published one does too.
    assert not published_hot_spot(partner([1, 2, 8, 9, 10]))
    assert separate_bursts(partner([1, 2, 8, 9, 10]))
    assert published_hot_spot(partner([0, 1, 4, 6, 9, 10]))
    assert not published_hot_spot(partner([1, 2, 3, 4, 5]))
    assert not separate_bursts(partner([1, 2, 3, 4, 5]))
    assert not separate_bursts(partner([1, 2, 8]))


def test_filters_drop_what_they_name_and_say_so():
    table = table_of([10, 16, 30, 50, 20], categories=[1, 1, 2, 1, 5])
    series = make_series(table, "published")
    assert series.track.tolist() == [1, 2, 3]
    assert series.losses.came == 5
    assert series.losses.kept == 3
    assert {why: n for _, n, why in series.losses.dropped} == {
        "category not in [1, 2]": 1,
        "lifetime of 15 s or less": 1,
    }
    assert make_series(table, "published-lstm").track.tolist() == [1]
    assert make_series(table, "cmeanalysis").track.tolist() == [0, 1, 3]
    with pytest.raises(ValueError, match=r"no track is left of 5.\n5 tracks came"):
        make_series(table, replace(ALL, longer_than=100.0))


def test_unknown_categories_and_lifetimes_are_kept_and_told():
    series = make_series(table_of([10, 20], seconds_per_frame=None), "published")
    assert len(series) == 2
    assert np.isnan(series.seconds_per_sample).all()
    said = " ".join(series.losses.assumed)
    assert "2 tracks of unknown category were kept" in said
    assert "2 tracks of unknown lifetime were kept" in said


def test_series_hold_what_the_table_holds():
    table = table_of([30, 40, 79], cells=["b", "a", "b"], seconds_per_frame=2.0)
    series = make_series(table, ALL, day={"a": "monday", "b": "tuesday"})
    assert series.cell.tolist() == ["a", "b", "b"]
    assert series.day.tolist() == ["monday", "tuesday", "tuesday"]
    assert series.frames.tolist() == [40, 30, 79]
    assert series.seconds_per_sample.tolist() == [2.0, 2.0, 4.0]
    assert series.lifetime.tolist() == [80, 60, 158]
    long = table[(table.cell == "b") & (table.track == 2)]
    np.testing.assert_array_equal(series.X[2], long["clathrin_amplitude"].to_numpy()[::2])
    assert series.y[2] == long["auxilin_amplitude"].max()
    assert not series.X[1, 30:].any()
    assert series.mask.sum(1).tolist() == [40, 30, 40]
    assert series.groups().tolist() == series.cell.tolist()
    assert series.groups("day").tolist() == series.day.tolist()
    assert series.groups("track").tolist() == [0, 1, 2]


def test_gaps_and_missing_amplitudes():
    table = table_of([20, 20, 20])
    table.loc[table.track == 1, "clathrin_amplitude"] = np.nan
    table.loc[(table.track == 0) & (table.frame.isin([5, 6])), "clathrin_amplitude"] = np.nan
    table.loc[table.track == 2, "auxilin_amplitude"] = np.nan
    series = make_series(table, ALL)
    assert series.track.tolist() == [0]
    assert {why for *_, why in series.losses.dropped} == {"no amplitude of clathrin", "no amplitude of auxilin"}
    assert "2 missing values of clathrin were interpolated" in series.losses.assumed[-1]
    known = table["clathrin_amplitude"].to_numpy()
    np.testing.assert_allclose(series.X[0, 5], known[4] + (known[7] - known[4]) / 3)


def test_frames_around_a_track_count_only_where_they_are_asked_for():
    table = table_of([20])
    table["part"] = pd.Categorical(["before"] * 5 + ["track"] * 15, categories=["before", "track", "gap", "after"])
    assert make_series(table, ALL).frames.tolist() == [15]
    assert make_series(table, "yeast").frames.tolist() == [20]


def test_classification_and_own_targets():
    table = table_of([20, 20], p=0.01)
    success = make_series(table, "published-success")
    assert success.classification
    assert success.y.dtype == bool
    report = success.report()
    assert report["classes"] == {"success": 2, "other": 0}
    assert report["success_fraction_by_cell"] == {"a": 1.0}

    def total(partner):
        return partner.amplitude.sum()

    own = make_series(table, ALL, target=total)
    assert own.settings.target == "total"
    np.testing.assert_allclose(own.y, [2 * table[table.track == k]["clathrin_amplitude"].sum() for k in (0, 1)])
    late = make_series(table, ALL, target=lambda p: bool(p.amplitude.argmax() > 10), classification=True)
    assert late.y.dtype == bool
    with pytest.raises(ValueError, match="the target is not finite"):
        make_series(table, ALL, target=lambda p: float("nan"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("auxilin", "settings is .*; choose one of published, "),
        (replace(ALL, hot_spots="mine"), "hot_spots is 'mine'; choose one of"),
        (replace(ALL, target="mean"), "target is 'mean'.*; choose one of mean_significant, max, consecutive"),
        (replace(ALL, x="dynamin"), "no channel 'dynamin'; it has clathrin, auxilin"),
        (replace(ALL, resampling="cubic"), "resampling is .*; choose one of"),
    ],
)
def test_settings_that_do_not_exist(settings, message):
    with pytest.raises(ValueError, match=message):
        make_series(table_of([20]), settings)


def test_a_target_by_its_name():
    table = table_of([20, 30])
    named = make_series(table, replace(ALL, target="mean_significant"), target="max")
    assert np.array_equal(named.y, make_series(table, ALL).y)
    assert named.settings.target == "max"
    with pytest.raises(ValueError, match=r"target is 'most'; choose one of .*max"):
        make_series(table, ALL, target="most")


def test_targets_that_need_p_values_say_so():
    with pytest.raises(ValueError, match="needs p-values of 'auxilin', and the table has none"):
        make_series(table_of([20], p=np.nan), "published")


def test_z_scores_take_nothing_from_test_tracks():
    raw = example_set(n=90, cells=3)
    rows, rest = split_groups(raw.cell, test=["cell3"])
    training = raw.take(rows)
    scores = fit_z_scores(training)
    scaled = scores.apply(training)
    for cell in ("cell1", "cell2"):
        here = training.cell == cell
        np.testing.assert_allclose([scaled.X[here].mean(), scaled.X[here].std()], [0, 1], atol=1e-12)
        np.testing.assert_allclose([scaled.y[here].mean(), scaled.y[here].std()], [0, 1], atol=1e-12)
    held = raw.take(rest)
    # Another target or series in the held-out cell changes nothing in how its other tracks are standardised.
    altered = replace(held, y=np.append(1e6, held.y[1:]), X=np.vstack([held.X[:1] * 100, held.X[1:]]))
    np.testing.assert_array_equal(scores.apply(altered).y[1:], scores.apply(held).y[1:])
    np.testing.assert_array_equal(scores.apply(altered).X[1:], scores.apply(held).X[1:])
    pooled = scores.inputs
    np.testing.assert_allclose(scores.apply(held).X, (held.X - pooled.mean) / pooled.sd)
    np.testing.assert_allclose(scores.restore_targets(scores.apply(held).y, held.cell), held.y)


@pytest.mark.parametrize("rule", ["training", "own"])
def test_a_cell_whose_values_are_the_same_is_not_blown_up(rule):
    """The mean of 0.1, taken many times, is not 0.1 to the last bit."""
    raw = example_set(n=40, cells=4)
    flat = raw.cell == raw.cell[0]
    X, y = np.where(flat[:, None], 0.1, raw.X), np.where(flat, 0.1, raw.y)
    scores = fit_z_scores(replace(raw, X=X, y=y), inputs=rule, targets=rule)
    for found, values in ((scores.inputs, X), (scores.targets, y)):
        assert found.cells[str(raw.cell[0])] == (pytest.approx(0.1), found.sd)
        assert found.sd > 1e-3 * values.std()
    scaled = scores.apply(replace(raw, X=X, y=y))
    assert np.abs(scaled.X[flat]).max() < 1e-9
    assert np.abs(scaled.y[flat]).max() < 1e-9
    same = replace(raw, X=np.full_like(raw.X, 0.1) * (1 + 1e-16 * np.sign(raw.X)), y=raw.y)
    with pytest.raises(ValueError, match="all values of X are the same within each cell"):
        fit_z_scores(same, inputs=rule)


def test_z_scores_by_own_are_the_published_ones():
    raw = example_set(n=90, cells=3)
    scores = fit_z_scores(raw.take(raw.cell != "cell3"), inputs="own", targets="own")
    held = scores.apply(raw.take(raw.cell == "cell3"))
    np.testing.assert_allclose([held.X.mean(), held.X.std(), held.y.mean(), held.y.std()], [0, 1, 0, 1], atol=1e-12)
    with pytest.raises(ValueError, match="which cannot be undone"):
        scores.restore_targets(held.y, held.cell)


def test_padding_counts_in_z_scores_only_as_published():
    table = table_of([20, 30])
    published = make_series(table, ALL)
    padded = make_series(table, replace(ALL, resampling="pad"))
    np.testing.assert_array_equal(published.X, padded.X)
    assert fit_z_scores(published).inputs.mean == pytest.approx(published.X.mean())
    valid = padded.X[padded.mask]
    scores = fit_z_scores(padded)
    assert scores.inputs.mean == pytest.approx(valid.mean())
    assert scores.inputs.sd == pytest.approx(valid.std())
    assert not scores.apply(padded).X[~padded.mask].any()


def test_classes_are_never_scaled_and_scaling_happens_once():
    success = make_series(table_of([20, 20], p=0.01), "published-success")
    scores = fit_z_scores(success)
    assert scores.apply(success).y.dtype == bool
    with pytest.raises(ValueError, match="standardised already"):
        scores.apply(scores.apply(success))
    with pytest.raises(ValueError, match="standardised already"):
        fit_z_scores(scores.apply(success))
    with pytest.raises(ValueError, match="one of the rules training, own, none"):
        fit_z_scores(success, inputs="cell")
    flat = replace(example_set(), X=np.ones((60, 40)))
    with pytest.raises(ValueError, match="all values of X are the same"):
        fit_z_scores(flat)


def test_splits():
    rows, rest = split_tracks(10, 0)
    assert sorted([*rows, *rest]) == list(range(10))
    assert np.array_equal(np.concatenate(split_tracks(10, 3)), np.random.RandomState(3).permutation(10))
    with pytest.raises(ValueError, match="one side of the split empty"):
        split_tracks(3, 0, share=0.1)
    groups = np.repeat(["a", "b", "c", "d"], 5)
    rows, rest = split_groups(groups, seed=1)
    assert not set(groups[rows]) & set(groups[rest])
    assert len(set(groups[rest])) == 2
    with pytest.raises(ValueError, match="no group 'z'"):
        split_groups(groups, test=["z"])
    with pytest.raises(ValueError, match="one side of the split empty"):
        split_groups(groups, test=["a", "b", "c", "d"])


def test_a_set_that_contradicts_itself_is_refused():
    raw = example_set(6)
    with pytest.raises(ValueError, match="y has 5 entries for 6 tracks"):
        replace(raw, y=raw.y[:5])
    with pytest.raises(ValueError, match="NaN or an infinity"):
        replace(raw, X=np.full((6, 40), np.nan))
    with pytest.raises(ValueError, match="'auto', 'cell', 'day' or 'track'"):
        raw.groups("movie")
    with pytest.raises(ValueError, match="day of some tracks is unknown"):
        raw.groups("day")


def test_named_settings_make_json():
    assert SETTINGS["yeast"].to_dict()["parts"] == ["before", "track", "gap", "after"]
    assert example_set().report()["cells"] == {"cell1": 20, "cell2": 20, "cell3": 20}


@pytest.mark.parametrize(("name", "count"), [("Pan1", 232), ("Sla1", 415)])
def test_the_yeast_question(real_data, name, count):
    from scipy.io import loadmat

    from awd_cme.readers.read import read_tracks

    path = real_data / "cme" / "yeast" / f"{name}-GFP_Abp1-RFP.mat"
    table, _ = read_tracks(path)
    series = make_series(table, "yeast")
    assert len(series) == count
    assert series.channels == (name, "Abp1")
    file = loadmat(path, squeeze_me=True, struct_as_record=False)["goodTrackData"]
    for k in (0, 17, count - 1):
        own = np.asarray(file[k].ref_intensity_bg_corrected, dtype=float)
        assert series.frames[k] == len(own)
        np.testing.assert_array_equal(series.X[k], subsample(own, 40).values)
        assert series.y[k] == np.max(file[k].cor_intensity_bg_corrected)
    training, test = yeast_problem(table, seed=0)
    order = np.random.RandomState(0).permutation(count)
    np.testing.assert_array_equal(training.track, series.track[order[: int(0.7 * count)]])
    np.testing.assert_allclose([training.X.mean(), training.X.std(), training.y.std()], [0, 1, 1], atol=1e-9)
    assert len(test) == count - len(training)
    own_scores = yeast_problem(table, inputs="own", targets="own")[1]
    np.testing.assert_allclose([own_scores.X.mean(), own_scores.y.std()], [0, 1], atol=1e-9)


@pytest.mark.parametrize(("amplitude", "what"), [(1.0, "intensities of one channel only"), (np.nan, "no intensities")])
def test_one_channel_is_no_learning_problem(amplitude, what):
    frames = np.arange(30)
    table = make_table(
        track=np.ones(30, int), frame=frames, y=frames, x=frames, channels=["clathrin"],
        signals={"clathrin_amplitude": np.full(30, amplitude)},
    )  # fmt: skip
    with pytest.raises(ValueError, match=rf"the tracks have {what}, .*awd-cme run MOVIES --tracks FILE") as raised:
        make_series(table, "published")
    assert "clathrin" not in str(raised.value)
