"""Samples from memory and from disk: the same values, each read once, in an order that the seed alone sets."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import zarr
from scipy.sparse import csr_array

from awd_core.teacher.samples import Batches, Part, Samples, split, statistics_of

RNG = np.random.default_rng(5)
MAPS = RNG.normal(3.0, 2.0, size=(103, 4, 6)).astype(np.float32)


class Counting:
    """A zarr array that counts how often each of its rows is read."""

    def __init__(self, array: Any) -> None:
        self.array, self.reads = array, np.zeros(array.shape[0], dtype=int)
        self.shape, self.dtype, self.ndim, self.chunks = array.shape, array.dtype, array.ndim, array.chunks

    def __getitem__(self, rows: slice) -> Any:
        self.reads[rows] += 1
        return self.array[rows]


def on_disk(tmp_path: Path, chunk: int) -> Any:
    return zarr.create_array(tmp_path / f"{chunk}.zarr", data=MAPS, chunks=(chunk, 4, 6))


def part_of(samples: Samples, rows: np.ndarray | None = None) -> Part:
    rows = np.arange(len(samples)) if rows is None else rows
    return Part(samples, rows, torch.arange(len(rows)), torch.ones(len(rows)))


@pytest.mark.parametrize("chunk", [1, 7, 200])
def test_arrays_on_disk_give_what_memory_gives(tmp_path: Path, chunk: int) -> None:
    expected = Samples(MAPS)
    rows = RNG.permutation(103)[:50]
    for array in (on_disk(tmp_path, chunk), torch.tensor(MAPS)):
        samples = Samples(array)
        assert torch.equal(samples.take(rows), expected.take(rows))
        for scaling in ("none", "global", "feature"):
            found, wanted = statistics_of(samples, rows, scaling), statistics_of(expected, rows, scaling)
            assert found.digest == wanted.digest
            np.testing.assert_allclose(found.mean, wanted.mean, rtol=1e-14)
            np.testing.assert_allclose(found.sd, wanted.sd, rtol=1e-14)


@pytest.mark.parametrize(
    ("dtype", "read"),
    [(">f4", "f4"), (">f8", "f8"), ("u2", "f4"), ("i4", "f8"), ("?", "f4"), ("f2", "f4"), ("longdouble", "f8")],
)
def test_types_become_native_floats_that_hold_the_values(dtype: str, read: str) -> None:
    array = RNG.integers(0, 2, size=(5, 3)).astype(dtype)
    taken = Samples(array).take(np.array([3, 0])).numpy()
    assert taken.dtype == np.dtype(read)
    np.testing.assert_array_equal(taken, array[[3, 0]].astype(float))


def test_bfloat16_tensors_are_read() -> None:
    tensor = torch.tensor([[1.5, 2.0]], dtype=torch.bfloat16, requires_grad=True)
    assert Samples(tensor).take(np.array([0])).tolist() == [[1.5, 2.0]]


def test_moments_are_those_of_the_training_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("awd_core.teacher.samples.SURVEY_BYTES", 8 * 24 * 10)  # pieces of ten samples
    x = RNG.normal(size=(103, 4, 6)) * 1e-3 + 1e4
    x[60:] = 1e9  # not among the rows
    rows = np.arange(0, 60, 2)
    found = statistics_of(Samples(x), rows, "feature")
    np.testing.assert_allclose(found.mean, x[rows].mean(axis=0), rtol=1e-15)
    # numpy's own two passes lose no digits; the offset of 1e4 with a deviation of 1e-3 leaves nine of them
    np.testing.assert_allclose(found.sd, x[rows].std(axis=0), rtol=1e-8)
    found = statistics_of(Samples(x), rows, "global")
    np.testing.assert_allclose([found.mean, found.sd], [x[rows].mean(), x[rows].std()], rtol=1e-8)


def test_the_deviation_of_a_constant_is_exactly_zero() -> None:
    x = np.full((1000, 3), 0.1)
    x[:, 1] = np.linspace(0, 1, 1000)
    x[:, 2] = np.where(np.arange(1000) % 2, 0.3, 0.1 + 0.2)  # the same up to rounding
    assert (statistics_of(Samples(x), None, "feature").sd == 0).tolist() == [True, False, True]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_the_deviation_of_a_constant_that_was_calculated_is_zero(dtype: type) -> None:
    """Values of which some are the next number up; what varies by more than a few last digits is kept."""
    step = np.finfo(dtype).eps
    rows = np.full((50, 3), 0.7, dtype)
    rows[::3, 0] = np.nextafter(rows[0, 0], dtype(1))
    rows[::2, 1] *= dtype(1 + 50 * step)
    found = statistics_of(Samples(rows), scaling="feature").sd
    assert (found == 0).tolist() == [True, False, True]


def test_the_digest_sees_values_shape_and_type() -> None:
    changed = MAPS.copy()
    changed[50, 1, 1] += 1e-6
    others = [changed, MAPS.reshape(103, 24), MAPS.astype(float), MAPS[:-1], MAPS[::-1]]
    digests = {statistics_of(Samples(x)).digest for x in [MAPS, *others]}
    assert len(digests) == 6
    assert statistics_of(Samples(MAPS.copy(order="F"))).digest in digests


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_named(tmp_path: Path, bad: float) -> None:
    x = MAPS.copy()
    x[71, 2, 3] = x[90, 0, 0] = bad
    for array in (x, zarr.create_array(tmp_path / "bad.zarr", data=x, chunks=(10, 4, 6))):
        with pytest.raises(ValueError, match="validation X has a NaN or an infinity, first at sample 71"):
            statistics_of(Samples(array, "validation X"))


@pytest.mark.parametrize(
    ("array", "error", "message"),
    [
        (np.array(["a"]), TypeError, "X has to hold real numbers; got elements of type <U1"),
        (
            np.ones(3, dtype=complex),
            ValueError,
            "Complex data not supported: X has to .* got elements of type complex128",
        ),
        (np.array(3.0), ValueError, r"shape \(n, …\) with no empty axis; got \(\)"),
        (np.ones((0, 3)), ValueError, r"got \(0, 3\)"),
        (np.ones((3, 0)), ValueError, r"0 feature\(s\) \(shape=\(3, 0\)\) while a minimum of 1 is required"),
        (
            np.array([[1.0, {}]], dtype=object),
            TypeError,
            "X has to hold real numbers; got objects that are none: .*dict",
        ),
        (csr_array(np.eye(2)), TypeError, r"X is sparse \(csr_array\), which is not supported: give X.toarray\(\)"),
    ],
)
def test_what_no_samples_can_be(array: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Samples(array)


def test_split() -> None:
    training, held = split(103, 0.2, np.random.default_rng(0))
    assert len(held) == 21
    assert sorted([*training, *held]) == list(range(103))
    labels = np.repeat([0, 1, 2, 3], [60, 30, 2, 1])
    training, held = split(93, 0.1, np.random.default_rng(0), labels)
    assert np.bincount(labels[held]).tolist() == [6, 3, 1]
    assert np.unique(labels[training]).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("chunk", [None, 1, 7, 200])
def test_an_epoch_has_every_sample_once_in_an_order_of_its_own(tmp_path: Path, chunk: int | None) -> None:
    samples = Samples(MAPS if chunk is None else on_disk(tmp_path, chunk))
    rows = np.setdiff1d(np.arange(103), np.arange(5, 103, 9))
    part = part_of(samples, rows)
    orders = []
    for seed, epoch in [(1, 0), (1, 0), (1, 1), (2, 0)]:
        batches = Batches(part, 8, seed)
        batches.epoch = epoch
        read = list(batches)
        orders.append(np.concatenate([targets for _, targets, _, _ in read]).tolist())
        assert [n for *_, n in read] == [8] * 11 + [4]
        assert len(read) == len(batches)
        for x, targets, _, _ in read:
            assert torch.equal(x, torch.from_numpy(MAPS[rows[targets.numpy()]]))
    assert sorted(orders[0]) == list(range(len(rows)))
    assert orders[0] == orders[1]
    assert orders[0] not in (orders[2], orders[3], sorted(orders[0]))


def test_a_chunk_is_read_once_an_epoch(tmp_path: Path) -> None:
    samples = Samples(on_disk(tmp_path, 10))
    counting = Counting(samples.array)
    samples.array = counting
    batches = Batches(part_of(samples), 2, seed=3)  # blocks of 32 samples, four chunks, of eleven
    assert len(list(batches)) == 52 - 1  # the hundred and third sample joined the batch before it
    assert counting.reads.max() == 1
    assert len(samples._cache) < 11


def test_a_single_sample_left_over_joins_the_batch_before() -> None:
    assert [n for *_, n in Batches(part_of(Samples(MAPS[:9])), 4)] == [4, 5]
    assert [n for *_, n in Batches(part_of(Samples(MAPS[:10])), 4)] == [4, 4, 2]
    assert [n for *_, n in Batches(part_of(Samples(MAPS[:3])), 1)] == [1, 2]
    assert [n for *_, n in Batches(part_of(Samples(MAPS[:1])), 4)] == [1]


def test_processes_share_each_batch() -> None:
    whole = list(Batches(part_of(Samples(MAPS[:10])), 8, seed=1))
    shares = [list(Batches(part_of(Samples(MAPS[:10])), 8, seed=1, rank=rank, world=3)) for rank in range(3)]
    for step, (_, targets, _, n) in enumerate(whole):
        dealt = [share[step] for share in shares]
        counted = torch.cat([t[w > 0] for _, t, w, _ in dealt])
        assert sorted(counted.tolist()) == sorted(targets.tolist())
        assert {m for *_, m in dealt} == {n}
        assert all(len(x) for x, *_ in dealt)  # a network can't take an empty batch


@pytest.mark.parametrize("world", [2, 3, 5])
@pytest.mark.parametrize("n", range(2, 14))
def test_no_process_is_given_a_single_sample(n: int, world: int) -> None:
    """And what counts is every sample once, whatever is put beside it."""
    part = part_of(Samples(MAPS[:n]))
    for size in (1, 2, 4, 8):
        dealt = [list(Batches(part, size, seed=1, rank=rank, world=world)) for rank in range(world)]
        assert len({len(batches) for batches in dealt}) == 1
        assert min(len(x) for batches in dealt for x, *_ in batches) >= 2
        weights = torch.cat([w for batches in dealt for *_, w, _ in batches])
        counted = torch.cat([x.flatten(1) for batches in dealt for x, *_ in batches])[weights > 0]
        expected = np.sort(MAPS[:n].reshape(n, -1).astype(counted.numpy().dtype), axis=0)
        np.testing.assert_array_equal(np.sort(counted.numpy(), axis=0), expected)
        assert float(weights.sum()) == pytest.approx(float(part.weights.sum()))


def test_an_error_while_reading_ahead_reaches_the_caller(tmp_path: Path) -> None:
    samples = Samples(on_disk(tmp_path, 10))
    samples.array = Counting(samples.array)
    samples.array.array = None
    with pytest.raises(TypeError, match="not subscriptable"):
        list(Batches(part_of(samples), 8, seed=1))
