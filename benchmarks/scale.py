"""Past one machine: memory, growth and workers on large data. `python -m benchmarks.scale`.

Two parts. "growth": peak memory and time of counting peaks on 1,000 to 20,000 maps and of tracking movies of 100 to
2,000 frames, in fresh processes. "throughput": 1, 2 and 4 workers, local ones and a Dask scheduler's, and the cost of
the seam in one process. With `--suite` nothing is measured: the cost of a suite of maps is told, from the rates that
were kept or from your own.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from awd_core.files import write_json
from awd_core.plotting import save_figure
from benchmarks import scale_growth, scale_page, scale_throughput
from benchmarks.machine import describe, summary
from benchmarks.page import update_page
from benchmarks.scale_growth import Size
from benchmarks.scale_throughput import Overhead, Rate
from benchmarks.suite_plan import Suite
from benchmarks.timing import Settings
from benchmarks.watch import is_watchable

ROOT = Path(__file__).resolve().parents[1]
RECORD, PAGE, FIGURE = "benchmarks/scale.json", "docs/scale.md", "docs/figures/scale.png"
PARTS = ("growth", "throughput")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and keep the figures if that is asked for."""
    parser = _parser()
    options = parser.parse_args(arguments)
    place = options.root / RECORD
    record: dict[str, Any] = json.loads(place.read_text()) if place.is_file() else {}
    console, progress = Console(width=160, highlight=False), Console(stderr=True, highlight=False)
    if options.suite:
        console.print(scale_page.suite_part(_suite(parser, options, record), options.workers), markup=False)
        return 0
    if options.quick and options.keep:
        parser.error("a quick run's figures are too rough to be kept; leave out --quick or --keep")
    if "growth" in (options.only or PARTS) and not is_watchable():
        parser.error("memory is watched in /proc, which this system does not have; give --only throughput")
    settings, start = Settings(options.quick), time.perf_counter()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the processes which were started end as well
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # of the processes that are started: each has one core

    def log(line: str) -> None:
        progress.print(f"{time.perf_counter() - start:4.0f} s  {line}", style="dim", markup=False)

    for part in [part for part in PARTS if part in (options.only or PARTS)]:
        machine, began = describe(settings), time.perf_counter()
        with tempfile.TemporaryDirectory(prefix="awd-scale-", dir=options.work) as folder:
            if part == "growth":
                found: dict[str, Any] = {
                    "sizes": [asdict(size) for size in scale_growth.measure(Path(folder), options.quick, log)]
                }
            else:
                rates, overheads, per_item = scale_throughput.measure(Path(folder), settings, log)
                found = {
                    "rates": [asdict(rate) for rate in rates],
                    "overheads": [asdict(one) for one in overheads],
                    "per_item": per_item,
                }
        record[part] = {"machine": machine, "took": time.perf_counter() - began, **found}
        console.print(parts_of({part: record[part]})[part], markup=False)
        if options.keep:
            write_json(place, record)
    if options.keep:
        parts = parts_of(record)
        if set(PARTS) <= set(record):
            parts["suite"] = scale_page.suite_part(scale_page.suite_of(_sizes(record), _rates(record)))
        update_page(options.root / PAGE, parts)
    if options.keep and "growth" in record:
        save_figure(scale_page.draw(_sizes(record)), options.root / FIGURE, dpi=150)
    console.print(f"Took {(time.perf_counter() - start) / 60:.1f} minutes.")
    return 0


def parts_of(record: Mapping[str, Any]) -> dict[str, str]:
    """Generated parts of the page, of what a record has."""
    made = {}
    if "growth" in record:
        made["growth"] = scale_page.growth_part(_sizes(record))
    if "throughput" in record:
        values = record["throughput"]
        overheads = [Overhead(**one) for one in values["overheads"]]
        made["throughput"] = scale_page.throughput_part(_rates(record), overheads, values["per_item"])
    about = {name: f"{record[name]['took'] / 60:.0f} minutes; {summary(record[name]['machine'])}." for name in made}
    return {name: f"{text}\n\nMeasured in {about[name]}" for name, text in made.items()}


def _sizes(record: Mapping[str, Any]) -> list[Size]:
    return [Size(**size) for size in record["growth"]["sizes"]]


def _rates(record: Mapping[str, Any]) -> list[Rate]:
    return [Rate(**rate) for rate in record["throughput"]["rates"]]


def _suite(parser: argparse.ArgumentParser, options: argparse.Namespace, record: Mapping[str, Any]) -> Suite:
    given = {
        "maps": options.maps, "megabytes": options.megabytes, "statistics": options.statistics,
        "cache_rate": options.cache_rate, "count_rate": options.count_rate, "storage_rate": options.storage_rate,
    }  # fmt: skip
    chosen = {name: value for name, value in given.items() if value is not None}
    if not {"cache_rate", "count_rate"} <= set(chosen):
        if not set(PARTS) <= set(record):
            parser.error(f"no rates are kept in {RECORD}; measure with --keep, or give --cache-rate and --count-rate")
        chosen = {**asdict(scale_page.suite_of(_sizes(record), _rates(record))), **chosen}
    try:
        return Suite(**chosen)
    except ValueError as error:
        parser.error(str(error))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--only", action="append", choices=PARTS, help="measure this part; may be given again")
    parser.add_argument("--quick", action="store_true", help="just see that everything runs; figures are rough")
    parser.add_argument("--keep", action="store_true", help=f"put the figures into {RECORD}, {PAGE} and {FIGURE}")
    parser.add_argument("--work", type=Path, metavar="DIR", help="folder for some 5 GB of data; a temporary one if not")
    parser.add_argument("--root", type=Path, metavar="DIR", default=ROOT, help="of the repository")
    suite = parser.add_argument_group("the cost of a suite")
    suite.add_argument("--suite", action="store_true", help="tell it, and measure nothing")
    suite.add_argument("--maps", type=int, help="how many; 1,010,000 if not given")
    suite.add_argument("--megabytes", type=float, help="of a map; 1.05")
    suite.add_argument("--statistics", type=int, help="that are counted; 10")
    suite.add_argument("--cache-rate", type=float, metavar="MB/S", help="of one worker; as measured")
    suite.add_argument("--count-rate", type=float, metavar="MB/S", help="of one worker; as measured")
    suite.add_argument("--storage-rate", type=float, metavar="MB/S", help="of what they share; 1000")
    suite.add_argument("--workers", type=int, nargs="+", default=list(scale_page.PLANNED), help="to tell it for")
    return parser


if __name__ == "__main__":
    sys.exit(main())
