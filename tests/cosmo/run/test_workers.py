"""The same maps, features and results whoever does the work; workers that die, and files that kill them."""

import gc
import gzip
import json
import os
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
from concurrent.futures import BrokenExecutor, Executor, Future
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from awd_core.files import BlockStore
from awd_core.run.folder import RunFolder
from awd_core.workers.mapping import LostItemError, Serial, Workers
from awd_core.workers.open import open_workers
from awd_cosmo.app.main import app
from awd_cosmo.formats.archives import BadMap
from awd_cosmo.formats.fits_writer import write_map
from awd_cosmo.inference.model import Model
from awd_cosmo.inference.predict import predict_files
from awd_cosmo.maps.cache import cached
from awd_cosmo.maps.cache_blocks import MAPS
from awd_cosmo.maps.map_set import MapSet
from awd_cosmo.maps.open import open_maps
from awd_cosmo.run.features import Features
from awd_cosmo.simulate.simulation import PRESETS, simulate_suite
from awd_cosmo.statistics.scales import ScaleCounts, columns_in
from commands import invoke

SIDE = 8
RESULTS = [
    "results.json", "model.json", "wavelet.json", "selection.json", "choice.json", "path.json", "predictions.csv",
    "maps.json", "split.json", "gradients.json", "observed.csv",
]  # fmt: skip
OPTIONS = [
    "--preset", "tiny", "--epochs", "1", "--shares", "0,1", "--distill-maps", "16", "--no-quality", "--quiet",
    "--until", "evaluate",
]  # fmt: skip


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    """24 cosmologies of 3 maps of 32²."""
    folder = tmp_path_factory.mktemp("suite") / "maps"
    simulate_suite(
        folder, seed=0, preset="tiny", design=replace(PRESETS["tiny"], cosmologies=24).table(0), realisations=3
    )
    return folder


@pytest.fixture(scope="module")
def two():
    """Two processes on this machine."""
    with open_workers(2) as crew:
        yield crew


@pytest.fixture
def many(tmp_path):
    """A folder of 500 small maps, with the stack."""
    stack = np.random.default_rng(0).normal(0, 0.02, (500, SIDE, SIDE)).astype(np.float32)
    root = tmp_path / "many"
    root.mkdir()
    for i, kappa in enumerate(stack):
        write_map(root / f"map_{i:04d}.fits", kappa, pixel_scale=0.5, parameters={"Omega_m": 0.3})
    return root, stack


def test_what_is_held_for_a_map_is_its_row_of_the_table(many, tmp_path):
    root, stack = many
    open_maps(root).cached(tmp_path / "warm")
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        maps = open_maps(root, threads=1)
        listed = tracemalloc.get_traced_memory()[0] - before
        maps = maps.cached(tmp_path / "cold")
        gc.collect()
        held = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    # Nine columns of numbers and one of names take 120 bytes; what is fixed is shared by five hundred here.
    assert max(listed, held) < 400 * len(stack)


def bomb(place, gigabytes):
    """Put a map into a gzip file that unpacks to so much, the most of it zeros behind the map's own pixels.

    Some bytes are others, so that it is no bomb by its ratio of sizes.
    """
    sparse = np.zeros(1 << 26, np.uint8)
    sparse[::400] = np.random.default_rng(0).integers(1, 255, len(sparse[::400]))
    zeros = gzip.compress(sparse.tobytes(), 6, mtime=0)
    place.with_name(f"{place.name}.gz").write_bytes(gzip.compress(place.read_bytes()) + 16 * gigabytes * zeros)
    place.unlink()


def call(arguments):
    """Exit code and errors of the command, in this process, which has paid for all imports."""
    done = invoke(app, [str(argument) for argument in arguments])
    return done.exit_code, done.stderr


def wait_for(what, seconds=600):
    began = time.monotonic()
    while not what():
        if time.monotonic() - began > seconds:
            raise TimeoutError(f"it did not come about within {seconds} s")
        time.sleep(0.02)


def test_a_run_on_a_scheduler_gives_the_results_of_one_process(suite, scheduler, start_worker, tmp_path, monkeypatch):
    from distributed import Client

    # Torch's sums depend on its threads, and a worker of Dask with --nthreads 1 has one, whatever the environment says.
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    observed = sorted(suite.glob("*/Maps10/*0001r.fits"))[0]
    common = ["run", suite, *OPTIONS, "--observed", observed]
    assert call([*common, "--out", tmp_path / "alone", "--workers", 1]) == (0, "")
    out = tmp_path / "there"
    late = []

    def disturb():
        with Client(scheduler_file=scheduler, set_as_default=False) as client:
            (pid, *_) = client.run(os.getpid).values()
            wait_for(lambda: list(out.glob("cache/*/completed/c/*")))
            os.kill(pid, signal.SIGKILL)
        late.append(start_worker(scheduler))

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        assert call([*common, "--out", out, "--scheduler", scheduler]) == (0, "")
    finally:
        thread.join(600)
        for process in late:
            process.end()
    assert len(late) == 1
    assert "on the workers of" in (out / "log.txt").read_text()
    for name in RESULTS:
        assert (out / name).read_bytes() == (tmp_path / "alone" / name).read_bytes(), name
    steps = json.loads((out / "sessions.json").read_text())["sessions"][0]["seconds"]
    assert {"Maps", "Paths", "Selection", "Comparison"} <= set(steps)


def test_a_suite_is_the_same_on_a_scheduler(scheduler, tmp_path):
    design = replace(PRESETS["tiny"], cosmologies=3).table(1)
    with open_workers(scheduler=scheduler) as crew:
        for name, workers in (("one", 1), ("there", crew)):
            simulate_suite(tmp_path / name, seed=1, preset="tiny", design=design, realisations=70, workers=workers)
    one, there = (
        {path.relative_to(root): path.read_bytes() for path in root.rglob("*.fits")}
        for root in (tmp_path / "one", tmp_path / "there")
    )
    assert len(one) == 210
    assert one == there


def test_maps_are_the_same_whoever_opens_and_caches_them(suite, two, tmp_path, monkeypatch):
    monkeypatch.chdir(suite.parent)  # relative paths are made whole before they travel
    kinds = {}
    for name, workers in (("one", 1), ("two", two)):
        maps = open_maps(suite.name, on_error="skip", workers=workers)
        noisy = maps.with_shape_noise("fair", galaxies_per_arcmin2=30, seed=1).turned(seed=2)
        made = [maps, noisy, noisy.downsampled(2).smoothed(sigma_arcmin=3.0), noisy.tiles(8), noisy.select([5, 3, 70])]
        sources = [cached(kind, tmp_path / name, block=5, workers=workers) for kind in made]
        kinds[name] = [source(np.arange(len(kind)), 1, None) for kind, source in zip(made, sources, strict=True)]
        assert maps.account.endswith("24 headers read")
        np.testing.assert_array_equal(kinds[name][1], noisy.read())
    for one, other in zip(kinds["one"], kinds["two"], strict=True):
        np.testing.assert_array_equal(one, other)


def test_masks_travel_with_the_files(many, two, tmp_path):
    root, stack = many
    mask = np.ones((SIDE, SIDE), bool)
    mask[2, 3:6] = False
    maps = open_maps(root, mask=mask, check=True, workers=two)
    found = maps.cached(tmp_path / "cache", workers=two).read()
    np.testing.assert_array_equal(found, np.where(mask, stack, np.nan))


def test_maps_in_memory_are_not_sent(two, tmp_path):
    stack = np.random.default_rng(0).normal(size=(20, SIDE, SIDE)).astype(np.float32)
    maps = MapSet.from_arrays(stack, pixel_scale=0.5)
    np.testing.assert_array_equal(maps.cached(tmp_path, workers=two).read(), stack)


def test_an_interrupted_cache_goes_on_with_workers(many, two, tmp_path):
    root, stack = many
    place = root / "map_0400.fits"
    whole = place.read_bytes()
    place.write_bytes(whole[:3000])
    maps = open_maps(root, check=False, on_error="skip")
    place.write_bytes(whole)
    maps = open_maps(root)
    place.write_bytes(whole[:3000])
    with pytest.raises(BadMap, match=r"map_0400\.fits: truncated"):
        cached(maps, tmp_path / "cache", block=50, workers=two)
    (place_of_cache,) = (path for path in (tmp_path / "cache").iterdir() if path.is_dir())
    store = BlockStore.opened(place_of_cache, MAPS)
    assert [number for number in range(10) if store.mark(number).any()] == list(range(8))
    place.write_bytes(whole)
    source = cached(maps, tmp_path / "cache", block=50, workers=two)
    np.testing.assert_array_equal(source(np.arange(500), 1, None), stack)


def test_features_are_the_same_whoever_counts(suite, two, tmp_path, monkeypatch):
    monkeypatch.setattr("awd_cosmo.run.features.maps_at_a_time", lambda shape: 5)  # and so pieces of 20
    maps = open_maps(suite).cached(tmp_path / "cache")
    statistic = ScaleCounts("db2", 2, bins=6, per="pixel")
    rows = np.array([70, 3, *range(30, 60)])
    found = []
    for name, workers in (("one", Serial()), ("two", two)):
        with RunFolder.open(tmp_path / name, program="test", settings={}, quiet=True) as run_folder:
            features = Features(run_folder, maps, np.arange(0, 72, 2), 0, workers)
            found.append((features.of(statistic, rows), features.of(statistic)))
            # Nothing is left but what is kept.
            assert len(list((tmp_path / name / "features").iterdir())) == 1
    np.testing.assert_array_equal(found[0][0], found[1][0])
    np.testing.assert_array_equal(found[0][1], found[1][1])
    (kept,) = (tmp_path / "one" / "features").iterdir()
    for harm in (b"", kept.read_bytes()[:-50]):  # what a disk may leave of it
        kept.write_bytes(harm)
        with RunFolder.open(tmp_path / "one", program="test", settings={}, quiet=True) as run_folder:
            features = Features(run_folder, maps, np.arange(0, 72, 2), 0, Serial())
            np.testing.assert_array_equal(features.of(statistic), found[0][1])
        np.testing.assert_array_equal(np.load(kept), found[0][1])


@pytest.mark.parametrize("pixels", ["all", "both"])
def test_counts_of_fewer_levels_are_among_those_of_more(pixels, suite, tmp_path, monkeypatch):
    maps, rows = open_maps(suite), np.arange(40)
    options = {"pixels": pixels, "bins": 6, "per": "pixel"}
    whole, fewer = ScaleCounts("db2", 3, **options), ScaleCounts("db2", 1, **options)
    with RunFolder.open(tmp_path / "run", program="test", settings={}, quiet=True) as run_folder:
        expected = Features(run_folder, maps, rows, 0).of(fewer, rows)
        features = Features(run_folder, maps, rows, 0)
        features.of(whole, rows)
        with monkeypatch.context() as patched:
            patched.setattr(Features, "_measured", None)
            np.testing.assert_array_equal(features.of(fewer, rows), expected)
            for other in (ScaleCounts("db3", 1, **options), ScaleCounts("db2", 1, **options | {"bins": 7})):
                with pytest.raises(TypeError, match="not callable"):
                    features.of(other, rows)
            with pytest.raises(TypeError, match="not callable"):
                features.of(fewer, rows[1:])
    assert columns_in(whole, fewer) == 0


def test_many_files_are_predicted_by_many(suite, two, tmp_path):
    from awd_cosmo.inference.estimators import CountRidge
    from awd_cosmo.inference.training_range import TrainingDistribution

    maps = open_maps(suite)
    statistic = ScaleCounts("db2", 1, bins=6, per="pixel").fit(maps.read())
    features, truth = statistic.transform(maps.read()), maps.parameters(["Omega_m"])[:, 0]
    fitted = CountRidge(seed=0).fit(features, truth, cosmology=np.asarray(maps.table["cosmology"]))
    fitted.calibrate(features, truth)
    training = TrainingDistribution.from_features(features)
    model = Model(("Omega_m",), maps.arcmin_per_pixel, maps.shape, [statistic], fitted, training)
    model.save(tmp_path / "model.json")
    folder = tmp_path / "seen"
    folder.mkdir()
    for i, kappa in enumerate(maps.read(range(10))):
        write_map(folder / f"{i}.fits", kappa, pixel_scale=maps.arcmin_per_pixel)
    write_map(folder / "mask.fits", np.ones(maps.shape), pixel_scale=maps.arcmin_per_pixel)
    asked = (model, tmp_path / "model.json", model)
    with pytest.warns(UserWarning, match="it is a mask, and left out"):
        one, two_, sent = (
            predict_files(which, [folder], workers=workers) for which, workers in zip(asked, (1, two, two), strict=True)
        )
    assert len(one) == 10
    assert one == two_ == sent
    np.testing.assert_allclose([p.estimate for p in one], model.predict(maps.read(range(10))).estimate, rtol=1e-6)


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are kept on Linux alone")
def test_a_file_too_large_for_the_memory_is_one_line(many, tmp_path):
    """Nobody dies: whoever unpacks it is refused the memory."""
    import resource

    root, _ = many
    bomb(root / "map_0321.fits", 2)
    limit = 640 << 20
    code = (
        "import json, sys\nfrom awd_cosmo.maps.open import open_maps\nif __name__ == '__main__':\n"
        "    maps = open_maps(sys.argv[1], on_error='skip', workers=int(sys.argv[2]))\n"
        "    print(json.dumps([len(maps), maps.skipped]))\n"
    )
    (tmp_path / "look.py").write_text(code)
    for workers in (1, 2):
        done = subprocess.run(
            [sys.executable, tmp_path / "look.py", root, str(workers)], capture_output=True, text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == [499, [["map_0321.fits.gz", "too large for the memory that there is"]]]


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are kept on Linux alone")
def test_a_file_among_500_that_kills_whoever_reads_it_is_one_line(many, tmp_path):
    """A worker of Dask is killed when it takes more memory than it may."""
    pytest.importorskip("distributed", reason="dask.distributed is not installed")
    root, stack = many
    bomb(root / "map_0123.fits", 4)
    told = tmp_path / "scheduler.json"
    dask = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--scheduler-file", str(told), "--port", "0"]
    quick = os.environ | {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0", "OMP_NUM_THREADS": "1"}
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", "--scheduler-file", str(told), "--nthreads", "1"]
    options = {"env": quick, "stderr": subprocess.DEVNULL}
    started = [subprocess.Popen([*dask, "--no-dashboard", "--host", "127.0.0.1"], **options)]
    try:
        while not told.exists():
            time.sleep(0.05)
        started.append(
            subprocess.Popen(
                [*worker, "--no-dashboard", "--memory-limit", "450MB", "--local-directory", str(tmp_path)], **options
            )
        )
        with open_workers(scheduler=str(told)) as crew:
            maps = open_maps(root, on_error="skip", workers=crew)
    finally:
        for process in reversed(started):
            process.send_signal(signal.SIGINT)
        for process in started:
            process.wait(600)
    assert [file for file, _ in maps.skipped] == ["map_0123.fits.gz"]
    assert "its worker died" in maps.skipped[0][1]
    np.testing.assert_array_equal(maps.read(), np.delete(stack, 123, axis=0))


class Frail(Executor):
    """Dies of every item in which a word stands."""

    def __init__(self, word, least=0):
        self.word, self.least = word, least

    def submit(self, function, item):
        done = Future()
        if self.word in str(item) and str(item).count(".fits") > self.least:
            done.set_exception(BrokenExecutor("it died"))
        else:
            done.set_result(function(item))
        return done


def frail(*given):
    return Workers(Frail(*given), "in this process", here=True)


def test_a_cache_names_the_map_that_kills(many, tmp_path):
    root, _ = many
    with pytest.raises(BadMap, match=r"map_0077\.fits: its worker died") as caught:
        cached(open_maps(root), tmp_path / "cache", block=50, workers=frail("map_0077"))
    assert len(caught.value.bad) == 1
    # A block for which there is too little memory, though there is enough for each map of it.
    with pytest.raises(LostItemError, match=r"maps 50 to 99: its worker died .* give the workers more memory"):
        cached(open_maps(root), tmp_path / "other", block=50, workers=frail("map_0077", 1))


def test_a_header_that_kills_is_in_the_account(many):
    root, _ = many
    maps = open_maps(root, on_error="skip", check=False, workers=frail("map_0009"))
    assert [file for file, _ in maps.skipped] == ["map_0009.fits"]
    assert len(maps) == 499
    with pytest.raises(BadMap, match=r"map_0009\.fits: its worker died"):
        open_maps(root, workers=frail("map_0009"))


def test_what_is_sent_for_a_block_is_small(many, two):
    import pickle

    root, _ = many
    maps = open_maps(root, mask=np.ones((SIDE, SIDE))).with_shape_noise("fair", galaxies_per_arcmin2=30, seed=1)
    whole = len(pickle.dumps(maps.source))
    part = len(pickle.dumps(maps.source.part(np.arange(10))))
    assert part < 0.06 * whole  # ten rows of five hundred, and what does not depend on their number
    assert Path(maps.source.part(np.arange(2)).parent.paths[0]).is_absolute()


def test_commands_take_workers(suite, tmp_path):
    simulate = ["simulate", "--preset", "tiny", "--cosmologies", 3, "--quiet"]
    assert call([*simulate, tmp_path / "s", "--workers", 2]) == (0, "")
    assert len(list((tmp_path / "s").rglob("*.fits"))) == 6
    status, said = call([*simulate, tmp_path / "t", "--scheduler", "nowhere://x"])
    assert status == 2
    assert "no scheduler answers at nowhere://x" in said
