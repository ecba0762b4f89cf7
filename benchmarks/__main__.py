"""Command line of the benchmarks; `python -m benchmarks --help`."""

import argparse
import importlib
import json
import sys
import time
from pathlib import Path

from rich.console import Console

from awd_core.files import write_atomically
from benchmarks import BENCHMARKS, report
from benchmarks.contenders import load_awave
from benchmarks.machine import cautions, describe, summary
from benchmarks.report import Section
from benchmarks.timing import Settings, use_all_cores

WIDEST = 240
"""Columns that no table exceeds."""


def main(arguments: list[str] | None = None) -> int:
    """Run benchmarks, print their tables and write them.

    Parameters
    ----------
    arguments : list of str, optional
        The command line's, by default.

    Returns
    -------
    int
        1 if results of ours are not what they should be, else 0: a missed goal is no failure.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    for path in (options.out, options.table):
        if path is not None and not path.parent.is_dir():
            parser.error(f"cannot write {path}: the folder {path.parent} does not exist; make it first")
    if options.awave is not None:
        try:
            load_awave(options.awave)
        except ImportError as error:
            parser.error(f"{options.awave} cannot be imported ({error}); install what it needs, or leave --awave out")
        except FileNotFoundError as error:
            parser.error(str(error))
    settings = Settings(options.quick, options.awave)
    use_all_cores()
    machine = describe(settings)
    # Tables may be wider than the terminal: rich would cut their figures to make them fit.
    console, progress = Console(width=WIDEST, highlight=False), Console(stderr=True, highlight=False)
    text_width = max(80, Console().width)
    console.print(f"{summary(machine)}.", width=text_width)
    warnings = cautions(machine)
    for warning in warnings:
        console.print(f"[yellow]{warning}[/]", width=text_width)

    sections = []
    start = time.perf_counter()

    def log(line: str) -> None:
        progress.print(f"{time.perf_counter() - start:4.0f} s  {line}", style="dim")

    for name in dict.fromkeys(options.only or BENCHMARKS):
        module = importlib.import_module(f"benchmarks.{name}")
        section: Section = module.run(settings, log)
        sections.append(section)
        console.print(report.table(section))
        for note in (*report.goals(section), *section.notes):
            console.print(f"- {note}", markup=False, width=text_width)
        for warning in report.disturbances(section):
            warnings.append(warning)
            console.print(f"[yellow]{warning}[/]", width=text_width)
    console.print(f"Took {time.perf_counter() - start:.0f} s.")

    if options.out is not None:
        text = json.dumps(
            report.to_json(sections, {**machine, "cautions": warnings}), indent=1, ensure_ascii=False, allow_nan=False
        )
        write_atomically(options.out, f"{text}\n".encode())
    if options.table is not None:
        write_atomically(options.table, report.markdown(sections, summary(machine), warnings).encode())
    unsound = [section.title for section in sections if not section.sound]
    for title in unsound:
        console.print(f"[red]Our own results are wrong in: {title}. See the notes there.[/]")
    return 1 if unsound else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks", description="Speed and memory against peers, in one run.")
    parser.add_argument("--only", action="append", choices=BENCHMARKS, help="run this one; may be given again")
    parser.add_argument("--awave", metavar="PATH", help="checkout of Yu-Group/adaptive-wavelets to compare with")
    parser.add_argument("--quick", action="store_true", help="just see that everything runs; figures are rough")
    parser.add_argument("--out", type=Path, metavar="FILE.json", help="write all figures, raw rounds included")
    parser.add_argument("--table", type=Path, metavar="FILE.md", help="write the tables as Markdown")
    return parser


if __name__ == "__main__":
    sys.exit(main())
