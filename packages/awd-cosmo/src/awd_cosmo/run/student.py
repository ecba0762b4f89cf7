"""The student of a run: few numbers of a map, and the wavelet from which they tell most of the teacher's answers.

The numbers are those of `awd_cosmo.statistics.ShiftedLognormal`, and a ridge with their products reads them. Beside
them stands the published form made small: a few counts of peaks, with wavelet, kernels and heights chosen likewise.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from awd_core.evidence import r_squared, r_squared_difference
from awd_core.run import RunFolder
from awd_core.student import Bands, StudentDistillation, StudentSearch, distill_student
from awd_core.typing import Array, Flags, Rows
from awd_core.wavelets import Wavelet
from awd_cosmo.inference.estimators import with_products
from awd_cosmo.run.compare import Comparison
from awd_cosmo.run.job import Job
from awd_cosmo.run.prepare import Prepared
from awd_cosmo.run.teach import Taught, teacher_estimates, trained_rows
from awd_cosmo.statistics.few_counts import PeaksAbove
from awd_cosmo.statistics.kernels import WAVELET_KERNELS
from awd_cosmo.statistics.peaks import Floats
from awd_cosmo.statistics.per_bin import PerBin
from awd_cosmo.statistics.shifted_lognormal import ShiftedLognormal
from awd_cosmo.statistics.statistic import Statistic

LENGTHS = (2, 4, 6)
"""Taps that are tried: the numbers live on the finest scale, which longer filters leave."""
SEARCHED = 400
"""Maps that wavelets are searched on; all the others choose among them, for wavelets differ by a few percent."""
MOST = 10
"""Numbers of a curve: of several redshift bins there are more, and each costs a fit to all of them."""
PEAKS = 9
"""Counts of the published form made small: as many as in the paper."""
SAMPLE = 64
"""Maps that ranges and scales of the numbers are learnt from, at most, while wavelets are compared."""
FEWEST = 16
"""Maps that a search is worth making with."""


def student_rows(job: Job, prepared: Prepared) -> Rows:
    """Maps whose answers choose the wavelet, of validation and training: those that the teacher was not trained on.

    Where these are too few to search with, some that it was trained on fill them up.
    """
    split = prepared.splits["held_out"]
    ours = job.teacher is None and job.epochs > 0
    trained = trained_rows(job, split) if ours else split.train[:0]
    fresh = np.concatenate([split.validation, np.setdiff1d(split.train, trained)])
    rng = np.random.default_rng([job.seed, 0x57D])
    rows = rng.permutation(fresh)[: job.student_maps]
    if len(rows) < FEWEST:
        rows = np.concatenate([rows, rng.permutation(trained)[: FEWEST - len(rows)]])
    return np.sort(rows).astype(np.int64)


def find_wavelets(run: RunFolder, comparison: Comparison, taught: Mapping[str, Taught], report: Any) -> None:
    """Write student.json and peaks.json: the wavelets whose numbers, and whose few counts, tell most of the answers.

    The answers are the teacher's, or the labels where there is none.
    """
    job, prepared = comparison.job, comparison.prepared
    rows = student_rows(job, prepared)
    outputs = teacher_estimates(run, taught["held_out"], prepared, rows) if taught else prepared.target[rows]
    by = "the teacher's answers" if taught else "labels, since there is no teacher"
    run.log(f"The wavelet of the few numbers is chosen by {by}, on {len(rows)} maps")
    maps, mask = prepared.filled(rows), shared_mask(prepared, rows)
    # Few starts are enough for one or two angles. A longer wavelet must earn its length.
    share = min(1.0, max(0.25, SEARCHED / len(rows)))
    search = StudentSearch(
        random_starts=0, descents=1, iterations=15, finalists=1, folds=5, share=share, standard_errors=1.0
    )
    for name, number, most in (
        ("student.json", NumbersOfMaps(maps, mask, comparison.block_sizes), None),
        ("peaks.json", PeaksOfMaps(maps, mask), PEAKS),
    ):
        if not (run / name).exists():
            distill_student(
                maps, outputs, wavelet=["haar", "db2", "db3"], lengths=LENGTHS, levels=1, ndim=2, numbers=[number],
                most=most, groups=prepared.cosmology[rows], search=search, seed=job.seed, progress=report,
            ).save(run / name)  # fmt: skip


def shared_mask(prepared: Prepared, rows: Rows) -> Flags | None:
    """Which pixels of maps were observed, if they share a mask; else none: where they differ, fill stands for data."""
    if not prepared.masked:
        return None
    seen = np.isfinite(prepared.maps.read(rows))  # of redshift bins, (n, bins, ny, nx)
    return seen[0] if (seen == seen[0]).all() and not seen[0].all() else None


class OfMaps:
    """Numbers of maps, as `distill_student` asks for them, fitted to the first maps of all, whichever it asks about."""

    signed, bands = False, ()  # the maps are filtered anew

    def __init__(self, maps: Floats, mask: Flags | None) -> None:
        self.sample, self.mask = maps[:SAMPLE], mask

    def measured(self, make: Callable[[Flags | None], Statistic], inputs: Any) -> tuple[Array, Array]:
        """Numbers of the sample and of inputs, by a statistic that is fitted to the sample, redshift bin by bin."""
        maps = inputs.numpy().astype(np.float32)
        if maps.ndim == 3:
            fitted = make(self.mask).fit(self.sample)
            return fitted.transform(self.sample), fitted.transform(maps)
        of_each = PerBin([make(None if self.mask is None else self.mask[b]) for b in range(maps.shape[1])])
        return of_each.fit(self.sample).transform(self.sample), of_each.transform(maps)


class NumbersOfMaps(OfMaps):
    """The numbers of a nearly lognormal field, and their products."""

    __name__ = "shifted lognormal"

    def __init__(self, maps: Floats, mask: Flags | None, block_sizes: int) -> None:
        super().__init__(maps, mask)
        self.block_sizes = block_sizes

    def __call__(self, bands: Bands) -> Array:
        """Table (n, K) for the wavelet whose filters made the bands."""
        taps = bands.banks[0][0].detach().numpy()
        scale, numbers = self.measured(lambda mask: ShiftedLognormal(taps, self.block_sizes, mask=mask), bands.inputs)
        numbers = (numbers - scale.mean(axis=0)) / np.maximum(scale.std(axis=0), 1e-12)
        # Products within a bin: those between bins are many, and say little of which wavelet is best.
        each = np.split(numbers, numbers.shape[1] // (4 + self.block_sizes), axis=1)
        return np.hstack([with_products(one, 2) for one in each])


class PeaksOfMaps(OfMaps):
    """Square roots of counts of peaks above heights, seen through the wavelet's kernels."""

    __name__ = "peaks above"

    def __call__(self, bands: Bands) -> Array:
        """Table (n, K) for the wavelet whose filters made the bands."""
        taps = bands.banks[0][0].detach().numpy()
        return np.sqrt(self.measured(lambda mask: PeaksAbove(taps, mask=mask), bands.inputs)[1])


def few_peaks(found: StudentDistillation, bins: int = 1) -> Statistic:
    """The counts that a distillation has kept, not fitted; of maps in several redshift bins, those of each."""
    picks = [int(re.sub(r"\D", "", column)) for column in found.columns]
    taps = found.wavelet.taps.copy()
    if bins == 1:
        return PeaksAbove(taps, picks)
    each = len(WAVELET_KERNELS) * PeaksAbove().heights
    mine = [[pick - b * each for pick in picks if pick // each == b] for b in range(bins)]
    return PerBin([PeaksAbove(taps, few) if few else None for few in mine])


def number_curve(
    comparison: Comparison, wavelets: Mapping[str, Wavelet | str], estimator: str, teacher: Array | None, units: Any
) -> list[dict[str, Any]]:
    """Test R² by the number of numbers for several wavelets, the first of which the others are compared with.

    Numbers are taken one by one, each time the one with which the error on training cosmologies left out is least.

    The first wavelet of the mapping is the student's, `estimator` is "ridge", with products, or "emulator". `teacher`
    are its estimates for the test maps, `units` what these are a draw of. Rows are of `awd_core.student.CurvePoint`.
    """
    prepared, split = comparison.prepared, comparison.prepared.splits["held_out"]
    truth = prepared.target[split.test]
    estimates: dict[str, list[Array]] = {}
    for method, wavelet in wavelets.items():
        statistic = comparison.numbers(wavelet)
        numbers = comparison.features.of(statistic)
        kept: list[int] = []
        estimates[method] = []
        while len(kept) < min(numbers.shape[1], MOST):
            tried = []
            for column in (k for k in range(numbers.shape[1]) if k not in kept):
                few = numbers[split.train][:, [*kept, column]]
                tried.append((comparison.held_out_error(few, split.train, statistic, "ridge"), column))
            kept.append(min(tried)[1])
            fitted = comparison.fit(estimator, statistic, numbers[split.train][:, kept], split.train)
            estimates[method].append(fitted.predict(numbers[split.test][:, kept]))
    first = next(iter(estimates))
    points = []
    for method, found in estimates.items():
        for place, estimate in enumerate(found):
            told = _beside(truth, estimate, estimates[first][place], units)
            wavelet = Wavelet.of(wavelets[method]).name
            points.append({"method": method, "numbers": place + 1, **told, "wavelet": wavelet})
    if teacher is not None:
        told = _beside(truth, teacher, estimates[first][-1], units)
        points.append({"method": "teacher", "numbers": None, **told, "wavelet": "teacher"})
    return points


def _beside(truth: Array, estimate: Array, other: Array, units: Mapping[str, Any]) -> dict[str, float]:
    """R² of estimates, and its difference to that of others with the standard error by the jackknife over units."""
    found = r_squared_difference(truth, estimate, other, *units.values())
    return {"r2": r_squared(truth, estimate), "difference": found.value, "standard_error": found.standard_error}
