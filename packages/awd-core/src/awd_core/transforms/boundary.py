"""Boundaries: how a finite signal goes on past its ends, and one level of analysis as a constant tensor.

PyWavelets defines what its nine modes mean, so where it can PyWavelets extends the signal here too: every mode is
linear, and the extension of the identity matrix is the matrix of the extension. One level of analysis of a signal of N
samples with a filter of L taps is then

    y(i) = Σ_k f(k) x̃(2i + o − k),      o = 1, or L/2 with periodization,

x̃ being the extended signal, and the number of outputs ⌊(N + L − 1)/2⌋, or ⌈N/2⌉ with periodization.
"""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Literal, get_args

import numpy as np
import pywt

from awd_core.checks.choices import check_choice
from awd_core.checks.warning import warn
from awd_core.typing import Array

Mode = Literal[
    "zero",
    "constant",
    "symmetric",
    "periodic",
    "smooth",
    "periodization",
    "reflect",
    "antisymmetric",
    "antireflect",
]
"""The nine signal extension modes, by PyWavelets' names."""

MODES: tuple[Mode, ...] = get_args(Mode)

# With an odd number of samples, periodization repeats the last one before it wraps. The adjoint of the synthesis has
# a zero in its place: an extension that PyWavelets does not have, needed for attributions and for the inverse.
PERIODIZATION_WITH_ZERO = "periodization with zero"


def check_mode(mode: str) -> Mode:
    """Return the mode if PyWavelets knows it by that name.

    Raises
    ------
    ValueError
        If it is none of the nine.
    """
    check_choice("mode", mode, MODES, required=True)
    return next(known for known in MODES if known == mode)


def synthesis_mode(mode: str) -> str:
    """Extension whose analysis is the adjoint of the synthesis that belongs to `mode`.

    Synthesis crops a plain convolution, so its adjoint extends by zeros; with periodization, the convolution is a
    circular one.
    """
    return PERIODIZATION_WITH_ZERO if is_periodized(mode) else "zero"


def is_periodized(mode: str) -> bool:
    """Whether the transform is circular, with half as many coefficients as samples in each band."""
    return mode in ("periodization", PERIODIZATION_WITH_ZERO)


def has_slopes(size: int, mode: str) -> bool:
    """Whether the extension is written in the samples and, behind them, the slopes x(1) − x(0) and x(N−1) − x(N−2).

    That is so in smooth mode. A line drawn through two samples and followed over a long filter multiplies their
    rounding errors; to subtract first keeps the errors of PyWavelets, to multiply by one matrix would make them a
    hundred times as large.
    """
    return mode == "smooth" and size > 1


def output_length(size: int, taps: int, mode: str) -> int:
    """Number of coefficients in each band after one level, as `pywt.dwt_coeff_len`.

    Parameters
    ----------
    size : int
        Number of samples N.
    taps : int
        Number of taps L.
    mode : str
        Extension mode.
    """
    return (size + 1) // 2 if is_periodized(mode) else (size + taps - 1) // 2


def window_offset(taps: int, mode: str) -> int:
    """The o of the module's equation: output i sees the samples from 2i + o − L + 1 to 2i + o."""
    return taps // 2 if is_periodized(mode) else 1


@lru_cache(maxsize=32)
def level_tensor(size: int, taps: int, mode: str) -> Array:
    """One level of analysis, dense, as a tensor that is linear in the filter.

    Parameters
    ----------
    size : int
        Number of samples N ≥ 1.
    taps : int
        Number of taps L, even.
    mode : str
        One of `MODES`, or `PERIODIZATION_WITH_ZERO`.

    Returns
    -------
    ndarray, shape (L, n_out, N), read-only
        C with y(i) = Σ_k Σ_j f(k) C(k, i, j) x(j). Where `has_slopes`, N + 2 columns.
    """
    outputs = output_length(size, taps, mode)
    offset = window_offset(taps, mode)
    before = taps - 1 - offset
    after = 2 * (outputs - 1) + offset - (size - 1)
    extension = extension_matrix(size, before, after, mode)
    sample = before + offset + 2 * np.arange(outputs) - np.arange(taps)[:, None]
    tensor: Array = extension[sample]
    tensor.flags.writeable = False
    return tensor


def extension_matrix(size: int, before: int, after: int, mode: str) -> Array:
    """Matrix from N samples to `before` + N + `after` samples."""
    if is_periodized(mode):
        even = size + size % 2
        repeated = np.eye(even, size)
        if mode == "periodization" and even > size:
            repeated[-1, -1] = 1.0
        return repeated[np.arange(-before, size + after) % even]
    if has_slopes(size, mode):
        rows = np.pad(np.eye(size), ((before, after), (0, 0)), "edge")
        left = np.concatenate([-np.arange(before, 0, -1), np.zeros(size + after)])
        right = np.concatenate([np.zeros(before + size), np.arange(1, after + 1)])
        return np.column_stack([rows, left, right])
    if mode == "smooth":
        mode = "constant"  # one sample has no slope
    # One sample more on either side: `pywt.pad` fails in some modes where it has nothing to add, and hence along the
    # columns too.
    widths = (before + 1, after + 1)
    if mode in ("antisymmetric", "antireflect"):
        extended = np.stack([pywt.pad(column, widths, mode) for column in np.eye(size)], axis=1)
    else:
        extended = pywt.pad(np.eye(size), (widths, (0, 0)), mode)
    return np.asarray(extended[1:-1])


def fitting_levels(size: int, taps: int) -> int:
    """`pywt.dwt_max_level`, which torch.compile cannot trace: levels with a coefficient that no boundary reaches."""
    return max(0, (size // (taps - 1)).bit_length() - 1)


def boundary_note(levels: int, shape: tuple[int, ...], taps: Sequence[int]) -> str:
    """What to say where there are more levels than fit signals of that shape, filters given for each axis; else ""."""
    fitting = min(map(fitting_levels, shape, taps))
    if levels <= fitting:
        return ""
    return (
        f"levels is {levels}, more than the {fitting} that fit a signal of shape {shape} with filters of {list(taps)} "
        "taps: all coefficients will experience boundary effects"
    )


def warn_of_boundary(levels: int, shape: tuple[int, ...], taps: Sequence[int]) -> None:
    """Warn with `boundary_note`, if there is any."""
    note = boundary_note(levels, shape, taps)
    if note:
        warn(note)


@contextmanager
def without_boundary_warnings() -> Iterator[None]:
    """No word on levels beyond the signal's: it is said once, or meant, as for the published series of length 40."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*boundary effects", UserWarning)
        yield
