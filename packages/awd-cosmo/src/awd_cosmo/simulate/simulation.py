"""Seeded convergence maps with known parameters: a stack in memory, or a suite on disk that is laid out as MassiveNuS.

The noise of a map is a function of the suite's seed, the number of its cosmology and the number of its realisation,
so that neither the order, nor the number of workers, nor an interruption changes a map.
"""

import math
import operator
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from astropy import units
from astropy.table import QTable, Table

from awd_core.checks import check_choice, check_kind, whole_number
from awd_core.files import from_json
from awd_core.typing import AnyArray, Array
from awd_core.workers import Workers, open_workers
from awd_cosmo.formats.fits import read_map
from awd_cosmo.formats.map_names import map_folder, map_name
from awd_cosmo.formats.parameters import RANGES, UNITS
from awd_cosmo.particles import ParticleModel
from awd_cosmo.simulate.design import MASSIVENUS_RANGES, latin_hypercube, sobol
from awd_cosmo.simulate.halos import HaloModel
from awd_cosmo.simulate.lensing import lensing_theory
from awd_cosmo.simulate.map_model import MapModel, NuisanceMaps, map_model, map_nuisances
from awd_cosmo.simulate.particle_maps import ParticleMaps
from awd_cosmo.simulate.setup import Setup
from awd_cosmo.simulate.suite_folder import Values, begin_suite, suite_description
from awd_cosmo.simulate.suite_writer import RealisationBatches, write_batch

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Preset:
    """A suite of a known size: how many cosmologies of which design, how many maps of each, and how they are made."""

    cosmologies: int
    realisations: int
    setup: Setup
    design: Literal["latin_hypercube", "sobol"] = "sobol"
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=lambda: MASSIVENUS_RANGES)

    def table(self, seed: int) -> QTable:
        """The design of the preset; its seed is the suite's."""
        return {"latin_hypercube": latin_hypercube, "sobol": sobol}[self.design](
            self.ranges, self.cosmologies, seed=seed
        )


PRESETS: dict[str, Preset] = {
    "tiny": Preset(16, 2, Setup(pixels=32)),
    "quick": Preset(256, 8, Setup(pixels=128)),
    "halos": Preset(256, 8, Setup(pixels=128, halos=HaloModel())),
    "particles": Preset(64, 8, Setup(pixels=128, particles=ParticleModel())),
    "massivenus": Preset(100, 1000, Setup(pixels=512, padding=1.5, halos=HaloModel()), "latin_hypercube"),
}
"""Suites by name: to try out (0.3 MB), for a demonstration (140 MB), the same with halos, from particles in boxes
(34 MB, under an hour of two cores), and of the size of a tenth of the MassiveNuS maps at one redshift (105 GB). All
maps have sides of 3.5° and sources at z = 1."""


def simulate_maps(
    parameters: Mapping[str, Any],
    n: int,
    *,
    seed: int,
    setup: Setup | None = None,
    cosmology: int = 0,
    first: int = 1,
) -> Floats:
    """Maps of one cosmology.

    Parameters
    ----------
    parameters : mapping
        As in `awd_cosmo.simulate.lensing_theory`.
    n : int
        Number of maps.
    seed : int
        Not negative.
    setup : Setup, optional
        None: `Setup()`, maps of 128 × 128 pixels and 3.5°, sources at z = 1, no halos.
    cosmology : int
        Number of the cosmology; other numbers give other noise, unless the setup shares phases.
    first : int
        Number of the first realisation.

    Returns
    -------
    ndarray of float32, shape (n, pixels, pixels)
        Convergence.

    Raises
    ------
    ValueError
        As in `map_model`; or a number is negative.

    Examples
    --------
    >>> maps = simulate_maps({"Omega_m": 0.3, "A_s": 2.1}, 2, seed=0, setup=Setup(pixels=64))
    >>> maps.shape, bool(np.array_equal(maps[1:], simulate_maps(
    ...     {"Omega_m": 0.3, "A_s": 2.1}, 1, seed=0, setup=Setup(pixels=64), first=2)))
    ((2, 64, 64), True)
    """
    n, seed = whole_number("n", n, 0), whole_number("seed", seed, 0)
    cosmology, first = whole_number("cosmology", cosmology, 0), whole_number("first", first, 0)
    model = map_model(parameters, setup)
    maps = np.empty((n, model.setup.pixels, model.setup.pixels), dtype=np.float32)
    for i in range(n):
        maps[i] = model.draw(seed, cosmology, first + i)
    return maps


def simulate_suite(
    out: str | os.PathLike[str],
    *,
    seed: int,
    preset: str = "quick",
    design: QTable | None = None,
    realisations: int | None = None,
    setup: Setup | None = None,
    workers: int | Workers = 1,
    progress: Callable[[int, int], object] | None = None,
) -> QTable:
    """Write a suite of maps in the layout of MassiveNuS; started again, it goes on where it was interrupted.

    Parameters
    ----------
    out : str or path
        Folder of the suite, made if it is not there. In it, the maps as
        `convergence_gal_mnv…_om…_As…/Maps10/WLconv_z1.00_0001r.fits`, and `suite.json`.
    seed : int
        Of design and noise; not negative.
    preset : str
        One of `PRESETS`; what is not given otherwise comes from it.
    design : QTable, optional
        Cosmologies, as from `awd_cosmo.simulate.design`; row i is the cosmology number i.
    realisations : int, optional
        Maps of each cosmology. A suite that is there can be given more.
    setup : Setup, optional
        How maps are made.
    workers : int or Workers
        Processes, or open `awd_core.workers.open`. Each holds one map at a time, with particles a box too (0.8 GB).
    progress : callable, optional
        Called with the number of maps that are there and the number of all maps.

    Returns
    -------
    QTable
        A row a map: file, relative to `meta["root"]`, hdu, cosmology, realisation, tile, tile_y, tile_x, z_s,
        the parameters, and the nuisances that were drawn.

    Raises
    ------
    ValueError
        The folder holds something else, or a suite that was made otherwise; two cosmologies would have the same
        name; an unknown preset; or as in `map_model`.

    Notes
    -----
    Headers tell all parameters, the source redshift, seed, cosmology, realisation, shift and setup. Names of folders
    have fewer digits than headers. Map files are written whole or not at all.

    Examples
    --------
    >>> import tempfile
    >>> from awd_cosmo.simulate.design import design_table
    >>> table = simulate_suite(tempfile.mkdtemp(), seed=0, realisations=1, setup=Setup(pixels=16),
    ...                        design=design_table({"Omega_m": [0.3], "A_s": [2.1]}))
    >>> print(table["file"][0])
    convergence_gal_mnv0.00000_om0.30000_As2.1000/Maps10/WLconv_z1.00_0001r.fits
    """
    check_choice("preset", preset, PRESETS, required=True)
    chosen = PRESETS[preset]
    realisations = chosen.realisations if realisations is None else realisations
    setup = chosen.setup if setup is None else check_kind("setup", setup, Setup)
    seed, realisations = whole_number("seed", seed, 0), whole_number("realisations", realisations)
    cosmologies = _cosmologies(chosen.table(seed) if design is None else design)
    root = Path(out)
    folders = [map_folder(root, values, setup.source_redshift) for values in cosmologies]
    for i, folder in enumerate(folders):
        if folder in folders[:i]:
            raise ValueError(
                f"the cosmologies {folders.index(folder)} and {i} have the same name {folder.parent.name}: it tells "
                "M_nu, Omega_m and A_s only. Simulate suites that differ in other parameters into separate folders"
            )
    with open_workers(workers) as crew:
        begin_suite(root, seed, cosmologies, realisations, setup)
        batches = RealisationBatches(folders, cosmologies, realisations, seed, setup)
        done, completed = 0, {}
        for batch, (values, written) in zip(batches, crew.map(write_batch, batches), strict=True):
            completed[batch.cosmology] = values
            done += written
            if progress is not None:
                progress(done, realisations * len(cosmologies))
    return _table(root, folders, [completed[i] for i in range(len(cosmologies))], realisations, setup, seed)


def theory_table(out: str | os.PathLike[str], *, cosmologies: Sequence[int] | None = None) -> QTable:
    """Moments and power of the maps of a suite against theory.

    Parameters
    ----------
    out : str or path
        Folder of a suite that `simulate_suite` has written.
    cosmologies : sequence of int, optional
        Which; None: all.

    Returns
    -------
    QTable
        A row a cosmology: `cosmology`, `maps` (how many there are), the parameters, `shift`; `variance` ⟨κ²⟩ and
        `skewness` ⟨κ³⟩/⟨κ²⟩^{3/2} of pixels about the known mean 0, each with `…_error` (standard error, by the
        jackknife over maps; NaN for a single map) and `…_theory`; `power_ratio`, the mean over the modes between the
        fundamental and half of the Nyquist multipole of measured over expected periodogram, `power_ratio_error`; and
        `power_deviation` as in `MapModel`. Of particles, skewness and deviation are not foretold, and NaN; where maps
        have nuisances, theory is that of maps without.

    Raises
    ------
    FileNotFoundError
        There is no suite, or it has no maps of a cosmology.
    """
    root = Path(out)
    told = suite_description(root)
    setup = from_json(Setup, told["setup"])
    rows = []
    for i in range(len(told["cosmologies"])) if cosmologies is None else cosmologies:
        values = told["cosmologies"][operator.index(i)]
        files = sorted(map_folder(root, values, setup.source_redshift).glob("*r.fits"))
        if not files:
            raise FileNotFoundError(f"no maps of cosmology {i} in {root}; simulate the suite to its end")
        model = map_model(values, setup)
        model = model.central if isinstance(model, NuisanceMaps) else model
        rows.append(
            {"cosmology": int(i), **model.theory.parameters, **_moments(model, [read_map(f)[0] for f in files])}
        )
    table = QTable(rows=rows)
    table["M_nu"] = table["M_nu"] * units.eV
    return table


def _moments(model: MapModel | ParticleMaps, maps: Sequence[AnyArray]) -> dict[str, float]:
    """Measured and expected moments of some maps, and the ratio of powers."""
    kappa = np.stack(maps).astype(np.float64)
    n, side = len(kappa), model.setup.pixels
    grid = model.setup.grid
    step = 2 * math.pi / (side * grid.pixel)
    ell = step * np.hypot(np.fft.fftfreq(side, 1 / side)[:, None], np.fft.rfftfreq(side, 1 / side)[None, :])
    resolved = (ell >= 0.999 * grid.fundamental) & (ell <= 0.5 * grid.nyquist)
    expected = model.periodogram()[resolved]
    powers = np.abs(np.fft.rfft2(kappa))[:, resolved] ** 2 * (grid.pixel / side) ** 2 / expected
    samples = np.column_stack([(kappa**2).mean(axis=(1, 2)), (kappa**3).mean(axis=(1, 2)), powers.mean(axis=1)])

    def estimates(mean: Array) -> Array:
        return np.stack([mean[..., 0], mean[..., 1] / mean[..., 0] ** 1.5, mean[..., 2]], axis=-1)

    found, errors = estimates(samples.mean(axis=0)), np.full(3, np.nan)
    if n > 1:
        left_out = estimates((samples.sum(axis=0) - samples) / (n - 1))
        errors = np.sqrt((n - 1) * left_out.var(axis=0))
    return {
        "maps": n,
        "shift": model.shift,
        "variance": found[0],
        "variance_error": errors[0],
        "variance_theory": model.variance,
        "skewness": found[1],
        "skewness_error": errors[1],
        "skewness_theory": model.skewness,
        "power_ratio": found[2],
        "power_ratio_error": errors[2],
        "power_deviation": model.power_deviation,
    }


def _cosmologies(design: QTable) -> list[Values]:
    """Rows of a design as plain numbers, with the A_s that their names need."""
    names = [name for name in check_kind("design", design, Table).colnames if name in (*RANGES, "Omega_b")]
    columns = {
        name: np.asarray(units.Quantity(design[name], UNITS.get(name) or units.dimensionless_unscaled).value)
        for name in names
    }
    rows = [dict(zip(names, map(float, row), strict=True)) for row in zip(*columns.values(), strict=True)]
    if not rows:
        raise ValueError(f"the design has no cosmology; its columns are {', '.join(design.colnames) or 'none'}")
    for row in rows:
        row.setdefault("M_nu", 0.0)
        if "A_s" not in row:
            row["A_s"] = lensing_theory(row).parameters["A_s"]
            row.pop("sigma8")  # follows from A_s
    return rows


def _table(
    root: Path, folders: list[Path], parameters: list[Values], realisations: int, setup: Setup, seed: int
) -> QTable:
    n = len(folders) * realisations
    names = [
        (folder / map_name(setup.source_redshift, number)).relative_to(root).as_posix()
        for folder in folders
        for number in range(1, realisations + 1)
    ]
    table = QTable(
        {
            "file": names,
            "hdu": np.zeros(n, dtype=np.int64),
            "cosmology": np.repeat(np.arange(len(folders)), realisations),
            "realisation": np.tile(np.arange(1, realisations + 1), len(folders)),
            "tile": np.full(n, -1),
            "tile_y": np.zeros(n, dtype=np.int64),
            "tile_x": np.zeros(n, dtype=np.int64),
            "z_s": np.full(n, setup.source_redshift),
        },
        meta={"root": str(root)},
    )
    for name in (name for name in RANGES if name in parameters[0]):
        column = np.repeat([values[name] for values in parameters], realisations)
        table[name] = column * units.Unit(UNITS[name]) if UNITS[name] else column
    drawn = [map_nuisances(setup, seed, row["cosmology"], row["realisation"]) for row in table]
    for name in drawn[0]:
        table[name] = [values[name] for values in drawn]
    return table
