"""Small networks, and the frame that lets any network take and give values in the data's own units."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from awd_core.checks.whole_numbers import is_whole_number

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "gelu": nn.GELU, "tanh": nn.Tanh}
"""What may stand between the layers of `MLP`."""


class MLP(nn.Module):
    """Multilayer perceptron on the flattened sample.

    Parameters
    ----------
    n_in : int
        Number of values of a sample, all its axes together.
    hidden : sequence of int
        Widths of the hidden layers; empty for a linear map.
    n_out : int
        Number of outputs.
    activation : {"relu", "gelu", "tanh"}
        Function after each hidden layer.

    Raises
    ------
    ValueError
        A width below 1, or an unknown activation.

    Examples
    --------
    >>> import torch
    >>> MLP(64, hidden=(32, 32))(torch.zeros(5, 8, 8)).shape
    torch.Size([5, 1])
    """

    def __init__(
        self,
        n_in: int,
        hidden: Sequence[int] = (64, 64),
        n_out: int = 1,
        activation: Literal["relu", "gelu", "tanh"] = "relu",
    ) -> None:
        super().__init__()
        widths = [n_in, *(hidden if isinstance(hidden, Iterable) else [None]), n_out]
        if not all(is_whole_number(width) and width >= 1 for width in widths):
            raise ValueError(
                f"every layer of an MLP needs at least one unit; got n_in={n_in!r}, hidden={hidden!r}, n_out={n_out!r}"
                "; give whole numbers, and hidden as a list of them."
            )
        if activation not in ACTIVATIONS:
            raise ValueError(f"activation is one of {', '.join(ACTIVATIONS)}; got {activation!r}.")
        layers: list[nn.Module] = []
        for before, after in pairwise(widths[:-1]):
            layers += [nn.Linear(before, after), ACTIVATIONS[activation]()]
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-2], widths[-1]))

    def forward(self, x: Tensor) -> Tensor:
        """Map samples (n, …) to outputs (n, n_out)."""
        return self.layers(x.flatten(1))  # type: ignore[no-any-return]


class Standardised(nn.Module):
    """A network that works on standardised values, framed so that it takes and gives raw ones.

    Parameters
    ----------
    network : torch.nn.Module
        Maps standardised inputs (n, …) to standardised outputs (n, k) or (n,).
    input_mean, input_sd : Tensor
        Location and scale of the inputs: scalars, or of a sample's shape.
    target_mean, target_sd : Tensor
        Location and scale of the outputs, scalars or (k,).

    Notes
    -----
    The inputs are standardised in the wider of their own precision and the network's, and then cast: a float64 series
    with a large offset keeps its digits in a float32 network.
    """

    def __init__(
        self, network: nn.Module, input_mean: Tensor, input_sd: Tensor, target_mean: Tensor, target_sd: Tensor
    ) -> None:
        super().__init__()
        self.network = network
        self.input_mean: Tensor
        self.input_sd: Tensor
        self.target_mean: Tensor
        self.target_sd: Tensor
        self.register_buffer("input_mean", input_mean)
        self.register_buffer("input_sd", input_sd)
        self.register_buffer("target_mean", target_mean)
        self.register_buffer("target_sd", target_sd)

    def forward(self, x: Tensor) -> Tensor:
        """Map raw samples (n, …) to raw outputs (n, k)."""
        return self.standardised(x) * self.target_sd + self.target_mean

    def standardised(self, x: Tensor) -> Tensor:
        """Map raw samples (n, …) to outputs (n, k) in units of the standardised targets."""
        # Said outright, as numbers of one scale are scalars, which widen nothing.
        x = x.to(torch.promote_types(x.dtype, self.input_mean.dtype))
        z = ((x - self.input_mean) / self.input_sd).to(self.input_mean.dtype)
        out: Tensor = self.network(z)
        # Under mixed precision the network answers in 16 bits; the loss and the raw values want more.
        out = out.to(self.input_mean.dtype)
        return out.unsqueeze(1) if out.ndim == 1 else out


class InTargetUnits(nn.Module):
    """A network in its frame that gives standardised predictions of raw samples, as the loss sees them.

    Parameters
    ----------
    framed : Standardised
        The network in its frame.
    """

    def __init__(self, framed: Standardised) -> None:
        super().__init__()
        self.framed = framed

    def forward(self, x: Tensor) -> Tensor:
        """Map raw samples (n, …) to outputs (n, k) in units of the standardised targets."""
        return self.framed.standardised(x)
