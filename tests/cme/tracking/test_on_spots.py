"""Wrong coordinates, and frames that cannot be measured in, are told."""

import numpy as np
import pytest

from awd_cme.movies.movie import Movie
from awd_cme.spots.soundness import at_top, is_empty
from awd_cme.tracking.intensities import extract
from awd_cme.tracking.link import track_movie
from awd_cme.tracks.losses import LossReport
from awd_cme.tracks.table import make_table

SIGMA, FRAMES, SHAPE = 1.4, 12, (72, 96)
RNG = np.random.default_rng(3)
Y, X = RNG.uniform(6, SHAPE[0] - 7, 25), RNG.uniform(6, SHAPE[1] - 7, 25)


def images(amplitude=60.0, dtype=np.float64):
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    light = sum(np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * SIGMA**2)) for y, x in zip(Y, X, strict=True))
    made = 100 + amplitude * light + np.random.default_rng(5).normal(0, 5, (FRAMES, 1, *SHAPE))
    return np.rint(made).astype(dtype) if np.dtype(dtype).kind == "u" else made.astype(dtype)


def movie(frames=None, **options):
    return Movie.from_array(images() if frames is None else frames, channels=["a"], seconds_per_frame=1.0, **options)


def table(y=Y, x=X, frames=FRAMES):
    track, frame = np.repeat(np.arange(len(y)), frames), np.tile(np.arange(frames), len(y))
    return make_table(track=track, frame=frame, y=np.repeat(y, frames), x=np.repeat(x, frames), channels=["a"])


def said(tracks, frames=None, **options):
    losses = LossReport()
    found = extract(movie(frames, **options), tracks, sigma=SIGMA, gain=0.0, losses=losses)
    return losses.doubts, found


def test_tracks_on_spots_are_not_doubted():
    assert said(table())[0] == []
    # Dim ones too, and a few.
    assert said(table(), images(amplitude=6.0))[0] == []
    assert said(table(Y[:2], X[:2]))[0] == []


@pytest.mark.parametrize(
    ("y", "x", "hint"),
    [
        (X, Y, "With x and y exchanged it would be"),
        (SHAPE[0] - 1 - Y, X, "With y counted from the bottom it would be"),
        (Y * 0.108, X * 0.108, "Taken as micrometres it would be"),
        (Y[::-1], X, ""),
        (Y + 9, X - 7, ""),
    ],
)
def test_tracks_that_cannot_be_right(y, x, hint):
    (doubt,), _ = said(table(y, x), micrometres_per_pixel=0.108)
    assert doubt.startswith("the tracks do not lie on spots of a: their median amplitude is")
    assert hint in doubt
    assert ("it would be" in doubt) == bool(hint)


def test_tracks_that_count_from_one():
    (doubt,), _ = said(table(Y + 1, X + 1))
    assert doubt.startswith("the tracks lie beside the spots of a")
    assert "counted from 1" in doubt


def test_empty_frames_are_told_and_measured_nowhere():
    frames = images()
    frames[4], frames[7], frames[9] = 0, np.nan, 100.0
    doubts, found = said(table(), frames)
    assert doubts == [
        "frames that are empty in a channel, of one value alone or of none: 3 (4, 7, 9, from 0); the amplitudes of 75 "
        "places there are unknown"
    ]
    unknown = found.groupby("frame")["a_amplitude"].apply(lambda values: values.isna().all())
    assert unknown[unknown].index.tolist() == [4, 7, 9]
    with pytest.warns(UserWarning, match="frames that are empty"):
        extract(movie(frames), table(), sigma=SIGMA, gain=0.0)


def test_a_movie_with_a_frame_without_numbers_is_tracked():
    frames = images()
    frames[4] = np.nan
    frames[6, 0, 2:5, 3:5] = np.nan
    losses = LossReport()
    found = track_movie(movie(frames), sigma=SIGMA, gain=0.0, losses=losses)
    assert found["track"].nunique() >= 20
    assert found.loc[found["frame"] != 4, "a_amplitude"].median() == pytest.approx(60, rel=0.05)
    assert any("frames of a that are empty" in doubt and "1 (4, from 0)" in doubt for doubt in losses.doubts)


@pytest.mark.parametrize("top", [255, 4095, 65535])
def test_saturated_spots_are_told(top):
    frames = images(amplitude=60.0, dtype=np.uint16)
    if top == 255:
        frames = frames.astype(np.uint8)
    y, x = round(Y[0]), round(X[0])
    frames[5, 0, y : y + 2, x] = top
    doubts, found = said(table(), frames)
    assert any("pixels are saturated at 1 place of 300" in doubt for doubt in doubts)
    assert found.loc[found["saturated"], ["track", "frame"]].to_numpy().tolist() == [[0, 5]]


def test_what_is_no_saturation():
    image = np.full((9, 9), 100, np.uint16)
    image[4, 4] = 4095  # a single pixel may be a cosmic ray
    place = np.array([4.0])
    assert not at_top(image, place, place, SIGMA).any()
    image[4, 4:6] = 4000
    assert not at_top(image, place, place, SIGMA).any()
    assert not at_top(image.astype(float), place, place, SIGMA).any()
    assert not is_empty(image)
