"""A folder of track files: a cell each, whichever program wrote them."""

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
