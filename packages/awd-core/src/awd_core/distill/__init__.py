"""Distillation over orthonormal wavelets: a path of them, from sparse inputs to sparse attributions.

`distill_path` is the way in; `plan` says which searches it makes, `descent` makes one, `objective` is what it
minimises.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
