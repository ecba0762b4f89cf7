"""Maps of several redshift bins of the same sky: read and prepared bin by bin, and then handed out together.

Until they are prepared, each map and bin is a row of its own, all bins of a map one after the other, for noise,
smoothing, masks and caches are those of single maps. `together` makes of B such rows one map (B, ny, nx).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from astropy.table import vstack

from awd_core.typing import Rows
from awd_cosmo.formats.archives import BadMap
from awd_cosmo.formats.listing import BIN, parameter_columns
from awd_cosmo.maps.map_set import MapSet
from awd_cosmo.maps.masks import Masks
from awd_cosmo.maps.sources import Maps, Report, Source, room_for


@dataclass(frozen=True)
class Interleaved:
    """Rows of several sources in any order: row i is `place[i]` of parent `which[i]`."""

    parents: tuple[Source, ...]
    which: Rows
    place: Rows
    shape: tuple[int, int]

    def __call__(self, rows: Rows, threads: int, report: Report | None, out: Maps | None = None) -> Maps:
        """Read from one parent after the other; what is bad in several of them is named in one error."""
        out, done = room_for(len(rows), self.shape, out), 0
        bad: list[tuple[str, str]] = []
        for number, parent in enumerate(self.parents):
            mine = np.flatnonzero(self.which[rows] == number)
            if len(mine):
                try:
                    out[mine] = parent(self.place[rows[mine]], threads, None)
                except BadMap as error:
                    bad += error.bad
            done += len(mine)
            if report is not None and len(mine):
                report(done, len(rows))
        if bad:
            raise BadMap(bad)
        return out

    def part(self, rows: Rows) -> "Interleaved":
        """Of each parent the rows that are asked for."""
        which, place = self.which[rows], np.zeros(len(rows), np.int64)
        parents = []
        for number, parent in enumerate(self.parents):
            mine = np.flatnonzero(which == number)
            parents.append(parent.part(self.place[rows[mine]]))
            place[mine] = np.arange(len(mine))
        return Interleaved(tuple(parents), which, place, self.shape)


@dataclass(frozen=True)
class Together:
    """Maps (B, ny, nx) of B rows of another source each."""

    parent: Source
    bins: int
    shape: tuple[int, int]

    def __call__(self, rows: Rows, threads: int, report: Report | None, out: Maps | None = None) -> Maps:
        """Read all bins of the maps."""
        out = room_for(len(rows), (self.bins, *self.shape), out)
        self.parent(self._rows(rows), threads, None, out.reshape(-1, *self.shape))
        if report is not None:
            report(len(rows), len(rows))
        return out

    def part(self, rows: Rows) -> "Together":
        """All bins of these maps."""
        return Together(self.parent.part(self._rows(rows)), self.bins, self.shape)

    def _rows(self, rows: Rows) -> Rows:
        return (np.asarray(rows, np.int64)[:, None] * self.bins + np.arange(self.bins)).reshape(-1)


def of_bins(sets: Sequence[MapSet]) -> MapSet:
    """The maps of several bins, which agree row by row, as one set: all bins of a map one after the other."""
    first, bins, n = sets[0], len(sets), len(sets[0])
    order = np.arange(bins * n).reshape(bins, n).T.reshape(-1)
    tables = []
    for number, one in enumerate(sets):
        table = one.table.copy()
        table[BIN] = np.full(n, number)
        table["cosmology"] = first.table["cosmology"]
        tables.append(table)
    whole = vstack(tables, metadata_conflicts="silent")[order]
    whole.meta = dict(first.table.meta)
    which, place = np.tile(np.arange(bins), n), np.repeat(np.arange(n), bins)
    source = Interleaved(tuple(one.source for one in sets), which, place, first.shape)
    steps = tuple(dict.fromkeys(step for one in sets for step in one.processing))
    masks = Masks.interleaved([one.masks for one in sets], which, place, first.shape)
    return MapSet(
        whole, first.shape, first.arcmin_per_pixel, source, mask=masks, processing=(*steps, f"bins={bins}"),
        account=first.account, skipped=first.skipped, threads=first.threads,
    )  # fmt: skip


def matched(sets: Sequence[MapSet], redshifts: Sequence[float], *, skip: bool) -> MapSet:
    """The maps of several source redshifts that are there at all of them, by parameters and realisation.

    Raises
    ------
    ValueError
        If maps have no realisation, two of one redshift have the same one, sizes differ, or, unless such maps are
        to be skipped, one is not there at all redshifts.
    """
    for one, z in zip(sets, redshifts, strict=True):
        if (np.asarray(one.table["realisation"]) < 0).any():
            raise ValueError(
                f"the maps of the bin at z = {z:g} have no realisation numbers, and nothing tells which maps of other "
                "bins show the same sky; give a table with the column realisation, or a stack with an axis of bins"
            )
        if one.shape != sets[0].shape or one.arcmin_per_pixel != sets[0].arcmin_per_pixel:
            raise ValueError(
                f"the maps at z = {z:g} are {one.shape[0]} × {one.shape[1]} of {one.arcmin_per_pixel:g} arcmin and "
                f"those at z = {redshifts[0]:g} {sets[0].shape[0]} × {sets[0].shape[1]} of "
                f"{sets[0].arcmin_per_pixel:g}; bins must have the same pixels"
            )
    names = parameter_columns(sets[0].table)
    places: list[dict[Any, int]] = []
    for one, z in zip(sets, redshifts, strict=True):
        found: dict[Any, int] = {}
        for row, key in enumerate(_keys(one, names)):
            if key in found:
                raise ValueError(
                    f"{one.files[found[key]]} and {one.files[row]} are both realisation {key[0]} of one cosmology at "
                    f"z = {z:g}, and nothing tells which maps of other bins belong to them; number them apart"
                )
            found[key] = row
        places.append(found)
    everywhere = [key for key in places[0] if all(key in found for found in places)]
    alone = [
        (one.files[row], f"the same map is not there at z = {_missing(key, places, redshifts)}")
        for one, found in zip(sets, places, strict=True) for key, row in found.items()
        if any(key not in other for other in places)
    ]  # fmt: skip
    if alone and (not skip or not everywhere):
        raise BadMap(alone)
    chosen = [one.select([found[key] for key in everywhere]) for one, found in zip(sets, places, strict=True)]
    together = of_bins(chosen)
    together.skipped = [*dict.fromkeys(entry for one in sets for entry in one.skipped), *alone]
    notes = [f"{len(everywhere)} maps in {len(sets)} redshift bins, z = {', '.join(f'{z:g}' for z in redshifts)}"]
    notes += [f"{len(together.skipped)} left out:"] * bool(together.skipped)
    notes += [f"  {name}: {reason}" for name, reason in together.skipped]
    lines = [line for line in sets[0].account.splitlines() if "left out" not in line and not line.startswith(" ")]
    together.account = "\n".join([*lines[:1], *notes, *lines[1:]])
    return together


def together(maps: MapSet) -> MapSet:
    """One row a map, of which `read` gives all redshift bins, (k, bins, ny, nx); the same set, if it has one bin.

    Its table is that of the first bins, with z_s NaN where bins differ in it. What is done to single maps, such as
    noise, tiles or a cache, comes before.

    Raises
    ------
    ValueError
        If rows were chosen without the other bins of their maps.
    """
    if (bins := maps.apart) == 1:
        return maps
    number = np.asarray(maps.table[BIN])
    if len(number) % bins or (number.reshape(-1, bins) != np.arange(bins)).any():
        raise ValueError(f"these rows are not {bins} bins for each map; choose all bins of a map, in their order")
    table = maps.table[::bins]
    redshifts = np.asarray(maps.table["z_s"]).reshape(-1, bins)
    table["z_s"] = np.where((redshifts == redshifts[:, :1]).all(axis=1), redshifts[:, 0], np.nan)
    table.remove_column(BIN)
    return MapSet(
        table, maps.shape, maps.arcmin_per_pixel, Together(maps.source, bins, maps.shape),
        processing=maps.processing, account=maps.account, skipped=maps.skipped, threads=maps.threads, bins=bins,
    )  # fmt: skip


def redshifts_of(maps: MapSet) -> list[float | None]:
    """Source redshift of each bin, None where it is not known or not one."""
    bins = maps.apart
    values = np.asarray(maps.table["z_s"], np.float64).reshape(-1, bins)
    found = [np.unique(column) for column in values.T]
    return [float(one[0]) if len(one) == 1 and np.isfinite(one[0]) else None for one in found]


def as_channels(stack: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Maps (n, ny, nx), or (n, B, ny, nx) of bins, with an axis of channels."""
    return stack if stack.ndim == 4 else stack[:, None]


def _keys(one: MapSet, names: Sequence[str]) -> list[tuple[Any, ...]]:
    values = np.nan_to_num(one.parameters(names), nan=-1.0).round(9)
    numbers = np.asarray(one.table["realisation"]).tolist()
    return [(number, *row) for number, row in zip(numbers, values.tolist(), strict=True)]


def _missing(key: Any, places: Sequence[dict[Any, int]], redshifts: Sequence[float]) -> str:
    return ", ".join(f"{z:g}" for z, found in zip(redshifts, places, strict=True) if key not in found)
