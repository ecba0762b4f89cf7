"""The network that is distilled: trained, saved, loaded, or one of your own.

`Teacher` and `TeacherClassifier` are scikit-learn's estimators around any torch module; no pickle is ever read.
"""

from typing import TYPE_CHECKING

from awd_core.lazy import lazy_names

if TYPE_CHECKING:
    from awd_core.teacher.checkpoint import State as State
    from awd_core.teacher.networks import MLP as MLP
    from awd_core.teacher.networks import Standardised as Standardised
    from awd_core.teacher.problem import Problem as Problem
    from awd_core.teacher.problem import Validation as Validation
    from awd_core.teacher.samples import in_memory as in_memory
    from awd_core.teacher.teacher import Teacher as Teacher
    from awd_core.teacher.teacher import TeacherClassifier as TeacherClassifier
    from awd_core.teacher.training import Augment as Augment
    from awd_core.teacher.weights import Factory as Factory
    from awd_core.teacher.weights import load_module as load_module
    from awd_core.teacher.weights import resolve_factory as resolve_factory

_HOME = {
    "Augment": "training",
    "Factory": "weights",
    "MLP": "networks",
    "Problem": "problem",
    "Standardised": "networks",
    "State": "checkpoint",
    "Teacher": "teacher",
    "TeacherClassifier": "teacher",
    "Validation": "problem",
    "in_memory": "samples",
    "load_module": "weights",
    "resolve_factory": "weights",
}

__all__ = sorted(_HOME)
__getattr__, __dir__ = lazy_names(__name__, _HOME)
