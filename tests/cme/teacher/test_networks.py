"""Recurrent networks: shapes, masks, covariates, and that padding behind a mask has no say."""

import numpy as np
import pytest
import torch

from awd_cme.teacher.networks import MeanOf, SeriesLSTM, TunedSeriesLSTM, stack_inputs


def test_by_default_the_published_network():
    network = SeriesLSTM()
    assert isinstance(network.rnn, torch.nn.LSTM)
    assert (network.rnn.hidden_size, network.rnn.num_layers, network.rnn.bidirectional) == (20, 1, False)
    x = torch.randn(7, 40, generator=torch.Generator().manual_seed(0))
    _, (last, _) = network.rnn(x.unsqueeze(2))
    torch.testing.assert_close(network(x), network.head(last[0]))


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("readout", ["last", "mean", "both"])
def test_what_lies_behind_the_mask_has_no_say_in_one_direction(cell, bidirectional, readout):
    torch.manual_seed(0)
    network = SeriesLSTM(5, cell, bidirectional, readout, mask=True).double().eval()
    x = torch.randn(4, 2, 30, dtype=torch.float64)
    x[:, 1] = (torch.arange(30) < 12).double()
    short = network(x[..., :12])
    other = x.clone()
    other[:, 0, 12:] = 100.0
    changed = (network(other) - network(x)).abs().max()
    if bidirectional:
        assert changed > 0  # the backward layer reads the padding first
    else:
        assert changed == 0
        torch.testing.assert_close(network(x), short)


def test_the_backward_state_is_the_one_that_has_read_everything():
    torch.manual_seed(0)
    network = SeriesLSTM(5, bidirectional=True).eval()
    x = torch.randn(3, 20)
    _, (last, _) = network.rnn(x.unsqueeze(2))
    torch.testing.assert_close(network(x), network.head(torch.cat([last[0], last[1]], dim=1)))


def test_covariates_go_to_the_readout():
    network = SeriesLSTM(5, covariates=2).eval()
    x = torch.zeros(3, 3, 20)
    x[:, 1], x[:, 2] = 1.0, 2.0
    network.head.weight.data.zero_()
    network.head.bias.data.zero_()
    network.head.weight.data[0, -2:] = torch.tensor([10.0, 1.0])
    torch.testing.assert_close(network(x), torch.full((3, 1), 12.0))


def test_the_tuned_form_differs_by_its_defaults_alone():
    torch.manual_seed(1)
    tuned = TunedSeriesLSTM()
    torch.manual_seed(1)
    same = SeriesLSTM(bidirectional=True, readout="both")
    x = torch.randn(2, 40)
    torch.testing.assert_close(tuned(x), same(x))


def test_an_ensemble_is_the_mean():
    members = [SeriesLSTM(3), SeriesLSTM(3)]
    x = torch.randn(4, 10)
    torch.testing.assert_close(MeanOf(members)(x), (members[0](x) + members[1](x)) / 2)
    with pytest.raises(ValueError, match="one member or more"):
        MeanOf([])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cell": "rnn"}, "cell is one of lstm, gru"),
        ({"readout": "first"}, "readout is one of last, mean, both"),
        ({"hidden": 0}, "hidden and n_out are 1 or more"),
        ({"dropout": 1.0}, "dropout from 0 to below 1"),
    ],
)
def test_options_that_will_not_do(options, message):
    with pytest.raises(ValueError, match=message):
        SeriesLSTM(**options)


def test_inputs_of_another_shape_are_named():
    with pytest.raises(ValueError, match=r"inputs of shape \(n, N\); got \(2, 2, 40\)"):
        SeriesLSTM()(torch.zeros(2, 2, 40))
    with pytest.raises(ValueError, match=r"\(n, 3, N\): series, mask, 1 covariates; got \(2, 1, 40\)"):
        SeriesLSTM(mask=True, covariates=1)(torch.zeros(2, 40))


def test_stack_inputs():
    X = np.arange(12.0).reshape(3, 4)
    assert stack_inputs(X) is X
    stacked = stack_inputs(X, mask=X > 3, covariates=np.array([1.0, 2.0, 3.0]))
    assert stacked.shape == (3, 3, 4)
    np.testing.assert_array_equal(stacked[:, 0], X)
    np.testing.assert_array_equal(stacked[1, 2], np.full(4, 2.0))
    for wrong, message in (
        ({"mask": np.ones((3, 5))}, "the mask has the shape"),
        ({"covariates": np.ones(4)}, "covariates have the shape"),
    ):
        with pytest.raises(ValueError, match=message):
            stack_inputs(X, **wrong)
    with pytest.raises(ValueError, match=r"X has the shape \(n, N\)"):
        stack_inputs(X[0])
