"""Turns of the sky for torch: a network asked in all orientations, and training maps in random ones, with noise."""

import hashlib
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from awd_core.checks import is_real_number
from awd_cosmo.maps.preprocessing import smoothed


class WithChannel(nn.Module):
    """A network for maps with an axis of channels, which is put into maps that have none."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, ny, nx) or (n, channels, ny, nx) to what the network makes of it."""
        return self.network(x.unsqueeze(1) if x.ndim == 3 else x)  # type: ignore[no-any-return]


class WithMask(nn.Module):
    """A network that sees which pixels were observed, of maps that share a mask: a function of the maps alone."""

    def __init__(self, network: nn.Module, mask: Tensor) -> None:
        super().__init__()
        self.network = network
        self.mask: Tensor
        self.register_buffer("mask", mask)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, channels, ny, nx) to what the network makes of it beside the mask."""
        channels = self.mask.to(x).expand(len(x), *self.mask.shape)
        return self.network(torch.cat([x, channels], dim=1))  # type: ignore[no-any-return]


class OverTurns(nn.Module):  # its name is part of the digests that runs keep of models
    """The mean of a network's answers to a map in its eight orientations, or four if it is not square."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, …, ny, nx) to the mean answer."""
        answers = [self.network(oriented(x, element)) for element in range(0, 8, _step(x))]
        return torch.stack(answers).mean(dim=0)


@dataclass(frozen=True)
class SkyAugmentation:
    """Turns and shape noise for training maps, drawn from a generator: what `MapTeacher` augments by.

    Parameters
    ----------
    turns : bool
        Flip and turn each map at random.
    noise : float
        Standard deviation of white noise before it is smoothed.
    smoothing : float
        Standard deviation of the Gaussian in pixels, cut at four of them, the noise mirrored at the edges: what
        `awd_cosmo.maps.observe.smooth` does.

    Examples
    --------
    >>> x = torch.zeros(2, 8, 8)
    >>> SkyAugmentation(noise=0.1)(x, torch.Generator().manual_seed(0)).shape
    torch.Size([2, 8, 8])
    """

    turns: bool = True
    noise: float = 0.0
    smoothing: float = 0.0

    def __post_init__(self) -> None:
        for name in ("noise", "smoothing"):
            value = getattr(self, name)
            if not is_real_number(value) or value < 0:
                raise ValueError(f"{name} must be finite and not negative; got {value!r}")

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Other maps of the same shape, type and device; the noise is the same with turns and without."""
        # Turns have a stream of their own, which begins where the generator stands.
        stands = hashlib.sha256(generator.get_state().numpy().tobytes()).digest()
        if self.noise:
            noise = self.noise * _smoothed(torch.randn(x.shape, generator=generator, dtype=x.dtype), self.smoothing)
        else:
            torch.randint(2, (1,), generator=generator)  # the next batch is turned otherwise
        if self.turns:
            own, step = torch.Generator().manual_seed(int.from_bytes(stands[:7], "big")), _step(x)
            elements = step * torch.randint(8 // step, (len(x),), generator=own)
            out = torch.empty_like(x)
            for element in sorted(set(elements.tolist())):
                here = (elements == element).to(x.device)
                out[here] = oriented(x[here], element)
            x = out
        return x + noise.to(x.device) if self.noise else x


def oriented(x: Tensor, element: int) -> Tensor:
    """`awd_cosmo.maps.observe.turn` for tensors (…, ny, nx).

    Examples
    --------
    >>> oriented(torch.tensor([[[1, 2], [3, 4]]]), 4).tolist()
    [[[2, 1], [4, 3]]]
    """
    flipped = x.flip(-1) if element >= 4 else x
    return torch.rot90(flipped, -(element % 4), dims=(-2, -1))


def _step(x: Tensor) -> int:
    """Between the elements that keep the shape: 1, or 2 where maps are not square."""
    return 1 if x.shape[-2] == x.shape[-1] else 2


def _smoothed(noise: Tensor, width: float) -> Tensor:
    """Noise (…, ny, nx) in this process' memory, smoothed as maps are; the width is in pixels."""
    stack = noise.double().numpy().reshape(-1, *noise.shape[-2:])
    return torch.from_numpy(smoothed(stack, width)).reshape(noise.shape).to(noise.dtype)
