"""Read what every run's folder holds, for its report: JSON values, scores and attribution quality.

What is not there is None. What is damaged is named, with what to do about it.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from awd_core.evidence.quality_record import CheckedQuality
from awd_core.evidence.score_records import ScoreFile, Scores
from awd_core.files.atomic import read_json as stored_json
from awd_core.files.record import reading

ADVICE = "delete it and start the run again"
Value = TypeVar("Value")


def load_if_exists(file: Path, load: Callable[[Path], Value]) -> Value | None:
    """What a file holds, None if it is not there."""
    return load(file) if file.exists() else None


def read_json(file: Path) -> Any:
    """JSON values of a file; ValueError if it is damaged."""
    return load_if_exists(file, stored_json)


def read_scores(file: Path, program: str) -> Scores | None:
    """Scores of the start and of the wavelet that was taken; ValueError, which names the program, if it has others."""
    if not file.exists():
        return None
    with reading(file, f"scores of {program}", ADVICE) as values:
        held = ScoreFile.from_dict(values)
    return held.start, held.distilled


def read_quality(file: Path, program: str) -> CheckedQuality | None:
    """What `attribution_quality` stored; ValueError, which names the program, if it holds something else."""
    if not file.exists():
        return None
    with reading(file, f"attribution quality of {program}", ADVICE) as values:
        return CheckedQuality.from_dict(values)
