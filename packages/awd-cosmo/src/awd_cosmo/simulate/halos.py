"""Halos in the light cone: the peaks that a lognormal field lacks.

Halos above a mass, of number from pyccl's mass function of Tinker et al. (2008) and of shape a truncated NFW with the
concentration of Duffy et al. (2008), both for spheres of 200 times the mean density. Their numbers in shells of
redshift and bins of mass are Poisson; they lie at random on a grid that is twice as fine as that of the maps, and are
painted there by FFT as averages over its pixels, of which a pixel of a map is the mean of four. So halos lie a quarter
of a pixel off its centre, where the fourth moment is about that of any place: at the centre itself all have their peaks
in one pixel, and the fourth moment is too large.

**Nothing is counted twice.** With weight p(θ) of a halo in the convergence, n halos per steradian of each bin add

    mean  κ̄_h = Σ n ∫p dθ,    power  C_ℓ^1h = Σ n |p̃(ℓ)|²,    third moment  Σ n ∫p³ dθ.

The mean is subtracted. The lognormal field carries the power that is left, C_ℓ − C_ℓ^1h, and as κ_h ≥ 0 holds of the
halos, what is left of the empty beam is its shift, s − κ̄_h: the sum has the power C_ℓ and is nowhere below −s. The
clustering of halos is in C_ℓ and thus in the lognormal field, but halos do not sit where that field is high. Where
C_ℓ^1h exceeds C_ℓ nothing is left for the lognormal field: so it is near the Nyquist multipole, where sampling folds
back power of the halos from beyond, as it does in any map of pixel averages.
"""

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from scipy import fft, sparse

from awd_core.checks import is_real_number, whole_number
from awd_core.typing import Array
from awd_cosmo.simulate.lensing import as_sources, lensing_kernel, matter_cosmology
from awd_cosmo.simulate.lognormal import Grid
from awd_cosmo.simulate.sources import Sources

_IMAGES = 1
"""Images of the spectrum on either side that are folded back: 3 × 3, as if pixels were averages of 3 × 3 points."""

_BASIS_ERROR = 2e-3
"""How far a profile may be from its sum of basis profiles, relative to its value at ℓ = 0."""


@dataclass(frozen=True)
class HaloModel:
    """Which halos there are.

    Parameters
    ----------
    minimum_mass, maximum_mass : float
        M_200m in solar masses.
    shells : int
        Shells of redshift between 0 and the sources, thinner near the observer.
    mass_bins : int
        Bins of mass, equal in the logarithm.

    Raises
    ------
    ValueError
        Masses that do not rise or are not those of halos, or fewer than 2 shells or bins.
    """

    minimum_mass: float = 3e13
    maximum_mass: float = 3e15
    shells: int = 16
    mass_bins: int = 16

    def __post_init__(self) -> None:
        masses = {"minimum_mass": self.minimum_mass, "maximum_mass": self.maximum_mass}
        if told := [f"{name}={mass!r}" for name, mass in masses.items() if not is_real_number(mass)]:
            raise ValueError(f"{', '.join(told)}: give a number of solar masses within 1e10 to 1e16")
        if not 1e10 <= self.minimum_mass < self.maximum_mass <= 1e16:
            raise ValueError(
                "masses must rise within 1e10 to 1e16 solar masses, got "
                f"minimum_mass={self.minimum_mass:g}, maximum_mass={self.maximum_mass:g}"
            )
        whole_number("shells", self.shells, 2)
        whole_number("mass_bins", self.mass_bins, 2)


@dataclass(frozen=True, eq=False)
class HaloField:
    """Halos of one cosmology, ready to be drawn on a grid.

    Parameters
    ----------
    grid : Grid
        That maps are cut from.
    redshift, mass : ndarray, shape (bins,)
        Of the halos of each bin.
    expected : ndarray, shape (bins,)
        Mean number on the whole grid.
    weights : ndarray, shape (bins, rank)
        Of each basis profile in the profile of a bin.
    basis : ndarray, shape (rank, 2 * size, size + 1)
        Transforms of the basis profiles on the fine grid; κ of a halo in a pixel is what its `to_map` makes of them.
    """

    grid: Grid
    redshift: Array
    mass: Array
    expected: Array
    weights: Array
    basis: Array

    @property
    def mean(self) -> float:
        """Mean convergence of the halos, which is subtracted."""
        return float(self.expected @ (self.weights @ self.basis[:, 0, 0])) / self.grid.finer.size**2

    @property
    def power(self) -> Array:
        """C_ℓ of the halos at the modes of the grid, in steradians; 0 at ℓ = 0, as the wanted power."""
        # Σ_b n_b (Σ_r w_br v_r)²: the sum over bins first.
        mixed = np.einsum("b,br,bs->rs", self.expected, self.weights, self.weights)
        fine = self.grid.finer
        power: Array = np.einsum("rs,ryx,syx->yx", mixed, self.basis, self.basis, optimize=True)
        power *= (fine.pixel / fine.size) ** 2
        power[0, 0] = 0.0
        result: Array = np.maximum(self.grid.coarsened(power), 0.0)  # of rounding
        result[0, 0] = 0.0
        return result

    def cumulant(self, order: int) -> float:
        """Of κ of a pixel: that of shot noise, the sum of κ of a halo to that power. Takes a second or two.

        Parameters
        ----------
        order : int
            2 or more; the third is the third moment about the mean.
        """
        fine = self.grid.finer
        painted = np.stack([self.grid.means(fine.to_map(profile), every=True) for profile in self.basis])
        total = 0.0
        for number, weight in zip(self.expected, self.weights, strict=True):
            total += number * float((np.tensordot(weight, painted, 1) ** order).sum())
        return total / fine.size**2

    def draw(self, rng: np.random.Generator) -> Array:
        """Convergence of one realisation of the halos, less their mean; shape (size, size).

        Parameters
        ----------
        rng : numpy.random.Generator
            Numbers and places come from it.
        """
        size = self.grid.finer.size
        counts = rng.poisson(self.expected)
        place = rng.integers(size**2, size=counts.sum())
        modes = np.zeros((size, size // 2 + 1), dtype=np.complex128)
        for weight, profile in zip(self.weights.T, self.basis, strict=True):
            points = np.bincount(place, weights=np.repeat(weight, counts), minlength=size**2)
            modes += fft.rfft2(points.reshape(size, size)) * profile
        return self.grid.means(self.grid.finer.to_map(modes)) - self.mean


def halo_field(
    parameters: Mapping[str, Any],
    grid: Grid,
    source_redshift: float | Sources = 1.0,
    model: HaloModel | None = None,
    *,
    transfer: str = "eisenstein_hu",
) -> HaloField:
    """Numbers and profiles of the halos in front of a source plane.

    Parameters
    ----------
    parameters : mapping
        As in `awd_cosmo.simulate.lensing_theory`.
    grid : Grid
        That maps are cut from.
    source_redshift : float or Sources
        Redshift of the source plane, or a distribution.
    model : HaloModel, optional
        Which halos; None: those of `HaloModel()`.
    transfer : {"eisenstein_hu", "camb"}
        Where the linear spectrum comes from.

    Returns
    -------
    HaloField

    Raises
    ------
    ValueError
        As in `lensing_theory`.

    Notes
    -----
    The mass function takes the variance of all matter, neutrinos included, which for M_ν = 0.6 eV has fewer halos
    than that of cold matter alone would (Castorina et al. 2014). All halos of a mass and redshift are alike: there
    is no scatter of the concentration, and they are round.

    Examples
    --------
    >>> field = halo_field({"Omega_m": 0.3, "A_s": 2.1}, Grid(32, 3.5), 1.0, HaloModel(1e14))
    >>> kappa = field.draw(np.random.default_rng(0))
    >>> kappa.shape, bool(kappa.max() > 0.02)
    ((64, 64), True)
    """
    model = model or HaloModel()
    cosmology = matter_cosmology(parameters, transfer=transfer)
    sources = as_sources(source_redshift)
    redshift, mass, density = _numbers(cosmology, sources.farthest, model)
    radial, _ = _folding(grid.finer)
    profiles = _profiles(cosmology, redshift, mass, sources, radial)
    # A halo of any bin is a sum of few profiles: so many FFTs a map, instead of one for each bin.
    total = profiles[:, :1]
    left, strength, right = np.linalg.svd(profiles / total, full_matrices=False)
    rank = next(r for r in range(1, len(right) + 1) if _misfit(left, strength, right, r) < _BASIS_ERROR)
    weights = total * left[:, :rank] * strength[:rank]
    basis = _pixelised(grid.finer, right[:rank])
    area = (grid.size * grid.pixel) ** 2
    return HaloField(grid, redshift, mass, density * area, weights, basis)


@lru_cache(maxsize=1)
def _tools() -> tuple[Any, Any]:
    import pyccl

    halo = pyccl.halos
    concentration = halo.ConcentrationDuffy08(mass_def="200m")
    return halo.MassFuncTinker08(mass_def="200m"), halo.HaloProfileNFW(mass_def="200m", concentration=concentration)


def _numbers(cosmology: Any, farthest: float, model: HaloModel) -> tuple[Array, Array, Array]:
    """Redshift, mass, and number per steradian of each bin; the bins of mass run first."""
    mass_function, _ = _tools()
    # Thin near the observer, where equal shells would be coarse: their power is right to 2 %.
    edges = farthest * np.linspace(0.0, 1.0, model.shells + 1) ** 1.5
    middle = 0.5 * (edges[1:] + edges[:-1])
    # ∫ χ² dχ over a shell, exact.
    volume = np.diff(np.append(0.0, cosmology.comoving_radial_distance(1 / (1 + edges[1:])) ** 3)) / 3
    # Four points in each bin of mass: the mass function falls steeply, so that the mean mass is not the middle.
    fine = np.linspace(math.log(model.minimum_mass), math.log(model.maximum_mass), 4 * model.mass_bins + 1)
    points = np.exp(0.5 * (fine[1:] + fine[:-1]))
    step = (fine[1] - fine[0]) / math.log(10)
    mass, density = np.zeros((2, model.shells, model.mass_bins))
    for i, z in enumerate(middle):
        number = (mass_function(cosmology, points, 1 / (1 + z)) * step).reshape(model.mass_bins, 4)
        density[i] = number.sum(axis=1) * volume[i]
        shares = number / np.maximum(number.sum(axis=1, keepdims=True), 1e-300)
        mass[i] = np.where(density[i] > 0, (shares * points.reshape(-1, 4)).sum(axis=1), points.reshape(-1, 4)[:, 2])
    return np.repeat(middle, model.mass_bins), mass.ravel(), density.ravel()


def _profiles(cosmology: Any, redshift: Array, mass: Array, sources: Sources, ell: Array) -> Array:
    """Transform of the convergence of a halo of each bin, in steradians, shape (bins, len(ell))."""
    _, nfw = _tools()
    density = cosmology.rho_x(1.0, "matter", is_comoving=True)  # solar masses per Mpc³
    result = np.empty((len(mass), len(ell)))
    for z in np.unique(redshift):
        here, a = redshift == z, 1 / (1 + z)
        distance = cosmology.comoving_radial_distance(a)
        kernel = lensing_kernel(cosmology, distance, a, sources)
        # The formula of the transform has 0/0 at k = 0; there it is the mass.
        shape = nfw.fourier(cosmology, ell[1:] / distance, mass[here], a) / mass[here, None]
        result[here, 0], result[here, 1:] = 1.0, shape
        result[here] *= (kernel * mass[here] / density / distance**2)[:, None]
    return result


def _misfit(left: Array, strength: Array, right: Array, rank: int) -> float:
    rest = (left[:, rank:] * strength[rank:]) @ right[rank:]
    return float(np.abs(rest).max()) if rest.size else 0.0


@lru_cache(maxsize=1)
def _folding(grid: Grid) -> tuple[Array, sparse.csr_array]:
    """Multipoles of a radial table, and the matrix that takes it to the modes of the grid with ℓ_y ≥ 0.

    The modes are those of the profile averaged over pixels. What lies beyond the grid's multipoles is folded back, as
    sampling does: without it the cut at the Nyquist multipole would let the profile ring.
    """
    table = np.concatenate([[0.0], np.geomspace(10.0, 1.5 * (2 * _IMAGES + 1) * grid.nyquist, 400)])
    y, x = grid.components
    y, period = np.abs(y[: grid.size // 2 + 1]), 2 * grid.nyquist
    modes = np.arange(y.size * x.size)
    result = sparse.csr_array((modes.size, table.size))
    for i, j in itertools.product(range(-_IMAGES, _IMAGES + 1), repeat=2):
        ky, kx = y + i * period, x + j * period
        multipole, window = np.hypot(ky, kx).ravel(), grid.window(ky, kx).ravel()
        left = np.clip(np.searchsorted(table, multipole, side="right") - 1, 0, table.size - 2)
        # Linear in the logarithm, and below the first entry but ℓ = 0 in ℓ itself.
        at, low, high = (np.log(np.maximum(ell, 1e-9)) for ell in (multipole, table[left], table[left + 1]))
        share = np.where(left > 0, (at - low) / (high - low), multipole / table[1])
        for column, weight in ((left, (1 - share) * window), (left + 1, share * window)):
            result = result + sparse.csr_array((weight, (modes, column)), shape=result.shape)
    return table, result


def _pixelised(grid: Grid, profiles: Array) -> Array:
    """Transforms on the grid of profiles in the radial table, so that to_map gives κ of a pixel, not κ·sr."""
    half = grid.size // 2 + 1
    upper = (_folding(grid)[1] @ profiles.T).T.reshape(len(profiles), half, half)
    mirrored = upper[:, 1 : grid.size - half + 1][:, ::-1]
    result: Array = np.concatenate([upper, mirrored], axis=1) / grid.pixel**2
    return result
