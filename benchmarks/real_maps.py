"""One-point moments of ray-traced maps against lognormal ones: `python -m benchmarks.real_maps --data FOLDER`.

FOLDER holds convergence_z*.fit of LensTools' tests: one cosmology (Ω_m 0.26, h 0.72), sources at eight redshifts. For
each map, the mean taken out, the shift with which a lognormal variable of its variance has its skewness, beside the
shifts that `awd_cosmo.simulate.Setup` offers, and the skewness and kurtosis that these lead to.
"""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.optimize import brentq

from awd_cosmo import empty_beam, read_map
from awd_cosmo.simulate import hilbert_shift
from benchmarks.page import markdown_table

COSMOLOGY = {"Omega_m": 0.26, "h": 0.72}


def skewness(q: float) -> float:
    """Of a lognormal variable with variance over squared shift q."""
    return float(3 * np.sqrt(q) + q**1.5)


def kurtosis(q: float) -> float:
    """The same; 0 of a normal variable."""
    w = 1 + q
    return float(w**4 + 2 * w**3 + 3 * w**2 - 6)


def row(file: Path, block: int) -> list[str]:
    """A line of the table."""
    digits = re.findall(r"z(\d+)", file.stem)[-1]
    z = int(digits) / 100
    kappa = np.asarray(read_map(file)[0], float)
    side = len(kappa) // block
    kappa = kappa.reshape(side, block, side, block).mean((1, 3))
    kappa -= kappa.mean()
    sd = kappa.std()
    third, fourth = (kappa**3).mean() / sd**3, (kappa**4).mean() / sd**4 - 3
    effective = sd / np.sqrt(brentq(lambda q: skewness(q) - third, 1e-9, 1e3))
    shifts = [-empty_beam(COSMOLOGY, z), hilbert_shift(z)]
    told = [f"{shift:.4f}, {skewness((sd / shift) ** 2):.2f}, {kurtosis((sd / shift) ** 2):.2f}" for shift in shifts]
    return [f"{z:.2f}", f"{sd:.4f}", f"{effective:.4f}, {third:.2f}, {fourth:.2f}", *told]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.real_maps", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--block", type=int, default=4, help="pixels of 0.41 arcmin along the side of a mean")
    options = parser.parse_args(arguments)
    rows = sorted(row(file, options.block) for file in options.data.glob("convergence_z*.fit"))
    print(markdown_table(["z", "σ", "map: shift, skewness, kurtosis", "empty beam", "hilbert"], rows))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
