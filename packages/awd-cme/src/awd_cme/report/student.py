"""What the report says of the small model: its numbers as a table, its curve, and the sentence that heads the page."""

import math
from pathlib import Path

from awd_cme.model.results import Results
from awd_cme.model.student_card import StudentCard
from awd_core.files import reading
from awd_core.report import Column, Table, interval, number
from awd_core.student import CurvePoint, ErrorCurve


def read_curve(file: Path) -> ErrorCurve:
    """The curve in curve.json; ValueError if the file holds something else."""
    with reading(file, "a curve", "finish the run anew without it") as values:
        return ErrorCurve(tuple(CurvePoint(*point) for point in values["points"]))


def numbers(card: StudentCard, unit: str) -> Table:
    """The small model in full."""
    odds = card.task == "classification"
    scale = 1.0 if odds or card.targets.rule == "none" else card.targets.sd
    per_unit = f"change of {'the log odds' if odds else 'the standardised target'} per unit"
    more = "of one standard deviation more, over the training tracks"

    def effect(value: float, sd: float) -> float:
        return math.exp(min(value * sd * scale, 700.0)) if odds else value * sd * scale

    return Table.of("numbers-table", card.numbers, [
        (Column("number"), "number"),
        (Column("meaning"), "meaning"),
        (Column("unit"), "unit"),
        (Column("coefficient", per_unit, ".4g"), "value"),
        (Column("from", "lower end of the 95 % interval of the coefficient without the penalty", ".3g"), "low"),
        (Column("to", "upper end of the 95 % interval of the coefficient without the penalty", ".3g"), "high"),
        (Column("p", "of no effect, corrected for the number of numbers (Holm)", ".2g"), "p"),
        (Column("odds × " if odds else f"effect, {unit}", more, ".3g"), lambda one: effect(one.value, one.sd)),
    ])  # fmt: skip


def headline(results: Results, card: StudentCard | None) -> str:
    """How well the small model does, and beside what; "" where the run has none."""
    own = results.row("student")
    if card is None or own is None:
        return ""
    count, ends = len(card.numbers), interval(own.low, own.high)
    said = f"{count} number{'' if count == 1 else 's'} of one wavelet reach {results.score_name} = "
    said += f"{number(own.score, '.3f')}{f' ({ends})' if ends else ''}"
    others = []
    if (rich := results.row("awd")) is not None:
        others.append(f"the rich form, {rich.parameters} parameters, {number(rich.score, '.3f')}")
    if (teacher := results.row("teacher")) is not None:
        others.append(f"the network {number(teacher.score, '.3f')}")
    return f"{said}; {' and '.join(others)}." if others else f"{said}."
