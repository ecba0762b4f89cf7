"""Levels of a transform over one axis or two: tensors brought to (P, N, Q), with an axis in the middle, and back."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.autograd import Function

from awd_core.transforms.autocast import without_autocast
from awd_core.transforms.boundary import output_length
from awd_core.transforms.compiled import backward, forward, inverse, is_exact, kernel_for, takes_levels
from awd_core.transforms.filterbank import analyse, analysis_kernel, synthesise
from awd_core.transforms.multilinear import is_only_recorded, is_ordinary

Shape: TypeAlias = tuple[int, ...]


def analyse_levels(x: Tensor, banks: Sequence[Tensor], levels: int, mode: str) -> list[Tensor]:
    """Details of each level from the finest on (of two axes ad, da, dd), and the last approximation.

    Parameters
    ----------
    x : Tensor, shape (…, N) or (…, H, W)
        Signals; as many of the last axes are transformed as there are banks.
    banks : sequence of Tensor, each of shape (2, L)
        Decomposition filters of each axis.
    levels : int
        Number of levels.
    mode : str
        Extension.
    """
    taps = [bank.shape[1] for bank in banks]
    kernel = kernel_for(x, *banks) if takes_levels(levels) and is_exact(x.dtype, mode, *taps) else None
    if kernel is not None and is_ordinary(x, *banks):
        return forward(kernel, x, banks, levels, mode)
    if kernel is not None and is_only_recorded(x, *banks):
        return list(_Whole.apply(x, levels, mode, *banks))  # type: ignore[no-untyped-call]
    return _level_by_level(x, banks, levels, mode)


def _level_by_level(x: Tensor, banks: Sequence[Tensor], levels: int, mode: str) -> list[Tensor]:
    found: list[Tensor] = []
    for _ in range(levels):
        if is_ordinary(x, *banks):
            x, *details = split_ordinary(x, banks, mode)
        else:
            bands = [x]
            for axis, bank in zip(range(-len(banks), 0), banks, strict=True):
                bands = [half for band in bands for half in analyse_axis(band, bank, axis, mode)]
            x, *details = bands
        found += details
    return [*found, x]


class _Whole(Function):
    """All levels at once by the kernel, and back. Who wants derivatives of the derivatives goes level by level."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, levels: int, mode: str, *banks: Tensor) -> tuple[Tensor, ...]:
        ctx.save_for_backward(x, *banks)
        ctx.how = levels, mode
        kernel = kernel_for(x, *banks)
        return tuple(forward(kernel, x, banks, levels, mode) if kernel else _level_by_level(x, banks, levels, mode))

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        (x, *banks), (levels, mode) = ctx.saved_tensors, ctx.how
        needed = [ctx.needs_input_grad[0], *ctx.needs_input_grad[3:]]
        kernel = kernel_for(x, *banks, *slopes)
        if kernel is None or torch.is_grad_enabled():
            found = _recorded_again([x, *banks], needed, slopes, levels, mode)
        elif any(needed[1:]):
            into_x, into_banks = backward(kernel, x, banks, slopes, mode, into_x=needed[0])
            found = [into_x, *into_banks]
        else:
            found = [inverse(kernel, slopes, banks, tuple(x.shape[-len(banks) :]), mode), *(None for _ in banks)]
        return found[0], None, None, *found[1:]


def _recorded_again(
    tensors: list[Tensor], needed: list[bool], slopes: Sequence[Tensor], levels: int, mode: str
) -> list[Tensor | None]:
    """Derivatives of all levels, which have derivatives themselves where the graph is to be kept."""
    keep = torch.is_grad_enabled()
    with torch.enable_grad():
        # Each in a place of its own: axes that share a bank get its derivative by each axis, not by both twice.
        x, *banks = (tensor.view_as(tensor) for tensor in tensors)
        wanted = [tensor for tensor, need in zip([x, *banks], needed, strict=True) if need]
        parts = iter(torch.autograd.grad(_level_by_level(x, banks, levels, mode), wanted, slopes, create_graph=keep))
    return [next(parts) if need else None for need in needed]


def analyse_axis(x: Tensor, bank: Tensor, axis: int, mode: str) -> tuple[Tensor, Tensor]:
    """Both bands along one axis."""
    flat, front, behind = flattened(x, axis)
    low, high = analyse(flat, bank, mode)
    shape = (*front, low.shape[1], *behind)
    return low.view(shape), high.view(shape)


# Values per chunk: what lies between two axes is then small enough to stay in a cache, and to be used again by the
# allocator instead of being fetched anew from the system, page by page.
_CHUNK = 1 << 21


def split_ordinary(x: Tensor, banks: Sequence[Tensor], mode: str) -> list[Tensor]:
    """One level of ordinary tensors, a part of the batch at a time, the last axis written where it belongs."""
    ndim = len(banks)
    front, sizes = x.shape[: x.ndim - ndim], x.shape[x.ndim - ndim :]
    outputs = [output_length(size, bank.shape[1], mode) for size, bank in zip(sizes, banks, strict=True)]
    batch = _product(tuple(front))
    samples = x.reshape(batch, *sizes)
    results = [x.new_empty(batch, *outputs) for _ in range(2**ndim)]
    step = max(1, _CHUNK // max(1, _product(tuple(sizes))))
    with without_autocast(x):
        for first in range(0, batch, step):
            bands = [samples[first : first + step]]
            for axis in range(-ndim, -1):
                bands = [
                    half.view(*flat_front, half.shape[1], *behind)
                    for band in bands
                    for flat, flat_front, behind in [flattened(band, axis)]
                    for half in analysis_kernel(flat, banks[axis], mode)
                ]
            places = [result[first : first + step].view(-1, outputs[-1], 1) for result in results]
            for band, low, high in zip(bands, places[0::2], places[1::2], strict=True):
                analysis_kernel(flattened(band, -1)[0], banks[-1], mode, (low, high))
    return [result.view(*front, *outputs) for result in results]


def synthesise_axis(low: Tensor, high: Tensor, bank: Tensor, axis: int, size: int, mode: str) -> Tensor:
    """The reverse of `analyse_axis`, to so many samples."""
    flat_low, front, behind = flattened(low, axis)
    flat_high, _, _ = flattened(high, axis)
    x: Tensor = synthesise(flat_low, flat_high, bank, size, mode)
    return x.view(*front, size, *behind)


def flattened(x: Tensor, axis: int) -> tuple[Tensor, Shape, Shape]:
    """(P, N, Q) with the axis in the middle, and the dimensions before and behind it."""
    position = x.ndim + axis
    front, behind = tuple(x.shape[:position]), tuple(x.shape[position + 1 :])
    return x.reshape(_product(front), x.shape[position], _product(behind)), front, behind


def _product(shape: Shape) -> int:
    product = 1
    for size in shape:
        product *= size
    return product
