"""The readable model: few coefficients of a wavelet, a linear predictor, and the card that holds it.

Chosen by cross-validation over whole cells, with intervals, scored by NumPy alone.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
