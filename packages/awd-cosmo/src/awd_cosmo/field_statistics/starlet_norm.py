"""The starlet's ℓ1-norm: the sum of the sizes of the coefficients of each scale between heights.

Ajani, Starck and Pettorino (2021), "Starlet ℓ1-norm for weak lensing cosmology": it sees all pixels, peaks and voids
alike, at each scale of its own. Where the noise is told the coefficients are in units of theirs, as in that paper.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np

from awd_core.typing import Array
from awd_cosmo.field_statistics.field import checked_noise
from awd_cosmo.statistics.peaks import Floats
from awd_cosmo.statistics.starlet import StarletCounts
from awd_cosmo.statistics.undecimated import Band, Boundary


class StarletNorm(StarletCounts):
    """Mean size |w| of the starlet's coefficients, divided among bins of w: Σ |w| of a bin over the number of pixels.

    Parameters
    ----------
    levels : int
        Number of levels.
    bands : list of str, optional
        "w1", …, "wJ", "cJ" and "raw"; all but "raw" by default.
    bins : int
        Bins of each band.
    spacing : {"even", "normal", "quantiles"}
        How bins are learnt from the training maps, see `awd_cosmo.statistics.histograms.SPACINGS`. The outermost are
        open.
    per : {"pixel", "map"}
        Sums over the number of pixels that were looked at, or as they are.
    noise : float or array_like of shape (ny, nx), optional
        Standard deviation of the noise of pixels, independent from pixel to pixel: coefficients are in units of the
        noise that it makes of each of them. At a border that is mirrored it is what it would be without.
    sqrt, mask, masked_share, boundary, pixel_scale, workers
        As for `awd_cosmo.statistics.ScaleCounts`.

    Examples
    --------
    >>> maps = np.random.default_rng(0).normal(0, 0.02, (8, 64, 64))
    >>> norm = StarletNorm(3, bins=10, noise=0.02).fit(maps)
    >>> sizes = norm.transform(maps).reshape(8, 4, 10).sum(axis=2)
    >>> bool(abs(sizes[:, 0].mean() - np.sqrt(2 / np.pi)) < 0.01)
    True
    """

    noise: Any
    pixels: Any = "all"  # of BandCounts

    def __init__(
        self,
        levels: int = 4,
        *,
        bands: Sequence[str] | None = None,
        bins: int = 20,
        spacing: str = "even",
        sqrt: bool = False,
        per: Literal["map", "pixel"] = "pixel",
        noise: Any = None,
        mask: Any = None,
        masked_share: float = 0.1,
        boundary: Boundary = "symmetric",
        pixel_scale: Any = None,
        workers: int | None = None,
    ) -> None:
        self._keep(locals())

    def _bands_of(self, block: Floats) -> Iterator[Band]:
        """Bands of maps, "raw" first, each coefficient over its noise."""
        deviation = checked_noise(self.noise, block.shape)
        if deviation is None:
            yield from super()._bands_of(block)
            return
        known = self._deviations(np.broadcast_to(deviation, block.shape[1:]))
        for band in super()._bands_of(block):
            yield Band(band.name, band.values / known[band.name].astype(block.dtype), band.turned)

    def _deviations(self, noise: Array) -> dict[str, Array]:
        """Standard deviation of each coefficient (ny, nx), by band."""
        spread = self._spread(noise**2, set(self._all_bands()))
        return {"raw": noise} | {name: np.sqrt(np.maximum(sums, 0)) for name, (sums, _) in spread.items()}

    def _tally(self, rows: Sequence[Floats], limits: Floats) -> Array:
        """Sums of each row's |values| between limits."""
        return np.array([_sums(values, limits) for values in rows])


def _sums(values: Floats, limits: Floats) -> Array:
    """Sums (bins,) of |values| between limits."""
    ordered = np.sort(values)
    total = np.concatenate([[0.0], np.cumsum(np.abs(ordered), dtype=np.float64)])
    return np.diff(total[np.searchsorted(ordered, limits)])
