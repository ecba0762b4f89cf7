"""Whole transforms, and single levels, by the compiled kernel where it can do them: tensors in, tensors out.

`kernel_for` says whether it can. Who asks has the plain torch of `awd_core.transforms.filterbank` for all else: other
devices, tensors of other kinds, a machine without a compiler.
"""

import ctypes
from collections.abc import Callable, Sequence
from functools import lru_cache
from math import prod

import numpy as np
import torch
from torch import Tensor, nn

from awd_core.kernel.library import Kernel, find_kernel
from awd_core.kernel.parallel import share
from awd_core.kernel.plan import Extension, Transform
from awd_core.transforms.boundary import extension_matrix, has_slopes, output_length, window_offset
from awd_core.transforms.multilinear import is_traced
from awd_core.typing import Array
from awd_core.workers.threads import sleeping_threads

MOST_LEVELS = 32
LONGEST_LINE = 12
"""Taps up to which smooth extension is the kernel's in float32."""
BLOCK = 1 << 14
"""Values of a block, within which sums go from item to item; blocks are added in their order. So no sum depends on who
computes which."""
_TRANSFORM, _NORM, _LEVEL = range(3)
_KINDS = {torch.float32: "f32", torch.float64: "f64"}


def kernel_for(x: Tensor, *others: Tensor) -> Kernel | None:
    """The kernel, if it computes with tensors like these: numbers in memory, which nobody traces or wraps."""
    if (
        x.dtype not in _KINDS
        or is_traced()
        or any(
            type(tensor) not in (Tensor, nn.Parameter)
            or torch._C._functorch.is_functorch_wrapped_tensor(tensor)
            or torch._C._functorch.is_legacy_batchedtensor(tensor)
            or tensor.dtype != x.dtype
            or tensor.device.type != "cpu"
            or tensor.layout != torch.strided
            for tensor in (x, *others)
        )
    ):
        return None
    return find_kernel()


def is_exact(dtype: torch.dtype, mode: str, *taps: int) -> bool:
    """Whether the kernel is as exact as torch: not where long filters follow a line beyond the ends in float32.

    The kernel adds up the line's large values; `level_tensor` has the filter's moments, in which these cancel.
    """
    return mode != "smooth" or dtype != torch.float32 or max(taps) <= LONGEST_LINE


def takes_levels(levels: int) -> bool:
    """Whether a plan has room for so many."""
    return 1 <= levels <= MOST_LEVELS


def takes_level(x: Tensor, size: int, taps: int, mode: str, *bands: Tensor) -> bool:
    """Whether one level of (P, `size`, Q), with bands that belong to it, is the kernel's; x has dtype and Q."""
    outputs = output_length(size, taps, mode) if size > 0 and taps % 2 == 0 else -1
    lanes = x.shape[2]
    fits = all(band.shape == bands[0].shape and band.shape[1:] == (outputs, lanes) for band in bands)
    return outputs > 0 and lanes > 0 and fits and is_exact(x.dtype, mode, taps)


@lru_cache(maxsize=1024)
def _extension(size: int, taps: int, mode: str) -> Extension:
    outputs, offset = output_length(size, taps, mode), window_offset(taps, mode)
    before, after = taps - 1 - offset, 2 * (outputs - 1) + offset - (size - 1)
    # As long as no place beyond one end comes of samples of the other's neighbourhood, a short signal tells it all.
    short = min(size, 4 * taps + 2 + size % 2)
    matrix = extension_matrix(short, before, after, mode)
    beyond = np.delete(matrix, np.s_[before : before + short], axis=0)
    slopes = 2 * has_slopes(size, mode)
    return Extension(beyond, size=size, outputs=outputs, taps=taps, before=before, after=after, slopes=slopes)


@lru_cache(maxsize=256)
def _transform(shape: tuple[int, ...], taps: tuple[int, ...], levels: int, mode: str) -> Transform:
    axes: list[list[Extension]] = [[] for _ in shape]
    for _ in range(levels):
        for axis, size, length in zip(axes, shape, taps, strict=True):
            axis.append(_extension(size, length, mode))
        shape = tuple(axis[-1].outputs for axis in axes)
    return Transform(axes[0] if len(axes) == 2 else [], axes[-1])


def _plain(x: Tensor) -> Tensor:
    """The tensor's numbers one after the other in memory, off any graph."""
    return x.detach().resolve_neg().contiguous()


def _reversed(banks: Sequence[Tensor]) -> list[Tensor]:
    """Filters from their last taps to their first, the columns' and the rows'; series have the rows' alone."""
    found = {id(bank): bank.detach().flip(1).contiguous() for bank in banks}
    return [found[id(bank)] for bank in (banks[0], banks[-1])]


def _scratch(kernel: Kernel, transform: Transform, work: int, lanes: int, x: Tensor) -> int:
    key = (kernel, work, lanes, x.dtype)
    if key not in transform.scratch:
        transform.scratch[key] = kernel.function("scratch", _KINDS[x.dtype])(work, transform.address, lanes)
    return transform.scratch[key]


def _pointers(tensors: Sequence[Tensor]) -> "ctypes.Array[ctypes.c_void_p]":
    return (ctypes.c_void_p * len(tensors))(*(tensor.data_ptr() for tensor in tensors))


def forward(kernel: Kernel, x: Tensor, banks: Sequence[Tensor], levels: int, mode: str) -> list[Tensor]:
    """Bands of all levels: each one's details from the finest on (ad, da, dd for images), the last approximation last.

    Parameters
    ----------
    kernel : Kernel
        What `kernel_for` has said.
    x : Tensor, shape (…, N) or (…, H, W)
        Signals; as many axes are transformed as there are banks.
    banks : sequence of Tensor, each of shape (2, L)
        Decomposition filters of each axis.
    levels : int
        Number of levels, for which `takes_levels`.
    mode : str
        Extension.
    """
    ndim = len(banks)
    front, sizes = x.shape[:-ndim], tuple(x.shape[-ndim:])
    transform = _transform(sizes, tuple(bank.shape[1] for bank in banks), levels, mode)
    source, filters, count = _plain(x), _reversed(banks), prod(front)
    details = [x.new_empty((*front, *shape)) for shape in transform.shapes for _ in range(2**ndim - 1)]
    found = [*details, x.new_empty((*front, *transform.shapes[-1]))]
    pointers = _pointers(found)
    call = kernel.function("forward", _KINDS[x.dtype])
    fixed = (transform.address, source.data_ptr(), *(part.data_ptr() for part in filters), ctypes.addressof(pointers))
    _share(
        call,
        fixed,
        (source, filters, pointers, found),
        count,
        prod(sizes),
        _scratch(kernel, transform, _TRANSFORM, 1, x),
    )
    return found


def _share(call: Callable[..., int], fixed: tuple[int, ...], kept: object, count: int, each: int, scratch: int) -> None:
    # `kept` is what the addresses point to: it has to live as long as any thread computes.
    def act(first: int, last: int, memory: int, kept: object = kept) -> None:
        call(*fixed, first, last, memory)

    if count:
        share(act, count, each, scratch, sleeping_threads())


def inverse(
    kernel: Kernel, bands: Sequence[Tensor], banks: Sequence[Tensor], shape: tuple[int, ...], mode: str
) -> Tensor:
    """The adjoint of `forward` with the same banks and mode: signals of that spatial shape from bands in its order."""
    ndim = len(banks)
    front, like = bands[-1].shape[:-ndim], bands[-1]
    levels = (len(bands) - 1) // (2**ndim - 1)
    transform = _transform(shape, tuple(bank.shape[1] for bank in banks), levels, mode)
    sources, filters = [_plain(band) for band in bands], _reversed(banks)
    x, pointers = like.new_empty((*front, *shape)), _pointers(sources)
    call = kernel.function("inverse", _KINDS[like.dtype])
    fixed = (transform.address, x.data_ptr(), *(part.data_ptr() for part in filters), ctypes.addressof(pointers))
    scratch = _scratch(kernel, transform, _TRANSFORM, 1, like)
    _share(call, fixed, (x, sources, filters, pointers), prod(front), prod(shape), scratch)
    return x


def norm_and_gradient(
    kernel: Kernel, x: Tensor, bank: Tensor, ndim: int, levels: int, mode: str, rounding: int
) -> tuple[float, Array]:
    """Σ|s| over all coefficients of all signals, and its gradient into both filters, shape (2, L), float64.

    Coefficients count as zero up to `rounding` units of rounding of the largest one of their signal.
    """
    sizes, taps = tuple(x.shape[-ndim:]), bank.shape[1]
    transform = _transform(sizes, (taps,) * ndim, levels, mode)
    source, filters, count = _plain(x), _reversed([bank]), prod(x.shape[:-ndim])
    each, blocks = _blocks(count, prod(sizes))
    limits = torch.finfo(x.dtype)
    zero, sums = np.array([rounding * limits.eps, limits.tiny]), np.zeros((blocks, 1 + ndim * 2 * taps))
    call = kernel.function("norm", _KINDS[x.dtype])
    addresses = (source.data_ptr(), *(part.data_ptr() for part in filters), zero.ctypes.data)
    fixed = (transform.address, *addresses, count, each, sums.ctypes.data, sums.shape[1])
    scratch = _scratch(kernel, transform, _NORM, 1, x)
    _share(call, fixed, (source, filters, zero, sums), blocks, each * prod(sizes), scratch)
    total = sums.sum(axis=0)
    return float(total[0]), total[1:].reshape(ndim, 2, taps).sum(axis=0)[:, ::-1]


def backward(
    kernel: Kernel, x: Tensor, banks: Sequence[Tensor], slopes: Sequence[Tensor], mode: str, *, into_x: bool
) -> tuple[Tensor | None, list[Tensor]]:
    """From derivatives with respect to all bands of `forward` those with respect to x, if asked for, and to the banks.

    x is transformed again for it, which takes less time than to read from memory what would have been kept.
    """
    ndim, taps = len(banks), [bank.shape[1] for bank in banks]
    sizes, levels = tuple(x.shape[-ndim:]), (len(slopes) - 1) // (2 ** len(banks) - 1)
    transform = _transform(sizes, tuple(taps), levels, mode)
    source, filters, given = _plain(x), _reversed(banks), [_plain(slope) for slope in slopes]
    count, dx, pointers = prod(x.shape[:-ndim]), torch.empty_like(source) if into_x else None, _pointers(given)
    each, blocks = _blocks(count, prod(sizes))
    sums = np.zeros((blocks, 2 * sum(taps)))
    addresses = (source.data_ptr(), *(part.data_ptr() for part in filters), ctypes.addressof(pointers))
    into = 0 if dx is None else dx.data_ptr()
    fixed = (transform.address, *addresses, into, count, each, sums.ctypes.data, sums.shape[1])
    kept, scratch = (source, filters, given, dx, pointers, sums), _scratch(kernel, transform, _NORM, 1, x)
    _share(kernel.function("backward", _KINDS[x.dtype]), fixed, kept, blocks, each * prod(sizes), scratch)
    parts = np.split(sums.sum(axis=0), np.cumsum([2 * length for length in taps])[:-1])
    return dx, [torch.from_numpy(part.reshape(2, -1)[:, ::-1].copy()).to(x.dtype) for part in parts]


def _blocks(count: int, values: int) -> tuple[int, int]:
    """Items of a block, and number of blocks."""
    each = max(1, BLOCK // max(values, 1))
    each = each // 64 * 64 or each
    return each, -(-count // each)


def analyse(kernel: Kernel, x: Tensor, filters: Tensor, mode: str, out: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """`filterbank.analysis_kernel` into contiguous tensors."""
    batch, size, lanes = x.shape
    transform = _transform((size,), (filters.shape[1],), 1, mode)
    tensors = (_plain(x), _reversed([filters])[0], *out)
    fixed = (transform.address, lanes, *(tensor.data_ptr() for tensor in tensors))
    scratch = _scratch(kernel, transform, _LEVEL, lanes, x)
    _share(kernel.function("analyse", _KINDS[x.dtype]), fixed, tensors, batch, size * lanes, scratch)
    return out


def adjoint(kernel: Kernel, low: Tensor, high: Tensor, filters: Tensor, mode: str, out: Tensor) -> Tensor:
    """`filterbank.adjoint_kernel` into a contiguous tensor."""
    batch, size, lanes = out.shape
    transform = _transform((size,), (filters.shape[1],), 1, mode)
    tensors = (_plain(low), _plain(high), _reversed([filters])[0], out)
    fixed = (transform.address, lanes, *(tensor.data_ptr() for tensor in tensors))
    scratch = _scratch(kernel, transform, _LEVEL, lanes, out)
    _share(kernel.function("adjoint", _KINDS[out.dtype]), fixed, tensors, batch, size * lanes, scratch)
    return out


def gradient(kernel: Kernel, x: Tensor, low: Tensor, high: Tensor, taps: int, mode: str) -> Tensor:
    """`filterbank.filter_gradient_kernel`."""
    batch, size, lanes = x.shape
    transform = _transform((size,), (taps,), 1, mode)
    tensors = [_plain(part) for part in (x, low, high)]
    each, blocks = _blocks(batch, size * lanes)
    sums = np.zeros((blocks, 2 * taps))
    addresses = (tensor.data_ptr() for tensor in tensors)
    fixed = (transform.address, lanes, *addresses, batch, each, sums.ctypes.data, sums.shape[1])
    scratch = _scratch(kernel, transform, _LEVEL, lanes, x)
    call = kernel.function("gradient", _KINDS[x.dtype])
    _share(call, fixed, (tensors, sums), blocks, each * size * lanes, scratch)
    total = sums.sum(axis=0).reshape(2, taps)[:, ::-1]
    return torch.from_numpy(total.copy()).to(x.dtype)
