"""The choices of a run, by cross-validation over cosmologies: statistics and estimator, wavelet, classical forms."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from awd_core.distill import DistillationPath
from awd_core.files import read_json
from awd_core.run import RunFolder
from awd_core.wavelets import Wavelet
from awd_core.workers import Workers
from awd_cosmo.run.compare import CLASSICAL_NAMES, Choice, Comparison, wavelet_counts
from awd_cosmo.run.features import Features
from awd_cosmo.run.job import Estimator, Job
from awd_cosmo.run.prepare import Prepared


def select(
    run: RunFolder, job: Job, prepared: Prepared, paths: Mapping[str, DistillationPath], workers: Workers
) -> dict[str, Any]:
    """Choose by the error on cosmologies left out, and write selection.json and choice.json.

    First the statistic and the estimator, with the plain wavelet that the longest path starts from; with them the
    wavelet, among all points of all paths with a share above 0, and, for the model without the interpretation term,
    among those with share 0; then the statistic once more, for each wavelet that is compared, plain ones too, among
    the same candidates; and the best form of each classical statistic.

    Returns
    -------
    dict
        "estimator"; "awd" and "awd_no_interpretation", each [start, index on its path]; "statistics", the options by
        model: these two and the plain wavelets; "classical", for each key [index of the statistic, estimator].
    """
    place = run / "choice.json"
    if place.exists() and (run / "selection.json").exists():
        told: dict[str, Any] = read_json(place)
        return told
    comparison = Comparison(job, prepared, Features(run, prepared.maps, prepared.both_train(), job.seed, workers))
    plain = job.wavelets[-1]
    with run.step("Selection") as progress:
        statistics = _usable(job, prepared)
        points = [(start, index) for start, path in paths.items() for index in range(len(path))]
        compared = 2 + len(job.baselines)
        total = len(statistics) * (compared + len(job.estimators)) + len(points) + len(CLASSICAL_NAMES)
        done = 0

        def advance(what: str) -> None:
            nonlocal done
            done += 1
            progress(done, total, what)

        tried: list[Choice] = []
        options: list[tuple[Mapping[str, Any], Estimator]] = []
        for statistic in statistics:
            for estimator in job.estimators:
                tried.append(comparison.tried(wavelet_counts(plain, statistic), estimator, key="statistic", name=plain))
                options.append((statistic, estimator))
                advance(f"statistic with {plain}")
        statistic, estimator = options[tried.index(comparison.best(tried))]
        chosen: dict[str, Any] = {"estimator": estimator}
        for key in ("awd_no_interpretation", "awd"):
            mine = [one for one in points if (paths[one[0]][one[1]].share > 0) == (key == "awd")]
            tried = []
            for start, index in mine:
                point = paths[start][index]
                name = f"{start}, share {point.share:g}"
                counts = wavelet_counts(point.wavelet, statistic)
                tried.append(comparison.tried(counts, estimator, key=key, name=name, share=point.share))
                advance(name)
            chosen[key] = list(mine[tried.index(comparison.best(tried))])
        # What suits one wavelet best need not suit another, and no model shall have a statistic made for its rival.
        wavelets: dict[str, tuple[Wavelet | str, str, float | None]] = {
            name: (name, name, None) for name in job.baselines
        }
        for key in ("awd", "awd_no_interpretation"):
            start, index = chosen[key]
            point = paths[start][index]
            wavelets[key] = (point.wavelet, f"{start} distilled", point.share)
        chosen["statistics"] = {}
        for key, (wavelet, name, share) in wavelets.items():
            tried = []
            for again in statistics:
                counts = wavelet_counts(wavelet, again)
                tried.append(comparison.tried(counts, estimator, key=f"statistic of {key}", name=name, share=share))
                advance(f"statistic with {name}")
            chosen["statistics"][key] = dict(statistics[tried.index(comparison.best(tried))])
        chosen["classical"] = {}
        for key in CLASSICAL_NAMES:
            before = len(comparison.record)
            comparison.classical(key)
            best = next(i for i, entry in enumerate(comparison.record[before:]) if entry["chosen"])
            chosen["classical"][key] = [best // len(job.estimators), comparison.record[before + best]["regressor"]]
            advance(CLASSICAL_NAMES[key])
    run.write_json("selection.json", comparison.record)
    run.write_json("choice.json", chosen)
    return chosen


def _usable(job: Job, prepared: Prepared) -> list[Mapping[str, Any]]:
    """Statistics whose levels fit the maps."""
    most = int(np.log2(min(prepared.maps.shape))) - 1
    usable = [statistic for statistic in job.statistics if statistic.get("levels", 3) <= most]
    if not usable:
        raise ValueError(f"maps of {prepared.maps.shape} allow {most} levels; give statistics with as many or fewer")
    return usable
