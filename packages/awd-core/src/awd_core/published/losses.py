"""The terms of the published objective, each a plain function that returns a scalar, and their weighted sum.

The objective is equation 5, and its wavelet part equation 4, of Ha, Singh, Lanusse, Upadhyayula and Yu, "Adaptive
wavelet distillation from neural networks through interpretations" (NeurIPS 2021). An `OrthonormalFilter` has all terms
but the two L1 norms at zero to rounding.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from awd_core.checks.choices import check_kind
from awd_core.checks.real_numbers import real_number
from awd_core.transforms.dwt import Coefficients
from awd_core.transforms.l1_norm import magnitudes
from awd_core.wavelets.filters import high_pass


def reconstruction_loss(x: Tensor, reconstruction: Tensor) -> Tensor:
    """Squared reconstruction error, (1/m) Σ_i ‖x_i − x̂_i‖².

    Parameters
    ----------
    x, reconstruction : Tensor, shape (m, …)
        Signals and what came back of them; the first axis is the batch.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    if x.shape != reconstruction.shape:
        raise ValueError(f"the signal has shape {tuple(x.shape)} and its reconstruction {tuple(reconstruction.shape)}")
    return (x - reconstruction).square().sum().div(x.shape[0])


def low_pass_sum_loss(taps: Tensor) -> Tensor:
    """Deviation of the low-pass filter's sum, ½ (Σh − √2)²; taps of shape (L,)."""
    return 0.5 * torch.square(taps.sum() - math.sqrt(2))


def high_pass_sum_loss(taps: Tensor) -> Tensor:
    """Deviation of the high-pass filter's sum from zero, ½ (Σg)², g the mirror of the low-pass taps of shape (L,)."""
    return 0.5 * high_pass(taps).sum().square()


def norm_loss(taps: Tensor) -> Tensor:
    """Deviation of the norm from one, ½ (‖h‖² − 1)²; taps of shape (L,)."""
    return 0.5 * (taps.square().sum() - 1).square()


def conjugate_mirror_loss(taps: Tensor) -> Tensor:
    """Deviation from power complementarity, ½ Σ_k (|ĥ(ω_k)|² + |ĥ(ω_k + π)|² − 2)².

    The frequencies are ω_k = 2πk/L, k = 0 … L/2 − 1, as published; taps of shape (L,).
    """
    power: Tensor = torch.fft.fft(taps).abs().square()
    both_halves = power.view(2, -1).sum(0)
    return 0.5 * (both_halves - 2).square().sum()


def shift_orthogonality_loss(taps: Tensor) -> Tensor:
    """Deviation from orthonormality under even shifts, ½ ‖(h ⋆ h)↓2 − δ‖².

    All lags 0, ±2, ±4, … count, as published; taps of shape (L,).
    """
    length = len(taps)
    shifted = torch.nn.functional.pad(taps, (length, length)).unfold(0, length, 2)
    correlation = shifted @ taps
    impulse = torch.zeros_like(correlation)
    impulse[length // 2] = 1
    return 0.5 * (correlation - impulse).square().sum()


def sparsity_loss(coefficients: Coefficients | Iterable[Tensor]) -> Tensor:
    """L1 norm as published: Σ|s| over all bands, divided by the number of bands and by the batch size.

    The one function serves both L1 terms: λ times that of the coefficients, γ times that of their attributions. The
    three directions of a level in 2-D count as one band, as in the authors' code, so there are J + 1.

    Parameters
    ----------
    coefficients : Coefficients or list
        Bands of shape (m, …), from coarse to fine; the first axis is the batch.

    Raises
    ------
    ValueError
        If there are none.
    """
    if isinstance(coefficients, Tensor):
        raise TypeError(
            f"coefficients are one tensor, of shape {tuple(coefficients.shape)}; give Coefficients or a list"
        )
    entries = [entry if isinstance(entry, tuple) else (entry,) for entry in coefficients]
    if not entries:
        raise ValueError("no coefficients are given; at least one band is needed")
    batch = entries[0][0].shape[0]
    bands = magnitudes([band for entry in entries for band in entry])
    return torch.stack([band.sum() for band in bands]).sum().div(len(entries) * batch)


@dataclass(frozen=True)
class LossWeights:
    """Weights of the terms, one for one; the defaults are the published ones but for λ and γ, which users choose.

    Attributes
    ----------
    reconstruction, low_pass_sum, high_pass_sum, norm, conjugate_mirror, shift_orthogonality : float
        Weights of what makes the filter a wavelet.
    sparsity : float
        λ, weight of the coefficients' L1 norm.
    interpretation : float
        γ, weight of the attributions' L1 norm.

    Raises
    ------
    ValueError
        If a weight is negative or not finite.
    """

    sparsity: float = 1.0
    interpretation: float = 1.0
    reconstruction: float = 1.0
    low_pass_sum: float = 1.0
    high_pass_sum: float = 1.0
    norm: float = 1.0
    conjugate_mirror: float = 1.0
    shift_orthogonality: float = 1.0

    def __post_init__(self) -> None:
        for field in fields(self):
            real_number(field.name, getattr(self, field.name), "a weight", least=0)


def distillation_loss(
    taps: Tensor,
    x: Tensor,
    reconstruction: Tensor,
    coefficients: Coefficients,
    attributions: Coefficients | None,
    weights: LossWeights,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Weighted sum of all terms, and the terms by name, unweighted.

    A term of weight zero is not computed and not among the named ones.

    Parameters
    ----------
    taps : Tensor, shape (L,)
        Low-pass taps h.
    x, reconstruction : Tensor, shape (m, …)
        Signals and Ψ⁻¹Ψx.
    coefficients : Coefficients
        Ψx.
    attributions : Coefficients or None
        Attributions of the coefficients; None where the interpretation term is not wanted.
    weights : LossWeights
        The weights; those of λ and γ are `sparsity` and `interpretation`.

    Returns
    -------
    total : Tensor
        Scalar, with gradients.
    terms : dict of str to Tensor
        Each term, with gradients, under the name of its weight.

    Raises
    ------
    ValueError
        If the interpretation term has a weight but no attributions are given.
    """
    check_kind("weights", weights, LossWeights)
    for name, given in (("taps", taps), ("x", x), ("reconstruction", reconstruction)):
        check_kind(name, given, Tensor)
    if taps.ndim != 1 or not len(taps) or len(taps) % 2:
        raise ValueError(f"taps have the shape {tuple(taps.shape)}; give one dimension and an even number")
    if weights.interpretation > 0 and attributions is None:
        raise ValueError(
            f"the interpretation term has weight {weights.interpretation} but no attributions are given; give them, or "
            "set the weight to zero"
        )
    functions: dict[str, Callable[[], Tensor]] = {
        "reconstruction": lambda: reconstruction_loss(x, reconstruction),
        "low_pass_sum": lambda: low_pass_sum_loss(taps),
        "high_pass_sum": lambda: high_pass_sum_loss(taps),
        "norm": lambda: norm_loss(taps),
        "conjugate_mirror": lambda: conjugate_mirror_loss(taps),
        "shift_orthogonality": lambda: shift_orthogonality_loss(taps),
        "sparsity": lambda: sparsity_loss(coefficients),
        "interpretation": lambda: sparsity_loss(attributions or ()),
    }
    terms = {name: term() for name, term in functions.items() if getattr(weights, name) > 0}
    weighted = [term.mul(getattr(weights, name)) for name, term in terms.items()]
    total = torch.stack(weighted).sum() if weighted else x.new_zeros(())
    return total, terms
