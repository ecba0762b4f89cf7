"""Flat tiles of the sphere: squares in gnomonic projection that nowhere overlap, each a FITS file with a WCS.

A tile's pixel is the mean of what the sphere holds at points of a grid within it, which lie at most a third of
a HEALPix pixel apart: an average by area, which keeps the mean. Tiles stand in rings of latitude. They cover as much
of the sky as squares in rings can without an overlap, so that no two share a pixel; but all are of one universe.
"""

import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from awd_core.files import write_atomically
from awd_core.typing import Array
from awd_cosmo.formats.fits_writer import write_map
from awd_cosmo.sky.healpix import FRAMES, HealpixMap

FINEST = 0.5
"""A tile's pixels may be so many HEALPix pixels wide and no less: finer ones tell nothing new."""
WIDEST = 20.0
"""Degrees. In a wider tile the scale of a gnomonic projection differs by more than 5 % from middle to corner."""
SEEN = 0.5
"""Share of a pixel's points that must have been observed; otherwise the pixel is NaN."""


@dataclass(frozen=True)
class Tile:
    """One tile.

    Attributes
    ----------
    file : str
    longitude, latitude : float
        Of its centre, degrees, in the map's own coordinates.
    observed : float
        Share of its pixels that were observed.
    """

    file: str
    longitude: float
    latitude: float
    observed: float


@dataclass(frozen=True)
class TilesWritten:
    """What became of a map on the sphere.

    Attributes
    ----------
    source : str
    kept : list of Tile
    masked, not_drawn : int
        Tiles left out since too little of them was observed, and since others were drawn.
    covered : float
        Share of the map's observed area that lies in the tiles that were kept.
    pixel_scale : float
        Arcmin.
    pixels : int
        Side of a tile.
    least_observed : float
    seed : int or None
        Of the draw.
    """

    source: str
    kept: list[Tile] = field(default_factory=list)
    masked: int = 0
    not_drawn: int = 0
    covered: float = 0.0
    pixel_scale: float = 0.0
    pixels: int = 0
    least_observed: float = 0.0
    seed: int | None = None


def tile_centres(side: float) -> Array:
    """Centres of tiles that nowhere overlap, all over the sphere, shape (n, 2): longitude and latitude in degrees.

    Parameters
    ----------
    side : float
        Angle between the middles of opposite edges, degrees.

    Notes
    -----
    A square of half side t = tan(side / 2) about latitude δ ≥ 0 reaches, in the plane (x, y) of its projection, the
    longitudes ± arctan(t / (cos δ - t sin δ)), at its upper corners, and the latitudes from that of its lower corners,
    arcsin((sin δ - t cos δ) / √(1 + 2 t²)), to δ + side / 2. Rings follow each other where these meet.

    Examples
    --------
    >>> len(tile_centres(10.0)), len(tile_centres(5.0))
    (364, 1554)
    """
    if not 0 < side <= WIDEST:
        raise ValueError(f"tiles are {side:g} degrees wide; give more than 0 and at most {WIDEST:g}")
    t, half = math.tan(math.radians(side / 2)), math.radians(side / 2)

    def lowest(latitude: float) -> float:
        return math.asin((math.sin(latitude) - t * math.cos(latitude)) / math.sqrt(1 + 2 * t * t))

    latitudes = [0.0]
    while True:
        edge, low, high = latitudes[-1] + half, latitudes[-1], math.pi / 2
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if lowest(middle) < edge else (low, middle)
        if high + half >= math.pi / 2:
            break
        latitudes.append(high)
    centres = []
    for latitude in latitudes:
        reach = math.atan(t / (math.cos(latitude) - t * math.sin(latitude)))
        count = int(math.pi / reach)
        for sign in (1, -1) if latitude else (1,):
            centres += [(360 * k / count, sign * math.degrees(latitude)) for k in range(count)]
    if edge <= math.pi / 2 - math.atan(math.sqrt(2) * t):
        centres += [(0.0, 90.0), (0.0, -90.0)]
    return np.array(centres)


def cut_tile(sky: HealpixMap, longitude: float, latitude: float, *, pixels: int, pixel_scale: float) -> Array:
    """A flat tile, shape (pixels, pixels), NaN where not observed; the first row is the southern one, east is left.

    Parameters
    ----------
    sky : HealpixMap
    longitude, latitude : float
        Of its centre, degrees.
    pixels : int
        Side.
    pixel_scale : float
        Arcmin, at the centre.

    Raises
    ------
    ValueError
        If its pixels are much finer than those of the sphere.
    """
    if pixel_scale < FINEST * sky.arcmin:
        raise ValueError(
            f"tiles of {pixel_scale:g} arcmin a pixel are finer than the map, whose pixels have {sky.arcmin:.3g}; "
            f"give {FINEST * sky.arcmin:.3g} or more"
        )
    points = math.ceil(3 * pixel_scale / sky.arcmin)
    step = math.radians(pixel_scale / 60) / points
    along = (np.arange(pixels * points) - (pixels * points - 1) / 2) * step
    x, y = -along[None, :], along[:, None]
    c, s = math.cos(math.radians(latitude)), math.sin(math.radians(latitude))
    # Inverse gnomonic projection: Calabretta & Greisen 2002, A&A 395, 1077, equations 2 and 54.
    east = np.degrees(np.arctan2(x, c - y * s))
    north = np.degrees(np.arctan2((s + y * c) * np.ones_like(x), np.hypot(x, c - y * s)))
    values = sky.at((longitude + east) % 360, north).reshape(pixels, points, pixels, points)
    seen = np.isfinite(values)
    count = seen.sum((1, 3))
    total = np.where(seen, values, 0).sum((1, 3), dtype=np.float64)
    mean = total / np.maximum(count, 1)
    return np.where(count >= SEEN * points**2, mean, np.nan)


def write_tiles(
    sky: HealpixMap,
    folder: str | os.PathLike[str],
    *,
    name: str,
    side: float,
    pixel_scale: float | None = None,
    least_observed: float = 0.8,
    most: int | None = None,
    seed: int = 0,
    source_redshift: float | None = None,
    parameters: Mapping[str, float] | None = None,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> TilesWritten:
    """Cut a map on the sphere into FITS files of flat tiles, and NAME_tiles.json, the account of them.

    Parameters
    ----------
    sky : HealpixMap
    folder : path
        Is made if it is not there.
    name : str
        What the files' names begin with.
    side : float
        Of a tile, degrees; is rounded to whole pixels.
    pixel_scale : float, optional
        Arcmin; otherwise the square root of a HEALPix pixel's area.
    least_observed : float
        Share of a tile that must have been observed.
    most : int, optional
        At most so many tiles, drawn among those that can be used.
    seed : int
        Of that draw.
    source_redshift : float, optional
        Written to headers.
    parameters : mapping, optional
        Written to headers.
    overwrite : bool
        Whether files that are there may be replaced.
    progress : callable, optional
        Told how many tiles are done, and of how many.

    Raises
    ------
    ValueError
        If no tile was observed enough, or the scale does not go with the map.
    FileExistsError
        If a file is there and is not to be replaced.
    """
    scale = sky.arcmin if pixel_scale is None else pixel_scale
    pixels = round(60 * side / scale)
    if pixels < 16:
        raise ValueError(
            f"tiles of {side:g} degrees have {pixels} pixels of {scale:.3g} arcmin a side; give 16 or more"
        )
    width = 2 * math.degrees(math.atan(pixels * math.radians(scale / 60) / 2))
    centres = tile_centres(width)
    order = np.arange(len(centres)) if most is None else np.random.default_rng(seed).permutation(len(centres))
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    kept, masked, area = [], 0, 0
    for done, (number, image, observed) in enumerate(_cut(sky, centres, order, pixels, scale)):
        if progress is not None:
            progress(done, len(centres))
        if observed < least_observed:
            masked += 1
            continue
        longitude, latitude = map(float, centres[number])
        file = f"{name}_tile{number:05d}.fits"
        axes = FRAMES[sky.frame]
        cards: dict[str, Any] = {
            "CTYPE1": f"{axes[0]}-TAN", "CTYPE2": f"{axes[1]}-TAN",
            "CRVAL1": (longitude, "[deg] centre of the tile"), "CRVAL2": (latitude, "[deg] centre of the tile"),
            "OBSERVED": (observed, "share of pixels observed"), "NSIDE": (sky.nside, "of the map on the sphere"),
            "TILE": (int(number), f"of {len(centres)} on the sphere"),
        }  # fmt: skip
        if most is not None:
            cards["TILESEED"] = (seed, "of the draw of tiles")
        write_map(
            place / file, image.astype(np.float32), pixel_scale=scale, source_redshift=source_redshift,
            parameters=parameters, extra=cards, overwrite=overwrite,
        )  # fmt: skip
        kept.append(Tile(file, longitude, latitude, observed))
        area += int(np.isfinite(image).sum())
        if len(kept) == most:
            break
    if not kept:
        raise ValueError(
            f"no tile of {width:.3g} degrees was observed to {least_observed:.0%}: {sky.observed:.2%} of the sky is "
            "there; give smaller tiles (--side), or a lower --least-observed"
        )
    covered = min(1.0, area * math.radians(scale / 60) ** 2 / (4 * math.pi * sky.observed))
    account = TilesWritten(
        name, kept, masked, len(centres) - masked - len(kept), covered, scale, pixels, least_observed,
        None if most is None else seed,
    )  # fmt: skip
    write_atomically(place / f"{name}_tiles.json", (json.dumps(asdict(account), indent=1) + "\n").encode())
    return account


def _cut(sky: HealpixMap, centres: Array, order: Any, pixels: int, scale: float) -> Iterator[tuple[int, Array, float]]:
    for number in order:
        image = cut_tile(sky, *map(float, centres[number]), pixels=pixels, pixel_scale=scale)
        yield int(number), image, float(np.isfinite(image).mean())
