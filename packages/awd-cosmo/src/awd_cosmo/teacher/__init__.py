"""The teacher for maps: a residual network, asked and trained in all orientations of the sky.

`MapTeacher` is the core's `Teacher` with defaults for small maps.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
