"""Functions that are linear in each of several tensors, for every way in which PyTorch may call them.

The gradients of such a function are functions of the same kind, and its directional derivative is a sum of itself, each
term with one argument replaced by its tangent. From that, `multilinear` makes

- an autograd function, for eager code: `torch.func` differentiates and vectorises it, in any order and nesting;
- a registered operator, opaque and hence harmless to `torch.compile`, `torch.export` and fake tensors.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.autograd import Function, forward_ad
from torch.utils._pytree import tree_map

from awd_core.transforms.autocast import without_autocast

Needed: TypeAlias = Sequence[bool]
"""Which arguments a gradient is wanted for."""


def is_traced() -> bool:
    """Whether operations are recorded, or otherwise looked at, instead of just done."""
    compiling: bool = torch.compiler.is_compiling()
    return compiling or torch._C._len_torch_dispatch_stack() > 0


def is_ordinary(*tensors: Tensor) -> bool:
    """Whether the tensors hold numbers, and nobody asks for a derivative, a batch rule or a trace of what is done."""
    return not is_traced() and not any(
        type(tensor) not in (Tensor, nn.Parameter)
        or (tensor.requires_grad and torch.is_grad_enabled())
        or torch._C._functorch.is_functorch_wrapped_tensor(tensor)
        or forward_ad.unpack_dual(tensor).tangent is not None  # type: ignore[no-untyped-call]
        for tensor in tensors
    )


def is_only_recorded(*tensors: Tensor) -> bool:
    """Whether the tensors hold numbers, and a graph for the reverse mode is all that is made of what is done."""
    return not (is_traced() or torch._C._are_functorch_transforms_active()) and all(
        type(tensor) in (Tensor, nn.Parameter) and forward_ad.unpack_dual(tensor).tangent is None  # type: ignore[no-untyped-call]
        for tensor in tensors
    )


def plain_values(tensor: Tensor) -> Tensor | None:
    """The numbers beneath what `torch.func` wraps around them, off any graph; None where there are none to look at."""
    if is_traced():
        return None
    while torch._C._functorch.is_functorch_wrapped_tensor(tensor):
        tensor = torch._C._functorch.get_unwrapped(tensor)
    return tensor.detach() if type(tensor) in (Tensor, nn.Parameter) and not tensor.is_meta else None


def _forward_modes() -> list[bool]:
    """For each transformation of `torch.func` that is under way, from the outermost, whether it is a forward mode."""
    stack = torch._C._functorch.get_interpreter_stack() or []
    return [level.key() == torch._C._functorch.TransformType.Jvp for level in stack]


def multilinear(
    name: str,
    schema: str,
    kernel: Callable[..., Any],
    shapes: Callable[..., Any],
    gradients: Callable[..., tuple[Tensor | None, ...]],
    linear: tuple[tuple[int, ...], ...],
    batched: tuple[int, ...],
) -> Callable[..., Any]:
    """A function of tensors and then of other arguments, differentiable in the tensors.

    Parameters
    ----------
    name, schema : str
        Of the operator ``awd_core::name``.
    kernel : callable
        Computes the function for ordinary tensors.
    shapes : callable
        As the kernel, for tensors without values: empty results.
    gradients : callable
        ``gradients(needed, inputs, *cotangents)``: one for each tensor, None where it is not needed.
    linear : tuple of tuple of int
        Positions of the tensors; in those of one tuple together the function is linear.
    batched : tuple of int
        Positions of the tensors whose first axis is a batch, as the results' is. Where only these are vectorised, one
        call does it.
    """
    tensors = sum(map(len, linear))

    def run(*arguments: Any) -> Any:
        # Matrix products in bfloat16 would cost the reconstruction its exactness.
        with without_autocast(arguments[0]):
            return kernel(*arguments)

    def save(ctx: Any, inputs: tuple[Any, ...], output: object) -> None:
        ctx.save_for_backward(*inputs[:tensors])
        ctx.rest = inputs[tensors:]

    def backward(ctx: Any, *cotangents: Tensor) -> tuple[Tensor | None, ...]:
        found = gradients(ctx.needs_input_grad, (*ctx.saved_tensors, *ctx.rest), *cotangents)
        return *found, *(None for _ in ctx.rest)

    def save_both(ctx: Any, inputs: tuple[Any, ...], output: object) -> None:
        save(ctx, inputs, output)
        ctx.save_for_forward(*inputs[:tensors])

    def terms(inputs: Sequence[Tensor], tangents: Sequence[Tensor | None], rest: tuple[Any, ...]) -> Iterator[Any]:
        for group in linear:
            if any(tangents[place] is not None for place in group):
                changed = list(inputs)
                for place in group:
                    tangent = tangents[place]
                    changed[place] = torch.zeros_like(inputs[place]) if tangent is None else tangent
                yield call(*changed, *rest)

    def total(parts: Iterator[Any]) -> Any:
        return tree_map(lambda *each: sum(each[1:], each[0]), *parts)

    def jvp(ctx: Any, *tangents: Tensor | None) -> Any:
        if sum(_forward_modes()) > 1:
            raise NotImplementedError(
                "this nesting of forward-mode derivatives is not supported by PyTorch's autograd functions; take "
                "reverse mode (jacrev, grad) for all but the outermost"
            )
        return total(terms(ctx.saved_tensors, tangents, ctx.rest))

    def vmap(info: Any, in_dims: tuple[int | None, ...], *arguments: Any) -> Any:
        size = info.batch_size
        moved = [
            argument if place is None else argument.movedim(place, 0)
            for argument, place in zip(arguments, in_dims, strict=True)
        ]
        over = {place for place, dim in enumerate(in_dims) if dim is not None}
        if over <= set(batched):
            for place in batched:
                if place not in over:
                    moved[place] = moved[place].expand(size, *moved[place].shape)
            shape = moved[batched[0]].shape[:2]
            for place in batched:
                moved[place] = moved[place].flatten(0, 1)
            found = tree_map(lambda part: part.view(*shape, *part.shape[1:]), call(*moved))
        else:
            each = [
                call(*(argument[k] if place in over else argument for place, argument in enumerate(moved)))
                for k in range(size)
            ]
            found = tree_map(lambda *parts: torch.stack(parts), *each)
        return found, tree_map(lambda _: 0, found)

    operator = torch.library.custom_op(f"awd_core::{name}", run, mutates_args=(), schema=schema)
    operator.register_fake(shapes)
    operator.register_autograd(backward, setup_context=save)

    def forward(*arguments: Any) -> Any:
        return run(*arguments) if is_ordinary(*arguments[:tensors]) else operator(*arguments)

    made: Any = type(
        name.capitalize(),
        (Function,),
        {
            "forward": staticmethod(forward),
            "setup_context": staticmethod(save_both),
            "backward": staticmethod(backward),
            "jvp": staticmethod(jvp),
            "vmap": staticmethod(vmap),
        },
    )

    def call(*arguments: Any) -> Any:
        if torch.compiler.is_compiling():
            return operator(*arguments)
        if is_ordinary(*arguments[:tensors]):
            return run(*arguments)
        forward = _forward_modes()
        if len(forward) > 1 and forward[-1]:
            # By hand: an autograd function in one forward mode within another loses the outer one's tangents of what
            # it has saved (pytorch issue 197867).
            duals = [forward_ad.unpack_dual(tensor) for tensor in arguments[:tensors]]  # type: ignore[no-untyped-call]
            if any(dual.tangent is not None for dual in duals):
                primals, rest = [dual.primal for dual in duals], arguments[tensors:]
                tangent = total(terms(primals, [dual.tangent for dual in duals], rest))
                return tree_map(forward_ad.make_dual, call(*primals, *rest), tangent)
        return made.apply(*arguments)

    return call
