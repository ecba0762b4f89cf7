"""The part of a report that puts predictive accuracy, descriptive accuracy and relevancy side by side.

For `awd_core.report/pdr.html.j2`: `pdr_part` makes it, and the template includes it where `pdr` is a `PdrPart`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from awd_core.evidence.pdr import PdrRow
from awd_core.report.table import Column, Table


@dataclass(frozen=True)
class PdrPart:
    """The part of a report that judges the interpretation.

    Attributes
    ----------
    question, answer : str
        What somebody wants to know, and what the interpretation says of it, or that it is open.
    table : Table
        All measures.
    """

    question: str
    answer: str
    table: Table


def pdr_part(rows: Sequence[PdrRow]) -> PdrPart:
    """Fill the table.

    Parameters
    ----------
    rows : sequence of PdrRow
        What `awd_core.evidence.pdr_table` returned.

    Raises
    ------
    ValueError
        If no row is about relevancy.

    Examples
    --------
    >>> from awd_core.evidence import pdr_table
    >>> part = pdr_part(pdr_table(predictive={"teacher, R²": 0.8}, question="Which scales?", answer="The fine ones."))
    >>> part.question, part.answer, len(part.table.rows)
    ('Which scales?', 'The fine ones.', 2)
    """
    asked = [row for row in rows if row.aspect == "relevancy"]
    if not asked:
        raise ValueError("no row is about relevancy; give what awd_core.evidence.pdr_table returned")
    columns = [
        Column("aspect"),
        Column("measure"),
        Column("value", style="#.3g"),
        Column("from", "ends of the 95 % interval", "#.3g"),
        Column("to", "", "#.3g"),
        Column("how to read it"),
    ]
    measured = [
        [row.aspect, row.measure, row.value, row.low, row.high, row.reading]
        for row in rows
        if row.aspect != "relevancy"
    ]
    return PdrPart(asked[0].measure, asked[0].reading, Table("pdr-table", columns, measured).known())
