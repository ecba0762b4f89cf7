"""Explanations as a term of the training: what a network must not use.

Contextual decomposition (CDEP; Rieger, Singh, Murdoch, Yu 2020, "Interpretations are useful: penalizing explanations
to align neural networks with prior knowledge", arXiv:1909.13584), input gradients (right for the right reasons; Ross,
Hughes, Doshi-Velez 2017, arXiv:1703.03717) and expected gradients (Erion, Janizek, Sturmfels, Lundberg, Lee 2021,
arXiv:1906.10670), all of the same masks.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn

from awd_core.attribution.model_gradients import cudnn_for
from awd_core.checks.choices import check_choice
from awd_core.checks.real_numbers import is_real_number, real_array, real_number
from awd_core.checks.whole_numbers import whole_number
from awd_core.decomposition.bands import band_masks
from awd_core.decomposition.decompose import contextual_decomposition, followed
from awd_core.transforms.fourier import (
    CoefficientTree,
    Transform,
    flatten_coefficients,
    unflatten_coefficients,
)
from awd_core.typing import Rows

By = Literal["decomposition", "gradients", "expected_gradients"]
BY: tuple[By, ...] = get_args(By)


@dataclass(frozen=True)
class Ramp:
    """A weight that rises evenly from zero over the first epochs.

    Parameters
    ----------
    weight : float
        Its last value.
    epochs : int
        Epochs until then.

    Examples
    --------
    >>> [Ramp(2.0, 4)(epoch) for epoch in (0, 2, 4, 9)]
    [0.0, 1.0, 2.0, 2.0]
    """

    weight: float
    epochs: int

    def __post_init__(self) -> None:
        real_number("weight", self.weight, "the weight of a penalty", least=0)
        whole_number("epochs", self.epochs)

    def __call__(self, epoch: int) -> float:
        """The weight in an epoch, counted from 0."""
        return self.weight * min(epoch / self.epochs, 1.0)


class ExplanationPenalty:
    """What a network must not use: a term that `Teacher(penalty=…)` adds to the loss.

    Parameters
    ----------
    forbidden : array_like, Tensor or names
        Which values of the input must not be used, from 0 to 1 (all the way); booleans will do. Of the shape of one
        sample, for all; or with an axis in front, one for each sample of the X that is fitted. With a transform: its
        coefficients' masks, nested as they are, or names of its bands (`band_names`) or a list of such names.
    weight : float or callable
        λ, beside a loss that is a mean over samples; or λ by epoch, counted from 0, such as `Ramp(1.0, 5)`.
    by : {"decomposition", "gradients", "expected_gradients"}
        What is kept small, of each prediction: |β| of contextual decomposition, β being what the forbidden part says in
        its context; the squares of the gradient there; or Σ|attribution| there, by one expected gradient, whose
        baseline is another sample of the batch. The mean is taken over predictions.
    transform : Transform, optional
        Whose coefficients are meant. Its inverse has to be linear.

    Notes
    -----
    The network is asked in evaluation mode, without dropout and by running statistics, and is left in the mode that it
    was in. The loss that early stopping looks at counts the penalty, with the weight of the last epoch. A mask for each
    sample has nothing to say of other samples, such as a validation set that is given apart: it is zero for them.

    Raises
    ------
    ValueError
        For values outside [0, 1], a weight below 0, or an unknown method or band; when it is used, for masks that do
        not fit the samples.

    Examples
    --------
    Do not use the corner of images of 8 × 8 pixels; details below the smoothing of maps; frames after a track:

    >>> from awd_core.transforms import DWT2d
    >>> corner = np.zeros((8, 8))
    >>> corner[:2, :2] = 1
    >>> penalty = ExplanationPenalty(corner, weight=0.5)
    >>> fine = ExplanationPenalty(["cH1", "cV1", "cD1"], transform=DWT2d("haar", levels=3))
    >>> valid = np.arange(40) < np.array([[12], [40]])  # for each of two tracks
    >>> beyond = ExplanationPenalty(~valid, by="gradients")

    By itself, of a network and a batch:

    >>> penalty(lambda x: x.sum((1, 2))[:, None], torch.ones(3, 8, 8))
    tensor([2., 2., 2.])
    """

    def __init__(
        self,
        forbidden: Any,
        *,
        weight: float | Callable[[int], float] = 1.0,
        by: By = "decomposition",
        transform: Transform | None = None,
    ) -> None:
        check_choice("by", by, BY, required=True)
        if not callable(weight):
            real_number("weight", weight, "the weight λ of a penalty", least=0)
        self.weight, self.by, self.transform = weight, by, transform
        names = [forbidden] if isinstance(forbidden, str) else forbidden
        self.bands: list[str] | None = None
        self.masks: tuple[Tensor, ...] = ()
        if isinstance(names, Sequence) and names and all(isinstance(name, str) for name in names):
            if transform is None:
                raise ValueError(f"forbidden is {forbidden!r}; bands are those of a transform: give transform= too")
            self.bands = list(names)
        else:
            self.masks = tuple(_mask(mask) for mask in (_flat(forbidden) if transform is not None else [forbidden]))

    @property
    def description(self) -> str:
        """What identifies it, in one line: of masks their digest."""
        held = hashlib.sha256()
        for mask in self.masks:
            held.update(f"{tuple(mask.shape)}".encode() + mask.numpy().tobytes())
        what = ", ".join(self.bands) if self.bands else f"masks {held.hexdigest()[:12]}"
        weight = f"{self.weight:g}" if is_real_number(self.weight) else repr(self.weight).partition(" at 0x")[0]
        of = "" if self.transform is None else f" of {' '.join(repr(self.transform).split())}"
        return f"{what}{of}, by {self.by}, weight {weight}"

    def __call__(
        self, model: Callable[[Tensor], Tensor], x: Tensor, rows: Rows | None = None, epoch: int = 0
    ) -> Tensor:
        """The weighted term of each sample.

        Parameters
        ----------
        model : Module or callable
            From samples to predictions, shape (n, k).
        x : Tensor, shape (n, *shape)
            A batch.
        rows : ndarray of int, shape (n,), optional
            Numbers of its samples, for masks of each; None: other samples than those that the masks are for.
        epoch : int
            Counted from 0.

        Returns
        -------
        Tensor, shape (n,)
            On the graph of the network's parameters.
        """
        weight = float(self.weight(epoch)) if callable(self.weight) else float(self.weight)
        real_number("weight", weight, f"the weight of epoch {epoch}", least=0)
        x = x.detach()
        tensors, inverse = self._coefficients(x)
        masks = self._masks_of(tensors, rows)
        if masks is None or weight == 0:
            return torch.zeros(len(x), dtype=x.dtype, device=x.device)
        with torch.enable_grad():
            if self.by == "decomposition":
                term = self._decomposed(model, x, masks)
            else:
                device = x.device
                module = model if isinstance(model, nn.Module) else nn.Identity()
                with followed(model), cudnn_for(module, device):
                    term = self._gradients(model, tensors, inverse, masks)
            return weight * term

    def _coefficients(self, x: Tensor) -> tuple[list[Tensor], Callable[[Sequence[Tensor]], Tensor]]:
        """What the masks are for, and the way back to the input."""
        if self.transform is None:
            return [x], lambda tensors: tensors[0]
        transform: Any = self.transform
        with torch.no_grad():
            tree: CoefficientTree = transform(x) if callable(transform) else transform.forward(x)
            residual = x - transform.inverse(tree)
        if self.bands is not None:
            masks = [flatten_coefficients(mask) for mask in band_masks(transform, tree, self.bands).values()]
            self.masks = tuple(torch.stack(each).amax(0) for each in zip(*masks, strict=True))
        return list(
            flatten_coefficients(tree)
        ), lambda tensors: transform.inverse(unflatten_coefficients(tree, tensors)) + residual

    def _masks_of(self, tensors: Sequence[Tensor], rows: Rows | None) -> list[Tensor] | None:
        if len(self.masks) != len(tensors):
            raise ValueError(
                f"forbidden has {len(self.masks)} masks, the transform {len(tensors)} tensors of coefficients; give one"
                " for each, or names of bands"
            )
        made = []
        for mask, tensor in zip(self.masks, tensors, strict=True):
            each = mask.ndim == tensor.ndim and len(mask) > 1
            if each and rows is None:
                return None
            if each and rows is not None:
                if len(rows) and int(rows.max()) >= len(mask):
                    raise ValueError(
                        f"forbidden has {len(mask)} masks, and there is a sample number {int(rows.max())}; give one"
                        " for each sample of the X that is fitted, or one for all, of a sample's shape"
                    )
                mask = mask[torch.from_numpy(np.asarray(rows))]
            tail = tuple(tensor.shape[1:])
            mine = tuple(mask.shape[1:]) if mask.ndim == tensor.ndim else tuple(mask.shape)
            padded = (1,) * (len(tail) - len(mine)) + mine
            if len(mine) > len(tail) or any(a not in (1, b) for a, b in zip(padded, tail, strict=True)):
                raise ValueError(
                    f"forbidden has shape {tuple(mask.shape)}, samples {tail}; give a mask of a sample's shape, or one "
                    f"for each sample, shape {('samples', *tail)}".replace("'samples'", "samples")
                )
            lead = len(mask) if mask.ndim == tensor.ndim else 1
            made.append(mask.reshape(lead, *padded).to(tensor).expand(tensor.shape))
        return made

    def _decomposed(self, model: Callable[[Tensor], Tensor], x: Tensor, masks: list[Tensor]) -> Tensor:
        if self.transform is None:
            found = contextual_decomposition(model, x, masks[0])
        else:
            transform: Any = self.transform
            tree = transform(x) if callable(transform) else transform.forward(x)
            nested = masks[0] if isinstance(tree, Tensor) else unflatten_coefficients(tree, masks)
            found = contextual_decomposition(model, x, nested, transform=transform)
        return found.relevant.abs().flatten(1).mean(1)

    def _gradients(
        self,
        model: Callable[[Tensor], Tensor],
        tensors: list[Tensor],
        inverse: Callable[[Sequence[Tensor]], Tensor],
        masks: list[Tensor],
    ) -> Tensor:
        expected = self.by == "expected_gradients"
        points, steps = tensors, [torch.ones_like(tensor) for tensor in tensors]
        if expected:
            others = torch.randperm(len(tensors[0])).to(tensors[0].device)
            steps = [tensor - tensor[others] for tensor in tensors]
            alpha = torch.rand(len(tensors[0])).to(tensors[0])
            points = [
                t[others] + alpha.reshape(-1, *[1] * (t.ndim - 1)) * step
                for t, step in zip(tensors, steps, strict=True)
            ]
        points = [point.detach().requires_grad_() for point in points]
        out = model(inverse(points)).flatten(1)
        total = torch.zeros(len(out), dtype=out.dtype, device=out.device)
        for k in range(out.shape[1]):
            slopes = torch.autograd.grad(out[:, k].sum(), points, create_graph=True)
            for slope, step, mask in zip(slopes, steps, masks, strict=True):
                parts = slope * step * mask
                total = total + (parts.abs() if expected else parts.square()).flatten(1).sum(1)
        return total / out.shape[1]


def _flat(forbidden: Any) -> Sequence[Any]:
    try:
        return flatten_coefficients(forbidden)
    except TypeError:
        return [forbidden]


def _mask(mask: Any) -> Tensor:
    """A mask in float64 on the CPU."""
    values = mask.detach().cpu() if isinstance(mask, Tensor) else torch.from_numpy(real_array(mask, "forbidden").copy())
    values = values.double()
    if not bool(((values >= 0) & (values <= 1)).all()):
        bad = values[~((values >= 0) & (values <= 1))][0]
        raise ValueError(f"forbidden holds {float(bad):g}; give shares from 0 (may be used) to 1, or booleans")
    return values
