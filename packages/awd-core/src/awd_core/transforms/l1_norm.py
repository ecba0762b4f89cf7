"""The L1 norm of a wavelet transform and its gradient into the taps, in one pass and without a graph.

Autograd would do (`DWT1d`, `DWT2d`), but this is the inner loop of distillation, and building a graph costs time and
memory. So the chain rule is written out: down the tree of bands by `analyse`, up again by its adjoint
`synthesise`, gathering the filters' gradient by `correlate`.

At zero the subgradient is zero. Smooth inputs have coefficients that are zero in exact arithmetic and ±1e-17 or so in
floating point; their signs are noise, and taken at their word they move the gradient by up to a third. So a coefficient
counts as zero here up to `ROUNDING` times the machine epsilon times the sample's largest coefficient: what is left of
zeros was measured to be at most 3.5 such units, for wavelets of 2 to 40 taps, one to four levels and all modes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from awd_core.transforms.boundary import output_length
from awd_core.transforms.compiled import is_exact, kernel_for, norm_and_gradient, takes_levels
from awd_core.transforms.filterbank import adjoint_kernel, analysis_kernel, filter_gradient_kernel
from awd_core.wavelets.filters import high_pass

ROUNDING = 16
"""Coefficients count as zero up to so many units of rounding of the largest one of their sample."""


def magnitudes(bands: Sequence[Tensor]) -> list[Tensor]:
    """|s| for every coefficient, zero with slope zero where it is nothing but rounding.

    Parameters
    ----------
    bands : sequence of Tensor, each of shape (m, …)
        All bands of a transform; the first axis is the batch.

    Returns
    -------
    list of Tensor
        As the bands.
    """
    floor = _floor(torch.stack([_peaks(band.detach(), band.shape[0]) for band in bands]).amax(0))
    absolute = (band.abs() for band in bands)
    rows = (floor.reshape(-1, *[1] * (band.ndim - 1)) for band in bands)
    return [torch.where(each <= row, torch.zeros_like(each), each) for each, row in zip(absolute, rows, strict=True)]


def _peaks(band: Tensor, samples: int) -> Tensor:
    """Largest magnitude in each sample's part of a band."""
    peaks: Tensor = torch.linalg.vector_norm(band.reshape(samples, -1), torch.inf, dim=1)
    return peaks


def _floor(peaks: Tensor) -> Tensor:
    """What counts as zero beside coefficients of that size; not zero itself, so that one may divide by it."""
    limits = torch.finfo(peaks.dtype)
    finite = peaks.nan_to_num(0, 0, 0)  # an infinite coefficient makes no other one zero
    return (ROUNDING * limits.eps * finite).clamp_min(limits.tiny)


@dataclass(frozen=True)
class _Split:
    """One application of the filter bank: what went in, flattened, and which bands came out."""

    x: Tensor
    parent: int
    low: int
    high: int


class Workspace:
    """Memory for the bands, kept from one evaluation to the next.

    Fresh memory comes from the system page by page, each of which it fills with zeros: for large bands this takes
    longer than the arithmetic.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[object, ...], Tensor] = {}

    def take(self, place: tuple[object, ...], shape: tuple[int, ...], like: Tensor) -> Tensor:
        """A tensor of that shape, of no particular content, the same one whenever the place is the same."""
        key = (*place, shape, like.dtype, like.device)
        if key not in self._kept:
            self._kept[key] = like.new_empty(shape)
        return self._kept[key]


@torch.no_grad()
def l1_norm_and_gradient(
    x: Tensor, taps: Tensor, ndim: int, levels: int, mode: str, workspace: Workspace | None = None
) -> tuple[float, Tensor]:
    """Σ|s| over all coefficients of a batch, and its derivative with respect to the low-pass taps.

    Where a coefficient is zero, or nothing but rounding, its subgradient is taken as zero.

    Parameters
    ----------
    x : Tensor, shape (…, N) or (…, H, W)
        Signals.
    taps : Tensor, shape (L,)
        Low-pass taps, of x's dtype and device.
    ndim : int
        How many of the last axes are transformed, 1 or 2.
    levels : int
        Number of levels J ≥ 1.
    mode : str
        Any extension of `awd_core.transforms.boundary`.
    workspace : Workspace, optional
        Memory to use again in the next call; not by two threads at once.

    Returns
    -------
    norm : float
        Rows are summed in x's precision, by halves, and their sums in float64.
    gradient : Tensor, shape (L,), float64
    """
    bank = torch.stack([taps, high_pass(taps)])
    kernel = kernel_for(x, bank)
    if kernel is not None and takes_levels(levels) and is_exact(x.dtype, mode, len(taps)):
        norm, into_bank = norm_and_gradient(kernel, x, bank, ndim, levels, mode, ROUNDING)
        return norm, _into_low(torch.from_numpy(into_bank.copy()))
    memory = workspace or Workspace()
    bands, shapes, splits = {0: x}, {0: tuple(x.shape[-ndim:])}, []
    approximation, count = 0, 0
    for _ in range(levels):
        nodes = [approximation]
        for axis in range(ndim):
            halves = []
            for node in nodes:
                # (P, N, Q): along the rows first (axis −2 of an image), then within them.
                shape = shapes.pop(node)
                behind = 1
                for size in shape[axis + 1 :]:
                    behind *= size
                flat = bands.pop(node).reshape(-1, shape[axis], behind)
                outputs = (flat.shape[0], output_length(flat.shape[1], bank.shape[1], mode), flat.shape[2])
                out = (memory.take((count + 1,), outputs, x), memory.take((count + 2,), outputs, x))
                low, high = analysis_kernel(flat, bank, mode, out)
                splits.append(_Split(flat, node, count + 1, count + 2))
                for band in (low, high):
                    count += 1
                    bands[count] = band
                    shapes[count] = (*shape[:axis], band.shape[1], *shape[axis + 1 :])
                    halves.append(count)
            nodes = halves
        approximation = nodes[0]

    norm = float(torch.stack([_l1(band, memory) for band in bands.values()]).sum())
    samples = x.shape[:-ndim].numel()
    scale = 1 / _floor(torch.stack([_peaks(band, samples) for band in bands.values()]).amax(0))[:, None]
    slopes = {node: band.view(samples, -1).mul_(scale).trunc_().sign_().view_as(band) for node, band in bands.items()}
    gradient = torch.zeros_like(bank, dtype=torch.float64)
    for split in reversed(splits):
        shape = (split.x.shape[0], -1, split.x.shape[2])
        low, high = slopes.pop(split.low).reshape(shape), slopes.pop(split.high).reshape(shape)
        gradient += filter_gradient_kernel(split.x, low, high, bank.shape[1], mode)
        if split.parent:
            slope = memory.take(("slope", split.parent), tuple(split.x.shape), x)
            slopes[split.parent] = adjoint_kernel(low, high, bank, split.x.shape[1], mode, slope)
    return norm, _into_low(gradient)


def _into_low(gradient: Tensor) -> Tensor:
    """Gradient into the low-pass taps from that into both filters, of which the high-pass follows from the low-pass."""
    return gradient[0] + high_pass(gradient[1].flip(0)).flip(0)


def _l1(band: Tensor, memory: Workspace) -> Tensor:
    rows = band.reshape(-1, max(band.shape[1] * band.shape[2], 1))
    magnitudes = torch.abs(rows, out=memory.take(("abs",), tuple(rows.shape), band))
    return magnitudes.sum(1).sum(dtype=torch.float64)
