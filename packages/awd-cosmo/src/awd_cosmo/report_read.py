"""Read the artefacts of a run for its report, and check them."""

import csv
import json
import math
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from awd_core.distill_quality import CheckedQuality
from awd_core.path_file import load_path
from awd_core.quality import AttributionQuality
from awd_core.run_folder import RunFolder
from awd_core.scores import CoefficientScores, ScaleScore
from awd_core.wavelet import Wavelet
from awd_cosmo.model import Model
from awd_cosmo.report_data import PROTOCOLS, Attributions, Predictions, Protocol, Ratio, Row, RunRecord


def read_record(run: RunFolder) -> RunRecord:
    """Read the artefacts of a run.

    Raises
    ------
    FileNotFoundError
        If maps.json or results.json is missing.
    ValueError
        If a file is damaged; the message names it.
    """
    for name, made in (("maps.json", "the maps"), ("results.json", "the comparison of the models")):
        if not (run / name).exists():
            raise FileNotFoundError(
                f"{run / name} is missing: the run has not come to {made} yet. Start `awd-cosmo run` again with the "
                "same settings; it goes on where it stopped"
            )
    results = _json(run / "results.json")
    try:
        protocols = {name: _protocol(name, results["protocols"][name]) for name in results["protocols"]}
        ratios = [
            Ratio(r["protocol"], r["of"], r["to"], r["value"], r.get("low"), r.get("high"))
            for r in results.get("ratios") or ()
        ]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{run / 'results.json'} is not what awd-cosmo writes: {error!r}") from error
    if not any(name in protocols for name in PROTOCOLS):
        raise ValueError(f"{run / 'results.json'} has no protocol named {' or '.join(PROTOCOLS)}; run the comparison")
    return RunRecord(
        folder=run.path,
        maps=_json(run / "maps.json"),
        target=results.get("target", "Omega_m"),
        protocols=protocols,
        ratios=ratios,
        seeds=results.get("seeds") or (),
        splits=_optional(run / "split.json") or {},
        teacher=_optional(run / "teacher.json"),
        histories={
            name: history
            for name in PROTOCOLS
            if (history := _optional(run / "teacher" / f"{name}.history.json")) is not None
        },
        path=load_path(run / "path.json") if (run / "path.json").exists() else None,
        wavelet=Wavelet.load(run / "wavelet.json") if (run / "wavelet.json").exists() else None,
        scores=_scores(run / "scores.json"),
        quality=_quality(run / "quality.json"),
        selection=_optional(run / "selection.json"),
        timings=_optional(run / "timings.json") or {},
        predictions=_predictions(run / "predictions.csv"),
        attributions=_attributions(run / "attributions.npz"),
        model=Model.load(run / "model.json") if (run / "model.json").exists() else None,
        observed=_optional(run / "observed.json"),
    )


def _json(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{file} is damaged ({error}); delete it and start the run again") from error


def _optional(file: Path) -> Any:
    return _json(file) if file.exists() else None


def _protocol(name: str, values: Mapping[str, Any]) -> Protocol:
    known = {field.name for field in fields(Row)}
    rows = tuple(Row(**{key: row[key] for key in row if key in known}) for row in values["rows"])
    counts = ("train", "validation", "test", "test_cosmologies", "spread", "resampled", "best_classical")
    return Protocol(name, rows, **{key: values.get(key) for key in counts})


def _quality(file: Path) -> CheckedQuality | None:
    values = _optional(file)
    if values is None:
        return None
    try:
        return CheckedQuality(AttributionQuality.from_dict(values), values["asked"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{file} is not what awd-cosmo writes: {error!r}; delete it and start the run again"
        ) from error


def _scores(file: Path) -> tuple[CoefficientScores, CoefficientScores] | None:
    values = _optional(file)
    if values is None:
        return None
    try:
        return _coefficient_scores(values["start"]), _coefficient_scores(values["distilled"])
    except (KeyError, TypeError) as error:
        raise ValueError(
            f"{file} is not what awd-cosmo writes: {error!r}; delete it and start the run again"
        ) from error


def _coefficient_scores(values: Mapping[str, Any]) -> CoefficientScores:
    """Scores from what `CoefficientScores.to_dict` gave, where None stands for NaN."""

    def known(record: Mapping[str, Any]) -> dict[str, Any]:
        return {key: math.nan if value is None else value for key, value in record.items()}

    held = known({key: value for key, value in values.items() if key not in ("format", "version")})
    return CoefficientScores(
        **held
        | {
            "taps": tuple(held["taps"]),
            "scales": tuple(ScaleScore(**known(scale)) for scale in held["scales"]),
            "total": ScaleScore(**known(held["total"])),
            "curve_k": tuple(held["curve_k"]),
            "curve_kept": tuple(math.nan if kept is None else kept for kept in held["curve_kept"]),
            "kept": tuple((share, math.nan if kept is None else kept) for share, kept in held["kept"]),
        }
    )


def _predictions(file: Path) -> dict[str, Predictions]:
    if not file.exists():
        return {}
    with file.open(newline="", encoding="utf-8") as text:
        rows = list(csv.DictReader(text))
    found = {}
    for name in dict.fromkeys(row["protocol"] for row in rows):
        mine = [row for row in rows if row["protocol"] == name]
        columns = {
            key: np.array([float(row[key]) if row[key] else math.nan for row in mine])
            for key in mine[0]
            if key != "protocol"
        }
        keys = [key for key in columns if key not in ("map", "cosmology", "realisation", "truth")]
        estimates = {k: columns[k] for k in keys if not k.endswith("_std") and np.isfinite(columns[k]).any()}
        none = np.full(len(mine), math.nan)
        errors = {key: columns.get(f"{key}_std", none) for key in estimates}
        found[name] = Predictions(columns["cosmology"].astype(np.int64), columns["truth"], estimates, errors)
    return found


def _attributions(file: Path) -> Attributions | None:
    if not file.exists():
        return None
    try:
        with np.load(file, allow_pickle=False) as held:
            names = [str(name) for name in held["bands"]] if "bands" in held else []
            # A name in `bands` may stand with or without what the arrays have before it.
            bands = {name.removeprefix("wavelet_"): held[f"wavelet_{name.removeprefix('wavelet_')}"] for name in names}
            return Attributions(held["maps"], held["gradients"], held["truth"], bands)
    except (ValueError, KeyError, OSError) as error:
        raise ValueError(f"{file} is not what awd-cosmo writes ({error}); delete it and start the run again") from error
