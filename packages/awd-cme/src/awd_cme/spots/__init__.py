"""Spots in one image: detection, position, height, significance.

Windows of pixels around spots, least squares on them in closed form, and the plain sums beside it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
