"""Ω_m and S8 of real maps, by models that simulated maps trained: `python -m benchmarks.real_cosmology --data FOLDER`.

FOLDER as in `benchmarks.simulated_maps`, whose beam and pixels simulated maps get here too. For each redshift of the
sources and each kind of maps: cosmologies over a wide range of Ω_m and σ8, some maps of each, seven numbers of a map
(`ShiftedLognormal`) or its power spectrum, a ridge on them and their products, whose error bar is that of cosmologies
which were left out. The real map is asked last, with its distance from the training maps: above 1 lies at most one in a
hundred maps like them.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from awd_core.typing import Array
from awd_cosmo import CountRidge, PowerSpectrum, ShiftedLognormal, read_map, sobol
from awd_cosmo.inference import TrainingDistribution
from awd_cosmo.simulate import simulate_maps
from benchmarks.page import markdown_table
from benchmarks.simulated_maps import BEAM, COSMOLOGY, PIXELS, averaged, redshift_of, setups

RANGES = {"Omega_m": (0.1, 0.6), "sigma8": (0.4, 1.2)}
TRUTH = (COSMOLOGY["Omega_m"], COSMOLOGY["sigma8"] * (COSMOLOGY["Omega_m"] / 0.3) ** 0.5)
HEADER = ["z", "trained on", "read by", "Ω_m (truth 0.26)", "S8 (truth 0.745)", "distance", "within 2 bars"]
Maps = np.ndarray[Any, np.dtype[np.float32]]


def training(kind: str, redshift: float, cosmologies: int, maps: int) -> tuple[Maps, Array]:
    """Maps as the real ones are, and Ω_m and σ8 of each."""
    setup, design = setups(redshift)[kind], sobol(RANGES, cosmologies, seed=1)
    if setup.particles is not None:
        setup = replace(setup, particles=replace(setup.particles, maps_per_box=maps))
    width, made = BEAM / setup.arcmin_per_pixel, []
    for row in design:
        parameters = {**COSMOLOGY, "Omega_m": float(row["Omega_m"]), "sigma8": float(row["sigma8"])}
        drawn = simulate_maps(parameters, maps, seed=1, setup=setup, cosmology=int(row["cosmology"]))
        made += [averaged(ndimage.gaussian_filter(kappa.astype(float), width, mode="reflect"), 2) for kappa in drawn]
    theta = np.repeat(np.column_stack([design["Omega_m"], design["sigma8"]]), maps, axis=0)
    return np.stack(made).astype(np.float32), theta


def rows(file: Path, kinds: Sequence[str], cosmologies: int, maps: int) -> list[list[str]]:
    """What each model says of one real map."""
    redshift, real = redshift_of(file), np.asarray(read_map(file)[0], float)
    asked = averaged(real, len(real) // PIXELS)[None].astype(np.float32)
    found = []
    for kind in kinds:
        images, theta = training(kind, redshift, cosmologies, maps)
        targets = np.column_stack([theta[:, 0], theta[:, 1] * np.sqrt(theta[:, 0] / 0.3)])
        ids = np.repeat(np.arange(cosmologies), maps)
        spectrum = PowerSpectrum(60 * 3.5 / PIXELS, bins=8)
        for name, statistic in (("seven numbers", ShiftedLognormal("haar")), ("power spectrum", spectrum)):
            features = statistic.fit(images).transform(images)
            ridge = CountRidge(transform="none", degree=2).fit(features, targets, cosmology=ids)
            numbers = statistic.transform(asked)
            (estimate,), (error,) = ridge.predict(numbers, return_std=True)
            like = TrainingDistribution.from_features(features, parameters=theta)
            away = float(like.times(like.distance(numbers)[0])[0])
            told = [f"{value:.3f} ± {bar:.3f}" for value, bar in zip(estimate, error, strict=True)]
            hit = ["yes" if abs(v - t) < 2 * b else "no" for v, b, t in zip(estimate, error, TRUTH, strict=True)]
            found.append([f"{redshift:.2f}", kind, name, *told, f"{away:.1f}", ", ".join(hit)])
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table, a row as soon as it is known."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.real_cosmology", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--redshifts", default="0.52,0.7,0.9,1.03,1.18,1.5")
    parser.add_argument("--kinds", default="log-normal, empty beam;log-normal, Hilbert", help="separated by semicolons")
    parser.add_argument("--cosmologies", type=int, default=64)
    parser.add_argument("--maps", type=int, default=2, help="of each")
    options = parser.parse_args(arguments)
    wanted = [float(z) for z in options.redshifts.split(",")]
    files = [file for file in sorted(options.data.glob("convergence_z*.fit")) if redshift_of(file) in wanted]
    table = []
    for file in sorted(files, key=redshift_of):
        table += rows(file, options.kinds.split(";"), options.cosmologies, options.maps)
        print(markdown_table(HEADER, table), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
