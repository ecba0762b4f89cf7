"""The same results in the same order, whoever does the work; workers that die, and items that kill them."""

import os
import re
import signal
import subprocess
import sys
import threading
from concurrent.futures import Executor, Future
from functools import partial

import pytest

from awd_core.workers.mapping import OnDemand, Workers
from awd_core.workers.open import Lost, LostItemError, available_cores, open_workers

# Items are expressions and the function is `eval`, because a worker process can import neither this file nor a lambda.
SQUARES = [f"{i} ** 2" for i in range(20)]
KILLS = "__import__('os')._exit(3)"
MANY = [str(i) for i in range(500)]
SLOWLY = [f"(__import__('time').sleep(0.1), {i})[1]" for i in range(30)]


@pytest.fixture(params=["serial", "local", "dask"])
def workers(request):
    if request.param == "dask":
        context = open_workers(scheduler=request.getfixturevalue("scheduler"))
    else:
        context = open_workers({"serial": 1, "local": 2}[request.param])
    with context as opened:
        yield opened


@pytest.fixture(params=["local", "dask"])
def others(request):
    """Workers that may die."""
    if request.param == "dask":
        context = open_workers(scheduler=request.getfixturevalue("scheduler"))
    else:
        context = open_workers(2)
    with context as opened:
        yield opened


def test_results_come_in_the_order_of_the_items(workers):
    said = []
    found = list(workers.map(eval, SQUARES, progress=lambda *what: said.append(what)))
    assert found == [i**2 for i in range(20)]
    assert said == [(i + 1, 20, f"{i} ** 2") for i in range(20)]


def test_workers_say_whether_the_work_is_done_in_this_process(workers):
    (worker,) = workers.map(eval, ["__import__('os').getpid()"])
    assert workers.here == (worker == os.getpid())


def test_blocks_give_a_result_for_each_item(workers):
    said = []
    found = workers.map_blocks(sorted, [str(i) for i in range(7)], 3, progress=lambda *a: said.append(a))
    assert list(found) == [str(i) for i in range(7)]
    assert said[-1] == (7, 7, "6")


def test_items_are_made_when_they_are_handed_out(workers):
    made = []
    items = OnDemand(lambda i: made.append(i) or str(i), range(1000))
    found = workers.map_blocks(sorted, items, 2)
    assert [next(found) for _ in range(4)] == ["0", "1", "2", "3"]
    assert len(made) < 30
    found.close()
    assert list(items[::-400]) == ["999", "599", "199"]


def test_an_item_with_something_to_call_in_it_arrives_as_it_is(workers):
    items = [(len, "abc"), (len, ["ab", (abs, -1)])]
    assert list(workers.map(list, items)) == [list(item) for item in items]


def test_an_error_of_the_function_is_the_callers(workers):
    with pytest.raises(ZeroDivisionError, match="division by zero"):
        list(workers.map(eval, ["1", "1 / 0", "2"]))
    assert list(workers.map(eval, ["3"])) == [3], "they can be used again"


def test_an_item_that_kills_its_worker_is_named_and_the_rest_goes_on(others):
    found = list(others.map_or_lose(eval, [*SQUARES[:7], KILLS, *SQUARES[7:]], names=lambda item: f"item {item[:9]}"))
    assert [one for one in found if not isinstance(one, Lost)] == [i**2 for i in range(20)]
    assert isinstance(found[7], Lost)
    assert found[7].name == "item __import_"
    assert "died 2 times while it worked on this alone" in found[7].reason


def test_no_more_is_handed_out_than_two_items_for_each_worker(monkeypatch):
    handed = []
    with open_workers(2) as workers:
        submit = workers.executor.submit
        monkeypatch.setattr(workers.executor, "submit", lambda *call: handed.append(call) or submit(*call))
        ahead = [len(handed) - done for done, _ in enumerate(workers.map(eval, SQUARES))]
    assert (max(ahead), workers.window, len(handed)) == (4, 4, 20)


def test_an_error_among_many_items_comes_after_what_was_done_before_it(others):
    results = others.map(eval, [*MANY[:300], "1 / 0", *MANY[300:]])
    assert [next(results) for _ in range(300)] == list(range(300))
    with pytest.raises(ZeroDivisionError, match="division by zero"):
        next(results)


def test_of_many_items_only_the_one_that_kills_is_lost(others):
    found = list(others.map_or_lose(eval, [*MANY[:300], KILLS, *MANY[300:]]))
    assert [place for place, one in enumerate(found) if isinstance(one, Lost)] == [300]
    assert [one for one in found if not isinstance(one, Lost)] == list(range(500))


def test_an_item_that_kills_its_worker_is_an_error_unless_asked_otherwise(others):
    with pytest.raises(LostItemError, match=re.escape(KILLS) + ".*leave it out"):
        list(others.map(eval, ["1", KILLS, "2"]))


def test_only_the_item_of_a_block_that_kills_is_lost(others):
    found = list(others.map_blocks(partial(sorted, key=eval), ["1", "2", KILLS, "4", "5"], 4))
    assert [one if isinstance(one, str) else one.name for one in found] == ["1", "2", KILLS, "4", "5"]
    assert [isinstance(one, Lost) for one in found] == [False, False, True, False, False]


def test_a_worker_that_is_killed_from_outside_costs_nothing(scheduler):
    pids = "__import__('os').getpid()"
    for context in (open_workers(2), open_workers(scheduler=scheduler)):
        with context as workers:
            (pid,) = workers.map(eval, [pids])
            found = []
            for value in workers.map(eval, SLOWLY):
                if value == 3:
                    os.kill(pid, signal.SIGKILL)
                found.append(value)
        assert found == list(range(30))


def test_a_worker_that_comes_late_helps(scheduler, start_worker):
    late = start_worker(scheduler)
    try:
        with open_workers(scheduler=scheduler) as workers:
            found = list(workers.map(eval, SLOWLY + [f"({i}, __import__('os').getpid())" for i in range(40)]))
        assert found[:30] == list(range(30))
    finally:
        late.end()


def test_threads_are_shared_between_processes(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    with open_workers(2) as workers:
        (threads,) = workers.map(eval, ["__import__('os').environ['OMP_NUM_THREADS']"])
    assert int(threads) == max(1, available_cores() // 2)
    assert "OMP_NUM_THREADS" not in os.environ


def test_threads_that_were_asked_for_bound_the_cores(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert available_cores() == 1
    monkeypatch.setenv("OMP_NUM_THREADS", "no number")
    assert available_cores() >= 1


def test_workers_that_are_open_are_passed_on():
    with open_workers() as workers, open_workers(workers, scheduler="not asked") as same:
        assert same is workers


def test_what_was_handed_out_beside_an_item_that_kills_is_done_by_the_next_processes():
    with open_workers(2) as workers:
        results = workers.map(eval, SLOWLY[:8])
        assert next(results) == 0
        (lost,) = workers.map_or_lose(eval, [KILLS])
        assert isinstance(lost, Lost)
        assert list(results) == list(range(1, 8))


class GivesUp(Executor):
    """Forgets what it is given, as a scheduler that ends."""

    def submit(self, function, item):
        waiting = Future()
        waiting.cancel()
        return waiting


def test_what_nobody_will_do_is_not_waited_for():
    workers = Workers(GivesUp(), "on the workers of tcp://gone")
    with pytest.raises(ConnectionError, match=r"given up \(on the workers of tcp://gone\).*the same command"):
        list(workers.map(eval, SQUARES))


def test_an_item_that_was_lost_says_what_to_do():
    lost = Lost("map 7", "its worker died")
    with pytest.raises(LostItemError, match=r"^map 7: its worker died; leave it out, or give the worker more memory$"):
        raise lost.error()
    assert str(lost.error("try again")) == "map 7: its worker died; try again"


@pytest.mark.parametrize("count", [0, -1])
def test_without_a_process_there_is_no_work(count):
    with pytest.raises(ValueError, match=f"workers is {count}; at least one process"), open_workers(count):
        pass


def test_a_block_holds_something():
    with open_workers() as workers, pytest.raises(ValueError, match="at least one item, got size = 0"):
        list(workers.map_blocks(sorted, ["1"], 0))


@pytest.mark.parametrize(
    ("address", "reason"),
    [("nowhere://x", "unknown address scheme"), ("host", "missing port number"), ("tcp://host:x", "invalid literal")],
)
def test_what_is_no_address_is_refused_at_once(address, reason):
    pytest.importorskip("distributed", reason="dask.distributed is not installed")
    with pytest.raises(OSError, match=f"no scheduler answers at {address} .{reason}"), open_workers(scheduler=address):
        pass


@pytest.mark.parametrize(
    ("text", "error", "reason"),
    [
        (None, OSError, "no scheduler has written such a file within 0 s"),
        ("{}", ValueError, "no file of a scheduler"),
        ("[", ValueError, "no file of a scheduler"),
    ],
)
def test_a_file_that_no_scheduler_wrote_is_refused(tmp_path, text, error, reason):
    pytest.importorskip("distributed", reason="dask.distributed is not installed")
    from awd_core.workers.dask import scheduler_address

    file = tmp_path / "scheduler.json"
    if text is not None:
        file.write_text(text)
        os.utime(file, (0, 0))  # not just being written
    with pytest.raises(error, match=reason):
        scheduler_address(str(file), patience=0)


def test_a_worker_of_another_version_does_nothing():
    pytest.importorskip("distributed", reason="dask.distributed is not installed")
    from awd_core.workers.dask import own_version, to_bytes, work

    assert work(to_bytes(partial(abs, -2)), own_version()) == 2
    with pytest.raises(RuntimeError, match=f"a worker has awd-core {own_version()}, this process 0.0.1; install the"):
        work(to_bytes(partial(abs, -2)), "0.0.1")


def test_a_file_that_is_not_written_to_its_end_is_waited_for(tmp_path):
    pytest.importorskip("distributed", reason="dask.distributed is not installed")
    from awd_core.workers.dask import scheduler_address

    file = tmp_path / "scheduler.json"
    file.write_text('{"addr')
    timer = threading.Timer(0.3, file.write_text, ['{"address": "tcp://here:1"}'])
    timer.start()
    assert scheduler_address(str(file)) == "tcp://here:1"
    timer.join()


@pytest.mark.skipif(sys.platform == "win32", reason="nobody is killed by SIGKILL there")
def test_processes_end_with_who_started_them_even_if_that_is_killed():
    program = (
        "import os\n"
        "from awd_core.workers.open import open_workers\n"
        "if __name__ == '__main__':\n"
        "    with open_workers(2) as workers:\n"
        "        print(sum(workers.map(abs, range(8))), flush=True)\n"
        "        os.kill(os.getpid(), 9)\n"
    )
    # They hold its standard output, so this comes back when the last of them has ended.
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=600, check=False)
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, "28\n")


UNGUARDED = """
from awd_core.workers import open_workers

with open_workers(2) as workers:
    print(list(workers.map(abs, [-2, 1])))
"""


@pytest.mark.parametrize("how", ["file", "input"])
def test_a_script_without_a_guard_is_told_what_it_lacks(tmp_path, how):
    """Each process that starts runs the script from its beginning; memory has no part in it."""
    (tmp_path / "script.py").write_text(UNGUARDED, encoding="utf-8")
    command, given = ([sys.executable, "script.py"], None) if how == "file" else ([sys.executable, "-"], UNGUARDED)
    done = subprocess.run(command, input=given, cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("RuntimeError: worker processes cannot start: each runs the script")
    assert 'if __name__ == "__main__":' in last
    assert "memory" not in done.stderr
    guarded = UNGUARDED.replace("with open", 'if __name__ == "__main__":\n  with open').replace(
        "    print", "      print"
    )
    (tmp_path / "script.py").write_text(guarded, encoding="utf-8")
    found = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, timeout=600, check=True
    )
    assert found.stdout == "[2, 1]\n"
