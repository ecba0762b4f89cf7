"""The posterior of maps in files: of each of them, or of all together."""

import os
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from awd_core.checks import warn
from awd_core.typing import Array, Flags
from awd_cosmo.inference.observed_maps import as_image, listed_maps, measured_tiles, read_mask, read_observed, settled
from awd_cosmo.inference.predict import prediction_of
from awd_cosmo.posterior.independence import check_independent, check_scatter, thumbnail
from awd_cosmo.posterior.map_posterior import MapPosterior, likelihood_of
from awd_cosmo.posterior.samples import PosteriorSamples


@dataclass(frozen=True, eq=False)
class FilePosterior:
    """The posterior of one map, or of several together.

    Attributes
    ----------
    name : str
        Of the map, or how many there are together.
    samples : PosteriorSamples
        Of all parameters.
    warning : str
        What to know before it is used; empty if nothing.
    """

    name: str
    samples: PosteriorSamples
    warning: str = ""


@dataclass(frozen=True, eq=False)
class _Map:
    """A map that was read: name, some pixels, features of its tiles, and how many independent tiles they are worth."""

    name: str
    pixels: Array
    features: Array
    effective: float
    warning: str
    extrapolated: bool


def posterior_of_files(
    posterior: MapPosterior | str | os.PathLike[str],
    names: Collection[str | os.PathLike[str]],
    *,
    combine: bool = False,
    pixel_scale: float | None = None,
    mask: str | os.PathLike[str] | None = None,
    source_redshift: float | None = None,
    hdu: int | str | None = None,
    itype: str | None = None,
    pattern: str | None = None,
    samples: int = 2048,
    seed: int = 0,
) -> list[FilePosterior]:
    """Sample the posterior of the maps in files.

    A map that is larger than a training map is cut into tiles, whose likelihoods are put together; neighbouring tiles
    are worth less than as many maps, by the correlation of their errors among validation maps.

    Parameters
    ----------
    posterior : MapPosterior or path
        As `MapPosterior.load` reads it.
    names : collection of path
        As for `awd_cosmo.inference.predict_files`.
    combine : bool
        Whether the maps are of one universe and independent: the posterior of all of them together comes last.
    pixel_scale, mask, source_redshift, hdu, itype, pattern
        As for `awd_cosmo.inference.predict_files`.
    samples : int
        Samples of each posterior.
    seed : int
        Of the samples.

    Returns
    -------
    list of FilePosterior
        One a map, and then that of all maps.

    Raises
    ------
    ValueError
        If a map cannot be used, or maps that are to be put together show the same sky, or are fewer than two.

    Warns
    -----
    UserWarning
        If maps that are put together scatter as independent ones of one cosmology do not.
    """
    ready = posterior if isinstance(posterior, MapPosterior) else MapPosterior.load(posterior)
    seen = None if mask is None else read_mask(Path(mask))
    found = [
        one
        for file, name, number in listed_maps(names, pattern, seen, ready.model.bins, hdu)
        if (one := _read(ready, file, name, number, seen, pixel_scale, source_redshift, hdu, itype)) is not None
    ]
    if not found:
        raise ValueError("there is no map among the files; name FITS files, .npy files, or folders of them")
    if combine:
        if len(found) < 2:
            raise ValueError(f"{found[0].name} is the only map, and nothing is there to be combined; name more")
        check_independent([one.pixels for one in found], [one.name for one in found])
    answers = []
    for k, one in enumerate(found):
        (drawn,) = ready.sample(one.features, together=True, effective=one.effective, samples=samples, seed=seed + k)
        answers.append(FilePosterior(one.name, drawn, one.warning))
    if combine:
        means = np.stack([one.features.mean(axis=0) for one in found])
        if all(len(one.features) == 1 for one in found):
            check_scatter(likelihood_of(ready.model), means)
        every, effective = np.concatenate([one.features for one in found]), sum(one.effective for one in found)
        (drawn,) = ready.sample(every, together=True, effective=effective, samples=samples, seed=seed + len(found))
        far = sum(one.extrapolated for one in found)
        said = f"{far} of {len(found)} maps are unlike those of training, or at the end of their range" if far else ""
        answers.append(FilePosterior(f"{len(found)} maps together", drawn, said))
    return answers


def posterior_table(posteriors: Sequence[FilePosterior], shown: Sequence[str]) -> str:
    """A table for a terminal: mean and deviation of what is shown, and the figure of merit."""
    width = max(len(Path(one.name).name) for one in posteriors)
    head = "".join(f"  {f'{name}':>9} ± {'':<7}" for name in shown)
    lines = [f"{'map':<{width}}{head}  {'1/√det':>8}  correlation" if len(shown) > 1 else f"{'map':<{width}}{head}"]
    for one in posteriors:
        values = one.samples.of(*shown)
        cells = "".join(f"  {mean:9.4f} ± {std:<7.4f}" for mean, std in zip(values.mean(0), values.std(0), strict=True))
        if len(shown) > 1:
            merit = one.samples.figure_of_merit(*shown)
            cells += f"  {merit:8.0f}  {one.samples.correlation(*shown[:2]):+11.2f}"
        lines.append(f"{Path(one.name).name:<{width}}{cells}{'  !' if one.warning else ''}")
    lines += ["", *(f"! {Path(one.name).name}: {one.warning}." for one in posteriors if one.warning)]
    return "\n".join(lines).rstrip()


def chain_root(folder: Path, name: str, taken: set[str]) -> Path:
    """Path of a chain's files without ending, of the map's name, told apart from those that are taken.

    Examples
    --------
    >>> taken = set()
    >>> [chain_root(Path("c"), name, taken).name for name in ("a/kappa z1.fits", "b/kappa z1.fits", "s.npy[3]")]
    ['kappa_z1', 'kappa_z1_2', 's_3']
    """
    stem = re.sub(r"\.(fits?|npy)(\.[gf]z)?", "", Path(name).name, flags=re.IGNORECASE)
    plain = re.sub(r"[^\w.+-]+", "_", stem).strip("_.") or "map"
    root, number = plain, 1
    while root in taken:
        number += 1
        root = f"{plain}_{number}"
    taken.add(root)
    return folder / root


def _read(
    posterior: MapPosterior, file: Path, name: str, number: int | None, seen: Flags | None, pixel_scale: float | None,
    source_redshift: float | None, hdu: int | str | None, itype: str | None,
) -> _Map | None:  # fmt: skip
    """Features of the tiles of a map; None for a mask."""
    kappa, *told = read_observed(file, hdu, itype, number, seen, posterior.model.bins)
    if np.isin(kappa, (0, 1)).all():
        warn(f"{name} holds nothing but 0 and 1: it is a mask, and left out")
        return None
    scale, z = settled(name, (told[0], told[1]), pixel_scale, source_redshift)
    image, model = as_image(kappa, seen, name, posterior.model.bins), posterior.model
    features = measured_tiles(model, image, scale, name)
    share = float(np.isfinite(image).mean())
    said = prediction_of(model, features, share, pixel_scale=scale, file=name, source_redshift=z)
    rho, k = float(model.provenance.get("tile_correlation", 1.0)), len(features)
    first = image if model.bins == 1 else image[0]  # the bins are of one sky
    return _Map(name, thumbnail(first), features, k / (1 + (k - 1) * rho), said.warning, said.extrapolated)
