"""Parameters by name and a telling repr, as scikit-learn has them, for what is used without scikit-learn."""

import inspect
from typing import Any, Self


def not_fitted(estimator: object, advice: str) -> ValueError:
    """The error of an estimator that was not fitted: scikit-learn's, which is a ValueError and an AttributeError."""
    # Whoever asks a saved model, with NumPy alone, asks a fitted one.
    from sklearn.exceptions import NotFittedError

    error: ValueError = NotFittedError(f"this {type(estimator).__name__} is not fitted yet; {advice}")
    return error


class Estimator:
    """What statistics and regressors share. A subclass stores the parameters of its `__init__` under their names.

    Examples
    --------
    >>> from awd_cosmo.inference import CountRidge
    >>> CountRidge().set_params(transform="log")
    CountRidge(transform='log')
    """

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Parameters by name, as they were given."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def set_params(self, **parameters: Any) -> Self:
        """Change parameters by name.

        Raises
        ------
        ValueError
            If there is no parameter of a name.
        """
        known = self.get_params()
        for name, value in parameters.items():
            if name not in known:
                told = ", ".join(known) or "none"
                raise ValueError(f"{type(self).__name__} has no parameter {name!r}; it has {told}")
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        defaults = inspect.signature(type(self)).parameters
        told = [f"{k}={v!r}" for k, v in self.get_params().items() if v is not defaults[k].default]
        return f"{type(self).__name__}({', '.join(told)})"
