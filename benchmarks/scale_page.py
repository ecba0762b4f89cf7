"""The generated parts of `docs/scale.md` and its figure, from the record of `benchmarks.scale`."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from awd_core.plotting import BEFORE, HIGH, LOW
from benchmarks.many_runs import met_or_missed
from benchmarks.page import markdown_table
from benchmarks.scale_growth import FLAT, SIDE, TITLES, Size, flatness, line
from benchmarks.scale_throughput import APART, HERE, Overhead, Rate
from benchmarks.suite_plan import PLAN, Suite, plan

GAIN, OVERHEAD = 1.7, 0.02
"""Times the throughput of one that two workers should have, and the most that the seam should cost in one process."""

PLANNED = (1, 2, 8, 32, 128, 512)
"""Workers in the table of the full suite."""

MEMORY = {"first": "own process", "largest": "largest worker", "together": "all together"}


def growth_part(sizes: Sequence[Size]) -> str:
    """Memory and time by number of items, and whether they are flat and linear."""
    parts = []
    for (task, workers), mine in _by_crew(sizes).items():
        rows = []
        for size in mine:
            memory = [f"{getattr(size, name):,.0f}" if getattr(size, name) else "–" for name in MEMORY]
            rows.append([f"{size.items:,}", f"{size.total:.1f}", f"{size.items / size.total:,.0f}", *memory])
        headings = ["items", "seconds", "items/s", *(f"{name}, MiB" for name in MEMORY.values())]
        straight = line(mine)
        flat = {told: flatness(values) for name, told in MEMORY.items() if min(values := _peaks(mine, name)) > 0}
        worst = max(flat.values())
        parts += [
            f"**{TITLES[task]}**, {_crew(workers)}:",
            markdown_table(headings, rows, words=0),
            f"Time: {straight.start:.1f} s and {1000 * straight.each:.2g} ms for each item, a straight line that all "
            f"sizes keep within {straight.off:.0%}. Largest peak over smallest: "
            f"{', '.join(f'{name} {ratio:.2f}' for name, ratio in flat.items())} (goal: at most {FLAT:g}: "
            f"{met_or_missed(worst <= FLAT)}).",
        ]
    same = all(len({size.digest for size in sizes if (size.task, size.items) == key}) == 1 for key in _keys(sizes))
    parts.append(f"Results of one process and of two workers: {'the same bits' if same else 'NOT the same'}.")
    parts.append("![Time and peak memory over the number of maps and of frames](figures/scale.png)")
    return "\n\n".join(parts)


def throughput_part(rates: Sequence[Rate], overheads: Sequence[Overhead], per_item: float) -> str:
    """Rates by workers, and what the seam costs."""
    rows = [
        [r.job, r.where, str(r.workers), f"{r.rate:,.0f}", f"{r.gain:.2f}× ({r.low:.2f}–{r.high:.2f})"] for r in rates
    ]
    two = [r for r in rates if r.workers == 2 and r.where != APART]
    told = "; ".join(f"{r.job}, {r.where}: {r.gain:.2f}× ({met_or_missed(r.gain >= GAIN)})" for r in two)
    apart = "; ".join(f"{r.job}: {r.gain:.2f}×" for r in rates if r.where == APART)

    def verdict(overhead: Overhead) -> str:
        return f"; {met_or_missed(overhead.share < OVERHEAD)}" if overhead.usual else ""

    costs = "; ".join(f"{o.job}: {o.share:+.1%} (interquartile range {o.spread:.1%}{verdict(o)})" for o in overheads)
    return "\n\n".join(
        [
            markdown_table(["work", "by", "workers", "items/s", "over one process (least and most)"], rows, words=2),
            f"Two workers, goal at least {GAIN:g}×: {told}. Two programs side by side that share nothing, which is "
            f"what the machine has to give: {apart}.",
            f"The seam in one process over a plain loop, goal below {OVERHEAD:.0%}: {costs}. An item of no work at all "
            f"costs {per_item:.1f} µs.",
        ]
    )


def suite_of(sizes: Sequence[Size], rates: Sequence[Rate]) -> Suite:
    """The full suite with the rates that were measured, of one process."""
    alone = max((s for s in sizes if (s.task, s.workers) == ("maps", 1)), key=lambda size: size.items)
    cache = alone.items * 4 * SIDE**2 / 1e6 / (alone.seconds["open"] + alone.seconds["read and cache"])
    counting = next(r for r in rates if r.where == HERE and "counted" in r.job)
    return Suite(cache_rate=round(cache, 1), count_rate=round(counting.rate * 4 * 256**2 / 1e6, 1))


def suite_part(suite: Suite, workers: Sequence[int] = PLANNED) -> str:
    """What a suite costs, by workers."""
    about = (
        f"{suite.maps:,} maps of {suite.megabytes:g} MB, {suite.terabytes:.2f} TB and as much again for the cache; "
        f"{suite.statistics} statistics of {suite.features} numbers, {suite.feature_gigabytes:.1f} GB. One worker "
        f"caches {suite.cache_rate:,.0f} MB/s and counts {suite.count_rate:,.0f} MB/s; the storage that they share "
        f"gives {suite.storage_rate:,.0f} MB/s."
    )
    return f"{about}\n\n{markdown_table(PLAN, plan(suite, workers), words=0)}"


def draw(sizes: Sequence[Size]) -> Figure:
    """Time and memory over the number of items."""
    figure = Figure(figsize=(9.0, 6.4), layout="constrained")
    panels = figure.subplots(2, 2, sharex="col", squeeze=False)
    for column, (task, title) in enumerate(TITLES.items()):
        mine = {workers: found for (name, workers), found in _by_crew(sizes).items() if name == task}
        _draw_time(panels[0, column], title, mine)
        _draw_memory(panels[1, column], mine)
        panels[1, column].set_xlabel("maps" if task == "maps" else "frames")
    return figure


def _draw_time(axes: Axes, title: str, by_workers: Mapping[int, Sequence[Size]]) -> None:
    axes.set_title(title, loc="left", fontsize=9)
    for (workers, sizes), (marker, colour) in zip(by_workers.items(), (("o", LOW), ("s", HIGH)), strict=False):
        items, seconds = np.array([s.items for s in sizes]), np.array([s.total for s in sizes])
        straight = line(sizes)
        told = f"{_crew(workers)}: {straight.start:.1f} s + {1000 * straight.each:.2g} ms × items"
        axes.plot(items, seconds, marker, color=colour, label=told)
        ends = np.array([items.min(), items.max()])
        axes.plot(ends, straight.at(ends), "-", color=colour, linewidth=1)
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.locator_params(axis="x", nbins=5)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_ylabel("seconds")
    axes.legend(frameon=False, fontsize=8)
    axes.grid(color="0.9", which="major")


def _draw_memory(axes: Axes, by_workers: Mapping[int, Sequence[Size]]) -> None:
    styles = {"first": ("o", LOW), "largest": ("s", HIGH), "together": ("^", BEFORE)}
    for workers, sizes in by_workers.items():
        for name, told in MEMORY.items():
            peaks = _peaks(sizes, name)
            if min(peaks) > 0 and (workers > 1 or name == "first"):
                marker, colour = styles[name]
                axes.plot(
                    [s.items for s in sizes], peaks, marker, color=colour, linestyle="-" if workers > 1 else ":",
                    label=f"{told}, {_crew(workers)}",
                )  # fmt: skip
    axes.set_ylim(0, 1.3 * axes.dataLim.y1)  # with room for the legend
    axes.set_ylabel("peak memory, MiB")
    axes.legend(frameon=False, fontsize=7, loc="upper left", ncols=2)
    axes.grid(color="0.9", which="major")


def _crew(workers: int) -> str:
    return "one process" if workers == 1 else f"{workers} workers"


def _peaks(sizes: Sequence[Size], name: str) -> list[float]:
    return [float(getattr(size, name)) for size in sizes]


def _keys(sizes: Sequence[Size]) -> set[tuple[str, int]]:
    return {(size.task, size.items) for size in sizes}


def _by_crew(sizes: Sequence[Size]) -> dict[tuple[str, int], list[Size]]:
    found: dict[tuple[str, int], list[Size]] = {}
    for size in sorted(sizes, key=lambda size: size.items):
        found.setdefault((size.task, size.workers), []).append(size)
    return {key: found[key] for key in sorted(found)}
