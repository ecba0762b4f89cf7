"""The model that one can read, keep and use: few numbers of a wavelet, what they are worth, and where they hold.

`readable_model` makes it from inputs, truths and a network's answers, `ReadableModel` predicts with NumPy alone and
marks inputs unlike those it was fitted to, `Worth` says whether anything plainer does as well.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
