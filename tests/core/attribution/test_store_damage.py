"""A store whose disk has lost something: what is not there or cannot be read is asked for again."""

from pathlib import Path

import numpy as np
import pytest
import torch
import zarr
from torch import Tensor, nn

from awd_core.attribution.gradients import input_gradients


class Counted(nn.Module):
    """A small teacher that counts its calls; of negative inputs alone it knows nothing."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 1)).double()
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return self.layers(x.clamp(min=0))


def harmed(chunk: Path, how: str) -> None:
    """Lose a chunk, or a part of it."""
    data = chunk.read_bytes()
    if how == "gone":
        chunk.unlink()
    else:
        chunk.write_bytes({"empty": b"", "short": data[: len(data) // 2], "other": b"x" * len(data)}[how])


def inputs() -> np.ndarray:
    """Eleven samples, of which the third batch has no gradient."""
    x = np.random.default_rng(0).normal(size=(11, 5))
    x[4:6] = -1.0
    return x


HARMS = ("gone", "empty", "short", "other")


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("how", HARMS)
def test_a_chunk_that_is_lost_is_asked_for_again(tmp_path: Path, how: str, workers: int) -> None:
    model, x, out = Counted(), inputs(), tmp_path / "g.zarr"
    expected = input_gradients(model, x, batch_size=2)
    input_gradients(model, x, batch_size=2, out=out)
    for batch in (1, 2, 5):  # one among others, one of zeros, the last, which is shorter
        harmed(out / "gradients" / "c" / str(batch) / "0", how)
    model.calls = 0
    found = input_gradients(model, x, batch_size=2, out=out, workers=workers)
    np.testing.assert_array_equal(found[:], expected)
    if workers == 1:
        assert model.calls == 1 + 3  # a look at the first samples, and what was lost
        input_gradients(model, x, batch_size=2, out=out)
        assert model.calls == 2 + 3


def test_a_lost_chunk_reads_as_nan_and_one_of_zeros_is_there(tmp_path: Path) -> None:
    out = tmp_path / "g.zarr"
    found = input_gradients(Counted(), inputs(), batch_size=2, out=out)
    assert (out / "gradients" / "c" / "2" / "0").exists()
    assert not found[4:6].any()
    harmed(out / "gradients" / "c" / "0" / "0", "gone")
    assert np.isnan(zarr.open_group(out, mode="r")["gradients"][:2]).all()


@pytest.mark.parametrize("how", HARMS)
def test_stores_of_before_in_which_what_is_lost_reads_as_zeros_heal_too(tmp_path: Path, how: str) -> None:
    model, x, out = Counted(), inputs(), tmp_path / "g.zarr"
    expected = input_gradients(model, x, batch_size=2, out=out)[:]
    description = out / "gradients" / "zarr.json"
    text = description.read_text(encoding="utf-8")
    assert text.count('"fill_value": "NaN"') == 1
    description.write_text(text.replace('"fill_value": "NaN"', '"fill_value": 0.0'), encoding="utf-8")
    (out / "gradients" / "c" / "2" / "0").unlink()  # zeros were left out
    harmed(out / "gradients" / "c" / "1" / "0", how)
    np.testing.assert_array_equal(input_gradients(model, x, batch_size=2, out=out)[:], expected)


@pytest.mark.parametrize("how", ["empty", "short", "other"])
@pytest.mark.parametrize("file", ["zarr.json", "gradients/zarr.json", "completed/zarr.json"])
def test_a_description_that_is_damaged_is_said(tmp_path: Path, file: str, how: str) -> None:
    out = tmp_path / "g.zarr"
    input_gradients(Counted(), inputs(), batch_size=2, out=out)
    harmed(out / file, how)
    with pytest.raises(ValueError, match=r"g\.zarr is damaged \(.*\): delete it, and the gradients are made again"):
        input_gradients(Counted(), inputs(), batch_size=2, out=out)


@pytest.mark.parametrize("how", ["gone", "empty"])
def test_a_mark_that_is_lost_means_that_its_batch_is_asked_for_again(tmp_path: Path, how: str) -> None:
    model, x, out = Counted(), inputs(), tmp_path / "g.zarr"
    expected = input_gradients(model, x, batch_size=2, out=out)[:]
    harmed(out / "completed" / "c" / "1", how)
    np.testing.assert_array_equal(input_gradients(model, x, batch_size=2, out=out)[:], expected)


def test_what_zarr_was_writing_when_it_was_killed_is_cleared_away(tmp_path: Path) -> None:
    model, x, out = Counted(), inputs(), tmp_path / "g.zarr"
    input_gradients(model, x, batch_size=2, out=out)
    for place in ("completed/c", "gradients/c"):
        (out / place / f"1.{'0a' * 16}.partial").write_bytes(b"half")
    input_gradients(model, x, batch_size=2, out=out)
    assert not list(out.rglob("*.partial"))
