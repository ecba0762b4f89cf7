"""Maps as a value: a lazy stack with cosmologies, pixel scale, mask and provenance.

`open_maps` makes a `MapSet` of whatever lies on the disk; observing, preparing, caching and writing suites start there.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
