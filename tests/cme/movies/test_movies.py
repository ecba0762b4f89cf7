"""Movies in every kind of TIFF file, read one frame at a time."""

import logging
import os
import pickle
import subprocess
import sys
import textwrap
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tifffile

from awd_cme.movies.open import Movie, open_movie, write_movie
from movie_files import NAMES, SHAPE, assert_holds, some_frames


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize(
    ("kind", "dtype"),
    [
        *(("ome", dtype) for dtype in ["u1", "u2", "u4", "i1", "i2", "i4", "f4", "f8"]),
        *(("imagej", dtype) for dtype in ["u1", "u2", "f4"]),
        *(("plain", dtype) for dtype in ["u1", "u2", "u4", "i1", "i2", "i4", "f2", "f4", "f8"]),
    ],
)
def test_what_is_written_comes_back(tmp_path, kind, dtype, compression):
    frames = some_frames(dtype=np.dtype(dtype).type)
    path = tmp_path / "movie.tif"
    write_movie(path, frames, kind=kind, compression=compression, seconds_per_frame=1.5, micrometres_per_pixel=0.108)
    movie = open_movie(path) if kind != "plain" else open_movie(path, axes="TCYX", channels=NAMES)
    assert_holds(movie, frames)
    if kind != "plain":
        assert movie.seconds_per_frame == 1.5
        assert movie.micrometres_per_pixel == pytest.approx(0.108, rel=1e-8)  # ImageJ keeps a fraction
        for name in ("seconds_per_frame", "micrometres_per_pixel"):
            assert "of the OME metadata" in movie.origin[name] or "of the ImageJ metadata" in movie.origin[name]


def test_a_movie_of_one_channel_and_one_of_one_frame(tmp_path):
    for shape, kind in [((5, 16, 24), "ome"), ((1, 16, 24), "ome"), ((5, 16, 24), "imagej"), ((1, 16, 24), "plain")]:
        frames = some_frames(shape)
        write_movie(tmp_path / "movie.tif", frames, kind=kind)
        movie = open_movie(tmp_path / "movie.tif")
        assert_holds(movie, frames[:, None])
        assert movie.channels == ("clathrin",)
    frames = some_frames((1, 2, 16, 24))
    write_movie(tmp_path / "pair.tif", frames)
    assert_holds(open_movie(tmp_path / "pair.tif"), frames)


def test_channel_names_and_all_else_go_with_a_movie(tmp_path):
    frames = some_frames()
    given = Movie.from_array(frames, channels=("TagRFP", "EGFP"), seconds_per_frame=0.25, micrometres_per_pixel=0.1)
    write_movie(tmp_path / "a.ome.tif", given)
    movie = open_movie(tmp_path / "a.ome.tif")
    assert_holds(movie, frames)
    assert (movie.channels, movie.seconds_per_frame, movie.micrometres_per_pixel) == (("TagRFP", "EGFP"), 0.25, 0.1)
    assert movie.origin["channels"] == "channel names of the OME metadata"
    swapped = open_movie(tmp_path / "a.ome.tif", channels=["EGFP", "TagRFP"])
    np.testing.assert_array_equal(swapped.frame(3, "EGFP"), frames[3, 1])
    alone = open_movie(tmp_path / "a.ome.tif", channels=["EGFP"])
    assert_holds(alone, frames[:, 1:])
    renamed = open_movie(tmp_path / "a.ome.tif", channels=NAMES)
    assert renamed.channels == NAMES
    assert renamed.origin["channels"] == "given as an option, in place of TagRFP, EGFP"
    with pytest.raises(ValueError, match=r"but the movie has 2 .TagRFP, EGFP.; give names that are among them"):
        open_movie(tmp_path / "a.ome.tif", channels=["EGFP", "mCherry", "GFP"])


@pytest.mark.parametrize("axes", ["TCYX", "CTYX"])
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_files_that_tifffile_has_written(tmp_path, axes, byteorder):
    frames = some_frames()
    stored = frames if axes == "TCYX" else np.ascontiguousarray(frames.swapaxes(0, 1))
    tifffile.imwrite(tmp_path / "o.ome.tif", stored, metadata={"axes": axes}, byteorder=byteorder)
    assert_holds(open_movie(tmp_path / "o.ome.tif"), frames)
    tifffile.imwrite(tmp_path / "s.tif", stored, metadata={"axes": axes}, photometric="minisblack", byteorder=byteorder)
    assert_holds(open_movie(tmp_path / "s.tif"), frames)
    tifffile.imwrite(
        tmp_path / "b.tif", stored, bigtiff=True, metadata=None, photometric="minisblack", byteorder=byteorder
    )
    assert_holds(open_movie(tmp_path / "b.tif", axes=axes, channels=NAMES), frames)
    with tifffile.TiffWriter(tmp_path / "p.tif", byteorder=byteorder) as tif:
        for plane in stored.reshape(-1, *SHAPE[2:]):
            tif.write(plane, metadata=None, compression="zlib", rowsperstrip=5)
    assert_holds(open_movie(tmp_path / "p.tif", axes=axes, channels=NAMES), frames)
    # Nothing says what the planes are: one channel then.
    assert open_movie(tmp_path / "p.tif").shape == (10, 1, 16, 24)
    assert "the axis I is taken as time" in open_movie(tmp_path / "p.tif").origin["axes"]


def test_imagej_files_with_all_planes_behind_one_page(tmp_path):
    frames = some_frames()
    tifffile.imwrite(tmp_path / "v.tif", frames, imagej=True, truncate=True, metadata={"axes": "TCYX"})
    with tifffile.TiffFile(tmp_path / "v.tif") as tif:
        assert len(tif.pages) == 1
    assert_holds(open_movie(tmp_path / "v.tif"), frames)


def test_tiles_and_samples_of_a_pixel(tmp_path):
    frames = some_frames((4, 32, 48))
    tifffile.imwrite(tmp_path / "t.tif", frames, tile=(16, 16), metadata=None, photometric="minisblack")
    assert_holds(open_movie(tmp_path / "t.tif"), frames[:, None])
    colours = some_frames((4, 16, 24, 3), np.uint8)
    for name, data, config in (("c", colours, "contig"), ("s", np.moveaxis(colours, 3, 1), "separate")):
        tifffile.imwrite(tmp_path / f"{name}.tif", data, photometric="rgb", planarconfig=config, metadata=None)
        movie = open_movie(tmp_path / f"{name}.tif")
        assert_holds(movie, np.moveaxis(colours, 3, 1))
        assert movie.channels == ("clathrin", "auxilin", "channel3")
        assert "the samples of a pixel are taken as channels" in movie.origin["axes"]


@pytest.mark.parametrize("kind", ["ome", "imagej", "plain", "separate", "virtual", "zlib"])
@pytest.mark.parametrize("left", [0.01, 0.5, 0.9])
def test_truncated_files(tmp_path, kind, left):
    path = tmp_path / "m.tif"
    frames = some_frames((8, 2, 32, 40))
    if kind == "separate":  # pages and pixels in turn, as acquisition programs write them
        with tifffile.TiffWriter(path) as tif:
            for plane in frames.reshape(-1, 32, 40):
                tif.write(plane, metadata=None)
    elif kind == "virtual":
        tifffile.imwrite(path, frames, imagej=True, truncate=True, metadata={"axes": "TCYX"})
    elif kind == "zlib":
        write_movie(path, frames, compression="zlib")
    else:
        write_movie(path, frames, kind=kind)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * left)])
    with pytest.raises(ValueError, match=r"m\.tif is truncated or damaged .*; copy it again, or export it anew"):
        open_movie(path)


def test_nothing_is_said_on_the_screen_about_damage_that_is_raised(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        test_truncated_files(tmp_path, "imagej", 0.5)
    assert not caplog.records


def test_files_that_are_no_movies(tmp_path):
    (tmp_path / "text.tif").write_text("not an image")
    (tmp_path / "empty.tif").write_bytes(b"")
    for name, start in (("text", "not an i"), ("empty", "")):
        with pytest.raises(ValueError, match=rf"{name}\.tif is not a TIFF file: it begins with b'{start}'"):
            open_movie(tmp_path / f"{name}.tif")
    with pytest.raises(FileNotFoundError, match=r"there is no file .*nowhere\.tif"):
        open_movie(tmp_path / "nowhere.tif")
    (tmp_path / "folder" / "inner").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match="is a folder without a TIFF file"):
        open_movie(tmp_path / "folder")
    with pytest.raises(ValueError, match="the list of paths is empty"):
        open_movie([])
    with pytest.raises(ValueError, match="join is 'X'"):
        open_movie([tmp_path / "text.tif"], join="X")
    with tifffile.TiffWriter(tmp_path / "mixed.tif") as tif:
        for size in (16, 20, 16):
            tif.write(some_frames((size, 24)), metadata=None)
    with pytest.raises(
        ValueError, match=r"mixed\.tif holds 2 series of images .*frames of one shape; say which by series=0"
    ):
        open_movie(tmp_path / "mixed.tif")
    assert open_movie(tmp_path / "mixed.tif", series=0).shape == (2, 1, 16, 24)
    with pytest.raises(ValueError, match=r"series is 2, but .* holds 2, counted from 0"):
        open_movie(tmp_path / "mixed.tif", series=2)
    tifffile.imwrite(
        tmp_path / "complex.tif", np.ones((3, 16, 24), np.complex64), photometric="minisblack", metadata=None
    )
    with pytest.raises(ValueError, match="have the type complex64; a movie needs integers or floats"):
        open_movie(tmp_path / "complex.tif")


def test_a_compression_that_needs_another_package(tmp_path, monkeypatch):
    tifffile.imwrite(
        tmp_path / "m.tif", some_frames((3, 16, 24)), compression="zlib", metadata=None, photometric="minisblack"
    )

    class Decompressors(dict):
        def __missing__(self, key):
            raise KeyError("requires the imagecodecs package")

    monkeypatch.setattr(tifffile.TIFF, "DECOMPRESSORS", Decompressors())
    with pytest.raises(
        ValueError, match=r"m\.tif are compressed with ADOBE_DEFLATE, which cannot be decoded here; install"
    ):
        open_movie(tmp_path / "m.tif")


def test_a_file_that_shrinks_while_it_is_open(tmp_path):
    write_movie(tmp_path / "m.tif", some_frames(), kind="plain")
    movie = open_movie(tmp_path / "m.tif")
    os.truncate(tmp_path / "m.tif", 4000)
    with pytest.raises(OSError, match="has become shorter since it was opened"):
        movie.frame(9)


def test_frames_and_channels_that_are_not_there():
    movie = Movie.from_array(some_frames())
    for t in (-1, 5):
        with pytest.raises(IndexError, match=f"frame {t} was asked for; the movie has 5"):
            movie.frame(t)
    with pytest.raises(IndexError, match="channel 2 was asked for; the movie has 2"):
        movie.frame(0, 2)
    with pytest.raises(IndexError, match="there is no channel 'GFP'; the movie has clathrin, auxilin"):
        movie.frame(0, "GFP")
    with pytest.raises(ValueError, match="axes is 'TYX' for an array of the shape"):
        Movie.from_array(some_frames(), axes="TYX")
    with pytest.raises(ValueError, match="give 2 different names"):
        Movie.from_array(some_frames(), channels=("a", "a"))
    with pytest.raises(ValueError, match="seconds_per_frame is -1; give a number above 0"):
        Movie.from_array(some_frames(), seconds_per_frame=-1)


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_movies_are_sent_to_processes_and_shared_by_threads(tmp_path, compression):
    frames = some_frames((30, 2, 16, 24))
    write_movie(tmp_path / "m.tif", frames, compression=compression)
    movie = pickle.loads(pickle.dumps(open_movie(tmp_path / "m.tif")))  # noqa: S301 — our own bytes
    assert_holds(movie, frames)
    assert_holds(movie.in_memory(), frames)
    with ThreadPoolExecutor(4) as pool:
        read = list(pool.map(lambda k: movie.frame(k // 2, k % 2), range(60)))
    np.testing.assert_array_equal(np.array(read).reshape(frames.shape), frames)


def sparse_movie(path, kind, frames=1200):
    """20 GB of pixels, all zero, that take no room on the disk."""
    shape = (frames, 2, 2048, 2048)
    options = {"ome": {"ome": True, "metadata": {"axes": "TCYX"}}, "plain": {"metadata": None}}[kind]
    with path.open("wb"):
        pass
    tifffile.imwrite(path, None, shape=shape, dtype="<u2", bigtiff=True, photometric="minisblack", **options)
    assert path.stat().st_size > 20e9
    assert path.stat().st_blocks * 512 < 100e6


@pytest.mark.parametrize("kind", ["ome", "plain"])
def test_twenty_gigabytes_need_the_memory_of_a_frame(tmp_path, kind):
    path = tmp_path / "huge.ome.tif"
    sparse_movie(path, kind)
    tracemalloc.start()
    try:
        movie = open_movie(path, axes="TCYX", channels=NAMES)
        for t in (0, 600, 1199):
            assert not movie.frame(t, 1).any()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert movie.shape == (1200, 2, 2048, 2048)
    # Two frames of 8.4 MB, and the places of 2400.
    assert peak < 30e6


@pytest.mark.skipif(sys.platform == "win32", reason="needs the resource module")
def test_twenty_gigabytes_within_a_limit_of_memory(tmp_path):
    sparse_movie(tmp_path / "huge.ome.tif", "ome")
    script = """
        import resource, sys
        from awd_cme.movies.open import open_movie
        linux = sys.platform == "linux"
        size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize() if linux else 2**31
        resource.setrlimit(resource.RLIMIT_AS, (size + 2**28, size + 2**28))
        movie = open_movie(sys.argv[1])
        print(movie.shape, sum(int(movie.frame(t, c).sum()) for t in range(0, 1200, 100) for c in range(2)))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), tmp_path / "huge.ome.tif"],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.stdout == "(1200, 2, 2048, 2048) 0\n", done.stderr


def test_writing_needs_the_memory_of_a_frame(tmp_path):
    tracemalloc.start()
    try:
        write_movie(tmp_path / "m.tif", (np.full((2, 512, 512), t, np.uint16) for t in range(50)), count=50)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (tmp_path / "m.tif").stat().st_size > 52e6
    assert peak < 8e6
    assert open_movie(tmp_path / "m.tif").frame(49, 1).min() == 49


def test_a_movie_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "m.ome.tif"
    frames = some_frames()
    write_movie(path, frames)

    def breaks_off():
        yield frames[0]
        raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError, match="the disk is full"):
        write_movie(path, breaks_off(), count=5)
    assert_holds(open_movie(path), frames)
    assert [item.name for item in tmp_path.iterdir()] == ["m.ome.tif"]


@pytest.mark.parametrize(
    ("frames", "options", "message"),
    [
        (some_frames(), {"kind": "png"}, "kind is 'png'; choose 'ome', 'imagej' or 'plain'"),
        (iter(some_frames()), {}, "the number of frames is unknown: give count"),
        (some_frames(), {"count": 6}, "there are 5 frames, but 6 were announced"),
        (some_frames(), {"count": 4}, "there are more frames than the 4 that were announced"),
        ([], {}, "a movie needs at least one frame, got 0"),
        ([], {"count": 3}, "there are no frames, but count is 3"),
        ([np.zeros((2, 8, 8)), np.zeros((2, 8, 9))], {}, r"frame 1 has the shape \(2, 8, 9\) and the type float64"),
        (some_frames(), {"axes": "CTYX"}, "axes is 'CTYX' for 5 frames of the shape"),
        (some_frames(), {"channels": ["one"]}, "channels are .'one',., but a frame has the shape"),
        (some_frames(dtype=np.float64), {"kind": "imagej"}, "imagej files hold uint8, uint16, float32, not float64"),
        (some_frames(), {"kind": "imagej", "bigtiff": True}, "an ImageJ hyperstack cannot be a BigTIFF"),
    ],
)
def test_movies_that_cannot_be_written(tmp_path, frames, options, message):
    with pytest.raises(ValueError, match=message):
        write_movie(tmp_path / "m.tif", frames, **options)
    assert not list(tmp_path.iterdir())


def test_bigtiff_where_it_is_needed_or_told(tmp_path):
    for bigtiff in (None, True):
        write_movie(tmp_path / "m.tif", some_frames(), bigtiff=bigtiff)
        with tifffile.TiffFile(tmp_path / "m.tif") as tif:
            assert tif.is_bigtiff == bool(bigtiff)
        assert_holds(open_movie(tmp_path / "m.tif"), some_frames())


def test_importing_movies_loads_nothing_heavy():
    heavy = ("torch", "pandas", "scipy", "matplotlib")
    code = f"import sys, awd_cme.movies.open; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
