"""Operations that are written out in others which have rules: recurrent layers, norms, attention.

Each takes the arguments of torch's own function. The steps of a recurrent layer are those of torch's documentation; the
two biases of a gate are one constant.
"""

from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional

from awd_core.decomposition.parts import COMPOSED, Call, DecompositionError, Parts, apply
from awd_core.decomposition.rules import activation

State = tuple[Tensor, ...]
Weights = Sequence[Tensor | None]


def whole_of(value: Any) -> Tensor:
    """A value of the network as a constant."""
    return value.whole if isinstance(value, Parts) else value


def gates(x: Tensor, h: Tensor, weights: Weights) -> Tensor:
    """W x + V h + b, as one map of both."""
    w, v, b, c = (*weights, None, None)[:4]
    bias = None if b is None or c is None else b + c
    return functional.linear(torch.cat([x, h], 1), torch.cat([cast(Tensor, w), cast(Tensor, v)], 1), bias)


def lstm_step(x: Tensor, state: State, weights: Weights) -> State:
    """One step of a long short-term memory."""
    h, c = state
    projection = weights[-1] if len(weights) in (3, 5) else None
    i, f, g, o = gates(x, h, weights[: len(weights) - (projection is not None)]).chunk(4, 1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    h = o.sigmoid() * c.tanh()
    return (h if projection is None else functional.linear(h, projection)), c


def gru_step(x: Tensor, state: State, weights: Weights) -> State:
    """One step of a gated recurrent unit."""
    (h,) = state
    w, v, b, c = (*weights, None, None)[:4]
    w, v = cast(Tensor, w), cast(Tensor, v)
    two = 2 * h.shape[1]
    b2, c2 = (None, None) if b is None or c is None else (b[two:], c[two:])
    first = [w[:two], v[:two], *([] if b is None or c is None else [b[:two], c[:two]])]
    r, z = gates(x, h, first).sigmoid().chunk(2, 1)
    n = (functional.linear(x, w[two:], b2) + r * functional.linear(h, v[two:], c2)).tanh()
    # (1 − z) n + z h, as products alone.
    return (n + z * (h - n),)


def plain_step(activated: Callable[[Tensor], Tensor]) -> Callable[[Tensor, State, Weights], State]:
    """One step of a recurrent unit without gates."""
    return lambda x, state, weights: (activated(gates(x, state[0], weights)),)


def layers(step: Callable[[Tensor, State, Weights], State], states: int) -> Callable[..., Any]:
    """All layers of a recurrent network, in both directions, as torch's functions `lstm`, `gru` and the like."""

    def run(
        x: Any, hx: Any, params: Any, has_biases: bool, num_layers: int, dropout: float, train: bool,
        bidirectional: bool, batch_first: Any = None, *rest: Any,
    ) -> Any:  # fmt: skip
        if not isinstance(has_biases, bool) or rest:
            raise DecompositionError(
                "a recurrent layer is given a packed sequence, which no rule splits; give padded series and read the "
                "state of the last valid step"
            )
        x = x.transpose(0, 1) if batch_first else x
        initial = tuple(hx) if states > 1 else (hx,)
        each = len(params) // (num_layers * (1 + bidirectional))
        last: list[list[Tensor]] = [[] for _ in range(states)]
        for layer in range(num_layers):
            ways = []
            for way in range(1 + bidirectional):
                number = layer * (1 + bidirectional) + way
                weights = list(params[number * each : (number + 1) * each])
                state = tuple(one[number] for one in initial)
                steps = list(x.unbind(0))
                seen = []
                for value in reversed(steps) if way else steps:
                    state = step(value, state, weights)
                    seen.append(state[0])
                ways.append(torch.stack(seen[::-1] if way else seen))
                for held, one in zip(last, state, strict=True):
                    held.append(one)
            x = torch.cat(ways, 2) if bidirectional else ways[0]
        out = x.transpose(0, 1) if batch_first else x
        return (out, *(torch.stack(held) for held in last))

    return run


def cell(step: Callable[[Tensor, State, Weights], State], states: int) -> Callable[..., Any]:
    """A cell, as torch's functions `lstm_cell`, `gru_cell` and the like."""

    def run(x: Any, hx: Any, w: Tensor, v: Tensor, b: Tensor | None = None, c: Tensor | None = None) -> Any:
        weights = [w, v] if b is None else [w, v, b, c]
        state = step(x, tuple(hx) if states > 1 else (hx,), weights)
        return state if states > 1 else state[0]

    return run


def layer_norm(x: Any, shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5, *_: Any) -> Any:
    """Layer normalisation: centred, then scaled by the deviation of the sum."""
    axes = tuple(range(-len(shape), 0))
    seen = whole_of(x)
    scale = (seen.var(axes, unbiased=False, keepdim=True) + eps).rsqrt()
    return _scaled_and_shifted((x - x.mean(axes, keepdim=True)) * scale, weight, bias)


def rms_norm(x: Any, shape: Any, weight: Any = None, eps: float | None = None) -> Any:
    """Root mean square normalisation: scaled by that of the sum."""
    seen = whole_of(x)
    least = torch.finfo(seen.dtype).eps if eps is None else eps
    scale = (seen.square().mean(tuple(range(-len(shape), 0)), keepdim=True) + least).rsqrt()
    return _scaled_and_shifted(x * scale, weight, None)


def group_norm(x: Any, groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5, *_: Any) -> Any:
    """Group normalisation, as layer normalisation of each group of channels."""
    split = x.reshape(len(x), groups, -1)
    normal = layer_norm(split, split.shape[2:], eps=eps).reshape(x.shape)
    channels = (-1, *[1] * (x.ndim - 2))
    return _scaled_and_shifted(normal, *(None if one is None else one.reshape(channels) for one in (weight, bias)))


def instance_norm(
    x: Any, running_mean: Any = None, running_var: Any = None, weight: Any = None, bias: Any = None,
    use_input_stats: bool = True, momentum: float = 0.1, eps: float = 1e-5, *_: Any,
) -> Any:  # fmt: skip
    """Instance normalisation, by a sample's own statistics or by running ones."""
    if use_input_stats:
        return group_norm(x, x.shape[1], weight, bias, eps)
    return functional.batch_norm(x, running_mean, running_var, weight, bias, False, momentum, eps)


def normalize(x: Any, p: float = 2.0, dim: int = 1, eps: float = 1e-12, out: Any = None) -> Any:
    """Division by a norm, which is a scale taken of the sum."""
    return x / whole_of(x).norm(p, dim, keepdim=True).clamp_min(eps)


def attention(
    query: Any, key: Any, value: Any, attn_mask: Tensor | None = None, dropout_p: float = 0.0, is_causal: bool = False,
    scale: float | None = None, enable_gqa: bool = False,
) -> Any:  # fmt: skip
    """Attention: products and a softmax, of which what the mask leaves out has no part."""
    if dropout_p > 0 or enable_gqa:
        raise DecompositionError("attention with dropout_p above 0, or with enable_gqa, has no rule; give neither")
    factor = query.shape[-1] ** -0.5 if scale is None else scale
    scores = (query * factor) @ key.transpose(-2, -1)
    if is_causal:
        attn_mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
    return _weights(scores, attn_mask) @ value


def multi_head_attention(
    query: Any, key: Any, value: Any, width: int, heads: int, weight: Any, bias: Any, bias_k: Any, bias_v: Any,
    add_zero_attn: bool, dropout_p: float, out_weight: Any, out_bias: Any, training: bool = True,
    key_padding_mask: Any = None, need_weights: bool = True, attn_mask: Any = None,
    use_separate_proj_weight: bool = False, q_proj_weight: Any = None, k_proj_weight: Any = None,
    v_proj_weight: Any = None, static_k: Any = None, static_v: Any = None, average_attn_weights: bool = True,
    is_causal: bool = False,
) -> Any:  # fmt: skip
    """Attention of several heads, as `torch.nn.MultiheadAttention` calls it: steps first, then samples."""
    if any(one is not None for one in (bias_k, bias_v, static_k, static_v)) or add_zero_attn or query.ndim != 3:
        raise DecompositionError(
            "multi_head_attention_forward has a rule for batches, without add_bias_kv, add_zero_attn and static keys"
        )
    weights = (q_proj_weight, k_proj_weight, v_proj_weight) if use_separate_proj_weight else weight.chunk(3)
    biases = (None, None, None) if bias is None else bias.chunk(3)
    q, k, v = (
        _heads(functional.linear(one, w, b), heads)
        for one, w, b in zip((query, key, value), weights, biases, strict=True)
    )
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1)
    mask = None if attn_mask is None else _added(attn_mask, scores)
    if mask is not None and mask.ndim == 3:
        mask = mask.reshape(-1, heads, *mask.shape[1:])
    if key_padding_mask is not None:
        padding = _added(key_padding_mask, scores)[:, None, None]
        mask = padding if mask is None else mask + padding
    shares = _weights(scores, mask)
    out = (shares @ v).permute(2, 0, 1, 3).flatten(2)
    out = functional.linear(out, out_weight, out_bias)
    if not need_weights:
        return out, None
    return out, shares.mean(1) if average_attn_weights else shares


def randomised_relu(
    x: Any, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False, inplace: bool = False
) -> Any:
    """A leaky ReLU with the mean of the slopes that are drawn in training."""
    if training:
        raise DecompositionError("rrelu is called with training=True and draws at random; give training=self.training")
    return functional.leaky_relu(x, (lower + upper) / 2, inplace)


def bilinear(x: Any, y: Any, weight: Tensor, bias: Tensor | None = None) -> Any:
    """A bilinear map, as products."""
    out = torch.einsum("...i,oij,...j->...o", x, weight, y)
    return out if bias is None else out + bias


def _heads(x: Any, heads: int) -> Any:
    """From (steps, samples, width) to (samples, heads, steps, width of a head)."""
    return x.reshape(*x.shape[:2], heads, -1).permute(1, 2, 0, 3)


def _added(mask: Tensor, like: Any) -> Tensor:
    """A mask of attention as what is added to scores; where torch's own has True, nothing is attended to."""
    if mask.dtype != torch.bool:
        return mask
    return torch.zeros_like(mask, dtype=like.dtype).masked_fill(mask, -torch.inf)


def _weights(scores: Any, mask: Tensor | None) -> Any:
    """A softmax of scores over what a mask leaves: booleans say what, numbers are added."""

    def softmax(seen: Tensor) -> Tensor:
        if mask is None:
            return seen.softmax(-1)
        if mask.dtype == torch.bool:
            return seen.masked_fill(~mask, -torch.inf).softmax(-1)
        return (seen + mask).softmax(-1)

    if not isinstance(scores, Parts):
        return softmax(scores)
    with torch._C.DisableTorchFunctionSubclass():
        return apply(activation, Call.of(softmax, (scores,), {}), [scores])


def _scaled_and_shifted(x: Any, weight: Any, bias: Any) -> Any:
    x = x if weight is None else x * weight
    return x if bias is None else x + bias


_RELU, _TANH = plain_step(torch.relu), plain_step(torch.tanh)
COMPOSED |= {
    "lstm": layers(lstm_step, 2), "gru": layers(gru_step, 1), "rnn_relu": layers(_RELU, 1),
    "rnn_tanh": layers(_TANH, 1), "lstm_cell": cell(lstm_step, 2), "gru_cell": cell(gru_step, 1),
    "rnn_relu_cell": cell(_RELU, 1),
    "rnn_tanh_cell": cell(_TANH, 1), "layer_norm": layer_norm, "group_norm": group_norm, "rms_norm": rms_norm,
    "instance_norm": instance_norm, "normalize": normalize, "scaled_dot_product_attention": attention,
    "multi_head_attention_forward": multi_head_attention, "bilinear": bilinear,
    "rrelu": randomised_relu,
}  # fmt: skip
