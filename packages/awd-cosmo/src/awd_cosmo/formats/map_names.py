"""Names of files and folders of maps, as MassiveNuS has them: written and read here, whatever the layout."""

import re
from collections.abc import Mapping
from pathlib import Path

from awd_cosmo.formats.parameters import massivenus_name

_FOLDER = re.compile(r"^Maps(\d+)$")
_REALISATION = re.compile(r"_(\d+)r?\.fits?(\.gz|\.fz)?$", re.IGNORECASE)


def map_name(source_redshift: float, realisation: int) -> str:
    """Name of the file of a map; realisations count from 1.

    Examples
    --------
    >>> map_name(1.0, 7)
    'WLconv_z1.00_0007r.fits'
    """
    return f"WLconv_z{source_redshift:.2f}_{realisation:04d}r.fits"


def realisation_of(file: str) -> int:
    """Number of the realisation that the name of a file tells, −1 if it tells none.

    Examples
    --------
    >>> realisation_of("Maps10/WLconv_z1.00_0007r.fits"), realisation_of("map_12.fit.gz"), realisation_of("kappa.fits")
    (7, 12, -1)
    """
    found = _REALISATION.search(file)
    return int(found[1]) if found else -1


def redshift_folder(source_redshift: float) -> str:
    """Name of the folder of the maps of a model, for sources at a redshift.

    Examples
    --------
    >>> redshift_folder(1.0), redshift_folder(0.5)
    ('Maps10', 'Maps05')
    """
    return f"Maps{round(10 * source_redshift):02d}"


def map_folder(root: Path, values: Mapping[str, float], source_redshift: float) -> Path:
    """Folder of the maps of a cosmology, named as MassiveNuS names it."""
    name = massivenus_name(values["M_nu"], values["Omega_m"], values["A_s"])
    return root / name / redshift_folder(source_redshift)


def redshift_of_folder(name: str) -> float | None:
    """Redshift of the sources that the name of such a folder tells; None for another folder.

    Examples
    --------
    >>> redshift_of_folder("Maps05"), redshift_of_folder("Maps")
    (0.5, None)
    """
    found = _FOLDER.match(name)
    return int(found[1]) / 10 if found else None
