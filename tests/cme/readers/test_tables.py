"""Plain tables: trackpy, napari, cmeAnalysis' CSV, links between spots."""

import numpy as np
import pandas as pd
import pytest

from awd_cme.readers.read import read_tracks, recognise
from awd_cme.tracks.table import summary


def write(path, text):
    path.write_text(text)
    return path


TRACKPY = "y,x,mass,size,signal,frame,particle\n1.0,2.0,50,1,5,0,3\n1.5,2.5,60,1,6,1,3\n9.0,8.0,70,1,7,4,0\n"


def test_trackpy(tmp_path):
    path = write(tmp_path / "movie1.csv", TRACKPY)
    assert recognise(path) == "trackpy"
    table, report = read_tracks(path, seconds_per_frame=2.0)
    assert table[["cell", "track", "frame", "t", "y", "x", "clathrin_amplitude"]].to_numpy().tolist() == [
        ["movie1", 0, 4, 8.0, 9.0, 8.0, 7.0],
        ["movie1", 3, 0, 0.0, 1.0, 2.0, 5.0],
        ["movie1", 3, 1, 2.0, 1.5, 2.5, 6.0],
    ]
    said = " ".join(report.assumed)
    assert "positions are in pixels, from 0" in said
    assert "the amplitude is trackpy's 'signal'" in said
    pd.read_csv(path).to_parquet(tmp_path / "movie1.parquet")
    again, _ = read_tracks(tmp_path / "movie1.parquet", seconds_per_frame=2.0)
    pd.testing.assert_frame_equal(again.drop(columns="source"), table.drop(columns="source"))


def test_trackpy_without_links_and_in_micrometres(tmp_path):
    path = write(tmp_path / "m.csv", TRACKPY + "3.0,3.0,70,1,7,4,\n")
    with pytest.raises(ValueError, match="positions in micrometres need the size of a pixel"):
        read_tracks(path, position_unit="micrometre")
    table, report = read_tracks(path, position_unit="micrometre", micrometres_per_pixel=0.5)
    assert table["y"].tolist() == [18.0, 2.0, 3.0]
    assert ("spots", 1, "in no track") in report.dropped
    assert any("frame interval is unknown" in sentence for sentence in report.assumed)
    assert table[["t", "lifetime"]].isna().all(axis=None)


@pytest.mark.parametrize("head", ["", "track_id,t,y,x\n", "ID,T,Y,X\n"])
def test_napari(tmp_path, head):
    path = write(tmp_path / "n.csv", head + "1,0,5.5,6.5\n1,1,5.0,6.0\n2,3.0,1.0,2.0\n")
    assert recognise(path) == "napari"
    table, _ = read_tracks(path)
    assert table[["track", "frame", "y", "x"]].to_numpy().tolist() == [
        [1, 0, 5.5, 6.5],
        [1, 1, 5.0, 6.0],
        [2, 3, 1.0, 2.0],
    ]


def test_napari_with_depth(tmp_path):
    table, report = read_tracks(write(tmp_path / "n.csv", "1,0,4.0,5.5,6.5\n1,1,7.0,5.0,6.0\n"))
    assert table[["y", "x"]].to_numpy().tolist() == [[5.5, 6.5], [5.0, 6.0]]
    assert any("z, from 4 to 7, is left out" in sentence for sentence in report.assumed)
    with pytest.raises(ValueError, match="no table of napari's tracks"):
        read_tracks(write(tmp_path / "six.csv", "1,0,4,5,6,7\n"), format="napari")


BAD = pytest.mark.parametrize(
    ("row", "why"),
    [
        ("nan,8.0,70,1,7,5,0", "a position that is NaN or infinite"),
        ("9.0,inf,70,1,7,5,0", "a position that is NaN or infinite"),
        ("9.0,8.0,70,1,7,4,0", "two rows for the same frame"),
        ("9.0,8.0,70,1,7,40,0", "a frame beyond the movie's last"),
        ("9.0,8.0,70,1,7,1.5,0", "a frame that is missing, negative or no whole number"),
        ("9.0,8.0,70,1,7,-1,0", "a frame that is missing, negative or no whole number"),
        ("9.0,8.0,70,1,7,,0", "a frame that is missing, negative or no whole number"),
        ("9.0,8.0,70,1,inf,5,0", "an infinite intensity"),
    ],
)


@BAD
def test_wrong_rows_are_refused_or_their_tracks_dropped(tmp_path, row, why):
    path = write(tmp_path / "bad.csv", TRACKPY + row + "\n")
    with pytest.raises(
        ValueError,
        match=rf"bad.csv: 1 row of 1 track has {why}.*the first is track 0.*--on-error skip \(on_error='skip'\)",
    ):
        read_tracks(path, frames=30)
    table, report = read_tracks(path, frames=30, on_error="skip")
    assert table["track"].unique().tolist() == [3]
    assert (report.came, report.kept) == (2, 1)
    assert report.dropped == [("tracks", 1, f"{why} in 1 row")]


def test_frames_that_are_times_are_refused(tmp_path):
    path = write(tmp_path / "t.csv", "frame,particle,y,x\n0,1,1,1\n900000,1,1,1\n")
    with pytest.raises(ValueError, match=r"skip 899999 frames.*may hold times \(it goes to 900000\)"):
        read_tracks(path)


def test_all_tracks_wrong_leave_an_empty_table(tmp_path):
    path = write(tmp_path / "t.csv", "frame,particle,y,x\n0,1,nan,1\n")
    table, report = read_tracks(path, on_error="skip")
    assert (len(table), report.came, report.kept) == (0, 1, 0)


CME = (
    "trackId,length,t,f,x,y,A,c\n"
    "1,3, 2, 3, 7.0e+01, 2.0e+01, 8.0e+01, 1.0e+02\n1,3, 3, 4, NaN, NaN, NaN, NaN\n1,3, 4, 5, 7.1e+01, 2.1e+01, , \n"
    "2,5, 0, 1, 5.0, 6.0, 1.0, 9.0\n2,5, 1, 2, 5.1, 6.1, 2.0, 9.1\n2,5, , , 5.1, 6.1, 3.0, 9.2\n"
    "2,5, 1, 2, 5.2, 6.2, 4.0, 9.3\n2,5, 2, 3, 5.3, 6.3, 5.0, 9.4\n"
)


def test_cmeanalysis_csv_with_blanks_and_segments(tmp_path):
    path = write(tmp_path / "c.csv", CME)
    assert recognise(path) == "cmeanalysis-csv"
    table, report = read_tracks(path)
    assert table.attrs["seconds_per_frame"] == 1.0
    assert table[["track", "frame", "segment", "part"]].to_numpy().tolist() == [
        [1, 2, 0, "track"],
        [1, 3, 0, "gap"],
        [1, 4, 0, "track"],
        [2, 0, 0, "track"],
        [2, 1, 0, "track"],
        [2, 2, 1, "track"],
    ]
    np.testing.assert_array_equal(table["x"], [69.0, np.nan, 70.0, 4.0, 5.1 - 1, 5.3 - 1])
    np.testing.assert_array_equal(table["clathrin_amplitude"], [80.0, np.nan, np.nan, 1.0, 2.0, 5.0])
    assert [line[:2] for line in report.dropped] == [("rows", 1), ("rows", 1)]
    split, report = read_tracks(path, compound="split")
    assert split.groupby("track")["clathrin_amplitude"].apply(list)[3] == [4.0, 5.0]
    assert report.kept == 3


def test_a_frame_interval_that_is_told_beats_the_column(tmp_path):
    table, report = read_tracks(write(tmp_path / "c.csv", CME), seconds_per_frame=0.5)
    assert table["lifetime"].unique().tolist() == [1.5]
    assert any("0.5 s as told; the column of times says 1 s" in sentence for sentence in report.assumed)


def test_tracks_without_a_number_are_refused(tmp_path):
    with pytest.raises(ValueError, match="1 rows have no trackId"):
        read_tracks(write(tmp_path / "c.csv", CME + ",5,2,3,5,6,5,9\n"))
    with pytest.raises(ValueError, match="1 rows have no track_id"):
        read_tracks(write(tmp_path / "n.csv", "1,0,5.5,6.5\n,1,5.0,6.0\n"), format="napari")


def test_links_need_their_spots(tmp_path):
    path = write(tmp_path / "a_edges.csv", "spot_source_id,spot_target_id,track_id\n1,2,0\n")
    with pytest.raises(
        ValueError, match=r"not where the spots are, and .*a_spots.csv is not there; .*export TrackMate's"
    ):
        read_tracks(path)
    write(tmp_path / "a_spots.csv", "id,frame,position_x\n1,0,5\n2,1,5\n")
    with pytest.raises(ValueError, match=r"the columns \['position_y'\] are missing"):
        read_tracks(path)
    write(tmp_path / "a_spots.csv", "id,frame,position_x,position_y\n1,0,5,6\n2,2,7,8\n2,3,7,8\n")
    with pytest.raises(ValueError, match="1 spots have the number of another"):
        read_tracks(path)
    write(tmp_path / "a_spots.csv", "id,frame,position_x,position_y\n1,0,5,6\n2,2,7,8\n")
    table, _ = read_tracks(tmp_path / "a_spots.csv")
    np.testing.assert_array_equal(table["x"], [5.0, np.nan, 7.0])


def test_real_cmeanalysis_csv(real_data):
    path = real_data / "cme" / "processedTracks.csv"
    table, report = read_tracks(path)
    assert report.came == report.kept == table["track"].nunique() == 2300
    assert report.dropped[0] == ("rows", 15, "separators between the segments of compound tracks")
    assert report.dropped[1][:2] == ("rows", 88)
    assert len(table) == 53443 - 15 - 88
    assert table.attrs["seconds_per_frame"] == 1.0
    raw = pd.read_csv(path, skipinitialspace=True)
    per_track = summary(table).set_index("track")
    last, first = (raw.groupby("trackId")["f"].agg(how) for how in ("max", "min"))
    np.testing.assert_array_equal(per_track["lifetime"], last - first + 1)
    simple = ~raw["f"].isna().groupby(raw["trackId"]).any()
    assert (~simple).sum() == 15
    # Seven of the compound tracks have a second segment that lasts no longer than the first: it adds no frame.
    assert (per_track["segments"] > 1).sum() == 8
    amplitude = raw.groupby("trackId")["A"].max()[simple]
    np.testing.assert_array_equal(per_track.loc[simple, "clathrin_max"], amplitude)
    split, report = read_tracks(path, compound="split")
    assert (report.kept, len(split)) == (2315, 53443 - 15)
    kept, report = read_tracks(path, compound="drop", frames=241)
    assert (report.kept, len(kept)) == (2285, 52127)
    with pytest.raises(ValueError, match="a frame beyond the movie's last"):
        read_tracks(path, frames=240)
