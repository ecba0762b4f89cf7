"""What the errors and p-values of spots hold, on simulated camera images with a known truth.

`python -m benchmarks.coverage_spots` prints the tables of docs/statistics.md on spots: how often an amplitude lies
within its error of the truth, without a gain, with the one that `estimate_gain` measures in the movie, and with the
camera's own; and what p-values are of places that were chosen for being bright, in images of noise alone.
"""

import argparse
import sys
from collections.abc import Iterator

import numpy as np
from scipy.ndimage import gaussian_laplace, maximum_filter

from awd_cme.simulate import Camera, simulate_movie
from awd_cme.simulate.settings import PRESETS
from awd_cme.spots import detect_spots, estimate_gain, fit_spots
from awd_cme.spots.refine import refine
from awd_cme.tracking import extract

SIGMA = 1.4
CAMERAS = (Camera(gain=0.5), Camera(gain=2.0), Camera(gain=8.0, read_noise=0.5))
USUAL = PRESETS["quick"].wander
"""Standard deviation of a pit's walk in a second, in pixels."""

BRIGHT = 5.0
"""Amplitudes of at least so many times the noise of the background are looked at."""


def coverage_of_amplitudes(
    camera: Camera, snr: float, wander: float, frames: int, seed: int
) -> tuple[float, float, list[float]]:
    """Gain as measured, its error, and how often errors hold the true amplitude: gain 0, measured, true."""
    settings = {"frames": frames, "snr": snr, "partner_snr": snr, "camera": camera, "bleaching": 0.0, "wander": wander}
    simulated = simulate_movie("quick", seed=seed, **settings)
    movie = simulated.movie.in_memory()
    truth = simulated.movie.table
    starts = np.linspace(0, frames - 3, min(10, frames - 2)).round().astype(int)
    measured = estimate_gain(np.stack([movie.frame(int(t) + after, 0) for t in starts for after in range(3)]))
    places = truth[["cell", "track", "frame"]]
    true = truth["clathrin_amplitude"].to_numpy()
    noise = float(np.median(simulated.movie.noise_sd(0, 0)))
    held = []
    for gain in (0.0, measured.gain, camera.gain):
        found = extract(movie, truth, sigma=SIGMA, channels=["clathrin"], gain=gain).set_index(["track", "frame"])
        found = found.loc[list(zip(places["track"], places["frame"], strict=True))]
        away = np.abs(found["clathrin_amplitude"].to_numpy() - true) / found["clathrin_amplitude_error"].to_numpy()
        rows = np.isfinite(away) & (true > BRIGHT * noise) & ~found["crowded"].to_numpy(dtype=bool)
        held.append(float(np.mean(away[rows] < 1)))
    return measured.gain, measured.error, held


def amplitudes(frames: int, seed: int) -> Iterator[list[str]]:
    """Rows of the first table."""
    yield [
        "counts a photon",
        "SNR",
        "wander, pixels",
        "measured",
        "within its error: gain 0",
        "measured gain",
        "true gain",
    ]
    for camera in CAMERAS:
        for snr, wander in ((5.0, USUAL), (10.0, USUAL), (20.0, USUAL), (10.0, 5 * USUAL)):
            gain, error, held = coverage_of_amplitudes(camera, snr, wander, frames, seed)
            shares = (f"{share:.3f}" for share in held)
            yield [f"{camera.gain:g}", f"{snr:g}", f"{wander:g}", f"{gain:.3f} ± {error:.3f}", *shares]


def selection(images: int, seed: int) -> Iterator[list[str]]:
    """Rows of the second table."""
    yield ["in images of noise alone", "share"]
    some = {"fdr": 0, "familywise": 0}
    chosen, anywhere = [], []
    for number in range(images):
        rng = np.random.default_rng([seed, number])
        image = rng.normal(100, 10, (96, 96))
        for control in some:
            some[control] += len(detect_spots(image, sigma=SIGMA, control=control)) > 0  # type: ignore[arg-type]
        response = -gaussian_laplace(image, SIGMA)
        y, x = np.nonzero((response == maximum_filter(response, size=3)) & (response > 0))
        places = refine(image, y, x, SIGMA)
        known = np.isfinite(places.y)
        chosen.append(fit_spots(image, places.y[known], places.x[known], SIGMA).p)
        anywhere.append(fit_spots(image, *rng.uniform(8, 87, (2, 200)), SIGMA).p)
    for control, count in some.items():
        yield [f"images with any spot, control “{control}”, level 0.05", f"{count / images:.3f}"]
    for what, found in (("local maxima, their places fitted", chosen), ("places chosen by another channel", anywhere)):
        p = np.concatenate(found)
        yield [f"p below 0.05: {what}", f"{np.mean(p[np.isfinite(p)] < 0.05):.3f}"]


def main(arguments: list[str] | None = None) -> int:
    """Print the tables as Markdown."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.coverage_spots", description=__doc__)
    parser.add_argument("--frames", type=int, default=100, help="frames of a movie")
    parser.add_argument("--images", type=int, default=400, help="images of noise")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    for rows in (amplitudes(options.frames, options.seed), selection(options.images, options.seed)):
        print()
        for number, row in enumerate(rows):
            print("| " + " | ".join(row) + " |", flush=True)
            if number == 0:
                print("| " + " | ".join(["--:"] * len(row)) + " |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
