"""Gradients of any function from arrays to predictions, of whatever framework, by central differences.

A step that is too small asks for less than the function's rounding, and a tree does not change at all; one that is too
large asks for another slope. So the step is looked at first, on a few inputs: whether the predictions change, whether
half of it gives the same, and how much of it is rounding.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from awd_core.attribution.asking import of_target
from awd_core.attribution.gradients import Progress, input_gradients, reporting
from awd_core.checks.real_numbers import real_array, real_number
from awd_core.checks.warning import warn
from awd_core.checks.whole_numbers import whole_number
from awd_core.typing import AnyArray, Array

STEPS = (1e-3, 1e-2, 1e-1, 0.5)
"""Steps that are tried where none is given, in standard deviations of X, until one does."""
LOOKED_AT = 8
"""Inputs on which the step is looked at."""
VALUES = 64
"""Values of each of these that are moved, at most."""
STILL = 0.5
"""Share of the differences that are exactly zero, from which on a function that jumps is called one made of steps."""
CURVED = 0.2
"""Allowed difference between the gradient of a step and that of half of it, relative to the former."""
ROUNDED = 0.05
"""Allowed rounding of the predictions, relative to their differences."""


@dataclass(frozen=True)
class _Step:
    size: float
    moved: float  # share of the differences that are not zero, of values that some prediction hangs on
    curved: float  # relative difference to half the step
    rounded: float  # relative rounding

    @property
    def fault(self) -> str:
        if self.moved == 0:
            return "no prediction changes: the function is made of steps, as a tree is, or its predictions are rounded"
        if self.rounded > ROUNDED:
            return f"rounding of the predictions makes {self.rounded:.0%} of the differences"
        if self.curved > CURVED and self.moved < 1 - STILL:
            return (
                f"only {self.moved:.2%} of the differences are not zero, and half the step gives others: "
                "the function is made "
                "of steps, as a tree is"
            )
        if self.curved > CURVED:
            return (
                f"half the step gives another gradient, {self.curved:.0%} different: it has kinks or bends "
                "within the step"
            )
        return ""


def attribute_function(
    predict: Any,
    X: Any,
    *,
    eps: float | None = None,
    target: Any = None,
    batch_size: int = 1024,
    progress: Progress = False,
) -> AnyArray:
    """Gradient of any function's prediction with respect to its input, for every sample, by central differences.

    Each value of an input is moved by `eps` up and down: 2 · size predictions for an input. An MLP of scikit-learn, or
    its `predict` or `predict_proba`, is differentiated exactly instead.

    Parameters
    ----------
    predict : callable or estimator
        From inputs (n, *shape) to predictions (n,) or (n, targets): `model.predict`, `model.predict_proba`, a function
        that calls JAX or R. Of an estimator, `predict_proba` if it has one, else `predict`.
    X : array_like, shape (n, *shape)
        Inputs.
    eps : float, optional
        The step, in the unit of X. By default the smallest of some parts of X's standard deviation that will do.
    target : int or array_like of int, shape (n,), optional
        Which prediction; of an array each sample's own. Needed where there are several.
    batch_size : int
        Moved inputs that are predicted from at a time.
    progress : bool or callable
        True shows a bar; a callable is given (samples done, all samples).

    Returns
    -------
    ndarray, shape (n, *shape)
        As `distill_path` and `awd distill --gradients` take it; float64, or float32 for X of float32.

    Raises
    ------
    ValueError
        If predictions have another number of rows, are not finite, need a target, or do not change with X at all.

    Warns
    -----
    UserWarning
        If the step is too small for the function, as for trees, or too large; the message says what was seen.

    Examples
    --------
    >>> X = np.random.default_rng(0).standard_normal((20, 3))
    >>> gradients = attribute_function(lambda x: x[:, 0] ** 2 + 3 * x[:, 1], X)
    >>> bool(np.allclose(gradients, np.column_stack([2 * X[:, 0], np.full(20, 3), np.zeros(20)])))
    True
    """
    given = real_array(X.detach().cpu().numpy() if hasattr(X, "detach") else X)
    if given.ndim < 2 or 0 in given.shape:
        raise ValueError(f"X has shape {given.shape}; give inputs (n, …)")
    if not np.isfinite(given).all():
        raise ValueError("X contains NaN or infinity; leave such inputs out or fill them in")
    batch_size = whole_number("batch_size", batch_size)
    dtype = np.dtype(np.float32) if given.dtype == np.float32 else np.dtype(np.float64)
    if (network := _network_of(predict)) is not None:
        exact = input_gradients(network, given.astype(np.float64), target, batch_size=batch_size, progress=progress)
        return np.asarray(exact).astype(dtype)
    function = of_target(predict, target, len(given))
    values = given.astype(np.float64 if dtype == np.float64 else np.float32)
    size = _chosen_step(function, values, eps)
    found = np.empty(values.shape, dtype=dtype)
    with reporting(progress, "Finite differences") as report:
        for row in range(len(values)):
            places = np.arange(values[row].size)
            found[row] = _differences(function, values, row, places, size, batch_size).reshape(values.shape[1:])
            report(row + 1, len(values))
    if not found.any():
        raise ValueError(
            f"The prediction does not change with X at a step of {size:g}: every gradient is zero. Give a "
            "larger eps, of "
            "the size of usual differences between inputs"
        )
    return found


def _chosen_step(function: Callable[[AnyArray, AnyArray], Array], x: AnyArray, eps: float | None) -> float:
    """The step that was given, or the smallest that will do; warned of where it will not."""
    spread = float(x.std()) or float(np.abs(x).max()) or 1.0
    if eps is not None:
        size = real_number("eps", eps, "a step in the unit of X", above=0)
        seen = _looked_at(function, x, size)
        if seen.fault:
            better = next((s.size for s in _tried(function, x, spread, above=size) if not s.fault), None)
            hint = f"a step of {better:.3g} does better" if better else "no larger step does better"
            warn(f"eps is {size:g}: {seen.fault}; {hint}. X has a standard deviation of {spread:.3g}")
        return size
    tried = []
    for step in _tried(function, x, spread):
        if not step.fault:
            return step.size
        tried.append(step)
    best = min(tried, key=lambda step: step.curved)
    warn(f"no step will do: at {best.size:.3g}, the best that was tried, {best.fault}. The gradients are coarse slopes")
    return best.size


def _tried(
    function: Callable[[AnyArray, AnyArray], Array], x: AnyArray, spread: float, above: float = 0.0
) -> Iterator[_Step]:
    for part in STEPS:
        if part * spread > above:
            yield _looked_at(function, x, part * spread)


def _looked_at(function: Callable[[AnyArray, AnyArray], Array], x: AnyArray, size: float) -> _Step:
    """What a step does on a few inputs, spread over all of them."""
    rng = np.random.default_rng(0)
    rows = np.unique(np.linspace(0, len(x) - 1, LOOKED_AT).round().astype(int))
    count = int(np.prod(x.shape[1:]))
    places = np.arange(count) if count <= VALUES else np.sort(rng.choice(count, VALUES, replace=False))
    whole = np.concatenate([_differences(function, x, row, places, size, 1024) for row in rows])
    half = np.concatenate([_differences(function, x, row, places, size / 2, 1024) for row in rows])
    level = np.abs(function(x[rows], rows)).max()
    root = float(np.sqrt((whole**2).mean()))
    if root == 0:
        return _Step(size, 0.0, 1.0, 1.0)
    rounding = level * float(np.finfo(_precision(function, x, rows)).eps) / (2 * size)
    # Values that no prediction hangs on say nothing of the step.
    by_value = whole.reshape(len(rows), -1) != 0
    moved = float(by_value[:, by_value.any(axis=0)].mean())
    return _Step(size, moved, float(np.sqrt(((whole - half) ** 2).mean())) / root, rounding / root)


def _precision(function: Any, x: AnyArray, rows: AnyArray) -> Any:
    """Type in which predictions are rounded: float32, where all of them are numbers of float32."""
    told = function(x[rows], rows)
    return np.float32 if np.array_equal(told.astype(np.float32).astype(np.float64), told) else np.float64


def _differences(
    function: Callable[[AnyArray, AnyArray], Array], x: AnyArray, row: int, places: AnyArray, size: float, batch: int
) -> Array:
    """Slopes of one sample along some of its values, shape (places,)."""
    found = np.empty(len(places))
    for start in range(0, len(places), max(batch // 2, 1)):
        chosen = places[start : start + max(batch // 2, 1)]
        moved = np.repeat(x[row].reshape(1, -1), 2 * len(chosen), axis=0)
        up, down = np.arange(len(chosen)), len(chosen) + np.arange(len(chosen))
        moved[up, chosen] += moved.dtype.type(size)
        moved[down, chosen] -= moved.dtype.type(size)
        # What was moved, in X's precision, is not quite the step.
        apart = moved[up, chosen].astype(np.float64) - moved[down, chosen].astype(np.float64)
        told = function(moved.reshape(-1, *x.shape[1:]), np.full(len(moved), row))
        found[start : start + len(chosen)] = (told[up] - told[down]) / np.where(apart == 0, np.inf, apart)
    return found


def _network_of(predict: Any) -> nn.Module | None:
    """An MLP of scikit-learn as a network of torch with the same predictions; None for anything else."""
    model, method = getattr(predict, "__self__", predict), getattr(predict, "__name__", "")
    if not (type(model).__module__ or "").startswith("sklearn.neural_network") or not hasattr(model, "coefs_"):
        return None
    classifier = hasattr(model, "classes_")
    if method not in ("", "predict", "predict_proba") or (classifier and method == "predict"):
        return None
    hidden = {"relu": nn.ReLU, "tanh": nn.Tanh, "logistic": nn.Sigmoid, "identity": nn.Identity}[model.activation]
    layers: list[nn.Module] = []
    for weights, intercepts in zip(model.coefs_, model.intercepts_, strict=True):
        layer = nn.Linear(weights.shape[0], weights.shape[1], dtype=torch.float64)
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(np.array(weights.T, dtype=np.float64)))
            layer.bias.copy_(torch.from_numpy(np.array(intercepts, dtype=np.float64)))
        layers += [layer, hidden()]
    layers.pop()
    ends: dict[str, list[nn.Module]] = {"identity": [], "softmax": [nn.Softmax(-1)], "logistic": [nn.Sigmoid()]}
    layers += ends[model.out_activation_]
    if classifier and model.out_activation_ == "logistic" and weights.shape[1] == 1:
        layers.append(_BothClasses())
    return nn.Sequential(*layers)


class _BothClasses(nn.Module):
    """Of the probability of the second of two classes, both."""

    def forward(self, p: torch.Tensor) -> torch.Tensor:
        """Shape (n, 1) to (n, 2)."""
        return torch.cat([1 - p, p], dim=1)
