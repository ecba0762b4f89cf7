"""What a teacher is to learn from: the arguments of `fit`, checked, split and surveyed."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from awd_core.checks.real_numbers import real_array
from awd_core.teacher.samples import Part, Samples, SampleStatistics, in_memory, split, statistics_of
from awd_core.teacher.seeds import SPLIT, seed_for
from awd_core.typing import AnyArray, Array, Rows

Validation = float | tuple[Any, ...] | None
"""A fraction held out of the data, `(X, y)` or `(X, y, sample_weight)`, or nothing."""


@dataclass(frozen=True)
class Problem:
    """Parts to train and validate on, the scales of the training part, and digests of all of it.

    Attributes
    ----------
    training, validation : Part
        Targets are standardised (n, k), or class numbers (n,). Training weights have mean 1.
    inputs, targets : SampleStatistics
        Means and deviations of the training part, with 1 for the deviation of a constant.
    identity : dict of str
        Type, shape and digest of each array, for messages as for comparison.
    """

    training: Part
    validation: Part | None
    inputs: SampleStatistics
    targets: SampleStatistics
    identity: dict[str, str]


def prepare_problem(
    X: Any,
    y: Any,
    encode: Callable[[Any, str], AnyArray],
    *,
    validation: Validation,
    sample_weight: Any,
    scale_inputs: str,
    scale_targets: str,
    seed: int,
    dtype: torch.dtype,
) -> Problem:
    """Check and split the data of `fit`, and survey the training part.

    `encode` takes targets and their name for messages; it returns floats (n, k), or class numbers (n,) as integers,
    which are never scaled. `dtype` is the element type of targets and weights. ValueError where lengths disagree,
    values are not finite, samples too few, targets constant, or the validation set is the training set or of other
    shape.
    """
    samples, targets = Samples(X, "X"), encode(y, "y")
    n, labelled = len(samples), targets.dtype.kind == "i"
    _check_lengths("X", n, "y", len(targets))
    weights = _weights(sample_weight, n, "sample_weight")
    rows = np.arange(n)
    other: tuple[Samples, Rows, AnyArray, Array] | None = None
    if isinstance(validation, float):
        if not 0 < validation < 1:
            raise ValueError(f"validation as a fraction lies between 0 and 1; got {validation}.")
        rng = np.random.default_rng(seed_for(seed, SPLIT))
        rows, held = split(n, validation, rng, targets if labelled else None)
        other = samples, held, targets, weights
    elif isinstance(validation, tuple) and len(validation) in (2, 3):
        samples_v, targets_v = Samples(validation[0], "validation X"), encode(validation[1], "validation y")
        _check_lengths("validation X", len(samples_v), "validation y", len(targets_v))
        weights_v = _weights(
            validation[2] if len(validation) == 3 else None, len(samples_v), "validation sample_weight"
        )
        other = samples_v, np.arange(len(samples_v)), targets_v, weights_v
    elif validation is not None:
        raise TypeError(
            f"validation is a fraction such as 0.1, (X, y), (X, y, sample_weight), or None; got {validation!r}."
        )
    if len(rows) < 2 or (other is not None and len(other[1]) == 0):
        raise ValueError(f"{n} samples are too few: training needs at least two of them, validation one more.")
    inputs = statistics_of(samples, rows, scale_inputs)
    scales = _target_scales(targets, rows, "none" if labelled else scale_targets)
    identity = _described({"X": (samples, inputs)}, {"y": targets, "sample_weight": weights})
    if other is not None and other[0] is not samples:
        identity |= _check_apart(samples, inputs, other)

    def part(samples: Samples, rows: Rows, targets: AnyArray, weights: AnyArray) -> Part:
        chosen, w = targets[rows], weights[rows]
        if not w.any():
            raise ValueError("all weights of the training or of the validation part are zero: nothing would count.")
        chosen = chosen if labelled else (chosen - scales.mean) / scales.sd
        return Part(
            samples,
            rows,
            torch.tensor(chosen, dtype=torch.int64 if labelled else dtype),
            torch.tensor(w / w.mean(), dtype=dtype),
        )

    return Problem(part(samples, rows, targets, weights), other and part(*other), _never_zero(inputs), scales, identity)


def encode_values(y: Any, name: str) -> AnyArray:
    """Targets of a regression as float64 (n, k)."""
    values = real_array(in_memory(y, name), name)
    if values.ndim not in (1, 2) or values.size == 0:
        raise ValueError(f"{name} has to be of shape (n,) or (n, k); got {values.shape}.")
    values = values.astype(np.float64)
    _check_finite(values, name)
    return values.reshape(len(values), -1)


def find_classes(y: Any) -> AnyArray:
    """The classes among labels (n,), sorted."""
    labels = _labels(y, "y")
    classes = np.unique(labels)
    if len(classes) < 2:
        raise ValueError(f"y has 1 class ({classes[0]!r}): there is nothing to tell apart.")
    if len(classes) > max(20, len(labels) // 2):
        raise ValueError(
            f"y has {len(classes)} classes among {len(labels)} samples; it looks like the target of a regression, "
            "which is continuous. Use Teacher for that."
        )
    return classes


def encode_labels(y: Any, name: str, classes: AnyArray) -> AnyArray:
    """Labels (n,) as positions in `classes`."""
    labels = _labels(y, name)
    positions = np.minimum(np.searchsorted(classes, labels), len(classes) - 1)
    strange = classes[positions] != labels
    if strange.any():
        raise ValueError(
            f"{name} has the class {labels[strange][0]!r}, which is not among those of y: {classes.tolist()}."
        )
    return positions.astype(np.int64)


def _labels(y: Any, name: str) -> AnyArray:
    labels = in_memory(y, name)
    if labels.dtype.kind == "O" and all(isinstance(label, str) for label in labels.flat):  # a pandas column
        labels = labels.astype(str)
    if labels.ndim != 1 or labels.size == 0:
        raise ValueError(f"{name} has to hold one label for each sample, shape (n,); got {labels.shape}.")
    if labels.dtype.kind == "c":
        real_array(labels, name)
    if labels.dtype.kind not in "fiubU":
        raise TypeError(
            f"Unknown label type: {name} has to hold numbers, booleans or texts as labels; got elements of type "
            f"{labels.dtype}."
        )
    if labels.dtype.kind == "f":
        _check_finite(labels, name)
    return labels


def _check_finite(values: AnyArray, name: str) -> None:
    bad = ~np.isfinite(values).reshape(len(values), -1).all(axis=1)
    if bad.any():
        raise ValueError(
            f"{name} has a NaN or an infinity, first at sample {int(np.argmax(bad))}. Leave such samples out, or "
            "fill them in."
        )


def _weights(sample_weight: Any, n: int, name: str) -> Array:
    if sample_weight is None:
        return np.ones(n)
    weights = real_array(in_memory(sample_weight, name), name).astype(np.float64)
    if weights.shape != (n,):
        raise ValueError(f"{name} has to be of shape ({n},), one for each sample; got {weights.shape}.")
    _check_finite(weights, name)
    if (weights < 0).any():
        raise ValueError(f"{name} must not be negative; its smallest value is {weights.min():g}.")
    return weights


def _check_lengths(first: str, n: int, second: str, m: int) -> None:
    if n != m:
        raise ValueError(f"{first} has {n} samples and {second} has {m}; they have to be as many.")


def _target_scales(targets: AnyArray, rows: Rows, scaling: str) -> SampleStatistics:
    samples = Samples(targets, "y")
    if scaling == "none" and targets.dtype.kind == "i":
        return statistics_of(samples)
    constant = np.flatnonzero(statistics_of(samples, rows, "feature").sd == 0)
    if len(constant):
        values = ", ".join(f"{targets[rows[0], i]:g} in column {i}" for i in constant)
        raise ValueError(f"y is the same for all training samples ({values}): there is nothing to learn. Leave it out.")
    return statistics_of(samples, rows, scaling)


def _check_apart(
    samples: Samples, inputs: SampleStatistics, other: tuple[Samples, Rows, AnyArray, AnyArray]
) -> dict[str, str]:
    """The identity of a validation set of its own, if it fits the training set and is another."""
    samples_v, _, targets_v, weights_v = other
    if samples_v.shape != samples.shape:
        raise ValueError(f"samples of the validation set have shape {samples_v.shape}, those of X {samples.shape}.")
    found = statistics_of(samples_v)
    if found.digest == inputs.digest:
        raise ValueError(
            "the validation set is the training set itself; early stopping would choose the most overfitted weights. "
            "Give other samples, a fraction such as 0.1, or None for no validation."
        )
    return _described({"validation X": (samples_v, found)}, {"validation y": targets_v, "validation weight": weights_v})


def _described(surveyed: dict[str, tuple[Samples, SampleStatistics]], arrays: dict[str, AnyArray]) -> dict[str, str]:
    every = surveyed | {
        name: ((samples := Samples(array, name)), statistics_of(samples)) for name, array in arrays.items()
    }
    return {
        name: f"{samples.dtype.name} {tuple(samples.array.shape)} with digest {found.digest[:12]}"
        for name, (samples, found) in every.items()
    }


def _never_zero(found: SampleStatistics) -> SampleStatistics:
    return SampleStatistics(found.digest, found.mean, np.where(found.sd == 0, 1.0, found.sd))
