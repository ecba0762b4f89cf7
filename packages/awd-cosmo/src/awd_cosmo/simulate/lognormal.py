"""Lognormal fields on a periodic grid with a wanted power spectrum.

    κ = s (exp(G − σ²/2) − 1)

with a Gaussian field G of variance σ² and a shift s, the largest drop below the mean. Its correlation function
follows from that of G point by point, ξ_κ = s² (exp ξ_G − 1) (Coles and Jones 1991, MNRAS 248, 1), so that the power
of G is the Fourier transform of ln(1 + ξ_κ/s²). Both transforms are taken on the grid of the maps, where this is
exact but for one thing: modes at which the power of G would be negative are given none, and `LognormalField` says
what that changes.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import fft

from awd_core.checks import real_number, whole_number
from awd_core.typing import AnyArray, Array


@dataclass(frozen=True)
class Grid:
    """Square grid, periodic, of which a corner is the map: then the map is not periodic.

    Parameters
    ----------
    pixels : int
        Pixels along the side of a map.
    side_degrees : float
        Side of a map.
    padding : float
        Side of the grid over side of the map, at least 1; with 1 the map is the whole grid, and periodic.

    Examples
    --------
    >>> Grid(128, 3.5, padding=2.0).size
    256
    """

    pixels: int
    side_degrees: float
    padding: float = 2.0

    def __post_init__(self) -> None:
        whole_number("pixels", self.pixels, 8)
        # Where the sky is flat enough.
        real_number("side_degrees", self.side_degrees, "a side in degrees", above=0, most=20)
        real_number("padding", self.padding, least=1, most=8)

    @cached_property
    def size(self) -> int:
        """Pixels along the side of the grid: a number that is quick to transform."""
        return int(fft.next_fast_len(math.ceil(self.pixels * self.padding - 1e-9), real=True))

    @property
    def pixel(self) -> float:
        """Side of a pixel in radians."""
        return math.radians(self.side_degrees) / self.pixels

    @property
    def fundamental(self) -> float:
        """Smallest multipole of a map, 2π over its side."""
        return 2 * math.pi / math.radians(self.side_degrees)

    @property
    def nyquist(self) -> float:
        """Largest multipole along an axis, π over the side of a pixel."""
        return math.pi / self.pixel

    @cached_property
    def components(self) -> tuple[Array, Array]:
        """ℓ_y of shape (size, 1) and ℓ_x of shape (1, size // 2 + 1), as `rfft2` orders them."""
        step = 2 * math.pi / self.pixel
        return step * fft.fftfreq(self.size)[:, None], step * fft.rfftfreq(self.size)[None, :]

    @cached_property
    def ell(self) -> Array:
        """Multipole of each mode, shape (size, size // 2 + 1)."""
        return np.hypot(*self.components)

    def window(self, y: Array, x: Array) -> Array:
        """Transform of a square pixel of weight 1 at the multipoles (y, x): the map averages κ over its pixels."""
        scale = self.pixel / (2 * math.pi)
        result: Array = np.sinc(y * scale) * np.sinc(x * scale)
        return result

    def to_map(self, modes: AnyArray) -> Array:
        """Inverse of `rfft2` on the grid."""
        result: Array = fft.irfft2(modes, s=(self.size, self.size))
        return result

    @cached_property
    def finer(self) -> "Grid":
        """The same grid with pixels of half the side."""
        return Grid(2 * self.pixels, self.side_degrees, self.size / self.pixels)

    def means(self, field: Array, *, every: bool = False) -> Array:
        """Pixels from those of the finer grid: means of 2 × 2, or those at every place that a pixel could have."""
        pairs = (field + np.roll(field, -1, 0)) / 2
        moved: Array = (pairs + np.roll(pairs, -1, 1)) / 2
        return moved if every else moved[::2, ::2]

    def coarsened(self, power: Array) -> Array:
        """C_ℓ of `means` of a field, at the modes of this grid, from that at the modes of the finer one."""
        fine = self.finer
        y, x = (np.cos(component * fine.pixel / 2) for component in fine.components)
        # As a correlation: that at every other lag is what sampling leaves.
        result: Array = fft.rfft2(fine.to_map(power * (y * x) ** 2)[::2, ::2]).real * 4
        return result

    def variance(self, power: Array) -> float:
        """⟨κ²⟩ of a pixel, of C_ℓ at the modes of the grid."""
        return float(self.to_map(power)[0, 0]) / self.pixel**2

    def cut_power(self, power: Array) -> Array:
        """Expected power |Σ κ exp(−iℓθ)|² · pixel area / number of pixels of a map, in steradians.

        Of a map that is cut from a larger grid it is the power of the grid, smeared: the correlation function times
        the share of pairs of pixels that lie in the map.

        Parameters
        ----------
        power : ndarray, shape (size, size // 2 + 1)
            C_ℓ at the modes of the grid.

        Returns
        -------
        ndarray, shape (pixels, pixels // 2 + 1)
            At the modes of the map, as `rfft2` orders them.
        """
        n = self.pixels
        if self.size == n:
            return power
        lag = np.arange(1 - n, n)
        share = 1 - np.abs(lag) / n
        pairs = self.to_map(power)[np.ix_(lag % self.size, lag % self.size)] * share[:, None] * share
        around = np.zeros((n, n))
        np.add.at(around, np.ix_(lag % n, lag % n), pairs)
        result: Array = fft.rfft2(around).real
        return result

    def crop(self, field: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
        """The map in the corner of the grid, shape (pixels, pixels)."""
        return field[: self.pixels, : self.pixels]


@dataclass(frozen=True, eq=False)
class LognormalField:
    """A lognormal field, ready to be drawn.

    Parameters
    ----------
    grid : Grid
        Where it lives.
    shift : float
        s > 0; no value is below −s.
    wanted : ndarray, shape (size, size // 2 + 1)
        C_ℓ that was asked for at each mode, in steradians.
    realised : ndarray, same shape
        C_ℓ that the maps have, on average; it differs from `wanted` by what was clipped.
    amplitude : ndarray, same shape
        Factor by which the modes of white noise become those of G.
    gaussian_variance : float
        σ² of G.
    clipped : float
        Sum of the powers of G that were negative, over the sum of the others.
    """

    grid: Grid
    shift: float
    wanted: Array
    realised: Array
    amplitude: Array
    gaussian_variance: float
    clipped: float

    @property
    def variance(self) -> float:
        """⟨κ²⟩ of a pixel."""
        return self.shift**2 * math.expm1(self.gaussian_variance)

    @property
    def third_moment(self) -> float:
        """⟨κ³⟩ of a pixel: with q = ⟨κ²⟩/s², it is s³ (3 q² + q³), so that the skewness is 3 √q + q^{3/2}."""
        q = math.expm1(self.gaussian_variance)
        return self.shift**3 * (3 * q**2 + q**3)

    @property
    def fourth_cumulant(self) -> float:
        """⟨κ⁴⟩ − 3 ⟨κ²⟩² of a pixel: with w = 1 + ⟨κ²⟩/s², ⟨κ²⟩² (w⁴ + 2 w³ + 3 w² − 6)."""
        w = math.exp(self.gaussian_variance)
        return self.variance**2 * (w**4 + 2 * w**3 + 3 * w**2 - 6)

    def draw(self, rng: np.random.Generator) -> Array:
        """One field of shape (size, size), with mean 0 over many draws.

        Parameters
        ----------
        rng : numpy.random.Generator
            The noise comes from it.
        """
        noise = rng.standard_normal((self.grid.size, self.grid.size))
        gaussian = self.grid.to_map(fft.rfft2(noise) * self.amplitude)
        return self.shift * np.expm1(gaussian - 0.5 * self.gaussian_variance)


def lognormal_field(power: npt.ArrayLike, grid: Grid, shift: float) -> LognormalField:
    """Prepare a lognormal field.

    Parameters
    ----------
    power : array_like, shape (size, size // 2 + 1)
        C_ℓ at the modes of the grid, in steradians, pixel window included. The mode ℓ = 0 is taken as 0.
    grid : Grid
        The grid.
    shift : float
        s > 0.

    Returns
    -------
    LognormalField

    Raises
    ------
    ValueError
        Shapes that differ, powers that are negative or not finite, a shift that is not positive, or a correlation
        that no lognormal field of this shift has.

    Examples
    --------
    >>> grid = Grid(64, 3.5)
    >>> field = lognormal_field(1e-5 / (grid.ell + 100.0) ** 1.5, grid, shift=0.06)
    >>> kappa = field.draw(np.random.default_rng(0))
    >>> kappa.shape, bool(kappa.min() > -0.06)
    ((128, 128), True)
    """
    wanted = np.array(power, dtype=np.float64)
    if wanted.shape != grid.ell.shape:
        raise ValueError(f"power must have the shape of the grid's modes, {grid.ell.shape}; got {wanted.shape}")
    if not (np.isfinite(wanted).all() and (wanted >= 0).all()):
        raise ValueError("power must be finite and not negative")
    if not shift > 0:
        raise ValueError(f"shift must be positive, got {shift!r}: no value of the field is below minus the shift")
    wanted[0, 0] = 0.0
    correlation = 1 + grid.to_map(wanted) / (grid.pixel * shift) ** 2
    if correlation.min() <= 0:
        raise ValueError(
            f"no lognormal field of shift {shift:.3g} has this power: it asks for a correlation of "
            f"{shift**2 * (correlation.min() - 1):.3g}, below −shift². Take a larger shift"
        )
    gaussian = fft.rfft2(np.log(correlation)).real  # E|mode of G|² / size²
    kept = np.maximum(gaussian, 0.0)
    weights = np.full(gaussian.shape[1], 2.0)  # of modes of which rfft2 leaves out the conjugate
    weights[0] = 1.0
    if grid.size % 2 == 0:
        weights[-1] = 1.0
    xi = grid.to_map(kept)
    realised = fft.rfft2(np.expm1(xi)).real * (grid.pixel * shift) ** 2
    clipped = float(((kept - gaussian) * weights).sum() / (kept * weights).sum())
    return LognormalField(grid, float(shift), wanted, realised, np.sqrt(kept), float(xi[0, 0]), clipped)
