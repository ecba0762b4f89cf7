"""The undecimated (stationary, à trous) transform: every level at every sample, differentiable in signal and filter.

Level j filters the approximation of level j − 1 with the wavelet's taps spread 2^(j−1) samples apart (Shensa 1992, "The
discrete wavelet transform: wedding the à trous and Mallat algorithms"; Nason and Silverman 1995). With h for the
low-pass taps `dec_lo`, g for `dec_hi`, L taps and step s = 2^(j−1), along each axis

    a_j(i) = 2^(−1/2) Σ_k h(L − 1 − k) ã_(j−1)(i + s (k − L/2 + 1)),

and d_j with g in place of h; ã is the signal with its extension.

Normalisation. Both filters are divided by √2, so that an approximation is a weighted mean of the signal, and for
orthonormal taps and a periodic boundary the frame is tight: Σ x² = Σ_j Σ d_j² + Σ a_J² (`pywt.swt` with `norm=True`).

Alignment. A coefficient belongs to the sample i whose number it has. In one step of one axis it sees L/2 − 1 taps
before the sample and L/2 behind it; all levels to j together see (2^j − 1)(L/2 − 1) samples before and (2^j − 1) L/2
behind. Where a filter's weight lies within that window is the filter's own affair: an asymmetric one answers a peak
somewhat beside it, by the same number of samples everywhere.

Boundaries are PyWavelets' modes that only repeat samples or leave them out; they are followed as far as the filter
reaches, again and again where it is longer than the signal. Every level extends its own approximation: with "zero",
what a coarse approximation of the signal with zeros around it would hold beyond the ends is lost. To keep it, put zeros
around the signal yourself, (2^J − 1) L/2 on either side, and crop the bands.
"""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias, get_args

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from awd_core.checks.choices import check_choice
from awd_core.checks.whole_numbers import whole_number
from awd_core.transforms.autocast import in_single_precision, without_autocast
from awd_core.transforms.axes import flattened
from awd_core.transforms.extension import extension
from awd_core.transforms.inputs import check_tensor
from awd_core.wavelets.filters import Filter, WaveletLike, as_filter

UndecimatedMode = Literal["zero", "constant", "symmetric", "periodic", "reflect"]
UNDECIMATED_MODES: tuple[UndecimatedMode, ...] = get_args(UndecimatedMode)

FilterLike: TypeAlias = Filter | WaveletLike


class UndecimatedLevel(NamedTuple):
    """One level of the transform.

    Parameters
    ----------
    approximation : Tensor, of the signal's shape
        a_j, which the next level is made of. Only the last level's belongs to the frame.
    details : tuple of Tensor, of the signal's shape
        (d_j,) in one dimension; horizontal (high-pass along y), vertical and diagonal in two, as PyWavelets has them.
    """

    approximation: Tensor
    details: tuple[Tensor, ...]


def undecimated(
    x: Tensor,
    wavelet: FilterLike | Sequence[FilterLike],
    levels: int,
    mode: UndecimatedMode = "symmetric",
    *,
    ndim: int = 1,
) -> list[UndecimatedLevel]:
    """Transform signals or images.

    Parameters
    ----------
    x : Tensor, shape (…, N) or (…, H, W)
        Signals, float32 or float64, any number of dimensions in front.
    wavelet : Filter, Wavelet, str or pywt.Wavelet, or a sequence of `levels` of them
        A filter that can be learnt, or a wavelet that stays; one for all levels, or one for each from the finest on.
    levels : int
        Number of levels J.
    mode : {"zero", "constant", "symmetric", "periodic", "reflect"}
        How a signal goes on beyond its ends.
    ndim : {1, 2}
        How many of the last axes are transformed.

    Returns
    -------
    list of UndecimatedLevel
        Level 1, the finest, first. See the module's description for normalisation and alignment.

    Raises
    ------
    TypeError
        If x is no tensor, or of another dtype, or its dtype is not the filter's.
    ValueError
        If x has too few dimensions or no samples, or an argument is not among those allowed.

    Examples
    --------
    >>> x = torch.arange(8.0, dtype=torch.float64) % 3
    >>> fine, coarse = undecimated(x, "db2", 2, "periodic")
    >>> energy = sum((band**2).sum() for band in (*fine.details, *coarse.details, coarse.approximation))
    >>> bool(torch.isclose(energy, (x**2).sum()))
    True
    """
    check_choice("mode", mode, UNDECIMATED_MODES, required=True)
    levels = whole_number("levels", levels)
    if ndim not in (1, 2) or isinstance(ndim, bool):
        raise ValueError(f"ndim is {ndim!r}; give 1 for signals or 2 for images")
    x = in_single_precision(x)
    check_tensor("the signal", x, ndim, check_finite=False)
    given = list(wavelet) if isinstance(wavelet, list | tuple) else [wavelet] * levels
    if len(given) != levels:
        raise ValueError(f"wavelet has {len(given)} filters for {levels} levels; give one, or one for each level")
    filters: dict[int, Tensor] = {}
    with without_autocast(x):
        for one in given:
            if id(one) not in filters:
                filters[id(one)] = as_filter(one).bank(x)
    return undecimated_levels(x, [filters[id(one)] for one in given], mode, ndim)


def undecimated_levels(x: Tensor, banks: Sequence[Tensor], mode: str, ndim: int) -> list[UndecimatedLevel]:
    """As `undecimated`, unchecked, from the decomposition filters (2, L) of each level."""
    found = []
    for level, bank in enumerate(banks):
        bands = [x]
        for axis in range(-ndim, 0):
            bands = [half for band in bands for half in _split(band, bank, axis, 1 << level, mode)]
        # Of a pair of axes the last one's letter changes fastest: aa, ad, da, dd; horizontal is da.
        x, details = bands[0], tuple(bands[1:]) if ndim == 1 else (bands[2], bands[1], bands[3])
        found.append(UndecimatedLevel(x, details))
    return found


def _split(x: Tensor, bank: Tensor, axis: int, step: int, mode: str) -> tuple[Tensor, Tensor]:
    """Low- and high-pass half along one axis, taps `step` samples apart."""
    flat, front, behind = flattened(x, axis)
    size, length = flat.shape[1], bank.shape[1]
    before = (length // 2 - 1) * step
    places = torch.from_numpy(extension(size, before, (length - 1) * step - before, mode)).to(x.device)
    if mode == "zero":
        flat = pad(flat, (0, 0, 0, 1))
    extended = flat.index_select(1, places)[:, None]
    taps = bank.flip(1)[:, None, :, None] / math.sqrt(2)
    halves = conv2d(extended, taps, dilation=(step, 1))
    shape = (*front, size, *behind)
    return halves[:, 0].reshape(shape), halves[:, 1].reshape(shape)
