"""Distillation on data that several processes hold a part of each, started by torchrun as real processes."""

import json
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import torch

from awd_core.distill.distill import SearchSettings, distill_path
from awd_core.distill.objective import DistillationObjective
from awd_core.distill.path_file import load_path, to_json

ROWS = (0, 130, 300)
"""Where the shards begin and end; they need not be of one size."""
CHUNK = 32
"""Rows that are summed at a time; one chunk lies across the shards."""
TRANSFORM = {"length": 6, "levels": 3, "mode": "zero", "ndim": 1}
SETTINGS = {"random_starts": 1, "small_batch": 1 << 11, "large_batch": 1 << 20, "finalists": 1, "iterations": 6}
OPTIONS = {"wavelet": "db3", "levels": 3, "shares": [0.0, 0.5, 1.0], "method": "input_x_gradient"}

SCRIPT = """
    import gc, json, os, sys
    import numpy as np
    import torch
    import torch.distributed as dist
    from awd_core.distill.distill import SearchSettings, distill_path
    from awd_core.distill.objective import DistillationObjective
    from awd_core.distill.path_file import save_path
    from awd_core.distill.shards import SharedObjective, Shards

    def main():
        rank, told = dist.get_rank(), json.loads(sys.argv[1])
        X, gradients = (np.load(f"{name}.npy")[told["rows"][rank] : told["rows"][rank + 1]] for name in ("X", "G"))
        shards, size = Shards(dist.group.WORLD), told["chunk"]
        own = [shards.whole_chunks(values, size) for values in (X, gradients)]
        part = DistillationObjective(*own, chunk_values=size * X.shape[1], inputs=told["rows"][-1], **told["transform"])
        value, gradient, _ = SharedObjective(shards, part, 0).answer(np.array([0.1, 0.2]), 0.3, 0.7)
        np.savez(f"sum{rank}.npz", value=value, gradient=gradient, rows=len(own[0]))
        if told.get("spoil") == rank:
            X[3] = np.nan
        if told.get("narrow") == rank:
            gradients = gradients.astype(np.float32)

        def progress(done, expected, what):
            with open(f"progress{rank}.txt", "a") as file:
                print(what, file=file)
            if done == told.get("stop"):
                raise KeyboardInterrupt

        try:
            path = distill_path(
                X, gradients, search=SearchSettings(**told["search"]), dtype=torch.float64, group=dist.group.WORLD,
                progress=progress, checkpoint="checkpoint.json", **told["options"],
            )
            save_path(path, f"path{rank}.json")
        except (ValueError, RuntimeError, KeyboardInterrupt) as error:
            with open(f"error{rank}.txt", "w") as file:
                print(type(error).__name__, error, file=file)

    dist.init_process_group("gloo")
    main()
    dist.barrier()
    # Nothing refers to the group any more; its threads must not outlive the interpreter.
    gc.collect()
    dist.destroy_process_group()
    # Some of torch's threads do now and then, and abort its end; what is tested is over by then.
    os._exit(0)
"""


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = np.cumsum(rng.standard_normal((ROWS[-1], 40)), axis=1)
    return X, rng.standard_normal(X.shape) * np.linspace(0, 1, 40)


@pytest.fixture(scope="module")
def whole(data):
    return distill_path(*data, search=SearchSettings(**SETTINGS), dtype=torch.float64, **OPTIONS)


def run_two(folder, data, **told):
    for name, values in zip(("X", "G"), data, strict=True):
        np.save(folder / f"{name}.npy", values)
    (folder / "script.py").write_text(textwrap.dedent(SCRIPT))
    told |= {"rows": ROWS, "search": SETTINGS, "options": OPTIONS, "chunk": CHUNK, "transform": TRANSFORM}
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "script.py"]
    done = subprocess.run(
        [*launcher, json.dumps(told)], cwd=folder, timeout=600, capture_output=True, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch was built without torch.distributed")
def test_two_shards_come_to_what_one_process_does(tmp_path, data, whole):
    run_two(tmp_path, data, stop=11)
    assert (tmp_path / "error0.txt").read_text().startswith("KeyboardInterrupt")
    assert "the first process of the group has stopped" in (tmp_path / "error1.txt").read_text()
    begun = (tmp_path / "progress0.txt").read_text().splitlines()
    run_two(tmp_path, data)
    assert (tmp_path / "progress0.txt").read_text().splitlines()[12:24] == begun, "it goes on from the checkpoint"
    assert not (tmp_path / "progress1.txt").exists(), "the first process alone reports"

    assert (tmp_path / "path0.json").read_bytes() == (tmp_path / "path1.json").read_bytes()
    path = load_path(tmp_path / "path0.json")
    # Chunks are summed in one order, whoever computes them.
    for point, same in zip(path, whole, strict=True):
        assert point.objective == same.objective
        np.testing.assert_array_equal(point.wavelet.taps, same.wavelet.taps)
        assert [d.start for d in point.descents] == [d.start for d in same.descents]
    objective = DistillationObjective(*data, chunk_values=CHUNK * 40, **TRANSFORM)
    value, gradient, _ = objective(np.array([0.1, 0.2]), 0.3, 0.7)
    for rank, rows in enumerate((160, 140)):
        told = np.load(tmp_path / f"sum{rank}.npz")
        assert (told["value"], told["rows"]) == (value, rows)
        np.testing.assert_array_equal(told["gradient"], gradient)
    assert path.settings["shape"] == whole.settings["shape"]
    assert path.settings["X"] != whole.settings["X"], "each shard has a digest"


@pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch was built without torch.distributed")
def test_what_is_wrong_with_one_shard_is_an_error_of_all(tmp_path, data):
    run_two(tmp_path, data, spoil=1)
    for rank in range(2):
        said = (tmp_path / f"error{rank}.txt").read_text()
        assert said.startswith("ValueError process 1 of the group cannot take part: X must be finite, but sample 3")
    run_two(tmp_path, data, narrow=1)
    for rank in range(2):
        said = (tmp_path / f"error{rank}.txt").read_text()
        assert "process 1 of the group has inputs and gradients of the types ['float64', 'float32']" in said


def test_a_group_of_one_is_one_process(tmp_path, data, whole):
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/met", rank=0, world_size=1)
    try:
        group = torch.distributed.group.WORLD
        path = distill_path(*data, search=SearchSettings(**SETTINGS), dtype=torch.float64, group=group, **OPTIONS)
        with pytest.raises(ValueError, match="workers and a group both share out the work"):
            distill_path(*data, group=group, workers=2)
    finally:
        torch.distributed.destroy_process_group()
    assert to_json(path) == to_json(whole)


def test_without_processes_there_is_no_group(data):
    with pytest.raises(RuntimeError, match="start the script by torchrun"):
        distill_path(*data, group="world")
