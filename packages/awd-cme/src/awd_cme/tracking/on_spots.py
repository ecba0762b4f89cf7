"""Whether tracks lie on spots: what is measured at their places, beside shifted, transposed and mirrored ones.

Wrong coordinates make no error: columns that were swapped, a unit that was taken for pixels, another movie's tracks all
give amplitudes, of the background. So a sample of places is measured, and each of them again at eight places around it.
Tracks lie on spots if their median amplitude is above that of the places around by more than its error.
"""

from collections.abc import Iterator

import numpy as np

from awd_cme.movies.movie import Movie
from awd_cme.spots.fit import fit_spots
from awd_core.typing import AnyArray, Array

FRAMES, PLACES = 12, 60
"""Frames of the sample, and places in each, at most."""
FEWEST = 5
"""Places below which nothing is said."""
ERRORS = 3.0
"""Standard errors that amplitudes at tracks must be above those around."""


def off_spots(movie: Movie, channels: tuple[int, ...], places: Array, sigma: tuple[float, ...]) -> str | None:
    """Say that tracks cannot lie on spots, and where they would; None where they do, or too few places tell.

    Parameters
    ----------
    movie : Movie
        The movie.
    channels : tuple of int
        In one of them, spots are enough.
    places : ndarray, shape (n, 3)
        Frame, y, x of tracks, sorted by frames.
    sigma : tuple of float
        Width of the spots in each channel.
    """
    frames, first = np.unique(places[:, 0].astype(int), return_index=True)
    bounds = np.append(first, len(places))
    if not len(frames):
        return None
    some = np.unique(np.linspace(0, len(frames) - 1, FRAMES).round().astype(int))
    better: dict[str, list[tuple[float, float]]] = {}
    said = None
    for channel, width in zip(channels, sigma, strict=True):
        measured: dict[str, list[Array]] = {}
        for k in some:
            rows = places[bounds[k] : bounds[k + 1], 1:]
            rows = rows[np.unique(np.linspace(0, len(rows) - 1, PLACES).round().astype(int))]
            image = movie.frame(int(frames[k]), channel)
            for name, y, x in _variants(rows, image.shape, width):
                measured.setdefault(name, []).append(fit_spots(image, y, x, width).amplitude)
        found = {name: np.concatenate(parts) for name, parts in measured.items()}
        here, around = (found.get(name, np.empty(0)) for name in ("as they are", "around"))
        here, around = here[np.isfinite(here)], around[np.isfinite(around)]
        if len(here) < FEWEST or len(around) < FEWEST:
            return None
        level, error = float(np.median(around)), _error(around, len(here))
        own = float(np.median(here))
        for name, values in found.items():
            values = values[np.isfinite(values)]
            if name not in ("as they are", "around") and len(values) >= FEWEST:
                gain = (float(np.median(values)) - max(own, level)) / max(_error(around, len(values)), 1e-12)
                better.setdefault(name, []).append((gain, float(np.median(values))))
        if own > level + ERRORS * error:
            said = None
            best = _best(better)
            if best is not None and best[1] > 1.1 * own:
                return _sentence(own, level, best, movie.channels[channel], lie=False)
            return None
        said = said or _sentence(own, level, _best(better), movie.channels[channel], lie=True)
    return said


def _variants(rows: Array, shape: tuple[int, ...], sigma: float) -> Iterator[tuple[str, Array, Array]]:
    """Places by what they are: of the tracks; around them; and where they would be by the usual mistakes."""
    y, x = rows.T
    yield "as they are", y, x
    far = max(5.0, 4 * sigma)
    angles = np.arange(8) * np.pi / 4
    yield "around", np.add.outer(y, far * np.sin(angles)).ravel(), np.add.outer(x, far * np.cos(angles)).ravel()
    yield "with x and y exchanged", x, y
    yield "with y counted from the bottom", shape[0] - 1 - y, x
    yield "with x counted from the right", y, shape[1] - 1 - x
    yield "one pixel less in y and x (counted from 1)", y - 1, x - 1


def _error(values: Array, count: int) -> float:
    """Standard error of a median of so many values that scatter like these."""
    spread = 1.4826 * float(np.median(np.abs(values - np.median(values))))
    return float(1.2533 * spread / np.sqrt(count))


def _best(better: dict[str, list[tuple[float, float]]]) -> tuple[str, float] | None:
    """The mistake that explains most, if it explains anything: its name and the amplitude there."""
    name = max(better, key=lambda name: max(better[name]), default=None)
    if name is None or max(better[name])[0] <= ERRORS:
        return None
    return name, max(better[name])[1]


def _sentence(own: float, level: float, best: tuple[str, float] | None, channel: AnyArray | str, *, lie: bool) -> str:
    hint = f" {best[0][0].upper()}{best[0][1:]} it would be {best[1]:.3g}." if best else ""
    if lie:
        return (
            f"the tracks do not lie on spots of {channel}: their median amplitude is {own:.3g}, and {level:.3g} around "
            f"them.{hint} Check that they belong to this movie, the order of x and y, and the unit of positions "
            "(--position-unit, --micrometres-per-pixel, --columns)"
        )
    return (
        f"the tracks lie beside the spots of {channel}: their median amplitude is {own:.3g}.{hint} Check the origin of "
        "positions"
    )
