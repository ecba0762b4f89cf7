"""Maps of a suite, written where the work is done: some realisations of one cosmology at a time."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, overload

from astropy import units

from awd_cosmo.formats.fits import read_map
from awd_cosmo.formats.fits_writer import write_map
from awd_cosmo.formats.map_names import map_name
from awd_cosmo.formats.parameters import RANGES
from awd_cosmo.simulate.map_model import MapModel, NuisanceMaps, map_model, map_nuisances
from awd_cosmo.simulate.nuisances import CARDS
from awd_cosmo.simulate.particle_maps import ParticleMaps
from awd_cosmo.simulate.setup import Setup
from awd_cosmo.simulate.suite_folder import Values


@dataclass(frozen=True)
class RealisationBatch:
    """Some maps of a suite.

    Attributes
    ----------
    folder : Path
        Where they lie.
    values : mapping
        Parameters of their cosmology.
    cosmology : int
        Its number.
    first, last : int
        Numbers of the realisations, both included.
    seed : int
        Of the suite.
    setup : Setup
    """

    folder: Path
    values: Values
    cosmology: int
    first: int
    last: int
    seed: int
    setup: Setup

    def __str__(self) -> str:
        return f"cosmology {self.cosmology}, realisations {self.first} to {self.last}"


class RealisationBatches(Sequence[RealisationBatch]):
    """All maps of a suite, in shares that are put together when they are handed out."""

    def __init__(
        self, folders: Sequence[Path], cosmologies: Sequence[Values], realisations: int, seed: int, setup: Setup
    ) -> None:
        self.folders = [folder.absolute() for folder in folders]
        self.cosmologies, self.realisations, self.seed, self.setup = cosmologies, realisations, seed, setup
        self.together = setup.together
        self.of_each = -(-realisations // self.together)

    def __len__(self) -> int:
        return self.of_each * len(self.folders)

    @overload
    def __getitem__(self, place: int) -> RealisationBatch: ...

    @overload
    def __getitem__(self, place: slice) -> list[RealisationBatch]: ...

    def __getitem__(self, place: int | slice) -> RealisationBatch | list[RealisationBatch]:
        if isinstance(place, slice):
            return [self[i] for i in range(len(self))[place]]
        if not 0 <= place < len(self):
            raise IndexError(place)
        i, k = divmod(place, self.of_each)
        first, last = k * self.together + 1, min((k + 1) * self.together, self.realisations)
        return RealisationBatch(self.folders[i], self.cosmologies[i], i, first, last, self.seed, self.setup)


def write_batch(batch: RealisationBatch) -> tuple[Values, int]:
    """Write what is missing of a share: the parameters of its cosmology, and its number of maps."""
    setup = batch.setup
    numbers = range(batch.first, batch.last + 1)
    names = {number: batch.folder / map_name(setup.source_redshift, number) for number in numbers}
    # What is whole is read no further than the header of one map: no spectrum is computed.
    missing = [number for number, path in names.items() if not path.exists()]
    if not missing:
        _, header = read_map(names[batch.first])
        return header.parameters, len(names)
    model = _model(json.dumps(batch.values), setup)
    central = model.central if isinstance(model, NuisanceMaps) else model
    # To the digits that headers are read with, so that a resumed suite has the very same table.
    parameters = {name: round(x, 12) for name, x in central.theory.parameters.items() if name in RANGES}
    cards: dict[str, Any] = {
        "OMEGA_B": (central.theory.parameters["Omega_b"], "baryon density"),
        "SEED": (batch.seed, "seed of the suite"),
        "COSMO": (batch.cosmology, "number of the cosmology, from 0"),
        "PHASES": ("shared" if setup.shared_phases else "independent", "noise across cosmologies"),
        "TRANSFER": (setup.transfer, "linear power spectrum"),
        "NONLIN": (setup.nonlinear, "nonlinear power spectrum"),
        "CREATOR": (f"awd-cosmo {version('awd-cosmo')}", ""),
    }
    if setup.particles is not None:
        cards["BOX"] = (setup.particles.box, "[Mpc] side of the box of particles")
        cards["PARTICLE"] = (setup.particles.particles, "particles along a side of the box")
        cards["MESH"] = (setup.particles.mesh, "cells along a side of the box")
    else:
        cards["SHIFT"] = (central.shift, f"lognormal shift: {setup.shift}")
        cards["PADDING"] = (setup.padding, "side of the periodic grid over that of the map")
    if setup.halos is not None:
        cards["HALOMIN"] = (setup.halos.minimum_mass, "[solMass] least mass of halos")
    batch.folder.mkdir(parents=True, exist_ok=True)
    if setup.smail is not None:
        cards["SMAIL_A"] = (setup.smail.alpha, "n(z) goes as z^a exp(-(z/z0)^b): a")
        cards["SMAIL_B"] = (setup.smail.beta, "its b; the mean redshift is the source redshift")
    for number in missing:
        drawn = map_nuisances(setup, batch.seed, batch.cosmology, number)
        told = {card: (drawn[name], comment) for name, (card, comment) in CARDS.items() if name in drawn}
        write_map(
            names[number],
            model.draw(batch.seed, batch.cosmology, number),
            pixel_scale=setup.arcmin_per_pixel * units.arcmin,
            source_redshift=setup.source_redshift,
            parameters=parameters,
            extra={**cards, **told, "REALIS": (number, "number of the realisation")},
            overwrite=True,  # by somebody who simulates the same suite: the same map
        )
    return parameters, len(names)


@lru_cache(maxsize=1)  # shares of a cosmology come one after the other, and its spectra take longer than its maps
def _model(values: str, setup: Setup) -> MapModel | ParticleMaps | NuisanceMaps:
    return map_model(json.loads(values), setup)
