"""Series of any length brought to one length, by rules that have names.

| name | longer than N | shorter than N |
|---|---|---|
| `published` | N of the samples, by index | zeros at the end, which count as samples |
| `pad` | N of the samples, by index | zeros at the end, marked in the validity mask |
| `interpolate` | linear interpolation | linear interpolation |

By index: sample i is the one at round(i (T − 1)/(N − 1)), halves to the even neighbour, so the first and the last are
kept. What is lost between them is lost without smoothing, as in the published auxilin work.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from awd_core.checks import check_choice, whole_number
from awd_core.typing import Array, Flags


class Resampled(NamedTuple):
    """A series of the wanted length.

    Attributes
    ----------
    values : ndarray, shape (N,)
        The samples, in the unit of the series.
    mask : ndarray of bool, shape (N,)
        Whether a sample was measured. False for padding of `published` too, which treats it as if it were.
    step : float
        Frames from one sample to the next; 1 where nothing was subsampled.
    """

    values: Array
    mask: Flags
    step: float


def subsample(series: npt.ArrayLike, length: int = 40) -> Resampled:
    """Samples of a long series by index, zeros behind a short one: the rule of `published` and of `pad`.

    Parameters
    ----------
    series : array_like, shape (T,)
        One value a frame.
    length : int
        N, at least 2.

    Returns
    -------
    Resampled

    Raises
    ------
    ValueError
        If the series is empty or has more axes, or the length is below 2.

    Examples
    --------
    >>> subsample([1, 2, 3, 4, 5, 6, 7], 4).values
    array([1., 3., 5., 7.])
    >>> subsample([1, 2, 3], 5)
    Resampled(values=array([1., 2., 3., 0., 0.]), mask=array([ True,  True,  True, False, False]), step=1.0)
    """
    values = _checked(series, length)
    count = len(values)
    if count < length:
        return Resampled(np.concatenate([values, np.zeros(length - count)]), np.arange(length) < count, 1.0)
    places = np.round(np.linspace(0, count - 1, length)).astype(np.intp)
    return Resampled(values[places], np.ones(length, dtype=bool), (count - 1) / (length - 1))


def interpolate(series: npt.ArrayLike, length: int = 40) -> Resampled:
    """Samples at equal distances from the first to the last, by linear interpolation.

    Parameters
    ----------
    series : array_like, shape (T,)
        One value a frame.
    length : int
        N, at least 2.

    Returns
    -------
    Resampled
        All samples are valid.

    Raises
    ------
    ValueError
        As `subsample`.

    Examples
    --------
    >>> interpolate([0, 1, 4], 5).values
    array([0. , 0.5, 1. , 2.5, 4. ])
    """
    values = _checked(series, length)
    places = np.linspace(0, len(values) - 1, length)
    step = (len(values) - 1) / (length - 1)
    return Resampled(np.interp(places, np.arange(len(values)), values), np.ones(length, dtype=bool), step)


RESAMPLING: dict[str, Callable[[npt.ArrayLike, int], Resampled]] = {
    "published": subsample,
    "pad": subsample,
    "interpolate": interpolate,
}
"""The rules by name. `published` and `pad` give the same samples; `awd_cme.series.scaling` tells them apart."""


def resample(series: npt.ArrayLike, length: int = 40, how: str = "published") -> Resampled:
    """Bring a series to a length by one of the named rules.

    Parameters
    ----------
    series : array_like, shape (T,)
        One value a frame.
    length : int
        N.
    how : {"published", "pad", "interpolate"}
        The rule.

    Raises
    ------
    ValueError
        For an unknown rule, and as `subsample`.

    Examples
    --------
    >>> resample([1, 2, 3], 5, "interpolate").values
    array([1. , 1.5, 2. , 2.5, 3. ])
    """
    check_choice("resampling", how, RESAMPLING, required=True)
    return RESAMPLING[how](series, length)


def to_one_length(series: Sequence[Any], length: int, how: str) -> tuple[Array, Flags | None]:
    """Series of any lengths as one table, those of the wanted length as they are.

    Parameters
    ----------
    series : sequence of array_like, shape (T,)
        One value a frame.
    length, how : int, str
        As for `resample`.

    Returns
    -------
    values : ndarray, shape (n, N)
    mask : ndarray of bool, shape (n, N), or None
        Which samples are no padding, where `how` is `pad` and some had to be made; None for all.
    """
    if all(len(item) == length for item in series):
        return np.asarray(series, dtype=np.float64), None
    found = [resample(item, length, how) for item in series]
    return np.array([item.values for item in found]), np.array([item.mask for item in found]) if how == "pad" else None


def fill_gaps(frames: npt.ArrayLike, values: npt.ArrayLike) -> tuple[Array, int]:
    """One value for each frame from the first to the last, what lacks interpolated.

    Parameters
    ----------
    frames : array_like of int, shape (k,)
        Increasing frames.
    values : array_like, shape (k,)
        Their values; NaN where unknown.

    Returns
    -------
    series : ndarray, shape (last − first + 1,)
        Known values as they are; between them a straight line; before the first and behind the last known value, that
        value. All NaN where nothing is known.
    filled : int
        How many values were made up.

    Examples
    --------
    >>> fill_gaps([4, 5, 7, 8], [1.0, float("nan"), 4.0, 5.0])
    (array([1., 2., 3., 4., 5.]), 2)
    """
    at, known = np.asarray(frames, dtype=np.int64), np.asarray(values, dtype=np.float64)
    grid = np.arange(at[0], at[-1] + 1)
    finite = np.isfinite(known)
    if finite.all() and len(grid) == len(known):
        return known, 0
    if not finite.any():
        return np.full(len(grid), np.nan), len(grid)
    return np.interp(grid, at[finite], known[finite]), len(grid) - int(finite.sum())


def _checked(series: npt.ArrayLike, length: int) -> Array:
    values = np.asarray(series, dtype=np.float64)
    if values.ndim != 1 or len(values) == 0:
        raise ValueError(f"a series has one axis and at least one value; got the shape {values.shape}")
    whole_number("length", length, 2)
    return values
