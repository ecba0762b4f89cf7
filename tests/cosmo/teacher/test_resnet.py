"""Residual networks: torchvision's names, shapes and counts, and published weights that load."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional as f

from awd_cosmo.teacher.resnet import ResNet, ResNet18, ResNet34

BLOCKS = {ResNet18: (2, 2, 2, 2), ResNet34: (3, 4, 6, 3)}


def torchvision_layout(blocks, outputs=1000):
    """Names and shapes of the state of torchvision's resnet18 and resnet34, in its order."""

    def norm(name, n):
        shapes = {"weight": (n,), "bias": (n,), "running_mean": (n,), "running_var": (n,), "num_batches_tracked": ()}
        return {f"{name}.{part}": shape for part, shape in shapes.items()}

    layout = {"conv1.weight": (64, 3, 7, 7)} | norm("bn1", 64)
    before = 64
    for stage, count in enumerate(blocks):
        n = 64 * 2**stage
        for block in range(count):
            name = f"layer{stage + 1}.{block}"
            layout |= {f"{name}.conv1.weight": (n, before, 3, 3)} | norm(f"{name}.bn1", n)
            layout |= {f"{name}.conv2.weight": (n, n, 3, 3)} | norm(f"{name}.bn2", n)
            if stage > 0 and block == 0:
                layout |= {f"{name}.downsample.0.weight": (n, before, 1, 1)} | norm(f"{name}.downsample.1", n)
            before = n
    return layout | {"fc.weight": (outputs, 512), "fc.bias": (outputs,)}


def drawn(layout, seed=0):
    """Tensors of that layout, as they might be published."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.zeros((), dtype=torch.int64)
        if name.endswith("tracked")
        else 0.1 + torch.rand(shape, generator=generator)
        for name, shape in layout.items()
    }


@pytest.mark.parametrize(("network", "parameters"), [(ResNet18, 11_689_512), (ResNet34, 21_797_672)])
def test_names_shapes_and_counts_are_torchvisions(network, parameters):
    model = network(in_channels=3, outputs=1000)
    layout = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    assert list(layout.items()) == list(torchvision_layout(BLOCKS[network]).items())
    assert sum(p.numel() for p in model.parameters()) == parameters


def test_narrow_networks_have_the_same_names():
    for options in ({"width": 4}, {"width": 4, "small_input": True, "outputs": 3}):
        assert list(ResNet18(**options).state_dict()) == list(torchvision_layout(BLOCKS[ResNet18]))
    assert ResNet18(width=4).conv1.weight.shape == (4, 1, 7, 7)
    assert ResNet18(width=4, small_input=True).conv1.weight.shape == (4, 1, 3, 3)
    assert ResNet18(width=4, outputs=3).fc.weight.shape == (3, 32)


@pytest.mark.parametrize("shape", [(1, 1), (5, 9), (33, 32), (64, 64)])
@pytest.mark.parametrize("small_input", [False, True])
def test_maps_of_any_size(shape, small_input):
    network = ResNet18(width=2, outputs=2, small_input=small_input).eval()
    assert network(torch.ones(3, 1, *shape)).shape == (3, 2)


def test_coarsening_of_the_stems():
    seen = {}
    for small_input in (False, True):
        network = ResNet18(width=2, small_input=small_input).eval()
        network.layer1.register_forward_pre_hook(lambda _, x, key=small_input: seen.update({key: x[0].shape[-2:]}))
        network.layer4.register_forward_hook(lambda _, x, y, key=small_input: seen.update({(key, 4): y.shape[-2:]}))
        network(torch.ones(1, 1, 64, 96))
    assert seen == {False: (16, 24), (False, 4): (2, 3), True: (64, 96), (True, 4): (8, 12)}


def test_forward_is_the_equation_of_a_residual_network():
    """The whole network by hand, from its tensors alone: what torchvision computes with the same weights."""
    torch.manual_seed(0)
    network = ResNet34(in_channels=2, outputs=3, width=2).double().eval()
    state = {name: torch.rand_like(t) + 0.2 if t.is_floating_point() else t for name, t in network.state_dict().items()}
    network.load_state_dict(state)
    x = torch.randn(2, 2, 40, 36, dtype=torch.float64, generator=torch.Generator().manual_seed(1))

    def norm(x, name):
        mean, var, weight, bias = (
            state[f"{name}.{part}"][:, None, None] for part in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / torch.sqrt(var + 1e-5) * weight + bias

    out = f.conv2d(x, state["conv1.weight"], stride=2, padding=3)
    out = f.max_pool2d(norm(out, "bn1").relu(), 3, 2, 1)
    for stage, count in enumerate(BLOCKS[ResNet34]):
        for block in range(count):
            name, stride = f"layer{stage + 1}.{block}", 2 if stage > 0 and block == 0 else 1
            inner = norm(f.conv2d(out, state[f"{name}.conv1.weight"], stride=stride, padding=1), f"{name}.bn1").relu()
            inner = norm(f.conv2d(inner, state[f"{name}.conv2.weight"], padding=1), f"{name}.bn2")
            if stride == 2:
                out = norm(f.conv2d(out, state[f"{name}.downsample.0.weight"], stride=2), f"{name}.downsample.1")
            out = (inner + out).relu()
    expected = out.mean(dim=(2, 3)) @ state["fc.weight"].T + state["fc.bias"]
    # float64, some 70 layers of positive sums: rounding only
    torch.testing.assert_close(network(x), expected, rtol=1e-11, atol=0)


@pytest.mark.parametrize("width", [4, 8, 12, 16])
@pytest.mark.parametrize("small_input", [False, True])
def test_float32_agrees_with_float64(width, small_input):
    """Few channels have convolutions of their own in oneDNN; without the kinks of ReLU rounding stays rounding."""
    torch.manual_seed(0)
    network = ResNet18(width=width, small_input=small_input)
    for name, _ in list(network.named_modules()):
        if name.endswith("relu"):
            network.set_submodule(name, torch.nn.Softplus())
    x = torch.randn(4, 1, 40, 40)
    found, expected = differentiated(network, x), differentiated(deepcopy(network).double(), x.double())
    for name, gradient in expected.items():
        error = float((found[name] - gradient).norm() / gradient.norm())
        assert error < 1e-3, name


def differentiated(network, x):
    """Gradients of a loss into maps and weights, by name."""
    network.zero_grad()
    x = x.clone().requires_grad_()
    (network(x) ** 2).mean().backward()
    return {"x": x.grad} | {name: parameter.grad for name, parameter in network.named_parameters()}


def test_function_transforms_see_the_same_network():
    network = ResNet18(width=4, small_input=True).eval()
    x = torch.randn(3, 1, 12, 12)
    expected = network(x)[:, 0]
    torch.testing.assert_close(torch.vmap(lambda one: network(one[None])[0, 0])(x), expected)
    x.requires_grad_()
    (gradients,) = torch.autograd.grad(network(x).sum(), x)
    found = torch.vmap(torch.func.grad(lambda one: network(one[None]).sum()))(x.detach())
    torch.testing.assert_close(found, gradients)


def test_first_weights():
    torch.manual_seed(0)
    network = ResNet18(width=32, zero_init_residual=True)
    weight = network.layer3[0].conv2.weight
    # He's normal weights, fan out: variance 2 / (9 · 128); 147,456 draws fix the deviation to 0.2 %
    assert float(weight.detach().std()) == pytest.approx((2 / (9 * 128)) ** 0.5, rel=0.01)
    assert not any(network.layer1[i].bn2.weight.any() for i in (0, 1))
    assert (ResNet18(width=4).layer1[0].bn2.weight == 1).all()
    # every block is its shortcut: a stage without a change of shape then leaves what is not negative as it is
    x = torch.rand(2, 32, 8, 8)
    torch.testing.assert_close(network.eval().layer1(x), x, rtol=0, atol=0)


def test_published_weights_load(tmp_path):
    published = drawn(torchvision_layout(BLOCKS[ResNet18]))
    save_file(published, tmp_path / "resnet18.safetensors")
    network = ResNet18(outputs=2)
    before = network.fc.weight.detach().clone()
    report = network.load_torchvision(tmp_path / "resnet18.safetensors")
    state = network.state_dict()
    torch.testing.assert_close(state["conv1.weight"], published["conv1.weight"].sum(1, keepdim=True), rtol=0, atol=0)
    torch.testing.assert_close(state["layer4.1.bn2.running_var"], published["layer4.1.bn2.running_var"], rtol=0, atol=0)
    assert torch.equal(network.fc.weight, before)
    assert set(report.left_out) == {"fc.weight", "fc.bias"}
    assert list(report.changed) == ["conv1.weight"]
    assert str(report).splitlines() == [
        "120 of 122 tensors loaded",
        "  conv1.weight: summed over 3 channels, for 1 of this network",
        "  fc.weight was not loaded: it is (1000, 512) in the file, (2, 512) here",
        "  fc.bias was not loaded: it is (1000,) in the file, (2,) here",
    ]


def test_a_map_in_all_three_colours_gives_the_same_response(tmp_path):
    whole = ResNet18(in_channels=3, outputs=1000).eval()
    save_file(whole.state_dict(), tmp_path / "w.safetensors")
    x = torch.randn(2, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    expected = whole(x.expand(-1, 3, -1, -1))
    for channels in (1, 2, 3):
        network = ResNet18(in_channels=channels, outputs=1000).eval()
        report = network.load_torchvision(tmp_path / "w.safetensors")
        assert not report.left_out
        # float32 in another order of sums
        torch.testing.assert_close(network(x.expand(-1, channels, -1, -1)), expected, rtol=1e-3, atol=1e-4)


def test_small_stem_leaves_the_first_convolution_out(tmp_path):
    published = drawn(torchvision_layout(BLOCKS[ResNet18]))
    old = {name: tensor for name, tensor in published.items() if not name.endswith("tracked")}
    save_file(old, tmp_path / "old.safetensors")
    network = ResNet18(small_input=True, outputs=1000)
    report = network.load_torchvision(tmp_path / "old.safetensors")
    said = {name: why for name, why in report.left_out.items() if not name.endswith("tracked")}
    assert said == {"conv1.weight": "it is (64, 3, 7, 7) in the file, (64, 1, 3, 3) here"}
    assert sum(name.endswith("tracked") for name in report.left_out) == 20
    torch.testing.assert_close(network.fc.weight, published["fc.weight"], rtol=0, atol=0)


def test_other_files_are_refused_and_change_nothing(tmp_path):
    eighteen = drawn(torchvision_layout(BLOCKS[ResNet18]))
    save_file(eighteen, tmp_path / "18.safetensors")
    (tmp_path / "resnet18.pth").write_bytes(b"PK\x03\x04" + bytes(200))
    deeper, narrow = ResNet34(), ResNet18(width=8)
    before = {name: tensor.clone() for name, tensor in deeper.state_dict().items()}
    with pytest.raises(ValueError, match=r"holds another network: \d+ tensors such as layer1.2.bn1.bias are not in"):
        deeper.load_torchvision(tmp_path / "18.safetensors")
    assert all(torch.equal(tensor, before[name]) for name, tensor in deeper.state_dict().items())
    with pytest.raises(ValueError, match=r"conv1.weight is \(64, 3, 7, 7\) .* and \(8, 1, 7, 7\) .*fit width=64"):
        narrow.load_torchvision(tmp_path / "18.safetensors")
    save_file(eighteen | {"layer1.0.conv3.weight": torch.ones(1)}, tmp_path / "50.safetensors")
    with pytest.raises(ValueError, match=r"tensors such as layer1.0.conv3.weight are not in this network"):
        ResNet18().load_torchvision(tmp_path / "50.safetensors")
    with pytest.raises(ValueError, match=r"no whole safetensors file .* Pickles .* are not read here"):
        ResNet18().load_torchvision(tmp_path / "resnet18.pth")
    with pytest.raises(FileNotFoundError, match="there is no file"):
        ResNet18().load_torchvision(tmp_path / "none.safetensors")


def test_bad_arguments():
    with pytest.raises(ValueError, match="1 or more; got width=0"):
        ResNet18(width=0)
    with pytest.raises(ValueError, match="four stages of one block or more; got"):
        ResNet((2, 2, 2))
    with pytest.raises(ValueError, match=r"takes maps of shape \(n, 1, ny, nx\); got \(2, 3, 8, 8\)"):
        ResNet18(width=2)(torch.ones(2, 3, 8, 8))
    with pytest.raises(ValueError, match=r"got \(2, 8, 8\)"):
        ResNet18(width=2)(torch.from_numpy(np.ones((2, 8, 8), np.float32)))
