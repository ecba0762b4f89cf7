"""The one place where tolerances of numerical tests are set, by dtype."""

import torch

_RELATIVE = {torch.float64: 1e-12, torch.float32: 1e-5}


def relative(dtype: torch.dtype) -> float:
    """Largest error of a transform, relative to the largest coefficient: rounding of a few hundred operations."""
    return _RELATIVE[dtype]
