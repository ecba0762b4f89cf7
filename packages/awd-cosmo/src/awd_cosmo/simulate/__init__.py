"""Convergence maps with known parameters: lognormal fields and halos, for any cosmology.

One stack in memory, or a suite on disk over a design of cosmologies, written by as many workers as there are.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
