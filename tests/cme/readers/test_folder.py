"""A folder of track files: a cell each, whichever program wrote them."""

import gzip

import numpy as np
import pandas as pd
import pytest

from awd_cme.app.main import app
from awd_cme.readers.folder import track_files
from awd_cme.readers.read import read_tracks, recognise
from awd_cme.readers.source import recognise_source
from awd_cme.tracks.table import make_table
from awd_cme.tracks.writers import write_csv
from commands import invoke

SPOTS = "ID,TRACK_ID,FRAME,POSITION_X,POSITION_Y,MEAN_INTENSITY_CH1,MEAN_INTENSITY_CH2\n"


def trackmate(path, tracks=2, head=SPOTS):
    """A small table of spots of TrackMate."""
    rows = [f"{10 * t + k},{t},{k},{5 + t},{6 + k},{50 + k},{20 + k}" for t in range(tracks) for k in range(4)]
    path.write_text(head + "\n".join(rows) + "\n")


@pytest.fixture
def folder(tmp_path):
    """Two cells, and what else lies in folders."""
    trackmate(tmp_path / "cell10.csv", 3)
    trackmate(tmp_path / "cell2.csv", 2)
    (tmp_path / "._cell2.csv").write_bytes(b"\x00\x05")
    (tmp_path / "notes.md").write_text("measured on a Monday")
    return tmp_path


def test_every_file_is_a_cell(folder):
    assert [path.name for path in track_files(folder)] == ["cell2.csv", "cell10.csv"]
    assert recognise(folder) == "files"
    assert recognise_source(folder).kind == "tracks"
    table, report = read_tracks(folder, seconds_per_frame=2.0, channels=["clathrin", "auxilin"])
    assert table.groupby("cell", observed=True)["track"].nunique().to_dict() == {"cell10": 3, "cell2": 2}
    assert (report.came, report.kept) == (5, 5)
    assert report.recognised[0] == f"{folder}: 2 files of tracks, a cell each"
    one, _ = read_tracks(folder / "cell2.csv", seconds_per_frame=2.0, channels=["clathrin", "auxilin"])
    own = table[table["cell"] == "cell2"].reset_index(drop=True)
    pd.testing.assert_frame_equal(own, one, check_categorical=False)
    told, _ = read_tracks(folder, format="trackmate", channels=["clathrin", "auxilin"])
    assert len(told) == len(table)


def test_a_bad_file_is_named_or_left_out_and_listed(folder):
    (folder / "cell3.csv").write_text("name,value\na,1\n")
    with pytest.raises(ValueError, match=r"cell3.csv is a table with the columns"):
        read_tracks(folder)
    table, report = read_tracks(folder, on_error="skip")
    assert sorted(table["cell"].unique()) == ["cell10", "cell2"]
    assert "2 files of tracks, a cell each" in report.recognised[0]
    ((what, count, why),) = report.dropped
    assert (what, count) == ("files", 1)
    assert why.startswith("cell3.csv is a table with the columns")
    for name in ("cell2", "cell10"):
        (folder / f"{name}.csv").unlink()
    with pytest.raises(ValueError, match=r"no file of the folder .* holds tracks that can be read"):
        read_tracks(folder, on_error="skip")


def test_losses_name_the_file(folder):
    with (folder / "cell2.csv").open("a") as file:
        file.write("99,0,3,9,9,1,1\n")
    _, report = read_tracks(folder, on_error="skip")
    assert report.dropped == [("tracks", 1, "cell2.csv: two rows for the same frame in 1 row")]


def test_other_channels_and_other_endings_are_refused(folder):
    head = SPOTS.replace("MEAN_INTENSITY_CH2", "QUALITY")
    trackmate(folder / "cell3.csv", head=head)
    with pytest.raises(ValueError, match=r"different channels, cell2.csv clathrin, auxilin and cell3.csv clathrin;"):
        read_tracks(folder)
    (folder / "cell3.csv").rename(folder / "cell3.txt")
    with pytest.raises(
        ValueError, match=r"files of several endings \(.csv, .txt\); give a folder of track files of one"
    ):
        read_tracks(folder)


def test_spots_and_links_are_one_cell(tmp_path):
    (tmp_path / "a_edges.csv").write_text("spot_source_id,spot_target_id,track_id\n1,2,0\n")
    (tmp_path / "a_spots.csv").write_text("id,frame,position_x,position_y\n1,0,5,6\n2,1,7,8\n")
    assert [path.name for path in track_files(tmp_path)] == ["a_edges.csv"]
    assert len(read_tracks(tmp_path)[0]) == 2


def test_a_file_is_no_folder_and_a_folder_no_cell(folder):
    with pytest.raises(ValueError, match=r"cell2\.csv is a file; the format 'files' is a folder of them"):
        read_tracks(folder / "cell2.csv", format="files")
    with pytest.raises(ValueError, match="a folder of files, which name their cells"):
        read_tracks(folder, cell="cell1")


def test_the_command_reads_a_folder(folder, tmp_path):
    out = tmp_path / "out.parquet"
    arguments = ["tracks", str(folder), "--channels", "clathrin,auxilin", "--out", str(out)]
    result = invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "5 tracks came, 5 kept" in result.output
    assert pd.read_parquet(out)["cell"].nunique() == 2


def test_channels_of_a_canonical_table_are_chosen_or_renamed(tmp_path):
    frames = np.arange(3)
    table = make_table(
        track=np.ones(3, int), frame=frames, y=frames, x=frames, channels=["red", "green"],
        signals={"red_amplitude": frames + 1.0, "green_amplitude": frames + 10.0},
    )  # fmt: skip
    write_csv(table, tmp_path / "t.csv")
    turned, _ = read_tracks(tmp_path / "t.csv", channels=["green", "red"])
    assert turned.attrs["channels"] == ["green", "red"]
    assert turned["green_amplitude"].tolist() == [10.0, 11.0, 12.0]
    named, _ = read_tracks(tmp_path / "t.csv", channels=["Sla1", "Abp1"])
    assert named["Sla1_amplitude"].tolist() == [1.0, 2.0, 3.0]
    assert read_tracks(tmp_path / "t.csv", channels=["green"])[0].attrs["channels"] == ["green"]
    with pytest.raises(ValueError, match=r"has the channels red, green, and blue are asked for"):
        read_tracks(tmp_path / "t.csv", channels=["blue"])


def test_yeast_files_of_one_name_of_channels(real_data):
    place = real_data / "cme" / "yeast"
    with pytest.raises(ValueError, match=r"hold different channels, Ark1-GFP_Abp1-RFP.mat Ark1, Abp1 and Ede1"):
        read_tracks(place)
    table, _ = read_tracks(place, channels=["coat", "Abp1"])
    assert table["cell"].nunique() == len(list(place.glob("*.mat"))) == 7


def test_compressed_tables_are_read_as_they_are(folder, tmp_path):
    """Every format of CSV, alone and as a folder of cells."""
    plain, packed = tmp_path / "plain", tmp_path / "packed"
    tables = {
        "trackpy": "y,x,mass,size,signal,frame,particle\n1.0,2.0,50,1,5,0,3\n1.5,2.5,60,1,6,1,3\n",
        "napari": "1,0,5.5,6.5\n1,1,5.0,6.0\n",
        "cmeanalysis": "trackId,length,t,f,x,y,A,c\n1,2,0,1,1,1,5,1\n1,2,1,2,1,1,6,1\n",
        "trackmate": (folder / "cell2.csv").read_text(),
        "b_spots": "id,frame,position_x,position_y\n1,0,5,6\n2,1,7,8\n",
        "b_edges": "spot_source_id,spot_target_id,track_id\n1,2,0\n",
    }
    for place, ending in ((plain, ".csv"), (packed, ".csv.gz")):
        place.mkdir()
        for name, text in tables.items():
            (place / f"{name}{ending}").write_bytes(gzip.compress(text.encode()) if "gz" in ending else text.encode())
    for name in tables:
        one, other = (read_tracks(place)[0] for place in (plain / f"{name}.csv", packed / f"{name}.csv.gz"))
        pd.testing.assert_frame_equal(other.drop(columns="source"), one.drop(columns="source"))
        assert recognise(packed / f"{name}.csv.gz") == recognise(plain / f"{name}.csv")
    for place in (plain, packed):
        for name in ("trackmate", "cmeanalysis"):
            next(place.glob(f"{name}.*")).unlink()
    assert [path.name for path in track_files(packed)] == ["b_edges.csv.gz", "napari.csv.gz", "trackpy.csv.gz"]
    (packed / "napari.csv.gz").unlink()
    (packed / "b_edges.csv.gz").unlink()
    (packed / "b_spots.csv.gz").unlink()
    (packed / "cell2.csv.gz").write_bytes((packed / "trackpy.csv.gz").read_bytes())
    assert read_tracks(packed)[0]["cell"].unique().tolist() == ["cell2", "trackpy"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", lambda whole: whole, r"t\.csv is compressed by gzip and named otherwise; call it t\.csv\.gz"),
        ("t.csv.gz", lambda whole: whole[:25], r"t\.csv\.gz is a damaged file of gzip .*; copy or write it again"),
        ("t.csv.gz", lambda whole: gzip.compress(b"  \n"), r"t\.csv\.gz is empty"),
        ("t.csv.gz", lambda whole: whole[:-6] + b"\0\0\0\0\0\0", r"t\.csv\.gz (is a damaged|cannot be read)"),
    ],
)
def test_compressed_files_that_will_not_do(tmp_path, name, content, message):
    whole = gzip.compress(b"y,x,mass,size,signal,frame,particle\n1.0,2.0,50,1,5,0,3\n1.5,2.5,60,1,6,1,3\n")
    (tmp_path / name).write_bytes(content(whole))
    with pytest.raises(ValueError, match=message):
        read_tracks(tmp_path / name)
