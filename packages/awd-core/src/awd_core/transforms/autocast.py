"""Full precision inside regions of `torch.autocast`: a reconstruction to rounding needs float32 or better."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import wraps
from typing import Any

import torch
from torch import Tensor


def without_autocast(like: Tensor) -> AbstractContextManager[Any]:
    """Matrix products in the precision of their factors, also inside a region of autocast on this tensor's device."""
    return torch.autocast(like.device.type, enabled=False) if _is_on(like) else nullcontext()


def in_single_precision(x: Any) -> Any:
    """A half-precision tensor as float32 if autocast is on for its device, as the layers before it may have made it.

    All else is returned as it is: a tensor that the user made in half precision is for the caller to refuse.
    """
    half = isinstance(x, Tensor) and x.dtype in (torch.float16, torch.bfloat16)
    return x.float() if half and _is_on(x) else x


def in_full_precision(method: Callable[[Any, Tensor], Tensor]) -> Callable[[Any, Tensor], Tensor]:
    """A transform's method on one tensor that is computed in float32 or better inside regions of autocast too."""

    @wraps(method)
    def computed(self: Any, x: Tensor) -> Tensor:
        if not isinstance(x, Tensor) or not _is_on(x):
            return method(self, x)
        x = in_single_precision(x)
        with without_autocast(x):
            return method(self, x)

    return computed


def _is_on(like: Tensor) -> bool:
    device = like.device.type
    return torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)
