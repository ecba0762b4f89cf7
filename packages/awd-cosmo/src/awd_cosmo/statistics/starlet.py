"""Starlet counts, a baseline: the isotropic undecimated transform with a B3 spline, in place of a wavelet's bands.

Starck, Murtagh and Fadili (2010), "Sparse Image and Signal Processing", section 3.5; its peak counts are a usual
statistic of mass maps (Lin, Kilbinger and Pires 2016; Ajani et al. 2020). Smoothing with the spline (1, 4, 6, 4, 1)/16,
spread 2^(j−1) pixels at level j, makes c_j of c_(j−1), from c_0 = κ; the bands are w_j = c_(j−1) − c_j and the last
c_J, so that κ = Σ w_j + c_J.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np

from awd_core.checks import check_choice
from awd_core.typing import Array
from awd_cosmo.statistics.bands import BandCounts, Energy, Pixels
from awd_cosmo.statistics.peaks import Floats, checked_maps
from awd_cosmo.statistics.undecimated import (
    BOUNDARIES,
    RESOLUTION,
    Band,
    BandScale,
    Boundary,
    check_levels,
    equivalent_filters,
    filtered,
    scale_of,
)

SPLINE: Array = np.array([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
"""B3 spline, the smoothing of one level."""


def starlet(maps: Any, levels: int, *, boundary: Boundary = "symmetric") -> dict[str, Floats]:
    """Starlet transform of maps.

    Parameters
    ----------
    maps : array_like, shape (n, ny, nx)
        Convergence κ.
    levels : int
        Number of levels J.
    boundary : {"symmetric", "periodic"}
        How maps go on beyond their border: mirrored at it, or from the other side.

    Returns
    -------
    dict of str to ndarray, shape (n, ny, nx)
        "w1", …, "wJ" and "cJ" (J a number), of which the maps are the sum.

    Raises
    ------
    ValueError
        If the levels are too many for the maps, or an argument is not among those allowed.

    Examples
    --------
    >>> kappa = np.random.default_rng(0).normal(size=(1, 8, 8))
    >>> bool(np.allclose(sum(starlet(kappa, 2).values()), kappa))
    True
    """
    stack = np.asarray(checked_maps(maps))
    check_choice("boundary", boundary, BOUNDARIES, required=True)
    check_levels(levels, stack.shape)
    block: Floats = np.ascontiguousarray(stack, dtype=np.float32 if stack.dtype == np.float32 else np.float64)
    return {band.name: band.values for band in starlet_bands(block, levels, boundary)}


def starlet_bands(block: Floats, levels: int, boundary: Boundary) -> Iterator[Band]:
    """Bands of a block of maps (m, ny, nx), one after the other."""
    rough = block
    for level in range(1, levels + 1):
        step = 1 << (level - 1)
        (rows,) = filtered(rough, (SPLINE,), step, 2, boundary)
        (both,) = filtered(np.ascontiguousarray(rows.swapaxes(1, 2)), (SPLINE,), step, 2, boundary)
        smooth = np.ascontiguousarray(both.swapaxes(1, 2))
        yield Band(f"w{level}", rough - smooth, False)
        rough = smooth
    yield Band(f"c{levels}", rough, False)


class StarletCounts(BandCounts):
    """Histograms of the starlet's bands, at their own peaks unless told otherwise.

    Parameters
    ----------
    levels : int
        Number of levels.
    pixels, bins, spacing, sqrt, per, mask, masked_share, boundary, pixel_scale, workers
        As for `awd_cosmo.statistics.ScaleCounts`.
    bands : list of str, optional
        "raw", "w1", …, "wJ", "cJ"; all but "raw" by default.

    Examples
    --------
    >>> maps = np.random.default_rng(0).normal(0, 0.02, (8, 64, 64))
    >>> StarletCounts(3, bins=10).fit_transform(maps).shape
    (8, 40)
    """

    def __init__(
        self,
        levels: int = 4,
        *,
        pixels: Pixels = "peaks",
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

    def scales(self) -> list[BandScale]:
        """Scales on the sky of the raw map and all bands, see `awd_cosmo.statistics.undecimated.BandScale`.

        Raises
        ------
        ValueError
            If `pixel_scale` is not given.
        """
        arcmin = self._arcmin()
        # Symmetric filters have real responses, and so has the difference of two.
        omega = np.pi * (np.arange(RESOLUTION) + 0.5) / RESOLUTION
        responses = [np.ones((RESOLUTION, RESOLUTION))]
        for level, taps in enumerate(_smoothings(self.levels)[1:], start=1):
            middle = 2 * ((1 << level) - 1)
            along = np.cos(np.outer(omega, np.arange(-middle, middle + 1))) @ taps
            responses.append(np.outer(along, along))
        passed = [responses[0], *(one - two for one, two in itertools.pairwise(responses))]
        return [
            scale_of(name, response**2, arcmin)
            for name, response in zip(self._all_bands(), [*passed, responses[-1]], strict=True)
        ]

    def _all_bands(self) -> list[str]:
        return ["raw", *(f"w{level}" for level in range(1, self.levels + 1)), f"c{self.levels}"]

    def _groups(self) -> list[str]:
        return super()._groups() if self.bands is not None else self._all_bands()[1:]

    def _transformed(self, block: Floats) -> Iterator[Band]:
        return starlet_bands(block, self.levels, self.boundary)

    def _energies(self) -> dict[str, list[Energy]]:
        # (a ⊗ a − b ⊗ b)² = a² ⊗ a² − 2 ab ⊗ ab + b² ⊗ b²
        smoothings = _smoothings(self.levels)
        energies = {}
        for level in range(1, self.levels + 1):
            before = 2 * ((1 << level) - 1)
            b = smoothings[level]
            a = np.pad(smoothings[level - 1], (len(b) - len(smoothings[level - 1])) // 2)
            energies[f"w{level}"] = [
                Energy(factor, taps, taps, before) for factor, taps in ((1.0, a * a), (-2.0, a * b), (1.0, b * b))
            ]
        last = smoothings[-1]
        energies[f"c{self.levels}"] = [Energy(1.0, last**2, last**2, 2 * ((1 << self.levels) - 1))]
        return energies


def _smoothings(levels: int) -> list[Array]:
    """Filters that make c_0, c_1, …, c_J of κ in one step, the pixel itself in their middle."""
    return [np.ones(1), *(smooth for smooth, _ in equivalent_filters(SPLINE, SPLINE, levels))]
