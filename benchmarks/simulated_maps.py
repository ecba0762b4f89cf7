"""What simulated maps have of real ones: `python -m benchmarks.simulated_maps --data FOLDER`.

FOLDER holds convergence_z*.fit of LensTools' tests: one sky (Ω_m 0.26, σ8 0.8, h 0.72) of 3.5°, and smoothed: its power
falls below theory as that of a Gaussian beam of 0.82 arcmin (standard deviation) does. So simulated maps are made with
pixels of half the side, smoothed by that beam, and averaged over 2 × 2 pixels; real ones over 4 × 4. For each kind of
maps, over single maps: standard deviation over that of the theory (halofit, the same beam and pixels), skewness,
kurtosis, and peaks and minima beyond multiples of the map's own standard deviation, per square degree.
"""

import argparse
import math
import re
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy import ndimage

from awd_core.typing import Array
from awd_cosmo import HaloModel, ParticleModel, Setup, lensing_theory, read_map
from awd_cosmo.simulate import simulate_maps
from benchmarks.page import markdown_table

COSMOLOGY = {"Omega_m": 0.26, "h": 0.72, "sigma8": 0.8, "n_s": 0.96}
SIDE, PIXELS, BEAM = 3.5, 128, 0.82
"""Degrees, pixels along it, and the real maps' own smoothing in arcmin."""
HEADER = ["z", "maps", "σ / theory", "skewness", "kurtosis", "peaks > 3σ", "peaks > 5σ", "minima < −1.5σ"]


def setups(redshift: float) -> dict[str, Setup]:
    """Kinds of simulated maps, with pixels of half the side."""
    common = {"pixels": 2 * PIXELS, "source_redshift": redshift}
    return {
        "log-normal, empty beam": Setup(**common),
        "log-normal, Hilbert": Setup(**common, shift="hilbert"),
        "halos": Setup(**common, halos=HaloModel()),
        "particles": Setup(**common, particles=ParticleModel()),
    }


def averaged(kappa: Array, block: int) -> Array:
    """Means of blocks, less the mean of the map."""
    side = len(kappa) // block
    mean = kappa.reshape(side, block, side, block).mean((1, 3))
    return np.asarray(mean - mean.mean())


def numbers(kappa: Array, theory: float) -> list[float]:
    """A column of each number of one map."""
    sd = kappa.std()
    inner = kappa[1:-1, 1:-1] / sd
    around = np.ones((3, 3), bool)
    around[1, 1] = False
    high = inner > ndimage.maximum_filter(kappa, footprint=around)[1:-1, 1:-1] / sd
    low = inner < ndimage.minimum_filter(kappa, footprint=around)[1:-1, 1:-1] / sd
    area = inner.size * (SIDE / PIXELS) ** 2
    return [
        sd / theory, (kappa**3).mean() / sd**3, (kappa**4).mean() / sd**4 - 3,
        (high & (inner > 3)).sum() / area, (high & (inner > 5)).sum() / area, (low & (inner < -1.5)).sum() / area,
    ]  # fmt: skip


def expected_deviation(redshift: float) -> float:
    """Standard deviation of a pixel by halofit, with beam and pixel."""
    grid = Setup(pixels=PIXELS, side_degrees=SIDE).grid
    beam = np.exp(-((grid.ell * math.radians(BEAM / 60)) ** 2))
    power = lensing_theory(COSMOLOGY, redshift).spectrum(grid.ell) * beam * grid.window(*grid.components) ** 2
    return math.sqrt(grid.variance(power))


def rows(data: Path, redshift: float, maps: int, kinds: Sequence[str]) -> list[list[str]]:
    """Of one redshift: the real map, and the median of the simulated ones with the range of two thirds of them."""
    theory = expected_deviation(redshift)
    (file,) = (path for path in data.glob("convergence_z*.fit") if redshift_of(path) == redshift)
    real = np.asarray(read_map(file)[0], float)
    told = numbers(averaged(real, len(real) // PIXELS), theory)
    found = [[f"{redshift:.2f}", "real, one", *(f"{x:.2f}" for x in told)]]
    for name, setup in setups(redshift).items():
        if name in kinds:
            started = time.process_time()
            simulated = simulate_maps(COSMOLOGY, maps, seed=1, setup=setup)
            spent = time.process_time() - started
            width = BEAM / setup.arcmin_per_pixel
            smooth = (ndimage.gaussian_filter(kappa.astype(float), width, mode="reflect") for kappa in simulated)
            table = np.array([numbers(averaged(kappa, 2), theory) for kappa in smooth])
            low, middle, high = np.percentile(table, [16, 50, 84], axis=0)
            cells = (f"{m:.2f} ({a:.2f}–{b:.2f})" for a, m, b in zip(low, middle, high, strict=True))
            found.append([f"{redshift:.2f}", f"{name}, {maps}, {spent:.0f} s", *cells])
    return found


def redshift_of(path: Path) -> float:
    """As the name tells it, in hundredths."""
    return int(re.findall(r"z(\d+)", path.stem)[-1]) / 100


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.simulated_maps", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--redshifts", default="0.52,1.03,1.5")
    parser.add_argument("--maps", type=int, default=16)
    parser.add_argument("--kinds", default=",".join(setups(1.0)), help="those whose names occur in it")
    options = parser.parse_args(arguments)
    kinds = [name for name in setups(1.0) if name in options.kinds]
    table = [row for z in options.redshifts.split(",") for row in rows(options.data, float(z), options.maps, kinds)]
    print(markdown_table(HEADER, table))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
