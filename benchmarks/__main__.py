"""Command line of the benchmarks; `python -m benchmarks --help`."""

import argparse
import importlib
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from awd_core.files import write_atomically
from awd_core.plotting import save_figure
from benchmarks import BENCHMARKS, tables
from benchmarks.chart import draw_chart
from benchmarks.contenders import load_awave
from benchmarks.machine import cautions, describe, summary
from benchmarks.page import update_page
from benchmarks.record import compared, read_record, write_record
from benchmarks.report import Section
from benchmarks.timing import Settings, use_all_cores

ROOT = Path(__file__).resolve().parents[1]
RECORD, PAGE, CHART = "benchmarks/last.json", "docs/benchmarks.md", "docs/figures/benchmarks.png"
"""What is kept, below the root of the repository."""

OUT = Path("runs/benchmarks")
WIDEST = 240
"""Columns that no table exceeds."""


def main(arguments: list[str] | None = None) -> int:
    """Measure, print the tables, and keep the figures if that is asked for.

    Returns
    -------
    int
        1 if a part failed or results of ours are not what they should be, else 0: a missed goal is no failure.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    record = options.root / RECORD
    try:
        last = read_record(record)
    except ValueError as error:
        parser.error(str(error))
    if options.quick and options.keep:
        parser.error("a quick run's figures are too rough to be kept; leave out --quick or --keep")
    if options.keep and not (options.root / PAGE).is_file():
        parser.error(f"there is no {PAGE} in {options.root} to keep figures in; give the repository by --root")
    if options.redraw:
        if not last:
            parser.error(f"there is no {record} to draw from; measure first, with --keep")
        _publish(options.root, last)
        return 0
    if options.awave is not None:
        try:
            load_awave(options.awave)
        except ImportError as error:
            parser.error(f"{options.awave} cannot be imported ({error}); install what it needs, or leave --awave out")
        except FileNotFoundError as error:
            parser.error(str(error))
    settings = Settings(options.quick, options.awave)
    use_all_cores()
    # Tables may be wider than the terminal: rich would cut their figures to make them fit.
    console, progress = Console(width=WIDEST, highlight=False), Console(stderr=True, highlight=False)
    text_width = max(80, Console().width)
    machine = describe(settings)
    console.print(f"{summary(machine)}.", width=text_width)
    for warning in cautions(machine):
        console.print(f"[yellow]{warning}[/]", width=text_width)
    start = time.perf_counter()

    def log(line: str) -> None:
        progress.print(f"{time.perf_counter() - start:4.0f} s  {line}", style="dim", markup=False)

    found: dict[str, Section] = {}
    failed = []
    options.out.mkdir(parents=True, exist_ok=True)
    for name in [name for name in BENCHMARKS if name in (options.only or BENCHMARKS)]:
        try:
            section = _measured(name, settings, log)
        except Exception:  # the other parts are not to be lost
            failed.append(name)
            console.print(f"[red]{name} failed; the others go on.[/]")
            progress.print(traceback.format_exc(), markup=False)
            continue
        section = found[name] = compared(section, last.get(name))
        console.print(tables.detail(section))
        notes = (*tables.goals(section), *section.notes, *tables.since_last_time(section))
        for note in notes:
            console.print(f"- {note}", markup=False, width=text_width)
        for warning in tables.disturbances(section):
            console.print(f"[yellow]{warning}[/]", width=text_width)
        console.print(f"{name} took {section.seconds:.0f} s.")
        write_record(options.out / "figures.json", found)
        if options.keep:
            # Part by part: a run that is broken off has kept what it had.
            write_record(record, {**last, **found})
    if found:
        sections = list(found.values())
        console.print(tables.overview(sections))
        text = f"{tables.markdown_overview(sections)}\n\n{tables.markdown_details(sections)}\n"
        write_atomically(options.out / "tables.md", text.encode())
        save_figure(draw_chart(sections), options.out / "chart.png", dpi=150)
        if options.keep:
            _publish(options.root, {**last, **found})
    kept = f", kept in {record}, {PAGE} and {CHART}" if options.keep else ""
    console.print(f"Took {(time.perf_counter() - start) / 60:.1f} minutes. Written to {options.out}{kept}.")
    for section in found.values():
        if not section.sound:
            console.print(f"[red]Our own results are wrong in: {section.title}. See the notes there.[/]")
    if failed:
        console.print(f"[red]Failed: {', '.join(failed)}. Once mended, `--only {failed[0]}` adds it.[/]")
    return 1 if failed or not all(section.sound for section in found.values()) else 0


def _measured(name: str, settings: Settings, log: Callable[[str], None]) -> Section:
    machine, start = describe(settings), time.perf_counter()
    section: Section = importlib.import_module(f"benchmarks.{name}").run(settings, log)
    return replace(section, machine=machine, seconds=time.perf_counter() - start)


def _publish(root: Path, kept: Mapping[str, Section]) -> None:
    """The generated parts of the page, and the chart, from what is kept."""
    sections = [kept[name] for name in BENCHMARKS if name in kept]
    minutes = sum(section.seconds for section in sections) / 60
    of = sorted({summary(section.machine) for section in sections})
    took = f" in {minutes:.0f} minutes" if all(section.seconds for section in sections) else ""
    about = f"Measured{took}: {'; '.join(of)}."
    parts = {
        "overview": f"{about}\n\n{tables.markdown_overview(sections)}",
        "details": tables.markdown_details(sections),
    }
    update_page(root / PAGE, parts)
    save_figure(draw_chart(sections), root / CHART, dpi=150)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m benchmarks", description="Speed and memory against peers and against last time, in one run."
    )
    parser.add_argument("--only", action="append", choices=BENCHMARKS, help="run this one; may be given again")
    parser.add_argument("--awave", metavar="PATH", help="checkout of Yu-Group/adaptive-wavelets to compare with")
    parser.add_argument("--quick", action="store_true", help="just see that everything runs; figures are rough")
    parser.add_argument(
        "--keep", action="store_true", help=f"put the figures into {RECORD}, {PAGE} and {CHART}; the next run compares"
    )
    parser.add_argument("--redraw", action="store_true", help="measure nothing: page and chart from what is kept")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", default=OUT, help=f"figures, tables, chart; {OUT} by default"
    )
    parser.add_argument("--root", type=Path, metavar="DIR", default=ROOT, help="of the repository")
    return parser


if __name__ == "__main__":
    sys.exit(main())
