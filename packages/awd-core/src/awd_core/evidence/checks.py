"""The checks of attributions that need no other network than the teachers: order, completeness, agreement of seeds.

What they find is described in `awd_core.evidence.quality`.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Any, Literal

import numpy as np
import torch
from scipy.stats import rankdata
from torch import Tensor

from awd_core.attribution.coefficients import baseline_like, coefficient_attributions
from awd_core.attribution.model_gradients import Model, Target, evaluation_mode
from awd_core.attribution.points import Method
from awd_core.checks.choices import check_choice
from awd_core.checks.real_numbers import real_number
from awd_core.checks.whole_numbers import whole_number
from awd_core.evidence.jackknife import jackknife
from awd_core.evidence.quality import Completeness, PerturbationCurves, RivalOrder, SeedAgreement
from awd_core.transforms.dwt import Coefficients, DWT1d, DWT2d
from awd_core.typing import AnyArray, Array

Attributions = Coefficients | Tensor | AnyArray
"""Attributions of m inputs: in bands, or as an array of shape (m, …)."""
Order = Array | Callable[[slice], Array]
"""By what coefficients are ordered, falling: for all inputs, or drawn for a slice of them."""


def insertion_deletion(
    model: Model,
    dwt: DWT1d | DWT2d,
    x: Tensor | AnyArray,
    attributions: Attributions,
    *,
    target: Target = None,
    steps: int = 20,
    order: Literal["attribution", "random"] = "attribution",
    seed: int | None = None,
    repeats: int = 5,
    baseline: Tensor | AnyArray | float = 0.0,
    batch_size: int = 256,
) -> PerturbationCurves:
    """Put coefficients back, or remove them, the most important first, and watch the prediction.

    After Petsiuk, Das and Saenko (2018), "RISE", section 4.3, on coefficients instead of pixels: what the model sees
    is the inverse transform of what is left, plus the residual x − Ψ⁻¹Ψx as in TRIM.

    Parameters
    ----------
    model : Module or callable
        The teacher; asked in evaluation mode and left as it was found.
    dwt : DWT1d or DWT2d
        The transform Ψ.
    x : Tensor or ndarray, shape (m, …, N) or (m, …, H, W)
        Inputs.
    attributions : Coefficients or array
        One for each coefficient of each input, in the order of the coefficients.
    target : int, tuple of int or None
        Which prediction; None if there is but one.
    steps : int
        How many groups of coefficients are put back or removed, one after the other.
    order : {"attribution", "random"}
        By falling |attribution|, for each input by itself, or at random.
    seed : int, optional
        Of the random orders; needed for them.
    repeats : int
        Number of random orders.
    baseline : float or array, optional
        Input whose coefficients stand in the place of those that are removed; 0 removes them.
    batch_size : int
        Inputs at a time.

    Returns
    -------
    PerturbationCurves

    Raises
    ------
    ValueError
        If attributions do not fit the coefficients, the predictions do not change when all coefficients are removed,
        or an argument is out of range.
    """
    check_choice("order", order, ("attribution", "random"), required=True)
    if order == "random" and seed is None:
        raise ValueError('order="random" draws at random: give seed=, a number, so that it can be repeated')
    steps, repeats = whole_number("steps", steps), whole_number("repeats", repeats)
    batch_size = whole_number("batch_size", batch_size)
    importance = np.abs(as_rows(attributions))
    orders: list[Order] = [importance]
    if seed is not None and order == "random":
        seed = whole_number("seed", seed, 0)
        draws = [np.random.default_rng([seed, number]) for number in range(repeats)]
        orders = [lambda rows, rng=rng: rng.random(importance[rows].shape) for rng in draws]  # type: ignore[misc]
    errors, whole = _errors(model, dwt, x, importance.shape, orders, target, steps, baseline, batch_size)
    curves = 1 - errors.sum(axis=3) / whole.sum()
    areas = (curves[..., 1:] + curves[..., :-1]).mean(axis=-1) / 2
    if len(orders) > 1:
        spread, area_spread = curves.std(axis=0, ddof=1), areas.std(axis=0, ddof=1)
    else:
        spread, area_spread = np.full(curves.shape[1:], np.nan), np.full(2, np.nan)
    lines = [tuple(line.tolist()) for line in (*curves.mean(axis=0), *spread)]
    numbers = [float(number) for number in (*areas.mean(axis=0), *area_spread)]
    fractions = tuple(step / steps for step in range(steps + 1))
    return PerturbationCurves(order, fractions, lines[0], lines[1], lines[2], lines[3], *numbers)


def compare_orders(
    model: Model,
    dwt: DWT1d | DWT2d,
    x: Tensor | AnyArray,
    attributions: Attributions,
    rivals: Mapping[str, Attributions],
    *,
    target: Target = None,
    steps: int = 20,
    baseline: Tensor | AnyArray | float = 0.0,
    batch_size: int = 256,
) -> tuple[RivalOrder, ...]:
    """By how much the order of the attributions is better than other orders, with intervals over inputs.

    A random order is easily beaten: the largest coefficients carry most of an input, and any network needs the input.
    What a teacher has learnt shows where its attributions beat the size of the coefficients, and those of the same
    network without training.

    Parameters
    ----------
    model, dwt, x, attributions, target, steps, baseline, batch_size
        As for `insertion_deletion`.
    rivals : mapping of str to attributions
        What orders the coefficients instead, by name.

    Returns
    -------
    tuple of RivalOrder

    Raises
    ------
    ValueError
        As for `insertion_deletion`, and where there are fewer than two inputs.
    """
    steps, batch_size = whole_number("steps", steps), whole_number("batch_size", batch_size)
    orders = [np.abs(as_rows(one)) for one in (attributions, *rivals.values())]
    shapes = sorted({one.shape for one in orders})
    if len(shapes) > 1:
        raise ValueError(f"attributions and rivals have the shapes {shapes} when flattened; they must be the same")
    errors, whole = _errors(model, dwt, x, shapes[0], orders, target, steps, baseline, batch_size)
    # Errors below a curve, for each input.
    areas = (errors[:, :, 1:] + errors[:, :, :-1]).mean(axis=2) / 2
    found = []
    for name, theirs in zip(rivals, areas[1:], strict=True):
        gains = [
            # Of insertion less error is better, of deletion more.
            jackknife(lambda s: (s[0] - s[1]) / s[2], np.column_stack([*pair, whole]))
            for pair in ((theirs[0], areas[0, 0]), (areas[0, 1], theirs[1]))
        ]
        area = 1 - theirs.sum(axis=1) / whole.sum()
        found.append(RivalOrder(name, float(area[0]), float(area[1]), *gains))
    return tuple(found)


def completeness_gap(
    model: Model,
    dwt: DWT1d | DWT2d,
    X: Tensor | AnyArray,
    gradients: Tensor | AnyArray,
    method: Method = "integrated_gradients",
    *,
    target: Target = None,
    baseline: Tensor | AnyArray | float = 0.0,
    batch_size: int = 256,
) -> Completeness:
    """How far the attributions of all coefficients are from adding up to f(x) − f(b).

    They must for integrated gradients (Sundararajan, Taly and Yan 2017, proposition 1), up to the quadrature; for
    input × gradient if the model is linear. With an orthonormal transform the sum is ⟨x − b, ḡ⟩.

    Parameters
    ----------
    model : Module or callable
        The teacher.
    dwt : DWT1d or DWT2d
        The transform.
    X, gradients : Tensor or ndarray, shape (m, …)
        Inputs, and what `input_gradients` returned for the method, the target and the baseline.
    method : {"integrated_gradients", "input_x_gradient", "gradient_shap"}
        Saliency promises no sum.
    target : int, tuple of int or None
        Which prediction.
    baseline : float or array, optional
        b.
    batch_size : int
        Inputs at a time.

    Returns
    -------
    Completeness

    Raises
    ------
    ValueError
        If the method promises no sum, or f(x) = f(b) for all inputs.
    """
    if method == "saliency":
        raise ValueError('"saliency" promises no sum; take "integrated_gradients" or "input_x_gradient"')
    inputs, slopes = torch.as_tensor(X), torch.as_tensor(gradients)
    batch_size = whole_number("batch_size", batch_size)
    gaps, differences = [], []
    with evaluation_mode(model, None) as (teacher, where), torch.no_grad():
        for start in range(0, len(inputs), batch_size):
            x, g = (values[start : start + batch_size].to(where) for values in (inputs, slopes))
            b = baseline_like(x, baseline)
            difference = predicted(teacher, x, target) - predicted(teacher, b, target)
            attributions = coefficient_attributions(dwt, x, g, method, baseline=b)
            gaps.append((joined(attributions).double().sum(dim=1) - difference).abs().cpu())
            differences.append(difference.abs().cpu())
    gap, size = torch.cat(gaps), torch.cat(differences)
    if float(size.sum()) == 0:
        raise ValueError("the predictions for inputs and baseline are all the same; give another baseline")
    return Completeness(float(gap.sum() / size.sum()), float(gap.max() / size.mean()), method)


def seed_agreement(attributions: Sequence[Attributions], *, top: float = 0.1) -> SeedAgreement:
    """How alike the attributions of teachers are that differ in their seed alone.

    Parameters
    ----------
    attributions : sequence of Coefficients or arrays, each of m inputs
        One for each teacher, in the same wavelet.
    top : float, optional
        Share of the coefficients that count as the largest, in (0, 1].

    Returns
    -------
    SeedAgreement

    Raises
    ------
    ValueError
        If there are fewer than two, their shapes differ, or they are all zero.

    Examples
    --------
    >>> one = np.array([[4.0, 3.0, 2.0, 1.0]])
    >>> seed_agreement([one, -2 * one], top=0.5).overlap
    1.0
    """
    top = real_number("top", top, "a share of the coefficients", above=0, most=1)
    flat = [as_rows(one) for one in attributions]
    shapes = sorted({values.shape for values in flat})
    if len(flat) < 2 or len(shapes) > 1:
        raise ValueError(
            f"there are attributions of {len(flat)} teacher(s), of shapes {shapes} when flattened; give those of two "
            "or more teachers for the same inputs and the same transform"
        )
    pairs = list(combinations(flat, 2))
    overlaps = [_overlap(one, other, top) for one, other in pairs]
    spearman = float(np.mean([rank_correlation(one, other) for one, other in pairs]))
    return SeedAgreement(spearman, float(np.mean(overlaps)), min(overlaps), top, len(flat))


def rank_correlation(attributions: Attributions, other: Attributions) -> float:
    """Spearman's rank correlation of absolute attributions, within each input; mean over inputs where it exists.

    Raises
    ------
    ValueError
        If the shapes differ, or in each input one of the two is constant.
    """
    one, that = as_rows(attributions), as_rows(other)
    if one.shape != that.shape:
        raise ValueError(f"the attributions have shapes {one.shape} and {that.shape} when flattened; they must agree")
    ranks = [rankdata(np.abs(values), axis=1) for values in (one, that)]
    centred = [rank - rank.mean(axis=1, keepdims=True) for rank in ranks]
    return mean_cosine(centred[0], centred[1], "constant, so that there are no ranks")


def mean_cosine(one: Array, other: Array, otherwise: str) -> float:
    """Cosine of the angle between rows, mean over those in which neither is zero, in words `otherwise`."""
    sizes = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    if not sizes.any():
        raise ValueError(f"in each input the attributions of one of the two are {otherwise}; give others")
    here = sizes > 0
    return float((np.einsum("ij,ij->i", one, other)[here] / sizes[here]).mean())


def _overlap(one: Array, other: Array, top: float) -> float:
    """Share of the largest that both name, mean over inputs."""
    k = math.ceil(top * one.shape[1])
    named = [np.argsort(-np.abs(values), axis=1, kind="stable")[:, :k] for values in (one, other)]
    chosen = np.zeros((2, *one.shape), dtype=bool)
    for mask, places in zip(chosen, named, strict=True):
        np.put_along_axis(mask, places, values=True, axis=1)
    return float((chosen[0] & chosen[1]).sum(axis=1).mean() / k)


def as_rows(attributions: Attributions) -> Array:
    """Attributions of m inputs as a matrix in float64, one row per input; refused where empty or not finite."""
    if isinstance(attributions, Coefficients):
        attributions = joined(attributions.map(torch.as_tensor))
    if isinstance(attributions, Tensor):
        attributions = attributions.detach().cpu().numpy()
    if not isinstance(attributions, np.ndarray):
        raise TypeError(f"attributions are {type(attributions).__name__}; give Coefficients, a tensor or an array")
    if attributions.ndim < 2 or attributions.size == 0 or not np.isfinite(attributions).all():
        raise ValueError(
            f"attributions of shape {attributions.shape} are given; they must have a row for each input, not be empty, "
            "and be finite"
        )
    return attributions.reshape(len(attributions), -1).astype(np.float64)


class _Block:
    """Some inputs, their coefficients as rows, and how wrong the predictions are when these are changed."""

    def __init__(self, model: Model, dwt: DWT1d | DWT2d, x: Tensor, baseline: Any, target: Target) -> None:
        self.model, self.dwt, self.target = model, dwt, target
        self.coefficients = dwt(x)
        self.values = joined(self.coefficients)
        self.removed = joined(dwt(baseline_like(x, baseline)))
        self.residual = x - dwt.inverse(self.coefficients)
        self.expected = predicted(model, x, target)

    def errors(self, rows: Tensor) -> Array:
        """Squared errors of the predictions, one an input."""
        bands = iter(torch.split(rows, [band[0].numel() for band in self.coefficients.tensors()], dim=1))
        changed = self.coefficients.map(lambda band: next(bands).reshape(band.shape))
        seen = self.dwt.inverse(changed) + self.residual
        return np.asarray((predicted(self.model, seen, self.target) - self.expected).square().cpu().numpy())


def _errors(
    model: Model, dwt: DWT1d | DWT2d, x: Tensor | AnyArray, shape: tuple[int, ...], orders: Sequence[Order],
    target: Target, steps: int, baseline: Tensor | AnyArray | float, batch_size: int,
) -> tuple[Array, Array]:  # fmt: skip
    """Squared errors by order, by insertion or deletion, by step, and by input; and those without any coefficient."""
    inputs = torch.as_tensor(x)
    errors, whole = np.zeros((len(orders), 2, steps + 1, len(inputs))), np.zeros(len(inputs))
    with evaluation_mode(model, None) as (teacher, where), torch.no_grad():
        for start in range(0, len(inputs), batch_size):
            rows = slice(start, start + batch_size)
            block = _Block(teacher, dwt, inputs[rows].to(where), baseline, target)
            s, b = block.values, block.removed
            if shape != (len(inputs), s.shape[1]):
                raise ValueError(
                    f"the attributions have shape {shape} when flattened; {len(inputs)} inputs have {s.shape[1]} "
                    "coefficients each: give the attributions of this transform and these inputs"
                )
            whole[rows] = block.errors(b)
            for number, order in enumerate(orders):
                importance = order(rows) if callable(order) else order[rows]
                ranks = torch.from_numpy((-importance).argsort(axis=1, kind="stable").argsort(axis=1)).to(where)
                for step in range(steps + 1):
                    first = ranks < round(step / steps * s.shape[1])
                    errors[number, 0, step, rows] = block.errors(torch.where(first, s, b))
                    errors[number, 1, step, rows] = block.errors(torch.where(first, b, s))
    if not whole.any():
        raise ValueError("the predictions are the same when all coefficients are removed; give another baseline")
    return errors, whole


def joined(coefficients: Coefficients) -> Tensor:
    """All bands beside each other, one row per input."""
    return torch.cat([band.flatten(1) for band in coefficients.tensors()], dim=1)


def predicted(model: Model, x: Tensor, target: Target) -> Tensor:
    """One prediction per input, shape (m,), in float64."""
    output = model(x)
    if target is None:
        if output.numel() != len(x):
            raise ValueError(f"the model predicts {tuple(output.shape[1:])} numbers per input; give target=, an index")
        return output.reshape(-1).double()
    index: tuple[Any, ...] = target if isinstance(target, tuple) else (target,)
    sizes = tuple(output.shape[1:])
    if len(index) != len(sizes) or not all(k in range(size) for k, size in zip(index, sizes, strict=True)):
        raise ValueError(f"target={target!r} is no index of one prediction; an input has predictions of shape {sizes}")
    chosen: Tensor = output[(slice(None), *index)]
    return chosen.double()
