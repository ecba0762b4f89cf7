"""The published form: attributions through the teacher, its second derivative, training, checkpoints."""

import numpy as np
import pytest
import torch
import zarr
from captum.attr import InputXGradient, IntegratedGradients, Saliency
from torch import nn

from awd_core.attribution.coefficients import coefficient_attributions
from awd_core.attribution.gradients import input_gradients
from awd_core.attribution.trim import TrimModel
from awd_core.published.grid import batch_rows, distill_grid, distill_penalised, hessian_term, trim_attributions
from awd_core.published.losses import LossWeights, distillation_loss, sparsity_loss
from awd_core.teacher.samples import Samples
from awd_core.transforms.dwt import DWT1d, DWT2d
from awd_core.wavelets.filters import FreeFilter, OrthonormalFilter
from awd_core.wavelets.wavelet import Wavelet

pytestmark = pytest.mark.filterwarnings("ignore:.*boundary effects:UserWarning")

METHODS = {
    "saliency": {},
    "input_x_gradient": {},
    "integrated_gradients": {"baseline": 0.3, "n_steps": 4},
    "gradient_shap": {"baseline": 0.3, "n_steps": 3, "seed": 5},
}


class Recurrent(nn.Module):
    """Series (m, N) to two predictions; dropout and training flags must not matter."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(1, 5, batch_first=True, num_layers=2, dropout=0.3)
        self.out = nn.Linear(5, 2)

    def forward(self, x):
        return self.out(self.lstm(x.unsqueeze(-1))[0][:, -1])


class Residual(nn.Module):
    """A small ResNet on (m, H, W): batch normalisation, a skip connection, a smooth activation."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.SiLU())
        self.block = nn.Sequential(
            nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4), nn.SiLU(), nn.Conv2d(4, 4, 3, padding=1)
        )
        self.out = nn.Linear(4 * 4, 2)

    def forward(self, x):
        z = self.stem(x.unsqueeze(1))
        z = nn.functional.silu(z + self.block(z))
        return self.out(nn.functional.adaptive_avg_pool2d(z, 2).flatten(1))


def perceptron() -> nn.Module:
    return nn.Sequential(nn.Linear(20, 8), nn.Tanh(), nn.Linear(8, 2))


TEACHERS = {
    "lstm": (Recurrent, (6, 21), DWT1d),
    "resnet": (Residual, (4, 12, 13), DWT2d),
    "mlp": (perceptron, (6, 20), DWT1d),
}


@pytest.fixture(params=TEACHERS)
def case(request):
    """A teacher in training mode, inputs and the transform's class, in float64."""
    make, shape, transform = TEACHERS[request.param]
    torch.manual_seed(3)
    teacher = make().double()
    for module in teacher.modules():  # running statistics that are not those of the first batch
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2.0)
    return teacher, torch.from_numpy(np.random.default_rng(4).standard_normal(shape)), transform


def of_teacher(teacher, x, method, options):
    """Input gradients for the method, from the once-only pass."""
    options = {
        ("n_samples" if method == "gradient_shap" and key == "n_steps" else key): v for key, v in options.items()
    }
    return torch.from_numpy(input_gradients(teacher, x, 1, method=method, **options))


def flat(coefficients):
    return torch.cat([band.flatten() for band in coefficients.tensors()])


@pytest.mark.parametrize("mode", ["zero", "symmetric", "periodization"])
@pytest.mark.parametrize("method", METHODS)
def test_through_the_teacher_is_what_the_gradients_say(case, method, mode):
    teacher, x, transform = case
    options = METHODS[method]
    g = of_teacher(teacher, x, method, options)

    def both(filter):
        dwt = transform(filter, 2, mode)
        short = coefficient_attributions(dwt, x, g, method, baseline=options.get("baseline", 0.0))
        return short, trim_attributions(teacher, dwt, x, target=1, method=method, **options)

    angles = OrthonormalFilter("db3", noise=0.2, seed=1, dtype=torch.float64)
    short, long = both(angles)
    assert [b.shape for b in short.tensors()] == [b.shape for b in long.tensors()]
    scale = flat(long).abs().max()
    assert (flat(short) - flat(long)).abs().max() < 1e-10 * scale  # both are a hundred operations in float64

    ours, theirs = (torch.autograd.grad(sparsity_loss(s), angles.free_angles)[0] for s in (short, long))
    assert (ours - theirs).abs().max() < 1e-8 * theirs.abs().max()

    # On free taps the two part, by the teacher's second derivative: so the agreement above says something.
    taps = FreeFilter(angles.wavelet(), dtype=torch.float64)
    ours, theirs = (torch.autograd.grad(sparsity_loss(s), taps.taps)[0] for s in both(taps))
    assert (ours - theirs).abs().max() > 1e-3 * theirs.abs().max()


@pytest.mark.parametrize("method", ["saliency", "input_x_gradient", "integrated_gradients"])
def test_captum_agrees_on_taps_that_are_no_wavelet(case, method):
    teacher, x, transform = case
    filter = FreeFilter("db2", noise=0.1, seed=2, dtype=torch.float64)
    dwt = transform(filter, 2, "zero")
    options = {"n_steps": 4} if method == "integrated_gradients" else {}
    ours = flat(trim_attributions(teacher, dwt, x, target=0, method=method, **options))
    trim, s, residual = TrimModel.at(teacher.eval(), dwt, x)
    attribute = {
        "saliency": lambda: Saliency(trim).attribute(s, 0, abs=False, additional_forward_args=(residual,)),
        "input_x_gradient": lambda: InputXGradient(trim).attribute(s, 0, additional_forward_args=(residual,)),
        "integrated_gradients": lambda: IntegratedGradients(trim).attribute(
            s, target=0, n_steps=4, additional_forward_args=(residual,)
        ),
    }[method]
    theirs = torch.cat([band.flatten() for band in attribute()])
    # Captum rounds the weights of its quadrature to float32.
    within = 1e-6 if method == "integrated_gradients" else 1e-12
    assert (ours - theirs).abs().max() < within * theirs.abs().max()


def test_derivatives_on_free_taps_are_those_of_differences(case):
    teacher, x, transform = case
    filter = FreeFilter("db2", noise=0.05, seed=2, dtype=torch.float64)
    dwt = transform(filter, 2, "zero")

    def smooth():  # the L1 norm has kinks that differences would see
        return flat(trim_attributions(teacher, dwt, x, target=0)).square().sum()

    # The residual is held constant, so it has to be in the differences too: as an input of its own.
    s = dwt(x)
    residual = (x - dwt.inverse(s)).detach()

    def at(taps):
        moved = FreeFilter("db2", dtype=torch.float64)
        with torch.no_grad():
            moved.taps.copy_(taps)
        there = transform(moved, 2, "zero")
        s = there(x)
        seen = there.inverse(s) + residual
        seen = seen.detach().requires_grad_()
        (g,) = torch.autograd.grad(teacher.eval()(seen)[:, 0].sum(), seen)
        return flat(there.adjoint_forward(g)).square().sum().item()

    (exact,) = torch.autograd.grad(smooth(), filter.taps)
    step = 1e-5
    for n in range(4):
        delta = torch.zeros(4, dtype=torch.float64)
        delta[n] = step
        difference = (at(filter.taps + delta) - at(filter.taps - delta)) / (2 * step)
        assert difference == pytest.approx(exact[n].item(), rel=1e-6)


def test_the_second_derivative_can_be_left_out(case):
    teacher, x, transform = case
    filter = FreeFilter("db2", noise=0.05, seed=2, dtype=torch.float64)
    dwt = transform(filter, 2, "zero")
    with_, without = (
        trim_attributions(teacher, dwt, x, target=0, second_derivative=choice) for choice in (True, False)
    )
    assert (flat(with_) - flat(without)).abs().max() < 1e-12
    slopes = [torch.autograd.grad(sparsity_loss(a), filter.taps)[0] for a in (with_, without)]
    assert (slopes[0] - slopes[1]).abs().max() > 1e-3 * slopes[0].abs().max()
    assert trim_attributions(teacher, transform("db2", 2), x, target=0)[0].requires_grad is False


def test_hessian_term(case):
    teacher, x, transform = case
    term = hessian_term(teacher, transform("db3", 2, "zero"), x, target=1)
    assert term.gradient.shape == term.through_teacher.shape == (6,)
    assert term.relative > 0.01
    assert term.relative_orthonormal < 1e-10  # db3's table is orthonormal to 1e-13 or so
    assert hessian_term(lambda x: x.flatten(1).sum(1), transform("db3", 2), x).relative < 1e-12  # it has none
    crooked = FreeFilter("db3", noise=0.01, seed=0, dtype=torch.float64)
    assert np.isnan(hessian_term(teacher, transform(crooked, 2), x, target=1).relative_orthonormal)
    assert crooked.taps.grad is None


def test_hessian_term_wants_one_filter():
    with pytest.raises(ValueError, match="filters of their own; give a transform with one filter"):
        hessian_term(Residual().double(), DWT2d(("db2", "db3"), 1), torch.zeros(2, 12, 12).double(), target=0)


@pytest.fixture(name="X")
def inputs():
    return np.random.default_rng(0).standard_normal((23, 20)).cumsum(1)


@pytest.fixture
def teacher():
    torch.manual_seed(0)
    return perceptron().double()


SHORT = {"target": 1, "wavelet": "db2", "levels": 2, "weights": (0.02, 0.5), "epochs": 4, "batch_size": 10}


def test_is_adam_on_the_published_objective(X, teacher):
    fit = distill_penalised(X, teacher, noise=0.03, seed=6, **SHORT)
    filter = FreeFilter("db2", noise=0.03, seed=6, dtype=torch.float64)
    assert fit.start == filter.wavelet()
    adam = torch.optim.Adam([filter.taps], lr=1e-3)
    weights = LossWeights(0.02, 0.5)
    for epoch in range(4):
        seen = []
        sums = dict.fromkeys(fit.history[0].terms, 0.0)
        for rows in batch_rows(Samples(X), 10, 6, epoch):
            seen += rows.tolist()
            x = torch.from_numpy(X[rows])
            trim = TrimModel(teacher.eval(), DWT1d(filter, 2, "zero"))
            s = trim.transform(x)
            prediction = trim(s, residual=x - trim.transform.inverse(s))[:, 1]
            attributions = torch.autograd.grad(prediction.sum(), list(s), create_graph=True)
            total, terms = distillation_loss(filter.taps, x, trim.transform.inverse(s), s, attributions, weights)
            adam.zero_grad()
            total.backward()
            adam.step()
            for name, term in terms.items():
                sums[name] += term.item() * len(rows) / len(X)
        assert sorted(seen) == list(range(23))
        # The order of sums differs; Adam divides small gradients by their own size.
        assert fit.history[epoch].taps == pytest.approx(filter.taps.tolist(), abs=1e-10)
        assert fit.history[epoch].terms == pytest.approx(sums, rel=1e-10)
    assert fit.wavelet.taps.tolist() == list(fit.history[-1].taps)
    assert fit.wavelet.name == "db2 penalised"
    assert fit.certificate.orthonormality_error > 1e-4
    assert fit.history[0].total == pytest.approx(
        sum(getattr(weights, name) * value for name, value in fit.history[0].terms.items()), rel=1e-12
    )


def test_the_loss_falls_and_depends_on_what_it_should(X, teacher):
    fit = distill_penalised(X, teacher, seed=1, noise=0.1, **SHORT | {"epochs": 20})
    totals = [epoch.total for epoch in fit.history]
    assert totals[-1] < 0.8 * totals[0]
    for change in ({"method": "input_x_gradient"}, {"target": 0}, {"weights": (0.02, 0.0)}, {"seed": 2}):
        other = distill_penalised(X, teacher, noise=0.1, **{"seed": 1} | SHORT | {"epochs": 1} | change)
        assert other.history[0].taps != fit.history[0].taps, change


def test_the_same_again_and_the_teacher_as_it_was(X, teacher):
    teacher.train()
    teacher[0].eval()
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    first, second = (distill_penalised(X, teacher, noise=0.01, seed=3, **SHORT) for _ in range(2))
    assert first.history == second.history
    assert first.wavelet == second.wavelet
    assert [module.training for module in teacher.modules()] == [True, False, True, True]
    assert all(torch.equal(before[name], value) for name, value in teacher.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in teacher.parameters())


def test_without_interpretation_no_teacher_is_needed(X, teacher):
    options = {**SHORT, "weights": LossWeights(0.02, 0.0)}
    fit = distill_penalised(X, None, **options)
    assert fit.wavelet == distill_penalised(X, teacher, **options).wavelet
    assert "interpretation" not in fit.history[0].terms
    assert set(fit.history[0].terms) | {"interpretation"} == set(LossWeights.__dataclass_fields__)


def test_maps_channels_and_float32():
    X = np.random.default_rng(0).standard_normal((5, 1, 12, 12)).astype(np.float32)
    teacher = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Tanh(), nn.Flatten(), nn.Linear(200, 1))
    fit = distill_penalised(X, teacher, wavelet="db2", levels=1, epochs=1, weights=(0.1, 0.1))
    assert fit.settings["dtype"] == "torch.float32"
    assert fit.settings["ndim"] == 2
    assert np.all(np.float32(fit.wavelet.taps) == fit.wavelet.taps)


def test_inputs_on_disk(X, teacher, tmp_path):
    stored = zarr.create_array(tmp_path / "X.zarr", data=X, chunks=(4, 20))
    for epoch in (0, 1):
        rows = np.concatenate(list(batch_rows(Samples(stored), 10, 1, epoch)))
        assert sorted(rows) == list(range(23))
    fit = distill_penalised(stored, teacher, **SHORT | {"batch_size": 23})
    # One batch holds everything, so the order, which chunks change, only changes rounding.
    memory = distill_penalised(X, teacher, **SHORT | {"batch_size": 23})
    assert fit.wavelet.taps == pytest.approx(memory.wavelet.taps, abs=1e-10)


class StoppedError(Exception):
    pass


def stop_after(epochs):
    def progress(done, total, what):
        if done == epochs:
            raise StoppedError

    return progress


def test_goes_on_with_the_same_bits(X, teacher, tmp_path):
    place = tmp_path / "fit.safetensors"
    whole = distill_penalised(X, teacher, noise=0.01, **SHORT)
    for epochs in (1, 3):
        with pytest.raises(StoppedError):
            distill_penalised(X, teacher, noise=0.01, checkpoint=place, progress=stop_after(epochs), **SHORT)
    asked = []
    resumed = distill_penalised(
        X,
        teacher,
        noise=0.01,
        checkpoint=place,
        progress=lambda done, total, what: asked.append((done, total)),
        **SHORT,
    )
    assert asked == [(4, 4)]
    assert resumed.history == whole.history
    assert resumed.wavelet == whole.wavelet
    assert [file.name for file in tmp_path.iterdir()] == ["fit.safetensors"]

    # More epochs may follow, also with the same bits; fewer may not.
    more = SHORT | {"epochs": 6}
    assert distill_penalised(X, teacher, noise=0.01, checkpoint=place, **more).history == (
        distill_penalised(X, teacher, noise=0.01, **more).history
    )
    with pytest.raises(ValueError, match="holds 6 epochs, and epochs is 4; ask for as many or more"):
        distill_penalised(X, teacher, noise=0.01, checkpoint=place, **SHORT)


def test_a_checkpoint_of_another_problem_is_refused(X, teacher, tmp_path):
    place = tmp_path / "fit.safetensors"
    distill_penalised(X, teacher, checkpoint=place, **SHORT)
    with pytest.raises(ValueError, match=r"belongs to another problem: learning_rate differ\(s\); delete it"):
        distill_penalised(X, teacher, checkpoint=place, learning_rate=0.01, **SHORT)
    with pytest.raises(ValueError, match="belongs to another problem: X differ"):
        distill_penalised(2 * X, teacher, checkpoint=place, **SHORT)
    with torch.no_grad():
        teacher[0].bias += 1
    with pytest.raises(ValueError, match="belongs to another problem: model differ"):
        distill_penalised(X, teacher, checkpoint=place, **SHORT)
    place.write_bytes(place.read_bytes()[:-4])
    with pytest.raises(ValueError, match="is damaged, cut short"):
        distill_penalised(X, teacher, checkpoint=place, **SHORT)
    with pytest.raises(FileNotFoundError, match=r"the folder .* does not exist"):
        distill_penalised(X, teacher, checkpoint=tmp_path / "no" / "fit", **SHORT)
    with pytest.raises(TypeError, match="the model must be a torch Module, so that its weights identify it"):
        distill_penalised(X, lambda x: teacher(x), checkpoint=tmp_path / "fit", **SHORT)


GRID = {key: value for key, value in SHORT.items() if key != "weights"} | {"epochs": 2}


def test_the_grid_starts_each_fit_from_the_last(X, teacher, tmp_path):
    options = {"sparsity": (0.01, 0.02), "interpretation": (0, 0.1, 0.5), "noise": 0.02, **GRID}
    fits = distill_grid(X, teacher, **options)
    assert [(f.weights.sparsity, f.weights.interpretation) for f in fits] == [
        (s, i) for s in (0.01, 0.02) for i in (0, 0.1, 0.5)
    ]
    assert [fits.index(next(g for g in fits if g.wavelet == f.start)) for f in fits[1:]] == [0, 1, 0, 3, 4]
    assert fits[0].start != Wavelet.from_name("db2")
    assert {f.wavelet.name for f in fits} == {"db2 penalised"}
    alone = distill_penalised(X, teacher, weights=(0.01, 0.1), **GRID | {"wavelet": fits[0].wavelet})
    assert alone.wavelet == fits[1].wavelet

    with pytest.raises(StoppedError):
        distill_grid(X, teacher, checkpoint=tmp_path / "grid", progress=stop_after(7), **options)
    steps = []
    resumed = distill_grid(
        X, teacher, checkpoint=tmp_path / "grid", progress=lambda *step: steps.append(step), **options
    )
    assert [f.history for f in resumed] == [f.history for f in fits]
    assert steps[0][:2] == (8, 12)
    assert steps[0][2].startswith("λ 0.02, γ 0: loss ")


@pytest.mark.parametrize("values", [(), (0.1, 0.1), (0.2, 0.1)])
def test_the_grid_rises(X, teacher, values):
    with pytest.raises(ValueError, match=r"interpretation is .*; give one or more weights that increase"):
        distill_grid(X, teacher, interpretation=values, **GRID)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "epochs is 0; give a positive whole number"),
        ({"batch_size": -1}, "batch_size is -1; give a positive whole number"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0; give a number above 0"),
        ({"learning_rate": float("nan")}, "learning_rate is nan; give a number above 0"),
        ({"weights": (0,) * 8}, "all weights are zero; give at least one term a weight"),
        ({"weights": (1,) * 9}, "9 weights are given; there are 8: sparsity, interpretation"),
        ({"weights": (1, 2, 3)}, "3 weights are given; there are 8: .*Give the first two, λ and γ, or all of them"),
        ({"weights": (-1,)}, "sparsity is -1.0; give a weight from 0 on"),
        ({"target": None}, "predicts 2 numbers per sample.*give target="),
        ({"target": "all"}, "the target is 'all', 2 predictions; give the index of a single one"),
        ({"target": 2}, "target=2 is no index"),
        ({"method": "shap"}, "method is .*; choose one of saliency"),
        ({"baseline": 1.0}, 'baseline is for "integrated_gradients"'),
        ({"method": "gradient_shap", "baseline": np.zeros((2, 20))}, "the baseline has 2 rows; gradient SHAP"),
        ({"dtype": torch.float32}, "X is torch.float32 but the model's weights are torch.float64: convert X"),
        ({"mode": "mirror"}, "mirror"),
        ({"noise": -1.0}, "noise is -1.0; give a standard deviation"),
    ],
)
def test_bad_options(X, teacher, change, message):
    with pytest.raises(ValueError, match=message):
        distill_penalised(X, teacher, **SHORT | change)


def test_bad_input(X, teacher):
    with pytest.raises(ValueError, match=r"the weight interpretation is 0.5 but there is no model"):
        distill_penalised(X, None, **SHORT)
    with pytest.raises(TypeError, match="X must hold float32 or float64, got float16"):
        distill_penalised(X.astype(np.float16), teacher, **SHORT)
    with pytest.raises(ValueError, match="may be series with channels or images; give ndim=1 or ndim=2"):
        distill_penalised(X[:, None], teacher, **SHORT)
    X[3, 4] = np.nan
    with pytest.raises(ValueError, match="X has a NaN or an infinity, first at sample 3"):
        distill_penalised(X, teacher, **SHORT)


def test_divergence_is_said(X, teacher):
    with pytest.raises(RuntimeError, match=r"the loss diverged in epoch 1: .*; take a smaller learning_rate"):
        distill_penalised(X, teacher, learning_rate=1e80, **SHORT)
