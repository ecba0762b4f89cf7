"""Operations of torch by one name, whether they are called as function, method, operator or operator of a graph."""

from collections.abc import Mapping
from typing import Any


def words(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


SAME = {
    "truediv": "div", "true_divide": "div", "divide": "div", "subtract": "sub", "multiply": "mul", "negative": "neg",
    "absolute": "abs", "concat": "cat", "concatenate": "cat", "hsplit": "split", "rdiv": "rtruediv", "radd": "add",
    "rmul": "mul", "clip": "clamp", "special_expit": "sigmoid", "special_softmax": "softmax",
    "logsigmoid": "log_sigmoid",
    "special_log_softmax": "log_softmax", "special_erf": "erf",
}  # fmt: skip
"""Other names of the same operation."""

ASKED = words("""
    shape ndim dtype device layout requires_grad is_leaf grad_fn names is_cuda is_cpu is_mps is_meta is_sparse
    is_quantized is_nested itemsize nbytes size dim ndimension numel nelement len is_floating_point is_complex is_signed
    stride is_contiguous element_size get_device storage_offset is_same_size result_type can_cast zeros_like ones_like
    empty_like full_like rand_like randn_like new_zeros new_ones new_empty new_full new_tensor hash repr format
    is_inference is_conj is_neg is_pinned is_tensor output_nr""")
"""What is asked of a tensor without looking at its values."""

READ = words("""
    __bool__ __float__ __int__ __index__ __complex__ __contains__ __array__ item tolist numpy equal allclose nonzero
    unique unique_consecutive masked_select""")
"""What takes values out of torch."""

CHOSEN = words("""
    gt lt ge le eq ne greater less greater_equal less_equal not_equal isnan isinf isfinite isclose argmax argmin
    argsort sign sgn bool int long short any all count_nonzero searchsorted bucketize heaviside signbit logical_not""")
"""What follows from comparing values, and is constant for the split."""

ELEMENTWISE = words("add sub rsub mul div neg to float double type clone contiguous type_as")
"""What keeps every value at its place, shifts and scales apart."""


def name_of(function: Any) -> str:
    """One name of an operation: "add" for `torch.add`, `Tensor.add_`, `+`, `+=` and the overloads of a graph.

    Examples
    --------
    >>> import torch
    >>> [name_of(one) for one in (torch.add, torch.Tensor.add_, torch.Tensor.__radd__, torch.Tensor.shape.__get__)]
    ['add', 'add', 'add', 'shape']
    """
    name = str(getattr(function, "__name__", type(function).__name__)).partition(".")[0]
    if name == "__get__":
        name = function.__self__.__name__
    if name in _IN_PLACE_OPERATORS:
        name = "__" + name.removeprefix("__i")
    if name in READ:
        return name
    name = name.strip("_")
    return SAME.get(name, name)


def works_in_place(function: Any, kwargs: Mapping[str, Any]) -> bool:
    """Whether an operation changes its first argument."""
    name = str(getattr(function, "__name__", "")).partition(".")[0]
    return (
        (name.endswith("_") and not name.endswith("__")) or name in _IN_PLACE_OPERATORS or bool(kwargs.get("inplace"))
    )


def told_name(function: Any) -> str:
    """An operation as a user knows it.

    Examples
    --------
    >>> import torch
    >>> told_name(torch.Tensor.sort), told_name(torch.nn.functional.grid_sample)
    ('torch.Tensor.sort', 'torch.nn.functional.grid_sample')
    """
    name = str(getattr(function, "__name__", type(function).__name__))
    if name == "__get__":
        return f"torch.Tensor.{function.__self__.__name__}"
    owner = getattr(function, "__objclass__", None)
    if owner is not None:
        return f"torch.Tensor.{name}"
    module = getattr(function, "__module__", None) or "torch"
    return f"{module}.{name}"


_IN_PLACE_OPERATORS = {f"__i{name}__" for name in ("add", "sub", "mul", "truediv", "div", "matmul", "pow", "and", "or")}
