"""The teacher for series: `awd_core`'s teachers with a recurrent network and defaults for a few hundred short series.

Any other teacher fits in its place: `factory` takes a network of your own, and what is distilled needs no more than its
input gradients (`awd_core.attribution.gradients`).
"""

import os
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.utils.validation import check_is_fitted

from awd_cme.teacher.networks import MeanOf
from awd_core.checks import Columns, real_array, whole_number
from awd_core.teacher import (
    Factory,
    Scaling,
    Schedule,
    Teacher,
    TeacherBase,
    TeacherClassifier,
    Validation,
    in_memory,
)
from awd_core.typing import AnyArray

TUNED = "awd_cme.teacher.networks:TunedSeriesLSTM"
PUBLISHED = "awd_cme.teacher.networks:SeriesLSTM"


@dataclass(eq=False, repr=False)
class _OfSeries(TeacherBase):
    """What both teachers share: defaults, and a check of the series before they are learnt from."""

    factory: Factory | str = TUNED
    _: KW_ONLY
    scale_inputs: Scaling = "none"
    learning_rate: float = 5e-3
    schedule: Schedule = "one-cycle"
    max_epochs: int = 40
    patience: int | None = None
    gradient_clip: float | None = 1.0
    accelerator: Any = "cpu"

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        validation: Validation = None,
        sample_weight: npt.ArrayLike | None = None,
        checkpoint_dir: str | os.PathLike[str] | None = None,
    ) -> Self:
        """Train the network; `awd_core.teacher.Teacher.fit`, but without a held-out part unless one is asked for.

        Raises
        ------
        ValueError
            If series are not standardised, or scaling would change a mask.
        """
        self._check_series(X)
        return super().fit(X, y, validation=validation, sample_weight=sample_weight, checkpoint_dir=checkpoint_dir)

    def _check_series(self, X: Any) -> None:
        series = real_array(in_memory(X, "X"))
        if series.ndim not in (2, 3):
            raise ValueError(f"series have the shape (n, N), or (n, channels, N) from stack_inputs; got {series.shape}")
        seen = series if series.ndim == 2 else series[:, 0]
        if not series.size:
            return  # which the teacher refuses in its own words
        sd = float(seen.std()) if np.isfinite(seen).all() else 1.0
        if self.scale_inputs == "none" and not 0.02 < sd < 50:
            raise ValueError(
                f"the standard deviation of the series is {sd:.3g}: they are in counts. Standardise them with "
                "awd_cme.series.fit_z_scores, or take scale_inputs='global' (without mask and covariates)"
            )
        if self.scale_inputs != "none" and series.ndim == 3 and series.shape[1] > 1:
            raise ValueError(
                f"scale_inputs={self.scale_inputs!r} would rescale mask and covariates along with the series; take "
                "'none' and standardise the series with awd_cme.series.fit_z_scores"
            )


@dataclass(eq=False, repr=False)
class SeriesTeacher(_OfSeries, Teacher):
    """A recurrent network that predicts a number from a short series: an `awd_core.teacher.Teacher`.

    Parameters
    ----------
    factory : callable or str
        The network; by default an LSTM of 20 units that reads in both directions. The published LSTM is
        "awd_cme.teacher.networks:SeriesLSTM".
    factory_kwargs : mapping, optional
        Its arguments, such as `{"hidden": 40, "mask": True, "covariates": 1}`.
    learning_rate, schedule, batch_size, max_epochs, patience, gradient_clip
        One cycle of 40 epochs, after which the weights are kept as they are: with a few hundred tracks, a part that
        is held out for early stopping costs more than it tells.
    scale_inputs : {"none", "global", "feature"}
        None by default: series are standardised by cell before.
    accelerator : str
        The CPU by default, which is faster than a GPU for a network of this size.
    scale_targets, optimizer, weight_decay, augment, seed, precision, devices, strategy, progress
        As for `awd_core.teacher.Teacher`.

    Examples
    --------
    >>> from awd_cme.series import fit_z_scores
    >>> from awd_cme.series.series_set import example_set
    >>> raw = example_set()
    >>> series = fit_z_scores(raw).apply(raw)
    >>> teacher = SeriesTeacher(max_epochs=2).fit(series.X, series.y)
    >>> teacher.predict(series.X).shape
    (60,)
    """


@dataclass(eq=False, repr=False)
class SeriesTeacherClassifier(_OfSeries, TeacherClassifier):
    """A recurrent network that rates success from a short series; all options are those of `SeriesTeacher`.

    Examples
    --------
    >>> from awd_cme.series import fit_z_scores
    >>> from awd_cme.series.series_set import example_set
    >>> raw = example_set()
    >>> X = fit_z_scores(raw).apply(raw).X
    >>> SeriesTeacherClassifier(max_epochs=2).fit(X, raw.y > 600).predict_proba(X).shape
    (60, 2)
    """


class SeriesEnsemble(RegressorMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """Several teachers that differ in their seed, and the mean of their predictions.

    Parameters
    ----------
    teacher : Teacher, optional
        What each member is a copy of; a `SeriesTeacher` with its defaults if not given.
    members : int
        How many; the seeds are the teacher's and those that follow.

    Attributes
    ----------
    members_ : list of Teacher
        The trained members.
    n_features_in_, feature_names_in_
        As for `awd_core.teacher.Teacher`.

    Examples
    --------
    >>> from awd_cme.series import fit_z_scores
    >>> from awd_cme.series.series_set import example_set
    >>> raw = example_set()
    >>> series = fit_z_scores(raw).apply(raw)
    >>> SeriesEnsemble(SeriesTeacher(max_epochs=1), members=2).fit(series.X, series.y).predict(series.X).shape
    (60,)
    """

    def __init__(self, teacher: Teacher | None = None, members: int = 3) -> None:
        self.teacher = teacher
        self.members = members

    def fit(self, X: Any, y: Any, *, checkpoint_dir: str | os.PathLike[str] | None = None, **options: Any) -> Self:
        """Train every member on all of the data; with `checkpoint_dir` a killed training goes on from where it was.

        Raises
        ------
        ValueError
            If there is less than one member, and as for the teacher.
        """
        members = whole_number("members", self.members)
        base = SeriesTeacher() if self.teacher is None else self.teacher
        trained: list[Teacher] = []
        for number in range(members):
            member = clone(base).set_params(seed=base.seed + number)
            place = None if checkpoint_dir is None else Path(checkpoint_dir) / f"member-{number}"
            trained.append(member.fit(X, y, checkpoint_dir=place, **options))
        return self._hold(trained)

    def predict(self, X: Any) -> AnyArray:
        """Mean of the members' predictions, shape (n,) or (n, k)."""
        check_is_fitted(self, "members_")
        mean: AnyArray = np.mean([member.predict(X) for member in self.members_], axis=0)
        return mean

    def as_torch(self) -> MeanOf:
        """The ensemble as one module from raw inputs (n, …) to raw outputs (n, k), its parameters frozen."""
        check_is_fitted(self, "members_")
        return MeanOf([member.as_torch() for member in self.members_]).eval()

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write one safetensors file for each member into a folder, which is made if there is none."""
        check_is_fitted(self, "members_")
        place = Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        for number, member in enumerate(self.members_):
            member.save(place / f"member-{number}.safetensors")

    @classmethod
    def load(cls, folder: str | os.PathLike[str], *, factory: Factory | str | None = None) -> Self:
        """Read what `save` wrote; `factory` as for `SeriesTeacher.load`.

        Raises
        ------
        FileNotFoundError
            If the folder holds no members.
        """
        paths = sorted(Path(folder).glob("member-*.safetensors"), key=lambda path: int(path.stem.partition("-")[2]))
        if not paths:
            raise FileNotFoundError(f"there are no files member-0.safetensors, … in {folder}; save writes them")
        members = [SeriesTeacher.load(path, factory=factory) for path in paths]
        return cls(clone(members[0]), len(members))._hold(members)

    def _hold(self, members: Sequence[Teacher]) -> Self:
        self.members_: list[Teacher] = list(members)
        Columns.kept_by(members[0]).keep(self)
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
