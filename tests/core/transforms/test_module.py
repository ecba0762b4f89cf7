"""The transforms as torch modules: one parameter for each filter, tensors without values, export, warnings."""

import copy
import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx

from awd_core import (
    DWT1d,
    DWT2d,
    FixedFilter,
    FreeFilter,
    LinearDictionary,
    OrthonormalFilter,
    SearchSettings,
    WaveletDistiller,
    WaveletTransformer,
    compare_lengths,
    distill_path,
    distill_penalised,
)

EXACT = {"rtol": 0, "atol": 0}


def signal(*shape: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape))


def learnt(make=OrthonormalFilter, wavelet: str = "db2"):
    return make(wavelet, dtype=torch.float64)


@pytest.mark.parametrize("make", [OrthonormalFilter, FreeFilter])
def test_a_call_with_other_parameters_leaves_the_module_as_it_was(make):
    dwt, x = DWT2d(learnt(make), levels=1), signal(2, 9, 11)
    before = [band.detach().clone() for band in dwt(x).tensors()]
    (name,) = dict(dwt.named_parameters(remove_duplicate=False))
    moved = {name: next(dwt.parameters()).detach() + 0.5}
    changed = torch.func.functional_call(dwt, moved, (x,))
    assert isinstance(next(dwt.parameters()), nn.Parameter)
    for band, was in zip(dwt(x).tensors(), before, strict=True):
        torch.testing.assert_close(band.detach(), was, **EXACT)
    other = copy.deepcopy(dwt)
    other.load_state_dict(moved)
    for band, expected in zip(changed.tensors(), other(x).tensors(), strict=True):
        torch.testing.assert_close(band, expected.detach(), **EXACT)


@pytest.mark.parametrize("shared", [True, False])
def test_weights_are_saved_once_for_each_filter(tmp_path, shared):
    first = learnt()
    dwt = DWT2d(first if shared else (first, learnt(FreeFilter, "db3")), levels=1)
    save_file(dwt.state_dict(), tmp_path / "dwt.safetensors")
    saved = load_file(tmp_path / "dwt.safetensors")
    assert len(saved) == (1 if shared else 2)
    blank = DWT2d(learnt(wavelet="sym2") if shared else (learnt(wavelet="sym2"), learnt(FreeFilter, "sym3")), levels=1)
    blank.load_state_dict(saved)
    x = signal(1, 12, 13)
    for band, expected in zip(blank(x).tensors(), dwt(x).tensors(), strict=True):
        torch.testing.assert_close(band, expected, **EXACT)


def test_a_pair_of_one_filter_is_one_filter():
    filter_ = learnt()
    assert len(list(DWT2d((filter_, filter_)).parameters())) == 1
    assert DWT2d((filter_, filter_)).filters == (filter_, filter_)


def test_weights_that_were_saved_for_each_axis_still_load():
    value = torch.tensor([0.3], dtype=torch.float64)
    for prefix in ("", "front."):
        module = DWT2d(learnt(), levels=1) if not prefix else nn.Sequential()
        if prefix:
            module.add_module("front", DWT2d(learnt(), levels=1))
        old = {f"{prefix}axis_filters.{axis}.free_angles": value.clone() for axis in (0, 1)}
        given = dict(old)
        module.load_state_dict(given)
        assert given == old
        assert torch.equal(next(module.parameters()).detach(), value)


def test_two_saved_filters_are_not_taken_for_one():
    old = {f"axis_filters.{axis}.free_angles": torch.tensor([0.3 + axis], dtype=torch.float64) for axis in (0, 1)}
    with pytest.raises(RuntimeError, match=r"axis_filters.1.free_angles is not equal to that of axis_filters.0.*pair"):
        DWT2d(learnt()).load_state_dict(old)
    DWT2d((learnt(), learnt())).load_state_dict(old)
    with pytest.raises(RuntimeError, match=r"Unexpected key.*axis_filters.2"):
        DWT2d(learnt()).load_state_dict(
            {"axis_filters.0.free_angles": old["axis_filters.0.free_angles"]}
            | {"axis_filters.2.free_angles": torch.zeros(1)}
        )


@pytest.mark.parametrize("size", [40, 401])
@pytest.mark.parametrize("make", [FixedFilter, OrthonormalFilter, FreeFilter])
def test_tensors_without_values_have_the_right_shapes(size, make):
    expected = [tuple(band.shape) for band in DWT2d("db2", 2)(torch.zeros(3, size, 41)).tensors()]

    def shapes(device: str | None) -> None:
        dwt = DWT2d(make("db2"), levels=2)
        dwt = dwt.to(device) if device else dwt
        x = torch.zeros(3, size, 41, device=device)
        coefficients = dwt(x)
        assert [tuple(band.shape) for band in coefficients.tensors()] == expected
        assert dwt.inverse(coefficients).shape == dwt.inverse(dwt.adjoint_forward(x)).shape == x.shape

    shapes("meta")
    with FakeTensorMode():
        shapes(None)
    x = torch.ones(3, size, 41)
    dwt = DWT2d("db2", levels=2)  # nothing that was cached is fake
    torch.testing.assert_close(dwt.inverse(dwt(x)), x)


class Bands(nn.Module):
    """What `torch.export` takes: tensors out."""

    def __init__(self, dwt: DWT1d, there_and_back: bool = False) -> None:
        super().__init__()
        self.dwt, self.there_and_back = dwt, there_and_back

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        coefficients = self.dwt(x)
        return (self.dwt.inverse(coefficients),) if self.there_and_back else tuple(coefficients.tensors())


@pytest.mark.parametrize("there_and_back", [False, True])
@pytest.mark.parametrize("mode", ["symmetric", "periodization"])
def test_exports_with_a_dynamic_length(mode, there_and_back):
    module = Bands(DWT1d("db2", levels=2, mode=mode), there_and_back)
    length = torch.export.Dim("length", min=12, max=4000)
    exported = torch.export.export(module, (signal(3, 402),), dynamic_shapes=({1: length},)).module()
    for size in (12, 100, 1002):
        x = signal(3, size, seed=size)
        for ours, eager in zip(exported(x), module(x), strict=True):
            torch.testing.assert_close(ours, eager, **EXACT)


def test_a_dynamic_length_needs_to_be_told_its_levels():
    length = torch.export.Dim("length", min=12, max=4000)
    with pytest.raises(ValueError, match="levels is None, and the most that fit are not known for a length that is"):
        torch.export.export(Bands(DWT1d("db2")), (signal(3, 402),), dynamic_shapes=({1: length},))


def test_exported_coefficients_know_their_shape(tmp_path):
    dwt, x = DWT2d("db2", levels=1), signal(2, 9, 11)
    torch.export.save(torch.export.export(dwt, (x,)), tmp_path / "dwt.pt2")
    read = torch.export.load(tmp_path / "dwt.pt2").module()(x)
    torch.testing.assert_close(dwt.inverse(read), x)


def test_a_trace_shows_the_transform_as_one_operator():
    code = make_fx(lambda x: DWT1d("db2", levels=1)(x)[0])(signal(3, 40)).code
    assert code.count("awd_core") == 1


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("make", [FixedFilter, OrthonormalFilter, FreeFilter])
def test_inside_autocast_the_transform_computes_in_single_precision(dtype, make):
    torch.manual_seed(0)
    layer, dwt = nn.Linear(40, 37), DWT1d(make("db2"), levels=2)
    x = signal(5, 40).float()
    with torch.autocast("cpu", dtype=dtype):
        made = layer(x)
        coefficients = dwt(made)
        back = dwt.inverse(coefficients.map(lambda band: band.to(dtype)))
    assert made.dtype == dtype
    assert {band.dtype for band in coefficients.tensors()} == {torch.float32} == {back.dtype}
    for band, expected in zip(coefficients.tensors(), dwt(made.float()).tensors(), strict=True):
        torch.testing.assert_close(band, expected, **EXACT)
    sum(band.square().sum() for band in coefficients.tensors()).backward()
    assert layer.weight.grad is not None
    assert bool(layer.weight.grad.isfinite().all())


def test_held_moments_keep_their_precision_inside_autocast():
    dwt = DWT1d(OrthonormalFilter("db4", vanishing_moments=2), levels=1)
    x = signal(2, 40).float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = dwt(x)
    for band, expected in zip(inside.tensors(), dwt(x).tensors(), strict=True):
        torch.testing.assert_close(band, expected, **EXACT)


def test_a_dictionary_keeps_single_precision_inside_autocast():
    dictionary, x = LinearDictionary(signal(4, 6, seed=1).numpy()), signal(3, 6).float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = dictionary(x), dictionary.inverse(dictionary(x).bfloat16()), dictionary.adjoint_forward(x)
    assert {each.dtype for each in inside} == {torch.float32}
    torch.testing.assert_close(inside[0], dictionary(x), **EXACT)


def test_half_precision_outside_autocast_is_refused():
    with pytest.raises(TypeError, match=r"the signal is torch.bfloat16; give float32 or float64"):
        DWT1d("db2", levels=1)(torch.zeros(2, 40, dtype=torch.bfloat16))


@pytest.mark.parametrize(
    "call",
    [
        lambda: DWT1d("db5", levels=4)(signal(2, 40)),
        lambda: DWT1d("db5", levels=4).forward(signal(2, 40)),
        lambda: nn.Sequential(DWT1d("db5", levels=4))(signal(2, 40)),
        lambda: DWT1d("db5", levels=4).adjoint_forward(signal(2, 40)),
    ],
)
def test_a_warning_points_at_the_callers_line(call):
    with pytest.warns(UserWarning, match="levels is 4, more than the 2 that fit") as told:
        call()
    assert [warning.filename for warning in told] == [__file__]


def test_distillation_warns_of_too_many_levels_as_the_transform_does():
    X, G = np.random.default_rng(0).standard_normal((2, 30, 32)).astype(np.float32)
    told = r"levels is 9, more than the 3 that fit a signal of shape \(32,\) with filters of \[4\] taps"
    quick = SearchSettings(random_starts=1, small_batch=960, large_batch=960)
    options = {"wavelet": "db2", "levels": 9}
    for call in (
        lambda: distill_path(X, G, shares=[0.5], search=quick, **options),
        lambda: distill_penalised(X, None, weights=(1, 0), epochs=1, **options),
        lambda: compare_lengths(X, G, lengths=(4,), levels=9, search=quick),
        lambda: WaveletTransformer(**options).fit(X),
        lambda: WaveletDistiller(**options, search=quick).fit(X, gradients=G),
    ):
        with pytest.warns(UserWarning, match=told) as warned:
            call()
        assert {warning.filename for warning in warned} == {__file__}


def test_levels_may_be_any_whole_number():
    assert DWT1d("db2", levels=np.int64(3)).levels == 3
    assert json.dumps(DWT1d("db2", levels=np.int64(3)).levels) == "3"
    for wrong in (True, 0, 2.0, "2", np.float64(2)):
        with pytest.raises(ValueError, match=r"levels is .*; give a positive whole number, or None for the most that"):
            DWT1d("db2", levels=wrong)
