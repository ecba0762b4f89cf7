"""What statistics of a field of pixels share: maps block by block, in units of their noise, observed or not."""

from typing import Any

import numpy as np
import numpy.typing as npt

from awd_core.checks import is_real_number, real_array
from awd_core.typing import Array
from awd_cosmo.statistics.histograms import some_of
from awd_cosmo.statistics.peaks import (
    BLOCK,
    Floats,
    Mask,
    checked_maps,
    checked_mask,
    floating,
    for_each_block,
    refuse_not_finite,
    rows_of,
)
from awd_cosmo.statistics.statistic import Statistic


class FieldStatistic(Statistic):
    """Numbers of maps, or of their signal-to-noise ratio κ/σ where the noise is told.

    A subclass has the parameters `noise`, `mask` and `workers`, learns `names_`, and makes numbers of blocks.
    """

    noise: Any
    mask: Any
    workers: int | None
    names_: list[str]

    def transform(self, X: Any, mask: Any = None) -> Array:
        """Numbers of maps.

        Parameters
        ----------
        X : array_like, shape (n, ny, nx)
            Maps.
        mask : array_like of bool, shape (ny, nx) or (n, ny, nx), optional
            In place of the parameter `mask`.

        Returns
        -------
        ndarray, shape (n, F)
            In the order of `names_`.

        Raises
        ------
        ValueError
            If `fit` was not called, an observed value is NaN or infinite, or nothing of a map can be measured.
        """
        self._check_fitted()
        maps = checked_maps(X)
        self._check_shape(maps.shape)
        observed = checked_mask(self.mask if mask is None else mask, maps.shape)
        deviation = checked_noise(self.noise, maps.shape, observed)
        found = np.empty((maps.shape[0], len(self.names_)))

        def look(start: int, block: Floats) -> None:
            here = None if observed is None else np.broadcast_to(rows_of(observed, start, len(block)), block.shape)
            refuse_not_finite(block, here, start)
            found[start : start + len(block)] = self._numbers(in_noise(block, here, deviation), here)

        for_each_block(maps, look, self.workers, BLOCK)
        return found

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[np.object_]:
        """Names of the features."""
        self._check_fitted()
        return np.array(self.names_, dtype=object)

    def _check_shape(self, shape: tuple[int, ...]) -> None:
        """Raise if maps (n, ny, nx) are too small, or others than those of `fit`."""

    def _numbers(self, block: Floats, observed: Mask | None) -> Array:
        """Numbers (m, F) of maps (m, ny, nx), 0 where not observed."""
        raise NotImplementedError

    def _sample(self, X: Any) -> tuple[Floats, Mask | None]:
        """Some of the training maps in units of their noise, 0 where not observed; and where they were observed."""
        maps = floating(some_of(checked_maps(X)))
        observed = checked_mask(self.mask, maps.shape)
        refuse_not_finite(maps, observed, 0)
        here = None if observed is None else np.broadcast_to(observed, maps.shape)
        return in_noise(maps, here, checked_noise(self.noise, maps.shape, observed)), here


def checked_noise(noise: Any, shape: tuple[int, ...], observed: Mask | None = None) -> Array | None:
    """Standard deviation of the noise of pixels, (ny, nx) or (1, 1); None if there is none.

    Raises
    ------
    ValueError
        If it is no number and no map (ny, nx), or is not above 0 where something was observed.
    """
    if noise is None:
        return None
    given = np.full((1, 1), float(noise)) if is_real_number(noise) else real_array(noise, "noise").astype(np.float64)
    if given.shape not in ((1, 1), tuple(shape[-2:])):
        raise ValueError(
            f"noise must be the standard deviation of all pixels, a number, or of each, {tuple(shape[-2:])}; got the "
            f"shape {given.shape}"
        )
    seen = True if observed is None else observed.reshape(-1, *observed.shape[-2:]).any(axis=0)
    if not np.where(seen, np.isfinite(given) & (given > 0), True).all():
        raise ValueError(
            "noise must be finite and above 0 wherever maps were observed; name the other pixels in a mask (False = "
            "not observed)"
        )
    deviation: Array = np.where(np.isfinite(given) & (given > 0), given, 1.0)
    return deviation


def in_noise(block: Floats, observed: Mask | None, deviation: Array | None) -> Floats:
    """Maps over their noise, 0 where not observed."""
    values = block if deviation is None else block / deviation.astype(block.dtype)
    return values if observed is None else np.where(observed, values, values.dtype.type(0))


def limits_of(limits: Any, values: Floats, tail: float) -> tuple[float, float]:
    """The given (low, high), or the quantiles `tail` and 1 − `tail` of training values.

    Raises
    ------
    ValueError
        If they do not rise.
    """
    if limits is None:
        low, high = np.quantile(values.astype(np.float64), [tail, 1 - tail]).tolist()
        if not low < high:
            raise ValueError("the training maps do not vary, so nothing can be learnt from them; give other maps")
        return low, high
    given = real_array(limits, "limits").astype(np.float64)
    if given.shape != (2,) or not np.isfinite(given).all() or not given[0] < given[1]:
        raise ValueError(
            f"limits must be (low, high) with low < high, in units of the maps or of their noise; got {limits!r}"
        )
    return float(given[0]), float(given[1])
