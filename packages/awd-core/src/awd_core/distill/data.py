"""What a path is distilled from: all inputs and gradients, or the shard of one process among many."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from awd_core.attribution.gradients import check_gradients
from awd_core.distill.objective import DistillationObjective, rows_per_chunk
from awd_core.distill.path import DistillationPath
from awd_core.distill.path_file import from_json, to_json
from awd_core.distill.search_batches import Batch, Objectives, read_batch
from awd_core.files.arrays import as_samples, digest
from awd_core.workers.mapping import Serial, Workers

if TYPE_CHECKING:
    from awd_core.distill.shards import Shards


class Data:
    """Inputs and gradients, checked: all of them, or the shard of this process.

    Attributes
    ----------
    shape : tuple of int
        Of all inputs.
    digests : list of str
        Of inputs and gradients.
    dtypes : list of str
        Of inputs and gradients.
    shards : Shards or None
        The processes that hold the rest.
    """

    def __init__(self, X: Any, gradients: Any) -> None:
        self._samples, self._slopes = as_samples(X, "X"), as_samples(gradients, "gradients")
        check_gradients(self._samples, self._slopes)
        self.shape = tuple(self._samples.shape)
        self.digests = [digest(self._samples), digest(self._slopes)]
        self.dtypes = [np.dtype(array.dtype).name for array in (self._samples, self._slopes)]
        self._first = 0
        self.shards: Shards | None = None

    def among(self, shards: "Shards", all_of_them: Sequence[Mapping[str, Any]]) -> None:
        """Take note of the other processes' shards."""
        self.shards = shards
        counts = [shard["shape"][0] for shard in all_of_them]
        self._first = sum(counts[: shards.rank])
        self.shape = (sum(counts), *self.shape[1:])
        self.digests = [" ".join(shard["digests"][k] for shard in all_of_them) for k in range(2)]

    def batch(self, rows: npt.NDArray[np.int64]) -> Batch:
        """Inputs and gradients of those rows; of many processes, of those chunks of them that this one is to sum."""
        here = rows[np.searchsorted(rows, self._first) : np.searchsorted(rows, self._first + self._samples.shape[0])]
        x, g = read_batch(self._samples, self._slopes, here - self._first)
        if self.shards is None:
            return x, g
        size = rows_per_chunk(self.shape)
        return self.shards.whole_chunks(x, size), self.shards.whole_chunks(g, size)


def shard(X: Any, gradients: Any, group: Any) -> Data:
    """The part of this process; what is wrong with one of them is an error of all, so that none waits for another."""
    from awd_core.distill.shards import Shards

    shards = Shards(group)
    data: Data | None = None
    told: dict[str, Any]
    try:
        data = Data(X, gradients)
        told = {"shape": data.shape, "digests": data.digests, "dtypes": data.dtypes}
    except (TypeError, ValueError) as error:
        told = {"error": str(error)}
    everybody = shards.every_json(told)
    for rank, part in enumerate(everybody):
        if "error" in part:
            raise ValueError(f"process {rank} of the group cannot take part: {part['error']}")
    for rank, part in enumerate(everybody):
        mine, first = ((one["dtypes"], one["shape"][1:]) for one in (part, everybody[0]))
        if mine != first:
            raise ValueError(
                f"process {rank} of the group has inputs and gradients of the types {mine[0]} and the shape {mine[1]}, "
                f"the first {first[0]} and {first[1]}; give parts of one array"
            )
    whole = cast(Data, data)
    whole.among(shards, everybody)
    return whole


def together(
    shards: "Shards",
    own: Mapping[str, DistillationObjective],
    found: Callable[[Objectives, Workers], DistillationPath],
) -> DistillationPath:
    """The path, searched by the first process and evaluated by all."""
    from awd_core.distill.shards import SharedObjective, answer_all, ask_no_more

    objectives = {name: SharedObjective(shards, one, k) for k, (name, one) in enumerate(own.items())}
    if shards.rank:
        answer_all(shards, list(objectives.values()))
        content = shards.text_from_first("")
        if not content:
            raise RuntimeError("the first process of the group has stopped; its own error says why")
        return from_json(content.encode())
    content = ""
    try:
        path = found(objectives, Serial())
        content = to_json(path).decode()
    finally:
        ask_no_more(shards, objectives)
        shards.text_from_first(content)
    return path
