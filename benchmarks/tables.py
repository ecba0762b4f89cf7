"""What benchmarks found as tables: one for each section, with all contenders, and one for all of them together."""

import statistics
from collections.abc import Iterable, Sequence

from rich.table import Table

from benchmarks.machine import summary
from benchmarks.page import markdown_table
from benchmarks.report import Row, Section

ABSENT = "–"
NOISY = 0.25
"""Spread above which a row says little."""

DIFFERS = "≠"
"""Mark of a contender that computes something else, and so is out of the competition."""

OVERVIEW = ("what", "ours", "best peer", "last time", "goal")


def detail(section: Section) -> Table:
    """The section for a terminal, with all contenders."""
    result = Table(title=section.title, title_justify="left", title_style="bold")
    headings, rows = _cells(section)
    labels = len(section.headings)
    for number, heading in enumerate(headings):
        words = number < labels or heading == "goal"
        result.add_column(heading, justify="left" if words else "right", no_wrap=True)
    group: list[str] = []
    for cells, row in zip(rows, section.rows, strict=True):
        # All labels but the last make a group, and are said once.
        shown = [""] * (labels - 1) if cells[: labels - 1] == group else cells[: labels - 1]
        if any(shown) and group:
            result.add_section()
        group = cells[: labels - 1]
        result.add_row(*shown, *cells[labels - 1 : -1], f"[{_colour(row)}]{cells[-1]}[/]")
    return result


def overview(sections: Sequence[Section]) -> Table:
    """Everything in one table for a terminal: ours, the best peer, last time, goals."""
    result = Table(title="Against peers, and against last time", title_justify="left", title_style="bold")
    for heading in OVERVIEW:
        result.add_column(heading, justify="left" if heading in ("what", "goal") else "right", no_wrap=True)
    for section in sections:
        result.add_section()
        result.add_row(f"[bold]{section.title}[/]")
        for row in section.rows:
            *cells, goal = _overview_cells(row, section)
            result.add_row(*cells, f"[{_colour(row)}]{goal}[/]")
    return result


def markdown_overview(sections: Sequence[Section]) -> str:
    """The same for the documentation."""
    rows = []
    for section in sections:
        rows.append([f"**{section.title}**", *[""] * (len(OVERVIEW) - 1)])
        rows += [_overview_cells(row, section) for row in section.rows]
    return markdown_table(list(OVERVIEW), rows)


def markdown_details(sections: Sequence[Section]) -> str:
    """All contenders, section by section, with notes and circumstances."""
    parts = []
    for section in sections:
        headings, rows = _cells(section)
        notes = [*goals(section), *section.notes, *since_last_time(section), *disturbances(section)]
        took = f"Took {section.seconds / 60:.1f} minutes. " if section.seconds else ""
        about = f"{took}{summary(section.machine)}." if section.machine else ""
        parts += [
            f"### {section.title}",
            markdown_table(headings, rows, words=len(section.headings)),
            "\n".join(f"- {note}" for note in [*notes, *([about] if about else [])]),
        ]
    return "\n\n".join(parts)


def disturbances(section: Section) -> list[str]:
    """A warning if much of what was measured is noise."""
    noisy = [row for row in section.rows if section.spread(row) > NOISY]
    if not noisy:
        return []
    return [
        f"In {len(noisy)} of {len(section.rows)} rows of “{section.title}” the spread is above {NOISY:.0%}: something "
        "disturbed the run, and these ratios are of little worth."
    ]


def goals(section: Section) -> list[str]:
    """For each goal, in how many of its rows it is met, and where not."""
    task = section.headings.index("task") if "task" in section.headings else None
    counted: dict[str, list[Row]] = {}
    for row in section.rows:
        if row.goal and row.goal.met is not None:
            of = "" if task is None else f"{row.labels[task]} "
            counted.setdefault(f"{of}{row.goal.text}", []).append(row)
    lines = []
    for goal, rows in counted.items():
        missed = [
            " ".join(label for number, label in enumerate(row.labels) if number != task)
            for row in rows
            if row.goal and not row.goal.met
        ]
        line = f"Goal {goal}: met in {len(rows) - len(missed)} of {len(rows)}"
        lines.append(f"{line}; missed: {', '.join(missed)}." if missed else f"{line}.")
    return lines


def since_last_time(section: Section) -> list[str]:
    """How ours and the peers changed since the run that was kept before, and which rows by more than noise.

    The peers' change is the machine's: what ours changed beyond it is due to the code.
    """
    ours = [_change(row, (section.ours,)) for row in section.rows]
    peers = [change for row in section.rows for name in section.peers if (change := _change(row, (name,))) is not None]
    known = [change for change in ours if change is not None]
    if not known:
        return []
    drift = statistics.median(peers) if peers else 1.0
    told = (
        f"Since last time ({section.before.get('date', 'date unknown')[:10]}): ours {_times(statistics.median(known))}"
    )
    told += f", the peers {_times(drift)}, medians over the rows." if peers else ", median over the rows."
    moved = []
    for row, change in zip(section.rows, ours, strict=True):
        beyond = 1.0 if change is None else change / (drift if row.unit == "time" else 1.0)
        if max(beyond, 1 / beyond) > 1 + max(NOISY, 2 * section.spread(row)):
            moved.append(f"{', '.join(row.labels)} {_times(beyond)}")
    noun = "Rows of ours that changed beyond that and beyond their noise"
    return [told, f"{noun}: {'; '.join(moved) or 'none'}."]


def duration(seconds: float) -> str:
    """A time in the unit that suits it."""
    if seconds < 1e-4:
        return f"{_three_digits(1e6 * seconds)} µs"
    if seconds < 1:
        return f"{_three_digits(1e3 * seconds)} ms"
    return f"{_three_digits(seconds)} s" if seconds < 7200 else f"{_three_digits(seconds / 3600)} h"


def _cells(section: Section) -> tuple[list[str], list[list[str]]]:
    present = [name for name in section.contenders if any(name in row.measures for row in section.rows)]
    headings = [*section.headings, *present, "spread", "best peer", "last time"]
    headings += ["goal"] if any(row.goal for row in section.rows) else []
    rows = []
    for row in section.rows:
        figures = [_figure(row, name) for name in present]
        name = row.best(section.peers)
        best = ABSENT if name is None else f"{name} {_times(row.measures[name].ratio)}"
        cells = [*row.labels, *figures, f"{section.spread(row):.0%}", best, _last_time(row, section)]
        rows.append([*cells, row.goal.verdict if row.goal else ""][: len(headings)])
    return headings, rows


def _overview_cells(row: Row, section: Section) -> list[str]:
    name = row.best(section.peers)
    peer = ABSENT if name is None else f"{name} {_figure(row, name)}"
    ours = _figure(row, section.ours)
    return [", ".join(row.labels), ours, peer, _last_time(row, section), row.goal.verdict if row.goal else ""]


def _last_time(row: Row, section: Section) -> str:
    """Our figure of the last run, and how many times that it is now."""
    change = _change(row, (section.ours,))
    if change is None:
        return ABSENT
    return f"{_value(row, row.before[section.ours])} (now {_times(change)})"


def _change(row: Row, names: Iterable[str]) -> float | None:
    """Now over last time; None where one is not known."""
    for name in names:
        if name in row.before and name in row.measures and row.before[name] > 0:
            return row.measures[name].value / row.before[name]
    return None


def _figure(row: Row, name: str) -> str:
    measure = row.measures.get(name)
    if measure is None:
        return ABSENT
    figure = _value(row, measure.value)
    if row.unit == "time" and measure.ratio is not None:
        figure += f" ({_times(measure.ratio)})"
    return f"{figure} {DIFFERS}" if measure.differs else figure


def _value(row: Row, value: float) -> str:
    return duration(value) if row.unit == "time" else f"{value:.2f} {row.unit}"


def _colour(row: Row) -> str:
    return {None: "default", True: "green", False: "red"}[row.goal.met if row.goal else None]


def _times(ratio: float | None) -> str:
    return ABSENT if ratio is None else f"{_three_digits(ratio)}×"


def _three_digits(value: float) -> str:
    return f"{value:,.0f}" if value >= 99.95 else f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"
