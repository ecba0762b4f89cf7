"""Convergence maps of one cosmology: a lognormal field, and halos if they are wanted; or particles."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from awd_core.checks import check_kind
from awd_core.typing import Array
from awd_cosmo.simulate.halos import HaloField, halo_field
from awd_cosmo.simulate.lensing import LensingTheory, lensing_theory
from awd_cosmo.simulate.lognormal import Grid, LognormalField, lognormal_field
from awd_cosmo.simulate.particle_maps import ParticleMaps
from awd_cosmo.simulate.setup import Setup

_FIELD, _HALOS, _NUISANCES = 0, 1, 4  # kinds of noise; those of particles are between


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
        return self.field.variance + (0.0 if self.halos is None else self.grid.variance(self.halos.power))

    @property
    def skewness(self) -> float:
        """⟨κ³⟩/⟨κ²⟩^{3/2} of a pixel over all realisations; the halos' part takes a second."""
        third = self.field.third_moment + (0.0 if self.halos is None else self.halos.cumulant(3))
        return float(third / self.variance**1.5)

    @property
    def kurtosis(self) -> float:
        """⟨κ⁴⟩/⟨κ²⟩² − 3 of a pixel over all realisations; the halos' part takes a second, and rare ones most of it."""
        fourth = self.field.fourth_cumulant + (0.0 if self.halos is None else self.halos.cumulant(4))
        return float(fourth / self.variance**2)

    def periodogram(self) -> Array:
        """Expected power of a map at its modes, in steradians; see `Grid.cut_power`."""
        return self.grid.cut_power(self.realised)


@dataclass(frozen=True, eq=False)
class NuisanceMaps:
    """Maps of one cosmology whose nuisances are drawn for each; made by `map_model`.

    Parameters
    ----------
    setup : Setup
        With nuisances.
    central : MapModel or ParticleMaps
        The maps without nuisances: what theory foretells.
    """

    setup: Setup
    central: MapModel | ParticleMaps

    def values(self, seed: int, cosmology: int, realisation: int) -> dict[str, float]:
        """Nuisances of a map."""
        return map_nuisances(self.setup, seed, cosmology, realisation)

    def draw(self, seed: int, cosmology: int, realisation: int) -> npt.NDArray[np.float32]:
        """The map of these numbers; see `MapModel.draw`. A shear bias costs nothing, others ask for a new theory."""
        values = self.values(seed, cosmology, realisation)
        bias = values.pop("shear_bias", 0.0)
        model = _model(self.central.theory.parameters, self.setup, values) if values else self.central
        return model.draw(seed, cosmology, realisation) * np.float32(1 + bias)


def map_nuisances(setup: Setup, seed: int, cosmology: int, realisation: int) -> dict[str, float]:
    """Nuisances of a map, by name; none where the setup has none."""
    if setup.nuisances is None:
        return {}
    return setup.nuisances.draw(np.random.default_rng([seed, _NUISANCES, cosmology + 1, realisation + 1]))


def map_model(parameters: Mapping[str, Any], setup: Setup | None = None) -> MapModel | ParticleMaps | NuisanceMaps:
    """Prepare the maps of a cosmology.

    Parameters
    ----------
    parameters : mapping
        As in `awd_cosmo.simulate.lensing_theory`.
    setup : Setup, optional
        None: `Setup()`.

    Returns
    -------
    MapModel, ParticleMaps or NuisanceMaps

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
    model = _model(parameters, setup, {})
    return model if setup.nuisances is None else NuisanceMaps(setup, model)


def _model(parameters: Mapping[str, Any], setup: Setup, values: Mapping[str, float]) -> MapModel | ParticleMaps:
    """Maps with these nuisances, but for a shear bias."""
    grid, sources = setup.grid, setup.sources(values.get("redshift_shift", 0.0))
    theory = lensing_theory(
        parameters, sources, transfer=setup.transfer, nonlinear=setup.nonlinear, gas_mass=values.get("gas_mass")
    )
    wanted = theory.spectrum(grid.ell) * grid.window(*grid.components) ** 2
    if setup.particles is not None:
        return ParticleMaps(setup, theory, wanted, values)
    halos, smooth, shift = None, wanted, setup.shift_of(theory)
    if setup.halos is not None:
        halos = halo_field(parameters, grid, sources, setup.halos, transfer=setup.transfer)
        smooth, shift = np.maximum(wanted - halos.power, 0.0), shift - halos.mean
        if not (shift > 0 and math.isfinite(shift)):
            raise ValueError(
                f"halos from {setup.halos.minimum_mass:g} solar masses on leave nothing for the smooth field: their "
                f"mean convergence {halos.mean:.3g} is above the shift, {shift + halos.mean:.3g}. Raise minimum_mass, "
                "or the shift"
            )
    return MapModel(setup, theory, lognormal_field(smooth, grid, shift), halos, wanted)
