"""What is done to a map before its features are measured, with NumPy alone.

`awd_cosmo.maps.observe`, for whoever prepares maps, runs the same block means and the same Gaussian. They are not
SciPy's, since a saved model is asked with NumPy alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from awd_core.checks import check_choice, plain_array, real_number, whole_number
from awd_core.typing import AnyArray
from awd_cosmo.formats.pixel_scale import arcmin_per_pixel

Maps = AnyArray
Edge = Literal["reflect", "wrap"]


@dataclass(frozen=True)
class Preprocessing:
    """What is done to a map before its features are measured, in this order, in training and in prediction alike.

    Parameters
    ----------
    downsample : int
        Side of the blocks of pixels of which the mean is taken.
    smoothing_arcmin : float
        Standard deviation of the Gaussian, 0 for none.
    edge : {"reflect", "wrap"}
        What the smoothing takes to lie beyond the edge.
    noise : mapping, optional
        How noise was added to training maps, for the record: observed maps bring their own.

    Examples
    --------
    >>> Preprocessing(downsample=2).apply(np.ones((1, 4, 4)), pixel_scale=0.4).shape
    (1, 2, 2)
    """

    downsample: int = 1
    smoothing_arcmin: float = 0.0
    edge: Edge = "reflect"
    noise: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "downsample", whole_number("downsample", self.downsample))
        real_number("smoothing_arcmin", self.smoothing_arcmin, least=0)
        check_choice("edge", self.edge, get_args(Edge), required=True)

    def apply(self, maps: npt.ArrayLike, *, pixel_scale: Any) -> Maps:
        """Maps (n, ny, nx), NaN where not observed, as the statistics want them.

        The same as `awd_cosmo.maps.observe.downsample` and `awd_cosmo.maps.observe.smooth`.
        """
        stack = block_means(map_stack(maps), self.downsample)
        return smoothed(stack, self.smoothing_arcmin / (arcmin_per_pixel(pixel_scale) * self.downsample), self.edge)


def block_means(maps: Maps, factor: int, least: float = 0.5) -> Maps:
    """Means over blocks of factor × factor pixels; a block of which less than a share was observed becomes NaN.

    Raises
    ------
    ValueError
        If the factor does not divide the sides.

    Examples
    --------
    >>> block_means(np.arange(16.0).reshape(1, 4, 4), 2)
    array([[[ 2.5,  4.5],
            [10.5, 12.5]]])
    """
    if factor == 1:
        return maps
    n, ny, nx = maps.shape
    if ny % factor or nx % factor:
        raise ValueError(f"blocks of {factor} pixels do not fill maps of {ny} × {nx}; crop them to a multiple")
    blocks = maps.reshape(n, ny // factor, factor, nx // factor, factor)
    missing = np.isnan(blocks)
    if not missing.any():
        return np.asarray(blocks.mean(axis=(2, 4), dtype=np.float64).astype(maps.dtype))
    seen = (~missing).sum(axis=(2, 4))
    total = np.where(missing, 0.0, blocks).sum(axis=(2, 4), dtype=np.float64)
    enough = seen >= max(1.0, least * factor**2 - 1e-9)
    mean = np.divide(total, seen, out=np.full(total.shape, np.nan), where=enough)
    return np.asarray(mean.astype(maps.dtype))


def smoothed(maps: Maps, width: float, edge: Edge = "reflect") -> Maps:
    """Maps filtered with a Gaussian that is cut at four standard deviations, leaving out what was not observed.

    Parameters
    ----------
    maps : ndarray of float, shape (n, ny, nx)
        NaN where not observed.
    width : float
        Standard deviation in pixels; 0 gives the maps as they are.
    edge : {"reflect", "wrap"}
        What lies beyond the edge: the map mirrored, or its other side.

    Returns
    -------
    ndarray, shape (n, ny, nx)
        In the type of the maps: G * (m κ) / (G * m) where observed (m = 1), NaN elsewhere.

    Examples
    --------
    >>> smoothed(np.array([[[0.0, 0.0, 1.0, 0.0, 0.0, np.nan]]]), 0.5).round(3)
    array([[[0.   , 0.106, 0.787, 0.106, 0.   ,   nan]]])
    """
    if width == 0:
        return maps
    missing = np.isnan(maps)
    if not missing.any():
        return _gaussian(maps, width, edge)
    weight = _gaussian((~missing).astype(np.float64), width, edge)
    value = _gaussian(np.where(missing, 0.0, maps.astype(np.float64)), width, edge)
    # Where a pixel was observed its own weight is in the sum, so that nothing is divided by zero.
    mean = np.divide(value, weight, out=np.full(maps.shape, np.nan), where=~missing)
    return np.asarray(mean.astype(maps.dtype))


def _gaussian(maps: Maps, width: float, edge: Edge) -> Maps:
    """Maps (n, ny, nx) without NaN, filtered along both axes: SciPy's `gaussian_filter`, in its order of sums."""
    radius = int(4.0 * width + 0.5)
    weights = np.exp(-0.5 / width**2 * np.arange(-radius, radius + 1) ** 2)
    weights /= weights.sum()
    found = np.empty_like(maps)
    for number, values in enumerate(maps):  # map by map: one fits into a processor's cache
        for axis in (0, 1):
            pads = [(0, 0), (0, 0)]
            pads[axis] = (radius, radius)
            padded = np.pad(values.astype(np.float64), pads, mode="symmetric" if edge == "reflect" else "wrap")
            padded = padded if axis == 0 else padded.T
            size = values.shape[axis]
            total = padded[radius : radius + size] * weights[radius]
            for k in range(radius):
                mirrored = 2 * radius - k
                total += (padded[k : k + size] + padded[mirrored : mirrored + size]) * weights[k]
            values = (total if axis == 0 else total.T).astype(maps.dtype)
        found[number] = values
    return found


def map_stack(maps: npt.ArrayLike, *, alone: bool = True) -> Maps:
    """Maps as a stack (n, ny, nx) of floats in the machine's byte order.

    Parameters
    ----------
    maps : array_like
        Real numbers.
    alone : bool
        Whether a single map (ny, nx) is a stack of one, and none at all an error.

    Raises
    ------
    ValueError
        If they are not real numbers, or have another shape.
    """
    stack: Maps = plain_array(maps, "maps")
    if stack.dtype.kind in "iu" or (stack.dtype.kind == "b" and not alone):
        stack = stack.astype(np.float64)
    if alone and stack.ndim == 2:
        stack = stack[None]
    if stack.dtype.kind != "f" or stack.ndim != 3 or (alone and stack.size == 0):
        wanted = "real, of the shape (n, ny, nx) or (ny, nx);" if alone else "a stack of floats of shape (n, ny, nx),"
        raise ValueError(f"maps must be {wanted} got {stack.dtype} {stack.shape}")
    # Big-endian arrays, as FITS has them, are slow or refused further on.
    return stack if stack.dtype.isnative else stack.astype(stack.dtype.newbyteorder("="))
