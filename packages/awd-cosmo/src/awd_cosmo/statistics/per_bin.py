"""Statistics of maps in several redshift bins: each bin's own, side by side."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from awd_core.checks import plain_array
from awd_core.typing import Array
from awd_cosmo.statistics.statistic import Statistic


class PerBin(Statistic):
    """Features of every redshift bin side by side, those of the first bin first.

    Parameters
    ----------
    statistics : sequence of Statistic or None
        One for each bin; of a bin with None nothing is measured. They are left as they are.

    Attributes
    ----------
    parts_ : list of Statistic or None
        The same, each fitted to its own bin.

    Examples
    --------
    >>> from awd_cosmo.statistics.shifted_lognormal import ShiftedLognormal
    >>> maps = 0.05 * np.expm1(np.random.default_rng(0).normal(0, 0.2, (40, 2, 32, 32)))
    >>> both = PerBin.of(ShiftedLognormal("haar", 2), 2).fit(maps)
    >>> both.transform(maps).shape, both.get_feature_names_out()[6]
    ((40, 12), 'bin 2: ln shift')
    """

    statistics: Sequence[Statistic | None]
    parts_: list[Statistic | None]
    _learnt = ("parts_",)

    def __init__(self, statistics: Sequence[Statistic | None] = ()) -> None:
        self._keep(locals())

    @classmethod
    def of(cls, statistic: Statistic, bins: int) -> "PerBin":
        """The same statistic of each bin."""
        return cls([statistic] * bins)

    @property
    def bins(self) -> int:
        """How many there are."""
        return len(self.statistics)

    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit each bin's statistic to training maps (n, bins, ny, nx).

        Raises
        ------
        ValueError
            If nothing is to be measured, maps have another number of bins, or a statistic cannot be fitted.
        """
        maps = self._maps(X)
        return self.of_parts([
            None if part is None else type(part)(**part.get_params()).fit(maps[:, b])
            for b, part in enumerate(self.statistics)
        ])  # fmt: skip

    def of_parts(self, parts: Sequence[Statistic | None]) -> Self:
        """With statistics that were fitted elsewhere, one for each bin."""
        self.parts_ = list(parts)
        return self

    def transform(self, X: Any, mask: Any = None) -> Array:
        """Features (n, F) of maps (n, bins, ny, nx), observed where a mask (bins, ny, nx), or of X's shape, is True."""
        self._check_fitted()
        maps = self._maps(X)
        seen = None if mask is None else np.asarray(mask)
        if seen is not None and seen.shape not in (maps.shape, maps.shape[1:]):
            raise ValueError(f"a mask must be of the shape {maps.shape[1:]} or {maps.shape}; got {seen.shape}")
        columns = [
            part.transform(maps[:, b], mask=None if seen is None else seen[..., b, :, :])
            for b, part in enumerate(self.parts_) if part is not None
        ]  # fmt: skip
        return np.hstack([np.asarray(column, np.float64).reshape(len(maps), -1) for column in columns])

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[np.object_]:
        """Names of the features, with their bin, counted from 1."""
        self._check_fitted()
        told = [
            f"bin {b + 1}: {name}"
            for b, part in enumerate(self.parts_) if part is not None
            for name in part.get_feature_names_out()  # type: ignore[attr-defined]
        ]  # fmt: skip
        return np.array(told, dtype=object)

    def _maps(self, X: Any) -> npt.NDArray[Any]:
        if not any(isinstance(one, Statistic) for one in self.statistics):
            raise ValueError("statistics must hold a statistic of maps for one bin or more")
        maps = plain_array(X, "maps")
        if maps.ndim != 4 or maps.shape[1] != self.bins:
            raise ValueError(f"maps must have the shape (n, {self.bins}, ny, nx), a map for each bin; got {maps.shape}")
        return maps
