"""The tables of the report."""

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

from awd_cme.model.card import ModelCard
from awd_cme.model.results import Results, TriedCandidate
from awd_cme.report.examples import Examples
from awd_cme.report.sentences import Effect
from awd_core.report import Column, Table

Rows = Sequence[Mapping[str, Any]]


def results(found: Results) -> Table:
    """What each method reaches on the test tracks; AWD's row is marked."""
    metric = found.score_name
    return Table.of("results-table", found.rows, [
        (Column("method"), "name"),
        (Column(metric, "on test tracks", ".3f"), "score"),
        (Column("from", "lower end of the 95 % interval", ".3f"), "low"),
        (Column("to", "upper end of the 95 % interval", ".3f"), "high"),
        (Column("error", "standard error, by the jackknife", ".3f"), "error"),
        (
            Column(f"{metric}, training", "cross-validated on training tracks, by which choices were made", ".3f"),
            "cv_score",
        ),
        (Column("parameters", "numbers that were fitted"), "parameters"),
        (Column("features"), "features"),
        (Column("estimator"), "estimator"),
    ], marked=next((place for place, row in enumerate(found.rows) if row.key == "awd"), None)).known()  # fmt: skip


def differences(found: Results) -> Table:
    """Differences between two methods on the same test tracks."""
    names = found.names
    return Table.of("differences-table", found.differences, [
        (Column("of"), lambda one: names.get(one.of, one.of)),
        (Column("to"), lambda one: names.get(one.to, one.to)),
        (Column(f"{found.score_name}, difference", "positive: the first is better", "+.3f"), "value"),
        (Column("from", "lower end of the 95 % interval", "+.3f"), "low"),
        (Column("to", "upper end of the 95 % interval", "+.3f"), "high"),
        (Column("interval leaves 0 out"), lambda one: one.verdict in ("above", "below")),
    ])  # fmt: skip


def losses(values: Mapping[str, Any]) -> Table:
    """What was dropped, and why."""
    return Table.of("losses-table", values.get("dropped", []), [
        (Column("what"), itemgetter("what")),
        (Column("dropped"), itemgetter("how_many")),
        (Column("why"), itemgetter("why")),
    ])  # fmt: skip


def cells(rows: Rows, parts: Mapping[str, str]) -> Table:
    """Tracks cell by cell, as they came and as they were used."""
    return Table.of("cells-table", rows, [
        (Column("cell"), lambda row: str(row["cell"])),
        (Column("tracks", "that came"), itemgetter("tracks")),
        (Column("used", "that became series"), itemgetter("used")),
        (Column("part", "of training or of the test"), lambda row: parts.get(str(row["cell"]), "–")),
        (Column("source", "file it came from"), lambda row: row.get("source")),
    ])  # fmt: skip


def per_cell(found: Results) -> Table:
    """Scores cell by cell, for every method that the file has."""
    return Table.of("per-cell-table", found.per_cell, [
        (Column("cell"), lambda row: str(row["cell"])),
        (Column("test tracks"), itemgetter("n")),
        *((Column(f"{found.score_name}, {found.names[key]}", style=".3f"), lambda row, key=key: row.get(key))
          for key in methods(found.per_cell)),
    ])  # fmt: skip


def methods(rows: Rows) -> list[str]:
    """Keys of the methods that rows of `per_cell` have a score of."""
    return list(dict.fromkeys(key for row in rows for key in row if key not in ("cell", "n", "low", "high")))


def effects(found: Sequence[Effect], card: ModelCard, unit: str) -> Table:
    """Weights of the card, in the card's order, and what they do."""
    what = "odds × " if card.task == "classification" else f"effect, {unit}"
    per_unit = "as the card has it, per unit of the feature of the standardised series"
    return Table.of("effects-table", found, [
        (Column("feature", "rank and kind, and the scale"), "short"),
        (Column(what, "of one standard deviation more of the feature", ".3g"), "value"),
        (Column("from", "lower end of the 95 % interval of the effect without the penalty", ".3g"), "low"),
        (Column("to", "upper end of the 95 % interval of the effect without the penalty", ".3g"), "high"),
        (Column("p", "of no effect, corrected for the number of features (Holm)", ".2g"), "p"),
        (Column("sure", "p below 0.05, and the interval on the side of the effect"), "sure"),
        (Column("weight", per_unit, ".4g"), lambda effect: effect.weight[0]),
    ])  # fmt: skip


def terms(examples: Examples, clock: str) -> Table:
    """The coefficients that decided about the example tracks, and how far each moved the prediction."""
    track, moved = examples.example, (
        "how far it moved the prediction from that for a usual coefficient, in standard deviations of the target "
        "(log odds where classes are predicted)"
    )  # fmt: skip
    return Table.of("terms-table", range(len(track)), [
        (Column("cell"), lambda k: str(examples.cell[track[k]])),
        (Column("track"), lambda k: str(examples.track[track[k]])),
        (Column("scale"), lambda k: str(examples.scale[k])),
        (Column(f"centre, {clock}", "from the track's first frame", ".3g"), lambda k: examples.position[k]),
        (Column("coefficient", "of the standardised series", ".3g"), lambda k: examples.value[k]),
        (Column("weight", "what the model multiplies it by", ".3g"), lambda k: examples.weight[k]),
        (Column("term", moved, "+.3g"), lambda k: examples.term[k]),
    ])  # fmt: skip


def selection(rows: Sequence[TriedCandidate], metric: str, most: int = 40) -> Table:
    """The best candidates and the chosen one, the best first."""
    ordered = sorted(rows, key=lambda row: -row.mean)
    kept = [row for rank, row in enumerate(ordered) if rank < most or row.chosen]
    return Table.of("selection-table", kept, [
        (Column("wavelet"), "wavelet"),
        (Column("share α", "of the interpretation term; – for wavelets that are on no path", "g"), "share"),
        (Column("features"), "features"),
        (Column("regression"), "regression"),
        (Column(metric, "mean over the folds", ".4f"), "mean"),
        (Column("standard error", "over the folds", ".4f"), "standard_error"),
        (Column("best", "the highest score"), "best"),
        (Column("chosen"), "chosen"),
    ], marked=next((place for place, row in enumerate(kept) if row.chosen), None))  # fmt: skip


def timings(values: Mapping[str, Any], names: Mapping[str, str]) -> Table:
    """Microseconds per track, one at a time and all at once."""
    held = values["microseconds_per_track"]
    own = held.get("awd") or [None, None]

    def times(key: str, which: int) -> float | None:
        time, mine = held[key][which], own[which]
        return None if time is None or not mine else float(time / mine)

    return Table.of("timings-table", held, [
        (Column("method"), lambda key: names.get(key, key)),
        (Column("one track at a time, µs", style=".3g"), lambda key: held[key][0]),
        (Column("all at once, µs a track", style=".3g"), lambda key: held[key][1]),
        (Column("× AWD, one", "how many times AWD's time, one track at a time", ".3g"), lambda key: times(key, 0)),
        (Column("× AWD, all", "how many times AWD's time, all at once", ".3g"), lambda key: times(key, 1)),
    ], marked=list(held).index("awd") if "awd" in held else None)  # fmt: skip
