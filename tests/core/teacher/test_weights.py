"""Files of weights: what comes back is what went in; pickles, foreign and damaged files are refused with a reason."""

import doctest
import importlib
import re
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from awd_core.teacher.networks import MLP, Standardised
from awd_core.teacher.weights import as_json, factory_name, load_module, load_tensors, resolve_factory, save_tensors

NAME = "awd_core.teacher.networks:MLP"


class Tied(nn.Module):
    """Two layers that share one weight, and a counter."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(3, 3), nn.Linear(3, 3)
        self.second.weight = self.first.weight
        self.register_buffer("count", torch.tensor(7))


def test_tensors_and_document_come_back(tmp_path: Path) -> None:
    tensors = {
        "tied": nn.Parameter(torch.randn(3, 2, generator=torch.Generator().manual_seed(0))),
        "strided": torch.arange(6.0).reshape(2, 3).T,
        "scalar": torch.tensor(2.5, dtype=torch.float64),
        "empty": torch.zeros(0, 4),
        "small": torch.tensor([1.5, -2.0], dtype=torch.bfloat16),
        "flag": torch.tensor([True, False]),
    }
    save_tensors(tmp_path / "a.safetensors", tensors, {"x": [1, 0.1, None, "Ω_m"]}, "test")
    found, document = load_tensors(tmp_path / "a.safetensors", "test")
    assert document == {"x": [1, 0.1, None, "Ω_m"]}
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor)
    assert [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]


def test_tied_weights_can_be_saved(tmp_path: Path) -> None:
    save_tensors(tmp_path / "a", Tied().state_dict(), {}, "test")
    found, _ = load_tensors(tmp_path / "a", "test")
    assert torch.equal(found["first.weight"], found["second.weight"])
    assert found["count"] == 7


def test_an_interrupted_write_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.safetensors"
    save_tensors(path, {"x": torch.zeros(3)}, {"n": 1}, "test")
    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError("the machine stops here")))
        with pytest.raises(OSError, match="stops here"):
            save_tensors(path, {"x": torch.ones(3)}, {"n": 2}, "test")
    tensors, document = load_tensors(path, "test")
    assert (document, tensors["x"].sum()) == ({"n": 1}, 0)
    save_tensors(path, {"x": torch.ones(3)}, {"n": 3}, "test")  # what was left beside is no obstacle
    assert load_tensors(path, "test")[1] == {"n": 3}


@pytest.mark.parametrize("where", ["header", "tensor", "document"])
def test_altered_and_cut_files_are_refused(tmp_path: Path, where: str) -> None:
    path = tmp_path / "a.safetensors"
    save_tensors(path, {"x": torch.ones(64)}, {"losses": [0.25, 0.125]}, "test")
    content = bytearray(path.read_bytes())
    position = {"header": 20, "tensor": len(content) - 2, "document": content.index(b"0.125") + 4}[where]
    path.write_bytes(content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :])
    with pytest.raises(ValueError, match=r"a\.safetensors is damaged"):
        load_tensors(path, "test")
    for length in (0, 5, 40, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match=r"a\.safetensors is damaged, cut short, or no safetensors file"):
            load_tensors(path, "test")


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    bare, other, newer = tmp_path / "bare", tmp_path / "other", tmp_path / "newer"
    save_file({"x": torch.ones(2)}, bare)
    with pytest.raises(ValueError, match=r"no teacher of this package: its header lacks .*load_module"):
        load_tensors(bare, "teacher")
    save_tensors(other, {"x": torch.ones(2)}, {}, "training checkpoint")
    with pytest.raises(ValueError, match="holds a training checkpoint, not a teacher"):
        load_tensors(other, "teacher")
    save_file(
        {"x": torch.ones(2)},
        newer,
        metadata={"awd": '{"version": 99, "kind": "teacher", "document": {}, "sha256": ""}'},
    )
    with pytest.raises(ValueError, match="format version 99; this awd-core reads up to 1"):
        load_tensors(newer, "teacher")
    save_file({"x": torch.ones(2)}, newer, metadata={"awd": "[]"})
    with pytest.raises(ValueError, match="is damaged"):
        load_tensors(newer, "teacher")
    with pytest.raises(FileNotFoundError, match="there is no file"):
        load_tensors(tmp_path / "none", "teacher")


def test_what_no_file_can_hold(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="the entry 'x' is int; a safetensors file holds tensors only"):
        save_tensors(tmp_path / "a", {"x": 3}, {}, "test")  # type: ignore[dict-item]
    with pytest.raises(TypeError, match=r"this teacher can't be saved: <class 'torch.nn.*ReLU'> is neither"):
        as_json({"activation": nn.ReLU}, "this teacher")
    assert as_json({"a": (1, np.int64(2)), "b": np.arange(2.0)}, "x") == {"a": [1, 2], "b": [0.0, 1.0]}


def test_load_module_fills_the_module(tmp_path: Path) -> None:
    torch.manual_seed(0)
    mlp = MLP(6, hidden=(4,), n_out=2)
    save_file(mlp.state_dict(), tmp_path / "mlp.safetensors")
    found = load_module(NAME, weights=tmp_path / "mlp.safetensors", n_in=6, hidden=[4], n_out=2)
    x = torch.randn(5, 2, 3)
    assert torch.equal(found(x), mlp(x))
    assert not found.training


@pytest.mark.parametrize("prefix", ["module.", "model.", "_orig_mod.", "model._orig_mod.module."])
@pytest.mark.parametrize("more", [{}, {"criterion.weight": torch.ones(2)}])
def test_names_that_a_wrapper_changed_are_read(tmp_path: Path, prefix: str, more: dict[str, torch.Tensor]) -> None:
    mlp = MLP(6, hidden=(4,), n_out=2)
    file = tmp_path / "mlp.safetensors"
    save_file({prefix + name: tensor for name, tensor in mlp.state_dict().items()} | more, file)
    with pytest.warns(UserWarning, match=f"begin with '{re.escape(prefix)}'.*{'left out.*criterion' if more else ''}"):
        found = load_module(NAME, weights=file, n_in=6, hidden=[4], n_out=2)
    x = torch.randn(5, 2, 3)
    assert torch.equal(found(x), mlp.eval()(x))
    with pytest.raises(ValueError, match="missing in the file"):
        load_module(NAME, weights=file, n_in=6, hidden=[4, 4], n_out=2)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("awd_core.teacher.networks", "a factory is named 'package.module:name'"),
        ("awd_core.teacher.networks:os.system", "a factory is named 'package.module:name'"),
        ("no_such_package.nets:Net", r"no module 'no_such_package'.*PYTHONPATH"),
        ("awd_core.no_such_module:Net", r"no module 'awd_core.no_such_module'"),
        ("awd_core.teacher.networks:Resnet", "no class or function 'Resnet'; it has MLP, Standardised"),
        ("awd_core.teacher.networks:ACTIVATIONS", "no class or function 'ACTIVATIONS'"),
    ],
)
def test_names_of_factories(tmp_path: Path, name: str, message: str) -> None:
    save_file({}, tmp_path / "a.safetensors")
    with pytest.raises(ValueError, match=message):
        load_module(name, weights=tmp_path / "a.safetensors")


def test_a_module_that_lacks_something_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "needs_more.py").write_text("import not_installed_here\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match=r"importing 'needs_more' .* failed: No module named 'not_installed_here'"):
        resolve_factory("needs_more:net")


def test_what_a_factory_returns(tmp_path: Path) -> None:
    save_file({}, tmp_path / "a.safetensors")
    with pytest.raises(TypeError, match=r"time:time returned float; it has to return a torch\.nn\.Module"):
        load_module("time:time", weights=tmp_path / "a.safetensors", **{})
    assert factory_name(MLP) == NAME
    assert resolve_factory(NAME) is MLP


def test_weights_that_do_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "mlp.safetensors"
    save_file(MLP(6, hidden=(4,)).state_dict(), path)
    with pytest.raises(
        ValueError, match=r"shapes differ: layers.0.weight is \(4, 6\) in the file, \(4, 5\) in the module"
    ):
        load_module(NAME, weights=path, n_in=5, hidden=(4,))
    with pytest.raises(ValueError, match=r"unknown to the module: layers.2.bias, layers.2.weight; shapes differ"):
        load_module(NAME, weights=path, n_in=6, hidden=())
    with pytest.raises(ValueError, match=r"missing in the file: layers.4.bias, layers.4.weight"):
        load_module(NAME, weights=path, n_in=6, hidden=(4, 4))


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_is_not_read_and_can_be_converted(tmp_path: Path, zipped: bool) -> None:
    mlp, path = MLP(6, hidden=(4,)), tmp_path / "mlp.pt"
    torch.save(mlp.state_dict(), path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(ValueError, match="is a pickle") as caught:
        load_module(NAME, weights=path, n_in=6, hidden=(4,))
    lines = re.findall(r"^    (.*)$", str(caught.value), flags=re.MULTILINE)
    assert len(lines) == 2
    exec("\n".join(lines), {})  # noqa: S102 - the two lines that the message gives have to work
    found = load_module(NAME, weights=path.with_suffix(".safetensors"), n_in=6, hidden=(4,))
    assert torch.equal(found.state_dict()["layers.0.weight"], mlp.state_dict()["layers.0.weight"])


def test_a_header_length_that_looks_like_a_pickle_is_none(tmp_path: Path) -> None:
    # 0x0280 bytes of header start the file with b"\x80\x02", as a pickle of protocol 2 does.
    header = b'{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'.ljust(0x0280)
    (tmp_path / "a.safetensors").write_bytes(struct.pack("<Q", 0x0280) + header + struct.pack("<f", 2.0))
    assert load_file(tmp_path / "a.safetensors")["x"] == 2
    with pytest.raises(ValueError, match="missing in the file: layers"):
        load_module(NAME, weights=tmp_path / "a.safetensors", n_in=1)


def test_mlp() -> None:
    assert MLP(8, hidden=(), n_out=3)(torch.zeros(2, 2, 4)).shape == (2, 3)
    assert [tuple(p.shape) for p in MLP(8, hidden=(5,), activation="tanh").parameters()] == [(5, 8), (5,), (1, 5), (1,)]
    with pytest.raises(ValueError, match="at least one unit; got n_in=0"):
        MLP(0)
    with pytest.raises(ValueError, match="activation is one of relu, gelu, tanh; got 'sine'"):
        MLP(2, activation="sine")  # type: ignore[arg-type]


def test_standardised_gradients_are_in_the_units_of_the_data() -> None:
    network = MLP(3, hidden=()).double()
    mean, sd = torch.tensor([1e6, 0.0, -2.0]).double(), torch.tensor([1e-3, 2.0, 5.0]).double()
    module = Standardised(network, mean, sd, torch.tensor(4.0).double(), torch.tensor(10.0).double())
    x = (mean + sd * torch.randn(4, 3, dtype=torch.float64)).requires_grad_()
    (gradient,) = torch.autograd.grad(module(x).sum(), x)
    # d/dx of 10 (w · (x − mean)/sd + b) + 4
    torch.testing.assert_close(gradient, (10 * network.layers[0].weight / sd).expand(4, 3), rtol=1e-14, atol=0)
    torch.testing.assert_close(module(x), 10 * network((x - mean) / sd) + 4, rtol=1e-14, atol=0)


def test_a_float64_input_keeps_its_digits_in_a_float32_network() -> None:
    module = Standardised(MLP(1, hidden=()), torch.tensor(1e9), torch.tensor(1.0), torch.tensor(0.0), torch.tensor(1.0))
    x = torch.tensor([[1e9 + 0.25], [1e9 + 0.5]], dtype=torch.float64)
    weight = module.network.layers[0].weight  # type: ignore[union-attr,index]
    torch.testing.assert_close(module(x).diff(dim=0), 0.25 * weight, rtol=1e-6, atol=0)  # type: ignore[operator]


@pytest.mark.parametrize("name", ["weights", "networks", "seeds"])
def test_examples(name: str) -> None:
    result = doctest.testmod(importlib.import_module(f"awd_core.teacher.{name}"))
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize(
    ("kind", "advice"), [("training checkpoint", "Delete it, and what it is of"), ("teacher", "Write")]
)
@pytest.mark.parametrize("harm", [lambda data: b"", lambda data: data[: len(data) // 2], lambda data: data[:-1] + b"?"])
def test_a_damaged_file_is_named_with_what_to_do(tmp_path, harm, kind, advice):
    place = tmp_path / "a.safetensors"
    save_tensors(place, {"w": torch.arange(3.0)}, {"epoch": 1}, kind)
    place.write_bytes(harm(place.read_bytes()))
    with pytest.raises(ValueError, match=rf"a\.safetensors is damaged, cut short, .*\. {advice}"):
        load_tensors(place, kind)
