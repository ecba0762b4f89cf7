"""Input gradients of a teacher, asked once.

Distillation needs nothing of a teacher f but g = ∇f(x) for each input x: for an orthonormal transform the attribution
of its coefficients is Ψ₀g, whatever the wavelet (with Ψ₀ the adjoint of the synthesis). So `input_gradients` asks for g
before any wavelet is learnt. An array of gradients that another framework computed may be used in its place;
`check_gradients` says whether it will do.

The same array serves several methods: with g from "saliency", saliency is Ψ₀g and input × gradient Ψx ⊙ Ψ₀g; with the
path-averaged gradient ḡ from "integrated_gradients", integrated gradients are Ψ(x − b) ⊙ Ψ₀ḡ.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, cast, overload

import numpy as np
import torch
from torch import nn

from awd_core.attribution.blocks import GradientQuery, block_task, fill, first_bad, stops
from awd_core.attribution.model_gradients import Model, Target, checked_targets, evaluation_mode, own_targets
from awd_core.attribution.points import Method, points_of
from awd_core.attribution.store import GRADIENTS, model_digest
from awd_core.checks.whole_numbers import whole_number
from awd_core.files.arrays import SampleArray, as_samples, digest, read_block
from awd_core.files.store import BlockStore, InMemory
from awd_core.typing import AnyArray, Array
from awd_core.workers.mapping import Workers
from awd_core.workers.open import open_workers
from awd_core.workers.progress import Lines

if TYPE_CHECKING:
    import zarr

Progress = bool | Callable[[int, int], object]


@overload
def input_gradients(
    model: Model,
    X: Any,
    target: Target = ...,
    *,
    method: Method = ...,
    baseline: Any = ...,
    n_steps: int = ...,
    n_samples: int = ...,
    noise: float = ...,
    seed: int | None = ...,
    batch_size: int = ...,
    device: str | torch.device | None = ...,
    out: None = ...,
    workers: int | Workers = ...,
    progress: Progress = ...,
) -> AnyArray: ...


@overload
def input_gradients(
    model: Model,
    X: Any,
    target: Target = ...,
    *,
    method: Method = ...,
    baseline: Any = ...,
    n_steps: int = ...,
    n_samples: int = ...,
    noise: float = ...,
    seed: int | None = ...,
    batch_size: int = ...,
    device: str | torch.device | None = ...,
    out: str | os.PathLike[str],
    workers: int | Workers = ...,
    progress: Progress = ...,
) -> "zarr.Array[Any]": ...


def input_gradients(
    model: Model,
    X: Any,
    target: Target = None,
    *,
    method: Method = "saliency",
    baseline: Any = None,
    n_steps: int = 50,
    n_samples: int = 50,
    noise: float = 0.0,
    seed: int | None = None,
    batch_size: int = 64,
    device: str | torch.device | None = None,
    out: str | os.PathLike[str] | None = None,
    workers: int | Workers = 1,
    progress: Progress = False,
) -> "Array | zarr.Array[Any]":
    """Gradient of a model's prediction with respect to its input, for every sample.

    The model is asked in evaluation mode and left as it was found: training flags of every module, parameters, their
    ``requires_grad`` and ``grad``, and device. Evaluation mode matters, since in training mode batch normalisation
    would mix the samples of a batch and dropout would be random; a model whose samples still affect each other is
    refused. On CUDA the pass is deterministic as far as cuDNN goes and in full precision, and cuDNN is off for models
    with recurrent layers, which it cannot differentiate in evaluation mode.

    Parameters
    ----------
    model : Module or callable
        From a batch of inputs to one tensor of predictions, shape (batch,) or (batch, *targets). A plain function is
        called as it is, since it has no mode or device that could be seen.
    X : ndarray, Tensor or zarr array, shape (n, *shape)
        Inputs, float32 or float64. Read a batch at a time (twice with `out`).
    target : int, tuple of int, "all", None, or array_like of int, shape (n,)
        Which prediction to differentiate: an index into the axes of the prediction after the first. None if there is
        but one. "all" for each of them. An array or tensor holds each sample's own, such as its class.
    method : {"saliency", "input_x_gradient", "integrated_gradients", "gradient_shap"}
        Which gradient. For "saliency" and "input_x_gradient" ∇f(x), with its sign. For "integrated_gradients" the
        average ∫₀¹ ∇f(b + α(x − b)) dα by Gauss-Legendre quadrature, so (x − b) times it is the attribution, and it
        is right where x = b too. For "gradient_shap" the average of ∇f over random points between random baselines
        and noisy inputs.
    baseline : float or array_like, optional
        b; by default 0. A number or an array of the shape of a sample; for "integrated_gradients" also one for each
        sample, (n, *shape); for "gradient_shap" also a set to draw from, (any number, *shape).
    n_steps : int
        Points on the path of "integrated_gradients".
    n_samples : int
        Random points per sample of "gradient_shap".
    noise : float
        Standard deviation of the normal noise that "gradient_shap" adds to inputs, in units of X.
    seed : int, optional
        For "gradient_shap", which needs one. What is drawn for a sample depends on the seed and the sample's number
        alone, not on the size of the batches.
    batch_size : int
        Samples per pass. Another size may change the last bits, as sums are rounded differently.
    device : str or torch.device, optional
        Where to compute; by default where the model is. If that is elsewhere, a copy of the model is moved.
    out : path or URL, optional
        Folder of a Zarr store for the gradients, which is filled batch by batch; or its URL, such as
        s3://bucket/gradients.zarr, with fsspec and what that needs for it. Called again after an interruption, at
        whatever moment, with the same arguments, the function computes what is missing, or cannot be read any more,
        and the result has the bits of an uninterrupted run on the same machine. Weights of the model, values of X and
        all arguments must be the same as those that the store names. Only one call may fill a store at a time.
    workers : int or Workers, optional
        Processes that each take a batch at a time (see `awd_core.workers.open`) and write its gradients themselves; the
        model must then be a torch Module of classes that they can import. They read X where it lies if it is a memory
        map or a Zarr array, and the model's weights, with what else is in memory alone, from a hidden folder beside
        `out` (for a URL, or without `out`, in the system's folder for temporary files) that is deleted in the end.
    progress : bool or callable
        True shows a bar; a callable is given (samples done, all samples) after each batch.

    Returns
    -------
    ndarray or zarr.Array, shape (n, *shape), or (n, *targets, *shape) for target "all"
        Gradients with the type of X. With `out` the array "gradients" of that store, not read into memory.

    Raises
    ------
    TypeError
        If X is not an array of float32 or float64, or the model does not return one tensor of real numbers.
    ValueError
        If the target does not fit the prediction, the prediction does not depend on the input or on that of other
        samples too, an input or gradient is not finite or all gradients are zero, or `out` holds something else.

    Examples
    --------
    >>> model = torch.nn.Linear(3, 2).double()
    >>> g = input_gradients(model, np.zeros((5, 3)), target=1)
    >>> g.shape, bool(np.allclose(g, model.weight[1].detach().numpy()))
    ((5, 3), True)
    """
    if not callable(model):
        raise TypeError(f"model must be a torch Module or callable, got {type(model)}.")
    samples = as_samples(X, "X")
    n, batch_size = samples.shape[0], whole_number("batch_size", batch_size)
    if noise != 0 and method != "gradient_shap":
        raise ValueError(f'noise is {noise!r}, but it is for "gradient_shap"; "{method}" has none.')
    points, choices = points_of(
        samples, method, baseline=baseline, n_steps=n_steps, n_samples=n_samples, noise=noise, seed=seed
    )
    with (
        open_workers(workers) as crew,
        evaluation_mode(model, device) as (teacher, where),
        reporting(progress) as report,
    ):
        own = own_targets(target, n)
        targets, target_shape = checked_targets(
            teacher, read_block(samples, 0, min(2, batch_size)), target if own is None else own, where
        )
        query = GradientQuery(samples, points, targets if own is None else own, batch_size)
        shape = (n, *target_shape, *samples.shape[1:])
        told = targets if own is None else digest(own)
        job: dict[str, Any] = {"method": method, "targets": told, "shape": list(shape), "batch_size": batch_size}
        job |= {"device": where.type, **choices}
        if crew.here:
            store: BlockStore | InMemory = (
                _store(out, model, samples, job, batch_size) if out else InMemory(shape, _native(samples), batch_size)
            )
            for batch, stop in enumerate(stops(n, batch_size)):
                if not store.is_done(batch):
                    gradients = query.gradients_of(teacher, where, batch)
                    store.write(batch, gradients.reshape(len(gradients), *shape[1:]))
                report(stop, n)
            _refuse_zeros(store.array, batch_size, "The prediction does not change with X")
            return store.array
        with TemporaryDirectory() as nowhere:
            place = out or Path(nowhere) / "gradients.zarr"
            filled = _store(place, model, samples, job, batch_size)
            chosen = {"method": method, "n_steps": n_steps, "n_samples": n_samples, "noise": noise, "seed": seed}
            with (
                block_task(cast(nn.Module, model), query, chosen, baseline, where, place, Path(nowhere)) as task,
                closing(fill(filled, task, crew)) as written,
            ):
                for stop in written:
                    report(stop, n)
            _refuse_zeros(filled.array, batch_size, "The prediction does not change with X")
            return filled.array if out else np.asarray(filled.array[:])


def check_gradients(
    X: Any, gradients: Any, *, predict: Any = None, target: Any = None, batch_size: int = 256, seed: int = 0
) -> None:
    """Check that inputs and gradients, from whatever framework, can be used for distillation.

    Parameters
    ----------
    X : ndarray, Tensor or zarr array, shape (n, *shape)
        Inputs.
    gradients : ndarray, Tensor or zarr array, shape (n, *shape)
        One gradient for each input.
    predict : callable or Module, optional
        What the gradients are of: they are then compared with its differences along some random directions, which finds
        rows in another order, another sign or scale, and gradients of something else. For gradients at the inputs, as
        of "saliency".
    target : int or array_like of int, optional
        Which of several predictions.
    batch_size : int
        Samples that are read at a time.
    seed : int
        Of the directions.

    Raises
    ------
    TypeError
        If one of them is no array of float32 or float64.
    ValueError
        If the shapes differ, a value is not finite, all gradients are zero, or they are not those of `predict`.

    Examples
    --------
    >>> check_gradients(np.ones((2, 3)), np.ones((2, 4)))
    Traceback (most recent call last):
    ...
    ValueError: gradients must have the shape (2, 3) of X, got (2, 4).
    """
    x, batch_size = as_samples(X, "X"), whole_number("batch_size", batch_size)
    g = as_samples(gradients, "gradients", whole=False)
    if tuple(x.shape) != tuple(g.shape):
        hint = ""
        if len(g.shape) > len(x.shape) and g.shape[0] == x.shape[0]:
            hint = " With gradients of several targets, use those of one: gradients[:, k]."
        raise ValueError(f"gradients must have the shape {tuple(x.shape)} of X, got {tuple(g.shape)}.{hint}")
    for start in range(0, x.shape[0], batch_size):
        for name, samples in (("X", x), ("gradients", g)):
            bad = first_bad(read_block(samples, start, start + batch_size))
            if bad is not None:
                raise ValueError(f"{name} must be finite, but sample {start + bad} holds NaN or infinite values.")
    _refuse_zeros(g, batch_size, "There is nothing to distil")
    if predict is not None:
        from awd_core.attribution.compared import compare_with_differences

        compare_with_differences(x, g, predict, target, seed)


def _store(
    out: str | os.PathLike[str], model: Model, samples: SampleArray, job: dict[str, Any], batch_size: int
) -> BlockStore:
    if not isinstance(model, nn.Module):
        raise TypeError(
            f"With out or workers, the model must be a torch Module, so that its weights identify it; got {model!r}."
        )
    dtype = _native(samples)
    inputs = {"X shape": list(samples.shape), "X dtype": str(dtype), "X values": digest(samples)}
    job = {"model": model_digest(model), **inputs, **job}
    return BlockStore(out, GRADIENTS, job, tuple(job["shape"]), dtype, batch_size)


def _native(samples: SampleArray) -> np.dtype[Any]:
    return np.dtype(samples.dtype).newbyteorder("=")


def _refuse_zeros(gradients: SampleArray, batch_size: int, what: str) -> None:
    starts = range(0, gradients.shape[0], batch_size)
    if not any(read_block(gradients, start, start + batch_size).any() for start in starts):
        raise ValueError(f"{what}: every gradient is zero.")


@contextmanager
def reporting(progress: Progress, what: str = "Input gradients") -> Iterator[Callable[[int, int], object]]:
    """Something to tell of samples done and all samples: the user's function, a bar, lines in a notebook, or nobody."""
    if callable(progress):
        yield progress
    elif not progress:
        yield lambda _done, _total: None
    else:
        from rich.console import Console
        from rich.progress import Progress as Bar

        console = Console(stderr=True)
        if not console.is_terminal:
            say = partial(print, file=sys.stderr)
            say(f"{what} …")
            yield Lines(what, say)
            return
        with Bar(console=console) as bar:
            task = bar.add_task(what, total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)
