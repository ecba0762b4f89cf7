"""The model as a card: one JSON file that says all that a person asks (`model.card_file`), and NumPy alone can score.

Times are in seconds where the frame interval was known, else in samples. The module imports neither torch nor
scikit-learn nor PyWavelets.
"""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from awd_cme.model.card_file import CardFile, Triple
from awd_cme.model.coefficients import Selection, analysis_matrices, centre_times, scales
from awd_cme.series.resample import to_one_length
from awd_cme.series.scaling import Statistics, ZScores
from awd_core.files import reading
from awd_core.typing import AnyArray, Array, Flags

if TYPE_CHECKING:
    from awd_cme.model.features import MaxCoefficients
    from awd_cme.series.series_set import SeriesSet

TOGETHER = 2000
"""Series that are scored at a time: their coefficients stay near the processor."""


@dataclass(frozen=True, eq=False)
class ModelCard:
    """A linear (or logistic) model on a few wavelet coefficients.

    Make one with `ModelCard.of`, or read one with `ModelCard.load`.

    Attributes
    ----------
    task : {"regression", "classification"}
        Whether `predict` gives the target, or the probability of success.
    channels : tuple of str
        What is seen, and what is predicted.
    target : str
        Name of the target.
    length, resampling, seconds_per_sample : int, str, float or None
        How series were brought to one length; the median time between samples.
    inputs, targets : Statistics
        Z-scores, fitted on training tracks.
    wavelet : str
        Name of the wavelet.
    taps : ndarray, shape (L,)
        Its low-pass filter.
    levels, mode : int, str
        Of the transform.
    selection : Selection
        Which coefficients are features.
    coefficients : ndarray, shape (features, 4)
        Value, lower and upper end of the interval, and p-value after Holm's correction (NaN where there is none), as
        `awd_cme.model.coefficient_intervals` makes them: of the coefficient without the penalty. Per unit of the
        feature of the standardised series, in units of the standardised target (or log odds).
    intercept : (float, float, float)
        Value, and ends of its interval.
    limits : (float, float)
        What a prediction is clipped to, in units of the standardised target; infinite for none.
    function : ndarray, shape (2, points)
        The wavelet function: times at the scale of one sample (in seconds if known), and values.
    notes : dict
        Scores, numbers of tracks and whatever else the maker wrote down, as JSON values.
    """

    task: str
    channels: tuple[str, str]
    target: str
    length: int
    resampling: str
    seconds_per_sample: float | None
    inputs: Statistics
    targets: Statistics
    wavelet: str
    taps: Array
    levels: int
    mode: str
    selection: Selection
    coefficients: Array
    intercept: Triple
    limits: tuple[float, float]
    function: Array
    notes: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.task not in ("regression", "classification"):
            raise ValueError(f"the task is 'regression' or 'classification'; got {self.task!r}")
        if self.coefficients.shape != (len(self.names), 4):
            raise ValueError(
                f"the coefficients have the shape {self.coefficients.shape}; {len(self.names)} features of four "
                "numbers each are described"
            )
        if not (np.isfinite(self.coefficients[:, 0]).all() and math.isfinite(self.intercept[0])):
            raise ValueError("a coefficient or the intercept is not finite")

    @classmethod
    def of(
        cls,
        features: "MaxCoefficients",
        predictor: Any,
        training: "SeriesSet",
        z_scores: ZScores,
        *,
        intervals: npt.ArrayLike | None = None,
        notes: Mapping[str, Any] | None = None,
    ) -> "ModelCard":
        """Card of a fitted model.

        Parameters
        ----------
        features : MaxCoefficients
            Fitted.
        predictor : SeriesRidge, SeriesLogistic or any linear model
            Fitted to the features of standardised series, with `coef_` (features,) and `intercept_`.
        training : SeriesSet
            The training tracks, for channels, lengths and times.
        z_scores : ZScores
            Those that were applied.
        intervals : array_like, shape (1 + features, 3), optional
            Of the intercept and then each coefficient, from `awd_cme.model.coefficient_intervals`.
        notes : mapping, optional
            JSON values to keep with the card.

        Raises
        ------
        ValueError
            If shapes do not belong together.
        """
        value = np.asarray(predictor.coef_, dtype=np.float64).ravel()
        intercept = float(np.asarray(predictor.intercept_).ravel()[0])
        ends = np.full((1 + len(value), 3), np.nan) if intervals is None else np.asarray(intervals, dtype=np.float64)
        if ends.shape != (1 + len(value), 3):
            raise ValueError(f"intervals have the shape (1 + features, 3) = {(1 + len(value), 3)}; got {ends.shape}")
        known = training.seconds_per_sample[np.isfinite(training.seconds_per_sample)]
        step = float(np.median(known)) if len(known) else None
        if features.positions and (features.seconds_per_sample or 1.0) != (step or 1.0):
            raise ValueError(
                f"times are features in units of {features.seconds_per_sample or 1} per sample, and the series have "
                f"{step or 1}; give MaxCoefficients the median seconds_per_sample of the set"
            )
        drawn = features.wavelet_.functions(level=4)
        return cls(
            task="classification" if training.classification else "regression",
            channels=training.channels,
            target=training.settings.target,
            length=training.X.shape[1],
            resampling=training.settings.resampling,
            seconds_per_sample=step,
            inputs=z_scores.inputs,
            targets=z_scores.targets,
            wavelet=features.wavelet_.name,
            taps=np.array(features.wavelet_.taps),
            levels=features.levels,
            mode=features.mode,
            selection=features.selection,
            coefficients=np.column_stack([value, ends[1:]]),
            intercept=(intercept, float(ends[0, 0]), float(ends[0, 1])),
            limits=getattr(predictor, "limits_", (-math.inf, math.inf)),
            function=np.stack([np.asarray(drawn.x) * (step or 1.0), np.asarray(drawn.psi)]),
            notes=dict(notes or {}),
        )

    @cached_property
    def names(self) -> list[str]:
        """Names of the features, with their scale."""
        named = zip(scales(self.levels, self.seconds_per_sample), self.matrices, strict=True)
        return [name for (scale, _), matrix in named for name in self.selection.names(scale, len(matrix))]

    @property
    def unit(self) -> str:
        """Unit of times: "s", or "samples" where the frame interval is unknown."""
        return "samples" if self.seconds_per_sample is None else "s"

    def predict(self, series: Any, *, cell: str | Sequence[str] | AnyArray | None = None) -> float | AnyArray:
        """Predict from series in the channel's own unit.

        Parameters
        ----------
        series : array_like, shape (N,) or (n, N), or list of arrays of any lengths
            Series of the card's length, as `make_series` made them; anything of other lengths is resampled as the
            training series were (one value a frame, gaps filled). With the resampling `pad`, leave the padding away
            (`x[mask]`): zeros in an array are taken for values.
        cell : str or array_like of str, shape (n,), optional
            Cells, for their z-scores; those of the training tracks pooled where it is unknown or not given. Where
            inputs were standardised by `own`, the given series of each cell are its statistics.

        Returns
        -------
        float or ndarray, shape (n,)
            The target in the partner's unit (standardised where targets were by `own`), or the probability of success.

        Raises
        ------
        ValueError
            If a value is not finite, or lengths disagree.
        """
        if isinstance(series, np.ndarray) and cell is None and series.ndim and series.shape[-1] == self.length:
            # Of half precision the sums would overflow; types of other machines are as slow as they are rare.
            X, mask = series if series.dtype in (np.float32, np.float64) else series.astype(np.float64), None
        else:
            X, mask = self._prepared(series)
        one = X.ndim == 1
        if one and self.inputs.rule == "own":
            raise ValueError("inputs were standardised cell by cell; give all series of a cell at once, (n, N)")
        if one:
            X, mask = X[None], None if mask is None else mask[None]
        if X.ndim != 2 or X.shape[1] != self.length:
            raise ValueError(f"series have the shape (n, {self.length}); got {X.shape}")
        cells = _cells(cell, len(X))
        own = self.inputs.rule == "own"
        known = self.inputs.own(X, np.broadcast_to(cells, len(X)), mask) if own else self.inputs
        mean, sd = (np.broadcast_to(values, len(X))[:, None].astype(X.dtype) for values in known.of(cells))
        found = np.empty(len(X))
        for start in range(0, len(X), TOGETHER):
            rows = slice(start, start + TOGETHER)
            x = (X[rows] - mean[rows]) / sd[rows]
            found[rows] = self._score(x if mask is None else np.where(mask[rows], x, 0.0))
        if not np.isfinite(found).all():
            bad = "the series" if one else f"series {int(np.argmin(np.isfinite(X).all(axis=1)))}"
            raise ValueError(f"{bad} has a NaN or an infinity; fill gaps first (awd_cme.series.resample.fill_gaps)")
        if self.task == "classification":
            found = 0.5 * (1 + np.tanh(0.5 * found))
        elif self.targets.rule == "training":
            shift, scale = self.targets.of(cells)
            found = found * scale + shift
        return float(found[0]) if one else found.astype(X.dtype, copy=False)

    def _score(self, x: AnyArray) -> AnyArray:
        """The linear predictor of standardised series (n, N), in their type: float32 is scored in float32."""
        matrix, times, present = self._side_by_side
        c = x @ matrix.reshape(-1, self.length).T.astype(x.dtype, copy=False)
        features = self.selection.select(c.reshape(len(x), *times.shape), times)[:, present]
        return np.clip(features @ self.coefficients[:, 0] + self.intercept[0], *self.limits)

    @cached_property
    def _side_by_side(self) -> tuple[AnyArray, AnyArray, Flags]:
        """All scales filled up to the size of the largest: the transform, with NaN, times, and which features are."""
        sizes = [len(matrix) for matrix in self.matrices]
        matrices, times = np.full((len(sizes), max(sizes), self.length), np.nan), np.zeros((len(sizes), max(sizes)))
        clocks = centre_times(self.taps, self.length, self.levels)
        for scale, (size, matrix, clock) in enumerate(zip(sizes, self.matrices, clocks, strict=True)):
            matrices[scale, :size], times[scale, :size] = matrix, clock * (self.seconds_per_sample or 1.0)
        return matrices, times, self.selection.present(sizes)

    @cached_property
    def matrices(self) -> list[AnyArray]:
        """The transform, band by band from coarse to fine."""
        return analysis_matrices(self.taps, self.length, self.levels, self.mode)

    def _prepared(self, series: Any) -> tuple[AnyArray, Flags | None]:
        """Series of the card's length, in the channel's unit, and which samples are no padding; None for all."""
        if len(series) and np.ndim(series[0]) == 0:
            X, mask = self._prepared([series])
            return X[0], None if mask is None else mask[0]
        return to_one_length(series, self.length, self.resampling)

    def to_dict(self) -> dict[str, Any]:
        """As JSON values, in the form that `awd_cme.model.card_file` describes."""
        return CardFile.of(self).to_dict()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the card to a JSON file, whole or not at all.

        Raises
        ------
        TypeError, ValueError
            If the notes hold something that JSON has no word for.
        """
        CardFile.of(self).save(path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "ModelCard":
        """Read a card that `save` wrote.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If it is no card, was written by a later version, or contradicts itself.
        """
        with reading(path, "a model card") as values:
            return cls.from_dict(values)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "ModelCard":
        """Card of what `to_dict` gave.

        Raises
        ------
        ValueError
            If it is not a card, or something is missing.
        """
        held = CardFile.from_dict(values)
        card = cls(**held.fields())
        for row, name in zip(held.coefficients, card.names, strict=True):
            if row.feature != name:
                raise ValueError(f"its feature {row.feature!r} stands where {name!r} belongs")
        return card


def _cells(cell: Any, n: int) -> npt.NDArray[np.str_]:
    """The cells of n series, shape (n,), or the one cell of all, shape (1,): empty where nothing is said."""
    if cell is None or np.ndim(cell) == 0:
        return np.array(["" if cell is None else str(cell)])
    cells = np.asarray(cell).astype(str)
    if cells.shape != (n,):
        raise ValueError(f"cell has {cells.size} entries for {n} series; give one for each, or one for all")
    return cells
