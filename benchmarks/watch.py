"""Peak memory of a program and of all processes that it starts, watched from outside. Linux only."""

import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

POLL = 0.02
"""Seconds between two looks."""


@dataclass(frozen=True)
class Watched:
    """What a program took.

    Attributes
    ----------
    output : str
        What it printed.
    first, largest, together : float
        Peak resident memory in MiB: of the program's own process; of the largest that it started, 0 if none; and of
        all of them at one moment, in which pages that they share count for each.
    processes : int
        Most that there were at a moment, its own included.
    """

    output: str
    first: float
    largest: float
    together: float
    processes: int


def is_watchable() -> bool:
    """Whether this system tells of processes and their memory in /proc."""
    return sys.platform == "linux" and Path("/proc/self/status").is_file()


def watch(command: Sequence[str], least: float = 40.0) -> Watched:
    """Run a program to its end.

    Parameters
    ----------
    command : sequence of str
        The program and its arguments.
    least : float
        MiB below which a process that it started is no worker of its (Python's own helpers).

    Raises
    ------
    RuntimeError
        If it fails; the message has the end of what it said.
    """
    peaks: dict[int, float] = {}
    together, most = 0.0, 1
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while process.poll() is None:
        now = {pid: memory for pid in _family(process.pid) if (memory := _resident(pid)) is not None}
        for pid, (resident, highest) in now.items():
            peaks[pid] = max(highest, resident, peaks.get(pid, 0.0))
        together = max(together, sum(resident for resident, _ in now.values()))
        most = max(most, sum(resident > least for resident, _ in now.values()))
        time.sleep(POLL)
    output, errors = process.communicate()
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with exit code {process.returncode}: {errors.strip()[-2000:]}")
    others = [peak for pid, peak in peaks.items() if pid != process.pid and peak > least]
    return Watched(output, peaks.get(process.pid, 0.0), max(others, default=0.0), together, most)


def _family(pid: int) -> list[int]:
    """A process and its descendants."""
    found = [pid]
    for one in found:
        with suppress(OSError):
            for task in Path(f"/proc/{one}/task").iterdir():
                with suppress(OSError):
                    found += [int(word) for word in (task / "children").read_text().split()]
    return found


def _resident(pid: int) -> tuple[float, float] | None:
    """Resident memory of a process now and at its peak, MiB; None if it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    values = {line.split(":")[0]: line.split()[1] for line in lines if line.startswith(("VmRSS", "VmHWM"))}
    return None if len(values) < 2 else (int(values["VmRSS"]) / 1024, int(values["VmHWM"]) / 1024)
