"""From features to cosmological parameters: splits, estimators, error bars, scores, the saved model.

A `Model` goes from maps to parameters with NumPy alone, and says where it was not trained.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
