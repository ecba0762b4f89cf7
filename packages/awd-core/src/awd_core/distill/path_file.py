"""The file of a distillation path: one JSON object, from which the path comes back bit for bit, but for timings.

    {"format": "awd-path", "version": 1, "start": {wavelet}, "start_sparsity": S₀, "start_interpretation": A₀,
     "settings": {…}, "points": [{"share": α, "ratio": γ/λ or null for infinity, "sparsity": S, "interpretation": A,
       "objective": …, "wavelet": {wavelet}, "distance_to_start": {"taps": …, "function": …},
       "descents": [{"start": name, "evaluations": n, "steps": [[free angles, S or null, A or null, objective], …]}]}]}

A {wavelet} is {"name", "taps", "angles"}. How long each search took is left out: the same data and settings make the
same file, and whoever compares two runs compares two files.
"""

import json
import math
import os
from pathlib import Path
from typing import Any

from awd_core.distill.descent import Descent
from awd_core.distill.path import DistillationPath, PathPoint
from awd_core.files.atomic import write_atomically
from awd_core.wavelets.wavelet import Wavelet

FORMAT, VERSION = "awd-path", 1


def save_path(path: DistillationPath, file: str | os.PathLike[str]) -> None:
    """Write a path to a JSON file, whole or not at all."""
    write_atomically(file, to_json(path))


def load_path(file: str | os.PathLike[str]) -> DistillationPath:
    """Read a file that `save_path` wrote.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no such file, or was written by a later version.
    """
    try:
        return from_json(Path(file).read_bytes())
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{os.fspath(file)} cannot be read as a distillation path: {error}") from error


def to_json(path: DistillationPath) -> bytes:
    """Content of the file."""
    values = {
        "format": FORMAT,
        "version": VERSION,
        "start": _wavelet_values(path.start),
        "start_sparsity": path.start_sparsity,
        "start_interpretation": path.start_interpretation,
        "settings": path.settings,
        "points": [_point_values(point, path.start) for point in path],
    }
    return (json.dumps(values, ensure_ascii=False, allow_nan=False) + "\n").encode(errors="backslashreplace")


def from_json(content: bytes) -> DistillationPath:
    """Path from the content of the file; the descents' `seconds` are NaN.

    Raises
    ------
    ValueError
        If it is something else, or of a later version.
    """
    values = json.loads(content)
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise ValueError(f'it has no "format": "{FORMAT}"; files like this are written by save_path and awd distill')
    if values.get("version") != VERSION:
        raise ValueError(f"its version is {values.get('version')!r} and this awd-core reads version {VERSION}: update")
    start = _wavelet(values["start"])
    points = [_point(record, start, values["settings"]) for record in values["points"]]
    return DistillationPath(points, start, values["start_sparsity"], values["start_interpretation"], values["settings"])


def _point_values(point: PathPoint, start: Wavelet) -> dict[str, Any]:
    descents = [descent.to_dict() for descent in point.descents]
    for record in descents:
        del record["seconds"]
    return {
        "share": point.share,
        "ratio": point.ratio if math.isfinite(point.ratio) else None,
        "sparsity": point.sparsity,
        "interpretation": point.interpretation,
        "objective": point.objective,
        "wavelet": _wavelet_values(point.wavelet),
        "distance_to_start": {
            "taps": point.wavelet.distance(start),
            "function": point.wavelet.distance(start, of="function"),
        },
        "descents": descents,
    }


def _point(record: dict[str, Any], start: Wavelet, settings: dict[str, Any]) -> PathPoint:
    metadata = {"share": record["share"], "start": start.name, "settings": settings}
    return PathPoint(
        share=record["share"],
        ratio=math.inf if record["ratio"] is None else record["ratio"],
        wavelet=_wavelet(record["wavelet"]).with_metadata(metadata),
        sparsity=record["sparsity"],
        interpretation=record["interpretation"],
        objective=record["objective"],
        descents=tuple(Descent.from_dict(descent | {"seconds": math.nan}) for descent in record["descents"]),
    )


def _wavelet_values(wavelet: Wavelet) -> dict[str, Any]:
    return {"name": wavelet.name, "taps": wavelet.taps.tolist(), "angles": wavelet.angles.tolist()}


def _wavelet(values: dict[str, Any]) -> Wavelet:
    wavelet = Wavelet.from_angles(values["angles"], name=values["name"])
    if wavelet.taps.tolist() == values["taps"]:
        return wavelet
    # A wavelet of PyWavelets, say, whose taps are not those of its angles to the last bit.
    return Wavelet.from_taps(values["taps"], name=values["name"])
