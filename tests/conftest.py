"""Settings that every test needs before torch is imported, and where the real data lie."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import hypothesis
import pytest

# The files beside the tests check, too: let them say what differs.
pytest.register_assert_rewrite("movie_files")

# Files whose tests take long, the longest first. They begin first, or one process would be
# left with them at the end.
LONG = (
    "core/transforms/test_parity.py", "cosmo/run/test_workers.py", "cme/run/test_workers.py",
    "cross/test_reports_in_a_browser.py", "cosmo/run/test_pipeline.py", "core/app/test_kills.py",
    "core/teacher/test_training_devices.py", "core/app/test_distill.py",
    "core/transforms/test_dwt.py", "cme/run/test_pipeline.py", "core/workers/test_workers.py",
    "core/distill/test_distill.py", "core/report/test_report.py", "cme/report/test_report.py",
    "core/attribution/test_gradients_workers.py", "cosmo/simulate/test_simulation.py", "cosmo/report/test_report.py",
    "core/distill/test_distill_workers.py", "core/teacher/test_teacher.py", "cme/app/test_main.py",
    "cross/test_estimators.py",
)  # fmt: skip

# How long an example takes says more about the machine than about the code.
hypothesis.settings.register_profile("awd", deadline=None)
hypothesis.settings.load_profile("awd")

# Two workers share the machine: one thread each. Subprocesses that tests start inherit it, and do not choose by the
# load that they find, which would change last bits.
os.environ.setdefault("OMP_NUM_THREADS", "1")

REAL_DATA = Path(os.environ.get("AWD_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")


def pytest_collection_modifyitems(items):
    """Long files first."""
    place = {Path(__file__).parent / name: k for k, name in enumerate(LONG)}
    items.sort(key=lambda item: place.get(item.path, len(LONG)))


@pytest.fixture(scope="session")
def real_data():
    """Real maps and tracks that nobody here made; they are no part of the repository."""
    if not REAL_DATA.is_dir():
        pytest.skip(f"the real data are not at {REAL_DATA}; name their folder by the environment variable AWD_DATA")
    return REAL_DATA


class DaskProcess(subprocess.Popen):
    """A scheduler or worker of Dask, in a session of its own with all that it starts."""

    def __init__(self, command, **options):
        super().__init__(command, stderr=subprocess.DEVNULL, start_new_session=True, **options)

    def end(self):
        """Interrupt it; one that was interrupted while it began waits for ever, and is killed."""
        self.send_signal(signal.SIGINT)
        try:
            self.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self.pid, signal.SIGKILL)
            self.wait()


@pytest.fixture(scope="session")
def start_worker():
    """Starts one more worker of a scheduler, given by the path of its file, in a process of its own."""

    def start(scheduler_file):
        command = [sys.executable, "-m", "distributed.cli.dask_worker", "--scheduler-file", str(scheduler_file)]
        folder = str(Path(scheduler_file).parent)
        return DaskProcess([*command, "--nthreads", "1", "--no-dashboard", "--local-directory", folder])

    return start


@pytest.fixture(scope="session")
def scheduler(tmp_path_factory, start_worker):
    """The scheduler file of a scheduler with two workers, each in a process of its own."""
    pytest.importorskip("distributed", reason="dask.distributed is not installed")
    told = tmp_path_factory.mktemp("dask") / "scheduler.json"
    dask = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--scheduler-file", str(told), "--port", "0"]
    # It may be quick to suspect an item: each death costs the start of a process.
    environment = {**os.environ, "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1"}
    started = [DaskProcess([*dask, "--no-dashboard", "--host", "127.0.0.1"], env=environment)]
    try:
        began = time.monotonic()
        while not told.exists():
            if time.monotonic() - began > 600:
                raise TimeoutError("the scheduler did not start within ten minutes")
            time.sleep(0.05)
        started += [start_worker(told) for _ in range(2)]
        yield str(told)
    finally:
        # Workers first: one whose scheduler has gone looks for it a while.
        for process in [*started[1:], started[0]]:
            process.end()
