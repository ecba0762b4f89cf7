"""Read what every run's folder holds, for its report: JSON values, scores and attribution quality.

What is not there is None. What is damaged is named, with what to do about it.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from awd_core.evidence.quality import AttributionQuality
from awd_core.evidence.quality_record import CheckedQuality
from awd_core.evidence.score_records import CoefficientScores, ScaleScore, Scores
from awd_core.files.atomic import read_json as stored_json


def read_json(file: Path) -> Any:
    """JSON values of a file, None if it is not there.

    Raises
    ------
    ValueError
        If the file is damaged.
    """
    return stored_json(file) if file.exists() else None


def read_scores(file: Path, program: str) -> Scores | None:
    """Scores from what `CoefficientScores.to_dict` gave, of "start" and "distilled"; None if there is no such file.

    Parameters
    ----------
    file : Path
        Such as scores.json.
    program : str
        Whose file it is, for the message.

    Raises
    ------
    ValueError
        If the file is something else.
    """
    values = read_json(file)
    if values is None:
        return None
    if lacking := {"start", "distilled"} - set(values):
        raise _other(file, program, f"{file.name} lacks {', '.join(sorted(lacking))}")
    try:
        return _scores(values["start"]), _scores(values["distilled"])
    except (KeyError, TypeError) as error:
        raise _other(file, program, repr(error)) from error


def read_quality(file: Path, program: str) -> CheckedQuality | None:
    """What `attribution_quality` stored; None if there is no such file.

    Parameters
    ----------
    file : Path
        Such as quality.json.
    program : str
        Whose file it is, for the message.

    Raises
    ------
    ValueError
        If the file is something else.
    """
    values = read_json(file)
    if values is None:
        return None
    try:
        return CheckedQuality(AttributionQuality.from_dict(values), values["asked"])
    except (KeyError, TypeError, ValueError) as error:
        raise _other(file, program, repr(error)) from error


def _other(file: Path, program: str, why: str) -> ValueError:
    return ValueError(f"{file} is not what {program} writes: {why}; delete it and start the run again")


def _scores(values: Mapping[str, Any]) -> CoefficientScores:
    """Scores, where None stands for NaN."""
    held = _known({key: value for key, value in values.items() if key not in ("format", "version")})
    return CoefficientScores(
        **held
        | {
            "taps": tuple(held["taps"]),
            "scales": tuple(ScaleScore(**_known(scale)) for scale in held["scales"]),
            "total": ScaleScore(**_known(held["total"])),
            "curve_k": tuple(held["curve_k"]),
            "curve_kept": tuple(math.nan if kept is None else kept for kept in held["curve_kept"]),
            "kept": tuple((share, math.nan if kept is None else kept) for share, kept in held["kept"]),
        }
    )


def _known(record: Mapping[str, Any]) -> dict[str, Any]:
    return {key: math.nan if value is None else value for key, value in record.items()}
