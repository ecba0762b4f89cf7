"""How long a filter should be: distilled at several lengths, scored on one scale."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from awd_core.attribution.gradients import check_gradients
from awd_core.attribution.points import Method
from awd_core.checks.real_numbers import real_list, real_number
from awd_core.checks.whole_numbers import is_whole_number, whole_number
from awd_core.distill.distill import DistillationPath, SearchSettings, distill_path
from awd_core.distill.objective import DistillationObjective
from awd_core.files.arrays import as_samples
from awd_core.transforms.boundary import warn_of_boundary, without_boundary_warnings
from awd_core.transforms.dwt import transformed_axes
from awd_core.typing import AnyArray, Array
from awd_core.wavelets.lattice import QUARTER_PI
from awd_core.wavelets.wavelet import Wavelet
from awd_core.workers.mapping import Progress, Workers
from awd_core.workers.open import open_workers
from awd_core.workers.progress import reported


@dataclass(frozen=True)
class LengthScore:
    """The distilled wavelet of one length, on a scale that all lengths share.

    Attributes
    ----------
    length : int
        Number of taps.
    wavelet : Wavelet
        The distilled wavelet.
    sparsity, interpretation : float
        S and A of it, divided by those of the Haar wavelet.
    score : float
        (1 − α) S/S_haar + α A/A_haar: what was minimised, up to a factor.
    path : DistillationPath
        The search, in the length's own scale.
    """

    length: int
    wavelet: Wavelet
    sparsity: float
    interpretation: float
    score: float
    path: DistillationPath


def compare_lengths(
    X: Any,
    gradients: Any,
    lengths: Sequence[int] = (4, 6, 8, 10, 12),
    *,
    share: float = 0.5,
    levels: int = 4,
    mode: str = "zero",
    ndim: int | None = None,
    method: Method = "saliency",
    baseline: float | AnyArray = 0.0,
    seed: int = 0,
    search: SearchSettings | None = None,
    device: str | torch.device | None = None,
    dtype: torch.dtype = torch.float32,
    workers: int | Workers = 1,
    progress: Progress | bool | None = None,
) -> tuple[LengthScore, ...]:
    """Distil at several filter lengths and score them alike.

    `distill_path` scales both terms by those of the wavelet that it starts from, which another length changes. Here
    the reference is the Haar wavelet for all, so scores may be compared, between calls on the same data too; each
    length gets the share of its own scale that stands for the same γ/λ. A longer filter can be any shorter one but
    for the boundary, so scores fall with the length; what is gained beyond some length is for the user to weigh, for
    instance on data held out.

    Parameters
    ----------
    X, gradients : as for `awd_core.distill.distill_path`
        Inputs of the teacher and their gradients.
    lengths : sequence of int
        Even numbers of taps from 2 to 76. The search starts from the Daubechies wavelet of that length.
    share : float
        α, in the scale of the Haar wavelet.
    levels, mode, ndim, method, baseline, seed, search, device, dtype, workers : optional
        As for `distill_path`.
    progress : callable or bool, optional
        True: a line on standard error every ten seconds. A function: called with
        (lengths done, lengths in all, what is next).

    Returns
    -------
    tuple of LengthScore
        In the order of the lengths. Terms are means over all of X.

    Raises
    ------
    ValueError
        If a length is odd or out of range, the share is not in [0, 1], or as for `distill_path`.

    Examples
    --------
    >>> X, G = np.random.default_rng(0).standard_normal((2, 30, 16))
    >>> [score.length for score in compare_lengths(X, G, (2, 4), levels=2)]
    [2, 4]
    """
    progress = reported(progress, "Lengths")
    if not real_list("lengths", lengths) or not all(
        is_whole_number(length) and 2 <= length <= 76 and length % 2 == 0 for length in lengths
    ):
        raise ValueError(f"lengths is {list(lengths)}; give even numbers of taps from 2 to 76")
    share = real_number("share", share, least=0, most=1)
    samples, slopes = as_samples(X, "X"), as_samples(gradients, "gradients")
    check_gradients(samples, slopes)
    axes, levels = transformed_axes(samples.shape, ndim), whole_number("levels", levels)
    warn_of_boundary(levels, tuple(samples.shape[-axes:]), [max(lengths)] * axes)

    def terms(wavelet: Wavelet) -> Array:
        objective = DistillationObjective(
            samples, slopes, length=wavelet.length, levels=levels, mode=mode, ndim=axes, method=method,
            baseline=baseline, device=device, dtype=dtype,
        )  # fmt: skip
        _, _, found = objective(np.array(wavelet.angles[1:]), 1.0, 1.0)
        return np.array([found.sparsity, found.interpretation])

    with open_workers(workers) as crew, without_boundary_warnings():
        haar = terms(Wavelet.from_angles([QUARTER_PI]))
        scores = []
        for done, length in enumerate(lengths):
            if progress:
                progress(done, len(lengths), f"{length} taps")
            start = Wavelet.from_name(f"db{length // 2}")
            inputs, attributions = np.array([1 - share, share]) * terms(start) / haar
            path = distill_path(
                samples, slopes, wavelet=start, levels=levels, mode=mode, ndim=axes,
                shares=(attributions / (inputs + attributions),), method=method, baseline=baseline, seed=seed,
                search=search, device=device, dtype=dtype, workers=crew,
            )  # fmt: skip
            sparsity, interpretation = (terms(path[0].wavelet) / haar).tolist()
            score = (1 - share) * sparsity + share * interpretation
            scores.append(LengthScore(length, path[0].wavelet, sparsity, interpretation, score, path))
    return tuple(scores)
