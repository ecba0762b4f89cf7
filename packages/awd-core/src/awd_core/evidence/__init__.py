"""How good a wavelet and its attributions are.

Scores of sparsity, checks of attributions and their verdict, intervals by the jackknife, simulated data of known truth.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
