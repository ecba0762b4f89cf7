"""Differentiable wavelets with learnable filters, transformation importance, and adaptive wavelet distillation.

Public names are loaded when they are first asked for: a `Wavelet` needs no torch, and a command's `--help` needs
nothing at all.
"""

from importlib.metadata import version

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__version__ = version("awd-core")
