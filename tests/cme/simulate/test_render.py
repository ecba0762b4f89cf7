"""Movies rendered from tables of tracks."""

import pickle

import numpy as np
import pandas as pd
import pytest

from awd_cme.simulate.camera import Camera
from awd_cme.simulate.render import render_tracks
from awd_cme.spots.psf import add_spots
from awd_cme.tracks.table import DEFAULT_CHANNELS, concat, make_table

CAMERA = Camera(offset=100, gain=2.0, read_noise=1.5)


def a_table(tracks=6, frames=8, seed=0, cell="cell"):
    rng = np.random.default_rng(seed)
    track, frame = np.repeat(np.arange(tracks), frames), np.tile(np.arange(frames), tracks)
    y, x = rng.uniform(5, 35, (2, tracks))
    amplitude = rng.uniform(50, 400, (2, tracks * frames))
    amplitude[1, ::5] = np.nan
    return make_table(
        track=track,
        frame=frame,
        y=y[track] + 0.1 * frame,
        x=x[track],
        cell=cell,
        signals={"clathrin_amplitude": amplitude[0], "auxilin_amplitude": amplitude[1]},
        seconds_per_frame=1.5,
        micrometres_per_pixel=0.1,
    )


def rendered(table, **options):
    options = {"shape": (40, 44), "seed": 3, "sigma": 1.4, "background": 60.0, "camera": CAMERA} | options
    return render_tracks(table, **options)


def test_the_mean_of_a_frame_is_background_and_spots():
    table = a_table()
    movie = rendered(table, sigma={"clathrin": 1.4, "auxilin": 1.2}, background={"clathrin": 60.0, "auxilin": 20.0})
    assert movie.shape == (8, 2, 40, 44)
    assert movie.channels == DEFAULT_CHANNELS
    assert (movie.seconds_per_frame, movie.micrometres_per_pixel) == (1.5, 0.1)
    for t in (0, 5):
        for c, (name, sigma, background) in enumerate((("clathrin", 1.4, 60.0), ("auxilin", 1.2, 20.0))):
            rows = table[(table["frame"] == t) & table[f"{name}_amplitude"].notna()]
            image = np.full((40, 44), background)
            add_spots(image, rows["y"], rows["x"], rows[f"{name}_amplitude"], sigma)
            np.testing.assert_allclose(movie.expected(t, c), image + 100, rtol=1e-13)
            np.testing.assert_allclose(movie.noise_sd(t, c) ** 2, 4 * (image / 2 + 1.5**2) + 1 / 12, rtol=1e-12)


def test_frames_scatter_about_the_mean_with_the_stated_noise():
    movie = rendered(a_table(frames=60), shape=(60, 40, 44))
    pulls = np.concatenate(
        [((movie.frame(t, c) - movie.expected(t, c)) / movie.noise_sd(t, c)).ravel() for t in range(60) for c in (0, 1)]
    )
    n = len(pulls)
    assert abs(pulls.mean()) < 4 / np.sqrt(n)
    assert pulls.var() == pytest.approx(1, abs=4 * np.sqrt(2.05 / n))  # the kurtosis of 30 photons is 3.03


def test_what_was_drawn_is_in_the_table():
    table = a_table()
    table.loc[3, "clathrin_amplitude"] = -50.0
    table.loc[4, ["y", "x", "part"]] = [np.nan, np.nan, "gap"]
    table["clathrin_p"] = 0.01
    image = np.arange(40.0)[:, None] + np.arange(44.0)
    movie = rendered(table, background=lambda t, c: image * (c + 1) + t)
    drawn = movie.table
    assert drawn["clathrin_amplitude"][3] == 0.0
    assert np.isnan(drawn["clathrin_amplitude"][4])
    others = drawn.index.difference([3, 4])
    for name in DEFAULT_CHANNELS:
        pd.testing.assert_series_equal(drawn[f"{name}_amplitude"][others], table[f"{name}_amplitude"][others])
        assert drawn[f"{name}_p"].isna().all()
    row = drawn.iloc[10]
    under = image[round(row["y"]), round(row["x"])]
    assert row["clathrin_background"] == under + row["frame"] + 100
    assert row["auxilin_background"] == 2 * under + row["frame"] + 100
    # Without spots: the gap, and the negative amplitude, are not drawn.
    only = rendered(table[table["track"] == 0].iloc[3:5], shape=(8, 40, 44), background=50.0, channels=["clathrin"])
    for t in range(8):
        np.testing.assert_array_equal(only.expected(t), 150.0)


def test_a_frame_is_the_same_whoever_asks():
    movie = rendered(a_table())
    forward = [movie.frame(t, c) for t in range(8) for c in range(2)]
    again = pickle.loads(pickle.dumps(rendered(a_table(), seed=np.int64(3))))  # noqa: S301 — our own bytes
    backward = [again.frame(t, c) for t in reversed(range(8)) for c in (1, 0)]
    np.testing.assert_array_equal(forward, backward[::-1])
    np.testing.assert_array_equal(movie.in_memory().stack(1), movie.stack(1))
    assert len({frame.tobytes() for frame in forward}) == 16
    other = rendered(a_table(), seed=(3, 1))
    assert (other.frame(0) != movie.frame(0)).mean() > 0.9


def test_an_empty_table_makes_a_movie_of_background():
    movie = rendered(a_table().iloc[:0], shape=(3, 16, 20))
    assert movie.shape == (3, 2, 16, 20)
    np.testing.assert_array_equal(movie.expected(2), 160.0)


def test_real_tracks_are_rendered(real_data):
    from awd_cme.readers.read import read_tracks

    table, _ = read_tracks(real_data / "cme" / "processedTracks.csv")
    first = table[table["track"].isin(sorted(set(table["track"]))[:300])].copy()
    size = int(first["y"].max()) + 10, int(first["x"].max()) + 10
    movie = render_tracks(first, shape=size, seed=0, sigma=1.3, background=200.0)
    known = movie.table["clathrin_amplitude"].notna()
    assert known.sum() > 1000
    frame = int(first["frame"].mode()[0])
    assert movie.expected(frame).max() > 300
    assert movie.frame(frame).shape == size


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shape": (7, 40, 44)}, "the table has frame 7, beyond a movie of 7; give more frames, or cut the tracks"),
        ({"shape": (40,)}, r"shape is \(40,\); give \(t, y, x\) or \(y, x\)"),
        ({"seed": True}, "seed is True; give a whole number, 0 or more"),
        ({"channels": ["dynamin"]}, "the table has no channel dynamin; it has clathrin, auxilin"),
        ({"background": -1.0}, "the background must be finite and not negative, got -1 at least"),
        ({"background": np.zeros((3, 3))}, r"the background has the shape \(3, 3\), the frames \(40, 44\)"),
        ({"background": {"clathrin": 3.0}}, "there is no background for the channel auxilin"),
    ],
)
def test_what_cannot_be_rendered(options, message):
    with pytest.raises(ValueError, match=message):
        rendered(a_table(), **options)


def test_a_movie_shows_one_cell():
    with pytest.raises(ValueError, match="the table holds 2 cells, a movie shows one"):
        rendered(concat([a_table(), a_table(cell="other")]))
    with pytest.raises(ValueError, match="this is no canonical table of tracks"):
        rendered(a_table().drop(columns="y"))
