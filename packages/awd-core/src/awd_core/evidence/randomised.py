"""The sanity check of attributions: a network that has learnt nothing must give others than the teacher."""

import copy
import math
from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np
import torch
from torch import nn

from awd_core.attribution.coefficients import coefficient_attributions
from awd_core.attribution.gradients import input_gradients
from awd_core.attribution.model_gradients import Target
from awd_core.attribution.points import Method
from awd_core.checks.choices import check_kind
from awd_core.checks.whole_numbers import whole_number
from awd_core.distill.distill import SearchSettings, distill_path
from awd_core.evidence.checks import as_rows, mean_cosine, rank_correlation
from awd_core.evidence.quality import RandomisedTeacher
from awd_core.files.arrays import as_samples
from awd_core.teacher.seeds import isolated_random_state
from awd_core.transforms.dwt import DWT1d, DWT2d, transformed_axes
from awd_core.typing import AnyArray, Array
from awd_core.wavelets.filters import WaveletLike
from awd_core.wavelets.wavelet import Wavelet


def reinitialised(model: nn.Module, *, seed: int, factory: Callable[[], nn.Module] | None = None) -> nn.Module:
    """The same network with first weights of another draw, as if it had never been trained.

    Parameters
    ----------
    model : Module
        It stays as it is. Scales of inputs and targets that are buffers (`awd_core.teacher.Standardised`) are kept.
    seed : int
        Of the draw; torch's global generators are left as they were.
    factory : callable, optional
        Builds the network, in place of `reset_parameters` of each of its modules.

    Raises
    ------
    ValueError
        If a module has parameters but no `reset_parameters`, or nothing changes.
    """
    with isolated_random_state():
        torch.manual_seed(whole_number("seed", seed, 0))
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
    X: AnyArray,
    *,
    seed: int,
    levels: int,
    wavelet: WaveletLike = "db5",
    mode: str = "zero",
    ndim: int | None = None,
    target: Target = None,
    method: Method = "saliency",
    baseline: float | AnyArray | None = None,
    trained: Sequence[nn.Module] = (),
    factory: Callable[[], nn.Module] | None = None,
    search: SearchSettings | None = None,
    batch_size: int = 64,
    known: Sequence[AnyArray] = (),
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
    batch_size : int, optional
        Inputs per pass.
    known : sequence of ndarray, optional
        Gradients that are there already, of the model and of those in `trained`, in this order; the rest is asked for.

    Returns
    -------
    RandomisedTeacher
    """
    check_kind("model", model, nn.Module)
    X = np.asarray(as_samples(X, "X"))
    search = search or SearchSettings(random_starts=8, small_batch=1 << 16, large_batch=1 << 20, finalists=2)
    ndim = transformed_axes(X.shape, ndim)
    dwt = (DWT1d if ndim == 1 else DWT2d)(wavelet, levels, mode)
    x = torch.as_tensor(X)

    def explained(teacher: nn.Module, g: AnyArray | None = None) -> tuple[Array, Wavelet]:
        if g is None:
            g = input_gradients(teacher, X, target, method=method, baseline=baseline, seed=seed, batch_size=batch_size)
        b = 0.0 if baseline is None else baseline
        attributions = coefficient_attributions(dwt, x, torch.as_tensor(g), method, baseline=torch.as_tensor(b).to(x))
        path = distill_path(
            X, g, wavelet=wavelet, levels=levels, mode=mode, ndim=ndim, shares=(1.0,), method=method, baseline=b,
            seed=seed, search=search,
        )  # fmt: skip
        return as_rows(attributions), path[0].wavelet

    there = [*known, *[None] * (1 + len(trained) - len(known))]
    mine, *others = [explained(teacher, g) for teacher, g in zip((model, *trained), there, strict=True)]
    blank = explained(reinitialised(model, seed=seed, factory=factory))
    pairs = list(combinations([mine, *others], 2))
    alike = [_similarity(one, other) for one, other in pairs]
    between = np.mean(alike, axis=0).tolist() if alike else [math.nan] * 3
    return RandomisedTeacher(*_similarity(mine, blank), *between)


def _similarity(one: tuple[Array, Wavelet], other: tuple[Array, Wavelet]) -> tuple[float, float, float]:
    cosine = mean_cosine(one[0], other[0], "zero")
    return rank_correlation(one[0], other[0]), cosine, one[1].distance(other[1])
