"""The teacher for series: a recurrent network, and an ensemble of them.

The core's teachers with defaults for a few hundred short series.
"""

from typing import TYPE_CHECKING

from awd_core.lazy import lazy_names

if TYPE_CHECKING:
    from awd_cme.teacher.networks import SeriesLSTM as SeriesLSTM
    from awd_cme.teacher.teacher import SeriesEnsemble as SeriesEnsemble
    from awd_cme.teacher.teacher import SeriesTeacher as SeriesTeacher
    from awd_cme.teacher.teacher import SeriesTeacherClassifier as SeriesTeacherClassifier

_HOME = {
    "SeriesEnsemble": "teacher",
    "SeriesLSTM": "networks",
    "SeriesTeacher": "teacher",
    "SeriesTeacherClassifier": "teacher",
}

__all__ = sorted(_HOME)
__getattr__, __dir__ = lazy_names(__name__, _HOME)
