"""How each operation of a network splits a value into its relevant and its irrelevant part.

A rule is a function rule(call, relevant, whole, out, tie): `call` is the operation, `relevant` and `whole` hold one
tensor for each argument that depends on the input, `out` is call(*whole); it returns the relevant part of `out`. What
is left of `out` is irrelevant, written γ below, and β is what is relevant (Singh, Murdoch, Yu 2019, "Hierarchical
interpretations for neural network predictions", section 3.2, and Murdoch, Liu, Yu 2018, "Beyond word importance"):

- linear maps are taken of each part, and a constant b (a bias) is shared as |Wβ| : |Wγ|;
- ReLU: β = relu(β), γ = relu(β + γ) − relu(β);
- other functions F, and products: the Shapley value of two players, β = ½ (F(β) − F(0) + F(β + γ) − F(γ)), and F(0) is
  a constant as above;
- maxima: of each part the value at the winner of the sum;
- scales, as the deviation in a layer norm: constants, taken of the sum.

Where both parts are zero a constant is halved, as in the authors' code. Where nothing of a sample is relevant, or all
of it, so are its constants; and as long as values are those of the input but for shifts and factors, constants are
shared as the mask says.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from awd_core.checks.choices import check_choice
from awd_core.decomposition.names import name_of, words
from awd_core.decomposition.parts import COMPOSED, MODULES, RULES, Call, DecompositionError, Rule

Simple = Callable[[Callable[[Tensor], Any], Tensor, Tensor], Any]
Named = Literal["linear", "affine", "activation", "rectifier"]


ROUNDING = 128
"""Units in the last place below which what is left of a difference counts as nothing."""


TINY = 1e-30
"""What makes of no parts two equal ones."""


def share(relevant: Tensor, irrelevant: Tensor, tie: Tensor, constant: Tensor | float = 0.0) -> Tensor:
    """The share of a constant that is relevant: `tie` where that is known, else |β| : |γ|, and ½ where both are zero.

    γ comes as a difference to which the constant belonged. What is left of it by rounding is nothing: it would be
    compared with a small β, and grow from step to step.
    """
    noise = ROUNDING * torch.finfo(irrelevant.dtype).eps
    size = constant.abs() if isinstance(constant, Tensor) else constant
    mine, beside = relevant.abs(), size * noise
    rest = (torch.add(irrelevant.abs(), mine, alpha=-noise) - beside).clamp_min(0)
    # Small enough to count for nothing but where both are zero, and there is a gradient.
    ratio = (mine + TINY) / (mine + rest + 2 * TINY)
    return torch.where(tie.isnan(), ratio, tie)


def linear(call: Call, relevant: Sequence[Tensor], whole: Sequence[Tensor], out: Any, tie: Tensor) -> Any:
    """Linear maps without a constant."""
    return call(*relevant)


def affine(call: Call, relevant: Sequence[Tensor], whole: Sequence[Tensor], out: Any, tie: Tensor) -> Tensor:
    """Linear maps plus a constant, which is what they make of zeros."""
    of_all = len(call.places) > 1 if name_of(call.function) in _SUMS else len(call.places) == call.tensors()
    if of_all and name_of(call.function) in _LINEAR_OF_ALL:
        return call(*relevant)  # type: ignore[no-any-return]
    constant = call(*map(torch.zeros_like, whole))
    part = call(*relevant) - constant
    return part + share(part, out - constant - part, tie, constant) * constant  # type: ignore[no-any-return]


def weighted(call: Call, relevant: Sequence[Tensor], whole: Sequence[Tensor], out: Any, tie: Tensor) -> Tensor:
    """A linear layer or a convolution, whose constant is an argument."""
    if len(relevant) > 1:  # weights that depend on the input
        return activation(call, relevant, whole, out, tie)
    bias = call.argument(2, "bias")
    if bias is None:
        return call(*relevant)  # type: ignore[no-any-return]
    part = call.having(2, "bias", None)(*relevant)
    behind = call.argument(1, "weight").ndim - 2 if "conv" in name_of(call.function) else 0
    constant = bias.reshape(-1, *[1] * behind)
    return part + share(part, out - constant - part, tie, constant) * constant  # type: ignore[no-any-return]


def normalised(call: Call, relevant: Sequence[Tensor], whole: Sequence[Tensor], out: Any, tie: Tensor) -> Tensor:
    """Batch normalisation by running statistics: affine, the same for every sample."""
    constant = call(torch.zeros_like(whole[0][:1]))
    part = call(relevant[0]) - constant
    return part + share(part, out - constant - part, tie, constant) * constant  # type: ignore[no-any-return]


def rectifier(call: Call, relevant: Sequence[Tensor], whole: Sequence[Tensor], out: Any, tie: Tensor) -> Any:
    """ReLU, and whatever else is taken of the relevant part alone."""
    return call(*relevant)


def activation(call: Call, relevant: Sequence[Tensor], whole: Sequence[Tensor], out: Any, tie: Tensor) -> Tensor:
    """Any function that is finite at zero: the Shapley value of two players, its value at zero being a constant."""
    rest = [w - r for w, r in zip(whole, relevant, strict=True)]
    zero = call(*map(torch.zeros_like, whole))
    # In this order it is exactly zero where nothing is relevant.
    part = ((call(*relevant) - zero) + (out - call(*rest))) / 2
    return part + share(part, out - zero - part, tie, zero) * zero  # type: ignore[no-any-return]


def product(call: Call, relevant: Sequence[Tensor], whole: Sequence[Tensor], out: Any, tie: Tensor) -> Tensor:
    """Products: linear in one factor, the Shapley value of two players where several depend on the input."""
    if len(relevant) == 1:
        return call(*relevant)  # type: ignore[no-any-return]
    rest = [w - r for w, r in zip(whole, relevant, strict=True)]
    return (call(*relevant) + (out - call(*rest))) / 2  # type: ignore[no-any-return]


def proportional(call: Call, relevant: Sequence[Tensor], whole: Sequence[Tensor], out: Any, tie: Tensor) -> Tensor:
    """Functions without a value at zero or below: the result is shared as the absolute parts are."""
    return share(relevant[0], whole[0] - relevant[0], tie) * out  # type: ignore[no-any-return]


def clamped(call: Call, relevant: Sequence[Tensor], whole: Sequence[Tensor], out: Any, tie: Tensor) -> Any:
    """ReLU where it is written as a clamp, else an activation."""
    low, high = call.argument(1, "min"), call.argument(2, "max")
    is_relu = high is None and isinstance(low, int | float) and low == 0
    return (rectifier if is_relu else activation)(call, relevant, whole, out, tie)


def power(call: Call, relevant: Sequence[Tensor], whole: Sequence[Tensor], out: Any, tie: Tensor) -> Tensor:
    """Whole positive powers, and powers of a constant, are activations; others have no value at or below zero."""
    exponent = call.argument(1, "exponent")
    if call.places != [0] or (isinstance(exponent, int | float) and exponent > 0 and float(exponent).is_integer()):
        return activation(call, relevant, whole, out, tie)
    return proportional(call, relevant, whole, out, tie)


def quotient(call: Call, relevant: Sequence[Tensor], whole: Sequence[Tensor], out: Any, tie: Tensor) -> Tensor:
    """Quotients: linear in the numerator, the denominator being a scale."""
    if call.places == [0]:
        return call(relevant[0])  # type: ignore[no-any-return]
    if call.places == [0, 1]:
        return call(relevant[0], whole[1])  # type: ignore[no-any-return]
    return proportional(call, relevant, whole, out, tie)


def pooled(call: Call, relevant: Sequence[Tensor], whole: Sequence[Tensor], out: Any, tie: Tensor) -> Any:
    """Max-pooling: the winners of the sum."""
    name = name_of(call.function)
    axes = int(name[-2])
    function = getattr(nn.functional, name)
    args, kwargs = call.arguments(whole[0])
    names = ("input", "kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")
    named = dict(
        zip(names if "adaptive" not in name else ("input", "output_size", "return_indices"), args, strict=False)
    )
    named |= kwargs | {"return_indices": True}
    given = named.pop("input")
    _, winners = function(given, **named)
    return relevant[0].flatten(-axes).gather(-1, winners.flatten(-axes)).reshape(winners.shape)


def extreme(call: Call, relevant: Sequence[Tensor], whole: Sequence[Tensor], out: Any, tie: Tensor) -> Any:
    """Maxima and minima over axes, or of two tensors: the winners of the sum."""
    name = name_of(call.function)
    largest = "max" in name
    second = call.argument(1, "other")
    if name in ("maximum", "minimum", "fmax", "fmin") or isinstance(second, Tensor):
        both = [call.argument(0, "input"), second]
        parts = [torch.zeros_like(one) if isinstance(one, Tensor) else one for one in both]
        for place, part, value in zip(call.places, relevant, whole, strict=True):
            parts[place], both[place] = part, value
        first = both[0] >= both[1] if largest else both[0] <= both[1]
        return torch.where(first, parts[0], parts[1])
    axis = call.argument(1, "dim")
    if isinstance(out, tuple):  # values and their places
        keep = call.argument(2, "keepdim", False)
        at = out[1] if keep else out[1].unsqueeze(axis)
        values = relevant[0].gather(axis, at)
        return type(out)((values if keep else values.squeeze(axis), out[1]))
    keep = bool(call.argument(2, "keepdim", False))
    ndim = whole[0].ndim
    axes = range(ndim) if axis is None or axis == () else [axis] if isinstance(axis, int) else axis
    axes = sorted(a % ndim for a in axes)
    rest = [a for a in range(ndim) if a not in axes]
    shape = [whole[0].shape[a] for a in rest]
    seen, part = (t.permute(*rest, *axes).reshape(*shape, -1) for t in (whole[0], relevant[0]))
    at = seen.argmax(-1, keepdim=True) if largest else seen.argmin(-1, keepdim=True)
    return part.gather(-1, at).reshape(out.shape)


def ordered(call: Call, relevant: Sequence[Tensor], whole: Sequence[Tensor], out: Any, tie: Tensor) -> Any:
    """Sorting: in the order of the sum."""
    axis = call.argument(2 if name_of(call.function) == "topk" else 1, "dim", -1)
    return type(out)((relevant[0].gather(axis, out[1]), out[1]))


def dropped(call: Call, relevant: Sequence[Tensor], whole: Sequence[Tensor], out: Any, tie: Tensor) -> Any:
    """Dropout, which is nothing in evaluation."""
    if call.argument(2, "training", True) and call.argument(1, "p", 0.5):
        raise DecompositionError(
            f"{name_of(call.function)} is called with training=True and draws at random, in evaluation too: give it "
            "training=self.training"
        )
    return call(*relevant)


def of_running_statistics(
    call: Call, relevant: Sequence[Tensor], whole: Sequence[Tensor], out: Any, tie: Tensor
) -> Tensor:
    """Batch normalisation, unless it normalises over the batch."""
    if call.argument(5, "training", False):
        raise DecompositionError(
            "batch normalisation by the batch's own statistics (training=True, or track_running_stats=False) makes a "
            "prediction depend on the other samples: give it running statistics"
        )
    return normalised(call, relevant, whole, out, tie)


_SUMS = words("add sub rsub")
_LINEAR_OF_ALL = _SUMS | words("cat stack hstack vstack dstack")
_NAMED: dict[str, Rule] = {
    "linear": linear, "affine": affine, "activation": activation, "rectifier": rectifier,
}  # fmt: skip

for _rule, _names in {
    linear: """view reshape flatten unflatten ravel view_as reshape_as squeeze unsqueeze transpose swapaxes swapdims
    permute movedim moveaxis t T mT H mH adjoint real imag conj resolve_conj expand expand_as repeat repeat_interleave
    tile broadcast_to broadcast_tensors narrow select index_select take gather take_along_dim getitem chunk split
    split_with_sizes tensor_split unbind flip fliplr flipud rot90 roll tril triu diagonal diag unfold fold im2col col2im
    contiguous clone to type type_as float double half bfloat16 cpu cuda detach alias requires_grad data neg positive
    sum mean nansum cumsum diff avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d
    adaptive_avg_pool3d interpolate upsample upsample_nearest upsample_bilinear pixel_shuffle pixel_unshuffle
    channel_shuffle fft_fft fft_ifft fft_rfft fft_irfft fft_fft2 fft_ifft2 fft_rfft2 fft_irfft2 fft_fftn fft_ifftn
    fft_rfftn fft_irfftn fft_fftshift fft_ifftshift view_as_real view_as_complex native_channel_shuffle atleast_1d
    atleast_2d atleast_3d trace meshgrid""",
    affine: "add sub rsub cat stack hstack vstack dstack where masked_fill pad constant_pad_nd addmm addmv baddbmm",
    weighted: "linear conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d",
    of_running_statistics: "batch_norm",
    rectifier: "relu",
    clamped: "clamp clamp_min",
    activation: """sigmoid tanh gelu silu mish elu selu celu leaky_relu prelu softplus softsign hardtanh
    hardsigmoid hardswish hardshrink softshrink tanhshrink relu6 log_sigmoid threshold glu softmax log_softmax softmin
    logsumexp exp expm1 erf sin cos tan atan arctan sinh cosh asinh arcsinh abs square var std norm linalg_vector_norm
    linalg_norm clamp_max sinc lerp addcmul erfc logaddexp""",
    product: "mul matmul mm bmm mv dot vdot inner outer ger einsum tensordot kron",
    proportional: "sqrt rsqrt reciprocal log log2 log10 log1p",
    power: "pow float_power",
    quotient: "div",
    pooled: "max_pool1d max_pool2d max_pool3d adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d",
    extreme: "max min amax amin maximum minimum fmax fmin",
    ordered: "sort topk",
    dropped: """dropout dropout1d dropout2d dropout3d alpha_dropout feature_alpha_dropout feature_dropout""",
}.items():  # fmt: skip
    RULES |= dict.fromkeys(_names.split(), _rule)
# A constant over what depends on the input, and a constant to its power.
RULES["rtruediv"], RULES["rpow"] = proportional, activation


def add_rule(target: Callable[..., Any] | type[nn.Module], rule: Named | Simple) -> None:
    """Say how contextual decomposition splits a function or a module that has no rule, or has another.

    Parameters
    ----------
    target : callable or module class
        A function or method of torch, in all forms of its name; or a class of modules, each of which is then one
        operation, of one tensor, and is not looked into.
    rule : {"linear", "affine", "activation", "rectifier"} or callable
        "linear": f(β) is relevant. "affine": the same, and f(0), a constant, is shared by the absolute values of what
        f makes of the two parts. "activation": the Shapley value of two players. "rectifier": f(β) is relevant though
        f is not linear, as for ReLU. Or a function rule(call, relevant, whole) → the relevant part of call(whole),
        where `call` is the operation with all its other arguments, and `relevant` and `whole` are tensors of one shape.

    Raises
    ------
    ValueError
        For another name of a rule.
    TypeError
        If the target is neither.

    Examples
    --------
    >>> class Cube(nn.Module):
    ...     def forward(self, x):
    ...         return x**3
    >>> add_rule(Cube, "activation")
    >>> add_rule(torch.special.i0, lambda call, relevant, whole: call(whole) * relevant / whole)
    """
    if not callable(target) or isinstance(target, nn.Module):
        raise TypeError(
            f"target is a {type(target).__name__}; give a function of torch, or the class of a module, not one module"
        )
    made: Rule
    if callable(rule):
        simple = rule

        def made(call: Call, relevant: Sequence[Tensor], whole: Sequence[Tensor], out: Any, tie: Tensor) -> Any:
            return simple(call, *relevant, *whole)
    else:
        check_choice("rule", rule, _NAMED, required=True)
        made = _NAMED[rule]
    if isinstance(target, type) and issubclass(target, nn.Module):
        MODULES[target] = made
    else:
        RULES[name_of(target)] = made
        COMPOSED.pop(name_of(target), None)
