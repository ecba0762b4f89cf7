"""The file of a model card: what stands where.

    {"format": "awd-cme-card", "version": 1, "task": "regression" or "classification",
     "channels": [what is seen, what is predicted], "target": name, "series": {length, resampling, seconds_per_sample},
     "inputs": z-scores of the series, "targets": z-scores of the target,
     "wavelet": {name, taps, levels, mode, function: {seconds, psi}}, "scales": [{name, seconds, span_seconds, …}],
     "features": {which, most, positions, energies}, "intercept": {value, low, high}, "limits": [low, high],
     "coefficients": [{feature, value, low, high, p}], "notes": {anything}}

Times are in `unit`: seconds where the frame interval was known, else samples.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from awd_cme.model.coefficients import Selection, scales
from awd_cme.series.scaling import Statistics

if TYPE_CHECKING:
    from awd_cme.model.card import ModelCard

FORMAT, VERSION = "awd-cme-card", 1
Triple = tuple[float, float, float]


def values_of(card: "ModelCard") -> dict[str, Any]:
    """A card as JSON values."""
    step = card.seconds_per_sample or 1.0
    levels = [card.levels, *range(card.levels, 0, -1)]
    named = zip(scales(card.levels, card.seconds_per_sample), card.matrices, levels, strict=True)
    return {
        "format": FORMAT,
        "version": VERSION,
        "task": card.task,
        "channels": list(card.channels),
        "target": card.target,
        "unit": card.unit,
        "series": {
            "length": card.length,
            "resampling": card.resampling,
            "seconds_per_sample": card.seconds_per_sample,
        },
        "inputs": card.inputs.to_dict(),
        "targets": card.targets.to_dict(),
        "wavelet": {
            "name": card.wavelet,
            "taps": card.taps.tolist(),
            "levels": card.levels,
            "mode": card.mode,
            "function": {"time": card.function[0].tolist(), "psi": card.function[1].tolist()},
        },
        "scales": [
            {
                "name": name,
                "time": value,
                "span": ((2**level - 1) * (len(card.taps) - 1) + 1) * step,
                "coefficients": len(matrix),
            }
            for (name, value), matrix, level in named
        ],
        "features": card.selection.to_dict(),
        "intercept": _triple(card.intercept),
        "limits": [end if math.isfinite(end) else None for end in card.limits],
        "coefficients": [
            {"feature": name, **_triple(row[:3]), "p": None if math.isnan(row[3]) else row[3]}
            for name, row in zip(card.names, card.coefficients.tolist(), strict=True)
        ],
        "notes": card.notes,
    }


def fields_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the card that JSON values describe.

    Raises
    ------
    ValueError, KeyError
        If they are no card, are of another version, or something is missing.
    """
    if not isinstance(values, Mapping) or values.get("format") != FORMAT:
        raise ValueError(f'it has no "format": "{FORMAT}"; ModelCard.save writes cards')
    if values.get("version") != VERSION:
        raise ValueError(f"its version is {values.get('version')!r} and this awd-cme reads version {VERSION}; update")
    wavelet, series, function = values["wavelet"], values["series"], values["wavelet"]["function"]
    return {
        "task": values["task"],
        "channels": (values["channels"][0], values["channels"][1]),
        "target": values["target"],
        "length": series["length"],
        "resampling": series["resampling"],
        "seconds_per_sample": series["seconds_per_sample"],
        "inputs": Statistics.from_dict(values["inputs"]),
        "targets": Statistics.from_dict(values["targets"]),
        "wavelet": wavelet["name"],
        "taps": np.array(wavelet["taps"], dtype=np.float64),
        "levels": wavelet["levels"],
        "mode": wavelet["mode"],
        "selection": Selection(**values["features"]),
        "coefficients": np.array([_with_p(row) for row in values["coefficients"]], dtype=np.float64).reshape(-1, 4),
        "intercept": _numbers(values["intercept"]),
        "limits": _limits(values["limits"]),
        "function": np.array([function["time"], function["psi"]], dtype=np.float64),
        "notes": dict(values["notes"]),
    }


def _triple(row: Sequence[float]) -> dict[str, float | None]:
    ends = [None if math.isnan(end) else float(end) for end in row[1:]]
    return {"value": float(row[0]), "low": ends[0], "high": ends[1]}


def _numbers(row: Mapping[str, Any]) -> Triple:
    value, low, high = (math.nan if row[key] is None else float(row[key]) for key in ("value", "low", "high"))
    return value, low, high


def _with_p(row: Mapping[str, Any]) -> tuple[float, ...]:
    p = row.get("p")  # the first cards had none
    return *_numbers(row), math.nan if p is None else float(p)


def _limits(ends: Sequence[float | None]) -> tuple[float, float]:
    low, high = ends
    return -math.inf if low is None else float(low), math.inf if high is None else float(high)
