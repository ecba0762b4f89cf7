"""What a report says of a readable model: the table "Was it worth it?", its numbers, and the card, its own page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from awd_core.plotting.layout import NARROW
from awd_core.plotting.palette import FAINT, HIGH
from awd_core.readable.model import ReadableModel, Told
from awd_core.readable.worth import MODEL, Worth, WorthRow
from awd_core.report.comparison import Method, Score, comparison_figure
from awd_core.report.page import Picture, render
from awd_core.report.pictures import PlannedFigure, draw_picture
from awd_core.report.table import Column, Table
from awd_core.run.folder import RunFolder

KINDS = {
    "baseline": "trivial", "raw": "series", "plain": "wavelet", "labels": "ablation", "path": "ablation", "model":
    "awd", "network": "network",
}  # fmt: skip
"""Kinds of rows, and how they are drawn (`awd_core.plotting.palette.KINDS`)."""
MOST_DRAWN = 30
"""Weights that a figure has room for."""


@dataclass(frozen=True)
class ReadablePart:
    """The part of a report that is about a readable model, for `awd_core.report/readable.html.j2`.

    Attributes
    ----------
    model, worth : ReadableModel, Worth
        The model, and what it is worth.
    picture : Picture or None
        The scores of all methods; None where nothing was held out.
    weights : Picture or None
        The weights with their intervals; None of more than a figure has room for.
    table, numbers : Table
        The methods; the numbers of the model.
    """

    model: ReadableModel
    worth: Worth
    picture: Picture | None
    weights: Picture | None
    table: Table
    numbers: Table

    @property
    def facts(self) -> list[tuple[str, str, str]]:
        """What to remember, as (name, value, remark)."""
        count = len(self.model.card.numbers)
        found = [("Numbers", str(count), "that the model reads")]
        if self.worth.rows:
            (row,) = self.worth.of(MODEL)
            units = f"{self.worth.units} groups" if self.worth.grouped else f"{self.worth.test} inputs"
            told = f"{row.low:.3f} to {row.high:.3f}, " if row.low == row.low else ""
            found.insert(0, (self.worth.score, f"{row.score:.3f}", f"{told}{units} held out"))
        return found


def readable_part(model: ReadableModel, worth: Worth, run: RunFolder) -> ReadablePart:
    """Draw the figures into a run's folder, and fill the tables."""
    picture = weights = None
    if worth.rows:
        planned = PlannedFigure(
            "worth",
            f"{worth.score} of each method on inputs that were held out, with intervals; the table has the numbers.",
            lambda narrow: _comparison(worth, narrow),
            vector=True,
        )
        picture = draw_picture(run, planned)
    told = [row for row in model.table() if row.scale or row.position]
    if len(told) <= MOST_DRAWN:
        planned = PlannedFigure(
            "weights",
            "For each number the change of the prediction for one standard deviation of it, with the interval.",
            lambda narrow: _weights(model, told, narrow),
        )
        weights = draw_picture(run, planned)
    return ReadablePart(model, worth, picture, weights, _worth_table(worth), _numbers_table(model))


def write_card(run: RunFolder, part: ReadablePart, versions: dict[str, str]) -> None:
    """Write card.html, the model on a page, into a run's folder."""
    model, worth = part.model, part.worth
    what = "the class" if model.card.classes is not None else " and ".join(model.card.targets[:3])
    html = render(
        "awd_core.report/card.html.j2",
        title=f"A readable model of {what}",
        summary=" ".join(worth.verdict),
        facts=part.facts,
        versions=versions,
        readable=part,
        rules=str(model),
        place=run.path.as_posix(),
    )
    run.write_bytes("card.html", html.encode(errors="backslashreplace"))


def _comparison(worth: Worth, narrow: bool) -> Figure:
    methods = [
        Method(row.method, KINDS[row.kind], [Score(row.score, row.low, row.high)], own=row.kind == MODEL)
        for row in worth.rows
    ]
    bars = "groups" if worth.grouped else "inputs"
    named = f"{worth.score} on {worth.test} inputs that were held out; bars: 95 % over {bars}"
    return comparison_figure(methods, named, zero=0.0 if worth.task == "regression" else None, narrow=narrow)


def _weights(model: ReadableModel, told: Sequence[Told], narrow: bool) -> Figure:
    """A line for each number: its weight times its deviation, with the interval."""
    targets = list(dict.fromkeys(row.target for row in told))
    figure = Figure(figsize=(NARROW if narrow else 8.0, 0.28 * len(told) + 1.3), layout="constrained")
    axes = figure.subplots()
    axes.axvline(0.0, color="black", linewidth=0.8)
    for place, row in enumerate(told):
        times = row.per_deviation / row.weight if row.weight else 0.0
        ends = sorted((row.low * times, row.high * times))
        axes.plot(ends, [place, place], color=HIGH, linewidth=1.5)
        axes.plot(row.per_deviation, place, "D", color=HIGH, markersize=5)
    several = len(targets) > 1
    names = [f"{row.target}: {row.name}" if several else row.name for row in told]
    axes.set_yticks(range(len(told)), names, fontsize=8)
    axes.set_ylim(len(told) - 0.4, -0.6)
    axes.grid(axis="x", color=FAINT, linewidth=0.7)
    axes.set_axisbelow(True)
    unit = "log odds" if model.card.head.kind == "logistic" else "the prediction"
    axes.set_xlabel(f"change of {unit} for one standard deviation", fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _worth_table(worth: Worth) -> Table:
    score, interval = worth.score, "95 %, by the jackknife over " + ("groups" if worth.grouped else "inputs")
    columns = [
        Column("method"),
        Column(score, "on inputs that were held out", ".3f"),
        Column("from", interval, ".3f"),
        Column("to", interval, ".3f"),
        Column("less the model's", "difference, input by input", "+.3f"),
        Column("from", interval, "+.3f"),
        Column("to", interval, "+.3f"),
        Column("log loss", "−ln of the probability of the class that it is, mean over inputs", ".3f"),
        Column("numbers", "numbers, or samples, that it reads"),
        Column("detail"),
    ]
    rows: list[list[Any]] = [_row(row) for row in worth.rows]
    places = [place for place, row in enumerate(worth.rows) if row.kind == MODEL]
    table = Table("worth-table", columns, rows, marked=places[0] if places else None)
    return table if worth.task == "classification" or not rows else _without(table, 7)


def _row(row: WorthRow) -> list[Any]:
    difference = [None] * 3 if row.kind == MODEL else [row.difference, row.difference_low, row.difference_high]
    return [row.method, row.score, row.low, row.high, *difference, row.log_loss, row.numbers, row.detail or "–"]


def _without(table: Table, place: int) -> Table:
    columns = [column for number, column in enumerate(table.columns) if number != place]
    rows = [[value for number, value in enumerate(row) if number != place] for row in table.rows]
    return Table(table.key, columns, rows, table.marked)


def _numbers_table(model: ReadableModel) -> Table:
    logistic = model.card.head.kind == "logistic"
    change = "of the log odds" if logistic else "of the prediction"
    columns = [
        Column("of", "what is predicted"),
        Column("number"),
        Column("weight", f"change {change} per unit of the number"),
        Column("from", "95 % interval of the weight"),
        Column("to", "95 % interval of the weight"),
        Column("per deviation", f"change {change} for one standard deviation of the number", "+.3g"),
        Column("usual", "mean of the number over the training inputs", ".3g"),
        Column("sees", "how wide what it sees is"),
        Column("where"),
        Column("meaning"),
    ]
    count = len(model.card.numbers)
    rows = []
    for place, row in enumerate(model.table()):
        number = place % (count + 1) - 1
        usual = None if number < 0 else float(model.mean[number])
        effect = None if number < 0 else row.per_deviation
        rows.append([
            row.target, row.name, row.weight, row.low, row.high, effect, usual, row.scale or "–", row.position or "–",
            row.meaning,
        ])  # fmt: skip
    return Table("numbers-table", columns, rows)
