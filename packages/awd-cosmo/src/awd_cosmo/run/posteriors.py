"""Posteriors of a run: of all its targets at once, under AWD's numbers, the other statistics and the teacher's answers.

What is sampled are the parameters that the suite varies; targets that follow from them, such as S8, are derived. The
prior is flat in the box of what is sampled. Each row's likelihood is fitted to training maps, widened by what
validation maps say, and asked for test maps.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from awd_core.run import Report, RunFolder
from awd_core.student import StudentDistillation
from awd_core.typing import Array, Rows
from awd_cosmo.inference.estimators import EmulatorPosterior
from awd_cosmo.inference.scores import fair_score, rmse
from awd_cosmo.posterior.chains import write_chains
from awd_cosmo.posterior.coverage import rank_deviation, rank_of_truth, tarp
from awd_cosmo.posterior.derived import Derived, fit_derived, with_derived
from awd_cosmo.posterior.map_posterior import KEY, PosteriorSettings, joint_widening
from awd_cosmo.posterior.neural import NeuralPosterior
from awd_cosmo.posterior.results import PosteriorRow, Posteriors, ShownMap
from awd_cosmo.posterior.samples import PosteriorSamples, stacked_values
from awd_cosmo.posterior.sampling import sample_posterior
from awd_cosmo.run.compare import Comparison
from awd_cosmo.run.evaluate import held_out_model
from awd_cosmo.run.forms import classical_statistics, transform_of
from awd_cosmo.run.prepare import varying
from awd_cosmo.run.student import student_rows
from awd_cosmo.run.teach import Taught, teacher_answers
from awd_cosmo.statistics.statistic import Statistic

TESTED, VALIDATED = 256, 128
"""Test maps, and validation maps, whose posteriors are sampled, at most."""
SAMPLES = 512
"""Samples of each of them."""
SHOWN, SHOWN_SAMPLES = 3, 2048
"""Test maps whose chains are kept and whose contours are drawn, and their samples."""
MOST = 4
"""Parameters that an emulator takes."""


@dataclass(frozen=True)
class Parameters:
    """What is sampled, and what follows from it."""

    names: tuple[str, ...]
    values: Array  # (n, p), of all maps
    shown: tuple[str, ...]
    truth: Array  # (n, k), of those that are shown
    derived: tuple[Derived, ...]

    @property
    def ends(self) -> tuple[Array, Array]:
        """Of what is shown, (k,) each."""
        return self.truth.min(axis=0), self.truth.max(axis=0)


def posterior_parameters(run: RunFolder, comparison: Comparison) -> Parameters:
    """The parameters that a suite varies, the targets first, and the targets that follow from them."""
    job, prepared = comparison.job, comparison.prepared
    varied = varying(prepared.maps)
    names = [*(name for name in job.targets if name in varied), *(name for name in varied if name not in job.targets)]
    rows = np.concatenate([prepared.splits["held_out"].train, prepared.splits["held_out"].validation])
    first = rows[np.unique(prepared.cosmology[rows], return_index=True)[1]]
    derived = []
    for name in (name for name in job.targets if name not in varied):
        own = prepared.maps.parameters([name])[:, 0]
        try:
            derived.append(fit_derived(name, prepared.maps.parameters(names)[first], own[first]))
        except ValueError as error:
            run.say(f"Note: {error}. It is one, with a flat prior.")
            names.insert(sum(one in job.targets for one in names), name)
    if job.posterior == "emulator" and len(names) > MOST:
        run.say(f"Note: the posterior's emulator takes {MOST} parameters; {', '.join(names[MOST:])} count as scatter.")
        names = names[:MOST]
        derived = [one for one in derived if len(one.low) <= len(names)]
    shown = tuple(name for name in job.targets if name in {*names, *(one.name for one in derived)})
    maps = prepared.maps
    return Parameters(tuple(names), maps.parameters(names), shown, maps.parameters(shown), tuple(derived))


def write_posteriors(
    run: RunFolder, comparison: Comparison, student: StudentDistillation, chosen: Mapping[str, Any],
    taught: Mapping[str, Taught], report: Report,
) -> None:  # fmt: skip
    """Write posteriors.json, posterior.json and chains."""
    prepared = comparison.prepared
    asked = posterior_parameters(run, comparison)
    split = prepared.splits["held_out"]
    rng = np.random.default_rng([comparison.job.seed, 0xB05])
    validation, test = (
        np.sort(rng.permutation(rows)[:most]) for rows, most in ((split.validation, VALIDATED), (split.test, TESTED))
    )
    shown = shown_maps(asked.truth[test, 0], test)
    maps, classical = prepared.maps, chosen["classical"]
    statistics: dict[str, tuple[str, Statistic]] = {"awd": ("AWD", comparison.numbers(student.wavelet))}
    for key, (index, _) in classical.items():
        form = classical_statistics(key, maps.arcmin_per_pixel, min(maps.shape))[index]
        statistics[key] = (comparison.classical_names[key], form)
    rows: list[PosteriorRow] = []
    total = len(statistics) + bool(taught)
    for number, (key, (name, statistic)) in enumerate(statistics.items()):
        report(number, total, name)
        features = comparison.features.of(statistic)
        fitted = _likelihood(comparison, asked, features[split.train], split.train, transform_of(statistic))
        row = _row(comparison, asked, fitted, features[validation], validation, features[test], test, key, name)
        rows.append(row)
        if key in ("awd", "power_spectrum"):
            _write_shown(run, comparison, asked, fitted, row, features, shown)
        if key == "awd":
            _save(run, comparison, asked, statistic, fitted, features, row.widening, student)
    if taught and (answers := _teacher_answers(run, comparison, taught["held_out"], validation, test)) is not None:
        report(total - 1, total, "teacher")
        trained, fresh, of_validation, of_test = answers
        fitted = _likelihood(comparison, asked, fresh, trained, "none")
        rows.append(_row(comparison, asked, fitted, of_validation, validation, of_test, test, "teacher", "teacher"))
    low, high = asked.ends
    kept = [
        ShownMap(int(row), {name: float(value) for name, value in zip(asked.shown, asked.truth[row], strict=True)})
        for row in shown
    ]
    found = Posteriors(
        asked.names, asked.shown, comparison.job.posterior, len(test), tuple(rows), tuple(kept), low, high
    )
    run.write_json("posteriors.json", found.to_dict())


def shown_maps(truth: Array, rows: Rows) -> Rows:
    """Test maps to show: those whose target is nearest to its quartiles."""
    wanted = np.quantile(truth, np.arange(1, SHOWN + 1) / (SHOWN + 1))
    return np.array(sorted({int(rows[np.abs(truth - one).argmin()]) for one in wanted}))


def _likelihood(comparison: Comparison, asked: Parameters, features: Array, rows: Rows, transform: Any) -> Any:
    """Of features of rows, for all parameters that are sampled."""
    prepared, job = comparison.prepared, comparison.job
    theta, ids = asked.values[rows], prepared.cosmology[rows]
    if job.posterior == "neural":
        made: Any = NeuralPosterior(transform, seed=job.seed)
        return made.fit(features, theta, cosmology=ids, realisation=prepared.phases(rows))
    p = len(asked.names)
    enough = len(np.unique(ids)) >= 3 * (p + 1) * (p + 2) // 2
    kind: Any = "quadratic" if enough else "linear"
    return EmulatorPosterior(kind, transform=transform).fit(features, theta, cosmology=ids)


def _sampled(
    asked: Parameters, fitted: Any, features: Array, widening: float, seed: int, samples: int = SAMPLES
) -> list[PosteriorSamples]:
    found = sample_posterior(fitted, features, asked.names, widening=widening, samples=samples, seed=seed)
    return [with_derived(one, list(asked.derived)) for one in found]


def _row(
    comparison: Comparison, asked: Parameters, fitted: Any, before: Array, validation: Rows, features: Array,
    test: Rows, key: str, name: str,
) -> PosteriorRow:  # fmt: skip
    """Scores of a likelihood on test maps, after it was widened by what validation maps say."""
    seed, prepared = comparison.job.seed, comparison.prepared
    widening = joint_widening(_sampled(asked, fitted, before, 1.0, seed), asked.truth[validation], asked.shown)
    found = _sampled(asked, fitted, features, widening, seed)
    truth, ids = asked.truth[test], prepared.cosmology[test]
    samples = stacked_values(found, *asked.shown)
    low, high = asked.ends
    covered = tarp(samples, truth, low, high, cosmology=ids, seed=seed)
    ranks = rank_of_truth(samples, truth)
    merits = [one.figure_of_merit(*asked.shown) for one in found]
    errors = {name: rmse(truth[:, k], samples[:, :, k].mean(axis=1)) for k, name in enumerate(asked.shown)}
    spreads = {name: float(np.median(samples[:, :, k].std(axis=1))) for k, name in enumerate(asked.shown)}
    uneven = {name: rank_deviation(ranks[:, k]) for k, name in enumerate(asked.shown)}
    score = fair_score(truth, samples.mean(axis=1), samples.std(axis=1))
    return PosteriorRow(
        key, name, int(features.shape[1]), errors, spreads, float(np.median(merits)), covered, uneven, widening, score
    )


def _write_shown(
    run: RunFolder, comparison: Comparison, asked: Parameters, fitted: Any, row: PosteriorRow, features: Array,
    shown: Rows,
) -> None:  # fmt: skip
    found = _sampled(asked, fitted, features[shown], row.widening, comparison.job.seed, SHOWN_SAMPLES)
    for number, samples in zip(shown, found, strict=True):
        write_chains(Path(run / "chains") / f"{row.key}-map{number}", samples)


def _save(
    run: RunFolder, comparison: Comparison, asked: Parameters, statistic: Statistic, fitted: Any, features: Array,
    widening: float, student: StudentDistillation,
) -> None:  # fmt: skip
    """Write posterior.json: a model whose regressor has the likelihood of all parameters."""
    settings = PosteriorSettings(asked.names, asked.shown, asked.derived, widening)
    held_out_model(
        comparison, statistic, fitted, features, student.wavelet, names=asked.names, targets=asked.values,
        parameters=asked.values, ranges={}, **{KEY: settings.to_dict()},
    ).save(run / "posterior.json")  # fmt: skip


def _teacher_answers(
    run: RunFolder, comparison: Comparison, taught: Taught, validation: Rows, test: Rows
) -> tuple[Rows, Array, Array, Array] | None:
    """Maps that it was not trained on, and its answers to them, to validation maps and to test maps.

    None if it does not know all targets.
    """
    job, prepared = comparison.job, comparison.prepared
    fresh = student_rows(job, prepared)
    of_test, of_fresh, of_validation = (
        teacher_answers(run, taught, prepared, rows) for rows in (test, fresh, validation)
    )
    if of_test.shape[1] < len(job.targets):
        return None
    return fresh, of_fresh, of_validation, of_test
