"""Several statistics as one: their features side by side."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from awd_core.typing import Array
from awd_cosmo.statistics.statistic import Statistic


class JointStatistic(Statistic):
    """Features of several statistics side by side.

    Parameters
    ----------
    statistics : sequence of Statistic
        Of the same maps; they are left as they are. What is to be a square root (`sqrt=True`) or a logarithm they say
        themselves.

    Attributes
    ----------
    parts_ : list of Statistic
        The same, fitted.

    Examples
    --------
    >>> from awd_cosmo.field_statistics import MinkowskiFunctionals, PixelDistribution
    >>> maps = np.random.default_rng(0).normal(0, 0.02, (4, 32, 32))
    >>> JointStatistic([PixelDistribution(5), MinkowskiFunctionals(4)]).fit_transform(maps).shape
    (4, 17)
    """

    statistics: Sequence[Statistic]
    parts_: list[Statistic]
    _learnt = ("parts_",)

    def __init__(self, statistics: Sequence[Statistic] = ()) -> None:
        self._keep(locals())

    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit each part to training maps (n, ny, nx).

        Raises
        ------
        ValueError
            If there is no part, one is no statistic, or one cannot be fitted.
        """
        parts = self._parts()
        self.parts_ = [type(part)(**part.get_params()).fit(X) for part in parts]
        return self

    def transform(self, X: Any, mask: Any = None) -> Array:
        """Features (n, F) of maps (n, ny, nx); the mask is in place of those of the parts."""
        self._check_fitted()
        return np.hstack([part.transform(X, mask=mask) for part in self.parts_])

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[np.object_]:
        """Names of the features: those of the parts, after their class where two are of different ones."""
        self._check_fitted()
        several = len({type(part) for part in self.parts_}) > 1
        told = [
            f"{type(part).__name__}: {name}" if several else str(name)
            for part in self.parts_
            for name in part.get_feature_names_out()  # type: ignore[attr-defined]
        ]
        return np.array(told, dtype=object)

    def _parts(self) -> list[Statistic]:
        given: list[Any] = list(self.statistics) if isinstance(self.statistics, list | tuple) else []
        if not given or not all(isinstance(one, Statistic) for one in given):
            told = repr(self.statistics) if not given else ", ".join(type(one).__name__ for one in given)
            raise ValueError(f"statistics must be a list of one or more statistics of maps, got {told}")
        return given
