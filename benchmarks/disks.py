r"""Does a run on a failing disk lose anything? `python -m benchmarks.disks --out DIR -- PROGRAM … {run} …`.

The command, in which `{run}` stands for its run folder, is run to its end once, and its calls that change the folder
are counted: writes, renames, locks, fsyncs, files opened to be written, folders made. Then it is run again and again in
new folders. Each time the n-th of these calls gives an error: no space (ENOSPC, and for all calls that follow), a fault
of the device (EIO), no permission (EACCES), or a write of half the bytes. Either the run does not fail, or it ends with
an error that names the place and says what to do, and started again, on a sound disk, comes to the same results, byte
by byte. PROGRAM is awd, awd-cosmo or awd-cme. For instance

    python -m benchmarks.disks --every 1 --out /tmp/disks -- awd distill X.npy --wavelet db3 … --out {run}

Each run is a process of its own, forked from one that has the programs imported. Calls are caught by a small library
that is compiled with `cc` and loaded before the C library, so that this works on Linux alone.
"""

import argparse
import ctypes
import errno
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import traceback
from collections import Counter
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.compared_runs import differences
from benchmarks.kills import PLACEHOLDER

SOURCE = Path(__file__).with_name("failing_disk.c")
PROGRAMS = {"awd": "awd_core.app.main", "awd-cosmo": "awd_cosmo.app.main", "awd-cme": "awd_cme.app.main"}
ERRORS = {
    "ENOSPC": (errno.ENOSPC, True),
    "EIO": (errno.EIO, False),
    "EACCES": (errno.EACCES, False),
    "half": (-1, False),
}
"""What the n-th call gives, and whether all that follow do, too."""
KINDS = {"write": 1, "rename": 2, "lock": 4, "fsync": 8, "open": 16}
REMEDY = re.compile(r"\b(give|make|free|start|delete|check|wait|take|ask|choose|copy|raise|make room)\b")
"""Words of an error that says what to do."""


@dataclass(frozen=True)
class Found:
    """What became of a run: its verdict, and what it said."""

    error: str
    call: int
    verdict: str
    words: str


def compiled(folder: Path) -> Path:
    """The library that makes a disk fail.

    Raises
    ------
    RuntimeError
        If there is no compiler, or it fails.
    """
    library = folder / "failing_disk.so"
    if (compiler := shutil.which("cc")) is None:
        raise RuntimeError("there is no compiler cc; install one, such as gcc")
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE), "-ldl"]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode:
        raise RuntimeError(f"{shlex.join(command)}: {made.stderr}")
    return library


def run(command: Sequence[str], folder: Path, said: Path, *, call: int = -1, error: str = "EIO") -> tuple[int, int]:
    """Run the command in a process of its own, its n-th call failing; exit code, and how many calls there were."""
    words = [part.replace(PLACEHOLDER, str(folder)) for part in command]
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        with os.fdopen(reading) as pipe:
            counted = pipe.read()
        _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status), int(counted or 0)
    code, output, disk = 70, io.StringIO(), ctypes.CDLL(None)
    try:
        os.environ["AWD_DISK_FOLDER"] = ""
        app = import_module(PROGRAMS[words[0]]).app
        sys.argv = words
        disk.setenv(b"AWD_DISK_FOLDER", os.fsencode(folder), 1)
        number, lasting = ERRORS[error]
        disk.disk_arm(ctypes.c_long(call), number, int(lasting), sum(KINDS.values()))
        with redirect_stdout(output), redirect_stderr(output):
            try:
                app(words[1:])
                code = 0
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
            except BaseException:
                traceback.print_exc()
                code = 70
    finally:
        disk.disk_calls.restype = ctypes.c_long
        count = disk.disk_calls()
        disk.disk_arm(ctypes.c_long(-1), 0, 0, 0)
        said.write_text(output.getvalue(), encoding="utf-8", errors="backslashreplace")
        said.with_suffix(".modules").write_text("\n".join(sys.modules), encoding="utf-8")
        os.write(writing, str(count).encode())
        os._exit(code)
    raise AssertionError("a child has no way here")


def judged(command: Sequence[str], whole: Path, place: Path, call: int, error: str) -> Found:
    """Run with a failing call, then again without, and compare."""
    folder, said = place / "run", place / "said.txt"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    code, _ = run(command, folder, said, call=call, error=error)
    words = said.read_text(encoding="utf-8")

    def found(verdict: str, what: str) -> Found:
        return Found(error, call, verdict, what)

    if code != 0:
        if "Traceback" in words:
            return found("fault", f"a traceback: {words.strip().splitlines()[-1]}")
        if str(folder) not in "".join(words.split("\n")).replace(" ", "") and str(folder) not in words:
            return found("fault", f"no place: {_short(words)}")
        if not REMEDY.search(words):
            return found("fault", f"no remedy: {_short(words)}")
        again, _ = run(command, folder, said)
        if again != 0:
            return found("fault", f"does not go on: {_short(said.read_text(encoding='utf-8'))}; after: {_short(words)}")
    _, differing = differences(whole, folder)
    if differing:
        return found("fault", f"other results (exit code {code}): {'; '.join(differing[:4])}")
    return found("refused and gone on with" if code else "not failed", _short(words) if code else "")


def _import_what(names: Sequence[str]) -> None:
    """Import once, for all runs to come, what one has imported."""
    for name in names:
        if name.partition(".")[0] not in ("__main__", "benchmarks"):
            with suppress(Exception):
                import_module(name)


def _short(words: str) -> str:
    return " ".join(words.split())[-300:]


def main(arguments: list[str] | None = None) -> int:
    """Count, fail, run again, compare and print; 0 if nothing was lost."""
    parser = _parser()
    given = sys.argv[1:] if arguments is None else arguments
    if "--" not in given:
        parser.error("put the command behind --, with {run} for its run folder")
    split = given.index("--")
    told, command = parser.parse_args(given[:split]), given[split + 1 :]
    if command[0] not in PROGRAMS or not any(PLACEHOLDER in part for part in command):
        parser.error(f"the command must be one of {', '.join(PROGRAMS)}, and have {PLACEHOLDER} for its run folder")
    if unknown := [name for name in told.errors.split(",") if name not in ERRORS]:
        parser.error(f"--errors has {unknown[0]!r}; there are {', '.join(ERRORS)}")
    told.out.mkdir(parents=True, exist_ok=True)
    library = compiled(told.out)
    if os.environ.get("LD_PRELOAD") != str(library):
        os.environ["LD_PRELOAD"] = str(library)
        os.execv(sys.executable, [sys.executable, "-m", "benchmarks.disks", *given])  # noqa: S606
    import_module(PROGRAMS[command[0]])
    whole = told.out / "whole" / "run"
    shutil.rmtree(whole.parent, ignore_errors=True)
    whole.parent.mkdir()
    code, calls = run(command, whole, told.out / "whole" / "said.txt")
    if code != 0:
        parser.error(f"the command ended with exit code {code}; {told.out / 'whole' / 'said.txt'} has what it printed")
    _import_what((told.out / "whole" / "said.modules").read_text(encoding="utf-8").split("\n"))
    console = Console(width=160, highlight=False)
    console.print(f"Command: {shlex.join(command)}\n{calls} calls change its folder.", markup=False)
    counts: dict[str, Counter[str]] = {}
    faults = []
    with (told.out / "found.jsonl").open("a", encoding="utf-8") as held:
        for error in told.errors.split(","):
            counts[error] = Counter()
            for call in range(told.first, calls + 1, told.every):
                found = judged(command, whole, told.out / "failing", call, error)
                held.write(json.dumps(vars(found)) + "\n")
                held.flush()
                counts[error][found.verdict] += 1
                faults += [found] if found.verdict == "fault" else []
    table = Table(title="Failing disks", title_justify="left", title_style="bold")
    verdicts = ("not failed", "refused and gone on with", "fault")
    for heading in ("error", *verdicts):
        table.add_column(heading)
    for error, count in counts.items():
        table.add_row(error, *(str(count[verdict]) for verdict in verdicts))
    console.print(table)
    for fault in faults:
        console.print(f"{fault.error} at call {fault.call}: {fault.words}", markup=False)
    return 1 if faults else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.disks",
        usage="%(prog)s [--every N] [--first N] [--errors A,B] --out DIR -- PROGRAM … {run} …",
        description="Let the n-th call that changes a run folder fail, for every n, and see what is lost.",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the runs")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only each N-th call; each if not given")
    parser.add_argument("--first", type=int, default=1, metavar="N", help="begin with this call")
    parser.add_argument("--errors", default=",".join(ERRORS), metavar="A,B", help=f"of {', '.join(ERRORS)}")
    return parser


if __name__ == "__main__":
    sys.exit(main())
