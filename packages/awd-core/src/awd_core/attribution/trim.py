"""Transformation importance (TRIM): attributing a prediction to the coefficients of any transform of its input.

For a model f, a transform Ψ and coefficients s, the composed model (Singh, Ha, Lanusse, Boehm, Liu, Yu 2020,
"Transformation importance with applications to cosmology", arXiv:2003.01926, section 2)

    f'(s) = f(Ψ⁻¹s + r),   r = x − Ψ⁻¹Ψx held constant,

sees its true input at s = Ψx, whether or not Ψ is invertible. Any attribution method of f' is then an attribution of
the coefficients. `TrimModel` is f', written so that the methods of Captum work on it as they are.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple, cast

import torch
from torch import Tensor, nn

from awd_core.transforms.fourier import CoefficientTree, Transform, flatten_coefficients, unflatten_coefficients

_AS_TUPLE = "An attribution method takes the residual as a tuple: additional_forward_args=(residual,)."

Expansion = Literal["repeat", "interleave"]


class TrimModel(nn.Module):
    """A model of the coefficients of a transform: the inverse transform, plus the residual, before a model.

    Called as ``trim(coefficients, residual)`` with coefficients of any structure; or, if `structure` was given, as
    ``trim(*tensors, residual)`` with its tensors in the order of `flatten_coefficients`, which is how Captum calls a
    model whose inputs are a tuple. The residual comes last and may be left out: then the bound one is used, and
    without that none. It is held constant (no gradient flows into it); gradients of any order flow to the coefficients
    and to the parameters of transform and model.

    Captum evaluates a model on enlarged batches. A residual that is given as ``additional_forward_args=(residual,)`` is
    enlarged by Captum itself, in the order it uses for the coefficients, so that is the safe way. (It is a tuple
    because some methods, DeepLiftShap, KernelShap and Lime among them, take a bare tensor apart.) A bound residual does
    not know that order, which differs between methods: see `expand`.

    Parameters
    ----------
    model : Module or callable
        Sees inputs of the shape that the inverse gives, batch first.
    inverse : Transform or callable
        From coefficients to inputs: an object with a method ``inverse``, or that method.
    residual : Tensor, shape (batch or 1, *input shape), optional
        Residual to bind.
    structure : Tensor, list, tuple or mapping, optional
        An example of the coefficients; only how it is nested counts.
    expand : {"repeat", "interleave"}, optional
        How a bound residual is enlarged where there are k times more coefficients than residuals: the whole batch k
        times over (Captum's IntegratedGradients and DeepLift) or each residual k times in a row (GradientShap,
        NoiseTunnel). By default that is an error. A single residual serves any batch.

    Examples
    --------
    >>> from awd_core.transforms import FourierTransform
    >>> trim = TrimModel(lambda x: x.square().sum(-1), FourierTransform(4))
    >>> s = FourierTransform(4)(torch.tensor([[3.0, 0.0, 0.0, 4.0]]))
    >>> trim(s)
    tensor([25.])
    """

    residual: Tensor | None

    def __init__(
        self,
        model: Callable[[Tensor], Tensor],
        inverse: Transform | Callable[[CoefficientTree], Tensor],
        residual: Tensor | None = None,
        *,
        structure: CoefficientTree | None = None,
        expand: Expansion | None = None,
    ) -> None:
        super().__init__()
        if expand not in (None, "repeat", "interleave"):
            raise ValueError(f'expand must be "repeat", "interleave" or None, got {expand!r}.')
        if not callable(model):
            raise TypeError(f"model must be a torch Module or callable, got {type(model)}.")
        if residual is not None and not isinstance(residual, Tensor):
            raise TypeError(f"residual must be a tensor, x - inverse(forward(x)), got {type(residual)}.")
        self.model = model
        method = getattr(inverse, "inverse", inverse)
        if not callable(method):
            raise TypeError(f"inverse must be callable or have a method inverse, got {type(inverse)}.")
        owner = getattr(method, "__self__", None)
        # As a submodule the transform moves with the model, and its parameters are found.
        self.transform = owner if isinstance(owner, nn.Module) else None
        self.inverse = cast(Callable[[CoefficientTree], Tensor], method)
        self.register_buffer("residual", None if residual is None else residual.detach(), persistent=False)
        self.structure = None if structure is None else _skeleton(structure)
        self.expand = expand

    @classmethod
    def at(cls, model: Callable[[Tensor], Tensor], transform: Transform, x: Tensor) -> "TrimPoint":
        """Make everything that is needed to attribute a model's predictions at given inputs.

        Parameters
        ----------
        model : Module or callable
            As for the class.
        transform : Transform
            Forward and inverse.
        x : Tensor, shape (batch, *input shape)
            Inputs.

        Returns
        -------
        TrimPoint
            The composed model with the residuals bound to it, the coefficients' tensors, and the residuals.

        Examples
        --------
        >>> from captum.attr import Saliency
        >>> from awd_core.transforms import LinearDictionary
        >>> haar = LinearDictionary([[1.0, 1.0], [1.0, -1.0]])
        >>> trim, s, residual = TrimModel.at(lambda x: x[:, 0], haar, torch.ones(1, 2))
        >>> Saliency(trim).attribute(s, additional_forward_args=(residual,))
        (tensor([[1., 1.]]),)
        """
        if not isinstance(transform, Transform):
            raise TypeError(f"transform must have the methods forward and inverse, got {type(transform)}.")
        with torch.no_grad():
            forward = transform if callable(transform) else transform.forward
            coefficients = forward(x)
            residual = x - transform.inverse(coefficients)
        leaves = tuple(leaf.detach().clone().requires_grad_() for leaf in flatten_coefficients(coefficients))
        return TrimPoint(cls(model, transform, residual, structure=coefficients), leaves, residual.detach())

    def forward(self, *inputs: CoefficientTree, residual: Tensor | None = None) -> Tensor:
        """Output of the model at inverse(coefficients) + residual."""
        coefficients, residual = self._split(inputs, residual)
        x = self.inverse(coefficients)
        if residual is not None:
            x = x + _matched(residual.detach(), x, None)
        elif self.residual is not None:
            x = x + _matched(self.residual, x, self.expand)
        return self.model(x)

    def structured(self, tensors: Tensor | tuple[Tensor, ...]) -> CoefficientTree:
        """Coefficients or attributions, nested as the transform gives them, from a tuple of tensors."""
        if self.structure is None:
            raise ValueError("This TrimModel knows no structure; give structure=coefficients when making it.")
        return unflatten_coefficients(self.structure, tensors if isinstance(tensors, tuple) else (tensors,))

    def _split(
        self, inputs: tuple[CoefficientTree, ...], residual: Tensor | None
    ) -> tuple[CoefficientTree, Tensor | None]:
        if not inputs:
            raise TypeError("TrimModel needs coefficients: a structure of tensors, or the tensors themselves.")
        leaves = 1
        if self.structure is not None and isinstance(inputs[0], Tensor):
            leaves = len(flatten_coefficients(self.structure))
        given = len(inputs) - leaves
        if given not in (0, 1) or (given == 1 and residual is not None):
            known = "no structure is known, so 1" if self.structure is None else f"{leaves}"
            raise TypeError(
                f"TrimModel was called with {len(inputs)} arguments; it takes coefficients ({known} here) and then at"
                " most one residual. For several tensors of coefficients give structure=coefficients when making it."
                f" {_AS_TUPLE}"
            )
        if given == 1:
            residual = inputs[-1]
        if isinstance(inputs[0], Tensor) and self.structure is not None:
            return unflatten_coefficients(self.structure, inputs[:leaves]), residual
        return inputs[0], residual


class TrimPoint(NamedTuple):
    """What `TrimModel.at` makes: ``Method(model).attribute(coefficients, additional_forward_args=(residual,))``."""

    model: TrimModel
    """Knows the structure of the coefficients; ``model.structured(attributions)`` nests attributions likewise. Without
    a residual it takes the one below, which serves as many coefficients as there are inputs."""
    coefficients: tuple[Tensor, ...]
    """Detached tensors that require gradients, in the order of `flatten_coefficients`; first axis the batch."""
    residual: Tensor
    """x − inverse(forward(x)), shape (batch, *input shape)."""


def _skeleton(structure: CoefficientTree) -> CoefficientTree:
    # Empty tensors in place of the example's own, so that a batch is not kept alive by its structure.
    return unflatten_coefficients(structure, [leaf.detach().new_empty(0) for leaf in flatten_coefficients(structure)])


def _matched(residual: Tensor, x: Tensor, expand: Expansion | None) -> Tensor:
    """Residual for each x; see the class on the order."""
    if residual.shape[1:] != x.shape[1:]:
        raise ValueError(
            f"The residual has shape {tuple(residual.shape)}, but the inverse gives {tuple(x.shape)}; it must be"
            f" x - inverse(forward(x)). Several tensors of coefficients need structure=coefficients. {_AS_TUPLE}"
        )
    if len(residual) in (1, len(x)):
        return residual
    copies, rest = divmod(len(x), len(residual))
    if rest or expand is None:
        raise ValueError(
            f"The residual is for a batch of {len(residual)}, the coefficients are a batch of {len(x)}. Where an"
            " attribution method enlarges batches, give the residual as additional_forward_args=(residual,), or bind it"
            ' with expand="repeat" (IntegratedGradients, DeepLift) or expand="interleave" (GradientShap, NoiseTunnel).'
        )
    if expand == "repeat":
        return residual.repeat(copies, *[1] * (residual.ndim - 1))
    return residual.repeat_interleave(copies, dim=0)
