"""Extraction over a movie: what is read, where, and what comes out of it."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from awd_cme.movies.movie import Movie
from awd_cme.tracking.intensities import aperture_sums, extract, fit_spots
from awd_cme.tracks.table import LossReport, make_table, validate

SIGMA = 1.4


def rendered(table, shape, amplitudes, *, shifts=None, noise=5.0, seed=0, sigma=SIGMA):
    """Movie of two channels with a spot for each row of a table that has a position."""
    frames = np.random.default_rng(seed).normal(200, noise, shape)
    g = np.arange(shape[2]), np.arange(shape[3])
    for c in range(shape[1]):
        dy, dx = (0, 0) if shifts is None else shifts[c]
        for row, height in zip(table.itertuples(), amplitudes[c], strict=True):
            if np.isfinite(row.y):
                gy = np.exp(-((g[0] - row.y - dy) ** 2) / (2 * sigma**2))
                frames[row.frame, c] += height * gy[:, None] * np.exp(-((g[1] - row.x - dx) ** 2) / (2 * sigma**2))
    return Movie.from_array(frames, seconds_per_frame=2.0, micrometres_per_pixel=0.1)


def tracks(count, frames, size, seed, length=8):
    rng = np.random.default_rng(seed)
    first = rng.integers(0, frames - length, count)
    pitch = size / np.sqrt(count)
    here = np.arange(count)
    middle = 0.5 * pitch + pitch * np.stack([here // np.sqrt(count), here % np.sqrt(count)], axis=1)
    steps = rng.normal(0, 0.2, (count, length, 2)).cumsum(axis=1) + middle[:, None]
    return make_table(
        track=np.repeat(here, length), frame=(first[:, None] + np.arange(length)).ravel(),
        y=steps[..., 0].ravel(), x=steps[..., 1].ravel(), seconds_per_frame=2.0,
    )  # fmt: skip


def test_amplitudes_within_their_errors_in_both_channels():
    table = tracks(49, 20, 200, seed=1, length=15)
    heights = np.random.default_rng(2).uniform(0, 60, (2, len(table)))
    result = extract(rendered(table, (20, 2, 200, 200), heights), table, sigma=SIGMA)
    assert result.attrs == {"channels": ["clathrin", "auxilin"], "seconds_per_frame": 2.0, "micrometres_per_pixel": 0.1}
    pd.testing.assert_frame_equal(result[["track", "frame", "y", "x", "t"]], table[["track", "frame", "y", "x", "t"]])
    for name, truth in zip(("clathrin", "auxilin"), heights, strict=True):
        pull = (result[f"{name}_amplitude"] - truth) / result[f"{name}_amplitude_error"]
        # 735 rows: 2.6 %.
        assert pull.std() == pytest.approx(1.0, abs=0.08)
        assert abs(pull.mean()) < 0.12
        assert ((result[f"{name}_background"] - 200) / result[f"{name}_background_error"]).std() == pytest.approx(
            1, abs=0.08
        )


def test_p_values_around_tracks_are_uniform_where_nothing_is():
    table = tracks(49, 30, 200, seed=3)
    movie = rendered(table, (30, 2, 200, 200), np.full((2, len(table)), 80.0))
    result = extract(movie, table, sigma=SIGMA, before=5, after=5, losses=LossReport())
    around = result["part"].isin(["before", "after"])
    assert around.sum() > 300
    for name in ("clathrin", "auxilin"):
        assert stats.kstest(result.loc[around, f"{name}_p"], "uniform").pvalue > 0.01
        assert (result.loc[~around, f"{name}_p"] < 1e-6).all()


def test_frames_around_tracks_and_gaps_have_places():
    table = make_table(
        track=[3, 3, 3, 3], frame=[4, 5, 6, 9], y=[10.0, np.nan, 12.0, 15.0], x=[20.0, np.nan, 20.0, 23.0],
        t=[8.5, 10.5, 12.5, 18.5], category=[1] * 4, lifetime=[12.0] * 4, source="there", seconds_per_frame=2.0,
    )  # fmt: skip
    movie = Movie.from_array(np.random.default_rng(4).normal(100, 5, (12, 1, 40, 40)))
    losses = LossReport()
    result = extract(movie, table, sigma=SIGMA, before=2, after=4, losses=losses)
    assert result["frame"].tolist() == list(range(2, 12))
    assert result["part"].tolist() == ["before"] * 2 + ["track", "gap", "track", "gap", "gap", "track"] + ["after"] * 2
    assert result["y"].tolist() == [10, 10, 10, 11, 12, 13, 14, 15, 15, 15]
    assert result["x"].tolist() == [20, 20, 20, 20, 20, 21, 22, 23, 23, 23]
    # Times go on as those that are known: they began half a second late.
    assert result["t"].tolist() == [0.5 + 2 * frame for frame in range(2, 12)]
    assert set(result["category"]) == {1}
    assert set(result["lifetime"]) == {12.0}
    assert np.isfinite(result["clathrin_amplitude"]).all()
    assert losses.dropped == [("frames around tracks", 2, "outside the movie")]
    assert (losses.came, losses.kept) == (1, 1)
    with pytest.warns(UserWarning, match="2 frames around tracks"):
        extract(movie, table, sigma=SIGMA, before=2, after=4)


def test_frames_around_that_a_table_has_stay_where_they_are():
    table = make_table(
        track=[0] * 4, frame=[3, 4, 5, 6], y=[9.0, 10.0, 11.0, 14.0], x=[9.0, 10.0, 11.0, 14.0],
        part=["before", "track", "track", "after"],
    )  # fmt: skip
    movie = Movie.from_array(np.random.default_rng(5).normal(100, 5, (12, 1, 40, 40)))
    result = extract(movie, table, sigma=SIGMA, before=2)
    assert result["frame"].tolist() == [2, 3, 4, 5, 6]
    assert result["y"].tolist() == [9, 9, 10, 11, 14]
    assert result["part"].tolist() == ["before", "before", "track", "track", "after"]
    assert result["t"].isna().all()


def test_segments_keep_to_themselves():
    table = make_table(
        track=[0] * 6, frame=[0, 1, 2, 3, 4, 5], segment=[0, 0, 0, 1, 1, 1],
        y=[5.0, 6.0, np.nan, np.nan, 30.0, 31.0], x=[5.0] * 2 + [np.nan] * 2 + [30.0] * 2,
    )  # fmt: skip
    movie = Movie.from_array(np.random.default_rng(6).normal(100, 5, (6, 1, 40, 40)))
    result = extract(movie, table, sigma=SIGMA)
    assert result["y"].tolist() == [5, 6, 6, 30, 30, 31]


def test_rows_beyond_the_movie_are_dropped_and_counted():
    table = make_table(track=[0, 0, 1, 2], frame=[1, 2, 2, 1], y=[9.0] * 3 + [55.0], x=[9.0] * 4)
    movie = Movie.from_array(np.random.default_rng(7).normal(100, 5, (2, 1, 40, 40)))
    losses = LossReport()
    result = extract(movie, table, sigma=SIGMA, losses=losses)
    assert result["track"].tolist() == [0, 2]
    assert losses.dropped == [("rows", 2, "after the movie's last frame, 1"), ("tracks", 1, "no frame in the movie")]
    assert (losses.came, losses.kept) == (3, 2)
    assert any("1 places outside the image" in sentence for sentence in losses.assumed)
    assert np.isnan(result["clathrin_amplitude"]).tolist() == [False, True]
    assert not len(extract(movie, table[table["track"] == 1].reset_index(drop=True), sigma=SIGMA, losses=losses))


def test_shifts_between_channels():
    table = tracks(16, 10, 120, seed=8)
    shifts = [(0.0, 0.0), (2.3, -1.6)]
    movie = rendered(table, (10, 2, 120, 120), np.full((2, len(table)), 60.0), shifts=shifts)
    plain = extract(movie, table, sigma=SIGMA)
    moved = extract(movie, table, sigma=SIGMA, shifts={"auxilin": shifts[1]})
    each = extract(movie, table, sigma=SIGMA, shifts={"auxilin": np.tile(shifts[1], (10, 1))})
    assert moved["auxilin_amplitude"].mean() == pytest.approx(60, abs=1)
    assert plain["auxilin_amplitude"].mean() < 30
    pd.testing.assert_series_equal(plain["clathrin_amplitude"], moved["clathrin_amplitude"])
    pd.testing.assert_frame_equal(moved, each)


def test_every_image_is_read_once_and_let_go():
    table = tracks(9, 12, 90, seed=9)
    frames = np.random.default_rng(10).normal(100, 5, (12, 2, 90, 90))
    read = []

    def frame(t, c):
        read.append((t, c))
        return frames[t, c]

    movie = Movie(shape=frames.shape, dtype=frames.dtype, channels=("a", "b"), read=frame)
    extract(movie, table, sigma=SIGMA, gain=0.0, threads=3)
    assert sorted(read) == sorted((f, c) for f in set(table["frame"]) for c in (0, 1))


def test_channels_by_name_and_width():
    table = tracks(9, 12, 90, seed=11)
    movie = rendered(table, (12, 2, 90, 90), np.full((2, len(table)), 60.0))
    both = extract(movie, table, sigma={"clathrin": SIGMA, "auxilin": 2.5})
    one = extract(movie, table, sigma=2.5, channels={"auxilin": "partner"})
    assert one.attrs["channels"] == ["partner"]
    np.testing.assert_array_equal(one["partner_amplitude"], both["auxilin_amplitude"])
    assert extract(movie, table, sigma=SIGMA, channels=["auxilin", "clathrin"]).attrs["channels"][0] == "auxilin"


def test_the_image_is_asked_as_by_hand():
    table = tracks(9, 12, 90, seed=12)
    movie = rendered(table, (12, 2, 90, 90), np.full((2, len(table)), 60.0))
    gains = {"clathrin": 2.0, "auxilin": 1.0}
    ways = {"fit": {}, "noise": {"test": "noise"}, "gain": {"gain": gains}, "sum": {"method": "aperture"}}
    of = {way: extract(movie, table, sigma=SIGMA, neighbours="flag", **how) for way, how in ways.items()}
    here = (table["frame"] == 6).to_numpy()
    y, x = table.loc[here, "y"], table.loc[here, "x"]
    fits = fit_spots(movie.frame(6, 0), y, x, SIGMA, gain=2.0)
    sums = aperture_sums(movie.frame(6, 0), y, x, radius=2 * SIGMA, inner=3 * SIGMA, outer=5 * SIGMA)
    np.testing.assert_array_equal(of["fit"].loc[here, "clathrin_amplitude"], fits.amplitude)
    np.testing.assert_array_equal(of["fit"].loc[here, "clathrin_p"], fits.p)
    np.testing.assert_array_equal(of["noise"].loc[here, "clathrin_p"], fits.p_noise)
    np.testing.assert_array_equal(of["gain"].loc[here, "clathrin_amplitude_error"], fits.amplitude_error)
    np.testing.assert_array_equal(of["sum"].loc[here, "clathrin_amplitude"], sums.net)
    np.testing.assert_array_equal(of["sum"].loc[here, "clathrin_p"], sums.p)


def test_crowded_and_edge_are_said():
    table = make_table(track=[0, 1, 2], frame=[0, 0, 0], y=[20.0, 20.0, 3.0], x=[20.0, 23.0, 20.0])
    result = extract(Movie.from_array(np.random.default_rng(13).normal(100, 5, (1, 1, 40, 40))), table, sigma=SIGMA)
    assert result["crowded"].tolist() == [True, True, False]
    assert result["edge"].tolist() == [False, False, True]
    assert validate(result) is result


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"sigma": 0.0}, r"sigma is .* from 0\.5 to 20"),
        ({"sigma": {"clathrin": 1.5}}, "sigma has no value for the channel 'auxilin'"),
        ({"channels": ["red"]}, "not \\['red'\\]"),
        ({"channels": "clathrin"}, "channels must be a list"),
        ({"channels": []}, "one at least"),
        ({"method": "sum"}, "method is .*; choose one of"),
        ({"test": "t"}, "test is .*; choose one of"),
        ({"method": "aperture", "test": "noise"}, "use method='fit'"),
        ({"before": -1}, "before is -1; give a whole number, 0 or more"),
        ({"shifts": {"red": (0, 0)}}, "shifts are given by those names"),
        ({"shifts": {"auxilin": [1.0, 2.0, 3.0]}}, "one such pair for each of the 3 frames"),
        ({"neighbours": "none"}, "neighbours is .*; choose one of"),
    ],
)
def test_bad_options(options, match):
    table = make_table(track=[0], frame=[0], y=[5.0], x=[5.0])
    with pytest.raises(ValueError, match=match):
        extract(Movie.from_array(np.zeros((3, 2, 20, 20))), table, **{"sigma": SIGMA} | options)


def test_tables_of_no_use():
    movie = Movie.from_array(np.zeros((3, 2, 20, 20)))
    two = make_table(track=[0, 0], frame=[0, 0], y=[5.0, 6.0], x=[5.0, 6.0], cell=["a", "b"])
    with pytest.raises(ValueError, match=r"the table holds 2: a, b"):
        extract(movie, two, sigma=SIGMA)
    with pytest.raises(ValueError, match="no position at all: \\[4\\]"):
        extract(movie, make_table(track=[4], frame=[0], y=[np.nan], x=[np.nan]), sigma=SIGMA)
    with pytest.raises(ValueError, match="no canonical table"):
        extract(movie, two.drop(columns="t"), sigma=SIGMA)
