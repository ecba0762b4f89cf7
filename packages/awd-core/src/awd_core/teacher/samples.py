"""The samples of a data set, in memory or on disk: checked and surveyed once, then read a batch at a time.

The order of the batches is a function of the seed and the epoch alone, so that a training that was interrupted goes on
with the very batches that it would have met.
"""

import hashlib
import math
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from awd_core.checks.real_numbers import plain_array, real_array
from awd_core.typing import AnyArray, Array, Rows

SURVEY_BYTES = 2**23
"""Size of the pieces in which a data set is surveyed; in float64 they fit into memory many times over."""

Batch = tuple[Tensor, Tensor, Tensor, int]
"""Inputs, targets, weights of this process's share of a batch, and the number of samples of the whole batch."""


class Samples:
    """Samples (n, …) from numpy, torch, or an array on disk that is read in chunks (zarr).

    Parameters
    ----------
    array : array_like, torch.Tensor or zarr.Array, shape (n, …)
        Real numbers. An array on disk stays there; what is read of it are the chunks that a batch needs.
    name : str
        What error messages call it.

    Raises
    ------
    TypeError
        The elements are not real numbers.
    ValueError
        There is no first axis, or an axis has length 0.
    """

    def __init__(self, array: Any, name: str = "X") -> None:
        self.on_disk = type(array).__module__.partition(".")[0] == "zarr"
        if not self.on_disk:
            array = real_array(in_memory(array, name), name)
        self.name, self.array = name, array
        dtype = np.dtype(array.dtype)
        if dtype.kind not in "fiub":
            raise TypeError(f"{name} has to hold real numbers; got elements of type {dtype}.")
        if array.ndim == 0 or 0 in array.shape:
            raise ValueError(f"{name} has to be of shape (n, …) with no empty axis; got {_told(tuple(array.shape))}.")
        self.shape: tuple[int, ...] = tuple(array.shape[1:])
        # Native floats that hold the values exactly: FITS data are big-endian, movies unsigned integers.
        self.dtype = np.result_type(dtype.newbyteorder("="), np.float32)
        if self.dtype.itemsize > 8:
            self.dtype = np.dtype(np.float64)
        self.chunk: int = array.chunks[0] if self.on_disk else 1
        self._cache: OrderedDict[int, AnyArray] = OrderedDict()
        self._cached_chunks = 1

    def __len__(self) -> int:
        return int(self.array.shape[0])

    @property
    def description(self) -> dict[str, Any]:
        """Shape and element type, as JSON."""
        return {"shape": list(self.array.shape), "dtype": np.dtype(self.array.dtype).name}

    def keep(self, n: int) -> None:
        """Keep so many chunks in memory that n samples of neighbouring chunks are read once."""
        if self.chunk > 1:  # else nothing is read twice
            self._cached_chunks = max(self._cached_chunks, 2 * math.ceil(n / self.chunk) + 1)

    def take(self, rows: Rows) -> Tensor:
        """The samples of the given rows, shape (len(rows), …), in native floats."""
        if not self.on_disk:
            return torch.from_numpy(np.ascontiguousarray(self.array[rows], dtype=self.dtype))
        out = np.empty((len(rows), *self.shape), dtype=self.dtype)
        chunks = rows // self.chunk
        for chunk in np.unique(chunks):
            here = chunks == chunk
            out[here] = self._chunk(int(chunk))[rows[here] - chunk * self.chunk]
        return torch.from_numpy(out)

    def _chunk(self, index: int) -> AnyArray:
        if index not in self._cache:
            while len(self._cache) >= self._cached_chunks:
                self._cache.popitem(last=False)
            self._cache[index] = np.asarray(self.array[index * self.chunk : (index + 1) * self.chunk])
        self._cache.move_to_end(index)
        return self._cache[index]

    def pieces(self) -> Iterator[tuple[int, AnyArray]]:
        """All samples in order, in pieces that fit into memory: index of the first, and the samples."""
        sample_bytes = 8 * math.prod(self.shape)
        step = max(1, SURVEY_BYTES // (sample_bytes * self.chunk)) * self.chunk
        for start in range(0, len(self), step):
            yield start, np.asarray(self.array[start : start + step])


def in_memory(values: Any, name: str) -> AnyArray:
    """Anything array-like as a numpy array, without a copy where there need not be one."""
    if isinstance(values, Tensor):
        values = values.detach().cpu()
        return (values.float() if values.dtype == torch.bfloat16 else values).numpy()  # type: ignore[no-any-return]
    return plain_array(values, name)


def _told(shape: tuple[int, ...]) -> str:
    """A shape; of a table without columns in scikit-learn's words."""
    return f"0 feature(s) (shape={shape}) while a minimum of 1 is required" if shape[1:] == (0,) else str(shape)


@dataclass(frozen=True)
class SampleStatistics:
    """What one pass over the samples finds: a digest of all of them, and statistics of the training part."""

    digest: str
    mean: Array
    sd: Array


def statistics_of(samples: Samples, training: Rows | None = None, scaling: str = "none") -> SampleStatistics:
    """Read all samples once: are they finite, their digest, and mean and deviation of the `training` rows, or of all.

    They have shape (), or with `scaling` by feature that of a sample; without scaling they are 0 and 1. Where all
    values are the same, the deviation is 0. ValueError for a NaN or an infinity.
    """
    digest = hashlib.sha256(f"{samples.description}".encode())
    counts = np.zeros(len(samples), dtype=bool)
    counts[slice(None) if training is None else training] = True
    moments = _Moments(per_feature=scaling == "feature")
    for start, piece in samples.pieces():
        digest.update(np.ascontiguousarray(piece).data)
        if piece.dtype.kind == "f" and not np.isfinite(piece).all():
            bad = start + int(np.argmin(np.isfinite(piece).reshape(len(piece), -1).all(axis=1)))
            raise ValueError(
                f"{samples.name} has a NaN or an infinity, first at sample {bad}. Leave such samples out, or "
                "fill them in."
            )
        if scaling != "none":
            moments.add(piece[counts[start : start + len(piece)]])
    if scaling == "none":
        return SampleStatistics(digest.hexdigest(), np.zeros(()), np.ones(()))
    return SampleStatistics(digest.hexdigest(), *moments.mean_and_sd())


class _Moments:
    """Mean and standard deviation over pieces (Chan, Golub and LeVeque 1983), exact where all values are the same."""

    def __init__(self, per_feature: bool) -> None:
        self.per_feature = per_feature
        self.n = 0
        self.rounding = 16 * float(np.finfo(np.float64).eps)
        self.origin: Array = np.zeros(())
        self.mean: Array = np.zeros(())
        self.sum_of_squares: Array = np.zeros(())

    def add(self, piece: AnyArray) -> None:
        if len(piece) == 0:
            return
        if piece.dtype.kind == "f":
            self.rounding = max(self.rounding, 2 * float(np.finfo(piece.dtype).eps))
        values = piece.astype(np.float64)
        if not self.per_feature:
            values = values.reshape(-1)
        if self.n == 0:
            self.origin = values[0].copy()
        # From the first value on: a constant leaves exactly 0, and a large offset costs no digits.
        values -= self.origin
        n, mean = len(values), values.mean(axis=0)
        step, total = mean - self.mean, self.n + n
        self.sum_of_squares = self.sum_of_squares + ((values - mean) ** 2).sum(axis=0) + step**2 * (self.n * n / total)
        self.mean = self.mean + step * (n / total)
        self.n = total

    def mean_and_sd(self) -> tuple[Array, Array]:
        mean = np.asarray(self.mean + self.origin)
        sd = np.asarray(np.sqrt(self.sum_of_squares / self.n))
        # What is left of a constant that came out of a calculation is rounding, not a scale.
        return mean, np.where(sd <= self.rounding * np.abs(mean), 0.0, sd)


def split(n: int, fraction: float, rng: np.random.Generator, labels: Rows | None = None) -> tuple[Rows, Rows]:
    """Rows for training and for validation, sorted, at random; with `labels`, the same fraction of each class.

    Every class keeps at least one sample for training.
    """
    groups = [np.arange(n)] if labels is None else [np.flatnonzero(labels == label) for label in np.unique(labels)]
    held = []
    for group in groups:
        size = min(max(round(fraction * len(group)), 1), len(group) - 1)
        held.append(rng.permutation(group)[:size])
    validation = np.sort(np.concatenate(held))
    return np.setdiff1d(np.arange(n), validation), validation


@dataclass(frozen=True)
class Part:
    """The rows of some samples that serve one purpose, with the targets and weights of these rows."""

    samples: Samples
    rows: Rows
    targets: Tensor
    weights: Tensor

    def __len__(self) -> int:
        return len(self.rows)


class Batches:
    """Batches of a part; shuffled for training, anew for each epoch.

    Samples in memory are shuffled freely. Samples on disk are shuffled by chunks, and then within blocks of at least
    `BLOCK_BATCHES` batches, so that each chunk is read once in an epoch. They are read one batch ahead, in a thread,
    as are any samples with `read_ahead`: it pays where the network runs on another device.

    Parameters
    ----------
    part : Part
        Samples, targets and weights.
    size : int
        Samples of a batch. The last batch of an epoch is smaller; a single sample left over joins the batch before it,
        as batch normalisation can't work on one.
    seed : int, optional
        Seed of the order; None: in the order of the rows.
    rank, world : int
        Every batch is dealt out to `world` processes; this one is number `rank`. A process whose share is a single
        sample, or none, is given others of the batch beside it, which count nothing: their weight is 0.
    """

    BLOCK_BATCHES = 16

    def __init__(self, part: Part, size: int, seed: int | None = None, rank: int = 0, world: int = 1) -> None:
        self.part, self.size, self.seed, self.rank, self.world = part, size, seed, rank, world
        self.epoch = 0
        self.read_ahead = part.samples.on_disk
        starts = list(range(0, len(part), size))
        if len(starts) > 1 and len(part) - starts[-1] == 1:
            starts.pop()
        self._bounds = list(zip(starts, [*starts[1:], len(part)], strict=True))
        part.samples.keep(self.BLOCK_BATCHES * size)

    def __len__(self) -> int:
        return len(self._bounds)

    def __iter__(self) -> Iterator[Batch]:
        return _prefetched(self._read()) if self.read_ahead else self._read()

    def _read(self) -> Iterator[Batch]:
        part = self.part
        for size, share, counted in self._shares():
            index = torch.from_numpy(share)
            weights = part.weights[index]
            weights[counted:] = 0.0
            yield part.samples.take(part.rows[share]), part.targets[index], weights, size

    def rows(self) -> Iterator[Rows]:
        """Numbers of the samples of every batch, as they are dealt out in this epoch."""
        for _, share, _ in self._shares():
            yield self.part.rows[share]

    def _shares(self) -> Iterator[tuple[int, Rows, int]]:
        """Of each batch its size, the positions in the part that are dealt out here, and how many of them count."""
        order = self.order()
        for start, stop in self._bounds:
            batch = order[start:stop]
            share = batch[self.rank :: self.world]
            counted = len(share)
            if self.world > 1 and counted < 2:  # a process keeps in step, and batch normalisation works on two
                others = np.roll(batch, -self.rank - 1)
                share = np.resize(np.concatenate([share, others]), 2)
            yield stop - start, share, counted

    def order(self) -> Rows:
        """Positions within the part, in the order of this epoch."""
        n, chunk = len(self.part), self.part.samples.chunk
        if self.seed is None:
            return np.arange(n)
        rng = np.random.default_rng([self.seed, self.epoch])
        if chunk == 1:
            return rng.permutation(n)
        edges = np.flatnonzero(np.diff(self.part.rows // chunk)) + 1
        by_chunk = np.split(np.arange(n), edges)
        blocks: list[Rows] = []
        held: list[Rows] = []
        for index in rng.permutation(len(by_chunk)):
            held.append(by_chunk[index])
            if sum(map(len, held)) >= self.BLOCK_BATCHES * self.size:
                blocks.append(rng.permutation(np.concatenate(held)))
                held = []
        return np.concatenate([*blocks, rng.permutation(np.concatenate([*held, np.arange(0)]))])


def _prefetched(batches: Iterator[Batch]) -> Iterator[Batch]:
    with ThreadPoolExecutor(max_workers=1) as pool:
        coming = pool.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = pool.submit(next, batches, None)
            yield batch
