"""Few counts of peaks: how many stand above some heights, in the map as some kernels of a wavelet see it.

The published form of the readable model, made small: a histogram of few wide bins is the differences of counts above
its edges, so that to choose a handful of counts *is* to choose bins, and how many each kernel gets.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from awd_core.checks import whole_number
from awd_core.typing import Array
from awd_cosmo.statistics.counts import PeakCounts
from awd_cosmo.statistics.histograms import finished
from awd_cosmo.statistics.peaks import Mask


class PeaksAbove(PeakCounts):
    """Shares of pixels that are peaks of the raw map above a height, where a wavelet's kernels measure the height.

    Parameters
    ----------
    wavelet : Wavelet, str, pywt.Wavelet or array_like of shape (L,)
        Orthogonal wavelet, or its low-pass taps, of which the kernels LL, LH, HL, HH are cut
        (`awd_cosmo.statistics.wavelet_kernels`).
    picks : sequence of int, optional
        Which of the 4 · `heights` counts: h + `heights` · k is the one above height h of kernel k. All by default.
    heights : int
        Heights of each kernel, learnt from training maps: as a normal variable's bins of equal width would be filled,
        fine in the tails. Height 0 lets all peaks pass.
    mask, workers
        As for `PeakCounts`.

    Attributes
    ----------
    kernels_, names_, edges_
        As for `PeakCounts`; the lower edge of bin h is height h.

    Examples
    --------
    >>> maps = np.random.default_rng(0).normal(0, 0.02, (4, 32, 32))
    >>> few = PeaksAbove("haar", [0, 5, 17]).fit(maps)
    >>> few.transform(maps).shape, few.get_feature_names_out().tolist()[0]
    ((4, 3), 'all peaks')
    """

    wavelet: Any
    picks: Sequence[int] | None
    heights: int
    mask: Any
    workers: int | None
    kind, per, range, sqrt = "peaks", "pixel", "normal", False  # of PeakCounts

    def __init__(
        self, wavelet: Any = "haar", picks: Sequence[int] | None = None, *, heights: int = 12, mask: Any = None,
        workers: int | None = None,
    ) -> None:  # fmt: skip
        self._keep(locals())

    @property
    def filter(self) -> Any:
        """The wavelet."""
        return self.wavelet

    @property
    def bins(self) -> int:  # type: ignore[override]
        """As many as heights."""
        return self.heights

    def fit(self, X: Any, y: Any = None) -> "PeaksAbove":
        """Learn the heights from training maps (n, ny, nx).

        Raises
        ------
        ValueError
            If a parameter is not among those allowed, or there are no peaks to learn heights from.
        """
        whole_number("heights", self.heights, 3)
        super().fit(X)
        self._picked()
        return self

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[np.object_]:
        """Names of the features: kernel and height in units of κ."""
        self._check_fitted()
        lowest = self.edges_[:, :-1]
        told = [
            "all peaks" if column % self.heights == 0
            else f"peaks with {self.names_[column // self.heights]} above {lowest.flat[column]:.4g}"
            for column in self._picked()
        ]  # fmt: skip
        return np.array(told, dtype=object)

    def _finished(self, counts: Array, usable: Mask) -> Array:
        above = counts[:, :, ::-1].cumsum(axis=2)[:, :, ::-1].reshape(len(counts), -1)
        return finished(above[:, self._picked()], usable, self.per, self.sqrt)

    def _picked(self) -> list[int]:
        most = len(self.names_) * self.heights
        picks = np.arange(most) if self.picks is None else np.array(self.picks)
        if picks.ndim != 1 or picks.size == 0 or picks.dtype.kind not in "iu" or picks.min() < 0 or picks.max() >= most:
            raise ValueError(f"picks is {self.picks!r}; give whole numbers from 0 to {most - 1}, or None for all")
        return [int(pick) for pick in picks]
