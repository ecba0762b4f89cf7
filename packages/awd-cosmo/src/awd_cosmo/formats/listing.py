"""From models with their files to one table, a row a map: sizes compared, duplicates found, an account written."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units
from astropy.table import QTable

from awd_core.workers import Workers
from awd_cosmo.formats.archives import BadMap
from awd_cosmo.formats.asked_headers import TRIES, Ask, asked_headers
from awd_cosmo.formats.headers import MapHeader
from awd_cosmo.formats.parameters import RANGES, UNITS, check_parameters
from awd_cosmo.formats.suite_models import Found, Model

MASSIVENUS_SIDE = 3.5
"""Side of a MassiveNuS map in degrees (Liu et al. 2018), for releases whose headers do not tell it."""

COLUMNS = ("file", "hdu", "cosmology", "realisation", "tile", "tile_y", "tile_x", "z_s")
"""The columns of every table of maps, in front of the parameters."""

_Sets = dict[tuple[tuple[str, float], ...], dict[str, float]]


@dataclass
class Listing:
    """A suite of maps, listed.

    Parameters
    ----------
    table : QTable
        One row a map; see `COLUMNS`, then the parameters that are known. `table.meta["root"]` is the folder that
        `file` is relative to.
    shape : tuple of int
        (ny, nx) of the maps.
    arcmin_per_pixel : float
        NaN where nothing tells it.
    notes : list of str
        The account: what was recognised, what was taken for granted.
    problems : list of tuple of str
        (file, reason) of what is not in the table.
    """

    table: QTable
    shape: tuple[int, int]
    arcmin_per_pixel: float
    notes: list[str] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)

    @property
    def account(self) -> str:
        """What was recognised, as text of some lines."""
        more = [f"{len(self.problems)} left out, the first: {': '.join(self.problems[0])}"] if self.problems else []
        return "\n".join([*self.notes, *more])


@dataclass(slots=True)
class _Row:
    """A map on its way into the table: references, and what its header adds to what its name tells.

    Equal sets of parameters are one object: a set belongs to thousands of maps.
    """

    found: Found
    model: int
    parameters: dict[str, float]
    header: MapHeader | None
    hdu: int
    z_s: float


def build_listing(
    layout: str,
    root: Path,
    models: Sequence[Model],
    ask: Ask,
    workers: Workers,
    notes: list[str],
    problems: list[tuple[str, str]],
) -> Listing:
    """The table of all maps of the models.

    Parameters
    ----------
    layout : str
        Its name.
    root : Path
        What names of files are relative to.
    models : sequence of Model
        In the order in which the cosmologies shall be numbered.
    ask : callable
        Reads headers, see `awd_cosmo.formats.asked_headers.read_headers`.
    workers : Workers
        Who reads them.
    notes, problems
        What is known already; both are added to.

    Returns
    -------
    Listing
        With every map in it that can be used as far as names and the headers that were read tell.

    Raises
    ------
    BadMap
        If no map is left.
    """
    usable = []
    for model in models:
        try:
            check_parameters(model.parameters, model.name or "the suite")
        except ValueError as error:
            problems.append((model.name, str(error)))
            continue
        usable.append(model)
    models = usable
    answers = asked_headers(models, ask, workers)
    sets: _Sets = {}
    rows = [row for number, model in enumerate(models) for row in _rows(number, model, answers[number], sets, problems)]
    rows = _of_one_size(rows, models, notes, problems)
    rows = _without_duplicates(rows, models, problems)
    rows = _with_equal_parameters(rows, notes, problems)
    if not rows:
        raise BadMap(problems or [(str(root), "there is no map in it")])
    headers = [row.header for row in rows if row.header is not None]
    scale = _scale(layout, headers, notes)
    table = _table(rows, root)
    numbers = np.asarray(table["cosmology"])
    notes.append(
        f"{len(table)} maps of {headers[0].shape[0]} × {headers[0].shape[1]} pixels, "
        f"{len(np.unique(numbers))} cosmologies, {len(headers)} headers read"
    )
    return Listing(table, headers[0].shape, scale, notes, problems)


def _rows(
    number: int,
    model: Model,
    answers: Sequence[MapHeader | str],
    sets: _Sets,
    problems: list[tuple[str, str]],
) -> list[_Row]:
    rows, asked, failed = [], 0, 0
    for i, found in enumerate(model.files):
        header = None
        if model.ask_all or (asked == 0 and failed < TRIES):
            answer = answers[i]
            if isinstance(answer, str):
                failed += 1
                problems.append((found.file, answer))
                continue
            header, asked = answer, asked + 1
        parameters = header.parameters if model.ask_all and header is not None else model.parameters
        parameters = sets.setdefault(tuple(sorted(parameters.items())), parameters)
        z = found.z_s
        if header is not None and not math.isnan(header.source_redshift) and (model.ask_all or math.isnan(z)):
            z = header.source_redshift
        # −1 means the first image; a header that was read has said which that is.
        hdu = header.hdu if header is not None and found.hdu < 0 else found.hdu
        rows.append(_Row(found, number, parameters, header, hdu, z))
    # What the one header of a model says holds for its other maps, where their names say nothing.
    if not model.ask_all and rows:
        header = next((row.header for row in rows if row.header is not None), None)
        z, hdu = (header.source_redshift, header.hdu) if header is not None else (math.nan, -1)
        for row in rows:
            if row.hdu < 0:
                row.hdu = hdu
            if math.isnan(row.z_s):
                row.z_s = z
    if not asked:
        problems += [(row.found.file, "left out: no header of its model could be read") for row in rows]
        return []
    return rows


def _of_one_size(
    rows: list[_Row], models: Sequence[Model], notes: list[str], problems: list[tuple[str, str]]
) -> list[_Row]:
    """Leave out what differs from most in size or pixel scale: the single map where each was asked, else the model."""
    sizes = Counter((row.header.shape, _rounded(row.header.arcmin_per_pixel)) for row in rows if row.header is not None)
    if len(sizes) <= 1:
        return rows
    (shape, scale), _ = sizes.most_common(1)[0]
    bad_models: dict[int, str] = {}
    kept = []
    for row in rows:
        reason = ""
        if row.header is not None:
            own = row.header.shape, _rounded(row.header.arcmin_per_pixel)
            if own[0] != shape:
                reason = f"wrong size: {own[0][0]} × {own[0][1]} where most have {shape[0]} × {shape[1]}"
            elif own[1] is None:
                reason = "no pixel scale in its header (ANGLE, or a WCS), where most have one; pass pixel_scale="
            elif own[1] != scale:
                reason = f"wrong pixel scale: {own[1]} arcmin where most have {scale} arcmin"
        if reason and models[row.model].ask_all:
            problems.append((row.found.file, reason))
        elif reason:
            bad_models[row.model] = reason
            problems.append((models[row.model].name or row.found.file, reason))
        if not reason:
            kept.append(row)
    return [row for row in kept if row.model not in bad_models]


def _rounded(scale: float) -> float | None:
    return None if math.isnan(scale) else float(f"{scale:.5g}")


def _without_duplicates(rows: list[_Row], models: Sequence[Model], problems: list[tuple[str, str]]) -> list[_Row]:
    seen: dict[tuple[Any, ...], str] = {}
    kept = []
    for row in rows:
        found = row.found
        # Names that do not number realisations, or that number across redshifts, cannot clash in them.
        key: tuple[Any, ...] = (found.file, row.hdu)
        if found.realisation >= 0:
            key = (id(row.parameters), found.realisation, row.z_s, row.hdu)
        if key in seen:
            what = f"duplicate realisation {found.realisation}" if found.realisation >= 0 else "named twice"
            problems.append((found.file, f"{what}: the same as {seen[key]}"))
            continue
        seen[key] = found.file
        kept.append(row)
    return kept


def _with_equal_parameters(rows: list[_Row], notes: list[str], problems: list[tuple[str, str]]) -> list[_Row]:
    """Leave out maps without parameters, if others have some; maps of the sky have none, and that is no fault."""
    with_some = sum(bool(row.parameters) for row in rows)
    if with_some == 0:
        if rows:
            notes.append("the parameters of the maps are not known (observed maps, or a table is missing)")
        return rows
    problems += [
        (row.found.file, "map without parameters, where others have them") for row in rows if not row.parameters
    ]
    return [row for row in rows if row.parameters]


def _scale(layout: str, headers: Sequence[MapHeader], notes: list[str]) -> float:
    first = headers[0]
    if first.pixel_scale_source:
        notes.append(f"{first.arcmin_per_pixel:.5g} arcmin per pixel, by {first.pixel_scale_source}")
        return first.arcmin_per_pixel
    if layout == "massivenus":
        scale = 60.0 * MASSIVENUS_SIDE / first.shape[1]
        notes.append(
            f"{scale:.5g} arcmin per pixel: no header tells it, a side of {MASSIVENUS_SIDE}° is taken for granted"
        )
        return scale
    notes.append("the pixel scale is not known: pass pixel_scale=")
    return math.nan


def _table(rows: Sequence[_Row], root: Path) -> QTable:
    names = [name for name in RANGES if any(name in row.parameters for row in rows)]
    sets: dict[tuple[float, ...], int] = {}
    values = np.full((len(rows), len(names)), np.nan)
    cosmology = np.empty(len(rows), np.int64)
    for i, row in enumerate(rows):
        values[i] = [row.parameters.get(name, math.nan) for name in names]
        # repr, so that a missing value equals a missing value
        cosmology[i] = sets.setdefault(tuple(map(repr, values[i].tolist())), len(sets))  # type: ignore[arg-type]
    n = len(rows)
    table = QTable()
    table["file"] = [row.found.file for row in rows]
    table["hdu"] = np.array([row.hdu for row in rows], np.int64)
    table["cosmology"] = cosmology
    table["realisation"] = np.array([row.found.realisation for row in rows], np.int64)
    table["tile"] = np.full(n, -1)
    table["tile_y"] = np.zeros(n, np.int64)
    table["tile_x"] = np.zeros(n, np.int64)
    table["z_s"] = np.array([row.z_s for row in rows], np.float64)
    for name, column in zip(names, values.T, strict=True):
        table[name] = column * units.Unit(UNITS[name]) if UNITS[name] else column
    table.meta["root"] = str(root)
    return table
