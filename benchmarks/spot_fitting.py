"""Fits of spots at known places: all of an image at once in closed form, and one after the other by general solvers.

The task is cmeAnalysis' fit of amplitude and background with fixed place and width in a window of ±⌈4σ⌉, with standard
errors. `curve_fit` and `least_squares` (Levenberg-Marquardt, MINPACK) are asked as one asks them, spot by spot, which
is in spirit what cmeAnalysis does with the GNU Scientific Library; `lstsq` is numpy's linear solver, spot by spot, for
those who saw that the problem is linear. Ours returns two tests and flags as well.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt
from scipy.optimize import curve_fit, least_squares

from awd_cme.spots import fit_spots
from awd_cme.spots.psf import add_spots
from awd_cme.spots.windows import half_width
from benchmarks.contenders import OURS, SEED
from benchmarks.report import Goal, Row, Section, measures
from benchmarks.timing import Settings, available_cores, take_turns

Array = npt.NDArray[np.float64]

ONE_CORE = f"{OURS}, one core"
CURVE_FIT, LEAST_SQUARES, LSTSQ = "curve_fit", "least_squares", "lstsq"
PEERS = (CURVE_FIT, LEAST_SQUARES, LSTSQ)
RATE = 200_000.0
"""Spots a second on two cores that are aimed at."""

NOISE, BACKGROUND = 12.0, 200.0


def run(settings: Settings, log: Callable[[str], None]) -> Section:
    """Measure the table of fits: two rows for each width of a spot, few spots with peers and many without."""
    section = Section(
        "spot_fitting",
        "Fits of spots, amplitude and background with errors (σ in pixels)",
        ("σ", "spots"),
        (OURS, ONE_CORE, *PEERS),
        PEERS,
    )
    cores = min(2, available_cores())
    gaps, rates = [], []
    for sigma in (1.5,) if settings.quick else (1.3, 1.5, 1.7):
        log(f"σ = {sigma}")
        image, y, x = picture(sigma, 40)
        few = slice(0, 100 if settings.quick else 400)
        small = (image, y[few], x[few])
        gaps.append(_gap(*small, sigma))
        calls: dict[str, Callable[[], object]] = {
            OURS: partial(fit_spots, *small, sigma),
            CURVE_FIT: partial(by_curve_fit, *small, sigma),
            LEAST_SQUARES: partial(by_least_squares, *small, sigma),
            LSTSQ: partial(by_lstsq, *small, sigma),
        }
        found = measures(take_turns(calls, settings.seconds, settings.rounds), OURS, frozenset())
        section.rows.append(Row((f"{sigma:g}", f"{len(small[1])}"), found))
        many = picture(sigma, 40 if settings.quick else 140)
        ours: dict[str, Callable[[], object]] = {
            OURS: partial(fit_spots, *many, sigma, threads=cores),
            ONE_CORE: partial(fit_spots, *many, sigma),
        }
        found = measures(take_turns(ours, settings.seconds, settings.rounds), OURS, frozenset())
        rates.append((sigma, len(many[1]) / found[OURS].value, len(many[1]) / found[ONE_CORE].value))
        goal = Goal("≥", RATE, f"on {cores} cores", rates[-1][1], " spots/s")
        section.rows.append(Row((f"{sigma:g}", f"{len(many[1]):,}"), found, goal=goal))
    section.notes = [
        "Spots a second, median of the rounds: "
        + "; ".join(f"σ = {s:g}: {two:,.0f} on {cores} cores, {one:,.0f} on one" for s, two, one in rates)
        + ".",
        f"Amplitudes, backgrounds and errors of all agree within {max(gaps):.0e} standard errors.",
    ]
    section.sound = max(gaps) < 1e-4
    return section


def picture(sigma: float, side: int) -> tuple[npt.NDArray[np.uint16], Array, Array]:
    """Image of side × side spots, 14 pixels apart, at random places in their pixels, and these."""
    rng = np.random.default_rng([SEED, side])
    along = 10.0 + 14 * np.arange(side)
    y, x = (v.ravel() + rng.uniform(-0.5, 0.5, side**2) for v in np.meshgrid(along, along, indexing="ij"))
    image = rng.normal(BACKGROUND, NOISE, (14 * side + 7,) * 2)
    add_spots(image, y, x, rng.uniform(0, 10 * NOISE, side**2), sigma)
    return image.round().clip(0, 65535).astype(np.uint16), y, x


def by_curve_fit(image: npt.NDArray[np.uint16], y: Array, x: Array, sigma: float) -> Array:
    """Amplitude, background and their errors, shape (spots, 4)."""

    def fit(shape: Array, values: Array) -> list[float]:
        start = (values.max() - values.min(), values.min())
        best, covariance = curve_fit(lambda g, a, c: a * g + c, shape, values, p0=start)
        return [*best, *np.sqrt(np.diag(covariance))]

    return _each(image, y, x, sigma, fit)


def by_least_squares(image: npt.NDArray[np.uint16], y: Array, x: Array, sigma: float) -> Array:
    """As `by_curve_fit`."""

    def fit(shape: Array, values: Array) -> list[float]:
        start = (values.max() - values.min(), values.min())
        found = least_squares(lambda p: p[0] * shape + p[1] - values, start, method="lm")
        covariance = np.linalg.inv(found.jac.T @ found.jac) * (2 * found.cost / (len(values) - 2))
        return [*found.x, *np.sqrt(np.diag(covariance))]

    return _each(image, y, x, sigma, fit)


def by_lstsq(image: npt.NDArray[np.uint16], y: Array, x: Array, sigma: float) -> Array:
    """As `by_curve_fit`."""

    def fit(shape: Array, values: Array) -> list[float]:
        design = np.column_stack([shape, np.ones_like(shape)])
        best, rss, _, _ = np.linalg.lstsq(design, values, rcond=None)
        covariance = np.linalg.inv(design.T @ design) * (rss[0] / (len(values) - 2))
        return [*best, *np.sqrt(np.diag(covariance))]

    return _each(image, y, x, sigma, fit)


def _each(
    image: npt.NDArray[np.uint16], y: Array, x: Array, sigma: float, fit: Callable[[Array, Array], list[float]]
) -> Array:
    half = half_width(sigma)
    steps = np.arange(-half, half + 1)
    found = []
    for row, column in zip(y, x, strict=True):
        iy, ix = round(row), round(column)
        values = image[iy - half : iy + half + 1, ix - half : ix + half + 1].astype(np.float64).ravel()
        gy, gx = (np.exp(-((steps - offset) ** 2) / (2 * sigma**2)) for offset in (row - iy, column - ix))
        found.append(fit((gy[:, None] * gx).ravel(), values))
    return np.array(found)


def _gap(image: npt.NDArray[np.uint16], y: Array, x: Array, sigma: float) -> float:
    """Largest difference between ours and the others, in units of the error (of errors: relative)."""
    fits = fit_spots(image, y, x, sigma)
    ours = np.column_stack([fits.amplitude, fits.background, fits.amplitude_error, fits.background_error])
    scale = ours[:, [2, 3, 2, 3]]
    return max(
        float(np.abs((other(image, y, x, sigma) - ours) / scale).max())
        for other in (by_curve_fit, by_least_squares, by_lstsq)
    )
