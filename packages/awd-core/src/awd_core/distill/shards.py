"""Sums over processes that hold a part of the data each, on one machine or on many.

The first process of a group searches; the others evaluate what it asks for, each on its own shard, until it is done.
So all take the same steps, though their processors may round differently. What each chunk of the data contributes is
brought to every process, in float64, and added there in the order of the chunks. Since chunks are those of one process
that holds all, the sums are too, bit for bit on like processors with as many threads.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed as dist

from awd_core.distill.objective import DistillationObjective, Terms

Array = npt.NDArray[np.float64]
DONE = -1.0
"""In place of a batch's number: nothing more is asked."""


class Shards:
    """The processes of a group, and what they tell each other.

    Parameters
    ----------
    group : ProcessGroup
        Of torch.distributed, such as ``torch.distributed.group.WORLD``.

    Raises
    ------
    RuntimeError
        If this process belongs to no such group.
    """

    def __init__(self, group: Any) -> None:
        if not (dist.is_available() and dist.is_initialized()):
            raise RuntimeError(
                "a group needs torch.distributed: start the script by torchrun, and call "
                "torch.distributed.init_process_group('gloo') first"
            )
        self._group = group
        self.rank, self.size = dist.get_rank(group), dist.get_world_size(group)
        if self.rank < 0:
            raise RuntimeError("this process is not in the group; call from those that are")
        on_gpu = "nccl" in dist.get_backend(group)
        self._device = torch.device("cuda", torch.cuda.current_device()) if on_gpu else torch.device("cpu")

    def every(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The values of each process, of one shape, stacked in the order of the processes."""
        own = self._tensor(values)
        found = [torch.empty_like(own) for _ in range(self.size)]
        dist.all_gather(found, own, group=self._group)
        return np.stack([tensor.cpu().numpy() for tensor in found])

    def counts(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """How many rows each process has."""
        found: npt.NDArray[Any] = self.every(np.array([len(values)]))[:, 0]
        return found

    def joined(self, values: npt.NDArray[Any], counts: npt.NDArray[Any] | None = None) -> npt.NDArray[Any]:
        """The rows of all processes, however many each has, in the order of the processes."""
        counts = self.counts(values) if counts is None else counts
        padded = np.zeros((counts.max(), *values.shape[1:]), values.dtype)
        padded[: len(values)] = values
        return np.concatenate([rows[:count] for rows, count in zip(self.every(padded), counts, strict=True)])

    def whole_chunks(self, values: npt.NDArray[Any], size: int) -> npt.NDArray[Any]:
        """Rows of this process, so that chunks of `size` among the rows of all are in one hand.

        A chunk goes to the process that holds its first row; the others send it what they have of it.
        """
        own = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("="))
        held = np.concatenate([[0], np.cumsum(self.counts(own))])
        due = np.minimum(-(-held // size) * size, held[-1])
        begin = held[self.rank]
        pieces = [own[max(due[self.rank] - begin, 0) : max(due[self.rank + 1] - begin, 0)]]
        for source in range(self.size):
            for target in range(source):
                first, last = max(held[source], due[target]), min(held[source + 1], due[target + 1])
                if first < last and self.rank == source:
                    dist.send(self._tensor(own[first - begin : last - begin]), self._global(target), group=self._group)
                elif first < last and self.rank == target:
                    room = self._tensor(np.empty((last - first, *own.shape[1:]), own.dtype))
                    dist.recv(room, self._global(source), group=self._group)
                    pieces.append(room.cpu().numpy())
        return np.concatenate(pieces)

    def from_first(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """What the first process gives; what the others give says the shape."""
        told = self._tensor(values)
        dist.broadcast(told, self._global(0), group=self._group)
        found: npt.NDArray[Any] = told.cpu().numpy()
        return found

    def text_from_first(self, text: str) -> str:
        """Text that the first process gives."""
        content = np.frombuffer(text.encode(), dtype=np.uint8)
        size = int(self.from_first(np.array([len(content)]))[0])
        return bytes(self.from_first(content if self.rank == 0 else np.empty(size, np.uint8))).decode()

    def every_json(self, value: Any) -> list[Any]:
        """JSON values of all processes, in their order."""
        texts = self.joined(np.frombuffer(json.dumps(value).encode() + b"\n", dtype=np.uint8))
        return [json.loads(line) for line in bytes(texts).splitlines()]

    def _tensor(self, values: npt.NDArray[Any]) -> torch.Tensor:
        return torch.from_numpy(np.array(values)).to(self._device)

    def _global(self, rank: int) -> int:
        return dist.get_global_rank(self._group, rank)


class SharedObjective:
    """An objective that is summed over shards: asked by the first process, answered by all.

    Parameters
    ----------
    shards : Shards
        The processes.
    own : DistillationObjective
        On the chunks that this process holds, with `inputs` those of the whole batch.
    number : int
        Of the batch, by which the first process names it to the others.
    """

    def __init__(self, shards: Shards, own: DistillationObjective, number: int) -> None:
        self.shards, self.own, self.number, self.evaluations = shards, own, number, 0
        self._counts: npt.NDArray[Any] | None = None

    def __call__(self, free: Array, sparsity: float, interpretation: float) -> tuple[float, Array, Terms]:
        """As `DistillationObjective`, over all shards."""
        self.shards.from_first(np.array([self.number, sparsity, interpretation, *free]))
        return self.answer(free, sparsity, interpretation)

    def answer(self, free: Array, sparsity: float, interpretation: float) -> tuple[float, Array, Terms]:
        """Give the other processes the part of this one, and add up all."""
        self.evaluations += 1
        parts = self.own.parts(free, sparsity, interpretation)
        if self._counts is None:
            self._counts = self.shards.counts(parts)
        return self.own.combined(self.shards.joined(parts, self._counts), free, sparsity, interpretation)


def answer_all(shards: Shards, objectives: Sequence[SharedObjective]) -> None:
    """Answer what the first process asks, until it is done."""
    template = np.empty(3 + objectives[0].own.dimension)
    while True:
        number, sparsity, interpretation, *free = shards.from_first(template).tolist()
        if number == DONE:
            return
        objectives[int(number)].answer(np.array(free, dtype=np.float64), sparsity, interpretation)


def ask_no_more(shards: Shards, objectives: Mapping[str, SharedObjective]) -> None:
    """Let the other processes go on."""
    dimension = next(iter(objectives.values())).own.dimension
    shards.from_first(np.array([DONE, *np.zeros(2 + dimension)]))
