"""Values inside a network, each as a relevant and an irrelevant part, followed through whatever the network computes.

A `Parts` stands where a network expects a tensor. torch hands every operation on it to `Parts.__torch_function__`,
which looks up the operation's rule (`awd_core.decomposition.rules`). So a network needs no trace: functions, methods,
operators and modules are the same to it, and Python's own code between them (shapes that are checked, loops over steps)
runs as it always does. The whole is computed as the network computes it, once; a rule says what of it is relevant, and
the rest is irrelevant. Hence the two add up to the prediction by construction.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree

from awd_core.decomposition.names import ASKED, CHOSEN, ELEMENTWISE, READ, name_of, told_name, works_in_place


class DecompositionError(NotImplementedError, ValueError):
    """A network does something that no rule splits; the message names it and says how to add a rule."""


@dataclass(frozen=True)
class Call:
    """An operation of the network, all of its arguments given but for those that depend on the input."""

    function: Callable[..., Any]
    leaves: list[Any]
    places: list[int]
    spec: Any

    @classmethod
    def of(cls, function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> "Call":
        """Take arguments apart; the places are those of `Parts`."""
        if kwargs.get("inplace"):
            kwargs = kwargs | {"inplace": False}
        leaves, spec = _pytree.tree_flatten((tuple(args), kwargs))
        places = [k for k, leaf in enumerate(leaves) if isinstance(leaf, Parts)]
        return cls(function, [plain(leaf) for leaf in leaves], places, spec)

    def __call__(self, *tensors: Tensor) -> Any:
        """What the operation makes of plain tensors in the places of those that depend on the input."""
        args, kwargs = self.arguments(*tensors)
        return self.function(*args, **kwargs)

    def arguments(self, *tensors: Tensor) -> tuple[list[Any], dict[str, Any]]:
        """Arguments by position and by name, plain tensors in the places of those that depend on the input."""
        leaves = list(self.leaves)
        for place, tensor in zip(self.places, tensors, strict=True):
            leaves[place] = tensor
        args, kwargs = _pytree.tree_unflatten(leaves, self.spec)
        return list(args), dict(kwargs)

    def argument(self, index: int, name: str, default: Any = None) -> Any:
        """An argument by its position or its name."""
        args, kwargs = _pytree.tree_unflatten(self.leaves, self.spec)
        return args[index] if index < len(args) else kwargs.get(name, default)

    def having(self, index: int, name: str, value: Any) -> "Call":
        """The same operation with another value of an argument that is one leaf."""
        args, kwargs = _pytree.tree_unflatten([Place(k) for k in range(len(self.leaves))], self.spec)
        place = args[index] if index < len(args) else kwargs.get(name)
        leaves = list(self.leaves)
        if isinstance(place, Place):
            leaves[place.number] = value
        return Call(self.function, leaves, self.places, self.spec)

    def tensors(self) -> int:
        """How many arguments are tensors or depend on the input."""
        return sum(isinstance(leaf, Tensor) for leaf in self.leaves)


Rule = Callable[[Call, Sequence[Tensor], Sequence[Tensor], Any, Tensor], Any]
"""See `awd_core.decomposition.rules`, which fills the first table, as `composed` fills the second."""
RULES: dict[str, Rule] = {}
"""Rules by the name of the operation."""
COMPOSED: dict[str, Callable[..., Any]] = {}
"""Operations that are written out in others, by their name."""
MODULES: dict[type[nn.Module], Rule] = {}
"""Rules of modules, added by users."""


@dataclass(frozen=True)
class Place:
    """The number of a leaf."""

    number: int


@dataclass(eq=False)
class Run:
    """What holds for one pass through a network.

    Attributes
    ----------
    samples : int
        Samples of the batch.
    tie : Tensor, shape (masks, samples)
        The share of constants that is relevant, where it is known beforehand: 0 where nothing of a sample is relevant,
        1 where all of it is, else NaN.
    where : list of tuple
        Names and modules that are being called, the innermost last.
    """

    samples: int
    tie: Tensor
    where: list[tuple[str, nn.Module]] = field(default_factory=list)

    def tie_like(self, out: Tensor) -> Tensor:
        """The tie of an output (of one mask, without the axis of masks), to be broadcast against it."""
        if out.ndim and out.shape[0] == self.samples:
            return self.tie.reshape(*self.tie.shape, *[1] * (out.ndim - 1))
        # Where the samples are is not known any more: what holds for all of them.
        first = self.tie[:, :1]
        same = (self.tie == first).all(1)
        return torch.where(same, first[:, 0], torch.nan).reshape(-1, *[1] * out.ndim)

    def place(self) -> str:
        """The innermost module in words."""
        if not self.where:
            return "the model"
        name, module = self.where[-1]
        kind = type(module).__name__
        return f"the module {name!r} ({kind})" if name else f"the model ({kind})"

    def refuse(self, function: Any, why: str = "") -> DecompositionError:
        """The error for an operation without a rule."""
        told = told_name(function)
        kind = f", or add_rule({type(self.where[-1][1]).__name__}, rule) for the module" if self.where else ""
        return DecompositionError(
            f"{self.place()} calls {told}, and no rule splits that{why}. Write it with functions that have a rule; or "
            f"add one by awd_core.decomposition.add_rule({told}, rule){kind}: rule is a name such as 'linear' or "
            "'activation', or a function rule(call, relevant, whole) that gives the relevant part of call(whole)."
        )


class Chosen(Tensor):
    """What follows from comparing values that depend on the input: constant for the split."""

    @classmethod
    def __torch_function__(
        cls, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if any(issubclass(kind, Parts) for kind in types):
            return NotImplemented
        if name_of(func) in READ:
            raise untraceable(func, "the model")
        return super().__torch_function__(func, types, args, kwargs)  # type: ignore[no-untyped-call]


class Parts(Tensor):
    """A value that depends on the input: the whole of it, and how much of that is relevant.

    Attributes
    ----------
    relevant : Tensor, shape (masks, *shape)
        One for each of the masks.
    whole : Tensor, shape (*shape)
        What the network computes.
    run : Run
        The pass that it belongs to.
    hint : Tensor or None
        As `relevant`: the mask, as long as values are still those of the input up to shifts and factors.
    """

    relevant: Tensor
    whole: Tensor
    run: Run
    hint: Tensor | None
    viewed: bool

    @staticmethod
    def make(relevant: Tensor, whole: Tensor, run: Run, hint: Tensor | None = None) -> "Parts":
        """A value from its parts."""
        # The tensor itself is there for its shape and type; nothing is computed from it.
        made = torch.Tensor._make_subclass(Parts, whole.detach())
        made.relevant, made.whole, made.run, made.hint, made.viewed = relevant, whole, run, hint, False
        return made

    @classmethod
    def __torch_function__(
        cls, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name, kwargs = name_of(func), kwargs or {}
        if (composed := COMPOSED.get(name)) is not None:
            return composed(*args, **kwargs)
        with torch._C.DisableTorchFunctionSubclass():
            call = Call.of(func, args, kwargs)
            given = _given(args, kwargs)
            run = given[0].run
            if name in ASKED:
                return call(*(one.whole for one in given))
            if name in READ:
                raise untraceable(func, run.place())
            if name in CHOSEN:
                made = call(*(one.whole for one in given))
                return _pytree.tree_map(lambda t: t.as_subclass(Chosen) if isinstance(t, Tensor) else t, made)
            if works_in_place(func, kwargs):
                return _in_place(func, name, call, args, given)
            rule = RULES.get(name)
            if rule is None or kwargs.get("out") is not None:
                raise run.refuse(func)
            return apply(rule, call, given, name)


def apply(rule: Callable[..., Any], call: Call, given: Sequence[Parts], name: str = "") -> Any:
    """What a rule makes of an operation: one or several `Parts`, nested as the operation's result.

    torch's overriding of functions is off: the operation sees plain tensors.
    """
    run, wholes = given[0].run, tuple(one.whole for one in given)
    out = call(*wholes)
    first = next((leaf for leaf in _pytree.tree_leaves(out) if isinstance(leaf, Tensor)), None)
    if first is None:
        raise run.refuse(call.function)
    hint = given[0].hint if name in ELEMENTWISE and len(given) == 1 and first.shape == wholes[0].shape else None
    tie = run.tie_like(first) if hint is None else hint

    def of_one_mask(tie: Tensor, *relevant: Tensor) -> Any:
        return rule(call, relevant, wholes, out, tie)

    relevant = torch.vmap(of_one_mask)(tie.to(first.dtype), *(one.relevant for one in given))
    leaves, spec = _pytree.tree_flatten(out)
    parts = _pytree.tree_leaves(relevant)
    made = [
        Parts.make(part, leaf, run, hint) if leaf.is_floating_point() or leaf.is_complex() else leaf.as_subclass(Chosen)
        for part, leaf in zip(parts, leaves, strict=True)
    ]
    if any(one.relevant._is_view() for one in made if isinstance(one, Parts)):
        for one in given:
            one.viewed = True
    return _pytree.tree_unflatten(made, spec)


def plain(value: Any) -> Any:
    """A tensor without the classes of this module; `Parts` as they are."""
    return value.as_subclass(Tensor) if isinstance(value, Chosen) else value


def untraceable(function: Any, place: str) -> DecompositionError:
    """The error for a network that decides by values."""
    return DecompositionError(
        f"{place} reads the values of a tensor that depends on its input ({told_name(function)}), to decide by them or "
        "to leave torch: such a model cannot be traced, as the decision has no parts. Decide by shapes, or write it "
        "with torch.where; comparisons may choose between values."
    )


def _given(args: Sequence[Any], kwargs: dict[str, Any]) -> list[Parts]:
    return [leaf for leaf in _pytree.tree_leaves((tuple(args), kwargs)) if isinstance(leaf, Parts)]


def _in_place(func: Any, name: str, call: Call, args: Sequence[Any], given: Sequence[Parts]) -> Parts:
    """An operation that works in place: its result takes the place of its first argument's values."""
    target, rule, run = args[0], RULES.get(name), given[0].run
    if not isinstance(target, Parts):
        raise run.refuse(func, ", as it writes what depends on the input into a tensor that does not")
    function = call.function if hasattr(call.function, "__globals__") else getattr(torch.Tensor, name, None)
    if rule is None or function is None:
        raise run.refuse(func)
    made = apply(rule, Call(function, call.leaves, call.places, call.spec), given, name)
    if target.viewed or target.whole._is_view() or target.relevant._is_view():
        target.relevant.copy_(made.relevant)
        target.whole.copy_(made.whole)
    else:
        target.relevant, target.whole = made.relevant, made.whole
    target.hint = made.hint
    return target
