"""Searches done by other processes: the same path, bit for bit, and the same checkpoint to go on from."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import zarr

from awd_core.app.main import app
from awd_core.distill import search_batches
from awd_core.distill.distill import SearchSettings, distill_path
from awd_core.distill.path_file import to_json
from awd_core.distill.search_batches import BatchFiles
from awd_core.features.distiller import WaveletDistiller
from awd_core.teacher.networks import MLP
from awd_core.workers.open import open_workers
from commands import invoke

OPTIONS = {
    "wavelet": "db2",
    "levels": 2,
    "shares": (0.0, 0.5, 1.0),
    "search": SearchSettings(random_starts=2, small_batch=1 << 9, medium_batch=1 << 10, large_batch=1 << 20),
}


@pytest.fixture(scope="module")
def crew():
    with open_workers(2) as workers:
        yield workers


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = np.cumsum(rng.standard_normal((200, 32)), axis=1).astype(np.float32)
    return X, rng.standard_normal(X.shape).astype(np.float32)


@pytest.fixture(scope="module")
def alone(data):
    return to_json(distill_path(*data, **OPTIONS))


@pytest.fixture(params=["local", "dask"])
def workers(request):
    if request.param == "local":
        yield request.getfixturevalue("crew")
    else:
        with open_workers(scheduler=request.getfixturevalue("scheduler")) as remote:
            yield remote


def test_workers_find_the_same_path(workers, data, alone, tmp_path):
    said = []
    found = distill_path(
        *data, workers=workers, checkpoint=tmp_path / "path.json", progress=lambda *told: said.append(told), **OPTIONS
    )
    assert to_json(found) == alone
    assert [done for done, _, _ in said] == list(range(len(said)))
    assert [path.name for path in tmp_path.iterdir()] == ["path.json"], "the batches are gone"


def test_a_path_that_was_interrupted_goes_on_with_other_workers(crew, data, alone, tmp_path):
    def stop(done, *_):
        if done == 12:
            raise KeyboardInterrupt

    place = tmp_path / "path.json"
    with pytest.raises(KeyboardInterrupt):
        distill_path(*data, workers=crew, checkpoint=place, progress=stop, **OPTIONS)
    kept = json.loads(place.read_text())["searches"]
    assert len(kept) == 12
    asked = []
    found = distill_path(*data, checkpoint=place, progress=lambda *told: asked.append(told), **OPTIONS)
    assert to_json(found) == alone
    # What had been found is as it was, the time that it took included.
    assert json.loads(place.read_text())["searches"].items() >= kept.items()


@pytest.mark.parametrize("baseline", [0.5, np.linspace(0, 1, 32)], ids=["number", "array"])
def test_the_baseline_goes_along(crew, data, baseline):
    options = OPTIONS | {"shares": (0.5,), "method": "integrated_gradients", "baseline": baseline}
    assert to_json(distill_path(*data, workers=crew, **options)) == to_json(distill_path(*data, **options))


def test_batches_that_a_worker_does_not_see_are_an_error(tmp_path):
    search_batches._opened.cache_clear()
    with pytest.raises(FileNotFoundError, match="give a checkpoint on a disk that all machines share"):
        BatchFiles(str(tmp_path / "gone"), "token", ())["refined"]


def test_an_estimator_with_workers_learns_the_same(data):
    X, _ = data
    torch.manual_seed(0)
    options = {**OPTIONS, "share": 0.5, "teacher": MLP(32, hidden=(4,))}
    del options["shares"]
    one, two = (WaveletDistiller(**options, workers=workers).fit(X) for workers in (1, 2))
    np.testing.assert_array_equal(one.wavelet_.taps, two.wavelet_.taps)
    np.testing.assert_array_equal(one.transform(X), two.transform(X))


def test_the_command_with_a_scheduler_writes_the_same_path(scheduler, data, tmp_path):
    zarr.create_array(tmp_path / "data.zarr", name="X", data=data[0], chunks=(50, 32))
    np.save(tmp_path / "G.npy", data[1])
    arguments = ["distill", f"{tmp_path}/data.zarr:X", "--gradients", f"{tmp_path}/G.npy", "--wavelet", "db2"]
    arguments += ["--levels", "2", "--shares", "0,1", "--random-starts", "1", "--small-batch", "512", "--no-report"]
    for name, more in (("one", []), ("two", ["--scheduler", scheduler])):
        done = invoke(app, [*arguments, "--quiet", "--out", str(tmp_path / name), *more])
        assert done.exit_code == 0, done.output
    assert (tmp_path / "one/path.json").read_bytes() == (tmp_path / "two/path.json").read_bytes()
    assert not list(Path(tmp_path / "two").glob(".*batches"))
