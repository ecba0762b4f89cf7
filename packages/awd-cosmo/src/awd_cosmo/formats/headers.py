"""What the header of a map says, wherever it says it: pixel scale, source redshift, cosmology.

LensTools writes `ANGLE`, the side in degrees; others have a WCS; MassiveNuS' own maps leave the redshift to the name of
the file. Each figure is kept with its source, so that the account of a suite can say what was read and what was taken
for granted.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from astropy import units

from awd_cosmo.formats.archives import BadMap
from awd_cosmo.formats.parameters import Ranges, as_parameter, check_parameters
from awd_cosmo.formats.pixel_scale import arcmin_per_pixel

_REDSHIFT_CARDS = ("Z", "ZS", "Z_S", "ZSOURCE")
_PARAMETER_CARDS = ("OMEGA_M", "OMEGAM", "M_NU", "MNU", "A_S", "SIGMA8", "SIGMA_8", "H0", "H", "N_S", "NS", "W0")
_DECIMAL_Z = re.compile(r"(?:^|_)z(\d+\.\d+)(?=_|r|\.(?i:fit)|$)")
_HUNDREDTHS_Z = re.compile(r"(?:^|_)z(\d{2,4})(?=_|\.(?i:fit)|$)")
_CONVERGENCE = ("convergence", "kappa")
_UNITS = ("UNIT", "BUNIT")
ANY = "any"
"""In place of an ITYPE: whatever headers say that their maps are."""


@dataclass(frozen=True)
class MapHeader:
    """What a file says of its map.

    Parameters
    ----------
    file : str
        Where it was read from; a member of a tar as "archive.tar!member".
    hdu : int
        Number of the HDU, from 0.
    shape : tuple of int
        (ny, nx).
    arcmin_per_pixel : float
        NaN where it is unknown.
    pixel_scale_source : str
        Where that comes from: "ANGLE", "CD", "CDELT" or "option"; empty where it is unknown.
    source_redshift : float
        NaN where it is unknown.
    source_redshift_source : str
        Where that comes from.
    parameters : dict
        Of the cosmology, by our names; what the header has.
    notes : tuple of str
        What a careful reader wants to know.
    """

    file: str
    hdu: int
    shape: tuple[int, int]
    arcmin_per_pixel: float = math.nan
    pixel_scale_source: str = ""
    source_redshift: float = math.nan
    source_redshift_source: str = ""
    parameters: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def pixel_scale(self) -> units.Quantity:
        """Side of a pixel, arcmin / pixel."""
        return self.arcmin_per_pixel * units.arcmin / units.pixel


class Cards(dict[str, Any]):
    """Keyword to value; `said` is what was once read of them, which maps with the same header share.

    `altered` is whether they are others than those that their CHECKSUM was made of.
    """

    def __init__(self, cards: Mapping[str, Any] | None = None) -> None:
        super().__init__(cards or {})
        self.said: dict[Any, MapHeader] = {}
        self.altered = False


def describe(
    cards: Mapping[str, Any],
    name: str,
    hdu: int,
    shape: tuple[int, ...],
    *,
    pixel_scale: Any = None,
    source_redshift: float | None = None,
    ranges: Ranges | None = None,
    itype: str | None = None,
) -> MapHeader:
    """What the cards of a header, the name of the file and the caller's options say of a map.

    Parameters
    ----------
    cards : mapping
        Keyword to value.
    name, hdu, shape
        As in `MapHeader`.
    pixel_scale, source_redshift, ranges, itype
        As in `read_map`.

    Returns
    -------
    MapHeader
        With the source of each figure.

    Raises
    ------
    BadMap
        If it holds no convergence, ANGLE and WCS disagree, pixels are not square, or a parameter is outside its range.
    """
    notes: list[str] = []
    ny, nx = shape
    try:
        _check_convergence(cards, itype)
        scale, scale_source = _pixel_scale(cards, ny, nx) if pixel_scale is None else (math.nan, "")
        if pixel_scale is not None:
            scale, scale_source = arcmin_per_pixel(pixel_scale), "option"
        z, z_source = _redshift(cards, name, notes)
        if source_redshift is not None:
            z, z_source = float(source_redshift), "option"
        parameters = _parameters(cards)
        check_parameters(parameters, "its header", ranges)
    except ValueError as error:
        raise BadMap([(name, str(error))]) from error
    if getattr(cards, "altered", False):
        notes.append("its header is another than its CHECKSUM was made of: edited since, or damaged")
    return MapHeader(name, hdu, (ny, nx), scale, scale_source, z, z_source, parameters, tuple(notes))


def _parameters(cards: Mapping[str, Any]) -> dict[str, float]:
    parameters: dict[str, float] = {}
    for card in _PARAMETER_CARDS:
        if (value := _number(cards, card)) is not None and (found := as_parameter(card, value)) is not None:
            parameters.setdefault(found[0], round(float(found[1]), 12))
    return parameters


def _check_convergence(cards: Mapping[str, Any], itype: str | None) -> None:
    """Refuse potential, density, shear: what a header calls otherwise, or gives a unit."""
    kind = str(cards.get("ITYPE") or "").strip()
    if itype == ANY or (kind and kind == itype):
        return
    if kind and not any(word in kind.lower() for word in _CONVERGENCE):
        raise ValueError(
            f"it is no convergence map, but ITYPE = {kind!r}; if that is convergence, give --itype {kind} "
            f"(itype={kind!r})"
        )
    for key in _UNITS:
        text = str(cards.get(key) or "").strip()
        if not _is_dimensionless(text):
            raise ValueError(
                f"it is no convergence map, which has no unit: {key} = {text!r}; if it is one, give --itype any "
                "(itype='any')"
            )


@lru_cache(maxsize=64)
def _is_dimensionless(text: str) -> bool:
    """Whether a unit says nothing: words that are no unit, such as kappa, do not either."""
    try:
        unit = units.Unit(text)
    except (ValueError, TypeError):
        return True
    return bool(unit.is_equivalent(units.dimensionless_unscaled)) and unit.decompose().scale == 1


def _number(cards: Mapping[str, Any], key: str) -> float | None:
    value = cards.get(key)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _pixel_scale(cards: Mapping[str, Any], ny: int, nx: int) -> tuple[float, str]:
    angle = _number(cards, "ANGLE")
    wcs, source = _wcs_scale(cards)
    if angle is None:
        return wcs, source
    if angle <= 0:
        raise ValueError(f"ANGLE = {angle:g} must be the side of the map in degrees; give --pixel-scale (pixel_scale=)")
    if ny != nx:
        if source:
            return wcs, source
        raise ValueError(
            f"ANGLE is the side of a square map, but this one is {ny} × {nx}; give --pixel-scale (pixel_scale=)"
        )
    arcmin = 60.0 * angle / nx
    if source and abs(wcs / arcmin - 1) > 0.01:
        raise ValueError(
            f"ANGLE gives {arcmin:.4g} arcmin per pixel, but {source} {wcs:.4g}; give --pixel-scale (pixel_scale=)"
        )
    return arcmin, "ANGLE"


def _wcs_scale(cards: Mapping[str, Any]) -> tuple[float, str]:
    kind, unit = str(cards.get("CTYPE1") or ""), str(cards.get("CUNIT1") or "").strip()
    celestial = re.match(r"(RA--|DEC-|.LON|.LAT)", kind) is not None
    if not unit and not celestial:
        return math.nan, ""  # a linear axis without a unit is no angle
    try:
        to_arcmin = float(units.Unit(unit or "deg").to(units.arcmin))
    except (ValueError, units.UnitConversionError):
        return math.nan, ""
    cd = [_number(cards, key) for key in ("CD1_1", "CD1_2", "CD2_1", "CD2_2")]
    if any(value is not None for value in cd):
        source = "CD"
        a, b, c, d = (value or 0.0 for value in cd)
    else:
        x_step, y_step = _number(cards, "CDELT1"), _number(cards, "CDELT2")
        if x_step is None or y_step is None:
            return math.nan, ""
        source = "CDELT"
        turn = [_number(cards, key) for key in ("PC1_1", "PC1_2", "PC2_1", "PC2_2")]
        steps, straight = (x_step, x_step, y_step, y_step), (1.0, 0.0, 0.0, 1.0)
        a, b, c, d = (
            step * (default if value is None else value)
            for value, default, step in zip(turn, straight, steps, strict=True)
        )
    along_x, along_y = math.hypot(a, c), math.hypot(b, d)
    if along_x == 0 or along_y == 0:
        return math.nan, ""
    if abs(along_x / along_y - 1) > 0.01:
        raise ValueError(
            f"its pixels are not square by {source}: {along_x * to_arcmin:.4g} × {along_y * to_arcmin:.4g} arcmin"
        )
    return math.sqrt(abs(a * d - b * c)) * to_arcmin, source


def _redshift(cards: Mapping[str, Any], name: str, notes: list[str]) -> tuple[float, str]:
    from_name, how = redshift_from_name(name)
    for card in _REDSHIFT_CARDS:
        z = _number(cards, card)
        if z is not None:
            if how and abs(z - from_name) > 0.005:
                notes.append(f"source redshift {z:g} by {card}, though the name says {from_name:g}")
            return z, card
    return from_name, how


def redshift_from_name(name: str) -> tuple[float, str]:
    """Source redshift that the name of a file tells, and how it was read; (NaN, "") if it tells none.

    Examples
    --------
    >>> redshift_from_name("WLconv_z1.00_0001r.fits")
    (1.0, 'file name')
    >>> redshift_from_name("convergence_z103.fit")
    (1.03, 'file name, taken for hundredths')
    """
    last = re.split(r"[/\\!]", name)[-1]
    if found := _DECIMAL_Z.search(last):
        return float(found[1]), "file name"
    if found := _HUNDREDTHS_Z.search(last):
        return int(found[1]) / 100, "file name, taken for hundredths"
    return math.nan, ""
