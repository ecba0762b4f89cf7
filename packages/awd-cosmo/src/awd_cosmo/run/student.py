"""The student of a run: few numbers of a map, and the wavelet from which they tell most of the teacher's answers.

The numbers are those of `awd_cosmo.statistics.ShiftedLognormal`, and a ridge with their products reads them.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from awd_core.evidence import jackknife
from awd_core.run import RunFolder
from awd_core.student import Bands, StudentSearch, distill_student
from awd_core.typing import Array, Flags, Rows
from awd_core.wavelets import Wavelet
from awd_cosmo.inference.estimators import with_products
from awd_cosmo.run.compare import Comparison
from awd_cosmo.run.job import Job
from awd_cosmo.run.prepare import Prepared
from awd_cosmo.run.teach import Taught, trained_rows
from awd_cosmo.statistics.shifted_lognormal import ShiftedLognormal

LENGTHS = (2, 4, 6)
"""Taps that are tried: the numbers live on the finest scale, which longer filters leave."""
SEARCH = StudentSearch(random_starts=0, descents=1, iterations=15, finalists=1, folds=2)
"""Few starts are enough for one or two angles."""
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


def find_wavelet(run: RunFolder, comparison: Comparison, taught: Mapping[str, Taught], report: Any) -> None:
    """Write student.json: the wavelet whose numbers tell most of the teacher's answers, or of the labels."""
    job, prepared = comparison.job, comparison.prepared
    rows = student_rows(job, prepared)
    outputs = taught["held_out"].predict(prepared.maps, rows) if taught else prepared.target[rows]
    by = "the teacher's answers" if taught else "labels, since there is no teacher"
    run.log(f"The wavelet of the few numbers is chosen by {by}, on {len(rows)} maps")
    found = distill_student(
        prepared.filled(rows), outputs, wavelet=["haar", "db2", "db3"], lengths=LENGTHS, levels=1, ndim=2,
        numbers=[NumbersOfMaps(comparison.block_sizes, shared_mask(prepared, rows))],
        groups=prepared.cosmology[rows], search=SEARCH, seed=job.seed, progress=report,
    )  # fmt: skip
    found.save(run / "student.json")


def shared_mask(prepared: Prepared, rows: Rows) -> Flags | None:
    """Which pixels of maps were observed, if they share a mask; else none: where they differ, fill stands for data."""
    if not prepared.masked:
        return None
    seen = np.isfinite(prepared.maps.read(rows))
    return seen[0] if (seen == seen[0]).all() and not seen[0].all() else None


class NumbersOfMaps:
    """The numbers of maps and their products, as `distill_student` asks for them."""

    signed, bands = False, ()  # details are squared, and filtered along lines
    __name__ = "shifted lognormal"

    def __init__(self, block_sizes: int, mask: Flags | None = None) -> None:
        self.block_sizes, self.mask = block_sizes, mask

    def __call__(self, bands: Bands) -> Array:
        """Table (n, K) for the wavelet whose filters made the bands."""
        maps = bands.inputs.numpy().astype(np.float32)
        statistic = ShiftedLognormal(bands.banks[0][0].detach().numpy(), self.block_sizes, mask=self.mask)
        numbers = statistic.fit_transform(maps)
        return with_products((numbers - numbers.mean(axis=0)) / np.maximum(numbers.std(axis=0), 1e-12), 2)


def number_curve(
    comparison: Comparison, wavelets: Mapping[str, Wavelet | str], estimator: str, teacher: Array | None, units: Any
) -> list[dict[str, Any]]:
    """Test R² by the number of numbers for several wavelets, the first of which the others are compared with.

    Numbers are taken one by one, each time the one with which the error on training cosmologies left out is least.

    Parameters
    ----------
    comparison : Comparison
        With the maps.
    wavelets : mapping of str to Wavelet or str
        By method; the first is the student's.
    estimator : str
        "ridge", with products, or "emulator".
    teacher : ndarray, shape (n,), optional
        Its estimates for the test maps.
    units : mapping of str to ndarray
        What the test maps are a draw of.

    Returns
    -------
    list of dict
        Rows of `awd_core.student.CurvePoint`.
    """
    prepared, split = comparison.prepared, comparison.prepared.splits["held_out"]
    truth = prepared.target[split.test]
    estimates: dict[str, list[Array]] = {}
    for method, wavelet in wavelets.items():
        statistic = comparison.numbers(wavelet)
        numbers = comparison.features.of(statistic)
        kept: list[int] = []
        estimates[method] = []
        while len(kept) < numbers.shape[1]:
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
    columns = np.stack([np.ones_like(truth), truth, truth**2, (estimate - truth) ** 2, (other - truth) ** 2], axis=1)

    def difference(sums: Array) -> Array:
        count, total, squares, mine, others = sums
        return np.asarray((others - mine) / (squares - total**2 / count))

    found = jackknife(difference, columns, *units.values())
    r2 = 1 - float(columns[:, 3].sum() / ((truth - truth.mean()) ** 2).sum())
    return {"r2": r2, "difference": found.value, "standard_error": found.standard_error}
