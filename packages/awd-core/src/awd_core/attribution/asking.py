"""Asking any function for one prediction of each input: arrays in, numbers out, whatever framework is behind it."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from awd_core.attribution.model_gradients import evaluation_mode, predictions_of
from awd_core.checks.real_numbers import real_array
from awd_core.checks.whole_numbers import is_whole_number
from awd_core.typing import AnyArray, Array

Predict = Callable[[AnyArray], Any]


def of_target(predict: Any, target: Any, rows: int) -> Callable[[AnyArray, AnyArray], Array]:
    """A function from inputs and the numbers of their samples to one prediction for each, shape (n,)."""
    ask = asked_of(predict)
    per_sample = None if target is None or is_whole_number(target) else _targets(target, rows)

    def function(x: AnyArray, samples: AnyArray) -> Array:
        told = np.asarray(ask(x), dtype=np.float64)
        if told.ndim == 0 or len(told) != len(x):
            raise ValueError(f"predict gave the shape {told.shape} for {len(x)} inputs; it must give a row for each")
        flat = told.reshape(len(told), -1)
        if not np.isfinite(flat).all():
            raise ValueError("predict gave NaN or infinity; leave such inputs out")
        if target is None and flat.shape[1] > 1:
            raise ValueError(f"predict gives {flat.shape[1]} numbers for each input; give target=, the index of one")
        index = 0 if target is None else target if per_sample is None else per_sample[samples]
        if np.max(index) >= flat.shape[1] or np.min(index) < 0:
            raise ValueError(f"target is {target!r}, and predict gives {flat.shape[1]} numbers; give an index from 0")
        found: Array = flat[np.arange(len(flat)), index]
        return found

    return function


def asked_of(predict: Any) -> Predict:
    """What predicts from arrays: a function as it is, an estimator's method, a torch Module in evaluation mode."""
    if isinstance(predict, nn.Module):
        return partial(_asked_of_module, predict)
    for name in ("predict_proba", "predict"):
        if hasattr(predict, name) and not callable(predict):
            method: Predict = getattr(predict, name)
            return method
    if not callable(predict):
        raise TypeError(f"predict is {predict!r}; give a function from inputs to predictions, such as model.predict")
    function: Predict = predict
    return function


def _targets(target: Any, rows: int) -> AnyArray:
    given = real_array(target.detach().cpu().numpy() if hasattr(target, "detach") else target, "target")
    if given.shape != (rows,) or given.dtype.kind not in "iu":
        raise ValueError(
            f"target has shape {given.shape} and type {given.dtype}; give one index for each of {rows} inputs"
        )
    return given


def _asked_of_module(module: nn.Module, x: AnyArray) -> AnyArray:
    """Predictions of a torch Module in evaluation mode, in the type of its weights."""
    kinds = {p.dtype for p in module.parameters() if p.is_floating_point()}
    dtype = torch.float64 if torch.float64 in kinds or not kinds else torch.float32
    with evaluation_mode(module, None) as (teacher, where), torch.no_grad():
        found: AnyArray = (
            predictions_of(teacher, torch.as_tensor(np.asarray(x), dtype=dtype, device=where)).cpu().numpy()
        )
    return found
