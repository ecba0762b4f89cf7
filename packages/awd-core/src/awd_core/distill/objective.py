"""The distillation objective as a function of a few angles, with exact gradients and bounded memory.

For orthonormal filters nothing remains of the published objective (`awd_core.published.losses`) but its two L1 terms,

    S(θ) = (1/m) Σ_i ‖Ψx_i‖₁ / (J + 1),      A(θ) = (1/m) Σ_i ‖attributions of Ψx_i‖₁ / (J + 1),

and only the ratio of their weights matters. The teacher is not here: its gradients are data.
"""

import warnings
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from awd_core.attribution.coefficients import coefficient_attributions, l1_norm
from awd_core.attribution.points import Method
from awd_core.files.arrays import SampleArray, read_block
from awd_core.transforms.boundary import synthesis_mode
from awd_core.transforms.dwt import DWT1d, DWT2d
from awd_core.transforms.l1_norm import Workspace, l1_norm_and_gradient
from awd_core.typing import AnyArray, Array
from awd_core.wavelets.filters import FreeFilter
from awd_core.wavelets.lattice import QUARTER_PI, taps_and_jacobian
from awd_core.wavelets.wavelet import Wavelet
from awd_core.workers.threads import torch_threads

SERIAL_VALUES = 1 << 18
"""Values of X up to which one thread computes: more gain a tenth where they are alone, and lose ten times as much where
they wait for cores that others hold."""
CHUNK_VALUES = 1 << 20
"""Values of X that are transformed at a time."""


@dataclass(frozen=True)
class Terms:
    """Both terms at one filter; NaN where a term of weight zero was not computed."""

    sparsity: float
    interpretation: float


class DistillationObjective:
    """Weighted sum of sparsity and interpretation over a set of inputs, as a function of the free lattice angles.

    Parameters
    ----------
    X, gradients : SampleArray, shape (m, …, N) or (m, …, H, W)
        Inputs and their gradients, read a chunk at a time.
    length : int
        Number of taps L.
    levels : int
        Number of levels J.
    mode : str
        Boundary mode of Ψ.
    ndim : int
        1 or 2: how many of the last axes are transformed.
    method : str
        Attribution method that the gradients are for.
    baseline : float or ndarray
        Baseline of that method, if it has one.
    device, dtype : optional
        Where and in what precision the transforms are computed; sums are in float64.
    chunk_values : int
        Values of X per chunk: bounds the memory to some ten times as many.
    threads : int, optional
        Threads to compute with, unless X is small; by default as many as torch uses.
    """

    def __init__(
        self,
        X: SampleArray,
        gradients: SampleArray,
        *,
        length: int,
        levels: int,
        mode: str,
        ndim: int,
        method: Method = "saliency",
        baseline: float | AnyArray = 0.0,
        device: str | torch.device | None = None,
        dtype: torch.dtype = torch.float32,
        chunk_values: int = CHUNK_VALUES,
        threads: int | None = None,
    ) -> None:
        self.X, self.gradients = X, gradients
        self.length, self.levels, self.ndim, self.method = length, levels, ndim, method
        self.device, self.dtype = torch.device(device or "cpu"), dtype
        self.baseline = torch.as_tensor(np.asarray(baseline), dtype=dtype).to(self.device)
        start = Wavelet.from_angles([QUARTER_PI, *[0.0] * (length // 2 - 1)])
        self.filter = FreeFilter(start, dtype=dtype, device=self.device)
        transform = DWT1d if ndim == 1 else DWT2d
        self.dwt = transform(self.filter, levels, mode, check_finite=False)
        self._per_chunk = max(1, chunk_values // int(np.prod(X.shape[1:])))
        self._starts = range(0, X.shape[0], self._per_chunk)
        # One chunk is everything: it stays on the device from one evaluation to the next.
        self._kept = self._read(0) if len(self._starts) == 1 else None
        self._memory = Workspace()
        few = int(np.prod(X.shape)) <= SERIAL_VALUES
        self._threads = 1 if self.device.type == "cpu" and few else threads
        self.evaluations = 0

    @property
    def dimension(self) -> int:
        """Number of free angles, L/2 − 1."""
        return self.length // 2 - 1

    def __call__(self, free: Array, sparsity: float, interpretation: float) -> tuple[float, Array, Terms]:
        """Value, gradient and terms at some angles.

        Parameters
        ----------
        free : ndarray, shape (L/2 − 1,)
            Free angles in radians.
        sparsity, interpretation : float
            Weights λ and γ. A term of weight zero is not computed.

        Returns
        -------
        value : float
            λ S + γ A.
        gradient : ndarray, shape (L/2 − 1,)
            With respect to the free angles.
        terms : Terms
            S and A.
        """
        self.evaluations += 1
        taps, jacobian = taps_and_jacobian(_all_angles(free))
        with torch.no_grad():
            self.filter.taps.copy_(torch.from_numpy(taps))
        weights, per_sample = (sparsity, interpretation), self.X.shape[0] * (self.levels + 1)
        totals, gradient = np.zeros(2), np.zeros(self.length)
        with torch_threads(self._threads) if self._threads else nullcontext():
            for start in self._starts:
                x, g = self._kept or self._read(start)
                for term, weight in enumerate(weights):
                    if weight > 0:
                        norm, slope = self._norm(term, x, g)
                        totals[term] += norm / per_sample
                        gradient += (weight / per_sample) * slope
        value = sparsity * totals[0] + interpretation * totals[1]
        along = gradient @ jacobian
        seen = np.where(np.array(weights) > 0, totals, np.nan)
        return float(value), along[1:] - along[0], Terms(float(seen[0]), float(seen[1]))

    def _read(self, start: int) -> tuple[Tensor, Tensor]:
        stop = min(start + self._per_chunk, self.X.shape[0])
        blocks = (read_block(samples, start, stop) for samples in (self.X, self.gradients))
        # torch shares NumPy's memory and will not have it read-only, as that of a file that is mapped.
        writable = (np.require(block, requirements=["W"]) for block in blocks)
        x, g = (torch.from_numpy(block).to(self.device, self.dtype) for block in writable)
        return x, g

    def _norm(self, term: int, x: Tensor, g: Tensor) -> tuple[float, Array]:
        """L1 norm of the coefficients (term 0) or attributions (term 1), and its gradient into the taps."""
        if term == 0:
            norm, slope = l1_norm_and_gradient(x, self.filter.taps, self.ndim, self.levels, self.dwt.mode, self._memory)
        elif self.method == "saliency":
            mode = synthesis_mode(self.dwt.mode)
            norm, slope = l1_norm_and_gradient(g, self.filter.taps, self.ndim, self.levels, mode, self._memory)
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # levels beyond the signal's: said once, by the caller
                attributions = coefficient_attributions(self.dwt, x, g, self.method, baseline=self.baseline)
            total = l1_norm(attributions)
            norm, (slope,) = total.item(), torch.autograd.grad(total, self.filter.taps)
        return norm, slope.detach().double().cpu().numpy()


def _all_angles(free: Array) -> Array:
    return np.concatenate([[QUARTER_PI - free.sum()], free])
