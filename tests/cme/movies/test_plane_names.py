"""Single images: their channels and times from names and metadata.txt, and what does not fit refused."""

import json

import numpy as np
import pytest
import tifffile

from awd_cme.movies.open import open_movie
from movie_files import assert_holds, some_frames

FRAMES = some_frames((8, 2, 12, 14))
NAMES = ("GFP", "mCherry")


def written(folder, name, frames=FRAMES):
    folder.mkdir(parents=True)
    for t in range(frames.shape[0]):
        for c in range(frames.shape[1]):
            tifffile.imwrite(folder / name(t, c), frames[t, c], photometric="minisblack", metadata=None)
    return folder


def one_four(t, c):
    return f"img_{t:09d}_{NAMES[c]}_000.tif"


def two(t, c):
    return f"img_channel{c:03d}_position000_time{t:09d}_z000.tif"


@pytest.mark.parametrize(
    ("name", "channels"),
    [
        (one_four, NAMES),
        (two, None),
        (lambda t, c: f"stack_t{t + 1:04d}_c{c + 1:04d}.tif", None),
        (lambda t, c: f"stack_c{c + 1}_z1_t{t + 1}.tif", None),
        (lambda t, c: f"cell_w{c + 1}{NAMES[c]}_t{t + 1}.TIF", NAMES),
        (lambda t, c: f"cell_w{c + 1}{(488, 561)[c]}_t{t + 1}.tif", ("488", "561")),
        (lambda t, c: f"{NAMES[c]}_{t:03d}.tif", NAMES),
        (lambda t, c: f"x {t:03d} {(488, 561)[c]}nm.tif", ("488nm", "561nm")),
        (lambda t, c: f"S1_T{t:02d}_CH{c:02d}.ome.tif", None),
        (lambda t, c: f"xy1c{c + 1}t{t + 1}.tif", None),
    ],
)
def test_names_tell_channels_and_times(tmp_path, name, channels):
    movie = open_movie(written(tmp_path / "cell", name))
    assert_holds(movie, FRAMES)
    assert movie.channels == (channels or ("clathrin", "auxilin"))
    assert "8 times" in movie.origin["axes"]
    assert "2 channels" in movie.origin["axes"]


def of_one_four(**changes):
    held = {"Summary": {"ChNames": list(NAMES), "Interval_ms": 700.0, "PixelSize_um": 0.108}}
    for t in range(8):
        for c in range(2):
            held[f"FrameKey-{t}-{c}-0"] = {
                "FileName": one_four(t, c), "FrameIndex": t, "Frame": t, "ChannelIndex": c, "Channel": NAMES[c],
                "SliceIndex": 0, "ElapsedTime-ms": 30 * c + 2000 * t, "PixelSizeUm": 0.108,
            } | changes  # fmt: skip
    return held


def of_two():
    held = {"Summary": {"ChNames": list(NAMES), "Interval_ms": 1500.0}}
    for t in range(8):
        for c in range(2):
            held[f"Coords-Default/{two(t, c)}"] = {
                "FrameIndex": t,
                "ChannelIndex": c,
                "SliceIndex": 0,
                "PositionIndex": 0,
            }
            held[f"Metadata-Default/{two(t, c)}"] = {
                "FileName": f"Default/{two(t, c)}",
                "Channel": {"PropVal": NAMES[c]},
            }
    return held


def test_metadata_of_micromanager(tmp_path):
    folder = written(tmp_path / "old", one_four)
    (folder / "metadata.txt").write_text(json.dumps(of_one_four()))
    movie = open_movie(folder)
    assert_holds(movie, FRAMES)
    # Where images have times, what was planned is not what was done.
    assert (movie.channels, movie.seconds_per_frame, movie.micrometres_per_pixel) == (NAMES, 2.0, 0.108)
    folder = written(tmp_path / "new", two)
    (folder / "metadata.txt").write_text(json.dumps(of_two())[:-1])  # as a program that was stopped leaves it
    movie = open_movie(folder)
    assert_holds(movie, FRAMES)
    assert (movie.channels, movie.seconds_per_frame) == (NAMES, 1.5)


def test_metadata_that_do_not_fit_are_refused(tmp_path):
    folder = written(tmp_path / "cell", one_four)
    held = of_one_four()
    (folder / "metadata.txt").write_text(json.dumps(held))
    (folder / one_four(3, 1)).rename(folder / "img_000000003_other_000.tif")
    with pytest.raises(ValueError, match=r"metadata\.txt does not list img_000000003_other_000\.tif"):
        open_movie(folder)
    (folder / "img_000000003_other_000.tif").unlink()
    with pytest.raises(ValueError, match=r"lists img_000000003_mCherry_000\.tif, which is not there"):
        open_movie(folder)
    folder = written(tmp_path / "other", two)
    held = {key: value | {"ChannelIndex": 0} if "ChannelIndex" in value else value for key, value in of_two().items()}
    (folder / "metadata.txt").write_text(json.dumps(held))
    with pytest.raises(ValueError, match=r"tells 8 times, and the names of the images .*2 channels: they do not fit"):
        open_movie(folder)


@pytest.mark.parametrize("name", [one_four, two, lambda t, c: f"m_t{t}_c{c}.tif", lambda t, c: f"{NAMES[c]}_{t}.tif"])
def test_a_channel_that_lacks_a_frame_is_refused(tmp_path, name):
    folder = written(tmp_path / "cell", name)
    (folder / name(4, 1)).unlink()
    with pytest.raises(ValueError, match=r"2 channels, but 1 are not there, the first of time 0*4, channel"):
        open_movie(folder)


def test_two_numbers_without_a_meaning_are_refused_or_told(tmp_path):
    folder = written(tmp_path / "cell", lambda t, c: f"x_{t:03d}_{c:02d}.tif")
    with pytest.raises(ValueError, match=r"two numbers, of 8 and 2 values.*do not say which is time.*axes='TCYX'"):
        open_movie(folder)
    assert_holds(open_movie(folder, axes="TCYX", channels=NAMES), FRAMES)
    one = open_movie(folder, axes="TYX")
    np.testing.assert_array_equal(one.frame(5), FRAMES[2, 1])
    folder = written(tmp_path / "turned", lambda t, c: f"x_{c:03d}_{t:02d}.tif")
    assert_holds(open_movie(folder, axes="CTYX", channels=NAMES), FRAMES)
    with pytest.raises(ValueError, match=r"axes is 'TCYX' for the 16 single images.*among which they can be shared"):
        open_movie(folder, axes="TCYX", channels=("a", "b", "c"))


def test_positions_are_several_movies(tmp_path):
    folder = written(tmp_path / "cell", lambda t, c: f"img_t{t}_pos{c}.tif")
    with pytest.raises(ValueError, match="holds images of 2 positions"):
        open_movie(folder)


def test_one_channel_goes_by_the_numbers_of_its_times(tmp_path):
    stamps = ["b_0001_12h30", "a_0002_12h31", "c_0010_12h32"]
    folder = written(tmp_path / "cell", lambda t, c: f"{stamps[t]}.tif", FRAMES[:3, :1])
    assert_holds(open_movie(folder), FRAMES[:3, :1])
    # As many words as images are no channels.
    folder = written(tmp_path / "words", lambda t, c: f"{'abc'[t]}.tif", FRAMES[:3, :1])
    assert open_movie(folder).shape[:2] == (3, 1)


def test_depth_is_asked_for(tmp_path):
    folder = written(tmp_path / "cell", lambda t, c: f"img_{t:09d}_GFP_{c:03d}.tif")
    with pytest.raises(ValueError, match="is a stack of 2 planes in depth"):
        open_movie(folder)
    np.testing.assert_array_equal(open_movie(folder, z=1).frame(3), FRAMES[3, 1])
    np.testing.assert_array_equal(open_movie(folder, z="max").frame(3), FRAMES[3].max(axis=0))
