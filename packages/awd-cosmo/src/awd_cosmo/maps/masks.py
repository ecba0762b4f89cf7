"""Which pixels of a set's maps were observed: few masks, and which of them each map has.

Tiles and turns give maps different masks, but no more than there are tiles in a map and turns of the sky. They are
kept once each, so that a set of many maps needs no memory for pixels before it is read.
"""

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from awd_core.checks import check_file, plain_array
from awd_core.files import load_npy
from awd_core.typing import AnyArray, Rows
from awd_cosmo.formats.fits import read_map
from awd_cosmo.formats.headers import ANY
from awd_cosmo.maps import observe
from awd_cosmo.maps.sources import Mask


@dataclass(frozen=True)
class Masks:
    """The masks of the maps of a set.

    Parameters
    ----------
    kinds : ndarray of bool, shape (k, ny, nx)
        Masks that differ; True where observed.
    which : ndarray of int, shape (n,)
        The mask of each map.
    """

    kinds: Mask
    which: Rows

    @classmethod
    def of(cls, mask: Mask, n: int) -> "Masks":
        """The masks of n maps that share one, (ny, nx), or have one each, (n, ny, nx)."""
        if mask.ndim == 2:
            return cls(mask[None], np.zeros(n, np.int64))
        return cls(mask, np.arange(n))

    def array(self) -> Mask:
        """One mask (ny, nx) if all maps share it, otherwise one for each map, (n, ny, nx)."""
        return self.kinds[0] if len(self.kinds) == 1 else self.kinds[self.which]

    def select(self, rows: Rows) -> "Masks":
        """The masks of some maps."""
        used, which = np.unique(self.which[rows], return_inverse=True)
        return (
            Masks(self.kinds[used], which) if 0 < len(used) < len(self.kinds) else Masks(self.kinds, self.which[rows])
        )

    def mapped(self, function: Callable[[npt.NDArray[np.float32]], AnyArray]) -> "Masks":
        """What a function of maps, NaN where not observed, makes of the masks."""
        coded = np.where(self.kinds, np.float32(0), np.float32(np.nan))
        return Masks(np.concatenate([np.isfinite(function(one[None])) for one in coded]), self.which)

    def turned(self, elements: Rows) -> "Masks":
        """Each map's mask turned by an element, see `awd_cosmo.maps.observe.turn`."""
        pairs, which = np.unique(np.stack([self.which, elements], axis=1), axis=0, return_inverse=True)
        kinds = [observe.turn(self.kinds[kind][None], int(element)) > 0 for kind, element in pairs]
        return Masks(np.concatenate(kinds), which.reshape(-1)) if kinds else self

    @classmethod
    def interleaved(
        cls, masks: Sequence["Masks | None"], which: Rows, place: Rows, shape: tuple[int, int]
    ) -> "Masks | None":
        """The masks of maps of which row i is `place[i]` of the maps that `masks[which[i]]` are of; None: all."""
        if all(one is None for one in masks):
            return None
        known = [cls(np.ones((1, *shape), np.bool_), np.zeros(place.max() + 1, np.int64)) if one is None else one
                 for one in masks]  # fmt: skip
        first = np.cumsum([0, *(len(one.kinds) for one in known[:-1])])
        rows = np.empty(len(which), np.int64)
        for number, one in enumerate(known):
            rows[which == number] = first[number] + one.which[place[which == number]]
        kinds, same = np.unique(np.concatenate([one.kinds for one in known]), axis=0, return_inverse=True)
        return cls(kinds, same.reshape(-1)[rows])

    def tiles(self, corners: list[tuple[int, int]], size: int) -> "Masks":
        """The masks of square tiles with these lower left pixels, all of the first map first."""
        cut = np.stack([self.kinds[:, y : y + size, x : x + size] for y, x in corners], axis=1)
        which = self.which[:, None] * len(corners) + np.arange(len(corners))
        return Masks(cut.reshape(-1, size, size), which.reshape(-1))


def read_mask_of(mask: Any, shape: tuple[int, int]) -> Mask | None:
    """A mask as bool from an array or a FITS file, of which every pixel is known to be 0 or 1."""
    if mask is None:
        return None
    seen = read_any_mask(mask)
    if seen.shape != shape:
        raise ValueError(f"the mask has the shape {seen.shape}, but the maps have {shape}")
    return seen


def read_any_mask(mask: Any) -> Mask:
    """A mask as bool from an array, a FITS file or one of NumPy's, of whatever shape."""
    if isinstance(mask, str | os.PathLike):
        check_file(Path(mask))
        seen = load_npy(mask) if Path(mask).suffix.lower() == ".npy" else read_map(mask, itype=ANY)[0]
    else:
        seen = plain_array(mask, "mask")
    if seen.dtype != np.bool_ and not np.isin(seen, (0, 1)).all():
        raise ValueError(
            f"a mask must hold 1 where observed and 0 elsewhere, and nothing else; this one is from {np.min(seen):g} "
            f"to {np.max(seen):g}. Weights become a mask by a least one that you choose, as weights > 0.5"
        )
    return np.asarray(seen, np.bool_)


def mask_step(mask: Mask | None) -> tuple[str, ...]:
    """How `MapSet.processing` tells that maps are masked, and by what."""
    return () if mask is None else (f"mask={hashlib.sha256(np.packbits(mask).tobytes()).hexdigest()[:16]}",)
