"""A training set in the layout of the FAIR Universe challenge, written by NumPy and CCL alone, none of our writers.

    python -m benchmarks.fair_layout DIR [--mask MASK.npy] [--labels label.npy] [--cosmologies 48] [--realisations 4]

DIR gets WIDE12H_bin2_2arcmin_kappa.npy (cosmologies × realisations × pixels inside the mask, float16), its mask and its
cube of labels (Ω_m, S8, T_AGN, f0, Δz). Mask and labels may be the challenge's own; without them they are made. The
maps are lognormal, with the power that CCL gives for each Ω_m, S8 and Δz and the challenge's noise. T_AGN and f0, of
which the challenge's own maps know, change nothing here: maps of the challenge are unlike these on small scales.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

ARCMIN = np.pi / 180 / 60
PIXEL = 2.0
"""Side of a pixel [arcmin]."""
SHAPE = (1424, 176)
NOISE = 0.4 / np.sqrt(2 * 30 * PIXEL**2)
"""Standard deviation of a pixel's noise: the challenge's own, of 30 galaxies per arcmin²."""
MEAN_Z, WIDTH_Z = 0.75, 0.15
"""Of the sources: the second of four bins, about as wide as the survey's."""
SHIFT = 0.0192
"""Lognormal shift, by the fit of Hilbert, Hartlap and Schneider (2011) at z = 0.75."""


def survey_mask(rng: np.random.Generator) -> np.ndarray:
    """A footprint with a ragged edge and round holes, True where observed."""
    y, x = np.indices(SHAPE)
    edge = 60 + 25 * np.sin(np.arange(SHAPE[0]) / 90.0)
    mask = np.abs(x - SHAPE[1] / 2) < edge[:, None]
    mask &= (y > 60) & (y < SHAPE[0] - 60)
    for cy, cx, radius in zip(rng.uniform(0, SHAPE[0], 80), rng.uniform(0, SHAPE[1], 80), rng.uniform(2, 7, 80)):  # noqa: B905
        mask &= (y - cy) ** 2 + (x - cx) ** 2 > radius**2
    return mask


def label_cube(cosmologies: int, realisations: int, rng: np.random.Generator) -> np.ndarray:
    """Labels of a Latin square in Ω_m and S8, nuisances map by map."""
    cube = np.empty((cosmologies, realisations, 5))
    steps = (np.arange(cosmologies) + 0.5) / cosmologies
    cube[..., 0] = (0.12 + 0.46 * rng.permutation(steps))[:, None]
    cube[..., 1] = (0.68 + 0.27 * rng.permutation(steps))[:, None]
    cube[..., 2] = rng.uniform(7.2, 8.5, cube.shape[:2])
    cube[..., 3] = rng.uniform(0, 0.026, cube.shape[:2])
    cube[..., 4] = rng.normal(0, 0.02, cube.shape[:2])
    return cube


def power(omega_m: float, s8: float, dz: float, ell: np.ndarray) -> np.ndarray:
    """C_ℓ of convergence [sr], by CCL."""
    import pyccl

    sigma8 = s8 / np.sqrt(omega_m / 0.3)
    cosmology = pyccl.Cosmology(
        Omega_c=omega_m - 0.046, Omega_b=0.046, h=0.7, n_s=0.97, sigma8=sigma8, transfer_function="eisenstein_hu"
    )
    z = np.linspace(0.01, 2.0, 200)
    tracer = pyccl.WeakLensingTracer(cosmology, dndz=(z, np.exp(-0.5 * ((z - MEAN_Z - dz) / WIDTH_Z) ** 2)))
    at = np.geomspace(10, 2e4, 60)
    found = pyccl.angular_cl(cosmology, tracer, tracer, at)
    return np.exp(np.interp(np.log(np.maximum(ell, 10)), np.log(at), np.log(found)))


def lognormal(spectrum: np.ndarray, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """κ = s (exp(G − σ²/2) − 1) on a periodic grid, with G's power by ξ_G = ln(1 + ξ_κ/s²)."""
    area = (PIXEL * ARCMIN) ** 2
    spectrum = spectrum.copy()
    spectrum[0, 0] = 0
    correlation = np.fft.irfft2(spectrum, s=shape) / area
    modes = np.maximum(np.fft.rfft2(np.log1p(correlation / SHIFT**2)).real, 0)
    gaussian = np.fft.irfft2(np.fft.rfft2(rng.standard_normal(shape)) * np.sqrt(modes), s=shape)
    return SHIFT * np.expm1(gaussian - np.fft.irfft2(modes, s=shape)[0, 0] / 2)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the three files."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fair_layout", description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--mask", type=Path)
    parser.add_argument("--labels", type=Path)
    parser.add_argument("--cosmologies", type=int, default=48)
    parser.add_argument("--realisations", type=int, default=4)
    asked = parser.parse_args(arguments)
    rng = np.random.default_rng(0)
    mask = survey_mask(rng) if asked.mask is None else np.load(asked.mask)
    if asked.labels is None:
        labels = label_cube(asked.cosmologies, asked.realisations, rng)
    else:
        labels = np.load(asked.labels)[: asked.cosmologies, : asked.realisations]
    grid = (mask.shape[0] + 112, mask.shape[1] + 80)  # periodic; the map is its corner
    ly, lx = (2 * np.pi / (PIXEL * ARCMIN) * f for f in (np.fft.fftfreq(grid[0])[:, None], np.fft.rfftfreq(grid[1])))
    ell = np.hypot(ly, lx)
    window = np.sinc(np.fft.fftfreq(grid[0])[:, None]) * np.sinc(np.fft.rfftfreq(grid[1]))
    asked.out.mkdir(parents=True)
    place = asked.out / "WIDE12H_bin2_2arcmin_kappa.npy"
    stack = np.lib.format.open_memmap(place, "w+", np.float16, (*labels.shape[:2], int(mask.sum())))
    for c, r in np.ndindex(*labels.shape[:2]):
        omega_m, s8, _, _, dz = labels[c, r]
        kappa = lognormal(power(omega_m, s8, dz, ell) * window**2, grid, rng)[: mask.shape[0], : mask.shape[1]]
        stack[c, r] = (kappa + rng.normal(0, NOISE, mask.shape))[mask]
    stack.flush()
    np.save(asked.out / "WIDE12H_bin2_2arcmin_mask.npy", mask)
    np.save(asked.out / "label.npy", labels)
    print(f"{' × '.join(map(str, stack.shape))} float16 in {place}; deviation {stack[0].std(dtype=float):.4f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
