"""One level along one axis: the two-channel filter bank, its adjoint and its gradient with respect to the filters.

All three are partial derivatives of one trilinear form,

    t(x, f, y) = Σ_c Σ_i y_c(i) Σ_k f_c(k) x̃(2i + o − k),        c = low-pass, high-pass,

where x̃ is the extended signal (`awd_core.boundary`):

- `analyse`     ∂t/∂y: bands from a signal and the filters,
- `synthesise`  ∂t/∂x: the adjoint, a signal from bands and the filters,
- `correlate`   ∂t/∂f: taps from a signal and bands.

So each one's derivatives are the other two, and gradients of any order need nothing else. They are registered as
operators of PyTorch, which makes them opaque and hence harmless to `torch.compile` and `torch.export`.

How they run. A convolution with one input channel and two output channels wastes most of a processor. Here the axis
is cut into blocks: a window of samples times one small banded (Toeplitz) matrix, built from the filters, gives a block
of outputs, so that nearly all the work is matrix multiplication, which every device does well. Where the windows reach
past the ends, the boundary's matrix is multiplied in, and signals too short for that are one dense matrix altogether:
no mode pays for padding, and none is a special case.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from awd_core.boundary import has_slopes, level_tensor, output_length, window_offset

# Multiply-adds worth one call of a matrix product, below which its overhead shows: short blocks of long, thin batches
# are gathered until a call has about as many outputs.
_OUTPUTS_PER_CALL = 1 << 17


@dataclass(frozen=True)
class _Level:
    """Geometry of one level: which outputs come from plain windows and which need the boundary.

    A long signal's ends are those of a surrogate: its first and last samples side by side, with enough of them that
    no window sees both ends except by wrapping around. The surrogate's dense matrix holds every mode's boundary.
    """

    size: int
    taps: int
    mode: str

    @property
    def outputs(self) -> int:
        return output_length(self.size, self.taps, self.mode)

    @property
    def offset(self) -> int:
        return window_offset(self.taps, self.mode)

    @property
    def surrogate(self) -> int:
        """Number of samples of the surrogate, of the signal's own parity."""
        return 4 * self.taps + 2 + self.size % 2

    @property
    def is_short(self) -> bool:
        """Whether one dense matrix serves: always so below the surrogate's size, and faster up to some 64 samples."""
        return self.size <= max(self.surrogate, 64)

    # Analysis: outputs whose windows lie inside the signal.
    @property
    def left_outputs(self) -> int:
        return (self.taps - 1 - self.offset + 1) // 2

    @property
    def right_outputs(self) -> int:
        return self.outputs - ((self.size - 1 - self.offset) // 2 + 1)

    # Adjoint: samples that no window sees by extension, and that begin where an output's window does.
    @property
    def left_samples(self) -> int:
        return self.taps + (self.taps + self.offset) % 2

    @property
    def right_samples(self) -> int:
        return self.taps + (self.size - self.left_samples - self.taps) % 2


@dataclass(frozen=True)
class _Blocks:
    """Blocks of equal length: `count` of them, the first starting at `first`, each `length` (outputs, or pairs)."""

    first: int
    length: int
    count: int


def _blocks(first: int, last: int, length: int, lanes: int) -> Iterator[_Blocks]:
    """Cut [first, last) into groups of blocks, and a shorter block at the end."""
    per_call = max(1, _OUTPUTS_PER_CALL // (2 * length * max(lanes, 1)))
    while last - first >= length:
        count = min((last - first) // length, per_call)
        yield _Blocks(first, length, count)
        first += count * length
    if last > first:
        yield _Blocks(first, last - first, 1)


def _windows(x: Tensor, start: int, width: int, step: int, count: int) -> Tensor:
    """Windows of (P, N, Q) along N as (P · count, width, Q); a view when count is one or they follow each other."""
    if count == 1:
        return x[:, start : start + width]
    span = x[:, start : start + (count - 1) * step + width]
    return span.unfold(1, width, step).transpose(2, 3).reshape(-1, width, x.shape[2])


def _multiply(matrix: Tensor, windows: Tensor) -> Tensor:
    """Matrix (rows, width) times windows (B, width, Q) → (B, rows, Q)."""
    if windows.shape[2] == 1:
        return (windows[:, :, 0] @ matrix.t()).unsqueeze(2)
    return torch.bmm(matrix.expand(windows.shape[0], *matrix.shape), windows)


def _outer(rows: Tensor, windows: Tensor) -> Tensor:
    """Sum over batch and lanes of rows (B, r, Q) times windows (B, w, Q) → (r, w)."""
    if windows.shape[2] == 1:
        return rows[:, :, 0].t() @ windows[:, :, 0]
    return torch.bmm(rows, windows.transpose(1, 2)).sum(0)


def _ends(x: Tensor, left: int, right: int) -> Tensor:
    """First and last samples of (P, N, Q) side by side."""
    return torch.cat([x[:, :left], x[:, x.shape[1] - right :]], dim=1)


def _with_slopes(x: Tensor, mode: str) -> Tensor:
    """The samples that a boundary matrix is applied to: (P, N, Q), or (P, N + 2, Q) with both ends' slopes behind."""
    if not has_slopes(x.shape[1], mode):
        return x
    return torch.cat([x, x[:, 1:2] - x[:, :1], x[:, -1:] - x[:, -2:-1]], dim=1)


def _fold_slopes(x: Tensor, size: int) -> Tensor:
    """Adjoint of `_with_slopes`: (P, N, Q) from as much, or from (P, N + 2, Q)."""
    if x.shape[1] == size:
        return x
    samples, left, right = x[:, :size], x[:, -2], x[:, -1]
    samples[:, 0] -= left
    samples[:, 1] += left
    samples[:, -1] += right
    samples[:, -2] -= right
    return samples


def _block_length(taps: int, lanes: int) -> int:
    """Outputs per block: long enough to keep the overlap of the windows small, short enough not to multiply zeros."""
    shortest = 16 if lanes == 1 else 8
    return max(shortest, 8 * round(taps / 16))


# Constant tensors, linear in the filters. All are cached per dtype and device.


def _on(tensor: npt.NDArray[np.float64], dtype: torch.dtype, device: torch.device) -> Tensor:
    flat = np.array(tensor).reshape(tensor.shape[0], -1)
    return torch.from_numpy(flat).to(dtype=dtype, device=device)


@lru_cache(maxsize=64)
def _window_constant(taps: int, length: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """(L, length · (2 length + L − 2)): a block of outputs from a window of samples."""
    i, k = np.meshgrid(np.arange(length), np.arange(taps), indexing="ij")
    tensor = np.zeros((taps, length, 2 * length + taps - 2))
    tensor[k, i, 2 * i + taps - 1 - k] = 1.0
    return _on(tensor, dtype, device)


@lru_cache(maxsize=64)
def _adjoint_constant(taps: int, length: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """(L, 2 length · (length + L/2)): a block of sample pairs from a window of outputs."""
    width = length + taps // 2
    t, k = np.meshgrid(np.arange(2 * length), np.arange(taps), indexing="ij")
    hit = (t + k) % 2 == 0
    tensor = np.zeros((taps, 2 * length, width))
    tensor[k[hit], t[hit], (t + k)[hit] // 2] = 1.0
    return _on(tensor, dtype, device)


@lru_cache(maxsize=64)
def _short_constant(level: _Level, dtype: torch.dtype, device: torch.device) -> Tensor:
    """(L, outputs · samples): the whole level, dense."""
    return _on(level_tensor(level.size, level.taps, level.mode), dtype, device)


@lru_cache(maxsize=64)
def _edge_constant(level: _Level, dtype: torch.dtype, device: torch.device) -> Tensor:
    """(L, outputs at the ends · samples at the ends) for the analysis."""
    tensor = level_tensor(level.surrogate, level.taps, level.mode)
    rows = _end_indices(tensor.shape[1], level.left_outputs, level.right_outputs)
    columns = _end_columns(tensor, level, *_edge_reach(level))
    return _on(tensor[:, rows[:, None], columns], dtype, device)


@lru_cache(maxsize=64)
def _adjoint_edge_constant(level: _Level, dtype: torch.dtype, device: torch.device) -> Tensor:
    """(L, samples at the ends · outputs at the ends) for the adjoint."""
    tensor = level_tensor(level.surrogate, level.taps, level.mode)
    rows = _end_indices(tensor.shape[1], *_adjoint_edge_reach(level))
    columns = _end_columns(tensor, level, level.left_samples, level.right_samples)
    return _on(tensor[:, rows[:, None], columns].transpose(0, 2, 1), dtype, device)


def _end_indices(size: int, left: int, right: int) -> npt.NDArray[np.intp]:
    return np.concatenate([np.arange(left), np.arange(size - right, size)])


def _end_columns(tensor: npt.NDArray[np.float64], level: _Level, left: int, right: int) -> npt.NDArray[np.intp]:
    """Columns of the samples at the ends, and of the slopes if there are any."""
    slopes = np.arange(level.surrogate, tensor.shape[2])
    return np.concatenate([_end_indices(level.surrogate, left, right), slopes])


def _edge_reach(level: _Level) -> tuple[int, int]:
    """Samples at either end that the outputs at the ends see."""
    return level.taps, level.taps + 1


def _adjoint_edge_reach(level: _Level) -> tuple[int, int]:
    """Outputs at either end that see the samples at the ends."""
    return level.taps, level.taps + 1


def _surrogate(level: _Level) -> _Level:
    """The key under which all long signals of one parity share their constants."""
    return _Level(level.surrogate, level.taps, level.mode)


def _matrix(filters: Tensor, constant: Tensor, rows: int) -> Tensor:
    """Both filters' matrices one below the other: (2 rows, columns)."""
    return (filters @ constant).view(2 * rows, -1)


def _without_autocast(x: Tensor) -> torch.autocast:
    # Matrix products in bfloat16 would cost the reconstruction its exactness.
    return torch.autocast(x.device.type, enabled=False)


@torch.library.custom_op("awd_core::analyse", mutates_args=())
def analyse(x: Tensor, filters: Tensor, mode: str) -> tuple[Tensor, Tensor]:
    """Low-pass and high-pass bands of a signal along the middle axis.

    Parameters
    ----------
    x : Tensor, shape (P, N, Q)
        Signals; P and Q are what lies before and behind the axis.
    filters : Tensor, shape (2, L)
        Decomposition filters (low-pass, high-pass), L even, of x's dtype and device.
    mode : str
        A mode of `awd_core.boundary`.

    Returns
    -------
    low, high : Tensor, each of shape (P, n_out, Q)
    """
    level = _Level(x.shape[1], filters.shape[1], mode)
    with _without_autocast(x):
        return _analyse(x, filters, level)


def _analyse(x: Tensor, filters: Tensor, level: _Level) -> tuple[Tensor, Tensor]:
    batch, _, lanes = x.shape
    taps, outputs = level.taps, level.outputs
    if level.is_short:
        matrix = _matrix(filters, _short_constant(level, x.dtype, x.device), outputs)
        y = _multiply(matrix, _with_slopes(x, level.mode))
        return y[:, :outputs].clone(), y[:, outputs:].clone()

    bands = x.new_empty(batch, outputs, lanes), x.new_empty(batch, outputs, lanes)
    left, right = level.left_outputs, level.right_outputs
    if left + right:
        matrix = _matrix(filters, _edge_constant(_surrogate(level), x.dtype, x.device), left + right)
        edges = _multiply(matrix, _with_slopes(_ends(x, *_edge_reach(level)), level.mode))
        for band, edge in zip(bands, edges.split(left + right, dim=1), strict=True):
            band[:, :left] = edge[:, :left]
            band[:, outputs - right :] = edge[:, left:]

    length = _block_length(taps, lanes)
    whole = _matrix(filters, _window_constant(taps, length, x.dtype, x.device), length).view(2, length, -1)
    for block in _blocks(left, outputs - right, length, batch * lanes):
        width = 2 * block.length + taps - 2
        matrix = whole[:, : block.length, :width].reshape(-1, width)
        start = 2 * block.first + level.offset - taps + 1
        y = _multiply(matrix, _windows(x, start, width, 2 * length, block.count))
        y = y.view(batch, block.count, 2, block.length, lanes)
        span = slice(block.first, block.first + block.count * block.length)
        for c, band in enumerate(bands):
            band[:, span] = y[:, :, c].reshape(batch, -1, lanes)
    return bands


@torch.library.custom_op("awd_core::synthesise", mutates_args=())
def synthesise(low: Tensor, high: Tensor, filters: Tensor, size: int, mode: str) -> Tensor:
    """Adjoint of `analyse`: a signal of `size` samples from two bands, along the middle axis.

    With orthonormal filters and `awd_core.boundary.synthesis_mode` this is the inverse transform of every mode.

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
    level = _Level(size, filters.shape[1], mode)
    with _without_autocast(low):
        return _synthesise(low, high, filters, level)


def _synthesise(low: Tensor, high: Tensor, filters: Tensor, level: _Level) -> Tensor:
    batch, _, lanes = low.shape
    taps, size = level.taps, level.size
    if level.is_short:
        constant = _short_constant(level, low.dtype, low.device)
        matrices = (filters @ constant).view(2, level.outputs, -1).transpose(1, 2)
        return _fold_slopes(_multiply(matrices[0], low) + _multiply(matrices[1], high), size)

    x = low.new_empty(batch, size, lanes)
    left, right = level.left_samples, level.right_samples
    constant = _adjoint_edge_constant(_surrogate(level), low.dtype, low.device)
    reach = _adjoint_edge_reach(level)
    matrices = (filters @ constant).view(2, -1, sum(reach))
    edges = _multiply(matrices[0], _ends(low, *reach)) + _multiply(matrices[1], _ends(high, *reach))
    edges = _fold_slopes(edges, left + right)
    x[:, :left] = edges[:, :left]
    x[:, size - right :] = edges[:, left:]

    length = _block_length(taps, lanes) // 2 if lanes == 1 else _block_length(taps, lanes)
    whole = (filters @ _adjoint_constant(taps, length, low.dtype, low.device)).view(2, 2 * length, -1)
    first = (left - level.offset) // 2
    for block in _blocks(first, first + (size - left - right) // 2, length, batch * lanes):
        width = block.length + taps // 2
        matrices = whole[:, : 2 * block.length, :width]
        y = _multiply(matrices[0], _windows(low, block.first, width, length, block.count))
        y += _multiply(matrices[1], _windows(high, block.first, width, length, block.count))
        start, span = 2 * block.first + level.offset, 2 * block.count * block.length
        x[:, start : start + span] = y.view(batch, span, lanes)
    return x


@torch.library.custom_op("awd_core::correlate", mutates_args=())
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
    level = _Level(x.shape[1], taps, mode)
    with _without_autocast(x):
        return torch.stack([_correlate(x, band, level) for band in (low, high)])


def _correlate(x: Tensor, band: Tensor, level: _Level) -> Tensor:
    batch, _, lanes = x.shape
    taps, outputs = level.taps, level.outputs
    if level.is_short:
        return _short_constant(level, x.dtype, x.device) @ _outer(band, _with_slopes(x, level.mode)).reshape(-1)

    left, right = level.left_outputs, level.right_outputs
    edge = _outer(_ends(band, left, right), _with_slopes(_ends(x, *_edge_reach(level)), level.mode))
    gradient = _edge_constant(_surrogate(level), x.dtype, x.device) @ edge.reshape(-1)

    length = _block_length(taps, 2)
    total = x.new_zeros(length, 2 * length + taps - 2)
    for block in _blocks(left, outputs - right, length, batch * lanes):
        width = 2 * block.length + taps - 2
        start = 2 * block.first + level.offset - taps + 1
        rows = _windows(band, block.first, block.length, block.length, block.count)
        windows = _windows(x, start, width, 2 * length, block.count)
        total[: block.length, :width] += _outer(rows, windows)
    return gradient + _window_constant(taps, length, x.dtype, x.device) @ total.view(-1)


@analyse.register_fake
def _(x: Tensor, filters: Tensor, mode: str) -> tuple[Tensor, Tensor]:
    shape = (x.shape[0], output_length(x.shape[1], filters.shape[1], mode), x.shape[2])
    return x.new_empty(shape), x.new_empty(shape)


@synthesise.register_fake
def _(low: Tensor, high: Tensor, filters: Tensor, size: int, mode: str) -> Tensor:
    return low.new_empty(low.shape[0], size, low.shape[2])


@correlate.register_fake
def _(x: Tensor, low: Tensor, high: Tensor, taps: int, mode: str) -> Tensor:
    return x.new_empty(2, taps)


# Derivatives: each of the three is linear in each of its arguments, and its gradients are the other two.


def _save_analyse(ctx: Any, inputs: tuple[Tensor, Tensor, str], output: object) -> None:
    x, filters, ctx.mode = inputs
    ctx.save_for_backward(x, filters)


def _analyse_backward(ctx: Any, low: Tensor, high: Tensor) -> tuple[Tensor | None, ...]:
    x, filters = ctx.saved_tensors
    to_x, to_filters, _ = ctx.needs_input_grad
    return (
        synthesise(low, high, filters, x.shape[1], ctx.mode) if to_x else None,
        correlate(x, low, high, filters.shape[1], ctx.mode) if to_filters else None,
        None,
    )


def _save_synthesise(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor, int, str], output: object) -> None:
    low, high, filters, _, ctx.mode = inputs
    ctx.save_for_backward(low, high, filters)


def _synthesise_backward(ctx: Any, x: Tensor) -> tuple[Tensor | None, ...]:
    low, high, filters = ctx.saved_tensors
    to_low, to_high, to_filters, _, _ = ctx.needs_input_grad
    bands = analyse(x, filters, ctx.mode) if to_low or to_high else (None, None)
    return *bands, correlate(x, low, high, filters.shape[1], ctx.mode) if to_filters else None, None, None


def _save_correlate(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor, int, str], output: object) -> None:
    x, low, high, _, ctx.mode = inputs
    ctx.save_for_backward(x, low, high)


def _correlate_backward(ctx: Any, filters: Tensor) -> tuple[Tensor | None, ...]:
    x, low, high = ctx.saved_tensors
    to_x, to_low, to_high, _, _ = ctx.needs_input_grad
    bands = analyse(x, filters, ctx.mode) if to_low or to_high else (None, None)
    return synthesise(low, high, filters, x.shape[1], ctx.mode) if to_x else None, *bands, None, None


analyse.register_autograd(_analyse_backward, setup_context=_save_analyse)
synthesise.register_autograd(_synthesise_backward, setup_context=_save_synthesise)
correlate.register_autograd(_correlate_backward, setup_context=_save_correlate)
