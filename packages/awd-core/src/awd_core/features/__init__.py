"""Wavelet coefficients as features, for scikit-learn.

Transformers with a wavelet that is given or distilled, and the choice of a path's point by cross-validation.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
