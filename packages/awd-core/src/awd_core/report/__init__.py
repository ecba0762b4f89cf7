"""Reports: one HTML file each that needs nothing beside itself, from templates that all packages share.

The page with its tables and pictures, and the parts on a distillation, on trust in attributions, and on the run.
"""

from typing import TYPE_CHECKING

from awd_core.lazy import lazy_names

if TYPE_CHECKING:
    from awd_core.report.comparison import Method as Method
    from awd_core.report.comparison import Score as Score
    from awd_core.report.comparison import comparison_figure as comparison_figure
    from awd_core.report.comparison import crop as crop
    from awd_core.report.distillation import DistillationPart as DistillationPart
    from awd_core.report.distillation import distillation_part as distillation_part
    from awd_core.report.distillation import picture_count as picture_count
    from awd_core.report.distillation_figures import path_figure as path_figure
    from awd_core.report.page import save_report as save_report
    from awd_core.report.pictures import Draw as Draw
    from awd_core.report.pictures import Planned as Planned
    from awd_core.report.pictures import Progress as Progress
    from awd_core.report.pictures import after as after
    from awd_core.report.pictures import draw_pictures as draw_pictures
    from awd_core.report.quality import quality_part as quality_part
    from awd_core.report.read import read_json as read_json
    from awd_core.report.read import read_quality as read_quality
    from awd_core.report.read import read_scores as read_scores
    from awd_core.report.run import run_part as run_part
    from awd_core.report.table import Column as Column
    from awd_core.report.table import Table as Table
    from awd_core.report.table import number as number

_HOME = {
    "Column": "table",
    "DistillationPart": "distillation",
    "Draw": "pictures",
    "Method": "comparison",
    "Planned": "pictures",
    "Progress": "pictures",
    "Score": "comparison",
    "Table": "table",
    "after": "pictures",
    "comparison_figure": "comparison",
    "crop": "comparison",
    "distillation_part": "distillation",
    "draw_pictures": "pictures",
    "number": "table",
    "path_figure": "distillation_figures",
    "picture_count": "distillation",
    "quality_part": "quality",
    "read_json": "read",
    "read_quality": "read",
    "read_scores": "read",
    "run_part": "run",
    "save_report": "page",
}

__all__ = sorted(_HOME)
__getattr__, __dir__ = lazy_names(__name__, _HOME)
