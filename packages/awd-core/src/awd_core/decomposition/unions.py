"""Scores of groups of units, for hierarchies and orders: contextual decomposition, occlusion, build-up."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from awd_core.attribution.coefficients import baseline_like
from awd_core.attribution.model_gradients import Target, evaluation_mode
from awd_core.attribution.trim import TrimModel
from awd_core.checks.choices import check_choice
from awd_core.checks.real_numbers import real_array
from awd_core.decomposition.decompose import contextual_decomposition
from awd_core.decomposition.hierarchy import Score
from awd_core.transforms.coefficients import Coefficients
from awd_core.transforms.fourier import Transform
from awd_core.typing import Array, Flags, Indices

By = Literal["decomposition", "occlusion", "build_up"]
BY: tuple[By, ...] = get_args(By)


def union_score(
    model: Callable[..., Tensor],
    x: Tensor,
    units: Any = None,
    *,
    target: Target = None,
    by: By = "decomposition",
    transform: Transform | None = None,
    baseline: float = 0.0,
) -> Score:
    """How much groups of units of one input say of a prediction, as `agglomerate` asks for it.

    Parameters
    ----------
    model : Module or callable
        The network, as for `contextual_decomposition`.
    x : Tensor, shape (1, *shape)
        One input.
    units : array_like of int, optional
        The number of each value's unit, of the shape of a sample, from 0; values of -1 are in none. With a transform:
        of all coefficients in the order of their tensors, flat. By default every value is a unit.
    target : int, tuple of int or None
        Which prediction; None if there is but one.
    by : {"decomposition", "occlusion", "build_up"}
        β of the group in its context; what the prediction loses without it; or what it is of the group alone, less
        that of the baseline.
    transform : Transform, optional
        Whose coefficients are the values.
    baseline : float
        What stands in the place of values that are taken away.

    Returns
    -------
    callable
        From groups (k, units), booleans, to an array of k scores.

    Raises
    ------
    ValueError
        If there is more than one input, or units do not fit.

    Examples
    --------
    >>> score = union_score(lambda x: x.relu().sum(1), torch.tensor([[1.0, 2.0, -3.0]]))
    >>> score(np.array([[True, True, False], [False, False, True]])).tolist()
    [3.0, 0.0]
    """
    check_choice("by", by, BY, required=True)
    if not isinstance(x, Tensor) or x.ndim < 1 or len(x) != 1:
        raise ValueError(
            f"x is {tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__}; give a tensor with one input, as "
            "X[3:4]: a hierarchy is one input's"
        )
    values, inverse = [x], None
    if transform is not None:
        inverse, leaves, _ = TrimModel.at(model, transform, x)
        values = [leaf.detach() for leaf in leaves]
    labels = _labels(units, values)
    sizes = [value[0].numel() for value in values]

    def masks(groups: Flags) -> tuple[Tensor, ...]:
        flags = np.concatenate([np.asarray(groups, dtype=bool), np.zeros((len(groups), 1), dtype=bool)], 1)
        flat = torch.split(torch.from_numpy(flags[:, labels]), sizes, 1)
        return tuple(part.reshape(len(groups), 1, *v.shape[1:]) for part, v in zip(flat, values, strict=True))

    def decomposed(groups: Flags) -> Array:
        given = masks(groups)
        with torch.no_grad():
            if inverse is None:
                found = contextual_decomposition(model, x, given[0])
            else:
                found = contextual_decomposition(inverse, tuple(values), given)
        return _chosen(found.relevant[:, 0], target)

    def asked_again(groups: Flags) -> Array:
        asks = inverse if inverse is not None else model
        with evaluation_mode(asks, None) as (teacher, _), torch.no_grad():

            def predicted(kept: list[Tensor]) -> Array:
                return _chosen(teacher(*kept), target)

            given = masks(groups)
            bases = [baseline_like(value, baseline) for value in values]
            if by == "occlusion":
                left = [torch.where(m[:, 0], b, v) for m, b, v in zip(given, bases, values, strict=True)]
                return predicted(values) - predicted(left)
            alone = [torch.where(m[:, 0], v, b) for m, b, v in zip(given, bases, values, strict=True)]
            return predicted(alone) - predicted(bases)

    return decomposed if by == "decomposition" else asked_again


def unit_neighbours(units: Any) -> Indices:
    """Pairs of units that touch: regions of an image, words of a series.

    Parameters
    ----------
    units : array_like of int, shape (N,) or (H, W)
        As for `union_score`.

    Examples
    --------
    >>> unit_neighbours([[0, 0, 1], [2, 2, 1]]).tolist()
    [[0, 1], [0, 2], [1, 2]]
    """
    from awd_core.decomposition.hierarchy import neighbours

    labels = np.asarray(units)
    pairs = labels.ravel()[neighbours(labels.shape)]
    apart = pairs[(pairs[:, 0] != pairs[:, 1]) & (pairs.min(axis=1) >= 0)]
    found: Indices = np.unique(np.sort(apart, axis=1), axis=0)
    return found


def wavelet_neighbours(coefficients: Coefficients) -> Indices:
    """Pairs of neighbouring wavelet coefficients, in place, in scale and, in images, in direction.

    Neighbours in place lie beside each other in a band; in scale, at one place in bands of one direction and of levels
    that follow each other, the approximation being beside all of its level; in direction, at one place of a level.

    Parameters
    ----------
    coefficients : Coefficients
        Of one input, for their shapes. Units are all coefficients in the order of their bands, flat.

    Returns
    -------
    ndarray of int, shape (pairs, 2)

    Examples
    --------
    >>> from awd_core.transforms import DWT1d
    >>> wavelet_neighbours(DWT1d("haar", levels=2)(torch.zeros(1, 8))).tolist()
    [[0, 1], [2, 3], [4, 5], [5, 6], [6, 7], [0, 2], [1, 3], [2, 4], [2, 5], [3, 6], [3, 7]]
    """
    from awd_core.decomposition.hierarchy import neighbours

    axes = len(coefficients.shape)
    levels: list[list[Indices]] = []
    start = 0
    pairs: list[Indices] = []
    for entry in coefficients:
        bands = []
        for band in entry if isinstance(entry, tuple) else (entry,):
            shape = tuple(band.shape[-axes:])
            numbers = start + np.arange(int(np.prod(shape))).reshape(shape)
            pairs.append(start + neighbours(shape))
            bands.append(numbers)
            start += numbers.size
        levels.append(bands)
    approximation, *details = levels
    for k, bands in enumerate(details):
        coarser = approximation * len(bands) if k == 0 else details[k - 1]
        pairs += [_in_scale(above, below) for above, below in zip(coarser, bands, strict=True)]
        pairs += [np.stack([a.ravel(), b.ravel()], 1) for a, b in pairwise(bands)]
        if len(bands) > 2:
            pairs.append(np.stack([bands[0].ravel(), bands[-1].ravel()], 1))
    return np.concatenate(pairs)


def _in_scale(above: Indices, below: Indices) -> Indices:
    """Each coefficient of a finer band, and the one of the coarser band at its place."""
    at = [
        np.minimum(np.arange(size) * coarse // size, coarse - 1)
        for size, coarse in zip(below.shape, above.shape, strict=True)
    ]
    return np.stack([above[np.ix_(*at)].ravel(), below.ravel()], 1)


def _labels(units: Any, values: list[Tensor]) -> Indices:
    """The unit of each value, flat."""
    count = sum(value[0].numel() for value in values)
    if units is None:
        return np.arange(count)
    labels = real_array(units, "units")
    if labels.dtype.kind not in "iu" or labels.size != count or labels.min() < -1 or labels.max() < 0:
        raise ValueError(
            f"units has shape {labels.shape} and type {labels.dtype}; give the whole number of each of the {count} "
            "values' units, from 0, and -1 for values in none"
        )
    return labels.ravel().astype(np.intp)


def _chosen(predictions: Tensor, target: Target) -> Array:
    """One prediction of each row."""
    rows = predictions.reshape(len(predictions), -1)
    if target is None:
        if rows.shape[1] != 1:
            raise ValueError(
                f"the model predicts {tuple(predictions.shape[1:])} numbers per input; give target=, an index"
            )
        chosen = rows[:, 0]
    else:
        try:
            chosen = predictions[(slice(None), *(target if isinstance(target, tuple) else (target,)))]
        except (IndexError, TypeError):
            chosen = predictions
        if chosen.ndim != 1:
            raise ValueError(
                f"target={target!r} is no index of one prediction; an input has predictions of shape "
                f"{tuple(predictions.shape[1:])}"
            )
    values: Array = chosen.double().cpu().numpy()
    return values
