"""Tables come back from files as they were, and files are there whole or not at all."""

import os
import sys

import numpy as np
import pandas as pd
import pytest

from awd_cme.readers.read import read_tracks
from awd_cme.readers.source import cell_name
from awd_cme.tracks import writers
from awd_cme.tracks.table import concat, empty_table, make_table
from awd_cme.tracks.writers import write_csv, write_napari, write_parquet


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    frames = np.tile(np.arange(4, 12), 3)
    y = rng.uniform(0, 100, 24)
    y[10] = np.nan
    cells = [
        make_table(
            track=np.repeat([1, 2, 5], 8),
            frame=frames,
            y=y,
            x=y,
            cell=cell,
            source=f"{cell}.mat",
            category=category,
            signals={"clathrin_amplitude": rng.normal(size=24), "auxilin_p": rng.uniform(size=24)},
            seconds_per_frame=1 / 3,
            micrometres_per_pixel=0.107,
        )
        for cell, category in (("d/Cell1", [1] * 24), ("d/Cell2", None))
    ]
    return concat(cells)


@pytest.mark.parametrize(
    ("write", "name"), [(write_csv, "t.csv"), (write_csv, "t.csv.gz"), (write_parquet, "t.parquet")]
)
def test_files_come_back_bit_for_bit(table, tmp_path, write, name):
    write(table, tmp_path / name)
    assert ((tmp_path / name).read_bytes()[:2] == b"\x1f\x8b") == name.endswith(".gz")
    back, report = read_tracks(tmp_path / name)
    assert (report.came, report.kept) == (6, 6)
    assert "canonical table" in report.recognised[0]
    pd.testing.assert_frame_equal(back, table, check_exact=True)
    assert back.attrs == table.attrs


@pytest.mark.parametrize(("write", "name"), [(write_csv, "t.csv"), (write_parquet, "t.parquet")])
def test_an_empty_table_comes_back(tmp_path, write, name):
    write(empty_table(["a"]), tmp_path / name)
    back, report = read_tracks(tmp_path / name)
    pd.testing.assert_frame_equal(back, empty_table(["a"]))
    assert report.came == 0


def test_unknown_interval_and_source_come_back_unknown(tmp_path):
    table = make_table(track=[1], frame=[0], y=[0.1], x=[0.2])
    write_csv(table, tmp_path / "t.csv")
    back, _ = read_tracks(tmp_path / "t.csv")
    pd.testing.assert_frame_equal(back, table)
    assert back.attrs == table.attrs


def test_napari_takes_positions_of_one_cell(table, tmp_path):
    with pytest.raises(ValueError, match=r"has the cells \['d/Cell1', 'd/Cell2'\]"):
        write_napari(table, tmp_path / "n.csv")
    with pytest.raises(ValueError, match="no cell 'Cell9'"):
        write_napari(table, tmp_path / "n.csv", cell="Cell9")
    write_napari(table, tmp_path / "n.csv", cell="d/Cell1")
    raw = np.loadtxt(tmp_path / "n.csv", delimiter=",")
    assert raw.shape == (23, 4)  # 24 rows, one of them a gap
    back, report = read_tracks(tmp_path / "n.csv", seconds_per_frame=1 / 3)
    assert "napari" in report.recognised[0]
    own = table[table["cell"] == "d/Cell1"].reset_index(drop=True)
    for name in ("track", "frame", "y", "x", "lifetime"):
        np.testing.assert_array_equal(back[name], own[name])
    assert back["part"].tolist() == own["part"].tolist()


@pytest.mark.parametrize("write", [write_csv, write_parquet, write_napari])
def test_what_is_no_table_is_not_written(table, tmp_path, write):
    with pytest.raises(ValueError, match="columns are missing: t"):
        write(table.drop(columns="t"), tmp_path / "bad.csv")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(FileNotFoundError, match="does not exist"):
        write(table[table["cell"] == "d/Cell1"].reset_index(drop=True), tmp_path / "none" / "t.csv")


def test_a_write_that_fails_leaves_what_was_there(table, tmp_path, monkeypatch):
    place = tmp_path / "t.csv"
    write_csv(table, place)
    before = place.read_bytes()

    def half(frame, beside, **_):
        beside.write_text("cell,track\n")
        raise OSError("no space left")

    monkeypatch.setattr(pd.DataFrame, "to_csv", half)
    with pytest.raises(OSError, match="no space left"):
        writers.write_csv(table, place)
    assert place.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]


@pytest.mark.parametrize("lost", [1, 2, 4])
def test_a_canonical_file_that_ends_within_a_line_is_told(table, tmp_path, lost):
    path = tmp_path / "tracks.csv"
    write_csv(table, path)
    assert read_tracks(path)[1].doubts == []
    path.write_bytes(path.read_bytes()[:-lost])
    assert any("ends within a line" in doubt for doubt in read_tracks(path)[1].doubts)
    path.write_text(path.read_text() + "\n", encoding="utf-16")
    assert not any("ends within a line" in doubt for doubt in read_tracks(path)[1].doubts)


def test_a_canonical_file_with_columns_missing_is_refused(table, tmp_path):
    table.drop(columns=["clathrin_p"]).to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(ValueError, match=r"columns \['clathrin_p'\] are missing from this canonical table"):
        read_tracks(tmp_path / "a.csv")
    table.drop(columns=["lifetime"]).to_csv(tmp_path / "b.csv", index=False)
    with pytest.raises(ValueError, match=r"columns \['lifetime'\] are missing for a canonical table"):
        read_tracks(tmp_path / "b.csv")
    table.assign(y="far").to_csv(tmp_path / "c.csv", index=False)
    with pytest.raises(ValueError, match="holds no numbers"):
        read_tracks(tmp_path / "c.csv")


def test_frames_beyond_the_movie_are_refused_or_dropped(table, tmp_path):
    write_parquet(table, tmp_path / "t.parquet")
    with pytest.raises(ValueError, match=r"6 rows have a frame beyond the movie's last \(the movie has 11 frames\)"):
        read_tracks(tmp_path / "t.parquet", frames=11)
    back, report = read_tracks(tmp_path / "t.parquet", frames=11, on_error="skip")
    assert (len(back), report.came, report.kept) == (0, 6, 0)
    assert report.dropped == [("tracks", 6, "a frame beyond the movie's last")]


def test_another_frame_interval_rescales_times(table, tmp_path):
    write_parquet(table, tmp_path / "t.parquet")
    back, report = read_tracks(tmp_path / "t.parquet", seconds_per_frame=2.0)
    np.testing.assert_allclose(back["t"], table["frame"] * 2.0, rtol=1e-15)
    np.testing.assert_allclose(back["lifetime"], 16.0, rtol=1e-15)
    assert "2 s per frame, as told" in report.assumed[0]


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names there are Unicode")
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_names_that_are_no_utf8_are_spelled_out_in_tables(tmp_path, ending):
    name = os.fsdecode(b"Zelle\xe4")
    table = make_table(
        track=[1, 1], frame=[0, 1], y=[2.0, 2.5], x=[3.0, 3.5], cell=name, source=[name, name], channels=["a"]
    )
    assert table["cell"].unique().tolist() == table["source"].unique().tolist() == [r"Zelle\udce4"]
    place = tmp_path / f"{name}.{ending}"
    (write_parquet if ending == "parquet" else write_csv)(table, place)
    back, _ = read_tracks(place)
    assert back["cell"].unique().tolist() == [r"Zelle\udce4"]
    assert cell_name(tmp_path / f"{name}_1s.tif") == r"Zelle\udce4"
