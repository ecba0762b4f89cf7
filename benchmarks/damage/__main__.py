"""Damaged files: `python -m benchmarks.damage --out DIR [--formats fits,npy] [--count N] [--seed N] [--workers N]`.

Each format that is read has a sound file; of each, `--count` damaged ones are made by the seed, read in processes under
a limit of memory (four times what the sound file needs) and of time, and judged. A damaged file shall be refused with
its name and a reason; or read, and equal to the sound one; or read with other values and a word about them. Where only
bytes were hit that nothing in the format guards, such as a pixel, nobody can know: this is counted by itself. Anything
else is a fault, and so are an error of a library's own kind, one without the file's name, a crash, and a limit that was
passed. Run again, it goes on where it was. No damaged file is kept: `--show "FORMAT:CASE"` makes one again by the seed.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.damage.judge import FAULT, LAST, SECONDS, VERDICTS, Outcome, case_of, judge, prepare
from benchmarks.damage.subjects import SUBJECTS

HANG = 60 * SECONDS
"""Seconds without a step after which a process is ended from outside: a library does not look at signals."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Damage, read, judge and print; 0 if there is no fault."""
    parser = _parser()
    told = parser.parse_args(arguments)
    names = list(SUBJECTS) if told.formats is None else [name.strip() for name in told.formats.split(",")]
    if unknown := [name for name in names if name not in SUBJECTS]:
        parser.error(f"--formats has {unknown[0]!r}; there are: {', '.join(SUBJECTS)}")
    if told.count < 1 or told.workers < 1:
        parser.error("--count and --workers must be 1 or more")
    told.out.mkdir(parents=True, exist_ok=True)
    if told.show is not None:
        return _show(told.show, told.seed, told.out)
    if told.one:
        return _work(names, told.count, told.seed, told.out)
    _in_processes(names, told.count, told.seed, told.workers, told.out)
    return _tell(names, told.out, told.seed)


# --- In a process -----------------------------------------------------------------------------------------------------


def _work(names: Sequence[str], count: int, seed: int, out: Path) -> int:
    """Judge the cases of some formats that are left, one after the other; a line of JSON for each."""
    for name in names:
        file = _file(out, name, seed)
        done = len(_rows(file))
        if done >= count:
            continue
        place = out / "work" / f"{os.getpid()} {file.stem}"
        try:
            sound = prepare(SUBJECTS[name], place / "sound")
            with file.open("a", encoding="utf-8") as written:
                for case in range(done, count):
                    found = judge(sound, seed, case, place / f"case{case}")
                    written.write(json.dumps(found.as_row()) + "\n")
                    written.flush()
                    shutil.rmtree(place / f"case{case}", ignore_errors=True)
        finally:
            shutil.rmtree(place, ignore_errors=True)
    return 0


def _in_processes(names: Sequence[str], count: int, seed: int, workers: int, out: Path) -> None:
    """Processes that share the formats out; one that dies or hangs is followed by another, behind the case."""
    shares = {k: list(names[k::workers]) for k in range(min(workers, len(names)))}
    running: dict[int, tuple[subprocess.Popen[bytes], int, float]] = {}

    def done(share: int) -> int:
        return sum(len(_rows(_file(out, name, seed))) for name in shares[share])

    def start(share: int) -> None:
        command = [sys.executable, "-m", "benchmarks.damage", "--one", "--formats", ",".join(shares[share])]
        command += ["--count", str(count), "--seed", str(seed), "--out", str(out)]
        running[share] = subprocess.Popen(command), done(share), time.monotonic()

    for share in shares:
        start(share)
    while running:
        time.sleep(0.2)
        for share, (process, seen, since) in list(running.items()):
            now, code = done(share), process.poll()
            if code == 0:
                del running[share]
            elif code is None and now > seen:
                running[share] = process, now, time.monotonic()
            elif code is not None or time.monotonic() - since > HANG:
                if code is None:
                    process.kill()
                    process.wait()
                if now == seen and code == 1:
                    raise RuntimeError("a process failed before it judged anything; its error is above")
                name = next(one for one in shares[share] if len(_rows(_file(out, one, seed))) < count)
                case = len(_rows(_file(out, name, seed)))
                words = f"hang: no end in {HANG:g} s" if code is None else f"crash: the process ended with {code}"
                with _file(out, name, seed).open("a", encoding="utf-8") as written:
                    written.write(json.dumps(Outcome(name, case, "", FAULT, words).as_row()) + "\n")
                start(share)
    shutil.rmtree(out / "work", ignore_errors=True)


def _file(out: Path, name: str, seed: int) -> Path:
    return out / f"{name.replace(' ', '_')}.{seed}.jsonl"


def _rows(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


# --- What is printed --------------------------------------------------------------------------------------------------


def _tell(names: Sequence[str], out: Path, seed: int) -> int:
    console = Console(width=160, highlight=False)
    table = Table(title="Damaged files", title_justify="left", title_style="bold")
    for heading in ("format", "files", *VERDICTS):
        table.add_column(heading, justify="left" if heading == "format" else "right")
    total: Counter[str] = Counter()
    faults = []
    for name in names:
        found = [Outcome(**json.loads(row)) for row in _rows(_file(out, name, seed))]
        counts = Counter(one.verdict for one in found)
        faults += [one for one in found if one.verdict == FAULT]
        total += counts
        table.add_row(name, str(len(found)), *(str(counts[verdict]) for verdict in VERDICTS))
    table.add_section()
    table.add_row("all", str(total.total()), *(str(total[verdict]) for verdict in VERDICTS))
    console.print(table)
    for one in faults[:200]:
        console.print(f"{one.subject}:{one.case}  {one.what}\n    {one.words}", markup=False)
    return 1 if faults else 0


def _show(case: str, seed: int, out: Path) -> int:
    """Write the damaged file of a case to a folder, and say what becomes of it."""
    name, _, number = case.rpartition(":")
    place = out / f"{name.replace(' ', '_')}-{number}"
    shutil.rmtree(place, ignore_errors=True)
    sound = prepare(SUBJECTS[name], place / "sound")
    file, mutant = case_of(sound, seed, int(number))
    found = judge(sound, seed, int(number), place / "damaged")
    print(
        f"{place / 'damaged' / LAST / file}: {mutant.what}; beyond notice: {mutant.valid}\n"
        f"{found.verdict}: {found.words}"
    )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.damage", description="Damage files of every format that is read, and judge the readers."
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder for what was found; gone on with"
    )
    parser.add_argument("--formats", metavar="A,B", help=f"of {', '.join(SUBJECTS)}; all if not given")
    parser.add_argument("--count", type=int, default=200, metavar="N", help="damaged files of each; 200 if not given")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the damage")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="processes")
    parser.add_argument("--show", metavar="FORMAT:CASE", help="make one case again, and say what becomes of it")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
