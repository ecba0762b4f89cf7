"""A run, from a folder of maps to a report: its job and its steps.

`run_pipeline` follows them: prepare, teach, distill, choose, evaluate, attribute, report.
"""

from typing import TYPE_CHECKING

from awd_core.lazy import lazy_names

if TYPE_CHECKING:
    from awd_cosmo.run.job import PRESETS as PRESETS
    from awd_cosmo.run.job import Job as Job
    from awd_cosmo.run.pipeline import run_pipeline as run_pipeline

_HOME = {
    "Job": "job",
    "PRESETS": "job",
    "run_pipeline": "pipeline",
}

__all__ = sorted(_HOME)
__getattr__, __dir__ = lazy_names(__name__, _HOME)
