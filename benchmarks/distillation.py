"""One step of distillation: with gradients that were asked once, and through the teacher with its second derivative.

A step is one evaluation of the objective with its gradient, on one batch. Ours is `DistillationObjective`, sparsity
and interpretation together, into the lattice angles. Through the teacher it is the published form: the same terms into
free taps by `awd_core.published.grid`, and `awave`'s own training step where a checkout is given. Beside them stands
the teacher's gradient, which ours needs once and not in every step.
"""

import importlib
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from awd_core.attribution import input_gradients
from awd_core.distill.objective import DistillationObjective
from awd_core.published import LossWeights, distillation_loss, trim_attributions
from awd_core.transforms import DWT1d, DWT2d
from awd_core.wavelets import FreeFilter, Wavelet
from benchmarks.contenders import OURS, SEED, load_awave
from benchmarks.networks import Recurrent, residual
from benchmarks.report import Goal, Row, Section, measures
from benchmarks.timing import Settings, quiet, take_turns

Array = npt.NDArray[np.float32]

THROUGH, AWAVE, ONCE = "through the teacher", "awave", "teacher's gradient, once"
LEVELS, START = 4, "db5"

CASES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], int]] = {
    "LSTM, 100 × 40": (Recurrent, (100, 1, 40), 1),
    "ResNet-18, 100 × 64²": (residual, (100, 1, 64, 64), 2),
    "ResNet-18, 20 × 256²": (residual, (20, 1, 256, 256), 2),
}
GOALS = {"LSTM, 100 × 40": 30.0, "ResNet-18, 20 × 256²": 300.0}


def run(settings: Settings, log: Callable[[str], None]) -> Section:
    """Measure the table of steps: a row for each teacher and batch."""
    contenders = (OURS, THROUGH, AWAVE, ONCE)
    title = f"One distillation step ({START}, {LEVELS} levels, zero, float32)"
    section = Section("distillation", title, ("teacher, batch", "task", "mode"), contenders, (THROUGH, AWAVE))
    gaps = []
    for name, (build, shape, ndim) in list(CASES.items())[: 1 if settings.quick else None]:
        log(name)
        calls, gap = step_contenders(build, shape, ndim, settings)
        gaps.append(gap)
        figures = take_turns(calls, settings.seconds, settings.rounds)
        found = measures(figures, OURS, frozenset())
        peer = found.get(AWAVE)
        goal = Goal("≥", GOALS[name], AWAVE, peer.ratio if peer else None) if name in GOALS else None
        section.rows.append(Row((name, "step", "zero"), found, goal=goal))
    section.notes = [
        "Ours: value and gradient of sparsity and interpretation together, into lattice angles, from the teacher's "
        "gradients. Through the teacher: all published terms into free taps, with the teacher's second derivative.",
        f"Both interpretation terms at the start agree within {max(gaps):.0e} (relative).",
    ]
    section.sound = max(gaps) < 1e-4
    return section


def step_contenders(
    build: Callable[[], nn.Module], shape: tuple[int, ...], ndim: int, settings: Settings
) -> tuple[dict[str, Callable[[], object]], float]:
    """What takes one step each, and how far both interpretation terms lie apart at the start (relative)."""
    teacher, X = frozen(build), random_inputs(shape)
    batch = min(100, shape[0])
    gradients = input_gradients(teacher, X, target=0, batch_size=batch)
    objective, (through, terms) = our_objective(X, gradients, ndim), through_teacher(teacher, X, ndim)
    free = np.array(Wavelet.from_name(START).angles[1:])
    _, _, ours = objective(free, 1.0, 1.0)
    gap = abs(ours.interpretation / terms()["interpretation"].item() - 1)
    calls: dict[str, Callable[[], object]] = {
        OURS: lambda: objective(free, 0.5, 0.5),
        THROUGH: through,
        ONCE: lambda: input_gradients(teacher, X, target=0, batch_size=batch),
    }
    if settings.awave is not None:
        calls[AWAVE] = awave_step(load_awave(settings.awave), teacher, X, ndim)
    return calls, gap if math.isfinite(gap) else 1.0


def frozen(build: Callable[[], nn.Module]) -> nn.Module:
    """A teacher with random weights, which are not learnt."""
    torch.manual_seed(SEED)
    return build().eval().requires_grad_(False)


def random_inputs(shape: tuple[int, ...]) -> Array:
    """White noise."""
    return np.random.default_rng(SEED).standard_normal(shape, dtype=np.float32)


def our_objective(X: Array, gradients: Array, ndim: int) -> DistillationObjective:
    """Both terms of a batch, from the teacher's gradients."""
    length = Wavelet.from_name(START).length
    return DistillationObjective(X, gradients, length=length, levels=LEVELS, mode="zero", ndim=ndim)


def through_teacher(
    teacher: nn.Module, X: Array, ndim: int
) -> tuple[Callable[[], Tensor], Callable[[], dict[str, Tensor]]]:
    """The published form of a step, through the teacher: the gradient into free taps; and the terms alone."""
    x, filter_ = torch.from_numpy(X), FreeFilter(START)
    dwt = (DWT1d if ndim == 1 else DWT2d)(filter_, LEVELS, "zero")
    weights = LossWeights(sparsity=0.02, interpretation=0.02)

    def published() -> tuple[Tensor, dict[str, Tensor]]:
        with quiet():
            coefficients = dwt(x)
            attributions = trim_attributions(teacher, dwt, x, target=0)
            back = dwt.inverse(coefficients)
        return distillation_loss(filter_(), x, back, coefficients, attributions, weights)

    return lambda: torch.autograd.grad(published()[0], filter_.taps)[0], lambda: published()[1]


def awave_step(awave: Any, teacher: nn.Module, X: Array, ndim: int) -> Callable[[], object]:
    """One iteration of the authors' `Trainer`, without its step of the optimiser being any different from theirs."""
    losses: Any = importlib.import_module("awave.losses")
    train: Any = importlib.import_module("awave.utils.train")
    transform = (awave.DWT1d if ndim == 1 else awave.DWT2d)(wave=START, mode="zero", J=LEVELS)
    optimiser = torch.optim.Adam([transform.h0], lr=1e-6)
    loss = losses.get_loss_f(
        lamlSum=1.0, lamhSum=1.0, lamL2norm=1.0, lamCMF=1.0, lamConv=1.0, lamL1wave=0.02, lamL1attr=0.02
    )
    trainer = train.Trainer(
        teacher,
        transform,
        optimiser,
        loss,
        target=0,
        device=torch.device("cpu"),
        use_residuals=True,
        attr_methods="Saliency",
    )
    x = torch.from_numpy(X)
    return lambda: trainer._train_iteration(x)
