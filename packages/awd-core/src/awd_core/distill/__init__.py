"""Distillation over orthonormal wavelets: a path of them, from sparse inputs to sparse attributions.

`distill_path` is the way in; `plan` says which searches it makes, `descent` makes one, `objective` is what it
minimises.
"""

from typing import TYPE_CHECKING

from awd_core.lazy import lazy_names

if TYPE_CHECKING:
    from awd_core.distill.distill import distill_path as distill_path
    from awd_core.distill.lengths import compare_lengths as compare_lengths
    from awd_core.distill.minima import local_minima as local_minima
    from awd_core.distill.objective import threads as threads
    from awd_core.distill.path import DistillationPath as DistillationPath
    from awd_core.distill.path import PathPoint as PathPoint
    from awd_core.distill.path_file import load_path as load_path
    from awd_core.distill.path_file import save_path as save_path
    from awd_core.distill.plan import SearchSettings as SearchSettings

_HOME = {
    "DistillationPath": "path",
    "PathPoint": "path",
    "SearchSettings": "plan",
    "compare_lengths": "lengths",
    "distill_path": "distill",
    "load_path": "path_file",
    "local_minima": "minima",
    "save_path": "path_file",
    "threads": "objective",
}

__all__ = sorted(_HOME)
__getattr__, __dir__ = lazy_names(__name__, _HOME)
