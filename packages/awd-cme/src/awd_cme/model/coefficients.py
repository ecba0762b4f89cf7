"""Wavelet coefficients of short series as one matrix product, and the few numbers per scale that a model reads.

Needs NumPy alone, since the model card scores with it. For series of one length the transform is a fixed matrix:
`analysis_matrices` builds it from the taps, in PyWavelets' order and with its lengths, for the boundary modes that are
a matter of indices (`MODES`). `Selection` says which coefficients of a scale become features.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from awd_core.checks import check_choice, whole_number
from awd_core.files import Record
from awd_core.typing import AnyArray, Flags

MODES: dict[str, str] = {
    "zero": "constant",
    "constant": "edge",
    "symmetric": "symmetric",
    "periodic": "wrap",
    "reflect": "reflect",
}
"""Boundary modes, by PyWavelets' names, and what NumPy calls each."""

WHICH = ("positive", "negative", "absolute", "signed", "both")


@dataclass(frozen=True)
class Selection(Record):
    """Which numbers of each scale are features.

    Attributes
    ----------
    which : {"positive", "negative", "absolute", "signed", "both"}
        The largest coefficients; the most negative ones; the largest absolute values; the coefficients with the
        largest absolute values, with their signs; or the largest and the most negative ones. Nothing is said of a
        coefficient's sign: where all are negative, the largest is negative too.
    most : int
        How many of each kind, at most as many as the scale has.
    positions : bool
        Whether the time of each of them is a feature too.
    energies : bool
        Whether the root of the sum of squares over the scale is.

    Raises
    ------
    ValueError
        For an unknown kind, or a number below 1.
    """

    which: str = "positive"
    most: int = 6
    positions: bool = False
    energies: bool = False

    def __post_init__(self) -> None:
        check_choice("which", self.which, WHICH, required=True)
        object.__setattr__(self, "most", whole_number("most", self.most))

    def kinds(self) -> tuple[str, ...]:
        """What is sorted for: one entry for each list of coefficients of a scale."""
        return ("positive", "negative") if self.which == "both" else (self.which,)

    def present(self, sizes: Sequence[int]) -> Flags:
        """Which features of the largest of several scales each of them has, shape (scales, columns)."""
        ranks = np.arange(min(self.most, max(sizes))) < np.array(sizes)[:, None]
        listed = np.tile(ranks, len(self.kinds()) * (1 + self.positions))
        return np.pad(listed, ((0, 0), (0, int(self.energies))), constant_values=True)

    def names(self, scale: str, size: int) -> list[str]:
        """Names of the features of one scale, in the order of `select`."""
        words = {"positive": "largest", "negative": "lowest", "absolute": "largest size", "signed": "largest by size"}
        listed = [f"{words[kind]} {rank + 1}" for kind in self.kinds() for rank in range(min(self.most, size))]
        found = [f"{scale}, {item}" for item in listed]
        found += [f"{scale}, time of {item}" for item in listed] if self.positions else []
        return found + ([f"{scale}, energy"] if self.energies else [])

    def select(self, coefficients: AnyArray, times: AnyArray) -> AnyArray:
        """Features of one scale, or of several side by side.

        Parameters
        ----------
        coefficients : ndarray, shape (n, k) or (n, scales, k)
            Coefficients of a scale. One with fewer than k is filled up with NaN, which comes behind everything.
        times : ndarray, shape (k,) or (scales, k)
            When each of them is; see `centre_times`.

        Returns
        -------
        ndarray, shape (n, columns) or (n, scales, columns)
            The chosen coefficients, the most extreme first; then their times in the same order; then the energy. Where
            times or signs are asked for, coefficients are told apart to 2⁻³⁸ (see `_number`): series are standardised.

        Examples
        --------
        >>> Selection("both", 1, positions=True).select(np.array([[3.0, -1.0, 2.0]]), np.arange(3.0))
        array([[ 3., -1.,  0.,  1.]])
        """
        count = min(self.most, coefficients.shape[-1])
        values, places = [], []
        for kind in self.kinds():
            sizes = np.abs(coefficients) if kind == "absolute" else coefficients
            numbered, signed = self.positions or kind == "signed", kind == "signed"
            # A copy, since numbers are written into it.
            key = np.array(sizes, dtype=np.float64 if numbered else None)
            bits = _number(key, signed) if numbered else 0
            if kind != "negative":
                np.negative(key, out=key)
            key.sort()
            chosen = key[..., :count]
            if numbered:
                number = (chosen.view(np.int64) & bits) >> signed
                values.append(np.take_along_axis(sizes, number, axis=-1))
                places.append(np.take_along_axis(np.broadcast_to(times, sizes.shape), number, axis=-1))
            else:
                values.append(chosen if kind == "negative" else -chosen)
        parts = values + (places if self.positions else [])
        if self.energies:
            parts.append(np.sqrt(np.nansum(coefficients**2, axis=-1, keepdims=True)))
        return np.concatenate(parts, axis=-1)


ROUNDING = 1.5 * 2.0**14
"""Added and subtracted again, it leaves multiples of 2⁻³⁸: far above errors of rounding, far below what matters."""


def _number(c: AnyArray, signed: bool) -> int:
    """Write each coefficient's number in its scale into its last bits, in place, and return the mask of these bits.

    If `signed`, sizes are kept, and signs go to the last bit. So a sort carries the numbers along, and knows no ties.
    Rounding comes first: where a series is padded a scale has many coefficients that are zero but for errors of
    rounding, and these errors, which no two ways of computing them share, must not decide which is the largest.
    """
    number = np.arange(c.shape[-1]) << signed
    bits: int = (1 << (max(c.shape[-1] - 1, 1).bit_length() + signed)) - 1
    c += ROUNDING
    c -= ROUNDING
    whole = c.view(np.int64)
    if signed:
        number = number | (whole < 0)
        np.abs(c, out=c)
    whole &= ~bits
    whole |= number
    return bits


def analysis_matrices(taps: npt.ArrayLike, length: int, levels: int = 4, mode: str = "zero") -> list[AnyArray]:
    """The transform of series of one length, as a matrix for each band.

    Parameters
    ----------
    taps : array_like, shape (L,)
        Low-pass analysis filter, as `awd_core.Wavelet.taps`.
    length : int
        Samples N of a series.
    levels : int
        Number of levels J.
    mode : str
        Boundary mode, one of `MODES`.

    Returns
    -------
    list of ndarray, shapes (k, N)
        For cA_J, cD_J, …, cD_1: band = matrix @ series, as `pywt.wavedec` gives it.

    Raises
    ------
    ValueError
        For another mode, an odd number of taps, or numbers below 1.

    Examples
    --------
    >>> [band.shape for band in analysis_matrices(np.sqrt([0.5, 0.5]), 8, levels=2)]
    [(2, 8), (2, 8), (4, 8)]
    """
    low = checked_taps(taps)
    check_choice("mode", mode, MODES, required=True)
    length, levels = whole_number("length", length), whole_number("levels", levels)
    high = _high_pass(low)
    approximation, details = np.eye(length), []
    for _ in range(levels):
        both = [_filtered(approximation, taps, mode) for taps in (low, high)]
        approximation = both[0]
        details.append(both[1])
    return [approximation, *details[::-1]]


def centre_times(taps: npt.ArrayLike, length: int, levels: int = 4) -> list[AnyArray]:
    """When the coefficients of each band are: the centre of the squares of their filter, in samples from the first.

    A coefficient near an end reads the extension too, so its centre may lie before the first or behind the last sample.

    Parameters
    ----------
    taps, length, levels
        As for `analysis_matrices`.

    Returns
    -------
    list of ndarray, shapes (k,)
        For cA_J, cD_J, …, cD_1; 2^j apart at level j.

    Examples
    --------
    >>> centre_times(np.sqrt([0.5, 0.5]), 8, levels=2)[0].round(9)
    array([1.5, 5.5])
    """
    low = np.asarray(taps, dtype=np.float64)
    high = _high_pass(low)
    path, size, found = np.ones(1), length, []
    for level in range(1, levels + 1):
        # Coefficient k of level j reads x(2^j k + 2^j − 1 − n) with the n-th tap of the filters in a row.
        size, step = (size + len(low) - 1) // 2, 2**level
        grown = [np.zeros((len(low) - 1) * (step // 2) + 1) for _ in range(2)]
        for filters, own in zip(grown, (low, high), strict=True):
            filters[:: step // 2] = own
        bands = [np.convolve(path, filters) for filters in grown]
        path = bands[0]
        centres = [float(np.arange(len(band)) @ band**2 / (band @ band)) for band in bands]
        clocks = [step * np.arange(size) + step - 1 - centre for centre in centres]
        found.append(clocks[1])
    return [clocks[0], *found[::-1]]


def scales(levels: int, seconds_per_sample: float | None = None) -> list[tuple[str, float]]:
    """Bands from coarse to fine: what they are called, and 2^j samples in seconds (in samples where that is unknown).

    Examples
    --------
    >>> scales(2, 1.5)
    [('approximation 6 s', 6.0), ('detail 6 s', 6.0), ('detail 3 s', 3.0)]
    """
    known = seconds_per_sample is not None and np.isfinite(seconds_per_sample)
    step, unit = (float(seconds_per_sample), "s") if known and seconds_per_sample else (1.0, "samples")
    bands = [("approximation", levels), *(("detail", level) for level in range(levels, 0, -1))]
    return [(f"{band} {2**level * step:.4g} {unit}", 2**level * step) for band, level in bands]


def _filtered(rows: AnyArray, taps: AnyArray, mode: str) -> AnyArray:
    """One level along axis 0: y(i) = Σ_k f(k) x̃(2i + 1 − k), x̃ being the extended signal."""
    size, reach = len(rows), len(taps) - 1
    extended = np.pad(rows, ((reach, reach), (0, 0)), MODES[mode])  # type: ignore[call-overload]
    outputs = (size + reach) // 2
    at = 2 * np.arange(outputs)[:, None] + 1 + reach - np.arange(len(taps))
    band: AnyArray = np.einsum("k,ikn->in", taps, extended[at])
    return band


def checked_taps(taps: npt.ArrayLike) -> AnyArray:
    """Low-pass taps as an array, if there is an even number of them."""
    low = np.asarray(taps, dtype=np.float64)
    if low.ndim != 1 or len(low) < 2 or len(low) % 2:
        raise ValueError(f"taps are one list of an even number of numbers; got the shape {low.shape}")
    return low


def _high_pass(low: AnyArray) -> AnyArray:
    high: AnyArray = low[::-1] * (-1.0) ** np.arange(1, len(low) + 1)
    return high
