"""How suites of maps lie on the disk: recognise it, say what was recognised, and list the maps with their cosmologies.

Names of files tell nearly everything, so that listing a suite opens one map a model (its header gives size and pixel
scale); only a plain folder without a table has to be asked file by file. What was taken for granted stands in the
account, and what does not fit is named with its reason.

Layouts, by name:

massivenus   `convergence_gal_mnv…_om…_As….tar`, or the same unpacked, with `Maps10/WLconv_z1.00_0001r.fits` inside
model        `model001/WLconv_z1.00_0001r.fits` and `cosmological_parameters.txt`
names        `Om0.260_si0.800/WLconv_z1.00_0001r.fits`
table        a CSV, ECSV or FITS table with a column of files and columns of parameters
lenstools    FITS files in one folder, parameters (if any) in their headers
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from awd_core.checks import check_choice
from awd_core.workers import Workers, open_workers
from awd_cosmo.formats.archives import MEMBER, BadMap, tar_members
from awd_cosmo.formats.asked_headers import read_headers
from awd_cosmo.formats.headers import redshift_from_name
from awd_cosmo.formats.listing import Listing, build_listing
from awd_cosmo.formats.map_names import realisation_of, redshift_folder, redshift_of_folder
from awd_cosmo.formats.parameters import Ranges, check_ranges, is_massivenus_name, parse_name
from awd_cosmo.formats.redshifts import DEFAULT_REDSHIFT, models_at_redshift
from awd_cosmo.formats.suite_models import Found, Model
from awd_cosmo.formats.tables import Columns, find_table, read_map_table, read_parameter_file

LAYOUTS = ("massivenus", "model", "names", "table", "lenstools")

PARAMETER_FILE = "cosmological_parameters.txt"

_FITS = re.compile(r"\.fits?(\.gz|\.fz)?$", re.IGNORECASE)
_MODEL = re.compile(r"^model_?(\d+)$")


@dataclass(frozen=True)
class Layout:
    """A layout that was recognised.

    Parameters
    ----------
    name : str
        One of `LAYOUTS`.
    root : Path
        The folder that names of files are relative to.
    entries : tuple of str
        Models (folders, tars) or files that belong to it, relative to the root, in order.
    reason : str
        What it was recognised by.
    notes : tuple of str
        What lies there and was not used.
    """

    name: str
    root: Path
    entries: tuple[str, ...]
    reason: str
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"layout {self.name}: {self.reason}"


def recognise(path: str | os.PathLike[str], layout: str = "auto", columns: Columns = None) -> Layout:
    """How the maps at a path are laid out.

    Parameters
    ----------
    path : str or path
        A folder, or one model's folder or tar, or one FITS file, or the table that names the files.
    layout : str
        One of `LAYOUTS`, or "auto" to go by the names.
    columns
        As for `list_maps`.

    Returns
    -------
    Layout
        Print it for an account.

    Raises
    ------
    FileNotFoundError
        If nothing is there.
    ValueError
        If no layout is recognised (the message says what was seen), or more than one.

    Examples
    --------
    >>> import tempfile
    >>> root = Path(tempfile.mkdtemp())
    >>> (root / "Om0.260_si0.800").mkdir()
    >>> print(recognise(root))
    layout names: 1 folder that tells its parameters, as Om0.260_si0.800
    """
    root = Path(path)
    check_choice("layout", layout, ["auto", *LAYOUTS], required=True)
    if not root.exists():
        raise FileNotFoundError(f"no maps at {root}: there is no such file or folder")
    found = _candidates(root, columns)
    if layout != "auto":
        match = next((candidate for candidate in found if candidate.name == layout), None)
        if match is None:
            raise ValueError(f"{root} has nothing of the layout {layout!r}; {_seen(root, found)}")
        return match
    suites = [candidate for candidate in found if candidate.name != "lenstools"] or found
    if not suites:
        raise ValueError(f"no layout recognised in {root}; {_seen(root, found)}")
    if len(suites) > 1:
        raise ValueError(
            f"{root} holds more than one layout: {'; '.join(map(str, suites))}. Give --layout (layout=) with one of "
            "their names"
        )
    return suites[0]


def list_maps(
    layout: Layout,
    *,
    source_redshift: float | None = None,
    relabel_redshift: float | None = None,
    pixel_scale: object = None,
    columns: Columns = None,
    pattern: str | None = None,
    hdu: int | str | None = None,
    ranges: Ranges | None = None,
    itype: str | None = None,
    own: Sequence[str] = (),
    workers: int | Workers = 1,
) -> Listing:
    """The maps of a suite with their cosmologies, from names, tables and one header a model.

    Parameters
    ----------
    layout : Layout
        From `recognise`.
    source_redshift : float, optional
        Which redshift to read where there are several (1.00 if not told), or the redshift where nothing tells it.
    relabel_redshift : float, optional
        What the redshift is whatever maps say.
    pixel_scale : Quantity or float, optional
        Side of a pixel, in arcmin if a number, to overrule the headers.
    columns : sequence of str, or mapping of str to str, optional
        Names of the columns of `cosmological_parameters.txt`, where it has no header; or, of any table, which of its
        columns is our "file", "Omega_m" ….
    pattern : str, optional
        Take only files whose name matches, as "convergence_*.fit".
    hdu : int or str, optional
        HDU of the maps, by number or name; otherwise the first image.
    ranges, itype
        As of `awd_cosmo.formats.read_map`.
    own : sequence of str
        Columns of numbers of a table that are parameters, beside those that are known.
    workers : int or Workers, optional
        Processes, or open `awd_core.workers.open`, that read headers.

    Returns
    -------
    Listing
        Table, size, pixel scale, account, and what does not fit.

    Raises
    ------
    ValueError
        If no map is left, a redshift is not there, or the parameters cannot be read.
    """
    check_ranges(ranges or {})
    notes: list[str] = [str(layout), *layout.notes]
    problems: list[tuple[str, str]] = []
    if layout.name == "table":
        models = read_map_table(
            layout.root / layout.entries[0], notes, problems, columns=columns, ranges=ranges, own=own
        )
    elif layout.name == "lenstools":
        models = [_model_of_files(layout)]
    else:
        models = _models(layout, source_redshift, columns, notes, problems, ranges)
    if pattern is not None:
        models = [model.matching(pattern) for model in models]
        notes.append(f"only files that match {pattern!r}")
    chosen = source_redshift is not None or relabel_redshift is None
    if layout.name != "lenstools" and chosen and any(model.parameters for model in models):
        models = models_at_redshift(models, source_redshift, notes)

    ask = partial(read_headers, str(layout.root.absolute()), pixel_scale, None, hdu, ranges=ranges, itype=itype)
    with open_workers(workers) as crew:
        return build_listing(
            layout.name, layout.root, models, ask, crew, notes, problems, source_redshift=source_redshift,
            relabel_redshift=relabel_redshift, ranges=ranges,
        )  # fmt: skip


def _candidates(root: Path, columns: Columns = None) -> list[Layout]:
    if root.is_file():
        return _candidates_of_file(root, columns)
    names = sorted(entry.name for entry in os.scandir(root) if not entry.name.startswith("."))
    few = len(names) < 100_000
    folders = sorted(entry.name for entry in os.scandir(root) if entry.name[0] != "." and entry.is_dir()) if few else []
    found = []

    released = [name for name in names if is_massivenus_name(name)]
    if is_massivenus_name(root.resolve().name):
        found.append(_released(root.resolve().parent, [root.resolve().name]))
    elif released:
        found.append(_released(root, released))
    numbered = [name for name in folders if _MODEL.match(name)]
    if numbered:
        has = "with" if (root / PARAMETER_FILE).is_file() else "without"
        reason = f"{_count(numbered, 'folder')} model%03d, {has} {PARAMETER_FILE}"
        found.append(Layout("model", root, tuple(numbered), reason))
    telling = [name for name in folders if parse_name(name) and not is_massivenus_name(name)]
    if parse_name(root.resolve().name) and not is_massivenus_name(root.resolve().name):
        found.append(_telling(root.resolve().parent, [root.resolve().name]))
    elif telling:
        found.append(_telling(root, telling))
    files = [name for name in names if _FITS.search(name)]
    unused: list[str] = []
    table = find_table(root, names, columns, unused)
    if table is not None:
        found.append(Layout("table", root, (table,), f"the table {table} names files", tuple(unused)))
        files = [name for name in files if name != table]
    if files:
        reason = f"{_count(files, 'FITS file')} in one folder"
        found.append(Layout("lenstools", root, tuple(files), reason, tuple(unused)))
    return found


def _candidates_of_file(path: Path, columns: Columns) -> list[Layout]:
    root, name = path.parent, path.name
    if name.endswith(".tar"):
        return [_released(root, [name])] if is_massivenus_name(name) else []
    unused: list[str] = []
    if find_table(root, [name], columns, unused) is not None:
        return [Layout("table", root, (name,), f"the table {name} names files")]
    if unused:
        raise ValueError(f"{path}: {unused[0]}")
    return [Layout("lenstools", root, (name,), "one FITS file")] if _FITS.search(name) else []


def _released(root: Path, names: list[str]) -> Layout:
    tars = [name for name in names if name.endswith(".tar")]
    kinds = [_count(tars, "tar")] * bool(tars) + [_count(names[len(tars) :], "folder")] * (len(tars) < len(names))
    return Layout("massivenus", root, tuple(names), f"MassiveNuS as released, {' and '.join(kinds)}")


def _telling(root: Path, names: list[str]) -> Layout:
    verb = "that tells its" if len(names) == 1 else "that tell their"
    return Layout("names", root, tuple(names), f"{_count(names, 'folder')} {verb} parameters, as {names[0]}")


def _count(things: Sequence[object], noun: str) -> str:
    return f"{len(things)} {noun}{'' if len(things) == 1 else 's'}"


def _seen(root: Path, found: list[Layout]) -> str:
    if found:
        return "there is: " + "; ".join(map(str, found))
    inside = sorted(entry.name for entry in os.scandir(root)) if root.is_dir() else []
    shown = (
        ", ".join(inside[:5]) + (", …" if len(inside) > 5 else "")
        if inside
        else "nothing"
        if root.is_dir()
        else "a file"
    )
    deeper = [name for name in inside[:50] if (root / name).is_dir() and _candidates(root / name)]
    hint = f". The folder {deeper[0]} inside looks like a suite: pass that" if deeper else ""
    return f"it holds {shown}; known layouts are {', '.join(LAYOUTS)}{hint}"


def _models(
    layout: Layout,
    source_redshift: float | None,
    columns: Columns,
    notes: list[str],
    problems: list[tuple[str, str]],
    ranges: Ranges | None,
) -> list[Model]:
    wanted = DEFAULT_REDSHIFT if source_redshift is None else source_redshift
    entries = list(layout.entries)
    for name in layout.entries:
        if name.endswith(".tar") and name.removesuffix(".tar") in entries:
            entries.remove(name)
            notes.append(f"{name} is there unpacked too: the folder is read, the tar is not")
    models = []
    for name in entries:
        parameters = parse_name(name) if layout.name != "model" else {}
        elsewhere: set[float] = set()
        try:
            if name.endswith(".tar"):
                files = [name + MEMBER + member for member in tar_members(layout.root / name)]
            else:
                files = _files(layout.root, name, wanted, elsewhere)
        except BadMap as error:
            problems.extend(error.bad)
            continue
        if not files:
            notes.append(f"parameters without maps: {name} holds none")
        found = [_found(file) for file in sorted(files)]
        models.append(Model(name, parameters, found, elsewhere=tuple(elsewhere)))
    return _with_parameters(layout, models, columns, notes, problems, ranges) if layout.name == "model" else models


def _files(root: Path, folder: str, wanted: float, elsewhere: set[float]) -> list[str]:
    """FITS files under a folder, relative to the root; of several `MapsNN`, only the one of the wanted redshift."""
    keep = redshift_folder(wanted)
    files = []
    for place, folders, names in os.walk(root / folder):
        if keep in folders:
            others = {name: z for name in folders if name != keep and (z := redshift_of_folder(name)) is not None}
            folders[:] = [name for name in folders if name not in others]
            elsewhere.update(others.values())
        relative = Path(place).relative_to(root).as_posix()
        files += [f"{relative}/{name}" for name in names if _FITS.search(name) and not name.startswith(".")]
    return files


def _found(file: str) -> Found:
    return Found(file, realisation=realisation_of(file), z_s=redshift_from_name(file)[0])


def _model_of_files(layout: Layout) -> Model:
    # All headers are asked here: parameters, redshift and size are theirs to tell.
    return Model("", {}, [_found(file) for file in layout.entries], ask_all=True)


def _with_parameters(
    layout: Layout,
    models: list[Model],
    columns: Columns,
    notes: list[str],
    problems: list[tuple[str, str]],
    ranges: Ranges | None,
) -> list[Model]:
    place = layout.root / PARAMETER_FILE
    if not place.is_file():
        raise ValueError(f"maps without parameters: {layout.root} has folders model%03d, but no {PARAMETER_FILE}")
    table = read_parameter_file(place, columns, notes, ranges, every=False)
    numbers = [int(_MODEL.match(model.name)[1]) for model in models]  # type: ignore[index]
    if "index" not in table.colnames:
        if len(table) != len(models):
            raise ValueError(
                f"{place} has {len(table)} rows and no column that numbers them, but there are {len(models)} folders "
                f'model%03d: name the column of numbers "index" in --columns (columns=) or in the header'
            )
        notes.append(f"{PARAMETER_FILE} has no index: its rows are the folders in order of their numbers")
        rows = {number: row for row, number in enumerate(sorted(numbers))}
    else:
        rows = {int(number): row for row, number in enumerate(table["index"])}
    known = []
    for number, model in sorted(zip(numbers, models, strict=True), key=lambda pair: pair[0]):
        if number not in rows:
            other = number - 1 in rows or number + 1 in rows
            hint = "; does its index count from another number?" if other and len(rows) == len(models) else ""
            reason = f"maps without parameters: {PARAMETER_FILE} has no row {number}{hint}"
            problems += [(found.file, reason) for found in model.files]
            continue
        values = {name: float(table[name][rows[number]]) for name in table.colnames if name != "index"}
        known.append(replace(model, parameters=values, name=f"{model.name} by {PARAMETER_FILE}"))
    lonely = sorted(set(rows) - set(numbers))
    if lonely:
        shown = ", ".join(map(str, lonely[:10])) + (", …" if len(lonely) > 10 else "")
        notes.append(f"parameters without maps: {_count(lonely, 'row')} of {PARAMETER_FILE} (index {shown})")
    return known
