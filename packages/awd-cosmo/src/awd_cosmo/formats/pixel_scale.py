"""The side of a pixel as a number, from whatever it is given as; without astropy, since a saved model needs it too."""

from typing import Any

import numpy as np

from awd_core.checks import is_real_number


def arcmin_per_pixel(pixel_scale: Any) -> float:
    """Pixel scale as a number of arcmin.

    Parameters
    ----------
    pixel_scale : float or astropy Quantity
        Arcmin, or an angle with its unit (per pixel or not).

    Raises
    ------
    ValueError
        If it is not a positive angle.

    Examples
    --------
    >>> arcmin_per_pixel(0.41)
    0.41
    >>> from astropy import units
    >>> arcmin_per_pixel(30 * units.arcsec / units.pixel)
    0.5
    """
    value = pixel_scale
    if hasattr(value, "to_value"):
        unit = "arcmin / pix" if "pix" in {str(base) for base in value.unit.bases} else "arcmin"
        try:
            value = value.to_value(unit)
        except ValueError as error:  # astropy's UnitConversionError is one, and stays one
            raise type(error)(f"pixel_scale = {pixel_scale} is no angle; give it in arcmin per pixel") from None
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value.item()
    if not (is_real_number(value) and value > 0):
        raise ValueError(
            f"pixel_scale must be a positive angle, in arcmin or with a unit; {pixel_scale!r} must be positive, finite"
        )
    return float(value)
