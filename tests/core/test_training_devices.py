"""A training over several processes comes to what one process comes to."""

import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from awd_core.networks import MLP
from awd_core.teacher import Teacher

CODE = """
    import numpy as np
    from awd_core.networks import MLP
    from awd_core.teacher import Teacher

    X = np.random.default_rng(0).normal(size=(71, 5))
    OPTIONS = {"accelerator": "cpu", "max_epochs": 3, "precision": "64-true", "batch_size": 20, "schedule": "one-cycle"}
    WEIGHT = np.linspace(0, 2, 71)

    if __name__ == "__main__":
        fitted = Teacher(MLP, {"n_in": 5}, devices=2, strategy="ddp_fork", **OPTIONS)
        fitted.fit(X, X[:, 0], sample_weight=WEIGHT, checkpoint_dir="run").save("two.safetensors")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="starts processes by fork")
def test_two_processes_come_to_what_one_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # 63 training samples in batches of 20, 20 and 23 on two processes; 8 of validation in one batch.
    (tmp_path / "two_processes.py").write_text(textwrap.dedent(CODE))
    subprocess.run([sys.executable, "two_processes.py"], cwd=tmp_path, check=True, timeout=120)
    monkeypatch.syspath_prepend(tmp_path)
    told = __import__("two_processes")
    two = Teacher.load(tmp_path / "two.safetensors")
    one = Teacher(MLP, {"n_in": 5}, **told.OPTIONS).fit(told.X, told.X[:, 0], sample_weight=told.WEIGHT)
    # The same sums in float64, in another order.
    np.testing.assert_allclose(two.predict(told.X), one.predict(told.X), rtol=1e-9, atol=1e-12)
    for name in ("train_loss", "valid_loss", "learning_rate"):
        losses = [[row[name] for row in fitted.history_] for fitted in (two, one)]
        np.testing.assert_allclose(*losses, rtol=1e-10)
