"""Transforms of torch tensors, differentiable in signal and filter.

The wavelet transform in one and two dimensions with its boundaries and its L1 norm; Fourier's; any dictionary.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
