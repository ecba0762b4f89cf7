"""Read what every run's folder holds, for its report: JSON values, scores and attribution quality.

What is not there is None. What is damaged is named, with what to do about it.
"""

from pathlib import Path
from typing import Any

from awd_core.evidence.quality_record import CheckedQuality
from awd_core.evidence.score_records import ScoreFile, Scores
from awd_core.files.atomic import read_json as stored_json
from awd_core.files.record import reading

ADVICE = "delete it and start the run again"


def read_json(file: Path) -> Any:
    """JSON values of a file, None if it is not there.

    Raises
    ------
    ValueError
        If the file is damaged.
    """
    return stored_json(file) if file.exists() else None


def read_scores(file: Path, program: str) -> Scores | None:
    """Scores of the start and of the wavelet that was taken; None if there is no such file.

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
    if not file.exists():
        return None
    with reading(file, f"scores of {program}", ADVICE) as values:
        held = ScoreFile.from_dict(values)
    return held.start, held.distilled


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
    if not file.exists():
        return None
    with reading(file, f"attribution quality of {program}", ADVICE) as values:
        return CheckedQuality.from_dict(values)
