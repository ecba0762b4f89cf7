"""What a run's folder holds, read for its report: two files that must be there, and the rest if it is.

    data.json, results.json                         must be there
    split, scaling, selection, timings, quality, scores, teacher, teacher_seeds (.json), card.json, predictions.csv,
    series.npz
    path.json, paths/<name>.json                    distillation paths; the one that the chosen wavelet lies on is shown
    wavelet.json                                    the chosen wavelet
    student_card.json, curve.json                   the model of at most ten numbers, and what each number is worth
    examples.npz                                    see `awd_cme.report.examples.Examples`

Files of other steps are read by their own readers; what has none is checked here for what the report needs of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from awd_cme.model.card import ModelCard
from awd_cme.model.student_card import StudentCard
from awd_cme.report.examples import Examples, FeatureSpread, feature_spread
from awd_cme.report.student import read_curve
from awd_core.distill import DistillationPath, PathPoint, load_path
from awd_core.evidence import CheckedQuality, Scores
from awd_core.report import read_json, read_quality, read_scores
from awd_core.run import RunFolder
from awd_core.student import ErrorCurve
from awd_core.wavelets import Wavelet

PROGRAM = "awd-cme"


@dataclass(frozen=True)
class Artefacts:
    """All that a report is made from; what was not found is None (or empty).

    Attributes
    ----------
    data, results : mapping
        Of `data.json` and `results.json`.
    split, scaling, timings, teacher : mapping or None
        Of the files of these names.
    seeds : mapping of str to float
        Scores of teachers of several seeds on the test tracks, of `teacher_seeds.json`; empty if there is no such file.
    quality : CheckedQuality or None
        Of `quality.json`.
    selection : list of mapping or None
        Of `selection.json`.
    scores : (CoefficientScores, CoefficientScores) or None
        Of the start and of the chosen wavelet.
    path, chosen : DistillationPath and PathPoint, or None
        The path that the chosen wavelet lies on, and its point.
    on_path : bool
        Whether the chosen wavelet is that point's; else the point is the nearest one.
    paths : mapping of str to DistillationPath
        All paths, by name.
    wavelet : Wavelet or None
        The chosen one.
    student : StudentCard or None
        The model of at most ten numbers.
    curve : ErrorCurve or None
        What each further number is worth.
    card : ModelCard or None
        The rich model.
    spread : FeatureSpread or None
        How its features vary.
    predictions : DataFrame or None
        Of `predictions.csv`.
    examples : Examples or None
        Of `examples.npz`.
    """

    data: Mapping[str, Any]
    results: Mapping[str, Any]
    split: Mapping[str, Any] | None
    scaling: Mapping[str, Any] | None
    seeds: Mapping[str, float]
    timings: Mapping[str, Any] | None
    quality: CheckedQuality | None
    teacher: Mapping[str, Any] | None
    selection: list[Mapping[str, Any]] | None
    scores: Scores | None
    path: DistillationPath | None
    chosen: PathPoint | None
    on_path: bool
    paths: Mapping[str, DistillationPath]
    wavelet: Wavelet | None
    student: StudentCard | None
    curve: ErrorCurve | None
    card: ModelCard | None
    spread: FeatureSpread | None
    predictions: pd.DataFrame | None
    examples: Examples | None


def read_artefacts(run: RunFolder) -> Artefacts:
    """Read a run's folder.

    Raises
    ------
    FileNotFoundError
        If data.json or results.json is not there.
    ValueError
        If a file is not what its name says.
    """
    data, results = read_json(run / "data.json"), read_json(run / "results.json")
    if data is None or results is None:
        missing = "data.json" if data is None else "results.json"
        raise FileNotFoundError(f"{run.path} has no {missing}, which the report is made from; finish the run first")
    for name, values, keys in (
        ("data.json", data, ("channels", "cells", "losses", "target")),
        ("results.json", results, ("metric", "rows")),
    ):
        if lacking := [key for key in keys if key not in values]:
            raise ValueError(f"{run / name} lacks {', '.join(lacking)}")
    split, card = read_json(run / "split.json"), _card(run / "card.json")
    wavelet = Wavelet.load(run / "wavelet.json") if (run / "wavelet.json").exists() else None
    paths = _paths(run)
    path, chosen, on_path = _place(paths, wavelet)
    files = {name: run / name for name in ("series.npz", "predictions.csv", "examples.npz")}
    return Artefacts(
        data=data,
        results=results,
        split=split,
        scaling=read_json(run / "scaling.json"),
        seeds=(read_json(run / "teacher_seeds.json") or {}).get("scores", {}),
        timings=read_json(run / "timings.json"),
        quality=read_quality(run / "quality.json", PROGRAM),
        teacher=read_json(run / "teacher.json"),
        selection=read_json(run / "selection.json"),
        scores=read_scores(run / "scores.json", PROGRAM),
        path=path,
        chosen=chosen,
        on_path=on_path,
        paths=paths,
        wavelet=wavelet,
        student=StudentCard.load(run / "student_card.json") if (run / "student_card.json").exists() else None,
        curve=read_curve(run / "curve.json"),
        card=card,
        spread=None
        if card is None or not files["series.npz"].exists()
        else feature_spread(card, files["series.npz"], split),
        predictions=_predictions(files["predictions.csv"]),
        examples=Examples.load(files["examples.npz"]) if files["examples.npz"].exists() else None,
    )


def _card(file: Path) -> ModelCard | None:
    return ModelCard.load(file) if file.exists() else None


def _predictions(file: Path) -> pd.DataFrame | None:
    if not file.exists():
        return None
    table = pd.read_csv(file, dtype={"cell": str})
    if lacking := {"cell", "truth"} - set(table.columns):
        raise ValueError(f"{file} lacks the columns {', '.join(sorted(lacking))}")
    return table


def _paths(run: RunFolder) -> dict[str, DistillationPath]:
    several = sorted((run / "paths").glob("*.json"))
    alone = run / "path.json"
    paths = {file.stem: load_path(file) for file in several if ".checkpoint" not in file.name}
    if alone.exists():
        # The one that the chosen wavelet lies on; it comes first, as the one to be shown.
        path = load_path(alone)
        paths = {path.start.name: path} | {name: other for name, other in paths.items() if name != path.start.name}
    return paths


def _place(
    paths: Mapping[str, DistillationPath], wavelet: Wavelet | None
) -> tuple[DistillationPath | None, PathPoint | None, bool]:
    """The path and point of the chosen wavelet, or of the wavelet nearest to it."""
    if not paths or wavelet is None:
        return None, None, False
    own = next((path for path in paths.values() if path.start == wavelet), None)
    points = [(path, point) for path in ([own] if own else paths.values()) for point in path]
    distances = [_difference(point.wavelet, wavelet) for _, point in points]
    nearest = int(np.argmin(distances))
    path, point = points[nearest]
    return path, point, distances[nearest] < 1e-9


def _difference(one: Wavelet, other: Wavelet) -> float:
    """Norm of the difference of the taps, the shorter padded with zeros: exact for the same wavelet."""
    longest = max(one.length, other.length)
    taps = [np.pad(wavelet.taps, (0, longest - wavelet.length)) for wavelet in (one, other)]
    return float(np.linalg.norm(taps[0] - taps[1]))
