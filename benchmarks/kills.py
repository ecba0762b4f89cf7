r"""Does a run that is killed end with the same bits? `python -m benchmarks.kills --out DIR -- COMMAND … {run} …`.

The command, in which `{run}` stands for its run folder, is run once to its end. Then it is started in another folder,
and its whole process group is killed with SIGKILL, again and again, at seeded random moments that are spread over the
duration of the first run, and started anew each time, until it ends by itself. At last all artefacts are compared byte
for byte, files inside Zarr stores among them. For instance

    python -m benchmarks.kills --kills 20 --seed 0 --out /tmp/kills -- \
        awd distill X.npy --teacher mine:Network --weights w.safetensors --out {run}

The moments are moments of work. A process that goes on with a run first comes back to the step in which the last one
was killed; from there the next gap is counted. So the kills keep to where they were drawn, and the run goes forward:
what is lost is the piece of work that each kill hits. If the run should end before all kills were used, as it may where
the machine is faster than it was before, it begins anew in a third folder for the rest.
"""

import argparse
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.compared_runs import NOT_COMPARED, TIMED
from benchmarks.compared_runs import differences as differences

PLACEHOLDER = "{run}"
LOG = "log.txt"

START, AFTER = "start", "after "
"""What a run is at before its first step, and between two."""
POLL = 0.02
"""Seconds between two looks at the log."""
STEP = re.compile(r"^[\d-]+ [\d:]+ UTC  (?P<name>.+?): (?P<what>begun$|done in |stopped by |\d+ of \d+)")


@dataclass(frozen=True)
class Kill:
    """One kill.

    Attributes
    ----------
    round : int
        Which folder, from 1.
    moment : float
        Seconds of the first run's work at which it was meant to come.
    lived : float
        Seconds for which the process had been alive.
    step : str
        What the run was at according to its log.
    """

    round: int
    moment: float
    lived: float
    step: str


class Run:
    """A process at work in a run folder, in a process group of its own."""

    def __init__(self, command: Sequence[str], folder: Path, output: Path) -> None:
        self.folder, self._output = folder, output.open("ab")
        self._seen = self._length()
        self._began = time.monotonic()
        self._process = subprocess.Popen(
            [part.replace(PLACEHOLDER, str(folder)) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._output,
            start_new_session=True,
        )

    @property
    def lived(self) -> float:
        """Seconds since it was started."""
        return time.monotonic() - self._began

    def code(self) -> int | None:
        """What it ended with; None while it is at work."""
        return self._process.poll()

    @property
    def lines(self) -> list[str]:
        """What this process has written to the log; whole lines alone."""
        if self._length() <= self._seen:
            return []
        with (self.folder / LOG).open("rb") as file:
            file.seek(self._seen)
            return file.read().decode(errors="replace").split("\n")[:-1]

    def at_work(self, step: str) -> bool:
        """Whether it has come to the step, or to its first if there is none."""
        return any(step in ("", name) for name in _steps(self.lines))

    def kill(self) -> None:
        """End it and all that it started, as a power cut would."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._output.close()

    def wait(self) -> int:
        """Let it end by itself."""
        code = self._process.wait()
        self._output.close()
        return code

    def _length(self) -> int:
        log = self.folder / LOG
        return log.stat().st_size if log.exists() else 0


def moments(duration: float, kills: int, seed: int) -> list[float]:
    """Seeded random moments, increasing, spread over a duration: one in each of as many equal parts.

    Examples
    --------
    >>> drawn = moments(10.0, 5, seed=0)
    >>> all(2 * i <= moment < 2 * i + 2 for i, moment in enumerate(drawn))
    True
    """
    return [float((i + u) * duration / kills) for i, u in enumerate(np.random.default_rng(seed).random(kills))]


def current_step(lines: Iterable[str]) -> str:
    """What a run was at, by the lines of its log: a step's name, "after …", or "start"."""
    now = START
    for line in lines:
        if (found := STEP.match(line)) is not None:
            now = found["name"] if not found["what"].startswith("done") else f"{AFTER}{found['name']}"
    return now


def timeline(command: Sequence[str], folder: Path, output: Path) -> tuple[int, float, float]:
    """Run a command to its end; its exit code, seconds until it was at work, and seconds of work."""
    run, began = Run(command, folder, output), None
    while run.code() is None:
        if began is None and run.at_work(""):
            began = run.lived
        time.sleep(POLL)
    total = run.lived
    begun = total if began is None else began
    return run.wait(), begun, total - begun


def interrupted(
    command: Sequence[str], folder: Path, output: Path, wanted: Sequence[float], *, number: int, origin: float = 0.0
) -> tuple[int, list[Kill]]:
    """Run a command, kill it at the moments wanted, and let it end.

    Parameters
    ----------
    command : sequence of str
        With `{run}` for the folder.
    folder, output : Path
        The run folder, and where what it prints is kept.
    wanted : sequence of float
        Moments, in seconds of work.
    number : int
        Of the round, for the record.
    origin : float
        Moment at which the round begins.

    Returns
    -------
    code : int
        Exit code of the process that was left to end.
    kills : list of Kill
        Those that came before that.
    """
    done: list[Kill] = []
    step = ""
    for moment in wanted:
        run = Run(command, folder, output)
        while run.code() is None and not run.at_work(step):
            time.sleep(POLL)
        back, gap = run.lived, moment - origin
        while run.code() is None and run.lived - back < gap:
            time.sleep(min(POLL, max(0.0, gap - run.lived + back)))
        if run.code() is not None:
            return run.wait(), done
        lived = run.lived
        run.kill()
        if run.code() != -signal.SIGKILL:  # it had just ended
            return run.code() or 0, done
        where = current_step(run.lines)
        done.append(Kill(number, moment, lived, where))
        step, origin = "" if where == START else where.removeprefix(AFTER), moment
    return Run(command, folder, output).wait(), done


def _steps(lines: Iterable[str]) -> list[str]:
    return [found["name"] for line in lines if (found := STEP.match(line)) is not None]


def main(arguments: list[str] | None = None) -> int:
    """Run, kill, compare and print; 0 if all is the same, 1 if anything differs or a run failed after a kill."""
    parser = _parser()
    given = sys.argv[1:] if arguments is None else arguments
    if "--" not in given:
        parser.error("put the command behind --, with {run} for its run folder")
    split = given.index("--")
    options, command = parser.parse_args(given[:split]), given[split + 1 :]
    if not any(PLACEHOLDER in part for part in command):
        parser.error("the command must have {run} where its run folder is named: each run needs a folder of its own")
    if options.kills < 1:
        parser.error(f"--kills is {options.kills}; it must be 1 or more")
    if options.out.exists() and any(options.out.iterdir()):
        parser.error(f"{options.out} is not empty; give a new folder")
    options.out.mkdir(parents=True, exist_ok=True)
    console = Console(width=160, highlight=False)
    console.print(f"Command: {shlex.join(command)}", markup=False)
    whole, output = options.out / "whole", options.out / "whole.txt"
    code, begin, work = timeline(command, whole, output)
    if code != 0 or not (whole / LOG).exists():
        why = f"ended with exit code {code}" if code else f"wrote no {LOG} into {whole}: is it a run folder?"
        parser.error(f"the command {why}; {output} has what it printed")
    console.print(f"Run to its end: {begin:.1f} s until it was at work, {work:.1f} s of work.")
    wanted = moments(work, options.kills, options.seed)
    kills: list[Kill] = []
    found: list[str] = []
    compared = number = 0
    while len(kills) < len(wanted):
        number += 1
        folder, output = options.out / f"killed-{number}", options.out / f"killed-{number}.txt"
        origin = 0.0 if number == 1 else kills[-1].moment
        code, done = interrupted(command, folder, output, wanted[len(kills) :], number=number, origin=origin)
        kills += done
        if code != 0:
            found.append(f"round {number}: the run ended with exit code {code}; see {output}")
            break
        compared, differing = differences(whole, folder, options.ignore)
        found += [f"round {number}: {difference}" for difference in differing]
        if not done:
            break
    console.print(_table(kills))
    counts = {step: [kill.step for kill in kills].count(step) for step in dict.fromkeys(kill.step for kill in kills)}
    console.print(f"Kills by step: {', '.join(f'{step} {count}' for step, count in counts.items()) or 'none'}.")
    left_out = [*NOT_COMPARED, *options.ignore]
    console.print(f"Not compared, since they hold times or paths: {', '.join(left_out)}.", markup=False)
    timed = ", ".join(f"{pattern} ({' and '.join(keys)})" for pattern, keys in TIMED.items())
    console.print(f"Compared but for times: {timed}.", markup=False)
    if len(kills) < len(wanted):
        console.print(f"[yellow]Only {len(kills)} of {len(wanted)} kills came before the run's end.[/]")
    for difference in found:
        console.print(f"[red]{difference}[/]")
    if not found:
        console.print(f"The same bits after {len(kills)} kills: {compared} files are equal.")
    return 1 if found or not kills else 0


def _table(kills: Sequence[Kill]) -> Table:
    table = Table(title="Kills", title_justify="left", title_style="bold")
    for heading in ("kill", "round", "moment of work, s", "process lived, s"):
        table.add_column(heading, justify="right")
    table.add_column("the run was at")
    for place, kill in enumerate(kills, start=1):
        table.add_row(str(place), str(kill.round), f"{kill.moment:.2f}", f"{kill.lived:.2f}", kill.step)
    return table


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.kills",
        usage="%(prog)s [--kills N] [--seed N] [--ignore PATTERN] --out DIR -- COMMAND … {run} …",
        description="Kill a run at random moments, let it end, and compare it with one that nobody killed.",
    )
    parser.add_argument("--kills", type=int, default=20, metavar="N", help="how often; 20 if not given")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the moments")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="new folder for the runs")
    parser.add_argument(
        "--ignore", action="append", default=[], metavar="PATTERN", help="do not compare such files either"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
