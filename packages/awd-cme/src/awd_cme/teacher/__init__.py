"""The teacher for series: a recurrent network, and an ensemble of them.

The core's teachers with defaults for a few hundred short series.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
