"""The comparison of a run on its test maps, asked for once, and the model that is saved."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from awd_core.distill import DistillationPath
from awd_core.run import Report, RunFolder, shortest_seconds
from awd_core.student import StudentDistillation
from awd_core.typing import Array, Rows
from awd_core.wavelets import Wavelet
from awd_cosmo.inference.model import Model
from awd_cosmo.inference.regressor import CountRegressor
from awd_cosmo.inference.results import ModelEstimates, ModelRow, Protocol, Ratio, Results, predictions_csv
from awd_cosmo.inference.scores import rmse
from awd_cosmo.inference.training_range import TrainingDistribution
from awd_cosmo.run.compare import (
    Choice,
    Comparison,
    published_filters,
    wavelet_counts,
)
from awd_cosmo.run.forms import classical_statistics
from awd_cosmo.run.prepare import Prepared
from awd_cosmo.run.student import few_peaks, number_curve
from awd_cosmo.run.teach import Taught, teacher_error, teacher_estimates
from awd_cosmo.statistics.kernels import wavelet_kernels
from awd_cosmo.statistics.statistic import Statistic

TIMED = 128
"""Maps on which the time per map is taken."""


def evaluate(
    run: RunFolder, comparison: Comparison, students: Mapping[str, StudentDistillation],
    paths: Mapping[str, DistillationPath], chosen: Mapping[str, Any], taught: Mapping[str, Taught], report: Report,
) -> None:  # fmt: skip
    """Ask all models for the test maps, and write results.json, predictions.csv, model.json and timings.json."""
    job, prepared = comparison.job, comparison.prepared
    counted, ablation = (paths[s][i].wavelet for s, i in (chosen["awd_counts"], chosen["awd_no_interpretation"]))
    student, peaks = students["awd"], few_peaks(students["awd_peaks"], prepared.maps.bins)
    few: dict[str, Wavelet | str] = {"awd": student.wavelet, **{f"numbers_{name}": name for name in job.baselines}}
    maps = prepared.maps
    models: list[tuple[str, str, str, Statistic, str]] = []
    for key, wavelet in few.items():
        named = ("AWD", "awd") if key == "awd" else (f"{wavelet}, same numbers", "wavelet")
        models.append((key, *named, comparison.numbers(wavelet), chosen["numbers"]))
    few_counts = f"AWD, {len(students['awd_peaks'].columns)} peak counts"
    models.append(("awd_peaks", few_counts, "ablation", peaks, chosen["peaks"]))
    for key, name, kind, wavelet in (
        ("awd_counts", "AWD, counts", "ablation", counted),
        ("awd_no_interpretation", "AWD, counts, without interpretation", "ablation", ablation),
        *((name, f"{name}, counts", "wavelet", name) for name in job.baselines),
    ):
        models.append((key, name, kind, wavelet_counts(wavelet, chosen["statistics"][key]), chosen["estimator"]))
    angles = {key: wavelet.free_angle_count for key, wavelet in (
        ("awd", student.wavelet), ("awd_peaks", students["awd_peaks"].wavelet), ("awd_counts", counted),
        ("awd_no_interpretation", ablation),
    )}  # fmt: skip
    for key, (index, estimator) in chosen["classical"].items():
        statistic = classical_statistics(key, maps.arcmin_per_pixel, min(maps.shape))[index]
        models.append((key, comparison.classical_names[key], "classical", statistic, estimator))
    protocols: dict[str, Protocol] = {}
    ratios: list[Ratio] = []
    tables, timings = {}, {}
    total = len(models) * len(prepared.splits)
    for number, (protocol, split) in enumerate(prepared.splits.items()):
        truth = prepared.target[split.test]
        answers: list[ModelEstimates] = []
        fits: dict[str, tuple[Statistic, CountRegressor]] = {}
        for k, (key, name, kind, statistic, estimator) in enumerate(models):
            report(number * len(models) + k, total, name)
            choice = Choice(statistic, estimator, 0.0, 0.0)
            answer, fitted = comparison.answer(
                choice, protocol, key=key, name=name, kind=kind, angles=angles.get(key, 0)
            )
            answers.append(answer)
            fits[key] = (statistic, fitted)
        if protocol in taught:
            answers.append(_teacher_answer(run, prepared, taught[protocol], protocol))
        answers.append(_mean_answer(prepared, protocol))
        main = {answer.key: answer for answer in answers}
        if protocol == "published":
            answers += _nearest(run, comparison, counted)
        units, drawn = independent_units(prepared, protocol)
        rows = [ModelRow.of(answer, truth, units) for answer in answers]
        # Each statistic is tried once with each estimator, and validation of this protocol says which is best.
        best = min((a for a in main.values() if a.kind == "classical"), key=lambda a: a.validation_rmse or 0.0)
        rivals = ("teacher", best.key)
        for first, others in (
            ("awd", (*rivals, "awd_peaks", "awd_counts", *(key for key in few if key != "awd"))),
            ("awd_counts", (*rivals, "awd_no_interpretation", "db5")),
        ):
            there = [main[one] for one in others if one in main]
            ratios += [Ratio.of_answers(protocol, main[first], one, truth, units) for one in there]
        tables[protocol] = _table(prepared, protocol, main, best.key)
        curve = None
        if protocol == "held_out":
            timings = _timings(comparison, fits, taught.get(protocol), prepared)
            summary = {row.key: row.rmse for row in rows if row.key in ("awd", "teacher", "mean")}
            _save_model(run, comparison, fits["awd"], student.wavelet, main["awd"], summary)
            teacher = main["teacher"].estimate if "teacher" in main else None
            shown: dict[str, Wavelet | str] = {"student": student.wavelet, **{name: name for name in job.baselines}}
            curve = number_curve(comparison, shown, chosen["numbers"], teacher, units)
        protocols[protocol] = Protocol(
            rows, len(split.train), len(split.validation), len(split.test),
            len(np.unique(prepared.cosmology[split.test])), float(truth.std()), best.key, drawn, curve, protocol,
        )  # fmt: skip
    run.write_bytes("predictions.csv", predictions_csv(tables))
    run.write_json("timings.json", {"ms_per_map": timings, "seconds": run.seconds()})
    run.write_json("results.json", Results(job.target, protocols, ratios).to_dict())


def independent_units(prepared: Prepared, protocol: str) -> tuple[dict[str, Any], str]:
    """What the test maps are a draw of, for `regression_scores`, and its name.

    Whole cosmologies where they were held out, else whole maps; where cosmologies may share their phases, all maps that
    bear a number err together.
    """
    rows = prepared.splits[protocol].test
    phases = prepared.phases(rows)
    if protocol == "held_out":
        units = {"cosmology": prepared.cosmology[rows]}
        if phases is None:
            return units, "cosmologies"
        return units | {"realisation": phases}, "cosmologies and realisations"
    if phases is not None:
        return {"realisation": phases}, "realisations"
    # A realisation of one cosmology is a map, whose tiles err together.
    pairs = np.column_stack([prepared.cosmology[rows], prepared.realisation[rows]])
    return {"realisation": np.unique(pairs, axis=0, return_inverse=True)[1].reshape(-1)}, "maps"


def _teacher_answer(run: RunFolder, prepared: Prepared, taught: Taught, protocol: str) -> ModelEstimates:
    seed = int(run.config["settings"]["job"]["seed"])
    error = teacher_error(run, taught, prepared, seed=seed)
    estimate = teacher_estimates(run, taught, prepared, prepared.splits[protocol].test)
    std = np.full(len(estimate), error)
    return ModelEstimates(
        "teacher", f"teacher ({taught.name})", "network", "maps", "network", estimate, std, error, taught.parameters
    )


def _mean_answer(prepared: Prepared, protocol: str) -> ModelEstimates:
    split, target = prepared.splits[protocol], prepared.target
    mean = float(target[split.train].mean())
    error = rmse(target[split.validation], np.full(len(split.validation), mean))
    estimate = np.full(len(split.test), mean)
    return ModelEstimates("mean", "mean of the training maps", "trivial", "none", "mean", estimate, None, error, 1)


def _nearest(run: RunFolder, comparison: Comparison, awd: Wavelet) -> list[ModelEstimates]:
    """The published estimators by name, for the protocol that they are for."""
    prepared = comparison.prepared
    if np.unique(prepared.cosmology[prepared.splits["published"].train], return_counts=True)[1].min() < 2:
        run.say("Too few training maps a cosmology for a covariance: the published nearest-χ² is left out.")
        return []
    rows = [
        ("awd_counts", "AWD kernels, as published", "ablation", wavelet_kernels(awd)),
        ("db5", "db5 kernels, as published", "wavelet", wavelet_kernels("db5")),
        ("raw", "raw peak heights, as published", "classical", "raw"),
        ("laplace_v1", "Laplace v1, as published", "classical", "laplace_v1"),
        ("laplace_v2", "Laplace v2, as published", "classical", "laplace_v2"),
        ("roberts", "Roberts cross, as published", "classical", "roberts_cross"),
    ]
    return [comparison.nearest(published_filters(filter), key, name, kind) for key, name, kind, filter in rows]


def _table(prepared: Prepared, protocol: str, answers: Mapping[str, ModelEstimates], best: str) -> dict[str, Any]:
    rows = prepared.splits[protocol].test
    columns: dict[str, Any] = {
        "map": rows,
        "cosmology": prepared.cosmology[rows],
        "realisation": prepared.realisation[rows],
        "truth": prepared.target[rows],
    }
    for key in ("awd", "teacher", best, "awd_counts", "awd_no_interpretation", "db5"):
        if key in answers:
            columns[key], columns[f"{key}_std"] = answers[key].estimate, answers[key].std
    return columns


def _timings(
    comparison: Comparison, fits: Mapping[str, tuple[Statistic, CountRegressor]], teacher: Taught | None,
    prepared: Prepared,
) -> dict[str, float]:  # fmt: skip
    """Milliseconds a map, reading left out: the shortest of repeated calls."""
    rows = prepared.splits["held_out"].test[:TIMED]
    found = {}
    for key, (statistic, fitted) in fits.items():
        took = comparison.features.milliseconds(statistic, rows)
        features = comparison.features.of(statistic, rows)
        took += 1000 * shortest_seconds(partial(fitted.predict, features)) / len(rows)
        found[key] = round(took, 4)
    if teacher is not None:
        maps = prepared.maps.read(rows)
        took = shortest_seconds(partial(teacher.answers, maps))
        found["teacher"] = round(1000 * took / len(rows), 4)
    return found


def _save_model(
    run: RunFolder, comparison: Comparison, fit: tuple[Statistic, CountRegressor], wavelet: Wavelet,
    answer: ModelEstimates, summary: Mapping[str, float],
) -> None:  # fmt: skip
    """Write model.json: what NumPy alone goes from maps to the target with."""
    job, prepared = comparison.job, comparison.prepared
    held_out_model(
        comparison, *fit, comparison.features.of(fit[0]), wavelet, names=(job.target,),
        targets=prepared.target[:, None], parameters=prepared.parameters, ranges=prepared.account["parameters"],
        rmse=dict(summary), validation_rmse=answer.validation_rmse,
    ).save(run / "model.json")  # fmt: skip


def held_out_model(
    comparison: Comparison, statistic: Statistic, regressor: Any, features: Array, wavelet: Wavelet, *,
    names: tuple[str, ...], targets: Array, parameters: Array, ranges: Mapping[str, Any], **more: Any,
) -> Model:  # fmt: skip
    """A model of the protocol that counts, from maps to targets (n, k) of these names, with what is known of it.

    Its training distribution is of `parameters` (n, p); `ranges` are those of parameters beside the targets, and `more`
    is told besides.
    """
    prepared = comparison.prepared
    split = prepared.splits["held_out"]
    errors = regressor.predict(features[split.validation]).reshape(len(split.validation), -1)[:, 0]
    return Model(
        parameters=names,
        pixel_scale=prepared.raw_scale,
        shape=prepared.raw_shape,
        statistics=[comparison.features.fitted(statistic)],
        regressor=regressor,
        training=TrainingDistribution.from_features(
            features[split.train],
            parameters=parameters[split.train],
            reference=features[split.validation],
            reference_parameters=parameters[split.validation],
        ),
        preprocessing=prepared.preprocessing,
        wavelet=wavelet,
        provenance={
            "program": "awd-cosmo run",
            "protocol": "held_out",
            "seed": comparison.job.seed,
            "training_maps": len(split.train),
            "maps_sha256": prepared.account["sha256"],
            **more,
            "tile_correlation": tile_correlation(errors - targets[split.validation, 0], prepared, split.validation),
            "parameters": {**ranges, **dict(zip(names, map(_range, targets[split.train].T), strict=True))},
            "z_s": prepared.account["z_s"],
            **({"bins": prepared.account["bins"]} if "bins" in prepared.account else {}),
        },
    )


def _range(values: Array) -> list[float]:
    return [float(values.min()), float(values.max())]


def tile_correlation(errors: Array, prepared: Prepared, rows: Rows) -> float:
    """Correlation of the errors of two tiles of a map, 0 to 1: the mean over k tiles errs by σ √(ρ + (1 − ρ)/k).

    1 where maps are not cut, or nothing is known.
    """
    names = np.column_stack([prepared.cosmology[rows], prepared.realisation[rows]])
    if (prepared.realisation[rows] < 0).any():
        return 1.0
    groups = np.unique(names, axis=0, return_inverse=True)[1].reshape(-1)
    number = np.bincount(groups)
    pairs = float((number * (number - 1)).sum())
    if pairs == 0:
        return 1.0
    products = float((np.bincount(groups, errors) ** 2 - np.bincount(groups, errors**2)).sum())
    return float(np.clip(products / pairs / np.mean(errors**2), 0.0, 1.0))
