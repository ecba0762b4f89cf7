"""Contextual decomposition: both parts add up, linear networks are split exactly, masks are batched, errors say why."""

import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from awd_core.attribution import TrimModel
from awd_core.decomposition import DecompositionError, add_rule, contextual_decomposition, decompose, parts, rules
from awd_core.teacher import MLP, Standardised
from awd_core.transforms import DWT2d, FourierTransform, LinearDictionary

EXACT = 1e-12
"""Of β + γ − f in float64, where |f| is about 1."""


class Plain(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.relu, self.pool, self.head = nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Linear(36, 3)

    def forward(self, x):
        return self.head(self.pool(self.relu(self.conv(x))).flatten(1))


class Functional(Plain):
    def forward(self, x):
        return self.head(functional.max_pool2d(functional.relu(self.conv(x)), 2).flatten(1))


class Methods(Plain):
    def forward(self, x):
        assert x.ndim == 4
        assert tuple(x.shape[1:]) == (1, 8, 8)
        return (
            self.conv(x).clamp(min=0).unfold(2, 2, 2).unfold(3, 2, 2).amax((-2, -1)).view(len(x), -1)
            @ self.head.weight.T
        )


class InPlace(Plain):
    """The same values as `Functional`, by operations that overwrite them, and views of them."""

    def forward(self, x):
        y = self.conv(x)
        y.view(len(y), -1).relu_()
        y *= 2
        y += 0.0
        return self.head(functional.max_pool2d(functional.relu(y, inplace=True), 2).flatten(1) / 2)


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.norm, self.relu, self.head = nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Linear(4, 3)
        self.norm.running_mean.normal_()
        self.norm.running_var.uniform_(0.5, 2.0)

    def forward(self, x):
        x = self.relu(self.norm(self.first(x)))
        out = self.second(x)
        out += x
        return self.head(self.relu(out).mean((2, 3)))


class Recurrent(nn.Module):
    def __init__(self, kind, **options):
        super().__init__()
        self.layer = kind(4, 5, batch_first=options.pop("batch_first", True), **options)
        width = options.get("proj_size") or 5
        self.head = nn.Linear(width * (1 + options.get("bidirectional", False)), 3)

    def forward(self, x):
        series = x.reshape(len(x), 16, 4)
        if self.layer.batch_first:
            return self.head(self.layer(series)[0][:, -1])
        return self.head(self.layer(series.transpose(0, 1))[1][0][-1])


class Cells(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.cell, self.head = kind(8, 5), nn.Linear(5, 3)

    def forward(self, x):
        state = None
        for step in x[:, 0].unbind(1):
            state = self.cell(step, state)
        return self.head(state[0] if isinstance(state, tuple) else state)


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.head = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), nn.Linear(8, 3)

    def forward(self, x):
        mask = nn.Transformer.generate_square_subsequent_mask(8, dtype=x.dtype)
        return self.head(self.layer(x[:, 0], src_mask=mask).mean(1))


def mixed():
    return nn.Sequential(
        nn.Flatten(), nn.Linear(64, 8), nn.GELU(), nn.LayerNorm(8), nn.Linear(8, 8), nn.SiLU(),
        nn.RReLU(inplace=True), nn.Linear(8, 8),
        nn.PReLU(),
        nn.Unflatten(1, (4, 2)), nn.GroupNorm(2, 4), nn.Conv1d(4, 4, 1), nn.Softplus(), nn.Dropout(0.5),
        nn.AvgPool1d(2),
        nn.Flatten(), nn.Linear(4, 3), nn.Softmax(1),
    )  # fmt: skip


NETWORKS = {
    "plain": Plain, "functional": Functional, "methods": Methods, "in place": InPlace, "residual": Residual,
    "mixed": mixed, "lstm": lambda: Recurrent(nn.LSTM), "gru": lambda: Recurrent(nn.GRU),
    "rnn": lambda: Recurrent(nn.RNN),
    "lstm, steps first": lambda: Recurrent(nn.LSTM, batch_first=False),
    "lstm, two layers": lambda: Recurrent(nn.LSTM, num_layers=2, bidirectional=True),
    "lstm, projected": lambda: Recurrent(nn.LSTM, proj_size=3),
    "gru, two layers": lambda: Recurrent(nn.GRU, num_layers=2, bidirectional=True, bias=False, dropout=0.3),
    "lstm cell": lambda: Cells(nn.LSTMCell), "gru cell": lambda: Cells(nn.GRUCell), "attention": Attention,
    "framed": lambda: Standardised(MLP(64, (8,), 3), *map(torch.tensor, (0.3, 2.0, [1.0, 0.0, 0.0], 3.0))),
}  # fmt: skip
each_network = pytest.mark.parametrize("name", NETWORKS)


def problem(name, dtype=torch.float64):
    torch.manual_seed(3)
    network = NETWORKS[name]().to(dtype).eval().requires_grad_(False)
    x = torch.randn(4, 1, 8, 8, dtype=dtype)
    return network, x, (torch.rand(8, 8) < 0.5).to(dtype)


@each_network
def test_both_parts_add_up_to_the_prediction(name):
    network, x, mask = problem(name)
    relevant, irrelevant = contextual_decomposition(network, x, mask)
    assert relevant.shape == network(x).shape
    assert (relevant + irrelevant - network(x)).abs().max() < EXACT
    assert relevant.abs().max() > 1e-6
    assert irrelevant.abs().max() > 1e-6


@each_network
def test_nothing_and_everything(name):
    network, x, mask = problem(name)
    nothing, everything = (
        contextual_decomposition(network, x, mask * 0),
        contextual_decomposition(network, x, mask * 0 + 1),
    )
    assert nothing.relevant.abs().max() < EXACT
    assert (nothing.irrelevant - network(x)).abs().max() < EXACT
    assert everything.irrelevant.abs().max() < EXACT


@each_network
def test_many_masks_at_once_are_as_one_by_one_and_so_are_batches(name):
    network, x, _ = problem(name)
    masks = (torch.rand(5, 4, 1, 8, 8) < 0.5).double()
    masks[0], masks[1] = 0, 1
    together = contextual_decomposition(network, x, masks)
    few = contextual_decomposition(network, x, masks, batch_size=3)
    assert together.relevant.shape == (5, 4, 3)
    for number, mask in enumerate(masks):
        alone = contextual_decomposition(network, x, mask).relevant
        # A recurrent network follows rounding through its steps.
        assert torch.allclose(together.relevant[number], alone, atol=1e-8)
        assert torch.allclose(few.relevant[number], alone, atol=1e-8)
    one = contextual_decomposition(network, x, masks[2, 0])
    assert torch.allclose(one.relevant[:1], together.relevant[2, :1], atol=1e-8)


@pytest.mark.parametrize("name", [name for name in NETWORKS if name != "lstm, projected"])  # torch warns of it
def test_single_precision(name):
    network, x, mask = problem(name)
    exact = contextual_decomposition(network, x, mask).relevant
    found = contextual_decomposition(network.float(), x.float(), mask)
    assert found.relevant.dtype == torch.float32
    assert (found.relevant + found.irrelevant - network(x.float())).abs().max() < 1e-5
    if "lstm" not in name and "gru" not in name and "rnn" not in name:  # which follow rounding through their steps
        assert torch.allclose(found.relevant.double(), exact, atol=1e-3)


def test_a_linear_network_is_split_exactly():
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 3, 3, bias=False), nn.AvgPool2d(2), nn.Dropout(), nn.Flatten(), nn.Linear(27, 2, bias=False)
    ).double()
    x, mask = torch.randn(4, 1, 8, 8).double(), torch.rand(8, 8).double()
    found = contextual_decomposition(network, x, mask)
    network.eval()
    assert (found.relevant - network(mask * x)).abs().max() < EXACT
    assert (found.irrelevant - network((1 - mask) * x)).abs().max() < EXACT


def published(layers, relevant, irrelevant):
    """The rules as they are printed, for a plain network, of both parts."""
    for layer in layers:
        if isinstance(layer, nn.Conv2d | nn.Linear | nn.BatchNorm2d):
            bias = layer(torch.zeros_like(relevant))
            one, two = layer(relevant) - bias, layer(irrelevant) - bias
            share = (one.abs() + 1e-20) / (one.abs() + two.abs() + 2e-20)
            relevant, irrelevant = one + share * bias, two + (1 - share) * bias
        elif isinstance(layer, nn.ReLU):
            relevant, irrelevant = layer(relevant), layer(relevant + irrelevant) - layer(relevant)
        elif isinstance(layer, nn.Tanh):
            both = layer(relevant + irrelevant)
            relevant, irrelevant = (
                (layer(relevant) + both - layer(irrelevant)) / 2,
                (layer(irrelevant) + both - layer(relevant)) / 2,
            )
        elif isinstance(layer, nn.MaxPool2d):
            _, winners = functional.max_pool2d(relevant + irrelevant, 2, return_indices=True)
            relevant, irrelevant = (
                t.flatten(2).gather(2, winners.flatten(2)).view(winners.shape) for t in (relevant, irrelevant)
            )
        else:
            relevant, irrelevant = layer(relevant), layer(irrelevant)
    return relevant, irrelevant


def test_the_rules_are_the_published_ones():
    torch.manual_seed(1)
    network = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 4, 2), nn.Tanh(), nn.Flatten(),
        nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 2),
    ).double().eval()  # fmt: skip
    network[1].running_mean.normal_()
    x, mask = torch.randn(4, 1, 8, 8).double(), (torch.rand(8, 8) < 0.5).double()
    relevant, irrelevant = published(network, mask * x, (1 - mask) * x)
    found = contextual_decomposition(network, x, mask)
    assert (found.relevant - relevant).abs().max() < 1e-11
    assert (found.irrelevant - irrelevant).abs().max() < 1e-11


def test_an_lstm_follows_its_steps_with_one_bias_a_gate():
    torch.manual_seed(2)
    lstm = nn.LSTM(2, 3, batch_first=True).double()
    x, mask = torch.randn(4, 6, 2).double(), torch.tensor([0.0, 1, 1, 0, 0, 1]).double()[:, None]
    w, v = lstm.weight_ih_l0, lstm.weight_hh_l0
    bias = lstm.bias_ih_l0 + lstm.bias_hh_l0
    h = c = [torch.zeros(4, 3).double()] * 2

    def split(function, parts):
        at_zero = function(torch.zeros_like(parts[0]))
        whole = function(sum(parts))
        own = [(function(p) - at_zero + whole - function(q)) / 2 for p, q in (parts, parts[::-1])]
        return shared(own, at_zero)

    def shared(parts, constant):
        size = parts[0].abs() + parts[1].abs()
        share = torch.where(size > 0, parts[0].abs() / size.clamp_min(1e-300), 0.5)
        return [parts[0] + share * constant, parts[1] + (1 - share) * constant]

    def times(one, two):
        cross = (one[0] * two[1] + one[1] * two[0]) / 2
        return [one[0] * two[0] + cross, one[1] * two[1] + cross]

    for step in range(6):
        seen = [mask[step] * x[:, step], (1 - mask[step]) * x[:, step]]
        gates = shared([p @ w.T + q @ v.T for p, q in zip(seen, h, strict=True)], bias)
        i, f, g, o = zip(*(part.chunk(4, 1) for part in gates), strict=True)
        kept, new = times(split(torch.sigmoid, f), c), times(split(torch.sigmoid, i), split(torch.tanh, g))
        c = [p + q for p, q in zip(kept, new, strict=True)]
        h = times(split(torch.sigmoid, o), split(torch.tanh, c))
    found = contextual_decomposition(lambda x: lstm(x)[0][:, -1], x, mask)
    assert (found.relevant - h[0]).abs().max() < 1e-10
    assert (found.irrelevant - h[1]).abs().max() < 1e-10


def test_products_and_activations_are_shapley_values():
    x = torch.tensor([[3.0, 5.0]])
    found = contextual_decomposition(lambda x: x[:, :1] * x[:, 1:], x, [1, 0])
    assert (found.relevant.item(), found.irrelevant.item()) == (7.5, 7.5)
    found = contextual_decomposition(lambda x: x.sum(1, keepdim=True) ** 2, x, [1, 0])
    assert (found.relevant.item(), found.irrelevant.item()) == (9 + 15, 25 + 15)
    found = contextual_decomposition(lambda x: torch.exp(0 * x.sum(1)), x, [1, 0])
    assert (found.relevant.item(), found.irrelevant.item()) == (0.5, 0.5)  # a constant of which neither has a say


def test_constants_belong_to_masked_values_even_where_these_are_zero():
    x = torch.tensor([[0.0, 0.0, 4.0]])
    found = contextual_decomposition(lambda x: (x - 2) / 4, x, [1, 0, 0])
    assert found.relevant.tolist() == [[-0.5, 0.0, 0.0]]
    assert found.irrelevant.tolist() == [[0.0, -0.5, 0.5]]


def test_a_relu_is_one_however_it_is_written():
    torch.manual_seed(0)
    x, mask = torch.randn(5, 6).double(), (torch.rand(6) < 0.5).double()
    ways = [torch.relu, functional.relu, nn.ReLU(), nn.ReLU(inplace=True), lambda x: x.relu(), lambda x: x.clamp(min=0)]
    w = torch.randn(6, 6).double()
    found = [contextual_decomposition(lambda x, way=way: way(x @ w), x, mask).relevant for way in ways]
    assert all(torch.equal(one, found[0]) for one in found)


def test_gradients_of_both_orders_in_inputs_masks_and_weights():
    torch.manual_seed(0)
    weight, other = torch.randn(3, 4).double().requires_grad_(), torch.randn(1, 3).double().requires_grad_()
    x, mask = torch.randn(2, 4).double().requires_grad_(), torch.rand(4).double().requires_grad_()

    def parts(x, mask, weight, other):
        return contextual_decomposition(lambda x: (x @ weight.T + 0.3).tanh() @ other.T, x, mask.clamp(0, 1))

    assert torch.autograd.gradcheck(parts, (x, mask, weight, other))
    assert torch.autograd.gradgradcheck(parts, (x, mask, weight, other))


def test_the_network_is_left_as_it_was():
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.BatchNorm1d(8), nn.Dropout(), nn.Linear(8, 1)).double()
    network[2].eval()
    modes, x = [module.training for module in network.modules()], torch.randn(3, 1, 8, 8).double()
    held = [dict(vars(module)) for module in network.modules()]
    statistics = network[2].running_mean.clone()
    found = contextual_decomposition(network, x, torch.ones(8, 8))
    with pytest.raises(ValueError, match="fails on samples"):
        contextual_decomposition(network, x[..., :5], torch.ones(8, 5))
    assert [module.training for module in network.modules()] == modes
    assert [vars(module).keys() for module in network.modules()] == [one.keys() for one in held]
    assert torch.equal(network[2].running_mean, statistics)
    assert torch.allclose(found.relevant, network.eval()(x))
    kept = x.clone()
    contextual_decomposition(nn.ReLU(inplace=True), x, torch.ones(8, 8))
    assert torch.equal(x, kept)


def test_coefficients_of_a_transform_are_masked():
    network, x, _ = problem("residual")
    dwt = DWT2d("haar", levels=2).double()
    coefficients = dwt(x)
    only = coefficients.map(lambda band: torch.ones(()))
    only[1] = tuple(torch.zeros(()) for _ in only[1])
    found = contextual_decomposition(network, x, only, transform=dwt)
    part = coefficients.map(lambda band: band)
    part[1] = tuple(torch.zeros_like(band) for band in part[1])
    by_hand = dwt.inverse(part)
    # The same split of the input by a dictionary of two atoms for each sample.
    for number in range(len(x)):
        atoms = LinearDictionary(torch.stack([by_hand[number], x[number] - by_hand[number]]))
        same = contextual_decomposition(network, x[number : number + 1], [1, 0], transform=atoms).relevant
        assert torch.allclose(found.relevant[number], same[0], atol=1e-9)
    trim, leaves, _ = TrimModel.at(network, dwt, x)
    masks = tuple(mask for mask in only.tensors())
    again = contextual_decomposition(trim, leaves, masks)
    assert torch.equal(again.relevant, found.relevant)


def test_what_coefficients_leave_out_is_irrelevant():
    x = torch.randn(3, 4).double()
    network = nn.Linear(4, 1).double()
    with torch.no_grad():
        network.bias.zero_()
    atoms = LinearDictionary([[1.0, 1.0, 0.0, 0.0]])
    found = contextual_decomposition(network, x, [1.0], transform=atoms)
    part = x[:, :2].mean(1, keepdim=True) * torch.tensor([1.0, 1.0, 0.0, 0.0])
    assert torch.allclose(found.relevant, network(part))


def test_a_mask_over_frequencies_can_be_learnt():
    torch.manual_seed(0)
    time = torch.arange(16.0).double()
    fourier, model = FourierTransform(16).double(), lambda x: x @ torch.cos(2 * torch.pi * 3 * time / 16)[:, None]
    x = torch.randn(20, 16).double()
    logits = torch.zeros(9, 1).double().requires_grad_()
    optimiser = torch.optim.Adam([logits], lr=0.3)
    for _ in range(60):
        found = contextual_decomposition(model, x, logits.sigmoid(), transform=fourier)
        loss = found.irrelevant.square().mean() + 0.1 * logits.sigmoid().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    kept = logits.sigmoid().detach()[:, 0]
    assert kept[3] > 0.95
    assert kept[[0, 1, 2, 4, 5, 6, 7, 8]].max() < 0.05


class Inverse(nn.Module):
    def forward(self, x):
        return torch.erfinv(x / 10)


class Decides(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


@pytest.mark.parametrize(
    ("model", "match"),
    [
        (nn.Sequential(nn.Linear(4, 4), Inverse()),
         r"module '1' \(Inverse\) calls torch.erfinv.*add_rule\(torch.erfinv, "),
        (nn.Sequential(Decides()), "cannot be traced"),
        (lambda x: x * float(x.detach()[0, 0]), "cannot be traced"),
        (lambda x: torch.from_numpy(np.sin(x.detach().numpy())), "cannot be traced"),
        (lambda x: torch.ones(len(x), 1), "does not depend on x"),
        (lambda x: functional.dropout(x, 0.5), "draws at random"),
        (nn.BatchNorm1d(4, track_running_stats=False), "depend on the other samples"),
        (lambda x: torch.zeros(3, 4).add_(x), "into a tensor that does not"),
        (lambda x: nn.utils.rnn.pack_sequence([x]), "no rule splits"),
        (lambda x: x // 2, "floordiv"),
    ],
)  # fmt: skip
def test_models_that_cannot_be_followed(model, match):
    for kind in (DecompositionError, NotImplementedError, ValueError):
        with pytest.raises(kind, match=match):
            contextual_decomposition(model, torch.rand(3, 4), torch.ones(4))


def test_scripts_are_refused():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scripted = torch.jit.script(nn.Linear(4, 1))
    with pytest.raises(DecompositionError, match="module '0' is a RecursiveScriptModule, which cannot be traced"):
        contextual_decomposition(nn.Sequential(scripted), torch.rand(3, 4), torch.ones(4))


@pytest.mark.parametrize(
    ("x", "mask", "error", "match"),
    [
        (torch.rand(3, 4), torch.ones(5), ValueError, r"relevant has shape \(5,\) and x \(3, 4\); give a mask"),
        (torch.rand(3, 4), torch.ones(2, 4), ValueError, r"shape \(2, 4\) .*as \(masks, 1, 4\)"),
        (torch.rand(3, 4), torch.ones(2, 2, 3, 4), ValueError, r"shape \(2, 2, 3, 4\)"),
        (torch.rand(3, 4), torch.ones(0, 1, 4), ValueError, r"shape \(0, 1, 4\)"),
        (torch.rand(3, 4), [0, 1, 2, 0], ValueError, "relevant holds 2; give shares from 0"),
        (torch.rand(3, 4), [0, 1, -0.1, 0], ValueError, "relevant holds -0.1"),
        (torch.rand(3, 4), [0, 1, np.nan, 0], ValueError, "relevant holds nan"),
        (torch.rand(3, 4), ["a"] * 4, TypeError, "relevant"),
        (torch.rand(3, 4), torch.ones(4, dtype=torch.complex64), TypeError, "complex"),
        (torch.tensor([[0.0, torch.nan, 0, 0]]), torch.ones(4), ValueError, "NaN or an infinity, first in sample 0"),
        (torch.tensor([[0.0] * 4, [0, torch.inf, 0, 0]]), torch.ones(4), ValueError, "first in sample 1"),
        (torch.ones(3, 4, dtype=torch.int64), torch.ones(4), TypeError, "give floating point numbers"),
        (np.ones((3, 4)), torch.ones(4), TypeError, "give a torch tensor"),
        (torch.ones(0, 4), torch.ones(4), ValueError, "give one sample or more"),
        (torch.rand(3, 4).double(), torch.ones(4), ValueError, "x is torch.float64 but the model's weights are"),
        (torch.rand(3, 5), torch.ones(5), ValueError, "fails on samples of shape"),
        ((torch.rand(3, 4), torch.rand(3, 4)), (torch.ones(4),) * 2, TypeError, "which a TrimModel takes"),
        ((torch.rand(3, 4),), torch.ones(4), ValueError, "tuple of as many masks"),
    ],
)  # fmt: skip
def test_bad_inputs_and_masks(x, mask, error, match):
    with pytest.raises(error, match=match):
        contextual_decomposition(nn.Linear(4, 1), x, mask)


def test_bad_models_and_transforms():
    x = torch.rand(3, 8)
    with pytest.raises(TypeError, match="model must be a torch Module or callable"):
        contextual_decomposition("model", x, torch.ones(8))
    with pytest.raises(TypeError, match="must return one tensor of predictions, it returned tuple"):
        contextual_decomposition(lambda x: (x, x), x, torch.ones(8))
    with pytest.raises(ValueError, match="first axis of the prediction must be the batch"):
        contextual_decomposition(lambda x: x.sum(), x, torch.ones(8))
    with pytest.raises(ValueError, match="batch_size is 0"):
        contextual_decomposition(nn.Linear(8, 1), x, torch.ones(8), batch_size=0)
    with pytest.raises(TypeError, match="transform must have the methods forward and inverse"):
        contextual_decomposition(nn.Linear(8, 1), x, torch.ones(8), transform="db2")
    dwt = DWT2d("haar", levels=1)
    with pytest.raises(ValueError, match="relevant has 1 masks, the coefficients 4 tensors"):
        contextual_decomposition(lambda x: x.sum((1, 2)), torch.rand(3, 8, 8), torch.ones(4, 4), transform=dwt)
    with pytest.raises(ValueError, match="nested as the transform's coefficients"):
        contextual_decomposition(lambda x: x.sum((1, 2)), torch.rand(3, 8, 8), ["cA1"], transform=dwt)
    trees = [torch.ones(2, 1, 1, 1), tuple(torch.ones(3, 1, 1, 1) for _ in range(3))]
    with pytest.raises(ValueError, match=r"relevant has \[2, 3\] masks"):
        contextual_decomposition(lambda x: x.sum((1, 2)), torch.rand(3, 8, 8), trees, transform=dwt)


class Doubled(nn.Module):
    def forward(self, x):
        return torch.special.i1(x)


def test_rules_can_be_added(monkeypatch):
    monkeypatch.setattr(rules, "RULES", dict(rules.RULES))
    monkeypatch.setattr(parts, "RULES", rules.RULES)
    monkeypatch.setattr(rules, "MODULES", dict(rules.MODULES))
    monkeypatch.setattr(decompose, "MODULES", rules.MODULES)
    x, mask = torch.rand(3, 4).double(), torch.tensor([1.0, 0, 1, 0])
    with pytest.raises(DecompositionError, match=r"add_rule\(Doubled, rule\)"):
        contextual_decomposition(Doubled(), x, mask)
    add_rule(torch.special.i1, "activation")
    relevant, irrelevant = contextual_decomposition(Doubled(), x, mask)
    assert torch.allclose(relevant, torch.special.i1(x * mask))
    assert torch.allclose(relevant + irrelevant, torch.special.i1(x))
    add_rule(Doubled, lambda call, relevant, whole: relevant * 2)
    network = nn.Sequential(nn.Identity(), Doubled())
    assert torch.allclose(contextual_decomposition(network, x, mask).relevant, 2 * x * mask)
    with pytest.raises(ValueError, match=r"rule is 'relu'.*choose one of"):
        add_rule(Doubled, "relu")
    with pytest.raises(TypeError, match="class of a module, not one module"):
        add_rule(Doubled(), "linear")
