"""The comparison of a run: what cross-validation chooses, and then, once, what the test maps say.

Choices are made in the protocol "held_out", by cross-validation over the cosmologies of its training and validation
maps together; they hold in both protocols. Estimators are then fitted to training maps, and their error bars to
validation maps. These took part in the choices, so the error bars may be a little too small: coverage on test maps,
which did not, says by how much.
"""

from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from awd_core.typing import Array, Rows
from awd_core.wavelets import Wavelet
from awd_cosmo.inference.estimators import CountRidge, EmulatorPosterior, NearestCosmology
from awd_cosmo.inference.regressor import CountRegressor
from awd_cosmo.inference.results import RECOGNISES, ModelEstimates, TriedCandidate
from awd_cosmo.inference.scores import rmse
from awd_cosmo.run.features import Features, described, statistic_key
from awd_cosmo.run.forms import CLASSICAL_NAMES, FIELD_NAMES, classical_statistics, field_label, transform_of
from awd_cosmo.run.job import Job
from awd_cosmo.run.prepare import Prepared
from awd_cosmo.statistics.counts import PUBLISHED_BOUNDS, PeakCounts
from awd_cosmo.statistics.few_counts import PeaksAbove
from awd_cosmo.statistics.per_bin import PerBin
from awd_cosmo.statistics.scales import ScaleCounts
from awd_cosmo.statistics.shifted_lognormal import ShiftedLognormal
from awd_cosmo.statistics.spectrum import PowerSpectrum
from awd_cosmo.statistics.starlet import StarletCounts
from awd_cosmo.statistics.statistic import Statistic


@dataclass(frozen=True)
class Choice:
    """A statistic and an estimator that were compared with others."""

    statistic: Statistic  # not fitted
    estimator: str  # "ridge" or "emulator"
    cv_rmse: float  # on cosmologies held out of training and validation, fold by fold: what decides
    validation_rmse: float  # on validation maps, after a fit to training maps


def wavelet_counts(wavelet: Wavelet | str, options: Any) -> ScaleCounts:
    """Multi-scale counts of a wavelet, per pixel, so that maps of other sizes and with masks can be scored."""
    return ScaleCounts(Wavelet.of(wavelet).taps.copy(), per="pixel", **options)


SCALES = 3
"""Sizes of blocks that the few numbers tell of, as far as they fit: with four further numbers there are seven."""


def new_estimator(name: str, statistic: Statistic, seed: int, degree: Literal[1, 2] = 2) -> CountRegressor:
    """Estimator by name; few numbers are read with their products, those of degree 2."""
    few, how = isinstance(statistic, ShiftedLognormal), transform_of(statistic)
    if name == "nearest":
        return NearestCosmology()
    if name == "ridge":
        return CountRidge(transform=how, degree=degree if few else 1, seed=seed)
    return EmulatorPosterior("quadratic", transform=how)


@dataclass
class Comparison:
    """Compares statistics on the maps of a run; `record` is all that was tried, for selection.json."""

    job: Job
    prepared: Prepared
    features: Features
    record: list[TriedCandidate] = field(default_factory=list)
    _known: dict[tuple[str, str], tuple[float, float]] = field(default_factory=dict)

    @property
    def developed(self) -> tuple[Rows, Rows]:
        """Training and validation maps on which candidates are compared: as many as the job allows."""
        split = self.prepared.splits["held_out"]
        total = len(split.train) + len(split.validation)
        share = min(1.0, self.job.selection_maps / total)
        rng = np.random.default_rng([self.job.seed, 0x5E1E])
        return tuple(
            np.sort(rng.permutation(rows)[: max(4, round(share * len(rows)))])
            for rows in (split.train, split.validation)
        )  # type: ignore[return-value]

    @property
    def classical_names(self) -> dict[str, str]:
        """What the classical statistics are called, by key, those that were asked for last."""
        return CLASSICAL_NAMES | {key: FIELD_NAMES[key] for key in self.job.field_statistics}

    @property
    def block_sizes(self) -> int:
        """Sizes of blocks of the few numbers, no more than fit into the maps."""
        return max(1, min(SCALES, int(np.log2(min(self.prepared.maps.shape))) - 1))

    def numbers(self, wavelet: Wavelet | str) -> ShiftedLognormal:
        """The few numbers with a wavelet, not fitted."""
        return ShiftedLognormal(Wavelet.of(wavelet).taps.copy(), self.block_sizes)

    def tried(self, statistic: Statistic, estimator: str, *, key: str, name: str, share: float | None = None) -> Choice:
        """Compare one candidate, and write it down."""
        same = (statistic_key(statistic), estimator)
        if same not in self._known:
            self._known[same] = self._errors(statistic, estimator)
        held_out, error = self._known[same]
        choice = Choice(statistic, estimator, held_out, error)
        told, levels = described(statistic), getattr(statistic, "levels", None)
        self.record.append(TriedCandidate(key, name, share, levels, told, estimator, held_out, error))
        return choice

    def _errors(self, statistic: Statistic, estimator: str) -> tuple[float, float]:
        """Root mean square errors on cosmologies left out, and on validation maps after a fit to training maps."""
        train, validation = self.developed
        x, v = self.features.of(statistic, train), self.features.of(statistic, validation)
        held_out = self.held_out_error(
            np.concatenate([x, v]), np.concatenate([train, validation]), statistic, estimator
        )
        fitted = self.fit(estimator, statistic, x, train)
        return held_out, rmse(self.prepared.target[validation], fitted.predict(v))

    def best(self, choices: list[Choice]) -> Choice:
        """The best of the candidates that were tried last, by the error on cosmologies left out; marked as chosen."""
        best = min(range(len(choices)), key=lambda i: choices[i].cv_rmse)
        place = len(self.record) - len(choices) + best
        self.record[place] = replace(self.record[place], chosen=True)
        return choices[best]

    def classical(self, key: str) -> Choice:
        """The best form of a classical statistic, and its best estimator."""
        maps = self.prepared.maps
        return self.best(
            [
                self.tried(statistic, estimator, key=key, name=self.classical_names[key])
                for statistic in classical_statistics(key, maps.arcmin_per_pixel, min(maps.shape))
                for estimator in self.job.estimators
            ]
        )

    def answer(
        self, choice: Choice, protocol: str, *, key: str, name: str, kind: str, angles: int = 0
    ) -> tuple[ModelEstimates, CountRegressor]:
        """Fit to the training maps of a protocol, calibrate on its validation maps, and ask for its test maps.

        `angles` are the free ones of a distilled wavelet, which count among the parameters.
        """
        split = self.prepared.splits[protocol]
        x, target = self.features.of(choice.statistic), self.prepared.target
        fitted = self.fit(choice.estimator, choice.statistic, x[split.train], split.train)
        validation = rmse(target[split.validation], fitted.predict(x[split.validation]))
        fitted.calibrate(x[split.validation], target[split.validation])
        estimate, std = fitted.predict(x[split.test], return_std=True)
        label = statistic_label(choice.statistic)
        if (bins := self.prepared.maps.bins) > 1 and not isinstance(choice.statistic, PerBin):
            label = f"{label}, in each of {bins} redshift bins"
        numbers = _fitted_numbers(fitted) + angles
        return ModelEstimates(key, name, kind, label, choice.estimator, estimate, std, validation, numbers), fitted

    def nearest(self, filters: list[Any], key: str, name: str, kind: str) -> ModelEstimates:
        """The published estimator by name: 22 bins of peak counts, the training cosmology of least χ².

        Of several statistics (the upper ends of a wavelet's bins) validation chooses.
        """
        split, target = self.prepared.splits["published"], self.prepared.target
        found = []
        for statistic in filters:
            x = self.features.of(statistic)
            fitted = NearestCosmology().fit(
                x[split.train], target[split.train], cosmology=self.prepared.cosmology[split.train]
            )
            found.append((rmse(target[split.validation], fitted.predict(x[split.validation])), statistic, fitted))
        error, statistic, fitted = min(found, key=lambda one: one[0])
        estimate = fitted.predict(self.features.of(statistic)[split.test])
        label = f"published peak counts, {statistic.bins} bins"
        return ModelEstimates(key, name, kind, label, RECOGNISES, estimate, None, error, int(fitted.means_.size))

    def fit(self, estimator: str, statistic: Statistic, features: Array, rows: Rows) -> CountRegressor:
        """An estimator of the target, fitted to features of rows.

        The products of several redshift bins' numbers are many: cross-validation on these rows says whether they help.
        """
        if estimator == "ridge" and isinstance(statistic, ShiftedLognormal) and self.prepared.maps.bins > 1:
            degrees: tuple[Literal[1, 2], ...] = (1, 2)
            both = [self._fitted(estimator, statistic, features, rows, degree) for degree in degrees]
            return min(both, key=lambda one: float(getattr(one, "cv_rmse_").min()))  # noqa: B009 - CountRidge has it
        return self._fitted(estimator, statistic, features, rows, 2)

    def _fitted(
        self, estimator: str, statistic: Statistic, features: Array, rows: Rows, degree: Literal[1, 2]
    ) -> CountRegressor:
        made = new_estimator(estimator, statistic, self.job.seed, degree)
        more: dict[str, Any] = {"parameters": self.prepared.parameters[rows]} if estimator == "emulator" else {}
        if estimator == "ridge":
            more = {"realisation": self.prepared.phases(rows)}
        return made.fit(features, self.prepared.target[rows], cosmology=self.prepared.cosmology[rows], **more)

    def held_out_error(self, features: Array, rows: Rows, statistic: Statistic, estimator: str) -> float:
        """Root mean square error of an estimator on cosmologies left out, fold by fold, from features of rows."""
        if estimator == "ridge":
            fitted = self.fit(estimator, statistic, features, rows)
            return float(getattr(fitted, "cv_rmse_").min())  # noqa: B009 - CountRidge has it
        from awd_cosmo.inference.folds import cross_validation_folds

        ids, target = self.prepared.cosmology[rows], self.prepared.target[rows]
        squared = 0.0
        n_folds, phases = min(5, len(np.unique(ids))), self.prepared.phases(rows)
        folds = cross_validation_folds(ids, phases, n_folds=n_folds, seed=self.job.seed, crossed=True)
        for train, test in folds.split():
            fitted = self.fit(estimator, statistic, features[train], rows[train])
            squared += float(((fitted.predict(features[test]) - target[test]) ** 2).sum())
        return float(np.sqrt(squared / len(rows)))


def published_filters(filter: Any) -> list[Statistic]:
    """The published histograms of a filter: their fixed ranges, or for a wavelet those to choose from."""
    if isinstance(filter, str) and filter in ("raw", "laplace_v1", "laplace_v2", "roberts_cross"):
        return [PeakCounts(filter)]
    return [PeakCounts(filter, range=(0.0, bound)) for bound in PUBLISHED_BOUNDS]


def statistic_label(statistic: Statistic) -> str:
    """A few words for a table.

    Examples
    --------
    >>> statistic_label(wavelet_counts("db2", {"levels": 2, "pixels": "all"}))
    'all pixels, 2 levels, 20 bins'
    """
    if (told := field_label(statistic)) is not None:
        return told
    if isinstance(statistic, ScaleCounts | StarletCounts):
        what = {"all": "all pixels", "peaks": "peaks", "minima": "minima", "both": "peaks and minima"}[statistic.pixels]
        return f"{what}, {statistic.levels} levels, {statistic.bins} bins"
    if isinstance(statistic, ShiftedLognormal):
        return f"{4 + statistic.block_sizes} numbers of a shifted lognormal field"
    if isinstance(statistic, PowerSpectrum):
        return f"power in {statistic.bins} bins of ℓ"
    if isinstance(statistic, PeaksAbove):
        return f"{len(statistic.picks or ())} counts of peaks above a height"
    if isinstance(statistic, PerBin):
        each = dict.fromkeys(statistic_label(one) for one in statistic.statistics if one is not None)
        return f"in each of {statistic.bins} redshift bins: {' or '.join(each)}"
    if isinstance(statistic, PeakCounts):
        spacing = statistic.range if isinstance(statistic.range, str) else "even"
        return f"peak counts, {statistic.bins} {spacing} bins"
    return type(statistic).__name__


def _fitted_numbers(fitted: CountRegressor) -> int:
    """How many numbers are fitted to targets: weights and an intercept; for an emulator its curves and projection."""
    learnt = fitted.to_dict()["state"]
    if isinstance(fitted, CountRidge):
        return int(fitted.weights_.size + fitted.intercept_.size)
    if isinstance(fitted, EmulatorPosterior):
        emulator = fitted.emulator_
        curves = sum(int(np.size(curve["weights"])) for curve in emulator.curves if "weights" in curve)
        return int(emulator.projection.size) + curves
    return sum(int(np.size(value)) for value in learnt.values())
