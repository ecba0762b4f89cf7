"""A training over several processes comes to what one process comes to."""

import importlib
import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch

from awd_core.teacher.networks import MLP
from awd_core.teacher.teacher import Teacher

CODE = """
    import sys
    import numpy as np
    from awd_core.teacher.networks import MLP
    from awd_core.teacher.teacher import Teacher

    X = np.random.default_rng(0).normal(size=(71, 5))
    OPTIONS = {"accelerator": "cpu", "max_epochs": 3, "precision": "64-true", "batch_size": 20, "schedule": "one-cycle"}
    WEIGHT = np.linspace(0, 2, 71)

    if __name__ == "__main__":
        fitted = Teacher(MLP, {"n_in": 5}, devices=2, strategy=sys.argv[1], **OPTIONS)
        fitted.fit(X, X[:, 0], sample_weight=WEIGHT, checkpoint_dir="run").save("two.safetensors")
"""


@pytest.mark.parametrize("strategy", ["ddp_fork", "ddp_spawn"])
@pytest.mark.skipif(sys.platform != "linux", reason="starts processes by fork")
def test_two_processes_come_to_what_one_does(strategy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # 63 training samples in batches of 20, 20 and 23 on two processes; 8 of validation in one batch.
    (tmp_path / "two_processes.py").write_text(textwrap.dedent(CODE))
    # Two threads: none of them comes along into a process that is forked, which must not wait for one.
    environment = os.environ | {"OMP_NUM_THREADS": "2"}
    command = [sys.executable, "two_processes.py", strategy]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, timeout=600)
    monkeypatch.syspath_prepend(tmp_path)
    told = importlib.reload(__import__("two_processes"))
    two = Teacher.load(tmp_path / "two.safetensors")
    one = Teacher(MLP, {"n_in": 5}, **told.OPTIONS).fit(told.X, told.X[:, 0], sample_weight=told.WEIGHT)
    # The same sums in float64, in another order.
    np.testing.assert_allclose(two.predict(told.X), one.predict(told.X), rtol=1e-9, atol=1e-12)
    for name in ("train_loss", "valid_loss", "learning_rate"):
        losses = [[row[name] for row in fitted.history_] for fitted in (two, one)]
        np.testing.assert_allclose(*losses, rtol=1e-10)


NORMALISED = """
    import sys
    import numpy as np
    from torch import nn
    from awd_core.teacher.teacher import Teacher

    class Normalised(nn.Sequential):
        def __init__(self):
            super().__init__(nn.Linear(5, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 1))

    if __name__ == "__main__":
        X = np.random.default_rng(0).normal(size=(int(sys.argv[1]), 5))
        options = {"accelerator": "cpu", "max_epochs": 2, "scale_inputs": "none"}
        fitted = Teacher(Normalised, devices=2, strategy="ddp_fork", batch_size=int(sys.argv[2]), **options)
        fitted.fit(X, X[:, 0], validation=None, checkpoint_dir="run")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="starts processes by fork")
@pytest.mark.parametrize(("n", "size"), [(23, 10), (21, 10), (6, 2)])  # 2 and 1 at the end; 11 shared; 1 and 1 always
def test_batch_normalisation_over_several_processes_meets_no_batch_of_one(tmp_path: Path, n: int, size: int) -> None:
    (tmp_path / "normalised.py").write_text(textwrap.dedent(NORMALISED))
    command = [sys.executable, "normalised.py", str(n), str(size)]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False)
    assert found.returncode == 0, found.stderr[-2000:]


def test_batches_of_one_are_refused_by_batch_normalisation_in_our_words() -> None:
    X = np.random.default_rng(0).normal(size=(11, 5))
    network = {"accelerator": "cpu", "max_epochs": 1}
    Teacher(Normalised, batch_size=5, **network).fit(X, X[:, 0], validation=None)  # 5 and 6
    with pytest.raises(
        ValueError, match=r"batch normalisation cannot learn from a batch of one .* batch_size is 1, give 2"
    ):
        Teacher(Normalised, batch_size=1, **network).fit(X, X[:, 0], validation=None)


class Normalised(torch.nn.Sequential):
    """A network that normalises by the batch."""

    def __init__(self) -> None:
        super().__init__(torch.nn.Linear(5, 6), torch.nn.BatchNorm1d(6), torch.nn.ReLU(), torch.nn.Linear(6, 1))


TORCHRUN = """
    import json, os, sys
    import numpy as np
    import torch
    from awd_core.teacher.checkpoint import State
    from awd_core.teacher.networks import MLP
    from awd_core.teacher.teacher import Teacher

    def forbidden(*args, **kwargs):
        raise AssertionError("a pickle")

    X = np.random.default_rng(0).normal(size=(71, 5))
    folder, stop, rank = sys.argv[1], int(sys.argv[2]), int(os.environ["RANK"])
    saved, keep = [], State.save

    def save(state, directory, identity):
        keep(state, directory, identity)
        saved.append(len(state.history))
        if saved[-1] == stop:
            os._exit(3)

    State.save, torch.load, torch.save = save, forbidden, forbidden
    options = json.loads(sys.argv[3])
    teacher = Teacher(MLP, {"n_in": 5}, devices=2, strategy="ddp", **options).fit(X, X[:, 0], checkpoint_dir=folder)
    told = {"saved": saved, "history": [row["epoch"] for row in teacher.history_], "best": teacher.best_epoch_}
    with open(f"rank{rank}.json", "w") as file:
        json.dump(told | {"predictions": teacher.predict(X).tolist()}, file)
"""


def torchrun(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "script.py").write_text(textwrap.dedent(TORCHRUN))
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "script.py"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [*launcher, *arguments], cwd=folder, env=environment, timeout=600, capture_output=True, text=True
    )


@pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch was built without torch.distributed")
def test_under_torchrun_a_training_that_was_killed_goes_on_in_one_process_or_in_two(tmp_path: Path) -> None:
    options = {"accelerator": "cpu", "max_epochs": 4, "precision": "64-true", "batch_size": 20, "schedule": "cosine"}
    X = np.random.default_rng(0).normal(size=(71, 5))
    whole = Teacher(MLP, {"n_in": 5}, **options).fit(X, X[:, 0])
    killed = torchrun(tmp_path, "run", "2", json.dumps(options))
    assert killed.returncode != 0
    assert not list(tmp_path.glob("rank*.json"))
    shutil.copytree(tmp_path / "run", tmp_path / "alone")

    done = torchrun(tmp_path, "run", "99", json.dumps(options))
    assert done.returncode == 0, done.stderr
    first, second = (json.loads((tmp_path / f"rank{rank}.json").read_text()) for rank in range(2))
    assert (first["saved"], second["saved"]) == ([3, 4], []), "two epochs were done; the first process alone writes"
    assert {name: first[name] for name in ("history", "best", "predictions")} == {
        name: second[name] for name in ("history", "best", "predictions")
    }
    alone = Teacher(MLP, {"n_in": 5}, **options).fit(X, X[:, 0], checkpoint_dir=tmp_path / "alone")
    assert [row["epoch"] for row in alone.history_] == [1, 2, 3, 4]
    # The same sums in float64, in another order.
    for predictions in (first["predictions"], alone.predict(X)):
        np.testing.assert_allclose(predictions, whole.predict(X), rtol=1e-9, atol=1e-12)
