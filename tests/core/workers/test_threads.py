"""Threads: the user's word, then the run's own number, then the cores that are free; and waiting threads soon sleep."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from awd_core.run.folder import RunFolder
from awd_core.workers import threads
from awd_core.workers.threads import (
    BRIEFLY,
    POLICY,
    available_cores,
    brief_waits,
    idle_cores,
    use_threads,
    wait_briefly,
)


@pytest.fixture
def untold(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)


@pytest.fixture
def cores(monkeypatch, untold):
    """Sets how many cores may be used and how many of them are idle."""

    def give(there: int, idle: float) -> None:
        monkeypatch.setattr(threads, "available_cores", lambda: there)
        monkeypatch.setattr(threads, "idle_cores", lambda: idle)

    return give


def chosen(begun_with=None) -> tuple[int, str]:
    found = use_threads(begun_with)
    assert torch.get_num_threads() == found.count
    found.restore()
    return found.count, found.why


@pytest.mark.parametrize(
    ("there", "idle", "count", "why"),
    [
        (8, 7.9, 8, "one for each core that may be used, of which 7.9 were idle"),
        (8, 3.2, 3, "of 8 cores that may be used 3.2 were idle, other programs held the rest"),
        (2, 0.1, 1, "of 2 cores that may be used 0.1 were idle, other programs held the rest"),
        (1, 0.0, 1, "one for each core that may be used, of which 0.0 were idle"),
    ],
)
def test_a_run_takes_the_cores_that_are_free(cores, there, idle, count, why):
    cores(there, idle)
    before = torch.get_num_threads()
    assert chosen() == (count, why)
    assert torch.get_num_threads() == before


def test_the_user_is_asked_first_and_then_the_run(cores, monkeypatch):
    cores(8, 0.0)
    assert chosen(3) == (3, "the run was begun with as many")
    monkeypatch.setenv("OMP_NUM_THREADS", "2,1")
    assert chosen(3) == (2, "OMP_NUM_THREADS says so")
    for nothing in ("", "0", "many"):
        monkeypatch.setenv("OMP_NUM_THREADS", nothing)
        assert chosen()[0] == 1


def test_threads_that_sleep_while_they_wait_are_one_for_each_core_of_a_run(cores, monkeypatch):
    cores(8, 0.0)
    plain = torch.get_num_threads()
    assert threads.sleeping_threads() == plain
    found = use_threads()
    assert (found.count, threads.sleeping_threads()) == (1, 8)
    found.restore()
    assert threads.sleeping_threads() == plain


def test_a_run_that_goes_on_computes_with_as_many_threads(cores, tmp_path):
    def session() -> tuple[int, str]:
        with RunFolder.open(tmp_path / "run", program="demo", settings={}, quiet=True) as run:
            (run / "begun").touch()
            return run.config["threads"], (run / "log.txt").read_text().splitlines()[-1].split("  ", 1)[1]

    cores(4, 4.0)
    assert session() == (4, "threads: 4; one for each core that may be used, of which 4.0 were idle")
    cores(4, 1.0)
    assert session() == (4, "threads: 4; the run was begun with as many")


def test_cores_of_this_machine(untold):
    assert 1 <= available_cores() <= (os.cpu_count() or 1)
    assert 0 <= idle_cores(0.05) <= (os.cpu_count() or 1)


def test_where_the_system_does_not_tell_each_core(monkeypatch, untold):
    monkeypatch.setattr(threads, "_ticks", lambda cores: None)
    mine = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    monkeypatch.setattr(os, "getloadavg", lambda: (0.5, 9, 9), raising=False)
    assert idle_cores() == mine - 0.5
    monkeypatch.setattr(os, "getloadavg", lambda: (99.0, 9, 9))
    assert idle_cores() == 0
    monkeypatch.delattr(os, "getloadavg")
    assert idle_cores() == mine


@pytest.mark.skipif(not Path("/proc/stat").exists(), reason="counts of ticks are Linux'")
def test_ticks_are_those_of_the_cores_asked_for(monkeypatch):
    told = "cpu  9 9 9 99 9 9 9 9 0 0\ncpu0 1 2 3 40 5 6 7 8 100 100\ncpu1 1 1 1 1 1 1 1 1 0 0\nintr 5\n"
    monkeypatch.setattr(Path, "read_text", lambda self, encoding: told)
    assert threads._ticks({0}) == (45, 72)
    assert threads._ticks({0, 1}) == (47, 80)
    assert threads._ticks({7}) is None


def test_waiting_threads_soon_sleep_unless_the_user_says_otherwise(monkeypatch):
    for name in (*BRIEFLY, POLICY):
        monkeypatch.delenv(name, raising=False)
    assert brief_waits() == BRIEFLY
    monkeypatch.setenv("GOMP_SPINCOUNT", "7")
    assert brief_waits() == {name: value for name, value in BRIEFLY.items() if name != "GOMP_SPINCOUNT"}
    monkeypatch.setenv(POLICY, "ACTIVE")
    assert brief_waits() == {}
    wait_briefly()
    assert "KMP_BLOCKTIME" not in os.environ
    assert os.environ["GOMP_SPINCOUNT"] == "7"


COMMANDS = ("awd_core.app.main", "awd_cosmo.app.main", "awd_cme.app.main")


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_say_so_before_torch_is_loaded(command):
    pytest.importorskip(command.partition(".")[0])
    loaded = "*(name in sys.modules for name in ('torch', 'numpy'))"
    told = f"import sys, os, {command}; print({loaded}, os.environ['GOMP_SPINCOUNT'])"
    environment = {name: value for name, value in os.environ.items() if name not in (*BRIEFLY, POLICY)}
    done = subprocess.run([sys.executable, "-c", told], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False", "1000"]


def spins(_: int) -> str | None:
    return os.environ.get("GOMP_SPINCOUNT")


def test_worker_processes_wait_briefly(monkeypatch):
    from awd_core.workers.open import open_workers

    for name in (*BRIEFLY, POLICY):
        monkeypatch.delenv(name, raising=False)
    with open_workers(2) as crew:
        assert list(crew.map(spins, range(3))) == ["1000"] * 3
    assert "GOMP_SPINCOUNT" not in os.environ
