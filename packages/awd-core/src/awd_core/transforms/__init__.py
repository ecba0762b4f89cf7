"""Transforms of torch tensors, differentiable in signal and filter.

The wavelet transform in one and two dimensions with its boundaries and its L1 norm; Fourier's; any dictionary.
"""

from typing import TYPE_CHECKING

from awd_core.lazy import lazy_names

if TYPE_CHECKING:
    from awd_core.transforms.boundary import MODES as MODES
    from awd_core.transforms.boundary import without_boundary_warnings as without_boundary_warnings
    from awd_core.transforms.coefficients import Coefficients as Coefficients
    from awd_core.transforms.dictionary import LinearDictionary as LinearDictionary
    from awd_core.transforms.dwt import DWT1d as DWT1d
    from awd_core.transforms.dwt import DWT2d as DWT2d
    from awd_core.transforms.fourier import FourierTransform as FourierTransform
    from awd_core.transforms.fourier import Transform as Transform

_HOME = {
    "Coefficients": "coefficients",
    "DWT1d": "dwt",
    "DWT2d": "dwt",
    "FourierTransform": "fourier",
    "LinearDictionary": "dictionary",
    "MODES": "boundary",
    "Transform": "fourier",
    "without_boundary_warnings": "boundary",
}

__all__ = sorted(_HOME)
__getattr__, __dir__ = lazy_names(__name__, _HOME)
