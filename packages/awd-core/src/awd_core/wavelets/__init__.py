"""Wavelets: the value itself, how it is made, certified, compared, written and drawn.

`Wavelet` needs NumPy alone; the filters that can be learnt are torch modules.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
