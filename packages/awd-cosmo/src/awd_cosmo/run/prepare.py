"""The first step of a run: maps read, prepared, cached and split, before anything is fitted."""

import hashlib
import io
import math
import os
import re
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from awd_core.files import json_bytes, read_json
from awd_core.run import RunFolder, SettingError
from awd_core.typing import Array, Rows
from awd_core.workers import Workers, available_cores
from awd_cosmo.formats.listing import parameter_columns
from awd_cosmo.inference.partition import PARTS, count_parts, shared_numbers
from awd_cosmo.inference.splits import PUBLISHED_FRACTIONS, Split, split_maps
from awd_cosmo.maps.bins import redshifts_of, together
from awd_cosmo.maps.map_set import MapSet
from awd_cosmo.maps.open import open_maps
from awd_cosmo.maps.preprocessing import Preprocessing
from awd_cosmo.maps.sources import Maps, Source
from awd_cosmo.run.amplitudes import with_amplitudes
from awd_cosmo.run.inputs import mask_unit, network_input
from awd_cosmo.run.job import Job
from awd_cosmo.simulate.suite_folder import DESCRIPTION, suite_description

PROTOCOLS = ("held_out", "published")
NO_PUBLISHED = "the published protocol, other maps of cosmologies that were trained on, is left out"
IDENTITY = "maps_sha256"
"""Under which maps.ecsv has the digest of the maps, as maps.json has."""
RESULTS = ("teacher.json", "gradients.zarr", "student.json", "results.json")
"""What a run has made of its maps."""
TOGETHER = 256
"""Maps that are digested at a time."""


@dataclass(frozen=True)
class Prepared:
    """Maps that are ready to be learnt from."""

    maps: MapSet  # in the run's cache, finite
    splits: dict[str, Split]  # "held_out", and "published" where realisations are known
    target: Array  # (n,): what is estimated
    targets: Array  # (n, k): what the teacher learns; the target first
    parameters: Array  # (n, p): all that vary, the target first
    cosmology: Rows  # (n,)
    realisation: Rows  # (n,)
    preprocessing: Preprocessing  # what was done to the maps, for the saved model
    raw_shape: tuple[int, int]  # of the maps, or of a tile, before preprocessing [pixels]
    raw_scale: float  # of the same [arcmin]
    account: dict[str, Any]  # what maps.json tells
    independent: bool  # whether maps that bear the same number of a realisation are known to have phases of their own
    fill: float  # what networks see where nothing was observed
    masked: bool  # whether there is such a place
    unit: float | None = None  # what the mask's channel holds where observed; None: networks see no mask

    def filled(self, rows: Rows) -> Maps:
        """Maps (k, ny, nx), or (k, bins, ny, nx), without the pixels that were not observed."""
        maps = self.maps.read(rows)
        if self.masked:
            maps[np.isnan(maps)] = self.fill
        return maps

    def inputs(self, rows: Rows) -> Maps:
        """What networks take, (k, channels, ny, nx): the maps, and which pixels were observed if they are to see it."""
        return network_input(self.maps.read(rows), self.fill, self.unit)

    def both_train(self) -> Rows:
        """Training maps of every protocol: what may be looked at whatever the protocol."""
        rows = self.splits["held_out"].train
        for split in self.splits.values():
            rows = np.intersect1d(rows, split.train)
        return rows

    def phases(self, rows: Rows) -> Rows | None:
        """Numbers of the realisations of maps, if several cosmologies among them may share the phases of a number."""
        numbers = self.realisation[rows]
        if self.independent or len(np.unique(numbers)) < 2:
            return None
        return numbers if len(shared_numbers(self.cosmology[rows], numbers)) else None


def simulate_first(job: Job, folder: Path, *, workers: Workers, progress: Callable[[int, int], object]) -> Path:
    """Make the embedded suite, or what is missing of it."""
    from awd_cosmo.simulate.simulation import PRESETS, simulate_suite

    if job.suite not in PRESETS:
        raise ValueError(f"the suite must be one of {', '.join(PRESETS)}; got {job.suite!r}")
    preset = PRESETS[job.suite]
    preset = replace(preset, cosmologies=job.suite_cosmologies or preset.cosmologies)
    setup = replace(
        preset.setup, pixels=job.suite_pixels or preset.setup.pixels, shift=job.suite_shift, **job.drawn_from()
    )
    simulate_suite(
        folder, seed=job.seed, preset=job.suite, design=preset.table(job.seed), setup=setup,
        # Where this process does all, other steps have threads for the other cores; this one has not.
        workers=available_cores() if workers.here else workers,
        realisations=job.suite_realisations or preset.realisations, progress=progress,
    )  # fmt: skip
    return folder


def open_data(job: Job, data: str | Path, workers: Workers, mask: str | os.PathLike[str] | None = None) -> MapSet:
    """The maps of a job, as they lie there, with the parameters that are needed."""
    maps = open_maps(
        data, job.layout, on_error="skip" if job.on_error == "skip" else "raise",
        source_redshift=job.source_redshift, relabel_redshift=job.relabel_redshift, pixel_scale=job.pixel_scale,
        bins=job.bins or None,
        hdu=int(hdu) if (hdu := job.hdu) is not None and hdu.isdecimal() else hdu, pattern=job.pattern,
        columns=job.columns or None, ranges=job.ranges, own=job.targets, itype=job.itype, headers=job.headers,
        invalid=job.invalid, mask=mask, constant=False, workers=workers,
    )  # fmt: skip
    with_amplitudes(maps, job.targets, job.itype)
    for name in job.targets:
        if np.isnan(maps.parameters([name])).any():
            raise ValueError(f"some maps have no {name}; it is to be learnt, so leave them out or complete their table")
    if job.maps_per_cosmology is not None:
        ids, numbers = _integers(maps, "cosmology"), _integers(maps, "realisation")
        keep = np.zeros(len(maps), np.bool_)
        for cosmology in np.unique(ids):
            rows = np.flatnonzero(ids == cosmology)
            keep[rows[np.argsort(numbers[rows], kind="stable")][: job.maps_per_cosmology * maps.apart]] = True
        maps = maps.select(keep)
    return maps


def data_identity(maps: MapSet) -> dict[str, Any]:
    """What tells maps from others without reading their pixels: for a run's settings."""
    digest = hashlib.sha256()
    sizes: dict[str, int] = {}
    for name, path, hdu, cosmology in zip(
        maps.table["file"], maps.files, maps.table["hdu"], maps.table["cosmology"], strict=True
    ):
        file = path.split("!")[0]
        if file not in sizes:  # a map of a stack is no file of its own
            sizes[file] = Path(file).stat().st_size if maps.table.meta.get("root") else 0
        digest.update(f"{name}|{hdu}|{cosmology}|{sizes[file]}\n".encode(errors="surrogateescape"))
    digest.update(maps.parameters(parameter_columns(maps.table)).tobytes())
    return {"maps": len(maps), "sha256": digest.hexdigest()}


def say_account(run: RunFolder, maps: MapSet, data: str | Path) -> None:
    """Show what was recognised, and how many maps were left out; the log lists each."""
    lines = maps.account.splitlines() or [str(data)]
    run.say(f"{len(maps) // maps.apart} maps: {lines[0]}")
    for line in lines[1:]:
        # What is indented is one map of a list.
        (run.log if line.startswith(" ") else run.say)(line.strip())
    if maps.skipped:
        file, reason = maps.skipped[0]
        run.say(f"Note: {len(maps.skipped)} maps were left out, the first is {file}: {reason}. log.txt lists all.")


def independent_phases(data: str | Path) -> bool:
    """Whether a folder holds a suite of our own simulation, of which every map has noise of its own."""
    if not (Path(data) / DESCRIPTION).is_file():
        return False
    return not suite_description(Path(data))["setup"].get("shared_phases", False)


def prepare(run: RunFolder, job: Job, data: str | Path, maps: MapSet, workers: Workers) -> Prepared:
    """Prepare maps, cache them in the run's folder, split them, and write maps.json, maps.ecsv and split.json.

    Raises
    ------
    ValueError
        If maps have pixels that were not observed, there are too few cosmologies or maps to split, or the run was begun
        with other maps.
    """
    raw_scale = maps.arcmin_per_pixel
    said = []
    ready = maps
    if job.noise is not None:
        ready = ready.with_shape_noise(job.noise, galaxies_per_arcmin2=job.galaxies, seed=job.seed)
        said.append(f"shape noise of {job.galaxies:g} galaxies per arcmin² by the convention {job.noise}")
    if job.downsample > 1:
        ready = ready.downsampled(job.downsample)
        said.append(f"means over blocks of {job.downsample} × {job.downsample} pixels")
    if job.smoothing > 0:
        ready = ready.smoothed(sigma_arcmin=job.smoothing)
        said.append(f"smoothed by a Gaussian with a standard deviation of {job.smoothing:g} arcmin")
    if job.tile is not None and max(ready.shape) > job.tile:
        said.append(f"cut into tiles of {job.tile} × {job.tile} pixels")
        ready = ready.tiles(job.tile, rest="drop")
    elif job.tile is not None and max(ready.shape) < job.tile:
        size = " × ".join(map(str, ready.shape))
        run.say(f"Note: maps of {size} pixels are smaller than tiles of {job.tile} × {job.tile}; they stay whole.")
    known, begun = _known_identity(run), (run / "cache").exists()
    # Whether a cache of before is whole is asked where nothing tells what its maps were, or they are others now.
    cached = _cached(run, ready, workers, intact=known is None and begun)
    sha256, shares = _identity(cached, workers)
    if known is not None and known != sha256:
        cached = _cached(run, ready, workers, intact=True)
        sha256, shares = _identity(cached, workers)
    bins, redshifts = maps.apart, redshifts_of(maps)
    if bins > 1:
        said.append(f"{bins} redshift bins of each map together")
    cached = together(_observed(cached, shares, job.least_observed, said))
    cosmology, realisation = _integers(cached, "cosmology"), _integers(cached, "realisation")
    names = varying(cached, job.target)
    noise = None if job.noise is None else {"convention": job.noise, "galaxies_per_arcmin2": job.galaxies}
    independent = independent_phases(data) or job.phases == "independent"
    splits = _split(job, independent, cosmology, realisation)
    account = _account(cached, data, said, names, splits, sha256)
    if bins > 1:
        account["bins"] = redshifts
    if known is None:
        for warning in dict.fromkeys(warning for split in splits.values() for warning in split.warnings):
            run.say(f"Note: {warning}.")
    elif known != account["sha256"]:
        raise ValueError(
            f"the maps in {data} are not those that this run was begun with: their pixels differ. Give another folder, "
            "or --overwrite to delete the run and start anew"
        )
    _refuse_another_split(run, splits)
    masked = bool((shares < 1).any())
    keep(run, "maps.json", json_bytes(account))
    keep(run, "split.json", json_bytes({name: split.to_dict() for name, split in splits.items()}))
    keep(run, "maps.ecsv", _table(cached, splits["held_out"], account["sha256"]))
    raw_side = (cached.shape[0] * job.downsample, cached.shape[1] * job.downsample)
    return Prepared(
        cached, splits, cached.parameters([job.target])[:, 0], cached.parameters(job.targets), cached.parameters(names),
        cosmology, realisation, Preprocessing(job.downsample, job.smoothing, noise=noise), raw_side, raw_scale, account,
        independent, job.fill, masked, mask_unit(job, cached, splits["held_out"].train, masked),
    )  # fmt: skip


def _cached(run: RunFolder, ready: MapSet, workers: Workers, *, intact: bool) -> MapSet:
    """The prepared maps out of the run's cache; what was damaged of it is told."""
    with run.step("Maps") as progress, warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", UserWarning)
        cached = ready.cached(
            run / "cache", intact=intact, progress=lambda done, total: progress(done, total), workers=workers
        )
    for warning in said:
        run.say(f"Note: {warning.message}.")
    return cached


def keep(run: RunFolder, name: str, content: bytes) -> None:
    """Write an artefact, unless it holds this already: what is older than the report needs no new one."""
    if not (run / name).is_file() or (run / name).read_bytes() != content:
        run.write_bytes(name, content)


def _refuse_another_split(run: RunFolder, splits: dict[str, Split]) -> None:
    """Raise if the run has learnt from other parts than its maps are split into now."""
    told: dict[str, list[Rows]] = {}
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):  # a damaged one is written anew
        stored = read_json(run / "split.json")
        told = {name: [np.asarray(split[part], np.int64) for part in PARTS] for name, split in stored.items()}
    now = {name: [getattr(split, part) for part in PARTS] for name, split in splits.items()}
    same = told.keys() == now.keys() and all(all(map(np.array_equal, told[name], parts)) for name, parts in now.items())
    if told and not same:
        raise ValueError(
            f"{run / 'split.json'} parts the maps otherwise than this version does with the same settings: another "
            "version began the run. Give another folder, or --overwrite to delete the run and start anew"
        )


def _known_identity(run: RunFolder) -> str | None:
    """Digest of the maps that the run was begun with, None if it has looked at none; maps.ecsv has it as well.

    Raises
    ------
    ValueError
        If there are results, and nothing tells of which maps.
    """
    told = run / "maps.json"
    if told.exists():
        with suppress(ValueError, KeyError, TypeError):
            return str(dict(read_json(told))["sha256"])
        run.say(f"Note: {told} is damaged, and is written anew.")
    beside = run / "maps.ecsv"
    found = (
        re.search(rf"{IDENTITY}: '?([0-9a-f]{{64}})", beside.read_text("utf-8", "replace")) if beside.exists() else None
    )
    if found is None and any((run / name).exists() for name in RESULTS):
        raise ValueError(
            f"{told} is damaged or gone, and so is what maps.ecsv tells: nothing says which maps this run was begun "
            "with. Give another folder, or --overwrite to delete the run and start anew"
        )
    return found[1] if found else None


def _table(maps: MapSet, split: Split, sha256: str) -> bytes:
    """The table of the prepared maps as ECSV, with the part of each."""
    part = np.full(len(maps), "left out", dtype="U10")
    for name in ("train", "validation", "test"):
        part[getattr(split, name)] = name
    text, table = io.StringIO(), maps.table.copy()
    table.meta = {IDENTITY: sha256}
    table["part_held_out"] = part
    table.write(text, format="ascii.ecsv")
    return text.getvalue().encode(errors="backslashreplace")


def _split(job: Job, independent: bool, cosmology: Rows, realisation: Rows) -> dict[str, Split]:
    """Both protocols, of which no choice that is made in the one has seen a test map of the other.

    The published protocol is of the cosmologies that the held-out protocol trains on. Its test maps are left out there:
    then whatever is learnt from its training and validation maps, teacher and wavelet above all, may be used in both.
    """
    phases: Any = "independent" if independent else job.phases
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # they stand in the split, and in the report
        held_out = split_maps(
            cosmology, realisation, by="cosmology", seed=job.seed, fractions=job.fractions, shared_phases=phases
        )
        least = min(len(np.unique(realisation[cosmology == c])) for c in np.unique(cosmology))
        if (realisation < 0).any():
            return _without_published(held_out, "the realisations of maps are not known")
        if least < 3:
            return _without_published(held_out, f"it needs 3 realisations of each cosmology, one has {least}")
        fractions = PUBLISHED_FRACTIONS
        published = split_maps(cosmology, realisation, by="published", seed=job.seed, fractions=fractions)
    train, validation = (np.setdiff1d(rows, published.test) for rows in (held_out.train, held_out.validation))
    usable = np.intersect1d(train, published.train)
    if not (len(train) and len(validation) and len(usable) > 1):
        # The protocol that counts is kept whole.
        return _without_published(
            held_out,
            f"with {least} realisations of a cosmology nothing is left to train on that is test map in neither",
        )
    known = np.isin(cosmology, cosmology[train])
    parts = [rows[known[rows]] for rows in (published.train, published.validation, published.test)]
    return {
        "held_out": _with_parts(held_out, cosmology, realisation, [train, validation, held_out.test]),
        "published": _with_parts(published, cosmology, realisation, parts),
    }


def _with_parts(split: Split, cosmology: Rows, realisation: Rows, parts: list[Rows]) -> Split:
    """A split with other rows in its parts."""
    part = np.full(len(cosmology), -1)
    for number, rows in enumerate(parts):
        part[rows] = number
    train, validation, test = parts
    counts = count_parts(cosmology, realisation, part)
    return replace(split, train=train, validation=validation, test=test, counts=counts)


def _without_published(split: Split, reason: str) -> dict[str, Split]:
    """The one protocol, with the warning that the other is missing: split.json, the log and the report tell it."""
    return {"held_out": replace(split, warnings=(*split.warnings, f"{NO_PUBLISHED}: {reason}"))}


def _account(
    maps: MapSet, data: str | Path, said: list[str], names: list[str], splits: dict[str, Split], sha256: str
) -> dict[str, Any]:
    ids = _integers(maps, "cosmology")
    first = np.unique(ids, return_index=True)[1]
    known = parameter_columns(maps.table)
    values = maps.parameters(known)
    redshifts = np.unique(np.asarray(maps.table["z_s"], np.float64))
    numbers = _integers(maps, "realisation")
    per = [len(np.unique(numbers[ids == c])) if (numbers >= 0).all() else int((ids == c).sum()) for c in ids[first]]
    table = [
        {"cosmology": int(ids[i])}
        | {name: float(v) for name, v in zip(known, values[i], strict=True) if math.isfinite(v)}
        | {"maps": int((ids == ids[i]).sum())}
        for i in first
    ]
    simulated = (Path(data) / DESCRIPTION).is_file()
    return {
        "account": maps.account,
        "layout": str(maps.table.meta.get("layout", maps.account.split(":")[0])),
        "maps": len(maps),
        "shape": list(maps.shape),
        "arcmin_per_pixel": maps.arcmin_per_pixel,
        "z_s": float(redshifts[0]) if len(redshifts) == 1 and np.isfinite(redshifts[0]) else None,
        "cosmologies": len(first),
        "realisations_per_cosmology": [min(per), max(per)],
        "parameters": {
            name: [float(np.nanmin(values[:, k])), float(np.nanmax(values[:, k]))]
            for k, name in enumerate(known)
            if np.isfinite(values[:, k]).any()
        },
        "varying": names,
        "processing": said,
        "skipped": [list(entry) for entry in maps.skipped],
        "table": table,
        "simulation": _told(suite_description(Path(data))) if simulated else None,
        "warnings": {name: list(split.warnings) for name, split in splits.items() if split.warnings},
        "sha256": sha256,
    }


def _identity(maps: MapSet, workers: Workers) -> tuple[str, Array]:
    """Digest of the digests of all pixels, 256 maps at a time, and the share of each map that was observed."""
    digest = hashlib.sha256()
    blocks = [maps.source.part(np.arange(k, min(k + TOGETHER, len(maps)))) for k in range(0, len(maps), TOGETHER)]
    counts = [min(TOGETHER, len(maps) - k) for k in range(0, len(maps), TOGETHER)]
    shares = []
    for found, seen in workers.map(_digest, list(zip(blocks, counts, strict=True)), names=_block_name):
        digest.update(found)
        shares.append(seen)
    return digest.hexdigest(), np.concatenate(shares)


def _digest(block: tuple[Source, int]) -> tuple[bytes, Array]:
    """Digest of the maps of a source, rows 0 to count − 1, and the share of each that was observed."""
    source, count = block
    maps = source(np.arange(count), available_cores(), None)
    return hashlib.sha256(maps.data).digest(), np.isfinite(maps).mean(axis=(1, 2))


def _observed(cached: MapSet, shares: Array, least: float, said: list[str]) -> MapSet:
    """The tiles of which enough was observed; whole maps stay, whatever the mask leaves of them."""
    if (shares == 1).all():
        return cached
    said.append(f"{1 - shares.mean():.0%} of the pixels were not observed")
    tiled = np.asarray(cached.table["tile"]) >= 0
    bins = cached.apart
    keep = ~tiled | (shares.reshape(-1, bins) >= least).all(axis=1).repeat(bins)
    if not keep.any():
        raise SettingError(
            "no tile was observed to {least:.0%}, the best to {best:.0%}; give a smaller {tile}, or a smaller "
            "{least_observed}",
            least=least, best=float(shares.max()),
        )  # fmt: skip
    if not keep.all():
        left = f"{int((~keep).sum()) // bins} of {len(keep) // bins} tiles"
        said.append(f"{left}, observed to less than {least:.0%}, are left out")
    return cached.select(keep)


def _block_name(block: tuple[Source, int]) -> str:
    return f"the digest of {block[1]} maps"


def _told(suite: dict[str, Any]) -> dict[str, Any]:
    """What suite.json tells, without its table, which is in maps.json already, and its versions."""
    return {key: value for key, value in suite.items() if key not in ("cosmologies", "versions")}


def varying(maps: MapSet, target: str | None = None) -> list[str]:
    """Parameters that vary from cosmology to cosmology and do not follow from the others, the target, if any, first.

    What varies within a cosmology is a nuisance: it tells nothing of which cosmology a map is of.
    """
    known = parameter_columns(maps.table)
    values, ids = maps.parameters(known), _integers(maps, "cosmology")
    first = np.unique(ids, return_index=True)[1][np.unique(ids, return_inverse=True)[1].reshape(-1)]
    vary = [
        name
        for k, name in enumerate(known)
        if np.isfinite(values[:, k]).all() and np.ptp(values[:, k]) > 1e-9 and name != target
        and np.allclose(values[:, k], values[first, k], rtol=1e-9, atol=0)
    ]  # fmt: skip
    first_ones = [] if target is None else [target]
    # σ8 follows from A_s and the others, which are what is varied; S8 from σ8 and Ω_m, or the other way round.
    if target == "S8":
        return [target, *(name for name in vary if name not in ("sigma8", "A_s"))]
    follow = {"sigma8": {"A_s"}, "S8": {"A_s", "sigma8"}}
    return [*first_ones, *(name for name in vary if not follow.get(name, set()) & {*first_ones, *vary})]


def _integers(maps: MapSet, column: str) -> Rows:
    return np.asarray(maps.table[column], np.int64)
