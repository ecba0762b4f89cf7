"""From counts to parameters: three estimators with one face.

| class               | `PeakCountRegressor` | estimate                                             | unseen Ω_m |
|---------------------|----------------------|------------------------------------------------------|------------|
| `NearestCosmology`  | "nearest"            | the training cosmology of least χ², as published     | no         |
| `EmulatorPosterior` | "emulator"           | mean of a posterior over an emulator of mean counts  | yes        |
| `CountRidge`        | "ridge"              | a linear function of (square roots of) counts        | yes        |

They are scikit-learn estimators on features (n, F), whatever statistic made them.
"""

import importlib
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from awd_core.checks import Columns, check_choice, is_real_number, real_list, varying, warn, whole_number
from awd_core.typing import AnyArray, Array, Rows
from awd_cosmo.inference.folds import cross_validation_folds
from awd_cosmo.inference.posterior import EmulatorPosterior as EmulatorPosterior
from awd_cosmo.inference.regressor import CountRegressor, Transform, parameters_of, transformed


class NearestCosmology(CountRegressor):
    """The published estimator: the training cosmology c with the least (n − μ_c)ᵀ C_c⁺ (n − μ_c).

    It can only answer with a cosmology that it has seen. C_c is the sample covariance of the cosmology's own maps and
    C_c⁺ its pseudo-inverse; nothing is shrunk or corrected.

    Parameters
    ----------
    rcond : float
        Singular values below this share of the largest count as zero; NumPy's default, as published.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> omega = np.repeat([0.2, 0.3, 0.4], 40)
    >>> counts = rng.poisson(1000 * omega[:, None] * [1.0, 0.5])
    >>> NearestCosmology().fit(counts, omega).predict([[205, 98], [395, 210]])
    array([0.2, 0.4])
    """

    _arrays = ("means_", "precisions_", "targets_")
    means_: Array
    precisions_: Array
    targets_: Array

    def __init__(self, rcond: float = 1e-15) -> None:
        self.rcond = rcond

    def chi_squared(self, X: npt.ArrayLike) -> Array:
        """(n − μ_c)ᵀ C_c⁺ (n − μ_c), shape (n, C)."""
        return self._chi_squared(self._checked(X))

    def _chi_squared(self, features: Array) -> Array:
        chi2 = np.empty((len(features), len(self.means_)))
        for c, (mean, precision) in enumerate(zip(self.means_, self.precisions_, strict=True)):
            difference = features - mean
            chi2[:, c] = ((difference @ precision) * difference).sum(axis=1)
        return chi2

    def _fit(self, features: Array, theta: Array, ids: Rows, phases: AnyArray | None) -> None:
        groups = [features[ids == c] for c in range(ids.max() + 1)]
        if min(map(len, groups)) < 2:
            raise ValueError("a cosmology with one map has no covariance; leave it out, or give more of its maps")
        self.means_ = np.array([group.mean(axis=0) for group in groups])
        covariances = [np.cov(group, rowvar=False).reshape(features.shape[1], -1) for group in groups]
        if not is_real_number(self.rcond) or not 0 <= self.rcond < 1:
            raise ValueError(f"rcond must be a share from 0 to below 1, got {self.rcond!r}")
        self.precisions_ = np.array([np.linalg.pinv(covariance, rcond=self.rcond) for covariance in covariances])
        self.targets_ = parameters_of(theta, ids)[:, : self.n_targets_]

    def _estimate(self, features: Array) -> tuple[Array, Array | None]:
        return self.targets_[self._chi_squared(features).argmin(axis=1)], None


class CountRidge(CountRegressor):
    """Ridge regression on standardised features, its penalty chosen by cross-validation over cosmologies.

    Error bars are one number a target: the root mean square error on held-out cosmologies, until `calibrate` takes
    that of validation maps.

    Parameters
    ----------
    transform : {"sqrt", "log", "none"}
        Applied to features first.
    degree : {1, 2}
        2: squares and products of the standardised features are regressed on, too. For few features.
    alphas : sequence of float, optional
        Penalties to choose from, ‖y − Xw‖² + α‖w‖²; if not given 41 from 1e-3 to 1e7.
    n_folds : int
        Number of folds, no more than there are cosmologies.
    seed : int
        Seed of the folds.

    Attributes
    ----------
    alpha_ : ndarray, shape (k,)
        Penalty chosen for each target.
    cv_rmse_ : ndarray, shape (k, number of alphas)
        Root mean square error on held-out cosmologies, of phases that are held out too if they are told.
    weights_ : ndarray, shape (F, k), or (F + F (F + 1)/2, k) with degree 2
        Weights of the standardised features, and then of their products, row by row.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> omega = np.repeat(np.linspace(0.2, 0.4, 12), 40)
    >>> counts = rng.poisson(1000 * omega[:, None] * [1.0, 0.5, 0.2])
    >>> estimate, std = CountRidge().fit(counts, omega).predict([[312, 155, 61]], return_std=True)
    >>> print(f"{estimate[0]:.2f} ± {std[0]:.2f}")
    0.31 ± 0.01
    """

    _arrays = ("alpha_", "centre_", "scale_", "weights_", "intercept_")
    alpha_: Array
    centre_: Array
    scale_: Array
    weights_: Array
    intercept_: Array
    cv_rmse_: Array

    def __init__(
        self,
        *,
        transform: Transform = "sqrt",
        degree: Literal[1, 2] = 1,
        alphas: Sequence[float] | None = None,
        n_folds: int = 5,
        seed: int = 0,
    ) -> None:
        self.transform = transform
        self.degree = degree
        self.alphas = alphas
        self.n_folds = n_folds
        self.seed = seed

    def _fit(self, features: Array, theta: Array, ids: Rows, phases: AnyArray | None) -> None:
        try:
            alphas = np.logspace(-3, 7, 41) if self.alphas is None else np.array(real_list("alphas", self.alphas))
        except TypeError as error:
            raise ValueError(f"alphas must be numbers above 0, got {self.alphas!r}") from error
        if len(alphas) == 0 or not (alphas > 0).all():
            raise ValueError(f"alphas must be numbers above 0, got {self.alphas}")
        if self.degree not in (1, 2):
            raise ValueError(f"degree must be 1 or 2, got {self.degree!r}")
        y = theta[:, : self.n_targets_]
        x = transformed(features, self.transform)
        self.centre_ = x.mean(axis=0)
        constant = ~varying(x)
        self.scale_ = np.where(constant, 1.0, x.std(axis=0))
        x = with_products(np.where(constant, 0.0, (x - self.centre_) / self.scale_), self.degree)
        if not ids.any():
            raise ValueError("all maps are of one cosmology, so no penalty can be chosen; give maps of several")
        n_folds, seed = whole_number("n_folds", self.n_folds, 2), whole_number("seed", self.seed, 0)
        numbers = None if phases is None else np.unique(phases, return_inverse=True)[1]
        folds = cross_validation_folds(ids, numbers, n_folds=min(n_folds, int(ids.max()) + 1), seed=seed, crossed=True)
        squared = np.zeros((len(alphas), self.n_targets_))
        for train, test in folds.split():
            for a, (weights, intercept) in enumerate(_ridges(x[train], y[train], alphas)):
                squared[a] += ((x[test] @ weights + intercept - y[test]) ** 2).sum(axis=0)
        self.cv_rmse_ = np.sqrt(squared / len(x)).T
        best = self.cv_rmse_.argmin(axis=1)
        if len(alphas) > 1 and self.alphas is not None and np.isin(best, [0, len(alphas) - 1]).any():
            warn("the penalty chosen is the first or last of alphas; give a wider range")
        self.alpha_ = alphas[best]
        fits = [_ridges(x, y[:, [k]], self.alpha_[[k]])[0] for k in range(self.n_targets_)]
        flat = ~varying(x)
        self.weights_ = np.hstack([np.where(flat[:, None], 0.0, weights) for weights, _ in fits])
        self.intercept_ = np.concatenate([intercept for _, intercept in fits])
        self.std_scale_ = self.cv_rmse_.min(axis=1)

    def _estimate(self, features: Array) -> tuple[Array, Array | None]:
        x = (transformed(features, self.transform) - self.centre_) / self.scale_
        return with_products(x, self.degree) @ self.weights_ + self.intercept_, None


def with_products(x: Array, degree: int) -> Array:
    """Features (n, F), for degree 2 followed by their F (F + 1)/2 squares and products, row by row."""
    if degree == 1:
        return x
    i, j = np.triu_indices(x.shape[1])
    return np.hstack([x, x[:, i] * x[:, j]])


class PeakCountRegressor(CountRegressor):
    """The three estimators by name.

    Parameters
    ----------
    method : {"emulator", "nearest", "ridge"}
        `EmulatorPosterior`, `NearestCosmology` (published) or `CountRidge`.
    options : mapping, optional
        Options of that class.

    Attributes
    ----------
    regressor_ : CountRegressor
        The fitted estimator of that class.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> omega = np.repeat([0.2, 0.3, 0.4], 40)
    >>> counts = rng.poisson(1000 * omega[:, None] * [1.0, 0.5])
    >>> PeakCountRegressor("nearest").fit(counts, omega).predict([[305, 150]])
    array([0.3])
    """

    regressor_: CountRegressor

    def __init__(
        self, method: Literal["emulator", "nearest", "ridge"] = "emulator", options: Mapping[str, Any] | None = None
    ) -> None:
        self.method = method
        self.options = options

    def fit(
        self,
        X: npt.ArrayLike,
        y: npt.ArrayLike,
        *,
        cosmology: npt.ArrayLike | None = None,
        parameters: npt.ArrayLike | None = None,
        realisation: npt.ArrayLike | None = None,
    ) -> Self:
        """Fit to training maps; see `CountRegressor.fit`."""
        check_choice("method", self.method, _METHODS, required=True)
        regressor: CountRegressor = _METHODS[self.method](**(self.options or {}))
        fitted = regressor.fit(X, y, cosmology=cosmology, parameters=parameters, realisation=realisation)
        self._hold(fitted)
        return self

    def calibrate(self, X: npt.ArrayLike, y: npt.ArrayLike) -> Self:
        """Set the error bars by the errors on validation maps; see `CountRegressor.calibrate`."""
        self._check_fitted()
        self._hold(self.regressor_.calibrate(X, y))
        return self

    def to_dict(self) -> dict[str, Any]:
        """JSON values; see `CountRegressor.to_dict`."""
        return super().to_dict() | {"regressor": self.regressor_.to_dict()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Fitted estimator from what `to_dict` gave."""
        made = super().from_dict(values)
        if made.method not in _METHODS or "regressor" not in values:
            raise ValueError("the values of PeakCountRegressor lack a known method or its regressor")
        made._hold(_METHODS[made.method].from_dict(values["regressor"]))
        return made

    def _hold(self, regressor: CountRegressor) -> None:
        self.regressor_ = regressor
        Columns.kept_by(regressor).keep(self)
        for name in ("n_targets_", "flat_", "std_scale_"):
            setattr(self, name, getattr(regressor, name))

    def _estimate(self, features: Array) -> tuple[Array, Array | None]:
        return self.regressor_._estimate(features)

    def _transform(self) -> Transform:
        how: Transform = "none" if self.method == "nearest" else (self.options or {}).get("transform", "sqrt")
        return how


UPSTAIRS = {"NeuralPosterior": "awd_cosmo.posterior.neural"}
"""Where a saved estimator's class is found that stands on those here."""
_METHODS: dict[str, Any] = {"emulator": EmulatorPosterior, "nearest": NearestCosmology, "ridge": CountRidge}


def regressor_from_dict(values: Mapping[str, Any]) -> CountRegressor:
    """Fitted estimator of any of the classes here from what its `to_dict` gave.

    Raises
    ------
    ValueError
        If it is none of them.
    """
    kinds: dict[str, Any] = {kind.__name__: kind for kind in (*_METHODS.values(), PeakCountRegressor)}
    kind = values.get("kind")
    if kind in UPSTAIRS:
        kinds[kind] = getattr(importlib.import_module(UPSTAIRS[kind]), kind)
    if kind not in kinds:
        known = ", ".join([*kinds, *UPSTAIRS])
        raise ValueError(f"the regressor is {kind!r}; known are {known}. Give what to_dict returned")
    made: CountRegressor = kinds[kind].from_dict(values)
    return made


def _ridges(x: Array, y: Array, alphas: Array) -> list[tuple[Array, Array]]:
    """Weights (F, k) and intercepts (k,) for each penalty, from one decomposition."""
    x_mean, y_mean = x.mean(axis=0), y.mean(axis=0)
    centred = x - x_mean
    size, axes = np.linalg.eigh(centred.T @ centred)
    along = axes.T @ (centred.T @ (y - y_mean))
    weights = [axes @ (along / (np.maximum(size, 0) + alpha)[:, None]) for alpha in alphas]
    return [(w, y_mean - x_mean @ w) for w in weights]
