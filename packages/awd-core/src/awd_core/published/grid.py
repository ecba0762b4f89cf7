"""Distillation in its published form, and its grid of weights, where each fit starts from the last.

One fit is `awd_core.published.fit`, attributions through the teacher are `awd_core.published.through_teacher`.
"""

import os
from collections.abc import Sequence
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from awd_core.attribution.model_gradients import Model
from awd_core.checks.choices import check_kind
from awd_core.checks.real_numbers import real_list
from awd_core.published.fit import PenalisedFit as PenalisedFit
from awd_core.published.fit import batch_rows as batch_rows
from awd_core.published.fit import distill_penalised as distill_penalised
from awd_core.published.losses import LossWeights
from awd_core.published.through_teacher import HessianTerm as HessianTerm
from awd_core.published.through_teacher import hessian_term as hessian_term
from awd_core.published.through_teacher import trim_attributions as trim_attributions
from awd_core.wavelets.wavelet import Wavelet
from awd_core.workers.mapping import Progress

SPARSITY = (0.005, 0.01, 0.02)
"""Published grid of λ, for the maps of cosmology."""

INTERPRETATION = (0.0, *np.geomspace(0.001, 0.05, 10).tolist())
"""Published grid of γ, likewise."""


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
        if not real_list(name, values) or any(b <= a for a, b in pairwise(values)):
            raise ValueError(f"{name} is {list(values)}; give one or more weights that increase")
    check_kind("weights", weights, LossWeights)
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


def _within(progress: Progress | None, index: int, count: int, what: str) -> Progress | None:
    """Progress of one fit as progress of the grid."""
    if progress is None:
        return None
    return lambda done, total, line: progress(index * total + done, count * total, f"{what}: {line}")
