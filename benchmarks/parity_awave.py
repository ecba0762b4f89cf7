"""Whether the published form of distillation is the published one: `python -m benchmarks.parity_awave --awave PATH`.

The authors' code (a checkout of Yu-Group/adaptive-wavelets) and `awd_core.published.grid` get the same start, inputs,
order, teacher and weights. Compared are the loss terms of the first batch and the filter after fifty steps of Adam.
Nothing of theirs has to be replaced for that: their `Trainer`, losses and transforms import with torch, NumPy and
PyWavelets.

Their parameter h0 holds the taps as a correlation wants them, so it is `dec_lo` reversed, with two axes in front; their
high-pass (−1)ⁿ h0(L − 1 − n) is then PyWavelets' `dec_hi` reversed. Their inputs have an axis for the channel, which
ours may have too.
"""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from awd_core.published import LossWeights, distill_penalised, distillation_loss, hessian_term, trim_attributions
from awd_core.published.grid import PenalisedFit, batch_rows
from awd_core.teacher.samples import Samples
from awd_core.transforms import DWT1d, DWT2d
from awd_core.wavelets import FreeFilter
from benchmarks.contenders import load_awave
from benchmarks.networks import Recurrent
from benchmarks.timing import quiet

TERMS = {
    "reconstruction": "rec_loss",
    "low_pass_sum": "lsum_loss",
    "high_pass_sum": "hsum_loss",
    "norm": "L2norm_loss",
    "conjugate_mirror": "CMF_loss",
    "shift_orthogonality": "conv_loss",
    "sparsity": "L1wave_loss",
    "interpretation": "L1attr_loss",
}
"""Our names of the terms, and where theirs keep the last values."""

TERM_WITHIN = 1e-5
"""Largest relative difference of a term."""

TAPS_WITHIN = 1e-4
"""Largest difference of a tap after all steps, each of which moves it by up to 1e-3."""

SEEN_WITHIN = 0.1
"""Largest share that this tolerance may be of what the interpretation term does to the taps, to have been seen."""

SEED, NOISE, STEPS, BATCH, RATE = 7, 0.05, 50, 100, 1e-3


def convolutional() -> nn.Module:
    """Maps (m, 1, H, W) to three predictions, with a second derivative everywhere."""
    layers: list[nn.Module] = []
    for before, after in ((1, 6), (6, 8)):
        layers += [nn.Conv2d(before, after, 3, stride=2, padding=1), nn.BatchNorm2d(after), nn.SiLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, 3))


@dataclass(frozen=True)
class Case:
    """One comparison: inputs of a shape, a teacher, its prediction, and weights with a γ large enough to tell."""

    title: str
    shape: tuple[int, ...]
    teacher: Any
    target: int
    weights: LossWeights

    @property
    def ndim(self) -> int:
        """Number of transformed axes."""
        return len(self.shape) - 2


CASES = (
    Case("1-D, LSTM", (500, 1, 40), Recurrent, 0, LossWeights(0.005, 300.0)),
    Case("2-D, convolutions", (100, 1, 32, 32), convolutional, 1, LossWeights(0.005, 300.0)),
)


def main(arguments: list[str] | None = None) -> int:
    """Compare, and print what differs by how much; 1 if a figure is not within its tolerance, else 0."""
    parser = argparse.ArgumentParser(description="The published form of distillation against the authors' code.")
    parser.add_argument("--awave", metavar="PATH", required=True, help="checkout of Yu-Group/adaptive-wavelets")
    options = parser.parse_args(arguments)
    try:
        awave = load_awave(options.awave)
    except (ImportError, FileNotFoundError) as error:
        parser.error(str(error))
    table = Table("case", "type", "what", "theirs", "ours", "difference", "allowed", "")
    agreed = True
    for case in CASES:
        for dtype in (torch.float32, torch.float64):
            with quiet(), _default_dtype(dtype):
                rows = list(compare(awave, case, dtype))
            for what, theirs, ours, difference, allowed in rows:
                within = difference <= allowed  # a NaN is not
                agreed &= within
                cells = (f"{theirs:.8g}", f"{ours:.8g}", f"{difference:.1e}", f"{allowed:.0e}")
                table.add_row(case.title, str(dtype).removeprefix("torch."), what, *cells, "" if within else "differs")
            table.add_section()
    console = Console(width=150, highlight=False)
    console.print(table)
    for case in CASES:
        with quiet():
            console.print(second_derivative(case))
    console.print("All agree." if agreed else "They do not agree.")
    return 0 if agreed else 1


def compare(awave: Any, case: Case, dtype: torch.dtype) -> Iterator[tuple[str, float, float, float, float]]:
    """Rows of the table: what, theirs, ours, difference, allowed.

    Parameters
    ----------
    awave : module
        The authors' package.
    case : Case
        What to compare.
    dtype : torch.dtype
        Precision of everything; PyTorch's default must be the same, since theirs goes by it.
    """
    torch.manual_seed(SEED)
    teacher = case.teacher().eval()
    X = _inputs(case).astype(np.float32 if dtype == torch.float32 else np.float64)
    start = FreeFilter("db5", noise=NOISE, seed=SEED, dtype=dtype)

    theirs, their_taps = _theirs(awave, case, teacher, X, start.taps.detach())
    ours = _first_terms(case, teacher, X, start)
    for name, value in theirs.items():
        yield name, value, ours[name], abs(ours[name] - value) / abs(value), TERM_WITHIN
    taps = np.array(_ours(case, teacher, X, case.weights).history[-1].taps)
    gap = np.abs(taps - their_taps)
    worst = int(gap.argmax())
    yield f"taps after {STEPS} steps", their_taps[worst], taps[worst], gap[worst], TAPS_WITHIN
    # Would it have been seen if the term were not there?
    without = _ours(case, teacher, X, replace(case.weights, interpretation=0.0))
    other = np.array(without.history[-1].taps)
    worst = int(np.abs(other - their_taps).argmax())
    seen = TAPS_WITHIN / abs(other[worst] - their_taps[worst])
    yield "without interpretation: tolerance / gap", their_taps[worst], other[worst], seen, SEEN_WITHIN


def second_derivative(case: Case) -> str:
    """What share of the interpretation gradient at db5 goes through the teacher's second derivative, as a line."""
    torch.manual_seed(SEED)
    teacher = case.teacher().eval().double()
    x = torch.from_numpy(_inputs(case)[:BATCH])
    dwt = (DWT1d if case.ndim == 1 else DWT2d)("db5", 4, "zero")
    term = hessian_term(teacher, dwt, x, target=case.target)
    return (
        f"{case.title}: through the teacher's second derivative at db5, {term.relative:.1%} of the gradient into free "
        f"taps, {term.relative_orthonormal:.1e} of its component along the orthonormal filters."
    )


def _inputs(case: Case) -> npt.NDArray[np.float64]:
    """Random walks along the last axis, of unit variance."""
    walks = np.random.default_rng(SEED).standard_normal(case.shape).cumsum(-1)
    scaled: npt.NDArray[np.float64] = walks / walks.std()
    return scaled


def _ours(case: Case, teacher: nn.Module, X: Any, weights: LossWeights) -> PenalisedFit:
    epochs = STEPS * BATCH // len(X)
    return distill_penalised(
        X, teacher, target=case.target, wavelet="db5", levels=4, ndim=case.ndim, weights=weights, epochs=epochs,
        batch_size=BATCH, learning_rate=RATE, noise=NOISE, seed=SEED,
    )  # fmt: skip


def _first_terms(case: Case, teacher: nn.Module, X: Any, start: FreeFilter) -> dict[str, float]:
    dwt = (DWT1d if case.ndim == 1 else DWT2d)(start, 4, "zero")
    x = torch.from_numpy(X[next(iter(batch_rows(Samples(X), BATCH, SEED, 0)))])
    coefficients = dwt(x)
    attributions = trim_attributions(teacher, dwt, x, target=case.target)
    _, terms = distillation_loss(start(), x, dwt.inverse(coefficients), coefficients, attributions, case.weights)
    return {name: term.item() for name, term in terms.items()}


def _theirs(awave: Any, case: Case, teacher: nn.Module, X: Any, start: Tensor) -> tuple[dict[str, float], Any]:
    """Terms of the first batch and, in PyWavelets' orientation, taps after all steps."""
    dwt = (awave.DWT1d if case.ndim == 1 else awave.DWT2d)(wave="db5", mode="zero", J=4)
    with torch.no_grad():
        dwt.h0.copy_(start.flip(0).view_as(dwt.h0))
    weights = {"lamlSum": 1.0, "lamhSum": 1.0, "lamL2norm": 1.0, "lamCMF": 1.0, "lamConv": 1.0}
    weights |= {"lamL1wave": case.weights.sparsity, "lamL1attr": case.weights.interpretation}
    loss = awave.get_loss_f(**weights)
    adam = torch.optim.Adam(dwt.parameters(), lr=RATE)
    trainer = awave.Trainer(
        teacher, dwt, adam, loss, target=case.target, device="cpu", use_residuals=True, attr_methods="Saliency"
    )
    first: dict[str, float] = {}
    for epoch in range(STEPS * BATCH // len(X)):
        for rows in batch_rows(Samples(X), BATCH, SEED, epoch):
            trainer._train_iteration(torch.from_numpy(X[rows]))
            first = first or {name: getattr(loss, attribute).item() for name, attribute in TERMS.items()}
    return first, dwt.h0.detach().flatten().flip(0).double().numpy()


@contextmanager
def _default_dtype(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


if __name__ == "__main__":
    sys.exit(main())
