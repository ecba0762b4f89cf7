"""The head of the report: what came of it, whoever won, the numbers to remember, and what to beware of."""

import math
from collections.abc import Mapping
from typing import Any

from awd_cme.report.artefacts import Artefacts
from awd_cme.report.sentences import compared
from awd_core.report import number

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


def title(found: Artefacts) -> str:
    """Title of the report."""
    seen, partner = found.data["channels"][:2]
    return f"{partner[:1].upper()}{partner[1:]} from {seen}"


def target(found: Artefacts) -> str:
    """What is predicted, in words."""
    partner, name = found.data["channels"][1], found.data["target"]["name"]
    return TARGETS[name].format(partner) if name in TARGETS else f"the target “{name}” of {partner}"


def unit(found: Artefacts) -> str:
    """Unit of intensities and, in a regression, of the target."""
    return found.data["target"].get("unit") or "a.u."


def names(found: Artefacts) -> dict[str, str]:
    """What the methods are called, by their keys."""
    return {row["key"]: row["name"] for row in found.results["rows"]}


def _row(found: Artefacts, key: str) -> Mapping[str, Any] | None:
    return next((row for row in found.results["rows"] if row["key"] == key and row["score"] is not None), None)


def summary(found: Artefacts, metric: str) -> str:
    """What came of it, whoever won."""
    results, seen = found.results, found.data["channels"][0]
    awd = _row(found, "awd")
    if awd is None:
        return "The run has no result for AWD."
    known = awd.get("low") is not None and awd.get("high") is not None
    interval = f" (95 %: {number(awd['low'], '.3f')} to {number(awd['high'], '.3f')})" if known else ""
    first = f"From {seen} alone, AWD predicts {target(found)} with {metric} = {number(awd['score'], '.3f')}{interval}"
    first += f" on {results['test']:,} test tracks{_whose(found)}." if "test" in results else " on test tracks."
    nothing = 0.5 if metric == "AUC" else 0.0
    if (awd["low"] if known else awd["score"]) <= nothing:
        first += f" That is not clearly better than {'chance' if metric == 'AUC' else 'the mean of the targets'}."
    others = [
        compared(results, "awd", key, name, metric)
        for key, name in (("teacher", "its teacher"), ("db5", "DB5 with the same features"))
    ]
    return " ".join([first, *filter(None, others)])


def _whose(found: Artefacts) -> str:
    cells = _count(found.results.get("cells_test"))
    rule = None if found.split is None else found.split.get("rule")
    if rule == "cells" and cells:
        return f" of {cells} cell{'s' if cells > 1 else ''} that no fit has seen"
    return " of the same cells as the training tracks" if rule == "tracks" else ""


def _count(cells: Any) -> int | None:
    return len(cells) if isinstance(cells, list | tuple) else cells


def facts(found: Artefacts, metric: str) -> list[tuple[str, str, str]]:
    """The numbers to remember."""
    facts = []
    for key, name in (("awd", "AWD"), ("teacher", "Teacher"), ("db5", "DB5")):
        if (row := _row(found, key)) is not None:
            ends = (row.get("low"), row.get("high"))
            remark = "" if None in ends else " to ".join(number(end, ".3f") for end in ends)
            facts.append((f"{metric}, {name}", number(row["score"], ".3f"), remark))
    awd, teacher = _row(found, "awd"), _row(found, "teacher")
    if awd is not None and awd.get("parameters"):
        remark = f"teacher: {teacher['parameters']:,}" if teacher and teacher.get("parameters") else ""
        facts.append(("Parameters", f"{awd['parameters']:,}", remark))
    for what, (own, other) in zip(("one at a time", "all at once"), _times(found), strict=False):
        if own and other:
            facts.append(("Time per track", f"1/{other / own:.0f}", f"of the teacher's, {what}"))
            break
    if "test" in found.results:
        facts.append(("Test tracks", f"{found.results['test']:,}", f"{found.results['train']:,} for training"))
    return facts


def notes(found: Artefacts, metric: str) -> list[str]:
    """What the reader should beware of."""
    notes, cells = [], _count(found.results.get("cells_test"))
    rule = None if found.split is None else found.split.get("rule")
    if rule == "tracks":
        notes.append(
            "Training and test tracks are from the same cells: the scores say nothing of how well this works on others."
        )
    elif cells is not None and over(found) == "tracks":
        notes.append(
            "The test has one cell: the intervals come from leaving out its tracks one at a time, and say nothing of "
            "how other cells would do."
        )
    elif cells is not None and cells < FEW_CELLS:
        notes.append(f"The test has {cells} cells: however many tracks they have, so few make wide intervals.")
    if scores := found.seeds:
        listed = " and ".join(number(score, ".3f") for score in scores.values())
        notes.append(
            f"The teacher trained twice, with the seeds {' and '.join(scores)}, has {metric} {listed} on the test "
            "tracks. What a training's chance does is not in the intervals."
        )
    if found.card is not None and found.card.targets.rule == "own":
        notes.append(
            "Targets were standardised within each cell by all of its tracks, test tracks included, as in the "
            "published work: fit for comparison with it, not for new cells."
        )
    awd = _row(found, "awd")
    better = [row["name"] for row in found.results["rows"] if awd and _score(row) > awd["score"]]
    if better:
        notes.append(f"Above AWD in {metric}, whether by more than chance or not: {', '.join(better)}.")
    return notes


def _score(row: Mapping[str, Any]) -> float:
    return -math.inf if row["score"] is None else float(row["score"])


def over(found: Artefacts) -> str | None:
    """What the intervals of the scores leave out one at a time: cells or tracks."""
    left_out: str | None = found.results.get("intervals", {}).get("over")
    return left_out


def scaling_sentence(found: Artefacts, metric: str) -> str:
    """How series were standardised, and how that was chosen; "" where the run does not say."""
    choice = (found.scaling or {}).get("choice")
    if choice is None:
        return ""
    what, scores = SCALINGS[choice["rule"]], choice.get("scores")
    if scores is None:
        why = "one training cell leaves nothing to choose by" if choice["asked"] == "auto" else "as was asked for"
        return f"Series were standardised {what}: {why}."
    told = " and ".join(f"{number(scores[rule], '.3f')} by “{rule}”" for rule in SCALINGS if rule in scores)
    return f"Series were standardised {what}, as cross-validation over training cells chose: {metric} {told}."


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


def _free_angles(found: Artefacts) -> int:
    """Free angles of the wavelet's filter that the distillation fitted; none where a start itself was chosen."""
    chosen = next((row for row in found.selection or () if row.get("chosen")), None)
    if found.wavelet is None or chosen is None or chosen.get("share") is None:
        return 0
    return found.wavelet.free_angle_count


def size_sentence(found: Artefacts) -> str:
    """Number of parameters, and how many of them are the wavelet's."""
    awd, teacher = _row(found, "awd"), _row(found, "teacher")
    if awd is None or not awd.get("parameters"):
        return ""
    angles = against = ""
    if free := _free_angles(found):
        angles = f", {free} of them the wavelet's free angle{'' if free == 1 else 's'}"
    if teacher is not None and teacher.get("parameters"):
        against = f" The teacher has {teacher['parameters']:,}."
    return f"AWD's model has {awd['parameters']:,} fitted numbers{angles}.{against}"
