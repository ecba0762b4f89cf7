"""Samples that are whole numbers as floating-point ones, read when they are asked for."""

from typing import Any

import numpy as np

from awd_core.typing import AnyArray

EXACT = 1 << 24
"""Whole numbers up to which float32 holds each."""


class Converted:
    """An array of whole numbers as float32 where that holds them, else float64.

    Parameters
    ----------
    samples : SampleArray
        Of whole numbers, or of truth values.
    rows : int
        Samples that are looked at together.

    Examples
    --------
    >>> Converted(np.arange(3)).dtype, Converted(np.array([1 << 40]))[:1]
    (dtype('float32'), array([1.09951163e+12]))
    """

    def __init__(self, samples: Any, rows: int = 256) -> None:
        self._samples, self.shape = samples, tuple(samples.shape)
        kind = np.dtype(samples.dtype)
        small = kind.kind == "b" or kind.itemsize <= 2
        blocks = (np.asarray(samples[start : start + rows]) for start in range(0, 0 if small else self.shape[0], rows))
        exact = kind.kind in "iub" and all(
            not block.size or np.abs(block.astype(np.float64)).max() <= EXACT for block in blocks
        )
        self.dtype = np.dtype(np.float32 if small or exact else np.float64)

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, key: Any) -> AnyArray:
        return np.asarray(self._samples[key]).astype(self.dtype)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> AnyArray:
        found = self[:]
        return found if dtype is None else found.astype(dtype)
