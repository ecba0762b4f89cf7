"""The teacher for maps: a residual network, asked and trained in all orientations of the sky.

`MapTeacher` is the core's `Teacher` with defaults for small maps.
"""

from typing import TYPE_CHECKING

from awd_core.lazy import lazy_names

if TYPE_CHECKING:
    from awd_cosmo.teacher.augmentation import SkyAugmentation as SkyAugmentation
    from awd_cosmo.teacher.resnet import ResNet as ResNet
    from awd_cosmo.teacher.resnet import ResNet18 as ResNet18
    from awd_cosmo.teacher.resnet import ResNet34 as ResNet34
    from awd_cosmo.teacher.teacher import MapTeacher as MapTeacher

_HOME = {
    "MapTeacher": "teacher",
    "ResNet": "resnet",
    "ResNet18": "resnet",
    "ResNet34": "resnet",
    "SkyAugmentation": "augmentation",
}

__all__ = sorted(_HOME)
__getattr__, __dir__ = lazy_names(__name__, _HOME)
