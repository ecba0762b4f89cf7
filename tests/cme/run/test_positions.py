"""Tracks of other programs and the movies that they belong to: sizes of pixels, names of cells, times."""

import numpy as np
import pytest

from awd_cme.app.main import app
from awd_cme.movies.open import write_movie
from awd_cme.readers.source import recognise_source
from awd_cme.run.data import matched, read_positions, tracks_of
from awd_cme.run.job import RunJob
from awd_cme.tracks.table import concat, make_table
from awd_cme.tracks.writers import write_parquet
from commands import invoke

SIZE = 0.108
PLACES = [(40.0, 10.0), (12.0, 44.0), (20.0, 20.0), (30.0, 35.0), (8.0, 9.0)]


def write_cell(path, *, size=SIZE, seconds=1.0):
    rows, columns = np.mgrid[:48, :56]
    light = sum(np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * 1.4**2)) for y, x in PLACES)
    frames = 100 + np.array([90.0, 50.0])[:, None, None] * light + np.random.default_rng(0).normal(0, 3, (8, 2, 48, 56))
    write_movie(path, frames.astype(np.float32), seconds_per_frame=seconds, micrometres_per_pixel=size)


def write_tracks(path, unit="micron", scale=SIZE):
    lines = ["LABEL,TRACK_ID,FRAME,POSITION_X,POSITION_Y", "L,T,F,X,Y", "L,T,F,X,Y", f",,,({unit}),({unit})"]
    lines += [f"s,{k},{t},{x * scale},{y * scale}" for k, (y, x) in enumerate(PLACES) for t in range(8)]
    path.write_text("\n".join(lines), encoding="utf-8")


def test_the_movie_tells_the_size_of_a_pixel(tmp_path):
    write_cell(tmp_path / "cell1_1s.ome.tif")
    write_tracks(tmp_path / "spots.csv")
    out = tmp_path / "out.parquet"
    words = ["extract", tmp_path / "cell1_1s.ome.tif", "--tracks", tmp_path / "spots.csv", "--sigma", 1.4, "--out", out]
    said = invoke(app, words)
    assert said.exit_code == 0, said.output
    assert "a pixel is 0.108 µm, as the movies tell" in said.output
    assert "Warning" not in said.output
    import pandas as pd

    found = pd.read_parquet(out)
    assert found.groupby("track")["clathrin_amplitude"].median().to_numpy() == pytest.approx([90] * 5, rel=0.05)
    assert found["lifetime"].unique() == [8.0]  # times are the movie's, where tracks have none
    write_cell(tmp_path / "cell1_1s.ome.tif", size=None)
    assert "of a pixel's size: none of the movies says it" in invoke(app, words).output.lower()
    assert invoke(app, [*words, "--micrometres-per-pixel", SIZE]).exit_code == 0


def test_movies_of_other_sizes(tmp_path):
    (tmp_path / "movies").mkdir()
    write_cell(tmp_path / "movies/a.ome.tif", size=0.1)
    write_cell(tmp_path / "movies/b.ome.tif", size=0.2)
    (tmp_path / "tracks").mkdir()
    for name in "ab":
        write_tracks(tmp_path / f"tracks/{name}.csv")
    movies = recognise_source(tmp_path / "movies").cells
    with pytest.raises(ValueError, match=r"Of a pixel's size: a: 0\.1 µm, b: 0\.2 µm"):
        read_positions(str(tmp_path / "tracks"), RunJob("x", "y"), movies)


@pytest.mark.parametrize(
    "name", ["cell1_1s", "Cell1_1s", "cell1_1s_spots", "cell1-tracks", "all spots_cell1", "x/cell1"]
)
def test_tracks_are_named_as_their_movies_or_nearly(name):
    assert matched([name], ["cell1", "cell2"]) == {name: "cell1"}


def test_names_that_fit_several_are_refused():
    assert matched(["cell1_1s", "cell1_tracks"], ["cell1_1s"]) == {"cell1_1s": "cell1_1s"}
    with pytest.raises(ValueError, match="tracks of cell1_1s, cell1_2s all fit the movie of 'cell1'"):
        matched(["cell1_1s", "cell1_2s"], ["cell1"])
    assert matched(["other"], ["cell1"]) == {}


def test_tracks_without_a_movie_are_counted(tmp_path):
    (tmp_path / "movies").mkdir()
    (tmp_path / "tracks").mkdir()
    for k in (1, 2):
        write_cell(tmp_path / f"movies/cell{k}_1s.ome.tif")
    for k in (1, 2, 3):
        write_tracks(tmp_path / f"tracks/cell{k}_1s.csv", "pixel", 1.0)
    table, losses = read_positions(
        str(tmp_path / "tracks"), RunJob("x", "y"), recognise_source(tmp_path / "movies").cells
    )
    assert table["cell"].unique().tolist() == ["cell1", "cell2"]
    assert losses.dropped == [("tracks", 5, "of cell3_1s, for which there is no movie")]
    assert (losses.came, losses.kept) == (15, 10)


def cell(name, seconds):
    frames = np.arange(30)
    signals = {f"{channel}_amplitude": 5.0 + frames for channel in ("a", "b")}
    return make_table(
        track=[1] * 30, frame=frames, y=np.ones(30), x=np.ones(30), cell=name, source=name, channels=["a", "b"],
        signals=signals, seconds_per_frame=seconds,
    )  # fmt: skip


class Folder:
    """What of a run's folder reading tracks needs."""

    def __init__(self, path):
        self.path = path

    def __truediv__(self, name):
        return self.path / name

    def step(self, _):
        from contextlib import nullcontext

        return nullcontext(lambda *_: None)


def test_cells_of_other_frame_intervals_are_refused_or_resampled(tmp_path):
    write_parquet(concat([cell("one", 1.0), cell("two", 5.0)]), tmp_path / "t.parquet")
    source = recognise_source(tmp_path / "t.parquet")
    with pytest.raises(ValueError, match=r"different frame intervals, 1 s \(one\); 5 s \(two\).*--resample 5"):
        tracks_of(Folder(tmp_path), RunJob(str(tmp_path / "t.parquet"), "r"), source)
    told = tracks_of(Folder(tmp_path), RunJob(str(tmp_path / "t.parquet"), "r", resample=5.0), source)
    lengths = told.table.groupby("cell", observed=True)["frame"].count()
    assert lengths.to_dict() == {"one": 6, "two": 30}
    assert told.table.attrs["seconds_per_frame"] == 5.0
    write_parquet(concat([cell("one", 1.0), cell("two", None)]), tmp_path / "u.parquet")
    found = tracks_of(
        Folder(tmp_path), RunJob(str(tmp_path / "u.parquet"), "r"), recognise_source(tmp_path / "u.parquet")
    )
    assert "the frame interval of two is unknown (1 of 2 cells)" in found.losses.doubts[0]


def test_times_of_tracks_that_are_not_the_movies(tmp_path):
    write_cell(tmp_path / "cell1.ome.tif", seconds=1.0)
    lines = ["track,frame,t (s),x,y"]
    lines += [f"{k},{t},{5 * t},{x},{y}" for k, (y, x) in enumerate(PLACES) for t in range(8)]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    words = ["extract", tmp_path / "cell1.ome.tif", "--tracks", tmp_path / "t.csv", "--sigma", 1.4]
    said = invoke(app, [*words, "--out", tmp_path / "o.csv"])
    assert "Warning: the tracks of cell1 have 5 s per frame, and its movie 1 s" in said.output
    said = invoke(app, [*words, "--out", tmp_path / "o.csv", "--seconds-per-frame", 1])
    assert "Warning" not in said.output
