"""Simulated two-channel movies of pits with known truth.

The life of a pit, the cell that it lives in, the light that reaches the camera, and the camera.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
