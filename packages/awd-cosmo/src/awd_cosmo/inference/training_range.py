"""Whether maps are like those that a model was trained on.

A map's features are compared with the curve that the features of training maps follow as the parameters change, at the
point of the training box where it comes nearest, in units of their scatter about it. So a map is told that lies off the
curve (other noise, other resolution), and one of a cosmology beyond the box: at the box's edge the curve no longer
reaches it. A plain distance from the mean of all training maps sees neither well, since the cosmologies' own spread is
part of its unit.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from awd_core.checks import varying
from awd_core.files import Record
from awd_core.typing import AnyArray, Array, Flags, Rows
from awd_cosmo.inference.covariance import shrunk_covariance
from awd_cosmo.inference.emulator import in_box, polynomial_basis
from awd_cosmo.inference.regressor import Transform, transformed

FALSE_ALARMS = 0.01
"""How probable it may be at most that a map like those of training is called unlike them."""
FOLDS = 5
"""Parts of the training cosmologies, each of which is compared with what is learnt from the others."""
_STEPS = 20  # of the search for the nearest point of the curve


@dataclass(frozen=True)
class Curve:
    """Mean features as polynomials of the parameters.

    Attributes
    ----------
    low, high : ndarray, shape (p,)
        The box of the training parameters.
    nodes : ndarray, shape (C, p)
        Parameters of the training cosmologies, with the box at −1…1: where searches begin.
    weights : ndarray, shape (q, F)
        Of all products of up to `degree` parameters.
    degree : int
        1 or 2.
    """

    low: Array
    high: Array
    nodes: Array
    weights: Array
    degree: int

    def holds(self, parameters: Array) -> Flags:
        """Which parameters (n, p) lie in the box."""
        return np.asarray(((parameters >= self.low) & (parameters <= self.high)).all(axis=1))

    def at(self, x: Array) -> Array:
        """Mean features (n, F) at scaled parameters (n, p)."""
        return polynomial_basis(x, self.degree) @ self.weights


@dataclass(frozen=True)
class TrainingDistribution(Record):
    """Where the features of training maps lie. Made by `from_features`.

    Attributes
    ----------
    transform : {"sqrt", "none"}
        Square roots where features are counts.
    mean : ndarray, shape (F,)
        Mean of the training maps, all cosmologies together.
    precision : ndarray, shape (F, F)
        Inverse of the shrunk covariance about the curve, or about the mean where there is no curve; 0 for features that
        never vary.
    quantiles : ndarray, shape (101,)
        Percentiles 0 to 100 of the distance of the maps that it was made with.
    curve : Curve, optional
        What the distance is measured from; without it from the mean.
    limit : float, optional
        Beyond it lies at most one in a hundred new maps of new cosmologies like these; the 99th percentile if unknown.
    """

    transform: Transform
    mean: Array
    precision: Array
    quantiles: Array
    curve: Curve | None = None
    limit: float | None = None
    _known: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.precision.shape != (len(self.mean),) * 2 or self.quantiles.ndim != 1:
            raise ValueError("the training distribution contradicts itself: mean and precision differ in size")
        if len(self.quantiles) != 101 or not (np.diff(self.quantiles) >= 0).all():
            raise ValueError("the training distribution contradicts itself: its 101 percentiles do not increase")
        if self.curve is not None and self.curve.weights.shape[1:] != self.mean.shape:
            raise ValueError("the training distribution contradicts itself: mean and curve differ in size")

    @classmethod
    def from_features(
        cls,
        features: npt.ArrayLike,
        *,
        parameters: npt.ArrayLike | None = None,
        reference: npt.ArrayLike | None = None,
        reference_parameters: npt.ArrayLike | None = None,
    ) -> "TrainingDistribution":
        """Learn it.

        Parameters
        ----------
        features : array_like, shape (n, F)
            Features of training maps.
        parameters : array_like, optional, shape (n,) or (n, p)
            All parameters that vary between their cosmologies. Without them the distance is from the mean of all maps,
            which hardly sees that a cosmology lies outside of the training box.
        reference : array_like, optional, shape (m, F)
            Features of validation maps of the same kind, to take the percentiles from: training maps lie a little
            nearer than others do. The training maps are used if not given.
        reference_parameters : array_like, optional, shape (m,) or (m, p)
            Their parameters: maps of one cosmology are not independent, and those of cosmologies beyond the training
            box do not say what is usual within it. Training maps count, too, by what is learnt without their cosmology.

        Raises
        ------
        ValueError
            If there are fewer than three maps, no feature varies, or parameters do not fit.
        """
        x = np.asarray(features, dtype=np.float64)
        if x.ndim != 2 or len(x) < 3 or not np.isfinite(x).all():
            raise ValueError(f"features must be finite, three maps or more, shape (n, F); got the shape {x.shape}")
        theta = None if parameters is None else _rows(parameters, len(x), "parameters")
        how: Transform = "sqrt" if x.min() >= 0 else "none"
        made = cls._fitted(x, theta, how)
        others = x if reference is None else np.asarray(reference, dtype=np.float64)
        distances = made._distance(others)
        groups = np.arange(len(distances))
        if reference_parameters is not None:
            theirs = _rows(reference_parameters, len(distances), "reference_parameters")
            groups = np.unique(theirs, axis=0, return_inverse=True)[1].reshape(-1)
            if theta is not None and theirs.shape[1] != theta.shape[1]:
                raise ValueError(
                    f"reference_parameters has {theirs.shape[1]} columns and parameters {theta.shape[1]}; give the same"
                )
            if theta is not None and made.curve is not None:
                inside = made.curve.holds(theirs)
                left_out, own_groups = cls._left_out(x, theta, how)
                usual = np.concatenate([distances[inside], left_out])
                if len(usual):
                    distances, groups = usual, np.concatenate([groups[inside], groups.max() + 1 + own_groups])
        quantiles = np.quantile(distances, np.linspace(0, 1, 101))
        return replace(made, quantiles=quantiles, limit=_limit(distances, groups))

    @classmethod
    def _fitted(cls, x: Array, theta: Array | None, how: Transform) -> "TrainingDistribution":
        """Curve and scatter, without anything to compare distances with."""
        x = transformed(x, how)
        mean = x.mean(axis=0)
        varies = varying(x)
        if not varies.any():
            raise ValueError("no feature varies among the training maps, so there is no distance from them")
        curve, degrees = (None, len(x) - 1) if theta is None else _fit_curve(x, theta)
        about = x - (mean if curve is None or theta is None else curve.at(in_box(theta, curve.low, curve.high)))
        # Where the curve passes through all maps of a feature there is no scatter about it to measure in.
        varies &= varying(about, of=x)
        if not varies.any():
            raise ValueError(
                "features follow from the parameters alone, so there is no scatter to measure distances in"
            )
        covariance, _ = shrunk_covariance(about[:, varies], degrees)
        precision = np.zeros((x.shape[1], x.shape[1]))
        precision[np.ix_(varies, varies)] = np.linalg.inv(covariance)
        return cls(how, mean, precision, np.zeros(101), curve)

    @classmethod
    def _left_out(cls, x: Array, theta: Array, how: Transform) -> tuple[Array, Rows]:
        """Distances of training maps by what is learnt without their cosmology, where its box holds it; their groups.

        What is usual is told by many cosmologies then, and not only by the few of the validation.
        """
        groups = np.unique(theta, axis=0, return_inverse=True)[1].reshape(-1)
        found: list[Array] = [np.empty(0)]
        of: list[Rows] = [np.empty(0, dtype=np.int64)]
        for fold in range(FOLDS):
            rest = groups % FOLDS != fold
            if rest.all() or rest.sum() < 3 or not (np.ptp(theta[rest], axis=0) > 0).all():
                continue
            made = cls._fitted(x[rest], theta[rest], how)
            if made.curve is None:
                continue
            rows = np.flatnonzero(~rest)
            rows = rows[made.curve.holds(theta[rows])]
            if len(rows):
                found.append(made._distance(x[rows]))
                of.append(groups[rows])
        return np.concatenate(found), np.concatenate(of)

    def distance(self, features: npt.ArrayLike) -> tuple[Array, Array]:
        """Distances of maps with features (n, F), and their percentiles among the maps it was made with, both (n,)."""
        distances = self._distance(np.asarray(features, dtype=np.float64))
        return distances, np.interp(distances, self.quantiles, np.linspace(0, 100, len(self.quantiles)))

    def times(self, distances: npt.ArrayLike) -> Array:
        """How many times as far as the limit: above 1 lies at most one in a hundred maps like those of training."""
        most = self.limit
        if most is None:
            most = float(np.interp(99, np.linspace(0, 100, len(self.quantiles)), self.quantiles))
        return np.asarray(distances, np.float64) / most

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
        difference = self._difference(x)
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

    def _distance(self, features: Array) -> Array:
        if features.ndim != 2 or features.shape[1] != len(self.mean):
            raise ValueError(f"features must have the shape (n, {len(self.mean)}), got {features.shape}")
        difference = self._difference(features)
        return np.asarray(np.sqrt(np.maximum(((difference @ self.precision) * difference).sum(axis=1), 0)))

    def _difference(self, features: Array) -> Array:
        """Features, transformed, less the nearest point of the curve."""
        # Noise of observed maps may push a feature below 0 where training never was.
        usable = np.maximum(features, 0.0) if self.transform == "sqrt" else features
        x = transformed(usable, self.transform)
        return x - (self.mean if self.curve is None else self.curve.at(self._nearest(x, self.curve)))

    def _nearest(self, x: Array, curve: Curve) -> Array:
        """Scaled parameters within the box where the curve comes nearest to features, (n, p)."""
        if "axes" not in self._known:
            # In units of the scatter all that the curve can reach is spanned by as many axes as it has terms.
            size, vectors = np.linalg.eigh(self.precision)
            whiten = vectors * np.sqrt(np.maximum(size, 0.0))
            q, r = np.linalg.qr((curve.weights @ whiten).T)
            self._known["axes"] = whiten @ q, r.T
        project, weights = self._known["axes"]
        t = x @ project
        nodes = polynomial_basis(curve.nodes, curve.degree) @ weights
        # Of |t − node|² what does not depend on t alone: one product of matrices, however many maps there are.
        at = curve.nodes[((nodes**2).sum(axis=1) - 2 * t @ nodes.T).argmin(axis=1)]
        return _descend(t, at, weights, curve.degree)


def _fit_curve(x: Array, theta: Array) -> tuple[Curve | None, int]:
    """Curve through features (n, F), and the degrees of freedom of the scatter about it; none with few cosmologies."""
    low, high = theta.min(axis=0), theta.max(axis=0)
    if not (high > low).all():
        raise ValueError("a parameter is the same in all training maps, so no curve follows it; leave it out")
    scaled = in_box(theta, low, high)
    nodes = np.unique(scaled, axis=0)
    for degree in (2, 1):
        terms = polynomial_basis(nodes[:1], degree).shape[1]
        # With hardly more cosmologies than terms the curve would pass through them all, and miss every other one.
        if len(nodes) >= 2 * terms and len(x) > terms + 1:
            weights: Array = np.linalg.lstsq(polynomial_basis(scaled, degree), x, rcond=None)[0].astype(np.float64)
            return Curve(low, high, nodes, weights, degree), len(x) - terms
    return None, len(x) - 1


def _rows(parameters: npt.ArrayLike, maps: int, name: str) -> Array:
    """Parameters (n, p) of so many maps."""
    theta = np.asarray(parameters, dtype=np.float64)
    theta = theta[:, None] if theta.ndim == 1 else theta
    if theta.ndim != 2 or len(theta) != maps or not np.isfinite(theta).all():
        raise ValueError(
            f"{name} must be finite, one row for each of {maps} maps; got the shape {np.shape(parameters)}"
        )
    return theta


def _descend(t: Array, x: Array, weights: Array, degree: int) -> Array:
    """Scaled parameters (n, p) in −1…1 where the curve comes nearest to t (n, K): damped Gauss–Newton steps."""
    count, p = x.shape
    damping = np.full(count, 1e-3)

    def squared(at: Array) -> Array:
        return np.asarray(((t - polynomial_basis(at, degree) @ weights) ** 2).sum(axis=1))

    best = squared(x)
    for _ in range(_STEPS):
        step = 1e-4
        rest = t - polynomial_basis(x, degree) @ weights
        slopes = np.stack(
            [
                (polynomial_basis(x + step * unit, degree) - polynomial_basis(x - step * unit, degree)) @ weights
                for unit in np.eye(p)
            ],
            axis=2,
        ) / (2 * step)
        # A parameter that is pressed against the box's edge stays there, and the others move without it.
        pressed = (np.abs(x) >= 1) & (np.sign(x) * np.einsum("nki,nk->ni", slopes, rest) > 0)
        slopes = np.where(pressed[:, None], 0.0, slopes)
        normal = np.einsum("nki,nkj->nij", slopes, slopes)
        scale = np.einsum("nii->ni", normal) + 1e-12
        normal[:, np.arange(p), np.arange(p)] += damping[:, None] * scale + 1e-12
        move = np.linalg.solve(normal, np.einsum("nki,nk->ni", slopes, rest)[..., None])[..., 0]
        tried = np.clip(x + move, -1.0, 1.0)
        found = squared(tried)
        better = found < best
        x, best = np.where(better[:, None], tried, x), np.where(better, found, best)
        damping = np.where(better, damping / 3, damping * 4)
    return x


def _limit(distances: Array, groups: AnyArray) -> float:
    """Distance beyond which lies at most one in a hundred maps of a new group.

    The larger of the order statistic that a new one of exchangeable maps exceeds so rarely (Vovk et al. 2005), where
    there are enough maps, and of the upper end of a prediction interval for the logarithm of the distance. Its variance
    is that between and that within groups, with degrees of freedom after Satterthwaite (1946).
    """
    from scipy.stats import t

    logs = np.log(np.maximum(distances, 1e-300))
    places = np.unique(groups, return_inverse=True)[1].reshape(-1)
    sizes = np.bincount(places)
    n, number = len(logs), len(sizes)
    limits = [float(distances.max())] if n < 3 else []
    rank = math.ceil((1 - FALSE_ALARMS) * (n + 1))
    if rank <= n:
        limits.append(float(np.sort(distances)[rank - 1]))
    if number > 1 and n > 2:
        means = np.bincount(places, logs) / sizes
        size = (n - (sizes**2).sum() / n) / (number - 1)
        between = float((sizes * (means - logs.mean()) ** 2).sum()) / (number - 1)
        parts = [(between * (1 + 1 / number) / size, number - 1)]
        if n > number:
            within = float(((logs - means[places]) ** 2).sum()) / (n - number)
            parts.append((within * max(1 - 1 / size, 0.0), n - number))
        variance = sum(part for part, _ in parts)
        spread = sum(part**2 / degrees for part, degrees in parts)
        if spread > 0:
            width = float(t.ppf(1 - FALSE_ALARMS, variance**2 / spread)) * math.sqrt(variance)
            limits.append(math.exp(float(logs.mean()) + width))
    return max(limits, default=float(distances.max()))
