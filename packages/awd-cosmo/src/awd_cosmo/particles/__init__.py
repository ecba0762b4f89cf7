"""Matter as particles in a box, moved by the gravity of a mesh, and the light cone through it: lens planes and maps.

It knows a background, a linear spectrum and a weight of each distance, and nothing of suites or files.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
