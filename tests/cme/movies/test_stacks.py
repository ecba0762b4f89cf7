"""Which planes make up which frame: files of several planes, folders and lists; and what metadata and names say."""

import struct

import numpy as np
import pytest
import tifffile

from awd_cme.movies.open import open_movie, write_movie
from awd_cme.movies.units import interval_in_path
from movie_files import NAMES, assert_holds, one_file_a_frame, some_frames


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
        ("/drug_300s/Cell1_1s/Ch1", 1.0),
        ("/data_3s/Cell1_1s_2s/Ch1", None),
        ("/data/Cell1_1s_1000ms", 1.0),
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


def test_hidden_files_and_folders_are_left_out(tmp_path):
    frames = some_frames()
    one_file_a_frame(tmp_path / "cell" / "TagRFP", frames[:, 0])
    one_file_a_frame(tmp_path / "cell" / "488nm", frames[:, 1])
    one_file_a_frame(tmp_path / "cell" / ".AppleDouble", frames[:, 0])
    for name in ("._frame1.tif", ".hidden.tif"):
        (tmp_path / "cell" / "TagRFP" / name).write_bytes(b"no image")
    movie = open_movie(tmp_path / "cell")
    assert movie.channels == ("488nm", "TagRFP")
    assert_holds(movie, frames[:, ::-1])
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "._movie.tif").write_bytes(b"no image")
    with pytest.raises(FileNotFoundError, match="is a folder without a TIFF file"):
        open_movie(tmp_path / "empty")


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
        for number in (1, np.int64(1)):
            second = open_movie(tmp_path / "z.tif", z=number)
            assert_holds(second, frames[:, 1])
        assert second.origin["axes"].endswith("plane 1 in depth of 4")
    with pytest.raises(ValueError, match=r"z is 4, but .* has 4 planes in depth"):
        open_movie(tmp_path / "z.tif", z=4)
    with pytest.raises(ValueError, match="z is 'median'; choose 'max', 'mean', 'sum'"):
        open_movie(tmp_path / "z.tif", z="median")
    with pytest.raises(ValueError, match="z is True; choose 'max', 'mean', 'sum'"):
        open_movie(tmp_path / "z.tif", z=True)
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
