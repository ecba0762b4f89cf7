"""The file of a student's distillation: one JSON object, from which it comes back bit for bit.

    {"format": "awd-student", "version": 1, "wavelets": [{"name", "taps", "angles"}, …], "negated": false,
     "columns": [names], "error": …, "held_out": … or null, "settings": {…},
     "history": [{"name", "length", "negated", "initial", "objective", "evaluations", "free_angles": [[…]],
                  "held_out"}, …]}

Functions of one's own stand there by their names: whoever reads numbers with them gives them again.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from awd_core.checks.choices import check_file
from awd_core.files.atomic import write_json
from awd_core.student.search import StudentStart
from awd_core.wavelets.wavelet import Wavelet

FORMAT, VERSION = "awd-student", 1
FIELDS = ("wavelets", "negated", "columns", "error", "held_out", "history", "settings")


def write_student(path: str | os.PathLike[str], fields: Mapping[str, Any]) -> None:
    """Write the fields of a distillation to a JSON file, whole or not at all."""
    wavelets = [
        {"name": one.name, "taps": one.taps.tolist(), "angles": one.angles.tolist()} for one in fields["wavelets"]
    ]
    history = [asdict(start) for start in fields["history"]]
    plain = {name: fields[name] for name in FIELDS}
    write_json(path, {"format": FORMAT, "version": VERSION, **plain, "wavelets": wavelets, "history": history})


def read_student(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Fields from a file that `write_student` wrote.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no such file, lacks something, or was written by a later version.
    """
    check_file(Path(path))
    try:
        return _fields(json.loads(Path(path).read_bytes()))
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{os.fspath(path)} cannot be read as a student's distillation: {error}") from error


def _fields(values: Any) -> dict[str, Any]:
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise ValueError(f'it has no "format": "{FORMAT}"; files like this are written by StudentDistillation.save')
    if values.get("version") != VERSION:
        raise ValueError(f"its version is {values.get('version')!r} and this awd-core reads version {VERSION}: update")
    if missing := [name for name in FIELDS if name not in values]:
        raise ValueError(f"it lacks {', '.join(missing)}")
    history = (
        StudentStart(**record | {"free_angles": tuple(map(tuple, record["free_angles"]))})
        for record in values["history"]
    )
    return {name: values[name] for name in FIELDS} | {
        "wavelets": tuple(map(_wavelet, values["wavelets"])),
        "columns": tuple(values["columns"]),
        "history": tuple(history),
    }


def _wavelet(values: dict[str, Any]) -> Wavelet:
    wavelet = Wavelet.from_angles(values["angles"], name=values["name"])
    if wavelet.taps.tolist() == values["taps"]:
        return wavelet
    return Wavelet.from_taps(values["taps"], name=values["name"])
