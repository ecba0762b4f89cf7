"""What estimators on features have in common: scikit-learn's contract, checks, error bars, JSON values.

To fit, scikit-learn may be needed; to predict, NumPy is enough, also for what `from_dict` made of a saved model: hence
no class here inherits from scikit-learn, they only keep its contract.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, Self, get_args, overload

import numpy as np
import numpy.typing as npt

from awd_core.checks import Columns, check_choice, real_array
from awd_core.typing import AnyArray, Array, Rows
from awd_cosmo.inference.scores import calibration_factor, r_squared
from awd_cosmo.statistics.estimator import Estimator, not_fitted

Transform = Literal["sqrt", "log", "none"]


class CountRegressor(Estimator):
    """What the three share: scikit-learn's contract, checks, error bars, JSON. Use one of the others."""

    _estimator_type = "regressor"
    _arrays: ClassVar[tuple[str, ...]] = ()

    n_features_in_: int
    feature_names_in_: npt.NDArray[np.object_]
    n_targets_: int
    flat_: bool
    std_scale_: Array | None

    def fit(
        self,
        X: npt.ArrayLike,
        y: npt.ArrayLike,
        *,
        cosmology: npt.ArrayLike | None = None,
        parameters: npt.ArrayLike | None = None,
        realisation: npt.ArrayLike | None = None,
    ) -> Self:
        """Fit to training maps.

        Parameters
        ----------
        X : array_like, shape (n, F)
            Features, one row a map.
        y : array_like, shape (n,) or (n, k)
            What to estimate, such as Ω_m.
        cosmology : array_like of int, optional, shape (n,)
            Number of each map's cosmology; if not given, maps of equal `y` and `parameters` are of one cosmology.
        parameters : array_like, optional, shape (n, p)
            All parameters that vary between cosmologies; those that are not in `y` are marginalised over. Only
            `EmulatorPosterior` uses them, the others tell cosmologies apart by them at most.
        realisation : array_like of int, optional, shape (n,)
            Give it where maps of different cosmologies with the same number share the phases of their initial
            conditions. `CountRidge` then leaves out the phases, too, of the maps on which it tries its penalties: else
            it takes their noise for knowledge. The others choose nothing and do not need it.

        Returns
        -------
        Self

        Raises
        ------
        ValueError
            If the data or an option will not do; the message says why.
        """
        if y is None:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None; give the truth")
        features, targets = _features(X), real_array(y, "y").astype(np.float64)
        if targets.ndim not in (1, 2) or targets.shape[0] != len(features) or targets.size == 0:
            raise ValueError(f"y must have one row for each of {len(features)} maps; it has the shape {targets.shape}")
        if len(features) < 2:
            raise ValueError("X is one sample, a single map, which nothing can be learnt from; give many")
        self.flat_ = targets.ndim == 1
        targets = targets.reshape(len(features), -1)
        given = targets if parameters is None else np.asarray(parameters, dtype=np.float64)
        given = given[:, None] if given.ndim == 1 else given
        if given.ndim != 2 or len(given) != len(features):
            raise ValueError(
                f"parameters must have one row for each of {len(features)} maps; they have the shape {given.shape}"
            )
        extra = [k for k in range(given.shape[1]) if not (given[:, [k]] == targets).all(axis=0).any()]
        theta = np.hstack([targets, given[:, extra]])
        if not np.isfinite(theta).all():
            raise ValueError("y and parameters must be finite; leave out maps whose parameters are unknown")
        ids = _cosmologies(theta, cosmology)
        Columns.of(X, features.shape).keep(self)
        self.n_targets_, self.std_scale_ = targets.shape[1], None
        phases = None if realisation is None else np.asarray(realisation)
        if phases is not None and phases.shape != (len(features),):
            raise ValueError(
                f"realisation must name one for each of {len(features)} maps, got the shape {phases.shape}"
            )
        self._fit(features, theta, ids, phases)
        return self

    def calibrate(self, X: npt.ArrayLike, y: npt.ArrayLike) -> Self:
        """Set the error bars by the errors on validation maps: maps that are neither trained on nor tested on.

        Parameters
        ----------
        X, y
            Features and truth, as for `fit`.

        Returns
        -------
        Self
        """
        estimate, raw = self._estimate(self._checked(X))
        truth = np.asarray(y, dtype=np.float64)
        if truth.shape != ((len(estimate),) if self.flat_ else estimate.shape):
            raise ValueError(f"y must have the shape of the estimates, one row a map; got {truth.shape}")
        columns = truth.reshape(estimate.shape)
        unit = np.ones_like(estimate) if raw is None else raw
        pairs = zip(columns.T, estimate.T, unit.T, strict=True)
        self.std_scale_ = np.array([calibration_factor(*pair) for pair in pairs])
        return self

    @overload
    def predict(self, X: npt.ArrayLike, return_std: Literal[False] = False) -> Array: ...

    @overload
    def predict(self, X: npt.ArrayLike, return_std: Literal[True]) -> tuple[Array, Array]: ...

    def predict(self, X: npt.ArrayLike, return_std: bool = False) -> Array | tuple[Array, Array]:
        """Estimate the parameters of maps.

        Parameters
        ----------
        X : array_like, shape (n, F)
            Features of maps.
        return_std : bool
            Also return the error bars.

        Returns
        -------
        estimate : ndarray, shape (n,) or (n, k) as `y` in `fit`
            In the parameter's unit.
        std : ndarray, of the same shape
            Error bars (1σ).

        Raises
        ------
        ValueError
            If it is not fitted, the features are not those of training, or there are no error bars yet.
        """
        estimate, raw = self._estimate(self._checked(X))
        shaped = estimate[:, 0] if self.flat_ else estimate
        if not return_std:
            return shaped
        if raw is None and self.std_scale_ is None:
            raise ValueError(
                f"{type(self).__name__} has no error bars of its own: call calibrate with validation maps first"
            )
        std = np.ones_like(estimate) if raw is None else raw
        std = std * (1.0 if self.std_scale_ is None else self.std_scale_)
        return shaped, std[:, 0] if self.flat_ else std

    def score(self, X: npt.ArrayLike, y: npt.ArrayLike) -> float:
        """R² of the estimates, the mean over targets."""
        estimate = self.predict(X).reshape(len(np.asarray(y)), -1)
        truth = np.asarray(y, dtype=np.float64).reshape(estimate.shape)
        return float(np.mean([r_squared(t, e) for t, e in zip(truth.T, estimate.T, strict=True)]))

    def to_dict(self) -> dict[str, Any]:
        """JSON values of the fitted estimator: options and numbers, with which NumPy alone can predict."""
        self._check_fitted()
        state: dict[str, Any] = {name: getattr(self, name).tolist() for name in self._arrays}
        state |= {name: getattr(self, name) for name in ("n_features_in_", "n_targets_", "flat_")}
        state["std_scale_"] = None if self.std_scale_ is None else self.std_scale_.tolist()
        if hasattr(self, "feature_names_in_"):
            state["feature_names_in_"] = self.feature_names_in_.tolist()
        return {"kind": type(self).__name__, "options": _json(self.get_params()), "state": state}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Fitted estimator from what `to_dict` gave.

        Raises
        ------
        ValueError
            If it is another kind, or something is missing.
        """
        if values.get("kind") != cls.__name__:
            raise ValueError(f"these are the values of {values.get('kind')!r}, not of {cls.__name__}")
        state = values.get("state", {})
        missing = {*cls._arrays, "n_features_in_", "n_targets_", "flat_", "std_scale_"} - set(state)
        if missing or "options" not in values:
            raise ValueError(f"the values of {cls.__name__} lack {', '.join(sorted(missing)) or 'options'}")
        made = cls(**values["options"])
        for name in cls._arrays:
            setattr(made, name, np.array(state[name], dtype=np.float64))
        names = state.get("feature_names_in_")
        Columns(names and tuple(names), int(state["n_features_in_"])).keep(made)
        made.n_targets_ = int(state["n_targets_"])
        made.flat_ = bool(state["flat_"])
        made.std_scale_ = None if state["std_scale_"] is None else np.array(state["std_scale_"], dtype=np.float64)
        return made

    def _fit(self, features: Array, theta: Array, ids: Rows, phases: AnyArray | None) -> None:
        """Learn from features (n, F), parameters (n, p), the targets first, cosmologies (n,) and phases (n,)."""
        raise NotImplementedError

    def _estimate(self, features: Array) -> tuple[Array, Array | None]:
        """Estimates (n, k), and error bars before calibration if there are any."""
        raise NotImplementedError

    def _check_fitted(self) -> None:
        if not self.__sklearn_is_fitted__():
            raise not_fitted(self, "call fit first")

    def _checked(self, X: npt.ArrayLike) -> Array:
        self._check_fitted()
        features = _features(X)
        Columns.kept_by(self).check(X, features.shape, self)
        return features

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "n_features_in_")

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import InputTags, RegressorTags, Tags, TargetTags

        return Tags(
            estimator_type="regressor",
            target_tags=TargetTags(required=True, multi_output=True),
            regressor_tags=RegressorTags(),
            input_tags=InputTags(positive_only=self._transform() != "none"),
        )

    def _transform(self) -> Transform:
        """What is done to features first: roots and logarithms take no negative ones."""
        how: Transform = getattr(self, "transform", "none")
        return how


def transformed(features: Array, how: Transform) -> Array:
    """Features (n, F) after "sqrt", "log" or "none".

    Raises
    ------
    ValueError
        If the transform is unknown, or cannot be taken of the features.
    """
    check_choice("transform", how, get_args(Transform), required=True)
    if how == "none":
        return features
    least = float(features.min(initial=np.inf))
    if how == "sqrt":
        if least < 0:
            raise ValueError(
                f"Negative values in data: square roots need counts and the least feature is {least:g}; use "
                "transform='none'"
            )
        return np.sqrt(features)
    if least <= 0:
        raise ValueError(f"logarithms need features above 0 and the least is {least:g}; use another transform")
    return np.log(features)


def _features(X: npt.ArrayLike) -> Array:
    features = real_array(X).astype(np.float64)
    if features.ndim != 2:
        raise ValueError(f"X must have the shape (maps, features), got {features.shape}. Reshape your data")
    if features.shape[1] == 0:
        raise ValueError(f"X has 0 feature(s) (shape={features.shape}) while a minimum of 1 is required.")
    bad = np.flatnonzero(~np.isfinite(features).all(axis=1))
    if len(bad):
        raise ValueError(
            f"the features of {len(bad)} maps are not finite, the first is map {bad[0]} (NaN or inf); leave them out"
        )
    return features


def _cosmologies(theta: Array, cosmology: npt.ArrayLike | None) -> Rows:
    """Cosmologies numbered from 0, one parameter set each."""
    if cosmology is None:
        return np.unique(theta, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)
    named = np.asarray(cosmology)
    if named.shape != (len(theta),):
        raise ValueError(f"cosmology must name one for each of {len(theta)} maps, got the shape {named.shape}")
    _, first, ids = np.unique(named, return_index=True, return_inverse=True)
    mixed = np.flatnonzero((theta != theta[first][ids]).any(axis=1))
    if len(mixed):
        raise ValueError(f"cosmology {named[mixed[0]]} has maps of different parameters; number parameter sets apart")
    return np.asarray(ids.reshape(-1), dtype=np.int64)


def parameters_of(theta: Array, ids: Rows) -> Array:
    """Parameters (C, p) of each cosmology, from those of maps (n, p) and their cosmologies, numbered from 0."""
    return theta[np.unique(ids, return_index=True)[1]]


def _json(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options with NumPy's numbers and sequences as JSON has them."""
    return {
        key: np.asarray(value).tolist() if isinstance(value, Sequence | np.ndarray | np.generic) else value
        for key, value in options.items()
    }
