"""The one-point distribution of maps: the shares of pixels between heights."""

from typing import Any, Self

import numpy as np

from awd_core.checks import whole_number
from awd_core.typing import Array
from awd_cosmo.field_statistics.field import FieldStatistic, limits_of
from awd_cosmo.statistics.histograms import FIT_VALUES, TAIL, feature_names, histogram_rows, thresholds
from awd_cosmo.statistics.peaks import Floats, Mask


class PixelDistribution(FieldStatistic):
    """Shares of the observed pixels between heights, the outermost bins open: the one-point PDF.

    Its use on mass maps: Liu and Madhavacheril 2019, "Constraining neutrino mass with the tomographic weak lensing
    one-point probability distribution function and power spectrum".

    Parameters
    ----------
    bins : int
        Number of bins.
    limits : (float, float), optional
        Between them lie all bins but the outermost, of equal width; the quantiles 0.001 and 0.999 of training maps by
        default. In units of the maps, or of their noise.
    noise : float or array_like of shape (ny, nx), optional
        Standard deviation of the noise of pixels: heights are κ/σ then.
    mask : array_like of bool, shape (ny, nx), optional
        True where the maps were observed. Values elsewhere are not looked at, and may be NaN.
    workers : int, optional
        Threads, over maps; as many as there are cores by default. The result does not depend on it.

    Attributes
    ----------
    edges_ : ndarray, shape (bins + 1,)
        From −∞ to ∞.
    names_ : list of str
        Of the features.

    Examples
    --------
    >>> maps = np.random.default_rng(0).normal(0, 0.02, (4, 64, 64))
    >>> shares = PixelDistribution(3, limits=(0, 2), noise=0.02).fit_transform(maps)
    >>> shares.mean(axis=0).round(2)
    array([0.5 , 0.48, 0.02])
    """

    bins: int
    limits: Any
    edges_: Array
    _learnt = ("edges_", "names_")

    def __init__(
        self, bins: int = 24, *, limits: Any = None, noise: Any = None, mask: Any = None, workers: int | None = None
    ) -> None:
        self._keep(locals())

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the bins from training maps (n, ny, nx).

        Raises
        ------
        ValueError
            If a parameter is not among those allowed, or the maps do not vary.
        """
        bins = whole_number("bins", self.bins, 3)
        sample, observed = self._sample(X)
        values = sample.ravel() if observed is None else sample[observed]
        low, high = limits_of(self.limits, values[:: 1 + len(values) // FIT_VALUES], TAIL)
        self.edges_ = np.concatenate([[-np.inf], np.linspace(low, high, bins - 1), [np.inf]])
        self.names_ = feature_names(["share of pixels"], self.edges_[None]).tolist()
        return self

    def _numbers(self, block: Floats, observed: Mask | None) -> Array:
        limits = thresholds(self.edges_, block.dtype)
        seen = [one.ravel() if observed is None else one[observed[m]] for m, one in enumerate(block)]
        if not all(map(len, seen)):
            raise ValueError("the mask leaves nothing of a map; leave the map out")
        shares: Array = histogram_rows(seen, limits) / np.array([[len(values)] for values in seen])
        return shares
