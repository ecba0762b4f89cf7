"""Read the artefacts of a run for its report, and check them."""

import csv
import math
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from awd_core.distill import load_path
from awd_core.report import read_json, read_quality, read_scores
from awd_core.run import RunFolder
from awd_core.wavelets import Wavelet
from awd_cosmo.inference.model import Model
from awd_cosmo.report.artefacts import PROTOCOLS, Attributions, Predictions, Protocol, Ratio, Row, RunRecord

PROGRAM = "awd-cosmo"


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
    results = read_json(run / "results.json")
    try:
        protocols = {name: _protocol(name, results["protocols"][name]) for name in results["protocols"]}
        ratios = [
            Ratio(r["protocol"], r["of"], r["to"], r["value"], r.get("low"), r.get("high"))
            for r in results.get("ratios") or ()
        ]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{run / 'results.json'} is not what {PROGRAM} writes: {error!r}") from error
    if not any(name in protocols for name in PROTOCOLS):
        raise ValueError(f"{run / 'results.json'} has no protocol named {' or '.join(PROTOCOLS)}; run the comparison")
    return RunRecord(
        folder=run.path,
        maps=read_json(run / "maps.json"),
        target=results.get("target", "Omega_m"),
        protocols=protocols,
        ratios=ratios,
        splits=read_json(run / "split.json") or {},
        teacher=read_json(run / "teacher.json"),
        histories={
            name: history
            for name in PROTOCOLS
            if (history := read_json(run / "teacher" / f"{name}.history.json")) is not None
        },
        path=load_path(run / "path.json") if (run / "path.json").exists() else None,
        wavelet=Wavelet.load(run / "wavelet.json") if (run / "wavelet.json").exists() else None,
        scores=read_scores(run / "scores.json", PROGRAM),
        quality=read_quality(run / "quality.json", PROGRAM),
        selection=read_json(run / "selection.json"),
        timings=read_json(run / "timings.json") or {},
        predictions=_predictions(run / "predictions.csv"),
        attributions=_attributions(run / "attributions.npz"),
        model=Model.load(run / "model.json") if (run / "model.json").exists() else None,
        observed=read_json(run / "observed.json"),
    )


def _protocol(name: str, values: Mapping[str, Any]) -> Protocol:
    known = {field.name for field in fields(Row)}
    rows = tuple(Row(**{key: row[key] for key in row if key in known}) for row in values["rows"])
    counts = ("train", "validation", "test", "test_cosmologies", "spread", "units", "best_classical", "curve")
    return Protocol(name, rows, **{key: values.get(key) for key in counts})


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
        raise ValueError(f"{file} is not what {PROGRAM} writes ({error}); delete it and start the run again") from error
