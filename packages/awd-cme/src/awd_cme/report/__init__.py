"""The report of `awd-cme run`, for a group meeting: what was predicted, how well, from which coefficients.

It only reads the run's folder.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
