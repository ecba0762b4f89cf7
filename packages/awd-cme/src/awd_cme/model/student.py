"""The small model: a wavelet chosen for the few numbers that a reader can hold, and a fit from these to the labels.

`awd_core.student` chooses the wavelet and, by forward selection, the numbers, by the teacher's answers out of fold. The
head is this room's own predictor, so that penalty, intervals and rating of success are those of the rich model.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from awd_cme.model.intervals import coefficient_intervals
from awd_cme.model.regression import SeriesLogistic, SeriesRidge, fit_predictor
from awd_cme.model.student_card import LOG_FRAMES, OF_BAND, SmallNumber, StudentCard
from awd_cme.series.scaling import ZScores
from awd_cme.series.series_set import SeriesSet
from awd_core.checks import check_choice, check_kind, whole_number
from awd_core.student import StudentDistillation, StudentSearch, WaveletStudent
from awd_core.typing import AnyArray, Array

MOST = 10
"""Numbers that a model with a name may have: what a reader can hold."""
SEARCH = StudentSearch(random_starts=32, descents=8, iterations=50, finalists=2, folds=3)


class SeriesStudent:
    """At most ten numbers of undecimated bands and the log of a track's frames, chosen on a teacher's answers.

    Parameters
    ----------
    wavelet : str, Wavelet, a list of them, or StudentDistillation
        Where the search starts; a distillation is taken as it is.
    numbers : sequence of str
        Of each band: maximum, minimum, mean absolute, log energy.
    levels, mode : int, str
        Of the transform.
    most : int
        How many numbers are kept, the log of the frames included; 10 at most.
    frames : bool
        Whether the log of the frames may be one of them.
    learn : bool
        Whether the wavelet is searched; otherwise it stays as given.
    search : StudentSearch, optional
        How hard.
    seed : int
        Of the search, and of the folds that choose the penalty.

    Attributes
    ----------
    student_ : WaveletStudent
        The core's: wavelet, numbers, and everything that was tried (`distillation_`).
    predictor_ : SeriesRidge or SeriesLogistic
        From the numbers to the labels.

    Examples
    --------
    >>> from awd_cme.series import fit_z_scores
    >>> from awd_cme.series.series_set import example_set
    >>> raw = example_set(120)
    >>> scores = fit_z_scores(raw, centre=False)
    >>> student = SeriesStudent("db2", levels=3, most=3, learn=False).fit(scores.apply(raw))
    >>> card = student.card(scores.apply(raw), scores)
    >>> len(card.numbers), bool(np.corrcoef(card.predict(raw.X, cell=raw.cell), raw.y)[0, 1] > 0.9)
    (3, True)
    """

    def __init__(
        self,
        wavelet: Any = "db5",
        numbers: Sequence[str] = ("maximum",),
        *,
        levels: int = 4,
        mode: str = "zero",
        most: int = MOST,
        frames: bool = True,
        learn: bool = True,
        search: StudentSearch = SEARCH,
        seed: int = 0,
    ) -> None:
        for name in numbers:
            check_choice("a number", name, OF_BAND, required=True)
        if whole_number("most", most) > MOST:
            raise ValueError(f"most is {most}; a model to be read has {MOST} numbers at most")
        self.wavelet, self.numbers, self.levels, self.mode = wavelet, list(numbers), levels, mode
        self.most, self.frames, self.learn, self.search, self.seed = most, frames, learn, search, seed

    def fit(self, training: SeriesSet, outputs: npt.ArrayLike | None = None, groups: AnyArray | None = None) -> Self:
        """Choose the wavelet and the numbers by the outputs, and fit the head to the labels.

        Parameters
        ----------
        training : SeriesSet
            Standardised training tracks.
        outputs : array_like, shape (n,) or (n, k), optional
            A teacher's answers, out of fold: standardised targets, or probabilities of success. The labels by default.
        groups : ndarray, shape (n,), optional
            What is held out together; cells, or tracks where there is one cell, by default.
        """
        if not check_kind("training", training, SeriesSet).scaled:
            raise ValueError("the series are in counts; standardise them with awd_cme.series.fit_z_scores")
        labels = training.groups() if groups is None else groups
        y = training.y.astype(np.float64)
        self.student_ = WaveletStudent(
            self.wavelet, self.numbers, self.levels, self.mode, most=self.most, learn=self.learn, search=self.search,
            seed=self.seed,
        )  # fmt: skip
        given = y if outputs is None else np.asarray(outputs, dtype=np.float64)
        self.student_.fit(training.X, y, outputs=given, groups=labels, extra=self._beside(training))
        head = SeriesLogistic(seed=self.seed) if training.classification else SeriesRidge(seed=self.seed)
        self.predictor_ = fit_predictor(head, self.transform(training), training.y, labels)
        return self

    @property
    def distillation(self) -> StudentDistillation:
        """The wavelet, and everything that was tried."""
        return self.student_.distillation_

    def transform(self, series: SeriesSet) -> Array:
        """The numbers of standardised series, shape (n, numbers)."""
        return self.student_.transform(series.X, self._beside(series))

    def predict(self, series: SeriesSet) -> Array:
        """Standardised targets of standardised series, or probabilities of success; shape (n,)."""
        F = self.transform(series)
        if isinstance(self.predictor_, SeriesLogistic):
            return self.predictor_.predict_proba(F)[:, 1]
        return np.asarray(self.predictor_.predict(F))

    def card(self, training: SeriesSet, z_scores: ZScores, notes: Mapping[str, Any] | None = None) -> StudentCard:
        """The model as a card, with intervals of its coefficients.

        Parameters
        ----------
        training : SeriesSet
            The standardised tracks that it was fitted to.
        z_scores : ZScores
            Those that were applied to them.
        notes : mapping, optional
            JSON values to keep with the card.
        """
        F = self.transform(training)
        ends = coefficient_intervals(self.predictor_, F, training.y, training.groups())
        seen = training.channels[0]
        numbers = []
        for place, known in enumerate(self.student_.coefficients_[1:]):
            of_band = known.name != LOG_FRAMES
            unit = f"deviations of {seen}" if known.unit == "x" else ""
            meaning = known.meaning if of_band else "ln of the number of frames of the track"
            value, spread = float(self.predictor_.coef_[place]), float(F[:, place].std())
            low, high, p = ends[1 + place].tolist()
            numbers.append(SmallNumber(known.name, meaning, unit, value, low, high, p, spread))
        wavelets = self.student_.wavelets_ * (self.levels if len(self.student_.wavelets_) == 1 else 1)
        return StudentCard(
            task="classification" if training.classification else "regression",
            channels=training.channels,
            target=training.settings.target,
            length=training.X.shape[1],
            resampling=training.settings.resampling,
            inputs=z_scores.inputs,
            targets=z_scores.targets,
            taps=tuple(np.array(wavelet.taps) for wavelet in wavelets),
            negated=self.student_.negated_,
            mode=self.mode,
            numbers=tuple(numbers),
            intercept=float(self.predictor_.intercept_),
            limits=getattr(self.predictor_, "limits_", (-np.inf, np.inf)),
            notes=dict(notes or {}),
        )

    def _beside(self, series: SeriesSet) -> pd.DataFrame | None:
        return log_frames(series) if self.frames else None


def log_frames(series: SeriesSet) -> pd.DataFrame:
    """The column beside the numbers: ln of how many frames each track has."""
    return pd.DataFrame({LOG_FRAMES: np.log(series.frames.astype(np.float64))})
