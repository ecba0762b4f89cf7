"""Whether tracks lie on spots: what is measured at their places, beside shifted, transposed and mirrored ones.

Wrong coordinates make no error: columns that were swapped, a unit that was taken for pixels, another movie's tracks all
give amplitudes, of the background. So a sample of places is measured, and each of them again at eight places around it.
Tracks lie on spots if their median amplitude is above that of the places around by more than its error, in which places
count once however many frames they are seen in.
"""

from collections.abc import Iterator

import numpy as np

from awd_cme.movies.movie import Movie
from awd_cme.spots.fit import fit_spots
from awd_core.typing import Array

FRAMES, PLACES = 12, 60
"""Frames of the sample, and places in each, at most."""
FEWEST = 5
"""Places below which nothing is said."""
HERE, AROUND, FROM_ONE = "as they are", "around", "one pixel less in y and x (counted from 1)"
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
    better: dict[str, float] = {}
    said: tuple[str, float, float] | None = None
    for channel, width in zip(channels, sigma, strict=True):
        measured: dict[str, list[Array]] = {}
        seen: list[Array] = []
        for k in some:
            rows = places[bounds[k] : bounds[k + 1], 1:]
            rows = rows[np.unique(np.linspace(0, len(rows) - 1, PLACES).round().astype(int))]
            image = movie.frame(int(frames[k]), channel)
            seen.append(rows)
            for name, y, x in _variants(rows, image.shape, width, movie.micrometres_per_pixel):
                measured.setdefault(name, []).append(fit_spots(image, y, x, width).amplitude)
        found = {name: np.concatenate(parts) for name, parts in measured.items()}
        here, around = (found.get(name, np.empty(0)) for name in (HERE, AROUND))
        here, around = here[np.isfinite(here)], around[np.isfinite(around)]
        if len(here) < FEWEST or len(around) < FEWEST:
            return None
        level, own = float(np.median(around)), float(np.median(here))
        alone = len(np.unique(np.rint(np.concatenate(seen) / (2 * width)), axis=0))
        stands_out = own > level + ERRORS * _error(around, alone)
        # A mistake explains something if it stands out from the scatter of single places.
        least = max(level + 2 * _error(around, 1), level + (2 if stands_out else 1) * (own - level))
        found = {name: values[np.isfinite(values)] for name, values in found.items() if name not in (HERE, AROUND)}
        for name, values in found.items():
            if len(values) >= FEWEST and (middle := float(np.median(values))) > max(least, better.get(name, -np.inf)):
                better[name] = middle
        if stands_out and not better:
            beside = found.get(FROM_ONE, np.empty(0))
            if len(beside) and (middle := float(np.median(beside))) > 1.1 * own:
                return (
                    f"the tracks lie beside the spots of {movie.channels[channel]}: their median amplitude is "
                    f"{own:.3g}; {FROM_ONE} it would be {middle:.3g}. Check the origin of positions"
                )
            return None
        said = said or (movie.channels[channel], own, level)
    if said is None:
        return None
    best = max(better, key=better.__getitem__, default=None)
    hint = "" if best is None else f" {best[0].upper()}{best[1:]} it would be {better[best]:.3g}."
    return (
        f"the tracks do not lie on spots of {said[0]}: their median amplitude is {said[1]:.3g}, and {said[2]:.3g} "
        f"around them.{hint} Check that they belong to this movie, the order of x and y, and the unit of positions "
        "(--position-unit, --micrometres-per-pixel, --columns)"
    )


def _variants(
    rows: Array, shape: tuple[int, ...], sigma: float, size: float | None
) -> Iterator[tuple[str, Array, Array]]:
    """Places by what they are: of the tracks; around them; and where they would be by the usual mistakes."""
    y, x = rows.T
    yield HERE, y, x
    far = max(5.0, 4 * sigma)
    angles = np.arange(8) * np.pi / 4
    yield AROUND, np.add.outer(y, far * np.sin(angles)).ravel(), np.add.outer(x, far * np.cos(angles)).ravel()
    yield "with x and y exchanged", x, y
    yield "with y counted from the bottom", shape[0] - 1 - y, x
    yield "with x counted from the right", y, shape[1] - 1 - x
    if size is not None:
        yield "taken as micrometres", y / size, x / size
    yield FROM_ONE, y - 1, x - 1


def _error(values: Array, count: int) -> float:
    """Standard error of a median of so many values that scatter like these."""
    spread = 1.4826 * float(np.median(np.abs(values - np.median(values))))
    return float(1.2533 * spread / np.sqrt(count))
