"""What a run's folder holds, read for its report: two files that must be there, and the rest if it is.

Files of other steps are read by their own readers; what has none is checked here for what the report needs of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from awd_cme.model.card import ModelCard
from awd_cme.model.results import Results, TriedCandidate
from awd_cme.model.student_card import StudentCard
from awd_cme.report.examples import Examples, FeatureSpread, feature_spread
from awd_cme.report.student import read_curve
from awd_core.distill import DistillationPath, PathPoint, load_path
from awd_core.evidence import CheckedQuality, Scores, read_selection
from awd_core.report import load_if_exists, read_json, read_quality, read_scores
from awd_core.run import RunFolder
from awd_core.student import ErrorCurve
from awd_core.wavelets import Wavelet

PROGRAM = "awd-cme"


@dataclass(frozen=True)
class Artefacts:
    """All that a report is made from; what was not found is None (or empty)."""

    data: Mapping[str, Any]
    results: Results
    split: Mapping[str, Any] | None
    scaling: Mapping[str, Any] | None
    seeds: Mapping[str, float]  # scores on the test tracks of teachers of several seeds
    timings: Mapping[str, Any] | None
    quality: CheckedQuality | None
    teacher: Mapping[str, Any] | None
    selection: Sequence[TriedCandidate] | None
    scores: Scores | None
    path: DistillationPath | None  # the one that the chosen wavelet lies on
    chosen: PathPoint | None  # that wavelet's point
    on_path: bool  # whether it is; else the point is the nearest one
    paths: Mapping[str, DistillationPath]
    wavelet: Wavelet | None
    student: StudentCard | None  # the model of at most ten numbers
    curve: ErrorCurve | None  # what each further number is worth
    card: ModelCard | None  # the rich model
    spread: FeatureSpread | None  # how its features vary
    predictions: pd.DataFrame | None
    examples: Examples | None

    @property
    def metric(self) -> str:
        """R² or AUC."""
        return self.results.score_name

    @property
    def unit(self) -> str:
        """Unit of intensities and, in a regression, of the target."""
        return str(self.data["target"].get("unit") or "a.u.")

    @property
    def taken(self) -> TriedCandidate | None:
        """The candidate that cross-validation chose."""
        return next((row for row in self.selection or () if row.chosen), None)


def read_artefacts(run: RunFolder | Path) -> Artefacts:
    """Read a run, open or by its folder.

    Raises
    ------
    FileNotFoundError
        If data.json or results.json is not there.
    ValueError
        If a file is not what its name says.
    """
    for name in ("data.json", "results.json"):
        if not (run / name).exists():
            raise FileNotFoundError(f"{run / name} is not there, which the report is made from; finish the run first")
    data = read_json(run / "data.json")
    if lacking := [key for key in ("channels", "cells", "losses", "target") if key not in data]:
        raise ValueError(f"{run / 'data.json'} lacks {', '.join(lacking)}")
    split, card = read_json(run / "split.json"), load_if_exists(run / "card.json", ModelCard.load)
    wavelet, paths = load_if_exists(run / "wavelet.json", Wavelet.load), _paths(run)
    path, chosen, on_path = _place(paths, wavelet)
    spread = (
        None if card is None else load_if_exists(run / "series.npz", lambda file: feature_spread(card, file, split))
    )
    return Artefacts(
        data=data,
        results=Results.load(run / "results.json"),
        split=split,
        scaling=read_json(run / "scaling.json"),
        seeds=(read_json(run / "teacher_seeds.json") or {}).get("scores", {}),
        timings=read_json(run / "timings.json"),
        quality=read_quality(run / "quality.json", PROGRAM),
        teacher=read_json(run / "teacher.json"),
        selection=load_if_exists(run / "selection.json", partial(read_selection, kind=TriedCandidate)),
        scores=read_scores(run / "scores.json", PROGRAM),
        path=path,
        chosen=chosen,
        on_path=on_path,
        paths=paths,
        wavelet=wavelet,
        student=load_if_exists(run / "student_card.json", StudentCard.load),
        curve=load_if_exists(run / "curve.json", read_curve),
        card=card,
        spread=spread,
        predictions=load_if_exists(run / "predictions.csv", _predictions),
        examples=load_if_exists(run / "examples.npz", Examples.load),
    )


def _predictions(file: Path) -> pd.DataFrame:
    table = pd.read_csv(file, dtype={"cell": str})
    if lacking := {"cell", "truth"} - set(table.columns):
        raise ValueError(f"{file} lacks the columns {', '.join(sorted(lacking))}")
    return table


def _paths(run: RunFolder | Path) -> dict[str, DistillationPath]:
    several = sorted((run / "paths").glob("*.json"))
    paths = {file.stem: load_path(file) for file in several if ".checkpoint" not in file.name}
    if (path := load_if_exists(run / "path.json", load_path)) is not None:
        # The one that the chosen wavelet lies on; it comes first, as the one to be shown.
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
