"""Filters of 3 × 3 pixels, and their values at given pixels: the map itself is never filtered.

A kernel K is applied as a correlation, as networks do: its value at pixel (y, x) is Σ K[i, j] κ(y − 1 + i, x − 1 + j).
Kernels are real arrays (3, 3), rows along y. Sources: "Adaptive wavelet distillation from neural networks through
interpretations" (Ha et al. 2021) and its code; Laplace and Roberts cross after Ribli et al. 2019, "An improved
cosmological parameter inference scheme motivated by deep learning".
"""

import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from awd_core.checks import check_choice
from awd_core.typing import Array, Indices
from awd_cosmo.statistics.peaks import Floats

if TYPE_CHECKING:
    import pywt

    from awd_core.wavelets import Wavelet


RAW: Array = np.array([[0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
"""The map itself."""

LAPLACE_V1: Array = 10 / 3 * np.array([[-0.05, -0.2, -0.05], [-0.2, 1.0, -0.2], [-0.05, -0.2, -0.05]])
"""Laplace filter over all eight neighbours."""

LAPLACE_V2: Array = 4 * np.array([[0.0, -0.25, 0.0], [-0.25, 1.0, -0.25], [0.0, -0.25, 0.0]])
"""Laplace filter over the four nearest neighbours."""

ROBERTS_CROSS = "roberts_cross"
"""The only filter here that is not linear: Σ √((a − d)² + (b − c)²) over the four squares (a b over c d) at a pixel."""

LINEAR = {"raw": RAW, "laplace_v1": LAPLACE_V1, "laplace_v2": LAPLACE_V2}
FILTERS = (*LINEAR, ROBERTS_CROSS)
"""Names of the classical filters."""

WAVELET_KERNELS = ("LL", "LH", "HL", "HH")
"""Names of the kernels of a wavelet, in order: L is the low-pass filter; the first letter is along x."""

Windows = Literal["published", "all"]

_SQUARES = ((0, 1, 3, 4), (1, 2, 4, 5), (3, 4, 6, 7), (4, 5, 7, 8))


def wavelet_kernels(
    wavelet: "Wavelet | str | pywt.Wavelet | npt.ArrayLike", *, centred: bool = True, windows: Windows = "published"
) -> Array:
    """Cut the four 3 × 3 kernels from a wavelet that the published peak counts use.

    Of each one-dimensional filter (h low-pass, g high-pass, in the order of a correlation: PyWavelets' `rec_lo` and
    `rec_hi`), the three neighbouring taps with the largest Σ (tap − mean of the filter)²; then the outer products
    LL[i, j] = h(i) h(j), LH = g(i) h(j), HL = h(i) g(j), HH = g(i) g(j), with i along y and j along x.

    Parameters
    ----------
    wavelet : Wavelet, str, pywt.Wavelet or array_like of shape (L,)
        Orthogonal wavelet, or its low-pass taps (see `low_pass_taps`). Two taps (Haar) are filled up with a zero.
    centred : bool
        Whether to subtract their mean from LH, HL and HH, so that they do not see a constant.
    windows : {"published", "all"}
        The published code looks at every window of three taps but the last, "all" at every one. For db5 this decides:
        the last window of g has the largest sum, 0.914 against 0.909.

    Returns
    -------
    ndarray, shape (4, 3, 3)
        LL, LH, HL, HH.

    Examples
    --------
    >>> wavelet_kernels("db5")[0].round(3)
    array([[0.026, 0.097, 0.116],
           [0.097, 0.365, 0.437],
           [0.116, 0.437, 0.525]])
    """
    check_choice("windows", windows, ("published", "all"), required=True)
    low, high = correlation_pair(wavelet)
    h, g = _strongest(low, windows), _strongest(high, windows)
    kernels = np.stack([np.outer(h, h), np.outer(g, h), np.outer(h, g), np.outer(g, g)])
    if centred:
        kernels[1:] -= kernels[1:].mean(axis=(1, 2), keepdims=True)
    return kernels


def low_pass_taps(wavelet: Any) -> Array:
    """Low-pass analysis taps of a wavelet.

    Parameters
    ----------
    wavelet : Wavelet, str, pywt.Wavelet or array_like of shape (L,)
        Taps are PyWavelets' `dec_lo`: L even, Σ = √2. They need not be orthonormal to rounding, as those of the
        published free fits are not; and a statistic that comes back from its saved form needs no PyWavelets.

    Returns
    -------
    ndarray, shape (L,)

    Raises
    ------
    ValueError
        If there is no such wavelet, or the taps are not as above.

    Examples
    --------
    >>> low_pass_taps("haar").round(4)
    array([0.7071, 0.7071])
    """
    if isinstance(wavelet, np.ndarray | list | tuple):
        taps = np.asarray(wavelet, dtype=np.float64)
        if taps.ndim != 1 or len(taps) < 2 or len(taps) % 2 or not np.isfinite(taps).all():
            raise ValueError(f"taps must be an even number of finite values in one dimension, got shape {taps.shape}")
        if abs(taps.sum() - math.sqrt(2)) > 0.01:
            raise ValueError(f"low-pass taps must add up to √2 (PyWavelets' dec_lo), theirs is {taps.sum():.4g}")
        return taps
    from awd_core.wavelets import Wavelet

    return np.array(Wavelet.of(wavelet).taps)


def correlation_pair(wavelet: Any) -> tuple[Array, Array]:
    """Low- and high-pass filter of a wavelet in the order of a correlation: PyWavelets' `rec_lo` and `rec_hi`.

    Examples
    --------
    >>> correlation_pair("haar")[1].round(4)
    array([ 0.7071, -0.7071])
    """
    taps = low_pass_taps(wavelet)
    return taps[::-1].copy(), taps * (-1.0) ** np.arange(len(taps))


def checked_kernels(kernels: Any) -> Array:
    """Kernels as an array (k, 3, 3); one kernel alone may be given as (3, 3).

    Raises
    ------
    ValueError
        If the shape is another one, or a value is not finite.
    """
    given = np.asarray(kernels, dtype=np.float64)
    if given.ndim == 2:
        given = given[None]
    if given.ndim != 3 or given.shape[1:] != (3, 3) or len(given) == 0:
        raise ValueError(f"kernels must have the shape (k, 3, 3) or (3, 3), got {np.shape(kernels)}")
    if not np.isfinite(given).all():
        raise ValueError("kernels must be finite, got NaN or infinity among their values")
    return given


def neighbourhoods(
    flat: Floats, positions: Indices, width: int, kernels: Array | Literal["roberts_cross"] | None = None
) -> Floats:
    """Values around pixels, none of them at a border.

    Parameters
    ----------
    flat : ndarray, shape (pixels,)
        Maps, row by row, one behind the other.
    positions : ndarray of int, shape (k,)
        Pixels, as indices into `flat`.
    width : int
        Pixels in a row.
    kernels : ndarray of shape (f, 3, 3), or "roberts_cross", optional
        Filters that the values are for: where none of them has a tap, they are not fetched, and are anything.

    Returns
    -------
    ndarray, shape (9, k)
        The 3 × 3 neighbourhood of each, row by row.

    Examples
    --------
    >>> neighbourhoods(np.arange(12.0), np.array([5]), 4).ravel()
    array([ 0.,  1.,  2.,  4.,  5.,  6.,  8.,  9., 10.])
    """
    gathered = np.empty((9, len(positions)), flat.dtype)
    corner = positions - (width + 1)
    wanted = kernels.any(axis=0).ravel() if isinstance(kernels, np.ndarray) else np.ones(9, np.bool_)
    for k in np.flatnonzero(wanted):
        row, column = divmod(int(k), 3)
        # With "clip" NumPy writes straight into its place; no index is ever outside.
        np.take(flat[row * width + column :], corner, out=gathered[k], mode="clip")
    return gathered


def filter_values(kernels: Array | Literal["roberts_cross"], around: Any) -> Any:
    """Values of filters where the neighbourhoods are known.

    Parameters
    ----------
    kernels : ndarray, shape (f, 3, 3), or "roberts_cross"
        The filters.
    around : ndarray or torch.Tensor, shape (9, k)
        From `neighbourhoods`.

    Returns
    -------
    ndarray or torch.Tensor, shape (f, k), of the type of `around`
        The sum goes over the kernel row by row, tap after tap, so that a map's values never depend on what stands
        beside it. Zero taps are skipped.

    Examples
    --------
    >>> filter_values(LAPLACE_V2[None], np.arange(9.0)[:, None] ** 2)
    array([[-20.]])
    """
    if isinstance(kernels, str):
        a, b, c, d = (_square(around, *corners) for corners in _SQUARES)
        return (a + b + c + d)[None]
    rows = [_weighted(around, kernel.ravel().tolist()) for kernel in kernels]
    if isinstance(around, np.ndarray):
        return np.stack(rows)
    import torch

    return torch.stack(rows)


def _weighted(around: Any, weights: list[float]) -> Any:
    terms = [(row, weight) for row, weight in enumerate(weights) if weight != 0.0]
    if not terms:
        return around[0] * 0.0
    (row, weight), *rest = terms
    total = around[row] * weight
    if not isinstance(around, np.ndarray):
        for row, weight in rest:
            total += around[row] * weight
        return total
    term = np.empty_like(total)
    for row, weight in rest:
        np.multiply(around[row], weight, out=term)
        total += term
    return total


def _square(around: Any, a: int, b: int, c: int, d: int) -> Any:
    return ((around[a] - around[d]) ** 2 + (around[b] - around[c]) ** 2) ** 0.5


def _strongest(taps: Array, windows: Windows) -> Array:
    padded = np.append(taps, np.zeros(max(0, 3 - len(taps))))
    energy = np.convolve((padded - taps.mean()) ** 2, np.ones(3), mode="valid")
    if windows == "published":
        energy = energy[: max(1, len(taps) - 3)]
    start = int(energy.argmax())
    return padded[start : start + 3]
