"""What the report says of the small model: its numbers as a table, its curve, and the sentence that heads the page."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from awd_cme.model.student_card import StudentCard
from awd_core.report import Column, Table, number
from awd_core.student import CurvePoint, ErrorCurve


def read_curve(file: Path) -> ErrorCurve | None:
    """The curve in curve.json; None where there is no such file.

    Raises
    ------
    ValueError
        If the file holds something else.
    """
    if not file.exists():
        return None
    try:
        return ErrorCurve(tuple(CurvePoint(*point) for point in json.loads(file.read_bytes())["points"]))
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{file} cannot be read as a curve ({error}); finish the run anew without it") from error


def numbers(card: StudentCard, unit: str) -> Table:
    """The small model in full."""
    odds = card.task == "classification"
    scale = 1.0 if odds or card.targets.rule == "none" else card.targets.sd
    columns = [
        Column("number"),
        Column("meaning"),
        Column("unit"),
        Column("coefficient", f"change of {'the log odds' if odds else 'the standardised target'} per unit", ".4g"),
        Column("from", "lower end of the 95 % interval of the coefficient without the penalty", ".3g"),
        Column("to", "upper end of the 95 % interval of the coefficient without the penalty", ".3g"),
        Column("p", "of no effect, corrected for the number of numbers (Holm)", ".2g"),
        Column(
            "odds × " if odds else f"effect, {unit}", "of one standard deviation more, over the training tracks", ".3g"
        ),
    ]
    rows = []
    for one in card.numbers:
        effect = one.value * one.sd * scale
        rows.append(
            [
                one.number, one.meaning, one.unit, one.value, *map(_known, (one.low, one.high, one.p)),
                math.exp(min(effect, 700.0)) if odds else effect,
            ]
        )  # fmt: skip
    return Table("numbers-table", columns, rows)


def headline(results: Mapping[str, Any], card: StudentCard | None, metric: str) -> str:
    """How well the small model does, and beside what; "" where the run has none."""
    rows = {row["key"]: row for row in results["rows"] if row["score"] is not None}
    if card is None or "student" not in rows:
        return ""
    own, count = rows["student"], len(card.numbers)
    ends = "" if own.get("low") is None else f" (95 %: {number(own['low'], '.3f')} to {number(own['high'], '.3f')})"
    said = (
        f"{count} number{'' if count == 1 else 's'} of one wavelet reach {metric} = {number(own['score'], '.3f')}{ends}"
    )
    others = [
        f"{name} {number(rows[key]['score'], '.3f')}"
        for key, name in (
            ("awd", f"the rich form, {rows['awd']['parameters']} parameters,"),
            ("teacher", "the network"),
        )
        if key in rows
    ]
    return f"{said}; {' and '.join(others)}." if others else f"{said}."


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
