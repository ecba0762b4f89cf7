"""The learning problem: series of one length, what is to be predicted, and whose tracks they are.

Made of the canonical table by rules that have names, split by whole cells, standardised by training cells alone.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
