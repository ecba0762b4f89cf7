"""What a file is, is seen from its content; what cannot be read is refused in words."""

import pytest

from awd_cme.readers.read import FORMATS, read_tracks, recognise


def test_all_real_data_are_recognised(real_data):
    folder = real_data / "cme"
    kinds = {path.relative_to(folder).as_posix(): recognise(path) for path in folder.rglob("*.*")}
    assert kinds.pop("processedTracks.csv") == "cmeanalysis-csv"
    assert {kind for name, kind in kinds.items() if name.startswith("yeast")} == {"yeast"}
    assert {kind for name, kind in kinds.items() if name.endswith(".xml")} == {"trackmate-xml"}
    assert {kind for name, kind in kinds.items() if name.endswith(".csv")} == {"links"}
    assert len(kinds) == 16


def test_all_real_data_are_read_with_one_call(real_data):
    for path in (real_data / "cme").rglob("*.*"):
        table, report = read_tracks(path)
        assert report.kept == table["track"].nunique() > 0
        assert str(report).startswith(str(path.parent))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"  \n\n", "is empty"),
        (b"\x93NUMPY\x01\x00v\x00\xff\xfe", "is neither a MATLAB or Parquet file nor text"),
        (b"name,value\na,1\n", r"a table with the columns \['name', 'value'\], which is no known one. Known are: "),
        (b"frame,particle,y\n0,1,2\n", r"the columns \['x'\] are missing for trackpy's linked features"),
        (
            b"trackId,length,t,f,x,y,A\n1,1,1,1,1,1,1\n",
            r"the columns \['c'\] are missing for cmeAnalysis' tracks as CSV",
        ),
        (b"Once upon a time\n", "no known one"),
        (b"PAR1 and then nothing", "file.dat is a damaged Parquet file .*copy or export it again"),
        (b"MATLAB 5.0 MAT-file, Platform: X", "cannot be read as a MATLAB file"),
        (b"\x89HDF\r\n\x1a\n and then nothing", "cannot be read as a MATLAB file"),
        (b"frame,particle,y,x\n", "holds no track"),
        (b"1,2,3,4\n1,2,3,4,5,6\n", "file.dat cannot be read: .*tokenizing"),
    ],
)
def test_what_is_no_file_of_tracks(tmp_path, content, message):
    path = tmp_path / "file.dat"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_tracks(path)


def test_a_path_to_nothing_and_a_format_that_is_none(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no file or folder"):
        read_tracks(tmp_path / "none.mat")
    with pytest.raises(ValueError, match="format is 'excel'; choose one of auto, "):
        read_tracks(tmp_path, format="excel")


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"on_error": "ignore"}, "on_error is 'ignore'.*; choose one of raise, skip"),
        ({"compound": "keep"}, "compound is .*; choose one of"),
        ({"position_unit": "inch"}, "position_unit is .*; choose one of"),
        ({"seconds_per_frame": 0.0}, r"seconds_per_frame is 0\.0; give a number above 0"),
        ({"micrometres_per_pixel": -1.0}, r"micrometres_per_pixel is -1\.0; give a number above 0"),
        ({"frames": 0}, "frames is 0; give a number above 0"),
        ({"channels": ["a", "a"]}, "channels must have different names"),
    ],
)
def test_options_are_checked(tmp_path, option, message):
    (tmp_path / "t.csv").write_text("frame,particle,y,x\n0,1,2,3\n")
    with pytest.raises(ValueError, match=message):
        read_tracks(tmp_path / "t.csv", **option)
    with pytest.raises(TypeError, match="channels must be a sequence of names"):
        read_tracks(tmp_path / "t.csv", channels="clathrin")


@pytest.mark.parametrize("format", list(FORMATS))
def test_a_format_that_is_told_and_wrong_is_a_clear_error(tmp_path, format):  # noqa: A002
    path = tmp_path / "file.txt"
    path.write_text("this,is,some\nother,sort,of table\n")
    with pytest.raises(ValueError, match=r"file.txt"):
        read_tracks(path, format=format)
