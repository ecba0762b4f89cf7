"""A saved model asked for maps: NumPy and the JSON file alone, beside astropy, which reads FITS.

Observed maps are brought to the model's pixel scale by block means and cut into tiles of the size of the training maps,
since noise in counts, and with it error bars and distances, depends on the area. The estimate is the mean over tiles.
"""

import csv
import io
import json
import math
import os
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from awd_cosmo.model import Model

ENDINGS = (".fits", ".fit", ".fits.gz", ".fit.gz", ".fits.fz", ".npy")
LEAST_OBSERVED = 0.8
"""Share of a tile that must have been observed."""
FAR = 99.0
"""Percentile of the distance from the training maps above which an estimate is an extrapolation."""


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
        Median Mahalanobis distance of its tiles from the training maps.
    percentile : float
        Median share of training maps, in percent, that lie nearer.
    tiles : int
        Tiles that were used.
    observed : float
        Share of the map's pixels that were observed.
    arcmin_per_pixel : float
        Of the map as it came.
    warning : str
        What to know before the estimate is used; empty if nothing.
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


def map_files(names: Collection[str | os.PathLike[str]]) -> list[Path]:
    """Files of maps: those named, and those in folders that are named, by their endings.

    Raises
    ------
    FileNotFoundError
        If a file or folder is not there, or a folder holds no maps.
    """
    found: list[Path] = []
    for name in names:
        path = Path(name)
        if path.is_dir():
            inside = sorted(file for file in path.iterdir() if file.name.lower().endswith(ENDINGS))
            if not inside:
                raise FileNotFoundError(f"{path} holds no maps; their names end in {', '.join(ENDINGS)}")
            found += inside
        elif path.is_file():
            found.append(path)
        else:
            raise FileNotFoundError(f"there is no file or folder {path}")
    return found


def predict_files(
    model: Model,
    names: Collection[str | os.PathLike[str]],
    *,
    pixel_scale: float | None = None,
    mask: str | os.PathLike[str] | None = None,
) -> list[MapPrediction]:
    """Ask a model for the maps in files.

    Parameters
    ----------
    model : Model
        As `Model.load` reads it.
    names : collection of path
        FITS files or .npy arrays of one map each, or folders of them. Maps that hold nothing but 0 and 1 are masks,
        and are left out of folders.
    pixel_scale : float, optional
        Arcmin per pixel, where headers do not tell it, or to overrule them.
    mask : path, optional
        A map of 1 where observed and 0 elsewhere, for all maps.

    Raises
    ------
    ValueError
        If a map cannot be brought to the model's pixel scale, is too small, or its pixel scale is not told.

    Warns
    -----
    UserWarning
        If a mask is left out.
    """
    seen = None if mask is None else _mask(Path(mask))
    found = []
    folders = {Path(name) for name in names if Path(name).is_dir()}
    for file in map_files(names):
        kappa, scale = _read(file)
        if file.parent in folders and np.isin(kappa, (0, 1)).all():
            warnings.warn(f"{file} holds nothing but 0 and 1: it is a mask, and left out", UserWarning, stacklevel=2)
            continue
        scale = pixel_scale if pixel_scale is not None else scale
        if not (math.isfinite(scale) and scale > 0):
            raise ValueError(f"{file} does not tell its pixel scale (ANGLE, or a WCS); give it, in arcmin")
        found.append(predict_map(model, kappa, pixel_scale=scale, mask=seen, file=str(file)))
    return found


def predict_map(
    model: Model,
    kappa: npt.ArrayLike,
    *,
    pixel_scale: float,
    mask: npt.ArrayLike | None = None,
    file: str = "",
) -> MapPrediction:
    """Ask a model for one map.

    Parameters
    ----------
    model : Model
        With statistics that count per pixel, or tiles of which every pixel was observed.
    kappa : array_like, shape (ny, nx)
        Convergence, NaN where not observed; at least as large on the sky as a training map.
    pixel_scale : float
        Arcmin per pixel.
    mask : array_like of bool, optional, shape (ny, nx)
        True where observed.
    file : str
        Name, for messages.

    Raises
    ------
    ValueError
        If the map does not fit the model; the message says how.
    """
    image = np.asarray(kappa, dtype=np.float64)
    if image.ndim != 2:
        raise ValueError(f"{file or 'the map'} has the shape {image.shape}; one map (ny, nx) is asked for")
    if mask is not None:
        observed = np.asarray(mask)
        if observed.shape != image.shape:
            raise ValueError(f"the mask has the shape {observed.shape} and {file or 'the map'} {image.shape}")
        image = np.where(observed.astype(np.bool_), image, np.nan)
    # HEALPix' UNSEEN, −1.6375e30, is no convergence.
    image = np.where(np.isfinite(image) & (np.abs(image) < 1e10), image, np.nan)
    tiles, shares = _tiles(model, image, pixel_scale, file)
    usable = shares >= LEAST_OBSERVED
    if not usable.any():
        raise ValueError(
            f"{file or 'the map'}: no tile of the size of the training maps was observed to {LEAST_OBSERVED:.0%}; the "
            f"best has {shares.max():.0%}"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of missing pixels: said below
        answer = model.predict(tiles[usable], pixel_scale=pixel_scale)
    estimates = answer.estimate.reshape(len(answer.estimate), -1)[:, 0]
    stds = answer.std.reshape(len(answer.std), -1)[:, 0]
    rho = float(model.provenance.get("tile_correlation", 1.0))
    k = len(estimates)
    estimate, std = float(estimates.mean()), float(stds.mean()) * math.sqrt(rho + (1 - rho) / k)
    # The smoothing of a single tile mirrors at its border, as in training.
    percentile = float(np.median(answer.percentile))
    said = []
    if percentile >= FAR:
        said.append("it lies outside of what the model was trained on: an extrapolation")
    low, high = model.provenance.get("parameters", {}).get(model.parameters[0], (-math.inf, math.inf))
    if not low <= estimate <= high:
        said.append(f"the estimate is outside the training range, {low:.3g} to {high:.3g}")
    share = float(np.isfinite(image).mean())
    if share < 1:
        said.append(f"{1 - share:.0%} of the pixels were not observed")
    return MapPrediction(
        file, model.parameters[0], estimate, std, float(np.median(answer.distance)), percentile, k, share,
        float(pixel_scale), "; ".join(said),
    )  # fmt: skip


def table_text(predictions: Sequence[MapPrediction]) -> str:
    """A table for a terminal."""
    width = max((len(Path(p.file).name) for p in predictions), default=4)
    name = predictions[0].parameter if predictions else "estimate"
    lines = [f"{'map':<{width}}  {name:>8} ± {'error':<7} {'distance':>8} {'nearer':>7}  tiles"]
    for p in predictions:
        mark = f"  ! {p.warning}" if p.warning else ""
        lines.append(
            f"{Path(p.file).name:<{width}}  {p.estimate:8.4f} ± {p.std:<7.4f} {p.distance:8.1f} {p.percentile:6.1f}%"
            f"  {p.tiles:>5}{mark}"
        )
    return "\n".join(lines)


def to_csv(predictions: Sequence[MapPrediction]) -> bytes:
    """All columns, one row a map.

    Examples
    --------
    >>> one = MapPrediction("a.fits", "Omega_m", 0.3, 0.01, 20.0, 50.0, 4, 1.0, 0.41, "")
    >>> print(to_csv([one]).decode().splitlines()[1])
    a.fits,Omega_m,0.3,0.01,20.0,50.0,4,1.0,0.41,
    """
    text = io.StringIO()
    rows: list[Mapping[str, Any]] = [asdict(p) for p in predictions]
    writer = csv.DictWriter(text, list(rows[0]) if rows else ["file"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def to_json(predictions: Sequence[MapPrediction]) -> bytes:
    """A list of mappings, one a map."""
    return (json.dumps([asdict(p) for p in predictions], indent=2, ensure_ascii=False) + "\n").encode()


def _tiles(model: Model, image: npt.NDArray[np.float64], scale: float, file: str) -> tuple[Any, Any]:
    """Tiles of the sky area of a training map, in the map's own pixels, and how much of each was observed."""
    ratio = model.pixel_scale / scale
    factor = max(1, round(ratio))
    ny, nx = (side * factor for side in model.shape)
    if image.shape[0] < ny or image.shape[1] < nx:
        raise ValueError(
            f"{file or 'the map'} has {image.shape[0]} × {image.shape[1]} pixels of {scale:.3g} arcmin; the model was "
            f"trained on maps of {model.shape[0] * model.pixel_scale:.3g} × {model.shape[1] * model.pixel_scale:.3g} "
            f"arcmin, which are {ny} × {nx} such pixels"
        )
    # What fills no tile is left at all edges alike.
    top, left = (image.shape[0] % ny) // 2, (image.shape[1] % nx) // 2
    corners = [
        (y, x)
        for y in range(top, image.shape[0] - ny + 1, ny)
        for x in range(left, image.shape[1] - nx + 1, nx)
    ]  # fmt: skip
    tiles = np.stack([image[y : y + ny, x : x + nx] for y, x in corners])
    return tiles, np.isfinite(tiles).mean(axis=(1, 2))


def _read(file: Path) -> tuple[npt.NDArray[np.float64], float]:
    if file.suffix == ".npy":
        return np.asarray(np.load(file, allow_pickle=False), np.float64), math.nan
    from awd_cosmo.fits import read_map

    kappa, header = read_map(file)
    return np.asarray(kappa, np.float64), float(header.arcmin_per_pixel)


def _mask(file: Path) -> npt.NDArray[np.bool_]:
    values, _ = _read(file)
    if not np.isin(values, (0, 1)).all():
        raise ValueError(f"{file} is no mask: it must hold 1 where observed and 0 elsewhere")
    return values > 0
