"""Distillation in its published form: free taps, every penalty, attributions through the teacher, Adam.

Ha, Singh, Lanusse, Upadhyayula and Yu, "Adaptive wavelet distillation from neural networks through interpretations"
(NeurIPS 2021), equations 4 and 5. `awd_core.distill` finds the same trade-off over orthonormal filters, without the
teacher and to the global minimum; this form is for comparison, and for wavelets that need not be orthonormal.

On free taps the filter also moves the point Ψ⁻¹Ψx + r at which the teacher is differentiated, so the gradient of the
interpretation term holds the teacher's second derivative. `hessian_term` says how much of it that is.
"""

import math
import operator
import os
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from awd_core.certificate import Certificate
from awd_core.distill import Progress, transformed_axes
from awd_core.dwt import Coefficients, DWT1d, DWT2d
from awd_core.filters import FreeFilter
from awd_core.gradient_paths import Method, Points, as_samples, digest, points_of
from awd_core.gradient_store import model_digest
from awd_core.gradient_teacher import Array, Model, Target, asked, probe
from awd_core.lattice import taps_jacobian
from awd_core.losses import LossWeights, distillation_loss, sparsity_loss
from awd_core.samples import Batches, IntArray, Part, Samples, survey
from awd_core.wavelet import Wavelet
from awd_core.weights import as_json, load_tensors, save_tensors

KIND = "penalised distillation"

SPARSITY = (0.005, 0.01, 0.02)
"""Published grid of λ, for the maps of cosmology."""

INTERPRETATION = (0.0, *np.geomspace(0.001, 0.05, 10).tolist())
"""Published grid of γ, likewise."""


@dataclass(frozen=True)
class Epoch:
    """One pass over the inputs.

    Attributes
    ----------
    terms : dict of str to float
        Every loss term with a weight, unweighted, under the name of its weight: means over the epoch's inputs, each
        batch seeing the taps as they were at its turn.
    total : float
        Weighted sum.
    taps : tuple of float
        Low-pass taps at the end of the epoch.
    seconds : float
        Time it took.
    """

    terms: dict[str, float]
    total: float
    taps: tuple[float, ...]
    seconds: float = field(compare=False)


@dataclass(frozen=True)
class PenalisedFit:
    """What one fit came to.

    Attributes
    ----------
    wavelet : Wavelet
        The filter at the end; its tolerance says how far the taps may be from orthonormal.
    certificate : Certificate
        How far they are.
    weights : LossWeights
        Weights of the fit.
    start : Wavelet
        The filter at the start, noise included.
    history : tuple of Epoch
        One for each epoch.
    settings : dict
        Everything that determines the result but the number of epochs, digests of data and teacher included.
    """

    wavelet: Wavelet
    certificate: Certificate
    weights: LossWeights
    start: Wavelet
    history: tuple[Epoch, ...]
    settings: dict[str, Any]


def distill_penalised(
    X: Any,
    model: Model | None,
    *,
    target: Target = None,
    wavelet: Wavelet | str = "db5",
    levels: int = 4,
    mode: str = "zero",
    ndim: int | None = None,
    weights: LossWeights | Sequence[float] = LossWeights(),  # noqa: B008 - it is frozen
    epochs: int = 50,
    batch_size: int = 100,
    learning_rate: float = 1e-3,
    method: Method = "saliency",
    baseline: Any = None,
    n_steps: int = 50,
    noise: float = 0.0,
    seed: int = 0,
    device: str | torch.device | None = None,
    dtype: torch.dtype | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> PenalisedFit:
    """Fit free taps to the published objective, by Adam on mini-batches.

    Parameters
    ----------
    X : ndarray, Tensor or zarr array, shape (m, …, N) or (m, …, H, W)
        Inputs of the teacher, float32 or float64.
    model : Module, callable or None
        The teacher; None will do where γ is zero. It is asked in evaluation mode, its weights stay as they are, and
        it is left as it was found. It must be differentiable twice, as compiled modules and fused attention are not.
    target : int, tuple of int or None
        Which prediction is attributed: an index into the axes of the prediction after the first.
    wavelet : Wavelet or str, optional
        Where to start.
    levels, mode, ndim : optional
        Of the transform, as for `awd_core.distill.distill_path`.
    weights : LossWeights or sequence of float, optional
        Weights of all terms, or the first of them in the order of `LossWeights`, such as (λ, γ).
    epochs, batch_size, learning_rate : optional
        The published ones. The last batch of an epoch holds what is left over.
    method : {"saliency", "input_x_gradient", "integrated_gradients", "gradient_shap"}
        Attribution method.
    baseline : float or ndarray, optional
        Baseline of the last two.
    n_steps : int
        Points on the path of the last two; each keeps a graph of the teacher in memory.
    noise : float, optional
        Standard deviation of Gaussian noise on the taps at the start.
    seed : int, optional
        Of the noise, of the order of the inputs, which is a function of (seed, epoch), and of gradient SHAP.
    device, dtype : optional
        Where and in what precision to compute: by default where the teacher is, in the type of X.
    checkpoint : path, optional
        A file that is replaced after every epoch. Called again after an interruption, the function goes on from there
        and ends with the same bits (on the same machine and number of threads); more epochs may be asked for.
    progress : callable, optional
        Called with (epochs done, epochs in all, a line on the last one).

    Returns
    -------
    PenalisedFit

    Raises
    ------
    TypeError
        If X is not an array of float32 or float64, or a checkpoint is wanted and the model is no Module.
    ValueError
        If X has infinite values or NaN, the target is not a single prediction, an option is out of its range, or the
        checkpoint is of another problem.
    FileNotFoundError
        If the checkpoint's folder does not exist.
    RuntimeError
        If the loss diverged.

    Examples
    --------
    >>> X = np.random.default_rng(0).standard_normal((20, 16))
    >>> model = nn.Sequential(nn.Linear(16, 4), nn.Tanh(), nn.Linear(4, 1)).double()
    >>> fit = distill_penalised(X, model, wavelet="db2", levels=2, weights=(0.02, 0.004), epochs=2, batch_size=10)
    >>> len(fit.history), fit.wavelet.length
    (2, 4)
    """
    weights = _checked_weights(weights)
    _check_positive(epochs=epochs, batch_size=batch_size, learning_rate=learning_rate)
    start = Wavelet.of(wavelet)
    path = _checked_place(checkpoint)
    samples = Samples(as_samples(X, "X"))
    ndim = transformed_axes((len(samples), *samples.shape), ndim)
    if model is None and weights.interpretation > 0:
        raise ValueError(
            f"the weight interpretation is {weights.interpretation} but there is no model; give the teacher, or set "
            "the weight to zero"
        )
    dtype = dtype or torch.from_numpy(np.empty(0, samples.dtype)).dtype
    with asked(nn.Identity() if model is None else model, device) as (teacher, where), _without_boundary_warnings():
        filter = FreeFilter(start, noise=noise, seed=seed, dtype=dtype, device=where)
        dwt = (DWT1d if ndim == 1 else DWT2d)(filter, levels, mode, check_finite=False)
        settings = {
            "X": survey(samples).digest, "shape": [len(samples), *samples.shape], "model": _name(model, path),
            "target": target, "wavelet": start.name, "taps": start.taps, "levels": levels, "mode": mode, "ndim": ndim,
            "weights": asdict(weights), "batch_size": batch_size, "learning_rate": learning_rate, "method": method,
            "baseline": None if baseline is None else digest(np.atleast_1d(np.asarray(baseline, dtype=np.float64))),
            "n_steps": n_steps, "noise": noise, "seed": seed, "dtype": str(dtype), "device": where.type,
        }  # fmt: skip
        settings = as_json(settings, "these settings")
        question = None
        if weights.interpretation > 0:
            first = samples.take(np.arange(min(2, batch_size, len(samples)))).to(dtype).numpy()
            question = _Question.pose(teacher, first, len(samples), where, target, method, baseline, n_steps, seed)
        fit = _Fit(samples, dwt, filter, question, weights, batch_size, learning_rate, seed)
        begun = filter.wavelet()
        if path and path.exists():
            fit.load(path, settings, epochs)
        while len(fit.history) < epochs:
            fit.history.append(fit.epoch())
            if path:
                fit.save(path, settings)
            if progress:
                progress(len(fit.history), epochs, f"loss {fit.history[-1].total:.6g}")
    end = filter.wavelet()
    name = f"{start.name.removesuffix(' penalised')} penalised"
    learnt = Wavelet.from_taps(end.taps, name=name, tolerance=end.tolerance, metadata={"settings": settings})
    return PenalisedFit(learnt, learnt.certificate(), weights, begun, tuple(fit.history), settings)


def distill_grid(
    X: Any,
    model: Model,
    *,
    sparsity: Sequence[float] = SPARSITY,
    interpretation: Sequence[float] = INTERPRETATION,
    weights: LossWeights = LossWeights(),  # noqa: B008 - it is frozen
    wavelet: Wavelet | str = "db5",
    noise: float = 0.0,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> tuple[PenalisedFit, ...]:
    """Fits over a grid of λ and γ, each starting from the last, as published.

    For each λ, from the smallest, γ rises; the first γ of the next λ starts from that of the last λ. Adam starts anew.

    Parameters
    ----------
    X, model
        As for `distill_penalised`.
    sparsity, interpretation : sequence of float
        Values of λ and of γ, both increasing.
    weights : LossWeights
        Weights of all other terms.
    wavelet, noise : optional
        Where the first fit starts.
    checkpoint : path, optional
        A folder with a file for each fit; made if it is not there. An interrupted grid goes on from it.
    progress : callable, optional
        Called with (epochs done, epochs in all, what is done).
    **options
        Of `distill_penalised`.

    Returns
    -------
    tuple of PenalisedFit
        For each λ in turn, for each γ in turn.

    Raises
    ------
    ValueError
        If a list is empty or does not increase, or as for `distill_penalised`.
    """
    for name, values in (("sparsity", sparsity), ("interpretation", interpretation)):
        if not len(values) or any(b <= a for a, b in pairwise(values)):
            raise ValueError(f"{name} is {list(values)}; give one or more weights that increase")
    folder = Path(checkpoint) if checkpoint else None
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
    count = len(sparsity) * len(interpretation)
    fits: list[PenalisedFit] = []
    for k in range(count):
        row, column = divmod(k, len(interpretation))
        chosen = {"sparsity": float(sparsity[row]), "interpretation": float(interpretation[column])}
        last = fits[k - 1] if column else fits[k - len(interpretation)] if row else None
        fits.append(
            distill_penalised(
                X,
                model,
                weights=LossWeights(**asdict(weights) | chosen),
                wavelet=last.wavelet if last else wavelet,
                noise=0.0 if last else noise,
                checkpoint=folder / f"{k:03d}.safetensors" if folder else None,
                progress=_within(progress, k, count, "λ {sparsity:g}, γ {interpretation:g}".format(**chosen)),
                **options,
            )
        )
    return tuple(fits)


def batch_rows(samples: Samples, batch_size: int, seed: int, epoch: int) -> Iterator[IntArray]:
    """Numbers of the inputs of each batch of an epoch: a function of (seed, epoch), and of chunks if X is on disk."""
    part = Part(samples, np.arange(len(samples)), torch.empty(0), torch.empty(0))
    batches = Batches(part, batch_size, seed)
    batches.epoch = epoch
    order = batches.order()
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]


@dataclass(frozen=True)
class HessianTerm:
    """How much of the interpretation term's gradient comes through the teacher's second derivative.

    Attributes
    ----------
    gradient : ndarray, shape (L,)
        Of the interpretation term, with respect to the taps.
    through_teacher : ndarray, shape (L,)
        What of it is lost if the teacher's gradient is held constant.
    relative : float
        Norm of the second over that of the first.
    relative_orthonormal : float
        The same of their components along the orthonormal filters, where the second is zero to rounding; NaN if the
        filter is not orthonormal itself, or has no such direction.
    """

    gradient: npt.NDArray[np.float64]
    through_teacher: npt.NDArray[np.float64]
    relative: float
    relative_orthonormal: float


def trim_attributions(
    model: Model,
    dwt: DWT1d | DWT2d,
    x: Tensor,
    *,
    target: Target = None,
    method: Method = "saliency",
    baseline: Any = None,
    n_steps: int = 50,
    seed: int = 0,
    second_derivative: bool = True,
) -> Coefficients:
    """Attributions of a transform's coefficients through the teacher, differentiable with respect to the filter.

    The gradient of f(Ψ⁻¹s + r) with respect to s at s = Ψx, the residual r = x − Ψ⁻¹Ψx held constant (Singh, Ha,
    Lanusse, Boehm, Liu, Yu 2020, arXiv:2003.01926, section 2), or its average over a path of inputs. For orthonormal
    filters `awd_core.attribution.coefficient_attributions` gives the same without the teacher.

    Parameters
    ----------
    model : Module or callable
        The teacher, asked in evaluation mode and left as it was found.
    dwt : DWT1d or DWT2d
        The transform Ψ, of x's dtype and on its device.
    x : Tensor, shape (m, …, N) or (m, …, H, W)
        Inputs of the teacher.
    target, method, baseline, n_steps, seed : optional
        As for `distill_penalised`. Gradient SHAP numbers the inputs from 0.
    second_derivative : bool
        Whether derivatives along the filter go through the teacher's gradient too. The values are the same.

    Returns
    -------
    Coefficients
        In the order and shapes of the coefficients.

    Raises
    ------
    ValueError
        If the target is not a single prediction, or the method or its baseline will not do.

    Examples
    --------
    >>> x = torch.randn(3, 16, generator=torch.Generator().manual_seed(0))
    >>> attributions = trim_attributions(lambda x: x.square().sum(1), DWT1d("db2", levels=2), x)
    >>> [tuple(band.shape) for band in attributions]
    [(3, 6), (3, 6), (3, 9)]
    """
    with asked(model, x.device) as (teacher, where), _without_boundary_warnings():
        first = x[:2].detach().cpu().numpy()
        question = _Question.pose(teacher, first, len(x), where, target, method, baseline, n_steps, seed)
        coefficients = dwt(x)
        reconstruction = dwt.inverse(coefficients)
        return question.attributions(dwt, x, coefficients, reconstruction, np.arange(len(x)), second_derivative)


def hessian_term(model: Model, dwt: DWT1d | DWT2d, x: Tensor, **options: Any) -> HessianTerm:
    """Size of the part of the interpretation gradient that goes through the teacher's second derivative.

    The interpretation term is (1/m) Σ ‖attributions‖₁ / (J + 1). Its gradient on free taps is computed twice: through
    the teacher, as published, and with the teacher's gradient held constant.

    Parameters
    ----------
    model, x, **options
        As for `trim_attributions`.
    dwt : DWT1d or DWT2d
        A transform with one filter for all axes; it is not changed.

    Returns
    -------
    HessianTerm

    Raises
    ------
    ValueError
        If the axes have filters of their own, or as for `trim_attributions`.

    Examples
    --------
    >>> x = torch.randn(9, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    >>> term = hessian_term(lambda x: x.sum(1).tanh(), DWT1d("db2", levels=2), x)
    >>> term.relative > 0.1, term.relative_orthonormal < 1e-9
    (True, True)
    """
    if any(filter is not dwt.filters[0] for filter in dwt.filters):
        raise ValueError("the axes of this transform have filters of their own; give a transform with one filter")
    wavelet = dwt.filters[0].wavelet()
    free = FreeFilter(wavelet, dtype=x.dtype, device=x.device)
    on_taps = type(dwt)(free, dwt.levels, dwt.mode)

    def gradient(second_derivative: bool) -> npt.NDArray[np.float64]:
        attributions = trim_attributions(model, on_taps, x, second_derivative=second_derivative, **options)
        (slope,) = torch.autograd.grad(sparsity_loss(attributions), free.taps)
        return slope.double().cpu().numpy()

    whole = gradient(True)
    part = whole - gradient(False)
    along = math.nan
    if wavelet.length > 2 and wavelet.certificate().is_orthonormal():
        jacobian = taps_jacobian(wavelet.angles)
        directions, sizes, _ = np.linalg.svd(jacobian[:, 1:] - jacobian[:, :1], full_matrices=False)
        directions = directions[:, sizes > 1e-8 * sizes[0]]
        along = float(np.linalg.norm(part @ directions) / np.linalg.norm(whole @ directions))
    return HessianTerm(whole, part, float(np.linalg.norm(part) / np.linalg.norm(whole)), along)


@dataclass(frozen=True)
class _Question:
    """What is asked of the teacher: which prediction, by which method."""

    model: Model
    target: int
    method: Method
    points: Points
    baseline: Array

    @classmethod
    def pose(
        cls, model: Model, first: Array, inputs: int, device: torch.device, target: Target, method: Method,
        baseline: Any, n_steps: int, seed: int,
    ) -> "_Question":  # fmt: skip
        """Checked, on the first one or two inputs of so many."""
        on_path = method in ("integrated_gradients", "gradient_shap")
        everything = np.broadcast_to(first[:1], (inputs, *first.shape[1:]))  # only its shape is looked at
        # Noise on the inputs, Captum's default for gradient SHAP, has no place where the point is Ψ⁻¹s + r.
        points, _ = points_of(everything, method, baseline=baseline, n_steps=n_steps, n_samples=n_steps, seed=seed)
        targets, _ = probe(model, first, target, device)
        if len(targets) != 1:
            raise ValueError(f"the target is {target!r}, {len(targets)} predictions; give the index of a single one")
        rows = np.asarray(0.0 if baseline is None else baseline)
        if rows.ndim < first.ndim:
            rows = np.broadcast_to(rows, first.shape[1:])[None]
        if on_path and len(rows) not in (1, inputs if method == "integrated_gradients" else 1):
            raise ValueError(f"the baseline has {len(rows)} rows; gradient SHAP of coefficients takes one baseline")
        return cls(model, targets[0], method, points, rows)

    def attributions(
        self,
        dwt: DWT1d | DWT2d,
        x: Tensor,
        coefficients: Coefficients,
        reconstruction: Tensor,
        rows: IntArray,
        second_derivative: bool = True,
    ) -> Coefficients:
        """Attributions for a batch, the inputs of these numbers, whose coefficients and reconstruction are known."""
        residual = (x - reconstruction).detach()
        if self.method in ("saliency", "input_x_gradient"):
            slopes = self._slopes(dwt, coefficients, reconstruction + residual, second_derivative)
        else:
            slopes = [torch.zeros_like(band) for band in coefficients.tensors()]
            for point, weight in self._path(x, rows):
                s = dwt(point)
                found = self._slopes(dwt, s, dwt.inverse(s) + residual, second_derivative)
                slopes = [average + weight * slope for average, slope in zip(slopes, found, strict=True)]
        if self.method != "saliency":
            factors = coefficients
            if self.method != "input_x_gradient":
                own = self.baseline if len(self.baseline) == 1 else self.baseline[rows]
                factors = dwt(x - torch.from_numpy(np.array(own)).to(x))
            slopes = [factor * slope for factor, slope in zip(factors.tensors(), slopes, strict=True)]
        in_order = iter(slopes)
        return coefficients.map(lambda _: next(in_order))

    def _slopes(self, dwt: DWT1d | DWT2d, s: Coefficients, seen: Tensor, second_derivative: bool) -> list[Tensor]:
        """Derivative of the prediction with respect to s, where the teacher sees Ψ⁻¹s + r."""
        through = second_derivative and seen.requires_grad
        seen = seen if through else seen.detach().requires_grad_()
        # Inputs do not affect each other, so the gradient of the sum over the batch holds that of every input.
        prediction = self.model(seen.clone()).reshape(len(seen), -1)[:, self.target].sum()
        if through:
            return list(torch.autograd.grad(prediction, list(s.tensors()), create_graph=True))
        (gradient,) = torch.autograd.grad(prediction, seen)
        return list(dwt.adjoint_forward(gradient).tensors())

    def _path(self, x: Tensor, rows: IntArray) -> Iterator[tuple[Tensor, float]]:
        """Points on the way from the baseline to the inputs: what is drawn for an input depends on its number alone."""
        block = x.detach().cpu().numpy()
        ways = [self.points(int(row), block[k : k + 1]) for k, row in enumerate(rows)]
        for step in zip(*ways, strict=True):
            yield torch.from_numpy(np.concatenate([point for point, _ in step])).to(x), step[0][1]


@contextmanager
def _without_boundary_warnings() -> Iterator[None]:
    """No word on levels beyond the signal's: the published ones are, for series of length 40."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*boundary effects", UserWarning)
        yield


class _Fit:
    """A fit that is under way, and its file."""

    def __init__(
        self,
        samples: Samples,
        dwt: DWT1d | DWT2d,
        filter: FreeFilter,
        question: _Question | None,
        weights: LossWeights,
        batch_size: int,
        learning_rate: float,
        seed: int,
    ) -> None:
        self.samples, self.dwt, self.filter, self.question, self.weights = samples, dwt, filter, question, weights
        self.batch_size, self.seed = batch_size, seed
        self.adam = torch.optim.Adam(filter.parameters(), lr=learning_rate)
        self.history: list[Epoch] = []

    def epoch(self) -> Epoch:
        """One pass over the inputs."""
        began, taps = time.perf_counter(), self.filter.taps
        names: list[str] = []
        sums = torch.zeros((), dtype=torch.float64, device=taps.device)
        for rows in batch_rows(self.samples, self.batch_size, self.seed, len(self.history)):
            x = self.samples.take(rows).to(taps)
            coefficients = self.dwt(x)
            reconstruction = self.dwt.inverse(coefficients)
            attributions = None
            if self.question:
                attributions = self.question.attributions(self.dwt, x, coefficients, reconstruction, rows)
            total, terms = distillation_loss(taps, x, reconstruction, coefficients, attributions, self.weights)
            if not terms:
                raise ValueError("all weights are zero; give at least one term a weight")
            # Into the taps alone: gradients of the teacher's weights are neither wanted nor paid for.
            (taps.grad,) = torch.autograd.grad(total, taps)
            self.adam.step()
            names = list(terms)
            sums = sums + len(rows) * torch.stack([total, *terms.values()]).detach().double()
        values = (sums / len(self.samples)).tolist()
        if not all(map(math.isfinite, (*values, *taps.tolist()))):
            raise RuntimeError(
                f"the loss diverged in epoch {len(self.history) + 1}: it is {values[0]}; take a smaller learning_rate "
                "or smaller weights"
            )
        spent = time.perf_counter() - began
        return Epoch(dict(zip(names, values[1:], strict=True)), values[0], tuple(taps.tolist()), spent)

    def save(self, path: Path, settings: dict[str, Any]) -> None:
        tensors = {"taps": self.filter.taps, **self.adam.state[self.filter.taps]}
        save_tensors(path, tensors, {"settings": settings, "history": [asdict(epoch) for epoch in self.history]}, KIND)

    def load(self, path: Path, settings: dict[str, Any], epochs: int) -> None:
        tensors, document = load_tensors(path, KIND)
        differing = [key for key in settings if document["settings"].get(key) != settings[key]]
        if differing:
            raise ValueError(
                f"the checkpoint {path} belongs to another problem: {', '.join(differing)} differ(s); delete it to "
                "start anew, or give another path"
            )
        if len(document["history"]) > epochs:
            raise ValueError(
                f"the checkpoint {path} holds {len(document['history'])} epochs, and epochs is {epochs}; ask for as "
                "many or more, or give another path"
            )
        self.history = [Epoch(**record | {"taps": tuple(record["taps"])}) for record in document["history"]]
        with torch.no_grad():
            self.filter.taps.copy_(tensors.pop("taps"))
        self.adam.load_state_dict({"state": {0: tensors}, "param_groups": self.adam.state_dict()["param_groups"]})


def _checked_weights(weights: LossWeights | Sequence[float]) -> LossWeights:
    if isinstance(weights, LossWeights):
        return weights
    names = [field.name for field in fields(LossWeights)]
    if len(weights) > len(names):
        raise ValueError(f"{len(weights)} weights are given; there are {len(names)}: {', '.join(names)}")
    return LossWeights(*map(float, weights))


def _check_positive(**options: float) -> None:
    for name, value in options.items():
        whole = name != "learning_rate"
        if not (math.isfinite(value) and value > 0) or (whole and operator.index(value) < 1):  # type: ignore[arg-type]
            raise ValueError(f"{name} is {value}; give a positive {'whole ' if whole else ''}number")


def _checked_place(checkpoint: str | os.PathLike[str] | None) -> Path | None:
    path = Path(checkpoint) if checkpoint else None
    if path and not path.parent.is_dir():
        raise FileNotFoundError(f"cannot write the checkpoint {path}: the folder {path.parent} does not exist")
    return path


def _name(model: Model | None, path: Path | None) -> str | None:
    if isinstance(model, nn.Module):
        return model_digest(model)
    if model is not None and path:
        raise TypeError(
            f"with a checkpoint, the model must be a torch Module, so that its weights identify it; got {model!r}"
        )
    return None


def _within(progress: Progress | None, index: int, count: int, what: str) -> Progress | None:
    """Progress of one fit as progress of the grid."""
    if progress is None:
        return None
    return lambda done, total, line: progress(index * total + done, count * total, f"{what}: {line}")
