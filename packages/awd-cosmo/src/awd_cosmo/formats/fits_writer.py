"""Convergence maps written to FITS files, as DS9 and LensTools read them; `awd_cosmo.formats.fits` reads them back."""

import gzip
import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from astropy.io import fits

from awd_core.checks import check_ending, plain_array
from awd_core.files import write_atomically
from awd_cosmo.formats.parameters import PARAMETERS, check_parameters, check_redshift
from awd_cosmo.formats.pixel_scale import arcmin_per_pixel

ENDINGS = (".fits", ".fit", ".fits.gz", ".fit.gz")
"""How the names of files end that maps are written to."""


def write_map(
    path: str | os.PathLike[str],
    kappa: npt.ArrayLike,
    *,
    pixel_scale: Any,
    source_redshift: float | None = None,
    parameters: Mapping[str, float] | None = None,
    extra: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> None:
    """Write one map to the primary HDU of a FITS file, with a header that DS9 and LensTools read.

    Parameters
    ----------
    path : str or path
        The file, never seen half-written; its name ends in .fits or .fit, and in .gz where it is to be compressed.
        Its folder must exist.
    kappa : array_like, shape (ny, nx)
        Convergence, float32 or float64. The first row is at the bottom of the sky.
    pixel_scale : Quantity or float
        Side of a pixel; arcmin if a number.
    source_redshift : float, optional
        Written as `Z`.
    parameters : mapping, optional
        Of the cosmology, by our names.
    extra : mapping, optional
        More cards: keyword to value, or to (value, comment); they take the place of cards of the same keyword.
    overwrite : bool
        Whether a file that is there may be replaced.

    Raises
    ------
    FileExistsError
        If the file is there and is not to be replaced.
    ValueError, TypeError
        If κ is no map of floats, the name ends otherwise, or a parameter is outside its range.

    Notes
    -----
    `ANGLE` (side in degrees) is LensTools' and holds for squares only. The WCS is gnomonic (TAN); where on the sky a
    simulated map lies is not known, so that its centre is put at (0, 0).

    Examples
    --------
    >>> import tempfile
    >>> from astropy import units
    >>> place = Path(tempfile.mkdtemp()) / "map.fits"
    >>> write_map(place, np.zeros((512, 512)), pixel_scale=3.5 / 512 * units.deg, source_redshift=1.0)
    >>> fits.getheader(place)["ANGLE"]
    3.5
    """
    array = plain_array(kappa, "kappa")
    if array.dtype not in (np.float32, np.float64):
        raise TypeError(f"a map must be float32 or float64, got {array.dtype}")
    if array.ndim != 2 or array.size == 0:
        raise ValueError(f"a map must have the shape (ny, nx), got {array.shape}; write the maps of a stack one by one")
    path = Path(path)
    check_ending(path, ENDINGS, "a map in a FITS file")
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} is there already; pass overwrite=True to replace it")
    check_redshift(source_redshift)
    parameters = {} if parameters is None else parameters
    check_parameters(parameters, "the parameters to write")
    ny, nx = array.shape
    side = arcmin_per_pixel(pixel_scale) / 60.0
    cards: list[tuple[str, Any, str]] = [
        *([("ANGLE", float(f"{side * nx:.14g}"), "[deg] side of the map")] if ny == nx else []),
        ("ITYPE", "ConvergenceMap", "kappa, dimensionless"),
        ("BUNIT", "", "kappa has no unit"),
        ("CTYPE1", "RA---TAN", "the position on the sky is nominal"),
        ("CTYPE2", "DEC--TAN", "the position on the sky is nominal"),
        ("CUNIT1", "deg", ""),
        ("CUNIT2", "deg", ""),
        ("CRPIX1", (nx + 1) / 2, "[pixel] centre of the map"),
        ("CRPIX2", (ny + 1) / 2, "[pixel] centre of the map"),
        ("CRVAL1", 0.0, "[deg]"),
        ("CRVAL2", 0.0, "[deg]"),
        ("CDELT1", -side, "[deg / pixel]"),
        ("CDELT2", side, "[deg / pixel]"),
    ]
    if source_redshift is not None:
        cards.append(("Z", float(source_redshift), "redshift of the sources"))
    for name, value in parameters.items():
        if name == "h":
            cards.append(("H0", round(100 * float(value), 10), "[km / s / Mpc] Hubble constant"))
        else:
            unit = f"[{PARAMETERS[name].unit}] " if PARAMETERS[name].unit else ""
            cards.append(
                (
                    PARAMETERS[name].card,
                    float(value),
                    unit + PARAMETERS[name].meaning.replace("⁹", "^9").replace("×", "x"),
                )
            )
    cards = [card for card in cards if card[0] not in (extra or {})]
    for key, value in (extra or {}).items():
        cards.append((key, *value) if isinstance(value, tuple) else (key, value, ""))
    file = io.BytesIO()
    fits.PrimaryHDU(array, fits.Header([fits.Card(*card) for card in cards])).writeto(file)
    content = file.getvalue()
    write_atomically(path, gzip.compress(content, 6, mtime=0) if path.suffix == ".gz" else content)
