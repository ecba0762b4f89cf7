"""Movies in every kind of TIFF file, read one frame at a time."""

import logging
import os
import pickle
import struct
import subprocess
import sys
import textwrap
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tifffile

from awd_cme.movie_metadata import interval_in_path
from awd_cme.movies import Movie, open_movie, write_movie

SHAPE = (5, 2, 16, 24)
NAMES = ("clathrin", "auxilin")


def some_frames(shape=SHAPE, dtype=np.uint16, seed=0):
    values = np.random.default_rng(seed).integers(0, 250 if np.dtype(dtype).itemsize == 1 else 60000, shape)
    values = values - 30000 if np.dtype(dtype).kind == "i" and np.dtype(dtype).itemsize > 1 else values
    return (
        (values / 7).astype(dtype)
        if np.dtype(dtype).kind == "f"
        else (values % 120).astype(dtype)
        if dtype == np.int8
        else values.astype(dtype)
    )


def assert_holds(movie, frames, dtype=None):
    """All frames, by each of the ways in which they can be read."""
    assert movie.shape == frames.shape
    assert movie.dtype == (dtype or frames.dtype)
    assert movie.dtype.isnative
    for t in range(frames.shape[0]):
        for c in range(frames.shape[1]):
            frame = movie.frame(t, c)
            assert frame.dtype == movie.dtype
            np.testing.assert_array_equal(frame, frames[t, c])
    np.testing.assert_array_equal(movie.stack(movie.channels[-1], 1, 3), frames[1:3, -1])
    np.testing.assert_array_equal(np.array(list(movie)), frames)


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


def write_stk(path, frames, *, milliseconds, calibration, z_step=0):
    """A MetaMorph stack: one page, its planes one after the other, UIC tags with one entry a plane."""
    count, height, width = frames.shape
    data = frames.astype("<u2").tobytes()
    uic2 = b"".join(
        struct.pack("<6I", z_step * (k + 1), 1, 2450000, milliseconds * k, 2450000, 0) for k in range(count)
    )
    units = struct.pack("<I", 3) + b"um\0"
    at = 8 + len(data)
    places = {"uic2": at, "size": at + len(uic2), "units": at + len(uic2) + 8}
    size = struct.pack("<2I", *calibration)
    uic1 = struct.pack("<6I", 3, 1, 4, places["size"], 6, places["units"])  # SpatialCalibration, XCalibration, units
    places["uic1"] = places["units"] + 8
    tail = uic2 + size + units.ljust(8, b"\0") + uic1
    tags = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 16), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 8)]
    tags += [(277, 3, 1, 1), (278, 4, 1, height), (279, 4, 1, height * width * 2)]
    tags += [(33628, 4, 3, places["uic1"]), (33629, 5, count, places["uic2"])]
    page = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags) + struct.pack("<I", 0)
    path.write_bytes(struct.pack("<2sHI", b"II", 42, at + len(tail)) + data + tail + page)


def test_metamorph_stacks(tmp_path):
    frames = some_frames((6, 16, 24))
    write_stk(tmp_path / "a.stk", frames, milliseconds=2000, calibration=(16, 100))
    movie = open_movie(tmp_path / "a.stk")
    assert_holds(movie, frames[:, None])
    assert movie.origin["axes"] == "the STK metadata (T of 6)"
    assert (movie.seconds_per_frame, movie.micrometres_per_pixel) == (2.0, 0.16)
    assert "creation times of the planes" in movie.origin["seconds_per_frame"]
    write_stk(tmp_path / "z.stk", frames, milliseconds=0, calibration=(1, 9), z_step=1)
    with pytest.raises(ValueError, match=r"z\.stk is a stack of 6 planes in depth \(Z\); choose z='max'.*axes='TYX'"):
        open_movie(tmp_path / "z.stk")
    assert_holds(open_movie(tmp_path / "z.stk", axes="TYX"), frames[:, None])


def test_ome_tiff_of_several_files(tmp_path):
    frames = some_frames((4, 16, 24))
    for k in range(2):
        tifffile.imwrite(tmp_path / f"m{k}.ome.tif", frames[2 * k : 2 * k + 2], metadata=None, photometric="minisblack")
    data = "".join(
        f'<TiffData IFD="{t % 2}" FirstT="{t}" PlaneCount="1">'
        f'<UUID FileName="m{t // 2}.ome.tif">urn:uuid:{t // 2}</UUID></TiffData>'
        for t in range(4)
    )
    planes = "".join(f'<Plane TheZ="0" TheC="0" TheT="{t}" DeltaT="{400 * t}" DeltaTUnit="ms"/>' for t in range(4))
    xml = (
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:{uuid}">'
        '<Image ID="Image:0"><Pixels '
        'ID="Pixels:0" DimensionOrder="XYCZT" Type="uint16" SizeX="24" SizeY="16" SizeC="1" SizeZ="1" SizeT="4" '
        f'PhysicalSizeX="65" PhysicalSizeXUnit="nm"><Channel ID="Channel:0:0"/>{data}{planes}</Pixels></Image></OME>'
    )
    for k in range(2):
        tifffile.tiffcomment(tmp_path / f"m{k}.ome.tif", xml.replace("{uuid}", str(k)).encode())
    movie = open_movie(tmp_path / "m0.ome.tif")
    assert_holds(movie, frames[:, None])
    assert (movie.seconds_per_frame, movie.micrometres_per_pixel) == (pytest.approx(0.4), pytest.approx(0.065))
    assert movie.origin["seconds_per_frame"].startswith("DeltaT of the planes")
    schema = "http://www.openmicroscopy.org/Schemas/OME/2016-06"
    part = f'<OME xmlns="{schema}"><BinaryOnly MetadataFile="m0.ome.tif" UUID=""/></OME>'
    tifffile.tiffcomment(tmp_path / "m1.ome.tif", part.encode())
    with pytest.raises(
        ValueError, match=r"m1\.ome\.tif lie in m0\.ome\.tif, which the movie begins with; open that file"
    ):
        open_movie(tmp_path / "m1.ome.tif")
    (tmp_path / "m1.ome.tif").unlink()
    with pytest.raises(ValueError, match=r"m0\.ome\.tif is truncated or damaged"):
        open_movie(tmp_path / "m0.ome.tif")


@pytest.mark.parametrize(
    ("value", "unit", "seconds"), [(250, "ms", 0.25), (2, "min", 120), (1.5, "s", 1.5), (3, "?", None)]
)
def test_units_of_ome(tmp_path, value, unit, seconds):
    metadata = {"axes": "TYX", "TimeIncrement": value, "TimeIncrementUnit": unit, "PhysicalSizeX": 108}
    metadata |= {"PhysicalSizeXUnit": "nm" if seconds else "pixel"}
    tifffile.imwrite(tmp_path / "m.ome.tif", some_frames((3, 16, 24)), metadata=metadata)
    movie = open_movie(tmp_path / "m.ome.tif")
    assert movie.seconds_per_frame == seconds
    assert movie.micrometres_per_pixel == (pytest.approx(0.108) if seconds else None)
    if seconds is None:
        assert "give micrometres_per_pixel" in movie.origin["micrometres_per_pixel"]


@pytest.mark.parametrize("unit", ["um", "micron", "\\u00B5m"])
def test_units_of_imagej(tmp_path, unit):
    metadata = {"axes": "TYX", "finterval": 500, "tunit": "ms", "unit": unit}
    tifffile.imwrite(tmp_path / "m.tif", some_frames((3, 16, 24)), imagej=True, resolution=(10, 10), metadata=metadata)
    movie = open_movie(tmp_path / "m.tif")
    assert (movie.seconds_per_frame, movie.micrometres_per_pixel) == (0.5, pytest.approx(0.1))


@pytest.mark.parametrize(
    ("path", "seconds"),
    [
        ("/a/Cell1_1s/Ch1", 1.0),
        ("/a/Cell1_1.5s/Ch1/frame001.tif", 1.5),
        ("/a/Cell2_100ms", 0.1),
        ("/a_5s/cell_.5s_2", 0.5),
        ("/data_3s/movie_2s.ome.tif", 2.0),
        ("/data/control_488nm_3series.tif", None),
        ("/data/cell_1sec.tif", None),
        ("/data/cell_0s.tif", None),
    ],
)
def test_frame_interval_in_the_path(path, seconds):
    fact = interval_in_path(path)
    assert fact.value == (seconds if seconds is None else pytest.approx(seconds))
    assert ("in the path" in fact.origin) == (seconds is not None)


def test_which_frame_interval_counts(tmp_path, monkeypatch):
    folder = tmp_path / "Cell1_2s"
    folder.mkdir()
    write_movie(folder / "told.ome.tif", some_frames(), seconds_per_frame=1.5)
    write_movie(folder / "untold.ome.tif", some_frames())
    assert open_movie(folder / "told.ome.tif").seconds_per_frame == 1.5
    option = open_movie(folder / "told.ome.tif", seconds_per_frame=3)
    assert option.seconds_per_frame == 3.0
    assert option.origin["seconds_per_frame"] == (
        "given as an option, in place of 1.5 from TimeIncrement of the OME metadata (1.5 s)"
    )
    monkeypatch.chdir(folder)  # the path that is given need not name the folder
    found = open_movie("untold.ome.tif")
    assert (found.seconds_per_frame, found.origin["seconds_per_frame"]) == (2.0, "the name 'Cell1_2s' in the path")
    write_movie(tmp_path / "cell_1s_2s.ome.tif", some_frames())
    unclear = open_movie(tmp_path / "cell_1s_2s.ome.tif")
    assert unclear.seconds_per_frame is None
    assert "several numbers of seconds; give seconds_per_frame" in unclear.origin["seconds_per_frame"]


def one_file_a_frame(folder, frames, **options):
    folder.mkdir(parents=True)
    for t, frame in enumerate(frames, 1):
        tifffile.imwrite(folder / f"frame{t}.tif", frame, photometric="minisblack", metadata=None, **options)


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}])
def test_one_file_a_frame(tmp_path, options):
    frames = some_frames((12, 16, 24))
    one_file_a_frame(tmp_path / "Cell1_1.5s", frames, **options)
    (tmp_path / "Cell1_1.5s" / "notes.txt").write_text("")
    movie = open_movie(tmp_path / "Cell1_1.5s")
    assert_holds(movie, frames[:, None])  # frame2 comes before frame10
    assert movie.seconds_per_frame == 1.5
    assert movie.origin["axes"] == "12 files of one frame each in the order of their names"
    listed = [tmp_path / "Cell1_1.5s" / f"frame{t}.tif" for t in (3, 1)]
    assert_holds(open_movie(listed), frames[[2, 0], None])
    assert_holds(open_movie(listed, join="C"), frames[None, [2, 0]])


def test_one_folder_a_channel(tmp_path):
    frames = some_frames()
    cell = tmp_path / "Cell1_1s"
    one_file_a_frame(cell / "EGFP", frames[:, 1])
    one_file_a_frame(cell / "TagRFP", frames[:, 0])
    (cell / "TagRFP" / "Detection" / "Masks").mkdir(parents=True)
    write_movie(cell / "TagRFP" / "Detection" / "Masks" / "m.tif", frames)
    (cell / "Tracking").mkdir()
    movie = open_movie(cell)
    assert movie.channels == ("EGFP", "TagRFP")
    assert_holds(movie, frames[:, ::-1])
    assert movie.origin["channels"] == "names of the folders of the channels"
    assert_holds(open_movie(cell, channels=("TagRFP", "EGFP")), frames)
    assert open_movie(cell, channels=NAMES).channels == NAMES
    assert_holds(open_movie(cell, channels=["TagRFP"]), frames[:, :1])


def test_lists_and_folders_of_movie_files(tmp_path):
    frames = some_frames()
    for c, name in enumerate(("red", "green")):
        (tmp_path / "cell" / name).mkdir(parents=True)
        write_movie(tmp_path / "cell" / name / "movie.ome.tif", frames[:, c], seconds_per_frame=2)
    assert_holds(open_movie(tmp_path / "cell", channels=["red", "green"]), frames)
    files = [tmp_path / "cell" / name / "movie.ome.tif" for name in ("red", "green")]
    movie = open_movie(files)
    assert_holds(movie, frames)
    assert (movie.channels, movie.seconds_per_frame) == (NAMES, 2.0)
    assert_holds(open_movie(files, join="T"), np.concatenate([frames[:, :1], frames[:, 1:]]))
    write_movie(files[1], frames[:, 1], seconds_per_frame=3)
    unclear = open_movie(files)
    assert unclear.seconds_per_frame is None
    assert "different numbers, 2, 3; give seconds_per_frame" in unclear.origin["seconds_per_frame"]
    assert open_movie(files, seconds_per_frame=2).seconds_per_frame == 2.0


def test_stacks_in_depth(tmp_path):
    frames = some_frames((3, 4, 2, 16, 24))
    for kind in ({"ome": True}, {"imagej": True}):
        tifffile.imwrite(tmp_path / "z.tif", frames, metadata={"axes": "TZCYX"}, **kind)
        with pytest.raises(
            ValueError, match=r"z\.tif is a stack of 4 planes in depth \(Z\); choose z='max', 'mean' or 'sum'"
        ):
            open_movie(tmp_path / "z.tif")
        assert_holds(open_movie(tmp_path / "z.tif", z="max"), frames.max(axis=1))
        assert_holds(open_movie(tmp_path / "z.tif", z="sum"), frames.sum(axis=1, dtype=np.float32))
        assert_holds(open_movie(tmp_path / "z.tif", z="mean"), frames.mean(axis=1).astype(np.float32))
        second = open_movie(tmp_path / "z.tif", z=1)
        assert_holds(second, frames[:, 1])
        assert second.origin["axes"].endswith("plane 1 in depth of 4")
    with pytest.raises(ValueError, match=r"z is 4, but .* has 4 planes in depth"):
        open_movie(tmp_path / "z.tif", z=4)
    with pytest.raises(ValueError, match="z is 'median'; choose 'max', 'mean', 'sum'"):
        open_movie(tmp_path / "z.tif", z="median")
    # Time saved as depth, as ImageJ does with what it does not know.
    tifffile.imwrite(tmp_path / "t.tif", frames[:, 0], imagej=True, metadata={"axes": "ZCYX"})
    with pytest.raises(ValueError, match="axes='TYX', or 'TCYX' with channels"):
        open_movie(tmp_path / "t.tif")
    assert_holds(open_movie(tmp_path / "t.tif", axes="TCYX"), frames[:, 0])


def test_axes_that_are_told(tmp_path):
    frames = some_frames((6, 16, 24))
    tifffile.imwrite(tmp_path / "m.tif", frames, metadata=None, photometric="minisblack")
    path = tmp_path / "m.tif"
    assert_holds(open_movie(path, axes="tcyx", channels=["a", "b"]), frames.reshape(3, 2, 16, 24))
    assert_holds(open_movie(path, axes="CTYX", channels=["a", "b", "c"]), frames.reshape(3, 2, 16, 24).swapaxes(0, 1))
    assert_holds(open_movie(path, axes="TCYX", channels=["a"]), frames[:, None])
    assert_holds(open_movie(path, axes="CYX"), frames[None])
    with pytest.raises(ValueError, match="has I of 6 before rows and columns; name the channels too"):
        open_movie(path, axes="TCYX")
    with pytest.raises(ValueError, match=r"the 6 planes of .* cannot be shared among 4 channels"):
        open_movie(path, axes="TCYX", channels="abcd")
    with pytest.raises(ValueError, match=r"axes is 'TC'; give T, C and Z in the file's order.*and YX"):
        open_movie(path, axes="TC")
    with pytest.raises(ValueError, match=r"axes is 'YX', but .* has I of 6 before rows and columns; give one letter"):
        open_movie(path, axes="YX")
    unknown = tmp_path / "q.tif"
    tifffile.imwrite(unknown, some_frames((3, 2, 16, 24)), photometric="minisblack")
    with pytest.raises(ValueError, match=r"does not say what its axes are \(Q of 3, Q of 2, before.*axes='TCYX'"):
        open_movie(unknown)
    assert open_movie(unknown, axes="CTYX").shape == (2, 3, 16, 24)


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


def test_channels_and_frames_that_do_not_fit(tmp_path):
    frames = some_frames()
    write_movie(tmp_path / "a.tif", frames[:, 0])
    write_movie(tmp_path / "b.tif", frames[:3, 1])
    write_movie(tmp_path / "c.tif", frames[:, 1, :8])
    write_movie(tmp_path / "d.tif", frames[:, 1].astype(np.uint8))
    with pytest.raises(ValueError, match=r"different numbers of frames: .*a\.tif has 5, .*b\.tif has 3"):
        open_movie([tmp_path / "a.tif", tmp_path / "b.tif"])
    with pytest.raises(ValueError, match=r"c\.tif have \(rows, columns\) \(8, 24\)"):
        open_movie([tmp_path / "a.tif", tmp_path / "c.tif"])
    with pytest.raises(ValueError, match="and the type uint8, those of"):
        open_movie([tmp_path / "a.tif", tmp_path / "d.tif"])
    with pytest.raises(ValueError, match="holds 4 files, and 4 of them have more than one frame"):
        open_movie(tmp_path)
    one_file_a_frame(tmp_path / "frames", frames[:, 0])
    tifffile.imwrite(tmp_path / "frames" / "frame9.tif", frames[0, 0, :9], metadata=None)
    with pytest.raises(ValueError, match=r"frame9\.tif have \(channels, rows, columns\) \(1, 9, 24\)"):
        open_movie(tmp_path / "frames")


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
    with pytest.raises(ValueError, match="seconds_per_frame is -1; it must be above 0"):
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
        from awd_cme.movies import open_movie
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
        timeout=120,
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
    code = (
        "import sys, awd_cme.movies; print([m for m in ('torch', 'pandas', 'scipy', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
