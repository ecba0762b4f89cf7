"""σ8 and S8 of maps whose names and tables do not tell them, where their headers do."""

import numpy as np

from awd_core.typing import Array
from awd_cosmo.formats.archives import BadMap
from awd_cosmo.formats.fits import read_header
from awd_cosmo.maps.map_set import MapSet


def with_amplitudes(maps: MapSet, wanted: tuple[str, ...], itype: str | None) -> None:
    """Give maps the columns sigma8 and S8 where they are wanted, are missing, and follow from what is told.

    σ8 is that of the header of one map of each cosmology, as our own simulations write it; S8 is σ8 √(Ω_m / 0.3).
    """
    missing = {"sigma8", "S8"} & set(wanted) - set(maps.table.colnames)
    if not missing or "Omega_m" not in maps.table.colnames:
        return
    if "sigma8" not in maps.table.colnames and (found := _of_headers(maps, itype)) is not None:
        maps.table["sigma8"] = found
        maps.account += "\nσ8 is that of one header of each cosmology"
    if "S8" in missing and "sigma8" in maps.table.colnames:
        sigma8, omega_m = maps.parameters(["sigma8", "Omega_m"]).T
        maps.table["S8"] = sigma8 * np.sqrt(omega_m / 0.3)
        maps.account += "\nS8 is σ8 √(Ω_m / 0.3) of the maps' parameters"


def _of_headers(maps: MapSet, itype: str | None) -> Array | None:
    """σ8 of each map; None if a header does not tell it."""
    cosmology = np.asarray(maps.table["cosmology"], np.int64)
    known, first, of_each = np.unique(cosmology, return_index=True, return_inverse=True)
    files, values = maps.files, np.full(len(known), np.nan)
    for place, row in enumerate(first):
        try:
            values[place] = read_header(files[row], itype=itype).parameters.get("sigma8", np.nan)
        except (BadMap, OSError, ValueError):
            return None
        if np.isnan(values[place]):
            return None
    return values[of_each.reshape(-1)]
