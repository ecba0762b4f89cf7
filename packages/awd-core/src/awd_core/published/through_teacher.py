"""Attributions of coefficients through the teacher itself, and how much its second derivative matters to them.

On free taps the filter also moves the point Ψ⁻¹Ψx + r at which the teacher is differentiated, so the gradient of the
interpretation term holds the teacher's second derivative. `hessian_term` says how much of it that is.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from awd_core.attribution.coefficients import check_transform
from awd_core.attribution.model_gradients import Model, Target, checked_targets, evaluation_mode
from awd_core.attribution.points import Method, Points, points_of
from awd_core.published.losses import sparsity_loss
from awd_core.transforms.boundary import without_boundary_warnings
from awd_core.transforms.dwt import Coefficients, DWT1d, DWT2d
from awd_core.typing import AnyArray, Array, Rows
from awd_core.wavelets.filters import FreeFilter
from awd_core.wavelets.lattice import taps_jacobian


@dataclass(frozen=True)
class HessianTerm:
    """How much of the interpretation term's gradient comes through the teacher's second derivative.

    Attributes
    ----------
    gradient : ndarray, shape (L,)
        Of the interpretation term, with respect to the taps.
    through_teacher : ndarray, shape (L,)
        What of it is lost if the teacher's gradient is held constant.
    relative : float
        Norm of the second over that of the first.
    relative_orthonormal : float
        The same of their components along the orthonormal filters, where the second is zero to rounding; NaN if the
        filter is not orthonormal itself, or has no such direction.
    """

    gradient: Array
    through_teacher: Array
    relative: float
    relative_orthonormal: float


def trim_attributions(
    model: Model,
    dwt: DWT1d | DWT2d,
    x: Tensor,
    *,
    target: Target = None,
    method: Method = "saliency",
    baseline: Any = None,
    n_steps: int = 50,
    seed: int = 0,
    second_derivative: bool = True,
) -> Coefficients:
    """Attributions of a transform's coefficients through the teacher, differentiable with respect to the filter.

    The gradient of f(Ψ⁻¹s + r) with respect to s at s = Ψx, the residual r = x − Ψ⁻¹Ψx held constant (Singh, Ha,
    Lanusse, Boehm, Liu, Yu 2020, arXiv:2003.01926, section 2), or its average over a path of inputs. For orthonormal
    filters `awd_core.attribution.coefficient_attributions` gives the same without the teacher.

    Parameters
    ----------
    model : Module or callable
        The teacher, asked in evaluation mode and left as it was found.
    dwt : DWT1d or DWT2d
        The transform Ψ, of x's dtype and on its device.
    x : Tensor, shape (m, …, N) or (m, …, H, W)
        Inputs of the teacher.
    target, method, baseline, n_steps, seed : optional
        As for `distill_penalised`. Gradient SHAP numbers the inputs from 0.
    second_derivative : bool
        Whether derivatives along the filter go through the teacher's gradient too. The values are the same.

    Returns
    -------
    Coefficients
        In the order and shapes of the coefficients.

    Raises
    ------
    ValueError
        If the target is not a single prediction, or the method or its baseline will not do.

    Examples
    --------
    >>> x = torch.randn(3, 16, generator=torch.Generator().manual_seed(0))
    >>> attributions = trim_attributions(lambda x: x.square().sum(1), DWT1d("db2", levels=2), x)
    >>> [tuple(band.shape) for band in attributions]
    [(3, 6), (3, 6), (3, 9)]
    """
    check_transform(dwt)
    if not isinstance(x, Tensor):
        raise TypeError(f"x is {type(x).__name__}; give a torch tensor, as torch.from_numpy(array)")
    with evaluation_mode(model, x.device) as (teacher, where), without_boundary_warnings():
        first = x[:2].detach().cpu().numpy()
        query = AttributionQuery.of_teacher(teacher, first, len(x), where, target, method, baseline, n_steps, seed)
        coefficients = dwt(x)
        reconstruction = dwt.inverse(coefficients)
        return query.attributions(dwt, x, coefficients, reconstruction, np.arange(len(x)), second_derivative)


def hessian_term(model: Model, dwt: DWT1d | DWT2d, x: Tensor, **options: Any) -> HessianTerm:
    """Size of the part of the interpretation gradient that goes through the teacher's second derivative.

    The interpretation term is (1/m) Σ ‖attributions‖₁ / (J + 1). Its gradient on free taps is computed twice: through
    the teacher, as published, and with the teacher's gradient held constant.

    Parameters
    ----------
    model, x, **options
        As for `trim_attributions`.
    dwt : DWT1d or DWT2d
        A transform with one filter for all axes; it is not changed.

    Returns
    -------
    HessianTerm

    Raises
    ------
    ValueError
        If the axes have filters of their own, or as for `trim_attributions`.

    Examples
    --------
    >>> x = torch.randn(9, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    >>> term = hessian_term(lambda x: x.sum(1).tanh(), DWT1d("db2", levels=2), x)
    >>> term.relative > 0.1, term.relative_orthonormal < 1e-9
    (True, True)
    """
    if any(filter is not dwt.filters[0] for filter in dwt.filters):
        raise ValueError("the axes of this transform have filters of their own; give a transform with one filter")
    wavelet = dwt.filters[0].wavelet()
    free = FreeFilter(wavelet, dtype=x.dtype, device=x.device)
    on_taps = type(dwt)(free, dwt.levels, dwt.mode)

    def gradient(second_derivative: bool) -> Array:
        attributions = trim_attributions(model, on_taps, x, second_derivative=second_derivative, **options)
        (slope,) = torch.autograd.grad(sparsity_loss(attributions), free.taps)
        return slope.double().cpu().numpy()

    whole = gradient(True)
    part = whole - gradient(False)
    along = math.nan
    if wavelet.length > 2 and wavelet.certificate().is_orthonormal():
        jacobian = taps_jacobian(wavelet.angles)
        directions, sizes, _ = np.linalg.svd(jacobian[:, 1:] - jacobian[:, :1], full_matrices=False)
        directions = directions[:, sizes > 1e-8 * sizes[0]]
        along = float(np.linalg.norm(part @ directions) / np.linalg.norm(whole @ directions))
    return HessianTerm(whole, part, float(np.linalg.norm(part) / np.linalg.norm(whole)), along)


@dataclass(frozen=True)
class AttributionQuery:
    """What is asked of the teacher: which prediction, by which method."""

    model: Model
    target: int
    method: Method
    points: Points
    baseline: AnyArray

    @classmethod
    def of_teacher(
        cls, model: Model, first: AnyArray, inputs: int, device: torch.device, target: Target, method: Method,
        baseline: Any, n_steps: int, seed: int,
    ) -> "AttributionQuery":  # fmt: skip
        """Checked, on the first one or two inputs of so many."""
        on_path = method in ("integrated_gradients", "gradient_shap")
        everything = np.broadcast_to(first[:1], (inputs, *first.shape[1:]))  # only its shape is looked at
        # Noise on the inputs, Captum's default for gradient SHAP, has no place where the point is Ψ⁻¹s + r.
        points, _ = points_of(everything, method, baseline=baseline, n_steps=n_steps, n_samples=n_steps, seed=seed)
        targets, _ = checked_targets(model, first, target, device)
        if len(targets) != 1:
            raise ValueError(f"the target is {target!r}, {len(targets)} predictions; give the index of a single one")
        rows = np.asarray(0.0 if baseline is None else baseline)
        if rows.ndim < first.ndim:
            rows = np.broadcast_to(rows, first.shape[1:])[None]
        if on_path and len(rows) not in (1, inputs if method == "integrated_gradients" else 1):
            raise ValueError(f"the baseline has {len(rows)} rows; gradient SHAP of coefficients takes one baseline")
        return cls(model, targets[0], method, points, rows)

    def attributions(
        self,
        dwt: DWT1d | DWT2d,
        x: Tensor,
        coefficients: Coefficients,
        reconstruction: Tensor,
        rows: Rows,
        second_derivative: bool = True,
    ) -> Coefficients:
        """Attributions for a batch, the inputs of these numbers, whose coefficients and reconstruction are known."""
        residual = (x - reconstruction).detach()
        if self.method in ("saliency", "input_x_gradient"):
            slopes = self._slopes(dwt, coefficients, reconstruction + residual, second_derivative)
        else:
            slopes = [torch.zeros_like(band) for band in coefficients.tensors()]
            for point, weight in self._path(x, rows):
                s = dwt(point)
                found = self._slopes(dwt, s, dwt.inverse(s) + residual, second_derivative)
                slopes = [average + weight * slope for average, slope in zip(slopes, found, strict=True)]
        if self.method != "saliency":
            factors = coefficients
            if self.method != "input_x_gradient":
                own = self.baseline if len(self.baseline) == 1 else self.baseline[rows]
                factors = dwt(x - torch.from_numpy(np.array(own)).to(x))
            slopes = [factor * slope for factor, slope in zip(factors.tensors(), slopes, strict=True)]
        in_order = iter(slopes)
        return coefficients.map(lambda _: next(in_order))

    def _slopes(self, dwt: DWT1d | DWT2d, s: Coefficients, seen: Tensor, second_derivative: bool) -> list[Tensor]:
        """Derivative of the prediction with respect to s, where the teacher sees Ψ⁻¹s + r."""
        through = second_derivative and seen.requires_grad
        seen = seen if through else seen.detach().requires_grad_()
        # Inputs do not affect each other, so the gradient of the sum over the batch holds that of every input.
        prediction = self.model(seen.clone()).reshape(len(seen), -1)[:, self.target].sum()
        if through:
            return list(torch.autograd.grad(prediction, list(s.tensors()), create_graph=True))
        (gradient,) = torch.autograd.grad(prediction, seen)
        return list(dwt.adjoint_forward(gradient).tensors())

    def _path(self, x: Tensor, rows: Rows) -> Iterator[tuple[Tensor, float]]:
        """Points on the way from the baseline to the inputs: what is drawn for an input depends on its number alone."""
        block = x.detach().cpu().numpy()
        ways = [self.points(int(row), block[k : k + 1]) for k, row in enumerate(rows)]
        for step in zip(*ways, strict=True):
            yield torch.from_numpy(np.concatenate([point for point, _ in step])).to(x), step[0][1]
