"""Killed at random moments, a run ends with the same bits; and what is not the same is found."""

import importlib
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

ROOT = Path(__file__).resolve().parents[3]
LSTM = '''"""A plain LSTM on series."""

from torch import nn


class LSTM(nn.Module):
    def __init__(self, hidden=8):
        super().__init__()
        self.lstm, self.head = nn.LSTM(1, hidden, batch_first=True), nn.Linear(hidden, 1)

    def forward(self, x):
        return self.head(self.lstm(x[..., None])[0][:, -1])
'''
# Works for about two seconds; with SPOILT in the environment its artefact depends on having been killed.
COUNTER = """
import os, pathlib, sys, time
from awd_core.run.folder import RunFolder
with RunFolder.open(sys.argv[1], program="count", settings={}, artefacts=["a.txt"], quiet=True) as run:
    for name in "abcd":
        with run.step(f"Count {name}"):
            if not (run / f"{name}.txt").exists():
                time.sleep(0.4)
                spoilt = run.resumed and "SPOILT" in os.environ
                run.write_bytes(f"{name}.txt", b"spoilt" if spoilt else b"whole")
    run.finish()
"""


@pytest.fixture
def kills(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    return importlib.import_module("benchmarks.kills")


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="this system has no process groups")
def test_distillation_ends_with_the_same_bits(tmp_path):
    """Gradients in a Zarr store, searches in a checkpoint, and checks that are made anew."""
    (tmp_path / "lstm_of_a_test.py").write_text(LSTM)
    sys.path.insert(0, str(tmp_path))
    try:
        module = importlib.import_module("lstm_of_a_test")
    finally:
        sys.path.remove(str(tmp_path))
    torch.manual_seed(0)
    save_file(module.LSTM().state_dict(), tmp_path / "w.safetensors")
    np.save(tmp_path / "X.npy", np.random.default_rng(0).standard_normal((1600, 32), dtype=np.float32))
    command = [
        sys.executable, "-c", "from awd_core.app.main import app; app()", "distill", tmp_path / "X.npy",
        "--teacher", "lstm_of_a_test:LSTM", "--weights", tmp_path / "w.safetensors", "--batch-size", "8",
        "--wavelet", "db3", "--levels", "2", "--shares", "0,0.5,1", "--random-starts", "2", "--no-report", "--quiet",
        "--out", "{run}",
    ]  # fmt: skip
    asked = ["--kills", "3", "--seed", "1", "--out", tmp_path / "out"]
    found = subprocess.run(
        [sys.executable, "-m", "benchmarks.kills", *map(str, asked), "--", *map(str, command)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(tmp_path), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert found.returncode == 0, found.stdout + found.stderr
    assert "The same bits after 3 kills" in found.stdout
    assert "Kills by step: " in found.stdout
    # A kill that comes when the run is over counts for another round, in a folder of its own.
    logs = [(folder / "log.txt").read_text() for folder in (tmp_path / "out").glob("killed-*/")]
    assert sum(log.count("  resumed: ") for log in logs) == 3
    assert all(log.rstrip().endswith("finished") for log in logs)
    assert (tmp_path / "out" / "killed-1" / "quality.json").exists()


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="this system has no process groups")
@pytest.mark.parametrize("spoilt", [False, True])
def test_a_difference_is_found(kills, tmp_path, monkeypatch, capfd, spoilt):
    if spoilt:
        monkeypatch.setenv("SPOILT", "1")
    command = [sys.executable, "-c", COUNTER, "{run}"]
    code = kills.main(["--kills", "2", "--out", str(tmp_path / "out"), "--", *command])
    printed = capfd.readouterr().out
    assert "Count" in printed
    assert code == (1 if spoilt else 0), printed
    assert ("d.txt differs" in printed) == spoilt
    assert ("The same bits after 2 kills: 4 files are equal." in printed) != spoilt


def test_folders_are_compared_file_by_file(kills, tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        (folder / "g.zarr" / "c").mkdir(parents=True)
        (folder / "g.zarr" / "c" / "0").write_bytes(b"\0\1")
        (folder / "path.checkpoint.json").write_text(f'{{"a": [{{"x": 1.5, "seconds": {len(folder.name)}}}]}}')
        (folder / "log.txt").write_text(folder.name)
        (folder / "g.zarr" / "log.txt").write_text("only the one at the top is left out")
    assert kills.differences(one, other) == (3, [])
    (other / "g.zarr" / "c" / "0").write_bytes(b"\0\2")
    (other / "path.checkpoint.json").write_text('{"a": [{"x": 1.50000001, "seconds": 3}]}')
    (other / "new").touch()
    (one / "old").touch()
    assert kills.differences(one, other) == (
        3,
        [
            "old is missing after the kills",
            "new is there after the kills alone",
            "g.zarr/c/0 differs",
            "path.checkpoint.json differs",
        ],
    )
    assert kills.differences(one, other, ["g.zarr/*", "*.json", "new", "old"]) == (0, [])


def test_the_log_says_what_a_run_was_at(kills):
    clock = "2026-01-01 00:00:00 UTC  "
    lines = ["started: awd distill X.npy: begun nothing", "Searches: begun", "Searches: 3 of 10, share 1, db3"]
    assert kills.current_step([]) == kills.current_step(f"{clock}{line}" for line in lines[:1]) == "start"
    assert kills.current_step(f"{clock}{line}" for line in lines) == "Searches"
    lines.append("Searches: done in 1.5 s")
    assert kills.current_step(f"{clock}{line}" for line in lines) == "after Searches"


def test_moments_are_seeded_and_spread(kills):
    assert kills.moments(10.0, 20, 1) == kills.moments(10.0, 20, 1) != kills.moments(10.0, 20, 2)
    drawn = kills.moments(10.0, 20, 1)
    assert all(i / 2 <= moment < (i + 1) / 2 for i, moment in enumerate(drawn))


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="processes are looked for in /proc")
def test_the_whole_group_is_killed(kills, tmp_path):
    child = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(60)', sys.argv[1]])"
    run = kills.Run([sys.executable, "-c", child, "{run}"], tmp_path / "run", tmp_path / "out.txt")
    group = os.getpgid(run._process.pid)
    assert group == run._process.pid != os.getpgid(0)
    run.kill()
    assert run.code() == -signal.SIGKILL
    # The grandchild, if it was there already, has nobody left to be waited for by but init.
    deadline = time.monotonic() + 600
    while _alive(group) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _alive(group)


def _alive(group):
    """Whether a process of the group is left that is no zombie."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, of = stat.read_text().rpartition(")")[2].split()[:3]
            if int(of) == group and state != "Z":
                return True
    return False


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--out", "new"], "put the command behind --, with {run} for its run folder"),
        (["--out", "new", "--", "true"], "the command must have {run} where its run folder is named"),
        (["--out", "new", "--kills", "0", "--", "true", "{run}"], "--kills is 0; it must be 1 or more"),
        (["--out", "full", "--", "true", "{run}"], "full is not empty; give a new folder"),
        (["--out", "new", "--", "false", "{run}"], "the command ended with exit code 1; "),
        (["--out", "new", "--", "true", "{run}"], "wrote no log.txt into"),
    ],
)
def test_other_commands_are_refused(kills, tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(SystemExit) as stopped:
        kills.main(arguments)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err
