"""What a whole suite of maps costs: hours, storage and network, from measured rates.

A pass over the maps takes as long as the slower of two needs: the workers' work, MB / (workers × MB/s of one), or the
storage's traffic, MB read and written / (MB/s of the storage that they share). Nothing else is assumed: items are
independent, and a worker has a core of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Suite:
    """A suite of maps, and what it is done with.

    Attributes
    ----------
    maps : int
        How many; the default is 101 cosmologies with 10,000 realisations each.
    megabytes : float
        Of one map: 512² pixels in float32 are 1.05 MB.
    cache_rate, count_rate : float
        MB/s that one worker reads, checks and caches; and of which it reads the cache and counts peaks.
    statistics : int
        How many statistics are counted, each in a pass of its own.
    features : int
        Numbers that a statistic gives for a map, 8 bytes each.
    storage_rate : float
        MB/s of the storage that all workers share, reading and writing together.
    """

    cache_rate: float
    count_rate: float
    maps: int = 1_010_000
    megabytes: float = 1.05
    statistics: int = 10
    features: int = 88
    storage_rate: float = 1000.0

    def __post_init__(self) -> None:
        """See that nothing is zero or less."""
        for name in ("cache_rate", "count_rate", "maps", "megabytes", "statistics", "features", "storage_rate"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be above 0")

    @property
    def terabytes(self) -> float:
        """Of the maps; the cache has as many again."""
        return self.maps * self.megabytes / 1e6

    @property
    def feature_gigabytes(self) -> float:
        """Of all statistics."""
        return self.maps * self.statistics * self.features * 8 / 1e9

    def hours(self, workers: int) -> tuple[float, float]:
        """Hours to cache all maps, and to count all statistics.

        Examples
        --------
        >>> suite = Suite(cache_rate=100.0, count_rate=100.0, maps=1_000_000, megabytes=1.0, storage_rate=1000.0)
        >>> [round(hours, 2) for hours in suite.hours(1)]
        [2.78, 27.78]
        >>> [round(hours, 2) for hours in suite.hours(64)]  # the storage: 2 TB to and fro, then 10 TB read
        [0.56, 2.78]
        """
        caching = max(self._worked(self.cache_rate, workers), self._moved(2))
        counting = self.statistics * max(self._worked(self.count_rate, workers), self._moved(1))
        return caching, counting

    def bound(self, workers: int) -> str:
        """What bounds each pass: cores, or storage."""
        pairs = ((self._worked(self.cache_rate, workers), self._moved(2)), (
            self._worked(self.count_rate, workers), self._moved(1),
        ))  # fmt: skip
        told = ["cores" if worked >= moved else "storage" for worked, moved in pairs]
        return " / ".join(told) if told[0] != told[1] else told[0]

    def _worked(self, rate: float, workers: int) -> float:
        if workers < 1:
            raise ValueError(f"workers is {workers}; at least one is needed")
        return self.maps * self.megabytes / (rate * workers) / 3600

    def _moved(self, times: int) -> float:
        return times * self.maps * self.megabytes / self.storage_rate / 3600


def plan(suite: Suite, workers: Sequence[int]) -> list[list[str]]:
    """Cells of a table: workers, hours of caching, of counting, of both, MB/s of traffic, and what bounds it."""
    rows = []
    for count in workers:
        caching, counting = suite.hours(count)
        moved = (2 + suite.statistics) * suite.maps * suite.megabytes
        traffic = moved / (3600 * (caching + counting))
        rows.append(
            [
                str(count), f"{caching:,.1f}", f"{counting:,.1f}", f"{caching + counting:,.1f}", f"{traffic:,.0f}",
                suite.bound(count),
            ]
        )  # fmt: skip
    return rows


PLAN = ["workers", "hours to cache", "hours to count", "hours in all", "MB/s of storage and network", "bound by"]
"""Headings of `plan`."""
