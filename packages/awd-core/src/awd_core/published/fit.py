"""Distillation in its published form: free taps, every penalty, attributions through the teacher, Adam.

Ha, Singh, Lanusse, Upadhyayula and Yu, "Adaptive wavelet distillation from neural networks through interpretations"
(NeurIPS 2021), equations 4 and 5. `awd_core.distill.distill` finds the same trade-off over orthonormal filters, without
the teacher and to the global minimum; this form is for comparison, and for wavelets that need not be orthonormal.

`awd_core.published.through_teacher` has the attributions, `awd_core.published.grid` the published grid of weights.
"""

import math
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from awd_core.attribution.model_gradients import Model, Target, evaluation_mode
from awd_core.attribution.points import Method
from awd_core.attribution.store import model_digest
from awd_core.checks.real_numbers import real_list, real_number
from awd_core.checks.whole_numbers import whole_number
from awd_core.files.arrays import as_samples, digest
from awd_core.published.losses import LossWeights, distillation_loss
from awd_core.published.through_teacher import AttributionQuery
from awd_core.teacher.samples import Batches, Part, Samples, statistics_of
from awd_core.teacher.weights import as_json, load_tensors, save_tensors
from awd_core.transforms.boundary import warn_of_boundary, without_boundary_warnings
from awd_core.transforms.dwt import DWT1d, DWT2d, transformed_axes
from awd_core.typing import Rows
from awd_core.wavelets.certificate import Certificate
from awd_core.wavelets.filters import FreeFilter
from awd_core.wavelets.wavelet import Wavelet
from awd_core.workers.mapping import Progress
from awd_core.workers.progress import reported

KIND = "penalised distillation"


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
    progress: Progress | bool | None = None,
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
        Weights of the terms: a `LossWeights`, or (λ, γ), or all in the order of `LossWeights`.
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
    progress : callable or bool, optional
        True: a line on standard error every ten seconds. A function: called with
        (epochs done, epochs in all, a line on the last one).

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
    progress = reported(progress, "Published path")
    epochs, batch_size = whole_number("epochs", epochs), whole_number("batch_size", batch_size)
    levels, seed = whole_number("levels", levels), whole_number("seed", seed, 0)
    real_number("learning_rate", learning_rate, above=0)
    start = Wavelet.of(wavelet)
    path = _checked_place(checkpoint)
    samples = Samples(as_samples(X, "X"))
    ndim, levels = transformed_axes((len(samples), *samples.shape), ndim), whole_number("levels", levels)
    seed = whole_number("seed", seed, 0)
    if model is None and weights.interpretation > 0:
        raise ValueError(
            f"the weight interpretation is {weights.interpretation} but there is no model; give the teacher, or set "
            "the weight to zero"
        )
    warn_of_boundary(levels, samples.shape[-ndim:], [start.length] * ndim)
    dtype = dtype or torch.from_numpy(np.empty(0, samples.dtype)).dtype
    with (
        evaluation_mode(nn.Identity() if model is None else model, device) as (teacher, where),
        without_boundary_warnings(),
    ):
        filter = FreeFilter(start, noise=noise, seed=seed, dtype=dtype, device=where)
        dwt = (DWT1d if ndim == 1 else DWT2d)(filter, levels, mode, check_finite=False)
        settings = {
            "X": statistics_of(samples).digest, "shape": [len(samples), *samples.shape], "model": _name(model, path),
            "target": target, "wavelet": start.name, "taps": start.taps, "levels": levels, "mode": mode, "ndim": ndim,
            "weights": asdict(weights), "batch_size": batch_size, "learning_rate": learning_rate, "method": method,
            "baseline": None if baseline is None else digest(np.atleast_1d(np.asarray(baseline, dtype=np.float64))),
            "n_steps": n_steps, "noise": noise, "seed": seed, "dtype": str(dtype), "device": where.type,
        }  # fmt: skip
        settings = as_json(settings, "these settings")
        query = None
        if weights.interpretation > 0:
            first = samples.take(np.arange(min(2, batch_size, len(samples)))).to(dtype).numpy()
            query = AttributionQuery.of_teacher(
                teacher, first, len(samples), where, target, method, baseline, n_steps, seed
            )
        fit = _Fit(samples, dwt, filter, query, weights, batch_size, learning_rate, seed)
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


def batch_rows(samples: Samples, batch_size: int, seed: int, epoch: int) -> Iterator[Rows]:
    """Numbers of the inputs of each batch of an epoch: a function of (seed, epoch), and of chunks if X is on disk."""
    part = Part(samples, np.arange(len(samples)), torch.empty(0), torch.empty(0))
    batches = Batches(part, batch_size, seed)
    batches.epoch = epoch
    order = batches.order()
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]


class _Fit:
    """A fit that is under way, and its file."""

    def __init__(
        self,
        samples: Samples,
        dwt: DWT1d | DWT2d,
        filter: FreeFilter,
        query: AttributionQuery | None,
        weights: LossWeights,
        batch_size: int,
        learning_rate: float,
        seed: int,
    ) -> None:
        self.samples, self.dwt, self.filter, self.query, self.weights = samples, dwt, filter, query, weights
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
            if self.query:
                attributions = self.query.attributions(self.dwt, x, coefficients, reconstruction, rows)
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
    names, weights = [field.name for field in fields(LossWeights)], real_list("weights", weights)
    told = f"{len(weights)} weights are given; there are {len(names)}: {', '.join(names)}"
    if len(weights) > len(names):
        raise ValueError(told)
    given = LossWeights(*weights)
    if len(weights) not in (2, len(names)):
        raise ValueError(f"{told}. Give the first two, λ and γ, or all of them, or name them: LossWeights(…)")
    return given


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
