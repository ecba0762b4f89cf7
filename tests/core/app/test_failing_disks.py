"""Disks that are full, fail, or forbid: a run says where and what to do, and goes on to the same results."""

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from awd_core import MLP
from awd_core.files import lock_file, write_json
from awd_core.run import RunFolder
from commands import invoke

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.skipif(
    not sys.platform.startswith("linux") or shutil.which("cc") is None, reason="a failing disk needs Linux and cc"
)
def test_a_run_on_a_failing_disk_loses_nothing(tmp_path):
    """Some of the calls that change the folder fail, each in four ways; `benchmarks.disks --every 1` has all."""
    X = np.random.default_rng(0).standard_normal((60, 32)).astype(np.float32)
    np.save(tmp_path / "X.npy", X)
    torch.manual_seed(0)
    save_file(MLP(32, hidden=(4,)).state_dict(), tmp_path / "w.safetensors")
    command = [
        "awd", "distill", str(tmp_path / "X.npy"), "--teacher", "awd_core.teacher:MLP", "--factory-args",
        '{"n_in": 32, "hidden": [4]}', "--weights", str(tmp_path / "w.safetensors"), "--wavelet", "db2",
        "--levels", "2",
        "--shares", "0,1", "--random-starts", "0", "--no-report", "--no-quality", "--quiet", "--out", "{run}",
    ]  # fmt: skip
    asked = ["--every", "53", "--first", "17", "--out", str(tmp_path / "out")]
    found = subprocess.run(
        [sys.executable, "-m", "benchmarks.disks", *asked, "--", *command], cwd=ROOT, env=os.environ,
        capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    assert found.returncode == 0, found.stdout + found.stderr
    held = [json.loads(line) for line in (tmp_path / "out" / "found.jsonl").read_text().splitlines()]
    assert {one["error"] for one in held} == {"ENOSPC", "EIO", "EACCES", "half"}
    assert {one["verdict"] for one in held} == {"not failed", "refused and gone on with"}


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_an_error_without_a_place_gets_that_of_the_run(tmp_path, number):
    """As writing to an open file gives it."""
    out = tmp_path / "run"
    with (
        pytest.raises(OSError, match=str(out)),
        RunFolder.open(out, program="demo", settings={}, quiet=True) as run,
        run.step("count"),
    ):
        raise OSError(number, os.strerror(number))
    # Nor does it take the place of one that is told.
    with (
        pytest.raises(OSError, match="somewhere else"),
        RunFolder.open(out, program="demo", settings={}, quiet=True) as run,
    ):
        raise OSError(number, os.strerror(number), "somewhere else")


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.EIO, "the disk gave an error; check the disk"), (errno.ENOSPC, "no space is left there; make some"),
     (errno.EMFILE, "too many files are open; raise the limit"), (errno.EROFS, "nothing can be written there; take")],
)  # fmt: skip
def test_a_command_says_what_to_do(tmp_path, monkeypatch, number, words):
    from awd_core.app.main import app

    def fails(_, target):
        raise OSError(number, os.strerror(number), str(target))

    np.save(tmp_path / "X.npy", np.ones((4, 16), np.float32))
    monkeypatch.setattr(Path, "replace", fails)
    said = invoke(app, ["distill", tmp_path / "X.npy", "--gradients", tmp_path / "X.npy", "--out", tmp_path / "run"])
    assert said.exit_code == 2
    text = " ".join(said.output.split())
    assert words in text
    assert "config.json" in text
    assert "Traceback" not in text


def test_a_folder_that_vanishes_is_named(tmp_path):
    out = tmp_path / "run"
    with RunFolder.open(out, program="demo", settings={}, quiet=True) as run:
        shutil.rmtree(out)
        with pytest.raises(FileNotFoundError, match=r"run.log\.txt"):
            run.log("a line")
    # The same command makes it again.
    with RunFolder.open(out, program="demo", settings={}, quiet=True) as run:
        assert not run.resumed


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="nothing is forbidden to this user")
def test_a_folder_that_is_read_only_is_named(tmp_path):
    out = tmp_path / "run"
    with RunFolder.open(out, program="demo", settings={}, quiet=True):
        pass
    out.chmod(0o500)
    try:
        with pytest.raises(OSError, match="run"):
            RunFolder.open(out, program="demo", settings={}, quiet=True)
    finally:
        out.chmod(0o700)


def test_two_runs_at_once(tmp_path):
    out = tmp_path / "run"
    with (
        RunFolder.open(out, program="demo", settings={}, quiet=True),
        pytest.raises(ValueError, match=r"another process is at work in .*run; wait for it, or give another folder"),
    ):
        RunFolder.open(out, program="demo", settings={}, quiet=True)
    with lock_file(tmp_path / ".lock"), pytest.raises(BlockingIOError, match="is held by another process"):
        lock_file(tmp_path / ".lock")


def test_a_clock_that_goes_back_changes_nothing(tmp_path, monkeypatch):
    out = tmp_path / "run"
    for moment in ("2030-01-01 00:00:00 UTC", "1990-01-01 00:00:00 UTC"):
        monkeypatch.setattr("awd_core.run.folder._now", lambda moment=moment: moment)
        with RunFolder.open(out, program="demo", settings={"seed": 0}, artefacts=["n.json"], quiet=True) as run:
            with run.step("count"):
                run.write_json("n.json", 1)
            run.finish()
        os.utime(out / "n.json", (0, 0))
    assert [session["began"][:4] for session in run.sessions] == ["2030", "1990"]
    assert run.resumed


def test_sessions_that_are_damaged_cost_no_run(tmp_path):
    out = tmp_path / "run"
    for content in (b"{", b'{"sessions": [1]}', b"[]", b'{"sessions": [{"seconds": {"a": "x"}}]}'):
        with RunFolder.open(out, program="demo", settings={}, quiet=True) as run, run.step("count"):
            pass
        (out / "sessions.json").write_bytes(content)
    with RunFolder.open(out, program="demo", settings={}, quiet=True) as run:
        assert run.resumed
        assert len(run.sessions) == 1
    assert "sessions.json was damaged" in (out / "log.txt").read_text()
    write_json(out / "config.json", {"format": "awd-run", "version": 1, "program": "demo"})
    with pytest.raises(ValueError, match=r"config\.json is damaged .it lacks the run's settings or versions"):
        RunFolder.open(out, program="demo", settings={}, quiet=True)
