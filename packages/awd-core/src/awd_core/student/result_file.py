"""The file of a student's distillation: one JSON object, from which it comes back bit for bit.

    {"format": "awd-student", "version": 1, "wavelets": [{"name", "taps", "angles"}, …], "negated": false,
     "columns": [names], "error": …, "held_out": … or null, "settings": {…},
     "history": [{"name", "length", "negated", "initial", "objective", "evaluations", "free_angles": [[…]],
                  "held_out"}, …]}

Functions of one's own stand there by their names: whoever reads numbers with them gives them again.
"""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from awd_core.checks.choices import check_file
from awd_core.files.atomic import write_json
from awd_core.student.result import StudentDistillation
from awd_core.student.search import StudentStart
from awd_core.wavelets.wavelet import Wavelet

FORMAT, VERSION = "awd-student", 1


def save_student(result: StudentDistillation, path: str | os.PathLike[str]) -> None:
    """Write it to a JSON file, whole or not at all."""
    write_json(
        path,
        {
            "format": FORMAT,
            "version": VERSION,
            "wavelets": [
                {"name": one.name, "taps": one.taps.tolist(), "angles": one.angles.tolist()} for one in result.wavelets
            ],
            "negated": result.negated,
            "columns": list(result.columns),
            "error": result.error,
            "held_out": result.held_out,
            "settings": result.settings,
            "history": [asdict(start) for start in result.history],
        },
    )


def load_student(path: str | os.PathLike[str]) -> StudentDistillation:
    """Read a file that `save_student` wrote.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no such file, lacks something, or was written by a later version.
    """
    check_file(Path(path))
    try:
        return _from_values(json.loads(Path(path).read_bytes()))
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{os.fspath(path)} cannot be read as a student's distillation: {error}") from error


def _from_values(values: Any) -> StudentDistillation:
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise ValueError(f'it has no "format": "{FORMAT}"; files like this are written by StudentDistillation.save')
    if values.get("version") != VERSION:
        raise ValueError(f"its version is {values.get('version')!r} and this awd-core reads version {VERSION}: update")
    missing = [key for key in ("wavelets", "negated", "columns", "error", "held_out", "history") if key not in values]
    if missing:
        raise ValueError(f"it lacks {', '.join(missing)}")
    history = [
        StudentStart(**record | {"free_angles": tuple(map(tuple, record["free_angles"]))})
        for record in values["history"]
    ]
    return StudentDistillation(
        tuple(_wavelet(record) for record in values["wavelets"]), bool(values["negated"]), tuple(values["columns"]),
        float(values["error"]), values["held_out"], tuple(history), values["settings"],
    )  # fmt: skip


def _wavelet(values: dict[str, Any]) -> Wavelet:
    wavelet = Wavelet.from_angles(values["angles"], name=values["name"])
    if wavelet.taps.tolist() == values["taps"]:
        return wavelet
    return Wavelet.from_taps(values["taps"], name=values["name"])
