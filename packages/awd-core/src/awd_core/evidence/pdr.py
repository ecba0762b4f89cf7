"""Predictive accuracy, descriptive accuracy and relevancy of an interpretation, side by side.

The three by which an interpretation is judged (Murdoch, Singh, Kumbier, Abbasi-Asl, Yu 2019, "Definitions, methods, and
applications in interpretable machine learning", PNAS 116, 22071): does the model predict, does the interpretation say
what the model has learnt, and does that answer the question that somebody has?
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from awd_core.checks.choices import check_kind
from awd_core.checks.real_numbers import is_real_number
from awd_core.evidence.faithfulness import insertion_minus_deletion
from awd_core.evidence.jackknife import Interval
from awd_core.evidence.quality import AttributionQuality
from awd_core.files.record import Record

Aspect = Literal["predictive accuracy", "descriptive accuracy", "relevancy"]
NO_QUESTION = "No question was stated."
"""What stands in the place of one."""


@dataclass(frozen=True)
class PdrRow(Record):
    """One measure of an interpretation.

    Attributes
    ----------
    aspect : str
        "predictive accuracy", "descriptive accuracy" or "relevancy".
    measure : str
        What was measured, or asked.
    value, low, high : float or None
        The number, and its interval where there is one.
    reading : str
        How it is read, or the answer in words.
    """

    aspect: Aspect
    measure: str
    value: float | None
    low: float | None
    high: float | None
    reading: str


def pdr_table(
    *,
    predictive: Mapping[str, float | Interval],
    quality: AttributionQuality | None = None,
    question: str | None = None,
    answer: str | None = None,
) -> tuple[PdrRow, ...]:
    """All that is known of an interpretation, in the order predictive, descriptive, relevant.

    Parameters
    ----------
    predictive : mapping of str to float or Interval
        Scores of the model, and of what stands for it, on data that neither has seen: "teacher, R²" and the like.
    quality : AttributionQuality, optional
        What the checks of attributions found; those that were not made have no row.
    question : str, optional
        What the user wants to know, in the user's words: no number says whether an interpretation is relevant.
    answer : str, optional
        What the interpretation says of it.

    Returns
    -------
    tuple of PdrRow

    Raises
    ------
    TypeError
        For scores that are no numbers, or another kind of quality.

    Examples
    --------
    >>> rows = pdr_table(predictive={"teacher, R²": 0.8}, question="Which scales tell of Ω_m?")
    >>> [(row.aspect, row.measure, row.value) for row in rows]  # doctest: +NORMALIZE_WHITESPACE
    [('predictive accuracy', 'teacher, R²', 0.8), ('descriptive accuracy', 'attributions', None),
     ('relevancy', 'Which scales tell of Ω_m?', None)]
    """
    rows = [_row("predictive accuracy", name, score, "on data not seen before") for name, score in predictive.items()]
    described = [] if quality is None else _of_quality(check_kind("quality", quality, AttributionQuality))
    nothing = _row("descriptive accuracy", "attributions", None, "nothing was checked")
    asked = _row("relevancy", question or NO_QUESTION, None, answer or "Nothing yet.")
    return (*rows, *(described or [nothing]), asked)


def _of_quality(quality: AttributionQuality) -> list[PdrRow]:
    found: list[tuple[str, float | Interval, str]] = []
    if (curves := quality.curves) is not None:
        found += [
            ("faithfulness (insertion less deletion)", insertion_minus_deletion(curves), "by chance 0, at best 1"),
            ("area while coefficients are put back", curves.insertion_area, "the larger the better"),
            ("area while coefficients are removed", curves.deletion_area, "the smaller the better"),
        ]
    for rival in quality.rivals:
        found.append((f"gain over {rival.name}, put back", rival.insertion_gain, "better above 0"))
        found.append((f"gain over {rival.name}, removed", rival.deletion_gain, "better above 0"))
    if (signed := quality.signed) is not None:
        found.append(("signed faithfulness", signed.score, "signs are right above 0, by chance at 0, wrong below"))
    if (whole := quality.completeness) is not None:
        found.append(("gap of completeness", whole.relative, "0 where attributions add up"))
    if (blank := quality.randomised) is not None:
        found.append(("rank correlation with a network without training", blank.spearman, "the smaller the better"))
    if (same := quality.agreement) is not None:
        found.append((f"overlap of the largest {same.top:.0%} between seeds", same.overlap, "the larger the better"))
    return [_row("descriptive accuracy", *one) for one in found]


def _row(aspect: Aspect, measure: str, value: float | Interval | None, reading: str) -> PdrRow:
    if isinstance(value, Interval):
        return PdrRow(aspect, measure, value.value, value.low, value.high, reading)
    if value is not None and not is_real_number(value):
        raise TypeError(f"the score {measure!r} is {value!r}; give a number, or an Interval")
    return PdrRow(aspect, measure, None if value is None else float(value), None, None, reading)
