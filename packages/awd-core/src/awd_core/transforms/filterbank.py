"""One level along one axis: the two-channel filter bank, its adjoint and its gradient with respect to the filters.

All three are partial derivatives of one trilinear form,

    t(x, f, y) = Σ_c Σ_i y_c(i) Σ_k f_c(k) x̃(2i + o − k),        c = low-pass, high-pass,

where x̃ is the extended signal (`awd_core.transforms.boundary`):

- `analyse`     ∂t/∂y: bands from a signal and the filters,
- `synthesise`  ∂t/∂x: the adjoint, a signal from bands and the filters,
- `correlate`   ∂t/∂f: taps from a signal and bands.

So each one's derivatives are the other two, and derivatives of any order, backward or forward, need nothing else
(`awd_core.transforms.multilinear`).

How they run. A convolution with one input channel and two output channels wastes most of a processor. Here the axis
is cut into blocks: a window of samples times one small banded (Toeplitz) matrix, built from the filters, gives a block
of outputs, so that nearly all the work is matrix multiplication, which every device does well. Where the windows reach
past the ends, the boundary's matrix is multiplied in, and signals too short for that are one dense matrix altogether:
no mode pays for padding, and none is a special case.
"""

import torch
from torch import Tensor

from awd_core.transforms import compiled
from awd_core.transforms.blocks import (
    Level,
    adjoint_constant,
    adjoint_edge_constant,
    adjoint_edge_reach,
    block_length,
    cut,
    edge_constant,
    edge_reach,
    ends_of,
    fold_slopes,
    matrix_of,
    short_constant,
    window_constant,
    windows_of,
    with_slopes,
)
from awd_core.transforms.boundary import output_length
from awd_core.transforms.compiled import kernel_for, takes_level
from awd_core.transforms.multilinear import Needed, multilinear


def _multiply(matrix: Tensor, windows: Tensor) -> Tensor:
    """Matrix (rows, width) times windows (B, width, Q) → (B, rows, Q)."""
    if windows.shape[2] == 1:
        return torch.mm(windows.squeeze(2), matrix.t()).unsqueeze(2)
    return torch.bmm(matrix.expand(windows.shape[0], -1, -1), windows)


def _outer(low: Tensor, high: Tensor, windows: Tensor) -> Tensor:
    """Sums over batch and lanes of rows (B, r, Q) of both bands times windows (B, w, Q) → (2r, w)."""
    if windows.shape[2] == 1:
        flat = windows.squeeze(2)
        return torch.cat([torch.mm(low.squeeze(2).t(), flat), torch.mm(high.squeeze(2).t(), flat)])
    return torch.bmm(torch.cat([low, high], dim=1), windows.transpose(1, 2)).sum(0)


def analyse(x: Tensor, filters: Tensor, mode: str) -> tuple[Tensor, Tensor]:
    """Low-pass and high-pass bands of a signal along the middle axis.

    Parameters
    ----------
    x : Tensor, shape (P, N, Q)
        Signals; P and Q are what lies before and behind the axis.
    filters : Tensor, shape (2, L)
        Decomposition filters (low-pass, high-pass), L even, of x's dtype and device.
    mode : str
        A mode of `awd_core.transforms.boundary`.

    Returns
    -------
    low, high : Tensor, each of shape (P, n_out, Q)
    """
    bands: tuple[Tensor, Tensor] = _ANALYSE(x, filters, mode)
    return bands


def analysis_kernel(
    x: Tensor, filters: Tensor, mode: str, out: tuple[Tensor, Tensor] | None = None
) -> tuple[Tensor, Tensor]:
    """`analyse` of ordinary tensors, for loops that bring no graph; into `out` if given."""
    kernel = kernel_for(x, filters, *(out or ()))
    if (
        kernel is not None
        and takes_level(x, x.shape[1], filters.shape[1], mode, *(out or ()))
        and all(band.is_contiguous() for band in out or ())
    ):
        shape = (x.shape[0], output_length(x.shape[1], filters.shape[1], mode), x.shape[2])
        return compiled.analyse(kernel, x, filters, mode, out or (x.new_empty(shape), x.new_empty(shape)))
    level = Level(x.shape[1], filters.shape[1], mode)
    batch, _, lanes = x.shape
    taps, outputs = level.taps, level.outputs
    if level.is_short:
        matrix = matrix_of(filters, short_constant(level, x.dtype, x.device), outputs)
        y = _multiply(matrix, with_slopes(x, level.mode))
        if out is None:
            return y[:, :outputs].clone(), y[:, outputs:].clone()
        return out[0].copy_(y[:, :outputs]), out[1].copy_(y[:, outputs:])

    bands = out or (x.new_empty(batch, outputs, lanes), x.new_empty(batch, outputs, lanes))
    left, right = level.left_outputs, level.right_outputs
    if left + right:
        matrix = matrix_of(filters, edge_constant(level.ends, x.dtype, x.device), left + right)
        edges = _multiply(matrix, with_slopes(ends_of(x, *edge_reach(level)), level.mode))
        for band, edge in zip(bands, edges.chunk(2, dim=1), strict=True):
            band[:, :left] = edge[:, :left]
            band[:, outputs - right :] = edge[:, left:]

    length = block_length(taps, lanes)
    whole = matrix_of(filters, window_constant(taps, length, x.dtype, x.device), length)
    for block in cut(left, outputs - right, length, batch * lanes):
        n, span, width = block.length, block.length * block.count, 2 * block.length + taps - 2
        matrix = whole if n == length else whole.view(2, length, -1)[:, :n, :width].reshape(2 * n, width)
        start = 2 * block.first + level.offset - taps + 1
        y = _multiply(matrix, windows_of(x, start, width, 2 * length, block.count))
        for band, half in zip(bands, (y.narrow(1, 0, n), y.narrow(1, n, n)), strict=True):
            # A group's blocks follow each other in the batch.
            rows = half if block.count == 1 else half.reshape(batch, span, lanes)
            band.narrow(1, block.first, span).copy_(rows)
    return bands


def synthesise(low: Tensor, high: Tensor, filters: Tensor, size: int, mode: str) -> Tensor:
    """Adjoint of `analyse`: a signal of `size` samples from two bands, along the middle axis.

    With orthonormal filters and `awd_core.transforms.boundary.synthesis_mode` this is the inverse transform of every
    mode.

    Parameters
    ----------
    low, high : Tensor, each of shape (P, n_out, Q)
        Bands, with n_out the output length of `size`.
    filters : Tensor, shape (2, L)
        Decomposition filters, those of the analysis.
    size : int
        Number of samples N to return.
    mode : str
        The mode of the analysis whose adjoint is wanted.

    Returns
    -------
    Tensor, shape (P, N, Q)
    """
    x: Tensor = _SYNTHESISE(low, high, filters, size, mode)
    return x


def adjoint_kernel(
    low: Tensor, high: Tensor, filters: Tensor, size: int, mode: str, out: Tensor | None = None
) -> Tensor:
    """`synthesise` of ordinary tensors; into `out` if given."""
    kernel = kernel_for(low, high, filters)
    if (
        kernel is not None
        and takes_level(low, size, filters.shape[1], mode, low, high)
        and (out is None or out.is_contiguous())
    ):
        whole = low.new_empty(low.shape[0], size, low.shape[2]) if out is None else out
        return compiled.adjoint(kernel, low, high, filters, mode, whole)
    level = Level(size, filters.shape[1], mode)
    batch, _, lanes = low.shape
    taps = level.taps
    if level.is_short:
        constant = short_constant(level, low.dtype, low.device)
        matrices = (filters @ constant).view(2, level.outputs, -1).transpose(1, 2)
        whole = fold_slopes(_multiply(matrices[0], low) + _multiply(matrices[1], high), size)
        return whole if out is None else out.copy_(whole)

    x = low.new_empty(batch, size, lanes) if out is None else out
    left, right = level.left_samples, level.right_samples
    constant = adjoint_edge_constant(level.ends, low.dtype, low.device)
    reach = adjoint_edge_reach(level)
    matrices = (filters @ constant).view(2, -1, sum(reach))
    edges = _multiply(matrices[0], ends_of(low, *reach)) + _multiply(matrices[1], ends_of(high, *reach))
    edges = fold_slopes(edges, left + right)
    x[:, :left] = edges[:, :left]
    x[:, size - right :] = edges[:, left:]

    length = block_length(taps, lanes) // 2 if lanes == 1 else block_length(taps, lanes)
    whole = (filters @ adjoint_constant(taps, length, low.dtype, low.device)).view(2, 2 * length, -1)
    first = (left - level.offset) // 2
    for block in cut(first, first + (size - left - right) // 2, length, batch * lanes):
        width = block.length + taps // 2
        matrices = whole[:, : 2 * block.length, :width]
        y = _multiply(matrices[0], windows_of(low, block.first, width, length, block.count))
        y += _multiply(matrices[1], windows_of(high, block.first, width, length, block.count))
        start, span = 2 * block.first + level.offset, 2 * block.count * block.length
        x.narrow(1, start, span).copy_(y.view(batch, span, lanes))
    return x


def correlate(x: Tensor, low: Tensor, high: Tensor, taps: int, mode: str) -> Tensor:
    """Gradient of ⟨bands, analyse(x, filters)⟩ with respect to the filters.

    Parameters
    ----------
    x : Tensor, shape (P, N, Q)
        Signals.
    low, high : Tensor, each of shape (P, n_out, Q)
        Bands.
    taps : int
        Number of taps L.
    mode : str
        The mode of the analysis.

    Returns
    -------
    Tensor, shape (2, L)
    """
    gradient: Tensor = _CORRELATE(x, low, high, taps, mode)
    return gradient


def filter_gradient_kernel(x: Tensor, low: Tensor, high: Tensor, taps: int, mode: str) -> Tensor:
    """`correlate` of ordinary tensors."""
    kernel = kernel_for(x, low, high)
    if kernel is not None and takes_level(x, x.shape[1], taps, mode, low, high) and len(low) == len(x):
        return compiled.gradient(kernel, x, low, high, taps, mode)
    level = Level(x.shape[1], taps, mode)
    batch, _, lanes = x.shape
    outputs = level.outputs
    if level.is_short:
        product = _outer(low, high, with_slopes(x, level.mode))
        return product.view(2, -1) @ short_constant(level, x.dtype, x.device).t()

    left, right = level.left_outputs, level.right_outputs
    ends = with_slopes(ends_of(x, *edge_reach(level)), level.mode)
    product = _outer(ends_of(low, left, right), ends_of(high, left, right), ends)
    constant = edge_constant(level.ends, x.dtype, x.device)
    gradient = product.view(2, constant.shape[1]) @ constant.t()

    length = block_length(taps, 2)
    total = x.new_zeros(2, length, 2 * length + taps - 2)
    for block in cut(left, outputs - right, length, batch * lanes):
        width = 2 * block.length + taps - 2
        start = 2 * block.first + level.offset - taps + 1
        lows, highs = (windows_of(band, block.first, block.length, block.length, block.count) for band in (low, high))
        windows = windows_of(x, start, width, 2 * length, block.count)
        total[:, : block.length, :width] += _outer(lows, highs, windows).view(2, block.length, width)
    return gradient + total.view(2, -1) @ window_constant(taps, length, x.dtype, x.device).t()


# The three as operators: shapes for tensors without values, and the gradients, which are the other two.


def _analysis_shapes(x: Tensor, filters: Tensor, mode: str) -> tuple[Tensor, Tensor]:
    shape = (x.shape[0], output_length(x.shape[1], filters.shape[1], mode), x.shape[2])
    return x.new_empty(shape), x.new_empty(shape)


def _synthesis_shape(low: Tensor, high: Tensor, filters: Tensor, size: int, mode: str) -> Tensor:
    return low.new_empty(low.shape[0], size, low.shape[2])


def _correlation_shape(x: Tensor, low: Tensor, high: Tensor, taps: int, mode: str) -> Tensor:
    return x.new_empty(2, taps)


def _analysis_gradients(
    needed: Needed, inputs: tuple[Tensor, Tensor, str], low: Tensor, high: Tensor
) -> tuple[Tensor | None, ...]:
    x, filters, mode = inputs
    return (
        synthesise(low, high, filters, x.shape[1], mode) if needed[0] else None,
        correlate(x, low, high, filters.shape[1], mode) if needed[1] else None,
    )


def _synthesis_gradients(
    needed: Needed, inputs: tuple[Tensor, Tensor, Tensor, int, str], x: Tensor
) -> tuple[Tensor | None, ...]:
    low, high, filters, _, mode = inputs
    bands = analyse(x, filters, mode) if needed[0] or needed[1] else (None, None)
    return *bands, correlate(x, low, high, filters.shape[1], mode) if needed[2] else None


def _correlation_gradients(
    needed: Needed, inputs: tuple[Tensor, Tensor, Tensor, int, str], filters: Tensor
) -> tuple[Tensor | None, ...]:
    x, low, high, _, mode = inputs
    bands = analyse(x, filters, mode) if needed[1] or needed[2] else (None, None)
    return synthesise(low, high, filters, x.shape[1], mode) if needed[0] else None, *bands


_ANALYSE = multilinear(
    "analyse",
    "(Tensor x, Tensor filters, str mode) -> (Tensor, Tensor)",
    analysis_kernel,
    _analysis_shapes,
    _analysis_gradients,
    linear=((0,), (1,)),
    batched=(0,),
)
_SYNTHESISE = multilinear(
    "synthesise",
    "(Tensor low, Tensor high, Tensor filters, SymInt size, str mode) -> Tensor",
    adjoint_kernel,
    _synthesis_shape,
    _synthesis_gradients,
    linear=((0, 1), (2,)),
    batched=(0, 1),
)
_CORRELATE = multilinear(
    "correlate",
    "(Tensor x, Tensor low, Tensor high, SymInt taps, str mode) -> Tensor",
    filter_gradient_kernel,
    _correlation_shape,
    _correlation_gradients,
    linear=((0,), (1, 2)),
    batched=(),
)
