"""Features of all maps of a run, computed once for each statistic and kept in the run's folder.

Bins are learnt from maps that train in every protocol, so that one array of features serves all protocols.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from awd_core.files import cached_array, make_atomically
from awd_core.run import RunFolder, shortest_seconds
from awd_core.typing import Array, Rows
from awd_core.workers import Serial, Workers, available_cores
from awd_cosmo.field_statistics.joint import JointStatistic
from awd_cosmo.maps.map_set import MapSet
from awd_cosmo.maps.sources import HANDED, Maps, Source, maps_at_a_time
from awd_cosmo.statistics.per_bin import PerBin
from awd_cosmo.statistics.scales import ScaleCounts, columns_in
from awd_cosmo.statistics.statistic import Statistic

BIN_MAPS = 512
"""Maps that bins are learnt from, at most."""


@dataclass
class Features:
    """What statistics say of a run's maps, kept in the folder `features`.

    Workers read maps and count, `HANDED` times as many in a piece of work as `maps_at_a_time` are held.
    """

    run: RunFolder
    maps: MapSet
    bins_from: Rows  # training maps of every protocol, from which bins are learnt
    seed: int  # of the draw among them
    workers: Workers = field(default_factory=Serial)
    _fitted: dict[str, Statistic] = field(default_factory=dict)
    _sample: npt.NDArray[np.float32] | None = None
    _last: dict[tuple[str, bytes], tuple[Statistic, Array]] = field(default_factory=dict)

    def fitted(self, statistic: Statistic) -> Statistic:
        """The statistic with its bins learnt; of maps in several redshift bins, that of each."""
        statistic = self.of_each(statistic)
        key = statistic_key(statistic)
        if key not in self._fitted:
            if self._sample is None:
                rng = np.random.default_rng([self.seed, 0xB125])
                rows = rng.permutation(self.bins_from)[:BIN_MAPS]
                self._sample = self.maps.read(np.sort(rows))
            self._fitted[key] = learnt(statistic, self._sample)
        return self._fitted[key]

    def of(self, statistic: Statistic, rows: Rows | None = None) -> Array:
        """Features (n, F) of some rows, or of all, which are kept. The statistic is not fitted."""
        statistic = self.of_each(statistic)
        if isinstance(statistic, JointStatistic):
            return np.hstack([self.of(part, rows) for part in statistic.statistics])
        place = self.run / "features" / f"{statistic_key(statistic)}.npy"
        kept: Array | None = cached_array(place)
        if kept is not None and len(kept) == len(self.maps):
            return kept if rows is None else kept[rows]
        wanted = np.arange(len(self.maps)) if rows is None else rows
        # Estimators are tried on the same features one after the other, so a few are remembered.
        memory = (statistic_key(statistic), wanted.tobytes())
        for (key, told), (other, known) in self._last.items():
            if told == memory[1] and key == memory[0]:
                return known
            if told == memory[1] and isinstance(statistic, ScaleCounts) and (count := columns_in(statistic, other)):
                return known[:, :count]
        found = self._measured(statistic, wanted)
        if rows is None:
            place.parent.mkdir(exist_ok=True)
            make_atomically(place, lambda path: np.save(path, found))
            return found
        while len(self._last) > 1:
            self._last.pop(next(iter(self._last)))
        self._last[memory] = statistic, found
        return found

    def of_each(self, statistic: Statistic) -> Statistic:
        """The statistic of each redshift bin, side by side, where maps have several."""
        if self.maps.bins == 1 or isinstance(statistic, PerBin):
            return statistic
        return PerBin.of(statistic, self.maps.bins)

    def _measured(self, statistic: Statistic, rows: Rows) -> Array:
        """Features of rows, block by block, by whoever works."""
        ready = self.fitted(statistic)
        if self.workers.here:
            return _part_by_part(ready, self.maps.read, rows, maps_at_a_time(self.maps.sample_shape))
        # They are as large as a tenth of the maps: workers leave them in the folder, and send word.
        folder = (
            self.run.path.absolute()
            / "features"
            / f"{statistic_key(statistic)}-{hashlib.sha256(rows.tobytes()).hexdigest()[:16]}"
        )
        folder.mkdir(parents=True, exist_ok=True)
        todo = [_Task(block, folder / f"{k}.npy") for k, block in enumerate(map_blocks(self.maps, rows))]
        places = list(self.workers.map(partial(_measure, ready), todo))
        found = stacked((np.load(place, allow_pickle=False) for place in places), len(rows))
        shutil.rmtree(folder)
        return found

    def milliseconds(self, statistic: Statistic, rows: Rows) -> float:
        """Milliseconds that the statistic takes for a map, reading left out: the shortest of repeated calls."""
        ready, maps = self.fitted(statistic), self.maps.read(rows)
        return 1000 * shortest_seconds(partial(measured, ready, maps)) / len(maps)


@dataclass(frozen=True)
class MapBlock:
    """Maps that a worker is handed, rows 0 to `count` − 1 of a source, of which it reads `held` at a time."""

    source: Source
    count: int
    held: int

    def __str__(self) -> str:
        return f"{self.count} maps"


def map_blocks(maps: MapSet, rows: Rows) -> list[MapBlock]:
    """Rows of a set, cut into what is worth handing out."""
    held = maps_at_a_time(maps.sample_shape)
    blocks = [rows[start : start + HANDED * held] for start in range(0, len(rows), HANDED * held)]
    return [MapBlock(maps.source.part(block), len(block), held) for block in blocks]


def features_of(statistic: Statistic, block: MapBlock) -> Array:
    """Features (count, F) of the maps of a piece."""

    def read(rows: Rows) -> Maps:
        return block.source(rows, available_cores(), None)

    return _part_by_part(statistic, read, np.arange(block.count), block.held)


@dataclass(frozen=True)
class _Task:
    """A piece of which features are wanted, and the file for them."""

    block: MapBlock
    place: Path

    def __str__(self) -> str:
        return f"features of {self.block} for {self.place}"


def _measure(statistic: Statistic, task: _Task) -> Path:
    """Write the features of a piece, unless they are there."""
    if (kept := cached_array(task.place)) is None or len(kept) != task.block.count:
        features = features_of(statistic, task.block)
        make_atomically(task.place, lambda path: np.save(path, features))
    return task.place


def measured(statistic: Statistic, maps: Maps) -> Array:
    """Features (n, F) of maps (n, ny, nx), or (n, bins, ny, nx), NaN where not observed."""
    seen = np.isfinite(maps)
    if seen.all():
        return statistic.transform(maps)
    return statistic.transform(maps, mask=seen[0] if (seen == seen[0]).all() else seen)


def learnt(statistic: Statistic, maps: Maps) -> Statistic:
    """The statistic with bins learnt from maps; of those with holes, from those that share the commonest mask."""
    if isinstance(statistic, PerBin):
        fresh = [None if one is None else type(one)(**one.get_params()) for one in statistic.statistics]
        return statistic.of_parts([one and learnt(one, maps[:, b]) for b, one in enumerate(fresh)])
    seen = np.isfinite(maps)
    if seen.all():
        return statistic.fit(maps)
    kinds, which = np.unique(seen.reshape(len(seen), -1), axis=0, return_inverse=True)
    # Of masks that are as common the one that hides least.
    common = max(range(len(kinds)), key=lambda k: (int((which.reshape(-1) == k).sum()), int(kinds[k].sum())))
    some, mask = maps[which.reshape(-1) == common], kinds[common].reshape(maps.shape[1:])
    if mask.all():
        return statistic.fit(some)
    # Bins hold for maps with any mask: this one is not kept.
    return statistic.set_params(mask=mask).fit(some).set_params(mask=None)


def _part_by_part(statistic: Statistic, read: Callable[[Rows], Maps], rows: Rows, held: int) -> Array:
    """Features of rows, of which `held` are read at a time."""
    parts = (rows[start : start + held] for start in range(0, len(rows), held))
    return stacked((measured(statistic, read(part)) for part in parts), len(rows))


def stacked(parts: Iterable[Array], count: int) -> Array:
    """Parts (k, F) one below the other, `count` rows in all; no two of them are held at a time beside the whole.

    Examples
    --------
    >>> stacked((np.full((2, 3), i) for i in range(2)), 4)[:, 0].tolist()
    [0, 0, 1, 1]
    """
    whole, done = np.zeros((0, 0)), 0
    for part in parts:
        if not done:
            whole = np.empty((count, *part.shape[1:]), part.dtype)
        whole[done : done + len(part)] = part
        done += len(part)
    return whole


def described(statistic: Statistic) -> dict[str, Any]:
    """Parameters of a statistic as JSON values, without what does not change its features."""
    record = statistic.to_dict() if statistic.__sklearn_is_fitted__() else None
    values: Mapping[str, Any] = record["parameters"] if record is not None else _plain(statistic.get_params())
    told = {key: value for key, value in values.items() if key not in ("workers", "mask") and value is not None}
    return {"statistic": type(statistic).__name__, **told}


def _plain(parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _plain_value(value) for key, value in parameters.items()}


def _plain_value(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return {"array": value.tolist()}
    if isinstance(value, Statistic):
        return {"statistic": type(value).__name__, **_plain(value.get_params())}
    return [_plain_value(one) for one in value] if isinstance(value, tuple | list) else value


def statistic_key(statistic: Statistic) -> str:
    """What tells statistics with different features apart: a digest of their parameters."""
    told = {"statistic": type(statistic).__name__, **_plain(statistic.get_params())}
    told.pop("workers", None)
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]
