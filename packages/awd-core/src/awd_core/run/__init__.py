"""What runs and commands of all packages share.

The folder of a run, what is shown on the screen, and command-line programs: their options, and errors in one line.
"""

from typing import TYPE_CHECKING

from awd_core.lazy import lazy_names

if TYPE_CHECKING:
    from awd_core.run.device import check_device as check_device
    from awd_core.run.folder import RunFolder as RunFolder
    from awd_core.run.folder import flat as flat
    from awd_core.run.folder import stored_run as stored_run
    from awd_core.run.interruption import goes_on as goes_on
    from awd_core.run.options import RUN as RUN
    from awd_core.run.options import NoQualityOption as NoQualityOption
    from awd_core.run.options import OverwriteOption as OverwriteOption
    from awd_core.run.options import QuietOption as QuietOption
    from awd_core.run.options import SchedulerOption as SchedulerOption
    from awd_core.run.options import WorkersOption as WorkersOption
    from awd_core.run.options import parse_arguments as parse_arguments
    from awd_core.run.options import parse_names as parse_names
    from awd_core.run.options import parse_shares as parse_shares
    from awd_core.run.program import make_app as make_app
    from awd_core.run.screen import Screen as Screen
    from awd_core.run.timing import shortest_seconds as shortest_seconds

_HOME = {
    "NoQualityOption": "options",
    "OverwriteOption": "options",
    "QuietOption": "options",
    "RUN": "options",
    "RunFolder": "folder",
    "SchedulerOption": "options",
    "Screen": "screen",
    "WorkersOption": "options",
    "check_device": "device",
    "flat": "folder",
    "goes_on": "interruption",
    "make_app": "program",
    "parse_arguments": "options",
    "parse_names": "options",
    "parse_shares": "options",
    "shortest_seconds": "timing",
    "stored_run": "folder",
}

__all__ = sorted(_HOME)
__getattr__, __dir__ = lazy_names(__name__, _HOME)
