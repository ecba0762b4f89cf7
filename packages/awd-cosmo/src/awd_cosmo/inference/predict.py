"""A saved model asked for maps: NumPy and the JSON file alone, beside astropy, which reads FITS.

Observed maps are brought to the model's pixel scale by block means, smoothed if training maps were, and cut into tiles
of the size of the training maps, since noise in counts, and with it error bars and distances, depends on the area. The
estimate is the mean over tiles. A pixel that was not observed has no weight in the means and in the smoothing of its
neighbours, and is not measured.
"""

import csv
import io
import json
import math
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from awd_core.checks import check_file, check_kind, warn
from awd_core.typing import Array, Flags
from awd_core.workers import Lost, Workers, open_workers
from awd_cosmo.inference.model import Model, Prediction
from awd_cosmo.inference.observed_maps import as_image, listed_maps, measured_tiles, read_mask, read_observed, settled
from awd_cosmo.maps.regrid import regrid

NEAR = 1.25
"""So many times as far as 99 % of maps like those of training is still called their edge."""
BARS = 2.0
"""An estimate so few error bars away from an end of the training range may have its truth beyond it."""
NAMED = 3
"""Groups of features that are named where a map lies far from the training maps."""
REDSHIFTS = 0.05
"""Difference of the sources' redshifts that is told."""
TOGETHER = 4
"""Files that a worker is given at a time."""


@dataclass(frozen=True)
class MapPrediction:
    """What a model says of one map.

    Attributes
    ----------
    file : str
    parameter : str
    estimate, std : float
        Mean over tiles and its error bar (1σ), in the parameter's unit.
    distance : float
        Median Mahalanobis distance of its tiles from what training maps with any parameters of the training box are
        like (`awd_cosmo.inference.TrainingDistribution`).
    percentile : float
        Median share of the maps that validated the model, in percent, that lie nearer.
    tiles : int
        Tiles that were used.
    observed : float
        Share of the map's pixels that were observed.
    arcmin_per_pixel : float
        Of the map as it came.
    warning : str
        What to know before the estimate is used; empty if nothing.
    times : float or None
        The distance over that beyond which lies at most one in a hundred maps like those of training.
    farthest : str
        In which bands or filters it is most unlike training maps, and how much; empty if it is not.
    at_edge : bool
        Whether the estimate lies within two error bars of an end of the training range, or beyond it: a model knows
        nothing of what lies there, and its error bar neither.
    """

    file: str
    parameter: str
    estimate: float
    std: float
    distance: float
    percentile: float
    tiles: int
    observed: float
    arcmin_per_pixel: float
    warning: str
    times: float | None = None
    farthest: str = ""
    at_edge: bool = False

    @property
    def extrapolated(self) -> bool:
        """Whether a test speaks for it that the map is unlike those of training."""
        return self.at_edge or (self.times is not None and self.times > 1)


def predict_files(
    model: Model | str | os.PathLike[str],
    names: Collection[str | os.PathLike[str]],
    *,
    pixel_scale: float | None = None,
    mask: str | os.PathLike[str] | None = None,
    source_redshift: float | None = None,
    hdu: int | str | None = None,
    itype: str | None = None,
    pattern: str | None = None,
    regrid: bool = False,
    bad: list[tuple[str, str]] | None = None,
    workers: int | Workers = 1,
) -> list[MapPrediction]:
    """Ask a model for the maps in files.

    Parameters
    ----------
    model : Model or path
        As `Model.load` reads it, or its file. Workers read the file themselves; a model in memory is sent to them.
    names : collection of path
        FITS files, .npy arrays of one map or of a stack, (n, ny, nx) or (n, pixels inside the mask), or folders of
        them. Maps that hold nothing but 0 and 1 are masks, and are left out of folders.
    pixel_scale : float, optional
        Arcmin per pixel, where headers do not tell it, or to overrule them.
    mask : path, optional
        A map of 1 where observed and 0 elsewhere, for all maps.
    source_redshift : float, optional
        Of the maps' sources, where headers and names do not tell it, or to overrule them.
    hdu : int or str, optional
        HDU of the maps, by number or name; otherwise the first image of each file.
    itype : str, optional
        As for `awd_cosmo.formats.read_map`.
    pattern : str, optional
        Take only files of folders whose name matches.
    regrid : bool
        Whether maps whose pixels do not fill the model's are brought to its scale by area (`awd_cosmo.maps.regrid`);
        otherwise they are refused.
    bad : list, optional
        Takes (file, reason) of every file that cannot be used; without it the first one is an error.
    workers : int or Workers, optional
        Processes, or open `awd_core.workers.open`; each holds one map at a time.

    Raises
    ------
    ValueError
        If a map cannot be brought to the model's pixel scale, is too small, or its pixel scale is not told.
    LostItemError
        If a file kills whoever reads it; the message names it.

    Warns
    -----
    UserWarning
        If a mask is left out.
    """
    if not isinstance(model, Model):
        model = Path(model).absolute()
        check_file(model)
    asked = model if isinstance(model, Model) else _loaded(model, model.stat().st_mtime_ns)
    seen = None if mask is None else read_mask(Path(mask))  # what is wrong with it is no fault of a map
    folders = {Path(name).absolute() for name in names if Path(name).is_dir()}
    files: list[_File] = [
        (place, name, place.parent in folders, number)
        for place, name, number in listed_maps(names, pattern, seen, asked.bins, hdu)
    ]
    told = _Asked(pixel_scale, None if mask is None else Path(mask).absolute(), source_redshift, hdu, itype, regrid)
    ask: Callable[..., list[Any]] = partial(_predicted, model, told, bad is None)
    found: list[MapPrediction] = []
    with open_workers(workers) as crew:
        for (_, name, *_), answer in zip(files, crew.map_blocks(ask, files, TOGETHER, names=_file_name), strict=True):
            if isinstance(answer, Lost):
                if bad is None:
                    raise answer.error()
                bad.append((name, answer.reason))
            elif isinstance(answer, str) and bad is not None:
                bad.append((name, answer))
            elif answer is None:
                warn(f"{name} holds nothing but 0 and 1: it is a mask, and left out")
            else:
                found.append(answer)
    return found


def predict_map(
    model: Model,
    kappa: npt.ArrayLike,
    *,
    pixel_scale: float,
    mask: npt.ArrayLike | None = None,
    file: str = "",
    source_redshift: float | None = None,
) -> MapPrediction:
    """Ask a model for one map.

    Parameters
    ----------
    model : Model
        With statistics that count per pixel, or tiles of which every pixel was observed.
    kappa : array_like, shape (ny, nx), or (bins, ny, nx) where the model looks at several redshift bins
        Convergence, NaN where not observed; at least as large on the sky as a training map.
    pixel_scale : float
        Arcmin per pixel.
    mask : array_like of bool, optional, shape (ny, nx)
        True where observed.
    file : str
        Name, for messages.
    source_redshift : float, optional
        Of its sources, to be compared with that of the training maps.

    Raises
    ------
    ValueError
        If the map does not fit the model; the message says how.
    """
    check_kind("model", model, Model)
    image = as_image(kappa, mask, file, model.bins)
    features = measured_tiles(model, image, pixel_scale, file)
    share = float(np.isfinite(image).mean())
    return prediction_of(model, features, share, pixel_scale=pixel_scale, file=file, source_redshift=source_redshift)


def prediction_of(
    model: Model, features: Array, share: float, *, pixel_scale: float, file: str, source_redshift: float | None
) -> MapPrediction:
    """What a model says of the tiles of a map, of whose pixels a share was observed."""
    answer = Prediction(*model.regressor.predict(features, return_std=True), *model.training.distance(features))
    estimates = answer.estimate.reshape(len(answer.estimate), -1)[:, 0]
    stds = answer.std.reshape(len(answer.std), -1)[:, 0]
    rho = float(model.provenance.get("tile_correlation", 1.0))
    k = len(estimates)
    estimate, std = float(estimates.mean()), float(stds.mean()) * math.sqrt(rho + (1 - rho) / k)
    percentile, distance = float(np.median(answer.percentile)), float(np.median(answer.distance))
    times = float(model.training.times(distance))
    farthest = _farthest(model, features) if times > 1 else ""
    said = []
    if times > 1:
        where = f", farthest in {farthest}" if farthest else ""
        far = f"{times:.1f} times as far as 99 % of such maps{where}"
        if times < NEAR:
            said.append(f"it lies at the edge of what the model was trained on, {far}")
        else:
            said.append(
                f"it lies outside of what the model was trained on, {far}: an extrapolation, and so the error bar"
            )
    low, high = model.provenance.get("parameters", {}).get(model.parameters[0], (-math.inf, math.inf))
    at_edge = not low + BARS * std <= estimate <= high - BARS * std
    if not low <= estimate <= high:
        said.append(f"the estimate is outside the training range, {low:.3g} to {high:.3g}")
    elif at_edge:
        said.append(
            f"the estimate lies within {BARS:g} error bars of an end of the training range, {low:.3g} to {high:.3g}: "
            "the truth may lie beyond it, where the model knows nothing"
        )
    trained = model.provenance.get("z_s")
    if model.bins > 1:
        bins = model.provenance.get("bins") or [None] * model.bins
        said.append(f"nothing tells whether its redshift bins are those of training in their order, {bins_at(bins)}")
    elif trained is None:
        own = "" if source_redshift is None else f" (its own are at z = {source_redshift:.3g})"
        said.append(
            "the redshift of the training maps' sources is not known, so nothing tells whether its sources are like "
            f"them{own}"
        )
    elif source_redshift is None:
        said.append(f"its source redshift is not known; the sources of the training maps are at z = {trained:.3g}")
    elif abs(source_redshift - trained) > REDSHIFTS:
        said.append(f"its sources are at z = {source_redshift:.3g}, those of the training maps at z = {trained:.3g}")
    if share < 1:
        said.append(f"{1 - share:.0%} of the pixels were not observed")
    return MapPrediction(
        file, model.parameters[0], estimate, std, distance, percentile, k, share, float(pixel_scale), "; ".join(said),
        times, farthest, at_edge,
    )  # fmt: skip


def bins_at(redshifts: Sequence[float | None]) -> str:
    """Redshift bins in words.

    Examples
    --------
    >>> bins_at([0.5, None])
    'sources at z = 0.5, unknown'
    """
    return f"sources at z = {', '.join('unknown' if z is None else f'{z:g}' for z in redshifts)}"


def table_text(predictions: Sequence[MapPrediction]) -> str:
    """A table for a terminal, and what its columns and the warnings mean."""
    width = max((len(Path(p.file).name) for p in predictions), default=4)
    name = predictions[0].parameter if predictions else "estimate"
    lines = [f"{'map':<{width}}  {name:>8} ± {'error':<7} {'distance':>8} {'times':>6} {'nearer':>7}  tiles"]
    for p in predictions:
        times = "–" if p.times is None else f"{p.times:.2f}"
        lines.append(
            f"{Path(p.file).name:<{width}}  {p.estimate:8.4f} ± {p.std:<7.4f} {p.distance:8.1f} {times:>6} "
            f"{p.percentile:6.1f}%  {p.tiles:>5}{'  !' if p.warning else ''}"
        )
    if not predictions:
        return lines[0]
    lines += ["", *(f"! {Path(p.file).name}: {p.warning}." for p in predictions if p.warning)]
    lines += [
        "Distance: from what maps are like within the training box. Times: over the distance beyond which at most one",
        "in a hundred maps of the same kind lies. Nearer: share of the maps that validated the model that lie nearer.",
    ]
    far = [p for p in predictions if p.times is not None and p.times > 1]
    if far:
        lines += [
            f"{len(far)} of {len(predictions)} lie beyond 99 % of such maps: nothing that was measured on test",
            "maps, error bars included, holds for them. Train on maps with their resolution, noise and source",
            "redshift, and of cosmologies about theirs. In brackets: how many times as far as usual in that band",
            "alone, and whether its values scatter less or more.",
        ]
    return "\n".join(lines)


def to_csv(predictions: Sequence[MapPrediction]) -> bytes:
    """All columns, one row a map.

    Examples
    --------
    >>> one = MapPrediction("a.fits", "Omega_m", 0.3, 0.01, 20.0, 50.0, 4, 1.0, 0.41, "")
    >>> print(to_csv([one]).decode().splitlines()[1])
    a.fits,Omega_m,0.3,0.01,20.0,50.0,4,1.0,0.41,,,,False
    """
    text = io.StringIO()
    rows: list[Mapping[str, Any]] = [asdict(p) for p in predictions]
    writer = csv.DictWriter(text, list(rows[0]) if rows else ["file"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode(errors="backslashreplace")


def to_json(predictions: Sequence[MapPrediction]) -> bytes:
    """A list of mappings, one a map."""
    return (json.dumps([asdict(p) for p in predictions], indent=2, ensure_ascii=False) + "\n").encode(
        errors="backslashreplace"
    )


_File = tuple[Path, str, bool, int | None]
"""A file, the name of its map, whether it is from a folder, and the number of the map in a stack."""


@dataclass(frozen=True)
class _Asked:
    """What is told about maps beside their files; see `predict_files`."""

    pixel_scale: float | None
    mask: Path | None
    source_redshift: float | None
    hdu: int | str | None
    itype: str | None
    regrid: bool


def _predicted(
    model: Model | Path, told: _Asked, stop: bool, files: Sequence[_File]
) -> list[MapPrediction | str | None]:
    """Predictions for files, each with its name and whether it is from a folder; None for a mask in a folder.

    In place of one that there cannot be, the reason, unless it shall stop there.
    """
    ready = model if isinstance(model, Model) else _loaded(model, model.stat().st_mtime_ns)
    seen = None if told.mask is None else read_mask(told.mask)
    found: list[MapPrediction | str | None] = []
    for one in files:
        file, name = one[:2]
        try:
            found.append(_one(ready, told, seen, one))
        except (ValueError, OSError, MemoryError) as error:
            if stop:
                raise
            text = str(error) if not isinstance(error, OSError) else f"unreadable: {error.strerror or error}"
            text = "too large for the memory that there is" if isinstance(error, MemoryError) else text
            for shown in (str(file), name):
                text = text.removeprefix(f"{shown}: ").removeprefix(f"{shown} ")
            found.append(text)
    return found


def _one(model: Model, told: _Asked, seen: Flags | None, one: _File) -> MapPrediction | None:
    file, name, in_folder, number = one
    kappa, scale, z = read_observed(file, told.hdu, told.itype, number, seen, model.bins)
    if in_folder and np.isin(kappa, (0, 1)).all():
        return None
    scale, z_s = settled(name, (scale, z), told.pixel_scale, told.source_redshift)
    fits = seen is None or seen.shape == kappa.shape[-2:]
    if not told.regrid or model.takes(scale) or not fits:
        return predict_map(model, kappa, pixel_scale=scale, mask=seen, file=name, source_redshift=z_s)
    observed = (np.abs(kappa) < 1e10) & (True if seen is None else seen)
    try:
        whole, factor = np.where(observed, kappa, np.nan), model.pixel_scale / scale
        image = regrid(whole, factor) if model.bins == 1 else np.stack([regrid(one, factor) for one in whole])
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    found = predict_map(model, image, pixel_scale=model.pixel_scale, file=name, source_redshift=z_s)
    said = (
        f"its pixels of {scale:.3g} arcmin were brought to the model's {model.pixel_scale:.3g} by means over the area "
        "that they share, which correlates noise between neighbours"
    )
    return replace(found, arcmin_per_pixel=scale, warning="; ".join(filter(None, [said, found.warning])))


@lru_cache(maxsize=2)
def _loaded(file: Path, changed: int) -> Model:
    return Model.load(file)


def _file_name(file: _File) -> str:
    return file[1]


def _farthest(model: Model, features: Array) -> str:
    """In words: where maps are most unlike those of training, beginning with the worst."""
    groups = model.groups()
    if len(groups) != features.shape[1]:
        return ""
    found = sorted(model.training.by_group(features, groups).items(), key=lambda one: -one[1][0])
    told = []
    for name, (times, outer) in found[:NAMED]:
        if times < 1:
            break
        how = "" if not math.isfinite(outer) or 0.8 < outer < 1.25 else ", less" if outer < 1 else ", more"
        told.append(f"{name} ({times:.1f}{how})")
    return ", ".join(told)
