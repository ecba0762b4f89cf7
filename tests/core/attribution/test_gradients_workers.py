"""Gradients by other processes: the same bits in the same store, whoever computes a batch and wherever things lie."""

import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch
import zarr
from torch import nn

from awd_core.attribution.gradients import input_gradients
from awd_core.files.array_location import ArrayLocation, location_of, shared_location
from awd_core.files.store import BlockStore
from awd_core.teacher.network_transfer import with_weights, without_weights
from awd_core.teacher.networks import MLP
from awd_core.workers.open import open_workers


@pytest.fixture(scope="module")
def crew():
    """Two processes, for all tests here."""
    with open_workers(2) as workers:
        yield workers


@pytest.fixture(scope="module")
def remote(scheduler):
    with open_workers(scheduler=scheduler) as workers:
        yield workers


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return MLP(6, hidden=(5,), n_out=2).train()


@pytest.fixture(scope="module", name="X")
def inputs():
    return np.random.default_rng(0).standard_normal((23, 6)).astype(np.float32)


def stored(folder, X):
    """X on disk, in both ways."""
    np.save(folder / "X.npy", X)
    array = zarr.create_array(folder / "data.zarr", name="X", data=X, chunks=(4, 6))
    return np.load(folder / "X.npy", mmap_mode="r"), array


METHODS = [
    {"method": "saliency"},
    {"method": "integrated_gradients", "n_steps": 3, "baseline": np.full((23, 6), 0.25, np.float32)},
    {"method": "gradient_shap", "n_samples": 2, "noise": 0.1, "seed": 4, "baseline": torch.zeros(3, 6)},
]


@pytest.mark.parametrize("options", METHODS, ids=[options["method"] for options in METHODS])
def test_workers_come_to_the_same_bits(options, crew, model, X, tmp_path):
    options = {**options, "batch_size": 5}
    alone = input_gradients(model, X, "all", **options)
    said = []
    shared = input_gradients(
        model, X, "all", out=tmp_path / "g.zarr", workers=crew, progress=lambda *told: said.append(told), **options
    )
    np.testing.assert_array_equal(shared[:], alone)
    np.testing.assert_array_equal(input_gradients(model, X, "all", workers=crew, **options), alone)
    assert said == [(stop, 23) for stop in (5, 10, 15, 20, 23)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["g.zarr"], "what was put there for workers is gone"
    assert model.training


def test_workers_of_a_scheduler_do_too(remote, model, X, tmp_path):
    for number, samples in enumerate(stored(tmp_path, X)):
        place = tmp_path / f"{number}.zarr"
        shared = input_gradients(model, samples, 1, batch_size=5, out=place, workers=remote)
        np.testing.assert_array_equal(shared[:], input_gradients(model, X, 1, batch_size=5))


def test_what_is_there_is_not_asked_again(crew, model, X, tmp_path):
    place, options = tmp_path / "g.zarr", {"target": 0, "batch_size": 5, "out": tmp_path / "g.zarr"}
    whole = input_gradients(model, X, **options)[:]
    group = zarr.open_group(place, mode="r+")
    group["completed"][1:3] = 0
    group["gradients"][:] = 0
    resumed = input_gradients(model, X, workers=crew, **options)[:]
    np.testing.assert_array_equal(resumed[5:15], whole[5:15])
    assert not resumed[:5].any()
    assert not resumed[15:].any()


KILLED = """
    import os, sys
    import numpy as np
    import torch
    from awd_core.attribution.gradients import input_gradients
    from awd_core.teacher.networks import MLP

    if __name__ == "__main__":
        torch.manual_seed(0)
        stop = int(sys.argv[1])
        input_gradients(
            MLP(6, hidden=(5,), n_out=2), np.load("X.npy"), 0, batch_size=5, out="g.zarr", workers=2,
            progress=lambda done, total: os.kill(os.getpid(), 9) if done == stop else None,
        )
"""


def test_a_run_that_is_killed_goes_on(model, X, tmp_path):
    (tmp_path / "script.py").write_text(textwrap.dedent(KILLED))
    np.save(tmp_path / "X.npy", X)
    codes = [subprocess.run([sys.executable, "script.py", stop], cwd=tmp_path).returncode for stop in ("10", "99")]
    assert codes == [-signal.SIGKILL, 0]
    found = zarr.open_array(tmp_path / "g.zarr", path="gradients", mode="r")
    np.testing.assert_array_equal(found[:], input_gradients(model, X, 0, batch_size=5))
    assert not list(tmp_path.glob(".*"))


def test_an_error_in_a_worker_is_the_callers(crew, model, X, tmp_path):
    bad = X.copy()
    bad[17, 2] = np.nan
    with pytest.raises(ValueError, match="X must be finite, but sample 17 holds NaN"):
        input_gradients(model, bad, 0, batch_size=5, out=tmp_path / "g.zarr", workers=crew)


def test_a_network_that_others_cannot_build_is_refused(crew, X, tmp_path):
    class Local(nn.Linear):
        pass

    with pytest.raises(TypeError, match=r"the network Local cannot go to other processes.*workers=1"):
        input_gradients(Local(6, 1), X, out=tmp_path / "g.zarr", workers=crew)
    with pytest.raises(TypeError, match="the model must be a torch Module, so that its weights identify it"):
        input_gradients(lambda x: x.sum(1), X, workers=crew)


def test_a_store_in_memory_is_no_place_for_workers(crew, model, X):
    with pytest.raises(ValueError, match=r"memory://there.zarr is in the memory of this process"):
        input_gradients(model, X, 0, out="memory://there.zarr", workers=crew)


@pytest.mark.parametrize("url", ["memory://gradients/g.zarr", "file://{folder}/g.zarr"])
def test_a_store_may_lie_at_a_url(url, model, X, tmp_path, monkeypatch):
    pytest.importorskip("fsspec", reason="URLs need fsspec")
    url, options = url.format(folder=tmp_path), {"target": 0, "batch_size": 5}
    monkeypatch.setattr(BlockStore, "write", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        input_gradients(model, X, out=url, **options)
    monkeypatch.undo()
    found = input_gradients(model, X, out=url, **options)
    np.testing.assert_array_equal(found[:], input_gradients(model, X, **options))
    again = input_gradients(model, X, out=url, **options)
    np.testing.assert_array_equal(again[:], found[:])
    with pytest.raises(ValueError, match=r"holds the gradients of another job. These differ: batch_size"):
        input_gradients(model, X, 0, batch_size=6, out=url)


def test_a_store_that_was_not_made_to_the_end_is_made_anew(model, X):
    pytest.importorskip("fsspec", reason="URLs need fsspec")
    zarr.create_group("memory://begun.zarr", attributes={"awd_input_gradients": "unfinished"})
    found = input_gradients(model, X, 0, out="memory://begun.zarr")
    np.testing.assert_array_equal(found[:], input_gradients(model, X, 0))
    zarr.create_group("memory://other.zarr", attributes={"somebody": "else"})
    with pytest.raises(ValueError, match=r"memory://other.zarr exists and holds no gradients"):
        input_gradients(model, X, 0, out="memory://other.zarr")


def test_weights_go_through_a_file_and_come_back(tmp_path):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv1d(1, 3, 3), nn.BatchNorm1d(3), nn.Flatten(), nn.Linear(12, 12), nn.Linear(12, 12))
    model[4].weight = model[3].weight
    model.register_buffer("unsaved", torch.arange(3.0), persistent=False)
    model[3].bias.requires_grad_(False)
    hollow = without_weights(model, tmp_path / "w.safetensors")
    assert not any(tensor.numel() for tensor in (*hollow.parameters(), *hollow.buffers()))
    assert all(parameter.numel() for parameter in model.parameters())
    back = with_weights(hollow, tmp_path / "w.safetensors", torch.device("cpu"))
    x = torch.randn(2, 1, 6)
    torch.testing.assert_close(back.eval()(x), model.eval()(x), rtol=0, atol=0)
    torch.testing.assert_close(back.unsaved, model.unsaved, rtol=0, atol=0)
    flags = [parameter.requires_grad for parameter in model.parameters()]
    assert [parameter.requires_grad for parameter in back.parameters()][: len(flags)] == flags


def test_an_array_says_where_it_lies(X, tmp_path):
    mapped, array = stored(tmp_path, X)
    assert location_of(X) is None
    assert location_of(mapped) == ArrayLocation(str(tmp_path / "X.npy"))
    assert location_of(array) == ArrayLocation(str(tmp_path / "data.zarr"), "X")
    assert location_of(mapped[1:]) is None, "a part of a file is no file"
    altered = np.load(tmp_path / "X.npy", mmap_mode="c")
    assert location_of(altered) == ArrayLocation(str(tmp_path / "X.npy"))
    altered[0, 0] += 1
    assert location_of(altered) is None, "the file has not what the memory has"
    assert location_of(zarr.create_array("memory://x.zarr", name="X", data=X)) is None
    with zarr.storage.ZipStore(tmp_path / "x.zarr.zip", mode="w") as store:
        zarr.create_array(store, name="a/X", data=X)
    with zarr.storage.ZipStore(tmp_path / "x.zarr.zip", mode="r") as store:
        place = location_of(zarr.open_array(store, path="a/X", mode="r"))
    for somewhere in (place, shared_location(altered, tmp_path / "copy.npy"), location_of(array)):
        np.testing.assert_array_equal(somewhere.open()[1:], X[1:])
    assert Path(tmp_path / "copy.npy").exists()
    with pytest.raises(FileNotFoundError, match="workers need the same files at the same paths"):
        ArrayLocation(str(tmp_path / "gone.npy")).open()
