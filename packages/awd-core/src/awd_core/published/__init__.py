"""Distillation in its published form: free taps, penalties, attributions through the teacher, Adam.

`distill_penalised` is one fit, `distill_grid` the published grid of weights.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
