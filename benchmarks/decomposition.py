"""Contextual decomposition and attribution curves beside the authors' code: `python -m benchmarks.decomposition …`.

`--acd PATH` is a checkout of csinva/hierarchical-dnn-interpretations, `--dac PATH` one of
csinva/disentangled-attribution-curves; either may be left out. Compared are β on networks, how far their two parts are
from adding up to the prediction, and scores of samples by forests.
"""

import argparse
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from sklearn.ensemble import RandomForestRegressor
from torch import Tensor, nn
from torch.nn import functional

from awd_core import attribution_curve, contextual_decomposition


class Functional(nn.Module):
    """A network whose activations are functions."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(1, 4, 3), nn.Linear(144, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Map images (n, 1, 8, 8) to (n, 3)."""
        out: Tensor = self.head(functional.relu(self.conv(x)).flatten(1))
        return out


class Residual(nn.Module):
    """A network with a shortcut."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.relu, self.conv2 = nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1)
        self.fc = nn.Linear(144, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Map images (n, 1, 8, 8) to (n, 3)."""
        x = self.relu(self.conv1(x))
        out: Tensor = self.fc((self.conv2(x) + x).flatten(1))
        return out


def networks() -> dict[str, nn.Module]:
    """Networks of all kinds, untrained."""
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 3))
    normed = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3))
    made = {"plain": plain, "batch norm": normed, "functional ReLU": Functional(), "residual": Residual()}
    return {name: network.eval().requires_grad_(False) for name, network in made.items()}


def decompositions(acd: Any) -> Iterator[tuple[str, ...]]:
    """Rows of the first table."""
    x, mask = torch.randn(4, 1, 8, 8), (torch.rand(8, 8) < 0.5).float()
    for name, network in networks().items():
        ours = contextual_decomposition(network, x, mask)
        gap = f"{(sum(ours) - network(x)).abs().max():.1e}"
        try:
            theirs = acd.cd(x, network, mask=mask.expand(1, 1, 8, 8).numpy(), device="cpu")
        except Exception as error:  # whatever their code raises is the finding
            yield name, gap, f"{type(error).__name__}: {str(error)[:50]}", ""
            continue
        yield (
            name, gap, f"{(theirs[0] + theirs[1] - network(x)).abs().max():.1e}",
            f"{(theirs[0] - ours.relevant).abs().max():.1e}",
        )  # fmt: skip


def curves(dac: Any) -> Iterator[tuple[str, ...]]:
    """Rows of the second table."""
    rng = np.random.default_rng(0)
    for name, x in (("real values", rng.uniform(size=(200, 4))), ("whole numbers", rng.integers(0, 6, (200, 4)) * 1.0)):
        y = x[:, 0] * (x[:, 1] > np.median(x[:, 1])) + x[:, 2]
        for depth in (2, 8):
            forest = RandomForestRegressor(20, max_depth=depth, max_features=1, random_state=0).fit(x, y)
            ours = attribution_curve(forest, x, y, 0, x[:30])
            theirs = dac.dac(forest, x, y, x[:30], np.array([1, 0, 0, 0]))
            gap, counted = np.abs(theirs - ours.values), np.abs(theirs - ours.values * ours.trees)
            yield f"{name}, depth {depth}", f"{np.nanmax(gap):.1e}", f"{np.nanmax(counted):.1e}"


def main() -> None:
    """Print both tables, of those checkouts that are given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--acd", type=Path, help="checkout of csinva/hierarchical-dnn-interpretations")
    parser.add_argument("--dac", type=Path, help="checkout of csinva/disentangled-attribution-curves")
    options = parser.parse_args()
    console = Console()
    if options.acd is not None:
        sys.path.insert(0, str(options.acd))
        table = Table("network", "ours: |β + γ − f|", "theirs", "|β theirs − β ours|", title="contextual decomposition")
        for row in decompositions(importlib.import_module("acd.scores.cd")):
            table.add_row(*row)
        console.print(table)
    if options.dac is not None:
        sys.path.insert(0, str(options.dac))
        table = Table(
            "data", "|theirs − ours|", "with trees that do not ask as 0", title="scores of samples by a forest"
        )
        for row in curves(importlib.import_module("dac.dac")):
            table.add_row(*row)
        console.print(table)


if __name__ == "__main__":
    main()
