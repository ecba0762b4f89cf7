"""The multi-level transforms: shapes, reconstruction, adjoints, gradients, compilation, and clear refusals."""

import warnings

import hypothesis.strategies as st
import numpy as np
import pytest
import pywt
import torch
from hypothesis import given, settings
from torch import nn
from torch.autograd import gradcheck, gradgradcheck

from awd_core import MODES, Coefficients, DWT1d, DWT2d, FreeFilter, OrthonormalFilter, Wavelet

DOUBLE = torch.float64
TORCH = tuple(int(part) for part in torch.__version__.split(".")[:2])
pytestmark = pytest.mark.filterwarnings("ignore:.*all coefficients will experience boundary effects:UserWarning")

# Wavelets whose tables in PyWavelets are exact to rounding, so that reconstruction is too.
EXACT = ["haar", "db2", "db3", "db5", "db8", "coif2"]


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape))


def inner(a: Coefficients, b: Coefficients) -> torch.Tensor:
    return torch.stack([(x * y).sum() for x, y in zip(a.tensors(), b.tensors(), strict=True)]).sum()


@settings(max_examples=150, deadline=None)
@given(
    mode=st.sampled_from(MODES),
    angles=st.lists(st.floats(-3, 3), min_size=0, max_size=6),
    levels=st.integers(1, 4),
    front=st.lists(st.integers(1, 3), max_size=3),
    size=st.integers(2, 90),
    seed=st.integers(0, 99),
)
def test_any_orthonormal_filter_reconstructs_any_signal_1d(mode, angles, levels, front, size, seed):
    wavelet = Wavelet.from_angles([np.pi / 4 - sum(angles), *angles])
    if "reflect" in mode and wavelet.length == 2:
        mode = "symmetric"  # two taps bring a signal down to one sample, which cannot be reflected
    dwt = DWT1d(wavelet, levels, mode)
    x = random(*front, size, seed=seed)
    coefficients = dwt(x)
    back = dwt.inverse(coefficients)
    assert back.shape == x.shape
    scale = max(1.0, max(float(band.abs().max()) for band in coefficients))  # smooth extension can be large
    assert float((back - x).abs().max()) < 1e-12 * scale
    if mode == "periodization" and size % 2**levels == 0:
        energy = sum(float(band.square().sum()) for band in coefficients)
        assert energy == pytest.approx(float(x.square().sum()), rel=1e-11)


@settings(max_examples=75, deadline=None)
@given(
    mode=st.sampled_from(MODES),
    names=st.tuples(st.sampled_from(EXACT[1:]), st.sampled_from(EXACT[1:])),
    levels=st.integers(1, 3),
    front=st.lists(st.integers(1, 2), max_size=2),
    shape=st.tuples(st.integers(2, 80), st.integers(2, 80)),
    seed=st.integers(0, 99),
)
def test_reconstructs_any_image(mode, names, levels, front, shape, seed):
    dwt = DWT2d(names, levels, mode)
    x = random(*front, *shape, seed=seed)
    coefficients = dwt(x)
    assert dwt.inverse(coefficients).shape == x.shape
    scale = max(1.0, max(float(band.abs().max()) for band in coefficients.tensors()))
    assert float((dwt.inverse(coefficients) - x).abs().max()) < 1e-11 * scale


@settings(max_examples=60, deadline=None)
@given(
    mode=st.sampled_from(MODES),
    name=st.sampled_from(EXACT[1:]),
    levels=st.integers(1, 4),
    shape=st.tuples(st.integers(2, 70), st.integers(2, 70)),
)
def test_adjoint_of_the_inverse(mode, name, levels, shape):
    for dwt, x in ((DWT1d(name, levels, mode), random(2, shape[0])), (DWT2d(name, levels, mode), random(2, *shape))):
        bands = dwt(x).map(lambda band: random(*band.shape, seed=band.numel()))
        left, right = inner(dwt.adjoint_forward(x), bands), (x * dwt.inverse(bands)).sum()
        torch.testing.assert_close(left, right, rtol=1e-11, atol=1e-10)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", [OrthonormalFilter, FreeFilter])
@pytest.mark.parametrize("ndim", [1, 2])
def test_gradients_into_signal_and_filter(mode, kind, ndim):
    filter_ = kind("db2", noise=0.1, seed=1, dtype=DOUBLE)
    dwt = (DWT1d if ndim == 1 else DWT2d)(filter_, 2, mode)
    parameters = dict(dwt.named_parameters())
    (name,) = parameters
    x = random(1, *(9, 6)[:ndim]).requires_grad_()

    def transform(x: torch.Tensor, parameter: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(torch.func.functional_call(dwt, {name: parameter}, (x,)).tensors())

    def there_and_back(x: torch.Tensor, parameter: torch.Tensor) -> torch.Tensor:
        class Both(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.dwt = dwt

            def forward(self, x: torch.Tensor) -> torch.Tensor:
                return self.dwt.inverse(self.dwt(x).map(torch.sin))

        return torch.func.functional_call(Both(), {f"dwt.{name}": parameter}, (x,))

    inputs = (x, parameters[name].detach().clone().requires_grad_())
    for function in (transform, there_and_back):
        assert gradcheck(function, inputs, fast_mode=ndim == 2)
        assert gradgradcheck(function, inputs, fast_mode=ndim == 2)


@pytest.mark.parametrize("shape", [(33,), (4, 33), (2, 3, 4, 33), (0, 33)])
def test_any_dimensions_in_front(shape):
    x = random(*shape)
    dwt = DWT1d("db2", 2)
    coefficients = dwt(x)
    assert isinstance(coefficients, list)
    assert coefficients.shape == (33,)
    assert all(band.shape[:-1] == x.shape[:-1] for band in coefficients)
    assert dwt.inverse(coefficients).shape == x.shape


def test_a_filter_of_each_axis_learns_apart():
    rows, columns = OrthonormalFilter("db2", dtype=DOUBLE), OrthonormalFilter("db3", dtype=DOUBLE)
    dwt = DWT2d((columns, rows), 1)
    assert len(list(dwt.parameters())) == 2
    x = random(2, 12, 13)
    torch.testing.assert_close(dwt.inverse(dwt(x)), x, rtol=0, atol=1e-12)
    assert len(list(DWT2d(rows, 1).parameters())) == 1


def test_a_plain_list_is_read_as_pywavelets_does():
    x = random(3, 40)
    dwt = DWT1d("db2", 3)
    plain = list(dwt(x))
    assert dwt.inverse(plain).shape == (3, 40)
    torch.testing.assert_close(dwt.inverse(plain), x, rtol=0, atol=1e-12)
    odd = list(dwt(x[:, :39]))
    assert dwt.inverse(odd).shape == (3, 40)  # lengths alone do not tell
    torch.testing.assert_close(dwt.inverse(odd, shape=39), x[:, :39], rtol=0, atol=1e-12)
    torch.testing.assert_close(dwt.inverse([x]), x)


def test_strided_and_transposed_input():
    x = random(4, 70, 66)
    dwt = DWT2d("db3", 2, "reflect")
    for view in (x.transpose(1, 2), x[:, ::2, 1::3], x.permute(1, 2, 0)[..., 1:], x[:1].expand(3, -1, -1)):
        for ours, theirs in zip(dwt(view).tensors(), dwt(view.contiguous()).tensors(), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-13)
        torch.testing.assert_close(dwt.inverse(dwt(view)), view, rtol=0, atol=1e-11)


TRACED = pytest.mark.skipif(
    TORCH < (2, 7), reason="torch 2.6 and older do not trace classes derived from list, as coefficients are"
)


@TRACED
@pytest.mark.parametrize("learnt", [False, True])
@pytest.mark.parametrize("ndim", [1, 2])
def test_compiles_as_one_graph(learnt, ndim):
    filter_ = OrthonormalFilter("db2", dtype=DOUBLE) if learnt else "db2"
    dwt = (DWT1d if ndim == 1 else DWT2d)(filter_, 2)
    x = random(2, *(50, 47)[:ndim]).requires_grad_()

    def loss(x: torch.Tensor) -> torch.Tensor:
        coefficients = dwt(x)
        energy = torch.stack([band.abs().sum() for band in coefficients.tensors()]).sum()
        return energy + dwt.inverse(coefficients).square().sum()

    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    inputs = [x, *dwt.parameters()]
    for ours, eager in zip(torch.autograd.grad(compiled(x), inputs), torch.autograd.grad(loss(x), inputs), strict=True):
        torch.testing.assert_close(ours, eager, rtol=1e-12, atol=1e-12)


@TRACED
@pytest.mark.parametrize("ndim", [1, 2])
def test_exports(ndim):
    class There(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.dwt = (DWT1d if ndim == 1 else DWT2d)(OrthonormalFilter("db2", dtype=DOUBLE), 2)

        def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
            coefficients = self.dwt(x)
            return [*coefficients.tensors(), self.dwt.inverse(coefficients)]

    module, x = There(), random(2, *(50, 47)[:ndim])
    exported = torch.export.export(module, (x,)).module()
    for ours, eager in zip(exported(x), module(x), strict=True):
        torch.testing.assert_close(ours, eager, rtol=0, atol=0)


def test_state_dict_and_copies():
    dwt = DWT2d(OrthonormalFilter("db3", noise=0.2, seed=3, dtype=DOUBLE), 2)
    other = DWT2d(OrthonormalFilter("db3", dtype=DOUBLE), 2)
    other.load_state_dict(dwt.state_dict())
    x = random(20, 20)
    for ours, theirs in zip(dwt(x).tensors(), other(x).tensors(), strict=True):
        assert torch.equal(ours, theirs)


def test_coefficients_keep_their_structure():
    coefficients = DWT2d("haar", 2)(random(8, 8))
    doubled = coefficients.map(lambda band: 2 * band)
    assert isinstance(doubled, Coefficients)
    assert doubled.shape == (8, 8)
    assert [type(entry) for entry in doubled] == [torch.Tensor, tuple, tuple]
    assert len(list(doubled.tensors())) == 7
    assert all(isinstance(band, np.ndarray) for band in coefficients.numpy().tensors())
    np.testing.assert_allclose(pywt.waverec2(list(coefficients.numpy()), "haar"), random(8, 8).numpy(), atol=1e-14)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: DWT1d("db2", 0), "levels is 0; give a positive whole number"),
        (lambda: DWT2d("db2", -1), "levels is -1; give a positive whole number"),
        (lambda: DWT1d("db2", 1.5), r"levels is 1\.5; give a positive whole number"),
        (lambda: DWT1d("db2", True), "levels is True"),
        (lambda: DWT1d("db2", 1, "mirror"), "mode is 'mirror'; choose one of zero, constant, symmetric"),
        (lambda: DWT1d("bior2.2"), r"bior2\.2"),
        (lambda: DWT2d(("db2", "db3", "db4")), "3 filters are given; a 2-D transform takes one, or one for each axis"),
    ],
)
def test_refuses_to_be_built(build, message):
    with pytest.raises(ValueError, match=message):
        build()


NAN = torch.tensor([1.0, float("nan"), 3.0, float("inf")])


@pytest.mark.parametrize(
    ("use", "error", "message"),
    [
        (
            lambda: DWT1d("db2")(np.zeros(8)),
            TypeError,
            r"the signal is ndarray; give a torch tensor, for instance torch\.from_numpy",
        ),
        (lambda: DWT1d("db2")(torch.arange(8)), TypeError, r"the signal is torch\.int64; give float32 or float64"),
        (lambda: DWT1d("db2")(torch.zeros(8, dtype=torch.complex64)), TypeError, r"is torch\.complex64; give float32"),
        (lambda: DWT1d("db2")(torch.zeros(8).half()), TypeError, r"is torch\.float16; give float32 or float64"),
        (lambda: DWT1d("haar", 1)(NAN), ValueError, r"of shape \(4,\), holds 2 NaN or infinite value"),
        (lambda: DWT1d("db2")(torch.tensor(1.0)), ValueError, r"has 0 dimension\(s\) .* at least 1"),
        (lambda: DWT2d("db2")(torch.zeros(8)), ValueError, r"has 1 dimension\(s\) \(shape \(8,\)\); at least 2"),
        (lambda: DWT2d("db2")(torch.zeros(3, 0, 8)), ValueError, "no samples along a transformed axis"),
        (
            lambda: DWT1d("db2", 1, "reflect")(torch.zeros(1)),
            ValueError,
            "'reflect' needs two samples or more at every",
        ),
        (lambda: DWT1d("haar", 4, "antireflect")(torch.zeros(5)), ValueError, r"of shape \(5,\) comes down to \(1,\)"),
        (
            lambda: DWT1d(OrthonormalFilter("db2"))(torch.zeros(8, dtype=DOUBLE)),
            TypeError,
            r"the filter is torch\.float32 and the signal torch\.float64; .*\.to\(torch\.float64\)",
        ),
        (
            lambda: DWT1d(FreeFilter("db2"))(torch.zeros(8, device="meta")),
            ValueError,
            "the filter lies on cpu and the signal on meta; bring one",
        ),
        (lambda: DWT1d("db2").inverse([]), ValueError, "no coefficients are given"),
        (lambda: DWT1d("haar", 1).inverse([torch.zeros(4), NAN]), ValueError, "a band of coefficients, of shape"),
        (
            lambda: DWT1d("db2").inverse([torch.zeros(5)], shape=(5, 5)),
            ValueError,
            r"shape is \(5, 5\); this transform needs 1",
        ),
        (
            lambda: DWT1d("db2").inverse([torch.zeros(5), torch.zeros(6)]),
            ValueError,
            r"a band of level 1 has shape \(5,\); a signal of shape \(10,\) has \(6,\) there with mode 'symmetric'",
        ),
        (lambda: DWT1d("db2").inverse([torch.zeros(5)] * 2, shape=11), ValueError, r"has \(7,\) there"),
        (
            lambda: DWT2d("db2").inverse([torch.zeros(5, 5)] * 2),
            ValueError,
            "details of a level are three tensors .* given is Tensor",
        ),
        (
            lambda: DWT2d("db2").inverse([torch.zeros(5, 5), (torch.zeros(5, 5),) * 2]),
            ValueError,
            "three tensors .* given is tuple of 2",
        ),
    ],
)
def test_refuses_bad_input(use, error, message):
    with pytest.raises(error, match=message):
        use()


def test_checks_of_finiteness():
    huge = torch.full((8,), 3e38)  # finite, though the sum is not
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert DWT1d("haar", 1)(huge * 0.1)[0].isfinite().all()
    assert DWT1d("haar", 1, check_finite=False)(NAN)[0].isnan().any()


def test_representation():
    assert "levels=3, mode='zero'" in repr(DWT1d("db2", 3, "zero"))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", [23, 200])
def test_cuda_equals_cpu(mode, size):
    x = random(2, size, size + 3)
    filter_ = OrthonormalFilter("db3", dtype=DOUBLE)
    dwt = DWT2d(filter_, 2, mode)
    on_cpu = dwt(x)
    gradient = torch.autograd.grad(torch.stack([b.abs().sum() for b in on_cpu.tensors()]).sum(), filter_.free_angles)[0]
    dwt = dwt.cuda()
    on_gpu = dwt(x.cuda())
    for ours, theirs in zip(on_gpu.tensors(), on_cpu.tensors(), strict=True):
        torch.testing.assert_close(ours.cpu(), theirs, rtol=1e-12, atol=1e-12 * float(theirs.detach().abs().max()))
    torch.testing.assert_close(dwt.inverse(on_gpu).cpu(), x, rtol=0, atol=1e-10)
    energy = torch.stack([b.abs().sum() for b in on_gpu.tensors()]).sum()
    torch.testing.assert_close(
        torch.autograd.grad(energy, filter_.free_angles)[0].cpu(), gradient, rtol=1e-10, atol=1e-10
    )
