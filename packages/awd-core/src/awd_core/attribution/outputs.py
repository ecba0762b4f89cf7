"""Outputs of a teacher, asked once: what a student's wavelet is chosen by."""

import os
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from awd_core.attribution.blocks import first_bad, stops
from awd_core.attribution.gradients import Progress, reporting
from awd_core.attribution.model_gradients import Model, evaluation_mode, predictions_of
from awd_core.attribution.store import OUTPUTS, model_digest
from awd_core.checks.whole_numbers import whole_number
from awd_core.files.arrays import SampleArray, as_samples, digest, read_block
from awd_core.files.store import BlockStore, InMemory
from awd_core.typing import AnyArray, Array

if TYPE_CHECKING:
    import zarr

DEPENDENT = 1e-4
"""Relative change of a sample's prediction, with another sample beside it, that is no rounding."""


def teacher_outputs(
    model: Model,
    X: Any,
    *,
    batch_size: int = 256,
    device: str | torch.device | None = None,
    out: str | os.PathLike[str] | None = None,
    progress: Progress = False,
) -> "Array | zarr.Array[Any]":
    """Predictions of a model for every sample, all its outputs.

    The model is asked as `input_gradients` asks it: in evaluation mode, on the device, and left as it was found. A
    teacher that was fitted to these samples remembers some of them: give each part of the samples to a teacher that was
    fitted without it, and put the parts together.

    Parameters
    ----------
    model : Module or callable
        From a batch of inputs to one tensor of predictions, shape (batch,) or (batch, *outputs).
    X : ndarray, Tensor or zarr array, shape (n, *shape)
        Inputs, float32 or float64. Read a batch at a time (twice with `out`).
    batch_size : int
        Samples per pass. Another size may change the last bits.
    device : str or torch.device, optional
        Where to compute; by default where the model is. If that is elsewhere, a copy of the model is moved.
    out : path or URL, optional
        Folder of a Zarr store for the outputs, or its URL, which is filled batch by batch. Called again after an
        interruption with the same arguments, the function computes what is missing. Weights of the model, values of X
        and all arguments must be those that the store names. Only one call may fill a store at a time.
    progress : bool or callable
        True shows a bar; a callable is given (samples done, all samples) after each batch.

    Returns
    -------
    ndarray or zarr.Array, shape (n, *outputs)
        With the type of X. With `out` the array "outputs" of that store, not read into memory.

    Raises
    ------
    TypeError
        If X is not an array of float32 or float64, or the model does not return one tensor of real numbers.
    ValueError
        If the prediction for one sample depends on other samples, an input or an output is not finite, all samples have
        the same outputs, or `out` holds something else.

    Examples
    --------
    >>> model = torch.nn.Linear(3, 2).double()
    >>> teacher_outputs(model, np.eye(3)).shape
    (3, 2)
    """
    samples, batch_size = as_samples(X, "X"), whole_number("batch_size", batch_size)
    n = samples.shape[0]
    with evaluation_mode(model, device) as (teacher, where), reporting(progress, "Outputs") as report, torch.no_grad():
        shape = (n, *_output_shape(teacher, read_block(samples, 0, min(2, n)), where))
        dtype = np.dtype(samples.dtype).newbyteorder("=")
        store: BlockStore | InMemory = (
            _store(out, model, samples, where, shape, dtype, batch_size) if out else InMemory(shape, dtype, batch_size)
        )
        for batch, stop in enumerate(stops(n, batch_size)):
            if not store.is_done(batch):
                store.write(batch, _outputs_of(teacher, samples, batch * batch_size, stop, where).astype(dtype))
            report(stop, n)
    outputs = store.array
    first = read_block(outputs, 0, 1)
    blocks = (read_block(outputs, batch * batch_size, stop) for batch, stop in enumerate(stops(n, batch_size)))
    if n > 1 and all((block == first).all() for block in blocks):
        raise ValueError("The prediction does not change with X: all samples have the same outputs.")
    return outputs


def _outputs_of(teacher: Model, samples: SampleArray, start: int, stop: int, where: torch.device) -> AnyArray:
    block = read_block(samples, start, stop)
    bad = first_bad(block)
    if bad is not None:
        raise ValueError(f"X must be finite, but sample {start + bad} holds NaN or infinite values.")
    found: AnyArray = predictions_of(teacher, torch.tensor(block, device=where)).cpu().numpy()
    bad = first_bad(found)
    if bad is not None:
        raise ValueError(f"The output of sample {start + bad} holds NaN or infinite values, though its input does not.")
    return found


def _output_shape(teacher: Model, first: AnyArray, where: torch.device) -> tuple[int, ...]:
    """Shape of the outputs of one sample; samples that affect each other are refused."""
    x = torch.tensor(first, device=where)
    together = predictions_of(teacher, x)
    if len(x) > 1:
        beside_itself = predictions_of(teacher, x[:1].expand_as(x).contiguous())
        change = (together[0] - beside_itself[0]).abs().max()
        if bool(change > DEPENDENT * together[0].abs().max()):
            raise ValueError(
                "The prediction for one sample depends on the other samples of its batch, in evaluation mode too. Does "
                "the model normalise over the batch, or take another axis than the first as the batch?"
            )
    return tuple(together.shape[1:])


def _store(
    out: str | os.PathLike[str], model: Model, samples: SampleArray, where: torch.device, shape: tuple[int, ...],
    dtype: np.dtype[Any], batch_size: int,
) -> BlockStore:  # fmt: skip
    if not isinstance(model, nn.Module):
        raise TypeError(f"With out, the model must be a torch Module, so that its weights identify it; got {model!r}.")
    job = {
        "model": model_digest(model), "X shape": list(samples.shape), "X dtype": str(dtype),
        "X values": digest(samples), "shape": list(shape), "batch_size": batch_size, "device": where.type,
    }  # fmt: skip
    return BlockStore(out, OUTPUTS, job, shape, dtype, batch_size)
