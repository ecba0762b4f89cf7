"""Maps in HEALPix' pixels, of the whole sky or a part, as healpy and others write them.

A FITS table holds a column of values, by pixel number (implicit), many to a row or one, or beside a column of pixel
numbers (explicit: maps of a part of the sky). Numbers run in rings or nested (Górski et al. 2005, ApJ 622, 759).
"""

import math
import os
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
from astropy.io import fits

from awd_core.checks import check_choice
from awd_core.typing import AnyArray, Array, Rows
from awd_cosmo.formats.archives import BadMap

ORDERINGS = ("ring", "nested")
"""Ways of numbering pixels."""
FRAMES = {"C": ("RA--", "DEC-"), "G": ("GLON", "GLAT"), "E": ("ELON", "ELAT")}
"""Coordinates by COORDSYS, with their names in a WCS."""
UNSEEN = 1e10
"""Values of this size and beyond were not observed: HEALPix writes −1.6375e30."""


@dataclass(frozen=True)
class HealpixMap:
    """A map on the sphere.

    Parameters
    ----------
    values : ndarray of float, shape (n,)
        Convergence, NaN where not observed.
    nside : int
        HEALPix' resolution: 12 nside² pixels are the sky.
    ordering : {"ring", "nested"}
        How pixels are numbered.
    pixels : ndarray of int, shape (n,), optional
        Numbers of the pixels that there are, rising; otherwise all.
    frame : {"C", "G", "E"}
        Coordinates: equatorial, Galactic, ecliptic.

    Examples
    --------
    >>> HealpixMap(np.zeros(12 * 64**2), 64, "ring").arcmin
    54.967...
    """

    values: Array
    nside: int
    ordering: str
    pixels: Rows | None = None
    frame: str = "C"

    @property
    def arcmin(self) -> float:
        """Square root of a pixel's area, arcmin."""
        return math.degrees(math.sqrt(math.pi / 3) / self.nside) * 60

    @property
    def observed(self) -> float:
        """Share of the sky that was observed."""
        return float(np.isfinite(self.values).sum()) / (12 * self.nside**2)

    def at(self, longitude: npt.ArrayLike, latitude: npt.ArrayLike) -> Array:
        """Values of the pixels in which places of the sphere lie, NaN where there are none.

        Parameters
        ----------
        longitude, latitude : array_like
            Degrees, of one shape.
        """
        from astropy import units

        order = "nested" if self.ordering == "nested" else "ring"
        places = np.asarray(longitude) * units.deg, np.asarray(latitude) * units.deg
        number = astropy_healpix().lonlat_to_healpix(*places, self.nside, order=order)
        if self.pixels is None:
            return self.values[number]  # type: ignore[no-any-return]
        rank = np.minimum(np.searchsorted(self.pixels, number), len(self.pixels) - 1)
        return np.where(self.pixels[rank] == number, self.values[rank], np.nan)


def astropy_healpix() -> ModuleType:
    """The library, or an error that says how to get it."""
    try:
        import astropy_healpix as library
    except ModuleNotFoundError as error:
        if error.name != "astropy_healpix":
            raise
        raise ImportError("maps in HEALPix' pixels need astropy-healpix: pip install 'awd-cosmo[healpix]'") from None
    return library  # type: ignore[no-any-return]


def read_healpix(
    file: str | os.PathLike[str],
    *,
    ordering: str | None = None,
    column: str | None = None,
    hdu: int | str | None = None,
) -> HealpixMap:
    """Read a map in HEALPix' pixels.

    Parameters
    ----------
    file : path
        A FITS file with a table, or .npy with 12 nside² numbers.
    ordering : {"ring", "nested"}, optional
        How its pixels are numbered, where its header does not say it (ORDERING).
    column : str, optional
        Of the convergence; needed where there are several.
    hdu : int or str, optional
        Number or name of the table's HDU; otherwise the first table.

    Raises
    ------
    BadMap
        If it holds no such map, or contradicts itself; the message names it.
    """
    place = Path(file)
    if ordering is not None:
        check_choice("ordering", ordering, ORDERINGS)
    if place.suffix.lower() == ".npy":
        try:
            array = np.load(place, allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise _bad(place, "it is no array of numbers that NumPy has saved, or not all of it") from error
        if ordering is None:
            raise _bad(place, "nothing tells how its pixels are numbered; give --ordering ring or nested")
        return _whole(place, array, ordering, "C")
    try:
        with fits.open(place, memmap=False) as opened:
            table = _table(place, opened, hdu)
            header, data = table.header, table.data
            names = list(table.columns.names)
    except (OSError, TypeError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise _bad(place, f"it is no FITS file, or not all of it ({error})") from error
    told = _ordering(place, header, ordering)
    frame = str(header.get("COORDSYS", "C")).strip().upper()[:1].replace("Q", "C") or "C"
    if frame not in FRAMES:
        raise _bad(place, f"its COORDSYS is {header['COORDSYS']!r}; C, G and E are known")
    explicit = str(header.get("INDXSCHM", "")).strip().upper() == "EXPLICIT" or header.get("OBJECT") == "PARTIAL"
    if not explicit:
        name = _column(place, names, column)
        return _whole(place, np.asarray(data[name]), told, frame, header.get("NSIDE"))
    pixel = next((name for name in names if name.upper() in ("PIXEL", "PIX", "IPIX", "PIXELS")), names[0])
    if "NSIDE" not in header:
        raise _bad(place, "it lists pixels by number, but its header has no NSIDE")
    name = _column(place, [one for one in names if one != pixel], column)
    return _part(place, np.ravel(data[pixel]), np.ravel(data[name]), header["NSIDE"], told, frame)


def _table(file: Path, opened: Any, hdu: int | str | None) -> Any:
    if hdu is None:
        found = next((one for one in opened if isinstance(one, fits.BinTableHDU) and one.columns.names), None)
    else:
        try:
            found = opened[hdu]
        except (KeyError, IndexError):
            raise _bad(
                file, f"it has no HDU {hdu!r}; it has {[one.name or k for k, one in enumerate(opened)]}"
            ) from None
    if not isinstance(found, fits.BinTableHDU):
        raise _bad(file, "it holds no table, and so no map in HEALPix' pixels" + ("" if hdu is None else " there"))
    return found


def _ordering(file: Path, header: Any, asked: str | None) -> str:
    said = str(header.get("ORDERING", "")).strip().upper()
    told = {"RING": "ring", "NESTED": "nested", "NEST": "nested"}.get(said)
    if told is None and asked is None:
        raise _bad(file, f"its ORDERING is {said!r}; give --ordering ring or nested")
    if told is not None and asked is not None and told != asked:
        raise _bad(file, f"its ORDERING is {said}, which contradicts --ordering {asked}")
    return told or str(asked)


def _column(file: Path, names: list[str], asked: str | None) -> str:
    if asked is not None:
        if asked not in names:
            raise _bad(file, f"it has no column {asked!r}; it has {', '.join(names)}")
        return asked
    if len(names) != 1:
        raise _bad(file, f"it has the columns {', '.join(names)}; tell that of the convergence with --column")
    return names[0]


def _whole(file: Path, values: AnyArray, ordering: str, frame: str, said: Any = None) -> HealpixMap:
    flat = _seen(file, values)
    nside = math.isqrt(len(flat) // 12) if len(flat) else 0
    if not nside or 12 * nside**2 != len(flat):
        raise _bad(file, f"it holds {len(flat)} values; a whole sky has 12 nside², such as {12 * max(1, nside) ** 2}")
    if said is not None and said != nside:
        raise _bad(file, f"its NSIDE is {said}, but its {len(flat)} values are those of {nside}")
    return HealpixMap(flat, _nside(file, nside, ordering), ordering, None, frame)


def _part(file: Path, pixels: AnyArray, values: AnyArray, nside: Any, ordering: str, frame: str) -> HealpixMap:
    flat = _seen(file, values)
    side = _nside(file, nside, ordering)
    if not np.issubdtype(pixels.dtype, np.integer) or len(pixels) != len(flat) or not len(flat):
        raise _bad(file, f"{len(pixels)} pixel numbers ({pixels.dtype}) do not go with {len(flat)} values")
    if pixels.min() < 0 or pixels.max() >= 12 * side**2:
        raise _bad(
            file, f"its pixels are numbered {pixels.min()} to {pixels.max()}; NSIDE {side} has 0 to {12 * side**2 - 1}"
        )
    order = np.argsort(pixels, kind="stable")
    numbers = pixels[order].astype(np.int64)
    if (twice := numbers[1:][numbers[1:] == numbers[:-1]]).size:
        raise _bad(file, f"pixel {twice[0]} is there twice, and {len(twice) - 1} others may be")
    return HealpixMap(flat[order], side, ordering, numbers, frame)


def _nside(file: Path, nside: Any, ordering: str) -> int:
    if not isinstance(nside, int) or nside < 1:
        raise _bad(file, f"its NSIDE is {nside!r}; it must be a whole number of 1 or more")
    if ordering == "nested" and nside & (nside - 1):
        raise _bad(file, f"its NSIDE is {nside}; nested pixels need a power of two")
    return nside


def _seen(file: Path, values: AnyArray) -> Array:
    if values.dtype.kind not in "fiu":
        raise _bad(file, f"it holds {values.dtype}; numbers are asked for")
    single = values.dtype.kind == "f" and values.dtype.itemsize <= 4
    flat: Array = np.array(np.ravel(values), np.float32 if single else np.float64)
    flat[~(np.abs(flat) < UNSEEN)] = np.nan
    return flat


def _bad(file: Path, reason: str) -> BadMap:
    return BadMap([(str(file), reason)])
