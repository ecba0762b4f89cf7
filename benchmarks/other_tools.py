"""Tecator beside other tools: `python -m benchmarks.other_tools --data tecator.csv [--splits 5]`.

Each tool gets the same second derivatives of the spectra and the same network, a multilayer perceptron of scikit-learn,
and makes of them what it makes: a model that reads a few numbers where it can, else its usual one. What is not
installed is named and left out (`pip install captum imodels tslearn aeon`). Nothing is chosen on test data; a tool's
own settings stay as they come, but for the number of numbers, ten.
"""

import argparse
import time
import warnings
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table
from scipy.signal import savgol_filter
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score
from sklearn.neural_network import MLPRegressor

from awd_core import readable_model

NUMBERS, TRAIN = 10, 160


class Split(NamedTuple):
    """Training spectra with the network's answers, and test spectra."""

    X: np.ndarray
    y: np.ndarray
    answers: np.ndarray
    network: MLPRegressor
    X_test: np.ndarray


class Made(NamedTuple):
    """Predictions for the test spectra, and how many numbers they read."""

    predictions: np.ndarray
    numbers: int | None


def awd(split: Split) -> Made:
    """Ten numbers of a distilled wavelet."""
    found = readable_model(split.X, split.y, split.answers, features="values", wavelet="db3", numbers=NUMBERS)
    return Made(found.model.predict(split.X_test), len(found.model.card.numbers))


def captum_ridge(split: Split) -> Made:
    """Ridge on the ten wavelengths with the largest mean |integrated gradients|: captum gives no model itself."""
    import torch
    from captum.attr import IntegratedGradients

    layers: list[torch.nn.Module] = []
    for weights, bias in zip(split.network.coefs_, split.network.intercepts_, strict=True):
        layer = torch.nn.Linear(*weights.shape, dtype=torch.float64)
        layer.weight.data, layer.bias.data = torch.from_numpy(weights.T.copy()), torch.from_numpy(bias.copy())
        layers += [layer, torch.nn.ReLU()]
    network = torch.nn.Sequential(*layers[:-1])
    given = IntegratedGradients(network).attribute(torch.from_numpy(split.X), target=0).abs().mean(0).numpy()
    largest = np.argsort(-given)[:NUMBERS]
    ridge = RidgeCV(np.logspace(-6, 3, 30)).fit(split.X[:, largest], split.y)
    return Made(ridge.predict(split.X_test[:, largest]), NUMBERS)


def imodels_figs(split: Split) -> Made:
    """FIGS: a sum of trees with ten rules."""
    from imodels import FIGSRegressor

    model = FIGSRegressor(max_rules=NUMBERS).fit(split.X, split.y)
    return Made(model.predict(split.X_test), NUMBERS)


def imodels_rulefit(split: Split) -> Made:
    """RuleFit: ten rules and lines."""
    from imodels import RuleFitRegressor

    model = RuleFitRegressor(max_rules=NUMBERS, random_state=0).fit(split.X, split.y)
    return Made(model.predict(split.X_test), NUMBERS)


def aeon_shapelets(split: Split) -> Made:
    """Random dilated shapelets and ridge."""
    from aeon.regression.shapelet_based import RDSTRegressor

    model = RDSTRegressor(max_shapelets=1000, random_state=0).fit(split.X[:, None], split.y)
    return Made(model.predict(split.X_test[:, None]), None)


def aeon_kernels(split: Split) -> Made:
    """MiniRocket and ridge."""
    from aeon.regression.convolution_based import MiniRocketRegressor

    model = MiniRocketRegressor(random_state=0).fit(split.X[:, None], split.y)
    return Made(model.predict(split.X_test[:, None]), None)


def tslearn_svr(split: Split) -> Made:
    """Support vectors with a kernel of time series."""
    from tslearn.svm import TimeSeriesSVR

    centre, scale = split.y.mean(), split.y.std()
    model = TimeSeriesSVR(kernel="gak").fit(split.X[..., None], (split.y - centre) / scale)
    return Made(centre + scale * model.predict(split.X_test[..., None]), None)


TOOLS: dict[str, tuple[str, Callable[[Split], Made]]] = {
    "AWD, ten numbers": ("awd_core", awd),
    "captum: ten wavelengths, ridge": ("captum", captum_ridge),
    "imodels: FIGS, ten rules": ("imodels", imodels_figs),
    "imodels: RuleFit, ten rules": ("imodels", imodels_rulefit),
    "aeon: shapelets (RDST)": ("aeon", aeon_shapelets),
    "aeon: MiniRocket": ("aeon", aeon_kernels),
    "tslearn: SVR": ("tslearn", tslearn_svr),
}


def splits(data: Path, count: int, first: int) -> list[tuple[Split, np.ndarray]]:
    """Splits with their seeds' networks, and the truths of the test spectra."""
    table = pd.read_csv(data)
    spectra, fat = table.iloc[:, :100].to_numpy(float), table["fat"].to_numpy(float)
    X = savgol_filter(spectra, 9, 3, deriv=2, axis=1)
    X = (X - X.mean(1, keepdims=True)) / X.std(1, keepdims=True)
    found = []
    for seed in range(first, first + count):
        train, test = np.split(np.random.default_rng(seed).permutation(len(fat)), [TRAIN])
        network = MLPRegressor(hidden_layer_sizes=(32,), alpha=1e-3, max_iter=3000, random_state=seed).fit(
            X[train], fat[train]
        )
        found.append((Split(X[train], fat[train], network.predict(X[train]), network, X[test]), fat[test]))
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit and score every tool that is there."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.other_tools", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="tecator.csv")
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0, help="of the first split")
    options = parser.parse_args(arguments)
    console = Console()
    held = splits(options.data, options.splits, options.seed)
    table = Table("tool", "test R², mean", "sd", "numbers", "seconds a fit")
    network = [r2_score(truth, split.network.predict(split.X_test)) for split, truth in held]
    table.add_row("the network", f"{np.mean(network):.3f}", f"{np.std(network, ddof=1):.3f}", "", "")
    for name, (package, fit) in TOOLS.items():
        if find_spec(package) is None:
            table.add_row(f"{name}: not installed", "", "", "", "")
            continue
        scores, began, made = [], time.perf_counter(), Made(np.empty(0), None)
        for split, truth in held:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # theirs, of versions and convergence
                made = fit(split)
            scores.append(r2_score(truth, made.predictions))
        seconds = (time.perf_counter() - began) / len(held)
        read: Any = "" if made.numbers is None else made.numbers
        table.add_row(name, f"{np.mean(scores):.3f}", f"{np.std(scores, ddof=1):.3f}", str(read), f"{seconds:.1f}")
        console.print(f"{name}: {np.mean(scores):.3f}")
    console.print(table)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
