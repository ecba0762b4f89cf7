"""`MapSet`: a lazy stack of maps with their cosmologies, pixel scale, mask and provenance.

A set knows its table at once and reads pixels when they are asked for. What is made of a set (coarser maps, tiles,
noisy maps) is a set again, made when it is read. Maps are float32, κ without unit, the first row at the bottom of the
sky; NaN is a pixel that was not observed.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from astropy import units
from astropy.table import QTable

from awd_core.checks import check_kind, is_whole_number, plain_array, real_array, whole_number
from awd_core.typing import AnyArray, Array, Rows
from awd_core.workers import Lost, OnDemand, Workers, available_cores, open_workers
from awd_cosmo.formats.listing import BIN, COLUMNS, parameter_columns
from awd_cosmo.formats.parameters import RANGES, UNITS, check_parameters
from awd_cosmo.formats.pixel_scale import arcmin_per_pixel
from awd_cosmo.maps import derived, observe
from awd_cosmo.maps.masks import Masks, mask_step, read_mask_of
from awd_cosmo.maps.sources import Files, InMemory, Item, Mapped, Maps, Mask, Report, Selected, Source, Tiled, bad_files

LOOK = 64
"""Files that a worker looks through at a time."""


class MapSet:
    """A lazy stack of maps; see `open_maps` and `MapSet.from_arrays`.

    Parameters
    ----------
    table : QTable
        One row a map: file, hdu, cosmology, realisation, tile, tile_y, tile_x, z_s and the parameters that are known.
    shape : tuple of int
        (ny, nx).
    pixel_arcmin : float
        Side of a pixel.
    source : Source
        Gives maps by row.
    mask : ndarray of bool, shape (ny, nx) or (n, ny, nx), or Masks, optional
        True where observed; the source gives NaN elsewhere.
    processing : sequence of str
        What was done to the maps, step by step.
    account : str
        What was recognised.
    skipped : sequence of tuple of str
        (file, reason) of what was left out.
    threads : int, optional
        Threads that read in this process; otherwise as many as there are cores.
    bins : int
        Redshift bins that each row holds: `read` gives (k, bins, ny, nx) of several; see `awd_cosmo.maps.bins`.

    Examples
    --------
    >>> maps = MapSet.from_arrays(np.zeros((3, 8, 8)), pixel_scale=0.5)
    >>> maps.downsampled(2).shape, len(maps.tiles(4))
    ((4, 4), 12)
    """

    def __init__(
        self,
        table: QTable,
        shape: tuple[int, int],
        pixel_arcmin: float,
        source: Source,
        *,
        mask: Mask | Masks | None = None,
        processing: Sequence[str] = (),
        account: str = "",
        skipped: Sequence[tuple[str, str]] = (),
        threads: int | None = None,
        bins: int = 1,
    ) -> None:
        self.table = table
        self.shape = shape
        self.arcmin_per_pixel = pixel_arcmin
        self.source = source
        self._masks = Masks.of(mask, len(table)) if isinstance(mask, np.ndarray) else mask
        self.processing = tuple(processing)
        self.account = account
        self.skipped = list(skipped)
        self.bins = bins
        self.threads = available_cores() if threads is None else whole_number("threads", threads, none="all cores")

    @classmethod
    def from_arrays(
        cls,
        maps: npt.ArrayLike,
        *,
        pixel_scale: Any,
        parameters: dict[str, npt.ArrayLike] | None = None,
        realisation: npt.ArrayLike | None = None,
        z_s: npt.ArrayLike = np.nan,
        mask: npt.ArrayLike | None = None,
    ) -> "MapSet":
        """A set of maps that are in memory: (n, ny, nx), with columns (n,) of what is known of them.

        NaN is a pixel that was not observed, as is all outside the mask, (ny, nx) or a FITS file, True where observed.

        Raises
        ------
        ValueError
            If a column has another length, a parameter is NaN or outside its plausible range, or the mask does not fit.
        """
        stack: AnyArray = plain_array(maps, "maps")
        if stack.ndim != 3 or stack.dtype.kind != "f":
            raise ValueError(f"maps must be floats of shape (n, ny, nx), got {stack.dtype} {stack.shape}")
        n, ny, nx = stack.shape
        given = check_kind("parameters", {} if parameters is None else parameters, Mapping)
        if unknown := [name for name in given if name not in RANGES]:
            raise ValueError(f"unknown parameter {unknown[0]!r}; known are {', '.join(RANGES)}")
        values = {name: _column(_plain(column, name), name, n) for name, column in given.items()}
        check_parameters(values, "parameters")
        _, cosmology = np.unique(np.array([*values.values(), np.zeros(n)]), axis=1, return_inverse=True)
        table = QTable()
        table["file"] = [f"row {i}" for i in range(n)]
        integers = {
            "hdu": -1,
            "cosmology": cosmology.ravel(),
            "realisation": -1 if realisation is None else realisation,
        }
        for name in COLUMNS[1:-1]:
            column = _column(integers.get(name, -1 if name == "tile" else 0), name, n)
            if not (np.isfinite(column) & (column == np.round(column))).all():
                raise ValueError(f"{name} must hold whole numbers, one for each map; got {realisation!r}")
            table[name] = column.astype(np.int64)
        table["z_s"] = _column(z_s, "z_s", n).copy()
        if (table["z_s"] <= 0).any() or np.isinf(table["z_s"]).any():
            raise ValueError(f"z_s must hold redshifts above 0, NaN where unknown; got {z_s!r}")
        for name, column in values.items():
            table[name] = np.array(column) * units.Unit(UNITS[name]) if UNITS[name] else np.array(column)
        table.meta["root"] = ""
        seen = read_mask_of(mask, (ny, nx))
        return cls(
            table,
            (ny, nx),
            arcmin_per_pixel(pixel_scale),
            InMemory(stack, seen),
            mask=seen,
            processing=mask_step(seen),
            account=f"{n} maps in memory",
        )

    def __len__(self) -> int:
        return len(self.table)

    def __repr__(self) -> str:
        ny, nx = self.shape
        steps = f", {', '.join(self.processing)}" if self.processing else ""
        cosmologies = len(np.unique(self.table["cosmology"]))
        size = f"{len(self)} maps of {ny} × {nx}, {self.arcmin_per_pixel:.4g} arcmin a pixel"
        return f"<MapSet: {size}, {cosmologies} cosmologies{steps}>"

    @property
    def pixel_scale(self) -> units.Quantity:
        """Side of a pixel, arcmin / pixel."""
        return self.arcmin_per_pixel * units.arcmin / units.pixel

    @property
    def mask(self) -> Mask | None:
        """True where observed: (ny, nx), or (n, ny, nx), made when asked for, if the maps' masks differ; None: all."""
        return None if self._masks is None else self._masks.array()

    @property
    def masks(self) -> Masks | None:
        """Which pixels were observed, each mask once; None: all."""
        return self._masks

    @property
    def apart(self) -> int:
        """Redshift bins of which each is a row of its own, all of a map one after the other; 1 where there is one."""
        return int(np.max(self.table[BIN])) + 1 if BIN in self.table.colnames and len(self) else 1

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """What `read` gives of a row: (ny, nx), or (bins, ny, nx)."""
        return self.shape if self.bins == 1 else (self.bins, *self.shape)

    @property
    def files(self) -> list[str]:
        """Path of each map's file ("archive.tar!member" in a tar); "row i" of arrays."""
        root = self.table.meta.get("root", "")
        return [str(Path(root) / name) if root else str(name) for name in self.table["file"]]

    @property
    def items(self) -> list[int]:
        """A number for each map that does not depend on the others: what noise and turns are drawn from."""
        keys = zip(self.table["file"], self.table["hdu"], self.table["tile"], strict=True)
        digests = (
            hashlib.sha256(f"{file}|{hdu}|{tile}".encode(errors="surrogateescape")).digest() for file, hdu, tile in keys
        )  # the bins of a map have names, or files, of their own
        return [int.from_bytes(digest[:8], "big") for digest in digests]

    def read(
        self,
        rows: npt.ArrayLike | slice | None = None,
        *,
        out: Maps | None = None,
        progress: Report | None = None,
    ) -> Maps:
        """Maps of some rows (all, if none are given), in their order: (k, ny, nx) float32, NaN where not observed.

        They are put into `out`, if it is given: an array to be used again and again is faster than a new one.

        Raises
        ------
        BadMap
            If a map is bad; it names all that are among those asked for.
        IndexError
            If a row is not there.
        ValueError
            If `out` is not of that shape and type.
        """
        return self.source(self._rows(rows), self.threads, progress, out)

    def batches(self, size: int) -> Iterator[Maps]:
        """All maps in order, (size, ny, nx) at a time; the last batch may be smaller."""
        if not is_whole_number(size) or size < 1:
            raise ValueError(f"a batch must hold at least one map, got size = {size!r}: give a whole number")
        for start in range(0, len(self), size):
            yield self.read(np.arange(start, min(start + size, len(self))))

    def select(self, rows: npt.ArrayLike | slice) -> "MapSet":
        """The set of some rows, given by number, by a mask of bool or by a slice; nothing is read."""
        chosen = self._rows(rows)
        mask = None if self._masks is None else self._masks.select(chosen)
        return self._with(Selected(self.source, chosen), self.table[chosen], self.shape, self.arcmin_per_pixel, mask)

    def parameters(self, names: Sequence[str]) -> Array:
        """Columns of parameters as (n, p) float64, M_nu in eV; NaN where a map has none of that name."""
        if isinstance(names, str) or not isinstance(names, Iterable):
            raise TypeError(f"names must be a sequence of names, as [{names!r}]")
        known = parameter_columns(self.table)
        if missing := [name for name in names if name not in known]:
            raise ValueError(
                f"the maps have no parameter {missing[0]!r}; they have {', '.join(known) or 'none'}; put a "
                f"table beside the maps, cosmologies.csv with columns file and {missing[0]}, or name another parameter"
            )
        return np.column_stack(
            [np.zeros((len(self), 0)), *(np.asarray(_plain(self.table[name], name), np.float64) for name in names)]
        )

    def check(self, progress: Report | None = None, *, workers: int | Workers = 1) -> dict[int, tuple[str, str]]:
        """Read every map and tell which are bad: {row: (file, reason)}. Only pixels of files can be bad.

        With workers (processes, or open `awd_core.workers.open`), a file that kills whoever reads it is bad as well.
        """
        source: Source = self.source
        rows = np.arange(len(self))
        # what is made of maps (tiles, coarser maps) is as good as they are: check before, not after
        while isinstance(source, Selected):
            rows = source.rows[rows]
            source = source.parent
        if not isinstance(source, Files):
            return {}
        files = source.part(rows)
        items = OnDemand(files.item, range(len(files.names)))
        with open_workers(workers) as crew:
            look = partial(bad_files, files.part(rows[:0]), self.threads if crew.here else None)
            told = None if progress is None else (lambda done, total, name: progress(done, total))
            # Threads are started for each block, so that one process of many threads takes large ones.
            found = crew.map_blocks(look, items, LOOK * (self.threads if crew.here else 1), names=_file, progress=told)
            reasons = [one.reason if isinstance(one, Lost) else one for one in found]
        return {row: (str(self.table["file"][row]), reason) for row, reason in enumerate(reasons) if reason}

    def downsampled(self, factor: int, *, least: float = 0.5) -> "MapSet":
        """Block means; see `awd_cosmo.maps.observe.downsample`."""
        function = partial(derived.downsampled, factor=factor, least=least)
        return self._mapped(function, f"downsampled({factor}, least={least})", scale=factor)

    def smoothed(
        self,
        *,
        sigma_arcmin: float | None = None,
        fwhm_arcmin: float | None = None,
        edge: Literal["reflect", "wrap"] = "reflect",
    ) -> "MapSet":
        """Smoothed by a Gaussian; see `awd_cosmo.maps.observe.smooth`."""
        options: dict[str, Any] = {"sigma_arcmin": sigma_arcmin, "fwhm_arcmin": fwhm_arcmin, "edge": edge}
        said = ", ".join(f"{name}={value}" for name, value in options.items() if value is not None)
        function = partial(derived.smoothed, pixel_scale=self.arcmin_per_pixel, **options)
        return self._mapped(function, f"smoothed({said})")

    def with_shape_noise(
        self, convention: observe.NoiseConvention, *, galaxies_per_arcmin2: float, seed: int
    ) -> "MapSet":
        """With shape noise by a named convention; see `awd_cosmo.maps.observe.shape_noise_sigma`.

        The noise of a map is a function of seed, file and tile: it stays when other maps come or go.
        """
        redshifts = [None if np.isnan(z) else float(z) for z in self.table["z_s"]]
        known = {
            z: observe.shape_noise_sigma(
                convention,
                galaxies_per_arcmin2=galaxies_per_arcmin2,
                pixel_scale=self.arcmin_per_pixel,
                source_redshift=z,
            )
            for z in dict.fromkeys(redshifts)
        }
        sigma = np.array([known[z] for z in redshifts])
        whole_number("seed", seed, 0)
        step = f"with_shape_noise({convention}, galaxies_per_arcmin2={galaxies_per_arcmin2}, seed={seed})"
        return self._mapped(derived.Noisy(sigma, seed, self.items), step, same_mask=True)

    def turned(self, *, seed: int) -> "MapSet":
        """Each map flipped and turned at random; see `awd_cosmo.maps.observe.turn_at_random`."""
        whole_number("seed", seed, 0)
        # The step names a cache: turns that were drawn otherwise have another.
        return self._mapped(derived.Turned(seed, self.items), f"turned(seed={seed}, drawn=2)")

    def tiles(self, size: int, *, rest: Literal["raise", "drop"] = "raise") -> "MapSet":
        """Cut into square tiles that remember their parent: columns tile, tile_y, tile_x beside the parent's own."""
        self._single("tiles")
        if len(self) and np.any(np.asarray(self.table["tile"]) >= 0):
            raise ValueError("these maps are tiles already; cut the whole maps into the size that is wanted")
        corners = observe.tile_corners(self.shape, size, rest=rest)
        table = self.table[np.repeat(np.arange(len(self)), len(corners))]
        table["tile"] = np.tile(np.arange(len(corners)), len(self))
        table["tile_y"] = np.tile([y for y, _ in corners], len(self))
        table["tile_x"] = np.tile([x for _, x in corners], len(self))
        mask = None if self._masks is None else self._masks.tiles(corners, size)
        source = Tiled(self.source, tuple(corners), size)
        tiled = self._with(source, table, (size, size), self.arcmin_per_pixel, mask, f"tiles({size}, rest={rest})")
        if (bins := self.apart) == 1:
            return tiled
        # All bins of a tile stay one after the other.
        return tiled.select(np.arange(len(tiled)).reshape(-1, bins, len(corners)).swapaxes(1, 2).reshape(-1))

    def cached(
        self,
        folder: str | os.PathLike[str],
        *,
        verify: bool = False,
        intact: bool = False,
        progress: Report | None = None,
        workers: int | Workers = 1,
    ) -> "MapSet":
        """The same maps out of a zarr cache in a folder, which is built if it is not there; see `maps.cache`."""
        from awd_cosmo.maps.cache import cached

        self._single("cached")
        source = cached(self, folder, verify=verify, intact=intact, progress=progress, workers=workers)
        return self._with(source, self.table, self.shape, self.arcmin_per_pixel, self._masks)

    def _rows(self, rows: npt.ArrayLike | slice | None) -> Rows:
        if rows is None or isinstance(rows, slice):
            return np.arange(len(self))[rows if rows is not None else slice(None)]
        chosen: AnyArray = np.atleast_1d(np.asarray(rows))
        if chosen.dtype == np.bool_:
            if chosen.shape != (len(self),):
                raise IndexError(f"a selection of {chosen.shape} does not fit {len(self)} maps")
            return np.flatnonzero(chosen)
        if chosen.ndim != 1 or (chosen.size and chosen.dtype.kind not in "iu"):
            raise IndexError(f"rows must be whole numbers, one after the other, got {chosen.dtype} {chosen.shape}")
        if chosen.size and not (-len(self) <= chosen.min() and chosen.max() < len(self)):
            raise IndexError(f"there are {len(self)} maps; rows {chosen.min()} to {chosen.max()} were asked for")
        return np.asarray(chosen % max(1, len(self)), np.int64)

    def _mapped(self, function: Any, step: str, *, scale: int = 1, same_mask: bool = False) -> "MapSet":
        self._single(step)
        rows = np.arange(min(len(self), 1))
        # An empty map goes first: it says the shape, and that the options are right, before any file is opened.
        probe = function(np.zeros((len(rows), *self.shape), np.float32), rows)
        shape = (int(probe.shape[1]), int(probe.shape[2]))
        mask = self._masks
        if mask is not None and isinstance(function, derived.Turned):
            mask = mask.turned(function.elements(self.shape))
        elif mask is not None and not same_mask:
            # The function says itself what it makes of pixels that were not observed.
            mask = mask.mapped(lambda maps: function(maps, rows))
        source = Mapped(self.source, function, shape)
        return self._with(source, self.table, shape, self.arcmin_per_pixel * scale, mask, step)

    def _single(self, step: str) -> None:
        if self.bins > 1:
            raise ValueError(
                f"{step.partition('(')[0]} is of single maps, and these are {self.bins} bins each; do it before they "
                "are put together"
            )

    def _with(
        self, source: Source, table: QTable, shape: tuple[int, int], scale: float, mask: Masks | None, step: str = ""
    ) -> "MapSet":
        steps = (*self.processing, step) if step else self.processing
        more = {"account": self.account, "skipped": self.skipped, "threads": self.threads, "bins": self.bins}
        return MapSet(table, shape, scale, source, mask=mask, processing=steps, **more)  # type: ignore[arg-type]


def _column(values: Any, name: str, n: int) -> Array:
    """One number for each of the maps; a single one stands for all."""
    column = real_array(values, name).astype(np.float64)
    if column.shape not in ((), (n,), (1,)):
        raise ValueError(
            f"{name} has the shape {column.shape}; give one number for each of the {n} maps, or one for all"
        )
    return np.broadcast_to(column, (n,))


def _file(item: Item) -> str:
    return item[0]


def _plain(column: Any, name: str) -> Any:
    return column.to_value(UNITS.get(name) or column.unit) if isinstance(column, units.Quantity) else column
