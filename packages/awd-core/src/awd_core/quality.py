"""Do the attributions deserve trust? Four checks, and a verdict in plain words.

- Removing the coefficients with the largest attributions must change the prediction more than removing others, and
  putting them back must restore it sooner (`insertion_deletion`).
- Where the method promises that attributions add up to a difference of predictions, they must (`completeness_gap`).
- Teachers that differ in their seed alone must name the same coefficients (`seed_agreement`).
- A network that has learnt nothing must name others (`randomised_teacher_check`).
"""

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from scipy.stats import rankdata
from torch import Tensor, nn

from awd_core.attribution import coefficient_attributions
from awd_core.distill import SearchSettings, distill_path, transformed_axes
from awd_core.dwt import Coefficients, DWT1d, DWT2d
from awd_core.filters import WaveletLike
from awd_core.gradient_paths import Method
from awd_core.gradient_teacher import Model, Target, asked
from awd_core.gradients import input_gradients
from awd_core.scores import json_values
from awd_core.seeds import own_random_numbers
from awd_core.wavelet import Wavelet

Array = npt.NDArray[np.float64]
Attributions = Coefficients | Tensor | npt.NDArray[Any]
"""Attributions of m inputs: in bands, or as an array of shape (m, …)."""

DEVIATIONS = 3.0
"""By how many standard deviations of random orders the areas of the curves must be better than their mean."""
COMPLETE = 0.05
"""Largest relative gap of completeness; quadrature with 50 steps leaves less than a hundredth for smooth networks."""
AGREEMENT = 0.5
"""Least overlap of the largest attributions of teachers with different seeds. By chance it would be `top`. Not the rank
correlation: among coefficients that hardly matter, which may be most of them, ranks are noise."""
RANDOMISED = 0.5
"""Largest rank correlation with a randomised teacher, as a share of that between trained ones (of 1 if unknown)."""


class Finding(NamedTuple):
    """One sentence of a verdict."""

    outcome: Literal["pass", "warn"]
    sentence: str


@dataclass(frozen=True)
class PerturbationCurves:
    """How much of the predictions is left when some coefficients are removed; made by `insertion_deletion`.

    With f_k the predictions when k coefficients are put back (or removed), f those for the inputs and f₀ those with
    all coefficients removed, a curve is 1 − Σ(f_k − f)² / Σ(f₀ − f)², sums over inputs: 1 where the predictions are
    as they were, 0 where they are as bad as without any coefficient. It can fall below 0, where what is left of
    coefficients that cancel each other misleads.

    Attributes
    ----------
    order : str
        "attribution" or "random".
    fractions : tuple of float
        Share of the coefficients that were put back or removed, from 0 to 1.
    insertion, deletion : tuple of float
        The curves; means over the random orders.
    insertion_error, deletion_error : tuple of float
        Standard deviations over the random orders; NaN where there is one order.
    insertion_area, deletion_area : float
        Areas below the curves. Of good attributions the first is large and the second small.
    insertion_area_error, deletion_area_error : float
        Standard deviations over the random orders; NaN where there is one order.
    """

    order: str
    fractions: tuple[float, ...]
    insertion: tuple[float, ...]
    deletion: tuple[float, ...]
    insertion_error: tuple[float, ...]
    deletion_error: tuple[float, ...]
    insertion_area: float
    deletion_area: float
    insertion_area_error: float
    deletion_area_error: float


@dataclass(frozen=True)
class Completeness:
    """Σ attributions against f(x) − f(b); made by `completeness_gap`.

    Attributes
    ----------
    relative : float
        Σ|gap| / Σ|f(x) − f(b)|, sums over inputs.
    worst : float
        Largest |gap| over the mean |f(x) − f(b)|.
    """

    relative: float
    worst: float


@dataclass(frozen=True)
class SeedAgreement:
    """How alike attributions of several teachers are; made by `seed_agreement`.

    Attributes
    ----------
    spearman, overlap : float
        Means over pairs of teachers and inputs: rank correlation of the absolute attributions; share of the largest
        that both name.
    worst_overlap : float
        Of the pair that agrees least.
    top : float
        Which share of the coefficients are the largest: the overlap that chance would give.
    teachers : int
        How many there were.
    """

    spearman: float
    overlap: float
    worst_overlap: float
    top: float
    teachers: int


@dataclass(frozen=True)
class RandomisedTeacher:
    """A trained teacher against one that has learnt nothing; made by `randomised_teacher_check`.

    Attributes
    ----------
    spearman, cosine : float
        Means over inputs: rank correlation of the absolute attributions, and cosine of the attributions themselves.
    distance : float
        Between the taps of the wavelets that are distilled from either.
    trained_spearman, trained_cosine, trained_distance : float
        The same between trained teachers, means over pairs; NaN where only one was given.
    """

    spearman: float
    cosine: float
    distance: float
    trained_spearman: float
    trained_cosine: float
    trained_distance: float


@dataclass(frozen=True)
class AttributionQuality:
    """What is known about some attributions; a check that was not made is None."""

    curves: PerturbationCurves | None = None
    random_curves: PerturbationCurves | None = None
    completeness: Completeness | None = None
    agreement: SeedAgreement | None = None
    randomised: RandomisedTeacher | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON values; what is not known is None."""
        findings = [finding._asdict() for finding in self.verdict()]
        return {"format": "awd-quality", "version": 1, **json_values(asdict(self)), "verdict": findings}

    def verdict(self) -> list[Finding]:
        """One sentence for each check, by the thresholds of this module."""
        return [self._order(), self._completeness(), self._agreement(), self._randomised()]

    def _order(self) -> Finding:
        mine, chance = self.curves, self.random_curves
        if mine is None or chance is None:
            return Finding("warn", "It was not checked whether the coefficients with large attributions matter.")
        better = mine.insertion_area > chance.insertion_area + DEVIATIONS * chance.insertion_area_error
        worse = mine.deletion_area < chance.deletion_area - DEVIATIONS * chance.deletion_area_error
        numbers = (
            f"area {mine.insertion_area:.2f} when they are put back, in random order {chance.insertion_area:.2f} ± "
            f"{chance.insertion_area_error:.2f}; {mine.deletion_area:.2f} when they are removed, in random order "
            f"{chance.deletion_area:.2f} ± {chance.deletion_area_error:.2f}"
        )
        return _finding(
            better and worse,
            f"The coefficients with large attributions carry the prediction ({numbers}).",
            f"Large attributions do not tell clearly better than chance what matters ({numbers}).",
        )

    def _completeness(self) -> Finding:
        known = self.completeness
        if known is None:
            return Finding("warn", "It was not checked whether attributions add up to the difference of predictions.")
        numbers = f"relative gap {known.relative:.2g}, {COMPLETE:g} allowed"
        return _finding(
            known.relative <= COMPLETE,
            f"The attributions add up to the difference of predictions ({numbers}).",
            f"The attributions do not add up to the difference of predictions ({numbers}): take more n_steps.",
        )

    def _agreement(self) -> Finding:
        known = self.agreement
        if known is None:
            return Finding("warn", "It was not checked whether teachers with other seeds give the same attributions.")
        numbers = (
            f"{known.teachers} teachers share {known.overlap:.0%} of the largest {known.top:.0%}, {AGREEMENT:.0%} "
            f"wanted; rank correlation {known.spearman:.2f}"
        )
        return _finding(
            known.overlap >= AGREEMENT,
            f"Teachers with other seeds name the same coefficients ({numbers}).",
            f"What the attributions name depends on the teacher's seed ({numbers}).",
        )

    def _randomised(self) -> Finding:
        known = self.randomised
        if known is None:
            return Finding("warn", "It was not checked whether a network without training gives other attributions.")
        alone = math.isnan(known.trained_spearman)
        limit = RANDOMISED * (1.0 if alone else known.trained_spearman)
        numbers = f"rank correlation {known.spearman:.2f}, {limit:.2f} allowed; wavelets {known.distance:.3f} apart"
        numbers += "" if alone else f", those of trained teachers {known.trained_distance:.3f}"
        same_wavelet = not alone and known.distance <= known.trained_distance
        return _finding(
            known.spearman <= limit and not same_wavelet,
            f"A network without training gives other attributions ({numbers}).",
            f"A network without training gives the same {'wavelet' if same_wavelet else 'attributions'} ({numbers}).",
        )


def insertion_deletion(
    model: Model,
    dwt: DWT1d | DWT2d,
    x: Tensor | npt.NDArray[Any],
    attributions: Attributions,
    *,
    target: Target = None,
    steps: int = 20,
    order: Literal["attribution", "random"] = "attribution",
    seed: int | None = None,
    repeats: int = 5,
    baseline: Tensor | npt.NDArray[Any] | float = 0.0,
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
    if order not in ("attribution", "random"):
        raise ValueError(f'order is {order!r}; it must be "attribution" or "random"')
    if order == "random" and seed is None:
        raise ValueError('order="random" draws at random: give seed=, a number, so that it can be repeated')
    for name, number in (("steps", steps), ("repeats", repeats), ("batch_size", batch_size)):
        if number < 1:
            raise ValueError(f"{name} is {number}; it must be 1 or more")
    inputs, importance = torch.as_tensor(x), np.abs(_flat(attributions))
    orders = 1 if order == "attribution" else repeats
    rng = np.random.default_rng(seed)
    # Errors by order, by insertion or deletion, and by step; and those without any coefficient.
    errors, whole = np.zeros((orders, 2, steps + 1)), 0.0
    with asked(model, None) as (teacher, where), torch.no_grad():
        for start in range(0, len(inputs), batch_size):
            block = _Block(teacher, dwt, inputs[start : start + batch_size].to(where), baseline, target)
            s, b = block.values, block.removed
            if importance.shape != (len(inputs), s.shape[1]):
                raise ValueError(
                    f"the attributions have shape {importance.shape} when flattened; {len(inputs)} inputs have "
                    f"{s.shape[1]} coefficients each: give the attributions of this transform and these inputs"
                )
            whole += block.error(b)
            for number in range(orders):
                weights = importance[start : start + batch_size] if order == "attribution" else rng.random(s.shape)
                ranks = torch.from_numpy((-weights).argsort(axis=1, kind="stable").argsort(axis=1)).to(where)
                for step in range(steps + 1):
                    first = ranks < round(step / steps * s.shape[1])
                    errors[number, 0, step] += block.error(torch.where(first, s, b))
                    errors[number, 1, step] += block.error(torch.where(first, b, s))
    if whole == 0:
        raise ValueError("the predictions are the same when all coefficients are removed; give another baseline")
    curves = 1 - errors / whole
    areas = (curves[..., 1:] + curves[..., :-1]).mean(axis=-1) / 2
    if orders > 1:
        spread, area_spread = curves.std(axis=0, ddof=1), areas.std(axis=0, ddof=1)
    else:
        spread, area_spread = np.full(curves.shape[1:], np.nan), np.full(2, np.nan)
    lines = [tuple(line.tolist()) for line in (*curves.mean(axis=0), *spread)]
    numbers = [float(number) for number in (*areas.mean(axis=0), *area_spread)]
    fractions = tuple(step / steps for step in range(steps + 1))
    return PerturbationCurves(order, fractions, lines[0], lines[1], lines[2], lines[3], *numbers)


def completeness_gap(
    model: Model,
    dwt: DWT1d | DWT2d,
    X: Tensor | npt.NDArray[Any],
    gradients: Tensor | npt.NDArray[Any],
    method: Method = "integrated_gradients",
    *,
    target: Target = None,
    baseline: Tensor | npt.NDArray[Any] | float = 0.0,
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
    gaps, differences = [], []
    with asked(model, None) as (teacher, where), torch.no_grad():
        for start in range(0, len(inputs), batch_size):
            x, g = (values[start : start + batch_size].to(where) for values in (inputs, slopes))
            b = torch.as_tensor(baseline).to(x).expand_as(x)
            difference = _predicted(teacher, x, target) - _predicted(teacher, b, target)
            attributions = coefficient_attributions(dwt, x, g, method, baseline=b)
            gaps.append((_joined(attributions).double().sum(dim=1) - difference).abs().cpu())
            differences.append(difference.abs().cpu())
    gap, size = torch.cat(gaps), torch.cat(differences)
    if float(size.sum()) == 0:
        raise ValueError("the predictions for inputs and baseline are all the same; give another baseline")
    return Completeness(float(gap.sum() / size.sum()), float(gap.max() / size.mean()))


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
    if not 0 < top <= 1:
        raise ValueError(f"top is {top}; give a share of the coefficients above 0 and up to 1")
    flat = [_flat(one) for one in attributions]
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
    one, that = _flat(attributions), _flat(other)
    if one.shape != that.shape:
        raise ValueError(f"the attributions have shapes {one.shape} and {that.shape} when flattened; they must agree")
    ranks = [rankdata(np.abs(values), axis=1) for values in (one, that)]
    centred = [rank - rank.mean(axis=1, keepdims=True) for rank in ranks]
    return _mean_cosine(centred[0], centred[1], "constant, so that there are no ranks")


def reinitialised(model: nn.Module, *, seed: int, factory: Callable[[], nn.Module] | None = None) -> nn.Module:
    """The same network with first weights of another draw, as if it had never been trained.

    Parameters
    ----------
    model : Module
        It stays as it is. Scales of inputs and targets that are buffers (`awd_core.networks.Standardised`) are kept.
    seed : int
        Of the draw; torch's global generators are left as they were.
    factory : callable, optional
        Builds the network, in place of `reset_parameters` of each of its modules.

    Raises
    ------
    ValueError
        If a module has parameters but no `reset_parameters`, or nothing changes.
    """
    with own_random_numbers():
        torch.manual_seed(seed)
        fresh = copy.deepcopy(model) if factory is None else factory()
        if factory is None:
            for name, module in fresh.named_modules():
                if not any(True for _ in module.parameters(recurse=False)):
                    continue
                if not callable(getattr(module, "reset_parameters", None)):
                    raise ValueError(
                        f"{name or 'the model'} ({type(module).__name__}) has parameters but no reset_parameters(); "
                        "give factory=, which builds the network anew"
                    )
                module.reset_parameters()
    before, after = dict(model.named_parameters()), dict(fresh.named_parameters())
    if before.keys() == after.keys() and all(torch.equal(before[name], after[name].to(before[name])) for name in after):
        raise ValueError("the network is the same as before; the factory must draw other weights with each torch seed")
    return fresh


def randomised_teacher_check(
    model: nn.Module,
    X: npt.NDArray[Any],
    *,
    seed: int,
    levels: int,
    wavelet: WaveletLike = "db5",
    mode: str = "zero",
    ndim: int | None = None,
    target: Target = None,
    method: Method = "saliency",
    baseline: float | npt.NDArray[Any] | None = None,
    trained: Sequence[nn.Module] = (),
    factory: Callable[[], nn.Module] | None = None,
    search: SearchSettings | None = None,
) -> RandomisedTeacher:
    """Compare what a teacher says with what it would say had it learnt nothing.

    Adebayo, Gilmer, Muelly, Goodfellow, Hardt and Kim (2018), "Sanity checks for saliency maps", section 3: if the
    attributions hardly change, they show the architecture and the data, not what was learnt.

    Parameters
    ----------
    model : Module
        The teacher.
    X : ndarray, shape (m, …, N) or (m, …, H, W)
        Inputs.
    seed : int
        Of the weights of the network without training, and of the search.
    levels, wavelet, mode, ndim : optional
        The transform whose coefficients are compared; the wavelet is also where each distillation starts.
    target : int, tuple of int or None
        Which prediction.
    method, baseline : optional
        Attribution method, and its baseline.
    trained : sequence of Module, optional
        Teachers that were trained with other seeds, to tell how much alike trained ones are.
    factory : callable, optional
        See `reinitialised`.
    search : SearchSettings, optional
        How hard to search for each wavelet, at share 1.

    Returns
    -------
    RandomisedTeacher
    """
    search = search or SearchSettings(random_starts=8, small_batch=1 << 16, large_batch=1 << 20, finalists=2)
    ndim = transformed_axes(X.shape, ndim)
    dwt = (DWT1d if ndim == 1 else DWT2d)(wavelet, levels, mode)
    x = torch.as_tensor(X)

    def explained(teacher: nn.Module) -> tuple[Array, Wavelet]:
        g = input_gradients(teacher, X, target, method=method, baseline=baseline, seed=seed)
        b = 0.0 if baseline is None else baseline
        attributions = coefficient_attributions(dwt, x, torch.as_tensor(g), method, baseline=torch.as_tensor(b).to(x))
        path = distill_path(
            X, g, wavelet=wavelet, levels=levels, mode=mode, ndim=ndim, shares=(1.0,), method=method, baseline=b,
            seed=seed, search=search,
        )  # fmt: skip
        return _flat(attributions), path[0].wavelet

    mine, *others = [explained(teacher) for teacher in (model, *trained)]
    blank = explained(reinitialised(model, seed=seed, factory=factory))
    pairs = list(combinations([mine, *others], 2))
    alike = [_likeness(one, other) for one, other in pairs]
    between = np.mean(alike, axis=0).tolist() if alike else [math.nan] * 3
    return RandomisedTeacher(*_likeness(mine, blank), *between)


def _finding(good: bool, yes: str, no: str) -> Finding:
    return Finding("pass", yes) if good else Finding("warn", no)


def _likeness(one: tuple[Array, Wavelet], other: tuple[Array, Wavelet]) -> tuple[float, float, float]:
    cosine = _mean_cosine(one[0], other[0], "zero")
    return rank_correlation(one[0], other[0]), cosine, one[1].distance(other[1])


def _mean_cosine(one: Array, other: Array, otherwise: str) -> float:
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


def _flat(attributions: Attributions) -> Array:
    """Attributions of m inputs as a matrix, one row per input."""
    if isinstance(attributions, Coefficients):
        attributions = _joined(attributions.map(torch.as_tensor))
    if isinstance(attributions, Tensor):
        attributions = attributions.detach().cpu().numpy()
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
        self.values = _joined(self.coefficients)
        self.removed = _joined(dwt(torch.as_tensor(baseline).to(x).expand_as(x)))
        self.residual = x - dwt.inverse(self.coefficients)
        self.expected = _predicted(model, x, target)

    def error(self, rows: Tensor) -> float:
        bands = iter(torch.split(rows, [band[0].numel() for band in self.coefficients.tensors()], dim=1))
        changed = self.coefficients.map(lambda band: next(bands).reshape(band.shape))
        seen = self.dwt.inverse(changed) + self.residual
        return float((_predicted(self.model, seen, self.target) - self.expected).square().sum())


def _joined(coefficients: Coefficients) -> Tensor:
    return torch.cat([band.flatten(1) for band in coefficients.tensors()], dim=1)


def _predicted(model: Model, x: Tensor, target: Target) -> Tensor:
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
