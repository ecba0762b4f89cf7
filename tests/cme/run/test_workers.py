"""The same run by one process, by several, and by the workers of a scheduler; movies that nobody can read."""

import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
import zlib
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from awd_cme.app.main import app
from awd_cme.movies.frame_ranges import FRAMES
from awd_cme.movies.movie import Movie
from awd_cme.movies.open import open_movie
from awd_cme.readers.read import read_tracks
from awd_cme.run.job import RunJob
from awd_cme.run.pipeline import run_pipeline
from awd_cme.run.splits import run_splits
from awd_cme.simulate.simulation import simulate_dataset
from awd_cme.tracking.cells import Cells, TrackingSettings, track_cells
from awd_cme.tracking.link import track_movie
from awd_core.workers.open import open_workers
from cmeanalysis_files import make_tracks, write_matlab5
from commands import invoke

TINY = {"size": (64, 64), "frames": 60, "pits": 40}
OPTIONS = [
    "--epochs", "1", "--starts", "db2", "--shares", "2", "--random-starts", "0", "--repeats", "1",
    "--teacher-folds", "0", "--features", "both", "--until", "results", "--no-quality", "--quiet",
]  # fmt: skip
CLOCK = {"timings.json", "sessions.json", "log.txt", "config.json", ".lock"}


@pytest.fixture(scope="module")
def movies(tmp_path_factory):
    """Four tiny movies: as many as two workers are handed at a time."""
    folder = tmp_path_factory.mktemp("movies")
    simulate_dataset(folder, "quick", seed=2, cells=4, **TINY)
    return folder


@pytest.fixture(scope="module")
def two():
    """Two processes, which take long to start and serve all tests."""
    with open_workers(2) as workers:
        yield workers


@pytest.fixture(scope="module")
def serial(movies, tmp_path_factory):
    """A run by this process alone."""
    out = tmp_path_factory.mktemp("serial") / "run"
    assert call("run", movies, "--out", out, *OPTIONS)[0] == 0
    return out


def call(*arguments):
    """Exit code and output of the command."""
    result = invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.output


def contents(folder):
    """All files of a run but those about the clock, and what a killed worker has left for the next start to clear."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file() and path.name not in CLOCK and ".checkpoint" not in path.name and ".tmp" not in path.name
    }


def test_a_scheduler_gives_the_serial_run_though_one_worker_dies_and_one_comes(
    movies, serial, scheduler, start_worker, tmp_path
):
    with open_workers(scheduler=scheduler) as workers:
        (pid,) = workers.map(eval, ["__import__('os').getpid()"])
    late = []

    def disturb():
        while not list((tmp_path / "run/tracks").glob("*.json")):
            time.sleep(0.01)
        late.append(start_worker(scheduler))
        os.kill(pid, signal.SIGKILL)

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        status, output = call("run", movies, "--out", tmp_path / "run", *OPTIONS, "--scheduler", scheduler)
    finally:
        thread.join(600)
        for process in late:
            process.end()
    assert status == 0, output
    assert len(late) == 1
    found, expected = contents(tmp_path / "run"), contents(serial)
    assert {"results.json", "card.json", "wavelet.json", "selection.json", "tracks.parquet"} <= set(expected)
    assert list(found) == list(expected)
    assert [name for name in expected if found[name] != expected[name]] == []


def test_processes_share_the_frames_of_a_long_movie(movies, tmp_path):
    movie = next(movies.glob("cell1_*.tif"))
    assert open_movie(movie).shape[0] > FRAMES, "or there is nothing to share"
    for name, options in (("one", ()), ("two", ("--workers", 2))):
        assert call("tracks", movie, *options, "--out", tmp_path / f"{name}.parquet")[0] == 0
        found = tmp_path / f"{name}.parquet"
        assert call("extract", movie, "--tracks", found, *options, "--out", tmp_path / f"{name}.csv")[0] == 0
    for ending in ("parquet", "csv"):
        assert (tmp_path / f"one.{ending}").read_bytes() == (tmp_path / f"two.{ending}").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.csv", "one.parquet", "two.csv", "two.parquet"]


def test_parts_that_are_there_are_not_done_again(movies, two, tmp_path):
    movie = open_movie(next(movies.glob("cell2_*.tif")))
    table = track_movie(movie, workers=two, folder=tmp_path)
    pd.testing.assert_frame_equal(table, track_movie(movie), check_exact=True)
    made = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert len(made) == 5  # two parts of spots, the places, two parts of intensities
    told = []
    track_movie(movie, workers=two, folder=tmp_path, progress=lambda *what: told.append(what))
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == made
    assert told == []
    # Another width is another question.
    track_movie(movie, sigma=1.5, workers=two, folder=tmp_path)
    assert len(list(tmp_path.iterdir())) == 10


def test_positions_reach_workers_as_a_file(movies, serial, tmp_path):
    for name, workers in (("one", 1), ("two", 2)):
        job = RunJob(
            str(movies), str(tmp_path / name), tracks=str(serial / "tracks.parquet"), until="series", quiet=True
        )
        run_pipeline(job, workers=workers)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert (tmp_path / "one/tracks/given/positions.parquet").exists()


def test_simulated_cells_and_splits_by_several(two, tmp_path):
    simulation = {"size": [64, 64], "frames": 40, "pits": 30}
    small = {"simulation": simulation, "cells": 1, "until": "series", "quiet": True}
    for name, workers in (("one", 1), ("two", two)):
        run_splits(RunJob("simulated", str(tmp_path / name), **small), 2, workers=workers)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert {path.name for path in (tmp_path / "two").iterdir()} == {"split-0", "split-1"}


def test_an_experiment_is_read_by_several(two, tmp_path):
    for number in (1, 2, 3):
        folder = tmp_path / f"data/Cell{number}_1s/TagRFP/Tracking"
        folder.mkdir(parents=True)
        write_matlab5(folder / "ProcessedTracks.mat", make_tracks(5, seed=number))
    (folder / "ProcessedTracks.mat").write_bytes(b"MATLAB 5.0 MAT-file, but no more")
    one, lost = read_tracks(tmp_path / "data", on_error="skip")
    two, also = read_tracks(tmp_path / "data", on_error="skip", workers=two)
    pd.testing.assert_frame_equal(one, two)
    assert one.attrs == two.attrs
    assert lost == also
    assert one["cell"].nunique() == 2
    assert [row[:2] for row in lost.dropped] == [("cells", 1)]


def test_a_movie_in_memory_is_for_one_process(two):
    movie = Movie.from_array(np.random.default_rng(0).normal(100, 2, (4, 1, 32, 32)))
    with pytest.raises(ValueError, match=r"need a movie that lies in files.*write it .*or give workers=1"):
        track_movie(movie, sigma=1.4, workers=two)


def test_a_truncated_movie_is_named(movies, two, tmp_path):
    folder = with_one_cut_off(movies, tmp_path)
    told = []
    for name, workers in (("one", 1), ("two", two)):
        out = run_pipeline(RunJob(str(folder), str(tmp_path / name), until="series", quiet=True), workers=workers)
        losses = json.loads((out / "data.json").read_bytes())["losses"]
        told.append([row for row in losses["dropped"] if row["what"] == "movies"])
    (line,) = told[0]
    assert line["why"].startswith("cell8_1s.ome.tif is truncated or damaged")
    assert "\n" not in line["why"]
    assert str(tmp_path) not in line["why"]
    assert told[0] == told[1]
    with pytest.raises(ValueError, match=r"cell8_1s.ome.tif is truncated or damaged"):
        run_pipeline(RunJob(str(folder), str(tmp_path / "raise"), on_error="raise", quiet=True), workers=two)
    status, output = call("tracks", folder, "--out", tmp_path / "t.csv")
    assert status == 2
    assert f"{folder}/cell8_1s.ome.tif is truncated or damaged" in output
    assert not list(tmp_path.glob(".t.csv*"))


def test_a_movie_is_not_skipped_if_there_is_no_other(movies, tmp_path):
    alone = with_one_cut_off(movies, tmp_path) / "cell8_1s.ome.tif"
    with pytest.raises(ValueError, match="is truncated or damaged"):
        run_pipeline(RunJob(str(alone), str(tmp_path / "run"), until="series", quiet=True))
    cells = Cells(tmp_path / "cells", TrackingSettings())
    with open_workers() as crew, pytest.raises(ValueError, match="none of the 2 movies could be tracked; the first: c"):
        track_cells(cells, dict.fromkeys(("a", "b"), alone), crew)


def test_a_movie_too_large_for_a_process_is_one_line(movies, tmp_path):
    folder = with_a_bomb(movies, tmp_path)
    program = "from awd_cme.app.main import app; app()"
    tracks = [sys.executable, "-c", program, "tracks", str(folder), "--sigma", "1.4", "--workers", "2"]

    def limited():
        resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))

    run = partial(subprocess.run, capture_output=True, text=True, preexec_fn=limited, check=False)
    done = run([*tracks, "--on-error", "skip", "--out", str(tmp_path / "t.parquet")])
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if "movie (" in line]
    assert line == "Dropped: 1 movie (cell9_1s.tif cannot be tracked: it needs more memory than its process has)."
    assert pd.read_parquet(tmp_path / "t.parquet")["cell"].nunique() == 3
    done = run([*tracks, "--on-error", "raise", "--out", str(tmp_path / "r.parquet")])
    assert done.returncode == 2
    assert f"{folder}/cell9_1s.tif cannot be tracked: it needs more memory" in done.stderr


def test_a_movie_that_kills_its_workers_is_one_line(movies, tmp_path):
    pytest.importorskip("distributed", reason="dask.distributed is not installed")
    folder = with_a_bomb(movies, tmp_path)
    out = tmp_path / "t.parquet"
    with scheduler_of_small_workers(tmp_path / "scheduler.json") as told:
        status, output = call("tracks", folder, "--sigma", 1.4, "--on-error", "skip", "--scheduler", told, "--out", out)
        assert status == 0, output
        (line,) = [line for line in output.splitlines() if "movie (" in line]
        assert "1 movie (cell9_1s.tif: its worker died 2 times while it worked on this alone)" in line
        assert pd.read_parquet(out)["cell"].nunique() == 3


def three_good(movies, tmp_path):
    """A folder of three movies that are sound."""
    folder = tmp_path / "data"
    folder.mkdir()
    for number in (1, 2, 3):
        name = f"cell{number}_1s.ome.tif"
        (folder / name).symlink_to(movies / name)
    return folder


def with_one_cut_off(movies, tmp_path):
    """The same and one that is truncated."""
    folder = three_good(movies, tmp_path)
    whole = (movies / "cell4_1s.ome.tif").read_bytes()
    (folder / "cell8_1s.ome.tif").write_bytes(whole[: len(whole) // 2])
    return folder


def with_a_bomb(movies, tmp_path):
    """The same and one of 5 megabytes that unpacks to 4.8 gigabytes."""
    folder = three_good(movies, tmp_path)
    side, tile = 49152, 4096
    packed = zlib.compress(bytes(2 * tile * tile))
    tiles = (packed for _ in range((side // tile) ** 2))
    tifffile.imwrite(
        folder / "cell9_1s.tif", tiles, shape=(side, side), dtype=np.uint16, tile=(tile, tile), compression="zlib",
        photometric="minisblack",
    )  # fmt: skip
    return folder


@contextmanager
def scheduler_of_small_workers(told):
    """A scheduler whose two workers are ended when they take more than a gigabyte of memory."""
    environment = {**os.environ, "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0"}
    python, place = sys.executable, ["--scheduler-file", str(told)]
    options = ["--nthreads", "1", "--no-dashboard", "--memory-limit", "1GB", "--local-directory", str(told.parent)]
    dask = [[python, "-m", "distributed.cli.dask_scheduler", *place, "--port", "0", "--no-dashboard"]]
    dask += 2 * [[python, "-m", "distributed.cli.dask_worker", *place, *options]]
    # Each with those that it starts is a group: one that is kept from ending in good order is ended all the same.
    start = partial(subprocess.Popen, stderr=subprocess.DEVNULL, env=environment, start_new_session=True)
    started = [start(line) for line in dask]
    try:
        while not told.exists():
            time.sleep(0.05)
        yield str(told)
    finally:
        for process in started:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(600)
