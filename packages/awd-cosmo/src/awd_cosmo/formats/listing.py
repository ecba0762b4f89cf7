"""From models with their files to one table, a row a map: sizes compared, duplicates found, an account written."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units
from astropy.table import QTable

from awd_core.workers import Workers
from awd_cosmo.formats.archives import BadMap
from awd_cosmo.formats.asked_headers import Ask, asked_headers
from awd_cosmo.formats.headers import MapHeader
from awd_cosmo.formats.parameters import RANGES, UNITS, Ranges, outside
from awd_cosmo.formats.realisations import numbered, same_maps
from awd_cosmo.formats.redshifts import Row, at_redshift
from awd_cosmo.formats.suite_models import Model

MASSIVENUS_SIDE = 3.5
"""Side of a MassiveNuS map in degrees (Liu et al. 2018), for releases whose headers do not tell it."""

COLUMNS = ("file", "hdu", "cosmology", "realisation", "tile", "tile_y", "tile_x", "z_s")
"""The columns of every table of maps, in front of the parameters."""
BIN = "source_bin"
"""The column of the number of a redshift bin, where maps have several."""


def parameter_columns(table: QTable) -> list[str]:
    """Names of the columns of parameters, ours first, in our order."""
    there = [name for name in table.colnames if name not in COLUMNS and name != BIN]
    return [*(name for name in RANGES if name in there), *(name for name in there if name not in RANGES)]


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
        """What was recognised, and each map that was left out, as text of some lines."""
        more = [f"{len(self.problems)} left out:"] * bool(self.problems)
        more += [f"  {file}: {reason}" for file, reason in self.problems]
        return "\n".join([*self.notes, *more])


def build_listing(
    layout: str,
    root: Path,
    models: Sequence[Model],
    ask: Ask,
    workers: Workers,
    notes: list[str],
    problems: list[tuple[str, str]],
    *,
    source_redshift: float | None = None,
    relabel_redshift: float | None = None,
    ranges: Ranges | None = None,
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
    source_redshift, relabel_redshift, ranges
        As for `awd_cosmo.formats.layouts.list_maps`.

    Returns
    -------
    Listing
        With every map in it that can be used as far as names and the headers that were read tell.

    Raises
    ------
    BadMap
        If no map is left.
    ValueError
        If the maps are of several source redshifts, and none is chosen.
    """
    usable = []
    for model in models:
        if reason := outside(model.parameters, ranges):
            problems += [(found.file, f"{model.name or 'the suite'}: {reason}") for found in model.files]
            continue
        usable.append(model)
    models = usable
    answers = asked_headers(models, ask, workers)
    if len(_sizes(answers)) > 1 and not all(model.ask_all for model in models):
        # One header a model does not tell whose size is the odd one: the model's, or that of a single map.
        models = [replace(model, ask_all=True) for model in models]
        answers = asked_headers(models, ask, workers)
    sets: _Sets = {}
    rows = [row for number, model in enumerate(models) for row in _rows(number, model, answers[number], sets, problems)]
    rows = at_redshift(rows, source_redshift, relabel_redshift, notes, problems)
    rows = _of_one_size(rows, problems)
    rows = _without_duplicates(rows, root, notes, problems)
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
) -> list[Row]:
    rows = []
    for i, found in enumerate(model.files):
        header = answers[i] if i < len(answers) else None
        if isinstance(header, str):
            problems.append((found.file, header))
            continue
        parameters = header.parameters if model.by_headers and header is not None else model.parameters
        parameters = sets.setdefault(tuple(sorted(parameters.items())), parameters)
        z = found.z_s
        if (
            header is not None
            and not math.isnan(header.source_redshift)
            and ((model.by_headers and not found.told) or math.isnan(z))
        ):
            z = header.source_redshift
        # −1 means the first image; a header that was read has said which that is.
        hdu = header.hdu if header is not None and found.hdu < 0 else found.hdu
        rows.append(Row(found, number, parameters, header, hdu, z, found.realisation))
    # What the one header of a model says holds for its other maps, where their names say nothing.
    header = next((row.header for row in rows if row.header is not None), None)
    for row in rows:
        if row.header is None and header is not None:
            row.hdu = header.hdu if row.hdu < 0 else row.hdu
            row.z_s = header.source_redshift if math.isnan(row.z_s) else row.z_s
    return rows


def _sizes(answers: Sequence[Sequence[MapHeader | str]]) -> set[tuple[tuple[int, int], float | None]]:
    headers = [one for some in answers for one in some if isinstance(one, MapHeader)]
    return {(header.shape, _rounded(header.arcmin_per_pixel)) for header in headers}


def _of_one_size(rows: list[Row], problems: list[tuple[str, str]]) -> list[Row]:
    """Leave out the maps that differ from most in size or pixel scale."""
    sizes = Counter((row.header.shape, _rounded(row.header.arcmin_per_pixel)) for row in rows if row.header is not None)
    if len(sizes) <= 1:
        return rows
    (shape, scale), _ = sizes.most_common(1)[0]
    kept = []
    for row in rows:
        reason = ""
        if row.header is not None:
            own = row.header.shape, _rounded(row.header.arcmin_per_pixel)
            if own[0] != shape:
                reason = f"wrong size: {own[0][0]} × {own[0][1]} where most have {shape[0]} × {shape[1]}"
            elif own[1] is None:
                reason = (
                    "no pixel scale in its header (ANGLE, or a WCS), where most have one; give --pixel-scale "
                    "(pixel_scale=)"
                )
            elif own[1] != scale:
                said = "no pixel scale" if scale is None else f"{scale} arcmin"
                reason = f"wrong pixel scale: {own[1]} arcmin where most have {said}"
        if reason:
            problems.append((row.found.file, reason))
        else:
            kept.append(row)
    return kept


def _rounded(scale: float) -> float | None:
    return None if math.isnan(scale) else float(f"{scale:.5g}")


def _without_duplicates(rows: list[Row], root: Path, notes: list[str], problems: list[tuple[str, str]]) -> list[Row]:
    """Leave out maps that are named twice, and those that hold what another one of their cosmology holds."""
    seen: set[tuple[str, int]] = set()
    kept = []
    for row in rows:
        if (row.found.file, row.hdu) in seen:
            problems.append((row.found.file, f"named twice: the same as {row.found.file}"))
            continue
        seen.add((row.found.file, row.hdu))
        kept.append(row)
    alike: dict[tuple[Any, ...], list[int]] = {}
    for i, row in enumerate(kept):
        if row.realisation >= 0:
            alike.setdefault((id(row.parameters), row.realisation, row.z_s), []).append(i)
    alike = {key: some for key, some in alike.items() if len(some) > 1}
    twice: dict[int, int] = {}
    for some in alike.values():
        found = same_maps(root, [(kept[i].found.file, kept[i].hdu) for i in some])
        twice |= {some[k]: some[first] for k, first in enumerate(found) if first != k}
    for i, first in twice.items():
        problems.append((kept[i].found.file, f"duplicate: it holds the same map as {kept[first].found.file}"))
    clash = [i for some in alike.values() for i in some if i not in twice]
    kept = [row for i, row in enumerate(kept) if i not in twice]
    if len(clash) > len(alike):
        _renumber(kept, notes)
    return kept


def _renumber(rows: list[Row], notes: list[str]) -> None:
    """Number the realisations of maps of which several have one number, and hold different maps."""
    if any(row.found.told for row in rows):
        notes.append("several maps of a cosmology have the same realisation by the table; as they differ, all are read")
        return
    numbers = numbered([row.found.file for row in rows], [(id(row.parameters), row.z_s, row.hdu) for row in rows])
    for row, number in zip(rows, numbers, strict=True):
        row.realisation = number
    notes.append(
        "the last number of names does not tell realisations, since maps of a cosmology share it; "
        + ("all that varies in the names of a cosmology does" if numbers[0] >= 0 else "nothing in names does")
    )


def _with_equal_parameters(rows: list[Row], notes: list[str], problems: list[tuple[str, str]]) -> list[Row]:
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
    notes.append("the pixel scale is not known: give --pixel-scale (pixel_scale=)")
    return math.nan


def _table(rows: Sequence[Row], root: Path) -> QTable:
    told = dict.fromkeys(name for row in rows for name in row.parameters)
    names = [*(name for name in RANGES if name in told), *(name for name in told if name not in RANGES)]
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
    table["realisation"] = np.array([row.realisation for row in rows], np.int64)
    table["tile"] = np.full(n, -1)
    table["tile_y"] = np.zeros(n, np.int64)
    table["tile_x"] = np.zeros(n, np.int64)
    table["z_s"] = np.array([row.z_s for row in rows], np.float64)
    for name, column in zip(names, values.T, strict=True):
        table[name] = column * units.Unit(UNITS[name]) if UNITS.get(name) else column
    table.meta["root"] = str(root)
    return table
