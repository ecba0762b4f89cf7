"""The family: contextual decomposition, hierarchies of explanations, explanations that are penalised, forests.

What of a prediction comes from a part of the input, be it pixels, steps, frequencies, bands of wavelets or atoms of a
dictionary, is told by following that part through the network; hierarchies, penalties and pictures are made of it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
