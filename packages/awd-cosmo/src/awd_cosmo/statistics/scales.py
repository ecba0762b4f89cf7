"""Counts at the real scales of a wavelet: histograms of its undecimated bands, of all pixels or of peaks and minima.

This goes beyond the published 3 × 3 kernels: each level of `awd_cosmo.statistics.undecimated` sees the map at its own
scale, in arcmin, and with all taps of the wavelet.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Literal, Self

import numpy as np

from awd_core.typing import Array
from awd_cosmo.statistics.bands import BandCounts, Energy, Pixels
from awd_cosmo.statistics.kernels import low_pass_taps
from awd_cosmo.statistics.peaks import Floats
from awd_cosmo.statistics.statistic import Statistic
from awd_cosmo.statistics.undecimated import (
    Band,
    BandScale,
    Boundary,
    equivalent_filters,
    frame_filters,
    wavelet_bands,
    wavelet_scales,
)


class ScaleCounts(BandCounts):
    """Histograms of the undecimated bands of a wavelet, and of the raw map.

    Parameters
    ----------
    wavelet : Wavelet, str, pywt.Wavelet or array_like of shape (L,)
        Orthogonal wavelet, or its low-pass taps.
    levels : int
        Number of levels.
    pixels : {"all", "peaks", "minima", "both"}
        What is counted in each band: the values of all pixels, those at the band's own peaks, at its minima, or both
        in two histograms. The one-pixel border holds no peaks.
    bands : list of str, optional
        "raw" and the bands "a1", "h1", "v1", "d1", "a2", …; all of them by default. "h1+v1" counts two in one
        histogram, for there is no preferred direction on the sky.
    bins : int
        Bins of each histogram.
    spacing : {"normal", "quantiles", "even"}
        How bins are learnt from the training maps, see `awd_cosmo.statistics.histograms.SPACINGS`. The outermost are
        open.
    sqrt : bool
        Whether to take the square root, which makes the scatter of counts even.
    per : {"map", "pixel"}
        Counts as they are, or divided by the number of pixels that could have been counted: the choice where
        training and observed maps differ in size or mask.
    mask : array_like of bool, shape (ny, nx), optional
        True where the maps were observed. Elsewhere stands the mean of what was, while bands are made; values there
        are not looked at, and may be NaN.
    masked_share : float
        A pixel of a band is counted if it was observed and at most this share of the band filter's energy (taps
        squared) falls on pixels that were not.
    boundary : {"symmetric", "periodic"}
        How maps go on beyond their border.
    pixel_scale : float or astropy Quantity, optional
        Arcmin per pixel, or an angle with its unit, for `scales`.
    workers : int, optional
        Threads, over maps; as many as there are cores by default. The result does not depend on it.

    Attributes
    ----------
    names_ : list of str
        Of the histograms, such as "h1 all".
    edges_ : ndarray, shape (histograms, bins + 1)
        Their bins.
    taps_ : ndarray, shape (L,)
        Low-pass taps of the wavelet.

    Examples
    --------
    >>> import numpy as np
    >>> maps = np.random.default_rng(0).normal(0, 0.02, (4, 32, 32))
    >>> counts = ScaleCounts("db5", 3, bins=10, sqrt=True).fit(maps)
    >>> counts.transform(maps).shape
    (4, 130)
    >>> counts.names_[:3]
    ['raw all', 'a1 all', 'h1 all']
    """

    wavelet: Any
    taps_: Array
    _learnt = (*BandCounts._learnt, "taps_")

    def __init__(
        self,
        wavelet: Any = "db5",
        levels: int = 3,
        *,
        pixels: Pixels = "all",
        bands: Sequence[str] | None = None,
        bins: int = 20,
        spacing: str = "normal",
        sqrt: bool = False,
        per: Literal["map", "pixel"] = "map",
        mask: Any = None,
        masked_share: float = 0.1,
        boundary: Boundary = "symmetric",
        pixel_scale: Any = None,
        workers: int | None = None,
    ) -> None:
        self._keep(locals())

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the bins; see `BandCounts.fit`."""
        self.taps_ = low_pass_taps(self.wavelet)
        return super().fit(X, y)

    def scales(self) -> list[BandScale]:
        """Scales on the sky of the raw map and all bands, see `awd_cosmo.statistics.wavelet_scales`.

        Raises
        ------
        ValueError
            If `pixel_scale` is not given.
        """
        return wavelet_scales(self.wavelet, self.levels, self._arcmin())

    def _all_bands(self) -> list[str]:
        return ["raw", *(f"{letter}{level}" for level in range(1, self.levels + 1) for letter in "ahvd")]

    def _transformed(self, block: Floats) -> Iterator[Band]:
        return wavelet_bands(block, *frame_filters(self.taps_), self.levels, self.boundary)

    def _energies(self) -> dict[str, list[Energy]]:
        low, high = frame_filters(self.taps_)
        energies = {}
        for level, (smooth, detail) in enumerate(equivalent_filters(low, high, self.levels), start=1):
            before = (len(low) // 2 - 1) * ((1 << level) - 1)
            a, d = smooth**2, detail**2
            for letter, along_y, along_x in (("a", a, a), ("h", d, a), ("v", a, d), ("d", d, d)):
                energies[f"{letter}{level}"] = [Energy(1.0, along_y, along_x, before)]
        return energies


def columns_in(one: ScaleCounts, other: Statistic) -> int:
    """How many features of a statistic, the first ones, are those of counts: all, if it has more levels alone."""
    if type(other) is not type(one) or one.bands is not None:
        return 0
    mine, others = one.get_params(), other.get_params()
    same = all(np.array_equal(mine[name], others[name]) for name in mine if name not in ("levels", "workers"))
    return len(one._histograms()[0]) * one.bins if same and one.levels <= others["levels"] else 0
