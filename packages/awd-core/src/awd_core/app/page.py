"""The report of `awd distill`: the distillation, the data and settings, and how it was run."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from awd_core.distill.distill import DistillationPath, PathPoint
from awd_core.evidence.jackknife import Interval
from awd_core.evidence.quality_record import CheckedQuality
from awd_core.evidence.score_records import Scores
from awd_core.report.distillation import distillation_part
from awd_core.report.page import save_report
from awd_core.report.pdr import pdr_part
from awd_core.report.quality import quality_part
from awd_core.report.readable import readable_part, write_card
from awd_core.report.run import methods_part, run_part
from awd_core.report.sentences import interval
from awd_core.report.table import Column, Table
from awd_core.run.folder import RunFolder, check_run
from awd_core.transforms.boundary import boundary_note

if TYPE_CHECKING:
    from awd_core.features.select import Selection
    from awd_core.readable.model import ReadableModel
    from awd_core.readable.worth import Worth

OTHERS = (
    "Networks that were trained with other seeds would tell whether the attributions belong to the data or to this one "
    "network: the same command with --other-weights FILE, once for each of them, adds that check to this run."
)


def write_page(
    run: RunFolder,
    path: DistillationPath,
    chosen: PathPoint,
    selection: "Selection | None" = None,
    *,
    scores: Scores,
    quality: CheckedQuality | None = None,
    readable: "tuple[ReadableModel, Worth] | None" = None,
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> None:
    """Write figures, animation and report.html into a run's folder.

    Parameters
    ----------
    run : RunFolder
        A run of `awd distill`.
    path, chosen : DistillationPath, PathPoint
        What came of it, and the point that was taken.
    selection : Selection, optional
        Scores by which the point was taken.
    scores : tuple of CoefficientScores
        Of the start and of the chosen wavelet.
    quality : CheckedQuality, optional
        Whether the attributions deserve trust, if that was looked at.
    readable : (ReadableModel, Worth), optional
        The model that one can read, and whether it was worth it.
    progress : callable, optional
        Called with (pictures done, pictures in all).
    """
    check_run(run, "awd distill makes it")
    classes = (run.config["options"].get("y") or {}).get("task") == "classification"
    part = distillation_part(path, chosen, run, scores=scores, progress=progress)
    settings, options = run.config["settings"], run.config["options"]
    trust = quality_part(quality or _unchecked(settings), run, hints=[] if options.get("other_weights") else [OTHERS])
    model = None if readable is None else readable_part(*readable, run)
    save_report(
        run,
        "awd_core.report/distill.html.j2",
        made_with=("awd-core", "python", "torch"),
        title=f"{path.start.name} distilled on {Path(options['X']).name}",
        summary=" ".join(headline(part.summary, path, quality, readable)),
        facts=[*([] if model is None else model.facts), *part.facts, *trust.facts],
        distillation=part,
        readable=model,
        quality=trust,
        pdr=pdr_part(run, predictive=predictive(readable), quality=quality, answer=answer(part.summary, readable)),
        selection=None if selection is None else _selection(selection, classes=classes),
        nothing_predicted=selection is not None and not classes and max(selection.mean) <= 0,
        predictor="logistic" if classes else options["predictor"],
        score="minus the log loss" if classes else "R²",
        data=_data(settings, options),
        snippet=snippet(run.path, settings),
        place=run.path.as_posix(),
        run=run_part(run),
        methods=methods_part(methods(settings, options, run.config["versions"], path, chosen, readable)),
    )
    if model is not None:
        versions = run.config["versions"]
        write_card(run, model, {name: versions[name] for name in ("awd-core", "python", "numpy") if name in versions})


def headline(
    summary: str, path: DistillationPath, quality: CheckedQuality | None, readable: "tuple[ReadableModel, Worth] | None"
) -> list[str]:
    """The verdict: what a model is worth, what distillation came to, whether to trust it, and what is against it."""
    found = [] if readable is None else readable[1].verdict
    found = [*found, summary]
    if quality is not None:
        found.append(f"Do the attributions deserve trust? {quality.quality.headline}")
    else:
        found.append("Whether the attributions deserve trust was not checked.")
    settings = path.settings
    shape, ndim = settings["shape"], settings["ndim"]
    if len(shape) > ndim + 1 and shape[1] > 1:
        found.append(f"The inputs have {shape[1]} channels, which share this wavelet.")
    if note := boundary_note(settings["levels"], shape[-ndim:], [path.start.length] * ndim):
        found.append(f"Beware: {note}.")
    return found


def predictive(readable: "tuple[ReadableModel, Worth] | None") -> dict[str, Interval]:
    """Scores of the model and of the network on inputs that were held out; none where there is no model."""
    worth = None if readable is None else readable[1]
    rows = [] if worth is None else [row for row in worth.rows if row.kind in ("model", "network")]
    return {
        f"{row.method}, {worth.score}": Interval(row.score, row.low, row.high, math.nan, worth.units)
        for row in rows
        if worth is not None
    }


def answer(summary: str, readable: "tuple[ReadableModel, Worth] | None") -> str:
    """Which number moves the prediction most; without a model, what distillation came to."""
    told = [] if readable is None else [row for row in readable[0].table() if row.name != "intercept"]
    if readable is None or not told:
        return summary
    first = max(told, key=lambda row: abs(row.per_deviation))
    count, what = len(readable[0].card.numbers), "the log odds" if first.target != "y" else "the prediction"
    return (
        f"The model reads {count} number{'' if count == 1 else 's'}. The one that counts most is {first.meaning}: one "
        f"standard deviation more of it changes {what} of {first.target} by {first.per_deviation:.3g}."
    )


def methods(
    settings: Mapping[str, Any],
    options: Mapping[str, Any],
    versions: Mapping[str, str],
    path: DistillationPath,
    chosen: PathPoint,
    readable: "tuple[ReadableModel, Worth] | None",
) -> list[str]:
    """Sentences for a Methods section."""
    shape, gradients = " × ".join(map(str, settings["X"]["shape"])), settings["gradients"]
    given = "" if "factory" in gradients else " that were given"
    found = [
        "A wavelet was distilled from a neural network by adaptive wavelet distillation [@ha2021adaptive] with "
        "awd-core "
        f"{versions.get('awd-core', '')} and PyTorch {versions.get('torch', '')} [@paszke2019pytorch].",
        f"From {path.start.name}, and seeded random filters of the same length, orthonormal filters of "
        f"{path.start.length} taps were searched for that make the coefficients of the inputs ({shape}) and their "
        f"attributions [@singh2020transformation], by the network's gradients{given}, sparsest in the L1 norm "
        f"({settings['levels']} levels, boundary mode {settings['mode']}), at {len(path)} shares of the "
        "attributions; the "
        f"share {chosen.share:g} was taken.",
    ]
    if readable is not None:
        model, worth = readable
        row = next((row for row in worth.rows if row.kind == "model"), None)
        score = "" if row is None else f" Its {worth.score} on inputs that were held out is {row.score:.3f}"
        ends = "" if row is None else interval(row.low, row.high)
        found.append(
            f"The readable model is linear in {len(model.card.numbers)} numbers of the wavelet's bands, from "
            "which a ridge "
            f"regression tells most of the network's answers, and was fitted to the truths.{score}"
            + (f" ({ends})" if ends else "")
            + ("." if score else "")
            + (" Intervals are those of a jackknife with Student's t [@efron1993introduction]." if ends else "")
        )
    return [*found, f"All random draws follow from the seed {options.get('seed', settings.get('seed'))}."]


def snippet(folder: Path, settings: Mapping[str, Any]) -> str:
    """How to use the wavelet in Python."""
    transform, shape = ("DWT1d", "(…, N)") if settings["ndim"] == 1 else ("DWT2d", "(…, H, W)")
    return (
        f"from awd_core import {transform}, Wavelet\n"
        f'wavelet = Wavelet.load("{(folder / "wavelet.json").as_posix()}")\n'
        f'coefficients = {transform}(wavelet, levels={settings["levels"]}, mode="{settings["mode"]}")(x)'
        f"  # x: a tensor {shape}"
    )


def _unchecked(settings: Mapping[str, Any]) -> str:
    if "factory" in settings["gradients"]:
        return "That was not checked, as --no-quality asked. The same command without it adds the checks to this run."
    return (
        "That could not be checked: the gradients were given, and not the network that they come from, and all checks "
        "ask the network. A run with --teacher PKG.MODULE:FACTORY and --weights FILE instead of --gradients makes them."
    )


def _data(settings: Mapping[str, Any], options: Mapping[str, Any]) -> Table:
    columns = [Column("what"), Column("file"), Column("shape"), Column("type"), Column("SHA-256")]
    held: list[tuple[str, str, Mapping[str, Any]]] = [("inputs X", options["X"], settings["X"])]
    gradients = settings["gradients"]
    held.append(("teacher" if "factory" in gradients else "gradients", options["gradients"], gradients))
    if options["y"] is not None:
        held.append(("truths y", options["y"]["file"], options["y"]))
    rows = [
        [
            what,
            file,
            " × ".join(map(str, about["shape"])) if "shape" in about else "–",
            about.get("dtype", about.get("factory")),
            about["sha256"],
        ]
        for what, file, about in held
    ]
    return Table("data-table", columns, rows)


def _selection(selection: "Selection", *, classes: bool) -> Table:
    columns = [
        Column("share α", "", "g"),
        Column("−log loss" if classes else "R²", "mean over the folds", ".4f"),
        Column("standard error", "", ".4f"),
        Column("within one standard error of the best"),
    ]
    best = selection.index
    limit = selection.mean[best] - selection.standard_error[best]
    rows = [
        [share, mean, error, mean >= limit]
        for share, mean, error in zip(selection.shares, selection.mean, selection.standard_error, strict=True)
    ]
    return Table("selection-table", columns, rows, marked=best)
