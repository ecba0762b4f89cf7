"""Suites of maps, written as MassiveNuS was released or with a table that names the files.

Either way each header has the pixel scale, a WCS, the redshift of the sources and the cosmology, so that a single file
that was moved elsewhere is still understood.
"""

import os
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
from astropy import units
from astropy.table import QTable

from awd_core.checks import check_choice, check_kind
from awd_core.files import make_atomically
from awd_cosmo.formats.fits_writer import write_map
from awd_cosmo.formats.map_names import map_folder, map_name
from awd_cosmo.formats.parameters import RANGES, UNITS, is_massivenus_name
from awd_cosmo.maps.map_set import MapSet

TABLE_FILE = "maps.ecsv"
"""The table that names the files, in the layout "table"."""


def write_suite(
    maps: MapSet,
    root: str | os.PathLike[str],
    layout: Literal["massivenus", "table"],
    *,
    batch: int = 64,
    overwrite: bool = False,
) -> list[Path]:
    """Write a set of whole maps as a suite, from whatever layout and with whatever was done to them.

    Parameters
    ----------
    maps : MapSet
        Of one source redshift. Realisations keep their numbers; unknown ones are counted in each cosmology, from 1.
    root : str or path
        The suite's folder; made if it is not there.
    layout : {"massivenus", "table"}
        Folders that are named by M_nu, Omega_m and A_s, as MassiveNuS was released; or a folder `maps` and `maps.ecsv`,
        the table that names them.
    batch : int
        Maps in memory at a time.
    overwrite : bool
        Whether maps that are there may be replaced.

    Returns
    -------
    list of Path
        The files, in the order of the maps.

    Raises
    ------
    ValueError
        If the layout is another, the maps are tiles (which have no place in these layouts), or of several source
        redshifts, or of none, or "massivenus" lacks a parameter that its names tell.

    Examples
    --------
    >>> import tempfile
    >>> some = MapSet.from_arrays(np.zeros((2, 4, 4)), pixel_scale=0.5, parameters={"Omega_m": [0.2, 0.3]}, z_s=1.0)
    >>> [place.name for place in write_suite(some, tempfile.mkdtemp(), "table")]
    ['model000_WLconv_z1.00_0001r.fits', 'model001_WLconv_z1.00_0001r.fits']
    """
    table = check_kind("maps", maps, MapSet).table
    check_choice("layout", layout, ("massivenus", "table"), required=True)
    if np.any(np.asarray(table["tile"]) >= 0):
        raise ValueError("tiles have no place in the layouts of suites; write the whole maps, and cut them when read")
    redshifts = np.unique(np.asarray(table["z_s"]))
    if len(redshifts) != 1 or np.isnan(redshifts[0]):
        shown = ", ".join(f"{z:g}" for z in redshifts)
        raise ValueError(f"a suite is written for one source redshift, these maps have {shown}; select one")
    z = float(redshifts[0])
    names = [name for name in RANGES if name in table.colnames]
    values = maps.parameters(names)
    if layout == "massivenus" and (missing := [name for name in ("M_nu", "Omega_m", "A_s") if name not in names]):
        raise ValueError(f"the layout 'massivenus' tells M_nu, Omega_m and A_s in its names; {missing[0]} is missing")
    realisations = list(_realisations(table))
    stacks = (kappa for stack in maps.batches(batch) for kappa in stack)
    files = []
    for row, (kappa, model, realisation) in enumerate(zip(stacks, table["cosmology"], realisations, strict=True)):
        known = {n: float(v) for n, v in zip(names, values[row], strict=True) if not np.isnan(v)}
        name = map_name(z, realisation)
        if layout == "massivenus":
            file = map_folder(Path(root), known, z) / name
        else:
            file = Path(root) / "maps" / f"model{model:03d}_{name}"
        file.parent.mkdir(parents=True, exist_ok=True)
        extra = {"MODEL": (int(model), "number of the cosmology"), "REAL": (realisation, "number of the realisation")}
        write_map(
            file,
            kappa,
            pixel_scale=maps.arcmin_per_pixel,
            source_redshift=z,
            parameters=known,
            extra=extra,
            overwrite=overwrite,
        )
        files.append(file)
    if layout == "table":
        rows = QTable({"file": [file.relative_to(root).as_posix() for file in files], "realisation": realisations})
        rows["z_s"] = np.full(len(files), z)
        for name, column in zip(names, values.T, strict=True):
            if not np.isnan(column).any():
                rows[name] = column * units.Unit(UNITS[name])
        make_atomically(Path(root) / TABLE_FILE, lambda beside: rows.write(beside, format="ascii.ecsv"))
    return files


def _realisations(table: QTable) -> Iterator[int]:
    """Number of each map's realisation; unknown ones are counted in each cosmology."""
    counted: dict[int, int] = {}
    for model, realisation in zip(table["cosmology"].tolist(), table["realisation"].tolist(), strict=True):
        if realisation < 0:
            realisation = counted[model] = counted.get(model, 0) + 1
        yield realisation


def pack_models(root: str | os.PathLike[str], *, remove: bool = False) -> list[Path]:
    """Pack each model's folder of the layout "massivenus" into a tar, as the suite was released.

    Parameters
    ----------
    root : str or path
        The suite's folder.
    remove : bool
        Whether a folder is removed once its tar is whole.

    Returns
    -------
    list of Path
        The tars. The same maps give the same bytes: times and owners are left out.

    Raises
    ------
    ValueError
        If there is no such folder.
    """
    if not Path(root).is_dir():
        raise FileNotFoundError(f"there is no folder {root} with models to pack; check the name")
    folders = sorted(path for path in Path(root).iterdir() if path.is_dir() and is_massivenus_name(path.name))
    if not folders:
        raise ValueError(f"{root} holds no folder of a MassiveNuS model to pack")

    def bare(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.mtime, member.uid, member.gid, member.uname, member.gname = 0, 0, 0, "", ""
        return member

    tars = []
    for folder in folders:
        files = sorted(path for path in folder.rglob("*") if path.is_file())

        def make(beside: Path, folder: Path = folder, files: list[Path] = files) -> None:
            with tarfile.open(beside, "w") as tar:
                for file in files:
                    tar.add(file, file.relative_to(folder).as_posix(), filter=bare)

        target = folder.with_name(folder.name + ".tar")
        make_atomically(target, make)
        tars.append(target)
        if remove:
            shutil.rmtree(folder)
    return tars
