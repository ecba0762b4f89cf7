"""Asking a teacher for the gradient of its predictions, one batch at a time, and leaving it as it was found."""

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from awd_core.checks.device import check_device
from awd_core.checks.whole_numbers import is_whole_number
from awd_core.typing import AnyArray

Model = Callable[[Tensor], Tensor]
Target = int | tuple[int, ...] | Literal["all"] | Sequence[int] | AnyArray | Tensor | None
"""An index into the axes of a prediction after the first, "all" of them, or None where there is but one; or of each
sample its own, an array or tensor (n,)."""


class ModelError(ValueError, RuntimeError):
    """The model failed on the samples, which may have the wrong shape, or for a reason of its own."""


@contextmanager
def evaluation_mode(model: Model, device: str | torch.device | None) -> Iterator[tuple[Model, torch.device]]:
    """The model in evaluation mode, with gradients on, on the device; afterwards everything as before."""
    check_device(device)
    if not callable(model):
        raise TypeError(f"model must be a torch Module or callable, got {type(model)}.")
    if not isinstance(model, nn.Module):
        with torch.inference_mode(False), torch.enable_grad():
            yield model, torch.device(device or "cpu")
        return
    state = [*model.parameters(), *model.buffers()]
    home = state[0].device if state else torch.device("cpu")
    where = home if device is None else torch.device(device)
    if str(where) == home.type:  # "cuda" without a number: the one where the model is
        where = home
    if where != home:
        model = copy.deepcopy(model).to(where)
    training = [(module, module.training) for module in model.modules()]
    try:
        for module, _ in training:
            module.training = False
        with torch.inference_mode(False), torch.enable_grad(), cudnn_for(model, where):
            yield model, where
    finally:
        for module, flag in training:
            module.training = flag


def cudnn_for(model: nn.Module, device: torch.device) -> AbstractContextManager[None]:
    """CuDNN's settings for a gradient in evaluation mode; a context that changes nothing where there is no CUDA."""
    if device.type != "cuda":
        return nullcontext()
    recurrent = any(isinstance(module, nn.RNNBase) for module in model.modules())
    settings: AbstractContextManager[None] = torch.backends.cudnn.flags(
        enabled=torch.backends.cudnn.enabled and not recurrent, deterministic=True, allow_tf32=False
    )
    return settings


def checked_targets(
    model: Model, first: AnyArray, target: Target, device: torch.device
) -> tuple[list[int], tuple[int, ...]]:
    """Look at what the model predicts for the first one or two samples, and refuse what has no gradient per sample.

    Parameters
    ----------
    model : Module or callable
        In evaluation mode.
    first : ndarray, shape (1 or 2, *shape)
        Samples.
    target : Target
        As the user gave it.
    device : torch.device
        Where the model is.

    Returns
    -------
    targets : list of int
        Flat indices of the targets among the predictions for one sample.
    target_shape : tuple of int
        Axes of the targets in the result: the prediction's for "all", otherwise none.

    Raises
    ------
    TypeError, ValueError
        See `awd_core.attribution.input_gradients`.
    """
    x = torch.tensor(first, device=device, requires_grad=True)
    output = _output(model, x)
    if isinstance(target, np.ndarray):
        targets, target_shape = _within(target, tuple(output.shape[1:]))
    else:
        targets, target_shape = _targets(tuple(output.shape[1:]), target)
    # Unequal weights, since the predictions may add up to a constant, as probabilities do.
    weights = torch.arange(1, len(targets) + 1, device=device, dtype=output.dtype)
    gradient = _gradient(output.reshape(len(x), -1)[0, targets] @ weights, x, last=True)
    if len(x) > 1 and bool(((gradient[1:] != 0) & gradient[1:].isfinite()).any()):
        raise ValueError(
            "The prediction for one sample depends on the other samples of its batch, in evaluation mode too, so that a"
            " sample has no gradient of its own. Does the model normalise over the batch, or take another axis than the"
            " first as the batch? With batch_size=1 each sample is a batch."
        )
    return targets, target_shape


def _within(own: AnyArray, outputs: tuple[int, ...]) -> tuple[list[int], tuple[int, ...]]:
    """The targets that occur, all of them predictions that there are."""
    if len(outputs) != 1 or own.min() < 0 or own.max() >= outputs[0]:
        raise ValueError(
            f"targets go from {own.min()} to {own.max()}, and the model predicts numbers of the shape "
            f"{outputs} per sample; "
            "give indices from 0 into one axis"
        )
    return [int(one) for one in np.unique(own)], ()


def _targets(outputs: tuple[int, ...], target: Target) -> tuple[list[int], tuple[int, ...]]:
    count = math.prod(outputs)
    if isinstance(target, str):
        if target != "all":
            raise ValueError(f'target must be an index, a tuple of them, "all" or None, got {target!r}.')
        return list(range(count)), outputs
    if target is None:
        if count == 1:
            return [0], ()
        raise ValueError(
            f"The model predicts {count} numbers per sample, with shape {outputs}: give target="
            f'{"an index" if len(outputs) == 1 else f"a tuple of {len(outputs)} indices"}, or target="all".'
        )
    index = target if isinstance(target, tuple) else (target,)
    for k in index:
        if not is_whole_number(k):
            raise TypeError(
                f'target must be an index, a tuple of them, "all" or None, got {target!r}: {k!r} cannot be interpreted '
                "as an integer."
            )
    if not outputs:
        raise ValueError(f"The model predicts one number per sample, with no axis to index; leave out target={target}.")
    if len(index) != len(outputs) or not all(0 <= k < size for k, size in zip(index, outputs, strict=True)):
        raise ValueError(f"target={target} is no index from 0 into predictions of shape {outputs} per sample.")
    return [int(np.ravel_multi_index(index, outputs))], ()


def own_targets(target: Target, n: int) -> AnyArray | None:
    """Each sample's own target, (n,), where they are given; else None.

    Raises
    ------
    ValueError
        If there is not one index for each sample.
    """
    if not isinstance(target, Tensor | np.ndarray | list):
        return None
    given = target.detach().cpu().numpy() if isinstance(target, Tensor) else np.asarray(target)
    if given.shape != (n,) or given.dtype.kind not in "iu":
        raise ValueError(
            f"target has shape {given.shape} and type {given.dtype}; give one index for each of the {n} "
            "samples, or one for all"
        )
    return given.astype(np.int64)


def gradients_at(model: Model, point: AnyArray, targets: Sequence[int] | AnyArray, device: torch.device) -> Tensor:
    """∇f of the targets (flat indices) at a block of points, shape (batch, n_targets, *shape).

    Targets in an array are each point's own, (batch,), and n_targets is 1.
    """
    x = torch.tensor(point, device=device, requires_grad=True)
    predictions = _output(model, x).reshape(len(x), -1)
    if isinstance(targets, np.ndarray):
        own = predictions[torch.arange(len(x), device=device), torch.from_numpy(targets).to(device)]
        return _gradient(own.sum(), x, last=True)[:, None]
    # Samples do not affect each other, so the gradient of the sum over the batch holds that of every sample.
    return torch.stack(
        [_gradient(predictions[:, t].sum(), x, last=k == len(targets) - 1) for k, t in enumerate(targets)], dim=1
    )


def predictions_of(model: Model, x: Tensor) -> Tensor:
    """What the model says of a batch, shape (batch, *outputs), on a graph if there is one."""
    try:
        # A copy, since a first layer that works in place may not overwrite the leaf.
        output: Any = model(x.clone())
    except RuntimeError as error:
        types = (
            {p.dtype for p in model.parameters() if p.is_floating_point()} if isinstance(model, nn.Module) else set()
        )
        if types and x.dtype not in types:
            names = " and ".join(sorted(str(dtype) for dtype in types))
            raise ValueError(
                f"X is {x.dtype} but the model's weights are {names}: convert X, or the model with model.to(X's type)."
            ) from error
        if isinstance(error, torch.cuda.OutOfMemoryError):
            raise
        raise ModelError(
            f"The model fails on samples of shape {tuple(x.shape[1:])}: {error}. Give X in the shape that the model "
            "takes, the batch as its first axis."
        ) from error
    if not isinstance(output, Tensor):
        raise TypeError(
            f"The model must return one tensor of predictions, it returned {type(output).__name__}; wrap it in a Module"
            " that picks the one to explain."
        )
    predictions: Tensor = output.reshape(1) if output.ndim == 0 and len(x) == 1 else output  # a model that squeezes
    if predictions.ndim == 0 or len(predictions) != len(x):
        raise ValueError(
            f"The first axis of the prediction must be the batch: the model gave shape {tuple(predictions.shape)} for"
            f" {len(x)} samples."
        )
    if not predictions.is_floating_point():
        raise TypeError(
            f"The model must return real floating point numbers, which have a gradient, got {predictions.dtype}."
        )
    return predictions


def _output(model: Model, x: Tensor) -> Tensor:
    """As `predictions_of`, with a gradient."""
    predictions = predictions_of(model, x)
    if not predictions.requires_grad:
        raise ValueError(
            "The model's output has no gradient: it is detached, computed under no_grad, or does not depend on X."
        )
    return predictions


def _gradient(prediction: Tensor, x: Tensor, *, last: bool) -> Tensor:
    gradient: Tensor | None = torch.autograd.grad(prediction, x, retain_graph=not last, allow_unused=True)[0]
    if gradient is None:
        raise ValueError("The model's output does not depend on X, so it has no gradient with respect to it.")
    return gradient
