"""The choices of a run, by cross-validation over cosmologies: statistics and estimator, wavelet, classical forms."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from awd_core.distill import DistillationPath
from awd_core.files import to_json
from awd_core.run import Report, RunFolder
from awd_core.student import StudentDistillation
from awd_core.wavelets import Wavelet
from awd_cosmo.run.compare import Comparison, wavelet_counts
from awd_cosmo.run.job import Estimator, Job
from awd_cosmo.run.prepare import Prepared
from awd_cosmo.run.student import few_peaks

Candidate = tuple[Wavelet | str, str, float | None, Mapping[str, Any], Estimator]
"""A wavelet, its name, its share of the interpretation term, options of its counts, and what they are read by."""


def select(
    run: RunFolder, comparison: Comparison, student: StudentDistillation, peaks: StudentDistillation,
    paths: Mapping[str, DistillationPath], report: Report,
) -> None:  # fmt: skip
    """Choose by the error on cosmologies left out: selection.json, all that was tried, and choice.json.

    For the few numbers and the few counts of the students' wavelets only the estimator is open. For counts, first the
    statistic and the estimator, with the plain wavelet that the longest path starts from; with them the wavelet, among
    all points of all paths with a share above 0, and, for the model without the interpretation term, among those with
    share 0; then the statistic once more, for each wavelet that is compared, plain ones too, among the same candidates;
    and the best form of each classical statistic.

    choice.json holds "numbers" and "peaks", the estimators of the few numbers and counts; "estimator", that of counts;
    "awd_counts" and "awd_no_interpretation", each [start, index on its path]; "statistics", the options by model: these
    two and the plain wavelets; "classical", for each key [index of the statistic, estimator].
    """
    job, prepared = comparison.job, comparison.prepared
    plain = job.wavelets[-1]
    statistics = _usable(job, prepared)
    points = [(start, index) for start, path in paths.items() for index in range(len(path))]
    compared = 2 + len(job.baselines)
    total = len(statistics) * (compared + len(job.estimators)) + len(points) + len(comparison.classical_names) + 2
    done = 0

    def advance(what: str) -> None:
        nonlocal done
        done += 1
        report(done, total, what)

    def best_of(key: str, candidates: Sequence[Candidate]) -> int:
        """The one that errs least."""
        # Most levels first: counts of fewer are among them.
        order = sorted(range(len(candidates)), key=lambda i: _but_levels(candidates, i))
        tried = []
        for wavelet, name, share, statistic, estimator in (candidates[i] for i in order):
            counts = wavelet_counts(wavelet, statistic)
            tried.append(comparison.tried(counts, estimator, key=key, name=name, share=share))
            advance(f"{key}: {name}")
        return order[tried.index(comparison.best(tried))]

    chosen: dict[str, Any] = {}
    for part, key, found, few in (
        ("numbers", "awd", student, comparison.numbers(student.wavelet)),
        ("peaks", "awd_peaks", peaks, few_peaks(peaks, prepared.maps.bins)),
    ):  # fmt: skip
        tried = [comparison.tried(few, estimator, key=key, name=found.wavelet.name) for estimator in job.estimators]
        chosen[part] = comparison.best(tried).estimator
        advance(f"{key}: estimator")
    options = [(statistic, estimator) for statistic in statistics for estimator in job.estimators]
    statistic, estimator = options[best_of("statistic", [(plain, plain, None, *option) for option in options])]
    chosen["estimator"] = estimator
    for key in ("awd_no_interpretation", "awd_counts"):
        shares = [(start, i, paths[start][i]) for start, i in points]
        mine = [point for point in shares if (point[2].share > 0) == (key == "awd_counts")]
        named = [(p.wavelet, f"{start}, share {p.share:g}", p.share, statistic, estimator) for start, _, p in mine]
        chosen[key] = list(mine[best_of(key, named)][:2])
    # What suits one wavelet best need not suit another, and no model shall have a statistic made for its rival.
    wavelets: dict[str, tuple[Wavelet | str, str, float | None]] = {name: (name, name, None) for name in job.baselines}
    for key in ("awd_counts", "awd_no_interpretation"):
        start, index = chosen[key]
        wavelets[key] = (paths[start][index].wavelet, f"{start} distilled", paths[start][index].share)
    chosen["statistics"] = {
        key: dict(statistics[best_of(f"statistic of {key}", [(*wavelet, again, estimator) for again in statistics])])
        for key, wavelet in wavelets.items()
    }
    chosen["classical"] = {}
    for key, name in comparison.classical_names.items():
        before = len(comparison.record)
        comparison.classical(key)
        best = next(i for i, entry in enumerate(comparison.record[before:]) if entry.chosen)
        chosen["classical"][key] = [best // len(job.estimators), comparison.record[before + best].regressor]
        advance(name)
    run.write_json("selection.json", to_json(comparison.record))
    run.write_json("choice.json", chosen)


def _but_levels(candidates: Sequence[Candidate], place: int) -> tuple[int, int]:
    """Place of the first candidate whose counts differ from this one's in levels alone, and levels, most first."""
    options = [{**options, "levels": 0} for *_, options, _ in candidates]
    return options.index(options[place]), -int(candidates[place][3].get("levels", 3))


def _usable(job: Job, prepared: Prepared) -> list[Mapping[str, Any]]:
    """Statistics whose levels fit the maps."""
    most = int(np.log2(min(prepared.maps.shape))) - 1
    usable = [statistic for statistic in job.statistics if statistic.get("levels", 3) <= most]
    if not usable:
        raise ValueError(f"maps of {prepared.maps.shape} allow {most} levels; give statistics with as many or fewer")
    return usable
