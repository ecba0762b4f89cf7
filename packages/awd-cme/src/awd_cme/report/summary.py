"""The head of the report: what came of it, whoever won, the numbers to remember, and what to beware of."""

from collections.abc import Sequence

from awd_cme.report.artefacts import Artefacts
from awd_cme.report.sentences import Effect, compared, sentence, strongest
from awd_core.evidence import Interval
from awd_core.report import counted, interval, number

TARGETS = {
    "mean_significant": "the mean {} amplitude over the frames where it is significant",
    "max": "the largest {} amplitude of a track",
    "consecutive": "whether {} comes",
}
"""Targets of `awd_cme.series.targets` in words."""

SCALINGS = {
    "training": "by the training tracks (a new cell by those of all training cells)",
    "own": "cell by cell by all of their own tracks (a new cell needs them all at once)",
}
"""Rules of `awd_cme.series.scaling` for inputs in words."""

FEW_CELLS = 6
"""Test cells below which a report says that there are few."""


def predictive(found: Artefacts) -> dict[str, Interval]:
    """Scores on test tracks, for the table that judges the interpretation."""
    results = found.results
    units = int((results.intervals or {}).get("units") or 0)
    rows = [row for key in ("student", "awd", "teacher") if (row := results.row(key)) is not None]
    return {f"{row.name}, {found.metric}": Interval(row.score, row.low, row.high, row.error, units) for row in rows}


def answer(found: Artefacts, effect_list: Sequence[Effect]) -> str:
    """What the interpretation comes to: the small model's strongest number, else the card's strongest effect."""
    partner = found.data["channels"][1]
    if found.student is not None and found.student.numbers:
        first = max(found.student.numbers, key=lambda one: abs(one.value * one.sd))
        way = "raises" if first.value > 0 else "lowers"
        return (
            f"The small model reads {counted(len(found.student.numbers), 'number')}. The one that counts most is "
            f"{first.number} ({first.meaning}): more of it {way} the predicted {partner}."
        )
    if found.card is None or not effect_list:
        return "No card was made, so no coefficient is named."
    return sentence(strongest(effect_list, 1)[0], found.card, found.unit)


def title(found: Artefacts) -> str:
    """Title of the report."""
    seen, partner = found.data["channels"][:2]
    return f"{partner[:1].upper()}{partner[1:]} from {seen}"


def target(found: Artefacts) -> str:
    """What is predicted, in words."""
    partner, name = found.data["channels"][1], found.data["target"]["name"]
    return TARGETS[name].format(partner) if name in TARGETS else f"the target “{name}” of {partner}"


def summary(found: Artefacts) -> str:
    """What came of it, whoever won."""
    results, seen, metric = found.results, found.data["channels"][0], found.metric
    awd = results.row("awd")
    if awd is None:
        return "The run has no result for AWD."
    ends = interval(awd.low, awd.high)
    first = f"From {seen} alone, AWD predicts {target(found)} with {metric} = {number(awd.score, '.3f')}"
    first += f" ({ends})" if ends else ""
    first += " on test tracks." if results.test is None else f" on {results.test:,} test tracks{_whose(found)}."
    if (awd.low if ends else awd.score) <= results.baseline_score:
        first += f" That is not clearly better than {'chance' if metric == 'AUC' else 'the mean of the targets'}."
    others = [
        compared(results, "awd", key, name)
        for key, name in (("teacher", "its teacher"), ("db5", "DB5 with the same features"))
    ]
    return " ".join([first, *filter(None, others)])


def _whose(found: Artefacts) -> str:
    cells = found.results.cells_test
    rule = None if found.split is None else found.split.get("rule")
    if rule == "cells" and cells:
        return f" of {counted(cells, 'cell')} that no fit has seen"
    return " of the same cells as the training tracks" if rule == "tracks" else ""


def facts(found: Artefacts) -> list[tuple[str, str, str]]:
    """The numbers to remember."""
    results, facts = found.results, []
    for key, name in (("awd", "AWD"), ("teacher", "Teacher"), ("db5", "DB5")):
        if (row := results.row(key)) is not None:
            remark = interval(row.low, row.high).removeprefix("95 %: ")
            facts.append((f"{found.metric}, {name}", number(row.score, ".3f"), remark))
    awd, teacher = results.row("awd"), results.row("teacher")
    if awd is not None and awd.parameters:
        remark = f"teacher: {teacher.parameters:,}" if teacher and teacher.parameters else ""
        facts.append(("Parameters", f"{awd.parameters:,}", remark))
    for what, (own, other) in zip(("one at a time", "all at once"), _times(found), strict=False):
        if own and other:
            facts.append(("Time per track", f"1/{other / own:.0f}", f"of the teacher's, {what}"))
            break
    if results.test is not None:
        facts.append(("Test tracks", f"{results.test:,}", f"{results.train or 0:,} for training"))
    return facts


def notes(found: Artefacts) -> list[str]:
    """What the reader should beware of."""
    notes, results, cells = [], found.results, found.results.cells_test
    rule = None if found.split is None else found.split.get("rule")
    if rule == "tracks":
        notes.append(
            "Training and test tracks are from the same cells: the scores say nothing of how well this works on others."
        )
    elif cells is not None and results.over == "tracks":
        notes.append(
            "The test has one cell: the intervals come from leaving out its tracks one at a time, and say nothing of "
            "how other cells would do."
        )
    elif cells is not None and cells < FEW_CELLS:
        notes.append(f"The test has {cells} cells: however many tracks they have, so few make wide intervals.")
    if scores := found.seeds:
        listed = " and ".join(number(score, ".3f") for score in scores.values())
        notes.append(
            f"The teacher trained twice, with the seeds {' and '.join(scores)}, has {found.metric} {listed} on the "
            "test tracks. What a training's chance does is not in the intervals."
        )
    if found.card is not None and found.card.targets.rule == "own":
        notes.append(
            "Targets were standardised within each cell by all of its tracks, test tracks included, as in the "
            "published work: fit for comparison with it, not for new cells."
        )
    awd = results.row("awd")
    better = [row.name for row in results.rows if awd is not None and row.score > awd.score]
    if better:
        notes.append(f"Above AWD in {found.metric}, whether by more than chance or not: {', '.join(better)}.")
    return notes


def scaling_sentence(found: Artefacts) -> str:
    """How series were standardised, and how that was chosen; "" where the run does not say."""
    choice = (found.scaling or {}).get("choice")
    if choice is None:
        return ""
    what, scores = SCALINGS[choice["rule"]], choice.get("scores")
    if scores is None:
        why = "one training cell leaves nothing to choose by" if choice["asked"] == "auto" else "as was asked for"
        return f"Series were standardised {what}: {why}."
    told = " and ".join(f"{number(scores[rule], '.3f')} by “{rule}”" for rule in SCALINGS if rule in scores)
    return f"Series were standardised {what}, as cross-validation over training cells chose: {found.metric} {told}."


def _times(found: Artefacts) -> list[tuple[float | None, float | None]]:
    """Microseconds of the card and of the teacher: one track at a time, all at once; nothing where not measured."""
    held = {} if found.timings is None else found.timings["microseconds_per_track"]
    return list(zip(held["awd"], held["teacher"], strict=True)) if "awd" in held and "teacher" in held else []


def time_sentence(found: Artefacts) -> str:
    """Time per track of the card and of the teacher."""
    sentences = []
    for what, (own, other) in zip(("One track at a time", "All test tracks at once"), _times(found), strict=False):
        if own and other:
            sentences.append(
                f"{what}, the card takes {number(own, '.3g')} µs a track and the teacher {number(other, '.3g')} µs, "
                f"{number(other / own, '.3g')} times as long."
            )
    return " ".join(sentences)


def size_sentence(found: Artefacts) -> str:
    """Number of parameters, and how many of them are the wavelet's."""
    awd, teacher = found.results.row("awd"), found.results.row("teacher")
    if awd is None or not awd.parameters:
        return ""
    angles = against = ""
    distilled = found.taken is not None and found.taken.share is not None
    if free := found.wavelet.free_angle_count if found.wavelet is not None and distilled else 0:
        angles = f", {free} of them the wavelet's free angle{'' if free == 1 else 's'}"
    if teacher is not None and teacher.parameters:
        against = f" The teacher has {teacher.parameters:,}."
    return f"AWD's model has {awd.parameters:,} fitted numbers{angles}.{against}"
