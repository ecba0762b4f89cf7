"""Statistics of maps: counts of peaks, of a wavelet's scales, of the starlet's, and the power spectrum.

Each is fitted to training maps, turns maps into features with NumPy alone, and is saved as JSON values.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
