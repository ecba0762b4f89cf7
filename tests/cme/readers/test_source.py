"""What DATA is, whatever else lies beside it: files that begin with a dot are nobody's data."""

import numpy as np
import pytest

from awd_cme.movies.file_names import natural
from awd_cme.movies.open import open_movie, write_movie
from awd_cme.readers.read import read_tracks
from awd_cme.readers.source import cell_name, recognise_source
from cmeanalysis_files import make_tracks, write_matlab5

FRAMES = np.zeros((3, 2, 8, 8), np.uint16)


def hide(folder):
    """What macOS and others leave in a folder: names that sort first, content that is no image."""
    for name in ("._movie.tif", ".hidden.tif", ".DS_Store"):
        (folder / name).write_bytes(b"\x00\x05\x16\x07")


def test_hidden_files_beside_movies_are_no_cells(tmp_path):
    for cell in (10, 2):
        write_movie(tmp_path / f"Cell{cell}_1s.tif", FRAMES + cell)
    alone = recognise_source(tmp_path)
    hide(tmp_path)
    found = recognise_source(tmp_path)
    assert list(found.cells.items()) == [(f"Cell{k}", tmp_path / f"Cell{k}_1s.tif") for k in (2, 10)]
    assert found.identity() == alone.identity()


def test_hidden_files_beside_single_frames_are_no_frames(tmp_path):
    for cell in (1, 2):
        (tmp_path / f"Cell{cell}_1s").mkdir()
        for t in range(3):
            write_movie(tmp_path / f"Cell{cell}_1s" / f"frame{t}.tif", FRAMES[t : t + 1, :1])
    alone = recognise_source(tmp_path / "Cell1_1s")
    hide(tmp_path / "Cell1_1s")
    found = recognise_source(tmp_path / "Cell1_1s")
    assert found.cells == {"Cell1": tmp_path / "Cell1_1s"}
    assert open_movie(found.cells["Cell1"]).shape == (3, 1, 8, 8)
    assert found.identity() == alone.identity()


def test_hidden_files_and_folders_beside_folders_of_movies(tmp_path):
    for cell in (1, 2):
        (tmp_path / f"Cell{cell}_1s").mkdir()
        write_movie(tmp_path / f"Cell{cell}_1s" / "movie.tif", FRAMES)
        hide(tmp_path / f"Cell{cell}_1s")
    hide(tmp_path)
    (tmp_path / ".AppleDouble").mkdir()
    write_movie(tmp_path / ".AppleDouble" / "movie.tif", FRAMES)
    (tmp_path / "empty").mkdir()
    hide(tmp_path / "empty")
    found = recognise_source(tmp_path)
    assert found.cells == {f"Cell{k}": tmp_path / f"Cell{k}_1s" for k in (1, 2)}
    assert [open_movie(path).shape for path in found.cells.values()] == [FRAMES.shape] * 2
    with pytest.raises(ValueError, match="holds no TIFF files"):
        recognise_source(tmp_path / "empty")


def test_hidden_files_and_folders_in_an_experiment(tmp_path):
    root = tmp_path / ".data"  # the user's own folder may be hidden
    for cell in ("control/Cell1_1s", "drug_300s/Cell1_1s"):
        write_matlab5(root / cell / "TagRFP/Tracking/ProcessedTracks.mat", make_tracks(2))
        hide(root / cell / "TagRFP" / "Tracking")
        hide(root / cell / "TagRFP")
    hide(root)
    old = root / ".snapshot" / "control/Cell2_1s/TagRFP/Tracking/ProcessedTracks.mat"
    write_matlab5(old, make_tracks(2))
    assert recognise_source(root).kind == "tracks"
    table, _ = read_tracks(root)
    assert table["cell"].unique().tolist() == ["control/Cell1_1s", "drug_300s/Cell1_1s"]
    (tmp_path / "none").mkdir()
    old.parents[4].rename(tmp_path / "none" / ".snapshot")
    with pytest.raises(ValueError, match=r"holds no TIFF files, no Tracking/ProcessedTracks\.mat"):
        recognise_source(tmp_path / "none")


def test_a_link_to_nothing_is_said_and_not_left_out(tmp_path):
    write_movie(tmp_path / "cell1.tif", FRAMES)
    (tmp_path / "cell0.tif").symlink_to(tmp_path / "nowhere.tif")
    with pytest.raises(FileNotFoundError, match=r"there is no file .*cell0\.tif"):
        recognise_source(tmp_path)


def test_numbers_in_names_come_by_value_and_before_letters():
    names = ["TagRFP", "frame10", "561", "frame2", "488", "frame", "x²"]
    assert sorted(names, key=natural) == ["488", "561", "TagRFP", "frame", "frame2", "frame10", "x²"]


@pytest.mark.parametrize(
    ("name", "cell"), [("Cell1_.5s.tif", "Cell1"), ("Cell1_1s_2", "Cell1_1s_2"), ("_1s", "_1s"), (".x.tif", ".x")]
)
def test_names_of_cells(tmp_path, name, cell):
    assert cell_name(tmp_path / name) == cell
