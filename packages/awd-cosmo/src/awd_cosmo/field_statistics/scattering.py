"""Scattering coefficients: how much a map varies at each scale, and how much that itself varies at coarser ones.

Mallat 2012, "Group invariant scattering"; on convergence Cheng et al. 2020, "A new approach to observational cosmology
using the scattering transform". With Morlet wavelets ψ of J scales and L directions,

    s1(j) = ⟨|κ ⋆ ψ_jl|⟩,   s2(j, k) = ⟨||κ ⋆ ψ_jl| ⋆ ψ_km|⟩, k > j,

means over pixels and directions l, m. Features are ln s1 and ln s2/s1, of which the latter do not change with the
amplitude of the map. Everything is at the map's own resolution: nothing depends on where the map is cut, and of a
periodic map nothing changes when it is shifted, mirrored or turned by 90°.
"""

import math
from functools import lru_cache
from typing import Any, Self

import numpy as np

from awd_core.checks import check_choice, real_number, whole_number
from awd_core.typing import AnyArray, Array
from awd_cosmo.field_statistics.field import FieldStatistic
from awd_cosmo.statistics.peaks import Floats, Mask, checked_maps
from awd_cosmo.statistics.undecimated import BOUNDARIES, Boundary

WAVENUMBER, WIDTH = 0.75 * math.pi, 0.8
"""Of the wavelet of scale 0: its wave number, and the standard deviation of its envelope, in pixels. Scale j is 2^j as
large. As in Kymatio (Andreux et al. 2020)."""
FLOOR = 1e-30
"""A mean below it counts as it: a constant map has a logarithm too."""


class ScatteringCoefficients(FieldStatistic):
    """Logarithms of the isotropic scattering coefficients of the first and second order.

    Parameters
    ----------
    scales : int
        J, no more than fit into a map: 2^J pixels to a side.
    directions : int
        L, of half a turn; even numbers see x and y alike.
    boundary : {"symmetric", "periodic"}
        How maps go on beyond their border.
    noise : float or array_like of shape (ny, nx), optional
        Standard deviation of the noise of pixels: the coefficients are those of κ/σ then.
    mask : array_like of bool, shape (ny, nx), optional
        True where the maps were observed. Elsewhere stands the mean of what was; values there are not looked at.
    masked_share : float
        A pixel is counted if at most this share of the wavelet's energy there falls on what was not observed.
    workers : int, optional
        Threads, over maps; as many as there are cores by default. The result does not depend on it.

    Attributes
    ----------
    shape_ : ndarray, shape (2,)
        ny, nx of the maps.
    names_ : list of str
        Of the J + J (J − 1)/2 features.

    Examples
    --------
    >>> maps = np.random.default_rng(0).normal(0, 0.02, (4, 32, 32))
    >>> ScatteringCoefficients(3).fit(maps).names_[-2:]
    ['ln s2/s1 (0, 2)', 'ln s2/s1 (1, 2)']
    """

    scales: int
    directions: int
    boundary: Boundary
    masked_share: float
    shape_: Array
    _learnt = ("shape_", "names_")

    def __init__(
        self, scales: int = 4, directions: int = 4, *, boundary: Boundary = "symmetric", noise: Any = None,
        mask: Any = None, masked_share: float = 0.1, workers: int | None = None,
    ) -> None:  # fmt: skip
        self._keep(locals())

    def fit(self, X: Any, y: Any = None) -> Self:
        """Settle the scales by the shape of maps (n, ny, nx); their values are not looked at.

        Raises
        ------
        ValueError
            If a parameter is not among those allowed, or the scales do not fit into the maps.
        """
        shape = checked_maps(X).shape[1:]
        check_choice("boundary", self.boundary, BOUNDARIES, required=True)
        real_number("masked_share", self.masked_share, "a share", least=0, below=1)
        whole_number("directions", self.directions)
        most = int(math.log2(min(shape)))
        scales = whole_number("scales", self.scales)
        if scales > most:
            raise ValueError(f"{scales} scales are too many for maps of {shape[0]} × {shape[1]}: {most} at most")
        self.shape_ = np.array(shape, dtype=np.float64)
        pairs = [(j, k) for j in range(scales) for k in range(j + 1, scales)]
        self.names_ = [*(f"ln s1 ({j})" for j in range(scales)), *(f"ln s2/s1 ({j}, {k})" for j, k in pairs)]
        return self

    def _check_shape(self, shape: tuple[int, ...]) -> None:
        if tuple(shape[-2:]) != tuple(self.shape_.astype(int)):
            raise ValueError(
                f"the maps have {shape[-2]} × {shape[-1]} pixels, those of fit had {self.shape_[0]:g} × "
                f"{self.shape_[1]:g}; cut them to one size, or fit again"
            )

    def _numbers(self, block: Floats, observed: Mask | None) -> Array:
        return np.array([self._of_map(one, None if observed is None else observed[m]) for m, one in enumerate(block)])

    def _of_map(self, kappa: Floats, observed: Mask | None) -> Array:
        """Features (F,) of one map."""
        values = kappa if observed is None else np.where(observed, kappa, kappa[observed].mean())
        ny, nx = values.shape
        around = self._around(values)
        bank = _bank(around.shape, self.scales, self.directions)
        seen = None if observed is None else _Seen(self._around(~observed), bank, self.masked_share, (ny, nx))
        wavelets = [filters.astype(values.dtype) for filters in bank]
        waves = np.fft.fft2(around)
        first, second = np.zeros(self.scales), np.zeros((self.scales, self.scales))
        for j in range(self.scales):
            sizes = np.abs(np.fft.ifft2(waves * wavelets[j]))
            first[j] = _mean(sizes[:, :ny, :nx], None if seen is None else seen.first(j))
            again = np.fft.fft2(sizes)[:, None] if j + 1 < self.scales else sizes
            for k in range(j + 1, self.scales):
                where = None if seen is None else seen.second(j, k)
                second[j, k] = _mean(np.abs(np.fft.ifft2(again * wavelets[k]))[..., :ny, :nx], where)
        pairs = np.triu_indices(self.scales, 1)
        ratios = np.log(np.maximum(second[pairs], FLOOR)) - np.log(np.maximum(first[pairs[0]], FLOOR))
        return np.concatenate([np.log(np.maximum(first, FLOOR)), ratios])

    def _around(self, values: AnyArray) -> AnyArray:
        """One period of a map: mirrored, it is twice as large."""
        if self.boundary == "periodic":
            return values
        rows = np.concatenate([values, values[::-1]])
        return np.concatenate([rows, rows[:, ::-1]], axis=1)


class _Seen:
    """Which pixels of coefficients hardly see what was not observed, found out when they are first asked for."""

    def __init__(self, hidden: AnyArray, bank: list[Array], share: float, shape: tuple[int, int]) -> None:
        self._hidden, self._bank, self._share, self._shape = hidden, bank, share, shape
        self._known: dict[tuple[int, ...], Mask] = {}

    def first(self, scale: int) -> Mask:
        """Of the first order."""
        return self._of((scale,))[: self._shape[0], : self._shape[1]]

    def second(self, scale: int, coarser: int) -> Mask:
        """Of the second."""
        return self._of((scale, coarser))[: self._shape[0], : self._shape[1]]

    def _of(self, scales: tuple[int, ...]) -> Mask:
        if scales not in self._known:
            hidden = self._hidden if len(scales) == 1 else ~self._of(scales[:1])
            # All directions together: what one of them sees of a hole, others see beside it.
            energy = (np.abs(np.fft.ifft2(self._bank[scales[-1]])) ** 2).sum(axis=0)
            response = np.conj(np.fft.fft2(energy))
            share = np.fft.ifft2(np.fft.fft2(hidden.astype(np.float64)) * response).real / np.sum(energy)
            found = ~hidden & (share <= self._share + 1e-12)
            if not found[: self._shape[0], : self._shape[1]].any():
                raise ValueError(
                    f"the mask leaves nothing of scale {scales[-1]}: more than {self._share:g} of its wavelets falls "
                    "on what was not observed, everywhere; take fewer scales or raise masked_share"
                )
            self._known[scales] = found
        return self._known[scales]


def _mean(sizes: AnyArray, where: Mask | None) -> float:
    """Mean over directions and pixels."""
    return float((sizes if where is None else sizes[..., where]).mean(dtype=np.float64))


@lru_cache(maxsize=4)
def _bank(shape: tuple[int, int], scales: int, directions: int) -> list[Array]:
    """Fourier transforms of the wavelets of each scale, by direction."""
    angles = [math.pi * turn / directions for turn in range(directions)]
    return [np.stack([morlet(shape, scale, angle, directions) for angle in angles]) for scale in range(scales)]


def morlet(shape: tuple[int, int], scale: int, angle: float, directions: int) -> Array:
    """Fourier transform of a Morlet wavelet on a periodic grid, real, 0 at 0.

    Parameters
    ----------
    shape : (int, int)
        ny, nx of the grid.
    scale : int
        j; its wave number is 2^−j `WAVENUMBER`, its envelope 2^j `WIDTH` long, and directions/4 times as wide, from
        once on.
    angle : float
        Of its wave vector from x, in radians.
    directions : int
        How many share half a turn.

    Returns
    -------
    ndarray, of that shape
        Ordered as `numpy.fft.fft2`; a wave of the grid stands for all that the grid cannot tell from it.
    """
    width, number = WIDTH * 2**scale, WAVENUMBER / 2**scale
    slant = min(1.0, 4 / directions)
    total, below = np.zeros(shape), np.zeros(shape)
    ky, kx = (2 * math.pi * np.fft.fftfreq(side) for side in shape)
    for wrap_y in (-1, 0, 1):
        for wrap_x in (-1, 0, 1):
            y, x = ky[:, None] + 2 * math.pi * wrap_y, kx[None, :] + 2 * math.pi * wrap_x
            along, across = math.cos(angle) * x + math.sin(angle) * y, math.cos(angle) * y - math.sin(angle) * x
            across = (across / slant) ** 2
            total += np.exp(-(width**2) / 2 * ((along - number) ** 2 + across))
            below += np.exp(-(width**2) / 2 * (along**2 + across))
    wavelet: Array = total - total[0, 0] / below[0, 0] * below
    return wavelet
