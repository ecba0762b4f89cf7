"""Convergence maps of one cosmology: a lognormal field, and halos if they are wanted."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import fft

from awd_core.checks import check_choice, check_kind, real_number
from awd_core.typing import Array
from awd_cosmo.simulate.halos import HaloField, HaloModel, halo_field
from awd_cosmo.simulate.lensing import NONLINEAR, TRANSFERS, LensingTheory, lensing_theory
from awd_cosmo.simulate.lognormal import Grid, LognormalField, lognormal_field
from awd_cosmo.simulate.shift import checked_shift, hilbert_shift

_FIELD, _HALOS = 0, 1


@dataclass(frozen=True)
class Setup:
    """How maps are simulated, whatever the cosmology.

    Parameters
    ----------
    pixels : int
        Pixels along the side of a map.
    side_degrees : float
        Side of a map.
    padding : float
        The maps are cut from a periodic grid that is so many times longer; 1 gives periodic maps.
    source_redshift : float
        Redshift of the source plane.
    halos : HaloModel, optional
        Halos on top of a lognormal field that carries the rest; None: the lognormal field alone.
    shared_phases : bool
        Whether realisation n of every cosmology grows from the same white noise, as in MassiveNuS. Halos never do.
    transfer, nonlinear : str
        As in `awd_cosmo.simulate.lensing_theory`.
    shift : {"empty-beam", "hilbert"} or float
        The largest drop of the convergence below its mean: that of an empty beam, which depends on the cosmology; the
        published fit of `awd_cosmo.simulate.hilbert_shift`, which is nearer to ray-traced maps and does not; or a
        number.

    Raises
    ------
    ValueError
        As `Grid`; an unknown transfer function, nonlinear model or shift.

    Examples
    --------
    >>> Setup(pixels=64, side_degrees=3.5).arcmin_per_pixel
    3.28125
    """

    pixels: int = 128
    side_degrees: float = 3.5
    padding: float = 2.0
    source_redshift: float = 1.0
    halos: HaloModel | None = None
    shared_phases: bool = False
    transfer: str = "eisenstein_hu"
    nonlinear: str = "halofit"
    shift: str | float = "empty-beam"

    def __post_init__(self) -> None:
        Grid(self.pixels, self.side_degrees, self.padding)
        if self.halos is not None:
            check_kind("halos", self.halos, HaloModel)
        real_number("source_redshift", self.source_redshift, above=0, most=3.5)
        check_choice("transfer", self.transfer, TRANSFERS, required=True)
        check_choice("nonlinear", self.nonlinear, NONLINEAR, required=True)
        object.__setattr__(self, "shift", checked_shift(self.shift))

    def shift_of(self, theory: LensingTheory) -> float:
        """The shift in a cosmology."""
        if isinstance(self.shift, float):
            return self.shift
        return theory.shift if self.shift == "empty-beam" else hilbert_shift(self.source_redshift)

    @property
    def grid(self) -> Grid:
        """The grid that maps are cut from."""
        return Grid(self.pixels, self.side_degrees, self.padding)

    @property
    def arcmin_per_pixel(self) -> float:
        """Side of a pixel."""
        return 60.0 * self.side_degrees / self.pixels


@dataclass(frozen=True, eq=False)
class MapModel:
    """Maps of one cosmology, ready to be drawn; made by `map_model`.

    Parameters
    ----------
    setup : Setup
        How they are simulated.
    theory : LensingTheory
        What they follow.
    field : LognormalField
        The smooth part.
    halos : HaloField or None
        The halos.
    wanted : ndarray, shape (size, size // 2 + 1)
        C_ℓ times the squared window of a pixel, at the modes of the grid, in steradians.
    """

    setup: Setup
    theory: LensingTheory
    field: LognormalField
    halos: HaloField | None
    wanted: Array

    @property
    def grid(self) -> Grid:
        """The grid that maps are cut from."""
        return self.field.grid

    def draw(self, seed: int, cosmology: int, realisation: int) -> npt.NDArray[np.float32]:
        """The map of these numbers, whatever was drawn before.

        Parameters
        ----------
        seed : int
            Seed of the suite.
        cosmology : int
            Number of the cosmology, of which the noise depends unless phases are shared.
        realisation : int
            Number of the map.

        Returns
        -------
        ndarray, shape (pixels, pixels)
            Convergence; ⟨κ⟩ = 0 over all realisations.
        """
        # Lists of numbers that differ only by zeros at the end would give the same noise, hence realisation + 1.
        shared = 0 if self.setup.shared_phases else cosmology + 1
        kappa = self.field.draw(np.random.default_rng([seed, _FIELD, shared, realisation + 1]))
        if self.halos is not None:
            kappa += self.halos.draw(np.random.default_rng([seed, _HALOS, cosmology + 1, realisation + 1]))
        return self.grid.crop(kappa).astype(np.float32)

    @property
    def shift(self) -> float:
        """Nowhere is κ below minus this."""
        return self.field.shift + (0.0 if self.halos is None else self.halos.mean)

    @property
    def realised(self) -> Array:
        """C_ℓ that maps have on average at the modes of the grid, in steradians; `wanted` but for what was clipped."""
        return self.field.realised if self.halos is None else self.field.realised + self.halos.power

    @property
    def power_deviation(self) -> float:
        """Largest |realised/wanted − 1| between the fundamental multipole of a map and half of its Nyquist multipole.

        What clipping does to the power, free of noise; the statistical scatter of a finite number of maps is on top.
        """
        ell = self.grid.ell
        resolved = (ell >= self.grid.fundamental * (1 - 1e-9)) & (ell <= 0.5 * self.grid.nyquist)
        return float(np.abs(self.realised[resolved] / self.wanted[resolved] - 1).max())

    @property
    def variance(self) -> float:
        """⟨κ²⟩ of a pixel over all realisations."""
        return self.field.variance + (0.0 if self.halos is None else self._variance_of(self.halos.power))

    @property
    def skewness(self) -> float:
        """⟨κ³⟩/⟨κ²⟩^{3/2} of a pixel over all realisations; the halos' part takes a second."""
        third = self.field.third_moment + (0.0 if self.halos is None else self.halos.third_moment)
        return float(third / self.variance**1.5)

    def periodogram(self) -> Array:
        """Expected power |Σ κ exp(−iℓθ)|² · pixel area / number of pixels of a map, in steradians.

        Of a map that was cut from a larger grid it is the power of the grid, smeared: the correlation function times
        the share of pairs of pixels that lie in the map.

        Returns
        -------
        ndarray, shape (pixels, pixels // 2 + 1)
            At the modes of the map, as `rfft2` orders them.
        """
        n, size = self.setup.pixels, self.grid.size
        if size == n:
            return self.realised
        lag = np.arange(1 - n, n)
        share = 1 - np.abs(lag) / n
        pairs = self.grid.to_map(self.realised)[np.ix_(lag % size, lag % size)] * share[:, None] * share
        wrapped = np.zeros((n, n))
        np.add.at(wrapped, np.ix_(lag % n, lag % n), pairs)
        result: Array = fft.rfft2(wrapped).real
        return result

    def _variance_of(self, power: Array) -> float:
        return float(self.grid.to_map(power)[0, 0]) / self.grid.pixel**2


def map_model(parameters: Mapping[str, Any], setup: Setup | None = None) -> MapModel:
    """Prepare the maps of a cosmology.

    Parameters
    ----------
    parameters : mapping
        As in `awd_cosmo.simulate.lensing_theory`.
    setup : Setup, optional
        None: `Setup()`.

    Returns
    -------
    MapModel

    Raises
    ------
    ValueError
        As in `lensing_theory`; or the halos hold more matter than there is in the light cone.

    Examples
    --------
    >>> model = map_model({"Omega_m": 0.3, "A_s": 2.1}, Setup(pixels=32))
    >>> model.draw(seed=0, cosmology=0, realisation=1).shape, model.power_deviation < 1e-4
    ((32, 32), True)
    """
    setup = check_kind("setup", Setup() if setup is None else setup, Setup)
    grid = setup.grid
    theory = lensing_theory(parameters, setup.source_redshift, transfer=setup.transfer, nonlinear=setup.nonlinear)
    wanted = theory.spectrum(grid.ell) * grid.window(*grid.components) ** 2
    halos, smooth, shift = None, wanted, setup.shift_of(theory)
    if setup.halos is not None:
        halos = halo_field(parameters, grid, setup.source_redshift, setup.halos, transfer=setup.transfer)
        smooth, shift = np.maximum(wanted - halos.power, 0.0), shift - halos.mean
        if not (shift > 0 and math.isfinite(shift)):
            raise ValueError(
                f"halos from {setup.halos.minimum_mass:g} solar masses on leave nothing for the smooth field: their "
                f"mean convergence {halos.mean:.3g} is above the shift, {shift + halos.mean:.3g}. Raise minimum_mass, "
                "or the shift"
            )
    return MapModel(setup, theory, lognormal_field(smooth, grid, shift), halos, wanted)
