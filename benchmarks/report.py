"""What a benchmark found, as data; and that data as a table for a terminal, as Markdown and as JSON."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from rich.table import Table

from benchmarks.timing import Rounds

ABSENT = "–"
NOISY = 0.25
"""Spread above which a row says little."""

DIFFERS = "≠"
"""Mark of a contender that computes something else, and so is out of the competition."""


@dataclass(frozen=True)
class Measure:
    """One figure of one contender.

    Parameters
    ----------
    value : float
        Median of the rounds: seconds, or a multiple of the input's size.
    minimum, spread : float
        Least of the rounds, and their interquartile range over the median.
    rounds : tuple of float
        All that was measured.
    ratio : float, optional
        How many times ours it is (for times: the median of the ratios within the rounds).
    calls : int
        Calls in a round.
    differs : bool
        Whether the contender failed the comparison of its results.
    """

    value: float
    minimum: float
    spread: float
    rounds: tuple[float, ...]
    ratio: float | None = None
    calls: int = 1
    differs: bool = False


@dataclass(frozen=True)
class Goal:
    """What was aimed at, and what was reached."""

    sign: Literal["≥", "≤"]
    limit: float
    of: str
    reached: float | None

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None if there was nobody to compare with."""
        if self.reached is None:
            return None
        return self.reached >= self.limit if self.sign == "≥" else self.reached <= self.limit

    @property
    def text(self) -> str:
        """As a few words: ≥ 4× awave."""
        return f"{self.sign} {self.limit:g}× {self.of}"

    @property
    def verdict(self) -> str:
        """The goal and what came of it."""
        return f"{self.text}: {({None: 'not measured', True: 'met', False: 'MISSED'})[self.met]}"


@dataclass(frozen=True)
class Row:
    """One comparison.

    Parameters
    ----------
    labels : tuple of str
        Under the section's headings.
    measures : mapping of str to Measure
        By contender; who could not take part is missing.
    unit : {"ms", "× input"}
        Of the figures.
    goal : Goal, optional
        What was aimed at.
    """

    labels: tuple[str, ...]
    measures: Mapping[str, Measure]
    unit: Literal["ms", "× input"] = "ms"
    goal: Goal | None = None

    def best(self, among: tuple[str, ...]) -> str | None:
        """The one with the least ratio to ours, of those that compute the same."""
        ratios = {name: self.measures[name].ratio for name in among if name in self.measures}
        fit = {name: r for name, r in ratios.items() if r is not None and not self.measures[name].differs}
        return min(fit, key=lambda name: fit[name]) if fit else None


@dataclass
class Section:
    """What one module measured.

    Parameters
    ----------
    name, title : str
        The module's name, and a heading.
    headings : tuple of str
        Of the rows' labels.
    contenders : tuple of str
        Columns, ours first.
    peers : tuple of str
        The contenders that count as peers.
    rows : list of Row
        The comparisons.
    notes : list of str
        What the reader must know: agreement of the results, who could not take part and why, fits.
    sound : bool
        Whether our own results stood the comparison.
    """

    name: str
    title: str
    headings: tuple[str, ...]
    contenders: tuple[str, ...]
    peers: tuple[str, ...]
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    sound: bool = True


def measures(figures: Mapping[str, Rounds], against: str, differing: frozenset[str]) -> dict[str, Measure]:
    """Measures of contenders that were compared, with their ratios to one of them.

    Parameters
    ----------
    figures : mapping of str to Rounds
        Of one comparison, all with the same number of rounds.
    against : str
        The contender whose figure is 1.
    differing : frozenset of str
        Contenders whose results were not the same.
    """
    return {
        name: Measure(
            rounds.median,
            min(rounds.values),
            rounds.spread,
            rounds.values,
            None if name == against else rounds.ratio_to(figures[against]),
            rounds.calls,
            name in differing,
        )
        for name, rounds in figures.items()
    }


def table(section: Section) -> Table:
    """The section for a terminal."""
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
        style = {None: "default", True: "green", False: "red"}[row.goal.met if row.goal else None]
        result.add_row(*shown, *cells[labels - 1 : -1], f"[{style}]{cells[-1]}[/]")
    return result


def disturbances(section: Section) -> list[str]:
    """A warning if much of what was measured is noise."""
    noisy = [row for row in section.rows if _spread(row, section) > NOISY]
    if not noisy:
        return []
    return [
        f"In {len(noisy)} of {len(section.rows)} rows of “{section.title}” the spread is above {NOISY:.0%}: something "
        "disturbed the run, and these ratios are of little worth."
    ]


def goals(section: Section) -> list[str]:
    """For each goal, in how many of its rows it is met, and where not."""
    counted: dict[str, list[Row]] = {}
    for row in section.rows:
        if row.goal and row.goal.met is not None:
            counted.setdefault(f"{row.labels[-2]} {row.goal.text}", []).append(row)
    lines = []
    for goal, rows in counted.items():
        missed = [" ".join((*row.labels[:-2], row.labels[-1])) for row in rows if row.goal and not row.goal.met]
        line = f"Goal {goal}: met in {len(rows) - len(missed)} of {len(rows)}"
        lines.append(f"{line}; missed: {', '.join(missed)}." if missed else f"{line}.")
    return lines


def markdown(sections: list[Section], circumstances: str, cautions: list[str]) -> str:
    """The sections for the documentation."""
    parts = [f"Measured in one run: {circumstances}."]
    parts += [f"**{caution}**" for caution in cautions]
    for section in sections:
        headings, rows = _cells(section)
        rule = [
            "---" if n < len(section.headings) or heading == "goal" else "--:" for n, heading in enumerate(headings)
        ]
        lines = [f"| {' | '.join(cells)} |" for cells in (headings, rule, *rows)]
        parts += [f"## {section.title}", "\n".join(lines)]
        parts += ["\n".join(f"- {note}" for note in (*goals(section), *section.notes))]
    return "\n\n".join(parts) + "\n"


def to_json(sections: list[Section], machine: dict[str, Any]) -> dict[str, Any]:
    """Everything, the raw rounds included, as JSON values."""
    found = {section.name: asdict(section) for section in sections}
    for section in sections:
        for row, record in zip(section.rows, found[section.name]["rows"], strict=True):
            record["best_peer"] = row.best(section.peers)
            if row.goal:
                record["goal"]["met"] = row.goal.met
    return {"format": "awd-benchmarks", "version": 1, "machine": machine, "sections": found}


def _cells(section: Section) -> tuple[list[str], list[list[str]]]:
    present = [name for name in section.contenders if any(name in row.measures for row in section.rows)]
    headings = [*section.headings, *present, "spread", "best peer"]
    headings += ["goal"] if any(row.goal for row in section.rows) else []
    rows = []
    for row in section.rows:
        figures = [_figure(row, name) for name in present]
        name = row.best(section.peers)
        best = ABSENT if name is None else f"{name} {_times(row.measures[name].ratio)}"
        cells = [*row.labels, *figures, f"{_spread(row, section):.0%}", best, row.goal.verdict if row.goal else ""]
        rows.append(cells[: len(headings)])
    return headings, rows


def _spread(row: Row, section: Section) -> float:
    """Largest spread of ours and the peers; what else a row holds may be too short a call to be steady."""
    competing = (section.contenders[0], *section.peers)
    return max(row.measures[name].spread for name in competing if name in row.measures)


def _figure(row: Row, name: str) -> str:
    measure = row.measures.get(name)
    if measure is None:
        return ABSENT
    if row.unit == "ms":
        ratio = "" if measure.ratio is None else f" ({_times(measure.ratio)})"
        figure = f"{_three_digits(1e3 * measure.value)} ms{ratio}"
    else:
        figure = f"{measure.value:.2f} {row.unit}"
    return f"{figure} {DIFFERS}" if measure.differs else figure


def _times(ratio: float | None) -> str:
    return ABSENT if ratio is None else f"{_three_digits(ratio)}×"


def _three_digits(value: float) -> str:
    return f"{value:.0f}" if value >= 99.95 else f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"
