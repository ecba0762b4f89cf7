"""Attributions of wavelet coefficients from input gradients that were asked once.

TRIM (Singh et al., "Transformation importance with applications to cosmology", 2020) puts Ψ⁻¹ and the residual before
the teacher f, so f always sees exactly x, and ∂f/∂s = (∂Ψ⁻¹/∂s)ᵀ ∇f(x) = Ψ₀g, where Ψ₀ is the adjoint of the synthesis
and g = ∇f(x). Neither the value nor, along orthonormal filters, its derivative needs the teacher again:
`docs/theory.md` has the derivation.
"""

import torch
from torch import Tensor

from awd_core.attribution.points import METHODS, Method
from awd_core.transforms.dwt import Coefficients, DWT1d, DWT2d
from awd_core.transforms.l1_norm import magnitudes


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
    if method not in METHODS:
        raise ValueError(f"unknown attribution method {method!r}; choose one of {', '.join(METHODS)}")
    if x.shape != gradients.shape:
        raise ValueError(
            f"x has shape {tuple(x.shape)} and its gradients {tuple(gradients.shape)}; there is one gradient for each "
            "sample of each input"
        )
    slopes = dwt.adjoint_forward(gradients)
    if method == "saliency":
        return slopes
    factors = dwt(x if method == "input_x_gradient" else x - baseline)
    products = iter([factor * slope for factor, slope in zip(factors.tensors(), slopes.tensors(), strict=True)])
    return slopes.map(lambda _: next(products))


def l1_norm(coefficients: Coefficients) -> Tensor:
    """Σ|s| over all bands and the batch, a scalar in float64."""
    return torch.stack([band.sum(dtype=torch.float64) for band in magnitudes(list(coefficients.tensors()))]).sum()
