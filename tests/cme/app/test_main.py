"""The command `awd-cme`: its steps on files, its errors in one line, and nothing heavy for `--help`."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from awd_cme.app.main import app
from awd_cme.movies.open import open_movie, write_movie
from awd_cme.series.problem import make_series
from awd_cme.series.series_set import SETTINGS
from awd_cme.simulate.simulation import simulate_movie
from awd_cme.tracks.table import make_table
from awd_cme.tracks.writers import write_csv, write_napari
from commands import invoke

SHORT = [
    "--epochs", "2", "--starts", "db2", "--shares", "2", "--random-starts", "0", "--repeats", "1",
    "--teacher-folds", "0", "--quiet",
]  # fmt: skip


def call(*arguments):
    """Exit code and output of the command."""
    result = invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.output


@pytest.fixture(scope="module")
def simulated():
    """A small movie with its truth."""
    return simulate_movie("quick", seed=1, size=(64, 64), frames=40, pits=20)


@pytest.fixture(scope="module")
def tracks_file(tmp_path_factory):
    """Tracks of four cells with a partner that follows what is seen."""
    rng = np.random.default_rng(0)
    parts = []
    for cell in ("a", "b", "c", "d"):
        for track in range(16):
            t = np.arange(30)
            x = rng.uniform(50, 200) * np.exp(-0.5 * ((t - 15) / rng.uniform(3, 8)) ** 2) + rng.normal(0, 3, 30)
            parts.append((cell, track, t, x, 0.5 * x.max() + rng.normal(0, 5, 30)))
    table = make_table(
        cell=np.repeat([part[0] for part in parts], 30),
        track=np.repeat([part[1] for part in parts], 30),
        frame=np.concatenate([part[2] for part in parts]),
        y=np.ones(30 * len(parts)),
        x=np.ones(30 * len(parts)),
        signals={
            "clathrin_amplitude": np.concatenate([part[3] for part in parts]),
            "auxilin_amplitude": np.concatenate([part[4] for part in parts]),
        },
        seconds_per_frame=2.0,
    )
    path = tmp_path_factory.mktemp("tracks") / "tracks.csv"
    write_csv(table, path)
    return path


def test_help_needs_nothing_heavy():
    heavy = ("torch", "matplotlib", "scipy", "sklearn", "pandas", "numpy", "lightning", "zarr")
    code = f"import sys, awd_cme.app.main; print([name for name in {heavy!r} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
    status, output = call("--help")
    assert status == 0
    for command in ("run", "simulate", "tracks", "extract", "teach", "distill", "evaluate", "report", "predict"):
        assert command in output


def test_movie_to_tracks_to_intensities(simulated, tmp_path):
    movie = tmp_path / "cell1_1s.ome.tif"
    write_movie(movie, simulated.movie)
    assert open_movie(movie).seconds_per_frame == 1.0
    status, output = call("tracks", movie, "--sigma", 1.4, "--out", tmp_path / "found.parquet")
    assert status == 0
    assert "kept" in output
    assert "Tracks and intensities" in output
    status, output = call("tracks", movie, "--sigma", 1.4, "--out", tmp_path / "found.parquet", "--quiet")
    assert (status, output) == (0, "")
    found = pd.read_parquet(tmp_path / "found.parquet")
    assert found.attrs["channels"] == ["clathrin", "auxilin"]
    assert set(found["cell"]) == {"cell1"}
    write_napari(found, tmp_path / "positions.csv")
    status, output = call(
        "extract", movie, "--tracks", tmp_path / "positions.csv", "--sigma", 1.4, "--out", tmp_path / "again.csv"
    )
    assert status == 0, output
    again = pd.read_csv(tmp_path / "again.csv")
    both = found.merge(again, on=["track", "frame"], suffixes=("", "_again"))
    assert len(both) == len(found)
    np.testing.assert_allclose(both["auxilin_amplitude"], both["auxilin_amplitude_again"], rtol=1e-6)


def test_other_names_of_channels_are_said_and_misspelt_ones_refused(simulated, tmp_path):
    movie, out = tmp_path / "cell1_1s.ome.tif", ("--sigma", 1.4, "--out", tmp_path / "t.csv")
    write_movie(movie, simulated.movie)
    note = "Note: the files call the channels clathrin, auxilin; they are taken in that order as "
    status, output = call("tracks", movie, "--channels", "AP2,GAK", *out)
    assert status == 0, output
    assert f"{note}AP2, GAK.\n" in output
    assert note not in call("tracks", movie, "--channels", "AP2,GAK", *out, "--quiet")[1]
    assert note not in call("tracks", movie, "--channels", "auxilin,clathrin", *out)[1]
    for command in ("tracks", "run"):
        status, output = call(command, movie, "--channels", "clathrin,auxillin", "--out", tmp_path / "other.csv")
        assert status == 2
        assert "there is no channel 'auxillin', did you mean auxilin? The file has clathrin, auxilin" in output
        assert not (tmp_path / "other.csv").exists()


def test_a_table_is_converted(tracks_file, tmp_path):
    status, output = call("tracks", tracks_file, "--out", tmp_path / "tracks.parquet")
    assert status == 0
    assert "64 tracks came, 64 kept" in output
    assert len(pd.read_parquet(tmp_path / "tracks.parquet")) == 64 * 30


def test_step_by_step_is_the_run(tracks_file, tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    assert call("run", tracks_file, "--out", one, *SHORT, "--until", "series")[0] == 0
    assert not (one / "teacher.safetensors").exists()
    assert call("distill", one, "--quiet")[0] == 0
    assert (one / "paths/db2.json").exists()
    assert not (one / "results.json").exists()
    status, output = call("evaluate", one)
    assert status == 0
    assert "R² on" in output
    assert "AWD" in output
    assert call("run", tracks_file, "--out", other, *SHORT, "--until", "results")[0] == 0
    assert (one / "results.json").read_bytes() == (other / "results.json").read_bytes()
    # Nothing is known of significance in this table, which the account says.
    data = json.loads((one / "data.json").read_bytes())
    assert data["target"]["name"] == "max"
    assert any("no p-values" in item for item in data["losses"]["assumed"])
    status, output = call("predict", one / "card.json", tracks_file, "--out", tmp_path / "p.csv")
    assert status == 0
    assert "predictions for 64 tracks" in output
    predictions = pd.read_csv(tmp_path / "p.csv")
    table = pd.read_csv(one / "predictions.csv").merge(predictions, on=["cell", "track"])
    np.testing.assert_allclose(table["prediction"], table["awd"], rtol=1e-7)
    # The run's folder is its card; without a file, the first rows and a summary are printed.
    status, output = call("predict", one, tracks_file)
    assert status == 0, output
    assert "… and 54 more" in output
    assert "64 tracks, " in output.splitlines()[-1]
    first = predictions.iloc[0]
    assert output.partition("prediction outside\n")[2].split()[:3] == [first.cell, str(first.track), "60"]
    assert call("predict", tmp_path, tracks_file)[0] == 2


def test_several_splits(tracks_file, tmp_path):
    status, output = call("run", tracks_file, "--out", tmp_path, *SHORT[:-1], "--splits", 2, "--until", "results")
    assert status == 0
    assert "mean and standard deviation of 2 splits" in output
    table = json.loads((tmp_path / "splits.json").read_bytes())
    scores = [json.loads((tmp_path / f"split-{seed}/results.json").read_bytes())["rows"][0]["score"] for seed in (0, 1)]
    assert table["rows"][0]["scores"] == scores
    assert table["rows"][0]["mean"] == pytest.approx(np.mean(scores))


def test_a_simulation_is_written(tmp_path, monkeypatch):
    from awd_cme.simulate import settings

    small = {"quick": settings.settings_for("quick", size=(32, 32), frames=5, pits=2)}
    monkeypatch.setattr(settings, "PRESETS", small)
    status, output = call("simulate", tmp_path / "sim", "--cells", 2, "--seed", 3)
    assert status == 0
    assert "2 movies" in output
    assert "Simulation" in output
    assert call("simulate", tmp_path / "sim", "--cells", 2, "--seed", 3, "--quiet") == (0, "")
    assert open_movie(tmp_path / "sim/cell2_1s.ome.tif").shape == (5, 2, 32, 32)


def test_errors_are_one_line(tracks_file, tmp_path):
    for arguments, message in (
        (("run", tmp_path / "none", "--out", tmp_path / "r"), "there is no file or folder"),
        (("run", tracks_file, "--out", tmp_path / "r", "--until", "tea"), "until is 'tea'"),
        (
            ("run", tracks_file, "--out", tmp_path / "r", "--settings", "mine"),
            "--settings is 'mine'; choose one of published",
        ),
        (("run", tracks_file, "--out", tmp_path / "r", "--target", "mine"), "--target is 'mine'; choose one of"),
        (("run", tracks_file, "--out", tmp_path / "r", "--target", "success"), "needs p-values"),
        (("run", tracks_file, "--out", tmp_path / "r", "--test-cells", "z"), "there is no group 'z'"),
        (
            ("tracks", tmp_path, "--out", tmp_path / "t.csv", "--compound", "jion"),
            "--compound is 'jion' (did you",
        ),
        (("distill", tmp_path), "holds no run"),
        (("tracks", tracks_file, "--out", tmp_path / "t.xlsx"), "written as .parquet, .csv or .geff"),
        (("tracks", "simulated", "--out", tmp_path / "t.csv"), "awd-cme simulate"),
        (("extract", tracks_file, "--tracks", tracks_file, "--out", tmp_path / "t.csv"), "is no movie"),
        (("predict", tracks_file, tracks_file, "--out", tmp_path / "p.csv"), "cannot be read as a model card"),
    ):
        status, output = call(*arguments)
        last = output.rstrip("\n").rpartition("\n")[2]
        assert status == 2, output
        assert message in last
        assert "Traceback" not in output


def test_the_problem_of_the_fixture_is_what_it_says(tracks_file):
    from awd_cme.readers.read import read_tracks

    series = make_series(read_tracks(tracks_file)[0], SETTINGS["yeast"])
    assert len(series) == 64
    assert len(np.unique(series.cell)) == 4
