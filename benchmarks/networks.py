"""The teachers of the comparisons, as published: an LSTM for series and a ResNet-18 for maps."""

import torch
from torch import Tensor, nn


class Recurrent(nn.Module):
    """The published LSTM: one layer of 20 units, series (m, 1, N) to a prediction (m, 1)."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(1, 20, batch_first=True)
        self.head = nn.Linear(20, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Predict from the last hidden state."""
        states, _ = self.lstm(x.transpose(1, 2))
        prediction: Tensor = self.head(states[:, -1])
        return prediction


class _Block(nn.Module):
    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU(),
            nn.Conv2d(out, out, 3, 1, 1, bias=False), nn.BatchNorm2d(out),
        )  # fmt: skip
        same = stride == 1 and channels == out
        self.shortcut = (
            nn.Identity()
            if same
            else nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out))
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.body(x) + self.shortcut(x))


def residual() -> nn.Module:
    """ResNet-18 for maps with one channel and three predictions (He, Zhang, Ren, Sun 2016, table 1)."""
    layers: list[nn.Module] = [
        nn.Conv2d(1, 64, 7, 2, 3, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, 1),
    ]
    channels = 64
    for out, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        layers += [_Block(channels, out, stride), _Block(out, out, 1)]
        channels = out
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 3))
