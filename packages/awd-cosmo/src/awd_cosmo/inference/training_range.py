"""How far maps lie from those that a model was trained on."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from awd_core.checks import varying
from awd_cosmo.inference.covariance import shrunk_covariance
from awd_cosmo.inference.regressor import Transform, transformed

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class TrainingDistribution:
    """Where the features of training maps lie. Made by `from_features`.

    Attributes
    ----------
    transform : {"sqrt", "none"}
        Square roots where features are counts.
    mean : ndarray, shape (F,)
        Mean of the training maps, all cosmologies together.
    precision : ndarray, shape (F, F)
        Inverse of their shrunk covariance; 0 for features that never vary.
    quantiles : ndarray, shape (101,)
        Percentiles 0 to 100 of the distance.
    """

    transform: Transform
    mean: Array
    precision: Array
    quantiles: Array

    @classmethod
    def from_features(
        cls, features: npt.ArrayLike, *, reference: npt.ArrayLike | None = None
    ) -> "TrainingDistribution":
        """Learn it.

        Parameters
        ----------
        features : array_like, shape (n, F)
            Features of training maps.
        reference : array_like, optional, shape (m, F)
            Features of validation maps of the same kind, to take the percentiles from: training maps lie a little
            nearer to their own mean than others do. The training maps are used if not given.

        Raises
        ------
        ValueError
            If there are fewer than three maps, or no feature varies.
        """
        x = np.asarray(features, dtype=np.float64)
        if x.ndim != 2 or len(x) < 3 or not np.isfinite(x).all():
            raise ValueError(f"features must be finite, three maps or more, shape (n, F); got the shape {x.shape}")
        how: Transform = "sqrt" if x.min() >= 0 else "none"
        x = transformed(x, how)
        mean = x.mean(axis=0)
        varies = varying(x)
        if not varies.any():
            raise ValueError("no feature varies among the training maps, so there is no distance from them")
        covariance, _ = shrunk_covariance((x - mean)[:, varies], len(x) - 1)
        precision = np.zeros((x.shape[1], x.shape[1]))
        precision[np.ix_(varies, varies)] = np.linalg.inv(covariance)
        made = cls(how, mean, precision, np.zeros(101))
        distances = made._distance(np.asarray(features if reference is None else reference, dtype=np.float64))
        return cls(how, mean, precision, np.quantile(distances, np.linspace(0, 1, 101)))

    def distance(self, features: npt.ArrayLike) -> tuple[Array, Array]:
        """Distances of maps with features (n, F), and their percentiles among the maps it was made with, both (n,)."""
        distances = self._distance(np.asarray(features, dtype=np.float64))
        return distances, np.interp(distances, self.quantiles, np.linspace(0, 100, len(self.quantiles)))

    def times(self, distances: npt.ArrayLike) -> Array:
        """How many times as far as 99 % of those maps: above 1 few of them lie as far, above 1.5 or so none."""
        return np.asarray(distances, np.float64) / np.interp(
            99, np.linspace(0, 100, len(self.quantiles)), self.quantiles
        )

    def by_group(self, features: npt.ArrayLike, groups: Sequence[str]) -> dict[str, tuple[float, float]]:
        """What sets maps apart, group by group of features.

        Parameters
        ----------
        features : array_like, shape (n, F)
            Of maps that are alike, such as tiles of one.
        groups : sequence of str, length F
            Which group each feature belongs to, such as the band that it counts.

        Returns
        -------
        dict
            For each group that varies in training: the distance in its features alone over that of a usual training
            map, the median over the maps; and the share of their counts in the outer third of its features (in their
            order, as bins of a histogram have one) over the same share in training, NaN without counts there.
        """
        x = np.maximum(np.asarray(features, np.float64), 0.0) if self.transform == "sqrt" else np.asarray(features)
        varies = self.precision.diagonal() > 0
        covariance = np.zeros_like(self.precision)
        covariance[np.ix_(varies, varies)] = np.linalg.inv(self.precision[np.ix_(varies, varies)])
        difference = transformed(x, self.transform) - self.mean
        usual = self.mean**2 if self.transform == "sqrt" else self.mean
        found = {}
        for name in dict.fromkeys(groups):
            mine = np.array([group == name for group in groups])
            some = np.flatnonzero(mine & varies)
            if not len(some):
                continue
            d = difference[:, some]
            squared = ((d @ np.linalg.inv(covariance[np.ix_(some, some)])) * d).sum(axis=1)
            edge = max(1, int(mine.sum()) // 6)
            outer = np.flatnonzero(mine)[np.r_[:edge, -edge:0]]
            shares = [float(values[..., outer].sum() / values[..., mine].sum()) for values in (x, usual)]
            ratio = shares[0] / shares[1] if shares[1] > 0 else math.nan
            found[name] = (float(np.sqrt(np.median(squared) / len(some))), ratio)
        return found

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        arrays = {key: getattr(self, key).tolist() for key in ("mean", "precision", "quantiles")}
        return {"transform": self.transform, **arrays}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "TrainingDistribution":
        """Distribution from what `to_dict` gave."""
        arrays = {key: np.array(values[key], dtype=np.float64) for key in ("mean", "precision", "quantiles")}
        if arrays["precision"].shape != (len(arrays["mean"]),) * 2 or arrays["quantiles"].ndim != 1:
            raise ValueError("the training distribution contradicts itself: mean and precision differ in size")
        return cls(values["transform"], **arrays)

    def _distance(self, features: Array) -> Array:
        if features.ndim != 2 or features.shape[1] != len(self.mean):
            raise ValueError(f"features must have the shape (n, {len(self.mean)}), got {features.shape}")
        # Noise of observed maps may push a feature below 0 where training never was.
        usable = np.maximum(features, 0.0) if self.transform == "sqrt" else features
        difference = transformed(usable, self.transform) - self.mean
        return np.asarray(np.sqrt(np.maximum(((difference @ self.precision) * difference).sum(axis=1), 0)))
