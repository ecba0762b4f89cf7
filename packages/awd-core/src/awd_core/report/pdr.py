"""The part of a report that puts predictive accuracy, descriptive accuracy and relevancy side by side.

For `awd_core.report/pdr.html.j2`: `pdr_part` makes it, and the template includes it where `pdr` is a `PdrPart`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from awd_core.evidence.jackknife import Interval
from awd_core.evidence.pdr import pdr_table
from awd_core.evidence.quality_record import CheckedQuality
from awd_core.report.table import Column, Table
from awd_core.run.folder import RunFolder


@dataclass(frozen=True)
class PdrPart:
    """The part of a report that judges the interpretation.

    Attributes
    ----------
    question : str or None
        What somebody wants to know, in the user's words (`--question`).
    answer : str
        What the run says.
    table : Table
        All measures.
    """

    question: str | None
    answer: str
    table: Table


def pdr_part(
    run: RunFolder, *, predictive: Mapping[str, float | Interval], quality: CheckedQuality | None, answer: str
) -> PdrPart:
    """Fill the table.

    Parameters
    ----------
    run : RunFolder
        The run, whose option "question" is what the user wants to know.
    predictive, answer
        As for `awd_core.evidence.pdr_table`.
    quality : CheckedQuality, optional
        What the checks of attributions found.
    """
    question = run.config["options"].get("question")
    checked = None if quality is None else quality.quality
    *measured, asked = pdr_table(predictive=predictive, quality=checked, question=question, answer=answer)
    columns = [
        Column("aspect"),
        Column("measure"),
        Column("value", style="#.3g"),
        Column("from", "ends of the 95 % interval", "#.3g"),
        Column("to", "", "#.3g"),
        Column("how to read it"),
    ]
    rows = [[row.aspect, row.measure, row.value, row.low, row.high, row.reading] for row in measured]
    return PdrPart(question, asked.reading, Table("pdr-table", columns, rows).known())
