"""The tables of the report."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from awd_cme.model.card import ModelCard
from awd_cme.report.examples import Examples
from awd_cme.report.sentences import Effect
from awd_core.report import Column, Table

Rows = Sequence[Mapping[str, Any]]


def results(rows: Rows, metric: str) -> Table:
    """What each method reaches on the test tracks; AWD's row is marked."""
    columns = [
        Column("method"),
        Column(metric, "on test tracks", ".3f"),
        Column("from", "lower end of the 95 % interval", ".3f"),
        Column("to", "upper end of the 95 % interval", ".3f"),
        Column("error", "standard error, by the jackknife", ".3f"),
        Column(f"{metric}, training", "cross-validated on training tracks, by which choices were made", ".3f"),
        Column("parameters", "numbers that were fitted"),
        Column("features"),
        Column("estimator"),
    ]
    table = [
        [
            row["name"], row["score"], row.get("low"), row.get("high"),
            row.get("error"), row.get("cv_score"), row.get("parameters"), row.get("features"), row.get("estimator"),
        ]
        for row in rows
    ]  # fmt: skip
    return Table("results-table", columns, table, marked=_index(rows, "key", "awd")).known()


def differences(rows: Rows, names: Mapping[str, str], metric: str) -> Table:
    """Differences between two methods on the same test tracks."""
    columns = [
        Column("of"),
        Column("to"),
        Column(f"{metric}, difference", "positive: the first is better", "+.3f"),
        Column("from", "lower end of the 95 % interval", "+.3f"),
        Column("to", "upper end of the 95 % interval", "+.3f"),
        Column("interval leaves 0 out"),
    ]
    table = [
        [
            names.get(row["of"], row["of"]), names.get(row["to"], row["to"]), row["value"], row["low"], row["high"],
            row["low"] is not None and (row["low"] > 0 or row["high"] < 0),
        ]
        for row in rows
    ]  # fmt: skip
    return Table("differences-table", columns, table)


def losses(values: Mapping[str, Any]) -> Table:
    """What was dropped, and why."""
    rows = [[item["what"], item["how_many"], item["why"]] for item in values.get("dropped", [])]
    return Table("losses-table", [Column("what"), Column("dropped"), Column("why")], rows)


def cells(rows: Rows, parts: Mapping[str, str]) -> Table:
    """Tracks cell by cell, as they came and as they were used."""
    columns = [
        Column("cell"),
        Column("tracks", "that came"),
        Column("used", "that became series"),
        Column("part", "of training or of the test"),
        Column("source", "file it came from"),
    ]
    table = [
        [str(row["cell"]), row["tracks"], row["used"], parts.get(str(row["cell"]), "–"), row.get("source")]
        for row in rows
    ]
    return Table("cells-table", columns, table)


def per_cell(rows: Rows, names: Mapping[str, str], metric: str) -> Table:
    """Scores cell by cell, for every method that the file has."""
    keys = methods(rows)
    columns = [Column("cell"), Column("test tracks"), *(Column(f"{metric}, {names[key]}", style=".3f") for key in keys)]
    table = [[str(row["cell"]), row["n"], *(row.get(key) for key in keys)] for row in rows]
    return Table("per-cell-table", columns, table)


def methods(rows: Rows) -> list[str]:
    """Keys of the methods that rows of `per_cell` have a score of."""
    return list(dict.fromkeys(key for row in rows for key in row if key not in ("cell", "n", "low", "high")))


def effects(found: Sequence[Effect], card: ModelCard, unit: str) -> Table:
    """Weights of the card, in the card's order, and what they do."""
    what = "odds × " if card.task == "classification" else f"effect, {unit}"
    columns = [
        Column("feature", "rank and kind, and the scale"),
        Column(what, "of one standard deviation more of the feature", ".3g"),
        Column("from", "lower end of the 95 % interval of the effect without the penalty", ".3g"),
        Column("to", "upper end of the 95 % interval of the effect without the penalty", ".3g"),
        Column("p", "of no effect, corrected for the number of features (Holm)", ".2g"),
        Column("sure", "p below 0.05, and the interval on the side of the effect"),
        Column("weight", "as the card has it, per unit of the feature of the standardised series", ".4g"),
    ]
    rows = [[e.short, e.value, *map(_known, (e.low, e.high, e.p)), e.sure, e.weight[0]] for e in found]
    return Table("effects-table", columns, rows)


def terms(examples: Examples, clock: str) -> Table:
    """The coefficients that decided about the example tracks, and how far each moved the prediction."""
    columns = [
        Column("cell"),
        Column("track"),
        Column("scale"),
        Column(f"centre, {clock}", "from the track's first frame", ".3g"),
        Column("coefficient", "of the standardised series", ".3g"),
        Column("weight", "what the model multiplies it by", ".3g"),
        Column(
            "term",
            "how far it moved the prediction from that for a usual coefficient, in standard deviations of the target "
            "(log odds where classes are predicted)",
            "+.3g",
        ),
    ]
    rows = [
        [
            str(examples.cell[which]), str(examples.track[which]), str(examples.scale[row]), examples.position[row],
            examples.value[row], examples.weight[row], examples.term[row],
        ]
        for row, which in enumerate(examples.example)
    ]  # fmt: skip
    return Table("terms-table", columns, rows)


def selection(rows: Rows, metric: str, most: int = 40) -> Table:
    """The best candidates and the chosen one, the best first."""
    columns = [
        Column("wavelet"),
        Column("share α", "of the interpretation term; – for wavelets that are on no path", "g"),
        Column("features"),
        Column("regression"),
        Column(metric, "mean over the folds", ".4f"),
        Column("standard error", "over the folds", ".4f"),
        Column("best", "the highest score"),
        Column("chosen"),
    ]
    ordered = sorted(rows, key=lambda row: -row["mean"])
    kept = [row for rank, row in enumerate(ordered) if rank < most or row.get("chosen")]
    table = [
        [
            row["wavelet"], row.get("share"), row["features"], row["regression"], row["mean"],
            row.get("standard_error"), bool(row.get("best")), bool(row.get("chosen")),
        ]
        for row in kept
    ]  # fmt: skip
    return Table("selection-table", columns, table, marked=_index(kept, "chosen", True))


def timings(values: Mapping[str, Any], names: Mapping[str, str]) -> Table:
    """Microseconds per track, one at a time and all at once."""
    columns = [
        Column("method"),
        Column("one track at a time, µs", style=".3g"),
        Column("all at once, µs a track", style=".3g"),
        Column("× AWD, one", "how many times AWD's time, one track at a time", ".3g"),
        Column("× AWD, all", "how many times AWD's time, all at once", ".3g"),
    ]
    held = values["microseconds_per_track"]
    own = held.get("awd")
    rows = [
        [
            names.get(key, key),
            *both,
            *(_times(time, mine) for time, mine in zip(both, own or [None, None], strict=True)),
        ]
        for key, both in held.items()
    ]
    return Table("timings-table", columns, rows, marked=list(held).index("awd") if own else None)


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _times(time: float | None, own: float | None) -> float | None:
    return None if time is None or not own else time / own


def _index(rows: Rows, key: str, value: Any) -> int | None:
    return next((number for number, row in enumerate(rows) if row.get(key) == value), None)
