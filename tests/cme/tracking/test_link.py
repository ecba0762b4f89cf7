"""Tracks from spots and from bare movies, and the rule by which tracks are scored."""

import numpy as np
import pandas as pd
import pytest
from laptrack import LapTrack
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from awd_cme.movies.movie import Movie
from awd_cme.tracking.evaluate import score_tracks
from awd_cme.tracking.gaps import FRAMES, linked
from awd_cme.tracking.link import link_spots, track_movie
from awd_cme.tracks.table import LossReport, make_table, validate

SIGMA, NOISE = 1.5, 10.0


def world(seed, *, frames=30, size=128, count=24, snr=5.0, step=0.3):
    """Movie of spots that wander, rise and fall, and the true tracks."""
    rng = np.random.default_rng(seed)
    # A place for each, far enough from the next that no two are ever on top of each other.
    pitch = size / 5
    middles = [((k // 5 + 0.5) * pitch, (k % 5 + 0.5) * pitch) for k in range(count)]
    rows = []
    for track in range(count):
        length = int(rng.integers(12, 30))
        first = int(rng.integers(0, frames - 12))
        length = min(length, frames - first)
        places = np.array(middles[track]) + rng.uniform(-6, 6, 2) + rng.normal(0, step, (length, 2)).cumsum(axis=0)
        ends = np.minimum(np.arange(1, length + 1), np.arange(length, 0, -1)) / 3
        heights = snr * NOISE * np.minimum(1, ends)
        rows += [(track, first + k, *places[k], heights[k]) for k in range(length)]
    track, frame, y, x, height = np.array(rows).T
    images = rng.normal(100, NOISE, (frames, 2, size, size))
    g = np.arange(size)
    for row in rows:
        spot = row[4] * np.exp(-((g - row[2])[:, None] ** 2 + (g - row[3]) ** 2) / (2 * SIGMA**2))
        images[row[1], 0] += spot
        images[row[1], 1] += 0.5 * spot
    movie = Movie.from_array(images.round().clip(0, 65535).astype(np.uint16), seconds_per_frame=1.0)
    truth = make_table(
        track=track.astype(int), frame=frame.astype(int), y=y, x=x, signals={"clathrin_amplitude": height}
    )
    return movie, truth


def walk(frames, start, velocity=(0.0, 0.0), **columns):
    frames = np.asarray(frames)
    return pd.DataFrame(
        {"frame": frames, "y": start[0] + velocity[0] * frames, "x": start[1] + velocity[1] * frames, **columns}
    )


def test_tracks_of_a_bare_movie_at_five_times_the_noise():
    movie, truth = world(1)
    losses = LossReport()
    table = track_movie(movie, before=2, after=2, losses=losses)
    scores = score_tracks(table, truth)
    assert scores.recall >= 0.9
    assert scores.precision >= 0.9
    assert scores.true_tracks == 24
    assert scores.position_error < 0.4
    assert table.attrs["channels"] == ["clathrin", "auxilin"]
    assert validate(table) is table
    on = table[table["part"] == "track"]
    # The ends are dim, so the mean is below the plateau of 50.
    assert 35 < on["clathrin_amplitude"].mean() < 50
    assert on["auxilin_amplitude"].mean() == pytest.approx(on["clathrin_amplitude"].mean() / 2, rel=0.08)
    assert set(table["part"]) >= {"before", "track", "after"}
    assert losses.kept == table["track"].nunique()
    assert losses.came == losses.kept + sum(many for what, many, _ in losses.dropped if what == "tracks")
    assert any("sigma = 1.4" in sentence or "sigma = 1.5" in sentence for sentence in losses.assumed)


def test_a_movie_of_noise_has_no_tracks():
    movie = Movie.from_array(np.random.default_rng(2).normal(100, 10, (12, 1, 96, 96)))
    table = track_movie(movie, sigma=SIGMA)
    assert len(table) == 0
    assert table.attrs["channels"] == ["clathrin"]


def test_gaps_are_closed_up_to_their_length():
    spots = pd.concat([walk([0, 1, 2, 5, 6, 7], (20.0, 20.0)), walk(range(8), (40.0, 40.0))])
    closed = link_spots(spots, max_gap=2)
    assert closed["track"].nunique() == 2
    gap = closed[closed["part"] == "gap"]
    assert gap["frame"].tolist() == [3, 4]
    assert gap["y"].isna().all()
    for options in ({"max_gap": 1}, {"max_gap": 0}, {"max_gap": 2, "max_gap_step": 0.1}):
        moved = spots.assign(y=spots["y"] + 0.2 * (spots["frame"] > 4))
        assert link_spots(moved, min_frames=3, **options)["track"].nunique() == 3


def test_crossing_tracks_and_distant_spots():
    spots = pd.concat([walk(range(10), (20.0, 20.0), (1.0, 0.0)), walk(range(10), (40.0, 20.0), (-1.0, 0.0))])
    # They pass each other 20 px apart after ten frames: never nearer than a step.
    table = link_spots(spots)
    assert sorted(table.groupby("track")["y"].agg(np.ptp)) == pytest.approx([9.0, 9.0])
    far = pd.concat([walk(range(5), (20.0, 20.0)), walk(range(5, 10), (24.0, 20.0))])
    assert link_spots(far, max_step=3.0)["track"].nunique() == 2
    assert link_spots(far, max_step=5.0)["track"].nunique() == 1


def test_filters_and_their_account():
    spots = pd.concat([
        walk(range(8), (20.0, 20.0), p=[1e-6] * 8),
        walk(range(8), (40.0, 20.0), p=[1e-6] * 2 + [0.5] * 5 + [1e-6]),
        walk(range(3), (60.0, 20.0), p=[1e-6] * 3),
    ])  # fmt: skip
    losses = LossReport()
    table = link_spots(spots, losses=losses, cell="c1", source="here", channel="red", seconds_per_frame=2.0)
    assert table["track"].unique().tolist() == [0]
    assert table["red_p"].tolist() == [1e-6] * 8
    assert set(table["lifetime"]) == {16.0}
    assert (str(table["cell"].iloc[0]), str(table["source"].iloc[0])) == ("c1", "here")
    assert (losses.came, losses.kept) == (3, 1)
    assert losses.dropped == [
        ("tracks", 1, "shorter than 5 frames"),
        ("tracks", 1, "p < 0.05 in less than 50% of the frames"),
    ]
    assert link_spots(spots, min_significant=0.3, min_frames=3)["track"].nunique() == 3
    assert len(link_spots(spots.iloc[:0])) == 0
    assert len(link_spots(spots, min_frames=20)) == 0


def test_ends_that_show_nothing_are_cut_off():
    p = [0.5, 1e-6, 1e-6, 0.3, 1e-6, 1e-6, 1e-6, 0.02, 0.9]
    losses = LossReport()
    spots = pd.concat([walk(range(9), (20.0, 20.0), p=p), walk(range(9), (50.0, 20.0), p=[0.6] * 9)])
    assert link_spots(spots, max_trim=2, losses=losses)["frame"].tolist() == [1, 2, 3, 4, 5, 6]
    assert losses.dropped == [("tracks", 1, "p < 0.05 in less than 50% of the frames")]
    assert link_spots(spots, max_trim=1)["frame"].tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert link_spots(spots)["frame"].tolist() == list(range(9))
    assert link_spots(spots[:3], max_trim=5, min_frames=1)["frame"].tolist() == [1, 2]


def test_tracks_do_not_grow_by_averaging():
    size, frames = 96, np.arange(40)
    places = [(20.3, 20.2), (50.1, 70.8), (75.4, 30.6)]
    images = np.random.default_rng(4).normal(100, NOISE, (40, 1, size, size))
    g = np.arange(size)
    for y, x in places:
        images[10:25, 0] += 10 * NOISE * np.exp(-((g - y)[:, None] ** 2 + (g - x) ** 2) / (2 * SIGMA**2))
    read = []

    def frame(t, c):
        read.append(t)
        return images[t, c]

    movie = Movie(shape=images.shape, dtype=images.dtype, channels=("a",), seconds_per_frame=1.0, read=frame)
    table = track_movie(movie, sigma=SIGMA, average=5, gain=0.0)
    spans = table.groupby("track")["frame"].agg(["min", "max"])
    assert len(spans) == 3
    # A frame of noise next to an end is significant once in a hundred.
    assert ((spans["min"] - 10).abs() <= 1).all()
    assert ((spans["max"] - 24).abs() <= 1).all()
    # Once to find the spots, and once for the series where there is a track.
    assert all(read.count(t) == 1 + (table["frame"] == t).any() for t in frames)
    with pytest.raises(ValueError, match="odd number of frames"):
        track_movie(movie, sigma=SIGMA, average=4)


def test_the_order_of_the_spots_does_not_matter():
    spots = pd.concat([walk(range(8), (20.0 + 9 * k, 20.0), (0.1, 0.2)) for k in range(5)], ignore_index=True)
    mixed = spots.sample(frac=1, random_state=3)
    pd.testing.assert_frame_equal(link_spots(spots), link_spots(mixed))


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"spots": pd.DataFrame({"frame": [0], "y": [1.0]})}, "\\['x'\\] are missing"),
        ({"spots": walk([0, 1], (np.nan, 2.0))}, "y and x finite"),
        ({"spots": walk([0.5, 1], (3.0, 2.0))}, "whole numbers from 0"),
        ({"max_step": 0.0}, "max_step is .*; give a number of pixels above 0"),
        ({"max_gap_step": -1.0}, "max_gap_step is .*; give a number of pixels above 0"),
        ({"max_gap": -1}, "max_gap is -1; give a whole number, 0 or more"),
        ({"min_frames": 0}, "min_frames is 0; give a positive whole number"),
        ({"min_significant": 1.5}, "min_significant is 1.5; give a share from 0 to 1"),
    ],
)
def test_bad_input(change, match):
    with pytest.raises(ValueError, match=match):
        link_spots(**{"spots": walk([0, 1], (2.0, 2.0))} | change)


def test_bad_options_of_a_movie():
    movie = Movie.from_array(np.zeros((3, 2, 30, 30)))
    with pytest.raises(ValueError, match="not 'red'"):
        track_movie(movie, channel="red")
    with pytest.raises(ValueError, match="no value for the channel 'clathrin'"):
        track_movie(movie, sigma={"auxilin": 1.5})
    with pytest.raises(ValueError, match="ten are needed"):
        track_movie(movie)


def tracks_of(*walks):
    rows = pd.concat([one.assign(track=number) for number, one in enumerate(walks)])
    return make_table(**{name: rows[name].to_numpy() for name in ("track", "frame", "y", "x")})


def test_scores_of_known_cases():
    truth = tracks_of(walk(range(20), (20.0, 20.0)), walk(range(12), (50.0, 50.0)), walk(range(6), (80.0, 80.0)))
    same = score_tracks(truth, truth)
    assert (same.recall, same.precision, same.true_tracks, same.spot_recall, same.fragments) == (1, 1, 2, 1, 1)
    # One true track in two pieces of 10 and 9 frames; the second not found; a found one that is nowhere.
    found = tracks_of(walk(range(10), (20.5, 20.0)), walk(range(11, 20), (20.0, 20.5)), walk(range(15), (99.0, 9.0)))
    scores = score_tracks(found, truth)
    assert (scores.recall, scores.precision) == (0.5, 0.5)
    assert (scores.true_tracks, scores.found_tracks, scores.fragments) == (2, 2, 2)
    assert scores.spot_recall == pytest.approx(19 / 38)
    assert scores.spot_precision == pytest.approx(19 / 34)
    assert scores.position_error == pytest.approx(0.5)
    assert score_tracks(found, truth, overlap=0.6).recall == 0
    assert score_tracks(found, truth, radius=0.4).spot_recall == 0
    # One found track that jumps from one true track to another is right for the one it shares more frames with.
    jump = tracks_of(pd.concat([walk(range(5), (50.0, 50.0)), walk(range(5, 20), (20.0, 20.0))]))
    scores = score_tracks(jump, truth)
    assert (scores.recall, scores.precision) == (0.5, 1.0)
    empty = score_tracks(truth.iloc[:0], truth)
    assert empty.recall == 0
    assert np.isnan(empty.precision)
    with pytest.raises(ValueError, match=r"radius is .*; give a number of pixels above 0"):
        score_tracks(found, truth, radius=0.0)


@pytest.mark.parametrize(("seed", "max_gap"), [(0, 0), (1, 1), (2, 3)])
def test_links_are_those_of_laptrack(seed, max_gap):
    # Crowded, with spots missing and false ones, and frames without any, over more frames than are linked at a time.
    rng = np.random.default_rng(seed)
    frame, place = np.arange(2 * FRAMES + 30), rng.uniform(0, 60, (40, 2))
    begin, length = rng.integers(-20, len(frame), 40), rng.integers(5, 60, 40)
    rows = [
        (t, *(place[k] + rng.normal(0, 0.8, 2)))
        for t in frame[(frame < 50) | (frame > 55)]
        for k in np.flatnonzero((begin <= t) & (t < begin + length) & (rng.random(40) > 0.15))
    ]
    rows += [(t, *rng.uniform(0, 60, 2)) for t in rng.choice(frame[:50], 60)]
    spots = pd.DataFrame(rows, columns=["frame", "y", "x"]).sort_values(["frame", "y", "x"]).reset_index(drop=True)
    found = linked(spots["frame"].to_numpy(), spots[["y", "x"]].to_numpy(), 3.0, max_gap, 3.0)
    tracker = LapTrack(
        cutoff=9.0, gap_closing_cutoff=9.0 if max_gap else False, gap_closing_max_frame_count=max_gap + 1,
        splitting_cutoff=False, merging_cutoff=False,
    )  # fmt: skip
    by_frame = [spots.loc[spots["frame"] == t, ["y", "x"]].to_numpy() for t in range(spots["frame"].max() + 1)]
    number = {(t, k): n for n, (t, k) in enumerate((t, k) for t, own in enumerate(by_frame) for k in range(len(own)))}
    pairs = [(number[a], number[b]) for a, b in tracker.predict(by_frame).edges]
    one, other = np.array(pairs).T
    whole = coo_array((np.ones(len(one)), (one, other)), shape=(len(spots), len(spots)))
    _, expected = connected_components(whole, directed=False)
    # The same parts, whatever their numbers.
    together = set(zip(found.tolist(), expected.tolist(), strict=True))
    assert len(together) == len(set(found.tolist())) == len(set(expected.tolist()))
    assert max_gap == 0 or len(set(found.tolist())) < len(set(linked(
        spots["frame"].to_numpy(), spots[["y", "x"]].to_numpy(), 3.0, 0, 3.0
    ).tolist()))  # fmt: skip
