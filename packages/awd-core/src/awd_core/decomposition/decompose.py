"""Contextual decomposition: a prediction as what a part of the input says, in its context, and what the rest says.

After Murdoch, Liu, Yu 2018, "Beyond word importance: contextual decomposition to extract interactions from LSTMs"
(arXiv:1801.05453), and Singh, Murdoch, Yu 2019, "Hierarchical interpretations for neural network predictions"
(arXiv:1806.05337). The rules are those of `awd_core.decomposition.rules`.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

import awd_core.decomposition.composed as _composed  # noqa: F401  # fills the table of operations that are written out
from awd_core.attribution.model_gradients import ModelError
from awd_core.attribution.trim import TrimModel
from awd_core.checks.real_numbers import real_array
from awd_core.checks.whole_numbers import whole_number
from awd_core.decomposition.parts import MODULES, Call, DecompositionError, Parts, Run, apply
from awd_core.decomposition.rules import ROUNDING
from awd_core.transforms.fourier import CoefficientTree, Transform, flatten_coefficients, unflatten_coefficients

VALUES = 2**19
"""Values of inputs that are followed at a time, unless a batch size is given: more do not stay in caches."""


class Decomposition(NamedTuple):
    """The two parts of a prediction, β and γ, in its units; β + γ = f(x)."""

    relevant: Tensor
    """β, shape ([masks,] n, *outputs): what the relevant part of the input says, in its context."""
    irrelevant: Tensor
    """γ, of the same shape: the rest."""


def contextual_decomposition(
    model: Callable[..., Tensor],
    x: Tensor | tuple[Tensor, ...],
    relevant: Any,
    *,
    transform: Transform | None = None,
    batch_size: int | None = None,
) -> Decomposition:
    """Split predictions into what a part of the input says, in its context, and the rest.

    Parameters
    ----------
    model : Module or callable
        The network, in torch, on the device of x; followed as it stands in evaluation mode, and left in the mode that
        it was in. Functions, methods, operators and modules may be used at will, so long as they have a rule and
        nothing is decided by values. A `TrimModel` of a linear transform is asked at coefficients.
    x : Tensor, shape (n, *shape)
        Inputs. For a `TrimModel` its coefficients, one tensor or a tuple of them, as `TrimModel.at` gives them.
    relevant : array_like or Tensor, shape (*shape), (n, *shape), or (masks, …) in front of these
        How much of each value is relevant, from 0 to 1; booleans will do. As with arrays in general, axes may be 1 or
        be missing in front: a mask for one sample holds for all. With an axis more than x there are several masks,
        all answered in one pass. With a transform, or a tuple of coefficients: nested as these, a mask for each tensor.
    transform : Transform, optional
        Then `relevant` speaks of the coefficients transform(x), and what these leave out of x is irrelevant. The
        inverse has to be linear (a constant in it is irrelevant).
    batch_size : int, optional
        Pairs of a sample and a mask that are followed at a time. By default as many as have half a million values.

    Returns
    -------
    Decomposition
        β and γ, shape (n, *outputs), or (masks, n, *outputs). Differentiable, twice if the network is, with respect to
        x, the masks and the network's parameters; under `torch.no_grad` no graph is kept.

    Raises
    ------
    DecompositionError
        The network does something that no rule splits, which is named, or cannot be traced since it decides by values.
        (It is a NotImplementedError and a ValueError.)
    ValueError
        Masks of another shape or with values outside [0, 1]; x is not finite; the network fails on samples of that
        shape or type.
    TypeError
        x is no tensor of floating point numbers, or the network does not return one tensor.

    Examples
    --------
    >>> _ = torch.manual_seed(0)
    >>> network = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1)).double()
    >>> x = torch.randn(5, 4, dtype=torch.float64)
    >>> left, rest = contextual_decomposition(network, x, [1, 1, 0, 0])
    >>> left.shape, bool(torch.allclose(left + rest, network(x)))
    (torch.Size([5, 1]), True)
    >>> contextual_decomposition(network, x, torch.eye(4)[:, None]).relevant.shape  # each value by itself
    torch.Size([4, 5, 1])
    """
    if not callable(model):
        raise TypeError(f"model must be a torch Module or callable, got {type(model)}.")
    model = getattr(model, "_orig_mod", model)  # what torch.compile wraps
    if transform is not None:
        trim, x, _ = TrimModel.at(model, transform, cast(Tensor, x))
        model, relevant = trim, _nested(relevant, trim.structure)
    leaves = x if isinstance(x, tuple) else (x,)
    for leaf in leaves:
        _check_input(leaf)
    given = relevant if isinstance(x, tuple) else (relevant,)
    if not isinstance(given, Sequence) or len(given) != len(leaves):
        raise ValueError(
            f"x has {len(leaves)} tensors of coefficients, so relevant has to be a tuple of as many masks; it is a "
            f"{type(relevant).__name__}"
        )
    masks = [_mask(mask, leaf) for mask, leaf in zip(given, leaves, strict=True)]
    counts = {len(mask) for mask, _ in masks if len(mask) > 1}
    if len(counts) > 1:
        raise ValueError(f"relevant has {sorted(counts)} masks for different tensors; give as many for each")
    count = max(counts, default=1)
    several = any(many for _, many in masks)
    shares = [mask.expand(count, *mask.shape[1:]) for mask, _ in masks]
    network, parts = _inputs(model, leaves)
    return _in_batches(network, leaves, shares, parts, several, batch_size)


Inputs = Callable[[Sequence[Tensor], Sequence[Tensor], slice], tuple[Tensor, Tensor, Tensor | None]]
"""From tensors (n, …) and shares (masks, n, …) to the relevant input, the whole input and, if it is known, a hint."""


def _inputs(model: Callable[..., Tensor], leaves: Sequence[Tensor]) -> tuple[Callable[[Tensor], Tensor], Inputs]:
    """What is to be followed, and how its inputs come of tensors and masks."""
    if not isinstance(model, TrimModel):
        if len(leaves) > 1:
            raise TypeError(f"x is a tuple of {len(leaves)} tensors, which a TrimModel takes; give one tensor")

        def of_values(
            x: Sequence[Tensor], shares: Sequence[Tensor], rows: slice
        ) -> tuple[Tensor, Tensor, Tensor | None]:
            return shares[0] * x[0], x[0].clone(), shares[0]

        return model, of_values

    def of_coefficients(
        s: Sequence[Tensor], shares: Sequence[Tensor], rows: slice
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        def inverse(tensors: Sequence[Tensor]) -> Tensor:
            tree = tensors[0] if model.structure is None else unflatten_coefficients(model.structure, list(tensors))
            return model.inverse(tree)

        masked = [(share * tensor).flatten(0, 1) for share, tensor in zip(shares, s, strict=True)]
        nothing = inverse([torch.zeros_like(tensor[:1]) for tensor in s])
        part = inverse(masked) - nothing
        part = part.reshape(*shares[0].shape[:2], *part.shape[1:])
        whole = inverse(s)
        if model.residual is not None:
            whole = whole + (model.residual if len(model.residual) == 1 else model.residual[rows])
        return part, whole, None

    return model.model, of_coefficients


def _in_batches(
    network: Callable[[Tensor], Tensor],
    leaves: Sequence[Tensor],
    shares: Sequence[Tensor],
    parts: Inputs,
    several: bool,
    batch_size: int | None,
) -> Decomposition:
    n, count = len(leaves[0]), len(shares[0])
    values = sum(leaf[0].numel() for leaf in leaves)
    pairs = max(VALUES // max(values, 1), 1) if batch_size is None else whole_number("batch_size", batch_size)
    masks = min(count, pairs)
    samples = max(pairs // masks, 1)
    found: list[list[tuple[Tensor, Tensor]]] = []
    with followed(network) as where:
        for start in range(0, n, samples):
            rows = slice(start, start + samples)
            tensors = [leaf[rows] for leaf in leaves]
            row = []
            for first in range(0, count, masks):
                some = [share[first : first + masks] for share in shares]
                some = [share if share.shape[1] == 1 else share[:, rows] for share in some]
                some = [share.expand(-1, *t.shape) for share, t in zip(some, tensors, strict=True)]
                relevant, whole, hint = parts(tensors, some, rows)
                run = Run(len(whole), _tie(some, whole - relevant), where)
                row.append(follow(network, Parts.make(relevant, whole, run, hint)))
            found.append(row)
    relevant, irrelevant = (torch.cat([torch.cat([pair[k] for pair in row], 0) for row in found], 1) for k in (0, 1))
    if not several:
        return Decomposition(relevant[0], irrelevant[0])
    return Decomposition(relevant, irrelevant)


def follow(network: Callable[[Tensor], Tensor], x: Parts) -> tuple[Tensor, Tensor]:
    """Both parts of the prediction, shape (masks, n, *outputs), from those of the input."""
    samples = len(x.whole)
    try:
        out: Any = network(x)
    except DecompositionError:
        raise
    except RuntimeError as error:
        if isinstance(error, torch.cuda.OutOfMemoryError):
            raise
        types = {p.dtype for p in _parameters(network) if p.is_floating_point()}
        if types and x.whole.dtype not in types:
            names = " and ".join(sorted(map(str, types)))
            raise ValueError(
                f"x is {x.whole.dtype} but the model's weights are {names}: convert x, or the model with model.to(x's "
                "type)."
            ) from error
        raise ModelError(
            f"The model fails on samples of shape {tuple(x.whole.shape[1:])}: {error}. Give x in the shape that the "
            "model takes, the batch as its first axis."
        ) from error
    if not isinstance(out, Tensor):
        raise TypeError(
            f"The model must return one tensor of predictions, it returned {type(out).__name__}; wrap it in a Module "
            "that picks the one to explain."
        )
    if not isinstance(out, Parts):
        raise DecompositionError(
            "The model's prediction does not depend on x by any operation that can be followed: it is a constant, or "
            "computed outside torch's functions, as by a torch.autograd.Function; such a model cannot be traced."
        )
    whole = out.whole
    if whole.ndim == 0 or len(whole) != samples:
        raise ValueError(
            f"The first axis of the prediction must be the batch: the model gave shape {tuple(whole.shape)} for "
            f"{samples} samples."
        )
    return out.relevant, whole - out.relevant


@contextmanager
def followed(network: Any) -> Iterator[list[tuple[str, nn.Module]]]:
    """A network in evaluation mode whose modules say when they are called; afterwards everything as before."""
    where: list[tuple[str, nn.Module]] = []
    if not isinstance(network, nn.Module):
        yield where
        return
    modules = list(network.named_modules())
    for name, module in modules:
        if isinstance(module, torch.jit.ScriptModule):
            raise DecompositionError(
                f"{f'the module {name!r}' if name else 'the model'} is a {type(module).__name__}, which cannot be "
                "traced: its code is no Python any more. Give the module that it was made of."
            )
    training = [(module, module.training) for module in network.modules()]
    own = [(module, module.__dict__.get("forward")) for _, module in modules]
    try:
        for module, _ in training:
            module.training = False
        for name, module in modules:
            module.__dict__["forward"] = _telling(name, module, module.forward, where)
        yield where
    finally:
        for module, flag in training:
            module.training = flag
        for module, forward in own:
            if forward is None:
                module.__dict__.pop("forward", None)
            else:
                module.__dict__["forward"] = forward


def _telling(
    name: str, module: nn.Module, forward: Callable[..., Any], where: list[tuple[str, nn.Module]]
) -> Callable[..., Any]:
    rule = next((MODULES[kind] for kind in type(module).__mro__ if kind in MODULES), None)

    @wraps(forward)
    def told(*args: Any, **kwargs: Any) -> Any:
        where.append((name, module))
        try:
            given = [one for one in (*args, *kwargs.values()) if isinstance(one, Parts)]
            if rule is None or not given:
                return forward(*args, **kwargs)
            with torch._C.DisableTorchFunctionSubclass():
                return apply(rule, Call.of(forward, args, kwargs), given)
        finally:
            where.pop()

    return told


def _parameters(network: object) -> Iterator[nn.Parameter]:
    return network.parameters() if isinstance(network, nn.Module) else iter(())


def _tie(shares: Sequence[Tensor], rest: Tensor) -> Tensor:
    """For each mask and sample 0 if nothing of it is relevant, 1 if all of it is, else NaN."""
    rows = [share.detach().flatten(2) for share in shares if share[0, 0].numel()]
    nothing = torch.stack([(row == 0).all(2) for row in rows]).all(0)
    everything = torch.stack([(row == 1).all(2) for row in rows]).all(0)
    # Of coefficients, what these leave out is irrelevant; an inverse that leaves out nothing leaves rounding.
    left = rest.detach().flatten(2).abs().amax(2)
    everything &= left <= ROUNDING * torch.finfo(rest.dtype).eps * (1 + left.amax())
    return torch.where(everything | nothing, everything.to(rest.dtype), torch.nan)


def _check_input(x: Any) -> None:
    if not isinstance(x, Tensor):
        raise TypeError(f"x is {type(x).__name__}; give a torch tensor, as torch.from_numpy(array)")
    if not x.is_floating_point():
        raise TypeError(f"x is {x.dtype}, of which there are no parts; give floating point numbers, as x.float()")
    if x.ndim == 0 or len(x) == 0:
        raise ValueError(f"x has shape {tuple(x.shape)}; give one sample or more, the batch as the first axis")
    finite = x.detach().isfinite().flatten(1).all(1) if x.ndim > 1 else x.detach().isfinite()
    if not bool(finite.all()):
        bad = int((~finite).nonzero()[0, 0])
        raise ValueError(f"x has a NaN or an infinity, first in sample {bad}; leave such samples out, or fill them in")


def _mask(mask: Any, x: Tensor) -> tuple[Tensor, bool]:
    """A mask with axes (masks, n or 1, *shape), and whether there was an axis of masks."""
    m = mask if isinstance(mask, Tensor) else torch.from_numpy(real_array(mask, "relevant").copy())
    if m.is_complex():
        raise TypeError("relevant is complex; give real shares from 0 to 1")
    shape = tuple(m.shape)
    m = m.to(dtype=x.dtype, device=x.device)
    seen = m.detach()
    if seen.numel() and not bool(((seen >= 0) & (seen <= 1)).all()):
        bad = seen[~((seen >= 0) & (seen <= 1))][0]
        raise ValueError(f"relevant holds {float(bad):g}; give shares from 0 (irrelevant) to 1 (relevant), or booleans")
    several = m.ndim == x.ndim + 1
    m = m if several else m.unsqueeze(0)
    tail = tuple(m.shape[1:])
    padded = (1,) * (x.ndim - len(tail)) + tail
    fits = len(padded) == x.ndim and all(a in (1, b) for a, b in zip(padded, x.shape, strict=True)) and m.shape[0] > 0
    if not fits:
        sample = tuple(x.shape[1:])
        raise ValueError(
            f"relevant has shape {shape} and x {tuple(x.shape)}; give a mask of the shape {sample} of one sample, of "
            f"x's shape, or several in front of these, as {('masks', 1, *sample)}".replace("'masks'", "masks")
        )
    return m.reshape(len(m), *padded).expand(-1, -1, *sample_shape(x)), several


def sample_shape(x: Tensor) -> tuple[int, ...]:
    """The shape of one sample."""
    return tuple(x.shape[1:])


def _nested(relevant: Any, structure: CoefficientTree) -> tuple[Any, ...]:
    """Masks for the tensors of nested coefficients, in their order."""
    if isinstance(structure, Tensor):
        return (relevant,)
    try:
        masks = flatten_coefficients(relevant)
    except TypeError as error:
        raise ValueError(
            "relevant has to be nested as the transform's coefficients, with a tensor as the mask of each band; "
            "awd_core.decomposition.band_masks makes such masks"
        ) from error
    wanted = len(flatten_coefficients(structure))
    if len(masks) != wanted:
        raise ValueError(f"relevant has {len(masks)} masks, the coefficients {wanted} tensors; give one for each")
    return masks
