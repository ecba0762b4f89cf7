"""Residual networks for maps, with the names of torchvision's parameters, so that published weights load.

ResNet-18 and ResNet-34 (He, Zhang, Ren, Sun 2015, "Deep residual learning for image recognition", table 1): basic
blocks of two 3 × 3 convolutions, four stages of `width`, 2, 4 and 8 times `width` channels, the mean over all pixels,
and a linear layer. `width=64` is the network as published; 16 suits a laptop and a thousand maps.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn
from torch.nn import functional

from awd_core.checks import is_whole_number

SMALL = 100
"""Pixels along the shorter side of a map, below which the stem for small maps is worth its time."""


@dataclass(frozen=True)
class LoadReport:
    """What `ResNet.load_torchvision` did.

    Attributes
    ----------
    loaded : tuple of str
        Names of the tensors that came from the file.
    changed : dict of str
        Those among them that were adapted, and how.
    left_out : dict of str
        Tensors of the network that were left as they were, and why.
    """

    loaded: tuple[str, ...]
    changed: Mapping[str, str]
    left_out: Mapping[str, str]

    def __str__(self) -> str:
        """One line for the sum, and one for each tensor that was not taken as it was."""
        notes = [f"{name}: {said}" for name, said in self.changed.items()]
        notes += [f"{name} was not loaded: {said}" for name, said in self.left_out.items()]
        total = len(self.loaded) + len(self.left_out)
        return "\n  ".join([f"{len(self.loaded)} of {total} tensors loaded", *notes])


class Pointwise(nn.Conv2d):
    """A 1 × 1 convolution that leaves out the pixels it passes over first, and then has stride 1.

    The weight gradient of a strided one, from 8 to 16 channels and channels-last, writes beyond its memory in
    torch 2.13 (oneDNN 3.12, AVX-512).
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, channels_in, ny, nx) to (n, channels, ny / stride, nx / stride), rounded up."""
        down, across = self.stride
        return functional.conv2d(x[..., ::down, ::across], self.weight)


class BasicBlock(nn.Module):
    """Two 3 × 3 convolutions beside a shortcut, which is a 1 × 1 convolution where the shape changes."""

    def __init__(self, channels_in: int, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU()
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample: nn.Module | None = None
        if stride != 1 or channels_in != channels:
            shortcut = Pointwise(channels_in, channels, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, channels_in, ny, nx) to (n, channels, ny / stride, nx / stride), rounded up."""
        shortcut = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(out)) + shortcut)  # type: ignore[no-any-return]


class ResNet(nn.Module):
    """A residual network of basic blocks, from maps to numbers.

    Parameters
    ----------
    blocks : sequence of four int
        Blocks of each stage.
    in_channels : int
        Maps of a sample: 1 for κ, more for source planes side by side.
    outputs : int
        Numbers that are predicted.
    width : int
        Channels of the first stage; 64 as published.
    small_input : bool
        A stem for maps below some 100 pixels: a 3 × 3 convolution that keeps the resolution (He et al., section 4.2),
        instead of 7 × 7 with stride 2 and a max pool, which leave a quarter of it.
    zero_init_residual : bool
        Start the last batch normalisation of each block with weight 0, so that every block begins as its shortcut
        (Goyal et al. 2017, section 5.1).

    Raises
    ------
    ValueError
        A number below 1, or other than four stages.

    Notes
    -----
    Names and shapes of parameters and buffers are torchvision's, but for the shapes that `in_channels`, `outputs`,
    `width` and `small_input` change. Convolutions start with He's normal weights (fan out). Maps of any size are taken:
    the deepest stage sees them 32 times coarser (8 times with `small_input`), rounded up.

    Examples
    --------
    >>> import torch
    >>> ResNet((1, 1, 1, 1), width=4, small_input=True, outputs=2)(torch.zeros(3, 1, 20, 33)).shape
    torch.Size([3, 2])
    """

    def __init__(
        self,
        blocks: tuple[int, int, int, int],
        *,
        in_channels: int = 1,
        outputs: int = 1,
        width: int = 64,
        small_input: bool = False,
        zero_init_residual: bool = False,
    ) -> None:
        super().__init__()
        numbers = {"in_channels": in_channels, "outputs": outputs, "width": width}
        if bad := [f"{name}={value!r}" for name, value in numbers.items() if not is_whole_number(value) or value < 1]:
            raise ValueError(f"in_channels, outputs and width of a ResNet are 1 or more; got {', '.join(bad)}")
        stages = tuple(blocks) if isinstance(blocks, Iterable) else ()
        if len(stages) != 4 or not all(is_whole_number(stage) and stage >= 1 for stage in stages):
            raise ValueError(f"a ResNet has four stages of one block or more; got blocks={blocks!r}")
        self.in_channels, self.small_input = in_channels, small_input
        if small_input:
            self.conv1 = nn.Conv2d(in_channels, width, 3, 1, 1, bias=False)
        else:
            self.conv1 = nn.Conv2d(in_channels, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU()
        self.maxpool: nn.Module = nn.Identity() if small_input else nn.MaxPool2d(3, 2, 1)
        self.layer1 = _stage(blocks[0], width, width, stride=1)
        self.layer2 = _stage(blocks[1], width, 2 * width, stride=2)
        self.layer3 = _stage(blocks[2], 2 * width, 4 * width, stride=2)
        self.layer4 = _stage(blocks[3], 4 * width, 8 * width, stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(8 * width, outputs)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, BasicBlock) and zero_init_residual:
                nn.init.zeros_(module.bn2.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Map stacks (n, in_channels, ny, nx) to (n, outputs)."""
        if x.ndim != 4 or x.shape[1] != self.in_channels:
            raise ValueError(
                f"this ResNet takes maps of shape (n, {self.in_channels}, ny, nx); got {tuple(x.shape)}. "
                "Add the axis of channels, or build it with in_channels."
            )
        x = self.conv1(x)
        if x.device.type == "cpu":
            # Channels-last in memory: oneDNN fills few channels up to 16 otherwise, which takes nearly twice the time.
            # `contiguous(memory_format=…)` would do the same, but not within torch.vmap.
            x = x.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
        x = self.maxpool(self.relu(self.bn1(x)))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(self.avgpool(x).flatten(1))  # type: ignore[no-any-return]

    def load_torchvision(self, path: str | os.PathLike[str]) -> LoadReport:
        """Fill the network, of width 64, with published weights in torchvision's names.

        Parameters
        ----------
        path : path
            A .safetensors file, as from `safetensors.torch.save_file(torchvision_model.state_dict(), path)`.

        Returns
        -------
        LoadReport
            What was loaded, adapted and left out; print it. The first convolution is summed over its three colours
            (for several channels, the sum is shared among them), so that a map that stands in all three gives the same
            response. `fc` is left as it is where it has other sizes, and so is the first convolution with
            `small_input`.

        Raises
        ------
        FileNotFoundError
            There is no such file.
        ValueError
            The file is no safetensors file (a pickle is never read), or holds another network. Nothing is loaded then.
        """
        tensors = _read_safetensors(Path(path))
        own = self.state_dict()
        taken, changed, left_out = {}, {}, {}
        for name, target in own.items():
            source = tensors.get(name)
            if source is None:
                left_out[name] = "it is not in the file"
            elif source.shape == target.shape:
                taken[name] = source
            elif name == "conv1.weight" and source.shape[2:] == target.shape[2:] and len(source) == len(target):
                one = source.sum(dim=1, keepdim=True) / self.in_channels
                taken[name] = one.expand_as(target)
                changed[name] = f"summed over {source.shape[1]} channels, for {self.in_channels} of this network"
            elif name.startswith("fc.") or (name == "conv1.weight" and self.small_input):
                left_out[name] = f"it is {tuple(source.shape)} in the file, {tuple(target.shape)} here"
            else:
                raise ValueError(
                    f"{name} is {tuple(source.shape)} in {path} and {tuple(target.shape)} in this network: they are "
                    "not the same one. Published weights fit width=64 of the class of the same depth."
                )
        unknown = sorted(tensors.keys() - own.keys())
        # Counters of batches, which old files lack, have no part in predictions.
        missing = [name for name in own.keys() - tensors.keys() if not name.endswith("num_batches_tracked")]
        missing = sorted(name for name in missing if not name.startswith("fc."))
        if unknown or missing:
            strange = [f"{len(unknown)} tensors such as {unknown[0]} are not in this network"] if unknown else []
            strange += [f"{len(missing)} tensors such as {missing[0]} are not in the file"] if missing else []
            raise ValueError(
                f"{path} holds another network: {' and '.join(strange)}. Take ResNet18 or ResNet34, as the file's."
            )
        self.load_state_dict(own | taken)
        return LoadReport(tuple(taken), changed, left_out)


class ResNet18(ResNet):
    """ResNet-18; the options are those of `ResNet`.

    Examples
    --------
    >>> sum(p.numel() for p in ResNet18(in_channels=3, outputs=1000).parameters())
    11689512
    """

    def __init__(
        self,
        *,
        in_channels: int = 1,
        outputs: int = 1,
        width: int = 64,
        small_input: bool = False,
        zero_init_residual: bool = False,
    ) -> None:
        super().__init__(
            (2, 2, 2, 2),
            in_channels=in_channels,
            outputs=outputs,
            width=width,
            small_input=small_input,
            zero_init_residual=zero_init_residual,
        )


class ResNet34(ResNet):
    """ResNet-34; the options are those of `ResNet`.

    Examples
    --------
    >>> sum(p.numel() for p in ResNet34(width=8).parameters())
    334745
    """

    def __init__(
        self,
        *,
        in_channels: int = 1,
        outputs: int = 1,
        width: int = 64,
        small_input: bool = False,
        zero_init_residual: bool = False,
    ) -> None:
        super().__init__(
            (3, 4, 6, 3),
            in_channels=in_channels,
            outputs=outputs,
            width=width,
            small_input=small_input,
            zero_init_residual=zero_init_residual,
        )


def _stage(blocks: int, channels_in: int, channels: int, stride: int) -> nn.Sequential:
    rest = [BasicBlock(channels, channels) for _ in range(blocks - 1)]
    return nn.Sequential(BasicBlock(channels_in, channels, stride), *rest)


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError(
            f"{path} is no whole safetensors file ({error}). Pickles (.pth, .pt) can run any code while they are read, "
            "and are not read here; where torchvision is installed, write safetensors.torch.save_file("
            "torchvision.models.resnet18(weights='DEFAULT').state_dict(), 'resnet18.safetensors')."
        ) from error
