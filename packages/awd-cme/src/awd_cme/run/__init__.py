"""A run, from movies or tracks to a report: its job and its steps.

`run_pipeline` follows them, `run_splits` does so for several splits of the cells.
"""

from typing import TYPE_CHECKING

from awd_core.lazy import lazy_names

if TYPE_CHECKING:
    from awd_cme.run.job import RunJob as RunJob
    from awd_cme.run.pipeline import read_results as read_results
    from awd_cme.run.pipeline import run_pipeline as run_pipeline
    from awd_cme.run.splits import run_splits as run_splits

_HOME = {
    "RunJob": "job",
    "read_results": "pipeline",
    "run_pipeline": "pipeline",
    "run_splits": "splits",
}

__all__ = sorted(_HOME)
__getattr__, __dir__ = lazy_names(__name__, _HOME)
