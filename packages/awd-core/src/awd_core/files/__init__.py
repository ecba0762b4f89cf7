"""Files and arrays that are there whole or not at all.

Atomic writing, locks between processes, and arrays of samples in NumPy files and Zarr stores, wherever they lie.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
