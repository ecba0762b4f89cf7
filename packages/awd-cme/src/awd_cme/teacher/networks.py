"""Networks for short series: the published LSTM, what may be changed about it, and pooled convolutions.

One tensor goes in, so that the gradient with respect to it is one array: channel 0 is the series, then, on request, the
validity mask, then one channel for each covariate, constant in time (`stack_inputs`).
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from awd_core.checks import is_real_number, is_whole_number
from awd_core.typing import AnyArray

CELLS: dict[str, Callable[..., nn.RNNBase]] = {"lstm": nn.LSTM, "gru": nn.GRU}
READOUTS = ("last", "mean", "both")


class SeriesLSTM(nn.Module):
    """One recurrent layer over a series, and a linear readout; by default as published: an LSTM of 20 units.

    Parameters
    ----------
    hidden : int
        Units of the layer, in each direction.
    cell : {"lstm", "gru"}
        Kind of unit.
    bidirectional : bool
        Whether a second layer reads the series backwards.
    readout : {"last", "mean", "both"}
        What the prediction is made from: the state after the last sample (of the backward layer: after the first), as
        published; the mean of all states; or both.
    mask : bool
        Whether channel 1 is a validity mask. It is then an input of the layer; "last" is the last valid sample, and
        "mean" is over valid samples.
    covariates : int
        Number of channels behind those, each constant in time: numbers such as the lifetime that go to the readout.
    dropout : float
        Share of the readout's inputs that are dropped in training.
    n_out : int
        Number of predictions; for a classification logits.

    Raises
    ------
    ValueError
        For an unknown cell or readout, or numbers out of range.

    Examples
    --------
    >>> network = SeriesLSTM()
    >>> network(torch.zeros(5, 40)).shape, sum(p.numel() for p in network.parameters())
    (torch.Size([5, 1]), 1861)
    >>> SeriesLSTM(mask=True, covariates=1, readout="both", bidirectional=True)(torch.ones(5, 3, 40)).shape
    torch.Size([5, 1])
    """

    def __init__(
        self,
        hidden: int = 20,
        cell: str = "lstm",
        bidirectional: bool = False,
        readout: str = "last",
        mask: bool = False,
        covariates: int = 0,
        dropout: float = 0.0,
        n_out: int = 1,
    ) -> None:
        super().__init__()
        if cell not in CELLS:
            raise ValueError(f"cell is one of {', '.join(CELLS)}; got {cell!r}")
        if readout not in READOUTS:
            raise ValueError(f"readout is one of {', '.join(READOUTS)}; got {readout!r}")
        _check_sizes({"hidden": hidden, "n_out": n_out}, covariates, dropout)
        self.hidden, self.readout, self.mask, self.covariates = hidden, readout, mask, covariates
        self.rnn = CELLS[cell](1 + mask, hidden, batch_first=True, bidirectional=bidirectional)
        width = hidden * (1 + bidirectional) * (2 if readout == "both" else 1)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width + covariates, n_out)

    def forward(self, x: Tensor) -> Tensor:
        """Predict from series (n, N), or (n, channels, N) with mask and covariates, to (n, n_out)."""
        series, further = _parts(x, self.mask, self.covariates)
        states, _ = self.rnn(series.transpose(1, 2))
        valid = series[:, 1] if self.mask else None
        parts = []
        if self.readout != "mean":
            parts.append(self._last(states, valid))
        if self.readout != "last":
            parts.append(states.mean(1) if valid is None else _mean_of(states, valid))
        features = self.dropout(torch.cat(parts, dim=1))
        if self.covariates:
            features = torch.cat([features, further], dim=1)
        prediction: Tensor = self.head(features)
        return prediction

    def _last(self, states: Tensor, valid: Tensor | None) -> Tensor:
        """The state of each direction when it has read everything."""
        forward, backward = states[..., : self.hidden], states[:, 0, self.hidden :]
        if valid is None:
            last = forward[:, -1]
        else:
            at = (valid > 0.5).sum(1).clamp(min=1) - 1
            last = forward[torch.arange(len(states), device=states.device), at]
        return torch.cat([last, backward], dim=1)


class TunedSeriesLSTM(SeriesLSTM):
    """The `SeriesLSTM` whose defaults did best in cross-validation on training tracks: both directions, both readouts.

    On the yeast tracks the published form, which has to carry all that it saw through the zeros behind a short series,
    reached a lower R² than any form that averages its states. Parameters are those of `SeriesLSTM`.

    Examples
    --------
    >>> TunedSeriesLSTM()(torch.zeros(5, 40)).shape
    torch.Size([5, 1])
    """

    def __init__(
        self,
        hidden: int = 20,
        cell: str = "lstm",
        bidirectional: bool = True,
        readout: str = "both",
        mask: bool = False,
        covariates: int = 0,
        dropout: float = 0.0,
        n_out: int = 1,
    ) -> None:
        super().__init__(hidden, cell, bidirectional, readout, mask, covariates, dropout, n_out)


class PooledConvolutions(nn.Module):
    """Two convolutions over a series, what each of their channels holds wherever it lies, and a small perceptron.

    Of every channel the largest value, the mean and the standard deviation over time are kept, so that a burst counts
    the same early and late. A small network learns such a thing from a few hundred tracks sooner than a recurrent one.

    Parameters
    ----------
    channels : int
        Of each convolution.
    hidden : int
        Units of the perceptron.
    mask : bool
        Whether channel 1 is a validity mask. It is then an input of the convolutions.
    covariates : int
        Number of channels behind those, each constant in time, which go to the perceptron.
    dropout : float
        Share of the perceptron's inputs that are dropped in training.
    n_out : int
        Number of predictions; for a classification logits.

    Raises
    ------
    ValueError
        For numbers out of range.

    Examples
    --------
    >>> PooledConvolutions()(torch.zeros(5, 40)).shape
    torch.Size([5, 1])
    """

    def __init__(
        self,
        channels: int = 24,
        hidden: int = 32,
        mask: bool = False,
        covariates: int = 0,
        dropout: float = 0.15,
        n_out: int = 1,
    ) -> None:
        super().__init__()
        _check_sizes({"channels": channels, "hidden": hidden, "n_out": n_out}, covariates, dropout)
        self.mask, self.covariates = mask, covariates
        self.first = nn.Conv1d(1 + mask, channels, 7, padding=6)
        self.second = nn.Conv1d(channels, channels, 5, padding=4, dilation=2)
        self.dropout = nn.Dropout(dropout)
        self.hidden = nn.Linear(3 * channels + covariates, hidden)
        self.head = nn.Linear(hidden, n_out)

    def forward(self, x: Tensor) -> Tensor:
        """Predict from series (n, N), or (n, channels, N) with mask and covariates, to (n, n_out)."""
        series, further = _parts(x, self.mask, self.covariates)
        z = self.second(self.first(series).relu()).relu()
        pooled = torch.cat([z.amax(2), z.mean(2), z.var(2).clamp_min(1e-12).sqrt(), further], dim=1)
        prediction: Tensor = self.head(self.hidden(self.dropout(pooled)).relu())
        return prediction


class MeanOf(nn.Module):  # its name is part of the digests that runs keep of models
    """Mean of the predictions of several networks: an ensemble as one module.

    Parameters
    ----------
    members : sequence of torch.nn.Module
        Each maps the same inputs to predictions of the same shape.

    Examples
    --------
    >>> MeanOf([SeriesLSTM(4), SeriesLSTM(4)])(torch.zeros(3, 40)).shape
    torch.Size([3, 1])
    """

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        if not members:
            raise ValueError("an ensemble needs one member or more")
        self.members = nn.ModuleList(members)

    def forward(self, x: Tensor) -> Tensor:
        """Average over the members."""
        return torch.stack([member(x) for member in self.members]).mean(0)


def stack_inputs(
    X: npt.ArrayLike, *, mask: npt.ArrayLike | None = None, covariates: npt.ArrayLike | None = None
) -> AnyArray:
    """Inputs of a `SeriesLSTM` from their parts.

    Parameters
    ----------
    X : array_like, shape (n, N)
        Standardised series.
    mask : array_like of bool, shape (n, N), optional
        Validity.
    covariates : array_like, shape (n,) or (n, k), optional
        Standardised numbers.

    Returns
    -------
    ndarray, shape (n, N), or (n, channels, N) with a mask or covariates

    Raises
    ------
    ValueError
        If shapes disagree.

    Examples
    --------
    >>> stack_inputs(np.zeros((5, 40)), mask=np.ones((5, 40)), covariates=np.zeros(5)).shape
    (5, 3, 40)
    """
    series = np.asarray(X)
    if series.ndim != 2:
        raise ValueError(f"X has the shape (n, N); got {series.shape}")
    if mask is None and covariates is None:
        return series
    parts = [series[:, None]]
    if mask is not None:
        valid = np.asarray(mask, dtype=series.dtype)
        if valid.shape != series.shape:
            raise ValueError(f"the mask has the shape {valid.shape} and X {series.shape}; they have to be the same")
        parts.append(valid[:, None])
    if covariates is not None:
        numbers = np.asarray(covariates, dtype=series.dtype)
        numbers = numbers[:, None] if numbers.ndim == 1 else numbers
        if numbers.ndim != 2 or len(numbers) != len(series):
            raise ValueError(f"covariates have the shape (n,) or (n, k) with n = {len(series)}; got {numbers.shape}")
        parts.append(np.broadcast_to(numbers[:, :, None], (*numbers.shape, series.shape[1])))
    return np.concatenate(parts, axis=1)


def _mean_of(states: Tensor, valid: Tensor) -> Tensor:
    weights = (valid > 0.5).to(states.dtype)
    return (states * weights.unsqueeze(2)).sum(1) / weights.sum(1, keepdim=True).clamp(min=1.0)


def _check_sizes(sizes: Mapping[str, int], covariates: int, dropout: float) -> None:
    whole = is_real_number(dropout) and all(map(is_whole_number, (*sizes.values(), covariates)))
    if not whole or min(sizes.values()) < 1 or covariates < 0 or not 0 <= dropout < 1:
        given = ", ".join(f"{name}={size}" for name, size in sizes.items())
        raise ValueError(
            f"{' and '.join(sizes)} are 1 or more, covariates 0 or more, dropout from 0 to below 1; got {given}, "
            f"covariates={covariates}, dropout={dropout}"
        )


def _parts(x: Tensor, mask: bool, covariates: int) -> tuple[Tensor, Tensor]:
    """Series with their mask (n, 1 or 2, N), and covariates (n, covariates), of a network's input."""
    channels = 1 + mask + covariates
    if x.ndim == 2:
        x = x.unsqueeze(1)
    if x.ndim != 3 or x.shape[1] != channels:
        wanted = (
            "(n, N)"
            if channels == 1
            else f"(n, {channels}, N): series{', mask' * mask}" + (f", {covariates} covariates" if covariates else "")
        )
        raise ValueError(f"this network takes inputs of shape {wanted}; got {tuple(x.shape)}")
    return x[:, : 1 + mask], x[:, 1 + mask :].mean(2)
