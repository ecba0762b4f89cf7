"""The report of `awd-cme run`, for a group meeting: what was predicted, how well, from which coefficients.

It only reads the run's folder.
"""

from typing import TYPE_CHECKING

from awd_core.lazy import lazy_names

if TYPE_CHECKING:
    from awd_cme.report.page import write_report as write_report

_HOME = {
    "write_report": "page",
}

__all__ = sorted(_HOME)
__getattr__, __dir__ = lazy_names(__name__, _HOME)
