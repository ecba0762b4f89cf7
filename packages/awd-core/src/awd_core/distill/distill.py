"""Distillation: the wavelet in which a teacher's inputs and attributions are sparse, along the path of their weights.

Only the ratio of γ and λ matters (`awd_core.distill.objective`), so the published grid is a path: with a share α in [0,
1],

    minimise over the angles   (1 − α) S/S₀ + α A/A₀,       γ/λ = α/(1 − α) · S₀/A₀,

S₀ and A₀ being the terms at the wavelet that the user starts from. α = 0 is sparsity of the inputs alone, without the
interpretation term; α = 1 is sparsity of the attributions alone. Both ends are searched from many starts, the path is
followed from either end, and at each point the best of all that is found is refined on the large batch
(`awd_core.distill.plan`). The searches may be done by many workers.
"""

import os
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch

from awd_core.attribution.gradients import check_gradients
from awd_core.attribution.points import METHODS, Method
from awd_core.checks.choices import check_choice, check_kind
from awd_core.checks.device import check_device
from awd_core.checks.real_numbers import real_array, real_list
from awd_core.checks.whole_numbers import whole_number
from awd_core.distill.objective import DistillationObjective
from awd_core.distill.path import DistillationPath as DistillationPath
from awd_core.distill.path import PathPoint as PathPoint
from awd_core.distill.plan import Checkpoint, PathSearch, terms_at
from awd_core.distill.search_batches import Batch, Objectives, batch_files, batch_size, draw_batch
from awd_core.distill.settings import SHARES as SHARES
from awd_core.distill.settings import SearchSettings as SearchSettings
from awd_core.files.arrays import as_samples, digest
from awd_core.transforms.boundary import warn_of_boundary, without_boundary_warnings
from awd_core.transforms.dwt import transformed_axes
from awd_core.typing import AnyArray
from awd_core.wavelets.wavelet import Wavelet
from awd_core.workers.mapping import Progress, Workers
from awd_core.workers.open import open_workers
from awd_core.workers.progress import reported


def distill_path(
    X: Any,
    gradients: Any,
    *,
    wavelet: Wavelet | str = "db5",
    levels: int = 4,
    mode: str = "zero",
    ndim: int | None = None,
    shares: Sequence[float] = SHARES,
    method: Method = "saliency",
    baseline: float | AnyArray = 0.0,
    seed: int = 0,
    search: SearchSettings | None = None,
    device: str | torch.device | None = None,
    dtype: torch.dtype = torch.float32,
    workers: int | Workers = 1,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: Progress | bool | None = None,
) -> DistillationPath:
    """Wavelets that make inputs and attributions sparse, for every share of the two.

    Ha, Singh, Lanusse, Upadhyayula and Yu (NeurIPS 2021), equation 5, over orthonormal filters.

    Parameters
    ----------
    X : ndarray, Tensor or zarr array, shape (m, …, N) or (m, …, H, W)
        Inputs of the teacher.
    gradients : as X, of the same shape
        What `input_gradients` returned for the method, or gradients from any other framework.
    wavelet : Wavelet or str, optional
        Where to start; its length is the length of all.
    levels : int, optional
        Number of levels.
    mode : str, optional
        Boundary mode; zero as published.
    ndim : int, optional
        1 or 2 transformed axes; needed where X has three axes, else told by their number.
    shares : sequence of float, optional
        Shares α of the interpretation term, in [0, 1], increasing.
    method, baseline : optional
        Attribution method that the gradients are for, and its baseline.
    seed : int, optional
        Of the random starts and of the batches.
    search : SearchSettings, optional
        How hard to search.
    device, dtype : optional
        Where and in what precision the transforms are computed.
    workers : int or Workers, optional
        Processes for the searches, which hardly wait for each other (see `awd_core.workers.open`); the bits are those
        of one process with as many threads. Set OMP_NUM_THREADS=1 where there are as many workers as cores. Batches go
        to other processes as files beside the checkpoint, so that one is needed where workers are on other machines.
    checkpoint : path, optional
        A JSON file that every finished search is written to. Called again with the same arguments after an
        interruption, the function goes on from there, and ends with the same bits.
    progress : callable or bool, optional
        True: a line on standard error every ten seconds. A function: called with
        (searches done, in all, what is next).

    Returns
    -------
    DistillationPath

    Raises
    ------
    ValueError
        If shapes disagree, gradients are all zero or not finite, there are fewer inputs than free angles, the path is
        empty or its shares are not increasing in [0, 1], or the checkpoint is of another problem.

    Warns
    -----
    UserWarning
        If there are more levels than fit, so that every coefficient feels the boundary.
    """
    search = check_kind("search", SearchSettings() if search is None else search, SearchSettings)
    check_device(device)
    progress = reported(progress, "Distillation path")
    start = Wavelet.of(wavelet)
    shares = _checked_shares(shares)
    samples, slopes = as_samples(X, "X"), as_samples(gradients, "gradients")
    check_gradients(samples, slopes)
    shape = tuple(samples.shape)
    ndim, levels = transformed_axes(shape, ndim), whole_number("levels", levels)
    seed = whole_number("seed", seed, 0)
    check_choice("method", method, METHODS, required=True)
    if not np.isfinite(real_array(baseline, "baseline")).all():
        raise ValueError("baseline holds NaN or infinite values; give finite numbers")
    if np.ndim(baseline) and np.shape(baseline) != shape[1:]:
        raise ValueError(
            f"the baseline has shape {np.shape(baseline)}; give a number, or an array of a sample's shape {shape[1:]}"
        )
    free = len(start.angles) - 1
    if shape[0] < free:
        raise ValueError(
            f"there are {shape[0]} inputs for {free} free angles of {start.length} taps; give more inputs, or "
            "start from a shorter wavelet"
        )
    warn_of_boundary(levels, shape[-ndim:], [start.length] * ndim)
    settings = {
        "X": digest(samples),
        "gradients": digest(slopes),
        "shape": list(shape),
        "wavelet": start.name,
        "angles": start.angles.tolist(),
        "levels": levels,
        "mode": mode,
        "ndim": ndim,
        "shares": list(shares),
        "method": method,
        "baseline": digest(np.atleast_1d(np.asarray(baseline, dtype=np.float64))),
        "seed": seed,
        "search": vars(search),
        "dtype": str(dtype),
        "device": str(device or "cpu"),
    }
    options: dict[str, Any] = {
        "length": start.length, "levels": levels, "mode": mode, "ndim": ndim, "method": method, "baseline": baseline,
        "device": device, "dtype": dtype,
    }  # fmt: skip
    values = {"": search.small_batch, "medium": search.medium_batch, "refined": search.large_batch}
    sizes = {name: batch_size(shape, count) for name, count in values.items()}
    if sizes["refined"] < 4 * sizes["medium"]:
        del sizes["medium"]

    def batch(name: str) -> Batch:
        return draw_batch(samples, slopes, sizes[name], seed, name)

    def found(objectives: Objectives, crew: Workers) -> DistillationPath:
        record = Checkpoint(place, settings)
        (scale,) = crew.map(partial(terms_at, objectives), [tuple(start.angles[1:].tolist())])
        for name, value in (("coefficients", scale.sparsity), ("attributions", scale.interpretation)):
            if not value > 0:
                raise ValueError(
                    f"all {name} are zero at {start.name}, so there is nothing to make sparse; check X, the gradients "
                    "and the baseline"
                )
        job = PathSearch(objectives, tuple(sizes), crew, scale, start, shares, seed, search, record, progress)
        return DistillationPath(job.points(), start, scale.sparsity, scale.interpretation, settings)

    place = Path(checkpoint) if checkpoint else None
    with without_boundary_warnings(), open_workers(workers) as crew:
        if crew.here:
            return found({name: DistillationObjective(*batch(name), **options) for name in sizes}, crew)
        beside = place and place.with_name(f".{place.name}.batches")
        with batch_files(tuple(sizes), batch, options, beside) as filed:
            return found(filed, crew)


def _checked_shares(shares: Sequence[float]) -> tuple[float, ...]:
    given = tuple(real_list("the path's shares", shares))
    if not given:
        raise ValueError("the path is empty; give at least one share of the interpretation term, between 0 and 1")
    if any(not 0 <= share <= 1 for share in given) or any(b <= a for a, b in pairwise(given)):
        raise ValueError(f"the shares are {list(given)}; they must lie between 0 and 1 and increase")
    return given
