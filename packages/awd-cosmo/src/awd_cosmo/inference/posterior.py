"""The posterior of cosmological parameters under an emulator of mean counts."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from awd_core.checks import is_whole_number, varying, whole_number
from awd_core.typing import AnyArray, Array, Rows
from awd_cosmo.inference.covariance import hartlap_factor, shrunk_covariance
from awd_cosmo.inference.emulator import (
    CountEmulator,
    fit_emulator,
    log_density,
    log_density_each,
    log_density_together,
)
from awd_cosmo.inference.regressor import CountRegressor, Transform, parameters_of, transformed

_POINTS = {1: 400, 2: 80, 3: 24, 4: 12}
_BLOCK = 4_000_000  # posterior probabilities held at a time: 32 MB


class EmulatorPosterior(CountRegressor):
    """Posterior mean and standard deviation under an emulator of mean counts; see `awd_cosmo.inference.emulator`.

    The prior is flat in the box of the training parameters, the likelihood normal in compressed features. Parameters
    other than the targets are marginalised over; where `fit` is given the targets alone, the scatter that the others
    cause counts as noise.

    Parameters
    ----------
    emulator : {"gp", "quadratic", "linear"}
        A Gaussian process for each component, or a polynomial.
    transform : {"sqrt", "log", "none"}
        Applied to features first. Square roots make the scatter of counts the same everywhere; logarithms suit power
        spectra.
    components : int, optional
        Number of components; as many as stand above noise if not given.
    shrinkage : {"ledoit-wolf", "oas", "none"}
        Of the covariance.
    hartlap : bool, optional
        Whether to apply Hartlap's factor, which is that of the inverse of a sample covariance: by default if
        `shrinkage` is "none". A shrunk covariance has another expectation, and the factor would make error bars too
        large.
    points : int, optional
        Grid points a parameter; if not given 400, 80, 24, 12 for 1 to 4 parameters.

    Attributes
    ----------
    emulator_ : CountEmulator
        The emulator, of the features that vary, after `transform`.
    used_ : ndarray, shape (F,)
        1 for features that vary within cosmologies; the others are not used.
    shrinkage_, hartlap_ : float
        What was applied.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> omega = np.repeat(np.linspace(0.2, 0.4, 12), 40)
    >>> counts = rng.poisson(1000 * omega[:, None] * [1.0, 0.5, 0.2])
    >>> estimate, std = EmulatorPosterior("quadratic").fit(counts, omega).predict([[312, 155, 61]], return_std=True)
    >>> print(f"{estimate[0]:.2f} ± {std[0]:.2f}")
    0.31 ± 0.01
    """

    _arrays = ("used_",)
    emulator_: CountEmulator
    used_: Array
    shrinkage_: float
    hartlap_: float
    _curves: tuple[CountEmulator, Array, Array]

    def __init__(
        self,
        emulator: Literal["gp", "quadratic", "linear"] = "gp",
        *,
        transform: Transform = "sqrt",
        components: int | None = None,
        shrinkage: Literal["ledoit-wolf", "oas", "none"] = "ledoit-wolf",
        hartlap: bool | None = None,
        points: int | None = None,
    ) -> None:
        self.emulator = emulator
        self.transform = transform
        self.components = components
        self.shrinkage = shrinkage
        self.hartlap = hartlap
        self.points = points

    def posterior(self, X: npt.ArrayLike, target: int = 0) -> tuple[Array, Array]:
        """Marginal posterior of one target, before calibration.

        Returns
        -------
        values : ndarray, shape (g,)
            Grid of the target, the middles of equal cells of its range.
        density : ndarray, shape (n, g)
            Its posterior for each map, with an integral of 1.
        """
        targets = self._grid().shape[1]
        if not is_whole_number(target) or not 0 <= target < targets:
            raise ValueError(f"target is {target!r}; give the number of one of {targets} targets, from 0 on")
        values, places = np.unique(self._grid()[:, target], return_inverse=True)
        density = np.empty((0, len(values)))
        for weights in self._weights(self._checked(X)):
            marginal = np.zeros((len(weights), len(values)))
            np.add.at(marginal.T, places, weights.T)
            density = np.vstack([density, marginal])
        return values, density / (values[1] - values[0])

    def box(self) -> tuple[Array, Array]:
        """Ends of the prior, both (p,): the targets first, then what is marginalised over."""
        self._check_fitted()
        return self.emulator_.low, self.emulator_.high

    def log_likelihood(self, X: npt.ArrayLike, parameters: npt.ArrayLike) -> Array:
        """Logarithm of the likelihood of each map.

        Parameters
        ----------
        X : array_like, shape (n, F)
            Features of maps.
        parameters : array_like, shape (G, p) or (n, w, p)
            Points for all maps, or for each of them, within `box`.

        Returns
        -------
        ndarray, shape (n, G) or (n, w)
        """
        t, theta = self._compressed(self._checked(X)), np.asarray(parameters, dtype=np.float64)
        mean, variance = self.emulator_.predict(theta.reshape(-1, theta.shape[-1]))
        if theta.ndim == 2:
            return log_density(t, mean, variance)
        return log_density_each(t, *(values.reshape(*theta.shape[:2], -1) for values in (mean, variance)))

    def log_likelihood_together(
        self, X: npt.ArrayLike, parameters: npt.ArrayLike, effective: float | None = None
    ) -> Array:
        """Logarithm of the likelihood of maps of one cosmology together, (G,), at points (G, p).

        What the emulator misses, or does not know, is common to all of them: it does not average out.

        Parameters
        ----------
        X : array_like, shape (n, F)
            Features of maps.
        parameters : array_like, shape (G, p)
            Points within `box`.
        effective : float, optional
            How many independent maps they are worth; n if not given.
        """
        t = self._compressed(self._checked(X))
        mean, variance = self.emulator_.predict(np.asarray(parameters, dtype=np.float64))
        return log_density_together(t, mean, variance, self.emulator_.common, effective or len(t))

    def scatter(self, X: npt.ArrayLike) -> tuple[float, int]:
        """χ² of maps about their mean, and its degrees of freedom; alike for independent maps of one cosmology."""
        t = self._compressed(self._checked(X))
        common = np.zeros((t.shape[1],) * 2) if self.emulator_.common is None else self.emulator_.common
        rest = t - t.mean(axis=0)
        own = np.eye(t.shape[1]) - common
        return float(np.einsum("nk,kl,nl->", rest, np.linalg.pinv(own, hermitian=True), rest)), rest[1:].size

    def to_dict(self) -> dict[str, Any]:
        """JSON values; see `CountRegressor.to_dict`."""
        values = super().to_dict()
        values["state"] |= {"shrinkage_": self.shrinkage_, "hartlap_": self.hartlap_}
        return values | {"emulator": self.emulator_.to_dict()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Fitted estimator from what `to_dict` gave."""
        made = super().from_dict(values)
        if "emulator" not in values:
            raise ValueError("the values of EmulatorPosterior lack emulator")
        made.emulator_ = CountEmulator.from_dict(values["emulator"])
        made.shrinkage_ = float(values["state"].get("shrinkage_", np.nan))
        made.hartlap_ = float(values["state"].get("hartlap_", np.nan))
        return made

    def _fit(self, features: Array, theta: Array, ids: Rows, phases: AnyArray | None) -> None:
        self._points(theta.shape[1])
        features = transformed(features, self.transform)
        of_each = parameters_of(theta, ids)
        maps = np.bincount(ids)
        means = np.array([features[ids == c].mean(axis=0) for c in range(len(maps))])
        residuals = features - means[ids]
        # Where a bin is empty, or always holds the same, what is left over is rounding.
        used = varying(residuals, of=features)
        if not used.any():
            raise ValueError("no feature varies within a cosmology, so there is no covariance; give several maps each")
        degrees = len(features) - len(maps)
        covariance, self.shrinkage_ = shrunk_covariance(residuals[:, used], degrees, self.shrinkage)
        hartlap = self.shrinkage == "none" if self.hartlap is None else self.hartlap
        if hartlap and self.shrinkage != "none":
            raise ValueError(
                f"Hartlap's factor is for a sample covariance and this one is shrunk ({self.shrinkage}): leave hartlap "
                'out, or say shrinkage="none"'
            )
        self.hartlap_ = hartlap_factor(degrees, int(used.sum())) if hartlap else 1.0
        self.emulator_ = fit_emulator(
            of_each,
            means[:, used],
            maps,
            covariance / self.hartlap_,
            kind=self.emulator,
            components=self.components,
        )
        self.used_ = used.astype(np.float64)

    def _estimate(self, features: Array) -> tuple[Array, Array | None]:
        grid = self._grid()[:, : self.n_targets_]
        # A grid cannot know better than its cells.
        cell = (
            (self.emulator_.high - self.emulator_.low)[: self.n_targets_] / self._points(len(self.emulator_.low))
        ) ** 2
        estimates, stds = [], []
        for weights in self._weights(features):
            mean = weights @ grid
            estimates.append(mean)
            middle = grid.mean(axis=0)
            variance = weights @ (grid - middle) ** 2 - (mean - middle) ** 2
            stds.append(np.sqrt(np.maximum(variance, 0) + cell / 12))
        return np.concatenate(estimates), np.concatenate(stds)

    def _compressed(self, features: Array) -> Array:
        return self.emulator_.compress(transformed(features, self.transform)[:, self.used_ > 0])

    def _points(self, parameters: int) -> int:
        if parameters not in _POINTS:
            raise ValueError(
                f"a grid over {parameters} parameters is too large; give the targets and the one, two or three "
                "parameters that matter most"
            )
        return _POINTS[parameters] if self.points is None else whole_number("points", self.points, 2)

    def _grid(self) -> Array:
        """Middles of the cells of the training box, shape (G, p)."""
        self._check_fitted()
        low, high = self.emulator_.low, self.emulator_.high
        steps = (np.arange(self._points(len(low))) + 0.5) / self._points(len(low))
        axes = [a + (b - a) * steps for a, b in zip(low, high, strict=True)]
        return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(low))

    def _weights(self, features: Array) -> Iterator[Array]:
        """Posterior probabilities of the grid points, block by block of maps."""
        t = self._compressed(features)
        grid = self._grid()
        # Curves over a grid of three parameters take seconds: they are drawn once.
        known = vars(self).get("_curves")
        if known is None or known[0] is not self.emulator_ or len(known[1]) != len(grid):
            known = self._curves = (self.emulator_, *self.emulator_.predict(grid))
        block = max(1, _BLOCK // len(grid))
        for start in range(0, max(len(t), 1), block):
            log = log_density(t[start : start + block], *known[1:])
            log -= log.max(axis=1, keepdims=True)
            weights = np.exp(log, out=log)
            weights /= weights.sum(axis=1, keepdims=True)
            yield weights
