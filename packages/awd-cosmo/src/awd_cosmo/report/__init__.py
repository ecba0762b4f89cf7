"""The report of `awd-cosmo run`: one HTML file that an astronomer can send to a colleague.

It only reads the run's folder.
"""

from typing import TYPE_CHECKING

from awd_core.lazy import lazy_names

if TYPE_CHECKING:
    from awd_cosmo.report.map_figures import shapes_figure as shapes_figure
    from awd_cosmo.report.page import write_report as write_report

_HOME = {
    "shapes_figure": "map_figures",
    "write_report": "page",
}

__all__ = sorted(_HOME)
__getattr__, __dir__ = lazy_names(__name__, _HOME)
