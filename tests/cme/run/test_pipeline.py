"""The whole run, from TIFF files on disk to the results, on two tiny cells; the report has its own tests."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from awd_cme.model.card import ModelCard
from awd_cme.model.predict import predict_tracks
from awd_cme.model.results import ModelRow, Results
from awd_cme.model.student_card import StudentCard
from awd_cme.readers.read import read_tracks
from awd_cme.readers.source import cell_name, recognise_source
from awd_cme.report.examples import Examples
from awd_cme.run.candidates import Candidate, candidates_of, choose
from awd_cme.run.job import RunJob, job_of
from awd_cme.run.pipeline import ARTEFACTS, run_pipeline
from awd_cme.run.readable import choose_scaling
from awd_cme.run.series import Problem
from awd_cme.run.splits import averaged
from awd_cme.series.problem import yeast_problem
from awd_cme.series.scaling import fit_z_scores
from awd_cme.series.series_file import load_series, save_series
from awd_cme.series.series_set import example_set
from awd_cme.tracking.cells import categorised
from awd_cme.tracks.table import make_table
from awd_core.distill.path_file import load_path

TINY = {"size": [64, 64], "frames": 100, "pits": 60}
SMALL = {
    "cells": 2, "simulation": TINY, "epochs": 2, "teacher_folds": 2, "starts": ("db2",), "shares": (0.0, 0.5, 1.0),
    # No times among the features: where a short series is padded, rounding decides which of its zeros is the largest.
    "features": "both",
    "random_starts": 0, "repeats": 1, "folds": 2, "until": "results", "quality": False, "quiet": True,
}  # fmt: skip
CLOCK = {"timings.json", "sessions.json", "log.txt", "config.json", ".lock"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run of the simulation."""
    return run_pipeline(RunJob("simulated", str(tmp_path_factory.mktemp("whole") / "run"), **SMALL))


def test_all_artefacts_are_there_and_fit_each_other(finished):
    absent = {"figures", "wavelet.gif", "report.html", "quality.json", "teacher_seeds.json"}
    assert all((finished / name).exists() for name in set(ARTEFACTS) - absent)
    data, split = _json(finished / "data.json"), _json(finished / "split.json")
    results = _json(finished / "results.json")
    assert data["target"] == {"name": "mean_significant", "unit": "counts", "task": "regression"}
    assert data["channels"] == ["clathrin", "auxilin"]
    assert data["seconds_per_frame"] == 1.0
    assert sorted([*split["train"], *split["test"]]) == list(range(data["series"]))
    assert not set(split["train_cells"]) & set(split["test_cells"])
    assert results["train"] == len(split["train"])
    assert results["test"] == len(split["test"])
    assert sum(cell["used"] for cell in data["cells"]) == data["series"] == data["losses"]["kept"]
    lost = sum(row["how_many"] for row in data["losses"]["dropped"] if row["what"] == "tracks")
    assert data["losses"]["came"] == data["series"] + lost


def test_rows_are_those_of_the_contract(finished):
    results = _json(finished / "results.json")
    keys = [row["key"] for row in results["rows"]]
    assert keys[:2] == ["student", "awd"]
    assert len(set(keys)) == len(keys)
    assert {
        "awd_no_interpretation", "db5", "haar", "db2", "db3", "sym5", "published_awd", "published_db5", "raw_ridge",
        "boosting", "teacher", "convolutions", "mean",
    } <= set(keys)  # fmt: skip
    for row in results["rows"]:
        assert row["low"] <= row["high"]
        assert row["parameters"] >= 1
    gap = {(item["of"], item["to"]): item["value"] for item in results["differences"]}
    score = {row["key"]: row["score"] for row in results["rows"]}
    assert gap["awd", "db5"] == pytest.approx(score["awd"] - score["db5"], abs=1e-12)
    # The mean of other cells knows nothing of these: its R² is at most 0, but for rounding.
    assert score["mean"] <= 1e-12


def test_predictions_give_the_scores_and_the_card_gives_the_predictions(finished):
    table = pd.read_csv(finished / "predictions.csv")
    results, series = _json(finished / "results.json"), load_series(finished / "series.npz")
    for row in results["rows"]:
        errors = ((table["truth"] - table[row["key"]]) ** 2).sum()
        # predictions.csv holds all digits.
        assert row["score"] == pytest.approx(
            1 - errors / ((table["truth"] - table["truth"].mean()) ** 2).sum(), abs=1e-9
        )
    test = series.take(_json(finished / "split.json")["test"])
    card = ModelCard.load(finished / "card.json")
    # The card keeps ranks in the last bits of coefficients, hence not all of them.
    np.testing.assert_allclose(card.predict(test.X, cell=test.cell), table["awd"], rtol=1e-7)
    small = StudentCard.load(finished / "student_card.json")
    assert 1 <= len(small.numbers) <= 10
    np.testing.assert_allclose(small.predict(test.X, cell=test.cell, frames=test.frames), table["student"], rtol=1e-9)


def test_a_table_of_tracks_is_predicted_as_in_the_run(finished):
    predictions, losses = predict_tracks(finished / "card.json", pd.read_parquet(finished / "tracks.parquet"))
    known = pd.read_csv(finished / "predictions.csv", dtype={"cell": str})
    both = known.merge(predictions.astype({"cell": str}), on=["cell", "track"])
    assert len(both) == len(known)
    assert not losses.dropped
    np.testing.assert_allclose(both["prediction"], both["awd"], rtol=1e-7)
    few, _ = predict_tracks(finished / "student_card.json", pd.read_parquet(finished / "tracks.parquet"))
    both = known.merge(few.astype({"cell": str}), on=["cell", "track"])
    np.testing.assert_allclose(both["prediction"], both["student"], rtol=1e-7)


def test_selection_says_what_was_chosen_and_the_wavelet_is_it(finished):
    rows = _json(finished / "selection.json")
    assert [row["wavelet"] for row in rows[:2]] == ["db2", "from db2, share 1"]
    assert sum(row["chosen"] for row in rows) == 1
    chosen = next(row for row in rows if row["chosen"])
    path = load_path(finished / "paths/db2.json")
    expected = path.start if chosen["share"] is None else next(p.wavelet for p in path if p.share == chosen["share"])
    assert _json(finished / "wavelet.json")["taps"] == expected.taps.tolist()


def test_examples_explain_their_predictions(finished):
    examples = Examples.load(finished / "examples.npz")
    table = pd.read_parquet(finished / "tracks.parquet")
    first = table[(table["cell"] == examples.cell[0]) & (table["track"] == examples.track[0])]
    own = first[first["part"].isin(["track", "gap"])]
    np.testing.assert_array_equal(examples.x[0, : len(own)], own["clathrin_amplitude"])
    assert np.isnan(examples.x[0, len(own) :]).all()
    assert set(examples.example) == set(range(len(examples.cell)))
    # What decided is what lies furthest from its mean, by what the model multiplies it by.
    with np.load(finished / "examples.npz") as arrays:
        np.testing.assert_array_equal(arrays["term"], examples.term)
    for number in set(examples.example):
        sizes = np.abs(examples.term[examples.example == number])
        assert (np.diff(sizes) <= 0).all()
    card = ModelCard.load(finished / "card.json")
    means = examples.value - examples.term / examples.weight
    for scale in set(examples.scale):
        own = (examples.scale == scale) & (examples.weight == examples.weight[examples.scale == scale][0])
        assert np.ptp(means[own]) == pytest.approx(0, abs=1e-9), "one feature has one mean over the training tracks"
        assert examples.weight[own][0] in card.coefficients[:, 0]
    assert (np.diff(examples.prediction) >= 0).all()


def test_a_finished_run_is_not_done_again(finished):
    before = {path: path.stat().st_mtime_ns for path in finished.rglob("*") if path.is_file()}
    run_pipeline(RunJob("simulated", str(finished), **SMALL))
    touched = {path.name for path in before if path.stat().st_mtime_ns != before[path]}
    # The simulation writes down what it is whenever it is asked.
    assert touched <= CLOCK | {"simulation.json"}
    with pytest.raises(ValueError, match=r"holds a run with other settings: epochs \(there 2, now 3\)"):
        run_pipeline(RunJob("simulated", str(finished), **SMALL | {"epochs": 3}))


def test_killed_at_any_moment_a_run_ends_with_the_same_bits(finished, tmp_path):
    job = RunJob("simulated", str(tmp_path / "run"), **SMALL)
    code = (
        "import json, sys; from awd_cme.run.job import RunJob; from awd_cme.run.pipeline import run_pipeline; "
        "o = json.loads(sys.argv[1]); "
        "run_pipeline(RunJob(**{k: tuple(v) if isinstance(v, list) else v for k, v in o.items()}))"
    )
    argument = json.dumps(job.settings_of_run() | job.options_of_run())
    waits = ("tracks/cell1.json", "paths")
    for name in waits:
        process = subprocess.Popen([sys.executable, "-c", code, argument], stderr=subprocess.DEVNULL)
        while not (tmp_path / "run" / name).exists() and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert (tmp_path / "run" / name).exists()
    run_pipeline(job)
    assert _contents(tmp_path / "run") == _contents(finished)


def test_success_is_rated_by_logistic_regression(finished, tmp_path):
    out = run_pipeline(RunJob(str(finished / "tracks.parquet"), str(tmp_path / "run"), **SMALL | {"target": "success"}))
    results = _json(out / "results.json")
    assert results["metric"] == "AUC"
    assert _json(out / "data.json")["target"]["task"] == "success"
    assert {row["estimator"] for row in results["rows"] if row["kind"] == "wavelet"} == {"logistic"}
    score = {row["key"]: row["score"] for row in results["rows"]}
    assert score["mean"] == 0.5
    table = pd.read_csv(out / "predictions.csv")
    assert table["awd"].between(0, 1).all()
    assert table["truth"].isin([True, False]).all()


def test_ready_gradients_take_the_place_of_a_teacher(finished, tmp_path):
    series = load_series(finished / "series.npz")
    # Gradients of the mean of samples 10 to 19, whatever the input.
    G = np.zeros_like(series.X)
    G[:, 10:20] = 0.1
    np.save(tmp_path / "G.npy", G)
    options = SMALL | {"gradients": str(tmp_path / "G.npy")}
    out = run_pipeline(RunJob(str(finished / "tracks.parquet"), str(tmp_path / "run"), **options))
    keys = [row["key"] for row in _json(out / "results.json")["rows"]]
    assert "teacher" not in keys
    assert "awd" in keys
    assert not (out / "teacher.safetensors").exists()
    np.save(tmp_path / "G.npy", G[:, :20])
    with pytest.raises(ValueError, match=r"one gradient for each sample of series.npz"):
        run_pipeline(RunJob(str(finished / "tracks.parquet"), str(tmp_path / "other"), **options))


def test_attributions_are_checked_on_request(finished):
    run_pipeline(RunJob("simulated", str(finished), **SMALL | {"quality": True}))
    quality = _json(finished / "quality.json")
    (finished / "quality.json").unlink()
    outcomes = {finding["check"] if "check" in finding else finding["sentence"] for finding in quality["verdict"]}
    assert len(outcomes) == 4
    # One more teacher was asked.
    assert quality["agreement"]["teachers"] == 2


def test_tracks_for_movies_are_measured_where_they_are(finished, tmp_path):
    options = SMALL | {"until": "series", "tracks": str(finished / "tracks.parquet")}
    out = run_pipeline(RunJob(str(finished / "movies"), str(tmp_path / "run"), **options))
    one, other = (pd.read_parquet(folder / "tracks.parquet") for folder in (out, finished))
    np.testing.assert_array_equal(one["track"], other["track"])
    # Positions in gaps are on a straight line in both, and so are intensities.
    np.testing.assert_allclose(one["clathrin_amplitude"], other["clathrin_amplitude"], rtol=1e-9)
    lonely = str(tmp_path / "one.parquet")
    other[other["cell"] == "cell1"].reset_index(drop=True).to_parquet(lonely)
    with pytest.raises(ValueError, match=r"has no tracks of the cells"):
        run_pipeline(RunJob(str(finished / "movies"), str(tmp_path / "bad"), **options | {"tracks": lonely}))


def test_yeast_is_recognised_and_split_as_published(real_data, tmp_path):
    file = next((real_data / "cme/yeast").glob("Pan1-*.mat"))
    out = run_pipeline(RunJob(str(file), str(tmp_path / "run"), **SMALL | {"until": "series", "seed": 3}))
    series, split = load_series(out / "series.npz"), _json(out / "split.json")
    training, test = yeast_problem(read_tracks(file)[0], seed=3)
    z = fit_z_scores(series.take(split["train"]))
    np.testing.assert_array_equal(z.apply(series.take(split["train"])).X, training.X)
    np.testing.assert_array_equal(z.apply(series.take(split["test"])).y, test.y)
    assert split["rule"] == "tracks"
    assert series.channels == ("Pan1", "Abp1")
    assert series.settings.target == "max"


def test_what_cannot_be_told_apart_stays_with_the_simplest():
    problem = _problem(cells=1)
    job = RunJob("x", "y", starts=("haar",), repeats=3, seed=1)
    from awd_core.wavelets.wavelet import Wavelet

    haar = Candidate(Wavelet.from_name("haar"), "haar")
    twin = Candidate(Wavelet.from_name("haar"), "haar", 0.5)
    assert choose(job, problem, [haar, twin]).index == 0
    assert choose(job, problem, [twin, haar]).chosen is twin
    assert (haar.free, Candidate(Wavelet.from_name("db5"), "db5", 0.1).free) == (0, 4)
    with pytest.raises(ValueError, match=r"features are one of published, both, timed"):
        choose(job, problem, [haar], features="many")


def test_the_scaling_is_chosen_by_what_new_cells_bear():
    job = RunJob("x", "y", starts=("db2",), repeats=1)
    raw = example_set(n=160, cells=8)
    names = np.unique(raw.cell)
    # The series of each cell are as bright as they like, their targets are not: its own tracks tell what to divide by.
    scale = dict(zip(names, np.exp(np.linspace(-1, 1, 8)), strict=True))
    bright = replace(raw, X=raw.X * np.array([scale[cell] for cell in raw.cell])[:, None])
    chosen = choose_scaling(job, bright)
    assert chosen["rule"] == "own"
    assert chosen["scores"]["own"] > chosen["scores"]["training"] + 0.2
    # Brightness that the targets follow is lost if each cell is divided by its own.
    level = np.array([scale[cell] for cell in raw.cell])
    followed = choose_scaling(job, replace(bright, y=1e4 * level + raw.y))
    assert followed["rule"] == "training"
    assert choose_scaling(replace(job, scale_inputs="own"), raw) == {"asked": "own", "rule": "own"}
    alone = raw.take(raw.cell == names[0])
    assert choose_scaling(job, alone) == {"asked": "auto", "rule": "training"}


def test_candidates_begin_with_all_starts(finished):
    path = load_path(finished / "paths/db2.json")
    names = [candidate.name for candidate in candidates_of({"db2": path, "again": path})]
    assert names[:2] == ["db2", "again"]
    assert names[2] == "from db2, share 1"
    assert len(names) == 8


def test_penalties_are_chosen_over_cells_where_there_are_two():
    assert _problem(cells=1).groups.dtype.kind == "i"
    two = _problem(cells=2)
    assert set(two.groups) == set(two.training.cell)


def test_categories_say_which_tracks_the_movie_cuts():
    frames = [0, 1, 2, 2, 3, 4, 7, 8, 9, *range(10)]
    table = make_table(track=[1] * 3 + [2] * 3 + [3] * 3 + [4] * 10, frame=frames, y=np.ones(19), x=np.ones(19))
    known = categorised(table, 10).groupby("track")["category"].first()
    assert known.tolist() == [3, 1, 3, 4]
    given = table.assign(category=pd.array([2] * 19, dtype="Int64"))
    assert (categorised(given, 10)["category"] == 2).all()


def test_sources(tmp_path, finished):
    movies = recognise_source(finished / "movies")
    assert movies.kind == "movies"
    assert list(movies.cells) == ["cell1", "cell2"]
    assert recognise_source(movies.path / "cell1_1s.ome.tif").cells.keys() == {"cell1"}
    assert recognise_source(finished / "tracks.parquet").kind == "tracks"
    assert [cell_name(Path(name)) for name in ("a_100ms.tif", "b.ome.tiff", "Cell1_1s")] == ["a", "b", "Cell1"]
    moved = tmp_path / "copy.parquet"
    moved.write_bytes((finished / "tracks.parquet").read_bytes())
    assert recognise_source(moved).identity() == recognise_source(finished / "tracks.parquet").identity()
    with pytest.raises(FileNotFoundError, match="there is no file or folder"):
        recognise_source(tmp_path / "none")
    assert recognise_source(tmp_path).kind == "tracks"
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="holds no TIFF files"):
        recognise_source(tmp_path / "empty")


def test_jobs(finished):
    job = job_of(str(finished), until="report")
    assert replace(job, until="results", quality=False) == RunJob("simulated", str(finished), **SMALL)
    for options, message in (
        ({"until": "tea"}, r"until is 'tea' \(did you mean teacher\?\); choose one of series"),
        ({"shares": (0.5, 1.0)}, "the first is 0"),
        ({"starts": ("db2", "db2")}, "none of them twice"),
        ({"share": 1.0}, "above 0 and below 1"),
        ({"gradients": "G.npy", "network": "a:b"}, "both given"),
        ({"scale_inputs": "none"}, "scale_inputs is 'none'; choose one of auto, training, own"),
    ):
        with pytest.raises(ValueError, match=message):
            RunJob("x", "y", **options)
    with pytest.raises(FileNotFoundError, match="none holds no run; begin one with awd-cme run or awd-cme teach"):
        job_of(str(finished / "none"))


def test_means_over_splits():
    runs = [
        Results("R2", [ModelRow(key, key, "awd", "timed", "ridge", score) for key in ("awd", str(score))])
        for score in (0.2, 0.4)
    ]
    table = averaged(runs)
    assert [row["key"] for row in table["rows"]] == ["awd"]
    assert table["rows"][0]["sd"] == pytest.approx(0.2 / np.sqrt(2))
    with pytest.raises(ValueError, match="no runs"):
        averaged([])


def test_series_come_back_from_their_files(tmp_path):
    series = example_set(n=6)
    save_series(series, tmp_path / "series.npz")
    back = load_series(tmp_path / "series.npz")
    assert back.settings == series.settings
    assert back.losses == series.losses
    np.testing.assert_array_equal(back.cell, series.cell)
    (tmp_path / "series.json").write_text("{}")
    with pytest.raises(ValueError, match=r"series\.json cannot be read as an account of series: it has no"):
        load_series(tmp_path / "series.npz")


def _problem(cells: int) -> Problem:
    raw = example_set(n=120, cells=cells)
    rows = np.arange(len(raw))
    train, test = rows[rows % 3 > 0], rows[rows % 3 == 0]
    return Problem(raw, train, test, "tracks", fit_z_scores(raw.take(train)))


def _json(path: Path):
    return json.loads(path.read_bytes())


def _contents(folder: Path) -> dict[str, bytes]:
    """All files but those about the clock and finished searches, which hold their seconds."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in CLOCK and ".checkpoint" not in path.name
    }
