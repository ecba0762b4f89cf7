"""Do many predictions leave anything behind? `python -m benchmarks.endurance --out DIR [--minutes 120]`.

Models predict, and files are read, again and again in one process: a map model on files of maps, a readable model on
arrays, a card on series, and all readers of `benchmarks.damage`. Counted are open file handles, threads, and what the
process holds in memory of its own, after a first part in which libraries are imported and caches fill, and at the end.
"""

import argparse
import gc
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.damage.subjects import SUBJECTS

Work = Callable[[], object]
MODELS = ("map model", "model", "card")
FILES = (
    "fits",
    "fits RICE",
    "stack h5",
    "zarr",
    "movie ome",
    "movie packed",
    "tracks mat5",
    "tracks mat73",
    "tracks xlsx",
)
FLAT = 0.02
"""Share by which memory may grow."""


@dataclass(frozen=True)
class Growth:
    """What is more at the end than it was: handles, threads, KiB of memory; and how many KiB there were."""

    handles: int
    threads: int
    kib: int
    of: int


def works(folder: Path) -> dict[str, Work]:
    """What is done again and again, by name."""
    found: dict[str, Work] = {}
    for name, subject in SUBJECTS.items():
        place = folder / name.replace(" ", "_")
        place.mkdir(parents=True, exist_ok=True)
        if not any(place.iterdir()):
            subject.make(place)
        if name in MODELS or name in FILES:
            found[name] = lambda subject=subject, place=place: subject.read(place)
    return found


def endured(work: Work, *, rounds: int, warm: int) -> Growth:
    """Do something so often, and count what it leaves."""
    for _ in range(warm):
        work()
    before = _held()
    for _ in range(rounds):
        work()
    after = _held()
    return Growth(*(b - a for a, b in zip(before, after, strict=True)), before[2])


def _held() -> tuple[int, int, int]:
    gc.collect()
    status = Path("/proc/self/status").read_text(encoding="ascii")
    data = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon"))
    return len(os.listdir("/proc/self/fd")), threading.active_count(), data  # noqa: PTH208


def main(arguments: list[str] | None = None) -> int:
    """Work, count and print; 0 if all is flat."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.endurance", description="Do many predictions leave anything?"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the files that are read")
    parser.add_argument("--minutes", type=float, default=120.0, metavar="M", help="of work; 120 if not given")
    told = parser.parse_args(arguments)
    told.out.mkdir(parents=True, exist_ok=True)
    every = works(told.out)
    seconds, wrong = 60 * told.minutes / len(every), 0
    table = Table(title="Endurance", title_justify="left", title_style="bold")
    for heading in ("what", "rounds", "handles", "threads", "memory, MiB", "grown, MiB"):
        table.add_column(heading)
    for name, work in every.items():
        for _ in range(20):
            work()
        began = time.monotonic()
        work()
        rounds = max(20, int(seconds / (time.monotonic() - began)))
        found = endured(work, rounds=rounds, warm=rounds // 4)
        flat = found.handles == 0 and found.threads == 0 and found.kib <= FLAT * found.of
        wrong += not flat
        table.add_row(name, str(rounds), *(f"{n:+d}" for n in (found.handles, found.threads)),
                      f"{found.of / 1024:.0f}", f"{found.kib / 1024:+.2f}")  # fmt: skip
    Console(width=120, highlight=False).print(table)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
