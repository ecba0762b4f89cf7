"""Write suites of maps in every layout that is read, with headers that stand on their own.

Whatever the layout, each header has the pixel scale, a WCS, the redshift of the sources and the cosmology, so that a
single file that was moved elsewhere is still understood.
"""

import os
import shutil
import tarfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
from astropy import units
from astropy.table import QTable

from awd_core.checks import check_kind
from awd_core.files import make_atomically
from awd_cosmo.formats.fits_writer import write_map
from awd_cosmo.formats.layouts import LAYOUTS, PARAMETER_FILE
from awd_cosmo.formats.map_names import map_folder, map_name
from awd_cosmo.formats.parameter_file import write_parameter_file
from awd_cosmo.formats.parameters import RANGES, UNITS
from awd_cosmo.maps.open import MapSet

TABLE_FILE = "maps.ecsv"
"""The table that names the files, in the layout "table"."""


def map_path(
    root: str | os.PathLike[str],
    layout: str,
    parameters: Mapping[str, float],
    *,
    model: int,
    realisation: int,
    source_redshift: float,
) -> Path:
    """Where a map lies in a suite of a layout.

    Parameters
    ----------
    root : str or path
        The suite's folder.
    layout : str
        One of `awd_cosmo.formats.layouts.LAYOUTS`.
    parameters : mapping
        Of the cosmology: "massivenus" needs M_nu, Omega_m and A_s; "names" needs Omega_m and sigma8.
    model : int
        Number of the cosmology.
    realisation : int
        Number of the realisation, from 1 by custom.
    source_redshift : float
        Of the sources.

    Raises
    ------
    ValueError
        If the layout is unknown, or a parameter that its names tell is missing or outside its range.

    Examples
    --------
    >>> place = map_path("suite", "model", {}, model=7, realisation=3, source_redshift=1.0)
    >>> place.as_posix()
    'suite/model007/WLconv_z1.00_0003r.fits'
    """
    name = map_name(source_redshift, realisation)
    needed = {"massivenus": ("M_nu", "Omega_m", "A_s"), "names": ("Omega_m", "sigma8")}.get(layout, ())
    if missing := [parameter for parameter in needed if parameter not in parameters]:
        raise ValueError(f"the layout {layout!r} tells {', '.join(needed)} in its names; {missing[0]} is missing")
    told = {parameter: float(parameters[parameter]) for parameter in needed}
    match layout:
        case "massivenus":
            return map_folder(Path(root), told, source_redshift) / name
        case "model":
            return Path(root) / f"model{model:03d}" / name
        case "names":
            return Path(root) / f"Om{told['Omega_m']:.3f}_si{told['sigma8']:.3f}" / name
        case "table":
            return Path(root) / "maps" / f"model{model:03d}_{name}"
        case "lenstools":
            return Path(root) / f"model{model:03d}_{name}"
    raise ValueError(f"unknown layout {layout!r}; known are {', '.join(LAYOUTS)}")


class SuiteWriter:
    """Writes a suite map by map; leaving its `with` block writes the file of parameters, if the layout has one.

    Parameters
    ----------
    root : str or path
        The suite's folder; made if it is not there.
    layout : str
        One of `awd_cosmo.formats.layouts.LAYOUTS`.
    pixel_scale : Quantity or float
        Side of a pixel, arcmin if a number.
    source_redshift : float
        Of the sources.
    overwrite : bool
        Whether maps that are there may be replaced.

    Examples
    --------
    >>> import tempfile
    >>> root = Path(tempfile.mkdtemp())
    >>> with SuiteWriter(root, "model", pixel_scale=0.5, source_redshift=1.0) as suite:
    ...     place = suite.write(np.zeros((4, 4), np.float32), {"M_nu": 0.1, "Omega_m": 0.3}, model=1, realisation=1)
    >>> sorted(path.name for path in root.iterdir())
    ['cosmological_parameters.txt', 'model001']
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        layout: str,
        *,
        pixel_scale: Any,
        source_redshift: float,
        overwrite: bool = False,
    ) -> None:
        if layout not in LAYOUTS:
            raise ValueError(f"unknown layout {layout!r}; known are {', '.join(LAYOUTS)}")
        self.root, self.layout = Path(root), layout
        self.pixel_scale, self.source_redshift, self.overwrite = pixel_scale, source_redshift, overwrite
        self._models: dict[int, dict[str, float]] = {}
        self._rows: list[tuple[str, int, int]] = []

    def __enter__(self) -> "SuiteWriter":
        self.root.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.finish()

    def write(self, kappa: npt.ArrayLike, parameters: Mapping[str, float], *, model: int, realisation: int) -> Path:
        """Write a map, (ny, nx), of a cosmology; returns where it lies."""
        values = {name: float(parameters[name]) for name in RANGES if name in parameters}
        if self._models.setdefault(model, values) != values:
            raise ValueError(f"model {model} was {self._models[model]} and is now {values}; number each cosmology once")
        z = self.source_redshift
        place = map_path(self.root, self.layout, values, model=model, realisation=realisation, source_redshift=z)
        place.parent.mkdir(parents=True, exist_ok=True)
        extra = {"MODEL": (model, "number of the cosmology"), "REAL": (realisation, "number of the realisation")}
        options: dict[str, Any] = {"source_redshift": z, "parameters": values, "extra": extra}
        write_map(place, kappa, pixel_scale=self.pixel_scale, overwrite=self.overwrite, **options)
        self._rows.append((place.relative_to(self.root).as_posix(), model, realisation))
        return place

    def finish(self) -> None:
        """Write `cosmological_parameters.txt`, or the table of files, if the layout has one."""
        if not self._rows:
            raise ValueError(f"no map was written to {self.root}: there is nothing to describe")
        names = [name for name in RANGES if all(name in values for values in self._models.values())]
        if self.layout == "model":
            numbers = sorted(self._models)
            columns = {name: [self._models[number][name] for number in numbers] for name in names}
            write_parameter_file(self.root / PARAMETER_FILE, numbers, columns)
        elif self.layout == "table":
            table = QTable({"file": [file for file, _, _ in self._rows]})
            table["realisation"] = [realisation for _, _, realisation in self._rows]
            table["z_s"] = np.full(len(self._rows), float(self.source_redshift))
            for name in names:
                table[name] = [self._models[model][name] for _, model, _ in self._rows] * units.Unit(UNITS[name])
            make_atomically(self.root / TABLE_FILE, lambda beside: table.write(beside, format="ascii.ecsv"))


def write_suite(
    maps: MapSet, root: str | os.PathLike[str], layout: str, *, batch: int = 64, overwrite: bool = False
) -> list[Path]:
    """Write a set of whole maps as a suite, from whatever layout and with whatever was done to them.

    Parameters
    ----------
    maps : MapSet
        Of one source redshift. Realisations keep their numbers; unknown ones are counted in each cosmology, from 1.
    root : str or path
        The suite's folder.
    layout : str
        One of `awd_cosmo.formats.layouts.LAYOUTS`.
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
        If the maps are tiles (which have no place in these layouts), or of several source redshifts, or of none.

    Examples
    --------
    >>> import tempfile
    >>> some = MapSet.from_arrays(np.zeros((2, 4, 4)), pixel_scale=0.5, parameters={"Omega_m": [0.2, 0.3]}, z_s=1.0)
    >>> [place.name for place in write_suite(some, tempfile.mkdtemp(), "model")]
    ['WLconv_z1.00_0001r.fits', 'WLconv_z1.00_0001r.fits']
    """
    table = check_kind("maps", maps, MapSet).table
    if np.any(np.asarray(table["tile"]) >= 0):
        raise ValueError("tiles have no place in the layouts of suites; write the whole maps, and cut them when read")
    redshifts = np.unique(np.asarray(table["z_s"]))
    if len(redshifts) != 1 or np.isnan(redshifts[0]):
        shown = ", ".join(f"{z:g}" for z in redshifts)
        raise ValueError(f"a suite is written for one source redshift, these maps have {shown}; select one")
    names = [name for name in RANGES if name in table.colnames]
    values = maps.parameters(names)
    counted: dict[int, int] = {}
    written = []
    scale = maps.arcmin_per_pixel
    with SuiteWriter(
        root, layout, pixel_scale=scale, source_redshift=float(redshifts[0]), overwrite=overwrite
    ) as suite:
        for start, stack in zip(range(0, len(maps), batch), maps.batches(batch), strict=True):
            for row, kappa in enumerate(stack, start=start):
                model, realisation = int(table["cosmology"][row]), int(table["realisation"][row])
                if realisation < 0:
                    realisation = counted[model] = counted.get(model, 0) + 1
                known = {n: float(v) for n, v in zip(names, values[row], strict=True) if not np.isnan(v)}
                written.append(suite.write(kappa, known, model=model, realisation=realisation))
    return written


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
    from awd_cosmo.formats.parameters import is_massivenus_name

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
