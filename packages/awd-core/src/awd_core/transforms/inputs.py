"""What can be transformed: tensors of numbers, dense, in single or double precision, and finite."""

import math

import torch
from torch import Tensor

from awd_core.transforms.multilinear import plain_values


def check_tensor(name: str, x: Tensor, ndim: int, check_finite: bool) -> None:
    """Refuse what cannot be transformed along its last `ndim` axes."""
    if not isinstance(x, Tensor):
        raise TypeError(f"{name} is {type(x).__name__}; give a torch tensor, for instance torch.from_numpy(array)")
    if x.layout != torch.strided:
        raise TypeError(f"{name} is sparse ({x.layout}); give a dense tensor, x.to_dense()")
    if x.dtype not in (torch.float32, torch.float64):
        raise TypeError(f"{name} is {x.dtype}; give float32 or float64, for instance x.float()")
    if x.ndim < ndim:
        raise ValueError(f"{name} has {x.ndim} dimension(s) (shape {tuple(x.shape)}); at least {ndim} are needed")
    if 0 in x.shape[-ndim:]:
        raise ValueError(f"{name} has shape {tuple(x.shape)}: no samples along a transformed axis")
    if check_finite:
        check_values(name, x)


def is_finite(values: Tensor) -> bool:
    """Whether a sum has a value: the cheapest pass that no NaN or infinity survives; large values overflow it."""
    return math.isfinite(values.sum().item())


def check_values(name: str, x: Tensor) -> None:
    """Refuse NaN and infinity, where there are numbers to look at."""
    values = plain_values(x)
    if values is not None and not is_finite(values):
        bad = values.numel() - int(values.isfinite().sum())
        if bad:
            raise ValueError(
                f"{name}, of shape {tuple(x.shape)}, holds {bad} NaN or infinite value(s); mask or fill them first"
            )
