"""One level along one axis of many: tensors brought to (P, N, Q), with the axis in the middle, and back."""

from typing import TypeAlias

from torch import Tensor

from awd_core.transforms.autocast import without_autocast
from awd_core.transforms.boundary import output_length
from awd_core.transforms.filterbank import analyse, analysis_kernel, synthesise

Shape: TypeAlias = tuple[int, ...]


def analyse_axis(x: Tensor, bank: Tensor, axis: int, mode: str) -> tuple[Tensor, Tensor]:
    """Both bands along one axis."""
    flat, front, behind = flattened(x, axis)
    low, high = analyse(flat, bank, mode)
    shape = (*front, low.shape[1], *behind)
    return low.view(shape), high.view(shape)


# Values per chunk: what lies between two axes is then small enough to stay in a cache, and to be used again by the
# allocator instead of being fetched anew from the system, page by page.
_CHUNK = 1 << 21


def split_ordinary(x: Tensor, banks: list[Tensor], mode: str) -> list[Tensor]:
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
