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
from dataclasses import dataclass, replace
from typing import Any

from awd_core.distill.path import DistillationPath, PathPoint
from awd_core.files.atomic import json_bytes, write_atomically
from awd_core.files.record import Record, reading
from awd_core.wavelets.wavelet import Wavelet

ORDER = ("share", "ratio", "sparsity", "interpretation", "objective", "wavelet", "distance_to_start", "descents")
"""Of the entries of a point."""


@dataclass(frozen=True)
class _Path(Record, format="awd-path", writer="save_path and awd distill"):
    start: Wavelet
    start_sparsity: float
    start_interpretation: float
    settings: dict[str, Any]
    points: tuple[PathPoint, ...]


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
    with reading(file, "a distillation path") as values:
        return _from_dict(values)


def to_json(path: DistillationPath) -> bytes:
    """Content of the file."""
    values = _Path(path.start, path.start_sparsity, path.start_interpretation, path.settings, ()).to_dict()
    return json_bytes(values | {"points": [_point_values(point, path.start) for point in path]}, indent=None)


def from_json(content: bytes) -> DistillationPath:
    """Path from the content of the file; the descents' `seconds` are NaN.

    Raises
    ------
    ValueError
        If it is something else, or of a later version.
    """
    return _from_dict(json.loads(content))


def _from_dict(values: Any) -> DistillationPath:
    held = _Path.from_dict(values)
    points = []
    for point in held.points:
        metadata = {"share": point.share, "start": held.start.name, "settings": held.settings}
        ratio = math.inf if math.isnan(point.ratio) else point.ratio
        points.append(replace(point, ratio=ratio, wavelet=point.wavelet.with_metadata(metadata)))
    return DistillationPath(points, held.start, held.start_sparsity, held.start_interpretation, held.settings)


def _point_values(point: PathPoint, start: Wavelet) -> dict[str, Any]:
    distances = {"taps": point.wavelet.distance(start), "function": point.wavelet.distance(start, of="function")}
    values = point.to_dict() | {"distance_to_start": distances}
    for descent in values["descents"]:
        del descent["seconds"]
    return {name: values[name] for name in ORDER}
