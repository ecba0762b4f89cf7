"""Attributions of wavelet coefficients from input gradients that were asked once.

TRIM (Singh et al., "Transformation importance with applications to cosmology", 2020) puts Ψ⁻¹ and the residual before
the teacher f, so f always sees exactly x, and ∂f/∂s = (∂Ψ⁻¹/∂s)ᵀ ∇f(x) = Ψ₀g, where Ψ₀ is the adjoint of the synthesis
and g = ∇f(x). Neither the value nor, along orthonormal filters, its derivative needs the teacher again:
`docs/theory.md` has the derivation.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from awd_core.attribution.points import METHODS, Method
from awd_core.checks.choices import check_choice
from awd_core.checks.real_numbers import real_array
from awd_core.transforms.dwt import Coefficients, DWT1d, DWT2d
from awd_core.transforms.l1_norm import magnitudes
from awd_core.transforms.multilinear import plain_values


def coefficient_attributions(
    dwt: DWT1d | DWT2d,
    x: Tensor,
    gradients: Tensor,
    method: Method = "saliency",
    *,
    baseline: Tensor | float = 0.0,
) -> Coefficients:
    """Attributions of a transform's coefficients, differentiable with respect to its filter.

    Parameters
    ----------
    dwt : DWT1d or DWT2d
        The transform Ψ.
    x : Tensor, shape (…, N) or (…, H, W)
        Inputs of the teacher.
    gradients : Tensor, of x's shape
        What `input_gradients` returned for the same method: ∇f(x), or its average over a path or sample.
    method : {"saliency", "input_x_gradient", "integrated_gradients", "gradient_shap"}
        Saliency is Ψ₀g, with its sign; input × gradient is Ψx ⊙ Ψ₀g; integrated gradients, and SHAP by expected
        gradients with one baseline, are Ψ(x − b) ⊙ Ψ₀ḡ.
    baseline : float or Tensor, optional
        The b of the last two; something that broadcasts against x.

    Returns
    -------
    Coefficients
        In the order and shapes of the coefficients.

    Raises
    ------
    ValueError
        If the shapes of x and its gradients differ, or the method is unknown.

    Examples
    --------
    >>> x = torch.randn(5, 32, generator=torch.Generator().manual_seed(0))
    >>> dwt = DWT1d("db2", levels=2)
    >>> attributions = coefficient_attributions(dwt, x, gradients=torch.ones_like(x))
    >>> [tuple(band.shape) for band in attributions]
    [(5, 10), (5, 10), (5, 17)]
    """
    check_choice("method", method, METHODS, required=True)
    check_transform(dwt)
    for name, given in (("x", x), ("gradients", gradients)):
        if not isinstance(given, Tensor):
            raise TypeError(f"{name} is {type(given).__name__}; give a torch tensor, as torch.from_numpy(array)")
    if x.shape != gradients.shape:
        raise ValueError(
            f"x has shape {tuple(x.shape)} and its gradients {tuple(gradients.shape)}; there is one gradient for each "
            "sample of each input"
        )
    slopes = dwt.adjoint_forward(gradients)
    if method == "saliency":
        return slopes
    factors = dwt(x if method == "input_x_gradient" else x - baseline_like(x, baseline))
    products = iter([factor * slope for factor, slope in zip(factors.tensors(), slopes.tensors(), strict=True)])
    return slopes.map(lambda _: next(products))


def check_transform(dwt: object) -> None:
    """Refuse what is no transform, such as the name of a wavelet.

    Raises
    ------
    TypeError
        If it has no `adjoint_forward`.
    """
    if not hasattr(dwt, "adjoint_forward"):
        raise TypeError(f"dwt is {type(dwt).__name__}; give a transform, such as DWT1d('db5', levels=4)")


def baseline_like(x: Tensor, baseline: Any) -> Tensor:
    """The baseline of each of the inputs x, in their type and on their device.

    Raises
    ------
    TypeError
        If it holds no real numbers.
    ValueError
        If its shape does not fit, or it is not finite, as far as torch lets one look at it.
    """
    if not isinstance(baseline, Tensor):
        baseline = torch.from_numpy(real_array(baseline, "baseline").astype(np.float64))
    b: Tensor = baseline.to(x)
    try:
        b = b.expand_as(x)
    except RuntimeError as error:
        raise ValueError(
            f"baseline has shape {tuple(b.shape)}; give a number, or an array of the shape {tuple(x.shape[1:])} of a "
            "sample"
        ) from error
    values = plain_values(b)
    if values is not None and not bool(values.isfinite().all()):
        raise ValueError("baseline holds NaN or infinite values; give finite numbers")
    return b


def l1_norm(coefficients: Coefficients) -> Tensor:
    """Σ|s| over all bands and the batch, a scalar in float64."""
    return torch.stack([band.sum(dtype=torch.float64) for band in magnitudes(list(coefficients.tensors()))]).sum()
