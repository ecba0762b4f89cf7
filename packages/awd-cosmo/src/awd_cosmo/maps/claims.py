"""What the headers of maps must not contradict: pixel scale, source redshift and cosmology that a set has them by.

Names and tables tell them, and one header a model is asked when a suite is listed. Every other header is looked at
when its map is read.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from awd_core.typing import Array, Rows
from awd_cosmo.formats.archives import BadMap
from awd_cosmo.formats.headers import Cards, MapHeader, describe
from awd_cosmo.formats.parameters import RANGES
from awd_cosmo.formats.redshifts import REDSHIFT_TOLERANCE

SCALE_TOLERANCE = 0.01
"""Relative difference of pixel scales that is taken for none."""
PARAMETER_TOLERANCE = 0.01
"""Difference of a parameter that is taken for none, as a share of its plausible range: names round."""


@dataclass(frozen=True)
class Claims:
    """What a set has its maps by.

    Parameters
    ----------
    arcmin_per_pixel : float
        NaN: not to be compared.
    redshifts : ndarray, shape (n,)
        Of each map; NaN: not to be compared.
    cosmologies : sequence of mapping
        Parameters by name.
    which : ndarray of int, shape (n,)
        The cosmology of each map.
    itype : str, optional
        As for `awd_cosmo.formats.read_map`.
    """

    arcmin_per_pixel: float
    redshifts: Array
    cosmologies: Sequence[Mapping[str, float]]
    which: Rows
    itype: str | None = None

    def part(self, rows: Rows) -> "Claims":
        """Of these maps alone."""
        used, which = np.unique(self.which[rows], return_inverse=True)
        some = tuple(self.cosmologies[k] for k in used)
        return replace(self, redshifts=self.redshifts[rows], cosmologies=some, which=which.reshape(-1))

    def of(self, row: int) -> "Claims":
        """Of one map."""
        some = (self.cosmologies[self.which[row]],)
        return replace(self, redshifts=self.redshifts[row : row + 1], cosmologies=some, which=np.zeros(1, np.int64))

    @classmethod
    def together(cls, some: Sequence["Claims"]) -> "Claims":
        """Of maps one by one, put together again."""
        cosmologies = [one.cosmologies[0] for one in some]
        redshifts = np.concatenate([one.redshifts for one in some])
        return replace(some[0], redshifts=redshifts, cosmologies=cosmologies, which=np.arange(len(some)))

    def contradicted(self, row: int, cards: Mapping[str, Any], name: str, shape: tuple[int, ...]) -> str:
        """What of a header contradicts the claims for a map, in words; empty if nothing does."""
        try:
            header = _described(cards, name, shape, self.arcmin_per_pixel, self.itype)
        except BadMap as error:
            return error.bad[0][1]
        scale, z = header.arcmin_per_pixel, header.source_redshift
        if header.pixel_scale_source != "option" and abs(scale / self.arcmin_per_pixel - 1) > SCALE_TOLERANCE:
            return (
                f"wrong pixel scale: {scale:.5g} arcmin by {header.pixel_scale_source}, where the others have "
                f"{self.arcmin_per_pixel:.5g}; leave it out, or give --pixel-scale (pixel_scale=) for all"
            )
        if (
            not header.source_redshift_source.startswith("file name")
            and abs(z - self.redshifts[row]) > REDSHIFT_TOLERANCE
        ):
            return (
                f"its header has the source redshift {z:g} ({header.source_redshift_source}), but names or table "
                f"{self.redshifts[row]:g}; mend one of them, or give --headers ignore (headers='ignore')"
            )
        for name_, value in self.cosmologies[self.which[row]].items():
            there = header.parameters.get(name_, math.nan)
            low, high = RANGES.get(name_, (0.0, 1.0))
            if abs(there - value) > PARAMETER_TOLERANCE * (high - low):
                return (
                    f"its header has {name_} = {there:g}, but names or table {value:g}; mend one of them, or give "
                    "--headers ignore (headers='ignore')"
                )
        return ""


def _described(
    cards: Mapping[str, Any], name: str, shape: tuple[int, ...], scale: float, itype: str | None
) -> MapHeader:
    """What a header says; maps whose headers are alike share their cards, which are looked at once."""
    key = (math.isfinite(scale), itype)
    if isinstance(cards, Cards) and key in cards.said:
        return cards.said[key]
    anything = dict.fromkeys(RANGES, (-math.inf, math.inf))  # what is compared needs no range
    told = None if math.isfinite(scale) else 1.0
    said = describe(cards, name, 0, shape, pixel_scale=told, ranges=anything, itype=itype)
    if isinstance(cards, Cards):
        cards.said[key] = said
    return said
