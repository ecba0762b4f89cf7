"""How maps of a set are made of those of another: functions of a stack and its rows, as `sources.Mapped` takes them.

They are `awd_cosmo.maps.observe`'s, with their options. Those that are random draw for each map from (seed, item), and
know the items of all rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from awd_core.typing import AnyArray, Array, Rows
from awd_cosmo.maps import observe
from awd_cosmo.maps.sources import Maps


def downsampled(maps: Maps, rows: Rows, *, factor: int, least: float) -> AnyArray:
    """Block means of maps (k, ny, nx)."""
    return observe.downsample(maps, factor, least=least)


def smoothed(maps: Maps, rows: Rows, **options: Any) -> AnyArray:
    """Maps (k, ny, nx) smoothed."""
    return observe.smooth(maps, **options)


@dataclass(frozen=True)
class Noisy:
    """Adds noise to maps.

    Parameters
    ----------
    sigma : ndarray, shape (n,)
        Standard deviation, row by row.
    seed : int
    items : sequence of int, length n
        What tells the maps apart.
    """

    sigma: Array
    seed: int
    items: Sequence[int]

    def __call__(self, maps: Maps, rows: Rows) -> AnyArray:
        """Maps (k, ny, nx) of these rows with their noise."""
        return observe.add_noise(maps, self.sigma[rows], seed=self.seed, items=[self.items[i] for i in rows])

    def part(self, rows: Rows) -> "Noisy":
        """The same for these rows, from 0 on."""
        return Noisy(self.sigma[rows], self.seed, [self.items[i] for i in rows])


@dataclass(frozen=True)
class Turned:
    """Flips and turns maps at random; its parameters are those of `Noisy`."""

    seed: int
    items: Sequence[int]

    def __call__(self, maps: Maps, rows: Rows) -> AnyArray:
        """Maps (k, ny, nx) of these rows, turned."""
        return observe.turn_at_random(maps, seed=self.seed, items=[self.items[i] for i in rows])

    def elements(self, shape: tuple[int, int]) -> Rows:
        """By which element each of all maps, of shape (ny, nx), is turned."""
        return np.array(observe.turns(shape, seed=self.seed, items=self.items), np.int64)

    def part(self, rows: Rows) -> "Turned":
        """The same for these rows, from 0 on."""
        return Turned(self.seed, [self.items[i] for i in rows])
