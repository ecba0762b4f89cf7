"""Which scales a linear estimate rests on, from the saved model alone.

A ridge estimate is a sum over features, ŷ = c + Σ_f w_f z_f, with z the standardised (square roots of) counts, and so a
sum of one part for each band, ŷ = c + Σ_b p_b. Over the training maps, whose covariance C the model knows,

    Cov(p_b, ŷ) = Σ_{f ∈ b} Σ_g w_f C_fg w_g,   Σ_b Cov(p_b, ŷ) = Var ŷ:

the share of a band is Cov(p_b, ŷ) / Var ŷ. The shares add up to 1. One may be negative: a band that corrects others.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from awd_cosmo.inference.estimators import CountRidge, PeakCountRegressor
from awd_cosmo.inference.model import Model
from awd_cosmo.statistics.undecimated import BandScale, wavelet_scales

STARLET = "starlet"
FEW = 20
"""Features that a reader can tell apart."""


@dataclass(frozen=True)
class BandShare:
    """What one band contributes to the estimate.

    Attributes
    ----------
    band : str
        Its name, such as "h2" or "raw".
    share : float
        Its share of the estimate's variance over the training maps.
    spread : float
        Standard deviation of its part over the training maps, in the parameter's unit.
    features : int
        How many features it has.
    """

    band: str
    share: float
    spread: float
    features: int


def band_shares(model: Model, target: int = 0) -> list[BandShare]:
    """Say which bands an estimate rests on.

    Parameters
    ----------
    model : Model
        Its regressor must be `awd_cosmo.inference.CountRidge` of degree 1: only a sum has parts.
    target : int
        Which parameter.

    Returns
    -------
    list of BandShare
        In the order of the features; empty where the model is none of that kind.
    """
    regressor: Any = model.regressor.regressor_ if isinstance(model.regressor, PeakCountRegressor) else model.regressor
    names = _bands(model)
    if not isinstance(regressor, CountRidge) or regressor.degree != 1 or len(names) != regressor.n_features_in_:
        return []
    if regressor.transform != model.training.transform:
        return []
    weights = regressor.weights_[:, target] / regressor.scale_
    covariance = np.linalg.pinv(model.training.precision, hermitian=True)
    moved = covariance @ weights
    total = float(weights @ moved)
    if total <= 0:
        return []
    found = []
    for band in dict.fromkeys(names):
        here = np.array([name == band for name in names])
        part = float(weights[here] @ moved[here])
        variance = float(weights[here] @ covariance[np.ix_(here, here)] @ weights[here])
        found.append(BandShare(band, part / total, math.sqrt(max(variance, 0.0)), int(here.sum())))
    return found


def number_effects(model: Model, target: int = 0) -> list[tuple[str, float]]:
    """Effect of one standard deviation more of each feature at the mean of the training maps, the others held.

    Empty for more than `FEW` features. Where the model's training looks at roots of counts, the deviation is theirs.
    """
    names = [str(name) for statistic in model.statistics for name in _names(statistic)]
    if not 0 < len(names) <= FEW:
        return []
    mean, spread = model.training.mean, np.sqrt(np.diag(np.linalg.pinv(model.training.precision, hermitian=True)))
    steps, roots = np.diag(spread) / 2, model.training.transform == "sqrt"
    moved = (
        (np.maximum(mean + steps, 0) ** 2, np.maximum(mean - steps, 0) ** 2) if roots else (mean + steps, mean - steps)
    )
    higher, lower = (np.asarray(model.regressor.predict(features)) for features in moved)
    effects = (higher - lower).reshape(len(names), -1)[:, target]
    return list(zip(names, effects.tolist(), strict=True))


def _names(statistic: Any) -> Sequence[str]:
    told = getattr(statistic, "get_feature_names_out", None)
    return () if told is None else told()


def model_levels(model: Model | None) -> int | None:
    """Levels of the model's wavelet statistic, None if it has none."""
    for statistic in () if model is None else model.statistics:
        levels = getattr(statistic, "levels", None)
        if hasattr(statistic, "taps_") and levels is not None:
            return int(levels)
    return None


def scales_of(wavelet: Any, levels: int, pixel_arcmin: float, bands: Sequence[str] | None = None) -> list[BandScale]:
    """Scales of bands on the sky, from fine to coarse.

    If no bands are given: the raw map, the details, and the approximation of the last level. Sums such as "h1+v1" reach
    from the shortest wavelength of their bands to the longest; names of other transforms are left out.
    """
    known = {scale.band: scale for scale in wavelet_scales(wavelet, levels, pixel_arcmin)}
    if bands is None:
        bands = [band for band in known if not band.startswith("a") or band == f"a{levels}"]
    found = []
    for band in bands:
        parts = [known[part] for part in band.split("+") if part in known]
        if not parts:
            continue
        middle = float(np.exp(np.mean([math.log(part.arcmin) for part in parts])))
        ell = 2 * math.pi / math.radians(middle / 60)
        shortest, longest = min(part.shortest for part in parts), max(part.longest for part in parts)
        found.append(BandScale(band, middle, shortest, longest, ell))
    return sorted(found, key=lambda scale: scale.arcmin)


def readable_band(band: str) -> str:
    """A band's name as people read it.

    Examples
    --------
    >>> readable_band("h2"), readable_band("a3"), readable_band("raw"), readable_band("h1+v1")
    ('horizontal details 2', 'approximation 3', 'the map itself', 'horizontal details 1 + vertical details 1')
    """
    words = {"a": "approximation", "h": "horizontal details", "v": "vertical details", "d": "diagonal details"}
    parts = []
    for part in band.split("+"):
        match = re.fullmatch(r"([ahvd])(\d+)", part)
        parts.append("the map itself" if part == "raw" else f"{words[match[1]]} {match[2]}" if match else part)
    return " + ".join(parts)


def _bands(model: Model) -> list[str]:
    """The band of each feature."""
    names: list[str] = []
    for statistic in model.statistics:
        histograms = getattr(statistic, "names_", None)
        edges = getattr(statistic, "edges_", None)
        if histograms is None or edges is None:
            return []
        prefix = f"{STARLET} " if type(statistic).__name__.lower().startswith(STARLET) else ""
        for histogram in histograms:
            band = str(histogram).split(" ")[0]
            names += [band if band == "raw" else prefix + band] * (np.asarray(edges).shape[-1] - 1)
    return names
