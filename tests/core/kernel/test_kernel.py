"""The compiled kernel computes what torch does, on every set of instructions here, and alike whoever computes what."""

import multiprocessing
import warnings

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from awd_core import MODES, DWT1d, DWT2d, FreeFilter, Wavelet
from awd_core.kernel import find_kernel
from awd_core.kernel.build import build
from awd_core.kernel.library import SETTING
from awd_core.transforms import compiled
from awd_core.transforms.axes import analyse_levels
from awd_core.transforms.boundary import PERIODIZATION_WITH_ZERO, output_length
from awd_core.transforms.filterbank import analyse, correlate, synthesise
from awd_core.transforms.l1_norm import l1_norm_and_gradient
from awd_core.workers import torch_threads

pytestmark = pytest.mark.filterwarnings("ignore:.*all coefficients will experience boundary effects:UserWarning")

EXTENSIONS = [*MODES, PERIODIZATION_WITH_ZERO]
DTYPES = [torch.float64, torch.float32]
SHAPES = {
    # Shorter than a register and than a filter; whole registers; one more; a ragged one.
    1: [(2, 1), (3, 7), (21, 40), (5, 127), (3, 128), (2, 129), (2, 1037)],
    2: [(2, 1, 1), (2, 3, 5), (3, 16, 16), (2, 17, 33), (2, 64, 48), (1, 31, 130)],
}


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """The installed library, or one that is compiled for these tests."""
    kernel = find_kernel()
    if kernel is not None:
        return kernel.path
    try:
        return build(tmp_path_factory.mktemp("kernel"))
    except OSError as error:
        pytest.skip(str(error))


@pytest.fixture
def with_kernel(library, monkeypatch):
    monkeypatch.setenv(SETTING, str(library))
    assert find_kernel() is not None


@pytest.fixture
def both(library, monkeypatch):
    """What a function gives with the kernel and without it."""

    def results(function):
        monkeypatch.setenv(SETTING, str(library))
        assert find_kernel() is not None
        ours = function()
        monkeypatch.setenv(SETTING, "off")
        return ours, function()

    return results


def signal(*shape, dtype=torch.float64, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape)).to(dtype)


def transform(ndim, wavelet, levels, mode):
    return (DWT1d if ndim == 1 else DWT2d)(wavelet, levels, mode)


def fits(shape, mode):
    return "reflect" not in mode or min(shape[1:]) > 1


def assert_near(ours, theirs, dtype, mode="zero", taps=2):
    """Within rounding of the largest value; smooth extension multiplies that of two samples by up to L a level."""
    bound = 64 * torch.finfo(dtype).eps * (taps if mode == "smooth" else 1)
    scale = max([float(each.abs().max()) for each in theirs if each.numel()], default=1.0)
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=0, atol=bound * scale)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("ndim", [1, 2])
def test_transforms_equal_those_of_torch(both, ndim, mode, dtype):
    for name in ("haar", "db2", "db5", "sym7", "db20"):
        for shape in SHAPES[ndim]:
            if not fits(shape, mode):
                continue
            x, dwt = signal(*shape, dtype=dtype), transform(ndim, name, 2, mode)
            ours, theirs = both(lambda dwt=dwt, x=x: dwt(x))
            taps = Wavelet.from_name(name).length
            assert_near(ours.tensors(), list(theirs.tensors()), dtype, mode, taps**2)
            mine, other = both(lambda dwt=dwt, theirs=theirs: dwt.inverse(theirs))
            assert_near([mine], [other], dtype, mode, taps)
            ours, theirs = both(lambda dwt=dwt, x=x: dwt.adjoint_forward(x))
            assert_near(ours.tensors(), list(theirs.tensors()), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("mode", EXTENSIONS)
def test_operators_equal_those_of_torch(both, mode, dtype):
    for taps in (2, 6, 10, 40):
        filters = signal(2, taps, dtype=dtype, seed=1)
        for batch, size, lanes in (
            (3, 5, 1),
            (19, 61, 1),
            (2, 300, 1),
            (2, 5, 16),
            (2, 70, 17),
            (1, 33, 1030),
            (0, 9, 1),
        ):
            x = signal(batch, size, lanes, dtype=dtype)
            outputs = output_length(size, taps, mode)
            low, high = (signal(batch, outputs, lanes, dtype=dtype, seed=seed) for seed in (2, 3))
            for function in (
                lambda x=x, filters=filters: analyse(x, filters, mode),
                lambda low=low, high=high, filters=filters, size=size: [synthesise(low, high, filters, size, mode)],
                lambda x=x, low=low, high=high, taps=taps: [correlate(x, low, high, taps, mode)],
            ):
                ours, theirs = both(function)
                assert_near(ours, theirs, dtype, mode, taps**2)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("mode", EXTENSIONS)
@pytest.mark.parametrize("ndim", [1, 2])
def test_the_norm_and_its_gradient_equal_those_of_torch(both, ndim, mode, dtype):
    for name in ("haar", "db5", "sym10"):
        taps = torch.from_numpy(Wavelet.from_name(name).dec_lo.copy()).to(dtype)
        for shape in SHAPES[ndim]:
            if not fits(shape, mode):
                continue
            x = signal(*shape, dtype=dtype)
            (norm, slope), (other_norm, other) = both(
                lambda x=x, taps=taps: l1_norm_and_gradient(x, taps, ndim, 2, mode)
            )
            assert norm == pytest.approx(other_norm, rel=64 * torch.finfo(dtype).eps * len(taps))
            # Coefficients near zero, whose sign is told by rounding, would show: there are none in noise like this.
            assert_near([slope], [other], dtype, mode, len(taps) ** 2)


@pytest.mark.parametrize("mode", EXTENSIONS)
@pytest.mark.parametrize("shape", [(3, 40), (2, 150), (2, 13, 21)])
def test_gradients_of_all_levels_at_once(both, shape, mode):
    """Into signal and filters, together and alone, those of axes that share one as well."""
    ndim = len(shape) - 1
    x, shared, *banks = signal(*shape), *(signal(2, 4, seed=seed) for seed in range(1, 4))

    def gradients():
        found = []
        for signals, filters in (((x,), banks[:ndim]), ((), banks[:ndim]), ((x,), ()), ((x,), [shared] * ndim)):
            wanted = [tensor.clone().requires_grad_() for tensor in dict.fromkeys((*signals, *filters))]
            by_name = dict(zip(dict.fromkeys((*signals, *filters)), wanted, strict=True))
            used = [by_name.get(bank, bank) for bank in filters or banks[:ndim]]
            bands = analyse_levels(by_name.get(x, x), used, 2, mode)
            slopes = [signal(*band.shape, seed=seed) for seed, band in enumerate(bands)]
            found += torch.autograd.grad(bands, wanted, slopes)
        return found

    ours, theirs = both(gradients)
    for mine, other in zip(ours, theirs, strict=True):
        assert_near([mine], [other], torch.float64, mode, 16)


@pytest.mark.usefixtures("with_kernel")
def test_gradients_of_gradients_and_batches_of_them():
    for shape in ((2, 40), (1, 9, 11)):
        dwt = transform(len(shape) - 1, FreeFilter("db2", dtype=torch.float64), 2, "symmetric")
        (taps,) = dwt.parameters()

        def function(x, taps, dwt=dwt):
            return tuple(torch.func.functional_call(dwt, {"axis_filters.0.taps": taps}, (x,)).tensors())

        inputs = (signal(*shape).requires_grad_(), taps.detach().clone().requires_grad_())
        assert gradcheck(function, inputs, fast_mode=True, check_batched_grad=True)
        assert gradgradcheck(function, inputs, fast_mode=True)


def test_filters_of_their_own_for_both_axes(both):
    x, dwt = signal(2, 50, 77), DWT2d(("db2", "sym5"), 2, "reflect")
    ours, theirs = both(lambda: dwt(x))
    assert_near(ours.tensors(), list(theirs.tensors()), x.dtype)
    assert_near(*([each] for each in both(lambda: dwt.inverse(theirs))), x.dtype)


def sets_of(library):
    import ctypes

    function = ctypes.CDLL(str(library)).awd_instruction_sets
    function.restype = ctypes.c_char_p
    return function().decode().split()


def test_every_set_of_instructions(library, monkeypatch):
    """A library is for several processors: what this one would not choose is run all the same."""
    x = {1: signal(20, 40), 2: signal(2, 40, 33)}
    monkeypatch.setenv(SETTING, "off")
    expected = {ndim: list(transform(ndim, "db5", 2, "symmetric")(x[ndim]).tensors()) for ndim in x}
    taps = torch.from_numpy(Wavelet.from_name("db5").dec_lo.copy())
    norms = {ndim: l1_norm_and_gradient(x[ndim], taps, ndim, 2, "symmetric") for ndim in x}
    monkeypatch.setenv(SETTING, str(library))
    best = find_kernel()
    for name in sets_of(library):
        monkeypatch.setattr(compiled, "find_kernel", lambda name=name: type(best)(best.path, name))
        for ndim in x:
            dwt = transform(ndim, "db5", 2, "symmetric")
            found = dwt(x[ndim])
            assert_near(found.tensors(), expected[ndim], torch.float64)
            torch.testing.assert_close(dwt.inverse(found), x[ndim], rtol=0, atol=1e-10)
            norm, slope = l1_norm_and_gradient(x[ndim], taps, ndim, 2, "symmetric")
            assert norm == pytest.approx(norms[ndim][0], rel=1e-13)
            torch.testing.assert_close(slope, norms[ndim][1], rtol=0, atol=1e-10)


# --- alike, whoever computes it ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("ndim", "shape"), [(1, (4000, 40)), (1, (300, 500)), (2, (70, 64, 64)), (2, (50, 37, 51))])
@pytest.mark.usefixtures("with_kernel")
def test_the_number_of_threads_changes_no_bit(ndim, shape, dtype):
    x, dwt = signal(*shape, dtype=dtype), transform(ndim, "db5", 2, "symmetric")
    taps = torch.from_numpy(Wavelet.from_name("db5").dec_lo.copy()).to(dtype)
    found = []
    for threads in (1, 2, 3):
        with torch_threads(threads):
            coefficients = dwt(x)
            norm, slope = l1_norm_and_gradient(x, taps, ndim, 2, "symmetric")
            flat = x.reshape(shape[0], shape[1], -1)
            bank = torch.stack([taps, taps.flip(0)])
            gradient = correlate(flat, *analyse(flat, bank, "zero"), len(taps), "zero")
            found.append([*coefficients.tensors(), dwt.inverse(coefficients), torch.tensor(norm), slope, gradient])
    for other in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], other, strict=True))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("ndim", "shape"), [(1, (37, 40)), (1, (5, 300)), (2, (19, 40, 36)), (2, (3, 64, 129))])
@pytest.mark.usefixtures("with_kernel")
def test_neither_batch_nor_place_in_memory_changes_a_bit(ndim, shape, dtype):
    x, dwt = signal(*shape, dtype=dtype), transform(ndim, "db4", 2, "reflect")
    together = dwt(x)
    back = dwt.inverse(together)
    shifted = torch.cat([x.new_zeros(1), x.flatten()])[1:].view(shape)
    backwards = x.flip(0)
    across = x.transpose(-1, 0).contiguous().transpose(-1, 0)
    for k in (0, shape[0] // 2, shape[0] - 1):
        for alone in (x[k : k + 1], shifted[k : k + 1], backwards[shape[0] - 1 - k :][:1], across[k : k + 1]):
            one = dwt(alone)
            for a, b in zip(one.tensors(), together.tensors(), strict=True):
                assert torch.equal(a[0], b[k])
            assert torch.equal(dwt.inverse(one)[0], back[k])


@pytest.mark.usefixtures("with_kernel")
def test_each_image_has_its_own_numbers():
    """What is no number in one image, or series, stays there, in coefficients, norm and gradient."""
    taps = torch.from_numpy(Wavelet.from_name("db5").dec_lo.copy())
    for shape in ((20, 40), (3, 200), (3, 40, 33)):
        x, ndim = signal(*shape), len(shape) - 1
        clean = list(transform(ndim, "db5", 2, "symmetric")(x).tensors())
        for bad in (torch.nan, torch.inf):
            spoilt = x.clone()
            spoilt[1, ..., -1] = bad
            dwt = transform(ndim, "db5", 2, "symmetric")
            dwt.check_finite = False
            for band, expected in zip(dwt(spoilt).tensors(), clean, strict=True):
                assert not band[1].isfinite().all()
                others = [k for k in range(shape[0]) if k != 1]
                assert torch.equal(band[others], expected[others])
            norm, slope = l1_norm_and_gradient(spoilt, taps, ndim, 2, "symmetric")
            assert not np.isfinite(norm)
            assert not slope.isfinite().all()


@pytest.mark.usefixtures("with_kernel")
def test_a_negated_view_is_read_as_it_is():
    imaginary = torch.complex(signal(3, 40), signal(3, 40, seed=1)).conj().imag
    assert imaginary.is_neg()
    dwt = DWT1d("db2", 1, "zero")
    for a, b in zip(dwt(imaginary).tensors(), dwt(imaginary.clone().resolve_neg()).tensors(), strict=True):
        assert torch.equal(a, b)


def _norm_of_array(x):
    taps = torch.from_numpy(Wavelet.from_name("db5").dec_lo.copy())
    torch.set_num_threads(2)
    return l1_norm_and_gradient(torch.from_numpy(x), taps, 2, 2, "zero")[0]


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system does not fork")
@pytest.mark.usefixtures("with_kernel")
def test_a_forked_child_has_threads_of_its_own():
    x = signal(64, 64, 64)
    before = torch.get_num_threads()
    try:
        expected = _norm_of_array(x.numpy())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of forks among threads, which is what is tested
            with multiprocessing.get_context("fork").Pool(1) as pool:
                assert pool.apply_async(_norm_of_array, (x.numpy(),)).get(60) == expected
    finally:
        torch.set_num_threads(before)


# --- what it leaves to torch ------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("with_kernel")
def test_what_the_kernel_does_not_take_is_left_to_torch():
    x = signal(2, 8)
    assert compiled.kernel_for(x, x) is not None
    assert compiled.kernel_for(x, x.float()) is None
    assert compiled.kernel_for(x.half()) is None
    assert compiled.kernel_for(x.to("meta")) is None
    assert compiled.kernel_for(x.to_sparse()) is None
    assert torch.func.vmap(lambda row: (assert_left(row), row)[1])(x).shape == x.shape


def assert_left(x):
    assert compiled.kernel_for(x) is None


def test_bands_that_do_not_fit_are_refused_as_without_the_kernel(both):
    filters = torch.zeros(2, 4, dtype=torch.float64)
    low, high = torch.zeros(2, 9, 1, dtype=torch.float64), torch.zeros(2, 8, 1, dtype=torch.float64)

    def attempt():
        with pytest.raises(RuntimeError):
            synthesise(low, high, filters, 100, "zero")

    both(attempt)
