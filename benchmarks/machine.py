"""What the figures belong to: machine, versions, threads, date."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from awd_core.kernel import kernel_in_words
from benchmarks.timing import Settings, available_cores

PACKAGES = ("awd-core", "torch", "numpy", "PyWavelets", "ptwt", "ndwt")

BUSY = 0.5
"""Load average of the last minute above which something else seems to be running."""


def describe(settings: Settings) -> dict[str, Any]:
    """Record the circumstances of a run.

    Parameters
    ----------
    settings : Settings
        What the command line decided.

    Returns
    -------
    dict
        JSON values only.
    """
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    versions = {name: _version(name) for name in PACKAGES}
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(Path(__file__).parents[1]),
        "processor": _processor(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "kernel": kernel_in_words(),
        "system": platform.platform(),
        "cores": available_cores(),
        "threads": torch.get_num_threads(),
        "load_before": load,
        "python": platform.python_version(),
        "versions": versions,
        "awave": None if settings.awave is None else _commit(Path(settings.awave) / "awave") or "unknown version",
        "quick": settings.quick,
    }


def summary(record: dict[str, Any]) -> str:
    """One paragraph for people."""
    known = [f"{name} {number}" for name, number in record["versions"].items() if number]
    known += [f"awave {record['awave']}"] if record["awave"] else []
    return (
        f"{record['date'][:10]}, {record['processor']} ({record['instructions']}), {record['cores']} cores, "
        f"{record['threads']} threads, kernel {record.get('kernel', 'none')}, Python {record['python']}, "
        f"{', '.join(known)}" + (f", commit {record['commit']}" if record["commit"] else "")
    )


def cautions(record: dict[str, Any]) -> list[str]:
    """What speaks against trusting the figures before anything is measured."""
    found = ["A quick run: it shows that everything works; its figures are rough."] if record["quick"] else []
    load = record["load_before"]
    if load is not None and load > BUSY:
        found.append(f"The machine was busy before the run (load {load:.1f}): run this alone.")
    return found


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit(folder: Path) -> str | None:
    """Abbreviated commit of the checkout that a folder lies in, `-dirty` if the folder differs; None without git."""
    commit = _git(folder, "rev-parse", "--short", "HEAD")
    return f"{commit}-dirty" if commit and _git(folder, "status", "--porcelain", "--", ".") else commit or None


def _git(folder: Path, *arguments: str) -> str:
    try:
        finished = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return finished.stdout.strip()


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
