"""What a report says about the quality of attributions, for `awd_core.report/quality.html.j2`.

The packages for a field of science put the same part into their own reports: `quality_part` makes it, and the template
includes it where `quality` is a `QualityPart`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from awd_core.evidence.quality import AGREEMENT, COMPLETE, DEVIATIONS, AttributionQuality, Finding
from awd_core.evidence.quality_record import CheckedQuality
from awd_core.report.page import Picture
from awd_core.report.pictures import PlannedFigure, draw_picture
from awd_core.report.quality_figures import curves_figure
from awd_core.report.table import Column, Table
from awd_core.run.folder import RunFolder

Row = list[str | float | None]


@dataclass(frozen=True)
class QualityPart:
    """The part of a report that is about attribution quality.

    Attributes
    ----------
    headline : str
        The verdict in one sentence, or why nothing is known.
    findings : list of Finding
        One for each check; none if nothing was checked.
    inputs, of : int
        How many inputs were looked at, of how many.
    hints : list of str
        What would tell more; may be empty.
    picture : Picture, optional
        The insertion and deletion curves.
    table : Table, optional
        All numbers.
    """

    headline: str
    findings: list[Finding]
    inputs: int
    of: int
    hints: list[str]
    picture: Picture | None
    table: Table | None

    @property
    def facts(self) -> list[tuple[str, str, str]]:
        """The number to remember, as (name, value, remark); none if nothing was checked."""
        outcomes = [finding.outcome for finding in self.findings]
        made = len(outcomes) - outcomes.count("open")
        if not made:
            return []
        return [("Checks passed", f"{outcomes.count('pass')} of {made}", "do the attributions deserve trust?")]


def quality_part(checked: CheckedQuality | str, run: RunFolder, *, hints: Sequence[str] = ()) -> QualityPart:
    """Draw the figure into a run's folder, and fill the table.

    Parameters
    ----------
    checked : CheckedQuality or str
        What was found; or, in a sentence or two, why nothing was checked and how it can be.
    run : RunFolder
        Where figures/quality.png is written.
    hints : sequence of str, optional
        What would tell more: how teachers with other seeds are given.
    """
    if isinstance(checked, str):
        return QualityPart(checked, [], 0, 0, [], None, None)
    quality, picture = checked.quality, None
    mine, chance = quality.curves, quality.random_curves
    if mine is not None and chance is not None:
        planned = PlannedFigure(
            "quality",
            "How much of the predictions is explained while coefficients are put back and removed, in the order of the "
            "attributions and in random order; the table has the areas below the curves.",
            lambda narrow: curves_figure(mine, chance, narrow=narrow),
        )
        picture = draw_picture(run, planned)
    return QualityPart(
        headline=quality.headline,
        findings=quality.verdict(),
        inputs=checked.asked["inputs"],
        of=checked.asked["of"],
        hints=list(hints),
        picture=picture,
        table=_table(quality),
    )


def _table(quality: AttributionQuality) -> Table:
    columns = [
        Column("check"),
        Column("number"),
        Column("value", style="#.3g"),
        Column("must be"),
        Column("limit", f"areas: the mean of random orders, and {DEVIATIONS:g} of their standard deviations", "#.3g"),
    ]
    rows: list[Row] = []
    mine, chance = quality.curves, quality.random_curves
    if mine is not None and chance is not None:
        up = chance.insertion_area + DEVIATIONS * chance.insertion_area_error
        down = chance.deletion_area - DEVIATIONS * chance.deletion_area_error
        rows += [
            ["order", "area while coefficients are put back", mine.insertion_area, "above", up],
            ["order", "the same in random order", chance.insertion_area, "", None],
            ["order", "area while coefficients are removed", mine.deletion_area, "below", down],
            ["order", "the same in random order", chance.deletion_area, "", None],
        ]
    for rival in quality.rivals:
        rows += [
            ["order", f"put back: gain over {rival.name}, low end", rival.insertion_gain.low, "above", 0.0],
            ["order", f"removed: gain over {rival.name}, low end", rival.deletion_gain.low, "above", 0.0],
        ]
    if (whole := quality.completeness) is not None:
        rows += [
            ["sum", "Σ|gap| over Σ|difference of predictions|", whole.relative, "at most", COMPLETE],
            ["sum", "largest gap over the mean difference", whole.worst, "", None],
        ]
    if (same := quality.agreement) is not None:
        rows += [
            ["other seeds", f"overlap of the largest {same.top:.0%}", same.overlap, "at least", AGREEMENT],
            ["other seeds", "of the two teachers that agree least", same.worst_overlap, "", None],
            ["other seeds", "rank correlation of |attributions|", same.spearman, "", None],
        ]
    if (blank := quality.randomised) is not None:
        rows += [
            ["no training", "rank correlation of |attributions|", blank.spearman, "at most", blank.limit],
            ["no training", "cosine of the attributions", blank.cosine, "", None],
        ]
        alone = math.isnan(blank.trained_distance)
        limit: Row = ["", None] if alone else ["above", blank.trained_distance]
        rows.append(["no training", "distance between the wavelets", blank.distance, *limit])
    return Table("quality-table", columns, rows)
