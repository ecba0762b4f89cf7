"""What a benchmark found, as data: measures of contenders in rows, with goals, in a section."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from benchmarks.timing import Rounds


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
    """What was aimed at, and what was reached, in multiples of a contender's or in a unit.

    Parameters
    ----------
    sign : {"≥", "≤"}
        Whether more is better, or less.
    limit : float
        The goal.
    of : str
        The contender, or what else the multiple is of.
    reached : float, optional
        None if there was nobody to compare with.
    unit : str
        Stands behind the number.
    """

    sign: Literal["≥", "≤"]
    limit: float
    of: str
    reached: float | None
    unit: str = "×"

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None if there was nobody to compare with."""
        if self.reached is None:
            return None
        return self.reached >= self.limit if self.sign == "≥" else self.reached <= self.limit

    @property
    def text(self) -> str:
        """As a few words: ≥ 4× awave."""
        number = f"{self.limit:,.0f}" if self.limit >= 1000 else f"{self.limit:g}"
        return f"{self.sign} {number}{self.unit} {self.of}".rstrip()

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
    unit : {"time", "× input"}
        Of the figures: seconds, or multiples of the input's size.
    goal : Goal, optional
        What was aimed at.
    before : mapping of str to float
        Figures of the run that was kept before, by contender.
    """

    labels: tuple[str, ...]
    measures: Mapping[str, Measure]
    unit: Literal["time", "× input"] = "time"
    goal: Goal | None = None
    before: Mapping[str, float] = field(default_factory=dict)

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
    machine, before : dict
        Circumstances of this run (`benchmarks.machine`) and of the one that was kept before; empty if not known.
    seconds : float
        That the whole section took.
    """

    name: str
    title: str
    headings: tuple[str, ...]
    contenders: tuple[str, ...]
    peers: tuple[str, ...]
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    sound: bool = True
    machine: dict[str, Any] = field(default_factory=dict)
    before: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def ours(self) -> str:
        """Our own contender's column."""
        return self.contenders[0]

    def spread(self, row: Row) -> float:
        """Largest spread of ours and the peers; what else a row holds may be too short a call to be steady."""
        competing = (self.ours, *self.peers)
        return max(row.measures[name].spread for name in competing if name in row.measures)


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
