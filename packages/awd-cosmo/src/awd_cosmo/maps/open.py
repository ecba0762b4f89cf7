"""Open maps, whatever their layout: names, tables and a few headers are read now, pixels when they are asked for."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from awd_core.checks import check_choice, whole_number
from awd_core.workers import Workers, open_workers
from awd_cosmo.formats.archives import BadMap
from awd_cosmo.formats.headers import ANY
from awd_cosmo.formats.layouts import list_maps, recognise
from awd_cosmo.formats.listing import Listing
from awd_cosmo.formats.parameters import RANGES, Ranges, check_redshift
from awd_cosmo.formats.pixel_scale import arcmin_per_pixel
from awd_cosmo.formats.tables import Columns, named_columns
from awd_cosmo.maps.bins import matched, of_bins
from awd_cosmo.maps.claims import Claims
from awd_cosmo.maps.map_set import MapSet
from awd_cosmo.maps.masks import mask_step, read_any_mask, read_mask_of
from awd_cosmo.maps.sources import Files, Mask, Report
from awd_cosmo.maps.stacks import is_stack, open_stack

Invalid = Literal["raise", "mask", "zero"]

__all__ = ["Invalid", "MapSet", "open_maps"]


def open_maps(
    path: str | os.PathLike[str],
    layout: str = "auto",
    *,
    on_error: Literal["raise", "skip"] = "raise",
    invalid: Invalid = "raise",
    mask: npt.ArrayLike | str | os.PathLike[str] | None = None,
    pixel_scale: Any = None,
    source_redshift: float | None = None,
    relabel_redshift: float | None = None,
    bins: Sequence[float] | None = None,
    columns: Sequence[str] | Mapping[str, str] | None = None,
    pattern: str | None = None,
    hdu: int | str | None = None,
    ranges: Ranges | None = None,
    own: Sequence[str] = (),
    itype: str | None = None,
    headers: Literal["check", "ignore"] = "check",
    constant: bool = True,
    check: bool | None = None,
    threads: int | None = None,
    workers: int | Workers = 1,
    progress: Report | None = None,
) -> MapSet:
    """Open a folder of maps, whatever its layout.

    Parameters
    ----------
    path : str or path
        A suite's folder, one model's folder or tar, one FITS file, or the table that names the files.
    layout : str
        One of `awd_cosmo.formats.layouts.LAYOUTS`, "stack" (`awd_cosmo.maps.stacks`), or "auto".
    on_error : {"raise", "skip"}
        What to do about bad maps (truncated, of another size, with NaN, without parameters, twice there): an error
        that names them, or leave them out, them alone, and list them in `skipped`.
    invalid : {"raise", "mask", "zero"}
        What NaN, infinite, UNSEEN and impossible pixels (10³ and more) are: a fault of the map; not observed (NaN when
        read); or zeros.
    mask : array_like of bool, shape (ny, nx), or path, optional
        True, or 1 in a FITS file, where observed. Pixels outside are NaN when read (0 with invalid="zero").
    pixel_scale : Quantity or float, optional
        Side of a pixel, arcmin if a number, where the headers do not tell it, or to overrule them.
    source_redshift : float, optional
        Which to read where there are several (of maps with parameters 1.00 if not told), or what it is where no map
        tells it.
    relabel_redshift : float, optional
        What it is for all maps that are read, whatever they say.
    bins : sequence of float, optional
        Source redshifts of two or more bins that belong together (tomography): of files those that are read and put
        together by cosmology and realisation, of a stack what its axis of bins has. A stack that has labels for all
        axes but one, and a redshift z_s for each of that one, has bins there without being told. Every bin of a map is
        a row, all bins of a map one after the other; `awd_cosmo.maps.together` makes one row of them.
    columns : sequence of str, or mapping of str to str, optional
        Names of the columns of `cosmological_parameters.txt`, where it has no header. Or which columns of a table are
        which: from "file", "realisation", "z_s", "hdu" or the name of a parameter to the column's.
    pattern : str, optional
        Take only files whose name matches, as "convergence_*.fit".
    hdu : int or str, optional
        HDU of the maps, by number or name; otherwise the first image of each file. Of a stack the name of the array.
    ranges : mapping of str to (low, high), optional
        Plausible ranges of parameters, in place of `awd_cosmo.formats.parameters.RANGES`.
    own : sequence of str
        Columns of numbers of a table that are parameters, beside those that are known.
    itype : str, optional
        Another ITYPE of headers than ConvergenceMap that is convergence; "any": whatever they say.
    headers : {"check", "ignore"}
        Whether the header of each map that is read must not contradict the pixel scale, the redshift and the cosmology
        that it has by names and tables.
    constant : bool
        Whether maps of which all pixels are equal are maps; else they are bad.
    check : bool, optional
        Whether every map is read once now. By default only with on_error="skip": a bad map must be known before rows
        are counted. Without it, a bad map is an error when it is read.
    threads : int, optional
        Threads that read maps in this process; otherwise as many as there are cores.
    workers : int or Workers, optional
        Processes, or open `awd_core.workers.open`, that read headers and check maps now; a file that kills one is bad.
    progress : callable, optional
        Told (maps done, of how many) while maps are checked.

    Returns
    -------
    MapSet
        `account` says what was recognised, `skipped` what was left out.

    Raises
    ------
    BadMap
        A ValueError that names the bad maps.
    ValueError
        If no layout or more than one is recognised, or the pixel scale or the parameters are not told.
    FileNotFoundError
        If nothing is there.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from awd_cosmo.formats import write_map
    >>> root = Path(tempfile.mkdtemp())
    >>> (root / "Om0.260_si0.800").mkdir()
    >>> place = root / "Om0.260_si0.800" / "WLconv_z1.00_0001r.fits"
    >>> write_map(place, np.ones((8, 8), np.float32), pixel_scale=0.5)
    >>> maps = open_maps(root)
    >>> maps.read().shape, maps.parameters(["Omega_m", "sigma8"]).tolist()
    ((1, 8, 8), [[0.26, 0.8]])
    """
    check_choice("on_error", on_error, ("raise", "skip"), required=True)
    check_choice("invalid", invalid, ("raise", "mask", "zero"), required=True)
    check_choice("headers", headers, ("check", "ignore"), required=True)
    check_redshift(source_redshift)
    check_redshift(relabel_redshift)
    told, redshifts = named_columns(columns), _bins(bins, source_redshift, relabel_redshift)
    if layout == "stack" or (layout == "auto" and is_stack(Path(path))):
        return _from_stack(
            Path(path), on_error, invalid, mask, pixel_scale, source_redshift, relabel_redshift, told, ranges, constant,
            threads, redshifts, hdu, pattern,
        )  # fmt: skip
    if redshifts:
        sets = [
            open_maps(
                path, layout, on_error=on_error, invalid=invalid, mask=mask, pixel_scale=pixel_scale, source_redshift=z,
                columns=columns, pattern=pattern, hdu=hdu, ranges=ranges, own=own, itype=itype, headers=headers,
                constant=constant, check=check, threads=threads, workers=workers, progress=progress,
            )
            for z in redshifts
        ]  # fmt: skip
        return matched(sets, redshifts, skip=on_error == "skip")
    if threads is not None:
        whole_number("threads", threads, none="all cores")
    with open_workers(workers) as crew:
        listing = list_maps(
            recognise(path, layout, told),
            source_redshift=source_redshift,
            relabel_redshift=relabel_redshift,
            pixel_scale=pixel_scale,
            columns=told,
            pattern=pattern,
            hdu=hdu,
            ranges=ranges,
            own=own,
            itype=ANY if headers == "ignore" else itype,
            workers=crew,
        )
        if listing.problems and on_error == "raise":
            raise BadMap(listing.problems)
        if not listing.arcmin_per_pixel > 0:
            raise ValueError(
                f"no pixel scale in the headers of {path} (ANGLE in degrees, or a WCS): give --pixel-scale "
                "(pixel_scale=), in arcmin"
            )
        claims = None
        if headers == "check":
            claims = _claims(listing, pixel_scale is None, relabel_redshift is None, itype)
        maps = _from_files(listing, read_mask_of(mask, listing.shape), invalid, threads, claims, constant)
        if not (on_error == "skip" if check is None else check):
            return maps
        bad = maps.check(progress, workers=crew)
    if bad and on_error == "raise":
        raise BadMap(list(bad.values()))
    good = np.setdiff1d(np.arange(len(maps)), list(bad))
    if not len(good):
        raise BadMap(list(bad.values()))
    kept = maps.select(good)
    listing.problems += bad.values()
    kept.skipped, kept.account = listing.problems, listing.account
    return kept


def _bins(bins: Sequence[float] | None, source_redshift: float | None, relabel: float | None) -> list[float]:
    """Redshifts of bins, checked; none where there are none."""
    found = [] if bins is None else [float(z) for z in bins]
    for z in found:
        check_redshift(z)
    if bins is not None and len(found) > 0 and len(set(found)) < max(2, len(found)):
        raise ValueError(f"bins (--bins) is {tuple(found)}; give the source redshifts of two or more bins, each once")
    if found and (source_redshift is not None or relabel is not None):
        raise ValueError(
            "bins (--bins) says the source redshifts of all bins; leave --source-redshift (source_redshift=) and "
            "--relabel-redshift (relabel_redshift=) out"
        )
    return found


def _from_stack(
    path: Path, on_error: str, invalid: Invalid, mask: Any, pixel_scale: Any, source_redshift: float | None,
    relabel_redshift: float | None, columns: Columns, ranges: Ranges | None, constant: bool, threads: int | None,
    bins: Sequence[float], hdu: int | str | None, pattern: str | None,
) -> MapSet:  # fmt: skip
    if not path.exists():
        raise FileNotFoundError(f"no maps at {path}: there is no such file or folder")
    seen = None if mask is None else read_any_mask(mask)
    scale = None if pixel_scale is None else arcmin_per_pixel(pixel_scale)
    stack = open_stack(
        path, mask=seen, pixel_scale=scale, source_redshift=source_redshift, relabel_redshift=relabel_redshift,
        columns=columns, ranges=ranges, invalid=invalid, bins=bins, key=None if hdu is None else str(hdu),
        pattern=pattern, constant=constant,
    )  # fmt: skip
    sets = [
        MapSet(
            table, source.shape, stack.arcmin_per_pixel, source, mask=source.mask, threads=threads,
            processing=(f"invalid={invalid}",) * (invalid != "raise") + mask_step(source.mask),
        )
        for source, table in zip(stack.sources, stack.tables, strict=True)
    ]  # fmt: skip
    named = np.asarray(sets[0].table["file"])
    problems, bad = [(str(named[row]), reason) for row, reason in stack.problems.items()], set(stack.problems)
    if problems and on_error == "raise":
        raise BadMap(problems)
    if on_error == "skip":
        for one, row in ((one, row) for row in range(len(named)) if row not in stack.problems for one in sets):
            try:
                one.read([row])
            except BadMap as error:
                problems += error.bad
                bad.add(row)
        good = np.setdiff1d(np.arange(len(named)), list(bad))
        if not len(good):
            raise BadMap(problems)
        sets = [maps.select(good) for maps in sets] if bad else sets
    maps = sets[0] if len(sets) == 1 else of_bins(sets)
    left = [f"{len(problems)} left out:", *(f"  {name}: {reason}" for name, reason in problems)] if problems else []
    maps.skipped, maps.account = problems, "\n".join([*stack.notes, *left])
    return maps


def _claims(listing: Listing, scale: bool, redshift: bool, itype: str | None) -> Claims:
    """What every header must not contradict; options say what need not be compared."""
    table = listing.table
    names = [name for name in RANGES if name in table.colnames]
    which = np.asarray(table["cosmology"], np.int64)
    first = np.unique(which, return_index=True)[1]
    sets = [
        {name: value for name in names if np.isfinite(value := float(getattr(table[name][i], "value", table[name][i])))}
        for i in first
    ]
    redshifts = np.asarray(table["z_s"], np.float64)
    return Claims(
        listing.arcmin_per_pixel if scale else np.nan,
        redshifts if redshift else np.full(len(redshifts), np.nan),
        sets,
        which,
        itype,
    )


def _from_files(
    listing: Listing, mask: Mask | None, invalid: Invalid, threads: int | None, claims: Claims | None, constant: bool
) -> MapSet:
    root = listing.table.meta["root"]
    source = Files(
        root, np.asarray(listing.table["file"]), np.asarray(listing.table["hdu"]), listing.shape, mask, invalid,
        claims, constant,
    )  # fmt: skip
    return MapSet(
        listing.table,
        listing.shape,
        listing.arcmin_per_pixel,
        source,
        mask=mask,
        processing=(f"invalid={invalid}",) * (invalid != "raise") + mask_step(mask),
        account=listing.account,
        skipped=listing.problems,
        threads=threads,
    )
