"""What the kernel is told of a transform: for each level and axis, how places beyond the ends come of the samples."""

import ctypes
from collections.abc import Sequence

import numpy as np

from awd_core.typing import Array


class Axis(ctypes.Structure):
    """`Axis` of `source/passes.h`."""

    _fields_ = (
        *((name, ctypes.c_int32) for name in ("size", "outputs", "taps", "before", "after", "plain")),
        *((name, ctypes.c_void_p) for name in ("start", "index", "weight")),
    )


class Plan(ctypes.Structure):
    """`Plan` of `source/image.h`."""

    _fields_ = (("levels", ctypes.c_int32), ("v", ctypes.c_void_p), ("h", ctypes.c_void_p))


class Extension:
    """The places beyond both ends of one axis of one level.

    Parameters
    ----------
    matrix : ndarray, shape (before + after, samples)
        Their values as sums of samples, from left to right; the samples are the signal's first and last ones, with
        `slopes` more behind them for the slopes at both ends.
    size, outputs, taps, before, after : int
        Samples N, coefficients of a band, taps L, and places to the left and to the right.
    slopes : int
        0 or 2.
    """

    def __init__(
        self, matrix: Array, *, size: int, outputs: int, taps: int, before: int, after: int, slopes: int
    ) -> None:
        samples = matrix.shape[1] - slopes
        place, column = np.nonzero(matrix)
        # Only what lies near the ends counts: behind its middle the matrix speaks of the signal's end.
        index = np.where(column >= samples // 2, column + size - samples, column)
        terms = np.bincount(place, minlength=before + after)
        plain = bool((terms == 1).all() and (column < samples).all())
        self._arrays = (
            np.concatenate([[0], np.cumsum(terms)]).astype(np.int32),
            np.concatenate([index, [0]]).astype(np.int32),
            np.concatenate([matrix[place, column], [0.0]]),
        )
        self.axis = Axis(size, outputs, taps, before, after, plain, *(array.ctypes.data for array in self._arrays))
        self.outputs = outputs


class Transform:
    """A plan with all that it points to.

    Parameters
    ----------
    columns, rows : sequence of Extension
        Levels from the finest on, down the columns and along the rows; series have no columns.
    """

    def __init__(self, columns: Sequence[Extension], rows: Sequence[Extension]) -> None:
        self._kept = (columns, rows)
        self._axes = [(Axis * len(axes))(*(each.axis for each in axes)) if axes else None for axes in (columns, rows)]
        v, h = (None if axes is None else ctypes.addressof(axes) for axes in self._axes)
        self._plan = Plan(len(rows), v, h)
        self.address = ctypes.addressof(self._plan)
        self.shapes = [
            tuple(each.outputs for each in level) for level in zip(*filter(None, (columns, rows)), strict=True)
        ]
        self.scratch: dict[tuple[object, ...], int] = {}
