"""The report of `awd-cme run`, for a group meeting: what was predicted, how well, from which coefficients.

`write_report` only reads the run's folder (`awd_cme.report.artefacts` says which files), so a report can be written
anew at any time. What is not there is left out with a sentence.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from awd_cme.report import prediction_figures, result_figures, summary, track_figures
from awd_cme.report import student as student_report
from awd_cme.report import tables as report_tables
from awd_cme.report.artefacts import Artefacts, read_artefacts
from awd_cme.report.methods import methods
from awd_cme.report.sentences import Effect, bands, effects, sentence, sparser, strongest
from awd_core.report import PlannedFigure, Progress, Table, error_curve_figure, save_run_report
from awd_core.run import RunFolder, check_run

CITATIONS = {
    "cmeanalysis": "cmeAnalysis",
    "trackmate": "TrackMate",
    "laptrack": "laptrack",
    "goodtrackdata": "yeast",
}
"""What is cited where the account of the data names it, as the template calls it."""


def write_report(run: RunFolder, *, progress: Progress = lambda done, total: None) -> Path:
    """Write report.html, one file under 5 MB that loads nothing, and figures/ into a run's folder.

    Parameters
    ----------
    run : RunFolder
        A run of `awd-cme run`.
    progress : callable, optional
        Called with (pictures done, pictures in all).

    Raises
    ------
    FileNotFoundError
        If data.json or results.json is not there.
    TypeError
        If `run` is no open run.
    ValueError
        If a file is not what its name says.
    """
    check_run(run, "awd-cme report FOLDER makes it")
    found = read_artefacts(run)
    effect_list = [] if found.card is None or found.spread is None else effects(found.card, found.spread)
    context = _context(run, found, effect_list)
    return save_run_report(
        run, "awd_cme.report/report.html.j2", list(_drawings(found, effect_list)), progress, path=found.path,
        point=found.chosen, scores=found.scores, scored="the test tracks", quality=found.quality,
        methods=methods(found, run.config, context["citations"]), made_with=("awd-cme", "awd-core", "python"),
        title=summary.title(found),
        summary=headline(found), facts=summary.facts(found),
        predictive=summary.predictive(found), answer=summary.answer(found, effect_list),
        **context,
    )  # fmt: skip


def headline(found: Artefacts) -> str:
    """What came of it, the small model first."""
    return f"{student_report.headline(found.results, found.student)} {summary.summary(found)}".strip()


def _context(run: RunFolder, found: Artefacts, effect_list: list[Effect]) -> dict[str, Any]:
    """What the template asks for beside pictures, head and the parts of the core."""
    data, results, card = found.data, found.results, found.card
    channels, unit, metric = data["channels"], found.unit, found.metric
    held = json.dumps([data, run.config["settings"], run.config["options"]]).lower()
    tables: dict[str, Table] = {
        "results": report_tables.results(results),
        "differences": report_tables.differences(results),
        "losses": report_tables.losses(data["losses"]),
        "cells": report_tables.cells(data["cells"], _parts(found)),
        "per_cell": report_tables.per_cell(results),
    }
    if card is not None and effect_list:
        tables["effects"] = report_tables.effects(effect_list, card, unit)
    if found.examples is not None and len(found.examples.example):
        tables["terms"] = report_tables.terms(found.examples, _clock(found))
    if found.student is not None:
        tables["numbers"] = student_report.numbers(found.student, unit)
    if found.selection:
        tables["selection"] = report_tables.selection(found.selection, metric)
    if found.timings is not None:
        tables["timings"] = report_tables.timings(found.timings, results.names)
    sure = [effect for effect in effect_list if effect.sure]
    before, after = (None, None) if found.scores is None else (scores.compression for scores in found.scores)
    return {
        "metric": metric,
        "channels": channels,
        "target": summary.target(found),
        "unit": unit,
        "data": data,
        "losses": data["losses"],
        "notes": summary.notes(found),
        "tables": tables,
        "sentences": [] if card is None else [sentence(e, card, unit) for e in strongest(sure or effect_list, 5)],
        "sure": bool(sure),
        "absent": 0 if found.examples is None else int(found.examples.left_out.sum()),
        "bands": [] if card is None else bands(card),
        "card": card,
        "one_left_out": "cell" if results.over != "tracks" else "track",
        "weights_leave_out": "tracks"
        if card is not None and card.notes.get("coefficients_over") == "tracks"
        else "cells",
        "scaling": summary.scaling_sentence(found),
        "left_out": ("whole cells left out together" if results.folds_keep_together != "tracks" else "tracks left out"),
        "others": [name for name, path in found.paths.items() if path is not found.path],
        "on_path": found.on_path,
        "is_start": found.path is not None and found.path.start == found.wavelet,
        "compression": "" if found.path is None else sparser(before, after, found.path.start.name),
        "size": summary.size_sentence(found),
        "times": summary.time_sentence(found),
        "shown_candidates": None if not found.selection else (len(tables["selection"].rows), len(found.selection)),
        "chosen": found.taken,
        "snippet": _snippet(run, found),
        "citations": [name for word, name in CITATIONS.items() if word in held],
    }


def _drawings(found: Artefacts, effect_list: list[Effect]) -> Iterator[PlannedFigure]:
    data, results, card = found.data, found.results, found.card
    channels, unit, metric, names = data["channels"], found.unit, found.metric, results.names
    examples, clock = found.examples, _clock(found)
    if (curve := found.curve) is not None:
        yield PlannedFigure(
            "curve",
            "Test R² against the number of numbers, of the student's wavelet and others, with the teacher.",
            lambda narrow: error_curve_figure(curve, narrow=narrow),
            vector=True,
        )
    yield PlannedFigure(
        "results",
        f"{metric} of every method on test tracks with 95 % intervals; the table has the numbers.",
        lambda narrow: result_figures.results_figure(results, narrow=narrow),
    )
    if examples is not None and len(examples.cell):
        yield PlannedFigure(
            "examples",
            f"Example tracks: {channels[0]} and {channels[1]} over time ({clock}), and below each the wavelet "
            "coefficients that decided, by scale and time.",
            lambda narrow: track_figures.examples_figure(examples, channels, unit, clock=clock, narrow=narrow),
        )
    if card is not None and found.path is not None and found.chosen is not None:
        start, wavelet = found.path.start, found.wavelet or found.chosen.wavelet
        yield PlannedFigure(
            "wavelet_scales",
            f"The distilled wavelet over {start.name} at every scale, on one time axis in {card.unit}.",
            lambda narrow: track_figures.wavelet_scales_figure(wavelet, start, card, narrow=narrow),
        )
    if card is not None and found.spread is not None:
        odds = card.task == "classification"
        most, quantity = strongest(effect_list, 14), "odds of success" if odds else f"predicted {channels[1]}"
        scale = card.targets.sd if not odds and card.targets.rule != "none" else 1.0
        scale_sd = (found.spread.scale_sd * scale).tolist()
        yield PlannedFigure(
            "effects",
            "Effects of the strongest features with intervals, and how far each scale moves the prediction; "
            "the table has the numbers.",
            lambda narrow: result_figures.effects_figure(
                most, scale_sd, bands(card), quantity, "factor" if odds else unit, odds=odds, narrow=narrow
            ),
        )
    if found.predictions is not None:
        yield _prediction_drawing(found, found.predictions)
    if len(results.per_cell) > 1:
        methods = {key: names[key] for key in report_tables.methods(results.per_cell)}
        yield PlannedFigure(
            "cells",
            f"{metric} within every cell, for {', '.join(methods.values())}; the table has the numbers.",
            lambda narrow: result_figures.cells_figure(results, methods, narrow=narrow),
        )
    if (selection := found.selection) and any(row.share is not None for row in selection):
        yield PlannedFigure(
            "candidates",
            f"Cross-validated {metric} along the path for each kind of features, the chosen candidate ringed.",
            lambda narrow: result_figures.selection_figure(selection, metric, narrow=narrow),
        )
    if any(row.parameters for row in results.rows):
        yield PlannedFigure(
            "economy",
            f"{metric} of every method against the number of its parameters; the table has the numbers.",
            lambda narrow: result_figures.economy_figure(results, narrow=narrow),
        )


def _prediction_drawing(found: Artefacts, table: pd.DataFrame) -> PlannedFigure:
    partner, unit, names = found.data["channels"][1], found.unit, found.results.names
    truth = table["truth"].to_numpy(dtype=float)
    keys = [key for key in ("awd", "teacher", "db5") if key in table.columns]
    shown = {names.get(key, key): table[key].to_numpy(dtype=float) for key in keys}
    if found.metric == "AUC":
        return PlannedFigure(
            "predictions",
            f"ROC curves of {' and '.join(shown)}, and the predicted probabilities of both classes.",
            lambda narrow: prediction_figures.roc_figure(truth, shown, partner, narrow=narrow),
        )
    two = dict(list(shown.items())[:2])
    return PlannedFigure(
        "predictions",
        f"Predicted against measured {partner}, one dot a test track, for {' and '.join(two)}.",
        lambda narrow: prediction_figures.scatter_figure(truth, two, partner, unit, narrow=narrow),
    )


def _clock(found: Artefacts) -> str:
    """Unit of times in examples."""
    return "s" if found.data.get("seconds_per_frame") else "frames"


def _parts(found: Artefacts) -> dict[str, str]:
    """Of each cell, whether it is of training or of the test."""
    rule = None if found.split is None else found.split.get("rule")
    used = [str(row["cell"]) for row in found.data["cells"] if row["used"]]
    if rule == "tracks":
        return dict.fromkeys(used, "both")
    if found.predictions is None:
        return {}
    tested = set(found.predictions["cell"])
    return {cell: "test" if cell in tested else "training" for cell in used}


def _snippet(run: RunFolder, found: Artefacts) -> str:
    seen = found.data["channels"][0]
    name = (found.data["channels"][1] if found.data["target"].get("task") != "success" else "probability").lower()
    length = found.data.get("length", 40)
    own = found.card is not None and found.card.inputs.rule == "own"
    whose = "all of a cell, " if own else "an array "
    return (
        "from awd_cme.model import ModelCard\n"
        f'card = ModelCard.load("{(run.path / "card.json").as_posix()}")\n'
        f"{name} = card.predict(series)  # {seen}: {whose}(n, {length}), or a list of arrays, one value a frame"
    )
