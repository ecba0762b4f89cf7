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
    write_json(path, values_of(fields))


def values_of(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a distillation as JSON values."""
    wavelets = [wavelet_values(one) for one in fields["wavelets"]]
    history = [asdict(start) for start in fields["history"]]
    plain = {name: fields[name] for name in FIELDS}
    return {"format": FORMAT, "version": VERSION, **plain, "wavelets": wavelets, "history": history}


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
        return fields_of(json.loads(Path(path).read_bytes()))
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{os.fspath(path)} cannot be read as a student's distillation: {error}") from error


def fields_of(values: Any) -> dict[str, Any]:
    """Fields of a distillation from what `values_of` gave.

    Raises
    ------
    ValueError, KeyError, TypeError
        If it is none, lacks something, or is of a later version.
    """
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
        "wavelets": tuple(map(wavelet_of, values["wavelets"])),
        "columns": tuple(values["columns"]),
        "history": tuple(history),
    }


def wavelet_values(wavelet: Wavelet) -> dict[str, Any]:
    """A wavelet as JSON values, from which `wavelet_of` makes it again, bit for bit."""
    return {"name": wavelet.name, "taps": wavelet.taps.tolist(), "angles": wavelet.angles.tolist()}


def wavelet_of(values: Mapping[str, Any]) -> Wavelet:
    """A wavelet from what `wavelet_values` gave."""
    wavelet = Wavelet.from_angles(values["angles"], name=values["name"])
    if wavelet.taps.tolist() == values["taps"]:
        return wavelet
    return Wavelet.from_taps(values["taps"], name=values["name"])
