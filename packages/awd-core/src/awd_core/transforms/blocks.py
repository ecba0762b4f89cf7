"""How one level is cut into blocks: which outputs need the boundary, and the constant matrices of windows and ends.

The matrices are linear in the filters, so each is a constant tensor that the taps are contracted with. They depend on
the geometry alone and are kept for each dtype and device.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from awd_core.transforms.boundary import has_slopes, level_tensor, output_length, window_offset
from awd_core.typing import Array, Indices

# Multiply-adds worth one call of a matrix product, below which its overhead shows: short blocks of long, thin batches
# are gathered until a call has about as many outputs.
_OUTPUTS_PER_CALL = 1 << 17


@dataclass(frozen=True)
class Level:
    """Geometry of one level: which outputs come from plain windows and which need the boundary.

    A long signal's ends are those of a surrogate: its first and last samples side by side, with enough of them that
    no window sees both ends except by wrapping around. The surrogate's dense matrix holds every mode's boundary.
    """

    size: int
    taps: int
    mode: str

    @property
    def outputs(self) -> int:
        """Coefficients in each band."""
        return output_length(self.size, self.taps, self.mode)

    @property
    def offset(self) -> int:
        """The o of the level's equation."""
        return window_offset(self.taps, self.mode)

    @property
    def surrogate(self) -> int:
        """Number of samples of the surrogate, of the signal's own parity."""
        return 4 * self.taps + 2 + self.size % 2

    @property
    def is_short(self) -> bool:
        """Whether one dense matrix serves: always so below the surrogate's size, and faster up to some 64 samples."""
        return self.size <= max(self.surrogate, 64)

    @property
    def ends(self) -> "Level":
        """The surrogate's level, under which all long signals of one parity share their constants."""
        return Level(self.surrogate, self.taps, self.mode)

    @property
    def left_outputs(self) -> int:
        """Outputs whose windows begin before the signal."""
        return (self.taps - 1 - self.offset + 1) // 2

    @property
    def right_outputs(self) -> int:
        """Outputs whose windows end behind the signal."""
        return self.outputs - ((self.size - 1 - self.offset) // 2 + 1)

    @property
    def left_samples(self) -> int:
        """Samples that some window sees by extension, as many as let the next be a window's first, or one more."""
        return self.taps + (self.taps + self.offset) % 2

    @property
    def right_samples(self) -> int:
        """The same at the right end, as many as leave a whole number of pairs between."""
        return self.taps + (self.size - self.left_samples - self.taps) % 2


@dataclass(frozen=True)
class Blocks:
    """Blocks of equal length: `count` of them, the first starting at `first`, each `length` (outputs, or pairs)."""

    first: int
    length: int
    count: int


def cut(first: int, last: int, length: int, lanes: int) -> Iterator[Blocks]:
    """Cut [first, last) into groups of blocks, and a shorter block at the end."""
    per_call = max(1, _OUTPUTS_PER_CALL // (2 * length * max(lanes, 1)))
    while last - first >= length:
        count = min((last - first) // length, per_call)
        yield Blocks(first, length, count)
        first += count * length
    if last > first:
        yield Blocks(first, last - first, 1)


def windows_of(x: Tensor, start: int, width: int, step: int, count: int) -> Tensor:
    """Windows of (P, N, Q) along N as (P · count, width, Q); a view when count is one or they follow each other."""
    if count == 1:
        return x.narrow(1, start, width)
    span = x.narrow(1, start, (count - 1) * step + width)
    return span.unfold(1, width, step).transpose(2, 3).reshape(count * x.shape[0], width, x.shape[2])


def ends_of(x: Tensor, left: int, right: int) -> Tensor:
    """First and last samples of (P, N, Q) side by side."""
    return torch.cat([x[:, :left], x[:, x.shape[1] - right :]], dim=1)


def with_slopes(x: Tensor, mode: str) -> Tensor:
    """The samples that a boundary matrix is applied to: (P, N, Q), or (P, N + 2, Q) with both ends' slopes behind."""
    if not has_slopes(x.shape[1], mode):
        return x
    return torch.cat([x, x[:, 1:2] - x[:, :1], x[:, -1:] - x[:, -2:-1]], dim=1)


def fold_slopes(x: Tensor, size: int) -> Tensor:
    """Adjoint of `_with_slopes`: (P, N, Q) from as much, or from (P, N + 2, Q)."""
    if x.shape[1] == size:
        return x
    samples, left, right = x[:, :size], x[:, -2], x[:, -1]
    samples[:, 0] -= left
    samples[:, 1] += left
    samples[:, -1] += right
    samples[:, -2] -= right
    return samples


def block_length(taps: int, lanes: int) -> int:
    """Outputs per block: long enough to keep the overlap of the windows small, short enough not to multiply zeros."""
    shortest = 16 if lanes == 1 else 8
    return max(shortest, 8 * round(taps / 16))


# Constant tensors, linear in the filters. All are cached per dtype and device.


def _on(tensor: Array, dtype: torch.dtype, device: torch.device) -> Tensor:
    flat = np.array(tensor).reshape(tensor.shape[0], -1)
    return torch.from_numpy(flat).to(dtype=dtype, device=device)


@lru_cache(maxsize=64)
def window_constant(taps: int, length: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """(L, length · (2 length + L − 2)): a block of outputs from a window of samples."""
    i, k = np.meshgrid(np.arange(length), np.arange(taps), indexing="ij")
    tensor = np.zeros((taps, length, 2 * length + taps - 2))
    tensor[k, i, 2 * i + taps - 1 - k] = 1.0
    return _on(tensor, dtype, device)


@lru_cache(maxsize=64)
def adjoint_constant(taps: int, length: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """(L, 2 length · (length + L/2)): a block of sample pairs from a window of outputs."""
    width = length + taps // 2
    t, k = np.meshgrid(np.arange(2 * length), np.arange(taps), indexing="ij")
    hit = (t + k) % 2 == 0
    tensor = np.zeros((taps, 2 * length, width))
    tensor[k[hit], t[hit], (t + k)[hit] // 2] = 1.0
    return _on(tensor, dtype, device)


@lru_cache(maxsize=64)
def short_constant(level: Level, dtype: torch.dtype, device: torch.device) -> Tensor:
    """(L, outputs · samples): the whole level, dense."""
    return _on(level_tensor(level.size, level.taps, level.mode), dtype, device)


@lru_cache(maxsize=64)
def edge_constant(level: Level, dtype: torch.dtype, device: torch.device) -> Tensor:
    """(L, outputs at the ends · samples at the ends) for the analysis."""
    tensor = level_tensor(level.surrogate, level.taps, level.mode)
    rows = _end_indices(tensor.shape[1], level.left_outputs, level.right_outputs)
    columns = _end_columns(tensor, level, *edge_reach(level))
    return _on(tensor[:, rows[:, None], columns], dtype, device)


@lru_cache(maxsize=64)
def adjoint_edge_constant(level: Level, dtype: torch.dtype, device: torch.device) -> Tensor:
    """(L, samples at the ends · outputs at the ends) for the adjoint."""
    tensor = level_tensor(level.surrogate, level.taps, level.mode)
    rows = _end_indices(tensor.shape[1], *adjoint_edge_reach(level))
    columns = _end_columns(tensor, level, level.left_samples, level.right_samples)
    return _on(tensor[:, rows[:, None], columns].transpose(0, 2, 1), dtype, device)


def _end_indices(size: int, left: int, right: int) -> Indices:
    return np.concatenate([np.arange(left), np.arange(size - right, size)])


def _end_columns(tensor: Array, level: Level, left: int, right: int) -> Indices:
    """Columns of the samples at the ends, and of the slopes if there are any."""
    slopes = np.arange(level.surrogate, tensor.shape[2])
    return np.concatenate([_end_indices(level.surrogate, left, right), slopes])


def edge_reach(level: Level) -> tuple[int, int]:
    """Samples at either end that the outputs at the ends see."""
    return level.taps, level.taps + 1


def adjoint_edge_reach(level: Level) -> tuple[int, int]:
    """Outputs at either end that see the samples at the ends."""
    return level.taps, level.taps + 1


def matrix_of(filters: Tensor, constant: Tensor, rows: int) -> Tensor:
    """Both filters' matrices one below the other: (2 rows, columns)."""
    return (filters @ constant).view(2 * rows, -1)
