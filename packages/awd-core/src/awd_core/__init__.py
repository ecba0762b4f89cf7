"""Differentiable wavelets with learnable filters, transformation importance, and adaptive wavelet distillation.

Public names are loaded when they are first asked for: a `Wavelet` needs no torch, and a command's `--help` needs
nothing at all.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from awd_core.boundary import MODES as MODES
    from awd_core.certificate import Certificate as Certificate
    from awd_core.dwt import Coefficients as Coefficients
    from awd_core.dwt import DWT1d as DWT1d
    from awd_core.dwt import DWT2d as DWT2d
    from awd_core.filters import FixedFilter as FixedFilter
    from awd_core.filters import FreeFilter as FreeFilter
    from awd_core.filters import OrthonormalFilter as OrthonormalFilter
    from awd_core.losses import LossWeights as LossWeights
    from awd_core.losses import distillation_loss as distillation_loss
    from awd_core.wavelet import Wavelet as Wavelet

_HOME = {
    "MODES": "boundary",
    "Certificate": "certificate",
    "Coefficients": "dwt",
    "DWT1d": "dwt",
    "DWT2d": "dwt",
    "FixedFilter": "filters",
    "FreeFilter": "filters",
    "LossWeights": "losses",
    "OrthonormalFilter": "filters",
    "Wavelet": "wavelet",
    "distillation_loss": "losses",
}

__all__ = sorted(_HOME)
__version__ = version("awd-core")


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
