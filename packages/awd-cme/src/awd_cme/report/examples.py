"""What a report shows of single tracks: some examples, and how much each feature varies from track to track.

A card's weights are per unit of a feature, and people ask what a usual difference does: one standard deviation over the
training tracks.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from awd_cme.model.card import ModelCard
from awd_cme.model.coefficients import analysis_matrices, centre_times
from awd_core.files import load_npz
from awd_core.typing import AnyArray, Array, Rows

PER_TRACK = ("cell", "track", "truth", "prediction", "time", "x", "y", "left_out")
"""Arrays of `Examples` with one entry a track."""


@dataclass(frozen=True)
class Examples:
    """Example tracks: k tracks of up to T frames, and c coefficients that decided.

    The file has an array for each attribute, of the same name.

    Attributes
    ----------
    cell, track : ndarray, shape (k,)
        Whose they are.
    truth, prediction : ndarray, shape (k,)
        What was measured and predicted, in the target's unit.
    time : ndarray, shape (k, T)
        Seconds from each track's first frame, NaN behind its last.
    x, y : ndarray, shape (k, T)
        Raw intensities of both channels; NaN in gaps.
    left_out : ndarray of int, shape (k,)
        How many coefficients moved the prediction as much as those that decided but are not there: zero, or nothing but
        the padding behind a track. 0 where the file has no such array.
    example : ndarray of int, shape (c,)
        To which of the k tracks a coefficient belongs.
    scale : ndarray of str, shape (c,)
        Its band, such as "detail 4 s" (`awd_cme.model.coefficients.scales`).
    width : ndarray, shape (c,)
        2^j samples, in seconds.
    position : ndarray, shape (c,)
        Its centre, seconds from the first frame.
    value, weight : ndarray, shape (c,)
        The coefficient, and what the model multiplies it by.
    term : ndarray, shape (c,)
        How far it moved the prediction, from that for a usual coefficient; value × weight where the file has no such
        array.
    """

    cell: AnyArray
    track: AnyArray
    truth: Array
    prediction: Array
    time: Array
    x: Array
    y: Array
    left_out: Rows
    example: Rows
    scale: AnyArray
    width: Array
    position: Array
    value: Array
    weight: Array
    term: Array

    @classmethod
    def load(cls, file: Path) -> "Examples":
        """Read the file.

        Raises
        ------
        ValueError
            If an array is missing, or its length is another than it must be.
        """
        arrays = load_npz(file)
        needed = [name for name in cls.__dataclass_fields__ if name not in ("term", "left_out")]
        if missing := [name for name in needed if name not in arrays]:
            raise ValueError(f"{file} lacks the arrays {', '.join(missing)}; see awd_cme.report.examples.Examples")
        held = {name: arrays[name] for name in needed}
        term = arrays["term"] if "term" in arrays else held["value"] * held["weight"]
        absent = arrays["left_out"] if "left_out" in arrays else np.zeros(len(held["cell"]), dtype=np.int64)
        examples = cls(**held, term=term, left_out=absent)
        tracks, coefficients = len(examples.cell), len(examples.example)
        for name in cls.__dataclass_fields__:
            wanted = tracks if name in PER_TRACK else coefficients
            if len(getattr(examples, name)) != wanted:
                raise ValueError(f"{file}: {name} has {len(getattr(examples, name))} entries, not {wanted}")
        return examples


@dataclass(frozen=True)
class FeatureSpread:
    """How the card's features vary over the training tracks.

    Attributes
    ----------
    sd : ndarray, shape (features,)
        Standard deviation of each.
    scale_sd : ndarray, shape (scales,)
        Standard deviation of the sum of all contributions of a scale to the prediction, in units of the standardised
        target (or log odds).
    """

    sd: Array
    scale_sd: Array


def feature_spread(card: ModelCard, series: Path, split: Mapping[str, Any] | None) -> FeatureSpread:
    """Features of the training tracks (all tracks where the split is unknown), and how they vary.

    `series` is the file series.npz; the split tells the rows of training tracks in it.
    """
    arrays = load_npz(series, "X", "mask", "cell")
    rows = np.arange(len(arrays["X"])) if split is None else np.asarray(split["train"], dtype=int)
    X, mask, cell = (array[rows] for array in arrays.values())
    X = card.inputs.standardised(X, cell, mask if card.resampling == "pad" else None)
    step = card.seconds_per_sample or 1.0
    matrices = analysis_matrices(card.taps, card.length, card.levels, card.mode)
    times = [time * step for time in centre_times(card.taps, card.length, card.levels)]
    weights, deviations, together = iter(card.coefficients[:, 0]), [], []
    for matrix, time in zip(matrices, times, strict=True):
        features = card.selection.select(X @ matrix.T, time)
        own_weights = np.array([next(weights) for _ in range(features.shape[1])])
        deviations.append(features.std(axis=0))
        together.append(float((features @ own_weights).std()))
    return FeatureSpread(np.concatenate(deviations), np.array(together))
