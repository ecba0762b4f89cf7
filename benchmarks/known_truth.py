"""Is the truth found again? `python -m benchmarks.known_truth --seeds 10`.

For each seed, white noise and a response that is linear in a few coefficients of a hidden wavelet; a network of two
layers is trained to predict it, and distilled from another wavelet. What counts is the distance between the taps that
come out and the hidden ones, over shifts and reversal. Beside it stands what comes out without the interpretation term,
which knows nothing of the network.
"""

import argparse
import math
import statistics
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from awd_core.distill import DistillationPath, PathPoint, SearchSettings, distill_path
from awd_core.evidence import KnownTruth, simulate_known_truth
from awd_core.files import write_atomically, write_json
from awd_core.wavelets import Wavelet
from benchmarks.landscape import draw_landscape
from benchmarks.machine import describe, summary
from benchmarks.page import markdown_table
from benchmarks.timing import Settings

Array = npt.NDArray[np.float64]

GOAL = 0.005
"""Distance of the taps, on a scale where taps have norm 1, below which the truth counts as found."""

NOISE = 0.03
"""Of the response, relative to it: a perfect teacher has R² = 0.9991."""


@dataclass(frozen=True)
class Scenario:
    """A hidden wavelet, inputs, and where the distillation starts.

    Parameters
    ----------
    title : str
        What it is called in the tables.
    wavelet, taps
        The hidden wavelet, as in `simulate_known_truth`.
    start : str
        Its length is the length of what comes out.
    shape : tuple of int
        Of an input.
    levels : int
        Of the hidden transform and of that which is learnt.
    search : SearchSettings
        How hard to search.
    """

    title: str
    wavelet: str
    taps: int | None
    start: str
    shape: tuple[int, ...]
    levels: int
    search: SearchSettings


# A thousand inputs are enough to search with, and some ten thousand to refine: the teacher's gradients differ from
# the slope by a few per cent, much of which averages out. The fewer the free angles, the fewer the minima.
_TWO_ANGLES = SearchSettings(random_starts=8, small_batch=1 << 16, large_batch=1 << 20)
_FOUR_ANGLES = SearchSettings(random_starts=96, small_batch=1 << 15, large_batch=1 << 20)
_IMAGES = SearchSettings(random_starts=8, small_batch=1 << 17, large_batch=1 << 21)

SCENARIOS = {
    "db3": Scenario("db3 from coif1", "db3", None, "coif1", (64,), 3, _TWO_ANGLES),
    "longer": Scenario("db3 from db5", "db3", None, "db5", (64,), 3, _FOUR_ANGLES),
    "random": Scenario("random, 10 taps, from db5", "random", 10, "db5", (64,), 3, _FOUR_ANGLES),
    "images": Scenario("db3 from coif1, images", "db3", None, "coif1", (16, 16), 2, _IMAGES),
}


@dataclass(frozen=True)
class Recovery:
    """What came of one seed.

    Attributes
    ----------
    scenario, seed
        Which one.
    r2, gradient_error : float
        Of the teacher: R² on held-out samples; root mean square of ‖∇f(x) − slope‖ over ‖slope‖.
    start, found, without : float
        Distance to the hidden taps: of the start, of what was distilled, and of what sparsity alone gives.
    found_function : float
        As `found`, between the wavelet functions: the paper's measure.
    led_there, starts : int
        How many of the searches ended in the minimum that was found, and how many there were; those that began at the
        hidden wavelet itself (it may be among PyWavelets' of that length) count in neither.
    taps : tuple of float
        Of the distilled wavelet.
    seconds : dict
        Of training and distillation.
    """

    scenario: str
    seed: int
    r2: float
    gradient_error: float
    start: float
    found: float
    without: float
    found_function: float
    led_there: int
    starts: int
    taps: tuple[float, ...]
    seconds: dict[str, float]


def recover(name: str, seed: int, *, samples: int = 50_000) -> tuple[Recovery, KnownTruth, Array, DistillationPath]:
    """Simulate, train, distil and compare, for one seed of one scenario.

    Returns
    -------
    recovery : Recovery
        The result.
    truth : KnownTruth
        The simulation.
    gradients : ndarray, of the shape of its inputs
        The teacher's.
    path : DistillationPath
        Of the shares 0 and 1.
    """
    scenario = SCENARIOS[name]
    truth = simulate_known_truth(
        wavelet=scenario.wavelet,
        taps=scenario.taps,
        samples=samples,
        shape=scenario.shape,
        levels=scenario.levels,
        noise=NOISE,
        seed=seed,
    )
    began = time.perf_counter()
    teacher, r2 = truth.teacher(seed=seed)
    gradients = truth.gradients(teacher)
    trained = time.perf_counter()
    path = distill_path(
        truth.X,
        gradients,
        wavelet=scenario.start,
        levels=scenario.levels,
        ndim=len(scenario.shape),
        shares=(0.0, 1.0),
        seed=seed,
        search=scenario.search,
    )
    distilled = time.perf_counter()
    without, found = (point.wavelet for point in path)
    error = np.sqrt(np.square(gradients - truth.slope).mean() / np.square(truth.slope).mean())
    led_there, starts = _starts_that_led_to(found, path[1], truth.wavelet)
    recovery = Recovery(
        scenario=name,
        seed=seed,
        r2=r2,
        gradient_error=float(error),
        start=path.start.distance(truth.wavelet),
        found=found.distance(truth.wavelet),
        without=without.distance(truth.wavelet),
        found_function=found.distance(truth.wavelet, of="function"),
        led_there=led_there,
        starts=starts,
        taps=tuple(found.taps.tolist()),
        seconds={"train": trained - began, "distil": distilled - trained},
    )
    return recovery, truth, gradients, path


def _starts_that_led_to(found: Wavelet, point: PathPoint, hidden: Wavelet) -> tuple[int, int]:
    """Of all starts but the hidden wavelet itself: those that ended in the minimum that was found, and all of them."""
    searches = {d.steps[0].free_angles: d for d in point.descents if not d.start.startswith(("refined", "path"))}
    ends = []
    for free, search in searches.items():
        began = Wavelet.from_angles([math.pi / 4 - sum(free), *free])
        if began.distance(hidden) > GOAL:
            ends.append(Wavelet.from_angles(search.angles))
    # Minima on the small batch and on the large one differ a little.
    return sum(end.distance(found) < 2 * GOAL for end in ends), len(ends)


HEADINGS = (
    "hidden, start", "found", "distance: median", "worst", "start", "without teacher", "starts that led there",
    "teacher's R²", "train", "distil",
)  # fmt: skip


NOTE = (
    f"Distance: least ‖h − h′‖ over shifts and reversal, of taps of norm 1; found: below {GOAL:g}. Without teacher: by "
    "sparsity of the inputs alone. Starts that led there: of all but the hidden wavelet itself. Times: of one seed."
)


def rows(recoveries: list[Recovery]) -> list[tuple[str, ...]]:
    """One line per scenario, under `HEADINGS`."""
    lines: list[tuple[str, ...]] = []
    for name, scenario in SCENARIOS.items():
        of = [recovery for recovery in recoveries if recovery.scenario == name]
        if not of:
            continue
        found = [recovery.found for recovery in of]
        share = sum(recovery.led_there for recovery in of) / sum(recovery.starts for recovery in of)
        train, distil = (statistics.median(recovery.seconds[part] for recovery in of) for part in ("train", "distil"))
        lines.append(
            (
                scenario.title,
                f"{sum(distance < GOAL for distance in found)} of {len(found)}",
                f"{statistics.median(found):.5f}",
                f"{max(found):.5f}",
                f"{statistics.median(recovery.start for recovery in of):.2f}",
                f"{min(recovery.without for recovery in of):.2f} or more",
                f"{share:.0%}",
                f"{min(recovery.r2 for recovery in of):.4f} or more",
                f"{train:.0f} s",
                f"{distil:.0f} s",
            )
        )
    return lines


def markdown(recoveries: list[Recovery], circumstances: str) -> str:
    """The table for the documentation."""
    table = markdown_table(list(HEADINGS), [list(cells) for cells in rows(recoveries)])
    return f"Measured in one run: {circumstances}.\n\n{table}\n\n{NOTE}\n"


def main(arguments: list[str] | None = None) -> int:
    """Run the scenarios, print a table and write what is asked for; 1 if a hidden wavelet was not found."""
    parser = argparse.ArgumentParser("python -m benchmarks.known_truth", description="Is the hidden wavelet found?")
    parser.add_argument("--seeds", type=int, default=10, metavar="N", help="seeds 0 … N − 1 of each scenario")
    parser.add_argument("--only", action="append", choices=list(SCENARIOS), help="run this one; may be given again")
    parser.add_argument("--quick", action="store_true", help="one seed and a fifth of the samples")
    parser.add_argument("--out", type=Path, metavar="FILE.json", help="write every seed's result")
    parser.add_argument("--table", type=Path, metavar="FILE.md", help="write the table as Markdown")
    parser.add_argument("--figure", type=Path, metavar="FILE.png", help="draw the landscape of the first seed of db3")
    options = parser.parse_args(arguments)
    if options.seeds < 1:
        parser.error(f"--seeds is {options.seeds}; give 1 or more")
    for file in (options.out, options.table, options.figure):
        if file is not None and not file.parent.is_dir():
            parser.error(f"cannot write {file}: the folder {file.parent} does not exist; make it first")
    names = list(dict.fromkeys(options.only or SCENARIOS))
    if options.figure is not None and "db3" not in names:
        parser.error("--figure shows the scenario db3; add --only db3")
    machine = describe(Settings(quick=options.quick))
    console, progress = Console(width=max(Console().width, 160), highlight=False), Console(stderr=True, highlight=False)
    recoveries: list[Recovery] = []
    for name in names:
        for seed in range(1 if options.quick else options.seeds):
            recovery, truth, gradients, path = recover(name, seed, samples=10_000 if options.quick else 50_000)
            recoveries.append(recovery)
            spent = sum(recovery.seconds.values())
            progress.print(f"  {name}, seed {seed}: distance {recovery.found:.5f}, {spent:.0f} s", style="dim")
            if options.figure is not None and (name, seed) == ("db3", 0):
                from awd_core.plotting import save_figure

                save_figure(draw_landscape(truth, gradients, path, 21 if options.quick else 81), options.figure)
    table = Table(*HEADINGS, title="Known truth", title_justify="left")
    for line in rows(recoveries):
        table.add_row(*line)
    console.print(table)
    console.print(NOTE, markup=False)
    if options.out is not None:
        record: dict[str, Any] = {"format": "awd-known-truth", "version": 1, "machine": machine, "goal": GOAL}
        record |= {"noise": NOISE, "scenarios": {name: asdict(SCENARIOS[name]) for name in names}}
        record["recoveries"] = [asdict(recovery) for recovery in recoveries]
        write_json(options.out, record)
    if options.table is not None:
        write_atomically(options.table, markdown(recoveries, summary(machine)).encode())
    return 0 if all(recovery.found < GOAL for recovery in recoveries) else 1


if __name__ == "__main__":
    sys.exit(main())
