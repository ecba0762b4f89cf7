"""From weak-lensing mass maps to cosmological parameters with an adaptively distilled wavelet.

Public names are loaded when they are first asked for.
"""

from importlib.metadata import version

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__version__ = version("awd-cosmo")
