"""Convergence maps of one cosmology that look through lens planes of simulated particles."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from awd_core.typing import Array
from awd_cosmo.particles import LightCone, light_cone
from awd_cosmo.simulate.lensing import (
    LensingTheory,
    as_sources,
    baryon_suppression,
    lensing_kernel,
    matter_cosmology,
)
from awd_cosmo.simulate.lognormal import Grid
from awd_cosmo.simulate.setup import Setup

_BOX, _LOOK = 2, 3
"""Kinds of noise, beside those of `MapModel`."""


@dataclass(frozen=True, eq=False)
class ParticleMaps:
    """Maps of one cosmology from particles, ready to be drawn; made by `map_model`.

    What is asked of it is what is asked of a `MapModel`. Power and variance are those of the theory, which a mesh
    reaches on large scales only; skewness and what the power differs by are not known beforehand, and NaN.

    Parameters
    ----------
    setup : Setup
        With particles.
    theory : LensingTheory
        Of the same cosmology.
    wanted : ndarray, shape (size, size // 2 + 1)
        C_ℓ times the squared window of a pixel, at the modes of the grid, in steradians.
    values : mapping
        Nuisances that change planes or their weights.
    """

    setup: Setup
    theory: LensingTheory
    wanted: Array
    values: Mapping[str, float] = field(default_factory=dict)
    skewness: float = math.nan
    power_deviation: float = math.nan

    @property
    def grid(self) -> Grid:
        """Modes that the power is known at."""
        return self.setup.grid

    @property
    def shift(self) -> float:
        """Nowhere is κ below minus this, the convergence of an empty beam."""
        return self.theory.shift

    @property
    def variance(self) -> float:
        """⟨κ²⟩ of a pixel by the theory."""
        return self.grid.variance(self.wanted)

    def periodogram(self) -> Array:
        """Expected power of a map at its modes, in steradians; see `Grid.cut_power`."""
        return self.grid.cut_power(self.wanted)

    def draw(self, seed: int, cosmology: int, realisation: int) -> npt.NDArray[np.float32]:
        """The map of these numbers, whatever was drawn before; the first of each box simulates it.

        Parameters
        ----------
        seed, cosmology, realisation : int
            As in `MapModel.draw`. Realisations 1 to n look at the first box, n + 1 to 2 n at the second.

        Returns
        -------
        ndarray, shape (pixels, pixels)
            Convergence; ⟨κ⟩ = 0 over all boxes.
        """
        setup = self.setup
        shared = 0 if setup.shared_phases else cosmology + 1
        box = -(-realisation // setup.together)
        planes = _light_cone(json.dumps(dict(self.theory.parameters)), setup, (seed, _BOX, shared, box + 1))
        cosmology_ = matter_cosmology(self.theory.parameters, transfer=setup.transfer, nonlinear=setup.nonlinear)
        sources = setup.sources(self.values.get("redshift_shift", 0.0))
        when = cosmology_.scale_factor_of_chi(planes.distance)

        def kernel(distance: Array) -> Array:
            return lensing_kernel(cosmology_, distance, cosmology_.scale_factor_of_chi(distance), sources)

        def gas(plane: int, wave: Array) -> Array:
            boost = baryon_suppression(self.values["gas_mass"])
            power: Array = boost.boost_factor(cosmology_, wave.ravel(), when[plane])
            return np.sqrt(power.reshape(wave.shape))

        rng = np.random.default_rng([seed, _LOOK, shared, realisation + 1])
        weights, transfer = planes.weights(kernel), gas if "gas_mass" in self.values else None
        return planes.look(setup.pixels, self.grid.pixel, weights, rng, transfer).astype(np.float32)


@lru_cache(maxsize=1)  # 53 MB at the size of the preset
def _light_cone(parameters: str, setup: Setup, noise: tuple[int, ...]) -> LightCone:
    """The planes of one box."""
    assert setup.particles is not None  # noqa: S101  # for the type checker: `map_model` asked
    # With both, A_s counts.
    cosmology = matter_cosmology(json.loads(parameters), transfer=setup.transfer, nonlinear=setup.nonlinear)
    shifts = setup.nuisances and setup.nuisances.redshift_shift
    sources = as_sources(setup.sources(shifts[1] if shifts else 0.0))
    # Neutrinos make growth depend on scale, which particles do not know: it is right where lenses are heaviest.
    a = 1 / (1 + 0.5 * setup.source_redshift)

    def linear(k: Array) -> Array:
        power: Array = cosmology.linear_matter_power(k.ravel(), a) / cosmology.growth_factor(a) ** 2
        return power.reshape(k.shape)

    farthest = float(cosmology.comoving_radial_distance(1 / (1 + sources.farthest)))
    return light_cone(cosmology, linear, setup.particles, farthest, np.random.default_rng(list(noise)))
